/* SPDX-License-Identifier: MIT */
/*
 * evtchnd: the hypervisor of the process host.  Single-threaded.
 *
 * Four kinds of objects, none of which is another:
 *
 *   connection   a socket with a peer process (conn.c)
 *   domain       a domid and a port space in core/ (domain.c); lives as long as
 *                a connection holds it
 *   attachment   a connection that owns ports of its domain and receives their
 *                events (lanes.c); a domain has up to EVD_MAX_ATTS
 *   link         two connected ports and the slots they use in the lanes
 *                between their attachments (link.c)
 *
 * The core is called from hypercall.c, domain.c, owner.c, notice.c and kept.c only.  Its delivery table
 * (deliver_lane.c) writes into the broker's own lanes and notes which ports
 * were closed; evd_links_sync() acts on these notes when the core has
 * returned.
 *
 * A connection is never closed in the middle of something: evd_doom() marks
 * it, loop.c takes it away when the current message is done.
 *
 * Reading order: loop.c, conn.c, requests.c, hypercall.c, restrict.c, domain.c,
 * owner.c, link.c, lanes.c, takeover.c, deliver_lane.c, notice.c, reattach.c;
 * policy.h for who may have how much, sources.h for events no domain sends,
 * grants.h for shared pages, kept.h for ports of the domain's own; evtchnd.c
 * and listen.c for starting up.
 */
#ifndef EVTCHND_BROKER_H
#define EVTCHND_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <evc/evc.h>

#include "../control.h"
#include "../counts.h"
#include "../port_lane.h"
#include "../proto.h"
#include "lanes.h"
#include "policy.h"
#include "sources.h"

#define EVD_MAX_CONNS	    8192
#define EVD_MAX_ATTS	    1024 /* of one domain */
#define EVD_MAX_DOMAINS	    4096
#define EVD_RESERVE	    8 /* one of 8 is left to our user and root */
#define EVD_MAX_QUEUE	    (1u << 20) /* bytes waiting for one peer to read */
#define EVD_QUEUE_PER_PORT  256	       /* bytes more, for each of its domain */
#define EVD_MAX_AWAITED	    64	       /* unanswered news before links stop */
#define EVD_MSGS_OF_PROCESS 4	       /* before others get theirs: share.c */
#define EVD_MSGS_OF_USER    16
#define EVD_ACCEPTS_IN_TURN 4
#define EVD_ADOPTS_AT_ONCE  4 /* put off: adopt.c */
/*
 * Socket, rope, counts, the domain's counts, two in a message that waits for
 * room.  A pair of lanes keeps none, and LANE does not wait: evd_offer().
 */
#define EVD_FDS_PER_CONN 6
#define EVD_FDS_PER_ATT	 2 /* rope, counts */
/* Descriptors sent to one peer and not read: always; if there is room. */
#define EVD_SURE_UNREAD	 6
#define EVD_MAX_UNREAD	 64
#define EVD_FDS_RESERVED (32 + EVD_MAX_LINES)
#define EVD_MAX_REGIONS	 8192  /* descriptors kept for grants: grants.h */
#define EVD_LATER_MS	 10    /* send again what the kernel had no room for */
#define EVD_IDLE_MS	 10000 /* look again whether nobody wants us */
#define EVD_RETRY_MS	 1000 /* accept again after running out of descriptors */
#define EVD_NR_PORTS	 EVTCHN_FIFO_NR_CHANNELS
#define EVD_NR_BUCKETS	 (EVD_NR_PORTS / EVC_BUCKET_PORTS)

enum evd_state {
	EVD_NEW,      /* has not said HELLO */
	EVD_QUERY,    /* may ask, reserve, attach */
	EVD_SESSION,  /* holds a domain */
	EVD_ATTACHED, /* is one */
};

/* A message that the peer's socket had no room for. */
struct evd_out {
	struct evd_out *next;
	size_t len;
	unsigned int nr_fds;
	int fd[EVP_FDS_MAX];
	unsigned char bytes[];
};

