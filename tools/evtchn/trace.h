/* SPDX-License-Identifier: MIT */
/*
 * evtchn replay, inside.  tests/replay/FORMAT.md describes a recording.
 *
 *   replay.c        options, files, what is printed
 *   trace_run.c     one recording: line by line; ops, sweeps, differences
 *   trace_ctl.c     what happens from outside: destroy, pause, timer, ...
 *   trace_ops.c     an operation as text <-> its structure in memory
 *   trace_memory.c  the guests' shared memory: tokens, and comparing
 *   trace_world.c   the simulated domains a recording plays in
 *   trace_parse.c   a file into lines, a line into fields
 *
 * A recording is untrusted: every number is checked, every loop is bounded by
 * the size of the file or by a limit below, and the first thing that makes no
 * sense ends the replay of the file (replay_fail).  Functions that can find
 * such a thing return 0 or -EINVAL.
 */
#ifndef EVTCHN_TRACE_H
#define EVTCHN_TRACE_H

#include <sim/sim.h>

#define MAX_DOMAINS 64
#define MAX_VCPUS   64
#define NR_POOL	    16 /* P0 .. P15 */
#define MAX_ARRAY   128
#define MAX_TEXT    320
#define MAX_DIFFS   1000

/* A piece of a line; not terminated. */
struct field {
	const char *s;
	size_t len;
};

struct trace {
	const char *name;
	char *text;
	struct field *line;
	size_t nr_lines;
};

/* The pages of a domain that Xen, the guest, or both write. */
enum page_id {
	PAGE_POOL,			 /* .. PAGE_POOL + NR_POOL - 1 */
	PAGE_INFO = PAGE_POOL + NR_POOL, /* registered vcpu_infos */
	PAGE_SHARED,			 /* shared_info */
	NR_PAGES,
};

/* @mem is the real thing, @shadow what it should be. */
struct page {
	unsigned char *mem;
	unsigned char shadow[4096];
};

struct control {
	bool used;
	unsigned int page;
	uint32_t offset;
};

struct replay_domain {
	struct sim_domain *sim; /* NULL: not declared */
	enum evc_width width;
	bool observed;
	bool polling; /* its op "poll" has not returned yet */
	bool info_registered[MAX_VCPUS];
	uint64_t reserved[2048 / 64]; /* d0: ports in use by somebody else */
	struct page page[NR_PAGES];
	/* FIFO: which pool pages are what. */
	bool fifo;
	unsigned int nr_array;
	unsigned int array[MAX_ARRAY];
	struct control control[MAX_VCPUS];
	evtchn_port_t consumer[MAX_VCPUS + 1]; /* ports of an ioreq server */
	unsigned int nr_consumers;
	/* The step: what the ~ line said. */
	size_t memory_line; /* 0: there is none */
	char idle[64];	    /* a token of it that changes nothing */
};

struct difference {
	size_t line; /* from 1 */
	char expected[MAX_TEXT];
	char got[MAX_TEXT];
};

struct replay {
	const struct trace *trace;
	struct sim_machine machine;
	struct replay_domain domain[MAX_DOMAINS];
	size_t line;	  /* being looked at, from 1 */
	size_t step_line; /* the last op or ctl line; 0: none is open */
	struct replay_domain *was_reset; /* in this step */
	unsigned int nr_ops;
	unsigned int nr_diffs;
	unsigned int max_diffs;
	struct difference *diff; /* @max_diffs of them */
	size_t error_line;	 /* 0: none */
	char error[MAX_TEXT];
};

/* --- trace_parse.c --------------------------------------------------------- */

/*
 * Read a file and cut it into lines.  0; or -errno with a message in @error
 * and, when a line is at fault, its number in @line (else 0).
 */
int trace_load(struct trace *t, const char *name, char *error, size_t size,
	       size_t *line);
void trace_free(struct trace *t);

/*
 * The line, from 1, of the first operation that needs FIFO event channels to
 * give the recorded result, or 0.
 */
