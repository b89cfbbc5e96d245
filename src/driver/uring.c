/* SPDX-License-Identifier: MIT */
/*
 * uring.c -- the driver over one io_uring.
 *
 * An operation in the kernel is named by a slot and the slot's generation,
 * never by an address, so a late completion or cancel cannot hit a stranger.
 *
 *   user_data   0 .. 31   slot, or one of the MARK_ values
 *              32 .. 62   generation
 *                    63   this is the completion of a cancel request
 *
 * A cancel is a hint: whatever it answers, the operation's own completion
 * ends it.  A cancel that found its target busy is sent again next turn.
 *
 *   IO-BUF-1     see driver.h
 *   IO-CANCEL-1  A cancel needs nothing that could be missing: it waits in a
 *                list inside the operation until the ring has room.
 *
 * Owner: the worker's thread; driver_ring_bell() any thread.
 */
#include "src/driver/driver.h"

#include "src/driver/uring_abi.h"
#include "src/driver/uring_prep.h"
#include "src/runtime.h"
#include "src/tools.h"
#include "src/worker.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MARK_CANCEL_BIT = 63,
    MARK_WAKE = 0xffffffffu,    /* a message from another ring: just wake */
    MARK_BELL = 0xfffffffeu,    /* the worker's bell has been rung */
    MARK_SENT = 0xfffffffdu,    /* our message to another ring failed */
    SLOTS_FIRST = 64,
};

struct slot {
    struct op *op; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct driver {
    struct io_uring ring;
    struct worker *worker;
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_free;  /* index + 1; 0: none */
    uint32_t ops_max;
    uint32_t ops;        /* under way */
    struct op *waiting_first; /* prepared nowhere yet: the ring was full */
    struct op *waiting_last;
    struct op *wanted;        /* cancels to be sent */
    uint64_t bell_value;
    bool bell_armed;
    unsigned prepared;        /* entries not yet handed to the kernel */
};

static uint64_t op_name(const struct driver *driver, const struct op *op)
{
    uint64_t generation = driver->slots[op->slot].generation & 0x7fffffff;
    return generation << 32 | op->slot;
}

/* An entry to fill in, or NULL when the kernel takes no more just now. */
static struct io_uring_sqe *driver_entry(struct driver *driver)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&driver->ring);
    if (sqe == NULL) {
        io_uring_submit(&driver->ring);
        driver->prepared = io_uring_sq_ready(&driver->ring);
        sqe = io_uring_get_sqe(&driver->ring);
    }
    if (sqe != NULL) {
        driver->prepared++;
    }
    return sqe;
}

static int slots_grow(struct driver *driver)
{
    uint32_t count = driver->slot_count * 2;
    count = count == 0 ? SLOTS_FIRST : count;
    struct slot *slots = realloc(driver->slots, count * sizeof *slots);
    if (slots == NULL) {
        return -EAGAIN;
    }
    for (uint32_t i = driver->slot_count; i < count; i++) {
        slots[i] = (struct slot){NULL, 0, i + 1 < count ? i + 2 : 0};
    }
    driver->slot_free = driver->slot_count + 1;
    driver->slots = slots;
    driver->slot_count = count;
    return 0;
}

static int slot_take(struct driver *driver, struct op *op)
{
    if (driver->ops >= driver->ops_max) {
        return -EAGAIN;
    }
    if (driver->slot_free == 0) {
        int rc = slots_grow(driver);
        if (rc < 0) {
            return rc;
        }
    }
    op->slot = driver->slot_free - 1;
    struct slot *slot = &driver->slots[op->slot];
    driver->slot_free = slot->next_free;
    slot->op = op;
    driver->ops++;
    return 0;
}

static void slot_give(struct driver *driver, struct op *op)
{
    struct slot *slot = &driver->slots[op->slot];
    slot->op = NULL;
    slot->generation++;
    slot->next_free = driver->slot_free;
    driver->slot_free = op->slot + 1;
    driver->ops--;
}

