/* SPDX-License-Identifier: MIT */
/*
 * panic_test.c -- a task that crashes, and everybody else.
 *
 * TASK-PANIC and TASK-STACK of spec/task.md.
 */
#include "tests/spec/common.h"

#include <sys/wait.h>

/* --- TASK-PANIC-1 --------------------------------------------------------- */

/* What happened, one letter each. */
struct story {
    struct count len;
    char text[64];
};

static struct story story;
static struct count children_waiting;

static void tell(char letter)
{
    int64_t at = count_up(&story.len);
    if (at < (int64_t)sizeof story.text - 1) {
        story.text[at] = letter;
    }
}

static void story_begin(void)
{
    memset(story.text, 0, sizeof story.text);
    count_set(&story.len, 0);
    count_set(&children_waiting, 0);
}

static void tell_finalizer(void *arg)
{
    tell(*(const char *)arg);
}

static int child_that_waits(ambit_cx *cx, void *arg)
{
    count_up(&children_waiting);
    int rc = ambit_sleep_until(cx, ambit_never());
    WANT_EQ(rc, -ECANCELED);
    tell(**(const char **)arg);
    return rc;
}

static void open_three(ambit_cx *cx, int depth)
{
    static const char children[] = "123", finalizers[] = "abc";
    int rc = 0;
    ambit_scope (cx, level, &rc) {
        const char *child = &children[depth];
        WANT_EQ(ambit_spawn(level, child_that_waits, &child), 0);
        WANT(until(cx, &children_waiting, depth + 1));
        WANT_EQ(ambit_defer(level, tell_finalizer, (void *)&finalizers[depth]),
                0);
        if (depth == 2) {
            ambit_panic(cx, "in scope number %d", depth);
        }
        open_three(cx, depth + 1);
        tell('!');
    }
    tell('!');
}

static int panic_three_deep(ambit_cx *cx, void *arg)
{
    (void)arg;
    open_three(cx, 0);
    tell('!');
    return 0;
}

static int nested_panic(ambit_cx *cx, void *arg)
{
    (void)arg;
    story_begin();
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, panic_three_deep, &rc), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    if (strcmp(story.text, "3c2b1a") != 0) {
        fprintf(stderr, "the story was %s\n", story.text);
        WANT(!"innermost first: children, then finalizers");
    }
    return 0;
}

/* Goal: a panic unwinds the open scopes and runs nothing else of the task.
 * Method: three nested scopes, each with a child and a finalizer, tell. */
Spec(TASK_PANIC_1, a_panic_closes_the_open_scopes_innermost_first)
{
    spec_on_1_and_2_workers(nested_panic);
    WANT(spec_logged("in scope number 2"));
    spec_end("TASK_PANIC_1");
}

static int panic_in_finalizer(ambit_cx *cx, void *arg)
{
    tell(*(const char *)arg);
    ambit_panic(cx, "in a finalizer");
}

static int finalizer_that_panics(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, level, &rc) {
        WANT_EQ(ambit_defer(level, tell_finalizer, (void *)"a"), 0);
        WANT_EQ(ambit_defer_async(level, panic_in_finalizer, (void *)"b"), 0);
        WANT_EQ(ambit_defer(level, tell_finalizer, (void *)"c"), 0);
    }
    tell('!');
    return 0;
}

static int panic_while_finalizing(ambit_cx *cx, void *arg)
{
    (void)arg;
    story_begin();
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, finalizer_that_panics, &rc), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    if (strcmp(story.text, "cba") != 0) {
        fprintf(stderr, "the story was %s\n", story.text);
        WANT(!"the finalizers left still run");
    }
    return 0;
}

/* Goal: a panic inside a finalizer does not rob the others of their turn.
 * Method: three finalizers, the middle one panics. */
Spec(TASK_PANIC_1, a_panic_in_a_finalizer_leaves_the_others_their_turn)
{
    spec_on_1_and_2_workers(panic_while_finalizing);
    spec_end("TASK_PANIC_1");
}

/* --- TASK-PANIC-2, TASK-PANIC-3 ------------------------------------------- */

static int panic_now(ambit_cx *cx, void *arg)
{
    ambit_panic(cx, "number %d", *(int *)arg);
}

static int panic_after_a_wait(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(ambit_sleep(cx, ambit_us(100)), 0);
    ambit_panic(cx, "number %d", *(int *)arg);
}

static int go_on(ambit_cx *cx, void *arg)
{
    for (int i = 0; i < 10; i++) {
        if (ambit_yield(cx) < 0) {
            return -ECANCELED;
        }
    }
    count_up(*(struct count **)arg);
    return 0;
}

