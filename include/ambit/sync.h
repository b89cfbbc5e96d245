/* SPDX-License-Identifier: MIT */
/*
 * ambit/sync.h -- tasks that wait for each other: semaphore, mutex, rwlock,
 * notify, barrier, once.
 *
 *     static struct ambit_mutex lock = AMBIT_MUTEX_INIT;
 *
 *     rc = ambit_mutex_lock(cx, &lock);
 *     if (rc < 0)
 *         return rc;                    // -ECANCELED: not locked
 *     total += amount;
 *     ambit_mutex_unlock(&lock);
 *
 * Each is a plain struct in the caller's memory: static with its _INIT, in a
 * frame or a larger struct with _INIT or ambit_..._init().  None allocates, and
 * none makes a system call but to wake a worker that sleeps.  An object stays
 * where it is from its init until its fini.
 *
 *   made --waits, grants--> made --ambit_..._fini()--> memory again
 *
 * What holds for all of them:
 *
 *   order   Who waits is served in order of arrival; who comes later does not
 *           overtake, not even by a try_ form.
 *   cancel  A wait that a cancel ends has no effect: -ECANCELED, and whoever
 *           was behind goes on in the same step.  When the grant was first, the
 *           call answers 0 and the cancel shows at the task's next call that
 *           takes a cx.  So with 0 the caller has what it wanted, with a
 *           negative result it has not: nothing is lost in a race or a timeout.
 *   thread  A call with a cx is for tasks of any region and runtime; without
 *           one for any thread, a foreign one too.  On the blocking pool only
 *           the try_ forms take something: the others answer -EPERM.
 *   fini    Nobody waits for it and no call is under way; a waiter that is left
 *           is a bug, and ends the process with a sentence.  After it the
 *           memory is the caller's.  Memory that was static needs none.
 */
#ifndef AMBIT_SYNC_H
#define AMBIT_SYNC_H

#include <ambit/obligation.h>
#include <ambit/task.h>

AMBIT_BEGIN

/* Room that the library uses; filled in by the macros and functions below. */
struct ambit_line {
    uint64_t room_[3];
};
struct ambit_backs {
    uint64_t room_[2];
};

/* --- semaphore ------------------------------------------------------------- */

/*
 * A number of permits.  Whoever has acquired some gives them back, in whatever
 * portions and from whatever task.
 *
 *     struct ambit_semaphore seats = AMBIT_SEMAPHORE_INIT(8, 8);
 *     rc = ambit_semaphore_acquire(cx, &seats, 1);
 *     ...
 *     ambit_semaphore_release(&seats, 1);
 */
struct ambit_semaphore {
    uint64_t word_;
    struct ambit_line line_;
    uint32_t max_;
} __attribute__((may_alias));

/* `permits` are free at first, permits_max (at least 1) is the most there can
 * be.  Constants. */
#define AMBIT_SEMAPHORE_INIT(permits, permits_max) \
    { (permits), { { 0 } }, (permits_max) }

/* The same at run time.  0; -EINVAL for a max of 0, or less than permits. */
AMBIT_API int ambit_semaphore_init(struct ambit_semaphore *semaphore,
                                   uint32_t permits, uint32_t permits_max);
AMBIT_API void ambit_semaphore_fini(struct ambit_semaphore *semaphore);

/* Waits until `count` permits are free and takes them, all or none; a large
 * wish at the front of the line holds back small ones behind it.  0;
 * -ECANCELED; -EINVAL for 0 and for more than there can ever be.  Cancel-safe:
 * a call that fails has taken none. */
AMBIT_API int ambit_semaphore_acquire(ambit_cx *cx,
                                      struct ambit_semaphore *semaphore,
                                      uint32_t count);

/* 0; -EAGAIN when too few are free or somebody waits; -EINVAL as above.  Never
 * suspends.  Any thread. */
AMBIT_API int ambit_semaphore_try_acquire(struct ambit_semaphore *semaphore,
                                          uint32_t count);

/* Gives permits back, and them to those who wait.  0; -EOVERFLOW when there
 * would be more than permits_max: then nothing has changed.  Never suspends, no
 * cancel point.  Any thread. */
AMBIT_API int ambit_semaphore_release(struct ambit_semaphore *semaphore,
                                      uint32_t count);

