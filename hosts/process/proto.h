/* SPDX-License-Identifier: MIT */
/*
 * What goes over the socket between a process and the broker (evtchnd).
 *
 * AF_UNIX, SOCK_SEQPACKET: one message is one packet.  Every message starts
 * with struct evp_hdr and has one exact size (a hypercall and the listings: a
 * size that follows from a count in them).  A message of another size, with
 * another magic, with descriptors nobody asked for or at the wrong moment
 * ends the connection.  Both ends are on one machine and of one build, so
 * numbers are in host order; the version guards against mixed installations.
 *
 * A connection goes through these states:
 *
 *   NEW --HELLO--> QUERY --RESERVE--> SESSION   holds a domain, may ADOPT
 *                        --ATTACH---> ATTACHED  is (part of) a domain
 *                        --REATTACH-> ATTACHED  was one of a former broker
 *
 * A domain may have several of both; all of them hold it.
 *
 * A connection handed in with ADOPT starts in QUERY and may attach only to the
 * domain of the session it came through, or be another session for it.  DOMAINS
 * and LIST are answered in QUERY and SESSION, DOMINFO in SESSION, HYPERCALL in
 * SESSION and ATTACHED, PORT and WAIT in SESSION, COUNTS in ATTACHED, ASK_COUNTS
 * in QUERY and SESSION; ACK, CLEAN, TAKE_OVER, RESTRICT and WATCH are taken in
 * ATTACHED, CLAIM after REATTACH, GRANT_... in SESSION: proto_grant.h has these.
 * VIRQ is for QUERY and SESSION, LINE and PERMIT for these and ATTACHED, each of
 * them for who may control the machine.
 *
 * Events do not come this way: see lane.h.  What comes is the news about which
 * lane and slot a port uses.  It is in the order in which the broker did
 * things, and everything that a hypercall caused precedes its RESULT, so a
 * client's idea of its ports is always one the broker had, too.
 *
 * Life of a connection between two attachments, called a link:
 *
 *   broker              closer C            other end O
 *   CONNECT      ----> to both; the binder's before its RESULT
 *   C closes its port:
 *   CLOSED       ---->  discards its in-slot from now on
 *   DISCONNECT   ------------------------>  drains its in-slot, delivers what
 *                                           was in it, stops sending
 *                <------------------------  ACK
 *   RETIRE       ---->  clears its in-slot
 *                <----  CLEAN
 *
 * C's in-slot can be used again after CLEAN, O's after ACK: a bit set late can
 * land on no other port.  When another attachment closed C's port (by a reset),
 * C may send until it has read CLOSED.  Then O's slot is not free after ACK:
 *
 *   RETIRE       ------------------------>  after C's CLEAN: clears its in-slot
 *                <------------------------  CLEAN; now it is
 *
 * O may send in C's slot until it has read DISCONNECT, while another one may be
 * bound to its port already.  So nobody drops what comes there after C's port
 * was closed: C says so with its CLEAN, O takes back what was not collected and
 * says so with its ACK (@unheard), and the broker sends it once more on O's
 * port, to whoever is there now.
 *
 *   A bit that arrives in a slot its receiver has not
 * heard of belongs to a CONNECT under way, and is kept for it.
 */
#ifndef EVP_PROTO_H
#define EVP_PROTO_H

#include <stdint.h>

#include <abi/event_channel.h>
#include <abi/xen.h>

#define EVP_MAGIC    0x43564531u /* "1EVC" */
#define EVP_VERSION  4
#define EVP_MSG_MAX  4096 /* bytes; no message is larger */
#define EVP_ARG_MAX  32	  /* bytes of a hypercall's structure */
#define EVP_NAME_MAX 32	  /* with the NUL */
#define EVP_TEXT_MAX 160  /* with the NUL */
#define EVP_PATH_MAX 108  /* of a socket address, with the NUL */

#define EVP_VCPUS_MAX 32 /* those with a vcpu_info in shared_info */

/* RESERVE, ATTACH: the lowest free id from 1 up; adopted: the session's. */
#define EVP_DOMID_ANY DOMID_INVALID