static int panics_among_others(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const enum ambit_policy policies[] = {AMBIT_ISOLATE, AMBIT_COLLECT};
    for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
        struct count finished = {0}, *pfinished = &finished;
        int rc = 0;
        ambit_scope (cx, all, &rc, .policy = policies[p]) {
            for (int i = 0; i < 100; i++) {
                WANT_EQ(ambit_spawn(all, i % 2 ? panic_now : panic_after_a_wait,
                                    &i), 0);
                WANT_EQ(ambit_spawn(all, go_on, &pfinished), 0);
            }
        }
        WANT_EQ(count_get(&finished), 100);
        WANT_EQ(rc, policies[p] == AMBIT_ISOLATE ? 0 : -EOWNERDEAD);
    }
    return 0;
}

/* On a pool thread, and then the same thread works on. */
static int panics_in_the_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count finished = {0}, *pfinished = &finished;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        for (int i = 0; i < 20; i++) {
            ambit_task task;
            int result = 77;
            WANT_EQ(ambit_spawn_with(all, panic_now, &i,
                                     .tier = AMBIT_BLOCKING,
                                     .ret_task = &task), 0);
            WANT_EQ(ambit_join(cx, task, &result), 0);
            WANT_EQ(result, -EOWNERDEAD);
            WANT_EQ(ambit_spawn(all, go_on, &pfinished), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&finished), 20);
    return 0;
}

static int panicking_root(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_panic(cx, "the root");
}

/* Goal: one crash is one crash.
 * Method: 100 panics among 100 healthy tasks under each tolerant policy; and
 * the first task of a run panics, which run() reports. */
Spec(TASK_PANIC_2, a_panic_ends_one_task_only)
{
    spec_on_1_and_2_workers(panics_among_others);
    spec_on_1_and_2_workers(panics_in_the_pool);
    WANT_EQ(spec_run(panicking_root, NULL, .workers = 1), -EOWNERDEAD);
    spec_end("TASK_PANIC_2");
}

static int panic_is_a_failure(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, cancelled = {0};
    int rc = 0, number = 1;
    ambit_scope (cx, fast, &rc) {
        struct waiter w = {&started, &cancelled};
        WANT_EQ(ambit_spawn(fast, wait_for_ever, &w), 0);
        WANT(until(cx, &started, 1));
        WANT_EQ(ambit_spawn(fast, panic_now, &number), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&cancelled), 1);
    rc = 0;
    ambit_scope (cx, collecting, &rc, .policy = AMBIT_COLLECT) {
        WANT_EQ(ambit_spawn(collecting, panic_now, &number), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    rc = -EIO;
    ambit_scope (cx, after, &rc, .policy = AMBIT_COLLECT) {
        WANT_EQ(ambit_spawn(after, panic_now, &number), 0);
    }
    WANT_EQ(rc, -EIO);
    return 0;
}

/* Goal: the region sees a panic as a failure of its own kind.
 * Method: rc after a panic under FAIL_FAST and COLLECT, fresh and not. */
Spec(TASK_PANIC_3, a_panic_fails_the_region)
{
    spec_on_1_and_2_workers(panic_is_a_failure);
    spec_end("TASK_PANIC_3");
}

/* --- TASK-STACK-1 --------------------------------------------------------- */

static int dig(volatile char *above, int depth)
{
    volatile char room[512];
    room[0] = (char)(above[0] + depth);
    return depth > 1000000 ? 0 : dig(room, depth + 1) + room[0];
}

static int overflow_now(ambit_cx *cx, void *arg)
{
    (void)cx;
    volatile char first[1] = {*(const char *)arg};
    return dig(first, 0) > 0;
}

static int spawn_digger(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, overflow_now, "x", .name = "mole"), 0);
    }
    return rc;
}

/* What a child process that overflows writes to stderr; its status. */
static int overflow_in_child(char *ret_text, size_t room)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        ambit_run(spawn_digger, NULL, .workers = 1, .stack_size = 32 << 10);
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len + 1 < room) {
        n = read(ends[0], ret_text + len, room - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    ret_text[len] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

/* Goal: an overflow names the task and ends the process.
 * Method: a child process digs; its stderr is read. */
Spec(TASK_STACK_1, an_overflow_is_reported_with_the_name_of_the_task)
{
#if SPEC_SLOWER > 1
    cr_skip_test("sanitizers have reports of their own");
#endif
    char text[4096];
    int status = overflow_in_child(text, sizeof text);
    cr_assert(WIFSIGNALED(status), "ended with %d", status);
    cr_assert(strstr(text, "mole") != NULL, "no name in: %s", text);
    cr_assert(strstr(text, "32") != NULL, "no size in: %s", text);
}
