/* SPDX-License-Identifier: MIT */
/*
 * ambit/async.h -- state machines that read like functions.
 *
 * A poll task keeps no stack between two steps.  These macros write down where
 * its function was, so that the next step goes on there:
 *
 *     AMBIT_ASYNC_STATE(beat, 1, (int, beats), (struct ambit_await, wait));
 *
 *     static int beat(ambit_cx *cx, void *arg)
 *     {
 *         struct beat *s = arg;
 *         int rc;
 *         AMBIT_ASYNC_BEGIN(beat, 1, s);
 *         while (s->beats-- > 0) {
 *             AMBIT_AWAIT(1, rc, ambit_await_sleep(cx, &s->wait, ambit_ms(1)));
 *             if (rc < 0)
 *                 AMBIT_ASYNC_RETURN(rc);
 *         }
 *         AMBIT_ASYNC_END(0);
 *     }
 *
 *     ambit_spawn_poll(region, beat, &(struct beat){.beats = 5});
 *
 *   start 0 --AMBIT_AWAIT(n)--> n --> ... --AMBIT_ASYNC_END--> UINT32_MAX
 *
 * What has to outlive an await is a field of the state; a local variable of the
 * function does not, and an argument of an awaited call is evaluated anew in
 * each step.  Awaits are numbered from 1 by whoever writes them, so the number
 * that is seen in a state stays the same when code around it changes: twice the
 * same, one too many or one too few does not compile.  An await is a statement;
 * it may stand in loops, in a `switch`, several on a line.  Not in a statement
 * expression, nor in a block of ambit_scope or ambit_mask: these end with the
 * step.
 *
 * What is awaited is a call that returns AMBIT_PENDING to be called again, else
 * its result: one of ambit/await.h, or another machine, whose state is a field:
 *
 *     AMBIT_ASYNC_INIT(beat, &s->child, .beats = 3);
 *     AMBIT_AWAIT(2, rc, beat(cx, &s->child));
 *
 * A cancelled machine is stepped like any other: its await answers -ECANCELED,
 * and it goes on from there to what it has to clean up, as a function would.
 *
 * For C: jumps to addresses of labels, which C++ compilers do not take here.
 */
#ifndef AMBIT_ASYNC_H
#define AMBIT_ASYNC_H

#include <ambit/await.h>

AMBIT_BEGIN

/* --- what is known of a machine ------------------------------------------ */

/* A field of the state. */
struct ambit_async_capture {
    const char *name;
    const char *type; /* as the compiler sees it: bool is _Bool */
    size_t offset;
    size_t size;
};

/* AMBIT_ASYNC_STATE(x, ...) makes one, x_info; static memory. */
struct ambit_async_info {
    const char *name;
    uint32_t await_points;
    size_t state_size;
    size_t state_align;
    const struct ambit_async_capture *captures;
    size_t captures_len;
};

/*
 * The fields as text, the number of the await first:
 *
 *     struct beatState {
 *         __state: u32,
 *         beats: int,
 *     }
 *
 * Its length without the end, which may be more than fits in `size` bytes: then
 * it is cut there, and still ended (with size 0 nothing is written).  -EINVAL
 * for a record whose fields do not lie in the state one after the other.  Any
 * thread; does not suspend.
 */
AMBIT_API int ambit_async_layout(const struct ambit_async_info *info,
                                 char *text, size_t size);

enum ambit_async_where {
    AMBIT_ASYNC_START,
    AMBIT_ASYNC_POINT,
    AMBIT_ASYNC_COMPLETE,
};

struct ambit_async_at {
    enum ambit_async_where where;
    uint32_t point; /* 1 and up at an await, else 0 */
};

/* 0 at the start, n at await n, UINT32_MAX when complete.  0; -EINVAL for what
 * is none of these.  Any thread; do not suspend. */
AMBIT_API int ambit_async_encode(struct ambit_async_at at,
                                 uint32_t *ret_state);
/* The other way; each number is one of the three. */
AMBIT_API struct ambit_async_at ambit_async_decode(uint32_t state);

/* The number itself.  Dies with a sentence for a machine that is complete, and
 * for one with a state that is none of it. */
AMBIT_API uint32_t ambit_async_enter_(const struct ambit_async_info *info,
                                      uint32_t state);

