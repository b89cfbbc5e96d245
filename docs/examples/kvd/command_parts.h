/* SPDX-License-Identifier: MIT */
/*
 * command_parts.h -- what the files of commands share; not for others.
 *
 * A handler that writes keeps to one order, from which CMD-1 follows: read
 * and check; write the reply; write the records; ask call_is_ready(); change
 * the store in one step that fails as a whole or not at all.
 */
#ifndef KVD_COMMAND_PARTS_H
#define KVD_COMMAND_PARTS_H

#include "command.h"

#define ERR_SYNTAX "ERR syntax error"
#define ERR_NOT_INTEGER "ERR value is not an integer or out of range"

/* The key's entry, NULL when there is none or it expired. */
const struct store_entry *call_find(const struct command_call *call,
                                    struct slice key);

/* Appends a record, when a log is kept. */
void call_log(const struct command_call *call, enum record_opcode opcode,
              struct slice key, struct slice value, int64_t number);

/* 0, or -ENOMEM when the reply or the records did not fit in memory. */
int call_is_ready(const struct command_call *call);

/* command_string.c */
int command_set(struct command_call *call);
int command_setnx(struct command_call *call);
int command_get(struct command_call *call);
int command_getset(struct command_call *call);
int command_getdel(struct command_call *call);
int command_strlen(struct command_call *call);
int command_append(struct command_call *call);
int command_mget(struct command_call *call);
int command_mset(struct command_call *call);

/* command_number.c */
int command_incr(struct command_call *call);
int command_decr(struct command_call *call);
int command_incrby(struct command_call *call);
int command_decrby(struct command_call *call);

/* command_key.c */
int command_del(struct command_call *call);
int command_exists(struct command_call *call);
int command_type(struct command_call *call);
int command_expire(struct command_call *call);
int command_pexpire(struct command_call *call);
int command_ttl(struct command_call *call);
int command_pttl(struct command_call *call);
int command_persist(struct command_call *call);

/* command_scan.c */
int command_keys(struct command_call *call);
int command_scan(struct command_call *call);
int command_dbsize(struct command_call *call);
int command_flush(struct command_call *call);

#endif
