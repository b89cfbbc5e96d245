/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{command*,plan,local,introspect,resp,reply,record,
 *       store,table,expiry,glob,number,bytes,memory}.c */
/*
 * kvd_command_test.c -- each command and each of its errors, on one shard and
 * on several.
 *
 * Most of it is scripts of pairs, a request and its reply.  "+5" as a request
 * lets five milliseconds pass.  A reply is written without its ending CRLF.
 */
#include "tests/unit/kvd_kit.h"

#include "docs/examples/kvd/number.h"

struct line {
    const char *request;
    const char *reply;
};

static void run_line(struct kit *kit, const struct line *line)
{
    if (line->request[0] == '+') {
        kit->now_ms += strtol(line->request + 1, NULL, 10);
        return;
    }
    char expected[1024];
    snprintf(expected, sizeof expected, "%s\r\n", line->reply);
    const char *reply = kit_say(kit, line->request);
    cr_assert_str_eq(reply, expected, "%s: %s instead of %s", line->request,
                     reply, expected);
}

/* On one shard and on eight, where keys lie apart: the same replies.  Then the
 * logs are held against the stores. */
static void run_script(const struct line *lines, size_t count)
{
    for (uint32_t shards = 1; shards <= KIT_SHARDS_MAX; shards += 7) {
        struct kit kit;
        kit_init(&kit, shards);
        for (size_t i = 0; i < count; i++) {
            run_line(&kit, &lines[i]);
        }
        for (uint32_t shard = 0; shard < shards; shard++) {
            kit_check_log(&kit, shard);
        }
        kit_fini(&kit);
    }
}

#define SCRIPT(...)                                        \
    do {                                                   \
        static const struct line lines_[] = {__VA_ARGS__}; \
        run_script(lines_, ARRAY_LEN(lines_));             \
    } while (0)

#define ARITY(name) "-ERR wrong number of arguments for '" name "' command"
#define SYNTAX "-ERR syntax error"
#define NOT_INTEGER "-ERR value is not an integer or out of range"
#define OVERFLOW "-ERR increment or decrement would overflow"
#define BAD_EXPIRE(name) "-ERR invalid expire time in '" name "' command"

Test(kvd_command, set_and_get)
{
    SCRIPT({"GET k", "$-1"}, {"SET k v", "+OK"}, {"GET k", "$1\r\nv"},
           {"set K \"a\\r\\n\\x00b\"", "+OK"}, {"STRLEN K", ":5"},
           {"GET", ARITY("get")}, {"GET a b", ARITY("get")},
           {"SET k", ARITY("set")}, {"SET k \"\"", "+OK"}, {"GET k", "$0\r\n"},
           {"EXISTS k", ":1"}, {"STRLEN none", ":0"}, {"SETNX k x", ":0"},
           {"SETNX n x", ":1"}, {"GET n", "$1\r\nx"}, {"GETSET n y", "$1\r\nx"},
           {"GETSET m y", "$-1"}, {"GETDEL n", "$1\r\ny"}, {"GETDEL n", "$-1"},
           {"GET n", "$-1"}, {"TYPE m", "+string"}, {"TYPE n", "+none"});
}

Test(kvd_command, set_takes_its_options)
{
    SCRIPT({"SET k v NX", "+OK"}, {"SET k w NX", "$-1"}, {"SET n v XX", "$-1"},
           {"EXISTS n", ":0"}, {"SET k w xx", "+OK"},
           {"SET k x GET", "$1\r\nw"}, {"SET n y GET", "$-1"},
           {"SET k z NX GET", "$1\r\nx"}, {"GET k", "$1\r\nx"},
           {"SET q z XX GET", "$-1"}, {"EXISTS q", ":0"},
           {"SET k v EX 10", "+OK"}, {"TTL k", ":10"}, {"PTTL k", ":10000"},
           {"SET k v KEEPTTL", "+OK"}, {"TTL k", ":10"}, {"SET k v", "+OK"},
           {"TTL k", ":-1"}, {"SET k v PX 1500", "+OK"}, {"PTTL k", ":1500"},
           {"SET k v EXAT 1010", "+OK"}, {"PTTL k", ":10000"},
           {"SET k v pxat 1000007", "+OK"}, {"PTTL k", ":7"},
           {"SET k v EX 1 EX 2", "+OK"}, {"TTL k", ":2"},
           {"SET k v EXAT 1", "+OK"}, {"GET k", "$-1"},
           {"SET k v NX XX", SYNTAX}, {"SET k v EX", SYNTAX},
           {"SET k v EX 1 PX 1", SYNTAX}, {"SET k v EX 1 KEEPTTL", SYNTAX},
           {"SET k v KEEPTTL EX 1", SYNTAX}, {"SET k v FOO", SYNTAX},
           {"SET k v EX x", NOT_INTEGER}, {"SET k v EX 0", BAD_EXPIRE("set")},
           {"SET k v PX -1", BAD_EXPIRE("set")},
           {"SET k v EX 9223372036854775807", BAD_EXPIRE("set")},
           {"SET k v EX 9223372036854775", BAD_EXPIRE("set")},
           {"SET k v PX 9223372036854775807", BAD_EXPIRE("set")},
           {"SET k v PXAT 9223372036854775807", "+OK"}, {"EXISTS k", ":1"});
}

