/*
 * tests/runtime/test_fault.c - faults: how a program dies of one, and when it does not.
 *
 * Room: tests/. Each scenario is a child of the test's, which has not touched the library before, so
 * that the child can die of it. What it says on standard error is the report.
 *
 * A scenario that goes on to its end leaves with SURVIVED; anything that it finds wrong on the way,
 * with WRONG and a line that says what.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
# include <sanitizer/lsan_interface.h>
#endif

/* A contained process leaves the handler by a jump, and what then runs is still in it to this
 * sanitizer; and a scenario ends in the middle of things. */
const char *__tsan_default_options(void); /* NOLINT(bugprone-reserved-identifier): its name */
const char *
__tsan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "report_signal_unsafe=0:report_thread_leaks=0:atexit_sleep_ms=0";
}

enum {
    SURVIVED = 42,
    WRONG = 99,
};

#define MUST(condition)                                                  \
 do {                                                                    \
  if (!(condition)) {                                                    \
   dprintf(STDERR_FILENO, "wrong: line %d: %s\n", __LINE__, #condition); \
   _exit(WRONG);                                                         \
  }                                                                      \
 } while (0)

/* The faults themselves: a sanitizer would find them before the kernel does. */
#define FAULTY \
 __attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"), no_sanitize("thread")))

/* ---------------------------------------------------------------- faults */

static int *volatile bad_pointer = (int *)16;
static volatile int zero, one = 1; /* the compiler knows 1 / x without dividing */
static void (*volatile no_function)(void);

FAULTY static void
write_to_nowhere(void)
{
    *bad_pointer = 1;
}

FAULTY static void
divide_by_zero(void)
{
    zero = one / zero;
}

FAULTY static void
run_what_is_no_instruction(void)
{
    __builtin_trap();
}

FAULTY static void
call_nothing(void)
{
    no_function();
}

FAULTY static int
recurse(int depth)
{
    volatile unsigned char frame[1024];
    frame[0] = (unsigned char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

FAULTY static void
overflow_the_stack(void)
{
    zero = recurse(1);
}

FAULTY static void
read_past_the_end_of_a_file(void)
{
    char name[] = "/tmp/coppice-fault-XXXXXX";
    int fd = mkstemp(name);
    MUST(fd >= 0 && unlink(name) == 0);
    volatile unsigned char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    MUST(page != MAP_FAILED);
    zero = page[0];
}

static size_t (*volatile length_of)(const char *text) = strlen;

FAULTY static void
fault_in_libc(void)
{
    size_t length = length_of((const char *)bad_pointer);
    (void)length;
}

static int (*volatile no_order)(const void *a, const void *b);

FAULTY static void
call_nothing_in_libc(void)
{
    int values[] = {2, 1, 3};
    qsort(values, 3, sizeof *values, no_order);
}

/* ---------------------------------------------------------------- scenarios */

struct outcome {
    int status;
    char *report;
};

static struct outcome
run(void (*scenario)(void))
{
    int ends[2];
    size_t used = 0, size = 1 << 16;
    struct outcome outcome = {.report = calloc(1, size)};
    ck_assert_ptr_nonnull(outcome.report);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        scenario();
        _exit(SURVIVED);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], outcome.report + used, size - used - 1)) > 0;) {
        used += (size_t)n;
    }
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &outcome.status, 0), child);
    return outcome;
}

static void
assert_reports(struct outcome outcome, const char *part)
{
    ck_assert_msg(strstr(outcome.report, part), "\"%s\" is not in:\n%s", part, outcome.report);
}

/* It died of the signal, and the report did not speak of containment. Returns the outcome. */
static struct outcome
dies_of(int signal, void (*scenario)(void))
{
    struct outcome outcome = run(scenario);
    ck_assert_msg(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == signal,
                  "status %x, report:\n%s", (unsigned)outcome.status, outcome.report);
    ck_assert_msg(!strstr(outcome.report, "contained fault"), "%s", outcome.report);
    return outcome;
}

static struct outcome
survives(void (*scenario)(void))
{
    struct outcome outcome = run(scenario);
    ck_assert_msg(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == SURVIVED,
                  "status %x, report:\n%s", (unsigned)outcome.status, outcome.report);
    return outcome;
}

