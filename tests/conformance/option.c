/*
 * tests/conformance/option.c - the options of a declaration.
 *
 * Room: tests/. One thread, before anything runs.
 */
#include "tests/conformance/option.h"

#include "tests/conformance/text.h"
#include "tests/conformance/words.h"

enum {
    MOST_RESTARTS =
        1000000 /* the library's own limit: none reaches it, nor as seconds or children */
};

static void
read_in(struct declaration *it, char *value)
{
    it->in = word_name(value);
}

static void
read_restart(struct declaration *it, char *value)
{
    static const struct choice choices[] = {
        {"permanent", COP_PERMANENT},
        {"transient", COP_TRANSIENT},
        {"temporary", COP_TEMPORARY},
        {NULL, 0},
    };
    it->restart = (cop_restart)word_choice(value, choices);
}

static void
read_shutdown(struct declaration *it, char *value)
{
    if (same(value, "infinity")) {
        it->shutdown = COP_FOREVER;
    } else if (same(value, "brutal_kill")) {
        it->shutdown = COP_BRUTAL_KILL;
    } else {
        cop_time given = word_milliseconds(value);
        it->shutdown = given ? given : SHORTEST;
    }
}

static const struct choice booleans[] = {{"false", false}, {"true", true}, {NULL, 0}};

static void
read_significant(struct declaration *it, char *value)
{
    it->significant = word_choice(value, booleans);
}

static void
read_type(struct declaration *it, char *value)
{
    static const struct choice choices[] = {{"worker", false}, {"supervisor", true}, {NULL, 0}};
    it->supervises = word_choice(value, choices);
}

static struct outcome
read_outcome(const struct declaration *it, const char *text)
{
    struct outcome outcome = {0};
    const char *rest;
    while ((rest = text_after("gate:", text))) {
        outcome.gates++;
        text = rest;
    }
    if ((rest = text_after("fail:", text))) {
        outcome.kind = START_FAIL;
        outcome.reason = word_reason(rest);
    } else if ((rest = text_after("die:", text)) && it->as != DECLARED_SUP) {
        outcome.kind = START_DIE;
        outcome.reason = word_reason(rest);
    } else if (same(text, "ignore")) {
        outcome.kind = START_IGNORE;
    } else if (!same(text, "ok")) {
        refuse("bad start outcome %s", text);
    }
    return outcome;
}

/* Ends the first item of the list, which may hold tuples, and returns the next one. */
static char *
cut_item(char *list)
{
    unsigned depth = 0;
    for (; *list; list++) {
        if (*list == ',' && depth == 0) {
            *list = '\0';
            return list + 1;
        }
        depth += *list == '{';
        depth -= *list == '}' && depth > 0;
    }
    return NULL;
}

static void
read_start(struct declaration *it, char *value)
{
    it->outcome_count = 0;
    for (char *next; value; value = next) {
        next = cut_item(value);
        it->outcomes = room_for_one_more(it->outcomes, it->outcome_count, sizeof *it->outcomes);
        it->outcomes[it->outcome_count++] = read_outcome(it, value);
    }
}

static void
read_stop(struct declaration *it, char *value)
{
    const char *rest;
    it->stop = (struct stop_mode){.kind = STOP_OK};
    if ((rest = text_after("slow:", value))) {
        it->stop.kind = STOP_SLOW;
        it->stop.slow = word_milliseconds(rest);
    } else if ((rest = text_after("exit:", value))) {
        it->stop.kind = STOP_EXIT;
        it->stop.reason = word_reason(rest);
    } else if (same(value, "never")) {
        it->stop.kind = STOP_NEVER;
    } else if (!same(value, "ok")) {
        refuse("bad stop mode %s", value);
    }
}

static void
read_strategy(struct declaration *it, char *value)
{
    static const struct choice choices[] = {
        {"one_for_one", COP_ONE_FOR_ONE},   {"one_for_all", COP_ONE_FOR_ALL},
        {"rest_for_one", COP_REST_FOR_ONE}, {"simple_one_for_one", COP_SIMPLE_ONE_FOR_ONE},
        {"dynamic", COP_DYNAMIC},           {NULL, 0},
    };
    it->strategy = (cop_strategy)word_choice(value, choices);
}

static void
read_intensity(struct declaration *it, char *value)
{
    it->intensity = word_number(value, 0, MOST_RESTARTS);
}

static void
read_period(struct declaration *it, char *value)
{
    it->period = word_number(value, 1, MOST_RESTARTS);
}

static void
read_auto_shutdown(struct declaration *it, char *value)
{
    static const struct choice choices[] = {
        {"never", COP_NEVER},
        {"any_significant", COP_ANY_SIGNIFICANT},
        {"all_significant", COP_ALL_SIGNIFICANT},
        {NULL, 0},
    };
    it->auto_shutdown = (cop_auto_shutdown)word_choice(value, choices);
}

static void
read_max_children(struct declaration *it, char *value)
{
    unsigned most = same(value, "infinity") ? 0 : word_number(value, 0, MOST_RESTARTS);
    it->max_children = most || same(value, "infinity") ? most : COP_NO_CHILDREN;
}

enum {
    OF_SUP = 1,
    OF_WORKER = 2,
};

static const struct option {
    const char *word;
    unsigned of;
    void (*read)(struct declaration *it, char *value);
} options[] = {
    {"in", OF_SUP | OF_WORKER, read_in},
    {"restart", OF_SUP | OF_WORKER, read_restart},
    {"shutdown", OF_SUP | OF_WORKER, read_shutdown},
    {"significant", OF_SUP | OF_WORKER, read_significant},
    {"start", OF_SUP | OF_WORKER, read_start},
    {"type", OF_WORKER, read_type},
    {"stop", OF_WORKER, read_stop},
    {"strategy", OF_SUP, read_strategy},
    {"intensity", OF_SUP, read_intensity},
    {"period", OF_SUP, read_period},
    {"auto_shutdown", OF_SUP, read_auto_shutdown},
    {"max_children", OF_SUP, read_max_children},
};

void
read_option(struct declaration *it, char *word)
{
    char *value = strchr(word, '=');
    if (!value) {
        refuse("option without = : %s", word);
    }
    *value++ = '\0';
    unsigned of = it->as == DECLARED_SUP ? OF_SUP : OF_WORKER;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (same(word, options[i].word) && options[i].of & of) {
            options[i].read(it, value);
            return;
        }
    }
    refuse("unknown option %s", word);
}

void
set_defaults(struct declaration *it)
{
    it->restart = COP_PERMANENT;
    it->intensity = 3;
    it->period = 3600;
    it->supervises = it->as == DECLARED_SUP;
    it->shutdown = it->supervises ? COP_FOREVER : COP_SEC(5);
    read_start(it, (char[]){"ok"});
}
