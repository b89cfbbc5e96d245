/* SPDX-License-Identifier: MIT */
/*
 * ring_send.c -- the source's end: put, show, ring.
 *
 * A message is written into the stream's next cell, and shown to the target by
 * one exchange of the tail; who sees an armed bell after that rings it.  What
 * is put without being shown makes the stream dirty, and a note to ourselves
 * shows it in this worker's next turn.
 *
 *   RING-BITS-1    Tag, value and source arrive as they were sent.
 *   RING-ACCEPT-1  What was accepted arrives once, what was refused never.
 *   RING-FULL-1    No room: the caller is told.
 *   RING-ORDER-1   In the order of the calls, whichever.
 *   RING-BELL-1    A bell is rung for somebody who waits, once.
 *   RING-FLUSH-1   What was put is shown.
 *   RING-SUM-2     A counted tag takes no room.
 *   RING-ROOM-1    Who waits for room is served in order of arrival.
 *
 * Owner: the source's worker; foreign threads under the lock of theirs.
 */
#include "src/sync/ring.h"

#include "src/task.h"

/* True: to be rung by us. */
static bool is_to_be_rung(struct ring_door *door)
{
    uint32_t armed = RING_ARMED;
    /* ORDER(ring-bell): seq_cst.  The other half of a wait: after the tail was
     * shown; pairs with the exchange in ring_arm(). */
    if (atomic_load_explicit(&door->bell, memory_order_seq_cst) != armed) {
        return false;
    }
    /* ORDER(ring-bell): acquire.  Our use of the note comes after its last
     * delivery: pairs with ring_arm().  Who fails leaves it to the one who has
     * done it: the target looks again after it has heard that. */
    return atomic_compare_exchange_strong_explicit(
        &door->bell, &armed, RING_RUNG, memory_order_acquire,
        memory_order_relaxed);
}

static void ring_door_bell(struct ring_door *door)
{
    RULE(RING_BELL_1);
    count_own(&door->rung);
    worker_post(door->worker, &door->note);
}

/* Lets the target see all that was put.  True: its bell is ours to ring. */
static bool publish(struct ring_stream *stream, uint64_t final)
{
    uint64_t tail = RING_PLACE(stream->tail);
    if (stream->shown == tail && final == 0) {
        return false;
    }
    stream->shown = tail;
    stream->unshown = 0;
    if (stream->own) {
        /* ORDER(ring-tail): relaxed.  The reader is this thread. */
        atomic_store_explicit(&stream->tail_pub, tail | final,
                              memory_order_relaxed);
        ring_serve(stream->door);
        return false;
    }
    /* ORDER(ring-tail): seq_cst.  Shows the cells before it; and the look at the
     * bell must not overtake it: pairs with ring_tail(). */
    atomic_store_explicit(&stream->tail_pub, tail | final,
                          memory_order_seq_cst);
    return is_to_be_rung(stream->door);
}

static void show(struct ring_stream *stream, uint64_t final)
{
    if (publish(stream, final)) {
        ring_door_bell(stream->door);
    }
}

static bool seems_to_have_room(const struct ring_stream *stream,
                               uint64_t units)
{
    return RING_PLACE(stream->tail - stream->head_seen) + units <= stream->room;
}

static bool has_room(struct ring_stream *stream, uint64_t units)
{
    if (LIKELY(seems_to_have_room(stream, units))) {
        return true;
    }
    stream->head_seen = ring_head(stream);
    return seems_to_have_room(stream, units);
}

static void write_down(struct ring_stream *stream, uint16_t tag, uint64_t value)
{
    stream->unshown++;
    if (stream->cells == NULL) {
        RULE(RING_SUM_2);
        stream->tail += value;
        return;
    }
    RULE(RING_BITS_1);
    stream->cells[stream->tail & stream->door->ring->mask] =
        (struct ambit_ring_message){value, stream->source->from, tag};
    stream->tail++;
}

static uint64_t units_of(const struct ring_stream *stream, uint64_t value)
{
    return stream->cells == NULL ? value : 1;
}

/* 0, -EAGAIN; in both cases somebody has to show what was put: what is full of
 * what nobody sees stays full. */
