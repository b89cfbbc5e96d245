/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{record,store,table,expiry,bytes,memory}.c */
/*
 * kvd_record_test.c -- a log reads back as written; each cut and each flipped
 * bit is noticed and told apart.
 */
#include "tests/unit/kvd_kit.h"

#include "docs/examples/kvd/record.h"

static const struct record samples[] = {
    {RECORD_SET, {"key", 3}, {"value", 5}, STORE_NO_EXPIRY},
    {RECORD_SET, {"", 0}, {"", 0}, 1234567890123},
    {RECORD_APPEND, {"k\0k", 3}, {"\r\n", 2}, 5},
    {RECORD_DELETE, {"key", 3}, {"", 0}, 0},
    {RECORD_EXPIRE, {"key", 3}, {"", 0}, INT64_MAX},
    {RECORD_PERSIST, {"key", 3}, {"", 0}, 0},
    {RECORD_CLEAR, {"", 0}, {"", 0}, 0},
};

/* The log of all samples; ends[i] is where sample i ends. */
static void encode_samples(struct bytes *out, size_t ends[ARRAY_LEN(samples)])
{
    bytes_init(out, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        record_encode(out, KIT_SALT, &samples[i]);
        ends[i] = out->len;
    }
    cr_assert_eq(out->error, 0);
}

static bool is_same(const struct record *a, const struct record *b)
{
    return a->opcode == b->opcode && a->number == b->number &&
           slice_equals(a->key, b->key) && slice_equals(a->value, b->value);
}

/* Decodes from an exact copy until something is not a record; how many were
 * right, where it stopped and why. */
struct reading {
    size_t records;
    size_t at;
    enum record_result stopped_by;
    int64_t next_valid;
};

static struct reading read_log(const char *data, size_t len)
{
    struct reading reading = {0};
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    for (;;) {
        struct record_decoded decoded;
        struct slice rest = {copy + reading.at, len - reading.at};
        reading.stopped_by = record_decode(rest, KIT_SALT, &decoded);
        if (reading.stopped_by != RECORD_OK) {
            break;
        }
        cr_assert_lt(reading.records, ARRAY_LEN(samples));
        cr_assert(is_same(&decoded.record, &samples[reading.records]));
        reading.records++;
        reading.at += decoded.consumed;
    }
    reading.next_valid =
        record_next_valid((struct slice){copy, len}, reading.at, KIT_SALT);
    free(copy);
    return reading;
}

Test(kvd_record, what_is_written_is_read)
{
    struct bytes log;
    size_t ends[ARRAY_LEN(samples)];
    encode_samples(&log, ends);
    struct reading reading = read_log(log.data, log.len);
    cr_assert_eq(reading.records, ARRAY_LEN(samples));
    cr_assert_eq(reading.at, log.len);
    bytes_fini(&log);
}

/* Goal: REC-2.  Method: the log cut at every byte: whole records are read, the
 * rest is a torn one, never corrupt, and no record follows. */
Test(kvd_record, each_cut_is_a_torn_record)
{
    struct bytes log;
    size_t ends[ARRAY_LEN(samples)];
    encode_samples(&log, ends);
    for (size_t len = 0; len < log.len; len++) {
        size_t whole = 0;
        while (ends[whole] <= len) {
            whole++;
        }
        struct reading reading = read_log(log.data, len);
        cr_assert_eq(reading.records, whole);
        cr_assert_eq(reading.at, whole > 0 ? ends[whole - 1] : 0);
        cr_assert_eq(reading.stopped_by, RECORD_MORE);
        cr_assert_eq(reading.next_valid, -1);
    }
    bytes_fini(&log);
}

/* Goal: REC-1.  Method: each bit of the log flipped: reading stops before the
 * record it is in, with corrupt, and the next record is found. */
