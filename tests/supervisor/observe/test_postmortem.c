/*
 * tests/supervisor/observe/test_postmortem.c - what coppice-postmortem says of real programs.
 *
 * Room: tests/.
 */
#include "tests/supervisor/observe/recordings.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    PUT = 1,
    HANG,
    CRASH,
};

/* ---------------------------------------------------------------- a program */

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    if (request.tag == CRASH) {
        cop_exit(cop_failed(-EIO, "the disk has gone"));
    }
    if (request.tag == HANG) {
        for (;;) {
            pause(); /* for good, and where nobody sees it */
        }
    }
    return cop_reply(from, COP_TAG(0));
}

static const cop_genserver store = {.type = "store", .handle_call = handle_call};

static int ready[2];

/* It says when it waits for an answer that will not come. */
static int
use_store(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        cop_call(cop_named("store"), COP_TAG(PUT), NULL, 0, COP_SEC(10));
    }
    cop_call(cop_named("store"), COP_TAG(CRASH), NULL, 0, COP_SEC(10));
    while (cop_call(cop_named("store"), COP_TAG(PUT), NULL, 0, COP_SEC(10)) != 0) {
        cop_sleep(COP_MS(1));
    }
    if (write(ready[1], "", 1) != 1) {
        return -EIO;
    }
    return cop_call(cop_named("store"), COP_TAG(HANG), NULL, 0, COP_FOREVER);
}

static void
be_a_program(void)
{
    cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = path});
    cop_tag_name(PUT, "put");
    cop_tag_name(HANG, "hang");
    if (!freopen("/dev/null", "w", stderr)) {
        _exit(2);
    }
    _exit(cop_run(
        &(cop_supervisor_spec){.name = "top",
                               COP_CHILDREN({.id = "store", .name = "store", .genserver = &store},
                                            {.id = "user", .name = "user", .worker = use_store})}));
}

