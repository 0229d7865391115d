/* SPDX-License-Identifier: MIT */
/*
 * Debian's libxenforeignmemory, ours behind it.  "foreign yes": as domain 0;
 * "foreign no": as a domain that may not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>
#include <xengnttab.h>

#define FRAME(ref) ((xen_pfn_t)0x100000 + (ref))
#define FAIL(n)	   (printf("check %d: %s\n", n, strerror(errno)), n)

static int as_domain_0(xenforeignmemory_handle *f, char *page, uint32_t ref)
{
	xen_pfn_t frame[2] = {FRAME(ref), FRAME(ref + 1)};
	char *p;
	int err[2] = {7, 7};

	p = xenforeignmemory_map(f, 0, PROT_READ | PROT_WRITE, 2, frame, err);
	if (!p || err[0] || err[1])
		return FAIL(2);
	p[4096] = 9;
	if (page[4096] != 9)
		return FAIL(3);
	if (xenforeignmemory_unmap(f, p, 1) != -1 || errno != EINVAL)
		return FAIL(4);
	if (xenforeignmemory_unmap(f, p, 2))
		return FAIL(5);
	frame[1]++;
	if (xenforeignmemory_map(f, 0, PROT_READ, 2, frame, NULL) ||
	    errno != EINVAL)
		return FAIL(6);
	if (xenforeignmemory_map(f, 99, PROT_READ, 1, frame, NULL) ||
	    errno != ESRCH)
		return FAIL(7);
	if (xenforeignmemory_restrict(f, 5) ||
	    xenforeignmemory_map(f, 0, PROT_READ, 1, frame, NULL) ||
	    errno != EPERM)
		return FAIL(8);
	if (xenforeignmemory_map_resource(f, 0, 0, 0, 0, 1, (void **)&p,
					  PROT_READ, 0) ||
	    errno != EOPNOTSUPP)
		return FAIL(9);
	return 0;
}

int main(int argc, char **argv)
{
	xenforeignmemory_handle *f = xenforeignmemory_open(NULL, 0);
	xengntshr_handle *s = xengntshr_open(NULL, 0);
	uint32_t ref[2];
	char *page = s ? xengntshr_share_pages(s, 3, 2, ref, 1) : NULL;
	xen_pfn_t frame = FRAME(page ? ref[0] : 0);
	int rc;

	if (!f || !page || argc != 2)
		return FAIL(1);
	if (!strcmp(argv[1], "yes"))
		rc = as_domain_0(f, page, ref[0]);
	else
		rc = xenforeignmemory_map(f, 1, PROT_READ, 1, &frame, NULL) ||
				     errno != EPERM
			     ? FAIL(10)
			     : 0;
	return rc ? rc : xenforeignmemory_close(f) || xengntshr_close(s);
}
