/* SPDX-License-Identifier: MIT */
/*
 * refused_test.c -- each call that may need memory says so when there is none.
 *
 * The n-th request inside one call is refused, for every n: the call answers
 * -ENOMEM and has had no effect, and when none is refused it answers 0.
 */
#include "tests/fail/refuse.h"

#if !REFUSE_WORKS

Test(refused, a_tool_has_its_own_malloc)
{
}

#else

/* What the calls share. */
struct room {
    ambit_region *region;
    struct count finalized, ran;
    struct ambit_group group; /* open */
    ambit_token *token;
};

static int ends_at_once(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 0;
}

static int step_once(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return AMBIT_READY;
}

static void finalize(void *arg)
{
    count_up(arg);
}

static int finalize_async(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(arg);
    return 0;
}

static int branch(ambit_cx *cx, void *arg, void *ret)
{
    (void)cx, (void)arg, (void)ret;
    return 0;
}

/* --- the calls ------------------------------------------------------------ */

static int call_spawn(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return ambit_spawn(room->region, ends_at_once, &(int){1});
}

static int call_spawn_fat(ambit_cx *cx, struct room *room)
{
    (void)cx;
    static char fat[4096];
    return ambit_spawn(room->region, ends_at_once, &fat);
}

static int call_spawn_poll(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return ambit_spawn_poll(room->region, step_once, &(int){1});
}

static int call_defer(ambit_cx *cx, struct room *room)
{
    (void)cx;
    int rc = ambit_defer(room->region, finalize, &room->finalized);
    count_add(&room->ran, rc == 0);
    return rc;
}

static int call_defer_async(ambit_cx *cx, struct room *room)
{
    (void)cx;
    int rc = ambit_defer_async(room->region, finalize_async, &room->finalized);
    count_add(&room->ran, rc == 0);
    return rc;
}

static int call_scope(ambit_cx *cx, struct room *room)
{
    (void)room;
    struct ambit_scope_block block;
    const struct ambit_scope_options options = {.size_ = sizeof options,
                                                .ops_max = 5};
    int rc = ambit_scope_open(cx, &block, &options);
    return rc < 0 ? rc : ambit_scope_close(cx, &block, 0);
}

static int call_mask(ambit_cx *cx, struct room *room)
{
    (void)room;
    struct ambit_mask_block block;
    int rc = ambit_mask_begin(cx, &block, NULL);
    ambit_mask_end(&block);
    return rc;
}

static int allocate(struct room *room, size_t size)
{
    void *memory = NULL;
    int rc = ambit_alloc(room->region, size, &memory);
    WANT((memory != NULL) == (rc == 0));
    if (rc == 0) {
        memset(memory, 1, size);
        ambit_free(room->region, memory, size);
    }
    return rc;
}

static int call_alloc(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return allocate(room, 1000);
}

static int call_alloc_large(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return allocate(room, 100000);
}

static int call_ref(ambit_cx *cx, struct room *room)
{
    (void)cx;
    ambit_ref ref = {0};
    int rc = ambit_ref_make(room->region, room, sizeof *room, &ref);
    return rc < 0 ? rc : ambit_ref_drop(room->region, ref);
}

static int call_group(ambit_cx *cx, struct room *room)
{
    (void)room;
    struct ambit_group group;
    int rc = ambit_group_open(cx, &group, NULL);
    return rc < 0 ? rc : ambit_group_close(cx, &group, 0);
}

static int call_group_spawn(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return ambit_group_spawn(&room->group, (struct ambit_branch){.fn = branch},
                             NULL);
}

static int call_join(ambit_cx *cx, struct room *room)
{
    (void)room;
    struct ambit_branch b = {.fn = branch};
    return ambit_join2(cx, b, b);
}

static int call_bracket(ambit_cx *cx, struct room *room)
{
    static const struct ambit_bracket calls = {ends_at_once, ends_at_once,
                                               finalize_async};
    int64_t before = count_get(&room->finalized);
    int rc = ambit_bracket(cx, &calls, &room->finalized);
    WANT_EQ(count_get(&room->finalized) - before, rc == 0);
    count_add(&room->ran, rc == 0);
    return rc;
}

static int call_token(ambit_cx *cx, struct room *room)
{
    (void)cx;
    ambit_token *child = NULL;
    int rc = ambit_token_create(room->token, &child);
    WANT((child != NULL) == (rc == 0));
    ambit_token_unref(child);
    return rc;
}

