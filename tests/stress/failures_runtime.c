/*
 * tests/stress/failures_runtime.c - processes, signals, names, timers, contexts, logs and records, while
 * something fails.
 *
 * Room: tests/. Uses the library as anybody would.
 */
#include "tests/stress/failures.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    NUMBER = 10,
    LAST,
    SUM,
};

static void
begin_and_end(void)
{
    cop_pid self = cop_self();
    MUST(self.id == 0 || cop_alive(self));
    (void)is_there(self.id);
    cop_trim();
}

/* ---------------------------------------------------------------- sending */

static int
count_what_comes(cop_bytes arg)
{
    cop_pid boss = *(const cop_pid *)arg.data;
    int last = 0, count = 0;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, PATIENCE)) == 0 && msg.tag != LAST) {
        int number = *COP_BODY(msg, int);
        must(number > last, "messages arrive in order");
        last = number;
        count++;
    }
    return r ? r : cop_send(boss, COP_MSG_OF(SUM, count));
}

/* Every message that was accepted arrives, also if those between were not. */
static void
send_many(void)
{
    enum {
        MANY = 40
    };
    cop_pid pid, self = cop_self();
    int sent = 0;
    cop_msg msg;
    char large[1000] = "";
    if (!is_there(self.id)
        || !went_well(cop_spawn(&pid, count_what_comes, .arg = COP_BYTES(self)))) {
        return;
    }
    for (int i = 1; i <= MANY; i++) {
        sent += went_well(cop_send(pid, COP_MSG_OF(NUMBER, i)));
        (void)cop_send(self, (cop_msg){.tag = NUMBER, .body = {large, (size_t)i * 25}});
    }
    INSIST(cop_send(pid, COP_TAG(LAST)));
    await_end(pid);
    while (cop_receive(&msg, 0) == 0) {
        must(msg.tag != SUM || *COP_BODY(msg, int) == sent, "what was accepted arrives");
    }
}

/* ---------------------------------------------------------------- links and monitors */

static int
wait_for_end(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0) {
    }
    return r;
}

static int
link_and_wait(cop_bytes arg)
{
    int r = cop_link(*(const cop_pid *)arg.data);
    return r ? r : wait_for_end((cop_bytes){0});
}

static bool
is_down(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == COP_MSG_DOWN;
}

/* The end of one is told to those who are linked to it or watch it. */
static void
watch_and_link(void)
{
    cop_pid a, b, c;
    cop_ref watch = {0};
    cop_msg msg;
    if (!went_well(cop_spawn(&a, wait_for_end, .monitor = &watch))) {
        return;
    }
    bool has_b = went_well(cop_spawn(&b, link_and_wait, .arg = COP_BYTES(a)));
    bool has_c = went_well(cop_spawn(&c, link_and_wait, .arg = COP_BYTES(a)));
    cop_ref second = cop_monitor(a);
    (void)is_there(second.id);
    INSIST(cop_exit_signal(a, cop_failed(-EIO, "as asked")));
    for (int i = 0; i < 1 + (second.id != 0); i++) {
        MUST(cop_receive_match(&msg, is_down, NULL, PATIENCE) == 0);
    }
    await_end(a);
    if (has_b) {
        await_end(b);
    }
    if (has_c) {
        await_end(c);
    }
}

/* ---------------------------------------------------------------- what does not listen */

static atomic_int is_stuck;

static int
sleep_in_the_system(cop_bytes unused)
{
    (void)unused;
    atomic_store(&is_stuck, 1);
    while (cop_cancelled() == 0) {
        pause(); /* until a signal comes, which acts when the library is next asked */
        cop_checkpoint();
    }
    return 0;
}

static void
interrupt_one(void)
{
    cop_pid pid;
    atomic_store(&is_stuck, 0);
    if (!went_well(cop_spawn(&pid, sleep_in_the_system))) {
        return;
    }
    while (!atomic_load(&is_stuck) && cop_alive(pid)) {
        pause_a_little();
    }
    INSIST(cop_exit_signal(pid, COP_REASON_KILLED));
    await_end(pid);
}

/* ---------------------------------------------------------------- a full mailbox */

static int
take_slowly(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r, last = 0;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0 && msg.tag != LAST) {
        int number = *COP_BODY(msg, int);
        must(number > last, "messages arrive in order");
        last = number;
        if (number % 4 == 0) {
            pause_a_little();
        }
    }
    return r;
}

static void
wait_for_room(void)
{
    cop_pid pid;
    if (!went_well(
            cop_spawn(&pid, take_slowly, .mailbox = {.limit = 2, .when_full = COP_FULL_BLOCK}))) {
        return;
    }
    for (int i = 1; i <= 12; i++) {
        (void)went_well(cop_send(pid, COP_MSG_OF(NUMBER, i)));
    }
    INSIST(cop_send(pid, COP_TAG(LAST)));
    await_end(pid);
}

/* ---------------------------------------------------------------- timers, contexts, names */

static bool
is_the_number(const cop_msg *msg, void *unused)
{
    (void)unused;
    return msg->tag == NUMBER;
}

