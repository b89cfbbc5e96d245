/* SPDX-License-Identifier: MIT */
/*
 * ring_receive.c -- the target's end: look, take, wait.
 *
 * The streams of a door have their turns.  Who finds nothing in any of them
 * arms the bell, looks once more, and waits in line; who rings it sends a note,
 * and the note's delivery hands out what there is, in the order of the line.
 * All of that is on this worker's thread, so a grant and a cancel never meet.
 *
 *   RING-TURN-1    No source is kept waiting by the others.
 *   RING-WAKE-1    What is shown wakes whoever waits for it.
 *   RING-CANCEL-1  A wait that is called off has taken nothing.
 *   RING-HOT-1     Hot tags go by their own door.
 *   RING-SUM-1     The sum of a counted tag is taken once, and never 0.
 *   RING-CLOSE-2   What was accepted is received, then -EPIPE.
 *   AWAIT-END-4    What a panic did not look at is received by the next.
 *
 * Owner: the target's worker.
 */
#include "src/sync/ring.h"

#include "src/task.h"

static unsigned streams_of(const struct ring_door *door)
{
    return door->ring->workers + 1;
}

static uint64_t head_of(struct ring_stream *stream)
{
    /* ORDER(ring-head): relaxed.  Its only writer is this thread. */
    return atomic_load_explicit(&stream->head, memory_order_relaxed);
}

/* What is there; 0: nothing, and *ret_final tells whether it stays so. */
static uint64_t look(struct ring_stream *stream, bool *ret_final)
{
    uint64_t head = head_of(stream);
    if (head == stream->tail_seen) {
        uint64_t tail = ring_tail(stream);
        stream->tail_seen = RING_PLACE(tail);
        *ret_final = tail == (head | RING_FINAL);
    }
    return RING_PLACE(stream->tail_seen - head);
}

/* Those who asked for room are told; after the close by their own worker. */
static void room_made(struct ring_stream *stream)
{
    if (stream->wanted && !ring_is_closed(stream->door->ring)) {
        stream->wanted = false;
        stream->note.deliver = ring_room_told;
        worker_post(stream->door->ring->runtime->workers[stream->source->from],
                    &stream->note);
    }
}

static void taken_up_to(struct ring_stream *stream, uint64_t head)
{
    /* ORDER(ring-head): release.  The cells before it have been read: they may
     * be written again.  Pairs with ring_head(). */
    atomic_store_explicit(&stream->head, head, memory_order_release);
    if (UNLIKELY(stream->wanted)) {
        room_made(stream);
    }
}

void ring_room_asked(struct worker *worker, struct note *note)
{
    struct ring_stream *stream = CONTAINER_OF(note, struct ring_stream, note);
    uint64_t there = RING_PLACE(ring_tail(stream) - head_of(stream));
    (void)worker;
    stream->wanted = true;
    if (there < stream->room) {
        room_made(stream);
    }
}

/* --- take: 0, -EAGAIN, -EPIPE ---------------------------------------------- */

static void next_turn(struct ring_door *door)
{
    door->at = door->at + 1 == streams_of(door) ? 0 : door->at + 1;
    door->taken = 0;
}

static void set_came(struct ring_door *door, uint64_t amount)
{
    /* ORDER(ring-came): release.  Pairs with ring_came(): what came back was
     * received before. */
    atomic_store_explicit(&door->came_back, amount, memory_order_release);
}

/* There is one. */
static NOINLINE int take_back(struct ring_door *door,
                              struct ambit_ring_message *ret_message)
{
    struct ring_back *back = door->back;
    door->back = back->next;
    set_came(door, ring_came(door) - 1);
    *ret_message = back->message;
    runtime_free(door->ring->runtime, SLAB_64, back);
    return 0;
}

