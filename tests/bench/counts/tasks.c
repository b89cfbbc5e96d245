/* SPDX-License-Identifier: MIT */
/*
 * tasks.c -- tasks, scopes, timers, the blocking pool.
 */
#include "tests/bench/counts/counts.h"

#include <unistd.h>

enum {
    LOT = 1000, /* tasks of one scope */
};

static int trivial(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* --- spawn and join ------------------------------------------------------- */

static int spawn_lot(ambit_region *region, ambit_task *ret_tasks)
{
    int rc = 0;
    for (unsigned i = 0; i < LOT && rc == 0; i++) {
        rc = ret_tasks == NULL
                 ? ambit_spawn(region, trivial, (char *)NULL)
                 : ambit_spawn_with(region, trivial, (char *)NULL,
                                    .ret_task = &ret_tasks[i]);
    }
    return rc;
}

static int spawn_join(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i += LOT) {
        ambit_scope (cx, lot, &rc) {
            rc = spawn_lot(lot, NULL);
        }
    }
    counts_end();
    return rc;
}

static int spawn_only(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        counts_begin();
        for (unsigned i = 0; i < n && rc == 0; i += LOT) {
            rc = spawn_lot(all, NULL);
        }
        counts_end();
    }
    return rc;
}

static int join_lot(ambit_cx *cx, const ambit_task *tasks)
{
    int rc = 0;
    for (unsigned i = 0; i < LOT && rc == 0; i++) {
        int result = -1;
        rc = ambit_join(cx, tasks[i], &result);
        rc = rc < 0 ? rc : result;
    }
    return rc;
}

static int spawn_join_each(ambit_cx *cx, unsigned n)
{
    static ambit_task tasks[LOT];
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i += LOT) {
        ambit_scope (cx, lot, &rc) {
            rc = spawn_lot(lot, tasks);
            rc = rc < 0 ? rc : join_lot(cx, tasks);
        }
    }
    counts_end();
    return rc;
}

static int spawn_poll_join(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i += LOT) {
        ambit_scope (cx, lot, &rc) {
            for (unsigned k = 0; k < LOT && rc == 0; k++) {
                rc = ambit_spawn_poll(lot, trivial, (char *)NULL);
            }
        }
    }
    counts_end();
    return rc;
}

/* --- a poll task steps, waits, is woken, steps again ---------------------- */

static struct {
    ambit_waker waker[LOT];
    unsigned waiting;
    bool woken;
} polls;

static int wait_once(ambit_cx *cx, void *state)
{
    (void)state;
    if (polls.woken) {
        return AMBIT_READY;
    }
    polls.waker[polls.waiting++] = ambit_cx_waker(cx);
    return AMBIT_PENDING;
}

static int poll_lot(ambit_cx *cx, ambit_region *lot)
{
    int rc = 0;
    polls.waiting = 0;
    polls.woken = false;
    for (unsigned i = 0; i < LOT && rc == 0; i++) {
        rc = ambit_spawn_poll(lot, wait_once, (char *)NULL);
    }
    while (polls.waiting < LOT && rc == 0) {
        rc = ambit_yield(cx);
    }
    polls.woken = true;
    for (unsigned i = 0; i < LOT && rc == 0; i++) {
        rc = ambit_wake(polls.waker[i]);
    }
    return rc;
}

static int spawn_poll_wake(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i += LOT) {
        ambit_scope (cx, lot, &rc) {
            rc = poll_lot(cx, lot);
        }
    }
    counts_end();
    return rc;
}

/* --- yield, checkpoint ---------------------------------------------------- */

static int yielder(ambit_cx *cx, void *arg)
{
    unsigned n = *(unsigned *)arg;
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    return rc;
}

static int yield(ambit_cx *cx, unsigned n)
{
    unsigned half = n / 2;
    int rc = 0;
    counts_begin();
    ambit_scope (cx, both, &rc) {
        rc = ambit_spawn(both, yielder, &half);
        rc = rc < 0 ? rc : ambit_spawn(both, yielder, &half);
    }
    counts_end();
    return rc;
}

static int checkpoint(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n; i++) {
        rc |= ambit_checkpoint(cx);
    }
    counts_end();
    return rc;
}

/* --- scopes and their deadlines ------------------------------------------- */

static int scope(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        ambit_scope (cx, empty, &rc) {
        }
    }
    counts_end();
    return rc;
}

