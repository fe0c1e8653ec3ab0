/*
 * supervisor/observe/top.c - coppice-top: a daemon's tree in a terminal, over its observer's socket.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread, which waits in poll() and nowhere else.
 * Touch freely: keys. Ask first: what --once prints: scripts read it.
 *
 * It asks for a picture once in an interval, draws what comes, and does what keys say. The daemon may leave at
 * any time: then the last picture stays, a line says so, and it looks once in a second whether somebody is
 * back. Of the library nothing is linked but its clock, so a daemon of another version is as good.
 */
#include "supervisor/observe/top_events.h"
#include "supervisor/observe/top_link.h"
#include "supervisor/observe/top_options.h"
#include "supervisor/observe/top_picture.h"
#include "supervisor/observe/top_screen.h"
#include "supervisor/observe/top_text.h"

#include <coppice/base.h>

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): one thread */

enum {
    SECOND_MS = 1000,
    ONCE_PATIENCE_MS = 10000,
    SILENCE_MS = 3000, /* that is worth a word */
    ESCAPE = 27,
};

static struct top {
    struct top_link link;
    struct top_picture picture;
    struct top_view view;
    bool asks_events; /* and else for a picture */
    char *events;
    char status[TOP_CELL];
    int interval_ms;
    int64_t next_ms;  /* when to ask, or to connect */
    int64_t heard_ms; /* the daemon; or asked it */
    bool is_over;
} top;

static volatile sig_atomic_t asked_to_end;

static void
on_end(int signal)
{
    (void)signal;
    asked_to_end = 1;
}

static int64_t
now_ms(void)
{
    return cop_now() / COP_MS(1);
}

/* ---------------------------------------------------------------- the daemon */

static void
say_why(int error)
{
    const char *what = error == -EPROTO       ? "no observer that this program understands"
                       : error == -EAGAIN     ? "too many look at it already"
                       : error == -ECONNRESET ? "it has gone"
                                              : strerror(-error);
    (void)snprintf(top.status, sizeof top.status, "%s: %s; trying again", top.link.path, what);
    top.view.status = top.status;
}

static void
lose(int error)
{
    say_why(error);
    top.asks_events = false;
    top.next_ms = now_ms() + SECOND_MS;
}

static void
connect_again(void)
{
    int r = top_link_connect(&top.link);
    if (r) {
        lose(r);
    } else if (!top.view.status) {
        (void)snprintf(top.status, sizeof top.status, "%s: waiting to be served", top.link.path);
        top.view.status = top.status;
    }
}

static void
ask(const char *question)
{
    int r = top_link_ask(&top.link, question);
    if (r == -ECONNRESET) {
        lose(r);
    }
    top.heard_ms = now_ms();
}

/* It may be stopped, in a debugger say. */
static void
notice_silence(void)
{
    if (top.link.is_asked && !top.view.status && now_ms() - top.heard_ms > SILENCE_MS) {
        (void)snprintf(top.status, sizeof top.status, "%s: no answer yet", top.link.path);
        top.view.status = top.status;
    }
}

/* ---------------------------------------------------------------- what has come */

/* The selection stays on its process; if that has ended, where it was. */
static void
find_selected(void)
{
    struct top_view *view = &top.view;
    size_t at = view->selected[0] ? top_picture_find(&top.picture, view->selected) : 0;
    if (at < top.picture.count) {
        view->at = at;
    } else if (view->is_open) {
        view->at = top.picture.count; /* it is not there */
    } else if (view->at >= top.picture.count) {
        view->at = top.picture.count ? top.picture.count - 1 : 0;
    }
}

static void
select_row(size_t at)
{
    top.view.at = at;
    if (at < top.picture.count) {
        (void)snprintf(top.view.selected, sizeof top.view.selected, "%s",
                       top.picture.rows[at].words[TOP_PID]);
    }
}

static void
take_picture(struct top_picture *picture)
{
    struct top_picture before = top.picture;
    top_picture_rate(picture, &before);
    top_picture_free(&before);
    top_picture_sort(picture, top.view.order);
    top.picture = *picture;
    find_selected();
    if (!top.view.is_open) {
        select_row(top.view.at);
    }
}

static void
forget_events(void)
{
    free(top.events);
    top.events = NULL;
    top.view.events = NULL;
}

static void
take_events(char *answer)
{
    forget_events();
    top.events = top_events(answer, top.picture.taken);
    top.view.events = top.events;
    free(answer);
}

/* Of the one that is open, also when it has ended: after each picture. */
static void
ask_for_events(void)
{
    top.asks_events = top.view.is_open && top.view.selected[0];
    if (top.asks_events) {
        char question[sizeof top.view.selected + sizeof "events  50\n"];
        (void)snprintf(question, sizeof question, "events %s 50\n", top.view.selected);
        ask(question);
    }
}

