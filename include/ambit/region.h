/* SPDX-License-Identifier: MIT */
/*
 * ambit/region.h -- regions: who owns what, and until when.
 *
 * A region owns tasks, child regions and finalizers.  It closes only when all
 * of them have ended; nothing it owns outlives it.  A scope is a region with
 * the braces of a block:
 *
 *     int rc = 0;
 *     ambit_scope (cx, both, &rc, .deadline = ambit_after(ambit_s(1))) {
 *         ambit_spawn(both, fetch, &(struct fetch){ "alpha" });
 *         ambit_spawn(both, fetch, &(struct fetch){ "beta" });
 *     }                              // both have ended here; rc tells how
 *
 *   Open --ambit_scope_close()--> Closing --last child ended--> Finalizing
 *        --last finalizer ran--> Closed
 *
 * Leaving the block: falling off its end (or `continue`) joins the children;
 * `break`, `return` and `goto` cancel them first, then join.  Both may
 * suspend, and neither can be interrupted: a cancel reaches the children.
 *
 * The result rc of a scope is 0 or the first failure: of a child (by policy),
 * or -ETIMEDOUT when the region's own deadline passed, or -EDQUOT when a quota
 * of its own was used up, or -ECANCELED when an outer region was cancelled, or
 * -EOWNERDEAD when a child panicked.  The region absorbs a cancel of its own
 * (ambit_cancel on it): that alone is 0.  A scope never clears an earlier
 * failure in rc.
 */
#ifndef AMBIT_REGION_H
#define AMBIT_REGION_H

#include <ambit/budget.h>
#include <ambit/capability.h>
#include <ambit/outcome.h>

AMBIT_BEGIN

enum ambit_policy {
    AMBIT_FAIL_FAST, /* the first failure of a child cancels the others */
    AMBIT_COLLECT,   /* the others go on; the first failure is the result */
    AMBIT_ISOLATE,   /* a child's failure is its own: counted and logged only */
};

struct ambit_cancel_reason {
    enum ambit_cancel_kind kind;
    bool own;            /* it started at this region, not further out */
    const char *text;    /* of the caller of ambit_cancel(); may be NULL */
    const char *region;  /* name of the region it started at; may be NULL */
    const char *task;    /* name of who asked, or failed; may be NULL */
};

struct ambit_scope_options {
    size_t size_;
    const char *name;          /* for reports; static memory */
    ambit_time deadline;       /* 0: the parent's; never later than that */
    uint32_t tasks_max;        /* live tasks, those below counted; 0: no limit
                                  but the parent's */
    enum ambit_policy policy;
    /* Cancels the region when it arrives; 0: none.  A signal to the process,
     * as of kill(1): workers block signals, so raise() in a task stays pending. */
    int until_signal;
    ambit_duration cleanup;    /* time set aside for finalizers; 0: 5 s */
    ambit_duration close_warn; /* a close this long reports; 0: 5 s */
    unsigned without;          /* enum ambit_capability: none of these inside */
    ambit_decide_fn *decide;   /* a policy of one's own, instead of .policy */
    void *decide_user;
    struct ambit_outcome *ret_outcome; /* see outcome.h; NULL: not wanted */
    /* Limits on the region and all below it; see budget.h.  0: none. */
    uint64_t polls_max;
    uint64_t cost_max;
    uint64_t heap_max;
    uint32_t children_max;
    uint32_t ops_max;
    uint32_t fds_max;
    const struct ambit_budget *budget; /* met with the fields; NULL: none */
    /* What finalizers and masks may use beyond that; 0: as much as the quota,
     * never more than the parent's. */
    uint64_t cleanup_polls;
    uint64_t cleanup_cost;
    enum ambit_priority priority; /* never above the parent's */
};

/* Room for one region in the caller's frame. */
struct ambit_scope_block {
    ambit_region *region;
    ambit_cx *cx;
    int *rc;
    int rc_before;
    bool reached_end;
    bool left;
    unsigned char room[640] __attribute__((aligned(16)));
};

/*
 * Opens a scope in `block`, which must stay where it is until the scope is
 * closed.  Does not suspend.  0; -ECANCELED when the surrounding region is
 * cancelled; -EPERM when that is without a capability the options need; -EDQUOT
 * at a ceiling on child regions; -EINVAL for options that contradict each
 * other; -ENOMEM (only where there are limits, and in an actor); -ENOSPC when
 * too many scopes wait for the signal.  The task that opened a scope closes it,
 * innermost first.
 */
AMBIT_API int ambit_scope_open(ambit_cx *cx, struct ambit_scope_block *block,
                               const struct ambit_scope_options *options);

