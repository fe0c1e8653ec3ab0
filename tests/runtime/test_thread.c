/*
 * tests/runtime/test_thread.c - threads: started, cached, cleaned, ended.
 *
 * Room: tests/. Below processes: what runs here are jobs.
 */
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/library.h"
#include "runtime/thread.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A job that says where it ran and when it was over. */
struct work {
    struct copi_job job;
    void (*do_it)(struct work *work);
    struct copi_thread *thread;
    atomic_int number; /* the kernel's */
    atomic_bool go_on, is_done, found_out;
    long found; /* whatever do_it looks for */
};

static void
run(struct copi_job *job)
{
    struct work *work = (struct work *)(void *)job;
    work->thread = copi_here.thread;
    work->number = gettid();
    if (work->do_it) {
        work->do_it(work);
    }
    atomic_store(&work->is_done, true);
}

static int
begin(struct work *work, void (*do_it)(struct work *work))
{
    copi_library_begin();
    work->job.run = run;
    work->do_it = do_it;
    return copi_thread_run(&work->job);
}

/* Run one job to its end, until its thread is in the cache or gone. */
static struct work
finish(void (*do_it)(struct work *work))
{
    struct work work = {0};
    ck_assert_int_eq(begin(&work, do_it), 0);
    EVENTUALLY(work.is_done);
    return work;
}

static void
wait_for_go(struct work *work)
{
    while (!atomic_load(&work->go_on)) {
        usleep(200);
    }
}

/* Run `soil`, then `look` on the same thread, and say what it found. */
static long
found_after(void (*soil)(struct work *work), void (*look)(struct work *work))
{
    struct copi_thread *thread = finish(soil).thread;
    for (;;) { /* the thread may not have been back in the cache in time */
        struct work work = finish(look);
        if (work.thread == thread) {
            return work.found;
        }
        copi_thread_trim();
        thread = finish(soil).thread;
    }
}

/* ---------------------------------------------------------------- starts that fail */

TEST(without_memory_no_thread_starts_and_the_job_is_not_taken)
{
    struct work work = {0};
    copi_library_begin();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(begin(&work, NULL), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_uint_eq(copi_thread_count(), 0);
    ck_assert_int_eq(begin(&work, NULL), 0);
    EVENTUALLY(work.is_done);
}

static atomic_bool has_no_attributes;

int real_attributes(pthread_attr_t *out) REAL(pthread_attr_init);
int fail_attributes(pthread_attr_t *out) WRAP(pthread_attr_init);
int
fail_attributes(pthread_attr_t *out)
{
    return has_no_attributes ? ENOMEM : real_attributes(out);
}

TEST(a_thread_that_cannot_be_described_does_not_start)
{
    struct work work = {0};
    copi_library_begin();
    has_no_attributes = true;
    ck_assert_int_eq(begin(&work, NULL), -ENOMEM);
    has_no_attributes = false;
    ck_assert_uint_eq(copi_thread_count(), 0);
    ck_assert(!work.is_done);
    ck_assert_int_eq(begin(&work, NULL), 0);
    EVENTUALLY(work.is_done);
}

TEST(a_stack_of_absurd_size_is_refused)
{
    struct work work = {.job.stack_size = SIZE_MAX};
    ck_assert_int_eq(begin(&work, NULL), -EAGAIN);
    work.job.stack_size = (size_t)1 << 48; /* more than addresses reach */
    ck_assert_int_eq(begin(&work, NULL), -EAGAIN);
    ck_assert_uint_eq(copi_thread_count(), 0);
}

static void
refuse_threads(void)
{
    test_refuse_system_call(SYS_clone3, EAGAIN);
#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs the old one */
    test_refuse_system_call(SYS_clone, EAGAIN);
#endif
}

TEST(when_the_system_has_no_thread_the_start_says_so_and_nothing_is_left)
{
    struct work work = {0};
    finish(NULL);
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    refuse_threads();
    ck_assert_int_eq(begin(&work, NULL), -EAGAIN);
    ck_assert_uint_eq(copi_thread_count(), 0);
    ck_assert(!work.is_done);
}

TEST(a_library_thread_that_the_system_refuses_is_an_error)
{
    struct copi_library_thread thread;
    refuse_threads();
    ck_assert_int_eq(copi_library_thread_start(&thread, "none", NULL, NULL), -EAGAIN);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGTERM)); /* the caller's is as before */
}

