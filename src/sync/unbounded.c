/* SPDX-License-Identifier: MIT */
/*
 * unbounded.c -- a queue of blocks that grows as long as there is memory.
 *
 *     first -> [items begin..end) -> [...] -> [.. end) <- last
 *
 * Items are taken from the first block and put into the last.  A block that is
 * read to its end is given back, unless it is the only one: that is begun anew.
 * Nothing is allocated or freed under the lock, and nothing at all while a
 * receiver waits: then the item goes straight into its memory.
 *
 *   UNB-ORDER-1  First in, first out.
 *   UNB-ONCE-1   What is sent is received once, or still there.
 *   UNB-SEND-1   A send that fails has sent nothing.
 *   UNB-COUNT-1  Its items and its memory are counted.
 *   UNB-CLOSE-1  After the close nothing is sent; what was is received.
 *   UNB-END-1    What is left at the end is told.
 */
#include "src/sync/back.h"

#include "src/await.h"
#include "src/task.h"

#include <ambit/unbounded.h>
#include <stdlib.h>

#define BLOCK_BYTES 4096

struct block {
    struct block *next;
    uint32_t begin, end; /* in items */
    char items[];
};

_Static_assert(BLOCK_BYTES - sizeof(struct block) >=
                   2 * AMBIT_CHANNEL_ITEM_MAX,
               "more than one item of any size in a block");

static struct line *receivers(struct ambit_unbounded *unbounded)
{
    return (struct line *)(void *)&unbounded->receivers_;
}

static struct backs *backs(struct ambit_unbounded *unbounded)
{
    return (struct backs *)(void *)&unbounded->backs_;
}

static void unbounded_lock(struct ambit_unbounded *unbounded)
{
    REQUIRE(unbounded->item_size_ != 0,
            "an unbounded channel was used that nobody made");
    line_lock(receivers(unbounded));
}

int ambit_unbounded_init(struct ambit_unbounded *unbounded, size_t item_size)
{
    if (item_size == 0) {
        return -EINVAL;
    }
    if (item_size > AMBIT_CHANNEL_ITEM_MAX) {
        return -E2BIG;
    }
    memset(unbounded, 0, sizeof *unbounded);
    unbounded->item_size_ = item_size;
    return 0;
}

uint64_t ambit_unbounded_fini(struct ambit_unbounded *unbounded)
{
    line_fini(receivers(unbounded),
              "an unbounded channel was ended while tasks wait to receive");
    uint64_t left = unbounded->queued_;
    struct block *block = unbounded->first_;
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    backs_free(backs(unbounded));
    unbounded->first_ = unbounded->last_ = NULL;
    unbounded->queued_ = 0;
    unbounded->bytes_ = 0;
    RULE(UNB_END_1);
    line_tell_left("an unbounded channel", left, "items");
    return left;
}

/* --- with the lock held ---------------------------------------------------- */

static uint32_t items_in_block(const struct ambit_unbounded *unbounded)
{
    return (uint32_t)((BLOCK_BYTES - sizeof(struct block)) /
                      unbounded->item_size_);
}

static void add_block(struct ambit_unbounded *unbounded, struct block *block)
{
    struct block *last = unbounded->last_;
    block->next = NULL;
    block->begin = block->end = 0;
    if (last == NULL) {
        unbounded->first_ = block;
    } else {
        last->next = block;
    }
    unbounded->last_ = block;
    RULE(UNB_COUNT_1);
    unbounded->bytes_ += BLOCK_BYTES;
}

/* 0, -EPIPE; -EAGAIN: there is no room, nor a spare block, which is used up. */
static int put(struct ambit_unbounded *unbounded, const void *item,
               struct block **spare, struct line_woken *woken)
{
    struct line_waiter *receiver = receivers(unbounded)->first;
    struct block *last = unbounded->last_;
    size_t size = unbounded->item_size_;
    if (unbounded->closed_) {
        RULE(UNB_CLOSE_1);
        return -EPIPE;
    }
    if (receiver != NULL) {
        RULE(UNB_ONCE_1);
        copy_bytes(receiver->item, item, size);
        backs_number(backs(unbounded), receiver);
        line_grant(receivers(unbounded), receiver, 0, woken);
        return 0;
    }
    if (last == NULL || last->end == items_in_block(unbounded)) {
        if (*spare == NULL) {
            return -EAGAIN;
        }
        last = *spare;
        *spare = NULL;
        add_block(unbounded, last);
    }
    RULE(UNB_ORDER_1);
    copy_bytes(last->items + last->end * size, item, size);
    last->end++;
    unbounded->queued_++;
    return 0;
}

/* 0, -EPIPE, -EAGAIN.  *ret_read: a block to be freed. */
static int take(struct ambit_unbounded *unbounded, void *ret_item,
                struct block **ret_read)
{
    struct block *first = unbounded->first_;
    size_t size = unbounded->item_size_;
    if (unbounded->queued_ == 0) {
        return unbounded->closed_ ? -EPIPE : -EAGAIN;
    }
    copy_bytes(ret_item, first->items + first->begin * size, size);
    first->begin++;
    unbounded->queued_--;
    if (first->begin < first->end) {
        return 0;
    }
    if (first == unbounded->last_) {
        first->begin = first->end = 0;
        return 0;
    }
    unbounded->first_ = first->next;
    unbounded->bytes_ -= BLOCK_BYTES;
    *ret_read = first;
    return 0;
}

