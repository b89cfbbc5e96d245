/* SPDX-License-Identifier: MIT */
/*
 * ring.c -- the beginning and the end of a ring.
 *
 * Its notes lie in its memory, so it goes only when none is under way.  A
 * worker's notes are delivered in order of posting; so two rounds through all
 * workers are enough: the first one seals each source, after which no worker
 * posts anything for this ring but in answer to what was posted before; the
 * second comes behind those answers.
 *
 *     open --close--> sealing --round 1--> sealed --round 2--> at rest
 *
 *   RING-CLOSE-1  After the close nothing is accepted.
 *   RING-END-1    It goes when nobody has it, and tells what is left.
 *   RING-END-2    So it does of sums.
 */
#include "src/sync/ring.h"

#include "src/task.h"

#include <stdlib.h>

/* --- the beginning --------------------------------------------------------- */

static const char *name_of(const struct ring *ring)
{
    return ring->name != NULL ? ring->name : "ring";
}

static int refuse(struct ring *ring, const char *what, unsigned n)
{
    RULE(RING_LIMIT_1);
    log_line(ring->runtime, AMBIT_LOG_ERROR, "ring \"%s\": %s %u",
             name_of(ring), what, n);
    return -EINVAL;
}

static int declare(struct ring *ring, uint16_t tag, unsigned kind)
{
    if (ring->kind_of[tag] != RING_MESSAGES) {
        return refuse(ring, "declared twice is tag", tag);
    }
    ring->kind_of[tag] = (uint8_t)kind;
    return 0;
}

static int declare_all(struct ring *ring,
                       const struct ambit_ring_options *options)
{
    int rc = 0;
    ring->kinds = 1;
    if (options->counted_len > AMBIT_RING_COUNTED_MAX) {
        return refuse(ring, "more than 64 counted tags:",
                      options->counted_len);
    }
    if (options->hot_len == 0 && options->counted_len == 0) {
        return 0;
    }
    ring->kind_of = calloc(UINT16_MAX + 1, 1);
    if (ring->kind_of == NULL) {
        return -ENOMEM;
    }
    ring->hot = options->hot_len > 0;
    ring->kinds = RING_COUNTED + options->counted_len;
    for (uint32_t i = 0; i < options->hot_len && rc == 0; i++) {
        rc = declare(ring, options->hot[i], RING_HOT);
    }
    for (uint32_t i = 0; i < options->counted_len && rc == 0; i++) {
        rc = declare(ring, options->counted[i], RING_COUNTED + i);
    }
    return rc;
}

static int declare_capacity(struct ring *ring, uint32_t capacity)
{
    if (capacity > AMBIT_RING_CAPACITY_MAX) {
        return refuse(ring, "more than 1048576 is its .capacity:", capacity);
    }
    ring->capacity = capacity > 0 ? capacity : 256;
    ring->mask = 1;
    while (ring->mask < ring->capacity) {
        ring->mask *= 2;
    }
    ring->mask--;
    return 0;
}

static void *make_aligned(size_t count, size_t size)
{
    void *made = aligned_alloc(CACHE_LINE, count * size);
    if (made != NULL) {
        memset(made, 0, count * size);
    }
    return made;
}

static void make_source(struct ring *ring, unsigned number)
{
    struct ring_source *source = &ring->sources[number];
    source->ring = ring;
    source->from = number < ring->workers ? (uint16_t)number : AMBIT_EXTERNAL;
    spin_init(&source->lock);
}

static void make_stream(struct ring_door *door, unsigned worker,
                        unsigned number)
{
    struct ring *ring = door->ring;
    struct ring_stream *stream = &door->streams[number];
    stream->door = door;
    stream->source = &ring->sources[number];
    stream->own = worker == number;
    stream->room = AMBIT_RING_SUM_MAX;
    if (door->cells != NULL) {
        stream->cells = door->cells + (size_t)number * (ring->mask + 1);
        stream->room = ring->capacity;
    }
}