static void
assert_dies_of(int signal, void (*scenario)(void))
{
    free(dies_of(signal, scenario).report);
}

static void
assert_survives(void (*scenario)(void))
{
    free(survives(scenario).report);
}

/* ---------------------------------------------------------------- processes that fault */

typedef void (*fault_fn)(void);

static atomic_long faulted_on; /* which thread */

static void
note_the_thread(void)
{
    atomic_store(&faulted_on, syscall(SYS_gettid));
}

static int
do_fault(cop_bytes arg)
{
    fault_fn fault;
    memcpy(&fault, arg.data, sizeof fault);
    fault();
    return 0;
}

static cop_reason
down(cop_ref monitor)
{
    cop_msg msg;
    MUST(cop_receive(&msg, SOON) == 0 && msg.tag == COP_MSG_DOWN);
    const struct cop_down *body = COP_BODY(msg, struct cop_down);
    MUST(body->ref.id == monitor.id);
    return body->reason;
}

/* Run the fault in a process, and return why that one ended: if the program is still there. */
static cop_reason
fault_in_process(fault_fn fault, bool contained)
{
    cop_ref ended;
    MUST(cop_spawn(NULL, do_fault, .arg = COP_BYTES(fault), .monitor = &ended,
                   .contain_faults = contained)
         == 0);
    return down(ended);
}

static void
expect_contained(fault_fn fault, int signal, const char *text)
{
    cop_reason reason = fault_in_process(fault, true);
    MUST(reason.kind == COP_FAULTED);
    MUST(reason.code == signal);
    MUST(strcmp(reason.text, text) == 0);
    MUST(cop_tainted() == 1);
}

/* ---------------------------------------------------------------- dying well */

enum {
    FAULT = 77,
    WORD,
};

static cop_step
fault_in_cast(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    write_to_nowhere();
    return cop_ok();
}

static const cop_genserver victim = {.type = "victim", .handle_cast = fault_in_cast};

static int
start_victim(cop_bytes arg)
{
    (void)arg;
    cop_pid pid;
    MUST(cop_genserver_start(&pid, &victim, .name = "victim", .link = true) == 0);
    MUST(cop_cast(pid, COP_TAG(FAULT)) == 0);
    return cop_sleep(COP_FOREVER);
}

static void
a_server_with_a_parent_faults(void)
{
    MUST(cop_spawn(NULL, start_victim, .name = "boss") == 0);
    cop_sleep(COP_FOREVER);
}

TEST(a_fault_kills_with_a_report_of_who_where_and_what)
{
    struct outcome outcome = dies_of(SIGSEGV, a_server_with_a_parent_faults);
    assert_reports(outcome, "coppice: fault: SIGSEGV at address 0x10\n");
    assert_reports(outcome, "in genserver victim, started by boss\n");
    assert_reports(outcome, "in handle_cast, with message 77 in hand");
    assert_reports(outcome, "coppice:     test_fault+0x"); /* the stack: module and offset */
    ck_assert_uint_ge(test_count(outcome.report, "test_fault+0x"), 3);
    free(outcome.report);
}

static void
a_process_faults_where_nobody_hears_it(void)
{
    close(STDERR_FILENO);
    fault_in_process(write_to_nowhere, false);
}

TEST(a_fault_kills_also_where_there_is_no_standard_error)
{
    struct outcome outcome = dies_of(SIGSEGV, a_process_faults_where_nobody_hears_it);
    ck_assert_str_eq(outcome.report, "");
    free(outcome.report);
}

static void
a_labelled_server_faults(void)
{
    cop_pid pid;
    MUST(cop_genserver_start(&pid, &victim, .label = "pool", .link = false) == 0);
    MUST(cop_cast(pid, COP_TAG(FAULT)) == 0);
    cop_sleep(COP_FOREVER);
}

TEST(a_fault_is_reported_with_the_label_of_who_has_no_name)
{
    struct outcome outcome = dies_of(SIGSEGV, a_labelled_server_faults);
    assert_reports(outcome, "in genserver pool<");
    free(outcome.report);
}

static void
fault_not_asked_for_SEGV(void)
{
    fault_in_process(write_to_nowhere, false);
}

static void
fault_not_asked_for_FPE(void)
{
    fault_in_process(divide_by_zero, false);
}

static void
fault_not_asked_for_ILL(void)
{
    fault_in_process(run_what_is_no_instruction, false);
}

