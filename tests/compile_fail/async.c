/* SPDX-License-Identifier: MIT */
/*
 * async.c -- awaits that are numbered wrongly; see tests/tidy/refused.sh.
 */
#include <ambit.h>

AMBIT_ASYNC_STATE(walk, 2, (struct ambit_await, wait));

int walk(ambit_cx *cx, struct walk *s);
int walk(ambit_cx *cx, struct walk *s)
{
    int rc;
#if ONLY == 1 /* says: as many awaits as walk was declared with */
    AMBIT_ASYNC_BEGIN(walk, 1, s);
#else
    AMBIT_ASYNC_BEGIN(walk, 2, s);
#endif
    AMBIT_AWAIT(1, rc, ambit_await_yield(cx, &s->wait));
#if ONLY == 2 /* says: label .ambit_at_2_ */
    (void)rc;
#elif ONLY == 3 /* says: label .ambit_at_1_ */
    AMBIT_AWAIT(1, rc, ambit_await_yield(cx, &s->wait));
#else
    AMBIT_AWAIT(2, rc, ambit_await_yield(cx, &s->wait));
#endif
#if ONLY == 4 /* says: awaits are numbered from 1 to how many there are */
    AMBIT_AWAIT(3, rc, ambit_await_yield(cx, &s->wait));
#elif ONLY == 5 /* says: awaits are numbered from 1 to how many there are */
    AMBIT_AWAIT(0, rc, ambit_await_yield(cx, &s->wait));
#endif
    AMBIT_ASYNC_END(rc);
}
