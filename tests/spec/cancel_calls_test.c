/* SPDX-License-Identifier: MIT */
/*
 * cancel_calls_test.c -- which calls tell of a cancel (CAN-13), a stop at every
 * step (RT-STOP-1), and what must not be nested wrongly (REG-NEST-1).
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* --- CAN-13 ---------------------------------------------------------------- */

struct echo {
    int n;
};

static int echo_handle_call(ambit_cx *cx, struct echo *state,
                            const struct echo *call, struct echo *ret_reply)
{
    (void)cx;
    (void)state;
    *ret_reply = *call;
    return 0;
}

AMBIT_SERVER(echo, struct echo, struct echo, struct echo,
             .handle_call = echo_handle_call);

static int no_job(void *arg)
{
    (void)arg;
    WANT(!"a job of a cancelled task is never run");
    return 0;
}

static int no_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    WANT(!"a task of a cancelled region is never run");
    return 0;
}

static void no_finalizer(void *arg)
{
    (void)arg;
}

/* What the calls work on; opened outside of what is cancelled. */
struct stage {
    struct pair pair;
    ambit_file *file;
    ambit_actor_ref server;
    ambit_task running;
    ambit_region *cancelled;
};

#define TELLS(call) WANT_EQ((call), -ECANCELED)
#define IS_SILENT(call) WANT((call) != -ECANCELED)

static struct ambit_semaphore permits = AMBIT_SEMAPHORE_INIT(2, 2);
static struct ambit_mutex mutex = AMBIT_MUTEX_INIT;
static struct ambit_rwlock rwlock = AMBIT_RWLOCK_INIT;
static struct ambit_notify news = AMBIT_NOTIFY_INIT;
static struct ambit_barrier barrier = AMBIT_BARRIER_INIT(1);
static struct ambit_once once = AMBIT_ONCE_INIT;
static int room[1], value;
static struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
static struct ambit_oneshot oneshot = AMBIT_ONESHOT_INIT(value);

static void sync_calls_that_tell(ambit_cx *cx)
{
    TELLS(ambit_semaphore_acquire(cx, &permits, 1));
    TELLS(ambit_mutex_lock(cx, &mutex));
    TELLS(ambit_mutex_hold(cx, &mutex));
    TELLS(ambit_rwlock_read(cx, &rwlock));
    TELLS(ambit_rwlock_write(cx, &rwlock));
    TELLS(ambit_notify_wait(cx, &news));
    TELLS(ambit_barrier_wait(cx, &barrier));
    TELLS(ambit_once(cx, &once, no_task, NULL));
    struct ambit_channel_permit permit;
    int item = 1;
    TELLS(ambit_channel_send(cx, &channel, &item));
    TELLS(ambit_channel_reserve(cx, &channel, &permit));
    TELLS(ambit_channel_receive(cx, &channel, &item));
    TELLS(ambit_oneshot_receive(cx, &oneshot, &item));
}

static void sync_calls_that_are_silent(void)
{
    WANT_EQ(ambit_semaphore_try_acquire(&permits, 2), 0);
    WANT_EQ(ambit_semaphore_release(&permits, 2), 0);
    WANT_EQ(ambit_mutex_try_lock(&mutex), 0);
    ambit_mutex_unlock(&mutex);
    WANT_EQ(ambit_rwlock_try_read(&rwlock), 0);
    ambit_rwlock_read_end(&rwlock);
    WANT_EQ(ambit_rwlock_try_write(&rwlock), 0);
    ambit_rwlock_write_end(&rwlock);
    ambit_notify_one(&news);
    ambit_notify_all(&news);
    struct ambit_channel_permit permit;
    int item = 1;
    WANT_EQ(ambit_channel_try_reserve(&channel, &permit), 0);
    WANT_EQ(ambit_channel_commit(&permit, &item), 0);
    WANT_EQ(ambit_channel_try_send(&channel, &item), -EAGAIN);
    WANT_EQ(ambit_channel_try_receive(&channel, &item), 0);
    WANT_EQ(ambit_channel_try_reserve(&channel, &permit), 0);
    ambit_channel_abort(&permit);
    IS_SILENT(ambit_channel_close(&channel));
    IS_SILENT(ambit_oneshot_send(&oneshot, &item));
    IS_SILENT(ambit_oneshot_try_receive(&oneshot, &item));
    WANT_EQ(ambit_channel_init(&channel, room, 1, sizeof item), 0);
}

