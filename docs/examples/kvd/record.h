/* SPDX-License-Identifier: MIT */
/*
 * record.h -- the append-only log: its bytes, and what they mean.
 *
 * A log file is one file header and then records, all little-endian:
 *
 *     file header  "kvdlog\r\n" version:4 shard:4 shards:4 zero:4
 *                  placement:8 salt:8 check:8                       48 bytes
 *     record       magic:4 length:4 check:8 header_check:8          24 bytes
 *                  payload: opcode:1 zero:3 key_len:4 number:8 key value
 *
 * A record tells what became of a key, never how: absolute expiry, resulting
 * value.  Replaying a log needs no clock.
 *
 *   REC-1  Each bit of a record is covered by one of its two checks, and both
 *          are salted with a secret of the file: bytes that a client stored
 *          as a value are never taken for a record.
 *   REC-2  RECORD_MORE: these bytes are the beginning of a record, so at the
 *          end of a file it was torn by a crash.  RECORD_CORRUPT: no bytes
 *          that follow could make this a record.
 *   REC-3  Memory is never asked for by a length that was not checked.
 *
 * Replay, for the caller: decode until the end.  Where it stops early ask
 * record_next_valid(): if a valid record follows, the middle is damaged
 * (refuse to start, or say what is lost); if none does, the last write was
 * cut short by a crash: cut the file there.
 */
#ifndef KVD_RECORD_H
#define KVD_RECORD_H

#include "store.h"

enum {
    RECORD_VERSION = 1,
    RECORD_FILE_HEADER_BYTES = 48,
    RECORD_HEADER_BYTES = 24,
    RECORD_PREFIX_BYTES = 16, /* of the payload, before key and value */
};

/* A key and a value of COMMAND_VALUE_MAX each, and a little. */
#define RECORD_PAYLOAD_MAX (((size_t)1 << 30) + 4096)

struct record_file {
    uint32_t shard;
    uint32_t shards;
    uint64_t placement; /* the seed that spreads keys over shards */
    uint64_t salt;      /* of the checks; random, never shown to clients */
};

void record_file_encode(const struct record_file *file,
                        char ret_header[RECORD_FILE_HEADER_BYTES]);

/*
 * 0, or -EAGAIN (fewer than RECORD_FILE_HEADER_BYTES bytes), or -EINVAL with a
 * sentence in ret_why.
 */
int record_file_decode(struct slice input, struct record_file *ret_file,
                       char ret_why[160]);

/* 0, or -EINVAL with a sentence: the folder was made for other shards. */
int record_file_admit(const struct record_file *found, uint32_t shard,
                      uint32_t shards, uint64_t placement, char ret_why[160]);

enum record_opcode {
    RECORD_SET = 1, /* key, value, number: expire_ms or STORE_NO_EXPIRY */
    RECORD_APPEND,  /* key, value: the bytes added, number: the old length */
    RECORD_DELETE,  /* key */
    RECORD_EXPIRE,  /* key, number: expire_ms */
    RECORD_PERSIST, /* key */
    RECORD_CLEAR,   /* everything */
    RECORD_OPCODE_MAX = RECORD_CLEAR,
};

struct record {
    enum record_opcode opcode;
    struct slice key;
    struct slice value;
    int64_t number;
};

/* Appends; see out->error. */
void record_encode(struct bytes *out, uint64_t salt,
                   const struct record *record);

/* For compaction: the one record that makes this entry. */
void record_encode_entry(struct bytes *out, uint64_t salt,
                         const struct store_entry *entry);

enum record_result { RECORD_OK, RECORD_MORE, RECORD_CORRUPT };

struct record_decoded {
    struct record record; /* slices into the input */
    size_t consumed;      /* with RECORD_OK */
    size_t wanted;        /* with RECORD_MORE: bytes known to be needed */
    const char *why;      /* with RECORD_CORRUPT: static text */
};

/* Looks at the start of `input`.  Empty input answers RECORD_MORE. */
enum record_result record_decode(struct slice input, uint64_t salt,
                                 struct record_decoded *ret);

/* The first offset >= from at which a whole valid record stands, or -1. */
int64_t record_next_valid(struct slice input, size_t from, uint64_t salt);

/*
 * 0, or -ENOMEM, or -ENOENT: an APPEND or EXPIRE whose key is not in the state
 * it speaks of, and nothing was changed.  That happens in a log that was
 * compacted while it was written, before the key's own record; elsewhere it
 * is damage.
 */
int record_apply(struct store *store, const struct record *record);

#endif
