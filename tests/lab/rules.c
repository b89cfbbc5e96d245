/* SPDX-License-Identifier: MIT */
/*
 * rules.c -- the campaign that looks whether a scenario passes the lines of the
 * rules that it names.
 *
 * That does not say that it asserts them; but one that does not is none of theirs.
 */
#ifndef AMBIT_CHECKED
#define AMBIT_CHECKED /* as the library in the lab is, whatever the rest */
#endif

#include "tests/lab/conduct.h"

#define RULES_RUNS_MAX 2000

extern struct rule_mark __start_ambit_rules[] __attribute__((weak));
extern struct rule_mark __stop_ambit_rules[] __attribute__((weak));

/* A name of the spec, which has dashes, and one of the code. */
static bool is_same_rule(const char *name, size_t len, const char *id)
{
    size_t i = 0;
    while (i < len && (name[i] == '-' ? '_' : name[i]) == id[i]) {
        i++;
    }
    return i == len && id[i] == '\0';
}

static bool is_passed(const char *name, size_t len)
{
    for (struct rule_mark *m = __start_ambit_rules; m < __stop_ambit_rules;
         m++) {
        /* ORDER(rule-count): relaxed, as in rule_pass().  The lab's threads
         * are one. */
        if (is_same_rule(name, len, m->id) &&
            atomic_load_explicit(&m->passed, memory_order_relaxed) > 0) {
            return true;
        }
    }
    return false;
}

/* The first of them that was not passed, and its length; or NULL. */
static const char *next_to_pass(const char *rules, size_t *ret_len)
{
    for (rules += strspn(rules, " "); *rules != '\0';
         rules += strspn(rules, " ")) {
        *ret_len = strcspn(rules, " ");
        if (!is_passed(rules, *ret_len)) {
            return rules;
        }
        rules += *ret_len;
    }
    return NULL;
}

static void rules_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    const char *missing = c->s->rules;
    size_t len = 0;
    for (uint64_t seed = 1; missing != NULL && seed <= c->size; seed++) {
        run_base(e, seed);
        missing = next_to_pass(c->s->rules, &len);
    }
    if (missing != NULL) {
        snprintf(e->shared->text, sizeof e->shared->text,
                 "in %llu runs no line of %.*s was passed",
                 (unsigned long long)c->size, (int)len, missing);
        e->shared->failed = true;
    }
}

void run_rules(const struct scenario *s, uint64_t size, struct figures *ret,
               struct op_table *table)
{
    CAMPAIGN();
    disturbed = false;
    c.size = RULES_RUNS_MAX;
    ret->skipped = s->rules == NULL;
    if (!ret->skipped) {
        conduct(&c, rules_body);
    }
}