/* --- send and receive ------------------------------------------------------ */

int ambit_unbounded_send(struct ambit_unbounded *unbounded, const void *item)
{
    struct line_woken woken = {0};
    struct block *spare = NULL;
    int rc;
    unbounded_lock(unbounded);
    while ((rc = put(unbounded, item, &spare, &woken)) == -EAGAIN) {
        spin_unlock(&receivers(unbounded)->lock);
        spare = malloc(BLOCK_BYTES);
        RULE(UNB_SEND_1);
        if (spare == NULL) {
            return -ENOMEM;
        }
        unbounded_lock(unbounded);
    }
    line_unlock(receivers(unbounded), &woken);
    free(spare);
    return rc;
}

static inline bool has_back(struct ambit_unbounded *unbounded)
{
    return backs(unbounded)->first != NULL;
}

/* With the lock, which it gives up: what has come back is in front. */
static NOINLINE int receive_back(struct ambit_unbounded *unbounded,
                                 void *ret_item)
{
    size_t size = unbounded->item_size_;
    struct back *back = back_take(backs(unbounded), ret_item, size);
    unbounded->queued_--;
    unbounded->bytes_ -= back_bytes(size);
    spin_unlock(&receivers(unbounded)->lock);
    free(back);
    return 0;
}

static inline int receive(struct task *task, struct ambit_unbounded *unbounded,
                          void *ret_item, struct line_waiter *waiter)
{
    struct line_waiter own;
    struct block *read = NULL;
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    unbounded_lock(unbounded);
    if (UNLIKELY(has_back(unbounded))) {
        return receive_back(unbounded, ret_item);
    }
    rc = take(unbounded, ret_item, &read);
    if (rc == -EAGAIN) {
        waiter = line_waiter_or(waiter, &own);
        waiter->item = ret_item;
        return (int)line_wait(receivers(unbounded), waiter, task,
                              PARK_RECEIVE);
    }
    spin_unlock(&receivers(unbounded)->lock);
    free(read);
    return rc;
}

int ambit_unbounded_receive(ambit_cx *cx, struct ambit_unbounded *unbounded,
                            void *ret_item)
{
    return receive(task_of(cx), unbounded, ret_item, NULL);
}

static void forget_item(struct await *await)
{
    struct ambit_unbounded *unbounded = CONTAINER_OF(
        (void *)await->waiter.line, struct ambit_unbounded, receivers_);
    struct line_woken woken = {0};
    size_t size = unbounded->item_size_;
    if (await->value != 0) {
        return;
    }
    struct back *spare = back_make(&await->waiter, size);
    unbounded_lock(unbounded);
    enum back_way way =
        back_pass_on(backs(unbounded), receivers(unbounded), &await->waiter,
                     size, &spare, &woken);
    if (way == BACK_KEPT) {
        unbounded->queued_++;
        unbounded->bytes_ += back_bytes(size);
    }
    line_unlock(receivers(unbounded), &woken);
    free(spare);
    if (way == BACK_LOST) {
        await_tell_lost(await, "an unbounded channel");
    }
}

static const struct await_kind from_unbounded = {
    .call_off = await_line_call_off,
    .forget = forget_item,
};

int ambit_await_unbounded(ambit_cx *cx, struct ambit_await *wait,
                          struct ambit_unbounded *unbounded, void *ret_item)
{
    int rc;
    struct line_waiter *waiter = await_enter_as(cx, wait, &from_unbounded, &rc);
    return waiter == NULL
               ? rc
               : await_leave(waiter, receive(task_of(cx), unbounded, ret_item,
                                             waiter));
}

int ambit_unbounded_try_receive(struct ambit_unbounded *unbounded,
                                void *ret_item)
{
    struct block *read = NULL;
    unbounded_lock(unbounded);
    if (UNLIKELY(has_back(unbounded))) {
        return receive_back(unbounded, ret_item);
    }
    int rc = take(unbounded, ret_item, &read);
    spin_unlock(&receivers(unbounded)->lock);
    free(read);
    return rc;
}

int ambit_unbounded_close(struct ambit_unbounded *unbounded)
{
    struct line_woken woken = {0};
    unbounded_lock(unbounded);
    int rc = unbounded->closed_ ? -EALREADY : 0;
    unbounded->closed_ = true;
    /* Whoever waits to receive does so because there is nothing left. */
    line_grant_all(receivers(unbounded), -EPIPE, &woken);
    line_unlock(receivers(unbounded), &woken);
    return rc;
}

/* --- figures --------------------------------------------------------------- */

uint64_t ambit_unbounded_len(struct ambit_unbounded *unbounded)
{
    unbounded_lock(unbounded);
    uint64_t len = unbounded->queued_;
    spin_unlock(&receivers(unbounded)->lock);
    return len;
}

size_t ambit_unbounded_bytes(struct ambit_unbounded *unbounded)
{
    unbounded_lock(unbounded);
    size_t bytes = unbounded->bytes_;
    spin_unlock(&receivers(unbounded)->lock);
    return bytes;
}

uint32_t ambit_unbounded_receivers(struct ambit_unbounded *unbounded)
{
    unbounded_lock(unbounded);
    uint32_t len = receivers(unbounded)->len;
    spin_unlock(&receivers(unbounded)->lock);
    return len;
}
