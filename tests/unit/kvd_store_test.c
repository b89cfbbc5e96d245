/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/{store,table,expiry,bytes,memory}.c */
/*
 * kvd_store_test.c -- the table against a model that cannot be wrong, the
 * promise of SCAN, and each allocation failing once.
 */
#include "tests/unit/kvd_kit.h"

#include "docs/examples/kvd/store.h"

static struct slice key_of(char to[16], unsigned number)
{
    return (struct slice){to, (size_t)snprintf(to, 16, "key:%u", number)};
}

static struct store *new_store(struct memory *memory)
{
    struct store *store = NULL;
    struct store_options options = {.seed = 3, .memory = memory};
    cr_assert_eq(store_create(&options, &store), 0);
    return store;
}

/* --- against a model --------------------------------------------------------
 */

enum { MODEL_KEYS = 3000, MODEL_VALUE_MAX = 40 };

struct model_entry {
    bool is_there;
    int64_t expire_ms;
    size_t len;
    char value[MODEL_VALUE_MAX];
};

struct world {
    struct dice dice;
    struct memory memory;
    struct store *store;
    int64_t now_ms;
    unsigned keys; /* of MODEL_KEYS, used at present: makes it grow, shrink */
    struct model_entry model[MODEL_KEYS];
};

static struct model_entry *model_find(struct world *world, unsigned number)
{
    struct model_entry *entry = &world->model[number];
    if (entry->is_there && entry->expire_ms != STORE_NO_EXPIRY &&
        world->now_ms > entry->expire_ms) {
        entry->is_there = false;
    }
    return entry->is_there ? entry : NULL;
}

static void check_key(struct world *world, unsigned number)
{
    char text[16];
    const struct model_entry *expected = model_find(world, number);
    const struct store_entry *found =
        store_find(world->store, key_of(text, number), world->now_ms);
    cr_assert_eq(found != NULL, expected != NULL);
    if (found != NULL) {
        struct slice value = {expected->value, expected->len};
        cr_assert(slice_equals(store_value(found), value));
        cr_assert_eq(found->expire_ms, expected->expire_ms);
    }
}

static int64_t random_expiry(struct world *world)
{
    if (dice_below(&world->dice, 2) == 0) {
        return STORE_NO_EXPIRY;
    }
    return world->now_ms + (int64_t)dice_below(&world->dice, 3000);
}

static void random_set(struct world *world, unsigned number)
{
    char text[16];
    struct model_entry *entry = &world->model[number];
    *entry = (struct model_entry){.is_there = true};
    entry->expire_ms = random_expiry(world);
    entry->len = dice_below(&world->dice, MODEL_VALUE_MAX);
    dice_bytes(&world->dice, entry->value, entry->len);
    struct slice value = {entry->value, entry->len};
    cr_assert_eq(
        store_set(world->store, key_of(text, number), value, entry->expire_ms),
        0);
}

static void random_append(struct world *world, unsigned number)
{
    char text[16];
    struct model_entry *entry = model_find(world, number);
    const struct store_entry *found =
        store_find(world->store, key_of(text, number), world->now_ms);
    if (found == NULL) {
        return;
    }
    size_t len = dice_below(&world->dice, 9);
    len = entry->len + len <= MODEL_VALUE_MAX ? len : 0;
    dice_bytes(&world->dice, entry->value + entry->len, len);
    struct slice more = {entry->value + entry->len, len};
    entry->len += len;
    cr_assert_eq(store_append(world->store, found, more), 0);
}

static void random_touch(struct world *world, unsigned number)
{
    char text[16];
    struct model_entry *entry = model_find(world, number);
    const struct store_entry *found =
        store_find(world->store, key_of(text, number), world->now_ms);
    if (found != NULL) {
        entry->expire_ms = random_expiry(world);
        cr_assert_eq(store_set_expiry(world->store, found, entry->expire_ms),
                     0);
    }
}

static void random_delete(struct world *world, unsigned number)
{
    char text[16];
    bool was_there = model_find(world, number) != NULL;
    cr_assert_eq(
        store_delete(world->store, key_of(text, number), world->now_ms),
        was_there);
    world->model[number].is_there = false;
}

