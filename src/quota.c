/* SPDX-License-Identifier: MIT */
/*
 * quota.c -- take all along the chain or nothing, and say who refused.
 *
 * Any thread.
 */
#include "src/quota.h"

#include "src/runtime.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const limit_names[QUOTA_KINDS] = {
    [AMBIT_LIMIT_POLLS] = "polls_max",
    [AMBIT_LIMIT_COST] = "cost_max",
    [AMBIT_LIMIT_HEAP] = "heap_max",
    [AMBIT_LIMIT_TASKS] = "tasks_max",
    [AMBIT_LIMIT_CHILDREN] = "children_max",
    [AMBIT_LIMIT_OPS] = "ops_max",
    [AMBIT_LIMIT_FDS] = "fds_max",
};

struct quota *quota_make(struct quota *outer, struct runtime *runtime,
                         const char *name)
{
    struct quota *quota = calloc(1, sizeof *quota);
    if (quota == NULL) {
        return NULL;
    }
    if (outer != NULL) {
        quota_ref(outer);
        quota->outer = outer;
        quota->kinds = outer->kinds;
    }
    quota->report = quota;
    quota->runtime = runtime;
    quota->name = name;
    atomic_init(&quota->refs, 1);
    spin_init(&quota->lock);
    return quota;
}

void quota_limit(struct quota *quota, enum ambit_limit kind, uint64_t limit)
{
    quota->limit[kind] = limit;
    quota->kinds |= limit != 0 ? 1u << kind : 0;
}

void quota_ref(struct quota *quota)
{
    /* ORDER(quota-refs): relaxed.  The caller has one already; pairs with the
     * last step in quota_unref(). */
    atomic_fetch_add_explicit(&quota->refs, 1, memory_order_relaxed);
}

void quota_unref(struct quota *quota)
{
    while (quota != NULL) {
        struct quota *outer = quota->outer;
        /* ORDER(quota-refs): acq_rel.  Pairs with itself: who frees comes after
         * everybody else's last use. */
        if (atomic_fetch_sub_explicit(&quota->refs, 1, memory_order_acq_rel) >
            1) {
            return;
        }
        free(quota);
        quota = outer;
    }
}

static uint64_t used_now(struct quota *quota, enum ambit_limit kind)
{
    /* ORDER(quota): relaxed.  A number, and nothing that it stands for; the
     * moves in add() and quota_give_() are atomic by themselves. */
    return atomic_load_explicit(&quota->used[kind], memory_order_relaxed);
}

uint64_t quota_tightest(struct quota *quota, enum ambit_limit kind)
{
    uint64_t tightest = 0;
    for (; quota != NULL; quota = quota->outer) {
        uint64_t limit = quota->limit[kind];
        if (limit != 0 && (tightest == 0 || limit < tightest)) {
            tightest = limit;
        }
    }
    return tightest;
}

uint64_t quota_used(struct quota *quota, enum ambit_limit kind)
{
    while (quota != NULL && quota->limit[kind] == 0) {
        quota = quota->outer;
    }
    return quota != NULL ? used_now(quota, kind) : 0;
}

/* A sentence for the first refusal by each limit. */
static void tell_once(struct quota *quota, const struct ambit_limit_error *why)
{
    uint32_t bit = 1u << why->kind;
    /* ORDER(quota-told): relaxed.  Who sets the bit tells; nothing else hangs
     * on it.  Pairs with itself. */
    if ((atomic_fetch_or_explicit(&quota->told, bit, memory_order_relaxed) &
         bit) != 0) {
        return;
    }
    RULE(REG_LIMIT_1);
    log_line(quota->runtime, AMBIT_LOG_INFO,
             "region \"%s\": %s %s of %" PRIu64 " refuses %" PRIu64
             " more; %" PRIu64 " in use",
             quota->name != NULL ? quota->name : "scope",
             quota->soft ? "the clean-up's" : "its",
             limit_names[why->kind], why->limit, why->asked, why->live);
}

static void refused_by(struct quota *asked, struct quota *quota,
                       enum ambit_limit kind, uint64_t n, uint64_t live)
{
    const struct ambit_limit_error why = {kind, quota->limit[kind], live, n,
                                          quota->name};
    struct quota *report = asked->report;
    if (report != NULL) {
        spin_lock(&report->lock);
        RULE(REG_LIMIT_1);
        report->last = why;
        spin_unlock(&report->lock);
    }
    tell_once(quota, &why);
}

void quota_refused(struct quota *asked, enum ambit_limit kind)
{
    if (asked == NULL) {
        return;
    }
    uint64_t limit = quota_tightest(asked, kind);
    struct quota *quota = asked;
    while (quota != NULL && quota->limit[kind] != limit) {
        quota = quota->outer;
    }
    if (quota != NULL && limit != 0) {
        refused_by(asked, quota, kind, 1, limit);
    }
}

/* False when it would be too much; with `force` it is added all the same. */
static bool add(struct quota *quota, enum ambit_limit kind, uint64_t n,
                bool force, uint64_t *ret_live)
{
    uint64_t limit = quota->limit[kind];
    uint64_t used = used_now(quota, kind);
    uint64_t next;
    bool fits;
    do {
        *ret_live = used;
        fits = used <= limit && n <= limit - used;
        if (!fits && !force) {
            RULE(REG_BUDGET_7);
            return false;
        }
        next = used + n < used ? UINT64_MAX : used + n;
        /* ORDER(quota): relaxed.  See used_now(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &quota->used[kind], &used, next, memory_order_relaxed,
        memory_order_relaxed));
    return fits;
}

static void take_back(struct quota *from, const struct quota *to,
                      enum ambit_limit kind, uint64_t n)
{
    for (; from != to; from = from->outer) {
        if (from->limit[kind] != 0) {
            /* ORDER(quota): relaxed.  See used_now(). */
            atomic_fetch_sub_explicit(&from->used[kind], n,
                                      memory_order_relaxed);
        }
    }
}

static void speak(struct quota *quota, enum ambit_limit kind)
{
    bool is_used_up = kind == AMBIT_LIMIT_POLLS || kind == AMBIT_LIMIT_COST;
    if (is_used_up && quota != NULL) {
        quota->spent(quota);
    }
}

int quota_take_(struct quota *asked, enum ambit_limit kind, uint64_t n)
{
    bool soft = false;
    struct quota *speaker = NULL; /* for a quota that says nothing itself */
    for (struct quota *at = asked; at != NULL; at = at->outer) {
        uint64_t live;
        speaker = at->spent != NULL ? at : speaker;
        bool fits = at->limit[kind] == 0 || add(at, kind, n, soft, &live);
        if (!fits && !soft) {
            take_back(asked, at, kind, n);
            refused_by(asked, at, kind, n, live);
            speak(speaker, kind);
            return -EDQUOT;
        }
        if (!fits && live <= at->limit[kind]) {
            speak(speaker, kind); /* this is what brought it above */
        }
        if (at->soft) {
            soft = true;
            speaker = NULL;
        }
    }
    return 0;
}

void quota_give_(struct quota *quota, enum ambit_limit kind, uint64_t n)
{
    take_back(quota, NULL, kind, n);
}
