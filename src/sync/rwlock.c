/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c -- a semaphore of which a reader takes one permit and a writer all.
 *
 *   RW-ONE-1     A writer is alone; readers are not.
 *   RW-UNLOCK-1  Only who has it lets go of it.
 */
#include "src/sync/semaphore.h"

#include "src/await.h"
#include "src/task.h"

struct rwlock {
    struct semaphore permits;
    /* NULL: no writer.  Written by the writer; any thread reads, to compare
     * with itself: ORDER(rwlock-writer) */
    _Atomic(const void *) writer;
};

_Static_assert(sizeof(struct rwlock) == sizeof(struct ambit_rwlock),
               "what a user makes room for");

#define ALL AMBIT_RWLOCK_READERS_MAX

static struct rwlock *rwlock_of(struct ambit_rwlock *public)
{
    struct rwlock *rwlock = (struct rwlock *)(void *)public;
    REQUIRE(rwlock->permits.max == ALL, "a rwlock was used that nobody made");
    return rwlock;
}

static bool is_writer(struct rwlock *rwlock, const void *who)
{
    /* ORDER(rwlock-writer): relaxed.  Whether it is me is known to me: nobody
     * else writes my name.  Pairs with name_writer(). */
    return atomic_load_explicit(&rwlock->writer, memory_order_relaxed) == who;
}

static void name_writer(struct rwlock *rwlock, const void *who)
{
    /* ORDER(rwlock-writer): relaxed.  By whoever has all permits; pairs with
     * is_writer(). */
    atomic_store_explicit(&rwlock->writer, who, memory_order_relaxed);
}

void ambit_rwlock_init(struct ambit_rwlock *rwlock)
{
    memset(rwlock, 0, sizeof *rwlock);
    semaphore_init((struct semaphore *)(void *)&rwlock->permits_, ALL, ALL);
}

void ambit_rwlock_fini(struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    line_fini(&rwlock->permits.line,
              "a rwlock was ended while tasks wait for it");
    REQUIRE(SEMAPHORE_FREE(semaphore_load(&rwlock->permits)) == ALL,
            "a rwlock was ended while it is locked");
}

static int rwlock_acquire(struct task *task, struct rwlock *rwlock,
                          uint32_t wanted, enum park_kind kind,
                          struct line_waiter *waiter)
{
    int rc = park_check(task);
    if (rc < 0 || LIKELY(semaphore_try(&rwlock->permits, wanted))) {
        return rc;
    }
    if (is_writer(rwlock, task)) {
        return -EDEADLK;
    }
    return semaphore_wait(&rwlock->permits, waiter, task, wanted, kind);
}

/* The same in a poll task. */
static int rwlock_await(ambit_cx *cx, struct ambit_await *wait,
                        struct rwlock *rwlock, uint32_t wanted,
                        enum park_kind kind)
{
    int rc;
    struct line_waiter *waiter =
        await_enter_as(cx, wait, &semaphore_await, &rc);
    return waiter == NULL
               ? rc
               : await_leave(waiter, rwlock_acquire(task_of(cx), rwlock, wanted,
                                                    kind, waiter));
}

int ambit_rwlock_read(ambit_cx *cx, struct ambit_rwlock *rwlock)
{
    RULE(RW_ONE_1);
    return rwlock_acquire(task_of(cx), rwlock_of(rwlock), 1, PARK_READ,
                          NULL);
}

int ambit_await_read(ambit_cx *cx, struct ambit_await *wait,
                     struct ambit_rwlock *rwlock)
{
    RULE(RW_ONE_1);
    return rwlock_await(cx, wait, rwlock_of(rwlock), 1, PARK_READ);
}

int ambit_rwlock_write(ambit_cx *cx, struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    int rc = rwlock_acquire(task_of(cx), rwlock, ALL, PARK_WRITE, NULL);
    if (rc == 0) {
        name_writer(rwlock, task_of(cx));
    }
    return rc;
}

int ambit_await_write(ambit_cx *cx, struct ambit_await *wait,
                      struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    int rc = rwlock_await(cx, wait, rwlock, ALL, PARK_WRITE);
    if (rc == 0) {
        name_writer(rwlock, task_of(cx));
    }
    return rc;
}

int ambit_rwlock_try_read(struct ambit_rwlock *rwlock)
{
    return semaphore_try(&rwlock_of(rwlock)->permits, 1) ? 0 : -EAGAIN;
}

int ambit_rwlock_try_write(struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    if (!semaphore_try(&rwlock->permits, ALL)) {
        return -EAGAIN;
    }
    name_writer(rwlock, line_caller());
    return 0;
}

void ambit_rwlock_read_end(struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    RULE(RW_UNLOCK_1);
    REQUIRE(is_writer(rwlock, NULL), "a reader let go of a writer's rwlock");
    REQUIRE(semaphore_give(&rwlock->permits, 1) == 0,
            "a reader let go of a rwlock that nobody reads");
}

void ambit_rwlock_write_end(struct ambit_rwlock *public)
{
    struct rwlock *rwlock = rwlock_of(public);
    REQUIRE(is_writer(rwlock, line_caller()),
            "a rwlock was let go of by a task that is not its writer");
    name_writer(rwlock, NULL);
    int rc = semaphore_give(&rwlock->permits, ALL);
    ASSERT(rc == 0);
}

uint32_t ambit_rwlock_waiters(struct ambit_rwlock *rwlock)
{
    return semaphore_waiting(&rwlock_of(rwlock)->permits);
}
