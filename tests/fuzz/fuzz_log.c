/*
 * tests/fuzz/fuzz_log.c - entries of the log, with whatever stands in them.
 *
 * Room: tests/.
 *
 * Whatever it is, an entry is one line that fits, with nothing in it that moves a cursor; or one value of
 * JSON.
 */
#include "runtime/log_text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json.h"

enum {
    MOST_FIELDS = 8
};

struct made {
    cop_field fields[MOST_FIELDS + 1];
    char *texts[2 * MOST_FIELDS];
    size_t text_count;
};

static char *
take_text(struct input *input, struct made *made)
{
    return made->texts[made->text_count++] = take_line(input);
}

static cop_field
field_of(struct input *input, struct made *made)
{
    cop_field_kind kind = (cop_field_kind)(1 + take_number(input, 1) % COP_FIELD_REASON);
    cop_field field = {.key = take_text(input, made), .kind = kind};
    if (kind == COP_FIELD_TEXT) {
        const char *text = take_text(input, made);
        field.as.text = (cop_bytes){text, strlen(text)};
    } else if (kind == COP_FIELD_REASON) {
        field.as.reason = (cop_reason){.kind = (cop_exit_kind)(take_number(input, 1) % 8),
                                       .code = (int)take_number(input, 4)};
        (void)snprintf(field.as.reason.text, sizeof field.as.reason.text, "%s",
                       take_text(input, made));
    } else if (kind == COP_FIELD_BOOL) {
        field.as.truth = take_number(input, 1) & 1;
    } else {
        field.as.number = take_number(input, 8);
    }
    return field;
}

static void
check_line(const char *text, size_t size)
{
    HOLDS(size > 0 && text[size - 1] == '\n');
    for (size_t i = 0; i + 1 < size; i++) {
        HOLDS((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
    }
}

static void
check_entry(const cop_log_entry *entry, unsigned shape)
{
    char text[COP_LOG_LINE + 1];
    size_t size = copi_log_text(entry, (struct copi_log_shape){.has_time = shape & 1}, text);
    HOLDS(size <= COP_LOG_LINE && strlen(text) == size);
    check_line(text, size);
    size = copi_log_text(entry, (struct copi_log_shape){.is_json = true}, text);
    HOLDS(size <= COP_LOG_LINE && strlen(text) == size);
    check_line(text, size);
    HOLDS(is_json(text, size - 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct made made = {0};
    unsigned shape = (unsigned)take_number(&input, 1);
    cop_log_entry entry = {
        .level = (cop_log_level)(1 + take_number(&input, 1) % COP_LOG_DEBUG),
        .time = (cop_time)take_number(&input, 8),
        .pid = {take_number(&input, 8)},
        .is_library = shape & 2,
    };
    char *actor = take_line(&input), *message = take_line(&input), *reason = take_line(&input);
    entry.actor = actor;
    entry.message = message;
    entry.reason = shape & 4 ? reason : NULL;
    for (size_t i = 0; i < MOST_FIELDS && input.size > 0; i++) {
        made.fields[i] = field_of(&input, &made);
    }
    entry.fields = made.fields;
    check_entry(&entry, shape);
    for (size_t i = 0; i < made.text_count; i++) {
        free(made.texts[i]);
    }
    free(actor);
    free(message);
    free(reason);
    return 0;
}