static void
take_answer_of_picture(char *answer)
{
    struct top_picture picture;
    if (top_picture_read(&picture, answer) != 0) {
        (void)snprintf(top.status, sizeof top.status, "%s: %.*s", top.link.path,
                       (int)strcspn(answer, "\n"), answer);
        top.view.status = top.status;
        free(answer);
        return;
    }
    top.view.status = NULL;
    take_picture(&picture);
    ask_for_events();
}

static void
take_answer(char *answer)
{
    if (top.asks_events) {
        top.asks_events = false;
        take_events(answer);
    } else {
        take_answer_of_picture(answer);
    }
}

static void
hear(void)
{
    char *answer;
    bool was_greeted = top.link.is_greeted;
    int r = top_link_read(&top.link, &answer);
    if (r < 0) {
        lose(r);
    } else if (r > 0) {
        take_answer(answer);
        top.next_ms = now_ms() + top.interval_ms;
    } else if (!was_greeted && top.link.is_greeted) {
        top.next_ms = now_ms();
    }
}

/* ---------------------------------------------------------------- keys */

static void
move_by(ptrdiff_t rows)
{
    size_t count = top.picture.count;
    if (top.view.is_open) {
        top.view.skipped =
            rows < 0 && top.view.skipped < (size_t)-rows ? 0 : top.view.skipped + (size_t)rows;
        return;
    }
    size_t at = rows < 0 && top.view.at < (size_t)-rows ? 0 : top.view.at + (size_t)rows;
    select_row(at < count ? at : count ? count - 1 : 0);
}

static void
move_rows(int rows)
{
    move_by(rows);
}

static void
move_pages(int pages)
{
    move_by(pages * (ptrdiff_t)top_screen_rows());
}

static void
move_to_first(int unused)
{
    (void)unused;
    move_by(-(ptrdiff_t)(top.picture.count + top.view.skipped));
}

static void
move_to_last(int unused)
{
    (void)unused;
    move_by(top.view.is_open ? 0 : (ptrdiff_t)top.picture.count);
}

static void
sort_by(int order)
{
    top.view.order = (enum top_order)order;
    top_picture_sort(&top.picture, top.view.order);
    select_row(0);
}

/* The next one below whose name has it, and around. */
static void
search_on(int unused)
{
    (void)unused;
    size_t count = top.picture.count;
    for (size_t i = 1; i <= count; i++) {
        size_t at = (top.view.at + i) % count;
        if (strcasestr(top_name(&top.picture.rows[at]), top.view.search)) {
            select_row(at);
            return;
        }
    }
}

static void
begin_search(int unused)
{
    (void)unused;
    top.view.is_searching = true;
    top.view.search[0] = '\0';
}

static void
type(int key)
{
    size_t used = strlen(top.view.search);
    if (key == '\r' || key == '\n' || key == KEY_ENTER) {
        top.view.is_searching = false;
        search_on(0);
    } else if (key == ESCAPE) {
        top.view.is_searching = false;
    } else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && used > 0) {
        top.view.search[used - 1] = '\0';
    } else if (key >= ' ' && key < 256 && key != 127 && used < TOP_SEARCH_SIZE - 1) {
        top.view.search[used] = (char)key;
        top.view.search[used + 1] = '\0';
    }
}

static void
open_selected(int unused)
{
    (void)unused;
    if (top.view.at < top.picture.count) {
        select_row(top.view.at);
        top.view.is_open = true;
        top.view.skipped = 0;
        top.next_ms = 0; /* for its events */
        forget_events();
    }
}

static void
close_it(int unused)
{
    (void)unused;
    if (top.view.is_open) {
        top.view.is_open = false;
        find_selected();
    }
}

static void
go_back(int unused)
{
    top.is_over = top.is_over || !top.view.is_open;
    close_it(unused);
}

static const struct {
    int key;
    void (*act)(int argument);
    int argument;
} keys[] = {
    {'q', go_back, 0},
    {ESCAPE, close_it, 0},
    {KEY_BACKSPACE, close_it, 0},
    {KEY_LEFT, close_it, 0},
    {'\r', open_selected, 0},
    {'\n', open_selected, 0},
    {KEY_ENTER, open_selected, 0},
    {KEY_RIGHT, open_selected, 0},
    {KEY_UP, move_rows, -1},
    {'k', move_rows, -1},
    {KEY_DOWN, move_rows, 1},
    {'j', move_rows, 1},
    {KEY_PPAGE, move_pages, -1},
    {KEY_NPAGE, move_pages, 1},
    {' ', move_pages, 1},
    {KEY_HOME, move_to_first, 0},
    {'g', move_to_first, 0},
    {KEY_END, move_to_last, 0},
    {'G', move_to_last, 0},
    {'t', sort_by, TOP_BY_TREE},
    {'m', sort_by, TOP_BY_MAILBOX},
    {'s', sort_by, TOP_BY_RATE},
    {'r', sort_by, TOP_BY_RESTARTS},
    {'a', sort_by, TOP_BY_AGE},
    {'/', begin_search, 0},
    {'n', search_on, 0},
};

/* Others are none, KEY_RESIZE, too: what that changes is drawn anyway. */
static void
press(int key)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].key == key) {
            keys[i].act(keys[i].argument);
        }
    }
}

