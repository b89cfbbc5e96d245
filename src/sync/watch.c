/* SPDX-License-Identifier: MIT */
/*
 * watch.c -- the latest value, and its version.
 *
 * A send wakes all who wait, and hands them nothing: each looks for itself once
 * it runs, at what is newest then.  So a send takes the lock for one copy,
 * however many wait.
 *
 *   WATCH-NEWEST-1  A receive gives the newest value, each version once.
 *   WATCH-CHANGE-1  A change is told to all who have not seen it.
 *   WATCH-CLOSE-1   After the close nothing is sent, and all are told.
 */
#include "src/sync/line.h"

#include "src/await.h"
#include "src/task.h"

#include <ambit/watch.h>

static struct line *line_of(struct ambit_watch *watch)
{
    return (struct line *)(void *)&watch->line_;
}

static void watch_lock(struct ambit_watch *watch)
{
    REQUIRE(watch->size_ != 0, "a watch was used that nobody made");
    line_lock(line_of(watch));
}

int ambit_watch_init(struct ambit_watch *watch, void *room, size_t size)
{
    if (size == 0) {
        return -EINVAL;
    }
    if (size > AMBIT_CHANNEL_ITEM_MAX) {
        return -E2BIG;
    }
    memset(watch, 0, sizeof *watch);
    watch->room_ = room;
    watch->size_ = size;
    watch->version_ = 1;
    return 0;
}

void ambit_watch_fini(struct ambit_watch *watch)
{
    line_fini(line_of(watch), "a watch was ended while tasks wait for it");
}

int ambit_watch_send(struct ambit_watch *watch, const void *value)
{
    struct line_woken woken = {0};
    watch_lock(watch);
    int rc = watch->closed_ ? -EPIPE : 0;
    if (rc == 0) {
        copy_bytes(watch->room_, value, watch->size_);
        watch->version_++;
        RULE(WATCH_CHANGE_1);
        line_grant_all(line_of(watch), 0, &woken);
    }
    line_unlock(line_of(watch), &woken);
    return rc;
}

/* Lock held.  0, -EAGAIN, -EPIPE. */
static int take(struct ambit_watch *watch, uint64_t *seen, void *ret_value)
{
    if (*seen == watch->version_) {
        RULE(WATCH_CLOSE_1);
        return watch->closed_ ? -EPIPE : -EAGAIN;
    }
    RULE(WATCH_NEWEST_1);
    copy_bytes(ret_value, watch->room_, watch->size_);
    *seen = watch->version_;
    return 0;
}

static inline int receive(struct task *task, struct ambit_watch *watch,
                          uint64_t *seen, void *ret_value,
                          struct line_waiter *waiter)
{
    struct line_waiter own;
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    watch_lock(watch);
    while ((rc = take(watch, seen, ret_value)) == -EAGAIN) {
        waiter = line_waiter_or(waiter, &own);
        rc = (int)line_wait(line_of(watch), waiter, task, PARK_WATCH);
        if (rc != 0) {
            return rc;
        }
        watch_lock(watch);
    }
    spin_unlock(&line_of(watch)->lock);
    return rc;
}

int ambit_watch_receive(ambit_cx *cx, struct ambit_watch *watch,
                        uint64_t *seen, void *ret_value)
{
    return receive(task_of(cx), watch, seen, ret_value, NULL);
}

int ambit_await_watch(ambit_cx *cx, struct ambit_await *wait,
                      struct ambit_watch *watch, uint64_t *seen,
                      void *ret_value)
{
    int rc;
    struct line_waiter *waiter;
    /* A grant is news only: it looks anew, and may find that others' news is
     * what it has seen already. */
    while ((waiter = await_enter(cx, wait, &rc)) == NULL) {
        rc = rc == 0 ? ambit_watch_try_receive(watch, seen, ret_value) : rc;
        if (rc != -EAGAIN) {
            return rc;
        }
    }
    return await_leave(waiter, receive(task_of(cx), watch, seen, ret_value,
                                       waiter));
}

int ambit_watch_try_receive(struct ambit_watch *watch, uint64_t *seen,
                            void *ret_value)
{
    watch_lock(watch);
    int rc = take(watch, seen, ret_value);
    spin_unlock(&line_of(watch)->lock);
    return rc;
}

uint64_t ambit_watch_look(struct ambit_watch *watch, void *ret_value)
{
    watch_lock(watch);
    if (ret_value != NULL) {
        copy_bytes(ret_value, watch->room_, watch->size_);
    }
    uint64_t version = watch->version_;
    spin_unlock(&line_of(watch)->lock);
    return version;
}

int ambit_watch_close(struct ambit_watch *watch)
{
    struct line_woken woken = {0};
    watch_lock(watch);
    int rc = watch->closed_ ? -EALREADY : 0;
    watch->closed_ = true;
    line_grant_all(line_of(watch), -EPIPE, &woken);
    line_unlock(line_of(watch), &woken);
    return rc;
}

uint32_t ambit_watch_waiters(struct ambit_watch *watch)
{
    watch_lock(watch);
    uint32_t len = line_of(watch)->len;
    spin_unlock(&line_of(watch)->lock);
    return len;
}
