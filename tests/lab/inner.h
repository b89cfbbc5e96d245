/* SPDX-License-Identifier: MIT */
/*
 * inner.h -- a runtime inside of a scenario, with options of the scenario's own.
 *
 * It is made, run and destroyed on a thread of the scenario's blocking pool; its
 * workers are threads of the lab like all others.
 *
 *     struct inner inner = {.fn = body, .arg = &state, .options.workers = 2};
 *     if (inner_run(cx, &inner)) {
 *         always(inner.rc == ...);
 *     }
 */
#ifndef AMBIT_TESTS_LAB_INNER_H
#define AMBIT_TESTS_LAB_INNER_H

#include "tests/lab/scenario.h"

struct inner {
    ambit_task_fn *fn;
    void *arg;
    struct ambit_runtime_options options; /* .size_ is filled in, and .log */
    unsigned runs;                        /* one after the other; 0: one */
    int made;                             /* what create said */
    int rc;                               /* of the last run */
    struct ambit_runtime_stats stats;     /* after the last run */
    char line[200];                       /* what create logged first */
    bool ran;
};

/* True when it was made and ran.  False: this run of the lab was cancelled
 * first, or .made < 0. */
bool inner_run(ambit_cx *cx, struct inner *inner);
/* The same, on the caller's thread. */
void inner_here(struct inner *inner);

/* Others run, or may run (spec/lab/os.h). */
void lab_relax(void);
void lab_point_slow(void);

/* Waits without giving up the worker.  Where something was injected, what it
 * waits for may never come: then for some time only. */
#define busy_until(cond) \
    do { \
        for (unsigned i_ = 0; !(cond) && !(disturbed && i_ > 60); i_++) { \
            disturbed ? lab_point_slow() : lab_relax(); \
        } \
    } while (0)

#endif
