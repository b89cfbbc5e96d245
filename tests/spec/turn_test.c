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
    NEW = 200,
    ALL = WOKEN + NEW,
    IN_A_ROW = 60,
};

/* Who ran, in order: the number of one that was woken, or -1. */
struct log {
    int len;
    int waiting;
    bool spawns_before;
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

static void spawn_new(ambit_region *all, struct log *log)
{
    for (int i = 0; i < NEW; i++) {
        WANT_EQ(ambit_spawn(all, new_task, &(struct one){.log = log}), 0);
    }
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
        if (log->spawns_before) {
            spawn_new(all, log);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_wake(log->wakers[i]), 0);
        }
        if (!log->spawns_before) {
            spawn_new(all, log);
        }
    }
    return rc;
}

/* Those that were woken in their order; new ones first, or last where they were
 * there before, but neither for ever. */
static void check_order(const struct log *log)
{
    int woken = 0;
    int row = 0;
    int first = 0; /* new ones while many of the others waited */
    WANT_EQ(log->len, ALL);
    for (int i = 0; i < ALL; i++) {
        bool is_new = log->who[i] == -1;
        WANT(is_new || log->who[i] == woken);
        row = is_new ? row + 1 : 0;
        WANT(row <= IN_A_ROW || woken == WOKEN);
        woken += !is_new;
        first += is_new && woken < WOKEN / 2;
    }
    WANT(log->spawns_before ? first <= 1 : first == NEW);
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
        if (log->spawns_before) {
            spawn_new(all, log);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_try_send(actors[i], &i, sizeof i), 0);
        }
        if (!log->spawns_before) {
            spawn_new(all, log);
        }
        while (log->len < ALL) {
            ambit_yield(cx);
        }
        ambit_cancel(all, "done");
    }
    return 0;
}

/* Goal: nobody who was woken is overtaken by one that was woken later; new tasks
 * go before or after, as they came, but for one turn in 61.
 * Method: 40 poll tasks are woken, and 200 tasks spawned after, then before that,
 * while nobody runs; the same with 40 actors that get a message. */
Spec(WRK_TURN_1, who_was_woken_first_runs_first)
{
    for (int before = 0; before <= 1; before++) {
        struct log polls = {.spawns_before = before};
        struct log actors = {.spawns_before = before};
        WANT_EQ(spec_run(wake_and_spawn, &polls, .workers = 1), 0);
        check_order(&polls);
        WANT_EQ(spec_run(send_and_spawn, &actors, .workers = 1), 0);
        check_order(&actors);
    }
    spec_end("WRK_TURN_1");
}
