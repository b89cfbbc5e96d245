/* SPDX-License-Identifier: MIT */
/*
 * ambit/server.h -- gen-servers: actors that answer.
 *
 * AMBIT_SERVER makes a typed server out of four types and a few handlers:
 *
 *     AMBIT_SERVER(counter, struct counter, struct counter_call,
 *                  struct counter_reply, .handle_call = counter_handle_call)
 *
 *     static int counter_handle_call(ambit_cx *cx, struct counter *state,
 *                                    const struct counter_call *call,
 *                                    struct counter_reply *ret_reply);
 *
 * and gives counter_start(), counter_call(), counter_call_now(),
 * counter_cast(), counter_cast_now(), counter_reply(), counter_type and, for
 * poll tasks, counter_await_call().  The handlers are declared before; their
 * types are checked by the compiler.  A cast carries the same type as a call.
 * Limits are one more field: .limits = { .mailbox_max = 256 }.
 *
 * handle_call returns 0: *ret_reply is sent; a negative errno: the caller gets
 * it and the server lives on; AMBIT_STOP: reply, then stop; AMBIT_NO_REPLY: the
 * handler took the reply with ambit_reply_later() and will finish it.
 * The other handlers: AMBIT_CONTINUE, AMBIT_STOP, or a negative errno, which
 * stops the server abnormally.
 *
 * A call is monitor, send, wait and demonitor in one.  Whatever happens to the
 * server, the caller is told at once:
 *
 *   -EOWNERDEAD  it crashed while handling this call, or holding its reply
 *   -EPIPE       it has ended for good
 *   -EAGAIN      its mailbox is full (try_call and call_now)
 *   -ECANCELED   the caller was cancelled; a later reply is disposed, counted
 *   -EDEADLK     a server called itself
 *   -ESTALE      the ref's server is long gone
 *
 * A call that owns something: after -EAGAIN, -ESTALE, -EDEADLK, -E2BIG, -ENOMEM
 * nothing was sent and it is still the caller's.  In every other case it was
 * consumed: handled, or given to dispose exactly once.
 */
#ifndef AMBIT_SERVER_H
#define AMBIT_SERVER_H

#include <ambit/actor.h>

AMBIT_BEGIN

struct ambit_await; /* ambit/await.h */

/* The right to answer one call, once.  A value; stale ones are refused. */
typedef struct ambit_reply {
    void *slot;
    uint64_t generation;
} ambit_reply;

struct ambit_server_limits {
    uint32_t mailbox_max; /* credits; 0: 1,024 */
    uint32_t batch_max;   /* messages between two handle_idle; 0: 64 */
};

struct ambit_server_type {
    size_t size_;
    const char *name;
    size_t state_size;
    size_t call_size;
    size_t reply_size;
    const struct ambit_server_limits *limits; /* NULL: the defaults */
    int (*init)(ambit_cx *cx, void *state, const void *arg);
    int (*handle_call)(ambit_cx *cx, void *state, const void *call,
                       void *ret_reply);
    int (*handle_cast)(ambit_cx *cx, void *state, const void *cast);
    /* A message that ambit_send() put into the mailbox. */
    int (*handle_info)(ambit_cx *cx, void *state, const void *info,
                       size_t size);
    /* The mailbox is empty, or batch_max messages have been handled. */
    int (*handle_idle)(ambit_cx *cx, void *state);
    /* reason: 0, or why it stops; after a panic -EOWNERDEAD. */
    void (*terminate)(ambit_cx *cx, void *state, int reason);
    /* A call or cast that will never be handled. */
    void (*dispose)(void *call);
    /* Of AMBIT_SERVER(): where its handle_idle is, so that one that is not
     * there costs nothing.  NULL elsewhere, and where it is replaced. */
    const void *idle_at_;
};

AMBIT_API int ambit_server_start(ambit_cx *cx, ambit_region *region,
                                 const struct ambit_server_type *type,
                                 const void *arg, size_t arg_size,
                                 ambit_actor_ref *ret_server);

