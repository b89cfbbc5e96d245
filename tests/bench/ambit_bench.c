/* SPDX-License-Identifier: MIT */
/*
 * ambit_bench.c -- runs the workloads that are asked for, each in a process of
 * its own, and reports.
 */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIMIT_S = 120, /* of one workload */
};

enum {
    ONE = 1, /* with one worker */
    TWO = 2,
    BOTH = ONE | TWO,
    SWEEP = 4,   /* cost against size: when it is asked for */
    ANY_CPU = 8, /* it is not held on as many cpus as it has workers */
};

static const struct bench_workload workloads[] = {
    {"W1", "spawn 1,000 trivial tasks, join all", BOTH, bench_spawn_join},
    {"W2", "two tasks yield to each other", ONE, bench_yield},
    {"W3", "two tasks and two channels of 16", BOTH, bench_channels},
    {"W3a", "two actors send to each other", BOTH, bench_pingpong},
    {"W4", "4 producers, one actor, mailbox of 1,024", BOTH, bench_mpsc},
    {"W5", "10-ary tree to a million leaves, sums joined", BOTH, bench_skynet},
    {"W6", "ring of 1,000 actors, one token", BOTH, bench_threadring},
    {"W7", "call of a gen-server", BOTH, bench_call},
    {"W8t", "memory of a million idle poll tasks", ONE, bench_memory_task},
    {"W8f", "memory of a million parked fibers", ONE, bench_memory_fiber},
    {"W8a", "memory of a million idle actors", ONE, bench_memory_actor},
    {"W9s", "a million sleepers, 0 to 1 s", BOTH, bench_sleepers},
    {"W9a", "arm and cancel a timer", ONE, bench_arm_cancel},
    {"W10", "TCP echo, 64 bytes; 1, 64, 1,000 connections", ONE, bench_echo},
    {"W12", "cancel 111,110 parked tasks", BOTH, bench_cancel},
    {"W13", "no-op on the blocking pool", BOTH, bench_blocking},
    {"W15", "wake across workers, and be woken", TWO, bench_wake},
    {"W17", "crash of a supervised server until it answers", BOTH,
     bench_restart},
    {"W18", "a thread asks a task, and waits", BOTH, bench_boundary},
    {"W19", "semaphore and mutex, handed on", BOTH, bench_sync},
    {"S1", "256 requests from worker to worker", TWO, bench_ping_pong},
    {"S2", "2,048 messages at once, and their sum", TWO, bench_send_drain},
    {"S3", "start, 64 requests, stop", TWO, bench_cold_start},
    {"S4", "64 times 16 tasks that compute", TWO, bench_fanout},
    {"S5", "the same, one task much longer", TWO, bench_fanout_skewed},
    {"checkpoint", "a cancel point that is not cancelled", ONE,
     bench_checkpoint},
    {"P1", "tasks in a scope, 10 to 10^6", ONE | SWEEP, bench_crowds},
    {"P2", "actors, 10 to 10^6", ONE | SWEEP, bench_actor_crowds},
    {"P3", "producers of one queue, 1 to 64", BOTH | SWEEP, bench_producers},
    {"P4", "scopes in scopes, 1 to 10^4 deep", ONE | SWEEP, bench_depths},
    {"P5", "leaves of a 10-ary tree, 10 to 10^6", BOTH | SWEEP, bench_leaves},
    {"P6", "workers, 1 to twice the cpus", ONE | SWEEP | ANY_CPU,
     bench_workers},
    {"P7", "timers armed, 10 to 10^6", ONE | SWEEP, bench_armed},
};

#define WORKLOADS (sizeof workloads / sizeof workloads[0])

static void usage(FILE *out)
{
    fprintf(out,
            "ambit-bench [options] [workload...]\n"
            "  --workers N    only the rows with N workers (1 or 2)\n"
            "  --reps N       repetitions of each row (5)\n"
            "  --min-ms N     each lasts at least this long (500)\n"
            "  --divide N     divides all counts: to see that it runs (1)\n"
            "  --sweep        cost against size (P1, P2, ...) instead\n"
            "  --sizes N,N    of a sweep, these sizes only\n"
            "  --json FILE    the rows, their samples and the machine\n"
            "  --loadgen FILE the clients of W10\n"
            "  --lines        rows only\n"
            "  --serve-echo PORT  the server of W10, until SIGTERM\n"
            "  --machine      only says what machine and build this is\n"
            "workloads:\n");
    for (size_t i = 0; i < WORKLOADS; i++) {
        fprintf(out, "  %-12s %s\n", workloads[i].id, workloads[i].what);
    }
}

struct request {
    unsigned workers; /* 0: both */
    const char *json;
    const char *serve;
    bool sweep;
    bool lines;
    char **names;
    int names_len;
};

static unsigned number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end != '\0' || n == 0 || n > 1000000) {
        fprintf(stderr, "ambit-bench: \"%s\" is no sensible number\n", text);
        exit(2);
    }
    return (unsigned)n;
}

