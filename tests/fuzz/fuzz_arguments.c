/*
 * tests/fuzz/fuzz_arguments.c - the command lines of coppice-top and coppice-postmortem.
 *
 * Room: tests/. With the one inside, and linked with the rest of them.
 *
 * The first byte says whose it is, each line is an argument. What is taken can be done.
 */
#include "supervisor/observe/top_options.h"
#include "tests/fuzz/fuzz.h"

#include <getopt.h>

/* NOLINTBEGIN(bugprone-suspicious-include) */
#define main main_of_postmortem
int main(int argc, char **argv);
#include "supervisor/observe/postmortem.c"
#undef main
/* NOLINTEND(bugprone-suspicious-include) */

enum {
    MOST_ARGUMENTS = 16
};

static void
check_postmortem(char **arguments)
{
    struct command command = {.seconds = USUAL_SECONDS};
    if (take(&command, arguments)) {
        HOLDS(command.path && command.seconds >= 0 && command.seconds < 1e9);
    }
}

static void
check_top(int count, char **arguments)
{
    struct top_options options;
    optind = 0;
    opterr = 0;
    if (top_options_read(&options, count, arguments) == TOP_WISH_LOOK) {
        HOLDS(options.path && options.interval_ms >= 100 && options.interval_ms <= 60000);
        HOLDS(options.order < TOP_ORDERS);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char name[] = "coppice", *arguments[MOST_ARGUMENTS + 2] = {name}, *all[MOST_ARGUMENTS];
    int count = 1;
    bool is_top = take_number(&input, 1) & 1;
    while (input.size > 0 && count <= MOST_ARGUMENTS) {
        arguments[count] = all[count - 1] = take_line(&input);
        count++;
    }
    if (is_top) {
        check_top(count, arguments); /* which changes their order */
    } else {
        check_postmortem(arguments);
    }
    while (count-- > 1) {
        free(all[count - 1]);
    }
    return 0;
}
