/* SPDX-License-Identifier: MIT */
/*
 * libxencall: handles, hypercalls, buffers, errors.
 */
#include <pthread.h>

#include <xencall.h>

#include <abi/event_channel.h>

#include "hosts/process/session.h"
#include "tests/process/harness.h"
#include "user/xenctl.h"

#define ARG(p) ((uint64_t)(uintptr_t)(p))

static xencall_handle *open_as(const char *domain)
{
	xencall_handle *h;

	CHECK(setenv("EVTCHN_DOMAIN", domain, 1) == 0);
	h = xencall_open(NULL, 0);
	CHECK(h);
	return h;
}

static int op(xencall_handle *h, unsigned int cmd, void *arg)
{
	return xencall2(h, __HYPERVISOR_event_channel_op, cmd, ARG(arg));
}

static evtchn_port_t alloc_port(xencall_handle *h, domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound a = {.dom = dom, .remote_dom = remote};

	CHECK(op(h, EVTCHNOP_alloc_unbound, &a) == 0);
	return a.port;
}

#define FAILS(call, error)                      \
	do {                                    \
		errno = 0;                      \
		assert_int_equal(call, -1);     \
		assert_int_equal(errno, error); \
	} while (0)

/* --- handles ------------------------------------------------------------------ */

static void expect_no_handle(unsigned int flags, int why)
{
	errno = 0;
	assert_null(xencall_open(NULL, flags));
	assert_int_equal(errno, why);
}

static void no_handle_without_a_broker(void **state)
{
	(void)state;
	assert_int_equal(setenv("EVTCHN_DOMAIN", "0", 1), 0);
	expect_no_handle(2, EINVAL);
	assert_int_equal(setenv("EVTCHN_DOMAIN", "32752", 1), 0);
	expect_no_handle(0, EINVAL);
	assert_int_equal(setenv("EVTCHN_DOMAIN", "1x", 1), 0);
	expect_no_handle(0, EINVAL);
	assert_int_equal(setenv("EVTCHN_DOMAIN", "1", 1), 0);
	assert_int_equal(setenv("EVTCHN_SOCKET", "/nonexistent/sock", 1), 0);
	expect_no_handle(0, ENOENT);
	assert_int_equal(xencall_close(NULL), 0);
}

/* `evtchn run` says which domain; another one is refused. */
static void handle_of_a_session_is_of_its_domain(void **state)
{
	char text[16];
	uint32_t domid;
	int session = open_session(4, &domid);
	xencall_handle *h;

	(void)state;
	(void)snprintf(text, sizeof(text), "%d", session);
	assert_int_equal(setenv("EVTCHN_FD", text, 1), 0);
	assert_int_equal(setenv("EVTCHN_DOMAIN", "9", 1), 0);
	expect_no_handle(0, EACCES);
	assert_int_equal(unsetenv("EVTCHN_DOMAIN"), 0);
	h = xencall_open(NULL, 0);
	assert_non_null(h);
	assert_int_equal(alloc_port(h, DOMID_SELF, 1), 1);
	assert_int_equal(ask_domain(session, 4).nr_ports, 1);
	assert_true(xencall_fd(h) >= 0);
	assert_true(fcntl(xencall_fd(h), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(xencall_close(h), 0);
	(void)close(session);
}

/* Nobody said which: the domain this process is in already. */
static void handle_of_a_process_is_of_its_domain(void **state)
{
	struct evp_guest *g = attach(6);
	xencall_handle *h = xencall_open(NULL, 0);

	(void)state;
	assert_non_null(h);
	assert_int_equal(alloc_port(h, DOMID_SELF, 1), 1);
	assert_int_equal(status_of(g, 1), EVTCHNSTAT_unbound);
	assert_int_equal(xencall_close(h), 0);
	evp_detach(g);
}

static void child_may_close_and_the_parent_go_on(void **state)
{
	xencall_handle *h = open_as("1");
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(xencall_close(h));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(alloc_port(h, DOMID_SELF, 2), 1);
	assert_int_equal(xencall_close(h), 0);
}

static void broker_gone_says_so(void **state)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};
	struct ctl_domctl d = {.cmd = CTL_DOMCTL_GETDOMAININFO,
			       .version = CTL_DOMCTL_VERSION};
	xencall_handle *h = open_as("0");

	(void)state;
	kill_broker();
	FAILS(op(h, EVTCHNOP_status, &st), ENOTCONN);
	FAILS(xencall1(h, CTL_HYPERVISOR_DOMCTL, ARG(&d)), ENOTCONN);
	assert_int_equal(xencall_close(h), 0);
}

#define NR_THREADS 4
#define NR_ROUNDS  500

