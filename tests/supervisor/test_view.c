/*
 * tests/supervisor/test_view.c - a specification as a user would have written it.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/spec.h"
#include "supervisor/view.h"
#include "tests/supervisor/tree.h"

static int
work(cop_bytes arg)
{
    return (int)arg.size;
}

static int
start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out, (void)arg, (void)why;
    return 0;
}

static int
init(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec, (void)arg;
    return 0;
}

static int
make_state(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return 0;
}

static void
drop_state(void *state)
{
    (void)state;
}

static const cop_agent_spec agent = {
    .initial = COP_BYTES_INIT("state"),
    .init = make_state,
    .state_size = 64,
    .drop = drop_state,
};

static const cop_statem machine = {.type = "machine"};
static const cop_via via = {"r", COP_BYTES_INIT("key"), COP_BYTES_INIT("value")};

/* One of each, with nothing at its default. */
static const cop_supervisor_spec written = {
    .name = "sup",
    .strategy = COP_REST_FOR_ONE,
    .max_restarts = 7,
    .max_seconds = 70,
    .auto_shutdown = COP_ANY_SIGNIFICANT,
    .backoff_min = COP_MS(3),
    .backoff_max = COP_MS(30),
    .give_up = COP_GIVE_UP_CRASH,
    .init = init,
    .arg = COP_BYTES_INIT("arg"),
    COP_CHILDREN(BOX_WITH("a", .shutdown = 9, .restart = COP_TRANSIENT, .significant = true),
                 {.id = "w",
                  .worker = work,
                  .contain_faults = true,
                  .mailbox = {5, COP_FULL_BLOCK},
                  .init_timeout = 11,
                  .stack_size = 1 << 20},
                 {.id = "s", .start = start, .supervises = true}, {.id = "g", .agent = &agent},
                 {.id = "m", .statem = &machine, .via = &via},
                 {.id = "c", .command = (const char *const[]){"one", "", "two", NULL}},
                 {.id = "below",
                  .supervisor = &(const cop_supervisor_spec){.strategy = COP_DYNAMIC,
                                                             .via = &via,
                                                             .max_children = 3,
                                                             .extra = COP_BYTES_INIT("extra")}}),
};

static struct copi_spec *
copy_of(const cop_supervisor_spec *from)
{
    struct copi_spec *spec;
    cop_self();
    ck_assert_int_eq(copi_spec_new(&spec, from), 0);
    return spec;
}

