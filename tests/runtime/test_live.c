/*
 * tests/runtime/test_live.c - the counts of what is alive: whoever makes and frees it, and whenever
 * somebody asks.
 *
 * Room: tests/. That all counts are back where they were at the end of every test, of any suite, is seen to
 * by the runner (tests/support).
 */
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/thread.h"
#include "tests/support/support.h"

#include <coppice/inspect.h>

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t
alive(const char *kind)
{
    cop_live_count counts[COPI_LIVE_COUNT];
    size_t n = cop_live(counts, COPI_LIVE_COUNT);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(counts[i].kind, kind) == 0) {
            return counts[i].count;
        }
    }
    ck_abort_msg("no kind %s", kind);
}

static void
on_a_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* ---------------------------------------------------------------- what is told */

TEST(as_many_kinds_are_written_as_fit_and_all_are_counted)
{
    cop_live_count counts[2] = {{0}, {.kind = "untouched", .count = 7}};
    ck_assert_uint_eq(cop_live(NULL, 0), COPI_LIVE_COUNT);
    ck_assert_uint_eq(cop_live(counts, 1), COPI_LIVE_COUNT);
    ck_assert_str_eq(counts[0].kind, "processes");
    ck_assert_str_eq(counts[1].kind, "untouched");
    ck_assert_uint_eq(counts[1].count, 7);
}

TEST(each_kind_has_a_word_of_its_own)
{
    cop_live_count counts[COPI_LIVE_COUNT];
    cop_live(counts, COPI_LIVE_COUNT);
    for (size_t i = 0; i < COPI_LIVE_COUNT; i++) {
        ck_assert_ptr_nonnull(counts[i].kind);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(counts[i].kind, counts[j].kind);
        }
    }
}

TEST(before_the_first_call_nothing_is_alive)
{
    cop_live_count counts[COPI_LIVE_COUNT];
    cop_live(counts, COPI_LIVE_COUNT);
    for (size_t i = 0; i < COPI_LIVE_COUNT; i++) {
        ck_assert_uint_eq(counts[i].count, 0);
    }
}

TEST(in_the_child_of_a_fork_nothing_is_told)
{
    cop_self();
    pid_t child = fork();
    if (child == 0) {
        cop_live_count count = {.kind = "untouched"};
        _exit(cop_live(&count, 1) != 0 || strcmp(count.kind, "untouched") != 0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

TEST(what_is_seen_freed_before_it_is_seen_made_is_none_and_not_billions)
{
    copi_live_gone(COPI_LIVE_GROUP);
    ck_assert_uint_eq(alive("groups"), 0);
    copi_live_born(COPI_LIVE_GROUP);
    copi_live_born(COPI_LIVE_GROUP);
    ck_assert_uint_eq(alive("groups"), 1);
    copi_live_gone(COPI_LIVE_GROUP);
}

/* ---------------------------------------------------------------- the kinds */

TEST(processes_are_counted_until_their_threads_are_done_with_them)
{
    cop_pid pid;
    cop_ref monitor;
    cop_self();
    ck_assert_uint_eq(alive("processes"), 1); /* this one */
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    ck_assert_uint_eq(alive("processes"), 2);
    ck_assert_uint_eq(alive("watches"), 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_eq(alive("watches"), 0);
    EVENTUALLY(alive("processes") == 1);
}

TEST(messages_are_counted_from_their_sending_until_they_are_let_go)
{
    cop_msg msg;
    size_t before = alive("messages");
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_send(cop_self(), COP_MSG_OF(1, i)), 0);
    }
    ck_assert_uint_eq(alive("messages"), before + 100);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    }
    ck_assert_uint_eq(alive("messages"), before + 1); /* the last one is in our hands */
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_uint_eq(alive("messages"), before);
}

TEST(a_message_that_a_user_was_given_is_alive_until_it_is_released)
{
    struct copi_message *message;
    uint32_t number = 1;
    cop_msg sent = COP_MSG_OF(1, number);
    size_t before = alive("messages");
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &sent), 0);
    cop_msg given = copi_message_give(message);
    ck_assert_uint_eq(alive("messages"), before + 1);
    cop_msg_release(&given);
    ck_assert_uint_eq(alive("messages"), before);
}

TEST(a_link_is_two_watches)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .link = true), 0);
    ck_assert_uint_eq(alive("watches"), 2);
    cop_unlink(pid);
    ck_assert_uint_eq(alive("watches"), 0);
}

TEST(timers_and_intervals_are_counted_until_they_have_gone_off_or_are_cancelled)
{
    uint32_t number = 1;
    cop_ref late = cop_send_after(cop_self(), COP_MSG_OF(1, number), COP_SEC(1000));
    cop_ref again = cop_send_interval(cop_self(), COP_MSG_OF(2, number), COP_SEC(1000));
    ck_assert_uint_eq(alive("timers"), 2);
    ck_assert_uint_eq(alive("intervals"), 1);
    cop_cancel_timer(late, NULL);
    cop_cancel_timer(again, NULL);
    ck_assert_uint_eq(alive("timers"), 0);
    ck_assert_uint_eq(alive("intervals"), 0);
    cop_send_after(cop_self(), COP_MSG_OF(1, number), COP_MS(1));
    test_receive(1);
    EVENTUALLY(alive("timers") == 0);
}

