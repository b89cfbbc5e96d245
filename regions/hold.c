/* SPDX-License-Identifier: MIT */
/*
 * hold.c -- a mutex that does not stay locked when its holder is gone.
 *
 * The lock is an obligation of the innermost open scope, with its record in the
 * mutex, which outlives both.  Whoever resolves it, the holder or the close of
 * that scope, unlocks: so a task that panics, or forgets, gives the mutex back
 * at the latest with its region.
 *
 *   MUTEX-HOLD-1  Unlocked at the close, if it was not before.
 */
#include "regions/region.h"

#include "src/sync/mutex.h"

/* The close: the holder has ended, or is the one who closes. */
static void hold_abandon(void *arg)
{
    struct mutex *mutex = mutex_of(arg);
    RULE(MUTEX_HOLD_1);
    mutex->let_go = NULL;
    mutex_take_from_holder(mutex);
}

/* The holder unlocks. */
static void hold_let_go(struct ambit_mutex *mutex)
{
    mutex_of(mutex)->let_go = NULL;
    int rc = ambit_fulfil(&mutex->duty_);
    ASSERT(rc == 0);
}

int ambit_mutex_hold_(ambit_cx *cx, struct ambit_mutex *mutex,
                      const struct ambit_site *site)
{
    int rc = region_need(task_of(cx)); /* before there is something to lose */
    if (rc == 0) {
        rc = ambit_mutex_lock(cx, mutex);
    }
    if (rc < 0) {
        return rc;
    }
    rc = ambit_oblige_(ambit_cx_region(cx), &mutex->duty_, hold_abandon, mutex,
                       site);
    if (rc < 0) {
        ambit_mutex_unlock(mutex);
        return rc;
    }
    mutex_of(mutex)->let_go = hold_let_go;
    return 0;
}
