/* SPDX-License-Identifier: MIT */
/*
 * number.h -- the one spelling of an integer that is accepted.
 *
 * A 64-bit signed integer has exactly one spelling: no spaces, no plus sign,
 * no leading zeros, no "-0".  So a counter's value is an integer exactly when
 * writing it again gives the same bytes.
 */
#ifndef KVD_NUMBER_H
#define KVD_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

enum { NUMBER_TEXT_MAX = 20 }; /* "-9223372036854775808" */

/* *ret_value is untouched when the answer is false. */
bool number_parse(struct slice text, int64_t *ret_value);

/* The same spelling, unsigned: a SCAN cursor. */
bool number_parse_unsigned(struct slice text, uint64_t *ret_value);

/* Writes no NUL; returns the length, at most NUMBER_TEXT_MAX. */
size_t number_write(char *to, int64_t value);

#endif
