/* SPDX-License-Identifier: MIT */
/*
 * no_sites_test.c -- a program that is compiled without sites: what the library
 * logs says "?" for the place, and all else.
 */
#define AMBIT_NO_SITES 1

#include "tests/spec/common.h"

static int panic_somewhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_panic(cx, "of all places");
}

static int panic_in_a_child(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        WANT_EQ(ambit_spawn(s, panic_somewhere, &rc), 0);
    }
    return rc;
}

/* Goal: a panic is told without a place.  Method: the log. */
Spec(TASK_PANIC_2, a_panic_at_no_known_place_is_told)
{
    spec_on(1, panic_in_a_child);
    WANT(spec_logged("of all places (?:0)"));
    spec_end("TASK_PANIC_2");
}

static int sleep_in_masks(ambit_cx *cx, void *arg)
{
    unsigned depth = *(unsigned *)arg;
    struct ambit_mask_block block;
    const struct ambit_mask_options options = {
        .size_ = sizeof options, .time = ambit_ms(depth == 1 ? 1 : 10000)};
    int rc = ambit_mask_begin(cx, &block, &options);
    if (rc == 0 && depth == 1) {
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
    } else if (rc == 0) {
        rc = sleep_in_masks(cx, &(unsigned){depth - 1});
    }
    ambit_mask_end(&block);
    return rc;
}

static int spend_a_mask(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(sleep_in_masks(cx, &(unsigned){1}), 0);
    return 0;
}

static int nest_too_many_masks(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(sleep_in_masks(cx, &(unsigned){AMBIT_MASKS_MAX + 1}), -EDQUOT);
    return 0;
}

/* Goal: so are the end of a mask's time, and a mask too deep.
 * Method: a sleep without end, nine masks; the log. */
Spec(REG_MASK_3, a_spent_mask_at_no_known_place_is_told)
{
    spec_on(1, spend_a_mask);
    WANT(spec_logged("is called off (?:0)"));
    spec_end("REG_MASK_3");
}

Spec(REG_MASK_2, a_mask_too_deep_at_no_known_place_is_told)
{
    spec_on(1, nest_too_many_masks);
    WANT(spec_logged("the limit is 8 (?:0)"));
    spec_end("REG_MASK_2");
}

static int sleep_until_named(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 4000 && !spec_logged("last seen at ?:0"); i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
    }
    return 0;
}

static int close_slowly(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, slow, &rc, .close_warn = ambit_ms(10)) {
        WANT_EQ(ambit_spawn(slow, sleep_until_named, &rc), 0);
    }
    return rc;
}

/* Goal: and a close that takes long.  Method: a child that ends once it has
 * been named. */
Spec(REG_CLOSE_5, a_slow_task_at_no_known_place_is_named)
{
    spec_on(1, close_slowly);
    WANT(spec_logged("last seen at ?:0"));
    spec_end("REG_CLOSE_5");
}
