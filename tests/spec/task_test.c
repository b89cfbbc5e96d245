/* SPDX-License-Identifier: MIT */
/*
 * task_test.c -- spawn, join, park: the rules of spec/task.md.
 *
 * Panics, yields and the blocking tier have files of their own.
 */
#include "tests/spec/common.h"

/* --- TASK-SPAWN-1 --------------------------------------------------------- */

struct load {
    struct count *intact;
    uint32_t size;
    bool named;
    unsigned char bytes[ARRAY_LEN((char[4096 - 13]){0})];
};

static int check_load(ambit_cx *cx, void *arg)
{
    struct load *load = arg;
    bool good = (uintptr_t)arg % 16 == 0 &&
                strcmp(ambit_cx_name(cx), load->named ? "load" : "task") == 0;
    for (uint32_t i = 0; i < load->size; i++) {
        good = good && load->bytes[i] == (unsigned char)(i * 7 + load->size);
    }
    if (good) {
        count_up(load->intact);
    }
    return 0;
}

static int check_none(ambit_cx *cx, void *arg)
{
    (void)cx;
    return arg == NULL ? 0 : -EINVAL;
}

static const struct ambit_spawn_options with_a_name = {.name = "load"};

static void spawn_load(ambit_region *all, struct count *intact, size_t size,
                       bool named)
{
    struct load load = {.intact = intact, .named = named};
    load.size = (uint32_t)(size - offsetof(struct load, bytes));
    for (uint32_t k = 0; k < load.size; k++) {
        load.bytes[k] = (unsigned char)(k * 7 + load.size);
    }
    const void *options = named ? &with_a_name : NULL;
    WANT_EQ(ambit_spawn_(all, check_load, &load, size, options), 0);
    memset(&load, 0xAA, sizeof load);
}

static int spawn_all_sizes(ambit_cx *cx, void *arg)
{
    (void)arg;
    /* What lies behind a record ends at 64 or 192 bytes; a name takes 16. */
    static const size_t sizes[] = {16,  47,  48,  49,  63,   64,   65,
                                   175, 176, 177, 192, 1000, 4095, 4096};
    struct count intact = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            spawn_load(all, &intact, sizes[i], false);
            spawn_load(all, &intact, sizes[i], true);
        }
        WANT_EQ(ambit_spawn_(all, check_none, NULL, 1, NULL), 0);
        WANT_EQ(ambit_spawn_(all, check_none, NULL, 1, &with_a_name), 0);
        WANT_EQ(ambit_spawn_(all, check_none, "", 0, NULL), 0);
        WANT_EQ(ambit_spawn_(all, check_none, "", 4097, NULL), -E2BIG);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&intact), 2 * ARRAY_LEN(sizes));
    return 0;
}

/* Goal: a task sees the argument as it was when it was spawned.
 * Method: all sizes, with a name and without; the original is overwritten. */
Spec(TASK_SPAWN_1, each_task_gets_its_own_copy)
{
    spec_on_1_and_2_workers(spawn_all_sizes);
    spec_end("TASK_SPAWN_1");
}

/* --- TASK-SPAWN-2 --------------------------------------------------------- */

static struct count ran, disposed;

static int count_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    count_up(&ran);
    return 0;
}

static void count_dispose(void *arg)
{
    (void)arg;
    count_up(&disposed);
}

static int try_spawn(ambit_region *region, enum ambit_tier tier)
{
    int value = 1;
    return ambit_spawn_with(region, count_run, &value, .tier = tier,
                            .dispose = count_dispose);
}

struct from_outside {
    ambit_region *region;
    struct count *tried;
};

static int spawn_fiber_from_pool(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct from_outside *o = arg;
    WANT_EQ(try_spawn(o->region, AMBIT_FIBER), -EPERM);
    count_up(o->tried);
    return 0;
}

static int refuse_spawns(ambit_cx *cx, void *arg)
{
    (void)arg;
    count_set(&ran, 0);
    count_set(&disposed, 0);
    struct count started = {0}, stopped = {0}, tried = {0};
    int rc = 0;
    ambit_scope (cx, full, &rc, .tasks_max = 2) {
        WANT_EQ(ambit_spawn_with(full, spawn_fiber_from_pool,
                                 &((struct from_outside){full, &tried}),
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(until(cx, &tried, 1));
        while (ambit_region_tasks(full) > 0 && ambit_yield(cx) == 0) {
        }
        struct waiter w = {&started, &stopped};
        WANT_EQ(ambit_spawn(full, wait_for_ever, &w), 0);
        WANT_EQ(ambit_spawn(full, wait_for_ever, &w), 0);
        WANT_EQ(try_spawn(full, AMBIT_SEND), -EDQUOT);
        WANT_EQ(try_spawn(full, AMBIT_FIBER), -EDQUOT);
        WANT_EQ(try_spawn(full, AMBIT_BLOCKING), -EDQUOT);
        WANT_EQ(ambit_region_tasks(full), 2);
        ambit_cancel(full, "enough");
        WANT_EQ(try_spawn(full, AMBIT_SEND), -ESHUTDOWN);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ran), 0);
    WANT_EQ(count_get(&disposed), 0);
    return 0;
}

/* Goal: a refusal leaves no trace, whatever its cause.
 * Method: a full region, a cancelled one, FIBER from the pool; census. */
Spec(TASK_SPAWN_2, a_refused_spawn_changes_nothing)
{
    spec_on_1_and_2_workers(refuse_spawns);
    spec_end("TASK_SPAWN_2");
}

/* --- TASK-SPAWN-3 --------------------------------------------------------- */

static int count_own_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int spawn_many(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { MANY = 100000 / SPEC_SLOWER };
    static struct count runs[MANY];
    memset(runs, 0, sizeof runs);
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < MANY; i++) {
            struct count *own = &runs[i];
            WANT_EQ(ambit_spawn_with(all, count_own_run, &own,
                                     .tier = i % 7 ? AMBIT_SEND : AMBIT_FIBER),
                    0);
        }
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < MANY; i++) {
        WANT_EQ(count_get(&runs[i]), 1);
    }
    return 0;
}