static bool op_issue(struct driver *driver, struct op *op)
{
    struct io_uring_sqe *sqe = driver_entry(driver);
    if (sqe == NULL) {
        return false;
    }
    uring_prep(sqe, op);
    io_uring_sqe_set_data64(sqe, op_name(driver, op));
    op->state = OP_INFLIGHT;
    count_own(&driver->worker->stats.ops_submitted);
    return true;
}

int driver_submit(struct driver *driver, struct op *op)
{
    int rc = slot_take(driver, op);
    if (rc < 0) {
        return rc;
    }
    op->state = OP_QUEUED;
    op->cancel_wanted = false;
    op->cancel_sent = false;
    op->next = NULL;
    op->worker = driver->worker;
    if (driver->waiting_first == NULL && op_issue(driver, op)) {
        return 0;
    }
    if (driver->waiting_last == NULL) {
        driver->waiting_first = op;
    } else {
        driver->waiting_last->next = op;
    }
    driver->waiting_last = op;
    return 0;
}

void driver_cancel(struct driver *driver, struct op *op)
{
    if (op->state == OP_DONE || op->cancel_wanted) {
        return;
    }
    RULE(IO_EFFECT_1);
    op->cancel_wanted = true;
    op->cancel_sent = false;
    op->next_cancel = driver->wanted;
    driver->wanted = op;
}

static void op_done(struct driver *driver, struct op *op, int32_t result)
{
    RULE(IO_BUFFER_1);
    slot_give(driver, op);
    if (op->cancel_wanted && !op->cancel_sent) {
        struct op **at = &driver->wanted;
        while (*at != op) {
            at = &(*at)->next_cancel;
        }
        *at = op->next_cancel;
    }
    op->state = OP_DONE;
    op->result = result;
    tool_mark_written(op->memory, uring_written(op));
    count_own(&driver->worker->stats.ops_completed);
    op->complete(op);
}

/* Operations that found the ring full, oldest first; a cancelled one that the
 * kernel has not seen ends here. */
static unsigned issue_waiting(struct driver *driver)
{
    unsigned ended = 0;
    while (driver->waiting_first != NULL) {
        struct op *op = driver->waiting_first;
        struct op *next = op->next;
        bool called_off = op->cancel_wanted;
        if (!called_off && !op_issue(driver, op)) {
            break;
        }
        driver->waiting_first = next;
        if (next == NULL) {
            driver->waiting_last = NULL;
        }
        if (called_off) {
            ended++;
            op_done(driver, op, -ECANCELED);
        }
    }
    return ended;
}

static void send_cancels(struct driver *driver)
{
    while (driver->wanted != NULL) {
        struct op *op = driver->wanted;
        if (op->state == OP_QUEUED) {
            return; /* issue_waiting() ends it */
        }
        struct io_uring_sqe *sqe = driver_entry(driver);
        if (sqe == NULL) {
            return;
        }
        uint64_t name = op_name(driver, op);
        io_uring_prep_cancel64(sqe, name, 0);
        io_uring_sqe_set_data64(sqe, name | UINT64_C(1) << MARK_CANCEL_BIT);
        op->cancel_sent = true;
        driver->wanted = op->next_cancel;
    }
}

/* Found busy or not yet there: ask again, while there is a point in it. */
static void cancel_answered(struct driver *driver, struct op *op, int result)
{
    bool again = result == -ENOENT || result == -EALREADY;
    if (again && op->cancel_sent && uring_is_prompt(op)) {
        op->cancel_sent = false;
        op->next_cancel = driver->wanted;
        driver->wanted = op;
    }
}

static void arm_bell(struct driver *driver)
{
    struct io_uring_sqe *sqe = driver_entry(driver);
    if (sqe == NULL) {
        return;
    }
    io_uring_prep_read(sqe, driver->worker->bell, &driver->bell_value,
                       sizeof driver->bell_value, 0);
    io_uring_sqe_set_data64(sqe, MARK_BELL);
    driver->bell_armed = true;
}