/* As it was a moment ago: permits free, tasks in the line. */
AMBIT_API uint32_t ambit_semaphore_free(struct ambit_semaphore *semaphore);
AMBIT_API uint32_t ambit_semaphore_waiters(struct ambit_semaphore *semaphore);

/* --- mutex ----------------------------------------------------------------- */

/*
 * One holder at a time, who may suspend meanwhile.  An unlock hands it to the
 * first who waits.  Not recursive: -EDEADLK.
 */
struct ambit_mutex {
    struct ambit_semaphore permit_;
    const void *holder_;
    void (*let_go_)(struct ambit_mutex *mutex);
    struct ambit_obligation duty_;
} __attribute__((may_alias));

#define AMBIT_MUTEX_INIT \
    { AMBIT_SEMAPHORE_INIT(1, 1), NULL, NULL, { { 0 } } }

AMBIT_API void ambit_mutex_init(struct ambit_mutex *mutex);
/* Nobody may hold it either. */
AMBIT_API void ambit_mutex_fini(struct ambit_mutex *mutex);

/* Waits until it is the caller's.  0; -ECANCELED; -EDEADLK when the caller has
 * it.  Cancel-safe: a call that fails has not locked. */
AMBIT_API int ambit_mutex_lock(ambit_cx *cx, struct ambit_mutex *mutex);

/*
 * The same, on record: when the innermost open scope of the caller closes (its
 * region, where the task has opened none) and the mutex is still locked by this
 * call, the close unlocks it and the log tells this line.  So it is given back
 * even by a task that panics.  What it guards may then be half done.  Ended by
 * ambit_mutex_unlock() like any other.  Besides: -ESHUTDOWN in a finalizer;
 * -ENOMEM, in a handler.
 */
#define ambit_mutex_hold(cx, mutex) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_cx *ambit_cx_ = (cx); \
        ambit_cx_->at = &ambit_site_; \
        ambit_mutex_hold_(ambit_cx_, (mutex), &ambit_site_); \
    }))
AMBIT_API int ambit_mutex_hold_(ambit_cx *cx, struct ambit_mutex *mutex,
                                const struct ambit_site *site);

/* 0; -EAGAIN when it is locked, by the caller too.  Never suspends.  Any
 * thread; the same thread or task unlocks. */
AMBIT_API int ambit_mutex_try_lock(struct ambit_mutex *mutex);

/* Lets go of it.  By the task (or foreign thread) that has it: for any other
 * the process ends with a sentence.  Never suspends, no cancel point. */
AMBIT_API void ambit_mutex_unlock(struct ambit_mutex *mutex);

/* The calling task or thread has it; how many wait, a moment ago. */
AMBIT_API bool ambit_mutex_is_mine(struct ambit_mutex *mutex);
AMBIT_API uint32_t ambit_mutex_waiters(struct ambit_mutex *mutex);

/* --- rwlock ---------------------------------------------------------------- */

/*
 * Many readers, or one writer.  One line for both: a writer that waits holds
 * back readers that come later, so neither starves the other.  Who reads and
 * wants to write unlocks first: to lock again what one has may never end.
 */
struct ambit_rwlock {
    struct ambit_semaphore permits_;
    const void *writer_;
} __attribute__((may_alias));

#define AMBIT_RWLOCK_READERS_MAX 0x3fffffff
#define AMBIT_RWLOCK_INIT \
    { AMBIT_SEMAPHORE_INIT(AMBIT_RWLOCK_READERS_MAX, \
                           AMBIT_RWLOCK_READERS_MAX), NULL }

AMBIT_API void ambit_rwlock_init(struct ambit_rwlock *rwlock);
/* Nobody may have it either. */
AMBIT_API void ambit_rwlock_fini(struct ambit_rwlock *rwlock);

/* 0; -ECANCELED; -EDEADLK when the caller is its writer.  Cancel-safe: a call
 * that fails has not locked. */
AMBIT_API int ambit_rwlock_read(ambit_cx *cx, struct ambit_rwlock *rwlock);
AMBIT_API int ambit_rwlock_write(ambit_cx *cx, struct ambit_rwlock *rwlock);
/* 0; -EAGAIN.  Never suspend.  Any thread. */
AMBIT_API int ambit_rwlock_try_read(struct ambit_rwlock *rwlock);
AMBIT_API int ambit_rwlock_try_write(struct ambit_rwlock *rwlock);
/* By a reader, by the writer: else the process ends with a sentence.  Never
 * suspend, no cancel point. */
