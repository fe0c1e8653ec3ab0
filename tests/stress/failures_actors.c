/*
 * tests/stress/failures_actors.c - servers, agents, tasks, futures, groups, streams and registries, while
 * something fails.
 *
 * Room: tests/. Uses the library as anybody would.
 */
#include "tests/stress/failures.h"

#include <stdatomic.h>
#include <stdio.h>

/* ---------------------------------------------------------------- servers */

static void
call_server(void)
{
    cop_pid server;
    int sum = 0, one = 1, nothing = 0, now = 0;
    if (!went_well(cop_genserver_start(&server, &adder, .name = "adder"))) {
        return;
    }
    add_some(cop_named("adder"), &sum);
    cop_future *later = cop_call_async(server, COP_MSG_OF(ADD, one), sizeof(int), PATIENCE);
    if (is_there(later != NULL)) {
        if (went_well(cop_await(later, COP_OUT(now), PATIENCE))) {
            MUST(now == sum + 1);
        }
        cop_future_release(later);
    }
    INSIST(cop_call(server, COP_MSG_OF(ADD, nothing), COP_OUT(now), PATIENCE));
    MUST(now == sum || now == sum + 1);
    sum = now;
    add_some(server, &sum);
    (void)went_well(cop_cast(server, COP_TAG(FAIL)));
    (void)went_well(cop_stop_process(server, COP_REASON_NORMAL, PATIENCE));
}

static cop_step answer_from_another(void *state, cop_from from, cop_msg request);

static int
answer_later(cop_bytes arg)
{
    cop_from from = *(const cop_from *)arg.data;
    int answer = 7;
    cop_reply(from, COP_MSG_OF(0, answer));
    return 0;
}

static cop_step
answer_from_another(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    int r = cop_spawn(NULL, answer_later, .arg = COP_BYTES(from), .link = true);
    return r ? cop_reply_stop(from, COP_MSG_OF(0, r), cop_failed(r, "no helper"))
             : cop_ok_timeout(COP_SEC(1000));
}

static cop_step
go_on(void *state, cop_msg token)
{
    (void)state, (void)token;
    return cop_ok();
}

static cop_step
begin_with_more(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_ok_continue(COP_TAG(1));
}

static const cop_genserver deferring = {
    .type = "deferring",
    .init = begin_with_more,
    .handle_call = answer_from_another,
    .handle_continue = go_on,
};

/* The answer is another's to give. */
static void
call_for_later(void)
{
    cop_pid server;
    int answer = 0;
    if (!went_well(cop_genserver_start(&server, &deferring, .link = false))) {
        return;
    }
    if (went_well(cop_call(server, COP_TAG(1), COP_OUT(answer), PATIENCE)) && went_well(answer)) {
        MUST(answer == 7);
    }
    (void)went_well(cop_stop_process(server, COP_REASON_NORMAL, PATIENCE));
}

/* ---------------------------------------------------------------- agents */

static void
add_to_state(void *state, cop_bytes arg)
{
    *(int *)state += *(const int *)arg.data;
}

static void
swap_state(void *state, cop_bytes arg, void *out)
{
    *(int *)out = *(int *)state;
    add_to_state(state, arg);
}

static void
visit_agent(void)
{
    cop_pid agent;
    int value = 0, sum = 5, three = 3;
    if (!went_well(cop_agent_start(&agent, COP_BYTES(sum), .name = "agent"))) {
        return;
    }
    for (int i = 1; i < 4; i++) {
        if (went_well(cop_agent_update(agent, add_to_state, COP_BYTES(i), PATIENCE))) {
            sum += i;
        }
        if (went_well(cop_agent_cast(agent, add_to_state, COP_BYTES(i)))) {
            sum += i;
        }
    }
    if (went_well(cop_agent_get_and_update(agent, swap_state, COP_BYTES(three), COP_OUT(value),
                                           PATIENCE))) {
        MUST(value == sum);
        sum += three;
    }
    if (went_well(cop_agent_get(agent, COP_OUT(value), PATIENCE))) {
        MUST(value == sum);
    }
    (void)went_well(cop_agent_stop(agent, PATIENCE));
}

