/* SPDX-License-Identifier: MIT */
/*
 * raw_wake.c -- the floor of W15: two threads on two cpus wake each other, as a
 * round trip, by one mechanism after the other.
 */
#include "bench.h"

#include <liburing.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define NEED(x)         \
    do {                \
        if (!(x)) {     \
            perror(#x); \
            exit(1);    \
        }               \
    } while (0)

#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#else
#define relax() __asm__ volatile("yield")
#endif

enum mechanism {
    SPIN,
    FUTEX,
    EVENTFD,
    MSG_RING,
};

static const struct {
    const char *name;
    enum mechanism how;
    uint32_t rounds;
} plans[] = {
    {"raw-spin", SPIN, 1000000},
    {"raw-futex", FUTEX, 10000},
    {"raw-eventfd", EVENTFD, 10000},
    {"raw-msg_ring", MSG_RING, 10000},
};

static _Atomic uint32_t
    turn[2][32]; /* ORDER(raw-wake); a line and more apart */
static int events[2];
static struct io_uring rings[2];
static pthread_barrier_t gate;
static enum mechanism how;
static uint32_t rounds;

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void ring_init(struct io_uring *ring)
{
    NEED(io_uring_queue_init(64, ring,
                             IORING_SETUP_SINGLE_ISSUER |
                                 IORING_SETUP_DEFER_TASKRUN) == 0);
    io_uring_register_ring_fd(ring);
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* With io_uring the message goes out with the next wait, in one call. */
static void wake_other(int me, uint32_t round)
{
    uint64_t one = 1;
    if (how == EVENTFD) {
        NEED(write(events[!me], &one, sizeof one) == sizeof one);
        return;
    }
    if (how == MSG_RING) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&rings[me]);
        io_uring_prep_msg_ring(sqe, rings[!me].ring_fd, 0, round, 0);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        if (round == rounds) {
            io_uring_submit(&rings[me]);
        }
        return;
    }
    /* ORDER(raw-wake): seq_cst.  Pairs with the loads in wait_turn(). */
    atomic_store_explicit(&turn[!me][0], round, memory_order_seq_cst);
    if (how == FUTEX) {
        futex(&turn[!me][0], FUTEX_WAKE_PRIVATE, 1);
    }
}

static uint32_t turn_now(int me)
{
    /* ORDER(raw-wake): seq_cst.  Pairs with the store in wake_other(). */
    return atomic_load_explicit(&turn[me][0], memory_order_seq_cst);
}

static void wait_turn(int me, uint32_t round)
{
    uint64_t got;
    struct io_uring_cqe *cqe;
    switch (how) {
    case SPIN:
        while (turn_now(me) != round) {
            relax();
        }
        break;
    case FUTEX:
        while (turn_now(me) != round) {
            futex(&turn[me][0], FUTEX_WAIT_PRIVATE, round - 1);
        }
        break;
    case EVENTFD:
        NEED(read(events[me], &got, sizeof got) == sizeof got);
        break;
    case MSG_RING:
        io_uring_submit_and_wait(&rings[me], 1);
        NEED(io_uring_wait_cqe(&rings[me], &cqe) == 0);
        io_uring_cqe_seen(&rings[me], cqe);
        break;
    }
}

/* Thread 0 begins, thread 1 answers. */
static void *half(void *arg)
{
    int me = (int)(intptr_t)arg;
    pin(me);
    if (how == MSG_RING) {
        ring_init(&rings[me]);
    }
    pthread_barrier_wait(&gate);
    for (uint32_t i = 1; i <= rounds; i++) {
        if (me == 0) {
            wake_other(me, i);
            wait_turn(me, i);
        } else {
            wait_turn(me, i);
            wake_other(me, i);
        }
    }
    pthread_barrier_wait(&gate);
    if (how == MSG_RING) {
        io_uring_queue_exit(&rings[me]);
    }
    return NULL;
}

static double once(void)
{
    pthread_t threads[2];
    atomic_init(&turn[0][0], 0);
    atomic_init(&turn[1][0], 0);
    for (intptr_t i = 0; i < 2; i++) {
        events[i] = eventfd(0, 0);
        pthread_create(&threads[i], NULL, half, (void *)i);
    }
    pthread_barrier_wait(&gate);
    uint64_t begin = now_ns();
    pthread_barrier_wait(&gate);
    double spent = (double)(now_ns() - begin);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        close(events[i]);
    }
    return spent / rounds;
}

int main(void)
{
    double v[REPS_MAX];
    pthread_barrier_init(&gate, NULL, 3);
    for (size_t k = 0; k < sizeof plans / sizeof plans[0]; k++) {
        how = plans[k].how;
        rounds = plans[k].rounds;
        for (int r = 0; r < reps(); r++) {
            v[r] = once();
        }
        report("W15_wake_rtt.2c", plans[k].name, v, reps(), "ns/rtt", 0);
    }
}
