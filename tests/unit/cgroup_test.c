/* SPDX-License-Identifier: MIT */
/* cgroup_test.c -- what the files of a control group say about cpus. */
#include "tests/harness/test.h"

#include "src/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tree of groups with the given cpu.max, from the root to the process's own;
 * NULL: that one has none. */
struct tree {
    char root[64];
    char self[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void make_tree(struct tree *tree, const char *self,
                      const char *const quota[3])
{
    static const char *const groups[] = {"", "/a.slice", "/a.slice/b.service"};
    char path[256];
    strcpy(tree->root, "/tmp/ambit-cgroup-XXXXXX");
    cr_assert(mkdtemp(tree->root) != NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", tree->root, groups[i]);
        cr_assert(i == 0 || mkdir(path, 0700) == 0);
        strncat(path, "/cpu.max", sizeof path - strlen(path) - 1);
        if (quota[i] != NULL) {
            write_file(path, quota[i]);
        }
    }
    snprintf(tree->self, sizeof tree->self, "%s/self", tree->root);
    write_file(tree->self, self);
}

static void remove_tree(struct tree *tree)
{
    static const char *const names[] = {
        "/a.slice/b.service/cpu.max", "/a.slice/b.service", "/a.slice/cpu.max",
        "/a.slice", "/cpu.max", "/self", ""};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s%s", tree->root, names[i]);
        (void)remove(path);
    }
}

static unsigned cpus(const char *self, const char *top, const char *middle,
                     const char *own)
{
    struct tree tree;
    make_tree(&tree, self, (const char *const[]){top, middle, own});
    unsigned n = cgroup_cpus(tree.root, tree.self);
    remove_tree(&tree);
    return n;
}

#define OWN "0::/a.slice/b.service\n"

Test(cgroup, quota_in_whole_cpus_rounded_up)
{
    cr_expect(cpus(OWN, NULL, NULL, "100000 100000\n") == 1);
    cr_expect(cpus(OWN, NULL, NULL, "50000 100000\n") == 1);
    cr_expect(cpus(OWN, NULL, NULL, "100001 100000\n") == 2);
    cr_expect(cpus(OWN, NULL, NULL, "200000 100000\n") == 2);
    cr_expect(cpus(OWN, NULL, NULL, "350000 50000\n") == 7);
}

Test(cgroup, the_tightest_from_the_group_to_the_root_counts)
{
    cr_expect(cpus(OWN, NULL, "300000 100000\n", "max 100000\n") == 3);
    cr_expect(cpus(OWN, "200000 100000\n", "300000 100000\n",
                   "400000 100000\n") == 2);
    cr_expect(cpus(OWN, "900000 100000\n", NULL, "400000 100000\n") == 4);
}

Test(cgroup, no_quota_is_no_limit)
{
    cr_expect(cpus(OWN, NULL, NULL, NULL) == UINT_MAX);
    cr_expect(cpus(OWN, NULL, NULL, "max 100000\n") == UINT_MAX);
    cr_expect(cpus("", NULL, NULL, "100000 100000\n") == UINT_MAX);
    cr_expect(cgroup_cpus("/nowhere", "/nowhere/self") == UINT_MAX);
}

Test(cgroup, what_cannot_be_read_is_no_limit)
{
    cr_expect(cpus(OWN, NULL, NULL, "") == UINT_MAX);
    cr_expect(cpus(OWN, NULL, NULL, "0 100000\n") == UINT_MAX);
    cr_expect(cpus(OWN, NULL, NULL, "100000 0\n") == UINT_MAX);
    cr_expect(cpus(OWN, NULL, NULL, "100000\n") == UINT_MAX);
    cr_expect(cpus("0::\n", NULL, NULL, "100000 100000\n") == UINT_MAX);
    cr_expect(cpus("1:cpu:/a.slice\n", NULL, NULL, "100000 100000\n") ==
              UINT_MAX);
}

Test(cgroup, the_line_of_version_2_among_others)
{
    cr_expect(cpus("4:cpu:/x\n" OWN "1:name=y:/z\n", NULL, NULL,
                   "200000 100000\n") == 2);
}