TEST(a_context_is_counted_while_anybody_is_in_it)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_uint_eq(alive("contexts"), 1);
    ck_assert_int_eq(cop_context_enter(context), 0);
    cop_context *below = cop_context_new(COP_FOREVER);
    cop_context_free(context);
    ck_assert_int_eq(cop_context_leave(context), 0);
    ck_assert_uint_eq(alive("contexts"), 2); /* the one below holds it */
    cop_context_free(below);
    ck_assert_uint_eq(alive("contexts"), 0);
}

/* ---------------------------------------------------------------- who counts */

static void *
make_contexts(void *made)
{
    cop_context **contexts = made;
    for (int i = 0; i < 3; i++) {
        contexts[i] = cop_context_detached(COP_FOREVER);
    }
    return NULL;
}

static void *
adopted_makes_contexts(void *made)
{
    cop_self();
    return make_contexts(made);
}

static void *
free_contexts(void *made)
{
    cop_context **contexts = made;
    for (int i = 0; i < 3; i++) {
        cop_context_free(contexts[i]);
    }
    return NULL;
}

TEST(a_thread_that_is_no_process_counts_too)
{
    cop_context *contexts[3];
    on_a_thread(make_contexts, contexts);
    ck_assert_int_eq(copi_here.live.state, COPI_CELL_NEW);
    ck_assert_uint_eq(alive("contexts"), 3);
    on_a_thread(free_contexts, contexts);
    ck_assert_uint_eq(alive("contexts"), 0);
}

TEST(what_an_ended_thread_has_counted_stays)
{
    cop_context *contexts[3];
    on_a_thread(adopted_makes_contexts, contexts);
    ck_assert_uint_eq(alive("contexts"), 3);
    cop_self();
    free_contexts(contexts); /* here there are three less than none */
    ck_assert_uint_eq(alive("contexts"), 0);
    make_contexts(contexts);
    on_a_thread(free_contexts, contexts);
    ck_assert_uint_eq(alive("contexts"), 0);
}

static pthread_key_t last;

static void
free_at_the_very_end(void *contexts)
{
    if (copi_here.live.state == COPI_CELL_LEFT) {
        free_contexts(contexts);
    } else {
        pthread_setspecific(last, contexts); /* the library has not seen the end: once more */
    }
}

static void *
make_contexts_for_the_end(void *contexts)
{
    adopted_makes_contexts(contexts);
    pthread_setspecific(last, contexts);
    return NULL;
}

TEST(what_a_thread_frees_after_the_library_has_seen_its_end_counts)
{
    cop_context *contexts[3];
    ck_assert_int_eq(pthread_key_create(&last, free_at_the_very_end), 0);
    on_a_thread(make_contexts_for_the_end, contexts);
    ck_assert_uint_eq(alive("contexts"), 0);
    pthread_key_delete(last);
}

static cop_context *left;

static int
make_one_and_end(cop_bytes unused)
{
    (void)unused;
    left = cop_context_detached(COP_FOREVER);
    return left ? 0 : -ENOMEM;
}

TEST(threads_of_the_library_that_end_leave_their_counts_behind)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, make_one_and_end, .monitor = &monitor, .fresh_thread = true),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    cop_trim();
    ck_assert_uint_eq(alive("contexts"), 1);
    ck_assert_uint_eq(alive("processes"), 1);
    cop_context_free(left);
    ck_assert_uint_eq(alive("contexts"), 0);
}

/* ---------------------------------------------------------------- at the same time */

enum {
    MAKERS = 4,
    ROUNDS = 20000,
};

static atomic_bool over;

static void *
make_and_free(void *adopted)
{
    if (adopted) {
        cop_self();
    }
    for (int i = 0; i < ROUNDS; i++) {
        cop_context_free(cop_context_detached(COP_FOREVER));
    }
    return NULL;
}

static void *
ask_again_and_again(void *unused)
{
    (void)unused;
    while (!over) {
        size_t count =
            alive("contexts"); /* a maker's cell may be read before and after one round */
        ck_assert_uint_le(count, (size_t)MAKERS * ROUNDS);
    }
    return NULL;
}

TEST(who_asks_while_others_make_and_free_gets_a_number_and_at_rest_the_right_one)
{
    pthread_t asker, makers[MAKERS];
    ck_assert_int_eq(pthread_create(&asker, NULL, ask_again_and_again, NULL), 0);
    for (int i = 0; i < MAKERS; i++) {
        ck_assert_int_eq(pthread_create(&makers[i], NULL, make_and_free, i % 2 ? &over : NULL), 0);
    }
    for (int i = 0; i < MAKERS; i++) {
        pthread_join(makers[i], NULL);
    }
    over = true;
    pthread_join(asker, NULL);
    ck_assert_uint_eq(alive("contexts"), 0);
}

SUITE("live")
