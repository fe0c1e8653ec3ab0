/*
 * supervisor/daemon.c - a daemon's main().
 *
 * Room: supervisor/. Knows the runtime. The calling thread; the handlers, on any that the library did
 * not start.
 * Touch freely: the words. Ask first: which end is which exit status: init systems restart by it.
 *
 * A handler counts and writes to an eventfd; the calling thread waits for that and for messages in
 * one wait. Handlers exist only here: no other part of the library touches dispositions but for
 * faults and the interrupt. They are there before the tree starts and until after its last thread
 * is gone, so that a second SIGINT gets through whatever hangs.
 */
#include "runtime/inbox.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/spawner.h"
#include "runtime/wait.h"
#include "supervisor/child.h"
#include "supervisor/hangup.h"
#include "supervisor/manager.h"
#include "supervisor/status.h"

#include <coppice/daemon.h>
#include <coppice/runtime.h>
#include <coppice/signal.h>
#include <coppice/track.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    STATUS_INTERRUPTED = 128 + SIGINT,
};
#define SAME_INTERRUPT  COP_MS(100)
#define STRAYS_SHUTDOWN COP_SEC(5) /* what is in no tree has a worker's usual time */

static void on_stop(int signal);
static void on_interrupt(int signal);
static void on_report(int signal);
static void on_hangup(int signal);
static void on_child(int signal);

static const struct {
    int number;
    void (*handler)(int signal);
} handled[] = {
    {SIGTERM, on_stop},   {SIGINT, on_interrupt}, {SIGHUP, on_hangup},
    {SIGUSR1, on_report}, {SIGPIPE, SIG_IGN},
};
enum {
    HANDLED = sizeof handled / sizeof *handled,
};

static struct {
    /* any thread, atomic */
    copi_atomic32 is_running; /* one cop_run at a time */
    copi_atomic32 stops, reports, hangups;
    copi_atomic64 interrupted; /* when the first SIGINT came; 0: none has */
    /* written before the handlers are there */
    int news; /* an eventfd */
    /* the calling thread only */
    bool adopts_orphans;
    struct sigaction before[HANDLED], child_before;
    sigset_t mask_before;
} service;

/* ---------------------------------------------------------------- handlers */

static void
wake(void)
{
    int kept = errno;
    eventfd_write(service.news, 1);
    errno = kept;
}

static void
on_stop(int signal)
{
    (void)signal;
    copi_fetch_add_32(&service.stops, 1);
    wake();
}

/*
 * One Ctrl-C often comes twice: from the terminal, and from a parent that passes it on (timeout(1), for one).
 * Nobody's finger is that fast.
 */
static void
on_interrupt(int signal)
{
    cop_time now = copi_clock();
    uint64_t first = 0;
    if (copi_cas_64(&service.interrupted, &first, (uint64_t)now)) {
        on_stop(signal);
    } else if (now - (cop_time)first >= SAME_INTERRUPT) {
        _exit(STATUS_INTERRUPTED);
    }
}

static void
on_report(int signal)
{
    (void)signal;
    copi_store_relaxed_32(&service.reports, 1);
    wake();
}

static void
on_hangup(int signal)
{
    (void)signal;
    copi_store_relaxed_32(&service.hangups, 1);
    wake();
}

static void
on_child(int signal)
{
    (void)signal;
    wake();
}

/* ---------------------------------------------------------------- dispositions */

/* Orphans come to pid 1, and to who has asked for them. */
static bool
adopts_orphans(void)
{
    int is_subreaper = 0;
    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper);
}

static void
handle(int number, void (*handler)(int signal), struct sigaction *before)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, before);
}

/* An ignored SIGCHLD, often inherited, would let the kernel throw away how commands ended. */
static void
handle_children(void)
{
    sigaction(SIGCHLD, NULL, &service.child_before);
    if (service.adopts_orphans) {
        handle(SIGCHLD, on_child, NULL);
    } else if (service.child_before.sa_handler == SIG_IGN
               || service.child_before.sa_flags & SA_NOCLDWAIT) {
        handle(SIGCHLD, SIG_DFL, NULL);
    }
}

static void
handle_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    for (size_t i = 0; i < HANDLED; i++) {
        handle(handled[i].number, handled[i].handler, &service.before[i]);
        sigaddset(&wanted, handled[i].number);
    }
    handle_children();
    pthread_sigmask(SIG_UNBLOCK, &wanted,
                    &service.mask_before); /* a parent may have blocked them */
}

static void
restore_signals(void)
{
    pthread_sigmask(SIG_SETMASK, &service.mask_before, NULL);
    sigaction(SIGCHLD, &service.child_before, NULL);
    for (size_t i = 0; i < HANDLED; i++) {
        sigaction(handled[i].number, &service.before[i], NULL);
    }
}

/* ---------------------------------------------------------------- the tree */

static int
fail(const char *what, const cop_reason *reason)
{
    char words[sizeof reason->text], line[sizeof words + 64];
    (void)snprintf(line, sizeof line, "%s: %s", what,
                   cop_reason_string(*reason, words, sizeof words));
    copi_report(COPI_ERROR, "%s", line);
    copi_manager_failed(line);
    return EXIT_FAILURE;
}

