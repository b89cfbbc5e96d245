/* SPDX-License-Identifier: MIT */
/*
 * record.c -- the append-only log: its bytes, and what they mean.
 *
 * The header has a check of its own, so that a damaged length is told from a
 * record whose end was not written, and so that record_next_valid() may try
 * every byte: a payload is summed only behind a header that holds.
 */
#include "record.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <xxhash.h>

enum { RECORD_MAGIC_BYTES = 4, HEADER_CHECKED_BYTES = 16, FILE_CHECKED = 40 };

static const char record_magic[RECORD_MAGIC_BYTES] = "\x9a\x4b\xd6\x52";
static const char file_magic[8] = "kvdlog\r\n";

static void put32(char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (char)(value >> (8 * i) & 0xff);
    }
}

static void put64(char *to, uint64_t value)
{
    put32(to, (uint32_t)value);
    put32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t get32(const char *from)
{
    const unsigned char *u = (const unsigned char *)from;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
           (uint32_t)u[3] << 24;
}

static uint64_t get64(const char *from)
{
    return get32(from) | (uint64_t)get32(from + 4) << 32;
}

/* --- the file's header -------------------------------------------------- */

void record_file_encode(const struct record_file *file,
                        char ret_header[RECORD_FILE_HEADER_BYTES])
{
    assert(file->shard < file->shards);
    char *to = ret_header;
    memcpy(to, file_magic, sizeof file_magic);
    put32(to + 8, RECORD_VERSION);
    put32(to + 12, file->shard);
    put32(to + 16, file->shards);
    put32(to + 20, 0);
    put64(to + 24, file->placement);
    put64(to + 32, file->salt);
    put64(to + FILE_CHECKED, XXH3_64bits(to, FILE_CHECKED));
}

int record_file_decode(struct slice input, struct record_file *ret_file,
                       char ret_why[160])
{
    size_t magic_len =
        input.len < sizeof file_magic ? input.len : sizeof file_magic;
    if (magic_len > 0 && memcmp(input.ptr, file_magic, magic_len) != 0) {
        snprintf(ret_why, 160, "this is not a log of kvd");
        return -EINVAL;
    }
    if (input.len < RECORD_FILE_HEADER_BYTES) {
        return -EAGAIN;
    }
    const char *from = input.ptr;
    uint32_t version = get32(from + 8);
    if (get64(from + FILE_CHECKED) != XXH3_64bits(from, FILE_CHECKED)) {
        snprintf(ret_why, 160, "the header of the log is damaged");
        return -EINVAL;
    }
    if (version != RECORD_VERSION) {
        snprintf(ret_why, 160,
                 "the log has format %u, this program reads format %d", version,
                 RECORD_VERSION);
        return -EINVAL;
    }
    *ret_file = (struct record_file){
        .shard = get32(from + 12),
        .shards = get32(from + 16),
        .placement = get64(from + 24),
        .salt = get64(from + 32),
    };
    return 0;
}

int record_file_admit(const struct record_file *found, uint32_t shard,
                      uint32_t shards, uint64_t placement, char ret_why[160])
{
    if (found->shards != shards) {
        snprintf(ret_why, 160,
                 "the folder was made for %u shards, the server has %u: start "
                 "it with %u, or with another folder",
                 found->shards, shards, found->shards);
        return -EINVAL;
    }
    if (found->shard != shard) {
        snprintf(
            ret_why, 160,
            "the log belongs to shard %u, not to shard %u: was it renamed?",
            found->shard, shard);
        return -EINVAL;
    }
    if (found->placement != placement) {
        snprintf(ret_why, 160,
                 "the logs of shard %u and shard 0 are from different folders",
                 shard);
        return -EINVAL;
    }
    return 0;
}

/* --- writing ------------------------------------------------------------ */

void record_encode(struct bytes *out, uint64_t salt,
                   const struct record *record)
{
    size_t length = RECORD_PREFIX_BYTES + record->key.len + record->value.len;
    assert(record->key.len <= RECORD_PAYLOAD_MAX);
    assert(length <= RECORD_PAYLOAD_MAX);
    if (out->error != 0) {
        return;
    }
    out->error = bytes_reserve(out, RECORD_HEADER_BYTES + length);
    if (out->error != 0) {
        return;
    }
    char *header = out->data + out->len;
    char *payload = header + RECORD_HEADER_BYTES;
    put32(payload, (uint32_t)record->opcode);
    put32(payload + 4, (uint32_t)record->key.len);
    put64(payload + 8, (uint64_t)record->number);
    out->len += RECORD_HEADER_BYTES + RECORD_PREFIX_BYTES;
    bytes_append(out, record->key.ptr, record->key.len);
    bytes_append(out, record->value.ptr, record->value.len);
    assert(out->error == 0);
    memcpy(header, record_magic, RECORD_MAGIC_BYTES);
    put32(header + 4, (uint32_t)length);
    put64(header + 8, XXH3_64bits_withSeed(payload, length, salt));
    put64(header + HEADER_CHECKED_BYTES,
          XXH3_64bits_withSeed(header, HEADER_CHECKED_BYTES, salt));
}

void record_encode_entry(struct bytes *out, uint64_t salt,
                         const struct store_entry *entry)
{
    record_encode(out, salt,
                  &(struct record){RECORD_SET, store_key(entry),
                                   store_value(entry), entry->expire_ms});
}

/* --- reading ------------------------------------------------------------ */

static enum record_result corrupt(struct record_decoded *ret, const char *why)
{
    ret->why = why;
    return RECORD_CORRUPT;
}

static enum record_result more(struct record_decoded *ret, size_t wanted)
{
    ret->wanted = wanted;
    return RECORD_MORE;
}

/* NULL, or what is wrong with a payload whose check held. */
static const char *payload_read(struct slice payload, struct record *record)
{
    uint32_t opcode = get32(payload.ptr);
    uint32_t key_len = get32(payload.ptr + 4);
    int64_t number = (int64_t)get64(payload.ptr + 8);
    if (opcode < RECORD_SET || opcode > RECORD_OPCODE_MAX) {
        return "unknown opcode";
    }
    if (key_len > payload.len - RECORD_PREFIX_BYTES) {
        return "key longer than its record";
    }
    if (number < STORE_NO_EXPIRY) {
        return "number out of range";
    }
    const char *key = payload.ptr + RECORD_PREFIX_BYTES;
    *record = (struct record){
        .opcode = (enum record_opcode)opcode,
        .key = {key, key_len},
        .value = {key + key_len, payload.len - RECORD_PREFIX_BYTES - key_len},
        .number = number,
    };
    return NULL;
}

enum record_result record_decode(struct slice input, uint64_t salt,
                                 struct record_decoded *ret)
{
    *ret = (struct record_decoded){0};
    size_t magic_len =
        input.len < RECORD_MAGIC_BYTES ? input.len : RECORD_MAGIC_BYTES;
    if (magic_len > 0 && memcmp(input.ptr, record_magic, magic_len) != 0) {
        return corrupt(ret, "no record begins here");
    }
    if (input.len < RECORD_HEADER_BYTES) {
        return more(ret, RECORD_HEADER_BYTES);
    }
    if (get64(input.ptr + HEADER_CHECKED_BYTES) !=
        XXH3_64bits_withSeed(input.ptr, HEADER_CHECKED_BYTES, salt)) {
        return corrupt(ret, "the record's header is damaged");
    }
    size_t length = get32(input.ptr + 4);
    if (length < RECORD_PREFIX_BYTES || length > RECORD_PAYLOAD_MAX) {
        return corrupt(ret, "the record's length is out of range");
    }
    if (input.len - RECORD_HEADER_BYTES < length) {
        return more(ret, RECORD_HEADER_BYTES + length);
    }
    struct slice payload = {input.ptr + RECORD_HEADER_BYTES, length};
    if (get64(input.ptr + 8) !=
        XXH3_64bits_withSeed(payload.ptr, length, salt)) {
        return corrupt(ret, "the record's payload is damaged");
    }
    const char *why = payload_read(payload, &ret->record);
    if (why != NULL) {
        return corrupt(ret, why);
    }
    ret->consumed = RECORD_HEADER_BYTES + length;
    return RECORD_OK;
}

int64_t record_next_valid(struct slice input, size_t from, uint64_t salt)
{
    while (from < input.len) {
        const char *begins =
            memchr(input.ptr + from, record_magic[0], input.len - from);
        if (begins == NULL) {
            break;
        }
        from = (size_t)(begins - input.ptr);
        struct record_decoded decoded;
        struct slice rest = {begins, input.len - from};
        if (record_decode(rest, salt, &decoded) == RECORD_OK) {
            return (int64_t)from;
        }
        from++;
    }
    return -1;
}

/* --- replaying ---------------------------------------------------------- */

static int apply_to_entry(struct store *store, const struct record *record)
{
    const struct store_entry *entry =
        store_find(store, record->key, STORE_TIMELESS);
    if (entry == NULL) {
        return -ENOENT;
    }
    switch (record->opcode) {
    case RECORD_APPEND:
        if (record->number != (int64_t)entry->value_len) {
            return -ENOENT;
        }
        return store_append(store, entry, record->value);
    case RECORD_EXPIRE:
        return store_set_expiry(store, entry, record->number);
    default:
        return store_set_expiry(store, entry, STORE_NO_EXPIRY);
    }
}

int record_apply(struct store *store, const struct record *record)
{
    switch (record->opcode) {
    case RECORD_SET:
        return store_set(store, record->key, record->value, record->number);
    case RECORD_DELETE:
        store_delete(store, record->key, STORE_TIMELESS);
        return 0;
    case RECORD_CLEAR:
        store_clear(store);
        return 0;
    case RECORD_APPEND:
    case RECORD_EXPIRE:
    case RECORD_PERSIST:
        return apply_to_entry(store, record);
    }
    return -EINVAL;
}
