/* SPDX-License-Identifier: MIT */
/*
 * machine.c -- on what, and with which build, the figures came about.
 */
#include "tests/bench/bench.h"

#include <sched.h>
#include <sys/utsname.h>

#ifndef BENCH_FLAGS
#define BENCH_FLAGS "?"
#endif
#ifdef __clang__
#define BENCH_COMPILER "clang " __clang_version__
#else
#define BENCH_COMPILER "gcc " __VERSION__
#endif

struct machine {
    char cpu[128];
    char kernel[256];
    char load[64];
    unsigned cpus;
    size_t memory_mib;
};

static void cpu_model(char *ret, size_t room)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(ret, room, "?");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (value != NULL && strncmp(line, "model name", 10) == 0) {
            snprintf(ret, room, "%.*s", (int)strcspn(value + 2, "\n"),
                     value + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void machine_ask(struct machine *ret)
{
    struct utsname u;
    double load[3] = {0};
    cpu_set_t set;
    uname(&u);
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    cpu_model(ret->cpu, sizeof ret->cpu);
    snprintf(ret->kernel, sizeof ret->kernel, "%s %s %s", u.sysname, u.release,
             u.machine);
    (void)getloadavg(load, 3);
    snprintf(ret->load, sizeof ret->load, "%.2f %.2f %.2f", load[0], load[1],
             load[2]);
    ret->cpus = (unsigned)CPU_COUNT(&set);
    ret->memory_mib = bench_free_bytes() >> 20;
}

void bench_machine_print(FILE *out)
{
    struct machine m;
    machine_ask(&m);
    fprintf(out,
            "# machine   %s, %u cpus, %zu MiB free, load %s\n"
            "# kernel    %s\n"
            "# compiler  %s\n"
            "# flags     %s\n"
            "# each row  median of %u repetitions of at least %.3g s\n",
            m.cpu, m.cpus, m.memory_mib, m.load, m.kernel, BENCH_COMPILER,
            BENCH_FLAGS, bench.reps, (double)bench.min_ns / 1e9);
    if (bench.divisor > 1) {
        fprintf(out, "# counts    divided by %u: no figures to quote\n",
                bench.divisor);
    }
}

void bench_machine_json(FILE *out)
{
    struct machine m;
    machine_ask(&m);
    fprintf(out,
            "  \"machine\": {\"cpu\": \"%s\", \"cpus\": %u, \"free_mib\": %zu, "
            "\"load\": \"%s\", \"kernel\": \"%s\"},\n"
            "  \"build\": {\"compiler\": \"%s\", \"flags\": \"%s\"},\n",
            m.cpu, m.cpus, m.memory_mib, m.load, m.kernel, BENCH_COMPILER,
            BENCH_FLAGS);
}

void bench_pin(unsigned cpus)
{
    cpu_set_t ours;
    cpu_set_t want;
    unsigned seen = 0;
    CPU_ZERO(&want);
    if (sched_getaffinity(0, sizeof ours, &ours) < 0 || CPU_COUNT(&ours) < 2) {
        return;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &ours)) {
            if (cpus == 0 ? seen == 1 : seen < cpus) {
                CPU_SET(cpu, &want);
            }
            seen++;
        }
    }
    (void)sched_setaffinity(0, sizeof want, &want);
}
