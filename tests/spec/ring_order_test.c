/* SPDX-License-Identifier: MIT */
/*
 * ring_order_test.c -- messages from worker to worker (spec/ring.md): in which
 * order, by which door, and what is added up.
 */
#include "tests/spec/ring.h"

/* --- RING-ORDER-1 ---------------------------------------------------------- */

/* The order of the calls is drawn anew by each source. */
static int number_all(ambit_cx *cx, struct crew *crew, unsigned here)
{
    unsigned workers = ambit_ring_workers(crew->ring);
    struct ambit_ring_message message;
    uint64_t next[4] = {0};
    if (here != 0) {
        for (int i = 0; i < crew->n; i++) {
            uint64_t way = 0;
            WANT_EQ(ambit_random(cx, &way), 0);
            WANT_EQ(send_by(cx, crew->ring, (unsigned)(way >> 33), 0, 1,
                            (uint64_t)i), 0);
        }
        return 0;
    }
    for (int i = 0; i < crew->n * ((int)workers - 1); i++) {
        WANT_EQ(ambit_ring_next(cx, crew->ring, &message), 0);
        WANT_EQ(message.value, next[message.from]++);
    }
    return 0;
}

/* The same to its own inbox, with a batch and a wait among them. */
static int number_own(ambit_cx *cx, void *arg)
{
    const uint32_t capacity = 7;
    struct ambit_ring_message message;
    uint64_t in = 0, out = 0;
    ambit_ring *ring;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &ring, .capacity = capacity), 0);
        unsigned me = ambit_ring_here(ring);
        for (int i = 0; i < 3000; i++) {
            if (in - out < capacity) {
                WANT_EQ(send_by(cx, ring, (unsigned)i / 3, me, 1, in++), 0);
            }
            if (i % 5 != 0 && in > out) {
                WANT_EQ(ambit_ring_try_next(ring, &message), 0);
                WANT_EQ(message.value, out++);
            }
        }
    }
    return rc;
}

static int in_order(ambit_cx *cx, void *arg)
{
    const uint32_t capacities[] = {1, 2, 64, 100};
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct crew crew = {.n = (i < 2 ? 1000 : 10000) / SPEC_SLOWER};
        crew_run(cx, &crew, number_all, .capacity = capacities[i]);
    }
    return 0;
}

/* Goal: no call overtakes another.
 * Method: one to three sources number their messages and send them by calls
 * drawn at random, through queues of 1, 2, 64 and 100. */
Spec(RING_ORDER_1, messages_arrive_in_the_order_of_the_calls)
{
    spec_on_1_and_2_workers(number_own);
    spec_on(2, in_order);
    spec_on(4, in_order);
    spec_end("RING_ORDER_1");
}

/* --- RING-TURN-1 ----------------------------------------------------------- */

static void *push_100(void *arg)
{
    ambit_ring *ring = arg;
    for (uint64_t i = 0; i < 100; i++) {
        WANT_EQ(ambit_ring_try_send(ring, 0, 2, i), 0);
    }
    return NULL;
}

static int in_turn(ambit_cx *cx, void *arg)
{
    struct ambit_ring_message message;
    ambit_ring *ring;
    pthread_t thread;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &ring, .capacity = 100), 0);
        for (uint64_t i = 0; i < 100; i++) {
            WANT_EQ(ambit_ring_try_send(ring, 0, 1, i), 0);
        }
        WANT_EQ(pthread_create(&thread, NULL, push_100, ring), 0);
        WANT_EQ(pthread_join(thread, NULL), 0);
        int got[3] = {0}, run = 0;
        uint16_t last = 0;
        for (int i = 0; i < 200; i++) {
            WANT_EQ(ambit_ring_try_next(ring, &message), 0);
            run = message.tag == last ? run + 1 : 1;
            last = message.tag;
            got[last]++;
            WANT(run <= 16 || got[3 - last] == 100);
        }
        WANT_EQ(got[1], 100);
        WANT_EQ(got[2], 100);
    }
    return rc;
}

/* Goal: a busy source lets the others have their turn.
 * Method: two sources with 100 messages each; how long one has it to itself. */
Spec(RING_TURN_1, each_source_has_its_turn)
{
    spec_on(1, in_turn);
    spec_end("RING_TURN_1");
}

/* --- RING-HOT-1 ------------------------------------------------------------ */

static const uint16_t hot_tags[] = {0, 41, 0xFFFF};

