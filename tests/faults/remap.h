/* SPDX-License-Identifier: MIT */
/*
 * What the tests of mappings under the next broker share.
 *
 * Who comes back first is decided here by keeping the other one's lock, for which
 * his keeper has to wait.
 */
#ifndef TESTS_FAULTS_REMAP_H
#define TESTS_FAULTS_REMAP_H

#include "tests/gnttab/grants.h"

#include "hosts/process/grant.h"

#define OFFSET 7
#define KNOWN  3

static uint64_t said;	 /* events of domain 1 */
static uint64_t ignored; /* of others */

/* Until the keeper has told another broker than @old all there is to tell. */
static inline void await_told(struct evp_grants *h, uint64_t old)
{
	bool is_told = false;

	while (!is_told) {
		CHECK(pthread_mutex_lock(&h->lock) == 0);
		is_told = h->s.broker != old && !h->tries;
		CHECK(pthread_mutex_unlock(&h->lock) == 0);
		(void)sched_yield();
	}
}

/* Until it has been refused often enough to have tried all it has. */
static inline void await_refused(struct evp_grants *h, uint64_t old)
{
	bool is_refused = false;
	uint32_t first = 0;

	while (!is_refused) {
		CHECK(pthread_mutex_lock(&h->lock) == 0);
		if (h->s.broker != old && !first)
			first = h->tries;
		is_refused = first && h->tries < first;
		CHECK(pthread_mutex_unlock(&h->lock) == 0);
		(void)sched_yield();
	}
}

/* The channel works again, and what that brought has been taken. */
static inline void catch_up(struct evp_guest *g, evtchn_port_t port)
{
	uint64_t before;

	await_status(g, port, EVTCHNSTAT_interdomain);
	do {
		before = said;
		CHECK(evp_poll(g) >= 0);
		await_quiet();
		CHECK(evp_poll(g) >= 0);
	} while (said != before);
	said = 0;
}

static inline uint8_t *map_notified(struct evp_grants *h, uint32_t ref,
				    evtchn_port_t port)
{
	const struct evp_notify n = {OFFSET, port};
	struct evp_grant_ref r = {.domid = 1, .ref = ref};
	void *p = NULL;

	CHECK(evp_grant_map(h, &r, 1, RW, &n, &p) == 0);
	return p;
}

/* --- domains 1 and 2, one page, one channel ------------------------------------ */

struct pair {
	struct evp_grants *one, *two;
	struct evp_guest *g, *back;
	evtchn_port_t port, peer;
	uint32_t ref;
	uint8_t *mine, *seen;
	uint64_t broker;
};

static inline struct pair open_pair(void)
{
	struct pair p = {.one = grants(1),
			 .two = grants(2),
			 .g = attach(1),
			 .back = attach(2)};

	p.port = open_unbound(p.g, 2, count_event, &said);
	p.peer = open_bound(p.back, 1, p.port, count_event, &ignored);
	CHECK(try_share(p.one, 2, 1, KNOWN, NULL, &p.ref, &p.mine) == 0);
	p.seen = map_notified(p.two, p.ref, p.peer);
	p.mine[OFFSET] = 1;
	p.broker = p.one->s.broker;
	return p;
}

static inline void back_again(struct pair *p)
{
	/* Each of the two comes back when it asks for something. */
	CHECK(status_of(p->g, p->port) && status_of(p->back, p->peer));
	catch_up(p->g, p->port);
}

static inline void close_pair(struct pair *p)
{
	evp_grants_close(p->one);
	evp_grants_close(p->two);
	evp_detach(p->g);
	evp_detach(p->back);
}

static inline void expect_notice(struct pair *p)
{
	wait_count(p->g, &said, 1);
	assert_int_equal(p->mine[OFFSET], 0);
	await_quiet();
	CHECK(evp_poll(p->g) >= 0);
	assert_int_equal(said, 1);
}

#endif /* TESTS_FAULTS_REMAP_H */
