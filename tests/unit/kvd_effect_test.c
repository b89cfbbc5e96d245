/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{command*,plan,local,introspect,resp,reply,record,
 *       store,table,expiry,glob,number,bytes,memory}.c */
/*
 * kvd_effect_test.c -- what commands leave behind: records in the log that
 * make the store again, and nothing at all when memory is short.
 */
#include "tests/unit/kvd_kit.h"

/* --- logs -------------------------------------------------------------------
 */

/* Goal: CMD-2.  Method: requests that change nothing, and the log's length. */
Test(kvd_command, what_changes_nothing_leaves_no_record)
{
    static const char *const requests[] = {
        "GET k",  "SETNX k v",    "SET k v NX", "SET n v XX", "APPEND k \"\"",
        "DEL n",  "GETDEL n",     "PERSIST k",  "EXPIRE n 1", "EXPIRE k 1 XX",
        "INCR k", "SET k v EX 0", "MGET k n",   "SCAN 0",     "KEYS *",
        "MSET k", "TTL k",        "EXISTS k",   "TYPE k",     "STRLEN k"};
    struct kit kit;
    kit_init(&kit, 1);
    kit_say(&kit, "SET k v");
    size_t before = kit.logs[0].len;
    uint64_t contents = fingerprint(kit.stores[0]);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        kit_say(&kit, requests[i]);
        cr_assert_eq(kit.logs[0].len, before, "%s", requests[i]);
        cr_assert_eq(fingerprint(kit.stores[0]), contents);
    }
    kit_say(&kit, "FLUSHALL");
    before = kit.logs[0].len;
    kit_say(&kit, "FLUSHALL");
    cr_assert_eq(kit.logs[0].len, before);
    kit_fini(&kit);
}

static void random_line(struct dice *dice, char line[128])
{
    static const char *const forms[] = {
        "SET %s %zu",
        "SET %s v PX %zu",
        "SET %s v KEEPTTL GET #%zu",
        "INCRBY %s %zu",
        "APPEND %s %zu",
        "DEL %s k%zu",
        "EXPIRE %s %zu",
        "PEXPIRE %s %zu",
        "PERSIST %s #%zu",
        "GETDEL %s #%zu",
        "GETSET %s %zu",
        "SETNX %s %zu",
        "MSET %s 1 k2 2 k3 %zu",
        "DECR %s #%zu",
        "MGET %s k%zu",
    };
    char key[8];
    size_t number = dice_below(dice, 30);
    snprintf(key, sizeof key, "k%zu", dice_below(dice, 12));
    const char *form = forms[dice_below(dice, ARRAY_LEN(forms))];
    snprintf(line, 128, form, key, number);
    char *rest = strchr(line, '#');
    if (rest != NULL) {
        *rest = '\0';
    }
    if (dice_below(dice, 200) == 0) {
        strcpy(line, "FLUSHALL");
    }
}

/* Goal: CMD-3.  Method: random commands while time passes; every now and then
 * the log makes the store again. */
Test(kvd_command, a_log_makes_the_store_again)
{
    struct dice dice = {41};
    long rounds = test_rounds(60);
    for (long round = 0; round < rounds; round++) {
        struct kit kit;
        kit_init(&kit, 1 + (uint32_t)dice_below(&dice, 4));
        for (int i = 0; i < 1000; i++) {
            char line[128];
            random_line(&dice, line);
            kit_say(&kit, line);
            kit.now_ms += (int64_t)dice_below(&dice, 8);
            uint32_t shard = (uint32_t)dice_below(&dice, kit.placement.shards);
            if (i % 20 == 0) {
                kit_check_log(&kit, shard);
            }
        }
        kit_fini(&kit);
    }
}

/* --- lack of memory ---------------------------------------------------------
 */

static size_t log_bytes(const struct kit *kit)
{
    size_t len = 0;
    for (uint32_t i = 0; i < kit->placement.shards; i++) {
        len += kit->logs[i].len;
    }
    return len;
}

static uint64_t contents_of(const struct kit *kit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < kit->placement.shards; i++) {
        sum += fingerprint(kit->stores[i]);
    }
    return sum;
}

/* Runs the request with the n-th allocation failing.  False when none did. */
static bool fails_cleanly(const char *request, long n)
{
    struct kit kit;
    struct resp_parser parser;
    kit_init(&kit, 1);
    resp_init(&parser, NULL, NULL);
    kit_say(&kit, "MSET a 1 b 2 c 3 x0 v x1 v x2 v x3 v x4 v x5 v x6 v x7 v "
                  "x8 v x9 v y0 v y1 v y2 v");
    kit_say(&kit, "SET e 5 EX 100");
    bytes_fini(&kit.out);
    bytes_append_text(&kit.out, "before");
    uint64_t contents = contents_of(&kit);
    size_t logged = log_bytes(&kit);
    cr_assert_eq(resp_parse(&parser, slice_text(request)), RESP_REQUEST);
    kit.memory.fail_in = n;
    int err = kit_request(&kit, parser.argc, parser.argv);
    kit.memory.fail_in = 0;
    cr_assert(err == 0 || err == -ENOMEM, "%s: %d", request, err);
    if (err < 0) {
        cr_assert_eq(contents_of(&kit), contents, "%s, %ld", request, n);
        cr_assert_eq(log_bytes(&kit), logged, "%s, %ld", request, n);
        cr_assert(slice_equals(bytes_slice(&kit.out), slice_text("before")));
        cr_assert_eq(kit.out.error, 0);
    }
    resp_fini(&parser);
    kit_fini(&kit);
    return err < 0;
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123"
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG

/* Goal: CMD-1.  Method: each command, its n-th allocation failing, until none
 * fails; arguments are long, so that every buffer has to grow. */
Test(kvd_command, lack_of_memory_changes_nothing)
{
    static const char *const requests[] = {
        "SET a " LONGER "\n",
        "SET a " LONGER " GET EX 5\n",
        "SET new " LONGER " PX 7\n",
        "SETNX " LONGER " v\n",
        "GETSET a " LONGER "\n",
        "APPEND a " LONGER "\n",
        "APPEND new " LONGER "\n",
        "INCR " LONGER "\n",
        "MSET a " LONGER " new " LONGER " b 5\n",
        "DEL a b c x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 y0 y1 y2 e " LONGER "\n",
        "EXPIRE a 100\n",
        "ECHO " LONGER "\n",
        "MGET a b c a b c a b c a b c a b c a b c a b c\n",
        "KEYS *\n",
        "SCAN 0 COUNT 100\n",
        "COMMAND\n",
        "COMMAND DOCS\n",
        "INFO\n",
        "HELLO\n",
        "CONFIG GET *\n",
        "CLIENT LIST\n",
        "nonesuch " LONGER "\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        long n = 1;
        while (fails_cleanly(requests[i], n)) {
            n++;
        }
        /* A table that could not grow is no failure: look once more. */
        fails_cleanly(requests[i], n + 1);
        bool needs_none = strncmp(requests[i], "EXPIRE", 6) == 0;
        cr_assert(n > 1 || needs_none, "%.20s: nothing failed", requests[i]);
    }
}
