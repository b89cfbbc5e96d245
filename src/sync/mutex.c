/* SPDX-License-Identifier: MIT */
/*
 * mutex.c -- one at a time.
 *
 *   MUTEX-ONE-1     One holder at a time, who sees what the one before did.
 *   MUTEX-SELF-1    Who has it is not made to wait for himself.
 *   MUTEX-UNLOCK-1  Only who has it lets go of it.
 *
 * An unlock hands the permit to the first in the line, so nobody barges in.
 */
#include "src/sync/mutex.h"

#include "src/await.h"
#include "src/task.h"

_Static_assert(sizeof(struct mutex) <= offsetof(struct ambit_mutex, duty_) &&
                   offsetof(struct mutex, let_go) ==
                       offsetof(struct ambit_mutex, let_go_),
               "what a user makes room for");

static bool is_holder(struct mutex *mutex, const void *who)
{
    /* ORDER(mutex-holder): relaxed.  Whether it is me is known to me: nobody
     * else writes my name.  Pairs with mutex_name(). */
    return atomic_load_explicit(&mutex->holder, memory_order_relaxed) == who;
}

static void mutex_name(struct mutex *mutex, const void *who)
{
    /* ORDER(mutex-holder): relaxed.  By whoever has the permit; pairs with
     * is_holder(). */
    atomic_store_explicit(&mutex->holder, who, memory_order_relaxed);
}

void ambit_mutex_init(struct ambit_mutex *mutex)
{
    memset(mutex, 0, sizeof *mutex);
    semaphore_init(&mutex_of(mutex)->permit, 1, 1);
}

void ambit_mutex_fini(struct ambit_mutex *mutex)
{
    line_fini(&mutex_of(mutex)->permit.line,
              "a mutex was ended while tasks wait for it");
    REQUIRE(is_holder(mutex_of(mutex), NULL),
            "a mutex was ended while it is locked");
}

static inline int lock(struct task *task, struct mutex *mutex,
                       struct line_waiter *waiter)
{
    int rc = park_check(task);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    REQUIRE(mutex->permit.max == 1, "a mutex was used that nobody made");
    if (UNLIKELY(!semaphore_try(&mutex->permit, 1))) {
        if (is_holder(mutex, task)) {
            RULE(MUTEX_SELF_1);
            return -EDEADLK;
        }
        rc = semaphore_wait(&mutex->permit, waiter, task, 1, PARK_MUTEX);
        if (rc != 0) {
            return rc;
        }
    }
    RULE(MUTEX_ONE_1);
    mutex_name(mutex, task);
    return 0;
}

int ambit_mutex_lock(ambit_cx *cx, struct ambit_mutex *mutex)
{
    return lock(task_of(cx), mutex_of(mutex), NULL);
}

int ambit_await_lock(ambit_cx *cx, struct ambit_await *wait,
                     struct ambit_mutex *public)
{
    struct mutex *mutex = mutex_of(public);
    int rc;
    struct line_waiter *waiter =
        await_enter_as(cx, wait, &semaphore_await, &rc);
    if (waiter != NULL) {
        return await_leave(waiter, lock(task_of(cx), mutex, waiter));
    }
    if (rc == 0) {
        mutex_name(mutex, task_of(cx));
    }
    return rc;
}

int ambit_mutex_try_lock(struct ambit_mutex *public)
{
    struct mutex *mutex = mutex_of(public);
    REQUIRE(mutex->permit.max == 1, "a mutex was used that nobody made");
    if (!semaphore_try(&mutex->permit, 1)) {
        return -EAGAIN;
    }
    mutex_name(mutex, line_caller());
    return 0;
}

void mutex_take_from_holder(struct mutex *mutex)
{
    mutex_name(mutex, NULL);
    int rc = semaphore_give(&mutex->permit, 1);
    ASSERT(rc == 0);
}

void ambit_mutex_unlock(struct ambit_mutex *public)
{
    struct mutex *mutex = mutex_of(public);
    RULE(MUTEX_UNLOCK_1);
    REQUIRE(is_holder(mutex, line_caller()),
            "a mutex was unlocked by a task that does not hold it");
    if (UNLIKELY(mutex->let_go != NULL)) {
        mutex->let_go(public);
    }
    mutex_take_from_holder(mutex);
}

bool ambit_mutex_is_mine(struct ambit_mutex *mutex)
{
    return is_holder(mutex_of(mutex), line_caller());
}

uint32_t ambit_mutex_waiters(struct ambit_mutex *mutex)
{
    return semaphore_waiting(&mutex_of(mutex)->permit);
}
