/* SPDX-License-Identifier: MIT */
/*
 * reply.c -- the one place an answer can go.
 *
 * Owner: the slot is the caller's from reply_open() until reply_wait() has
 * returned; an answerer owns it between its claim and the wake.
 */
#include "actors/reply.h"

enum {
    REPLY_FREE,
    REPLY_WAITED,
    REPLY_CLAIMED,
    REPLY_STATES = 4,
};

_Static_assert(sizeof(struct reply_slot) <= 64, "what a slab keeps");

static uint64_t reply_load(struct reply_slot *slot)
{
    /* ORDER(reply): acquire.  Pairs with the moves below. */
    return atomic_load_explicit(&slot->word, memory_order_acquire);
}

static bool reply_move(struct reply_slot *slot, uint64_t generation,
                       unsigned from, unsigned to)
{
    uint64_t expected = generation * REPLY_STATES + from;
    /* ORDER(reply): acquire.  Of an answer and the caller's leaving, one wins;
     * who claims, sees what the caller prepared.  Pairs with reply_open(). */
    return atomic_compare_exchange_strong_explicit(
        &slot->word, &expected, generation * REPLY_STATES + to,
        memory_order_acquire, memory_order_acquire);
}

struct reply_slot *reply_open(struct task *caller, void *ret, size_t size)
{
    struct runtime *runtime = task_runtime(caller);
    struct reply_slot *slot = runtime_alloc(runtime, SLAB_HANDLE_128);
    if (slot == NULL) {
        return NULL;
    }
    if (slot->runtime == NULL) {
        slot->runtime = runtime; /* its first use ever */
    }
    slot->caller = who_parks(caller);
    slot->ret = ret;
    slot->size = size;
    uint64_t generation = reply_load(slot) / REPLY_STATES;
    /* ORDER(reply): release.  While it is free nobody else moves it, and no
     * handle of this generation is out yet.  Pairs with reply_load(). */
    atomic_store_explicit(&slot->word, generation * REPLY_STATES + REPLY_WAITED,
                          memory_order_release);
    TELL(CALL_MADE, slot, caller, 0);
    return slot;
}

ambit_reply reply_handle(struct reply_slot *slot)
{
    return (ambit_reply){slot, reply_load(slot) / REPLY_STATES};
}

static void reply_retire(struct reply_slot *slot)
{
    uint64_t generation = reply_load(slot) / REPLY_STATES;
    struct runtime *runtime = slot->runtime;
    TELL(CALL_CLOSED, slot, NULL, 0);
    /* ORDER(reply): release.  Pairs with reply_load() of a stale handle. */
    atomic_store_explicit(&slot->word,
                          (generation + 1) * REPLY_STATES + REPLY_FREE,
                          memory_order_release);
    runtime_free(runtime, SLAB_HANDLE_128, slot);
}

static enum park_answer reply_abort(struct task *task, void *arg)
{
    struct reply_slot *slot = arg;
    (void)task;
    if (!reply_move(slot, reply_load(slot) / REPLY_STATES, REPLY_WAITED,
                    REPLY_CLAIMED)) {
        return PARK_BUSY;
    }
    TELL(CALL_LEFT, slot, NULL, 0);
    return PARK_ABORTED;
}

int reply_wait(struct reply_slot *slot)
{
    struct task *task = who_task(slot->caller);
    int result = (int)park(task, PARK_REPLY, reply_abort, slot);
    reply_retire(slot);
    return result;
}

static void reply_forget(struct await *await)
{
    reply_retire(*AWAIT_KEPT(struct reply_slot *, await));
}

static enum await_off reply_call_off(struct await *await)
{
    struct reply_slot *slot = *AWAIT_KEPT(struct reply_slot *, await);
    if (reply_abort(await->task, slot) == PARK_ABORTED) {
        RULE(AWAIT_CALL_2);
        reply_retire(slot);
        return AWAIT_OFF;
    }
    await_until_said(await);
    return AWAIT_OVER;
}

static const struct await_kind in_reply = {NULL, reply_call_off, reply_forget};

void reply_await_begin(struct reply_slot *slot, struct await *await,
                       struct task *task)
{
    await_begin(await, task, &in_reply);
    *AWAIT_KEPT(struct reply_slot *, await) = slot;
    slot->caller = who_awaits(await);
}

bool reply_is_awaited(const struct await *await)
{
    return await->kind == &in_reply;
}

int reply_await(struct await *await, struct task *task)
{
    int64_t said;
    if (await_look(task, await, &said) != AWAIT_SAID) {
        return (int)said;
    }
    RULE(AWAIT_CALL_1);
    reply_forget(await);
    return said > 0 ? 0 : (int)said; /* AMBIT_PENDING is none of them */
}

bool reply_is_open(ambit_reply reply)
{
    struct reply_slot *slot = reply.slot;
    return slot != NULL &&
           reply_load(slot) == reply.generation * REPLY_STATES + REPLY_WAITED;
}

int reply_resolve(ambit_reply reply, int result, const void *value,
                  size_t size, bool late_counts)
{
    struct reply_slot *slot = reply.slot;
    if (slot == NULL) {
        return -ESTALE;
    }
    if (!reply_move(slot, reply.generation, REPLY_WAITED, REPLY_CLAIMED)) {
        if (late_counts) {
            RULE(SRV_CALL_4);
            /* The slot's memory stays, and with it whose runtime it is. */
            count_shared(&slot->runtime->late_replies);
        }
        return -ESTALE;
    }
    TELL(CALL_ANSWERED, slot, NULL, result);
    if (result >= 0 && value != NULL) {
        RULE(SRV_CALL_1);
        copy_bytes(slot->ret, value, size < slot->size ? size : slot->size);
    }
    who_wake(slot->caller, result);
    return 0;
}
