/* SPDX-License-Identifier: MIT */
/*
 * A broker with a policy file, and other users: children that gave up being
 * root, so these tests need root.
 */
#ifndef TESTS_PROCESS_POLICY_H
#define TESTS_PROCESS_POLICY_H

#include <grp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "harness.h"

#define ALICE 60001
#define BOB   60002
#define EVE   60003
#define BUILD 60010 /* a group */

static char policy_path[128];

static inline void write_policy(const char *text)
{
	int fd = open(policy_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 &&
	      write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

/* A broker with these rules, where others can reach it. */
static inline void start_with(const char *text)
{
	(void)snprintf(policy_path, sizeof(policy_path), "%s/policy",
		       broker.dir);
	if (text)
		write_policy(text);
	CHECK(chmod(broker.dir, 0755) == 0);
	broker_args[0] = text ? "--policy" : "--verbose";
	broker_args[1] = text ? policy_path : NULL;
	start_broker(&broker);
}

/* --- other users --------------------------------------------------------------- */

static inline void become(uid_t uid)
{
	gid_t group = BUILD;

	CHECK(setgroups(uid == BOB, &group) == 0);
	CHECK(setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == 0);
	CHECK(setresuid(uid, uid, uid) == 0);
}

struct job {
	uid_t uid;
	void (*fn)(void);
};

static inline void do_job(int from, int to, void *arg)
{
	const struct job *job = arg;

	(void)from;
	(void)to;
	become(job->uid);
	job->fn();
}

/*
 * Run @fn as @uid, to the end.  Its exit status, when the broker has seen that end
 * and taken back what the user had.
 */
static inline int as(uid_t uid, void (*fn)(void))
{
	struct job job = {uid, fn};
	struct child c = start_child(do_job, &job);
	int status = end_child(&c);

	await_quiet();
	return status;
}

/* 0, or the error of becoming that domain. */
static inline int try_domain(uint32_t want, uint32_t *domid)
{
	int fd, rc = evp_control_connect(broker.path, &fd);

	if (!rc)
		rc = evp_control_hello(fd, NULL);
	if (!rc)
		rc = evp_control_reserve(fd, want, "x", domid);
	return rc; /* the connection is kept */
}

static inline bool may(uint32_t want)
{
	uint32_t domid = 0;
	int rc = try_domain(want, &domid);

	CHECK(rc == 0 || rc == -EACCES);
	CHECK(rc || domid == want);
	return rc == 0;
}

#endif /* TESTS_PROCESS_POLICY_H */
