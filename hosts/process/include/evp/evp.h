/* SPDX-License-Identifier: MIT */
/*
 * The process host, seen from a program: be a domain, or part of one.
 *
 * A program calls evp_attach() and is a domain with one vCPU: it has a
 * shared_info page of its own, the guest library (evg/evg.h) on top of it, and
 * a broker (evtchnd) as its hypervisor.  Its hypercalls are those of a Xen
 * guest; the library's evg_plat_*() hooks are provided here.
 *
 *   struct evp_guest *g;
 *
 *   if (evp_attach(&g, NULL))
 *           errx(1, "%s", evp_error());
 *   ... bind ports and handlers with the guest library, on evp_evg(g) ...
 *   for (;;)
 *           evp_wait(g, EVP_FOREVER);
 *
 * Upcalls, and with them handlers, run inside evp_poll(), evp_wait(), a
 * blocking hypercall, and when the guest library lets upcalls in again; never
 * at any other moment, unless the program asks for it: with an upcall_signal
 * (struct evp_options) an event interrupts the vCPU whatever it is doing, as an
 * interrupt does.  See "Upcalls by signal" below.
 *
 * A domain may have many attachments, in one process or in several: each
 * evp_attach() makes one.  Port numbers are the domain's, the lowest free one is
 * next, but each port belongs to the attachment that opened it: its events come
 * there, and there only, and only there can it be closed, sent on, moved,
 * polled or unmasked.  Anybody else's hypercall for it answers -XEN_ENOTCONN,
 * as /dev/xen/evtchn does (-XEN_ENOTCONN is also what is answered without a
 * broker: see evp_broker_is_there()).  EVTCHNOP_status sees all ports of the
 * domain; EVTCHNOP_reset closes them all, whoever they belong to.  A port made
 * for this domain by another one belongs to the longest-attached, or to the
 * first to come.  When an attachment ends, by evp_detach() or because its
 * process died, its ports are closed, and nothing else is.
 *
 * So a library that offers handles attaches once for each of them:
 *
 *   struct evp_options o = {.domain = EVP_DOMAIN_ENV,
 *                           .spin_ns = EVP_SPIN_DEFAULT,
 *                           .name = "handle"};
 *
 *   evp_attach(&h->guest, &o);     ports, events and evp_fd() are the handle's
 *   evp_detach(h->guest);          closes its ports, and no other handle's
 *
 * With EVP_DOMAIN_ENV and neither $EVTCHN_FD nor $EVTCHN_DOMAIN set, each would
 * be a domain of its own: pass evp_domid() of the first one.  The guest of the
 * thread (evg_plat_this_guest()), which the guest library's functions without a
 * guest argument are about, is the one in whose handler they are called, else
 * the first that the thread attached, else that of the process: a library's
 * handles do not take its user's place.
 *
 * Common to all functions, unless said otherwise:
 *
 *   Returns  0 or -errno.
 *   Context  one thread at a time for one struct evp_guest: it is a vCPU.
 *            Several guests may live in several threads of one process.  Not
 *            from signal handlers.  After fork() the child may only call
 *            evp_abandon().
 *            With upcall_signal or nr_vcpus: the threads that are its vCPUs
 *            (evp_vcpu_enter()), all at once; any other one gets -EPERM, and
 *            -XEN_EPERM from a hypercall.
 *
 * FIFO event channels.  A guest is 2-level at first: 4,095 ports.  One that wants
 * priorities, or up to 131,071 ports, calls evg_fifo_start(evp_evg(g)) (evg/fifo.h)
 * whenever it likes, for several vCPUs before the others come in; the memory is lent
 * already.  EVTCHNOP_init_control, _expand_array and _set_priority answer as Xen's; a
 * frame number is an address of the process without its last 12 bits, and stays
 * mapped until evg_reset() or evp_detach(): an event for a page that is gone is a
 * fault of the program.
 *
 * Upcalls by signal.  With .upcall_signal = SIGUSR1 the thread that is the vCPU
 * gets that signal when an event comes, and the library's signal handler calls
 * the handlers bound with evg_bind_handler().
 *
 *   Held off   by evtchn_upcall_mask, as an interrupt would be: the events stay
 *              pending and are handled when evg_plat_upcalls_restore() lets
 *              them in, or, where the program writes the byte itself, by the
 *              next call of this library or hypercall; also while the thread is
 *              inside a call of this library or a hypercall, for its bounded
 *              time; while a handler runs; and by blocking the signal.
 *   Handlers   run in the signal handler, on the thread's stack, some 8 KiB of
 *              it: they may call what is async-signal-safe, anything of evg.h
 *              and irq.h but evg_poll() and evg_block(), and the functions of
 *              this header but evp_attach(), evp_detach(), evp_wait() and the
 *              vCPU calls, for any guest this thread is a vCPU of that has an
 *              upcall_signal.  No malloc(), no stdio, no lock that the
 *              interrupted code may hold; what they share with it is volatile
 *              or atomic, or touched by it with upcalls off:
 *
 *                 saved = evg_plat_upcalls_save(evp_evg(g));
 *                 ...
 *                 evg_plat_upcalls_restore(evp_evg(g), saved);
 *
 *   EINTR      the signal interrupts system calls of the program.  The handler
 *              is installed with SA_RESTART, so read(), write(), accept() and
 *              the like go on; poll(), select(), epoll_wait(), nanosleep() and
 *              others that signal(7) lists answer EINTR all the same.  evp_wait()
 *              and hypercalls do not: an upcall does not end them, another
 *              signal does.
 *   Costs      a thread (the listener), and a system call for a sender that
 *              finds nothing pending yet, though the receiver is awake.
 *
 * The signal's handler stays installed for the rest of the process's life.
 */