static void take_option(struct request *request, int option, const char *value)
{
    switch (option) {
    case 'w':
        request->workers = number(value);
        break;
    case 'r':
        bench.reps = number(value);
        bench.reps = bench.reps > BENCH_REPS_MAX ? BENCH_REPS_MAX : bench.reps;
        break;
    case 'm':
        bench.min_ns = (uint64_t)number(value) * 1000000;
        break;
    case 'd':
        bench.divisor = number(value);
        break;
    case 'j':
        request->json = value;
        break;
    case 'g':
        bench.loadgen = value;
        break;
    case 'l':
        request->lines = true;
        break;
    case 'S':
        request->sweep = true;
        break;
    case 'z':
        bench.sizes = value;
        break;
    case 's':
        request->serve = value;
        break;
    case 'M':
        bench_machine_print(stdout);
        exit(0);
    default:
        usage(option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

static void parse(int argc, char **argv, struct request *request)
{
    static const struct option options[] = {
        {"workers", required_argument, NULL, 'w'},
        {"reps", required_argument, NULL, 'r'},
        {"min-ms", required_argument, NULL, 'm'},
        {"divide", required_argument, NULL, 'd'},
        {"json", required_argument, NULL, 'j'},
        {"loadgen", required_argument, NULL, 'g'},
        {"sweep", no_argument, NULL, 'S'},
        {"sizes", required_argument, NULL, 'z'},
        {"lines", no_argument, NULL, 'l'},
        {"serve-echo", required_argument, NULL, 's'},
        {"machine", no_argument, NULL, 'M'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        take_option(request, option, optarg);
    }
    request->names = argv + optind;
    request->names_len = argc - optind;
}

static bool is_wanted(const struct request *request,
                      const struct bench_workload *workload)
{
    for (int i = 0; i < request->names_len; i++) {
        const char *name = request->names[i];
        /* "W9" asks for W9s and W9a. */
        size_t len = strlen(name);
        if (strncmp(workload->id, name, len) == 0 &&
            (workload->id[len] < '0' || workload->id[len] > '9')) {
            return true;
        }
    }
    return request->names_len == 0 &&
           ((workload->runs & SWEEP) != 0) == request->sweep;
}

/* A typing error is not silently nothing. */
static int names_are_known(const struct request *request)
{
    for (int i = 0; i < request->names_len; i++) {
        struct request one = {.names = &request->names[i], .names_len = 1};
        bool known = false;
        for (size_t k = 0; k < WORKLOADS; k++) {
            known |= is_wanted(&one, &workloads[k]);
        }
        if (!known) {
            fprintf(stderr, "ambit-bench: no workload \"%s\"\n",
                    request->names[i]);
            return 0;
        }
    }
    return 1;
}

/* True when the workload did what it should. */
static bool run_one(const struct bench_workload *workload, unsigned workers)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        bench.workers = workers;
        if ((workload->runs & ANY_CPU) == 0) {
            bench_pin(workers);
        }
        alarm(LIMIT_S);
        int rc = workload->run();
        if (rc < 0) {
            fprintf(stderr, "%s.%uc failed: %s\n", workload->id, workers,
                    ambit_strerror(rc));
        }
        fflush(stdout);
        _exit(rc < 0);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return false;
    }
    if (WIFSIGNALED(status)) {
        int sig = WTERMSIG(status);
        fprintf(stderr, "%s.%uc ended by %s\n", workload->id, workers,
                sig == SIGALRM ? "its time limit" : strsignal(sig));
    }
    return status == 0;
}

static unsigned run_all(const struct request *request)
{
    unsigned failures = 0;
    for (size_t i = 0; i < WORKLOADS; i++) {
        const struct bench_workload *workload = &workloads[i];
        if (!is_wanted(request, workload)) {
            continue;
        }
        if (!request->lines) {
            printf("## %s: %s\n", workload->id, workload->what);
        }
        if ((workload->runs & ONE) && request->workers != 2) {
            failures += !run_one(workload, 1);
        }
        if ((workload->runs & TWO) && request->workers != 1) {
            failures += !run_one(workload, 2);
        }
    }
    return failures;
}

/* One connection, one descriptor: 1,000 are more than the usual limit. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 20000 ? files.rlim_max : 20000;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    struct request request = {0};
    parse(argc, argv, &request);
    if (!names_are_known(&request)) {
        return 2;
    }
    raise_limits();
    if (request.serve != NULL) {
        bench.workers = request.workers != 0 ? request.workers : 1;
        return bench_echo_serve(request.serve) < 0;
    }
    bench.rows = mmap(NULL, sizeof *bench.rows, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench.rows == MAP_FAILED) {
        perror("ambit-bench");
        return 1;
    }
    if (!request.lines) {
        bench_machine_print(stdout);
    }
    unsigned failures = run_all(&request);
    if (request.json != NULL) {
        int rc = bench_write_json(request.json, bench.rows);
        if (rc < 0) {
            fprintf(stderr, "%s: %s\n", request.json, ambit_strerror(rc));
            failures++;
        }
    }
    return failures > 0;
}