/* ---------------------------------------------------------------- the cache */

TEST(a_thread_takes_one_job_after_another)
{
    for (int i = 0; i < 100; i++) {
        finish(NULL);
    }
    ck_assert_uint_le(copi_thread_count(), 5); /* one that is on its way back, and then some */
}

TEST(a_fresh_thread_is_new_and_ends_with_its_job)
{
    struct copi_thread *cached = finish(NULL).thread;
    struct work work = {.job.fresh = true};
    ck_assert_int_eq(begin(&work, NULL), 0);
    EVENTUALLY(work.is_done);
    ck_assert_ptr_ne(work.thread, cached);
    EVENTUALLY(copi_thread_count() == 1);
}

static pthread_key_t key;
static atomic_int destroyed;

static void
destroy(void *value)
{
    (void)value;
    atomic_fetch_add(&destroyed, 1);
}

static void
set_specific(struct work *work)
{
    pthread_setspecific(key, work);
}

TEST(the_thread_specific_destructors_of_a_fresh_thread_run_at_its_end)
{
    struct work work = {.job.fresh = true};
    ck_assert_int_eq(pthread_key_create(&key, destroy), 0);
    ck_assert_int_eq(begin(&work, set_specific), 0);
    EVENTUALLY(destroyed == 1);
    pthread_key_delete(key);
}

static void
retire(struct work *work)
{
    (void)work;
    copi_thread_retire();
}

TEST(a_retired_thread_takes_no_other_job)
{
    finish(retire);
    EVENTUALLY(copi_thread_count() == 0);
}

TEST(a_small_stack_is_not_for_who_does_not_ask_for_a_small_one)
{
    struct work work = {.job.stack_size = 65536};
    ck_assert_int_eq(begin(&work, NULL), 0);
    EVENTUALLY(work.is_done);
    EVENTUALLY(copi_thread_count() == 0);
}

static void
finish_slowly(struct work *work)
{
    copi_thread_finishing();
    atomic_store(&work->found_out, true);
    wait_for_go(work);
}

TEST(who_needs_a_thread_does_not_wait_for_one_that_is_about_to_be_free_but_never_is)
{
    struct work slow = {0}, next = {0};
    ck_assert_int_eq(begin(&slow, finish_slowly), 0);
    EVENTUALLY(slow.found_out);
    ck_assert_int_eq(begin(&next, NULL), 0);
    EVENTUALLY(next.is_done);
    ck_assert_ptr_ne(next.thread, slow.thread);
    atomic_store(&slow.go_on, true);
    EVENTUALLY(slow.is_done);
}

static void
say_that_it_finishes(struct work *work)
{
    (void)work;
    copi_thread_finishing();
}

TEST(jobs_one_after_another_need_no_more_than_a_few_threads)
{
    enum {
        JOBS = 1000
    };
    for (int i = 0; i < JOBS; i++) {
        finish(say_that_it_finishes);
    }
    ck_assert_uint_lt(copi_thread_count(), JOBS / 2);
}

TEST(the_cache_keeps_no_more_than_it_should)
{
    enum {
        JOBS = 160,
        CACHE_MOST = 128
    };
    static struct work works[JOBS];
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(begin(&works[i], wait_for_go), 0);
    }
    ck_assert_uint_ge(copi_thread_count(), JOBS);
    ck_assert_uint_le(copi_thread_count(), JOBS + 1); /* the spare one */
    for (int i = 0; i < JOBS; i++) {
        atomic_store(&works[i].go_on, true);
    }
    EVENTUALLY(copi_thread_count() == CACHE_MOST);
}

TEST(trimming_ends_the_cached_threads_and_joins_them)
{
    unsigned before = test_threads();
    static struct work works[8];
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(begin(&works[i], wait_for_go), 0);
    }
    for (int i = 0; i < 8; i++) {
        atomic_store(&works[i].go_on, true);
    }
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    copi_thread_trim();
    EVENTUALLY(test_threads() == before);
}

static void
note_stack(struct work *work)
{
    work->found = (long)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)4095);
}

