/* SPDX-License-Identifier: MIT */
/*
 * turn_test.c -- who has the next turn: those that were woken, and new tasks.
 *
 * On one worker.  Nobody runs while the root wakes and spawns, so all that
 * matters lies there when it waits.
 */
#include "tests/spec/common.h"

enum {
    WOKEN = 40,
    NEW = 10,
    ALL = WOKEN + NEW,
    IN_A_ROW = 3,
};

/* Who ran, in order: the number of one that was woken, or -1. */
struct log {
    int len;
    int waiting;
    int who[ALL];
    ambit_waker wakers[WOKEN];
};

struct one {
    struct log *log;
    int number;
    bool waited;
};

static void write_down(struct log *log, int who)
{
    if (log->len < ALL) {
        log->who[log->len] = who;
    }
    log->len++;
}

static int new_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    write_down(((struct one *)arg)->log, -1);
    return 0;
}

static int waiting_step(ambit_cx *cx, void *state)
{
    struct one *self = state;
    if (!self->waited) {
        self->waited = true;
        self->log->waiting++;
        self->log->wakers[self->number] = ambit_cx_waker(cx);
        return AMBIT_PENDING;
    }
    write_down(self->log, self->number);
    return 0;
}

static int wake_and_spawn(ambit_cx *cx, void *arg)
{
    struct log *log = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_spawn_poll(all, waiting_step,
                                     &(struct one){.log = log, .number = i}),
                    0);
        }
        while (log->waiting < WOKEN) {
            ambit_yield(cx);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_wake(log->wakers[i]), 0);
        }
        for (int i = 0; i < NEW; i++) {
            WANT_EQ(ambit_spawn(all, new_task, &(struct one){.log = log}), 0);
        }
    }
    return rc;
}

/* Those that were woken in their order, and in turn with new ones. */
static void check_order(const struct log *log)
{
    int woken = 0;
    int fresh = 0;
    int row = 0;
    WANT_EQ(log->len, ALL);
    for (int i = 0; i < ALL; i++) {
        bool is_new = log->who[i] == -1;
        WANT(is_new || log->who[i] == woken);
        WANT(!is_new || i == 0 || log->who[i - 1] != -1 || woken == WOKEN);
        row = is_new ? 0 : row + 1;
        WANT(row <= IN_A_ROW || fresh == NEW);
        woken += !is_new;
        fresh += is_new;
    }
}

struct letterbox {
    struct log *log;
    int number;
};

static int letterbox_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct letterbox *)state = *(const struct letterbox *)arg;
    return 0;
}

static int letterbox_handle(ambit_cx *cx, void *state, const void *message,
                            size_t size)
{
    struct letterbox *self = state;
    (void)cx;
    (void)message;
    (void)size;
    write_down(self->log, self->number);
    return 0;
}

static int send_and_spawn(ambit_cx *cx, void *arg)
{
    static const struct ambit_actor_type type = {
        .init = letterbox_init,
        .handle = letterbox_handle,
        .state_size = sizeof(struct letterbox),
    };
    struct log *log = arg;
    ambit_actor_ref actors[WOKEN];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < WOKEN; i++) {
            struct letterbox box = {log, i};
            WANT_EQ(
                ambit_actor_start(cx, all, &type, &box, sizeof box, &actors[i]),
                0);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_try_send(actors[i], &i, sizeof i), 0);
        }
        for (int i = 0; i < NEW; i++) {
            WANT_EQ(ambit_spawn(all, new_task, &(struct one){.log = log}), 0);
        }
        while (log->len < ALL) {
            ambit_yield(cx);
        }
        ambit_cancel(all, "done");
    }
    return 0;
}

/* Goal: nobody who was woken is overtaken by one that was woken later, nor by
 * more than their share of new tasks, and new tasks have theirs.
 * Method: 40 poll tasks are woken and 10 tasks spawned before any of them runs;
 * the same with 40 actors that get a message. */
Spec(WRK_TURN_1, who_was_woken_first_runs_first)
{
    struct log polls = {0};
    struct log actors = {0};
    WANT_EQ(spec_run(wake_and_spawn, &polls, .workers = 1), 0);
    check_order(&polls);
    WANT_EQ(spec_run(send_and_spawn, &actors, .workers = 1), 0);
    check_order(&actors);
    spec_end("WRK_TURN_1");
}
