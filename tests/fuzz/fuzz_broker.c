/* SPDX-License-Identifier: MIT */
/*
 * The broker among hostile peers: connections that say anything, in any order,
 * with any descriptors, leave, do not read, or write into the lanes they were
 * given.  The broker's loop runs in this process, on one end of a socket pair
 * for each peer; the other end is the input's.
 *
 * What must hold: between two turns the core's invariants (check.c); every
 * answer is a message of the protocol; the broker comes to rest after a
 * bounded number of turns; when all peers have gone it has no domain and no
 * connection left, and as many descriptors as before.
 *
 * loop.c is included so that one turn can be made: without waiting.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <abi/physdev.h>

#include "check.h"
#include "check_grants.h"
#include "fuzz.h"

#define epoll_wait(epoll, ev, n, timeout) \
	epoll_wait(epoll, ev, n, 0 * (timeout))
#include "hosts/process/broker/loop.c"
#undef epoll_wait

#define NR_PEERS  6
#define MAX_STEPS 48
#define MAX_TURNS 2000 /* 4096 ports are 64 steps; each of 6 domains */
#define MAX_FD	  96

struct peer {
	int fd;		  /* -1: not connected */
	uint64_t link[4]; /* asked for by DISCONNECT or RETIRE, newest first */
	uint16_t answer[4];
	unsigned int nr_links;
	struct evp_port_lane *lane;
	bool is_session;
	uint64_t region; /* the last one it has */
};

static struct evd_broker broker;
static struct peer peers[NR_PEERS];

/* Without a thread: descriptors are counted. */
uint32_t evd_bury_stuck(uid_t uid)
{
	(void)uid;
	return 0;
}

void evd_bury(int fd, uid_t uid)
{
	(void)uid;
	(void)close(fd);
}

void evd_bury_socket(int fd, uid_t uid)
{
	(void)uid;
	(void)close(fd);
}

/* Each attachment knows its domain, and every open port its owner's. */
static void check_attachments(struct evd_dom *d)
{
	const struct evd_att *a;
	const struct evd_port *p;
	evtchn_port_t port;
	uint32_t n = 0;

	for (a = d->atts; a; a = a->next) {
		FUZZ_CHECK(a->dom == d);
		n++;
	}
	FUZZ_CHECK(n == d->nr_atts);
	/* Ports exist from 0 up. */
	for (port = 0; (p = evd_port(d, port)); port++)
		FUZZ_CHECK(!p->att || p->att->dom == d);
}

static bool is_domain(const struct evd_dom *d)
{
	const struct evd_dom *other = broker.doms;

	while (other && other != d)
		other = other->next;
	return other != NULL;
}

/* Lines are owned and bound by domains there are, and bound as the core says. */
static void check_lines(void)
{
	const struct evd_line *l;
	uint32_t i, n = 0;

	for (i = 0; i < EVP_NR_LINES; i++) {
		l = &broker.line[i];
		n += l->owner != NULL;
		FUZZ_CHECK(!l->owner || is_domain(l->owner));
		FUZZ_CHECK(!l->guest || (l->owner && is_domain(l->guest)));
		FUZZ_CHECK(!l->guest || evb_u32_load(&l->guest->pirq_port[i]));
		FUZZ_CHECK(l->guest || !l->in_flight);
	}
	FUZZ_CHECK(n == broker.nr_lines);
}

/* --- the broker's turns -------------------------------------------------- */

static void check_broker(void)
{
	struct evd_dom *d;
	uint32_t n = 0;

	FUZZ_CHECK(!broker.closed && !broker.arg);
	check_machine(&broker.machine);
	for (d = broker.doms; d; d = d->next) {
		check_domain(&d->core);
		check_attachments(d);
		n++;
	}
	FUZZ_CHECK(n == broker.nr_doms);
	check_lines();
	check_grants(&broker);
}

