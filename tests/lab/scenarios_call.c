/* SPDX-License-Identifier: MIT */
/*
 * scenarios_call.c -- one call with something around it: a time, another try,
 * an acquire and a release.
 */
#include "tests/lab/scenario.h"

struct trial {
    struct tally made, disposed;
};

struct box {
    struct trial *trial;
    int64_t value;
};

static void put_away(void *ret)
{
    tally_up(&((struct box *)ret)->trial->disposed);
}

struct nap {
    struct trial *trial;
    ambit_time until;
};

static int naps(ambit_cx *cx, struct nap *nap, struct box *ret)
{
    int rc = ambit_sleep_until(cx, nap->until);
    if (rc == 0) {
        *ret = (struct box){nap->trial, 77};
        tally_up(&nap->trial->made);
    }
    return rc;
}

AMBIT_BRANCH(naps, struct nap, struct box, .dispose = put_away)

/* A hedge and the answer it no longer waits for, at one tick. */
static int hedge_at_once(ambit_cx *cx, void *arg)
{
    struct trial trial = {0};
    struct box one = {NULL, -1}, two = {NULL, -1};
    ambit_time when = ambit_after(ambit_us(100));
    struct nap nap = {&trial, when};
    size_t winner = 2;
    (void)arg;
    struct ambit_branch both[2] = {naps_branch(&nap, &one),
                                   naps_branch(&nap, &two)};
    int rc = ambit_hedge(cx, both, 2, ambit_us(100), &winner);
    want(rc == 0 && winner < 2);
    always((one.value == 77) + (two.value == 77) == (rc == 0));
    always(tally_get(&trial.made) == tally_get(&trial.disposed) + (rc == 0));
    ambit_observe((int64_t)winner);
    return disturbed ? rc : 0;
}

/* The time ends at the tick at which the branch is done: one of the two. */
static int timeout_tick(ambit_cx *cx, void *arg)
{
    struct trial trial = {0};
    struct box box = {NULL, -1};
    ambit_time when = ambit_after(ambit_ms(1));
    struct nap nap = {&trial, when};
    (void)arg;
    int rc = ambit_timeout_at(cx, when, naps_branch(&nap, &box));
    want(rc == 0); /* it has a result */
    always(rc < 0 || box.value == 77);
    always(tally_get(&trial.made) == tally_get(&trial.disposed) + (rc == 0));
    ambit_observe(rc);
    return disturbed ? rc : 0;
}

/* It is over, and the branch answers all the same. */
static int answers_late(ambit_cx *cx, struct nap *nap, struct box *ret)
{
    int rc = 0, slept = 0;
    ambit_mask (cx, &rc) {
        slept = ambit_sleep_until(cx, nap->until);
    }
    if (rc < 0 || slept < 0) {
        return rc < 0 ? rc : slept;
    }
    want(ambit_checkpoint(cx) == -ECANCELED);
    *ret = (struct box){nap->trial, 77};
    tally_up(&nap->trial->made);
    return 5;
}

AMBIT_BRANCH(answers_late, struct nap, struct box, .dispose = put_away)

static int timeout_late(ambit_cx *cx, void *arg)
{
    struct trial trial = {0};
    struct box box = {NULL, -1};
    struct nap nap = {&trial, ambit_after(ambit_ms(2))};
    (void)arg;
    int rc = ambit_timeout(cx, ambit_ms(1), answers_late_branch(&nap, &box));
    want(rc == 5 && box.value == 77);
    always(tally_get(&trial.made) == tally_get(&trial.disposed) + (rc == 5));
    return disturbed && rc < 0 ? rc : 0;
}

struct luck {
    struct tally calls;
    int good_at;
};

static int tries(ambit_cx *cx, struct luck *luck, struct box *ret)
{
    int64_t call = tally_up(&luck->calls) + 1;
    int rc = ambit_yield(cx);
    ret->value = 77;
    return rc < 0 ? rc : call == luck->good_at ? 9 : -EAGAIN;
}

