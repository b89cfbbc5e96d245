/* SPDX-License-Identifier: MIT */
/*
 * kvd_kit.h -- what the tests of kvd share: dice, and a server without I/O.
 *
 * A kit holds some shards, each with a store and a log in memory, and runs
 * requests the way the real server does: plan, run the parts, merge.  Its
 * clock stands still until a test moves it.
 */
#ifndef AMBIT_TESTS_UNIT_KVD_KIT_H
#define AMBIT_TESTS_UNIT_KVD_KIT_H

#include "tests/harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "docs/examples/kvd/local.h"
#include "docs/examples/kvd/plan.h"
#include "docs/examples/kvd/resp.h"

/* --- dice ----------------------------------------------------------------- */

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    dice->state += 0x9e3779b97f4a7c15;
    uint64_t z = dice->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline size_t dice_below(struct dice *dice, size_t bound)
{
    return (size_t)(dice_next(dice) % bound);
}

static inline void dice_bytes(struct dice *dice, char *to, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (char)dice_next(dice);
    }
}

/* --- a fingerprint of a store --------------------------------------------- */

static inline void fingerprint_add(const struct store_entry *entry, void *arg)
{
    uint64_t *sum = arg;
    uint64_t seed = (uint64_t)entry->expire_ms;
    seed = XXH3_64bits_withSeed(entry->data, entry->key_len, seed);
    struct slice value = store_value(entry);
    *sum += XXH3_64bits_withSeed(value.ptr, value.len, seed);
}

/* The same for equal contents, whatever their order. */
static inline uint64_t fingerprint(struct store *store)
{
    uint64_t sum = store_count(store);
    store_for_each(store, fingerprint_add, &sum);
    return sum;
}

/* --- a server without I/O ------------------------------------------------- */

enum { KIT_SHARDS_MAX = 8, KIT_SALT = 4711, KIT_EPOCH = 1000000 };

struct kit {
    struct placement placement;
    struct store *stores[KIT_SHARDS_MAX];
    struct bytes logs[KIT_SHARDS_MAX];
    struct memory memory; /* of stores, logs and replies */
    int64_t now_ms;
    struct local_session session;
    struct local_server server;
    struct resp_parser parser;
    struct bytes out;
};

static inline void kit_init(struct kit *kit, uint32_t shards)
{
    *kit = (struct kit){.placement = {99, shards}, .now_ms = KIT_EPOCH};
    struct store_options options = {.seed = 7, .memory = &kit->memory};
    for (uint32_t i = 0; i < shards; i++) {
        cr_assert_eq(store_create(&options, &kit->stores[i]), 0);
        bytes_init(&kit->logs[i], &kit->memory);
    }
    bytes_init(&kit->out, &kit->memory);
    resp_init(&kit->parser, NULL, NULL);
    kit->session.id = 17;
    strcpy(kit->session.peer, "127.0.0.1:5000");
    kit->server.appendfsync = "always";
    kit->server.dir = "/tmp/kvd";
}

static inline void kit_fini(struct kit *kit)
{
    for (uint32_t i = 0; i < kit->placement.shards; i++) {
        store_destroy(kit->stores[i]);
        bytes_fini(&kit->logs[i]);
    }
    bytes_fini(&kit->out);
    resp_fini(&kit->parser);
    cr_assert_eq(kit->memory.used, 0, "%zu bytes are left", kit->memory.used);
    test_no_leaks();
}

static inline int kit_run_part(struct kit *kit, const struct command *command,
                               const struct plan_part *part,
                               struct bytes *reply)
{
    struct command_call call = {
        .store = kit->stores[part->shard],
        .now_ms = kit->now_ms,
        .shard = part->shard,
        .shards = kit->placement.shards,
        .salt = KIT_SALT,
        .argc = part->argc,
        .argv = part->argv,
        .reply = reply,
        .log = &kit->logs[part->shard],
    };
    return command_run(command, &call);
}

static inline int kit_run_many(struct kit *kit, struct plan *plan)
{
    struct bytes replies[KIT_SHARDS_MAX];
    int err = 0;
    for (size_t i = 0; i < plan->parts_len; i++) {
        bytes_init(&replies[i], &kit->memory);
        int part_err =
            kit_run_part(kit, plan->command, &plan->parts[i], &replies[i]);
        err = err == 0 ? part_err : err;
        plan->parts[i].reply = bytes_slice(&replies[i]);
    }
    err = err == 0 ? plan_merge(plan, &kit->out) : err;
    for (size_t i = 0; i < plan->parts_len; i++) {
        bytes_fini(&replies[i]);
    }
    return err;
}

/* Appends the reply to kit->out.  0 or -ENOMEM. */
static inline int kit_request(struct kit *kit, size_t argc,
                              const struct slice *argv)
{
    struct plan plan;
    int err = plan_make(&plan, &kit->placement, argc, argv, &kit->out);
    struct local_call local = {
        .session = &kit->session,
        .server = &kit->server,
        .argc = argc,
        .argv = argv,
        .reply = &kit->out,
    };
    if (err == 0) {
        switch (plan.kind) {
        case PLAN_DONE:
            break;
        case PLAN_LOCAL:
            err = local_run(plan.command, &local);
            break;
        case PLAN_ONE:
            err = kit_run_part(kit, plan.command, &plan.parts[0], &kit->out);
            break;
        case PLAN_MANY:
            err = kit_run_many(kit, &plan);
            break;
        }
    }
    plan_fini(&plan);
    return err;
}

/* Runs an inline line, without its ending; the reply, until the next call. */
static inline const char *kit_say(struct kit *kit, const char *line)
{
    char text[4096];
    int len = snprintf(text, sizeof text, "%s\r\n", line);
    cr_assert_lt((size_t)len, sizeof text);
    bytes_truncate(&kit->out, 0);
    enum resp_result result =
        resp_parse(&kit->parser, (struct slice){text, (size_t)len});
    cr_assert_eq(result, RESP_REQUEST, "%s: %s", line, kit->parser.error);
    cr_assert_eq(kit_request(kit, kit->parser.argc, kit->parser.argv), 0);
    bytes_append(&kit->out, "", 1);
    cr_assert_eq(kit->out.error, 0);
    return kit->out.data;
}

/* A store made from a shard's log alone has the shard's contents. */
static inline void kit_check_log(struct kit *kit, uint32_t shard)
{
    struct store *copy = NULL;
    cr_assert_eq(store_create(&(struct store_options){.seed = 1}, &copy), 0);
    struct slice rest = bytes_slice(&kit->logs[shard]);
    while (rest.len > 0) {
        struct record_decoded decoded;
        cr_assert_eq(record_decode(rest, KIT_SALT, &decoded), RECORD_OK);
        cr_assert_eq(record_apply(copy, &decoded.record), 0);
        rest.ptr += decoded.consumed;
        rest.len -= decoded.consumed;
    }
    /* What expired stays in one of them until somebody looks. */
    store_expire_some(copy, kit->now_ms, SIZE_MAX);
    store_expire_some(kit->stores[shard], kit->now_ms, SIZE_MAX);
    cr_assert_eq(fingerprint(copy), fingerprint(kit->stores[shard]));
    store_destroy(copy);
}

#endif
