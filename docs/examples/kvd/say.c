/* SPDX-License-Identifier: MIT */
/*
 * say.c -- a sentence on stderr.
 */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...)
{
    char line[1008] = "kvd: ";
    size_t at = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + at, sizeof line - at - 1, format, args);
    va_end(args);
    at = strlen(line);
    line[at++] = '\n';
    /* When even stderr is gone there is nobody left to tell. */
    ssize_t written = write(STDERR_FILENO, line, at);
    (void)written;
}
