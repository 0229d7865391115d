/* SPDX-License-Identifier: MIT */
/*
 * A program made with Debian's xenctrl.h and libxenctrl, run as a domain.
 *
 *   ctl info N       is there a domain N?  One line about it, status 3: no
 *   ctl list         all domains, by one call
 *   ctl walk         all domains, by one call for each
 *   ctl ports        opens a port of domain 1 for domain 2 and looks
 *   ctl reset        opens ports of its own and resets
 *   ctl refused      what an unprivileged domain may not do
 *   ctl machine      physinfo
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, \
				strerror(errno));                             \
			exit(1);                                              \
		}                                                             \
	} while (0)

static xc_interface *xch;

/* --- domains ---------------------------------------------------------------- */

static int info(uint32_t domid)
{
	xc_dominfo_t d;
	int n = xc_domain_getinfo(xch, domid, 1, &d);

	if ((n < 0 && errno == ESRCH) || (n == 1 && d.domid != domid))
		return 3;
	CHECK(n == 1);
	printf("%u vcpus %u dying %d running %d blocked %d pages %lu\n",
	       d.domid, d.nr_online_vcpus, d.dying, d.running, d.blocked,
	       d.nr_pages);
	return 0;
}

static int list(void)
{
	static xc_domaininfo_t d[1024];
	int i, n = xc_domain_getinfolist(xch, 0, 1024, d);

	CHECK(n >= 0);
	for (i = 0; i < n; i++)
		printf("%u\n", d[i].domain);
	/* From one on, and no more than there is room for. */
	n = xc_domain_getinfolist(xch, 1, 1, d);
	CHECK(n == 0 || (n == 1 && d[0].domain >= 1));
	return 0;
}

static int walk(void)
{
	static xc_dominfo_t d[1024];
	int i, n = xc_domain_getinfo(xch, 0, 1024, d);

	CHECK(n >= 0);
	for (i = 0; i < n; i++)
		printf("%u\n", d[i].domid);
	return 0;
}

/* --- ports ------------------------------------------------------------------ */

static int status(uint32_t domid, uint32_t port, xc_evtchn_status_t *st)
{
	memset(st, 0, sizeof(*st));
	st->dom = (domid_t)domid;
	st->port = port;
	return xc_evtchn_status(xch, st);
}

static int ports(void)
{
	int port = xc_evtchn_alloc_unbound(xch, 1, 2);
	xc_evtchn_status_t st;

	CHECK(port > 0);
	CHECK(!status(1, (uint32_t)port, &st));
	CHECK(st.status == EVTCHNSTAT_unbound && st.u.unbound.dom == 2);
	/* As on Xen: another domain must be paused, and nobody is here. */
	CHECK(xc_evtchn_reset(xch, 1) == -1 && errno == EINVAL);
	/* No such domain, no such port. */
	CHECK(xc_evtchn_alloc_unbound(xch, 77, 2) == -1 && errno == ESRCH);
	CHECK(status(77, 1, &st) == -1 && errno == ESRCH);
	CHECK(status(1, 100000, &st) == -1 && errno == EINVAL);
	CHECK(xc_evtchn_reset(xch, 77) == -1 && errno == ESRCH);
	return 0;
}

static int reset(void)
{
	int i, port = 0;
	xc_evtchn_status_t st;

	for (i = 0; i < 300; i++)
		port = xc_evtchn_alloc_unbound(xch, DOMID_SELF, 1);
	CHECK(port >= 300);
	CHECK(!xc_evtchn_reset(xch, DOMID_SELF));
	CHECK(!status(DOMID_SELF, (uint32_t)port, &st));
	CHECK(st.status == EVTCHNSTAT_closed);
	CHECK(xc_evtchn_alloc_unbound(xch, DOMID_SELF, 1) == 1);
	return 0;
}

static int refused(void)
{
	xc_evtchn_status_t st;
	xc_domaininfo_t d;
	xc_dominfo_t one;
	xc_physinfo_t p = {0};
	int port;

	CHECK(xc_domain_getinfolist(xch, 0, 1, &d) == -1 && errno == EPERM);
	CHECK(xc_domain_getinfo(xch, 0, 1, &one) == -1 && errno == EPERM);
	CHECK(xc_physinfo(xch, &p) == -1 && errno == EPERM);
	CHECK(xc_domain_pause(xch, 1) == -1 && errno == EPERM);
	CHECK(status(0, 1, &st) == -1 && errno == EPERM);
	CHECK(xc_evtchn_alloc_unbound(xch, 0, 1) == -1 && errno == EPERM);
	CHECK(xc_evtchn_reset(xch, 0) == -1 && errno == EPERM);
	/* Its own it may. */
	port = xc_evtchn_alloc_unbound(xch, DOMID_SELF, 2);
	CHECK(port > 0);
	CHECK(!status(DOMID_SELF, (uint32_t)port, &st));
	CHECK(st.status == EVTCHNSTAT_unbound);
	return 0;
}

static int machine(void)
{
	xc_physinfo_t p = {0};
	char extra[16] = "?";

	CHECK(!xc_physinfo(xch, &p));
	CHECK(xc_version(xch, XENVER_version, NULL) == (4 << 16 | 17));
	CHECK(!xc_version(xch, XENVER_extraversion, extra));
	CHECK(xc_domain_pause(xch, 1) == -1 && errno == ENOSYS);
	CHECK(xc_maximum_ram_page(xch, &(unsigned long){0}) == -1 &&
	      errno == ENOSYS);
	printf("%u%s\n", p.nr_cpus, extra);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	xch = xc_interface_open(NULL, NULL, 0);
	CHECK(xch);
	if (!strcmp(what, "info") && argc == 3)
		return info((uint32_t)atoi(argv[2]));
	if (!strcmp(what, "list"))
		return list();
	if (!strcmp(what, "walk"))
		return walk();
	if (!strcmp(what, "ports"))
		return ports();
	if (!strcmp(what, "reset"))
		return reset();
	if (!strcmp(what, "refused"))
		return refused();
	if (!strcmp(what, "machine"))
		return machine();
	return 2;
}
