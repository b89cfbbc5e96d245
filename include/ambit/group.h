/* SPDX-License-Identifier: MIT */
/*
 * ambit/group.h -- a task group: tasks whose results are fetched one by one.
 *
 * A group is a region whose tasks are branches (ambit/combine.h) and whose
 * results have any size and type:
 *
 *     int rc = 0;
 *     ambit_group (cx, pages, &rc) {
 *         ambit_future first, second;
 *         ambit_group_spawn(pages, fetch_branch(&a, NULL), &first);
 *         ambit_group_spawn(pages, fetch_branch(&b, NULL), &second);
 *         struct page page;
 *         int result;
 *         if (ambit_future_join(cx, first, &page, &result) == 0 && result >= 0)
 *             ...
 *     }                                      // all have ended here
 *
 * The braces mean what they mean for ambit_scope, also when they are left early
 * or by a panic: in the end every task of the group has ended.  A failure that
 * was fetched is its fetcher's business and nobody else's; one that nobody has
 * fetched becomes the group's result.  A value that nobody has fetched is
 * disposed of.
 */
#ifndef AMBIT_GROUP_H
#define AMBIT_GROUP_H

#include <ambit/combine.h>

AMBIT_BEGIN

/* In the caller's frame; stays where it is. */
struct ambit_group {
    struct ambit_scope_block scope;
    ambit_region *region;
    unsigned char room[64] __attribute__((aligned(16)));
};

/* A result to come.  A value; good until the group closes. */
typedef struct ambit_future {
    ambit_task task;
    void *value;
    size_t ret_size;
} ambit_future;

/*
 * Opens a group.  Does not suspend.  As ambit_scope_open(), whose options it
 * takes; the policy is always that a failure is the task's own.
 */
AMBIT_API int ambit_group_open(ambit_cx *cx, struct ambit_group *group,
                               const struct ambit_scope_options *options);

/* Waits for all.  body_rc as in ambit_scope_close().  Of the tasks nobody
 * joined the first in order of spawning that failed is the result. */
AMBIT_API int ambit_group_close(ambit_cx *cx, struct ambit_group *group,
                                int body_rc);

/*
 * Starts the branch in the group, with a copy of its argument (any size up to
 * 4 KiB).  Its ret is not used: the value waits to be fetched.  Does not
 * suspend.  0, or the refusals of ambit_spawn(); ret_future may be NULL.
 * The opener of the group or one of its tasks.
 */
AMBIT_API int ambit_group_spawn(struct ambit_group *group,
                                struct ambit_branch branch,
                                ambit_future *ret_future);

/* Asks all of it to end; as ambit_cancel() of its region. */
AMBIT_API void ambit_group_cancel(struct ambit_group *group, const char *text);

/*
 * Waits for the task and fetches what came of it: *ret_result is the branch's
 * result; when that is 0 or more *ret holds the value, which is the caller's
 * now; -ECANCELED when the task was cancelled, -EOWNERDEAD when it panicked.
 * `ret` NULL: the value is disposed of.  Returns 0; -ECANCELED when the caller
 * is cancelled first, with the future still good; -ESTALE when it was fetched
 * before, or the group has closed; -EBUSY when another task is waiting for it;
 * -EDEADLK for oneself.  The opener of the group or one of its tasks.
 */
#define ambit_future_join(cx, future, ret, ret_result) \
    ambit_future_join_(AMBIT_HERE(cx), (future), (ret), sizeof(*(ret)), \
                       (ret_result))
/* -EINVAL for a ret_size that is not the branch's, when `ret` is given; then
 * nothing happened. */
AMBIT_API int ambit_future_join_(ambit_cx *cx, ambit_future future, void *ret,
                                 size_t ret_size, int *ret_result);

/* Behind the block form. */
AMBIT_API struct ambit_group *
ambit_group_enter_(ambit_cx *cx, struct ambit_group *group, int *rc,
                   const struct ambit_scope_options *options);
AMBIT_API void ambit_group_leave_(struct ambit_group *group);

#define ambit_group(cx_, name_, rc_, ...) \
    for (struct ambit_group name_##_group_ \
         __attribute__((cleanup(ambit_group_leave_))), \
         *name_ = ambit_group_enter_( \
             AMBIT_HERE(cx_), &name_##_group_, (rc_), \
             &(const struct ambit_scope_options){ \
                 .size_ = sizeof(struct ambit_scope_options), __VA_ARGS__}); \
         name_ != NULL; ambit_group_leave_(&name_##_group_), name_ = NULL) \
        for (; !name_##_group_.scope.reached_end; \
             name_##_group_.scope.reached_end = true)

AMBIT_END

#endif
