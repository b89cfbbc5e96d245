/* SPDX-License-Identifier: MIT */
/*
 * resp_fuzz.c -- libFuzzer's entrance to the request parser.
 *
 *     clang -std=gnu11 -D_GNU_SOURCE -g -O1 -I. -o resp_fuzz \
 *         -fsanitize=fuzzer,address,undefined tests/fuzz/resp_fuzz.c \
 *         docs/examples/kvd/{resp,number,bytes,memory}.c
 *     ./resp_fuzz -max_total_time=60
 *
 * The first byte says how the rest is cut in pieces.  Each piece is added to
 * a copy of its exact size, and what is read in pieces must be what is read at
 * once: RESP-1 and RESP-3.
 */
#include <assert.h>
#include <stdlib.h>

#include "docs/examples/kvd/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct resp_limits limits = {
    .bulk_max = 100, .args_max = 20, .inline_max = 100, .request_max = 400};

static void append_request(struct bytes *to, const struct resp_parser *parser)
{
    bytes_format(to, "(%zu:", parser->argc);
    for (size_t i = 0; i < parser->argc; i++) {
        bytes_format(to, "%zu:", parser->argv[i].len);
        bytes_append(to, parser->argv[i].ptr, parser->argv[i].len);
    }
}

/* All requests and the error, as text; piece 0 is all at once. */
static void read_all(struct slice input, size_t piece, struct bytes *to)
{
    struct resp_parser parser;
    resp_init(&parser, &limits, NULL);
    size_t begins = 0;
    size_t given = piece == 0 ? input.len : 0;
    for (;;) {
        size_t len = given - begins;
        char *copy = malloc(len > 0 ? len : 1);
        if (len > 0) {
            memcpy(copy, input.ptr + begins, len);
        }
        enum resp_result result =
            resp_parse(&parser, (struct slice){copy, len});
        if (result == RESP_REQUEST) {
            assert(parser.consumed > 0);
            assert(parser.consumed <= len);
            append_request(to, &parser);
            begins += parser.consumed;
        }
        free(copy);
        if (result == RESP_ERROR) {
            bytes_append_text(to, parser.error);
            break;
        }
        if (result == RESP_MORE && given == input.len) {
            break;
        }
        if (result == RESP_MORE) {
            given = input.len - given < piece ? input.len : given + piece;
        }
    }
    resp_fini(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice input = {(const char *)data + 1, size - 1};
    struct bytes whole;
    struct bytes pieces;
    bytes_init(&whole, NULL);
    bytes_init(&pieces, NULL);
    read_all(input, 0, &whole);
    read_all(input, 1 + data[0] % 16, &pieces);
    assert(slice_equals(bytes_slice(&whole), bytes_slice(&pieces)));
    bytes_fini(&whole);
    bytes_fini(&pieces);
    return 0;
}
