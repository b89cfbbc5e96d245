/* SPDX-License-Identifier: MIT */
/*
 * token_test.c -- a cancel that is an object: TOKEN of spec/combine.md.
 */
#include "tests/spec/common.h"

/* --- TOKEN-CANCEL-1, TOKEN-WAIT-1 ----------------------------------------- */

struct vigil {
    ambit_token *token;
    struct count *waiting, *woken, *cancelled;
};

static int wait_for_token(ambit_cx *cx, void *arg)
{
    struct vigil *v = arg;
    count_up(v->waiting);
    int rc = ambit_token_wait(cx, v->token);
    WANT(rc == 0 || rc == -ECANCELED);
    WANT_EQ(ambit_token_is_cancelled(v->token) || rc < 0, 1);
    count_up(rc == 0 ? v->woken : v->cancelled);
    return 0;
}

static bool until_waiters(ambit_cx *cx, ambit_token *token, size_t n)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_token_waiters(token) != n) {
        if (ambit_yield(cx) < 0 || ambit_now().ns > end.ns) {
            return false;
        }
    }
    return true;
}

static void *cancel_from_a_thread(void *arg)
{
    ambit_token_cancel(arg, "a thread");
    ambit_token_unref(arg);
    return NULL;
}

static int many_wait(ambit_cx *cx, void *arg)
{
    const int n = SPEC_SLOWER > 1 ? 500 : 10000;
    struct count waiting = {0}, woken = {0}, cancelled = {0};
    struct vigil v = {NULL, &waiting, &woken, &cancelled};
    pthread_t thread;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_token_create(NULL, &v.token), 0);
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < n; i++) {
            WANT_EQ(ambit_spawn(all, wait_for_token, &v), 0);
        }
        WANT(until_waiters(cx, v.token, (size_t)n));
        WANT_EQ(count_get(&woken), 0);
        WANT_EQ(pthread_create(&thread, NULL, cancel_from_a_thread,
                               ambit_token_ref(v.token)), 0);
        WANT_EQ(ambit_token_wait(cx, v.token), 0);
        ambit_token_cancel(v.token, "again");
    }
    pthread_join(thread, NULL);
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&woken), n);
    WANT_EQ(count_get(&cancelled), 0);
    WANT_EQ(ambit_token_waiters(v.token), 0);
    WANT_EQ(ambit_token_wait(cx, v.token), 0); /* does not wait */
    ambit_token_unref(v.token);
    ambit_token_unref(NULL);
    return 0;
}

/* Goal: all are woken, once, wherever they are.
 * Method: 10,000 waiters and one that comes too late; cancelled by a thread
 * that is no worker. */
Spec(TOKEN_WAIT_1, a_cancel_wakes_everyone_once)
{
    spec_on_1_and_2_workers(many_wait);
    spec_end("TOKEN_WAIT_1");
}

static struct count calls_made;

static void count_call(void *arg)
{
    (void)arg;
    count_up(&calls_made);
}

static void *cancel_too(void *arg)
{
    ambit_token_cancel(arg, "me too");
    return NULL;
}

/* Goal: the first cancel counts, and any thread may be it.
 * Method: four threads at once; the text and the number of calls. */
Spec(TOKEN_CANCEL_1, only_the_first_cancel_counts)
{
    for (int round = 0; round < 50; round++) {
        ambit_token *token;
        struct ambit_token_call call = {0};
        pthread_t threads[4];
        count_set(&calls_made, 0);
        WANT_EQ(ambit_token_create(NULL, &token), 0);
        WANT(!ambit_token_is_cancelled(token));
        WANT(ambit_token_text(token) == NULL);
        WANT_EQ(ambit_token_register(token, &call, count_call, NULL), 0);
        for (int i = 0; i < 4; i++) {
            WANT_EQ(pthread_create(&threads[i], NULL, cancel_too, token), 0);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        ambit_token_cancel(token, "too late");
        WANT_EQ(strcmp(ambit_token_text(token), "me too"), 0);
        WANT_EQ(count_get(&calls_made), 1);
        ambit_token_unref(token);
    }
    spec_end("TOKEN_CANCEL_1");
}

/* --- TOKEN-WAIT-2 --------------------------------------------------------- */

static int waiters_leave(ambit_cx *cx, void *arg)
{
    struct count waiting = {0}, woken = {0}, cancelled = {0};
    struct vigil v = {NULL, &waiting, &woken, &cancelled};
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_token_create(NULL, &v.token), 0);
    for (int round = 0; round < 50; round++) {
        ambit_scope (cx, some, &rc) {
            for (int i = 0; i < 10; i++) {
                WANT_EQ(ambit_spawn(some, wait_for_token, &v), 0);
            }
            WANT(until_waiters(cx, v.token, 10));
            ambit_cancel(some, "they leave");
        }
        WANT_EQ(ambit_token_waiters(v.token), 0);
    }
    WANT_EQ(count_get(&cancelled), 500);
    WANT_EQ(count_get(&woken), 0);
    /* Both cancels at about the same time: each waiter ends once. */
    for (int round = 0; round < 100; round++) {
        ambit_token *token;
        pthread_t thread;
        WANT_EQ(ambit_token_create(v.token, &token), 0);
        struct vigil both = {token, &waiting, &woken, &cancelled};
        int64_t ends = count_get(&cancelled) + count_get(&woken);
        ambit_scope (cx, some, &rc) {
            for (int i = 0; i < 10; i++) {
                WANT_EQ(ambit_spawn(some, wait_for_token, &both), 0);
            }
            WANT(until_waiters(cx, token, 10));
            WANT_EQ(pthread_create(&thread, NULL, cancel_from_a_thread,
                                   ambit_token_ref(token)), 0);
            for (int i = 0; i < round * 20; i++) {
                cpu_relax();
            }
            ambit_cancel(some, "at the same time");
        }
        pthread_join(thread, NULL);
        WANT_EQ(count_get(&cancelled) + count_get(&woken), ends + 10);
        WANT_EQ(ambit_token_waiters(token), 0);
        ambit_token_unref(token);
    }
    ambit_token_unref(v.token);
    return rc;
}

