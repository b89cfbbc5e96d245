/* SPDX-License-Identifier: MIT */
/*
 * ring.h -- a crew: one task on each worker, who meet over a ring.
 */
#ifndef AMBIT_TESTS_SPEC_RING_H
#define AMBIT_TESTS_SPEC_RING_H

#include "tests/spec/common.h"

#define CREW_PATIENCE_S 60

struct crew;
typedef int crew_fn(ambit_cx *cx, struct crew *crew, unsigned here);

struct crew {
    ambit_ring *ring;
    crew_fn *work;
    int n;                     /* of whatever the test counts */
    struct count arrived, steps, done;
    void *more;
};

/* Each keeps its worker busy until all have one; then they work. */
static int crew_member(ambit_cx *cx, void *arg)
{
    struct crew *crew = *(struct crew **)arg;
    count_up(&crew->arrived);
    WANT(spin_until(&crew->arrived, (int64_t)ambit_ring_workers(crew->ring)));
    return crew->work(cx, crew, ambit_ring_here(crew->ring));
}

static inline void crew_spawn(ambit_region *region, struct crew *crew)
{
    count_set(&crew->arrived, 0);
    for (unsigned i = 0; i < ambit_ring_workers(crew->ring); i++) {
        WANT_EQ(ambit_spawn(region, crew_member, &crew), 0);
    }
}

/* What is never received is waited for until a deadline far away. */
#define crew_run(cx_, crew_, work_, ...) \
    do { \
        int crew_rc_ = 0; \
        ambit_scope (cx_, crew_region_, &crew_rc_, \
                     .deadline = ambit_after(ambit_s(CREW_PATIENCE_S))) { \
            WANT_EQ(ambit_ring_open(crew_region_, &(crew_)->ring, \
                                    __VA_ARGS__), 0); \
            (crew_)->work = (work_); \
            crew_spawn(crew_region_, (crew_)); \
        } \
        WANT_EQ(crew_rc_, 0); \
    } while (0)

/* One of four calls; gives way while there is no room. */
__attribute__((unused)) static int send_by(ambit_cx *cx, ambit_ring *ring,
                                           unsigned way, unsigned to,
                                           uint16_t tag, uint64_t value)
{
    struct ambit_ring_message one = {.value = value, .tag = tag};
    for (;;) {
        int rc = way % 4 == 0   ? ambit_ring_send(cx, ring, to, tag, value)
                 : way % 4 == 1 ? ambit_ring_try_send(ring, to, tag, value)
                 : way % 4 == 2
                     ? ambit_ring_try_send_direct(ring, to, tag, value)
                     : ambit_ring_try_send_many(ring, to, &one, 1);
        if (rc != -EAGAIN) {
            return rc < 0 ? rc : 0;
        }
        rc = ambit_yield(cx);
        if (rc < 0) {
            return rc;
        }
    }
}

/* What a thread does that cannot wait. */
__attribute__((unused)) static int push(ambit_ring *ring, unsigned to,
                                        uint16_t tag, uint64_t value)
{
    ambit_time end = {0};
    int rc;
    while ((rc = ambit_ring_try_send(ring, to, tag, value)) == -EAGAIN) {
        end = end.ns == 0 ? ambit_after(ambit_s(SPEC_PATIENCE_S)) : end;
        if (ambit_now().ns > end.ns) {
            return rc;
        }
        sched_yield();
    }
    return rc;
}

/* One who wants a message of this worker, or room in its inbox. */
struct wanter {
    ambit_ring *ring;
    int *ret_rc;
    struct ambit_ring_message *ret_message;
};

__attribute__((unused)) static int want_next(ambit_cx *cx, void *arg)
{
    struct wanter *w = arg;
    *w->ret_rc = ambit_ring_next(cx, w->ring, w->ret_message);
    return 0;
}

__attribute__((unused)) static int want_room(ambit_cx *cx, void *arg)
{
    struct wanter *w = arg;
    unsigned me = ambit_ring_here(w->ring);
    *w->ret_rc = ambit_ring_send(cx, w->ring, me, 1, 99);
    return 0;
}

#endif