TEST(trimming_gives_the_stack_of_the_last_thread_back_too)
{
    struct work work = finish(note_stack);
    union {
        long number;
        void *page;
    } stack = {work.found};
    unsigned char resident;
    ck_assert_int_eq(mincore(stack.page, 4096, &resident), 0);
    EVENTUALLY((copi_thread_trim(), mincore(stack.page, 4096, &resident)) != 0);
}

TEST(trimming_leaves_the_busy_ones_alone)
{
    struct work work = {0};
    ck_assert_int_eq(begin(&work, wait_for_go), 0);
    copi_thread_trim();
    ck_assert_uint_eq(copi_thread_count(), 1);
    atomic_store(&work.go_on, true);
    EVENTUALLY(work.is_done);
}

TEST(waiting_for_all_threads_gives_up_at_the_deadline_and_not_before)
{
    struct work work = {0};
    ck_assert_int_eq(begin(&work, wait_for_go), 0);
    cop_time deadline = copi_deadline(COP_MS(30));
    ck_assert(!copi_thread_drained(0, deadline));
    ck_assert(copi_clock() >= deadline);
    ck_assert(copi_thread_drained(1, 0)); /* one may be left */
    atomic_store(&work.go_on, true);
    ck_assert(copi_thread_drained(0, COP_FOREVER));
    ck_assert(work.is_done);
}

/* ---------------------------------------------------------------- one made ahead */

TEST(where_no_thread_is_to_be_had_none_is_made_ahead_and_nothing_is_left)
{
    finish(NULL);
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    cop_self(); /* is awake */
    EVENTUALLY(copi_threads_awake() == 1);
    refuse_threads();
    copi_thread_make_spare();
    ck_assert_uint_eq(copi_thread_count(), 0);
    ck_assert_uint_eq(copi_threads_awake(), 1);
}

TEST(a_thread_that_was_made_ahead_takes_the_next_job_whether_it_looks_or_sleeps)
{
    for (useconds_t pause = 0; pause < 1000; pause += 20) {
        EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
        usleep(2500); /* so that there is no rush, in which another would be made */
        copi_thread_make_spare();
        ck_assert_uint_eq(copi_thread_count(), 1);
        usleep(pause);
        finish(NULL);
        ck_assert_uint_eq(copi_thread_count(), 1);
    }
}

TEST(a_thread_that_was_made_ahead_and_has_nothing_to_do_is_not_awake)
{
    cop_self(); /* is: the caller */
    copi_thread_make_spare();
    EVENTUALLY(copi_threads_awake() == 1);
    finish(NULL);
    EVENTUALLY(copi_threads_awake() == 1);
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    EVENTUALLY(copi_threads_awake() == 1);
}

TEST(a_thread_that_was_made_ahead_is_trimmed_as_any_other)
{
    copi_library_begin();
    unsigned before = test_threads();
    copi_thread_make_spare();
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    EVENTUALLY(test_threads() == before);
}

TEST(in_a_rush_no_more_than_one_thread_is_made_ahead)
{
    enum {
        JOBS = 64
    };
    static struct work works[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        ck_assert_int_eq(begin(&works[i], wait_for_go), 0);
        ck_assert_uint_ge(copi_thread_count(), i + 1);
        ck_assert_uint_le(copi_thread_count(), i + 2);
    }
    for (int i = 0; i < JOBS; i++) {
        atomic_store(&works[i].go_on, true);
    }
    for (int i = 0; i < JOBS; i++) {
        EVENTUALLY(works[i].is_done);
    }
}

TEST(a_rush_is_a_few_starts_that_come_quickly_one_after_another)
{
    struct copi_rush rush = {0};
    cop_time now = COP_SEC(100);
    ck_assert(!copi_rush_goes_on(&rush, now));
    for (int i = 0; i < 3; i++) {
        ck_assert(!copi_rush_goes_on(&rush, now += COP_US(50)));
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert(copi_rush_goes_on(&rush, now += COP_US(1999)));
    }
    ck_assert(!copi_rush_goes_on(&rush, now += COP_MS(2)));
    ck_assert(!copi_rush_goes_on(&rush, now += COP_US(50)));
}

TEST(starts_at_leisure_are_no_rush)
{
    struct copi_rush rush = {0};
    for (cop_time now = COP_SEC(100); now < COP_SEC(101); now += COP_MS(2)) {
        ck_assert(!copi_rush_goes_on(&rush, now));
    }
}

/* ---------------------------------------------------------------- clean for the next */

