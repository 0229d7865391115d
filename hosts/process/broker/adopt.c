/* SPDX-License-Identifier: MIT */
/*
 * Who asks for a connection through a session (ADOPT): let in, or told why not.
 *
 * Whoever closes a connection and then asks for another one has one, not two.
 * The broker may hear of both in one turn and take the first away when that ends
 * only; so who has no room is put off until the end of the next one, as everybody
 * is who connects (accept.c), and meanwhile nothing of his session is read.  That
 * takes a descriptor of each, so it is for a few at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"

/*
 * A connection for who sent @fd.  Not @fd itself: others may have it as well,
 * and keep it locked, so that we would wait.
 */
static struct evd_conn *conceive(struct evd_conn *session, int fd, uint32_t seq)
{
	struct evp_welcome m = {.pid = (uint32_t)getpid()};
	struct evd_conn *child;
	int rc, pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		evd_log(session, "no socket for it: %s", strerror(errno));
		return NULL;
	}
	evp_hdr_init(&m.hdr, EVP_WELCOME, sizeof(m), seq);
	rc = evp_send_packet(fd, &m, sizeof(m), &pair[1], 1, MSG_DONTWAIT);
	(void)close(pair[1]);
	if (rc) {
		(void)close(pair[0]);
		return NULL;
	}
	child = evd_conn_new(session->broker, pair[0], session->account->uid);
	if (child)
		(void)evd_conn_peer(fd, &child->pid, &child->uid);
	return child;
}

/* False: there is no room, and @text says why. */
static bool let_in(struct evd_conn *session, int fd, uint32_t seq, char *text)
{
	struct evd_conn *child;

	if (!evd_has_room(session->broker, session->account->uid, text))
		return false;
	child = conceive(session, fd, seq);
	if (!child)
		return true;
	child->session = session->id;
	child->only_domid = session->dom->core.domid;
	child->state = EVD_QUERY;
	return true;
}

static void refuse(struct evd_conn *session, int fd, uint32_t seq,
		   const char *text)
{
	evd_log(session, "%s", text);
	evd_refuse_socket(fd, seq, -EMFILE, text);
}

bool evd_adopt(struct evd_conn *c, int fd, uint32_t seq)
{
	struct evd_broker *b = c->broker;
	char text[EVP_TEXT_MAX];

	if (let_in(c, fd, seq, text))
		return false;
	if (b->nr_adopting == EVD_ADOPTS_AT_ONCE) {
		refuse(c, fd, seq, text);
		return false;
	}
	c->adopting = true;
	c->adopt_fd = fd;
	c->adopt_seq = seq;
	c->adopt_turn = b->nr_turns;
	b->nr_adopting++;
	return true;
}

void evd_adopt_abandon(struct evd_conn *c)
{
	if (!c->adopting)
		return;
	c->adopting = false;
	c->broker->nr_adopting--;
	evd_bury_socket(c->adopt_fd, c->account->uid);
}

static void judge(struct evd_conn *c)
{
	char text[EVP_TEXT_MAX];

	if (!let_in(c, c->adopt_fd, c->adopt_seq, text))
		refuse(c, c->adopt_fd, c->adopt_seq, text);
	evd_adopt_abandon(c);
}

bool evd_adopt_step(struct evd_broker *b)
{
	struct evd_conn *c;

	for (c = b->nr_adopting ? b->conns : NULL; c; c = c->next) {
		if (c->adopting && !c->doomed && c->adopt_turn != b->nr_turns)
			judge(c);
	}
	return b->nr_adopting > 0;
}
