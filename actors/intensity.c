/* SPDX-License-Identifier: MIT */
/*
 * intensity.c -- how many restarts are too many.
 *
 * The times of the last `intensity` restarts are kept in a ring.  One more is
 * too many when the oldest of them is still within the period.
 *
 *   SUP-RESTART-2  Exactly `intensity` restarts are allowed within `period`.
 */
#include "actors/supervisor.h"

bool intensity_spent(struct supervisor *supervisor, int64_t now_ns)
{
    uint32_t max = supervisor->options.intensity;
    int64_t *times = supervisor->restart_times;
    RULE(SUP_RESTART_2);
    if (max == 0) {
        return true;
    }
    if (supervisor->restart_len == max) {
        int64_t oldest = times[supervisor->restart_at];
        if (now_ns - oldest <= supervisor->options.period.ns) {
            return true;
        }
    } else {
        supervisor->restart_len++;
    }
    times[supervisor->restart_at] = now_ns;
    supervisor->restart_at = (supervisor->restart_at + 1) % max;
    return false;
}