static int put(struct ring_stream *stream, uint16_t tag, uint64_t value)
{
    if (UNLIKELY(stream->senders.first != NULL) ||
        UNLIKELY(!has_room(stream, units_of(stream, value)))) {
        RULE(RING_FULL_1);
        count_own(&stream->source->refused);
        return -EAGAIN;
    }
    RULE(RING_ACCEPT_1);
    write_down(stream, tag, value);
    return 0;
}

/* The turn has come. */
static void flush_due(struct worker *worker, struct note *note)
{
    struct ring_source *source = CONTAINER_OF(note, struct ring_source, flush);
    (void)worker;
    source->posted = false;
    ring_flush(source);
}

static void make_dirty(struct ring_stream *stream)
{
    struct ring_source *source = stream->source;
    if (stream->own || stream->unshown >= RING_BATCH) {
        show(stream, 0);
        return;
    }
    if (stream->dirty) {
        return;
    }
    stream->dirty = true;
    stream->next_dirty = source->dirty;
    source->dirty = stream;
    if (!source->posted) {
        source->posted = true;
        source->flush.deliver = flush_due;
        worker_post(worker_self, &source->flush);
    }
}

void ring_flush(struct ring_source *source)
{
    struct ring_stream *stream = source->dirty;
    source->dirty = NULL;
    while (stream != NULL) {
        RULE(RING_FLUSH_1);
        struct ring_stream *next = stream->next_dirty;
        stream->dirty = false;
        show(stream, 0);
        stream = next;
    }
}

/* 0, or what is wrong with it whatever the room. */
static int find(struct ring *ring, struct ring_source *source, unsigned to,
                uint16_t tag, uint64_t value, struct ring_stream **ret_stream)
{
    if (UNLIKELY(to >= ring->workers)) {
        RULE(RING_LIMIT_1);
        return -EINVAL;
    }
    unsigned kind = ring_kind(ring, tag);
    if (UNLIKELY(kind >= RING_COUNTED && value > AMBIT_RING_SUM_MAX)) {
        return -E2BIG;
    }
    if (UNLIKELY(ring_is_closed(ring))) {
        RULE(RING_CLOSE_1);
        return -EPIPE;
    }
    *ret_stream = &ring_door(ring, to, kind)->streams[source - ring->sources];
    return 0;
}

static bool is_foreign(const struct ring_source *source)
{
    return source->from == AMBIT_EXTERNAL;
}

/* Foreign threads show what they put before they let go of the lock. */
static int put_foreign(struct ring *ring, struct ring_source *source,
                       unsigned to, uint16_t tag, uint64_t value)
{
    struct ring_stream *stream = NULL;
    bool rings = false;
    spin_lock(&source->lock);
    int rc = find(ring, source, to, tag, value, &stream);
    if (rc == 0) {
        rc = put(stream, tag, value);
        rings = publish(stream, 0);
    }
    spin_unlock(&source->lock);
    if (rings) {
        ring_door_bell(stream->door);
    }
    return rc;
}

int ambit_ring_try_send(ambit_ring *public, unsigned to, uint16_t tag,
                        uint64_t value)
{
    struct ring *ring = ring_of(public);
    struct ring_source *source = ring_here(ring);
    struct ring_stream *stream;
    if (UNLIKELY(is_foreign(source))) {
        return put_foreign(ring, source, to, tag, value);
    }
    int rc = find(ring, source, to, tag, value, &stream);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    rc = put(stream, tag, value);
    if (LIKELY(rc == 0)) {
        make_dirty(stream);
    } else {
        show(stream, 0);
    }
    return rc;
}

int ambit_ring_try_send_direct(ambit_ring *public, unsigned to, uint16_t tag,
                               uint64_t value)
{
    struct ring *ring = ring_of(public);
    struct ring_source *source = ring_here(ring);
    struct ring_stream *stream;
    if (UNLIKELY(is_foreign(source))) {
        return put_foreign(ring, source, to, tag, value);
    }
    int rc = find(ring, source, to, tag, value, &stream);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    rc = put(stream, tag, value);
    RULE(RING_ORDER_1);
    show(stream, 0);
    return rc;
}