/* Until there is nothing to do. */
static void run_broker(void)
{
	struct epoll_event ev;
	bool more = true;
	unsigned int i;

	for (i = 0; more || epoll_wait(broker.epoll, &ev, 1, 0) > 0; i++) {
		FUZZ_CHECK(i < MAX_TURNS);
		FUZZ_CHECK(turn(&broker, &more) == 0);
	}
	check_broker();
}

/* --- peers --------------------------------------------------------------- */

static void connect_peer(struct peer *p)
{
	const int small = 1;
	int fd[2];

	if (p->fd >= 0)
		return;
	FUZZ_CHECK(!socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd));
	/* Half of them have room for a message or two: others are queued. */
	if ((p - peers) % 2)
		(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small));
	*p = (struct peer){.fd = fd[0]};
	if (broker.nr_conns < broker.max_conns)
		FUZZ_CHECK(evd_conn_new(&broker, fd[1], geteuid()) != NULL);
	else
		(void)close(fd[1]);
}

static void disconnect(struct peer *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	evp_port_lane_unmap(p->lane);
	*p = (struct peer){.fd = -1};
}

/* A descriptor of some kind to send along, or -1.  @other: its other end. */
static int take_fd(struct tape *t, int *other)
{
	int fd[2];

	*other = -1;
	switch (tape_u8(t) % 6) {
	case 0:
	case 1:
		FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
				       0, fd));
		*other = fd[1];
		return fd[0];
	case 2:
		FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		(void)close(fd[1]);
		return fd[0];
	case 3:
		return eventfd(1, EFD_CLOEXEC);
	case 4:
		return open("/dev/null", O_RDONLY);
	default: /* a number, not a state */
		return memfd_create("any", MFD_CLOEXEC);
	}
}

/* The other end of a socket that was sent for ADOPT becomes a peer. */
static void keep(int fd)
{
	unsigned int i;

	for (i = 0; i < NR_PEERS && peers[i].fd >= 0; i++)
		;
	if (i < NR_PEERS && fd >= 0)
		peers[i] = (struct peer){.fd = fd};
	else if (fd >= 0)
		(void)close(fd);
}

/* --- messages ------------------------------------------------------------ */

