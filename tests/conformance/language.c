/*
 * tests/conformance/language.c - reads a scenario.
 *
 * Room: tests/. One thread, before anything runs.
 * Touch freely: the messages. Ask first: what is accepted; traces of the original must exist for it.
 *
 * A line is a list of words. Whatever is wrong with one ends the program at once, with the file and
 * the line: nothing has been started yet.
 */
#include "tests/conformance/language.h"

#include "tests/conformance/option.h"
#include "tests/conformance/text.h"
#include "tests/conformance/words.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MOST_WORDS = 64
};

/* ---------------------------------------------------------------- declarations */

const struct declaration *
declaration_of(const struct scenario *scenario, const char *its_name)
{
    for (size_t i = scenario->declaration_count; i-- > 0;) {
        if (same(scenario->declarations[i].name, its_name)) {
            return &scenario->declarations[i];
        }
    }
    return NULL;
}

const struct outcome *
outcome_of(const struct declaration *declaration, unsigned call)
{
    size_t last = declaration->outcome_count - 1;
    return &declaration->outcomes[call - 1 < last ? call - 1 : last];
}

bool
is_dynamic(const struct declaration *supervisor)
{
    return supervisor
           && (supervisor->strategy == COP_SIMPLE_ONE_FOR_ONE
               || supervisor->strategy == COP_DYNAMIC);
}

static bool
is_same_parent(const struct declaration *a, const struct declaration *b)
{
    return a->in && b->in && same(a->in, b->in);
}

/* The same name twice below one supervisor is the duplicate identifier case. */
static void
check_place(const struct scenario *scenario, const struct declaration *it)
{
    const struct declaration *namesake = declaration_of(scenario, it->name);
    if (namesake && !is_same_parent(namesake, it)) {
        refuse("name used twice");
    }
    if (it->as == DECLARED_SPEC ? it->in != NULL : it->as == DECLARED_CHILD && !it->in) {
        refuse(it->in ? "spec takes no in=" : "child needs in=");
    }
    const struct declaration *parent = it->in ? declaration_of(scenario, it->in) : NULL;
    if (it->in && (!parent || parent->as != DECLARED_SUP)) {
        refuse("in= names no supervisor declared above");
    }
}

static void
check_stop(const struct declaration *it)
{
    if (it->shutdown == COP_FOREVER && it->stop.kind == STOP_NEVER) {
        refuse("stop=never with shutdown=infinity would never end");
    }
}

static enum declared
kind_of(const char *word)
{
    static const char *const words[] = {
        [DECLARED_SUP] = "sup",
        [DECLARED_CHILD] = "child",
        [DECLARED_SPEC] = "spec",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (same(word, words[i])) {
            return (enum declared)i;
        }
    }
    refuse("unknown declaration %s", word);
}

static void
declare(struct scenario *scenario, char *words[], size_t count)
{
    struct declaration it = {
        .as = kind_of(words[0]),
        .line = words_line(),
    };
    if (count < 2) {
        refuse("%s needs a name", words[0]);
    }
    it.name = word_name(words[1]);
    set_defaults(&it);
    for (size_t i = 2; i < count; i++) {
        read_option(&it, words[i]);
    }
    check_place(scenario, &it);
    check_stop(&it);
    scenario->declarations = room_for_one_more(scenario->declarations, scenario->declaration_count,
                                               sizeof *scenario->declarations);
    scenario->declarations[scenario->declaration_count++] = it;
}

/* The dynamic kinds have no list of children: one has a template, the other nothing. */
static void
check_children(const struct scenario *scenario, const struct declaration *supervisor)
{
    size_t count = 0;
    for (size_t i = 0; i < scenario->declaration_count; i++) {
        const struct declaration *it = &scenario->declarations[i];
        if (it->in && same(it->in, supervisor->name)) {
            count++;
            if (is_dynamic(supervisor) && it->as == DECLARED_SUP) {
                refuse_at(it->line, "a supervisor below a supervisor of that strategy");
            }
        }
    }
    if (supervisor->strategy == COP_SIMPLE_ONE_FOR_ONE && count != 1) {
        refuse_at(supervisor->line, "simple_one_for_one takes exactly one child");
    }
    if (supervisor->strategy == COP_DYNAMIC && count > 0) {
        refuse_at(supervisor->line, "dynamic takes no declared child");
    }
}

static void
check_tree(struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->declaration_count; i++) {
        const struct declaration *it = &scenario->declarations[i];
        if (it->as == DECLARED_SUP) {
            check_children(scenario, it);
        }
        if (it->as == DECLARED_SUP && !it->in) {
            if (scenario->root) {
                refuse_at(it->line, "only one root supervisor");
            }
            scenario->root = it;
        }
    }
    if (!scenario->root) {
        refuse_at(1, "no root supervisor");
    }
}

/* ---------------------------------------------------------------- actions */

