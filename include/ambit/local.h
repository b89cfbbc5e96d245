/* SPDX-License-Identifier: MIT */
/*
 * ambit/local.h -- what stays with its task, or with its worker.
 *
 * A task may begin on another worker than the one that spawned it, and gets a
 * copy of its argument.  Some things are of no use in a copy, or over there.
 * To hand one of them to another task does not compile, and says why:
 *
 *   a cx                  is its task's: every task function gets its own
 *   the block of a scope, of a mask; a group by value; a wait in an await
 *                         lie in the frame or state of who began them
 *   a lock, a channel and their kin, an obligation, by value
 *                         work where they lie; a pointer to one is fine
 *   what is declared local
 *                         is its worker's
 *
 * That is looked at by ambit_spawn, _spawn_with, _spawn_poll, ambit_group, by
 * ambit_blocking, by the initializers of channels and their kin, AMBIT_SERVER
 * and AMBIT_RING_MESSAGE.  The type of the argument counts: the compiler does
 * not look into a struct.  In C; as C++ all of it compiles.
 *
 * Data without a lock that only tasks of one worker use, is declared local:
 *
 *     #define AMBIT_MY_LOCALS AMBIT_LOCAL(struct cache)
 *     #include <ambit.h>
 *
 *     struct cache { struct ambit_local local; ... };
 *     ...
 *     ambit_local_init(&cache->local);          // it is this worker's
 *     ambit_spawn(region, fill, cache);         // does not compile
 *     ambit_spawn_fiber(region, fill, &cache);  // fine: it runs on this worker
 *     ...
 *     ambit_local_check(&cache->local);         // in whatever uses it
 *
 * The check finds at run time what got elsewhere all the same, inside a struct
 * or by a global variable.
 */
#ifndef AMBIT_LOCAL_H
#define AMBIT_LOCAL_H

#include <ambit/base.h>

AMBIT_BEGIN

/* --- at run time ----------------------------------------------------------- */

/* Whose it is.  A field of what is local, or beside it. */
struct ambit_local {
    const void *owner_;
};

/* From now on it is of the worker that the caller runs on.  On a thread that is
 * no worker the process ends with a sentence.  Does not suspend. */
AMBIT_API void ambit_local_init(struct ambit_local *local);

/* Whether the caller runs on its worker.  Any thread; does not suspend. */
AMBIT_API bool ambit_local_is_here(const struct ambit_local *local);

/* Ends the process with a sentence when the caller runs elsewhere, or nobody
 * has made it; in all builds.  Does not suspend. */
AMBIT_API void ambit_local_check(const struct ambit_local *local);

/* --- at compile time ------------------------------------------------------- */

struct ambit_await;
struct ambit_barrier;
struct ambit_broadcast;
struct ambit_channel;
struct ambit_group;
struct ambit_line;
struct ambit_mask_block;
struct ambit_mutex;
struct ambit_notify;
struct ambit_obligation;
struct ambit_once;
struct ambit_oneshot;
struct ambit_rwlock;
struct ambit_scope_block;
struct ambit_semaphore;
struct ambit_unbounded;
struct ambit_watch;

AMBIT_END

/* Types of one's own that are local, one AMBIT_LOCAL(type) after the other with
 * nothing between.  Defined before the first header of Ambit is included; the
 * types need to be known only where something is handed over. */
#ifndef AMBIT_MY_LOCALS
#define AMBIT_MY_LOCALS
#endif
#define AMBIT_LOCAL(type) AMBIT_KIND_(4, type) AMBIT_KIND_AT_(4, type)

/* The type itself; a pointer to it. */
#define AMBIT_KIND_(kind, type) type *: (kind), type const *: (kind),
#define AMBIT_KIND_AT_(kind, type) \
    AMBIT_KIND_(kind, type *) AMBIT_KIND_(kind, type const *)

