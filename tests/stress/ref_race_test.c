/* SPDX-License-Identifier: MIT */
/*
 * ref_race_test.c -- references that are read, pinned and dropped while their
 * regions close, by tasks and by a thread that is no task.
 */
#include "tests/spec/common.h"

enum { ROUNDS = 3000 / SPEC_SLOWER, REFS = 20 };

struct pair {
    uint64_t a, b; /* b is always ~a */
};
typedef AMBIT_REF(struct pair) pair_ref;

/* The references of the latest round, for anybody. */
struct board {
    pthread_mutex_t lock; /* guards refs */
    pair_ref refs[REFS];
    struct count stop;
    struct count begun;
    struct count good;
    struct count stale;
};

static void look_at_one(struct board *board, unsigned i)
{
    pthread_mutex_lock(&board->lock);
    pair_ref ref = board->refs[i % REFS];
    pthread_mutex_unlock(&board->lock);
    struct pair copy = {0, ~UINT64_C(0)}, *held = &copy;
    int rc = i % 3 ? ambit_ref_load(ref, &copy) : ambit_ref_hold(ref, &held);
    WANT(rc == 0 || rc == -ESTALE);
    WANT(held->b == ~held->a);
    if (rc == 0 && i % 3 == 0) {
        for (unsigned turn = i % 200; turn > 0; turn--) {
            cpu_relax();
        }
        WANT(held->b == ~held->a);
        ambit_ref_release(ref);
    }
    count_up(rc == 0 ? &board->good : &board->stale);
}

static void *look_from_outside(void *arg)
{
    struct board *board = arg;
    for (unsigned i = 0; count_get(&board->stop) == 0; i++) {
        look_at_one(board, i * 13);
    }
    return NULL;
}

static int look_all_the_time(ambit_cx *cx, void *arg)
{
    struct board *board = *(struct board **)arg;
    count_up(&board->begun);
    for (unsigned i = 0; count_get(&board->stop) == 0; i++) {
        look_at_one(board, i * 7);
        if (i % 16 == 0) {
            (void)ambit_yield(cx);
        }
    }
    return 0;
}

static void one_round(ambit_cx *cx, struct board *board, unsigned round)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (unsigned i = 0; i < REFS; i++) {
            struct pair *pair = NULL;
            pair_ref ref = {0};
            WANT_EQ(ambit_new(all, &pair), 0);
            pair->a = round * 1000 + i;
            pair->b = ~pair->a;
            WANT_EQ(ambit_ref_set(all, &ref, pair), 0);
            pthread_mutex_lock(&board->lock);
            board->refs[i] = ref;
            pthread_mutex_unlock(&board->lock);
            if (i % 5 == 0) {
                int dropped = ambit_ref_drop(all, ref.ref);
                WANT(dropped == 0 || dropped == -EBUSY);
                if (dropped == 0) {
                    ambit_free(all, pair, sizeof *pair);
                }
            }
        }
        if (round % 4 == 0) {
            WANT(until(cx, &board->good, count_get(&board->good) + 1));
        }
    }
    WANT_EQ(rc, 0);
}

static int close_under_readers(ambit_cx *cx, void *arg)
{
    static struct board board;
    struct board *b = &board;
    pthread_t thread;
    int rc = 0;
    (void)arg;
    memset(&board, 0, sizeof board);
    pthread_mutex_init(&board.lock, NULL);
    WANT_EQ(pthread_create(&thread, NULL, look_from_outside, &board), 0);
    ambit_scope (cx, outer, &rc) {
        spawn_elsewhere(outer, look_all_the_time, &b, &board.begun);
        for (unsigned round = 0; round < ROUNDS; round++) {
            one_round(cx, &board, round);
        }
        count_up(&board.stop);
    }
    pthread_join(thread, NULL);
    WANT_EQ(rc, 0);
    fprintf(stderr, "%lld good, %lld stale\n",
            (long long)count_get(&board.good),
            (long long)count_get(&board.stale));
    return 0;
}

/* Goal: whoever asks gets the object whole or -ESTALE, never what is gone.
 * Method: a task elsewhere and a thread read and pin the newest references;
 * each round drops and frees some, and closes under the rest. */
Test(ref_race, readers_meet_drops_and_closes)
{
    spec_on(2, close_under_readers);
    spec_end("HEAP_REF_1");
}
