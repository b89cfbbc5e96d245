/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c -- senders, one receiver, and its end: each message once.
 *
 * The receiver is a thread that runs a turn for each time the actor's task was
 * queued; senders and receiver run the production code from reserve to
 * dispose.  Only the life is a dummy: it has no region to close.
 *
 * With: actors/mailbox.c actors/actor.c actors/send.c actors/dead.c
 * With: actors/lot.c actors/message.c regions/cancel.c src/task.c
 * With: src/record.c
 * Fault: actors/mailbox.c / bool mailbox_turn_end/,/^}/s/tail_load(mailbox) == head/true/
 * Fault: actors/mailbox.c / void chain/,/^}/s/&message->next, NULL/\&message->next, message/
 * Fault: actors/mailbox.c / int mailbox_enter/,/^}/s/with_turn(word, TURN_BUSY)/word/
 * Fault: actors/dead.c /^void actor_close/,/^}/s/actor_drain_dead(actor, /(void)(/
 * Fault: actors/mailbox.c /^static bool is_last_use/,/^}/s/credits_max/credits_max - 1/
 */
#include "actors/actor.h"

#include "tests/models/kit.h"
#include "tests/models/no_await.h"

#define MESSAGES 4

static struct actor *actor;
static ambit_actor_ref ref;
static struct life *life;
static struct bell turns;
static int accepted[MESSAGES];       /* by the one sender of each */
static int handled[MESSAGES], disposed[MESSAGES];
static bool is_gone, is_queued;
static struct task senders[THREADS];
static struct bell sender_bells[THREADS];

/* --- the rooms around it -------------------------------------------------- */

void worker_fresh(struct worker *worker, struct task *task, bool alert)
{
    (void)worker, (void)alert;
    MUST(task == &actor->task);
    MUST(!is_queued && task_is_at_large(task)); /* one turn at a time */
    is_queued = true;
    bell_ring(&turns);
}

void worker_wakes(struct worker *worker, struct task *task)
{
    worker_fresh(worker, task, false);
}

void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind)
{
    (void)worker, (void)kind;
    if (link == &actor->task.link) {
        bell_ring(&turns);
        explore_yield(); /* behind all that is queued */
        return;
    }
    for (unsigned i = 1; i < THREADS; i++) {
        if (link == &senders[i].link) {
            bell_ring(&sender_bells[i]);
        }
    }
}

void worker_offer(struct worker *worker, struct task *task)
{
    worker_post_task(worker, &task->link, NOTE_STARTS);
}

void worker_ready(struct worker *worker, struct task *task)
{
    (void)worker, (void)task;
    model_fail("nobody here wakes a task of its own worker");
}

int64_t park(struct task *task, enum park_kind kind, park_abort_fn *abort_fn,
             void *arg)
{
    (void)kind, (void)abort_fn, (void)arg;
    bell_wait(&sender_bells[explore_self()]);
    return task->wake_value;
}

struct worker *runtime_pick_worker(struct runtime *runtime)
{
    (void)runtime;
    model_fail("every thread here is a worker");
    return NULL;
}

void park_abort(struct task *task)
{
    (void)task;
}

bool join_ended(struct task *task)
{
    (void)task;
    return false;
}

bool blocking_cancel(struct blocking_pool *pool, struct blocking_job *job)
{
    (void)pool, (void)job;
    return false;
}

int reply_resolve(ambit_reply reply, int result, const void *value,
                  size_t size, bool late_counts)
{
    (void)reply, (void)result, (void)value, (void)size, (void)late_counts;
    return 0;
}

void life_cancel(struct actor *of, const char *text)
{
    (void)of, (void)text;
}

/* The last of a life, as life.c and a keeper do it. */
void life_end(struct actor *of, int reason)
{
    of->life->reason = reason;
}

void life_over(struct actor *of)
{
    spin_lock(&of->mailbox.lock);
    of->life = NULL;
    spin_unlock(&of->mailbox.lock);
    actor_flush_credits(of);
    task_leave_worker(&of->task);
    actor_close(of);
}

static void gone(struct task *task)
{
    MUST(!is_gone);
    is_gone = true;
    memory_free_but(CONTAINER_OF(task, struct actor, task), SLAB_KEPT_SIZE);
}

const struct task_hooks life_hooks = {.gone = gone};

/* --- the actor ------------------------------------------------------------ */

static int body_of(struct message *message)
{
    return *(int *)message_body(message);
}

static int handle(struct actor *of, ambit_cx *cx, struct message *message)
{
    (void)of, (void)cx;
    handled[body_of(message)]++;
    return 0;
}

static int idle(struct actor *of, ambit_cx *cx)
{
    (void)of, (void)cx;
    return 0;
}

static void dispose(struct actor *of, struct message *message)
{
    (void)of;
    disposed[body_of(message)]++;
}

static const struct behaviour behaviour = {
    .handle = handle,
    .idle = idle,
    .dispose = dispose,
};

