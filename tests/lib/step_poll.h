/* SPDX-License-Identifier: MIT */
/*
 * core/poll.c once more, under other names, for a test that has replaced one of
 * its atomic operations by a macro and wants another CPU to act there.
 */
#ifndef STEP_POLL_H
#define STEP_POLL_H

#define evc_poll_wake	 step_poll_wake
#define evc_poll	 step_poll
#define evc_poll_32	 step_poll_32
#define evc_poll_end	 step_poll_end
#define evc_poll_is_over step_poll_is_over
void step_poll_wake(struct evc_domain *d, evtchn_port_t port);
int step_poll(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout);
int step_poll_32(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout);
bool step_poll_is_over(const struct evc_vcpu *v);
void step_poll_end(struct evc_vcpu *v);
#include "core/poll.c"
#undef evc_poll_wake
#undef evc_poll
#undef evc_poll_32
#undef evc_poll_end
#undef evc_poll_is_over

#endif /* STEP_POLL_H */
