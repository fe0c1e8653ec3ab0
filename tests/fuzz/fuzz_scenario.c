/*
 * tests/fuzz/fuzz_scenario.c - files of scenarios that are none.
 *
 * Room: tests/. Linked with the reader of tests/conformance but for its text.c, whose memory is freed here.
 *
 * The reader ends its program at what it refuses, so exit() comes back here. Whatever it does not refuse has a
 * root, and names that are there.
 */
#include "tests/conformance/language.h"
#include "tests/conformance/text.h"
#include "tests/conformance/words.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/wrap.h"

#include <setjmp.h>
#include <stdarg.h>

/* ---------------------------------------------------------------- a way back */

static jmp_buf back;
static bool is_reading;

__attribute__((noreturn)) void exit_really(int status) REAL(exit);
__attribute__((noreturn)) void exit_here(int status) WRAP(exit);
void
exit_here(int status)
{
    if (is_reading) {
        longjmp(back, 1);
    }
    exit_really(status);
}

/* ---------------------------------------------------------------- memory that does not stay */

struct block {
    struct block *next;
    size_t size;
    max_align_t bytes[];
};

static struct block *blocks;

void *
room_for(size_t count, size_t size)
{
    struct block *block = calloc(1, sizeof *block + count * size);
    HOLDS(block);
    block->size = count * size;
    block->next = blocks;
    blocks = block;
    return block->bytes;
}

void *
room_for_one_more(void *items, size_t count, size_t size)
{
    void *more = room_for(count + 1, size);
    if (count > 0) {
        memcpy(more, items, count * size);
    }
    return more;
}

char *
text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(room_for(size, 1), text, size);
}

char *
text_append(char *text, const char *format, ...)
{
    char more[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(more, sizeof more, format, arguments);
    va_end(arguments);
    size_t length = text ? strlen(text) : 0;
    char *whole = room_for(length + strlen(more) + 1, 1);
    memcpy(whole, text ? text : "", length);
    memcpy(whole + length, more, strlen(more) + 1);
    return whole;
}

static void
forget_all(void)
{
    while (blocks) {
        struct block *block = blocks;
        blocks = block->next;
        free(block);
    }
}

/* ---------------------------------------------------------------- the reader */

static void
check(const struct scenario *scenario)
{
    HOLDS(scenario->root && scenario->root->as == DECLARED_SUP && !scenario->root->in);
    for (size_t i = 0; i < scenario->declaration_count; i++) {
        const struct declaration *it = &scenario->declarations[i];
        HOLDS(declaration_of(scenario, it->name));
        HOLDS(!it->in || declaration_of(scenario, it->in));
        HOLDS(it->shutdown != 0 && (it->outcome_count == 0 || outcome_of(it, 1)));
    }
    for (size_t i = 0; i < scenario->action_count; i++) {
        HOLDS(scenario->actions[i].words && scenario->actions[i].verb > DO_START);
    }
}

/* false: it was refused. */
static bool
read_all(struct scenario *scenario, FILE *stream)
{
    is_reading = true;
    if (setjmp(back)) {
        is_reading = false;
        return false;
    }
    scenario_read_from(scenario, stream, "input");
    is_reading = false;
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scenario scenario;
    struct input input = {data, size};
    char *text = take_rest(&input);
    FILE *stream = fmemopen(text, size ? size : 1, "re");
    HOLDS(stream);
    if (read_all(&scenario, stream)) {
        check(&scenario);
    }
    (void)fclose(stream);
    forget_all();
    free(text);
    return 0;
}
