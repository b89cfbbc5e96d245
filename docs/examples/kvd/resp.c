/* SPDX-License-Identifier: MIT */
/*
 * resp.c -- RESP2 requests, read as they arrive.
 *
 *   START -+-> INLINE -> done                      inline_line()
 *          +-> ARRAY -+-> done (count <= 0)        array_count()
 *                     +-> ARG_HEADER -> ARG_BODY   arg_header(), arg_body()
 *                              ^-----------+-> done
 *
 * Each arrow needs some bytes behind `looked`; when they are not there the
 * answer is RESP_MORE and the same state tries again.  Only a line's end is
 * searched for, from `searched` on, so waiting costs nothing twice.
 *
 * The buffer may move between two calls: until the request is whole, argv
 * holds offsets, which finish() turns into addresses.
 */
#include "resp.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "number.h"

enum {
    HEADER_MAX = 32, /* bytes of a length; the longest legal one has 20 */
    ARGV_CAP_MIN = 8,
    ARGV_CAP_KEPT = 1024, /* more than this is given back between requests */
};

enum step { STEP_ON, STEP_MORE, STEP_DONE, STEP_FAILED };

const struct resp_limits resp_limits_default = {
    .bulk_max = 16 << 20,
    .args_max = 1024 * 1024,
    .inline_max = 64 << 10,
    .request_max = 64 << 20,
};

static enum step next_step(struct resp_parser *parser, struct slice input);
static enum step inline_line(struct resp_parser *parser, struct slice input);
static enum step array_count(struct resp_parser *parser, struct slice input);
static enum step arg_header(struct resp_parser *parser, struct slice input);
static enum step arg_body(struct resp_parser *parser, struct slice input);
static void begin(struct resp_parser *parser);
static void finish(struct resp_parser *parser, struct slice input);
static void argv_release(struct resp_parser *parser);

void resp_init(struct resp_parser *parser, const struct resp_limits *limits,
               struct memory *memory)
{
    *parser = (struct resp_parser){
        .limits = limits != NULL ? *limits : resp_limits_default,
        .memory = memory,
    };
    assert(parser->limits.bulk_max <= RESP_BULK_MAX);
    bytes_init(&parser->scratch, memory);
}

void resp_fini(struct resp_parser *parser)
{
    argv_release(parser);
    bytes_fini(&parser->scratch);
}

enum resp_result resp_parse(struct resp_parser *parser, struct slice input)
{
    assert(parser->state != RESP_FAILED);
    assert(parser->searched <= input.len);
    if (parser->state == RESP_START) {
        begin(parser);
    }
    enum step step = STEP_ON;
    while (step == STEP_ON) {
        step = next_step(parser, input);
    }
    switch (step) {
    case STEP_DONE:
        finish(parser, input);
        return RESP_REQUEST;
    case STEP_FAILED:
        parser->state = RESP_FAILED;
        return RESP_ERROR;
    default:
        return RESP_MORE;
    }
}

bool resp_is_midway(const struct resp_parser *parser)
{
    return parser->state != RESP_START && parser->state != RESP_FAILED;
}

static enum step next_step(struct resp_parser *parser, struct slice input)
{
    assert(parser->looked <= input.len);
    if (parser->looked == input.len && parser->state != RESP_ARG_BODY) {
        return STEP_MORE;
    }
    switch (parser->state) {
    case RESP_START:
        parser->state = input.ptr[0] == '*' ? RESP_ARRAY : RESP_INLINE;
        return STEP_ON;
    case RESP_INLINE:
        return inline_line(parser, input);
    case RESP_ARRAY:
        return array_count(parser, input);
    case RESP_ARG_HEADER:
        return arg_header(parser, input);
    case RESP_ARG_BODY:
        return arg_body(parser, input);
    case RESP_FAILED:
        break;
    }
    return STEP_FAILED;
}

static void begin(struct resp_parser *parser)
{
    parser->argc = 0;
    parser->consumed = 0;
    parser->looked = 0;
    parser->searched = 0;
    parser->args_left = 0;
    if (parser->argv_cap > ARGV_CAP_KEPT) {
        argv_release(parser);
    }
}