static int take_message(struct ring_door *door,
                        struct ambit_ring_message *ret_message)
{
    unsigned streams = streams_of(door), final = 0;
    if (UNLIKELY(door->back != NULL)) {
        return take_back(door, ret_message);
    }
    for (unsigned looked = 0; looked < streams; looked++) {
        struct ring_stream *stream = &door->streams[door->at];
        bool is_final = false;
        if (look(stream, &is_final) > 0) {
            uint64_t head = head_of(stream);
            *ret_message = stream->cells[head & door->ring->mask];
            taken_up_to(stream, head + 1);
            if (++door->taken >= RING_TURN) {
                RULE(RING_TURN_1);
                next_turn(door);
            }
            return 0;
        }
        final += is_final;
        next_turn(door);
    }
    return final == streams ? -EPIPE : -EAGAIN;
}

static int take_sum(struct ring_door *door, uint64_t *ret_sum)
{
    unsigned streams = streams_of(door), final = 0;
    uint64_t sum = ring_came(door);
    set_came(door, 0);
    for (unsigned i = 0; i < streams; i++) {
        struct ring_stream *stream = &door->streams[i];
        bool is_final = false;
        uint64_t added = look(stream, &is_final);
        if (added > 0) {
            RULE(RING_SUM_1);
            sum += added;
            taken_up_to(stream, stream->tail_seen);
        }
        final += is_final;
    }
    if (sum == 0) {
        return final == streams ? -EPIPE : -EAGAIN;
    }
    *ret_sum = sum;
    return 0;
}

static int take(struct ring_door *door, void *ret_item)
{
    int rc = ring_counts(door) ? take_sum(door, ret_item)
                              : take_message(door, ret_item);
    if (rc == -EPIPE) {
        RULE(RING_CLOSE_2);
    }
    return rc;
}

/* --- wait ------------------------------------------------------------------ */

/* From now on whoever shows something rings; unless the note is under way, and
 * will be served by then. */
static void ring_arm(struct ring_door *door)
{
    uint32_t quiet = RING_QUIET;
    /* ORDER(ring-bell): seq_cst.  The first half of a wait: the look at the
     * tails that follows must not overtake it.  Pairs with is_to_be_rung(). */
    (void)atomic_compare_exchange_strong_explicit(
        &door->bell, &quiet, RING_ARMED, memory_order_seq_cst,
        memory_order_relaxed);
}

static void ring_disarm(struct ring_door *door)
{
    uint32_t armed = RING_ARMED;
    /* ORDER(ring-bell): relaxed.  Nobody waits; who rings for nobody meanwhile
     * does no harm. */
    (void)atomic_compare_exchange_strong_explicit(
        &door->bell, &armed, RING_QUIET, memory_order_relaxed,
        memory_order_relaxed);
}

/* What came back keeps its number. */
static uint32_t next_number(const struct ring_door *door)
{
    return door->back != NULL ? door->back->number : door->handed;
}

static void number_it(struct ring_door *door, struct line_waiter *waiter,
                      uint32_t number)
{
    waiter->wanted = number;
    door->handed += waiter->polled && number == door->handed;
}

/* Nobody but this thread comes near the line: its lock is held for what is
 * changed in it.  False: somebody waits on. */
static bool serve_line(struct ring_door *door)
{
    struct line *line = &door->waiting;
    while (line->first != NULL) {
        struct line_waiter *first = line->first;
        struct line_woken woken = {0};
        uint32_t number = next_number(door);
        int rc = take(door, first->item);
        if (rc == -EAGAIN) {
            return false;
        }
        number_it(door, first, number);
        line_lock(line);
        line_grant(line, first, rc, &woken);
        line_unlock(line, &woken);
    }
    return true;
}

void ring_serve(struct ring_door *door)
{
    if (door->waiting.first != NULL && serve_line(door)) {
        ring_disarm(door);
    }
}

/* Numbers come around; those that are out at a time are close together. */
static void keep_back(struct ring_door *door, struct ring_back *back)
{
    struct ring_back **at = &door->back;
    while (*at != NULL && (int32_t)((*at)->number - back->number) < 0) {
        at = &(*at)->next;
    }
    back->next = *at;
    *at = back;
    set_came(door, ring_came(door) + 1);
}

