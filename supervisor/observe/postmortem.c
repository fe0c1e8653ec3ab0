/*
 * supervisor/observe/postmortem.c - the program coppice-postmortem: a flight recorder's file in words.
 *
 * Room: supervisor/observe/. A program of its own.
 * Touch freely: the words.
 *
 * First what program it was and what has become of it, then the tree as it was, then the last seconds of
 * all processes, in the order of their times, so that the end of the output is the end of the program.
 */
#include "supervisor/observe/postmortem_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    STATUS_USAGE = 2,
    USUAL_SECONDS = 10,
};

struct command {
    const char *path, *whom; /* NULL: all of them */
    double seconds;          /* 0: all that there is */
};

/* ---------------------------------------------------------------- what it was */

enum {
    STAMP_SIZE = 40
};

static const char *
stamp(cop_time wall, char out[STAMP_SIZE])
{
    time_t seconds = (time_t)(wall / COP_SEC(1));
    struct tm parts;
    size_t used = gmtime_r(&seconds, &parts) ? strftime(out, STAMP_SIZE, "%F %T", &parts) : 0;
    (void)snprintf(out + used, STAMP_SIZE - used, ".%03d UTC",
                   (int)(wall % COP_SEC(1) / COP_MS(1)));
    return out;
}

static const char *
fate(const struct recording *recording)
{
    if (recording->is_live) {
        return "The program runs still.";
    }
    return recording->head.ended ? "The program has ended everything in order (cop_shutdown)."
                                 : "The program has ended without cop_shutdown: it was killed, has "
                                   "crashed, or has just returned.";
}

static size_t
count_living(const struct recording *recording)
{
    size_t count = 0;
    for (size_t i = 0; i < recording->count; i++) {
        count += actor_lived(&recording->actors[i]);
    }
    return count;
}

static void
print_head(const struct recording *recording)
{
    const struct copi_recording_head *head = &recording->head;
    char from[STAMP_SIZE], to[STAMP_SIZE];
    printf("%s, process %u, coppice %s\n", head->program, head->process, head->coppice);
    printf("Recorded from %s to %s, %.3f s. %s\n", stamp(head->wall, from),
           stamp(recording->last_wall, to),
           (double)(recording->last - head->time) / (double)COP_SEC(1), fate(recording));
    printf("Of %zu processes records are left, %zu of them lived.\n", recording->count,
           count_living(recording));
    if (head->reused > 0) {
        printf("Of %" PRIu64 " that ended before, none are: others got their rings.\n",
               (uint64_t)head->reused);
    }
    if (head->unrecorded > 0) {
        printf("%" PRIu64 " were not recorded: there were more at once than rings (%u).\n",
               (uint64_t)head->unrecorded, head->rings);
    }
    if (recording->missing > 0) {
        printf("The file is cut short: %zu rings are missing.\n", recording->missing);
    }
}

/* ---------------------------------------------------------------- what happened */

struct event {
    const cop_record *record;
    const struct actor *actor;
};

/* What one process has done stays in its order, whatever the clock says: they lie in one array. */
static int
by_time(const void *a, const void *b)
{
    const struct event *one = a, *other = b;
    if (one->record->when != other->record->when) {
        return one->record->when < other->record->when ? -1 : 1;
    }
    return one->record < other->record ? -1 : one->record > other->record;
}

static bool
is_meant(const struct recording *recording, const struct command *command,
         const struct actor *actor)
{
    char name[ACTOR_NAME_SIZE];
    const char *whom = command->whom;
    if (!whom) {
        return true;
    }
    const char *full = recording_name(recording, actor->pid, name);
    return strcmp(whom, actor->name) == 0 || strcmp(whom, actor->label) == 0
           || strcmp(whom, full) == 0 || strcmp(whom, strchr(full, '<')) == 0;
}

static size_t
collect(const struct recording *recording, const struct command *command, struct event *events)
{
    double since = (double)recording->last - command->seconds * (double)COP_SEC(1);
    size_t count = 0;
    for (size_t i = 0; i < recording->count; i++) {
        const struct actor *actor = &recording->actors[i];
        for (size_t j = 0; is_meant(recording, command, actor) && j < actor->count; j++) {
            if (command->seconds <= 0 || (double)actor->records[j].when >= since) {
                events[count++] = (struct event){&actor->records[j], actor};
            }
        }
    }
    qsort(events, count, sizeof *events, by_time);
    return count;
}

