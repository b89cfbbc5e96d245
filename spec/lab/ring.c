/* SPDX-License-Identifier: MIT */
/*
 * ring.c -- io_uring's rings, on liburing's own structure.
 *
 * The submission and completion queues are ordinary memory that struct
 * io_uring points to, so liburing's inline functions work on them; what would
 * enter the kernel comes here.  As with IORING_SETUP_DEFER_TASKRUN completions
 * wait until their ring is entered for them, and a flag says that there are
 * some.
 */
#include "spec/lab/kernel.h"

#include <stdlib.h>

#include "spec/lab/os.h"

#undef malloc
#undef calloc
#undef free
#undef io_uring_queue_init_params
#undef io_uring_queue_exit
#undef io_uring_submit
#undef io_uring_get_events
#undef io_uring_submit_and_get_events
#undef io_uring_submit_and_wait
#undef io_uring_submit_and_wait_timeout
#undef io_uring_ring_dontfork

#ifndef IORING_SQ_TASKRUN
#define IORING_SQ_TASKRUN (1U << 2)
#endif

static struct lab_ring *ring_of(struct io_uring *user)
{
    return lab_fd_find(lab_self, user->ring_fd)->ring;
}

static unsigned power_of_two(unsigned n)
{
    unsigned p = 1;
    while (p < n) {
        p *= 2;
    }
    return p;
}

static void queues_init(struct lab_ring *ring, struct io_uring *user,
                        unsigned entries, unsigned cq_entries)
{
    ring->sqes = calloc(entries, sizeof *ring->sqes);
    ring->cqes = calloc(cq_entries, sizeof *ring->cqes);
    ASSERT(ring->sqes != NULL && ring->cqes != NULL);
    memset(user, 0, sizeof *user);
    user->ring_fd = ring->fd;
    user->enter_ring_fd = ring->fd;
    user->flags = ring->flags;
    user->features = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;
    user->sq.khead = &ring->sq_head;
    user->sq.kflags = &ring->sq_flags;
    user->sq.sqes = ring->sqes;
    user->sq.ring_entries = entries;
    user->sq.ring_mask = entries - 1;
    user->cq.khead = &ring->cq_head;
    user->cq.ktail = &ring->cq_tail;
    user->cq.cqes = ring->cqes;
    user->cq.ring_entries = cq_entries;
    user->cq.ring_mask = cq_entries - 1;
}

int lab_uring_init(unsigned entries, struct io_uring *user,
                   struct io_uring_params *params)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        return io_uring_queue_init_params(entries, user, params);
    }
    if (lab->options.ring_error != 0 &&
        lab->rings_made >= lab->options.rings_max) {
        return lab->options.ring_error;
    }
    if ((params->flags & lab->options.refuse_ring_flags) != 0) {
        return -EINVAL;
    }
    struct lab_fd *fd = lab_fd_make(lab, LAB_FD_RING);
    if (fd == NULL) {
        return -EMFILE;
    }
    struct lab_ring *ring = calloc(1, sizeof *ring);
    ASSERT(ring != NULL);
    lab->rings_made++;
    ring->user = user;
    ring->fd = fd->number;
    ring->flags = params->flags;
    fd->ring = ring;
    list_init(&ring->ops);
    list_init(&ring->deferred);
    list_push_back(&lab->rings, &ring->node);
    unsigned cq = (params->flags & IORING_SETUP_CQSIZE) != 0
                      ? params->cq_entries
                      : entries * 2;
    if (lab->options.cq_entries != 0 && cq > lab->options.cq_entries) {
        cq = lab->options.cq_entries;
    }
    queues_init(ring, user, power_of_two(entries), power_of_two(cq));
    params->features = user->features;
    return 0;
}

static void completions_drop(struct lab_ring *ring)
{
    struct list_node *node;
    while ((node = list_pop_front(&ring->deferred)) != NULL) {
        free(CONTAINER_OF(node, struct lab_completion, node));
    }
}

void lab_uring_exit(struct io_uring *user)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        io_uring_queue_exit(user);
        return;
    }
    struct lab_ring *ring = ring_of(user);
    while (!list_is_empty(&ring->ops)) {
        lab_op_drop(CONTAINER_OF(ring->ops.next, struct lab_op, node));
    }
    completions_drop(ring);
    list_remove(&ring->node);
    lab_close(ring->fd);
    free(ring->sqes);
    free(ring->cqes);
    free(ring);
}

void lab_rings_end(struct lab *lab)
{
    if (!list_is_empty(&lab->rings)) {
        lab_fail("a ring was left open");
    }
    if (!list_is_empty(&lab->events)) {
        lab_fail("something is still to happen");
    }
}

int lab_uring_dontfork(struct io_uring *user)
{
    return lab_self == NULL ? io_uring_ring_dontfork(user) : 0;
}

/* --- completions ----------------------------------------------------------- */

