/* SPDX-License-Identifier: MIT */
/*
 * mailbox_link_test.c -- bursts from a thread of its own to an actor that goes
 * idle between them.
 *
 * A sender takes its place in the queue and then links its message.  For some
 * nanoseconds the message is in the queue and cannot be seen, while the actor
 * may be about to go idle.  spec/models/mailbox.pml says what must hold then;
 * here real hardware has its say.
 */
#include "tests/spec/common.h"

enum { BURSTS = 20000 / SPEC_SLOWER, BURST = 3 };

#define LOST_AFTER_S SPEC_PATIENCE_S
#define LOOKS_ALONE 1000

static struct count received;

static int counted(ambit_cx *cx, void *state, const void *message, size_t size)
{
    (void)cx, (void)state, (void)message, (void)size;
    count_up(&received);
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type counter_type = {
    .size_ = sizeof counter_type,
    .name = "counter",
    .handle = counted,
};

static void pause_for(uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        __asm__ volatile("" ::: "memory");
    }
}

/* On a thread of the blocking pool. */
static int sends_bursts(ambit_cx *cx, void *arg)
{
    (void)cx;
    ambit_actor_ref ref = *(ambit_actor_ref *)arg;
    uint32_t seed = 1;
    for (int64_t sent = 0; sent < (int64_t)BURSTS * BURST;) {
        for (int i = 0; i < BURST; i++, sent++) {
            while (ambit_try_send(ref, &i, sizeof i) == -EAGAIN) {
                sched_yield();
            }
            seed = seed * 1664525 + 1013904223;
            pause_for(seed >> 23);
        }
        /* Nothing else will wake the actor now.  It may need our core. */
        ambit_time end = ambit_after(ambit_s(LOST_AFTER_S));
        for (int looks = 0; count_get(&received) < sent; looks++) {
            if (looks > LOOKS_ALONE) {
                sched_yield();
            }
            if (ambit_now().ns > end.ns) {
                WANT_EQ(count_get(&received), sent);
                return 0;
            }
        }
    }
    return 0;
}

static int bursts(ambit_cx *cx, void *arg)
{
    (void)arg;
    count_set(&received, 0);
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        ambit_actor_ref ref;
        WANT_EQ(ambit_actor_start(cx, s, &counter_type, NULL, 0, &ref), 0);
        int sent_rc = 0;
        ambit_scope (cx, sending, &sent_rc) {
            WANT_EQ(ambit_spawn_with(sending, sends_bursts, &ref,
                                     .tier = AMBIT_BLOCKING),
                    0);
        }
        WANT_EQ(sent_rc, 0);
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    return rc;
}

// Goal: a message whose link is not visible yet keeps its receiver awake.
// Method: many short bursts; after each, wait until all have been handled.
Test(mailbox_link, no_message_of_a_burst_waits_for_the_next)
{
    WANT_EQ(spec_run(bursts, NULL, .workers = 1, .spin = ambit_ms(1)), 0);
    cr_assert(count_get(&spec_failures) == 0);
    test_no_leaks();
}
