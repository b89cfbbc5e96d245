/* SPDX-License-Identifier: MIT */
/*
 * channel.c -- a bounded queue with many at both ends.
 *
 *        senders' line      ring: head, queued       receivers' line
 *        (no room)          queued + reserved        (nothing queued)
 *                           <= capacity
 *
 * All of it is under the lock of the senders' line.  Who finds somebody waiting
 * at the other end serves him: an item goes straight into the memory of the
 * receiver that waits first, and room is filled by the sender that waits first,
 * from his.  So nobody is woken for nothing.
 *
 *   CHAN-ORDER-1   First in, first out.
 *   CHAN-BOUND-1   queued + reserved <= capacity.
 *   CHAN-ONCE-1    What is sent is received once, or still there.
 *   CHAN-CLOSE-1   Nothing is sent after the close.
 *   CHAN-CLOSE-2   What was sent before is received.
 *   CHAN-PERMIT-1  A place that is given back goes to the first who waits.
 *   CHAN-END-1     What is left at the end is told.
 *
 * An item that comes back from a poll task (src/sync/back.h) counts among what is
 * reserved: it has a place, but none in the ring.
 */
#include "src/sync/back.h"

#include "src/await.h"
#include "src/task.h"

#include <ambit/channel.h>
#include <stdlib.h>

_Static_assert(sizeof(struct line) == sizeof(struct ambit_line),
               "what a user makes room for");

static struct line *senders(struct ambit_channel *channel)
{
    return (struct line *)(void *)&channel->senders_;
}

static struct line *receivers(struct ambit_channel *channel)
{
    return (struct line *)(void *)&channel->receivers_;
}

static struct backs *backs(struct ambit_channel *channel)
{
    return (struct backs *)(void *)&channel->backs_;
}

static void channel_lock(struct ambit_channel *channel)
{
    REQUIRE(channel->capacity_ != 0, "a channel was used that nobody made");
    line_lock(senders(channel));
}

static void channel_unlock(struct ambit_channel *channel,
                           struct line_woken *woken)
{
    CHECK(channel->queued_ + channel->reserved_ <=
          channel->capacity_ + backs(channel)->count);
    line_unlock(senders(channel), woken);
}

static uint32_t items_in(struct ambit_channel *channel)
{
    return channel->queued_ + backs(channel)->count;
}

int ambit_channel_init(struct ambit_channel *channel, void *room,
                       uint32_t capacity, size_t item_size)
{
    if (capacity == 0 || item_size == 0) {
        return -EINVAL;
    }
    if (item_size > AMBIT_CHANNEL_ITEM_MAX) {
        return -E2BIG;
    }
    memset(channel, 0, sizeof *channel);
    channel->room_ = room;
    channel->capacity_ = capacity;
    channel->item_size_ = item_size;
    return 0;
}

uint32_t ambit_channel_fini(struct ambit_channel *channel)
{
    line_fini(senders(channel), "a channel was ended while tasks wait to send");
    REQUIRE(receivers(channel)->first == NULL,
            "a channel was ended while tasks wait to receive");
    REQUIRE(channel->reserved_ == backs(channel)->count,
            "a channel was ended while a permit of it is out");
    uint32_t left = items_in(channel);
    backs_free(backs(channel));
    channel->reserved_ = channel->queued_ = 0;
    RULE(CHAN_END_1);
    line_tell_left("a channel", left, "items");
    return left;
}

/* --- with the lock held ---------------------------------------------------- */

static bool has_room(const struct ambit_channel *channel)
{
    RULE(CHAN_BOUND_1);
    return channel->queued_ + channel->reserved_ < channel->capacity_;
}

static void *slot(const struct ambit_channel *channel, uint32_t index)
{
    return (char *)channel->room_ + index * channel->item_size_;
}

/* To the first receiver, or into the ring, where there is room. */
ALWAYS_INLINE static void put(struct ambit_channel *channel, const void *item,
                       struct line_woken *woken)
{
    struct line_waiter *receiver = receivers(channel)->first;
    RULE(CHAN_ORDER_1);
    if (receiver != NULL) {
        copy_bytes(receiver->item, item, channel->item_size_);
        backs_number(backs(channel), receiver);
        line_grant(receivers(channel), receiver, 0, woken);
        return;
    }
    uint64_t at = (uint64_t)channel->head_ + channel->queued_;
    at -= at >= channel->capacity_ ? channel->capacity_ : 0;
    copy_bytes(slot(channel, (uint32_t)at), item, channel->item_size_);
    channel->queued_++;
}

ALWAYS_INLINE static void get(struct ambit_channel *channel, void *ret_item)
{
    copy_bytes(ret_item, slot(channel, channel->head_), channel->item_size_);
    channel->head_++;
    channel->head_ = channel->head_ == channel->capacity_ ? 0 : channel->head_;
    channel->queued_--;
}

/* There is a place: for the item, or when there is none, for a permit. */
ALWAYS_INLINE static void occupy(struct ambit_channel *channel, const void *item,
                   struct line_woken *woken)
{
    if (item != NULL) {
        put(channel, item, woken);
    } else {
        channel->reserved_++;
    }
}

