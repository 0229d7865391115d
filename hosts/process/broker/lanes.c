/* SPDX-License-Identifier: MIT */
/*
 * Attachments and the lanes between them.
 *
 * The broker makes pages and bells, hands them out and keeps nothing that it
 * does not need: of its own lane to each attachment the page and the rope.
 * Bells and pages between two attachments exist only in these two.  What wakes
 * an attachment, its epoll instance, is its own: whoever touched that would
 * wait for its owner (epoll_ctl() and epoll_wait() share a mutex).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "width.h"

#define NR_LANE_FDS 4 /* of LANE */

static void close_all(const int *fd, unsigned int n)
{
	while (n--) {
		if (fd[n] >= 0)
			(void)close(fd[n]);
	}
}

/* --- attachments ------------------------------------------------------------ */

void evd_att_strip(struct evd_att *a)
{
	close_all(&a->rope, 1);
	evp_port_lane_unmap(a->lane);
	a->rope = -1;
	a->lane = NULL;
}

static void free_att(struct evd_att *a)
{
	evd_att_strip(a);
	close_all(&a->counts, 1);
	free(a);
}

int evd_att_equip(struct evd_att *a, int *fd)
{
	struct evp_bell bell = {.rope = -1, .bell = -1};
	int rc = evp_port_lane_create(&fd[0], &a->lane);

	if (!rc)
		rc = evp_bell_make(&bell);
	if (rc) {
		close_all(fd, 1);
		fd[0] = -1;
		evd_att_strip(a);
		return rc;
	}
	a->rope = bell.rope;
	fd[1] = bell.bell;
	return 0;
}

static void welcome(struct evd_conn *c, uint64_t lane, const int *fd,
		    uint32_t seq, bool back)
{
	struct evp_attached m = {.domid = c->dom->core.domid, .lane = lane};

	evp_hdr_init(&m.hdr, back ? EVP_REATTACHED : EVP_ATTACHED, sizeof(m),
		     seq);
	evd_send(c, &m, sizeof(m), fd, 2);
}

static void join(struct evd_att *a, struct evd_conn *c, struct evd_dom *d)
{
	a->conn = c;
	a->dom = d;
	*d->atts_tail = a;
	d->atts_tail = &a->next;
	d->nr_atts++;
	evd_dom_hold(d, c);
	c->att = a;
	c->account->nr_fds += EVD_FDS_PER_ATT;
	c->state = EVD_ATTACHED;
}

static void part(struct evd_att *a)
{
	struct evd_dom *d = a->dom;
	struct evd_att **at = &d->atts;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	if (!a->next)
		d->atts_tail = at;
	d->nr_atts--;
	a->conn->att = NULL;
	a->conn->account->nr_fds -= EVD_FDS_PER_ATT;
}

int evd_attach(struct evd_conn *c, struct evd_dom *d,
	       const struct evp_attach_req *m, bool back)
{
	uint64_t lane = ++c->broker->last_id;
	struct evd_att *a;
	int rc, fd[2] = {-1, -1};

	if (!evd_may_have(c->broker, c->account->uid, EVD_DESCRIPTORS,
			  EVD_FDS_PER_ATT))
		return -EMFILE;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->rope = -1;
	a->counts = -1;
	a->awaited_tail = &a->awaited;
	rc = evd_att_equip(a, fd);
	if (rc) {
		free_att(a);
		return rc;
	}
	memcpy(a->name, m->name, sizeof(a->name));
	a->nr_vcpus = m->nr_vcpus;
	evd_be_2l(a);
	join(a, c, d);
	if (back)
		a->nr_claim_pages = EVP_CLAIM_PAGES;
	welcome(c, lane, fd, m->hdr.seq, back);
	evd_tell_place(a);
	if (evd_first_att(d) == a)
		evd_own_all(a);

	return 0;
}

static void unlink_pair(struct evd_pair *p, unsigned int side)
{
	struct evd_att *a = p->att[side];
	struct evd_pair **at = &a->pairs;

	while (*at != p)
		at = &(*at)->next[evd_pair_side(*at, a)];
	*at = p->next[side];
}

static void tell_gone(const struct evd_pair *p, unsigned int side)
{
	struct evp_lane_gone m = {.in = p->id[side]};

	evp_hdr_init(&m.hdr, EVP_LANE_GONE, sizeof(m), 0);
	evd_send(p->att[side]->conn, &m, sizeof(m), NULL, 0);
}

static void drop_pair(struct evd_pair *p, unsigned int dead)
{
	unlink_pair(p, !dead);
	evd_links_forget_pair(p->att[!dead], p);
	tell_gone(p, !dead);
	free(p);
}

void evd_pairs_drop(struct evd_att *a)
{
	struct evd_pair *p;

	while ((p = a->pairs)) {
		unsigned int dead = evd_pair_side(p, a);

		a->pairs = p->next[dead];
		drop_pair(p, dead);
	}
}

void evd_pairs_drop_useless(struct evd_att *a)
{
	struct evd_pair *p, *next;

	for (p = a->pairs; p; p = next) {
		next = p->next[evd_pair_side(p, a)];
		if (!p->useless)
			continue;
		unlink_pair(p, 0);
		unlink_pair(p, 1);
		tell_gone(p, 0);
		free(p);
	}
}

