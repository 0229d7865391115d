/* SPDX-License-Identifier: MIT */
/*
 * 2-level delivery: which bits of the shared page change, and how often the
 * vCPU is kicked.
 *
 * Every way to post an event, from each of the 16 combinations of mask,
 * pending, selector bit and upcall flag, against tests/lib/page_model.h.
 */
#include "tests/lib/page_model.h"

/* --- ways to post ------------------------------------------------------------ */

static void open_unbound(evtchn_port_t *port)
{
	*port = fake_unbound(d1, d2);
}

static void open_ipi_1(evtchn_port_t *port)
{
	assert_int_equal(evc_bind_ipi(d1, 1, port), 0);
}

static void open_virq_1(evtchn_port_t *port)
{
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 1, port), 0);
}

static void open_argo(evtchn_port_t *port)
{
	assert_int_equal(evc_bind_virq(d1, VIRQ_ARGO, 0, port), 0);
	assert_int_equal(evc_bind_vcpu(d1, *port, 1), 0);
}

static void open_pirq_1(evtchn_port_t *port)
{
	assert_int_equal(evc_bind_pirq(d1, 4, 0, port), 0);
	assert_int_equal(evc_bind_vcpu(d1, *port, 1), 0);
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static void open_from_consumer(evtchn_port_t *port)
{
	assert_int_equal(evc_consumer_alloc(d2, 0, 1, consume, &peer), 0);
	assert_int_equal(evc_bind_interdomain(d1, 2, peer, port), 0);
}

static void fire_peer(evtchn_port_t port)
{
	(void)port;
	assert_int_equal(evc_send(d2, peer), 0);
}

static void fire_own(evtchn_port_t port)
{
	assert_int_equal(evc_send(d1, port), 0);
}

static void fire_virq(evtchn_port_t port)
{
	(void)port;
	evc_virq_raise(&d1->vcpu[1], VIRQ_TIMER);
}

static void fire_argo(evtchn_port_t port)
{
	(void)port;
	evc_virq_raise_domain(d1, VIRQ_ARGO);
}

static void fire_pirq(evtchn_port_t port)
{
	(void)port;
	evc_pirq_raise(d1, 4);
}

static void fire_consumer(evtchn_port_t port)
{
	(void)port;
	evc_consumer_notify(d2, peer);
}

/* The port is not open yet: binding it is what posts. */
static void fire_bind(evtchn_port_t port)
{
	evtchn_port_t got = 0;

	peer = fake_unbound(d2, d1);
	assert_int_equal(evc_bind_interdomain(d1, 2, peer, &got), 0);
	assert_int_equal(got, port);
}

static void fire_unmask(evtchn_port_t port)
{
	assert_int_equal(evc_unmask(d1, port), 0);
}

static void no_effect(evtchn_port_t port, uint32_t vcpu)
{
	(void)port;
	(void)vcpu;
}

static const struct way {
	const char *name;
	void (*open)(evtchn_port_t *port);
	void (*fire)(evtchn_port_t port);
	void (*model)(evtchn_port_t port, uint32_t vcpu);
	uint32_t vcpu;
} ways[] = {
	{"send", open_connected, fire_peer, model_post, 0},
	{"IPI", open_ipi_1, fire_own, model_post, 1},
	{"VIRQ", open_virq_1, fire_virq, model_post, 1},
	{"domain VIRQ", open_argo, fire_argo, model_post, 1},
	{"PIRQ", open_pirq_1, fire_pirq, model_post, 1},
	{"consumer_notify", open_from_consumer, fire_consumer, model_post, 0},
	{"bind_interdomain", NULL, fire_bind, model_post, 0},
	{"unmask", open_connected, fire_unmask, model_unmask, 0},
	{"unmask unbound", open_unbound, fire_unmask, model_unmask, 0},
	{"unmask IPI", open_ipi_1, fire_unmask, model_unmask, 1},
	{"unmask PIRQ", open_pirq_1, fire_unmask, model_unmask, 1},
	{"send to nobody", open_unbound, fire_own, no_effect, 0},
	{"send the other way", open_connected, fire_own, no_effect, 0},
};

static void try_way(const struct way *w, evtchn_port_t at)
{
	evtchn_port_t port = at;
	uint32_t how;

	start(2);
	fill_below(at);
	if (w->open)
		w->open(&port);
	assert_int_equal(port, at);
	for (how = 0; how < 16; how++) {
		set_page(at, w->vcpu, how);
		w->fire(at);
		w->model(at, w->vcpu);
		check_page(w->name, at, how);
		if (!w->open) {
			assert_int_equal(evc_close(d1, at), 0);
			assert_int_equal(evc_close(d2, peer), 0);
		}
	}
	fake_end();
}

static void try_ports(const evtchn_port_t *ports, uint32_t nr)
{
	uint32_t i, k;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		for (k = 0; k < nr; k++)
			try_way(&ways[i], ports[k]);
	}
}

