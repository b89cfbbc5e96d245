/* SPDX-License-Identifier: MIT */
/*
 * scenarios_runtime.c -- runtimes from their options to their end: several at a
 * time, one for several runs, with little room, for a long time.
 */
#include "tests/lab/inner.h"

static int no_runtime(const struct inner *inner)
{
    want(false);
    return inner->made < 0 ? inner->made : -ECANCELED;
}

/* --- options ----------------------------------------------------------------- */

struct setting {
    struct ambit_runtime_options options;
    const char *refused; /* the option that the log has to name */
};

static int stands_there(ambit_cx *cx, void *arg)
{
    struct tally *there = *(struct tally **)arg;
    tally_up(&there[ambit_cx_worker(cx)]);
    return 0;
}

static int meets_all(ambit_cx *cx, void *arg)
{
    struct ambit_runtime_stats stats;
    int rc = 0;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < stats.workers; i++) {
            int spawned = ambit_spawn_with(s, stands_there,
                                           (struct tally **)&arg,
                                           .placement = AMBIT_PINNED,
                                           .worker = i);
            want(spawned == 0);
        }
        want(ambit_spawn_with(s, stands_there, (struct tally **)&arg,
                              .placement = AMBIT_PINNED,
                              .worker = stats.workers) == -EINVAL);
    }
    return rc;
}

static const struct setting settings[] = {
    {{.workers = 1, .ring_entries = 8}, NULL},
    {{.workers = 5, .thread_name = "eight-ch"}, NULL},
    {{.workers = 2, .stack_size = 128 << 10}, NULL},
    {{.workers = 2, .steal_backoff = {1000000000}, .stacks_max = 3}, NULL},
    {{.workers = 2, .blocking_threads_max = 1, .idle = AMBIT_IDLE_SPIN}, NULL},
    /* From here on they are refused. */
    {{.workers = 65}, ".workers "},
    {{.workers = 2, .ring_entries = 7}, ".ring_entries "},
    {{.workers = 2, .ring_entries = 32769}, ".ring_entries "},
    {{.workers = 2, .stack_size = 8 << 10}, ".stack_size "},
    {{.workers = 2, .stack_size = 96 << 10}, ".stack_size "},
    {{.workers = 2, .stack_size = 128 << 20}, ".stack_size "},
    {{.workers = 2, .blocking_threads_max = 4097}, ".blocking_threads_max "},
    {{.workers = 2, .blocking_idle = {-1}}, ".blocking_idle "},
    {{.workers = 2, .idle_sleep = {-1}}, ".idle_sleep "},
    {{.workers = 2, .steal_backoff = {1000000001}}, ".steal_backoff "},
    {{.workers = 2, .thread_name = "nine-char"}, ".thread_name "},
    {{.workers = 2, .driver = (enum ambit_driver)3}, ".driver "},
};
enum { SETTINGS = sizeof settings / sizeof *settings, SETTINGS_GOOD = 5 };

/* What is refused is so before anything is made; one of the others runs. */
static int options_at_their_bounds(ambit_cx *cx, void *arg)
{
    const struct setting *good = &settings[ambit_choose(SETTINGS_GOOD)];
    struct tally there[8] = {{0}};
    struct inner inner = {.fn = meets_all, .arg = there,
                          .options = good->options};
    (void)arg;
    for (unsigned i = SETTINGS_GOOD; i < SETTINGS; i++) {
        struct inner bad = {.fn = meets_all, .arg = there,
                            .options = settings[i].options};
        inner_here(&bad);
        want(bad.made == -EINVAL);
        always(!bad.ran);
        want(strstr(bad.line, settings[i].refused) != NULL);
    }
    if (!inner_run(cx, &inner)) {
        return no_runtime(&inner);
    }
    want(inner.rc == 0 && inner.stats.driver != NULL);
    for (unsigned i = 0; i < 8; i++) {
        always(tally_get(&there[i]) <= (i < good->options.workers));
        want(tally_get(&there[i]) == (i < good->options.workers));
    }
    return inner.rc;
}

/* --- two of them ------------------------------------------------------------- */

enum fate {
    IS_CALM,
    DOES_FAIL,
    DOES_STOP,
    DOES_PANIC,
    FATES,
};

enum { HANDS = 3 };

struct twin {
    struct inner inner;
    ambit_runtime *runtime;
    enum fate fate;
    struct tally hands, spawned;
};

/* Here, whoever else is in the process. */
static int works(ambit_cx *cx, void *arg)
{
    struct twin *twin = *(struct twin **)arg;
    int rc = 0;
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        always(ambit_cx_runtime(cx) == twin->runtime);
        rc = i == 1 ? ambit_sleep(cx, ambit_us(10)) : ambit_yield(cx);
    }
    tally_up(&twin->hands);
    return rc;
}

static void never_worked(void *arg)
{
    tally_up(&(*(struct twin **)arg)->hands);
}

static int meets_fate(ambit_cx *cx, void *arg)
{
    struct twin *twin = *(struct twin **)arg;
    switch (twin->fate) {
    case DOES_STOP:
        ambit_runtime_stop(ambit_cx_runtime(cx));
        break;
    case DOES_PANIC:
        ambit_panic(cx, "as it was meant");
    default:
        break;
    }
    return twin->fate == DOES_FAIL ? -EIO : 0;
}

