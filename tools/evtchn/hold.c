/* SPDX-License-Identifier: MIT */
/*
 * Hold a domain, also when the broker that has it is killed.
 *
 * `evtchn run` waits for signals and for nothing else, so the end of its session
 * has to be one: the kernel sends SIGIO when the socket hangs up.  Then whoever
 * is first starts another broker, and all hold their domains there; the
 * programs come back to it by themselves (hosts/process/rejoin.c).
 *
 * A broker that ended because it was asked to is not started again: somebody
 * wanted it to be gone.
 */
#include <fcntl.h>
#include <unistd.h>

#include "hosts/process/control.h"
#include "broker.h"
#include "hold.h"

void hold_look(void *hold)
{
	struct hold *h = hold;

	while (h->fd >= 0 && evp_is_hung_up(h->fd)) {
		close(h->fd);
		h->fd = broker_was_killed(h->socket) ? h->again(h->ctx) : -1;
		if (h->fd >= 0)
			hold_begin(h);
	}
}

void hold_begin(void *hold)
{
	struct hold *h = hold;

	/* The program has this description, too; its owner stays this process. */
	fcntl(h->fd, F_SETOWN, getpid());
	fcntl(h->fd, F_SETFL, fcntl(h->fd, F_GETFL) | O_ASYNC);
	hold_look(h); /* what happened before comes without a signal */
}
