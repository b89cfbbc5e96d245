/* SPDX-License-Identifier: MIT */
/*
 * boundary.c -- requests from other threads: the ends, and their places.
 *
 *   BND-BOUND-1   No more than `capacity` are under way.
 *   BND-ONCE-1    Each request is resolved once.
 *   BND-LATE-1    After the deadline both sides are told so.
 *   BND-DROP-1    What a scope leaves unresolved is answered by its close.
 *   BND-PIPE-1    A side that is gone is told to the other.
 *   BND-LIFE-1    Client ends may outlive the run.
 */
#include "regions/boundary.h"

#include "src/task.h"

#include <stdlib.h>

#define ALIGN_UP(n) (((size_t)(n) + 15) & ~(size_t)15)

/* --- the ends -------------------------------------------------------------- */

static void boundary_free(struct ambit_boundary *boundary)
{
    if (boundary->slots != NULL) {
        for (uint32_t i = 0; i < boundary->capacity; i++) {
            bell_fini(&boundary->slots[i].bell);
        }
    }
    if (boundary->buzzer >= 0) {
        buzzer_close(boundary->buzzer);
    }
    free(boundary->bytes);
    free(boundary->slots);
    free(boundary);
}

static void make_slots(struct ambit_boundary *boundary)
{
    size_t request = ALIGN_UP(boundary->request_max);
    size_t both = request + ALIGN_UP(boundary->reply_max);
    for (uint32_t i = 0; i < boundary->capacity; i++) {
        struct slot *slot = &boundary->slots[i];
        slot->boundary = boundary;
        slot->index = i;
        slot->generation = 1;
        slot->request = boundary->bytes + i * both;
        slot->reply = slot->request + request;
        bell_init(&slot->bell);
        list_push_back(&boundary->free, &slot->entry);
    }
}

int ambit_boundary_create_(ambit_boundary **ret_boundary,
                           const struct ambit_boundary_options *options)
{
    uint32_t capacity = options->capacity != 0 ? options->capacity : 64;
    uint32_t request = options->request_max != 0 ? options->request_max : 256;
    uint32_t reply = options->reply_max != 0 ? options->reply_max : 256;
    if (capacity > AMBIT_BOUNDARY_CAPACITY_MAX ||
        request > AMBIT_BOUNDARY_BYTES_MAX ||
        reply > AMBIT_BOUNDARY_BYTES_MAX) {
        return -EINVAL;
    }
    struct ambit_boundary *boundary = calloc(1, sizeof *boundary);
    if (boundary == NULL) {
        return -ENOMEM;
    }
    boundary->capacity = capacity;
    boundary->request_max = request;
    boundary->reply_max = reply;
    boundary->buzzer = -1;
    boundary->clients = boundary->users = 1;
    list_init(&boundary->free);
    list_init(&boundary->queued);
    list_init(&boundary->answered);
    list_init(&boundary->room_waits);
    boundary->bytes = malloc(capacity * (ALIGN_UP(request) + ALIGN_UP(reply)));
    boundary->slots = boundary->bytes != NULL
                          ? calloc(capacity, sizeof *boundary->slots)
                          : NULL;
    if (boundary->slots == NULL) {
        boundary_free(boundary);
        return -ENOMEM;
    }
    make_slots(boundary);
    *ret_boundary = boundary;
    return 0;
}

void boundary_unlock(struct ambit_boundary *boundary, struct after *after)
{
    struct after none = {.woken = {0}};
    bool wakes = after->woken.first != NULL || after->bells != NULL ||
                 after->buzz;
    int buzzer = boundary->buzzer;
    boundary->leaving += wakes;
    bool last = boundary->users == 0 && boundary->leaving == 0;
    line_unlock(&boundary->receivers, &after->woken);
    if (last) {
        RULE(BND_LIFE_1);
        boundary_free(boundary);
        return;
    }
    if (!wakes) {
        return;
    }
    while (after->bells != NULL) {
        struct bell *bell = after->bells;
        after->bells = bell->next;
        bell_ring(bell);
    }
    if (after->buzz) {
        buzzer_ring(buzzer);
    }
    boundary_lock(boundary);
    boundary->leaving--;
    boundary_unlock(boundary, &none);
}

void ambit_boundary_ref(ambit_boundary *boundary)
{
    boundary_lock(boundary);
    boundary->clients++;
    boundary->users++;
    spin_unlock(&boundary->receivers.lock);
}

