/* SPDX-License-Identifier: MIT */
/*
 * Debian's libxenvchan, over event channels and grants of the process host,
 * beside a Unix stream socket: 64 MiB from one process to another, the same two
 * each time, in turn.  Rings of 64 KiB; both are written and read a chunk at a
 * time, blocking, in chunks of several sizes.
 *
 * Run by vchan.sh, as a program of domain 0 with a xenstored.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libxenvchan.h>

#define RUNS  9
#define TOTAL (64u << 20)
#define RING  (64u << 10)

static const size_t chunks[] = {4u << 10, 16u << 10, 64u << 10};
#define NR_CHUNKS (sizeof(chunks) / sizeof(chunks[0]))

static unsigned char buffer[64u << 10];
static size_t chunk;
static struct libxenvchan *vchan;
static int stream;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Both move up to @size bytes and say how many. */
static int write_vchan(unsigned char *p, size_t size)
{
	return libxenvchan_write(vchan, p, size);
}

static int read_vchan(unsigned char *p, size_t size)
{
	return libxenvchan_read(vchan, p, size);
}

static int write_stream(unsigned char *p, size_t size)
{
	return (int)write(stream, p, size);
}

static int read_stream(unsigned char *p, size_t size)
{
	return (int)read(stream, p, size);
}

typedef int move_fn(unsigned char *p, size_t size);

static void move(move_fn *fn, size_t total)
{
	size_t done, now_done;
	int n;

	for (done = 0; done < total; done += (size_t)n) {
		now_done = total - done < chunk ? total - done : chunk;
		n = fn(buffer, now_done);
		if (n <= 0)
			die("transfer");
	}
}

/* Seconds for all of it, until the other side said that it has it. */
static double send_all(move_fn *out, move_fn *in)
{
	double start = now();

	move(out, TOTAL);
	move(in, 1);
	return now() - start;
}

static void take_all(move_fn *in, move_fn *out)
{
	move(in, TOTAL);
	move(out, 1);
}

static void be_receiver(void)
{
	size_t i;

	vchan = libxenvchan_client_init(NULL, 0, "data/bench");
	if (!vchan)
		die("libxenvchan_client_init");
	vchan->blocking = 1;
	for (i = 0; i < NR_CHUNKS * RUNS; i++) {
		chunk = chunks[i / RUNS];
		take_all(read_vchan, write_vchan);
		take_all(read_stream, write_stream);
	}
	libxenvchan_close(vchan);
	exit(0);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, RUNS, sizeof(*v), compare);
	return v[RUNS / 2];
}

static void measure(void)
{
	double a[RUNS], b[RUNS], ratio[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		a[i] = send_all(write_vchan, read_vchan);
		b[i] = send_all(write_stream, read_stream);
		ratio[i] = b[i] / a[i];
	}
	printf("64 MiB by %2zu KiB   Unix stream %7.1f ms   "
	       "libxenvchan %7.1f ms   Unix stream / libxenvchan = %.2f\n",
	       chunk >> 10, median(b) * 1e3, median(a) * 1e3, median(ratio));
}

int main(void)
{
	int pair[2], status;
	size_t i;
	char byte = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	stream = pair[pid == 0];
	close(pair[pid != 0]);
	if (pid == 0) {
		/* The ring is there when the other side says so. */
		if (read(stream, &byte, 1) != 1)
			exit(1);
		be_receiver();
	}
	vchan = libxenvchan_server_init(NULL, 0, "data/bench", RING, RING);
	if (!vchan)
		die("libxenvchan_server_init");
	vchan->blocking = 1;
	if (write(stream, &byte, 1) != 1)
		die("write");
	for (i = 0; i < NR_CHUNKS; i++) {
		chunk = chunks[i];
		measure();
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("the other side failed");
	libxenvchan_close(vchan);
	return 0;
}
