/* SPDX-License-Identifier: MIT */
/*
 * raw_threads.c -- what two threads can do with nothing in between.
 *
 *   W3  the floor of W3_pingpong_forced: two threads on two cpus and two
 * bounded channels of 16, each a ring for one writer and one reader; who finds
 *       nothing spins for as long as Ambit's workers do, then sleeps on a futex
 *   S4  the floor of S4_fanout and S5_fanout_skewed: their computing alone,
 * half of each request on each of two threads, which meet after each request
 */
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#else
#define relax() __asm__ volatile("yield")
#endif

#define PEER "raw-threads(no_tasks)"

enum {
    CAPACITY = 16,
    ROUNDS = 20000,
    SPIN_NS = 20000,
    PAUSES = 64, /* between two looks at the clock */
    REQUESTS = 64,
    BRANCHES = 16,
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* --- a word that one side moves and the other waits for --------------------
 */

struct word {
    _Alignas(64) _Atomic uint32_t value; /* ORDER(raw-word) */
    _Atomic uint32_t sleepers;           /* ORDER(raw-word) */
};

static uint32_t word_get(struct word *word)
{
    /* ORDER(raw-word): seq_cst.  Pairs with word_set(): what the other side did
     * before it moved the word is seen, and after its sleepers were marked, the
     * mark or the new value is. */
    return atomic_load_explicit(&word->value, memory_order_seq_cst);
}

static void word_set(struct word *word, uint32_t value)
{
    /* ORDER(raw-word): seq_cst.  Pairs with word_get() and word_sleep(). */
    atomic_store_explicit(&word->value, value, memory_order_seq_cst);
    /* ORDER(raw-word): seq_cst.  Pairs with the mark in word_sleep(). */
    if (atomic_load_explicit(&word->sleepers, memory_order_seq_cst) != 0) {
        syscall(SYS_futex, &word->value, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void word_sleep(struct word *word, uint32_t old)
{
    /* ORDER(raw-word): seq_cst.  Pairs with the look in word_set(). */
    atomic_store_explicit(&word->sleepers, 1, memory_order_seq_cst);
    while (word_get(word) == old) {
        syscall(SYS_futex, &word->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL,
                0);
    }
    /* ORDER(raw-word): seq_cst.  As above. */
    atomic_store_explicit(&word->sleepers, 0, memory_order_seq_cst);
}

/* Its value, once that is no longer the old one. */
static uint32_t word_wait(struct word *word, uint32_t old)
{
    uint64_t end = 0;
    for (;;) {
        for (int i = 0; i < PAUSES; i++) {
            uint32_t value = word_get(word);
            if (value != old) {
                return value;
            }
            relax();
        }
        if (end == 0) {
            end = now_ns() + SPIN_NS;
        } else if (now_ns() > end) {
            word_sleep(word, old);
        }
    }
}

/* --- W3 --------------------------------------------------------------------
 */

struct channel {
    struct word in;  /* the writer's */
    struct word out; /* the reader's */
    _Alignas(64) int64_t room[CAPACITY];
};

static struct channel there, back;

static void channel_send(struct channel *channel, int64_t value)
{
    uint32_t in = word_get(&channel->in);
    if (in - word_get(&channel->out) == CAPACITY) {
        word_wait(&channel->out, in - CAPACITY);
    }
    channel->room[in % CAPACITY] = value;
    word_set(&channel->in, in + 1);
}

static int64_t channel_receive(struct channel *channel)
{
    uint32_t out = word_get(&channel->out);
    if (word_get(&channel->in) == out) {
        word_wait(&channel->in, out);
    }
    int64_t value = channel->room[out % CAPACITY];
    word_set(&channel->out, out + 1);
    return value;
}

static void *pong(void *arg)
{
    int64_t ball;
    pin(1);
    while ((ball = channel_receive(&there)) >= 0) {
        channel_send(&back, ball);
    }
    return arg;
}

static void play(void)
{
    pthread_t other;
    pthread_create(&other, NULL, pong, NULL);
    for (int64_t i = 0; i < ROUNDS; i++) {
        channel_send(&there, i);
        if (channel_receive(&back) != i) {
            abort();
        }
    }
    channel_send(&there, -1);
    pthread_join(other, NULL);
}

/* --- S4, S5 ----------------------------------------------------------------
 */

static struct word asked, done;
static uint64_t half_sum;
static int skewed;

static uint64_t branch(uint64_t request, uint64_t index)
{
    uint64_t n = !skewed ? 2000 : index == request % BRANCHES ? 20000 : 500;
    uint64_t x = (request << 32 ^ index) ^ UINT64_C(0x9E3779B97F4A7C15);
    for (uint64_t i = 0; i < n; i++) {
        x = x * UINT64_C(6364136223846793005) +
            (UINT64_C(1442695040888963407) ^ i);
        x ^= x >> 29;
    }
    return x;
}

/* With one branch that takes longer than all others it is alone on its side:
 * no division of a request between two is better. */
static int is_mine(uint64_t request, uint64_t index, uint64_t side)
{
    return skewed ? (index == request % BRANCHES) == (side == 0)
                  : index % 2 == side;
}

static uint64_t side_sum(uint64_t request, uint64_t side)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < BRANCHES; i++) {
        if (is_mine(request, i, side)) {
            sum += branch(request, i);
        }
    }
    return sum;
}

static void *compute_half(void *arg)
{
    pin(1);
    for (uint32_t request = 0; request < REQUESTS; request++) {
        word_wait(&asked, request);
        half_sum = side_sum(request, 1);
        word_set(&done, request + 1);
    }
    return arg;
}

static uint64_t fan_out(void)
{
    uint64_t sum = 0;
    pthread_t other;
    word_set(&asked, 0);
    word_set(&done, 0);
    pthread_create(&other, NULL, compute_half, NULL);
    for (uint32_t request = 0; request < REQUESTS; request++) {
        word_set(&asked, request + 1);
        sum += side_sum(request, 0);
        word_wait(&done, request);
        sum += half_sum;
    }
    pthread_join(other, NULL);
    return sum;
}

static void fan_outs(const char *name)
{
    uint64_t wanted = 0;
    for (uint64_t request = 0; request < REQUESTS; request++) {
        wanted += side_sum(request, 0) + side_sum(request, 1);
    }
    /* A nanosecond for each of 1,000 is a microsecond for all. */
    BENCH_NS(name, PEER, "us", 1000, {
        if (fan_out() != wanted) {
            abort();
        }
    });
}

int main(int argc, char **argv)
{
    pin(0);
    const char *workload = argc > 1 ? argv[1] : "";
    if (strcmp(workload, "W3") == 0) {
        BENCH_NS("W3_pingpong_forced.2c", PEER, "ns/rtt", ROUNDS, play());
    } else if (strcmp(workload, "S4") == 0) {
        fan_outs("S4_fanout.2c");
    } else if (strcmp(workload, "S5") == 0) {
        skewed = 1;
        fan_outs("S5_fanout_skewed.2c");
    } else {
        fprintf(stderr, "raw_threads W3|S4|S5\n");
        return 2;
    }
}
