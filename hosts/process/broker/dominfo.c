/* SPDX-License-Identifier: MIT */
/*
 * What a control domain's tools show of the domains (`xl list`): a page of
 * entries, in the order of their numbers.
 *
 * CPU time is the sum of what the processes attached now have used, whatever
 * part of it they did as a domain; a process that leaves takes its share away.
 * It is asked of the kernel here, one system call for each process, so a page
 * costs at most EVD_MAX_CONNS of them; who wants one domain only says so.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "broker.h"

#define NS_PER_S UINT64_C(1000000000)

void evd_make_handle(struct evd_dom *d)
{
	if (d->core.domid == 0)
		return;
	/* Short only in the first moments of a machine: then some are 0. */
	if (getrandom(d->handle, sizeof(d->handle), GRND_NONBLOCK) < 0)
		return;
	/* As RFC 4122 wants a random UUID. */
	d->handle[6] = (uint8_t)((d->handle[6] & 0x0f) | 0x40);
	d->handle[8] = (uint8_t)((d->handle[8] & 0x3f) | 0x80);
}

/* 0 when it is gone, or in another PID namespace. */
static uint64_t cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) ||
	    clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A process has one attachment for each handle it opened: count it once. */
static uint64_t dom_cpu_ns(const struct evd_dom *d)
{
	static pid_t pid[EVD_MAX_ATTS];
	const struct evd_att *a;
	uint64_t sum = 0;
	size_t i, n = 0;

	for (a = d->atts; a; a = a->next)
		pid[n++] = a->conn->pid;
	qsort(pid, n, sizeof(*pid), compare);
	for (i = 0; i < n; i++) {
		if (!i || pid[i] != pid[i - 1])
			sum += cpu_ns(pid[i]);
	}
	return sum;
}

/* The most that anybody of it has; it is one even when nobody is there. */
static uint32_t nr_vcpus(const struct evd_dom *d)
{
	const struct evd_att *a;
	uint32_t n = 1;

	for (a = d->atts; a; a = a->next) {
		if (a->nr_vcpus > n)
			n = a->nr_vcpus;
	}
	return n;
}

static void fill(const struct evd_dom *d, struct evp_dominfo_entry *e)
{
	e->domid = d->core.domid;
	e->dying = d->work == EVD_DESTROY;
	e->nr_vcpus = nr_vcpus(d);
	e->cpu_ns = dom_cpu_ns(d);
	memcpy(e->handle, d->handle, sizeof(e->handle));
}

void evd_list_dominfo(struct evd_conn *c, const struct evp_dominfo *m)
{
	struct evp_dominfo_page r;
	struct evd_dom *d;
	size_t len;

	if (!m->max || m->max > EVP_DOMINFOS_PER_PAGE) {
		evd_doom(c, "bad DOMINFO");
		return;
	}
	memset(&r, 0, sizeof(r));
	r.next = UINT32_MAX;
	for (d = evd_dom_from(c->broker, m->domid); d;
	     d = evd_dom_from(c->broker, d->core.domid + 1u)) {
		if (r.count == m->max) {
			r.next = d->core.domid;
			break;
		}
		fill(d, &r.entry[r.count++]);
	}
	len = offsetof(struct evp_dominfo_page, entry) +
	      r.count * sizeof(r.entry[0]);
	evp_hdr_init(&r.hdr, EVP_DOMINFO_PAGE, len, m->hdr.seq);
	evd_send(c, &r, len, NULL, 0);
}
