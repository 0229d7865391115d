/* SPDX-License-Identifier: MIT */
/*
 * Two CPUs that meet in the middle of an operation, step by step.
 *
 * The test holds a core lock; when the operation waits for it (fake.relax) the
 * test gives it back and plays the other CPU.  For polling, which takes no
 * locks, core/poll.c is compiled once more with a compare-and-swap that lets
 * the other vCPU act first.  Real threads are in test_core_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d1, *d2;

static void start(void)
{
	fake_start(false);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
}

/* --- two closes at once ------------------------------------------------------ */

/*
 * d1 closes @mine, whose peer is @theirs of d2; @theirs has the lower address,
 * so its lock is the one d1 waits for without holding its own.
 */
static struct {
	struct evc_domain *self, *other;
	evtchn_port_t mine, theirs, again;
	struct evc_channel *their_channel;
	int bind_rc, close_rc, step;
} race;

static void hold_the_lower_end(void)
{
	evtchn_port_t p1, p2;

	start();
	fake_connect(d1, d2, &p1, &p2);
	memset(&race, 0, sizeof(race));
	if (&d2->ports.bucket[0][p2] < &d1->ports.bucket[0][p1]) {
		race.self = d1;
		race.other = d2;
		race.mine = p1;
		race.theirs = p2;
	} else {
		race.self = d2;
		race.other = d1;
		race.mine = p2;
		race.theirs = p1;
	}
	race.their_channel = &race.other->ports.bucket[0][race.theirs];
}

/* Closing has two parts: it looks, lets go, and takes both locks. */
static void let_go_when_waited_for(struct fake *f)
{
	struct evc_channel *mine = &race.self->ports.bucket[0][race.mine];

	f->relax = NULL;
	race.step = mine->closing;
	evb_unlock(&race.their_channel->lock);
	race.close_rc = evc_close(race.other, race.theirs);
	race.bind_rc = evc_bind_interdomain(race.other, race.self->domid,
					    race.mine, &race.again);
}

static void close_while_the_peer_closes_and_binds_again(void **unused)
{
	(void)unused;
	hold_the_lower_end();
	evb_lock(&race.their_channel->lock, evc_host_relax);
	fake.relax = let_go_when_waited_for;
	assert_int_equal(evc_close(race.self, race.mine), 0);
	assert_true(race.step);
	assert_int_equal(race.close_rc, 0);
	/* The port is on its way out: nobody can connect to it any more. */
	assert_int_equal(race.bind_rc, -XEN_EINVAL);
	fake_assert_status(race.self, race.mine, EVTCHNSTAT_closed);
	fake_assert_status(race.other, race.theirs, EVTCHNSTAT_closed);
	assert_int_equal(d1->ports.nr_open + d2->ports.nr_open, 0);
	/* And in its next life somebody can. */
	assert_int_equal(evc_alloc_unbound(race.self, DOMID_SELF,
					   race.other->domid, &race.mine),
			 0);
	assert_int_equal(evc_bind_interdomain(race.other, race.self->domid,
					      race.mine, &race.again),
			 0);
	fake_end();
}

/* The peer's port is closed and at once used for something else. */
static void let_go_and_reuse(struct fake *f)
{
	f->relax = NULL;
	evb_unlock(&race.their_channel->lock);
	assert_int_equal(evc_close(race.other, race.theirs), 0);
	assert_int_equal(evc_bind_ipi(race.other, 1, &race.again), 0);
	assert_int_equal(race.again, race.theirs);
}

static void close_while_the_peer_becomes_another_channel(void **unused)
{
	(void)unused;
	hold_the_lower_end();
	evb_lock(&race.their_channel->lock, evc_host_relax);
	fake.relax = let_go_and_reuse;
	assert_int_equal(evc_close(race.self, race.mine), 0);
	fake_assert_status(race.self, race.mine, EVTCHNSTAT_closed);
	fake_assert_status(race.other, race.theirs, EVTCHNSTAT_ipi);
	assert_int_equal(fake_status(race.other, race.theirs).vcpu, 1);
	fake_end();
}

/* --- VIRQ handlers ----------------------------------------------------------- */

static int other_rc;

static void set_handler_first(struct fake *f)
{
	f->relax = NULL;
	evb_unlock(&d1->lock);
	other_rc = evc_virq_set_handler(d2, VIRQ_CONSOLE);
}

