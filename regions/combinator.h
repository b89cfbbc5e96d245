/* SPDX-License-Identifier: MIT */
/* combinator.h -- a branch called in a region of its own. */
#ifndef AMBIT_REGIONS_COMBINATOR_H
#define AMBIT_REGIONS_COMBINATOR_H

#include "regions/region.h"

#include <ambit/combine.h>

/*
 * Calls the branch in the running task, with room for its result, in a scope
 * that is cancelled at limit_ns (INT64_MAX: never).  *ret_made: its function
 * succeeded, so there is something in the room, whatever came of the scope.
 */
int branch_call(ambit_cx *cx, const struct ambit_branch *branch, void *room,
                int64_t limit_ns, bool *ret_made);

/* A result that nobody gets. */
void branch_dispose(const struct ambit_branch *branch, void *room);

/* How long to wait after the attempt with that number (from 1 on); retry.c. */
int64_t retry_pause_ns(const struct ambit_retry_options *options,
                       uint32_t attempt, uint32_t random);

/* Whether a result outranks another one that came before it. */
bool branch_is_worse(int result, int than);

#endif
