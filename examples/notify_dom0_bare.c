/* SPDX-License-Identifier: MIT */
/*
 * notify_dom0_bare - how little a guest needs to notify dom0.
 *
 * No library of Xen and no device: two hypercalls.  One opens a port for
 * domain 0, once; the other one, with the port as its only argument, is the
 * event.  A guest whose port was opened for it by the toolstack needs the
 * second one only.
 *
 * evg_plat_hypercall() is the one function that differs from world to world:
 * on Xen it is the hypercall instruction, here it is the process host.  The
 * other side is notify_dom0_2010 (or any program that uses libxenevtchn):
 *
 *   evtchn run --domain 1 -- notify_dom0_bare
 *   evtchn run --domain 0 -- notify_dom0_2010 receive 1 PORT
 */
#include <stdio.h>

#include <abi/event_channel.h>
#include <evg/evg.h>
#include <evp/evp.h>

static int event_channel_op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				  cmd, arg);
}

/* dom0's events: the port is masked, so look at its bit; SCHEDOP_poll waits. */
static int wait_for_event(struct evp_guest *g, evtchn_port_t port)
{
	int rc = evg_poll(evp_evg(g), &port, 1, 0);

	return rc ? rc : evg_clear_pending(evp_evg(g), port);
}

int main(void)
{
	struct evtchn_alloc_unbound open = {.dom = DOMID_SELF, .remote_dom = 0};
	struct evtchn_send send;
	struct evp_guest *g;
	int rc;

	if (evp_attach(&g, NULL)) {
		fprintf(stderr, "notify_dom0_bare: %s\n", evp_error());
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	rc = event_channel_op(g, EVTCHNOP_alloc_unbound, &open);
	printf("[domU] port %u waits for domain 0\n", open.port);
	if (!rc)
		rc = wait_for_event(g, open.port); /* dom0 is there */
	send.port = open.port;
	if (!rc)
		rc = event_channel_op(g, EVTCHNOP_send, &send);
	printf("[domU] 3. how little: one hypercall with the port, no "
	       "library\n");
	if (!rc)
		rc = wait_for_event(g, open.port);
	if (!rc)
		printf("[domU] dom0 answered\n");
	else
		fprintf(stderr, "notify_dom0_bare: error %d of abi/errno.h\n",
			-rc);
	evp_detach(g);

	return rc != 0;
}