/* d1 is the handler when it asks, and no longer when it gets its lock. */
static void bind_virq_while_the_handler_changes_is_ebusy(void **unused)
{
	evtchn_port_t port = 0;

	(void)unused;
	start();
	evc_machine_set_hwdom(&fake.machine, d1);
	evb_lock(&d1->lock, evc_host_relax);
	fake.relax = set_handler_first;
	assert_int_equal(evc_bind_virq(d1, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	assert_int_equal(other_rc, 0);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(evc_bind_virq(d2, VIRQ_CONSOLE, 0, &port), 0);
	fake_end();
}

static void bind_virq_first(struct fake *f)
{
	evtchn_port_t port;

	f->relax = NULL;
	evb_unlock(&d1->lock);
	other_rc = evc_bind_virq(d1, VIRQ_CONSOLE, 0, &port);
}

static void set_handler_while_the_old_one_binds_is_ebusy(void **unused)
{
	evtchn_port_t port = 0;

	(void)unused;
	start();
	evc_machine_set_hwdom(&fake.machine, d1);
	other_rc = 99;
	evb_lock(&d1->lock, evc_host_relax);
	fake.relax = bind_virq_first;
	assert_int_equal(evc_virq_set_handler(d2, VIRQ_CONSOLE), -XEN_EBUSY);
	assert_int_equal(other_rc, 0);
	assert_int_equal(evc_bind_virq(d2, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	fake_end();
}

/* The slot names a port that was closed and reused before it was looked at. */
static void reuse_for_another_virq(struct fake *f)
{
	evtchn_port_t port;

	f->relax = NULL;
	evb_unlock(&d1->ports.bucket[0][1].lock);
	assert_int_equal(evc_close(d1, 1), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 0, &port), 0);
	assert_int_equal(port, 1);
}

static void raise_while_the_port_is_reused_is_dropped(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_virq(d1, VIRQ_DEBUG, 0, &port), 0);
	assert_int_equal(port, 1);
	evb_lock(&d1->ports.bucket[0][1].lock, evc_host_relax);
	fake.relax = reuse_for_another_virq;
	evc_virq_raise(&d1->vcpu[0], VIRQ_DEBUG);
	assert_false(fake_pending(d1, 1));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

static void reuse_for_another_line(struct fake *f)
{
	evtchn_port_t port;

	f->relax = NULL;
	evb_unlock(&d1->ports.bucket[0][1].lock);
	assert_int_equal(evc_close(d1, 1), 0);
	assert_int_equal(evc_bind_pirq(d1, 5, 0, &port), 0);
	assert_int_equal(port, 1);
}

static void pirq_while_the_port_is_reused_is_dropped(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	fake.pirq_permitted = UINT32_MAX;
	assert_int_equal(evc_bind_pirq(d1, 4, 0, &port), 0);
	evb_lock(&d1->ports.bucket[0][1].lock, evc_host_relax);
	fake.relax = reuse_for_another_line;
	evc_pirq_raise(d1, 4);
	assert_false(fake_pending(d1, 1));
	fake_end();
}

/* --- polling ----------------------------------------------------------------- */

/* A sender, while the poller holds the lock of the port it looks at. */
static void send_first(struct fake *f)
{
	f->relax = NULL;
	evb_unlock(&d1->ports.bucket[0][1].lock);
	assert_int_equal(evc_send(d1, 1), 0);
}

static void poll_with_a_send_after_joining_is_not_blocked(void **unused)
{
	const evtchn_port_t port = 1;
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	evtchn_port_t got;
	uint64_t timeout;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 1, &got), 0);
	evb_lock(&d1->ports.bucket[0][1].lock, evc_host_relax);
	fake.relax = send_first;
	assert_int_equal(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout), 0);
	assert_int_equal(fake_wakes(), 1); /* it was in the set already */
	assert_true(evc_poll_is_over(&d1->vcpu[0]));
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

/* The same, to another port: the wait is for port 1 from the start. */
static void send_to_another_port(struct fake *f)
{
	f->relax = NULL;
	evb_unlock(&d1->ports.bucket[0][1].lock);
	assert_int_equal(evb_u32_load(&d1->vcpu[0].poll), 1);
	assert_int_equal(evc_send(d1, 2), 0);
	assert_false(evc_poll_is_over(&d1->vcpu[0]));
}

static void poll_waits_for_its_one_port_from_the_moment_it_joins(void **unused)
{
	const evtchn_port_t port = 1;
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	evtchn_port_t got;
	uint64_t timeout;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 1, &got), 0);
	assert_int_equal(evc_bind_ipi(d1, 1, &got), 0);
	evb_lock(&d1->ports.bucket[0][1].lock, evc_host_relax);
	fake.relax = send_to_another_port;
	assert_int_equal(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
			 EVC_BLOCK);
	assert_int_equal(fake_wakes(), 0);
	assert_int_equal(evc_send(d1, 1), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_while_the_peer_closes_and_binds_again),
		cmocka_unit_test(close_while_the_peer_becomes_another_channel),
		cmocka_unit_test(bind_virq_while_the_handler_changes_is_ebusy),
		cmocka_unit_test(set_handler_while_the_old_one_binds_is_ebusy),
		cmocka_unit_test(raise_while_the_port_is_reused_is_dropped),
		cmocka_unit_test(pirq_while_the_port_is_reused_is_dropped),
		cmocka_unit_test(poll_with_a_send_after_joining_is_not_blocked),
		cmocka_unit_test(
			poll_waits_for_its_one_port_from_the_moment_it_joins),
	};

	return cmocka_run_group_tests_name("core_race", tests, NULL, NULL);
}
