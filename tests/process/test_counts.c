/* SPDX-License-Identifier: MIT */
/* What attachments count, read from outside as evtchn stat does. */
#include "harness.h"

#include "hosts/process/counts.h"
#include "hosts/process/lane.h"

static const struct evp_counts *look(int fd, uint32_t domid, uint32_t index,
				     uint32_t pid)
{
	const struct evp_counts *c;
	struct evp_counts_are who;
	int counts;

	/* The broker may not have read COUNTS yet. */
	do
		CHECK(evp_control_counts(fd, domid, index, &who, &counts) == 0);
	while (counts < 0);
	CHECK(who.pid == pid);
	/* For reading only, and nobody can shrink it. */
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, counts, 0) ==
	      MAP_FAILED);
	CHECK(ftruncate(counts, 0) != 0);
	c = evp_counts_map(counts);
	CHECK(c);
	(void)close(counts);
	return c;
}

static uint64_t nr(const evb_u64 *n)
{
	return evb_u64_load_relaxed(n);
}

static void sends_and_events_are_counted_once(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(2);
	uint64_t ca = 0, cb = 0;
	evtchn_port_t pa = open_unbound(a, 2, count_event, &ca);
	evtchn_port_t pb = open_bound(b, 1, pa, count_event, &cb);
	const struct evp_counts *na, *nb;
	const struct evp_port_counts *n;
	uint32_t pid = (uint32_t)getpid();
	int i, fd = raw_greeted();

	(void)state;
	na = look(fd, 1, 0, pid);
	nb = look(fd, 2, 0, pid);
	n = &nb->port[pb];
	(void)evp_poll(a);
	(void)evp_poll(b);
	assert_int_equal(nr(&n->events), 1); /* the bind's own */
	/* The receiver is awake: nobody rings.  Four merge with the first. */
	for (i = 0; i < 5; i++)
		assert_int_equal(evg_notify(evp_evg(b), pb), 0);
	assert_int_equal(nr(&n->sent[EVP_SET]), 1);
	assert_int_equal(nr(&n->sent[EVP_MERGED]), 4);
	assert_int_equal(nr(&n->sent[EVP_RANG]), 0);
	assert_int_equal(nr(&na->port[pa].events), 0);
	assert_int_equal(evp_poll(a), 1);
	assert_int_equal(nr(&na->port[pa].events), 1);
	assert_int_equal(nr(&na->upcalls), 1);
	/* It sleeps: it is rung for, once. */
	assert_false(evp_arm(a));
	assert_int_equal(evg_notify(evp_evg(b), pb), 0);
	assert_int_equal(nr(&n->sent[EVP_RANG]), 1);
	assert_int_equal(evp_poll(a), 1);
	assert_int_equal(nr(&na->port[pa].events), 2);
	assert_int_equal(ca, 2);
	/* Closed, a port counts from 0; the sum stays. */
	assert_int_equal(evg_close(evp_evg(b), pb), 0);
	assert_int_equal(nr(&n->sent[EVP_MERGED]), 0);
	assert_int_equal(nr(&nb->closed.sent[EVP_MERGED]), 4);
	assert_int_equal(nr(&nb->closed.sent[EVP_RANG]), 1);
	evp_counts_unmap(na);
	evp_counts_unmap(nb);
	(void)close(fd);
	evp_detach(a);
	evp_detach(b);
}

static void each_attachment_of_a_domain_has_its_own(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1);
	uint64_t count = 0;
	const struct evp_counts *na, *nb;
	evtchn_port_t ipi;
	struct evp_counts_are who;
	int fd = raw_greeted(), counts;

	(void)state;
	(void)alloc(a, DOMID_SELF, 2);
	assert_int_equal(evg_bind_ipi(evp_evg(b), 0, &ipi), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(b), ipi, 0, count_event, &count), 0);
	assert_int_equal(evg_notify(evp_evg(b), ipi), 0);
	na = look(fd, 1, 0, (uint32_t)getpid());
	nb = look(fd, 1, 1, (uint32_t)getpid());
	assert_int_equal(nr(&na->port[ipi].events), 0);
	assert_int_equal(nr(&nb->port[ipi].events), 1);
	assert_int_equal(nr(&nb->sent_local), 1);
	assert_int_equal(evp_control_counts(fd, 1, 2, &who, &counts), -ENOENT);
	assert_int_equal(evp_control_counts(fd, 3, 0, &who, &counts), -ENOENT);
	evp_counts_unmap(na);
	evp_counts_unmap(nb);
	(void)close(fd);
	evp_detach(a);
	evp_detach(b);
}

