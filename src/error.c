/* SPDX-License-Identifier: MIT */
/*
 * error.c -- what each result code means here.
 */
#include <ambit/base.h>

#include "src/base.h"

#include <string.h>

const char *ambit_strerror(int code)
{
    switch (code < 0 ? -code : 0) {
    case 0:
        return "fine";
    case ECANCELED:
        return "somebody outside decided to end this wait";
    case ETIMEDOUT:
        return "its own deadline passed";
    case EDQUOT:
        return "a budget other than time is spent";
    case EAGAIN:
        return "full right now; nothing happened";
    case ESHUTDOWN:
        return "closing; admits nothing new";
    case EPIPE:
        return "the other side is gone for good";
    case ESTALE:
        return "the handle outlived its object";
    case EOWNERDEAD:
        return "the task or server that was waited for panicked";
    case EDEADLK:
        return "this wait could never end";
    case EPERM:
        return "not allowed from here, or refused by the system";
    case EOPNOTSUPP:
        return "this kernel, driver or server cannot do it";
    default:
        return strerrordesc_np(-code) != NULL ? strerrordesc_np(-code)
                                              : "unknown error";
    }
}

const char *ambit_version(void)
{
    return "0.1.0";
}
