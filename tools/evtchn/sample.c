/* SPDX-License-Identifier: MIT */
/*
 * What all ports have counted.
 *
 * An attachment counts for all port numbers of its domain, those that are not
 * its own stay 0.  So the counts of a port are the sum over the attachments of
 * its domain: it does not matter which of a process's it belongs to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/clock.h"
#include "hosts/process/counts.h"
#include "hosts/process/lane.h"
#include "cli.h"
#include "sample.h"
#include "socket.h"

/* --- Taking --------------------------------------------------------------- */

static uint64_t load(const evb_u64 *n)
{
	/* Relaxed: somebody's counter; no order is wanted. */
	return evb_u64_load_relaxed(n);
}

static void add_port(struct sums *s, const struct evp_port_counts *n)
{
	uint64_t merged = load(&n->sent[EVP_MERGED]);
	uint64_t rang = load(&n->sent[EVP_RANG]);

	s->sent += load(&n->sent[EVP_SET]) + merged + rang;
	s->merged += merged;
	s->rang += rang;
	s->events += load(&n->events);
}

/*
 * Of the domain's ports only process @pid's: to look at a count that nobody
 * counts costs a page of memory.
 */
static void add_counts(struct sample *s, size_t domain, uint32_t pid,
		       const struct evp_counts *c)
{
	struct sums *sum = &s->domain[domain];
	const struct evp_port_entry *p;
	size_t i, first, nr;

	p = listing_ports(&s->l, domain, &nr);
	first = (size_t)(p - s->l.port);
	sum->hypercalls += load(&c->hypercalls);
	sum->upcalls += load(&c->upcalls);
	sum->sleeps += load(&c->sleeps);
	sum->storms += load(&c->storms);
	add_port(sum, &c->closed);
	for (i = 0; i < nr; i++) {
		if (p[i].port >= EVP_COUNTS_PORTS || p[i].pid != pid)
			continue;
		add_port(sum, &c->port[p[i].port]);
		add_port(&s->port[first + i], &c->port[p[i].port]);
	}
}

/* All attachments of one domain, and its own ports; it may end meanwhile. */
static int take_domain(struct sample *s, int fd, size_t domain)
{
	const struct evp_counts *c;
	struct evp_counts_are who;
	uint32_t index;
	int rc, counts;

	for (index = 0;; index++) {
		rc = evp_control_counts(fd, s->l.domain[domain].domid, index,
					&who, &counts);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
		if (counts < 0)
			continue;
		c = evp_counts_map(counts);
		close(counts);
		if (c)
			add_counts(s, domain, who.pid, c);
		evp_counts_unmap(c);
	}
}

static int take(struct sample *s, int fd)
{
	int rc = listing_fetch(fd, &s->l);

	if (rc)
		return rc;
	s->domain = calloc(s->l.nr_domains + 1, sizeof(*s->domain));
	s->port = calloc(s->l.nr_ports + 1, sizeof(*s->port));
	if (!s->domain || !s->port)
		return evp_fail(-ENOMEM, "no memory for the counts");
	for (size_t i = 0; i < s->l.nr_domains && !rc; i++)
		rc = take_domain(s, fd, i);
	s->ns = evp_now();

	return rc;
}

bool sample_take(const char *command, const char *socket, struct sample *s)
{
	int fd, rc;

	*s = (struct sample){.ns = 0};
	if (!socket_open(command, socket, &fd, &s->l.broker_pid))
		return false;
	rc = take(s, fd);
	close(fd);
	if (rc)
		cli_error(command, "%s", evp_error());

	return !rc;
}

void sample_free_sums(struct sample *s)
{
	free(s->domain);
	free(s->port);
}

void sample_free(struct sample *s)
{
	listing_free(&s->l);
	sample_free_sums(s);
}

/* --- Comparing ------------------------------------------------------------ */

static void subtract_one(uint64_t *now, uint64_t before)
{
	/* Less than before: closed and opened again. */
	if (*now >= before)
		*now -= before;
}

static void subtract(struct sums *now, const struct sums *before)
{
	subtract_one(&now->sent, before->sent);
	subtract_one(&now->merged, before->merged);
	subtract_one(&now->rang, before->rang);
	subtract_one(&now->events, before->events);
	subtract_one(&now->hypercalls, before->hypercalls);
	subtract_one(&now->upcalls, before->upcalls);
	subtract_one(&now->sleeps, before->sleeps);
	subtract_one(&now->storms, before->storms);
}

static bool is_before(const struct evp_port_entry *a,
		      const struct evp_port_entry *b)
{
	return a->domid != b->domid ? a->domid < b->domid : a->port < b->port;
}

static void subtract_all(struct sample *now, const struct sample *before)
{
	const struct listing *b = &before->l, *n = &now->l;
	size_t i, j;

	/* Both are sorted. */
	for (i = j = 0; i < n->nr_domains; i++) {
		while (j < b->nr_domains &&
		       b->domain[j].domid < n->domain[i].domid)
			j++;
		if (j < b->nr_domains &&
		    b->domain[j].domid == n->domain[i].domid)
			subtract(&now->domain[i], &before->domain[j]);
	}
	for (i = j = 0; i < n->nr_ports; i++) {
		while (j < b->nr_ports && is_before(&b->port[j], &n->port[i]))
			j++;
		if (j < b->nr_ports && !is_before(&n->port[i], &b->port[j]))
			subtract(&now->port[i], &before->port[j]);
	}
	now->interval_ns = now->ns - before->ns;
}

static struct sums *copy(const struct sums *s, size_t n)
{
	struct sums *c = calloc(n + 1, sizeof(*c));

	if (c)
		memcpy(c, s, n * sizeof(*c));

	return c;
}

static bool subtract_samples(const char *command, const struct sample *now,
			     const struct sample *before,
			     struct sample *difference)
{
	*difference = *now;
	difference->domain = copy(now->domain, now->l.nr_domains);
	difference->port = copy(now->port, now->l.nr_ports);
	if (difference->domain && difference->port) {
		subtract_all(difference, before);
		return true;
	}
	sample_free_sums(difference);
	cli_error(command, "no memory for the counts");

	return false;
}

bool sample_step(const char *command, const char *socket, struct sample *last,
		 struct sample *difference)
{
	struct sample now;
	bool ok = sample_take(command, socket, &now) &&
		  subtract_samples(command, &now, last, difference);

	sample_free(last);
	*last = now;

	return ok;
}
