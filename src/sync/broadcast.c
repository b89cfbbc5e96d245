/* SPDX-License-Identifier: MIT */
/*
 * broadcast.c -- a ring that nobody empties: each receiver reads it all.
 *
 *     sent_ - capacity        next_ of a receiver      sent_
 *     |  the oldest kept      |  what it reads next    |  what is sent next
 *
 * Items and places are numbers that only rise; 64 bits do not come around.  A
 * place below the oldest kept has been overtaken, by exactly the difference.  A
 * send wakes all who wait, and each reads for itself once it runs.
 *
 *   BCAST-ALL-1    Each receiver gets each item once, in order.
 *   BCAST-LAG-1    Who was overtaken is told how many it missed.
 *   BCAST-CLOSE-1  After the close nothing is sent; what was is received.
 */
#include "src/sync/line.h"

#include "src/await.h"
#include "src/task.h"

#include <ambit/broadcast.h>

static struct line *line_of(struct ambit_broadcast *broadcast)
{
    return (struct line *)(void *)&broadcast->line_;
}

static void broadcast_lock(struct ambit_broadcast *broadcast)
{
    REQUIRE(broadcast->capacity_ != 0, "a broadcast was used that nobody made");
    line_lock(line_of(broadcast));
}

int ambit_broadcast_init(struct ambit_broadcast *broadcast, void *room,
                         uint32_t capacity, size_t item_size)
{
    if (capacity == 0 || item_size == 0) {
        return -EINVAL;
    }
    if (item_size > AMBIT_CHANNEL_ITEM_MAX) {
        return -E2BIG;
    }
    memset(broadcast, 0, sizeof *broadcast);
    broadcast->room_ = room;
    broadcast->capacity_ = capacity;
    broadcast->item_size_ = item_size;
    return 0;
}

void ambit_broadcast_fini(struct ambit_broadcast *broadcast)
{
    line_fini(line_of(broadcast),
              "a broadcast was ended while tasks wait for it");
}

/* --- with the lock held ---------------------------------------------------- */

static void *slot(const struct ambit_broadcast *broadcast, uint64_t number)
{
    return (char *)broadcast->room_ +
           number % broadcast->capacity_ * broadcast->item_size_;
}

/* 0, -EAGAIN, -EOVERFLOW, -EPIPE. */
static int take(struct ambit_broadcast_receiver *receiver, void *ret_item)
{
    struct ambit_broadcast *broadcast = receiver->broadcast_;
    uint64_t behind = broadcast->sent_ - receiver->next_;
    if (behind == 0) {
        RULE(BCAST_CLOSE_1);
        return broadcast->closed_ ? -EPIPE : -EAGAIN;
    }
    if (behind > broadcast->capacity_) {
        RULE(BCAST_LAG_1);
        receiver->missed = behind - broadcast->capacity_;
        receiver->next_ += receiver->missed;
        return -EOVERFLOW;
    }
    RULE(BCAST_ALL_1);
    copy_bytes(ret_item, slot(broadcast, receiver->next_), broadcast->item_size_);
    receiver->next_++;
    return 0;
}

/* --- send and receive ------------------------------------------------------ */

int ambit_broadcast_send(struct ambit_broadcast *broadcast, const void *item)
{
    struct line_woken woken = {0};
    broadcast_lock(broadcast);
    int rc = broadcast->closed_ ? -EPIPE : 0;
    if (rc == 0) {
        copy_bytes(slot(broadcast, broadcast->sent_), item, broadcast->item_size_);
        broadcast->sent_++;
        line_grant_all(line_of(broadcast), 0, &woken);
    }
    line_unlock(line_of(broadcast), &woken);
    return rc;
}

void ambit_broadcast_subscribe(struct ambit_broadcast *broadcast,
                               struct ambit_broadcast_receiver *ret_receiver)
{
    broadcast_lock(broadcast);
    *ret_receiver = (struct ambit_broadcast_receiver){
        .broadcast_ = broadcast, .next_ = broadcast->sent_};
    spin_unlock(&line_of(broadcast)->lock);
}

static inline int receive(struct task *task,
                          struct ambit_broadcast_receiver *receiver,
                          void *ret_item, struct line_waiter *waiter)
{
    struct line_waiter own;
    struct ambit_broadcast *broadcast = receiver->broadcast_;
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    broadcast_lock(broadcast);
    while ((rc = take(receiver, ret_item)) == -EAGAIN) {
        waiter = line_waiter_or(waiter, &own);
        rc = (int)line_wait(line_of(broadcast), waiter, task, PARK_RECEIVE);
        if (rc != 0) {
            return rc;
        }
        broadcast_lock(broadcast);
    }
    spin_unlock(&line_of(broadcast)->lock);
    return rc;
}

int ambit_broadcast_receive(ambit_cx *cx,
                            struct ambit_broadcast_receiver *receiver,
                            void *ret_item)
{
    return receive(task_of(cx), receiver, ret_item, NULL);
}

int ambit_await_broadcast(ambit_cx *cx, struct ambit_await *wait,
                          struct ambit_broadcast_receiver *receiver,
                          void *ret_item)
{
    int rc;
    struct line_waiter *waiter;
    /* A grant is news only: it looks anew. */
    while ((waiter = await_enter(cx, wait, &rc)) == NULL) {
        rc = rc == 0 ? ambit_broadcast_try_receive(receiver, ret_item) : rc;
        if (rc != -EAGAIN) {
            return rc;
        }
    }
    return await_leave(waiter,
                       receive(task_of(cx), receiver, ret_item, waiter));
}

int ambit_broadcast_try_receive(struct ambit_broadcast_receiver *receiver,
                                void *ret_item)
{
    struct ambit_broadcast *broadcast = receiver->broadcast_;
    broadcast_lock(broadcast);
    int rc = take(receiver, ret_item);
    spin_unlock(&line_of(broadcast)->lock);
    return rc;
}

int ambit_broadcast_close(struct ambit_broadcast *broadcast)
{
    struct line_woken woken = {0};
    broadcast_lock(broadcast);
    int rc = broadcast->closed_ ? -EALREADY : 0;
    broadcast->closed_ = true;
    /* Whoever waits has received all there was. */
    line_grant_all(line_of(broadcast), -EPIPE, &woken);
    line_unlock(line_of(broadcast), &woken);
    return rc;
}

uint32_t ambit_broadcast_waiters(struct ambit_broadcast *broadcast)
{
    broadcast_lock(broadcast);
    uint32_t len = line_of(broadcast)->len;
    spin_unlock(&line_of(broadcast)->lock);
    return len;
}
