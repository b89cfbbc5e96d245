/* SPDX-License-Identifier: MIT */
/*
 * work.h -- requests on their way to one shard, and their replies back.
 *
 * A connection fills a work with copies of its requests, because it may be
 * gone before the shard comes to them.  A work has one owner at any time: the
 * connection, then the call that carries it, then the shard, then the reply
 * that carries it back.  Whoever owns it last frees it.
 */
#ifndef KVD_WORK_H
#define KVD_WORK_H

#include "command.h"

struct request {
    struct request *next; /* work.first */
    const struct command *command;
    bool is_reached; /* set by the shard, as what follows */
    size_t reply_at; /* in work.reply */
    size_t reply_len;
    int error; /* 0, or why it was not carried out; then there is no reply */
    size_t argc;
    struct slice argv[]; /* and behind it the bytes */
};

struct work {
    struct request *first; /* in the order they came */
    struct request *last;
    struct request *todo; /* the first that was not reached */
    size_t bytes;         /* of all requests */
    struct bytes reply;
    struct memory memory; /* a ceiling for the replies */
    int error;            /* 0, or why nothing of it was done */
};

/* NULL: out of memory. */
struct work *work_create(void);

/* NULL allowed. */
void work_destroy(struct work *work);

/* Copies.  0 or -ENOMEM. */
int work_add(struct work *work, const struct command *command, size_t argc,
             const struct slice *argv);

static inline struct slice work_reply(const struct work *work,
                                      const struct request *request)
{
    return (struct slice){work->reply.data + request->reply_at,
                          request->reply_len};
}

#endif