struct evd_conn {
	struct evd_broker *broker;
	struct evd_conn *next, **at; /* of all; @at: what points here */
	struct evd_conn *next_doomed;
	int fd;
	enum evd_state state;
	pid_t pid;
	uid_t uid;
	struct evd_account *account; /* to whom it is charged */
	uint64_t id, session;	     /* adopted: by which; 0: by none */
	uint32_t only_domid;	     /* adopted: the domain it may attach to */
	struct evd_dom *dom;	     /* held */
	struct evd_att *att;
	struct evd_out *out, **out_tail;
	size_t out_bytes;
	uint32_t nr_unread;  /* descriptors it may not have read */
	uint32_t nr_waiting; /* of these, not even sent */
	uint32_t watched;    /* events asked for */
	bool doomed;
	bool is_later; /* the kernel had no room, though the peer has */
	/* A reset that goes on between the messages of others. */
	bool resetting;
	struct evp_result reset;
	uint32_t reset_seq;
	/* An ADOPT that is put off: adopt.c. */
	bool adopting;
	int adopt_fd;
	uint32_t adopt_seq, adopt_turn;
	struct evd_grants
		*grants;	 /* NULL: neither shares nor maps (grants.h) */
	struct evd_kept *awaits; /* a WAIT not answered yet */
	struct evd_conn *next_waiter;
	uint32_t wait_seq;
	bool is_given; /* it was answered, and may not have read it */
};

/*
 * What the broker knows of a port besides what the core does.  An open port has
 * an owner, unless it is an orphan, kept, or nobody is attached to the domain
 * (who has not claimed all yet is not).
 */
struct evd_port {
	struct evd_att *att; /* who owns it */
	struct evd_link *link;
	struct evd_port *next_closed;
	struct evd_dom *dom;
	evtchn_port_t port;
	uint32_t nr_closings;
	uint32_t nr_holds; /* somebody has still to send on it: hold.c */
	bool closed;	   /* is on the list of closed ports */
	bool orphan;	   /* its owner died: will be closed */
	bool parked; /* an event waits for an owner; an orphan's never gets one */
	bool claimed;		   /* its owner had it with a former broker */
	bool watched;		   /* the peer's end is an event */
	bool wants_line;	   /* a PIRQ's that has not come back */
	struct evd_half *half;	   /* its peer has not come back: reattach.c */
	struct evd_kept *kept;	   /* the domain's own: no attachment gets it */
	struct evd_port *bound_by; /* a kept one that is connected to it */
};

enum evd_work {
	EVD_IDLE,
	EVD_CLEAR,   /* an attachment died: close what it left behind */
	EVD_DESTROY, /* nobody holds it any more */
};

struct evd_dom {
	struct evc_domain core;
	struct evc_vcpu vcpu[EVP_VCPUS_MAX];
	evb_u32 pirq_port[EVP_NR_LINES];
	uint64_t may_bind[EVP_NR_LINES / 64]; /* lines */
	void *page;
	struct evd_broker *broker;
	struct evd_dom *next;
	struct evd_dom *next_busy;
	struct evd_account *account; /* whose it is: who made it */
	struct evd_dom *next_owned;
	uint32_t nr_holders;
	struct evd_att *atts, **atts_tail; /* the oldest first */
	uint32_t nr_atts;
	enum evd_work work; /* other than EVD_IDLE: it is on the busy list */
	bool reset_left;    /* EVD_CLEAR: by somebody who died */
	evtchn_port_t next_orphan; /* EVD_CLEAR: look from here on */
	struct evd_kept *kept;
	struct evp_counts *counts; /* of these, made with the first */
	int counts_fd;
	pid_t pid; /* of one who holds it; the first, if it does */
	char name[EVP_NAME_MAX];
	struct evd_table *grants; /* NULL: never had any */
	uint8_t handle[16];	  /* tells it from the next one of its number */
	bool recalled;		  /* has what a killed broker wrote down */
	/*
	 * Last, and in this order: of a domain with few ports only the first
	 * pages of it are ever used.
	 */
	uint64_t map[EVC_MAP_WORDS(EVD_NR_BUCKETS)];
	struct evc_channel
		*bucket[EVD_NR_BUCKETS]; /* and evd_ports: evd_port() */
};

