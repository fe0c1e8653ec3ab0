/*
 * supervisor/observe/top_screen.c - coppice-top: what stands on the terminal.
 *
 * Room: supervisor/observe/, the program coppice-top.
 * Touch freely: colours and words.
 *
 * Everything is drawn anew each time, and curses sends what has changed. Nothing is said by a colour alone: the
 * state stands there as a word, too, and without colours it is bold or underlined.
 */
#include "supervisor/observe/top_screen.h"

#include "supervisor/observe/top_text.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>

enum {
    AROUND = 3, /* lines that are not rows: the summary, the titles, the keys */
    ESCAPE_WAIT_MS = 25,
};

static bool has_colours;

static bool
wants_colours(void)
{
    const char *no = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return !(no && no[0]) && has_colors();
}

bool
top_screen_open(void)
{
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        return false;
    }
    set_term(screen);
    if (!cursor_address) {
        endwin();
        delscreen(screen);
        return false;
    }
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_WAIT_MS);
    curs_set(0);
    has_colours = wants_colours();
    if (has_colours) {
        start_color();
        use_default_colors();
        const short colours[] = {-1,        COLOR_CYAN,   COLOR_GREEN,
                                 COLOR_RED, COLOR_YELLOW, COLOR_MAGENTA};
        for (int mood = TOP_IDLE; mood <= TOP_FRESH; mood++) {
            init_pair((short)(mood + 1), colours[mood], -1);
        }
    }
    return true;
}

void
top_screen_close(void)
{
    endwin();
}

static attr_t
look_of(enum top_mood mood)
{
    static const attr_t plain[] = {0, 0, 0, A_BOLD, A_UNDERLINE, A_BOLD};
    attr_t bold = mood >= TOP_LONG_BUSY ? A_BOLD : A_NORMAL;
    return has_colours ? (attr_t)COLOR_PAIR((int)mood + 1) | bold : plain[mood];
}

/* curses takes an int where it defines unsigned ones. */
static void
look_like(attr_t look)
{
    attrset((int)look);
}

size_t
top_screen_rows(void)
{
    return LINES > AROUND ? (size_t)(LINES - AROUND) : 0;
}

/* A line of its own, cut at the edge. */
static void
put_line(int y, attr_t look, const char *text)
{
    if (y >= 0 && y < LINES) {
        char fitted[TOP_CELL * 4];
        look_like(look);
        mvaddstr(y, 0, top_fit(text, COLS, false, fitted));
        look_like(A_NORMAL);
    }
}

/* ---------------------------------------------------------------- the table */

static void
put_titles(const struct top_layout *layout, enum top_order order)
{
    char fitted[TOP_CELL * 4];
    put_line(1, A_REVERSE, "");
    for (int i = 0; i < layout->count; i++) {
        const struct top_place *place = &layout->places[i];
        look_like(top_order_of(place->field) == order ? A_REVERSE | A_BOLD | A_UNDERLINE
                                                      : A_REVERSE);
        mvaddstr(1, place->x,
                 top_fit(top_title(place->field), place->width, top_is_to_the_right(place->field),
                         fitted));
    }
    look_like(A_NORMAL);
}

static void
put_row(int y, const struct top_layout *layout, const struct top_view *view, size_t index)
{
    const struct top_row *row = &view->picture->rows[index];
    attr_t base = index == view->at ? A_REVERSE : A_NORMAL;
    char cell[TOP_CELL], fitted[TOP_CELL * 4];
    put_line(y, base, "");
    for (int i = 0; i < layout->count; i++) {
        const struct top_place *place = &layout->places[i];
        const char *text =
            top_cell(place->field, row, view->picture, view->order == TOP_BY_TREE, cell);
        attr_t look = A_NORMAL;
        if (place->field == TOP_F_STATE) {
            char unused[TOP_CELL];
            look = look_of(top_state(row, view->picture, unused));
        } else if (place->field == TOP_F_MAILBOX && top_number(row, TOP_MAILBOX) > 0) {
            look = A_BOLD;
        }
        look_like(base | look);
        mvaddstr(y, place->x,
                 top_fit(text, place->width, top_is_to_the_right(place->field), fitted));
    }
    look_like(A_NORMAL);
}

/* The selected row is always seen. */
static void
scroll_to_selected(struct top_view *view)
{
    size_t rows = top_screen_rows(), count = view->picture->count;
    if (view->at < view->first) {
        view->first = view->at;
    } else if (rows > 0 && view->at >= view->first + rows) {
        view->first = view->at - rows + 1;
    }
    if (view->first + rows > count) {
        view->first = count > rows ? count - rows : 0;
    }
}

static void
draw_table(struct top_view *view)
{
    struct top_layout layout;
    top_lay_out(&layout, COLS);
    put_titles(&layout, view->order);
    scroll_to_selected(view);
    for (size_t i = 0; i < top_screen_rows() && view->first + i < view->picture->count; i++) {
        put_row((int)i + 2, &layout, view, view->first + i);
    }
}

/* ---------------------------------------------------------------- one of them */

/* Lines from the second on, but for those that are scrolled away. */
struct page {
    int y;
    size_t skipped;
};

static void
put_on(struct page *page, attr_t look, const char *line)
{
    if (page->skipped > 0) {
        page->skipped--;
    } else if (page->y < LINES - 1) {
        put_line(page->y++, look, line);
    }
}

static void
put_events(struct page *page, const char *events)
{
    char line[TOP_CELL];
    put_on(page, A_NORMAL, "");
    put_on(page, A_BOLD, "what it did last");
    for (size_t size; *events; events += size + (events[size] == '\n')) {
        size = strcspn(events, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)(size < TOP_CELL ? size : TOP_CELL), events);
        put_on(page, A_NORMAL, line);
    }
}

/* What is known of it, also when it has ended. */
static void
draw_open(const struct top_view *view)
{
    struct page page = {.y = 1, .skipped = view->skipped};
    char line[TOP_CELL];
    if (view->at < view->picture->count) {
        const struct top_row *row = &view->picture->rows[view->at];
        for (int i = 0; top_detail(i, row, view->picture, line); i++) {
            put_on(&page, i == 0 ? A_BOLD : A_NORMAL, line);
        }
    } else {
        (void)snprintf(line, sizeof line, "%s has ended", view->selected);
        put_on(&page, A_BOLD, line);
    }
    if (view->events) {
        put_events(&page, view->events);
    }
}

/* ---------------------------------------------------------------- the whole */

static void
draw_foot(const struct top_view *view)
{
    char line[TOP_CELL];
    attr_t look = A_NORMAL;
    if (view->is_searching) {
        (void)snprintf(line, sizeof line, "/%s_", view->search);
    } else if (view->status) {
        (void)snprintf(line, sizeof line, "%s", view->status);
        look = A_REVERSE;
    } else if (view->is_open) {
        (void)snprintf(line, sizeof line, "q back  up, down: scroll");
    } else {
        (void)snprintf(
            line, sizeof line,
            "q quit  enter: open  / search  by: t tree  m mailbox  s messages  r restarts  a age");
    }
    put_line(LINES - 1, look, line);
}

void
top_screen_draw(struct top_view *view)
{
    char line[TOP_CELL];
    erase();
    put_line(0, A_BOLD,
             view->picture->count ? top_summary(view->picture, view->program, view->os_pid, line)
                                  : "coppice-top");
    if (view->is_open) {
        draw_open(view);
    } else {
        draw_table(view);
    }
    draw_foot(view);
    refresh();
}
