/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{resp,reply,number,bytes,memory}.c */
/*
 * kvd_resp_test.c -- requests are read right however they are cut, limits hold
 * to the byte, and no bytes make the parser crash, hang or read too far.
 *
 * Input is always given as a copy of its exact size on the heap, so that ASan
 * sees a read of one byte too many.
 */
#include "tests/unit/kvd_kit.h"

#include "docs/examples/kvd/reply.h"

static struct slice exact_copy(const char *from, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, from, len);
    return (struct slice){copy, len};
}

/* "[len:bytes]..." of each request, then "MORE" or the error. */
static void describe(struct bytes *to, struct resp_parser *parser,
                     enum resp_result result)
{
    switch (result) {
    case RESP_MORE:
        bytes_append_text(to, resp_is_midway(parser) ? "MIDWAY" : "MORE");
        return;
    case RESP_ERROR:
        bytes_append_text(to, parser->error);
        return;
    case RESP_REQUEST:
        break;
    }
    bytes_append_text(to, "(");
    for (size_t i = 0; i < parser->argc; i++) {
        bytes_format(to, "[%zu:", parser->argv[i].len);
        bytes_append(to, parser->argv[i].ptr, parser->argv[i].len);
        bytes_append_text(to, "]");
    }
    bytes_append_text(to, ")");
}

/* Feeds `input`, at each step as much as `piece` says (0: all of it). */
static void feed(struct bytes *to, const struct resp_limits *limits,
                 struct slice input, struct dice *dice, size_t piece)
{
    struct resp_parser parser;
    resp_init(&parser, limits, NULL);
    size_t begins = 0;
    size_t given = piece == 0 ? input.len : 0;
    enum resp_result result = RESP_MORE;
    size_t rounds = 0;
    for (;;) {
        struct slice part = exact_copy(input.ptr + begins, given - begins);
        result = resp_parse(&parser, part);
        if (result == RESP_REQUEST) {
            describe(to, &parser, result);
            cr_assert_gt(parser.consumed, 0);
            begins += parser.consumed;
        }
        free((void *)part.ptr);
        cr_assert_lt(rounds++, 4 * input.len + 4, "the parser hangs");
        if (result == RESP_ERROR ||
            (result == RESP_MORE && given == input.len)) {
            break;
        }
        if (result == RESP_MORE) {
            size_t more = 1 + (piece > 1 ? dice_below(dice, piece) : 0);
            given = input.len - given < more ? input.len : given + more;
        }
    }
    describe(to, &parser, result);
    resp_fini(&parser);
}

static void check_all_cuts(const struct resp_limits *limits, struct slice input,
                           const char *expected)
{
    struct dice dice = {input.len};
    for (size_t piece = 0; piece < 8; piece++) {
        struct bytes got;
        bytes_init(&got, NULL);
        feed(&got, limits, input, &dice, piece);
        cr_assert(slice_equals(bytes_slice(&got), slice_text(expected)),
                  "piece %zu: got %.*s, expected %s", piece, (int)got.len,
                  got.data, expected);
        bytes_fini(&got);
    }
}