/*
 * Closes it: body_rc is the body's own result (0, or a negative errno, which
 * cancels the children).  Suspends until every child has ended and every
 * finalizer has run; cannot be interrupted.  Returns the scope's result.
 */
AMBIT_API int ambit_scope_close(ambit_cx *cx, struct ambit_scope_block *block,
                                int body_rc);

/* Behind the block form. */
AMBIT_API struct ambit_scope_block *
ambit_scope_enter_(ambit_cx *cx, struct ambit_scope_block *block, int *rc,
                   const struct ambit_scope_options *options);
AMBIT_API void ambit_scope_leave_(struct ambit_scope_block *block);

#define ambit_scope(cx_, name_, rc_, ...) \
    for (struct ambit_scope_block name_##_block_ \
         __attribute__((cleanup(ambit_scope_leave_))), \
         *name_##_once_ = ambit_scope_enter_( \
             AMBIT_HERE(cx_), &name_##_block_, (rc_), \
             &(const struct ambit_scope_options){ \
                 .size_ = sizeof(struct ambit_scope_options), __VA_ARGS__}); \
         name_##_once_ != NULL; \
         ambit_scope_leave_(&name_##_block_), name_##_once_ = NULL) \
        for (ambit_region *name_ __attribute__((unused)) = \
                 name_##_block_.region; \
             !name_##_block_.reached_end; name_##_block_.reached_end = true)

/* The innermost open scope of the running task; in a handler of an actor the
 * region of its incarnation, which is opened when it is first asked for: where
 * there is no memory for it, the call ends the incarnation as a panic does, and
 * ambit_scope() answers -ENOMEM. */
AMBIT_API ambit_region *ambit_cx_region(ambit_cx *cx);

/*
 * Asks everything in the region to stop: a request, not a wait.  Level-
 * triggered: from now on every suspending call of its tasks answers
 * -ECANCELED until the region closes.  A stronger reason replaces a weaker
 * one; an equal one does not.  `text` is kept as a pointer: static memory, or
 * alive until the region closes; NULL is fine.  Any thread that can be sure
 * the region is open: its tasks, and its opener.  Does not suspend.
 */
AMBIT_API void ambit_cancel(ambit_region *region, const char *text);

/* Why, or kind AMBIT_CANCEL_NONE.  Same callers as ambit_cancel(). */
AMBIT_API struct ambit_cancel_reason
ambit_cancel_reason(ambit_region *region);

/*
 * Explains the cancel of the region: who because of whom.  The length of the
 * chain; 0, and an empty one, when it is not cancelled.  A region that failed
 * because a task gave the result of a scope inside of it leads on to what that
 * scope failed of.  Same callers.  Does not suspend.
 */
AMBIT_API int ambit_cancel_chain(ambit_region *region,
                                 struct ambit_cancel_chain *ret_chain);

/* Moves the region's deadline, earlier or later, but never later than its
 * parent's.  The opener or a task of the region.  0; -ESHUTDOWN when the
 * region is cancelled already, or its last child has ended; -ENOMEM.  Does not
 * suspend. */
AMBIT_API int ambit_set_deadline(ambit_region *region, ambit_time deadline);

/* Live tasks in the region now, its child regions' not counted.  While other
 * workers spawn or end some it is a guess: too many rather than too few. */
AMBIT_API uint32_t ambit_region_tasks(ambit_region *region);

/*
 * Registers a finalizer: runs exactly once when the region closes, after its
 * last child ended, last registered first.  The opener or a task of the
 * region.  0; -ESHUTDOWN when the region is closing (it will not run);
 * -ENOMEM.  Does not suspend.
 *
 * The async form may suspend: it runs masked (cancellation does not reach it)
 * until the region's clean-up time is spent; then its suspending calls answer
 * -ETIMEDOUT.  Its failure becomes the region's when that has none; an overrun
 * is a failure, -ETIMEDOUT for time, -EDQUOT for .cleanup_polls and _cost.
 */
#define ambit_defer(region, run, ...) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_defer_((region), (run), (__VA_ARGS__), &ambit_site_, \
                     #run); \
    }))
#define ambit_defer_async(region, run, ...) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_defer_async_((region), (run), (__VA_ARGS__), &ambit_site_, \
                           #run); \
    }))
AMBIT_API int ambit_defer_(ambit_region *region, void (*run)(void *arg),
                           void *arg, const struct ambit_site *site,
                           const char *name);
AMBIT_API int ambit_defer_async_(ambit_region *region,
                                 int (*run)(ambit_cx *cx, void *arg),
                                 void *arg, const struct ambit_site *site,
                                 const char *name);

AMBIT_END

#endif
