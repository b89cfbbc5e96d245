/* SPDX-License-Identifier: MIT */
/*
 * scenarios_cancel.c -- who cancels, whom, from where, and against what.
 */
#include "tests/lab/scenario.h"

#include <signal.h>

struct race {
    ambit_region *region;
    struct tally live, spawned, refused, ran, disposed;
};

static int waits(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    tally_up(&race->live);
    int rc = ambit_sleep_until(cx, ambit_never());
    tally_down(&race->live);
    always(rc < 0);
    return rc;
}

static int cancels(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    int rc = ambit_yield(cx);
    ambit_cancel(race->region, "by a child");
    always(ambit_checkpoint(cx) == -ECANCELED);
    return rc;
}

static int many_cancellers(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0, sent = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        race.region = s;
        ambit_spawn(s, waits, &here);
        for (int i = 0; i < 3; i++) {
            sent += ambit_spawn(s, cancels, &here) == 0;
        }
        if (sent == 0) {
            break;
        }
        always(is_called_off(ambit_sleep_until(cx, ambit_never())));
    }
    always(tally_get(&race.live) == 0);
    want(rc == 0);
    return rc;
}

static int cancels_from_below(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    int rc = 0;
    ambit_scope (cx, inside, &rc) {
        ambit_spawn(inside, waits, &race);
        if (ambit_spawn(inside, cancels, &race) < 0) {
            ambit_cancel(race->region, "by hand");
        }
    }
    want(rc == -ECANCELED);
    ambit_cancel(race->region, "at the latest");
    return rc;
}

static int cancel_from_grandchild(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        race.region = s;
        if (ambit_spawn(s, cancels_from_below, &here) < 0) {
            break;
        }
        ambit_spawn(s, waits, &here);
    }
    always(tally_get(&race.live) == 0);
    want(rc == 0);
    return rc;
}

static void cancel_outside(void *arg)
{
    struct race *race = arg;
    ambit_cancel(race->region, "by a finalizer");
}

static int cancel_from_finalizer(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        int deferred = -1;
        race.region = s;
        ambit_spawn(s, waits, &here);
        ambit_scope (cx, inner, &inner_rc) {
            deferred = ambit_defer(inner, cancel_outside, &race);
        }
        want(deferred == 0 && ambit_checkpoint(cx) == -ECANCELED);
        if (deferred < 0) {
            break;
        }
    }
    always(tally_get(&race.live) == 0);
    return rc;
}

/* --- spawn against the end ------------------------------------------------- */

static void put_away(void *arg)
{
    tally_up(&(*(struct race **)arg)->disposed);
}

static int counts(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    (void)cx;
    tally_up(&race->ran);
    return 0;
}

static void spawn_one(struct race *race, ambit_region *region)
{
    int rc = ambit_spawn_with(region, counts, &race, .dispose = put_away);
    want(rc == 0 || rc == -ESHUTDOWN);
    tally_up(rc == 0 ? &race->spawned : &race->refused);
}

static int spawns(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    for (int i = 0; i < 3; i++) {
        spawn_one(race, race->region);
        if (ambit_yield(cx) < 0) {
            break;
        }
    }
    return 0;
}

static void balance(struct race *race)
{
    always(tally_get(&race->spawned) ==
           tally_get(&race->ran) + tally_get(&race->disposed));
    ambit_observe(tally_get(&race->ran));
    ambit_observe(tally_get(&race->disposed));
    ambit_observe(tally_get(&race->refused));
}

static int spawn_against_close(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        race.region = s;
        ambit_spawn(s, spawns, &here);
        ambit_spawn(s, spawns, &here);
    }
    balance(&race);
    want(tally_get(&race.ran) == 6);
    return rc;
}

static int spawn_against_cancel(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        race.region = s;
        ambit_spawn(s, spawns, &here);
        ambit_spawn(s, cancels, &here);
        ambit_spawn(s, spawns, &here);
    }
    balance(&race);
    want(rc == 0);
    return rc;
}

/* Scopes are opened where the one around is being cancelled. */
static int opens(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        ambit_scope (cx, inner, &rc) {
            spawn_one(race, inner);
        }
    }
    want(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int open_against_cancel(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        race.region = s;
        ambit_spawn(s, opens, &here);
        ambit_spawn(s, cancels, &here);
    }
    balance(&race);
    return rc;
}

/* --- from outside ---------------------------------------------------------- */

static int raises(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    (void)arg;
    ambit_raise(SIGUSR1);
    return rc;
}

static int until_signal(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .until_signal = SIGUSR1) {
        int raised = ambit_spawn_(s, raises, NULL, 0, NULL);
        ambit_spawn(s, waits, &here);
        if (raised < 0) {
            break;
        }
        always(is_called_off(ambit_sleep_until(cx, ambit_never())));
        want(ambit_cancel_reason(s).kind == AMBIT_CANCEL_SIGNAL);
    }
    always(tally_get(&race.live) == 0);
    want(rc == 0);
    return rc;
}

static int stops(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    (void)arg;
    ambit_runtime_stop(ambit_cx_runtime(cx));
    return rc;
}

static int runtime_stop(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, waits, &here);
        if (ambit_spawn_(s, stops, NULL, 0, NULL) < 0) {
            break;
        }
    }
    always(tally_get(&race.live) == 0);
    want(rc == -ECANCELED);
    want(ambit_yield(cx) == -ECANCELED);
    return disturbed ? rc : 0;
}

/* A deadline, a cancel and a failure at about the same time. */
static int fails_then(ambit_cx *cx, void *arg)
{
    int rc = ambit_sleep(cx, ambit_us(100));
    (void)arg;
    return rc < 0 ? rc : -EIO;
}

static int cancels_then(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    (void)ambit_sleep(cx, ambit_us(100));
    ambit_cancel(race->region, "in time");
    return 0;
}

static int three_reasons(ambit_cx *cx, void *arg)
{
    struct race race = {0}, *here = &race;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .deadline = ambit_after(ambit_us(100))) {
        race.region = s;
        ambit_spawn(s, fails_then, &here);
        ambit_spawn(s, cancels_then, &here);
        ambit_spawn(s, waits, &here);
    }
    always(tally_get(&race.live) == 0);
    want(rc == 0 || rc == -EIO || rc == -ETIMEDOUT);
    ambit_observe(rc);
    return disturbed ? rc : 0;
}

SCENARIOS(cancel, {"many_cancellers", many_cancellers, 3, CORE},
          {"cancel_from_grandchild", cancel_from_grandchild, 2, 0},
          {"cancel_from_finalizer", cancel_from_finalizer, 2, 0},
          {"spawn_against_close", spawn_against_close, 2, 0},
          {"spawn_against_cancel", spawn_against_cancel, 2, CORE},
          {"open_against_cancel", open_against_cancel, 2, SMALL},
          {"until_signal", until_signal, 2, 0},
          {"runtime_stop", runtime_stop, 2, STOPS},
          {"three_reasons", three_reasons, 2, TIMED, "TASK-PARK-1"});
