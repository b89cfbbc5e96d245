/* SPDX-License-Identifier: MIT */
/*
 * conduct.h -- what all campaigns share: a child process, and figures.
 *
 * The figures of the child lie in memory that is shared with it.  The first
 * failure ends a campaign.
 */
#ifndef AMBIT_TESTS_LAB_CONDUCT_H
#define AMBIT_TESTS_LAB_CONDUCT_H

#include "tests/lab/campaign.h"

#include "spec/explore/explore.h"
#include "spec/lab/kernel.h"

struct campaign {
    struct exploration e;
    const struct scenario *s;
    uint64_t size;
    uint64_t after;         /* this seed */
    struct figures *ret;
    struct op_table *table;
    struct set *keep;       /* NULL, or where the outcomes are added */
};

#define CAMPAIGN(...) \
    struct campaign c = {.s = s, .size = size, .ret = ret, .table = table, \
                         __VA_ARGS__}

static inline struct campaign *campaign_of(struct exploration *e)
{
    return CONTAINER_OF(e, struct campaign, e);
}

/* Runs the body in a child, and keeps what came of it in c->ret. */
void conduct(struct campaign *c, void (*body)(struct exploration *));
/* A body: as many random walks as c->size says. */
void seeds_body(struct exploration *e);
/* One run.  Schedule 0 never preempts; the others are random walks. */
void run_base(struct exploration *e, uint64_t base);
/* How many schedules one thing is injected into. */
uint64_t bases(const struct campaign *c);
double now_s(void);
/* One of campaign_kinds, in a file of its own. */
void run_rules(const struct scenario *s, uint64_t size, struct figures *ret,
               struct op_table *table);

#endif