enum evp_type {
	/* to the broker; the answer is in the comment */
	EVP_HELLO = 1,		/* WELCOME */
	EVP_RESERVE = 2,	/* RESERVED */
	EVP_ATTACH = 3,		/* ATTACHED, with two descriptors */
	EVP_ADOPT = 4,		/* WELCOME, on the one descriptor sent along */
	EVP_HYPERCALL = 5,	/* RESULT */
	EVP_DOMAINS = 6,	/* DOMAIN_PAGE */
	EVP_LIST = 7,		/* LIST_PAGE */
	EVP_ACK = 8,		/* no answer */
	EVP_CLEAN = 9,		/* no answer */
	EVP_GRANT_REGION = 10,	/* GRANT_REGION_IS; comes with a memfd */
	EVP_GRANT_SHARE = 11,	/* GRANT_SHARED */
	EVP_GRANT_UNSHARE = 12, /* GRANT_DONE */
	EVP_GRANT_RESHARE = 26, /* GRANT_DONE */
	EVP_GRANT_MAP = 13,	/* GRANT_MAPPED, with a descriptor or none */
	EVP_GRANT_UNMAP = 14,	/* GRANT_DONE */
	EVP_DOMINFO = 15,	/* DOMINFO_PAGE; of domain 0 only */
	EVP_TAKE_OVER = 18,	/* TAKEN_OVER, with two descriptors */
	EVP_RESTRICT = 19,	/* RESULT without an argument */
	EVP_WATCH = 27,		/* RESULT without an argument */
	EVP_REATTACH = 28,	/* REATTACHED, with two descriptors */
	EVP_CLAIM = 29,		/* no answer */
	EVP_VIRQ = 21,		/* VIRQ_DONE */
	EVP_LINE = 22,		/* LINE_DONE; comes with a descriptor */
	EVP_PERMIT = 23,	/* LINE_DONE */
	EVP_PORT = 30,		/* PORT_IS; to CANCEL, TOOK no answer */
	EVP_WAIT = 31,		/* WAITED, when there was an event */
	EVP_COUNTS = 80,	/* no answer */
	EVP_ASK_COUNTS = 81,	/* COUNTS_ARE, with a descriptor */
	/* answers; seq is that of the question */
	EVP_WELCOME = 32,
	EVP_REFUSED = 33, /* to any question but those RESULT answers */
	EVP_RESERVED = 34,
	EVP_ATTACHED = 35,
	EVP_RESULT = 36,
	EVP_DOMAIN_PAGE = 37,
	EVP_LIST_PAGE = 38,
	EVP_GRANT_REGION_IS = 39,
	EVP_GRANT_SHARED = 40,
	EVP_GRANT_DONE = 41,
	EVP_GRANT_MAPPED = 42,
	EVP_DOMINFO_PAGE = 44,
	EVP_TAKEN_OVER = 47,
	EVP_REATTACHED = 56,
	EVP_VIRQ_DONE = 50,
	EVP_LINE_DONE = 51,
	EVP_PORT_IS = 60,
	EVP_WAITED = 61,
	EVP_COUNTS_ARE = 84,
	/* news; seq is 0 */
	EVP_LANE = 64, /* with four descriptors */
	EVP_CONNECT = 65,
	EVP_LOCAL = 66,
	EVP_DISCONNECT = 67,
	EVP_CLOSED = 68,
	EVP_RETIRE = 69,
	EVP_LANE_GONE = 70,
	EVP_GIVEN = 73,
	EVP_PEER_LOST = 74,
	EVP_PLACE = 75,
};

struct evp_hdr {
	uint32_t magic;
	uint16_t version;
	uint16_t type; /* enum evp_type */
	uint32_t len;  /* of the whole message */
	uint32_t seq;
};

/* --- questions ------------------------------------------------------------- */

struct evp_hello {
	struct evp_hdr hdr;
};

/* Hold a domain, which others may hold as well; @name: of a new one. */
struct evp_reserve {
	struct evp_hdr hdr;
	uint16_t domid; /* or EVP_DOMID_ANY */
	uint16_t pad;
	char name[EVP_NAME_MAX]; /* NUL-terminated, printable */
};

/* Become (part of) a domain, with private shared memory and vCPUs. */
struct evp_attach_req {
	struct evp_hdr hdr;
	uint16_t domid; /* or EVP_DOMID_ANY */
	uint16_t pad;
	uint32_t nr_vcpus; /* 1 to EVP_VCPUS_MAX, its own as its ports are */
	char name[EVP_NAME_MAX];
};

/*
 * Another connection, for this session's domain only.  The answer goes to the
 * socket that comes along as a descriptor, with the connection: a descriptor.
 */
struct evp_adopt {
	struct evp_hdr hdr;
};

