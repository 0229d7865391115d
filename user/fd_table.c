/* SPDX-License-Identifier: MIT */
/* From a descriptor to the handle it stands for: see fd_table.h. */
#include "fd_table.h"

#include <errno.h>
#include <stddef.h>

void *evu_fd_find(struct evu_fd_table *t, int fd)
{
	void *h = NULL;
	size_t i;

	(void)pthread_mutex_lock(&t->lock);
	for (i = 0; i < EVU_FD_HANDLES && !h; i++) {
		if (t->fd[i] == fd)
			h = t->handle[i];
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (!h)
		errno = EBADF;
	return h;
}

bool evu_fd_replace(struct evu_fd_table *t, const void *from, void *to, int fd)
{
	size_t i;

	(void)pthread_mutex_lock(&t->lock);
	for (i = 0; i < EVU_FD_HANDLES && t->handle[i] != from; i++)
		continue;
	if (i < EVU_FD_HANDLES) {
		t->handle[i] = to;
		t->fd[i] = fd;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return i < EVU_FD_HANDLES;
}
