/* SPDX-License-Identifier: MIT */
/*
 * bytes.h -- a slice, and a byte string that grows.
 *
 *     struct bytes out;
 *     bytes_init(&out, NULL);
 *     bytes_append(&out, "+OK\r\n", 5);
 *     if (out.error) { ...-ENOMEM, and out is as it was... }
 *     bytes_fini(&out);
 *
 * Appending returns nothing: a failure sets error, which stays until
 * bytes_truncate(), and every later append does nothing.  So a writer of many
 * small pieces asks once, at its end, and rolls back with one call.
 */
#ifndef KVD_BYTES_H
#define KVD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "memory.h"

/* A view of bytes that belong to somebody else.  Binary: no ending NUL. */
struct slice {
    const char *ptr;
    size_t len;
};

static inline struct slice slice_text(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII letters of either case are equal, whatever the locale says. */
bool slice_equals_nocase(struct slice a, const char *text);

struct bytes {
    char *data;
    size_t len;
    size_t cap;
    int error; /* 0, or -ENOMEM until the next bytes_truncate() */
    struct memory *memory;
};

/* Cannot fail: nothing is allocated before the first append. */
void bytes_init(struct bytes *bytes, struct memory *memory);

/* Zeroed memory is legal. */
void bytes_fini(struct bytes *bytes);

/* Room for `more` bytes behind data + len.  0 or -ENOMEM (not sticky). */
int bytes_reserve(struct bytes *bytes, size_t more);

void bytes_append(struct bytes *bytes, const void *from, size_t len);
void bytes_append_text(struct bytes *bytes, const char *text);
__attribute__((format(printf, 2, 3))) void
bytes_format(struct bytes *bytes, const char *format, ...);

/* Drops what lies behind len and forgets the error. */
void bytes_truncate(struct bytes *bytes, size_t len);

/* Drops the first len bytes; moves the rest: call it once per read, not once
 * per request. */
void bytes_consume(struct bytes *bytes, size_t len);

static inline struct slice bytes_slice(const struct bytes *bytes)
{
    return (struct slice){bytes->data, bytes->len};
}

#endif
