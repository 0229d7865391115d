/* SPDX-License-Identifier: MIT */
/*
 * The bell: how a sleeping receiver is woken.
 *
 * A bell is an eventfd that the broker registered, edge-triggered, in the
 * receiver's epoll instance, and of which only the sender has a descriptor.
 * Every write is an edge, so nobody ever reads it: the receiver cannot drain
 * or re-flag it, no other sender can use up a wake-up meant for this one, and
 * when the sender dies the kernel takes the registration away.
 */
#include "lane.h"

#include <unistd.h>

/* SEND 7/9 - the receiver sleeps: ring its bell; next guest/upcall.c evg_upcall() */
void evp_kick(int bell)
{
	const uint64_t one = 1;
	ssize_t n = write(bell, &one, sizeof(one));

	/*
	 * It can fail only when the counter is full, after 2^64 - 2 rings, or
	 * when the program closed our descriptor behind our back.
	 */
	(void)n;
}
