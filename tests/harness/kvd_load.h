/* SPDX-License-Identifier: MIT */
/*
 * kvd_load.h -- clients that remember what they were promised.
 *
 * Each client is a thread with one connection and keys of its own.  It sends
 * pipelines of SET, GET and INCR; each SET of a key carries the next number.
 *
 *     acked <= the number a later GET may show <= sent
 *     counted <= what a counter may show <= counted + unknown
 *
 * A write counts as acknowledged when its OK was read.  An error that says
 * the outcome is unknown, and a lost connection, leave it open; any other
 * error promises that it did not happen, and the counters check that.
 */
#ifndef AMBIT_TESTS_HARNESS_KVD_LOAD_H
#define AMBIT_TESTS_HARNESS_KVD_LOAD_H

#include "tests/harness/kvd_client.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LOAD_KEYS = 32,
    LOAD_DEPTH_MAX = 64,
    LOAD_CLIENTS_MAX = 64,
    LOAD_TIMES_MAX = 100000,
    LOAD_PADDING_MAX = 2000,
    LOAD_REQUEST_MAX = 128 + LOAD_PADDING_MAX,
};

struct load_client {
    struct load *load;
    int index;
    pthread_t thread;
    uint64_t acked[LOAD_KEYS];
    uint64_t sent[LOAD_KEYS];
    uint64_t counted;
    uint64_t unknown;
    uint64_t seed;
    /* what was heard */
    uint64_t answered;
    uint64_t busy;
    uint64_t told;    /* TRYAGAIN: the outcome is unknown */
    uint64_t refused; /* MISCONF, OOM */
    uint64_t wrong;   /* a reply that breaks a promise, or no sense */
    int error;        /* why the connection ended; 0: it was told to stop */
    char wrong_text[160];
    uint32_t *times_us; /* of pipelines, one in so many */
    size_t times_len;
};

struct load {
    int port;
    int depth;   /* requests in a pipeline */
    int padding; /* bytes added to each value; at most LOAD_PADDING_MAX */
    int len;
    _Atomic bool is_stopping;  /* ORDER(load-stop) */
    _Atomic bool was_answered; /* once, at least; ORDER(load-answered) */
    struct load_client clients[LOAD_CLIENTS_MAX];
};

struct load_slot {
    char kind; /* S, G or I */
    int key;
    uint64_t number;
};

static inline uint64_t load_random(struct load_client *c)
{
    c->seed ^= c->seed << 13;
    c->seed ^= c->seed >> 7;
    c->seed ^= c->seed << 17;
    return c->seed;
}

static inline void load_wrong(struct load_client *c, const char *what,
                              const struct load_slot *slot,
                              const struct kvd_reply *reply)
{
    if (c->wrong++ == 0) {
        snprintf(c->wrong_text, sizeof c->wrong_text,
                 "%s: %c load:%d:%d %llu (acked %llu, sent %llu) got %c%.40s",
                 what, slot->kind, c->index, slot->key,
                 (unsigned long long)slot->number,
                 (unsigned long long)c->acked[slot->key],
                 (unsigned long long)c->sent[slot->key], reply->kind,
                 reply->text != NULL ? reply->text : "");
    }
}

static inline size_t load_compose(struct load_client *c,
                                  struct load_slot *slots, char *to,
                                  size_t room)
{
    size_t at = 0;
    for (int i = 0; i < c->load->depth; i++) {
        char key[32];
        char value[48 + LOAD_PADDING_MAX];
        uint64_t dice = load_random(c);
        struct load_slot *slot = &slots[i];
        slot->key = (int)(dice >> 8) & (LOAD_KEYS - 1);
        slot->kind = dice % 5 < 3 ? 'S' : dice % 5 == 3 ? 'G' : 'I';
        snprintf(key, sizeof key, "load:%d:%d", c->index, slot->key);
        if (slot->kind == 'S') {
            slot->number = ++c->sent[slot->key];
            snprintf(value, sizeof value, "%llu:%s:%0*d",
                     (unsigned long long)slot->number, key, c->load->padding,
                     0);
            at = kvd_encode(to, at, room, 3,
                            (const char *[]){"SET", key, value});
        } else if (slot->kind == 'G') {
            at = kvd_encode(to, at, room, 2, (const char *[]){"GET", key});
        } else {
            snprintf(key, sizeof key, "count:%d", c->index);
            at = kvd_encode(to, at, room, 2, (const char *[]){"INCR", key});
        }
    }
    return at;
}

