/* SPDX-License-Identifier: MIT */
/*
 * obligation.h -- the record of what a region has to see resolved.
 *
 *   IDLE --ledger_add()--> OPEN --obligation_resolve()--> RESOLVING --> IDLE
 *                          |  ^
 *                          |  +-- MOVING: obligation_move() has it
 *                          +--- ledger_settle() --> IDLE, then abort
 *
 * The move out of OPEN decides who resolves.  Whoever has won may use the
 * region the record is in: each record counts in region.owed, and giving that
 * up is the last use of the region.
 */
#ifndef AMBIT_REGIONS_OBLIGATION_H
#define AMBIT_REGIONS_OBLIGATION_H

#include "regions/region.h"

#include <ambit/obligation.h>

/* What a close does about an obligation that is left. */
struct due {
    void (*abort)(void *arg);   /* may be NULL */
    void *arg;
    const struct ambit_site *site;
    const char *what;           /* for the report; static memory */
};

struct obligation {
    _Atomic uint32_t state;     /* any thread: ORDER(obligation) */
    struct list_node entry;     /* region.obligations; the region's lock */
    struct region *region;      /* these two: who made the last move */
    struct due due;
};

/* 0; -EBUSY when the record is not idle.  The caller is sure that the region is
 * not past its finalizers: what those leave is settled after them. */
int ledger_add(struct region *region, struct obligation *obligation,
               struct due due);
/* 0: ours, and off the record; -EALREADY.  Any thread. */
int obligation_resolve(struct obligation *obligation);
/* 0, -EALREADY, -ESHUTDOWN.  Any thread that is sure `to` is open. */
int obligation_move(struct obligation *obligation, struct region *to);

#endif
