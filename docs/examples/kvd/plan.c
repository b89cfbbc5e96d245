/* SPDX-License-Identifier: MIT */
/*
 * plan.c -- where a request goes, and how the pieces become one reply.
 *
 * A split request needs one block of memory, laid out as
 *
 *     parts | the parts' argvs, one after the other | part_of | shard_of
 *
 * A part's argv is the name and then, in the request's order, the arguments of
 * the keys whose shard it is.  part_of[i] tells where key i went, which is all
 * that MGET needs to put its values back in order.
 */
#include "plan.h"

#include <assert.h>
#include <errno.h>
#include <xxhash.h>

#include "number.h"

/* The keys of a request, as its command's table line places them. */
struct keys {
    size_t count;
    size_t step;
    const struct slice *args; /* the first key; each step-th from there */
};

static uint32_t scan_shard(const struct placement *placement,
                           struct slice cursor);
static int plan_keys(struct plan *plan, const struct placement *placement,
                     size_t argc, const struct slice *argv);
static int plan_all(struct plan *plan, const struct placement *placement,
                    size_t argc, const struct slice *argv);

uint32_t placement_shard(const struct placement *placement, struct slice key)
{
    assert(placement->shards > 0);
    uint64_t hash = XXH3_64bits_withSeed(key.ptr, key.len, placement->seed);
    return (uint32_t)(hash % placement->shards);
}

static int plan_one(struct plan *plan, uint32_t shard, size_t argc,
                    const struct slice *argv)
{
    plan->one = (struct plan_part){.shard = shard, .argc = argc, .argv = argv};
    plan->kind = PLAN_ONE;
    plan->parts = &plan->one;
    plan->parts_len = 1;
    return 0;
}

int plan_make(struct plan *plan, const struct placement *placement, size_t argc,
              const struct slice *argv, struct bytes *out)
{
    assert(argc >= 1);
    *plan = (struct plan){.kind = PLAN_DONE, .memory = out->memory};
    size_t mark = out->len;
    const struct command *command = command_find(argv[0]);
    int err = 0;
    if (command == NULL) {
        command_reply_unknown(out, argc, argv);
        err = out->error;
    } else if (!command_arity_fits(command, argc) ||
               (command->key_step > 1 &&
                (argc - 1) % (size_t)command->key_step != 0)) {
        command_reply_arity(out, command->name);
        err = out->error;
    } else {
        plan->command = command;
        if ((command->flags & COMMAND_LOCAL) != 0) {
            plan->kind = PLAN_LOCAL;
        } else if ((command->flags & COMMAND_SCAN) != 0) {
            err = plan_one(plan, scan_shard(placement, argv[1]), argc, argv);
        } else if ((command->flags & COMMAND_ALL) != 0) {
            err = plan_all(plan, placement, argc, argv);
        } else {
            err = plan_keys(plan, placement, argc, argv);
        }
    }
    if (err < 0) {
        bytes_truncate(out, mark);
        plan_fini(plan);
    }
    return err;
}

void plan_fini(struct plan *plan)
{
    memory_free(plan->memory, plan->block, plan->block_size);
    *plan = (struct plan){.kind = PLAN_DONE, .memory = plan->memory};
}

/* --- making a plan ------------------------------------------------------ */

/* What is no cursor goes anywhere: the shard says so. */
static uint32_t scan_shard(const struct placement *placement,
                           struct slice cursor)
{
    uint64_t value = 0;
    number_parse_unsigned(cursor, &value);
    return (uint32_t)(value % placement->shards);
}

static int plan_block(struct plan *plan, size_t size)
{
    plan->block = memory_alloc_zeroed(plan->memory, size);
    plan->block_size = plan->block != NULL ? size : 0;
    return plan->block != NULL ? 0 : -ENOMEM;
}

static int plan_all(struct plan *plan, const struct placement *placement,
                    size_t argc, const struct slice *argv)
{
    if (placement->shards == 1) {
        return plan_one(plan, 0, argc, argv);
    }
    size_t shards = placement->shards;
    if (plan_block(plan, shards * sizeof *plan->parts) < 0) {
        return -ENOMEM;
    }
    plan->kind = PLAN_MANY;
    plan->parts = plan->block;
    plan->parts_len = shards;
    for (uint32_t i = 0; i < shards; i++) {
        plan->parts[i] =
            (struct plan_part){.shard = i, .argc = argc, .argv = argv};
    }
    return 0;
}

