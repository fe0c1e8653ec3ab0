/*
 * tests/supervisor/test_siblings.c - a supervisor's children, in the order in which they start.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/siblings.h"
#include "supervisor/spec.h"
#include "tests/support/support.h"

static struct copi_child_spec specs[] = {
    {.id = "a", .restart = COP_TRANSIENT, .shutdown = 7},
    {.id = "b", .kind = COPI_CHILD_SUPERVISOR},
    {.id = "c", .significant = true},
};

static struct copi_siblings
three(struct copi_child *child[3])
{
    struct copi_siblings all = {0};
    for (size_t i = 0; i < 3; i++) {
        child[i] = copi_child_new(&specs[i], NULL);
        ck_assert_ptr_nonnull(child[i]);
        copi_siblings_append(&all, child[i]);
    }
    return all;
}

/* Their ids, oldest first, and the same backwards. */
static void
are(const struct copi_siblings *all, const char *ids)
{
    char forwards[16] = "", backwards[16] = "";
    size_t count = strlen(ids), i = 0;
    for (const struct copi_child *child = all->oldest; child; child = child->younger) {
        forwards[i++] = child->spec->id[0];
    }
    for (const struct copi_child *child = all->youngest; child; child = child->older) {
        backwards[--i] = child->spec->id[0];
    }
    ck_assert_str_eq(forwards, ids);
    ck_assert_str_eq(backwards, ids);
    ck_assert_uint_eq(all->count, count);
}

static void
run(struct copi_siblings *all, struct copi_child *child, cop_pid pid)
{
    copi_siblings_set(all, child, COPI_CHILD_RUNNING, pid);
}

TEST(there_may_be_none)
{
    struct copi_siblings none = {0};
    are(&none, "");
    ck_assert_ptr_null(copi_siblings_find(&none, "a"));
    ck_assert_uint_eq(copi_siblings_count(&none, false).specs, 0);
    copi_siblings_clear(&none);
}

TEST(without_memory_there_is_no_child)
{
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_child_new(&specs[0], NULL));
    copi_child_free(NULL);
}

TEST(keep_their_order_whoever_goes)
{
    for (size_t gone = 0; gone < 3; gone++) {
        struct copi_child *child[3];
        struct copi_siblings all = three(child);
        are(&all, "abc");
        copi_siblings_remove(&all, child[gone]);
        are(&all, gone == 0 ? "bc" : gone == 1 ? "ac" : "ab");
        copi_child_free(child[gone]);
        copi_siblings_clear(&all);
        are(&all, "");
    }
}

TEST(are_found_by_id)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(copi_siblings_find(&all, specs[i].id), child[i]);
    }
    ck_assert_ptr_null(copi_siblings_find(&all, "d"));
    ck_assert_ptr_null(copi_siblings_find(&all, ""));
    copi_siblings_clear(&all);
}

TEST(are_found_by_pid_while_they_run)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    cop_pid pid = {77};
    ck_assert_ptr_null(copi_siblings_find_running(&all, COP_NOBODY)); /* whom the others are */
    run(&all, child[1], pid);
    ck_assert_ptr_eq(copi_siblings_find_running(&all, pid), child[1]);
    copi_siblings_set(&all, child[1], COPI_CHILD_RESTARTING, pid);
    ck_assert_ptr_null(copi_siblings_find_running(&all, pid));
    copi_siblings_clear(&all);
}

TEST(significant_ones_count_unless_they_are_down)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    run(&all, child[0], (cop_pid){1});
    ck_assert(!copi_siblings_any_significant(&all));
    copi_siblings_set(&all, child[2], COPI_CHILD_RESTARTING, COP_NOBODY);
    ck_assert(copi_siblings_any_significant(&all));
    run(&all, child[2], (cop_pid){1});
    ck_assert(copi_siblings_any_significant(&all));
    copi_siblings_clear(&all);
}

