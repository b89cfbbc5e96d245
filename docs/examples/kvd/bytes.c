/* SPDX-License-Identifier: MIT */
/*
 * bytes.c -- a byte string that grows by doubling.
 */
#include "bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

enum { BYTES_CAP_MIN = 64 };

static unsigned char lower(char c);

bool slice_equals_nocase(struct slice a, const char *text)
{
    size_t at = 0;
    while (at < a.len && text[at] != '\0' &&
           lower(a.ptr[at]) == lower(text[at])) {
        at++;
    }
    return at == a.len && text[at] == '\0';
}

void bytes_init(struct bytes *bytes, struct memory *memory)
{
    *bytes = (struct bytes){.memory = memory};
}

void bytes_fini(struct bytes *bytes)
{
    memory_free(bytes->memory, bytes->data, bytes->cap);
    bytes_init(bytes, bytes->memory);
}

int bytes_reserve(struct bytes *bytes, size_t more)
{
    assert(bytes->len <= bytes->cap);
    if (more <= bytes->cap - bytes->len) {
        return 0;
    }
    if (more > SIZE_MAX / 4 || bytes->len > SIZE_MAX / 4) {
        return -ENOMEM;
    }
    size_t cap = bytes->cap < BYTES_CAP_MIN ? BYTES_CAP_MIN : bytes->cap * 2;
    if (cap < bytes->len + more) {
        cap = bytes->len + more;
    }
    char *data = memory_resize(bytes->memory, bytes->data, bytes->cap, cap);
    if (data == NULL) {
        return -ENOMEM;
    }
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

void bytes_append(struct bytes *bytes, const void *from, size_t len)
{
    if (bytes->error != 0 || len == 0) {
        return;
    }
    bytes->error = bytes_reserve(bytes, len);
    if (bytes->error == 0) {
        memcpy(bytes->data + bytes->len, from, len);
        bytes->len += len;
    }
}

void bytes_append_text(struct bytes *bytes, const char *text)
{
    bytes_append(bytes, text, strlen(text));
}

void bytes_format(struct bytes *bytes, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(len >= 0);
    assert((size_t)len < sizeof text);
    bytes_append(bytes, text, (size_t)len);
}

void bytes_truncate(struct bytes *bytes, size_t len)
{
    assert(len <= bytes->len);
    bytes->len = len;
    bytes->error = 0;
}

void bytes_consume(struct bytes *bytes, size_t len)
{
    assert(len <= bytes->len);
    if (len == 0) {
        return;
    }
    memmove(bytes->data, bytes->data + len, bytes->len - len);
    bytes->len -= len;
}

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}
