/* SPDX-License-Identifier: MIT */
/*
 * A bare connection to the broker: what the command line needs, and what
 * attach.c is built on.  All return 0 or -errno (a count where said) and leave
 * a line for evp_error() when they fail.
 */
#ifndef EVP_CONTROL_H
#define EVP_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

/*
 * Connect to the broker at @path, without a word.  @fd: close-on-exec.
 *   -ENOENT, -ECONNREFUSED  no broker there
 */
int evp_control_connect(const char *path, int *fd);

/*
 * The absolute form of @name: a directory can be changed.  False: there is none
 * for a socket (it is too long, or empty), and @path is "".
 */
bool evp_absolute_path(const char *name, char path[EVP_PATH_MAX]);

/* A socket that may be a connection to a broker. */
bool evp_is_seqpacket(int fd);

/* Has the other end of @fd hung up?  Costs one poll(2). */
bool evp_is_hung_up(int fd);

/* Say HELLO; @broker_pid may be NULL. */
int evp_control_hello(int fd, uint32_t *broker_pid);

/*
 * Hold a domain as long as @fd is open, a new one or one that others hold as
 * well.  @want: an id or EVP_DOMID_ANY, a new one.  The connection can then be
 * handed to children as $EVTCHN_FD (after clearing its close-on-exec flag):
 * they attach through it, to this domain only.
 */
int evp_control_reserve(int fd, uint32_t want, const char *name,
			uint32_t *domid);

/* The same, and which broker that was (resume.c), unless @broker is NULL. */
int evp_control_reserve_at(int fd, uint32_t want, const char *name,
			   uint32_t *domid, uint64_t *broker);

/*
 * Connect to the broker at @path and say HELLO.  As the two; @fd is closed again
 * when that fails.
 */
int evp_control_open(const char *path, int *fd, uint32_t *broker_pid);

/* All of it: connect to @path, say HELLO, hold a domain. */
int evp_control_hold(const char *path, uint32_t want, const char *name, int *fd,
		     uint32_t *domid, uint64_t *broker);

/*
 * Open a connection of one's own through a session inherited as @session.
 * Several processes may use one session at the same time.
 */
int evp_control_adopt(int session, int *fd);

/*
 * One page of domains, or of open ports.  Start with all cursors 0; done when
 * the (first) cursor is UINT32_MAX.  @max at least EVP_DOMAINS_PER_PAGE resp.
 * EVP_PORTS_PER_PAGE.  Returns how many entries were filled in.
 */
int evp_control_domains(int fd, uint32_t *cursor, struct evp_domain_entry *e,
			size_t max);
int evp_control_list(int fd, uint32_t *domid, uint32_t *port,
		     struct evp_port_entry *e, size_t max);

/*
 * Raise a VIRQ in a domain, in all (EVP_DOMID_ANY), or, if it is a global one,
 * where it is handled (control_sources.c).
 *   Returns how many ports it was bound to; 0: it is lost.
 *   -EINVAL  no such VIRQ, or a global one and a domain
 *   -ESRCH   no such domain
 *   -EPERM   a session of an ordinary domain
 */
int evp_control_raise(int fd, uint32_t virq, uint32_t domid);

/*
 * Have a global VIRQ handled by another domain than it was.
 *   -EINVAL  not a global one, -EBUSY  the handler so far has it bound,
 *   -ESRCH, -EPERM  as above
 */
int evp_control_delegate(int fd, uint32_t virq, uint32_t domid);

/*
 * From now on PIRQ @line, below EVP_NR_LINES, is @desc, which stays the caller's:
 * something of which epoll(7) tells when it is readable.  Domain @domid, and
 * domain 0, may bind it; the line ends with that domain.  And let another one
 * bind it.  @again: it might with a former broker, so the line may come after the
 * permission, in the first 10 s of this one.
 *   -EINVAL  no such line; or a descriptor whose poll(2) the broker cannot trust:
 *            files, epoll and signalfd descriptors, Unix sockets, ...
 *   -EPERM   not pollable (EPOLL_CTL_ADD says so); or as above
 *   -EEXIST  the line is another descriptor already
 *   -ENOSPC  there are too many lines
 *   -ENOENT  PERMIT: there is no such line
 *   -ESRCH   no such domain
 */