static void
block_signals(struct work *work)
{
    (void)work;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void
look_at_signals(struct work *work)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGURG};
    const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        work->found += sigismember(&mask, open[i]) == 0;
        work->found += sigismember(&mask, blocked[i]) == 1;
    }
}

TEST(a_job_starts_with_all_signals_blocked_but_faults_and_the_interrupt)
{
    ck_assert_int_eq(finish(look_at_signals).found, 16);
}

TEST(the_signal_mask_of_the_job_before_is_gone)
{
    ck_assert_int_eq(found_after(block_signals, look_at_signals), 16);
}

static void
set_errno(struct work *work)
{
    (void)work;
    errno = E2BIG;
}

static void
look_at_errno(struct work *work)
{
    work->found = errno;
}

TEST(errno_of_the_job_before_is_gone)
{
    ck_assert_int_eq(found_after(set_errno, look_at_errno), 0);
}

static locale_t other_locale;

static void
set_locale(struct work *work)
{
    (void)work;
    uselocale(other_locale);
}

static void
look_at_locale(struct work *work)
{
    work->found = uselocale((locale_t)0) == LC_GLOBAL_LOCALE;
}

TEST(the_locale_of_the_job_before_is_gone)
{
    other_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ck_assert(other_locale != (locale_t)0);
    ck_assert_int_eq(found_after(set_locale, look_at_locale), 1);
    copi_thread_trim();
    freelocale(other_locale);
}

static void
set_affinity(struct work *work)
{
    (void)work;
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all)) {
        cpu++;
    }
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void
look_at_affinity(struct work *work)
{
    cpu_set_t now;
    sched_getaffinity(0, sizeof now, &now);
    work->found = CPU_COUNT(&now);
}

TEST(the_affinity_of_the_job_before_is_gone)
{
    ck_assert_int_eq(found_after(set_affinity, look_at_affinity), (long)copi_cores());
}

TEST(a_thread_that_was_made_ahead_does_not_have_the_affinity_of_whoever_made_it)
{
    struct work work = {0};
    long cores = (long)copi_cores();
    finish(NULL); /* the program's affinity is noted */
    EVENTUALLY((copi_thread_trim(), copi_thread_count()) == 0);
    set_affinity(NULL);
    copi_thread_make_spare();
    ck_assert_int_eq(begin(&work, look_at_affinity), 0);
    EVENTUALLY(work.is_done);
    ck_assert_int_eq(work.found, cores);
}

TEST(a_new_thread_does_not_have_the_affinity_of_whoever_needed_it)
{
    struct work fresh = {.job.fresh = true};
    long cores = (long)copi_cores();
    finish(NULL); /* the program's affinity is noted */
    set_affinity(NULL);
    ck_assert_int_eq(begin(&fresh, look_at_affinity), 0);
    EVENTUALLY(fresh.is_done);
    ck_assert_int_eq(fresh.found, cores);
}

static void
set_policy(struct work *work)
{
    (void)work;
    struct sched_param param = {0};
    sched_setscheduler(0, SCHED_BATCH, &param);
}

static void
look_at_policy(struct work *work)
{
    work->found = sched_getscheduler(0);
}

TEST(the_scheduling_policy_of_the_job_before_is_gone)
{
    ck_assert_int_eq(found_after(set_policy, look_at_policy), SCHED_OTHER);
}

static void
be_nice(struct work *work)
{
    (void)work;
    setpriority(PRIO_PROCESS, 0, 7);
}

static void
look_at_niceness(struct work *work)
{
    work->found = getpriority(PRIO_PROCESS, 0);
}

TEST(the_niceness_of_the_job_before_is_gone)
{
    if (geteuid() != 0) {
        return; /* nobody else may take it back */
    }
    ck_assert_int_eq(found_after(be_nice, look_at_niceness), getpriority(PRIO_PROCESS, 0));
}

#if defined(__x86_64__)
enum {
    MXCSR_DEFAULT = 0x1f80,
    ROUND_UP = 0x4000,
    X87_DEFAULT = 0x37f
};

static void
set_floating_point(struct work *work)
{
    (void)work;
    unsigned short control = 0x0f7f; /* rounds towards zero */
    __builtin_ia32_ldmxcsr(MXCSR_DEFAULT | ROUND_UP);
    __asm__ __volatile__("fldcw %0" ::"m"(control));
}

