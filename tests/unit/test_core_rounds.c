/* SPDX-License-Identifier: MIT */
/*
 * Two threads that meet at the same step of the ladder, a hundred thousand
 * times: one of the two must see the other, or the event is lost.
 *
 * Each side is "store mine, then load yours" (docs/memory-order.md).  A round
 * starts when both have arrived; after it the outcome is looked at.  Built
 * with -fsanitize=thread this is also the test of MO-PORTS.
 */
#include "tests/lib/fake_host.h"

#include <pthread.h>
#include <sched.h>

#define NR_ROUNDS 100000u
#define NR_SPINS  20000000u
#define PORT	  1 /* of domain 1, connected to port 1 of domain 0 */

static struct evc_domain *d0, *d1;
static evb_u32 nr_lost; /* rounds with a bad outcome, or where one hung */
static evb_u32 arrived;

/* True when *@word became @value within reason. */
static bool spin_until(const evb_u32 *word, uint32_t value)
{
	uint32_t i;

	for (i = 0; i < NR_SPINS; i++) {
		if (evb_u32_load(word) == value)
			return true;
		if (i % 64 == 63)
			(void)sched_yield();
	}
	return false;
}

/* The two threads' @n-th meeting, from 1.  The other may be gone already. */
static bool meet(uint32_t n)
{
	uint32_t i;

	(void)evb_u32_add(&arrived, 1);
	for (i = 0; i < NR_SPINS; i++) {
		if (evb_u32_load(&arrived) >= 2 * n)
			return true;
		if (i % 64 == 63)
			(void)sched_yield();
	}
	return false;
}

/* Not quite at the same time, a little differently every time. */
static void stagger(uint32_t i, uint32_t side)
{
	volatile uint32_t n = i * (side ? 7 : 13) % 64;

	while (n)
		n--;
}

static void start(void)
{
	evtchn_port_t p0, p1;

	fake_start(false);
	d0 = fake_domain(0);
	d1 = fake_domain(1);
	fake_connect(d1, d0, &p1, &p0);
	assert_int_equal(p0, PORT);
	assert_int_equal(p1, PORT);
	evb_u32_store(&nr_lost, 0);
	evb_u32_store(&arrived, 0);
}

static void *call(void *fn)
{
	(*(void (**)(void))fn)();
	return NULL;
}

static void run_two(void (*a)(void), void (*b)(void))
{
	void (*fn[2])(void) = {a, b};
	pthread_t t[2];
	int i;

	fake.threads = true;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, call, &fn[i]), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	fake.threads = false;
	assert_int_equal(evb_u32_load(&nr_lost), 0);
}

/* --- one action each, then a look at the outcome ----------------------------- */

/* What the guest does in the round, and what it starts from. */
struct litmus {
	void (*prepare)(void);
	void (*guest)(void);
	bool (*is_lost)(void);
};

static const struct litmus *litmus;

static void guest_side(void)
{
	uint32_t i;

	for (i = 1; i <= NR_ROUNDS && !evb_u32_load(&nr_lost); i++) {
		litmus->prepare();
		if (!meet(2 * i - 1))
			break;
		stagger(i, 0);
		litmus->guest();
		if (!meet(2 * i))
			break;
		if (litmus->is_lost())
			break;
	}
	if (i <= NR_ROUNDS)
		evb_u32_store(&nr_lost, i);
}

static void sender_side(void)
{
	uint32_t i;

	for (i = 1; i <= NR_ROUNDS && !evb_u32_load(&nr_lost); i++) {
		if (!meet(2 * i - 1))
			break;
		stagger(i, 1);
		if (evc_send(d0, PORT))
			break;
		if (!meet(2 * i))
			break;
	}
	if (i <= NR_ROUNDS)
		evb_u32_store(&nr_lost, i);
}

static void run_litmus(const struct litmus *l)
{
	litmus = l;
	start();
	run_two(guest_side, sender_side);
	fake_end();
}

static struct evc_vcpu *vcpu(void)
{
	return &d1->vcpu[0];
}

/* Pending, not masked, and nobody was told. */
static bool is_forgotten(void)
{
	return fake_pending(d1, PORT) &&
	       !(fake_selector(vcpu()) && fake_upcall(vcpu()));
}

static void make_quiet(void)
{
	fake_set_mask(d1, PORT, false);
	fake_clear_pending(d1, PORT);
	fake_clear_upcall(vcpu());
}

static void make_masked(void)
{
	make_quiet();
	fake_set_mask(d1, PORT, true);
}

static void unmask(void)
{
	(void)evc_unmask(d1, PORT);
}

static bool is_unmasked_and_forgotten(void)
{
	return !fake_pending(d1, PORT) || fake_masked(d1, PORT) ||
	       is_forgotten();
}

