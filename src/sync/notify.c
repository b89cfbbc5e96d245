/* SPDX-License-Identifier: MIT */
/*
 * notify.c -- news for one, or for all; and a barrier.
 *
 * A notification that finds nobody is a permit: there is one of them at most.
 *
 *   NOTIFY-ONE-1   For the first who waits; kept, once, when nobody does.
 *   NOTIFY-ALL-1   For all who wait, and for nobody else.
 *   BARRIER-ALL-1  All go on when the last one has come.
 */
#include "src/sync/semaphore.h"

#include "src/await.h"
#include "src/task.h"

static struct semaphore *news(struct ambit_notify *notify)
{
    struct semaphore *semaphore = semaphore_of(&notify->news_);
    REQUIRE(semaphore->max == 1, "a notify was used that nobody made");
    return semaphore;
}

void ambit_notify_init(struct ambit_notify *notify)
{
    semaphore_init(semaphore_of(&notify->news_), 0, 1);
}

void ambit_notify_fini(struct ambit_notify *notify)
{
    line_fini(&news(notify)->line,
              "a notify was ended while tasks wait for it");
}

static inline int hear(struct task *task, struct ambit_notify *notify,
                       struct line_waiter *waiter)
{
    int rc = park_check(task);
    if (rc < 0 || semaphore_try(news(notify), 1)) {
        return rc;
    }
    return semaphore_wait(news(notify), waiter, task, 1, PARK_NOTIFY);
}

int ambit_notify_wait(ambit_cx *cx, struct ambit_notify *notify)
{
    return hear(task_of(cx), notify, NULL);
}

int ambit_await_notify(ambit_cx *cx, struct ambit_await *wait,
                       struct ambit_notify *notify)
{
    int rc;
    struct line_waiter *waiter =
        await_enter_as(cx, wait, &semaphore_await, &rc);
    return waiter == NULL
               ? rc
               : await_leave(waiter, hear(task_of(cx), notify, waiter));
}

void ambit_notify_one(struct ambit_notify *notify)
{
    RULE(NOTIFY_ONE_1);
    (void)semaphore_give(news(notify), 1); /* -EOVERFLOW: there is one kept */
}

void ambit_notify_all(struct ambit_notify *notify)
{
    RULE(NOTIFY_ALL_1);
    semaphore_let_all(news(notify));
}

uint32_t ambit_notify_waiters(struct ambit_notify *notify)
{
    return semaphore_waiting(news(notify));
}

/* --- barrier --------------------------------------------------------------- */

static struct line *line_of(struct ambit_barrier *barrier)
{
    REQUIRE(barrier->parties_ != 0, "a barrier was used that nobody made");
    return (struct line *)(void *)&barrier->line_;
}

int ambit_barrier_init(struct ambit_barrier *barrier, uint32_t parties)
{
    if (parties == 0) {
        return -EINVAL;
    }
    memset(barrier, 0, sizeof *barrier);
    barrier->parties_ = parties;
    return 0;
}

void ambit_barrier_fini(struct ambit_barrier *barrier)
{
    line_fini(line_of(barrier), "a barrier was ended while tasks wait at it");
}

/* *ret_last: it was the last one. */
static int meet(struct task *task, struct ambit_barrier *barrier,
                struct line_waiter *waiter, bool *ret_last)
{
    struct line *line = line_of(barrier);
    struct line_woken woken = {0};
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    line_lock(line);
    if (line->len + 1 < barrier->parties_) {
        return (int)line_wait(line, waiter, task, PARK_BARRIER);
    }
    RULE(BARRIER_ALL_1);
    line_grant_all(line, 0, &woken);
    line_unlock(line, &woken);
    *ret_last = true;
    return 0;
}

int ambit_barrier_wait(ambit_cx *cx, struct ambit_barrier *barrier)
{
    struct line_waiter waiter = {0};
    bool last = false;
    int rc = meet(task_of(cx), barrier, &waiter, &last);
    return last ? 1 : rc;
}

int ambit_await_barrier(ambit_cx *cx, struct ambit_await *wait,
                        struct ambit_barrier *barrier, bool *ret_last)
{
    int rc;
    bool last = false;
    struct line_waiter *waiter = await_enter(cx, wait, &rc);
    if (waiter != NULL) {
        rc = await_leave(waiter, meet(task_of(cx), barrier, waiter, &last));
    }
    if (rc == 0 && ret_last != NULL) {
        *ret_last = last;
    }
    return rc;
}

uint32_t ambit_barrier_waiters(struct ambit_barrier *barrier)
{
    struct line *line = line_of(barrier);
    line_lock(line);
    uint32_t waiting = line->len;
    spin_unlock(&line->lock);
    return waiting;
}