static void
look_at_floating_point(struct work *work)
{
    unsigned short control;
    __asm__ __volatile__("fnstcw %0" : "=m"(control));
    work->found = __builtin_ia32_stmxcsr() == MXCSR_DEFAULT && control == X87_DEFAULT;
}

TEST(the_floating_point_environment_of_the_job_before_is_gone)
{
    ck_assert_int_eq(found_after(set_floating_point, look_at_floating_point), 1);
}
#endif

static void
allow_cancellation(struct work *work)
{
    (void)work;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

static void
look_at_cancellation(struct work *work)
{
    int was;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
    work->found = was;
}

TEST(a_job_cannot_be_cancelled)
{
    ck_assert_int_eq(finish(look_at_cancellation).found, PTHREAD_CANCEL_DISABLE);
}

TEST(that_the_job_before_could_be_cancelled_is_gone)
{
    ck_assert_int_eq(found_after(allow_cancellation, look_at_cancellation), PTHREAD_CANCEL_DISABLE);
}

static void
drop_alternate_stack(struct work *work)
{
    (void)work;
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
}

static void
look_at_alternate_stack(struct work *work)
{
    stack_t now;
    sigaltstack(NULL, &now);
    work->found = now.ss_flags & SS_DISABLE ? 0 : (long)now.ss_size;
}

TEST(a_job_has_an_alternate_stack_for_its_faults)
{
    ck_assert_int_ge(finish(look_at_alternate_stack).found, MINSIGSTKSZ);
}

TEST(that_the_job_before_gave_up_its_alternate_stack_is_mended)
{
    ck_assert_int_ge(found_after(drop_alternate_stack, look_at_alternate_stack), MINSIGSTKSZ);
}

#if !defined(__SANITIZE_ADDRESS__) /* it keeps large frames elsewhere */
static atomic_uintptr_t deep_page;

static __attribute__((noinline)) void
use_deep_stack(struct work *work)
{
    enum {
        DEEP = 160 * 1024
    };
    volatile char frame[DEEP];
    frame[0] = 1;
    for (size_t i = 0; i < DEEP; i += 1024) {
        frame[i] = 1;
    }
    atomic_store(&deep_page, ((uintptr_t)&frame[0] + 8192) & ~(uintptr_t)4095);
    work->found = frame[0] == 1;
}

static bool
is_resident(uintptr_t page)
{
    unsigned char resident = 0;
    union {
        uintptr_t number;
        void *address;
    } at = {page};
    ck_assert_int_eq(mincore(at.address, 4096, &resident), 0);
    return resident & 1;
}

TEST(a_cached_thread_gives_the_pages_of_a_deep_stack_back)
{
    finish(use_deep_stack);
    EVENTUALLY(!is_resident(deep_page));
}
#endif

/* ---------------------------------------------------------------- what a thread is */

static void
look_at_guard(struct work *work)
{
    const void *low, *high;
    int here;
    bool ours = copi_thread_guard(&low, &high);
    work->found = ours && (uintptr_t)high - (uintptr_t)low >= 65536
                  && (uintptr_t)__builtin_frame_address(0) > (uintptr_t)high
                  && (void *)&here != low;
}

TEST(a_job_knows_the_guard_below_its_stack)
{
    const void *low, *high;
    ck_assert_int_eq(finish(look_at_guard).found, 1);
    ck_assert(!copi_thread_guard(&low, &high)); /* this one is not ours */
}

static void
take_name(struct work *work)
{
    copi_thread_name("a_name_of_more_than_fifteen");
    wait_for_go(work);
}

static bool
is_called(int number, const char *name)
{
    char path[64], is[32] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/comm", number);
    FILE *file = fopen(path, "re");
    bool same = file && fgets(is, sizeof is, file) && strcmp(is, name) == 0;
    if (file) {
        (void)fclose(file);
    }
    return same;
}

TEST(a_name_is_shown_cut_to_fifteen_characters)
{
    struct work work = {0};
    ck_assert_int_eq(begin(&work, take_name), 0);
    EVENTUALLY(is_called(work.number, "a_name_of_more_\n"));
    atomic_store(&work.go_on, true);
    EVENTUALLY(work.is_done);
}

static int never_ready[2];

static void
read_for_ever(struct work *work)
{
    char byte;
    ssize_t n;
    atomic_store(&work->go_on, true);
    do {
        n = read(never_ready[0], &byte, 1);
    } while (n < 0 && errno != EINTR);
    work->found = n;
}

TEST(an_interrupt_ends_a_system_call_that_blocks)
{
    struct work work = {0};
    ck_assert_int_eq(pipe(never_ready), 0);
    ck_assert_int_eq(begin(&work, read_for_ever), 0);
    EVENTUALLY(work.go_on);
    /* Again and again: the first may come before the read. */
    EVENTUALLY((work.is_done ? (void)0 : copi_thread_interrupt(work.thread), work.is_done));
    ck_assert_int_eq(work.found, -1);
    close(never_ready[0]);
    close(never_ready[1]);
}

static void
say_mask(void *arg)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    int blocked = 0;
    for (int signal = 1; signal < 32; signal++) {
        blocked += signal != SIGKILL && signal != SIGSTOP && sigismember(&mask, signal) == 1;
    }
    *(int *)arg = is_called(gettid(), "a_librarian\n") ? blocked : 0;
}

