/* SPDX-License-Identifier: MIT */
/*
 * ambit/obligation.h -- what must be done exactly once, and is not forgotten.
 *
 * An obligation is a promise on record: a lease to hand back, an answer to
 * give, a transaction to end.  Its region keeps it until it is resolved:
 *
 *     struct ambit_obligation lease = {0};
 *     rc = ambit_oblige(region, &lease, give_back, seat);
 *     ...
 *     if (ambit_fulfil(&lease) == 0)       // from wherever it is done
 *         give_back(seat);
 *
 *   none --ambit_oblige()--> open --ambit_fulfil()--> none
 *                            |  ^
 *                            |  +-- ambit_transfer(): another region's
 *                            +----- its region closes: abort(arg) --> none
 *
 * Of all who try to resolve it one wins; the others get -EALREADY and nothing
 * happens.  What is left when the last child of a region has ended is aborted,
 * newest first, before the finalizers run, and the log tells the line at which
 * it was made.
 */
#ifndef AMBIT_OBLIGATION_H
#define AMBIT_OBLIGATION_H

#include <ambit/region.h>

AMBIT_BEGIN

/* In the caller's memory: zeroed before its first use, and not moved or given
 * up before the last who may resolve it has done so.  Reused at will. */
struct ambit_obligation {
    unsigned char room_[64] __attribute__((aligned(16)));
};

/*
 * Puts an obligation on record.  Does not suspend, allocates nothing; there is
 * no limit to their number.  0; -ESHUTDOWN when the last child of the region
 * has ended (its finalizers run): then nothing is on record, and abort is not
 * called; -EBUSY when it is open already.  The opener of the region or one of
 * its tasks, on any thread.
 *
 * abort(arg) is called by the region's close, if nobody fulfilled before: on
 * the thread of the task that closes, under no lock, once; it must not
 * suspend, and may reuse or free the record.  NULL: the log only.
 */
#define ambit_oblige(region, obligation, abort, arg) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_oblige_((region), (obligation), (abort), (arg), &ambit_site_); \
    }))
AMBIT_API int ambit_oblige_(ambit_region *region,
                            struct ambit_obligation *obligation,
                            void (*abort)(void *arg), void *arg,
                            const struct ambit_site *site);

/* Takes it off the record: done.  0; -EALREADY when it was resolved before, in
 * whatever way, or never made.  Does not suspend.  Any thread. */
AMBIT_API int ambit_fulfil(struct ambit_obligation *obligation);

/*
 * Makes it an obligation of another region, in one step: whichever of the two
 * closes first, exactly one of them has it.  0; -EALREADY as ambit_fulfil();
 * -ESHUTDOWN when `to` is cancelled or its last child has ended: then it stays
 * where it is.  Does not suspend.  Any thread that can be sure `to` is open.
 */
AMBIT_API int ambit_transfer(struct ambit_obligation *obligation,
                             ambit_region *to);

/* Open obligations of the region now.  Same callers as ambit_oblige(). */
AMBIT_API uint32_t ambit_region_obligations(ambit_region *region);

AMBIT_END

#endif