static void finish(struct resp_parser *parser, struct slice input)
{
    if (parser->state != RESP_INLINE) {
        for (size_t i = 0; i < parser->argc; i++) {
            struct slice *arg = &parser->argv[i];
            arg->ptr = input.ptr + (uintptr_t)arg->ptr;
        }
    }
    parser->consumed = parser->looked;
    parser->searched = 0;
    parser->state = RESP_START;
}

__attribute__((format(printf, 2, 3))) static enum step
fail(struct resp_parser *parser, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(parser->error, sizeof parser->error, format, args);
    va_end(args);
    return STEP_FAILED;
}

static void argv_release(struct resp_parser *parser)
{
    memory_free(parser->memory, parser->argv,
                parser->argv_cap * sizeof *parser->argv);
    parser->argv = NULL;
    parser->argv_cap = 0;
}

/* RESP-2: the array doubles with what came; a declared count costs nothing. */
static int argv_push(struct resp_parser *parser, struct slice arg)
{
    if (parser->argc == parser->argv_cap) {
        size_t cap =
            parser->argv_cap == 0 ? ARGV_CAP_MIN : parser->argv_cap * 2;
        size_t unit = sizeof *parser->argv;
        struct slice *argv = memory_resize(parser->memory, parser->argv,
                                           parser->argv_cap * unit, cap * unit);
        if (argv == NULL) {
            return -ENOMEM;
        }
        parser->argv = argv;
        parser->argv_cap = cap;
    }
    parser->argv[parser->argc++] = arg;
    return 0;
}

/* --- arrays ------------------------------------------------------------- */

/* The text between the marker at `looked` and CRLF; moves `looked` behind it.
 * `what` names the length in error sentences. */
static enum step header_line(struct resp_parser *parser, struct slice input,
                             const char *what, struct slice *ret_text)
{
    size_t begins = parser->looked + 1;
    size_t at = parser->searched > begins ? parser->searched : begins;
    while (at < input.len && input.ptr[at] != '\r') {
        if (at - begins == HEADER_MAX) {
            return fail(parser, "Protocol error: too big %s string",
                        what[0] == 'm' ? "mbulk count" : "bulk count");
        }
        at++;
    }
    parser->searched = at;
    if (at + 1 >= input.len) {
        return STEP_MORE;
    }
    if (input.ptr[at + 1] != '\n') {
        return fail(parser, "Protocol error: invalid %s length", what);
    }
    *ret_text = (struct slice){input.ptr + begins, at - begins};
    parser->looked = at + 2;
    return STEP_ON;
}

static enum step array_count(struct resp_parser *parser, struct slice input)
{
    struct slice text = {0};
    enum step step = header_line(parser, input, "multibulk", &text);
    if (step != STEP_ON) {
        return step;
    }
    int64_t count = 0;
    if (!number_parse(text, &count) ||
        (count > 0 && (uint64_t)count > parser->limits.args_max)) {
        return fail(parser, "Protocol error: invalid multibulk length");
    }
    if (count <= 0) {
        return STEP_DONE;
    }
    parser->args_left = (size_t)count;
    parser->state = RESP_ARG_HEADER;
    return STEP_ON;
}

static enum step arg_header(struct resp_parser *parser, struct slice input)
{
    char marker = input.ptr[parser->looked];
    if (marker != '$') {
        return fail(parser, "Protocol error: expected '$', got '%c'", marker);
    }
    struct slice text = {0};
    enum step step = header_line(parser, input, "bulk", &text);
    if (step != STEP_ON) {
        return step;
    }
    int64_t len = 0;
    if (!number_parse(text, &len) || len < 0 ||
        (uint64_t)len > parser->limits.bulk_max) {
        return fail(parser, "Protocol error: invalid bulk length");
    }
    parser->body_len = (size_t)len;
    size_t room = parser->limits.request_max;
    if (parser->looked > room || room - parser->looked < 2 ||
        room - parser->looked - 2 < parser->body_len) {
        return fail(parser, "Protocol error: too big request");
    }
    parser->state = RESP_ARG_BODY;
    return STEP_ON;
}

static enum step arg_body(struct resp_parser *parser, struct slice input)
{
    size_t len = parser->body_len;
    if (input.len - parser->looked < len + 2) {
        return STEP_MORE;
    }
    const char *end = input.ptr + parser->looked + len;
    if (end[0] != '\r' || end[1] != '\n') {
        return fail(parser, "Protocol error: expected CRLF after bulk");
    }
    struct slice arg = {(const char *)(uintptr_t)parser->looked, len};
    if (argv_push(parser, arg) < 0) {
        return fail(parser, "out of memory");
    }
    parser->looked += len + 2;
    parser->searched = parser->looked;
    parser->args_left--;
    parser->state = RESP_ARG_HEADER;
    return parser->args_left == 0 ? STEP_DONE : STEP_ON;
}

