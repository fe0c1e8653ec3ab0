/*
 * tests/supervisor/test_partition.c - one server as many equal ones.
 *
 * Room: tests/. Case ids (PSU-001) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/thread.h"
#include "tests/supervisor/tree.h"
#include "tests/support/wrap.h"

#include <pthread.h>

enum {
    ADD = 1,
    WHO,
    CRASH,
    END,
};

#define LONGEST "1234567890123456789012345678901234567890123456789012345678901" /* and "/0": 63 */

/* ---------------------------------------------------------------- a counter */

struct counter {
    int number, sum; /* number: its argument */
};

static _Atomic unsigned seen_at_start;  /* how many partitions its init sees, */
static _Atomic unsigned found_at_start; /* and finds, without memory */
static _Atomic int failing = -1;        /* the number that fails to start */

static void
look_for_partitions(void)
{
    unsigned seen = cop_partition_count("counters"), found = 0;
    copi_alloc_fail_after(0);
    for (unsigned i = 0; i < seen; i++) {
        found += cop_partition_at("counters", i).id != 0;
    }
    copi_alloc_fail_after(-1);
    atomic_store(&seen_at_start, seen);
    atomic_store(&found_at_start, found);
}

static cop_step
counter_init(void *state, cop_bytes arg)
{
    struct counter *counter = state;
    if (arg.size == sizeof counter->number) {
        memcpy(&counter->number, arg.data, arg.size);
    }
    if (cop_partition_count("counters") > 0) {
        look_for_partitions();
    }
    return counter->number == atomic_load(&failing) ? cop_stop(cop_failed(-EBUSY, "busy"))
                                                    : cop_ok();
}

static cop_step
counter_call(void *state, cop_from from, cop_msg request)
{
    struct counter *counter = state;
    if (request.tag == ADD) {
        counter->sum++;
        return cop_reply(from, COP_MSG_OF(ADD, counter->sum));
    }
    return cop_reply(from, COP_MSG_OF(WHO, counter->number));
}

static cop_step
counter_cast(void *state, cop_msg msg)
{
    (void)state;
    cop_assert(msg.tag != CRASH);
    return cop_ok();
}

static const cop_genserver counter = {
    .type = "counter",
    .state_size = sizeof(struct counter),
    .init = counter_init,
    .handle_call = counter_call,
    .handle_cast = counter_cast,
};

static const cop_child_spec a_counter = {.genserver = &counter};

static int
ask(cop_pid pid, uint32_t tag)
{
    int answer = -1;
    ck_assert_int_eq(cop_call(pid, COP_TAG(tag), COP_OUT(answer), SOON), 0);
    return answer;
}

#define PARTITIONS(...) (&(const cop_partition_spec){__VA_ARGS__})

static cop_pid
start(const cop_partition_spec *spec)
{
    cop_pid pid;
    ck_assert_int_eq(cop_partition_supervisor_start(&pid, spec), 0);
    return pid;
}

static cop_bytes
number_as_argument(cop_bytes arg, unsigned number, void *env)
{
    static int argument; /* the same for all: it is copied at once */
    const int *offset = env;
    argument = (int)number + (offset ? *offset : 0) + (arg.size ? *(const char *)arg.data : 0);
    return COP_BYTES(argument);
}

static bool
is_unknown(const char *name)
{
    return cop_partition_count(name) == 0
           && cop_pid_eq(cop_partition(name, COP_STR("key")), COP_NOBODY)
           && cop_pid_eq(cop_partition_at(name, 0), COP_NOBODY);
}

/* ---------------------------------------------------------------- what is refused */

static void
refuses(const cop_partition_spec *spec, const char *why)
{
    cop_pid pid = {42};
    cop_child_spec child = {.id = "untouched"};
    ck_assert_int_eq(cop_partition_supervisor_start(&pid, spec), -EINVAL);
    ck_assert_str_eq(why_text(), why);
    ck_assert_uint_eq(pid.id, 42);
    ck_assert_int_eq(cop_partition_supervisor_child(&child, spec), -EINVAL);
    ck_assert_str_eq(child.id, "untouched");
}

static cop_bytes
bytes_at_null(cop_bytes arg, unsigned number, void *env)
{
    (void)arg, (void)number, (void)env;
    return (cop_bytes){NULL, 3};
}