static void random_step(struct world *world)
{
    unsigned number = (unsigned)dice_below(&world->dice, world->keys);
    switch (dice_below(&world->dice, 8)) {
    case 0:
    case 1:
        random_set(world, number);
        break;
    case 2:
        random_append(world, number);
        break;
    case 3:
        random_touch(world, number);
        break;
    case 4:
        random_delete(world, number);
        break;
    case 5:
        world->now_ms += (int64_t)dice_below(&world->dice, 3);
        store_expire_some(world->store, world->now_ms,
                          dice_below(&world->dice, 4));
        break;
    default:
        check_key(world, number);
    }
}

static void check_whole(struct world *world)
{
    size_t count = 0;
    size_t expiring = 0;
    store_expire_some(world->store, world->now_ms, SIZE_MAX);
    for (unsigned number = 0; number < MODEL_KEYS; number++) {
        check_key(world, number);
        const struct model_entry *entry = model_find(world, number);
        count += entry != NULL;
        expiring += entry != NULL && entry->expire_ms != STORE_NO_EXPIRY;
    }
    cr_assert_eq(store_count(world->store), count);
    cr_assert_eq(store_expiring(world->store), expiring);
    cr_assert_eq(store_bytes(world->store), world->memory.used);
}

/* Goal: each operation does what it says.  Method: a million random ones,
 * beside an array; the number of keys in use swings, so the table is resized
 * to and fro. */
Test(kvd_store, is_like_a_naive_model)
{
    struct world *world = calloc(1, sizeof *world);
    world->dice.state = 5;
    world->now_ms = 1000;
    world->store = new_store(&world->memory);
    long rounds = test_rounds(1000000);
    for (long i = 0; i < rounds; i++) {
        if (i % 10000 == 0) {
            check_whole(world);
            static const unsigned keys[] = {MODEL_KEYS, 40, 700};
            world->keys = keys[i / 10000 % 3];
        }
        if (i % 20000 == 19999) {
            for (unsigned n = world->keys; n < MODEL_KEYS; n++) {
                random_delete(world, n);
            }
        }
        if (i % 200000 == 199999) {
            store_clear(world->store);
            memset(world->model, 0, sizeof world->model);
        }
        random_step(world);
    }
    check_whole(world);
    store_destroy(world->store);
    cr_assert_eq(world->memory.used, 0);
    free(world);
    test_no_leaks();
}

/* --- SCAN -------------------------------------------------------------------
 */

enum { STAYING = 100, PASSING = 4000 };

struct census {
    unsigned seen[STAYING];
};

static void see(const struct store_entry *entry, void *arg)
{
    struct census *census = arg;
    char text[16] = "";
    memcpy(text, entry->data, entry->key_len);
    unsigned number = (unsigned)strtoul(text + strlen("key:"), NULL, 10);
    if (number < STAYING) {
        census->seen[number]++;
    }
}

static void set_number(struct store *store, unsigned number)
{
    char text[16];
    cr_assert_eq(store_set(store, key_of(text, number), slice_text("v"),
                           STORE_NO_EXPIRY),
                 0);
}

/* Adds or removes some of the keys that do not stay. */
static void churn(struct store *store, struct dice *dice, bool grows)
{
    for (size_t n = dice_below(dice, 300); n > 0; n--) {
        unsigned number = STAYING + (unsigned)dice_below(dice, PASSING);
        if (dice_below(dice, 10) == 0 ? !grows : grows) {
            set_number(store, number);
        } else {
            char text[16];
            store_delete(store, key_of(text, number), STORE_TIMELESS);
        }
    }
}

static void scan_once(uint64_t seed, size_t before)
{
    struct dice dice = {seed};
    struct store *store = new_store(NULL);
    struct census census = {{0}};
    for (unsigned i = 0; i < STAYING + before; i++) {
        set_number(store, i);
    }
    uint64_t cursor = 0;
    size_t calls = 0;
    do {
        churn(store, &dice, (calls / 60 + seed) % 2 == 0);
        cursor = store_scan(store, cursor, see, &census);
        cr_assert_lt(calls++, 1000000, "the scan never ends");
    } while (cursor != 0);
    for (unsigned i = 0; i < STAYING; i++) {
        cr_assert_geq(census.seen[i], 1, "seed %zu: key %u was missed",
                      (size_t)seed, i);
    }
    store_destroy(store);
}

