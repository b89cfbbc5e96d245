/* SPDX-License-Identifier: MIT */
/*
 * raw_ring.c -- the floor of W4: a bounded ring for many producers (Vyukov's),
 * with one thread, or two, and no tasks at all.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum {
    CAPACITY = 1024,
};

#define MESSAGES UINT64_C(10000000)

static struct {
    _Alignas(64) _Atomic uint64_t turn; /* ORDER(raw-ring) */
    uint64_t value;
} cells[CAPACITY];
static _Alignas(128) _Atomic uint64_t in; /* ORDER(raw-ring-in) */

#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#else
#define relax() __asm__ volatile("yield")
#endif

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int try_push(uint64_t value)
{
    /* ORDER(raw-ring-in): relaxed.  A guess for the CAS. */
    uint64_t at = atomic_load_explicit(&in, memory_order_relaxed);
    for (;;) {
        /* ORDER(raw-ring): acquire.  Pairs with the release in try_pop(). */
        uint64_t turn = atomic_load_explicit(&cells[at % CAPACITY].turn,
                                             memory_order_acquire);
        if ((int64_t)(turn - at) < 0) {
            return 0;
        }
        /* ORDER(raw-ring-in): relaxed.  The cell's turn publishes. */
        if (turn == at &&
            atomic_compare_exchange_weak_explicit(
                &in, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            break;
        }
        if (turn != at) {
            /* ORDER(raw-ring-in): relaxed.  As above. */
            at = atomic_load_explicit(&in, memory_order_relaxed);
        }
    }
    cells[at % CAPACITY].value = value;
    /* ORDER(raw-ring): release.  Publishes the value to try_pop(). */
    atomic_store_explicit(&cells[at % CAPACITY].turn, at + 1,
                          memory_order_release);
    return 1;
}

static int try_pop(uint64_t *out, uint64_t *ret_value)
{
    uint64_t cell = *out % CAPACITY;
    /* ORDER(raw-ring): acquire.  Pairs with the release in try_push(). */
    if (atomic_load_explicit(&cells[cell].turn, memory_order_acquire) !=
        *out + 1) {
        return 0;
    }
    *ret_value = cells[cell].value;
    /* ORDER(raw-ring): release.  The cell may be filled again. */
    atomic_store_explicit(&cells[cell].turn, *out + CAPACITY,
                          memory_order_release);
    ++*out;
    return 1;
}

/* Stands for four producer tasks, as a runtime on two cpus would run them. */
static void *produce(void *arg)
{
    pin(1);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        while (!try_push(i)) {
            relax();
        }
    }
    return arg;
}

static uint64_t consume_while_produced(void)
{
    uint64_t out = 0, sum = 0, value;
    pthread_t producer;
    pthread_create(&producer, NULL, produce, NULL);
    while (out < MESSAGES) {
        if (try_pop(&out, &value)) {
            sum += value;
        } else {
            relax();
        }
    }
    pthread_join(producer, NULL);
    return sum;
}

static uint64_t fill_and_drain(void)
{
    uint64_t out = 0, sum = 0, sent = 0, value;
    while (out < MESSAGES) {
        while (sent < MESSAGES && try_push(sent)) {
            sent++;
        }
        while (try_pop(&out, &value)) {
            sum += value;
        }
    }
    return sum;
}

int main(int argc, char **argv)
{
    int two = argc > 1 && strcmp(argv[1], "2") == 0;
    double v[REPS_MAX];
    pin(0);
    for (int r = 0; r < reps(); r++) {
        for (uint64_t i = 0; i < CAPACITY; i++) {
            atomic_init(&cells[i].turn, i);
        }
        atomic_init(&in, 0);
        uint64_t begin = now_ns();
        uint64_t sum = two ? consume_while_produced() : fill_and_drain();
        v[r] = (double)MESSAGES * 1e3 / (double)(now_ns() - begin);
        if (sum != MESSAGES * (MESSAGES - 1) / 2) {
            abort();
        }
    }
    report(two ? "W4_mpsc.2c" : "W4_mpsc.1c", "raw-ring(no_tasks)", v, reps(),
           "Mmsg/s", 1);
}