Test(kvd_record, each_flipped_bit_is_damage)
{
    struct bytes log;
    size_t ends[ARRAY_LEN(samples)];
    encode_samples(&log, ends);
    for (size_t bit = 0; bit < log.len * 8; bit++) {
        size_t damaged = 0;
        while (ends[damaged] <= bit / 8) {
            damaged++;
        }
        log.data[bit / 8] ^= (char)(1 << (bit % 8));
        struct reading reading = read_log(log.data, log.len);
        log.data[bit / 8] ^= (char)(1 << (bit % 8));
        cr_assert_eq(reading.records, damaged);
        cr_assert_eq(reading.stopped_by, RECORD_CORRUPT);
        bool is_last = damaged + 1 == ARRAY_LEN(samples);
        int64_t next = is_last ? -1 : (int64_t)ends[damaged];
        cr_assert_eq(reading.next_valid, next, "bit %zu", bit);
    }
    bytes_fini(&log);
}

/* Goal: REC-1.  Method: a client stores a piece of a log, even with our magic;
 * behind a torn record it must not pass for a record. */
Test(kvd_record, a_stored_log_is_no_log)
{
    struct bytes theirs;
    struct bytes ours;
    bytes_init(&theirs, NULL);
    bytes_init(&ours, NULL);
    record_encode(&theirs, KIT_SALT + 1, &samples[0]);
    struct record holder = {
        RECORD_SET, {"k", 1}, bytes_slice(&theirs), STORE_NO_EXPIRY};
    record_encode(&ours, KIT_SALT, &holder);
    struct slice torn = {ours.data, ours.len - 1};
    cr_assert_eq(record_next_valid(torn, 0, KIT_SALT), -1);
    cr_assert_eq(record_next_valid(bytes_slice(&ours), 0, KIT_SALT), 0);
    bytes_fini(&theirs);
    bytes_fini(&ours);
}

Test(kvd_record, a_torn_record_says_how_much_is_wanted)
{
    struct bytes log;
    struct record_decoded decoded;
    bytes_init(&log, NULL);
    record_encode(&log, KIT_SALT, &samples[0]);
    struct slice header = {log.data, RECORD_HEADER_BYTES};
    cr_assert_eq(record_decode(header, KIT_SALT, &decoded), RECORD_MORE);
    cr_assert_eq(decoded.wanted, log.len);
    cr_assert_eq(record_decode((struct slice){NULL, 0}, KIT_SALT, &decoded),
                 RECORD_MORE);
    cr_assert_eq(
        record_decode((struct slice){"\0\0\0\0", 4}, KIT_SALT, &decoded),
        RECORD_CORRUPT);
    cr_assert_not_null(decoded.why);
    bytes_fini(&log);
}

Test(kvd_record, random_records_survive)
{
    struct dice dice = {31};
    long rounds = test_rounds(20000);
    struct bytes log;
    bytes_init(&log, NULL);
    for (long i = 0; i < rounds; i++) {
        char key[300];
        char value[3000];
        struct record record = {
            .opcode = RECORD_SET + dice_below(&dice, RECORD_OPCODE_MAX),
            .key = {key, dice_below(&dice, sizeof key)},
            .value = {value, dice_below(&dice, sizeof value)},
            .number = (int64_t)(dice_next(&dice) >> 1) - 1,
        };
        dice_bytes(&dice, key, record.key.len);
        dice_bytes(&dice, value, record.value.len);
        bytes_truncate(&log, 0);
        record_encode(&log, dice.state, &record);
        struct record_decoded decoded;
        cr_assert_eq(record_decode(bytes_slice(&log), dice.state, &decoded),
                     RECORD_OK);
        cr_assert(is_same(&decoded.record, &record));
        cr_assert_eq(decoded.consumed, log.len);
    }
    bytes_fini(&log);
}

/* --- replaying --------------------------------------------------------------
 */

static int apply(struct store *store, enum record_opcode opcode,
                 const char *value, int64_t number)
{
    struct record record = {opcode, {"k", 1}, slice_text(value), number};
    return record_apply(store, &record);
}

