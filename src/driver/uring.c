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
 * Owner: the worker's thread.
 */
#include "src/driver/driver.h"

#include "src/driver/uring_abi.h"
#include "src/driver/uring_prep.h"
#include "src/driver/uring_slots.h"
#include "src/runtime.h"
#include "src/tools.h"
#include "src/worker.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>

enum {
    MARK_CANCEL_BIT = 63,
    MARK_WAKE = 0xffffffffu,    /* a message from another ring: just wake */
    MARK_BELL = 0xfffffffeu,    /* the worker's bell has been rung */
    MARK_SENT = 0xfffffffdu,    /* our message to another ring failed */
};

struct uring {
    struct driver base;
    struct io_uring ring;
    struct worker *worker;
    struct slots slots;
    struct op *waiting_first; /* prepared nowhere yet: the ring was full */
    struct op *waiting_last;
    struct op *wanted;        /* cancels to be sent */
    uint64_t bell_value;
    bool bell_armed;
    unsigned prepared;        /* entries not yet handed to the kernel */
};

static struct uring *uring_of(struct driver *base)
{
    return CONTAINER_OF(base, struct uring, base);
}

static uint64_t op_name(const struct uring *driver, const struct op *op)
{
    uint64_t generation = driver->slots.at[op->slot].generation & 0x7fffffff;
    return generation << 32 | op->slot;
}

/* An entry to fill in, or NULL when the kernel takes no more just now. */
static struct io_uring_sqe *driver_entry(struct uring *driver)
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

static bool op_issue(struct uring *driver, struct op *op)
{
    struct io_uring_sqe *sqe = driver_entry(driver);
    if (sqe == NULL) {
        return false;
    }
    uring_prep(sqe, op);
    io_uring_sqe_set_data64(sqe, op_name(driver, op));
    op->state = OP_INFLIGHT;
    return true;
}