static int scope_deadline(ambit_cx *cx, unsigned n)
{
    ambit_time later = ambit_after(ambit_s(3600));
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        ambit_scope (cx, limited, &rc, .deadline = later) {
        }
    }
    counts_end();
    return rc;
}

static int timer_move(ambit_cx *cx, unsigned n)
{
    ambit_time later = ambit_after(ambit_s(3600));
    int rc = 0;
    ambit_scope (cx, limited, &rc, .deadline = later) {
        counts_begin();
        for (unsigned i = 0; i < n && rc == 0; i++) {
            later.ns += 1000000 * ((int64_t)(i % 7) - 3);
            rc = ambit_set_deadline(limited, later);
        }
        counts_end();
    }
    return rc;
}

/* --- a sleep that is called off ------------------------------------------- */

static int sleeper(ambit_cx *cx, void *arg)
{
    unsigned *asleep = *(unsigned **)arg;
    ++*asleep;
    int rc = ambit_sleep_until(cx, ambit_never());
    return rc == -ECANCELED ? 0 : rc;
}

static int sleep_cancel(ambit_cx *cx, unsigned n)
{
    unsigned asleep = 0;
    unsigned *counter = &asleep;
    int rc = 0;
    counts_begin();
    ambit_scope (cx, all, &rc) {
        for (unsigned i = 0; i < n && rc == 0; i++) {
            rc = ambit_spawn(all, sleeper, &counter);
        }
        while (asleep < n && rc == 0) {
            rc = ambit_yield(cx);
        }
        ambit_cancel(all, "counted");
    }
    counts_end();
    return rc == -ECANCELED ? 0 : rc;
}

/* --- the blocking pool ---------------------------------------------------- */

/* Its only thread is held until all have asked, and the worker's then sits in
 * read(2) until the thread has done them all: no two run side by side. */
static struct {
    int go[2];
    int done[2];
    unsigned asked;
    unsigned left;
} pool;

static int hold(void *arg)
{
    char byte = 0;
    (void)arg;
    if (write(pool.done[1], &byte, 1) != 1 || read(pool.go[0], &byte, 1) != 1) {
        return -EIO;
    }
    return 0;
}

static int no_op(void *arg)
{
    char byte = 0;
    (void)arg;
    if (--pool.left > 0) {
        return 0;
    }
    return write(pool.done[1], &byte, 1) == 1 ? 0 : -EIO;
}

static int holder(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_blocking(cx, hold, NULL);
}

static int asker(ambit_cx *cx, void *arg)
{
    (void)arg;
    pool.asked++;
    return ambit_blocking(cx, no_op, NULL);
}

static int ask_all(ambit_cx *cx, ambit_region *all, unsigned n)
{
    char byte = 0;
    int rc = ambit_spawn(all, holder, (char *)NULL);
    rc = rc < 0 ? rc : ambit_yield(cx);
    if (rc < 0 || read(pool.done[0], &byte, 1) != 1) {
        return rc < 0 ? rc : -EIO;
    }
    pool.asked = 0;
    pool.left = n;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_spawn(all, asker, (char *)NULL);
    }
    while (pool.asked < n && rc == 0) {
        rc = ambit_yield(cx);
    }
    if (write(pool.go[1], &byte, 1) != 1 || read(pool.done[0], &byte, 1) != 1) {
        return -EIO;
    }
    return rc;
}

static int blocking(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    if (pipe(pool.go) < 0 || pipe(pool.done) < 0) {
        return -errno;
    }
    ambit_scope (cx, all, &rc) {
        rc = ask_all(cx, all, n);
    }
    counts_end();
    for (unsigned i = 0; i < 2; i++) {
        close(pool.go[i]);
        close(pool.done[i]);
    }
    return rc;
}

const struct counts_path counts_tasks[] = {
    {"spawn_join", 5 * LOT, spawn_join},
    {"spawn_only", 2 * LOT, spawn_only},
    {"spawn_join_each", 5 * LOT, spawn_join_each},
    {"spawn_poll_join", 5 * LOT, spawn_poll_join},
    {"spawn_poll_wake_join", 5 * LOT, spawn_poll_wake},
    {"yield", 10000, yield},
    {"checkpoint", 10000, checkpoint},
    {"scope", 5000, scope},
    {"scope_deadline", 5000, scope_deadline},
    {"timer_cancel_arm", 5000, timer_move},
    {"spawn_sleep_cancel_join", 1000, sleep_cancel},
    {"spawn_blocking_join", 200, blocking},
    {NULL, 0, NULL},
};
