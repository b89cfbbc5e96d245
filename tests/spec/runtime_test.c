/* SPDX-License-Identifier: MIT */
/*
 * runtime_test.c -- create, run, stop, destroy: spec/runtime.md.
 *
 * RT-STOP-2 is in drain_test.c; RT-FLAT-1 and the long runs of RT-LEAK-1 are in
 * tests/stress/soak_test.c.
 */
#include "tests/spec/common.h"

#include <malloc.h>
#include <sys/time.h>
#include <sys/wait.h>

static ambit_runtime *make_runtime(unsigned workers)
{
    ambit_runtime *runtime = NULL;
    const struct ambit_runtime_options options = {
        .size_ = sizeof options, .workers = workers, .log = spec_log_line};
    WANT_EQ(ambit_runtime_create(&runtime, &options), 0);
    return runtime;
}

/* --- RT-RUN-1 ------------------------------------------------------------- */

struct outcome {
    int result;
    struct count *ended;
};

static int end_late(ambit_cx *cx, void *arg)
{
    for (int i = 0; i < 10; i++) {
        (void)ambit_sleep(cx, ambit_us(100));
    }
    count_up(*(struct count **)arg);
    return 0;
}

static int leave_tasks_behind(ambit_cx *cx, void *arg)
{
    struct outcome *o = arg;
    for (int i = 0; i < 10; i++) {
        WANT_EQ(ambit_spawn(ambit_cx_region(cx), end_late, &o->ended), 0);
    }
    return o->result;
}

/* Goal: a run ends when all has ended, with its function's result; then the
 * runtime runs again.
 * Method: one runtime, many runs that leave tasks to the root region. */
Spec(RT_RUN_1, a_run_returns_the_result_after_everything_has_ended)
{
    static const int results[] = {0, 7, -EIO, 0, INT32_MAX - 1, -1};
    for (unsigned workers = 1; workers <= 2; workers++) {
        int fds = test_open_fds(), threads = test_threads();
        ambit_runtime *runtime = make_runtime(workers);
        for (size_t i = 0; i < 5 * ARRAY_LEN(results); i++) {
            struct count ended = {0};
            struct outcome o = {results[i % ARRAY_LEN(results)], &ended};
            WANT_EQ(ambit_runtime_run(runtime, leave_tasks_behind, &o),
                    o.result);
            WANT(o.result < 0 || count_get(&ended) == 10);
            spec_ledger(runtime);
        }
        ambit_runtime_destroy(runtime);
        WANT(test_fds_back_to(fds));
        WANT(test_threads_back_to(threads));
    }
    spec_end("RT_RUN_1");
}

/* --- RT-STOP-1 ------------------------------------------------------------ */

static ambit_runtime *to_stop;

static void stop_from_handler(int signal_number)
{
    (void)signal_number;
    ambit_runtime_stop(to_stop);
}

struct stopper {
    struct count running, done;
};

static int wait_for_stop(ambit_cx *cx, void *arg)
{
    struct count *running = arg, cancelled = {0};
    int rc = 0;
    ambit_scope (cx, waiting, &rc) {
        struct waiter w = {running, &cancelled};
        for (int i = 0; i < 10; i++) {
            WANT_EQ(ambit_spawn(waiting, wait_for_ever, &w), 0);
        }
    }
    WANT_EQ(rc, -ECANCELED);
    WANT(count_get(&cancelled) <= 10);
    struct ambit_cancel_reason why = ambit_cancel_reason(ambit_cx_region(cx));
    WANT_EQ(why.kind, AMBIT_CANCEL_SHUTDOWN);
    return rc;
}

static void *stop_from_thread(void *arg)
{
    struct count *running = arg;
    WANT(spin_until(running, 10));
    ambit_runtime_stop(to_stop);
    ambit_runtime_stop(to_stop);
    return NULL;
}

static void *signal_from_thread(void *arg)
{
    struct count *running = arg;
    WANT(spin_until(running, 10));
    kill(getpid(), SIGUSR2);
    return NULL;
}