static int
start_nobody(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out, (void)arg, (void)why;
    return 0;
}

TEST(a_specification_that_is_none_is_refused)
{
    const cop_child_spec named = {.genserver = &counter, .name = "one"},
                         unnameable = {.start = start_nobody};
    refuses(PARTITIONS(.child = &a_counter), "name: a partition supervisor needs one");
    refuses(PARTITIONS(.name = "", .child = &a_counter), "name: a partition supervisor needs one");
    refuses(PARTITIONS(.name = "x"), "child: there is none");
    refuses(PARTITIONS(.name = "x", .child = &named), "child.name: it cannot be all of theirs");
    refuses(PARTITIONS(.name = "x", .child = &unnameable),
            "child.start: its process cannot be named by others");
    refuses(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 65537),
            "partitions: more than 65536");
    refuses(PARTITIONS(.name = "x", .child = &a_counter, .with_arguments = bytes_at_null),
            "with_arguments: bytes at NULL");
    ck_assert_int_eq(cop_partition_supervisor_start(NULL, NULL), -EINVAL);
}

TEST(a_name_leaves_room_for_the_numbers)
{
    const char *why = "name: it leaves no room for the numbers of the partitions";
    refuses(PARTITIONS(.name = LONGEST "2", .child = &a_counter, .partitions = 1), why);
    refuses(PARTITIONS(.name = LONGEST, .child = &a_counter, .partitions = 11), why);
    cop_pid pid = start(PARTITIONS(.name = LONGEST, .child = &a_counter, .partitions = 10));
    ck_assert(cop_alive(cop_partition_at(LONGEST, 9)));
    stop_tree(pid);
}

TEST(what_is_wrong_with_a_child_is_refused_as_by_any_supervisor)
{
    const cop_child_spec nothing = {.restart = COP_TEMPORARY};
    ck_assert_int_eq(
        cop_partition_supervisor_start(NULL, PARTITIONS(.name = "x", .child = &nothing)), -EINVAL);
    ck_assert_str_eq(why_text(),
                     "0: it is no genserver, statem, worker, supervisor, command, agent or start");
    ck_assert(is_unknown("x"));
}

TEST(a_name_that_no_partition_supervisor_has_has_no_partitions)
{
    ck_assert(is_unknown("nobody"));
    ck_assert(is_unknown(NULL));
    ck_assert(is_unknown(""));
    ck_assert(is_unknown(LONGEST "234567"));
    ck_assert_int_eq(cop_register("plain", cop_self()), 0);
    ck_assert(is_unknown("plain"));
    start_tree(TREE(.name = "tree"));
    ck_assert(is_unknown("tree"));
    stop_tree(cop_whereis("tree"));
}

TEST(a_number_that_is_none_has_nobody)
{
    cop_pid pid = start(PARTITIONS(.name = "counters", .child = &a_counter, .partitions = 3));
    ck_assert(cop_alive(cop_partition_at("counters", 2)));
    ck_assert(cop_pid_eq(cop_partition_at("counters", 3), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_partition_at("counters", UINT32_MAX), COP_NOBODY));
    stop_tree(pid);
}

TEST(a_partition_that_does_not_start_fails_the_start_and_leaves_nothing)
{
    atomic_store(&failing, 2);
    ck_assert_int_eq(cop_partition_supervisor_start(
                         NULL, PARTITIONS(.name = "counters", .child = &a_counter,
                                          .with_arguments = number_as_argument, .partitions = 4)),
                     -EBUSY);
    ck_assert_str_eq(why_text(), "{shutdown,{failed_to_start_child,2,busy}}");
    ck_assert(is_unknown("counters"));
    ck_assert(cop_pid_eq(cop_whereis("counters/0"), COP_NOBODY));
}

TEST(a_name_that_is_taken_stays_as_it_is)
{
    cop_pid other, pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3));
    ck_assert_int_eq(cop_partition_supervisor_start(
                         &other, PARTITIONS(.name = "x", .child = &a_counter, .partitions = 5)),
                     -EEXIST);
    ck_assert_uint_eq(cop_partition_count("x"), 3);
    stop_tree(pid);
}

