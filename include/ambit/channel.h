/* SPDX-License-Identifier: MIT */
/*
 * ambit/channel.h -- values from task to task: bounded channel, oneshot.
 *
 *     struct job room[16];
 *     struct ambit_channel jobs = AMBIT_CHANNEL_INIT(room);
 *     ...
 *     rc = ambit_channel_send(cx, &jobs, &job);         // waits while full
 *     ...
 *     while ((rc = ambit_channel_receive(cx, &jobs, &job)) == 0)
 *         work(&job);                                   // -EPIPE: closed, empty
 *
 * Order, cancel, thread and fini are as in ambit/sync.h: first come first
 * served; a call that answers 0 has had its effect, one that fails has had
 * none, and the value is still the sender's.  So a send or a receive can be
 * raced, cancelled or put under a timeout without losing a value.
 *
 * Values are copied, under a short lock: what is large is sent as a pointer.
 * The pointers given must be to objects of the channel's type.
 */
#ifndef AMBIT_CHANNEL_H
#define AMBIT_CHANNEL_H

#include <ambit/sync.h>

AMBIT_BEGIN

/* --- bounded channel ------------------------------------------------------- */

/*
 * A queue of at most `capacity` items, from any number of senders to any number
 * of receivers.  An item that a poll task was given and did not look at before it
 * panicked comes back in front, above the capacity if need be.
 *
 *   open --ambit_channel_close()--> closed: takes nothing; what is in it can be
 *                                   received, then -EPIPE
 */
struct ambit_channel {
    void *room_;
    size_t item_size_;
    uint32_t capacity_;
    uint32_t head_;
    uint32_t queued_;
    uint32_t reserved_;
    bool closed_;
    struct ambit_line senders_;
    struct ambit_line receivers_;
    struct ambit_backs backs_;
};

#define AMBIT_CHANNEL_ITEM_MAX 1024

/* Its size, when that is allowed; else an array of negative size, which does
 * not compile.  Nor does what must not be handed over: ambit/local.h. */
#define AMBIT_ITEM_SIZE_(item) \
    (sizeof(item) * AMBIT_SENDS_TYPE_(__typeof__(item)) * \
     sizeof(char[sizeof(item) <= AMBIT_CHANNEL_ITEM_MAX ? 1 : -1]))

/* A channel in the room of an array, with its length as capacity.  Items of more
 * than AMBIT_CHANNEL_ITEM_MAX bytes do not compile. */
#define AMBIT_CHANNEL_INIT(array) \
    { (array), AMBIT_ITEM_SIZE_((array)[0]), \
      sizeof(array) / sizeof((array)[0]), 0, 0, 0, false, { { 0 } }, \
      { { 0 } }, { { 0 } } }

/* The same at run time; `room` is for capacity items, and the channel's until
 * its fini.  0; -EINVAL for a capacity or size of 0; -E2BIG for items of more
 * than AMBIT_CHANNEL_ITEM_MAX bytes. */
AMBIT_API int ambit_channel_init(struct ambit_channel *channel, void *room,
                                 uint32_t capacity, size_t item_size);
/* How many items are left, which are lost: receive them before.  A task on a worker is
 * told so in the log of its runtime, too.  No permit may be out. */
AMBIT_API uint32_t ambit_channel_fini(struct ambit_channel *channel);

/* Waits for room, and puts a copy of *item at the end.  0; -EPIPE when it is
 * closed, before or meanwhile; -ECANCELED.  Cancel-safe: after a failure the
 * item was not sent. */
AMBIT_API int ambit_channel_send(ambit_cx *cx, struct ambit_channel *channel,
                                 const void *item);
/* 0; -EAGAIN when it is full or others wait to send; -EPIPE.  Never suspends.
 * Any thread. */
AMBIT_API int ambit_channel_try_send(struct ambit_channel *channel,
                                     const void *item);

/* Waits for an item and takes it out.  0; -EPIPE when it is closed and empty;
 * -ECANCELED.  Cancel-safe: after a failure no item was taken. */
AMBIT_API int ambit_channel_receive(ambit_cx *cx,
                                    struct ambit_channel *channel,
                                    void *ret_item);
/* 0; -EAGAIN when it is empty; -EPIPE.  Never suspends.  Any thread. */
AMBIT_API int ambit_channel_try_receive(struct ambit_channel *channel,
                                        void *ret_item);