#ifndef EVP_EVP_H
#define EVP_EVP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/event_channel.h>
#include <abi/xen.h>

struct evg_guest;
struct evp_guest;

#define EVP_FOREVER	 INT64_C(-1)
#define EVP_DOMAIN_ENV	 (-1) /* $EVTCHN_DOMAIN, else any free one */
#define EVP_SPIN_DEFAULT INT64_C(-1)

/*
 * How to attach.  All zero but @domain = EVP_DOMAIN_ENV and @spin_ns =
 * EVP_SPIN_DEFAULT is what a NULL pointer means.
 *
 * @socket   path of the broker's socket; NULL: $EVTCHN_SOCKET, else the
 *           default (evp_default_socket())
 * @domain   the domain id to be; EVP_DOMAIN_ENV: $EVTCHN_DOMAIN, else any
 * @name     shown by `evtchn ls`; NULL: the program's name
 * @spin_ns  how long evp_wait() looks for events before it sleeps, at most: it
 *           looks less when that was in vain lately;
 *           EVP_SPIN_DEFAULT: $EVTCHN_SPIN_US, else 50 us, or 0 when this
 *           process may run on one CPU only
 *
 * @upcall_signal  SIGUSR1, SIGUSR2, SIGIO, SIGURG, SIGPWR or SIGWINCH: it brings
 *           upcalls to a running vCPU; 0: none does.  Several guests may
 *           have the same.  Real-time signals are refused: one that finds
 *           the queue full is lost.
 * @nr_vcpus 1 to EVP_MAX_VCPUS; 0: one
 *
 * When @socket is NULL and $EVTCHN_FD names an inherited session (`evtchn
 * run`), it is used instead of a socket path, and @domain, unless it is
 * EVP_DOMAIN_ENV, must be the session's.  Otherwise a domain that is there
 * already is joined.
 */
struct evp_options {
	const char *socket;
	int domain;
	const char *name;
	int64_t spin_ns;
	int upcall_signal;
	uint32_t nr_vcpus;
};