TEST(a_library_thread_has_its_name_and_blocks_every_signal)
{
    struct copi_library_thread thread;
    int found = 0;
    copi_library_begin();
    ck_assert_int_eq(copi_library_thread_start(&thread, "a_librarian", say_mask, &found), 0);
    copi_library_thread_join(&thread);
    ck_assert_int_eq(found, 29);
}

static void *
be_a_process(void *pid)
{
    *(cop_pid *)pid = cop_self();
    cop_msg msg;
    cop_receive(&msg, SOON);
    return NULL;
}

TEST(a_foreign_thread_ends_its_process_with_itself)
{
    pthread_t thread;
    static cop_pid pid;
    cop_self();
    ck_assert_int_eq(pthread_create(&thread, NULL, be_a_process, &pid), 0);
    EVENTUALLY(__atomic_load_n(&pid.id, __ATOMIC_ACQUIRE) != 0);
    cop_ref monitor = cop_monitor(pid);
    cop_send(pid, COP_TAG(1));
    pthread_join(thread, NULL);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(!cop_alive(pid));
}

static atomic_int own_number;
static char own_name[32];

static int
tell_own_name(cop_bytes arg)
{
    (void)arg;
    prctl(PR_GET_NAME, own_name, 0, 0, 0);
    atomic_store(&own_number, gettid());
    return 0;
}

TEST(the_name_of_the_process_before_is_gone)
{
    cop_ref monitor;
    int number;
    do { /* until the second has had the first one's thread */
        cop_spawn(NULL, tell_own_name, .name = "first", .monitor = &monitor);
        test_down(monitor);
        ck_assert_str_eq(own_name, "first");
        number = own_number;
        cop_spawn(NULL, tell_own_name, .monitor = &monitor);
        test_down(monitor);
        ck_assert_str_ne(own_name, "first");
    } while (own_number != number);
}

static int
sleep_and_tell_own_name(cop_bytes arg)
{
    tell_own_name(arg);
    ck_assert_str_eq(own_name, "cop:process");
    cop_sleep(COP_MS(1));
    return tell_own_name(arg);
}

TEST(a_process_without_a_name_shows_its_pid_when_it_has_slept)
{
    for (int i = 0; i < 3; i++) { /* on a new thread, and on one that shows another's */
        cop_ref monitor;
        char pid[COPI_LABEL_SIZE];
        cop_pid process;
        ck_assert_int_eq(cop_spawn(&process, sleep_and_tell_own_name, .monitor = &monitor), 0);
        copi_label_pid(process, pid);
        test_down(monitor);
        ck_assert_str_eq(own_name, pid);
    }
}

TEST(a_label_is_shown_from_the_beginning)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, tell_own_name, .label = "labelled", .monitor = &monitor), 0);
    test_down(monitor);
    ck_assert_int_eq(strncmp(own_name, "labelled", strlen("labelled")), 0);
}

static void
jump_out(struct work *work)
{
    struct copi_jump start;
    if (copi_jump_here(&start) == 0) {
        copi_jump_to(&start);
    } else {
        work->found = 1;
    }
}

TEST(a_jump_comes_back_to_where_it_was_made)
{
    ck_assert_int_eq(finish(jump_out).found, 1);
}

SUITE("thread")