static void domains_own_ports_are_counted_by_the_broker(void **state)
{
	struct evp_port_entry e;
	const struct evp_counts *n;
	uint32_t domid;
	int fd = open_session(1, &domid), i;

	(void)state;
	assert_int_equal(evp_control_port(fd, EVP_PORT_ALLOC, 1, 0, "door", &e),
			 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(evp_control_port(fd, EVP_PORT_NOTIFY, 1, 0,
						  "door", NULL),
				 0);
	n = look(fd, 1, 0, 0);
	assert_int_equal(nr(&n->port[e.port].events), 1);
	assert_int_equal(nr(&n->closed.sent[EVP_SET]), 3);
	assert_int_equal(evp_control_wait(fd, e.port, 0), 1);
	assert_int_equal(
		evp_control_port(fd, EVP_PORT_NOTIFY, 1, 0, "door", NULL), 0);
	assert_int_equal(nr(&n->port[e.port].events), 2);
	evp_counts_unmap(n);
	(void)close(fd);
}

/* Memory that could be cut under a reader, or is no memory at all. */
static void what_is_no_counts_ends_the_connection(void **state)
{
	struct evp_counts_msg m;
	int fd[3] = {memfd_create("small", MFD_CLOEXEC),
		     memfd_create("unsealed", MFD_CLOEXEC), -1};
	int pipes[2], i, c;

	(void)state;
	assert_int_equal(ftruncate(fd[1], sizeof(struct evp_counts)), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	fd[2] = pipes[0];
	evp_hdr_init(&m.hdr, EVP_COUNTS, sizeof(m), 0);
	for (i = 0; i < 3; i++) {
		c = raw_attached(1);
		assert_int_equal(
			evp_send_packet(c, &m, sizeof(m), &fd[i], 1, 0), 0);
		expect_end(c);
		(void)close(fd[i]);
	}
	(void)close(pipes[1]);
}

/* As after exec(): the program that counts now.  The first one's are closed. */
static void later_counts_replace_the_first(void **state)
{
	struct evp_counts_msg m;
	int shared[2], i, before, c = raw_attached(1), fd = raw_greeted();
	struct evp_counts *n[2];
	const struct evp_counts *seen;

	(void)state;
	evp_hdr_init(&m.hdr, EVP_COUNTS, sizeof(m), 0);
	for (i = 0; i < 2; i++) {
		n[i] = evp_counts_new(&shared[i]);
		assert_non_null(n[i]);
		evp_count(&n[i]->port[i].events);
	}
	assert_int_equal(evp_send_packet(c, &m, sizeof(m), &shared[0], 1, 0),
			 0);
	seen = look(fd, 1, 0, (uint32_t)getpid());
	assert_int_equal(nr(&seen->port[0].events), 1);
	evp_counts_unmap(seen);
	/* Threads close some descriptors, when they get round to it. */
	before = nr_fds();
	for (i = 0; i < 50; i++)
		assert_int_equal(
			evp_send_packet(c, &m, sizeof(m), &shared[1], 1, 0), 0);
	do {
		seen = look(fd, 1, 0, (uint32_t)getpid());
		i = (int)nr(&seen->port[1].events);
		evp_counts_unmap(seen);
	} while (!i);
	for (i = 0; i < 20; i++) /* 16 of its messages are read in a turn */
		(void)ask_domain(fd, 1);
	assert_true(nr_fds() < before + 25);
	for (i = 0; i < 2; i++) {
		evp_counts_free(n[i]);
		(void)close(shared[i]);
	}
	(void)close(c);
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sends_and_events_are_counted_once),
		TEST(each_attachment_of_a_domain_has_its_own),
		TEST(domains_own_ports_are_counted_by_the_broker),
		TEST(what_is_no_counts_ends_the_connection),
		TEST(later_counts_replace_the_first),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
