/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{command*,plan,reply,record,store,table,expiry,glob,
 *       number,bytes,memory}.c */
/*
 * kvd_plan_test.c -- requests go where their keys are, and pieces of replies
 * become one, or an error.
 */
#include "tests/unit/kvd_kit.h"

enum { KEYS_MAX = 64 };

struct request {
    size_t argc;
    struct slice argv[2 * KEYS_MAX + 1];
    char texts[2 * KEYS_MAX][24];
};

static void request_make(struct request *request, const char *name, size_t args)
{
    request->argc = args + 1;
    request->argv[0] = slice_text(name);
    for (size_t i = 0; i < args; i++) {
        snprintf(request->texts[i], sizeof request->texts[i], "a%zu", i);
        request->argv[i + 1] = slice_text(request->texts[i]);
    }
}

static enum plan_kind kind_of(const char *name, size_t args, uint32_t shards)
{
    struct request request;
    struct placement placement = {5, shards};
    struct bytes out;
    struct plan plan;
    bytes_init(&out, NULL);
    request_make(&request, name, args);
    cr_assert_eq(plan_make(&plan, &placement, request.argc, request.argv, &out),
                 0);
    enum plan_kind kind = plan.kind;
    cr_assert_eq(kind == PLAN_DONE, out.len > 0);
    plan_fini(&plan);
    bytes_fini(&out);
    return kind;
}

Test(kvd_plan, each_command_goes_where_it_must)
{
    cr_assert_eq(kind_of("ping", 0, 4), PLAN_LOCAL);
    cr_assert_eq(kind_of("hello", 0, 4), PLAN_LOCAL);
    cr_assert_eq(kind_of("get", 1, 4), PLAN_ONE);
    cr_assert_eq(kind_of("del", 1, 4), PLAN_ONE);
    cr_assert_eq(kind_of("del", 20, 4), PLAN_MANY);
    cr_assert_eq(kind_of("del", 20, 1), PLAN_ONE);
    cr_assert_eq(kind_of("mset", 20, 4), PLAN_MANY);
    cr_assert_eq(kind_of("mset", 21, 4), PLAN_DONE);
    cr_assert_eq(kind_of("keys", 1, 4), PLAN_MANY);
    cr_assert_eq(kind_of("keys", 1, 1), PLAN_ONE);
    cr_assert_eq(kind_of("dbsize", 0, 4), PLAN_MANY);
    cr_assert_eq(kind_of("flushall", 0, 4), PLAN_MANY);
    cr_assert_eq(kind_of("scan", 1, 4), PLAN_ONE);
    cr_assert_eq(kind_of("nonesuch", 1, 4), PLAN_DONE);
    cr_assert_eq(kind_of("get", 2, 4), PLAN_DONE);
}

/* Goal: every key reaches its shard, once, with its value, in order. */
Test(kvd_plan, each_key_goes_to_its_shard)
{
    struct request request;
    struct placement placement = {5, 7};
    struct memory memory = {0};
    struct bytes out;
    struct plan plan;
    bytes_init(&out, &memory);
    request_make(&request, "mset", KEYS_MAX);
    cr_assert_eq(plan_make(&plan, &placement, request.argc, request.argv, &out),
                 0);
    size_t keys = 0;
    for (size_t i = 0; i < plan.parts_len; i++) {
        const struct plan_part *part = &plan.parts[i];
        cr_assert(i == 0 || part->shard > plan.parts[i - 1].shard);
        cr_assert(slice_equals(part->argv[0], slice_text("mset")));
        cr_assert_eq(part->argc % 2, 1);
        int last = -1;
        for (size_t k = 1; k < part->argc; k += 2) {
            int number = atoi(part->argv[k].ptr + 1);
            cr_assert_eq(number % 2, 0);
            cr_assert_gt(number, last);
            cr_assert_eq(atoi(part->argv[k + 1].ptr + 1), number + 1);
            cr_assert_eq(placement_shard(&placement, part->argv[k]),
                         part->shard);
            last = number;
            keys++;
        }
    }
    cr_assert_eq(keys, KEYS_MAX / 2);
    plan_fini(&plan);
    cr_assert_eq(memory.used, 0);
}

Test(kvd_plan, placement_is_even_and_stands_fast)
{
    struct placement placement = {1, 8};
    size_t counts[8] = {0};
    for (int i = 0; i < 8000; i++) {
        char key[32];
        snprintf(key, sizeof key, "user:%d", i);
        counts[placement_shard(&placement, slice_text(key))]++;
    }
    for (int i = 0; i < 8; i++) {
        cr_assert_gt(counts[i], 850);
        cr_assert_lt(counts[i], 1150);
    }
    /* A folder of data depends on these never changing. */
    cr_assert_eq(placement_shard(&placement, slice_text("user:0")),
                 XXH3_64bits_withSeed("user:0", 6, 1) % 8);
}

/* --- merging ----------------------------------------------------------------
 */

/* Splits `name` over three shards, answers each part with `reply` (or, when
 * NULL, what `odd` says for the last one), merges. */
