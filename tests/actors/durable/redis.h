/*
 * tests/actors/durable/redis.h - what the suites of libcoppice-redis share: a server of their own, a client, and
 * what a stranger with redis-cli would see.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_ACTORS_DURABLE_REDIS_H
#define COPI_TESTS_ACTORS_DURABLE_REDIS_H

#include "tests/support/server.h"
#include "tests/support/support.h"

#include <coppice-redis.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server redis;

__attribute__((unused)) static void
start_server(void)
{
    server_redis(&redis, NULL);
}

__attribute__((unused)) static void
end_server(void)
{
    server_end(&redis);
}

/* ---------------------------------------------------------------- a client in a tree */

/* Short times: tests are about what happens when they are over. */
#define TEST_COMMAND_TIMEOUT (TEST_SANITIZED ? COP_SEC(1) : COP_MS(300))

static char test_address[128];

__attribute__((unused)) static cop_pid
start_client(const cop_redis_opts *opts)
{
    cop_pid tree;
    cop_redis_opts filled = *opts;
    filled.size = sizeof filled;
    filled.address = filled.address ? filled.address : test_address;
    filled.command_timeout = filled.command_timeout ? filled.command_timeout : TEST_COMMAND_TIMEOUT;
    filled.gone_after = filled.gone_after ? filled.gone_after : 2 * TEST_COMMAND_TIMEOUT;
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    ck_assert_int_eq(cop_supervisor_start(
                         &tree, &(cop_supervisor_spec){COP_CHILDREN(cop_redis_spec_with(&filled))}),
                     0);
    return tree;
}

__attribute__((unused)) static void
stop_client(cop_pid tree)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

/* ---------------------------------------------------------------- what is computed */

__attribute__((unused)) static const cop_bytes nothing;
__attribute__((unused)) static atomic_int computed;

__attribute__((unused)) static int
answer(cop_bytes arg, void *result)
{
    static const char text[] = "forty-two";
    (void)arg;
    computed++;
    *(cop_bytes *)result = COP_TEXT(text);
    return 0;
}

/* ---------------------------------------------------------------- a stranger */

static redisContext *stranger;

__attribute__((unused)) static redisReply *
say(const char *format, ...)
{
    va_list words;
    va_start(words, format);
    if (!stranger || stranger->err) {
        if (stranger) {
            redisFree(stranger);
        }
        stranger = redisConnectUnix(redis.socket);
    }
    redisReply *reply = redisvCommand(stranger, format, words);
    va_end(words);
    ck_assert_ptr_nonnull(reply);
    return reply;
}

/* Of the last of them; a test that has said something ends with it. */
__attribute__((unused)) static void
forget_stranger(void)
{
    redisFree(stranger);
    stranger = NULL;
}

__attribute__((unused)) static long long
number_of(redisReply *reply)
{
    long long number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1000;
    freeReplyObject(reply);
    return number;
}

__attribute__((unused)) static bool
is_ok(redisReply *reply)
{
    bool ok = reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return ok;
}

/* A result as it is stored, put there by a stranger who tells nobody. */
__attribute__((unused)) static void
store_silently(const char *key, const char *text)
{
    ck_assert(is_ok(say("SET {%s}v COP1v00000000%s%s PX 60000", key,
                        "0123456789abcdef0123456789abcdef", text)));
}

/* ---------------------------------------------------------------- other programs */

/* tests/actors/durable/peer_redis.c */
struct peer {
    pid_t pid;
    FILE *out;
    char line[256]; /* the last that it said */
};

#define PEER_WORDS 8

__attribute__((unused)) static struct peer
start_peer(const char *const words[])
{
    static char program[4096];
    const char *argv[PEER_WORDS + 3] = {program, test_address};
    int ends[2];
    struct peer peer = {0};
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 32);
    ck_assert_int_gt(size, 0);
    program[size] = '\0';
    memcpy(strrchr(program, '/') + 1, "peer_redis", sizeof "peer_redis");
    for (int i = 0; words[i]; i++) {
        argv[i + 2] = words[i];
    }
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    union {
        const char **in;
        char *const *out;
    } arguments = {.in = argv};
    ck_assert_int_eq(posix_spawn(&peer.pid, program, &actions, NULL, arguments.out, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    peer.out = fdopen(ends[0], "r");
    return peer;
}
#define start_peer(...) (start_peer)((const char *const[]){__VA_ARGS__, NULL})

/* What it says next; false: it has ended. */
__attribute__((unused)) static bool
hear(struct peer *peer)
{
    bool is_there = fgets(peer->line, sizeof peer->line, peer->out) != NULL;
    peer->line[is_there ? strcspn(peer->line, "\n") : 0] = '\0';
    return is_there;
}

/* Until it says this. */
__attribute__((unused)) static void
hear_until(struct peer *peer, const char *line)
{
    while (hear(peer) && strcmp(peer->line, line) != 0) {
    }
    ck_assert_str_eq(peer->line, line);
}

__attribute__((unused)) static void
end_peer(struct peer *peer)
{
    int status;
    kill(peer->pid, SIGKILL);
    ck_assert_int_eq(waitpid(peer->pid, &status, 0), peer->pid);
    ck_assert_int_eq(fclose(peer->out), 0);
}

/* What the suites of shared results compute. */
__attribute__((unused)) static void
is_answer(cop_future *future)
{
    cop_bytes value;
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    ck_assert_uint_eq(value.size, 9);
    ck_assert_mem_eq(value.data, "forty-two", 9);
    cop_future_release(future);
}

#endif