/*
 * evp_attach - become a domain.
 *
 * On success *@g is ready and its guest library initialised: no port open,
 * every port masked, upcalls on.
 *   -EINVAL        malformed option or environment variable, or a signal that
 *                  cannot bring upcalls
 *   -ENOENT, -ECONNREFUSED   no broker there
 *   -EACCES        the broker belongs to another user
 *   -EBUSY         this domain has its 1024 attachments, or the program has
 *                  a handler for upcall_signal
 *   -EPROTO        the other end is no evtchnd, or one of another version
 *   -ENOSPC        the broker has no room for another domain
 *   -ECONNRESET    the broker went away
 *   -ENOMEM, -EMFILE, ...    this process has no room
 * evp_error() then says what happened, and what to do, in one line.
 */
int evp_attach(struct evp_guest **g, const struct evp_options *o);

/*
 * evp_detach - leave.  Its ports are closed, peers become unbound; the domain
 * ends unless somebody else holds it.  NULL is fine.  Not from a handler.  All
 * vCPUs but the caller's have left.
 */
void evp_detach(struct evp_guest *g);

/* In a child after fork(): drop what was inherited, without a word. */
void evp_abandon(struct evp_guest *g);

#define EVP_MAX_VCPUS 32

/*
 * evp_vcpu_enter - the calling thread is a vCPU of @g from now on.
 *
 * The thread that attached is vCPU 0.  A thread may be one vCPU of each of
 * several guests.  What came for a vCPU nobody was is handled now, if upcalls
 * come by signal, else at the next safe point.  Does nothing for a guest that has
 * neither upcall_signal nor several vCPUs.
 *   -EINVAL  no such vCPU
 *   -EBUSY   another thread is it, or this one is another of this guest
 *   -EMFILE, -ENFILE  no descriptor left
 */
int evp_vcpu_enter(struct evp_guest *g, uint32_t vcpu);

/*
 * evp_vcpu_leave - the calling thread is no vCPU of @g any more.
 *
 * Another one may be it; what is sent meanwhile waits.  Before the thread ends,
 * and before another one calls evp_detach().  Not from a handler.
 */
void evp_vcpu_leave(struct evp_guest *g);

/*
 * evp_inherit - let @g survive exec().
 *
 * Returns a descriptor that is not closed by exec() any more.  The program that
 * comes then hands its number to evp_take_over(); until it does, or if it never
 * does, @g's ports stay open as long as the descriptor is, and events wait.  It
 * is another one after the broker was started anew: ask again, it costs nothing.
 *   -ENOTCONN    the broker is gone
 *   -EOPNOTSUPP  @g has upcall_signal or several vCPUs
 */
int evp_inherit(struct evp_guest *g);

/*
 * evp_take_over - go on where the program before exec() stopped.
 *
 * *@g has the ports that the guest of @fd = evp_inherit() had: still bound,
 * connected and restricted as they were, but masked, with no handlers, and each
 * with an event pending: which of them had one died with the old program, so
 * none is lost, and some are spurious, which Xen's ABI allows.  Their peers may
 * see a spurious event, too.  The new guest is 2-level: of ports from 4,096 on,
 * which the old one may have had, events wait for evg_fifo_start().
 * evp_inherit() is in force again.
 *   -ENOTCONN  @fd is no such descriptor, or the broker is gone
 *   -EPROTO, -ENOMEM, -EMFILE, ...   as evp_attach()
 * On failure @fd is as it was.  Only for the program that took the old one's
 * place: while that lives and uses the guest, both would break.
 */
int evp_take_over(struct evp_guest **g, int fd);

/* The lowest open port of @g from @from on, or -1. */
int evp_next_port(const struct evp_guest *g, uint32_t from);

/*
 * evp_restrict - give up all rights but those to the open ports and to bind to
 * ports of @domid.  Kept by the broker, and by evp_take_over(); for good.
 *   -EACCES    it is restricted already
 *   -EINVAL    @domid is 0 or no domain id
 *   -ENOTCONN  the broker is gone
 */
int evp_restrict(struct evp_guest *g, domid_t domid);

/* Why the last evp_*() call of this thread failed: one line, no newline. */
const char *evp_error(void);

/* The guest library's object, for evg_*() calls. */
struct evg_guest *evp_evg(struct evp_guest *g);

domid_t evp_domid(const struct evp_guest *g);