static bool is_hot(uint16_t tag)
{
    return tag == 0 || tag == 41 || tag == 0xFFFF;
}

/* Of what worker 1 sends by all calls, hot and cold, worker 0 receives each by
 * its own door. */
static int hot_and_cold(ambit_cx *cx, struct crew *crew, unsigned here)
{
    const uint16_t tags[] = {0, 1, 40, 41, 42, 0xFFFE, 0xFFFF};
    struct ambit_ring_message message;
    uint64_t next[2] = {0};
    if (here != 0) {
        uint64_t sent[2] = {0};
        for (int i = 0; i < crew->n; i++) {
            uint16_t tag = tags[(unsigned)i * 5 / 3 % ARRAY_LEN(tags)];
            WANT_EQ(send_by(cx, crew->ring, (unsigned)i, 0, tag,
                            sent[is_hot(tag)]++), 0);
        }
        count_set(&crew->steps, (int64_t)sent[1]);
        return 0;
    }
    for (int i = 0; i < crew->n; i++) {
        bool hot = ambit_ring_try_next_hot(crew->ring, &message) == 0;
        if (!hot && ambit_ring_try_next(crew->ring, &message) != 0) {
            i--; /* nothing there */
            int rc = ambit_yield(cx);
            WANT_EQ(rc, 0);
            if (rc < 0) {
                return rc;
            }
            continue;
        }
        WANT_EQ(is_hot(message.tag), hot);
        WANT_EQ(message.value, next[hot]++);
    }
    WANT(until(cx, &crew->steps, (int64_t)next[1]));
    WANT_EQ(next[1], count_get(&crew->steps));
    return 0;
}

static int take_hot(ambit_cx *cx, void *arg)
{
    struct crew *crew = *(struct crew **)arg;
    struct ambit_ring_message message;
    WANT_EQ(ambit_ring_next_hot(cx, crew->ring, &message), 0);
    WANT_EQ(message.tag, 41);
    count_up(&crew->done);
    return 0;
}

/* Who waits for what is hot is not woken by what is not; and what is cold may
 * be full. */
static int hot_passes(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 0}, *here = &crew;
    struct ambit_ring_message message;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &crew.ring, .capacity = 1, .hot = hot_tags,
                                .hot_len = ARRAY_LEN(hot_tags)), 0);
        unsigned me = ambit_ring_here(crew.ring);
        WANT_EQ(ambit_spawn_with(s, take_hot, &here, .tier = AMBIT_FIBER), 0);
        let_others_run(cx);
        WANT_EQ(ambit_ring_try_send_direct(crew.ring, me, 42, 1), 0);
        WANT_EQ(ambit_ring_try_send_direct(crew.ring, me, 42, 2), -EAGAIN);
        let_others_run(cx);
        WANT_EQ(count_get(&crew.done), 0);
        WANT_EQ(ambit_ring_try_send_direct(crew.ring, me, 41, 3), 0);
        WANT(until(cx, &crew.done, 1));
        WANT_EQ(ambit_ring_next(cx, crew.ring, &message), 0);
        WANT_EQ(message.value, 1);
    }
    return rc;
}

static int hot_across(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 20000 / SPEC_SLOWER};
    (void)arg;
    crew_run(cx, &crew, hot_and_cold, .capacity = 10, .hot = hot_tags,
             .hot_len = ARRAY_LEN(hot_tags));
    return 0;
}

/* Goal: two doors, and nothing goes by the wrong one.
 * Method: seven tags, three of them hot, by all calls; one who waits for what
 * is hot while what is not is full. */
Spec(RING_HOT_1, hot_tags_have_their_own_door)
{
    spec_on(2, hot_across);
    spec_on_1_and_2_workers(hot_passes);
    spec_end("RING_HOT_1");
}

/* --- RING-SUM-1 ------------------------------------------------------------ */

static const uint16_t counted[] = {59, 60};

static void *add_its_share(void *arg)
{
    struct crew *crew = arg;
    int rc = 0;
    for (int i = 0; i < crew->n && rc == 0; i++) {
        rc = push(crew->ring, 0, 59, (uint64_t)(i % 3));
    }
    WANT_EQ(rc, 0);
    return NULL;
}

static uint64_t sum_of(int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        sum += (uint64_t)(i % 3);
    }
    return sum;
}

