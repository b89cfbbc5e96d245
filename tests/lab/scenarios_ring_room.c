/* SPDX-License-Identifier: MIT */
/*
 * scenarios_ring_room.c -- how much there may be in a ring, whose turn it is, and
 * when a bell is rung.
 *
 * Each source fills its streams while nobody receives: so what finds room, what
 * is refused and what is told is known to the last one.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum {
    OUTSIDE = 2,
    SOURCES = 3,
    PLAIN_TAG = 1,
    HOT_TAG = 2,
    COUNTED_TAG = 3,
    CAPACITY_MOST = 6,
    BATCH = 4,
    TURN = 16,         /* of one source while others have some */
};

static const uint16_t hot_tags[] = {HOT_TAG};
static const uint16_t counted_tags[] = {COUNTED_TAG};

struct room {
    ambit_ring *ring;
    unsigned to;
    uint32_t capacity;
    uint64_t given[SOURCES][2]; /* next number, by source and door */
    uint64_t got[SOURCES][2];
    struct tally refused, ran[SOURCES];
    struct tally doorbells;     /* before */
};

struct filler {
    struct room *room;
    unsigned source;
};

static unsigned source_of(const struct ambit_ring_message *m)
{
    return m->from == AMBIT_EXTERNAL ? OUTSIDE : m->from;
}

/* fn on each source; those that can be started. */
static void on_all_sources(ambit_region *s, ambit_task_fn *fn,
                           struct room *room)
{
    for (unsigned i = 0; i < SOURCES; i++) {
        struct filler filler = {room, i};
        int rc = i == OUTSIDE
                     ? ambit_spawn_with(s, fn, &filler, .tier = AMBIT_BLOCKING)
                     : ambit_spawn_with(s, fn, &filler,
                                        .placement = AMBIT_PINNED, .worker = i);
        want(rc == 0);
    }
}

/* --- exactly so many ------------------------------------------------------- */

/* The numbers that come next; how many were accepted, or why none was. */
static int offer(struct filler *f, uint16_t tag, unsigned count)
{
    struct room *room = f->room;
    struct ambit_ring_message batch[BATCH];
    uint64_t *given = &room->given[f->source][tag == HOT_TAG];
    for (unsigned i = 0; i < count; i++) {
        batch[i] = (struct ambit_ring_message){.value = *given + i, .tag = tag};
    }
    int rc = count != 1 || ambit_choose(2) == 0
                 ? ambit_ring_try_send_many(room->ring, room->to, batch, count)
             : ambit_choose(2) == 0
                 ? ambit_ring_try_send(room->ring, room->to, tag, *given)
                 : ambit_ring_try_send_direct(room->ring, room->to, tag, *given);
    int accepted = count == 1 && rc == 0 ? 1 : rc;
    *given += accepted > 0 ? (uint64_t)accepted : 0;
    tally_add(&room->refused, accepted < (int)count);
    return accepted;
}

/* There is room for so many, and not for one more. */
static void fill(struct filler *f, uint16_t tag, uint32_t free)
{
    while (free > 0) {
        unsigned count = 1 + ambit_choose(BATCH);
        int rc = offer(f, tag, count);
        always(rc == (int)(count < free ? count : free));
        free -= (uint32_t)rc;
    }
    for (unsigned count = 1; count <= 2; count++) {
        always(offer(f, tag, count) == -EAGAIN);
    }
}

static int fills(ambit_cx *cx, void *arg)
{
    struct filler *f = arg;
    struct room *room = f->room;
    (void)cx;
    fill(f, PLAIN_TAG, room->capacity);
    fill(f, HOT_TAG, room->capacity);
    always(ambit_ring_try_send(room->ring, room->to, COUNTED_TAG, 7) == 0);
    always(ambit_ring_try_send(room->ring, 2, PLAIN_TAG, 0) == -EINVAL);
    ambit_ring_flush(room->ring);
    tally_up(&room->ran[f->source]);
    return 0;
}

