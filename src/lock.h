/* SPDX-License-Identifier: MIT */
/*
 * lock.h -- a mutex that is held for less time than a sleep takes.
 *
 * Who finds it taken looks again for a while before it sleeps.  A plain mutex
 * sleeps at once, and from then on each unlock is a system call that wakes one
 * who sleeps, as long as anybody comes in between.
 */
#ifndef AMBIT_SRC_LOCK_H
#define AMBIT_SRC_LOCK_H

#include <pthread.h>

static inline void lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

#endif
