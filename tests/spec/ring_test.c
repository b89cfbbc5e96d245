/* SPDX-License-Identifier: MIT */
/*
 * ring_test.c -- messages from worker to worker (spec/ring.md): what arrives,
 * in which order, and how much of it there may be.
 */
#include "tests/spec/ring.h"

static uint64_t mixed(uint64_t x)
{
    return (x + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

/* --- RING-BITS-1 ----------------------------------------------------------- */

#define TAGS 65536

struct move {
    int16_t x, y;
    float speed;
};

AMBIT_RING_MESSAGE(move, struct move, 7);

static void *push_all_tags(void *arg)
{
    struct crew *crew = arg;
    WANT_EQ(ambit_ring_here(crew->ring), AMBIT_EXTERNAL);
    int rc = 0;
    for (uint32_t tag = 0; tag < TAGS && rc == 0; tag++) {
        rc = push(crew->ring, (unsigned)crew->n, (uint16_t)tag, mixed(tag));
    }
    WANT_EQ(rc, 0);
    return NULL;
}

static int push_on_the_pool(ambit_cx *cx, void *arg)
{
    struct crew *crew = *(struct crew **)arg;
    WANT_EQ(ambit_ring_send(cx, crew->ring, 0, 1, 1), -EPERM);
    return push_all_tags(crew) == NULL ? 0 : -EIO;
}

/* Worker 0 takes the tags of each source, in their order. */
static int all_tags(ambit_cx *cx, struct crew *crew, unsigned here)
{
    unsigned workers = ambit_ring_workers(crew->ring);
    uint32_t next[4] = {0};
    struct ambit_ring_message message;
    pthread_t thread;
    if (here != 0) {
        for (uint32_t tag = 0; tag < TAGS; tag++) {
            WANT_EQ(ambit_ring_send(cx, crew->ring, 0, (uint16_t)tag,
                                    mixed(tag)), 0);
        }
        return 0;
    }
    WANT_EQ(pthread_create(&thread, NULL, push_all_tags, crew), 0);
    for (uint32_t i = 0; i < workers * TAGS; i++) {
        WANT_EQ(ambit_ring_next(cx, crew->ring, &message), 0);
        bool external = message.from == AMBIT_EXTERNAL;
        WANT(external || (message.from > 0 && message.from < workers));
        uint32_t *of = &next[external ? 0 : message.from];
        WANT_EQ(message.tag, *of);
        WANT(message.value == mixed(message.tag));
        *of += 1;
    }
    WANT_EQ(ambit_ring_try_next(crew->ring, &message), -EAGAIN);
    return pthread_join(thread, NULL);
}

static int every_tag(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 0}, *here = &crew;
    int rc = 0;
    (void)arg;
    crew_run(cx, &crew, all_tags, .capacity = 1000);
    ambit_scope (cx, s, &rc) {
        struct ambit_ring_message message;
        WANT_EQ(ambit_ring_open(s, &crew.ring, .capacity = 100), 0);
        crew.n = ambit_ring_here(crew.ring);
        WANT_EQ(ambit_spawn_with(s, push_on_the_pool, &here,
                                 .tier = AMBIT_BLOCKING), 0);
        for (uint32_t tag = 0; tag < TAGS; tag++) {
            WANT_EQ(ambit_ring_next(cx, crew.ring, &message), 0);
            WANT_EQ(message.from, AMBIT_EXTERNAL);
            WANT_EQ(message.tag, tag);
        }
    }
    return rc;
}

static int typed_ones(ambit_cx *cx, void *arg)
{
    struct ambit_ring_message message;
    struct move got;
    ambit_ring *ring;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &ring, .capacity = 4), 0);
        unsigned me = ambit_ring_here(ring);
        WANT_EQ(move_send(cx, ring, me, (struct move){-1, 2, 0.5f}), 0);
        WANT_EQ(move_try_send(ring, me, (struct move){-3, 4, 1.5f}), 0);
        WANT_EQ(move_try_send_direct(ring, me, (struct move){-5, 6, 2.5f}), 0);
        WANT_EQ(ambit_ring_try_send(ring, me, 8, 0), 0);
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_ring_next(cx, ring, &message), 0);
            WANT_EQ(message.from, me);
            WANT(move_read(&message, &got));
            WANT(got.x == -1 - 2 * i && got.y == 2 + 2 * i);
            WANT(got.speed == 0.5f + (float)i);
        }
        WANT_EQ(ambit_ring_next(cx, ring, &message), 0);
        WANT(!move_read(&message, &got));
    }
    return rc;
}

