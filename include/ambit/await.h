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
 *           the lines it stood in, and its state stays until nobody else uses it;
 *           what it was granted and did not look at goes to the next: a permit,
 *           a place, an item, which is then in front of those sent later.
 *   fini    A wait is under way until it has answered, or its task has ended.
 *   thread  The task of the cx, in a step of its own.  None suspends.
 *   errors  Those of the call, besides -ECANCELED; each is given below.
 */
#ifndef AMBIT_AWAIT_H
#define AMBIT_AWAIT_H

#include <ambit/boundary.h>
#include <ambit/broadcast.h>
#include <ambit/file.h>
#include <ambit/group.h>
#include <ambit/net.h>
#include <ambit/poll.h>
#include <ambit/ring.h>
#include <ambit/server.h>
#include <ambit/token.h>
#include <ambit/unbounded.h>
#include <ambit/watch.h>

AMBIT_BEGIN

struct ambit_await {
    uint64_t room_[16];
} __attribute__((may_alias));

/*
 * Gives up a wait, for instance the slower of two.  0: it was idle, or is now
 * as if it had never begun; -EBUSY: it is over already, so call it once more for
 * what it gave, and give that back; AMBIT_PENDING: others have to let go of it
 * first (a thread of the pool, the kernel), after which the task is stepped, and
 * drops it again.  It may go on waiting as well; but the kernel has been asked to
 * stop, and then the call answers what was done by then, or -ECANCELED.  A step of
 * the task; does not suspend.
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

/*
 * The end of a task, and its result in *ret_result, as ambit_join().  0; -ESTALE;
 * -EBUSY: another is joining it.  After -ECANCELED the handle is still good.
 */
AMBIT_API int ambit_await_join(ambit_cx *cx, struct ambit_await *wait,
                               ambit_task task, int *ret_result);
/* The same for a task of a group and its value, as ambit_future_join(); besides
 * -EINVAL.  *ret is written by the step that gets 0, not before. */
#define ambit_await_future(cx, wait, future, ret, ret_result) \
    ambit_await_future_((cx), (wait), (future), (ret), sizeof(*(ret)), \
                        (ret_result))
AMBIT_API int ambit_await_future_(ambit_cx *cx, struct ambit_await *wait,
                                  ambit_future future, void *ret,
                                  size_t ret_size, int *ret_result);
/* The cancel of a token, which stays at least as long.  0. */
AMBIT_API int ambit_await_token(ambit_cx *cx, struct ambit_await *wait,
                                ambit_token *token);
/*
 * Has it done once, here or by another task, machine or not.  Where it is done
 * here, step(cx, state) is called in this step and in those that follow, until
 * it answers something else than AMBIT_PENDING; so it may await.  A cancel does
 * not end that by itself: the awaits of the step answer it.  0: it is done; what
 * the step answered when it failed: then the next who waits tries with its own.
 * Dropped on the way it goes to the next as well; what the step was waiting for
 * is to be dropped before.
 */
AMBIT_API int ambit_await_once(ambit_cx *cx, struct ambit_await *wait,
                               struct ambit_once *once, ambit_step_fn *step,
                               void *state);
/*
 * fn(arg) on a thread of the blocking pool, and its result in *ret_result.  *arg
 * may lie in the state.  0; -EAGAIN: the queue of the pool is full; -EPERM in a
 * region without AMBIT_CAP_BLOCKING.  A call that has begun is waited for,
 * cancelled or not, by a panic too; after -ECANCELED it never began.
 */
AMBIT_API int ambit_await_blocking(ambit_cx *cx, struct ambit_await *wait,
                                   int (*fn)(void *arg), void *arg,
                                   int *ret_result);

/*
 * Room in an actor's mailbox, in order of arrival, as ambit_reserve(): 0, and a
 * permit in *ret_permit, to be committed or aborted.  -EPIPE; -ESTALE; -E2BIG;
 * -ENOMEM.
 */
AMBIT_API int ambit_await_actor_reserve(ambit_cx *cx, struct ambit_await *wait,
                                        ambit_actor_ref actor, size_t size,
                                        struct ambit_permit *ret_permit);
/* The same, and sends it, as ambit_send().  *message is read by the step that
 * gets 0 or -EPIPE. */
AMBIT_API int ambit_await_actor_send(ambit_cx *cx, struct ambit_await *wait,
                                     ambit_actor_ref actor,
                                     const void *message, size_t size);

/*
 * A call to a gen-server, as ambit_call(): waits for room, sends, waits for the
 * reply.  *call is read once, when there is room; *ret_reply may be written at
 * any time until it answers.  0; the errors of the call and of the server (see
 * ambit/server.h), so -EPIPE, -EOWNERDEAD, -ESTALE, -E2BIG, -ENOMEM.  After
 * -ECANCELED it may have been handled: the reply goes to nobody; so it is with
 * one that is dropped once it was sent.  Who it belongs to afterwards: as there;
 * one that is dropped before it was sent is still the caller's.  AMBIT_SERVER
 * makes a typed form, NAME_await_call(cx, wait, server, &reply, call).
 */
AMBIT_API int ambit_await_call(ambit_cx *cx, struct ambit_await *wait,
                               ambit_actor_ref server, const void *call,
                               size_t call_size, void *ret_reply,
                               size_t reply_size);
