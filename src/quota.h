/* SPDX-License-Identifier: MIT */
/*
 * quota.h -- limits, counted along a chain from the inside out.
 *
 *     task --owner.quota--> "request" --outer--> "clients" --outer--> NULL
 *
 * A take counts at every quota of the chain that limits the kind, or at none.
 * It begins at the innermost: the one that may be refused in vain while
 * another take is being undone is then one that shares the outer limit with
 * it, and no stranger.
 *
 * A reserve is a quota for clean-up.  Behind it the chain only counts and never
 * refuses (its `soft` is set): what clean-up uses counts further out, but
 * nobody further out can keep it from ending.
 *
 * The records are shared: by the region, by quotas further in, and by whatever
 * outlives both (an open file), so each holds a reference to the next.
 *
 *   REG-BUDGET-7  What does not fit under the limit is refused, without effect.
 */
#ifndef AMBIT_SRC_QUOTA_H
#define AMBIT_SRC_QUOTA_H

#include "src/base.h"
#include "src/spin.h"

#include <ambit/budget.h>

#define QUOTA_KINDS (AMBIT_LIMIT_FDS + 1)

struct runtime;

struct quota {
    /* once */
    struct quota *outer;         /* NULL: nothing further out limits */
    struct quota *report;        /* whose `last` a refusal is written to */
    struct runtime *runtime;
    const char *name;
    void *object;                /* whose limits, to the room above */
    /* What else a used-up quota means; NULL: the next one inward says. */
    void (*spent)(struct quota *quota);
    bool soft;
    uint32_t kinds;              /* a bit each: limited here or further out */
    uint64_t limit[QUOTA_KINDS]; /* 0: not limited here */

    /* any thread */
    _Atomic uint64_t used[QUOTA_KINDS]; /* ORDER(quota) */
    _Atomic uint32_t refs;              /* ORDER(quota-refs) */
    _Atomic uint32_t told;              /* ORDER(quota-told), a bit each */
    struct spin lock;                   /* guards last */
    struct ambit_limit_error last;
};

/* One reference is the caller's; one to outer is taken.  NULL: no memory. */
struct quota *quota_make(struct quota *outer, struct runtime *runtime,
                         const char *name);
/* Once, before others see it. */
void quota_limit(struct quota *quota, enum ambit_limit kind, uint64_t limit);
void quota_ref(struct quota *quota);
/* NULL is allowed. */
void quota_unref(struct quota *quota);

/* The tightest limit of the chain; 0: none. */
uint64_t quota_tightest(struct quota *quota, enum ambit_limit kind);
/* Used of the nearest limit; 0 where there is none. */
uint64_t quota_used(struct quota *quota, enum ambit_limit kind);

int quota_take_(struct quota *quota, enum ambit_limit kind, uint64_t n);
void quota_give_(struct quota *quota, enum ambit_limit kind, uint64_t n);

/* Notes a refusal that was decided elsewhere, by the same limit. */
void quota_refused(struct quota *quota, enum ambit_limit kind);

static inline bool quota_limits(const struct quota *quota,
                                enum ambit_limit kind)
{
    return UNLIKELY(quota != NULL) && (quota->kinds & 1u << kind) != 0;
}

/* All n, or none and -EDQUOT.  Any thread; no lock held. */
static inline int quota_take(struct quota *quota, enum ambit_limit kind,
                             uint64_t n)
{
    return quota_limits(quota, kind) ? quota_take_(quota, kind, n) : 0;
}

/* Of a ceiling: what was taken there. */
static inline void quota_give(struct quota *quota, enum ambit_limit kind,
                              uint64_t n)
{
    if (quota_limits(quota, kind)) {
        quota_give_(quota, kind, n);
    }
}

#endif
