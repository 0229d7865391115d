/* SPDX-License-Identifier: MIT */
/*
 * libxenevtchn on Xen: that each call makes the one system call that Linux's
 * event-channel device wants, with the right number and argument, and hands
 * its answer on.  No device is needed: /dev/null is opened in its place, and
 * what is asked of it is answered here.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include <xenctrl_2010.h>
#include <xenevtchn.h>

/* --- the device ------------------------------------------------------------------ */

#define READ  1
#define WRITE 2

static struct {
	int fd; /* the device's, or -1 */
	int calls;
	unsigned long request; /* or READ, WRITE */
	unsigned char arg[8];
	ssize_t answer; /* negative: -errno */
} device = {.fd = -1};

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

static ssize_t serve(unsigned long request, const void *arg, size_t len)
{
	assert_true(len <= sizeof(device.arg));
	device.calls++;
	device.request = request;
	memset(device.arg, 0, sizeof(device.arg));
	memcpy(device.arg, arg, len);
	if (device.answer >= 0)
		return device.answer;
	errno = (int)-device.answer;
	return -1;
}

/* The size of the argument is bits 16 to 29 of the number. */
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	assert_int_equal(fd, device.fd);
	return (int)serve(request, arg, request >> 16);
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	const uint32_t port = 0x1234;

	if (fd != device.fd)
		return __real_read(fd, buf, len);
	assert_int_equal(len, 4);
	memcpy(buf, &port, sizeof(port));
	return serve(READ, "", 0);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fd != device.fd)
		return __real_write(fd, buf, len);
	return serve(WRITE, buf, len);
}

/* --- the calls --------------------------------------------------------------------- */

enum call {
	BIND_VIRQ,
	BIND_INTERDOMAIN,
	BIND_UNBOUND,
	UNBIND,
	NOTIFY,
	RESTRICT,
	PENDING,
	UNMASK,
};

static int do_call(xenevtchn_handle *h, enum call call)
{
	switch (call) {
	case BIND_VIRQ:
		return xenevtchn_bind_virq(h, 0x11);
	case BIND_INTERDOMAIN:
		return xenevtchn_bind_interdomain(h, 0x22, 0x33);
	case BIND_UNBOUND:
		return xenevtchn_bind_unbound_port(h, 0x44);
	case UNBIND:
		return xenevtchn_unbind(h, 0x55);
	case NOTIFY:
		return xenevtchn_notify(h, 0x66);
	case RESTRICT:
		return xenevtchn_restrict(h, 0x77);
	case PENDING:
		return xenevtchn_pending(h);
	case UNMASK:
		return xenevtchn_unmask(h, 0x88);
	}
	return -2;
}

/* Numbers as strace shows them, not computed as the library does. */
static const struct {
	enum call call;
	unsigned long request;
	uint32_t arg[2];
	ssize_t answer;
	int result, error;
} rows[] = {
	{BIND_VIRQ, 0x44500, {0x11}, 5, 5, 0},
	{BIND_VIRQ, 0x44500, {0x11}, -EEXIST, -1, EEXIST},
	{BIND_INTERDOMAIN, 0x84501, {0x22, 0x33}, 6, 6, 0},
	{BIND_INTERDOMAIN, 0x84501, {0x22, 0x33}, -EINVAL, -1, EINVAL},
	{BIND_UNBOUND, 0x44502, {0x44}, 7, 7, 0},
	{BIND_UNBOUND, 0x44502, {0x44}, -ENOSPC, -1, ENOSPC},
	{UNBIND, 0x44503, {0x55}, 0, 0, 0},
	{UNBIND, 0x44503, {0x55}, -ENOTCONN, -1, ENOTCONN},
	{NOTIFY, 0x44504, {0x66}, 0, 0, 0},
	{NOTIFY, 0x44504, {0x66}, -ENOTCONN, -1, ENOTCONN},
	{RESTRICT, 0x24506, {0x77}, 0, 0, 0},
	{RESTRICT, 0x24506, {0x77}, -EACCES, -1, EACCES},
	{PENDING, READ, {0}, 4, 0x1234, 0},
	{PENDING, READ, {0}, -EAGAIN, -1, EAGAIN},
	{PENDING, READ, {0}, 2, -1, EIO}, /* short: not left to chance */
	{PENDING, READ, {0}, 0, -1, EIO},
	{UNMASK, WRITE, {0x88}, 4, 0, 0},
	{UNMASK, WRITE, {0x88}, -ENOMEM, -1, ENOMEM},
	{UNMASK, WRITE, {0x88}, 0, -1, EIO},
};

