/* SPDX-License-Identifier: MIT */
/*
 * batch.c -- dealing requests out to their shards.
 */
#include "batch_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static int run_local(struct batch *batch, struct item *item, size_t argc,
                     const struct slice *argv, struct local_session *session);
static int deal_out(struct batch *batch, struct item *item,
                    const struct plan *plan);

int batch_init(struct batch *batch, struct service *service)
{
    *batch = (struct batch){.service = service};
    bytes_init(&batch->local, NULL);
    batch->legs = calloc(service->placement.shards, sizeof *batch->legs);
    return batch->legs != NULL ? 0 : -ENOMEM;
}

void batch_fini(struct batch *batch)
{
    if (batch->legs != NULL) {
        batch_clear(batch);
    }
    free(batch->items);
    free(batch->legs);
    bytes_fini(&batch->local);
    *batch = (struct batch){0};
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->items_len; i++) {
        plan_fini(&batch->items[i].plan);
    }
    for (uint32_t i = 0; i < batch->service->placement.shards; i++) {
        if (batch->legs[i].is_touched) {
            work_destroy(batch->legs[i].work);
            batch->legs[i] = (struct leg){0};
        }
    }
    bytes_truncate(&batch->local, 0);
    batch->items_len = 0;
    batch->items_done = 0;
    batch->bytes = 0;
    batch->is_under_way = false;
}

bool batch_is_full(const struct batch *batch)
{
    return batch->items_len == BATCH_REQUESTS_MAX ||
           batch->bytes >= BATCH_BYTES_MAX;
}

static struct item *next_item(struct batch *batch)
{
    if (batch->items_len == batch->items_cap) {
        size_t cap = batch->items_cap > 0 ? batch->items_cap * 2 : 4;
        struct item *items = realloc(batch->items, cap * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        batch->items = items;
        batch->items_cap = cap;
    }
    struct item *item = &batch->items[batch->items_len];
    *item = (struct item){0};
    return item;
}

int batch_add(struct batch *batch, size_t argc, const struct slice *argv,
              struct local_session *session)
{
    assert(!batch_is_full(batch));
    struct item *item = next_item(batch);
    struct plan plan;
    size_t mark = batch->local.len;
    if (item == NULL || plan_make(&plan, &batch->service->placement, argc, argv,
                                  &batch->local) < 0) {
        return -ENOMEM;
    }
    int err = 0;
    item->command = plan.command;
    item->is_local = plan.kind == PLAN_DONE || plan.kind == PLAN_LOCAL;
    if (plan.kind == PLAN_LOCAL) {
        err = run_local(batch, item, argc, argv, session);
    } else if (!item->is_local) {
        err = deal_out(batch, item, &plan);
    }
    if (err < 0) {
        plan_fini(&plan);
        return err;
    }
    item->reply_at = mark;
    item->reply_len = batch->local.len - mark;
    batch->items_len++;
    return 0;
}

enum outcome batch_reply_failure(struct bytes *out, uint32_t shard, int error,
                                 bool is_write)
{
    switch (error) {
    case -EAGAIN:
        reply_error_format(out, "BUSY shard %u is overloaded, try again",
                           shard);
        return OUTCOME_REFUSED;
    case -EOWNERDEAD:
        reply_error_format(out, "TRYAGAIN shard %u restarted, %s", shard,
                           is_write ? "the write may or may not have happened"
                                    : "ask again");
        return OUTCOME_CANCELLED;
    case -EPIPE:
    case -ESTALE:
        reply_error_format(
            out, "ERR shard %u is gone, it crashed too often: kvd is stopping",
            shard);
        return OUTCOME_REFUSED;
    case -ENOMEM:
        reply_error(out, COMMAND_OOM);
        return OUTCOME_REFUSED;
    case -ECANCELED:
        reply_error(out, "ERR kvd is stopping");
        return OUTCOME_CANCELLED;
    default:
        reply_error_format(
            out, "MISCONF shard %u cannot write its log (%s), nothing was done",
            shard,
            error == -ENOSPC ? "the disk is full" : ambit_strerror(error));
        return OUTCOME_REFUSED;
    }
}

/* --- dealing out -------------------------------------------------------- */

static void describe(struct batch *batch, struct local_server *ret_server,
                     char lines[1024])
{
    struct service *service = batch->service;
    struct ledger *ledger = &service->ledger;
    const struct options *options = service->options;
    *ret_server = (struct local_server){
        .now_ms = wall_clock_ms(),
        .started_ms = service->started_ms,
        .pid = (int)getpid(),
        .port = service->port,
        .shards = service->placement.shards,
        .clients = clients_count(&service->clients),
        .clients_max = (uint64_t)options->clients_max,
        .connections = ledger_read(ledger, LEDGER_CONNECTIONS_ACCEPTED),
        .refused = ledger_read(ledger, LEDGER_CONNECTIONS_REFUSED),
        .commands = ledger_read(ledger, LEDGER_REQUESTS_ACCEPTED),
        .restarts = ledger_read(ledger, LEDGER_RESTARTS),
        .bytes_max = (uint64_t)options->memory_max_mb << 20,
        .appendfsync = options_fsync_name(options),
        .dir = service->folder->path,
        .ledger = lines,
    };
    ledger_print(ledger, "\r\n", ':', lines, 1024);
    for (uint32_t i = 0; i < service->placement.shards; i++) {
        struct shard_public *public = &service->publics[i];
        ret_server->keys += shard_public_read(&public->keys);
        ret_server->expiring += shard_public_read(&public->expiring);
        ret_server->bytes += shard_public_read(&public->bytes);
    }
}

static int run_local(struct batch *batch, struct item *item, size_t argc,
                     const struct slice *argv, struct local_session *session)
{
    struct local_server server;
    char lines[1024];
    describe(batch, &server, lines);
    struct local_call call = {
        .session = session,
        .server = &server,
        .argc = argc,
        .argv = argv,
        .reply = &batch->local,
    };
    return local_run(item->command, &call);
}

static int deal_part(struct batch *batch, const struct command *command,
                     const struct plan_part *part)
{
    struct leg *leg = &batch->legs[part->shard];
    leg->is_touched = true;
    if (leg->work == NULL) {
        leg->work = work_create();
    }
    if (leg->work == NULL) {
        return -ENOMEM;
    }
    size_t before = leg->work->bytes;
    int err = work_add(leg->work, command, part->argc, part->argv);
    batch->bytes += leg->work->bytes - before;
    return err;
}

/* After -ENOMEM some shards have their part and others do not: the connection
 * drops the whole batch. */
static int deal_out(struct batch *batch, struct item *item,
                    const struct plan *plan)
{
    for (size_t i = 0; i < plan->parts_len; i++) {
        int err = deal_part(batch, plan->command, &plan->parts[i]);
        if (err < 0) {
            return err;
        }
    }
    if (plan->kind == PLAN_MANY) {
        item->plan = *plan;
    } else {
        item->shard = plan->parts[0].shard;
    }
    return 0;
}
