/* SPDX-License-Identifier: MIT */
/*
 * epoll.c -- the driver for where io_uring is refused.
 *
 *   QUEUED --poll: tried--> over
 *      |         '--would wait--> in the watch of its descriptor --ready: tried
 *      '--for files--> on a thread (epoll_file.c)
 *
 * A descriptor's watch lists what waits for it, oldest first.  Its place in the
 * kernel's set is armed for what those need, once: an event disarms it, and it
 * is armed again for who still waits.  An event is named by the descriptor and
 * the generation of that place, so that one of before hits nobody.
 *
 * What a cancel finds in a queue or a watch ends at once, untouched; what a
 * thread has begun ends by itself.
 *
 *   IO-BUF-1     see driver.h
 *   DRV-SAME-1   What a call does and answers is what io_uring would have.
 *
 * Owner: the worker's thread.
 */
#include "src/driver/epoll.h"

#include "src/runtime.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WATCHES_FIRST 64
#define NUDGE_EVERY_NS 1000000
#define MARK_BELL UINT64_MAX

/* --- operations ----------------------------------------------------------- */

static int watches_reach(struct epoll *driver, int fd)
{
    uint32_t count = driver->watch_count;
    if (fd < 0 || (uint32_t)fd < count) {
        return 0;
    }
    while (count <= (uint32_t)fd) {
        count = count == 0 ? WATCHES_FIRST : count * 2;
    }
    struct watch *watches = realloc(driver->watches, count * sizeof *watches);
    if (watches == NULL) {
        return -EAGAIN;
    }
    memset(watches + driver->watch_count, 0,
           (count - driver->watch_count) * sizeof *watches);
    driver->watches = watches;
    driver->watch_count = count;
    return 0;
}

static void append(struct op **first, struct op **last, struct op *op)
{
    op->next = NULL;
    if (*first == NULL) {
        *first = op;
    } else {
        (*last)->next = op;
    }
    *last = op;
}

static int submit(struct driver *base, struct op *op)
{
    struct epoll *driver = epoll_of(base);
    if (driver->ops >= driver->worker->runtime->options.ops_max) {
        return -EAGAIN;
    }
    if (epoll_direction(op) != 0) {
        int rc = watches_reach(driver, op->fd);
        if (rc < 0) {
            return rc;
        }
    }
    driver->ops++;
    op->state = OP_QUEUED;
    op->cancel_wanted = false;
    op->cancel_sent = false;
    op->worker = driver->worker;
    op->call = NULL;
    append(&driver->queued_first, &driver->queued_last, op);
    count_own(&driver->worker->stats.ops_submitted);
    return 0;
}

static void cancel(struct driver *base, struct op *op)
{
    struct epoll *driver = epoll_of(base);
    if (op->state == OP_DONE || op->cancel_wanted) {
        return;
    }
    RULE(IO_EFFECT_1);
    op->cancel_wanted = true;
    op->next_cancel = driver->wanted;
    driver->wanted = op;
}

void epoll_finish(struct epoll *driver, struct op *op, int32_t result)
{
    if (op->cancel_wanted && !op->cancel_sent) {
        struct op **at = &driver->wanted;
        while (*at != op) {
            at = &(*at)->next_cancel;
        }
        *at = op->next_cancel;
    }
    op->state = OP_DONE;
    op->result = result;
    append(&driver->done_first, &driver->done_last, op);
}

unsigned epoll_complete(struct epoll *driver)
{
    unsigned completed = 0;
    while (driver->done_first != NULL) {
        struct op *op = driver->done_first;
        RULE(IO_BUFFER_1);
        driver->done_first = op->next;
        driver->ops--;
        completed++;
        count_own(&driver->worker->stats.ops_completed);
        op->complete(op);
    }
    return completed;
}

/* --- watches -------------------------------------------------------------- */

static void disarm(struct epoll *driver, int fd, struct watch *watch)
{
    if (watch->armed != 0) {
        watch->armed = 0;
        watch->known = false;
        driver->armed--;
        epoll_ctl(driver->fd, EPOLL_CTL_DEL, fd, NULL);
    }
}

static int control(struct epoll *driver, int how, int fd, struct watch *watch,
                   uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT};
    watch->generation += how == EPOLL_CTL_ADD;
    event.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd;
    return epoll_ctl(driver->fd, how, fd, &event) < 0 ? -errno : 0;
}

/* A descriptor that was closed has left the set without a word, and its number
 * may be another's by now. */
static int arm(struct epoll *driver, int fd, struct watch *watch,
               uint32_t events)
{
    int rc = -ENOENT;
    if (watch->armed == events) {
        return 0;
    }
    if (watch->known) {
        rc = control(driver, EPOLL_CTL_MOD, fd, watch, events);
    }
    if (rc == -ENOENT) {
        rc = control(driver, EPOLL_CTL_ADD, fd, watch, events);
    }
    if (rc == 0) {
        driver->armed += watch->armed == 0;
        watch->armed = (uint16_t)events;
        watch->known = true;
    }
    /* ENOSPC would be taken for a full disk. */
    return rc == -ENOSPC ? -ENOMEM : rc;
}

