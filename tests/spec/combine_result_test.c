/* SPDX-License-Identifier: MIT */
/*
 * combine_result_test.c -- what becomes of results: COMB-RET, COMB-DRAIN,
 * COMB-CANCEL, COMB-PANIC, COMB-SCOPE of spec/combine.md.
 */
#include "tests/spec/combine.h"

/* --- COMB-RET-1 ----------------------------------------------------------- */

#define LARGE 4096

struct pattern {
    size_t size;
    unsigned seed;
    int result;
};

static unsigned char pattern_byte(const struct pattern *p, size_t i)
{
    return (unsigned char)(p->seed * 131 + i * 7 + (i >> 8));
}

static int draw(ambit_cx *cx, void *arg, void *ret)
{
    const struct pattern *p = arg;
    WANT((ret == NULL) == (p->size == 0));
    WANT((uintptr_t)ret % 16 == 0);
    for (size_t i = 0; i < p->size; i++) {
        ((unsigned char *)ret)[i] = pattern_byte(p, i);
    }
    int rc = ambit_sleep(cx, ambit_us(50));
    return rc < 0 ? rc : p->result;
}

static int results_of_any_size(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const size_t sizes[] = {0, 1, 7, 16, 17, 4095, LARGE};
    static unsigned char room[ARRAY_LEN(sizes)][LARGE + 1];
    for (unsigned round = 0; round < 4; round++) {
        struct pattern p[ARRAY_LEN(sizes)];
        struct ambit_branch b[ARRAY_LEN(sizes)];
        memset(room, 0xee, sizeof room);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            bool bad = (i + round) % 4 == 3;
            p[i] = (struct pattern){sizes[i], round * 10 + (unsigned)i,
                                    bad ? -EIO : (int)i};
            b[i] = (struct ambit_branch){.fn = draw, .arg = &p[i],
                                         .ret = room[i],
                                         .ret_size = sizes[i]};
        }
        WANT_EQ(ambit_join_all(cx, b, ARRAY_LEN(sizes)), -EIO);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            WANT_EQ(b[i].result, p[i].result);
            size_t good = b[i].result >= 0 ? sizes[i] : 0;
            size_t same = 0;
            while (same < good && room[i][same] == pattern_byte(&p[i], same)) {
                same++;
            }
            WANT_EQ(same, good);
            while (same < sizeof room[i] && room[i][same] == 0xee) {
                same++;
            }
            WANT_EQ(same, sizeof room[i]);
        }
    }
    return 0;
}

/* All of them write all the time; only one of them may be seen. */
static int scribble(ambit_cx *cx, const struct piece *piece, int64_t *ret)
{
    int rc = 0;
    for (int i = 0; i < piece->turns && rc == 0; i++) {
        *ret = -piece->answer;
        rc = ambit_yield(cx);
        *ret = -piece->answer;
    }
    *ret = rc < 0 ? -1 : piece->answer;
    return rc;
}

AMBIT_BRANCH(scribble, const struct piece, int64_t)

static int one_room_for_all(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        struct piece p[4];
        struct ambit_branch b[4];
        int64_t answer = -77;
        size_t winner = 99;
        for (int i = 0; i < 4; i++) {
            p[i] = (struct piece){NULL, 3 + (i + round) % 4, 0, 10 + i};
            b[i] = scribble_branch(&p[i], &answer);
        }
        WANT_EQ(ambit_race_all(cx, b, 4, &winner), 0);
        WANT_EQ(answer, 10 + winner);
    }
    return 0;
}

/* A call that starts nothing says so in each branch. */
static int refused_calls(ambit_cx *cx, void *arg)
{
    struct tally t = {0};
    struct piece piece = {&t, 0, 0, 4};
    int answer = -77;
    struct ambit_branch b[2];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        b[i] = piece_branch(&piece, &answer);
    }
    WANT_EQ(ambit_quorum(cx, b, 2, 3), -EINVAL);
    WANT_EQ(b[0].result, -EINVAL);
    WANT_EQ(b[1].result, -EINVAL);
    b[1].result = 0;
    WANT_EQ(ambit_hedge(cx, b, 2, ambit_ns(-1), NULL), -EINVAL);
    WANT_EQ(b[1].result, -EINVAL);
    WANT_EQ(answer, -77);
    WANT_EQ(count_get(&t.begun), 0);
    return 0;
}