static void
fault_not_asked_for_BUS(void)
{
    fault_in_process(read_past_the_end_of_a_file, false);
}

static void
fault_not_asked_for_call(void)
{
    fault_in_process(call_nothing, false);
}

static void
fault_not_asked_for_overflow(void)
{
    fault_in_process(overflow_the_stack, false);
}

TEST(each_signal_kills_who_did_not_ask_for_containment)
{
    const struct {
        int signal;
        void (*scenario)(void);
        const char *report;
    } cases[] = {
        {SIGSEGV, fault_not_asked_for_SEGV, "fault: SIGSEGV at address 0x10\n"},
        {SIGFPE, fault_not_asked_for_FPE, "fault: SIGFPE at address 0x"},
        {SIGILL, fault_not_asked_for_ILL, "fault: SIGILL at address 0x"},
        {SIGBUS, fault_not_asked_for_BUS, "fault: SIGBUS at address 0x"},
        {SIGSEGV, fault_not_asked_for_call, "fault: SIGSEGV at address 0x0\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome = dies_of(cases[i].signal, cases[i].scenario);
        assert_reports(outcome, cases[i].report);
        assert_reports(outcome, "coppice:   in process <");
        assert_reports(outcome, "test_fault+0x");
        free(outcome.report);
    }
}

TEST(an_overflow_of_the_stack_is_called_by_its_name)
{
    struct outcome outcome = dies_of(SIGSEGV, fault_not_asked_for_overflow);
    assert_reports(outcome, "(the stack overflowed)");
    free(outcome.report);
}

static void
fault_in_main(void)
{
    cop_contain_faults(true);
    MUST(cop_self().id != 0);
    write_to_nowhere();
}

TEST(a_fault_in_a_thread_that_the_library_did_not_start_kills)
{
    struct outcome outcome = dies_of(SIGSEGV, fault_in_main);
    assert_reports(outcome, "in thread <");
    free(outcome.report);
}

static void *
fault_in_thread(void *unused)
{
    write_to_nowhere();
    return unused;
}

static void
fault_in_a_stranger(void)
{
    pthread_t thread;
    cop_contain_faults(true);
    MUST(cop_self().id != 0);
    MUST(pthread_create(&thread, NULL, fault_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
}

TEST(a_fault_in_a_thread_that_the_library_does_not_know_kills)
{
    struct outcome outcome = dies_of(SIGSEGV, fault_in_a_stranger);
    assert_reports(outcome, "in a thread without a process\n");
    free(outcome.report);
}

/* ---------------------------------------------------------------- handlers that were there before */

static void
note_siginfo(int signal, siginfo_t *info, void *context)
{
    (void)context;
    dprintf(STDERR_FILENO, "before us: %d at %p\n", signal, info->si_addr);
}

static void
note_signal(int signal)
{
    dprintf(STDERR_FILENO, "before us: %d\n", signal);
}

static void
leave(int signal)
{
    (void)signal;
    _exit(7);
}

static void
install(struct sigaction action)
{
    MUST(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void
fault_with_a_siginfo_handler_before(void)
{
    install((struct sigaction){.sa_sigaction = note_siginfo, .sa_flags = SA_SIGINFO | SA_ONSTACK});
    fault_in_process(write_to_nowhere, false);
}

static void
fault_with_a_plain_handler_before(void)
{
    install((struct sigaction){.sa_handler = note_signal, .sa_flags = SA_ONSTACK});
    fault_in_process(write_to_nowhere, false);
}

static void
fault_with_a_leaving_handler_before(void)
{
    install((struct sigaction){.sa_handler = leave, .sa_flags = SA_ONSTACK});
    fault_in_process(write_to_nowhere, false);
}

static void
fault_with_the_signal_ignored_before(void)
{
    install((struct sigaction){.sa_handler = SIG_IGN});
    fault_in_process(write_to_nowhere, false);
}

static void
contained_with_a_handler_before(void)
{
    install((struct sigaction){.sa_handler = note_signal, .sa_flags = SA_ONSTACK});
    expect_contained(write_to_nowhere, SIGSEGV, "{fault,SIGSEGV}");
}

TEST(a_handler_from_before_runs_after_the_report_and_then_the_program_dies)
{
    char words[64];
    struct outcome outcome = dies_of(SIGSEGV, fault_with_a_siginfo_handler_before);
    (void)snprintf(words, sizeof words, "before us: %d at 0x10\n", SIGSEGV);
    assert_reports(outcome, words);
    ck_assert(strstr(outcome.report, "coppice: fault") < strstr(outcome.report, words));
    ck_assert_uint_eq(test_count(outcome.report, "before us"), 1);
    free(outcome.report);
    outcome = dies_of(SIGSEGV, fault_with_a_plain_handler_before);
    ck_assert_uint_eq(test_count(outcome.report, "before us"), 1);
    free(outcome.report);
}

TEST(a_handler_from_before_may_end_the_program_its_own_way)
{
    struct outcome outcome = run(fault_with_a_leaving_handler_before);
    ck_assert(WIFEXITED(outcome.status));
    ck_assert_int_eq(WEXITSTATUS(outcome.status), 7);
    free(outcome.report);
}

TEST(a_signal_that_was_ignored_before_kills_all_the_same)
{
    assert_dies_of(SIGSEGV, fault_with_the_signal_ignored_before);
}

TEST(a_handler_from_before_does_not_see_what_is_contained)
{
    struct outcome outcome = survives(contained_with_a_handler_before);
    ck_assert_uint_eq(test_count(outcome.report, "before us"), 0);
    free(outcome.report);
}

static void
look_at_dispositions(void)
{
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction before[4], now;
    for (int i = 0; i < 4; i++) {
        MUST(sigaction(signals[i], NULL, &before[i]) == 0);
    }
    MUST(cop_configure(&(cop_config){.size = sizeof(cop_config), .no_fault_handlers = true}) == 0);
    MUST(cop_self().id != 0);
    MUST(cop_sleep(1) == 0);
    for (int i = 0; i < 4; i++) {
        MUST(sigaction(signals[i], NULL, &now) == 0);
        MUST(now.sa_handler == before[i].sa_handler);
    }
}

TEST(no_fault_handlers_leaves_the_dispositions_alone)
{
    assert_survives(look_at_dispositions);
}

static void
fault_without_handlers(void)
{
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer has one */
    MUST(cop_configure(&(cop_config){.size = sizeof(cop_config), .no_fault_handlers = true}) == 0);
    fault_in_process(write_to_nowhere, true);
}

TEST(no_fault_handlers_means_no_report_and_no_containment)
{
    struct outcome outcome = dies_of(SIGSEGV, fault_without_handlers);
    ck_assert_str_eq(outcome.report, "");
    free(outcome.report);
}

/* ---------------------------------------------------------------- what is contained */

static void
contain_write(void)
{
    expect_contained(write_to_nowhere, SIGSEGV, "{fault,SIGSEGV}");
}

static void
contain_division(void)
{
    expect_contained(divide_by_zero, SIGFPE, "{fault,SIGFPE}");
}

static void
contain_instruction(void)
{
    expect_contained(run_what_is_no_instruction, SIGILL, "{fault,SIGILL}");
}

static void
contain_bus(void)
{
    expect_contained(read_past_the_end_of_a_file, SIGBUS, "{fault,SIGBUS}");
}

static void
contain_call(void)
{
    expect_contained(call_nothing, SIGSEGV, "{fault,SIGSEGV}");
}

static void
contain_overflow(void)
{
    expect_contained(overflow_the_stack, SIGSEGV, "{fault,SIGSEGV}");
}

TEST(a_bad_pointer_is_contained_and_reported)
{
    struct outcome outcome = survives(contain_write);
    assert_reports(outcome, "coppice: contained fault: SIGSEGV at address 0x10\n");
    assert_reports(outcome, "test_fault+0x");
    free(outcome.report);
}

TEST(a_division_by_zero_is_contained)
{
    assert_survives(contain_division);
}

TEST(an_instruction_that_is_none_is_contained)
{
    assert_survives(contain_instruction);
}

TEST(a_mapping_without_a_file_below_is_contained)
{
    assert_survives(contain_bus);
}

TEST(a_call_through_a_null_pointer_is_contained)
{
    assert_survives(contain_call);
}

TEST(an_overflow_of_the_stack_is_contained)
{
    struct outcome outcome = survives(contain_overflow);
    assert_reports(outcome, "(the stack overflowed)");
    free(outcome.report);
}

static void
ask_for_the_program(void)
{
    cop_contain_faults(true);
    MUST(fault_in_process(write_to_nowhere, false).kind == COP_FAULTED);
    MUST(fault_in_process(overflow_the_stack, false).kind == COP_FAULTED);
    MUST(fault_in_process(call_nothing, false).kind == COP_FAULTED);
    MUST(cop_tainted() == 3);
}

TEST(containment_can_be_asked_for_the_program_and_is_counted)
{
    assert_survives(ask_for_the_program);
}

static void
take_it_back(void)
{
    cop_contain_faults(true);
    cop_contain_faults(false);
    fault_in_process(write_to_nowhere, false);
}

TEST(containment_for_the_program_can_be_taken_back)
{
    assert_dies_of(SIGSEGV, take_it_back);
}

/* ---------------------------------------------------------------- what is not */

static void
libc_faults(void)
{
    fault_in_process(fault_in_libc, true);
}

TEST(a_fault_in_libc_is_not_contained)
{
    assert_dies_of(SIGSEGV, libc_faults);
}

static void
libc_calls_nothing(void)
{
    fault_in_process(call_nothing_in_libc, true);
}

TEST(a_call_through_a_null_pointer_from_libc_is_not_contained)
{
    assert_dies_of(SIGSEGV, libc_calls_nothing);
}

static void
send_from_nowhere(void)
{
    cop_send(cop_self(), (cop_msg){.tag = 1, .body = {bad_pointer, 8}});
}

static void
runtime_faults(void)
{
    fault_in_process(send_from_nowhere, true);
}

TEST(a_fault_in_the_runtime_is_not_contained)
{
    assert_dies_of(SIGSEGV, runtime_faults);
}

static void
release_nowhere(void)
{
    cop_msg_release((cop_msg *)(void *)bad_pointer);
}

static void
runtime_faults_without_libc(void)
{
    fault_in_process(release_nowhere, true);
}

TEST(a_fault_in_the_runtime_s_own_code_is_not_contained)
{
    assert_dies_of(SIGSEGV, runtime_faults_without_libc);
}

static void
fault_deferred(void *unused)
{
    (void)unused;
    write_to_nowhere();
}

static void
exit_with_a_fault_deferred(void)
{
    MUST(cop_defer(fault_deferred, NULL) == 0);
    cop_exit(COP_REASON_NORMAL);
}

static void
deferred_call_faults(void)
{
    fault_in_process(exit_with_a_fault_deferred, true);
}

TEST(a_fault_in_a_deferred_call_is_not_contained)
{
    assert_dies_of(SIGSEGV, deferred_call_faults);
}

static void
fault_with_a_fault_deferred(void)
{
    MUST(cop_defer(fault_deferred, NULL) == 0);
    write_to_nowhere();
}

static void
second_fault(void)
{
    fault_in_process(fault_with_a_fault_deferred, true);
}

TEST(a_second_fault_on_the_way_out_is_not_contained)
{
    struct outcome outcome = run(second_fault);
    ck_assert(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV);
    ck_assert_uint_eq(test_count(outcome.report, "contained fault"), 1);
#if !defined( \
    __SANITIZE_THREAD__) /* it holds the signal back in its handler, and the kernel kills */
    ck_assert_uint_eq(test_count(outcome.report, "coppice: fault"), 1);
#endif
    free(outcome.report);
}

static void
fault_at_exit(void)
{
    MUST(cop_at_exit(fault_deferred, NULL) == 0);
}

static void
call_at_exit_faults(void)
{
    fault_in_process(fault_at_exit, true);
}

TEST(a_fault_in_a_call_at_the_end_of_the_process_is_not_contained)
{
    assert_dies_of(SIGSEGV, call_at_exit_faults);
}

static void
fault_in_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    write_to_nowhere();
}

static void
terminate_faults(void)
{
    static const cop_genserver server = {.type = "server", .terminate = fault_in_terminate};
    cop_pid pid;
    MUST(cop_genserver_start(&pid, &server, .contain_faults = true) == 0);
    cop_stop_process(pid, COP_REASON_NORMAL, SOON);
}

TEST(a_fault_in_terminate_is_not_contained)
{
    assert_dies_of(SIGSEGV, terminate_faults);
}

static void
receive_twice(void)
{
    static int body;
    cop_msg msg;
    MUST(cop_send(cop_self(), COP_MSG_MOVE(1, &body, sizeof body, fault_deferred)) == 0);
    MUST(cop_receive(&msg, 0) == 0);
    cop_receive(&msg, 0); /* lets the first one go */
}

static void
drop_faults(void)
{
    fault_in_process(receive_twice, true);
}

TEST(a_fault_in_a_drop_function_is_not_contained)
{
    assert_dies_of(SIGSEGV, drop_faults);
}

static bool
fault_in_predicate(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    write_to_nowhere();
    return true;
}

static void
receive_matching(void)
{
    cop_msg msg;
    MUST(cop_send(cop_self(), COP_TAG(1)) == 0);
    cop_receive_match(&msg, fault_in_predicate, NULL, 0);
}

static void
predicate_faults(void)
{
    fault_in_process(receive_matching, true);
}

TEST(a_fault_in_a_match_predicate_is_not_contained)
{
    assert_dies_of(SIGSEGV, predicate_faults);
}

static atomic_bool observer_faults_now;

static void
fault_in_observer(const cop_event *event, void *env)
{
    (void)event, (void)env;
    if (atomic_load(&observer_faults_now)) {
        write_to_nowhere();
    }
}

static int
do_nothing(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static void
start_under_observation(void)
{
    atomic_store(&observer_faults_now, true);
    cop_spawn(NULL, do_nothing, .link = false);
}

static void
observer_faults(void)
{
    MUST(cop_configure(&(cop_config){.size = sizeof(cop_config), .observe = fault_in_observer})
         == 0);
    fault_in_process(start_under_observation, true);
}

/* It is called in the middle of the runtime, with a lock of its. */
TEST(a_fault_in_the_observer_is_not_contained)
{
    assert_dies_of(SIGSEGV, observer_faults);
}

static void
raise_it(void)
{
    (void)raise(SIGSEGV);
}

static void
raised(void)
{
    fault_in_process(raise_it, true);
}

TEST(a_signal_that_somebody_sent_is_not_contained)
{
    struct outcome outcome = dies_of(SIGSEGV, raised);
    assert_reports(outcome, "SIGSEGV sent by somebody\n");
    free(outcome.report);
}

static void
kill_the_program(void)
{
    kill(getpid(), SIGSEGV);
    cop_sleep(COP_FOREVER);
}

static void
killed(void)
{
    fault_in_process(kill_the_program, true);
}

TEST(a_signal_sent_to_the_program_is_not_contained)
{
    struct outcome outcome = dies_of(SIGSEGV, killed);
    assert_reports(outcome, "SIGSEGV sent by somebody\n");
    free(outcome.report);
}

static void
spin_for_ever(void)
{
    note_the_thread();
    while (one) {
    }
}

static void
hit_while_it_spins(void)
{
    fault_fn fault = spin_for_ever;
    MUST(cop_spawn(NULL, do_fault, .arg = COP_BYTES(fault), .contain_faults = true) == 0);
    while (atomic_load(&faulted_on) == 0) {
        cop_sleep(COP_US(100));
    }
    syscall(SYS_tgkill, getpid(), (pid_t)atomic_load(&faulted_on), SIGSEGV);
    cop_sleep(SOON);
}

TEST(a_signal_sent_to_a_thread_that_runs_the_program_s_own_code_is_not_contained)
{
    struct outcome outcome = dies_of(SIGSEGV, hit_while_it_spins);
    assert_reports(outcome, "SIGSEGV sent by somebody\n");
    free(outcome.report);
}

static void
aborted(void)
{
    fault_in_process(abort, true);
}

TEST(an_abort_is_never_contained)
{
    assert_dies_of(SIGABRT, aborted);
}

/* ---------------------------------------------------------------- what containment leaves */

static void
finds_its_frame(void *arg)
{
    int *value = arg;
    MUST(*value == 42);
    dprintf(STDERR_FILENO, "deferred: %d\n", *value);
}

FAULTY static void
fault_below(int depth)
{
    if (depth > 0) {
        fault_below(depth - 1);
    }
    *bad_pointer = depth;
}

static void
defer_and_fault(void)
{
    int value = 42;
    MUST(cop_defer(finds_its_frame, &value) == 0);
    fault_below(10);
    (void)cop_undefer(finds_its_frame, &value, false);
}

static void
deferred_calls_run(void)
{
    expect_contained(defer_and_fault, SIGSEGV, "{fault,SIGSEGV}");
}

TEST(deferred_calls_run_and_may_use_the_frames_that_faulted)
{
    struct outcome outcome = survives(deferred_calls_run);
    ck_assert_uint_eq(test_count(outcome.report, "deferred: 42\n"), 1);
    free(outcome.report);
}

static void
say_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    dprintf(STDERR_FILENO, "terminate\n");
}

static cop_step
fault_in_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)from, (void)request;
    write_to_nowhere();
    return cop_ok();
}

static void
a_caller_waits(void)
{
    static const cop_genserver server = {
        .type = "server", .handle_call = fault_in_call, .terminate = say_terminate};
    cop_pid pid;
    MUST(cop_genserver_start(&pid, &server, .name = "server", .contain_faults = true) == 0);
    cop_ref ended = cop_monitor(pid);
    MUST(cop_call(pid, COP_TAG(1), NULL, 0, SOON) == -EPIPE);
    MUST(cop_why().kind == COP_FAULTED && cop_why().code == SIGSEGV);
    MUST(cop_reason_error(cop_why()) == -EFAULT);
    MUST(!cop_alive(pid));
    MUST(cop_whereis("server").id == 0);
    test_down(ended); /* and its crash has been reported */
}

TEST(a_caller_learns_of_the_fault_and_terminate_does_not_run)
{
    struct outcome outcome = survives(a_caller_waits);
    ck_assert_uint_eq(test_count(outcome.report, "terminate\n"), 0);
    assert_reports(outcome, "genserver server crashed: {fault,SIGSEGV} pid=<");
    free(outcome.report);
}

static cop_step
fault_in_init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    write_to_nowhere();
    return cop_ok();
}

