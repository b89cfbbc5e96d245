/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{command*,plan,local,introspect,resp,reply,record,
 *       store,table,expiry,glob,number,bytes,memory}.c */
/*
 * kvd_redis_test.c -- the same requests to us and to a real redis-server; the
 * replies are compared byte by byte.  Skipped where there is none.
 *
 * Redis listens on a socket in a folder of its own.  Its clock cannot be set,
 * so ours follows the system's, TTL and PTTL may differ by the time that
 * passed, and KEYS is compared in order of names.
 */
#include "tests/unit/kvd_kit.h"

#include <time.h>

#include "tests/unit/kvd_rival.h"

/* How late one of us may be asked, on a busy machine.  Times that differ are
 * some 100 s apart. */
enum { LATE_S = 5 };

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct slice our_say(struct kit *kit, struct slice request)
{
    bytes_truncate(&kit->out, 0);
    kit->now_ms = clock_ms();
    cr_assert_eq(resp_parse(&kit->parser, request), RESP_REQUEST);
    cr_assert_eq(kit_request(kit, kit->parser.argc, kit->parser.argv), 0);
    return bytes_slice(&kit->out);
}

static int compare_slices(const void *a, const void *b)
{
    const struct slice *x = a;
    const struct slice *y = b;
    size_t shorter = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->ptr, y->ptr, shorter);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The bulks of an array, in order. */
static size_t sorted(struct slice reply, struct slice *to, size_t max)
{
    struct reply part;
    size_t at = (size_t)reply_read(reply, &part);
    size_t count = 0;
    for (int64_t left = part.value; left > 0 && count < max; left--) {
        struct slice rest = {reply.ptr + at, reply.len - at};
        at += (size_t)reply_read(rest, &part);
        to[count++] = part.text;
    }
    qsort(to, count, sizeof *to, compare_slices);
    return count;
}

static bool is_same_keys(struct slice a, struct slice b)
{
    struct slice ours[64];
    struct slice theirs[64];
    size_t count = sorted(a, ours, ARRAY_LEN(ours));
    if (count != sorted(b, theirs, ARRAY_LEN(theirs))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!slice_equals(ours[i], theirs[i])) {
            return false;
        }
    }
    return true;
}

static bool is_same_time(struct slice a, struct slice b, int64_t tolerance)
{
    struct reply ours;
    struct reply theirs;
    reply_read(a, &ours);
    reply_read(b, &theirs);
    return ours.kind == ':' && theirs.kind == ':' && ours.value >= 0 &&
           llabs(ours.value - theirs.value) <= tolerance;
}

static bool is_same_reply(struct slice name, struct slice ours,
                          struct slice theirs)
{
    if (slice_equals(ours, theirs)) {
        return true;
    }
    if (slice_equals_nocase(name, "keys")) {
        return ours.ptr[0] == '*' && theirs.ptr[0] == '*' &&
               is_same_keys(ours, theirs);
    }
    return (slice_equals_nocase(name, "ttl") &&
            is_same_time(ours, theirs, LATE_S)) ||
           (slice_equals_nocase(name, "pttl") &&
            is_same_time(ours, theirs, LATE_S * 1000));
}

/* --- random requests --------------------------------------------------------
 */

static const char *const names[] = {
    "GET",     "SET",      "SET",   "SET",      "SETNX",   "GETSET", "GETDEL",
    "DEL",     "EXISTS",   "INCR",  "DECR",     "INCRBY",  "DECRBY", "APPEND",
    "STRLEN",  "MSET",     "MGET",  "EXPIRE",   "PEXPIRE", "TTL",    "PTTL",
    "PERSIST", "TYPE",     "KEYS",  "DBSIZE",   "ECHO",    "PING",   "SELECT",
    "gEt",     "nonesuch", "",      "CLIENT",   "CONFIG",  "set",    "incrby",
    "expire",  "append",   "HELLO", "FLUSHALL", "FLUSHDB",
};

/* Words that mean something somewhere, and such that nearly do. */
static const struct slice words[] = {
    {"a", 1},
    {"b", 1},
    {"c", 1},
    {"d", 1},
    {"a", 1},
    {"b", 1},
    {"nx", 2},
    {"XX", 2},
    {"get", 3},
    {"KEEPTTL", 7},
    {"EX", 2},
    {"px", 2},
    {"EXAT", 4},
    {"PXAT", 4},
    {"GT", 2},
    {"lt", 2},
    {"100", 3},
    {"200", 3},
    {"100000", 6},
    {"1", 1},
    {"-1", 2},
    {"0", 1},
    {"-0", 2},
    {"01", 2},
    {"+1", 2},
    {" 1", 2},
    {"1 ", 2},
    {"1.5", 3},
    {"", 0},
    {"\0", 1},
    {"a\r\nb", 4},
    {"\xff\xfe", 2},
    {"x\0y", 3},
    {"-", 1},
    {"*", 1},
    {"[a-c]", 5},
    {"?", 1},
    {"[^a", 3},
    {"\\a", 2},
    {"SETNAME", 7},
    {"GETNAME", 7},
    {"foo", 3},
    {"SYNC", 4},
    {"async", 5},
    {"9223372036854775807", 19},
    {"-9223372036854775808", 20},
    {"9223372036854775808", 19},
    {"9223372036854775", 16},
    {"99999999999999999999", 20},
    {"4102444800", 10}, /* the year 2100 */
    {"4102444800000", 13},
    {"0x10", 4},
};