static uint32_t needs_of(const struct watch *watch)
{
    uint32_t events = 0;
    for (struct op *op = watch->first; op != NULL; op = op->next) {
        events |= epoll_direction(op);
    }
    return events;
}

/* All who wait are told: the kernel has no room for the descriptor. */
static void fail_all(struct epoll *driver, struct watch *watch, int error)
{
    struct op *op = watch->first;
    watch->first = NULL;
    while (op != NULL) {
        struct op *next = op->next;
        epoll_finish(driver, op, error);
        op = next;
    }
}

/* Armed for those who wait, or not at all. */
static void settle(struct epoll *driver, int fd)
{
    struct watch *watch = &driver->watches[fd];
    uint32_t events = needs_of(watch);
    if (events == 0) {
        disarm(driver, fd, watch);
        return;
    }
    int rc = arm(driver, fd, watch, events);
    if (rc < 0) {
        fail_all(driver, watch, rc);
        disarm(driver, fd, watch);
    }
}

/* In their order, until the descriptor would make them wait. */
static void try_watch(struct epoll *driver, int fd, uint32_t ready)
{
    struct watch *watch = &driver->watches[fd];
    struct op *op = watch->first;
    watch->first = NULL;
    while (op != NULL) {
        struct op *next = op->next;
        uint32_t direction = epoll_direction(op);
        int32_t result = -EAGAIN;
        if ((ready & direction) != 0) {
            result = epoll_try(op);
        }
        if (result == -EAGAIN) {
            ready &= ~direction;
            append(&watch->first, &watch->last, op);
        } else {
            epoll_finish(driver, op, result);
        }
        op = next;
    }
    settle(driver, fd);
}

static void leave_watch(struct epoll *driver, struct op *op)
{
    struct watch *watch = &driver->watches[op->fd];
    struct op *each = watch->first;
    watch->first = NULL;
    while (each != NULL) {
        struct op *next = each->next;
        if (each != op) {
            append(&watch->first, &watch->last, each);
        }
        each = next;
    }
    settle(driver, op->fd);
}

/* --- a turn --------------------------------------------------------------- */

/* For reads and writes the kernel's set says what is a file: it takes none. */
static void issue_move(struct epoll *driver, struct op *op)
{
    struct watch *watch = &driver->watches[op->fd];
    if (epoll_is_file(op->fd)) {
        file_begin(driver, op);
        return;
    }
    if (op->len == 0) {
        epoll_finish(driver, op, epoll_try(op)); /* needs no readiness */
        return;
    }
    uint32_t events = needs_of(watch) | epoll_direction(op);
    int rc = arm(driver, op->fd, watch, events);
    if (rc == -EPERM) {
        file_begin(driver, op);
    } else if (rc < 0) {
        epoll_finish(driver, op, rc);
    } else {
        append(&watch->first, &watch->last, op);
    }
}

static void issue_on_socket(struct epoll *driver, struct op *op)
{
    struct watch *watch = &driver->watches[op->fd];
    bool first = (needs_of(watch) & epoll_direction(op)) == 0;
    int32_t result = first ? epoll_try(op) : -EAGAIN;
    if (result != -EAGAIN) {
        epoll_finish(driver, op, result);
        return;
    }
    append(&watch->first, &watch->last, op);
    settle(driver, op->fd);
}

static void issue(struct epoll *driver, struct op *op)
{
    op->state = OP_INFLIGHT;
    RULE(DRV_SAME_1);
    if (op->cancel_wanted) {
        epoll_finish(driver, op, -ECANCELED);
    } else if (epoll_direction(op) == 0) {
        file_begin(driver, op);
    } else if (op->fd < 0) {
        epoll_finish(driver, op, -EBADF);
    } else if (op->code == OP_READ || op->code == OP_WRITE) {
        issue_move(driver, op);
    } else {
        issue_on_socket(driver, op);
    }
}

/* What is still queued is ended by issue(). */
static void do_cancels(struct epoll *driver)
{
    while (driver->wanted != NULL) {
        struct op *op = driver->wanted;
        driver->wanted = op->next_cancel;
        op->cancel_sent = true;
        if (op->call != NULL) {
            file_cancel(driver, op);
        } else if (op->state == OP_INFLIGHT) {
            leave_watch(driver, op);
            epoll_finish(driver, op, -ECANCELED);
        }
    }
}

static void begin_all(struct epoll *driver)
{
    do_cancels(driver);
    while (driver->queued_first != NULL) {
        struct op *op = driver->queued_first;
        driver->queued_first = op->next;
        issue(driver, op);
    }
    if (driver->nudged != NULL) {
        file_nudge(driver);
    }
}

static void silence_bell(struct epoll *driver)
{
    uint64_t rung;
    ssize_t got = read(driver->worker->bell, &rung, sizeof rung);
    (void)got;
}

