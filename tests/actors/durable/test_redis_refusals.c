/*
 * tests/actors/durable/test_redis_refusals.c - libcoppice-redis when one call of its own, chosen, is refused.
 *
 * Room: tests/. test_redis_shortage.c lets each allocation fail and looks for what hangs or leaks; here it is known
 * which call fails, and so what is promised. As there, the core's own calls are left alone.
 */
#include "actors/durable/redis_ask.h"
#include "actors/durable/redis_channels.h"
#include "actors/durable/redis_dial.h"
#include "actors/durable/redis_link.h"
#include "tests/actors/durable/redis.h"
#include "tests/support/wrap.h"

extern const char __start_coppice_text[], __stop_coppice_text[]; /* the linker's */

enum call {
    NONE,
    ASYNC,
    AT_EXIT,
    CAST,
    CONTEXT,
    DEFER,
    ENTER,
    MEMORY,
    PROMISE,
    SEND,
    TREE,
};

static atomic_int refused;                      /* which is, */
static atomic_int spared;                       /* but not the first ones, */
static atomic_int refusals;                     /* and how often it was */
static _Atomic(const char *) refused_word = ""; /* the command for which there is no memory */

static bool
is_refused(enum call call, const void *caller)
{
    const char *at = caller;
    bool is_core = at >= __start_coppice_text && at < __stop_coppice_text;
    if (is_core || refused != (int)call || atomic_fetch_sub(&spared, 1) > 0) {
        return false;
    }
    refusals++;
    return true;
}

#define REFUSED(call) is_refused(call, __builtin_return_address(0))

static void
refuse(enum call call, int after)
{
    spared = after;
    refusals = 0;
    refused = (int)call;
}

/* ---------------------------------------------------------------- the calls */

int real_at_exit(void (*fn)(void *arg), void *arg) REAL(cop_at_exit);
int fail_at_exit(void (*fn)(void *arg), void *arg) WRAP(cop_at_exit);
int
fail_at_exit(void (*fn)(void *arg), void *arg)
{
    return REFUSED(AT_EXIT) ? -ENOMEM : real_at_exit(fn, arg);
}

int real_cast(cop_pid server, const cop_msg *msg) REAL(cop_cast_by);
int fail_cast(cop_pid server, const cop_msg *msg) WRAP(cop_cast_by);
int
fail_cast(cop_pid server, const cop_msg *msg)
{
    return REFUSED(CAST) ? -ENOMEM : real_cast(server, msg);
}

/* Where it is not inline. */
int real_whole_cast(cop_pid server, cop_msg msg) REAL(cop_cast);
int fail_whole_cast(cop_pid server, cop_msg msg) WRAP(cop_cast);
int
fail_whole_cast(cop_pid server, cop_msg msg)
{
    return REFUSED(CAST) ? -ENOMEM : real_whole_cast(server, msg);
}

cop_future *real_async(cop_task_fn fn, const cop_task_opts *opts) REAL(cop_async_with);
cop_future *fail_async(cop_task_fn fn, const cop_task_opts *opts) WRAP(cop_async_with);
cop_future *
fail_async(cop_task_fn fn, const cop_task_opts *opts)
{
    return REFUSED(ASYNC) ? NULL : real_async(fn, opts);
}

cop_context *real_context(cop_time timeout) REAL(cop_context_new);
cop_context *fail_context(cop_time timeout) WRAP(cop_context_new);
cop_context *
fail_context(cop_time timeout)
{
    return REFUSED(CONTEXT) ? NULL : real_context(timeout);
}

int real_defer(void (*fn)(void *arg), void *arg) REAL(cop_defer);
int fail_defer(void (*fn)(void *arg), void *arg) WRAP(cop_defer);
int
fail_defer(void (*fn)(void *arg), void *arg)
{
    return REFUSED(DEFER) ? -ENOMEM : real_defer(fn, arg);
}

