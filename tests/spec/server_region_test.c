/* SPDX-License-Identifier: MIT */
/*
 * server_region_test.c -- the region of an incarnation, which is there from
 * when a handler asks for it: SRV-REGION of spec/server.md.
 */
#include "tests/spec/common.h"

struct view {
    ambit_region *first;
    struct count handled, begun, ended, after_end, waits, seen;
    const char *text;
    int kind;
    bool own;
};

struct looker {
    struct view *view;
};

static int looker_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    ((struct looker *)state)->view = *(struct view *const *)arg;
    return 0;
}

static int until_cancelled(ambit_cx *cx, void *arg)
{
    struct view *view = *(struct view **)arg;
    count_up(&view->begun);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    count_up(&view->ended);
    return 0;
}

/* What a cancel has left there, for whoever asks only now. */
static void look_why(ambit_cx *cx, struct view *view)
{
    struct ambit_cancel_reason why = ambit_cancel_reason(ambit_cx_region(cx));
    view->kind = (int)why.kind;
    view->text = why.text;
    view->own = why.own;
    WANT_EQ(ambit_spawn(ambit_cx_region(cx), until_cancelled, &view),
            -ESHUTDOWN);
    count_up(&view->seen);
}

/* 's': spawns in its region; 'w': waits, and looks why that was called off;
 * anything else: nothing. */
static int looker_handle(ambit_cx *cx, void *state, const void *message,
                         size_t size)
{
    struct view *view = ((struct looker *)state)->view;
    char what = size > 0 ? *(const char *)message : ' ';
    if (what == 's') {
        ambit_region *region = ambit_cx_region(cx);
        WANT(view->first == NULL || view->first == region);
        view->first = region;
        WANT_EQ(ambit_spawn(region, until_cancelled, &view), 0);
    } else if (what == 'w') {
        count_up(&view->waits);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        look_why(cx, view);
    }
    count_up(&view->handled);
    return AMBIT_CONTINUE;
}

static void looker_terminate(ambit_cx *cx, void *state, int reason)
{
    struct view *view = ((struct looker *)state)->view;
    (void)cx, (void)reason;
    count_set(&view->after_end, count_get(&view->ended));
}

static const struct ambit_actor_type looker_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "looker",
    .state_size = sizeof(struct looker),
    .init = looker_init,
    .handle = looker_handle,
    .terminate = looker_terminate,
};

static ambit_actor_ref open_looker(ambit_cx *cx, ambit_region *region,
                                   struct view *view)
{
    ambit_actor_ref ref = {0};
    WANT_EQ(ambit_actor_start(cx, region, &looker_type, &view, sizeof view,
                              &ref),
            0);
    return ref;
}

/* --- SRV-REGION-1 --------------------------------------------------------- */

static void spawn_across_messages(ambit_cx *cx)
{
    struct view view = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref ref = open_looker(cx, all, &view);
        WANT_EQ(ambit_send(cx, ref, " ", 1), 0);
        WANT_EQ(ambit_send(cx, ref, "s", 1), 0);
        WANT_EQ(ambit_send(cx, ref, "s", 1), 0);
        WANT(until(cx, &view.handled, 3));
        WANT(until(cx, &view.begun, 2)); /* else a cancel lets them not run */
        WANT(view.first != all);
        WANT_EQ(count_get(&view.ended), 0);
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&view.ended), 2);
    WANT_EQ(count_get(&view.after_end), 2); /* before terminate */
}

/* `how`: killed or cancelled while a handler waits that has no region yet. */
static void cancel_before_it_asks(ambit_cx *cx, bool kill)
{
    struct view view = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref ref = open_looker(cx, all, &view);
        WANT_EQ(ambit_send(cx, ref, "w", 1), 0);
        WANT(until(cx, &view.waits, 1));
        if (kill) {
            WANT_EQ(ambit_actor_kill(ref, "a kill"), 0);
            WANT(until(cx, &view.seen, 1));
        } else {
            ambit_cancel(all, "a cancel");
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&view.seen), 1);
    WANT_EQ(view.kind, kill ? AMBIT_CANCEL_SHUTDOWN : AMBIT_CANCEL_USER);
    WANT_EQ(view.own, kill);
    WANT(view.text != NULL &&
         strcmp(view.text, kill ? "a kill" : "a cancel") == 0);
}

static int ask_for_regions(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        spawn_across_messages(cx);
        cancel_before_it_asks(cx, true);
        cancel_before_it_asks(cx, false);
    }
    return 0;
}

/* Goal: that a region comes late is not to be seen.
 * Method: tasks spawned by two messages, which end before terminate; cancels
 * of both kinds that come before the first question. */
Spec(SRV_REGION_1, a_handler_has_the_region_of_its_actor)
{
    spec_on_1_and_2_workers(ask_for_regions);
    spec_end("SRV_REGION_1");
}
