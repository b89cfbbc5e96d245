/* SPDX-License-Identifier: MIT */
/*
 * base.c -- the last words of a process that found a bug.
 */
#include "src/base.h"

#include "src/spin.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void base_die(const char *file, int line, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text, "ambit: %s (%s:%d)\n", what, file, line);
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t put = write(STDERR_FILENO, text, len);
        (void)put;
    }
    abort();
}

#if defined(AMBIT_CHECKED) && !defined(AMBIT_LAB)
__thread unsigned spin_depth __attribute__((tls_model("initial-exec")));
#endif

#ifdef AMBIT_CHECKED
void rule_pass(struct rule_mark *mark)
{
    /* ORDER(rule-count): relaxed.  A statistic, read by tests after the
     * threads that count have been joined; pairs with nothing else. */
    atomic_fetch_add_explicit(&mark->passed, 1, memory_order_relaxed);
}
#endif
