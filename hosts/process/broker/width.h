/* SPDX-License-Identifier: MIT */
/* How many ports an attachment can have: width.c. */
#ifndef EVTCHND_WIDTH_H
#define EVTCHND_WIDTH_H

#include "broker.h"

/* How many ports can @d have, for whom the next one opened will be? */
uint32_t evd_room_for_ports(const struct evd_dom *d);

/* EVTCHNOP_init_control by @a, as @r says: 0 or -XEN_E... */
int evd_init_control(struct evd_att *a, struct evp_result *r);

/* @a uses the 2-level ABI; or FIFO. */
void evd_be_2l(struct evd_att *a);
void evd_be_fifo(struct evd_att *a);

#endif /* EVTCHND_WIDTH_H */
