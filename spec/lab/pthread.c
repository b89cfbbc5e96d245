/* SPDX-License-Identifier: MIT */
/*
 * pthread.c -- what the library calls of pthread, on the lab's threads.
 *
 * A pthread_t is the lab thread's number.  Mutexes are the real ones, tried
 * until the holder, who may be in the middle of something, has let go.
 */
#include "spec/lab/lab.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "spec/lab/os.h"

#undef pthread_create
#undef pthread_join
#undef pthread_self
#undef pthread_setname_np
#undef sched_setaffinity
#undef pthread_sigmask
#undef pthread_mutex_lock
#undef pthread_cond_wait
#undef pthread_cond_timedwait
#undef pthread_cond_signal
#undef pthread_cond_broadcast

int lab_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr,
                       void *(*body)(void *), void *arg)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        return pthread_create(ret_thread, attr, body, arg);
    }
    struct lab_thread *thread = lab_thread_start(lab, body, arg);
    if (thread == NULL) {
        return EAGAIN;
    }
    *ret_thread = (pthread_t)thread->id;
    lab_point();
    return 0;
}

static struct lab_thread *by_number(struct lab *lab, pthread_t number)
{
    if (number == 0 || number > lab->thread_count) {
        lab_fail("a pthread_t that is none");
    }
    return lab->threads[number - 1];
}

int lab_pthread_join(pthread_t number, void **ret_value)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        return pthread_join(number, ret_value);
    }
    struct lab_thread *thread = by_number(lab, number);
    while (thread->state != LAB_THREAD_ENDED) {
        lab_wait(lab, thread, LAB_NEVER);
    }
    return 0;
}

pthread_t lab_pthread_self(void)
{
    return lab_self == NULL ? pthread_self() : (pthread_t)lab_self->current->id;
}

int lab_pthread_setname_np(pthread_t number, const char *name)
{
    if (lab_self == NULL) {
        return pthread_setname_np(number, name);
    }
    struct lab_thread *thread = by_number(lab_self, number);
    snprintf(thread->name, sizeof thread->name, "%s", name);
    return 0;
}

/* All threads of a lab are one to the system. */
int lab_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set)
{
    return lab_self == NULL ? sched_setaffinity(thread, size, set) : 0;
}

int lab_pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_old)
{
    return lab_self == NULL ? pthread_sigmask(how, set, ret_old) : 0;
}

int lab_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (lab_self == NULL) {
        return pthread_mutex_lock(mutex);
    }
    lab_point();
    while (pthread_mutex_trylock(mutex) != 0) {
        lab_relax();
    }
    return 0;
}

static bool cond_wait(struct lab *lab, pthread_cond_t *cond,
                      pthread_mutex_t *mutex, int64_t until_ns)
{
    pthread_mutex_unlock(mutex);
    bool woken = lab_wait(lab, cond, until_ns);
    lab_pthread_mutex_lock(mutex);
    return woken;
}

int lab_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (lab_self == NULL) {
        return pthread_cond_wait(cond, mutex);
    }
    cond_wait(lab_self, cond, mutex, LAB_NEVER);
    return 0;
}

int lab_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                               const struct timespec *until)
{
    if (lab_self == NULL) {
        return pthread_cond_timedwait(cond, mutex, until);
    }
    int64_t until_ns = (int64_t)until->tv_sec * 1000000000 + until->tv_nsec;
    return cond_wait(lab_self, cond, mutex, until_ns) ? 0 : ETIMEDOUT;
}

int lab_pthread_cond_signal(pthread_cond_t *cond)
{
    if (lab_self == NULL) {
        return pthread_cond_signal(cond);
    }
    lab_wake_one(lab_self, cond);
    return 0;
}

int lab_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (lab_self == NULL) {
        return pthread_cond_broadcast(cond);
    }
    lab_wake_all(lab_self, cond);
    return 0;
}