/* Our message could not be delivered: the other end has an eventfd too. */
static void message_failed(struct driver *driver, uint64_t user_data)
{
    unsigned index = (unsigned)(user_data >> 32);
    driver_ring_bell(driver->worker->runtime->workers[index]);
}

static void complete_one(struct driver *driver, uint64_t user_data, int result)
{
    uint32_t index = (uint32_t)user_data;
    if (index == MARK_BELL) {
        driver->bell_armed = false;
        return;
    }
    if (index == MARK_WAKE) {
        return;
    }
    if (index == MARK_SENT) {
        if (result < 0) {
            message_failed(driver, user_data);
        }
        return;
    }
    ASSERT(index < driver->slot_count);
    struct slot *slot = &driver->slots[index];
    uint32_t generation = (uint32_t)(user_data >> 32) & 0x7fffffff;
    if (slot->op == NULL || (slot->generation & 0x7fffffff) != generation) {
        return; /* a cancel answered after its target had gone */
    }
    if (user_data >> MARK_CANCEL_BIT) {
        cancel_answered(driver, slot->op, result);
        return;
    }
    op_done(driver, slot->op, result);
}

/* Completes what the ring holds now; what completions add comes next turn. */
static unsigned reap(struct driver *driver)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned ready = io_uring_cq_ready(&driver->ring);
    unsigned seen = 0;
    while (seen < ready) {
        struct { uint64_t name; int result; } batch[32];
        unsigned n = 0;
        io_uring_for_each_cqe(&driver->ring, head, cqe)
        {
            batch[n].name = cqe->user_data;
            batch[n++].result = cqe->res;
            if (n == ARRAY_LEN(batch) || seen + n == ready) {
                break;
            }
        }
        io_uring_cq_advance(&driver->ring, n);
        seen += n;
        for (unsigned i = 0; i < n; i++) {
            complete_one(driver, batch[i].name, batch[i].result);
        }
    }
    return seen;
}

/* Returns how many operations ended without the kernel's help. */
static unsigned prepare_all(struct driver *driver)
{
    unsigned ended = 0;
    if (!driver->bell_armed) {
        arm_bell(driver);
    }
    if (driver->waiting_first != NULL) {
        ended = issue_waiting(driver);
    }
    if (driver->wanted != NULL) {
        send_cancels(driver);
    }
    return ended;
}

/* Something found no room in the ring: to be tried again soon. */
static bool holds_back(const struct driver *driver)
{
    return driver->waiting_first != NULL || driver->wanted != NULL ||
           !driver->bell_armed;
}