static void
set_timers(void)
{
    cop_msg msg;
    cop_pid self = cop_self(), other;
    if (!is_there(self.id)) {
        return;
    }
    bool later = is_there(cop_send_after(self, COP_TAG(NUMBER), COP_MS(1)).id);
    cop_ref never = cop_send_after(self, COP_TAG(LAST), COP_SEC(1000));
    cop_ref interval = cop_send_interval(self, COP_TAG(SUM), COP_US(300));
    if (later) {
        MUST(cop_receive_match(&msg, is_the_number, NULL, PATIENCE) == 0);
    }
    if (is_there(never.id)) {
        MUST(cop_cancel_timer(never, NULL) == 0);
    }
    if (is_there(interval.id)) {
        MUST(cop_cancel_timer(interval, NULL) == 0);
    }
    if (went_well(cop_spawn(&other, wait_for_end))) {
        bool ends = is_there(cop_exit_after(other, COP_REASON_KILLED, COP_MS(1)).id);
        if (ends) {
            await_end(other);
        }
    }
}

static int
sleep_in_context(cop_bytes arg)
{
    cop_context *context = *(cop_context *const *)arg.data;
    int r = cop_context_enter(context);
    if (r) {
        return r;
    }
    r = cop_sleep(COP_FOREVER);
    must(r == -ECANCELED, "who sleeps in a context that is cancelled wakes up");
    return cop_context_leave(context);
}

static void
cancel_contexts(void)
{
    cop_pid pid;
    cop_context *context = cop_context_new(COP_FOREVER), *below = NULL;
    if (!is_there(context != NULL)) {
        return;
    }
    if (went_well(cop_context_enter(context))) {
        below = cop_context_new(COP_SEC(1000));
        (void)is_there(below != NULL);
        MUST(cop_context_leave(context) == 0);
    }
    cop_context *inner = below ? below : context;
    bool sleeps = went_well(cop_spawn(&pid, sleep_in_context, .arg = COP_BYTES(inner)));
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    if (sleeps) {
        await_end(pid);
    }
    cop_context_free(below);
    cop_context_free(context);
}

static int
have_names(cop_bytes unused)
{
    (void)unused;
    char name[24];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "name.%d", i);
        (void)went_well(cop_register(name, cop_self()));
        (void)cop_unregister(name);
    }
    int *number = cop_alloc(sizeof *number);
    (void)is_there(number != NULL);
    return wait_for_end((cop_bytes){0});
}

static void
use_names(void)
{
    cop_pid pid, other = COP_NOBODY;
    if (!went_well(cop_spawn(&pid, have_names, .name = "first"))) {
        return;
    }
    MUST(cop_pid_eq(cop_whereis("first"), pid));
    int r = cop_spawn(&other, wait_for_end, .name = "first");
    MUST(r < 0);
    INSIST(cop_exit_signal(pid, COP_REASON_KILLED));
    await_end(pid);
    MUST(cop_whereis("first").id == 0);
}

/* ---------------------------------------------------------------- logs and records */

static atomic_int entries;

static cop_step
take_entry(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == COP_MSG_LOG) {
        atomic_fetch_add(&entries, 1);
    }
    return cop_ok();
}

static const cop_genserver sink = {.type = "sink", .handle_info = take_entry};

static void
say_things(void)
{
    cop_pid pid;
    cop_log(COP_LOG_WARNING, "before there is a sink", COP_KV("number", 1));
    if (!went_well(cop_genserver_start(&pid, &sink, .link = false))) {
        return;
    }
    (void)went_well(cop_log_to(pid));
    for (int i = 0; i < 5; i++) {
        cop_log(COP_LOG_WARNING, "something", COP_KV("number", i), COP_KV("self", pid));
    }
    cop_report_tree();
    MUST(cop_log_to(COP_NOBODY) == 0);
    (void)went_well(cop_stop_process(pid, COP_REASON_NORMAL, PATIENCE));
}

static void
record(void)
{
    cop_pid server;
    cop_record records[16];
    int sum = 0;
    if (!went_well(cop_genserver_start(&server, &adder, .name = "adder"))) {
        return;
    }
    add_some(server, &sum);
    int n = cop_recorder_read(server, records, 16);
    for (int i = 0; i < n; i++) {
        char text[200];
        (void)cop_record_string(&records[i], text, sizeof text);
    }
    (void)went_well(cop_tag_name(ADD, "add"));
    (void)went_well(cop_stop_process(server, COP_REASON_NORMAL, PATIENCE));
}

const struct scenario runtime_scenarios[] = {
    {"begin_and_end", begin_and_end, false},
    {"send_many", send_many, false},
    {"watch_and_link", watch_and_link, false},
    {"interrupt_one", interrupt_one, false},
    {"wait_for_room", wait_for_room, false},
    {"set_timers", set_timers, false},
    {"cancel_contexts", cancel_contexts, false},
    {"use_names", use_names, false},
    {"say_things", say_things, false},
    {"record", record, true},
    {NULL, NULL, false},
};
