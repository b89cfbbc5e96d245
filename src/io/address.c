/* SPDX-License-Identifier: MIT */
/*
 * address.c -- "127.0.0.1:7000" and "[::1]:7000", both ways.
 */
#include "src/io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static int parse_port(const char *text, uint16_t *ret_port)
{
    unsigned long port = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -EINVAL;
        }
        port = port * 10 + (unsigned long)(*text - '0');
        if (port > 65535) {
            return -EINVAL;
        }
    }
    *ret_port = (uint16_t)port;
    return 0;
}

/* The host between `from` and `to`, in a NUL-terminated copy. */
static int copy_host(const char *from, const char *to, char *ret_host,
                     size_t room)
{
    size_t len = (size_t)(to - from);
    if (len >= room) {
        return -EINVAL;
    }
    memcpy(ret_host, from, len);
    ret_host[len] = '\0';
    return 0;
}

static int parse6(const char *text, const char *colon, uint16_t port,
                  struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port)};
    char host[INET6_ADDRSTRLEN];
    if (colon[-1] != ']' || copy_host(text + 1, colon - 1, host, sizeof host)) {
        return -EINVAL;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1) {
        return -EINVAL;
    }
    memcpy(ret_address, &in6, sizeof in6);
    *ret_len = sizeof in6;
    return 0;
}

static int parse4(const char *text, const char *colon, uint16_t port,
                  struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    char host[INET_ADDRSTRLEN];
    if (copy_host(text, colon, host, sizeof host) < 0) {
        return -EINVAL;
    }
    if (host[0] != '\0' && inet_pton(AF_INET, host, &in.sin_addr) != 1) {
        return -EINVAL;
    }
    memcpy(ret_address, &in, sizeof in);
    *ret_len = sizeof in;
    return 0;
}

int address_parse(const char *text, struct sockaddr_storage *ret_address,
                  socklen_t *ret_len)
{
    uint16_t port;
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    if (colon == NULL || parse_port(colon + 1, &port) < 0) {
        return -EINVAL;
    }
    memset(ret_address, 0, sizeof *ret_address);
    return text[0] == '[' ? parse6(text, colon, port, ret_address, ret_len)
                          : parse4(text, colon, port, ret_address, ret_len);
}

uint16_t address_port(const struct sockaddr_storage *address)
{
    struct sockaddr_in in;
    /* Both families keep the port at the same place. */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "one place for the port");
    memcpy(&in, address, sizeof in);
    return ntohs(in.sin_port);
}

int address_print(const struct sockaddr_storage *address, char *ret_text,
                  size_t room)
{
    char host[INET6_ADDRSTRLEN];
    bool six = address->ss_family == AF_INET6;
    const char *raw = (const char *)address;
    if (!six && address->ss_family != AF_INET) {
        return -EAFNOSUPPORT;
    }
    raw += six ? offsetof(struct sockaddr_in6, sin6_addr)
               : offsetof(struct sockaddr_in, sin_addr);
    inet_ntop(address->ss_family, raw, host, sizeof host);
    int n = snprintf(ret_text, room, six ? "[%s]:%u" : "%s:%u", host,
                     address_port(address));
    return n < 0 || (size_t)n >= room ? -ENOSPC : 0;
}