/*
 * In two steps: first a place, then the item.  For what must not be made, or
 * taken from elsewhere, before it is sure that there is room.  A permit counts
 * as an item until it is resolved, and holds up nothing else: the item's place
 * in the order is that of its commit.
 *
 *   reserve --> permit --ambit_channel_commit()--> sent
 *                  '-----ambit_channel_abort()---> the place is free again
 */
struct ambit_channel_permit {
    struct ambit_channel *channel_;
};

/* As ambit_channel_send() and its try_ form. */
AMBIT_API int ambit_channel_reserve(ambit_cx *cx, struct ambit_channel *channel,
                                    struct ambit_channel_permit *ret_permit);
AMBIT_API int ambit_channel_try_reserve(struct ambit_channel *channel,
                                        struct ambit_channel_permit *ret_permit);

/* Sends; the permit is used up in any case.  0; -EPIPE when the channel was
 * closed meanwhile: not sent; -EALREADY for a permit that was used before.
 * Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_channel_commit(struct ambit_channel_permit *permit,
                                   const void *item);
/* Gives the place to the next who waits.  One that was used before: nothing. */
AMBIT_API void ambit_channel_abort(struct ambit_channel_permit *permit);

/* From now on nothing can be sent; senders that wait are told.  0; -EALREADY.
 * Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_channel_close(struct ambit_channel *channel);

/* As it was a moment ago: items in it; tasks that wait to send, to receive. */
AMBIT_API uint32_t ambit_channel_len(struct ambit_channel *channel);
AMBIT_API uint32_t ambit_channel_senders(struct ambit_channel *channel);
AMBIT_API uint32_t ambit_channel_receivers(struct ambit_channel *channel);

/* --- oneshot --------------------------------------------------------------- */

/*
 * One value, once, from whoever sends it first to one receiver.
 *
 *     int room;
 *     struct ambit_oneshot answer = AMBIT_ONESHOT_INIT(room);
 *
 *   empty --send--> sent --receive--> taken
 *     |--ambit_oneshot_drop_sender()----> nobody will send: receive -EPIPE
 *     '--ambit_oneshot_drop_receiver()--> nobody wants it: send -EPIPE
 */
struct ambit_oneshot {
    void *room_;
    size_t size_;
    uint32_t state_;
    struct ambit_line line_;
};

/* In the room of a variable; a larger one than above does not compile. */
#define AMBIT_ONESHOT_INIT(variable) \
    { &(variable), AMBIT_ITEM_SIZE_(variable), 0, { { 0 } } }
/* 0; -EINVAL for a size of 0; -E2BIG as above. */
AMBIT_API int ambit_oneshot_init(struct ambit_oneshot *oneshot, void *room,
                                 size_t size);
/* True: a value was sent, and is lost; a task on a worker is told so in the log, too. */
AMBIT_API bool ambit_oneshot_fini(struct ambit_oneshot *oneshot);

/* Sends a copy of *value.  0 for the first; -EALREADY for all later ones; -EPIPE
 * when the receiver is gone, or all senders were said to be: not sent.  Never
 * suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_oneshot_send(struct ambit_oneshot *oneshot,
                                 const void *value);

/* Waits for the value.  0; -EPIPE when nobody will send one; -EALREADY when it
 * was received before; -EBUSY while another task waits for it; -ECANCELED.
 * Cancel-safe: after a failure the value was not taken. */
AMBIT_API int ambit_oneshot_receive(ambit_cx *cx, struct ambit_oneshot *oneshot,
                                    void *ret_value);
/* The same with -EAGAIN in place of a wait.  Any thread. */
AMBIT_API int ambit_oneshot_try_receive(struct ambit_oneshot *oneshot,
                                        void *ret_value);

/* Nobody will send any more; who waits is told.  After a send: nothing.  Never
 * suspends, no cancel point.  Any thread. */
AMBIT_API void ambit_oneshot_drop_sender(struct ambit_oneshot *oneshot);

/* Nobody will receive any more.  True when a value had been sent: it is copied
 * to *ret_value (unless NULL), to be disposed of.  Never suspends, no cancel
 * point.  Any thread. */
AMBIT_API bool ambit_oneshot_drop_receiver(struct ambit_oneshot *oneshot,
                                           void *ret_value);

#ifndef AMBIT_NO_SITES
#define ambit_channel_send(cx, ...) \
    ambit_channel_send(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_channel_receive(cx, ...) \
    ambit_channel_receive(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_channel_reserve(cx, ...) \
    ambit_channel_reserve(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_oneshot_receive(cx, ...) \
    ambit_oneshot_receive(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
