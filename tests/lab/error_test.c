/* SPDX-License-Identifier: MIT */
/*
 * error_test.c -- each error of each operation, and who is told: IO-ERROR-1.
 *
 * One program makes each call once.  Each of its operations is given each error
 * of its table; then the call it belongs to must have answered with that.
 */
#include "tests/lab/conduct.h"
#undef Spec

#include "tests/harness/test.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <unistd.h>

/* What the calls of one run have answered; in the child process. */
static struct {
    int code;
    int64_t result;
} calls[16];
static unsigned called;
static char path[64];

static int64_t note(int code, int64_t result)
{
    if (called < ARRAY_LEN(calls)) {
        calls[called].code = code;
        calls[called++].result = result;
    }
    return result;
}

static void talk(ambit_cx *cx, ambit_tcp *here, ambit_tcp *there)
{
    char byte = 'x';
    if (note(IORING_OP_SEND, ambit_tcp_write(cx, here, &byte, 1)) == 1) {
        note(IORING_OP_RECV, ambit_tcp_read(cx, there, &byte, 1));
    }
}

static int call_net(ambit_cx *cx)
{
    ambit_tcp *listener, *here, *there;
    char address[64];
    int rc = ambit_tcp_listen("127.0.0.1:0", &listener);
    if (rc < 0) {
        return rc;
    }
    ambit_expect(ambit_tcp_local(listener, address, sizeof address) == 0);
    if (note(IORING_OP_CONNECT, ambit_tcp_connect(cx, address, &here)) == 0) {
        if (note(IORING_OP_ACCEPT,
                 ambit_tcp_accept(cx, listener, &there)) == 0) {
            talk(cx, here, there);
            ambit_tcp_discard(there);
        }
        ambit_tcp_discard(here);
    }
    ambit_tcp_discard(listener);
    return 0;
}

static int call_file(ambit_cx *cx)
{
    ambit_file *file;
    char byte = 'x';
    if (note(IORING_OP_OPENAT, ambit_file_open(cx, path, O_RDWR | O_CREAT,
                                               0600, &file)) == 0) {
        note(IORING_OP_WRITE, ambit_file_write(cx, file, &byte, 1, 0));
        note(IORING_OP_READ, ambit_file_read(cx, file, &byte, 1, 0));
        note(IORING_OP_FSYNC, ambit_file_sync(cx, file));
        ambit_file_discard(file);
    }
    return 0;
}

static int each_call(ambit_cx *cx, void *arg)
{
    (void)arg;
    called = 0;
    int rc = call_net(cx);
    return rc < 0 ? rc : call_file(cx);
}

/* An interrupted call, and one on a socket that is not ready, is repeated. */
static bool is_repeated(int code, int error)
{
    bool of_socket = code == IORING_OP_RECV || code == IORING_OP_SEND ||
                     code == IORING_OP_ACCEPT || code == IORING_OP_CONNECT;
    return error == EINTR || (error == EAGAIN && of_socket);
}

static bool is_answered(int code, int error)
{
    bool all_good = called == 8, told = false;
    for (unsigned i = 0; i < called; i++) {
        all_good = all_good && calls[i].result >= 0;
        told = told || (calls[i].code == code && calls[i].result == -error);
    }
    return is_repeated(code, error) ? all_good : told;
}

static bool error_arrives(struct exploration *e, uint64_t op, unsigned i)
{
    unsigned len = 0;
    e->shared->inject =
        (struct lab_injection){.op_at = op, .way = LAB_WAY_ERROR, .error = i};
    run_base(e, 0);
    int code = e->shared->code_meant;
    const int *errors = lab_errors_of((uint8_t)code, &len);
    if (!e->shared->failed && !is_answered(code, errors[i])) {
        snprintf(e->shared->text, sizeof e->shared->text,
                 "operation %d failed with %s, and its call did not say so",
                 code, strerrorname_np(errors[i]));
        e->shared->failed = true;
    }
    return !e->shared->failed && i + 1 < len;
}

static void each_error(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    run_base(e, 0);
    uint64_t n = e->shared->ops_meant;
    for (uint64_t op = 1; op <= n; op++) {
        unsigned i = 0;
        do {
            c->ret->hits++;
        } while (error_arrives(e, op, i++));
        if (e->shared->failed) {
            return;
        }
    }
    c->ret->places = n;
}

/* Goal: a call says what the kernel said.
 * Method: every error of the table of each of the eight operations. */
Spec(IO_ERROR_1, each_error_of_each_operation_reaches_its_caller)
{
    const struct scenario one = {"each_call", each_call, 1, 0}, *s = &one;
    struct figures figures = {0}, *ret = &figures;
    struct op_table *table = NULL;
    uint64_t size = 1;
    const char *tmp = getenv("TMPDIR");
    CAMPAIGN(.e.kernel.may_fail = true);
    snprintf(path, sizeof path, "%s/ambit-error-%d",
             tmp != NULL && strlen(tmp) < 32 ? tmp : P_tmpdir, (int)getpid());
    disturbed = true;
    conduct(&c, each_error);
    unlink(path);
    cr_assert(!figures.failed, "%s", figures.text);
    cr_assert(figures.places == 8);
    cr_assert(figures.hits > 40);
}