static bool is_one_shard(const struct placement *placement,
                         const struct keys *keys, uint32_t shard)
{
    for (size_t i = 1; i < keys->count; i++) {
        if (placement_shard(placement, keys->args[i * keys->step]) != shard) {
            return false;
        }
    }
    return true;
}

/* Numbers the parts in order of shard and gives each its piece of the argvs.
 * On entry part_of[key] is its shard, and counts[shard] how many it has; on
 * return counts[shard] is the part's number. */
static void lay_out_parts(struct plan *plan, const struct keys *keys,
                          uint32_t shards, uint32_t *counts,
                          struct slice *argvs)
{
    for (uint32_t shard = 0; shard < shards; shard++) {
        if (counts[shard] == 0) {
            continue;
        }
        plan->parts[plan->parts_len] =
            (struct plan_part){.shard = shard, .argv = argvs};
        argvs += 1 + counts[shard] * keys->step;
        counts[shard] = (uint32_t)plan->parts_len++;
    }
}

static void deal_out_keys(struct plan *plan, const struct keys *keys,
                          struct slice name, const uint32_t *part_of_shard,
                          struct slice *argvs)
{
    for (size_t i = 0; i < plan->parts_len; i++) {
        argvs[plan->parts[i].argv - argvs] = name;
        plan->parts[i].argc = 1;
    }
    for (size_t i = 0; i < keys->count; i++) {
        plan->part_of[i] = part_of_shard[plan->part_of[i]];
        struct plan_part *part = &plan->parts[plan->part_of[i]];
        struct slice *to = &argvs[part->argv - argvs] + part->argc;
        memcpy(to, &keys->args[i * keys->step], keys->step * sizeof *to);
        part->argc += keys->step;
    }
}

static int plan_split(struct plan *plan, const struct placement *placement,
                      const struct keys *keys, struct slice name)
{
    uint32_t shards = placement->shards;
    size_t parts_max = keys->count < shards ? keys->count : shards;
    size_t args_max = parts_max + keys->count * keys->step;
    size_t size = parts_max * sizeof *plan->parts +
                  args_max * sizeof(struct slice) +
                  (keys->count + shards) * sizeof(uint32_t);
    if (plan_block(plan, size) < 0) {
        return -ENOMEM;
    }
    plan->parts = plan->block;
    struct slice *argvs = (struct slice *)(void *)(plan->parts + parts_max);
    plan->part_of = (uint32_t *)(void *)(argvs + args_max);
    uint32_t *counts = plan->part_of + keys->count;
    for (size_t i = 0; i < keys->count; i++) {
        plan->part_of[i] =
            placement_shard(placement, keys->args[i * keys->step]);
        counts[plan->part_of[i]]++;
    }
    lay_out_parts(plan, keys, shards, counts, argvs);
    deal_out_keys(plan, keys, name, counts, argvs);
    plan->keys = keys->count;
    plan->kind = PLAN_MANY;
    return 0;
}

static int plan_keys(struct plan *plan, const struct placement *placement,
                     size_t argc, const struct slice *argv)
{
    const struct command *command = plan->command;
    size_t first = (size_t)command->key_first;
    size_t step = (size_t)command->key_step;
    size_t last = command->key_last < 0 ? argc - 1 : (size_t)command->key_last;
    assert(first >= 1);
    assert(last < argc);
    struct keys keys = {(last - first + step) / step, step, argv + first};
    uint32_t shard = placement_shard(placement, keys.args[0]);
    if (is_one_shard(placement, &keys, shard)) {
        return plan_one(plan, shard, argc, argv);
    }
    assert(first == 1);
    return plan_split(plan, placement, &keys, argv[0]);
}

/* --- merging ------------------------------------------------------------ */

static struct slice unread(const struct plan_part *part)
{
    if (part->reply.len == 0) {
        return part->reply; /* perhaps of no address */
    }
    return (struct slice){part->reply.ptr + part->read_at,
                          part->reply.len - part->read_at};
}

