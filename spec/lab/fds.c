/* SPDX-License-Identifier: MIT */
/*
 * fds.c -- descriptors of the lab, signals, and the calls on both.
 *
 * Numbers start far above the system's own; whatever is below is passed on.
 */
#include "spec/lab/kernel.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spec/lab/os.h"

#undef malloc
#undef calloc
#undef free
#undef eventfd
#undef close
#undef write
#undef read
#undef sigaction

void lab_fds_begin(struct lab *lab)
{
    lab->fds = calloc(1, sizeof *lab->fds);
    ASSERT(lab->fds != NULL);
    lab->fds->next_port = 40000;
}

void lab_fds_end(struct lab *lab)
{
    for (int i = 0; i < LAB_FDS_MAX; i++) {
        if (lab->fds->fd[i] != NULL) {
            lab_fail("descriptor %d was left open", LAB_FD_BASE + i);
        }
    }
    if (lab->fds->system_open != 0) {
        lab_fail("%lld files were left open",
                 (long long)lab->fds->system_open);
    }
    free(lab->fds);
}

struct lab_fd *lab_fd_make(struct lab *lab, enum lab_fd_kind kind)
{
    for (int i = 0; i < LAB_FDS_MAX; i++) {
        if (lab->fds->fd[i] != NULL) {
            continue;
        }
        struct lab_fd *fd = calloc(1, sizeof *fd);
        ASSERT(fd != NULL);
        fd->kind = kind;
        fd->number = LAB_FD_BASE + i;
        fd->refs = 1;
        list_init(&fd->readers);
        list_init(&fd->writers);
        list_init(&fd->connectors);
        list_init(&fd->arriving);
        lab->fds->fd[i] = fd;
        return fd;
    }
    return NULL;
}

struct lab_fd *lab_fd_find(struct lab *lab, int number)
{
    int i = number - LAB_FD_BASE;
    return i >= 0 && i < LAB_FDS_MAX ? lab->fds->fd[i] : NULL;
}

struct lab_fd *lab_fd_ref(struct lab_fd *fd)
{
    fd->refs++;
    return fd;
}

void lab_fd_unref(struct lab_fd *fd)
{
    if (--fd->refs == 0) {
        free(fd->bytes);
        free(fd);
    }
}

int lab_close(int number)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? lab_fd_find(lab, number) : NULL;
    if (fd == NULL) {
        if (lab != NULL) {
            lab->fds->system_open--;
        }
        return close(number);
    }
    lab->fds->fd[number - LAB_FD_BASE] = NULL;
    fd->closed = true;
    if (fd->kind == LAB_FD_SOCKET) {
        lab_net_closed(lab, fd);
    }
    lab_fd_unref(fd);
    return 0;
}

int lab_eventfd(unsigned value, int flags)
{
    if (lab_self == NULL) {
        return eventfd(value, flags);
    }
    struct lab_fd *fd = lab_fd_make(lab_self, LAB_FD_EVENT);
    if (fd == NULL) {
        errno = EMFILE;
        return -1;
    }
    fd->count = value;
    return fd->number;
}

ssize_t lab_write(int number, const void *bytes, size_t len)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? lab_fd_find(lab, number) : NULL;
    if (fd == NULL) {
        return write(number, bytes, len);
    }
    ASSERT(fd->kind == LAB_FD_EVENT && len == sizeof(uint64_t));
    uint64_t n;
    memcpy(&n, bytes, sizeof n);
    fd->count += n;
    lab_ops_retry(lab, &fd->readers);
    return (ssize_t)len;
}

ssize_t lab_read(int number, void *bytes, size_t len)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? lab_fd_find(lab, number) : NULL;
    if (fd == NULL) {
        return read(number, bytes, len);
    }
    ASSERT(fd->kind == LAB_FD_EVENT && len == sizeof fd->count);
    if (fd->count == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(bytes, &fd->count, len);
    fd->count = 0;
    return (ssize_t)len;
}

/* --- signals --------------------------------------------------------------- */

int lab_sigaction(int signo, const struct sigaction *action,
                  struct sigaction *ret_old)
{
    if (lab_self == NULL) {
        return sigaction(signo, action, ret_old);
    }
    struct sigaction *now = &lab_self->fds->actions[signo];
    if (ret_old != NULL) {
        *ret_old = *now;
    }
    if (action != NULL) {
        *now = *action;
    }
    return 0;
}

void lab_raise(int signo)
{
    const struct sigaction *now = &lab_self->fds->actions[signo];
    if (now->sa_handler == SIG_DFL) {
        lab_fail("signal %d arrives, and nobody handles it", signo);
    }
    if (now->sa_handler != SIG_IGN) {
        now->sa_handler(signo);
    }
}
