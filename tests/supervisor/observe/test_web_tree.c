/*
 * tests/supervisor/observe/test_web_tree.c - the picture of the tree as JSON.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_tree.h"
#include "tests/support/support.h"

#define NOW COP_SEC(100)

static const char *
state_of(const cop_process_info *info)
{
    return copi_web_state(info, NOW, COP_SEC(1));
}

TEST(a_server_is_stuck_when_its_callback_lasts_too_long)
{
    cop_process_info info = {
        .kind = "genserver", .callback = "handle_call", .since = NOW - COP_SEC(1)};
    ck_assert_str_eq(state_of(&info), "stuck");
    info.since = NOW - COP_SEC(1) + 1;
    ck_assert_str_eq(state_of(&info), "running");
    info.since = 0; /* not known */
    ck_assert_str_eq(state_of(&info), "running");
    info.waits_in = "call"; /* which does not help those who wait for it */
    info.since = 1;
    ck_assert_str_eq(state_of(&info), "stuck");
}

TEST(a_worker_may_take_its_time)
{
    cop_process_info info = {.kind = "process", .callback = "run", .since = 1};
    ck_assert_str_eq(state_of(&info), "running");
    info.waits_in = "sleep";
    ck_assert_str_eq(state_of(&info), "waiting");
}

TEST(suspended_comes_before_all)
{
    cop_process_info info = {
        .kind = "agent", .is_suspended = true, .callback = "update", .since = 1};
    ck_assert_str_eq(state_of(&info), "suspended");
}

static char *
json_of(const cop_picture *picture)
{
    struct copi_json json;
    char *out;
    size_t size;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_json_open(&json, NULL, '{');
    copi_web_tree_put(&json, picture, COP_SEC(1));
    copi_json_close(&json, '}');
    ck_assert_int_eq(copi_json_take(&json, &out, &size), 0);
    ck_assert_uint_eq(strlen(out), size); /* a memory stream ends with a 0 */
    return out;
}

TEST(a_node_says_where_it_stands_and_what_it_is_called)
{
    const cop_picture_node nodes[] = {
        {.pid = {1}, .info = {.kind = "supervisor", .name = "<root>", .strategy = "one_for_one"}},
        {.pid = {2},
         .parent = 0,
         .depth = 1,
         .info = {.kind = "genserver",
                  .child_id = "a\"b",
                  .mailbox = 7,
                  .restarts = 3,
                  .oldest = COP_MS(1500)}},
    };
    const cop_picture picture = {
        .taken = NOW, .program = "test", .restarts = 3, .nodes = nodes, .count = 2};
    char *json = json_of(&picture);
    ck_assert_ptr_nonnull(strstr(json, "\"version\":1,\"program\":\"test\""));
    ck_assert_ptr_nonnull(
        strstr(json, "\"parent\":-1,\"depth\":0,\"name\":\"\\u003croot\\u003e\""));
    ck_assert_ptr_nonnull(strstr(json, "\"strategy\":\"one_for_one\""));
    ck_assert_ptr_nonnull(strstr(json, "\"parent\":0,\"depth\":1,\"name\":null"));
    ck_assert_ptr_nonnull(strstr(json, "\"id\":\"a\\u0022b\""));
    ck_assert_ptr_nonnull(strstr(json, "\"mailbox\":7,\"oldest_ms\":1500"));
    free(json);
}

TEST(a_picture_of_this_program_can_be_written)
{
    cop_picture *picture;
    cop_self();
    ck_assert_int_eq(cop_picture_take(&picture), 0);
    char *json = json_of(picture);
    ck_assert_ptr_nonnull(strstr(json, "\"kind\":\"thread\""));
    free(json);
    cop_picture_free(picture);
}

SUITE("web_tree")
