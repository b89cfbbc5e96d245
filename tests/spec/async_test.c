/* SPDX-License-Identifier: MIT */
/*
 * async_test.c -- machines: where they go on, and what is known of them.
 */
#include "tests/spec/common.h"

#include "tests/spec/dies.h"

/* An awaited call that takes as many steps as it is told to. */
static int turns(ambit_cx *cx, int *left)
{
    if (*left == 0) {
        return 0;
    }
    --*left;
    WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0);
    return AMBIT_PENDING;
}

/* --- a machine in a machine, in a switch, in a loop ------------------------ */

#define TURNS(n) AMBIT_AWAIT(n, rc, turns(cx, &s->left))

AMBIT_ASYNC_STATE(child, 2, (int, left), (int, upto), (int *, sum));

/* Adds 1 .. upto to the sum, twice each. */
static int child(ambit_cx *cx, void *arg)
{
    struct child *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(child, 2, s);
    for (; s->upto > 0; s->upto--) {
        s->left = 1;
        TURNS(1); *s->sum += s->upto; s->left = 2; TURNS(2);
        *s->sum += s->upto;
    }
    (void)rc;
    AMBIT_ASYNC_END(-s->upto);
}

AMBIT_ASYNC_STATE(parent, 4, (int, left), (int, round), (int, sum),
                  (struct child, child), (int *, ret_sum),
                  (struct count *, steps));

static int parent(ambit_cx *cx, void *arg)
{
    struct parent *s = arg;
    int rc;
    count_up(s->steps);
    AMBIT_ASYNC_BEGIN(parent, 4, s);
    for (s->round = 0; s->round < 4; s->round++) {
        switch (s->round) {
        case 0:
            AMBIT_ASYNC_INIT(child, &s->child, .upto = 3, .sum = &s->sum);
            AMBIT_AWAIT(1, rc, child(cx, &s->child)); /* + 12 */
            WANT_EQ(rc, 0);
            break;
        case 1:
            s->left = 5;
            TURNS(2);
            /* fall through */
        case 2:
            s->sum += 100; /* twice */
            s->left = 1;
            TURNS(3);
            break;
        default:
            do {
                s->left = 1;
                TURNS(4);
                s->sum += 1000;
            } while (s->sum < 3000);
            *s->ret_sum = s->sum;
            AMBIT_ASYNC_RETURN(-EBADMSG);
        }
    }
    AMBIT_ASYNC_END(-EIO);
}

static int run_parent(ambit_cx *cx, void *arg)
{
    struct parent machine = {.ret_sum = arg};
    struct count steps = {0};
    int rc = 0;
    machine.steps = &steps;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_poll(region, parent, &machine), 0);
    }
    WANT_EQ(rc, -EBADMSG);
    /* 3 x (1 + 2) turns of the child, 5 + 1, 1, 3, and the first. */
    WANT_EQ(count_get(&steps), 3 * 3 + 5 + 1 + 1 + 3 + 1);
    return 0;
}

static int step_again(ambit_cx *cx, void *arg)
{
    int left = 1;
    struct child machine = {.upto = 1, .left = left, .sum = &left};
    (void)arg;
    machine.state_ = UINT32_MAX;
    return child(cx, &machine);
}

static void stepped_when_complete(void)
{
    spec_run(step_again, NULL, .workers = 1);
}

static int step_lost(ambit_cx *cx, void *arg)
{
    int sum = 0;
    struct child machine = {.state_ = 3, .upto = 1, .sum = &sum};
    (void)arg;
    return child(cx, &machine);
}

static void stepped_when_lost(void)
{
    spec_run(step_lost, NULL, .workers = 1);
}

/* Goal: a step goes on where the one before stopped.  Method: a machine whose
 * awaits stand in a switch, in loops, in a child and two on a line; the sum
 * and the number of steps tell each part that was done twice or left out. */