static int say_done(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_yield(cx), 0);
    count_up(arg);
    return 3;
}

/* Goal: a stop is a cancel of everything, from wherever.
 * Method: from a thread, from a signal handler, and between two runs. */
Spec(RT_STOP_1, a_stop_cancels_the_run)
{
    signal(SIGUSR2, stop_from_handler);
    for (unsigned workers = 1; workers <= 2; workers++) {
        ambit_runtime *runtime = to_stop = make_runtime(workers);
        struct count done = {0};
        for (int round = 0; round < 20; round++) {
            struct count running = {0};
            pthread_t thread;
            pthread_create(&thread, NULL,
                           round % 2 ? stop_from_thread : signal_from_thread,
                           &running);
            WANT_EQ(ambit_runtime_run(runtime, wait_for_stop, &running),
                    -ECANCELED);
            pthread_join(thread, NULL);
            ambit_runtime_stop(runtime);
            WANT_EQ(ambit_runtime_run(runtime, say_done, &done), 3);
        }
        WANT_EQ(count_get(&done), 20);
        spec_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    signal(SIGUSR2, SIG_DFL);
    spec_end("RT_STOP_1");
}

/* --- RT-STATS-1 ----------------------------------------------------------- */

static int end_variously(ambit_cx *cx, void *arg)
{
    int way = *(int *)arg;
    switch (way % 4) {
    case 0:
        return 0;
    case 1:
        return -EIO;
    case 2:
        ambit_panic(cx, "number %d", way);
    default:
        return ambit_sleep(cx, ambit_us(way % 50));
    }
}

static int mixed_ends(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        for (int i = 0; i < 1000; i++) {
            WANT_EQ(ambit_spawn(all, end_variously, &i), 0);
        }
    }
    ambit_scope (cx, doomed, &rc, .policy = AMBIT_ISOLATE) {
        for (int i = 0; i < 1000; i++) {
            WANT_EQ(ambit_spawn_with(doomed, end_variously, &i,
                                     .tier = AMBIT_FIBER), 0);
        }
        ambit_cancel(doomed, "before they run");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: every task is in one of the four columns.
 * Method: 2,000 tasks that end in all ways; the exact figures. */
Spec(RT_STATS_1, the_ledger_adds_up)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct ambit_runtime_stats s;
        ambit_runtime *runtime = make_runtime(workers);
        WANT_EQ(ambit_runtime_run(runtime, mixed_ends, NULL), 0);
        ambit_runtime_stats(runtime, &s);
        WANT_EQ(s.spawned, 2001); /* and the root */
        WANT_EQ(s.panicked, 250);
        WANT_EQ(s.cancelled, 1000);
        WANT_EQ(s.completed, 751);
        WANT_EQ(s.workers, workers);
        WANT(s.driver != NULL && s.driver_flags != NULL);
        spec_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    spec_end("RT_STATS_1");
}

/* --- RT-LEAK-1 ------------------------------------------------------------ */

static int some_of_everything(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count done = {0}, *pdone = &done;
    ambit_tcp *listener;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &listener), 0);
        WANT_EQ(ambit_defer(all, ambit_tcp_discard, listener), 0);
        WANT_EQ(ambit_spawn(all, end_late, &pdone), 0);
        WANT_EQ(ambit_spawn_with(all, end_late, &pdone,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT_EQ(ambit_sleep(cx, ambit_us(50)), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: nothing stays behind.
 * Method: 100 cycles; descriptors, threads and the heap are as after the
 * tenth. */
Spec(RT_LEAK_1, create_run_and_destroy_leave_nothing)
{
    size_t heap = 0;
    for (unsigned cycle = 0; cycle < 100 / SPEC_SLOWER + 12; cycle++) {
        WANT_EQ(spec_run(some_of_everything, NULL, .workers = 1 + cycle % 2),
                0);
#if SPEC_SLOWER == 1
        if (cycle == 10) {
            heap = mallinfo2().uordblks;
        } else if (cycle > 10) {
            WANT(mallinfo2().uordblks <= heap + 256);
        }
#else
        (void)heap;
#endif
    }
    spec_end("RT_LEAK_1");
}

/* --- RT-TWO-1 ------------------------------------------------------------- */

struct twin {
    ambit_runtime *runtime;
    struct count *running, *other_stopped;
    int result;
};

static int twin_main(ambit_cx *cx, void *arg)
{
    struct twin *twin = arg;
    count_up(twin->running);
    if (twin->other_stopped == NULL) {
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        ambit_panic(cx, "stopped, and then this");
    }
    while (count_get(twin->other_stopped) == 0) {
        WANT_EQ(ambit_sleep(cx, ambit_us(100)), 0);
    }
    return mixed_ends(cx, NULL);
}

static void *twin_thread(void *arg)
{
    struct twin *twin = arg;
    twin->result = ambit_runtime_run(twin->runtime, twin_main, twin);
    return NULL;
}

/* Goal: runtimes do not know each other.
 * Method: two at once; one is stopped and panics, the other goes on. */
Spec(RT_TWO_1, what_happens_to_one_runtime_does_not_happen_to_another)
{
    for (int round = 0; round < 10; round++) {
        struct count running = {0}, stopped = {0};
        pthread_t threads[2];
        struct twin a = {make_runtime(2), &running, NULL, 0};
        struct twin b = {make_runtime(2), &running, &stopped, 0};
        pthread_create(&threads[0], NULL, twin_thread, &a);
        pthread_create(&threads[1], NULL, twin_thread, &b);
        WANT(spin_until(&running, 2));
        ambit_runtime_stop(a.runtime);
        pthread_join(threads[0], NULL);
        ambit_runtime_destroy(a.runtime);
        count_up(&stopped);
        pthread_join(threads[1], NULL);
        WANT_EQ(a.result, -EOWNERDEAD);
        WANT_EQ(b.result, 0);
        spec_ledger(b.runtime);
        ambit_runtime_destroy(b.runtime);
    }
    spec_end("RT_TWO_1");
}

/* Two runtimes, of which the first can do nothing until the second's run is over. */
struct neighbours {
    struct hold hold;
    ambit_runtime *first;
    struct count ran; /* tasks of the second one */
    int result;
};

static int hold_both_workers(ambit_cx *cx, void *arg)
{
    struct neighbours *n = arg;
    struct hold *hold = &n->hold;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker, &hold,
                                 .placement = AMBIT_PINNED,
                                 .worker = 1 - ambit_cx_worker(cx)),
                0);
        WANT_EQ(hold_worker(cx, &hold), 0);
    }
    return rc;
}

