/* SPDX-License-Identifier: MIT */
/* After xentoolcore_restrict_all() nothing new can be shared or mapped. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <xengnttab.h>
#include <xentoolcore.h>

int main(void)
{
	xengnttab_handle *t = xengnttab_open(NULL, 0);
	xengntshr_handle *s = xengntshr_open(NULL, 0);
	uint32_t ref, other;
	char *p = t && s ? xengntshr_share_pages(s, 1, 1, &ref, 1) : NULL;
	char *q = p ? xengnttab_map_grant_ref(t, 1, ref, PROT_READ) : NULL;

	if (!q || xentoolcore_restrict_all(2))
		return 1;
	*p = 4;
	if (*q != 4)
		return 2;
	errno = 0;
	if (xengnttab_map_grant_ref(t, 1, ref, PROT_READ) || errno != ENOTTY)
		return 3;
	if (xengntshr_share_pages(s, 1, 1, &other, 1))
		return 4;
	if (xengnttab_unmap(t, q, 1) || xengntshr_unshare(s, p, 1))
		return 5;
	return xengnttab_close(t) || xengntshr_close(s);
}
