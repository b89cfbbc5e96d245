/* SPDX-License-Identifier: MIT */
/*
 * cpus.c -- how many cpus the process may use at once.
 *
 * Its affinity says which; a quota of its cgroup, or of one above it, says how
 * much of them: "50000 100000" in cpu.max is half a cpu, "max 100000" is all.
 *
 *   RT-CPUS-1  Affinity and quota both count.
 *   RT-CPUS-2  A worker that keeps a cpu keeps one of these.
 */
#include "src/runtime.h"

#include "src/cgroup.h"

#include <sched.h>

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned cpus_allowed(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0
               ? 0
               : (unsigned)CPU_COUNT(&set);
}

unsigned cpus_usable(void)
{
    unsigned count = smaller(cpus_allowed(), WORKERS_MAX);
    if (count == 0) {
        return 1;
    }
    RULE(RT_CPUS_1);
    return smaller(count, cgroup_cpus("/sys/fs/cgroup", "/proc/self/cgroup"));
}

void cpus_keep(unsigned n)
{
    cpu_set_t may;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof may, &may) < 0) {
        return;
    }
    unsigned left = n % (unsigned)CPU_COUNT(&may);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &may) && left-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            /* A cpu that goes offline meanwhile: the thread stays free. */
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}