static void post_64_bit_changes_what_the_model_says(void **unused)
{
	static const evtchn_port_t ports[] = {1,   31,	32,   63,  64,
					      127, 128, 1024, 4095};

	(void)unused;
	width = EVC_WIDTH_64;
	try_ports(ports, sizeof(ports) / sizeof(ports[0]));
}

static void post_32_bit_changes_what_the_model_says(void **unused)
{
	static const evtchn_port_t ports[] = {1,  31,  32,  63,
					      64, 991, 992, 1023};

	(void)unused;
	width = EVC_WIDTH_32;
	try_ports(ports, sizeof(ports) / sizeof(ports[0]));
}

static void close_clears_pending_and_keeps_the_mask(void **unused)
{
	static const evtchn_port_t at[] = {1, 33, 1023};
	evtchn_port_t port;
	uint32_t i, how;

	(void)unused;
	for (i = 0; i < 6; i++) {
		width = i & 1 ? EVC_WIDTH_64 : EVC_WIDTH_32;
		start(2);
		fill_below(at[i / 2]);
		for (how = 0; how < 16; how++) {
			open_connected(&port);
			set_page(port, 0, how);
			assert_int_equal(evc_close(d1, port), 0);
			put(pending_at(), port, false);
			check_page("close", port, how);
			assert_int_equal(evc_close(d2, peer), 0);
		}
		fake_end();
	}
}

/* --- 32-bit after all (XSA-342) ---------------------------------------------- */

static void width_32_ports_beyond_write_nothing(void **unused)
{
	static const evtchn_port_t at[] = {1024, 1025, 2048, 2176, 4095};
	uint32_t i;

	(void)unused;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		evtchn_port_t port = 0, unbound;

		width = EVC_WIDTH_64;
		start(2);
		fill_below(at[i]);
		open_connected(&port);
		assert_int_equal(port, at[i]);
		unbound = fake_unbound(d2, d1);
		evc_domain_set_width(d1, EVC_WIDTH_32);
		width = EVC_WIDTH_32;
		set_page(1, 0, 0);
		assert_int_equal(evc_send(d2, peer), 0);
		assert_int_equal(evc_unmask(d1, port), 0);
		check_page("send, unmask", port, 0);
		assert_int_equal(evc_close(d1, port), 0);
		check_page("close", port, 0);
		assert_int_equal(evc_bind_interdomain(d1, 2, unbound, &port),
				 -XEN_ENOSPC);
		check_page("bind", port, 0);
		fake_end();
	}
}

static void width_change_moves_no_bits(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	width = EVC_WIDTH_64;
	start(2);
	fill_below(40);
	open_connected(&port);
	set_page(port, 0, 0);
	evc_domain_set_width(d1, EVC_WIDTH_32);
	check_page("to 32", port, 0);
	width = EVC_WIDTH_32;
	set_page(port, 0, 0);
	assert_int_equal(evc_send(d2, peer), 0);
	model_post(port, 0);
	check_page("send, 32", port, 0);
	evc_domain_set_width(d1, EVC_WIDTH_64);
	check_page("to 64", port, 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(post_64_bit_changes_what_the_model_says),
		cmocka_unit_test(post_32_bit_changes_what_the_model_says),
		cmocka_unit_test(close_clears_pending_and_keeps_the_mask),
		cmocka_unit_test(width_32_ports_beyond_write_nothing),
		cmocka_unit_test(width_change_moves_no_bits),
	};

	return cmocka_run_group_tests_name("core_deliver", tests, NULL, NULL);
}
