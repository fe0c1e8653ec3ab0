/*
 * coppice/name.h - names for processes: Process.register, whereis, and sending to a name.
 *
 * A name is 1 to 63 bytes. As an Erlang atom it is never forgotten: programs that make up names
 * without end grow without end.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_NAME_H
#define COPPICE_NAME_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Give a process a name. It is free again when the process ends, before its links and monitors are
 * told.
 *
 * -EEXIST    somebody has it
 * -EALREADY  the process has a name
 * -ESRCH     no such process
 * -EINVAL    not a name
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_register(const char *name, cop_pid pid);

/* Take a name back; Process.unregister. -ENOENT: nobody has it. */
COP_API int cop_unregister(const char *name);

/* Who has the name now, or COP_NOBODY; Process.whereis. */
COP_API cop_pid cop_whereis(const char *name);

/*
 * A pid that stands for the name and is resolved at each use, so that it outlives restarts.
 * COP_NOBODY for what is not a name, or when out of memory.
 */
COP_API cop_pid cop_named(const char *name);

#ifdef __cplusplus
}
#endif
#endif
