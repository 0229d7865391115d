/* SPDX-License-Identifier: MIT */
/*
 * Links that have to wait until an attachment has read what it was sent.
 *
 * Without a link a send goes through the broker, and the next one that does tries
 * again.  But a channel of a former broker goes on in its old lane, and comes by
 * here no more.  So an attachment that could not be told of a lane is looked at
 * now and then: when it has read, all its ports are tried.  One that never reads
 * costs a look, at longer and longer intervals.
 */
#include "broker.h"

#define FIRST_LOOK_MS 10
#define LAST_LOOK_MS  640
#define LOOKS_IN_TURN 64  /* at attachments */
#define PORTS_IN_TURN 512 /* of all of them together */

/* --- those who are looked at, the next one first ---------------------------- */

static void enter(struct evd_broker *b, struct evd_att *a)
{
	if (!b->slow)
		b->slow_tail = &b->slow;
	a->next_slow = NULL;
	a->at_slow = b->slow_tail;
	*b->slow_tail = a;
	b->slow_tail = &a->next_slow;
}

static void leave(struct evd_broker *b, struct evd_att *a)
{
	*a->at_slow = a->next_slow;
	if (a->next_slow)
		a->next_slow->at_slow = a->at_slow;
	else
		b->slow_tail = a->at_slow;
	a->at_slow = NULL;
}

void evd_relink_later(struct evd_att *a)
{
	struct evd_broker *b = a->conn->broker;

	a->relink_port = 1; /* all of them, once more */
	if (a->at_slow || a->conn->doomed)
		return;
	if (!b->slow) {
		b->relink_ms = FIRST_LOOK_MS;
		b->relink_at = evd_now_ms() + b->relink_ms;
	}
	enter(b, a);
}

void evd_relink_never(struct evd_att *a, struct evd_broker *b)
{
	if (a->at_slow)
		leave(b, a);
}

/* --- looking ---------------------------------------------------------------- */

/* Returns how many ports were tried.  The last one: it is not slow any more. */
static uint32_t try_ports(struct evd_att *a, uint32_t max)
{
	const struct evd_port *p;
	uint32_t n;

	for (n = 0; n < max; n++) {
		p = evd_port(a->dom, a->relink_port);
		if (!p) {
			leave(a->conn->broker, a);
			return n;
		}
		a->relink_port++;
		if (p->att == a)
			evd_link_try(a->dom, p->port);
		if (a->relink_port == 1)
			break; /* it is full again */
	}
	return n;
}

static void look(struct evd_broker *b)
{
	uint32_t i, ports = PORTS_IN_TURN;
	struct evd_att *a;

	for (i = 0; (a = b->slow) && i < LOOKS_IN_TURN && ports; i++) {
		leave(b, a);
		enter(b, a);
		if (evd_may_offer(a->conn, 1))
			ports -= try_ports(a, ports);
	}
	if (ports < PORTS_IN_TURN)
		b->relink_ms = FIRST_LOOK_MS;
	else if (b->relink_ms < LAST_LOOK_MS)
		b->relink_ms *= 2;
}

int evd_relink_look(struct evd_broker *b)
{
	int64_t now;

	if (!b->slow)
		return -1;
	now = evd_now_ms();
	if (now >= b->relink_at) {
		look(b);
		b->relink_at = now + b->relink_ms;
	}
	return b->slow ? (int)(b->relink_at - now) : -1;
}
