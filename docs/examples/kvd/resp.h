/* SPDX-License-Identifier: MIT */
/*
 * resp.h -- RESP2 requests, read as they arrive.
 *
 * A request is an array of bulk strings ("*1\r\n$4\r\nPING\r\n") or an inline
 * line ("PING\r\n", with the quoting of redis-cli).  The parser remembers how
 * far it has looked, so each byte is looked at a bounded number of times
 * however small the pieces are.
 *
 *     for (;;) {
 *         struct slice rest = {in.data + at, in.len - at};
 *         switch (resp_parse(&parser, rest)) {
 *         case RESP_MORE:    ...bytes_consume(&in, at), read, try again...
 *         case RESP_REQUEST: ...parser.argc, parser.argv...
 *                            at += parser.consumed;  break;
 *         case RESP_ERROR:   ...reply_error(&out, parser.error), close...
 *         }
 *     }
 *
 *   RESP-1  No byte outside the slice that was given is read.
 *   RESP-2  Memory grows with what was received, never with what a length
 *           declares; each limit is enforced before memory is asked for.
 *   RESP-3  The answer does not depend on how the bytes were cut in pieces.
 *
 * Between two calls the buffer may grow and move; the bytes already given
 * must be the same.  After RESP_REQUEST the next call starts a new request.
 * After RESP_ERROR only resp_fini() is legal.
 */
#ifndef KVD_RESP_H
#define KVD_RESP_H

#include <stdint.h>

#include "bytes.h"

/* No limit may be set higher: the records and the store rely on it. */
#define RESP_BULK_MAX ((size_t)512 << 20)

struct resp_limits {
    size_t bulk_max;    /* bytes of one argument, <= RESP_BULK_MAX */
    size_t args_max;    /* arguments of one request */
    size_t inline_max;  /* bytes of an inline line, without its ending */
    size_t request_max; /* bytes of one request, framing included */
};

/* 16 MiB, 1024 * 1024, 64 KiB, 64 MiB. */
extern const struct resp_limits resp_limits_default;

enum resp_result {
    RESP_MORE,    /* incomplete: call again with more bytes */
    RESP_REQUEST, /* argc and argv are valid until the buffer changes */
    RESP_ERROR,   /* error says why; answer it and close */
};

enum resp_state {
    RESP_START,      /* at the first byte of a request */
    RESP_INLINE,     /* looking for the end of the line */
    RESP_ARG_HEADER, /* at a '$' or inside its length */
    RESP_ARG_BODY,   /* waiting for body_len bytes and their CRLF */
    RESP_ARRAY,      /* behind a '*', inside the count */
    RESP_FAILED,
};

struct resp_parser {
    /* the answer; read only */
    size_t argc;        /* 0: an empty line or array, which has no reply */
    struct slice *argv; /* into the caller's buffer; an inline request's point
                           into the parser */
    size_t consumed;    /* bytes of the request, from the slice's start */
    char error[96];     /* "Protocol error: ...", without ERR and CRLF */

    /* private */
    struct resp_limits limits;
    struct memory *memory;
    enum resp_state state;
    size_t looked;    /* bytes of this request that were understood */
    size_t searched;  /* bytes searched for a line's end; >= looked */
    size_t args_left; /* arguments that the array still owes */
    size_t body_len;
    size_t argv_cap;
    struct bytes scratch; /* the arguments of an inline request, unquoted */
};

/* NULL limits: the defaults.  NULL memory: not counted.  Cannot fail. */
void resp_init(struct resp_parser *parser, const struct resp_limits *limits,
               struct memory *memory);

/* Zeroed memory is legal. */
void resp_fini(struct resp_parser *parser);

/*
 * Looks for one request at the start of `input`.  Does not suspend.  When
 * memory is short the answer is RESP_ERROR, "out of memory".
 */
enum resp_result resp_parse(struct resp_parser *parser, struct slice input);

/* True when part of a request was seen: a client that goes away now was cut
 * off in the middle. */
bool resp_is_midway(const struct resp_parser *parser);

#endif
