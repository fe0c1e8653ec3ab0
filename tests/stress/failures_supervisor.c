/*
 * tests/stress/failures_supervisor.c - trees, and what happens in them, while something fails.
 *
 * Room: tests/. Uses the library as anybody would.
 */
#include "tests/stress/failures.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CHILDREN = 3
};
static const char *const ids[CHILDREN] = {"a", "b", "c"};

static void
child_specs(cop_child_spec out[CHILDREN])
{
    for (int i = 0; i < CHILDREN; i++) {
        out[i] = (cop_child_spec){.id = ids[i], .name = ids[i], .genserver = &adder};
    }
}

/* One that fails is started again, or the supervisor has given up. */
static void
restart_below(cop_pid supervisor, const char *name)
{
    cop_pid old = cop_whereis(name);
    if (old.id == 0) {
        return;
    }
    INSIST(cop_cast(old, COP_TAG(FAIL)));
    await_end(old);
    MUST_BECOME(!cop_alive(supervisor) || cop_whereis(name).id != 0);
}

static void
run_tree(cop_strategy strategy)
{
    cop_child_spec children[CHILDREN];
    cop_pid supervisor;
    cop_child_counts counts;
    int sum = 0;
    child_specs(children);
    if (!went_well(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){
                                                         .name = "tree",
                                                         .strategy = strategy,
                                                         .children = children,
                                                         .child_count = CHILDREN,
                                                         .max_restarts = 100,
                                                     }))) {
        return;
    }
    restart_below(supervisor, ids[1]);
    if (went_well(cop_supervisor_count(supervisor, &counts))) {
        MUST(counts.specs == CHILDREN);
    }
    cop_pid last = cop_whereis(ids[2]);
    if (last.id != 0) {
        add_some(last, &sum);
    }
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
    MUST(!cop_alive(supervisor));
}

static void
one_for_one(void)
{
    run_tree(COP_ONE_FOR_ONE);
}

static void
one_for_all(void)
{
    run_tree(COP_ONE_FOR_ALL);
}

static void
rest_for_one(void)
{
    run_tree(COP_REST_FOR_ONE);
}

static void
run_dynamic(const cop_supervisor_spec *spec, bool has_template)
{
    cop_pid supervisor, pids[CHILDREN] = {{0}};
    cop_child_spec children[CHILDREN];
    child_specs(children);
    if (!went_well(cop_supervisor_start(&supervisor, spec))) {
        return;
    }
    for (int i = 0; i < CHILDREN; i++) {
        (void)went_well(has_template
                            ? cop_supervisor_start_instance(supervisor, (cop_bytes){0}, &pids[i])
                            : cop_supervisor_start_child(supervisor, &children[i], &pids[i]));
    }
    if (pids[1].id != 0) {
        INSIST(cop_cast(pids[1], COP_TAG(FAIL)));
        await_end(pids[1]);
    }
    if (pids[0].id != 0) {
        (void)went_well(cop_supervisor_terminate(supervisor, pids[0]));
    }
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
    MUST(!cop_alive(supervisor));
    for (int i = 0; i < CHILDREN; i++) {
        MUST(!cop_alive(pids[i]));
    }
}

static void
dynamic(void)
{
    run_dynamic(&(cop_supervisor_spec){.strategy = COP_DYNAMIC, .max_restarts = 100}, false);
}

static void
simple_one_for_one(void)
{
    run_dynamic(
        &(cop_supervisor_spec){
            .strategy = COP_SIMPLE_ONE_FOR_ONE,
            .max_restarts = 100,
            COP_CHILDREN({.id = "instance", .genserver = &adder}),
        },
        true);
}

/* ---------------------------------------------------------------- nested, with all kinds of children */

static int
work_for_ever(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

static int
sleep_in_the_system(cop_bytes unused)
{
    (void)unused;
    while (cop_cancelled() == 0) {
        pause();
    }
    return 0;
}

static int start_by_hand(cop_pid *out, cop_bytes arg, cop_reason *why);

static const cop_agent_spec five = {.state_size = sizeof(int)};
static const cop_supervisor_spec below = {
    .name = "below",
    .strategy = COP_ONE_FOR_ALL,
    .max_restarts = 100,
    .backoff_min = COP_US(100),
    .backoff_max = COP_MS(1),
    COP_CHILDREN({.id = "agent", .agent = &five},
                 {.id = "adder", .name = "deep", .genserver = &adder},
                 {.id = "stubborn", .worker = sleep_in_the_system, .shutdown = COP_BRUTAL_KILL}),
};

static int
start_by_hand(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    return cop_genserver_start(out, &adder, .link = true);
}

static void
nested_tree(void)
{
    cop_pid supervisor;
    cop_child_info infos[4];
    cop_picture *picture;
    size_t count = 0;
    if (!went_well(cop_supervisor_start(&supervisor,
                                        &(cop_supervisor_spec){
                                            .strategy = COP_REST_FOR_ONE,
                                            .max_restarts = 100,
                                            COP_CHILDREN({.id = "worker", .worker = work_for_ever},
                                                         {.id = "below", .supervisor = &below},
                                                         {.id = "by hand", .start = start_by_hand}),
                                        }))) {
        return;
    }
    restart_below(supervisor, "deep");
    (void)went_well(cop_supervisor_children(supervisor, infos, 4, &count));
    if (went_well(cop_picture_take(&picture))) {
        MUST(picture->count > 0);
        cop_picture_free(picture);
    }
    (void)went_well(cop_supervisor_terminate_child(supervisor, "below"));
    (void)went_well(cop_supervisor_restart_child(supervisor, "below", NULL));
    (void)went_well(cop_supervisor_terminate_child(supervisor, "worker"));
    (void)went_well(cop_supervisor_delete_child(supervisor, "worker"));
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
    MUST(!cop_alive(supervisor));
}

static int
double_it(cop_bytes arg, void *result)
{
    *(int *)result = 2 * *(const int *)arg.data;
    return 0;
}

static void
supervised_tasks(void)
{
    cop_pid supervisor;
    int four = 4, value = 0;
    if (!went_well(
            cop_supervisor_start(&supervisor, &(cop_supervisor_spec){.strategy = COP_DYNAMIC}))) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        cop_future *task = cop_async_under(supervisor, double_it, .arg = COP_BYTES(four),
                                           .result_size = sizeof(int));
        MUST(task != NULL);
        if (went_well(cop_await(task, COP_OUT(value), PATIENCE))) {
            MUST(value == 8);
        }
        cop_future_release(task);
    }
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
}

static void
partitions(void)
{
    cop_pid supervisor;
    int key = 3, sum = 0;
    const cop_child_spec child = {.id = "part", .genserver = &adder};
    if (!went_well(cop_partition_supervisor_start(
            &supervisor,
            &(cop_partition_spec){.name = "parts", .child = &child, .partitions = 3}))) {
        return;
    }
    add_some(cop_partition("parts", COP_BYTES(key)), &sum);
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
}

const struct scenario supervisor_scenarios[] = {
    {"one_for_one", one_for_one, false},
    {"one_for_all", one_for_all, false},
    {"rest_for_one", rest_for_one, false},
    {"simple_one_for_one", simple_one_for_one, false},
    {"dynamic", dynamic, false},
    {"nested_tree", nested_tree, false},
    {"supervised_tasks", supervised_tasks, false},
    {"partitions", partitions, false},
    {NULL, NULL, false},
};
