/* SPDX-License-Identifier: MIT */
/*
 * options.c -- a table of options, and the loop that reads it.
 */
#include "options.h"

#include "number.h"

#include <errno.h>
#include <stddef.h>

enum kind { KIND_NUMBER, KIND_TEXT, KIND_FLAG, KIND_FSYNC };

struct spec {
    const char *name;
    enum kind kind;
    size_t at; /* of the field in struct options */
    int64_t min;
    int64_t max;
    int64_t initial;
    const char *help;
};

#define NUMBER(name_, field_, min_, max_, initial_, help_)                \
    {                                                                     \
        name_, KIND_NUMBER, offsetof(struct options, field_), min_, max_, \
            initial_, help_                                               \
    }
#define OTHER(name_, kind_, field_, help_)                             \
    {                                                                  \
        name_, kind_, offsetof(struct options, field_), 0, 0, 0, help_ \
    }

static const struct spec specs[] = {
    NUMBER("port", port, 0, 65535, 6380, "port; 0 takes any free one"),
    OTHER("bind", KIND_TEXT, bind, "address to listen on (127.0.0.1)"),
    OTHER("dir", KIND_TEXT, dir, "folder of the data"),
    NUMBER("shards", shards, 1, 256, 4, "shards, each with its own log"),
    NUMBER("workers", workers, 0, 64, 0, "threads; 0: one per cpu"),
    OTHER("fsync", KIND_FSYNC, fsync, "always or everysec (everysec)"),
    NUMBER("max-clients", clients_max, 1, 1000000, 10000,
           "connections served at once"),
    NUMBER("queue", queue_max, 1, 1000000, 4096,
           "calls that may wait for one shard; more get -BUSY"),
    NUMBER("max-memory-mb", memory_max_mb, 0, 1 << 20, 0,
           "memory of all keys and values; 0: no ceiling"),
    NUMBER("drain-ms", drain_ms, 0, 3600000, 5000,
           "time to finish what is under way after SIGTERM or SIGINT"),
    NUMBER("client-timeout-ms", client_timeout_ms, 1, 3600000, 10000,
           "time for a client to take a reply, or to finish a request"),
    NUMBER("intensity", intensity, 1, 1000000, 5,
           "restarts of shards allowed within the period"),
    NUMBER("period-ms", period_ms, 1, 3600000, 5000,
           "the period; one restart more and kvd gives up, status 2"),
    OTHER("debug", KIND_FLAG, debug, "allow DEBUG SLEEP-SHARD, CRASH-..."),
    OTHER("serve", KIND_FLAG, serve,
          "print a line to paste; without --dir use a temporary folder"),
    OTHER("help", KIND_FLAG, help, "this text"),
};

enum { SPECS = sizeof specs / sizeof specs[0] };

static const struct spec *find(const char *arg, const char **ret_value);
static int set(struct options *options, const struct spec *spec,
               const char *value, char why[200]);
static int64_t *number_at(struct options *options, const struct spec *spec);

int options_parse(int argc, char **argv, struct options *ret_options,
                  char ret_why[200])
{
    struct options options = {.bind = "127.0.0.1"};
    for (int i = 0; i < SPECS; i++) {
        if (specs[i].kind == KIND_NUMBER) {
            *number_at(&options, &specs[i]) = specs[i].initial;
        }
    }
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        const struct spec *spec = find(argv[i], &value);
        if (spec == NULL) {
            snprintf(ret_why, 200, "there is no option %.60s; see --help",
                     argv[i]);
            return -EINVAL;
        }
        if (spec->kind != KIND_FLAG && value == NULL && i + 1 < argc) {
            value = argv[++i];
        }
        int err = set(&options, spec, value, ret_why);
        if (err < 0) {
            return err;
        }
    }
    if (options.dir == NULL && !options.serve && !options.help) {
        snprintf(ret_why, 200, "--dir is missing: the folder of the data");
        return -EINVAL;
    }
    *ret_options = options;
    return 0;
}

void options_print_help(FILE *to)
{
    fprintf(to, "usage: kvd --dir FOLDER [options]\n\n"
                "A key-value server that speaks RESP2: use redis-cli.\n\n");
    for (int i = 0; i < SPECS; i++) {
        char left[32];
        snprintf(left, sizeof left, "--%s%s", specs[i].name,
                 specs[i].kind == KIND_NUMBER ? " N"
                 : specs[i].kind == KIND_FLAG ? ""
                                              : " TEXT");
        fprintf(to, "  %-24s %s", left, specs[i].help);
        if (specs[i].kind == KIND_NUMBER) {
            fprintf(to, " (%lld)", (long long)specs[i].initial);
        }
        fputc('\n', to);
    }
}

const char *options_fsync_name(const struct options *options)
{
    return options->fsync == FSYNC_ALWAYS ? "always" : "everysec";
}

/* Both --name VALUE and --name=VALUE. */
static const struct spec *find(const char *arg, const char **ret_value)
{
    if (arg[0] != '-' || arg[1] != '-') {
        return NULL;
    }
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    for (int i = 0; i < SPECS; i++) {
        if (strlen(specs[i].name) == len &&
            strncmp(specs[i].name, name, len) == 0) {
            *ret_value = name[len] == '=' ? name + len + 1 : NULL;
            return &specs[i];
        }
    }
    return NULL;
}

static int set_fsync(struct options *options, const char *value, char why[200])
{
    if (strcmp(value, "always") == 0) {
        options->fsync = FSYNC_ALWAYS;
    } else if (strcmp(value, "everysec") == 0) {
        options->fsync = FSYNC_EVERYSEC;
    } else {
        snprintf(why, 200, "--fsync is always or everysec, not \"%.40s\"",
                 value);
        return -EINVAL;
    }
    return 0;
}

static int set(struct options *options, const struct spec *spec,
               const char *value, char why[200])
{
    char *field = (char *)options + spec->at;
    if (spec->kind == KIND_FLAG) {
        if (value != NULL) {
            snprintf(why, 200, "--%s takes no value", spec->name);
            return -EINVAL;
        }
        *(bool *)field = true;
        return 0;
    }
    if (value == NULL || value[0] == '\0') {
        snprintf(why, 200, "--%s needs a value", spec->name);
        return -EINVAL;
    }
    if (spec->kind == KIND_TEXT) {
        *(const char **)field = value;
        return 0;
    }
    if (spec->kind == KIND_FSYNC) {
        return set_fsync(options, value, why);
    }
    int64_t number;
    if (!number_parse(slice_text(value), &number) || number < spec->min ||
        number > spec->max) {
        snprintf(why, 200, "--%s is a number from %lld to %lld, not \"%.40s\"",
                 spec->name, (long long)spec->min, (long long)spec->max, value);
        return -EINVAL;
    }
    *number_at(options, spec) = number;
    return 0;
}

static int64_t *number_at(struct options *options, const struct spec *spec)
{
    return (int64_t *)(void *)((char *)options + spec->at);
}
