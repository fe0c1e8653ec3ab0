/*
 * tests/runtime/test_message.c - messages, and the pools they come from.
 *
 * Room: tests/. Without processes, but where a drop function must not end one.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/slab.h"
#include "runtime/thread.h"
#include "tests/support/support.h"

#include <pthread.h>

static atomic_int dropped;

static void
count_drop(void *data)
{
    atomic_fetch_add(&dropped, 1);
    free(data);
}

static cop_msg
moved(size_t size)
{
    return COP_MSG_MOVE(7, malloc(size + 1), size, count_drop);
}

/* ---------------------------------------------------------------- what is refused */

TEST(bytes_without_data_are_no_message)
{
    struct copi_message *message = NULL;
    cop_msg msg = {.tag = 1, .body = {NULL, 1}};
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), -EINVAL);
    ck_assert_ptr_null(message);
}

TEST(a_moved_body_without_data_is_no_message)
{
    struct copi_message *message = NULL;
    cop_msg msg = {.tag = 1, .drop = count_drop};
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), -EINVAL);
    ck_assert_ptr_null(message);
    ck_assert_int_eq(dropped, 0);
}

TEST(the_librarys_tags_are_not_for_users)
{
    const uint32_t tags[] = {COP_MSG_RESERVED, COP_MSG_DOWN, COP_MSG_EXIT,
                             COP_MSG_TIMEOUT,  COP_MSG_IO,   UINT32_MAX};
    struct copi_message *message = NULL;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        cop_msg msg = COP_TAG(tags[i]);
        ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), -EINVAL);
    }
    cop_msg last = COP_TAG(COP_MSG_RESERVED - 1);
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &last), 0);
    copi_message_free(message);
}

static int
make_and_free(void *arg)
{
    cop_msg *msg = arg;
    struct copi_message *message = NULL;
    int r = copi_message_from(&message, COPI_SEND, msg);
    ck_assert((r == 0) == (message != NULL));
    if (r == 0) {
        msg->drop = NULL; /* taken */
        copi_message_free(message);
    }
    return r;
}

TEST(without_memory_a_copy_is_not_made_whatever_is_missing)
{
    static char large[5000];
    int result;
    cop_msg msg = COP_MSG_OF(1, large);
    /* The body, the thread's pool, a slab of it. */
    ck_assert_uint_eq(test_out_of_memory(make_and_free, &msg, &result), 3);
    ck_assert_int_eq(result, 0);
}

TEST(without_memory_a_moved_body_stays_the_senders)
{
    int result;
    cop_msg msg = moved(10);
    void *body = malloc(1);
    free(body);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(make_and_free(&msg), -ENOMEM);
    ck_assert_int_eq(dropped, 0);
    ck_assert(msg.drop == count_drop);
    ck_assert_uint_eq(test_out_of_memory(make_and_free, &msg, &result), 2);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(dropped, 1);
}

/* ---------------------------------------------------------------- bodies */

static void
check_body(size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 7 + size);
    }
    struct copi_message *message = NULL;
    cop_msg msg = {.tag = (uint32_t)size, .body = {bytes, size}};
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), 0);
    cop_msg seen = copi_message_view(message);
    ck_assert_uint_eq(seen.tag, size);
    ck_assert_uint_eq(seen.body.size, size);
    ck_assert(!seen.drop);
    ck_assert_uint_eq((uintptr_t)seen.body.data % 8, 0);
    ck_assert(size == 0 || memcmp(seen.body.data, bytes, size) == 0);
    ck_assert(seen.body.data != bytes);
    copi_message_free(message);
    free(bytes);
}

TEST(a_body_of_any_size_is_copied_whole_and_lies_aligned)
{
    const size_t sizes[] = {0,   1,   3,    4,     5,     7,       8,       9,   15,
                            16,  17,  23,   24,    25,    88,      89,      344, 345,
                            984, 985, 1024, 65535, 65536, 1000000, 10000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_body(sizes[i]);
    }
}

