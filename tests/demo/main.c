/* SPDX-License-Identifier: MIT */
/*
 * main.c -- the tour of kvd: demo-driver --kvd PATH
 */
#include "tests/demo/demo.h"

int main(int argc, char **argv)
{
    static struct demo demo;
    if (argc != 3 || strcmp(argv[1], "--kvd") != 0) {
        fprintf(stderr, "usage: demo-driver --kvd PATH\n");
        return 2;
    }
    demo.program = argv[2];
    if (kvd_make_folder(demo.folder) == NULL) {
        perror("demo-driver: cannot make a temporary folder");
        return 1;
    }
    int64_t begun = kvd_now_us();
    if (demo_start(&demo)) {
        demo_load(&demo);
        demo_crash(&demo);
        demo_vanish(&demo);
        demo_never_reads(&demo);
        demo_slow_disk(&demo);
        demo_crash_loop(&demo);
        demo_benchmark(&demo);
        demo_drain(&demo);
        demo_read_back(&demo);
    }
    kvd_remove_folder(demo.folder);
    load_free(&demo.load);
    if (demo.failures > 0) {
        printf("\n%d lines FAILED.\n", demo.failures);
        return 1;
    }
    printf("\nEvery line holds; %.1f s.\n",
           (double)(kvd_now_us() - begun) / 1e6);
    return 0;
}