/* Goal: what arrives is what was made, and nothing else arrives.
 * Method: patterns of seven sizes, good and bad; four that write into one;
 * calls that are refused. */
Spec(COMB_RET_1, results_arrive_bit_by_bit_or_not_at_all)
{
    spec_on_1_and_2_workers(results_of_any_size);
    spec_on_1_and_2_workers(one_room_for_all);
    spec_on_1_and_2_workers(refused_calls);
    spec_end("COMB_RET_1");
}

/* --- COMB-RET-2 ----------------------------------------------------------- */

static struct count made, disposed;

static int make_thing(ambit_cx *cx, const struct piece *piece, void **ret_thing)
{
    int rc = 0;
    for (int i = 0; i < piece->turns && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    if (piece->result < 0) {
        return piece->result;
    }
    /* Made even when cancelled: as a connect that completes all the same. */
    *ret_thing = malloc(24);
    count_up(&made);
    return 0;
}

static void dispose_thing(void *ret)
{
    free(*(void **)ret);
    count_up(&disposed);
}

AMBIT_BRANCH(make_thing, const struct piece, void *, .dispose = dispose_thing)

typedef int combine_fn(ambit_cx *cx, struct ambit_branch *b, size_t n);

static int by_join(ambit_cx *cx, struct ambit_branch *b, size_t n)
{
    return ambit_join_all(cx, b, n);
}

static int by_race(ambit_cx *cx, struct ambit_branch *b, size_t n)
{
    return ambit_race_all(cx, b, n, NULL);
}

static int by_first_ok(ambit_cx *cx, struct ambit_branch *b, size_t n)
{
    return ambit_first_ok(cx, b, n, NULL);
}

static int by_quorum(ambit_cx *cx, struct ambit_branch *b, size_t n)
{
    return ambit_quorum(cx, b, n, (n + 1) / 2);
}

static int by_hedge(ambit_cx *cx, struct ambit_branch *b, size_t n)
{
    return ambit_hedge(cx, b, n, ambit_us(100), NULL);
}

static combine_fn *const combinators[] = {by_join, by_race, by_first_ok,
                                          by_quorum, by_hedge};

static int things_are_kept_or_disposed_of(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        combine_fn *fn = combinators[round % (int)ARRAY_LEN(combinators)];
        struct piece p[4];
        struct ambit_branch b[4];
        void *things[4] = {0};
        for (int i = 0; i < 4; i++) {
            int result = (round / 5 + i) % 3 == 0 ? -EIO : 0;
            p[i] = (struct piece){NULL, (round * 7 + i * 3) % 5, result, 0};
            b[i] = make_thing_branch(&p[i], i == 3 ? NULL : &things[i]);
        }
        int64_t made_before = count_get(&made), kept = 0;
        int64_t disposed_before = count_get(&disposed);
        (void)fn(cx, b, 4);
        for (int i = 0; i < 4; i++) {
            WANT_EQ(things[i] != NULL, i != 3 && b[i].result >= 0);
            kept += things[i] != NULL;
            free(things[i]);
        }
        WANT_EQ(count_get(&made) - made_before,
                kept + count_get(&disposed) - disposed_before);
    }
    return 0;
}

/* Goal: nothing that was made is lost, or given away twice.
 * Method: branches that succeed however late, under each combinator. */
Spec(COMB_RET_2, what_nobody_gets_is_disposed_of)
{
    spec_on_1_and_2_workers(things_are_kept_or_disposed_of);
    WANT(count_get(&disposed) > 0);
    spec_end("COMB_RET_2");
}

/* --- COMB-DRAIN-1, COMB-SCOPE-1 ------------------------------------------- */

struct family {
    struct count *live;
    int turns;
    int result;
    int child_result;
};

static int child_of_branch(ambit_cx *cx, void *arg)
{
    struct family *f = arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = ambit_sleep(cx, ambit_us(100));
    }
    if (rc < 0) {
        /* Slow to go: not a cancel point. */
        for (int i = 0; i < 1000; i++) {
            cpu_relax();
        }
    }
    count_add(f->live, -1);
    return rc < 0 ? rc : f->child_result;
}

