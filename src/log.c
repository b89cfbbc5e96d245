/* SPDX-License-Identifier: MIT */
/*
 * log.c -- a line to the user's function, or to stderr.
 */
#include "src/runtime.h"
#include "src/spin.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static void log_default(enum ambit_log_level level, const char *line)
{
    static const char *const names[] = {"info", "warning", "error"};
    char text[LINE_MAX_BYTES + 32];
    if (level == AMBIT_LOG_INFO) {
        return;
    }
    int n = snprintf(text, sizeof text, "ambit: %s: %s\n", names[level], line);
    ssize_t put = write(STDERR_FILENO, text, (size_t)n);
    (void)put;
}

void log_line(struct runtime *runtime, enum ambit_log_level level,
              const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    CHECK_NO_LOCK();
    if (runtime != NULL && runtime->options.log != NULL) {
        runtime->options.log(runtime->options.log_user, level, line);
    } else {
        log_default(level, line);
    }
}
