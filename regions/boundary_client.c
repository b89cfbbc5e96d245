/* SPDX-License-Identifier: MIT */
/*
 * boundary_client.c -- requests from other threads: the client's side.
 *
 *   BND-CALL-1  Each call gets the answer to its own request.
 *   BND-FULL-1  A full boundary refuses a try_call.
 *   BND-FD-1    An answer nobody is blocked for rings the descriptor.
 */
#include "regions/boundary.h"

#include "src/task.h"
#include "src/worker.h"

/* Waits in line for a place; lock held, and given up. */
static int wait_for_room(struct ambit_boundary *boundary, int64_t until_ns,
                         struct slot **ret_slot)
{
    struct room_wait wait = {.slot = NULL};
    bell_init(&wait.bell);
    list_push_back(&boundary->room_waits, &wait.entry);
    spin_unlock(&boundary->receivers.lock);
    bool rung = bell_wait(&wait.bell, until_ns);
    if (!rung) {
        boundary_lock(boundary);
        bool waits = list_is_linked(&wait.entry);
        list_remove(&wait.entry);
        boundary->stats.timed_out += waits;
        spin_unlock(&boundary->receivers.lock);
        rung = !waits && bell_wait(&wait.bell, INT64_MAX);
    }
    bell_fini(&wait.bell);
    *ret_slot = wait.slot;
    return !rung ? -ETIMEDOUT : wait.slot == NULL ? -EPIPE : 0;
}

/* A place, for its bytes to be filled in. */
static int acquire(struct ambit_boundary *boundary, int64_t until_ns,
                   bool waits, struct slot **ret_slot)
{
    boundary_lock(boundary);
    struct list_node *node = NULL;
    int rc = boundary->closed ? -EPIPE : 0;
    if (rc == 0) {
        node = list_pop_front(&boundary->free);
        rc = node == NULL ? -EAGAIN : 0;
    }
    if (rc == -EAGAIN && waits) {
        return wait_for_room(boundary, until_ns, ret_slot);
    }
    RULE(BND_FULL_1);
    boundary->stats.overloaded += rc == -EAGAIN;
    boundary->stats.closed += rc == -EPIPE;
    spin_unlock(&boundary->receivers.lock);
    if (rc == 0) {
        *ret_slot = CONTAINER_OF(node, struct slot, entry);
    }
    return rc;
}

static int submit(struct ambit_boundary *boundary, const void *request,
                  size_t size, ambit_time deadline, bool waits,
                  struct slot **ret_slot)
{
    struct after after = {.woken = {0}};
    struct slot *slot = NULL;
    if (size > boundary->request_max) {
        return -E2BIG;
    }
    int rc = acquire(boundary, deadline.ns, waits, &slot);
    if (rc < 0) {
        return rc;
    }
    if (size > 0) {
        memcpy(slot->request, request, size);
    }
    slot->size = size;
    slot->deadline_ns = deadline.ns;
    boundary_lock(boundary);
    if (boundary->closed) {
        boundary->stats.closed++;
        rc = -EPIPE;
        slot_release(slot, &after);
    } else if (is_past(deadline.ns)) {
        boundary->stats.timed_out++;
        rc = -ETIMEDOUT;
        slot_release(slot, &after);
    } else {
        slot->awaited = waits;
        slot_submit(slot, &after);
    }
    *ret_slot = slot;
    boundary_unlock(boundary, &after);
    return rc;
}

/* Answered: the client's side ends, unless an answer that is too large is to
 * be kept. */
static int collect(struct slot *slot, void *ret_reply, size_t room, bool keep)
{
    struct after after = {.woken = {0}};
    int result = slot->result;
    if (result > 0 && (size_t)result > room) {
        result = -E2BIG;
        if (keep) {
            return result;
        }
    }
    if (result > 0) {
        RULE(BND_CALL_1);
        memcpy(ret_reply, slot->reply, (size_t)result);
    }
    boundary_lock(slot->boundary);
    slot_give_up(slot, 0, &after);
    boundary_unlock(slot->boundary, &after);
    return result;
}

/* Awaited, so that a bell tells of the answer.  0: it is there. */
static int sleep_until_answered(struct slot *slot)
{
    struct ambit_boundary *boundary = slot->boundary;
    struct after after = {.woken = {0}};
    int rc = 0;
    bool rung = bell_wait(&slot->bell, slot->deadline_ns);
    boundary_lock(boundary);
    bool answered = slot->answered;
    slot->awaited = false;
    if (!answered) {
        rc = -ETIMEDOUT;
        slot_give_up(slot, rc, &after);
    }
    boundary_unlock(boundary, &after);
    if (answered && !rung) {
        (void)bell_wait(&slot->bell, INT64_MAX); /* it is about to be rung */
    }
    return rc;
}