/* MO-MASK */
static void send_while_unmasking_is_announced(void **unused)
{
	static const struct litmus l = {make_masked, unmask,
					is_unmasked_and_forgotten};

	(void)unused;
	run_litmus(&l);
}

/* Something is left to collect from before, so that all rungs are set. */
static void make_announced(void)
{
	make_quiet();
	(void)evc_send(d0, PORT);
	fake_clear_pending(d1, PORT);
}

/* The guest: flag, selector, pending bit, in this order. */
static void collect(void)
{
	evb_u32 *info = evb_ptr_load_acquire(&vcpu()->info);

	(void)evb_u8_xchg(evb_ptr_load_acquire(&vcpu()->info), 0);
	if (evb_u32_xchg(&info[2], 0) & 1)
		fake_clear_pending(d1, PORT);
}

/* MO-SEL, MO-UPCALL */
static void send_while_collecting_is_announced(void **unused)
{
	static const struct litmus l = {make_announced, collect, is_forgotten};

	(void)unused;
	run_litmus(&l);
}

/* The event is delivered, or dropped; it does not stay behind. */
static void close_own(void)
{
	evtchn_port_t port = 0;

	(void)evc_close(d1, PORT);
	(void)evc_alloc_unbound(d1, DOMID_SELF, 0, &port);
	if (port != PORT)
		evb_u32_store(&nr_lost, UINT32_MAX);
}

static void reconnect(void)
{
	evtchn_port_t port;

	make_quiet();
	if (fake_status(d1, PORT).status == EVTCHNSTAT_interdomain)
		return;
	(void)evc_close(d0, PORT);
	(void)evc_bind_interdomain(d0, 1, PORT, &port);
}

static bool is_pending(void)
{
	return fake_pending(d1, PORT);
}

static void send_while_closing_leaves_nothing_pending(void **unused)
{
	static const struct litmus l = {reconnect, close_own, is_pending};

	(void)unused;
	run_litmus(&l);
}

/* --- MO-POLL ----------------------------------------------------------------- */

static evb_u32 answered;

/* Wait in SCHEDOP_poll until somebody ends the wait.  False: nobody did. */
static bool poll_once(const struct sched_poll *p)
{
	struct evc_vcpu *v = &d1->vcpu[0];
	uint64_t timeout;

	return evc_poll(v, (uintptr_t)p, &timeout) != EVC_BLOCK ||
	       spin_until(&v->poll, EVC_POLL_NONE);
}

/*
 * vCPU 0 of domain 1 polls port 1; nothing but the event ends its wait.  The
 * end of the last send may still wake it: then it polls again.
 */
static void polling_side(void)
{
	const evtchn_port_t port = PORT;
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint32_t i = 1;

	while (i <= NR_ROUNDS) {
		if (!poll_once(&p)) {
			evb_u32_store(&nr_lost, i);
			return;
		}
		if (!fake_pending(d1, port))
			continue;
		fake_clear_pending(d1, port);
		evb_u32_store(&answered, i++);
	}
}

static void sending_side(void)
{
	uint32_t i;

	for (i = 1; i <= NR_ROUNDS && !evb_u32_load(&nr_lost); i++) {
		(void)evc_send(d0, PORT);
		if (!spin_until(&answered, i))
			return;
	}
}

static void poller_of_one_port_is_woken_every_time(void **unused)
{
	(void)unused;
	start();
	evb_u32_store(&answered, 0);
	run_two(polling_side, sending_side);
	assert_int_equal(evb_u32_load(&answered), NR_ROUNDS);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

/* --- MO-PORTS ---------------------------------------------------------------- */

static void growing_side(void)
{
	evtchn_port_t port;

	while (!evc_bind_ipi(d1, 0, &port))
		;
}

/* Every new bucket, as soon as it is there. */
static void looking_side(void)
{
	evtchn_port_t port = 127;
	uint32_t spins;

	for (spins = 0; port < 4096 && spins < NR_SPINS; spins++) {
		if (!evc_unmask(d1, port))
			port += 64;
		else if (spins % 64 == 63)
			(void)sched_yield();
	}
	if (port < 4096)
		evb_u32_store(&nr_lost, port);
}

static void lookup_while_the_table_grows_finds_whole_buckets(void **unused)
{
	uint32_t i;

	(void)unused;
	for (i = 0; i < 20; i++) {
		start();
		run_two(growing_side, looking_side);
		fake_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(send_while_unmasking_is_announced),
		cmocka_unit_test(send_while_collecting_is_announced),
		cmocka_unit_test(send_while_closing_leaves_nothing_pending),
		cmocka_unit_test(poller_of_one_port_is_woken_every_time),
		cmocka_unit_test(
			lookup_while_the_table_grows_finds_whole_buckets),
	};

	return cmocka_run_group_tests_name("core_rounds", tests, NULL, NULL);
}
