/* SPDX-License-Identifier: MIT */
/*
 * crashes.c -- the steps in which a shard goes down.
 */
#include "tests/demo/demo.h"

enum { CRASHES = 16 };

static double ms_since(int64_t begun_us)
{
    return (double)(kvd_now_us() - begun_us) / 1000;
}

static void verify(struct demo *demo, const char *when)
{
    uint64_t keys = 0;
    uint64_t lost = 0;
    int err = load_verify(&demo->load, demo->kvd.port, &keys, &lost);
    demo_check(demo, err == 0 && lost == 0,
               "acknowledged writes read back %s: %s (%llu keys, %llu lost)",
               when,
               err < 0     ? strerror(-err)
               : lost == 0 ? "all"
                           : "NOT all",
               (unsigned long long)keys, (unsigned long long)lost);
}

/* One crash: how long its caller waited for the news, and how long until every
 * shard answered again. */
static bool crash_once(struct demo *demo, int shard, double *told_ms,
                       double *back_ms)
{
    char text[160];
    char number[16];
    snprintf(number, sizeof number, "%d", shard);
    int64_t begun = kvd_now_us();
    int err =
        demo_ask(demo, text, sizeof text, "DEBUG", "CRASH-SHARD", number, NULL);
    double told = ms_since(begun);
    bool is_told = err == 0 && strncmp(text, "TRYAGAIN", 8) == 0;
    err = demo_ask(demo, text, sizeof text, "DBSIZE", NULL, NULL, NULL);
    double back = ms_since(begun);
    *told_ms = told > *told_ms ? told : *told_ms;
    *back_ms = back > *back_ms ? back : *back_ms;
    return is_told && err == 0;
}

void demo_crash(struct demo *demo)
{
    struct load *load = &demo->load;
    double told_ms = 0;
    double back_ms = 0;
    bool holds = true;
    demo_step("A shard crashes in the middle of a call, under load");
    uint64_t told_before = load_sum(load, told);
    load_start(load, demo->kvd.port, DEMO_CLIENTS, DEMO_DEPTH);
    for (int i = 0; i < CRASHES; i++) {
        kvd_pause_ms(200);
        holds &= crash_once(demo, i % DEMO_SHARDS, &told_ms, &back_ms);
    }
    load_stop(load);
    demo_check(demo, holds && told_ms < DEMO_PROMPT_MS,
               "%d crashes: whoever asked was told so, after %.1f ms at most",
               CRASHES, told_ms);
    demo_check(demo, holds && back_ms < DEMO_PROMPT_MS,
               "the shard was back, its log replayed, after %.1f ms at most",
               back_ms);
    demo_check(demo, demo_info(demo, "shard_restarts") == CRASHES,
               "the supervisor counts %lld restarts",
               (long long)demo_info(demo, "shard_restarts"));
    demo_note("%llu requests of the load were told that their shard restarted",
              (unsigned long long)(load_sum(load, told) - told_before));
    demo_check(demo, load_sum(load, wrong) == 0, "no other reply was wrong%s%s",
               load_sum(load, wrong) == 0 ? "" : ": ", load_wrong_text(load));
    verify(demo, "after the crashes");
}

/* In a kvd of its own, because it ends. */
void demo_crash_loop(struct demo *demo)
{
    struct demo other = {.program = demo->program};
    char text[160] = "";
    char said[4096];
    demo_step("A shard that crashes at each start: the supervisor gives up");
    if (kvd_make_folder(other.folder) == NULL ||
        kvd_start(&other.kvd, demo->program, "--port", "0", "--dir",
                  other.folder, "--intensity", "3", "--period-ms", "60000",
                  "--debug") < 0) {
        demo_check(demo, false, "a second kvd did not start");
        return;
    }
    int64_t begun = kvd_now_us();
    demo_ask(&other, text, sizeof text, "DEBUG", "CRASH-LOOP", "1", NULL);
    int status = kvd_wait_exit(&other.kvd, KVD_TIMEOUT_MS);
    double ms = ms_since(begun);
    demo_check(demo, status == 2, "it ended by itself after %.0f ms, status %d",
               ms, status);
    demo_check(demo, kvd_field(&other.kvd, "restarts") == 3,
               "after %lld restarts, as many as it was allowed",
               (long long)kvd_field(&other.kvd, "restarts"));
    kvd_stderr(&other.kvd, said, sizeof said);
    char *reason = strstr(said, "gives up");
    demo_check(demo, reason != NULL, "and said that it was giving up");
    demo_ledger(demo, &other.kvd);
    kvd_forget(&other.kvd);
    kvd_remove_folder(other.folder);
}

/* --- the end ------------------------------------------------------------ */

void demo_drain(struct demo *demo)
{
    struct load *load = &demo->load;
    demo_step("SIGTERM, with requests under way");
    load_start(load, demo->kvd.port, DEMO_CLIENTS, DEMO_DEPTH);
    kvd_pause_ms(300);
    int64_t begun = kvd_now_us();
    int status = kvd_stop(&demo->kvd);
    double ms = ms_since(begun);
    load_stop(load);
    demo_check(demo, status == 0, "it ended after %.0f ms, status %d", ms,
               status);
    long long drained_ms = (long long)kvd_field(&demo->kvd, "drained_ms");
    demo_check(demo, drained_ms >= 0 && drained_ms < DEMO_DRAIN_MS,
               "drained in %lld ms", drained_ms);
    demo_check(demo, load_sum(load, wrong) == 0,
               "no client got a wrong reply%s%s",
               load_sum(load, wrong) == 0 ? "" : ": ", load_wrong_text(load));
}

void demo_read_back(struct demo *demo)
{
    struct kvd_process ended = demo->kvd;
    demo_step("Started again on the same folder");
    if (kvd_start(&demo->kvd, demo->program, "--port", "0", "--dir",
                  demo->folder) < 0) {
        demo_check(demo, false, "it did not start again");
        return;
    }
    verify(demo, "after the restart");
    demo_check(demo, kvd_stop(&demo->kvd) == 0, "it ended, status 0");
    demo_step("The ledger");
    demo_ledger(demo, &ended);
    demo_note("restarts of shards: %lld",
              (long long)kvd_field(&ended, "restarts"));
    demo_note("round trip of %d pipelined requests: p50 %.2f ms, p99 %.2f ms",
              DEMO_DEPTH, load_percentile_us(&demo->load, 50) / 1000.0,
              load_percentile_us(&demo->load, 99) / 1000.0);
    demo_note("drained in %lld ms", (long long)kvd_field(&ended, "drained_ms"));
    kvd_forget(&ended);
    kvd_forget(&demo->kvd);
}
