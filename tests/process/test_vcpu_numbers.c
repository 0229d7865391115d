/* SPDX-License-Identifier: MIT */
/*
 * Which vCPUs there are is the caller's matter: an attachment has as many as it
 * asked for, a session one.  The errors, and their order, are Xen's.
 */
#include "harness.h"

#include "hosts/process/session.h"

static struct evp_guest *attach_with(uint32_t nr_vcpus)
{
	struct evp_options o = {
		.domain = 1, .spin_ns = EVP_SPIN_DEFAULT, .nr_vcpus = nr_vcpus};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == 0);
	return g;
}

static int bind_virq(int fd, uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};

	return raw_op(fd, EVTCHNOP_bind_virq, &op, sizeof(op));
}

static int bind_ipi(int fd, uint32_t vcpu)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};

	return raw_op(fd, EVTCHNOP_bind_ipi, &op, sizeof(op));
}

static int bind_vcpu(int fd, evtchn_port_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return raw_op(fd, EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

/* @nr vCPUs, and port @port is its own and may be moved. */
static void check_numbers(int fd, uint32_t nr, evtchn_port_t port)
{
	const uint32_t missing[] = {nr, EVP_VCPUS_MAX - 1, EVP_VCPUS_MAX,
				    UINT32_MAX};
	uint32_t i, vcpu;

	for (i = 0; i < 4; i++) {
		vcpu = missing[i];
		assert_int_equal(bind_ipi(fd, vcpu), -XEN_ENOENT);
		assert_int_equal(bind_vcpu(fd, port, vcpu), -XEN_ENOENT);
		/* The vCPU comes before the port. */
		assert_int_equal(bind_vcpu(fd, 4000, vcpu), -XEN_ENOENT);
		assert_int_equal(bind_virq(fd, VIRQ_DEBUG, vcpu), -XEN_ENOENT);
		/* The kind of VIRQ comes before the vCPU. */
		assert_int_equal(bind_virq(fd, VIRQ_ARGO, vcpu), -XEN_EINVAL);
		assert_int_equal(bind_virq(fd, VIRQ_DOM_EXC, vcpu),
				 -XEN_EINVAL);
		assert_int_equal(bind_virq(fd, NR_VIRQS, vcpu), -XEN_EINVAL);
		assert_int_equal(bind_virq(fd, UINT32_MAX, vcpu), -XEN_EINVAL);
	}
	assert_int_equal(bind_vcpu(fd, 4000, nr - 1), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(fd, port, nr - 1), 0);
	assert_int_equal(bind_ipi(fd, nr - 1), 0);
	assert_int_equal(bind_virq(fd, VIRQ_XENOPROF, nr - 1), 0);
	assert_int_equal(bind_virq(fd, VIRQ_XENOPROF, nr - 1), -XEN_EEXIST);
}

static void each_has_its_own_number_of_vcpus(void **state)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 2};
	struct evp_guest *g = attach_with(4);
	int i, fd[2] = {raw_with(1, 5), raw_with(1, 9)};

	(void)state;
	/* The core gives them in turn: 1 and 2. */
	for (i = 0; i < 2; i++)
		assert_int_equal(
			raw_op(fd[i], EVTCHNOP_alloc_unbound, &op, sizeof(op)),
			0);
	check_numbers(fd[0], 5, 1);
	check_numbers(fd[1], 9, 2);
	for (i = 0; i < 2; i++)
		(void)close(fd[i]);
	evp_detach(g);
}

static void session_has_one_vcpu(void **state)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 2};
	uint32_t domid;
	int fd = open_session(1, &domid);

	(void)state;
	assert_int_equal(raw_op(fd, EVTCHNOP_alloc_unbound, &op, sizeof(op)),
			 0);
	check_numbers(fd, 1, 1);
	(void)close(fd);
}

/* What is too short is not looked at. */
static void short_argument_is_a_fault(void **state)
{
	const uint32_t word[2] = {UINT32_MAX, UINT32_MAX};
	int fd = raw_with(1, 2);

	(void)state;
	assert_int_equal(raw_op(fd, EVTCHNOP_bind_ipi, word, 4), -XEN_EFAULT);
	assert_int_equal(raw_op(fd, EVTCHNOP_bind_virq, word, 8), -XEN_EFAULT);
	assert_int_equal(raw_op(fd, EVTCHNOP_bind_vcpu, word, 7), -XEN_EFAULT);
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_has_its_own_number_of_vcpus),
		TEST(session_has_one_vcpu),
		TEST(short_argument_is_a_fault),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("vCPU numbers", tests, NULL, NULL);
}
