/* SPDX-License-Identifier: MIT */
/*
 * Upcalls: at safe points, or by a signal.
 *
 * Whoever posts (deliver.c) sets the upcall flag, and who found it clear tells the
 * vCPU (vcpu.c).  What the vCPU does about it is here.
 *
 * The signal is the interrupt wire.  It says nothing but "look at your flag",
 * so one that comes late, or for nothing, does no harm; and it is sent after the
 * flag was set, once for each time the flag goes from 0 to 1, so none is missing.
 * The handler takes the upcall, unless
 *
 *   upcalls are masked      evg_plat_upcalls_restore() takes it, or the next
 *                           return from a call of this library
 *   this thread is inside   the call takes it when it returns: evp_end()
 *
 * Handler and interrupted code are one thread, so all that could part them is
 * the compiler: evp_barrier() stands where it must not.
 *
 * Reading order: upcalls, inside, the signal.
 */
#include <errno.h>
#include <signal.h>

#include "guest.h"

#define MAX_UPCALLS 16 /* in a row, at one safe point */

/* --- upcalls ---------------------------------------------------------------- */

static void take_upcall(struct evp_vcpu *v)
{
	uint64_t mark = evp_trace_begin(v->guest, EVP_TRACE_UPCALL, 0, 0);
	struct evp_vcpu *before;

	evp_note(v->guest, &v->guest->counts->upcalls);
	before = evp_enter(v);
	evp_barrier();
	v->guest->callback();
	evp_barrier();
	(void)evp_enter(before);
	evp_trace_end(v->guest, mark, EVP_TRACE_UPCALL);
}

void evp_take_upcalls(struct evp_vcpu *v)
{
	int i;

	for (i = 0; i < MAX_UPCALLS && evp_is_deliverable(v); i++) {
		evb_u8_store_relaxed(evp_upcall_mask(v), 1);
		evp_barrier();
		/* The signal may have been here first. */
		if (evb_u8_load_relaxed(evp_upcall_flag(v)))
			take_upcall(v);
		evp_barrier();
		evb_u8_store_relaxed(evp_upcall_mask(v), 0);
		evp_barrier();
	}
	/*
	 * What a handler keeps sending to itself waits for the next time.  Where
	 * the signal is what brings it, it has to come again.
	 */
	if (v->guest->signal && evp_is_deliverable(v))
		(void)raise(v->guest->signal);
}

unsigned long evg_plat_upcalls_save(struct evg_guest *evg)
{
	struct evp_vcpu *v = evp_this(evg->host);
	unsigned long saved;

	if (!v)
		return 1;
	/* Relaxed: the flag is set and the mask read by this thread only. */
	saved = evb_u8_load_relaxed(evp_upcall_mask(v));
	evb_u8_store_relaxed(evp_upcall_mask(v), 1);
	evp_barrier();
	return saved;
}

void evg_plat_upcalls_restore(struct evg_guest *evg, unsigned long saved)
{
	struct evp_vcpu *v = evp_this(evg->host);

	if (!v)
		return;
	evp_barrier();
	evb_u8_store_relaxed(evp_upcall_mask(v), (uint8_t)saved);
	evp_barrier();
	if (evp_is_deliverable(v))
		evp_take_upcalls(v);
}

/* --- inside ----------------------------------------------------------------- */

/*
 * For all guests of the thread together: a handler of one may use the others,
 * and would find their locks taken.
 */
static _Thread_local uint32_t inside;

void evp_begin(void)
{
	inside++;
	evp_barrier();
}

static void take_all(int signal)
{
	struct evp_vcpu *v;

	for (v = evp_mine(); v; v = v->next_mine) {
		if (v->guest->signal == signal)
			evp_take_upcalls(v);
	}
}

void evp_end(void)
{
	struct evp_vcpu *v;

	evp_barrier();
	inside--;
	evp_barrier();
	for (v = inside ? NULL : evp_mine(); v; v = v->next_mine) {
		if (v->guest->signal && evp_is_deliverable(v))
			evp_take_upcalls(v);
	}
}

/* --- the signal ------------------------------------------------------------- */

static void on_signal(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	struct evp_vcpu *v;

	(void)info;
	(void)context;
	for (v = evp_mine(); v; v = v->next_mine)
		evb_u32_store_relaxed(&v->interrupted,
				      evb_u32_load_relaxed(&v->interrupted) +
					      1);
	if (!inside)
		take_all(signal);
	errno = saved;
}

/*
 * Not those the kernel raises for a fault, and no real-time ones: they queue,
 * and one that finds the queue full is lost.
 */
static bool can_interrupt(int signal)
{
	static const int usable[] = {SIGUSR1, SIGUSR2, SIGIO,
				     SIGURG,  SIGPWR,  SIGWINCH};
	size_t i;

	for (i = 0; i < sizeof(usable) / sizeof(usable[0]); i++) {
		if (usable[i] == signal)
			return true;
	}
	return false;
}

/*
 * It stays installed when the guest goes: a signal that is on its way would
 * otherwise end the process.
 */
int evp_signal_prepare(int signal)
{
	struct sigaction now, ours = {.sa_flags = SA_SIGINFO | SA_RESTART};

	if (!can_interrupt(signal) || sigaction(signal, NULL, &now))
		return evp_fail(-EINVAL,
				"upcall_signal %d cannot bring upcalls: take "
				"SIGUSR1, SIGUSR2, SIGIO or SIGURG",
				signal);
	if (now.sa_flags & SA_SIGINFO
		    ? now.sa_sigaction != on_signal
		    : now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)
		return evp_fail(-EBUSY,
				"the program handles signal %d itself: choose "
				"another upcall_signal",
				signal);
	ours.sa_sigaction = on_signal;
	(void)sigemptyset(&ours.sa_mask);
	return sigaction(signal, &ours, NULL) ? -errno : 0;
}