/* The attachment's shared memory; the vcpu_info of its vCPUs is inside. */
struct shared_info *evp_shared_info(struct evp_guest *g);

/*
 * evp_poll - take the events that are there, run their handlers, do not wait.
 *
 * Returns how many ports became pending since the last evp_poll() or
 * evp_wait(), at least 1 if an upcall was taken; 0: nothing happened.  What a
 * peer sent that has just been ringing for nothing (evp_stats.storms
 * counts those) comes up to a millisecond later; evp_wait() wakes for it.
 * Bound: without a system call while nothing new was connected or closed and
 *        at most EVP_SCAN_LANES attachments are connected; one beyond that.
 */
int evp_poll(struct evp_guest *g);

#define EVP_SCAN_LANES 32

/*
 * evp_wait - as evp_poll(), but wait until there is at least one event.
 *
 * @timeout_ns  relative; 0: as evp_poll(); EVP_FOREVER: no limit
 * Returns as evp_poll(), so 0 means the timeout; or
 *   -EINTR       a signal was caught, or the process was stopped and continued
 *   -ECONNRESET  the broker is gone, no port is open, and no timeout was
 *                given: nothing can ever come
 */
int evp_wait(struct evp_guest *g, int64_t timeout_ns);

/*
 * For a program with a loop of its own around poll(2) or epoll(7):
 *
 *   evp_fd()   readable (POLLIN, never anything else) when evp_poll() has
 *              something to do, provided that
 *   evp_arm()  was called since the last evp_poll(): it tells the peers to
 *              ring.  Returns true when there is something already: do not
 *              sleep, poll again.
 *
 * With upcall_signal or nr_vcpus the descriptor is one of the calling vCPU's own
 * (-EPERM: it is none); it may be readable once for nothing.
 */
int evp_fd(const struct evp_guest *g);
bool evp_arm(struct evp_guest *g);

/*
 * For such a loop: how many ns it should look, with evp_poll(), before it sleeps,
 * as evp_wait() would; 0: not at all.  After a look, say whether it found
 * something: looks that were in vain again and again become rare.
 */
int64_t evp_look_ns(struct evp_guest *g);
void evp_look_done(struct evp_guest *g, bool found);

/*
 * evp_watch_peer - make the end of @port's peer an event on @port.
 *
 * When the other end is closed, by its owner or by its owner's death, @port
 * becomes pending and its status is unbound; what the peer had sent before may
 * be the same event, as any two events may.  Holds, for one peer after the
 * other, until @port is closed or @on is false.  Off for a new port: on Xen
 * nobody is told.
 *
 * Returns as a hypercall
 *   -XEN_EINVAL    no such port, or not one that has or waits for a peer
 *   -XEN_ENOTCONN  the port is another attachment's, or there is no broker
 *   -XEN_EPERM     the calling thread is no vCPU of @g
 * A process counts as dead when all its descriptors are closed: a child that it
 * forked, and that has not called evp_abandon(), keeps it alive.
 */
int evp_watch_peer(struct evp_guest *g, evtchn_port_t port, bool on);

/*
 * evp_timer_set - have VIRQ_TIMER raised after some time, once or again and again.
 *
 * Each vCPU has one timer of each clock; setting it replaces it.  The event comes
 * to the port this attachment has bound to the vCPU's VIRQ_TIMER
 * (EVTCHNOP_bind_virq), without the broker; with none bound it is lost.  The
 * timers of the hypercalls (VCPUOP_set_singleshot_timer,
 * VCPUOP_set_periodic_timer; system time is CLOCK_MONOTONIC) are separate from
 * these two.  None of them outlives exec().
 *
 * EVP_CLOCK_WALL     time passes; an expiry wakes evp_wait(), and makes evp_fd()
 *                    readable
 * EVP_CLOCK_VIRTUAL  time passes while the calling thread, the vCPU, receives CPU
 *                    time.  It fires at the first safe point (evp_poll(),
 *                    evp_wait(), a hypercall that waits) after that; with an
 *                    upcall_signal also while it computes.  A thread that sleeps
 *                    receives none, so nothing is woken.
 *
 * @first_ns   from now, above 0
 * @period_ns  between two; 0: once.  Late ticks are one, and move what follows.
 *   -EPERM   this thread is no vCPU of @g
 *   -EINVAL  a time that is not ahead
 *   -EMFILE, -ENFILE, -ENOMEM  no descriptor for the first wall-clock timer
 * Bound: O(1).  While a timer is set evp_poll() reads the clock, which is no
 *        system call; it makes one when a timer expires.
 */
