/* SPDX-License-Identifier: MIT */
/*
 * A program for Xen's libxengnttab and libxenevtchn, compiled with the headers
 * that are installed: run.sh runs it with ours.
 *
 *   client guest PEER             shares, says what on stdout, works, and waits
 *   client backend PEER REF PORT HOW
 *                                 uses it: leaves (HOW is "unmap"), closes its
 *                                 channel first ("close"), is killed ("kill"),
 *                                 or is killed after both ("close-kill")
 *   client calls                  what one process can find out by itself
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096
#define LIVE 20 /* the byte that says that the backend is there */

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, \
				strerror(errno));                             \
			exit(1);                                              \
		}                                                             \
	} while (0)

static void await(xenevtchn_handle *e, evtchn_port_t port)
{
	CHECK(xenevtchn_pending(e) == (int)port);
	CHECK(xenevtchn_unmask(e, port) == 0);
}

/* --- guest ------------------------------------------------------------------- */

static int guest(uint32_t peer)
{
	xenevtchn_handle *e = xenevtchn_open(NULL, 0);
	xengntshr_handle *s = xengntshr_open(NULL, 0);
	uint32_t ref, more[3];
	volatile char *page;
	char *data;
	int port;

	CHECK(e && s);
	port = xenevtchn_bind_unbound_port(e, peer);
	CHECK(port > 0);
	page = xengntshr_share_page_notify(s, peer, &ref, 1, 21,
					   (evtchn_port_t)port);
	data = xengntshr_share_pages(s, peer, 3, more, 0);
	CHECK(page && data && ref >= 8);
	memset(data, 'd', 3 * PAGE);
	memcpy((char *)page + 100, more, sizeof(more));
	printf("%u %d\n", ref, port);
	fflush(stdout);
	while (page[LIVE] != 1)
		await(e, (evtchn_port_t)port);
	CHECK(!strcmp((char *)page + 200, "from the backend"));
	CHECK(xenevtchn_notify(e, (evtchn_port_t)port) == 0);
	while (page[LIVE])
		await(e, (evtchn_port_t)port);
	printf("backend is gone\n");
	CHECK(xengntshr_unshare(s, (void *)page, 1) == 0);
	CHECK(xengntshr_unshare(s, data, 3) == 0);
	CHECK(xengntshr_close(s) == 0 && xenevtchn_close(e) == 0);
	return 0;
}

/* --- backend ----------------------------------------------------------------- */

static void look_at(xengnttab_handle *t, uint32_t peer, const uint32_t *ref)
{
	uint32_t domid[3] = {peer, peer, peer};
	char *p = xengnttab_map_domain_grant_refs(t, 3, peer, (uint32_t *)ref,
						  PROT_READ);

	CHECK(p && p[0] == 'd' && p[3 * PAGE - 1] == 'd');
	CHECK(xengnttab_unmap(t, p, 3) == 0);
	p = xengnttab_map_grant_refs(t, 3, domid, (uint32_t *)ref, PROT_READ);
	CHECK(p && xengnttab_unmap(t, p, 3) == 0);
	p = xengnttab_map_grant_ref(t, peer, ref[1], PROT_READ | PROT_WRITE);
	CHECK(!p && errno == EINVAL);
}

static void copy(xengnttab_handle *t, uint32_t peer, uint32_t ref,
		 const uint32_t *data)
{
	char to[8] = "", from[] = "from the backend";
	xengnttab_grant_copy_segment_t seg[4];

	memset(seg, 0, sizeof(seg));
	seg[0].source.foreign.ref = data[2];
	seg[0].source.foreign.domid = (uint16_t)peer;
	seg[0].source.foreign.offset = PAGE - 8;
	seg[0].dest.virt = to;
	seg[0].len = 8;
	seg[0].flags = GNTCOPY_source_gref;
	seg[1].source.virt = from;
	seg[1].dest.foreign.ref = ref;
	seg[1].dest.foreign.domid = (uint16_t)peer;
	seg[1].dest.foreign.offset = 200;
	seg[1].len = sizeof(from);
	seg[1].flags = GNTCOPY_dest_gref;
	seg[2] = seg[0];
	seg[2].dest = seg[1].dest;
	seg[2].dest.foreign.offset = 300;
	seg[2].flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
	seg[3] = seg[1];
	seg[3].dest.foreign.ref = data[0];
	CHECK(xengnttab_grant_copy(t, 4, seg) == 0);
	CHECK(!seg[0].status && !seg[1].status && !seg[2].status);
	CHECK(seg[3].status < 0 && !memcmp(to, "dddddddd", 8));
	seg[0].flags = 0;
	CHECK(xengnttab_grant_copy(t, 1, seg) == -1 && errno == EINVAL);
	seg[1].dest.foreign.offset = PAGE - 1;
	CHECK(xengnttab_grant_copy(t, 1, seg + 1) == -1 && errno == EINVAL);
}