static void child_never_ran(void *arg)
{
    struct family *f = arg;
    count_add(f->live, -1);
}

static int parent_branch(ambit_cx *cx, void *arg, void *ret)
{
    struct family *f = arg;
    (void)ret;
    count_up(f->live);
    count_up(f->live);
    if (ambit_spawn_with(ambit_cx_region(cx), child_of_branch, f,
                         .dispose = child_never_ran) < 0) {
        count_add(f->live, -1);
    }
    int rc = ambit_sleep(cx, f->turns == NEVER ? ambit_s(1000)
                                               : ambit_us(100 * f->turns));
    count_add(f->live, -1);
    return rc < 0 ? rc : f->result;
}

static int families_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count live = {0};
    for (int round = 0; round < 100 / SPEC_SLOWER + 5; round++) {
        for (size_t c = 0; c < ARRAY_LEN(combinators); c++) {
            struct family f[4];
            struct ambit_branch b[4];
            for (int i = 0; i < 4; i++) {
                f[i] = (struct family){&live, i < 2 || c == 0 ? i : NEVER, i,
                                       0};
                b[i] = (struct ambit_branch){.fn = parent_branch,
                                             .arg = &f[i]};
            }
            WANT(combinators[c](cx, b, 4) >= 0);
            WANT_EQ(count_get(&live), 0);
        }
    }
    return 0;
}

/* Goal: nothing runs on behind the caller's back.
 * Method: each branch has a child that is slow to go; a census at return. */
Spec(COMB_DRAIN_1, every_branch_has_ended_when_the_call_returns)
{
    spec_on_1_and_2_workers(families_end);
    spec_end("COMB_DRAIN_1");
}

static int branch_and_child(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count live = {0};
    struct family good = {&live, 0, 5, 0}, bad = {&live, 0, 5, -EIO},
                  cut = {&live, 20000, 5, -EPIPE};
    struct ambit_branch b[3] = {{.fn = parent_branch, .arg = &good},
                                {.fn = parent_branch, .arg = &bad},
                                {.fn = parent_branch, .arg = &cut}};
    WANT_EQ(ambit_join_all(cx, b, 3), -EIO);
    WANT_EQ(b[0].result, 5);
    WANT_EQ(b[1].result, -EIO);   /* its child's */
    WANT_EQ(b[2].result, -EPIPE); /* cut off by its child's failure */
    WANT_EQ(ambit_timeout(cx, ambit_s(1000), b[0]), 5);
    WANT_EQ(ambit_timeout(cx, ambit_s(1000), b[1]), -EIO);
    WANT_EQ(count_get(&live), 0);
    return 0;
}

/* Goal: the children of a branch are its own.
 * Method: the branch has ended well, or still waits, when its child fails. */
Spec(COMB_SCOPE_1, what_a_branch_spawns_belongs_to_it)
{
    spec_on_1_and_2_workers(branch_and_child);
    spec_end("COMB_SCOPE_1");
}

/* --- COMB-PANIC-1 --------------------------------------------------------- */

static int panics_beside(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    struct piece p[3] = {{&t, 1, BREAKS, 0}, {&t, 2, 5, 1}, {&t, 0, BREAKS, 2}};
    struct ambit_branch b[3];
    int answers[3] = {-77, -77, -77};
    for (int i = 0; i < 3; i++) {
        b[i] = piece_branch(&p[i], &answers[i]);
    }
    WANT_EQ(ambit_join_all(cx, b, 3), -EOWNERDEAD);
    WANT_EQ(b[0].result, -EOWNERDEAD);
    WANT_EQ(b[1].result, 5);
    WANT_EQ(b[2].result, -EOWNERDEAD);
    WANT_EQ(answers[0], -77);
    WANT_EQ(answers[1], 1);
    WANT_EQ(ambit_first_ok(cx, b, 3, NULL), 5);
    WANT_EQ(ambit_quorum(cx, b, 3, 1), 0);
    WANT_EQ(ambit_quorum(cx, b, 3, 2), -EOWNERDEAD);
    WANT_EQ(ambit_checkpoint(cx), 0);
    return 0;
}

