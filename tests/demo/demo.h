/* SPDX-License-Identifier: MIT */
/*
 * demo.h -- the tour: what its steps share.
 *
 * The driver is the outside of kvd.  It starts it as a user would, talks RESP
 * to it over loopback, and believes nothing that it cannot read back.  Each
 * step says what it does in plain words and checks it; a line that does not
 * hold makes the exit status 1.
 */
#ifndef AMBIT_TESTS_DEMO_DEMO_H
#define AMBIT_TESTS_DEMO_DEMO_H

#include "tests/harness/kvd_load.h"
#include "tests/harness/kvd_process.h"

enum {
    DEMO_CLIENTS = 16,
    DEMO_DEPTH = 16,
    DEMO_SHARDS = 4,
    DEMO_TIMEOUT_MS = 3000, /* kvd's patience with a client, told to it */
    DEMO_DRAIN_MS = 15000,  /* and for what is under way at its end */
    DEMO_PROMPT_MS = 10000, /* what is prompt, wherever a cpu is waited for */
};

struct demo {
    const char *program;
    char folder[64];
    struct kvd_process kvd;
    struct load load;
    int failures;
};

/* --- report.c ----------------------------------------------------------- */

/* A line of the tour, with "ok" or "FAILED" in front. */
void demo_check(struct demo *demo, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A headline, and a remark: nothing to check. */
void demo_step(const char *title);
void demo_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The ledger of a kvd that has ended: prints it and checks that it adds up. */
void demo_ledger(struct demo *demo, const struct kvd_process *kvd);

/* --- steps, in the order of the tour ------------------------------------ */

bool demo_start(struct demo *demo);
void demo_load(struct demo *demo);
void demo_crash(struct demo *demo);
void demo_vanish(struct demo *demo);
void demo_never_reads(struct demo *demo);
void demo_slow_disk(struct demo *demo);
void demo_crash_loop(struct demo *demo);
void demo_benchmark(struct demo *demo);
void demo_drain(struct demo *demo);
void demo_read_back(struct demo *demo);

/* --- helpers ------------------------------------------------------------ */

/* One command over a connection of its own.  0 or -errno; text is a copy. */
int demo_ask(const struct demo *demo, char *ret_text, size_t room,
             const char *a, const char *b, const char *c, const char *d);

/* A number of INFO, -1 when it is not there. */
int64_t demo_info(const struct demo *demo, const char *name);

/* Asks until whoever asks is the only client; false after 20 s. */
bool demo_wait_alone(const struct demo *demo);

#endif
