/* SPDX-License-Identifier: MIT */
/* The lock of the product, not the explorer's one-step version of it. */
#include "base/include/base/lock.h"

#include "tests/interleave/litmus.h"

static struct evb_lock *lock(void)
{
	return (struct evb_lock *)(void *)&litmus.x;
}

void litmus_lock(void)
{
	evb_lock(lock(), x_relax);
}

void litmus_unlock(void)
{
	evb_unlock(lock());
}