static int
start_two(void *out)
{
    return cop_partition_supervisor_start(out, PARTITIONS(.name = "x", .child = &a_counter,
                                                          .partitions = 2,
                                                          .with_arguments = number_as_argument));
}

TEST(without_memory_it_does_not_start_and_nothing_is_left)
{
    cop_pid pid;
    int r;
    cop_process_info info;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(start_two, &pid, &r), 10);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(cop_partition_count("x"), 2);
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    ck_assert_uint_eq(info.owned_bytes, 0);
    stop_tree(pid);
}

/* ---------------------------------------------------------------- what it is */

TEST(there_are_as_many_partitions_as_processors_unless_said_otherwise) /* PSU-001 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter));
    ck_assert_uint_eq(cop_partition_count("x"), copi_cores());
    ck_assert_uint_eq(counts(pid).active, copi_cores());
    stop_tree(pid);
}

TEST(it_is_identified_by_its_name_and_its_partitions_by_their_numbers) /* PSU-001, PSU-005 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 12));
    ck_assert(cop_pid_eq(cop_whereis("x"), pid));
    ck_assert_str_eq(listed(pid), "11=up 10=up 9=up 8=up 7=up 6=up 5=up 4=up 3=up 2=up 1=up 0=up");
    size_t count;
    const cop_child_info *infos = children(cop_named("x"), &count);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x/%.20s", infos[i].id);
        ck_assert(cop_pid_eq(cop_whereis(name), infos[i].pid));
        ck_assert_uint_eq(cop_partition_at("x", (unsigned)strtoul(infos[i].id, NULL, 10)).id,
                          cop_named(name).id);
    }
    stop_tree(cop_named("x"));
}

TEST(a_function_sets_the_arguments_per_partition) /* PSU-003 */
{
    int offset = 100;
    cop_pid pid =
        start(PARTITIONS(.name = "x", .partitions = 3,
                         .child = &(cop_child_spec){.genserver = &counter, .arg = {"\x05", 1}},
                         .with_arguments = number_as_argument, .env = &offset));
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(cop_partition_at("x", i), WHO), (int)i + 105);
    }
    stop_tree(pid);
}

static cop_bytes
no_argument(cop_bytes arg, unsigned number, void *env)
{
    (void)number, (void)env;
    arg.size = 0;
    return arg;
}

TEST(without_that_function_all_have_the_same_argument_and_it_may_give_none) /* PSU-003 */
{
    const int seventeen = 17;
    const cop_child_spec child = {.genserver = &counter, .arg = COP_BYTES_INIT(seventeen)};
    cop_pid same = start(PARTITIONS(.name = "same", .child = &child, .partitions = 2));
    cop_pid none = start(PARTITIONS(.name = "none", .child = &child, .partitions = 2,
                                    .with_arguments = no_argument));
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(ask(cop_partition_at("same", i), WHO), 17);
        ck_assert_int_eq(ask(cop_partition_at("none", i), WHO), 0);
    }
    stop_tree(same);
    stop_tree(none);
}

TEST(work_for_many_keys_is_spread_and_none_is_lost) /* PSU-004 */
{
    enum {
        KEYS = 2000,
        COUNT = 8
    };
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = COUNT));
    for (int i = 0; i < KEYS; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "user%d", i);
        cop_bytes key = i % 2 ? COP_STR(text) : COP_BYTES(i);
        ck_assert_uint_eq(cop_partition("x", key).id, cop_partition("x", key).id);
        ask(cop_partition("x", key), ADD);
    }
    int sum = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        int more = ask(cop_partition_at("x", i), ADD) - 1;
        ck_assert_int_gt(more, KEYS / COUNT / 2);
        sum += more;
    }
    ck_assert_int_eq(sum, KEYS);
    stop_tree(pid);
}

TEST(any_bytes_are_a_key_and_only_they_count)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 64));
    char one[] = "ab\0cd", other[] = "ab\0cd";
    ck_assert(cop_pid_eq(cop_partition("x", (cop_bytes){one, 5}),
                         cop_partition("x", (cop_bytes){other, 5})));
    other[4] = 'e';
    ck_assert(!cop_pid_eq(cop_partition("x", (cop_bytes){one, 5}),
                          cop_partition("x", (cop_bytes){other, 5})));
    ck_assert(cop_alive(cop_partition("x", (cop_bytes){0})));
    stop_tree(pid);
}

