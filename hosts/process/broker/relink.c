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

/*
 * At most *@left ports.  The last one: it is not slow any more.  True: some link
 * was made.
 */
static bool try_ports(struct evd_att *a, uint32_t *left)
{
	bool linked = false;

	while (*left) {
		const struct evd_port *p = evd_port(a->dom, a->relink_port);

		if (!p) {
			leave(a->conn->broker, a);
			break;
		}
		--*left;
		a->relink_port++;
		if (p->att == a && !p->link) {
			evd_link_try(a->dom, p->port);
			linked |= p->link != NULL;
		}
		if (a->relink_port == 1)
			break; /* it is full again */
	}
	return linked;
}

/* Who comes in meanwhile, perhaps once more, is for the next turn. */
static uint32_t nr_due(const struct evd_broker *b)
{
	const struct evd_att *a = b->slow;
	uint32_t n = 0;

	for (; a && n < LOOKS_IN_TURN; a = a->next_slow)
		n++;
	return n;
}

/* False: there are more ports to be tried, at once. */
static bool look(struct evd_broker *b)
{
	uint32_t n, left = PORTS_IN_TURN;
	struct evd_att *a;
	bool linked = false;

	for (n = nr_due(b); n && left; n--) {
		a = b->slow;
		leave(b, a);
		enter(b, a);
		if (!evd_may_offer(a->conn, 1))
			continue;
		if (a->relink_port == 1)
			evd_pairs_drop_useless(a);
		linked |= try_ports(a, &left);
	}
	if (linked)
		b->relink_ms = FIRST_LOOK_MS;
	else if (left && b->relink_ms < LAST_LOOK_MS)
		b->relink_ms *= 2;
	return left;
}

int evd_relink_look(struct evd_broker *b)
{
	int64_t now;

	if (!b->slow)
		return -1;
	now = evd_now_ms();
	if (now >= b->relink_at)
		b->relink_at = now + (look(b) ? b->relink_ms : FIRST_LOOK_MS);
	return b->slow ? (int)(b->relink_at - now) : -1;
}
