/* SPDX-License-Identifier: MIT */
/* A session that goes on with the next broker when its own was killed. */
#ifndef EVP_RESUME_H
#define EVP_RESUME_H

#include <stdint.h>

#include <abi/xen.h>
#include <evp/evp.h>

#include "proto.h"

struct evp_session {
	int fd; /* the same number, whichever broker it leads to */
	domid_t domid;
	uint64_t broker;
	char path[EVP_PATH_MAX]; /* where the next one will be; "": nowhere */
	char name[EVP_NAME_MAX];
	/* Says to the next one what it has to know; may be NULL. */
	void (*tell)(void *ctx);
	void *ctx;
};

/* As evp_session(); @s says nothing yet. */
int evp_session_open(struct evp_session *s, const struct evp_options *o);

/*
 * Before each question: if the broker has hung up and another one is there, go
 * over to that.  Otherwise nothing happens, and the question will fail.
 *
 * Context: the session's user; one at a time.  May wait for the broker.
 */
void evp_session_resume(struct evp_session *s);

#endif /* EVP_RESUME_H */
