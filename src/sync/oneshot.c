/* SPDX-License-Identifier: MIT */
/*
 * oneshot.c -- one value, once.
 *
 *   EMPTY --send--> SENT --receive--> TAKEN --its poll task panics--> SENT
 *     |-- the last sender goes --> NO_SENDER
 *     '-- the receiver goes --> NO_RECEIVER <-- SENT
 *
 * Each move under the lock of the line, in which at most the receiver waits.
 *
 *   ONESHOT-ONCE-1  One send wins; its value is received once.
 *   ONESHOT-DROP-1  Who is left is told that the other side is gone.
 *   ONESHOT-END-1   A value that is left at the end is told.
 */
#include "src/sync/line.h"

#include "src/await.h"
#include "src/task.h"

#include <ambit/channel.h>

enum { EMPTY, SENT, TAKEN, NO_SENDER, NO_RECEIVER };

static struct line *line_of(struct ambit_oneshot *oneshot)
{
    return (struct line *)(void *)&oneshot->line_;
}

static void oneshot_lock(struct ambit_oneshot *oneshot)
{
    REQUIRE(oneshot->size_ != 0, "a oneshot was used that nobody made");
    line_lock(line_of(oneshot));
}

int ambit_oneshot_init(struct ambit_oneshot *oneshot, void *room, size_t size)
{
    if (size == 0) {
        return -EINVAL;
    }
    if (size > AMBIT_CHANNEL_ITEM_MAX) {
        return -E2BIG;
    }
    memset(oneshot, 0, sizeof *oneshot);
    oneshot->room_ = room;
    oneshot->size_ = size;
    return 0;
}

bool ambit_oneshot_fini(struct ambit_oneshot *oneshot)
{
    line_fini(line_of(oneshot),
              "a oneshot was ended while a task waits to receive");
    bool left = oneshot->state_ == SENT;
    RULE(ONESHOT_END_1);
    line_tell_left("a oneshot", left, "value");
    return left;
}

/* Lock held, EMPTY. */
static void accept_value(struct ambit_oneshot *oneshot, const void *value,
                         struct line_woken *woken)
{
    struct line_waiter *receiver = line_of(oneshot)->first;
    void *to = receiver != NULL ? receiver->item : oneshot->room_;
    copy_bytes(to, value, oneshot->size_);
    oneshot->state_ = receiver != NULL ? TAKEN : SENT;
    line_grant_all(line_of(oneshot), 0, woken);
}

int ambit_oneshot_send(struct ambit_oneshot *oneshot, const void *value)
{
    struct line_woken woken = {0};
    int rc = 0;
    oneshot_lock(oneshot);
    switch (oneshot->state_) {
    case EMPTY:
        RULE(ONESHOT_ONCE_1);
        accept_value(oneshot, value, &woken);
        break;
    case SENT:
    case TAKEN:
        rc = -EALREADY;
        break;
    default:
        rc = -EPIPE;
    }
    line_unlock(line_of(oneshot), &woken);
    return rc;
}

/* Lock held.  0, -EAGAIN, -EALREADY, -EPIPE. */
static int take(struct ambit_oneshot *oneshot, void *ret_value)
{
    switch (oneshot->state_) {
    case EMPTY:
        return -EAGAIN;
    case SENT:
        RULE(ONESHOT_ONCE_1);
        copy_bytes(ret_value, oneshot->room_, oneshot->size_);
        oneshot->state_ = TAKEN;
        return 0;
    case TAKEN:
        return -EALREADY;
    default:
        RULE(ONESHOT_DROP_1);
        return -EPIPE;
    }
}

static inline int receive(struct task *task, struct ambit_oneshot *oneshot,
                          void *ret_value, struct line_waiter *waiter)
{
    struct line_waiter own;
    struct line *line = line_of(oneshot);
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    oneshot_lock(oneshot);
    rc = take(oneshot, ret_value);
    if (rc == -EAGAIN && line->first == NULL) {
        waiter = line_waiter_or(waiter, &own);
        waiter->item = ret_value;
        return (int)line_wait(line, waiter, task, PARK_ONESHOT);
    }
    spin_unlock(&line->lock);
    return rc == -EAGAIN ? -EBUSY : rc;
}

int ambit_oneshot_receive(ambit_cx *cx, struct ambit_oneshot *oneshot,
                          void *ret_value)
{
    return receive(task_of(cx), oneshot, ret_value, NULL);
}

/* The room is free: the value went past it. */
static void forget_value(struct await *await)
{
    struct ambit_oneshot *oneshot = CONTAINER_OF(
        (void *)await->waiter.line, struct ambit_oneshot, line_);
    if (await->value != 0) {
        return;
    }
    oneshot_lock(oneshot);
    RULE(AWAIT_END_4);
    ASSERT(oneshot->state_ == TAKEN);
    copy_bytes(oneshot->room_, await->waiter.item, oneshot->size_);
    oneshot->state_ = SENT;
    spin_unlock(&line_of(oneshot)->lock);
}

static const struct await_kind from_oneshot = {
    .call_off = await_line_call_off,
    .forget = forget_value,
};

int ambit_await_oneshot(ambit_cx *cx, struct ambit_await *wait,
                        struct ambit_oneshot *oneshot, void *ret_value)
{
    int rc;
    struct line_waiter *waiter = await_enter_as(cx, wait, &from_oneshot, &rc);
    return waiter == NULL
               ? rc
               : await_leave(waiter, receive(task_of(cx), oneshot, ret_value,
                                             waiter));
}

int ambit_oneshot_try_receive(struct ambit_oneshot *oneshot, void *ret_value)
{
    oneshot_lock(oneshot);
    int rc = take(oneshot, ret_value);
    if (rc == -EAGAIN && line_of(oneshot)->first != NULL) {
        rc = -EBUSY;
    }
    spin_unlock(&line_of(oneshot)->lock);
    return rc;
}

void ambit_oneshot_drop_sender(struct ambit_oneshot *oneshot)
{
    struct line_woken woken = {0};
    oneshot_lock(oneshot);
    if (oneshot->state_ == EMPTY) {
        RULE(ONESHOT_DROP_1);
        oneshot->state_ = NO_SENDER;
        line_grant_all(line_of(oneshot), -EPIPE, &woken);
    }
    line_unlock(line_of(oneshot), &woken);
}

bool ambit_oneshot_drop_receiver(struct ambit_oneshot *oneshot,
                                 void *ret_value)
{
    struct line_woken woken = {0};
    oneshot_lock(oneshot);
    bool left = oneshot->state_ == SENT;
    if (left && ret_value != NULL) {
        copy_bytes(ret_value, oneshot->room_, oneshot->size_);
    }
    if (left || oneshot->state_ == EMPTY) {
        oneshot->state_ = NO_RECEIVER;
        line_grant_all(line_of(oneshot), -EPIPE, &woken);
    }
    line_unlock(line_of(oneshot), &woken);
    return left;
}