int evp_control_line(int fd, uint32_t line, int desc, uint32_t domid);
int evp_control_permit(int fd, uint32_t line, uint32_t domid, bool again);

/*
 * Ports of the domain that session @fd holds, which are no attachment's: see
 * proto.h.  @name: NULL for none.  @e: the port, may be NULL.
 *   -ENOENT  no such port, domain or name     -EEXIST  the name is taken
 *   -EBUSY   the port is an attachment's; BIND: it is connected already
 *   others   as the hypercall
 */
int evp_control_port(int fd, enum evp_port_op op, uint32_t domid, uint32_t port,
		     const char *name, struct evp_port_entry *e);

/*
 * Take one event of a port, waiting for it until @deadline (CLOCK_MONOTONIC,
 * ns; INT64_MAX: none).  0: there was none in time.
 *   -EIDRM   the port was closed
 *   others   as above
 */
int evp_control_wait(int fd, uint32_t port, int64_t deadline);

/*
 * The counts of an attachment, @index from 0 up, and of the domain's own ports
 * (pid 0) after them.  @fd: to be mapped with evp_counts_map(); -1: it does not
 * tell.
 *   -ENOENT  there is no such domain, or not so many
 */
int evp_control_counts(int fd, uint32_t domid, uint32_t index,
		       struct evp_counts_are *who, int *counts);

/* --- building blocks, also for the tests ----------------------------------- */

#define EVP_FDS_MAX 4

/* One received message and the descriptors that came with it. */
struct evp_packet {
	union {
		struct evp_hdr hdr;
		unsigned char bytes[EVP_MSG_MAX];
		uint64_t align;
	} u;
	size_t len;
	int fd[EVP_FDS_MAX];
	unsigned int nr_fds;
};

void evp_hdr_init(struct evp_hdr *h, enum evp_type type, size_t len,
		  uint32_t seq);

/* Send one message, with @nr_fds descriptors.  @flags: MSG_DONTWAIT or 0. */
int evp_send_packet(int sock, const void *msg, size_t len, const int *fd,
		    unsigned int nr_fds, int flags);

/*
 * Receive one message and check its header.
 *   -EAGAIN      none there (MSG_DONTWAIT)
 *   -ECONNRESET  the other end is gone
 *   -EPROTO      not a message of this protocol; descriptors were closed
 */
int evp_recv_packet(int sock, struct evp_packet *p, int flags);

/*
 * A program may run without standard streams; what it prints must not end in
 * one of our descriptors.  Takes @fd over.  Negative stays negative.
 */
int evp_above_streams(int fd);

/* How a descriptor is closed that came and was not taken; close(2). */
extern void (*evp_close_foreign)(int fd);

/* Close the descriptors of a packet that were not taken. */
void evp_packet_close_fds(struct evp_packet *p);

/*
 * Ask, and wait for the answer, which must be a @type of @min_len bytes or
 * more.  -errno of a REFUSED, with its text for evp_error(); -EPROTO.
 */
int evp_ask(int fd, const void *msg, size_t len, struct evp_packet *p,
	    enum evp_type type, size_t min_len);

/* The same, with the descriptor @with sent along; it stays open here. */
int evp_ask_with(int fd, const void *msg, size_t len, int with,
		 struct evp_packet *p, enum evp_type type, size_t min_len);

/* Is this the answer to expect?  0, or as evp_ask(). */
int evp_check_answer(const struct evp_packet *p, enum evp_type type,
		     size_t min_len);

/* The second half of it. */
int evp_answer(int fd, struct evp_packet *p, enum evp_type type,
	       size_t min_len);

/*
 * The entries of a page that was answered, at most @max of @size bytes, to @to.
 * Returns how many; -EPROTO: the page is not as long as it says.
 */
int evp_take_entries(const struct evp_packet *p, const void *entries,
		     uint32_t count, void *to, size_t max, size_t size);

/* Fill a name field of a message, cutting what is too long. */
void evp_copy_name(char *to, const char *name);

/* Is it one?  It goes to other people's terminals. */
bool evp_is_name(const char *name);

/* Leave a line for evp_error(); returns @rc. */
__attribute__((format(printf, 2, 3))) int evp_fail(int rc, const char *fmt,
						   ...);

#endif /* EVP_CONTROL_H */
