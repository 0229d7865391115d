/* SPDX-License-Identifier: MIT */
/*
 * Attachments and the lanes between them.
 *
 * The broker makes pages, bells and the epoll instances they ring, hands them
 * out and keeps nothing that it does not need: of its own lane to each
 * attachment the page and the bell, of each attachment the epoll instance.
 * Bells and pages between two attachments exist only in these two.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker.h"

/* --- bells ------------------------------------------------------------------ */

/* An eventfd that wakes who sleeps on @epoll, or -errno. */
static int make_bell(int epoll, uint64_t lane)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = lane};
	int rc, bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (bell < 0)
		return -errno;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &ev)) {
		rc = -errno;
		(void)close(bell);
		return rc;
	}
	return bell;
}

static void close_all(int *fd, unsigned int n)
{
	while (n--) {
		if (fd[n] >= 0)
			(void)close(fd[n]);
	}
}

/* --- attachments ------------------------------------------------------------ */

void evd_att_strip(struct evd_att *a)
{
	if (a->epoll >= 0)
		evd_bury(a->epoll);
	if (a->bell >= 0)
		evd_bury(a->bell);
	evp_port_lane_unmap(a->lane);
	a->epoll = a->bell = -1;
	a->lane = NULL;
}

static void free_att(struct evd_att *a)
{
	int fd[1] = {a->counts};

	evd_att_strip(a);
	close_all(fd, 1);
	free(a);
}

int evd_att_equip(struct evd_att *a, uint64_t lane, int *memfd)
{
	int rc = evp_port_lane_create(memfd, &a->lane);

	if (rc)
		return rc;
	if (a->epoll < 0)
		a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll < 0)
		return -errno;
	a->bell = make_bell(a->epoll, lane);
	return a->bell < 0 ? a->bell : 0;
}

/* One that comes @back has its epoll instance. */
static void welcome(struct evd_conn *c, uint64_t lane, int memfd, uint32_t seq,
		    bool back)
{
	struct evp_attached m = {.domid = c->dom->core.domid, .lane = lane};
	int fd[2] = {back ? -1 : dup(c->att->epoll), memfd};

	evp_hdr_init(&m.hdr, back ? EVP_REATTACHED : EVP_ATTACHED, sizeof(m),
		     seq);
	if (!back && fd[0] < 0) {
		(void)close(memfd);
		evd_doom(c, "no descriptor left for it");
		return;
	}
	evd_send(c, &m, sizeof(m), fd + back, back ? 1 : 2);
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
	       const struct evp_attach_req *m, int epoll)
{
	uint64_t lane = ++c->broker->last_id;
	struct evd_att *a = calloc(1, sizeof(*a));
	int memfd = -1;
	int rc = 0;

	if (!evd_may_have(c->broker, c->account->uid, EVD_DESCRIPTORS,
			  EVD_FDS_PER_ATT))
		rc = -EMFILE;
	if (!a || rc) {
		if (epoll >= 0)
			evd_bury(epoll);
		free(a);
		return a ? rc : -ENOMEM;
	}
	a->epoll = epoll;
	a->bell = -1;
	a->counts = -1;
	a->awaited_tail = &a->awaited;
	rc = evd_att_equip(a, lane, &memfd);
	if (rc) {
		close_all(&memfd, 1);
		free_att(a);
		return rc;
	}
	memcpy(a->name, m->name, sizeof(a->name));
	a->nr_vcpus = m->nr_vcpus;
	evd_be_2l(a);
	join(a, c, d);
	if (epoll >= 0)
		a->nr_claim_pages = EVP_CLAIM_PAGES;
	welcome(c, lane, memfd, m->hdr.seq, epoll >= 0);
	evd_tell_place(a);
	if (evd_first_att(d) == a)
		evd_own_all(a);

	return 0;
}

/*
 * The receivers listen to the bells of a pair while a link uses it.  Whoever
 * holds a bell longer than that rings nothing.  A bell is never read, so one
 * that rang meanwhile rings at once when it is listened to again, and nobody
 * misses that his lane is armed no more.
 *
 * The kernel knows a bell by the number it had when it was put in: we keep it.
 */
