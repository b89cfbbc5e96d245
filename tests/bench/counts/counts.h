/* SPDX-License-Identifier: MIT */
/*
 * counts.h -- how many instructions a hot path takes.
 *
 * Time depends on what else the machine does; a count of instructions does not.
 * A path is a function that does `n` operations between counts_begin() and
 * counts_end().  It runs with N and with 2 N, and what the second run takes more
 * than the first, divided by N, is the path's figure: what is done once in a
 * run cancels out.  run.sh runs the program under callgrind, does the sum and
 * compares it with the file of counts.
 *
 * One worker, which is the thread that runs it all, so that nothing depends on
 * when another thread comes.
 */
#ifndef AMBIT_TESTS_BENCH_COUNTS_H
#define AMBIT_TESTS_BENCH_COUNTS_H

#include <ambit.h>

struct counts_path {
    const char *name;
    unsigned n; /* a whole number of lots */
    int (*run)(ambit_cx *cx, unsigned n);
};

/* What lies between the two is counted. */
void counts_begin(void);
void counts_end(void);

/* A row each, up to one without a name. */
extern const struct counts_path counts_tasks[];
extern const struct counts_path counts_sync[];
extern const struct counts_path counts_actors[];

#endif