TEST(a_message_with_twenty_four_bytes_is_one_line)
{
    struct copi_message *message = copi_message_new(COPI_SEND, 1, 24);
    ck_assert_uint_eq((uintptr_t)message % 64, 0);
    struct copi_message *next = copi_message_new(COPI_SEND, 1, 24);
    ck_assert_uint_eq((uintptr_t)next - (uintptr_t)message, 64);
    copi_message_free(message);
    copi_message_free(next);
}

TEST(a_body_too_large_for_a_node_is_not_made_inside_one)
{
    void *body;
    ck_assert_ptr_null(copi_message_new(COPI_SEND, 1, 985));
    struct copi_message *message = copi_message_blank(COPI_SEND, 1, 985, &body);
    ck_assert_ptr_nonnull(message);
    memset(body, 1, 985);
    ck_assert_uint_eq(copi_message_view(message).body.size, 985);
    copi_message_free(message);
}

TEST(a_moved_body_is_not_copied_and_is_dropped_once_with_its_message)
{
    struct copi_message *message;
    cop_msg msg = moved(100);
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), 0);
    ck_assert_ptr_eq(copi_message_view(message).body.data, msg.body.data);
    ck_assert(copi_message_view(message).drop == count_drop);
    ck_assert_int_eq(dropped, 0);
    copi_message_free(message);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_body_that_was_let_go_is_not_dropped_again_with_its_message)
{
    struct copi_message *message;
    cop_msg msg = moved(100);
    copi_message_from(&message, COPI_SEND, &msg);
    copi_message_drop_body(message);
    ck_assert_int_eq(dropped, 1);
    ck_assert_uint_eq(copi_message_view(message).body.size, 0);
    copi_message_drop_body(message);
    copi_message_free(message);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_moved_body_of_no_bytes_is_dropped_too)
{
    struct copi_message *message;
    cop_msg msg = moved(0);
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), 0);
    copi_message_free(message);
    ck_assert_int_eq(dropped, 1);
}

/* ---------------------------------------------------------------- given to a user */

TEST(a_given_message_with_its_body_inside_goes_home_when_it_is_released)
{
    uint64_t value = 42;
    cop_msg msg = COP_MSG_OF(7, value);
    struct copi_message *message;
    copi_message_from(&message, COPI_REPLY, &msg);
    cop_msg given = copi_message_give(message);
    ck_assert(copi_message_is_copy(&given));
    ck_assert_uint_eq(*COP_BODY(given, uint64_t), 42);
    cop_msg_release(&given);
    ck_assert_ptr_null(given.body.data);
    cop_msg_release(&given); /* twice is safe */
    struct copi_message *again = copi_message_new(COPI_SEND, 1, 8);
    ck_assert_ptr_eq(again, message);
    copi_message_free(again);
}

TEST(a_given_message_with_a_moved_body_drops_it_once)
{
    cop_msg msg = moved(10);
    struct copi_message *message;
    copi_message_from(&message, COPI_REPLY, &msg);
    cop_msg given = copi_message_give(message);
    ck_assert(!copi_message_is_copy(&given));
    ck_assert_int_eq(dropped, 0);
    cop_msg_release(&given);
    cop_msg_release(&given);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_given_message_without_a_body_has_nothing_to_release)
{
    struct copi_message *message = copi_message_new(COPI_REPLY, 3, 0);
    cop_msg given = copi_message_give(message);
    ck_assert_uint_eq(given.tag, 3);
    ck_assert(!given.drop);
    cop_msg_release(&given);
}

TEST(a_given_message_with_a_large_copy_frees_it)
{
    static char large[5000];
    cop_msg msg = COP_MSG_OF(7, large);
    struct copi_message *message;
    copi_message_from(&message, COPI_REPLY, &msg);
    cop_msg given = copi_message_give(message);
    ck_assert_uint_eq(given.body.size, sizeof large);
    ck_assert(copi_message_is_copy(&given));
    cop_msg_release(&given); /* a checker of leaks sees the rest */
}

/* ---------------------------------------------------------------- pools */

enum {
    NODES = 5000
};
static struct copi_message *nodes[NODES];

static void *
free_them(void *arg)
{
    for (int i = 0; i < NODES; i++) {
        copi_message_free(nodes[i]);
    }
    if (arg) {
        copi_pool_leave();
    }
    return NULL;
}

