/*
 * coppice/dictionary.h - the process dictionary: what a library keeps in the process that calls it.
 *
 * For what has to be found from anywhere in a process and is nobody's argument: a request's number for
 * the log, a connection that is made at its first use. State of an actor belongs in its state.
 *
 * A key is an address that is nobody else's: that of a static object. What it is does not matter.
 *
 *     static const char trace_key;
 *     cop_put(&trace_key, trace, free_trace);
 *     struct trace *trace = cop_get(&trace_key);
 *
 * A process sees its own only. Made for a handful of keys: it is searched from end to end.
 *
 * Threads: any; one that the library did not start has a dictionary until it ends.  None of the
 * functions blocks or is an exit point.
 */
#ifndef COPPICE_DICTIONARY_H
#define COPPICE_DICTIONARY_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Keep a value under a key; Process.put.
 *
 * What was there is dropped: drop(value), if it had one. So is what is there when the process ends,
 * however it ends: last put, first dropped, after the deferred calls of the process and before its
 * memory is freed. A drop function may use the dictionary; a cop_exit in it takes effect at the
 * process's next exit point.
 *
 *   value   not NULL. The same value again: nothing is dropped, `drop` is changed
 *   drop    NULL: the value is somebody else's, or needs nothing
 *
 * -EINVAL   no key, no value
 * -ENOMEM   nothing changed, and the value is still the caller's
 */
COP_API int cop_put(const void *key, void *value, void (*drop)(void *value));

/* The value under a key; Process.get. NULL: none. It stays the dictionary's. */
COP_API void *cop_get(const void *key);

/* Take the value out; Process.delete. It is the caller's, who drops it. NULL: there is none. */
COP_API void *cop_erase(const void *key);

#ifdef __cplusplus
}
#endif
#endif