/* Goal: STORE-2.  Method: some keys stay while others make the table grow and
 * shrink between the calls. */
Test(kvd_store, a_scan_sees_all_that_stay)
{
    long rounds = test_rounds(30);
    for (long seed = 0; seed < rounds; seed++) {
        scan_once((uint64_t)seed, seed % 3 == 0 ? PASSING : 0);
    }
}

Test(kvd_store, a_scan_of_what_rests_sees_each_key_once)
{
    struct store *store = new_store(NULL);
    for (unsigned i = 0; i < STAYING; i++) {
        set_number(store, i);
    }
    char text[16];
    for (int i = 0; i < 1000; i++) { /* lets a resize end */
        store_find(store, key_of(text, 1), STORE_TIMELESS);
    }
    struct census census = {{0}};
    uint64_t cursor = 0;
    do {
        cursor = store_scan(store, cursor, see, &census);
    } while (cursor != 0);
    store_for_each(store, see, &census);
    for (unsigned i = 0; i < STAYING; i++) {
        cr_assert_eq(census.seen[i], 2);
    }
    cr_assert_neq(store_scan(store, UINT64_MAX, see, &census), 1);
    store_destroy(store);
}

/* --- expiry -----------------------------------------------------------------
 */

Test(kvd_store, expires_after_its_moment_soonest_first)
{
    struct store *store = new_store(NULL);
    char text[16];
    for (unsigned i = 0; i < 100; i++) {
        unsigned number = i * 37 % 100;
        cr_assert_eq(store_set(store, key_of(text, number), slice_text("v"),
                               1000 + number),
                     0);
    }
    cr_assert_eq(store_next_expiry(store), 1000);
    cr_assert_not_null(store_find(store, key_of(text, 0), 1000));
    cr_assert_eq(store_expire_some(store, 1000, 10), 0);
    cr_assert_null(store_find(store, key_of(text, 0), 1001));
    cr_assert_eq(store_expire_some(store, 1050, 10), 10);
    cr_assert_eq(store_next_expiry(store), 1011);
    cr_assert_eq(store_expire_some(store, 1050, 1000), 39);
    cr_assert_not(store_delete(store, key_of(text, 60), 2000));
    cr_assert_eq(store_count(store), 49);
    cr_assert_eq(store_expire_some(store, 2000, 1000), 49);
    cr_assert_eq(store_next_expiry(store), STORE_NO_EXPIRY);
    store_destroy(store);
}

/* --- memory -----------------------------------------------------------------
 */

/* The operations that may fail; each answers 0 or -ENOMEM. */
static int attempt(struct store *store, int operation)
{
    char a[16];
    char b[16];
    struct slice key = key_of(a, 5);
    struct slice fresh = key_of(b, 500);
    struct slice large = {"0123456789012345678901234567890123456789", 40};
    const struct store_entry *found = store_find(store, key, STORE_TIMELESS);
    struct store_entry *prepared = NULL;
    switch (operation) {
    case 0:
        return store_set(store, fresh, large, STORE_NO_EXPIRY);
    case 1:
        return store_set(store, key, large, 99999);
    case 2:
        return store_set(store, key, slice_text("w"), 99999);
    case 3:
        return store_append(store, found, large);
    case 4:
        return store_set_expiry(store, found, 99999);
    default:
        prepared = store_prepare(store, fresh, large, 99999);
        if (prepared != NULL) {
            store_commit(store, prepared);
        }
        return prepared != NULL ? 0 : -ENOMEM;
    }
}

/* Goal: STORE-1.  Method: each operation, with its n-th allocation failing,
 * for each n until none fails; 16 keys, so the next one grows the table. */