void evd_detach(struct evd_conn *c)
{
	struct evd_att *a = c->att;

	if (!a)
		return;
	part(a);
	evd_dom_begin(a->dom, EVD_CLEAR);
	evd_disown(a);
	evd_links_forget(a);
	evd_pairs_drop(a);
	evd_relink_never(a, c->broker);
	free_att(a);
}

/* --- pairs ------------------------------------------------------------------ */

unsigned int evd_pair_side(const struct evd_pair *p, const struct evd_att *a)
{
	return p->att[1] == a;
}

/* What each side of a pair gets: as in LANE. */
struct kit {
	int fd[2][NR_LANE_FDS];
};

static void close_kit(const struct kit *k)
{
	close_all(k->fd[0], NR_LANE_FDS);
	close_all(k->fd[1], NR_LANE_FDS);
}

/* The lane into side @i, and its bell. */
static int make_lane(struct kit *k, unsigned int i)
{
	struct evp_bell bell;
	int rc = evp_lane_create(&k->fd[i][0], NULL);

	if (rc)
		return rc;
	k->fd[!i][1] = fcntl(k->fd[i][0], F_DUPFD_CLOEXEC, 0);
	if (k->fd[!i][1] < 0)
		return -EMFILE;
	rc = evp_bell_make(&bell);
	if (rc)
		return rc;
	k->fd[!i][2] = bell.rope;
	k->fd[i][3] = bell.bell;
	return 0;
}

static int make_kit(struct kit *k)
{
	int rc;

	memset(k->fd, -1, sizeof(k->fd));
	rc = make_lane(k, 0);
	if (!rc)
		rc = make_lane(k, 1);
	if (rc)
		close_kit(k);
	return rc;
}

static int tell_side(struct evd_pair *p, unsigned int side, const int *fd)
{
	struct evd_att *other = p->att[!side];
	struct evp_lane_msg m = {.in = p->id[side],
				 .out = p->id[!side],
				 .peer_domid = other->dom->core.domid,
				 .peer_pid = (uint32_t)other->conn->pid};

	evp_hdr_init(&m.hdr, EVP_LANE, sizeof(m), 0);
	return evd_offer(p->att[side]->conn, &m, sizeof(m), fd, NR_LANE_FDS);
}

/*
 * To both, or not at all.  If only the first could be told, these two have had
 * their lane until the second is looked at (relink.c): they would otherwise get
 * another one with each send.
 */
static int equip_pair(struct evd_pair *p)
{
	struct kit k;
	int rc = make_kit(&k);

	if (rc) {
		evd_log(p->att[0]->conn, "no lane to domain %u: %s",
			p->att[1]->dom->core.domid, strerror(-rc));
		return rc;
	}
	rc = tell_side(p, 0, k.fd[0]);
	if (rc)
		close_all(k.fd[1], NR_LANE_FDS);
	else
		p->useless = tell_side(p, 1, k.fd[1]) != 0;
	return rc;
}

static bool has_slots(const struct evd_pair *p)
{
	return p->nr_used[0] < EVP_LANE_SLOTS && p->nr_used[1] < EVP_LANE_SLOTS;
}

/* Two have more than one pair when they have more channels than slots. */
static struct evd_pair *find_pair(const struct evd_att *x,
				  const struct evd_att *y)
{
	struct evd_pair *p = x->pairs;

	while (p && (p->att[!evd_pair_side(p, x)] != y || !has_slots(p)))
		p = p->next[evd_pair_side(p, x)];
	return p;
}

static struct evd_pair *new_pair(struct evd_broker *b, struct evd_att *x,
				 struct evd_att *y)
{
	struct evd_pair *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->att[0] = x;
	p->att[1] = y;
	p->id[0] = ++b->last_id;
	p->id[1] = ++b->last_id;
	if (equip_pair(p)) {
		free(p);
		return NULL;
	}
	p->next[0] = x->pairs;
	x->pairs = p;
	p->next[1] = y->pairs;
	y->pairs = p;
	return p;
}

static bool may_get_lane(struct evd_att *a)
{
	if (evd_may_offer(a->conn, NR_LANE_FDS))
		return true;
	evd_relink_later(a);
	return false;
}

struct evd_pair *evd_pair_get(struct evd_broker *b, struct evd_att *x,
			      struct evd_att *y)
{
	struct evd_pair *p = find_pair(x, y);

	if (!p && may_get_lane(x) && may_get_lane(y)) {
		p = new_pair(b, x, y);
		if (!p || p->useless)
			evd_relink_later(p ? y : x);
	}
	return p && !p->useless ? p : NULL;
}

/* --- slots ------------------------------------------------------------------ */

uint32_t evd_slot_take(struct evd_pair *p, unsigned int side)
{
	uint64_t *used = p->used[side];
	uint32_t i = 0, bit;

	while (used[i] == UINT64_MAX)
		i++;
	bit = (uint32_t)__builtin_ctzll(~used[i]);
	used[i] |= 1ull << bit;
	p->nr_used[side]++;
	return i * 64 + bit;
}

void evd_slot_put(struct evd_pair *p, unsigned int side, uint32_t slot)
{
	p->used[side][slot / 64] &= ~(1ull << slot % 64);
	p->nr_used[side]--;
}
