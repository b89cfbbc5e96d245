/* SPDX-License-Identifier: MIT */
/*
 * campaign.c -- the ways to run a scenario, on the explorer's own pieces.
 */
#include "tests/lab/conduct.h"

#include <stdlib.h>
#include <unistd.h>

#define PAIRS_MAX 3000
#define WAITS_MAX_S 240 /* for the real system; more is a hang */
/* In search of what the real system came to.  The rarest outcome that is known
 * came once in 50,000 runs of the lab, and once in 4,000 of the real system. */
#define LOOKS_MAX 400000

/* --- schedules ------------------------------------------------------------- */

static void explored(struct figures *ret, const struct ambit_exploration *e,
                     double began)
{
    ret->runs += e->runs;
    ret->points += e->points;
    ret->schedules += e->schedules;
    ret->outcomes = e->outcomes > ret->outcomes ? e->outcomes : ret->outcomes;
    ret->complete = e->complete;
    ret->seconds += now_s() - began;
    if (e->failed && !ret->failed) {
        ret->failed = true;
        snprintf(ret->text, sizeof ret->text, "%s; AMBIT_REPLAY='%.400s'",
                 e->text, e->replay);
    }
}

static void run_seeds(const struct scenario *s, uint64_t size,
                      struct figures *ret, struct op_table *table)
{
    struct ambit_exploration e;
    double began = now_s();
    disturbed = false;
    size *= (s->flags & MANY) != 0 ? 5 : 1;
    if ((s->flags & STOPS) != 0) {
        CAMPAIGN(.e.kernel.may_fail = true);
        conduct(&c, seeds_body);
        return;
    }
    ambit_explore(s->fn, NULL, &e, .name = s->name, .workers = s->workers,
                  .seeds = size - size / 2);
    explored(ret, &e, began);
    began = now_s();
    if (size > 1 && !ret->failed) {
        ambit_explore(s->fn, NULL, &e, .name = s->name, .workers = s->workers,
                      .seeds = size / 2, .search = AMBIT_SEARCH_PCT,
                      .depth = 3, .first_seed = 1000000);
        explored(ret, &e, began);
    }
}

static void run_every(const struct scenario *s, uint64_t size,
                      struct figures *ret, struct op_table *table)
{
    struct ambit_exploration e;
    double began = now_s();
    (void)table;
    disturbed = false;
    ret->skipped = (s->flags & SMALL) == 0;
    if (!ret->skipped) {
        ambit_explore(s->fn, NULL, &e, .name = s->name, .workers = s->workers,
                      .search = AMBIT_SEARCH_EXHAUSTIVE, .preemptions = 2,
                      .plain_kernel = true, .runs_max = size * 10);
        explored(ret, &e, began);
    }
}

/* A random walk that does not choose among ready tasks. */
struct ordered {
    struct lab_picker picker;
    struct random_picker random;
};

static unsigned ordered_choose(struct lab_picker *picker, enum lab_choice what,
                               unsigned n, const uint32_t *ids)
{
    struct lab_picker *random =
        &CONTAINER_OF(picker, struct ordered, picker)->random.picker;
    return what == LAB_READY ? 0 : random->choose(random, what, n, ids);
}

static void order_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t seed = 1; seed <= c->size; seed++) {
        struct ordered ordered = {.picker = {ordered_choose, NULL}};
        random_picker_init(&ordered.random, seed);
        run_once(e, seed, &ordered.picker);
    }
}

static void run_order(const struct scenario *s, uint64_t size,
                      struct figures *ret, struct op_table *table)
{
    CAMPAIGN();
    disturbed = false;
    ret->skipped = (s->flags & ORDERED) == 0;
    if (!ret->skipped) {
        in_order = true;
        conduct(&c, order_body);
        in_order = false;
    }
    if (ret->failed) {
        size_t len = strlen(ret->text);
        snprintf(ret->text + len, sizeof ret->text - len, " AMBIT_IN_ORDER=1");
    }
}

