/* SPDX-License-Identifier: MIT */
/*
 * server.c -- gen-servers: calls, casts, and the handlers behind them.
 *
 *   SRV-CALL-3  A call to a server that has ended gives -EPIPE.
 *   SRV-CALL-5  A server that calls itself gets -EDEADLK.
 *   SRV-CALL-6  A negative result of handle_call is the caller's.
 */
#include "actors/actor.h"

static const struct ambit_server_type *type_of(const struct actor *actor)
{
    return actor->type;
}

/* The reply is made behind the state. */
static size_t reply_offset(const struct ambit_server_type *type)
{
    return (type->state_size + 15) & ~(size_t)15;
}

static int server_init(struct actor *actor, ambit_cx *cx, void *state)
{
    const struct ambit_server_type *type = type_of(actor);
    return type->init != NULL ? type->init(cx, state, actor->mailbox.arg) : 0;
}

/* A handler that was called off because its server ends has not answered. */
static int call_result(struct actor *actor, int rc)
{
    bool ended =
        rc == -ECANCELED && owner_is_cancelled(actor->task.scope);
    return ended ? -EOWNERDEAD : rc;
}

static int handle_call(struct actor *actor, ambit_cx *cx,
                       struct message *message)
{
    const struct ambit_server_type *type = type_of(actor);
    void *room = actor->life->state + reply_offset(type);
    ambit_reply reply = message_reply(message);
    int rc = -EOPNOTSUPP;
    if (type->handle_call != NULL) {
        memset(room, 0, type->reply_size);
        rc = type->handle_call(cx, actor->life->state, message_body(message),
                               room);
    }
    if (rc == AMBIT_NO_REPLY && actor->current_kept) {
        return AMBIT_CONTINUE;
    }
    if (rc == AMBIT_NO_REPLY) {
        rc = -EOWNERDEAD; /* it forgot to keep the reply */
    }
    RULE(SRV_CALL_6);
    int result = rc < 0 ? call_result(actor, rc) : 0;
    reply_resolve(reply, result, room, type->reply_size, true);
    return rc == AMBIT_STOP ? AMBIT_STOP : AMBIT_CONTINUE;
}

static int server_handle(struct actor *actor, ambit_cx *cx,
                         struct message *message)
{
    const struct ambit_server_type *type = type_of(actor);
    void *state = actor->life->state;
    switch ((enum message_kind)message->kind) {
    case MESSAGE_CALL:
        return handle_call(actor, cx, message);
    case MESSAGE_CAST:
        return type->handle_cast != NULL
                   ? type->handle_cast(cx, state, message_body(message))
                   : 0;
    case MESSAGE_INFO:
        return type->handle_info != NULL
                   ? type->handle_info(cx, state, message_body(message),
                                       message->size)
                   : 0;
    case MESSAGE_STOP:
        break;
    }
    base_die(__FILE__, __LINE__, "a message of no kind");
}

static bool has_idle(const struct ambit_server_type *type)
{
    void (*given)(void) = NULL;
    if (type->size_ < sizeof *type || type->idle_at_ == NULL) {
        return type->handle_idle != NULL;
    }
    memcpy(&given, type->idle_at_, sizeof given);
    return given != NULL;
}

static int server_idle(struct actor *actor, ambit_cx *cx)
{
    actor_flush_credits(actor);
    return type_of(actor)->handle_idle(cx, actor->life->state);
}

static void server_terminate(struct actor *actor, ambit_cx *cx, int reason)
{
    const struct ambit_server_type *type = type_of(actor);
    if (type->terminate != NULL) {
        type->terminate(cx, actor->life->state, reason);
    }
}

static void server_dispose(struct actor *actor, struct message *message)
{
    const struct ambit_server_type *type = type_of(actor);
    if (type->dispose != NULL && message->kind != MESSAGE_INFO) {
        type->dispose(message_body(message));
    }
}

static size_t server_life_size(const void *type)
{
    const struct ambit_server_type *of = type;
    return reply_offset(of) + of->reply_size;
}

static const struct behaviour server = {
    .init = server_init,
    .handle = server_handle,
    .idle = server_idle,
    .terminate = server_terminate,
    .dispose = server_dispose,
    .life_size = server_life_size,
};

struct actor_plan server_plan_of(const struct ambit_server_type *type,
                                 const void *arg, size_t arg_size)
{
    const struct ambit_server_limits none = {0};
    const struct ambit_server_limits *limits =
        type->limits != NULL ? type->limits : &none;
    return (struct actor_plan){
        .behaviour = &server,
        .has_idle = has_idle(type),
        .type = type,
        .name = type->name != NULL ? type->name : "server",
        .mailbox_max = limits->mailbox_max,
        .batch_max = limits->batch_max,
        .arg = arg,
        .arg_size = arg_size,
    };
}

int ambit_server_start(ambit_cx *cx, ambit_region *region,
                       const struct ambit_server_type *type, const void *arg,
                       size_t arg_size, ambit_actor_ref *ret_server)
{
    struct actor_plan plan = server_plan_of(type, arg, arg_size);
    return actor_start(cx, region, &plan, ret_server);
}

/* After these nothing was sent, and the call is still the caller's. */
static bool is_refusal(int rc)
{
    return rc == -EAGAIN || rc == -ESTALE || rc == -EDEADLK || rc == -E2BIG ||
           rc == -ENOMEM || rc == -EPERM;
}

