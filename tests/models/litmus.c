/* SPDX-License-Identifier: MIT */
/*
 * litmus.c -- the checker itself, on the small programs everybody knows.
 *
 * Each holds with the orders written here and with none weaker: so every
 * weakening must be caught, or the model would hide a reordering that C11
 * allows.
 *
 * With:
 * Fault: tests/models/memory.c s/me->now : me->released;/me->released : me->now;/
 * Fault: tests/models/memory.c s/low = l->last_sc > low ? l->last_sc : low;//
 */
#include "tests/models/model.h"

static _Atomic int x, y;
static int data;
static int r[4];

static void clear(void)
{
    atomic_init(&x, 0);
    atomic_init(&y, 0);
    data = 0;
    r[0] = r[1] = r[2] = r[3] = -1;
}

static void nothing(void)
{
}

/* Message passing: data is seen by who saw the flag. */
static void mp_writer(void)
{
    data = 1;
    atomic_store_explicit(&x, 1, memory_order_release);
}

static void mp_reader(void)
{
    if (atomic_load_explicit(&x, memory_order_acquire) == 1) {
        MUST(data == 1);
    }
}

/* Store buffering: one of two sees the other. */
static void sb_left(void)
{
    atomic_store_explicit(&x, 1, memory_order_seq_cst);
    r[0] = atomic_load_explicit(&y, memory_order_seq_cst);
}

static void sb_right(void)
{
    atomic_store_explicit(&y, 1, memory_order_seq_cst);
    r[1] = atomic_load_explicit(&x, memory_order_seq_cst);
}

static void sb_check(void)
{
    MUST(r[0] == 1 || r[1] == 1);
}

/* The same by fences. */
static void fence_left(void)
{
    atomic_store_explicit(&x, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    r[0] = atomic_load_explicit(&y, memory_order_relaxed);
}

static void fence_right(void)
{
    atomic_store_explicit(&y, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    r[1] = atomic_load_explicit(&x, memory_order_relaxed);
}

/* A fence here, seq_cst accesses there. */
static void mixed_right(void)
{
    atomic_exchange_explicit(&y, 1, memory_order_seq_cst);
    r[1] = atomic_load_explicit(&x, memory_order_seq_cst);
}

/* Independent readers agree on the order of independent writes.  Their first
 * loads are relaxed, which C11 does not allow and the model cannot tell: its
 * seq_cst stores are in their one order as soon as anybody sees them. */
static void iriw_x(void)
{
    atomic_store_explicit(&x, 1, memory_order_seq_cst);
}

static void iriw_y(void)
{
    atomic_store_explicit(&y, 1, memory_order_seq_cst);
}

static void iriw_reader_1(void)
{
    r[0] = atomic_load_explicit(&x, memory_order_relaxed);
    r[1] = atomic_load_explicit(&y, memory_order_seq_cst);
}

static void iriw_reader_2(void)
{
    r[2] = atomic_load_explicit(&y, memory_order_relaxed);
    r[3] = atomic_load_explicit(&x, memory_order_seq_cst);
}

static void iriw_check(void)
{
    MUST(!(r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0));
}

/* A release sequence: a relaxed change in between hands the data on. */
static void sequence_middle(void)
{
    atomic_fetch_add_explicit(&x, 1, memory_order_relaxed);
}

static void sequence_reader(void)
{
    if (atomic_load_explicit(&x, memory_order_acquire) == 2) {
        MUST(data == 1);
    }
}

/* A lock of one exchange. */
static void locker(void)
{
    while (atomic_exchange_explicit(&x, 1, memory_order_acquire) == 1) {
        explore_yield();
    }
    data = data + 1;
    atomic_store_explicit(&x, 0, memory_order_release);
}

static void locked_check(void)
{
    MUST(data == 2);
}

/* Coherence: a thread never reads backwards, in whatever order. */
static void coherent_writer(void)
{
    atomic_store_explicit(&x, 1, memory_order_relaxed);
    atomic_store_explicit(&x, 2, memory_order_relaxed);
}

static void coherent_reader(void)
{
    int first = atomic_load_explicit(&x, memory_order_relaxed);
    MUST(atomic_load_explicit(&x, memory_order_relaxed) >= first);
}

static const struct scenario scenarios[] = {
    {"message passing", clear, {mp_writer, mp_reader}, nothing, 4, 4},
    {"store buffering", clear, {sb_left, sb_right}, sb_check, 4, 4},
    {"store buffering, fences",
     clear,
     {fence_left, fence_right},
     sb_check,
     4,
     4},
    {"store buffering, mixed",
     clear,
     {fence_left, mixed_right},
     sb_check,
     4,
     4},
    {"independent reads",
     clear,
     {iriw_x, iriw_y, iriw_reader_1, iriw_reader_2},
     iriw_check,
     6,
     4},
    {"release sequence",
     clear,
     {mp_writer, sequence_middle, sequence_reader},
     nothing,
     6,
     4},
    {"lock", clear, {locker, locker}, locked_check, 4, 4},
    {"coherence", clear, {coherent_writer, coherent_reader}, nothing, 6, 4},
};

int main(int argc, char **argv)
{
    return model_main(argc, argv, scenarios,
                      sizeof scenarios / sizeof scenarios[0]);
}
