/* SPDX-License-Identifier: MIT */
/*
 * Endpoints with more than 10,000 ports, as a guest of the guest library and as a
 * handle of libxenevtchn.
 *
 *   wide PORTS
 *
 * A program plays the ends, children that do what the parent orders.  Each end
 * counts the events of each port by its number; the parent knows how many there
 * have to be, so one too few or one too many fails, in whatever port it is.
 *
 *   twins     two guests, PORTS channels between them: many pairs of lanes.  The
 *             same two then close and open again, send without a broker, while
 *             another one starts that is held up (SIGSTOP), and when it goes on;
 *             and one is replaced, as by exec().
 *   handle    a libxenevtchn handle and a guest
 *   star      one guest, and peers that are 2-level guests
 */
#include <limits.h>

#include <evg/fifo.h>
#include <xenevtchn.h>

#include "tests/process/harness.h"

#include "hosts/process/fifo.h"

#define PATIENCE 280 /* seconds, for all */
#define NR_PEERS 4

static uint32_t nr_ports;

/* --- an end --------------------------------------------------------------------- */

enum op {
	OPEN,  /* x ports for domain y; the first one's number */
	BIND,  /* x ports, to domain y's from z on; the first one's number */
	SEND,  /* on x ports from y on */
	TAKE,  /* until there were x events, ever */
	EACH,  /* until each of x ports from y on had z events or more */
	COUNT, /* of x ports from y on: had each of them z events? */
	ZERO,  /* count from 0 */
	AGAIN, /* of x ports every second one: close these, then bind them */
	GONE,  /* until it is known that the broker is not there */
	LEFT,  /* claims not said yet: 1; else 0 */
	LINK,  /* until x ports from y on are connected and send by lane */
	DRAIN, /* take what is there, and count from 0 */
	BEGIN, /* anew, as after exec(), with x ports from 1 on */
	IPI,   /* bind, send, take and close one; its number */
	END,   /* leave; others may have the pipe open still */
};

struct order {
	uint64_t op, x, y, z;
};

struct end {
	struct evp_guest *g; /* or */
	xenevtchn_handle *h;
	uint64_t nr_events;
	uint32_t count[EVTCHN_FIFO_NR_CHANNELS]; /* by port */
};

static void count_port(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct end *e = ctx;

	(void)v;
	e->count[port]++;
	e->nr_events++;
}

/* Wait for something, and take it. */
static void take(struct end *e)
{
	int port;

	if (e->g) {
		CHECK(evp_wait(e->g, EVP_FOREVER) >= 0);
		return;
	}
	port = xenevtchn_pending(e->h);
	CHECK(port > 0);
	count_port(NULL, (evtchn_port_t)port, e);
	CHECK(xenevtchn_unmask(e->h, (evtchn_port_t)port) == 0);
}

static evtchn_port_t open_one(struct end *e, domid_t domid)
{
	if (e->g)
		return open_unbound(e->g, domid, count_port, e);
	return (evtchn_port_t)xenevtchn_bind_unbound_port(e->h, domid);
}

static evtchn_port_t bind_one(struct end *e, domid_t domid, evtchn_port_t port)
{
	if (e->g)
		return open_bound(e->g, domid, port, count_port, e);
	return (evtchn_port_t)xenevtchn_bind_interdomain(e->h, domid, port);
}

/* The lowest free numbers, one after the other. */
static uint64_t make_all(struct end *e, const struct order *o)
{
	evtchn_port_t first = 0, port;
	uint32_t i;

	for (i = 0; i < o->x; i++) {
		port = o->op == OPEN ? open_one(e, (domid_t)o->y)
				     : bind_one(e, (domid_t)o->y,
						(evtchn_port_t)o->z + i);
		if (!i)
			first = port;
		CHECK(port == first + i && port < EVTCHN_FIFO_NR_CHANNELS);
	}
	return first;
}

static void send_one(struct end *e, evtchn_port_t port)
{
	if (e->g)
		CHECK(evg_notify(evp_evg(e->g), port) == 0);
	else
		CHECK(xenevtchn_notify(e->h, port) == 0);
}

