/* SPDX-License-Identifier: MIT */
/*
 * In 2010 a handle was a descriptor: which of today's handles one stands for.
 * A table that is all zeros is empty.
 */
#ifndef USER_FD_TABLE_H
#define USER_FD_TABLE_H

#include <pthread.h>
#include <stdbool.h>

#define EVU_FD_HANDLES 64 /* more than a program of that time opened */

struct evu_fd_table {
	pthread_mutex_t lock; /* its initializer is all zeros, too */
	void *handle[EVU_FD_HANDLES];
	int fd[EVU_FD_HANDLES];
};

/* What @fd stands for, or NULL and EBADF. */
void *evu_fd_find(struct evu_fd_table *t, int fd);

/* Put @to in the place of @from.  False: there is no such place. */
bool evu_fd_replace(struct evu_fd_table *t, const void *from, void *to, int fd);

#endif /* USER_FD_TABLE_H */
