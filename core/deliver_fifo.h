/* SPDX-License-Identifier: MIT */
#ifndef CORE_DELIVER_FIFO_H
#define CORE_DELIVER_FIFO_H

#include <evc/deliver.h>

extern const struct evc_deliver evc_deliver_fifo;

#endif /* CORE_DELIVER_FIFO_H */