static void post(struct tape *t, struct peer *p, const void *msg, size_t len,
		 unsigned int nr_fds)
{
	int fd[4], other[4];
	char space[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec iov = {(void *)(uintptr_t)msg, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	unsigned int i;

	for (i = 0; i < nr_fds; i++)
		fd[i] = take_fd(t, &other[i]);
	if (nr_fds) {
		m.msg_control = space;
		m.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fd, nr_fds * sizeof(int));
	}
	(void)sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (i = 0; i < nr_fds; i++) {
		(void)close(fd[i]);
		keep(other[i]);
	}
}

/* What the input says, header and all. */
static void send_raw(struct tape *t, struct peer *p)
{
	static uint8_t bytes[EVP_MSG_MAX + 8];
	uint8_t b = tape_u8(t);
	size_t len = b < 240 ? b : EVP_MSG_MAX - 8 + (size_t)(b & 15), i;

	for (i = 0; i < len; i++)
		bytes[i] = i < 256 ? tape_u8(t) : 0;
	post(t, p, bytes, len, tape_u8(t) % 8 ? 0 : 1);
}

static size_t fill_physdev(struct tape *t, struct evp_hypercall *m)
{
	m->nr = __HYPERVISOR_physdev_op;
	m->cmd = tape_u8(t) % 2 ? PHYSDEVOP_eoi : PHYSDEVOP_irq_status_query;
	m->arg[0] = tape_u8(t) % 5;
	m->arg_len = sizeof(struct physdev_irq_status_query);
	return offsetof(struct evp_hypercall, arg) + m->arg_len;
}

static size_t fill_hypercall(struct tape *t, struct evp_hypercall *m)
{
	uint8_t b = tape_u8(t);

	if (b >= 232 && b < 240)
		return fill_physdev(t, m);
	m->cmd = b % FUZZ_NR_OPS;
	m->nr = b < 240 ? __HYPERVISOR_event_channel_op : b;
	m->vcpu = b == 255;
	tape_fields(t, fuzz_op_fields(m->cmd), m->arg);
	b = tape_u8(t);
	m->arg_len = b < 128 ? 24 : b % 40;
	return offsetof(struct evp_hypercall, arg) +
	       (m->arg_len < EVP_ARG_MAX ? m->arg_len : EVP_ARG_MAX);
}

union message {
	struct evp_hdr hdr;
	struct evp_hello hello;
	struct evp_reserve reserve;
	struct evp_attach_req attach;
	struct evp_adopt adopt;
	struct evp_hypercall hypercall;
	struct evp_domains domains;
	struct evp_list list;
	struct evp_link_msg link;
	struct evp_virq virq;
	struct evp_line line;
	struct evp_dominfo dominfo;
	struct evp_port_req port;
	struct evp_wait_req wait;
	struct evp_restrict limit;
	struct evp_watch watch;
	struct evp_take_over take_over;
	struct evp_claims claims;
};

static uint16_t take_domid(struct tape *t)
{
	uint8_t b = tape_u8(t);

	return b < 32 ? EVP_DOMID_ANY : b < 192 ? b % 4 : tape_u16(t);
}

/* Some ports of somebody who came back, mostly in ascending order. */
static size_t fill_claims(struct tape *t, struct evp_claims *m)
{
	uint32_t i, port = 0;

	m->count = tape_u8(t) % 5;
	m->last = tape_u8(t) % 4 != 0;
	for (i = 0; i < m->count; i++) {
		uint8_t b = tape_u8(t);

		port += b < 240 ? 1 + b % 4u : b;
		m->claim[i] = (struct evp_claim){
			.port = port,
			.domid = take_domid(t),
			.kind = b % (EVTCHNSTAT_ipi + 2),
			.watched = b / 8 % 2,
			.number = tape_u8(t) % 8u,
			.vcpu = b / 16 % 4,
			.pid = b % 2 ? (uint32_t)getpid() : 0,
		};
	}
	return offsetof(struct evp_claims, claim) +
	       m->count * sizeof(m->claim[0]);
}

/* The fields of a message of type @type.  Returns its size. */
static size_t fill_message(struct tape *t, uint16_t type, union message *m)
{
	switch (type) {
	case EVP_RESERVE:
		m->reserve.domid = take_domid(t);
		memset(m->reserve.name, tape_u8(t) % 128, 3);
		return sizeof(m->reserve);
	case EVP_ATTACH:
		m->attach.domid = take_domid(t);
		m->attach.nr_vcpus = 1 + m->attach.domid % 3;
		return sizeof(m->attach);
	case EVP_HYPERCALL:
		return fill_hypercall(t, &m->hypercall);
	case EVP_DOMAINS:
		m->domains.domid = tape_number(t);
		return sizeof(m->domains);
	case EVP_LIST:
		m->list.domid = tape_number(t);
		m->list.port = tape_number(t);
		return sizeof(m->list);
	case EVP_ACK:
	case EVP_CLEAN:
		m->link.link = tape_u8(t);
		return sizeof(m->link);
	case EVP_DOMINFO:
		m->dominfo.domid = tape_number(t);
		m->dominfo.max = tape_u8(t) % (EVP_DOMINFOS_PER_PAGE + 2u);
		return sizeof(m->dominfo);
	case EVP_VIRQ:
		m->virq.op = tape_u8(t) % 3;
		m->virq.virq = tape_u8(t) % (NR_VIRQS + 1);
		m->virq.domid = take_domid(t);
		return sizeof(m->virq);
	case EVP_LINE:
	case EVP_PERMIT:
		m->line.line = tape_u8(t) % 4;
		m->line.domid = tape_u8(t) % 4;
		m->line.again = m->line.line == 3 && type == EVP_PERMIT;
		return sizeof(m->line);
	case EVP_PORT:
		m->port.op = tape_u8(t) % (EVP_PORT_CANCEL + 2);
		m->port.domid = take_domid(t);
		m->port.port = tape_u8(t) % 8;
		m->port.name[0] = (char)(tape_u8(t) % 4 ? 0 : 'a');
		return sizeof(m->port);
	case EVP_WAIT:
		m->wait.port = tape_u8(t) % 8;
		return sizeof(m->wait);
	case EVP_RESTRICT:
		m->limit.domid = take_domid(t);
		return sizeof(m->limit);
	case EVP_WATCH:
		m->watch.port = tape_u8(t) % 8;
		m->watch.on = tape_u8(t) % 3;
		return sizeof(m->watch);
	case EVP_TAKE_OVER:
		return sizeof(m->take_over);
	case EVP_CLAIM:
		return fill_claims(t, &m->claims);
	default: /* a number, not a state */
		return sizeof(m->hdr);
	}
}

/* The first ones, or one of those that came later. */
static uint16_t take_type(struct tape *t)
{
	static const uint16_t later[] = {
		EVP_CLEAN + 1, EVP_VIRQ,  EVP_LINE,	EVP_PERMIT,
		EVP_DOMINFO,   EVP_PORT,  EVP_WAIT,	EVP_CLAIM,
		EVP_RESTRICT,  EVP_WATCH, EVP_TAKE_OVER};
	uint16_t type = tape_u8(t) % (EVP_CLEAN + 2);

	if (type > EVP_CLEAN)
		type = later[tape_u8(t) % (sizeof(later) / sizeof(later[0]))];
	return type;
}

/* A message as it should be, unless the last byte says otherwise. */
static void send_message(struct tape *t, struct peer *p)
{
	union message m = {.hdr = {0}};
	uint16_t type = take_type(t);
	size_t len = fill_message(t, type, &m);
	unsigned int nr_fds = type == EVP_ADOPT || type == EVP_LINE;
	uint8_t b = tape_u8(t);

	evp_hdr_init(&m.hdr, type, len, tape_u8(t));
	if (b == 255)
		m.hdr.version++;
	else if (b == 254)
		m.hdr.len++;
	else if (b == 253)
		len--;
	else if (b == 252)
		m.hdr.type = 0x8000;
	else if (b >= 248)
		nr_fds = b - 248u;
	post(t, p, &m, len, nr_fds);
}

/* As if it had been attached to a broker before this one; CLAIM follows. */
static void come_back(const struct tape *t, struct peer *p)
{
	struct evp_reattach m = {
		.who = {.domid = (uint16_t)(p - peers + 1), .nr_vcpus = 2},
		.former = 1,
		.limit = t->left % 4 ? EVP_DOMID_ANY : 2};

	evp_hdr_init(&m.who.hdr, EVP_REATTACH, sizeof(m), 2);
	(void)evp_send_packet(p->fd, &m, sizeof(m), NULL, 0, MSG_DONTWAIT);
}

/* HELLO and ATTACH, as a library would: most of the rest needs that first. */
static void attach(struct tape *t, struct peer *p)
{
	struct evp_hello hello;
	struct evp_attach_req m = {.nr_vcpus = 1 + (uint32_t)(p - peers) % 3,
				   .name = "x"};
	uint8_t b;

	connect_peer(p);
	evp_hdr_init(&hello.hdr, EVP_HELLO, sizeof(hello), 1);
	post(t, p, &hello, sizeof(hello), 0);
	b = tape_u8(t);
	if (b >= 224) {
		come_back(t, p);
		return;
	}
	/* Mostly domain 1 for peer 0 and so on: pair_up() counts on it. */
	m.domid = b < 192 ? (uint16_t)(p - peers + 1) : take_domid(t);
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 2);
	post(t, p, &m, sizeof(m), 0);
}