static int twin_main(ambit_cx *cx, void *arg)
{
    struct twin *twin = arg;
    int rc = 0;
    twin->runtime = ambit_cx_runtime(cx);
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < HANDS; i++) {
            if (ambit_spawn_with(s, works, &twin, .dispose = never_worked,
                                 .tier = i == 0 ? AMBIT_FIBER
                                                : AMBIT_SEND) == 0) {
                tally_up(&twin->spawned);
            }
        }
        int met = ambit_spawn(s, meets_fate, &twin);
        want(met == 0);
        if (twin->fate != IS_CALM && met == 0) {
            int slept = ambit_sleep(cx, ambit_s(1000)); /* until it is met */
            always(slept < 0);
        }
    }
    return rc < 0 ? rc : ambit_checkpoint(cx);
}

static int twin_body(ambit_cx *cx, void *arg)
{
    (void)cx;
    inner_here(&(*(struct twin **)arg)->inner);
    return 0;
}

static void check_twin(const struct twin *twin)
{
    static const int results[] = {0, -EIO, -ECANCELED, -EOWNERDEAD};
    const struct inner *inner = &twin->inner;
    want(inner->made == 0 && inner->rc == results[twin->fate]);
    always(twin->hands.n == twin->spawned.n);
    if (!disturbed) { /* its own tasks, and no others */
        always(inner->stats.spawned == 2 + HANDS);
        always(inner->stats.panicked == (twin->fate == DOES_PANIC));
    }
}

static int two_runtimes(ambit_cx *cx, void *arg)
{
    struct twin twins[2];
    int rc = 0;
    (void)arg;
    memset(twins, 0, sizeof twins);
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < 2; i++) {
            struct twin *twin = &twins[i];
            twin->fate = (enum fate)ambit_choose(FATES);
            twin->inner = (struct inner){.fn = twin_main, .arg = twin,
                                         .options.workers = 1 + i};
            int spawned = ambit_spawn_with(s, twin_body, &twin,
                                           .tier = AMBIT_BLOCKING);
            want(spawned == 0);
        }
        (void)ambit_yield(cx);
        want(ambit_checkpoint(cx) == 0);
    }
    check_twin(&twins[0]);
    check_twin(&twins[1]);
    want(rc == 0);
    return rc;
}

/* --- one for several runs ---------------------------------------------------- */

enum { RUNS = 3 };

struct shift {
    enum { GOOD, CHILD_FAILS, MAIN_FAILS } way;
    struct tally spawned, ended;
    int run;
    bool over[RUNS + 1]; /* all of it has ended, says the next one */
};

static void shift_left(void *arg)
{
    tally_up(&(*(struct shift **)arg)->ended);
}

static int stays_on(ambit_cx *cx, void *arg)
{
    struct shift *shift = *(struct shift **)arg;
    int rc = ambit_yield(cx);
    rc = rc < 0 ? rc : ambit_sleep(cx, ambit_us(20));
    tally_up(&shift->ended);
    return rc < 0 ? rc : shift->way == CHILD_FAILS ? -EIO : 0;
}

static int stays_blocked(ambit_cx *cx, void *arg)
{
    (void)cx;
    shift_left(arg);
    return 0;
}

/* Its children are the root's, so it may well return before them. */
static int shift_main(ambit_cx *cx, void *arg)
{
    struct shift *shift = arg;
    ambit_region *root = ambit_cx_region(cx);
    shift->over[shift->run++] =
        tally_get(&shift->ended) == tally_get(&shift->spawned);
    for (unsigned i = 0; i < 4; i++) {
        if (ambit_spawn_with(root, i == 3 ? stays_blocked : stays_on, &shift,
                             .dispose = shift_left,
                             .tier = i == 3 ? AMBIT_BLOCKING : AMBIT_SEND) ==
            0) {
            tally_up(&shift->spawned);
        }
    }
    int rc = ambit_yield(cx);
    return rc < 0 ? rc : shift->way == MAIN_FAILS ? -EBADF : 40 + shift->run;
}

static int runs_again(ambit_cx *cx, void *arg)
{
    struct shift shift = {.way = ambit_choose(3)};
    struct inner inner = {.fn = shift_main, .arg = &shift,
                          .options.workers = 2, .runs = RUNS};
    const int results[] = {40 + RUNS, -EIO, -EBADF};
    (void)arg;
    if (!inner_run(cx, &inner)) {
        return no_runtime(&inner);
    }
    always(tally_get(&shift.ended) == tally_get(&shift.spawned));
    for (int i = 0; i < shift.run; i++) {
        always(shift.over[i]);
    }
    want(shift.run == RUNS && inner.rc == results[shift.way]);
    want(inner.stats.spawned == RUNS * 5);
    return disturbed && inner.rc < 0 ? inner.rc : 0;
}

/* --- little room for what has not begun -------------------------------------- */

enum { TRIES_MAX = 12, ROUNDS = 3 };