AMBIT_API void ambit_rwlock_read_end(struct ambit_rwlock *rwlock);
AMBIT_API void ambit_rwlock_write_end(struct ambit_rwlock *rwlock);
AMBIT_API uint32_t ambit_rwlock_waiters(struct ambit_rwlock *rwlock);

/* --- notify ---------------------------------------------------------------- */

/*
 * "Something is new", without saying what.  ambit_notify_one() wakes the first
 * who waits; when nobody does, the next wait returns at once (once, however
 * often it was called).  ambit_notify_all() wakes those who wait now.
 */
struct ambit_notify {
    struct ambit_semaphore news_;
} __attribute__((may_alias));

#define AMBIT_NOTIFY_INIT { AMBIT_SEMAPHORE_INIT(0, 1) }
AMBIT_API void ambit_notify_init(struct ambit_notify *notify);
AMBIT_API void ambit_notify_fini(struct ambit_notify *notify);
/* 0; -ECANCELED.  Cancel-safe: after a failure no notification was used up. */
AMBIT_API int ambit_notify_wait(ambit_cx *cx, struct ambit_notify *notify);
/* Never suspend, no cancel points.  Any thread. */
AMBIT_API void ambit_notify_one(struct ambit_notify *notify);
AMBIT_API void ambit_notify_all(struct ambit_notify *notify);
AMBIT_API uint32_t ambit_notify_waiters(struct ambit_notify *notify);

/* --- barrier --------------------------------------------------------------- */

/* A place where `parties` tasks wait for each other; then it is ready for the
 * next round. */
struct ambit_barrier {
    struct ambit_line line_;
    uint32_t parties_;
};

#define AMBIT_BARRIER_INIT(parties) { { { 0 } }, (parties) }
/* 0; -EINVAL for no parties. */
AMBIT_API int ambit_barrier_init(struct ambit_barrier *barrier,
                                 uint32_t parties);
AMBIT_API void ambit_barrier_fini(struct ambit_barrier *barrier);
/* Waits for the others.  1 for the one that came last, 0 for the others;
 * -ECANCELED.  Cancel-safe: who is cancelled does not count as having come. */
AMBIT_API int ambit_barrier_wait(ambit_cx *cx, struct ambit_barrier *barrier);
AMBIT_API uint32_t ambit_barrier_waiters(struct ambit_barrier *barrier);

/* --- once ------------------------------------------------------------------ */

/*
 * What is done by the first who needs it, while the others wait.
 *
 *   new --a task runs fn--> running --fn gives >= 0--> done
 *    ^                         |
 *    +--- nobody waits --------+--- fn fails or panics: the next who waits runs
 */
struct ambit_once {
    uint32_t state_;
    struct ambit_line line_;
};

#define AMBIT_ONCE_INIT { 0, { { 0 } } }
AMBIT_API void ambit_once_fini(struct ambit_once *once);
/*
 * Has fn(cx, arg) done once, in a scope of its own, here or by another task; it
 * may suspend.  0 when it is done; -ECANCELED; what fn gave here when it failed:
 * then the next caller tries again, with its own fn and arg.  Once it is done a
 * call is a checkpoint and a load.  fn must not ask for the same once.
 */
AMBIT_API int ambit_once(ambit_cx *cx, struct ambit_once *once,
                         ambit_task_fn *fn, void *arg);
AMBIT_API bool ambit_once_is_done(struct ambit_once *once);
AMBIT_API uint32_t ambit_once_waiters(struct ambit_once *once);

#ifndef AMBIT_NO_SITES
#define ambit_rwlock_read(cx, ...) \
    ambit_rwlock_read(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_rwlock_write(cx, ...) \
    ambit_rwlock_write(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_notify_wait(cx, ...) \
    ambit_notify_wait(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_barrier_wait(cx, ...) \
    ambit_barrier_wait(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_semaphore_acquire(cx, ...) \
    ambit_semaphore_acquire(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_mutex_lock(cx, ...) ambit_mutex_lock(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