struct evd_att {
	struct evd_conn *conn;
	struct evd_dom *dom;
	struct evd_att *next; /* of the same domain */
	char name[EVP_NAME_MAX];
	uint32_t nr_vcpus;
	uint32_t nr_ports;	    /* that its ABI has room for: width.c */
	int rope;		    /* of its bell */
	int counts;		    /* what it counts, or -1 */
	struct evp_port_lane *lane; /* from the broker */
	struct evd_pair *pairs;
	/* News it has to answer, in order. */
	struct evd_link *awaited, **awaited_tail;
	uint32_t nr_awaited;
	bool is_limited; /* opens nothing but channels to @limit */
	domid_t limit;
	uint32_t nr_claim_pages; /* it may still send, and nothing else */
	/* It has to read before it gets more lanes: relink.c. */
	struct evd_att *next_slow, **at_slow;
	evtchn_port_t relink_port;
};

/* Two lanes.  Index 0 and 1: the attachment, and the lane into it. */
struct evd_pair {
	struct evd_att *att[2];
	struct evd_pair *next[2]; /* in att[i]'s list */
	uint64_t id[2];
	bool useless;			  /* only one of them was told */
	uint64_t used[2][EVP_LANE_WORDS]; /* slots */
	uint32_t nr_used[2];
};

enum evd_phase {
	EVD_LIVE,
	EVD_WAIT_ACK,	/* from the end that was not closed */
	EVD_WAIT_CLEAN, /* from the one that was, or from both in turn */
};

/* Index 0 and 1: the two ends. */
struct evd_link {
	uint64_t id;
	struct evd_pair *pair;	/* NULL: one attachment, or one died */
	unsigned int side[2];	/* of end i in the pair */
	struct evd_att *att[2]; /* NULL: died */
	struct evd_dom *dom[2]; /* as long as EVD_LIVE */
	evtchn_port_t port[2];
	uint32_t slot[2]; /* in the lane into end i */
	enum evd_phase phase;
	unsigned int closer;
	uint32_t nr_closings; /* of the other end, when the closer's was */
	unsigned int cleaner; /* EVD_WAIT_CLEAN: whose slot it is about */
	bool unasked;	      /* another attachment closed the closer's port */
	struct evd_link *next_awaited;
};

/* What is charged to a user: account.c. */
struct evd_account {
	struct evd_account *next;
	uid_t uid;
	struct evd_dom *doms;
	uint64_t nr_conns, nr_doms, queued, nr_fds, nr_mapped;
	uint32_t nr_regions; /* may outlive his connections */
	uint32_t nr_bytes;
};

/* Somebody as he was when he connected. */
struct evd_peer {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* until the next one is looked at */
	size_t nr_groups;
};

/* What a peer may see in listings. */
struct evd_view {
	const struct evd_conn *conn;
	struct evd_peer peer;
	bool all;
};