/* The first half of the table: each answers -ECANCELED, and nothing happens. */
static void calls_that_tell(ambit_cx *cx, struct stage *s)
{
    struct ambit_scope_block block;
    struct ambit_permit permit;
    struct echo reply, call = {1};
    ambit_tcp *socket = NULL;
    ambit_file *file = NULL;
    ambit_actor_ref ref;
    char buffer[4] = "";
    int result = 0;
    const struct ambit_child children[] = {
        {.name = "echo", .server = &echo_type, .ret_ref = &ref},
    };
    TELLS(ambit_checkpoint(cx));
    TELLS(ambit_yield(cx));
    TELLS(ambit_sleep(cx, ambit_ns(0)));
    TELLS(ambit_sleep(cx, ambit_us(1)));
    TELLS(ambit_sleep_until(cx, (ambit_time){1}));
    TELLS(ambit_join(cx, s->running, &result));
    TELLS(ambit_blocking(cx, no_job, NULL));
    TELLS(ambit_scope_open(cx, &block, NULL));
    TELLS(ambit_tcp_accept(cx, s->pair.listener, &socket));
    TELLS(ambit_tcp_connect(cx, s->pair.address, &socket));
    TELLS(ambit_tcp_read(cx, s->pair.here, buffer, sizeof buffer));
    TELLS(ambit_tcp_write(cx, s->pair.here, "x", 1));
    TELLS(ambit_tcp_write_all(cx, s->pair.here, "x", 1, NULL));
    TELLS(ambit_file_open(cx, "/proc/self/stat", O_RDONLY, 0, &file));
    TELLS(ambit_file_read(cx, s->file, buffer, sizeof buffer, 0));
    TELLS(ambit_file_write(cx, s->file, "x", 1, 0));
    TELLS(ambit_file_write_all(cx, s->file, "x", 1, 0, NULL));
    TELLS(ambit_file_sync(cx, s->file));
    TELLS(ambit_file_datasync(cx, s->file));
    TELLS(ambit_file_truncate(cx, s->file, 0));
    TELLS(ambit_reserve(cx, s->server, 8, &permit));
    TELLS(ambit_send(cx, s->server, "x", 1));
    TELLS(ambit_cast(cx, s->server, &call, sizeof call));
    TELLS(echo_call(cx, s->server, &reply, call));
    TELLS(echo_call_now(cx, s->server, &reply, call));
    TELLS(echo_start(cx, s->cancelled, NULL, 0, &ref));
    TELLS(ambit_supervise(cx, s->cancelled, children, 1));
    sync_calls_that_tell(cx);
    WANT(socket == NULL && file == NULL && result == 0);
}

/* The second half: whatever they answer, it is not that. */
static void calls_that_are_silent(ambit_cx *cx, struct stage *s)
{
    struct ambit_cancel_chain chain;
    struct ambit_permit permit;
    ambit_tcp *listener = NULL;
    ambit_time now;
    uint64_t number, size;
    char text[64];
    int none = 0;
    ambit_cancel(s->cancelled, "again");
    WANT_EQ(ambit_cancel_chain(s->cancelled, &chain), 1);
    WANT_EQ(ambit_spawn(s->cancelled, no_task, &none), -ESHUTDOWN);
    WANT_EQ(ambit_set_deadline(s->cancelled, ambit_never()), -ESHUTDOWN);
    WANT_EQ(ambit_defer(s->cancelled, no_finalizer, NULL), 0);
    WANT_EQ(ambit_cx_now(cx, &now), 0);
    WANT_EQ(ambit_random(cx, &number), 0);
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &listener), 0);
    WANT_EQ(ambit_tcp_local(listener, text, sizeof text), 0);
    WANT_EQ(ambit_tcp_close(cx, listener), 0);
    WANT_EQ(ambit_tcp_shutdown(s->pair.here, SHUT_WR), 0);
    WANT_EQ(ambit_tcp_close(cx, s->pair.here), 0);
    WANT_EQ(ambit_file_size(s->file, &size), 0);
    WANT_EQ(ambit_file_close(cx, s->file), 0);
    IS_SILENT(ambit_try_send(s->server, "x", 1));
    if (ambit_try_reserve(s->server, 8, &permit) == 0) {
        ambit_abort(&permit);
    }
    if (ambit_try_reserve(s->server, 8, &permit) == 0) {
        IS_SILENT(ambit_commit(&permit));
    }
    IS_SILENT(ambit_actor_stop(s->server));
    sync_calls_that_are_silent();
}