static struct slice random_word(struct dice *dice, size_t at)
{
    /* Mostly a key in front, and mostly a small choice. */
    size_t among = at == 0 && dice_below(dice, 8) != 0 ? 6 : ARRAY_LEN(words);
    return words[dice_below(dice, among)];
}

/* What depends on more than the request: a version, an own name. */
static bool is_comparable(const struct slice *argv, size_t argc)
{
    bool is_hello = slice_equals_nocase(argv[0], "hello");
    bool is_config = slice_equals_nocase(argv[0], "config");
    return !(is_hello && argc == 1) &&
           !(is_config && argc > 1 && slice_equals_nocase(argv[1], "get"));
}

static void write_request(struct bytes *to, const struct slice *argv,
                          size_t argc)
{
    bytes_truncate(to, 0);
    reply_array(to, argc);
    for (size_t i = 0; i < argc; i++) {
        reply_bulk(to, argv[i]);
    }
}

static size_t random_request(struct dice *dice, struct slice argv[8])
{
    size_t argc = 1 + dice_below(dice, 4);
    bool is_long = dice_below(dice, 3) == 0;
    argc += is_long ? dice_below(dice, 4) : 0;
    argv[0] = slice_text(names[dice_below(dice, ARRAY_LEN(names))]);
    bool flushes = (argv[0].ptr[0] | 0x20) == 'f';
    if (flushes && dice_below(dice, 10) != 0) {
        argv[0] = slice_text("SET");
    }
    for (size_t i = 1; i < argc; i++) {
        argv[i] = random_word(dice, i - 1);
    }
    return argc;
}

static void check_request(struct kit *kit, struct rival *rival,
                          const struct slice *argv, size_t argc)
{
    struct bytes request;
    bytes_init(&request, NULL);
    write_request(&request, argv, argc);
    struct slice theirs = rival_say(rival, bytes_slice(&request));
    struct slice ours = our_say(kit, bytes_slice(&request));
    cr_assert(is_same_reply(argv[0], ours, theirs),
              "%.*s\nours: %.*s\ntheirs: %.*s", (int)request.len, request.data,
              (int)ours.len, ours.ptr, (int)theirs.len, theirs.ptr);
    bytes_fini(&request);
}

/* Whether something expires before the test is surely over. */
static bool expires_soon(const struct kit *kit)
{
    for (uint32_t i = 0; i < kit->placement.shards; i++) {
        int64_t next_ms = store_next_expiry(kit->stores[i]);
        if (next_ms != STORE_NO_EXPIRY && next_ms < clock_ms() + 60000) {
            return true;
        }
    }
    return false;
}

static void flush_both(struct kit *kit, struct rival *rival)
{
    rival_say(rival, slice_text("FLUSHALL\r\n"));
    our_say(kit, slice_text("FLUSHALL\r\n"));
}

/* Goal: a client cannot tell us from Redis.  Method: 200,000 random requests
 * over few keys, right and wrong ones, on one shard and on four.  What expires
 * soon is flushed: at the very moment two clocks need not agree. */
Test(kvd_redis, random_requests_get_the_same_replies)
{
    struct rival rival;
    rival_start(&rival);
    struct dice dice = {61};
    for (uint32_t shards = 1; shards <= 4; shards += 3) {
        struct kit kit;
        kit_init(&kit, shards);
        flush_both(&kit, &rival);
        rival_say(&rival, slice_text("RESET\r\n"));
        long rounds = test_rounds(100000);
        for (long i = 0; i < rounds; i++) {
            struct slice argv[8];
            size_t argc = random_request(&dice, argv);
            if (is_comparable(argv, argc)) {
                check_request(&kit, &rival, argv, argc);
            }
            if (expires_soon(&kit)) {
                flush_both(&kit, &rival);
            }
        }
        kit_fini(&kit);
    }
    rival_stop(&rival);
}

/* Goal: what has expired is gone for every command.  Method: time passes for
 * real, Redis has no other; far from the moment itself. */
Test(kvd_redis, expired_keys_are_gone_alike)
{
    static const char *const requests[] = {
        "GET k",       "EXISTS k",   "TTL k",  "SETNX k v", "INCR k",
        "APPEND k v",  "GETSET k v", "DEL k",  "PERSIST k", "SET k v XX",
        "STRLEN k",    "EXPIRE k 9", "KEYS *", "TYPE k",    "GETDEL k",
        "SET k v GET", "MGET k k",   "PTTL k",
    };
    struct rival rival;
    struct kit kit;
    rival_start(&rival);
    kit_init(&kit, 2);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct slice set = slice_text("SET k 7 PX 20\r\n");
        flush_both(&kit, &rival);
        cr_assert(slice_equals(our_say(&kit, set), rival_say(&rival, set)));
        nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
        char line[32];
        snprintf(line, sizeof line, "%s\r\n", requests[i]);
        struct slice ours = our_say(&kit, slice_text(line));
        struct slice theirs = rival_say(&rival, slice_text(line));
        cr_assert(slice_equals(ours, theirs), "%s", line);
    }
    kit_fini(&kit);
    rival_stop(&rival);
}