static int make_door(struct ring *ring, unsigned worker, unsigned kind)
{
    struct ring_door *door = ring_door(ring, worker, kind);
    unsigned streams = ring->workers + 1;
    door->ring = ring;
    door->worker = ring->runtime->workers[worker];
    door->note.deliver = ring_heard;
    door->streams = make_aligned(streams, sizeof *door->streams);
    if (door->streams == NULL) {
        return -ENOMEM;
    }
    if (kind == RING_MESSAGES || (kind == RING_HOT && ring->hot)) {
        door->cells = calloc((size_t)streams * (ring->mask + 1),
                             sizeof *door->cells);
        if (door->cells == NULL) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < streams; i++) {
        make_stream(door, worker, i);
    }
    return 0;
}

static int make(struct ring *ring, const struct ambit_ring_options *options)
{
    int rc = declare_capacity(ring, options->capacity);
    rc = rc == 0 ? declare_all(ring, options) : rc;
    if (rc < 0) {
        return rc;
    }
    unsigned doors = ring->workers * ring->kinds;
    ring->sources = make_aligned(ring->workers + 1, sizeof *ring->sources);
    ring->doors = make_aligned(doors, sizeof *ring->doors);
    if (ring->sources == NULL || ring->doors == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i <= ring->workers; i++) {
        make_source(ring, i);
    }
    for (unsigned i = 0; i < doors && rc == 0; i++) {
        rc = make_door(ring, i / ring->kinds, i % ring->kinds);
    }
    return rc;
}

int ring_create(struct ring **ret_ring, struct runtime *runtime,
                const struct ambit_ring_options *options)
{
    struct ring *ring = make_aligned(1, sizeof *ring);
    if (ring == NULL) {
        return -ENOMEM;
    }
    ring->runtime = runtime;
    ring->name = options->name;
    ring->workers = runtime->worker_count;
    atomic_init(&ring->to_seal, ring->workers + 1);
    atomic_init(&ring->to_rest, ring->workers + 1);
    int rc = make(ring, options);
    if (rc < 0) {
        ring_destroy(ring);
        return rc;
    }
    *ret_ring = ring;
    return 0;
}

static void drop_backs(struct ring_door *door)
{
    while (door->back != NULL) {
        struct ring_back *back = door->back;
        door->back = back->next;
        runtime_free(door->ring->runtime, SLAB_64, back);
    }
}

void ring_destroy(struct ring *ring)
{
    unsigned doors = ring->doors != NULL ? ring->workers * ring->kinds : 0;
    for (unsigned i = 0; i < doors; i++) {
        drop_backs(&ring->doors[i]);
        free(ring->doors[i].streams);
        free(ring->doors[i].cells);
    }
    free(ring->doors);
    free(ring->sources);
    free(ring->kind_of);
    free(ring);
}

/* --- the end --------------------------------------------------------------- */

/* True: the last one of the round. */
static bool is_last(_Atomic uint32_t *left)
{
    /* ORDER(ring-round): acq_rel.  Pairs with itself: what each worker has done
     * with the ring is over for the last. */
    return atomic_fetch_sub_explicit(left, 1, memory_order_acq_rel) == 1;
}

/* A worker has done its part; the ring may be gone at once. */
static void part_done(struct ring *ring, _Atomic uint32_t *left)
{
    if (is_last(left)) {
        task_wake(ring->closer, 0);
    }
}

static void sealed(struct worker *worker, struct note *note)
{
    struct ring_source *source = CONTAINER_OF(note, struct ring_source, seal);
    (void)worker;
    ring_seal(source);
    part_done(source->ring, &source->ring->to_seal);
}

static void rests(struct worker *worker, struct note *note)
{
    struct ring_source *source = CONTAINER_OF(note, struct ring_source, rest);
    (void)worker;
    part_done(source->ring, &source->ring->to_rest);
}

int ambit_ring_close(ambit_ring *public)
{
    struct ring *ring = ring_of(public);
    /* ORDER(ring-closed): acq_rel.  One closes; pairs with ring_is_closed(),
     * which is told of it by the notes posted below, too. */
    if (atomic_exchange_explicit(&ring->closed, true, memory_order_acq_rel)) {
        return -EALREADY;
    }
    ring_seal(&ring->sources[ring->workers]);
    for (unsigned i = 0; i < ring->workers; i++) {
        ring->sources[i].seal.deliver = sealed;
        worker_post(ring->runtime->workers[i], &ring->sources[i].seal);
    }
    return 0;
}