/* Goal: the meaning of each form.  Method: input and rendering, all cuts. */
Test(kvd_resp, requests_are_read_however_they_are_cut)
{
    static const char *const cases[][2] = {
        {"", "MORE"},
        {"*1\r\n$4\r\nPING\r\n", "([4:PING])MORE"},
        {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "([3:GET][0:])MORE"},
        {"*2\r\n$1\r\n\r\r\n$2\r\n\r\n\r\n", "([1:\r][2:\r\n])MORE"},
        {"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", "([1:a])([1:b])MORE"},
        {"*0\r\n*-1\r\n*-7\r\nPING\r\n", "()()()([4:PING])MORE"},
        {"PING\r\n", "([4:PING])MORE"},
        {"PING\n", "([4:PING])MORE"},
        {"\r\n\n \t \r\nGET a\n", "()()()([3:GET][1:a])MORE"},
        {"SET k \"a b\"\r\n", "([3:SET][1:k][3:a b])MORE"},
        {"\"\\x41\\n\\t\\\\\\\"\\q\"\n", "([6:A\n\t\\\"q])MORE"},
        {"'it\\'s' '\\n'\n", "([4:it's][2:\\n])MORE"},
        {"a\"b c\" d\n", "([4:ab c][1:d])MORE"},
        {"\"\" ''\n", "([0:][0:])MORE"},
        {"\"\\x4\"\n", "([2:x4])MORE"},
        {"*1\r\n$4\r\nPI", "MIDWAY"},
        {"PIN", "MIDWAY"},
        {"*", "MIDWAY"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_all_cuts(NULL, slice_text(cases[i][0]), cases[i][1]);
    }
}

/* Goal: each malformed request gets its sentence.  Method: as above. */
Test(kvd_resp, malformed_requests_get_their_sentence)
{
#define LEN_ERROR(what) "Protocol error: invalid " what " length"
    static const char *const cases[][2] = {
        {"*x\r\n", LEN_ERROR("multibulk")},
        {"*\r\n", LEN_ERROR("multibulk")},
        {"*01\r\n", LEN_ERROR("multibulk")},
        {"* 1\r\n", LEN_ERROR("multibulk")},
        {"*1\rx", LEN_ERROR("multibulk")},
        {"*1048577\r\n", LEN_ERROR("multibulk")},
        {"*99999999999999999999\r\n", LEN_ERROR("multibulk")},
        {"*1111111111111111111111111111111111111\r\n",
         "Protocol error: too big mbulk count string"},
        {"*1\r\nx", "Protocol error: expected '$', got 'x'"},
        {"*2\r\n$1\r\na\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
        {"*1\r\n$-1\r\n", LEN_ERROR("bulk")},
        {"*1\r\n$x\r\n", LEN_ERROR("bulk")},
        {"*1\r\n$16777217\r\n", LEN_ERROR("bulk")},
        {"*1\r\n$1\rx", LEN_ERROR("bulk")},
        {"*1\r\n$1111111111111111111111111111111111111\r\n",
         "Protocol error: too big bulk count string"},
        {"*1\r\n$1\r\nabc\r\n", "Protocol error: expected CRLF after bulk"},
        {"\"abc\n", "Protocol error: unbalanced quotes in request"},
        {"\"abc\"d\n", "Protocol error: unbalanced quotes in request"},
        {"'abc\n", "Protocol error: unbalanced quotes in request"},
        {"\"abc\\\n", "Protocol error: unbalanced quotes in request"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_all_cuts(NULL, slice_text(cases[i][0]), cases[i][1]);
    }
}

/* --- limits -----------------------------------------------------------------
 */

static const struct resp_limits tight = {
    .bulk_max = 10, .args_max = 3, .inline_max = 12, .request_max = 40};

/* Goal: a limit admits itself and one less, and refuses one more. */
Test(kvd_resp, limits_hold_to_the_byte)
{
    static const char *const cases[][2] = {
        {"*1\r\n$9\r\n123456789\r\n", "([9:123456789])MORE"},
        {"*1\r\n$10\r\n1234567890\r\n", "([10:1234567890])MORE"},
        {"*1\r\n$11\r\n", LEN_ERROR("bulk")},
        {"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "([1:a][1:b])MORE"},
        {"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "([1:a][1:b][1:c])MORE"},
        {"*4\r\n", LEN_ERROR("multibulk")},
        {"a b c\n", "([1:a][1:b][1:c])MORE"},
        {"a b c d\n", "Protocol error: too big inline request"},
        {"12345678901\r\n", "([11:12345678901])MORE"},
        {"123456789012\r\n", "([12:123456789012])MORE"},
        {"123456789012\n", "([12:123456789012])MORE"},
        {"1234567890123\r\n", "Protocol error: too big inline request"},
        {"1234567890123\n", "Protocol error: too big inline request"},
        {"12345678901234", "Protocol error: too big inline request"},
        /* 4 + 5+10+2 + 4+7+2 + 4+0+2 = 40 */
        {"*3\r\n$10\r\n1234567890\r\n$6\r\n123456\r\n$0\r\n\r\n",
         "([10:1234567890][6:123456][0:])MORE"},
        {"*3\r\n$10\r\n1234567890\r\n$7\r\n1234567\r\n$0\r\n\r\n",
         "([10:1234567890][7:1234567][0:])MORE"},
        {"*3\r\n$10\r\n1234567890\r\n$8\r\n12345678\r\n$0\r\n",
         "Protocol error: too big request"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_all_cuts(&tight, slice_text(cases[i][0]), cases[i][1]);
    }
}

/* Goal: RESP-2.  Method: declare the largest request and count the memory. */
Test(kvd_resp, declared_lengths_cost_no_memory)
{
    struct memory memory = {0};
    struct resp_parser parser;
    resp_init(&parser, NULL, &memory);
    char text[512] = "*1048576\r\n";
    for (int i = 0; i < 20; i++) {
        strcat(text, "$1\r\na\r\n");
    }
    strcat(text, "$16777216\r\nabc");
    cr_assert_eq(resp_parse(&parser, slice_text(text)), RESP_MORE);
    cr_assert_leq(memory.used, 1024);
    resp_fini(&parser);
    cr_assert_eq(memory.used, 0);
}

/* Goal: feeding is linear.  Method: 1 MiB byte by byte; searching again from
 * the start each time would take minutes. */
Test(kvd_resp, a_long_argument_may_come_byte_by_byte)
{
    enum { BODY = 1 << 20 };
    struct bytes text;
    bytes_init(&text, NULL);
    bytes_append_text(&text, "*1\r\n$1048576\r\n");
    bytes_reserve(&text, BODY + 2);
    memset(text.data + text.len, '\r', BODY);
    text.len += BODY;
    bytes_append_text(&text, "\r\n");
    struct resp_parser parser;
    resp_init(&parser, NULL, NULL);
    for (size_t len = 0; len < text.len; len++) {
        cr_assert_eq(resp_parse(&parser, (struct slice){text.data, len}),
                     RESP_MORE);
    }
    cr_assert_eq(resp_parse(&parser, bytes_slice(&text)), RESP_REQUEST);
    cr_assert_eq(parser.argv[0].len, BODY);
    cr_assert_eq(parser.consumed, text.len);
    resp_fini(&parser);
    bytes_fini(&text);
}

/* Goal: without memory there is an error, no crash, no leak. */
Test(kvd_resp, lack_of_memory_is_an_error)
{
    const char *const texts[] = {
        "*10\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\n"
        "a\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n",
        "a b c d e f g h i j\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        enum resp_result result = RESP_ERROR;
        long n = 1;
        for (; result == RESP_ERROR; n++) {
            struct memory memory = {.fail_in = n};
            struct resp_parser parser;
            resp_init(&parser, NULL, &memory);
            result = resp_parse(&parser, slice_text(texts[i]));
            cr_assert(result == RESP_REQUEST ||
                      strcmp(parser.error, "out of memory") == 0);
            resp_fini(&parser);
            cr_assert_eq(memory.used, 0);
        }
        cr_assert_geq(n, 4, "no allocation failed");
    }
}

/* --- random -----------------------------------------------------------------
 */

/* Goal: no bytes harm.  Method: a million strings, half of them from an
 * alphabet that gets far; all at once and in pieces give the same. */
Test(kvd_resp, random_bytes_do_no_harm)
{
    static const char alphabet[] = "**$$0123459-\r\n\r\n\r\n\"' abx\\";
    struct dice dice = {20};
    struct bytes whole;
    struct bytes pieces;
    bytes_init(&whole, NULL);
    bytes_init(&pieces, NULL);
    long rounds = test_rounds(1000000);
    for (long i = 0; i < rounds; i++) {
        char text[48];
        size_t len = dice_below(&dice, sizeof text + 1);
        dice_bytes(&dice, text, len);
        for (size_t at = 0; i % 2 == 0 && at < len; at++) {
            text[at] =
                alphabet[(unsigned char)text[at] % (sizeof alphabet - 1)];
        }
        struct slice input = {text, len};
        bytes_truncate(&whole, 0);
        feed(&whole, &tight, input, &dice, 0);
        if (i % 8 < 2) {
            bytes_truncate(&pieces, 0);
            feed(&pieces, &tight, input, &dice, 1 + dice_below(&dice, 5));
            cr_assert(slice_equals(bytes_slice(&whole), bytes_slice(&pieces)));
        }
    }
    bytes_fini(&whole);
    bytes_fini(&pieces);
}

static void append_random_request(struct bytes *text, struct dice *dice)
{
    size_t argc = dice_below(dice, 5);
    bytes_format(text, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        char arg[24];
        size_t len = dice_below(dice, sizeof arg);
        dice_bytes(dice, arg, len);
        bytes_format(text, "$%zu\r\n", len);
        bytes_append(text, arg, len);
        bytes_append_text(text, "\r\n");
    }
}

/* Goal: damage in valid requests is found the same in all cuts. */
Test(kvd_resp, mutated_requests_do_no_harm)
{
    struct dice dice = {21};
    struct bytes text;
    struct bytes whole;
    struct bytes pieces;
    bytes_init(&text, NULL);
    bytes_init(&whole, NULL);
    bytes_init(&pieces, NULL);
    long rounds = test_rounds(100000);
    for (long i = 0; i < rounds; i++) {
        bytes_truncate(&text, 0);
        bytes_truncate(&whole, 0);
        bytes_truncate(&pieces, 0);
        append_random_request(&text, &dice);
        append_random_request(&text, &dice);
        for (size_t n = dice_below(&dice, 4); n > 0; n--) {
            text.data[dice_below(&dice, text.len)] = (char)dice_next(&dice);
        }
        struct slice input = {text.data, text.len - dice_below(&dice, 4)};
        feed(&whole, NULL, input, &dice, 0);
        feed(&pieces, NULL, input, &dice, 1 + dice_below(&dice, 9));
        cr_assert(slice_equals(bytes_slice(&whole), bytes_slice(&pieces)));
    }
    bytes_fini(&text);
    bytes_fini(&whole);
    bytes_fini(&pieces);
    test_no_leaks();
}

/* --- replies ----------------------------------------------------------------
 */

/* Goal: what is written is read back.  Method: all kinds, each truncation. */
Test(kvd_resp, replies_are_read_back_and_short_ones_wait)
{
    struct bytes out;
    bytes_init(&out, NULL);
    reply_status(&out, "OK");
    reply_error(&out, "ERR a\r\nb");
    reply_integer(&out, INT64_MIN);
    reply_bulk(&out, (struct slice){"a\r\n\0b", 5});
    reply_null(&out);
    reply_array(&out, 3);
    reply_null_array(&out);
    const char *expected = "+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n"
                           "$5\r\na\r\n_b\r\n$-1\r\n*3\r\n*-1\r\n";
    cr_assert_eq(out.len, strlen(expected));
    size_t at = 0;
    char kinds[8] = "";
    for (int n = 0; at < out.len; n++) {
        struct reply reply;
        struct slice rest = {out.data + at, out.len - at};
        int64_t used = reply_read(rest, &reply);
        cr_assert_gt(used, 0);
        kinds[n] = reply.kind;
        for (int64_t len = 0; len < used; len++) {
            struct slice part = exact_copy(rest.ptr, (size_t)len);
            cr_assert_eq(reply_read(part, &reply), -EAGAIN);
            free((void *)part.ptr);
        }
        at += (size_t)used;
    }
    cr_assert_str_eq(kinds, "+-:$$**");
    out.data[strchr(expected, '_') - expected] = '_';
    cr_assert_eq(memcmp(out.data, expected, out.len), 0);
    bytes_fini(&out);
}

Test(kvd_resp, malformed_replies_are_refused)
{
    static const char *const cases[] = {"\r\n",    "x1\r\n",   ":\r\n",
                                        ":1x\r\n", "$-2\r\n",  "*-2\r\n",
                                        "+a\rb",   "$1\r\nabc"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reply reply;
        cr_assert_eq(reply_read(slice_text(cases[i]), &reply), -EPROTO, "%zu",
                     i);
    }
}
