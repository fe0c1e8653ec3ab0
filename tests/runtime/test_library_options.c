/*
 * tests/runtime/test_library_options.c - NULL in the place of options stands for the defaults.
 *
 * Room: tests/. Each function that takes options is called without any, and does what it does with those that
 * are all zero; where something is required, that is missing.
 */
#include "tests/support/support.h"

#include <coppice/chain.h>
#include <coppice/durable.h>
#include <coppice/fire.h>
#include <coppice/flight.h>
#include <coppice/metrics.h>
#include <coppice/pipeline.h>
#include <coppice/port.h>
#include <coppice/retry.h>
#include <coppice/socket.h>
#include <coppice/statem.h>
#include <coppice/stream.h>
#include <coppice/task_supervisor.h>
#include <coppice/worker.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID "one"

static int
do_nothing(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static void
comes_to(cop_future *future, int code)
{
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), code);
    cop_future_release(future);
}

TEST(the_library_is_configured)
{
    ck_assert_int_eq(cop_configure(NULL), 0);
}

/* ---------------------------------------------------------------- processes */

TEST(a_process_starts)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn_with(&pid, test_wait_for_end, NULL), 0);
}

TEST(a_server_starts)
{
    static const cop_genserver behaviour = {.type = "server"};
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start_with(&pid, &behaviour, NULL), 0);
}

TEST(a_machine_needs_a_state)
{
    static const cop_statem machine = {.type = "machine"};
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start_with(&pid, &machine, NULL), -EINVAL);
}

TEST(an_agent_starts)
{
    cop_pid pid;
    int state = 0;
    cop_agent_spec spec = {.initial = COP_BYTES(state)};
    ck_assert_int_eq(cop_agent_start_with(&pid, COP_BYTES(state), NULL, NULL), 0);
    ck_assert_int_eq(cop_agent_start_spec(&pid, &spec, NULL), 0);
}

/* ---------------------------------------------------------------- tasks and futures */

TEST(a_task_runs)
{
    comes_to(cop_async_with(do_nothing, NULL), 0);
    comes_to(cop_retry_with(do_nothing, NULL), 0);
    ck_assert_int_eq(cop_fire_with(do_nothing, NULL), 0);
}

TEST(a_task_runs_under_a_supervisor)
{
    cop_pid tasks;
    cop_async_stream *stream;
    const cop_supervisor_spec spec = {.name = "tasks", .strategy = COP_DYNAMIC};
    ck_assert_int_eq(cop_supervisor_start(&tasks, &spec), 0);
    comes_to(cop_async_under_with(tasks, do_nothing, NULL), 0);
    ck_assert_int_eq(cop_async_stream_under(&stream, tasks, do_nothing, NULL), -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, do_nothing, NULL), -EINVAL);
}

static int
pass_on(const void *value, void *out, void *env)
{
    (void)value, (void)out, (void)env;
    return 0;
}

static cop_future *
another(const void *value, void *env)
{
    (void)value, (void)env;
    return cop_async(do_nothing);
}

static int
recover(cop_reason why, void *out, void *env)
{
    (void)why, (void)out, (void)env;
    return 0;
}

static void
see(void *env)
{
    (void)env;
}

TEST(a_future_is_built_upon)
{
    cop_future *future = cop_async(do_nothing);
    comes_to(cop_map_with(future, pass_on, NULL), 0);
    comes_to(cop_then_with(future, another, NULL), 0);
    comes_to(cop_recover_with(future, recover, NULL), 0);
    comes_to(cop_finally_with(future, see, NULL), 0);
    cop_future_release(future);
}

static int
count_bytes(cop_bytes arg, void *result)
{
    (void)result;
    return arg.size == 0 ? 0 : -EINVAL;
}

TEST(a_flight_of_computations_without_a_result)
{
    cop_flight *flight = cop_flight_new_with(NULL);
    ck_assert_ptr_nonnull(flight);
    ck_assert_int_eq(
        cop_flight_do(flight, ID, count_bytes, ((cop_bytes){NULL, 0}), NULL, NULL, SOON), 0);
    cop_flight_free(flight);
}

TEST(a_pipeline_needs_a_stage)
{
    cop_pipeline *pipeline;
    ck_assert_int_eq(cop_pipeline_new_with(&pipeline, NULL), -EINVAL);
}

/* ---------------------------------------------------------------- streams */

static int
take(void *element, void *env)
{
    (void)element, (void)env;
    return 0;
}

static bool
wants(const void *element, void *env)
{
    (void)element, (void)env;
    return true;
}

static int
map(void *element, void *result, void *env)
{
    (void)element, (void)result, (void)env;
    return 0;
}

