/* SPDX-License-Identifier: MIT */
/*
 * docs/path-of-a-send.md as a program: one event from evg_notify() to the
 * handler, in the simulator, with a note at every station.  The order of the
 * notes, and what the receiver's memory says at each, must be what the page
 * says.
 *
 * The notes come from outside: the linker is told (--wrap, in tests/rules.mk)
 * to send calls between files through here, and the two ops tables are
 * replaced by ones that take a note and go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <abi/callback.h>
#include <evg/evg.h>
#include <sim/sim.h>

#include "core/port_table.h"
#include "core/send.h"
#include "guest/bind.h"
#include "guest/collect.h"

#define NR_PORTS 64

struct guest {
	struct sim_domain *sim;
	struct evg_guest evg;
	struct evg_vcpu vcpu[1];
	struct evg_port port[NR_PORTS];
	evtchn_port_t channel;
};

static struct sim_machine machine;
static struct guest a, b; /* domains 1 and 2; a sends to b */
static bool taking_notes;

/* Station, and B's memory: pending, selector, upcall flag. */
static char notes[256];

static void note(const char *station)
{
	const struct shared_info *s;
	char line[32];

	if (!taking_notes)
		return;
	s = b.sim->evc.shared_info;
	snprintf(line, sizeof(line), "%s:%d%d%d ", station,
		 (int)(s->evtchn_pending[0] >> b.channel & 1),
		 (int)(s->vcpu_info[0].evtchn_pending_sel & 1),
		 s->vcpu_info[0].evtchn_upcall_pending);
	strcat(notes, line);
}

/* --- the stations ------------------------------------------------------------ */

/* @give: return, or nothing for a function that returns nothing. */
#define WRAP(station, give, type, name, parameters, arguments) \
	type __real_##name parameters;                         \
	type __wrap_##name parameters;                         \
	type __wrap_##name parameters                          \
	{                                                      \
		note(station);                                 \
		give __real_##name arguments;                  \
	}

WRAP("1", return, int, evg_notify, (struct evg_guest * g, evtchn_port_t port),
     (g, port))
WRAP("2", return, int, evg_plat_hypercall,
     (struct evg_guest * g, unsigned int nr, unsigned int cmd, void *arg),
     (g, nr, cmd, arg))
WRAP("3", return, int, evc_hypercall,
     (struct evc_vcpu * v, uint32_t cmd, uint64_t arg), (v, cmd, arg))
WRAP("4", return, int, evc_send, (struct evc_domain * d, evtchn_port_t port),
     (d, port))
WRAP("6", , void, evc_upcall_raise, (struct evc_vcpu * v), (v))
WRAP("7", , void, evc_host_kick, (struct evc_vcpu * v), (v))
WRAP("8", return, unsigned int, evg_upcall, (struct evg_vcpu * v), (v))
WRAP("9", return, bool, evg_deliver, (struct evg_vcpu * v, evtchn_port_t port),
     (v, port))

static struct evc_posted post(struct evc_domain *d, struct evc_channel *ch)
{
	note("5");
	return evc_deliver_2l.post(d, ch);
}

static bool next(struct evg_vcpu *v, evtchn_port_t *port)
{
	bool found = evg_collect_2l.next(v, port);

	if (found)
		note("8next");
	return found;
}

static void handler(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)ctx;
	assert_int_equal(port, b.channel);
	note("handler");
}

/* --- the world --------------------------------------------------------------- */

static struct evc_deliver noting_deliver;
static struct evg_collect noting_collect;

static void enter_guest(void)
{
	(void)evg_upcall(evg_plat_this_vcpu(evg_plat_this_guest()));
}

static void idle(struct sim_vcpu *v)
{
	struct guest *g = v->domain->guest_data;

	assert_int_equal(evg_block(&g->evg), 0);
}

static void boot(void *arg)
{
	struct guest *g = arg;
	struct evg_config c = {
		.shared_info = g->sim->evc.shared_info,
		.port = g->port,
		.nr_ports = NR_PORTS,
		.vcpu = g->vcpu,
		.nr_vcpus = 1,
	};

	assert_int_equal(evg_init(&g->evg, &c), 0);
	assert_int_equal(evg_set_callbacks(&g->evg, (uintptr_t)enter_guest, 0),
			 0);
}

