/* SPDX-License-Identifier: MIT */
/*
 * sync_kin_test.c -- rwlock, notify, barrier, once (spec/sync.md).
 */
#include "tests/spec/dies.h"

/* Until `get(object)` is what is wanted. */
static void wait_until(ambit_cx *cx, uint32_t (*get)(void *), void *object,
                       uint32_t wanted)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (get(object) != wanted && ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(get(object), wanted);
}

/* --- rwlock ---------------------------------------------------------------- */

struct book {
    struct ambit_rwlock lock;
    int64_t a, b; /* always the same; the lock */
    int rounds;
    bool gives_up;
    struct count readers, written, met;
};

static uint32_t rwlock_len(void *lock)
{
    return ambit_rwlock_waiters(lock);
}

static int write_often(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    for (int i = 0; i < book->rounds; i++) {
        int rc = ambit_rwlock_write(cx, &book->lock);
        if (rc < 0) {
            WANT(book->gives_up);
            return rc;
        }
        WANT_EQ(count_get(&book->readers), 0);
        book->a++;
        (void)ambit_yield(cx);
        book->b++;
        count_up(&book->written);
        ambit_rwlock_write_end(&book->lock);
    }
    return 0;
}

static int read_often(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    for (int i = 0; i < book->rounds; i++) {
        int rc = ambit_rwlock_read(cx, &book->lock);
        if (rc < 0) {
            WANT(book->gives_up);
            return rc;
        }
        count_up(&book->readers);
        int64_t a = book->a;
        (void)ambit_yield(cx);
        WANT_EQ(a, book->b);
        count_add(&book->readers, -1);
        ambit_rwlock_read_end(&book->lock);
    }
    return 0;
}

static void use_book(ambit_cx *cx, struct book *book, int64_t cancel_at)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 6; i++) {
            WANT_EQ(ambit_spawn(s, i % 3 == 0 ? write_often : read_often,
                                &book), 0);
        }
        if (cancel_at > 0) {
            WANT(until(cx, &book->written, cancel_at));
            ambit_cancel(s, "enough");
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(book->a, book->b);
    WANT_EQ(ambit_rwlock_try_write(&book->lock), 0);
    WANT_EQ(ambit_rwlock_try_read(&book->lock), -EAGAIN);
    WANT_EQ(ambit_rwlock_read(cx, &book->lock), -EDEADLK);
    WANT_EQ(ambit_rwlock_write(cx, &book->lock), -EDEADLK);
    ambit_rwlock_write_end(&book->lock);
    WANT_EQ(ambit_rwlock_try_read(&book->lock), 0);
    WANT_EQ(ambit_rwlock_try_write(&book->lock), -EAGAIN);
    ambit_rwlock_read_end(&book->lock);
}

static int read_together(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    WANT_EQ(ambit_rwlock_read(cx, &book->lock), 0);
    count_up(&book->met);
    WANT(until(cx, &book->met, 3));
    ambit_rwlock_read_end(&book->lock);
    return 0;
}

/* Behind a writer: all are let in at once. */
static void readers_meet(ambit_cx *cx, struct book *book)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_rwlock_write(cx, &book->lock), 0);
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(s, read_together, &book), 0);
        }
        wait_until(cx, rwlock_len, &book->lock, 3);
        ambit_rwlock_write_end(&book->lock);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&book->met), 3);
}

static int readers_and_writers(ambit_cx *cx, void *arg)
{
    struct book book = {.lock = AMBIT_RWLOCK_INIT};
    (void)arg;
    book.rounds = 2000 / SPEC_SLOWER;
    use_book(cx, &book, 0);
    WANT_EQ(book.a, 2 * book.rounds);
    readers_meet(cx, &book);
    book.rounds = INT32_MAX;
    book.gives_up = true;
    for (int i = 0; i < 60 / SPEC_SLOWER + 3; i++) {
        use_book(cx, &book, count_get(&book.written) + 9 + i % 5);
    }
    ambit_rwlock_fini(&book.lock);
    return 0;
}

/* Goal: a writer sees nobody, a reader sees readers only.
 * Method: two of one kind, four of the other, each waiting inside; three
 * readers that wait for one another inside; the same with cancels in the middle
 * of it; what a holder is told who wants more. */
Spec(RW_ONE_1, a_writer_is_alone)
{
    spec_on_1_and_2_workers(readers_and_writers);
    spec_end("RW_ONE_1");
}

static struct ambit_rwlock shared = AMBIT_RWLOCK_INIT;

static void end_reading_of_nobody(void)
{
    ambit_rwlock_read_end(&shared);
}

static void end_reading_as_a_writer(void)
{
    (void)ambit_rwlock_try_write(&shared);
    ambit_rwlock_read_end(&shared);
}

static void end_writing_as_a_reader(void)
{
    (void)ambit_rwlock_try_read(&shared);
    ambit_rwlock_write_end(&shared);
}

/* Goal: nobody lets go of what is not his.  Method: three ways to do it, each
 * in a child process. */
