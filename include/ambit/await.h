/* SPDX-License-Identifier: MIT */
/*
 * ambit/await.h -- the waits of the library, for poll tasks.
 *
 * Each does what the call of a similar name does for a task with a stack, but
 * for the waiting: where that would suspend, it answers AMBIT_PENDING, and is
 * called again with the same arguments in the next step.  The wait lies in a
 * struct ambit_await in the state of the poll task:
 *
 *     struct client { struct ambit_await wait; struct job job; };
 *
 *     static int client(ambit_cx *cx, void *state)
 *     {
 *         struct client *s = state;
 *         int rc = ambit_await_receive(cx, &s->wait, &jobs, &s->job);
 *         return rc == 0 ? work(&s->job) : rc;   // AMBIT_PENDING: not yet
 *     }
 *
 * or, as one of several, with AMBIT_AWAIT() of ambit/async.h.
 *
 *   idle --ambit_await_x(): AMBIT_PENDING--> under way --granted--> idle: 0
 *                                               '--cancelled--> idle: -ECANCELED
 *
 * What holds for all of them:
 *
 *   wait    Zeroed memory is an idle one.  While it is under way it stays where
 *           it is, and belongs to one call: others need one of their own.  So do
 *           the items and values that a call is given: they lie in the state,
 *           too, or in what outlives it.
 *   step    The task is stepped when a wait is over, and may be at other times:
 *           the call then answers AMBIT_PENDING again, and nothing has changed.
 *   cancel  As in ambit/sync.h: -ECANCELED has had no effect, and whoever was
 *           behind goes on in the same step; a grant that was first stands.
 *   end     A poll task that returns while a wait of its own is under way is a
 *           bug, and ends the process with a sentence.  One that panics leaves
 *           the lines it stood in.
 *   thread  The task of the cx, in a step of its own.  None suspends.
 *   errors  Those of the call, besides -ECANCELED; each is given below.
 */
#ifndef AMBIT_AWAIT_H
#define AMBIT_AWAIT_H

#include <ambit/broadcast.h>
#include <ambit/poll.h>
#include <ambit/unbounded.h>
#include <ambit/watch.h>

AMBIT_BEGIN

struct ambit_await {
    uint64_t room_[16];
} __attribute__((may_alias));

/*
 * Gives up a wait, for instance the slower of two.  0: it was idle, or is now
 * as if it had never begun; -EBUSY: it is over already, so call it once more for
 * what it gave, and give that back.  A step of the task; does not suspend.
 */
AMBIT_API int ambit_await_drop(struct ambit_await *wait);

/* Never early.  0; -ENOMEM; -EPERM in a region without AMBIT_CAP_TIME.  The
 * duration or time of the first call counts. */
AMBIT_API int ambit_await_sleep(ambit_cx *cx, struct ambit_await *wait,
                                ambit_duration d);
AMBIT_API int ambit_await_sleep_until(ambit_cx *cx, struct ambit_await *wait,
                                      ambit_time when);
/* Others have their turn.  0. */
AMBIT_API int ambit_await_yield(ambit_cx *cx, struct ambit_await *wait);

/* Permits.  0; -EINVAL for 0 and for more than there can ever be. */
AMBIT_API int ambit_await_acquire(ambit_cx *cx, struct ambit_await *wait,
                                  struct ambit_semaphore *semaphore,
                                  uint32_t count);
/* 0; -EDEADLK when this task has it.  Unlocked in a step of this task. */
AMBIT_API int ambit_await_lock(ambit_cx *cx, struct ambit_await *wait,
                               struct ambit_mutex *mutex);
/* 0; -EDEADLK when this task is its writer. */
AMBIT_API int ambit_await_read(ambit_cx *cx, struct ambit_await *wait,
                               struct ambit_rwlock *rwlock);
AMBIT_API int ambit_await_write(ambit_cx *cx, struct ambit_await *wait,
                                struct ambit_rwlock *rwlock);
/* 0. */
AMBIT_API int ambit_await_notify(ambit_cx *cx, struct ambit_await *wait,
                                 struct ambit_notify *notify);
/* 0, and in *ret_last (unless NULL) whether it came last. */
AMBIT_API int ambit_await_barrier(ambit_cx *cx, struct ambit_await *wait,
                                  struct ambit_barrier *barrier,
                                  bool *ret_last);

/* *item is read until it is sent.  0; -EPIPE. */
AMBIT_API int ambit_await_send(ambit_cx *cx, struct ambit_await *wait,
                               struct ambit_channel *channel,
                               const void *item);
/* *ret_item may be written at any time until it answers.  0; -EPIPE. */
AMBIT_API int ambit_await_receive(ambit_cx *cx, struct ambit_await *wait,
                                  struct ambit_channel *channel,
                                  void *ret_item);
/* A permit, to be committed or aborted.  0; -EPIPE. */
AMBIT_API int ambit_await_reserve(ambit_cx *cx, struct ambit_await *wait,
                                  struct ambit_channel *channel,
                                  struct ambit_channel_permit *ret_permit);
/* As ambit_await_receive(); besides -EALREADY, -EBUSY. */
AMBIT_API int ambit_await_oneshot(ambit_cx *cx, struct ambit_await *wait,
                                  struct ambit_oneshot *oneshot,
                                  void *ret_value);
/* As ambit_await_receive(). */
AMBIT_API int ambit_await_unbounded(ambit_cx *cx, struct ambit_await *wait,
                                    struct ambit_unbounded *unbounded,
                                    void *ret_item);
/* The newest value that *seen is not, both then.  0; -EPIPE. */
AMBIT_API int ambit_await_watch(ambit_cx *cx, struct ambit_await *wait,
                                struct ambit_watch *watch, uint64_t *seen,
                                void *ret_value);
/* 0; -EOVERFLOW: receiver->missed were missed; -EPIPE. */
AMBIT_API int ambit_await_broadcast(ambit_cx *cx, struct ambit_await *wait,
                                    struct ambit_broadcast_receiver *receiver,
                                    void *ret_item);

AMBIT_END

#endif
