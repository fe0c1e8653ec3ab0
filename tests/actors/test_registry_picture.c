/*
 * tests/actors/test_registry_picture.c - what a registry held at one moment.
 *
 * Room: tests/.
 */
#include "actors/registry_picture.h"
#include "runtime/alloc.h"
#include "tests/actors/worker.h"

static struct copi_registrations all;
static struct copi_picture picture;

static void
add(cop_pid pid, int value)
{
    struct copi_blob *key = copi_blob_new(COP_STR("k")), *bytes = copi_blob_new(COP_BYTES(value));
    ck_assert_int_eq(copi_registrations_add(&all, copi_hash(COP_STR("k"), 0), key, pid, bytes), 0);
    copi_blob_release(key);
    copi_blob_release(bytes);
}

static struct copi_key *
key(void)
{
    return copi_registrations_key(&all, copi_hash(COP_STR("k"), 0), COP_STR("k"));
}

static int
take(void *env)
{
    (void)env;
    copi_picture_release(&picture);
    return copi_picture_add_key(&picture, key(), COP_NOBODY);
}

TEST(without_memory_a_picture_is_incomplete_and_still_released)
{
    int result;
    copi_registrations_init(&all);
    copi_picture_init(&picture);
    for (int i = 0; i < 3 * COPI_PICTURE_INSIDE; i++) {
        add(cop_self(), i);
    }
    ck_assert_uint_eq(test_out_of_memory(take, NULL, &result), 2);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(picture.count, 3 * COPI_PICTURE_INSIDE);
    copi_picture_release(&picture);
    copi_picture_release(&picture); /* twice is safe */
    copi_registrations_clear(&all);
}

TEST(a_picture_outlives_what_it_shows)
{
    copi_registrations_init(&all);
    copi_picture_init(&picture);
    for (int i = 0; i < 20; i++) {
        add(cop_self(), i);
    }
    ck_assert_int_eq(copi_picture_add_key(&picture, key(), COP_NOBODY), 0);
    copi_registrations_clear(&all);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(*(const int *)picture.entries[i].value.data, i);
        ck_assert_str_eq(picture.entries[i].key.data, "k");
    }
    copi_picture_release(&picture);
    ck_assert_uint_eq(picture.count, 0);
}

TEST(the_dead_and_the_others_are_not_in_it)
{
    cop_pid alive = worker_start(), dead = worker_start();
    copi_registrations_init(&all);
    copi_picture_init(&picture);
    worker_kill(dead);
    add(alive, 1);
    add(dead, 2);
    add(cop_self(), 3);
    ck_assert_int_eq(copi_picture_add_key(&picture, key(), COP_NOBODY), 0);
    ck_assert_uint_eq(picture.count, 2);
    ck_assert(cop_pid_eq(picture.entries[1].pid, cop_self()));
    copi_picture_release(&picture);
    ck_assert_int_eq(copi_picture_add_key(&picture, key(), alive), 0);
    ck_assert_uint_eq(picture.count, 1);
    ck_assert_int_eq(copi_picture_add_holder(&picture, copi_registrations_holder(&all, dead)), 0);
    ck_assert_uint_eq(picture.count, 1);
    ck_assert_int_eq(copi_picture_add_holder(&picture, copi_registrations_holder(&all, alive)), 0);
    ck_assert_uint_eq(picture.count, 2);
    copi_picture_release(&picture);
    copi_registrations_clear(&all);
}

SUITE("registry_picture")