Test(kvd_command, integers_have_one_spelling_and_64_bits)
{
    SCRIPT({"INCR n", ":1"}, {"INCRBY n 41", ":42"}, {"DECR n", ":41"},
           {"DECRBY n 50", ":-9"}, {"GET n", "$2\r\n-9"}, {"DECRBY n -9", ":0"},
           {"INCR", ARITY("incr")}, {"INCRBY n", ARITY("incrby")},
           {"INCRBY n 1.5", NOT_INTEGER},
           {"INCRBY n 9223372036854775807", ":9223372036854775807"},
           {"INCR n", OVERFLOW}, {"GET n", "$19\r\n9223372036854775807"},
           {"SET n -9223372036854775808", "+OK"}, {"DECR n", OVERFLOW},
           {"INCRBY n -1", OVERFLOW},
           {"DECRBY n -9223372036854775808", "-ERR decrement would overflow"},
           {"DECRBY n 9223372036854775808", NOT_INTEGER},
           {"SET n 9223372036854775808", "+OK"}, {"INCR n", NOT_INTEGER},
           {"SET n 01", "+OK"}, {"INCR n", NOT_INTEGER},
           {"SET n \" 1\"", "+OK"}, {"INCR n", NOT_INTEGER},
           {"SET n \"1 \"", "+OK"}, {"INCR n", NOT_INTEGER},
           {"SET n +1", "+OK"}, {"INCR n", NOT_INTEGER}, {"SET n -0", "+OK"},
           {"INCR n", NOT_INTEGER}, {"SET n \"\"", "+OK"},
           {"INCR n", NOT_INTEGER}, {"SET n -", "+OK"}, {"INCR n", NOT_INTEGER},
           {"INCRBY n \" 1\"", NOT_INTEGER}, {"SET n 5 EX 100", "+OK"},
           {"INCR n", ":6"}, {"TTL n", ":100"});
}

Test(kvd_command, append_lengthens)
{
    SCRIPT({"APPEND k ab", ":2"}, {"APPEND k cde", ":5"},
           {"GET k", "$5\r\nabcde"}, {"APPEND k \"\"", ":5"},
           {"APPEND k", ARITY("append")}, {"APPEND e \"\"", ":0"},
           {"EXISTS e", ":1"}, {"EXPIRE k 9", ":1"}, {"APPEND k f", ":6"},
           {"TTL k", ":9"}, {"+9001", ""}, {"APPEND k f", ":1"},
           {"TTL k", ":-1"});
}

Test(kvd_command, several_keys_at_once)
{
    SCRIPT({"MSET a 1 b 2 c 3 d 4 e 5", "+OK"},
           {"MGET e x a b a", "*5\r\n$1\r\n5\r\n$-1\r\n$1\r\n1\r\n$1\r\n2\r\n"
                              "$1\r\n1"},
           {"MSET a", ARITY("mset")}, {"MSET a 1 b", ARITY("mset")},
           {"MSET a 1 a 2", "+OK"}, {"GET a", "$1\r\n2"},
           {"MGET", ARITY("mget")}, {"EXISTS a b c x a", ":4"},
           {"DEL a b x a", ":2"}, {"DBSIZE", ":3"}, {"DEL a", ":0"},
           {"DEL", ARITY("del")}, {"EXISTS", ARITY("exists")},
           {"SET c v EX 5", "+OK"}, {"MSET c 1 f 1", "+OK"}, {"TTL c", ":-1"},
           {"FLUSHALL x", SYNTAX}, {"FLUSHALL ASYNC", "+OK"}, {"DBSIZE", ":0"},
           {"DBSIZE x", ARITY("dbsize")}, {"MSET a 1 b 2", "+OK"},
           {"FLUSHDB sync", "+OK"}, {"MGET a b", "*2\r\n$-1\r\n$-1"});
}

