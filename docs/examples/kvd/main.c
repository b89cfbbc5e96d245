/* SPDX-License-Identifier: MIT */
/*
 * main.c -- kvd, from its command line to its exit status.
 *
 *     0  ended by SIGTERM or SIGINT, everybody was served
 *     1  could not start: one sentence on stderr says why
 *     2  the shards crashed too often: the supervisor gave up
 *
 * The last line on stdout is the ledger, which the demo and the tests check.
 */
#include "folder.h"
#include "holdings.h"
#include "options.h"
#include "say.h"
#include "service.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static void allow_many_files(void);
static int run(const struct options *options, const struct folder *folder);
static int finish(struct service *service, ambit_runtime *runtime, int rc,
                  const struct holdings *before);

int main(int argc, char **argv)
{
    struct options options;
    struct folder folder;
    char why[600];
    static char said[4096];
    if (options_parse(argc, argv, &options, why) < 0) {
        say("%s", why);
        return 1;
    }
    if (options.help) {
        options_print_help(stdout);
        return 0;
    }
    setvbuf(stdout, said, _IOFBF, sizeof said);
    /* Both are errors of the call that meets them, not of the process. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    allow_many_files();
    if (folder_open(&folder, options.dir, why) < 0) {
        say("%s", why);
        return 1;
    }
    int status = run(&options, &folder);
    folder_close(&folder);
    return status;
}

/* The soft limit is there for programs that use select(2). */
static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void log_line(void *user, enum ambit_log_level level, const char *line)
{
    (void)user;
    if (level >= AMBIT_LOG_WARNING) {
        say("%s", line);
    }
}

static int create(const struct options *options, unsigned threads,
                  ambit_runtime **ret_runtime)
{
    return ambit_runtime_create(
        ret_runtime, &(struct ambit_runtime_options){
                         .size_ = sizeof(struct ambit_runtime_options),
                         .workers = (unsigned)options->workers,
                         .blocking_threads_max = threads,
                         .log = log_line,
                     });
}

static int run(const struct options *options, const struct folder *folder)
{
    ambit_runtime *runtime;
    struct service service;
    int rc = create(options, HOLDINGS_THREADS, &runtime);
    if (rc < 0) {
        return 1;
    }
    ambit_runtime_run(runtime, holdings_warm_up, NULL);
    ambit_runtime_destroy(runtime);
    struct holdings before = holdings_now();
    rc = create(options, 0, &runtime);
    if (rc < 0) {
        return 1;
    }
    if (service_init(&service, options, folder) < 0) {
        say("there is no memory for %d shards", (int)options->shards);
        ambit_runtime_destroy(runtime);
        return 1;
    }
    rc = ambit_runtime_run(runtime, service_run, &service);
    return finish(&service, runtime, rc, &before);
}

static int finish(struct service *service, ambit_runtime *runtime, int rc,
                  const struct holdings *before)
{
    char lines[1024];
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(runtime, &stats);
    ambit_runtime_destroy(runtime);
    ledger_print(&service->ledger, " ", '=', lines, sizeof lines);
    bool is_balanced = ledger_is_balanced(&service->ledger);
    long long drained_ms = service->drained_ms;
    bool has_served = service->port != 0 && (rc == 0 || service->gave_up);
    service_fini(service);
    struct holdings after = holdings_now();
    if (has_served) {
        printf("kvd ledger %sdrained_ms=%lld leaked_tasks=%lld leaked_fds=%lld "
               "leaked_bytes=%lld balanced=%s\n",
               lines, drained_ms,
               (long long)(stats.spawned - stats.completed - stats.cancelled -
                           stats.panicked),
               (long long)(after.fds - before->fds),
               (long long)(after.bytes - before->bytes),
               is_balanced ? "yes" : "no");
        fflush(stdout);
    }
    return service->gave_up ? 2 : rc < 0 ? 1 : 0;
}
