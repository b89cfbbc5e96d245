/* SPDX-License-Identifier: MIT */
/*
 * run.c -- one run in the lab, and the child process it happens in.
 */
#include "spec/explore/explore.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILED_STATUS 77

static uint64_t observed;
static char last_line[512]; /* what the runtime logged last */

uint64_t ambit_observed(void)
{
    uint64_t value = observed;
    observed = 0;
    return value;
}

void ambit_observe(int64_t value)
{
    observed = (observed ^ (uint64_t)value) * 0x9fb21c651e98df25u + 1;
    observed ^= observed >> 29;
}

bool ambit_in_lab(void)
{
    return lab_self != NULL;
}

void ambit_expect_failed_(const char *file, int line, const char *what)
{
    if (lab_self != NULL) {
        lab_fail("%s:%d: expected %s", file, line, what);
    }
    fprintf(stderr, "%s:%d: expected %s\n", file, line, what);
    abort();
}

unsigned ambit_choose(unsigned n)
{
    return lab_self == NULL || n < 2
               ? 0
               : lab_choose(lab_self, LAB_USER, n, NULL);
}

void ambit_raise(int signo)
{
    if (lab_self != NULL) {
        lab_raise(signo);
    } else {
        kill(getpid(), signo);
    }
}

/* --- one run --------------------------------------------------------------- */

static void log_kept(void *user, enum ambit_log_level level, const char *line)
{
    (void)user;
    (void)level;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void run_failed(void *user, const char *text)
{
    struct exploration *e = user;
    lab_story(lab_self, e->shared->story, sizeof e->shared->story);
    snprintf(e->shared->text, sizeof e->shared->text, "%s%s%s%s", text,
             last_line[0] != '\0' ? " (logged last: " : "", last_line,
             last_line[0] != '\0' ? ")" : "");
    e->shared->failed = true;
    if (getenv("AMBIT_LAB_NOFORK") != NULL) {
        fprintf(stderr, "lab: %s\n%s", e->shared->text, e->shared->story);
        abort(); /* where a debugger stops, on the stack that failed */
    }
    fflush(NULL);
    _exit(FAILED_STATUS);
}

static void check_ledger(ambit_runtime *runtime)
{
    struct ambit_runtime_stats s;
    ambit_runtime_stats(runtime, &s);
    if (s.spawned != s.completed + s.cancelled + s.panicked) {
        lab_fail("spawned %llu tasks, but %llu completed, %llu were cancelled "
                 "and %llu panicked",
                 (unsigned long long)s.spawned,
                 (unsigned long long)s.completed,
                 (unsigned long long)s.cancelled,
                 (unsigned long long)s.panicked);
    }
    if (s.ops_submitted != s.ops_completed || s.stacks_lent != 0) {
        lab_fail("%llu operations were submitted, %llu completed; %u stacks "
                 "are still lent",
                 (unsigned long long)s.ops_submitted,
                 (unsigned long long)s.ops_completed, s.stacks_lent);
    }
}

static void run_program(struct exploration *e)
{
    ambit_runtime *runtime;
    /* An exhaustive search takes every run for the same program. */
    bool one_program = e->options.search == AMBIT_SEARCH_EXHAUSTIVE;
    const struct ambit_runtime_options options = {
        .size_ = sizeof options,
        .seed = one_program ? 1 : e->shared->seed + 1,
        .workers = e->options.workers,
        .ring_entries = e->kernel.ring_entries,
        .log = log_kept,
    };
    int rc = ambit_runtime_create(&runtime, &options);
    if (rc == 0) {
        rc = ambit_runtime_run(runtime, e->fn, e->arg);
        check_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    ambit_observe(rc);
    bool allowed = e->shared->alloc_at != 0 || e->kernel.may_fail;
    if (rc < 0 && !allowed) {
        lab_fail("the program returned %d: %s", rc, ambit_strerror(rc));
    }
}

static void keep_figures(struct exploration *e, const struct lab *lab)
{
    struct shared *shared = e->shared;
    shared->runs++;
    RULE(LAB_SEED_1);
    shared->of_all =
        (shared->of_all ^ lab_fingerprint(lab)) * 0x9e3779b97f4a7c15u;
    shared->points += lab->points;
    shared->choices += lab->choices;
    if (lab->choices > shared->longest) {
        shared->longest = lab->choices;
    }
    if (lab->memory.asked > shared->allocations) {
        shared->allocations = lab->memory.asked;
    }
    if (lab->thread_count > shared->threads) {
        shared->threads = lab->thread_count;
    }
    shared->suspensions = lab->suspensions;
    shared->ops_meant = lab->ops_meant;
    shared->errors_meant = lab->errors_meant;
    shared->code_meant = lab->code_meant;
    shared->hit = lab->hit;
    shared->fingerprint = lab_fingerprint(lab);
    set_add(&shared->schedules, shared->fingerprint);
}

void run_once(struct exploration *e, uint64_t seed, struct lab_picker *picker)
{
    const struct ambit_explore_options *o = &e->options;
    struct recorder recorder;
    struct lab lab;
    recorder_init(&recorder, picker, &e->shared->decisions);
    struct lab_options options = {
        .picker = &recorder.picker,
        .points_max = o->points_max != 0 ? o->points_max : 2000000,
        .fail_alloc_at = e->shared->alloc_at,
        .fail_alloc_on = e->shared->alloc_on,
        .fault_every = (o->faults & AMBIT_FAULT_OPERATIONS) != 0,
        .plain_kernel = o->plain_kernel,
        .inject = e->shared->inject,
        .enter_faults = e->kernel.enter_faults,
        .cq_entries = e->kernel.cq_entries,
        .refuse_ring_flags = e->kernel.refuse_ring_flags,
        .ring_error = e->kernel.ring_error,
        .failed = run_failed,
        .failed_user = e,
        .invariant = o->invariant,
        .invariant_user = o->invariant_user,
    };
    e->shared->seed = seed;
    e->shared->running = true;
    last_line[0] = '\0';
    ambit_observed();
    lab_begin(&lab, &options);
    run_program(e);
    keep_figures(e, &lab);
    lab_end(&lab);
    set_add(&e->shared->outcomes, ambit_observed());
    e->shared->running = false;
}

void set_add(struct set *set, uint64_t value)
{
    value += value == 0;
    size_t i = (size_t)(value * 0x9e3779b97f4a7c15u >> 32) % (SET_MAX * 2);
    while (set->slot[i] != 0 && set->slot[i] != value) {
        i = (i + 1) % (SET_MAX * 2);
    }
    if (set->slot[i] == 0 && set->len < SET_MAX) {
        set->slot[i] = value;
        set->len++;
    }
}

/* --- the child ------------------------------------------------------------- */

static void say_signal(struct exploration *e, int status)
{
    snprintf(e->shared->text, sizeof e->shared->text,
             "the process ended with signal %d (%s)", WTERMSIG(status),
             strsignal(WTERMSIG(status)));
    e->shared->failed = true;
}

int run_in_child(struct exploration *e, void (*body)(struct exploration *))
{
    int status;
    if (getenv("AMBIT_LAB_NOFORK") != NULL) {
        body(e);
        return 0;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        return -errno;
    }
    if (child == 0) {
        body(e);
        fflush(NULL);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    if (WIFSIGNALED(status)) {
        say_signal(e, status);
    } else if (WEXITSTATUS(status) != 0 && !e->shared->failed) {
        snprintf(e->shared->text, sizeof e->shared->text,
                 "the process ended with status %d", WEXITSTATUS(status));
        e->shared->failed = true;
    }
    return 0;
}