static NOINLINE void grant_room(struct ambit_channel *channel,
                                struct line_woken *woken)
{
    struct line_waiter *sender;
    while ((sender = senders(channel)->first) != NULL && has_room(channel)) {
        RULE(CHAN_PERMIT_1);
        occupy(channel, sender->item, woken);
        line_grant(senders(channel), sender, 0, woken);
    }
}

/* There may be room now, for those who wait for it. */
static inline void serve_senders(struct ambit_channel *channel,
                                 struct line_woken *woken)
{
    if (senders(channel)->first != NULL) {
        grant_room(channel, woken);
    }
}

/* 0: there is a place; -EPIPE; -EAGAIN: full, or it is others' turn. */
static int refusal(struct ambit_channel *channel)
{
    if (channel->closed_) {
        RULE(CHAN_CLOSE_1);
        return -EPIPE;
    }
    return senders(channel)->first == NULL && has_room(channel) ? 0 : -EAGAIN;
}

/* 0, -EPIPE, -EAGAIN. */
static int take(struct ambit_channel *channel, void *ret_item,
                struct line_woken *woken)
{
    if (channel->queued_ == 0) {
        RULE(CHAN_CLOSE_2);
        return channel->closed_ ? -EPIPE : -EAGAIN;
    }
    RULE(CHAN_ONCE_1);
    get(channel, ret_item);
    serve_senders(channel, woken);
    return 0;
}

/* --- send and receive ------------------------------------------------------ */

/* With the lock, which it gives up. */
static NOINLINE int wait_for_place(struct ambit_channel *channel,
                                   const void *item, struct task *task,
                                   struct line_waiter *waiter)
{
    struct line_waiter own;
    waiter = line_waiter_or(waiter, &own);
    waiter->item = (void *)(uintptr_t)item;
    return (int)line_wait(senders(channel), waiter, task, PARK_SEND);
}

/* A place for the item, or for a permit.  Without a task: -EAGAIN, no wait. */
ALWAYS_INLINE static int enter(struct ambit_channel *channel, const void *item,
                               struct task *task, struct line_waiter *waiter)
{
    struct line_woken woken = {0};
    channel_lock(channel);
    int rc = refusal(channel);
    if (rc == -EAGAIN && task != NULL) {
        return wait_for_place(channel, item, task, waiter);
    }
    if (rc == 0) {
        occupy(channel, item, &woken);
    }
    channel_unlock(channel, &woken);
    return rc;
}

int ambit_channel_send(ambit_cx *cx, struct ambit_channel *channel,
                       const void *item)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc : enter(channel, item, task, NULL);
}

/* What was granted without an item is a permit. */
static void forget_place(struct await *await)
{
    struct ambit_channel_permit permit = {
        .channel_ = CONTAINER_OF((void *)await->waiter.line,
                                 struct ambit_channel, senders_)};
    if (await->value == 0 && await->waiter.item == NULL) {
        RULE(AWAIT_END_3);
        ambit_channel_abort(&permit);
    }
}

static const struct await_kind in_channel = {
    .call_off = await_line_call_off,
    .forget = forget_place,
};

/* A place for an item, or for a permit, in a poll task. */
static int await_place(ambit_cx *cx, struct ambit_await *wait,
                       struct ambit_channel *channel, const void *item)
{
    struct task *task = task_of(cx);
    int rc;
    struct line_waiter *waiter = await_enter_as(cx, wait, &in_channel, &rc);
    if (waiter == NULL) {
        return rc;
    }
    rc = park_check(task);
    return await_leave(waiter,
                       rc < 0 ? rc : enter(channel, item, task, waiter));
}

int ambit_await_send(ambit_cx *cx, struct ambit_await *wait,
                     struct ambit_channel *channel, const void *item)
{
    return await_place(cx, wait, channel, item);
}

int ambit_channel_try_send(struct ambit_channel *channel, const void *item)
{
    RULE(CHAN_TRY_1);
    return enter(channel, item, NULL, NULL);
}

/* With the lock, which it gives up: what has come back is in front. */
static NOINLINE int leave_with_back(struct ambit_channel *channel,
                                    void *ret_item)
{
    struct line_woken woken = {0};
    struct back *back =
        back_take(backs(channel), ret_item, channel->item_size_);
    channel->reserved_--;
    serve_senders(channel, &woken);
    channel_unlock(channel, &woken);
    free(back);
    return 0;
}

/* Without a task: -EAGAIN in place of a wait. */
ALWAYS_INLINE static int leave(struct ambit_channel *channel, void *ret_item,
                        struct task *task, struct line_waiter *waiter)
{
    struct line_waiter own;
    struct line_woken woken = {0};
    channel_lock(channel);
    if (UNLIKELY(backs(channel)->first != NULL)) {
        return leave_with_back(channel, ret_item);
    }
    int rc = take(channel, ret_item, &woken);
    if (rc == -EAGAIN && task != NULL) {
        waiter = line_waiter_or(waiter, &own);
        waiter->item = ret_item;
        return (int)line_wait_under(senders(channel), receivers(channel),
                                    waiter, task, PARK_RECEIVE);
    }
    channel_unlock(channel, &woken);
    return rc;
}

