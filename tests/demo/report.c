/* SPDX-License-Identifier: MIT */
/*
 * report.c -- the lines of the tour, and questions to kvd.
 */
#include "tests/demo/demo.h"

void demo_check(struct demo *demo, bool holds, const char *format, ...)
{
    va_list args;
    printf("  %-6s ", holds ? "ok" : "FAILED");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    demo->failures += !holds;
}

void demo_step(const char *title)
{
    printf("\n%s\n", title);
    fflush(stdout);
}

void demo_note(const char *format, ...)
{
    va_list args;
    printf("         ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void ledger_line(struct demo *demo, const struct kvd_process *kvd,
                        const char *what)
{
    static const char *const parts[] = {"accepted", "answered", "refused",
                                        "cancelled"};
    long long numbers[4];
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", what, parts[i]);
        numbers[i] = (long long)kvd_field(kvd, name);
    }
    demo_check(demo,
               numbers[0] > 0 &&
                   numbers[0] == numbers[1] + numbers[2] + numbers[3],
               "%s: %lld accepted = %lld answered + %lld refused + %lld "
               "cancelled",
               what, numbers[0], numbers[1], numbers[2], numbers[3]);
}

void demo_ledger(struct demo *demo, const struct kvd_process *kvd)
{
    long long tasks = (long long)kvd_field(kvd, "leaked_tasks");
    long long fds = (long long)kvd_field(kvd, "leaked_fds");
    long long bytes = (long long)kvd_field(kvd, "leaked_bytes");
    ledger_line(demo, kvd, "connections");
    ledger_line(demo, kvd, "requests");
    demo_check(demo, tasks == 0 && fds == 0 && bytes == 0,
               "leaked: %lld tasks, %lld file descriptors, %lld bytes", tasks,
               fds, bytes);
}

int demo_ask(const struct demo *demo, char *ret_text, size_t room,
             const char *a, const char *b, const char *c, const char *d)
{
    const char *argv[] = {a, b, c, d};
    struct kvd_client client;
    struct kvd_reply reply;
    int argc = 0;
    while (argc < 4 && argv[argc] != NULL) {
        argc++;
    }
    int err = kvd_connect(&client, demo->kvd.port);
    if (err == 0) {
        err = kvd_ask_(&client, &reply, argc, argv);
    }
    if (err == 0) {
        size_t len = reply.text_len < room - 1 ? reply.text_len : room - 1;
        memcpy(ret_text, reply.text, len);
        ret_text[len] = '\0';
    }
    kvd_disconnect(&client);
    return err;
}

int64_t demo_info(const struct demo *demo, const char *name)
{
    char text[8192];
    char key[64];
    snprintf(key, sizeof key, "\n%s:", name);
    if (demo_ask(demo, text, sizeof text, "INFO", NULL, NULL, NULL) < 0) {
        return -1;
    }
    const char *found = strstr(text, key);
    return found != NULL ? strtoll(found + strlen(key), NULL, 10) : -1;
}

bool demo_wait_alone(const struct demo *demo)
{
    int64_t until = kvd_now_us() + KVD_TIMEOUT_MS * 1000LL;
    while (kvd_now_us() < until) {
        if (demo_info(demo, "connected_clients") == 1) {
            return true;
        }
        kvd_pause_ms(10);
    }
    return false;
}