static void make_call(struct tape *t, struct peer *p, uint32_t cmd,
		      const void *arg, uint32_t len)
{
	struct evp_hypercall m = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = cmd,
				  .arg_len = len};

	memcpy(m.arg, arg, len);
	len += offsetof(struct evp_hypercall, arg);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL, len, 7);
	post(t, p, &m, len, 0);
}

static void read_messages(struct peer *p, unsigned int n);

/* Connect a port of @p, if he is who attach() says, with one of the next. */
static void pair_up(struct tape *t, struct peer *p)
{
	uint16_t domid = (uint16_t)(p - peers + 1);
	uint16_t other = (uint16_t)(domid % NR_PEERS + 1);
	struct evtchn_alloc_unbound a = {.dom = DOMID_SELF,
					 .remote_dom = other};
	struct evtchn_bind_interdomain b = {.remote_dom = domid,
					    .remote_port = tape_u8(t) % 4 + 1};

	make_call(t, p, EVTCHNOP_alloc_unbound, &a, sizeof(a));
	run_broker();
	if (peers[other - 1].fd < 0)
		attach(t, &peers[other - 1]);
	make_call(t, &peers[other - 1], EVTCHNOP_bind_interdomain, &b,
		  sizeof(b));
}

/* So many ports that to close them all takes more than one turn. */
static void open_many(struct tape *t, struct peer *p)
{
	struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = 1};
	unsigned int i, n = tape_u8(t);

	for (i = 0; i < n; i++) {
		make_call(t, p, EVTCHNOP_alloc_unbound, &a, sizeof(a));
		if (i % 8 == 0)
			run_broker();
		read_messages(p, 16);
	}
}

