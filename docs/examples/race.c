/* SPDX-License-Identifier: MIT */
/* race.c -- the first answer wins; the loser is cancelled and waited for. */
#include <ambit.h>
#include <stdio.h>
#include <stdlib.h>

struct probe {
    ambit_region *race;
    const char *host;
    int64_t delay_ms;
};

static int probe(ambit_cx *cx, void *arg)
{
    struct probe *p = arg; /* our own copy, ours until we return */
    int rc = ambit_sleep(cx, ambit_ms(p->delay_ms));
    if (rc < 0) {
        return rc; /* -ECANCELED: somebody else won */
    }
    printf("%s answered\n", p->host);
    ambit_cancel(p->race, "first answer wins");
    return 0;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    int64_t limit_ms = argc > 1 ? atoll(argv[1]) : 1000;
    int rc = 0;
    ambit_scope (cx, race, &rc, .deadline = ambit_after(ambit_ms(limit_ms))) {
        ambit_spawn(race, probe, &(struct probe){race, "alpha", 300});
        ambit_spawn(race, probe, &(struct probe){race, "beta", 700});
    } /* both have ended here */
    return rc; /* 0, or -ETIMEDOUT */
}
