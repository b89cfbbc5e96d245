/* SPDX-License-Identifier: MIT */
/*
 * unbounded_test.c -- a channel without a limit, when memory has one.
 */
#include "tests/fail/refuse.h"

#if !REFUSE_WORKS

Spec(UNB_SEND_1, a_tool_has_its_own_malloc)
{
    cr_assert(true);
}

#else

/* Each block in turn is refused: the item before it is the last. */
static int refused_blocks(ambit_cx *cx, void *arg)
{
    struct ambit_unbounded channel = AMBIT_UNBOUNDED_INIT(uint64_t);
    uint64_t got = 0, in = 0;
    (void)cx, (void)arg;
    for (int block = 0; block < 3; block++) {
        size_t bytes = ambit_unbounded_bytes(&channel);
        int rc = 0;
        while (rc == 0) {
            refuse_at(1);
            rc = ambit_unbounded_send(&channel, &in);
            refuse_at(0);
            in += rc == 0;
        }
        WANT_EQ(rc, -ENOMEM);
        WANT_EQ(ambit_unbounded_len(&channel), in);
        WANT_EQ(ambit_unbounded_bytes(&channel), bytes);
        WANT_EQ(ambit_unbounded_send(&channel, &in), 0); /* there is some again */
        in++;
        WANT(ambit_unbounded_bytes(&channel) > bytes);
    }
    for (uint64_t i = 0; i < in; i++) {
        WANT_EQ(ambit_unbounded_try_receive(&channel, &got), 0);
        WANT_EQ(got, i);
    }
    WANT_EQ(ambit_unbounded_try_receive(&channel, &got), -EAGAIN);
    ambit_unbounded_fini(&channel);
    return 0;
}

/* Goal: a send that was refused has sent nothing, and the next one does.
 * Method: the memory of each of the first blocks, refused once. */
Spec(UNB_SEND_1, what_was_refused_was_not_sent)
{
    spec_on(1, refused_blocks);
    spec_end("UNB_SEND_1");
}

#endif