/* One that is over, of elements without a size. */
static cop_stream *
over(void)
{
    cop_stream *stream;
    cop_sender *sender;
    ck_assert_int_eq(cop_stream_new_with(&stream, &sender, NULL), 0);
    cop_stream_close(sender);
    cop_sender_free(sender);
    return stream;
}

static void
is_taken(cop_stream *stream, int code)
{
    ck_assert_int_eq(cop_stream_for_each_with(stream, take, NULL, SOON), code);
}

TEST(a_stream_and_what_is_made_of_it)
{
    is_taken(over(), 0);
    is_taken(cop_stream_map_with(over(), map, NULL), 0);
    is_taken(cop_stream_filter_with(over(), wants, NULL), 0);
    is_taken(cop_stream_batch_with(over(), 2, NULL), 0);
    is_taken(cop_stream_share_with(over(), NULL), 0);
    cop_stream *both[] = {over(), over()};
    is_taken(cop_stream_merge_with(both, 2, NULL), 0);
}

TEST(a_generator_needs_a_function)
{
    is_taken(cop_stream_generate_with(NULL), -EINVAL);
}

TEST(a_subscriber_needs_a_function)
{
    ck_assert_int_eq(cop_stream_subscribe_with(NULL, over(), NULL), -EINVAL);
}

/* ---------------------------------------------------------------- outside */

TEST(sockets_and_ports)
{
    static const char *const argv[] = {"true", NULL};
    cop_socket listener, ours, adopted;
    char address[64];
    int ends[2];
    cop_port port;
    ck_assert_int_eq(cop_listen_with(&listener, "127.0.0.1:0", NULL), 0);
    ck_assert_int_eq(cop_socket_address(listener, address, sizeof address), 0);
    ck_assert_int_eq(cop_connect_with(&ours, address, SOON, NULL), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(cop_socket_adopt_with(&adopted, ends[0], NULL), 0);
    ck_assert_int_eq(cop_port_open_with(&port, argv, NULL), 0);
    ck_assert_int_eq(cop_port_close(port), 0);
    const cop_socket sockets[] = {listener, ours, adopted};
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        ck_assert_int_eq(cop_socket_close(sockets[i]), 0);
    }
    close(ends[1]);
}

/* ---------------------------------------------------------------- durable promises */

static int
see_record(const cop_durable_record *record, void *env)
{
    ck_assert_str_eq(record->id, ID);
    (*(int *)env)++;
    return 0;
}

TEST(a_store_and_its_promises)
{
    cop_pid store;
    int seen = 0;
    ck_assert_int_eq(cop_store_start_with(&store, NULL), 0);
    ck_assert_int_eq(cop_durable_create_with(store, ID, NULL), 0);
    comes_to(cop_durable_create_async_with(store, ID, NULL), 0);
    ck_assert_int_eq(cop_durable_recover_all_with(store, see_record, &seen, NULL), 0);
    ck_assert_int_eq(seen, 1);
    ck_assert_int_eq(cop_durable_resolve_with(store, ID, ((cop_bytes){NULL, 0}), NULL), 0);
    comes_to(cop_durable_resolve_async_with(store, ID, ((cop_bytes){NULL, 0}), NULL), 0);
    cop_reason why = cop_failed(-EIO, "no");
    ck_assert_int_eq(cop_durable_reject_with(store, ID, why, NULL), -EALREADY);
    comes_to(cop_durable_reject_async_with(store, ID, why, NULL), -EALREADY);
    ck_assert_int_eq(cop_durable_cancel_with(store, ID, "no", NULL), -EALREADY);
}

TEST(a_store_in_a_tree)
{
    cop_pid tree;
    cop_child_spec child = cop_store_spec_with(NULL, NULL);
    const cop_supervisor_spec spec = {.children = &child, .child_count = 1};
    ck_assert_str_eq(child.id, "memory");
    ck_assert_int_eq(cop_supervisor_start(&tree, &spec), 0);
}

TEST(a_worker_needs_a_store)
{
    cop_pid tree;
    cop_child_spec child = cop_worker_spec_with("worker", NULL);
    const cop_supervisor_spec spec = {.children = &child, .child_count = 1};
    ck_assert_int_eq(cop_supervisor_start(&tree, &spec), -EINVAL);
}

/* ---------------------------------------------------------------- metrics */

TEST(a_metric_needs_a_name)
{
    cop_counter *counter;
    cop_gauge *gauge;
    cop_histogram *histogram;
    ck_assert_int_eq(cop_counter_new_with(&counter, NULL), -EINVAL);
    ck_assert_int_eq(cop_gauge_new_with(&gauge, NULL), -EINVAL);
    ck_assert_int_eq(cop_histogram_new_with(&histogram, NULL), -EINVAL);
}

SUITE("library_options")