static int call_token_bind(ambit_cx *cx, struct room *room)
{
    (void)cx;
    return ambit_token_bind(room->token, room->region);
}

static const struct {
    const char *name;
    int (*call)(ambit_cx *cx, struct room *room);
    bool free_without_limits; /* needs memory in a region with limits only */
} calls[] = {
    {"spawn", call_spawn, false},
    {"spawn with a large argument", call_spawn_fat, false},
    {"spawn_poll", call_spawn_poll, false},
    {"defer", call_defer, false},
    {"defer_async", call_defer_async, false},
    {"scope", call_scope, false},
    {"mask", call_mask, true},
    {"alloc", call_alloc, false},
    {"alloc, large", call_alloc_large, false},
    {"ref_make", call_ref, false},
    {"group", call_group, false},
    {"group_spawn", call_group_spawn, false},
    {"join2", call_join, false},
    {"bracket", call_bracket, false},
    {"token_create", call_token, false},
    {"token_bind", call_token_bind, false},
};

/* --- each of them, each request ------------------------------------------- */

struct at {
    size_t call;
    int64_t request;
    bool limited;
    bool was_met; /* there was such a request */
};

static void nothing_is_used(ambit_region *region, const char *name)
{
    const enum ambit_limit kinds[] = {AMBIT_LIMIT_HEAP, AMBIT_LIMIT_TASKS,
                                      AMBIT_LIMIT_CHILDREN};
    bool none = ambit_region_bytes(region) == 0;
    for (size_t i = 0; i < 3; i++) {
        none &= ambit_region_used(region, kinds[i]) == 0;
    }
    if (!none) {
        fprintf(stderr, "%s: something stayed behind\n", name);
    }
    WANT(none);
}

static void refuse_one(ambit_cx *cx, struct room *room, struct at *at)
{
    const char *name = calls[at->call].name;
    refuse_at(at->request);
    int rc = calls[at->call].call(cx, room);
    at->was_met = count_get(&asked) >= at->request;
    refuse_at(0);
    if (rc != (at->was_met ? -ENOMEM : 0)) {
        fprintf(stderr, "%s, request %lld: %d\n", name, (long long)at->request,
                rc);
    }
    WANT_EQ(rc, at->was_met ? -ENOMEM : 0);
}

/* The group and its scope are there before anything is refused. */
static int refuse_in_a_region(ambit_cx *cx, void *arg)
{
    struct at *at = arg;
    struct room room = {0};
    int rc = 0;
    const struct ambit_scope_options limits = {
        .size_ = sizeof limits, .heap_max = 1 << 20, .tasks_max = 100,
        .children_max = 100};
    WANT_EQ(ambit_token_create(NULL, &room.token), 0);
    rc = ambit_group_open(cx, &room.group, at->limited ? &limits : NULL);
    WANT_EQ(rc, 0);
    room.region = room.group.region;
    refuse_one(cx, &room, at);
    if (at->was_met) {
        nothing_is_used(room.region, calls[at->call].name);
    }
    rc = ambit_group_close(cx, &room.group, 0);
    ambit_token_unref(room.token);
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&room.finalized), count_get(&room.ran));
    return 0;
}

static void refuse_each_request(size_t call, bool limited)
{
    struct at at = {call, 0, limited, true};
    while (at.was_met && count_get(&spec_failures) == 0) {
        at.request++;
        int64_t before = count_get(&live);
        WANT_EQ(spec_run(refuse_in_a_region, &at, .workers = 1), 0);
        WANT(at.request == 1 || count_get(&live) == before);
    }
    /* In the release build the slab is in line: no door, and no request seen. */
    WANT(at.request > 1 || SLAB_QUICK ||
         (!limited && calls[call].free_without_limits));
}

/* Goal: a call that finds no memory says so and has done nothing.
 * Method: each call, each of its requests, with limits around it and without. */
Spec(RT_LEAK_1, each_call_tells_that_memory_is_short)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        refuse_each_request(i, false);
        refuse_each_request(i, true);
    }
    spec_end("RT_LEAK_1");
}

/* --- notes to other workers ----------------------------------------------- */

struct far {
    ambit_region *region;
    struct count began;
    int refused, granted;
};