struct room {
    struct tally began, gone, times[TRIES_MAX * ROUNDS];
    uint32_t max;
    unsigned workers, tries, accepted, refused;
    bool took[TRIES_MAX * ROUNDS];
};

struct guest {
    struct room *room;
    unsigned number;
};

static int guest_runs(ambit_cx *cx, void *arg)
{
    struct guest *guest = arg;
    tally_up(&guest->room->began);
    tally_up(&guest->room->times[guest->number]);
    return ambit_yield(cx);
}

static void guest_goes(void *arg)
{
    struct guest *guest = arg;
    tally_up(&guest->room->began);
    tally_up(&guest->room->times[guest->number]);
}

/* Until one is refused; without a suspension, so that nobody begins on this
 * worker.  Each other worker may be about to count one that began. */
static void fill_room(ambit_region *region, struct room *room)
{
    int rc = 0;
    for (unsigned i = 0; i < TRIES_MAX && rc == 0; i++) {
        unsigned number = room->tries++;
        int64_t began = tally_get(&room->began);
        rc = ambit_spawn_with(region, guest_runs,
                              (&(struct guest){room, number}),
                              .dispose = guest_goes);
        room->took[number] = rc == 0;
        room->accepted += rc == 0;
        room->refused += rc == -EAGAIN;
        always(rc == 0 || rc == -EAGAIN || disturbed);
        if (rc == -EAGAIN) {
            always(room->accepted - began >= room->max);
        }
        always(room->accepted - tally_get(&room->began) <=
               room->max + room->workers - 1);
    }
    want(rc == -EAGAIN || room->workers > 1);
}

static int room_main(ambit_cx *cx, void *arg)
{
    struct room *room = arg;
    int result = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            fill_room(s, room);
            if (i == 1) {
                ambit_cancel(s, "never mind"); /* makes room as well */
            }
        }
        result = result < 0 ? result : rc;
    }
    return result;
}

static int room_for_the_unstarted(ambit_cx *cx, void *arg)
{
    struct room room = {.max = 1 + ambit_choose(5),
                        .workers = 1 + ambit_choose(2)};
    struct inner inner = {
        .fn = room_main, .arg = &room,
        .options = {.workers = room.workers, .unstarted_max = room.max}};
    (void)arg;
    if (!inner_run(cx, &inner)) {
        return no_runtime(&inner);
    }
    for (unsigned i = 0; i < room.tries; i++) {
        always(tally_get(&room.times[i]) == room.took[i]);
    }
    always(inner.stats.spawns_refused == room.refused);
    always(inner.stats.spawned == 1 + room.accepted || disturbed);
    want(inner.rc == 0);
    return inner.rc;
}

/* --- for a long time --------------------------------------------------------- */

enum { WAVES = 12, WAVE = 6, RECORDS_MAX = 44 };

struct tide {
    uint64_t records[WAVES * (WAVE + 1)]; /* where a task lay, each once */
    struct tally len, busy;
};

/* One at a time, as they give way to nobody in between. */
static void note_record(struct tide *tide)
{
    uint64_t here = ambit_running();
    int64_t len;
    busy_until(tally_up(&tide->busy) == 0 || (tally_down(&tide->busy), false));
    len = tally_get(&tide->len);
    for (int64_t i = 0; i < len && here != 0; i++) {
        here = tide->records[i] == here ? 0 : here;
    }
    if (here != 0) {
        tide->records[tally_up(&tide->len)] = here;
    }
    tally_down(&tide->busy);
}

static int drop(ambit_cx *cx, void *arg)
{
    note_record(*(struct tide **)arg);
    return ambit_yield(cx);
}

/* Made here, ended anywhere. */
static int wave(ambit_cx *cx, void *arg)
{
    int rc = 0;
    note_record(*(struct tide **)arg);
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < WAVE; i++) {
            int spawned = ambit_spawn_with(
                s, drop, (struct tide **)arg,
                .placement = i % 2 == 0 ? AMBIT_ROUND_ROBIN : AMBIT_STEALABLE);
            want(spawned == 0);
        }
    }
    return rc;
}

/* One record for each that lives, and a few that lie ready at each worker. */
static int waves_leave_nothing(ambit_cx *cx, void *arg)
{
    struct tide tide = {0}, *here = &tide;
    int result = 0;
    (void)arg;
    for (unsigned i = 0; i < WAVES; i++) {
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            int spawned = ambit_spawn_with(s, wave, &here,
                                           .placement = AMBIT_PINNED,
                                           .worker = i % 2);
            want(spawned == 0);
        }
        result = result < 0 ? result : rc;
    }
    want(result == 0);
    always(!ambit_in_lab() || tally_get(&tide.len) <= RECORDS_MAX);
    return result;
}

SCENARIOS(runtime, {"options_at_their_bounds", options_at_their_bounds, 1, 0},
          {"two_runtimes", two_runtimes, 1, 0},
          {"runs_again", runs_again, 1, 0},
          {"room_for_the_unstarted", room_for_the_unstarted, 1, 0,
           "TASK-SPAWN-5 TASK-SPAWN-2"},
          {"waves_leave_nothing", waves_leave_nothing, 2, 0});