static void
init_faults(void)
{
    static const cop_genserver server = {.type = "server", .init = fault_in_init};
    MUST(cop_genserver_start(NULL, &server, .contain_faults = true) == -EFAULT);
    MUST(cop_why().kind == COP_FAULTED);
}

TEST(a_fault_in_init_fails_the_start)
{
    assert_survives(init_faults);
}

static void
a_link_is_told(void)
{
    fault_fn fault = write_to_nowhere;
    cop_msg msg;
    cop_trap_exits(true);
    MUST(cop_spawn(NULL, do_fault, .arg = COP_BYTES(fault), .link = true, .contain_faults = true)
         == 0);
    MUST(cop_receive(&msg, SOON) == 0 && msg.tag == COP_MSG_EXIT);
    const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
    MUST(exited->reason.kind == COP_FAULTED && exited->reason.code == SIGSEGV);
}

TEST(a_link_is_told_of_the_fault_with_the_signal_as_code)
{
    assert_survives(a_link_is_told);
}

static void
a_supervised_server_faults(void)
{
    cop_pid supervisor, name = cop_named("victim");
    MUST(cop_supervisor_start(
             &supervisor,
             &(cop_supervisor_spec){COP_CHILDREN(
                 {.id = "victim", .name = "victim", .genserver = &victim, .contain_faults = true})})
         == 0);
    cop_pid first = cop_whereis("victim");
    MUST(cop_cast(name, COP_TAG(FAULT)) == 0);
    for (cop_time until = cop_now() + SOON;
         cop_whereis("victim").id == 0 || cop_whereis("victim").id == first.id;) {
        MUST(cop_now() < until);
        cop_sleep(COP_US(100));
    }
    MUST(cop_supervisor_stop(supervisor, SOON) == 0);
    MUST(cop_shutdown(SOON) == 0);
}

