/* SPDX-License-Identifier: MIT */
/*
 * ambit/boundary.h -- questions from other threads and event loops.
 *
 *     ambit_boundary_create(&b, .capacity = 64, .request_max = 256,
 *                           .reply_max = 256);
 *     ...                                     // a task serves:
 *     ambit_boundary_serve(region, b);
 *     while (ambit_boundary_receive(cx, b, &request) == 0)
 *         ambit_boundary_respond(&request, answer, answer_size);
 *     ...                                     // a thread of yours asks:
 *     n = ambit_boundary_call(b, &question, sizeof question, deadline,
 *                             &answer, sizeof answer);
 *     ambit_boundary_unref(b);                // it will ask no more
 *
 * The clients are threads that know nothing of Ambit; the server is any number
 * of tasks of one region.  At most `capacity` requests are under way, each with
 * a place for its bytes and those of its answer; nothing is allocated on the
 * way.  Nobody polls: a client sleeps, or its loop watches a descriptor.
 *
 *   none --call, try_call--> queued --receive--> held --respond, refuse-->
 *   answered --wait, try--> none
 *
 * A place is in use until both sides are done with it: a request its client has
 * given up takes one until the server has resolved it.
 *
 * Ends.  A client end is a count: ambit_boundary_ref() makes one more.  It may
 * outlive the run and the runtime, and then hears -EPIPE.  The server's end is
 * the region's, from ambit_boundary_serve() to its close.
 *
 * The other way round (tasks that ask, a thread that answers) is not made by
 * this; there a task submits to a blocking task or reads a descriptor.
 */
#ifndef AMBIT_BOUNDARY_H
#define AMBIT_BOUNDARY_H

#include <ambit/region.h>
#include <ambit/time.h>

AMBIT_BEGIN

typedef struct ambit_boundary ambit_boundary;

#define AMBIT_BOUNDARY_CAPACITY_MAX 65536
#define AMBIT_BOUNDARY_BYTES_MAX (1 << 20)

struct ambit_boundary_options {
    size_t size_;
    uint32_t capacity;    /* requests under way; 0: 64 */
    uint32_t request_max; /* bytes of a request; 0: 256 */
    uint32_t reply_max;   /* bytes of an answer; 0: 256 */
};

/* A request under way, to its client.  Copied at will; one thread at a time
 * waits for it.  Once it is resolved, -ESTALE. */
struct ambit_boundary_ticket {
    uint32_t slot_;
    uint32_t generation_;
};

/* A request that was received.  Copied at will: one resolves it. */
struct ambit_boundary_request {
    const void *data; /* until it is resolved; aligned for any type */
    size_t size;
    ambit_time deadline; /* its client waits no longer than that */
    ambit_boundary *boundary_;
    uint32_t slot_;
    uint32_t generation_;
};

struct ambit_boundary_stats {
    uint64_t answered;   /* with an answer, or the error of a refusal */
    uint64_t overloaded; /* try_calls that found no place */
    uint64_t timed_out;  /* requests whose deadline passed */
    uint64_t closed;     /* calls that met, or were met by, the close */
    uint64_t cancelled;  /* given up by the client, or dropped by the server */
    uint32_t queued;     /* just now */
    uint32_t held;       /* just now: received, not resolved */
    uint32_t receivers;  /* tasks that wait */
};

/* --- ends ------------------------------------------------------------------ */

/* One client end in *ret_boundary.  0; -EINVAL beyond the two maxima; -ENOMEM.
 * Any thread, before a run, during it or without one.  Does not suspend. */
#define ambit_boundary_create(ret_boundary, ...) \
    ambit_boundary_create_((ret_boundary), \
                           &(const struct ambit_boundary_options){ \
                               .size_ = sizeof(struct ambit_boundary_options), \
                               __VA_ARGS__})
AMBIT_API int
ambit_boundary_create_(ambit_boundary **ret_boundary,
                       const struct ambit_boundary_options *options);

/* One more client end.  By who has one.  Any thread. */
AMBIT_API void ambit_boundary_ref(ambit_boundary *boundary);
/* One less.  With the last one all requests nobody waits for are given up, and
 * receivers get -EPIPE.  NULL is fine.  Any thread; does not suspend. */
AMBIT_API void ambit_boundary_unref(ambit_boundary *boundary);

/* Ends it for both sides: clients that wait get -EPIPE, receivers too.  What is
 * held may still be resolved, to no effect.  Again: nothing.  Any thread that
 * has a client end, or a task of the serving region.  Does not suspend. */
AMBIT_API void ambit_boundary_close(ambit_boundary *boundary);

/* As it was a moment ago. */
AMBIT_API void ambit_boundary_stats(ambit_boundary *boundary,
                                    struct ambit_boundary_stats *ret_stats);

