/*
 * actors/debug.c - what is noted of a server's messages: trace, log, statistics, functions.
 *
 * Room: actors/. Knows the runtime. The server only.
 * Touch freely: the words of the trace. Ask first: the order of functions; it is OTP's.
 *
 * All of it hangs on self->debug, which is there only while something is on: so a server that nobody
 * watches pays one look at a pointer for each message. It is the process's memory and goes with it.
 *
 * A function of the user's runs caught: what it fails with is its own, and it is removed. While one
 * runs nothing is noted, so that a function that answers does not see itself.
 */
#include "actors/debug.h"

#include "runtime/inspect.h"
#include "runtime/memory.h"
#include "runtime/report.h"

#include <errno.h>
#include <stdio.h>

struct installed {
    struct installed *older;
    cop_sys_fn fn;
    _Alignas(8) unsigned char own[];
};

struct copi_debug {
    bool is_traced, counts_on, busy;
    cop_sys_counts counts;
    cop_sys_event *log; /* a ring; the newest is before `next` */
    size_t log_size, log_count, log_next;
    struct installed *newest;
};

/* ---------------------------------------------------------------- turning on and off */

static struct copi_debug *
debug_of(struct copi_process *self)
{
    if (!self->debug) {
        self->debug = copi_memory_new(self, sizeof *self->debug);
    }
    return self->debug;
}

static void
drop_if_all_is_off(struct copi_process *self)
{
    const struct copi_debug *debug = self->debug;
    if (debug && !debug->is_traced && !debug->counts_on && !debug->log && !debug->newest) {
        cop_free(self->debug);
        self->debug = NULL;
    }
}

int
copi_debug_trace(struct copi_process *self, bool on)
{
    struct copi_debug *debug = on ? debug_of(self) : self->debug;
    if (debug) {
        debug->is_traced = on;
    }
    drop_if_all_is_off(self);
    return on && !debug ? -ENOMEM : 0;
}

int
copi_debug_count(struct copi_process *self, bool on)
{
    struct copi_debug *debug = on ? debug_of(self) : self->debug;
    if (debug && on && !debug->counts_on) {
        debug->counts = (cop_sys_counts){.since = cop_now()};
    }
    if (debug) {
        debug->counts_on = on;
    }
    drop_if_all_is_off(self);
    return on && !debug ? -ENOMEM : 0;
}

static int
resize_log(struct copi_process *self, size_t places)
{
    struct copi_debug *debug = debug_of(self);
    cop_sys_event *log = debug ? copi_memory_new(self, places * sizeof *log) : NULL;
    if (!log) {
        return -ENOMEM;
    }
    size_t kept = debug->log_count < places ? debug->log_count : places;
    copi_debug_copy_log(self, log, kept);
    cop_free(debug->log);
    debug->log = log;
    debug->log_size = places;
    debug->log_count = kept;
    debug->log_next = kept % places;
    return 0;
}

static void
drop_log(struct copi_debug *debug)
{
    cop_free(debug->log);
    debug->log = NULL;
    debug->log_size = debug->log_count = debug->log_next = 0;
}

int
copi_debug_log(struct copi_process *self, size_t places)
{
    int r = 0;
    if (places > 0) {
        r = resize_log(self, places);
    } else if (self->debug) {
        drop_log(self->debug);
    }
    drop_if_all_is_off(self);
    return r;
}

static struct installed **
find(struct copi_debug *debug, cop_sys_fn fn)
{
    struct installed **link = &debug->newest;
    while (*link && (*link)->fn != fn) {
        link = &(*link)->older;
    }
    return link;
}

static int
install(struct copi_process *self, cop_sys_fn fn, cop_bytes own)
{
    struct copi_debug *debug = debug_of(self);
    if (debug && *find(debug, fn)) {
        return 0;
    }
    struct installed *new = debug ? copi_memory_new(self, sizeof *new + own.size) : NULL;
    if (!new) {
        return -ENOMEM;
    }
    new->fn = fn;
    if (own.size > 0) {
        memcpy(new->own, own.data, own.size);
    }
    new->older = debug->newest;
    debug->newest = new;
    return 0;
}

int
copi_debug_install(struct copi_process *self, cop_sys_fn fn, cop_bytes own)
{
    int r = install(self, fn, own);
    drop_if_all_is_off(self);
    return r;
}

static void
take_off(struct installed **link)
{
    struct installed *gone = *link;
    *link = gone->older;
    cop_free(gone);
}

void
copi_debug_remove(struct copi_process *self, cop_sys_fn fn)
{
    struct installed **link = self->debug ? find(self->debug, fn) : NULL;
    if (link && *link) {
        take_off(link);
    }
    drop_if_all_is_off(self);
}

void
copi_debug_remove_all(struct copi_process *self)
{
    struct copi_debug *debug = self->debug;
    if (debug) {
        while (debug->newest) {
            take_off(&debug->newest);
        }
        drop_log(debug);
        debug->is_traced = debug->counts_on = false;
    }
    drop_if_all_is_off(self);
}

