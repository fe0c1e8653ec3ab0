/*
 * tests/stress/test_steady.c - in steady state send, receive, call, await and tasks allocate nothing, and
 * between awake actors all but tasks make no system call.
 *
 * Room: tests/. Knows the seam.
 *
 * Two actors warm up, then do the same again, and what happens meanwhile is counted.
 *
 * Allocations are counted by the linker: malloc and its like are wrapped (tests/support/wrap.h), for
 * every object of the library.
 *
 * System calls are counted by ptrace, as strace does it: whoever is counted is a program of its own,
 * and every one of its threads stops at every system call. What is counted is what the kernel sees; the
 * clock, which is read without the kernel, is not there. An actor is awake as long as it looks about,
 * and how long it does so depends on how busy the machine is; so here it looks for ever (wrapped, too).
 */
#include "runtime/thread.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Rounds that are counted, after as many to warm up: more messages than a pool has at first; and a few
 * where nobody sleeps, for on a busy machine each then waits for the other's time slice. */
enum {
    MANY = 2000,
    FEW = 20,
    BURST = 16, /* messages to a round of sends */
};

/* ---------------------------------------------------------------- what is counted */

static struct counted {
    atomic_bool on;
    atomic_int allocations;
    atomic_int system_calls;
    atomic_int which;   /* the last one */
} own, *counted = &own; /* in memory that a tracer shares */

static void
count_allocation(void)
{
    if (atomic_load(&counted->on)) {
        atomic_fetch_add(&counted->allocations, 1);
    }
}

void *real_malloc(size_t size) REAL(malloc);
void *count_malloc(size_t size) WRAP(malloc);
void *
count_malloc(size_t size)
{
    count_allocation();
    return real_malloc(size);
}

void *real_calloc(size_t n, size_t size) REAL(calloc);
void *count_calloc(size_t n, size_t size) WRAP(calloc);
void *
count_calloc(size_t n, size_t size)
{
    count_allocation();
    return real_calloc(n, size);
}

void *real_realloc(void *memory, size_t size) REAL(realloc);
void *count_realloc(void *memory, size_t size) WRAP(realloc);
void *
count_realloc(void *memory, size_t size)
{
    count_allocation();
    return real_realloc(memory, size);
}

void *real_aligned_alloc(size_t alignment, size_t size) REAL(aligned_alloc);
void *count_aligned_alloc(size_t alignment, size_t size) WRAP(aligned_alloc);
void *
count_aligned_alloc(size_t alignment, size_t size)
{
    count_allocation();
    return real_aligned_alloc(alignment, size);
}

static atomic_bool stays_awake;

bool real_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
    REAL(copi_spin_for);
bool look_for_ever(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
    WRAP(copi_spin_for);
bool
look_for_ever(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    while (atomic_load(&stays_awake)) {
        if (is_there(arg)) {
            return true;
        }
    }
    return real_spin_for(spin, is_there, arg);
}

bool real_spin_allowed(void) REAL(copi_spin_allowed);
bool always_allowed(void) WRAP(copi_spin_allowed);
bool
always_allowed(void)
{
    return atomic_load(&stays_awake) || real_spin_allowed();
}

/* ---------------------------------------------------------------- what they do */

enum {
    ITEM = 1,
    LAST,
    THANKS,
    ASK,
    SETTLE,
};

/* libcheck notes each assertion that holds, by a write and some memory. */
static void
must(bool holds)
{
    if (!holds) {
        ck_abort_msg("it has not done what it should");
    }
}

/* A scenario; `other` is the other actor, and what it needs. */
struct scenario {
    cop_pid (*start)(void);
    void (*round)(cop_pid other, int i);
};

/*
 * Thanks go out on a node of the burst, but on one of its own when the last message comes by itself: that may be so for
 * the first time long after the warm-up. Hence one to itself.
 */
static int
take_bursts(cop_bytes unused)
{
    (void)unused;
    must(cop_send(cop_self(), COP_TAG(ITEM)) == 0);
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0) {
        if (msg.tag == LAST) {
            cop_send(msg.from, COP_TAG(THANKS));
        }
    }
    return r;
}

