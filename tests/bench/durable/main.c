/*
 * tests/bench/durable/main.c - what a durable transition costs, beside what the disk takes for a sync.
 *
 * Room: tests/. The public API.
 *
 *     bench-durable [-n ROUNDS] [-s SCALE] [-f FOLDER] [NAME...]
 *
 * In a file in FOLDER (the current one), a new one for each round:
 *
 *   sync       4 KiB of a file are written over and fdatasync is called, one after the other, without any library:
 *              the best that somebody alone can reach on this disk
 *   one        promises with a value of 128 bytes are resolved by one process, each when the one before is on the disk
 *   hundred    a hundred processes do so at a time
 *   async      one process resolves with cop_durable_resolve_async and keeps 256 of them outstanding
 *   random     the same, but ids and their order are random: each is in another page of the file
 *   recover    all pending promises are handed to a function (cop_durable_recover_all)
 *
 * All but those of `random` are resolved roughly in the order in which they were created, as most are in life.
 *
 * Figures are per second: medians of the rounds, with the smallest and the largest. What a disk calls on the disk
 * is its own affair; so the column behind them, how many there are in the time of a sync, says more about the
 * library. The last is how long it took for one, at most, for 99 of a hundred.
 */
#include <coppice-sqlite.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUNDS_MOST = 99,
    RESOLVERS = 100,
    OUTSTANDING = 256,
    VALUE_SIZE = 128,
    BLOCK = 4096,
    BLOCKS = 256,
};

static struct {
    char file[256];
    double scale;
    cop_pid store;
    cop_time *took; /* each transition; NULL: nobody looks */
    int taken;
    bool is_random;
} bench = {.scale = 1};

static void
must(const char *what, int r)
{
    if (r) {
        (void)fprintf(stderr, "bench-durable: %s: %s: %s\n", bench.file, what, cop_strerror(r));
        exit(1); /* NOLINT(concurrency-mt-unsafe): there is nothing to be saved */
    }
}

static int
scaled(int count)
{
    int each = (int)(count * bench.scale) / RESOLVERS;
    return each < 1 ? RESOLVERS : each * RESOLVERS;
}

static double
per_second(int count, cop_time begin)
{
    return count / ((double)(cop_now() - begin) / 1e9);
}

static void
took(cop_time since)
{
    bench.took[bench.taken++] = cop_now() - since;
}

/* ---------------------------------------------------------------- the disk */

static double
syncs(void)
{
    static const char block[BLOCK];
    int count = scaled(2000);
    int fd = open(bench.file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    must("open", fd < 0 ? -errno : 0);
    for (int i = 0; i < BLOCKS; i++) {
        must("write", write(fd, block, sizeof block) == BLOCK ? 0 : -EIO);
    }
    must("fsync", fsync(fd) ? -errno : 0);
    cop_time begin = cop_now();
    for (int i = 0; i < count; i++) {
        cop_time since = cop_now();
        must("write", pwrite(fd, block, sizeof block, i % BLOCKS * BLOCK) == BLOCK ? 0 : -EIO);
        must("fdatasync", fdatasync(fd) ? -errno : 0);
        took(since);
    }
    double rate = per_second(count, begin);
    close(fd);
    return rate;
}

/* ---------------------------------------------------------------- by whom */

static const char value[VALUE_SIZE];

static void
name_of(int number, char name[24])
{
    if (bench.is_random) {
        (void)snprintf(name, 24, "%08x-promise", (unsigned)number * 2654435761U);
    } else {
        (void)snprintf(name, 24, "promise-%07d", number);
    }
}

static cop_future *
create(int number)
{
    char name[24];
    name_of(number, name);
    return cop_durable_create_async(bench.store, name);
}

static cop_future *
resolve_async(int number)
{
    char name[24];
    name_of(number, name);
    return cop_durable_resolve_async(bench.store, name, COP_BYTES(value));
}

static void
resolve(int number)
{
    char name[24];
    name_of(number, name);
    must("resolve", cop_durable_resolve(bench.store, name, COP_BYTES(value)));
}

static void
finish(cop_future *future)
{
    must("await", cop_await(future, NULL, 0, COP_FOREVER));
    cop_future_release(future);
}

/* As many as there are, with so many of them outstanding. */
static void
keep_outstanding(int count, cop_future *(*begin)(int number))
{
    cop_future *futures[OUTSTANDING];
    cop_time since[OUTSTANDING];
    for (int i = 0; i < count + OUTSTANDING; i++) {
        int place = i % OUTSTANDING;
        if (i >= OUTSTANDING && i - OUTSTANDING < count) {
            finish(futures[place]);
            took(since[place]);
        }
        if (i < count) {
            since[place] = cop_now();
            futures[place] = begin(i);
        }
    }
}

static void
create_all(int count)
{
    keep_outstanding(count, create);
    bench.taken = 0;
}

struct share {
    int first, count;
};

/* Every hundredth. */
static int
resolve_share(cop_bytes arg, void *unused)
{
    (void)unused;
    const struct share *share = arg.data;
    for (int i = share->first; i < share->count; i += RESOLVERS) {
        resolve(i);
    }
    return 0;
}

/* ---------------------------------------------------------------- the store */

static double
one_at_a_time(void)
{
    int count = scaled(4000);
    create_all(count);
    cop_time begin = cop_now();
    for (int i = 0; i < count; i++) {
        cop_time since = cop_now();
        resolve(i);
        took(since);
    }
    return per_second(count, begin);
}

static double
hundred_at_a_time(void)
{
    int count = scaled(40000);
    cop_future *resolvers[RESOLVERS];
    create_all(count);
    cop_time begin = cop_now();
    for (int i = 0; i < RESOLVERS; i++) {
        struct share share = {.first = i, .count = count};
        resolvers[i] = cop_async(resolve_share, .arg = COP_BYTES(share));
    }
    for (int i = 0; i < RESOLVERS; i++) {
        finish(resolvers[i]);
    }
    return per_second(count, begin);
}

static double
outstanding(void)
{
    int count = scaled(100000);
    create_all(count);
    cop_time begin = cop_now();
    keep_outstanding(count, resolve_async);
    return per_second(count, begin);
}

static double
outstanding_at_random(void)
{
    bench.is_random = true;
    double rate = outstanding();
    bench.is_random = false;
    return rate;
}

static int
count_one(const cop_durable_record *record, void *count)
{
    (void)record;
    ++*(int *)count;
    return 0;
}

static double
recovered(void)
{
    int count = scaled(100000), found = 0;
    create_all(count);
    cop_time begin = cop_now();
    must("recover_all", cop_durable_recover_all(bench.store, count_one, &found));
    must("their number", found == count ? 0 : -EIO);
    return per_second(count, begin);
}

/* ---------------------------------------------------------------- what is told */

static const struct measure {
    const char *name, *what;
    double (*run)(void);
    bool has_store;
} measures[] = {
    {"sync", "4 KiB written over, fdatasync", syncs, false},
    {"one", "resolved one at a time", one_at_a_time, true},
    {"hundred", "resolved by a hundred processes", hundred_at_a_time, true},
    {"async", "resolved, 256 of them outstanding", outstanding, true},
    {"random", "the same in random order", outstanding_at_random, true},
    {"recover", "pending, handed out", recovered, true},
};
enum {
    MEASURES = sizeof measures / sizeof *measures
};

static void
remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-coppice"};
    char path[300];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(path, sizeof path, "%s%s", bench.file, suffixes[i]);
        unlink(path);
    }
}