int real_enter(cop_context *context) REAL(cop_context_enter);
int fail_enter(cop_context *context) WRAP(cop_context_enter);
int
fail_enter(cop_context *context)
{
    return REFUSED(ENTER) ? -ENOMEM : real_enter(context);
}

void *real_alloc(size_t size) REAL(cop_alloc);
void *fail_alloc(size_t size) WRAP(cop_alloc);
void *
fail_alloc(size_t size)
{
    return REFUSED(MEMORY) ? NULL : real_alloc(size);
}

int real_promise(cop_future **future, cop_resolver **resolver, size_t size, const char *file,
                 int line) REAL(cop_promise_new_at);
int fail_promise(cop_future **future, cop_resolver **resolver, size_t size, const char *file,
                 int line) WRAP(cop_promise_new_at);
int
fail_promise(cop_future **future, cop_resolver **resolver, size_t size, const char *file, int line)
{
    return REFUSED(PROMISE) ? -ENOMEM : real_promise(future, resolver, size, file, line);
}

int real_send(cop_socket socket, cop_bytes bytes, cop_time timeout) REAL(cop_send_bytes);
int fail_send(cop_socket socket, cop_bytes bytes, cop_time timeout) WRAP(cop_send_bytes);
int
fail_send(cop_socket socket, cop_bytes bytes, cop_time timeout)
{
    return REFUSED(SEND) ? -EPIPE : real_send(socket, bytes, timeout);
}

typedef int compare_fn(const void *left, const void *right);

void *real_tsearch(const void *key, void **root, compare_fn *compare) REAL(tsearch);
void *fail_tsearch(const void *key, void **root, compare_fn *compare) WRAP(tsearch);
void *
fail_tsearch(const void *key, void **root, compare_fn *compare)
{
    return REFUSED(TREE) ? NULL : real_tsearch(key, root, compare);
}

long long real_format(char **out, int count, const char **words, const size_t *sizes)
    REAL(redisFormatCommandArgv);
long long fail_format(char **out, int count, const char **words, const size_t *sizes)
    WRAP(redisFormatCommandArgv);
long long
fail_format(char **out, int count, const char **words, const size_t *sizes)
{
    const char *word = refused_word;
    if (*word && strncmp(words[0], word, strlen(word)) == 0) {
        refusals++;
        return -1;
    }
    return real_format(out, count, words, sizes);
}

/* ---------------------------------------------------------------- the connection */

static cop_redis_opts opts;
static struct copi_redis_link link_;

static struct copi_redis_dialled
dial(void)
{
    struct copi_redis_dialled dialled = {0};
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    opts = (cop_redis_opts){.address = test_address, .command_timeout = SOON};
    cop_future *future = copi_redis_dial(&opts, true);
    int r = cop_await(future, COP_OUT(dialled), SOON);
    cop_future_release(future);
    dialled.code = r ? r : dialled.code;
    return dialled;
}

TEST(who_has_no_memory_to_greet_is_told_so_and_nothing_stays_open)
{
    refused_word = "SCRIPT";
    struct copi_redis_dialled dialled = dial();
    ck_assert_int_eq(dialled.code, -EHOSTDOWN);
    ck_assert_ptr_nonnull(strstr(dialled.words, cop_strerror(-ENOMEM)));
    ck_assert_int_gt(refusals, 0);
}

TEST(who_cannot_be_given_a_time_does_not_connect)
{
    refuse(ENTER, 0);
    struct copi_redis_dialled dialled = dial();
    ck_assert_int_eq(dialled.code, -EHOSTDOWN);
    ck_assert_ptr_nonnull(strstr(dialled.words, cop_strerror(-ENOMEM)));
    ck_assert_int_eq(refusals, 1);
}