TEST(a_supervisor_starts_again_what_faulted)
{
    assert_survives(a_supervised_server_faults);
}

static int
where_am_i(cop_bytes arg)
{
    (void)arg;
    return (int)-(syscall(SYS_gettid) == atomic_load(&faulted_on));
}

static void
note_the_thread_and_fault(void)
{
    note_the_thread();
    write_to_nowhere();
}

static bool
comes_back_to_the_thread(void)
{
    cop_ref ended;
    MUST(cop_spawn(NULL, where_am_i, .monitor = &ended) == 0);
    return down(ended).kind == COP_FAILED;
}

static void
start_on_other_threads(void)
{
    MUST(fault_in_process(note_the_thread, true).kind == COP_NORMAL);
    cop_time until = cop_now() + SOON;
    while (!comes_back_to_the_thread()) { /* as it does when nothing has happened on it */
        MUST(cop_now() < until);
    }
    MUST(fault_in_process(note_the_thread_and_fault, true).kind == COP_FAULTED);
    for (int i = 0; i < 20; i++) {
        MUST(!comes_back_to_the_thread());
    }
}

TEST(the_thread_of_a_contained_fault_is_not_used_again)
{
    assert_survives(start_on_other_threads);
}

enum {
    BLOCK = 10000
};
static atomic_uintptr_t hidden_block; /* so that the test does not keep it reachable */