/* Waits for room, then for the reply. */
AMBIT_API int ambit_call(ambit_cx *cx, ambit_actor_ref server,
                         const void *call, size_t call_size, void *ret_reply,
                         size_t reply_size);
/* Refuses with -EAGAIN instead of waiting for room; waits for the reply. */
AMBIT_API int ambit_call_now(ambit_cx *cx, ambit_actor_ref server,
                             const void *call, size_t call_size,
                             void *ret_reply, size_t reply_size);
/* Waits for room only.  The _now form never waits: -EAGAIN. */
AMBIT_API int ambit_cast(ambit_cx *cx, ambit_actor_ref server,
                         const void *cast, size_t size);
AMBIT_API int ambit_cast_now(ambit_actor_ref server, const void *cast,
                             size_t size);

/* Behind the typed forms: the type says how a call that was given up before it
 * was sent is disposed. */
AMBIT_API int ambit_call_as_(ambit_cx *cx, const struct ambit_server_type *type,
                             ambit_actor_ref server, const void *call,
                             size_t call_size, void *ret_reply,
                             size_t reply_size, bool wait);
AMBIT_API int ambit_await_call_as_(ambit_cx *cx, struct ambit_await *wait,
                                   const struct ambit_server_type *type,
                                   ambit_actor_ref server, const void *call,
                                   size_t call_size, void *ret_reply,
                                   size_t reply_size);
AMBIT_API int ambit_cast_as_(ambit_cx *cx, const struct ambit_server_type *type,
                             ambit_actor_ref server, const void *cast,
                             size_t size);

/* In handle_call: takes the reply out of the handler's hands; it then returns
 * AMBIT_NO_REPLY.  When the server ends first the caller gets -EOWNERDEAD. */
AMBIT_API ambit_reply ambit_reply_later(ambit_cx *cx);

/* Answers: result 0 with *reply, or a negative errno (reply may be NULL).
 * 0; -ESTALE when answered before, or the caller has left: the reply is then
 * disposed of by nobody but you.  The server that took it; any of its tasks. */
AMBIT_API int ambit_reply_send(ambit_reply reply, int result,
                               const void *value, size_t size);

/* The thunks give each typed handler the untyped shape, and a missing one its
 * default: a call nobody handles is -EOPNOTSUPP, everything else goes on. */