static void
link_up(void)
{
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    opts = (cop_redis_opts){.address = test_address,
                            .command_timeout = SOON,
                            .gone_after = COP_SEC(100),
                            .heartbeat = COP_SEC(100),
                            .backoff_min = COP_MS(10),
                            .backoff_max = COP_MS(100)};
    copi_redis_link_init(&link_, &opts, false);
    copi_redis_link_want(&link_, cop_now());
    copi_redis_link_look(&link_, cop_now());
    cop_msg msg = test_receive(COPI_REDIS_DIALLED);
    ck_assert(copi_redis_link_dialled(&link_, COP_BODY(msg, struct cop_settled)));
    ck_assert_int_eq(link_.state, COPI_REDIS_UP);
}

TEST(what_cannot_be_sent_ends_the_connection_and_stays_the_callers)
{
    const cop_bytes word = COP_TEXT("PING");
    struct copi_redis_request *request =
        copi_redis_request_new(COPI_REDIS_PLAIN, COP_FOREVER, &word, 1);
    link_up();
    test_catch_stderr();
    refuse(SEND, 0);
    ck_assert_int_eq(copi_redis_link_send(&link_, request), -EPIPE);
    ck_assert_int_eq(link_.state, COPI_REDIS_DOWN);
    ck_assert_int_eq(link_.code, -EHOSTDOWN);
    ck_assert_str_eq(link_.words, cop_strerror(-EPIPE));
    ck_assert(STAILQ_EMPTY(&link_.sent));
    free(request);
    free(test_caught_stderr());
    copi_redis_link_close(&link_);
}

TEST(a_sign_of_life_without_memory_is_left_for_the_next_time)
{
    link_up();
    cop_time later = link_.heard + opts.heartbeat;
    refused_word = "PING";
    ck_assert_int_eq(copi_redis_link_look(&link_, later), later + opts.heartbeat);
    ck_assert_int_eq(refusals, 1);
    ck_assert_int_eq(link_.state, COPI_REDIS_UP);
    ck_assert(STAILQ_EMPTY(&link_.sent));
    copi_redis_link_close(&link_);
}

/* ---------------------------------------------------------------- the client */

static int
get_from(cop_shared *shared, const char *key)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, answer, nothing, &value, SOON);
    if (r == 0) {
        ck_assert_uint_eq(value.body.size, 9);
        ck_assert_mem_eq(value.body.data, "forty-two", 9);
        cop_msg_release(&value);
    }
    return r;
}

TEST(a_client_that_could_not_clean_up_does_not_start)
{
    cop_pid tree;
    test_catch_stderr();
    refuse(AT_EXIT, 0);
    ck_assert_int_eq(cop_supervisor_start(&tree,
                                          &(cop_supervisor_spec){COP_CHILDREN(cop_redis_spec())}),
                     -ENOMEM);
    ck_assert_int_eq(refusals, 1);
    free(test_caught_stderr());
}

TEST(what_there_is_no_memory_to_send_is_refused_and_the_connection_stays)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get_from(shared, "unsent"), 0);
    refused_word = "GET";
    ck_assert_int_eq(get_from(shared, "unsent"), -ENOMEM);
    ck_assert_str_eq(cop_why().text, "no room to send it");
    refused_word = "";
    ck_assert_int_eq(get_from(shared, "unsent"), 0);
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(who_could_not_subscribe_looks)
{
    cop_shared *shared;
    cop_bytes value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_MS(50)), 0);
    ck_assert(is_ok(say("SET {deaf}l somebody PX 60000")));
    refused_word = "SUBSCRIBE";
    cop_future *future = cop_shared_start(shared, "deaf", answer, nothing, SOON);
    EVENTUALLY(refusals > 0);
    store_silently("deaf", "quietly");
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    ck_assert_uint_eq(value.size, 7);
    ck_assert_mem_eq(value.data, "quietly", 7);
    ck_assert_int_eq(computed, 0);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_channel_that_cannot_be_found_again_is_not_joined)
{
    struct copi_redis_channels channels;
    const cop_from from = {.pid = cop_self()};
    copi_redis_channels_init(&channels);
    refuse(TREE, 0);
    ck_assert_ptr_null(copi_redis_channels_join(&channels, COP_TEXT("{a}c"), from, COP_FOREVER));
    ck_assert_int_eq(refusals, 1);
    ck_assert_uint_eq(channels.asking, 0);
    ck_assert(TAILQ_EMPTY(&channels.all));
    copi_redis_channels_close(&channels);
}

