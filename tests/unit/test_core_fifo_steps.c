/* SPDX-License-Identifier: MIT */
/*
 * FIFO, two CPUs in the middle of one post: what a guest, an expand_array or
 * another sender does between two atomic operations.  deliver_fifo.c is
 * included once more, with those operations replaced by ones that let the
 * others act first.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include "core/channel.h"
#include "core/locking.h"
#include "core/port_table.h"
#include "core/send.h"

#define PAGE_PENDING (1u << EVTCHN_FIFO_PENDING)
#define PAGE_MASKED  (1u << EVTCHN_FIFO_MASKED)
#define PAGE_LINKED  (1u << EVTCHN_FIFO_LINKED)
#define PAGE_BUSY    (1u << EVTCHN_FIFO_BUSY)

/* Where the others act: before the first operation of this kind. */
enum step {
	STEP_NEVER,
	STEP_PARKED, /* the exchange of "parked" */
	STEP_LINK,   /* a LINK is written */
	STEP_LOCK,   /* a queue, or the move lock */
};

/* What the others do: the next function each time, until there is none. */
static struct {
	enum step at;
	void (*act[8])(void);
	unsigned int next;
} others;

static struct evc_domain *d1, *d2;

static void let_others(enum step at)
{
	void (*act)(void);

	if (at != others.at || others.next == 8)
		return;
	act = others.act[others.next];
	if (!act)
		return;
	others.next++;
	/* They use the core as it is. */
	evc_deliver_set(d1, &evc_deliver_fifo);
	act();
}

static uint8_t step_u8_xchg(evb_u8 *p, uint8_t v)
{
	let_others(STEP_PARKED);
	return evb_u8_xchg(p, v);
}

static uint32_t step_add(evb_u32 *p, uint32_t v)
{
	let_others(STEP_LINK);
	return evb_u32_add(p, v);
}

static void step_lock(struct evb_lock *l, void (*relax)(void))
{
	let_others(STEP_LOCK);
	evb_lock(l, relax);
}

static void step_unlock(struct evb_lock *l)
{
	assert_int_equal(evb_u32_load(&l->held), 1);
	evb_unlock(l);
}

extern const struct evc_deliver step_deliver_fifo;
#define evb_u8_xchg	 step_u8_xchg
#define evb_u32_add	 step_add
#define evb_lock	 step_lock
#define evb_unlock	 step_unlock
#define evc_deliver_fifo step_deliver_fifo
#include "core/deliver_fifo.c"
#undef evb_u8_xchg
#undef evb_u32_add
#undef evb_lock
#undef evb_unlock
#undef evc_deliver_fifo

/* --- a guest with FIFO, and its peer ------------------------------------------- */

static evtchn_port_t port[2], peer[2]; /* of d1; of d2, who sends */

static struct evtchn_fifo_control_block *control(void)
{
	return (void *)fake.frame[0];
}

static uint32_t *word(evtchn_port_t p)
{
	return (uint32_t *)(void *)fake.frame[1] + p;
}

static void start_without_page(void)
{
	struct evtchn_init_control c = {0};
	unsigned int i;

	fake_start(false);
	memset(&others, 0, sizeof(others));
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = true});
	d2 = fake_domain(2);
	for (i = 0; i < 2; i++) {
		fake_connect(d2, d1, &peer[i], &port[i]);
		fake_clear_pending(d1, port[i]);
	}
	fake_forget();
	fake_clear_upcall(&d1->vcpu[0]);
	assert_int_equal(evc_init_control(d1, &c), 0);
}

static void start(void)
{
	start_without_page();
	assert_int_equal(evc_expand_array(d1, 1), 0);
	fake_forget();
}

/* d2 sends, step by step. */
static void send_in_steps(unsigned int i, enum step at)
{
	others.at = at;
	evc_deliver_set(d1, &step_deliver_fifo);
	assert_int_equal(evc_send(d2, peer[i]), 0);
	evc_deliver_set(d1, &evc_deliver_fifo);
}

static uint32_t dropped(void)
{
	return evb_u32_load(&d1->fifo->nr_dropped);
}

/* --- the page of a port comes while its event is parked (MO-PARK) ------------- */

static void expand_array(void)
{
	assert_int_equal(evc_expand_array(d1, 1), 0);
}

/* It came and found nothing parked: the sender has to look again. */
static void page_that_came_before_parking_is_found(void **unused)
{
	(void)unused;
	start_without_page();
	others.act[0] = expand_array;
	send_in_steps(0, STEP_PARKED);
	assert_int_equal(others.next, 1);
	assert_int_equal(*word(port[0]), PAGE_PENDING | PAGE_LINKED);
	assert_int_equal(control()->head[7], port[0]);
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(evb_u8_load(&evc_port_lookup(d1, port[0])->parked), 0);
	fake_end();
}

/* The two halves of expand_array: the page is there; the event is taken. */
static void publish_page(void)
{
	evb_ptr_store(&d1->fifo->array[0], fake.frame[1]);
}

static void post_what_was_parked(void)
{
	struct evc_channel *ch = evc_port_lookup(d1, port[0]);

	assert_int_equal(evb_u8_xchg(&ch->parked, 0), 1);
	lock_channel(ch);
	evc_post_locked(ch);
	unlock_channel(ch);
	/* The guest takes it at once: posting it again would show. */
	assert_int_equal(*word(port[0]), PAGE_PENDING | PAGE_LINKED);
	*word(port[0]) = 0;
	control()->ready = 0;
}

