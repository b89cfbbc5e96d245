/* SPDX-License-Identifier: MIT */
/*
 * pickers.c -- five ways to decide.
 */
#include "spec/explore/explore.h"

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64, S. Vigna */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* --- a random walk --------------------------------------------------------- */

static unsigned random_choose(struct lab_picker *picker, enum lab_choice what,
                              unsigned n, const uint32_t *ids)
{
    struct random_picker *random =
        CONTAINER_OF(picker, struct random_picker, picker);
    uint64_t r = next(&random->state);
    (void)ids;
    if (what == LAB_SWITCH && (uint32_t)r % random->rarely != 0) {
        return 0;
    }
    if (what == LAB_FAULT && (uint32_t)r % 16 != 0) {
        return 0;
    }
    return (unsigned)((r >> 32) % n);
}

/* Some seeds preempt at every other point, some hardly ever. */
void random_picker_init(struct random_picker *random, uint64_t seed)
{
    *random = (struct random_picker){{random_choose, NULL}, seed, 0};
    random->rarely = 2u << next(&random->state) % 9;
}

/* --- PCT ------------------------------------------------------------------- */

static unsigned most_urgent(const struct pct_picker *pct, unsigned n,
                            const uint32_t *ids)
{
    unsigned best = 0;
    for (unsigned i = 1; i < n; i++) {
        if (pct->priority[ids[i]] > pct->priority[ids[best]]) {
            best = i;
        }
    }
    return best;
}

static unsigned pct_choose(struct lab_picker *picker, enum lab_choice what,
                           unsigned n, const uint32_t *ids)
{
    struct pct_picker *pct = CONTAINER_OF(picker, struct pct_picker, picker);
    if (ids == NULL) {
        return pct->random.picker.choose(&pct->random.picker, what, n, ids);
    }
    pct->steps++;
    RULE(LAB_PCT_1);
    for (unsigned i = 0; i < pct->changes; i++) {
        if (pct->change_at[i] == pct->steps) {
            pct->priority[ids[most_urgent(pct, n, ids)]] = i + 1;
        }
    }
    return most_urgent(pct, n, ids);
}

/* One that only looks again and again is not what is urgent. */
static void pct_spins(struct lab_picker *picker, uint32_t id)
{
    CONTAINER_OF(picker, struct pct_picker, picker)->priority[id] = 0;
}

void pct_picker_init(struct pct_picker *pct, uint64_t seed, unsigned depth,
                     uint64_t length)
{
    *pct = (struct pct_picker){.picker = {pct_choose, pct_spins}};
    random_picker_init(&pct->random, seed);
    uint64_t state = seed ^ 0x5bf03635u;
    for (uint32_t i = 0; i < ARRAY_LEN(pct->priority); i++) {
        uint32_t other = (uint32_t)(next(&state) % (i + 1)); /* a permutation */
        pct->priority[i] = pct->priority[other];
        pct->priority[other] = 100 + i;
    }
    depth = depth > ARRAY_LEN(pct->change_at) ? ARRAY_LEN(pct->change_at)
                                              : depth;
    pct->changes = depth - 1;
    for (unsigned i = 0; i < pct->changes; i++) {
        pct->change_at[i] = 1 + next(&state) % (length > 0 ? length : 1);
    }
}

/* --- every schedule -------------------------------------------------------- */

static unsigned tree_choose(struct lab_picker *picker, enum lab_choice what,
                            unsigned n, const uint32_t *ids)
{
    struct tree_picker *tree = CONTAINER_OF(picker, struct tree_picker, picker);
    (void)ids;
    if (what == LAB_SWITCH && tree->preemptions >= tree->preemptions_max) {
        return 0;
    }
    if (tree->depth == DECISIONS_MAX) {
        lab_fail("too long for an exhaustive search: %u choices", tree->depth);
    }
    if (tree->depth == tree->len) {
        tree->path[tree->len].n = n;
        tree->path[tree->len++].i = 0;
    }
    unsigned i = tree->path[tree->depth++].i;
    tree->preemptions += what == LAB_SWITCH && i != 0;
    return i;
}

void tree_picker_begin(struct tree_picker *tree)
{
    tree->picker.choose = tree_choose;
    tree->depth = 0;
    tree->preemptions = 0;
}

bool tree_picker_next(struct tree_picker *tree)
{
    RULE(LAB_ALL_1);
    while (tree->len > 0) {
        if (++tree->path[tree->len - 1].i < tree->path[tree->len - 1].n) {
            return true;
        }
        tree->len--;
    }
    return false;
}

/* --- once more ------------------------------------------------------------- */

static unsigned replay_choose(struct lab_picker *picker, enum lab_choice what,
                              unsigned n, const uint32_t *ids)
{
    struct replay_picker *replay =
        CONTAINER_OF(picker, struct replay_picker, picker);
    uint32_t at = replay->at++;
    (void)what;
    (void)ids;
    const struct decisions *given = replay->decisions;
    while (replay->next < given->len && given->d[replay->next].at < at) {
        replay->next++;
    }
    if (replay->next == given->len || given->d[replay->next].at != at) {
        return 0;
    }
    /* A shortened schedule may meet fewer candidates than the whole one. */
    uint32_t value = given->d[replay->next].value;
    RULE(LAB_REPLAY_1);
    return value < n ? value : n - 1;
}

void replay_picker_init(struct replay_picker *replay,
                        const struct decisions *decisions)
{
    *replay = (struct replay_picker){{replay_choose, NULL}, decisions, 0, 0};
}

/* --- with a record --------------------------------------------------------- */

static unsigned recorder_choose(struct lab_picker *picker,
                                enum lab_choice what, unsigned n,
                                const uint32_t *ids)
{
    struct recorder *recorder = CONTAINER_OF(picker, struct recorder, picker);
    unsigned i = recorder->from->choose(recorder->from, what, n, ids);
    struct decisions *to = recorder->to;
    if (i != 0 && to->len < DECISIONS_MAX) {
        to->d[to->len++] = (struct decision){recorder->at, i};
    } else if (i != 0) {
        to->cut = true;
    }
    recorder->at++;
    return i;
}

static void recorder_spins(struct lab_picker *picker, uint32_t id)
{
    struct lab_picker *from =
        CONTAINER_OF(picker, struct recorder, picker)->from;
    if (from->spins != NULL) {
        from->spins(from, id);
    }
}

void recorder_init(struct recorder *recorder, struct lab_picker *from,
                   struct decisions *to)
{
    *recorder = (struct recorder){{recorder_choose, recorder_spins}, from, to, 0, NULL};
    to->len = 0;
    to->cut = false;
}