/* Goal: nothing is done to a message on its way.
 * Method: each of the 65,536 tags with a value of 64 bits, from another worker,
 * a thread and the pool; three typed messages. */
Spec(RING_BITS_1, a_message_arrives_as_it_was_sent)
{
    spec_on(1, every_tag);
    spec_on(2, every_tag);
    spec_on_1_and_2_workers(typed_ones);
    spec_end("RING_BITS_1");
}

/* --- RING-ACCEPT-1 --------------------------------------------------------- */

#define SOURCES 4

static void *push_its_share(void *arg)
{
    struct crew *crew = arg;
    int rc = 0;
    for (int i = 0; i < crew->n && rc == 0; i++) {
        rc = push(crew->ring, 0, 3, (uint64_t)i);
    }
    WANT_EQ(rc, 0);
    return NULL;
}

/* All to worker 0, by all calls; it ticks off what it gets. */
static int tick_off(ambit_cx *cx, struct crew *crew, unsigned here)
{
    unsigned workers = ambit_ring_workers(crew->ring);
    struct ambit_ring_message message;
    pthread_t thread;
    if (here != 0) {
        for (int i = 0; i < crew->n; i++) {
            unsigned way = (unsigned)i + here;
            WANT_EQ(send_by(cx, crew->ring, way, 0, 3, (uint64_t)i), 0);
        }
        return 0;
    }
    int rc = 0;
    char *seen = calloc((size_t)crew->n, SOURCES);
    WANT_EQ(pthread_create(&thread, NULL, push_its_share, crew), 0);
    for (int64_t i = 0; i < (int64_t)crew->n * workers && rc == 0; i++) {
        rc = ambit_ring_next(cx, crew->ring, &message);
        WANT_EQ(rc, 0);
        if (rc < 0) {
            break;
        }
        unsigned from = message.from == AMBIT_EXTERNAL ? 0 : message.from;
        WANT(from < SOURCES && message.value < (uint64_t)crew->n);
        WANT_EQ(seen[from * (unsigned)crew->n + message.value]++, 0);
    }
    WANT_EQ(ambit_ring_try_next(crew->ring, &message), -EAGAIN);
    WANT_EQ(ambit_ring_close(crew->ring), 0); /* nobody waits for room now */
    free(seen);
    return pthread_join(thread, NULL);
}

