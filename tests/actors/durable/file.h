/*
 * tests/actors/durable/file.h - a database of a test's own, in a folder of its own.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_FILE_H
#define COPI_TESTS_FILE_H

#include "tests/actors/durable/stored.h"

#include <coppice-sqlite.h>
#include <ftw.h>
#include <unistd.h>

#ifndef FOLDERS
# define FOLDERS "/tmp"
#endif

static char folder[64], path[80];

static int
remove_one(const char *name, const struct stat *status, int kind, struct FTW *at)
{
    (void)status, (void)kind, (void)at;
    return remove(name);
}

static void
remove_folder(void)
{
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A path in a folder that goes with the test; made at its first use. */
static const char *
a_path(void)
{
    if (!folder[0]) {
        (void)snprintf(folder, sizeof folder, "%s/coppice.XXXXXX", FOLDERS);
        ck_assert_ptr_nonnull(mkdtemp(folder));
        (void)snprintf(path, sizeof path, "%s/promises.db", folder);
        (void)atexit(remove_folder);
    }
    return path;
}

UNUSED static cop_pid
a_store_with(cop_store_opts opts)
{
    cop_pid store;
    opts.size = sizeof opts;
    opts.backend = cop_sqlite();
    opts.at = a_path();
    int r = cop_store_start_with(&store, &opts);
    ck_assert_msg(r == 0, "%s: %s", cop_strerror(r), cop_why().text);
    return store;
}

#endif