static void
take_keys(void)
{
    int key;
    while ((key = getch()) != ERR) {
        if (top.view.is_searching) {
            type(key);
        } else {
            press(key);
        }
    }
}

/* ---------------------------------------------------------------- the loop */

static void
do_what_is_due(void)
{
    if (now_ms() < top.next_ms) {
        return;
    }
    if (top.link.fd < 0) {
        connect_again();
    } else if (top.link.is_greeted && !top.link.is_asked) {
        ask("picture\n");
    }
}

/* Nothing is due while an answer is awaited: it comes, or the connection ends. */
static int
pause_ms(void)
{
    bool waits = top.link.fd >= 0 && (!top.link.is_greeted || top.link.is_asked);
    int64_t left = top.next_ms - now_ms();
    return waits ? SECOND_MS : left > 0 ? (int)left : 0;
}

static void
wait_for_news(void)
{
    struct pollfd news[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = top.link.fd, .events = POLLIN},
    };
    if (poll(news, 2, pause_ms()) > 0) {
        if (news[0].revents & (POLLHUP | POLLERR)) {
            top.is_over = true; /* the terminal has gone */
        }
        if (news[1].revents) {
            hear();
        }
    }
}

static void
watch(void)
{
    while (!top.is_over && !asked_to_end) {
        do_what_is_due();
        notice_silence();
        top.view.picture = &top.picture;
        top_screen_draw(&top.view);
        wait_for_news();
        take_keys();
    }
}

/* ---------------------------------------------------------------- as text */

static void
print_picture(void)
{
    enum {
        WIDTH = 132
    };
    struct top_layout layout;
    char text[TOP_CELL], fitted[TOP_CELL * 4];
    puts(top_summary(&top.picture, top.link.program, top.link.os_pid, text));
    top_lay_out(&layout, WIDTH);
    for (size_t row = 0; row <= top.picture.count; row++) {
        for (int i = 0; i < layout.count; i++) {
            const struct top_place *place = &layout.places[i];
            const char *cell = row == 0
                                   ? top_title(place->field)
                                   : top_cell(place->field, &top.picture.rows[row - 1],
                                              &top.picture, top.view.order == TOP_BY_TREE, text);
            (void)printf("%s%s", i ? " " : "",
                         top_fit(cell, place->width, top_is_to_the_right(place->field), fitted));
        }
        (void)putchar('\n');
    }
    (void)fflush(stdout);
}

/* 0, when there is a picture, or what has failed. */
static int
fetch_picture(void)
{
    char *answer;
    int r = top.link.fd < 0 ? top_link_connect(&top.link) : 0;
    for (int64_t end = now_ms() + ONCE_PATIENCE_MS; r == 0 && now_ms() < end && !asked_to_end;) {
        struct pollfd news = {.fd = top.link.fd, .events = POLLIN};
        top_link_ask(&top.link, "picture\n");
        if (top.link.fd >= 0 && poll(&news, 1, SECOND_MS) > 0) {
            r = top_link_read(&top.link, &answer);
        }
        if (r > 0) {
            struct top_picture picture;
            r = top_picture_read(&picture, answer);
            if (r) {
                free(answer);
                return r;
            }
            take_picture(&picture);
            return 0;
        }
    }
    return r ? r : -ETIMEDOUT;
}

/* What there is for a terminal that cannot be drawn on, too: one picture after the other. */
static int
print_pictures(bool once)
{
    do {
        int r = fetch_picture();
        if (r == 0) {
            print_picture();
        } else {
            say_why(r);
            (void)fprintf(stderr, "coppice-top: %s\n", top.status);
            if (once) {
                return EXIT_FAILURE;
            }
        }
        if (!once && !asked_to_end) {
            poll(NULL, 0, top.interval_ms);
        }
    } while (!once && !asked_to_end);
    return EXIT_SUCCESS;
}

/* ---------------------------------------------------------------- main */

int
main(int argc, char **argv)
{
    struct top_options options;
    (void)setlocale(LC_ALL, "");
    enum top_wish wish = top_options_read(&options, argc, argv);
    if (wish != TOP_WISH_LOOK) {
        (void)fputs(top_usage, wish == TOP_WISH_HELP ? stdout : stderr);
        return wish == TOP_WISH_HELP ? EXIT_SUCCESS : 2;
    }
    bool once = options.once || !isatty(STDOUT_FILENO);
    top.interval_ms = options.interval_ms;
    top.view.order = options.order;
    top_link_init(&top.link, options.path);
    const struct sigaction end = {.sa_handler = on_end};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGHUP, &end, NULL);
    top.view.program = top.link.program;
    top.view.os_pid = top.link.os_pid;
    int status = EXIT_SUCCESS;
    if (once || !top_screen_open()) {
        status = print_pictures(once);
    } else {
        watch();
        top_screen_close();
    }
    top_link_close(&top.link);
    top_picture_free(&top.picture);
    free(top.events);
    return status;
}

/* NOLINTEND(concurrency-mt-unsafe) */