static void
make_them(size_t body)
{
    for (int i = 0; i < NODES; i++) {
        nodes[i] = copi_message_new(COPI_SEND, 1, body);
        if (!nodes[i]) {
            ck_abort_msg("no memory");
        }
    }
}

static void
in_a_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    pthread_join(thread, NULL);
}

TEST(a_freed_node_is_the_next_to_go_out)
{
    struct copi_message *first = copi_message_new(COPI_SEND, 1, 8);
    copi_message_free(first);
    ck_assert_ptr_eq(copi_message_new(COPI_SEND, 1, 8), first);
    copi_message_free(first);
}

TEST(in_steady_state_nothing_is_allocated)
{
    make_them(8);
    free_them(NULL);
    copi_alloc_fail_after(0);
    make_them(8);
    free_them(NULL);
}

static struct copi_message *
all_there_are(unsigned *count)
{
    struct copi_message *list = NULL;
    copi_alloc_fail_after(0);
    for (struct copi_message *node; (node = copi_message_new(COPI_SEND, 1, 8)); list = node) {
        node->next = list;
        ++*count;
    }
    copi_alloc_fail_after(-1);
    return list;
}

static void
free_list(struct copi_message *list)
{
    while (list) {
        struct copi_message *next = list->next;
        copi_message_free(list);
        list = next;
    }
}

TEST(nodes_that_another_thread_frees_come_home_to_the_last_one)
{
    unsigned rest = 0, back = 0;
    make_them(8);
    struct copi_message *spare = all_there_are(&rest);
    in_a_thread(free_them, &dropped);
    struct copi_message *home = all_there_are(&back);
    ck_assert_uint_eq(back, NODES);
    free_list(home);
    free_list(spare);
}

static void
have_a_pool(void)
{
    copi_message_free(copi_message_new(COPI_SEND, 1, 8));
}

static bool
is_one_of_the_nodes(const struct copi_message *message)
{
    for (int i = 0; i < NODES; i++) {
        if (nodes[i] == message) {
            return true;
        }
    }
    return false;
}

enum {
    SENT = 64
};

/* Frees as many as there are of another thread's, then sends; how many of them go out again. */
static void *
receive_and_send(void *count)
{
    struct copi_message *sent[SENT];
    have_a_pool();
    free_them(NULL);
    for (int i = 0; i < SENT; i++) {
        sent[i] = copi_message_new(COPI_SEND, 1, 8);
        *(unsigned *)count += is_one_of_the_nodes(sent[i]);
    }
    for (int i = 0; i < SENT; i++) {
        copi_message_free(sent[i]);
    }
    copi_pool_leave();
    return NULL;
}

static void *
receive_one_and_send_one(void *is_same)
{
    have_a_pool();
    copi_message_free(nodes[0]);
    struct copi_message *sent = copi_message_new(COPI_SEND, 1, 8);
    *(bool *)is_same = sent == nodes[0];
    copi_message_free(sent);
    copi_pool_leave();
    return NULL;
}

TEST(a_node_that_a_thread_has_received_is_the_next_that_it_sends)
{
    bool is_same = false;
    make_them(8);
    in_a_thread(receive_one_and_send_one, &is_same);
    ck_assert(is_same);
    nodes[0] = copi_message_new(COPI_SEND, 1, 8);
    free_them(NULL);
}

TEST(and_comes_home_when_that_thread_waits_for_long)
{
    bool is_same = false;
    unsigned rest = 0, back = 0;
    nodes[0] = copi_message_new(COPI_SEND, 1, 8);
    struct copi_message *spare = all_there_are(&rest);
    in_a_thread(receive_one_and_send_one, &is_same);
    struct copi_message *home = all_there_are(&back);
    ck_assert_uint_eq(back, 1);
    free_list(home);
    free_list(spare);
}

TEST(a_thread_keeps_few_nodes_of_others)
{
    unsigned again = 0, rest = 0, back = 0;
    make_them(8);
    struct copi_message *spare = all_there_are(&rest);
    in_a_thread(receive_and_send, &again);
    ck_assert_uint_ge(again, 1);
    ck_assert_uint_lt(again, SENT);
    struct copi_message *home = all_there_are(&back);
    ck_assert_uint_eq(back, NODES);
    free_list(home);
    free_list(spare);
}

