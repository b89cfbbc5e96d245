/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <ambit/spec.h>

#include "bank.h"

/* Whatever the order of two transfers, no money comes or goes. */
Spec(BANK_1, no_money_is_lost, .seeds = 1000, .workers = 1)
{
    struct bank bank = {{100, 100}};
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        ambit_spawn(both, transfer, &(struct transfer){&bank, 0, 30});
        ambit_spawn(both, transfer, &(struct transfer){&bank, 0, 20});
    }
    ambit_expect(bank.balance[0] + bank.balance[1] == 200);
    ambit_expect(rc < 0 || bank.balance[0] == 50);
    return rc;
}

/* A deadline in the middle leaves the money where it was, or where it goes. */
Spec(BANK_2, a_cancelled_transfer_is_undone, .seeds = 1000)
{
    struct bank bank = {{100, 100}};
    int rc = 0;
    ambit_scope (cx, one, &rc) {
        ambit_spawn(one, transfer, &(struct transfer){&bank, 0, 30});
        ambit_cancel(one, "changed my mind");
    }
    ambit_observe(bank.balance[0]);
    ambit_expect(bank.balance[0] + bank.balance[1] == 200);
    return 0;
}
