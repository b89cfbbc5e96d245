/* SPDX-License-Identifier: MIT */
/* steal.h -- an idle worker takes over what others have not begun. */
#ifndef AMBIT_SRC_STEAL_H
#define AMBIT_SRC_STEAL_H

#include "src/runtime.h"
#include "src/worker.h"

/* There are others, and the options let it. */
static inline bool steal_is_allowed(const struct worker *worker)
{
    return !worker->alone && !worker->runtime->options.steal_off;
}
/* True when something was taken; it is queued here. */
bool steal_search(struct worker *worker);
/* There is something that a search might take. */
bool steal_could(struct worker *worker);
/* Searches found nothing: when the next one is due; 0: now. */
int64_t steal_pause_end(struct worker *worker);
/* There is reason to search at once: the worker was woken. */
void steal_resume(struct worker *worker);

#endif