static int add_up(ambit_cx *cx, struct crew *crew, unsigned here)
{
    uint64_t wanted = sum_of(crew->n) * ambit_ring_workers(crew->ring);
    uint64_t sum = 0, more;
    pthread_t thread;
    if (here != 0) {
        for (int i = 0; i < crew->n; i++) {
            WANT_EQ(ambit_ring_try_send(crew->ring, 0, 59,
                                        (uint64_t)(i % 3)), 0);
            WANT_EQ(i % 1000 == 0 ? ambit_yield(cx) : 0, 0);
        }
        return 0;
    }
    WANT_EQ(pthread_create(&thread, NULL, add_its_share, crew), 0);
    int rc = 0;
    while (sum < wanted && rc == 0) {
        rc = ambit_ring_next_count(cx, crew->ring, 59, &more);
        WANT_EQ(rc, 0);
        WANT(more != 0);
        sum += more;
        more = 0;
        if (ambit_ring_try_next_count(crew->ring, 59, &more) == 0) {
            WANT(more != 0);
            sum += more;
        }
    }
    WANT_EQ(sum, wanted);
    WANT_EQ(ambit_ring_try_next_count(crew->ring, 59, &more), -EAGAIN);
    WANT_EQ(ambit_ring_try_next_count(crew->ring, 60, &more), -EAGAIN);
    return pthread_join(thread, NULL);
}

static int added_up(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 2500000 / SPEC_SLOWER / SPEC_SLOWER};
    (void)arg;
    crew_run(cx, &crew, add_up, .capacity = 1, .counted = counted,
             .counted_len = ARRAY_LEN(counted));
    return 0;
}

/* More than 64 bits hold, in the course of time. */
static int a_long_life(ambit_cx *cx, void *arg)
{
    ambit_ring *ring;
    uint64_t sum = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &ring, .counted = counted,
                                .counted_len = 1), 0);
        unsigned me = ambit_ring_here(ring);
        for (uint64_t i = 1; i < 600; i++) {
            uint64_t half = AMBIT_RING_SUM_MAX / 2 - i;
            WANT_EQ(ambit_ring_try_send(ring, me, 59, half), 0);
            WANT_EQ(ambit_ring_try_send(ring, me, 59, half + 1), 0);
            WANT_EQ(ambit_ring_try_next_count(ring, 59, &sum), 0);
            WANT(sum == 2 * half + 1);
        }
    }
    return rc;
}

/* Goal: a counter counts.
 * Method: three workers and a thread add 2,500,000 times each while one takes;
 * a counter whose total has gone over 64 bits. */
Spec(RING_SUM_1, what_is_added_is_taken)
{
    spec_on(2, added_up);
    spec_on(4, added_up);
    spec_on(1, a_long_life);
    spec_end("RING_SUM_1");
}

/* --- RING-SUM-2 ------------------------------------------------------------ */

struct taker {
    struct crew *crew;
    uint64_t *ret_sum;
};

static int take_sum(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    int rc = ambit_ring_next_count(cx, t->crew->ring, 59, t->ret_sum);
    count_up(&t->crew->done);
    return rc;
}

static int add_slowly(ambit_cx *cx, void *arg)
{
    struct crew *crew = *(struct crew **)arg;
    int rc = ambit_ring_send(cx, crew->ring, ambit_ring_here(crew->ring), 59, 2);
    count_up(&crew->done);
    return rc;
}

static int burst(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 0}, *here = &crew;
    uint64_t sum = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_ring_open(s, &crew.ring, .capacity = 1,
                                .counted = counted,
                                .counted_len = ARRAY_LEN(counted)), 0);
        ambit_ring *ring = crew.ring;
        unsigned me = ambit_ring_here(ring);
        struct ambit_ring_message many[] = {
            {.tag = 59, .value = 1}, {.tag = 59, .value = 2},
            {.tag = 59, .value = 3}, {.tag = 60, .value = 100}};
        WANT_EQ(ambit_ring_try_send(ring, me, 1, 1), 0); /* it is full */
        WANT_EQ(ambit_ring_try_send_many(ring, me, many, 4), 4);
        WANT_EQ(ambit_ring_try_next_count(ring, 59, &sum), 0);
        WANT_EQ(sum, 6);
        WANT_EQ(ambit_ring_try_next_count(ring, 60, &sum), 0);
        WANT_EQ(sum, 100);

        struct taker t = {&crew, &sum};
        sum = 0;
        WANT_EQ(ambit_spawn_with(s, take_sum, &t, .tier = AMBIT_FIBER), 0);
        let_others_run(cx);
        WANT_EQ(ambit_ring_try_send_direct(ring, me, 59, 0), 0);
        WANT_EQ(ambit_ring_try_send_direct(ring, me, 60, 5), 0);
        let_others_run(cx);
        WANT_EQ(count_get(&crew.done), 0);
        WANT_EQ(ambit_ring_try_send(ring, me, 59, 1), 0); /* the first one */
        WANT(until(cx, &crew.done, 1));
        WANT_EQ(sum, 1);

        WANT_EQ(ambit_ring_try_send(ring, me, 59, AMBIT_RING_SUM_MAX + 1),
                -E2BIG);
        WANT_EQ(ambit_ring_try_send(ring, me, 59, AMBIT_RING_SUM_MAX - 1), 0);
        WANT_EQ(ambit_ring_try_send(ring, me, 59, 2), -EAGAIN);
        WANT_EQ(ambit_spawn_with(s, add_slowly, &here, .tier = AMBIT_FIBER), 0);
        let_others_run(cx);
        WANT_EQ(count_get(&crew.done), 1);
        WANT_EQ(ambit_ring_try_next_count(ring, 59, &sum), 0);
        WANT(sum == AMBIT_RING_SUM_MAX - 1);
        WANT(until(cx, &crew.done, 2));
        WANT_EQ(ambit_ring_try_next_count(ring, 59, &sum), 0);
        WANT_EQ(sum, 2);
    }
    return rc;
}