static cop_pid
start_receiver(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, take_bursts), 0);
    return pid;
}

static void
send_burst(cop_pid other, int i)
{
    cop_msg msg;
    for (int k = 0; k < BURST; k++) {
        must(cop_send(other, COP_MSG_OF(ITEM, i)) == 0);
    }
    must(cop_send(other, COP_TAG(LAST)) == 0);
    must(cop_receive(&msg, SOON) == 0);
    must(msg.tag == THANKS);
}

static cop_step
answer(void *state, cop_from from, cop_msg request)
{
    (void)state;
    int reply = *COP_BODY(request, int) + 1;
    return cop_reply(from, COP_MSG_OF(0, reply));
}

static const cop_genserver server = {.type = "server", .handle_call = answer};

static cop_pid
start_server(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    return pid;
}

static void
call(cop_pid other, int i)
{
    int reply;
    must(cop_call(other, COP_MSG_OF(ASK, i), COP_OUT(reply), SOON) == 0);
    must(reply == i + 1);
}

/* Futures are made before: that is what allocates. */
static cop_future *futures[2 * MANY];
static cop_resolver *resolvers[2 * MANY];

static int
settle(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0) {
        int i = *COP_BODY(msg, int);
        cop_resolve(resolvers[i], COP_BYTES(i));
        cop_resolver_free(
            resolvers[i]); /* the awaiting one must not, while this one may be in it */
    }
    return r;
}

static cop_pid
start_settler(void)
{
    cop_pid pid;
    for (int i = 0; i < 2 * MANY; i++) {
        ck_assert_int_eq(cop_promise_new(&futures[i], &resolvers[i], sizeof(int)), 0);
    }
    ck_assert_int_eq(cop_spawn(&pid, settle), 0);
    return pid;
}

static void
await(cop_pid other, int i)
{
    int value;
    must(cop_send(other, COP_MSG_OF(SETTLE, i)) == 0);
    must(cop_await(futures[i], COP_OUT(value), SOON) == 0);
    must(value == i);
}

static void
release_futures(void)
{
    for (int i = 0; i < 2 * MANY; i++) {
        cop_future_release(futures[i]);
    }
}

/* More threads than any delay keeps busy, each with a pool, for all of them send. */
enum {
    THREADS = 32
};
static atomic_bool may_end;

static int
send_and_wait(cop_bytes unused, void *result)
{
    (void)unused, (void)result;
    must(cop_send(cop_self(), COP_TAG(ITEM)) == 0);
    while (!atomic_load(&may_end)) {
        must(cop_sleep(COP_MS(1)) == 0);
    }
    return 0;
}

static cop_pid
start_threads(void)
{
    cop_future *tasks[THREADS];
    for (int i = 0; i < THREADS; i++) {
        tasks[i] = cop_async(send_and_wait);
    }
    atomic_store(&may_end, true);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(cop_await(tasks[i], NULL, 0, SOON), 0);
        cop_future_release(tasks[i]);
    }
    return COP_NOBODY;
}

static int
one_more(cop_bytes arg, void *result)
{
    *(int *)result = *(const int *)arg.data + 1;
    return 0;
}

static void
run_task(cop_pid unused, int i)
{
    (void)unused;
    int value;
    cop_future *task = cop_async(one_more, .arg = COP_BYTES(i), .result_size = sizeof i);
    must(cop_await(task, COP_OUT(value), SOON) == 0);
    must(value == i + 1);
    cop_future_release(task);
}

static const struct scenario tasks = {start_threads, run_task};
static const struct scenario sends = {start_receiver, send_burst}, calls = {start_server, call},
                             awaits = {start_settler, await};