Spec(RW_UNLOCK_1, who_lets_go_of_what_is_not_his_is_told)
{
    WANT(dies_saying(end_reading_of_nobody,
                     "a reader let go of a rwlock that nobody reads"));
    WANT(dies_saying(end_reading_as_a_writer,
                     "a reader let go of a writer's rwlock"));
    WANT(dies_saying(end_writing_as_a_reader,
                     "let go of by a task that is not its writer"));
    WANT_EQ(ambit_rwlock_try_read(&shared), 0);
    ambit_rwlock_read_end(&shared);
    WANT_EQ(ambit_rwlock_try_write(&shared), 0);
    ambit_rwlock_write_end(&shared);
    spec_end("RW_UNLOCK_1");
}

/* --- notify ---------------------------------------------------------------- */

struct listener {
    struct ambit_notify *notify;
    struct count *heard, *told;
};

static uint32_t notify_len(void *notify)
{
    return ambit_notify_waiters(notify);
}

static int listen_once(ambit_cx *cx, void *arg)
{
    struct listener *l = arg;
    int rc = ambit_notify_wait(cx, l->notify);
    count_up(rc == 0 ? l->heard : l->told);
    return rc;
}

static int one_by_one(ambit_cx *cx, void *arg)
{
    struct ambit_notify notify = AMBIT_NOTIFY_INIT;
    struct count heard = {0}, told = {0};
    struct listener l = {&notify, &heard, &told};
    int rc = 0;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        ambit_notify_one(&notify); /* nobody there: kept, once */
    }
    WANT_EQ(ambit_notify_wait(cx, &notify), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(s, listen_once, &l), 0);
        }
        wait_until(cx, notify_len, &notify, 3); /* the other two were not kept */
        ambit_notify_one(&notify);
        WANT(until(cx, &heard, 1));
        let_others_run(cx);
        WANT_EQ(count_get(&heard), 1);
        WANT_EQ(ambit_notify_waiters(&notify), 2);
        ambit_cancel(s, "nothing more");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&told), 2);
    ambit_notify_one(&notify);
    WANT_EQ(ambit_notify_wait(cx, &notify), 0);
    ambit_notify_fini(&notify);
    return 0;
}

/* Goal: one notification, one task.
 * Method: three before anybody waits, one for three who wait; a cancel. */
Spec(NOTIFY_ONE_1, one_is_woken_or_one_is_kept)
{
    spec_on_1_and_2_workers(one_by_one);
    spec_end("NOTIFY_ONE_1");
}

static int all_at_once(ambit_cx *cx, void *arg)
{
    struct ambit_notify notify;
    struct count heard = {0}, told = {0};
    struct listener l = {&notify, &heard, &told};
    int rc = 0;
    (void)arg;
    ambit_notify_init(&notify);
    ambit_notify_all(&notify); /* for nobody */
    ambit_scope (cx, s, &rc) {
        for (int round = 1; round <= 3; round++) {
            for (int i = 0; i < 4; i++) {
                WANT_EQ(ambit_spawn(s, listen_once, &l), 0);
            }
            wait_until(cx, notify_len, &notify, 4);
            ambit_notify_all(&notify);
            WANT(until(cx, &heard, 4 * round));
        }
    }
    WANT_EQ(rc, 0);
    ambit_notify_fini(&notify);
    return 0;
}

/* Goal: all who wait, and only they.  Method: four, three times; before that
 * one for nobody, which the first four must not hear. */
Spec(NOTIFY_ALL_1, all_who_wait_are_woken)
{
    spec_on_1_and_2_workers(all_at_once);
    spec_end("NOTIFY_ALL_1");
}

/* --- barrier --------------------------------------------------------------- */

#define PARTIES 4

struct meeting {
    struct ambit_barrier barrier;
    int rounds;
    struct count come, last;
};

static uint32_t barrier_len(void *barrier)
{
    return ambit_barrier_waiters(barrier);
}

static int meet(ambit_cx *cx, void *arg)
{
    struct meeting *m = *(struct meeting **)arg;
    for (int i = 1; i <= m->rounds; i++) {
        count_up(&m->come);
        int rc = ambit_barrier_wait(cx, &m->barrier);
        if (rc < 0) {
            return rc;
        }
        WANT(count_get(&m->come) >= i * PARTIES); /* all have come */
        count_add(&m->last, rc);
    }
    return 0;
}

