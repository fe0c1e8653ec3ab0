/*
 * tests/runtime/test_dictionary.c - the process dictionary.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <pthread.h>

/* ---------------------------------------------------------------- helpers */

static const char keys[200]; /* addresses that are nobody else's */

static char seen[256]; /* what was dropped, in order; written by one thread at a time */

static void
note_drop(void *value)
{
    strncat(seen, value, sizeof seen - strlen(seen) - 1);
}

static char a[] = "a", b[] = "b", c[] = "c";

static void
put(const void *key, char *value)
{
    ck_assert_int_eq(cop_put(key, value, note_drop), 0);
}

static cop_reason
end_of(cop_process_fn run)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, run, .monitor = &monitor), 0);
    return test_down(monitor);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_put_needs_a_key_and_a_value)
{
    ck_assert_int_eq(cop_put(NULL, a, note_drop), -EINVAL);
    ck_assert_int_eq(cop_put(&keys[0], NULL, note_drop), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_ptr_null(cop_get(&keys[0]));
    ck_assert_str_eq(seen, "");
}

TEST(what_is_not_there_is_neither_found_nor_erased)
{
    ck_assert_ptr_null(cop_get(&keys[0]));
    ck_assert_ptr_null(cop_erase(&keys[0]));
    put(&keys[0], a);
    ck_assert_ptr_null(cop_get(&keys[1]));
    ck_assert_ptr_null(cop_get(NULL));
    ck_assert_ptr_null(cop_erase(&keys[1]));
    ck_assert_ptr_eq(cop_erase(&keys[0]), a);
    ck_assert_ptr_null(cop_erase(&keys[0]));
    ck_assert_ptr_null(cop_get(&keys[0]));
    ck_assert_str_eq(seen, ""); /* it is the caller's */
}

static int
put_many(void *unused)
{
    (void)unused;
    int r = 0;
    for (size_t i = 0; i < 20 && r == 0; i++) {
        r = cop_get(&keys[i]) ? 0 : cop_put(&keys[i], a, note_drop);
    }
    return r;
}

TEST(without_memory_nothing_is_put_and_what_is_there_stays)
{
    int r;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(put_many, NULL, &r), 2); /* it grows twice */
    ck_assert_int_eq(r, 0);
    ck_assert_str_eq(seen, "");
    for (size_t i = 0; i < 20; i++) {
        ck_assert_ptr_eq(cop_get(&keys[i]), a);
    }
}

/* ---------------------------------------------------------------- put, get, erase */

TEST(a_value_is_found_under_its_key)
{
    put(&keys[0], a);
    put(&keys[1], b);
    ck_assert_ptr_eq(cop_get(&keys[0]), a);
    ck_assert_ptr_eq(cop_get(&keys[1]), b);
}

TEST(a_new_value_drops_the_old_one)
{
    put(&keys[0], a);
    put(&keys[0], b);
    ck_assert_str_eq(seen, "a");
    ck_assert_ptr_eq(cop_get(&keys[0]), b);
    ck_assert_int_eq(cop_put(&keys[0], c, NULL), 0);
    put(&keys[0], a);
    ck_assert_str_eq(seen, "ab"); /* c has no drop function */
}

TEST(the_same_value_is_not_dropped_and_may_change_its_drop_function)
{
    put(&keys[0], a);
    ck_assert_int_eq(cop_put(&keys[0], a, NULL), 0);
    put(&keys[0], b);
    ck_assert_str_eq(seen, "");
}

TEST(a_failure_to_find_does_not_change_why)
{
    cop_unregister("nobody");
    cop_get(&keys[0]);
    cop_erase(&keys[0]);
    ck_assert_int_eq(cop_why().code, -ENOENT);
}

TEST(many_keys_are_told_apart)
{
    static int values[sizeof keys];
    for (size_t i = 0; i < sizeof keys; i++) {
        ck_assert_int_eq(cop_put(&keys[i], &values[i], NULL), 0);
    }
    for (size_t i = 0; i < sizeof keys; i += 3) {
        ck_assert_ptr_eq(cop_erase(&keys[i]), &values[i]);
    }
    for (size_t i = 0; i < sizeof keys; i++) {
        ck_assert_ptr_eq(cop_get(&keys[i]), i % 3 == 0 ? NULL : &values[i]);
    }
}

static int
find_nothing_of_anothers(cop_bytes arg)
{
    (void)arg;
    cop_assert(cop_get(&keys[0]) == NULL);
    return cop_put(&keys[0], b, note_drop);
}

TEST(each_process_has_its_own)
{
    put(&keys[0], a);
    for (int i = 0; i < 3; i++) { /* on the same thread, most likely */
        ck_assert_int_eq(end_of(find_nothing_of_anothers).kind, COP_NORMAL);
    }
    ck_assert_str_eq(seen, "bbb");
    ck_assert_ptr_eq(cop_get(&keys[0]), a);
    ck_assert_ptr_eq(cop_erase(&keys[0]), a);
}

