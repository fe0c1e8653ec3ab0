/*
 * runtime/fault.c - what happens when a process hits a fault.
 *
 * Room: runtime/. In a signal handler, on the thread's alternate stack.
 * Touch freely: the report's words. Ask first: what may be contained; each condition was paid for.
 *
 * A fault is a bug, and dying well is the default: a report with nothing but write(2), then whoever
 * had the signal before us, then death by that signal where it happened, so that the core shows it.
 *
 * Containment is asked for, by process or for the program, and even then only when all of this holds:
 *
 *   - the kernel raised the signal for an instruction of this thread (not kill(2), never SIGABRT);
 *   - the process is in a callback of the user's, and nothing holds its end back: not in a deferred
 *     call, in terminate, in a drop function;
 *   - the program counter is in the main program's own code, not in the runtime's, which has a section
 *     of its own, also when linked statically, and not in libc: a fault inside malloc leaves its lock
 *     held, and every other thread would hang. For a call through a null pointer the return address
 *     counts;
 *   - the program is linked dynamically: else libc's code cannot be told from the user's.
 *
 * Then the process leaves by the same door as cop_exit: its deferred calls run here, over the frames
 * that faulted, and then it jumps. A second fault on the way is not contained. An overflow of the
 * stack is a fault in the guard below it, and differs in nothing, because we stand on the alternate
 * stack.
 */
#include "runtime/fault.h"

#include "runtime/exit.h"
#include "runtime/name.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/table.h"
#include "runtime/trace.h"

#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum {
    SIGNALS = sizeof signals / sizeof *signals,
    RANGES = 8,
    FRAMES = 48,
};

struct range {
    uintptr_t start, end;
};

/* Written once, before the handlers are there. */
static struct {
    struct sigaction before[SIGNALS];
    struct range own[RANGES]; /* the main program's code */
    unsigned own_count;
    bool is_dynamic;
} fault;

static copi_atomic32 contain_by_default, contained;

void
cop_contain_faults(bool on)
{
    copi_store_relaxed_32(&contain_by_default, on);
}

bool
copi_fault_contained_by_default(void)
{
    return copi_load_relaxed_32(&contain_by_default);
}

unsigned
cop_tainted(void)
{
    return copi_load_relaxed_32(&contained);
}

/* ---------------------------------------------------------------- where it happened */

static uintptr_t
program_counter(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static uintptr_t
return_address(const ucontext_t *context)
{
#if defined(__x86_64__)
    return *(const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.regs[30];
#else
    (void)context;
    return 0;
#endif
}

static bool
is_application(uintptr_t pc)
{
    if (!fault.is_dynamic || copi_is_runtime(pc)) {
        return false;
    }
    for (unsigned i = 0; i < fault.own_count; i++) {
        if (pc >= fault.own[i].start && pc < fault.own[i].end) {
            return true;
        }
    }
    return false;
}

/* The first object is the main program. */
static int
look_at_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_INTERP) {
            fault.is_dynamic = true;
        }
        if (part->p_type == PT_LOAD && part->p_flags & PF_X && fault.own_count < RANGES) {
            uintptr_t start = info->dlpi_addr + part->p_vaddr;
            fault.own[fault.own_count++] = (struct range){start, start + part->p_memsz};
        }
    }
    return 1;
}

/* ---------------------------------------------------------------- the report */

struct text {
    char bytes[4096];
    size_t used;
};

static void
add(struct text *text, const char *string)
{
    while (*string && text->used < sizeof text->bytes) {
        text->bytes[text->used++] = *string++;
    }
}

static void
add_number(struct text *text, uint64_t value, unsigned base)
{
    char digits[24], *at = digits + sizeof digits;
    *--at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    add(text, at);
}

static void
flush(struct text *text)
{
    for (size_t done = 0; done < text->used;) {
        ssize_t n = write(STDERR_FILENO, text->bytes + done, text->used - done);
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    text->used = 0;
}

/* Names are never forgotten and labels always terminated, so they can be read without their locks. */
static void
add_process(struct text *text, const struct copi_process *process)
{
    const char *name = copi_name_peek(process);
    if (name) {
        add(text, name);
    } else {
        add(text, process->title->label);
        add(text, "<");
        add_number(text, process->index, 10);
        add(text, ".");
        add_number(text, copi_load_relaxed_32(&process->generation), 10);
        add(text, ">");
    }
}

static void
add_place_in_tree(struct text *text, const struct copi_process *process)
{
    enum {
        DEEPEST = 16
    };
    for (int depth = 0; depth < DEEPEST; depth++) {
        process = copi_table_find(copi_parent(process));
        if (!process) {
            return;
        }
        add(text, depth == 0 ? ", started by " : ", by ");
        add_process(text, process);
    }
}

static void
add_actor(struct text *text, struct copi_process *self)
{
    add(text, "coppice:   in ");
    if (!self) {
        add(text, "a thread without a process\n");
        return;
    }
    add(text, self->behaviour->kind);
    add(text, " ");
    add_process(text, self);
    add_place_in_tree(text, self);
    const char *callback = copi_load_relaxed_ptr(&self->callback);
    add(text, "\ncoppice:   in ");
    add(text, callback ? callback : "the library");
    const struct copi_message *message = self->current ? self->current : self->received;
    if (message) {
        add(text, ", with message ");
        add_number(text, message->tag, 10);
        add(text, " in hand");
    }
    cop_time since = (cop_time)copi_load_relaxed_64(&self->since);
    if (since) {
        cop_time age = copi_clock_coarse() - since;
        add(text, ", for ");
        add_number(text, age > 0 ? (uint64_t)(age / COP_MS(1)) : 0, 10);
        add(text, " ms");
    }
    add(text, "\n");
}

static void
add_frame(struct text *text, uintptr_t pc)
{
    char words[COPI_FRAME_SIZE];
    copi_frame_in_words(pc, words);
    add(text, "coppice:     ");
    add(text, words);
    add(text, "\n");
    flush(text);
}

/* The frames above the handler's own, from where it happened. */
static void
add_stack(struct text *text, uintptr_t pc, const ucontext_t *context)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES), first = 0;
    while (first < count && (uintptr_t)frames[first] != pc) {
        first++;
    }
    if (first == count) { /* it jumped to nowhere: show whence */
        add_frame(text, pc);
        add_frame(text, return_address(context));
    }
    for (int i = first; i < count; i++) {
        add_frame(text, (uintptr_t)frames[i]);
    }
}