static void *first_thread(void *arg)
{
    struct neighbours *n = arg;
    n->result = ambit_runtime_run(n->first, hold_both_workers, n);
    return NULL;
}

static void run_beside(struct neighbours *n, ambit_task_fn *body)
{
    pthread_t thread;
    n->first = make_runtime(2);
    pthread_create(&thread, NULL, first_thread, n);
    WANT(spin_until(&n->hold.here, 2));
    WANT_EQ(spec_run(body, n, .workers = 2), 0);
    count_up(&n->hold.gate);
    pthread_join(thread, NULL);
    WANT_EQ(n->result, 0);
    spec_ledger(n->first);
    ambit_runtime_destroy(n->first);
}

static int end_at_once(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    WANT(ambit_cx_runtime(cx) != n->first);
    count_up(&n->ran);
    return 0;
}

struct spawner {
    struct neighbours *n;
    ambit_region *region;
};

static int spawn_from_the_pool(void *arg)
{
    struct spawner *s = arg;
    for (int i = 0; i < 10; i++) {
        WANT_EQ(ambit_spawn(s->region, end_at_once, &s->n), 0);
    }
    return 0;
}

/* What goes from worker to worker, by the pool, and from the pool to workers. */
static int go_on(ambit_cx *cx, void *arg)
{
    struct neighbours *n = arg;
    int rc = 0;
    WANT_EQ(mixed_ends(cx, NULL), 0);
    ambit_scope (cx, all, &rc) {
        struct spawner s = {n, all};
        WANT_EQ(ambit_blocking(cx, spawn_from_the_pool, &s), 0);
        for (unsigned i = 0; i < 2; i++) {
            WANT_EQ(ambit_spawn_with(all, end_at_once, &n,
                                     .placement = AMBIT_PINNED, .worker = i),
                    0);
        }
        WANT(until(cx, &n->ran, 12));
    }
    WANT_EQ(count_get(&n->ran), 12);
    WANT_EQ(count_get(&n->hold.gate), 0);
    return rc;
}

