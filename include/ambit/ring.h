/* SPDX-License-Identifier: MIT */
/*
 * ambit/ring.h -- small messages from worker to worker.
 *
 * For programs that split their state by worker: each worker has an inbox, and
 * a message is {from, tag, 64-bit value}.  A send takes no lock, and rings the
 * target's bell only when somebody there waits.
 *
 *     ambit_ring *ring;
 *     rc = ambit_ring_open(region, &ring, .capacity = 1024);
 *     ...
 *     rc = ambit_ring_send(cx, ring, 1, TAG_MOVE, 42);    // to worker 1
 *     ...                                                 // there:
 *     struct ambit_ring_message message;
 *     while ((rc = ambit_ring_next(cx, ring, &message)) == 0)
 *         handle(message.from, message.tag, message.value);
 *
 *   open --ambit_ring_close()--> closed: takes nothing; what is in it can be
 *        received, then -EPIPE --its region closes--> gone
 *
 * WHO.  The source is the worker that the caller runs on; the inbox received
 * from is that worker's, too.  A thread that is no worker of the runtime (the
 * blocking pool, a thread of the user's) sends as AMBIT_EXTERNAL: it cannot
 * wait, and receives nothing.  A ring is used by its region's opener and tasks,
 * and by threads that know the region to be open.
 *
 * ORDER.  What one source sends to one target arrives in the order of the
 * calls, whichever of them were used.  Between two sources there is no order,
 * but each gets its turn.  (AMBIT_EXTERNAL is one source.)
 *
 * ACCEPTED IS NOT HANDLED.  A call that answers 0 has put the message into the
 * target's queue, once.  What is left there when the region closes is lost, and
 * the log tells how many, and of each counted tag how much.
 *
 * WHEN.  ambit_ring_try_send() and _try_send_many() may leave the message for
 * the target to see until 64 are together, this worker's next turn (when its
 * task has waited, yielded or ended) or ambit_ring_flush().  The others are seen
 * at once, together with all that were sent before.
 *
 * TAGS.  All 65,536 are the user's.  Two kinds can be declared at open:
 *   hot      received by ambit_ring_next_hot() only, so they pass by the others
 *   counted  not queued at all: values are added up, for each tag and target,
 *            over all sources.  ambit_ring_next_count() takes the sum.
 */
#ifndef AMBIT_RING_H
#define AMBIT_RING_H

#include <ambit/local.h>
#include <ambit/region.h>
#include <string.h>

AMBIT_BEGIN

typedef struct ambit_ring ambit_ring;

/* A source that is no worker. */
#define AMBIT_EXTERNAL 0xFFFF

struct ambit_ring_message {
    uint64_t value;
    uint16_t from; /* the worker's index, or AMBIT_EXTERNAL */
    uint16_t tag;
};

#define AMBIT_RING_CAPACITY_MAX (UINT32_C(1) << 20)
#define AMBIT_RING_COUNTED_MAX 64
/* What one source may have added to a counted tag that was not taken yet. */
#define AMBIT_RING_SUM_MAX (UINT64_C(1) << 56)

struct ambit_ring_options {
    size_t size_;
    const char *name;        /* for reports; static memory */
    uint32_t capacity;       /* messages from one source that one target has
                                not received, hot ones apart; 0: 256 */
    const uint16_t *hot;     /* these tags */
    uint32_t hot_len;
    const uint16_t *counted; /* and these; none of them hot */
    uint32_t counted_len;    /* at most AMBIT_RING_COUNTED_MAX */
};

/*
 * Opens a ring that is gone when the region closes; nobody closes it but to end
 * it earlier.  One inbox for each worker.  Does not suspend.  0; -EINVAL for a
 * capacity above AMBIT_RING_CAPACITY_MAX, too many counted tags, or a tag that
 * is declared twice (the log line tells which); -ESHUTDOWN when the region is
 * closing; -ENOMEM.  The opener of the region or one of its tasks.
 *
 * The close of the region waits until each worker has let go of the ring: one
 * turn of each.
 */
#define ambit_ring_open(region, ret_ring, ...) \
    ambit_ring_open_((region), (ret_ring), \
                     &(const struct ambit_ring_options){ \
                         .size_ = sizeof(struct ambit_ring_options), \
                         __VA_ARGS__})
AMBIT_API int ambit_ring_open_(ambit_region *region, ambit_ring **ret_ring,
                               const struct ambit_ring_options *options);

/*
 * From now on nothing is accepted: senders that wait are told.  What was
 * accepted is received; then, once every worker has had a turn, receivers get
 * -EPIPE.  0; -EALREADY.  Never suspends, no cancel point.  Any thread.
 */
AMBIT_API int ambit_ring_close(ambit_ring *ring);

/* How many workers, and so targets, there are.  Any thread. */
AMBIT_API unsigned ambit_ring_workers(ambit_ring *ring);
/* Who sends here: the worker's index, or AMBIT_EXTERNAL.  Any thread. */
AMBIT_API uint16_t ambit_ring_here(ambit_ring *ring);

/* --- send ------------------------------------------------------------------ */

/*
 * Waits for room, and sends.  0: accepted by the target's queue; -EPIPE when the
 * ring is closed, before or meanwhile: not sent; -EINVAL for a worker that does
 * not exist; -E2BIG for a counted value above AMBIT_RING_SUM_MAX; -ECANCELED.
 * Cancel-safe: after a failure nothing was sent.  Senders of one worker that
 * wait are served in order of arrival.
 */
AMBIT_API int ambit_ring_send(ambit_cx *cx, ambit_ring *ring, unsigned to,
                              uint16_t tag, uint64_t value);