/* --- inline lines ------------------------------------------------------- */

/* A line and how far it was read.  Words are copied to the scratch bytes,
 * which were reserved: quoting only ever makes them shorter. */
struct reader {
    struct slice line;
    size_t at;
    struct bytes *out;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static void put(struct reader *reader, char c)
{
    assert(reader->out->len < reader->out->cap);
    reader->out->data[reader->out->len++] = c;
}

/* Behind a backslash inside double quotes. */
static void read_escape(struct reader *reader)
{
    static const char names[] = "nrtba";
    static const char values[] = "\n\r\t\b\a";
    struct slice line = reader->line;
    char c = line.ptr[reader->at];
    if (c == 'x' && reader->at + 2 < line.len) {
        int high = hex_digit(line.ptr[reader->at + 1]);
        int low = hex_digit(line.ptr[reader->at + 2]);
        if (high >= 0 && low >= 0) {
            put(reader, (char)(high * 16 + low));
            reader->at += 3;
            return;
        }
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    put(reader, name != NULL ? values[name - names] : c);
    reader->at++;
}

/* From behind the opening quote to behind the closing one, which a blank or
 * the end must follow. */
static bool read_quoted(struct reader *reader, char quote)
{
    struct slice line = reader->line;
    while (reader->at < line.len) {
        char c = line.ptr[reader->at++];
        if (c == quote) {
            return reader->at == line.len || is_blank(line.ptr[reader->at]);
        }
        bool escapes = c == '\\' && reader->at < line.len;
        if (escapes && quote == '"') {
            read_escape(reader);
        } else if (escapes && line.ptr[reader->at] == '\'') {
            put(reader, line.ptr[reader->at++]);
        } else {
            put(reader, c);
        }
    }
    return false;
}

static bool read_word(struct reader *reader)
{
    struct slice line = reader->line;
    while (reader->at < line.len) {
        char c = line.ptr[reader->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            return true;
        }
        reader->at++;
        if (c == '"' || c == '\'') {
            return read_quoted(reader, c);
        }
        put(reader, c);
    }
    return true;
}

static enum step read_words(struct resp_parser *parser, struct slice line)
{
    bytes_truncate(&parser->scratch, 0);
    if (line.len > 0 && bytes_reserve(&parser->scratch, line.len) < 0) {
        return fail(parser, "out of memory");
    }
    struct reader reader = {line, 0, &parser->scratch};
    for (;;) {
        while (reader.at < line.len && is_blank(line.ptr[reader.at])) {
            reader.at++;
        }
        if (reader.at == line.len) {
            return STEP_DONE;
        }
        size_t begins = parser->scratch.len;
        if (!read_word(&reader)) {
            return fail(parser, "Protocol error: unbalanced quotes in request");
        }
        struct slice word = {parser->scratch.data + begins,
                             parser->scratch.len - begins};
        if (parser->argc == parser->limits.args_max) {
            return fail(parser, "Protocol error: too big inline request");
        }
        if (argv_push(parser, word) < 0) {
            return fail(parser, "out of memory");
        }
    }
}

static enum step inline_line(struct resp_parser *parser, struct slice input)
{
    size_t line_max = parser->limits.inline_max;
    /* The longest legal line and its CRLF: no need to search behind it. */
    size_t window = input.len < line_max + 2 ? input.len : line_max + 2;
    const char *from = input.ptr + parser->searched;
    const char *end = memchr(from, '\n', window - parser->searched);
    if (end == NULL && window < line_max + 2) {
        parser->searched = window;
        return STEP_MORE;
    }
    size_t len = end != NULL ? (size_t)(end - input.ptr) : window;
    size_t consumed = len + 1;
    if (end != NULL && len > 0 && input.ptr[len - 1] == '\r') {
        len--;
    }
    if (len > line_max) {
        return fail(parser, "Protocol error: too big inline request");
    }
    parser->looked = consumed;
    return read_words(parser, (struct slice){input.ptr, len});
}
