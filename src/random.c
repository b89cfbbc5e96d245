/* SPDX-License-Identifier: MIT */
/*
 * random.c -- numbers that look random, from a seed.
 *
 * Each worker counts on by a constant of its own thread's and mixes the count
 * (splitmix64).  The same seed gives a worker the same numbers in each run; who
 * asks on which worker is the scheduler's business.
 */
#include "src/runtime.h"

#define GAMMA UINT64_C(0x9E3779B97F4A7C15)

uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

void random_begin(struct runtime *runtime)
{
    uint64_t seed = runtime->options.seed;
    if (seed == 0) {
        seed = (uint64_t)clock_now_ns() ^ (uint64_t)(uintptr_t)runtime;
    }
    RULE(RT_SEED_1);
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        runtime->workers[i]->numbers = random_mix(seed + i);
    }
    /* ORDER(random): relaxed.  Before any thread of the run begins. */
    atomic_store_explicit(&runtime->foreign_numbers, random_mix(~seed),
                          memory_order_relaxed);
}

uint64_t runtime_random(struct runtime *runtime)
{
    struct worker *self = worker_self;
    if (self != NULL && self->runtime == runtime) {
        self->numbers += GAMMA;
        return random_mix(self->numbers);
    }
    /* ORDER(random): relaxed.  Each thread gets a count of its own; nothing is
     * published by it. */
    return random_mix(atomic_fetch_add_explicit(&runtime->foreign_numbers,
                                                GAMMA, memory_order_relaxed));
}
