/* SPDX-License-Identifier: MIT */
/*
 * trace.c -- what happened, and its fingerprint.
 *
 * The last LINES lines are kept; the fingerprint is over all.  Nothing in a
 * line depends on an address, so the same decisions give the same fingerprint.
 */
#include "spec/lab/lab.h"

#include <stdlib.h>
#include <xxhash.h>

#define LINES 8192

struct line {
    int64_t now_ns;
    uint32_t thread;
    uint32_t kind;
    uint64_t a;
    uint64_t b;
};

struct lab_trace {
    uint64_t fingerprint;
    uint64_t lines;
    struct line line[LINES];
};

struct lab_trace *lab_trace_begin(void)
{
    struct lab_trace *trace = malloc(sizeof *trace);
    ASSERT(trace != NULL);
    trace->fingerprint = 0;
    trace->lines = 0;
    return trace;
}

void lab_trace_end(struct lab_trace *trace)
{
    free(trace);
}

void lab_trace(struct lab *lab, enum lab_trace_kind kind, uint64_t a,
               uint64_t b)
{
    struct lab_trace *trace = lab->trace;
    struct line line = {lab->now_ns,
                        lab->current != NULL ? lab->current->id : 0, kind, a, b};
    trace->line[trace->lines++ % LINES] = line;
    trace->fingerprint =
        XXH3_64bits_withSeed(&line, sizeof line, trace->fingerprint);
}

uint64_t lab_fingerprint(const struct lab *lab)
{
    return lab->trace->fingerprint;
}
