/* SPDX-License-Identifier: MIT */
/*
 * store_domU - a guest's way to the store, offered to programs.
 *
 * A guest talks to xenstored through one page, which it shares as its grant 1,
 * and an event channel: two byte rings, one for requests and one for answers,
 * and an event whenever somebody has put something in or made room.  The bytes
 * are those of xenstored's Unix socket.  So this program
 *
 *   evtchn run --domain 1 -- store_domU SOCKET
 *
 * shares the page, opens a port for domain 0, prints "port N", and then carries
 * messages between clients of its own socket and the ring: xenstore-read and
 * all others, run with XENSTORED_PATH=SOCKET, speak as domain 1 and have its
 * rights.  The store has to be told of the domain first: store_dom0 introduce.
 *
 * Clients are served one after the other; whole messages are carried, and what a
 * client that left did not wait for is dropped.  Ends with its standard input.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>
#include <evp/grant.h>

#include "store_ring.h"

struct half {
	struct store_message m;
	size_t have; /* bytes of it that have come */
	size_t done; /* and of these, have gone on */
};

struct bridge {
	struct evp_guest *g;
	struct store_page *page;
	evtchn_port_t port;
	int listener;
	int client;	     /* or -1 */
	uint32_t nr_awaited; /* answers */
	struct half request, answer;
};

/* --- the rings --------------------------------------------------------------- */

static size_t smaller(size_t x, size_t y)
{
	return x < y ? x : y;
}

/* Bytes first, then the index, which is what the other end goes by. */
static size_t put(struct store_page *p, const char *from, size_t n)
{
	uint32_t end =
		evb_u32_load_relaxed(&p->req_prod); /* only we write it */
	uint32_t room =
		STORE_RING_SIZE - (end - evb_u32_load_acquire(&p->req_cons));
	uint32_t at = end % STORE_RING_SIZE;

	n = smaller(smaller(n, room), STORE_RING_SIZE - at);
	memcpy(p->req + at, from, n);
	evb_u32_store_release(&p->req_prod, end + (uint32_t)n);
	return n;
}

static size_t take(struct store_page *p, char *to, size_t n)
{
	uint32_t start = evb_u32_load_relaxed(&p->rsp_cons); /* as above */
	uint32_t there = evb_u32_load_acquire(&p->rsp_prod) - start;
	uint32_t at = start % STORE_RING_SIZE;

	n = smaller(smaller(n, there), STORE_RING_SIZE - at);
	memcpy(to, p->rsp + at, n);
	evb_u32_store_release(&p->rsp_cons, start + (uint32_t)n);
	return n;
}

/* --- messages ---------------------------------------------------------------- */

/* What is still missing of the one that is coming. */
static size_t missing(const struct half *h)
{
	if (h->have < sizeof(h->m.hdr))
		return sizeof(h->m.hdr) - h->have;
	return sizeof(h->m.hdr) + h->m.hdr.len - h->have;
}

static char *end_of(struct half *h)
{
	return (char *)&h->m + h->have;
}

static bool is_too_long(const struct half *h)
{
	return h->have >= sizeof(h->m.hdr) && h->m.hdr.len > STORE_PAYLOAD_MAX;
}

static void drop_client(struct bridge *b)
{
	(void)close(b->client);
	b->client = -1;
	/* What has not begun to go never will. */
	if (!b->request.done)
		b->request.have = 0;
}

