/* SPDX-License-Identifier: MIT */
/*
 * mask_test.c -- critical sections: REG-MASK of spec/region.md.
 */
#include "tests/spec/common.h"

/* --- REG-MASK-1 ----------------------------------------------------------- */

struct section {
    struct count entered, cancelled, both_done, after;
    ambit_region *region;
};

static int return_at_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* Two steps that belong together, with a cancel between them. */
static int do_both(ambit_cx *cx, void *arg)
{
    struct section *s = *(struct section **)arg;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(30)) {
        count_up(&s->entered);
        while (count_get(&s->cancelled) == 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT(ambit_cancel_reason(s->region).kind != AMBIT_CANCEL_NONE);
        WANT_EQ(ambit_checkpoint(cx), 0);
        WANT_EQ(ambit_sleep(cx, ambit_ms(1)), 0);
        int inner_rc = 0, arg_none = 0;
        ambit_scope (cx, inside, &inner_rc) {
            WANT_EQ(ambit_spawn(inside, return_at_once, &arg_none), 0);
            WANT_EQ(ambit_sleep(cx, ambit_us(10)), 0);
            /* deeper, a cancel is one like any other */
            int deep_rc = 0;
            ambit_scope (cx, deeper, &deep_rc) {
                ambit_cancel(inside, "from within");
                WANT(ambit_cancel_reason(deeper).kind != AMBIT_CANCEL_NONE);
            }
            WANT_EQ(deep_rc, -ECANCELED);
        }
        WANT_EQ(inner_rc, 0);
        count_up(&s->both_done);
    }
    WANT_EQ(rc, 0);
    rc = ambit_yield(cx);
    WANT_EQ(rc, -ECANCELED);
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    count_up(&s->after);
    return rc;
}

