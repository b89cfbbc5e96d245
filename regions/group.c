/* SPDX-License-Identifier: MIT */
/*
 * group.c -- a task group: a scope, and the values of its tasks.
 *
 * Each task has a record with its copy of the argument and room for its value.
 * The hand-over is ambit_join()'s: whoever gets a task's result from there is
 * the one owner of its record, and frees it.  What is left when the region has
 * drained is swept up by a finalizer of the region.
 *
 *   GROUP-JOIN-1  A value is handed out bit by bit, once.
 *   GROUP-END-1   A failure nobody fetched is the group's, a value nobody
 *                 fetched is disposed of.
 */
#include "regions/combinator.h"

#include <ambit/await.h>
#include <ambit/group.h>

#include <stdlib.h>

struct group {
    struct spin lock;        /* guards values */
    struct list_node values; /* in order of spawning */
};

_Static_assert(sizeof(struct group) <=
                   sizeof(((struct ambit_group *)0)->room),
               "a group fits into its room");

struct value {
    struct list_node node; /* group.values */
    struct group *group;
    struct ambit_branch branch;
    void *room;
    int result;
    bool begun;
    bool returned; /* else it panicked, if it has begun */
    bool made;     /* the room holds a value */
};

static struct group *group_of(struct ambit_group *group)
{
    return (struct group *)(void *)group->room;
}

static int value_result(const struct value *value)
{
    return value->returned ? value->result
           : value->begun  ? -EOWNERDEAD
                           : -ECANCELED;
}

static void value_free(struct value *value)
{
    if (value->made) {
        branch_dispose(&value->branch, value->room);
    }
    free(value);
}

static void value_unlink(struct value *value)
{
    spin_lock(&value->group->lock);
    list_remove(&value->node);
    spin_unlock(&value->group->lock);
}

/* A finalizer: all tasks have ended, so nobody else is at it. */
static int sweep(ambit_cx *cx, void *arg)
{
    struct group *group = arg;
    bool cancelled = owner_is_cancelled(task_of(cx)->scope);
    int rc = 0;
    struct list_node *node;
    while ((node = list_pop_front(&group->values)) != NULL) {
        struct value *value = CONTAINER_OF(node, struct value, node);
        int result = value_result(value);
        if (rc == 0 && result < 0 && !(result == -ECANCELED && cancelled)) {
            RULE(GROUP_END_1);
            rc = result;
        }
        value_free(value);
    }
    return rc;
}

int ambit_group_open(ambit_cx *cx, struct ambit_group *group,
                     const struct ambit_scope_options *given)
{
    struct ambit_scope_options options = {0};
    if (given != NULL) {
        memcpy(&options, given,
               given->size_ < sizeof options ? given->size_ : sizeof options);
    }
    options.size_ = sizeof options;
    options.policy = AMBIT_ISOLATE;
    int rc = ambit_scope_open(cx, &group->scope, &options);
    if (rc < 0) {
        return rc;
    }
    group->region = group->scope.region;
    spin_init(&group_of(group)->lock);
    list_init(&group_of(group)->values);
    rc = ambit_defer_async(group->region, sweep, group_of(group));
    if (rc < 0) {
        (void)ambit_scope_close(cx, &group->scope, rc);
    }
    return rc;
}

int ambit_group_close(ambit_cx *cx, struct ambit_group *group, int body_rc)
{
    RULE(GROUP_CLOSE_1);
    return ambit_scope_close(cx, &group->scope, body_rc);
}

struct ambit_group *
ambit_group_enter_(ambit_cx *cx, struct ambit_group *group, int *rc,
                   const struct ambit_scope_options *options)
{
    int opened = ambit_group_open(cx, group, options);
    group->scope.rc = rc;
    group->scope.rc_before = *rc;
    if (opened < 0) {
        *rc = *rc < 0 ? *rc : opened;
        return NULL;
    }
    return group;
}

void ambit_group_leave_(struct ambit_group *group)
{
    ambit_scope_leave_(&group->scope);
}

/* --- tasks ---------------------------------------------------------------- */

static int value_run(ambit_cx *cx, void *arg)
{
    struct value *value = *(struct value **)arg;
    value->begun = true;
    value->result = branch_call(cx, &value->branch, value->room, INT64_MAX,
                                &value->made);
    value->returned = true;
    return value->result;
}

static size_t round_up(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* The record, the argument and the room in one block. */
static int value_make(struct group *group, const struct ambit_branch *branch,
                      struct value **ret_value)
{
    size_t head = round_up(sizeof(struct value));
    size_t arg_size = branch->arg != NULL ? branch->arg_size : 0;
    if (arg_size > TASK_ARG_MAX) {
        return -E2BIG;
    }
    if (branch->ret_size > PTRDIFF_MAX / 2) {
        return -ENOMEM;
    }
    char *block = malloc(head + round_up(arg_size) + branch->ret_size);
    if (block == NULL) {
        return -ENOMEM;
    }
    struct value *value = (struct value *)(void *)block;
    *value = (struct value){.group = group, .branch = *branch,
                            .room = block + head + round_up(arg_size)};
    if (arg_size > 0) {
        memcpy(block + head, branch->arg, arg_size);
        value->branch.arg = block + head;
    }
    *ret_value = value;
    return 0;
}

int ambit_group_spawn(struct ambit_group *public, struct ambit_branch branch,
                      ambit_future *ret_future)
{
    struct group *group = group_of(public);
    struct value *value;
    ambit_task task;
    int rc = value_make(group, &branch, &value);
    if (rc < 0) {
        return rc;
    }
    const struct ambit_spawn_options options = {.size_ = sizeof options,
                                                .name = branch.name,
                                                .ret_task = &task};
    spin_lock(&group->lock);
    list_push_back(&group->values, &value->node);
    spin_unlock(&group->lock);
    rc = ambit_spawn_(public->region, value_run, &value, sizeof(value),
                      &options);
    if (rc < 0) {
        value_unlink(value);
        free(value);
        return rc;
    }
    if (ret_future != NULL) {
        *ret_future = (ambit_future){task, value, branch.ret_size};
    }
    return 0;
}

void ambit_group_cancel(struct ambit_group *group, const char *text)
{
    ambit_cancel(group->region, text);
}

/* Its task has been joined: it is ours alone. */
static void value_fetch(struct value *value, void *ret, size_t ret_size,
                        int result)
{
    value_unlink(value);
    if (result >= 0 && ret != NULL) {
        RULE(GROUP_JOIN_1);
        memcpy(ret, value->room, ret_size);
        value->made = false;
    }
    value_free(value);
}

int ambit_future_join_(ambit_cx *cx, ambit_future future, void *ret,
                       size_t ret_size, int *ret_result)
{
    int result;
    if (ret != NULL && ret_size != future.ret_size) {
        return -EINVAL;
    }
    int rc = ambit_join(cx, future.task, &result);
    if (rc < 0) {
        RULE(GROUP_JOIN_2);
        return rc;
    }
    value_fetch(future.value, ret, ret_size, result);
    *ret_result = result;
    return 0;
}

int ambit_await_future_(ambit_cx *cx, struct ambit_await *wait,
                        ambit_future future, void *ret, size_t ret_size,
                        int *ret_result)
{
    int result;
    if (ret != NULL && ret_size != future.ret_size) {
        return -EINVAL;
    }
    int rc = ambit_await_join(cx, wait, future.task, &result);
    if (rc != 0) {
        return rc;
    }
    RULE(AWAIT_JOIN_2);
    value_fetch(future.value, ret, ret_size, result);
    *ret_result = result;
    return 0;
}