/* What follows the verb: s a supervisor, n a name, r a reason, w a word, t milliseconds. */
static const struct grammar {
    const char *word;
    enum verb verb;
    const char *arguments;
} grammar[] = {
    {"exit", DO_EXIT, "nr"},
    {"kill", DO_KILL, "n"},
    {"unlink", DO_UNLINK, "n"},
    {"start_child", DO_START_CHILD, "sw"},
    {"terminate_child", DO_TERMINATE_CHILD, "sw"},
    {"restart_child", DO_RESTART_CHILD, "sw"},
    {"delete_child", DO_DELETE_CHILD, "sw"},
    {"get_childspec", DO_GET_CHILDSPEC, "sw"},
    {"which_children", DO_WHICH_CHILDREN, "s"},
    {"count_children", DO_COUNT_CHILDREN, "s"},
    {"stop", DO_STOP, "sr"},
    {"parent_exit", DO_PARENT_EXIT, "r"},
    {"foreign_exit", DO_FOREIGN_EXIT, "sr"},
    {"message", DO_MESSAGE, "sw"},
    {"release", DO_RELEASE, ""},
    {"sleep", DO_SLEEP, "t"},
};

static const char *
supervisor_name(const struct scenario *scenario, const char *word)
{
    const struct declaration *it = declaration_of(scenario, word);
    if (!it || it->as != DECLARED_SUP) {
        refuse("%s is not a supervisor", word);
    }
    return it->name;
}

static void
read_argument(const struct scenario *scenario, struct action *action, char kind, const char *word)
{
    switch (kind) {
    case 's':
        action->name = supervisor_name(scenario, word);
        break;
    case 'n':
        action->name = word_name(word);
        break;
    case 'w':
        action->object = word_name(word);
        break;
    case 'r':
        action->reason = word_reason(word);
        break;
    case 't':
        action->pause = word_milliseconds(word);
        break;
    }
}

/* What the original's order of events leaves open, or what its runner cannot do. */
static void
check_action(const struct scenario *scenario, const struct action *action)
{
    const struct declaration *it = action->name ? declaration_of(scenario, action->name) : NULL;
    if (action->verb == DO_KILL && it && it->as == DECLARED_SUP && it != scenario->root) {
        refuse("kill of a nested supervisor");
    }
    if (action->verb == DO_FOREIGN_EXIT && action->reason && same(action->reason, "kill")) {
        refuse("use kill");
    }
}

static char *
joined(char *words[], size_t count)
{
    char *line = text_copy(words[0]);
    for (size_t i = 1; i < count; i++) {
        line = text_append(line, " %s", words[i]);
    }
    return line;
}

static const struct grammar *
rule_for(char *words[], size_t count)
{
    for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++) {
        if (same(words[0], grammar[i].word) && count == strlen(grammar[i].arguments) + 1) {
            return &grammar[i];
        }
    }
    refuse("bad action %s", joined(words, count));
}

static void
act(struct scenario *scenario, char *words[], size_t count)
{
    const struct grammar *rule = rule_for(words, count);
    struct action action = {.verb = rule->verb, .words = joined(words, count)};
    for (size_t i = 1; i < count; i++) {
        read_argument(scenario, &action, rule->arguments[i - 1], words[i]);
    }
    check_action(scenario, &action);
    scenario->actions =
        room_for_one_more(scenario->actions, scenario->action_count, sizeof *scenario->actions);
    scenario->actions[scenario->action_count++] = action;
}

/* ---------------------------------------------------------------- the file */

static size_t
split(char *line, char *words[MOST_WORDS])
{
    size_t count = 0;
    line[strcspn(line, "#")] = '\0';
    char *rest;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (count == MOST_WORDS) {
            refuse("more than %d words", MOST_WORDS);
        }
        words[count++] = word;
    }
    return count;
}

/* The line between declarations and actions. */
static bool
is_run(struct scenario *scenario, char *words[], size_t count)
{
    if (!same(words[0], "run")) {
        return false;
    }
    if (count > 1) {
        refuse("run takes no argument");
    }
    check_tree(scenario);
    return true;
}

static void
read_lines(struct scenario *scenario, FILE *stream)
{
    static char *line; /* kept: who refuses a line does not come back here */
    static size_t capacity;
    char *words[MOST_WORDS];
    bool is_running = false;
    while (getline(&line, &capacity, stream) >= 0) {
        words_next_line();
        size_t count = split(line, words);
        if (count == 0) {
            continue;
        }
        if (is_running) {
            act(scenario, words, count);
        } else if (!(is_running = is_run(scenario, words, count))) {
            declare(scenario, words, count);
        }
    }
    if (!is_running) {
        refuse("no run line");
    }
}

void
scenario_read_from(struct scenario *scenario, FILE *stream, const char *path)
{
    *scenario = (struct scenario){0};
    words_of(path);
    read_lines(scenario, stream);
}

void
scenario_read(struct scenario *scenario, const char *path)
{
    FILE *stream = fopen(path, "re");
    if (!stream) {
        words_of(path);
        refuse_at(0, "%s", strerror(errno));
    }
    scenario_read_from(scenario, stream, path);
    (void)fclose(stream);
}
