/* SPDX-License-Identifier: MIT */
#include "bank.h"

static int keep_books(ambit_cx *cx)
{
    return ambit_yield(cx);
}

int transfer(ambit_cx *cx, void *arg)
{
    const struct transfer *t = arg;
    int *from = &t->bank->balance[t->from];
    int *to = &t->bank->balance[1 - t->from];
    int seen = *from;
    if (seen < t->amount) {
        return -ENOSPC;
    }
#ifdef BUG
    int rc = keep_books(cx); /* what was seen before it may be old by now */
    if (rc < 0) {
        return rc;
    }
    *from = seen - t->amount;
    *to += t->amount;
    return 0;
#else
    *from = seen - t->amount;
    *to += t->amount;
    int rc = keep_books(cx);
    if (rc < 0) {
        *from += t->amount;
        *to -= t->amount;
    }
    return rc;
#endif
}
