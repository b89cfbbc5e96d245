/* SPDX-License-Identifier: MIT */
/* poll.h -- the turns of a poll task, and what wakes it. */
#ifndef AMBIT_SRC_POLL_H
#define AMBIT_SRC_POLL_H

#include "src/task.h"

#include <ambit/poll.h>

/* Makes a record of task_make(), with its step as its function, a poll task that
 * is about to be started. */
void poll_prepare(struct task *task);

#endif
