/* SPDX-License-Identifier: MIT */
/*
 * glob.h -- the patterns of KEYS, SCAN MATCH and CONFIG GET.
 *
 *   *  any bytes      ?  any byte      [a-z]  one of      [^a-z]  none of
 *   \x  the byte x itself, also inside brackets
 *
 * At most len(pattern) * len(text) steps, no recursion: a hostile pattern
 * costs time in proportion to its size and no stack.
 */
#ifndef KVD_GLOB_H
#define KVD_GLOB_H

#include "bytes.h"

bool glob_matches(struct slice pattern, struct slice text);
bool glob_matches_nocase(struct slice pattern, struct slice text);

#endif
