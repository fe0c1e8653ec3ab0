/*
 * tests/bench/bench.c - one run of one bench: what it says, and what it checks.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include "tests/bench/count.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    const struct bench *bench;
    double scale;
    bool told[BENCH_FIGURES];
    FILE *results, *complaints; /* complaints: standard error, also when reports are silenced */
    int64_t too_many;           /* what bench_miscount adds */
} run;

/* ---------------------------------------------------------------- what it says */

static void __attribute__((noreturn)) fail(const char *what)
{
    (void)fprintf(run.complaints, "bench: %s: %s\n", run.bench->name, what);
    (void)fflush(run.complaints);
    _exit(EXIT_FAILURE);
}

static const struct bench_figure *
to_tell(const char *name)
{
    for (size_t i = 0; i < BENCH_FIGURES && run.bench->figures[i].name; i++) {
        if (strcmp(run.bench->figures[i].name, name) == 0 && !run.told[i]) {
            run.told[i] = true;
            return &run.bench->figures[i];
        }
    }
    fail("a figure that it should not tell");
}

static void
tell(const char *name, const char *unit, double value)
{
    (void)fprintf(run.results,
                  "{\"bench\":\"%s\",\"peer\":\"coppice\",\"unit\":\"%s\",\"value\":%.2f}\n", name,
                  unit, value);
}

void
bench_result(const char *figure, double value)
{
    const struct bench_figure *it = to_tell(figure);
    tell(it->name, it->unit, value);
}

void
bench_result_per(const char *figure, cop_time wall, int64_t operations)
{
    bench_result(figure, (double)wall / (double)operations);
}

static void
check_that_all_is_told(void)
{
    for (size_t i = 0; i < BENCH_FIGURES && run.bench->figures[i].name; i++) {
        if (!run.told[i]) {
            fail("a figure is missing");
        }
    }
}

/* There are actors everywhere, and nothing to wait for. */
static void __attribute__((noreturn)) give_up(const char *why)
{
    for (size_t i = 0; i < BENCH_FIGURES && run.bench->figures[i].name; i++) {
        (void)fprintf(run.results,
                      "{\"bench\":\"%s\",\"peer\":\"coppice\",\"unit\":\"%s\",\"value\":null,"
                      "\"note\":\"%s\"}\n",
                      run.bench->figures[i].name, run.bench->figures[i].unit, why);
    }
    (void)fflush(run.results);
    _exit(EXIT_SUCCESS);
}

/* ---------------------------------------------------------------- what it checks */

void
bench_miscount(void)
{
    run.too_many = 1;
}

void
bench_check(const char *what, int64_t got, int64_t want)
{
    got += run.too_many;
    if (got != want) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s is %lld and should be %lld", what, (long long)got,
                       (long long)want);
        fail(text);
    }
}

void
bench_must(const char *what, int code)
{
    if (code != 0) {
        char text[400], why[sizeof((cop_reason *)NULL)->text];
        (void)snprintf(text, sizeof text, "%s failed: %s (%s)", what, cop_strerror(code),
                       cop_reason_string(cop_why(), why, sizeof why));
        fail(text);
    }
}

void
bench_must_start(const char *what, int code)
{
    if (code == -EAGAIN) {
        give_up("a thread for every actor: the system refuses more");
    }
    bench_must(what, code);
}

void
bench_must_fit(int64_t processes)
{
    char line[32] = "";
    FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
    if (file) {
        (void)!fgets(line, sizeof line, file);
        (void)fclose(file);
    }
    int64_t most = strtoll(line, NULL, 10);
    if (most > 0 && processes > most / 2) {
        char text[100];
        (void)snprintf(text, sizeof text, "a thread for every actor: kernel.pid_max is %lld",
                       (long long)most);
        give_up(text);
    }
}

/* ---------------------------------------------------------------- helpers */

int64_t
bench_count(int64_t base, double scale)
{
    int64_t count = (int64_t)((double)base * scale + 0.5);
    return count > 0 ? count : 1;
}

int64_t
bench_warmup(int64_t count)
{
    return count >= 10 ? count / 10 : 1;
}

cop_time
bench_begin(void)
{
    if (count_begin) {
        count_begin();
    }
    return cop_now();
}

cop_time
bench_end(cop_time begin, int64_t operations)
{
    cop_time wall = cop_now() - begin;
    if (count_end) {
        count_end(operations);
    }
    return wall;
}

void *
bench_array(size_t count, size_t size)
{
    void *array = calloc(count, size);
    if (!array) {
        fail("no memory for the samples");
    }
    return array;
}

static int
by_length(const void *a, const void *b)
{
    cop_time x = *(const cop_time *)a, y = *(const cop_time *)b;
    return (x > y) - (x < y);
}

double
bench_median(cop_time *times, int64_t count)
{
    qsort(times, (size_t)count, sizeof *times, by_length);
    size_t lower = (size_t)(count - 1) / 2, upper = (size_t)count / 2;
    return (double)(times[lower] + times[upper]) / 2;
}

cop_time
bench_percentile(cop_time *times, int64_t count, int percent)
{
    qsort(times, (size_t)count, sizeof *times, by_length);
    return times[(count * percent + 99) / 100 - 1];
}

/* As the peers do with theirs. */
void
bench_silence_reports(void)
{
    cop_log_set_level(COP_LOG_EMERGENCY);
}

/* ---------------------------------------------------------------- the run */

static int
client(cop_bytes unused)
{
    (void)unused;
    run.bench->run(run.scale);
    return 0;
}

static void
wait_for_client(void)
{
    cop_ref ended;
    cop_msg msg;
    bench_must("starting the client", cop_spawn(NULL, client, .name = "client", .monitor = &ended));
    bench_must("waiting for the client", cop_receive(&msg, COP_FOREVER));
    if (msg.tag != COP_MSG_DOWN || COP_BODY(msg, struct cop_down)->reason.kind != COP_NORMAL) {
        fail("the client has not ended normally");
    }
}

static void
tell_counter(const char *what, double count)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s:%s", run.bench->name, what);
    tell(name, "per_op", count);
}

static FILE *
stream_to(int file)
{
    int own = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *stream = own >= 0 ? fdopen(own, "w") : NULL;
    return stream ? stream : stderr;
}

void
bench_run(const struct bench *bench, double scale, int file)
{
    run.bench = bench;
    run.scale = scale;
    run.results = stream_to(file);
    run.complaints = stream_to(STDERR_FILENO);
    wait_for_client();
    check_that_all_is_told();
    if (count_tell) {
        count_tell(tell_counter);
    }
    bench_must("the shutdown", cop_shutdown(COP_SEC(60)));
    if (cop_disowned() != 0) {
        fail("threads had to be disowned");
    }
    if (fclose(run.results) != 0) {
        fail("the results cannot be written");
    }
    (void)fclose(run.complaints);
}
