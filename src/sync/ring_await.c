/* SPDX-License-Identifier: MIT */
/*
 * ring_await.c -- poll tasks at the ends of a ring.
 *
 * A wait stands in the line of the worker it was begun on, which nobody but that
 * worker's thread comes near; and its task may be stepping on another one when
 * it is to be called off.  So the worker is asked by a note, in a record of its
 * own: it looks for the wait of that record in the line, takes it out and says
 * so.  A wait it does not find was granted before, and may be gone.
 *
 *   AWAIT-RING-1  What is accepted and received is so once.
 *   AWAIT-RING-2  A wait that is called off has taken or sent nothing.
 *   AWAIT-END-4   What a panic did not look at goes back by a note, too.
 *
 * The note is delivered before those of an end of the ring: it was posted before.
 */
#include "src/await.h"
#include "src/sync/ring.h"

struct ring_call {
    struct note note;
    struct runtime *runtime;
    struct worker *worker; /* whose line it is */
    struct line *line;
    struct ring_wish wish;
};

_Static_assert(sizeof(struct ring_call) <= 64, "SLAB_64");

static void call_free(struct ring_call *call)
{
    runtime_free(call->runtime, SLAB_64, call);
}

static void call_ended(struct await *await)
{
    if (!await->asked) {
        call_free(await->record);
    }
}

static struct await *find_in_line(const struct ring_call *call)
{
    for (struct line_waiter *waiter = call->line->first; waiter != NULL;
         waiter = waiter->next) {
        struct await *await = CONTAINER_OF(waiter, struct await, waiter);
        if (waiter->polled && await->record == call) {
            return await;
        }
    }
    return NULL;
}

/* On the worker whose line it is. */
static void call_off_here(struct worker *worker, struct note *note)
{
    struct ring_call *call = CONTAINER_OF(note, struct ring_call, note);
    struct await *await = find_in_line(call);
    (void)worker;
    call_free(call);
    if (await != NULL) {
        bool ours = line_call_off(&await->waiter);
        ASSERT(ours);
        await_say(await, AWAIT_CALLED_OFF);
    }
}

static enum await_off call_off(struct await *await)
{
    struct ring_call *call = await->record;
    if (await_has_said(await)) {
        return AWAIT_OVER;
    }
    RULE(AWAIT_RING_2);
    if (await->asked) {
        return AWAIT_COMING;
    }
    if (call->worker == worker_self) {
        bool ours = line_call_off(&await->waiter);
        ASSERT(ours);
        call_free(call);
        return AWAIT_OFF;
    }
    await->asked = true; /* the note frees the record */
    worker_post(call->worker, &call->note);
    return AWAIT_COMING;
}

static const struct await_kind at_source = {NULL, call_off, call_ended};

/* What was received: by now of another worker, perhaps. */
static struct ring_back *make_back(struct await *await)
{
    struct runtime *runtime = task_runtime(await->task);
    struct ring_back *back = await->asked ? runtime_alloc(runtime, SLAB_64)
                                          : await->record;
    struct ring_door *door =
        CONTAINER_OF(await->waiter.line, struct ring_door, waiting);
    if (back == NULL) {
        return NULL;
    }
    *back = (struct ring_back){.note = {.deliver = ring_came_back},
                               .door = door,
                               .number = await->waiter.wanted};
    if (ring_counts(door)) {
        back->message.value = *(uint64_t *)await->waiter.item;
    } else {
        back->message = *(struct ambit_ring_message *)await->waiter.item;
    }
    return back;
}

static void forget_message(struct await *await)
{
    if (await->value != 0) {
        call_ended(await);
        return;
    }
    struct ring_back *back = make_back(await);
    if (back == NULL) {
        await_tell_lost(await, "a ring");
    } else if (back->door->worker == worker_self) {
        ring_came_back(worker_self, &back->note);
    } else {
        worker_post(back->door->worker, &back->note);
    }
}

static const struct await_kind at_door = {NULL, call_off, forget_message};

/* A wait with its record; then AWAIT_IDLE.  Else, in *ret_rc, what to answer. */
static enum await_look enter(struct task *task, struct await *await,
                             const struct await_kind *kind, int *ret_rc)
{
    int64_t said;
    enum await_look look = await_look(task, await, &said);
    if (look != AWAIT_IDLE) {
        if (look == AWAIT_SAID) {
            call_ended(await);
        }
        *ret_rc = (int)said;
        return look;
    }
    struct ring_call *call = runtime_alloc(task_runtime(task), SLAB_64);
    if (call == NULL) {
        *ret_rc = -ENOMEM;
        return AWAIT_ANSWER;
    }
    *call = (struct ring_call){.note = {.deliver = call_off_here},
                               .runtime = task_runtime(task),
                               .worker = worker_self};
    await_begin(await, task, kind);
    await->waiter.polled = true;
    await->record = call;
    return AWAIT_IDLE;
}

static int leave(struct await *await, int rc)
{
    struct ring_call *call = await->record;
    RULE(AWAIT_RING_1);
    if (rc == AMBIT_PENDING) {
        call->line = await->waiter.line;
        return rc;
    }
    call_free(call);
    await_end(await);
    return rc;
}

static int await_message(ambit_cx *cx, struct ambit_await *wait,
                         struct ring *ring, unsigned kind, void *ret_item)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int rc;
    if (enter(task, await, &at_door, &rc) != AWAIT_IDLE) {
        return rc;
    }
    rc = park_check(task);
    return leave(await, rc < 0 ? rc
                               : ring_receive(ring, kind, task, &await->waiter,
                                              ret_item));
}

int ambit_await_ring_next(ambit_cx *cx, struct ambit_await *wait,
                          ambit_ring *ring,
                          struct ambit_ring_message *ret_message)
{
    return await_message(cx, wait, ring_of(ring), RING_MESSAGES, ret_message);
}

int ambit_await_ring_next_hot(ambit_cx *cx, struct ambit_await *wait,
                              ambit_ring *ring,
                              struct ambit_ring_message *ret_message)
{
    return ring_of(ring)->hot
               ? await_message(cx, wait, ring_of(ring), RING_HOT, ret_message)
               : -EINVAL;
}

int ambit_await_ring_next_count(ambit_cx *cx, struct ambit_await *wait,
                                ambit_ring *ring, uint16_t tag,
                                uint64_t *ret_sum)
{
    unsigned kind = ring_kind(ring_of(ring), tag);
    return kind < RING_COUNTED
               ? -EINVAL
               : await_message(cx, wait, ring_of(ring), kind, ret_sum);
}

int ambit_await_ring_send(ambit_cx *cx, struct ambit_await *wait,
                          ambit_ring *ring, unsigned to, uint16_t tag,
                          uint64_t value)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int rc;
    if (enter(task, await, &at_source, &rc) != AWAIT_IDLE) {
        return rc;
    }
    struct ring_call *call = await->record;
    call->wish = (struct ring_wish){value, tag};
    return leave(await, ring_send(task, ring_of(ring), to, &call->wish,
                                  &await->waiter));
}
