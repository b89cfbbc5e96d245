/* SPDX-License-Identifier: MIT */
/*
 * cpus_test.c -- as many workers as cpus, and where they run: spec/runtime.md.
 *
 * What a cpu.max says is read in tests/unit/cgroup_test.c.
 */
#include "tests/spec/common.h"

#include "src/runtime.h"

static cpu_set_t cpus_of(pthread_t thread)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    WANT_EQ(pthread_getaffinity_np(thread, sizeof set, &set), 0);
    return set;
}

static int say_workers(ambit_cx *cx, void *arg)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    *(unsigned *)arg = stats.workers;
    return 0;
}

/* The first n cpus of those we have are all there are. */
static void keep_to(const cpu_set_t *all, unsigned n)
{
    cpu_set_t some;
    CPU_ZERO(&some);
    for (int cpu = 0; cpu < CPU_SETSIZE && n > 0; cpu++) {
        if (CPU_ISSET(cpu, all)) {
            CPU_SET(cpu, &some);
            n--;
        }
    }
    WANT_EQ(pthread_setaffinity_np(pthread_self(), sizeof some, &some), 0);
}

static unsigned workers_with(const cpu_set_t *all, unsigned n)
{
    unsigned workers = 0;
    keep_to(all, n);
    WANT_EQ(spec_run(say_workers, &workers), 0);
    WANT_EQ(pthread_setaffinity_np(pthread_self(), sizeof *all, all), 0);
    return workers;
}

/* Goal: no more workers than cpus.
 * Method: with each number of the cpus this process has. */
Spec(RT_CPUS_1, there_are_as_many_workers_as_usable_cpus)
{
    cpu_set_t all = cpus_of(pthread_self());
    unsigned count = (unsigned)CPU_COUNT(&all);
    unsigned usable = cpus_usable();
    WANT(usable >= 1 && usable <= count);
    for (unsigned n = 1; n <= count; n++) {
        WANT_EQ(workers_with(&all, n), n < usable ? n : usable);
    }
    spec_end("RT_CPUS_1");
}

/* --- RT-CPUS-2 ------------------------------------------------------------ */

enum { WORKERS = 3 };

struct home {
    struct count *ran;
    char name[16];
    cpu_set_t cpus;
};

static int say_home(ambit_cx *cx, void *arg)
{
    struct home *home = *(struct home **)arg;
    (void)cx;
    WANT_EQ(pthread_getname_np(pthread_self(), home->name, sizeof home->name),
            0);
    home->cpus = cpus_of(pthread_self());
    return 0;
}

static int ask_all(ambit_cx *cx, void *arg)
{
    struct home *homes = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (unsigned i = 0; i <= WORKERS; i++) {
            struct home *home = &homes[i];
            WANT_EQ(i == WORKERS
                        ? ambit_spawn_with(all, say_home, &home,
                                           .tier = AMBIT_BLOCKING)
                        : ambit_spawn_with(all, say_home, &home,
                                           .placement = AMBIT_PINNED,
                                           .worker = i),
                    0);
        }
    }
    return rc;
}

/* The i-th cpu of the set, counted round. */
static int nth_cpu(const cpu_set_t *set, unsigned i)
{
    unsigned left = i % (unsigned)CPU_COUNT(set);
    int cpu = 0;
    while (!CPU_ISSET(cpu, set) || left-- > 0) {
        cpu++;
    }
    return cpu;
}

/* Goal: a thread is found by name and stays where its caches are.
 * Method: three workers say who and where they are; then without the option. */
Spec(RT_CPUS_2, workers_keep_their_cpus_and_names)
{
    struct home homes[WORKERS + 1];
    cpu_set_t all = cpus_of(pthread_self());
    memset(homes, 0, sizeof homes);
    WANT_EQ(spec_run(ask_all, homes, .workers = WORKERS, .keep_cpus = true,
                     .thread_name = "just-fit"),
            0);
    for (unsigned i = 0; i < WORKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "just-fit-w%u", i);
        WANT(strcmp(homes[i].name, name) == 0);
        WANT_EQ(CPU_COUNT(&homes[i].cpus), 1);
        WANT(CPU_ISSET(nth_cpu(&all, i), &homes[i].cpus));
    }
    WANT(strncmp(homes[WORKERS].name, "just-fit-b", 10) == 0);
    memset(homes, 0, sizeof homes);
    WANT_EQ(spec_run(ask_all, homes, .workers = WORKERS), 0);
    WANT(strcmp(homes[0].name, "ambit-w0") == 0);
    WANT(CPU_EQUAL(&homes[0].cpus, &all));
    spec_end("RT_CPUS_2");
}

/* --- WRK-IDLE-3 ----------------------------------------------------------- */

static int say_spin(ambit_cx *cx, void *arg)
{
    *(int64_t *)arg = runtime_of(ambit_cx_runtime(cx))->options.spin.ns;
    return 0;
}

static int64_t spin_of(ambit_duration asked)
{
    int64_t ns = 0;
    WANT_EQ(spec_run(say_spin, &ns, .workers = 1, .spin = asked), 0);
    return ns;
}

/* Goal: nobody is kept from the cpu by who waits for him; whoever asks for a spin
 * gets it.
 * Method: with one cpu and with all: what a runtime takes for .spin. */
Spec(WRK_IDLE_3, the_only_cpu_is_not_spent_on_spinning)
{
    cpu_set_t all = cpus_of(pthread_self());
    keep_to(&all, 1);
    WANT(spin_of(ambit_ns(0)) < 0);
    WANT_EQ(spin_of(ambit_us(7)), 7000);
    WANT_EQ(pthread_setaffinity_np(pthread_self(), sizeof all, &all), 0);
    WANT_EQ(spin_of(ambit_ns(0)), CPU_COUNT(&all) > 1 ? 50000 : -1);
    WANT_EQ(spin_of(ambit_ns(-1)), -1);
    spec_end("WRK_IDLE_3");
}