static void close_one(struct end *e, evtchn_port_t port)
{
	if (e->g)
		CHECK(evg_close(evp_evg(e->g), port) == 0);
	else
		CHECK(xenevtchn_unbind(e->h, port) == 0);
}

/* The lowest free number is each time that of the peer. */
static void bind_again(struct end *e, const struct order *o)
{
	evtchn_port_t port;

	for (port = 1; port <= o->x; port += 2)
		close_one(e, port);
	for (port = 1; port <= o->x; port += 2)
		CHECK(bind_one(e, (domid_t)o->y, port) == port);
}

static uint64_t are_counted(const struct end *e, const struct order *o)
{
	evtchn_port_t port, end = (evtchn_port_t)(o->y + o->x);

	for (port = (evtchn_port_t)o->y; port < end; port++) {
		if (e->count[port] != o->z) {
			fprintf(stderr, "# pid %d: port %u had %u events\n",
				(int)getpid(), port, e->count[port]);
			return 0;
		}
	}
	return 1;
}

/* One without a lane gets one by sending: perhaps there was too much to say. */
static void link_one(struct end *e, evtchn_port_t port)
{
	const struct evp_chan *ch = &e->g->chan[port];

	while (ch->way != EVP_BY_LANE || ch->lane->old) {
		if (ch->way == EVP_BY_BROKER)
			send_one(e, port);
		CHECK(evp_poll(e->g) >= 0);
	}
	CHECK(status_of(e->g, port) == EVTCHNSTAT_interdomain);
}

/* Nothing is left but the connection; every port may have had an event. */
static void begin_anew(struct end *e, uint32_t nr)
{
	int fd = dup(evp_inherit(e->g));
	evtchn_port_t port;

	evp_abandon(e->g);
	CHECK(evp_take_over(&e->g, fd) == 0);
	for (port = 1; port <= nr; port++)
		CHECK(evp_next_port(e->g, port) == (int)port);
	CHECK(evp_next_port(e->g, nr + 1) < 0);
	CHECK(evg_fifo_start(evp_evg(e->g)) == 0);
	for (port = 1; port <= nr; port++) {
		CHECK(evg_bind_handler(evp_evg(e->g), port, EVG_VCPU_KEEP,
				       count_port, e) == 0);
	}
}

static uint64_t use_ipi(struct end *e)
{
	evtchn_port_t port = 0;

	CHECK(evg_bind_ipi(evp_evg(e->g), 0, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(e->g), port, 0, count_port, e) == 0);
	send_one(e, port);
	while (!e->count[port])
		take(e);
	e->count[port] = 0;
	e->nr_events--;
	close_one(e, port);
	return port;
}

static uint64_t obey(struct end *e, const struct order *o)
{
	evtchn_port_t port = (evtchn_port_t)o->y;
	evtchn_port_t end = (evtchn_port_t)(o->y + o->x);

	switch ((enum op)o->op) {
	case OPEN:
	case BIND:
		return make_all(e, o);
	case SEND:
		for (; port < end; port++)
			send_one(e, port);
		return 0;
	case TAKE:
		while (e->nr_events < o->x)
			take(e);
		return e->nr_events;
	case EACH:
		for (; port < end; port++) {
			while (e->count[port] < o->z)
				take(e);
		}
		return 0;
	case COUNT:
		return are_counted(e, o);
	case ZERO:
		memset(e->count, 0, sizeof(e->count));
		return e->nr_events = 0;
	case AGAIN:
		bind_again(e, o);
		return 0;
	case GONE:
		while (evp_broker_is_there(e->g))
			CHECK(evp_wait(e->g, 1000000) >= 0);
		return 0;
	case LEFT:
		CHECK(evp_poll(e->g) >= 0);
		return e->g->claim_from != 0;
	case LINK:
		for (; port < end; port++)
			link_one(e, port);
		return 0;
	case DRAIN:
		while (evp_poll(e->g) > 0)
			;
		memset(e->count, 0, sizeof(e->count));
		return e->nr_events = 0;
	case BEGIN:
		begin_anew(e, (uint32_t)o->x);
		return 0;
	case IPI:
		return use_ipi(e);
	case END:
		break;
	}
	CHECK(o->op == END);
	return 0;
}

/* What an end is: the domain, and which kind. */
struct role {
	int domid;
	bool handle, fifo;
};