static int set_deadline_twice(ambit_cx *cx, void *arg)
{
    struct far *far = *(struct far **)arg;
    (void)cx;
    count_up(&far->began);
    refuse_at(1);
    far->refused = ambit_set_deadline(far->region, ambit_after(ambit_s(1000)));
    refuse_at(0);
    far->granted = ambit_set_deadline(far->region, ambit_after(ambit_ms(1)));
    return 0;
}

static int deadline_from_afar(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct far far = {0};
    struct far *it = &far;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        far.region = s;
        spawn_elsewhere(s, set_deadline_twice, &it, &far.began);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    WANT_EQ(far.refused, -ENOMEM);
    WANT_EQ(far.granted, 0);
    return 0;
}

/* Goal: a deadline from another worker needs memory, and says when there is
 * none.  Method: the first attempt is refused, the second is not. */
Spec(REG_BUDGET_3, a_deadline_from_afar_tells_that_memory_is_short)
{
    spec_on(2, deadline_from_afar);
    spec_end("REG_BUDGET_3");
}

/* --- the region of an actor ------------------------------------------------ */

struct short_of {
    int scope, after;
    struct count passed, reason;
};

static int short_handle(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    struct short_of *s = *(struct short_of *const *)message;
    bool last = size > sizeof s;
    memcpy(state, &s, sizeof s);
    refuse_at(1);
    if (last) {
        (void)ambit_cx_region(cx);
        count_up(&s->passed);
    }
    ambit_scope (cx, inner, &s->scope) {
        count_up(&s->passed);
    }
    ambit_scope (cx, inner, &s->after) {
    }
    return AMBIT_CONTINUE;
}

static void short_terminate(ambit_cx *cx, void *state, int reason)
{
    (void)cx;
    count_set(&(*(struct short_of **)state)->reason, reason);
}

static const struct ambit_actor_type short_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .state_size = sizeof(struct short_of *),
    .handle = short_handle,
    .terminate = short_terminate,
};

static int region_when_short(ambit_cx *cx, void *arg)
{
    struct short_of s[2] = {{0}};
    (void)arg;
    for (int last = 0; last < 2; last++) {
        struct short_of *message[2] = {&s[last], NULL};
        ambit_actor_ref ref = {0};
        int rc = 0;
        ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_actor_start(cx, all, &short_type, NULL, 0, &ref), 0);
            WANT_EQ(ambit_send(cx, ref, message, sizeof *message << last), 0);
            WANT_EQ(ambit_actor_stop(ref), 0);
        }
        refuse_at(0);
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&s[last].passed), 0);
    }
    WANT_EQ(s[0].scope, -ENOMEM);
    WANT_EQ(s[0].after, 0);
    WANT_EQ(count_get(&s[0].reason), 0);
    WANT_EQ(count_get(&s[1].reason), -EOWNERDEAD);
    return 0;
}

struct holder {
    struct ambit_mutex mutex;
    int refused, again;
};

static int holder_handle(ambit_cx *cx, void *state, const void *message,
                         size_t size)
{
    struct holder *h = *(struct holder *const *)message;
    (void)state;
    (void)size;
    refuse_at(1);
    h->refused = ambit_mutex_hold(cx, &h->mutex);
    h->again = ambit_mutex_hold(cx, &h->mutex);
    ambit_mutex_unlock(&h->mutex);
    return AMBIT_STOP;
}

static const struct ambit_actor_type holder_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .handle = holder_handle,
};

static int hold_when_short(ambit_cx *cx, void *arg)
{
    struct holder h = {.mutex = AMBIT_MUTEX_INIT};
    struct holder *message = &h;
    ambit_actor_ref ref = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_actor_start(cx, all, &holder_type, NULL, 0, &ref), 0);
        WANT_EQ(ambit_send(cx, ref, &message, sizeof message), 0);
    }
    refuse_at(0);
    WANT_EQ(rc, 0);
    WANT_EQ(h.refused, -ENOMEM);
    WANT_EQ(h.again, 0);
    ambit_mutex_fini(&h.mutex);
    return 0;
}

/* Goal: an actor without memory for its region goes on where it can be told.
 * Method: the first request for it is refused; to a scope, to a question that has
 * no other answer, and to a mutex, which is not locked then. */
Spec(SRV_REGION_2, a_region_without_memory_is_told_or_a_panic)
{
    spec_on(1, region_when_short);
    spec_on(1, hold_when_short);
    spec_end("SRV_REGION_2");
}

#endif
