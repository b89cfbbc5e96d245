/* SPDX-License-Identifier: MIT */
/*
 * ambit/mask.h -- a critical section that cancellation does not cut in two.
 *
 *     int rc = 0;
 *     ambit_mask (cx, &rc, .time = ambit_ms(200)) {
 *         rc = take_from(cx, a);              // both or none
 *         rc = rc < 0 ? rc : give_to(cx, b);
 *     }
 *
 * A cancel that comes meanwhile shows at the first suspending call after the
 * block.  A mask is bounded: it lasts for its time and no longer (then its
 * suspending calls answer -ETIMEDOUT), draws on the clean-up reserve of its
 * region, and masks nest at most AMBIT_MASKS_MAX deep, finalizers counted.  A
 * scope opened inside is out of the reach of cancels from outside as well.
 * Its own deadline, or a cancel of it, reaches the tasks spawned into it, but not
 * the masked task itself, which waits for them; nor does ambit_timeout().
 *
 * Leaving by `break`, `continue`, `return` or `goto` ends it like falling off
 * its end.
 */
#ifndef AMBIT_MASK_H
#define AMBIT_MASK_H

#include <ambit/time.h>

AMBIT_BEGIN

#define AMBIT_MASKS_MAX 8

struct ambit_mask_options {
    size_t size_;
    /* 0: 1 s; never longer than the region's clean-up time, nor than what is
     * left of the mask around. */
    ambit_duration time;
};

/* Room for one mask in the caller's frame. */
struct ambit_mask_block {
    ambit_cx *cx;
    bool open;
    unsigned char room[144] __attribute__((aligned(16)));
};

/*
 * Begins a mask in `block`, which must stay where it is until the mask is
 * ended; the task that began it ends it, innermost first, and closes before
 * what scopes it opened inside.  Does not suspend.  0; -ECANCELED when the task
 * is cancelled already; -ETIMEDOUT inside of a mask or finalizer whose time is
 * spent; -EDQUOT (and a log line) when it would be one too deep; -EINVAL for a
 * negative time; -EPERM on a thread of the blocking pool; -ENOMEM (in a region
 * with limits only).
 */
AMBIT_API int ambit_mask_begin(ambit_cx *cx, struct ambit_mask_block *block,
                               const struct ambit_mask_options *options);

/* Ends it; harmless for one that was refused or has ended.  Does not suspend. */
AMBIT_API void ambit_mask_end(struct ambit_mask_block *block);

/* Behind the block form.  A refusal goes to *rc, unless that is a failure
 * already, and the block does not run. */
AMBIT_API bool ambit_mask_enter_(ambit_cx *cx, struct ambit_mask_block *block,
                                 int *rc,
                                 const struct ambit_mask_options *options);

#define AMBIT_MASK_NAME_(line) AMBIT_MASK_JOIN_(ambit_mask_, line)
#define AMBIT_MASK_JOIN_(a, b) a##b
#define ambit_mask(cx_, rc_, ...) \
    for (struct ambit_mask_block AMBIT_MASK_NAME_(__LINE__) \
             __attribute__((cleanup(ambit_mask_end))) = {0}; \
         AMBIT_MASK_NAME_(__LINE__).cx == NULL && \
         ambit_mask_enter_(AMBIT_HERE(cx_), &AMBIT_MASK_NAME_(__LINE__), \
                           (rc_), \
                           &(const struct ambit_mask_options){ \
                               .size_ = sizeof(struct ambit_mask_options), \
                               __VA_ARGS__}); \
         ambit_mask_end(&AMBIT_MASK_NAME_(__LINE__)))

AMBIT_END

#endif
