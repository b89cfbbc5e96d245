/* SPDX-License-Identifier: MIT */
/*
 * redis_tools_test.c -- redis-cli and redis-benchmark against kvd, unchanged.
 *
 * KVD_BENCHMARK_REQUESTS (200000) each; a tenth of that under sanitizers.
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_process.h"

static bool is_installed(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

/* What a command prints, both ways; its status. */
static int run(const char *command, char *text, size_t room)
{
    size_t len = 0;
    FILE *out = popen(command, "r");
    cr_assert(out != NULL);
    while (len < room - 1) {
        size_t n = fread(text + len, 1, room - 1 - len, out);
        if (n == 0) {
            break;
        }
        len += n;
    }
    text[len] = '\0';
    return pclose(out);
}

static void start(struct kvd_process *kvd, char folder[64])
{
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(kvd_start(kvd, kvd_program(), "--port", "0", "--dir", folder) ==
              0);
}

static void stop(struct kvd_process *kvd, const char *folder)
{
    cr_assert(kvd_stop(kvd) == 0);
    cr_assert(strstr(kvd->said, "balanced=yes") != NULL, "%s", kvd->said);
    cr_assert(kvd_field(kvd, "leaked_tasks") == 0, "%s", kvd->said);
    cr_assert(kvd_field(kvd, "leaked_fds") == 0, "%s", kvd->said);
    kvd_forget(kvd);
    kvd_remove_folder(folder);
}

/* Goal: redis-benchmark finishes without an error.  Method: the sizes users
 * begin with; it stops at the first error that the server replies. */
Test(redis_tools, redis_benchmark_finishes_without_an_error, .timeout = 280)
{
    static struct kvd_process kvd;
    static char text[1 << 16];
    char folder[64];
    char command[256];
    const char *requests = getenv("KVD_BENCHMARK_REQUESTS");
    if (!is_installed("redis-benchmark")) {
        cr_skip_test("redis-benchmark is not installed");
    }
#if defined(TEST_UNDER_TSAN) || defined(TEST_UNDER_ASAN)
    requests = requests != NULL ? requests : "20000";
#endif
    start(&kvd, folder);
    snprintf(command, sizeof command,
             "redis-benchmark -p %d -t set,get,incr,mset -P 16 -c 50 -n %s "
             "--csv 2>&1",
             kvd.port, requests != NULL ? requests : "200000");
    int status = run(command, text, sizeof text);
    cr_log_info("%s\n", text);
    cr_assert(status == 0, "status %d: %s", status, text);
    cr_assert(strstr(text, "rror") == NULL, "%s", text);
    cr_assert(strstr(text, "\"MSET (10 keys)\"") != NULL, "%s", text);
    stop(&kvd, folder);
}

/* Goal: redis-cli shows what it would show of Redis.  Method: one session
 * through its standard input, compared as text; then its own program as a
 * value. */
Test(redis_tools, redis_cli_works_unchanged, .timeout = 280)
{
    static const char script[] = "SET greeting 'hello world'\\n"
                                 "GET greeting\\nINCR visits\\nINCR visits\\n"
                                 "MSET a 1 b 2 c 3\\nMGET a b c none\\n"
                                 "DEL a b c none\\nTTL greeting\\n"
                                 "EXPIRE greeting 100\\nTYPE greeting\\n"
                                 "NONSENSE\\nDBSIZE\\n";
    static const char wanted[] = "OK\nhello world\n1\n2\nOK\n1\n2\n3\n\n3\n-1\n"
                                 "1\nstring\n"
                                 "ERR unknown command 'NONSENSE', with args "
                                 "beginning with: \n\n2\n";
    static struct kvd_process kvd;
    static char text[1 << 16];
    char folder[64];
    char command[2048];
    if (!is_installed("redis-cli")) {
        cr_skip_test("redis-cli is not installed");
    }
    start(&kvd, folder);
    snprintf(command, sizeof command, "printf \"%s\" | redis-cli -p %d 2>&1",
             script, kvd.port);
    int status = run(command, text, sizeof text);
    cr_assert(status == 0, "status %d: %s", status, text);
    cr_assert(strcmp(text, wanted) == 0, "got:\n%s\nwanted:\n%s", text, wanted);
    snprintf(command, sizeof command,
             "redis-cli -p %d INFO ledger; redis-cli -p %d -x SET big <%s;"
             "redis-cli -p %d GET big | head -c -1 | cmp - %s && echo same",
             kvd.port, kvd.port, kvd_program(), kvd.port, kvd_program());
    run(command, text, sizeof text);
    cr_assert(strstr(text, "requests_accepted:") != NULL, "%s", text);
    cr_assert(strstr(text, "same") != NULL, "%s", text);
    stop(&kvd, folder);
}