/* --- clients: threads that run no tasks ------------------------------------- */

/*
 * Asks, and blocks the thread until there is an answer; while all places are
 * taken, until there is one, in order of arrival.  The bytes of the answer, or
 * -ETIMEDOUT by the deadline; -EPIPE: closed; -ECANCELED: the server dropped
 * it; -E2BIG: the request is too large, or the answer is for `room`;
 * -EDEADLK: this thread is a worker; and what the server refused it with.
 */
AMBIT_API int ambit_boundary_call(ambit_boundary *boundary, const void *request,
                                  size_t size, ambit_time deadline,
                                  void *ret_reply, size_t room);

/*
 * Asks, and goes on.  0 and a ticket, which has to be resolved by one of the
 * four below; -EAGAIN: all places are taken, nothing happened; -ETIMEDOUT;
 * -EPIPE; -E2BIG.  Never blocks.  Any thread.
 */
AMBIT_API int ambit_boundary_try_call(ambit_boundary *boundary,
                                      const void *request, size_t size,
                                      ambit_time deadline,
                                      struct ambit_boundary_ticket *ret_ticket);
/* Blocks the thread until the answer, or the request's deadline.  As
 * ambit_boundary_call(), but after -E2BIG or -EDEADLK the ticket is still good;
 * -ESTALE. */
AMBIT_API int ambit_boundary_wait(ambit_boundary *boundary,
                                  struct ambit_boundary_ticket ticket,
                                  void *ret_reply, size_t room);
/* The same, with -EAGAIN in place of a wait.  Any thread. */
AMBIT_API int ambit_boundary_try(ambit_boundary *boundary,
                                 struct ambit_boundary_ticket ticket,
                                 void *ret_reply, size_t room);
/* No answer is wanted.  0; -ESTALE.  Any thread; never blocks. */
AMBIT_API int ambit_boundary_abandon(ambit_boundary *boundary,
                                     struct ambit_boundary_ticket ticket);

/*
 * For event loops: a descriptor, the boundary's, made by the first call, good
 * as long as the caller's end.  It becomes readable when an answer comes that
 * no thread is blocked for, after there was none; and stays so until
 * ambit_boundary_drain(), level-triggered and edge-triggered alike.  So: drain,
 * then ambit_boundary_next() until -EAGAIN.  It may be readable for nothing.
 * A deadline that passes does not ring it: that is for a timer of the loop, and
 * ambit_boundary_try().  -EMFILE and the like.  Any thread.
 */
AMBIT_API int ambit_boundary_fd(ambit_boundary *boundary);
AMBIT_API void ambit_boundary_drain(ambit_boundary *boundary);
/* The next that was answered, in that order, for ambit_boundary_try(); each is
 * told once.  0; -EAGAIN.  Any thread. */
AMBIT_API int ambit_boundary_next(ambit_boundary *boundary,
                                  struct ambit_boundary_ticket *ret_ticket);

/* --- the server: tasks of a region ------------------------------------------ */

/* From now on the region answers; its close is ambit_boundary_close().  0;
 * -EALREADY: somebody does; -EPIPE: closed; and as ambit_defer().  A task of the
 * region; does not suspend. */
AMBIT_API int ambit_boundary_serve(ambit_region *region,
                                   ambit_boundary *boundary);

/*
 * Waits for a request, in order of arrival; those whose deadline has passed are
 * told so, and left out.  It is an obligation of the innermost open scope: left
 * unresolved, its close tells the client -ECANCELED.  0; -EPIPE: closed, or
 * nobody is left to ask; -ECANCELED; -ENOMEM, in a handler.  Suspends; a task in
 * the serving region or below.  Cancel-safe: after a failure no request was
 * taken.
 */
AMBIT_API int ambit_boundary_receive(ambit_cx *cx, ambit_boundary *boundary,
                                     struct ambit_boundary_request *ret_request);

/*
 * Answers, with a copy of the bytes, or with an error (a negative errno).
 * 0; -ETIMEDOUT: too late, and the client is told the same; -ECANCELED: the
 * client gave it up; -EPIPE: closed, or the last client end is gone; -EALREADY: it was resolved
 * before; -E2BIG: larger than reply_max, or -EINVAL: no error, both still to be
 * resolved.  Any thread, as long as the request is held or the serving region
 * open; never suspends, no cancel point.
 */
AMBIT_API int
ambit_boundary_respond(const struct ambit_boundary_request *request,
                       const void *reply, size_t size);
AMBIT_API int
ambit_boundary_refuse(const struct ambit_boundary_request *request, int error);

#ifndef AMBIT_NO_SITES
#define ambit_boundary_receive(cx, ...) \
    ambit_boundary_receive(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