#define AMBIT_SERVER(name_, state_, call_, reply_, ...) \
    enum { \
        name_##_may_ask_ = AMBIT_SENDS_TYPE_(call_), \
        name_##_may_answer_ = AMBIT_SENDS_TYPE_(reply_) \
    }; \
    struct name_##_handlers { \
        struct ambit_server_limits limits; \
        int (*init)(ambit_cx *, state_ *, const void *); \
        int (*handle_call)(ambit_cx *, state_ *, const call_ *, reply_ *); \
        int (*handle_cast)(ambit_cx *, state_ *, const call_ *); \
        int (*handle_info)(ambit_cx *, state_ *, const void *, size_t); \
        int (*handle_idle)(ambit_cx *, state_ *); \
        void (*terminate)(ambit_cx *, state_ *, int); \
        void (*dispose)(call_ *); \
    }; \
    static const struct name_##_handlers name_##_h_ = {__VA_ARGS__}; \
    static int name_##_init_(ambit_cx *cx, void *state, const void *arg) \
    { \
        return name_##_h_.init ? name_##_h_.init(cx, (state_ *)state, arg) \
                               : 0; \
    } \
    static int name_##_call_(ambit_cx *cx, void *state, const void *call, \
                             void *ret) \
    { \
        return name_##_h_.handle_call \
                   ? name_##_h_.handle_call(cx, (state_ *)state, \
                                            (const call_ *)call, \
                                            (reply_ *)ret) \
                   : -EOPNOTSUPP; \
    } \
    static int name_##_cast_(ambit_cx *cx, void *state, const void *cast) \
    { \
        return name_##_h_.handle_cast \
                   ? name_##_h_.handle_cast(cx, (state_ *)state, \
                                            (const call_ *)cast) \
                   : 0; \
    } \
    static int name_##_info_(ambit_cx *cx, void *state, const void *info, \
                             size_t size) \
    { \
        return name_##_h_.handle_info \
                   ? name_##_h_.handle_info(cx, (state_ *)state, info, size) \
                   : 0; \
    } \
    static int name_##_idle_(ambit_cx *cx, void *state) \
    { \
        return name_##_h_.handle_idle \
                   ? name_##_h_.handle_idle(cx, (state_ *)state) \
                   : 0; \
    } \
    static void name_##_terminate_(ambit_cx *cx, void *state, int reason) \
    { \
        if (name_##_h_.terminate) { \
            name_##_h_.terminate(cx, (state_ *)state, reason); \
        } \
    } \
    static void name_##_dispose_(void *call) \
    { \
        if (name_##_h_.dispose) { \
            name_##_h_.dispose((call_ *)call); \
        } \
    } \
    __attribute__((unused)) static const struct ambit_server_type \
        name_##_type = { \
            .size_ = sizeof(struct ambit_server_type), \
            .name = #name_, \
            .state_size = sizeof(state_), \
            .call_size = sizeof(call_), \
            .reply_size = sizeof(reply_), \
            .limits = &name_##_h_.limits, \
            .init = name_##_init_, \
            .handle_call = name_##_call_, \
            .handle_cast = name_##_cast_, \
            .handle_info = name_##_info_, \
            .handle_idle = name_##_idle_, \
            .terminate = name_##_terminate_, \
            .dispose = name_##_dispose_, \
            .idle_at_ = &name_##_h_.handle_idle, \
    }; \
    __attribute__((unused)) static inline int name_##_start( \
        ambit_cx *cx, ambit_region *region, const void *arg, size_t arg_size, \
        ambit_actor_ref *ret_server) \
    { \
        return ambit_server_start(cx, region, &name_##_type, arg, arg_size, \
                                  ret_server); \
    } \
    __attribute__((unused)) static inline int name_##_call( \
        ambit_cx *cx, ambit_actor_ref server, reply_ *ret_reply, call_ call) \
    { \
        return ambit_call_as_(cx, &name_##_type, server, &call, sizeof call, \
                              ret_reply, sizeof *ret_reply, true); \
    } \
    __attribute__((unused)) static inline int name_##_call_now( \
        ambit_cx *cx, ambit_actor_ref server, reply_ *ret_reply, call_ call) \
    { \
        return ambit_call_as_(cx, &name_##_type, server, &call, sizeof call, \
                              ret_reply, sizeof *ret_reply, false); \
    } \
    __attribute__((unused)) static inline int name_##_await_call( \
        ambit_cx *cx, struct ambit_await *wait, ambit_actor_ref server, \
        reply_ *ret_reply, call_ call) \
    { \
        return ambit_await_call_as_(cx, wait, &name_##_type, server, &call, \
                                    sizeof call, ret_reply, \
                                    sizeof *ret_reply); \
    } \
    __attribute__((unused)) static inline int name_##_cast( \
        ambit_cx *cx, ambit_actor_ref server, call_ cast) \
    { \
        return ambit_cast_as_(cx, &name_##_type, server, &cast, sizeof cast); \
    } \
    __attribute__((unused)) static inline int name_##_cast_now( \
        ambit_actor_ref server, call_ cast) \
    { \
        return ambit_cast_as_(NULL, &name_##_type, server, &cast, \
                              sizeof cast); \
    } \
    __attribute__((unused)) static inline int name_##_reply( \
        ambit_reply to, int result, const reply_ *reply) \
    { \
        return ambit_reply_send(to, result, reply, sizeof *reply); \
    } \
    struct name_##_handlers

#ifndef AMBIT_NO_SITES
#define ambit_server_start(cx, ...) \
    ambit_server_start(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_reply_later(cx) ambit_reply_later(AMBIT_HERE(cx))
#define ambit_call(cx, ...) ambit_call(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_call_now(cx, ...) ambit_call_now(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_cast(cx, ...) ambit_cast(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