struct evd_broker {
	struct evc_machine machine;
	const char *path, *policy_path;
	struct evd_policy *policy; /* NULL: for our user and root only */
	struct evd_account *accounts;
	mode_t mode;			    /* of the socket */
	int listener, epoll, signals, lock; /* lock: held while we live */
	bool exit_idle, verbose, was_used, is_over;
	bool is_ending; /* it is we who end, not those who leave us: hold.c */
	bool is_full;	/* cannot accept: the listener is not watched */
	int arrived[EVD_ACCEPTS_IN_TURN]; /* to be let in, or not */
	uint32_t nr_arrived;
	uint32_t nr_conns, max_conns, nr_doms;
	uint32_t nr_resetting, nr_adopting;
	/* Descriptors not read, of all connections, above what is sure. */
	uint32_t nr_unread, max_unread;
	struct evd_conn *conns;
	struct evd_conn *doomed; /* of these, those that end */
	struct evd_dom *doms;
	struct evd_dom *dom[DOMID_FIRST_RESERVED]; /* the same, by id */
	struct evd_dom *busy;			   /* those with work left */
	struct evd_port *closed;
	uint64_t id;	  /* which broker this is */
	uint64_t last_id; /* of connections, lanes, links and regions */
	uint32_t nr_turns;
	struct evd_half *halves, **halves_tail;
	struct evd_file *state;	     /* NULL: nothing is written down */
	struct evd_recalls *recalls; /* NULL: nothing waits for domains */
	int64_t look_at;	     /* at the halves, in ms */
	int look_ms;
	struct evd_att *slow, **slow_tail;
	int64_t relink_at;
	int relink_ms;
	uint32_t nr_later; /* connections */
	int64_t later_at;  /* in ms */
	uint32_t nr_regions, max_regions;
	struct evd_line line[EVP_NR_LINES];
	uint32_t nr_lines;
	struct evd_wanted *wanted[EVP_NR_LINES]; /* lines: pirq_again.c */
	uint32_t nr_wanted;
	bool permits_early; /* lines that have not come back */
	int console;	    /* if has_console */
	bool has_console;
	uint32_t nr_bytes; /* pages mapped for grants.h */
	/* The hypercall being executed: whose, and what is guest memory in it. */
	struct evd_att *caller;
	bool any_number; /* what is opened will be nobody's, or was his */
	uint8_t *arg;
	uint32_t arg_len;
};

/* --- log.c ------------------------------------------------------------------ */

/* One line on stderr; too many in too short a time are only counted. */
__attribute__((format(printf, 2, 3))) void evd_log(const struct evd_conn *c,
						   const char *fmt, ...);

/* --- conn.c ----------------------------------------------------------------- */

/* Serve @fd, whose peer was allowed to.  NULL: no memory; @fd is closed. */
struct evd_conn *evd_conn_new(struct evd_broker *b, int fd, uid_t payer);

/* Credentials of the peer; false: not to be served. */
bool evd_conn_peer(int fd, pid_t *pid, uid_t *uid);

/*
 * Queue or send one message.  Takes the descriptors over, whatever happens.
 * A peer that does not read, or has gone, is doomed.
 */
void evd_send(struct evd_conn *c, const void *msg, size_t len, const int *fd,
	      unsigned int nr_fds);
void evd_refuse(struct evd_conn *c, uint32_t seq, int rc, const char *text);

/*
 * Has @c read all it was sent?  A descriptor that is not read stays open, on our
 * account: who asks for one as often as he likes has to read the last one first.
 */
bool evd_has_read(const struct evd_conn *c);

/* The socket has room again. */
void evd_conn_flush(struct evd_conn *c);

/*
 * Now and then: has the kernel room for what it had none for?  Returns ms until
 * the next time, or -1.
 */
int evd_conns_later(struct evd_broker *b);

/* Close it soon.  @why: NULL for an ordinary end. */
void evd_doom(struct evd_conn *c, const char *why);

/* Take away every doomed connection. */
void evd_conns_reap(struct evd_broker *b);

/* --- bury.c ----------------------------------------------------------------- */

/*
 * Close @fd, but do not wait for it: @uid, whose account has it, may have
 * prepared it.
 */
void evd_bury(int fd, uid_t uid);

/* The same for a socket, where messages may wait, and others in them. */
void evd_bury_socket(int fd, uid_t uid);

/*
 * How many of @uid's are not closed yet, if these are many and close() waits for
 * him; else 0.
 */
uint32_t evd_bury_stuck(uid_t uid);

/* --- requests.c ------------------------------------------------------------- */

/* Handle one message; takes descriptors it wants out of @p. */
void evd_request(struct evd_conn *c, struct evp_packet *p);

/*
 * Accept those who wait, a bounded number.  -errno: nobody can be accepted
 * now, -EMFILE for example, though somebody waits.  And let the first @nr of
 * them in, or refuse them.
 */
int evd_accept(struct evd_broker *b);
void evd_admit(struct evd_broker *b, uint32_t nr);

