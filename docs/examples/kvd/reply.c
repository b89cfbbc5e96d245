/* SPDX-License-Identifier: MIT */
/*
 * reply.c -- RESP2 replies, written and read back.
 */
#include "reply.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "number.h"

enum { REPLY_ERROR_MAX = 511 };

static void append_header(struct bytes *out, char kind, int64_t value);
static int64_t read_bulk(struct slice input, struct reply *reply,
                         size_t header);

void reply_status(struct bytes *out, const char *text)
{
    bytes_append(out, "+", 1);
    bytes_append_text(out, text);
    bytes_append(out, "\r\n", 2);
}

void reply_ok(struct bytes *out)
{
    bytes_append(out, "+OK\r\n", 5);
}

void reply_error(struct bytes *out, const char *text)
{
    char line[REPLY_ERROR_MAX];
    size_t len = 0;
    for (; text[len] != '\0' && len < sizeof line; len++) {
        bool breaks = text[len] == '\r' || text[len] == '\n';
        line[len] = breaks ? ' ' : text[len];
    }
    bytes_append(out, "-", 1);
    bytes_append(out, line, len);
    bytes_append(out, "\r\n", 2);
}

void reply_error_format(struct bytes *out, const char *format, ...)
{
    char text[REPLY_ERROR_MAX + 1];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(len >= 0);
    reply_error(out, text);
}

void reply_integer(struct bytes *out, int64_t value)
{
    append_header(out, ':', value);
}

void reply_bulk(struct bytes *out, struct slice value)
{
    append_header(out, '$', (int64_t)value.len);
    bytes_append(out, value.ptr, value.len);
    bytes_append(out, "\r\n", 2);
}

void reply_bulk_text(struct bytes *out, const char *text)
{
    reply_bulk(out, slice_text(text));
}

void reply_null(struct bytes *out)
{
    bytes_append(out, "$-1\r\n", 5);
}

void reply_array(struct bytes *out, size_t count)
{
    append_header(out, '*', (int64_t)count);
}

void reply_null_array(struct bytes *out)
{
    bytes_append(out, "*-1\r\n", 5);
}

int64_t reply_read(struct slice input, struct reply *ret_reply)
{
    const char *end =
        input.len == 0 ? NULL : memchr(input.ptr, '\r', input.len);
    if (end == NULL || end + 1 == input.ptr + input.len) {
        return -EAGAIN;
    }
    if (end == input.ptr || end[1] != '\n') {
        return -EPROTO;
    }
    size_t header = (size_t)(end - input.ptr) + 2;
    struct reply reply = {.kind = input.ptr[0]};
    reply.text = (struct slice){input.ptr + 1, header - 3};
    if (reply.kind == '+' || reply.kind == '-') {
        *ret_reply = reply;
        return (int64_t)header;
    }
    if (!number_parse(reply.text, &reply.value)) {
        return -EPROTO;
    }
    if (reply.kind == '$') {
        int64_t used = read_bulk(input, &reply, header);
        *ret_reply = used > 0 ? reply : *ret_reply;
        return used;
    }
    reply.is_null = reply.kind == '*' && reply.value == -1;
    bool known = reply.kind == ':' ||
                 (reply.kind == '*' && (reply.value >= 0 || reply.is_null));
    if (!known) {
        return -EPROTO;
    }
    *ret_reply = reply;
    return (int64_t)header;
}

static int64_t read_bulk(struct slice input, struct reply *reply, size_t header)
{
    reply->text = (struct slice){NULL, 0};
    if (reply->value == -1) {
        reply->is_null = true;
        return (int64_t)header;
    }
    if (reply->value < 0 || reply->value > INT64_MAX / 2) {
        return -EPROTO;
    }
    size_t len = (size_t)reply->value;
    if (input.len - header < len + 2) {
        return -EAGAIN;
    }
    const char *body = input.ptr + header;
    if (body[len] != '\r' || body[len + 1] != '\n') {
        return -EPROTO;
    }
    reply->text = (struct slice){body, len};
    return (int64_t)(header + len + 2);
}

static void append_header(struct bytes *out, char kind, int64_t value)
{
    char line[NUMBER_TEXT_MAX + 3];
    line[0] = kind;
    size_t len = 1 + number_write(line + 1, value);
    line[len++] = '\r';
    line[len++] = '\n';
    bytes_append(out, line, len);
}