/* Of what is pointed to.  0: may be handed over. */
#define AMBIT_KIND_OF_(pointer) \
    _Generic((pointer), \
        AMBIT_MY_LOCALS \
        AMBIT_LOCAL(struct ambit_local) \
        AMBIT_KIND_(1, ambit_cx) \
        AMBIT_KIND_AT_(1, ambit_cx) \
        AMBIT_KIND_(2, struct ambit_scope_block) \
        AMBIT_KIND_AT_(2, struct ambit_scope_block) \
        AMBIT_KIND_(2, struct ambit_mask_block) \
        AMBIT_KIND_AT_(2, struct ambit_mask_block) \
        AMBIT_KIND_AT_(2, struct ambit_await) \
        AMBIT_KIND_(3, struct ambit_group) \
        AMBIT_KIND_(3, struct ambit_obligation) \
        AMBIT_KIND_(3, struct ambit_line) \
        AMBIT_KIND_(3, struct ambit_semaphore) \
        AMBIT_KIND_(3, struct ambit_mutex) \
        AMBIT_KIND_(3, struct ambit_rwlock) \
        AMBIT_KIND_(3, struct ambit_notify) \
        AMBIT_KIND_(3, struct ambit_barrier) \
        AMBIT_KIND_(3, struct ambit_once) \
        AMBIT_KIND_(3, struct ambit_channel) \
        AMBIT_KIND_(3, struct ambit_oneshot) \
        AMBIT_KIND_(3, struct ambit_watch) \
        AMBIT_KIND_(3, struct ambit_broadcast) \
        AMBIT_KIND_(3, struct ambit_unbounded) \
        default: 0)

/*
 * RULE(LOCAL_TYPE_1): 1 when what the pointer points to may be copied to a task
 * on any worker, else 0.  A constant; the pointer is not evaluated.
 */
#define AMBIT_MAY_SEND(pointer) (AMBIT_KIND_OF_(pointer) == 0)

/* Behind the calls: 1, where it compiles.  What is copied to any worker; what is
 * copied to this one; what another thread uses, without a copy. */
#ifndef __cplusplus

#define AMBIT_SENDS_(pointer) \
    AMBIT_REFUSE_(pointer, AMBIT_NO_BLOCK_; AMBIT_NO_COPY_; AMBIT_NO_LOCAL_)
#define AMBIT_KEEPS_(pointer) \
    AMBIT_REFUSE_(pointer, AMBIT_NO_BLOCK_; AMBIT_NO_COPY_)
#define AMBIT_LENDS_(pointer) \
    AMBIT_REFUSE_(pointer, AMBIT_NO_BLOCK_; AMBIT_NO_LOCAL_)

#define AMBIT_REFUSE_(pointer, ...) \
    (__extension__({ \
        typedef __typeof__(*(pointer)) ambit_sent_; \
        enum { ambit_kind_ = AMBIT_KIND_OF_((ambit_sent_ *)0) }; \
        AMBIT_NO_CX_; \
        __VA_ARGS__; \
        (size_t)1; \
    }))
#define AMBIT_NO_CX_ \
    _Static_assert(ambit_kind_ != 1, \
                   "a cx stays with its task: the other function gets its " \
                   "own, as its first argument")
#define AMBIT_NO_BLOCK_ \
    _Static_assert(ambit_kind_ != 2, \
                   "a scope, a mask or a wait belongs to the task that began " \
                   "it: hand over its region instead")
#define AMBIT_NO_COPY_ \
    _Static_assert(ambit_kind_ != 3, \
                   "this works only where it lies, not as a copy: put a " \
                   "pointer to it into the argument")
#define AMBIT_NO_LOCAL_ \
    _Static_assert(ambit_kind_ != 4, \
                   "this is local to its worker: use it there, or in a task " \
                   "of ambit_spawn_fiber()")

/* The same of a type, where there can be no statement: what does not compile is
 * a bit-field with that name. */
#define AMBIT_SENDS_TYPE_(type) \
    sizeof(struct { \
        int a_cx_stays_with_its_task : AMBIT_KIND_OF_((type *)0) != 1; \
        int a_scope_a_mask_or_a_wait_belongs_to_its_task \
            : AMBIT_KIND_OF_((type *)0) != 2; \
        int this_works_only_where_it_lies_not_as_a_copy \
            : AMBIT_KIND_OF_((type *)0) != 3; \
        int this_is_local_to_its_worker : AMBIT_KIND_OF_((type *)0) != 4; \
    }) / sizeof(int)

#else

#define AMBIT_SENDS_(pointer) sizeof(char)
#define AMBIT_KEEPS_(pointer) sizeof(char)
#define AMBIT_LENDS_(pointer) sizeof(char)
#define AMBIT_SENDS_TYPE_(type) sizeof(char)

#endif

#endif