/*
 * Is there room for another connection of @uid?  If not, why not, in @text.
 * Others cannot take the last ones from the broker's user and root.
 */
bool evd_has_room(const struct evd_broker *b, uid_t uid, char *text);

/* Say so to who is at the other end of @fd. */
void evd_refuse_socket(int fd, uint32_t seq, int rc, const char *text);

/* --- adopt.c ---------------------------------------------------------------- */

/*
 * Connect who is at the other end of @fd through the session @c, or refuse it.
 * True: neither yet, and @fd is kept.
 */
bool evd_adopt(struct evd_conn *c, int fd, uint32_t seq);

/* Those that were put off before this turn.  True: there are more. */
bool evd_adopt_step(struct evd_broker *b);
void evd_adopt_abandon(struct evd_conn *c); /* @c ends */

/* --- hypercall.c ------------------------------------------------------------ */

void evd_hypercall(struct evd_conn *c, const struct evp_hypercall *m);

/*
 * A hypercall of @c's domain that no attachment makes; @op, of @len bytes, is
 * its argument and is answered into.  Opens nothing for anybody.  -XEN_E...
 */
int evd_call(struct evd_conn *c, uint32_t cmd, void *op, size_t len);

/* One more step of a reset. */
void evd_hypercall_continue(struct evd_conn *c);

/* @c dies: a reset it began is its domain's to end. */
void evd_hypercall_abandon(struct evd_conn *c);

/* --- domain.c --------------------------------------------------------------- */

/*
 * Find or make the domain @want (EVP_DOMID_ANY: a free one) for @c.  -ENOSPC,
 * -ENOMEM, -EINVAL, -EACCES (the policy), -EDQUOT (@c's user has enough).
 */
int evd_dom_get(struct evd_conn *c, uint32_t want, const char *name,
		struct evd_dom **d);
struct evd_dom *evd_dom_find(const struct evd_broker *b, uint32_t domid);
/* The domain with the lowest id from @domid up. */
struct evd_dom *evd_dom_from(struct evd_broker *b, uint32_t domid);
void evd_dom_hold(struct evd_dom *d, struct evd_conn *c);
void evd_dom_release(struct evd_conn *c);

/* It ends, unless somebody holds it or is expected to. */
void evd_dom_unheld(struct evd_dom *d);

/* @work has to be done on @d: loop.c will.  EVD_DESTROY is never taken back. */
void evd_dom_begin(struct evd_dom *d, enum evd_work work);

/* Do all of it now; or one step, of every domain that has some. */
void evd_dom_finish(struct evd_dom *d);
bool evd_doms_step(struct evd_broker *b);

/* The broker's record of an existing port, or NULL. */
struct evd_port *evd_port(struct evd_dom *d, evtchn_port_t port);

/* --- link.c ----------------------------------------------------------------- */

/* News of a port; reattach.c sends these, too. */
void evd_tell_local(struct evd_att *a, evtchn_port_t port, evtchn_port_t peer);
void evd_tell_closed(struct evd_att *a, evtchn_port_t port, bool unasked);

/* If @port of @d is connected and both ends have owners, link them. */
void evd_link_try(struct evd_dom *d, evtchn_port_t port);

/* Act on the ports the core has closed. */
void evd_links_sync(struct evd_broker *b);

/* An ACK or CLEAN came.  False: nobody asked for it. */
bool evd_link_answer(struct evd_att *a, const struct evp_link_msg *m);

/* @p stays open, but not for its owner. */
void evd_link_shut(struct evd_port *p);

/* @p loses its owner: so does its end of the link. */
void evd_link_forget(struct evd_port *p);

/*
 * @p's owner starts over: the link ends as if @p were closed, but only the
 * other end is told.
 */
void evd_link_restart(struct evd_port *p);

/*
 * @a starts over, and has forgotten what it should still report: send every
 * event again that may be lost with that.
 */
void evd_links_resend(struct evd_att *a);

/* @a dies: nothing is awaited of it any more. */
void evd_links_forget(struct evd_att *a);