static xenevtchn_handle *open_device(unsigned int flags)
{
	xenevtchn_handle *h;

	assert_int_equal(setenv("EVTCHN_DEVICE", "/dev/null", 1), 0);
	h = xenevtchn_open(NULL, flags);
	assert_non_null(h);
	device.fd = xenevtchn_fd(h);
	return h;
}

static void close_device(xenevtchn_handle *h)
{
	int fd = device.fd;

	device.fd = -1;
	assert_int_equal(xenevtchn_close(h), 0);
	errno = 0;
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void calls_are_the_devices(void **state)
{
	xenevtchn_handle *h = open_device(0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		device.answer = rows[i].answer;
		device.calls = 0;
		errno = 0;
		assert_int_equal(do_call(h, rows[i].call), rows[i].result);
		assert_int_equal(errno, rows[i].error);
		assert_int_equal(device.calls, 1);
		assert_int_equal(device.request, rows[i].request);
		assert_memory_equal(device.arg, rows[i].arg, 8);
	}
	close_device(h);
}

static void flags_decide_what_exec_leaves_open(void **state)
{
	xenevtchn_handle *h = open_device(0), *kept;

	(void)state;
	assert_int_equal(fcntl(device.fd, F_GETFD), FD_CLOEXEC);
	close_device(h);
	kept = open_device(XENEVTCHN_NO_CLOEXEC);
	assert_int_equal(fcntl(device.fd, F_GETFD), 0);
	assert_int_equal(fcntl(device.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close_device(kept);
}

static void descriptor_of_a_device_adopted(void **state)
{
	int fd = open("/dev/null", O_RDWR);
	xenevtchn_handle *h = xenevtchn_fdopen(NULL, fd, 0);

	(void)state;
	assert_non_null(h);
	assert_int_equal(xenevtchn_fd(h), fd);
	device.fd = fd;
	device.answer = 9;
	assert_int_equal(xenevtchn_bind_unbound_port(h, 1), 9);
	close_device(h);
}

static void devices_that_are_not_there_named_by_errno(void **state)
{
	(void)state;
	assert_int_equal(setenv("EVTCHN_DEVICE", "/nonexistent/evtchn", 1), 0);
	assert_null(xenevtchn_open(NULL, 0));
	assert_int_equal(errno, ENOENT);
	/* The process host, but nobody is there. */
	assert_int_equal(setenv("EVTCHN_DEVICE", "", 1), 0);
	assert_int_equal(setenv("EVTCHN_SOCKET", "/nonexistent/sock", 1), 0);
	assert_null(xenevtchn_open(NULL, 0));
	assert_int_equal(errno, ENOENT);
}

/* --- 2010 ---------------------------------------------------------------------------- */

static void calls_of_2010_reach_the_device(void **state)
{
	int fd, other;

	(void)state;
	assert_int_equal(setenv("EVTCHN_DEVICE", "/dev/null", 1), 0);
	other = xc_evtchn_open();
	fd = xc_evtchn_open();
	assert_true(other >= 0 && fd >= 0 && fd != other);
	assert_int_equal(xc_evtchn_fd(fd), fd);
	device.fd = fd;
	device.answer = 3;
	assert_int_equal(xc_evtchn_bind_unbound_port(fd, 1), 3);
	assert_int_equal(device.request, 0x44502);
	assert_int_equal(xc_evtchn_bind_interdomain(fd, 1, 2), 3);
	assert_int_equal(device.request, 0x84501);
	assert_int_equal(xc_evtchn_bind_virq(fd, 4), 3);
	assert_int_equal(device.request, 0x44500);
	device.answer = 0;
	assert_int_equal(xc_evtchn_notify(fd, 3), 0);
	assert_int_equal(device.request, 0x44504);
	assert_int_equal(xc_evtchn_unbind(fd, 3), 0);
	assert_int_equal(device.request, 0x44503);
	device.answer = 4;
	assert_int_equal(xc_evtchn_pending(fd), 0x1234);
	assert_int_equal(xc_evtchn_unmask(fd, 3), 0);
	assert_int_equal(device.request, WRITE);
	device.fd = -1;
	assert_int_equal(xc_evtchn_close(fd), 0);
	errno = 0;
	assert_int_equal(xc_evtchn_close(fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(xc_evtchn_notify(-1, 3), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(xc_evtchn_close(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_the_devices),
		cmocka_unit_test(flags_decide_what_exec_leaves_open),
		cmocka_unit_test(descriptor_of_a_device_adopted),
		cmocka_unit_test(devices_that_are_not_there_named_by_errno),
		cmocka_unit_test(calls_of_2010_reach_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
