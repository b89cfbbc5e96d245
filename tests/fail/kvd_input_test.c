/* SPDX-License-Identifier: MIT */
/*
 * kvd_input_test.c -- what hostile or broken clients send: each gets a clear
 * answer, the others are not disturbed, nothing leaks.
 *
 * KVD_RANDOM_STRINGS: how many random strings are answered (1,000,000; a
 * twentieth of that under sanitizers).
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_process.h"

#include <sys/resource.h>

static struct kvd_process kvd;
static char folder[64];
static struct kvd_client witness; /* connected all the time */

/* How long a request may take to become whole: longer than a busy machine
 * keeps a client waiting, but where it is the subject. */
static const char *client_timeout_ms = "60000";

static void start(void)
{
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(kvd_start(&kvd, kvd_program(), "--port", "0", "--dir", folder,
                        "--max-clients", "8", "--client-timeout-ms",
                        client_timeout_ms) == 0,
              "%s", kvd.said);
    cr_assert(kvd_connect(&witness, kvd.port) == 0);
}

/* Others are not disturbed: the witness asks, on its old connection. */
static void ask_witness(void)
{
    struct kvd_reply reply;
    cr_assert(kvd_ask(&witness, &reply, "SET", "witness", "here") == 0);
    cr_assert(kvd_is(&reply, "OK"), "%.80s", reply.text);
    cr_assert(kvd_ask(&witness, &reply, "GET", "witness") == 0);
    cr_assert(kvd_is(&reply, "here"), "%.80s", reply.text);
}

static void stop(void)
{
    char text[4096];
    ask_witness();
    kvd_disconnect(&witness);
    int status = kvd_stop(&kvd);
    cr_assert(status == 0, "status %d: %s", status,
              kvd_stderr(&kvd, text, sizeof text));
    cr_assert(strstr(kvd.said, "balanced=yes") != NULL, "%s", kvd.said);
    cr_assert(kvd_field(&kvd, "leaked_tasks") == 0, "%s", kvd.said);
    cr_assert(kvd_field(&kvd, "leaked_fds") == 0, "%s", kvd.said);
    kvd_forget(&kvd);
    kvd_remove_folder(folder);
}

/* The connection must be closed by the server, with nothing more to read. */
static bool is_closed(struct kvd_client *client)
{
    struct kvd_reply reply;
    int err = kvd_read(client, &reply);
    return err == -EPIPE || err == -ECONNRESET;
}

struct case_of_input {
    const char *bytes;
    size_t len;
    const char *answer;
};

#define INPUT(bytes_, answer_)              \
    {                                       \
        bytes_, sizeof(bytes_) - 1, answer_ \
    }

/* Goal: bytes that are no request are answered and the connection closed.
 * Method: a table of them, with the sentence of each. */
Test(kvd_input, a_malformed_request_is_answered_then_closed, .timeout = 280)
{
    static const struct case_of_input cases[] = {
        INPUT("*abc\r\n", "ERR Protocol error"),
        INPUT("*1\r\n+PING\r\n", "ERR Protocol error"),
        INPUT("*1\r\n$-5\r\n", "ERR Protocol error"),
        INPUT("*1\r\n$99999999999\r\n", "ERR Protocol error"),
        INPUT("*99999999999\r\n", "ERR Protocol error"),
        INPUT("*1\r\n$4\r\nPINGxx", "ERR Protocol error"),
        INPUT("GET \"unbalanced\r\n", "ERR Protocol error"),
    };
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kvd_client client;
        struct kvd_reply reply;
        cr_assert(kvd_connect(&client, kvd.port) == 0);
        cr_assert(kvd_send(&client, cases[i].bytes, cases[i].len) == 0);
        int err = kvd_read(&client, &reply);
        cr_assert(err == 0, "case %zu: %s", i, strerror(-err));
        cr_assert(reply.kind == '-' && kvd_is(&reply, cases[i].answer),
                  "case %zu: %.80s", i, reply.text);
        cr_assert(is_closed(&client), "case %zu was not closed", i);
        kvd_disconnect(&client);
        ask_witness();
    }
    stop();
}

/* Goal: a reply that comes before a malformed request is not lost with it.
 * Method: both in one segment. */
Test(kvd_input, requests_before_a_malformed_one_are_answered, .timeout = 280)
{
    static const char bytes[] = "PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n!\r\n";
    struct kvd_client client;
    struct kvd_reply reply;
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    cr_assert(kvd_send(&client, bytes, sizeof bytes - 1) == 0);
    for (int i = 0; i < 2; i++) {
        cr_assert(kvd_read(&client, &reply) == 0);
        cr_assert(kvd_is(&reply, "PONG"));
    }
    cr_assert(kvd_read(&client, &reply) == 0);
    cr_assert(kvd_is(&reply, "ERR Protocol error"), "%.80s", reply.text);
    cr_assert(is_closed(&client));
    kvd_disconnect(&client);
    stop();
}

