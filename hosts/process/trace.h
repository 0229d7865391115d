/* SPDX-License-Identifier: MIT */
/*
 * What an attachment does, written down where it can be read afterwards: one
 * file for each attachment, in the directory EVTCHN_TRACE names.  `evtchn trace`
 * makes a picture of them.
 *
 * A file is one page with a struct evp_trace_head, then a ring of records: when
 * it is full, the newest takes the place of the oldest.  It is mapped, so what
 * was written down before a process was killed is there.  Several threads write:
 * each takes a number, and its record is valid once it bears that number's lap.
 * A record is written when something begins, and completed when it ends; of
 * what never ended, the duration says so.
 *
 * Who reads believes nothing of it: any program can write such a file.
 */
#ifndef EVP_TRACE_H
#define EVP_TRACE_H

#include <stdint.h>

#include <base/atomic.h>

#define EVP_TRACE_MAGIC	   UINT64_C(0x3265636172747665) /* "evtrace2" */
#define EVP_TRACE_START	   4096 /* of the records, in the file */
#define EVP_TRACE_DEFAULT  (1l << 16)
#define EVP_TRACE_MAX	   (1l << 24)
#define EVP_TRACE_SUFFIX   ".evtrace"
#define EVP_TRACE_NAME_MAX 32

enum evp_trace_kind {
	EVP_TRACE_NONE,
	EVP_TRACE_SEND,	       /* by lane, and it is not over */
	EVP_TRACE_SEND_MERGED, /* the one before was not taken yet */
	EVP_TRACE_SEND_SET,
	EVP_TRACE_SEND_RANG,   /* and the receiver had to be woken */
	EVP_TRACE_SEND_LOCAL,  /* @link: the port it goes to */
	EVP_TRACE_SEND_BROKER, /* through the broker */
	EVP_TRACE_TAKE,	       /* out of a lane */
	EVP_TRACE_TAKE_LOCAL,  /* of SEND_LOCAL, or a timer; @link: @port */
	EVP_TRACE_TAKE_BROKER, /* out of the broker's lane */
	EVP_TRACE_UPCALL,
	EVP_TRACE_SLEEP,
	EVP_TRACE_ASK, /* @port: enum evp_type; @link: hypercall << 32 | cmd */
	EVP_TRACE_KINDS,
};

#define EVP_TRACE_UNFINISHED UINT64_MAX
#define EVP_TRACE_NO_VCPU    UINT8_MAX /* a thread that is none */
/* All bits of these in a record. */
#define EVP_TRACE_PORT 0xfffffu
#define EVP_TRACE_KIND 0xfu

struct evp_trace_record {
	uint64_t ns;	  /* CLOCK_MONOTONIC, when it began */
	uint64_t ns_long; /* or EVP_TRACE_UNFINISHED */
	/* The same at both ends, and for no other connection of any broker. */
	uint64_t link;
	evb_u32 lap; /* 1 + its number / records in the ring; written last */
	uint32_t port : 20;
	uint32_t kind : 4; /* enum evp_trace_kind */
	uint32_t vcpu : 8; /* who does it; of an event: whose it is */
};

struct evp_trace_head {
	uint64_t magic;
	uint32_t record_size;
	uint32_t nr_vcpus;
	uint64_t capacity; /* records in the ring */
	evb_u64 next;	   /* number of the next one, from 0 */
	uint32_t domid;
	uint32_t pid;
	char program[EVP_TRACE_NAME_MAX]; /* NUL-terminated, or it is not so */
};

_Static_assert(sizeof(struct evp_trace_record) == 32, "no holes");
_Static_assert(EVP_TRACE_KINDS <= EVP_TRACE_KIND, "fits in its bits");
_Static_assert(sizeof(struct evp_trace_head) <= EVP_TRACE_START, "one page");

#endif /* EVP_TRACE_H */