static void
allocate_and_fault(void)
{
    unsigned char *block = cop_alloc(BLOCK);
    MUST(block);
    memset(block, 0xa5, BLOCK);
    atomic_store(&hidden_block, ~(uintptr_t)block);
    block = NULL;
    write_to_nowhere();
}

static cop_step
allocate_in_cast(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    allocate_and_fault();
    return cop_ok();
}

static void
memory_is_kept(void)
{
    static const cop_genserver server = {
        .type = "server", .state_size = 1000, .handle_cast = allocate_in_cast};
    char arg[5000] = "an argument", body[5000] = "a body";
    cop_pid pid;
    cop_ref ended;
    MUST(cop_genserver_start(&pid, &server, .arg = COP_BYTES(arg), .monitor = &ended,
                             .contain_faults = true)
         == 0);
    MUST(cop_cast(pid, COP_MSG_OF(1, body)) == 0);
    MUST(down(ended).kind == COP_FAULTED);
    for (int i = 0; i < 50; i++) { /* others take its place */
        MUST(cop_spawn(NULL, do_nothing, .arg = COP_BYTES(arg), .monitor = &ended) == 0);
        MUST(down(ended).kind == COP_NORMAL);
    }
    MUST(cop_shutdown(SOON) == 0);
    cop_trim();
    const unsigned char *kept;
    uintptr_t address = ~atomic_load(&hidden_block);
    memcpy(&kept, &address, sizeof kept);
    for (int i = 0; i < BLOCK; i++) {
        MUST(kept[i] == 0xa5);
    }
#if defined(__SANITIZE_ADDRESS__)
    kept = NULL;
    MUST(__lsan_do_recoverable_leak_check() == 0);
#endif
}