static void twice_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t seed = 1; seed <= c->size - c->size / 2; seed++) {
        run_base(e, seed);
        uint64_t print = e->shared->fingerprint;
        run_base(e, seed);
        c->ret->places++;
        if (e->shared->fingerprint != print) {
            snprintf(e->shared->text, sizeof e->shared->text,
                     "seed %llu twice: two fingerprints",
                     (unsigned long long)seed);
            e->shared->failed = true;
            return;
        }
        c->ret->hits++;
    }
}

static void run_twice(const struct scenario *s, uint64_t size,
                      struct figures *ret, struct op_table *table)
{
    CAMPAIGN();
    disturbed = false;
    conduct(&c, twice_body);
}

/* --- cancels --------------------------------------------------------------- */

static uint64_t suspensions_of(struct exploration *e, uint64_t base)
{
    e->shared->inject = (struct lab_injection){0};
    run_base(e, base);
    return e->shared->suspensions;
}

static void cancel_at(struct campaign *c, uint64_t base, uint64_t i, uint64_t j,
                      bool inner)
{
    c->e.shared->inject = (struct lab_injection){
        .cancel_at = {i, j},
        .inner = inner,
    };
    run_base(&c->e, base);
    c->ret->hits += c->e.shared->hit;
}

static void cancels_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t base = 0; base < bases(c); base++) {
        uint64_t n = suspensions_of(e, base);
        c->ret->places += n;
        for (uint64_t i = 1; i <= n; i++) {
            cancel_at(c, base, i, 0, false);
            cancel_at(c, base, i, 0, true);
        }
    }
}

static void pairs_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    uint64_t n = suspensions_of(e, 1);
    uint64_t all = n * (n - 1) / 2;
    uint64_t stride = all / PAIRS_MAX + 1, at = 0;
    c->ret->places += all;
    for (uint64_t i = 1; i <= n; i++) {
        for (uint64_t j = i + 1; j <= n; j++) {
            if (at++ % stride == 0) {
                cancel_at(c, 1, i, j, (i + j) % 2 != 0);
            }
        }
    }
}

static void run_cancels(const struct scenario *s, uint64_t size,
                        struct figures *ret, struct op_table *table)
{
    CAMPAIGN(.e.kernel.may_fail = true);
    disturbed = true;
    conduct(&c, cancels_body);
}

static void run_pairs(const struct scenario *s, uint64_t size,
                      struct figures *ret, struct op_table *table)
{
    CAMPAIGN(.e.kernel.may_fail = true);
    disturbed = true;
    ret->skipped = (s->flags & CORE) == 0;
    if (!ret->skipped) {
        conduct(&c, pairs_body);
    }
}

/* --- memory ---------------------------------------------------------------- */

static void memory_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    run_base(e, 0);
    uint64_t n = e->shared->allocations;
    int ways = (c->s->flags & STACKS) != 0 ? 1 : 2;
    c->ret->places += n;
    for (uint64_t i = 1; i <= n; i++) {
        for (int on = 0; on < ways; on++) {
            e->shared->alloc_at = i;
            e->shared->alloc_on = on != 0;
            run_base(e, 0);
            c->ret->hits++;
        }
    }
}

static void run_memory(const struct scenario *s, uint64_t size,
                       struct figures *ret, struct op_table *table)
{
    CAMPAIGN(.e.kernel.may_fail = true);
    disturbed = true;
    conduct(&c, memory_body);
}

/* --- operations ------------------------------------------------------------ */

static void note_op(struct campaign *c, unsigned column)
{
    const struct shared *shared = c->e.shared;
    c->ret->hits += shared->hit;
    if (shared->hit && shared->code_meant >= 0) {
        c->table->n[shared->code_meant % OP_CODES][column]++;
    }
}

