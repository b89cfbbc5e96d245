/* SPDX-License-Identifier: MIT */
/*
 * shard.c -- executing, group commit, and what happens when the disk is full.
 *
 * A write that fails leaves the store ahead of the log.  The shard then cuts
 * off what the write left, replays the log into a new store, and answers every
 * call of the batch with the reason.  From there on it refuses writes without
 * executing them until a probe, once a second, finds that the disk takes
 * bytes again: so a full disk costs one replay, not one for each write.
 *
 * After a failed sync nobody knows what the disk holds: the shard stops, its
 * callers are told that the outcome is unknown, and its successor reads the
 * log anew.
 */
#include "shard.h"

#include "journal.h"
#include "say.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    BATCH_MAX = 64, /* calls between two handle_idle */
    SYNC_MS = 1000,
    PROBE_MS = 1000,
    PROBE_BYTES = 64 * 1024,
    EXPIRE_SOME = 64,
    REPLIES_SOME = 1024 * 1024, /* bytes, and one reply more */
};

#define QUEUED_BYTES_MAX ((uint64_t)64 << 20)

struct pending {
    ambit_reply reply;
    struct work *work;
};

struct shard {
    struct shard_config config;
    struct memory memory; /* of the store */
    struct store *store;
    struct journal journal;
    struct pending pending[BATCH_MAX];
    size_t pending_len;
    int64_t now_ms;
    int64_t synced_ms;
    int64_t probed_ms;
    int disk_error; /* 0, or why writes are refused */
};

struct shard_call {
    enum shard_op op;
    int64_t arg;
    struct work *work; /* owned */
};

struct shard_reply {
    struct work *work; /* owned */
};

static int shard_init(ambit_cx *cx, struct shard *shard, const void *arg);
static int shard_handle_call(ambit_cx *cx, struct shard *shard,
                             const struct shard_call *call,
                             struct shard_reply *ret_reply);
static int shard_handle_cast(ambit_cx *cx, struct shard *shard,
                             const struct shard_call *call);
static int shard_handle_idle(ambit_cx *cx, struct shard *shard);
static void shard_terminate(ambit_cx *cx, struct shard *shard, int reason);
static void shard_dispose(struct shard_call *call);

AMBIT_SERVER(shard, struct shard, struct shard_call, struct shard_reply,
             .limits = {.batch_max = BATCH_MAX}, .init = shard_init,
             .handle_call = shard_handle_call, .handle_cast = shard_handle_cast,
             .handle_idle = shard_handle_idle, .terminate = shard_terminate,
             .dispose = shard_dispose);

const struct ambit_server_type *const shard_server = &shard_type;

static void execute(struct shard *shard, struct work *work);
static int flush(ambit_cx *cx, struct shard *shard);
static int roll_back(ambit_cx *cx, struct shard *shard, int why);
static void answer(struct shard *shard, int error);
static void publish(const struct shard *shard);
static int make_store(struct shard *shard);
static void tell_time(struct shard *shard);

/* --- for the callers ---------------------------------------------------- */

/* Whether the shard may be given so much more; counts it if so. */
static bool admit_bytes(struct shard_public *public, uint64_t bytes)
{
    /* ORDER(shard-public): relaxed.  A bound on memory, which publishes
     * nothing; two callers at once may pass it by one work each. */
    uint64_t queued = atomic_fetch_add_explicit(&public->queued_bytes, bytes,
                                                memory_order_relaxed);
    if (queued > 0 && queued + bytes > QUEUED_BYTES_MAX) {
        /* ORDER(shard-public): relaxed, as above. */
        atomic_fetch_sub_explicit(&public->queued_bytes, bytes,
                                  memory_order_relaxed);
        return false;
    }
    return true;
}

int shard_run(ambit_cx *cx, ambit_actor_ref shard, struct shard_public *public,
              struct work **work)
{
    struct shard_reply reply;
    struct shard_call call = {.op = SHARD_RUN, .work = *work};
    uint64_t bytes = (*work)->bytes;
    if (!admit_bytes(public, bytes)) {
        return -EAGAIN;
    }
    int err = shard_call_now(cx, shard, &reply, call);
    /* ORDER(shard-public): relaxed, see admit_bytes(). */
    atomic_fetch_sub_explicit(&public->queued_bytes, bytes,
                              memory_order_relaxed);
    if (err == -ESTALE) {
        work_destroy(*work);
    }
    if (err == 0) {
        *work = reply.work;
    } else if (err != -EAGAIN && err != -ENOMEM) {
        *work = NULL;
    }
    return err;
}