static void wait_for_round(struct task *task, _Atomic uint32_t *left)
{
    if (!is_last(left)) {
        (void)park(task, PARK_RING_END, NULL, NULL);
    }
}

static uint64_t count_left(struct ring *ring)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats((ambit_ring *)(void *)ring, &stats);
    return stats.accepted - stats.received;
}

static uint64_t sum_left(struct ring *ring, unsigned kind)
{
    uint64_t sum = 0;
    for (unsigned worker = 0; worker < ring->workers; worker++) {
        struct ring_door *door = ring_door(ring, worker, kind);
        sum += ring_came(door);
        for (unsigned i = 0; i <= ring->workers; i++) {
            struct ring_stream *stream = &door->streams[i];
            sum += RING_PLACE(ring_tail(stream) - ring_head(stream));
        }
    }
    return sum;
}

static unsigned tag_of(const struct ring *ring, unsigned kind)
{
    unsigned tag = 0;
    while (ring->kind_of[tag] != kind) {
        tag++;
    }
    return tag;
}

static void tell_sums_left(struct ring *ring)
{
    for (unsigned kind = RING_COUNTED; kind < ring->kinds; kind++) {
        uint64_t sum = sum_left(ring, kind);
        RULE(RING_END_2);
        if (sum > 0) {
            log_line(ring->runtime, AMBIT_LOG_WARNING,
                     "ring \"%s\" has ended with %llu of tag %u that nobody "
                     "took",
                     name_of(ring), (unsigned long long)sum,
                     tag_of(ring, kind));
        }
    }
}

uint64_t ring_retire(struct ring *ring, struct task *task)
{
    ring->closer = task;
    (void)ambit_ring_close((ambit_ring *)(void *)ring);
    wait_for_round(task, &ring->to_seal);
    for (unsigned i = 0; i < ring->workers; i++) {
        ring->sources[i].rest.deliver = rests;
        worker_post(ring->runtime->workers[i], &ring->sources[i].rest);
    }
    wait_for_round(task, &ring->to_rest);
    RULE(RING_END_1);
    uint64_t messages = count_left(ring);
    if (messages > 0) {
        log_line(ring->runtime, AMBIT_LOG_WARNING,
                 "ring \"%s\" has ended with %llu messages that nobody "
                 "received",
                 name_of(ring), (unsigned long long)messages);
    }
    tell_sums_left(ring);
    return messages;
}

/* --- figures --------------------------------------------------------------- */

unsigned ambit_ring_workers(ambit_ring *ring)
{
    return ring_of(ring)->workers;
}

uint16_t ambit_ring_here(ambit_ring *ring)
{
    return ring_here(ring_of(ring))->from;
}

static uint64_t read_count(_Atomic uint64_t *count)
{
    /* ORDER(stats): relaxed.  A snapshot; pairs with count_own(). */
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void add_door(struct ring_door *door, bool counted,
                     struct ambit_ring_stats *stats)
{
    /* First: never more than has been received, as that is not more than is in. */
    *(counted ? &stats->taken : &stats->received) -= ring_came(door);
    for (unsigned i = 0; i <= door->ring->workers; i++) {
        struct ring_stream *stream = &door->streams[i];
        uint64_t out = ring_head(stream);
        *(counted ? &stats->taken : &stats->received) += out;
        *(counted ? &stats->added : &stats->accepted) +=
            RING_PLACE(ring_tail(stream));
    }
    stats->doorbells += read_count(&door->rung);
}

void ambit_ring_stats(ambit_ring *public, struct ambit_ring_stats *ret_stats)
{
    struct ring *ring = ring_of(public);
    struct ambit_ring_stats stats = {0};
    for (unsigned i = 0; i < ring->workers * ring->kinds; i++) {
        add_door(&ring->doors[i], i % ring->kinds >= RING_COUNTED, &stats);
    }
    for (unsigned i = 0; i <= ring->workers; i++) {
        stats.refused += read_count(&ring->sources[i].refused);
    }
    *ret_stats = stats;
}
