/* SPDX-License-Identifier: MIT */
/* The models: two or three calls of real functions at once. */
#ifndef INTERLEAVE_MODELS_H
#define INTERLEAVE_MODELS_H

#include "tests/interleave/explore.h"

#define IN_PSO (1u << X_PSO)
#define IN_ALL (1u << X_SC | 1u << X_TSO | 1u << X_PSO)

/* Each ends with a row without a name. */
extern const struct x_model models_2l[];
extern const struct x_model models_bind[];
extern const struct x_model models_guest[];
extern const struct x_model models_fifo[];
extern const struct x_model models_guest_fifo[];
extern const struct x_model models_extra[];
extern const struct x_model models_lane[];
extern const struct x_model models_port_lane[];
extern const struct x_model models_doze[];

#endif /* INTERLEAVE_MODELS_H */