/* ---------------------------------------------------------------- the end of the process */

static int
put_three(void)
{
    put(&keys[0], a);
    put(&keys[1], b);
    put(&keys[2], c);
    return cop_erase(&keys[1]) == b ? 0 : -EIO;
}

static int
return_with_values(cop_bytes arg)
{
    (void)arg;
    return put_three();
}

static int
crash_with_values(cop_bytes arg)
{
    (void)arg;
    put_three();
    cop_exit(cop_failed(-EIO, NULL));
}

static int
be_killed_with_values(cop_bytes arg)
{
    (void)arg;
    put_three();
    cop_exit_signal(cop_self(), COP_REASON_KILLED);
    return cop_sleep(COP_FOREVER);
}

TEST_TIMES(3, values_are_dropped_when_the_process_ends_last_put_first)
{
    const cop_process_fn ends[] = {return_with_values, crash_with_values, be_killed_with_values};
    end_of(ends[_i]);
    ck_assert_str_eq(seen, "ca");
}

static void
note_value(void *key)
{
    static char nothing[] = "-";
    void *value = cop_get(key);
    note_drop(value ? value : nothing);
}

static int
look_at_the_end(cop_bytes arg)
{
    (void)arg;
    static const char at_the_end = 0;
    union {
        const void *in;
        void *out;
    } key = {.in = &at_the_end};
    cop_at_exit(note_value, key.out);
    put(&at_the_end, a);
    return 0;
}

TEST(deferred_calls_of_the_process_still_find_them)
{
    end_of(look_at_the_end);
    ck_assert_str_eq(seen, "aa");
}

static void
put_another(void *value)
{
    note_drop(value);
    put(&keys[7], c);
}

static void
exit_in_a_drop(void *value)
{
    note_drop(value);
    cop_exit(cop_failed(-ENOSPC, NULL));
}

static int
leave_drops_that_act(cop_bytes arg)
{
    (void)arg;
    put(&keys[0], a);
    cop_put(&keys[1], b, put_another);
    cop_put(&keys[2], c, exit_in_a_drop);
    return 0;
}

TEST(drops_may_put_and_one_that_exits_keeps_no_other_from_running)
{
    ck_assert_int_eq(end_of(leave_drops_that_act).kind, COP_NORMAL);
    ck_assert_str_eq(seen, "cbca");
}

static int
exit_in_a_replacement(cop_bytes arg)
{
    (void)arg;
    cop_put(&keys[0], a, exit_in_a_drop);
    put(&keys[0], b);
    note_drop(c); /* it has not ended in the drop function */
    cop_checkpoint();
    note_drop(c);
    return 0;
}

TEST(an_exit_in_a_drop_takes_effect_at_the_next_exit_point)
{
    ck_assert_int_eq(end_of(exit_in_a_replacement).code, -ENOSPC);
    ck_assert_str_eq(seen, "acb");
}

static void
free_owned(void *value)
{
    note_drop(value);
    cop_free(value);
}

static int
own_a_value(cop_bytes arg)
{
    (void)arg;
    char *value = cop_alloc(2);
    cop_assert(value);
    memcpy(value, "o", 2);
    return cop_put(&keys[0], value, free_owned);
}

TEST(memory_of_the_process_is_still_there_for_drops)
{
    ck_assert_int_eq(end_of(own_a_value).kind, COP_NORMAL);
    ck_assert_str_eq(seen, "o");
}

static void *
put_on_a_foreign_thread(void *unused)
{
    put(&keys[0], a);
    put(&keys[1], b);
    return unused;
}

TEST(a_thread_that_the_library_did_not_start_has_one_until_it_ends)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, put_on_a_foreign_thread, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(seen, "ba");
}

struct session {
    char number[2];
};

static cop_step
remember(void *state, cop_msg msg)
{
    (void)state;
    struct session *session = cop_get(&keys[0]);
    if (!session) {
        session = cop_alloc(sizeof *session);
        cop_assert(session && cop_put(&keys[0], session, note_drop) == 0);
        memcpy(session->number, "0", 2);
    }
    session->number[0]++;
    return msg.tag == 3 ? cop_stop(COP_REASON_NORMAL) : cop_ok();
}

static const cop_genserver rememberer = {.type = "rememberer", .handle_info = remember};

TEST(what_one_callback_puts_the_next_one_gets)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_genserver_start(&pid, &rememberer, .monitor = &monitor), 0);
    for (uint32_t tag = 1; tag <= 3; tag++) {
        cop_send(pid, COP_TAG(tag));
    }
    test_down(monitor);
    ck_assert_str_eq(seen, "3");
}

SUITE("dictionary")