static pid_t
start(void)
{
    char byte;
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        be_a_program();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void
end(pid_t child, int signal)
{
    kill(child, signal);
    waitpid(child, NULL, 0);
}

/* ---------------------------------------------------------------- the tool */

static char said[1 << 16];

/* Its exit status; what it has written, errors too, is in `said`. */
static int
ask(const char *arguments)
{
    char command[300];
    const char *build = getenv("BUILD");
    snprintf(command, sizeof command, "%s/coppice-postmortem %s %s 2>&1", build ? build : "build",
             arguments, path);
    FILE *from = popen(command, "re");
    size_t length = fread(said, 1, sizeof said - 1, from);
    said[length] = '\0';
    return WEXITSTATUS(pclose(from));
}

static void
says(const char *part)
{
    ck_assert_msg(strstr(said, part), "\"%s\" is not in:\n%s", part, said);
}

static const char *
place_of(const char *part)
{
    says(part);
    return strstr(said, part);
}

/* Until the tool sees it: the process writes when it gets to it. */
static void
says_soon(const char *part)
{
    EVENTUALLY(ask("") == 0 && strstr(said, part));
}

/* ---------------------------------------------------------------- tests */

TEST(who_asks_wrongly_is_told_how_to_ask)
{
    snprintf(path, sizeof path, "nothing");
    ck_assert_int_eq(ask("--nonsense"), 2);
    says("usage:");
    ck_assert_int_eq(ask("-s"), 2);
    ck_assert_int_eq(ask("-s x"), 2);
    ck_assert_int_eq(ask("-s -1"), 2);
    ck_assert_int_eq(ask("more"), 2);
    path[0] = '\0';
    ck_assert_int_eq(ask(""), 2);
    ck_assert_int_eq(ask("--help"), 0);
    says("usage:");
}

TEST(what_is_no_recording_is_one_line_and_a_status)
{
    name_file();
    ck_assert_int_eq(ask(""), 1);
    says("No such file");
    write_bytes("some text", 9);
    ck_assert_int_eq(ask(""), 1);
    says("not a recording");
    ck_assert_uint_eq(test_count(said, "\n"), 1);
}

TEST(after_a_kill_the_last_seconds_and_the_tree_are_there)
{
    name_file();
    pid_t child = start();
    says_soon("in handle_call: call hang");
    end(child, SIGKILL);
    ck_assert_int_eq(ask(""), 0);
    says("ended without cop_shutdown");
    says("supervisor top<");
    const char *tree = place_of("As it was");
    const char *events = place_of("The last 10 s");
    const char *waits = place_of("waits in call for store<");
    ck_assert(tree < waits && waits < events);
    const char *put = place_of("call put from user<");
    const char *ends = place_of("ends: the disk has gone");
    const char *ended = strstr(ends, "child store store<");
    const char *again = place_of("is to be restarted");
    const char *hang = strstr(again, "call hang from user<");
    ck_assert(events < put && put < ends && ends < ended && ended < again && again < hang);
    says(": reply, ");
}

TEST(one_process_is_shown_alone_by_its_name_its_label_or_its_pid)
{
    name_file();
    pid_t child = start();
    says_soon("in handle_call: call hang");
    end(child, SIGKILL);
    ck_assert_int_eq(ask("-p user"), 0);
    says("waits in call for store<");
    ck_assert_ptr_null(strstr(said, "is to be restarted"));
    ck_assert_int_eq(ask("-p store"), 0);
    ck_assert_uint_eq(test_count(said, "genserver store<"), 2); /* the one that ended, too */
    says("has ended");
    ck_assert_int_eq(ask("-p '<2.1>'"), 0);
    ck_assert_int_eq(ask("-p nobody"), 1);
    says("nobody of that name");
}

TEST(a_program_that_runs_can_be_looked_at_as_well)
{
    name_file();
    pid_t child = start();
    says_soon("in handle_call: call hang");
    says("The program runs still.");
    end(child, SIGKILL);
    ck_assert_int_eq(ask(""), 0);
    ck_assert_ptr_null(strstr(said, "runs still"));
}

TEST(an_end_in_order_is_seen)
{
    name_file();
    pid_t child = fork();
    if (child == 0) {
        cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = path});
        cop_pid pid;
        cop_genserver_start(&pid, &store, .name = "store");
        _exit(cop_shutdown(SOON) == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(ask("-s 0"), 0);
    says("in order (cop_shutdown)");
    says("All that is left");
    says("ends: shutdown");
}

TEST(what_is_missing_is_told_and_what_was_at_the_same_time_stands_in_its_order)
{
    make();
    struct made_ring *ring = add_actor("actor", 1, 0);
    add_record(ring, COP_RECORD_CAST, 1000, 0, 11, 0, 0);
    for (uint32_t tag = 12; tag < 20; tag++) {
        add_record(ring, COP_RECORD_CAST, 2000, 0, tag, 0, 0);
    }
    add_actor("cut off", 2, 0);
    made.head.reused = 3;
    made.head.unrecorded = 4;
    write_bytes(&made, sizeof made - (RINGS - 1) * sizeof(struct made_ring));
    ck_assert_int_eq(ask("-s 0"), 0);
    says("Of 3 that ended before, none are: others got their rings.\n");
    says("4 were not recorded: there were more at once than rings (6).\n");
    says("The file is cut short: 1 rings are missing.\n");
    const char *before = place_of("cast 11");
    for (int tag = 12; tag < 20; tag++) {
        char words[16];
        (void)snprintf(words, sizeof words, "cast %d", tag);
        const char *at = place_of(words);
        ck_assert(before < at);
        before = at;
    }
}

TEST(what_cannot_be_written_has_failed)
{
    make();
    add_record(add_actor("actor", 1, 0), COP_RECORD_CAST, 1000, 0, 11, 0, 0);
    write_made();
    ck_assert_int_eq(ask("> /dev/full"), 1);
}

TEST(only_the_seconds_that_are_asked_for_are_shown)
{
    make();
    struct made_ring *ring = add_actor("actor", 1, 0);
    add_record(ring, COP_RECORD_CAST, 1000, 0, 11, 0, 0);
    add_record(ring, COP_RECORD_CAST, 5000, 0, 12, 0, COP_VERDICT_NOREPLY);
    add_record(ring, COP_RECORD_CAST, 6000, -1, 13, 0, 0);
    write_made();
    ck_assert_int_eq(ask("-s 2"), 0);
    ck_assert_ptr_null(strstr(said, "cast 11"));
    says("    -1.000000  actor<1.1>            cast 12: noreply");
    says("    +0.000000  actor<1.1>            cast 13\n");
    ck_assert_int_eq(ask("-s 0"), 0);
    says("cast 11");
    ck_assert_int_eq(ask("-p actor"), 0);
    says("cast 11");
}

SUITE("postmortem")
