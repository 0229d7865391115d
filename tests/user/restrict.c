/* SPDX-License-Identifier: MIT */
/*
 * What a program does that gives up its privileges: libxentoolcore knows all
 * open handles, and restricts them.  Twice is once.
 */
#include <errno.h>
#include <stdio.h>

#include <xenevtchn.h>
#include <xentoolcore.h>

int main(void)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);

	if (!h || xentoolcore_restrict_all(2) || xentoolcore_restrict_all(2)) {
		perror("restrict");
		return 1;
	}
	if (xenevtchn_bind_unbound_port(h, 2) != -1 || errno != EACCES) {
		fprintf(stderr, "not restricted\n");
		return 1;
	}
	if (xenevtchn_close(h))
		return 1;
	/* A handle that was closed is not asked. */
	return xentoolcore_restrict_all(3) ? 1 : 0;
}
