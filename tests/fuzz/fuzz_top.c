/*
 * tests/fuzz/fuzz_top.c - what coppice-top may be told by what it takes for an observer.
 *
 * Room: tests/. Linked with coppice-top but for its main() and its screen.
 *
 * The first byte says whether it is a picture or events. A picture is drawn in every order, and against
 * itself as it was before.
 */
#include "supervisor/observe/top_events.h"
#include "supervisor/observe/top_text.h"
#include "tests/fuzz/fuzz.h"

static void
draw_row(const struct top_picture *picture, const struct top_row *row)
{
    char cell[TOP_CELL], fitted[TOP_CELL * 4];
    for (int field = 0; field < TOP_FIELDS; field++) {
        const char *text = top_cell((enum top_field)field, row, picture, true, cell);
        HOLDS(strlen(top_fit(text, 12, field & 1, fitted)) <= sizeof fitted);
    }
    for (int line = 0; top_detail(line, row, picture, cell); line++) {
        HOLDS(strlen(cell) < sizeof cell && line < 1000);
    }
    HOLDS(top_picture_find(picture, row->words[TOP_PID]) < picture->count);
}

static void
draw(struct top_picture *picture)
{
    char cell[TOP_CELL];
    for (int order = 0; order < TOP_ORDERS; order++) {
        top_picture_sort(picture, (enum top_order)order);
    }
    for (size_t i = 0; i < picture->count; i++) {
        draw_row(picture, &picture->rows[i]);
    }
    HOLDS(strlen(top_summary(picture, "daemon", "7", cell)) < sizeof cell);
}

static void
check_picture(struct input input)
{
    struct top_picture picture, before;
    struct input again = input;
    char *text = take_rest(&input), *copy = take_rest(&again);
    int r = top_picture_read(&picture, text);
    HOLDS(r == top_picture_read(&before, copy));
    if (r) {
        free(text);
        free(copy);
        return;
    }
    before.taken = picture.taken / 2;
    top_picture_rate(&picture, &before);
    draw(&picture);
    top_picture_free(&picture);
    top_picture_free(&before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (take_number(&input, 1) & 1) {
        check_picture(input);
        return 0;
    }
    char *answer = take_rest(&input);
    char *lines = top_events(answer, UINT64_C(1) << 40);
    HOLDS(lines);
    free(lines);
    free(answer);
    return 0;
}
