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

int ambit_notify_wait(ambit_cx *cx, struct ambit_notify *notify)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    if (rc < 0 || semaphore_try(news(notify), 1)) {
        return rc;
    }
    return semaphore_wait(news(notify), task, 1, PARK_NOTIFY);
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

int ambit_barrier_wait(ambit_cx *cx, struct ambit_barrier *barrier)
{
    struct task *task = task_of(cx);
    struct line *line = line_of(barrier);
    struct line_woken woken = {0};
    struct line_waiter waiter = {.left = NULL};
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    line_lock(line);
    if (line->len + 1 < barrier->parties_) {
        return (int)line_wait(line, &waiter, task, PARK_BARRIER);
    }
    RULE(BARRIER_ALL_1);
    line_grant_all(line, 0, &woken);
    line_unlock(line, &woken);
    return 1;
}

uint32_t ambit_barrier_waiters(struct ambit_barrier *barrier)
{
    struct line *line = line_of(barrier);
    line_lock(line);
    uint32_t waiting = line->len;
    spin_unlock(&line->lock);
    return waiting;
}
