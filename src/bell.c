/* SPDX-License-Identifier: MIT */
/*
 * bell.c -- a thread sleeps until it is told.
 */
#include "src/bell.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* An answer within some 10 us finds the thread awake. */
#define LOOKS 200

void bell_init(struct bell *bell)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&bell->lock, NULL);
    pthread_cond_init(&bell->changed, &attr);
    pthread_condattr_destroy(&attr);
    atomic_init(&bell->rung, false);
    bell->next = NULL;
}

void bell_fini(struct bell *bell)
{
    pthread_cond_destroy(&bell->changed);
    pthread_mutex_destroy(&bell->lock);
}

static bool is_rung(struct bell *bell)
{
    /* ORDER(bell): relaxed.  A guess, or under the lock. */
    return atomic_load_explicit(&bell->rung, memory_order_relaxed);
}

/* Lock held. */
static void set_rung(struct bell *bell, bool rung)
{
    /* ORDER(bell): relaxed.  The lock orders it; the guess is looked at again
     * under it. */
    atomic_store_explicit(&bell->rung, rung, memory_order_relaxed);
}

void bell_ring(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    set_rung(bell, true);
    pthread_cond_signal(&bell->changed);
    pthread_mutex_unlock(&bell->lock);
}

bool bell_wait(struct bell *bell, int64_t until_ns)
{
    until_ns = until_ns < 0 ? 0 : until_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000,
                             .tv_nsec = until_ns % 1000000000};
    int rc = 0;
    for (int i = 0; i < LOOKS && !is_rung(bell); i++) {
        cpu_step_back(1);
    }
    pthread_mutex_lock(&bell->lock);
    while (!is_rung(bell) && rc != ETIMEDOUT) {
        if (until_ns == INT64_MAX) {
            rc = pthread_cond_wait(&bell->changed, &bell->lock);
        } else {
            rc = pthread_cond_timedwait(&bell->changed, &bell->lock, &until);
        }
    }
    bool rung = is_rung(bell);
    set_rung(bell, false);
    pthread_mutex_unlock(&bell->lock);
    return rung;
}

int buzzer_open(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void buzzer_ring(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n; /* full: it is readable */
}

void buzzer_drain(int fd)
{
    uint64_t rings;
    ssize_t n = read(fd, &rings, sizeof rings);
    (void)n; /* empty: it is drained */
}

void buzzer_close(int fd)
{
    close(fd);
}