/* ---------------------------------------------------------------- tasks and futures */

static int
square(cop_bytes arg, void *result)
{
    int number = *(const int *)arg.data;
    *(int *)result = number * number;
    return number < 0 ? -EDOM : 0;
}

static void
await_tasks(void)
{
    enum {
        TASKS = 6
    };
    cop_future *tasks[TASKS];
    int values[TASKS];
    size_t winner = 0;
    for (int i = 0; i < TASKS; i++) {
        tasks[i] =
            cop_async(square, .arg = COP_BYTES(i), .result_size = sizeof i, .lazy = i % 2 == 1);
        MUST(tasks[i] != NULL);
    }
    if (went_well(cop_await_all(tasks, TASKS, values, sizeof *values, PATIENCE))) {
        for (int i = 0; i < TASKS; i++) {
            MUST(values[i] == i * i);
        }
    }
    if (went_well(cop_await_first(tasks, TASKS, values, sizeof *values, &winner, PATIENCE))) {
        MUST(values[0] == (int)(winner * winner));
    }
    for (int i = 0; i < TASKS; i++) {
        if (went_well(cop_await(tasks[i], COP_OUT(values[i]), PATIENCE))) {
            MUST(values[i] == i * i);
        }
        cop_future_release(tasks[i]);
    }
}

static int
sleep_long(cop_bytes unused, void *result)
{
    (void)unused, (void)result;
    return cop_sleep(COP_FOREVER);
}

static void
cancel_tasks(void)
{
    cop_future *task = cop_async(sleep_long), *other = cop_async(sleep_long);
    int r = cop_future_cancel(task, cop_failed(-EIO, "not wanted"));
    if (r == 0 || r == -EALREADY) {
        r = cop_await(task, NULL, 0, PATIENCE);
        MUST(r < 0);
        (void)went_well(r);
    }
    (void)went_well(cop_task_shutdown(other, PATIENCE));
    cop_future_release(task);
    cop_future_release(other);
}

static int
map_more(const void *value, void *result, void *env)
{
    (void)env;
    *(int *)result = *(const int *)value + 1;
    return 0;
}

static cop_future *
then_square(const void *value, void *env)
{
    (void)env;
    return cop_async(square, .arg = {value, sizeof(int)}, .result_size = sizeof(int));
}

static void
chain_futures(void)
{
    cop_future *future, *mapped, *then;
    cop_resolver *resolver;
    int two = 2, value = 0;
    cop_msg msg;
    if (!went_well(cop_promise_new(&future, &resolver, sizeof(int)))) {
        return;
    }
    mapped = cop_map(future, map_more, NULL, sizeof(int));
    then = cop_then(mapped, then_square, NULL, sizeof(int));
    cop_future *limited = cop_within(then, PATIENCE);
    cop_ref told = cop_future_notify(future, 99);
    MUST(mapped != NULL && then != NULL && limited != NULL);
    MUST(cop_resolve(resolver, COP_BYTES(two)) == 0);
    if (went_well(cop_await(limited, COP_OUT(value), PATIENCE))) {
        MUST(value == 9);
    }
    if (is_there(told.id)) {
        MUST(cop_receive(&msg, PATIENCE) == 0 && msg.tag == 99);
    }
    (void)went_well(cop_await(then, COP_OUT(value), PATIENCE));
    cop_resolver_free(resolver);
    cop_future_release(future);
    cop_future_release(mapped);
    cop_future_release(then);
    cop_future_release(limited);
}

static void
promise_any_size(void)
{
    cop_future *future;
    cop_resolver *resolver;
    char text[300] = "some text";
    cop_bytes out;
    if (!went_well(cop_promise_new(&future, &resolver, COP_ANY))) {
        return;
    }
    bool resolved = went_well(cop_resolve(resolver, COP_BYTES(text)));
    cop_resolver_free(resolver);
    int r = cop_await_bytes(future, &out, PATIENCE);
    MUST((r == 0) <= resolved);
    (void)went_well(r);
    cop_future_release(future);
}

static int
count_item(cop_bytes arg, void *result)
{
    (void)result;
    atomic_fetch_add(*(atomic_int *const *)arg.data, 1);
    return 0;
}