/* A child parked in its mask when the cancel comes; and its opener's own. */
static int cancel_into_masks(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct section s, *section = &s;
    memset(&s, 0, sizeof s);
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        s.region = all;
        WANT_EQ(ambit_spawn(all, do_both, &section), 0);
        WANT_EQ(ambit_spawn(all, do_both, &section), 0);
        WANT(until(cx, &s.entered, 2));
        ambit_cancel(all, "in the middle");
        count_up(&s.cancelled);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&s.both_done), 2);
    WANT_EQ(count_get(&s.after), 2);

    ambit_scope (cx, own, &rc) {
        ambit_mask (cx, &rc) {
            ambit_cancel(own, "by the task itself");
            WANT_EQ(ambit_sleep(cx, ambit_us(10)), 0);
            ambit_mask (cx, &rc) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_sleep(cx, ambit_us(10)), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: what is masked is done whole; the cancel is not lost.
 * Method: two tasks are cancelled in the middle, from outside and by
 * themselves; they wait, open scopes, and go on to the end of the block. */
Spec(REG_MASK_1, a_cancel_shows_after_the_mask)
{
    spec_on_1_and_2_workers(cancel_into_masks);
    spec_end("REG_MASK_1");
}

/* --- REG-MASK-2 ----------------------------------------------------------- */

static int mask_deeper(ambit_cx *cx, int depth)
{
    int rc = 0, deeper = depth;
    ambit_mask (cx, &rc) {
        WANT(depth < AMBIT_MASKS_MAX);
        deeper = mask_deeper(cx, depth + 1);
        WANT_EQ(ambit_yield(cx), 0);
    }
    if (depth == AMBIT_MASKS_MAX) {
        WANT_EQ(rc, -EDQUOT);
    } else {
        WANT_EQ(rc, 0);
    }
    return deeper;
}

static int mask_in_finalizer(ambit_cx *cx, void *arg)
{
    *(int *)arg = mask_deeper(cx, 1);
    return 0;
}

static int refuse_masks(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(mask_deeper(cx, 0), AMBIT_MASKS_MAX);
    WANT_EQ(mask_deeper(cx, 0), AMBIT_MASKS_MAX); /* nothing is left over */
    int reached = 0, rc = 0;
    ambit_scope (cx, own, &rc) {
        WANT_EQ(ambit_defer_async(own, mask_in_finalizer, &reached), 0);
    }
    WANT_EQ(reached, AMBIT_MASKS_MAX);

    bool ran = false;
    ambit_scope (cx, over, &rc) {
        ambit_cancel(over, "before it begins");
        int refused = 0;
        ambit_mask (cx, &refused) {
            ran = true;
        }
        WANT_EQ(refused, -ECANCELED);
        refused = -EPIPE; /* the earlier failure stays */
        ambit_mask (cx, &refused) {
            ran = true;
        }
        WANT_EQ(refused, -EPIPE);
    }
    WANT_EQ(rc, 0);
    ambit_mask (cx, &rc, .time = ambit_ns(-1)) {
        ran = true;
    }
    WANT_EQ(rc, -EINVAL);
    WANT(!ran);
    return 0;
}

static int mask_on_the_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_mask (cx, &rc) {
        WANT(false);
    }
    WANT_EQ(rc, -EPERM);
    return 0;
}

static int refuse_on_the_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0, none = 0;
    ambit_scope (cx, pool, &rc) {
        WANT_EQ(ambit_spawn_with(pool, mask_on_the_pool, &none,
                                 .tier = AMBIT_BLOCKING), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a mask cannot be had without bound, nor against a cancel that was
 * there first.
 * Method: a recursion to the limit and one more, twice, and in a finalizer;
 * masks of a cancelled task, of a pool thread, of negative length. */
Spec(REG_MASK_2, masks_nest_eight_deep)
{
    spec_on_1_and_2_workers(refuse_masks);
    spec_on_1_and_2_workers(refuse_on_the_pool);
    WANT(spec_logged("the limit is 8"));
    spec_end("REG_MASK_2");
}

/* --- REG-MASK-3 ----------------------------------------------------------- */

static int wait_without_end(ambit_cx *cx, void *arg)
{
    int rc = ambit_sleep_until(cx, ambit_never());
    WANT_EQ(rc, -ECANCELED);
    count_up(*(struct count **)arg);
    return rc;
}

/* The time was over before it had begun. */
static void never_began(void *arg)
{
    count_up(*(struct count **)arg);
}

static int run_out_of_time(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count called_off = {0}, *pcalled = &called_off;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_ms(5)) {
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
        WANT_EQ(ambit_yield(cx), -ETIMEDOUT);
        WANT_EQ(ambit_checkpoint(cx), -ETIMEDOUT);
        int inner_rc = 0;
        ambit_mask (cx, &inner_rc) {
            WANT(false);
        }
        WANT_EQ(inner_rc, -ETIMEDOUT);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_yield(cx), 0);

    /* in a scope, and the outer one of two */
    ambit_mask (cx, &rc, .time = ambit_ms(5)) {
        ambit_mask (cx, &rc, .time = ambit_s(100)) {
            int inner_rc = 0;
            ambit_scope (cx, inner, &inner_rc) {
                WANT_EQ(ambit_spawn_with(inner, wait_without_end, &pcalled,
                                         .dispose = never_began), 0);
            }
            WANT_EQ(inner_rc, -ETIMEDOUT);
            WANT_EQ(ambit_yield(cx), -ETIMEDOUT);
        }
        WANT_EQ(ambit_yield(cx), -ETIMEDOUT);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&called_off), 1);
    WANT_EQ(ambit_yield(cx), 0);

    /* the inner one only; and never longer than the clean-up time */
    ambit_scope (cx, brief, &rc, .cleanup = ambit_ms(4)) {
        ambit_mask (cx, &rc, .time = ambit_s(100)) {
            WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
        }
        WANT_EQ(ambit_yield(cx), 0);
    }
    ambit_mask (cx, &rc, .time = ambit_s(100)) {
        ambit_mask (cx, &rc, .time = ambit_ms(2)) {
            WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
        }
        WANT_EQ(ambit_yield(cx), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a mask is over when its time is.
 * Method: waits without end, in the task and in a child of a scope inside;
 * nested masks, the outer and the inner one being the short one. */
Spec(REG_MASK_3, a_mask_lasts_for_its_time)
{
    spec_on_1_and_2_workers(run_out_of_time);
    WANT(spec_logged("the time of a mask is spent"));
    spec_end("REG_MASK_3");
}

/* --- REG-MASK-4 ----------------------------------------------------------- */

enum way_out { BY_END, BY_CONTINUE, BY_BREAK, BY_RETURN, BY_GOTO, BY_PANIC };

static int leave_the_mask(ambit_cx *cx, enum way_out way)
{
    int rc = 0;
    ambit_mask (cx, &rc) {
        ambit_mask (cx, &rc) {
            if (way == BY_CONTINUE) {
                continue;
            } else if (way == BY_BREAK) {
                break;
            } else if (way == BY_RETURN) {
                return 1;
            } else if (way == BY_GOTO) {
                goto out;
            } else if (way == BY_PANIC) {
                ambit_panic(cx, "in a mask");
            }
        }
        if (way == BY_BREAK) {
            break;
        }
    }
out:
    return 1;
}

static int note_cancel(ambit_cx *cx, void *arg)
{
    /* no longer masked, in the panic of the task that opened this scope */
    struct count *seen = *(struct count **)arg;
    int rc = ambit_sleep_until(cx, ambit_never());
    count_add(seen, rc == -ECANCELED);
    return rc;
}

struct leaver {
    enum way_out way;
    struct count *after;
    struct count *seen;
};

static int leave_and_look(ambit_cx *cx, void *arg)
{
    struct leaver *l = arg;
    int rc = 0;
    ambit_scope (cx, own, &rc, .polls_max = 1000) { /* so there is a reserve */
        WANT_EQ(ambit_spawn(own, note_cancel, &l->seen), 0);
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(leave_the_mask(cx, l->way), 1);
        ambit_cancel(own, "to look");
        WANT_EQ(ambit_yield(cx), -ECANCELED);
        count_up(l->after);
    }
    return rc;
}

static int leave_in_all_ways(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int way = BY_END; way <= BY_PANIC; way++) {
        struct count after = {0}, seen = {0};
        int rc = 0;
        ambit_scope (cx, one, &rc, .policy = AMBIT_COLLECT) {
            struct leaver l = {(enum way_out)way, &after, &seen};
            WANT_EQ(ambit_spawn(one, leave_and_look, &l), 0);
        }
        WANT_EQ(rc, way == BY_PANIC ? -EOWNERDEAD : 0);
        WANT_EQ(count_get(&after), way != BY_PANIC);
        WANT(count_get(&seen) <= 1);
    }
    return 0;
}

/* Goal: no mask outlives its block.
 * Method: a cancel shows after every way out of two nested ones. */
Spec(REG_MASK_4, a_mask_ends_with_its_block)
{
    spec_on_1_and_2_workers(leave_in_all_ways);
    spec_end("REG_MASK_4");
}
