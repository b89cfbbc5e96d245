/* SPDX-License-Identifier: MIT */
/*
 * ambit/outcome.h -- how the children of a region ended, and what came of it.
 *
 *     struct ambit_outcome out;
 *     ambit_scope (cx, all, &rc, .policy = AMBIT_COLLECT, .ret_outcome = &out) {
 *         ...
 *     }
 *     printf("%u of them failed, the first was %s: %s\n", out.failed,
 *            out.root.task, ambit_strerror(out.root.code));
 *
 * Ends are ordered, the worst last:  OK < ERR < CANCELLED < PANICKED.
 */
#ifndef AMBIT_OUTCOME_H
#define AMBIT_OUTCOME_H

#include <ambit/base.h>

AMBIT_BEGIN

enum ambit_end {
    AMBIT_ENDED_OK,        /* returned 0 or more */
    AMBIT_ENDED_ERR,       /* returned an error */
    AMBIT_ENDED_CANCELLED, /* returned -ECANCELED in a cancelled region, or
                              never ran */
    AMBIT_ENDED_PANICKED,
};

/* The end of one task. */
struct ambit_child_end {
    enum ambit_end end;
    int code;         /* what a joiner gets */
    bool never_ran;   /* cancelled before its first run */
    const char *task; /* its name; NULL: there was none */
};

/* The worse of two, the first of equals.  With {0} for "none yet" this is
 * associative, idempotent, and has {0} as its neutral element. */
static inline struct ambit_child_end ambit_worse(struct ambit_child_end first,
                                                 struct ambit_child_end second)
{
    return second.end > first.end || first.task == NULL ? second : first;
}

/* What to do about the end of a child. */
enum ambit_verdict {
    AMBIT_KEEP,            /* a failure is the region's; the siblings go on */
    AMBIT_CANCEL_SIBLINGS, /* the siblings are cancelled; a failure is kept */
    AMBIT_IGNORE,          /* it changes nothing */
};

/*
 * A policy of one's own: told the end of each child, good or bad, before the
 * region counts it as gone.  Called on the thread where the task ended, from
 * several at once; must not block.  `end` is valid during the call.  May call
 * whatever takes no cx.  An answer that is no verdict is CANCEL_SIBLINGS.
 */
typedef enum ambit_verdict ambit_decide_fn(void *user,
                                           const struct ambit_child_end *end);

/* Why a region is cancelled, weakest first; a reason only strengthens. */
enum ambit_cancel_kind {
    AMBIT_CANCEL_NONE,
    AMBIT_CANCEL_USER,      /* ambit_cancel(), or leaving a scope early */
    AMBIT_CANCEL_SIGNAL,    /* .until_signal */
    AMBIT_CANCEL_FAIL_FAST, /* a child failed */
    AMBIT_CANCEL_DEADLINE,  /* the region's own deadline */
    AMBIT_CANCEL_BUDGET,    /* a quota of the region's own is used up */
    AMBIT_CANCEL_SHUTDOWN,  /* the runtime stops, or a supervisor ends it */
};

#define AMBIT_CHAIN_MAX 8

/* One step of an explanation; texts are copies, cut off where too long. */
struct ambit_cancel_link {
    enum ambit_cancel_kind kind; /* NONE: a failure that cancelled nothing */
    int code;        /* the region's result, or of the child that failed it */
    char region[24]; /* its name, or "" */
    char task[24];   /* that asked for it, or failed; or "" */
    char text[48];   /* of the caller of ambit_cancel(), or "" */
};

/* From a cancel back to its root: link[0] because of link[1] because of ...
 * Of a longer one the last link is still the root. */
struct ambit_cancel_chain {
    unsigned len;
    bool cut; /* links between the last but one and the last are left out */
    struct ambit_cancel_link link[AMBIT_CHAIN_MAX];
};

/* Option .ret_outcome of a scope: written while the scope is open, complete
 * when it has closed.  Counts are of the region's own tasks. */
struct ambit_outcome {
    int result;                   /* of the scope itself, its body apart */
    struct ambit_child_end worst; /* the first of the worst; task NULL: none */
    struct ambit_child_end root;  /* the first error or panic, likewise */
    uint64_t ok, failed, cancelled, panicked;
    uint64_t never_ran;           /* of the cancelled */
    bool cleanup_overrun;         /* a finalizer was cut off: its time, waits
                                     or cost were used up */
    struct ambit_cancel_chain why; /* of a result below 0; else empty */
};

AMBIT_END

#endif