struct thread {
	pthread_t id;
	xencall_handle *h;
	domid_t remote; /* and the port, as each has one */
};

static void *ask_again_and_again(void *arg)
{
	const struct thread *t = arg;
	struct evtchn_status st;
	int i;

	for (i = 0; i < NR_ROUNDS; i++) {
		st = (struct evtchn_status){.dom = DOMID_SELF,
					    .port = t->remote};
		CHECK(op(t->h, EVTCHNOP_status, &st) == 0);
		CHECK(st.status == EVTCHNSTAT_unbound);
		CHECK(st.u.unbound.dom == t->remote);
	}
	return NULL;
}

static void threads_get_their_own_answers(void **state)
{
	struct thread t[NR_THREADS];
	xencall_handle *h = open_as("0");
	domid_t i;

	(void)state;
	for (i = 0; i < NR_THREADS; i++) {
		t[i].h = h;
		t[i].remote = (domid_t)(i + 1);
		assert_int_equal(alloc_port(h, DOMID_SELF, t[i].remote),
				 t[i].remote);
	}
	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&t[i].id, NULL,
						ask_again_and_again, &t[i]),
				 0);
	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(t[i].id, NULL), 0);
	assert_int_equal(xencall_close(h), 0);
}

/* --- pointers and numbers -------------------------------------------------------- */

static void pointers_to_nowhere_are_efault(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t cmd = EVTCHNOP_status;
	struct ctl_sysctl s = {.cmd = CTL_SYSCTL_GETDOMAININFOLIST,
			       .version = CTL_SYSCTL_VERSION,
			       .u.list = {.max = 1, .buffer = 16}};
	xencall_handle *h = open_as("0");

	(void)state;
	assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	FAILS(op(h, EVTCHNOP_status, NULL), EFAULT);
	FAILS(op(h, EVTCHNOP_status, page + 4092), EFAULT); /* in part */
	FAILS(xencall1(h, __HYPERVISOR_event_channel_op_compat, 7), EFAULT);
	memcpy(page + 4092, &cmd, sizeof(cmd));
	FAILS(xencall1(h, __HYPERVISOR_event_channel_op_compat,
		       ARG(page + 4092)),
	      EFAULT);
	FAILS(xencall2(h, __HYPERVISOR_xen_version, CTL_VERSION_EXTRA, 0),
	      EFAULT);
	FAILS(xencall1(h, CTL_HYPERVISOR_DOMCTL, ARG(page + 4000)), EFAULT);
	FAILS(xencall1(h, CTL_HYPERVISOR_SYSCTL, 0), EFAULT);
	FAILS(xencall1(h, CTL_HYPERVISOR_SYSCTL, ARG(&s)), EFAULT);
	/* Read, but not written: the port exists, nobody knows it. */
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	FAILS(op(h, EVTCHNOP_alloc_unbound, page), EFAULT);
	assert_int_equal(alloc_port(h, DOMID_SELF, 1), 2);
	assert_int_equal(xencall_close(h), 0);
	(void)munmap(page, 8192);
}

static void what_is_not_answered_is_enosys(void **state)
{
	unsigned char arg[256] = {0};
	struct evtchn_op compat = {.cmd = EVTCHNOP_reset};
	xencall_handle *h = open_as("0");
	unsigned int nr;

	(void)state;
	for (nr = 0; nr < 70; nr++) {
		if (nr == __HYPERVISOR_xen_version ||
		    nr == __HYPERVISOR_event_channel_op ||
		    nr == __HYPERVISOR_event_channel_op_compat ||
		    nr == CTL_HYPERVISOR_DOMCTL || nr == CTL_HYPERVISOR_SYSCTL)
			continue;
		FAILS(xencall2(h, nr, 1, ARG(arg)), ENOSYS);
	}
	FAILS(xencall0(h, 0), ENOSYS);
	FAILS(xencall3(h, 1, 1, 2, 3), ENOSYS);
	FAILS(xencall4(h, 1, 1, 2, 3, 4), ENOSYS);
	FAILS(xencall5(h, 1, 1, 2, 3, 4, 5), ENOSYS);
	FAILS((int)xencall2L(h, __HYPERVISOR_memory_op, 1, 0), ENOSYS);
	FAILS(op(h, EVTCHNOP_init_control, arg), ENOSYS);
	FAILS(op(h, EVTCHNOP_reset_cont, arg), ENOSYS);
	FAILS(op(h, 1000, arg), ENOSYS);
	FAILS(xencall1(h, __HYPERVISOR_event_channel_op_compat, ARG(&compat)),
	      ENOSYS);
	FAILS(xencall2(h, __HYPERVISOR_xen_version, 10, ARG(arg)), ENOSYS);
	assert_int_equal(xencall_close(h), 0);
}

