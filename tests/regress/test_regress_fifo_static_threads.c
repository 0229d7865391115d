/* SPDX-License-Identifier: MIT */
/*
 * A static port stays open when its domain leaves FIFO, so its peer may be
 * posting at that very moment: a sender who looked up the old ABI must be
 * done before the guest's pages are given back.
 */
#include "fifo_guest.h"

#include <evc/static.h>

#include "threads.h"

#define PORT	  3
#define NR_STATIC 3
#define GONE	  0xabc00000u

static uint32_t nr_rounds;

static evb_u32 nr_senders;

/*
 * Whoever never lets the others run makes each round last as long as the
 * scheduler lets him, where there are more threads than CPUs.
 */
static void send_without_end(void)
{
	evtchn_port_t port = PORT + evb_u32_add(&nr_senders, 1);

	while (!is_stopped()) {
		expect(!evc_send(d2, port));
		regress_shake();
	}
}

static void set_words(uint32_t to)
{
	evb_u32 *w = (evb_u32 *)(void *)fake.frame[1];
	uint32_t i;

	for (i = 0; i < NR_STATIC; i++)
		evb_u32_store(&w[PORT + i], to);
}

static bool words_are(uint32_t what)
{
	const evb_u32 *w = (const evb_u32 *)(const void *)fake.frame[1];
	uint32_t i;

	for (i = 0; i < NR_STATIC; i++) {
		if (evb_u32_load(&w[PORT + i]) != what)
			return false;
	}
	return true;
}

/* What was unmapped belongs to the guest: nobody writes there any more. */
static void switch_to_and_fro(void)
{
	struct evtchn_init_control c;
	uint32_t i, k;

	for (i = 0; i < nr_rounds; i++) {
		c = (struct evtchn_init_control){.control_gfn = 0};
		expect(!evc_init_control(d1, &c));
		expect(!evc_expand_array(d1, 1));
		set_words(0);
		expect(!evc_reset(d1, DOMID_SELF, false));
		set_words(GONE);
		for (k = 0; k < 10; k++)
			(void)sched_yield();
		expect(words_are(GONE));
		set_words(0);
	}
	stop();
}

/* As XSA-343: the ABI changes under a sender; here the port survives it. */
static void send_to_a_static_port_while_fifo_is_left_stays_out(void **unused)
{
	static const struct evc_static_channel table[] = {
		{{1, PORT, 0}, {2, PORT, 0}},
		{{1, PORT + 1, 0}, {2, PORT + 1, 0}},
		{{1, PORT + 2, 0}, {2, PORT + 2, 0}},
	};
	const thread_fn fn[] = {switch_to_and_fro, send_without_end,
				send_without_end, send_without_end};
	evtchn_port_t port;

	(void)unused;
	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = true});
	d2 = fake_domain(2);
	/* The first buckets are there only once a port was looked for. */
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_bind_ipi(d2, 0, &port), 0);
	assert_int_equal(evc_static_connect(&fake.machine, table, NR_STATIC),
			 0);
	nr_rounds = rounds(12000);
	fake.threads = true;
	run_threads(fn, 1 + NR_STATIC);
	fake.threads = false;
	/* And the last event is in the bitmap. */
	fake_clear_pending(d1, PORT);
	assert_int_equal(evc_send(d2, PORT), 0);
	assert_true(fake_pending(d1, PORT));
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			send_to_a_static_port_while_fifo_is_left_stays_out),
	};

	return cmocka_run_group_tests_name("regress fifo static threads", tests,
					   NULL, NULL);
}
