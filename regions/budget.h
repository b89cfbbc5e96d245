/* SPDX-License-Identifier: MIT */
/* budget.h -- what a region may use: the inner face. */
#ifndef AMBIT_REGIONS_BUDGET_H
#define AMBIT_REGIONS_BUDGET_H

#include "regions/region.h"

/* The limits that the options ask for. */
struct ambit_budget budget_asked(const struct ambit_scope_options *options);

/* The host, before others see the region.  0; -EDQUOT at a ceiling on child
 * regions; -ENOMEM.  budget_close() undoes it, when the last child has left
 * and while the parent is still held. */
int budget_open(struct region *region,
                const struct ambit_scope_options *options,
                const struct ambit_budget *own);
void budget_close(struct region *region);

/* What clean-up in the region draws on; counts for `around` without being
 * refused there.  NULL: no memory. */
struct quota *reserve_make(struct region *region, struct quota *around);

/* Bytes of the region's heap.  0 or -EDQUOT; given back at the latest by its
 * close.  Any thread that knows the region to be open. */
int region_charge_bytes(struct region *region, uint64_t bytes);
void region_uncharge_bytes(struct region *region, uint64_t bytes);

/* mask.c */
/* A mask was begun here, by this task, with nothing opened since. */
bool mask_is_around(const struct task *task, const struct region *region);
void mask_begin(struct mask *mask, struct task *task, struct quota *reserve,
                int64_t ns, void (*fired)(struct timer *timer));
void mask_end(struct mask *mask);
/* Its time is over: waits of the task, and what it opened in here, end. */
void mask_expire(struct mask *mask);
/* The frames of all masks of the task are given up. */
void mask_drop_all(struct task *task);

#endif
