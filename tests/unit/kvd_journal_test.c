/* SPDX-License-Identifier: MIT */
/*
 * kvd_journal_test.c -- a shard's log says what its store says, also when it
 * is rewritten while commands go on, and when its end is missing.
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_process.h"

#include "docs/examples/kvd/command.h"
#include "docs/examples/kvd/journal.h"

enum { KEYS = 40, COMMANDS = 3000, SEEDS = 12 };

struct bench {
    struct folder folder;
    struct journal_config config;
    struct journal journal;
    struct store *store;
    struct bytes reply;
    uint64_t seed;
    int64_t now_ms;
    int rewrites;
};

static unsigned roll(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(b->seed >> 33);
}

static void run_command(struct bench *b, size_t argc, const char *const *argv)
{
    struct slice args[8];
    for (size_t i = 0; i < argc; i++) {
        args[i] = slice_text(argv[i]);
    }
    const struct command *command = command_find(args[0]);
    struct command_call call = {
        .store = b->store,
        .now_ms = b->now_ms,
        .shards = 1,
        .salt = b->journal.salt,
        .argc = argc,
        .argv = args,
        .reply = &b->reply,
        .log = &b->journal.batch,
    };
    bytes_truncate(&b->reply, 0);
    cr_assert(command_run(command, &call) == 0);
}

static void run_some_command(struct bench *b)
{
    static const char *const values[] = {"", "7", "a", "bb", "a longer value"};
    char key[16];
    const char *value = values[roll(b) % 5];
    snprintf(key, sizeof key, "key%u", roll(b) % KEYS);
    b->now_ms += roll(b) % 3;
    switch (roll(b) % 16) {
    case 0:
        run_command(b, 2, (const char *[]){"DEL", key});
        break;
    case 1:
        run_command(b, 3, (const char *[]){"PEXPIRE", key, "40"});
        break;
    case 2:
        run_command(b, 2, (const char *[]){"PERSIST", key});
        break;
    case 3:
    case 4:
        run_command(b, 2, (const char *[]){"INCR", key});
        break;
    case 5:
    case 6:
    case 7:
        run_command(b, 5, (const char *[]){"SET", key, value, "PX", "60"});
        break;
    case 8:
        if (roll(b) % 40 == 0) {
            run_command(b, 1, (const char *[]){"FLUSHALL"});
        }
        break;
    case 9:
    case 10:
        run_command(b, 3, (const char *[]){"SET", key, value});
        break;
    default:
        run_command(b, 3, (const char *[]){"APPEND", key, value});
    }
}

static void open_all(ambit_cx *cx, struct bench *b)
{
    cr_assert(store_create(&(struct store_options){.seed = 3}, &b->store) == 0);
    int err = journal_open(cx, &b->journal, &b->config, b->store);
    cr_assert(err == 0, "%s", ambit_strerror(err));
}

/* Each living key with its value and expiry, in order: two of these are equal
 * when the stores are. */
static void describe(struct bench *b, struct bytes *text)
{
    bytes_truncate(text, 0);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        const struct store_entry *entry =
            store_find(b->store, slice_text(key), b->now_ms);
        if (entry != NULL) {
            struct slice value = store_value(entry);
            bytes_format(text, "%s %lld ", key, (long long)entry->expire_ms);
            bytes_append(text, value.ptr, value.len);
            bytes_append_text(text, "\n");
        }
    }
}

static void open_again_and_compare(ambit_cx *cx, struct bench *b)
{
    struct bytes before;
    struct bytes after;
    bytes_init(&before, NULL);
    bytes_init(&after, NULL);
    describe(b, &before);
    journal_close(cx, &b->journal);
    store_destroy(b->store);
    open_all(cx, b);
    describe(b, &after);
    cr_assert(slice_equals(bytes_slice(&before), bytes_slice(&after)),
              "the log does not say what the store said:\n%.*s\nbut\n%.*s",
              (int)before.len, before.data, (int)after.len, after.data);
    bytes_fini(&before);
    bytes_fini(&after);
}

static int live(ambit_cx *cx, void *arg)
{
    struct bench *b = arg;
    open_all(cx, b);
    for (int i = 0; i < COMMANDS; i++) {
        run_some_command(b);
        if (roll(b) % 4 == 0) {
            bool was_at_it = b->journal.rewrite.file != NULL;
            cr_assert(journal_write(cx, &b->journal) == 0);
            cr_assert(rewrite_step(cx, &b->journal, b->store) == 0);
            b->rewrites += was_at_it && b->journal.rewrite.file == NULL;
        }
        if (roll(b) % 500 == 0) {
            cr_assert(journal_write(cx, &b->journal) == 0);
            open_again_and_compare(cx, b);
        }
    }
    cr_assert(journal_write(cx, &b->journal) == 0);
    open_again_and_compare(cx, b);
    journal_close(cx, &b->journal);
    store_destroy(b->store);
    return 0;
}

/*
 * Goal: replaying gives the same store, whatever was run while the log was
 * being rewritten.  Method: random commands, a step of rewriting in between,
 * now and then open again and compare.
 */
Test(kvd_journal, a_log_rewritten_under_way_says_the_same, .timeout = 120)
{
    int rewrites = 0;
    int fds = test_open_fds();
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct bench b = {.seed = seed, .now_ms = 1000000};
        char why[600];
        bytes_init(&b.reply, NULL);
        cr_assert(folder_open(&b.folder, NULL, why) == 0, "%s", why);
        b.config = (struct journal_config){&b.folder, 0, 1};
        cr_assert(ambit_run(live, &b, .workers = 1) == 0, "seed %llu",
                  (unsigned long long)seed);
        folder_close(&b.folder);
        bytes_fini(&b.reply);
        rewrites += b.rewrites;
    }
    cr_log_info("%d rewrites\n", rewrites);
#ifdef AMBIT_CHECKED
    cr_assert(rewrites > SEEDS, "only %d rewrites", rewrites);
#endif
    cr_assert(test_fds_back_to(fds));
    test_no_leaks();
}