static bool kernel_has_work(struct driver *driver)
{
    unsigned flags = IO_URING_READ_ONCE(*driver->ring.sq.kflags);
    return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

bool driver_is_due(struct driver *driver)
{
    return kernel_has_work(driver) || io_uring_cq_ready(&driver->ring) > 0;
}

/* EINTR, EBUSY and EAGAIN mean: reap, and come again next turn. */
static void driver_entered(struct driver *driver, int rc)
{
    driver->prepared = io_uring_sq_ready(&driver->ring);
    if (rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EBUSY ||
        rc == -EAGAIN) {
        return;
    }
    errno = -rc;
    base_die(__FILE__, __LINE__, "io_uring_enter failed for good");
}

unsigned driver_poll(struct driver *driver)
{
    unsigned ended = prepare_all(driver);
    if (driver->prepared > 0) {
        driver_entered(driver, io_uring_submit_and_get_events(&driver->ring));
    } else if (kernel_has_work(driver)) {
        driver_entered(driver, io_uring_get_events(&driver->ring));
    }
    return ended + reap(driver);
}

/* In short waits: a completion that has yet to be run by us wakes no poll(2). */
static void wait_in_poll(struct driver *driver, int64_t until_ns)
{
    struct pollfd ring = {.fd = driver->ring.ring_fd, .events = POLLIN};
    driver_entered(driver, io_uring_submit_and_get_events(&driver->ring));
    for (int i = 0; i < 50 && io_uring_cq_ready(&driver->ring) == 0; i++) {
        sched_yield();
        driver_entered(driver, io_uring_get_events(&driver->ring));
    }
    if (io_uring_cq_ready(&driver->ring) == 0 && until_ns > clock_now_ns()) {
        poll(&ring, 1, 1);
        driver_entered(driver, io_uring_get_events(&driver->ring));
    }
}

static void wait_in_ring(struct driver *driver, int64_t until_ns)
{
    struct __kernel_timespec left = {0, 0};
    struct io_uring_cqe *cqe;
    if (until_ns != INT64_MAX) {
        int64_t ns = until_ns - clock_now_ns();
        left.tv_sec = ns > 0 ? ns / 1000000000 : 0;
        left.tv_nsec = ns > 0 ? ns % 1000000000 : 0;
    }
    driver_entered(driver, io_uring_submit_and_wait_timeout(
                               &driver->ring, &cqe, 1,
                               until_ns == INT64_MAX ? NULL : &left, NULL));
}

unsigned driver_wait(struct driver *driver, int64_t until_ns)
{
    unsigned ended = prepare_all(driver);
    if (ended > 0 || holds_back(driver)) {
        return ended + driver_poll(driver);
    }
    if (tool_stops_on_ring_wait()) {
        wait_in_poll(driver, until_ns);
    } else {
        wait_in_ring(driver, until_ns);
    }
    return reap(driver);
}

void driver_ring_bell(struct worker *target)
{
    uint64_t one = 1;
    ssize_t put = write(target->bell, &one, sizeof one);
    (void)put; /* EAGAIN: the counter is full, so it is readable */
}

void driver_wake(struct driver *from, struct worker *target)
{
    struct io_uring_sqe *sqe = driver_entry(from);
    if (sqe == NULL) {
        driver_ring_bell(target);
        return;
    }
    io_uring_prep_msg_ring(sqe, target->driver->ring.ring_fd, 0, MARK_WAKE, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(sqe, (uint64_t)target->index << 32 | MARK_SENT);
    driver_entered(from, io_uring_submit(&from->ring));
    if (UNLIKELY(from->prepared > 0)) {
        RULE(WRK_WAKE_1);
        /* It is still here, and our next turn may be far, or never come. */
        driver_ring_bell(target);
    }
}

int driver_create(struct worker *worker, unsigned entries, unsigned flags,
                  uint32_t ops_max, struct driver **ret_driver)
{
    struct driver *driver = calloc(1, sizeof *driver);
    if (driver == NULL) {
        return -ENOMEM;
    }
    driver->worker = worker;
    driver->ops_max = ops_max;
    struct io_uring_params params = {.flags = flags};
    params.flags |= IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    params.cq_entries = entries * 8;
    int rc = io_uring_queue_init_params(entries, &driver->ring, &params);
    if (rc < 0) {
        free(driver);
        return rc;
    }
    io_uring_ring_dontfork(&driver->ring);
    arm_bell(driver);
    *ret_driver = driver;
    return 0;
}

/* Takes the bell's read back from the kernel, so that nothing of ours is
 * referenced once the ring is gone. */
static void disarm_bell(struct driver *driver)
{
    while (driver->bell_armed) {
        driver_ring_bell(driver->worker);
        driver_entered(driver, io_uring_submit_and_wait(&driver->ring, 1));
        reap(driver);
    }
}

void driver_destroy(struct driver *driver)
{
    if (driver == NULL) {
        return;
    }
    ASSERT(driver->ops == 0);
    disarm_bell(driver);
    io_uring_queue_exit(&driver->ring);
    free(driver->slots);
    free(driver);
}