static int merge(const char *name, size_t args, const char *reply,
                 const char *odd, struct bytes *out)
{
    struct request request;
    struct placement placement = {5, 3};
    struct plan plan;
    request_make(&request, name, args);
    cr_assert_eq(plan_make(&plan, &placement, request.argc, request.argv, out),
                 0);
    cr_assert_eq(plan.kind, PLAN_MANY);
    cr_assert_eq(plan.parts_len, 3);
    for (size_t i = 0; i < 3; i++) {
        const char *text = i == 2 && odd != NULL ? odd : reply;
        plan.parts[i].reply =
            text[0] != '\0' ? slice_text(text) : (struct slice){NULL, 0};
    }
    int err = plan_merge(&plan, out);
    plan_fini(&plan);
    return err;
}

static void check_merge(const char *name, size_t args, const char *reply,
                        const char *odd, int expected_err, const char *expected)
{
    struct bytes out;
    bytes_init(&out, NULL);
    bytes_append_text(&out, "x");
    cr_assert_eq(merge(name, args, reply, odd, &out), expected_err);
    bytes_append(&out, "", 1);
    cr_assert_str_eq(out.data + 1, expected);
    bytes_fini(&out);
}

Test(kvd_plan, replies_are_merged_by_the_command)
{
    check_merge("del", 20, ":2\r\n", NULL, 0, ":6\r\n");
    check_merge("dbsize", 0, ":2\r\n", ":5\r\n", 0, ":9\r\n");
    check_merge("mset", 20, "+OK\r\n", NULL, 0, "+OK\r\n");
    check_merge("flushall", 0, "+OK\r\n", NULL, 0, "+OK\r\n");
    check_merge("keys", 1, "*1\r\n$1\r\na\r\n", "*0\r\n", 0,
                "*2\r\n$1\r\na\r\n$1\r\na\r\n");
}

Test(kvd_plan, one_error_is_the_reply)
{
    check_merge("del", 20, ":2\r\n", "-OVERLOADED later\r\n", 0,
                "-OVERLOADED later\r\n");
    check_merge("mset", 20, "+OK\r\n", "-ERR no\r\n", 0, "-ERR no\r\n");
    check_merge("mget", 20, "", "-ERR no\r\n", 0, "-ERR no\r\n");
}

Test(kvd_plan, replies_that_make_no_sense_are_refused)
{
    check_merge("del", 20, ":2\r\n", "", -EPROTO, "");
    check_merge("del", 20, ":2\r\n", "+OK\r\n", -EPROTO, "");
    check_merge("del", 20, ":2\r\n", ":2\r\n:2\r\n", -EPROTO, "");
    check_merge("del", 20, ":2\r\n", ":9223372036854775807\r\n", -EPROTO, "");
    check_merge("mget", 20, "*1\r\n$1\r\na\r\n", NULL, -EPROTO, "");
    check_merge("mget", 20, "*0\r\n", "*20\r\n$-1\r\n", -EPROTO, "");
    check_merge("keys", 1, "*0\r\n", "*-1\r\n", -EPROTO, "");
}

/* Goal: lack of memory while planning or merging leaves nothing behind. */
Test(kvd_plan, lack_of_memory_is_reported)
{
    struct request request;
    struct placement placement = {5, 3};
    request_make(&request, "mset", 20);
    struct memory memory = {.fail_in = 1};
    struct bytes out;
    struct plan plan;
    bytes_init(&out, &memory);
    cr_assert_eq(plan_make(&plan, &placement, request.argc, request.argv, &out),
                 -ENOMEM);
    cr_assert_eq(plan.kind, PLAN_DONE);
    cr_assert_eq(memory.used, 0);
    memory.fail_in = 1;
    request_make(&request, "nonesuch", 1);
    cr_assert_eq(plan_make(&plan, &placement, request.argc, request.argv, &out),
                 -ENOMEM);
    cr_assert_eq(out.error, 0);
    memory.fail_in = 2;
    cr_assert_eq(merge("mset", 20, "+OK\r\n", NULL, &out), -ENOMEM);
    cr_assert_eq(out.len, 0);
    cr_assert_eq(memory.used, 0);
}

/* Goal: eight shards answer as one does.  Method: the same random requests to
 * both, replies compared. */
Test(kvd_plan, many_shards_answer_as_one)
{
    static const char *const forms[] = {
        "MSET k%zu a k%zu b k%zu c", "MGET k%zu k%zu k%zu",
        "DEL k%zu k%zu k%zu",        "EXISTS k%zu k%zu k%zu",
        "SET k%zu %zu EX %zu",       "INCRBY k%zu %zu #%zu",
        "DBSIZE #%zu%zu%zu",         "GETDEL k%zu #%zu%zu",
    };
    struct dice dice = {51};
    struct kit one;
    struct kit many;
    kit_init(&one, 1);
    kit_init(&many, KIT_SHARDS_MAX);
    long rounds = test_rounds(50000);
    for (long i = 0; i < rounds; i++) {
        char line[128];
        const char *form = forms[dice_below(&dice, ARRAY_LEN(forms))];
        snprintf(line, sizeof line, form, 1 + dice_below(&dice, 30),
                 1 + dice_below(&dice, 30), 1 + dice_below(&dice, 30));
        line[strcspn(line, "#")] = '\0';
        const char *expected = kit_say(&one, line);
        cr_assert_str_eq(kit_say(&many, line), expected, "%s", line);
    }
    kit_fini(&one);
    kit_fini(&many);
}
