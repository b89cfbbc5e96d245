/* SPDX-License-Identifier: MIT */
/*
 * main.c -- the search of each scenario, then with each order weakened.
 *
 *   PROGRAM            every scenario must hold in every run; prints
 *                        scenario name|runs|steps|seconds
 *   PROGRAM --faulty   at least one must fail: exit 0 if so
 *   PROGRAM --weaken   each place that threads reach, one order weaker: prints
 *                        order caught or missed|file|function|what|was|is
 */
#include "tests/models/search.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX 30000000

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int all_hold(const struct scenario *s, size_t count)
{
    int bad = 0;
    for (size_t i = 0; i < count; i++) {
        struct search found;
        double from = now();
        const char *why = search_scenario(&s[i], RUNS_MAX, &found);
        printf("scenario %s|%llu|%u|%.1f\n", s[i].name,
               (unsigned long long)found.runs, found.steps_max, now() - from);
        if (why != NULL) {
            printf("FAILED %s: %s\n", s[i].name, why);
            search_show(&s[i]);
            bad = 1;
        } else if (!found.complete) {
            printf("FAILED %s: the search was cut short\n", s[i].name);
            bad = 1;
        }
        fflush(stdout);
    }
    return bad;
}

static int some_fails(const struct scenario *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct search found;
        const char *why = search_scenario(&s[i], RUNS_MAX, &found);
        if (why != NULL) {
            printf("found in %s after %llu runs: %s\n", s[i].name,
                   (unsigned long long)found.runs, why);
            return 0;
        }
    }
    return 1;
}

static const char *name_of(int order)
{
    static const char *const names[] = {
        [memory_order_relaxed] = "relaxed", [memory_order_consume] = "consume",
        [memory_order_acquire] = "acquire", [memory_order_release] = "release",
        [memory_order_acq_rel] = "acq_rel", [memory_order_seq_cst] = "seq_cst",
    };
    return names[order];
}

/* The orders one step weaker; a list that ends with -1. */
static const int *weaker(enum site_kind kind, int order)
{
    static const int none[] = {-1};
    static const int relaxed[] = {memory_order_relaxed, -1};
    static const int acquire[] = {memory_order_acquire, -1};
    static const int release[] = {memory_order_release, -1};
    static const int both[] = {memory_order_acq_rel, -1};
    static const int halves[] = {memory_order_acquire, memory_order_release,
                                 -1};
    switch (order) {
    case memory_order_seq_cst:
        return kind == SITE_LOAD ? acquire
               : kind == SITE_STORE ? release
                                    : both;
    case memory_order_acq_rel:
        return halves;
    case memory_order_acquire:
    case memory_order_release:
        return relaxed;
    default:
        return none;
    }
}

static bool is_caught(const struct scenario *s, size_t count)
{
    struct search found;
    for (size_t i = 0; i < count; i++) {
        if (search_scenario(&s[i], RUNS_MAX, &found) != NULL) {
            return true;
        }
    }
    return false;
}

static void weaken(struct site *site, int *order, const char *what,
                   const struct scenario *s, size_t count)
{
    int was = *order;
    enum site_kind kind = order == &site->now_failing ? SITE_LOAD : site->kind;
    for (const int *to = weaker(kind, was); *to >= 0; to++) {
        *order = *to;
        printf("order %s|%s|%s|%s|%s%s|%s\n",
               is_caught(s, count) ? "caught" : "missed", site->file,
               site->function, site->text, what, name_of(was), name_of(*to));
        fflush(stdout);
    }
    *order = was;
}

/* A failure like others; the run is left from inside of the handler. */
static void wild_pointer(int number)
{
    (void)number;
    model_fail("a pointer leads nowhere");
}

int model_main(int argc, char **argv, const struct scenario *scenarios,
               size_t count)
{
    struct sigaction wild = {.sa_handler = wild_pointer,
                             .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &wild, NULL);
    if (argc > 1 && strcmp(argv[1], "--faulty") == 0) {
        return some_fails(scenarios, count);
    }
    int bad = all_hold(scenarios, count);
    if (bad != 0 || argc < 2) {
        return bad;
    }
    for (struct site *site = explore_sites; site != NULL; site = site->next) {
        if (site->raced) {
            weaken(site, &site->now, "", scenarios, count);
            if (site->kind == SITE_CAS) {
                weaken(site, &site->now_failing, "failing ", scenarios, count);
            }
        }
    }
    return 0;
}
