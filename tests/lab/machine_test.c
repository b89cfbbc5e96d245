/* SPDX-License-Identifier: MIT */
/*
 * machine_test.c -- the lab itself: threads, time, operations, fingerprints.
 */
#include "tests/spec/common.h"

#include "spec/lab/lab.h"

struct dice {
    struct lab_picker picker;
    uint64_t state;
    unsigned rarely; /* a switch at one point of so many */
};

static uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static unsigned dice_choose(struct lab_picker *picker, enum lab_choice what,
                            unsigned n, const uint32_t *ids)
{
    struct dice *dice = CONTAINER_OF(picker, struct dice, picker);
    (void)ids;
    uint64_t r = dice_next(dice);
    if (what == LAB_SWITCH && r % dice->rarely != 0) {
        return 0;
    }
    return (unsigned)((r >> 32) % n);
}

static int sleeper(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(10)), 0);
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

static int echo(ambit_cx *cx, void *arg)
{
    ambit_tcp *socket = *(ambit_tcp **)arg;
    char buffer[100];
    ssize_t n;
    while ((n = ambit_tcp_read(cx, socket, buffer, sizeof buffer)) > 0) {
        WANT_EQ(ambit_tcp_write_all(cx, socket, buffer, (size_t)n, NULL), 0);
    }
    WANT_EQ(n, 0);
    return ambit_tcp_close(cx, socket);
}

static int job(void *arg)
{
    return *(int *)arg;
}

static int serve(ambit_cx *cx, void *arg)
{
    ambit_tcp *listener = *(ambit_tcp **)arg;
    ambit_tcp *socket;
    WANT_EQ(ambit_tcp_accept(cx, listener, &socket), 0);
    WANT_EQ(ambit_spawn(ambit_cx_region(cx), echo, &socket), 0);
    return 0;
}

static int scenario(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_tcp *listener;
    char address[64];
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &listener), 0);
    WANT_EQ(ambit_tcp_local(listener, address, sizeof address), 0);
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn_(all, sleeper, NULL, 0, NULL), 0);
        }
        WANT_EQ(ambit_spawn(all, serve, &listener), 0);
        ambit_tcp *socket;
        WANT_EQ(ambit_tcp_connect(cx, address, &socket), 0);
        char out[300], in[300];
        memset(out, 'x', sizeof out);
        WANT_EQ(ambit_tcp_write_all(cx, socket, out, sizeof out, NULL), 0);
        size_t got = 0;
        while (got < sizeof in) {
            ssize_t n = ambit_tcp_read(cx, socket, in + got, sizeof in - got);
            WANT(n > 0);
            if (n <= 0) {
                break;
            }
            got += (size_t)n;
        }
        WANT(memcmp(in, out, sizeof in) == 0);
        WANT_EQ(ambit_tcp_close(cx, socket), 0);
        int value = 7;
        WANT_EQ(ambit_blocking(cx, job, &value), 7);
    }
    WANT_EQ(rc, 0);
    return ambit_tcp_close(cx, listener);
}

static uint64_t run_seed(uint64_t seed, unsigned workers)
{
    struct lab lab;
    struct dice dice = {{dice_choose, NULL}, seed, 4u << seed % 8};
    lab_begin(&lab, &(struct lab_options){.picker = &dice.picker});
    WANT_EQ(ambit_run(scenario, NULL, .workers = workers,
                      .log = spec_log_line),
            0);
    uint64_t print = lab_fingerprint(&lab);
    if (getenv("LAB_SAY") != NULL) {
        fprintf(stderr, "seed %lu: %lu points, %lu choices, %lu switches, "
                        "%lu ops, %.3f ms: %016lx\n",
                seed, lab.points, lab.choices, lab.switches, lab.ops_issued,
                (double)(lab.now_ns - 1000000000) / 1e6, print);
    }
    lab_end(&lab);
    return print;
}

/* Goal: the same decisions lead to the same run. */
Test(lab, a_seed_gives_the_same_fingerprint_again)
{
    unsigned long differ = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t print = run_seed(seed, 1 + seed % 3);
        WANT_EQ(run_seed(seed, 1 + seed % 3), print);
        differ += print != run_seed(seed + 1000, 1 + seed % 3);
    }
    WANT(differ > 190);
    cr_assert(count_get(&spec_failures) == 0);
}

static int ends_at_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    (*(int *)arg)++;
    return 0;
}

static bool refusal_was_logged;

static void look_for_refusal(void *user, enum ambit_log_level level,
                             const char *line)
{
    (void)user;
    refusal_was_logged |= level == AMBIT_LOG_ERROR && line[0] != '\0';
}

/* Goal: a system without io_uring is told of, and nothing is left behind.
 * Method: each way to refuse it, for the first ring, the second, and so on. */
Test(lab, io_uring_may_be_refused)
{
    static const int errors[] = {-ENOSYS, -EPERM, -ENOMEM, -EMFILE};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        int rc = -1, ran = 0;
        for (unsigned rings = 0; rc < 0; rings++) {
            struct lab lab;
            refusal_was_logged = false;
            lab_begin(&lab, &(struct lab_options){.ring_error = errors[i],
                                                  .rings_max = rings});
            rc = ambit_run(ends_at_once, &ran, .workers = 3,
                           .log = look_for_refusal);
            lab_end(&lab);
            WANT_EQ(rc, ran == 1 ? 0 : errors[i]);
            WANT(ran == 1 || refusal_was_logged);
            cr_assert(rings < 20);
        }
        WANT_EQ(ran, 1);
    }
    cr_assert(count_get(&spec_failures) == 0);
}

/* Goal: no wake is lost when io_uring_enter() fails again and again.
 * Method: three of four answer with EINTR, EBUSY or EAGAIN, and of what is
 * submitted the last one is often left over; also as the run ends. */
Test(lab, io_uring_enter_may_fail_most_of_the_time)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct lab lab;
        struct dice dice = {{dice_choose, NULL}, seed, 4u << seed % 8};
        int ran = 0;
        lab_begin(&lab, &(struct lab_options){.picker = &dice.picker,
                                              .enter_faults = true});
        WANT_EQ(ambit_run(ends_at_once, &ran, .workers = 2 + seed % 2,
                          .log = spec_log_line), 0);
        lab_end(&lab);
        WANT_EQ(ran, 1);
    }
    cr_assert(count_get(&spec_failures) == 0);
}