/* Who stores by key finds it again with the next version of the program. */
TEST(a_key_has_the_partition_that_it_has_always_had)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 1000));
    ck_assert_uint_eq(cop_partition("x", (cop_bytes){"", 0}).id, cop_partition_at("x", 458).id);
    ck_assert_uint_eq(cop_partition("x", (cop_bytes){"key", 3}).id, cop_partition_at("x", 739).id);
    stop_tree(pid);
}

TEST(a_stop_is_synchronous_and_the_names_are_free) /* PSU-007 */
{
    for (unsigned i = 1; i < 10; i++) {
        cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = i));
        ck_assert_uint_eq(cop_partition_count("x"), i);
        ck_assert_int_eq(cop_supervisor_stop(cop_named("x"), SOON), 0);
        ck_assert(cop_pid_eq(cop_whereis("x"), COP_NOBODY));
        ck_assert(cop_pid_eq(cop_whereis("x/0"), COP_NOBODY));
        ck_assert(!cop_alive(pid));
        ck_assert(is_unknown("x"));
        ck_assert_int_eq(cop_register("x", cop_self()), 0);
        ck_assert(is_unknown("x")); /* what the last holder noted is not this one's */
        ck_assert_int_eq(cop_unregister("x"), 0);
    }
}

static const cop_agent_spec an_agent = {.state_size = sizeof(int)};
static const cop_supervisor_spec a_supervisor;

static int
wait_for_end(cop_bytes arg)
{
    cop_msg msg;
    (void)arg;
    return cop_receive(&msg, COP_FOREVER);
}

TEST_TIMES(4, partitions_are_counted_by_what_they_are) /* PSU-009 */
{
    const char *const sleep[] = {"sleep", "3600", NULL};
    const cop_child_spec kinds[] = {
        {.supervisor = &a_supervisor},
        {.agent = &an_agent},
        {.worker = wait_for_end},
        {.command = sleep},
    };
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &kinds[_i], .partitions = 3));
    cop_child_counts counted = counts(pid);
    ck_assert_uint_eq(counted.specs, 3);
    ck_assert_uint_eq(counted.active, 3);
    ck_assert_uint_eq(counted.supervisors, _i == 0 ? 3 : 0);
    ck_assert_uint_eq(counted.workers, _i == 0 ? 0 : 3);
    ck_assert(cop_alive(cop_partition("x", COP_STR("key"))));
    stop_tree(pid);
}

/* ---------------------------------------------------------------- its life */

TEST(all_can_be_found_before_the_first_one_is_up)
{
    atomic_store(&failing, 0);
    ck_assert_int_eq(cop_partition_supervisor_start(NULL, PARTITIONS(.name = "counters",
                                                                     .child = &a_counter,
                                                                     .partitions = 5)),
                     -EBUSY);
    ck_assert_uint_eq(atomic_load(&seen_at_start), 5);
    ck_assert_uint_eq(atomic_load(&found_at_start), 5);
}

TEST(looking_for_a_partition_takes_no_memory)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 4));
    copi_alloc_fail_after(0);
    bool found = true;
    for (unsigned i = 0; i < 100; i++) {
        found &= cop_partition("x", COP_BYTES(i)).id != 0;
    }
    copi_alloc_fail_after(-1);
    ck_assert(found);
    stop_tree(pid);
}

TEST(a_partition_that_crashes_is_restarted_with_its_argument_and_keeps_its_keys)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3,
                                   .with_arguments = number_as_argument));
    cop_pid second = cop_partition_at("x", 1), before = cop_whereis("x/1"), third;
    third = cop_whereis("x/2");
    ck_assert_int_eq(ask(second, ADD), 1);
    cop_ref monitor = cop_monitor(before);
    cop_cast(second, COP_TAG(CRASH));
    test_down(monitor);
    EVENTUALLY(cop_alive(second));
    ck_assert(!cop_pid_eq(cop_whereis("x/1"), before));
    ck_assert_int_eq(ask(second, WHO), 1);
    ck_assert_int_eq(ask(second, ADD), 1);
    ck_assert(cop_pid_eq(cop_whereis("x/2"), third));
    ck_assert_uint_eq(cop_partition_at("x", 1).id, second.id);
    stop_tree(pid);
}