void ambit_boundary_unref(ambit_boundary *boundary)
{
    struct after after = {.woken = {0}};
    if (boundary == NULL) {
        return;
    }
    boundary_lock(boundary);
    boundary->users--;
    if (--boundary->clients == 0) {
        RULE(BND_PIPE_1);
        for (uint32_t i = 0; i < boundary->capacity; i++) {
            if (boundary->slots[i].wanted) {
                slot_give_up(&boundary->slots[i], -EPIPE, &after);
            }
        }
        line_grant_all(&boundary->receivers, -EPIPE, &after.woken);
    }
    boundary_unlock(boundary, &after);
}

void ambit_boundary_close(ambit_boundary *boundary)
{
    struct after after = {.woken = {0}};
    struct list_node *node;
    boundary_lock(boundary);
    boundary->closed = true;
    while ((node = list_pop_front(&boundary->queued)) != NULL) {
        boundary->stats.queued--;
    }
    RULE(BND_PIPE_1);
    for (uint32_t i = 0; i < boundary->capacity; i++) {
        struct slot *slot = &boundary->slots[i];
        if (slot->wanted && slot_answer(slot, -EPIPE, &after)) {
            boundary->stats.closed++;
        }
    }
    while ((node = list_pop_front(&boundary->room_waits)) != NULL) {
        struct room_wait *wait = CONTAINER_OF(node, struct room_wait, entry);
        after_bell(&after, &wait->bell);
        boundary->stats.closed++;
    }
    line_grant_all(&boundary->receivers, -EPIPE, &after.woken);
    boundary_unlock(boundary, &after);
}

void ambit_boundary_stats(ambit_boundary *boundary,
                          struct ambit_boundary_stats *ret_stats)
{
    boundary_lock(boundary);
    *ret_stats = boundary->stats;
    ret_stats->receivers = boundary->receivers.len;
    spin_unlock(&boundary->receivers.lock);
}

/* --- a place, with the lock held ------------------------------------------- */

bool slot_answer(struct slot *slot, int result, struct after *after)
{
    struct ambit_boundary *boundary = slot->boundary;
    if (slot->answered) {
        return false;
    }
    slot->answered = true;
    slot->result = result;
    if (slot->awaited) {
        after_bell(after, &slot->bell);
        return true;
    }
    after->buzz |= list_is_empty(&boundary->answered) && boundary->buzzer >= 0;
    list_push_back(&boundary->answered, &slot->entry);
    return true;
}

void slot_release(struct slot *slot, struct after *after)
{
    struct ambit_boundary *boundary = slot->boundary;
    if (slot->wanted || slot->held) {
        return;
    }
    slot->generation++;
    slot->answered = slot->spent = false;
    RULE(BND_BOUND_1);
    struct list_node *node = list_pop_front(&boundary->room_waits);
    if (node == NULL) {
        list_push_front(&boundary->free, &slot->entry);
        return;
    }
    struct room_wait *wait = CONTAINER_OF(node, struct room_wait, entry);
    wait->slot = slot;
    after_bell(after, &wait->bell);
}

void slot_give_up(struct slot *slot, int why, struct after *after)
{
    struct ambit_boundary_stats *stats = &slot->boundary->stats;
    if (!slot->answered) {
        stats->queued -= !slot->held;
        *(why == -ETIMEDOUT ? &stats->timed_out : &stats->cancelled) += 1;
        slot->spent = true;
        slot->result = why;
    }
    list_remove(&slot->entry);
    slot->wanted = false;
    slot_release(slot, after);
}

void slot_hold(struct slot *slot)
{
    slot->held = true;
    slot->boundary->users++;
    slot->boundary->stats.held++;
}

void slot_submit(struct slot *slot, struct after *after)
{
    struct ambit_boundary *boundary = slot->boundary;
    struct line_waiter *receiver = boundary->receivers.first;
    slot->wanted = true;
    if (receiver != NULL) {
        slot_hold(slot);
        receiver->item = slot;
        line_grant(&boundary->receivers, receiver, 0, &after->woken);
        return;
    }
    boundary->stats.queued++;
    list_push_back(&boundary->queued, &slot->entry);
}