enum evp_clock {
	EVP_CLOCK_WALL,
	EVP_CLOCK_VIRTUAL,
};

int evp_timer_set(struct evp_guest *g, enum evp_clock clock, int64_t first_ns,
		  int64_t period_ns);
void evp_timer_stop(struct evp_guest *g, enum evp_clock clock);

/*
 * evp_pirq_add - make a physical interrupt line of a descriptor.
 *
 * PIRQ @pirq is asserted while @fd is readable: a UIO device, a terminal, an
 * eventfd, a timerfd, a pipe.  The broker watches it, and never reads it; a
 * driver gets at the device by a descriptor of its own.  Who has bound the line
 * (EVTCHNOP_bind_pirq) gets an event when it is asserted, and no other one before
 * he has ended it (PHYSDEVOP_eoi): if it is still readable then, that is at once.
 *
 * @pirq   0 to 255
 * @fd     stays the caller's, who may close it
 * @domid  may bind the line, as may domain 0; the line ends with that domain, and
 *         with a broker that is killed: then it is to be made again, within 10 s
 *         if whoever has it bound is to keep his port
 *   -EPERM   this is not domain 0; or @fd cannot be waited for
 *   -EINVAL  no such line; or one of those not to be trusted: files, epoll and
 *            signalfd descriptors, Unix sockets
 *   -EEXIST, -ENOSPC, -ESRCH  taken; 64 in all, or 32 of that domain; none
 *   -ENOTCONN  no broker
 */
int evp_pirq_add(struct evp_guest *g, uint32_t pirq, int fd, domid_t domid);

/* Let one more domain bind it.  -ENOENT: no such line; others as above. */
int evp_pirq_permit(struct evp_guest *g, uint32_t pirq, domid_t domid);

/*
 * False: evtchnd is gone.  Connected channels work on, nothing else does, until
 * another evtchnd listens in its place: then all that was open comes back by
 * itself, at the next hypercall or while waiting (docs/process-host.md).
 */
bool evp_broker_is_there(const struct evp_guest *g);

/* What happened so far; of vCPUs that run meanwhile, about so far. */
struct evp_stats {
	uint64_t sent_lane;   /* sends that found the slot clear */
	uint64_t sent_merged; /* sends that found it set: one event with it */
	uint64_t sent_local;  /* IPI, loopback */
	uint64_t sent_broker; /* sends through the broker */
	uint64_t rings;	      /* bells rung */
	uint64_t events;      /* times a port became pending */
	uint64_t discarded;   /* arrived for a port closed meanwhile */
	uint64_t upcalls;
	uint64_t sleeps;
	uint64_t hypercalls; /* messages to the broker */
	uint64_t timer;	     /* times VIRQ_TIMER was raised, bound or not */
	uint64_t storms;     /* times a peer that rang in vain was shut out */
};

void evp_get_stats(const struct evp_guest *g, struct evp_stats *s);

/*
 * The path of the broker's socket when none is given: $EVTCHN_SOCKET, else
 * $XDG_RUNTIME_DIR/evtchnd.sock, else /tmp/evtchn-UID/evtchnd.sock.
 *
 * @create  make the directory /tmp/evtchn-UID (mode 0700) if need be
 *   -ENAMETOOLONG  longer than a socket address can hold
 *   -EPERM         the directory belongs to somebody else, is open to others,
 *                  or is no directory
 *   others         as mkdir(2)
 */
int evp_default_socket(char *path, size_t size, bool create);

#endif /* EVP_EVP_H */