static void
run_group(void)
{
    static atomic_int ran;
    atomic_int *counter = &ran;
    int accepted = 0;
    cop_group *group = cop_group_new(2);
    if (!is_there(group != NULL)) {
        return;
    }
    for (int i = 0; i < 6; i++) {
        accepted += went_well(cop_group_go(group, count_item, COP_BYTES(counter)));
    }
    if (went_well(cop_group_wait(group, NULL))) {
        MUST(atomic_load(&ran) == accepted);
    }
    cop_group_free(group);
}

static bool
next_item(cop_bytes *item, void *env)
{
    static const int numbers[] = {1, 2, 3, 4, 5, 6, 7};
    size_t *at = env;
    if (*at == sizeof numbers / sizeof *numbers) {
        return false;
    }
    *item = COP_BYTES(numbers[*at]);
    (*at)++;
    return true;
}

static void
stream_tasks(void)
{
    cop_async_stream *stream;
    cop_async_item item;
    size_t at = 0;
    int r;
    if (!went_well(cop_async_stream_new(&stream, square,
                                        &(cop_async_stream_opts){
                                            .next = next_item,
                                            .env = &at,
                                            .limit = 3,
                                            .timeout = PATIENCE,
                                            .task = {.result_size = sizeof(int)},
                                        }))) {
        return;
    }
    while ((r = cop_async_stream_next(stream, &item)) == 0) {
        if (went_well(item.code)) {
            int number = (int)item.index + 1;
            MUST(*(const int *)item.value.data == number * number);
        }
    }
    if (r != -ENODATA) {
        (void)went_well(r);
    }
    cop_async_stream_free(stream);
}

static int
look_up(cop_bytes arg, void *result)
{
    *(int *)result = *(const int *)arg.data;
    return 0;
}

static void
fly_and_retry(void)
{
    int seven = 7, value = 0;
    cop_flight *flight = cop_flight_new(sizeof(int));
    if (is_there(flight != NULL)) {
        if (went_well(
                cop_flight_do(flight, "key", look_up, COP_BYTES(seven), &value, NULL, PATIENCE))) {
            MUST(value == 7);
        }
        cop_flight_free(flight);
    }
    cop_future *retried =
        cop_retry(look_up, .task = {.arg = COP_BYTES(seven), .result_size = sizeof(int)});
    if (is_there(retried != NULL)) {
        if (went_well(cop_await(retried, COP_OUT(value), PATIENCE))) {
            MUST(value == 7);
        }
        cop_future_release(retried);
    }
}

/* ---------------------------------------------------------------- streams */

static int
next_number(void *element, void *env)
{
    int *number = env;
    *(int *)element = ++*number;
    return 0;
}

static bool
is_odd(const void *element, void *env)
{
    (void)env;
    return *(const int *)element % 2 == 1;
}

static int
times_ten(void *element, void *result, void *env)
{
    (void)env;
    *(int *)result = 10 * *(int *)element;
    return 0;
}

static int
sum_up(void *element, void *env)
{
    *(int *)env += *(int *)element;
    return 0;
}

static void
run_streams(void)
{
    int number = 0, other = 0, sum = 0;
    cop_stream *odd =
        cop_stream_filter(cop_stream_generate(next_number, &number, sizeof(int)), is_odd, NULL);
    cop_stream *first =
        cop_stream_buffer(cop_stream_take(cop_stream_map(odd, times_ten, NULL, sizeof(int)), 4), 4,
                          2);
    cop_stream *second = cop_stream_take(cop_stream_generate(next_number, &other, sizeof(int)), 4);
    cop_stream *both = cop_stream_merge(((cop_stream *[]){first, second}), 2);
    if (went_well(cop_stream_for_each(both, sum_up, &sum, PATIENCE))) {
        MUST(sum == 10 + 30 + 50 + 70 + 1 + 2 + 3 + 4);
    }
}