/* Goal: a waiter that goes leaves nothing behind.
 * Method: many regions that come and go; both cancels at once. */
Spec(TOKEN_WAIT_2, a_cancelled_waiter_leaves_the_token)
{
    spec_on_1_and_2_workers(waiters_leave);
    spec_end("TOKEN_WAIT_2");
}

/* --- TOKEN-CALL ----------------------------------------------------------- */

struct busy_call {
    struct ambit_token_call call, other;
    ambit_token *token;
    int times;
};

/* All that may be done from inside: were a lock held, this would hang. */
static void call_back_in(void *arg)
{
    struct busy_call *b = arg;
    ambit_token *child;
    b->times++;
    ambit_token_cancel(b->token, "from inside");
    WANT(ambit_token_is_cancelled(b->token));
    WANT(ambit_token_text(b->token) != NULL);
    WANT_EQ(ambit_token_waiters(b->token), 0);
    WANT_EQ(ambit_token_register(b->token, &b->other, count_call, NULL),
            -ECANCELED);
    WANT(!ambit_token_unregister(b->token, &b->other));
    WANT(!ambit_token_unregister(b->token, &b->call));
    WANT_EQ(ambit_token_create(b->token, &child), 0);
    WANT(ambit_token_is_cancelled(child));
    ambit_token_unref(child);
}

/* Goal: a call may use the token, and is made once.
 * Method: a call that calls everything; one that was taken back. */
Spec(TOKEN_CALL_1, a_call_is_made_once_and_without_a_lock)
{
    struct busy_call b = {.times = 0};
    struct ambit_token_call taken_back = {0};
    count_set(&calls_made, 0);
    WANT_EQ(ambit_token_create(NULL, &b.token), 0);
    WANT_EQ(ambit_token_register(b.token, &taken_back, count_call, NULL), 0);
    WANT_EQ(ambit_token_register(b.token, &b.call, call_back_in, &b), 0);
    WANT(ambit_token_unregister(b.token, &taken_back));
    WANT(!ambit_token_unregister(b.token, &taken_back));
    ambit_token_cancel(b.token, "once");
    ambit_token_cancel(b.token, "twice");
    WANT_EQ(b.times, 1);
    WANT_EQ(count_get(&calls_made), 0);
    ambit_token_unref(b.token);
    spec_end("TOKEN_CALL_1");
}

struct fragile {
    struct ambit_token_call call;
    struct count entered, alive;
    int times;
};

static void touch_fragile(void *arg)
{
    struct fragile *f = arg;
    count_up(&f->entered);
    for (int i = 0; i < 200; i++) {
        cpu_relax();
    }
    f->times++;
    WANT_EQ(count_get(&f->alive), 1);
}

static void unregister_round(int round, int64_t *ret_made)
{
    struct fragile f = {.times = 0};
    ambit_token *token;
    pthread_t thread;
    count_set(&f.alive, 1);
    WANT_EQ(ambit_token_create(NULL, &token), 0);
    WANT_EQ(ambit_token_register(token, &f.call, touch_fragile, &f), 0);
    WANT_EQ(pthread_create(&thread, NULL, cancel_from_a_thread,
                           ambit_token_ref(token)), 0);
    if (round % 2 == 0) {
        WANT(spin_until(&f.entered, 1)); /* in the middle of it */
    } else {
        for (int i = 0; i < round * 4; i++) {
            cpu_relax();
        }
    }
    bool taken_back = ambit_token_unregister(token, &f.call);
    /* Read and written without any lock: ours alone now. */
    WANT_EQ(f.times, taken_back ? 0 : 1);
    *ret_made += f.times;
    count_set(&f.alive, 0);
    f.times = -1;
    pthread_join(thread, NULL);
    WANT_EQ(f.times, -1);
    ambit_token_unref(token);
}

/* Goal: after unregister the memory is free to go.
 * Method: unregister against cancel, in its middle and around it. */