#include "fuzz_grants.h"

/* --- reading ------------------------------------------------------------- */

static void note_link(struct peer *p, const struct evp_packet *m)
{
	const struct evp_port_msg *d = (const void *)m->u.bytes;

	if (m->u.hdr.type != EVP_DISCONNECT && m->u.hdr.type != EVP_RETIRE)
		return;
	if (!d->link || p->nr_links == 4)
		return;
	p->link[p->nr_links] = d->link;
	p->answer[p->nr_links++] = m->u.hdr.type == EVP_DISCONNECT ? EVP_ACK
								   : EVP_CLEAN;
}

static void note_lane(struct peer *p, const struct evp_packet *m)
{
	if (m->u.hdr.type != EVP_ATTACHED)
		return;
	FUZZ_CHECK(m->nr_fds == 2);
	if (!p->lane)
		FUZZ_CHECK(!evp_port_lane_map(m->fd[0], &p->lane));
}

static void note_region(struct peer *p, const struct evp_packet *m)
{
	if (m->u.hdr.type == EVP_GRANT_REGION_IS)
		p->region = ((const struct evp_grant_region_is *)m->u.bytes)
				    ->region;
}

static bool is_granted(const struct evp_packet *m)
{
	const struct evp_grant_mapped *a = (const void *)m->u.bytes;

	return m->u.hdr.type == EVP_GRANT_MAPPED && a->status == 0;
}

static void check_answer(const struct evp_packet *m)
{
	uint16_t type = m->u.hdr.type;

	FUZZ_CHECK(m->u.hdr.version == EVP_VERSION);
	FUZZ_CHECK((type >= EVP_WELCOME && type <= EVP_LIST_PAGE) ||
		   type == EVP_VIRQ_DONE || type == EVP_LINE_DONE ||
		   type == EVP_DOMINFO_PAGE || type == EVP_REATTACHED ||
		   type == EVP_TAKEN_OVER ||
		   (type >= EVP_GRANT_REGION_IS && type <= EVP_GRANT_MAPPED) ||
		   (type >= EVP_LANE && type <= EVP_LANE_GONE) ||
		   (type >= EVP_GIVEN && type <= EVP_PLACE));
	if (type >= EVP_LANE)
		FUZZ_CHECK(m->u.hdr.seq == 0);
	if (type == EVP_WELCOME) /* an ADOPT's comes with the connection */
		FUZZ_CHECK(m->nr_fds <= 1);
	else
		FUZZ_CHECK(m->nr_fds == (type == EVP_ATTACHED	  ? 2
					 : type == EVP_TAKEN_OVER ? 2
					 : type == EVP_REATTACHED ? 2
					 : type == EVP_LANE	  ? 4
							    : is_granted(m)));
}