/* The same without a wait: -EAGAIN when there is no room, or others wait for
 * it.  See WHEN above.  Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_ring_try_send(ambit_ring *ring, unsigned to, uint16_t tag,
                                  uint64_t value);
/* The same, and the target sees it at once. */
AMBIT_API int ambit_ring_try_send_direct(ambit_ring *ring, unsigned to,
                                         uint16_t tag, uint64_t value);

/*
 * Tag and value of each, in their order, as far as there is room; `from` is not
 * looked at.  The target sees them at once.  How many were accepted: those are
 * the first ones.  With none accepted it answers what the first one would have
 * been answered.  -E2BIG for more than INT32_MAX.
 */
AMBIT_API int ambit_ring_try_send_many(ambit_ring *ring, unsigned to,
                                       const struct ambit_ring_message *messages,
                                       size_t count);

/* When it returns, all that this worker's tasks have sent before is to be seen
 * by its targets.  Never suspends, no cancel point.  Any thread. */
AMBIT_API void ambit_ring_flush(ambit_ring *ring);

/* --- receive --------------------------------------------------------------- */

/*
 * Waits for the next message of this worker's inbox that is neither hot nor
 * counted.  0; -EPIPE when the ring is closed and the inbox empty; -EPERM on a
 * thread that is no worker of this runtime; -ECANCELED.  Cancel-safe: after a
 * failure no message was taken.  Several that wait on one worker are served in
 * order of arrival.
 */
AMBIT_API int ambit_ring_next(ambit_cx *cx, ambit_ring *ring,
                              struct ambit_ring_message *ret_message);
/* The same for hot tags; -EINVAL when none were declared. */
AMBIT_API int ambit_ring_next_hot(ambit_cx *cx, ambit_ring *ring,
                                  struct ambit_ring_message *ret_message);
/* Waits until something was added to a counted tag, and takes the sum of all
 * that was: never 0.  The first addition wakes.  -EINVAL for a tag that was not
 * declared; otherwise the same. */
AMBIT_API int ambit_ring_next_count(ambit_cx *cx, ambit_ring *ring,
                                    uint16_t tag, uint64_t *ret_sum);

/* With -EAGAIN instead of a wait, also when others wait.  Never suspend, no
 * cancel points. */
AMBIT_API int ambit_ring_try_next(ambit_ring *ring,
                                  struct ambit_ring_message *ret_message);
AMBIT_API int ambit_ring_try_next_hot(ambit_ring *ring,
                                      struct ambit_ring_message *ret_message);
AMBIT_API int ambit_ring_try_next_count(ambit_ring *ring, uint16_t tag,
                                        uint64_t *ret_sum);

/* --- figures --------------------------------------------------------------- */

struct ambit_ring_stats {
    uint64_t accepted; /* messages, as far as their targets can see them */
    uint64_t received; /* but for those that came back from who panicked */
    uint64_t added;    /* to counted tags, the same */
    uint64_t taken;
    uint64_t refused;  /* sends that found no room */
    uint64_t doorbells; /* a worker was told that there is something */
};

/* Exact when nobody sends or receives, a snapshot otherwise.  Any thread. */
AMBIT_API void ambit_ring_stats(ambit_ring *ring,
                                struct ambit_ring_stats *ret_stats);

/* --- typed ----------------------------------------------------------------- */

/*
 * AMBIT_RING_MESSAGE(move, struct move, 7); declares
 *
 *     int move_send(ambit_cx *, ambit_ring *, unsigned to, struct move);
 *     int move_try_send(ambit_ring *, unsigned to, struct move);
 *     int move_try_send_direct(ambit_ring *, unsigned to, struct move);
 *     bool move_read(const struct ambit_ring_message *, struct move *ret);
 *
 * where move_read() is false for a message with another tag.  A type of more
 * than 8 bytes does not compile.
 */
#define AMBIT_RING_MESSAGE(name_, type_, tag_) \
    enum { \
        name_##_tag = (tag_), \
        name_##_may_go_ = AMBIT_SENDS_TYPE_(type_), \
        name_##_fits_ = sizeof(char[sizeof(type_) <= 8 ? 1 : -1]) \
    }; \
    __attribute__((unused)) static inline uint64_t name_##_pack_( \
        type_ const *from) \
    { \
        uint64_t value = 0; \
        memcpy(&value, from, sizeof(type_)); \
        return value; \
    } \
    __attribute__((unused)) static inline int name_##_send( \
        ambit_cx *cx, ambit_ring *ring, unsigned to, type_ what) \
    { \
        return ambit_ring_send(cx, ring, to, name_##_tag, \
                               name_##_pack_(&what)); \
    } \
    __attribute__((unused)) static inline int name_##_try_send( \
        ambit_ring *ring, unsigned to, type_ what) \
    { \
        return ambit_ring_try_send(ring, to, name_##_tag, \
                                   name_##_pack_(&what)); \
    } \
    __attribute__((unused)) static inline int name_##_try_send_direct( \
        ambit_ring *ring, unsigned to, type_ what) \
    { \
        return ambit_ring_try_send_direct(ring, to, name_##_tag, \
                                          name_##_pack_(&what)); \
    } \
    __attribute__((unused)) static inline bool name_##_read( \
        const struct ambit_ring_message *message, type_ *ret) \
    { \
        if (message->tag != name_##_tag) { \
            return false; \
        } \
        memcpy(ret, &message->value, sizeof(type_)); \
        return true; \
    } \
    struct ambit_ring_message

#ifndef AMBIT_NO_SITES
#define ambit_ring_send(cx, ...) ambit_ring_send(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_ring_next(cx, ...) ambit_ring_next(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_ring_next_hot(cx, ...) \
    ambit_ring_next_hot(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_ring_next_count(cx, ...) \
    ambit_ring_next_count(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
