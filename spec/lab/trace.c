/* SPDX-License-Identifier: MIT */
/*
 * trace.c -- what happened, and its fingerprint.
 *
 * The last LINES lines are kept; the fingerprint is over all.  Nothing in a
 * line depends on an address, so the same decisions give the same fingerprint.
 */
#include "spec/lab/lab.h"

#include "spec/oracle/oracle.h"
#include "src/park.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define LINES 8192
#define STORY_LINES 30

struct line {
    int64_t now_ns;
    uint32_t thread;
    uint32_t kind;
    uint64_t a;
    uint64_t b;
};

struct lab_trace {
    uint64_t fingerprint;
    uint64_t lines;
    struct line line[LINES];
};

struct lab_trace *lab_trace_begin(void)
{
    struct lab_trace *trace = malloc(sizeof *trace);
    ASSERT(trace != NULL);
    trace->fingerprint = 0;
    trace->lines = 0;
    return trace;
}

void lab_trace_end(struct lab_trace *trace)
{
    free(trace);
}

void lab_trace(struct lab *lab, enum lab_trace_kind kind, uint64_t a,
               uint64_t b)
{
    struct lab_trace *trace = lab->trace;
    struct line line = {lab->now_ns,
                        lab->current != NULL ? lab->current->id : 0, kind, a, b};
    trace->line[trace->lines++ % LINES] = line;
    trace->fingerprint =
        XXH3_64bits_withSeed(&line, sizeof line, trace->fingerprint);
}

uint64_t lab_fingerprint(const struct lab *lab)
{
    return lab->trace->fingerprint;
}

/* --- in words ---------------------------------------------------------------- */

static size_t say_told(struct lab *lab, const struct line *line, char *ret,
                       size_t room)
{
    enum told what = (enum told)(line->a >> 32);
    const struct thing *subject = thing_by_number(
        lab->things, told_subject(what), (uint32_t)line->a);
    uint32_t number = (uint32_t)(line->b >> 40);
    char other[96] = "";
    if (number != 0 && told_other(what) != THING_NONE) {
        struct thing stand_in = {.kind = told_other(what), .number = number};
        const struct thing *known =
            thing_by_number(lab->things, stand_in.kind, number);
        snprintf(other, sizeof other, "%s %s", told_link(what),
                 thing_name(known != NULL ? known : &stand_in));
    }
    struct thing forgotten = {.kind = told_subject(what),
                              .number = (uint32_t)line->a};
    const char *more = what == TOLD_TASK_PARKS
                           ? park_kind_name((enum park_kind)line->b)
                           : NULL;
    return (size_t)snprintf(ret, room, "%s %s%s%s%s%s",
                            thing_name(subject != NULL ? subject : &forgotten),
                            told_word(what), other, more != NULL ? " (" : "",
                            more != NULL ? more : "", more != NULL ? ")" : "");
}

/* False: not worth a line. */
static bool is_told(const struct line *line)
{
    return line->kind == TRACE_TOLD || line->kind == TRACE_TIME;
}

static size_t say(struct lab *lab, const struct line *line, char *ret,
                  size_t room)
{
    const char *thread =
        line->thread > 0 ? lab->threads[line->thread - 1]->name : "kernel";
    size_t at = (size_t)snprintf(ret, room, "  %12.6f ms  %-10s ",
                                 (double)(line->now_ns - LAB_BEGINS_NS) / 1e6,
                                 thread);
    if (at >= room) {
        return at;
    }
    at += line->kind == TRACE_TIME
              ? (size_t)snprintf(ret + at, room - at, "time goes on to here")
              : say_told(lab, line, ret + at, room - at);
    if (at + 1 < room) {
        ret[at++] = '\n';
        ret[at] = '\0';
    }
    return at;
}

void lab_story(struct lab *lab, char *ret_text, size_t room)
{
    const struct lab_trace *trace = lab->trace;
    uint64_t first = trace->lines > LINES ? trace->lines - LINES : 0;
    uint64_t from = trace->lines;
    for (unsigned n = 0; from > first && n < STORY_LINES; from--) {
        n += is_told(&trace->line[(from - 1) % LINES]);
    }
    size_t at = 0;
    ret_text[0] = '\0';
    for (; from < trace->lines && at < room; from++) {
        const struct line *line = &trace->line[from % LINES];
        if (is_told(line)) {
            at += say(lab, line, ret_text + at, room - at);
        }
    }
}