TEST(the_memory_of_a_contained_fault_is_kept_and_no_leak)
{
    assert_survives(memory_is_kept);
}

static void
note_state(void *state)
{
    dprintf(STDERR_FILENO, "dropped: %d\n", *(int *)state);
}

static void
fault_in_visit(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    write_to_nowhere();
}

static void
an_agent_faults(void)
{
    int value = 42;
    cop_pid pid;
    cop_start_opts opts = {.size = sizeof opts, .contain_faults = true};
    MUST(cop_agent_start_with(&pid, COP_BYTES(value), note_state, &opts) == 0);
    MUST(cop_agent_update(pid, fault_in_visit, (cop_bytes){0}, SOON) == -EPIPE);
    MUST(cop_why().kind == COP_FAULTED);
}

TEST(an_agent_s_state_is_dropped_after_a_contained_fault_too)
{
    struct outcome outcome = survives(an_agent_faults);
    ck_assert_uint_eq(test_count(outcome.report, "dropped: 42\n"), 1);
    free(outcome.report);
}

static void
shut_down_after_faults(void)
{
    unsigned before = test_threads();
    for (int i = 0; i < 5; i++) {
        MUST(fault_in_process(i % 2 ? write_to_nowhere : overflow_the_stack, true).kind
             == COP_FAULTED);
    }
    MUST(cop_shutdown(SOON) == 0);
    cop_trim();
    cop_time until = cop_now() + SOON;
    while (test_threads() > before) {
        MUST(cop_now() < until);
    }
    MUST(fault_in_process(write_to_nowhere, true).kind == COP_FAULTED); /* used again */
}

TEST(the_library_shuts_down_after_contained_faults)
{
    assert_survives(shut_down_after_faults);
}

SUITE("fault")