static void *
free_them_in_batches(void *arg)
{
    have_a_pool(); /* so it collects */
    return free_them(arg);
}

TEST(nodes_of_every_size_come_home_and_are_the_next_of_their_size)
{
    const size_t sizes[] = {8, 100, 300, 900};
    enum {
        SIZES = sizeof sizes / sizeof *sizes
    };
    for (int i = 0; i < NODES; i++) {
        nodes[i] = copi_message_new(COPI_SEND, 1, sizes[i % SIZES]);
        ck_assert_ptr_nonnull(nodes[i]);
    }
    in_a_thread(free_them_in_batches, &dropped);
    copi_alloc_fail_after(0); /* what has come home is enough for as many again */
    for (int i = 0; i < NODES; i++) {
        nodes[i] = copi_message_new(COPI_SEND, 1, sizes[i % SIZES]);
        ck_assert_ptr_nonnull(nodes[i]);
        memset(nodes[i]->body, i & 0xff, sizes[i % SIZES]);
    }
    unsigned wrong = 0;
    for (int i = 0; i < NODES; i++) {
        wrong += nodes[i]->body[0] != (i & 0xff);
        wrong += nodes[i]->body[sizes[i % SIZES] - 1] != (i & 0xff);
    }
    ck_assert_uint_eq(wrong, 0);
    copi_alloc_fail_after(-1);
    free_them(NULL);
}

static void *
free_them_without_memory(void *arg)
{
    copi_alloc_fail_after(0);
    free_them(arg);
    copi_alloc_fail_after(-1);
    return NULL;
}

TEST(nodes_come_home_from_a_thread_that_has_no_memory_for_a_pool)
{
    make_them(8);
    in_a_thread(free_them_without_memory, NULL);
    copi_alloc_fail_after(0);
    make_them(8);
    free_them(NULL);
}

static void *
make_in_thread(void *arg)
{
    (void)arg;
    make_them(100);
    copi_pool_leave();
    return NULL;
}

static atomic_uintptr_t pools[2];

static void *
note_pool(void *arg)
{
    copi_message_free(copi_message_new(COPI_SEND, 1, 8));
    atomic_store((atomic_uintptr_t *)arg, (uintptr_t)copi_here.pool);
    copi_pool_leave();
    return NULL;
}

TEST(the_pool_of_a_thread_that_ended_is_the_next_threads)
{
    in_a_thread(note_pool, &pools[0]);
    in_a_thread(note_pool, &pools[1]);
    ck_assert(pools[0] != 0);
    ck_assert_uint_eq(pools[0], pools[1]);
}

TEST(nodes_outlive_the_thread_they_come_from)
{
    in_a_thread(make_in_thread, NULL);
    for (int i = 0; i < NODES; i++) {
        memset(nodes[i]->body, i, 100);
    }
    free_them(NULL);
}

TEST(trimming_gives_back_what_is_not_in_use)
{
    copi_message_free(copi_message_new(COPI_SEND, 1, 8));
    copi_pool_trim();
    size_t before = copi_slabs_taken();
    make_them(8);
    ck_assert_uint_ge(copi_slabs_taken() * COPI_SLAB_SIZE, NODES * (size_t)64);
    free_them(NULL);
    copi_pool_trim();
    ck_assert_uint_eq(copi_slabs_taken(), before);
}

TEST(trimming_gives_back_the_pools_of_threads_that_ended)
{
    size_t before = copi_slabs_taken();
    in_a_thread(make_in_thread, NULL);
    free_them(NULL);
    copi_pool_flush();
    ck_assert_uint_ge(copi_slabs_taken() * COPI_SLAB_SIZE, NODES * (size_t)128);
    copi_pool_trim();
    ck_assert_uint_eq(copi_slabs_taken(), before);
}

/* ---------------------------------------------------------------- many slabs */

