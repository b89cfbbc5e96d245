/* SPDX-License-Identifier: MIT */
/*
 * gather.c -- sending shares to their shards, and making replies of them.
 *
 * All shares but one travel in child tasks of a scope; when the scope closes
 * every one is back, or known to be lost.  A shard that wrote many bytes of
 * replies sends the share back half done: what is there is gathered and can be
 * sent, then only the shards travel again that the next reply waits for.  So
 * the replies of a batch need not be in memory together.
 */
#include "batch_parts.h"

#include <assert.h>

/* What a child task needs to know. */
struct trip {
    struct service *service;
    struct leg *leg;
    uint32_t shard;
};

static void begin(struct batch *batch);
static int travel(ambit_cx *cx, struct batch *batch);
static bool gather(struct batch *batch, struct bytes *out);

int batch_run(ambit_cx *cx, struct batch *batch, struct bytes *out)
{
    size_t done = batch->items_done;
    memset(batch->outcomes, 0, sizeof batch->outcomes);
    if (!batch->is_under_way) {
        begin(batch);
    }
    int err = travel(cx, batch);
    bool is_complete = err == 0 && gather(batch, out);
    if (err == 0) {
        err = out->error;
    }
    if (err < 0) {
        memset(batch->outcomes, 0, sizeof batch->outcomes);
        batch->outcomes[OUTCOME_CANCELLED] = batch->items_len - done;
    }
    if (err < 0 || is_complete) {
        batch_clear(batch);
        return err;
    }
    return BATCH_MORE;
}

/* --- travelling --------------------------------------------------------- */

static void begin(struct batch *batch)
{
    batch->is_under_way = true;
    for (uint32_t i = 0; i < batch->service->placement.shards; i++) {
        struct leg *leg = &batch->legs[i];
        leg->is_wanted = leg->is_touched;
        leg->next = leg->is_touched ? leg->work->first : NULL;
    }
}

static int run_trip(ambit_cx *cx, void *arg)
{
    struct trip *trip = arg;
    struct service *service = trip->service;
    struct leg *leg = trip->leg;
    leg->error = shard_run(cx, service->refs[trip->shard],
                           &service->publics[trip->shard], &leg->work);
    return 0;
}

/* How many legs are wanted, and the last of them.  One whose task never runs
 * stays cancelled. */
static size_t prepare(struct batch *batch, uint32_t *ret_last)
{
    size_t wanted = 0;
    for (uint32_t i = 0; i < batch->service->placement.shards; i++) {
        struct leg *leg = &batch->legs[i];
        if (leg->is_wanted) {
            bytes_truncate(&leg->work->reply, 0); /* gathered already */
            leg->error = -ECANCELED;
            *ret_last = i;
            wanted++;
        }
    }
    return wanted;
}

static void travel_side_by_side(ambit_cx *cx, struct batch *batch,
                                const struct trip *own)
{
    struct trip trip = *own;
    int rc = 0;
    ambit_scope (cx, side_by_side, &rc, .name = "batch") {
        for (trip.shard = 0; trip.shard < own->shard; trip.shard++) {
            trip.leg = &batch->legs[trip.shard];
            if (trip.leg->is_wanted &&
                ambit_spawn_with(side_by_side, run_trip, &trip,
                                 .name = "share") < 0) {
                run_trip(cx, &trip);
            }
        }
        trip = *own;
        run_trip(cx, &trip);
    }
}

/* 0, or -ECANCELED: the connection is being ended. */
static int travel(ambit_cx *cx, struct batch *batch)
{
    uint32_t last = 0;
    int err = 0;
    size_t wanted = prepare(batch, &last);
    struct trip own = {batch->service, &batch->legs[last], last};
    if (wanted == 1) {
        run_trip(cx, &own);
    } else if (wanted > 1) {
        travel_side_by_side(cx, batch, &own);
    }
    for (uint32_t i = 0; wanted > 0 && i <= last; i++) {
        struct leg *leg = &batch->legs[i];
        if (leg->is_wanted && leg->error == -ECANCELED) {
            err = -ECANCELED;
        }
        leg->is_wanted = false;
    }
    return err;
}

/* --- gathering ---------------------------------------------------------- */

static int leg_error(const struct leg *leg)
{
    return leg->error != 0 ? leg->error : leg->work->error;
}

/* What became of one shard's part: an error, or its reply in ret_reply. */
static int part_result(struct leg *leg, struct slice *ret_reply)
{
    struct request *request = leg->next;
    int err = leg_error(leg);
    if (err != 0) {
        return err;
    }
    assert(request->is_reached);
    leg->next = request->next;
    if (request->error != 0) {
        return request->error;
    }
    *ret_reply = work_reply(leg->work, request);
    return 0;
}

/* True when the shard has not come to its part; the leg is then wanted. */
static bool must_wait(struct batch *batch, uint32_t shard)
{
    struct leg *leg = &batch->legs[shard];
    if (leg_error(leg) == 0 && !leg->next->is_reached) {
        leg->is_wanted = true;
    }
    return leg->is_wanted;
}

static bool item_must_wait(struct batch *batch, struct item *item)
{
    bool waits = false;
    if (item->plan.kind == PLAN_MANY) {
        for (size_t i = 0; i < item->plan.parts_len; i++) {
            waits |= must_wait(batch, item->plan.parts[i].shard);
        }
    } else if (!item->is_local) {
        waits = must_wait(batch, item->shard);
    }
    return waits;
}

static enum outcome gather_many(struct batch *batch, struct item *item,
                                struct bytes *out)
{
    struct plan *plan = &item->plan;
    uint32_t failed = 0;
    int error = 0;
    for (size_t i = 0; i < plan->parts_len; i++) {
        struct plan_part *part = &plan->parts[i];
        int err = part_result(&batch->legs[part->shard], &part->reply);
        if (err < 0 && error == 0) {
            error = err;
            failed = part->shard;
        }
    }
    bool is_write = (item->command->flags & COMMAND_WRITE) != 0;
    if (error == 0 && plan_merge(plan, out) < 0) {
        error = -ENOMEM;
    }
    return error < 0 ? batch_reply_failure(out, failed, error, is_write)
                     : OUTCOME_ANSWERED;
}

static enum outcome gather_one(struct batch *batch, struct item *item,
                               struct bytes *out)
{
    struct slice reply;
    if (item->is_local) {
        reply =
            (struct slice){batch->local.data + item->reply_at, item->reply_len};
    } else {
        bool is_write = (item->command->flags & COMMAND_WRITE) != 0;
        int err = part_result(&batch->legs[item->shard], &reply);
        if (err < 0) {
            return batch_reply_failure(out, item->shard, err, is_write);
        }
    }
    bytes_append(out, reply.ptr, reply.len);
    return OUTCOME_ANSWERED;
}

/* True when each request has its reply. */
static bool gather(struct batch *batch, struct bytes *out)
{
    for (; batch->items_done < batch->items_len; batch->items_done++) {
        struct item *item = &batch->items[batch->items_done];
        if (item_must_wait(batch, item)) {
            return false;
        }
        enum outcome outcome = item->plan.kind == PLAN_MANY
                                   ? gather_many(batch, item, out)
                                   : gather_one(batch, item, out);
        batch->outcomes[outcome]++;
    }
    return true;
}