/* An error: what does it promise? */
static inline void load_hear_error(struct load_client *c,
                                   const struct load_slot *slot,
                                   const struct kvd_reply *reply)
{
    if (kvd_is(reply, "TRYAGAIN")) {
        c->told++;
        c->unknown += slot->kind == 'I';
    } else if (kvd_is(reply, "BUSY")) {
        c->busy++;
    } else if (kvd_is(reply, "MISCONF") || kvd_is(reply, "OOM")) {
        c->refused++;
    } else {
        load_wrong(c, "unexpected error", slot, reply);
    }
}

static inline void load_hear(struct load_client *c,
                             const struct load_slot *slot,
                             const struct kvd_reply *reply)
{
    uint64_t *acked = &c->acked[slot->key];
    if (reply->kind == '-') {
        load_hear_error(c, slot, reply);
        return;
    }
    c->answered++;
    /* ORDER(load-answered): relaxed.  Pairs with load_wait_answered(). */
    atomic_store_explicit(&c->load->was_answered, true, memory_order_relaxed);
    if (slot->kind == 'S') {
        if (!kvd_is(reply, "OK")) {
            load_wrong(c, "SET", slot, reply);
        }
        *acked = slot->number;
    } else if (slot->kind == 'I') {
        c->counted++;
        uint64_t shown = (uint64_t)reply->value;
        if (reply->kind != ':' || shown < c->counted ||
            shown > c->counted + c->unknown) {
            load_wrong(c, "INCR", slot, reply);
        }
    } else {
        uint64_t shown = reply->value < 0 ? 0 : strtoull(reply->text, NULL, 10);
        if (reply->kind != '$' || shown < *acked ||
            shown > c->sent[slot->key]) {
            load_wrong(c, "GET", slot, reply);
        }
    }
}

static inline void load_note_time(struct load_client *c, int64_t us)
{
    if (c->times_us == NULL) {
        c->times_us = malloc(LOAD_TIMES_MAX * sizeof *c->times_us);
    }
    if (c->times_us != NULL && c->times_len < LOAD_TIMES_MAX) {
        c->times_us[c->times_len++] = (uint32_t)us;
    }
}

/* One pipeline, there and back.  0 or -errno. */
static inline int load_round(struct load_client *c, struct kvd_client *link)
{
    struct load_slot slots[LOAD_DEPTH_MAX];
    char request[LOAD_DEPTH_MAX * LOAD_REQUEST_MAX];
    int64_t begun = kvd_now_us();
    size_t len = load_compose(c, slots, request, sizeof request);
    int err = kvd_send(link, request, len);
    for (int i = 0; i < c->load->depth; i++) {
        struct kvd_reply reply;
        if (err == 0) {
            err = kvd_read(link, &reply);
        }
        if (err == 0) {
            load_hear(c, &slots[i], &reply);
        } else {
            c->unknown += slots[i].kind == 'I';
        }
    }
    load_note_time(c, kvd_now_us() - begun);
    return err;
}

static inline void *load_thread(void *arg)
{
    struct load_client *c = arg;
    struct kvd_client link;
    int err = kvd_connect(&link, c->load->port);
    /* ORDER(load-stop): relaxed.  Pairs with load_stop(), which joins. */
    while (err == 0 &&
           !atomic_load_explicit(&c->load->is_stopping, memory_order_relaxed)) {
        err = load_round(c, &link);
    }
    c->error = err;
    kvd_disconnect(&link);
    return NULL;
}

/* Zeroed before the first start; keeps what it knows over several. */
static inline int load_start(struct load *load, int port, int clients,
                             int depth)
{
    load->port = port;
    load->depth = depth;
    load->len = clients;
    /* ORDER(load-stop): relaxed, before the threads exist. */
    atomic_store_explicit(&load->is_stopping, false, memory_order_relaxed);
    for (int i = 0; i < clients; i++) {
        struct load_client *c = &load->clients[i];
        c->load = load;
        c->index = i;
        c->seed += 0x9e3779b97f4a7c15 * (uint64_t)(i + 1);
        int err = pthread_create(&c->thread, NULL, load_thread, c);
        if (err != 0) {
            return -err;
        }
    }
    return 0;
}

/* Waits until a request was answered, in this round or before; false: none was,
 * in good time. */
static inline bool load_wait_answered(struct load *load)
{
    for (int i = 0; i < KVD_TIMEOUT_MS; i++) {
        /* ORDER(load-answered): relaxed.  A flag only. */
        if (atomic_load_explicit(&load->was_answered, memory_order_relaxed)) {
            return true;
        }
        kvd_pause_ms(1);
    }
    return false;
}