static int ticked_off(ambit_cx *cx, void *arg)
{
    const uint32_t capacities[] = {1, 3, 256};
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct ambit_ring_stats stats;
        struct crew crew = {.n = (i < 2 ? 1000 : 10000) / SPEC_SLOWER};
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            WANT_EQ(ambit_ring_open(s, &crew.ring, .capacity = capacities[i]),
                    0);
            unsigned workers = ambit_ring_workers(crew.ring);
            crew.work = tick_off;
            ambit_scope (cx, members, &rc,
                         .deadline = ambit_after(ambit_s(CREW_PATIENCE_S))) {
                crew_spawn(members, &crew);
            }
            ambit_ring_stats(crew.ring, &stats);
            WANT_EQ(stats.accepted, (uint64_t)crew.n * workers);
            WANT_EQ(stats.received, stats.accepted);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: nothing lost, nothing twice.
 * Method: three workers and a thread send to one inbox, by all calls, with a
 * capacity of 1, 3 and 256; each message is ticked off. */
Spec(RING_ACCEPT_1, what_is_accepted_arrives_once)
{
    spec_on(1, ticked_off);
    spec_on(2, ticked_off);
    spec_on(SOURCES, ticked_off);
    spec_end("RING_ACCEPT_1");
}

/* --- RING-FULL-1 ----------------------------------------------------------- */

struct fill {
    ambit_ring *ring;
    unsigned to;
    uint32_t capacity;
};

static void *fill_it(void *arg)
{
    struct fill *f = arg;
    uint32_t in = 0;
    while (in <= f->capacity &&
           ambit_ring_try_send(f->ring, f->to, 9, in) == 0) {
        in++;
    }
    WANT_EQ(in, f->capacity);
    WANT_EQ(ambit_ring_try_send_direct(f->ring, f->to, 9, in), -EAGAIN);
    return NULL;
}

static void fill_from_here_and_elsewhere(ambit_cx *cx, uint32_t capacity)
{
    struct ambit_ring_message batch[300] = {{0}}, message;
    struct ambit_ring_stats stats;
    struct fill f = {.capacity = capacity};
    pthread_t thread;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &f.ring, .capacity = capacity), 0);
        f.to = ambit_ring_here(f.ring);
        WANT_EQ(ambit_ring_try_send_many(f.ring, f.to, batch, 0), 0);
        for (uint32_t i = 0; i < 300; i++) {
            batch[i].value = i;
        }
        uint32_t most = capacity - 1;
        WANT_EQ(ambit_ring_try_send_many(f.ring, f.to, batch, most), most);
        WANT_EQ(ambit_ring_try_send_many(f.ring, f.to, batch + most, 3), 1);
        WANT_EQ(ambit_ring_try_send_many(f.ring, f.to, batch, 1), -EAGAIN);
        WANT_EQ(ambit_ring_try_send(f.ring, f.to, 0, 0), -EAGAIN);
        WANT_EQ(ambit_ring_try_send_direct(f.ring, f.to, 0, 0), -EAGAIN);
        ambit_ring_stats(f.ring, &stats);
        WANT_EQ(stats.refused, 4);
        WANT_EQ(stats.accepted, capacity);
        /* Another source has room of its own. */
        WANT_EQ(pthread_create(&thread, NULL, fill_it, &f), 0);
        WANT_EQ(pthread_join(thread, NULL), 0);
        ambit_ring_stats(f.ring, &stats);
        WANT_EQ(stats.refused, 6);
        uint32_t got[2] = {0};
        while (ambit_ring_try_next(f.ring, &message) == 0) {
            WANT_EQ(message.value, got[message.tag == 9]++);
            if (message.tag != 9 && got[0] == 1) { /* one out, one in */
                WANT_EQ(ambit_ring_try_send(f.ring, f.to, 0, capacity), 0);
                WANT_EQ(ambit_ring_try_send(f.ring, f.to, 0, 0), -EAGAIN);
            }
        }
        WANT_EQ(got[0], capacity + 1);
        WANT_EQ(got[1], capacity);
    }
    WANT_EQ(rc, 0);
}

/* The target does not look: the others fill its inbox, seen or not. */
static int fill_the_others(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message;
    int in = 0;
    if (here != 0) {
        while (in <= crew->n &&
               ambit_ring_try_send(crew->ring, 0, 5, (uint64_t)in) == 0) {
            in++;
        }
        WANT_EQ(in, crew->n);
        count_up(&crew->steps);
        WANT(spin_until(&crew->done, 1)); /* not one turn in between */
        in = 0;
        while (in <= crew->n &&
               ambit_ring_try_send(crew->ring, 0, 5, (uint64_t)in) == 0) {
            in++;
        }
        WANT_EQ(in, crew->n);
        count_up(&crew->steps);
        return 0;
    }
    WANT(spin_until(&crew->steps, 1));
    for (int i = 0; i < crew->n; i++) {
        WANT_EQ(ambit_ring_try_next(crew->ring, &message), 0);
        WANT_EQ(message.value, i);
    }
    WANT_EQ(ambit_ring_try_next(crew->ring, &message), -EAGAIN);
    count_up(&crew->done);
    WANT(spin_until(&crew->steps, 2));
    for (int i = 0; i < crew->n; i++) {
        WANT_EQ(ambit_ring_next(cx, crew->ring, &message), 0);
    }
    return 0;
}