static void versions(void **state)
{
	char text[CTL_CAPABILITIES_LEN];
	xencall_handle *h = open_as("1");

	(void)state;
	assert_int_equal(xencall2(h, __HYPERVISOR_xen_version, 0, 0),
			 4 << 16 | 17);
	assert_int_equal(
		xencall2(h, __HYPERVISOR_xen_version, CTL_VERSION_PAGESIZE, 0),
		4096);
	memset(text, 'x', sizeof(text));
	assert_int_equal(xencall2(h, __HYPERVISOR_xen_version,
				  CTL_VERSION_EXTRA, ARG(text)),
			 0);
	assert_string_equal(text, "-evtchn");
	/* All of its field, and no more. */
	assert_int_equal(text[15], 0);
	assert_int_equal(text[16], 'x');
	assert_int_equal(xencall2(h, __HYPERVISOR_xen_version,
				  CTL_VERSION_CAPABILITIES, ARG(text)),
			 0);
	assert_int_equal(text[0], 0);
	assert_int_equal(text[CTL_CAPABILITIES_LEN - 1], 0);
	assert_int_equal(xencall_close(h), 0);
}

/* --- domains ----------------------------------------------------------------------- */

/* What the broker says, unless a test says it. */
static uint32_t invented; /* so many domains, 10 apart; 10 is dying */

int __real_evp_session_dominfo(int fd, uint32_t *cursor,
			       struct evp_dominfo_entry *e, uint32_t max);
int __wrap_evp_session_dominfo(int fd, uint32_t *cursor,
			       struct evp_dominfo_entry *e, uint32_t max);

int __wrap_evp_session_dominfo(int fd, uint32_t *cursor,
			       struct evp_dominfo_entry *e, uint32_t max)
{
	uint32_t i, n = 0;

	if (!invented)
		return __real_evp_session_dominfo(fd, cursor, e, max);
	for (i = (*cursor + 9) / 10; i < invented; i++) {
		if (n == max)
			break;
		memset(&e[n], 0, sizeof(e[n]));
		e[n].domid = (uint16_t)(10 * i);
		e[n].nr_vcpus = i + 1;
		e[n].cpu_ns = 1000 + i;
		e[n].dying = i == 1;
		memset(e[n++].handle, (int)i, 16);
	}
	*cursor = i < invented ? 10 * i : UINT32_MAX;
	return (int)n;
}

static int get_info(xencall_handle *h, struct ctl_domctl *d, domid_t domid)
{
	memset(d, 0xee, sizeof(*d));
	d->cmd = CTL_DOMCTL_GETDOMAININFO;
	d->version = CTL_DOMCTL_VERSION;
	d->domid = domid;
	return xencall1(h, CTL_HYPERVISOR_DOMCTL, ARG(d));
}

static void information_about_the_first_domain_from_one_up(void **state)
{
	const struct ctl_domain *i;
	struct ctl_domctl d;
	xencall_handle *h = open_as("0");

	(void)state;
	i = &d.u.info;
	invented = 3;
	assert_int_equal(get_info(h, &d, 0), 0);
	assert_int_equal(i->domid, 0);
	assert_int_equal(i->flags, CTL_RUNNING);
	assert_int_equal(i->pages, 0);
	assert_int_equal(get_info(h, &d, 1), 0);
	assert_int_equal(d.domid, 10);
	assert_int_equal(i->domid, 10);
	assert_int_equal(i->flags, CTL_DYING);
	assert_int_equal(get_info(h, &d, 20), 0);
	assert_int_equal(i->flags, CTL_BLOCKED);
	assert_int_equal(i->nr_vcpus, 3);
	assert_int_equal(i->last_vcpu, 2);
	assert_int_equal(i->cpu_ns, 1002);
	assert_int_equal(i->handle[15], 2);
	FAILS(get_info(h, &d, 21), ESRCH);
	assert_int_equal(d.domid, 21); /* untouched */
	invented = 0;
	assert_int_equal(xencall_close(h), 0);
}

static int get_list(xencall_handle *h, domid_t first, uint32_t max,
		    struct ctl_domain *to, uint32_t *count)
{
	struct ctl_sysctl s = {.cmd = CTL_SYSCTL_GETDOMAININFOLIST,
			       .version = CTL_SYSCTL_VERSION};
	int rc;

	s.u.list = (struct ctl_list){
		.first = first, .max = max, .buffer = ARG(to), .count = 99999};
	rc = xencall1(h, CTL_HYPERVISOR_SYSCTL, ARG(&s));
	*count = s.u.list.count;
	return rc;
}

