/*
 * demos/wordfreq/main.c - the words of many files, and how often each occurs.
 *
 * Room: demos/.
 *
 *     main() --------- a task for each file, as many at a time as there are processors
 *     supervisor --+-- counts      an agent: what all files together have
 *                  `-- reporter    a genserver: says every now and then how far it is
 *
 * Look at who has what to lose. A file that cannot be read costs its own task, which has added
 * nothing to the counts by then. A reporter that crashes comes back. What the counts lose nobody
 * could tell them again: they are temporary, and without them the run fails rather than print wrong
 * numbers. Children stop in reverse, so the reporter still has counts to ask for its last line.
 */
#include "demos/wordfreq/counts.h"
#include "demos/wordfreq/reporter.h"

#include <stdio.h>

enum {
    TOP = 10,
};

static int
start_tree(cop_pid *root, size_t files)
{
    return cop_supervisor_start(
        root, &(cop_supervisor_spec){COP_CHILDREN(
                  {.id = "counts", .name = "counts", .agent = &counts, .restart = COP_TEMPORARY},
                  {.id = "reporter",
                   .name = "reporter",
                   .genserver = &reporter,
                   .arg = COP_BYTES(files)})});
}

/* Where it can be killed, in the call at the end, it holds only memory that goes with it. */
static int
count_file(cop_bytes path, void *result)
{
    struct words words = {0};
    (void)result;
    int r = words_read(&words, path.data);
    size_t count = words.different;
    struct word *list = cop_alloc((count + 1) * sizeof *list);
    if (list != NULL) {
        words_copy(&words, list);
    }
    words_clear(&words);
    if (r == 0) {
        r = list ? counts_merge(list, count) : -ENOMEM;
    }
    return r;
}

/* The input of the stream: `env` is where the next file's name stands, in argv. */
static bool
next_file(cop_bytes *path, void *env)
{
    char ***next = env;
    if (**next == NULL) {
        return false;
    }
    *path = COP_STR(**next);
    ++*next;
    return true;
}

/* It has ended when this returns; a successor may have to come yet. */
static void
crash_reporter(void)
{
    (void)cop_stop_process(cop_named("reporter"), cop_failed(-EIO, "crashed_on_request"),
                           COP_SEC(5));
}

/* Returns how many files have failed, each of which is reported; or an error. */
static int
count_files(char **files, bool crash)
{
    char **next = files;
    const cop_async_stream_opts opts = {
        .next = next_file,
        .env = &next,
        .unordered = true,
        .timeout = COP_FOREVER,
    };
    cop_async_stream *stream = NULL;
    cop_async_item file;
    int failed = 0, r = cop_async_stream_new(&stream, count_file, &opts);
    while (r == 0 && (r = cop_async_stream_next(stream, &file)) == 0) {
        if (file.code) {
            report_failure(files[file.index], file.code);
            failed++;
        }
        if (crash) {
            crash_reporter();
            crash = false;
        }
    }
    cop_async_stream_free(stream);
    return r == -ENODATA ? failed : r;
}

/* Stop the tree in between: what comes after the result is not the reporter's. */
static int
print_result(cop_pid root)
{
    struct totals totals;
    struct word top[TOP];
    int r = counts_totals(&totals);
    if (r == 0) {
        r = counts_top(top, TOP);
    }
    (void)cop_supervisor_stop(root, COP_SEC(5));
    if (r) {
        return r;
    }
    for (size_t i = 0; i < TOP && top[i].times > 0; i++) {
        printf("%9zu  %s\n", top[i].times, top[i].text);
    }
    printf("%zu words, %zu of them different\n", totals.words, totals.different);
    return 0;
}

int
main(int argc, char **argv)
{
    bool crash = argc > 1 && strcmp(argv[1], "--crash-reporter") == 0;
    char **files = argv + 1 + crash;
    if (files >= argv + argc || **files == '-') {
        (void)fprintf(stderr, "usage: wordfreq [--crash-reporter] FILE...\n");
        return 2;
    }
    cop_pid root;
    int failed = 0, r = start_tree(&root, (size_t)(argv + argc - files));
    if (r == 0) {
        failed = count_files(files, crash);
        r = failed < 0 ? failed : print_result(root);
    }
    if (r) {
        (void)fprintf(stderr, "wordfreq: no result: %s\n", cop_strerror(r));
    }
    return cop_shutdown(COP_SEC(5)) || r || failed ? 1 : 0;
}
