/* SPDX-License-Identifier: MIT */
/*
 * overflow.c -- which task overflowed, said from a signal handler.
 *
 * Everything below handle() is async-signal-safe: it reads this thread's arena
 * (whose owner is interrupted, but links a chunk only when it is complete),
 * formats into a local array, and calls write(), sigaction() and raise().
 *
 * The handler can be reached in three ways after the last uninstall: never (the
 * previous action is back), or through somebody who installed a handler after
 * us and calls ours.  `linked` remembers the latter: while it holds, `previous`
 * must not change, and a new install has nothing to do but to count.
 */
#include "src/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIGNAL_STACK_MIN ((size_t)64 << 10)
#define NAME_MAX_LEN 96

static const int signals[] = {SIGSEGV, SIGBUS};

/* lock guards users and linked.  previous is written under it, and only while
 * no handler of ours can run. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static bool linked;
static struct sigaction previous[ARRAY_LEN(signals)];

struct thread_state {
    struct stack_arena *arena;
    void (*describe)(struct stack *stack, char *buf, size_t len);
    void *map; /* guard page, then the signal stack; NULL if not ours */
    size_t map_size;
};

/* Initial-exec: the handler must not be the one to allocate it. */
static _Thread_local struct thread_state self
    __attribute__((tls_model("initial-exec")));

static void handle(int signal_number, siginfo_t *info, void *context);

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 &&
           action->sa_sigaction == handle;
}

static int install_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (sigaction(signals[i], NULL, &previous[i]) != 0) {
            return -errno;
        }
        /* The previous handler, called from ours, finds the signals blocked
         * that it asked for. */
        struct sigaction ours = {
            .sa_sigaction = handle,
            .sa_mask = previous[i].sa_mask,
            .sa_flags = SA_SIGINFO | SA_ONSTACK |
                        (previous[i].sa_flags & (SA_RESTART | SA_NODEFER)),
        };
        if (sigaction(signals[i], &ours, NULL) != 0) {
            return -errno;
        }
    }
    return 0;
}

static void uninstall_all(void)
{
    linked = false;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && is_ours(&now)) {
            sigaction(signals[i], &previous[i], NULL);
        } else {
            linked = true;
        }
    }
}

int overflow_install(void)
{
    int rc = 0;
    pthread_mutex_lock(&lock);
    if (users == 0 && !linked) {
        rc = install_all();
    }
    if (rc == 0) {
        users++;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void overflow_uninstall(void)
{
    pthread_mutex_lock(&lock);
    ASSERT(users > 0);
    users--;
    if (users == 0) {
        uninstall_all();
    }
    pthread_mutex_unlock(&lock);
}

static int signal_stack_init(void)
{
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0) {
        return 0; /* a sanitizer or the application gave it one */
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    long least = sysconf(_SC_MINSIGSTKSZ); /* grows with the vector registers */
    size_t size = SIGNAL_STACK_MIN;
    if (least > 0) {
        size += ((size_t)least + page - 1) / page * page;
    }
    char *map = mmap(NULL, page + size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return -ENOMEM;
    }
    stack_t ours = {.ss_sp = map + page, .ss_size = size};
    if (mprotect(map, page, PROT_NONE) != 0 || sigaltstack(&ours, NULL) != 0) {
        munmap(map, page + size);
        return -ENOMEM;
    }
    self.map = map;
    self.map_size = page + size;
    return 0;
}

int overflow_thread_init(struct stack_arena *arena,
                         void (*describe)(struct stack *stack, char *buf,
                                          size_t len))
{
    ASSERT(arena != NULL);
    ASSERT(self.arena == NULL);
    int rc = signal_stack_init();
    if (rc != 0) {
        return rc;
    }
    self.describe = describe;
    self.arena = arena;
    return 0;
}

void overflow_thread_fini(void)
{
    if (self.map != NULL) {
        stack_t off = {.ss_flags = SS_DISABLE};
        sigaltstack(&off, NULL);
        munmap(self.map, self.map_size);
    }
    self = (struct thread_state){0};
}

/* A text that grows to the right, and is cut where the room ends. */
struct text {
    char bytes[384];
    size_t len;
};

static void text_add(struct text *text, const char *words)
{
    for (; *words != '\0' && text->len < sizeof text->bytes - 1; words++) {
        bool plain = (unsigned char)*words >= ' ' && *words != 0x7f;
        text->bytes[text->len++] = plain ? *words : '?';
    }
}

static void text_add_number(struct text *text, size_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    text_add(text, &digits[at]);
}

static void report(struct stack *stack)
{
    char name[NAME_MAX_LEN] = "";
    if (self.describe != NULL) {
        self.describe(stack, name, sizeof name);
        name[sizeof name - 1] = '\0';
    }
    struct text text = {.len = 0};
    text_add(&text, "ambit: stack overflow in task \"");
    text_add(&text, name[0] != '\0' ? name : "?");
    text_add(&text, "\" (stack ");
    text_add_number(&text, self.arena->stack_size >> 10);
    text_add(&text, " KiB); give it a larger .stack_size, or keep large "
                    "arrays and deep recursion off its stack");
    text.bytes[text.len++] = '\n';
    RULE(TASK_STACK_1);
    ssize_t put = write(STDERR_FILENO, text.bytes, text.len);
    (void)put;
}

static const struct sigaction *previous_of(int signal_number)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(signals) && signals[i] != signal_number) {
        i++;
    }
    return &previous[i];
}

/* Passes a signal on that is none of our business. */
static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    const struct sigaction *action = previous_of(signal_number);
    bool is_fault = info->si_code > 0;
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        action->sa_sigaction(signal_number, info, context);
    } else if (action->sa_handler == SIG_IGN && !is_fault) {
        return;
    } else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(signal_number);
    } else {
        /* A fault repeats by itself when we return; a signal that somebody
         * sent is sent again, and waits until this handler ends. */
        struct sigaction fatal = {.sa_handler = SIG_DFL};
        sigaction(signal_number, &fatal, NULL);
        if (!is_fault) {
            raise(signal_number);
        }
    }
}

static void handle(int signal_number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool in_guard = false;
    struct stack *stack = NULL;
    if (info->si_code > 0 && self.arena != NULL) {
        stack = stack_find(self.arena, info->si_addr, &in_guard);
    }
    if (stack != NULL && in_guard) {
        report(stack);
        sigaction(signal_number, previous_of(signal_number), NULL);
    } else {
        pass_on(signal_number, info, context);
    }
    errno = saved;
}