int shard_order(ambit_cx *cx, ambit_actor_ref shard, enum shard_op op,
                int64_t arg)
{
    struct shard_reply reply;
    assert(op != SHARD_RUN);
    return shard_call(cx, shard, &reply,
                      (struct shard_call){.op = op, .arg = arg});
}

void shard_tick(ambit_actor_ref shard)
{
    shard_cast_now(shard, (struct shard_call){.op = SHARD_TICK});
}

uint64_t shard_public_read(_Atomic uint64_t *field)
{
    /* ORDER(shard-public): relaxed.  Pairs with publish(): figures for INFO,
     * each true at some moment. */
    return atomic_load_explicit(field, memory_order_relaxed);
}

int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- a life ------------------------------------------------------------- */

static int shard_init(ambit_cx *cx, struct shard *shard, const void *arg)
{
    const struct shard_config *config = arg;
    *shard = (struct shard){.config = *config};
    /* ORDER(shard-public): relaxed.  Pairs with the store in crash(), which
     * the restart follows. */
    if (atomic_load_explicit(&config->public->is_looping,
                             memory_order_relaxed)) {
        ambit_panic(cx, "DEBUG CRASH-LOOP");
    }
    shard->memory.used_max = (size_t)(config->options->memory_max_mb << 20) /
                             (size_t)config->options->shards;
    int err = make_store(shard);
    if (err < 0) {
        say("shard %u has no memory for its table", config->index);
        return err;
    }
    struct journal_config journal = {
        .folder = config->folder,
        .shard = config->index,
        .shards = (uint32_t)config->options->shards,
    };
    err = journal_open(cx, &shard->journal, &journal, shard->store);
    if (err < 0) {
        store_destroy(shard->store);
        return err;
    }
    tell_time(shard);
    shard->synced_ms = shard->now_ms;
    publish(shard);
    return 0;
}

/* Also after a panic, wherever that was: frees, and trusts nothing else. */
static void shard_terminate(ambit_cx *cx, struct shard *shard, int reason)
{
    (void)reason;
    for (size_t i = 0; i < shard->pending_len; i++) {
        work_destroy(shard->pending[i].work);
    }
    journal_close(cx, &shard->journal);
    store_destroy(shard->store);
}

static void shard_dispose(struct shard_call *call)
{
    work_destroy(call->work);
}

/* --- calls and casts ---------------------------------------------------- */

__attribute__((noreturn)) static void crash(ambit_cx *cx, struct shard *shard,
                                            bool is_loop)
{
    if (is_loop) {
        /* ORDER(shard-public): relaxed.  Pairs with shard_init(). */
        atomic_store_explicit(&shard->config.public->is_looping, true,
                              memory_order_relaxed);
    }
    ambit_panic(cx, "DEBUG CRASH-SHARD %u", shard->config.index);
}

static int shard_handle_call(ambit_cx *cx, struct shard *shard,
                             const struct shard_call *call,
                             struct shard_reply *ret_reply)
{
    struct shard_reply nothing = {NULL};
    int err;
    switch (call->op) {
    case SHARD_RUN:
        assert(shard->pending_len < BATCH_MAX);
        execute(shard, call->work);
        shard->pending[shard->pending_len++] =
            (struct pending){ambit_reply_later(cx), call->work};
        return AMBIT_NO_REPLY;
    case SHARD_SYNC:
        err = flush(cx, shard);
        *ret_reply = nothing;
        return err < 0 ? err : journal_sync(cx, &shard->journal);
    case SHARD_SLEEP:
        shard_reply(ambit_reply_later(cx), 0, &nothing);
        ambit_sleep(cx, ambit_ms(call->arg));
        return AMBIT_NO_REPLY;
    case SHARD_CRASH:
        crash(cx, shard, false);
    case SHARD_CRASH_LOOP:
        crash(cx, shard, true);
    case SHARD_TICK:
        break;
    }
    return -EOPNOTSUPP;
}

static int shard_handle_cast(ambit_cx *cx, struct shard *shard,
                             const struct shard_call *call)
{
    struct journal *journal = &shard->journal;
    assert(call->op == SHARD_TICK);
    tell_time(shard);
    store_expire_some(shard->store, shard->now_ms, EXPIRE_SOME);
    if (shard->now_ms - shard->synced_ms >= SYNC_MS) {
        int err = journal_sync(cx, journal);
        if (err < 0) {
            say("shard %u cannot sync its log: %s", shard->config.index,
                ambit_strerror(err));
            return err;
        }
        shard->synced_ms = shard->now_ms;
    }
    if (shard->disk_error != 0 && journal->batch.len == 0 &&
        shard->now_ms - shard->probed_ms >= PROBE_MS) {
        shard->probed_ms = shard->now_ms;
        shard->disk_error = journal_probe(cx, journal, PROBE_BYTES);
        if (shard->disk_error == 0) {
            say("shard %u: the disk takes writes again", shard->config.index);
        }
    }
    return AMBIT_CONTINUE;
}