static void note_welcome(struct peer *p, struct evp_packet *m)
{
	if (m->u.hdr.type != EVP_WELCOME || !m->nr_fds)
		return;
	(void)close(p->fd);
	p->fd = m->fd[0];
	m->nr_fds = 0;
}

static void read_messages(struct peer *p, unsigned int n)
{
	struct evp_packet m;
	int rc = 0;

	while (n-- && !(rc = evp_recv_packet(p->fd, &m, MSG_DONTWAIT))) {
		check_answer(&m);
		note_welcome(p, &m);
		note_link(p, &m);
		note_lane(p, &m);
		note_region(p, &m);
		evp_packet_close_fds(&m);
	}
	FUZZ_CHECK(rc != -EPROTO);
}

/* Answer what was asked first. */
static void answer(struct tape *t, struct peer *p)
{
	struct evp_link_msg m = {.link = p->link[0]};

	if (!p->nr_links)
		return;
	evp_hdr_init(&m.hdr, p->answer[0], sizeof(m), 0);
	post(t, p, &m, sizeof(m), 0);
	p->nr_links--;
	memmove(p->link, p->link + 1, sizeof(p->link) - sizeof(p->link[0]));
	memmove(p->answer, p->answer + 1,
		sizeof(p->answer) - sizeof(p->answer[0]));
}

/* The page it was given is its own to write. */
static void scribble(struct tape *t, struct peer *p)
{
	uint8_t b = tape_u8(t);

	if (p->lane)
		((volatile uint8_t *)p->lane)[b * 3] = tape_u8(t);
}

/* --- one input ----------------------------------------------------------- */

static void step(struct tape *t)
{
	uint8_t b = tape_u8(t), which = b / NR_PEERS % 14;
	struct peer *p = &peers[b % NR_PEERS];

	if (p->fd < 0)
		attach(t, p);
	else if (which < 6)
		send_message(t, p);
	else if (which == 6)
		send_raw(t, p);
	else if (which == 7)
		read_messages(p, 4096);
	else if (which == 8)
		answer(t, p);
	else if (which == 9)
		scribble(t, p);
	else if (which == 10)
		disconnect(p);
	else if (which == 11)
		pair_up(t, p);
	else if (which == 12)
		open_many(t, p);
	else
		use_grants(t, p);
	if (b < 216)
		run_broker();
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < MAX_FD; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A peer that has been silent from the start, so that both ways are used. */
static void connect_first(struct tape *t)
{
	unsigned int i, n = tape_u8(t) % (NR_PEERS + 1);

	for (i = 0; i < NR_PEERS; i++)
		peers[i].fd = -1;
	for (i = 0; i < n; i++)
		connect_peer(&peers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	unsigned int fds = count_fds(), i;

	broker =
		(struct evd_broker){.listener = -1, .lock = -1, .path = "fuzz"};
	broker.max_conns = NR_PEERS - 1;
	broker.max_regions = 12;
	broker.max_unread = 8;
	broker.epoll = epoll_create1(EPOLL_CLOEXEC);
	evc_machine_init(&broker.machine, false, &broker);
	connect_first(&t);
	for (i = 0; i < MAX_STEPS && t.left; i++)
		step(&t);
	for (i = 0; i < NR_PEERS; i++)
		disconnect(&peers[i]);
	run_broker();
	FUZZ_CHECK(!broker.conns && !broker.nr_conns);
	FUZZ_CHECK(!broker.doms && !broker.nr_doms && !broker.nr_regions);
	(void)close(broker.epoll);
	FUZZ_CHECK(count_fds() == fds);
	return 0;
}