void lab_ring_post(struct lab_ring *ring, uint64_t user_data, int32_t result)
{
    struct lab *lab = lab_self;
    struct lab_completion *made = malloc(sizeof *made);
    ASSERT(made != NULL);
    *made = (struct lab_completion){{0}, user_data, result};
    list_init(&made->node);
    list_push_back(&ring->deferred, &made->node);
    ring->sq_flags |= IORING_SQ_TASKRUN;
    lab_trace(lab, TRACE_CQE, user_data, (uint64_t)(uint32_t)result);
    lab_wake_all(lab, ring);
}

/* As much as the completion queue takes; the rest overflows. */
static void completions_show(struct lab_ring *ring)
{
    unsigned entries = ring->user->cq.ring_entries;
    while (!list_is_empty(&ring->deferred) &&
           ring->cq_tail - ring->cq_head < entries) {
        struct lab_completion *done = CONTAINER_OF(
            list_pop_front(&ring->deferred), struct lab_completion, node);
        struct io_uring_cqe *cqe = &ring->cqes[ring->cq_tail & (entries - 1)];
        cqe->user_data = done->user_data;
        cqe->res = done->result;
        cqe->flags = 0;
        ring->cq_tail++;
        free(done);
    }
    ring->sq_flags &= ~(unsigned)(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
    if (!list_is_empty(&ring->deferred)) {
        ring->sq_flags |= IORING_SQ_CQ_OVERFLOW;
    }
}

/* --- entering -------------------------------------------------------------- */

/* What io_uring_enter() may answer instead of doing anything; 0: nothing. */
static int enter_fault(void)
{
    static const int errors[] = {0, -EINTR, -EBUSY, -EAGAIN};
    return lab_self->options.enter_faults
               ? errors[lab_choose(lab_self, LAB_FAULT, 4, NULL)]
               : 0;
}

/* All that was prepared, or as many of it as the kernel took. */
static int submit(struct lab_ring *ring)
{
    struct io_uring_sq *sq = &ring->user->sq;
    unsigned tail = sq->sqe_tail;
    int n = 0;
    if (lab_self->options.enter_faults && tail - ring->sq_head > 1) {
        tail -= lab_choose(lab_self, LAB_FAULT, 2, NULL);
    }
    while (ring->sq_head != tail) {
        struct io_uring_sqe sqe = ring->sqes[ring->sq_head & sq->ring_mask];
        ring->sq_head++;
        sq->sqe_head = ring->sq_head;
        n++;
        lab_op_issue(lab_self, ring, &sqe);
    }
    return n;
}

int lab_uring_submit(struct io_uring *user)
{
    if (lab_self == NULL) {
        return io_uring_submit(user);
    }
    lab_point();
    int fault = enter_fault();
    return fault != 0 ? fault : submit(ring_of(user));
}

int lab_uring_get_events(struct io_uring *user)
{
    if (lab_self == NULL) {
        return io_uring_get_events(user);
    }
    lab_point();
    int fault = enter_fault();
    if (fault == 0) {
        completions_show(ring_of(user));
    }
    return fault;
}

int lab_uring_submit_get_events(struct io_uring *user)
{
    if (lab_self == NULL) {
        return io_uring_submit_and_get_events(user);
    }
    lab_point();
    int fault = enter_fault();
    if (fault != 0) {
        return fault;
    }
    int n = submit(ring_of(user));
    completions_show(ring_of(user));
    return n;
}

/* Until wait_nr completions are there, or until_ns. */
static int enter(struct lab_ring *ring, unsigned wait_nr, int64_t until_ns)
{
    struct lab *lab = lab_self;
    int fault = enter_fault();
    if (fault != 0) {
        return fault;
    }
    int n = submit(ring);
    if (ring->sq_head != ring->user->sq.sqe_tail) {
        return n; /* as the kernel does: it never waits with some left over */
    }
    completions_show(ring);
    while (ring->cq_tail - ring->cq_head < wait_nr) {
        if (lab->now_ns >= until_ns) {
            return -ETIME;
        }
        lab_wait(lab, ring, until_ns);
        completions_show(ring);
    }
    return n;
}

int lab_uring_submit_wait(struct io_uring *user, unsigned wait_nr)
{
    if (lab_self == NULL) {
        return io_uring_submit_and_wait(user, wait_nr);
    }
    lab_point();
    return enter(ring_of(user), wait_nr, LAB_NEVER);
}

int lab_uring_submit_wait_timeout(struct io_uring *user,
                                  struct io_uring_cqe **ret_cqe,
                                  unsigned wait_nr,
                                  struct __kernel_timespec *timeout,
                                  sigset_t *mask)
{
    if (lab_self == NULL) {
        return io_uring_submit_and_wait_timeout(user, ret_cqe, wait_nr,
                                                  timeout, mask);
    }
    int64_t until = LAB_NEVER;
    if (timeout != NULL) {
        until = lab_self->now_ns + timeout->tv_sec * 1000000000 +
                timeout->tv_nsec;
    }
    lab_point();
    return enter(ring_of(user), wait_nr, until);
}
