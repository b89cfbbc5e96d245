/* SPDX-License-Identifier: MIT */
/*
 * scenarios_ring_paths.c -- all calls of a ring, from all sources, at a capacity
 * that is drawn.
 *
 * A source is a worker, or what is none; its tasks number what they send in the
 * order of their calls.  So whatever was called, and whoever was called off, each
 * source's numbers arrive in ascending order at each door, each as it was
 * written down, once.  What is left when the tasks have ended is swept up by a
 * finalizer, which no cancel reaches: then accepted is received, and added taken.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum {
    WORKERS = 3,
    OUTSIDE = WORKERS, /* the last source; the others are workers */
    SOURCES = WORKERS + 1,
    SENDERS = 5,
    CAPACITY_MOST = 3,
    CALLS = 4,         /* of one task */
    BATCH = 3,
    NUMBERS = 2 * CALLS * BATCH + 1,
    WORD = 0xFFFE,     /* a typed message */
    COUNTED = 9,
};

AMBIT_RING_MESSAGE(word, uint64_t, WORD);

enum door { PLAIN, HOT, DOORS };

static const uint16_t plain_tags[] = {0, 1, 0x7FFF, WORD};
static const uint16_t hot_tags[] = {0xFFFF, 5};
static const uint16_t counted_tags[] = {COUNTED};

struct source {
    uint64_t next;                       /* number; this source's */
    int64_t accepted[DOORS];             /* this source's */
    struct tally shown[DOORS];           /* of them, by now */
    uint64_t due[DOORS], got[DOORS];     /* number, messages; the target's */
};

struct post {
    ambit_ring *ring;
    unsigned to;                         /* the worker that receives */
    struct source of[SOURCES];
    struct tally accepted[DOORS], received[DOORS];
    struct tally added, taken, refused, waits, told, gone, closed;
};

struct sender {
    struct post *post;
    unsigned source;
};