static void take_event(struct epoll *driver, const struct epoll_event *event)
{
    if (event->data.u64 == MARK_BELL) {
        silence_bell(driver);
        return;
    }
    uint32_t fd = (uint32_t)event->data.u64;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);
    struct watch *watch = &driver->watches[fd];
    if (watch->armed == 0 || watch->generation != generation) {
        return; /* for one who has left */
    }
    uint32_t ready = event->events;
    if ((ready & (EPOLLERR | EPOLLHUP)) != 0) {
        ready |= EPOLLIN | EPOLLOUT;
    }
    watch->armed = 0; /* it was for once */
    driver->armed--;
    try_watch(driver, (int)fd, ready);
}

static void take_events(struct epoll *driver)
{
    unsigned count = driver->ready_count;
    driver->ready_count = 0;
    for (unsigned i = 0; i < count; i++) {
        take_event(driver, &driver->ready[i]);
    }
}

/* --- waiting -------------------------------------------------------------- */

static int wait_fine(struct epoll *driver, int64_t ns)
{
    struct timespec left = {ns / 1000000000, ns % 1000000000};
    int n = epoll_pwait2(driver->fd, driver->ready, ARRAY_LEN(driver->ready),
                         ns == INT64_MAX ? NULL : &left, NULL);
    driver->is_coarse = n < 0 && (errno == ENOSYS || errno == EPERM);
    return n;
}

static int wait_coarse(struct epoll *driver, int64_t ns)
{
    int64_t ms = ns / 1000000 + (ns % 1000000 > 0);
    int limit = ms > INT_MAX ? INT_MAX : (int)ms;
    return epoll_wait(driver->fd, driver->ready, ARRAY_LEN(driver->ready),
                      ns == INT64_MAX ? -1 : limit);
}

/* INT64_MAX: for ever. */
static void wait_for(struct epoll *driver, int64_t ns)
{
    int n = -1;
    if (ns > 0 && !driver->is_coarse) {
        n = wait_fine(driver, ns);
    }
    if (ns <= 0 || driver->is_coarse) {
        n = wait_coarse(driver, ns > 0 ? ns : 0);
    }
    if (n < 0 && errno != EINTR) {
        base_die(__FILE__, __LINE__, "epoll_wait(2) failed");
    }
    driver->ready_count = n > 0 ? (unsigned)n : 0;
}

static bool is_due(struct driver *base)
{
    struct epoll *driver = epoll_of(base);
    if (driver->ready_count == 0 && driver->armed > 0) {
        wait_for(driver, 0);
    }
    return driver->ready_count > 0 || driver->queued_first != NULL;
}

static unsigned poll_set(struct driver *base)
{
    struct epoll *driver = epoll_of(base);
    begin_all(driver);
    if (is_due(base)) {
        take_events(driver);
    }
    return epoll_complete(driver);
}

static int64_t time_left(struct epoll *driver, int64_t until_ns)
{
    int64_t left = until_ns;
    if (until_ns != INT64_MAX) {
        left = until_ns - clock_now_ns();
    }
    return driver->nudged != NULL && left > NUDGE_EVERY_NS ? NUDGE_EVERY_NS
                                                           : left;
}

static unsigned wait_set(struct driver *base, int64_t until_ns)
{
    struct epoll *driver = epoll_of(base);
    begin_all(driver);
    if (driver->ready_count == 0 && driver->done_first == NULL) {
        wait_for(driver, time_left(driver, until_ns));
    }
    take_events(driver);
    return epoll_complete(driver);
}

static void wake(struct driver *from, struct worker *target)
{
    (void)from;
    RULE(WRK_WAKE_1);
    driver_ring_bell(target);
}

/* --- life ----------------------------------------------------------------- */

static int create(struct worker *worker, struct driver **ret_driver)
{
    struct epoll_event bell = {.events = EPOLLIN, .data.u64 = MARK_BELL};
    struct epoll *driver = calloc(1, sizeof *driver);
    if (driver == NULL) {
        return -ENOMEM;
    }
    driver->worker = worker;
    driver->fd = epoll_create1(EPOLL_CLOEXEC);
    if (driver->fd < 0 ||
        epoll_ctl(driver->fd, EPOLL_CTL_ADD, worker->bell, &bell) < 0) {
        int rc = -errno;
        if (driver->fd >= 0) {
            close(driver->fd);
        }
        free(driver);
        return rc;
    }
    *ret_driver = &driver->base;
    return 0;
}

static void destroy(struct driver *base)
{
    struct epoll *driver = epoll_of(base);
    ASSERT(driver->ops == 0);
    close(driver->fd);
    free(driver->watches);
    free(driver);
}

const struct driver_way epoll_way = {
    .name = "epoll",
    .file_threads = true,
    .create = create,
    .destroy = destroy,
    .submit = submit,
    .cancel = cancel,
    .poll = poll_set,
    .wait = wait_set,
    .is_due = is_due,
    .wake = wake,
};
