/* SPDX-License-Identifier: MIT */
/*
 * options.h -- what kvd was told on its command line.
 *
 * Every number has bounds, and a refusal is one sentence that names the
 * option, what was given and what would have been accepted.
 */
#ifndef KVD_OPTIONS_H
#define KVD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum fsync_policy {
    FSYNC_EVERYSEC, /* answered when the kernel has it; on disk within 1 s */
    FSYNC_ALWAYS,   /* answered when it is on disk */
};

struct options {
    const char *bind; /* an address, no name */
    const char *dir;  /* NULL with --serve: a temporary folder */
    int64_t port;     /* 0: any free one */
    int64_t shards;
    int64_t workers; /* 0: as many as cpus */
    int64_t fsync;   /* enum fsync_policy */
    int64_t clients_max;
    int64_t queue_max;     /* calls that wait for one shard */
    int64_t memory_max_mb; /* of all shards; 0: no ceiling */
    int64_t drain_ms;
    int64_t client_timeout_ms;
    int64_t intensity; /* restarts allowed within period_ms */
    int64_t period_ms;
    bool debug; /* DEBUG SLEEP-SHARD, CRASH-SHARD, CRASH-LOOP */
    bool serve; /* print a line to paste */
    bool help;
};

/* 0, or -EINVAL with a sentence in ret_why.  Strings stay argv's. */
int options_parse(int argc, char **argv, struct options *ret_options,
                  char ret_why[200]);

void options_print_help(FILE *to);

const char *options_fsync_name(const struct options *options);

#endif
