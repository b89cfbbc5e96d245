/* SPDX-License-Identifier: MIT */
/* cool.h -- an idle worker gives memory back. */
#ifndef AMBIT_SRC_COOL_H
#define AMBIT_SRC_COOL_H

#include "src/base.h"

struct worker;

/* Gives back what nobody needed for a second: stacks a few at a time, so that a wake
 * never waits for long, queues at once.  When to go on, INT64_MAX for never.  The
 * worker's thread, before it sleeps. */
int64_t worker_cool(struct worker *worker);

#endif
