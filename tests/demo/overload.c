/* SPDX-License-Identifier: MIT */
/*
 * overload.c -- a slow disk, and redis-benchmark.
 */
#include "tests/demo/demo.h"

enum {
    FLOOD = 256, /* connections, twice what may wait for a shard */
    SLOW_MS = 3000,
    LATE_US = 1000000, /* for a refusal; who hears it may have come late */
    RSS_MORE_KIB_MAX = 32 * 1024,
};

struct flood {
    struct kvd_client clients[FLOOD];
    int64_t asked_us[FLOOD];
    char request[128];
    size_t request_len;
    uint64_t busy;
    uint64_t busy_late;
    uint64_t served;
    uint64_t wrong;
    int64_t busy_us_max;
};

/* A key of shard 0: SCAN 0 begins there. */
static int find_key(struct demo *demo, char key[64])
{
    struct kvd_client client;
    struct kvd_reply reply;
    char cursor[32] = "0";
    int err = kvd_connect(&client, demo->kvd.port);
    for (bool is_found = false; err == 0 && !is_found;) {
        err = kvd_ask(&client, &reply, "SCAN", cursor);
        for (int i = 0; i < 2 && err == 0; i++) {
            err = kvd_read(&client, &reply); /* the cursor, then the array */
            if (err == 0 && i == 0) {
                snprintf(cursor, sizeof cursor, "%.*s", (int)reply.text_len,
                         reply.text);
            }
        }
        int64_t keys = reply.value;
        for (int64_t i = 0; i < keys && err == 0; i++) {
            err = kvd_read(&client, &reply);
            snprintf(key, 64, "%.*s", (int)reply.text_len, reply.text);
            is_found = true;
        }
    }
    kvd_disconnect(&client);
    return err;
}

static int flood_ask(struct flood *flood, int i)
{
    flood->asked_us[i] = kvd_now_us();
    return kvd_send(&flood->clients[i], flood->request, flood->request_len);
}

/* Each is connected, and known to be served: what a refusal takes is not to be
 * mistaken for what it takes to be let in. */
static int flood_open(struct flood *flood, int port, const char *key)
{
    int err = 0;
    flood->request_len = kvd_encode(flood->request, 0, sizeof flood->request, 2,
                                    (const char *[]){"STRLEN", key});
    for (int i = 0; i < FLOOD && err == 0; i++) {
        struct kvd_reply reply;
        err = kvd_connect(&flood->clients[i], port);
        if (err == 0) {
            err = kvd_ask(&flood->clients[i], &reply, "PING");
        }
    }
    return err;
}

static int flood_begin(struct flood *flood)
{
    int err = 0;
    for (int i = 0; i < FLOOD && err == 0; i++) {
        err = flood_ask(flood, i);
    }
    return err;
}

static void flood_hear(struct flood *flood, int i)
{
    struct kvd_reply reply;
    int64_t us = kvd_now_us() - flood->asked_us[i];
    int err = kvd_read(&flood->clients[i], &reply);
    if (err < 0) {
        flood->wrong++;
        return;
    }
    if (reply.kind == '-' && kvd_is(&reply, "BUSY")) {
        flood->busy++;
        flood->busy_late += us > LATE_US;
        flood->busy_us_max = us > flood->busy_us_max ? us : flood->busy_us_max;
    } else if (reply.kind == ':') {
        flood->served++;
    } else {
        flood->wrong++;
    }
}

/* Hears answers, and asks again, until `until_us`; then hears the rest. */
static void flood_run(struct flood *flood, int64_t until_us)
{
    struct pollfd polls[FLOOD];
    int left = FLOOD;
    bool is_waiting[FLOOD];
    memset(is_waiting, true, sizeof is_waiting);
    int64_t give_up_us = until_us + KVD_TIMEOUT_MS * 1000LL;
    while (left > 0 && kvd_now_us() < give_up_us) {
        for (int i = 0; i < FLOOD; i++) {
            polls[i] = (struct pollfd){
                .fd = is_waiting[i] ? flood->clients[i].fd : -1,
                .events = POLLIN,
            };
        }
        poll(polls, FLOOD, 100);
        bool is_over = kvd_now_us() >= until_us;
        for (int i = 0; i < FLOOD; i++) {
            if (polls[i].revents == 0) {
                continue;
            }
            flood_hear(flood, i);
            if (is_over || flood_ask(flood, i) < 0) {
                is_waiting[i] = false;
                left--;
            }
        }
        kvd_pause_ms(is_over ? 0 : 5);
    }
    flood->wrong += (uint64_t)left;
}

void demo_slow_disk(struct demo *demo)
{
    struct flood *flood = calloc(1, sizeof *flood);
    char key[64] = "";
    char text[64] = "";
    demo_step("A slow disk: shard 0 does nothing for 3 s, 256 clients ask it");
    int err = flood != NULL ? find_key(demo, key) : -ENOMEM;
    long rss = kvd_rss_kib(&demo->kvd);
    if (err == 0) {
        err = flood_open(flood, demo->kvd.port, key);
    }
    if (err == 0) {
        err = demo_ask(demo, text, sizeof text, "DEBUG", "SLEEP-SHARD", "0",
                       "3000");
    }
    int64_t until = kvd_now_us() + SLOW_MS * 1000;
    if (err == 0) {
        err = flood_begin(flood);
    }
    if (err < 0) {
        demo_check(demo, false, "could not begin: %s", strerror(-err));
        free(flood);
        return;
    }
    flood_run(flood, until);
    long more = kvd_rss_kib(&demo->kvd) - rss;
    demo_check(demo, flood->busy > 0 && flood->busy_late * 10 < flood->busy,
               "%llu requests were refused with BUSY, each within %.1f ms",
               (unsigned long long)flood->busy,
               (double)flood->busy_us_max / 1000);
    demo_check(demo, flood->served > 0 && flood->wrong == 0,
               "%llu waited and were answered, none was lost",
               (unsigned long long)flood->served);
    demo_check(demo, more < RSS_MORE_KIB_MAX + KVD_RSS_EXTRA_KIB,
               "kvd holds %ld MiB more than before", more / 1024);
    for (int i = 0; i < FLOOD; i++) {
        kvd_disconnect(&flood->clients[i]);
    }
    free(flood);
}

/* --- redis-benchmark ---------------------------------------------------- */

static bool is_installed(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

void demo_benchmark(struct demo *demo)
{
    char command[256];
    char line[256];
    bool has_error = false;
    int lines = 0;
    demo_step("redis-benchmark, unchanged");
    if (!is_installed("redis-benchmark")) {
        demo_note("not installed: left out");
        return;
    }
    snprintf(command, sizeof command,
             "redis-benchmark -p %d -t set,get,incr,mset -P 16 -c 50 -n 50000 "
             "--csv 2>&1",
             demo->kvd.port);
    FILE *out = popen(command, "r");
    while (out != NULL && fgets(line, sizeof line, out) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        has_error |= strstr(line, "rror") != NULL;
        if (line[0] == '"' && lines++ > 0) {
            char *rest = strchr(line + 1, '"');
            *rest = '\0';
            demo_note("%-22s %.0f per second", line + 1,
                      strtod(rest + 3, NULL));
        }
    }
    int status = out != NULL ? pclose(out) : -1;
    demo_check(demo, status == 0 && lines == 5 && !has_error,
               "it finished without an error");
}