int ambit_ring_try_send_many(ambit_ring *public, unsigned to,
                             const struct ambit_ring_message *messages,
                             size_t count)
{
    struct ring *ring = ring_of(public);
    struct ring_source *source = ring_here(ring);
    size_t accepted = 0;
    int rc = 0;
    if (count > INT32_MAX) {
        return -E2BIG;
    }
    while (accepted < count) {
        const struct ambit_ring_message *message = &messages[accepted];
        rc = ambit_ring_try_send(public, to, message->tag, message->value);
        if (rc < 0) {
            break;
        }
        accepted++;
    }
    if (!is_foreign(source)) {
        ring_flush(source);
    }
    return accepted > 0 ? (int)accepted : rc;
}

void ambit_ring_flush(ambit_ring *public)
{
    struct ring_source *source = ring_here(ring_of(public));
    if (!is_foreign(source)) {
        ring_flush(source);
    }
}

/* --- a wait for room ------------------------------------------------------- */

static void ask_for_room(struct ring_stream *stream)
{
    if (!stream->asked) {
        stream->asked = true;
        stream->note.deliver = ring_room_asked;
        worker_post(stream->door->worker, &stream->note);
    }
}

/* Nobody but this thread comes near the line: its lock is held for what is
 * changed in it. */
void ring_room_told(struct worker *worker, struct note *note)
{
    struct ring_stream *stream = CONTAINER_OF(note, struct ring_stream, note);
    struct line *line = &stream->senders;
    (void)worker;
    stream->asked = false;
    while (line->first != NULL) {
        struct ring_wish *first = line->first->item;
        struct line_woken woken = {0};
        if (!has_room(stream, units_of(stream, first->value))) {
            ask_for_room(stream);
            break;
        }
        RULE(RING_ROOM_1);
        write_down(stream, first->tag, first->value);
        line_lock(line);
        line_grant(line, line->first, 0, &woken);
        line_unlock(line, &woken);
    }
    show(stream, 0);
}

static int wait_for_room(struct ring_stream *stream, struct task *task,
                         struct ring_wish *wish, struct line_waiter *given)
{
    struct line_waiter own;
    struct line_waiter *waiter = line_waiter_or(given, &own);
    waiter->item = wish;
    ask_for_room(stream);
    line_lock(&stream->senders);
    return (int)line_wait(&stream->senders, waiter, task, PARK_RING_ROOM);
}

int ring_send(struct task *task, struct ring *ring, unsigned to,
              struct ring_wish *wish, struct line_waiter *given)
{
    struct ring_source *source = ring_here(ring);
    struct ring_stream *stream;
    int rc = park_check(task);
    if (rc == 0) {
        rc = is_foreign(source)
                 ? -EPERM
                 : find(ring, source, to, wish->tag, wish->value, &stream);
    }
    if (rc < 0) {
        return rc;
    }
    if (stream->senders.first == NULL &&
        LIKELY(has_room(stream, units_of(stream, wish->value)))) {
        write_down(stream, wish->tag, wish->value);
        show(stream, 0);
        return 0;
    }
    show(stream, 0);
    return wait_for_room(stream, task, wish, given);
}

int ambit_ring_send(ambit_cx *cx, ambit_ring *ring, unsigned to, uint16_t tag,
                    uint64_t value)
{
    struct ring_wish wish = {value, tag};
    return ring_send(task_of(cx), ring_of(ring), to, &wish, NULL);
}

/* --- the end --------------------------------------------------------------- */

/* Foreign threads never wait for room. */
static void seal_foreign(struct ring_stream *stream)
{
    spin_lock(&stream->source->lock);
    bool rings = publish(stream, RING_FINAL);
    spin_unlock(&stream->source->lock);
    if (rings) {
        ring_door_bell(stream->door);
    }
}

static void seal(struct ring_stream *stream)
{
    struct line_woken woken = {0};
    line_lock(&stream->senders);
    line_grant_all(&stream->senders, -EPIPE, &woken);
    line_unlock(&stream->senders, &woken);
    show(stream, RING_FINAL);
}

void ring_seal(struct ring_source *source)
{
    struct ring *ring = source->ring;
    unsigned number = (unsigned)(source - ring->sources);
    for (unsigned i = 0; i < ring->workers * ring->kinds; i++) {
        struct ring_stream *stream = &ring->doors[i].streams[number];
        if (is_foreign(source)) {
            seal_foreign(stream);
        } else {
            seal(stream);
        }
    }
}