/* So many, if there are; in order. */
static uint32_t take(struct room *room, bool hot, uint32_t most)
{
    struct ambit_ring_message m;
    uint32_t n = 0;
    while (n < most && (hot ? ambit_ring_try_next_hot(room->ring, &m)
                            : ambit_ring_try_next(room->ring, &m)) == 0) {
        unsigned from = source_of(&m);
        always(from < SOURCES && m.tag == (hot ? HOT_TAG : PLAIN_TAG));
        always(m.value == room->got[from][hot]);
        room->got[from][hot]++;
        n++;
    }
    return n;
}

static void all_is_taken(struct room *room)
{
    uint64_t sum = 0;
    (void)take(room, false, UINT32_MAX);
    (void)take(room, true, UINT32_MAX);
    int rc = ambit_ring_try_next_count(room->ring, COUNTED_TAG, &sum);
    int64_t ran = 0;
    for (unsigned i = 0; i < SOURCES; i++) {
        ran += tally_get(&room->ran[i]);
        for (int hot = 0; hot < 2; hot++) {
            always(room->got[i][hot] == room->given[i][hot]);
        }
    }
    always(rc == (ran > 0 ? 0 : -EAGAIN) && (int64_t)sum == 7 * ran);
}

/* What is taken is room again, for as many. */
static void as_many_again(struct room *room)
{
    struct filler own = {room, room->to};
    uint32_t some = 1 + ambit_choose(room->capacity);
    fill(&own, PLAIN_TAG, room->capacity);
    always(take(room, false, some) == some);
    fill(&own, PLAIN_TAG, some);
    always(take(room, false, UINT32_MAX) == room->capacity);
}

static void nobody_was_told(struct room *room)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats(room->ring, &stats);
    always((int64_t)stats.refused == tally_get(&room->refused));
    always(stats.doorbells == 0); /* nobody waited */
    always(stats.accepted == stats.received && stats.added == stats.taken);
}

static int open_room(ambit_region *region, struct room *room)
{
    int rc = ambit_ring_open(region, &room->ring, .capacity = room->capacity,
                             .hot = hot_tags, .hot_len = 1,
                             .counted = counted_tags, .counted_len = 1);
    want(rc == 0);
    room->to = rc == 0 ? ambit_ring_here(room->ring) : 0;
    return rc;
}

static int ring_exact_room(ambit_cx *cx, void *arg)
{
    struct room room = {.capacity = 1 + ambit_choose(CAPACITY_MOST)};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = open_room(outer, &room);
        if (rc < 0) {
            break;
        }
        ambit_scope (cx, s, &rc) {
            on_all_sources(s, fills, &room);
        }
        all_is_taken(&room);
        as_many_again(&room);
        nobody_was_told(&room);
    }
    want(rc == 0);
    return rc;
}

/* --- turns ----------------------------------------------------------------- */

static int fills_some(ambit_cx *cx, void *arg)
{
    struct filler *f = arg;
    struct room *room = f->room;
    uint64_t *given = &room->given[f->source][0];
    (void)cx;
    for (unsigned n = ambit_choose(room->capacity + 1); n > 0; n--) {
        always(ambit_ring_try_send(room->ring, room->to, PLAIN_TAG, *given) ==
               0);
        *given += 1;
    }
    ambit_ring_flush(room->ring);
    return 0;
}

/* Of each source at most TURN before each other that has some has its turn. */
static void in_turns(struct room *room)
{
    struct ambit_ring_message m;
    unsigned before[SOURCES][SOURCES] = {{0}}; /* of i since the last of k */
    while (ambit_ring_try_next(room->ring, &m) == 0) {
        unsigned from = source_of(&m);
        always(from < SOURCES && m.value == room->got[from][0]);
        room->got[from][0]++;
        for (unsigned k = 0; k < SOURCES; k++) {
            bool waits = k != from && room->got[k][0] < room->given[k][0];
            before[from][k] += waits;
            before[k][from] = 0;
            always(before[from][k] <= TURN);
        }
    }
    for (unsigned k = 0; k < SOURCES; k++) {
        always(room->got[k][0] == room->given[k][0]);
    }
}