int ambit_channel_receive(ambit_cx *cx, struct ambit_channel *channel,
                          void *ret_item)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc : leave(channel, ret_item, task, NULL);
}

static void forget_item(struct await *await)
{
    struct ambit_channel *channel = CONTAINER_OF(
        (void *)await->waiter.line, struct ambit_channel, receivers_);
    struct line_woken woken = {0};
    if (await->value != 0) {
        return;
    }
    struct back *spare = back_make(&await->waiter, channel->item_size_);
    channel_lock(channel);
    enum back_way way =
        back_pass_on(backs(channel), receivers(channel), &await->waiter,
                     channel->item_size_, &spare, &woken);
    channel->reserved_ += way == BACK_KEPT;
    channel_unlock(channel, &woken);
    free(spare);
    if (way == BACK_LOST) {
        await_tell_lost(await, "a channel");
    }
}

static const struct await_kind from_channel = {
    .call_off = await_line_call_off,
    .forget = forget_item,
};

int ambit_await_receive(ambit_cx *cx, struct ambit_await *wait,
                        struct ambit_channel *channel, void *ret_item)
{
    struct task *task = task_of(cx);
    int rc;
    struct line_waiter *waiter = await_enter_as(cx, wait, &from_channel, &rc);
    if (waiter == NULL) {
        return rc;
    }
    rc = park_check(task);
    return await_leave(waiter,
                       rc < 0 ? rc : leave(channel, ret_item, task, waiter));
}

int ambit_channel_try_receive(struct ambit_channel *channel, void *ret_item)
{
    return leave(channel, ret_item, NULL, NULL);
}

int ambit_channel_close(struct ambit_channel *channel)
{
    struct line_woken woken = {0};
    channel_lock(channel);
    int rc = channel->closed_ ? -EALREADY : 0;
    channel->closed_ = true;
    /* Whoever waits to receive does so because there is nothing left. */
    line_grant_all(senders(channel), -EPIPE, &woken);
    line_grant_all(receivers(channel), -EPIPE, &woken);
    channel_unlock(channel, &woken);
    return rc;
}

/* --- in two steps ---------------------------------------------------------- */

static int reserve(struct ambit_channel *channel, struct task *task,
                   struct ambit_channel_permit *ret_permit)
{
    int rc = enter(channel, NULL, task, NULL);
    if (rc == 0) {
        ret_permit->channel_ = channel;
    }
    return rc;
}

int ambit_channel_reserve(ambit_cx *cx, struct ambit_channel *channel,
                          struct ambit_channel_permit *ret_permit)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc : reserve(channel, task, ret_permit);
}

int ambit_await_reserve(ambit_cx *cx, struct ambit_await *wait,
                        struct ambit_channel *channel,
                        struct ambit_channel_permit *ret_permit)
{
    int rc = await_place(cx, wait, channel, NULL);
    if (rc == 0) {
        ret_permit->channel_ = channel;
    }
    return rc;
}

int ambit_channel_try_reserve(struct ambit_channel *channel,
                              struct ambit_channel_permit *ret_permit)
{
    return reserve(channel, NULL, ret_permit);
}

/* The place of the permit is free; an item, if any, takes it. */
static int resolve(struct ambit_channel_permit *permit, const void *item)
{
    struct ambit_channel *channel = permit->channel_;
    struct line_woken woken = {0};
    if (channel == NULL) {
        RULE(CHAN_PERMIT_2);
        return -EALREADY;
    }
    permit->channel_ = NULL;
    channel_lock(channel);
    int rc = channel->closed_ ? -EPIPE : 0;
    channel->reserved_--;
    if (rc == 0 && item != NULL) {
        put(channel, item, &woken);
    }
    serve_senders(channel, &woken);
    channel_unlock(channel, &woken);
    return rc;
}

int ambit_channel_commit(struct ambit_channel_permit *permit, const void *item)
{
    return resolve(permit, item);
}

void ambit_channel_abort(struct ambit_channel_permit *permit)
{
    (void)resolve(permit, NULL);
}

/* --- figures --------------------------------------------------------------- */

static uint32_t len_of_senders(struct ambit_channel *channel)
{
    return senders(channel)->len;
}

static uint32_t len_of_receivers(struct ambit_channel *channel)
{
    return receivers(channel)->len;
}

static uint32_t figure(struct ambit_channel *channel,
                       uint32_t (*which)(struct ambit_channel *channel))
{
    struct line_woken none = {0};
    channel_lock(channel);
    uint32_t value = which(channel);
    channel_unlock(channel, &none);
    return value;
}

uint32_t ambit_channel_len(struct ambit_channel *channel)
{
    return figure(channel, items_in);
}

uint32_t ambit_channel_senders(struct ambit_channel *channel)
{
    return figure(channel, len_of_senders);
}

uint32_t ambit_channel_receivers(struct ambit_channel *channel)
{
    return figure(channel, len_of_receivers);
}
