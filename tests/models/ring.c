/* SPDX-License-Identifier: MIT */
/*
 * ring.c -- messages from two workers to a third, that waits: none is lost, and
 * no cell is written while it is read.
 *
 * Worker 0 is thread 1, the target.  Its notes are delivered while its task is
 * parked, as between tasks.
 *
 * With: src/sync/ring_send.c src/sync/ring_receive.c src/sync/line.c
 * Fault: src/sync/ring_receive.c s/^        rc = take(door, ret_item);/        rc = -EAGAIN;/
 * Fault: src/sync/ring_receive.c s/    if (!served) {/    if (!served \&\& false) {/
 * Fault: src/sync/ring_send.c s/return seems_to_have_room(stream, units);/return true;/
 * Fault: src/sync/ring_send.c s/    return is_to_be_rung(stream->door);/    return false;/
 */
#include "src/sync/ring.h"

#include "tests/models/kit.h"
#include "tests/models/no_await.h"

#define WORKERS 3

static struct ring ring;
static struct ring_door door;
static struct ring_source sources[WORKERS + 1];
static struct ring_stream streams[WORKERS + 1];
static struct ambit_ring_message cells[WORKERS + 1][2];
static struct task task;
static struct bell bell;
static struct note *posted; /* or NULL */
static bool woken;
static int accepted[THREADS];
static uint64_t got[4];
static int count;

/* --- the rooms around it -------------------------------------------------- */

/* One note only can be under way to the target: its door's. */
void worker_post(struct worker *worker, struct note *note)
{
    MUST(worker == &kit_workers[1] && note == &door.note);
    MUST(posted == NULL);
    posted = note;
    bell_ring(&bell);
}

void task_wake(struct task *whom, int64_t value)
{
    MUST(whom == &task && worker_self == &kit_workers[1] && !woken);
    task.wake_value = value;
    woken = true;
}

int64_t park(struct task *whom, enum park_kind kind, park_abort_fn *abort_fn,
             void *arg)
{
    (void)kind, (void)abort_fn, (void)arg;
    MUST(whom == &task);
    while (!woken) {
        bell_wait(&bell);
        struct note *note = posted;
        posted = NULL;
        note->deliver(worker_self, note);
    }
    woken = false;
    return task.wake_value;
}

int park_check_slow(struct task *whom)
{
    (void)whom;
    return 0;
}

/* --- set up --------------------------------------------------------------- */

static void begin(uint64_t capacity)
{
    kit_begin();
    memset(&ring, 0, sizeof ring);
    memset(&door, 0, sizeof door);
    memset(sources, 0, sizeof sources);
    memset(streams, 0, sizeof streams);
    memset(accepted, 0, sizeof accepted);
    memset(got, 0, sizeof got);
    memset(&bell, 0, sizeof bell);
    posted = NULL;
    woken = false;
    count = 0;
    ring.runtime = &kit_runtime;
    ring.workers = WORKERS;
    ring.kinds = 1;
    ring.mask = (uint32_t)capacity - 1;
    ring.doors = &door;
    ring.sources = sources;
    atomic_init(&ring.closed, false);
    door.ring = &ring;
    door.worker = &kit_workers[1];
    door.streams = streams;
    door.note.deliver = ring_heard;
    atomic_init(&door.bell, RING_QUIET);
    atomic_init(&door.rung, 0);
    atomic_init(&door.waiting.lock.held, 0);
    for (unsigned i = 0; i <= WORKERS; i++) {
        kit_workers[i + 1].index = i;
        sources[i].ring = &ring;
        sources[i].from = i < WORKERS ? (uint16_t)i : AMBIT_EXTERNAL;
        atomic_init(&sources[i].refused, 0);
        streams[i].door = &door;
        streams[i].source = &sources[i];
        streams[i].cells = cells[i];
        streams[i].room = capacity;
        streams[i].own = i == 0;
        atomic_init(&streams[i].tail_pub, 0);
        atomic_init(&streams[i].head, 0);
    }
}

static void begin_1(void)
{
    begin(1);
}

static void begin_2(void)
{
    begin(2);
}

/* --- threads -------------------------------------------------------------- */

static ambit_ring *public(void)
{
    return (ambit_ring *)(void *)&ring;
}

static void fetch(void)
{
    struct ambit_ring_message message;
    MUST(ambit_ring_next(&task.cx, public(), &message) == 0);
    got[count++] = message.value;
}

static void fetches_one(void)
{
    fetch();
}

static void fetches_two(void)
{
    fetch();
    fetch();
}

static void fetches_what_is_there(void)
{
    struct ambit_ring_message message;
    fetch();
    if (ambit_ring_try_next(public(), &message) == 0) {
        got[count++] = message.value;
    }
}

static void send(uint64_t value)
{
    int rc = ambit_ring_try_send_direct(public(), 0, 1, value);
    MUST(rc == 0 || rc == -EAGAIN);
    accepted[explore_self()] += rc == 0;
}

static void sends_one(void)
{
    send(explore_self());
}

static void sends_two(void)
{
    send(1);
    send(2);
}

/* --- what must hold ------------------------------------------------------- */

static void one_came(void)
{
    MUST(count == 1 && got[0] == 2);
}

static void two_came(void)
{
    MUST(count == 2 && got[0] == 1 && got[1] == 2);
}

static void both_came(void)
{
    MUST(count == 2 && got[0] + got[1] == 2 + 3);
}

/* The second one was refused, or came, or is still there. */
static void first_came(void)
{
    struct ambit_ring_message message;
    worker_self = &kit_workers[1];
    MUST(got[0] == 1);
    if (count == 1 && accepted[2] == 2) {
        MUST(ambit_ring_try_next(public(), &message) == 0);
        got[count++] = message.value;
    }
    MUST(count == accepted[2] && (count == 1 || got[1] == 2));
}

static const struct scenario scenarios[] = {
    {"a message to one who waits",
     begin_2,
     {fetches_one, sends_one},
     one_came,
     4,
     2},
    {"two messages", begin_2, {fetches_two, sends_two}, two_came, 3, 2},
    {"two sources",
     begin_2,
     {fetches_two, sends_one, sends_one},
     both_came,
     2,
     1},
    {"a cell used again",
     begin_1,
     {fetches_what_is_there, sends_two},
     first_came,
     4,
     2},
};

KIT_MAIN(scenarios)