static int shard_handle_idle(ambit_cx *cx, struct shard *shard)
{
    int err = flush(cx, shard);
    if (err == 0) {
        err = rewrite_step(cx, &shard->journal, shard->store);
    }
    if (err == 0) {
        publish(shard);
    }
    return err;
}

/* --- the work ----------------------------------------------------------- */

static void execute_one(struct shard *shard, struct work *work,
                        struct request *request)
{
    struct bytes *reply = &work->reply;
    request->is_reached = true;
    request->reply_at = reply->len;
    if (shard->disk_error != 0 &&
        (request->command->flags & COMMAND_WRITE) != 0) {
        request->error = shard->disk_error;
        return;
    }
    struct command_call call = {
        .store = shard->store,
        .now_ms = shard->now_ms,
        .shard = shard->config.index,
        .shards = (uint32_t)shard->config.options->shards,
        .salt = shard->journal.salt,
        .argc = request->argc,
        .argv = request->argv,
        .reply = reply,
        .log = &shard->journal.batch,
    };
    request->error = command_run(request->command, &call);
    request->reply_len = reply->len - request->reply_at;
}

/* The rest waits until the connection has sent what is there. */
static void execute(struct shard *shard, struct work *work)
{
    tell_time(shard);
    while (work->todo != NULL && work->reply.len < REPLIES_SOME) {
        execute_one(shard, work, work->todo);
        work->todo = work->todo->next;
    }
}

/* SHARD-1. */
static int flush(ambit_cx *cx, struct shard *shard)
{
    struct journal *journal = &shard->journal;
    bool is_written = journal->batch.len > 0;
    int err = journal_write(cx, journal);
    if (err == -ECANCELED) {
        return err;
    }
    if (err < 0) {
        return roll_back(cx, shard, err);
    }
    if (is_written && shard->config.options->fsync == FSYNC_ALWAYS) {
        err = journal_sync(cx, journal);
        if (err < 0) {
            say("shard %u cannot sync its log: %s", shard->config.index,
                ambit_strerror(err));
            return err;
        }
    }
    answer(shard, 0);
    return 0;
}

/* SHARD-2. */
static int roll_back(ambit_cx *cx, struct shard *shard, int why)
{
    say("shard %u cannot write its log: %s; writes are refused until it can",
        shard->config.index, ambit_strerror(why));
    store_destroy(shard->store);
    shard->store = NULL;
    int err = make_store(shard);
    if (err == 0) {
        err = journal_roll_back(cx, &shard->journal, shard->store);
    }
    if (err < 0) {
        return err;
    }
    shard->disk_error = why;
    shard->probed_ms = shard->now_ms;
    answer(shard, why);
    return 0;
}

static void answer(struct shard *shard, int error)
{
    for (size_t i = 0; i < shard->pending_len; i++) {
        struct pending *pending = &shard->pending[i];
        pending->work->error = error;
        struct shard_reply reply = {pending->work};
        if (shard_reply(pending->reply, 0, &reply) < 0) {
            work_destroy(pending->work);
        }
    }
    shard->pending_len = 0;
}

static void publish_one(_Atomic uint64_t *field, uint64_t value)
{
    /* ORDER(shard-public): relaxed.  Pairs with shard_public_read(). */
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static void publish(const struct shard *shard)
{
    struct shard_public *public = shard->config.public;
    publish_one(&public->keys, store_count(shard->store));
    publish_one(&public->expiring, store_expiring(shard->store));
    publish_one(&public->bytes, store_bytes(shard->store));
}

static int make_store(struct shard *shard)
{
    struct store_options options = {
        .seed = shard->config.folder->placement * 31 + shard->config.index + 1,
        .memory = &shard->memory,
    };
    return store_create(&options, &shard->store);
}

/* Never back, whatever is done to the system's clock. */
static void tell_time(struct shard *shard)
{
    int64_t now_ms = wall_clock_ms();
    if (now_ms > shard->now_ms) {
        shard->now_ms = now_ms;
    }
}
