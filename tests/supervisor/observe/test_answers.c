/*
 * tests/supervisor/observe/test_answers.c - what is seen, in the words of the observer's protocol.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/answers.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"

#include <unistd.h>

/* Terminated. Until the next call. */
static const char *
text_of(struct copi_words *words)
{
    static char text[1 << 16];
    ck_assert(!words->failed);
    ck_assert_uint_lt(words->size, sizeof text);
    memcpy(text, words->text, words->size);
    text[words->size] = '\0';
    copi_words_clear(words);
    return text;
}

static const char *
picture(void)
{
    struct copi_words words = {0};
    copi_answer_picture(&words);
    return text_of(&words);
}

/* The word of that column in the line that begins so; until the next call. */
static const char *
word(const char *text, const char *line, const char *column)
{
    static char copy[4096], names[4096];
    const char *at = strstr(text, line), *columns = strstr(text, "columns\t");
    ck_assert_msg(at && columns, "no %s", line);
    (void)snprintf(names, sizeof names, "%.*s", (int)strcspn(columns, "\n"), columns);
    (void)snprintf(copy, sizeof copy, "%.*s", (int)strcspn(at, "\n"), at);
    char *rest = copy, *rest_of_names = names, *name, *value;
    while ((name = strsep(&rest_of_names, "\t")) && (value = strsep(&rest, "\t"))) {
        if (strcmp(name, column) == 0) {
            return value;
        }
    }
    ck_abort_msg("no column %s", column);
    return NULL;
}

static const char *
line_of(cop_pid pid)
{
    static char line[64];
    char text[COP_PID_TEXT];
    cop_picture *taken;
    unsigned depth = 0;
    ck_assert_int_eq(cop_picture_take(&taken), 0);
    for (size_t i = 0; i < taken->count; i++) {
        depth = cop_pid_eq(taken->nodes[i].pid, pid) ? taken->nodes[i].depth : depth;
    }
    cop_picture_free(taken);
    (void)snprintf(line, sizeof line, "process\t%u\t%s\t", depth, cop_pid_text(pid, text));
    return line;
}

TEST(without_memory_an_answer_is_not_whole_or_says_so)
{
    cop_self();
    int whole = 0;
    for (int n = 0; n < 20; n++) {
        struct copi_words words = {0};
        copi_alloc_fail_after(n);
        copi_answer_picture(&words);
        copi_alloc_fail_after(-1);
        if (!words.failed) {
            const char *text = text_of(&words);
            bool is_error = strncmp(text, "error\tno picture: ", 18) == 0;
            ck_assert(is_error || strncmp(text, "ok\n", 3) == 0);
            ck_assert_str_eq(text + strlen(text) - 2, "\n\n");
            whole += !is_error;
        }
        copi_words_clear(&words);
    }
    ck_assert_int_gt(whole, 0);
    ck_assert_int_lt(whole, 20);
}

TEST(an_answer_ends_with_its_only_empty_line)
{
    const char *text = picture();
    ck_assert_int_eq(strncmp(text, "ok\ncolumns\tdepth\tpid\t", 21), 0);
    ck_assert_ptr_eq(strstr(text, "\n\n"), text + strlen(text) - 2);
}

TEST(a_word_stands_below_the_name_of_its_column)
{
    cop_pid sup =
        start_tree(TREE(.name = "root", .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(BOX("a"))));
    end_box_of(sup, "a", BOOM);
    char line[64], above[COP_PID_TEXT];
    const char *text = picture();
    (void)snprintf(line, sizeof line, "%s", line_of(sup));
    ck_assert_str_eq(word(text, line, "name"), "root");
    ck_assert_str_eq(word(text, line, "kind"), "supervisor");
    ck_assert_str_eq(word(text, line, "strategy"), "one_for_all");
    ck_assert_str_eq(word(text, line, "supervisor"), "");
    ck_assert_str_eq(word(text, line, "traps_exits"), "1");
    (void)snprintf(line, sizeof line, "%s", line_of(cop_whereis("a")));
    ck_assert_str_eq(word(text, line, "depth"), "1");
    ck_assert_str_eq(word(text, line, "id"), "a");
    ck_assert_str_eq(word(text, line, "label"), "a");
    ck_assert_str_eq(word(text, line, "kind"), "genserver");
    ck_assert_str_eq(word(text, line, "strategy"), "");
    ck_assert_str_eq(word(text, line, "supervisor"), cop_pid_text(sup, above));
    ck_assert_str_eq(word(text, line, "restarts"), "1");
    ck_assert_str_eq(word(text, line, "suspended"), "0");
    ck_assert_str_eq(word(text, line, "mailbox"), "0");
    ck_assert_ptr_nonnull(strstr(text, "\ntotal\trestarts\t1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\ntotal\tprocesses\t3\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nlive\tprocesses\t3\n"));
}

TEST(a_name_that_is_a_line_of_its_own_does_not_get_through)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .name = "x\n\nok\t"), 0);
    const char *text = picture();
    ck_assert_ptr_nonnull(strstr(text, "\tx\\n\\nok\\t\t"));
    ck_assert_ptr_eq(strstr(text, "\n\n"), text + strlen(text) - 2);
}

TEST(without_a_recorder_or_memory_no_events_are_told)
{
    struct copi_words words = {0};
    cop_self();
    copi_answer_events(&words, cop_self(), COPI_MOST_EVENTS);
    ck_assert_str_eq(text_of(&words), "error\tnothing is recorded\n\n");
    copi_words_put(&words, "");
    words.size = 0;
    words.in_line = false;
    copi_alloc_fail_after(0);
    copi_answer_events(&words, cop_self(), COPI_MOST_EVENTS);
    copi_alloc_fail_after(-1);
    ck_assert_str_eq(text_of(&words), "error\tout of memory\n\n");
}

TEST(a_refusal_says_why_in_one_line)
{
    struct copi_words words = {0};
    copi_answer_error(&words, "no %s\n", "such\tthing");
    ck_assert_str_eq(text_of(&words), "error\tno such\\tthing\\n\n\n");
    copi_answer_ok(&words);
    ck_assert_str_eq(text_of(&words), "ok\n\n");
}

TEST(a_greeting_says_who_it_is_and_what_may_be_done)
{
    static const char *const none[] = {NULL}, *const two[] = {"crash", "stop", NULL};
    struct copi_words words = {0};
    char expected[128];
    copi_answer_greeting(&words, none);
    (void)snprintf(expected, sizeof expected, "coppice-observer\t1\t%s\t%d\n",
                   program_invocation_short_name, (int)getpid());
    ck_assert_str_eq(text_of(&words), expected);
    copi_answer_greeting(&words, two);
    ck_assert_ptr_nonnull(strstr(text_of(&words), "\tcrash\tstop\n"));
}

SUITE("answers")