void ring_came_back(struct worker *worker, struct note *note)
{
    struct ring_back *back = CONTAINER_OF(note, struct ring_back, note);
    struct ring_door *door = back->door;
    (void)worker;
    RULE(AWAIT_END_4);
    if (ring_counts(door)) {
        set_came(door, ring_came(door) + back->message.value);
        runtime_free(door->ring->runtime, SLAB_64, back);
    } else {
        keep_back(door, back);
    }
    ring_serve(door);
}

void ring_heard(struct worker *worker, struct note *note)
{
    struct ring_door *door = CONTAINER_OF(note, struct ring_door, note);
    (void)worker;
    RULE(RING_WAKE_1);
    bool served = serve_line(door);
    /* ORDER(ring-bell): relaxed.  Nobody has a use for the note until it is
     * armed again. */
    atomic_store_explicit(&door->bell, RING_QUIET, memory_order_relaxed);
    if (!served) {
        ring_arm(door);
        ring_serve(door);
    }
}

/* The last who waited was called off. */
static void left(struct line *line, struct line_woken *woken)
{
    (void)woken;
    RULE(RING_CANCEL_1);
    if (line->first == NULL) {
        ring_disarm(CONTAINER_OF(line, struct ring_door, waiting));
    }
}

int ring_receive(struct ring *ring, unsigned kind, struct task *task,
                 struct line_waiter *given, void *ret_item)
{
    struct ring_source *here = ring_here(ring);
    struct line_waiter own;
    if (here->from == AMBIT_EXTERNAL) {
        return -EPERM;
    }
    struct ring_door *door = ring_door(ring, here->from, kind);
    bool first = door->waiting.first == NULL;
    int rc = first ? take(door, ret_item) : -EAGAIN;
    if (rc != -EAGAIN || task == NULL) {
        return rc;
    }
    if (first) {
        ring_arm(door);
        rc = take(door, ret_item);
        if (rc != -EAGAIN) {
            ring_disarm(door);
            return rc;
        }
    }
    struct line_waiter *waiter = line_waiter_or(given, &own);
    waiter->item = ret_item;
    waiter->left = left;
    line_lock(&door->waiting);
    return (int)line_wait(&door->waiting, waiter, task, PARK_RING);
}

static int receive_waiting(ambit_cx *cx, ambit_ring *ring, unsigned kind,
                           void *ret_item)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc
                  : ring_receive(ring_of(ring), kind, task, NULL, ret_item);
}

int ambit_ring_next(ambit_cx *cx, ambit_ring *ring,
                    struct ambit_ring_message *ret_message)
{
    return receive_waiting(cx, ring, RING_MESSAGES, ret_message);
}

int ambit_ring_try_next(ambit_ring *ring,
                        struct ambit_ring_message *ret_message)
{
    return ring_receive(ring_of(ring), RING_MESSAGES, NULL, NULL, ret_message);
}

int ambit_ring_next_hot(ambit_cx *cx, ambit_ring *ring,
                        struct ambit_ring_message *ret_message)
{
    RULE(RING_HOT_1);
    return ring_of(ring)->hot
               ? receive_waiting(cx, ring, RING_HOT, ret_message)
               : -EINVAL;
}

int ambit_ring_try_next_hot(ambit_ring *ring,
                            struct ambit_ring_message *ret_message)
{
    return ring_of(ring)->hot
               ? ring_receive(ring_of(ring), RING_HOT, NULL, NULL, ret_message)
               : -EINVAL;
}

int ambit_ring_next_count(ambit_cx *cx, ambit_ring *ring, uint16_t tag,
                          uint64_t *ret_sum)
{
    unsigned kind = ring_kind(ring_of(ring), tag);
    return kind < RING_COUNTED ? -EINVAL
                               : receive_waiting(cx, ring, kind, ret_sum);
}

int ambit_ring_try_next_count(ambit_ring *ring, uint16_t tag,
                              uint64_t *ret_sum)
{
    unsigned kind = ring_kind(ring_of(ring), tag);
    return kind < RING_COUNTED ? -EINVAL
                               : ring_receive(ring_of(ring), kind, NULL, NULL, ret_sum);
}
