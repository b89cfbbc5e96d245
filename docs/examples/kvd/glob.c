/* SPDX-License-Identifier: MIT */
/*
 * glob.c -- matching with one step back.
 *
 * Only the last star ever needs to be tried again: whatever an earlier star
 * could still take, the last one can take as well.  So a mismatch goes back to
 * the last star, lets it take one byte more, and no stack is needed.
 */
#include "glob.h"

struct matcher {
    struct slice pattern;
    bool nocase;
};

static bool glob_run(const struct matcher *matcher, struct slice text);
static bool unit_matches(const struct matcher *matcher, size_t *at, char c);
static bool class_matches(const struct matcher *matcher, size_t *at, char c);
static unsigned char fold(const struct matcher *matcher, char c);

bool glob_matches(struct slice pattern, struct slice text)
{
    return glob_run(&(struct matcher){pattern, false}, text);
}

bool glob_matches_nocase(struct slice pattern, struct slice text)
{
    return glob_run(&(struct matcher){pattern, true}, text);
}

static bool glob_run(const struct matcher *matcher, struct slice text)
{
    struct slice pattern = matcher->pattern;
    size_t at = 0;
    size_t eaten = 0;
    bool has_star = false;
    size_t star_at = 0;    /* behind the last star */
    size_t star_eaten = 0; /* where the text goes on behind it */
    for (;;) {
        if (at < pattern.len && pattern.ptr[at] == '*') {
            at++;
            has_star = true;
            star_at = at;
            star_eaten = eaten;
            continue;
        }
        if (eaten == text.len) {
            return at == pattern.len;
        }
        if (at < pattern.len && unit_matches(matcher, &at, text.ptr[eaten])) {
            eaten++;
            continue;
        }
        if (!has_star) {
            return false;
        }
        at = star_at;
        eaten = ++star_eaten;
    }
}

/* One byte of text against the unit at *at, which is left behind on a match. */
static bool unit_matches(const struct matcher *matcher, size_t *at, char c)
{
    struct slice pattern = matcher->pattern;
    char first = pattern.ptr[*at];
    if (first == '?') {
        *at += 1;
        return true;
    }
    if (first == '[') {
        return class_matches(matcher, at, c);
    }
    size_t literal = *at;
    if (first == '\\' && literal + 1 < pattern.len) {
        literal++;
    }
    if (fold(matcher, pattern.ptr[literal]) != fold(matcher, c)) {
        return false;
    }
    *at = literal + 1;
    return true;
}

/* A class that is never closed ends with the pattern. */
static bool class_matches(const struct matcher *matcher, size_t *at, char c)
{
    struct slice pattern = matcher->pattern;
    size_t i = *at + 1;
    bool negated = i < pattern.len && pattern.ptr[i] == '^';
    i += negated;
    bool found = false;
    unsigned char byte = fold(matcher, c);
    for (; i < pattern.len && pattern.ptr[i] != ']'; i++) {
        if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) {
            i++;
            found |= fold(matcher, pattern.ptr[i]) == byte;
            continue;
        }
        unsigned char low = fold(matcher, pattern.ptr[i]);
        unsigned char high = low;
        if (i + 2 < pattern.len && pattern.ptr[i + 1] == '-') {
            i += 2;
            high = fold(matcher, pattern.ptr[i]);
        }
        found |= low <= high ? low <= byte && byte <= high
                             : high <= byte && byte <= low;
    }
    *at = i < pattern.len ? i + 1 : i;
    return found != negated;
}

static unsigned char fold(const struct matcher *matcher, char c)
{
    unsigned char u = (unsigned char)c;
    if (matcher->nocase && u >= 'A' && u <= 'Z') {
        u = (unsigned char)(u + ('a' - 'A'));
    }
    return u;
}
