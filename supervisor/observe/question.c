/*
 * supervisor/observe/question.c - what somebody outside asks the observer, in one line.
 *
 * Room: supervisor/observe/. The observer only.
 * Touch freely: all of it, with the observer's answers and coppice/observe.h, which says what may be asked.
 */
#include "supervisor/observe/question.h"

#include "supervisor/observe/answers.h"
#include "supervisor/observe/deeds.h"

#include <coppice/inspect.h>
#include <coppice/name.h>

#include <string.h>

enum {
    USUAL_EVENTS = 20
};

struct words {
    char text[COPI_LONGEST_QUESTION + 1];
    const char *at[3]; /* NULL: there is none */
    bool has_more;
};

static void
cut(struct words *words, cop_bytes line)
{
    static const char between[] = " \t\r\n";
    char *rest = words->text;
    memcpy(words->text, line.data, line.size);
    words->text[line.size] = '\0';
    words->has_more = strlen(words->text) < line.size; /* a 0 inside */
    for (size_t i = 0; i < sizeof words->at / sizeof *words->at; i++) {
        words->at[i] = strtok_r(i ? NULL : words->text, between, &rest);
    }
    words->has_more |= strtok_r(NULL, between, &rest) != NULL;
}

/* By its name; NULL: it is none. */
static const char *
find_deed(const char *word)
{
    size_t i = 0;
    while (copi_deeds[i] && strcmp(copi_deeds[i], word) != 0) {
        i++;
    }
    return copi_deeds[i];
}

/* As text, or by its name. */
static cop_pid
who(const char *word)
{
    cop_pid pid;
    return cop_pid_parse(word, &pid) == 0 ? pid : cop_whereis(word);
}

/* A number of events; 0: it is none. */
static unsigned
how_many(const char *word)
{
    unsigned count = 0;
    for (; *word >= '0' && *word <= '9' && count <= COPI_MOST_EVENTS; word++) {
        count = count * 10 + (unsigned)(*word - '0');
    }
    return *word || count > COPI_MOST_EVENTS ? 0 : count;
}

static struct copi_question
about_events(const struct words *words)
{
    struct copi_question question = {
        .asked = COPI_ASKED_EVENTS,
        .count = words->at[2] ? how_many(words->at[2]) : USUAL_EVENTS,
    };
    if (question.count == 0) {
        return (struct copi_question){.asked = COPI_ASKED_NONSENSE};
    }
    question.whom = who(words->at[1]);
    return question;
}

struct copi_question
copi_question_read(cop_bytes line)
{
    struct words words = {0};
    cut(&words, line);
    const char *verb = words.has_more ? NULL : words.at[0];
    const char *deed = verb ? find_deed(verb) : NULL;
    if (verb && strcmp(verb, "picture") == 0 && !words.at[1]) {
        return (struct copi_question){.asked = COPI_ASKED_PICTURE};
    }
    if (verb && strcmp(verb, "events") == 0 && words.at[1]) {
        return about_events(&words);
    }
    if (deed && words.at[1] && !words.at[2]) {
        return (
            struct copi_question){.asked = COPI_ASKED_DEED, .whom = who(words.at[1]), .deed = deed};
    }
    return (struct copi_question){.asked = COPI_ASKED_NONSENSE};
}