/* Goal: a panic takes nobody along.
 * Method: panicking branches beside good ones, under several combinators. */
Spec(COMB_PANIC_1, a_panic_is_a_failure_of_its_branch)
{
    spec_on_1_and_2_workers(panics_beside);
    spec_end("COMB_PANIC_1");
}

/* --- COMB-CANCEL-1 -------------------------------------------------------- */

struct caller {
    combine_fn *fn;
    int good;  /* of four, so many succeed whatever comes */
    struct count *live, *done;
};

static struct count succeeded;

static int slow_finalizer(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

/* Ends well, and well after a cancel. */
static int stubborn(ambit_cx *cx, void *arg, void *ret)
{
    struct count *live = arg;
    (void)ret;
    count_up(live);
    WANT_EQ(ambit_defer_async(ambit_cx_region(cx), slow_finalizer, NULL), 0);
    for (int i = 0; i < 3; i++) {
        (void)ambit_yield(cx);
    }
    count_up(&succeeded);
    count_add(live, -1);
    return 1;
}

static int docile(ambit_cx *cx, void *arg, void *ret)
{
    struct count *live = arg;
    (void)ret;
    count_up(live);
    int rc = 0;
    for (int i = 0; i < 40 && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    count_add(&succeeded, rc == 0);
    count_add(live, -1);
    return rc;
}

static int call_combinator(ambit_cx *cx, void *arg)
{
    struct caller *c = arg;
    struct ambit_branch b[4];
    int good = 0, bad = 0;
    for (int i = 0; i < 4; i++) {
        b[i] = (struct ambit_branch){.fn = i < c->good ? stubborn : docile,
                                     .arg = c->live};
    }
    count_set(&succeeded, 0);
    int rc = c->fn(cx, b, 4);
    WANT_EQ(count_get(c->live), 0);
    for (int i = 0; i < 4; i++) {
        good += b[i].result >= 0;
        bad += b[i].result == -ECANCELED;
    }
    WANT_EQ(good + bad, 4);
    if (rc >= 0) {
        int least = c->fn == by_join ? 4 : c->fn == by_quorum ? 2 : 1;
        WANT(good >= least);
    } else {
        WANT_EQ(rc, -ECANCELED);
        WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
        /* Nobody succeeded unseen. */
        WANT_EQ(good, count_get(&succeeded));
        WANT(c->fn == by_join || c->fn == by_quorum || good == 0);
    }
    count_up(c->done);
    return 0;
}

/* The caller is cancelled after so many turns of its worker. */
static int cancelled_after(ambit_cx *cx, combine_fn *fn, int good, int turns)
{
    struct count live = {0}, done = {0};
    struct caller c = {fn, good, &live, &done};
    int rc = 0;
    ambit_scope (cx, callers, &rc) {
        WANT_EQ(ambit_spawn(callers, call_combinator, &c), 0);
        for (int i = 0; i < turns; i++) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        ambit_cancel(callers, "at some point");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&live), 0);
    return (int)count_get(&done);
}

static int cancel_everywhere(ambit_cx *cx, void *arg)
{
    const bool alone = arg == NULL;
    for (size_t c = 0; c < ARRAY_LEN(combinators); c++) {
        for (int good = 0; good <= 4; good += 2) {
            for (int turns = 0; turns < 60; turns++) {
                int done = cancelled_after(cx, combinators[c], good, turns);
                WANT(done == 1 || turns < 2 || !alone); /* else: never ran */
            }
        }
    }
    return 0;
}

/* Goal: there is no moment at which a cancel is lost, or loses something.
 * Method: each combinator's caller is cancelled at each of 60 moments, with
 * branches that give in and branches that succeed all the same. */
Spec(COMB_CANCEL_1, a_cancel_of_the_caller_reaches_the_branches)
{
    spec_on(1, cancel_everywhere);
    WANT_EQ(spec_run(cancel_everywhere, "not alone", .workers = 2), 0);
    spec_end("COMB_CANCEL_1");
}
