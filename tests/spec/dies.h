/* SPDX-License-Identifier: MIT */
/*
 * dies.h -- a bug of the caller's ends the process, with a sentence.
 */
#ifndef AMBIT_TESTS_SPEC_DIES_H
#define AMBIT_TESTS_SPEC_DIES_H

#include "tests/spec/common.h"

#include <sys/wait.h>

/* Runs fn in a child process: true when that was aborted after the sentence.
 * What the child has passed on the way is not counted here. */
static inline bool dies_saying(void (*fn)(void), const char *sentence)
{
    char text[4096];
    int ends[2], status = 0;
    size_t len = 0;
    if (pipe(ends) < 0) {
        return false;
    }
    fflush(stderr);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    ssize_t n;
    while ((n = read(ends[0], text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!died || strstr(text, sentence) == NULL) {
        fprintf(stderr, "status %d, said: %s\n", status, text);
        return false;
    }
    return true;
}

#endif