Spec(TOKEN_CALL_2, no_call_after_unregister)
{
    int64_t made = 0;
    for (int round = 0; round < 2000 / SPEC_SLOWER; round++) {
        unregister_round(round, &made);
    }
    WANT(made > 0);
    spec_end("TOKEN_CALL_2");
}

/* --- TOKEN-TREE-1 --------------------------------------------------------- */

#define DEPTH 100000

/* Goal: everything below, nothing beside or above.
 * Method: a small tree; a chain of 100,000 on a small stack; children that are
 * let go before their parents, and after. */
static void *walk_trees(void *arg)
{
    ambit_token *root, *left, *right, *leaf, *late;
    (void)arg;
    WANT_EQ(ambit_token_create(NULL, &root), 0);
    WANT_EQ(ambit_token_create(root, &left), 0);
    WANT_EQ(ambit_token_create(root, &right), 0);
    WANT_EQ(ambit_token_create(left, &leaf), 0);
    ambit_token_cancel(left, "left");
    WANT(ambit_token_is_cancelled(leaf));
    WANT_EQ(strcmp(ambit_token_text(leaf), "left"), 0);
    WANT(!ambit_token_is_cancelled(root));
    WANT(!ambit_token_is_cancelled(right));
    WANT_EQ(ambit_token_create(leaf, &late), 0);
    WANT(ambit_token_is_cancelled(late));
    ambit_token_unref(root); /* held by its children */
    ambit_token_unref(right);
    ambit_token_unref(left);
    ambit_token_unref(late);
    ambit_token_unref(leaf);

    WANT_EQ(ambit_token_create(NULL, &root), 0);
    ambit_token *at = ambit_token_ref(root);
    for (int i = 0; i < DEPTH; i++) {
        ambit_token *below;
        WANT_EQ(ambit_token_create(at, &below), 0);
        ambit_token_unref(at);
        at = below;
    }
    ambit_token_cancel(root, "from far above");
    WANT(ambit_token_is_cancelled(at));
    ambit_token_unref(root);
    ambit_token_unref(at);
    return NULL;
}

static struct count let_go;

static void *make_and_let_go(void *arg)
{
    while (count_get(&let_go) == 0) {
        ambit_token *child;
        WANT_EQ(ambit_token_create(arg, &child), 0);
        ambit_token_unref(child);
    }
    return NULL;
}

Spec(TOKEN_TREE_1, a_cancel_reaches_what_is_below)
{
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    WANT_EQ(pthread_create(&thread, &small, walk_trees, NULL), 0);
    pthread_join(thread, NULL);
    for (int round = 0; round < 50; round++) {
        ambit_token *root, *child;
        count_set(&let_go, 0);
        WANT_EQ(ambit_token_create(NULL, &root), 0);
        WANT_EQ(pthread_create(&thread, &small, make_and_let_go, root), 0);
        WANT_EQ(ambit_token_create(root, &child), 0);
        ambit_token_cancel(root, "while they come and go");
        WANT(ambit_token_is_cancelled(child));
        count_set(&let_go, 1);
        pthread_join(thread, NULL);
        ambit_token_unref(root);
        ambit_token_unref(child);
    }
    pthread_attr_destroy(&small);
    spec_end("TOKEN_TREE_1");
}

/* --- TOKEN-BIND-1 --------------------------------------------------------- */

static int bound_regions(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_token *token;
    WANT_EQ(ambit_token_create(NULL, &token), 0);
    for (int round = 0; round < 100; round++) {
        struct count started = {0}, ended = {0};
        struct waiter w = {&started, &ended};
        ambit_token *part;
        pthread_t thread;
        int rc = 0;
        WANT_EQ(ambit_token_create(token, &part), 0);
        ambit_scope (cx, brief, &rc) {
            WANT_EQ(ambit_token_bind(part, brief), 0);
        } /* the token outlives it */
        WANT_EQ(pthread_create(&thread, NULL, cancel_from_a_thread,
                               ambit_token_ref(part)), 0);
        ambit_scope (cx, bound, &rc) {
            WANT_EQ(ambit_token_bind(part, bound), 0);
            if (ambit_spawn(bound, wait_for_ever, &w) == 0 && round % 2) {
                let_others_run(cx);
            }
        }
        WANT_EQ(rc, 0); /* a cancel of its own */
        WANT_EQ(count_get(&ended), count_get(&started));
        ambit_scope (cx, late, &rc) {
            WANT_EQ(ambit_token_bind(part, late), 0);
            WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
            WANT_EQ(strcmp(ambit_cancel_reason(late).text, "a thread"), 0);
        }
        pthread_join(thread, NULL);
        ambit_token_unref(part);
    }
    ambit_token_unref(token);
    return 0;
}

/* Goal: the region ends with the token, and the token not with the region.
 * Method: bound before, during and after the cancel by another thread. */
Spec(TOKEN_BIND_1, a_bound_region_is_cancelled_with_the_token)
{
    spec_on_1_and_2_workers(bound_regions);
    spec_end("TOKEN_BIND_1");
}
