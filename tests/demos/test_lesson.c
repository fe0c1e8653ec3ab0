/*
 * tests/demos/test_lesson.c - what chaos teaches, and how it counts.
 *
 * Room: tests/. Linked with demos/chaos.
 */
#include "demos/chaos/dice.h"
#include "demos/chaos/tally.h"
#include "tests/support/support.h"

static struct tally tally;

static struct tally_entry *
entry(enum deed deed, size_t victim, cop_time healing)
{
    struct tally_entry *e = &tally.entries[tally.count++];
    *e = (struct tally_entry){
        .deed = deed, .victim = victim, .has_healed = true, .healing = healing};
    return e;
}

/* What the page says; the caller frees it. */
static char *
page(bool *is_as_taught)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(to);
    *is_as_taught = tally_print(to, &tally);
    (void)fclose(to);
    return text;
}

/* ---------------------------------------------------------------- who falls with whom */

static void
falls(const char *lesson, size_t victim, const char *with)
{
    char fallen[CELLS + 1] = "-----";
    for (size_t i = 0; i < CELLS; i++) {
        fallen[i] = lesson_restarts(lesson_find(lesson), victim, i) ? 'x' : '-';
    }
    ck_assert_str_eq(fallen, with);
}

TEST(a_lesson_that_is_none_is_not_found)
{
    ck_assert_ptr_null(lesson_find(""));
    ck_assert_ptr_null(lesson_find("two-for-one"));
}

TEST(each_strategy_has_its_own_who_fall)
{
    falls("one-for-one", 1, "-x---");
    falls("one-for-all", 1, "xxxxx");
    falls("rest-for-one", 0, "xxxxx");
    falls("rest-for-one", 3, "---xx");
    falls("dynamic", 4, "----x");
}

TEST(chance_repeats_itself_with_its_seed)
{
    struct dice a = {7}, b = {7}, c = {8};
    unsigned sides[6] = {0}, differ = 0;
    for (int i = 0; i < 600; i++) {
        unsigned thrown = dice_throw(&a, 6);
        ck_assert_uint_eq(thrown, dice_throw(&b, 6));
        differ += thrown != dice_throw(&c, 6);
        sides[thrown]++;
    }
    ck_assert_uint_gt(differ, 300);
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_gt(sides[i], 50);
    }
}

/* ---------------------------------------------------------------- counting */

TEST(what_was_not_as_taught_is_said)
{
    bool is_as_taught;
    tally = (struct tally){.lesson = lesson_find("one-for-one")};
    entry(DEED_CRASH, 1, COP_MS(1))->restarted[1] = true;
    entry(DEED_CRASH, 1, COP_MS(1)); /* who fell was not restarted */
    struct tally_entry *e = entry(DEED_CRASH, 1, COP_MS(1));
    e->restarted[1] = e->restarted[2] = true;             /* another was, too */
    entry(DEED_FLOOD, 1, COP_MS(1))->restarted[1] = true; /* nobody fell */
    e = entry(DEED_HANG, 0, 0);
    e->restarted[0] = true;
    e->has_healed = false;
    char *text = page(&is_as_taught);
    ck_assert(!is_as_taught);
    ck_assert_ptr_nonnull(strstr(text, "BUT IT WAS NOT SO 4 of 5 times"));
    free(text);
}

TEST(the_page_tells_what_healed_in_what_time)
{
    bool is_as_taught;
    tally = (struct tally){.lesson = lesson_find("one-for-all"), .sent = 50, .refused = 20};
    const cop_time times[] = {COP_MS(5), COP_MS(1), COP_MS(90)};
    for (size_t i = 0; i < 3; i++) {
        struct tally_entry *e = entry(DEED_CRASH, 0, times[i]);
        memset(e->restarted, true, sizeof e->restarted);
    }
    entry(DEED_FLOOD, 2, COP_US(1500));
    char *text = page(&is_as_taught);
    ck_assert(is_as_taught);
    ck_assert_ptr_nonnull(strstr(text, "crash         3        3       5.00 ms      90.00 ms\n"));
    ck_assert_ptr_nonnull(strstr(text, "hang          0        0\n"));
    ck_assert_ptr_nonnull(strstr(text, "flood         1        1       1.50 ms       1.50 ms\n"));
    ck_assert_ptr_nonnull(strstr(text, "cell.a 3  cell.b 3"));
    ck_assert_ptr_nonnull(strstr(text, "of 50 messages in floods, 20 found no room"));
    ck_assert_ptr_nonnull(strstr(text, "and so it was, each of 4 times"));
    free(text);
}

SUITE("lesson")
