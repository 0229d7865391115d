/* SPDX-License-Identifier: MIT */
/*
 * Shares of a turn.
 *
 * Whoever has a request waits for the messages that are read before his, so a
 * turn reads few of anybody who has many: EVD_MSGS_OF_PROCESS of one process,
 * over however many connections, and EVD_MSGS_OF_USER of one user, over however
 * many processes.  But one of each process at least: or those who make all
 * requests of their user would leave nothing for his others.  What is not read
 * stays in the socket, and wakes the next turn.
 *
 * A process is who connected, as the kernel tells.  Those of other PID namespaces
 * have no number here and are, of one user, together one process.
 */
#include "share.h"

#include "broker.h"

static uint32_t *of_user(struct evd_shares *s, uid_t uid)
{
	uint32_t i;

	for (i = 0; i < s->nr_users && s->user[i].uid != uid; i++)
		;
	if (i == s->nr_users) {
		s->nr_users++;
		s->user[i].uid = uid;
		s->user[i].heard = 0;
	}
	return &s->user[i].heard;
}

static uint32_t *of_process(struct evd_shares *s, pid_t pid, uid_t uid)
{
	uint32_t i;

	for (i = 0; i < s->nr_processes; i++) {
		if (s->process[i].pid == pid && s->process[i].uid == uid)
			return &s->process[i].heard;
	}
	s->nr_processes++;
	s->process[i].pid = pid;
	s->process[i].uid = uid;
	s->process[i].heard = 0;
	return &s->process[i].heard;
}

bool evd_share_take(struct evd_shares *s, const struct evd_conn *c)
{
	uint32_t *process = of_process(s, c->pid, c->uid);
	uint32_t *user = of_user(s, c->account->uid);

	if (*process &&
	    (*process >= EVD_MSGS_OF_PROCESS || *user >= EVD_MSGS_OF_USER))
		return false;
	++*process;
	++*user;
	return true;
}