static void listen_to(const struct evd_pair *p, int op)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLET,
					 .data.u64 = p->id[i]};

		(void)epoll_ctl(p->att[i]->epoll, op, p->bell[i], &ev);
	}
}

void evd_pair_use(struct evd_pair *p)
{
	if (p->nr_live++ == 0)
		listen_to(p, EPOLL_CTL_ADD);
}

void evd_pair_unuse(struct evd_pair *p)
{
	if (--p->nr_live == 0)
		listen_to(p, EPOLL_CTL_DEL);
}

static void free_pair(struct evd_pair *p)
{
	unsigned int i;

	p->att[0]->conn->account->nr_fds -= EVD_FDS_PER_PAIR;

	for (i = 0; i < 2; i++) {
		if (p->bell[i] >= 0)
			evd_bury(p->bell[i]);
	}
	free(p);
}

static void drop_pair(struct evd_pair *p, unsigned int dead)
{
	unsigned int side = !dead;
	struct evd_att *a = p->att[side];
	struct evd_pair **at = &a->pairs;
	struct evp_lane_gone m = {.in = p->id[side]};

	while (*at != p)
		at = &(*at)->next[evd_pair_side(*at, a)];
	*at = p->next[side];
	if (p->nr_live)
		listen_to(p, EPOLL_CTL_DEL);
	evd_links_forget_pair(a, p);
	evp_hdr_init(&m.hdr, EVP_LANE_GONE, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
	free_pair(p);
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
	free_att(a);
}

/* --- pairs ------------------------------------------------------------------ */

unsigned int evd_pair_side(const struct evd_pair *p, const struct evd_att *a)
{
	return p->att[1] == a;
}

/* @page: of the lanes into att[0] and att[1].  @page, @bell: taken over. */
static void tell_side(struct evd_pair *p, unsigned int side, const int *page,
		      int bell)
{
	struct evd_att *other = p->att[!side];
	struct evp_lane_msg m = {.in = p->id[side],
				 .out = p->id[!side],
				 .peer_domid = other->dom->core.domid,
				 .peer_pid = (uint32_t)other->conn->pid};
	int fd[3] = {page[side], page[!side], bell};

	evp_hdr_init(&m.hdr, EVP_LANE, sizeof(m), 0);
	evd_send(p->att[side]->conn, &m, sizeof(m), fd, 3);
}

/* Pages, and copies of them and of the bells: to be given away. */
static int equip_pair(struct evd_pair *p)
{
	int fd[6] = {-1, -1, -1, -1, -1, -1};
	unsigned int i;
	int rc = 0;

	for (i = 0; i < 2 && !rc; i++) {
		rc = evp_lane_create(&fd[i], NULL);
		if (rc)
			break;
		p->bell[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fd[2 + i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 0);
		fd[4 + i] = fcntl(p->bell[i], F_DUPFD_CLOEXEC, 0);
		if (fd[2 + i] < 0 || fd[4 + i] < 0)
			rc = -EMFILE;
	}
	if (rc) {
		close_all(fd, 6);
		return rc;
	}
	tell_side(p, 0, fd, fd[5]);
	tell_side(p, 1, fd + 2, fd[4]);
	return 0;
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

struct evd_pair *evd_pair_get(struct evd_broker *b, struct evd_att *x,
			      struct evd_att *y)
{
	struct evd_pair *p = find_pair(x, y);
	int rc = -ENOMEM;

	if (p)
		return p;
	if (!evd_may_have(b, x->conn->account->uid, EVD_DESCRIPTORS,
			  EVD_FDS_PER_PAIR))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p) {
		x->conn->account->nr_fds += EVD_FDS_PER_PAIR;
		p->att[0] = x;
		p->att[1] = y;
		p->bell[0] = p->bell[1] = -1;
		p->id[0] = ++b->last_id;
		p->id[1] = ++b->last_id;
		rc = equip_pair(p);
	}
	if (rc) {
		evd_log(x->conn, "no lane to domain %u: %s", y->dom->core.domid,
			strerror(-rc));
		if (p)
			free_pair(p);
		return NULL;
	}
	p->next[0] = x->pairs;
	x->pairs = p;
	p->next[1] = y->pairs;
	y->pairs = p;

	return p;
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
