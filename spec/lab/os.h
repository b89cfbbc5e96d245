/* SPDX-License-Identifier: MIT */
/*
 * os.h -- what the library's own sources see instead of the system, in the lab.
 *
 * Included in front of every source of the library when it is built for
 * libambit-spec (-include), and in no other build.  Threads, clock, memory,
 * descriptors and io_uring become the lab's; before each atomic operation other
 * threads may run.  So the lab runs the production sources, word for word.
 *
 * On a thread that is in no lab everything passes through to the system.
 */
#ifndef AMBIT_SPEC_LAB_OS_H
#define AMBIT_SPEC_LAB_OS_H

#define AMBIT_LAB 1

#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "spec/lab/told.h"

struct lab;
extern __thread struct lab *lab_self __attribute__((tls_model("initial-exec")));

/* Others may run here. */
void lab_point_slow(void);
static inline void lab_point(void)
{
    if (lab_self != NULL) {
        lab_point_slow();
    }
}

static inline void lab_tell(enum told what, const void *subject,
                            const void *other, int64_t number)
{
    if (lab_self != NULL) {
        lab_told(what, subject, other, number);
    }
}

/* Nothing can be done until somebody else has run. */
void lab_relax(void);

static inline int lab_sched_yield(void)
{
    lab_relax();
    return 0;
}

/* Which of n: 0 is what production does.  Without a lab: 0. */
unsigned lab_pick_ready(unsigned n);

/* --- atomics --------------------------------------------------------------- */

/* A relaxed operation that is no hand-over needs no point of its own. */
#define LAB_AT(order) \
    ((order) == memory_order_relaxed ? (void)0 : lab_point())

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit

#ifdef __clang__
#define atomic_load_explicit(p, o) (LAB_AT(o), __c11_atomic_load((p), (o)))
#define atomic_store_explicit(p, v, o) \
    (LAB_AT(o), __c11_atomic_store((p), (v), (o)))
#define atomic_exchange_explicit(p, v, o) \
    (lab_point(), __c11_atomic_exchange((p), (v), (o)))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f) \
    (lab_point(), __c11_atomic_compare_exchange_strong((p), (e), (v), (s), (f)))
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f) \
    (lab_point(), __c11_atomic_compare_exchange_strong((p), (e), (v), (s), (f)))
#define atomic_fetch_add_explicit(p, v, o) \
    (LAB_AT(o), __c11_atomic_fetch_add((p), (v), (o)))
#define atomic_fetch_sub_explicit(p, v, o) \
    (LAB_AT(o), __c11_atomic_fetch_sub((p), (v), (o)))
#define atomic_fetch_or_explicit(p, v, o) \
    (LAB_AT(o), __c11_atomic_fetch_or((p), (v), (o)))
#define atomic_fetch_and_explicit(p, v, o) \
    (LAB_AT(o), __c11_atomic_fetch_and((p), (v), (o)))
#else
#define LAB_PLAIN(p) __typeof__((void)0, *(p))
#define atomic_load_explicit(p, o) \
    __extension__({ \
        __auto_type lab_p_ = (p); \
        LAB_PLAIN(lab_p_) lab_v_; \
        LAB_AT(o); \
        __atomic_load(lab_p_, &lab_v_, (o)); \
        lab_v_; \
    })
#define atomic_store_explicit(p, v, o) \
    __extension__({ \
        __auto_type lab_p_ = (p); \
        LAB_PLAIN(lab_p_) lab_v_ = (v); \
        LAB_AT(o); \
        __atomic_store(lab_p_, &lab_v_, (o)); \
    })
#define atomic_exchange_explicit(p, v, o) \
    __extension__({ \
        __auto_type lab_p_ = (p); \
        LAB_PLAIN(lab_p_) lab_v_ = (v); \
        LAB_PLAIN(lab_p_) lab_was_; \
        lab_point(); \
        __atomic_exchange(lab_p_, &lab_v_, &lab_was_, (o)); \
        lab_was_; \
    })
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f) \
    __extension__({ \
        __auto_type lab_p_ = (p); \
        LAB_PLAIN(lab_p_) lab_v_ = (v); \
        lab_point(); \
        __atomic_compare_exchange(lab_p_, (e), &lab_v_, 0, (s), (f)); \
    })
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f) \
    atomic_compare_exchange_strong_explicit((p), (e), (v), (s), (f))
#define atomic_fetch_add_explicit(p, v, o) \
    (LAB_AT(o), __atomic_fetch_add((p), (v), (o)))
#define atomic_fetch_sub_explicit(p, v, o) \
    (LAB_AT(o), __atomic_fetch_sub((p), (v), (o)))
#define atomic_fetch_or_explicit(p, v, o) \
    (LAB_AT(o), __atomic_fetch_or((p), (v), (o)))
#define atomic_fetch_and_explicit(p, v, o) \
    (LAB_AT(o), __atomic_fetch_and((p), (v), (o)))
#endif

/* --- threads --------------------------------------------------------------- */

int lab_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr,
                       void *(*body)(void *), void *arg);