static void create(struct guest *g, domid_t domid)
{
	struct sim_domain_config c = {
		.domid = domid,
		.nr_vcpus = 1,
		.width = EVC_WIDTH_64,
		.max_port = EVC_NO_LIMIT,
		.flat = true,
		.step = idle,
		.guest_data = g,
	};

	memset(g, 0, sizeof(*g));
	assert_int_equal(sim_domain_create(&machine, &c, &g->sim), 0);
	sim_set_guest(g->sim, &g->evg);
	sim_set_guest_vcpu(&g->sim->vcpu[0], &g->vcpu[0]);
	sim_call(&g->sim->vcpu[0], boot, g);
}

static void open_b(void *arg)
{
	(void)arg;
	assert_int_equal(evg_alloc_unbound(&b.evg, DOMID_SELF, 1, &b.channel),
			 0);
	assert_int_equal(evg_bind_handler(&b.evg, b.channel, EVG_VCPU_KEEP,
					  handler, NULL),
			 0);
}

static void open_a(void *arg)
{
	(void)arg;
	assert_int_equal(evg_bind_interdomain(&a.evg, 2, b.channel, &a.channel),
			 0);
}

static void send(void *arg)
{
	(void)arg;
	assert_int_equal(evg_notify(&a.evg, a.channel), 0);
}

static void mask_b(void *arg)
{
	(void)arg;
	assert_int_equal(evg_mask(&b.evg, b.channel), 0);
}

static int start(void **state)
{
	(void)state;
	sim_machine_init(&machine, false);
	create(&a, 1);
	create(&b, 2);
	noting_deliver = evc_deliver_2l;
	noting_deliver.post = post;
	evc_deliver_set(&b.sim->evc, &noting_deliver);
	noting_collect = evg_collect_2l;
	noting_collect.next = next;
	b.evg.collect = &noting_collect;
	sim_call(&b.sim->vcpu[0], open_b, NULL);
	sim_call(&a.sim->vcpu[0], open_a, NULL);
	assert_true(sim_settle(&machine, 100));
	notes[0] = '\0';
	taking_notes = true;
	return 0;
}

static int end(void **state)
{
	(void)state;
	taking_notes = false;
	sim_machine_fini(&machine);
	return 0;
}

/* --- the tests --------------------------------------------------------------- */

static void send_passes_nine_stations_in_order(void **state)
{
	(void)state;
	sim_call(&a.sim->vcpu[0], send, NULL);
	/* B sleeps: everything up to the kick has happened, nothing after. */
	assert_string_equal(notes, "1:000 2:000 3:000 4:000 5:000 "
				   "6:110 7:111 ");
	notes[0] = '\0';
	assert_true(sim_run_vcpu(&b.sim->vcpu[0]));
	/* Then B goes back to sleep, which is a hypercall: station 2. */
	*strstr(notes, "2:") = '\0';
	assert_string_equal(notes, "8:111 8next:100 9:100 handler:000 ");
}

static void send_to_a_masked_port_stops_after_pending(void **state)
{
	(void)state;
	sim_call(&b.sim->vcpu[0], mask_b, NULL);
	sim_call(&a.sim->vcpu[0], send, NULL);
	assert_string_equal(notes, "1:000 2:000 3:000 4:000 5:000 ");
	note("after");
	assert_non_null(strstr(notes, "after:100"));
}

static void second_send_stops_at_the_pending_bit(void **state)
{
	(void)state;
	sim_call(&a.sim->vcpu[0], send, NULL);
	notes[0] = '\0';
	sim_call(&a.sim->vcpu[0], send, NULL);
	assert_string_equal(notes, "1:111 2:111 3:111 4:111 5:111 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			send_passes_nine_stations_in_order, start, end),
		cmocka_unit_test_setup_teardown(
			send_to_a_masked_port_stops_after_pending, start, end),
		cmocka_unit_test_setup_teardown(
			second_send_stops_at_the_pending_bit, start, end),
	};

	return cmocka_run_group_tests_name("send path", tests, NULL, NULL);
}
