/* SPDX-License-Identifier: MIT */
/*
 * signal.c -- a function call, on a worker, when a signal arrives.
 *
 * Each watch has an eventfd with a read under way on its worker's ring.  The
 * handler writes to the eventfds of all who watch the signal; a watch that ends
 * takes its descriptor out of the table and waits until no handler is still
 * using it, before it closes it.
 */
#include "src/io/signal.h"

#include "src/runtime.h"
#include "src/task.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SIGNALS 65
#define WATCHERS_MAX 16

/* State of the process, see signal.h. */
static struct {
    pthread_mutex_t lock;            /* guards previous and counts */
    struct sigaction previous[SIGNALS];
    unsigned counts[SIGNALS];
    _Atomic int fds[SIGNALS][WATCHERS_MAX]; /* ORDER(signal-fd): fd + 1 or 0 */
    _Atomic unsigned inside;                /* ORDER(signal-fd): handlers */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct signal_watch {
    struct op op;
    uint64_t value;
    int fd;
    int signo;
    unsigned place;
    bool done;
    struct task *ender; /* parked until the read is over */
    void (*arrived)(void *arg);
    void *arg;
};

/* Async-signal-safe. */
static void on_signal(int signo)
{
    int saved = errno;
    uint64_t one = 1;
    /* ORDER(signal-fd): seq_cst.  Announced before a descriptor is read; pairs
     * with table_leave(), which clears the descriptor before it looks here. */
    atomic_fetch_add_explicit(&table.inside, 1, memory_order_seq_cst);
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        /* ORDER(signal-fd): seq_cst.  See above. */
        int fd = atomic_load_explicit(&table.fds[signo][i],
                                      memory_order_seq_cst) - 1;
        if (fd >= 0) {
            ssize_t put = write(fd, &one, sizeof one);
            (void)put;
        }
    }
    /* ORDER(signal-fd): seq_cst.  Done with every descriptor. */
    atomic_fetch_sub_explicit(&table.inside, 1, memory_order_seq_cst);
    errno = saved;
}

/* Lock held. */
static int handler_install(int signo)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (table.counts[signo] == 0) {
        sigfillset(&action.sa_mask);
        if (sigaction(signo, &action, &table.previous[signo]) < 0) {
            return -errno;
        }
    }
    table.counts[signo]++;
    return 0;
}

/* Lock held. */
static void handler_remove(int signo)
{
    if (--table.counts[signo] == 0) {
        sigaction(signo, &table.previous[signo], NULL);
    }
}

/* Lock held: a place in the table, or -ENOSPC. */
static int table_place(int signo, int fd)
{
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        int none = 0;
        /* ORDER(signal-fd): seq_cst.  Pairs with the load in on_signal(). */
        if (atomic_compare_exchange_strong_explicit(
                &table.fds[signo][i], &none, fd + 1, memory_order_seq_cst,
                memory_order_seq_cst)) {
            return (int)i;
        }
    }
    return -ENOSPC;
}

static int table_enter(struct signal_watch *watch)
{
    pthread_mutex_lock(&table.lock);
    int place = table_place(watch->signo, watch->fd);
    int rc = place < 0 ? place : handler_install(watch->signo);
    if (rc < 0 && place >= 0) {
        /* ORDER(signal-fd): seq_cst.  As in table_leave(). */
        atomic_store_explicit(&table.fds[watch->signo][place], 0,
                              memory_order_seq_cst);
    }
    pthread_mutex_unlock(&table.lock);
    watch->place = rc < 0 ? 0 : (unsigned)place;
    return rc;
}

static void table_leave(struct signal_watch *watch)
{
    pthread_mutex_lock(&table.lock);
    handler_remove(watch->signo);
    /* ORDER(signal-fd): seq_cst.  Cleared before we look for handlers; pairs
     * with on_signal(). */
    atomic_store_explicit(&table.fds[watch->signo][watch->place], 0,
                          memory_order_seq_cst);
    pthread_mutex_unlock(&table.lock);
    /* ORDER(signal-fd): seq_cst.  A handler that still has the descriptor is
     * waited for; it does nothing but write to eventfds. */
    while (atomic_load_explicit(&table.inside, memory_order_seq_cst) > 0) {
        sched_yield();
    }
}

static void watch_ended(struct op *op)
{
    struct signal_watch *watch = CONTAINER_OF(op, struct signal_watch, op);
    watch->done = true;
    if (watch->ender != NULL) {
        task_wake(watch->ender, 0);
        return;
    }
    if (op->result > 0) {
        RULE(CAN_8);
        watch->arrived(watch->arg);
    }
}

static int watch_arm(struct task *task, struct signal_watch *watch)
{
    watch->op = (struct op){
        .code = OP_READ,
        .fd = watch->fd,
        .memory = &watch->value,
        .len = sizeof watch->value,
        .offset = UINT64_MAX, /* no position: an eventfd */
        .complete = watch_ended,
    };
    return driver_submit(task_worker(task)->driver, &watch->op);
}

static int watch_open(struct task *task, struct signal_watch *watch)
{
    watch->fd = eventfd(0, EFD_CLOEXEC);
    if (watch->fd < 0) {
        return -errno;
    }
    int rc = watch_arm(task, watch);
    if (rc < 0) {
        close(watch->fd);
    }
    return rc;
}

int signal_watch_begin(struct task *task, int signo, void (*arrived)(void *),
                       void *arg, struct signal_watch **ret_watch)
{
    if (signo <= 0 || signo >= SIGNALS || signo == SIGKILL ||
        signo == SIGSTOP) {
        return -EINVAL;
    }
    struct signal_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return -ENOMEM;
    }
    watch->signo = signo;
    watch->arrived = arrived;
    watch->arg = arg;
    int rc = watch_open(task, watch);
    if (rc < 0) {
        free(watch);
        return rc;
    }
    rc = table_enter(watch);
    if (rc < 0) {
        watch->signo = 0; /* not in the table */
        signal_watch_end(task, watch);
        return rc;
    }
    *ret_watch = watch;
    return 0;
}

void signal_watch_end(struct task *task, struct signal_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    if (watch->signo != 0) {
        table_leave(watch);
    }
    if (!watch->done) {
        watch->ender = task;
        driver_cancel(task_worker(task)->driver, &watch->op);
        park(task, PARK_SHUT, NULL, NULL);
    }
    close(watch->fd);
    free(watch);
}