static void event_expand_array_took_is_not_posted_twice(void **unused)
{
	(void)unused;
	start_without_page();
	others.act[0] = publish_page;
	others.act[1] = post_what_was_parked;
	send_in_steps(0, STEP_PARKED);
	assert_int_equal(others.next, 2);
	assert_int_equal(*word(port[0]), 0);
	assert_int_equal(control()->ready, 0);
	assert_int_equal(fake_kicks(), 1);
	fake_end();
}

/* --- the guest changes the tail word while we link behind it ------------------- */

static void set_masked(void)
{
	*word(port[0]) |= PAGE_MASKED;
}

static void link_is_written_although_the_guest_masks(void **unused)
{
	(void)unused;
	start();
	send_in_steps(0, STEP_NEVER);
	others.act[0] = set_masked;
	send_in_steps(1, STEP_LINK);
	assert_int_equal(others.next, 1);
	/* MASKED is the guest's, and stays; BUSY is gone. */
	assert_int_equal(*word(port[0]),
			 PAGE_PENDING | PAGE_MASKED | PAGE_LINKED | port[1]);
	assert_int_equal(*word(port[1]), PAGE_PENDING | PAGE_LINKED);
	assert_int_equal(control()->head[7], port[0]);
	assert_int_equal(dropped(), 0);
	fake_end();
}

/* As the ABI tells guests to. */
static void consume_the_tail(void)
{
	control()->ready = 0;
	*word(port[0]) &= ~(PAGE_LINKED | PAGE_PENDING);
}

static void tail_consumed_meanwhile_makes_a_new_head(void **unused)
{
	(void)unused;
	start();
	send_in_steps(0, STEP_NEVER);
	others.act[0] = consume_the_tail;
	send_in_steps(1, STEP_LINK);
	assert_int_equal(others.next, 1);
	assert_int_equal(*word(port[0]), 0);
	assert_int_equal(control()->head[7], port[1]);
	assert_int_equal(control()->ready, 1u << 7);
	assert_int_equal(dropped(), 0);
	fake_end();
}

/* What a guest left in the word of the tail is not followed. */
static void link_the_guest_wrote_is_replaced(void **unused)
{
	(void)unused;
	start();
	send_in_steps(0, STEP_NEVER);
	*word(port[0]) |= PAGE_BUSY | 77;
	send_in_steps(1, STEP_NEVER);
	assert_int_equal(*word(port[0]), PAGE_PENDING | PAGE_LINKED | port[1]);
	assert_int_equal(dropped(), 0);
	fake_end();
}

static void scribble(void)
{
	*word(port[0]) |= 64;
}

/* Between cleaning and linking: it loses an event of its own, and is told. */
static void guest_that_scribbles_just_then_loses_an_event(void **unused)
{
	(void)unused;
	start();
	send_in_steps(0, STEP_NEVER);
	others.act[0] = scribble;
	send_in_steps(1, STEP_LINK);
	assert_int_equal(others.next, 1);
	assert_int_equal(dropped(), 1);
	assert_int_equal(control()->head[7], port[0]);
	/* What comes next starts from the port that was lost. */
	*word(port[1]) = 0;
	send_in_steps(1, STEP_NEVER);
	assert_int_equal(control()->head[7], port[1]);
	fake_end();
}

/* --- two CPUs post the same port ------------------------------------------- */

static void unmask(void)
{
	assert_int_equal(evc_unmask(d1, port[0]), 0);
}

static void unmask_and_send_another(void)
{
	unmask();
	assert_int_equal(evc_send(d2, peer[1]), 0);
}

/*
 * The guest's unmask finds the event pending and queues it, and another port
 * follows.  Queued once more, the first would follow the second: a circle.
 */
static void port_queued_by_unmask_is_queued_once(void **unused)
{
	(void)unused;
	start();
	others.act[0] = unmask_and_send_another;
	send_in_steps(0, STEP_LOCK);
	assert_int_equal(others.next, 1);
	assert_int_equal(control()->head[7], port[0]);
	assert_int_equal(*word(port[0]), PAGE_PENDING | PAGE_LINKED | port[1]);
	assert_int_equal(*word(port[1]), PAGE_PENDING | PAGE_LINKED);
	assert_int_equal(fake_kicks(), 1);
	fake_end();
}

static void nothing(void)
{
}

/* The same a little later: the sender has decided to move the port. */
static void port_moved_by_unmask_is_moved_once(void **unused)
{
	(void)unused;
	start();
	others.act[0] = nothing;
	others.act[1] = unmask;
	send_in_steps(0, STEP_LOCK);
	assert_int_equal(others.next, 2);
	assert_int_equal(*word(port[0]), PAGE_PENDING | PAGE_LINKED);
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(d1->fifo->vcpu[0].queue[7].tail, port[0]);
	assert_int_equal(evb_u32_load(&d1->fifo->vcpu[0].queue[7].lock.held),
			 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_that_came_before_parking_is_found),
		cmocka_unit_test(event_expand_array_took_is_not_posted_twice),
		cmocka_unit_test(link_is_written_although_the_guest_masks),
		cmocka_unit_test(tail_consumed_meanwhile_makes_a_new_head),
		cmocka_unit_test(link_the_guest_wrote_is_replaced),
		cmocka_unit_test(guest_that_scribbles_just_then_loses_an_event),
		cmocka_unit_test(port_queued_by_unmask_is_queued_once),
		cmocka_unit_test(port_moved_by_unmask_is_moved_once),
	};

	return cmocka_run_group_tests_name("core fifo steps", tests, NULL,
					   NULL);
}
