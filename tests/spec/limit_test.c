/* SPDX-License-Identifier: MIT */
/*
 * limit_test.c -- sizes and options at their bounds, one below and one above.
 */
#include "tests/spec/common.h"

#include <ambit/combine.h>
#include <ambit/group.h>

/* --- groups: the argument ------------------------------------------------- */

#define ARG_MAX 4096

static int sum_of_bytes(ambit_cx *cx, void *arg, void *ret)
{
    const unsigned char *bytes = arg;
    (void)cx;
    int sum = 0;
    for (size_t i = 0; bytes != NULL && i < 4095; i++) {
        sum += bytes[i];
    }
    if (ret != NULL) {
        memcpy(ret, &sum, sizeof sum);
    }
    return sum;
}

/* A task leaves its region after its result was handed out. */
static bool until_empty(ambit_cx *cx, ambit_region *region)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_region_tasks(region) > 0) {
        if (ambit_yield(cx) < 0 || ambit_now().ns > end.ns) {
            return false;
        }
    }
    return true;
}

static int group_arguments(ambit_cx *cx, void *arg)
{
    (void)arg;
    static unsigned char bytes[ARG_MAX + 1];
    memset(bytes, 1, sizeof bytes);
    struct ambit_branch branch = {.fn = sum_of_bytes, .arg = bytes,
                                  .ret_size = sizeof(int)};
    ambit_future future = {0};
    int rc = 0;
    ambit_group (cx, group, &rc) {
        for (size_t size = ARG_MAX - 1; size <= ARG_MAX; size++) {
            int sum = 0, result = 0;
            branch.arg_size = size;
            WANT_EQ(ambit_group_spawn(group, branch, &future), 0);
            WANT_EQ(ambit_future_join(cx, future, &sum, &result), 0);
            WANT_EQ(result, 4095);
            WANT_EQ(sum, 4095);
        }
        branch.arg_size = ARG_MAX + 1;
        WANT_EQ(ambit_group_spawn(group, branch, NULL), -E2BIG);
        WANT(until_empty(cx, group->region));
        /* none at all, whatever its size */
        int result = -1;
        branch.arg = NULL;
        WANT_EQ(ambit_group_spawn(group, branch, &future), 0);
        WANT_EQ(ambit_future_join_(cx, future, NULL, 0, &result), 0);
        WANT_EQ(result, 0);
        branch.ret_size = (size_t)PTRDIFF_MAX / 2 + 1;
        WANT_EQ(ambit_group_spawn(group, branch, NULL), -ENOMEM);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a group copies arguments up to the limit of a spawn.
 * Method: one below, at, one above; none; a room that no memory could hold. */
Spec(GROUP_JOIN_1, arguments_of_a_group_have_the_limit_of_a_spawn)
{
    spec_on_1_and_2_workers(group_arguments);
    spec_end("GROUP_JOIN_1");
}

/* --- groups: ends that nobody fetched ------------------------------------- */

static int end_as_told(ambit_cx *cx, void *arg, void *ret)
{
    (void)ret;
    int how = *(int *)arg;
    if (how > 0) {
        ambit_panic(cx, "as told");
    }
    return how;
}

static int end_of_a_group(ambit_cx *cx, int how)
{
    struct ambit_branch branch = {
        .fn = end_as_told, .arg = &how, .arg_size = sizeof how};
    int rc = 0;
    ambit_group (cx, group, &rc) {
        WANT_EQ(ambit_group_spawn(group, branch, NULL), 0);
    }
    return rc;
}

static int groups_end_badly(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(end_of_a_group(cx, 0), 0);
    WANT_EQ(end_of_a_group(cx, -EIO), -EIO);
    WANT_EQ(end_of_a_group(cx, 1), -EOWNERDEAD);
    /* its own word: nobody has cancelled the group */
    WANT_EQ(end_of_a_group(cx, -ECANCELED), -ECANCELED);
    return 0;
}

static int enter_group_under_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        int fresh = 0, failed = -EIO;
        ambit_cancel(s, "before");
        ambit_group (cx, a, &fresh) {
            WANT(false);
        }
        ambit_group (cx, b, &failed) {
            WANT(false);
        }
        WANT_EQ(fresh, -ECANCELED);
        WANT_EQ(failed, -EIO);
    }
    return 0;
}

/* Goal: each kind of end that nobody fetched is the group's.
 * Method: a result, a panic, a cancel of its own; a group that cannot open
 * leaves an earlier failure alone. */
Spec(GROUP_END_1, each_unfetched_end_is_the_groups)
{
    spec_on_1_and_2_workers(groups_end_badly);
    spec_on(1, enter_group_under_cancel);
    spec_end("GROUP_END_1");
}

/* --- combinators ---------------------------------------------------------- */

static struct count branches_run;