Test(kvd_command, keys_expire)
{
    SCRIPT({"TTL k", ":-2"}, {"PTTL k", ":-2"}, {"EXPIRE k 1", ":0"},
           {"PERSIST k", ":0"}, {"SET k v", "+OK"}, {"TTL k", ":-1"},
           {"PERSIST k", ":0"}, {"EXPIRE k 10", ":1"}, {"TTL k", ":10"},
           {"+9499", ""}, {"TTL k", ":1"}, {"PTTL k", ":501"}, {"+2", ""},
           {"TTL k", ":0"}, {"+499", ""}, {"PTTL k", ":0"}, {"EXISTS k", ":1"},
           {"+1", ""}, {"EXISTS k", ":0"}, {"SET k v PX 5", "+OK"},
           {"PERSIST k", ":1"}, {"+9", ""}, {"GET k", "$1\r\nv"},
           {"PEXPIRE k 1500", ":1"}, {"PTTL k", ":1500"}, {"EXPIRE k 0", ":1"},
           {"EXISTS k", ":0"}, {"SET k v", "+OK"}, {"EXPIRE k -5", ":1"},
           {"EXISTS k", ":0"}, {"EXPIRE k", ARITY("expire")},
           {"EXPIRE k x", NOT_INTEGER},
           {"EXPIRE k 9223372036854775807", BAD_EXPIRE("expire")},
           {"PEXPIRE k 9223372036854775807", BAD_EXPIRE("pexpire")},
           {"EXPIRE k -9223372036854775808", BAD_EXPIRE("expire")},
           {"SET k v PX 5", "+OK"}, {"+6", ""}, {"SETNX k w", ":1"},
           {"SET k 7 PX 5", "+OK"}, {"+6", ""}, {"INCR k", ":1"},
           {"SET k 7 PX 5", "+OK"}, {"+6", ""}, {"DEL k", ":0"});
}

Test(kvd_command, expire_takes_its_options)
{
    SCRIPT({"SET k v", "+OK"}, {"EXPIRE k 10 XX", ":0"},
           {"EXPIRE k 10 GT", ":0"}, {"EXPIRE k 10 NX", ":1"},
           {"EXPIRE k 20 nx", ":0"}, {"EXPIRE k 5 GT", ":0"},
           {"EXPIRE k 20 GT", ":1"}, {"EXPIRE k 30 LT", ":0"},
           {"EXPIRE k 15 LT", ":1"}, {"TTL k", ":15"},
           {"EXPIRE k 16 XX GT", ":1"}, {"PERSIST k", ":1"},
           {"EXPIRE k 3 LT", ":1"}, {"TTL k", ":3"},
           {"EXPIRE k 1 NX XX", "-ERR NX and XX, GT or LT options at the same "
                                "time are not compatible"},
           {"EXPIRE k 1 GT LT",
            "-ERR GT and LT options at the same time are not compatible"},
           {"EXPIRE k 1 FOO", "-ERR Unsupported option FOO"},
           {"EXPIRE k x FOO", "-ERR Unsupported option FOO"});
}