/* ---------------------------------------------------------------- what was noted */

int
copi_debug_counts(const struct copi_process *self, cop_sys_counts *out)
{
    if (!self->debug || !self->debug->counts_on) {
        return -ENODATA;
    }
    *out = self->debug->counts;
    out->now = cop_now();
    return 0;
}

size_t
copi_debug_log_count(const struct copi_process *self)
{
    return self->debug ? self->debug->log_count : 0;
}

void
copi_debug_copy_log(const struct copi_process *self, cop_sys_event *out, size_t count)
{
    const struct copi_debug *debug = self->debug;
    for (size_t i = 0; i < count; i++) {
        out[i] = debug->log[(debug->log_next + debug->log_size - count + i) % debug->log_size];
    }
}

void
copi_debug_describe(const struct copi_process *self, cop_sys_status *status)
{
    const struct copi_debug *debug = self->debug;
    if (debug) {
        status->is_traced = debug->is_traced;
        status->has_statistics = debug->counts_on;
        status->log_size = debug->log_size;
        for (const struct installed *i = debug->newest; i; i = i->older) {
            status->functions++;
        }
    }
}

/* ---------------------------------------------------------------- noting */

static void
count(cop_sys_counts *counts, cop_sys_event_kind kind)
{
    switch (kind) {
    case COP_SYS_CALL:
    case COP_SYS_CAST:
    case COP_SYS_INFO:
        counts->messages_in++;
        break;
    case COP_SYS_REPLY:
        counts->messages_out++;
        break;
    case COP_SYS_CONTINUE:
    case COP_SYS_HANDLED:
        break;
    }
}

static void
keep(struct copi_debug *debug, const cop_sys_event *event)
{
    cop_sys_event *kept = &debug->log[debug->log_next];
    *kept = *event;
    kept->body.data = NULL;
    kept->state.data = NULL;
    debug->log_next = (debug->log_next + 1) % debug->log_size;
    debug->log_count += debug->log_count < debug->log_size;
}

/* That a callback has returned is not shown. */
static const char *const did[] = {
    [COP_SYS_CALL] = "got call",           [COP_SYS_CAST] = "got cast",  [COP_SYS_INFO] = "got",
    [COP_SYS_CONTINUE] = "continues with", [COP_SYS_REPLY] = "answered",
};

static void
show(struct copi_process *self, const cop_sys_event *event)
{
    char mine[COPI_LABEL_SIZE], theirs[COPI_LABEL_SIZE], tag[COPI_TAG_SIZE];
    bool has_peer = event->peer.id != 0;
    const char *whose = event->kind == COP_SYS_REPLY ? " to " : " from ";
    copi_report(COPI_NOTICE, "%s %s %s (%zu bytes)%s%s", copi_label(self, mine), did[event->kind],
                copi_tag_in_words(event->tag, tag), event->body.size, has_peer ? whose : "",
                has_peer ? copi_label_pid(event->peer, theirs) : "");
}

struct showing {
    struct installed *to;
    const cop_sys_event *event;
    bool goes_on;
};

static void
run(void *arg)
{
    struct showing *showing = arg;
    showing->goes_on = showing->to->fn(showing->to->own, showing->event);
}

/* It may be in the middle of a callback, whose name and whose beginning are not to be lost. */
static void
run_functions(struct copi_process *self, const cop_sys_event *event)
{
    struct copi_debug *debug = self->debug;
    const char *callback = copi_load_relaxed_ptr(&self->callback);
    uint64_t since = copi_load_relaxed_64(&self->since), dated = copi_load_relaxed_64(&self->dated);
    struct installed **link = &debug->newest;
    copi_callback_begin(self, "debug");
    debug->busy = true;
    while (*link) {
        struct showing showing = {.to = *link, .event = event};
        cop_reason ignored;
        if (copi_run_caught(self, run, &showing, &ignored) && showing.goes_on) {
            link = &(*link)->older;
        } else {
            take_off(link);
        }
    }
    debug->busy = false;
    copi_callback_begin(self, callback);
    copi_store_relaxed_64(&self->since, since);
    copi_store_relaxed_64(&self->dated, dated);
}

static cop_bytes
state_of(const struct copi_process *self)
{
    return (cop_bytes){self->shown.data, self->shown.size};
}

void
copi_debug_note(struct copi_process *self, cop_sys_event_kind kind, cop_pid peer,
                const cop_msg *msg)
{
    struct copi_debug *debug = self->debug;
    if (debug->busy) {
        return;
    }
    cop_sys_event event = {
        .kind = kind,
        .tag = msg->tag,
        .peer = peer,
        .when = cop_now(),
        .body = msg->body,
        .state = state_of(self),
    };
    bool is_message = kind != COP_SYS_HANDLED;
    if (debug->counts_on) {
        count(&debug->counts, kind);
    }
    if (debug->log && is_message) {
        keep(debug, &event);
    }
    if (debug->is_traced && is_message) {
        show(self, &event);
    }
    if (debug->newest) {
        run_functions(self, &event);
        drop_if_all_is_off(self);
    }
}
