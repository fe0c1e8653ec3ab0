/*
 * coppice.h - actors, genservers, agents and supervisors for C: OTP's designs on threads.
 *
 * Habits that hold in every header below:
 *   - A function that can fail returns 0 or a negative errno value; results leave through
 *     pointers and are written on success only. cop_strerror() says a code in words, cop_why()
 *     holds the whole reason of the calling process's last failure.
 *   - Bytes cross an actor's border by copy, or by an explicit move with a drop function.
 *   - Options are keyword arguments: cop_spawn(&pid, run, .name = "n"). Zero means the default, and NULL,
 *     for the function behind the macro, that all are.
 *   - Durations are cop_time, in nanoseconds: COP_MS(50), COP_SEC(5), COP_FOREVER.
 *   - "Exit point: yes" marks the functions in which the calling process may end; it ends in no
 *     others. See coppice/process.h.
 *   - Any thread may call any function. A thread that the library did not start becomes a process
 *     of its own at its first call that needs one. No function may be called from a signal
 *     handler, and none in the child of a fork that does not exec (-EPERM).
 *   - C++17 has the functions, types and constants, the durations, COP_OUT, COP_BODY and COP_MESSAGE.
 *     Macros that make a value or take options are C's: there one sets members, and calls the function
 *     behind the macro, such as cop_spawn_with. An exit jumps over destructors, as longjmp does.
 */
#ifndef COPPICE_H
#define COPPICE_H

#include <coppice/agent.h>
#include <coppice/base.h>
#include <coppice/chain.h>
#include <coppice/context.h>
#include <coppice/daemon.h>
#include <coppice/dictionary.h>
#include <coppice/durable.h>
#include <coppice/fire.h>
#include <coppice/flight.h>
#include <coppice/future.h>
#include <coppice/genserver.h>
#include <coppice/group.h>
#include <coppice/inspect.h>
#include <coppice/io.h>
#include <coppice/log.h>
#include <coppice/memory.h>
#include <coppice/message.h>
#include <coppice/metrics.h>
#include <coppice/name.h>
#include <coppice/observe.h>
#include <coppice/partition.h>
#include <coppice/pg.h>
#include <coppice/pipeline.h>
#include <coppice/port.h>
#include <coppice/process.h>
#include <coppice/random.h>
#include <coppice/reason.h>
#include <coppice/recorder.h>
#include <coppice/registry.h>
#include <coppice/retry.h>
#include <coppice/runtime.h>
#include <coppice/signal.h>
#include <coppice/socket.h>
#include <coppice/statem.h>
#include <coppice/store.h>
#include <coppice/stream.h>
#include <coppice/supervisor.h>
#include <coppice/sys.h>
#include <coppice/task.h>
#include <coppice/task_supervisor.h>
#include <coppice/timer.h>
#include <coppice/track.h>
#include <coppice/worker.h>

#endif