Spec(ASYNC_RUN_1, a_step_goes_on_where_the_one_before_stopped)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        int sum = 0;
        WANT_EQ(spec_run(run_parent, &sum, .workers = workers), 0);
        WANT_EQ(sum, 12 + 200 + 3000);
    }
    WANT(dies_saying(stepped_when_complete, "complete"));
    WANT(dies_saying(stepped_when_lost, "none of its awaits"));
    spec_end("ASYNC_RUN_1");
}

/* --- the state as a number ------------------------------------------------- */

static uint32_t there_and_back(uint32_t state)
{
    uint32_t again = ~state;
    WANT_EQ(ambit_async_encode(ambit_async_decode(state), &again), 0);
    return again;
}

static int encode(enum ambit_async_where where, uint32_t point)
{
    uint32_t state = 7;
    struct ambit_async_at at = {where, point};
    int rc = ambit_async_encode(at, &state);
    WANT(rc == 0 || state == 7);
    return rc;
}

/* A machine by hand, without a task: its state after each step. */
AMBIT_ASYNC_STATE(stops, 2, (int, left));

static int stops(ambit_cx *cx, void *arg)
{
    struct stops *s = arg;
    int rc;
    (void)cx;
    AMBIT_ASYNC_BEGIN(stops, 2, s);
    AMBIT_AWAIT(1, rc, s->left-- > 1 ? AMBIT_PENDING : 0);
    AMBIT_AWAIT(2, rc, s->left-- > 0 ? AMBIT_PENDING : 0);
    AMBIT_ASYNC_END(rc);
}

/* Goal: the states are numbered as promised.  Method: the ends of the range,
 * what is none of them, and the state of a machine after each step. */
Spec(ASYNC_STATE_1, states_are_numbered_and_survive_the_round_trip)
{
    static const uint32_t states[] = {0, 1, 2, 3, 255, 65536, UINT32_MAX - 1,
                                      UINT32_MAX};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        WANT_EQ(there_and_back(states[i]), states[i]);
    }
    WANT_EQ(ambit_async_decode(0).where, AMBIT_ASYNC_START);
    WANT_EQ(ambit_async_decode(1).where, AMBIT_ASYNC_POINT);
    WANT_EQ(ambit_async_decode(9).point, 9);
    WANT_EQ(ambit_async_decode(UINT32_MAX).where, AMBIT_ASYNC_COMPLETE);
    WANT_EQ(ambit_async_decode(UINT32_MAX).point, 0);
    WANT_EQ(encode(AMBIT_ASYNC_POINT, 0), -EINVAL);
    WANT_EQ(encode(AMBIT_ASYNC_POINT, UINT32_MAX), -EINVAL);
    WANT_EQ(encode(AMBIT_ASYNC_START, 1), -EINVAL);
    WANT_EQ(encode(AMBIT_ASYNC_COMPLETE, 1), -EINVAL);
    WANT_EQ(encode((enum ambit_async_where)3, 0), -EINVAL);

    struct stops machine = {.left = 2};
    WANT_EQ(machine.state_, 0);
    WANT_EQ(stops(NULL, &machine), AMBIT_PENDING);
    WANT_EQ(machine.state_, 1);
    machine.left = 3;
    WANT_EQ(stops(NULL, &machine), AMBIT_PENDING);
    machine.left = 1;
    machine.state_ = 2;
    WANT_EQ(stops(NULL, &machine), AMBIT_PENDING);
    WANT_EQ(machine.state_, 2);
    WANT_EQ(stops(NULL, &machine), 0);
    WANT_EQ(machine.state_, UINT32_MAX);
    spec_end("ASYNC_STATE_1");
}

/* --- the record ------------------------------------------------------------ */

struct pair {
    char a;
    int64_t b;
};

AMBIT_ASYNC_STATE(none, 0);
AMBIT_ASYNC_STATE(one, 1, (int, id));
AMBIT_ASYNC_STATE(three, 16, (char, letter), (struct pair, pair),
                  (const char *, text));