static int count_branch(ambit_cx *cx, void *arg, void *ret)
{
    (void)cx, (void)arg, (void)ret;
    count_up(&branches_run);
    return 0;
}

static int branches_without_bounds(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct ambit_branch two[2] = {{.fn = count_branch}, {.fn = count_branch}};
    two[1].ret_size = (size_t)PTRDIFF_MAX / 2 + 1;
    WANT_EQ(ambit_join_all(cx, two, 2), -ENOMEM);
    /* together they are too large, each by itself is not */
    two[0].ret_size = two[1].ret_size = (size_t)PTRDIFF_MAX / 4 + 1024;
    WANT_EQ(ambit_join_all(cx, two, 2), -ENOMEM);
    WANT_EQ(two[0].result, -ENOMEM);
    WANT_EQ(count_get(&branches_run), 0);
    two[0].ret_size = two[1].ret_size = 0;
    WANT_EQ(ambit_join_all(cx, two, 2), 0);
    WANT_EQ(count_get(&branches_run), 2);
    return 0;
}

/* Goal: more than can be held is refused before anything runs.
 * Method: results larger than memory, alone and in sum. */
Spec(COMB_JOIN_1, results_larger_than_memory_are_refused_first)
{
    spec_on(1, branches_without_bounds);
    spec_end("COMB_JOIN_1");
}

static int retry_options(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct ambit_branch branch = {.fn = count_branch};
    count_set(&branches_run, 0);
    WANT_EQ(ambit_retry(cx, branch, .delay = ambit_ns(-1)), -EINVAL);
    WANT_EQ(ambit_retry(cx, branch, .delay_max = ambit_ns(-1)), -EINVAL);
    WANT_EQ(ambit_retry(cx, branch, .attempt_timeout = ambit_ns(-1)), -EINVAL);
    WANT_EQ(ambit_retry(cx, branch, .jitter_percent = 101), -EINVAL);
    WANT_EQ(count_get(&branches_run), 0);
    WANT_EQ(ambit_retry(cx, branch, .jitter_percent = 100), 0);
    WANT_EQ(ambit_retry(cx, branch, .jitter_percent = 99), 0);
    WANT_EQ(ambit_retry(cx, branch, .jitter_percent = -1), 0);
    WANT_EQ(ambit_retry_(cx, branch, NULL), 0);
    WANT_EQ(count_get(&branches_run), 4);
    return 0;
}

/* Goal: options of a retry beyond their bounds are refused, with no attempt.
 * Method: each below its least; the jitter at its bounds; none given. */
Spec(COMB_RETRY_1, options_beyond_their_bounds_make_no_attempt)
{
    spec_on(1, retry_options);
    spec_end("COMB_RETRY_1");
}

static int take_nothing(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 0;
}

static int not_reached(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    WANT(false);
    return 0;
}

