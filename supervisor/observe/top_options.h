/*
 * supervisor/observe/top_options.h - coppice-top: what its command line says.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_OPTIONS_H
#define COPI_SUPERVISOR_OBSERVE_TOP_OPTIONS_H

#include "supervisor/observe/top_picture.h"

#include <stdbool.h>

extern const char top_usage[];

struct top_options {
    bool once;
    enum top_order order;
    int interval_ms;
    const char *path; /* an argument, or in the environment */
};

enum top_wish {
    TOP_WISH_LOOK,
    TOP_WISH_HELP,
    TOP_WISH_WRONG, /* the usage says what is right */
};

/* The arguments' order may change, and getopt's variables do. */
enum top_wish top_options_read(struct top_options *options, int argc, char **argv);

#endif
