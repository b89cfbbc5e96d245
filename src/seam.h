/* SPDX-License-Identifier: MIT */
/*
 * seam.h -- two places where the lab looks in: a task suspends, an object is
 * asked for.  In every other build nothing is there.
 */
#ifndef AMBIT_SRC_SEAM_H
#define AMBIT_SRC_SEAM_H

#include <stdbool.h>

struct task;

#ifdef AMBIT_LAB
/* The task is about to give up its worker: to wait, or to rest between two
 * steps or messages. */
void seam_suspends(struct task *task);
/* Memory is to be short now. */
bool seam_refuses(void);
#else
static inline void seam_suspends(struct task *task)
{
    (void)task;
}
static inline bool seam_refuses(void)
{
    return false;
}
#endif

#endif