/* Waits for those that were cut off too. */
static inline void load_stop(struct load *load)
{
    /* ORDER(load-stop): relaxed.  Pairs with load_thread(): a flag only. */
    atomic_store_explicit(&load->is_stopping, true, memory_order_relaxed);
    for (int i = 0; i < load->len; i++) {
        pthread_join(load->clients[i].thread, NULL);
    }
}

static inline void load_free(struct load *load)
{
    for (int i = 0; i < load->len; i++) {
        free(load->clients[i].times_us);
    }
}

/* --- reading back ------------------------------------------------------- */

static inline int load_verify_key(struct load_client *c,
                                  struct kvd_client *link, int key,
                                  uint64_t *lost)
{
    struct kvd_reply reply;
    char name[32];
    snprintf(name, sizeof name, "load:%d:%d", c->index, key);
    int err = kvd_ask(link, &reply, "GET", name);
    if (err < 0 || reply.kind != '$') {
        return err < 0 ? err : -EPROTO;
    }
    uint64_t shown = reply.value < 0 ? 0 : strtoull(reply.text, NULL, 10);
    bool is_lost = shown < c->acked[key] || shown > c->sent[key];
    if (is_lost) {
        struct load_slot slot = {'G', key, 0};
        load_wrong(c, "read back", &slot, &reply);
    }
    *lost += is_lost;
    c->acked[key] = shown; /* whoever read it may rely on it */
    return 0;
}

static inline int load_verify_count(struct load_client *c,
                                    struct kvd_client *link, uint64_t *lost)
{
    struct kvd_reply reply;
    char name[32];
    snprintf(name, sizeof name, "count:%d", c->index);
    int err = kvd_ask(link, &reply, "GET", name);
    if (err < 0 || reply.kind != '$') {
        return err < 0 ? err : -EPROTO;
    }
    uint64_t shown = reply.value < 0 ? 0 : strtoull(reply.text, NULL, 10);
    bool is_lost = shown < c->counted || shown > c->counted + c->unknown;
    if (is_lost) {
        struct load_slot slot = {'I', 0, c->counted};
        load_wrong(c, "counter read back", &slot, &reply);
    }
    *lost += is_lost;
    c->counted = shown;
    c->unknown = 0;
    return 0;
}

/* Reads everything back; *ret_lost: promises that were not kept, of
 * *ret_keys.  0 or -errno. */
static inline int load_verify(struct load *load, int port, uint64_t *ret_keys,
                              uint64_t *ret_lost)
{
    struct kvd_client link;
    *ret_keys = 0;
    *ret_lost = 0;
    int err = kvd_connect(&link, port);
    for (int i = 0; i < load->len && err == 0; i++) {
        struct load_client *c = &load->clients[i];
        for (int key = 0; key < LOAD_KEYS && err == 0; key++) {
            err = load_verify_key(c, &link, key, ret_lost);
            ++*ret_keys;
        }
        if (err == 0) {
            err = load_verify_count(c, &link, ret_lost);
            ++*ret_keys;
        }
    }
    kvd_disconnect(&link);
    return err;
}

/* --- sums --------------------------------------------------------------- */

#define load_sum(load, field)                      \
    (__extension__({                               \
        uint64_t sum_ = 0;                         \
        for (int i_ = 0; i_ < (load)->len; i_++) { \
            sum_ += (load)->clients[i_].field;     \
        }                                          \
        sum_;                                      \
    }))

static inline const char *load_wrong_text(const struct load *load)
{
    for (int i = 0; i < load->len; i++) {
        if (load->clients[i].wrong > 0) {
            return load->clients[i].wrong_text;
        }
    }
    return "";
}

static inline int load_compare_times(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The pipeline times in order; `percent` of them were at most the result. */
static inline uint32_t load_percentile_us(const struct load *load, int percent)
{
    size_t total = 0;
    uint32_t *all = malloc((size_t)load->len * LOAD_TIMES_MAX * sizeof *all);
    uint32_t result = 0;
    for (int i = 0; all != NULL && i < load->len; i++) {
        const struct load_client *c = &load->clients[i];
        if (c->times_len > 0) {
            memcpy(all + total, c->times_us, c->times_len * sizeof *all);
            total += c->times_len;
        }
    }
    if (total > 0) {
        qsort(all, total, sizeof *all, load_compare_times);
        result = all[(total - 1) * (size_t)percent / 100];
    }
    free(all);
    return result;
}

#endif