static int ring_turns(ambit_cx *cx, void *arg)
{
    struct room room = {.capacity = TURN + 1 + ambit_choose(2 * TURN)};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = open_room(outer, &room);
        if (rc < 0) {
            break;
        }
        ambit_scope (cx, s, &rc) {
            on_all_sources(s, fills_some, &room);
        }
        in_turns(&room);
    }
    want(rc == 0);
    return rc;
}

/* --- bells ----------------------------------------------------------------- */

static int64_t doorbells(struct room *room)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats(room->ring, &stats);
    return (int64_t)stats.doorbells;
}

static int waits_for_one(ambit_cx *cx, void *arg)
{
    struct room *room = *(struct room **)arg;
    struct ambit_ring_message m;
    int rc = ambit_ring_next(cx, room->ring, &m);
    if (rc == 0) {
        always(m.value == room->got[source_of(&m)][0]);
        room->got[source_of(&m)][0]++;
    }
    return rc;
}

static int sends_up_to_capacity(ambit_cx *cx, void *arg)
{
    struct room *room = *(struct room **)arg;
    uint64_t *given = &room->given[1 - room->to][0];
    (void)cx;
    for (unsigned n = 1 + ambit_choose(room->capacity); n > 0; n--) {
        always(ambit_ring_try_send_direct(room->ring, room->to, PLAIN_TAG,
                                          *given) == 0);
        *given += 1;
    }
    return 0;
}

static bool spawn_on(ambit_region *s, ambit_task_fn *fn, struct room *room,
                     unsigned worker)
{
    int rc = ambit_spawn_with(s, fn, &room, .placement = AMBIT_PINNED,
                              .worker = worker);
    want(rc == 0);
    return rc == 0;
}

/* Messages for a receiver who was called off, and for one who waits: told to
 * whom they concern, once, however many they are. */
static void with_and_without_waiter(ambit_cx *cx, struct room *room,
                                    bool waits)
{
    int rc = 0;
    int64_t before = doorbells(room);
    bool there = false;
    ambit_scope (cx, s, &rc) {
        int off_rc = 0;
        there = waits && spawn_on(s, waits_for_one, room, room->to);
        ambit_scope (cx, off, &off_rc) {
            (void)spawn_on(off, waits_for_one, room, room->to);
            for (unsigned n = ambit_choose(3); n > 0; n--) {
                (void)ambit_yield(cx);
            }
            ambit_cancel(off, "called off");
        }
        always(doorbells(room) == before);
        bool sent = spawn_on(s, sends_up_to_capacity, room, 1 - room->to);
        if (there && !sent) {
            ambit_cancel(s, "it would wait for ever");
        }
    }
    want(rc == 0);
    always(doorbells(room) <= before + there);
}

static int ring_bells(ambit_cx *cx, void *arg)
{
    struct room room = {.capacity = 1 + ambit_choose(3)};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = open_room(outer, &room);
        if (rc < 0) {
            break;
        }
        for (int i = 0; i < 2; i++) {
            with_and_without_waiter(cx, &room, ambit_choose(2) != 0);
            (void)take(&room, false, UINT32_MAX);
            for (unsigned k = 0; k < SOURCES; k++) {
                always(room.got[k][0] == room.given[k][0]);
            }
        }
    }
    want(rc == 0);
    return rc;
}

/* --- limits ---------------------------------------------------------------- */