struct evp_hypercall {
	struct evp_hdr hdr;
	uint32_t nr; /* __HYPERVISOR_event_channel_op, _physdev_op */
	uint32_t cmd;
	uint32_t vcpu;
	uint32_t arg_len;	  /* 0 .. EVP_ARG_MAX */
	uint8_t arg[EVP_ARG_MAX]; /* arg_len bytes of it are sent */
};

/* Is the end of @port's peer an event on @port? */
struct evp_watch {
	struct evp_hdr hdr;
	uint32_t port;
	uint32_t on; /* 0, 1 */
};

/*
 * Become an attachment again after the broker ended.  CLAIMs follow, without
 * waiting for the answer: what was open in it, ports ascending, and the last of
 * them says so.  Until then nothing else is taken but COUNTS and the answers to
 * news.  A claim that cannot be met is answered by CLOSED.  One for a connected
 * port opens it unbound, for the
 * peer; when the peer claims the other end the two are connected, and hear of it
 * by CONNECT.  PEER_LOST: that will not happen any more.  One for a PIRQ waits for
 * the line, up to 10 s.  One of the kind "closed"
 * is for a port that was connected, and closed without a broker.
 */
struct evp_reattach {
	struct evp_attach_req who; /* with the header; no ANY */
	uint64_t former;	   /* the broker that ended */
	uint16_t limit;		   /* RESTRICTed to it, or EVP_DOMID_ANY */
	uint8_t fifo;		   /* 1: it uses FIFO event channels */
	uint8_t pad[5];
};

struct evp_claim {
	uint32_t port;
	uint16_t domid;	 /* who may bind, or the peer's */
	uint8_t kind;	 /* EVTCHNSTAT_* */
	uint8_t watched; /* 0, 1 */
	uint32_t number; /* the peer's port, the VIRQ, the line */
	uint32_t vcpu;
	uint32_t pid; /* of the peer; 0: not known */
};

#define EVP_CLAIMS_PER_PAGE 200
/* Of one attachment, at most. */
#define EVP_CLAIM_PAGES (EVTCHN_FIFO_NR_CHANNELS / EVP_CLAIMS_PER_PAGE + 1)

/* @count of the claims are sent. */
struct evp_claims {
	struct evp_hdr hdr;
	uint32_t count;
	uint32_t last; /* 1: there are no more */
	struct evp_claim claim[EVP_CLAIMS_PER_PAGE];
};

/* The domains, or the open ports, from the given ones on. */
struct evp_domains {
	struct evp_hdr hdr;
	uint32_t domid;
};

struct evp_list {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t port;
};

#define EVP_DOMINFOS_PER_PAGE 64

/*
 * What a control domain may know of the domains from the given one on, @max of
 * them at most: each costs the broker a look at all its processes.
 */
struct evp_dominfo {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t max; /* 1 to EVP_DOMINFOS_PER_PAGE */
};

enum evp_virq_op {
	EVP_VIRQ_RAISE,
	EVP_VIRQ_DELEGATE, /* of the global ones: who handles it from now on */
};

/*
 * For those who control the machine: see broker/virq.c.  RAISE: a global VIRQ
 * goes to its handler, and @domid must be EVP_DOMID_ANY; another one goes to
 * all vCPUs of that domain, or of all with EVP_DOMID_ANY.
 */
struct evp_virq {
	struct evp_hdr hdr;
	uint32_t op; /* enum evp_virq_op */
	uint32_t virq;
	uint32_t domid;
	uint32_t pad;
};

#define EVP_NR_LINES 256

/*
 * LINE: PIRQ @line is the descriptor sent along, until domain @domid ends, which
 * may bind it.  PERMIT: @domid may bind that line, too.  @again: it might with a
 * former broker, and who makes the line may not be back yet.
 */
struct evp_line {
	struct evp_hdr hdr;
	uint32_t line; /* below EVP_NR_LINES */
	uint32_t domid;
	uint32_t again; /* 0, 1; LINE: 0 */
	uint32_t pad;
};

/* ACK: answers DISCONNECT.  CLEAN: answers RETIRE. */
struct evp_link_msg {
	struct evp_hdr hdr;
	uint64_t link;
	uint32_t unheard; /* 1: O sent an event that C did not take */
	uint32_t pad;
};

/*
 * The program was replaced, by exec(), and its memory and lanes with it: give
 * the new one lanes of its own.  What was sent before is to be thrown away, up
 * to the answer; after it come LANE, CONNECT and LOCAL for its ports, and one
 * event on each of them: nobody knows which of them had one.
 */
