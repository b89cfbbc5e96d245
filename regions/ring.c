/* SPDX-License-Identifier: MIT */
/*
 * ring.c -- a ring ends with the region it was opened in.
 *
 * By then the region's children have ended, and nobody sends or receives; its
 * notes may still be under way, and the end waits for them.
 *
 *   RING-END-1  It goes with its region.
 */
#include "regions/region.h"

#include "src/sync/ring.h"

static int ring_end(ambit_cx *cx, void *arg)
{
    struct ring *ring = arg;
    (void)ring_retire(ring, task_of(cx));
    ring_destroy(ring);
    return 0;
}

int ambit_ring_open_(ambit_region *public, ambit_ring **ret_ring,
                     const struct ambit_ring_options *given)
{
    struct ambit_ring_options options = {0};
    size_t known = given->size_ < sizeof options ? given->size_
                                                 : sizeof options;
    struct ring *ring = NULL;
    memcpy(&options, given, known);
    int rc = ring_create(&ring, task_runtime(region_of(public)->host), &options);
    if (rc < 0) {
        return rc;
    }
    rc = ambit_defer_async(public, ring_end, ring);
    if (rc < 0) {
        ring_destroy(ring);
        return rc;
    }
    *ret_ring = (ambit_ring *)(void *)ring;
    return 0;
}
