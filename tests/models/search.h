/* SPDX-License-Identifier: MIT */
/* search.h -- what main.c asks of explore.c. */
#ifndef AMBIT_TESTS_MODELS_SEARCH_H
#define AMBIT_TESTS_MODELS_SEARCH_H

#include "tests/models/model.h"

#include <setjmp.h>

struct search {
    uint64_t runs;
    unsigned steps_max;
    bool complete; /* every run within the bounds of the scenario */
};

/* NULL, or what went wrong in the last run. */
const char *search_scenario(const struct scenario *s, uint64_t runs_max,
                            struct search *ret_search);
/* Once more the run that failed, step by step on stderr. */
void search_show(const struct scenario *s);

extern jmp_buf search_out;

#endif