static void
same_bytes(cop_bytes a, cop_bytes b)
{
    ck_assert_uint_eq(a.size, b.size);
    ck_assert(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void
same_text(const char *a, const char *b)
{
    ck_assert_str_eq(a ? a : "none", b ? b : "none");
}

static void
same_via(const cop_via *a, const cop_via *b)
{
    ck_assert(!a == !b);
    if (a) {
        same_text(a->registry, b->registry);
        same_bytes(a->key, b->key);
        same_bytes(a->value, b->value);
    }
}

static void same(const cop_supervisor_spec *a, const cop_supervisor_spec *b);

static void
same_child(const cop_child_spec *a, const cop_child_spec *b)
{
    same_text(a->id, b->id);
    same_text(a->name, b->name);
    same_bytes(a->arg, b->arg);
    same_via(a->via, b->via);
    ck_assert_ptr_eq(a->genserver, b->genserver);
    ck_assert_ptr_eq(a->statem, b->statem);
    ck_assert(a->worker == b->worker && a->start == b->start);
    ck_assert_int_eq(a->significant, b->significant);
    ck_assert_int_eq(a->supervises, b->supervises);
    ck_assert_int_eq(a->contain_faults, b->contain_faults);
    ck_assert_uint_eq(a->mailbox.limit, b->mailbox.limit);
    ck_assert_int_eq(a->mailbox.when_full, b->mailbox.when_full);
    ck_assert_int_eq(a->init_timeout, b->init_timeout);
    ck_assert_uint_eq(a->stack_size, b->stack_size);
    ck_assert(!a->supervisor == !b->supervisor && !a->agent == !b->agent);
    if (a->supervisor) {
        same(a->supervisor, b->supervisor);
    }
    if (a->agent) {
        same_bytes(a->agent->initial, b->agent->initial);
        ck_assert_uint_eq(a->agent->state_size, b->agent->state_size);
        ck_assert(a->agent->init == b->agent->init && a->agent->drop == b->agent->drop);
    }
    for (size_t i = 0; a->command && (i == 0 || a->command[i - 1]); i++) {
        same_text(a->command[i], b->command[i]);
    }
}

static void
same(const cop_supervisor_spec *a, const cop_supervisor_spec *b)
{
    same_text(a->name, b->name);
    same_via(a->via, b->via);
    ck_assert_int_eq(a->strategy, b->strategy);
    ck_assert_int_eq(a->auto_shutdown, b->auto_shutdown);
    ck_assert_int_eq(a->backoff_min, b->backoff_min);
    ck_assert_int_eq(a->backoff_max, b->backoff_max);
    ck_assert_int_eq(a->give_up, b->give_up);
    ck_assert_uint_eq(a->max_children, b->max_children);
    same_bytes(a->extra, b->extra);
    same_bytes(a->arg, b->arg);
    ck_assert(a->init == b->init);
    ck_assert_uint_eq(a->child_count, b->child_count);
    for (size_t i = 0; i < a->child_count; i++) {
        same_child(&a->children[i], &b->children[i]);
    }
}

static int
view(void *spec)
{
    struct copi_view seen;
    int r = copi_view_make(&seen, spec);
    ck_assert(r == 0 || !seen.blocks);
    copi_view_clear(&seen);
    return r;
}

TEST(without_memory_there_is_no_view_and_nothing_left)
{
    struct copi_spec *spec = copy_of(&written);
    int result;
    ck_assert_uint_ge(test_out_of_memory(view, spec, &result), 5);
    ck_assert_int_eq(result, 0);
    copi_spec_release(spec);
}

TEST(it_shows_what_was_written)
{
    struct copi_spec *spec = copy_of(&written);
    struct copi_view seen;
    ck_assert_int_eq(copi_view_make(&seen, spec), 0);
    same(&written, &seen.spec);
    ck_assert_uint_eq(seen.spec.max_restarts, 7);
    ck_assert_uint_eq(seen.spec.max_seconds, 70);
    ck_assert_int_eq(seen.spec.children[0].restart, COP_TRANSIENT);
    ck_assert_int_eq(seen.spec.children[0].shutdown, 9);
    copi_view_clear(&seen);
    copi_spec_release(spec);
}

TEST(what_it_shows_can_be_copied_again)
{
    struct copi_spec *spec = copy_of(&written), *again;
    struct copi_view seen, second;
    ck_assert_int_eq(copi_view_make(&seen, spec), 0);
    again = copy_of(&seen.spec);
    ck_assert_int_eq(copi_view_make(&second, again), 0);
    same(&written, &second.spec);
    copi_view_clear(&seen);
    copi_view_clear(&second);
    copi_spec_release(spec);
    copi_spec_release(again);
}

TEST(defaults_and_limits_are_shown_as_they_are_written)
{
    static const size_t limits[] = {0, 5, COP_NO_CHILDREN};
    for (size_t i = 0; i < 3; i++) {
        struct copi_spec *spec = copy_of(TREE(.strategy = COP_DYNAMIC, .max_children = limits[i]));
        struct copi_view seen;
        ck_assert_int_eq(copi_view_make(&seen, spec), 0);
        ck_assert_uint_eq(seen.spec.max_children, limits[i]);
        ck_assert_uint_eq(seen.spec.max_restarts, 3); /* DYN-002 */
        ck_assert_uint_eq(seen.spec.max_seconds, 5);
        ck_assert_ptr_null(seen.spec.name);
        copi_view_clear(&seen);
        copi_spec_release(spec);
    }
}

SUITE("view")
