/* SPDX-License-Identifier: MIT */
/*
 * ambit/token.h -- a cancel that is an object: it can be handed around.
 *
 * A region is the place to cancel from when there is one.  A token is for a
 * request that reaches across regions, threads or libraries: whoever holds it
 * may cancel it, wait for that, or be called then.
 *
 *     ambit_token *stop;
 *     int rc = ambit_token_create(NULL, &stop);
 *     ...
 *     ambit_scope (cx, work, &rc) {
 *         ambit_token_bind(stop, work);     // ends with the token
 *         ...
 *     }
 *     ambit_token_unref(stop);
 *
 *   open --ambit_token_cancel(), or that of its parent--> cancelled
 *
 * A token is counted: it lives until the last ambit_token_unref(), and longer
 * than any region that has to do with it, if its holder likes.  All of this is
 * for any thread; only ambit_token_wait() suspends.
 */
#ifndef AMBIT_TOKEN_H
#define AMBIT_TOKEN_H

#include <ambit/task.h>

AMBIT_BEGIN

typedef struct ambit_token ambit_token;

/* A token that is cancelled with its parent (NULL: none), at once when that is
 * cancelled already.  0; -ENOMEM.  The caller holds it, and owes an unref; the
 * parent stays alive as long as the child. */
AMBIT_API int ambit_token_create(ambit_token *parent, ambit_token **ret_token);

/* One more holder; returns the token. */
AMBIT_API ambit_token *ambit_token_ref(ambit_token *token);

/* One less.  NULL is fine. */
AMBIT_API void ambit_token_unref(ambit_token *token);

/*
 * Cancels it and the tokens below it: wakes who waits, and calls what is
 * registered, in this thread.  Once: later calls change nothing, and may return
 * while the first is still at it.  `text` is kept as a pointer: static memory,
 * or as long-lived as the token; NULL is fine.
 */
AMBIT_API void ambit_token_cancel(ambit_token *token, const char *text);

AMBIT_API bool ambit_token_is_cancelled(ambit_token *token);

/* The text of the cancel; NULL before, or when there was none. */
AMBIT_API const char *ambit_token_text(ambit_token *token);

/* Tasks that wait for it now. */
AMBIT_API size_t ambit_token_waiters(ambit_token *token);

/* Waits until it is cancelled.  0; -ECANCELED when the caller is. */
AMBIT_API int ambit_token_wait(ambit_cx *cx, ambit_token *token);

/* One thing to call; in the caller's memory, zeroed or used before. */
struct ambit_token_call {
    void (*fn)(void *arg);
    void *arg;
    struct ambit_token_call *next_, *prev_;
};

/*
 * Has fn(arg) called, once, when the token is cancelled, by whoever cancels it,
 * with no lock held: fn may use any call that takes no cx, this one and the
 * next included, and must be short.  `call` stays where it is until fn has been
 * called or ambit_token_unregister() has returned.  0; -ECANCELED when the
 * token is cancelled already: fn will not be called.
 */
AMBIT_API int ambit_token_register(ambit_token *token,
                                   struct ambit_token_call *call,
                                   void (*fn)(void *arg), void *arg);

/*
 * After it has returned fn is not running, and will not be called (but for
 * when fn itself is the caller).  Waits, without suspending, while fn is
 * running on another thread.  True when fn was not called.
 */
AMBIT_API bool ambit_token_unregister(ambit_token *token,
                                      struct ambit_token_call *call);

/*
 * Has the region cancelled with the token, at once when that is cancelled
 * already.  The opener of the region or one of its tasks.  0; -ESHUTDOWN when
 * the region is closing; -ENOMEM.
 */
AMBIT_API int ambit_token_bind(ambit_token *token, ambit_region *region);

#ifndef AMBIT_NO_SITES
#define ambit_token_wait(cx, ...) ambit_token_wait(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
