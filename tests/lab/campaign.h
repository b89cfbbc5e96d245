/* SPDX-License-Identifier: MIT */
/*
 * campaign.h -- one scenario, run many times in one way.
 *
 *   seeds     a random walk and PCT in turn, each seed another schedule
 *   order     random walks that leave the ready tasks in their order: those
 *             scenarios that have more to say then
 *   every     every schedule with at most two preemptions
 *   cancel    a cancel at each suspension, of the root and of the innermost
 *   pairs     two cancels, at each two suspensions; core scenarios only
 *   memory    each request for memory refused: once, and from there on
 *   ops       each operation with each error of its table, short, late,
 *             cancelled in time, cancelled too late
 *   faults    operations fail at random
 *   kernel    small rings, an overflowing completion queue, io_uring_enter()
 *             that fails, set-up flags refused: none of it may be seen
 *   twice     each of half the seeds twice: the same fingerprint
 *   rules     random walks until each line of the rules that it names was passed
 *   real      the real system's outcomes, in half as many runs as there are
 *             seeds, are among the lab's, in as many runs as it takes
 */
#ifndef AMBIT_TESTS_LAB_CAMPAIGN_H
#define AMBIT_TESTS_LAB_CAMPAIGN_H

#include "tests/lab/scenario.h"

#define OP_CODES 64
#define OP_ERRORS 140 /* columns: an errno, or one of the ways above it */
#define OP_COLUMNS (OP_ERRORS + 8)

/* Which operation met what, and how often. */
struct op_table {
    uint64_t n[OP_CODES][OP_COLUMNS];
};

struct figures {
    uint64_t runs;
    uint64_t places;    /* suspensions, requests, operations; 0: none meant */
    uint64_t hits;      /* runs in which what was meant happened */
    uint64_t points;    /* of the lab, where another thread could go on */
    uint64_t schedules; /* different ones */
    uint64_t outcomes;
    double seconds;
    bool skipped;       /* not for this scenario */
    bool complete;      /* every: nothing was left out */
    bool failed;
    char text[5200];    /* why, and how to see it again */
};

struct campaign_kind {
    const char *name;
    const char *places; /* what is counted in figures.places */
    /* size: how many runs, where that can be chosen. */
    void (*run)(const struct scenario *s, uint64_t size, struct figures *ret,
                struct op_table *table);
};

extern const struct campaign_kind campaign_kinds[];
extern const size_t campaign_count;

/* The one run that the environment's AMBIT_REPLAY tells of. */
void campaign_replay(const struct scenario *s, struct figures *ret);

/* The row of one campaign; or nothing, when it was skipped. */
void figures_print(const struct campaign_kind *kind, const struct scenario *s,
                   const struct figures *f);
/* The sum over scenarios, with rates. */
void figures_add(struct figures *sum, const struct figures *f);
void figures_print_sum(const struct campaign_kind *kind, unsigned scenarios,
                       const struct figures *sum);

/* Prints the table; how many cells that ought to have been met were not. */
unsigned op_table_print(const struct op_table *table);

#endif
