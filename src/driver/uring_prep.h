/* SPDX-License-Identifier: MIT */
/*
 * uring_prep.h -- from our operations to the ring's entries.
 */
#ifndef AMBIT_SRC_DRIVER_URING_PREP_H
#define AMBIT_SRC_DRIVER_URING_PREP_H

#include "src/driver/driver.h"

struct io_uring_sqe;

void uring_prep(struct io_uring_sqe *sqe, const struct op *op);

/* A cancel of it takes effect at once; a disk operation that has begun has to
 * be waited for. */
bool uring_is_prompt(const struct op *op);

/* How many bytes of op.memory the kernel has written. */
size_t uring_written(const struct op *op);

#endif