static int meetings(ambit_cx *cx, void *arg)
{
    struct meeting m = {.barrier = AMBIT_BARRIER_INIT(PARTIES),
                        .rounds = 500 / SPEC_SLOWER};
    struct meeting *here = &m;
    struct ambit_barrier none;
    int rc = 0, given_up = 0;
    (void)arg;
    WANT_EQ(ambit_barrier_init(&none, 0), -EINVAL);
    WANT_EQ(ambit_barrier_init(&none, 1), 0);
    WANT_EQ(ambit_barrier_wait(cx, &none), 1);
    ambit_barrier_fini(&none);
    ambit_scope (cx, s, &rc) { /* two come and go: they do not count */
        ambit_scope (cx, early, &given_up) {
            WANT_EQ(ambit_spawn(early, meet, &here), 0);
            WANT_EQ(ambit_spawn(early, meet, &here), 0);
            wait_until(cx, barrier_len, &m.barrier, 2);
            ambit_cancel(early, "cannot wait");
        }
        count_set(&m.come, 0);
        for (int i = 0; i < PARTIES; i++) {
            WANT_EQ(ambit_spawn(s, meet, &here), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&m.last), m.rounds); /* one last one each time */
    ambit_barrier_fini(&m.barrier);
    return 0;
}

/* Goal: nobody goes on before all have come, in every round.
 * Method: four meet 500 times; two that were cancelled before do not count. */
Spec(BARRIER_ALL_1, all_go_on_when_the_last_has_come)
{
    spec_on_1_and_2_workers(meetings);
    spec_end("BARRIER_ALL_1");
}

/* --- once ------------------------------------------------------------------ */

struct start {
    struct ambit_once once;
    int value; /* made by what is done once */
    struct count runs, seen, failed;
};

static int make_it(ambit_cx *cx, void *arg)
{
    struct start *start = arg;
    let_others_run(cx);
    start->value += 5;
    return (int)count_up(&start->runs) + 1;
}

static int need_it(ambit_cx *cx, void *arg)
{
    struct start *start = *(struct start **)arg;
    for (int i = 0; i < 2; i++) {
        WANT_EQ(ambit_once(cx, &start->once, make_it, start), 0);
        WANT_EQ(start->value, 5);
        WANT(ambit_once_is_done(&start->once));
        count_up(&start->seen);
    }
    return 0;
}

static int needed_by_many(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200 / SPEC_SLOWER + 3; round++) {
        struct start start = {.once = AMBIT_ONCE_INIT}, *here = &start;
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            for (int i = 0; i < 5; i++) {
                WANT_EQ(ambit_spawn(s, need_it, &here), 0);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&start.runs), 1);
        WANT_EQ(count_get(&start.seen), 10);
        ambit_once_fini(&start.once);
    }
    return 0;
}

/* Goal: once, and seen by all.  Method: five need it at the same time, and then
 * again; many rounds. */
Spec(ONCE_ONE_1, what_many_need_is_done_once)
{
    spec_on_1_and_2_workers(needed_by_many);
    spec_end("ONCE_ONE_1");
}

static uint32_t once_len(void *once)
{
    return ambit_once_waiters(once);
}

struct failing {
    struct start *start;
    int how; /* 0: an error, 1: a panic, 2: cancelled */
};

static int fail_at_it(ambit_cx *cx, void *arg)
{
    struct failing *f = arg;
    wait_until(cx, once_len, &f->start->once, 1);
    count_up(&f->start->failed);
    if (f->how == 1) {
        ambit_panic(cx, "in the middle of it");
    }
    return f->how == 0 ? -EIO : ambit_sleep_until(cx, ambit_never());
}

static int try_and_fail(ambit_cx *cx, void *arg)
{
    struct failing *f = arg;
    int rc = ambit_once(cx, &f->start->once, fail_at_it, f);
    WANT_EQ(rc, f->how == 0 ? -EIO : -ECANCELED);
    return rc;
}

static int passed_on(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int how = 0; how < 3; how++) {
        struct start start = {.once = AMBIT_ONCE_INIT}, *here = &start;
        struct failing f = {&start, how};
        int rc = 0, inner = 0;
        ambit_scope (cx, s, &rc) {
            ambit_scope (cx, first, &inner, .policy = AMBIT_ISOLATE) {
                WANT_EQ(ambit_spawn(first, try_and_fail, &f), 0);
                let_others_run(cx);
                WANT_EQ(ambit_spawn(s, need_it, &here), 0);
                WANT(until(cx, &start.failed, 1));
                if (how == 2) {
                    ambit_cancel(first, "in the middle of it");
                }
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&start.runs), 1);
        ambit_once_fini(&start.once);
    }
    return 0;
}

static int fail_alone(ambit_cx *cx, void *arg)
{
    (void)cx;
    return *(int *)arg;
}

static int failed_alone(ambit_cx *cx, void *arg)
{
    struct ambit_once once = AMBIT_ONCE_INIT;
    int bad = -EIO, good = 3;
    (void)arg;
    WANT_EQ(ambit_once(cx, &once, fail_alone, &bad), -EIO);
    WANT(!ambit_once_is_done(&once));
    WANT_EQ(ambit_once(cx, &once, fail_alone, &good), 0);
    WANT_EQ(ambit_once(cx, &once, fail_alone, &bad), 0);
    ambit_once_fini(&once);
    return 0;
}

/* Goal: what failed is done by the next.
 * Method: an error, a panic and a cancel in the middle of it while another
 * waits; a failure with nobody there. */
Spec(ONCE_FAIL_1, what_fails_is_tried_by_the_next)
{
    /* The first is begun before the second by order of spawning. */
    WANT_EQ(spec_run(passed_on, NULL, .workers = 1), 0);
    spec_on_1_and_2_workers(failed_alone);
    spec_end("ONCE_FAIL_1");
}
