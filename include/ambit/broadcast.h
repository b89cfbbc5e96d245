/* SPDX-License-Identifier: MIT */
/*
 * ambit/broadcast.h -- each item to each receiver; who is too slow is told.
 *
 *     static struct event room[64];
 *     static struct ambit_broadcast events = AMBIT_BROADCAST_INIT(room);
 *     ...
 *     ambit_broadcast_send(&events, &event);            // never waits
 *     ...
 *     struct ambit_broadcast_receiver mine;
 *     ambit_broadcast_subscribe(&events, &mine);        // from here on
 *     while ((rc = ambit_broadcast_receive(cx, &mine, &event)) != -EPIPE)
 *         if (rc == -EOVERFLOW)
 *             note_missed(mine.missed);                 // and go on
 *
 * A send takes the place of the oldest item, whoever has not read it: a slow
 * receiver holds up nobody, and learns how many items it missed.  A receiver is
 * a place in the order: it needs no end, and there may be any number.
 *
 * Order, cancel, thread and fini are as in ambit/sync.h.  Items are copied,
 * under a short lock, once for each receiver.
 */
#ifndef AMBIT_BROADCAST_H
#define AMBIT_BROADCAST_H

#include <ambit/channel.h>

AMBIT_BEGIN

/*
 * The last `capacity` items.
 *
 *   open --ambit_broadcast_close()--> closed: what is in it can be received,
 *                                     then -EPIPE
 */
struct ambit_broadcast {
    void *room_;
    size_t item_size_;
    uint32_t capacity_;
    bool closed_;
    uint64_t sent_;
    struct ambit_line line_;
};

/* In the room of an array, with its length as capacity.  Items of more than
 * AMBIT_CHANNEL_ITEM_MAX bytes do not compile. */
#define AMBIT_BROADCAST_INIT(array) \
    { (array), AMBIT_ITEM_SIZE_((array)[0]), \
      sizeof(array) / sizeof((array)[0]), false, 0, { { 0 } } }
/* The same at run time; `room` is for capacity items, and the broadcast's until
 * its fini.  0; -EINVAL for a capacity or size of 0; -E2BIG for items of more
 * than AMBIT_CHANNEL_ITEM_MAX bytes. */
AMBIT_API int ambit_broadcast_init(struct ambit_broadcast *broadcast,
                                   void *room, uint32_t capacity,
                                   size_t item_size);
/* What is in it is kept for who is late, and was sent to nobody: it is not told. */
AMBIT_API void ambit_broadcast_fini(struct ambit_broadcast *broadcast);

/* A copy of *item to all, those who come later within capacity too.  0; -EPIPE
 * when it is closed: not sent.  Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_broadcast_send(struct ambit_broadcast *broadcast,
                                   const void *item);

/* Used by one task or thread at a time, while the broadcast lives. */
struct ambit_broadcast_receiver {
    struct ambit_broadcast *broadcast_;
    uint64_t next_;
    uint64_t missed; /* items, at the last -EOVERFLOW; 0 before */
};

/* Makes a receiver of all that is sent from now on.  Never suspends, no cancel
 * point.  Any thread. */
AMBIT_API void
ambit_broadcast_subscribe(struct ambit_broadcast *broadcast,
                          struct ambit_broadcast_receiver *ret_receiver);

/* Waits for the next item and copies it.  0; -EOVERFLOW when it and others after
 * it are gone, receiver->missed in number: the next call begins at the oldest
 * that is left; -EPIPE when it is closed and all was received; -ECANCELED.
 * Cancel-safe: after -ECANCELED no item was passed over. */
AMBIT_API int
ambit_broadcast_receive(ambit_cx *cx,
                        struct ambit_broadcast_receiver *receiver,
                        void *ret_item);
/* The same with -EAGAIN in place of a wait.  Never suspends.  Any thread. */
AMBIT_API int
ambit_broadcast_try_receive(struct ambit_broadcast_receiver *receiver,
                            void *ret_item);

/* From now on nothing can be sent; who waits is told.  0; -EALREADY.  Never
 * suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_broadcast_close(struct ambit_broadcast *broadcast);

/* Tasks that wait for an item, a moment ago. */
AMBIT_API uint32_t
ambit_broadcast_waiters(struct ambit_broadcast *broadcast);

#ifndef AMBIT_NO_SITES
#define ambit_broadcast_receive(cx, ...) \
    ambit_broadcast_receive(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