int ambit_boundary_call(ambit_boundary *boundary, const void *request,
                        size_t size, ambit_time deadline, void *ret_reply,
                        size_t room)
{
    struct slot *slot = NULL;
    if (worker_self != NULL) {
        return -EDEADLK;
    }
    int rc = submit(boundary, request, size, deadline, true, &slot);
    rc = rc < 0 ? rc : sleep_until_answered(slot);
    return rc < 0 ? rc : collect(slot, ret_reply, room, false);
}

/* Lock held when it is there; NULL and no lock when it is no more. */
static struct slot *find(struct ambit_boundary *boundary,
                         struct ambit_boundary_ticket ticket)
{
    struct slot *slot = ticket.slot_ < boundary->capacity
                            ? &boundary->slots[ticket.slot_]
                            : NULL;
    boundary_lock(boundary);
    if (slot != NULL && slot->generation == ticket.generation_ &&
        slot->wanted) {
        return slot;
    }
    spin_unlock(&boundary->receivers.lock);
    return NULL;
}

int ambit_boundary_try_call(ambit_boundary *boundary, const void *request,
                            size_t size, ambit_time deadline,
                            struct ambit_boundary_ticket *ret_ticket)
{
    struct slot *slot = NULL;
    int rc = submit(boundary, request, size, deadline, false, &slot);
    if (rc == 0) {
        ret_ticket->slot_ = slot->index;
        ret_ticket->generation_ = slot->generation;
    }
    return rc;
}

int ambit_boundary_wait(ambit_boundary *boundary,
                        struct ambit_boundary_ticket ticket, void *ret_reply,
                        size_t room)
{
    if (worker_self != NULL) {
        return -EDEADLK;
    }
    struct slot *slot = find(boundary, ticket);
    if (slot == NULL) {
        return -ESTALE;
    }
    bool answered = slot->answered;
    slot->awaited = !answered;
    spin_unlock(&boundary->receivers.lock);
    int rc = answered ? 0 : sleep_until_answered(slot);
    return rc < 0 ? rc : collect(slot, ret_reply, room, true);
}

int ambit_boundary_try(ambit_boundary *boundary,
                       struct ambit_boundary_ticket ticket, void *ret_reply,
                       size_t room)
{
    struct after after = {.woken = {0}};
    struct slot *slot = find(boundary, ticket);
    if (slot == NULL) {
        return -ESTALE;
    }
    bool answered = slot->answered;
    int rc = -EAGAIN;
    if (!answered && is_past(slot->deadline_ns)) {
        rc = -ETIMEDOUT;
        slot_give_up(slot, rc, &after);
    }
    boundary_unlock(boundary, &after);
    return answered ? collect(slot, ret_reply, room, true) : rc;
}

int ambit_boundary_abandon(ambit_boundary *boundary,
                           struct ambit_boundary_ticket ticket)
{
    struct after after = {.woken = {0}};
    struct slot *slot = find(boundary, ticket);
    if (slot == NULL) {
        return -ESTALE;
    }
    slot_give_up(slot, -ECANCELED, &after);
    boundary_unlock(boundary, &after);
    return 0;
}

/* --- event loops ----------------------------------------------------------- */

int ambit_boundary_fd(ambit_boundary *boundary)
{
    struct after after = {.woken = {0}};
    int fd = buzzer_open();
    if (fd < 0) {
        return fd;
    }
    boundary_lock(boundary);
    int spare = boundary->buzzer < 0 ? -1 : fd;
    if (spare < 0) {
        boundary->buzzer = fd;
        after.buzz = !list_is_empty(&boundary->answered);
    }
    fd = boundary->buzzer;
    boundary_unlock(boundary, &after);
    if (spare >= 0) {
        buzzer_close(spare);
    }
    return fd;
}

void ambit_boundary_drain(ambit_boundary *boundary)
{
    boundary_lock(boundary);
    int fd = boundary->buzzer;
    spin_unlock(&boundary->receivers.lock);
    if (fd >= 0) {
        buzzer_drain(fd);
    }
}

int ambit_boundary_next(ambit_boundary *boundary,
                        struct ambit_boundary_ticket *ret_ticket)
{
    boundary_lock(boundary);
    struct list_node *node = list_pop_front(&boundary->answered);
    if (node != NULL) {
        RULE(BND_FD_1);
        struct slot *slot = CONTAINER_OF(node, struct slot, entry);
        ret_ticket->slot_ = slot->index;
        ret_ticket->generation_ = slot->generation;
    }
    spin_unlock(&boundary->receivers.lock);
    return node != NULL ? 0 : -EAGAIN;
}