TEST(what_cannot_be_told_is_not_done)
{
    const cop_bytes words[] = {COP_TEXT("INCR"), COP_TEXT("untold")};
    cop_msg reply;
    cop_pid tree = start_client(&(cop_redis_opts){0}), client = cop_whereis("coppice_redis");
    refuse(CAST, 0);
    copi_redis_tell(client, COPI_REDIS_PLAIN, words, 2);
    ck_assert_int_eq(refusals, 1);
    refuse(NONE, 0);
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, words, 2, COP_FOREVER, &reply), 0);
    ck_assert_int_eq(copi_redis_answer_of(&reply)->number, 1);
    cop_msg_release(&reply);
    stop_client(tree);
}

TEST(a_sign_of_life_that_ends_the_connection_is_followed_by_another_attempt_soon)
{
    link_up();
    test_catch_stderr();
    refuse(SEND, 0);
    cop_time next = copi_redis_link_look(&link_, link_.heard + opts.heartbeat);
    ck_assert_int_eq(link_.state, COPI_REDIS_DOWN);
    ck_assert_int_eq(next, link_.retry_at);
    free(test_caught_stderr());
    copi_redis_link_close(&link_);
}

/* ---------------------------------------------------------------- computing */

/* Refused before anything is computed, and then as if nothing had been. */
static const struct {
    enum call call;
    int after;
} refused_starts[] = {
    {DEFER, 0},   /* of what gives the lock back */
    {CONTEXT, 0}, /* of the computation */
    {ENTER, 0},   /* the same */
};

TEST_TIMES(3, what_finds_no_memory_to_compute_fails_and_gives_the_lock_back)
{
    cop_shared *shared;
    char key[16];
    (void)snprintf(key, sizeof key, "start%d", _i);
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get_from(shared, "the client is up"), 0);
    computed = 0;
    refuse(refused_starts[_i].call, refused_starts[_i].after);
    ck_assert_int_eq(get_from(shared, key), -ENOMEM);
    ck_assert_int_gt(refusals, 0);
    refuse(NONE, 0);
    ck_assert_int_eq(computed, 0);
    EVENTUALLY(number_of(say("EXISTS {%s}l", key)) == 0);
    ck_assert_int_eq(get_from(shared, key), 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_computes_alone_and_has_no_memory_fails)
{
    cop_shared *shared;
    ck_assert_int_eq(cop_shared_new(&shared, .alone_if_gone = true), 0); /* there is no client */
    refuse(ASYNC, 0);
    ck_assert_int_eq(get_from(shared, "alone"), -ENOMEM);
    ck_assert_int_eq(refusals, 1);
    refuse(NONE, 0);
    ck_assert_int_eq(computed, 0);
    ck_assert_int_eq(get_from(shared, "alone"), 0);
    cop_shared_free(shared);
}

TEST(a_failure_is_told_though_there_is_no_memory_for_its_words)
{
    refuse(PROMISE, 0);
    ck_assert_int_eq(cop_shared_forget(NULL, "key", SOON), -EINVAL);
    ck_assert_int_eq(refusals, 1);
}

TEST(what_cannot_be_started_is_none)
{
    cop_shared *shared;
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    refuse(MEMORY, 0);
    ck_assert_ptr_null(cop_shared_start(shared, "key", answer, nothing, SOON));
    ck_assert_int_eq(refusals, 1);
    cop_shared_free(shared);
}

SUITE_AROUND("what Redis's library is refused", start_server, end_server)