/* --- requests as bytes ------------------------------------------------------
 */

/* Goal: inline requests are taken apart alike.  Method: lines of quotes and
 * escapes, echoed; for broken ones the error. */
Test(kvd_redis, inline_requests_are_read_alike)
{
    static const char *const pieces[] = {"\"", "'",  "\\",  "a",    "x41", "n",
                                         " ",  "\t", "b c", "\\x4", "\\r", "é"};
    struct rival rival;
    struct dice dice = {62};
    rival_start(&rival);
    struct kit kit;
    kit_init(&kit, 1);
    long rounds = test_rounds(5000);
    for (long i = 0; i < rounds; i++) {
        char line[256] = "ECHO ";
        for (size_t n = dice_below(&dice, 7); n > 0; n--) {
            strcat(line, pieces[dice_below(&dice, ARRAY_LEN(pieces))]);
        }
        strcat(line, "\r\n");
        bytes_truncate(&kit.out, 0);
        if (resp_parse(&kit.parser, slice_text(line)) == RESP_REQUEST) {
            kit_request(&kit, kit.parser.argc, kit.parser.argv);
        } else {
            reply_error_format(&kit.out, "ERR %s", kit.parser.error);
            resp_fini(&kit.parser);
            resp_init(&kit.parser, NULL, NULL);
        }
        struct slice theirs = rival_say(&rival, slice_text(line));
        cr_assert(slice_equals(bytes_slice(&kit.out), theirs), "%s%.*s%.*s",
                  line, (int)kit.out.len, kit.out.data, (int)theirs.len,
                  theirs.ptr);
        if (theirs.ptr[1] == 'E' && strncmp(theirs.ptr, "-ERR P", 6) == 0) {
            close(rival.fd);
            rival.fd = rival_connect(&rival);
        }
    }
    kit_fini(&kit);
    rival_stop(&rival);
}

/* Goal: a broken protocol gets the same sentence. */
Test(kvd_redis, broken_requests_get_the_same_error)
{
    static const char *const requests[] = {"*x\r\n",
                                           "*01\r\n",
                                           "*99999999999\r\n",
                                           "*1\r\nx\r\n",
                                           "*1\r\n$-1\r\n",
                                           "*1\r\n$x\r\n",
                                           "*2\r\n$1\r\na\r\n:1\r\n",
                                           "*1\r\n$99999999999\r\n",
                                           "\"a\r\n"};
    struct rival rival;
    rival_start(&rival);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct resp_parser parser;
        struct bytes ours;
        bytes_init(&ours, NULL);
        resp_init(&parser, NULL, NULL);
        cr_assert_eq(resp_parse(&parser, slice_text(requests[i])), RESP_ERROR);
        reply_error_format(&ours, "ERR %s", parser.error);
        struct slice theirs = rival_say(&rival, slice_text(requests[i]));
        cr_assert(slice_equals(bytes_slice(&ours), theirs), "%s: %.*s",
                  requests[i], (int)theirs.len, theirs.ptr);
        close(rival.fd);
        rival.fd = rival_connect(&rival);
        resp_fini(&parser);
        bytes_fini(&ours);
    }
    rival_stop(&rival);
}

/* --- the table --------------------------------------------------------------
 */

/* The integers of a COMMAND INFO entry: arity, first key, last key, step. */
static void read_entry(struct slice reply, int64_t numbers[4])
{
    size_t at = 0;
    size_t count = 0;
    while (count < 4) {
        struct reply part;
        struct slice rest = {reply.ptr + at, reply.len - at};
        int64_t used = reply_read(rest, &part);
        cr_assert_gt(used, 0);
        at += (size_t)used;
        if (part.kind == ':') {
            numbers[count++] = part.value;
        }
    }
}

/* Goal: clients that ask for the places of keys hear what Redis says. */
Test(kvd_redis, the_table_of_commands_is_the_same)
{
    struct rival rival;
    struct kit kit;
    size_t count = 0;
    const struct command *table = command_table(&count);
    rival_start(&rival);
    kit_init(&kit, 1);
    for (size_t i = 0; i < count; i++) {
        char line[64];
        int64_t ours[4];
        int64_t theirs[4];
        snprintf(line, sizeof line, "COMMAND INFO %s\r\n", table[i].name);
        read_entry(our_say(&kit, slice_text(line)), ours);
        read_entry(rival_say(&rival, slice_text(line)), theirs);
        cr_assert_eq(memcmp(ours, theirs, sizeof ours), 0, "%s", line);
    }
    kit_fini(&kit);
    rival_stop(&rival);
}
