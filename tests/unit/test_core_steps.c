/* SPDX-License-Identifier: MIT */
/*
 * Two CPUs in the middle of one function: what another CPU does between two
 * atomic operations.  The core's own source is included once more, with the
 * operation in question replaced by one that lets the other CPU act first.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include "core/send.h"

/* What the other CPU does, once. */
static void (*other_cpu)(void);

static void let_other_cpu(void)
{
	void (*act)(void) = other_cpu;

	other_cpu = NULL;
	if (act)
		act();
}

/* --- deliver_2l.c: before each test-and-set or test-and-clear ------------- */

static bool step_test_and_set_bit(evb_u32 *map, uint32_t nr)
{
	let_other_cpu();
	return evb_test_and_set_bit(map, nr);
}

static bool step_test_and_clear_bit(evb_u32 *map, uint32_t nr)
{
	let_other_cpu();
	return evb_test_and_clear_bit(map, nr);
}

#define evb_test_and_set_bit   step_test_and_set_bit
#define evb_test_and_clear_bit step_test_and_clear_bit
#define evc_words_init	       step_words_init
#define evc_2l_post	       step_2l_post
#define evc_2l_unmask	       step_2l_unmask
#define evc_deliver_2l	       step_deliver_2l
void step_words_init(struct evc_words *w, void *page, enum evc_width width);
unsigned int step_2l_post(const struct evc_words *w, evb_u32 *info,
			  evtchn_port_t port);
unsigned int step_2l_unmask(const struct evc_words *w, evb_u32 *info,
			    evtchn_port_t port);
extern const struct evc_deliver step_deliver_2l;
#include "core/deliver_2l.c"
#undef evb_test_and_set_bit
#undef evb_test_and_clear_bit
#undef evc_words_init
#undef evc_2l_post
#undef evc_2l_unmask
#undef evc_deliver_2l

/* --- poll.c: before and after the poll set changes ------------------------- */

static uint32_t step_xchg(evb_u32 *p, uint32_t v)
{
	uint32_t old = evb_u32_xchg(p, v);

	let_other_cpu();
	return old;
}

#define evb_u32_xchg step_xchg
#include "tests/lib/step_poll.h"
#undef evb_u32_xchg

/* --- a vcpu_info moves while an event is posted ---------------------------- */

static struct evc_domain *d1;
static _Alignas(64) struct vcpu_info new_info;
static unsigned int collected;

static void start(void)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){.domid = 1,
					     .width = EVC_WIDTH_64,
					     .nr_vcpus = 3,
					     .deliver = &step_deliver_2l});
	memset(&new_info, 0, sizeof(new_info));
	collected = 0;
}

/* The guest: flag, selector, pending; it looks at the new place only. */
static void collect(void)
{
	const struct shared_info *s = d1->shared_info;

	if (new_info.evtchn_upcall_pending && new_info.evtchn_pending_sel & 1 &&
	    s->evtchn_pending[0])
		collected++;
	new_info.evtchn_upcall_pending = 0;
	new_info.evtchn_pending_sel = 0;
}

static void register_and_collect(void)
{
	assert_int_equal(evc_vcpu_register_info(&d1->vcpu[0], &new_info), 0);
	collect();
}

static void post_while_vcpu_info_moves_is_seen(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	other_cpu = register_and_collect;
	assert_int_equal(evc_send(d1, port), 0);
	assert_null(other_cpu);
	collect();
	assert_int_equal(collected, 1);
	fake_end();
}

static void unmask_while_vcpu_info_moves_is_seen(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	fake_set_mask(d1, port, true);
	assert_int_equal(evc_send(d1, port), 0);
	other_cpu = register_and_collect;
	assert_int_equal(evc_unmask(d1, port), 0);
	assert_null(other_cpu);
	collect();
	assert_true(collected >= 1);
	fake_end();
}

/* --- two vCPUs poll -------------------------------------------------------- */

static evtchn_port_t port_a, port_b;

static void send_to_both(void)
{
	assert_int_equal(evc_send(d1, port_a), 0);
	assert_int_equal(evc_send(d1, port_b), 0);
}

static void start_two_ports(void)
{
	start();
	assert_int_equal(evc_bind_ipi(d1, 2, &port_a), 0);
	assert_int_equal(evc_bind_ipi(d1, 2, &port_b), 0);
}

static int poll_one(uint32_t vcpu, evtchn_port_t port)
{
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;

	return step_poll(&d1->vcpu[vcpu], (uintptr_t)&p, &timeout);
}

/*
 * vCPU 0 has just joined the poll set.  A sender takes it out again; that must
 * not make the count of pollers forget vCPU 1.
 */
static void poller_taken_out_at_once_does_not_hide_another(void **unused)
{
	(void)unused;
	start_two_ports();
	assert_int_equal(poll_one(1, port_b), EVC_BLOCK);
	other_cpu = send_to_both;
	assert_int_equal(poll_one(0, port_a), 0);
	assert_true(evc_poll_is_over(&d1->vcpu[1]));
	assert_int_equal(fake_wakes(), 2);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

/* vCPU 0 leaves by itself; a sender in the middle still finds vCPU 1. */
static void poller_that_leaves_does_not_hide_another(void **unused)
{
	(void)unused;
	start_two_ports();
	assert_int_equal(poll_one(0, port_a), EVC_BLOCK);
	assert_int_equal(poll_one(1, port_b), EVC_BLOCK);
	other_cpu = send_to_both;
	step_poll_end(&d1->vcpu[0]);
	assert_true(evc_poll_is_over(&d1->vcpu[1]));
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(post_while_vcpu_info_moves_is_seen),
		cmocka_unit_test(unmask_while_vcpu_info_moves_is_seen),
		cmocka_unit_test(
			poller_taken_out_at_once_does_not_hide_another),
		cmocka_unit_test(poller_that_leaves_does_not_hide_another),
	};

	return cmocka_run_group_tests_name("core steps", tests, NULL, NULL);
}