AMBIT_BRANCH(tries, struct luck, struct box)

static int retry(ambit_cx *cx, void *arg)
{
    struct luck luck = {.good_at = 3}, none = {.good_at = 9};
    struct box box = {NULL, -1};
    (void)arg;
    int rc = ambit_retry(cx, tries_branch(&luck, &box), .attempts_max = 4,
                         .delay = ambit_us(50), .attempt_timeout = ambit_s(9));
    want(rc == 9 && tally_get(&luck.calls) == 3);
    always(tally_get(&luck.calls) <= 3);
    always(rc < 0 || box.value == 77);
    if (rc >= 0) {
        rc = ambit_retry(cx, tries_branch(&none, &box), .attempts_max = 2,
                         .delay = ambit_us(50), .jitter_percent = -1);
        always(tally_get(&none.calls) <= 2);
        want(rc == -EAGAIN && tally_get(&none.calls) == 2);
    }
    return disturbed ? rc : 0;
}

/* --- bracket --------------------------------------------------------------- */

struct resource {
    struct tally acquired, used, released, live;
    bool breaks;
};

static int acquires(ambit_cx *cx, void *arg)
{
    struct resource *resource = arg;
    int rc = ambit_yield(cx);
    if (rc == 0) {
        tally_up(&resource->acquired);
    }
    return rc;
}

static int works_below(ambit_cx *cx, void *arg)
{
    struct resource *resource = *(struct resource **)arg;
    tally_up(&resource->live);
    always(tally_get(&resource->released) == 0);
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    always(tally_get(&resource->released) == 0);
    tally_down(&resource->live);
    return rc;
}

static int uses(ambit_cx *cx, void *arg)
{
    struct resource *resource = arg;
    tally_up(&resource->used);
    want(ambit_spawn(ambit_cx_region(cx), works_below, &resource) == 0);
    int rc = ambit_yield(cx);
    if (rc == 0 && resource->breaks) {
        ambit_panic(cx, "in use");
    }
    return rc < 0 ? rc : 6;
}

static int releases(ambit_cx *cx, void *arg)
{
    struct resource *resource = arg;
    always(tally_get(&resource->live) == 0);
    always(tally_up(&resource->released) == 0);
    always(ambit_yield(cx) == 0);
    always(ambit_sleep(cx, ambit_us(10)) == 0);
    return 0;
}

static const struct ambit_bracket bracket_calls = {acquires, uses, releases};

static int bracket(ambit_cx *cx, void *arg)
{
    struct resource resource = {0};
    (void)arg;
    int rc = ambit_bracket(cx, &bracket_calls, &resource);
    always(tally_get(&resource.acquired) == tally_get(&resource.released));
    want(rc == 6 && tally_get(&resource.released) == 1);
    return disturbed && rc < 0 ? rc : 0;
}

static int breaks_bracket(ambit_cx *cx, void *arg)
{
    return ambit_bracket(cx, &bracket_calls, *(struct resource **)arg);
}

static int bracket_panics(ambit_cx *cx, void *arg)
{
    struct resource resource = {.breaks = true}, *here = &resource;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, breaks_bracket, &here);
    }
    always(tally_get(&resource.acquired) == tally_get(&resource.released));
    always(tally_get(&resource.live) == 0);
    want(rc == -EOWNERDEAD && tally_get(&resource.released) == 1);
    return disturbed ? rc : 0;
}

SCENARIOS(call, {"hedge_at_once", hedge_at_once, 1, SMALL | TIMED},
          {"timeout_tick", timeout_tick, 1, SMALL | TIMED},
          {"timeout_late", timeout_late, 1, SMALL | TIMED},
          {"retry", retry, 1, SMALL}, {"bracket", bracket, 2, CORE},
          {"bracket_panics", bracket_panics, 2, 0});
