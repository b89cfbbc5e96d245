/* SPDX-License-Identifier: MIT */
/*
 * async.c -- what the macros of ambit/async.h leave to the library.
 *
 *   ASYNC-RUN-1     A step goes on at the await where the one before stopped.
 *   ASYNC-STATE-1   0 at the start, n at await n, UINT32_MAX when complete.
 *   ASYNC-META-1    The record says what the compiler says.
 *   ASYNC-LAYOUT-1  The text of a layout.
 *
 * No state of its own; any thread.
 */
#include "src/base.h"

#include <ambit/async.h>
#include <stdarg.h>
#include <stdio.h>

uint32_t ambit_async_enter_(const struct ambit_async_info *info,
                            uint32_t state)
{
    REQUIRE(state != UINT32_MAX, "a machine was stepped that is complete");
    REQUIRE(state <= info->await_points,
            "a machine was stepped that is at none of its awaits");
    RULE(ASYNC_RUN_1);
    return state;
}

int ambit_async_encode(struct ambit_async_at at, uint32_t *ret_state)
{
    bool is_point = at.where == AMBIT_ASYNC_POINT;
    if (is_point != (at.point != 0) || at.point == UINT32_MAX) {
        return -EINVAL;
    }
    switch (at.where) {
    case AMBIT_ASYNC_START:
    case AMBIT_ASYNC_POINT:
        *ret_state = at.point;
        return 0;
    case AMBIT_ASYNC_COMPLETE:
        RULE(ASYNC_STATE_1);
        *ret_state = UINT32_MAX;
        return 0;
    }
    return -EINVAL;
}

struct ambit_async_at ambit_async_decode(uint32_t state)
{
    RULE(ASYNC_STATE_1);
    switch (state) {
    case 0:
        return (struct ambit_async_at){AMBIT_ASYNC_START, 0};
    case UINT32_MAX:
        return (struct ambit_async_at){AMBIT_ASYNC_COMPLETE, 0};
    default:
        return (struct ambit_async_at){AMBIT_ASYNC_POINT, state};
    }
}

/* The fields lie in the state, in order, and none in another. */
static bool is_sound(const struct ambit_async_info *info)
{
    size_t end = sizeof(uint32_t);
    RULE(ASYNC_META_1);
    for (size_t i = 0; i < info->captures_len; i++) {
        const struct ambit_async_capture *field = &info->captures[i];
        if (field->offset < end || field->offset > info->state_size ||
            field->size > info->state_size - field->offset) {
            return false;
        }
        end = field->offset + field->size;
    }
    return end <= info->state_size;
}

struct text {
    char *at;
    size_t size;
    size_t len; /* of all that was said, room or not */
};

__attribute__((format(printf, 2, 3))) static void say(struct text *text,
                                                      const char *format, ...)
{
    size_t used = text->len < text->size ? text->len : text->size;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->size > 0 ? text->at + used : NULL,
                      text->size - used, format, args);
    va_end(args);
    text->len += n > 0 ? (size_t)n : 0;
}

int ambit_async_layout(const struct ambit_async_info *info, char *text,
                       size_t size)
{
    struct text out = {text, size, 0};
    if (!is_sound(info)) {
        return -EINVAL;
    }
    RULE(ASYNC_LAYOUT_1);
    say(&out, "struct %sState {\n    __state: u32,\n", info->name);
    for (size_t i = 0; i < info->captures_len; i++) {
        say(&out, "    %s: %s,\n", info->captures[i].name,
            info->captures[i].type);
    }
    say(&out, "}\n");
    return (int)out.len;
}
