/*
 * tests/actors/durable/test_memory_versions.c - promises in the order of their ids, and undoing a batch.
 *
 * Room: tests/.
 */
#include "actors/durable/memory_versions.h"
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <errno.h>

static struct copi_versions versions;

static struct copi_promise *
version_of(const char *id, int code)
{
    struct copi_promise *version =
        copi_version_new(&(cop_durable_record){.id = id, .code = code}, 0, 0);
    ck_assert_ptr_nonnull(version);
    return version;
}

static void
put(const char *id, int code)
{
    struct copi_promise *old = copi_versions_find(&versions, id);
    ck_assert_int_eq(copi_versions_change(&versions, old, version_of(id, code)), 0);
}

static void
take_out(const char *id)
{
    ck_assert_int_eq(copi_versions_change(&versions, copi_versions_find(&versions, id), NULL), 0);
}

/* As "id=code id=code ", in the order of the array. */
static const char *
content(void)
{
    static char text[256];
    size_t length = 0;
    text[0] = 0;
    for (size_t i = 0; i < versions.count; i++) {
        const cop_durable_record *record = versions.all[i]->record;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s=%d ", record->id,
                                   record->code);
    }
    return text;
}

TEST(they_stand_in_the_order_of_their_ids_and_are_found)
{
    put("m", 1);
    put("z", 2);
    put("a", 3);
    ck_assert_str_eq(content(), "a=3 m=1 z=2 ");
    ck_assert_ptr_null(copi_versions_find(&versions, "b"));
    ck_assert_int_eq(copi_versions_find(&versions, "z")->record->code, 2);
    ck_assert_uint_eq(copi_versions_position(&versions, ""), 0);
    ck_assert_uint_eq(copi_versions_position(&versions, "m"), 1);
    ck_assert_uint_eq(copi_versions_position(&versions, "n"), 2);
    ck_assert_uint_eq(copi_versions_position(&versions, "zz"), 3);
    copi_versions_commit(&versions);
    copi_versions_free(&versions);
}

TEST(a_batch_that_is_undone_has_changed_nothing)
{
    put("a", 1);
    put("b", 2);
    put("c", 3);
    copi_versions_commit(&versions);
    put("b", 20);
    put("d", 4);
    take_out("a");
    put("b", 200);
    take_out("b");
    put("b", 2000);
    ck_assert_str_eq(content(), "b=2000 c=3 d=4 ");
    copi_versions_roll_back(&versions);
    ck_assert_str_eq(content(), "a=1 b=2 c=3 ");
    copi_versions_roll_back(&versions); /* of nothing */
    ck_assert_str_eq(content(), "a=1 b=2 c=3 ");
    copi_versions_free(&versions);
}

TEST(what_is_committed_stays)
{
    put("a", 1);
    put("a", 2);
    take_out("a");
    put("b", 3);
    copi_versions_commit(&versions);
    copi_versions_roll_back(&versions);
    ck_assert_str_eq(content(), "b=3 ");
    copi_versions_free(&versions);
}

/* Undoing needs none; neither does the version that could not be put in. */
TEST(without_memory_half_way_everything_is_as_it_was)
{
    put("first", 0);
    copi_versions_commit(&versions);
    struct copi_promise *late = version_of("late", 1);
    for (int i = 0; versions.change_count < versions.change_capacity; i++) {
        put("first", i);
    }
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_version_new(&(cop_durable_record){.id = "x"}, 0, 0));
    ck_assert_int_eq(copi_versions_change(&versions, NULL, late), -ENOMEM); /* taken all the same */
    ck_assert_int_eq(copi_versions_change(&versions, NULL, NULL), -ENOMEM);
    copi_versions_roll_back(&versions);
    copi_alloc_fail_after(-1);
    ck_assert_str_eq(content(), "first=0 ");
    copi_versions_free(&versions);
}

SUITE("versions of promises")
