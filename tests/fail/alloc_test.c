/* SPDX-License-Identifier: MIT */
/*
 * alloc_test.c -- the n-th allocation fails, for every n of a scenario.
 *
 * From the create of a runtime to its end each request is counted and the
 * chosen one is refused.  Whatever comes of it, nothing crashes, nothing hangs,
 * nothing stays behind.
 */
#include "tests/fail/refuse.h"

#if !REFUSE_WORKS

Test(alloc, a_tool_has_its_own_malloc)
{
}

#else

/* --- a scenario that asks for memory everywhere --------------------------- */

static int fat_task(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_yield(cx);
}

static int waits(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

static int job(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 0;
}

struct echo_call { char text[900]; };
struct echo_reply { int n; };
struct echo { ambit_reply kept; };

static int echo_call_h(ambit_cx *cx, struct echo *state,
                       const struct echo_call *call,
                       struct echo_reply *ret_reply)
{
    ret_reply->n = call->text[0];
    if (call->text[0] == 'k') {
        state->kept = ambit_reply_later(cx);
        return AMBIT_NO_REPLY;
    }
    if (call->text[0] == 'p') {
        ambit_panic(cx, "told to");
    }
    return 0;
}

static int echo_idle(ambit_cx *cx, struct echo *state)
{
    (void)cx;
    struct echo_reply reply = {1};
    (void)ambit_reply_send(state->kept, 0, &reply, sizeof reply);
    return 0;
}

AMBIT_SERVER(echo, struct echo, struct echo_call, struct echo_reply,
             .handle_call = echo_call_h, .handle_idle = echo_idle);

static void use_servers(ambit_cx *cx, ambit_region *region)
{
    ambit_actor_ref refs[2] = {{0}};
    struct echo_reply reply;
    struct ambit_child children[] = {
        {.server = &echo_type, .arg = "x", .arg_size = 2, .ret_ref = &refs[0]},
        {.task = waits, .arg = "y", .arg_size = 2},
    };
    (void)ambit_supervise(cx, region, children, 2, .intensity = 5);
    (void)echo_start(cx, region, "z", 2, &refs[1]);
    for (int i = 0; i < 2; i++) {
        (void)echo_call(cx, refs[i], &reply, (struct echo_call){"a"});
        (void)echo_call(cx, refs[i], &reply, (struct echo_call){"k"});
        (void)ambit_try_send(refs[i], "large", 3000);
        (void)echo_call(cx, refs[i], &reply, (struct echo_call){"p"});
        (void)echo_call(cx, refs[i], &reply, (struct echo_call){"a"});
    }
}

static void use_sockets(ambit_cx *cx)
{
    ambit_tcp *listener = NULL, *here = NULL, *there = NULL;
    char address[64];
    if (ambit_tcp_listen("127.0.0.1:0", &listener) == 0 &&
        ambit_tcp_local(listener, address, sizeof address) == 0 &&
        ambit_tcp_connect(cx, address, &here) == 0 &&
        ambit_tcp_accept(cx, listener, &there) == 0) {
        char byte;
        (void)ambit_tcp_write_all(cx, here, "x", 1, NULL);
        (void)ambit_tcp_read(cx, there, &byte, 1);
    }
    ambit_tcp_discard(here);
    ambit_tcp_discard(there);
    ambit_tcp_discard(listener);
}

static int branch(ambit_cx *cx, void *arg, void *ret)
{
    int rc = ambit_spawn(ambit_cx_region(cx), fat_task, (char(*)[100])ret);
    (void)arg;
    rc = rc < 0 ? rc : ambit_yield(cx);
    memset(ret, 1, 100);
    return rc;
}

static void use_combinators(ambit_cx *cx)
{
    char text[100] = {0};
    struct ambit_branch b = {.fn = branch, .arg = text, .arg_size = sizeof text,
                             .ret = text, .ret_size = sizeof text};
    ambit_future future = {0};
    ambit_token *token = NULL, *child = NULL;
    int rc = 0, result;
    (void)ambit_join2(cx, b, b);
    (void)ambit_race2(cx, b, b, NULL);
    (void)ambit_hedge(cx, AMBIT_BRANCHES(b, b), ambit_ns(0), NULL);
    (void)ambit_timeout(cx, ambit_s(100), b);
    ambit_group (cx, group, &rc) {
        (void)ambit_group_spawn(group, b, NULL);
        (void)ambit_group_spawn(group, b, &future);
        (void)ambit_future_join(cx, future, &text, &result);
    }
    rc = 0;
    ambit_scope (cx, bound, &rc) {
        if (ambit_token_create(NULL, &token) == 0 &&
            ambit_token_create(token, &child) == 0 &&
            ambit_token_bind(child, bound) == 0) {
            ambit_token_cancel(token, "enough");
            WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
        }
        ambit_token_unref(token);
        ambit_token_unref(child);
    }
}

static void finalize(void *arg)
{
    count_up(arg);
}

static int all_of_it(ambit_cx *cx, void *arg)
{
    struct count *finalized = arg;
    int64_t deferred = count_get(finalized);
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE, .until_signal = SIGUSR1) {
        char fat[2000] = {0};
        ambit_task task = {0};
        int result;
        deferred += ambit_defer(s, finalize, finalized) == 0;
        for (int i = 0; i < 6; i++) {
            (void)ambit_spawn(s, fat_task, &fat);
        }
        (void)ambit_spawn_with(s, fat_task, &fat, .ret_task = &task);
        (void)ambit_join(cx, task, &result);
        (void)ambit_spawn_with(s, job, &result, .tier = AMBIT_BLOCKING);
        (void)ambit_set_deadline(s, ambit_after(ambit_s(100)));
        use_servers(cx, s);
        use_sockets(cx);
        use_combinators(cx);
        ambit_cancel(s, "enough");
    }
    WANT_EQ(count_get(finalized), deferred);
    return 0;
}

/* One whole life of a runtime; what is asked for during it is counted. */
static int64_t live_and_die(int64_t at, unsigned workers)
{
    struct count finalized = {0};
    struct ambit_runtime_options o = {
        .size_ = sizeof o, .workers = workers, .log = spec_log_line};
    ambit_runtime *runtime = NULL;
    refuse_at(at);
    int rc = ambit_runtime_create(&runtime, &o);
    if (rc == 0) {
        rc = ambit_runtime_run(runtime, all_of_it, &finalized);
        spec_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    count_set(&fail_at, 0);
    WANT(rc <= 0);
    return count_get(&asked);
}

static void fail_each(unsigned workers)
{
    int fds = test_open_fds();
    int threads = test_threads();
    (void)live_and_die(INT64_MAX, workers); /* what is allocated once */
    int64_t all = live_and_die(INT64_MAX, workers);
    WANT(all > 50);
    for (int64_t at = 1; at <= all + 5; at++) {
        int64_t before = count_get(&live);
        alarm(60);
        (void)live_and_die(at, workers);
        alarm(0);
        WANT(test_threads_back_to(threads));
        WANT_EQ(count_get(&live), before);
        if (count_get(&spec_failures) > 0) {
            fprintf(stderr, "request %lld of %lld failed\n", (long long)at,
                    (long long)all);
            break;
        }
    }
    WANT(test_fds_back_to(fds));
}

/* Goal: each allocation may fail. */
Test(alloc, every_request_for_memory_may_be_refused)
{
    fail_each(1);
    fail_each(2);
    spec_end("RT_LEAK_1");
}

#endif
