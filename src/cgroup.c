/* SPDX-License-Identifier: MIT */
/* cgroup.c -- the cpu quota of control groups, version 2. */
#include "src/cgroup.h"

#include "src/base.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* The file's beginning, as a string; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    return n > 0;
}

/* "QUOTA PERIOD" in microseconds, or "max PERIOD". */
static unsigned cpus_of(const char *text)
{
    char *end;
    unsigned long long quota = strtoull(text, &end, 10);
    unsigned long long period = strtoull(end, NULL, 10);
    if (end == text || quota == 0 || period == 0) {
        return UINT_MAX;
    }
    unsigned long long cpus = quota / period + (quota % period != 0);
    return cpus < UINT_MAX ? (unsigned)cpus : UINT_MAX;
}

/* The line "0::/PATH" names the group: cuts the text down to its path. */
static char *group_path(char *text)
{
    char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (line == NULL) {
        return NULL;
    }
    char *path = strchr(line, '/');
    if (path != NULL) {
        path[strcspn(path, "\n")] = '\0';
    }
    return path;
}

unsigned cgroup_cpus(const char *root, const char *self)
{
    char text[4096];
    char file[4096 + 256];
    char quota[64];
    unsigned least = UINT_MAX;
    char *group = read_text(self, text, sizeof text) ? group_path(text) : NULL;
    while (group != NULL) {
        snprintf(file, sizeof file, "%s%s/cpu.max", root, group);
        if (read_text(file, quota, sizeof quota)) {
            unsigned cpus = cpus_of(quota);
            least = cpus < least ? cpus : least;
        }
        char *cut = strrchr(group, '/');
        if (cut == NULL) {
            break;
        }
        *cut = '\0'; /* its parent; "" is the root */
    }
    return least;
}
