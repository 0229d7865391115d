/* SPDX-License-Identifier: MIT */
/* Threads of the library's own, in somebody else's program. */
#ifndef EVP_THREAD_H
#define EVP_THREAD_H

#include <pthread.h>

/*
 * Start one that takes no signals: they are for the program's threads.
 * 0, or -errno.
 */
int evp_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif /* EVP_THREAD_H */
