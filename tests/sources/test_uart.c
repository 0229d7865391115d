/* SPDX-License-Identifier: MIT */
/* examples/pirq_uart: a driver in a domain, its line a pseudo-terminal. */
#include <termios.h>

#include "tests/process/harness.h"

#define NR_BYTES 23

static const char payload[NR_BYTES + 1] = "level-triggered, mostly";

static char bin[4096]; /* where the programs are, with their sanitizers */

static void find_bin(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	CHECK(slash);
	(void)snprintf(bin, sizeof(bin), "%.*s/../../san/bin",
		       (int)(slash - argv0), argv0);
}

static int make_terminal(char *name, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	CHECK(fd >= 0 && !grantpt(fd) && !unlockpt(fd));
	CHECK(!tcgetattr(fd, &t));
	cfmakeraw(&t);
	CHECK(!tcsetattr(fd, TCSANOW, &t));
	(void)snprintf(name, size, "%s", ptsname(fd));
	return fd;
}

/* evtchn run --domain 2 --pirq LINE -- pirq_uart -n NR_BYTES 4 TTY 2>&1 */
static pid_t run_driver(const char *line, const char *tty, int *output)
{
	char evtchn[4200], uart[4200], n[8];
	int out[2];
	pid_t pid;

	(void)snprintf(evtchn, sizeof(evtchn), "%s/evtchn", bin);
	(void)snprintf(uart, sizeof(uart), "%s/pirq_uart", bin);
	(void)snprintf(n, sizeof(n), "%d", NR_BYTES);
	CHECK(!pipe2(out, O_CLOEXEC));
	pid = fork();
	if (pid == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(out[1], STDERR_FILENO);
		(void)alarm(TIME_LIMIT);
		execl(evtchn, "evtchn", "run", "--domain", "2", "--pirq", line,
		      "--", uart, "-n", n, "4", tty, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	*output = out[0];
	return pid;
}

/* Everything it prints, and how it ended. */
static int finish(pid_t pid, int output, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while ((n = read(output, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(output);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static unsigned int nr_interrupts(const char *text)
{
	const char *report = strstr(text, "[uart] 23 bytes, ");
	unsigned int n = 0;

	if (report)
		(void)sscanf(report, "[uart] 23 bytes, %u", &n);
	return n;
}

/*
 * All is there before the driver is: one edge, of which an edge-triggered line
 * would make one interrupt, and 4 bytes.
 */
static void driver_takes_all_that_is_there_at_once(void **state)
{
	char tty[64], line[80], text[1024];
	int output, fd = make_terminal(tty, sizeof(tty));
	pid_t pid;

	(void)state;
	(void)snprintf(line, sizeof(line), "4=%s", tty);
	CHECK(write(fd, payload, NR_BYTES) == NR_BYTES);
	pid = run_driver(line, tty, &output);
	assert_int_equal(finish(pid, output, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "line 4 is port 1 of domain 2"));
	assert_non_null(strstr(text, payload));
	assert_in_range(nr_interrupts(text), 6, 7);
	(void)close(fd);
}

/* Byte by byte, each after the one before was printed. */
static void driver_hears_each_byte(void **state)
{
	char tty[64], line[80], text[1024], byte;
	int i, output, fd = make_terminal(tty, sizeof(tty));
	pid_t pid;

	(void)state;
	(void)snprintf(line, sizeof(line), "4=%s", tty);
	pid = run_driver(line, tty, &output);
	do {
		CHECK(read(output, &byte, 1) == 1);
	} while (byte != '\n');
	for (i = 0; i < NR_BYTES; i++) {
		CHECK(write(fd, &payload[i], 1) == 1);
		CHECK(read(output, &byte, 1) == 1);
		assert_int_equal(byte, payload[i]);
	}
	assert_int_equal(finish(pid, output, text, sizeof(text)), 0);
	/* It may have looked once too often, after a byte it had taken. */
	assert_true(nr_interrupts(text) >= NR_BYTES);
	(void)close(fd);
}

static void wrong_line_is_said(void **state)
{
	char tty[64], text[1024];
	int output, fd = make_terminal(tty, sizeof(tty));
	pid_t pid;

	(void)state;
	pid = run_driver("4=/dev/null", tty, &output);
	assert_int_equal(finish(pid, output, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "cannot be waited for"));
	pid = run_driver("4=/nonexistent", tty, &output);
	assert_int_equal(finish(pid, output, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "cannot open '/nonexistent'"));
	pid = run_driver("256", tty, &output);
	assert_int_equal(finish(pid, output, text, sizeof(text)), 2);
	assert_non_null(strstr(text, "'256' is no interrupt line"));
	pid = run_driver("4", tty, &output);
	assert_int_equal(finish(pid, output, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "there is no such line"));
	(void)close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(driver_takes_all_that_is_there_at_once),
		TEST(driver_hears_each_byte),
		TEST(wrong_line_is_said),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	find_bin(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
