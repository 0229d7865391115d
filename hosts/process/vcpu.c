/* SPDX-License-Identifier: MIT */
/*
 * Which thread is which vCPU, and how one is told that it has an event.
 *
 * A vCPU is a thread, from evp_vcpu_enter() to evp_vcpu_leave(); a thread may be
 * one vCPU of each of several guests.  It finds them in a list of its own.
 *
 * Telling, whoever posted: if the vCPU sleeps, its bell, an eventfd, is rung; if
 * it runs and wants upcalls by signal, it gets one; otherwise it looks by itself
 * at its next safe point.  The thread that posts for itself is told nothing: it
 * is inside, and looks on its way out.
 *
 * Reading order: the mutex, this thread, telling, keeping out, enter and leave.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* --- the mutex -------------------------------------------------------------- */

static void futex(evb_u32 *word, int op, uint32_t value)
{
	(void)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL,
		      NULL, 0);
}

void evp_mutex_wait(struct evp_mutex *m)
{
	while (evb_u32_xchg(&m->state, EVP_MUTEX_WANTED) != EVP_MUTEX_FREE)
		futex(&m->state, FUTEX_WAIT, EVP_MUTEX_WANTED);
}

void evp_mutex_wake(struct evp_mutex *m)
{
	futex(&m->state, FUTEX_WAKE, 1);
}

/* --- this thread ------------------------------------------------------------ */

/* In place before the first signal: its handler must not cause an allocation. */
static _Thread_local struct evp_vcpu *mine
	__attribute__((tls_model("initial-exec")));

struct evp_vcpu *evp_mine(void)
{
	return mine;
}

struct evp_vcpu *evp_find_mine(const struct evp_guest *g)
{
	struct evp_vcpu *v;

	for (v = mine; v && v->guest != g; v = v->next_mine)
		;
	return v;
}

static void forget_mine(const struct evp_vcpu *v)
{
	struct evp_vcpu **at = &mine;

	while (*at && *at != v)
		at = &(*at)->next_mine;
	if (*at)
		*at = v->next_mine;
}

/* --- telling ---------------------------------------------------------------- */

bool evp_ring(struct evp_vcpu *v)
{
	const uint64_t one = 1;
	/* MO-BLOCK: what was posted is there; pairs with guarded.c doze() */
	enum evp_asleep was = evp_take_mark(&v->asleep);
	ssize_t n;

	if (was == EVP_AWAKE)
		return false;
	n = write(v->bell, &one, sizeof(one));
	(void)n; /* it is readable already, then */
	return was == EVP_DOZING;
}

static void interrupt(const struct evp_vcpu *v)
{
	uint32_t tid = evb_u32_load(&v->tid);

	if (tid && evp_this(v->guest) != v)
		(void)syscall(SYS_tgkill, getpid(), (pid_t)tid,
			      v->guest->signal);
}

void evp_notice(struct evp_vcpu *v, bool raised)
{
	if (!evp_ring(v) && raised && v->guest->signal)
		interrupt(v);
}

void evp_notice_pollers(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_vcpus; i++) {
		/* MO-POLL: as MO-BLOCK */
		if (evb_u32_load(&g->vcpu[i].polling))
			(void)evp_ring(&g->vcpu[i]);
	}
}

/* --- keeping out ------------------------------------------------------------ */

void evp_chans_lock(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; g->guarded && i < g->nr_vcpus; i++)
		evp_mutex_lock(&g->vcpu[i].chans);
}

void evp_chans_unlock(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; g->guarded && i < g->nr_vcpus; i++)
		evp_mutex_unlock(&g->vcpu[i].chans);
}

/* --- enter and leave -------------------------------------------------------- */

static void let_in(int signal)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signal);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int make_bell(struct evp_vcpu *v)
{
	if (v->bell < 0)
		v->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return v->bell < 0 ? -errno : 0;
}

int evp_vcpu_enter(struct evp_guest *g, uint32_t vcpu)
{
	struct evp_vcpu *v = &g->vcpu[vcpu < g->nr_vcpus ? vcpu : 0];
	uint32_t nobody = 0;
	int rc;

	if (vcpu >= g->nr_vcpus)
		return evp_fail(-EINVAL, "vCPU %u: this guest has %u", vcpu,
				g->nr_vcpus);
	if (!g->guarded)
		return 0;
	if (evp_this(g))
		return evp_fail(-EBUSY, "this thread is vCPU %u",
				evp_this(g)->evg->id);
	if (!evb_u32_cas(&v->tid, &nobody, (uint32_t)syscall(SYS_gettid)))
		return evp_fail(-EBUSY, "another thread is vCPU %u", vcpu);
	rc = make_bell(v);
	if (rc) {
		evb_u32_store(&v->tid, 0);
		return evp_fail(rc, "no descriptor for vCPU %u", vcpu);
	}
	evp_adopt_current(g);
	evp_begin();
	v->next_mine = mine;
	evp_barrier();
	mine = v;
	if (g->signal)
		let_in(g->signal);
	/* What came before there was a thread is taken now. */
	evp_end();
	return 0;
}

void evp_vcpu_leave(struct evp_guest *g)
{
	struct evp_vcpu *v = evp_this(g);

	if (!g->guarded || !v)
		return;
	evp_guarded_disarm(v);
	forget_mine(v);
	evp_thread_forget(g);
	evb_u32_store(&v->tid, 0);
}

void evp_vcpus_forget(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; g->vcpu && i < g->nr_vcpus; i++)
		forget_mine(&g->vcpu[i]);
}