Test(kvd_command, the_connection_answers_for_itself)
{
    SCRIPT({"PING", "+PONG"}, {"PING hi", "$2\r\nhi"},
           {"PING a b", ARITY("ping")}, {"ECHO \"a b\"", "$3\r\na b"},
           {"ECHO", ARITY("echo")}, {"SELECT 0", "+OK"},
           {"SELECT 1", "-ERR DB index is out of range"},
           {"SELECT x", NOT_INTEGER}, {"CLIENT ID", ":17"},
           {"CLIENT ID x", ARITY("client|id")}, {"CLIENT GETNAME", "$-1"},
           {"CLIENT SETNAME bob", "+OK"}, {"client getname", "$3\r\nbob"},
           {"CLIENT SETNAME \"a b\"",
            "-ERR Client names cannot contain spaces, newlines or special "
            "characters."},
           {"RESET", "+RESET"}, {"CLIENT GETNAME", "$-1"},
           {"CLIENT SETINFO LIB-NAME x", "+OK"},
           {"CLIENT SETINFO FOO x", "-ERR Unrecognized option 'FOO'"},
           {"CLIENT", ARITY("client")},
           {"CLIENT foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP."},
           {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n"},
           {"CONFIG GET SAVE appendonl?",
            "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n$0\r\n"},
           {"CONFIG GET nonesuch", "*0"}, {"CONFIG GET", ARITY("config|get")},
           {"CONFIG SET save x",
            "-ERR CONFIG SET is refused: kvd is set by its command line"},
           {"QUIT", "+OK"});
}

#define HELLO_REPLY                                                           \
    "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n" \
    "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:17\r\n$4\r\nmode\r\n"                  \
    "$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0"

Test(kvd_command, hello_agrees_on_resp2_only)
{
    SCRIPT(
        {"HELLO", HELLO_REPLY}, {"HELLO 2", HELLO_REPLY},
        {"HELLO 3", "-NOPROTO unsupported protocol version"},
        {"HELLO 1", "-NOPROTO unsupported protocol version"},
        {"HELLO x", "-ERR Protocol version is not an integer or out of range"},
        {"HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'"},
        {"HELLO 2 AUTH default x SETNAME bob", HELLO_REPLY},
        {"CLIENT GETNAME", "$3\r\nbob"},
        {"HELLO 2 AUTH ann x", "-WRONGPASS invalid username-password pair "
                               "or user is disabled."});
}

Test(kvd_command, unknown_commands_are_quoted)
{
    SCRIPT({"FOO", "-ERR unknown command 'FOO', with args beginning with: "},
           {"foo a \"b c\"",
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b c' "},
           {"foo \"a\\r\\nb\"", "-ERR unknown command 'foo', with args "
                                "beginning with: 'a  b' "},
           {"\"get\\x00\" a",
            "-ERR unknown command 'get', with args beginning with: 'a' "},
           {"averyveryverylongcommandname",
            "-ERR unknown command 'averyveryverylongcommandname', with args "
            "beginning with: "});
}

/* Goal: what tools ask when they start is well-formed. */
Test(kvd_command, command_and_info_tell_about_the_server)
{
    struct kit kit;
    kit_init(&kit, 1);
    size_t count = 0;
    const struct command *table = command_table(&count);
    char expected[64];
    snprintf(expected, sizeof expected, ":%zu\r\n", count);
    cr_assert_str_eq(kit_say(&kit, "COMMAND COUNT"), expected);
    for (size_t i = 1; i < count; i++) {
        cr_assert_lt(strcmp(table[i - 1].name, table[i].name), 0);
    }
    snprintf(expected, sizeof expected, "*%zu\r\n*10\r\n$6\r\nappend", count);
    const char *reply = kit_say(&kit, "COMMAND");
    cr_assert_eq(strncmp(reply, expected, strlen(expected)), 0);
    reply = kit_say(&kit, "COMMAND INFO get nonesuch");
    cr_assert_str_eq(reply,
                     "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n"
                     "+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0"
                     "\r\n*-1\r\n");
    reply = kit_say(&kit, "COMMAND DOCS get nonesuch");
    cr_assert_eq(strncmp(reply, "*2\r\n$3\r\nget\r\n*4\r\n", 17), 0);
    cr_assert_not_null(strstr(kit_say(&kit, "INFO"), "# Keyspace"));
    reply = kit_say(&kit, "INFO server");
    cr_assert_not_null(strstr(reply, "redis_version:7.0.15\r\n"));
    cr_assert_null(strstr(reply, "# Keyspace"));
    cr_assert_str_eq(kit_say(&kit, "INFO nonesuch"), "$0\r\n\r\n");
    cr_assert_not_null(strstr(kit_say(&kit, "CLIENT LIST"), "id=17 addr="));
    cr_assert_not(kit.session.is_closing);
    kit_say(&kit, "QUIT");
    cr_assert(kit.session.is_closing);
    kit_fini(&kit);
}

/* --- KEYS and SCAN ----------------------------------------------------------
 */

/* How many keys, of k0 to k<limit - 1>, each exactly `times` in the array
 * that begins at `reply`. */
static void count_keys(const char *reply, unsigned *seen)
{
    const char *at = strstr(reply, "*");
    for (at = strstr(at, "$"); at != NULL; at = strstr(at + 1, "$")) {
        const char *key = strstr(at, "\r\n") + 2;
        if (key[0] == 'k') {
            seen[strtoul(key + 1, NULL, 10)]++;
        }
    }
}

enum { MANY = 500 };

static void fill(struct kit *kit)
{
    char line[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "SET k%d v", i);
        kit_say(kit, line);
    }
    kit_say(kit, "SET gone v PX 1");
    kit_say(kit, "SET other v");
    kit->now_ms += 2;
}

Test(kvd_command, keys_lists_all_shards)
{
    for (uint32_t shards = 1; shards <= KIT_SHARDS_MAX; shards++) {
        struct kit kit;
        unsigned seen[MANY] = {0};
        kit_init(&kit, shards);
        fill(&kit);
        cr_assert_eq(strncmp(kit_say(&kit, "KEYS *"), "*501\r\n", 6), 0);
        cr_assert_str_eq(kit_say(&kit, "KEYS gone"), "*0\r\n");
        cr_assert_str_eq(kit_say(&kit, "KEYS ot*"), "*1\r\n$5\r\nother\r\n");
        const char *reply = kit_say(&kit, "KEYS k*");
        cr_assert_eq(strncmp(reply, "*500\r\n", 6), 0);
        count_keys(reply, seen);
        for (int i = 0; i < MANY; i++) {
            cr_assert_eq(seen[i], 1);
        }
        kit_fini(&kit);
    }
}

static void scan_all(struct kit *kit, const char *options, unsigned *seen)
{
    char line[128];
    char cursor[24] = "0";
    size_t calls = 0;
    do {
        snprintf(line, sizeof line, "SCAN %s %s", cursor, options);
        const char *reply = kit_say(kit, line);
        const char *text = reply + strlen("*2\r\n$");
        cr_assert_eq(strncmp(reply, "*2\r\n$", 5), 0);
        text = strstr(text, "\r\n") + 2;
        size_t len = (size_t)(strstr(text, "\r\n") - text);
        cr_assert_lt(len, sizeof cursor);
        snprintf(cursor, sizeof cursor, "%.*s", (int)len, text);
        count_keys(text, seen);
        cr_assert_lt(calls++, 10000);
    } while (strcmp(cursor, "0") != 0);
}

Test(kvd_command, scan_walks_through_all_shards)
{
    static const char *const options[] = {"",
                                          "COUNT 1",
                                          "COUNT 1000",
                                          "MATCH k*",
                                          "match k* count 7",
                                          "TYPE string",
                                          "COUNT 9223372036854775807"};
    for (uint32_t shards = 1; shards <= KIT_SHARDS_MAX; shards += 3) {
        struct kit kit;
        kit_init(&kit, shards);
        fill(&kit);
        for (size_t n = 0; n < ARRAY_LEN(options); n++) {
            unsigned seen[MANY] = {0};
            scan_all(&kit, options[n], seen);
            for (int i = 0; i < MANY; i++) {
                cr_assert_geq(seen[i], 1, "%s misses k%d", options[n], i);
            }
        }
        unsigned none[MANY] = {0};
        scan_all(&kit, "TYPE list", none);
        scan_all(&kit, "MATCH x*", none);
        for (int i = 0; i < MANY; i++) {
            cr_assert_eq(none[i], 0);
        }
        kit_fini(&kit);
    }
    SCRIPT({"SCAN x", "-ERR invalid cursor"}, {"SCAN", ARITY("scan")},
           {"SCAN 0 COUNT", SYNTAX}, {"SCAN 0 COUNT x", NOT_INTEGER},
           {"SCAN 0 COUNT 0", SYNTAX}, {"SCAN 0 FOO 1", SYNTAX},
           {"SCAN 0 MATCH", SYNTAX}, {"KEYS", ARITY("keys")},
           {"KEYS a b", ARITY("keys")}, {"KEYS *", "*0"});
}

/* --- running one ------------------------------------------------------------
 */

Test(kvd_command, append_stops_at_the_longest_value)
{
    struct kit kit;
    kit_init(&kit, 1);
    struct slice argv[] = {{"append", 6}, {"k", 1}, {"12345", 5}};
    const struct command *command = command_find(argv[0]);
    for (int i = 0; i < 3; i++) {
        struct command_call call = {
            .store = kit.stores[0],
            .shards = 1,
            .value_max = 10,
            .argc = 3,
            .argv = argv,
            .reply = &kit.out,
        };
        bytes_truncate(&kit.out, 0);
        cr_assert_eq(command_run(command, &call), 0);
    }
    cr_assert_eq(strncmp(kit.out.data, "-ERR string exceeds maximum", 27), 0);
    kit_fini(&kit);
}

Test(kvd_command, numbers_are_written_as_they_are_read)
{
    static const int64_t numbers[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        char text[NUMBER_TEXT_MAX];
        int64_t value = 7;
        struct slice slice = {text, number_write(text, numbers[i])};
        cr_assert(number_parse(slice, &value));
        cr_assert_eq(value, numbers[i]);
    }
    uint64_t cursor = 0;
    cr_assert(
        number_parse_unsigned(slice_text("18446744073709551615"), &cursor));
    cr_assert_eq(cursor, UINT64_MAX);
    cr_assert_not(
        number_parse_unsigned(slice_text("18446744073709551616"), &cursor));
}