/* Goal: no task is lost and none runs twice.
 * Method: 100,000 of them, SEND and FIBER, each with a count of its own. */
Spec(TASK_SPAWN_3, each_task_runs_once)
{
    spec_on_1_and_2_workers(spawn_many);
    spec_end("TASK_SPAWN_3");
}

static int cancel_before_first_run(ambit_cx *cx, void *arg)
{
    const bool alone = arg != NULL;
    for (int tier = AMBIT_SEND; tier <= AMBIT_BLOCKING; tier++) {
        count_set(&ran, 0);
        count_set(&disposed, 0);
        int rc = 0;
        ambit_scope (cx, doomed, &rc) {
            for (int i = 0; i < 100; i++) {
                WANT_EQ(try_spawn(doomed, (enum ambit_tier)tier), 0);
            }
            ambit_cancel(doomed, "before the first run");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&ran) + count_get(&disposed), 100);
        if (alone && tier != AMBIT_BLOCKING) {
            WANT_EQ(count_get(&ran), 0);
        }
    }
    return 0;
}

/* Goal: a task that is cancelled before it ran never runs; its argument is
 * disposed of once.  Method: all tiers; exact with one worker, a sum with two.
 */
Spec(TASK_SPAWN_3, a_task_cancelled_before_its_first_run_is_disposed)
{
    WANT_EQ(spec_run(cancel_before_first_run, "alone", .workers = 1), 0);
    WANT_EQ(spec_run(cancel_before_first_run, NULL, .workers = 2), 0);
    spec_end("TASK_SPAWN_3");
}

/* --- TASK-SPAWN-4 --------------------------------------------------------- */

struct pinned {
    unsigned worker;
    int *parents_sum; /* plain: only one worker ever touches it */
};

static int stay_at_home(ambit_cx *cx, void *arg)
{
    struct pinned *p = arg;
    for (int i = 0; i < 20; i++) {
        WANT_EQ(ambit_cx_worker(cx), p->worker);
        (*p->parents_sum)++;
        WANT_EQ(i % 5 == 0 ? ambit_sleep(cx, ambit_us(50)) : ambit_yield(cx),
                0);
    }
    return 0;
}

static int count_start(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int spawn_fibers(ambit_cx *cx, void *arg)
{
    const bool has_thief = arg != NULL;
    int sum = 0;
    struct count tried = {0}, stolen = {0}, *pstolen = &stolen;
    int rc = 0;
    ambit_scope (cx, home, &rc) {
        struct pinned p = {ambit_cx_worker(cx), &sum};
        for (int i = 0; i < 64; i++) {
            WANT_EQ(ambit_spawn_with(home, stay_at_home, &p,
                                     .tier = AMBIT_FIBER), 0);
        }
        if (has_thief) { /* takes the oldest first */
            spawn_elsewhere(home, count_start, &pstolen, &stolen);
        }
        WANT_EQ(ambit_spawn_with(home, spawn_fiber_from_pool,
                                 &((struct from_outside){home, &tried}),
                                 .tier = AMBIT_BLOCKING), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(sum, 64 * 20);
    WANT_EQ(count_get(&tried), 1);
    return 0;
}

/* Goal: a FIBER task never leaves the worker of its spawner.
 * Method: 64 of them add to one plain int of the parent, also while the other
 * worker takes over what it may; TSan agrees. */
Spec(TASK_SPAWN_4, a_fiber_stays_with_its_spawner)
{
    spec_on_1_and_2_workers(spawn_fibers);
    WANT_EQ(spec_run(spawn_fibers, "a thief", .workers = 2), 0);
    spec_end("TASK_SPAWN_4");
}

/* --- TASK-PARK-1 ---------------------------------------------------------- */

struct late_cancel {
    ambit_region *region;
    struct count *started;
    int turns;
};

static int cancel_soon(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct late_cancel *l = arg;
    count_up(l->started);
    for (int i = 0; i < l->turns; i++) {
        cpu_relax();
    }
    ambit_cancel(l->region, "a race");
    return 0;
}

static int sleep_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { ROUNDS = 4000 / SPEC_SLOWER };
    int slept = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct count started = {0};
        int rc = 0;
        ambit_scope (cx, racing, &rc) {
            struct late_cancel l = {racing, &started, round * 37 % 2000};
            spawn_elsewhere(racing, cancel_soon, &l, &started);
            int sleep_rc = ambit_sleep(cx, ambit_us(round % 20));
            WANT(sleep_rc == 0 || sleep_rc == -ECANCELED);
            slept += sleep_rc == 0;
        }
        WANT_EQ(rc, 0);
        ambit_time before = ambit_now();
        WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
        WANT(ambit_now().ns - before.ns >= 20000);
    }
    WANT(slept <= ROUNDS);
    return 0;
}

/* The deadline passes a nanosecond after the sleep: its cancel finds a task
 * that has been woken and not yet run. */
static int sleep_against_deadline(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        ambit_time end = ambit_after(ambit_us(50));
        int rc = 0;
        ambit_scope (cx, racing, &rc, .deadline = end) {
            int slept = ambit_sleep_until(cx, (ambit_time){end.ns - 1});
            WANT(slept == 0 || slept == -ECANCELED);
        }
        WANT(rc == 0 || rc == -ETIMEDOUT);
        ambit_time before = ambit_now();
        WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
        WANT(ambit_now().ns - before.ns >= 20000);
    }
    return 0;
}