/* As much as can be told at once, from each source, and nothing above it. */
static int adds_the_most(ambit_cx *cx, void *arg)
{
    struct filler *f = arg;
    struct room *room = f->room;
    ambit_ring *ring = room->ring;
    uint64_t last = ambit_choose(3);
    (void)cx;
    fill(f, PLAIN_TAG, room->capacity);
    always(ambit_ring_try_send(ring, room->to, COUNTED_TAG,
                               AMBIT_RING_SUM_MAX + 1) == -E2BIG);
    always(ambit_ring_try_send(ring, room->to, COUNTED_TAG,
                               AMBIT_RING_SUM_MAX - last) == 0);
    always(ambit_ring_try_send(ring, room->to, COUNTED_TAG, last + 1) ==
           -EAGAIN);
    always(ambit_ring_try_send_direct(ring, room->to, COUNTED_TAG, last) == 0);
    tally_up(&room->ran[f->source]);
    return 0;
}

static int ring_sum_most(ambit_cx *cx, void *arg)
{
    struct room room = {.capacity = 1 + ambit_choose(3)};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        uint64_t sum = 0, ran = 0, got = 0;
        rc = open_room(outer, &room);
        if (rc < 0) {
            break;
        }
        ambit_scope (cx, s, &rc) {
            on_all_sources(s, adds_the_most, &room);
        }
        for (unsigned i = 0; i < SOURCES; i++) {
            ran += (uint64_t)tally_get(&room.ran[i]);
        }
        while (ambit_ring_try_next_count(room.ring, COUNTED_TAG, &sum) == 0) {
            got += sum;
        }
        always(got == ran * AMBIT_RING_SUM_MAX);
        always(ambit_ring_try_send(room.ring, room.to, COUNTED_TAG, 1) == 0);
        (void)take(&room, false, UINT32_MAX);
    }
    want(rc == 0);
    return rc;
}

/* Is refused, unless something else came first. */
#define is_refused(region, ring, ...) \
    do { \
        int rc_ = ambit_ring_open((region), (ring), __VA_ARGS__); \
        want(rc_ == -EINVAL); \
        always(rc_ < 0); \
    } while (0)

static int ring_limits(ambit_cx *cx, void *arg)
{
    uint16_t tag = (uint16_t)(ambit_choose(2) != 0 ? 0xFFFF : ambit_choose(9));
    const uint16_t twice[] = {tag, (uint16_t)(tag ^ 1), tag};
    uint16_t many[AMBIT_RING_COUNTED_MAX + 1];
    struct room room = {.capacity = 1 + ambit_choose(3)};
    struct ambit_ring_message m;
    uint64_t sum;
    int rc = 0;
    (void)arg;
    for (unsigned i = 0; i <= AMBIT_RING_COUNTED_MAX; i++) {
        many[i] = (uint16_t)(i * 1000);
    }
    ambit_scope (cx, s, &rc) {
        is_refused(s, &room.ring,
                   .capacity = AMBIT_RING_CAPACITY_MAX + 1 + ambit_choose(2));
        is_refused(s, &room.ring, .capacity = room.capacity, .hot = twice,
                   .hot_len = 3);
        is_refused(s, &room.ring, .capacity = room.capacity, .hot = twice,
                   .hot_len = 2, .counted = &twice[2], .counted_len = 1);
        is_refused(s, &room.ring, .capacity = room.capacity, .counted = many,
                   .counted_len = AMBIT_RING_COUNTED_MAX + 1);
        rc = ambit_ring_open(s, &room.ring, .capacity = room.capacity);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        always(ambit_ring_try_next_hot(room.ring, &m) == -EINVAL);
        always(ambit_ring_try_next_count(room.ring, tag, &sum) == -EINVAL);
        always(ambit_ring_try_send(room.ring, 2, tag, 1) == -EINVAL);
        always(ambit_ring_try_send_direct(room.ring, 65535, tag, 1) == -EINVAL);
    }
    want(rc == 0);
    return rc;
}

SCENARIOS(ring_room,
    {"ring_exact_room", ring_exact_room, 2, MANY, "RING-FULL-1"},
    {"ring_turns", ring_turns, 2, MANY, "RING-TURN-1"},
    {"ring_bells", ring_bells, 2, CORE | MANY, "RING-BELL-1"},
    {"ring_sum_most", ring_sum_most, 2, 0},
    {"ring_limits", ring_limits, 1, 0, "RING-LIMIT-1"});