/* Goal: a burst of news of one kind costs no room, and is not missed.
 * Method: a queue of 1 that is full; the first addition to each of two tags;
 * the largest sum, and one more. */
Spec(RING_SUM_2, a_burst_takes_no_room_and_the_first_wakes)
{
    spec_on_1_and_2_workers(burst);
    spec_end("RING_SUM_2");
}

/* --- RING-LIMIT-1 ---------------------------------------------------------- */

static int limits(ambit_cx *cx, void *arg)
{
    uint16_t many[AMBIT_RING_COUNTED_MAX + 1];
    struct ambit_ring_message message;
    ambit_ring *ring = NULL;
    uint64_t sum;
    int rc = 0;
    (void)arg;
    for (uint16_t i = 0; i <= AMBIT_RING_COUNTED_MAX; i++) {
        many[i] = i;
    }
    ambit_scope (cx, s, &rc) {
        const uint16_t twice[] = {5, 4711, 4711};
        WANT_EQ(ambit_ring_open(s, &ring, .name = "deep",
                                .capacity = AMBIT_RING_CAPACITY_MAX + 1),
                -EINVAL);
        WANT(spec_logged("\"deep\"") && spec_logged("1048577"));
        WANT_EQ(ambit_ring_open(s, &ring, .counted = many,
                                .counted_len = AMBIT_RING_COUNTED_MAX + 1),
                -EINVAL);
        WANT(spec_logged("counted tags: 65"));
        WANT_EQ(ambit_ring_open(s, &ring, .hot = twice, .hot_len = 3), -EINVAL);
        WANT(spec_logged("tag 4711"));
        WANT_EQ(ambit_ring_open(s, &ring, .hot = twice, .hot_len = 2,
                                .counted = twice, .counted_len = 1), -EINVAL);
        WANT(ring == NULL);
        WANT_EQ(ambit_ring_open(s, &ring,
                                .capacity = AMBIT_RING_CAPACITY_MAX,
                                .counted = many,
                                .counted_len = AMBIT_RING_COUNTED_MAX), 0);
        unsigned workers = ambit_ring_workers(ring);
        WANT_EQ(ambit_ring_try_send(ring, workers, 99, 1), -EINVAL);
        WANT_EQ(ambit_ring_send(cx, ring, workers, 99, 1), -EINVAL);
        WANT_EQ(ambit_ring_try_send(ring, workers - 1, 99, 1), 0);
        WANT_EQ(ambit_ring_next_hot(cx, ring, &message), -EINVAL);
        WANT_EQ(ambit_ring_try_next_hot(ring, &message), -EINVAL);
        WANT_EQ(ambit_ring_next_count(cx, ring, 64, &sum), -EINVAL);
        WANT_EQ(ambit_ring_try_next_count(ring, 64, &sum), -EINVAL);
        WANT_EQ(ambit_ring_try_next_count(ring, 63, &sum), -EAGAIN);
    }
    return rc;
}

/* Goal: each limit says which one it was.
 * Method: at it and one above; the log. */
Spec(RING_LIMIT_1, a_limit_is_told)
{
    spec_on_1_and_2_workers(limits);
    spec_end("RING_LIMIT_1");
}