/* Goal: a wait ends once, by its event or by a cancel, and nothing is left
 * over.  Method: timer against cancel from another worker, and against a
 * deadline; a second wake would cut the next sleep short. */
Spec(TASK_PARK_1, a_wait_ends_once)
{
    spec_on(2, sleep_against_cancel);
    spec_on(1, sleep_against_deadline);
    spec_end("TASK_PARK_1");
}

/* --- TASK-SELF-1 ---------------------------------------------------------- */

enum { SELVES = 20 };

struct selves {
    struct count here;        /* tasks that have said who they are */
    uint64_t who[2 * SELVES]; /* each its own place */
};

struct self {
    struct selves *selves;
    int at;
    bool begun; /* a poll task: not in its first step */
    struct ambit_await rest;
};

/* The same after each wait, and nobody else's while all are there. */
static int knows_itself(ambit_cx *cx, void *arg)
{
    struct self *self = arg;
    uint64_t me = self->selves->who[self->at] = ambit_running();
    count_up(&self->selves->here);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(ambit_running(), me);
        WANT_EQ(ambit_sleep(cx, ambit_us(10)), 0);
        WANT_EQ(ambit_running(), me);
    }
    WANT(until(cx, &self->selves->here, 2 * SELVES));
    return 0;
}

static uint64_t asks_a_machine_below(void)
{
    return ambit_running();
}

static int knows_itself_in_steps(ambit_cx *cx, void *state)
{
    struct self *self = state;
    struct selves *selves = self->selves;
    if (!self->begun) {
        self->begun = true;
        selves->who[self->at] = ambit_running();
        count_up(&selves->here);
    }
    WANT_EQ(ambit_running(), selves->who[self->at]);
    WANT_EQ(asks_a_machine_below(), selves->who[self->at]);
    int rc = ambit_await_sleep(cx, &self->rest, ambit_us(50));
    while (rc == 0 && count_get(&selves->here) < 2 * SELVES) {
        rc = ambit_await_sleep(cx, &self->rest, ambit_us(50));
    }
    return rc;
}

static int asks_on_the_pool(void *arg)
{
    *(uint64_t *)arg = ambit_running();
    return 0;
}

static int know_themselves(ambit_cx *cx, void *arg)
{
    struct selves selves = {.here = {0}};
    uint64_t me = ambit_running(), pool = 1;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_blocking(cx, asks_on_the_pool, &pool), 0);
    WANT_EQ(pool, 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < SELVES; i++) {
            struct self fiber = {.selves = &selves, .at = i};
            struct self poll = {.selves = &selves, .at = SELVES + i};
            WANT_EQ(ambit_spawn(s, knows_itself, &fiber), 0);
            WANT_EQ(ambit_spawn_poll(s, knows_itself_in_steps, &poll), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_running(), me);
    for (int i = 0; i < 2 * SELVES; i++) {
        WANT(selves.who[i] != 0 && selves.who[i] != me);
        for (int k = 0; k < i; k++) {
            WANT(selves.who[k] != selves.who[i]);
        }
    }
    return 0;
}

/* Goal: without a cx, too, a task is told from all others.
 * Method: 40 tasks at once, half of them poll tasks, before and after waits and
 * in each step; a thread of the pool, and one that runs no task. */
Spec(TASK_SELF_1, a_task_knows_itself)
{
    WANT_EQ(ambit_running(), 0);
    spec_on_1_and_2_workers(know_themselves);
    WANT_EQ(ambit_running(), 0);
    spec_end("TASK_SELF_1");
}
