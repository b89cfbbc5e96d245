/* SPDX-License-Identifier: MIT */
/*
 * scenarios_rest.c -- workers that have nothing to do, and a run that has done all
 * it was to do: it drains, until a deadline or a stop.
 */
#include "tests/lab/inner.h"

static int no_runtime(const struct inner *inner)
{
    want(false);
    return inner->made < 0 ? inner->made : -ECANCELED;
}

/* --- nothing to do ------------------------------------------------------ */

enum { RESTS = 5, IDLERS = 3 };

static int rests(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (int i = 0; i < RESTS && rc == 0; i++) {
        rc = ambit_sleep(cx, ambit_ms(1));
    }
    return rc;
}

/* A sleep begins after another one only if a timer or a wake has ended that, or a
 * kernel that is short of something; and there is little to wake for: the first
 * task, and the end of the run. */
static int idle_ones_sleep(ambit_cx *cx, void *arg)
{
    unsigned workers = 1 + ambit_choose(IDLERS);
    struct inner inner = {.fn = rests, .options.workers = workers};
    (void)arg;
    if (!inner_run(cx, &inner)) {
        return no_runtime(&inner);
    }
    want(inner.rc == 0);
    if (!disturbed && ambit_in_lab()) {
        const struct ambit_runtime_stats *stats = &inner.stats;
        always(stats->sleeps >= RESTS + (workers - 1));
        always(stats->sleeps <= 2 * (RESTS + workers + stats->wakes_sent));
        always(stats->wakes_sent <= 2 * workers);
    }
    return inner.rc;
}

/* --- a run that drains --------------------------------------------------- */

enum { GUESTS = 5, RESULT = 40 };

enum end {
    DRAINS, /* until its deadline */
    IS_CUT, /* the same, and one never ends */
    IS_STOPPED,  /* the guest that ends third says so */
    ENDS,
};

struct drain {
    enum end end;
    int64_t until_ms; /* and a half */
    ambit_time deadline;
    struct tally came, served, called_off;
    ambit_runtime *runtime;
};

struct guest {
    struct drain *drain;
    int number; /* -1: stays for ever */
};

static enum ambit_cancel_kind meant(const struct drain *drain)
{
    return drain->end == IS_STOPPED ? AMBIT_CANCEL_SHUTDOWN : AMBIT_CANCEL_DEADLINE;
}

static void leaves(ambit_cx *cx, struct drain *drain, int rc)
{
    if (rc == 0) {
        tally_up(&drain->served);
        return;
    }
    bool was_due = ambit_now().ns >= drain->deadline.ns;
    struct ambit_cancel_reason why = ambit_cancel_reason(ambit_cx_region(cx));
    always(disturbed || (rc == -ECANCELED && why.kind == meant(drain)));
    always(disturbed || drain->end == IS_STOPPED || was_due);
    tally_up(&drain->called_off);
}

static int is_served(ambit_cx *cx, void *arg)
{
    struct guest *guest = arg;
    struct drain *drain = guest->drain;
    int rc = guest->number < 0
                 ? ambit_sleep_until(cx, ambit_never())
                 : ambit_sleep(cx, ambit_ms(guest->number + 1));
    leaves(cx, drain, rc);
    if (rc == 0 && drain->end == IS_STOPPED && guest->number == 2) {
        ambit_runtime_stop(drain->runtime);
    }
    return rc;
}

static void never_served(void *arg)
{
    tally_up(&((struct guest *)arg)->drain->called_off);
}

/* Its guests are the root's, and it does not wait for them. */
static int opens_for_a_while(ambit_cx *cx, void *arg)
{
    struct drain *drain = arg;
    ambit_region *root = ambit_cx_region(cx);
    drain->runtime = ambit_cx_runtime(cx);
    for (int i = drain->end == IS_CUT ? -1 : 0; i < GUESTS; i++) {
        int spawned = ambit_spawn_with(root, is_served, (&(struct guest){drain, i}),
                                       .dispose = never_served);
        want(spawned == 0);
        if (spawned == 0) {
            tally_up(&drain->came);
        }
    }
    drain->deadline = ambit_after(ambit_us(1000 * drain->until_ms + 500));
    int set = ambit_set_deadline(root, drain->deadline);
    want(set == 0);
    return set < 0 ? set : RESULT;
}

/* Who has the time to, ends well; the rest is told why. */
static void check_drain(const struct inner *inner, struct drain *drain)
{
    bool late = drain->end == IS_CUT || drain->until_ms < GUESTS;
    int64_t served = drain->end == IS_STOPPED    ? 3
                     : drain->until_ms < GUESTS ? drain->until_ms
                                                : GUESTS;
    always(inner->rc == (drain->end == IS_STOPPED ? -ECANCELED
                         : late              ? -ETIMEDOUT
                                             : RESULT));
    always(tally_get(&drain->served) == served);
}

static int drains_in_time(ambit_cx *cx, void *arg)
{
    struct drain drain = {.end = (enum end)ambit_choose(ENDS)};
    struct inner inner = {.fn = opens_for_a_while, .arg = &drain,
                          .options.workers = 1 + ambit_choose(2)};
    (void)arg;
    drain.until_ms =
        drain.end == IS_STOPPED ? 1000000 : 1 + ambit_choose(GUESTS + 2);
    if (!inner_run(cx, &inner)) {
        return no_runtime(&inner);
    }
    always(tally_get(&drain.served) + tally_get(&drain.called_off) ==
           tally_get(&drain.came));
    if (!disturbed && ambit_in_lab()) { /* where time waits for who runs */
        check_drain(&inner, &drain);
    }
    return disturbed && inner.rc < 0 ? inner.rc : 0;
}

SCENARIOS(rest, {"idle_ones_sleep", idle_ones_sleep, 1, 0, "WRK-IDLE-1"},
          {"drains_in_time", drains_in_time, 1, 0});