TEST(too_many_restarts_end_it)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 2,
                                   .max_seconds = 5)); /* none is allowed */
    cop_ref monitor = cop_monitor(pid);
    cop_cast(cop_partition_at("x", 0), COP_TAG(CRASH));
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert(is_unknown("x"));
}

TEST(a_partition_may_be_given_up_alone)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 2,
                                   .max_seconds = 5, .give_up = COP_GIVE_UP_CHILD));
    cop_cast(cop_partition_at("x", 0), COP_TAG(CRASH));
    EVENTUALLY(strcmp(listed(pid), "1=up 0=down") == 0);
    ck_assert_int_eq(cop_send(cop_partition_at("x", 0), COP_TAG(ADD)), -ESRCH);
    stop_tree(pid);
}

static int
start_linked_and_end(cop_bytes arg)
{
    (void)arg;
    return cop_partition_supervisor_start(NULL, PARTITIONS(.name = "x", .child = &a_counter,
                                                           .partitions = 2, .link = true));
}

TEST(one_that_is_linked_ends_with_who_started_it)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, start_linked_and_end, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    EVENTUALLY(is_unknown("x") && cop_pid_eq(cop_whereis("x/1"), COP_NOBODY));
}

/* ---------------------------------------------------------------- resizing */

static int
holder(const char *name, cop_bytes key)
{
    return ask(cop_partition(name, key), WHO);
}

TEST(only_a_partition_supervisor_is_resized_and_not_beyond_what_it_was) /* PSU-010 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3));
    ck_assert_int_eq(cop_partition_resize("x", 4), -EINVAL);
    ck_assert_str_eq(why_text(), "partitions: it was started with fewer");
    ck_assert_uint_eq(cop_partition_count("x"), 3);
    stop_tree(pid);
    ck_assert_int_eq(cop_partition_resize("x", 1), -ESRCH);
    ck_assert_int_eq(cop_partition_resize(NULL, 1), -ESRCH);
    ck_assert_int_eq(cop_register("plain", cop_self()), 0);
    ck_assert_int_eq(cop_partition_resize("plain", 1), -ESRCH);
}

TEST(a_resize_stops_the_upper_ones_reroutes_keys_and_brings_them_back) /* PSU-010 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 4,
                                   .with_arguments = number_as_argument));
    cop_pid first = cop_whereis("x/0");
    int before[100];
    for (int i = 0; i < 100; i++) {
        before[i] = holder("x", COP_BYTES(i));
    }
    ck_assert_int_eq(cop_partition_resize("x", 2), 0);
    ck_assert_uint_eq(cop_partition_count("x"), 2);
    ck_assert_str_eq(listed(pid), "3=down 2=down 1=up 0=up");
    ck_assert(cop_pid_eq(cop_partition_at("x", 2), COP_NOBODY));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_lt(holder("x", COP_BYTES(i)), 2);
    }
    ck_assert_int_eq(cop_partition_resize("x", 2), 0);
    ck_assert_int_eq(cop_partition_resize("x", 4), 0);
    ck_assert_uint_eq(cop_partition_count("x"), 4);
    ck_assert_str_eq(listed(pid), "3=up 2=up 1=up 0=up");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(holder("x", COP_BYTES(i)), before[i]);
    }
    ck_assert(cop_pid_eq(cop_whereis("x/0"), first)); /* the lower ones have noticed nothing */
    stop_tree(pid);
}