static bool
is_in_guard(const void *address)
{
    const void *low, *high;
    return copi_thread_guard(&low, &high) && address >= low && address < high;
}

static void
report(int signal, const siginfo_t *info, const ucontext_t *context, bool is_contained)
{
    struct text text = {.used = 0};
    add(&text, is_contained ? "coppice: contained fault: " : "coppice: fault: ");
    add(&text, copi_fault_name(signal));
    if (info->si_code > 0) {
        add(&text, " at address 0x");
        add_number(&text, (uintptr_t)info->si_addr, 16);
        add(&text, is_in_guard(info->si_addr) ? " (the stack overflowed)\n" : "\n");
    } else {
        add(&text, " sent by somebody\n");
    }
    add_actor(&text, copi_here.process);
    flush(&text);
    add_stack(&text, program_counter(context), context);
}

/* ---------------------------------------------------------------- the handler */

static bool
may_contain(const struct copi_process *self, const siginfo_t *info, const ucontext_t *context)
{
    if (!self || !self->contain_faults || !self->jump || info->si_code <= 0) {
        return false;
    }
    if (!self->in_user_code || self->held > 0 || self->contained
        || copi_load_relaxed_32(&self->life) != COPI_ALIVE) {
        return false;
    }
    uintptr_t pc = program_counter(context);
    bool jumped_away =
        pc == (uintptr_t)info->si_addr && !is_application(pc) && !copi_is_runtime(pc);
    return is_application(jumped_away ? return_address(context) : pc);
}

static void
contain(struct copi_process *self, int signal)
{
    copi_fetch_add_32(&contained, 1);
    self->contained = true;
    self->left_by_exit = false;
    self->reasons->end = (cop_reason){.kind = COP_FAULTED, .code = signal};
    struct text text = {.used = 0};
    add(&text, "{fault,");
    add(&text, copi_fault_name(signal));
    add(&text, "}");
    memcpy(self->reasons->end.text, text.bytes, text.used); /* which was zeroed */
    copi_exit_now(self);
}

static const struct sigaction *
handler_before(int signal)
{
    int i = 0;
    while (i < SIGNALS - 1 && signals[i] != signal) { /* of another we hear nothing */
        i++;
    }
    return &fault.before[i];
}

static void
pass_on(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *before = handler_before(signal);
    if (before->sa_flags & SA_SIGINFO && before->sa_sigaction) {
        before->sa_sigaction(signal, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(signal);
    }
    /* Back to the instruction that faulted, which kills this time; what was sent is sent again. */
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
    if (info->si_code <= 0) {
        (void)raise(signal);
    }
}

static void
on_fault(int signal, siginfo_t *info, void *context)
{
    struct copi_process *self = copi_here.process;
    bool is_contained = may_contain(self, info, context);
    copi_record_note(self, COP_RECORD_FAULT, COP_NOBODY, 0, signal, NULL);
    report(signal, info, context, is_contained);
    if (is_contained) {
        contain(self, signal);
    }
    pass_on(signal, info, context);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define UNDER_SANITIZER 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#  define UNDER_SANITIZER 1
# endif
#endif

#ifdef UNDER_SANITIZER
/* A sanitizer has handlers before main. They would exit with a status instead of the signal. */
static struct sigaction of_sanitizer[SIGNALS];

__attribute__((constructor)) static void
remember_sanitizer(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &of_sanitizer[i]);
    }
}

static void
forget_sanitizer(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        if (fault.before[i].sa_sigaction == of_sanitizer[i].sa_sigaction) {
            fault.before[i] = (struct sigaction){.sa_handler = SIG_DFL};
        }
    }
}
#else
static void
forget_sanitizer(void)
{
}
#endif

void
copi_fault_install(void)
{
    dl_iterate_phdr(look_at_program, NULL);
    void *frame;
    backtrace(&frame, 1); /* loads the unwinder now, and not in the handler */

    struct sigaction action = {
        .sa_sigaction = on_fault,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
    };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &action, &fault.before[i]);
    }
    forget_sanitizer();
}
