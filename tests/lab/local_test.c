/* SPDX-License-Identifier: MIT */
/*
 * local_test.c -- a cx in the wrong hands, on every schedule: LOCAL-CX-1.
 */
#include <ambit/spec.h>
#undef Spec

#include "tests/harness/test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEEDS = 20 };

struct theirs {
    ambit_cx *cx; /* in a struct: by itself it would not compile */
};

static int sleeps_as_another(ambit_cx *cx, void *arg)
{
    (void)cx;
    return ambit_sleep(((struct theirs *)arg)->cx, ambit_us(1));
}

static int yields_as_another(ambit_cx *cx, void *arg)
{
    (void)cx;
    return ambit_yield(((struct theirs *)arg)->cx);
}

static int steps_as_another(ambit_cx *cx, void *state)
{
    (void)cx;
    return ambit_checkpoint(((struct theirs *)state)->cx);
}

static int looks_as_another(void *arg)
{
    return ambit_checkpoint(((struct theirs *)arg)->cx);
}

static int lends_to_a_task(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        (void)ambit_spawn(s, sleeps_as_another, &theirs);
    }
    return rc;
}

static int lends_to_another_worker(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        (void)ambit_spawn_with(s, yields_as_another, &theirs,
                               .placement = AMBIT_PINNED,
                               .worker = 1 - ambit_cx_worker(cx));
    }
    return rc;
}

static int lends_to_a_step(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        (void)ambit_spawn_poll(s, steps_as_another, &theirs);
    }
    return rc;
}

static int lends_to_the_pool(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx};
    (void)arg;
    return ambit_blocking(cx, looks_as_another, &theirs);
}

/* One run; what its process says before it ends. */
static void run_said(ambit_task_fn *fn, uint64_t seed, char *ret_text, size_t room)
{
    struct ambit_exploration e;
    int kept = dup(STDERR_FILENO);
    int said = memfd_create("said", MFD_CLOEXEC);
    cr_assert(kept >= 0 && said >= 0);
    dup2(said, STDERR_FILENO);
    ambit_explore(fn, NULL, &e, .workers = 2, .seeds = 1, .first_seed = seed);
    dup2(kept, STDERR_FILENO);
    ssize_t len = pread(said, ret_text, room - 1, 0);
    ret_text[len > 0 ? len : 0] = '\0';
    close(said);
    close(kept);
    cr_assert(e.failed, "seed %d went well", (int)seed);
}

/* Goal: in the lab, too, it is found at the first call, however things fall.
 * Method: lent to a task that sleeps, to one on another worker that yields, to the
 * step of a poll task, to a thread of the pool; each under twenty seeds. */
Spec(LOCAL_CX_1, in_the_lab_a_cx_in_the_wrong_hands_says_so)
{
    static ambit_task_fn *const lends[] = {
        lends_to_a_task, lends_to_another_worker, lends_to_a_step,
        lends_to_the_pool};
    for (unsigned i = 0; i < sizeof lends / sizeof *lends; i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            char text[400];
            run_said(lends[i], seed, text, sizeof text);
            cr_assert(strstr(text, "a cx was used by another task than its own"),
                      "way %u, seed %d: %s", i, (int)seed, text);
        }
    }
}
