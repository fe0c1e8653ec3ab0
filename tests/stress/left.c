/*
 * tests/stress/left.c - whether anything is left behind that was not there before.
 *
 * Room: tests/. A thread that the library did not start.
 */
#include "tests/stress/left.h"

#include "runtime/process.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static unsigned
count_entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    while (directory && readdir(directory)) { /* NOLINT(concurrency-mt-unsafe): its own directory */
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

static void
look(struct left *out)
{
    out->threads = count_entries("/proc/self/task");
    out->descriptors = count_entries("/proc/self/fd");
    out->kinds = cop_live(out->live, LEFT_KINDS);
}

#if defined(__SANITIZE_THREAD__)
static void *
do_nothing(void *unused)
{
    return unused;
}
#endif

/* A sanitizer has a thread of its own from the program's first one on. */
static void
let_sanitizer_start(void)
{
#if defined(__SANITIZE_THREAD__)
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 10000000},
                  NULL); /* it may be listed a moment longer */
    }
#endif
}

void
left_look_first(struct left *out)
{
    let_sanitizer_start();
    look(out);
}

/* What was sent to this thread is nobody's. */
static void
let_go_of_mail(void)
{
    cop_msg msg;
    while (copi_here.process && cop_receive(&msg, 0) == 0) {
    }
}

/* All that differs, in words; empty: nothing. */
static void
compare(const struct left *before, const struct left *now, size_t kept, char *words, size_t size)
{
    size_t length = 0;
    unsigned own = copi_here.process && copi_here.process->parker.wake_fd >= 0;
    words[0] = '\0';
    if (now->threads != before->threads) {
        length += (size_t)snprintf(words, size, " %u threads instead of %u;", now->threads,
                                   before->threads);
    }
    if (now->descriptors != before->descriptors + own && length < size) {
        length += (size_t)snprintf(words + length, size - length, " %u descriptors instead of %u;",
                                   now->descriptors, before->descriptors + own);
    }
    for (size_t i = 0; i < before->kinds && length < size; i++) {
        bool is_this_thread = strcmp(now->live[i].kind, "processes") == 0 && copi_here.process;
        size_t wanted = before->live[i].count + is_this_thread;
        size_t more = strcmp(now->live[i].kind, "messages") == 0 ? kept : 0;
        if (now->live[i].count < wanted || now->live[i].count > wanted + more) {
            length += (size_t)snprintf(words + length, size - length, " %zu %s instead of %zu;",
                                       now->live[i].count, now->live[i].kind, wanted);
        }
    }
}

bool
left_nothing(const struct left *before, size_t kept, cop_time patience, char *words, size_t size)
{
    struct left now;
    cop_time until = cop_now() + patience;
    for (;;) {
        let_go_of_mail();
        cop_trim();
        look(&now);
        compare(before, &now, kept, words, size);
        if (words[0] == '\0' || cop_now() >= until) {
            return words[0] == '\0';
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}