size_t trace_first_fifo(const struct trace *t);

/* Take the next field off @rest.  False: there is none. */
bool field_next(struct field *rest, struct field *f);
/* The same up to one of the characters in @separators. */
bool field_split(struct field *rest, struct field *f, const char *separators);
bool field_is(struct field f, const char *text);
/* Cut @prefix off.  False: @f does not begin with it. */
bool field_skip(struct field *f, const char *prefix);
/* A number, decimal or 0x.  False: it is none, or above @max. */
bool field_number(struct field f, uint64_t max, uint64_t *value);
/* Split "left -> right".  False: no arrow; then all is in @left. */
bool field_arrow(struct field f, struct field *left, struct field *right);

/* "-EINVAL" for -XEN_EINVAL, a number for others. */
const char *errno_name(int rc, char *buffer, size_t size);

/* --- trace_world.c --------------------------------------------------------- */

int world_init(struct replay *r, const struct trace *t);
void world_fini(struct replay *r);

/* Is the core linked with FIFO event channels? */
bool world_has_fifo(void);

/* A "dom" line, without its first word. */
int world_dom(struct replay *r, struct field rest);

/* "d3": a domain that was declared (and, for _alive, not destroyed since). */
int world_domain(struct replay *r, struct field f, struct replay_domain **d);
int world_alive(struct replay *r, struct field f, struct replay_domain **d);

/* A domid as text, both ways. */
int world_domid(struct replay *r, struct field f, domid_t *domid);
const char *world_domid_name(const struct replay *r, domid_t domid,
			     char *buffer, size_t size);

bool world_is_reserved(const struct replay_domain *d, uint32_t port);

/*
 * Guest addresses: where hypercall arguments are, and what recordings call
 * page=NAME, as a frame number.
 */
#define WORLD_ARG      0x100000u
#define WORLD_ARG_SIZE 4096u
#define WORLD_READONLY 0x200000u
#define WORLD_UNMAPPED 0x700000u
int world_frame(struct replay *r, struct field f, uint64_t *frame);
/* The pool page with that frame number, or -1. */
int world_pool_page(uint64_t frame);
uint64_t world_info_addr(uint32_t vcpu);

/* --- trace_memory.c -------------------------------------------------------- */

/* A "mem" or "~" line, without its first word. */
int memory_mem(struct replay *r, struct field rest);
int memory_expect(struct replay *r, struct field rest);

/* Compare everything with what is expected, and go on from what is. */
void memory_compare(struct replay *r);

/* --- trace_ops.c ----------------------------------------------------------- */

/* An operation, ready to be made. */
struct call {
	unsigned int nr; /* of the hypercall */
	uint32_t cmd;
	uint32_t size;
	uint64_t addr;
	unsigned char before[64];   /* the argument as it went in */
	const struct op_spec *spec; /* or NULL */
	bool counted;		    /* by "end ops=" */
};

/*
 * Read the name and the arguments of an operation, and write its structure
 * into the guest's memory.
 */
int ops_prepare(struct replay *r, struct replay_domain *d, struct field rest,
		struct call *c);

/* Make it; the result, as a recording has it, goes to @text. */
void ops_make(struct replay *r, struct replay_domain *d, const struct call *c,
	      char *text, size_t size);

/* --- trace_ctl.c ----------------------------------------------------------- */

/* A "ctl" line, without its first word. */
int ctl_line(struct replay *r, struct field rest);

/* --- trace_run.c ----------------------------------------------------------- */

/* Replay up to, not including, line @stop (0: to the end).  0 or -EINVAL. */
int replay_run(struct replay *r, size_t stop);

/* The recording makes no sense at this line.  Returns -EINVAL. */
int replay_fail(struct replay *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Real Xen and the core do not agree. */
void replay_differs(struct replay *r, size_t line, const char *expected,
		    const char *got);

/* The same, if @got is not what the recording has. */
void replay_check(struct replay *r, struct field expected, const char *got);

#endif /* EVTCHN_TRACE_H */