/* Goal: a request that never becomes whole does not hold its task for ever.
 * Method: send the beginning, wait.  The time is 2 s: longer than a busy
 * machine takes for the other replies, which are due in it, too. */
Test(kvd_input, a_truncated_request_is_cut_off_in_time, .timeout = 280)
{
    static const char half[] = "*2\r\n$3\r\nGET\r\n$10\r\nabc";
    struct kvd_client client;
    client_timeout_ms = "2000";
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    int64_t begun = kvd_now_us();
    cr_assert(kvd_send(&client, half, sizeof half - 1) == 0);
    cr_assert(is_closed(&client));
    cr_assert(kvd_now_us() - begun >= 2000000, "cut off too early");
    kvd_disconnect(&client);
    stop();
    cr_assert(kvd_field(&kvd, "connections_cancelled") == 1, "%s", kvd.said);
}

/* Goal: a line without an end is refused at its limit, not collected.
 * Method: send letters until kvd has had enough. */
Test(kvd_input, an_endless_line_is_refused, .timeout = 280)
{
    static char letters[1 << 16];
    struct kvd_client client;
    struct kvd_reply reply;
    memset(letters, 'a', sizeof letters);
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    int err = 0;
    for (int i = 0; i < 16 && err == 0; i++) {
        err = kvd_send(&client, letters, sizeof letters);
    }
    cr_assert(kvd_read(&client, &reply) == 0);
    cr_assert(kvd_is(&reply, "ERR Protocol error"), "%.80s", reply.text);
    kvd_disconnect(&client);
    stop();
}

/* Goal: neither a declared size nor an endless stream costs memory without
 * bound.  Method: arguments up to the limit of a request, and beyond. */
Test(kvd_input, an_endless_request_is_refused_at_its_limit, .timeout = 280)
{
    static char chunk[1 << 20];
    struct kvd_client client;
    struct kvd_reply reply;
    char head[32];
    start();
    long before = kvd_rss_kib(&kvd);
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    int len = snprintf(head, sizeof head, "$%zu\r\n", sizeof chunk - 2);
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    int err = kvd_send(&client, "*1000000\r\n", 10);
    for (int i = 0; i < 200 && err == 0; i++) {
        err = kvd_send(&client, head, (size_t)len);
        if (err == 0) {
            err = kvd_send(&client, chunk, sizeof chunk);
        }
    }
    cr_assert(err < 0, "200 MiB of one request were taken");
    if (kvd_read(&client, &reply) == 0) {
        cr_assert(kvd_is(&reply, "ERR Protocol error"), "%.80s", reply.text);
    }
    kvd_disconnect(&client);
    long more = kvd_rss_kib(&kvd) - before;
    cr_assert(more < 256 * 1024 + KVD_RSS_EXTRA_KIB, "kvd grew by %ld KiB",
              more);
    stop();
}

/* Goal: many arguments, many keys and long values within the limits work.
 * Method: one MSET of 20,000 keys, one value of 8 MiB. */
Test(kvd_input, large_requests_within_the_limits_are_served, .timeout = 280)
{
    enum { KEYS = 20000, ROOM = 1 << 20 };
    struct kvd_client client;
    struct kvd_reply reply;
    char *request = malloc(ROOM + (8 << 20));
    start();
    size_t len =
        (size_t)sprintf(request, "*%d\r\n$4\r\nMSET\r\n", 1 + 2 * KEYS);
    for (int i = 0; i < KEYS; i++) {
        len +=
            (size_t)sprintf(request + len, "$8\r\nkey%05d\r\n$1\r\nv\r\n", i);
    }
    cr_assert(len < ROOM);
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    cr_assert(kvd_send(&client, request, len) == 0);
    cr_assert(kvd_read(&client, &reply) == 0);
    cr_assert(kvd_is(&reply, "OK"), "%.80s", reply.text);
    cr_assert(kvd_ask(&client, &reply, "DBSIZE") == 0);
    cr_assert(reply.value == KEYS, "%.80s", reply.text);
    len = (size_t)sprintf(request, "*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n$%d\r\n",
                          8 << 20);
    memset(request + len, 'y', 8 << 20);
    memcpy(request + len + (8 << 20), "\r\n", 2);
    cr_assert(kvd_send(&client, request, len + (8 << 20) + 2) == 0);
    cr_assert(kvd_read(&client, &reply) == 0);
    cr_assert(kvd_is(&reply, "OK"), "%.80s", reply.text);
    cr_assert(kvd_ask(&client, &reply, "STRLEN", "long") == 0);
    cr_assert(reply.value == 8 << 20);
    kvd_disconnect(&client);
    free(request);
    stop();
}