Test(kvd_record, applying_repeats_the_effect)
{
    struct store *store = NULL;
    struct slice key = {"k", 1};
    cr_assert_eq(store_create(&(struct store_options){0}, &store), 0);
    cr_assert_eq(apply(store, RECORD_APPEND, "b", 0), -ENOENT);
    cr_assert_eq(apply(store, RECORD_EXPIRE, "", 5), -ENOENT);
    cr_assert_eq(apply(store, RECORD_PERSIST, "", 0), -ENOENT);
    cr_assert_eq(apply(store, RECORD_DELETE, "", 0), 0);
    cr_assert_eq(apply(store, RECORD_SET, "a", 5), 0);
    cr_assert_eq(apply(store, RECORD_APPEND, "b", 0), -ENOENT);
    cr_assert_eq(apply(store, RECORD_APPEND, "b", 1), 0);
    const struct store_entry *entry = store_find(store, key, STORE_TIMELESS);
    cr_assert(slice_equals(store_value(entry), slice_text("ab")));
    cr_assert_eq(entry->expire_ms, 5);
    cr_assert_eq(apply(store, RECORD_EXPIRE, "", 9), 0);
    cr_assert_eq(store_next_expiry(store), 9);
    cr_assert_eq(apply(store, RECORD_PERSIST, "", 0), 0);
    cr_assert_eq(store_expiring(store), 0);
    cr_assert_eq(apply(store, RECORD_CLEAR, "", 0), 0);
    cr_assert_eq(store_count(store), 0);
    store_destroy(store);
}

static void encode_one(const struct store_entry *entry, void *arg)
{
    record_encode_entry(arg, KIT_SALT, entry);
}

/* Goal: a compacted log makes the same store. */
Test(kvd_record, compacting_keeps_everything)
{
    struct kit kit;
    kit_init(&kit, 1);
    struct dice dice = {8};
    for (int i = 0; i < 500; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET k%zu v%d%s", dice_below(&dice, 200), i,
                 i % 3 == 0 ? " PX 1000" : "");
        kit_say(&kit, line);
    }
    size_t before = kit.logs[0].len;
    bytes_truncate(&kit.logs[0], 0);
    store_for_each(kit.stores[0], encode_one, &kit.logs[0]);
    cr_assert_lt(kit.logs[0].len, before);
    kit_check_log(&kit, 0);
    kit_fini(&kit);
}

/* --- the file's header ------------------------------------------------------
 */

Test(kvd_record, the_header_of_a_file_is_read_and_checked)
{
    struct record_file file = {
        .shard = 1, .shards = 4, .placement = 77, .salt = 88};
    struct record_file found;
    char header[RECORD_FILE_HEADER_BYTES];
    char why[160] = "";
    record_file_encode(&file, header);
    struct slice input = {header, sizeof header};
    cr_assert_eq(record_file_decode(input, &found, why), 0);
    cr_assert_eq(memcmp(&found, &file, sizeof file), 0);
    for (size_t len = 0; len < sizeof header; len++) {
        struct slice part = {header, len};
        cr_assert_eq(record_file_decode(part, &found, why), -EAGAIN);
    }
    for (size_t bit = 0; bit < sizeof header * 8; bit++) {
        header[bit / 8] ^= (char)(1 << (bit % 8));
        why[0] = '\0';
        cr_assert_eq(record_file_decode(input, &found, why), -EINVAL);
        cr_assert_gt(strlen(why), 10);
        header[bit / 8] ^= (char)(1 << (bit % 8));
    }
}

Test(kvd_record, a_folder_of_other_shards_is_refused)
{
    struct record_file file = {
        .shard = 1, .shards = 4, .placement = 77, .salt = 88};
    char why[160] = "";
    cr_assert_eq(record_file_admit(&file, 1, 4, 77, why), 0);
    cr_assert_eq(record_file_admit(&file, 1, 8, 77, why), -EINVAL);
    cr_assert_str_eq(why, "the folder was made for 4 shards, the server has 8: "
                          "start it with 4, or with another folder");
    cr_assert_eq(record_file_admit(&file, 2, 4, 77, why), -EINVAL);
    cr_assert_not_null(strstr(why, "belongs to shard 1"));
    cr_assert_eq(record_file_admit(&file, 1, 4, 78, why), -EINVAL);
    cr_assert_not_null(strstr(why, "different folders"));
}