static double
run(const struct measure *measure)
{
    bench.taken = 0;
    remove_files();
    if (measure->has_store) {
        must("start", cop_sqlite_start(&bench.store, bench.file));
    }
    double rate = measure->run();
    if (measure->has_store) {
        must("stop", cop_stop_process(bench.store, COP_REASON_SHUTDOWN, COP_FOREVER));
    }
    remove_files();
    return rate;
}

static int
compare_rates(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static int
compare_times(const void *left, const void *right)
{
    const cop_time *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* The last round's. */
static void
print_99_of_100(void)
{
    if (bench.taken > 0) {
        int last = bench.taken * 99 / 100;
        qsort(bench.took, (size_t)bench.taken, sizeof *bench.took, compare_times);
        printf(" %9.2f ms", (double)bench.took[last] / 1e6);
    }
    printf("\n");
    (void)fflush(stdout);
}

/* The median. */
static double
measure(const struct measure *it, int rounds, double per_sync)
{
    double rates[ROUNDS_MOST];
    for (int round = 0; round < rounds; round++) {
        rates[round] = run(it);
    }
    qsort(rates, (size_t)rounds, sizeof *rates, compare_rates);
    double median = rates[rounds / 2];
    printf("%-8s %-34s %9.0f  (%.0f - %.0f) %9.2f", it->name, it->what, median, rates[0],
           rates[rounds - 1], per_sync > 0 ? median / per_sync : 1);
    print_99_of_100();
    return median;
}

/* The names, if there are any. */
static bool
is_wanted(const char *name, char **names)
{
    for (char **one = names; *one; one++) {
        if (strcmp(*one, name) == 0) {
            return true;
        }
    }
    return !*names;
}

static void
measure_all(int rounds, char **names)
{
    double medians[MEASURES] = {0};
    printf("%-43s per second %18s %8s %12s\n", "", "(least - most)", "per sync", "99 of 100");
    for (size_t i = 0; i < MEASURES; i++) {
        if (is_wanted(measures[i].name, names)) {
            medians[i] = measure(&measures[i], rounds, medians[0]);
        }
    }
    if (medians[1] > 0 && medians[2] > 0) {
        printf("a hundred at a time: %.1f times as many as one at a time\n",
               medians[2] / medians[1]);
    }
}

int
main(int argc, char **argv)
{
    int rounds = 3, option;
    const char *folder = ".";
    while ((option = getopt(argc, argv, "n:s:f:")) != -1) { /* NOLINT(concurrency-mt-unsafe) */
        switch (option) {
        case 'n':
            rounds = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            bench.scale = strtod(optarg, NULL);
            break;
        case 'f':
            folder = optarg;
            break;
        default:
            return 2;
        }
    }
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    (void)snprintf(bench.file, sizeof bench.file, "%s/bench-durable.%d", folder, (int)getpid());
    bench.took = calloc((size_t)scaled(100000), sizeof *bench.took);
    must("memory", bench.took ? 0 : -ENOMEM);
    measure_all(rounds, argv + optind);
    free(bench.took);
    return 0;
}
