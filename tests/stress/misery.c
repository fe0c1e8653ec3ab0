/*
 * tests/stress/misery.c - a program on a machine that treats it badly: `misery KIND PROGRAM [ARGUMENT…]`.
 *
 * Room: tests/. Knows nothing of the library: it runs any program, and ends as that does.
 *
 *   threads    some of its threads, others each time, stand still for 1 to 300 ms, and the rest goes on
 *   programs   it and all that it has started stand still together for 20 to 300 ms, as in a machine that is moved
 *   starved    some of its threads get the processor only while nobody else wants it
 *   core       it has one core, and two others want that, too
 *
 * What is asked of a test is that it knows nothing of time but that it passes: all of this happens to programs,
 * on a machine with many others, and no order of two threads, no "within 20 ms" and no "not yet" survives it.
 *
 * A thread is held by ptrace, from here: so what is traced already is left alone, and what wants to trace itself,
 * as the leak checker does at the end, fails. What a program starts is found by its session.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST = 4096,
    RIVALS = 2,
};

struct list {
    pid_t ids[MOST];
    size_t count;
};

static pid_t program;
static volatile sig_atomic_t is_over;

static void
note_end(int signal)
{
    (void)signal;
    is_over = 1;
}

static bool
chance(double of_one)
{
    return drand48() < of_one;
}

static void
rest(double from_ms, double to_ms)
{
    double ms = from_ms + drand48() * (to_ms - from_ms);
    time_t seconds = (time_t)(ms / 1000);
    nanosleep(&(struct timespec){seconds, (long)((ms - (double)seconds * 1000) * 1e6)}, NULL);
}

/* ---------------------------------------------------------------- whom it meets */

/* 0: it is gone, or stands still already. */
static int
session_of(pid_t pid)
{
    char path[64], text[512], state;
    int parent, group, session;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    const char *end = strrchr(text, ')'); /* of its name, which may be anything */
    int count = 0;
    if (end) { /* NOLINTNEXTLINE(cert-err34-c): the kernel's */
        count = sscanf(end + 1, " %c %d %d %d", &state, &parent, &group, &session);
    }
    return count == 4 && !strchr("ZTt", state) ? session : 0;
}

/* The numbers in a folder, each with a chance. */
static void
add_numbers(struct list *list, const char *folder, double share)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory)) && list->count < MOST) {
        pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);
        if (id > 0 && chance(share)) {
            list->ids[list->count++] = id;
        }
    }
    if (directory) {
        closedir(directory);
    }
}

static void
find_programs(struct list *out)
{
    size_t ours = 0;
    out->count = 0;
    add_numbers(out, "/proc", 1);
    for (size_t i = 0; i < out->count; i++) {
        if (session_of(out->ids[i]) == program) {
            out->ids[ours++] = out->ids[i];
        }
    }
    out->count = ours;
}

/* Of all but the program itself, which only runs the tests. */
static void
find_threads(struct list *out, double share)
{
    static struct list programs;
    find_programs(&programs);
    out->count = 0;
    for (size_t i = 0; i < programs.count; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/%d/task", (int)programs.ids[i]);
        if (programs.ids[i] != program) {
            add_numbers(out, path, share);
        }
    }
}

/* ---------------------------------------------------------------- what it meets */

static bool
hold(pid_t thread)
{
    return ptrace(PTRACE_SEIZE, thread, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0;
}

/* It may have ended, or have been about to handle a signal, which it gets. */
static void
let_go(pid_t thread)
{
    for (int tries = 0; tries < 20000; tries++) {
        int status;
        pid_t known = waitpid(thread, &status, __WALL | WNOHANG);
        if (known == 0) {
            rest(0.5, 0.5);
            continue;
        }
        bool is_stop = known > 0 && WIFSTOPPED(status);
        long signal = is_stop && status >> 16 == 0 ? WSTOPSIG(status) : 0;
        if (!is_stop || ptrace(PTRACE_DETACH, thread, 0, signal) == 0) {
            return;
        }
    }
}

static void
hold_threads(void)
{
    static struct list threads, held;
    find_threads(&threads, 0.35);
    held.count = 0;
    for (size_t i = 0; i < threads.count; i++) {
        if (hold(threads.ids[i])) {
            held.ids[held.count++] = threads.ids[i];
        }
    }
    rest(1, 300);
    while (held.count
           > 0) { /* the end of a program's first thread is told after that of the others */
        let_go(held.ids[--held.count]);
    }
    rest(0.5, 75);
}

static void
send_all(const struct list *programs, int signal)
{
    for (size_t i = 0; i < programs->count; i++) {
        kill(programs->ids[i], signal);
    }
}

static void
stop_programs(void)
{
    static struct list programs;
    find_programs(&programs);
    send_all(&programs, SIGSTOP);
    rest(20, 300);
    send_all(&programs, SIGCONT);
    rest(50, 500);
}

static void
schedule(const struct list *threads, int policy)
{
    for (size_t i = 0; i < threads->count; i++) {
        sched_setscheduler(threads->ids[i], policy, &(struct sched_param){0});
    }
}

static void
starve_threads(void)
{
    static struct list threads;
    find_threads(&threads, 0.4);
    schedule(&threads, SCHED_IDLE);
    rest(1, 300);
    schedule(&threads, SCHED_OTHER);
    rest(0, 50);
}

static void
wait_a_little(void)
{
    rest(20, 20);
}

/* ---------------------------------------------------------------- the program */

static void
share_a_core(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    for (int i = 0; i < RIVALS; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (volatile unsigned long turns = 0;; turns++) {
            }
        }
    }
}

static void
become(char **arguments)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    execv(arguments[0], arguments);
    perror(arguments[0]);
    _exit(127);
}

static const struct kind {
    const char *name;
    void (*prepare)(void);
    void (*once)(void);
} kinds[] = {
    {"threads", NULL, hold_threads},
    {"programs", NULL, stop_programs},
    {"starved", NULL, starve_threads},
    {"core", share_a_core, wait_a_little},
};

static const struct kind *
find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Nothing of it survives whoever ends this. */
static int
give_up(void)
{
    static struct list programs;
    find_programs(&programs);
    send_all(&programs, SIGKILL);
    kill(program, SIGKILL);
    return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    const struct kind *kind = argc > 2 ? find_kind(argv[1]) : NULL;
    if (!kind) {
        (void)fprintf(stderr, "usage: misery threads|programs|starved|core PROGRAM [ARGUMENT…]\n");
        return 2;
    }
    srand48(getpid() * 7919L + time(NULL));
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = note_end}, NULL);
    if (kind->prepare) {
        kind->prepare();
    }
    program = fork();
    if (program == 0) {
        become(argv + 2);
    }
    int status = 0;
    pid_t ended = program < 0 ? -1 : 0;
    while (ended == 0 && !is_over) {
        kind->once();
        ended = waitpid(program, &status, WNOHANG);
    }
    if (ended != program) {
        return ended < 0 ? EXIT_FAILURE : give_up();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