static void errors_body(struct campaign *c, uint64_t base, uint64_t op)
{
    struct shared *shared = c->e.shared;
    unsigned i = 0;
    do {
        shared->inject = (struct lab_injection){
            .op_at = op, .way = LAB_WAY_ERROR, .error = i};
        run_base(&c->e, base);
        unsigned len = 0;
        const int *errors =
            shared->code_meant < 0
                ? NULL
                : lab_errors_of((uint8_t)shared->code_meant, &len);
        note_op(c, i < len ? (unsigned)errors[i] : 0);
    } while (++i < shared->errors_meant);
}

static void ops_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t base = 0; base < bases(c); base++) {
        e->shared->inject = (struct lab_injection){0};
        run_base(e, base);
        uint64_t n = e->shared->ops_meant;
        c->ret->places += n;
        for (uint64_t op = 1; op <= n; op++) {
            errors_body(c, base, op);
            for (int way = LAB_WAY_SHORT; way < LAB_WAYS; way++) {
                e->shared->inject = (struct lab_injection){
                    .op_at = op, .way = (enum lab_way)way};
                run_base(e, base);
                note_op(c, OP_ERRORS + (unsigned)way);
            }
        }
    }
}

static void run_ops(const struct scenario *s, uint64_t size,
                    struct figures *ret, struct op_table *table)
{
    CAMPAIGN(.e.kernel.may_fail = true);
    disturbed = true;
    conduct(&c, ops_body);
    ret->skipped = ret->places == 0 && !ret->failed;
}

static void run_faults(const struct scenario *s, uint64_t size,
                       struct figures *ret, struct op_table *table)
{
    CAMPAIGN(.e.kernel.may_fail = true,
             .e.options.faults = AMBIT_FAULT_OPERATIONS);
    disturbed = true;
    conduct(&c, seeds_body);
}

/* --- kernels --------------------------------------------------------------- */

static void run_kernels(const struct scenario *s, uint64_t size,
                        struct figures *ret, struct op_table *table)
{
    static const struct kernel_faults kernels[] = {
        {.ring_entries = 8},
        {.cq_entries = 4},
        {.ring_entries = 8, .cq_entries = 2, .enter_faults = true},
        {.enter_faults = true},
        {.refuse_ring_flags = IORING_SETUP_COOP_TASKRUN},
        {.refuse_ring_flags = IORING_SETUP_SUBMIT_ALL},
        {.refuse_ring_flags = IORING_SETUP_SINGLE_ISSUER},
        {.refuse_ring_flags = 1u << 13}, /* IORING_SETUP_DEFER_TASKRUN */
        {.refuse_ring_flags = ~(unsigned)(IORING_SETUP_CQSIZE |
                                          IORING_SETUP_CLAMP)},
    };
    disturbed = false;
    for (size_t i = 0; i < ARRAY_LEN(kernels) && !ret->failed; i++) {
        CAMPAIGN(.e.kernel = kernels[i]);
        c.size = size / ARRAY_LEN(kernels) + 1;
        conduct(&c, seeds_body);
        if (ret->failed) {
            size_t len = strlen(ret->text);
            snprintf(ret->text + len, sizeof ret->text - len, " kernel %zu", i);
        }
        ret->places++;
    }
}

/* --- the real system ------------------------------------------------------- */

static void log_nothing(void *user, enum ambit_log_level level,
                        const char *line)
{
    (void)user, (void)level, (void)line;
}

static void real_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    alarm(WAITS_MAX_S);
    for (uint64_t i = 0; i < c->size; i++) {
        ambit_observed();
        int rc = ambit_run(c->s->fn, NULL, .workers = c->s->workers,
                           .log = log_nothing);
        ambit_observe(rc);
        set_add(&e->shared->outcomes, ambit_observed());
        e->shared->runs++;
    }
}

static bool set_has(const struct set *set, uint64_t value)
{
    for (size_t i = 0; i < SET_MAX * 2; i++) {
        if (set->slot[i] == value) {
            return true;
        }
    }
    return false;
}