static int submit(struct driver *base, struct op *op)
{
    struct uring *driver = uring_of(base);
    int rc = slot_take(&driver->slots, op);
    if (rc < 0) {
        return rc;
    }
    op->state = OP_QUEUED;
    op->cancel_wanted = false;
    op->cancel_sent = false;
    op->next = NULL;
    op->worker = driver->worker;
    count_own(&driver->worker->stats.ops_submitted);
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

static void cancel(struct driver *base, struct op *op)
{
    struct uring *driver = uring_of(base);
    if (op->state == OP_DONE || op->cancel_wanted) {
        return;
    }
    RULE(IO_EFFECT_1);
    op->cancel_wanted = true;
    op->cancel_sent = false;
    op->next_cancel = driver->wanted;
    driver->wanted = op;
}

static void op_done(struct uring *driver, struct op *op, int32_t result)
{
    RULE(IO_BUFFER_1);
    slot_give(&driver->slots, op);
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
static unsigned issue_waiting(struct uring *driver)
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

static void send_cancels(struct uring *driver)
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
static void cancel_answered(struct uring *driver, struct op *op, int result)
{
    bool again = result == -ENOENT || result == -EALREADY;
    if (again && op->cancel_sent && uring_is_prompt(op)) {
        op->cancel_sent = false;
        op->next_cancel = driver->wanted;
        driver->wanted = op;
    }
}

static void arm_bell(struct uring *driver)
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
static void message_failed(struct uring *driver, uint64_t user_data)
{
    unsigned index = (unsigned)(user_data >> 32);
    driver_ring_bell(driver->worker->runtime->workers[index]);
}

static void complete_one(struct uring *driver, uint64_t user_data, int result)
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
    ASSERT(index < driver->slots.count);
    struct slot *slot = &driver->slots.at[index];
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
static unsigned reap(struct uring *driver)
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
static unsigned prepare_all(struct uring *driver)
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
static bool holds_back(const struct uring *driver)
{
    return driver->waiting_first != NULL || driver->wanted != NULL ||
           !driver->bell_armed;
}

static bool kernel_has_work(struct uring *driver)
{
    unsigned flags = IO_URING_READ_ONCE(*driver->ring.sq.kflags);
    return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

static bool is_due(struct driver *base)
{
    struct uring *driver = uring_of(base);
    return kernel_has_work(driver) || io_uring_cq_ready(&driver->ring) > 0;
}

/* EINTR, EBUSY and EAGAIN mean: reap, and come again next turn. */
static void driver_entered(struct uring *driver, int rc)
{
    driver->prepared = io_uring_sq_ready(&driver->ring);
    if (rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EBUSY ||
        rc == -EAGAIN) {
        return;
    }
    errno = -rc;
    base_die(__FILE__, __LINE__, "io_uring_enter failed for good");
}

static unsigned poll_ring(struct driver *base)
{
    struct uring *driver = uring_of(base);
    unsigned ended = prepare_all(driver);
    if (driver->prepared > 0) {
        driver_entered(driver, io_uring_submit_and_get_events(&driver->ring));
    } else if (kernel_has_work(driver)) {
        driver_entered(driver, io_uring_get_events(&driver->ring));
    }
    return ended + reap(driver);
}

/* In short waits: a completion that has yet to be run by us wakes no poll(2). */
static void wait_in_poll(struct uring *driver, int64_t until_ns)
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

static void wait_in_ring(struct uring *driver, int64_t until_ns)
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

static unsigned wait_ring(struct driver *base, int64_t until_ns)
{
    struct uring *driver = uring_of(base);
    unsigned ended = prepare_all(driver);
    if (ended > 0 || holds_back(driver)) {
        return ended + poll_ring(base);
    }
    if (tool_stops_on_ring_wait()) {
        wait_in_poll(driver, until_ns);
    } else {
        wait_in_ring(driver, until_ns);
    }
    return reap(driver);
}

static void wake(struct driver *base, struct worker *target)
{
    struct uring *from = uring_of(base);
    struct io_uring_sqe *sqe = driver_entry(from);
    if (sqe == NULL) {
        driver_ring_bell(target);
        return;
    }
    io_uring_prep_msg_ring(sqe, uring_of(target->driver)->ring.ring_fd, 0,
                           MARK_WAKE, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(sqe, (uint64_t)target->index << 32 | MARK_SENT);
    driver_entered(from, io_uring_submit(&from->ring));
    if (UNLIKELY(from->prepared > 0)) {
        RULE(WRK_WAKE_1);
        /* It is still here, and our next turn may be far, or never come. */
        driver_ring_bell(target);
    }
}

static int create(struct worker *worker, struct driver **ret_driver)
{
    const struct ambit_runtime_options *options = &worker->runtime->options;
    struct uring *driver = calloc(1, sizeof *driver);
    if (driver == NULL) {
        return -ENOMEM;
    }
    driver->worker = worker;
    driver->slots.most = options->ops_max;
    struct io_uring_params params = {.flags = worker->runtime->probe.flags};
    params.flags |= IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    params.cq_entries = options->ring_entries * 8;
    int rc = io_uring_queue_init_params(options->ring_entries, &driver->ring,
                                        &params);
    if (rc < 0) {
        RULE(DRV_FALLBACK_3);
        driver_probe_forget();
        free(driver);
        return rc;
    }
    tool_has_mapped(&uring_way);
    io_uring_ring_dontfork(&driver->ring);
    arm_bell(driver);
    *ret_driver = &driver->base;
    return 0;
}

/* Takes the bell's read back from the kernel, so that nothing of ours is
 * referenced once the ring is gone. */
static void disarm_bell(struct uring *driver)
{
    while (driver->bell_armed) {
        driver_ring_bell(driver->worker);
        driver_entered(driver, io_uring_submit_and_wait(&driver->ring, 1));
        reap(driver);
    }
}

static void destroy(struct driver *base)
{
    struct uring *driver = uring_of(base);
    ASSERT(driver->slots.taken == 0);
    disarm_bell(driver);
    tool_will_unmap(&uring_way);
    io_uring_queue_exit(&driver->ring);
    free(driver->slots.at);
    free(driver);
}

const struct driver_way uring_way = {
    .name = "uring",
    .create = create,
    .destroy = destroy,
    .submit = submit,
    .cancel = cancel,
    .poll = poll_ring,
    .wait = wait_ring,
    .is_due = is_due,
    .wake = wake,
};
