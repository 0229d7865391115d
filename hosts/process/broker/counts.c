/* SPDX-License-Identifier: MIT */
/*
 * Counters: whose there are, and those of ports that are the domain's own.
 *
 * An attachment counts in memory of its own and gives the broker a descriptor,
 * which is handed to who asks.  The broker never reads it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "kept.h"

void evd_on_counts(struct evd_conn *c, int fd)
{
	if (evp_counts_check(fd)) {
		evd_bury(fd, c->account->uid);
		evd_doom(c, "bad COUNTS");
		return;
	}
	/* Again after TAKE_OVER: the program before this one counts no more. */
	if (c->att->counts >= 0)
		(void)close(c->att->counts);
	c->att->counts = fd;
}

static void answer(struct evd_conn *c, uint32_t seq, uint32_t pid,
		   const char *name, int counts)
{
	struct evp_counts_are m = {.pid = pid};
	int fd = counts < 0 ? -1 : dup(counts);

	evp_copy_name(m.name, name);
	evp_hdr_init(&m.hdr, EVP_COUNTS_ARE, sizeof(m), seq);
	evd_send(c, &m, sizeof(m), &fd, fd >= 0);
}

void evd_on_ask_counts(struct evd_conn *c, const struct evp_ask_counts *m)
{
	struct evd_dom *d = evd_dom_find(c->broker, m->domid);
	struct evd_view view;
	struct evd_att *a;
	uint32_t i;

	if (!evd_has_read(c)) {
		evd_doom(c, "asks for counts before it has read what it got");
		return;
	}
	evd_policy_look(c, &view);
	if (d && !evd_policy_sees(&view, d))
		d = NULL;
	a = d ? d->atts : NULL;
	for (i = 0; a && i < m->index; i++)
		a = a->next;
	if (a)
		answer(c, m->hdr.seq, (uint32_t)a->conn->pid, a->name,
		       a->counts);
	else if (d && i == m->index && d->counts)
		answer(c, m->hdr.seq, 0, "", d->counts_fd);
	else
		evd_refuse(c, m->hdr.seq, -ENOENT, "no more counts");
}

/* --- the domain's own ------------------------------------------------------- */

struct evp_port_counts *evd_counts_of(struct evd_port *p)
{
	struct evd_dom *d = p->dom;

	if (!d->counts)
		d->counts = evp_counts_new(&d->counts_fd);
	return d->counts ? &d->counts->port[p->port] : NULL;
}

void evd_counts_closed(struct evd_port *p)
{
	if (p->dom->counts)
		evp_counts_close(p->dom->counts, p->port);
}

void evd_counts_free(struct evd_dom *d)
{
	if (!d->counts)
		return;
	evp_counts_free(d->counts);
	if (d->counts_fd >= 0)
		(void)close(d->counts_fd);
}