static unsigned strangers(const struct set *lab, const struct set *real)
{
    unsigned n = 0;
    for (size_t i = 0; i < SET_MAX * 2; i++) {
        n += real->slot[i] != 0 && !set_has(lab, real->slot[i]);
    }
    return n;
}

/* Random walks and PCT in turn, of all depths. */
static void wide_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t i = 1; i <= c->size; i++) {
        uint64_t seed = c->after + i;
        if (seed % 2 != 0) {
            run_base(e, seed);
        } else {
            run_pct(e, seed, 2 + (unsigned)(seed / 2 % 5));
        }
    }
}

/* Runs the lab longer and longer, until its outcomes hold all of the real
 * system's.  How many runs that took. */
static uint64_t look_for(const struct set *real, const struct scenario *s,
                         uint64_t size, struct set *lab, struct figures *ret)
{
    struct figures f = {0};
    uint64_t looks = 0;
    uint64_t looks_max = size < 25 ? LOOKS_MAX / 25 * size : LOOKS_MAX;
    do {
        struct campaign more = {.s = s, .ret = &f, .keep = lab, .size = size,
                                .after = looks};
        conduct(&more, wide_body);
        looks += size;
        size = looks < looks_max - looks ? looks : looks_max - looks;
    } while (!f.failed && looks < looks_max && strangers(lab, real) > 0);
    if (f.failed) {
        ret->failed = true;
        memcpy(ret->text, f.text, sizeof ret->text);
    }
    return looks;
}

static void run_real(const struct scenario *s, uint64_t size,
                     struct figures *ret, struct op_table *table)
{
    CAMPAIGN();
    disturbed = false;
    ret->skipped = (s->flags & TIMED) != 0;
    if (ret->skipped) {
        return;
    }
    struct set *real = calloc(2, sizeof *real);
    struct set *lab = real + 1;
    c.size = size - size / 2;
    c.keep = real;
    conduct(&c, real_body);
    ret->places = real->len;
    uint64_t looks = ret->failed ? 0 : look_for(real, s, size, lab, ret);
    ret->hits = real->len - strangers(lab, real);
    ret->outcomes = lab->len;
    if (!ret->failed && ret->hits != ret->places) {
        ret->failed = true;
        snprintf(ret->text, sizeof ret->text,
                 "%llu of %llu outcomes of the real system are none of the "
                 "lab's in %llu runs",
                 (unsigned long long)(ret->places - ret->hits),
                 (unsigned long long)ret->places, (unsigned long long)looks);
    }
    free(real);
}

/* --- once more ------------------------------------------------------------- */

static void replay_body(struct exploration *e)
{
    bool stops = e->kernel.may_fail;
    e->kernel.may_fail = false;
    if (!replay_take(getenv("AMBIT_REPLAY"), e)) {
        snprintf(e->shared->text, sizeof e->shared->text,
                 "AMBIT_REPLAY is no line to replay");
        e->shared->failed = true;
        return;
    }
    disturbed = e->kernel.may_fail;
    in_order = getenv("AMBIT_IN_ORDER") != NULL;
    e->kernel.may_fail |= stops;
    replay_run(e);
}

void campaign_replay(const struct scenario *s, struct figures *ret)
{
    struct campaign c = {.s = s, .ret = ret};
    conduct(&c, replay_body);
}

const struct campaign_kind campaign_kinds[] = {
    {"seeds", NULL, run_seeds},
    {"order", NULL, run_order},
    {"every", NULL, run_every},
    {"cancel", "suspensions", run_cancels},
    {"pairs", "pairs", run_pairs},
    {"memory", "requests", run_memory},
    {"ops", "operations", run_ops},
    {"faults", NULL, run_faults},
    {"kernel", "kernels", run_kernels},
    {"twice", "seeds", run_twice},
    {"rules", NULL, run_rules},
    {"real", "real outcomes", run_real},
};
const size_t campaign_count = ARRAY_LEN(campaign_kinds);