static void
print_event(const struct recording *recording, const struct event *event)
{
    char name[ACTOR_NAME_SIZE], words[2 * STATE_SIZE];
    double before = (double)(event->record->when - recording->last) / (double)COP_SEC(1);
    printf("%+13.6f  %-20s  %s\n", before, recording_name(recording, event->actor->pid, name),
           recording_string(recording, event->record, words, sizeof words));
}

static size_t
count_records(const struct recording *recording)
{
    size_t count = 0;
    for (size_t i = 0; i < recording->count; i++) {
        count += recording->actors[i].count;
    }
    return count;
}

static int
print_events(const struct recording *recording, const struct command *command)
{
    struct event *events = calloc(count_records(recording) + 1, sizeof *events);
    if (!events) {
        return -ENOMEM;
    }
    size_t count = collect(recording, command, events);
    for (size_t i = 0; i < count; i++) {
        print_event(recording, &events[i]);
    }
    free(events);
    return 0;
}

/* ---------------------------------------------------------------- one, or all */

/* How many processes are meant. */
static size_t
print_states(const struct recording *recording, const struct command *command)
{
    size_t count = 0;
    for (size_t i = 0; i < recording->count; i++) {
        const struct actor *actor = &recording->actors[i];
        if (is_meant(recording, command, actor)) {
            char name[ACTOR_NAME_SIZE], state[STATE_SIZE];
            printf("  %s %s: %s\n", actor->kind, recording_name(recording, actor->pid, name),
                   actor_lived(actor) ? actor_state(recording, actor, state) : "has ended");
            count++;
        }
    }
    return count;
}

static int
print_all(const struct recording *recording, const struct command *command)
{
    print_head(recording);
    printf("\nAs it was at the last record:\n");
    int r = tree_print(recording, stdout);
    if (command->seconds > 0) {
        printf("\nThe last %g s, counted back from the last record:\n", command->seconds);
    } else {
        printf("\nAll that is left, counted back from the last record:\n");
    }
    return r ? r : print_events(recording, command);
}

static int
print_whom(const struct recording *recording, const struct command *command)
{
    if (print_states(recording, command) == 0) {
        (void)fprintf(stderr, "coppice-postmortem: nobody of that name is in it: %s\n",
                      command->whom);
        return -ESRCH;
    }
    return print_events(recording, command);
}

/* ---------------------------------------------------------------- the command line */

static int
usage(FILE *out, int status)
{
    (void)fprintf(
        out,
        "usage: coppice-postmortem [-s SECONDS] [-p WHOM] FILE\n"
        "Says what the processes of a program did last: FILE is what its flight recorder has\n"
        "written (COPPICE_RECORDER=FILE); the program may be gone, or run still.\n\n"
        "  -s SECONDS   so many before the last record; 0: all that there is. Usually %d\n"
        "  -p WHOM      only this process, and all of it: its name, its label, or <7.1>\n",
        USUAL_SECONDS);
    return status;
}

/* false: it is no number of seconds. */
static bool
take_seconds(struct command *command, const char *text)
{
    char *end;
    command->seconds = text ? strtod(text, &end) : -1;
    return text && end != text && *end == '\0' && command->seconds >= 0 && command->seconds < 1e9;
}

static bool
take(struct command *command, char **argv)
{
    bool has_seconds = false;
    for (int i = 1; argv[i]; i++) {
        if (strcmp(argv[i], "-s") == 0) {
            has_seconds = true;
            if (!take_seconds(command, argv[++i])) {
                return false;
            }
        } else if (strcmp(argv[i], "-p") == 0 && argv[i + 1]) {
            command->whom = argv[++i];
        } else if (argv[i][0] == '-' || command->path) {
            return false;
        } else {
            command->path = argv[i];
        }
    }
    if (command->whom && !has_seconds) {
        command->seconds = 0;
    }
    return command->path != NULL;
}

static int
show(const struct command *command)
{
    struct recording recording;
    char why[WHY_SIZE];
    int r = recording_read(command->path, &recording, why);
    if (r == 0) {
        r = command->whom ? print_whom(&recording, command) : print_all(&recording, command);
        recording_free(&recording);
    } else {
        const char *what =
            why[0] ? why : strerror(-r); /* NOLINT(concurrency-mt-unsafe): one thread */
        (void)fprintf(stderr, "coppice-postmortem: %s: %s\n", command->path, what);
    }
    if (fflush(stdout) != 0 && r == 0) {
        perror("coppice-postmortem");
        r = -EIO;
    }
    return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct command command = {.seconds = USUAL_SECONDS};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(stdout, EXIT_SUCCESS);
    }
    return take(&command, argv) ? show(&command) : usage(stderr, STATUS_USAGE);
}
