/* SPDX-License-Identifier: MIT */
/*
 * 100,000 channels come back to a new broker, the first ends long before the
 * second, in the order that is the worst for who looks for them one by one.
 *
 *   halves FRONTS CHANNELS     CHANNELS of each of them
 *
 * Once more all of them come back, and the process that was their peer dies: each
 * is told.
 *
 * No client library: what is measured is the broker.  A front end claims
 * connected ports, so that the broker waits for their peers; the back ends, which
 * had not heard of the connections yet, claim waiting ports, the last domain
 * first.  Each claim has to find its mate.
 */
#include <time.h>

#include "tests/process/harness.h"

#define FRIEND 100 /* back end of front end n: domain n + this */

static uint32_t nr_fronts, nr_channels;

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_claims(int fd, struct evp_claims *m, bool last)
{
	size_t len = offsetof(struct evp_claims, claim) +
		     m->count * sizeof(m->claim[0]);

	m->last = last;
	evp_hdr_init(&m->hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(fd, m, len, NULL, 0, 0) == 0);
	m->count = 0;
}

/* All its channels lead to @peer, port by port, which was process @pid. */
static int come_back(uint32_t domid, uint32_t peer, uint8_t kind, pid_t pid)
{
	struct evp_reattach r = {
		.who = {.domid = (uint16_t)domid, .nr_vcpus = 1},
		.former = 1,
		.limit = EVP_DOMID_ANY};
	struct evp_claims m = {.count = 0};
	int fd = raw_greeted();
	uint32_t port;

	evp_hdr_init(&r.who.hdr, EVP_REATTACH, sizeof(r), 0);
	CHECK(evp_send_packet(fd, &r, sizeof(r), NULL, 0, 0) == 0);
	for (port = 1; port <= nr_channels; port++) {
		m.claim[m.count++] = (struct evp_claim){
			.port = (uint16_t)port,
			.domid = (uint16_t)peer,
			.kind = kind,
			.number = port,
			.pid = (uint32_t)pid,
		};
		if (m.count == EVP_CLAIMS_PER_PAGE)
			send_claims(fd, &m, false);
	}
	send_claims(fd, &m, true);
	return fd;
}

/* Returns when the broker has read everything. */
static uint32_t nr_connected(int fd, uint32_t domid)
{
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];
	uint32_t d = domid, port = 0, count = 0;
	int i, n;

	while (d == domid) {
		n = evp_control_list(fd, &d, &port, e, EVP_PORTS_PER_PAGE);
		CHECK(n >= 0);
		for (i = 0; i < n; i++)
			count += e[i].domid == domid &&
				 e[i].status == EVTCHNSTAT_interdomain;
	}
	return count;
}

/* The broker may not have heard of the domain yet. */
static uint32_t nr_ports_now(int fd, uint32_t domid)
{
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = domid;
	int n = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);

	CHECK(n >= 0);
	return n && e[0].domid == domid ? e[0].nr_ports : 0;
}

static void await_all(int fd, uint32_t domid)
{
	while (nr_ports_now(fd, domid) < nr_channels)
		(void)sched_yield();
}

/* --- peers that die ---------------------------------------------------------- */

static void sleep_for_ever(int from, int to, void *arg)
{
	(void)to;
	(void)arg;
	(void)hear(from);
}

static void await_losses(int fd)
{
	struct evp_packet p;
	uint32_t n = 0;

	while (n < nr_channels) {
		CHECK(evp_recv_packet(fd, &p, 0) == 0);
		evp_packet_close_fds(&p);
		n += p.u.hdr.type == EVP_PEER_LOST;
	}
	(void)close(fd);
}

static void lose_all(int fd)
{
	struct child peer = start_child(sleep_for_ever, NULL);
	int *front = calloc(nr_fronts, sizeof(*front));
	double start;
	uint32_t i;

	CHECK(front);
	for (i = 0; i < nr_fronts; i++)
		front[i] = come_back(i + 1, FRIEND, EVTCHNSTAT_interdomain,
				     peer.pid);
	for (i = 1; i <= nr_fronts; i++)
		await_all(fd, i);
	start = now();
	(void)kill(peer.pid, SIGKILL);
	CHECK(end_child(&peer) == 128 + SIGKILL);
	for (i = 0; i < nr_fronts; i++)
		await_losses(front[i]);
	printf("# all told of a death: %.2f s\n", now() - start);
	free(front);
}

/* --- peers that come ---------------------------------------------------------- */

static void connect_all(int fd)
{
	uint32_t i, count = 0;
	double start = now();

	for (i = 1; i <= nr_fronts; i++)
		(void)come_back(i, i + FRIEND, EVTCHNSTAT_interdomain,
				getpid());
	for (i = 1; i <= nr_fronts; i++)
		await_all(fd, i);
	printf("# %u ends came back: %.2f s\n", nr_fronts * nr_channels,
	       now() - start);
	start = now();
	for (i = nr_fronts; i; i--)
		(void)come_back(i + FRIEND, i, EVTCHNSTAT_unbound, getpid());
	for (i = 1; i <= nr_fronts; i++)
		await_all(fd, i + FRIEND);
	printf("# and their peers: %.2f s\n", now() - start);
	for (i = 1; i <= nr_fronts; i++)
		count += nr_connected(fd, i);
	CHECK(count == nr_fronts * nr_channels);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		return 2;
	nr_fronts = (uint32_t)strtoul(argv[1], NULL, 10);
	nr_channels = (uint32_t)strtoul(argv[2], NULL, 10);
	if (!nr_fronts || nr_fronts >= FRIEND || !nr_channels)
		return 2;
	find_evtchnd(argv[0]);
	if (set_up(NULL))
		return 1;
	fd = raw_greeted();
	lose_all(fd);
	connect_all(fd);
	return tear_down(NULL) ? 1 : 0;
}
