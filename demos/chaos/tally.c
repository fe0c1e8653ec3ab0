/*
 * demos/chaos/tally.c - what was done, what has healed, and in what time.
 *
 * Room: demos/. Arithmetic and words.
 */
#include "demos/chaos/tally.h"

#include <stdlib.h>

const char *const deed_names[DEEDS] = {"crash", "hang", "flood"};

static double
ms(cop_time time)
{
    return (double)time / (double)COP_MS(1);
}

bool
tally_is_as_taught(const struct lesson *lesson, const struct tally_entry *entry)
{
    bool is_so = entry->has_healed;
    for (size_t i = 0; i < CELLS; i++) {
        bool expected = entry->deed != DEED_FLOOD && lesson_restarts(lesson, entry->victim, i);
        is_so &= entry->restarted[i] == expected;
    }
    return is_so;
}

void
tally_print_entry(FILE *to, size_t number, const struct tally_entry *entry)
{
    (void)fprintf(to, "%3zu  %-5s %s  ", number, deed_names[entry->deed],
                  cell_names[entry->victim]);
    if (entry->has_healed) {
        (void)fprintf(to, "healed in %8.2f ms  restarted:", ms(entry->healing));
    } else {
        (void)fprintf(to, "NOT HEALED             restarted:");
    }
    size_t restarted = 0;
    for (size_t i = 0; i < CELLS; i++) {
        if (entry->restarted[i]) {
            (void)fprintf(to, " %s", cell_names[i]);
            restarted++;
        }
    }
    (void)fprintf(to, "%s\n", restarted > 0 ? "" : " nobody");
}

static int
by_time(const void *a, const void *b)
{
    cop_time left = *(const cop_time *)a, right = *(const cop_time *)b;
    return (left > right) - (left < right);
}

static void
print_deed(FILE *to, const struct tally *tally, enum deed deed)
{
    cop_time times[TALLY_MOST];
    size_t done = 0, healed = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *entry = &tally->entries[i];
        done += entry->deed == deed;
        if (entry->deed == deed && entry->has_healed) {
            times[healed++] = entry->healing;
        }
    }
    (void)fprintf(to, "  %-8s %6zu %8zu", deed_names[deed], done, healed);
    if (healed > 0) {
        qsort(times, healed, sizeof times[0], by_time);
        (void)fprintf(to, " %10.2f ms %10.2f ms", ms(times[healed / 2]), ms(times[healed - 1]));
    }
    (void)fprintf(to, "\n");
}

static void
print_restarts(FILE *to, const struct tally *tally)
{
    (void)fprintf(to, "\n  restarts:");
    for (size_t cell = 0; cell < CELLS; cell++) {
        size_t restarts = 0;
        for (size_t i = 0; i < tally->count; i++) {
            restarts += tally->entries[i].restarted[cell];
        }
        (void)fprintf(to, "  %s %zu", cell_names[cell], restarts);
    }
    (void)fprintf(to, "\n");
    if (tally->sent > 0) {
        (void)fprintf(to, "  of %zu messages in floods, %zu found no room and were refused\n",
                      tally->sent, tally->refused);
    }
}

bool
tally_print(FILE *to, const struct tally *tally)
{
    size_t as_taught = 0;
    (void)fprintf(to, "\n%s: %s\n\n", tally->lesson->name, tally->lesson->says);
    (void)fprintf(to, "  %-8s %6s %8s %13s %13s\n", "deed", "times", "healed", "median", "longest");
    for (enum deed deed = DEED_CRASH; deed <= DEED_FLOOD; deed++) {
        print_deed(to, tally, deed);
    }
    print_restarts(to, tally);
    for (size_t i = 0; i < tally->count; i++) {
        as_taught += tally_is_as_taught(tally->lesson, &tally->entries[i]);
    }
    if (as_taught == tally->count) {
        (void)fprintf(to, "  and so it was, each of %zu times\n", tally->count);
    } else {
        (void)fprintf(to, "  BUT IT WAS NOT SO %zu of %zu times\n", tally->count - as_taught,
                      tally->count);
    }
    return as_taught == tally->count;
}