static int bracket_under_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct ambit_bracket bracket = {not_reached, not_reached,
                                                 not_reached};
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        ambit_cancel(s, "before");
        WANT_EQ(ambit_bracket(cx, &bracket, NULL), -ECANCELED);
    }
    ambit_scope (cx, again, &rc) {
        WANT_EQ(ambit_bracket(cx, &(struct ambit_bracket){
            take_nothing, take_nothing, take_nothing}, NULL), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: what is cancelled acquires nothing.  Method: a bracket under a cancel;
 * one without, which passes the line. */
Spec(COMB_BRACKET_1, a_bracket_under_a_cancel_does_not_begin)
{
    spec_on(1, bracket_under_cancel);
    spec_end("COMB_BRACKET_1");
}

/* --- references ----------------------------------------------------------- */

#define PINS_MAX 65535

static int pin_up_to_the_limit(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        void *object = NULL, *seen = NULL;
        ambit_ref ref = {0};
        WANT_EQ(ambit_alloc(s, 16, &object), 0);
        WANT_EQ(ambit_ref_make(s, object, 16, &ref), 0);
        int pinned = 0;
        while (pinned < PINS_MAX && ambit_ref_pin(ref, &seen) == 0) {
            pinned++;
        }
        WANT_EQ(pinned, PINS_MAX);
        seen = NULL;
        WANT_EQ(ambit_ref_pin(ref, &seen), -EAGAIN);
        WANT(seen == NULL);
        ambit_ref_unpin(ref);
        WANT_EQ(ambit_ref_pin(ref, &seen), 0);
        WANT(seen == object);
        WANT_EQ(ambit_ref_pin(ref, &seen), -EAGAIN);
        for (int i = 0; i < PINS_MAX; i++) {
            ambit_ref_unpin(ref);
        }
        WANT_EQ(ambit_ref_drop(s, ref), 0);
        WANT_EQ(ambit_ref_pin(ref, &seen), -ESTALE);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a reference is pinned as often as it says, and no harm beyond.
 * Method: up to the limit, one more, one less and one more. */
Spec(HEAP_REF_1, a_reference_is_pinned_up_to_its_limit)
{
    spec_on(1, pin_up_to_the_limit);
    spec_end("HEAP_REF_1");
}

/* --- reserves ------------------------------------------------------------- */

static int charge_six(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(ambit_charge(cx, 4), 0);
    WANT_EQ(ambit_charge(cx, 1), 0);
    WANT_EQ(ambit_charge(cx, 1), -EDQUOT);
    return 0;
}

static int reserve_of_cost_alone(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc, .cleanup_cost = 5) {
        WANT_EQ(ambit_charge(cx, 1000), 0); /* the body has no limit */
        WANT_EQ(ambit_defer_async(s, charge_six, NULL), 0);
    }
    WANT_EQ(rc, -EDQUOT);
    return 0;
}

/* Goal: a reserve of cost holds where nothing else is limited.
 * Method: below, at and above it, in a finalizer. */
Spec(REG_BUDGET_8, a_reserve_of_cost_holds_by_itself)
{
    spec_on(1, reserve_of_cost_alone);
    spec_end("REG_BUDGET_8");
}

/* --- masks ---------------------------------------------------------------- */

static int mask_options(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct ambit_mask_block block;
    struct ambit_mask_options none = {.size_ = 0, .time = {-1}};
    struct ambit_mask_options wrong = {.size_ = sizeof wrong, .time = {-1}};
    WANT_EQ(ambit_mask_begin(cx, &block, NULL), 0);
    WANT_EQ(ambit_sleep(cx, ambit_us(10)), 0);
    ambit_mask_end(&block);
    WANT_EQ(ambit_mask_begin(cx, &block, &none), 0); /* nothing of it is read */
    ambit_mask_end(&block);
    WANT_EQ(ambit_mask_begin(cx, &block, &wrong), -EINVAL);
    ambit_mask_end(&block); /* it is not open */
    return 0;
}

static int masks_up_to(ambit_cx *cx, unsigned depth)
{
    struct ambit_mask_block block;
    int rc = ambit_mask_begin(cx, &block, NULL);
    if (rc == 0 && depth > 1) {
        rc = masks_up_to(cx, depth - 1);
    }
    ambit_mask_end(&block);
    return rc;
}

static int mask_depths(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(masks_up_to(cx, AMBIT_MASKS_MAX - 1), 0);
    WANT_EQ(masks_up_to(cx, AMBIT_MASKS_MAX), 0);
    WANT_EQ(masks_up_to(cx, AMBIT_MASKS_MAX + 1), -EDQUOT);
    WANT_EQ(masks_up_to(cx, AMBIT_MASKS_MAX), 0);
    return 0;
}

/* Goal: a mask needs no options, and nests as deep as it says.
 * Method: none, an older caller's, wrong ones; the depth at its bounds. */
Spec(REG_MASK_2, masks_hold_at_their_bounds)
{
    spec_on(1, mask_options);
    spec_on(1, mask_depths);
    spec_end("REG_MASK_2");
}

/* --- what is used --------------------------------------------------------- */

static int kinds_of_limits(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    void *memory;
    ambit_scope (cx, s, &rc, .heap_max = 4096) {
        WANT_EQ(ambit_alloc(s, 64, &memory), 0);
        WANT_EQ(ambit_region_used(s, AMBIT_LIMIT_HEAP), 64);
        WANT_EQ(ambit_region_used(s, AMBIT_LIMIT_NONE), 0);
        WANT_EQ(ambit_region_used(s, AMBIT_LIMIT_FDS), 0);
        WANT_EQ(ambit_region_used(s, AMBIT_LIMIT_FDS + 1), 0);
        WANT_EQ(ambit_region_used(s, (enum ambit_limit)-1), 0);
    }
    return rc;
}

/* Goal: what is no kind of limit is not used.
 * Method: the kinds at both ends, and beyond. */
Spec(REG_BUDGET_6, what_is_no_limit_is_not_used)
{
    spec_on(1, kinds_of_limits);
    spec_end("REG_BUDGET_6");
}

/* --- runs ----------------------------------------------------------------- */

static int end_with_an_error(ambit_cx *cx, int argc, char **argv)
{
    (void)cx, (void)argc, (void)argv;
    return -EIO;
}

/* Goal: a run that cannot begin says so; a main without a name has one.
 * Method: more workers than there can be; an empty argv. */
Spec(RT_MAIN_1, a_run_that_cannot_begin_and_a_main_without_a_name)
{
    WANT_EQ(ambit_run(not_reached, NULL, .workers = 65), -EINVAL);
    WANT_EQ(ambit_run_main_(end_with_an_error, 0, NULL), 1);
    spec_end("RT_MAIN_1");
}