/* The server's side ends.  What respond answers. */
static int slot_resolve(struct slot *slot, int result, struct after *after)
{
    struct ambit_boundary *boundary = slot->boundary;
    int rc = 0;
    if (slot->spent || slot->answered) {
        rc = slot->result; /* its client has been told so, or has said so */
    } else if (is_past(slot->deadline_ns)) {
        RULE(BND_LATE_1);
        rc = -ETIMEDOUT;
        boundary->stats.timed_out++;
        (void)slot_answer(slot, rc, after);
    } else {
        (void)slot_answer(slot, result, after);
    }
    slot->held = false;
    boundary->stats.held--;
    boundary->users--;
    slot_release(slot, after);
    return rc;
}

/* --- the server ------------------------------------------------------------ */

/* After the last task of the region. */
static void end_service(void *arg)
{
    struct ambit_boundary *boundary = arg;
    struct after none = {.woken = {0}};
    unsigned tries = 0;
    ambit_boundary_close(boundary);
    boundary_lock(boundary);
    /* Who is about to wake a task of ours still uses its worker. */
    while (boundary->leaving > 0) {
        spin_unlock(&boundary->receivers.lock);
        spin_pause(&tries);
        boundary_lock(boundary);
    }
    boundary->users--;
    boundary_unlock(boundary, &none);
}

int ambit_boundary_serve(ambit_region *region, ambit_boundary *boundary)
{
    static const struct ambit_site site = {__FILE__, __LINE__};
    boundary_lock(boundary);
    int rc = boundary->closed ? -EPIPE : boundary->served ? -EALREADY : 0;
    boundary->served |= rc == 0;
    boundary->users += rc == 0;
    spin_unlock(&boundary->receivers.lock);
    if (rc < 0) {
        return rc;
    }
    rc = ambit_defer_(region, end_service, boundary, &site, "boundary");
    if (rc < 0) {
        boundary_lock(boundary);
        boundary->served = false;
        boundary->users--; /* the caller has an end: not the last */
        spin_unlock(&boundary->receivers.lock);
    }
    return rc;
}

/* The close of the scope, or who resolves, on its behalf. */
void slot_drop(struct slot *slot)
{
    struct ambit_boundary *boundary = slot->boundary;
    struct after after = {.woken = {0}};
    boundary_lock(boundary);
    if (slot->answering) {
        slot->aborted = true;
    } else {
        RULE(BND_DROP_1);
        slot->aborted = false;
        boundary->stats.cancelled += slot_resolve(slot, -ECANCELED,
                                                  &after) == 0;
    }
    boundary_unlock(boundary, &after);
}

/* The one who will resolve it, unless the close does; or NULL. */
static struct slot *claim(const struct ambit_boundary_request *request)
{
    struct ambit_boundary *boundary = request->boundary_;
    struct slot *slot = &boundary->slots[request->slot_];
    boundary_lock(boundary);
    bool ours = slot->generation == request->generation_ && slot->held &&
                !slot->answering;
    slot->answering |= ours;
    spin_unlock(&boundary->receivers.lock);
    return ours ? slot : NULL;
}

static int resolve(const struct ambit_boundary_request *request, int result,
                   const void *reply, size_t size)
{
    struct ambit_boundary *boundary = request->boundary_;
    struct after after = {.woken = {0}};
    struct slot *slot = claim(request);
    if (slot == NULL) {
        RULE(BND_ONCE_1);
        return -EALREADY;
    }
    if (size > 0) {
        memcpy(slot->reply, reply, size);
    }
    int rc = obligation_resolve(&slot->duty);
    boundary_lock(boundary);
    slot->answering = false;
    if (rc == 0) {
        rc = slot_resolve(slot, result, &after);
        boundary->stats.answered += rc == 0;
    } else if (slot->aborted) {
        slot->aborted = false;
        boundary->stats.cancelled += slot_resolve(slot, -ECANCELED,
                                                  &after) == 0;
    }
    boundary_unlock(boundary, &after);
    return rc;
}

int ambit_boundary_respond(const struct ambit_boundary_request *request,
                           const void *reply, size_t size)
{
    if (size > request->boundary_->reply_max) {
        return -E2BIG;
    }
    return resolve(request, (int)size, reply, size);
}

int ambit_boundary_refuse(const struct ambit_boundary_request *request,
                          int error)
{
    return error < 0 ? resolve(request, error, NULL, 0) : -EINVAL;
}
