/* SPDX-License-Identifier: MIT */
/*
 * Who is heard how often in one turn of the loop: share.c.  A part of loop.c.
 */
#ifndef EVTCHND_SHARE_H
#define EVTCHND_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EVD_EVENTS_IN_TURN 64

struct evd_conn;

/* What was heard in this turn. */
struct evd_shares {
	uint32_t nr_users, nr_processes;
	struct {
		uid_t uid;
		uint32_t heard;
	} user[EVD_EVENTS_IN_TURN];
	struct {
		pid_t pid;
		uid_t uid;
		uint32_t heard;
	} process[EVD_EVENTS_IN_TURN];
};

/*
 * May another message of @c be read now?  If so, it is counted.  Asked for at
 * most EVD_EVENTS_IN_TURN connections a turn.
 */
bool evd_share_take(struct evd_shares *s, const struct evd_conn *c);

#endif /* EVTCHND_SHARE_H */