int lab_pthread_join(pthread_t thread, void **ret_value);
pthread_t lab_pthread_self(void);
int lab_pthread_setname_np(pthread_t thread, const char *name);
int lab_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set);
int lab_pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_old);
int lab_pthread_mutex_lock(pthread_mutex_t *mutex);
int lab_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int lab_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                               const struct timespec *until);
int lab_pthread_cond_signal(pthread_cond_t *cond);
int lab_pthread_cond_broadcast(pthread_cond_t *cond);

#define pthread_create lab_pthread_create
#define pthread_join lab_pthread_join
#define pthread_self lab_pthread_self
#define pthread_setname_np lab_pthread_setname_np
#define pthread_sigmask lab_pthread_sigmask
#define pthread_mutex_lock lab_pthread_mutex_lock
#define pthread_cond_wait lab_pthread_cond_wait
#define pthread_cond_timedwait lab_pthread_cond_timedwait
#define pthread_cond_signal lab_pthread_cond_signal
#define pthread_cond_broadcast lab_pthread_cond_broadcast
#define sched_yield lab_sched_yield
#define sched_setaffinity lab_sched_setaffinity

/* --- the clock ------------------------------------------------------------- */

int lab_clock_gettime(clockid_t clock, struct timespec *ret_now);
#define clock_gettime lab_clock_gettime
/* Each look at the cpu's counter finds that much time has passed. */
uint64_t lab_ticks(void);
#define __builtin_ia32_rdtsc lab_ticks

/* --- memory ---------------------------------------------------------------- */

void *lab_malloc(size_t size);
void *lab_calloc(size_t n, size_t size);
void *lab_realloc(void *old, size_t size);
void *lab_aligned_alloc(size_t align, size_t size);
void lab_free(void *memory);
void *lab_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int lab_munmap(void *at, size_t len);
#define malloc(size) lab_malloc(size)
#define calloc(n, size) lab_calloc((n), (size))
#define realloc(old, size) lab_realloc((old), (size))
#define aligned_alloc(align, size) lab_aligned_alloc((align), (size))
#define free(memory) lab_free(memory)
#define mmap(at, len, prot, flags, fd, offset) \
    lab_mmap((at), (len), (prot), (flags), (fd), (offset))
#define munmap(at, len) lab_munmap((at), (len))

/* --- descriptors and signals ----------------------------------------------- */

int lab_eventfd(unsigned value, int flags);
int lab_socket(int family, int type, int protocol);
int lab_bind(int fd, const struct sockaddr *address, socklen_t len);
int lab_listen(int fd, int backlog);
int lab_setsockopt(int fd, int level, int name, const void *value,
                   socklen_t len);
int lab_shutdown(int fd, int how);
int lab_getsockname(int fd, struct sockaddr *ret_address, socklen_t *len);
int lab_getpeername(int fd, struct sockaddr *ret_address, socklen_t *len);
int lab_close(int fd);
ssize_t lab_write(int fd, const void *bytes, size_t len);
ssize_t lab_read(int fd, void *bytes, size_t len);
int lab_sigaction(int signo, const struct sigaction *action,
                  struct sigaction *ret_old);
#define eventfd(value, flags) lab_eventfd((value), (flags))
#define socket(family, type, protocol) lab_socket((family), (type), (protocol))
#define bind(fd, address, len) lab_bind((fd), (address), (len))
#define listen(fd, backlog) lab_listen((fd), (backlog))
#define setsockopt(fd, level, name, value, len) \
    lab_setsockopt((fd), (level), (name), (value), (len))
#define shutdown(fd, how) lab_shutdown((fd), (how))
#define getsockname(fd, address, len) lab_getsockname((fd), (address), (len))
#define getpeername(fd, address, len) lab_getpeername((fd), (address), (len))
#define close(fd) lab_close(fd)
#define write(fd, bytes, len) lab_write((fd), (bytes), (len))
#define read(fd, bytes, len) lab_read((fd), (bytes), (len))
#define sigaction(signo, action, old) lab_sigaction((signo), (action), (old))

/* --- io_uring: what enters the kernel -------------------------------------- */

int lab_uring_init(unsigned entries, struct io_uring *ring,
                   struct io_uring_params *params);
void lab_uring_exit(struct io_uring *ring);
int lab_uring_submit(struct io_uring *ring);
int lab_uring_get_events(struct io_uring *ring);
int lab_uring_submit_get_events(struct io_uring *ring);
int lab_uring_submit_wait(struct io_uring *ring, unsigned wait_nr);
int lab_uring_submit_wait_timeout(struct io_uring *ring,
                                  struct io_uring_cqe **ret_cqe,
                                  unsigned wait_nr,
                                  struct __kernel_timespec *timeout,
                                  sigset_t *mask);
int lab_uring_dontfork(struct io_uring *ring);
#define io_uring_queue_init_params lab_uring_init
#define io_uring_queue_exit lab_uring_exit
#define io_uring_submit lab_uring_submit
#define io_uring_get_events lab_uring_get_events
#define io_uring_submit_and_get_events lab_uring_submit_get_events
#define io_uring_submit_and_wait lab_uring_submit_wait
#define io_uring_submit_and_wait_timeout lab_uring_submit_wait_timeout
#define io_uring_ring_dontfork lab_uring_dontfork

#endif
