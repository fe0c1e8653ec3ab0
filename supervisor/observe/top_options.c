/*
 * supervisor/observe/top_options.c - coppice-top: what its command line says.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 * Touch freely: the words, with coppice-top.1.
 */
#include "supervisor/observe/top_options.h"

#include "supervisor/observe/top_text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): one thread */

const char top_usage[] =
    "usage: coppice-top [--once] [--sort tree|mailbox|messages|restarts|age] [--interval SECONDS] [PATH]\n"
    "\n"
    "Show a daemon's processes, over the socket of its observer: PATH, or else COPPICE_OBSERVER.\n"
    "\n"
    "  --once       print one picture as text and end; so does an output that is no terminal\n"
    "  --sort       begin in that order\n"
    "  --interval   how often to look: 0.1 to 60 seconds; 1 if it is not said\n";

static bool
read_order(struct top_options *options, const char *word)
{
    enum top_order order = TOP_BY_TREE;
    while (order < TOP_ORDERS && strcmp(top_order_name(order), word) != 0) {
        order++;
    }
    options->order = order;
    return order < TOP_ORDERS;
}

static bool
read_interval(struct top_options *options, const char *word)
{
    char *end;
    double seconds = strtod(word, &end);
    if (*end || end == word || !(seconds >= 0.1 && seconds <= 60)) {
        return false;
    }
    options->interval_ms = (int)(seconds * 1000);
    return true;
}

enum top_wish
top_options_read(struct top_options *options, int argc, char **argv)
{
    static const struct option words[] = {
        {"once", no_argument, NULL, 'o'},
        {"sort", required_argument, NULL, 's'},
        {"interval", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *options = (struct top_options){.interval_ms = 1000, .path = getenv("COPPICE_OBSERVER")};
    int word;
    bool is_right = true;
    while ((word = getopt_long(argc, argv, "h", words, NULL)) != -1) {
        switch (word) {
        case 'o':
            options->once = true;
            break;
        case 's':
            is_right &= read_order(options, optarg);
            break;
        case 'i':
            is_right &= read_interval(options, optarg);
            break;
        case 'h':
            return TOP_WISH_HELP;
        default:
            return TOP_WISH_WRONG;
        }
    }
    options->path = optind < argc ? argv[optind++] : options->path;
    return is_right && options->path && optind == argc ? TOP_WISH_LOOK : TOP_WISH_WRONG;
}

/* NOLINTEND(concurrency-mt-unsafe) */
