/*
 * tests/supervisor/observe/test_figures.c - the library's own metrics.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/figures.h"
#include "tests/support/support.h"

enum {
    HANG = 1
};

static atomic_bool let_go;

static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    while (!atomic_load(&let_go)) {
        cop_sleep(COP_MS(1));
    }
    return cop_ok();
}

static const cop_genserver server = {.type = "counted", .handle_cast = hang};

static char *
text_now(void)
{
    struct copi_text text = {0};
    char *out;
    size_t size;
    ck_assert_int_eq(copi_figures_put(&text), 0);
    ck_assert_int_eq(copi_text_take(&text, &out, &size), 0);
    return out;
}

static bool
has(const char *part)
{
    char *text = text_now();
    bool found = strstr(text, part) != NULL;
    free(text);
    return found;
}

static int64_t
number(const char *name)
{
    char *text = text_now(), wanted[256];
    (void)snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(text, wanted);
    ck_assert_msg(at, "%s is not in:\n%s", name, text);
    int64_t value = strtoll(at + strlen(wanted), NULL, 10);
    free(text);
    return value;
}

static cop_pid
start_two(const char *first, const char *second)
{
    cop_pid tree;
    ck_assert_int_eq(
        cop_supervisor_start(&tree,
                             &(cop_supervisor_spec){
                                 .name = "root",
                                 .max_restarts = 100,
                                 COP_CHILDREN({.id = "one", .name = first, .genserver = &server},
                                              {.id = "two", .name = second, .genserver = &server}),
                             }),
        0);
    return tree;
}

static void
stop_all(cop_pid tree)
{
    atomic_store(&let_go, true);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

static int
put(void *unused)
{
    (void)unused;
    struct copi_text text = {0};
    int r = copi_figures_put(&text);
    copi_text_free(&text);
    return r;
}

TEST(without_memory_there_are_none)
{
    int result;
    cop_pid tree = start_two("first", "second");
    ck_assert_uint_gt(test_out_of_memory(put, NULL, &result), 0);
    ck_assert_int_eq(result, 0);
    stop_all(tree);
}

TEST(a_process_that_is_stuck_is_seen_with_its_mailbox)
{
    cop_pid tree = start_two("stuck", "idle");
    ck_assert_int_eq(cop_cast(cop_named("stuck"), COP_TAG(HANG)), 0);
    EVENTUALLY(!has("\ncoppice_actor_callback_seconds{actor=\"stuck\"} 0\n"));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_cast(cop_named("stuck"), COP_TAG(HANG)), 0);
    }
    ck_assert_int_eq(number("coppice_actor_mailbox_messages{actor=\"stuck\"}"), 3);
    ck_assert_int_eq(number("coppice_actor_mailbox_messages{actor=\"idle\"}"), 0);
    ck_assert_int_eq(number("coppice_mailbox_messages"), 3);
    ck_assert_int_eq(number("coppice_mailbox_longest_messages"), 3);
    ck_assert(!has("\ncoppice_actor_oldest_message_seconds{actor=\"stuck\"} 0\n"));
    ck_assert(has("\ncoppice_actor_oldest_message_seconds{actor=\"idle\"} 0\n"));
    ck_assert(has("\ncoppice_actor_callback_seconds{actor=\"idle\"} 0\n"));
    stop_all(tree);
}

TEST(restarts_are_counted_in_all_and_for_each_child)
{
    cop_pid tree = start_two("victim", "other");
    int64_t before = number("coppice_restarts_total");
    cop_pid victim = cop_whereis("victim");
    ck_assert_int_eq(cop_exit_signal(victim, COP_REASON_KILLED), 0);
    EVENTUALLY(number("coppice_restarts_total") == before + 1);
    EVENTUALLY(has("\ncoppice_child_restarts_total{supervisor=\"root\",child=\"one\"} 1\n"));
    ck_assert(has("\ncoppice_child_restarts_total{supervisor=\"root\",child=\"two\"} 0\n"));
    stop_all(tree);
}

TEST(a_childs_place_is_told_from_the_root_down)
{
    cop_pid tree;
    ck_assert_int_eq(
        cop_supervisor_start(
            &tree,
            &(cop_supervisor_spec){.name = "root",
                                   COP_CHILDREN({.id = "in\"ner",
                                                 .supervisor = &(cop_supervisor_spec){COP_CHILDREN(
                                                     {.id = "leaf", .genserver = &server})}})}),
        0);
    ck_assert(has("{supervisor=\"root/in\\\"ner\",child=\"leaf\"} 0\n"));
    stop_all(tree);
}

TEST(an_actor_may_be_called_what_it_likes)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "<script>\"\\\n"), 0);
    ck_assert_int_eq(number("coppice_actor_mailbox_messages{actor=\"<script>\\\"\\\\\\n\"}"), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

TEST(only_so_many_have_series_of_their_own)
{
    enum {
        MORE = 5
    };
    static cop_pid pids[COP_METRICS_NAMED + MORE];
    char name[32];
    for (size_t i = 0; i < COP_METRICS_NAMED + MORE; i++) {
        (void)snprintf(name, sizeof name, "actor_%zu", i);
        ck_assert_int_eq(cop_spawn(&pids[i], test_wait_for_end, .name = name), 0);
    }
    char *text = text_now();
    ck_assert_uint_eq(test_count(text, "\ncoppice_actor_mailbox_messages{"), COP_METRICS_NAMED);
    free(text);
    ck_assert_int_eq(number("coppice_actors_left_out"), MORE);
    ck_assert_int_ge(number("coppice_processes"), COP_METRICS_NAMED + MORE);
    for (size_t i = 0; i < COP_METRICS_NAMED + MORE; i++) {
        ck_assert_int_eq(cop_exit_signal(pids[i], COP_REASON_KILLED), 0);
    }
}

/* A series that is there twice is refused as a whole, by whoever collects them. */
TEST(children_that_cannot_be_told_apart_have_one_series)
{
    cop_pid trees[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_supervisor_start(&trees[i], &(cop_supervisor_spec){COP_CHILDREN(
                                                             {.id = "one", .genserver = &server})}),
                         0);
    }
    char *text = text_now();
    ck_assert_uint_eq(test_count(text, "\ncoppice_child_restarts_total{"), 1);
    free(text);
    stop_all(trees[0]);
    stop_all(trees[1]);
}

TEST(of_too_many_children_so_many_have_their_restarts_told)
{
    enum {
        MANY = COP_METRICS_NAMED + 3
    };
    static char ids[MANY][16];
    static cop_child_spec children[MANY];
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "child-%zu", i);
        children[i] = (cop_child_spec){.id = ids[i], .worker = test_wait_for_end};
    }
    cop_pid tree;
    ck_assert_int_eq(cop_supervisor_start(&tree, &(cop_supervisor_spec){.name = "root",
                                                                        .children = children,
                                                                        .child_count = MANY}),
                     0);
    char *text = text_now();
    ck_assert_uint_eq(test_count(text, "\ncoppice_child_restarts_total{"), COP_METRICS_NAMED);
    free(text);
    stop_all(tree);
}

TEST(live_objects_are_told_by_kind)
{
    int64_t before = number("coppice_live_objects{kind=\"timers\"}");
    cop_ref timer = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(1000));
    ck_assert_int_eq(number("coppice_live_objects{kind=\"timers\"}"), before + 1);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    ck_assert_int_gt(number("coppice_live_objects{kind=\"processes\"}"), 0);
}

SUITE("figures")
