/*
 * tests/runtime/test_memory.c - memory that a process owns: freed with it, however it ends.
 *
 * Room: tests/. Whether it is freed, the allocator is asked; a leak checker sees to the rest.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <unistd.h>

enum {
    GO = 1,
    BLOCKS = 100,
    SIZE = 20000, /* a hundred of them are plainly seen */
};

/* ---------------------------------------------------------------- helpers */

static size_t
owned_bytes(void)
{
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    return info.owned_bytes;
}

static void
allocate_much(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        memset(cop_alloc(SIZE), 1, SIZE);
    }
}

static int
allocate_and(cop_bytes arg)
{
    int how;
    cop_msg msg;
    memcpy(&how, arg.data, sizeof how);
    allocate_much();
    if (how == COP_FAILED) {
        cop_exit(cop_failed(-EIO, NULL));
    }
    return how == COP_NORMAL ? 0 : cop_receive(&msg, COP_FOREVER);
}

static cop_reason
end_by(int how)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, allocate_and, .arg = COP_BYTES(how), .monitor = &monitor), 0);
    if (how == COP_SHUTDOWN || how == COP_KILLED) {
        cop_exit_signal(pid, (cop_reason){.kind = (cop_exit_kind)how});
    }
    return test_down(monitor);
}

static cop_reason
end_of(cop_process_fn run)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, run, .monitor = &monitor), 0);
    return test_down(monitor);
}

/* ---------------------------------------------------------------- when there is none */

static int
try_to_allocate(void *memory)
{
    *(void **)memory = cop_alloc(64);
    return *(void **)memory ? 0 : cop_why().code;
}

TEST(without_memory_there_is_NULL_and_nothing_is_owned)
{
    void *memory;
    int r;
    cop_self();
    size_t before = owned_bytes();
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(cop_alloc(64));
    copi_alloc_fail_after(-1);
    ck_assert_uint_eq(owned_bytes(), before);
    void *first = cop_alloc(1);
    ck_assert_uint_gt(test_out_of_memory(try_to_allocate, &memory, &r), 1); /* block and record */
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(owned_bytes(), before + 1 + 64);
    cop_free(memory);
    cop_free(first);
}

static int
try_to_allocate_the_first(void *memory)
{
    ck_assert_uint_eq(owned_bytes(), 0);
    return try_to_allocate(memory);
}

TEST(who_owns_a_single_block_needs_no_other_memory_for_it)
{
    void *memory;
    int r;
    cop_self();
    for (int i = 0; i < 2; i++) { /* and again when it is gone */
        ck_assert_uint_eq(test_out_of_memory(try_to_allocate_the_first, &memory, &r), 1);
        ck_assert_int_eq(r, 0);
        cop_free(memory);
    }
}

#if !TEST_SANITIZED /* a sanitizer takes it for a mistake */
TEST(a_size_that_cannot_be_is_no_memory)
{
    volatile size_t too_much = SIZE_MAX - 64;
    ck_assert_ptr_null(cop_alloc(too_much));
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    ck_assert_uint_eq(owned_bytes(), 0);
}
#endif

TEST(when_the_record_cannot_grow_what_was_there_is_still_owned)
{
    void *memory[BLOCKS];
    int count = 0;
    for (; count < 12; count++) {
        memory[count] = cop_alloc(8);
    }
    for (long n = 1; count < BLOCKS;
         count++) { /* the block succeeds, the record's growth does not */
        copi_alloc_fail_after(n);
        memory[count] = cop_alloc(8);
        copi_alloc_fail_after(-1);
        if (!memory[count]) {
            memory[count] = cop_alloc(8);
        }
        ck_assert_ptr_nonnull(memory[count]);
        ck_assert_uint_eq(owned_bytes(), 8 * ((size_t)count + 1));
    }
    for (int i = 0; i < BLOCKS; i++) {
        cop_free(memory[i]);
    }
    ck_assert_uint_eq(owned_bytes(), 0);
}

/* ---------------------------------------------------------------- what is owned */

/* In any order, so that what stands apart from the table and what stands in it come and go. */
TEST(blocks_are_found_whether_there_are_few_or_many)
{
    enum {
        MOST = 12
    };
    void *memory[MOST];
    for (int many = 1; many <= MOST; many++) {
        for (int i = 0; i < many; i++) {
            memory[i] = cop_alloc(10);
        }
        for (int i = 0; i < many; i += 2) {
            ck_assert_ptr_eq(cop_disown(memory[i]), memory[i]);
            ck_assert_ptr_null(cop_disown(memory[i]));
            free(memory[i]);
        }
        for (int i = 0; i < many; i += 2) {
            memory[i] = cop_alloc(100);
        }
        ck_assert_uint_eq(owned_bytes(), (size_t)(many / 2 * 10 + (many + 1) / 2 * 100));
        for (int i = many - 1; i >= 0; i--) {
            cop_free(memory[i]);
        }
        ck_assert_uint_eq(owned_bytes(), 0);
    }
}