Test(kvd_store, lack_of_memory_changes_nothing)
{
    int failures = 0;
    for (int operation = 0; operation < 6; operation++) {
        int err = -ENOMEM;
        for (long n = 1; err < 0; n++) {
            struct memory memory = {0};
            struct store *store = new_store(&memory);
            for (unsigned i = 0; i < 16; i++) {
                set_number(store, i);
            }
            uint64_t before = fingerprint(store);
            memory.fail_in = n;
            err = attempt(store, operation);
            cr_assert(err == 0 || err == -ENOMEM);
            if (err < 0) {
                failures++;
                cr_assert_eq(fingerprint(store), before);
                cr_assert_eq(store_bytes(store), memory.used);
            } else {
                cr_assert_neq(fingerprint(store), before);
            }
            store_destroy(store);
            cr_assert_eq(memory.used, 0);
        }
    }
    cr_assert_geq(failures, 7);
    test_no_leaks();
}

/* Goal: STORE-4.  Method: a ceiling that admits entries but no larger array;
 * then the same for creating. */
Test(kvd_store, works_on_when_the_table_cannot_grow)
{
    struct memory memory = {0};
    struct store *store = new_store(&memory);
    char text[16];
    for (unsigned i = 0; i < 2000; i++) {
        /* What an entry needs, not what an array of pointers does. */
        memory.used_max = memory.used + 100;
        set_number(store, i);
    }
    for (unsigned i = 0; i < 2000; i++) {
        cr_assert_not_null(store_find(store, key_of(text, i), STORE_TIMELESS));
    }
    memory.used_max = memory.used;
    cr_assert_eq(
        store_set(store, key_of(text, 9999), slice_text("v"), STORE_NO_EXPIRY),
        -ENOMEM);
    store_destroy(store);
    memory = (struct memory){.fail_in = 1};
    struct store_options options = {.memory = &memory};
    cr_assert_eq(store_create(&options, &store), -ENOMEM);
}

/* Goal: STORE-5.  Method: more entries with an expiry than the heap has room
 * for at first, all prepared before the first is committed, then no memory. */
Test(kvd_store, prepared_entries_need_no_more_memory)
{
    enum { ENTRIES = 40 };
    struct memory memory = {0};
    struct store *store = new_store(&memory);
    struct store_entry *entries[ENTRIES];
    char text[16];
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct slice key = key_of(text, i);
        entries[i] = store_prepare(store, key, key, 1000 + i);
        cr_assert_not_null(entries[i]);
    }
    memory.used_max = 1;
    for (unsigned i = 0; i < ENTRIES; i++) {
        store_commit(store, entries[i]);
    }
    cr_assert_eq(store_expiring(store), ENTRIES);
    store_destroy(store);
}

Test(kvd_store, prepared_entries_can_be_given_back)
{
    struct memory memory = {0};
    struct store *store = new_store(&memory);
    struct slice key = slice_text("k");
    size_t used = memory.used;
    struct store_entry *first = store_prepare(store, key, key, 5);
    struct store_entry *second = store_prepare(store, key, key, 6);
    cr_assert_eq(store_count(store), 0);
    store_clear(store);
    store_discard(store, first);
    store_commit(store, second);
    cr_assert_eq(store_count(store), 1);
    cr_assert_eq(store_next_expiry(store), 6);
    store_clear(store);
    cr_assert_eq(memory.used, used);
    store_destroy(store);
    cr_assert_eq(memory.used, 0);
}

/* --- values -----------------------------------------------------------------
 */

Test(kvd_store, keys_and_values_may_be_any_bytes)
{
    struct store *store = new_store(NULL);
    struct slice keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"a\0b", 3}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        cr_assert_eq(store_set(store, keys[i], keys[i], STORE_NO_EXPIRY), 0);
    }
    cr_assert_eq(
        store_set(store, keys[1], (struct slice){NULL, 0}, STORE_NO_EXPIRY), 0);
    cr_assert_eq(store_count(store), ARRAY_LEN(keys));
    const struct store_entry *found =
        store_find(store, keys[3], STORE_TIMELESS);
    cr_assert(slice_equals(store_value(found), keys[3]));
    /* A value may be set to a piece of itself. */
    struct slice piece = {store_value(found).ptr + 1, 2};
    cr_assert_eq(store_set(store, keys[3], piece, STORE_NO_EXPIRY), 0);
    found = store_find(store, keys[3], STORE_TIMELESS);
    cr_assert(slice_equals(store_value(found), (struct slice){"\0b", 2}));
    store_destroy(store);
}