/* A call that was given up before it was sent, in the name of its type. */
static NOINLINE int give_up(const struct ambit_server_type *type, const void *body,
                   size_t size, int rc)
{
    unsigned char copy[512];
    if (!is_refusal(rc) && type != NULL && type->dispose != NULL &&
        size <= sizeof copy) {
        memcpy(copy, body, size);
        type->dispose(copy);
    }
    return rc;
}

ALWAYS_INLINE static int publish(struct sending *sending,
                                 enum message_kind kind, const void *body,
                                 struct reply_slot *slot)
{
    struct message *message = sending->message;
    message->kind = (uint8_t)kind;
    if (message->size > 0) {
        copy_bytes(message_body(message), body, message->size);
    }
    if (slot != NULL) {
        ambit_reply reply = reply_handle(slot);
        message->reply_slot = reply.slot;
        message->reply_generation = reply.generation;
    }
    return sending_end(sending);
}

static int call_prepare(struct task *task, ambit_actor_ref to, size_t size,
                        bool wait, struct sending *ret_sending)
{
    struct actor *self = actor_of_task(task);
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    if (self != NULL && self == to.slot &&
        mailbox_generation(&self->mailbox) == to.generation) {
        RULE(SRV_CALL_5);
        return -EDEADLK;
    }
    return sending_begin(task_worker(task), to, size, wait ? task : NULL, true,
                         ret_sending);
}

int ambit_call_as_(ambit_cx *cx, const struct ambit_server_type *type,
                   ambit_actor_ref to, const void *call, size_t call_size,
                   void *ret_reply, size_t reply_size, bool wait)
{
    struct task *task = task_of(cx);
    struct sending sending;
    int rc = call_prepare(task, to, call_size, wait, &sending);
    if (rc < 0) {
        return give_up(type, call, call_size, rc);
    }
    struct reply_slot *slot = reply_open(task, ret_reply, reply_size);
    if (slot == NULL) {
        sending_drop(&sending);
        return -ENOMEM;
    }
    /* When nobody receives, the slot is answered all the same. */
    RULE(SRV_CALL_3);
    publish(&sending, MESSAGE_CALL, call, slot);
    return reply_wait(slot);
}

int ambit_call(ambit_cx *cx, ambit_actor_ref to, const void *call,
               size_t call_size, void *ret_reply, size_t reply_size)
{
    return ambit_call_as_(cx, NULL, to, call, call_size, ret_reply, reply_size,
                          true);
}

int ambit_call_now(ambit_cx *cx, ambit_actor_ref to, const void *call,
                   size_t call_size, void *ret_reply, size_t reply_size)
{
    return ambit_call_as_(cx, NULL, to, call, call_size, ret_reply, reply_size,
                          false);
}

int ambit_await_call_as_(ambit_cx *cx, struct ambit_await *wait,
                         const struct ambit_server_type *type,
                         ambit_actor_ref to, const void *call,
                         size_t call_size, void *ret_reply, size_t reply_size)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    struct ambit_permit permit;
    if (reply_is_awaited(await)) {
        return reply_await(await, task);
    }
    int rc = actor_await_reserve(task, await, to, call_size, true, &permit);
    if (rc != 0) {
        return rc < 0 ? give_up(type, call, call_size, rc) : rc;
    }
    struct reply_slot *slot = reply_open(task, ret_reply, reply_size);
    if (slot == NULL) {
        ambit_abort(&permit);
        return -ENOMEM;
    }
    reply_await_begin(slot, await, task);
    struct sending sending = sending_of(&permit);
    publish(&sending, MESSAGE_CALL, call, slot);
    return AMBIT_PENDING;
}

int ambit_await_call(ambit_cx *cx, struct ambit_await *wait,
                     ambit_actor_ref to, const void *call, size_t call_size,
                     void *ret_reply, size_t reply_size)
{
    return ambit_await_call_as_(cx, wait, NULL, to, call, call_size, ret_reply,
                                reply_size);
}

int ambit_cast_as_(ambit_cx *cx, const struct ambit_server_type *type,
                   ambit_actor_ref to, const void *cast, size_t size)
{
    struct task *task = cx != NULL ? task_of(cx) : NULL;
    struct sending sending;
    int rc = task != NULL ? park_check(task) : 0;
    if (rc == 0) {
        rc = sending_begin(worker_self, to, size, task, false, &sending);
    }
    return rc < 0 ? give_up(type, cast, size, rc)
                  : publish(&sending, MESSAGE_CAST, cast, NULL);
}

int ambit_cast(ambit_cx *cx, ambit_actor_ref to, const void *cast, size_t size)
{
    return ambit_cast_as_(cx, NULL, to, cast, size);
}

int ambit_cast_now(ambit_actor_ref to, const void *cast, size_t size)
{
    return ambit_cast_as_(NULL, NULL, to, cast, size);
}

ambit_reply ambit_reply_later(ambit_cx *cx)
{
    struct actor *actor = actor_of_task(task_of(cx));
    REQUIRE(actor != NULL && actor->current != NULL &&
                actor->current->kind == MESSAGE_CALL,
            "ambit_reply_later is for handle_call");
    ambit_reply reply = message_reply(actor->current);
    if (life_keep_reply(actor->life, (struct kept_reply){reply, cx->at}) < 0) {
        return (ambit_reply){NULL, 0};
    }
    actor->current_kept = true;
    return reply;
}

int ambit_reply_send(ambit_reply reply, int result, const void *value,
                     size_t size)
{
    return reply_resolve(reply, result, value, size, true);
}