struct evp_take_over {
	struct evp_hdr hdr;
};

/* Nothing but channels to @domid from now on, and what is open already. */
struct evp_restrict {
	struct evp_hdr hdr;
	uint16_t domid;
	uint16_t pad[3];
};

/*
 * Ports of the domain itself: no attachment's, so they outlive the program that
 * made them and end with the domain.  An event on one stays with the broker
 * until somebody WAITs for it.  A port that is nobody's yet becomes one when a
 * session uses it; an attachment's is refused with -EBUSY.
 */
enum evp_port_op {
	EVP_PORT_ALLOC = 1, /* for @domid; @name may be "", else free */
	EVP_PORT_BIND = 2,  /* to @port of @domid, not 0; @name likewise */
	EVP_PORT_SEND = 3,
	EVP_PORT_CLOSE = 4,
	EVP_PORT_FIND = 5,   /* @domid's */
	EVP_PORT_NOTIFY = 6, /* @domid's: bind, send and close in one */
	EVP_PORT_CANCEL = 7, /* a WAIT that was not answered yet */
	EVP_PORT_TOOK = 8,   /* the answer to WAIT was read: no answer */
};

struct evp_port_req {
	struct evp_hdr hdr;
	uint16_t op; /* enum evp_port_op */
	uint16_t domid;
	uint32_t port; /* 0, but for ALLOC and BIND: the one called @name */
	char name[EVP_NAME_MAX];
};

/*
 * Wait for an event on @port, and take it.  One at a time.  It is the waiter's when
 * he says TOOK, or anything else but CANCEL: if he dies before, the next one has it.
 */
struct evp_wait_req {
	struct evp_hdr hdr;
	uint32_t port;
	uint32_t pad;
};

/* Here is, as a descriptor, what this attachment counts: see counts.h. */
struct evp_counts_msg {
	struct evp_hdr hdr;
};

/* The counts of attachment number @index; after the last, the domain's own. */
struct evp_ask_counts {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t index;
};

/* --- answers --------------------------------------------------------------- */

struct evp_welcome {
	struct evp_hdr hdr;
	uint32_t pid; /* the broker's */
	uint32_t pad;
};

struct evp_refused {
	struct evp_hdr hdr;
	int32_t rc; /* -errno */
	char text[EVP_TEXT_MAX];
};

struct evp_reserved {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t pad;
	uint64_t broker; /* which one this is, of all that ever ran */
};

/* Descriptors: the broker's lane (port_lane.h), its bell.  REATTACHED likewise. */
struct evp_attached {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t pad;
	uint64_t lane; /* from the broker to here */
};

/* Descriptors as those of ATTACHED. */
struct evp_taken_over {
	struct evp_hdr hdr;
	uint32_t domid;
	uint32_t
		nr_ports; /* open, and of this attachment: as many GIVENs follow */
	uint64_t lane;
};

struct evp_result {
	struct evp_hdr hdr;
	int32_t rc; /* as the hypercall returned it, -XEN_E... */
	uint32_t arg_len;
	uint8_t arg[EVP_ARG_MAX];
};

struct evp_domain_entry {
	uint16_t domid;
	uint8_t privileged;
	uint8_t pad;
	uint32_t nr_attached;
	uint32_t pid; /* of the first attached process, or of the session */
	uint32_t nr_ports;
	char name[EVP_NAME_MAX];
};

#define EVP_DOMAINS_PER_PAGE 64

/* @count of the entries are sent. */
struct evp_domain_page {
	struct evp_hdr hdr;
	uint32_t next; /* to go on with, or UINT32_MAX */
	uint32_t count;
	struct evp_domain_entry entry[EVP_DOMAINS_PER_PAGE];
};

struct evp_dominfo_entry {
	uint16_t domid;
	uint8_t dying; /* nobody holds it, its ports are being closed */
	uint8_t pad;
	uint32_t nr_vcpus;
	uint64_t cpu_ns; /* used by the processes attached now, since exec */
	uint8_t handle[16];
};

/* @count of the entries are sent. */
struct evp_dominfo_page {
	struct evp_hdr hdr;
	uint32_t next; /* to go on with, or UINT32_MAX */
	uint32_t count;
	struct evp_dominfo_entry entry[EVP_DOMINFOS_PER_PAGE];
};

