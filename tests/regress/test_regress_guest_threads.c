/* SPDX-License-Identifier: MIT */
/*
 * Old races of guests, with real threads: the test's thread is vCPU 1 or the
 * hypervisor, the other one vCPU 0.  Built once with the usual sanitizers and
 * once with ThreadSanitizer.  docs/regressions.md has the list.
 */
#include "tests/unit/test_guest_platform.h"

#include "threads.h"

static uint32_t nr_rounds;
static evb_u32 sent; /* the number of the last event */
static uint32_t got; /* @sent, when the handler ran last */

static void yield(void)
{
	(void)sched_yield();
}

static void note(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
	got = evb_u32_load(&sent);
}

/* --- unmask --------------------------------------------------------------------- */

static void send_all(void)
{
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		(void)evb_u32_add(&sent, 1);
		post(70);
		stagger(i, 0);
	}
	stop();
}

static void mask_and_unmask(void)
{
	uint32_t i;

	current = 0;
	for (i = 0; !is_stopped(); i++) {
		expect(!evg_mask(&guest, 70));
		stagger(i, 1);
		expect(!evg_unmask(&guest, 70));
		(void)evg_upcall(&vcpu[0]);
	}
}

/*
 * The unmask races of 2013 (2-level) and 2020: MASKED was cleared and PENDING
 * then read in a way that let an event fall in between.
 */
static void event_sent_during_unmask_is_handled(void **state)
{
	const thread_fn fn[] = {send_all, mask_and_unmask};

	(void)state;
	open_ports(70);
	assert_int_equal(
		evg_bind_handler(&guest, 70, EVG_VCPU_KEEP, note, NULL), 0);
	evb_u32_store(&sent, 0);
	got = 0;
	xen.during_relax = yield;
	nr_rounds = rounds(100000);
	run_threads(fn, 2);
	/* The last round ended unmasked: what came in it is announced. */
	(void)upcall(0);
	assert_int_equal(got, nr_rounds);
	assert_false(evg_is_pending(&guest, 70));
}

/* --- unbind --------------------------------------------------------------------- */

struct driver {
	evb_u32 alive;
};

static struct driver drivers[2];

static void use_driver(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct driver *d = ctx;

	(void)v;
	(void)port;
	(void)evb_u32_add(&sent, 1);
	stagger(evb_u32_load(&sent), 1);
	expect(evb_u32_load(&d->alive)); /* also at its end */
}

/* Until the handler has begun at least once more. */
static bool wait_for_another(uint32_t before)
{
	uint32_t i;

	for (i = 0; i < NR_SPINS; i++) {
		if (evb_u32_load(&sent) != before)
			return true;
		if (i % 64 == 63)
			(void)sched_yield();
	}
	return false;
}

static void bind_and_unbind(void)
{
	struct driver *d;
	uint32_t i, before;

	current = 1;
	for (i = 0; i < nr_rounds; i++) {
		d = &drivers[i % 2];
		evb_u32_store(&d->alive, 1);
		expect(!evg_bind_handler(&guest, 1, EVG_VCPU_KEEP, use_driver,
					 d));
		before = evb_u32_load(&sent);
		post(1);
		if (i % 2)
			expect(wait_for_another(before));
		stagger(i, 0);
		expect(!evg_unbind_handler(&guest, 1));
		evb_u32_store(&d->alive, 0); /* "freed" */
	}
	stop();
}

static void take_upcalls(void)
{
	current = 0;
	while (!is_stopped())
		(void)evg_upcall(&vcpu[0]);
}

/*
 * XSA-331 (CVE-2020-27675): a channel was removed while the loop of another CPU
 * was handling it, and what belonged to it was freed.
 */
static void handler_unbound_during_an_upcall_is_never_called_after(void **state)
{
	const thread_fn fn[] = {bind_and_unbind, take_upcalls};

	(void)state;
	open_ports(1);
	evb_u32_store(&sent, 0);
	xen.during_relax = yield;
	nr_rounds = rounds(20000);
	run_threads(fn, 2);
	assert_true(evb_u32_load(&sent) >= nr_rounds / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(event_sent_during_unmask_is_handled),
		TEST(handler_unbound_during_an_upcall_is_never_called_after),
	};

	return cmocka_run_group_tests_name("regress guest threads", tests, NULL,
					   NULL);
}