static int backend(uint32_t peer, uint32_t ref, evtchn_port_t remote,
		   const char *how)
{
	/* In this order, or the other: of a killed process, the kernel decides. */
	xengnttab_handle *t = NULL;
	xenevtchn_handle *e;
	uint32_t data[3];
	char *page;
	int port;

	if (!strcmp(how, "unmap"))
		t = xengnttab_open(NULL, 0);
	e = xenevtchn_open(NULL, 0);
	if (!t)
		t = xengnttab_open(NULL, 0);
	CHECK(t && e && xengnttab_set_max_grants(t, 100) == 0);
	port = xenevtchn_bind_interdomain(e, peer, remote);
	CHECK(port > 0);
	await(e, (evtchn_port_t)port);
	page = xengnttab_map_grant_ref_notify(t, peer, ref,
					      PROT_READ | PROT_WRITE, LIVE,
					      (evtchn_port_t)port);
	CHECK(page);
	memcpy(data, page + 100, sizeof(data));
	look_at(t, peer, data);
	copy(t, peer, ref, data);
	CHECK(!memcmp(page + 300, "dddddddd", 8));
	page[LIVE] = 1;
	CHECK(xenevtchn_notify(e, (evtchn_port_t)port) == 0);
	await(e, (evtchn_port_t)port);
	if (!strncmp(how, "close", 5))
		CHECK(xenevtchn_close(e) == 0);
	if (strstr(how, "kill"))
		raise(SIGKILL);
	CHECK(xengnttab_unmap(t, page, 1) == 0);
	CHECK(xengnttab_close(t) == 0);
	return 0;
}

/* --- alone --------------------------------------------------------------------- */

static int calls(uint32_t self)
{
	xengnttab_handle *t = xengnttab_open(NULL, 0);
	xengntshr_handle *s = xengntshr_open(NULL, 0);
	uint32_t ref[2], fd;
	char *p, *q;

	CHECK(t && s && xengnttab_fd(t) >= 0 && xengntshr_fd(s) >= 0);
	CHECK(!xengntshr_share_pages(s, self, 0, ref, 1) && errno == EINVAL);
	CHECK(!xengntshr_share_pages(s, self, -1, ref, 1) && errno == EINVAL);
	p = xengntshr_share_pages(s, self, 2, ref, 1);
	CHECK(p && !p[0] && !p[2 * PAGE - 1]);
	q = xengnttab_map_domain_grant_refs(t, 2, self, ref,
					    PROT_READ | PROT_WRITE);
	CHECK(q);
	q[PAGE] = 7;
	CHECK(p[PAGE] == 7);
	CHECK(xengnttab_unmap(t, q, 1) == -1 && errno == EINVAL);
	CHECK(xengnttab_unmap(t, p, 2) == -1 && errno == EINVAL);
	CHECK(xengntshr_unshare(s, q, 2) == -1 && errno == EINVAL);
	CHECK(!xengnttab_map_domain_grant_refs(t, 0, self, ref, PROT_READ) &&
	      errno == EINVAL);
	CHECK(xengnttab_set_max_grants(t, 2) == 0);
	CHECK(!xengnttab_map_grant_ref(t, self, ref[0], PROT_READ) &&
	      errno == ENOMEM);
	CHECK(xengnttab_set_max_grants(t, 3) == 0);
	CHECK(!xengnttab_map_grant_ref(t, self, 100, PROT_READ) &&
	      errno == EINVAL);
	CHECK(!xengnttab_map_grant_ref(t, 1000, ref[0], PROT_READ) &&
	      errno == EINVAL);
	CHECK(!xengnttab_map_grant_ref_notify(t, self, ref[0], PROT_READ, 0,
					      4000) &&
	      errno == EINVAL);
	CHECK(xengnttab_dmabuf_exp_from_refs(t, self, 0, 1, ref, &fd) == -1 &&
	      errno == ENOSYS);
	CHECK(xengnttab_dmabuf_exp_wait_released(t, 1, 0) == -1);
	CHECK(xengnttab_dmabuf_imp_to_refs(t, self, 1, 1, ref) == -1);
	CHECK(xengnttab_dmabuf_imp_release(t, 1) == -1);
	CHECK(xengnttab_unmap(t, q, 2) == 0);
	CHECK(xengntshr_unshare(s, p, 2) == 0);
	CHECK(!xengntshr_close(s) && !xengnttab_close(t));
	CHECK(!xengntshr_close(NULL) && !xengnttab_close(NULL));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "guest"))
		return guest((uint32_t)atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "backend"))
		return backend((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
			       (evtchn_port_t)atoi(argv[4]), argv[5]);
	if (argc == 3 && !strcmp(argv[1], "calls"))
		return calls((uint32_t)atoi(argv[2]));
	return 2;
}