static void begin(uint32_t credits)
{
    struct actor_plan plan = {.behaviour = &behaviour, .mailbox_max = credits,
                              .has_idle = true};
    kit_begin();
    memset(accepted, 0, sizeof accepted);
    memset(handled, 0, sizeof handled);
    memset(disposed, 0, sizeof disposed);
    memset(&turns, 0, sizeof turns);
    memset(sender_bells, 0, sizeof sender_bells);
    is_gone = is_queued = false;
    MUST(actor_make(&kit_runtime, &plan, NULL, &actor) == 0);
    life = memory_alloc(sizeof *life);
    memset(life, 0, sizeof *life);
    life->inited = true;
    actor->life = life;
    for (unsigned i = 1; i < THREADS; i++) {
        task_init(&senders[i], &kit_runtime, &actor->self, NULL);
        task_enter_worker(&senders[i], &kit_workers[i]);
    }
    ref = actor_ref(actor);
    bell_ring(&turns);
}

static void begin_roomy(void)
{
    begin(2);
}

static void begin_narrow(void)
{
    begin(1);
}

static struct ambit_permit taken;

/* The only credit is away, and somebody waits for it. */
static void begin_taken(void)
{
    begin(1);
    MUST(ambit_try_reserve(ref, sizeof(int), &taken) == 0);
}

/* Idle from the start: most of a life. */
static void begin_idle(void)
{
    begin(2);
    turns.rings = 0;
    MUST(mailbox_turn_end(&actor->mailbox, 0));
}

/* --- threads -------------------------------------------------------------- */

static void receiver(void)
{
    for (;;) {
        bell_wait_idle(&turns);
        MUST(!is_gone);
        is_queued = false;
        task_enter_worker(&actor->task, worker_self);
        MUST(actor_turn(&actor->task) == TASK_DORMANT);
    }
}

static void send(int number)
{
    accepted[number] = ambit_try_send(ref, &number, sizeof number) == 0;
}

static void sender_0(void)
{
    send(0);
}

static void sender_1(void)
{
    send(1);
}

static void sender_01(void)
{
    send(0);
    send(1);
}

static void send_waiting(int number)
{
    struct sending sending;
    int rc = sending_begin(worker_self, ref, sizeof number,
                           &senders[explore_self()], false, &sending);
    if (rc == 0) {
        memcpy(message_body(sending.message), &number, sizeof number);
        accepted[number] = sending_end(&sending) == 0;
    } else {
        MUST(rc == -EPIPE || rc == -ESTALE);
    }
}

static void waiting_0(void)
{
    send_waiting(0);
}

static void waiting_1(void)
{
    send_waiting(1);
}

/* In two steps, the receiver idle or not. */
static void committer_1(void)
{
    struct ambit_permit permit;
    if (ambit_try_reserve(ref, sizeof(int), &permit) == 0) {
        *(int *)permit.message = 1;
        accepted[1] = ambit_commit(&permit) == 0;
    }
}

/* Undertakes to start the receiver, and has nothing for it. */
static void dropper(void)
{
    struct sending sending;
    if (sending_begin(worker_self, ref, sizeof(int), NULL, true, &sending) ==
        0) {
        sending_drop(&sending);
    }
}

static void aborter(void)
{
    struct ambit_permit permit;
    if (ambit_try_reserve(ref, sizeof(int), &permit) == 0) {
        ambit_abort(&permit);
    }
}

static void stopper(void)
{
    (void)ambit_actor_stop(ref);
}

/* --- what must hold ------------------------------------------------------- */

static void all_handled(void)
{
    for (int i = 0; i < MESSAGES; i++) {
        MUST(handled[i] == accepted[i]);
        MUST(disposed[i] == 0);
    }
    MUST(mailbox_taken(&actor->mailbox) == 0);
}

static void two_handled(void)
{
    all_handled();
    MUST(accepted[0] == 1 && accepted[1] == 1);
}

static void ended(void)
{
    for (int i = 0; i < MESSAGES; i++) {
        MUST(handled[i] + disposed[i] <= 1);
        MUST(handled[i] + disposed[i] >= accepted[i]);
    }
    MUST(is_gone);
}

static void ended_but_for_one(void)
{
    MUST(!is_gone && !accepted[0]);
    ambit_abort(&taken);
    ended();
}

static const struct scenario scenarios[] = {
    {"one sender, twice, to a turn",
     begin_roomy,
     {receiver, sender_01},
     two_handled,
     2,
     2},
    {"one sender, twice", begin_idle, {receiver, sender_01}, two_handled, 2, 1},
    {"two senders",
     begin_idle,
     {receiver, sender_0, sender_1},
     two_handled,
     2,
     1},
    {"at once, and in two steps",
     begin_idle,
     {receiver, sender_0, committer_1},
     two_handled,
     2,
     1},
    {"started for nothing",
     begin_idle,
     {receiver, dropper, sender_0},
     all_handled,
     2,
     1},
    {"one credit, two who wait",
     begin_narrow,
     {receiver, waiting_0, waiting_1},
     two_handled,
     2,
     1},
    {"an abort lets the next in",
     begin_narrow,
     {receiver, aborter, waiting_0},
     all_handled,
     2,
     1},
    {"a stop and a send",
     begin_roomy,
     {receiver, stopper, sender_0},
     ended,
     2,
     1},
    {"a stop and one who waits",
     begin_taken,
     {receiver, stopper, waiting_0},
     ended_but_for_one,
     2,
     1},
};

KIT_MAIN(scenarios)