static int make_all_calls(ambit_cx *cx, void *arg)
{
    struct count started = {0}, ended = {0};
    struct waiter w = {&started, &ended};
    struct stage s = {.file = NULL};
    int rc = 0;
    (void)arg;
    pair_open(cx, &s.pair);
    WANT_EQ(ambit_file_open(cx, "/tmp", O_TMPFILE | O_RDWR, 0600, &s.file), 0);
    ambit_scope (cx, around, &rc, .policy = AMBIT_ISOLATE) {
        WANT_EQ(ambit_spawn_with(around, wait_for_ever, &w,
                                 .ret_task = &s.running), 0);
        WANT_EQ(echo_start(cx, around, NULL, 0, &s.server), 0);
        WANT(until(cx, &started, 1));
        ambit_scope (cx, cancelled, &rc) {
            s.cancelled = cancelled;
            ambit_cancel(cancelled, "now");
            calls_that_tell(cx, &s);
            calls_that_are_silent(cx, &s);
            TELLS(ambit_yield(cx));
        }
        ambit_cancel(around, "the end");
    }
    WANT_EQ(rc, 0);
    s.pair.here = NULL;
    pair_close(&s.pair);
    return 0;
}

/* Goal: a program knows which of its calls can be cut off, and no clean-up is
 * among them.
 * Method: the table of spec/cancel.md, call by call, in a cancelled scope. */
Spec(CAN_13, the_calls_that_tell_of_a_cancel_are_those_of_the_table)
{
    spec_on_1_and_2_workers(make_all_calls);
    spec_end("CAN_13");
}

/* --- CAN-3: ten thousand deadlines at once --------------------------------- */

enum { READERS = 10000 / (SPEC_SLOWER * SPEC_SLOWER) };

struct reader {
    struct pair *pair;
    ambit_time deadline;
    struct count *cut;
};

static int read_until_deadline(ambit_cx *cx, void *arg)
{
    struct reader *r = arg;
    char byte;
    int rc = 0;
    ambit_scope (cx, timed, &rc, .deadline = r->deadline) {
        ssize_t n = ambit_tcp_read(cx, r->pair->here, &byte, 1);
        WANT_EQ(n, -ECANCELED);
        WANT_EQ(ambit_cancel_reason(timed).kind, AMBIT_CANCEL_DEADLINE);
    }
    count_add(r->cut, rc == -ETIMEDOUT);
    return 0;
}

static int expire_a_crowd(ambit_cx *cx, void *arg)
{
    struct count cut = {0};
    struct pair pair;
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, crowd, &rc) {
        struct reader r = {&pair, ambit_after(ambit_ms(200)), &cut};
        for (int i = 0; i < READERS; i++) {
            WANT_EQ(ambit_spawn(crowd, read_until_deadline, &r), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&cut), READERS);
    pair_close(&pair);
    return 0;
}

/* Goal: no cancel is lost for want of room in a queue.
 * Method: 10,000 reads with one common deadline, through a ring of eight. */
Spec(CAN_3, ten_thousand_deadlines_at_once)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(expire_a_crowd, NULL, .workers = workers,
                         .ring_entries = 8, .stack_size = 16 << 10), 0);
    }
    spec_end("CAN_3");
}

/* --- RT-STOP-1: at every step ---------------------------------------------- */

struct steps {
    struct count taken, opened, closed;
    int64_t stop_at;
    bool ended;
};

static int step(ambit_cx *cx, struct steps *s)
{
    if (count_up(&s->taken) == s->stop_at) {
        ambit_runtime_stop(ambit_cx_runtime(cx));
    }
    return ambit_yield(cx);
}

static void note_closed(void *arg)
{
    struct steps *s = arg;
    count_up(&s->closed);
}

static int finish_slowly(ambit_cx *cx, void *arg)
{
    struct steps *s = arg;
    WANT_EQ(step(cx, s), 0);
    note_closed(s);
    return 0;
}

