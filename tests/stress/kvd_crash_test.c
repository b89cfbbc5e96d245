/* SPDX-License-Identifier: MIT */
/*
 * kvd_crash_test.c -- shards and processes that are killed lose no write that
 * was acknowledged.
 *
 * The clients are threads of this process, kvd is another one.  How often:
 * KVD_SHARD_KILLS (1000) and KVD_PROCESS_KILLS (200), a tenth of that under
 * sanitizers.
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_load.h"
#include "tests/harness/kvd_process.h"

/* Long enough values for the logs to be rewritten now and then. */
enum { CLIENTS = 6, DEPTH = 8, SHARDS = 4, ROUNDS = 20, PADDING = 1000 };

static int how_often(const char *variable, int usual)
{
    const char *set = getenv(variable);
#if defined(TEST_UNDER_TSAN) || defined(TEST_UNDER_ASAN)
    usual /= 10;
#else
    usual = (int)test_rounds(usual);
#endif
    return set != NULL ? atoi(set) : usual;
}

static int start(struct kvd_process *kvd, const char *folder)
{
    return kvd_start(kvd, kvd_program(), "--port", "0", "--dir", folder,
                     "--shards", "4", "--fsync", "always", "--intensity",
                     "1000000", "--debug");
}

static void verify(struct load *load, int port)
{
    uint64_t keys = 0;
    uint64_t lost = 0;
    int err = load_verify(load, port, &keys, &lost);
    cr_assert(err == 0, "cannot read back: %s", strerror(-err));
    cr_assert(lost == 0, "%llu of %llu promises were broken: %s",
              (unsigned long long)lost, (unsigned long long)keys,
              load_wrong_text(load));
    cr_assert(load_sum(load, wrong) == 0, "%s", load_wrong_text(load));
}

static void stop(struct kvd_process *kvd, int64_t restarts)
{
    char text[4096];
    int status = kvd_stop(kvd);
    cr_assert(status == 0, "status %d: %s", status,
              kvd_stderr(kvd, text, sizeof text));
    cr_assert(strstr(kvd->said, "balanced=yes") != NULL, "%s", kvd->said);
    cr_assert(kvd_field(kvd, "restarts") == restarts, "%s", kvd->said);
    cr_assert(kvd_field(kvd, "leaked_tasks") == 0, "%s", kvd->said);
    cr_assert(kvd_field(kvd, "leaked_fds") == 0, "%s", kvd->said);
    kvd_forget(kvd);
}

static void crash_shard(struct kvd_client *control, int shard)
{
    struct kvd_reply reply;
    char number[16];
    snprintf(number, sizeof number, "%d", shard);
    int err = kvd_ask(control, &reply, "DEBUG", "CRASH-SHARD", number);
    cr_assert(err == 0, "the caller was not told: %s", strerror(-err));
    cr_assert(reply.kind == '-' && kvd_is(&reply, "TRYAGAIN"), "%.80s",
              reply.text);
}

/*
 * Goal: a shard that crashes at any moment comes back with every acknowledged
 * write.  Method: crash one after the other under load, read all back often.
 */
Test(kvd_crash, a_shard_killed_a_thousand_times_loses_no_acknowledged_write,
     .timeout = 280)
{
    static struct load load = {.padding = PADDING};
    static struct kvd_process kvd;
    char folder[64];
    int kills = how_often("KVD_SHARD_KILLS", 1000);
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(start(&kvd, folder) == 0, "%s", kvd.said);
    struct kvd_client control;
    cr_assert(kvd_connect(&control, kvd.port) == 0);
    for (int i = 0; i < kills;) {
        cr_assert(load_start(&load, kvd.port, CLIENTS, DEPTH) == 0);
        cr_assert(load_wait_answered(&load));
        for (int end = i + kills / ROUNDS + 1; i < end && i < kills; i++) {
            kvd_pause_ms(i % 5);
            crash_shard(&control, i % SHARDS);
        }
        load_stop(&load);
        verify(&load, kvd.port);
    }
    kvd_disconnect(&control);
    cr_log_info("%d kills, %llu requests answered, %llu told of a crash\n",
                kills, (unsigned long long)load_sum(&load, answered),
                (unsigned long long)load_sum(&load, told));
    stop(&kvd, kills);
    load_free(&load);
    kvd_remove_folder(folder);
}

/*
 * Goal: the same when the whole process is killed.  Method: kill -9 at random
 * moments under load, start again on the same folder, read all back.
 */
Test(kvd_crash, a_process_killed_two_hundred_times_loses_no_acknowledged_write,
     .timeout = 280)
{
    static struct load load = {.padding = PADDING};
    static struct kvd_process kvd;
    char folder[64];
    char text[4096];
    int kills = how_often("KVD_PROCESS_KILLS", 200);
    unsigned seed = (unsigned)getpid();
    cr_log_info("seed %u\n", seed);
    cr_assert(kvd_make_folder(folder) != NULL);
    for (int i = 0; i <= kills; i++) {
        int err = start(&kvd, folder);
        cr_assert(err == 0, "start %d: %s", i,
                  kvd_stderr(&kvd, text, sizeof text));
        verify(&load, kvd.port);
        if (i == kills) {
            break;
        }
        cr_assert(load_start(&load, kvd.port, CLIENTS, DEPTH) == 0);
        cr_assert(load_wait_answered(&load)); /* in the first round only */
        kvd_pause_ms(1 + (int)(rand_r(&seed) % 60));
        kvd_kill(&kvd);
        kvd_forget(&kvd);
        load_stop(&load);
    }
    cr_log_info("%d kills, %llu requests answered\n", kills,
                (unsigned long long)load_sum(&load, answered));
    stop(&kvd, 0);
    load_free(&load);
    kvd_remove_folder(folder);
}