static void set_letters(struct kvd_client *client, const char *key, char letter,
                        size_t len)
{
    struct kvd_reply reply;
    char head[64];
    char *value = malloc(len + 2);
    int head_len =
        snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n",
                 strlen(key), key, len);
    memset(value, letter, len);
    memcpy(value + len, "\r\n", 2);
    cr_assert(kvd_send(client, head, (size_t)head_len) == 0);
    cr_assert(kvd_send(client, value, len + 2) == 0);
    cr_assert(kvd_read(client, &reply) == 0);
    cr_assert(kvd_is(&reply, "OK"), "%.80s", reply.text);
    free(value);
}

static void must_be_letters(struct kvd_client *client, char letter, size_t len)
{
    struct kvd_reply reply;
    cr_assert(kvd_read(client, &reply) == 0);
    cr_assert(reply.kind == '$' && reply.text_len == len, "%c%.60s", reply.kind,
              reply.text);
    cr_assert(reply.text[0] == letter && reply.text[len - 1] == letter,
              "got %c, not %c", reply.text[0], letter);
}

/* Goal: replies that are large together come in order and are never in memory
 * together.  Method: one pipeline that asks for 200 MiB. */
Test(kvd_input, large_replies_come_in_order_and_one_by_one, .timeout = 280)
{
    enum { REQUESTS = 200, BIG = 1 << 20, KEYS = 8 };
    static char request[REQUESTS * 64];
    struct kvd_client client;
    struct kvd_reply reply;
    char keys[KEYS][16];
    size_t len = 0;
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "big%d", i);
        set_letters(&client, keys[i], (char)('a' + i), BIG);
    }
    set_letters(&client, "small", 's', 5);
    long before = kvd_rss_kib(&kvd);
    for (int i = 0; i < REQUESTS; i++) {
        const char *one = keys[i % KEYS];
        const char *two = keys[(i * 3 + 1) % KEYS];
        bool is_many = i % 2 == 0;
        len =
            kvd_encode(request, len, sizeof request, is_many ? 4 : 2,
                       (const char *[]){is_many ? "MGET" : "GET",
                                        is_many ? one : "small", "small", two});
    }
    cr_assert(kvd_send(&client, request, len) == 0);
    long most = 0;
    for (int i = 0; i < REQUESTS; i++) {
        if (i % 2 == 0) {
            cr_assert(kvd_read(&client, &reply) == 0);
            cr_assert(reply.kind == '*' && reply.value == 3, "%.80s",
                      reply.text);
            must_be_letters(&client, (char)('a' + i % KEYS), BIG);
            must_be_letters(&client, 's', 5);
            must_be_letters(&client, (char)('a' + (i * 3 + 1) % KEYS), BIG);
        } else {
            must_be_letters(&client, 's', 5);
        }
        long now = kvd_rss_kib(&kvd) - before;
        most = now > most ? now : most;
    }
    kvd_disconnect(&client);
    cr_assert(most < 64 * 1024 + KVD_RSS_EXTRA_KIB, "kvd grew by %ld KiB",
              most);
    stop();
}

/* --- random bytes ------------------------------------------------------- */

static uint64_t dice;

static unsigned roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 16);
}

/* Some of them look like the beginning of something. */
static size_t random_string(char *to)
{
    static const char *const starts[] = {
        "*3\r\n$3\r\nSET\r\n",
        "*1\r\n$4\r\n",
        "*2\r\n",
        "GET ",
        "SET a ",
        "INFO ",
        "\"",
        "$5\r\n",
    };
    size_t len = 0;
    bool is_tame = roll() % 16 != 0; /* no quotes, which end most lives */
    if (!is_tame) {
        const char *start_of = starts[roll() % 8];
        len = strlen(start_of);
        memcpy(to, start_of, len);
    }
    for (unsigned more = roll() % 40; more > 0; more--) {
        char byte = (char)roll();
        to[len++] = is_tame && strchr("*\"'", byte) != NULL ? '.' : byte;
    }
    memcpy(to + len, "\r\n", 2);
    return len + 2;
}

/* Sends so many random strings over a connection of its own.  How many were
 * answered: those behind a protocol error are not looked at any more. */
static long send_random_strings(int count)
{
    static char request[1 << 16];
    struct kvd_client client;
    size_t len = 0;
    long answered = 0;
    int err;
    for (int i = 0; i < count; i++) {
        len += random_string(request + len);
    }
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    kvd_send(&client, request, len);
    shutdown(client.fd, SHUT_WR);
    while ((err = kvd_receive(&client)) == 0) {
        for (; client.at < client.len; client.at++) {
            answered += client.in[client.at] == '\n';
        }
    }
    cr_assert(err != -ETIMEDOUT, "a connection was left hanging");
    kvd_disconnect(&client);
    return answered;
}