/* As struct evtchn_status, plus what it belongs to. */
struct evp_port_entry {
	uint16_t domid;
	uint16_t peer_domid; /* unbound: who may bind; interdomain: the peer */
	uint32_t port;
	uint32_t status; /* EVTCHNSTAT_*, never closed */
	uint32_t vcpu;
	uint32_t peer;	/* interdomain: port; virq, pirq: its number */
	uint8_t linked; /* sends bypass the broker */
	uint8_t kept;	/* the domain's own: @name is the port's name */
	uint8_t pad[2];
	uint32_t pid; /* whose it is; 0: nobody's yet */
	char name[EVP_NAME_MAX];
};

#define EVP_PORTS_PER_PAGE 64

struct evp_list_page {
	struct evp_hdr hdr;
	uint32_t next_domid; /* to go on with, or UINT32_MAX */
	uint32_t next_port;
	uint32_t count;
	uint32_t pad;
	struct evp_port_entry entry[EVP_PORTS_PER_PAGE];
};

struct evp_virq_done {
	struct evp_hdr hdr;
	uint32_t nr_raised; /* ports; 0: nobody has bound it */
	uint32_t pad;
};

struct evp_line_done {
	struct evp_hdr hdr;
};

/* The port as it was (CLOSE) or is now. */
struct evp_port_is {
	struct evp_hdr hdr;
	struct evp_port_entry entry;
};

/*
 * 0: there was an event, and whoever reads this has it.  Otherwise there was
 * none: -ECANCELED, or -EIDRM: the port was closed.
 */
struct evp_waited {
	struct evp_hdr hdr;
	int32_t rc;
	uint32_t pad;
};

/* @pid 0: of the domain's own ports.  No descriptor: it does not tell. */
struct evp_counts_are {
	struct evp_hdr hdr;
	uint32_t pid;
	uint32_t pad;
	char name[EVP_NAME_MAX];
};

/* --- news ------------------------------------------------------------------ */

/*
 * A pair of lanes to another attachment.  Descriptors: the page of @in, the
 * page of @out, the rope of @out's bell, the bell of @in (kick.c).
 */
struct evp_lane_msg {
	struct evp_hdr hdr;
	uint64_t in;
	uint64_t out;
	uint32_t peer_domid;
	uint32_t peer_pid;
};

struct evp_connect {
	struct evp_hdr hdr;
	uint64_t link;
	uint64_t lane_in;
	uint64_t lane_out;
	uint32_t slot_in;
	uint32_t slot_out;
	uint32_t port;
	uint32_t peer; /* port of the peer */
};

/* Events sent on @port arrive at @peer, both of this attachment. */
struct evp_local {
	struct evp_hdr hdr;
	uint32_t port;
	uint32_t peer;
};

/*
 * DISCONNECT: @port's peer is gone.  @link 0: it was local, no ACK.
 * CLOSED: @port is closed.
 */
struct evp_port_msg {
	struct evp_hdr hdr;
	uint64_t link;
	uint32_t port;
	uint32_t unasked; /* CLOSED: another attachment closed it */
};

/* Nobody sends in this slot any more: clear it and say CLEAN. */
struct evp_retire {
	struct evp_hdr hdr;
	uint64_t link;
	uint64_t lane_in;
	uint32_t slot_in;
	uint32_t pad;
};

/* LANE_GONE: the other end of the pair died. */
struct evp_lane_gone {
	struct evp_hdr hdr;
	uint64_t in;
};

/*
 * GIVEN: @port is this attachment's, though it did not open it.  As in a claim.
 * PEER_LOST: see evp_reattach; nothing but @port is filled in.
 */
struct evp_given {
	struct evp_hdr hdr;
	struct evp_claim what;
	uint32_t pad;
};

/* What it takes to come back: follows ATTACHED, REATTACHED and TAKEN_OVER. */
struct evp_place {
	struct evp_hdr hdr;
	uint64_t broker; /* which one this is, of all that ever ran */
	uint16_t limit;	 /* as in REATTACH */
	uint16_t pad;
	char path[EVP_PATH_MAX]; /* where the next one will be, or "" */
	char name[EVP_NAME_MAX]; /* of the attachment */
};

_Static_assert(sizeof(struct evp_claims) <= EVP_MSG_MAX, "fits");
_Static_assert(sizeof(struct evp_domain_page) <= EVP_MSG_MAX, "fits");
_Static_assert(sizeof(struct evp_list_page) <= EVP_MSG_MAX, "fits");
_Static_assert(sizeof(struct evp_dominfo_page) <= EVP_MSG_MAX, "fits");

#endif /* EVP_PROTO_H */
