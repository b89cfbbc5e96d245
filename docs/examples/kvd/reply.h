/* SPDX-License-Identifier: MIT */
/*
 * reply.h -- RESP2 replies, written and read back.
 *
 * Writers append to a struct bytes and share its sticky error.  Texts must
 * not hold CR or LF; reply_error() makes spaces of them, because an error's
 * text may quote what a client sent.
 */
#ifndef KVD_REPLY_H
#define KVD_REPLY_H

#include <stdint.h>

#include "bytes.h"

void reply_status(struct bytes *out, const char *text);
void reply_ok(struct bytes *out);

/* text begins with its code word: "ERR ...", "WRONGPASS ...".  At most 511
 * bytes of it are sent. */
void reply_error(struct bytes *out, const char *text);
__attribute__((format(printf, 2, 3))) void
reply_error_format(struct bytes *out, const char *format, ...);

void reply_integer(struct bytes *out, int64_t value);
void reply_bulk(struct bytes *out, struct slice value);
void reply_bulk_text(struct bytes *out, const char *text);
void reply_null(struct bytes *out);
void reply_array(struct bytes *out, size_t count); /* count replies follow */
void reply_null_array(struct bytes *out);

/* One reply, taken apart by whoever merges replies of several shards. */
struct reply {
    char kind;         /* one of + - : $ * */
    bool is_null;      /* $-1 or *-1 */
    int64_t value;     /* of ':', the elements of '*', the length of '$' */
    struct slice text; /* what follows + or -, or the bulk's bytes */
};

/*
 * Reads the header of a reply (for '$' its bytes too) at the start of
 * `input`.  The bytes used, or -EAGAIN (incomplete), or -EPROTO.
 */
int64_t reply_read(struct slice input, struct reply *ret_reply);

#endif