/* The value with this number: all its bits tell where it comes from. */
static uint64_t written(unsigned source, uint16_t tag, uint64_t number)
{
    uint64_t x = (number * SOURCES + source) << 16 | tag;
    return (x + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static enum door door_of(uint16_t tag)
{
    return tag == hot_tags[0] || tag == hot_tags[1] ? HOT : PLAIN;
}

static uint16_t draw_tag(void)
{
    unsigned i = ambit_choose(8);
    if (i < 6) {
        return i < 4 ? plain_tags[i] : hot_tags[i - 4];
    }
    uint16_t any = (uint16_t)ambit_choose(UINT16_MAX + 1);
    return any != COUNTED ? any : WORD;
}

/* --- send ------------------------------------------------------------------ */

/* What was accepted so far can be seen by now. */
static void shows(struct source *source, enum door door)
{
    int64_t more = source->accepted[door] - tally_get(&source->shown[door]);
    tally_add(&source->shown[door], more > 0 ? more : 0);
}

static void accepted(struct sender *s, uint16_t tag)
{
    s->post->of[s->source].accepted[door_of(tag)]++;
    tally_up(&s->post->accepted[door_of(tag)]);
}

static void answered(struct sender *s, bool late, int rc)
{
    always(rc >= 0 || rc == -EAGAIN || rc == -EPIPE || is_called_off(rc));
    always(!late || rc == -EPIPE || is_called_off(rc));
    if (rc == -EAGAIN) {
        tally_up(&s->post->refused);
    }
}

static int call(ambit_cx *cx, const struct post *post, unsigned way,
                uint16_t tag, uint64_t value)
{
    ambit_ring *ring = post->ring;
    switch (way) {
    case 0:
        return tag == WORD ? word_send(cx, ring, post->to, value)
                           : ambit_ring_send(cx, ring, post->to, tag, value);
    case 1:
        return tag == WORD ? word_try_send(ring, post->to, value)
                           : ambit_ring_try_send(ring, post->to, tag, value);
    default:
        return tag == WORD
                   ? word_try_send_direct(ring, post->to, value)
                   : ambit_ring_try_send_direct(ring, post->to, tag, value);
    }
}

static int sends_one(ambit_cx *cx, struct sender *s, unsigned way)
{
    struct source *source = &s->post->of[s->source];
    uint16_t tag = draw_tag();
    uint64_t value = written(s->source, tag, source->next++);
    bool late = tally_get(&s->post->closed) > 0;
    int rc = call(cx, s->post, way, tag, value);
    answered(s, late, rc);
    if (rc == 0) {
        accepted(s, tag);
        if (way != 1) {
            shows(source, door_of(tag));
        }
    }
    return rc;
}

/* The first ones of a batch are in it, the others never were. */
static int sends_batch(struct sender *s)
{
    struct source *source = &s->post->of[s->source];
    struct ambit_ring_message batch[BATCH];
    int count = 1 + (int)ambit_choose(BATCH);
    for (int i = 0; i < count; i++) {
        batch[i].tag = draw_tag();
        batch[i].value = written(s->source, batch[i].tag, source->next++);
    }
    bool late = tally_get(&s->post->closed) > 0;
    int rc = ambit_ring_try_send_many(s->post->ring, s->post->to, batch,
                                      (size_t)count);
    always(rc <= count && rc != 0);
    answered(s, late, rc > 0 && rc < count ? -EAGAIN : rc);
    for (int i = 0; i < rc; i++) {
        accepted(s, batch[i].tag);
    }
    shows(source, PLAIN);
    shows(source, HOT);
    return rc < 0 ? rc : 0;
}

/* Room is never the reason why an addition fails. */
static int adds_some(ambit_cx *cx, struct sender *s)
{
    uint64_t value = ambit_choose(4);
    bool late = tally_get(&s->post->closed) > 0;
    unsigned way = s->source == OUTSIDE ? 1 + ambit_choose(2) : ambit_choose(3);
    int rc = call(cx, s->post, way, COUNTED, value);
    always(rc != -EAGAIN);
    answered(s, late, rc);
    tally_add(&s->post->added, rc == 0 ? (int64_t)value : 0);
    return rc;
}

static void flushes(struct sender *s)
{
    ambit_ring_flush(s->post->ring);
    shows(&s->post->of[s->source], PLAIN);
    shows(&s->post->of[s->source], HOT);
}

static void goes(struct post *post)
{
    if (tally_up(&post->gone) == SENDERS - 1) {
        int rc = ambit_ring_close(post->ring);
        always(rc == 0 || rc == -EALREADY);
    }
}

static int sends_some(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    int rc = 0;
    always(ambit_ring_here(s->post->ring) == s->source);
    for (int i = 0; i < CALLS && !is_called_off(rc); i++) {
        unsigned way = ambit_choose(6);
        rc = way < 3    ? sends_one(cx, s, way)
             : way == 3 ? sends_batch(s)
                        : adds_some(cx, s);
        if (way == 5) {
            flushes(s);
        }
        if (!is_called_off(rc) && ambit_choose(3) == 0) {
            rc = ambit_yield(cx);
        }
    }
    goes(s->post);
    return is_called_off(rc) ? rc : 0;
}

/* A thread that is no worker sees to it that it is seen at once. */
static int sends_from_outside(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    always(ambit_ring_here(s->post->ring) == AMBIT_EXTERNAL);
    always(ambit_ring_send(cx, s->post->ring, 0, 1, 1) < 0);
    for (int i = 0; i < CALLS; i++) {
        unsigned way = 1 + ambit_choose(4);
        (void)(way < 3    ? sends_one(cx, s, way)
               : way == 3 ? sends_batch(s)
                          : adds_some(cx, s));
        flushes(s);
    }
    goes(s->post);
    return 0;
}

/* --- receive --------------------------------------------------------------- */

static void reads(struct post *post, enum door door,
                  const struct ambit_ring_message *m)
{
    unsigned from = m->from == AMBIT_EXTERNAL ? OUTSIDE : m->from;
    uint64_t typed = 0;
    always(from < SOURCES && m->from != OUTSIDE && door_of(m->tag) == door);
    uint64_t *due = &post->of[from].due[door];
    while (*due < NUMBERS && written(from, m->tag, *due) != m->value) {
        *due += 1; /* refused, or for the other door */
    }
    always(*due < NUMBERS);
    *due += 1;
    always(word_read(m, &typed) == (m->tag == WORD));
    always(m->tag != WORD || typed == m->value);
    post->of[from].got[door]++;
    tally_up(&post->received[door]);
}

static int tries(struct post *post, enum door door,
                 struct ambit_ring_message *ret_message)
{
    int64_t shown[SOURCES];
    for (unsigned i = 0; i < SOURCES; i++) {
        shown[i] = tally_get(&post->of[i].shown[door]);
    }
    int rc = door == HOT ? ambit_ring_try_next_hot(post->ring, ret_message)
                         : ambit_ring_try_next(post->ring, ret_message);
    for (unsigned i = 0; i < SOURCES; i++) {
        always(rc == 0 || (int64_t)post->of[i].got[door] >= shown[i]);
    }
    return rc;
}

static int waits(ambit_cx *cx, struct post *post, enum door door,
                 struct ambit_ring_message *ret_message)
{
    tally_up(&post->waits);
    return door == HOT ? ambit_ring_next_hot(cx, post->ring, ret_message)
                       : ambit_ring_next(cx, post->ring, ret_message);
}

static int reads_all(ambit_cx *cx, struct post *post, enum door door)
{
    struct ambit_ring_message message;
    int rc = 0;
    while (rc == 0 || rc == -EAGAIN) {
        rc = rc == 0 ? tries(post, door, &message)
                     : waits(cx, post, door, &message);
        if (rc == 0) {
            reads(post, door, &message);
        }
    }
    always(rc == -EPIPE || is_called_off(rc));
    if (rc == -EPIPE) {
        always(tally_get(&post->received[door]) >=
               tally_get(&post->accepted[door]));
        tally_up(&post->told);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int reads_plain(ambit_cx *cx, void *arg)
{
    return reads_all(cx, *(struct post **)arg, PLAIN);
}

static int reads_hot(ambit_cx *cx, void *arg)
{
    return reads_all(cx, *(struct post **)arg, HOT);
}

static int takes_sums(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    uint64_t sum = 0;
    int rc;
    do {
        sum = 0;
        tally_up(&post->waits);
        rc = ambit_ring_next_count(cx, post->ring, COUNTED, &sum);
        always((rc == 0) == (sum > 0));
        tally_add(&post->taken, (int64_t)sum);
    } while (rc == 0);
    if (rc == -EPIPE) {
        always(tally_get(&post->taken) >= tally_get(&post->added));
        tally_up(&post->told);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* --- what is left ---------------------------------------------------------- */

/* -EPIPE from all doors, or 0: not yet. */
static int sweep_once(struct post *post)
{
    struct ambit_ring_message message;
    uint64_t sum;
    int rc[DOORS], count_rc;
    for (enum door door = PLAIN; door < DOORS; door++) {
        while ((rc[door] = tries(post, door, &message)) == 0) {
            reads(post, door, &message);
        }
    }
    while ((count_rc = ambit_ring_try_next_count(post->ring, COUNTED, &sum)) ==
           0) {
        always(sum > 0);
        tally_add(&post->taken, (int64_t)sum);
    }
    return rc[PLAIN] == -EPIPE && rc[HOT] == -EPIPE ? count_rc : 0;
}

static void figures_agree(struct post *post)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats(post->ring, &stats);
    int64_t messages = tally_get(&post->accepted[PLAIN]) +
                       tally_get(&post->accepted[HOT]);
    for (enum door door = PLAIN; door < DOORS; door++) {
        always(tally_get(&post->accepted[door]) ==
               tally_get(&post->received[door]));
    }
    always(tally_get(&post->added) == tally_get(&post->taken));
    always((int64_t)stats.accepted == messages);
    always((int64_t)stats.received == messages);
    always((int64_t)stats.added == tally_get(&post->added));
    always((int64_t)stats.taken == tally_get(&post->added));
    /* The end of a source is news, too: at each of three doors. */
    always((int64_t)stats.doorbells <= tally_get(&post->waits) + 3 * SOURCES);
    /* A batch that the close cut short was not refused. */
    always((int64_t)stats.refused <= tally_get(&post->refused));
    always((int64_t)stats.refused == tally_get(&post->refused) ||
           tally_get(&post->closed) > 0);
}

static int sweeps(ambit_cx *cx, void *arg)
{
    struct post *post = arg;
    int rc = ambit_ring_close(post->ring);
    always(rc == 0 || rc == -EALREADY);
    while (sweep_once(post) != -EPIPE) {
        always(ambit_sleep(cx, ambit_us(1)) == 0);
    }
    figures_agree(post);
    return 0;
}

/* --- together -------------------------------------------------------------- */

static int spawn_reader(ambit_region *s, ambit_task_fn *fn, struct post *post)
{
    return ambit_spawn_with(s, fn, &post, .placement = AMBIT_PINNED,
                            .worker = post->to) == 0;
}

static int spawn_all(ambit_region *s, struct post *post)
{
    struct sender outside = {post, OUTSIDE};
    int spawned = spawn_reader(s, reads_plain, post) +
                  spawn_reader(s, reads_hot, post) +
                  spawn_reader(s, takes_sums, post);
    for (unsigned i = 1; i < SENDERS; i++) { /* two of them on one worker */
        struct sender sender = {post, (post->to + i) % WORKERS};
        spawned += ambit_spawn_with(s, sends_some, &sender,
                                    .placement = AMBIT_PINNED,
                                    .worker = sender.source) == 0;
    }
    return spawned + (ambit_spawn_with(s, sends_from_outside, &outside,
                                       .tier = AMBIT_BLOCKING) == 0);
}

/* A cancel, a close, or neither, whenever it is drawn. */
static bool interfere(ambit_cx *cx, ambit_region *s, struct post *post)
{
    unsigned what = ambit_choose(3);
    for (unsigned n = ambit_choose(5); n > 0; n--) {
        (void)ambit_yield(cx);
    }
    if (what == 1) {
        int rc = ambit_ring_close(post->ring);
        always(rc == 0 || rc == -EALREADY);
        tally_up(&post->closed);
    } else if (what == 2) {
        ambit_cancel(s, "enough");
    }
    return what == 2;
}

static int ring_all_calls(ambit_cx *cx, void *arg)
{
    struct post post = {.ring = NULL}, *here = &post;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &post.ring,
                             .capacity = 1 + ambit_choose(CAPACITY_MOST),
                             .hot = hot_tags, .hot_len = 2,
                             .counted = counted_tags, .counted_len = 1);
        want(rc == 0);
        if (rc < 0 || ambit_defer_async(outer, sweeps, here) < 0) {
            break;
        }
        post.to = ambit_ring_here(post.ring);
        bool cancelled = false;
        ambit_scope (cx, s, &rc) {
            if (spawn_all(s, here) < 3 + SENDERS) {
                ambit_cancel(s, "somebody would wait for ever");
            }
            cancelled = interfere(cx, s, here);
        }
        want(rc == 0 && (cancelled || tally_get(&post.told) == 3));
    }
    return rc;
}

SCENARIOS(ring_paths,
    {"ring_all_calls", ring_all_calls, WORKERS, CORE | MANY,
     "RING-BITS-1 RING-ACCEPT-1 RING-CLOSE-1 RING-CLOSE-2 RING-END-1 "
     "RING-ORDER-1 RING-FLUSH-1 RING-HOT-1 RING-SUM-1 RING-SUM-2 "
     "RING-ROOM-1"});
