/* SPDX-License-Identifier: MIT */
/*
 * The broker's loop: everything it does starts here.
 *
 *   1. wait for messages; not at all while work is left
 *   2. handle a bounded number of messages of everybody who has some (share.c)
 *   3. one step of every long operation (resets, ending domains)
 *   4. take away the connections that ended
 *   5. let in who was accepted, or put off, in the turn before (accept.c, adopt.c)
 *   6. leave when nobody is left, if asked to
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "listen.h"
#include "share.h"
#include "state.h"

static char listener_tag, signal_tag; /* their addresses tell events apart */

static int watch(struct evd_broker *b, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/*
 * Out of descriptors.  Whoever waits to be accepted would wake us for ever, so
 * we look again when a connection has ended, and now and then.
 */
static void stop_accepting(struct evd_broker *b)
{
	(void)epoll_ctl(b->epoll, EPOLL_CTL_DEL, b->listener, NULL);
	b->is_full = true;
}

static void accept_again(struct evd_broker *b)
{
	if (b->is_full && b->listener >= 0)
		b->is_full = watch(b, b->listener, &listener_tag) != 0;
}

/* --- 2 ---------------------------------------------------------------------- */

static uid_t heard; /* whose message is read */

static void bury_heard(int fd)
{
	evd_bury(fd, heard);
}

static void read_one(struct evd_conn *c, struct evp_packet *p)
{
	if (p->nr_fds && evd_bury_stuck(heard))
		evd_doom(c, "what its user has sent cannot be closed");
	else
		evd_request(c, p);
	evp_packet_close_fds(p);
}

static void read_some(struct evd_conn *c, struct evd_shares *s)
{
	struct evp_packet p;
	int rc;

	heard = c->account->uid;
	while (!c->doomed && !c->resetting && !c->adopting &&
	       evd_share_take(s, c)) {
		rc = evp_recv_packet(c->fd, &p, MSG_DONTWAIT);
		if (rc == -EAGAIN)
			return;
		if (rc == -EPROTO)
			evd_doom(c, "not a message of this protocol");
		else if (rc)
			evd_doom(c, NULL);
		else
			read_one(c, &p);
	}
}

static void on_conn(struct evd_conn *c, uint32_t events, struct evd_shares *s)
{
	if (c->doomed)
		return;
	if (events & EPOLLOUT)
		evd_conn_flush(c);
	if (c->resetting) {
		if (events & (EPOLLHUP | EPOLLERR))
			evd_doom(c, NULL);
		return;
	}
	read_some(c, s);
}

/* SIGHUP: the policy may have changed.  The others: the end. */
static void on_signal(struct evd_broker *b)
{
	struct signalfd_siginfo info;

	if (read(b->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		evd_policy_reload(b);
	else
		b->is_over = true;
}

static void dispatch(struct evd_broker *b, const struct epoll_event *ev,
		     struct evd_shares *s)
{
	if (ev->data.ptr == &listener_tag) {
		if (evd_accept(b))
			stop_accepting(b);
	} else if (ev->data.ptr == &signal_tag) {
		on_signal(b);
	} else if (!evd_line_event(b, ev->data.ptr) &&
		   !evd_console_event(b, ev->data.ptr)) {
		on_conn(ev->data.ptr, ev->events, s);
	}
}

/* --- 3 ---------------------------------------------------------------------- */

static bool step_resets(struct evd_broker *b)
{
	struct evd_conn *c;
	bool more = false;

	for (c = b->nr_resetting ? b->conns : NULL; c; c = c->next) {
		if (!c->resetting || c->doomed)
			continue;
		evd_hypercall_continue(c);
		more |= c->resetting;
	}
	return more;
}

/* Steps 3 and 4.  True: there is more to do. */
static bool work(struct evd_broker *b)
{
	bool more = step_resets(b);

	if (b->doomed) {
		evd_conns_reap(b);
		accept_again(b);
	}
	more |= evd_doms_step(b);
	/* What was sent on the way may have doomed somebody. */
	return more || b->doomed;
}

/* --- the loop --------------------------------------------------------------- */

/* Of two times to sleep, -1: for ever. */
static int shorter(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int timeout_of(struct evd_broker *b, bool more)
{
	int look = shorter(evd_halves_look(b), evd_recall_look(b));

	look = shorter(look, evd_relink_look(b));
	look = shorter(look, evd_lines_look(b));
	/* The last: who could not be told before may be later. */
	look = shorter(look, evd_conns_later(b));
	if (more || b->doomed)
		return 0;
	if (look >= 0)
		return look;
	if (b->is_full)
		return EVD_RETRY_MS;
	return b->exit_idle && !b->nr_conns ? EVD_IDLE_MS : -1;
}

/* Nothing happened for timeout_of(). */
static void on_quiet(struct evd_broker *b)
{
	if (b->is_full)
		accept_again(b);
	else /* a peer that never came counts as one that left */
		b->was_used = true;
}

static int turn(struct evd_broker *b, bool *more)
{
	struct evd_shares s = {.nr_users = 0, .nr_processes = 0};
	struct epoll_event ev[EVD_EVENTS_IN_TURN];
	uint32_t nr_arrived = b->nr_arrived; /* before we look */
	int i, n;

	n = epoll_wait(b->epoll, ev, EVD_EVENTS_IN_TURN, timeout_of(b, *more));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	/* Another one comes first each time, if not all of them are heard. */
	b->nr_turns++;
	for (i = 0; i < n; i++)
		dispatch(b, &ev[(b->nr_turns + (uint32_t)i) % (uint32_t)n], &s);
	if (n == 0 && !*more)
		on_quiet(b);
	*more = work(b);
	evd_admit(b, nr_arrived);
	*more |= evd_adopt_step(b);
	*more |= b->nr_arrived > 0;
	if (!*more && b->exit_idle && b->was_used && !b->nr_conns &&
	    !b->recalls)
		(void)evd_retire(b);
	return 0;
}

/* Without a policy SIGHUP ends us as it ends others. */
static void our_signals(const struct evd_broker *b, sigset_t *set)
{
	(void)sigemptyset(set);
	if (b->policy_path)
		(void)sigaddset(set, SIGHUP);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
}

void evd_hold_signals(const struct evd_broker *b)
{
	sigset_t set;

	our_signals(b, &set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int open_signals(struct evd_broker *b)
{
	sigset_t set;

	our_signals(b, &set);
	b->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signals < 0)
		return -errno;
	return watch(b, b->signals, &signal_tag);
}

static void close_everything(struct evd_broker *b)
{
	struct evd_conn *c;

	b->is_ending = true;
	evd_unlisten(b);
	for (c = b->conns; c; c = c->next)
		evd_doom(c, NULL);
	evd_conns_reap(b);
	while (evd_doms_step(b))
		;
}

int evd_run(struct evd_broker *b)
{
	bool more = false;
	int rc = 0;

	evp_close_foreign = bury_heard;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll < 0)
		rc = -errno;
	if (!rc)
		rc = watch(b, b->listener, &listener_tag);
	if (!rc)
		rc = open_signals(b);
	if (!rc)
		rc = evd_console_watch(b);
	while (!rc && !b->is_over)
		rc = turn(b, &more);
	if (rc)
		evd_log(NULL, "cannot go on: %s", strerror(-rc));
	close_everything(b);
	return rc;
}
