/*
 * runtime/recorder.h - the flight recorder: each process writes down what it does.
 *
 * Room: runtime/. What a process does: itself, of itself.
 */
#ifndef COPI_RUNTIME_RECORDER_H
#define COPI_RUNTIME_RECORDER_H

#include "runtime/message.h"
#include "runtime/process.h"

#include <coppice/recorder.h>
#include <coppice/runtime.h>

/* ---------------------------------------------------------------- the recorder */

/* Before the first process: record into that file. COPPICE_RECORDER decides where it is set. As
 * cop_configure. */
int copi_recorder_configure(const cop_config *config);

/* The library begins: nobody may have configured it. */
void copi_recorder_begin(void);

/* Nothing of the library's runs any more: whoever reads the file sees that it has ended in order. */
void copi_recorder_stop(void);

/* A tag has got its name, the `number`-th. One after the other. */
void copi_recorder_tag(uint32_t number, uint32_t tag, const char *name);

/* ---------------------------------------------------------------- a process's ring */

/* It begins: it gets a ring, if there is one. */
void copi_recorder_enter(struct copi_process *self);

/* It is over: the ring may be another's, but late. */
void copi_recorder_leave(struct copi_process *self);

/* It has a name. Whoever gives it, while it cannot end: under name.c's lock. */
void copi_recorder_name(struct copi_process *process, const char *name);

/* It has turned out to be something else than its behaviour says. */
void copi_recorder_kind(struct copi_process *self, const char *kind);

/* By whom it is ended, who is not itself: its thread may still write. */
void copi_recorder_disowned(struct copi_process *process);

/* ---------------------------------------------------------------- what it does */

/* Whether it is recorded: one load of a line that each message touches. */
static inline bool
copi_is_recorded(const struct copi_process *process)
{
    return copi_load_relaxed_ptr(&process->ring) != NULL;
}

/* All below: only of one that is. */
void copi_recorder_message(struct copi_process *self, const struct copi_message *message);
void copi_recorder_event(struct copi_process *self, cop_record_kind kind, uint32_t tag);
void copi_recorder_verdict(struct copi_process *self,
                           cop_verdict verdict); /* of what was in hand */
void copi_recorder_idle(struct copi_process *self);
void copi_recorder_wait_begin(struct copi_process *self, const char *in);
void copi_recorder_wait_end(struct copi_process *self);
void copi_recorder_note(struct copi_process *self, cop_record_kind kind, cop_pid other,
                        uint32_t tag, int code, const char *text);

/* It takes a message in hand. */
static inline void
copi_record_message(struct copi_process *self, const struct copi_message *message)
{
    if (copi_is_recorded(self)) {
        copi_recorder_message(self, message);
    }
}

/* A server's callback is called for something that is no message: a token, a timeout. */
static inline void
copi_record_event(struct copi_process *self, cop_record_kind kind, uint32_t tag)
{
    if (copi_is_recorded(self)) {
        copi_recorder_event(self, kind, tag);
    }
}

/* What was in hand is done with, and nothing else is there. */
static inline void
copi_record_idle(struct copi_process *self)
{
    if (copi_is_recorded(self)) {
        copi_recorder_idle(self);
    }
}

/* It sleeps. */
static inline void
copi_record_wait_begin(struct copi_process *self, const char *in)
{
    if (copi_is_recorded(self)) {
        copi_recorder_wait_begin(self, in);
    }
}

static inline void
copi_record_wait_end(struct copi_process *self)
{
    if (copi_is_recorded(self)) {
        copi_recorder_wait_end(self);
    }
}

/* Anything else. text: NULL: none. */
static inline void
copi_record_note(struct copi_process *self, cop_record_kind kind, cop_pid other, uint32_t tag,
                 int code, const char *text)
{
    if (self && copi_is_recorded(self)) {
        copi_recorder_note(self, kind, other, tag, code, text);
    }
}

/* It ends. */
static inline void
copi_record_exit(struct copi_process *self, const cop_reason *reason)
{
    copi_record_note(self, COP_RECORD_EXIT, COP_NOBODY, (uint32_t)reason->kind, reason->code,
                     reason->text);
}

#endif