/* A request of another thread, as ambit_boundary_receive(): an obligation of the
 * task's region.  0; -EPIPE. */
AMBIT_API int ambit_await_boundary(ambit_cx *cx, struct ambit_await *wait,
                                   ambit_boundary *boundary,
                                   struct ambit_boundary_request *ret_request);

/*
 * At a ring, as the calls of ambit/ring.h, on behalf of the worker on which the
 * step runs that begins the wait.  *ret_message and *ret_sum may be written at
 * any time until it answers.  Their errors, and -ENOMEM.  A drop may have to wait
 * for that worker: AMBIT_PENDING.
 */
AMBIT_API int ambit_await_ring_send(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_ring *ring, unsigned to, uint16_t tag,
                                    uint64_t value);
AMBIT_API int ambit_await_ring_next(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_ring *ring,
                                    struct ambit_ring_message *ret_message);
AMBIT_API int ambit_await_ring_next_hot(ambit_cx *cx, struct ambit_await *wait,
                                        ambit_ring *ring,
                                        struct ambit_ring_message *ret_message);
AMBIT_API int ambit_await_ring_next_count(ambit_cx *cx,
                                          struct ambit_await *wait,
                                          ambit_ring *ring, uint16_t tag,
                                          uint64_t *ret_sum);

/*
 * Sockets and files, as the calls of ambit/net.h and ambit/file.h.
 *
 * What a call is given (buffer, path, socket, file) is read or written at any
 * time until it answers, also after a cancel.  So a cancel is not answered in
 * the same step, nor a drop (AMBIT_PENDING): the task is stepped when the kernel
 * has let go.  Then it is 0 and what happened, or -ECANCELED, and nothing did.
 * While it is under way it takes 256 bytes besides the wait, counts as one
 * operation (AMBIT_LIMIT_OPS, -EDQUOT; but for a truncation, which is done on the
 * pool), and a close of the socket or file by
 * others waits for the step that looks at it.
 *
 * 0 is good, for all; how many bytes it were is in *ret_count, which is not
 * written otherwise.  Errors: those of the call; -ECANCELED; -ESHUTDOWN; -EPERM
 * in a region without AMBIT_CAP_IO; -EDQUOT; -EAGAIN: .ops_max operations are
 * under way on this worker; -ENOMEM.
 */
AMBIT_API int ambit_await_tcp_accept(ambit_cx *cx, struct ambit_await *wait,
                                     ambit_tcp *listener,
                                     ambit_tcp **ret_socket);
AMBIT_API int ambit_await_tcp_connect(ambit_cx *cx, struct ambit_await *wait,
                                      const char *address,
                                      ambit_tcp **ret_socket);
AMBIT_API int ambit_await_tcp_read(ambit_cx *cx, struct ambit_await *wait,
                                   ambit_tcp *socket, void *buffer, size_t len,
                                   size_t *ret_count);
AMBIT_API int ambit_await_tcp_write(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_tcp *socket, const void *buffer,
                                    size_t len, size_t *ret_count);
/* *ret_written (may be NULL) is set whenever it answers: what the kernel took.
 * One that is dropped on the way is over (-EBUSY) once some was taken. */
AMBIT_API int ambit_await_tcp_write_all(ambit_cx *cx, struct ambit_await *wait,
                                        ambit_tcp *socket, const void *buffer,
                                        size_t len, size_t *ret_written);
/* Neither a cancel nor a drop ends it.  Besides -EALREADY; -EDEADLK: the task
 * awaits something of the socket itself, and has to drop that first. */
AMBIT_API int ambit_await_tcp_close(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_tcp *socket);

/* *path is read until it answers. */
AMBIT_API int ambit_await_file_open(ambit_cx *cx, struct ambit_await *wait,
                                    const char *path, int flags, mode_t mode,
                                    ambit_file **ret_file);
AMBIT_API int ambit_await_file_read(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_file *file, void *buffer, size_t len,
                                    uint64_t offset, size_t *ret_count);
AMBIT_API int ambit_await_file_write(ambit_cx *cx, struct ambit_await *wait,
                                     ambit_file *file, const void *buffer,
                                     size_t len, uint64_t offset,
                                     size_t *ret_count);
/* As ambit_await_tcp_write_all(). */
AMBIT_API int ambit_await_file_write_all(ambit_cx *cx, struct ambit_await *wait,
                                         ambit_file *file, const void *buffer,
                                         size_t len, uint64_t offset,
                                         size_t *ret_written);
AMBIT_API int ambit_await_file_sync(ambit_cx *cx, struct ambit_await *wait,
                                    ambit_file *file);
AMBIT_API int ambit_await_file_datasync(ambit_cx *cx, struct ambit_await *wait,
                                        ambit_file *file);
/* Besides -EAGAIN: the queue of the blocking pool is full. */
AMBIT_API int ambit_await_file_truncate(ambit_cx *cx, struct ambit_await *wait,
                                        ambit_file *file, uint64_t size);
/* As ambit_await_tcp_close(). */
AMBIT_API int ambit_await_file_close(ambit_cx *cx, struct ambit_await *wait,
                                     ambit_file *file);

AMBIT_END

#endif