AMBIT_END

/* --- writing one --------------------------------------------------------- */

/*
 * struct name, with the fields (type, name), 16 at most; types that are written
 * before the name, so an array or a pointer to a function needs a typedef.
 * `points`: how many awaits, written as a number from 0 to 16.  At file scope.
 */
#define AMBIT_ASYNC_STATE(name, points, ...) \
    enum { name##_points = (points) }; \
    struct name { \
        uint32_t state_; \
        AMBIT_EACH_(AMBIT_ASYNC_FIELD_, name, ##__VA_ARGS__) \
    }; \
    AMBIT_EACH_(AMBIT_ASYNC_CHECK_, name, ##__VA_ARGS__) \
    _Static_assert(offsetof(struct name, state_) == 0, "where it is: first"); \
    static const struct ambit_async_capture name##_captures[] = { \
        AMBIT_EACH_(AMBIT_ASYNC_CAPTURE_, name, ##__VA_ARGS__) \
        {NULL, NULL, 0, 0}}; \
    __attribute__((unused)) static const struct ambit_async_info name##_info = \
        {#name, (points), sizeof(struct name), _Alignof(struct name), \
         name##_captures, \
         sizeof(name##_captures) / sizeof(name##_captures[0]) - 1}; \
    _Static_assert(sizeof(name##_captures) / sizeof(name##_captures[0]) == \
                       AMBIT_COUNT_(__VA_ARGS__) + 1, \
                   "each field is in the record")

/* A machine at its start; the rest as in an initializer of struct name. */
#define AMBIT_ASYNC_INIT(name, machine, ...) \
    ((void)(*(machine) = (struct name){.state_ = 0, ##__VA_ARGS__}))

/* The first statement after the declarations.  `points` as above. */
#define AMBIT_ASYNC_BEGIN(name, points, machine) \
    _Static_assert((points) == name##_points, \
                   "as many awaits as " #name " was declared with"); \
    static void *const ambit_at_[] = {&&ambit_at_0_ AMBIT_POINTS_##points}; \
    enum { ambit_points_ = (points) }; \
    uint32_t *const ambit_state_ = &(machine)->state_; \
    goto *ambit_at_[ambit_async_enter_(&name##_info, *ambit_state_)]; \
    ambit_at_0_:

/* Await n: calls, and returns AMBIT_PENDING from the function while the call
 * does; each step calls anew.  Then its result is in `result`, an int. */
#define AMBIT_AWAIT(n, result, ...) \
    do { \
        _Static_assert((n) > 0 && (n) <= (int)ambit_points_, \
                       "awaits are numbered from 1 to how many there are"); \
        *ambit_state_ = (n); \
        ambit_at_##n##_: \
        (result) = (__VA_ARGS__); \
        if ((result) == AMBIT_PENDING) { \
            return AMBIT_PENDING; \
        } \
    } while (0)

/* The machine is complete, from anywhere in its body; 0 or a negative errno. */
#define AMBIT_ASYNC_RETURN(result) \
    do { \
        *ambit_state_ = UINT32_MAX; \
        return (result); \
    } while (0)

/* The same, as the last statement of the function. */
#define AMBIT_ASYNC_END(result) AMBIT_ASYNC_RETURN(result)

/* --- how it is done ------------------------------------------------------ */

#define AMBIT_ASYNC_FIELD_(name, field) AMBIT_ASYNC_FIELD_2_ field
#define AMBIT_ASYNC_FIELD_2_(type, field) type field;

#define AMBIT_ASYNC_OPEN_(type, field) type, field
#define AMBIT_ASYNC_CHECK_(name, field) \
    AMBIT_ASYNC_CHECK_2_(name, AMBIT_ASYNC_OPEN_ field)
#define AMBIT_ASYNC_CHECK_2_(...) AMBIT_ASYNC_CHECK_3_(__VA_ARGS__)
#define AMBIT_ASYNC_CHECK_3_(name, type, field) \
    _Static_assert(offsetof(struct name, field) >= sizeof(uint32_t) && \
                       offsetof(struct name, field) % _Alignof(type) == 0 && \
                       offsetof(struct name, field) + sizeof(type) <= \
                           sizeof(struct name), \
                   #field " lies in the state");

#define AMBIT_ASYNC_CAPTURE_(name, field) \
    AMBIT_ASYNC_CAPTURE_2_(name, AMBIT_ASYNC_OPEN_ field)
#define AMBIT_ASYNC_CAPTURE_2_(...) AMBIT_ASYNC_CAPTURE_3_(__VA_ARGS__)
#define AMBIT_ASYNC_CAPTURE_3_(name, type, field) \
    {#field, #type, offsetof(struct name, field), sizeof(type)},

#define AMBIT_COUNT_(...) \
    AMBIT_PICK_(_, ##__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, \
                8, 7, 6, 5, 4, 3, 2, 1, 0)
#define AMBIT_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, it, \
                    ...) it
#define AMBIT_EACH_(m, name, ...) \
    AMBIT_EACH_OF_(AMBIT_COUNT_(__VA_ARGS__), m, name, ##__VA_ARGS__)
#define AMBIT_EACH_OF_(...) AMBIT_EACH_ONE_(__VA_ARGS__)
#define AMBIT_EACH_ONE_(count, ...) AMBIT_EACH_##count##_(__VA_ARGS__)
#define AMBIT_EACH_0_(m, name)
#define AMBIT_EACH_1_(m, name, f) m(name, f)
#define AMBIT_EACH_2_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_1_(m, name, __VA_ARGS__)
#define AMBIT_EACH_3_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_2_(m, name, __VA_ARGS__)
#define AMBIT_EACH_4_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_3_(m, name, __VA_ARGS__)
#define AMBIT_EACH_5_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_4_(m, name, __VA_ARGS__)
#define AMBIT_EACH_6_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_5_(m, name, __VA_ARGS__)
#define AMBIT_EACH_7_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_6_(m, name, __VA_ARGS__)
#define AMBIT_EACH_8_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_7_(m, name, __VA_ARGS__)
#define AMBIT_EACH_9_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_8_(m, name, __VA_ARGS__)
#define AMBIT_EACH_10_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_9_(m, name, __VA_ARGS__)
#define AMBIT_EACH_11_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_10_(m, name, __VA_ARGS__)
#define AMBIT_EACH_12_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_11_(m, name, __VA_ARGS__)
#define AMBIT_EACH_13_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_12_(m, name, __VA_ARGS__)
#define AMBIT_EACH_14_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_13_(m, name, __VA_ARGS__)
#define AMBIT_EACH_15_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_14_(m, name, __VA_ARGS__)
#define AMBIT_EACH_16_(m, name, f, ...) \
    m(name, f) AMBIT_EACH_15_(m, name, __VA_ARGS__)

#define AMBIT_POINTS_0
#define AMBIT_POINTS_1 , &&ambit_at_1_
#define AMBIT_POINTS_2 AMBIT_POINTS_1, &&ambit_at_2_
#define AMBIT_POINTS_3 AMBIT_POINTS_2, &&ambit_at_3_
#define AMBIT_POINTS_4 AMBIT_POINTS_3, &&ambit_at_4_
#define AMBIT_POINTS_5 AMBIT_POINTS_4, &&ambit_at_5_
#define AMBIT_POINTS_6 AMBIT_POINTS_5, &&ambit_at_6_
#define AMBIT_POINTS_7 AMBIT_POINTS_6, &&ambit_at_7_
#define AMBIT_POINTS_8 AMBIT_POINTS_7, &&ambit_at_8_
#define AMBIT_POINTS_9 AMBIT_POINTS_8, &&ambit_at_9_
#define AMBIT_POINTS_10 AMBIT_POINTS_9, &&ambit_at_10_
#define AMBIT_POINTS_11 AMBIT_POINTS_10, &&ambit_at_11_
#define AMBIT_POINTS_12 AMBIT_POINTS_11, &&ambit_at_12_
#define AMBIT_POINTS_13 AMBIT_POINTS_12, &&ambit_at_13_
#define AMBIT_POINTS_14 AMBIT_POINTS_13, &&ambit_at_14_
#define AMBIT_POINTS_15 AMBIT_POINTS_14, &&ambit_at_15_
#define AMBIT_POINTS_16 AMBIT_POINTS_15, &&ambit_at_16_

#endif
