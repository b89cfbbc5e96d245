/* SPDX-License-Identifier: MIT */
/*
 * local.c -- whose it is that has no lock.
 *
 * The address of the worker tells: a worker is as old as its runtime, and what
 * is local to it is gone before.
 *
 *   LOCAL-HERE-1  What is used on another worker ends the process.
 */
#include "src/worker.h"

#include <ambit/local.h>

void ambit_local_init(struct ambit_local *local)
{
    REQUIRE(worker_self != NULL,
            "ambit_local_init on a thread that is no worker");
    local->owner_ = worker_self;
}

bool ambit_local_is_here(const struct ambit_local *local)
{
    return local->owner_ != NULL && local->owner_ == worker_self;
}

void ambit_local_check(const struct ambit_local *local)
{
    RULE(LOCAL_HERE_1);
    REQUIRE(local->owner_ != NULL, "what is local was used before its init");
    REQUIRE(local->owner_ == worker_self,
            "what is local to a worker was used elsewhere");
}
