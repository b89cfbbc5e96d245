/* SPDX-License-Identifier: MIT */
/* address.h -- "127.0.0.1:7000" and "[::1]:7000", both ways. */
#ifndef AMBIT_SRC_IO_ADDRESS_H
#define AMBIT_SRC_IO_ADDRESS_H

#include "src/base.h"

#include <sys/socket.h>

/* Numbers only, nothing is looked up; an empty host is 0.0.0.0.  0, -EINVAL. */
int address_parse(const char *text, struct sockaddr_storage *ret_address,
                  socklen_t *ret_len);

/* 0, or -ENOSPC, -EAFNOSUPPORT. */
int address_print(const struct sockaddr_storage *address, char *ret_text,
                  size_t room);

uint16_t address_port(const struct sockaddr_storage *address);

#endif