/* @p goes with one of its attachments; @a is the other. */
void evd_links_forget_pair(struct evd_att *a, const struct evd_pair *p);

/* --- owner.c ---------------------------------------------------------------- */

/*
 * May @a close, send on, move or unmask @port?  Its own ports, and those that
 * do not exist: what to answer then is the core's business.
 */
bool evd_may_use(const struct evd_att *a, evtchn_port_t port);

/*
 * Whose what others open in @d is: the longest-attached's.  Not one's that still
 * claims what it had: it would take a port given now for one of those.
 */
struct evd_att *evd_first_att(const struct evd_dom *d);

/* @port was opened, by another than @a, who owns it: tell @a. */
void evd_tell_given(struct evd_att *a, evtchn_port_t port);

/* @port was opened: it is @a's, or nobody's yet. */
void evd_own(struct evd_dom *d, evtchn_port_t port, struct evd_att *a);

/* @a is the first of its domain: hand over what happened before. */
void evd_own_all(struct evd_att *a);

/* @a dies: its ports are orphans. */
void evd_disown(struct evd_att *a);

/* Close some orphans of @d.  True: there are more. */
bool evd_close_orphans(struct evd_dom *d);

/*
 * Keep @port open, for one who has still to send on it.  False: no such port.
 * With release() it is sent on, if @notify, and closed, if it was to be.
 */
bool evd_port_hold(struct evd_dom *d, evtchn_port_t port);
void evd_port_release(struct evd_dom *d, evtchn_port_t port,
		      uint32_t nr_closings, bool notify);

/* For its owner a held port is closed now.  False: it is not held. */
bool evd_port_shut(struct evd_dom *d, evtchn_port_t port);

/* --- takeover.c ------------------------------------------------------------- */

/* @c's program was replaced by another one: begin anew with it. */
void evd_take_over(struct evd_conn *c, uint32_t seq);

/* --- restrict.c ---------------------------------------------------------------- */

/* 0 or -XEN_E...: what is not about @domid is refused from now on. */
int evd_restrict(struct evd_att *a, domid_t domid);

/* Is this hypercall, with this argument, refused to @a? */
bool evd_is_off_limits(const struct evd_att *a, uint32_t cmd,
		       const struct evp_result *r);

/* --- deliver_lane.c --------------------------------------------------------- */

extern const struct evc_deliver evd_deliver;

/* Raise an event on a port through the broker's lane, or park it. */
void evd_post(struct evd_dom *d, evtchn_port_t port);

/* --- notice.c --------------------------------------------------------------- */

/* An attachment wants to be told when the peer of a port is gone, or not. */
void evd_watch_peer(struct evd_conn *c, const struct evp_watch *m);

/* --- reattach.c ------------------------------------------------------------- */

/* Open again what an attachment had that came back. */
void evd_claims(struct evd_conn *c, const struct evp_claims *m, size_t len);

/* Another attempt, with an open port whose owner came back. */
void evd_claim_again(struct evd_port *p, const struct evp_claim *m);

/* @p is closed, or has a peer again; or will not get the one it had. */
void evd_half_drop(struct evd_port *p);
void evd_half_lose(struct evd_port *p);

/* Now and then: can they still come?  Returns ms until the next look, or -1. */
int evd_halves_look(struct evd_broker *b);

int64_t evd_now_ms(void);

/* Who we are, and where our successor will be. */
void evd_number_broker(struct evd_broker *b);
void evd_tell_place(struct evd_att *a);

/* --- dominfo.c -------------------------------------------------------------- */

/* Give a new domain its handle: zero for domain 0, else random. */
void evd_make_handle(struct evd_dom *d);

void evd_list_dominfo(struct evd_conn *c, const struct evp_dominfo *m);

/* --- loop.c ----------------------------------------------------------------- */

/* From here on a request to end waits until evd_run() can do it properly. */
void evd_hold_signals(const struct evd_broker *b);

int evd_run(struct evd_broker *b);

#endif /* EVTCHND_BROKER_H */