static void note_opened(ambit_region *region, struct steps *s)
{
    count_add(&s->opened, ambit_defer(region, note_closed, s) == 0);
    count_add(&s->opened, ambit_defer_async(region, finish_slowly, s) == 0);
}

static int branch(ambit_cx *cx, void *arg)
{
    struct steps *s = *(struct steps **)arg;
    int rc = step(cx, s);
    ambit_scope (cx, inner, &rc) {
        note_opened(inner, s);
        (void)step(cx, s);
        (void)ambit_sleep(cx, ambit_us(1));
        (void)step(cx, s);
    }
    return rc;
}

static int live(ambit_cx *cx, void *arg)
{
    struct steps *s = arg;
    struct echo reply;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref server;
        note_opened(all, s);
        for (int i = 0; i < 3; i++) {
            (void)ambit_spawn(all, branch, &s);
            (void)step(cx, s);
        }
        if (echo_start(cx, all, NULL, 0, &server) == 0) {
            (void)step(cx, s);
            (void)echo_call(cx, server, &reply, (struct echo){3});
            (void)step(cx, s);
            (void)ambit_actor_stop(server);
        }
        (void)step(cx, s);
    }
    s->ended = true;
    return rc;
}

/* Goal: a stop is a cancel of the root, whenever it comes.
 * Method: a program of scopes, tasks, finalizers and a server is stopped at its
 * first step, its second, ... until it ends without; each time everything that
 * was opened is closed, and the ledger adds up. */
Spec(RT_STOP_1, a_stop_at_every_step)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        int64_t taken = 1;
        for (int64_t at = 0; at < taken; at++) {
            struct steps s = {.stop_at = at};
            int rc = spec_run(live, &s, .workers = workers);
            WANT(rc == 0 || rc == -ECANCELED);
            WANT(s.ended);
            WANT_EQ(count_get(&s.opened), count_get(&s.closed));
            taken = count_get(&s.taken);
        }
        WANT(taken > 10);
    }
    spec_end("RT_STOP_1");
}

/* --- REG-NEST-1 ------------------------------------------------------------ */

enum misuse { OTHER_TASK, OUT_OF_ORDER, TWICE, MISUSES };

/* In a struct: by itself it would not compile as an argument. */
struct anothers {
    struct ambit_scope_block *block;
};

static int close_anothers(ambit_cx *cx, void *arg)
{
    (void)ambit_scope_close(cx, ((struct anothers *)arg)->block, 0);
    return 0;
}

static int misuse(ambit_cx *cx, void *arg)
{
    struct ambit_scope_block outer, inner;
    struct anothers anothers = {&outer};
    int rc = 0;
    (void)ambit_scope_open(cx, &outer, NULL);
    switch (*(enum misuse *)arg) {
    case OTHER_TASK:
        ambit_scope (cx, around, &rc) {
            (void)ambit_spawn(around, close_anothers, &anothers);
        }
        break;
    case OUT_OF_ORDER:
        (void)ambit_scope_open(cx, &inner, NULL);
        (void)ambit_scope_close(cx, &outer, 0);
        break;
    default:
        (void)ambit_scope_close(cx, &outer, 0);
        (void)ambit_scope_close(cx, &outer, 0);
    }
    return 0;
}

static void see_it_end(enum misuse how, const char *sentence)
{
    char said[1024] = "";
    int ends[2], status;
    size_t len = 0;
    cr_assert(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        (void)ambit_run(misuse, &how, .workers = 1);
        _exit(0);
    }
    close(ends[1]);
    ssize_t n;
    while ((n = read(ends[0], said + len, sizeof said - 1 - len)) > 0) {
        len += (size_t)n;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    WANT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    WANT(strstr(said, sentence) != NULL);
}

/* Goal: scopes that do not nest are told at once, and corrupt nothing.
 * Method: processes that close another task's scope, the outer one first, and
 * one twice; each must end with its sentence. */
Spec(REG_NEST_1, scopes_that_do_not_nest_end_the_process)
{
    see_it_end(OTHER_TASK, "closed by the task that opened it");
    see_it_end(OUT_OF_ORDER, "closed innermost first");
    see_it_end(TWICE, "a scope that is not open");
    cr_assert(count_get(&spec_failures) == 0, "wishes that did not hold");
    test_no_leaks();
}
