/* SPDX-License-Identifier: MIT */
/*
 * Writing down what an attachment does; trace.h has the file.  Off, which is
 * the rule, g->trace is NULL, and all that is left is looking at that.
 *
 * Reading order: one record, what is recorded, the file.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "session.h"

/* --- one record ------------------------------------------------------------- */

static struct evp_trace_record *record_at(struct evp_trace_head *t, uint64_t at)
{
	return (struct evp_trace_record *)((char *)t + EVP_TRACE_START) +
	       at % t->capacity;
}

static uint32_t lap_of(const struct evp_trace_head *t, uint64_t at)
{
	return (uint32_t)(at / t->capacity) + 1;
}

static uint64_t put(struct evp_guest *g, struct evp_trace_record what)
{
	struct evp_trace_head *t = g->trace;
	uint64_t at = evb_u64_add(&t->next, 1);
	struct evp_trace_record *r = record_at(t, at);

	/* Relaxed: who reads does so when nobody writes any more. */
	evb_u32_store_relaxed(&r->lap, 0);
	evp_barrier(); /* a kill may come at any instruction */
	r->ns = (uint64_t)evp_now();
	r->ns_long = what.ns_long;
	r->link = what.link;
	r->port = what.port;
	r->kind = what.kind;
	r->vcpu = what.vcpu;
	evp_barrier();
	evb_u32_store_relaxed(&r->lap, lap_of(t, at));
	return at;
}

uint64_t evp_trace_start(struct evp_guest *g, enum evp_trace_kind kind,
			 uint32_t port, uint64_t link)
{
	struct evp_vcpu *v = evp_this(g);

	return put(g,
		   (struct evp_trace_record){
			   .ns_long = EVP_TRACE_UNFINISHED,
			   .link = link,
			   .port = port & EVP_TRACE_PORT,
			   .kind = kind & EVP_TRACE_KIND,
			   .vcpu = v ? (uint8_t)v->evg->id : EVP_TRACE_NO_VCPU,
		   });
}

/* It may be overwritten meanwhile, when other threads were busy: then it is lost. */
void evp_trace_stop(struct evp_guest *g, uint64_t at, enum evp_trace_kind kind)
{
	struct evp_trace_head *t = g->trace;
	struct evp_trace_record *r = record_at(t, at);

	if (evb_u32_load_relaxed(&r->lap) != lap_of(t, at))
		return;
	r->kind = kind & EVP_TRACE_KIND;
	evp_barrier();
	r->ns_long = (uint64_t)evp_now() - r->ns;
}

/* --- what is recorded ------------------------------------------------------- */

/* Each broker counts its links from the same number. */
static uint64_t name_link(const struct evp_guest *g, uint64_t link)
{
	return g->broker_id + link * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t evp_trace_send(struct evp_guest *g, evtchn_port_t port)
{
	const struct evp_chan *ch = &g->chan[port];

	if (ch->way == EVP_HERE)
		return evp_trace_start(g, EVP_TRACE_SEND_LOCAL, port, ch->peer);
	return evp_trace_start(g, EVP_TRACE_SEND, port, name_link(g, ch->link));
}

void evp_trace_sent(struct evp_guest *g, uint64_t at, enum evp_sent sent)
{
	static const enum evp_trace_kind kinds[] = {
		[EVP_MERGED] = EVP_TRACE_SEND_MERGED,
		[EVP_SET] = EVP_TRACE_SEND_SET,
		[EVP_RANG] = EVP_TRACE_SEND_RANG,
	};

	evp_trace_stop(g, at, kinds[sent]);
}

void evp_trace_event(struct evp_guest *g, enum evp_trace_kind kind,
		     evtchn_port_t port)
{
	const struct evp_chan *ch = &g->chan[port];

	(void)put(g, (struct evp_trace_record){
			     .link = kind == EVP_TRACE_TAKE
					     ? name_link(g, ch->link)
					     : port,
			     .port = port & EVP_TRACE_PORT,
			     .kind = kind & EVP_TRACE_KIND,
			     .vcpu = (uint8_t)evb_u32_load_relaxed(&ch->vcpu),
		     });
}

/* --- the file --------------------------------------------------------------- */

static size_t size_of(uint64_t capacity)
{
	return EVP_TRACE_START + capacity * sizeof(struct evp_trace_record);
}

/* A new one: of several attachments of a process, too, and after exec(). */
static int make_file(const char *dir, uint32_t domid)
{
	char path[EVP_PATH_MAX + 64];
	int fd = -1, n;
	unsigned int i;

	for (i = 0; fd < 0 && i < 10000; i++) {
		n = snprintf(path, sizeof(path), "%s/%u-%d-%u" EVP_TRACE_SUFFIX,
			     dir, domid, (int)getpid(), i);
		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* All of it is there from the start: a full disk must not end the program. */
static int map_file(struct evp_guest *g, int fd, uint64_t capacity)
{
	int rc = posix_fallocate(fd, 0, (off_t)size_of(capacity));
	void *m;

	if (rc)
		return -rc;
	m = mmap(NULL, size_of(capacity), PROT_READ | PROT_WRITE, MAP_SHARED,
		 fd, 0);
	if (m == MAP_FAILED)
		return -errno;
	g->trace = m;
	return 0;
}

static void fill_head(struct evp_guest *g, uint32_t domid, uint64_t capacity)
{
	struct evp_trace_head *t = g->trace;

	t->record_size = sizeof(struct evp_trace_record);
	t->nr_vcpus = g->nr_vcpus;
	t->capacity = capacity;
	t->domid = domid;
	t->pid = (uint32_t)getpid();
	(void)snprintf(t->program, sizeof(t->program), "%s",
		       program_invocation_short_name);
	t->magic = EVP_TRACE_MAGIC;
}

int evp_trace_open(struct evp_guest *g, uint32_t domid)
{
	const char *dir = secure_getenv("EVTCHN_TRACE");
	long capacity = EVP_TRACE_DEFAULT;
	int fd, rc;

	if (!dir || !*dir)
		return 0;
	rc = evp_env_number("EVTCHN_TRACE_EVENTS", EVP_TRACE_MAX, &capacity);
	if (rc)
		return rc;
	if (!capacity)
		return evp_fail(-EINVAL, "EVTCHN_TRACE_EVENTS is 0: give a "
					 "number from 1");
	fd = make_file(dir, domid);
	rc = fd < 0 ? fd : map_file(g, fd, (uint64_t)capacity);
	if (fd >= 0)
		(void)close(fd);
	if (rc)
		return evp_fail(rc, "EVTCHN_TRACE: no file in %s: %s", dir,
				strerror(-rc));
	fill_head(g, domid, (uint64_t)capacity);
	return 0;
}

void evp_trace_close(struct evp_guest *g)
{
	if (g->trace)
		(void)munmap(g->trace, size_of(g->trace->capacity));
	g->trace = NULL;
}
