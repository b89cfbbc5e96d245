/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/glob.c */
/*
 * kvd_glob_test.c -- patterns match as they say, and hostile ones end.
 */
#include "tests/unit/kvd_kit.h"

#include "docs/examples/kvd/glob.h"

Test(kvd_glob, patterns_match_as_they_say)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        {"*", "", true},
        {"*", "abc", true},
        {"", "", true},
        {"", "a", false},
        {"a*c", "abbbc", true},
        {"a*c", "abbb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[^abc]", "d", true},
        {"[^abc]", "a", false},
        {"[a-c]x", "bx", true},
        {"[c-a]x", "bx", true},
        {"[a-", "-", true},
        {"[a", "a", true},
        {"[", "a", false},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"[\\]]", "]", true},
        {"a\\", "a\\", true},
        {"**a**", "bab", true},
        {"*a*b*c*", "xxaybzc", true},
        {"*a*b*c*", "xxaycz", false},
        {"a*b*b", "abb", true},
        {"a*b*b", "ab", false},
        {"A", "a", false},
        {"user:[0-9]*", "user:7x", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_assert_eq(glob_matches(slice_text(cases[i].pattern),
                                  slice_text(cases[i].text)),
                     cases[i].matches, "%s on %s", cases[i].pattern,
                     cases[i].text);
    }
    cr_assert(glob_matches_nocase(slice_text("MAX*"), slice_text("maxmemory")));
    cr_assert(glob_matches_nocase(slice_text("[A-C]"), slice_text("b")));
}

/* Goal: a hostile pattern ends.  Method: one that takes a naive matcher longer
 * than the sun will burn. */
Test(kvd_glob, hostile_patterns_end)
{
    char pattern[200];
    char text[2000];
    for (size_t i = 0; i < sizeof pattern; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    cr_assert_not(glob_matches((struct slice){pattern, sizeof pattern},
                               (struct slice){text, sizeof text}));
}
