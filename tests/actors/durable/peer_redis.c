/*
 * tests/actors/durable/peer_redis.c - another program that asks for shared results.
 *
 * Room: tests/.
 *
 *   peer_redis ADDRESS KEY WORK_MS LOCK_TTL_MS POLL_MS [STOP]      one key, once
 *   peer_redis ADDRESS KEYS                                        key0 to keyN-1, again and again
 *
 * It says, a line each: "step NAME" of every step, "computing", and at the end "value …" or "error N". At the step
 * STOP it stops itself (SIGSTOP) after having said it. The value is its pid.
 */
#include <coppice-redis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *stop;
static cop_time work;

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
    char line[200];
    va_list words;
    va_start(words, format);
    int size = vsnprintf(line, sizeof line, format, words);
    va_end(words);
    if (size <= 0 || write(STDOUT_FILENO, line, (size_t)size) != size) {
        _exit(3); /* nobody listens any more */
    }
}

static void
trace(const char *step, void *env)
{
    (void)env;
    say("step %s\n", step);
    if (stop && strcmp(step, stop) == 0) {
        raise(SIGSTOP);
    }
}

static int
compute(cop_bytes arg, void *result)
{
    char *text = cop_alloc(32);
    (void)arg;
    say("computing\n");
    int r = text ? cop_sleep(work) : -ENOMEM;
    if (r == 0) {
        (void)snprintf(text, 32, "%d", getpid());
        *(cop_bytes *)result = COP_TEXT(text);
    }
    return r;
}

static int
get(cop_shared *shared, const char *key)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, compute, (cop_bytes){0}, &value, COP_SEC(60));
    if (r) {
        say("error %d\n", r);
        return r;
    }
    say("value %.*s\n", (int)value.body.size, (const char *)value.body.data);
    cop_msg_release(&value);
    return 0;
}

static long
number(const char *text)
{
    return strtol(text, NULL, 10);
}

static int
get_one(char **words)
{
    cop_shared *shared;
    work = COP_MS(number(words[1]));
    stop = words[4];
    int r = cop_shared_new(&shared, .lock_ttl = COP_MS(number(words[2])),
                           .poll = COP_MS(number(words[3])), .trace = trace);
    r = r ? r : get(shared, words[0]);
    return r;
}

static int
get_many(long count)
{
    cop_shared *shared;
    char key[32];
    work = COP_MS(5);
    int r =
        cop_shared_new(&shared, .lock_ttl = COP_MS(200), .poll = COP_MS(50), .ttl = COP_MS(100));
    for (unsigned turn = (unsigned)getpid(); r == 0; turn += 7) {
        (void)snprintf(key, sizeof key, "many%ld", (long)turn % count);
        r = get(shared, key);
    }
    return r;
}

int
main(int argc, char **argv)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 3) {
        return 2;
    }
    int r = cop_supervisor_start(NULL, &(cop_supervisor_spec){
                                           COP_CHILDREN(cop_redis_spec(.address = argv[1]))});
    if (r) {
        return 1;
    }
    return (argc == 3 ? get_many(number(argv[2])) : get_one(argv + 2)) ? 1 : 0;
}
