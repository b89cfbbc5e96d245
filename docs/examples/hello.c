/* SPDX-License-Identifier: MIT */
/* hello.c -- two tasks in a scope: the smallest program that does something. */
#include <ambit.h>
#include <stdio.h>

static int greet(ambit_cx *cx, void *arg)
{
    const char *name = *(const char **)arg;
    int rc = ambit_yield(cx); /* the other one's turn */
    printf("hello, %s\n", name);
    return rc;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    const char *names[] = {"world", argc > 1 ? argv[1] : "you"};
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        for (int i = 0; i < 2; i++) {
            rc = ambit_spawn(both, greet, &names[i]);
        }
    }
    printf("both have ended\n");
    return rc;
}
