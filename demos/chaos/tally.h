/*
 * demos/chaos/tally.h - what was done, what has healed, and in what time.
 *
 * Room: demos/. Arithmetic and words: no clock, no processes.
 */
#ifndef DEMOS_CHAOS_TALLY_H
#define DEMOS_CHAOS_TALLY_H

#include "demos/chaos/cell.h"
#include "demos/chaos/lesson.h"

#include <stdio.h>

enum deed {
    DEED_CRASH,
    DEED_HANG,
    DEED_FLOOD,
};
#define DEEDS 3

#define TALLY_MOST 1000 /* deeds of one lesson */

extern const char *const deed_names[DEEDS];

struct tally_entry {
    enum deed deed;
    size_t victim;
    bool has_healed;
    cop_time healing;      /* of one that has */
    bool restarted[CELLS]; /* who was */
};

struct tally {
    const struct lesson *lesson;
    struct tally_entry entries[TALLY_MOST];
    size_t count;
    size_t sent, refused; /* messages of floods */
};

/* Whether those were restarted whom the lesson says, and nobody else: nobody, after a flood. */
bool tally_is_as_taught(const struct lesson *lesson, const struct tally_entry *entry);

/* One line for an entry. */
void tally_print_entry(FILE *to, size_t number, const struct tally_entry *entry);

/* The page at the end. True: all have healed, as the lesson says. */
bool tally_print(FILE *to, const struct tally *tally);

#endif