TEST(are_counted_by_what_they_are_and_whether_they_live)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    run(&all, child[0], cop_self());
    run(&all, child[1], (cop_pid){UINT64_C(999) << 32 | 999}); /* has unlinked itself and ended */
    cop_child_counts counts = copi_siblings_count(&all, false);
    ck_assert_uint_eq(counts.specs, 3);
    ck_assert_uint_eq(counts.active, 1);
    ck_assert_uint_eq(counts.supervisors, 1);
    ck_assert_uint_eq(counts.workers, 2);
    ck_assert_uint_eq(copi_siblings_count(&all, true).active, 2);
    copi_siblings_clear(&all);
}

TEST(are_listed_youngest_first)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    cop_child_info infos[3];
    run(&all, child[0], (cop_pid){5});
    child[0]->restarts = 4;
    copi_siblings_set(&all, child[2], COPI_CHILD_RESTARTING, COP_NOBODY);
    copi_siblings_list(&all, infos);
    ck_assert_str_eq(infos[0].id, "c");
    ck_assert(infos[0].restarting && infos[0].pid.id == 0 && !infos[0].is_supervisor);
    ck_assert_str_eq(infos[1].id, "b");
    ck_assert(!infos[1].restarting && infos[1].pid.id == 0 && infos[1].is_supervisor);
    ck_assert_str_eq(infos[2].id, "a");
    ck_assert(!infos[2].restarting && infos[2].pid.id == 5);
    ck_assert_uint_eq(infos[2].restarts, 4);
    ck_assert_int_eq(infos[2].restart, COP_TRANSIENT);
    ck_assert_int_eq(infos[2].shutdown, 7);
    ck_assert(infos[0].significant && !infos[2].significant);
    copi_siblings_clear(&all);
}

TEST(nameless_ones_may_have_the_same_id_and_do_not_tell_it) /* DYN-007 */
{
    struct copi_siblings all = {.nameless = true};
    cop_child_info infos[2];
    copi_siblings_append(&all, copi_child_new(&specs[0], NULL));
    copi_siblings_append(&all, copi_child_new(&specs[0], NULL));
    ck_assert_ptr_null(copi_siblings_find(&all, "a"));
    copi_siblings_list(&all, infos);
    ck_assert_str_eq(infos[0].id, "");
    ck_assert_str_eq(infos[1].id, "");
    copi_siblings_clear(&all);
    ck_assert(all.nameless);
}

TEST(one_between_two_attempts_is_found_by_its_ticket)
{
    struct copi_child *child[3];
    struct copi_siblings all = three(child);
    copi_siblings_set(&all, child[0], COPI_CHILD_RESTARTING, (cop_pid){7});
    copi_siblings_set(&all, child[1], COPI_CHILD_RESTARTING, COP_NOBODY);
    uint64_t ticket = child[0]->ticket;
    copi_siblings_set(&all, child[0], COPI_CHILD_RESTARTING, (cop_pid){7});
    ck_assert_uint_eq(child[0]->ticket, ticket); /* two messages may be under way, as in OTP */
    ck_assert_ptr_eq(copi_siblings_find_ticket(&all, ticket), child[0]);
    ck_assert_ptr_eq(copi_siblings_find_pid(&all, (cop_pid){7}), child[0]);
    run(&all, child[0], (cop_pid){8});
    copi_siblings_set(&all, child[0], COPI_CHILD_RESTARTING, (cop_pid){8});
    ck_assert_ptr_null(copi_siblings_find_ticket(&all, ticket));
    ck_assert_ptr_null(copi_siblings_find_ticket(&all, 0));
    copi_siblings_clear(&all);
}

