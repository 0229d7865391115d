/* SPDX-License-Identifier: MIT */
/* VIRQ_CONSOLE: input on what evtchnd --console names. */
#include <termios.h>

#include "tests/process/harness.h"

static int master;

/* A terminal, or a pipe, as the broker's console; the broker is ours. */
static void start_with_console(const char *path, int input)
{
	char byte, fd[16];
	int ready[2];

	CHECK(!pipe2(ready, O_CLOEXEC));
	(void)snprintf(fd, sizeof(fd), "%d", ready[1]);
	kill_broker();
	broker.pid = fork();
	if (broker.pid == 0) {
		(void)fcntl(ready[1], F_SETFD, 0);
		(void)alarm(0);
		if (input >= 0)
			(void)dup2(input, STDIN_FILENO);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(evtchnd_path, "evtchnd", "--socket", broker.path,
		      "--ready-fd", fd, "--console", path, (char *)NULL);
		_exit(127);
	}
	(void)close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	(void)close(ready[0]);
}

static void make_terminal(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(master >= 0 && !grantpt(master) && !unlockpt(master));
}

static void bind_console(struct evp_guest *g, uint64_t *count)
{
	evtchn_port_t port = 0;

	CHECK(evg_bind_virq(evp_evg(g), VIRQ_CONSOLE, 0, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       count) == 0);
}

/* Everything that was sent to the broker before is done. */
static void type_and_hear(struct evp_guest *g, uint64_t *count, int fd)
{
	uint64_t seen = *count;

	CHECK(write(fd, "key\n", 4) == 4);
	wait_count(g, count, seen + 1);
}

static void terminal_input_reaches_domain_0(void **state)
{
	struct evp_guest *g;
	uint64_t count = 0;
	char text[16];
	int tty;

	(void)state;
	make_terminal();
	start_with_console(ptsname(master), -1);
	g = attach(0);
	bind_console(g, &count);
	type_and_hear(g, &count, master);
	/* Each arrival, also with the one before unread: a VIRQ has no end. */
	type_and_hear(g, &count, master);
	/* The broker has read none of it, and it is nobody's terminal. */
	tty = open(ptsname(master), O_RDONLY | O_NOCTTY | O_NONBLOCK);
	assert_int_equal(read(tty, text, sizeof(text)), 4);
	assert_memory_equal(text, "key\n", 4);
	assert_int_equal(read(tty, text, sizeof(text)), 4);
	/* A hang-up is told, and is no storm: the broker sleeps after it. */
	(void)close(tty);
	(void)close(master);
	wait_count(g, &count, count + 1);
	assert_int_equal(evp_wait(g, 50000000), 0);
	evp_detach(g);
}

static void delegated_console_goes_elsewhere(void **state)
{
	struct evp_guest *g;
	uint64_t count = 0;
	int fd;

	(void)state;
	make_terminal();
	start_with_console(ptsname(master), -1);
	g = attach(3);
	fd = raw();
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	assert_int_equal(evp_control_delegate(fd, VIRQ_CONSOLE, 3), 0);
	bind_console(g, &count);
	type_and_hear(g, &count, master);
	(void)close(fd);
	(void)close(master);
	evp_detach(g);
}

static void pipe_can_be_standard_input(void **state)
{
	struct evp_guest *g;
	uint64_t count = 0;
	int ends[2];

	(void)state;
	CHECK(!pipe2(ends, O_CLOEXEC));
	start_with_console("-", ends[0]);
	g = attach(0);
	bind_console(g, &count);
	type_and_hear(g, &count, ends[1]);
	type_and_hear(g, &count, ends[1]);
	(void)close(ends[0]);
	(void)close(ends[1]);
	evp_detach(g);
}

static int status_with(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execl(evtchnd_path, "evtchnd", "--foreground", "--socket",
		      "/dev/null/x", "--console", path, (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void what_cannot_be_watched_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(status_with("/dev/null"), 2);
	assert_int_equal(status_with(evtchnd_path), 2);
	assert_int_equal(status_with("/nonexistent/tty"), 2);
	assert_int_equal(status_with(""), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(terminal_input_reaches_domain_0),
		TEST(delegated_console_goes_elsewhere),
		TEST(pipe_can_be_standard_input),
		cmocka_unit_test(what_cannot_be_watched_is_refused_at_once),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