/* Goal: nor what does not happen.
 * Method: both workers of one are held until the other's run is over, which uses
 * its workers, its pool and its clock. */
Spec(RT_TWO_1, a_stall_of_one_does_not_hold_the_other)
{
    struct neighbours n = {.result = -1};
    run_beside(&n, go_on);
    spec_end("RT_TWO_1");
}

/* --- RT-CONFIG-1 ---------------------------------------------------------- */

/* Goal: a wrong option is refused by name.
 * Method: each bounded option beyond its bounds; the log. */
Spec(RT_CONFIG_1, an_option_out_of_range_is_refused_by_name)
{
    static const struct {
        const char *name;
        struct ambit_runtime_options options;
    } bad[] = {
        {"workers", {.workers = 65}},
        {"stack_size", {.stack_size = 8 << 10}},
        {"stack_size", {.stack_size = 100000}},
        {"stack_size", {.stack_size = 128 << 20}},
        {"ring_entries", {.ring_entries = 7}},
        {"ring_entries", {.ring_entries = 32769}},
        {"blocking_threads_max", {.blocking_threads_max = 4097}},
        {"blocking_idle", {.blocking_idle = {-1}}},
        {"idle", {.idle = AMBIT_IDLE_SPIN + 1}},
        {"idle_sleep", {.idle_sleep = {-1}}},
        {"steal_backoff", {.steal_backoff = {-1}}},
        {"steal_backoff", {.steal_backoff = {1000000001}}},
        {"thread_name", {.thread_name = "nine-long"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ambit_runtime_options options = bad[i].options;
        ambit_runtime *runtime = NULL;
        options.size_ = sizeof options;
        options.log = spec_log_line;
        spec_log.len = 0;
        spec_log.text[0] = '\0';
        WANT_EQ(ambit_runtime_create(&runtime, &options), -EINVAL);
        WANT(runtime == NULL);
        WANT(spec_logged(bad[i].name));
    }
    ambit_runtime_destroy(NULL);
    spec_end("RT_CONFIG_1");
}

/* --- RT-MAIN-1 ------------------------------------------------------------ */

static int main_that_returns(ambit_cx *cx, int argc, char **argv)
{
    (void)argc;
    WANT_EQ(ambit_yield(cx), 0);
    return atoi(argv[1]);
}

static int status_of_main(const char *result, char *ret_text, size_t room)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char program[] = "program", value[16];
        char *argv[] = {program, value, NULL};
        snprintf(value, sizeof value, "%s", result);
        dup2(ends[1], STDERR_FILENO);
        _exit(ambit_run_main_(main_that_returns, 2, argv));
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], ret_text + len, room - 1 - len)) > 0) {
        len += (size_t)n;
    }
    ret_text[len] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Goal: the shell learns how it ended, the user reads why.
 * Method: child processes; status and stderr.  (examples_test.c runs whole
 * programs.) */
Spec(RT_MAIN_1, the_exit_status_and_a_sentence_tell_how_main_ended)
{
    char text[512];
    cr_assert_eq(status_of_main("0", text, sizeof text), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(status_of_main("3", text, sizeof text), 3);
    cr_assert_str_eq(text, "");
    char number[16];
    snprintf(number, sizeof number, "%d", -ECONNREFUSED);
    cr_assert_eq(status_of_main(number, text, sizeof text), 1);
    cr_assert(strstr(text, "program") != NULL && strstr(text, "refused"),
              "stderr was: %s", text);
}