static void be_end(int from, int to, void *arg)
{
	static struct end e;
	const struct role *r = arg;
	struct order o;
	char domain[16];

	(void)alarm(PATIENCE);
	if (r->handle) {
		(void)snprintf(domain, sizeof(domain), "%d", r->domid);
		CHECK(!setenv("EVTCHN_DOMAIN", domain, 1));
		CHECK(!setenv("EVTCHN_DEVICE", "", 1));
		e.h = xenevtchn_open(NULL, 0);
		CHECK(e.h);
	} else {
		e.g = attach(r->domid);
		CHECK(!r->fifo || evg_fifo_start(evp_evg(e.g)) == 0);
	}
	say(to, 0);
	while (read(from, &o, sizeof(o)) == sizeof(o) && o.op != END)
		say(to, obey(&e, &o));
	if (r->handle)
		CHECK(xenevtchn_close(e.h) == 0);
	else
		evp_detach(e.g);
}

static struct child start_end(struct role r)
{
	struct child c = start_child(be_end, &r);

	(void)hear(c.from);
	return c;
}

/* --- the parent ----------------------------------------------------------------- */

static void order(const struct child *c, enum op op, uint64_t x, uint64_t y,
		  uint64_t z)
{
	struct order o = {op, x, y, z};

	CHECK(write(c->to, &o, sizeof(o)) == sizeof(o));
}

static uint64_t have(const struct child *c, enum op op, uint64_t x, uint64_t y,
		     uint64_t z)
{
	order(c, op, x, y, z);
	return hear(c->from);
}

/* The same of both, at the same time. */
static void both(const struct child *a, const struct child *b, enum op op,
		 uint64_t x, uint64_t y, uint64_t z)
{
	order(a, op, x, y, z);
	order(b, op, x, y, z);
	(void)hear(a->from);
	(void)hear(b->from);
}