static void list_of_as_many_domains_as_there_is_room_for(void **state)
{
	static struct ctl_domain d[201];
	xencall_handle *h = open_as("0");
	uint32_t i, count;

	(void)state;
	invented = 200; /* more than three pages */
	assert_int_equal(get_list(h, 0, 201, d, &count), 0);
	assert_int_equal(count, 200);
	for (i = 0; i < count; i++)
		assert_int_equal(d[i].domid, 10 * i);
	memset(d, 0xee, sizeof(d));
	assert_int_equal(get_list(h, 11, 65, d, &count), 0);
	assert_int_equal(count, 65);
	assert_int_equal(d[0].domid, 20);
	assert_int_equal(d[64].domid, 660);
	assert_int_equal(d[65].domid, 0xeeee);
	assert_int_equal(get_list(h, 0, 0, NULL, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(get_list(h, 1991, 5, d, &count), 0);
	assert_int_equal(count, 0);
	invented = 0;
	/* The broker's: this one. */
	assert_int_equal(get_list(h, 0, 5, d, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(xencall_close(h), 0);
}

/* In Xen's order: version, permission, command. */
static void control_calls_refused(void **state)
{
	static const char *const domain[] = {"0", "1"};
	static const unsigned int nr[] = {CTL_HYPERVISOR_DOMCTL,
					  CTL_HYPERVISOR_SYSCTL};
	struct ctl_domctl a = {.cmd = 9999};
	xencall_handle *h;
	int i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		h = open_as(domain[i]);
		for (j = 0; j < 2; j++) {
			a.version = 0x14;
			FAILS(xencall1(h, nr[j], ARG(&a)), EACCES);
			a.version = 0x15;
			FAILS(xencall1(h, nr[j], ARG(&a)), i ? EPERM : ENOSYS);
		}
		assert_int_equal(xencall_close(h), 0);
	}
}

static void the_machine(void **state)
{
	struct ctl_sysctl s = {.cmd = CTL_SYSCTL_PHYSINFO,
			       .version = CTL_SYSCTL_VERSION};
	xencall_handle *h = open_as("0");

	(void)state;
	assert_int_equal(xencall1(h, CTL_HYPERVISOR_SYSCTL, ARG(&s)), 0);
	assert_int_equal(s.u.machine.nr_cpus, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(s.u.machine.last_cpu + 1, s.u.machine.nr_cpus);
	assert_int_equal(s.u.machine.total_pages, sysconf(_SC_PHYS_PAGES));
	assert_int_equal(s.u.machine.nr_nodes, 1);
	assert_int_equal(xencall_close(h), 0);
}

/* --- buffers ------------------------------------------------------------------------ */

static bool is_good(const unsigned char *p, size_t size)
{
	size_t i;

	for (i = 0; i < size && !p[i]; i++)
		continue;
	return p && (uintptr_t)p % 4096 == 0 && i == size;
}

static void buffers_are_whole_zeroed_pages(void **state)
{
	xencall_handle *h = open_as("1");
	unsigned char *p, *q;

	(void)state;
	p = xencall_alloc_buffer_pages(h, 3);
	q = xencall_alloc_buffer(h, 4097);
	assert_true(is_good(p, 3 * 4096));
	assert_true(is_good(q, 2 * 4096));
	memset(p, 0xff, 3 * 4096);
	xencall_free_buffer_pages(h, p, 3);
	xencall_free_buffer(h, q);
	p = xencall_alloc_buffer_pages(h, 3);
	assert_true(is_good(p, 3 * 4096));
	xencall_free_buffer_pages(h, p, 3);
	xencall_free_buffer(h, NULL);
	errno = 0;
	assert_null(xencall_alloc_buffer_pages(h, SIZE_MAX / 4096));
	assert_int_equal(errno, ENOMEM);
	assert_null(xencall_alloc_buffer_pages(h, SIZE_MAX / 4096 + 2));
	assert_null(xencall_alloc_buffer_pages(h, 0));
	assert_int_equal(xencall_buffers_never_fault(h), 1);
	assert_int_equal(xencall_close(h), 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(no_handle_without_a_broker),
		TEST(handle_of_a_session_is_of_its_domain),
		TEST(handle_of_a_process_is_of_its_domain),
		TEST(child_may_close_and_the_parent_go_on),
		TEST(broker_gone_says_so),
		TEST(threads_get_their_own_answers),
		TEST(pointers_to_nowhere_are_efault),
		TEST(what_is_not_answered_is_enosys),
		TEST(versions),
		TEST(information_about_the_first_domain_from_one_up),
		TEST(list_of_as_many_domains_as_there_is_room_for),
		TEST(control_calls_refused),
		TEST(the_machine),
		TEST(buffers_are_whole_zeroed_pages),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