/* The next reply of a part, which must be of this kind; in ret_raw its bytes
 * as they were sent. */
static int read_next(struct plan_part *part, char kind, struct reply *ret_reply,
                     struct slice *ret_raw)
{
    struct slice rest = unread(part);
    int64_t used = reply_read(rest, ret_reply);
    if (used < 0 || ret_reply->kind != kind) {
        return -EPROTO;
    }
    *ret_raw = (struct slice){rest.ptr, (size_t)used};
    part->read_at += (size_t)used;
    return 0;
}

static int merge_scalar(struct plan *plan, char kind, struct bytes *out)
{
    int64_t sum = 0;
    struct reply reply = {0};
    struct slice raw = {0};
    for (size_t i = 0; i < plan->parts_len; i++) {
        if (read_next(&plan->parts[i], kind, &reply, &raw) < 0 ||
            __builtin_add_overflow(sum, reply.value, &sum)) {
            return -EPROTO;
        }
    }
    if (kind == ':') {
        reply_integer(out, sum);
    } else {
        bytes_append(out, raw.ptr, raw.len);
    }
    return 0;
}

/* Behind the header of each part; the sum of what they announce. */
static int merge_array_headers(struct plan *plan, int64_t *ret_count)
{
    int64_t count = 0;
    for (size_t i = 0; i < plan->parts_len; i++) {
        struct reply reply = {0};
        struct slice raw = {0};
        if (read_next(&plan->parts[i], '*', &reply, &raw) < 0 ||
            reply.is_null ||
            __builtin_add_overflow(count, reply.value, &count)) {
            return -EPROTO;
        }
    }
    *ret_count = count;
    return 0;
}

static int merge_concat(struct plan *plan, struct bytes *out)
{
    int64_t count = 0;
    if (merge_array_headers(plan, &count) < 0) {
        return -EPROTO;
    }
    reply_array(out, (size_t)count);
    for (size_t i = 0; i < plan->parts_len; i++) {
        struct slice rest = unread(&plan->parts[i]);
        bytes_append(out, rest.ptr, rest.len);
        plan->parts[i].read_at += rest.len;
    }
    return 0;
}

static int merge_order(struct plan *plan, struct bytes *out)
{
    int64_t count = 0;
    if (merge_array_headers(plan, &count) < 0 ||
        (uint64_t)count != plan->keys) {
        return -EPROTO;
    }
    reply_array(out, plan->keys);
    for (size_t i = 0; i < plan->keys; i++) {
        struct reply reply = {0};
        struct slice raw = {0};
        struct plan_part *part = &plan->parts[plan->part_of[i]];
        if (read_next(part, '$', &reply, &raw) < 0) {
            return -EPROTO;
        }
        bytes_append(out, raw.ptr, raw.len);
    }
    return 0;
}

static int merge_by_kind(struct plan *plan, struct bytes *out)
{
    switch (plan->command->merge) {
    case COMMAND_MERGE_SUM:
        return merge_scalar(plan, ':', out);
    case COMMAND_MERGE_OK:
        return merge_scalar(plan, '+', out);
    case COMMAND_MERGE_ORDER:
        return merge_order(plan, out);
    case COMMAND_MERGE_CONCAT:
        return merge_concat(plan, out);
    case COMMAND_MERGE_NONE:
        break;
    }
    return -EPROTO;
}

int plan_merge(struct plan *plan, struct bytes *out)
{
    assert(plan->kind == PLAN_MANY);
    size_t mark = out->len;
    for (size_t i = 0; i < plan->parts_len; i++) {
        struct plan_part *part = &plan->parts[i];
        part->read_at = 0;
        if (part->reply.len > 0 && part->reply.ptr[0] == '-') {
            bytes_append(out, part->reply.ptr, part->reply.len);
            goto check_memory;
        }
    }
    int err = merge_by_kind(plan, out);
    for (size_t i = 0; i < plan->parts_len && err == 0; i++) {
        err = unread(&plan->parts[i]).len == 0 ? 0 : -EPROTO;
    }
    if (err < 0) {
        bytes_truncate(out, mark);
        return err;
    }
check_memory:
    if (out->error != 0) {
        bytes_truncate(out, mark);
        return -ENOMEM;
    }
    return 0;
}