static void count_both(const struct child *a, const struct child *b,
		       uint64_t each)
{
	CHECK(have(a, COUNT, nr_ports, 1, each) == 1);
	CHECK(have(b, COUNT, nr_ports, 1, each) == 1);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void done(const char *what)
{
	static double since;
	double t = now();

	if (since != 0)
		printf("# %-44s %6.2f s\n", what, t - since);
	(void)fflush(stdout);
	since = t;
}

/* Ports 1 to nr_ports of @a, which opens them, and of @b. */
static void connect_all(const struct child *a, const struct child *b)
{
	CHECK(have(a, OPEN, nr_ports, 2, 0) == 1);
	CHECK(have(b, BIND, nr_ports, 1, 1) == 1);
	/* The bind's own event, which comes by the broker. */
	CHECK(have(b, TAKE, nr_ports, 0, 0) == nr_ports);
	CHECK(have(b, COUNT, nr_ports, 1, 1) == 1);
	(void)have(a, ZERO, 0, 0, 0);
	(void)have(b, ZERO, 0, 0, 0);
}

/* One event on each port, in each direction. */
static void send_all(const struct child *a, const struct child *b)
{
	both(a, b, SEND, nr_ports, 1, 0);
	both(a, b, TAKE, nr_ports, 0, 0);
	count_both(a, b, 1);
	both(a, b, ZERO, 0, 0, 0);
}

static void stop(struct child *c)
{
	order(c, END, 0, 0, 0);
	CHECK(end_child(c) == 0);
}

/* Every other port of @b is closed, and opened again with the same numbers. */
static void use_again(const struct child *a, const struct child *b)
{
	(void)have(b, AGAIN, nr_ports, 1, 0);
	both(a, b, LINK, nr_ports, 1, 0);
	both(a, b, DRAIN, 0, 0, 0);
	send_all(a, b);
}

static bool sockets_are_small(void)
{
	FILE *f = fopen("/proc/sys/net/core/wmem_default", "re");
	unsigned long max = ULONG_MAX;

	if (f && fscanf(f, "%lu", &max) != 1)
		max = ULONG_MAX;
	if (f)
		(void)fclose(f);
	return max <= 212992;
}

/* All claims do not fit into a socket: the rest waits, and events do not. */
static void send_beside_a_broker_that_does_nothing(const struct child *a,
						   const struct child *b)
{
	start_broker(&broker);
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	if (sockets_are_small() && nr_ports >= 10000) {
		while (!have(a, LEFT, 0, 0, 0))
			;
		while (!have(b, LEFT, 0, 0, 0))
			;
	}
	send_all(a, b);
}

static void lose_the_broker(const struct child *a, const struct child *b)
{
	kill_broker();
	both(a, b, GONE, 0, 0, 0);
	send_all(a, b);
	done("events without a broker");
	send_beside_a_broker_that_does_nothing(a, b);
	done("events while claims wait");
	CHECK(kill(broker.pid, SIGCONT) == 0);
	/* While they change lanes; a spurious event may come with it. */
	both(a, b, SEND, nr_ports, 1, 0);
	both(a, b, EACH, nr_ports, 1, 1);
	both(a, b, LINK, nr_ports, 1, 0);
	done("all ports are back");
	both(a, b, DRAIN, 0, 0, 0);
	send_all(a, b);
	done("events after that");
}

static void be_replaced(const struct child *a, const struct child *b)
{
	(void)have(b, BEGIN, nr_ports, 0, 0);
	(void)have(b, EACH, nr_ports, 1, 1);
	both(a, b, LINK, nr_ports, 1, 0);
	both(a, b, DRAIN, 0, 0, 0);
	send_all(a, b);
}

static void twins(void)
{
	struct child a = start_end((struct role){.domid = 1, .fifo = true});
	struct child b = start_end((struct role){.domid = 2, .fifo = true});

	done("");
	connect_all(&a, &b);
	done("twins: connect");
	CHECK(have(&a, IPI, 0, 0, 0) == nr_ports + 1);
	send_all(&a, &b);
	done("an event on each port, both ways");
	use_again(&a, &b);
	done("half of them closed and opened again");
	lose_the_broker(&a, &b);
	CHECK(have(&b, IPI, 0, 0, 0) == nr_ports + 1);
	be_replaced(&a, &b);
	done("one end begins anew");
	stop(&b);
	stop(&a);
	done("the end");
}

static void handle(void)
{
	struct child a = start_end((struct role){.domid = 1, .handle = true});
	struct child b = start_end((struct role){.domid = 2, .fifo = true});

	connect_all(&a, &b);
	send_all(&a, &b);
	stop(&a);
	stop(&b);
	done("handle: connect, an event on each port, both ways");
}

static void star(void)
{
	struct child peer[NR_PEERS], a;
	uint32_t i, each = nr_ports / NR_PEERS;

	a = start_end((struct role){.domid = 1, .fifo = true});
	for (i = 0; i < NR_PEERS; i++) {
		peer[i] = start_end((struct role){.domid = (int)i + 2});
		CHECK(have(&a, OPEN, each, i + 2, 0) == 1 + i * each);
		CHECK(have(&peer[i], BIND, each, 1, 1 + i * each) == 1);
		(void)have(&peer[i], TAKE, each, 0, 0);
		(void)have(&peer[i], SEND, each, 1, 0);
	}
	(void)have(&a, TAKE, (uint64_t)NR_PEERS * each, 0, 0);
	CHECK(have(&a, COUNT, (uint64_t)NR_PEERS * each, 1, 1) == 1);
	(void)have(&a, SEND, (uint64_t)NR_PEERS * each, 1, 0);
	for (i = 0; i < NR_PEERS; i++) {
		(void)have(&peer[i], TAKE, 2ull * each, 0, 0);
		CHECK(have(&peer[i], COUNT, each, 1, 2) == 1);
		stop(&peer[i]);
	}
	stop(&a);
	done("star: connect, an event on each port, both ways");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	nr_ports = (uint32_t)strtoul(argv[1], NULL, 10);
	if (nr_ports < NR_PEERS || nr_ports > EVTCHN_FIFO_NR_CHANNELS - 2 ||
	    nr_ports / NR_PEERS >= EVTCHN_2L_NR_CHANNELS_64)
		return 2;
	find_evtchnd(argv[0]);
	if (set_up(NULL))
		return 1;
	(void)alarm(PATIENCE);
	twins();
	handle();
	star();
	return tear_down(NULL) ? 1 : 0;
}
