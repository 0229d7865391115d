/* SPDX-License-Identifier: MIT */
/*
 * domctl and sysctl: which domains there are, and on what machine.
 *
 * Checked in Xen's order: is the argument there, is it of this version (EACCES),
 * may the caller (EPERM: domain 0 may), is there such a command (ENOSYS).
 *
 * What a process has no match for is 0: a domain here has no memory of its own
 * to count.  Domain 0 shows as running, because whoever asks is a part of it;
 * others as blocked, whatever their processes do.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "../hosts/process/session.h"
#include "xenctl.h"

/* --- a domain --------------------------------------------------------------- */

static uint32_t flags_of(const struct evp_dominfo_entry *e)
{
	if (e->dying)
		return CTL_DYING;
	return e->domid == 0 ? CTL_RUNNING : CTL_BLOCKED;
}

static void fill(struct ctl_domain *d, const struct evp_dominfo_entry *e)
{
	memset(d, 0, sizeof(*d));
	d->domid = e->domid;
	d->flags = flags_of(e);
	d->cpu_ns = e->cpu_ns;
	d->nr_vcpus = e->nr_vcpus;
	d->last_vcpu = e->nr_vcpus - 1;
	memcpy(d->handle, e->handle, sizeof(d->handle));
}

/* The first domain from the one asked for up: so a tool finds the next one. */
static int get_info(struct xencall_handle *h, struct ctl_domctl *c)
{
	struct evp_dominfo_entry e;
	uint32_t cursor = c->domid;
	int n;

	evp_session_resume(&h->s);
	n = evp_session_dominfo(h->s.fd, &cursor, &e, 1);
	if (n < 0)
		return n;
	if (n == 0)
		return -ESRCH;
	fill(&c->u.info, &e);
	c->domid = e.domid;
	return 0;
}

int evu_call_domctl(struct xencall_handle *h, uint64_t arg)
{
	struct ctl_domctl c;
	int rc = evu_copy_in(&c, arg, sizeof(c));

	if (rc)
		return rc;
	if (c.version != CTL_DOMCTL_VERSION)
		return -EACCES;
	if (h->s.domid != 0)
		return -EPERM;
	rc = -ENOSYS;
	if (c.cmd == CTL_DOMCTL_GETDOMAININFO)
		rc = get_info(h, &c);
	return rc ? rc : evu_copy_out(arg, &c, sizeof(c));
}

/* --- the machine ------------------------------------------------------------ */

/* The domains of one page, as far as there is room. */
static int put_page(struct ctl_list *l, const struct evp_dominfo_entry *page,
		    uint32_t n)
{
	struct ctl_domain d;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && l->count < l->max && !rc; i++) {
		fill(&d, &page[i]);
		rc = evu_copy_out(l->buffer + l->count++ * sizeof(d), &d,
				  sizeof(d));
	}
	return rc;
}

static int get_list(struct xencall_handle *h, struct ctl_list *l)
{
	struct evp_dominfo_entry page[EVP_DOMINFOS_PER_PAGE];
	uint32_t want, cursor = l->first;
	int n, rc = 0;

	l->count = 0;
	evp_session_resume(&h->s);
	while (l->count < l->max && cursor != UINT32_MAX && !rc) {
		want = l->max - l->count;
		if (want > EVP_DOMINFOS_PER_PAGE)
			want = EVP_DOMINFOS_PER_PAGE;
		n = evp_session_dominfo(h->s.fd, &cursor, page, want);
		rc = n < 0 ? n : put_page(l, page, (uint32_t)n);
	}
	return rc;
}

static uint64_t ask_system(int what)
{
	long n = sysconf(what);

	return n > 0 ? (uint64_t)n : 0;
}

static int get_machine(struct ctl_machine *m)
{
	uint32_t nr_cpus = (uint32_t)ask_system(_SC_NPROCESSORS_ONLN);

	memset(m, 0, sizeof(*m));
	m->threads_per_core = 1;
	m->cores_per_socket = nr_cpus;
	m->nr_cpus = nr_cpus;
	m->last_cpu = nr_cpus - 1;
	m->nr_nodes = 1;
	m->total_pages = ask_system(_SC_PHYS_PAGES);
	m->free_pages = ask_system(_SC_AVPHYS_PAGES);
	m->last_frame = m->total_pages;
	return 0;
}

int evu_call_sysctl(struct xencall_handle *h, uint64_t arg)
{
	struct ctl_sysctl c;
	int rc = evu_copy_in(&c, arg, sizeof(c));

	if (rc)
		return rc;
	if (c.version != CTL_SYSCTL_VERSION)
		return -EACCES;
	if (h->s.domid != 0)
		return -EPERM;
	rc = -ENOSYS;
	if (c.cmd == CTL_SYSCTL_GETDOMAININFOLIST)
		rc = get_list(h, &c.u.list);
	else if (c.cmd == CTL_SYSCTL_PHYSINFO)
		rc = get_machine(&c.u.machine);
	return rc ? rc : evu_copy_out(arg, &c, sizeof(c));
}
