/* SPDX-License-Identifier: MIT */
/*
 * clients.c -- the steps in which clients work, or misbehave.
 */
#include "tests/demo/demo.h"

enum {
    LOAD_MS = 8000,
    VANISHING = 64,
    BIG = 1 << 20,
    UNREAD = 64, /* GETs of the big value, whose replies nobody reads */
    RSS_MORE_KIB_MAX = 160 * 1024,
};

bool demo_start(struct demo *demo)
{
    char text[4096];
    demo_step("kvd starts: 4 shards, each write on disk before its answer");
    int err = kvd_start(
        &demo->kvd, demo->program, "--port", "0", "--dir", demo->folder,
        "--shards", "4", "--fsync", "always", "--queue", "128", "--intensity",
        "50", "--client-timeout-ms", "3000", "--drain-ms", "15000", "--debug");
    demo_check(demo, err == 0, "listening on port %d%s%s", demo->kvd.port,
               err == 0 ? "" : ": ",
               err == 0 ? "" : kvd_stderr(&demo->kvd, text, sizeof text));
    return err == 0;
}

void demo_load(struct demo *demo)
{
    struct load *load = &demo->load;
    demo_step("Clients at work: SET, GET and INCR, 16 connections, pipelined");
    int64_t begun = kvd_now_us();
    load_start(load, demo->kvd.port, DEMO_CLIENTS, DEMO_DEPTH);
    kvd_pause_ms(LOAD_MS);
    load_stop(load);
    double s = (double)(kvd_now_us() - begun) / 1e6;
    uint64_t answered = load_sum(load, answered);
    demo_check(demo, answered > 0 && load_sum(load, wrong) == 0,
               "%llu requests answered, %.0f per second%s%s",
               (unsigned long long)answered, (double)answered / s,
               load_sum(load, wrong) == 0 ? "" : ", but ",
               load_wrong_text(load));
    demo_check(demo,
               load_sum(load, busy) == 0 && load_sum(load, told) == 0 &&
                   load_sum(load, refused) == 0,
               "none of them refused");
    demo_note("round trip of a pipeline: p50 %.2f ms, p99 %.2f ms",
              load_percentile_us(load, 50) / 1000.0,
              load_percentile_us(load, 99) / 1000.0);
}

void demo_vanish(struct demo *demo)
{
    static const char half[] =
        "*3\r\n$3\r\nSET\r\n$6\r\nvanish\r\n$1000\r\nhal";
    static const char whole[] = "*2\r\n$3\r\nGET\r\n$6\r\nvanish\r\n";
    char text[64] = "";
    int gone = 0;
    demo_step("Clients that vanish in the middle of a request");
    for (int i = 0; i < VANISHING; i++) {
        struct kvd_client client;
        if (kvd_connect(&client, demo->kvd.port) == 0 &&
            kvd_send(&client, i % 2 ? half : whole,
                     (i % 2 ? sizeof half : sizeof whole) - 1) == 0) {
            kvd_vanish(&client);
            gone++;
        }
    }
    demo_check(demo, gone == VANISHING && demo_wait_alone(demo),
               "%d clients vanished, and their tasks ended", gone);
    demo_ask(demo, text, sizeof text, "EXISTS", "vanish", NULL, NULL);
    demo_check(demo, strcmp(text, "0") == 0,
               "half a SET was not carried out, and the others go on");
}

/* A value that fills the socket's buffers many times over. */
static bool set_big_value(struct demo *demo)
{
    struct kvd_client client;
    struct kvd_reply reply;
    char head[64];
    char *value = malloc(BIG + 2);
    int err = value != NULL ? kvd_connect(&client, demo->kvd.port) : -ENOMEM;
    if (err < 0) {
        free(value);
        return false;
    }
    memset(value, 'x', BIG);
    memcpy(value + BIG, "\r\n", 2);
    int len = snprintf(head, sizeof head,
                       "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n", BIG);
    err = kvd_send(&client, head, (size_t)len);
    if (err == 0) {
        err = kvd_send(&client, value, BIG + 2);
    }
    if (err == 0) {
        err = kvd_read(&client, &reply);
    }
    bool is_set = err == 0 && kvd_is(&reply, "OK");
    kvd_disconnect(&client);
    free(value);
    return is_set;
}

void demo_never_reads(struct demo *demo)
{
    static const char get[] = "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n";
    char gets[UNREAD * (sizeof get - 1)];
    struct kvd_client client;
    demo_step("A client that asks for 64 MiB and never reads");
    bool is_set = set_big_value(demo);
    int64_t cancelled = demo_info(demo, "requests_cancelled");
    long rss = kvd_rss_kib(&demo->kvd);
    int err = kvd_connect(&client, demo->kvd.port);
    int64_t begun = kvd_now_us();
    for (size_t i = 0; i < UNREAD; i++) {
        memcpy(gets + i * (sizeof get - 1), get, sizeof get - 1);
    }
    if (err == 0) {
        err = kvd_send(&client, gets, sizeof gets); /* at once, or it is late */
    }
    bool is_cut = is_set && err == 0 && demo_wait_alone(demo);
    double ms = (double)(kvd_now_us() - begun) / 1000;
    long more = kvd_rss_kib(&demo->kvd) - rss;
    demo_check(demo, is_cut && ms >= DEMO_TIMEOUT_MS,
               "it was cut off after %.0f ms (told: %d ms)", ms,
               DEMO_TIMEOUT_MS);
    demo_check(demo, demo_info(demo, "requests_cancelled") > cancelled,
               "and its %lld unread replies are in the ledger as cancelled",
               (long long)(demo_info(demo, "requests_cancelled") - cancelled));
    demo_check(demo, more < RSS_MORE_KIB_MAX + KVD_RSS_EXTRA_KIB,
               "kvd holds %ld MiB more than before", more / 1024);
    kvd_disconnect(&client);
}