static void
play(const struct scenario *scenario, int rounds)
{
    cop_pid other = scenario->start();
    for (int i = 0; i < rounds; i++) {
        scenario->round(other, i);
    }
    atomic_store(&counted->on, true);
    for (int i = 0; i < rounds; i++) {
        scenario->round(other, rounds + i);
    }
    atomic_store(&counted->on, false);
}

/* ---------------------------------------------------------------- allocations */

static void
check_that_nothing_was_allocated(void)
{
    int allocations = atomic_load(&counted->allocations);
    ck_assert_int_eq(allocations, 0);
}

TEST(an_allocation_of_the_library_is_counted)
{
    atomic_store(&counted->on, true);
    start_receiver();
    atomic_store(&counted->on, false);
    int allocations = atomic_load(&counted->allocations);
    ck_assert_int_gt(allocations, 0);
}

TEST(in_steady_state_a_send_and_its_receive_allocate_nothing)
{
    play(&sends, MANY);
    check_that_nothing_was_allocated();
}

TEST(in_steady_state_a_call_allocates_nothing)
{
    play(&calls, MANY);
    check_that_nothing_was_allocated();
}

TEST(in_steady_state_an_await_allocates_nothing)
{
    play(&awaits, MANY);
    release_futures();
    check_that_nothing_was_allocated();
}

TEST(in_steady_state_a_task_allocates_nothing)
{
    play(&tasks, MANY);
    check_that_nothing_was_allocated();
}

/* ---------------------------------------------------------------- system calls */

/* A sanitizer makes some of its own, and looks for leaks by ptrace itself. */
#if !TEST_SANITIZED

/* In the traced program; its threads are not this one's, and it ends without libcheck. */
static _Noreturn void
be_traced(const struct scenario *scenario)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0) {
        _exit(EXIT_FAILURE);
    }
    atomic_store(&stays_awake, true);
    play(scenario, FEW);
    _exit(EXIT_SUCCESS);
}

static void
note_system_call(pid_t thread)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0
        && info.op == PTRACE_SYSCALL_INFO_ENTRY && atomic_load(&counted->on)) {
        atomic_store(&counted->which, (int)info.entry.nr);
        atomic_fetch_add(&counted->system_calls, 1);
    }
}

/* Until `program` has ended; returns its status. Stops of the kernel's making are no signals. */
static int
trace(pid_t program)
{
    enum {
        AT_SYSTEM_CALL = SIGTRAP | 0x80
    };
    for (int status;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        ck_assert_int_gt(thread, 0);
        if (!WIFSTOPPED(status)) {
            if (thread == program) {
                return status;
            }
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal == AT_SYSTEM_CALL) {
            note_system_call(thread);
        }
        bool is_own = signal == AT_SYSTEM_CALL || signal == SIGTRAP || signal == SIGSTOP;
        ptrace(PTRACE_SYSCALL, thread, NULL, is_own ? 0L : (long)signal);
    }
}

static void
count_system_calls(const struct scenario *scenario)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status;
    counted =
        mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(counted, MAP_FAILED);
    pid_t program = fork();
    if (program == 0) {
        be_traced(scenario);
    }
    ck_assert_int_eq(waitpid(program, &status, 0), program);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq((int)ptrace(PTRACE_SETOPTIONS, program, NULL, options), 0);
    ck_assert_int_eq((int)ptrace(PTRACE_SYSCALL, program, NULL, 0L), 0);
    ck_assert_int_eq(trace(program), 0);
    int system_calls = atomic_load(&counted->system_calls), which = atomic_load(&counted->which);
    ck_assert_msg(system_calls == 0, "%d system calls, the last is %d", system_calls, which);
}

TEST(between_awake_actors_a_send_and_its_receive_make_no_system_call)
{
    count_system_calls(&sends);
}

TEST(between_awake_actors_a_call_makes_no_system_call)
{
    count_system_calls(&calls);
}

TEST(between_awake_actors_an_await_makes_no_system_call)
{
    count_system_calls(&awaits);
}

#endif

SUITE("steady")
