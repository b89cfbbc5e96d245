/* SPDX-License-Identifier: MIT */
/*
 * no_await.h -- for models in which every task has a stack.
 */
#ifndef AMBIT_TESTS_MODELS_NO_AWAIT_H
#define AMBIT_TESTS_MODELS_NO_AWAIT_H

#include "src/await.h"
#include "tests/models/model.h"

void await_say(struct await *await, int64_t value)
{
    (void)await, (void)value;
    model_fail("nobody here is a poll task");
}

void await_granted(struct line_waiter *waiter)
{
    await_say(NULL, waiter->value);
}

void await_until_said(struct await *await)
{
    await_say(await, 0);
}

enum await_look await_look(struct task *task, struct await *await,
                           int64_t *ret_said)
{
    (void)task;
    await_say(await, *ret_said);
    return AWAIT_IDLE;
}

void await_begin(struct await *await, struct task *task,
                 const struct await_kind *kind)
{
    (void)task, (void)kind;
    await_say(await, 0);
}

void await_end(struct await *await)
{
    await_say(await, 0);
}

#endif