static void read_client(struct bridge *b)
{
	struct half *h = &b->request;
	ssize_t n;

	if (!missing(h))
		return;
	n = recv(b->client, end_of(h), missing(h), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		h->have += (size_t)n;
	if (n <= 0 || is_too_long(h))
		drop_client(b);
}

/* From the client to the ring.  True: something moved. */
static bool carry_request(struct bridge *b)
{
	struct half *h = &b->request;
	size_t n;

	if (h->have < sizeof(h->m.hdr) || missing(h))
		return false;
	n = put(b->page, (char *)&h->m + h->done, h->have - h->done);
	h->done += n;
	if (h->done == h->have) {
		h->have = h->done = 0;
		b->nr_awaited++;
	}
	return n;
}

static void deliver(struct bridge *b)
{
	struct half *h = &b->answer;

	if (h->m.hdr.type != STORE_WATCH_EVENT)
		b->nr_awaited--;
	if (b->client >= 0 &&
	    send(b->client, &h->m, h->have, MSG_NOSIGNAL) != (ssize_t)h->have)
		drop_client(b);
	h->have = 0;
}

/* From the ring to the client. */
static bool carry_answer(struct bridge *b)
{
	struct half *h = &b->answer;
	size_t n = take(b->page, end_of(h), missing(h));

	h->have += n;
	if (is_too_long(h)) {
		fprintf(stderr, "store_domU: this is no store\n");
		exit(1);
	}
	if (h->have >= sizeof(h->m.hdr) && !missing(h))
		deliver(b);
	return n;
}

/* --- the loop ---------------------------------------------------------------- */

static void carry(struct bridge *b)
{
	bool asked, answered, moved = false;

	do {
		asked = carry_request(b);
		answered = carry_answer(b);
		moved |= asked || answered;
	} while (asked || answered);
	if (moved)
		(void)evg_notify(evp_evg(b->g), b->port);
}

static bool is_quiet(const struct bridge *b)
{
	return !b->nr_awaited && !b->request.have;
}

/* False: over.  The next client comes when the last one's answers are in. */
static bool turn(struct bridge *b)
{
	struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			     {.fd = evp_fd(b->g), .events = POLLIN},
			     {.fd = b->client, .events = POLLIN},
			     {.fd = -1, .events = POLLIN}};

	if (b->client >= 0 && !missing(&b->request))
		p[2].fd = -1; /* the ring is full */
	if (b->client < 0 && is_quiet(b))
		p[3].fd = b->listener;
	(void)evp_poll(b->g);
	carry(b);
	if (poll(p, 4, evp_arm(b->g) ? 0 : -1) < 0)
		return errno == EINTR;
	if (p[3].revents)
		b->client = accept(b->listener, NULL, NULL);
	else if (p[2].revents && b->client >= 0)
		read_client(b);
	return !p[0].revents;
}

/* --- the start --------------------------------------------------------------- */

/* Waking is all an event has to do. */
static void ignore(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
}

static bool open_channel(struct bridge *b)
{
	static const struct evp_share s = {
		.domid = 0, .count = 1, .writable = 1, .at = STORE_GRANT};
	struct evp_grants *grants;
	uint32_t ref;
	void *page;

	if (evp_attach(&b->g, NULL) || evp_grants_open(&grants, NULL) ||
	    evp_grant_share(grants, &s, &ref, &page)) {
		fprintf(stderr, "store_domU: %s\n", evp_error());
		return false;
	}
	b->page = page;
	if (evg_alloc_unbound(evp_evg(b->g), DOMID_SELF, 0, &b->port) ||
	    evg_bind_handler(evp_evg(b->g), b->port, EVG_VCPU_KEEP, ignore,
			     NULL)) {
		fprintf(stderr, "store_domU: no port left\n");
		return false;
	}
	return true;
}

static bool listen_at(struct bridge *b, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)unlink(un.sun_path);
	b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (b->listener >= 0 &&
	    !bind(b->listener, (const void *)&un, sizeof(un)) &&
	    !listen(b->listener, 16))
		return true;
	fprintf(stderr, "store_domU: cannot listen at %s: %s\n", path,
		strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	static struct bridge b = {.client = -1};

	if (argc != 2) {
		fprintf(stderr, "Usage: store_domU SOCKET\n");
		return 2;
	}
	if (!open_channel(&b) || !listen_at(&b, argv[1]))
		return 1;
	printf("port %u\n", b.port);
	(void)fflush(stdout);
	while (turn(&b))
		;
	(void)unlink(argv[1]);
	return 0;
}