static void
find_all(struct copi_siblings *all, struct copi_child *child[3])
{
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(copi_siblings_find(all, specs[i].id), child[i]);
        ck_assert_ptr_eq(copi_siblings_find_pid(all, (cop_pid){i + 1}), child[i]);
        ck_assert_ptr_eq(copi_siblings_find_ticket(all, child[i]->ticket), child[i]);
    }
    ck_assert_ptr_null(copi_siblings_find(all, "d"));
    ck_assert_ptr_null(copi_siblings_find_pid(all, (cop_pid){9}));
    ck_assert_ptr_null(copi_siblings_find_pid(all, COP_NOBODY));
    ck_assert_ptr_null(copi_siblings_find_ticket(all, 9));
}

TEST_TIMES(12, are_found_without_memory_for_an_index)
{
    struct copi_siblings all = {0};
    struct copi_child *child[3];
    for (size_t i = 0; i < 3; i++) {
        child[i] = copi_child_new(&specs[i], NULL);
    }
    copi_alloc_fail_after(_i);
    for (size_t i = 0; i < 3; i++) {
        copi_siblings_append(&all, child[i]);
        copi_siblings_set(&all, child[i], COPI_CHILD_RESTARTING, (cop_pid){i + 1});
    }
    find_all(&all, child);
    copi_alloc_fail_after(-1);
    for (size_t i = 0; i < 3; i++) { /* who was left out gets in */
        copi_siblings_remove(&all, child[i]);
        copi_siblings_append(&all, child[i]);
        copi_siblings_set(&all, child[i], COPI_CHILD_RESTARTING, (cop_pid){i + 1});
    }
    ck_assert_uint_eq(all.ids.left_out + all.pids.left_out + all.tickets.left_out, 0);
    find_all(&all, child);
    copi_siblings_clear(&all);
}

TEST(
    many_are_found_at_once) /* SUP-143, SOF-019: that time grows with the number is told by its limit */
{
    enum {
        MANY = 100000
    };
    struct copi_siblings all = {0};
    struct copi_child_spec *many = calloc(MANY, sizeof *many);
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(many[i].id, sizeof many[i].id, "child_%zu", i);
        copi_siblings_append(&all, copi_child_new(&many[i], NULL));
    }
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(copi_siblings_find(&all, many[i].id)->spec, &many[i]);
    }
    ck_assert_uint_eq(all.ids.left_out, 0);
    for (size_t i = 0; i < MANY; i++) { /* and pids, when they go in the order in which they came */
        copi_siblings_set(&all, copi_siblings_find(&all, many[i].id), COPI_CHILD_RUNNING,
                          (cop_pid){i + 1});
    }
    for (size_t i = 0; i < MANY / 2; i++) {
        struct copi_child *child = copi_siblings_find_running(&all, (cop_pid){i + 1});
        ck_assert_ptr_eq(child->spec, &many[i]);
        copi_siblings_remove(&all, child);
        copi_child_free(child);
    }
    copi_siblings_clear(&all);
    free(many);
}

TEST(a_child_has_its_own_argument_or_its_specification_s)
{
    struct copi_child_spec spec = {.arg = {(char[]){"abc"}, 4}};
    struct copi_child *child = copi_child_new(&spec, NULL);
    ck_assert_str_eq(copi_child_arg(child).data, "abc");
    ck_assert_int_eq(copi_owned_join(&child->arg, COP_STR("x"), (cop_bytes){"yz", 2}), 0);
    ck_assert_uint_eq(copi_child_arg(child).size, 4);
    ck_assert_int_eq(memcmp(copi_child_arg(child).data, "x\0yz", 4), 0);
    copi_child_drop_arg(child);
    ck_assert_str_eq(copi_child_arg(child).data, "abc"); /* a template keeps its own */
    copi_child_free(child);
}

TEST(a_child_frees_the_specification_that_is_its_own)
{
    struct copi_child_spec *own = copi_alloc(sizeof *own);
    ck_assert_int_eq(copi_child_spec_copy(
                         own, &(cop_child_spec){.id = "own",
                                                .agent = &(cop_agent_spec){0},
                                                .arg = COP_STR("what leaks if it is not freed")}),
                     0);
    copi_child_free(copi_child_new(own, own));
}

SUITE("siblings")