static bool
shares_region(const struct copi_message *message, const void *slab)
{
    const uintptr_t size = (uintptr_t)2 * 1024 * 1024;
    return (uintptr_t)message / size == (uintptr_t)slab / size;
}

static unsigned
count_in_region_of(const void *slab)
{
    unsigned count = 0;
    for (int i = 0; i < NODES; i++) {
        count += shares_region(nodes[i], slab);
    }
    return count;
}

static void
make_and_count(size_t body, unsigned *ordinary, unsigned *in_bulk)
{
    struct copi_region *of[2];
    void *small = copi_slab_take(false, &of[0]), *large = copi_slab_take(true, &of[1]);
    make_them(body);
    *ordinary = count_in_region_of(small);
    *in_bulk = count_in_region_of(large);
    copi_slab_give(of[0], small);
    copi_slab_give(of[1], large);
}

TEST(a_pool_that_has_little_takes_no_memory_in_bulk)
{
    unsigned ordinary, in_bulk;
    make_and_count(80, &ordinary, &in_bulk); /* 10 slabs */
    ck_assert_uint_eq(ordinary, NODES);
    ck_assert_uint_eq(in_bulk, 0);
    free_them(NULL);
}

TEST(a_pool_that_has_much_takes_the_rest_in_bulk_until_it_is_trimmed)
{
    unsigned ordinary, in_bulk;
    make_and_count(300, &ordinary, &in_bulk); /* 30 slabs */
    ck_assert_uint_gt(ordinary, NODES / 3);
    ck_assert_uint_gt(in_bulk, NODES / 3);
    ck_assert_uint_eq(ordinary + in_bulk, NODES);
    free_them(NULL);
    copi_pool_trim();
    make_and_count(80, &ordinary, &in_bulk);
    ck_assert_uint_eq(in_bulk, 0);
    free_them(NULL);
}

TEST(without_memory_a_backlog_stops_growing_and_with_it_goes_on)
{
    const size_t body = 900; /* 63 to a slab */
    have_a_pool();
    copi_alloc_fail_after(20);
    int made = 0;
    while ((nodes[made] = copi_message_new(COPI_SEND, 1, body))) {
        made++;
    }
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(made, 20 * 63);
    while (made < NODES) {
        nodes[made] = copi_message_new(COPI_SEND, 1, body);
        ck_assert_ptr_nonnull(nodes[made++]);
    }
    free_them(NULL);
}

TEST(trimming_leaves_what_is_in_use_alone)
{
    make_them(100);
    for (int i = 0; i < NODES; i++) {
        memset(nodes[i]->body, i & 0xff, 100);
        if (i % 700) { /* few: most slabs are empty */
            copi_message_free(nodes[i]);
        }
    }
    copi_pool_trim();
    copi_pool_trim();
    unsigned wrong = 0;
    for (int i = 0; i < NODES; i += 700) {
        for (int k = 0; k < 100; k++) {
            wrong += nodes[i]->body[k] != (i & 0xff);
        }
    }
    ck_assert_uint_eq(wrong, 0);
    for (int i = 0; i < NODES; i += 700) {
        copi_message_free(nodes[i]);
    }
    make_them(100);
    free_them(NULL);
}

/* ---------------------------------------------------------------- a drop function's manners */

static void
drop_and_exit(void *data)
{
    free(data);
    atomic_fetch_add(&dropped, 1);
    cop_exit(cop_failed(-EIO, "in a drop function"));
}

static atomic_int went_on;

static int
release_in_process(cop_bytes arg)
{
    (void)arg;
    struct copi_message *message;
    cop_msg msg = COP_MSG_MOVE(1, malloc(8), 8, drop_and_exit);
    if (copi_message_from(&message, COPI_SEND, &msg) != 0) {
        return -ENOMEM;
    }
    copi_message_free(message);
    atomic_store(&went_on, 1);
    cop_checkpoint();
    atomic_store(&went_on, 2);
    return 0;
}

TEST(an_exit_in_a_drop_function_takes_effect_at_the_next_exit_point)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, release_in_process, .monitor = &monitor), 0);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_int_eq(went_on, 1);
    ck_assert_int_eq(dropped, 1);
}

SUITE("message")