static int filled(ambit_cx *cx, void *arg)
{
    (void)arg;
    fill_from_here_and_elsewhere(cx, 1);
    fill_from_here_and_elsewhere(cx, 2);
    fill_from_here_and_elsewhere(cx, 5);
    fill_from_here_and_elsewhere(cx, 256);
    return 0;
}

static int filled_across(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int capacity = 1; capacity < 200; capacity += 33) {
        struct crew crew = {.n = capacity};
        crew_run(cx, &crew, fill_the_others, .capacity = (uint32_t)capacity);
    }
    return 0;
}

/* Goal: the limit is the limit, and who meets it hears of it.
 * Method: one below, at and one above, by each call, from a worker to itself, a
 * thread, and another worker. */
Spec(RING_FULL_1, a_full_queue_tells_the_sender)
{
    spec_on_1_and_2_workers(filled);
    spec_on(2, filled_across);
    spec_end("RING_FULL_1");
}

/* --- RING-ROOM-1 ----------------------------------------------------------- */

struct wish {
    struct crew *crew;
    uint64_t value;
    unsigned to;
};

static int send_one(ambit_cx *cx, void *arg)
{
    struct wish *w = arg;
    count_up(&w->crew->steps);
    int rc = ambit_ring_send(cx, w->crew->ring, w->to, 1, w->value);
    count_up(&w->crew->done);
    return rc;
}

static void spawn_senders(ambit_cx *cx, ambit_region *region, struct crew *crew,
                          unsigned to, int n)
{
    for (int i = 0; i < n; i++) {
        struct wish wish = {crew, (uint64_t)i + 1, to};
        WANT_EQ(ambit_spawn_with(region, send_one, &wish, .tier = AMBIT_FIBER),
                0);
        WANT(until(cx, &crew->steps, i + 1));
    }
}

static int room_here(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 0};
    struct ambit_ring_message message;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc,
                 .deadline = ambit_after(ambit_s(CREW_PATIENCE_S))) {
        WANT_EQ(ambit_ring_open(s, &crew.ring, .capacity = 1), 0);
        unsigned me = ambit_ring_here(crew.ring);
        WANT_EQ(ambit_ring_send(cx, crew.ring, me, 1, 0), 0);
        spawn_senders(cx, s, &crew, me, 3);
        for (uint64_t i = 0; i < 4; i++) {
            WANT_EQ(count_get(&crew.done), i > 0 ? i : 0);
            WANT_EQ(ambit_ring_next(cx, crew.ring, &message), 0);
            WANT_EQ(message.value, i);
            if (i < 3) { /* there is room, and it is not ours */
                WANT_EQ(ambit_ring_try_send(crew.ring, me, 1, 9), -EAGAIN);
                WANT(until(cx, &crew.done, (int64_t)i + 1));
            }
        }
    }
    return rc;
}

static int room_there(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message;
    int rc = 0;
    if (here != 0) {
        WANT_EQ(ambit_ring_send(cx, crew->ring, 0, 1, 0), 0);
        ambit_scope (cx, s, &rc) {
            spawn_senders(cx, s, crew, 0, crew->n);
        }
        return rc;
    }
    WANT(spin_until(&crew->steps, crew->n)); /* they wait, or are about to */
    for (int i = 0; i <= crew->n; i++) {
        WANT_EQ(ambit_ring_next(cx, crew->ring, &message), 0);
        WANT_EQ(message.value, i);
    }
    return 0;
}

static int room_elsewhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (uint32_t capacity = 1; capacity < 40; capacity += 3) {
        struct crew crew = {.n = 50};
        crew_run(cx, &crew, room_there, .capacity = capacity);
    }
    return 0;
}

/* Goal: room goes to the first who waits for it.
 * Method: tasks of one worker wait to send, to its own inbox and to another
 * one's; somebody tries to overtake. */
Spec(RING_ROOM_1, who_waits_for_room_is_served_in_order)
{
    spec_on_1_and_2_workers(room_here);
    spec_on(2, room_elsewhere);
    spec_end("RING_ROOM_1");
}