/* Goal: no bytes at all disturb kvd.  Method: random strings, until so many
 * were answered; the witness asks in between. */
Test(kvd_input, random_strings_disturb_nobody, .timeout = 280)
{
    enum { BATCH = 32 };
    const char *set = getenv("KVD_RANDOM_STRINGS");
    long wanted = set != NULL ? atol(set) : 1000000;
    long answered = 0;
#if defined(TEST_UNDER_TSAN) || defined(TEST_UNDER_ASAN)
    wanted /= 20;
#else
    wanted = set != NULL ? wanted : test_rounds(wanted);
#endif
    dice = (uint64_t)kvd_now_us() | 1;
    cr_log_info("seed %llu\n", (unsigned long long)dice);
    start();
    for (long round = 0; answered < wanted; round++) {
        answered += send_random_strings(BATCH);
        if (round % 1000 == 0) {
            ask_witness();
        }
    }
    stop();
}

/* --- too many ----------------------------------------------------------- */

/* Goal: a client over the limit is told so; the others stay, and a seat that
 * is given up is taken again.  Method: 8 seats, the witness has one. */
Test(kvd_input, a_client_over_the_limit_is_told_so, .timeout = 280)
{
    struct kvd_client seats[8];
    struct kvd_reply reply;
    start();
    for (int i = 0; i < 7; i++) {
        cr_assert(kvd_connect(&seats[i], kvd.port) == 0);
        cr_assert(kvd_ask(&seats[i], &reply, "PING") == 0);
        cr_assert(kvd_is(&reply, "PONG"), "%.80s", reply.text);
    }
    for (int i = 0; i < 20; i++) {
        cr_assert(kvd_connect(&seats[7], kvd.port) == 0);
        cr_assert(kvd_ask(&seats[7], &reply, "PING") == 0);
        cr_assert(kvd_is(&reply, "ERR max number of clients reached"), "%.80s",
                  reply.text);
        cr_assert(is_closed(&seats[7]));
        kvd_disconnect(&seats[7]);
    }
    kvd_disconnect(&seats[0]);
    bool is_in = false;
    for (int i = 0; i < KVD_TIMEOUT_MS / 10 && !is_in; i++) {
        cr_assert(kvd_connect(&seats[0], kvd.port) == 0);
        cr_assert(kvd_ask(&seats[0], &reply, "PING") == 0);
        is_in = kvd_is(&reply, "PONG");
        if (!is_in) {
            kvd_disconnect(&seats[0]);
            kvd_pause_ms(10); /* its task may be on a worker that waits */
        }
    }
    cr_assert(is_in, "the seat stayed empty");
    for (int i = 0; i < 7; i++) {
        kvd_disconnect(&seats[i]);
    }
    stop();
    cr_assert(kvd_field(&kvd, "connections_refused") >= 20, "%s", kvd.said);
}

static void allow_few_files(void)
{
    struct rlimit limit = {48, 48};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        _exit(126);
    }
}

/* Goal: without file descriptors kvd waits instead of spinning, says so once,
 * and takes the next client when there are some again.  Method: a limit. */
Test(kvd_input, running_out_of_descriptors_is_survived, .timeout = 280)
{
    enum { CLIENTS = 100 };
    static struct kvd_client clients[CLIENTS];
    struct kvd_reply reply;
    char said[4096] = "";
    cr_assert(kvd_make_folder(folder) != NULL);
    kvd.prepare = allow_few_files;
    cr_assert(kvd_start(&kvd, kvd_program(), "--port", "0", "--dir", folder) ==
              0);
    cr_assert(kvd_connect(&witness, kvd.port) == 0);
    ask_witness();
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(kvd_connect(&clients[i], kvd.port) == 0);
    }
    for (int i = 0; i < KVD_TIMEOUT_MS / 10 &&
                    strstr(said, "cannot accept a connection") == NULL;
         i++) {
        kvd_pause_ms(10);
        kvd_stderr(&kvd, said, sizeof said);
    }
    ask_witness();
    for (int i = 0; i < CLIENTS; i++) {
        kvd_disconnect(&clients[i]);
    }
    cr_assert(kvd_connect(&clients[0], kvd.port) == 0);
    cr_assert(kvd_ask(&clients[0], &reply, "PING") == 0);
    cr_assert(kvd_is(&reply, "PONG"), "%.80s", reply.text);
    kvd_disconnect(&clients[0]);
    kvd_stderr(&kvd, said, sizeof said);
    const char *words = strstr(said, "cannot accept a connection");
    cr_assert(words != NULL, "%s", said);
    cr_assert(strstr(words + 1, "cannot accept") == NULL, "said twice: %s",
              said);
    stop();
}