TEST(memory_is_aligned_as_mallocs)
{
    for (size_t size = 0; size < 200; size++) {
        void *memory = cop_alloc(size);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
        memset(memory, 1, size);
        cop_free(memory);
    }
}

TEST(owned_bytes_are_counted)
{
    void *a = cop_alloc(100), *b = cop_alloc(1000);
    ck_assert_uint_eq(owned_bytes(), 1100);
    cop_free(a);
    ck_assert_uint_eq(owned_bytes(), 1000);
    ck_assert_ptr_eq(cop_disown(b), b);
    ck_assert_uint_eq(owned_bytes(), 0);
    free(b);
}

TEST(thousands_of_blocks_can_be_freed_in_any_order)
{
    enum {
        MANY = 5000
    };
    static void *memory[MANY];
    for (int i = 0; i < MANY; i++) {
        memory[i] = cop_alloc(16);
    }
    for (int i = 0; i < MANY; i++) {
        cop_free(memory[i * 7 % MANY]);
    }
    ck_assert_uint_eq(owned_bytes(), 0);
}

TEST(nothing_can_be_freed)
{
    cop_free(NULL);
    ck_assert_ptr_null(cop_disown(NULL));
}

TEST(what_was_given_up_is_not_owned_any_more)
{
    void *memory = cop_alloc(10);
    ck_assert_ptr_eq(cop_disown(memory), memory);
    ck_assert_ptr_null(cop_disown(memory));
    cop_free(memory); /* does nothing: it is not the process's */
    memset(memory, 1, 10);
    free(memory);
}

static void *mains;

static int
take_anothers(cop_bytes arg)
{
    (void)arg;
    cop_free(mains);
    return cop_disown(mains) ? -EIO : 0;
}

TEST(memory_of_another_process_is_refused)
{
    mains = cop_alloc(10);
    ck_assert_int_eq(end_of(take_anothers).kind, COP_NORMAL);
    memset(mains, 1, 10);
    ck_assert_uint_eq(owned_bytes(), 10);
    cop_free(mains);
}

TEST(memory_of_mallocs_own_is_refused)
{
    void *memory = malloc(10);
    cop_free(cop_alloc(1));
    ck_assert_ptr_null(cop_disown(memory));
    free(memory);
}

static int
move_to_main(cop_bytes arg)
{
    char *text = cop_alloc(100);
    (void)snprintf(text, 100, "moved");
    return cop_send(*(const cop_pid *)arg.data, COP_MSG_MOVE(GO, cop_disown(text), 100, free));
}

TEST(disowned_memory_can_be_moved_in_a_message)
{
    cop_pid self = cop_self();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, move_to_main, .arg = COP_BYTES(self), .monitor = &monitor), 0);
    cop_msg msg = test_receive(GO);
    ck_assert_str_eq(msg.body.data, "moved"); /* also when its first owner has ended: */
    char *text = cop_msg_take(&msg);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_str_eq(text, "moved");
    free(text);
}

/* ---------------------------------------------------------------- when it is freed */

TEST(memory_is_freed_however_the_process_ends)
{
    const int how[] = {COP_NORMAL, COP_FAILED, COP_SHUTDOWN, COP_KILLED};
    for (size_t i = 0; i < 4; i++) {
        end_by(how[i]); /* what the first one leaves in caches stays */
    }
    for (size_t i = 0; i < 4; i++) {
        size_t before = test_allocated();
        ck_assert_int_eq(end_by(how[i]).kind, how[i]);
        ck_assert_uint_lt(test_allocated(), before + SIZE);
    }
}

static _Atomic bool deaf, heard;

static int
allocate_and_be_deaf(cop_bytes arg)
{
    (void)arg;
    allocate_much();
    atomic_store(&deaf, true);
    while (!atomic_load(&heard)) {
        usleep(1000); /* the interrupt ends one, and it goes on */
    }
    cop_checkpoint();
    return 0;
}

TEST(memory_of_a_disowned_process_is_left_alone_and_freed_when_its_thread_comes_back)
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(5)};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, allocate_and_be_deaf, .monitor = &monitor), 0);
    EVENTUALLY(atomic_load(&deaf));
    size_t before = test_allocated();
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(cop_disowned() == 1);
    ck_assert_uint_gt(test_allocated(), before - SIZE);
    atomic_store(&heard, true);
    EVENTUALLY(cop_disowned() == 0);
    EVENTUALLY(test_allocated() < before - (size_t)BLOCKS * SIZE / 2);
}

static char *last_words;
static _Atomic int last_word;

static void
read_memory(void *unused)
{
    (void)unused;
    atomic_store(&last_word, last_words[0]);
}

static int
leave_memory_to_the_end(cop_bytes arg)
{
    (void)arg;
    last_words = cop_alloc(1);
    last_words[0] = 'w';
    cop_at_exit(read_memory, NULL);
    return 0;
}

TEST(deferred_calls_still_find_the_memory)
{
    end_of(leave_memory_to_the_end);
    ck_assert_int_eq(atomic_load(&last_word), 'w');
}

SUITE("memory")
