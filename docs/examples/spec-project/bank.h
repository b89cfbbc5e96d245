/* SPDX-License-Identifier: MIT */
/*
 * bank.h -- two accounts, and transfers between them.
 */
#ifndef BANK_H
#define BANK_H

#include <ambit.h>

struct bank {
    int balance[2];
};

struct transfer {
    struct bank *bank;
    int from;
    int amount;
};

/* A task function: takes the money, does its book-keeping (which waits), puts
 * the money down.  0; -ENOSPC when there is too little; -ECANCELED, and then
 * nothing has changed. */
int transfer(ambit_cx *cx, void *arg);

#endif
