/* SPDX-License-Identifier: MIT */
/*
 * command.h -- the commands, their table, and running one on a shard.
 *
 *     const struct command *command = command_find(argv[0]);
 *     struct command_call call = {...};
 *     int err = command_run(command, &call);
 *
 * A connection asks plan.h where a request goes.  Local commands run in the
 * connection (local.h); the others run here, on one shard, and write two
 * things: the reply, and for an effect the records that repeat it.
 *
 *   CMD-1  A command that answers -ENOMEM changed neither store, reply nor
 *          log; the caller answers COMMAND_OOM.
 *   CMD-2  When the store changed, the log holds records that say so (expiry
 *          apart, which every reader of the log repeats by itself); when it
 *          did not need to change, it holds none.
 *   CMD-3  Replaying the records gives the same store: nothing relative to
 *          now or to an earlier value's meaning is written.
 */
#ifndef KVD_COMMAND_H
#define KVD_COMMAND_H

#include "record.h"
#include "reply.h"

#define COMMAND_OOM "OOM command not allowed when used memory > 'maxmemory'."

/* The longest argument or value: RESP_BULK_MAX. */
#define COMMAND_VALUE_MAX ((size_t)512 << 20)

enum command_flag {
    COMMAND_WRITE = 1,    /* may change the store */
    COMMAND_READONLY = 2, /* reads the store */
    COMMAND_FAST = 4,     /* constant or logarithmic time */
    COMMAND_LOCAL = 8,    /* no keys: the connection answers */
    COMMAND_ALL = 16,     /* runs on every shard, replies are merged */
    COMMAND_SCAN = 32,    /* the cursor names the shard */
    COMMAND_ADMIN = 64,
};

enum command_merge {
    COMMAND_MERGE_NONE,   /* never split */
    COMMAND_MERGE_SUM,    /* integers: DEL EXISTS DBSIZE */
    COMMAND_MERGE_OK,     /* all OK: MSET FLUSHALL */
    COMMAND_MERGE_ORDER,  /* arrays, by the position of each key: MGET */
    COMMAND_MERGE_CONCAT, /* arrays, any order: KEYS */
};

struct command_call {
    /* set by the caller */
    struct store *store;
    int64_t now_ms; /* unix time; must not go back within one store */
    uint32_t shard; /* of `shards`: for SCAN's cursor */
    uint32_t shards;
    uint64_t salt;    /* of the log */
    size_t value_max; /* for APPEND; 0: COMMAND_VALUE_MAX, its maximum */
    size_t argc;
    const struct slice *argv; /* argv[0] is the name */
    struct bytes *reply;
    struct bytes *log; /* NULL: nothing is kept */
};

struct command {
    const char *name; /* lower case */
    int arity;        /* with the name; negative: at least that many */
    unsigned flags;
    int key_first; /* 0: none */
    int key_last;  /* negative: from the end */
    int key_step;
    enum command_merge merge;
    const char *group;
    const char *summary;
    int (*run)(struct command_call *call); /* NULL for local commands */
};

/* Any case.  NULL: unknown. */
const struct command *command_find(struct slice name);

/* The table in order of names, for COMMAND. */
const struct command *command_table(size_t *ret_count);

bool command_arity_fits(const struct command *command, size_t argc);

/* The sentences of Redis for a request that names no command, or one with
 * the wrong number of arguments. */
void command_reply_unknown(struct bytes *reply, size_t argc,
                           const struct slice *argv);
void command_reply_arity(struct bytes *reply, const char *name);

/*
 * Runs a command that plan.h sent to a shard: the number of arguments was
 * checked there.  Does not suspend.  0 when a reply was written (an error
 * reply is one too), or -ENOMEM (CMD-1).  When call->log grew, its bytes must
 * be kept as safe as the policy says before the reply is sent.
 */
int command_run(const struct command *command, struct command_call *call);

#endif