static void want_field(const struct ambit_async_info *info, size_t i,
                       const char *name, const char *type, size_t offset,
                       size_t size)
{
    const struct ambit_async_capture *field = &info->captures[i];
    WANT(strcmp(field->name, name) == 0);
    WANT(strcmp(field->type, type) == 0);
    WANT_EQ(field->offset, offset);
    WANT_EQ(field->size, size);
}

/* A record of which one figure is wrong. */
static int layout_of_wrong(size_t field, size_t offset, size_t size)
{
    struct ambit_async_capture captures[3];
    struct ambit_async_info info = three_info;
    memcpy(captures, three_info.captures, sizeof captures);
    captures[field].offset = offset;
    captures[field].size = size;
    info.captures = captures;
    return ambit_async_layout(&info, NULL, 0);
}

/* Goal: the record agrees with the compiler.  Method: each figure against
 * sizeof and offsetof; and records that contradict themselves. */
Spec(ASYNC_META_1, the_record_says_what_the_compiler_says)
{
    WANT(strcmp(none_info.name, "none") == 0);
    WANT_EQ(none_info.await_points, 0);
    WANT_EQ(none_info.state_size, sizeof(uint32_t));
    WANT_EQ(none_info.captures_len, 0);
    WANT(strcmp(three_info.name, "three") == 0);
    WANT_EQ(three_info.await_points, 16);
    WANT_EQ(three_info.state_size, sizeof(struct three));
    WANT_EQ(three_info.state_align, _Alignof(struct three));
    WANT_EQ(three_info.captures_len, 3);
    want_field(&three_info, 0, "letter", "char",
               offsetof(struct three, letter), 1);
    want_field(&three_info, 1, "pair", "struct pair",
               offsetof(struct three, pair), sizeof(struct pair));
    want_field(&three_info, 2, "text", "const char *",
               offsetof(struct three, text), sizeof(char *));
    WANT(layout_of_wrong(0, 4, 1) > 0);
    WANT_EQ(layout_of_wrong(0, 3, 1), -EINVAL); /* in the state number */
    WANT_EQ(layout_of_wrong(0, 4, 5), -EINVAL); /* in the next field */
    WANT_EQ(layout_of_wrong(2, 24, 9), -EINVAL); /* behind the end */
    WANT_EQ(layout_of_wrong(2, SIZE_MAX, 8), -EINVAL);
    WANT_EQ(layout_of_wrong(2, 24, SIZE_MAX), -EINVAL);
    spec_end("ASYNC_META_1");
}

static void want_layout(const struct ambit_async_info *info, const char *wanted)
{
    char text[256];
    int len = (int)strlen(wanted);
    WANT_EQ(ambit_async_layout(info, text, sizeof text), len);
    WANT(strcmp(text, wanted) == 0);
    for (int room = 0; room <= len + 1; room++) {
        memset(text, '#', sizeof text);
        WANT_EQ(ambit_async_layout(info, text, (size_t)room), len);
        int fits = room == 0 ? 0 : room <= len ? room - 1 : len;
        WANT(memcmp(text, wanted, (size_t)fits) == 0);
        WANT(text[fits] == (room == 0 ? '#' : '\0'));
        WANT(text[fits + 1] == '#');
    }
}

/* Goal: the text is the promised one.  Method: no, one and three fields; each
 * size of the room. */
Spec(ASYNC_LAYOUT_1, the_layout_reads_as_promised)
{
    want_layout(&none_info, "struct noneState {\n"
                            "    __state: u32,\n"
                            "}\n");
    want_layout(&one_info, "struct oneState {\n"
                           "    __state: u32,\n"
                           "    id: int,\n"
                           "}\n");
    want_layout(&three_info, "struct threeState {\n"
                             "    __state: u32,\n"
                             "    letter: char,\n"
                             "    pair: struct pair,\n"
                             "    text: const char *,\n"
                             "}\n");
    spec_end("ASYNC_LAYOUT_1");
}