/* A call has failed: the reason behind it, or in the child of a fork, which has none, its code. */
static int
fail_call(const char *what, int code)
{
    cop_reason why = cop_why();
    if (why.kind == COP_NORMAL) {
        why = cop_failed(code, NULL);
    }
    return fail(what, &why);
}

/* A supervisor that gives up ends with SHUTDOWN, as in OTP, and says so by the code. */
static bool
gave_up(const cop_reason *reason)
{
    return reason->kind == COP_SHUTDOWN && reason->code == -ENOTRECOVERABLE;
}

static int
status_of(const cop_reason *reason)
{
    if (gave_up(reason)) {
        cop_reason why = cop_failed(reason->code, "reached_max_restart_intensity");
        return fail("the tree gave up", &why);
    }
    return cop_is_crash(*reason) ? fail("the tree ended", reason) : EXIT_SUCCESS;
}

/* Take what has come: true: the tree's end. Nothing else that is sent here is anybody's. */
static bool
take_end(cop_pid root, cop_reason *reason)
{
    cop_msg msg;
    while (cop_receive(&msg, 0) == 0) {
        if (msg.tag == COP_MSG_EXIT) {
            const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
            if (cop_pid_eq(exited->pid, root)) {
                *reason = exited->reason;
                return true;
            }
        }
    }
    return false;
}

/* Or for the next time at which the service manager wants to hear of us. */
static int
pause_for_news(struct copi_process *self)
{
    struct copi_wait wait = COPI_WAIT("signals", copi_manager_attend());
    int r = copi_pause_fd(self, &wait, service.news, POLLIN);
    if (r > 0) {
        eventfd_t count;
        eventfd_read(service.news, &count);
    }
    return r == -ETIMEDOUT ? 0 : r;
}

/*
 * The root is asked to stop as OTP asks one, by its parent's exit signal, so that its end is waited
 * for like any other, with orphans reaped and signals heard. A stop that finds no memory waits for some, as those of
 * children do: it would else be no stop, but an end of everything at once.
 */
static int
pass_on_request(cop_pid root, bool *asked)
{
    if (*asked || copi_load_relaxed_32(&service.stops) == 0) {
        return 0;
    }
    *asked = true;
    copi_manager_stopping();
    return copi_child_signal(root, COP_REASON_SHUTDOWN);
}

static void
take_requests(void)
{
    if (copi_exchange_32(&service.reports, 0)) {
        cop_report_tree();
        cop_report_unsettled();
    }
    if (copi_exchange_32(&service.hangups, 0)) {
        copi_manager_reloading();
        copi_hangup();
        copi_manager_ready();
    }
}

static int
watch(struct copi_process *self, cop_pid root)
{
    bool asked = false;
    int r;
    do {
        cop_reason reason;
        if (service.adopts_orphans) {
            copi_spawner_reap_orphans();
        }
        if (take_end(root, &reason)) {
            return status_of(&reason);
        }
        take_requests();
        r = pass_on_request(root, &asked);
        if (r == 0) {
            r = pause_for_news(self);
        }
    } while (r >= 0);
    return fail_call("cop_run cannot go on", r);
}

/* By a link, which is there before the tree is, so that no end is too early to be heard of. */
static int
run_tree(const cop_supervisor_spec *spec)
{
    struct copi_process *self;
    cop_pid root;
    cop_supervisor_spec linked = spec ? *spec : (cop_supervisor_spec){0};
    linked.link = true;
    int r = copi_enter(&self);
    if (r == 0) {
        r = cop_supervisor_start(&root, spec ? &linked : NULL);
    }
    if (r) {
        return fail_call("the tree did not start", r);
    }
    if (cop_pid_eq(root, COP_NOBODY)) {
        return EXIT_SUCCESS; /* it declined */
    }
    copi_manager_ready();
    return watch(self, root);
}

/* ---------------------------------------------------------------- public */

static int
begin(void)
{
    if (copi_here.thread) {
        return -EDEADLK; /* it would wait for its own end */
    }
    uint32_t idle = 0;
    if (!copi_cas_32(&service.is_running, &idle, 1)) { /* pairs with cop_run's store */
        return -EBUSY;
    }
    service.news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service.news < 0) {
        int r = -errno;
        copi_store_release_32(&service.is_running, 0);
        return r;
    }
    copi_store_relaxed_32(&service.stops, 0);
    copi_store_relaxed_64(&service.interrupted, 0);
    copi_store_relaxed_32(&service.reports, 0);
    copi_store_relaxed_32(&service.hangups, 0);
    service.adopts_orphans = adopts_orphans();
    handle_signals();
    copi_manager_open();
    copi_status_watch(service.news);
    return 0;
}

static void
end(void)
{
    if (service.adopts_orphans) {
        copi_spawner_reap_orphans();
    }
    restore_signals();
    copi_manager_close();
    copi_status_watch(-1);
    close(service.news);
    copi_store_release_32(&service.is_running, 0); /* pairs with begin's exchange */
}

int
cop_run(const cop_supervisor_spec *root)
{
    int r = begin();
    if (r) {
        copi_report(COPI_ERROR, "cop_run: %s", cop_strerror(r));
        return EXIT_FAILURE;
    }
    int status = run_tree(root);
    cop_shutdown(STRAYS_SHUTDOWN);
    end();
    return status;
}