TEST(with_no_partition_left_no_key_belongs_to_anybody) /* PSU-010 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 2));
    ck_assert_int_eq(cop_partition_resize("x", 0), 0);
    ck_assert(is_unknown("x"));
    ck_assert_str_eq(listed(pid), "1=down 0=down");
    ck_assert_int_eq(cop_partition_resize("x", 1), 0);
    ck_assert_int_eq(ask(cop_partition("x", COP_STR("key")), ADD), 1);
    stop_tree(pid);
}

static atomic_bool cannot_ask;

int real_terminate(cop_pid supervisor, const char *id) REAL(cop_supervisor_terminate_child);
int terminate_if_it_can(cop_pid supervisor, const char *id) WRAP(cop_supervisor_terminate_child);
int
terminate_if_it_can(cop_pid supervisor, const char *id)
{
    return cannot_ask ? copi_fail(-ENOMEM) : real_terminate(supervisor, id);
}

TEST(a_partition_that_cannot_be_stopped_for_want_of_memory_stays_counted)
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3));
    cannot_ask = true;
    ck_assert_int_eq(cop_partition_resize("x", 1), -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    cannot_ask = false;
    ck_assert_uint_eq(cop_partition_count("x"), 3);
    ck_assert_int_eq(cop_partition_resize("x", 1), 0);
    ck_assert_str_eq(listed(pid), "2=down 1=down 0=up");
    stop_tree(pid);
}

TEST(a_partition_that_does_not_come_back_stays_uncounted) /* PSU-010 */
{
    cop_pid pid = start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 4,
                                   .with_arguments = number_as_argument));
    ck_assert_int_eq(cop_partition_resize("x", 1), 0);
    atomic_store(&failing, 2);
    ck_assert_int_eq(cop_partition_resize("x", 4), -EBUSY);
    ck_assert_uint_eq(cop_partition_count("x"), 2);
    ck_assert_str_eq(listed(pid), "3=down 2=down 1=up 0=up");
    atomic_store(&failing, -1);
    ck_assert_int_eq(cop_partition_resize("x", 4), 0);
    ck_assert_uint_eq(cop_partition_count("x"), 4);
    stop_tree(pid);
}

/* ---------------------------------------------------------------- below another supervisor */

static cop_pid
start_below(const cop_partition_spec *spec)
{
    cop_child_spec child;
    cop_process_info info;
    ck_assert_int_eq(cop_partition_supervisor_child(&child, spec), 0);
    ck_assert_str_eq(child.id, spec->name);
    /* A killed supervisor leaves its children to their links, and their names for a moment to them. */
    cop_pid top = start_tree(TREE(COP_CHILDREN(child), .max_restarts = 100000));
    cop_partition_supervisor_child_free(&child);
    ck_assert_ptr_null(child.supervisor);
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    ck_assert_uint_eq(info.owned_bytes, 0);
    return top;
}

TEST(it_can_be_a_child_and_is_restarted_as_one)
{
    cop_pid top = start_below(PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3,
                                         .with_arguments = number_as_argument));
    ck_assert_str_eq(listed(top), "x=up");
    ck_assert_uint_eq(counts(top).supervisors, 1);
    for (int i = 0; i < 3; i++) {
        cop_pid before = cop_whereis("x");
        cop_ref monitor = cop_monitor(before);
        cop_exit_signal(before, COP_REASON_KILLED);
        test_down(monitor);
        EVENTUALLY(is_at_rest_without(top, before) && cop_partition_count("x") == 3
                   && cop_alive(cop_partition_at("x", 2)));
        ck_assert_int_eq(ask(cop_partition_at("x", 2), WHO), 2);
    }
    stop_tree(top);
    ck_assert(is_unknown("x"));
}

TEST(a_child_that_was_given_back_can_be_given_back_again)
{
    cop_child_spec child;
    ck_assert_int_eq(cop_partition_supervisor_child(
                         &child, PARTITIONS(.name = "x", .child = &a_counter, .partitions = 3,
                                            .with_arguments = number_as_argument)),
                     0);
    cop_partition_supervisor_child_free(&child);
    cop_partition_supervisor_child_free(&child);
}

/* ---------------------------------------------------------------- while it comes and goes */

static _Atomic bool enough;

static void *
look_all_the_time(void *unused)
{
    for (unsigned i = 0; !atomic_load(&enough); i++) {
        cop_pid pid = cop_partition("x", COP_BYTES(i));
        int r = cop_send(pid, COP_TAG(END));
        if (r != 0 && r != -ESRCH) {
            abort();
        }
        if (cop_partition_count("x") > 4) {
            abort();
        }
    }
    return unused;
}

TEST(who_looks_while_it_comes_and_goes_finds_a_partition_or_nobody)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_all_the_time, NULL), 0);
    for (unsigned i = 0; i < 100; i++) {
        stop_tree(start(PARTITIONS(.name = "x", .child = &a_counter, .partitions = i % 4 + 1)));
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
}

SUITE("partition")
