/* SPDX-License-Identifier: MIT */
/*
 * ambit/watch.h -- the latest value of something, and word of each change.
 *
 *     static struct settings first = { .level = 1 };
 *     static struct ambit_watch watch = AMBIT_WATCH_INIT(first);
 *     ...
 *     ambit_watch_send(&watch, &changed);               // never waits
 *     ...
 *     uint64_t seen = 0;                                // the first is news, too
 *     while ((rc = ambit_watch_receive(cx, &watch, &seen, &mine)) == 0)
 *         apply(&mine);                                 // -EPIPE: closed, seen
 *
 * Each value has a version, one higher than the one before.  A receiver is the
 * version it has seen last: it needs no registration and no end, and there may
 * be any number.  Who is slow misses values in between, never the last one.
 *
 * Order, cancel, thread and fini are as in ambit/sync.h.  Values are copied,
 * whole, under a short lock, once for each receiver.
 */
#ifndef AMBIT_WATCH_H
#define AMBIT_WATCH_H

#include <ambit/channel.h>

AMBIT_BEGIN

/*
 *   open --ambit_watch_close()--> closed: the last value stays
 */
struct ambit_watch {
    void *room_;
    size_t size_;
    uint64_t version_;
    bool closed_;
    struct ambit_line line_;
};

/* In the room of a variable, whose value is the first, version 1.  More than
 * AMBIT_CHANNEL_ITEM_MAX bytes do not compile. */
#define AMBIT_WATCH_INIT(variable) \
    { &(variable), AMBIT_ITEM_SIZE_(variable), 1, false, { { 0 } } }
/* The same at run time; `room` is the watch's until its fini.  0; -EINVAL for a
 * size of 0; -E2BIG for more than AMBIT_CHANNEL_ITEM_MAX. */
AMBIT_API int ambit_watch_init(struct ambit_watch *watch, void *room,
                               size_t size);
AMBIT_API void ambit_watch_fini(struct ambit_watch *watch);

/* Puts a copy of *value in place of the one before, and tells all who wait.  0;
 * -EPIPE when it is closed: not sent.  Never suspends, no cancel point.  Any
 * thread. */
AMBIT_API int ambit_watch_send(struct ambit_watch *watch, const void *value);

/* Waits until the version is another than *seen; copies the newest value to
 * *ret_value and its version to *seen.  0; -EPIPE when it is closed and its last
 * value seen; -ECANCELED.  Cancel-safe: after a failure *seen is as before, so
 * nothing is missed. */
AMBIT_API int ambit_watch_receive(ambit_cx *cx, struct ambit_watch *watch,
                                  uint64_t *seen, void *ret_value);
/* The same with -EAGAIN in place of a wait.  Never suspends.  Any thread. */
AMBIT_API int ambit_watch_try_receive(struct ambit_watch *watch,
                                      uint64_t *seen, void *ret_value);

/* Copies the newest value, seen or not, and returns its version; ret_value may
 * be NULL.  Never suspends, no cancel point.  Any thread. */
AMBIT_API uint64_t ambit_watch_look(struct ambit_watch *watch,
                                    void *ret_value);

/* From now on nothing can be sent; who waits is told.  0; -EALREADY.  Never
 * suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_watch_close(struct ambit_watch *watch);

/* Tasks that wait for a newer value, a moment ago. */
AMBIT_API uint32_t ambit_watch_waiters(struct ambit_watch *watch);

#ifndef AMBIT_NO_SITES
#define ambit_watch_receive(cx, ...) \
    ambit_watch_receive(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
