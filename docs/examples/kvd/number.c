/* SPDX-License-Identifier: MIT */
/*
 * number.c -- the one spelling of an integer that is accepted.
 */
#include "number.h"

#include <assert.h>

bool number_parse(struct slice text, int64_t *ret_value)
{
    if (text.len == 0) {
        return false;
    }
    bool negative = text.ptr[0] == '-';
    struct slice digits = {text.ptr + negative, text.len - negative};
    uint64_t size = 0;
    if (!number_parse_unsigned(digits, &size)) {
        return false;
    }
    uint64_t size_max = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (size > size_max || (negative && size == 0)) {
        return false;
    }
    *ret_value = (int64_t)(negative ? 0 - size : size);
    return true;
}

bool number_parse_unsigned(struct slice text, uint64_t *ret_value)
{
    if (text.len == 0 || text.len > NUMBER_TEXT_MAX) {
        return false;
    }
    if (text.ptr[0] == '0' && text.len > 1) {
        return false;
    }
    uint64_t value = 0;
    for (size_t at = 0; at < text.len; at++) {
        unsigned digit = (unsigned char)text.ptr[at] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

size_t number_write(char *to, int64_t value)
{
    char reversed[NUMBER_TEXT_MAX];
    size_t digits = 0;
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[digits++] = (char)('0' + size % 10);
        size /= 10;
    } while (size > 0);
    assert(digits < NUMBER_TEXT_MAX);
    size_t len = 0;
    if (value < 0) {
        to[len++] = '-';
    }
    while (digits > 0) {
        to[len++] = reversed[--digits];
    }
    return len;
}
