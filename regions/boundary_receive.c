/* SPDX-License-Identifier: MIT */
/*
 * boundary_receive.c -- a request for a task of the server.
 *
 *   BND-CANCEL-1  A receiver that is called off takes nothing.
 *   AWAIT-BND-2   What was granted to one that panics is dropped.
 */
#include "regions/boundary.h"

#include "src/await.h"

/* 0, -EPIPE, -EAGAIN. */
static int take(struct ambit_boundary *boundary, struct slot **ret_slot,
                struct after *after)
{
    struct list_node *node;
    while ((node = list_pop_front(&boundary->queued)) != NULL) {
        struct slot *slot = CONTAINER_OF(node, struct slot, entry);
        boundary->stats.queued--;
        if (!is_past(slot->deadline_ns)) {
            slot_hold(slot);
            *ret_slot = slot;
            return 0;
        }
        RULE(BND_LATE_1);
        boundary->stats.timed_out++;
        (void)slot_answer(slot, -ETIMEDOUT, after);
    }
    return boundary->closed || boundary->clients == 0 ? -EPIPE : -EAGAIN;
}

static void drop(void *arg)
{
    slot_drop(arg);
}

/* 0: *ret_slot; AMBIT_PENDING, where a waiter is given: it will be granted with
 * the slot as its item; -EPIPE; -ECANCELED. */
static int receive(struct ambit_boundary *boundary, struct task *task,
                   struct line_waiter *given, struct slot **ret_slot)
{
    struct line_waiter own;
    int rc = -EAGAIN;
    while (rc == -EAGAIN) {
        struct after after = {.woken = {0}};
        boundary_lock(boundary);
        REQUIRE(boundary->served, "a request was to be received at a boundary "
                                  "that no region serves");
        rc = take(boundary, ret_slot, &after);
        if (rc == -EAGAIN && after.bells == NULL && !after.buzz) {
            RULE(BND_CANCEL_1);
            struct line_waiter *waiter = line_waiter_or(given, &own);
            rc = (int)line_wait(&boundary->receivers, waiter, task,
                                PARK_RECEIVE);
            *ret_slot = rc == 0 ? waiter->item : NULL;
            return rc;
        }
        boundary_unlock(boundary, &after);
    }
    return rc;
}

/* Held by the task now. */
static void received(ambit_cx *cx, struct slot *slot,
                     struct ambit_boundary_request *ret_request)
{
    static const struct ambit_site nowhere = {__FILE__, __LINE__};
    int rc = ledger_add(region_current(task_of(cx)), &slot->duty,
                        (struct due){drop, slot, cx->at ? cx->at : &nowhere,
                                     "request of a boundary"});
    ASSERT(rc == 0);
    *ret_request = (struct ambit_boundary_request){
        .data = slot->request,
        .size = slot->size,
        .deadline = {slot->deadline_ns},
        .boundary_ = slot->boundary,
        .slot_ = slot->index,
        .generation_ = slot->generation,
    };
}

int ambit_boundary_receive(ambit_cx *cx, ambit_boundary *boundary,
                           struct ambit_boundary_request *ret_request)
{
    struct task *task = task_of(cx);
    struct slot *slot = NULL;
    int rc = park_check(task);
    if (rc == 0) {
        rc = region_need(task); /* before there is something to lose */
    }
    if (rc == 0) {
        rc = receive(boundary, task, NULL, &slot);
    }
    if (rc == 0) {
        received(cx, slot, ret_request);
    }
    return rc;
}

/* Granted, and never looked at. */
static void forget(struct await *await)
{
    if (await->value == 0) {
        RULE(AWAIT_BND_2);
        slot_drop(await->waiter.item);
    }
}

static const struct await_kind at_boundary = {NULL, await_line_call_off,
                                              forget};

int ambit_await_boundary(ambit_cx *cx, struct ambit_await *wait,
                         ambit_boundary *boundary,
                         struct ambit_boundary_request *ret_request)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    struct slot *slot = NULL;
    int64_t said;
    switch (await_look(task, await, &said)) {
    case AWAIT_ANSWER:
        return (int)said;
    case AWAIT_SAID:
        if (said == 0) {
            RULE(AWAIT_BND_1);
            received(cx, await->waiter.item, ret_request);
        }
        return (int)said;
    case AWAIT_IDLE:
        break;
    }
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    await_begin(await, task, &at_boundary);
    await->waiter.polled = true;
    rc = receive(boundary, task, &await->waiter, &slot);
    if (rc != AMBIT_PENDING) {
        await_end(await);
    }
    if (rc == 0) {
        received(cx, slot, ret_request);
    }
    return rc;
}
