/* SPDX-License-Identifier: MIT */
/*
 * introspect - dom0 looks into a guest's memory when the guest says so.
 *
 * The guest keeps a page with a table of contents: named pieces of its memory.
 * It shares the page with dom0, read-only, and raises an event whenever it has
 * changed something.  Dom0's handler finds the piece that it was told to look
 * for, by name, and reads it in two ways:
 *
 *   through the grant   what any domain can do that the guest has shared the
 *                       page with, and no other
 *   directly            by the number of the frame, without a grant for it:
 *                       what a privileged domain can do
 *
 * It answers with an event, so the guest knows that it was seen.
 *
 *   evtchn run --domain 1 -- introspect guest
 *   evtchn run --domain 0 -- introspect dom0 1 REF PORT greeting
 *
 * Three things to notice.  dom0's port is pending once when it connects, so it
 * looks at once: nothing is missed that happened before.  Everything in the
 * page is the guest's, who may change it at any moment and write nonsense: so
 * dom0 copies the page first and then checks the copy, never the page.  And
 * who is no longer there is no trouble: what is mapped stays readable.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

#define PAGE	  4096
#define NR_PIECES 8
#define ROUNDS	  3

struct piece {
	char name[24];
	uint32_t offset, length;
};

struct page {
	struct piece piece[NR_PIECES];
	char memory[PAGE - NR_PIECES * sizeof(struct piece)];
};

_Static_assert(sizeof(struct page) == PAGE, "one page");

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Waits for an event; further ones come again. */
static void await(xenevtchn_handle *e, int port)
{
	if (xenevtchn_pending(e) != port ||
	    xenevtchn_unmask(e, (evtchn_port_t)port))
		fail("waiting for an event");
}

/* --- the guest ----------------------------------------------------------------- */

static void name_piece(struct page *p, unsigned int i, const char *name,
		       uint32_t offset)
{
	(void)snprintf(p->piece[i].name, sizeof(p->piece[i].name), "%s", name);
	p->piece[i].offset = (uint32_t)offsetof(struct page, memory) + offset;
	p->piece[i].length = 32;
}

static int guest(void)
{
	xenevtchn_handle *e = xenevtchn_open(NULL, 0);
	xengntshr_handle *s = xengntshr_open(NULL, 0);
	int port = e ? xenevtchn_bind_unbound_port(e, 0) : -1;
	struct page *p;
	uint32_t ref;
	int i;

	if (port < 0 || !s)
		fail("opening");
	p = xengntshr_share_pages(s, 0, 1, &ref, 0);
	if (!p)
		fail("sharing a page");
	name_piece(p, 0, "greeting", 0);
	name_piece(p, 1, "count", 32);
	(void)snprintf(p->memory, 32, "hello");
	(void)snprintf(p->memory + 32, 32, "0");
	printf("[domU] grant %u port %d\n", ref, port);
	(void)fflush(stdout);
	for (i = 1; i <= ROUNDS; i++) {
		await(e, port); /* dom0 has seen what was there */
		(void)snprintf(p->memory, 32, "hello, time %d", i);
		(void)snprintf(p->memory + 32, 32, "%d", i);
		if (xenevtchn_notify(e, (evtchn_port_t)port))
			fail("notifying dom0");
	}
	await(e, port);
	printf("[domU] dom0 has seen everything\n");
	(void)xengntshr_unshare(s, p, 1);
	(void)xengntshr_close(s);
	return xenevtchn_close(e);
}

/* --- dom0 ------------------------------------------------------------------------ */

/* @copy is ours: nobody can change it between a check and its use. */
static const char *find(struct page *copy, const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_PIECES; i++) {
		const struct piece *at = &copy->piece[i];

		if (strncmp(at->name, name, sizeof(at->name)))
			continue;
		if (at->offset >= PAGE || !at->length ||
		    at->length > PAGE - at->offset)
			return NULL;
		((char *)copy)[at->offset + at->length - 1] = '\0';
		return (char *)copy + at->offset;
	}
	return NULL;
}

static void print_piece(const char *how, struct page *copy, const char *name)
{
	const char *text = find(copy, name);

	printf("[dom0] %s: %s\n", how, text ? text : "(no such piece)");
}

/* Copied by the grant: nothing needs to be mapped. */
static void look_by_grant(xengnttab_handle *t, uint16_t domid, uint32_t ref,
			  const char *name)
{
	struct page copy;
	xengnttab_grant_copy_segment_t seg;

	memset(&seg, 0, sizeof(seg));
	seg.source.foreign.domid = domid;
	seg.source.foreign.ref = ref;
	seg.dest.virt = &copy;
	seg.len = PAGE;
	seg.flags = GNTCOPY_source_gref;
	if (xengnttab_grant_copy(t, 1, &seg))
		fail("copying");
	if (seg.status) {
		printf("[dom0] by grant: refused, status %d\n", seg.status);
		exit(1);
	}
	print_piece("by grant", &copy, name);
}

static void look_directly(const struct page *mapped, const char *name)
{
	struct page copy;

	if (!mapped) {
		printf("[dom0] directly: not for this domain\n");
		return;
	}
	memcpy(&copy, mapped, sizeof(copy));
	print_piece("directly", &copy, name);
}

static int dom0(uint16_t domid, uint32_t ref, evtchn_port_t remote,
		const char *name)
{
	xen_pfn_t frame = XENFOREIGNMEMORY_FRAME_OF_GRANT(ref);
	xenevtchn_handle *e = xenevtchn_open(NULL, 0);
	xengnttab_handle *t = xengnttab_open(NULL, 0);
	xenforeignmemory_handle *f = xenforeignmemory_open(NULL, 0);
	int i, port = e ? xenevtchn_bind_interdomain(e, domid, remote) : -1;
	void *mapped;

	if (port < 0 || !t || !f)
		fail("opening");
	mapped = xenforeignmemory_map(f, domid, PROT_READ, 1, &frame, NULL);
	for (i = 0; i <= ROUNDS; i++) {
		await(e, port);
		look_by_grant(t, domid, ref, name);
		look_directly(mapped, name);
		if (xenevtchn_notify(e, (evtchn_port_t)port))
			fail("notifying domU");
	}
	if (mapped)
		(void)xenforeignmemory_unmap(f, mapped, 1);
	(void)xenforeignmemory_close(f);
	(void)xengnttab_close(t);
	return xenevtchn_close(e);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "guest"))
		return guest();
	if (argc == 6 && !strcmp(argv[1], "dom0"))
		return dom0((uint16_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
			    (evtchn_port_t)atoi(argv[4]), argv[5]);
	fprintf(stderr, "usage: introspect guest\n"
			"       introspect dom0 DOMID REF PORT NAME\n");
	return 2;
}