/* Elements that were accepted come, in order. */
static void
send_stream(void)
{
    cop_stream *stream;
    cop_sender *sender;
    int sent = 0, got = 0, element = 0, r;
    if (!went_well(cop_stream_new(&stream, &sender, .size = sizeof(int), .bound = 32))) {
        return;
    }
    for (int i = 1; i <= 20; i++) {
        sent += went_well(cop_stream_try_send(sender, COP_BYTES(i)));
    }
    MUST(cop_stream_close(sender) == 0);
    cop_sender_free(sender);
    int last = 0;
    while ((r = cop_stream_next(stream, COP_OUT(element), PATIENCE)) == 0) {
        MUST(element > last);
        last = element;
        got++;
    }
    if (r == -ENODATA) {
        MUST(got == sent);
    } else {
        (void)went_well(r);
    }
    cop_stream_release(stream);
}

/* ---------------------------------------------------------------- registries */

static int
register_and_wait(cop_bytes arg)
{
    cop_pid boss = *(const cop_pid *)arg.data;
    int key = 7, value = 8, r = cop_registry_register("registry", COP_BYTES(key), COP_BYTES(value));
    cop_msg msg;
    (void)cop_send(boss, COP_MSG_OF(1, r));
    while (r == 0) {
        r = cop_receive(&msg, COP_FOREVER);
    }
    return r;
}

static void
use_registry(void)
{
    cop_pid registry, pid, self = cop_self();
    int key = 7, other = 9, value = 0;
    size_t count = 0;
    if (!is_there(self.id)
        || !went_well(cop_registry_start(&registry, &(cop_registry_spec){.name = "registry",
                                                                         .partitions = 2}))) {
        return;
    }
    cop_ref watch = {0};
    if (went_well(cop_spawn(&pid, register_and_wait, .arg = COP_BYTES(self), .monitor = &watch))) {
        while (cop_registry_whereis("registry", COP_BYTES(key)).id == 0 && cop_alive(pid)) {
            pause_a_little();
        }
        if (cop_alive(pid)
            && went_well(cop_registry_value("registry", COP_BYTES(key), COP_OUT(value)))) {
            MUST(value == 8);
        }
        (void)went_well(cop_registry_register("registry", COP_BYTES(other), COP_BYTES(value)));
        (void)went_well(cop_registry_put_meta("registry", COP_BYTES(key), COP_BYTES(value)));
        (void)went_well(cop_registry_count("registry", &count));
        INSIST(cop_exit_signal(pid, COP_REASON_KILLED));
        MUST_BECOME(cop_registry_whereis("registry", COP_BYTES(key)).id == 0);
        const cop_via via = {"registry", COP_BYTES_INIT(key), {NULL, 0}};
        cop_pid server = COP_NOBODY;
        if (went_well(cop_genserver_start(&server, &adder, .via = &via))) {
            MUST(cop_pid_eq(cop_registry_whereis("registry", COP_BYTES(key)), server));
        }
    }
    (void)went_well(cop_supervisor_stop(registry, PATIENCE));
}

static void
use_pg(void)
{
    cop_pid scope, members[4];
    size_t count = 0;
    if (!went_well(cop_pg_start(&scope, &(cop_pg_spec){.scope = "pg"}))) {
        return;
    }
    bool joined = went_well(cop_pg_join("pg", COP_TEXT("group")));
    if (went_well(cop_pg_members("pg", COP_TEXT("group"), members, 4, &count))) {
        MUST(count == joined);
    }
    (void)went_well(cop_pg_broadcast("pg", COP_TEXT("group"), COP_TAG(1)));
    (void)went_well(cop_pg_leave("pg", COP_TEXT("group")));
    (void)went_well(cop_supervisor_stop(scope, PATIENCE));
}

const struct scenario actor_scenarios[] = {
    {"call_server", call_server, false},
    {"call_for_later", call_for_later, false},
    {"visit_agent", visit_agent, false},
    {"await_tasks", await_tasks, false},
    {"cancel_tasks", cancel_tasks, false},
    {"chain_futures", chain_futures, false},
    {"promise_any_size", promise_any_size, false},
    {"run_group", run_group, false},
    {"stream_tasks", stream_tasks, false},
    {"fly_and_retry", fly_and_retry, false},
    {"run_streams", run_streams, false},
    {"send_stream", send_stream, false},
    {"use_registry", use_registry, false},
    {"use_pg", use_pg, false},
    {NULL, NULL, false},
};
