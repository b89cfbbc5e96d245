/* SPDX-License-Identifier: MIT */
/*
 * debug.c -- the DEBUG command.
 */
#include "debug.h"

#include "number.h"

enum { SLEEP_MS_MAX = 60000 };

struct order {
    const char *name;
    size_t argc;
    enum shard_op op;
};

static const struct order orders[] = {
    {"sleep-shard", 4, SHARD_SLEEP},
    {"crash-shard", 3, SHARD_CRASH},
    {"crash-loop", 3, SHARD_CRASH_LOOP},
};

static const struct order *find_order(size_t argc, const struct slice *argv)
{
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (argc == orders[i].argc &&
            slice_equals_nocase(argv[1], orders[i].name)) {
            return &orders[i];
        }
    }
    return NULL;
}

enum outcome debug_run(ambit_cx *cx, struct service *service, size_t argc,
                       const struct slice *argv, struct bytes *out)
{
    const struct order *order = argc > 1 ? find_order(argc, argv) : NULL;
    int64_t shard = 0;
    int64_t ms = 0;
    if (!service->options->debug) {
        reply_error(out, "ERR DEBUG is off: start kvd with --debug");
        return OUTCOME_REFUSED;
    }
    if (order == NULL) {
        reply_error(out, "ERR DEBUG knows SLEEP-SHARD shard ms, CRASH-SHARD "
                         "shard and CRASH-LOOP shard");
        return OUTCOME_REFUSED;
    }
    if (!number_parse(argv[2], &shard) || shard < 0 ||
        shard >= (int64_t)service->placement.shards ||
        (argc == 4 &&
         (!number_parse(argv[3], &ms) || ms < 0 || ms > SLEEP_MS_MAX))) {
        reply_error(out, "ERR no such shard, or no such time");
        return OUTCOME_REFUSED;
    }
    int err = shard_order(cx, service->refs[shard], order->op, ms);
    if (err < 0) {
        return batch_reply_failure(out, (uint32_t)shard, err, true);
    }
    reply_ok(out);
    return OUTCOME_ANSWERED;
}
