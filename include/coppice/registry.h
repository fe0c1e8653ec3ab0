/*
 * coppice/registry.h - registries: processes, and values of theirs, under keys. Elixir's Registry.
 *
 * A process registers itself, under as many keys as it likes, and anybody looks it up. A unique
 * registry has at most one process under a key, and can serve as names for processes (.via in
 * cop_start_opts); a duplicate one has any number, each any number of times: what one publishes and
 * subscribes with. Keys and values are opaque bytes of any size, copied; keys are the same when their
 * bytes are.
 *
 * How an entry goes: with its process, however that ends. From the moment at which anybody can have
 * been told of the end, by a DOWN say, no entry of it is given out any more.
 *
 * A registry that crashes takes those who are registered with it, as Elixir's does, so that nobody
 * believes to be found who is not: a process is linked to the part of the registry that holds its key,
 * until it has unregistered. So start a registry before those who use it, and stop it after them: they
 * get its exit signal, SHUTDOWN when it is stopped. One that traps exits gets COP_MSG_EXIT, and is
 * registered no more.
 *
 * Whoever looks something up does so in its own process: it waits for nobody, but for a lock that is
 * held for a moment and never while a function of the user's runs. Functions that are given entries get
 * a picture of one moment; what happens meanwhile is not in it. With several partitions, which keep
 * those who look out of each other's way, it is a moment for each. They may call anything, also end the
 * process.
 *
 * A registry is found by its name. As all names, those of registries are never forgotten.
 *
 * Errors of all functions:
 *
 * -ESRCH    no such registry, or it is just starting or ending: "unknown registry: NAME"
 * -EINVAL   no name, bytes without data
 * -ENOMEM   nothing changed
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_REGISTRY_H
#define COPPICE_REGISTRY_H

#include <coppice/message.h>
#include <coppice/process.h>
#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_registry_kind {
    COP_REGISTRY_UNIQUE,
    COP_REGISTRY_DUPLICATE,
} cop_registry_kind;

enum {
    COP_REGISTRY_PARTITIONS_MAX = 256
};

typedef struct cop_registry_spec {
    const char *name; /* required. The registry's process has it, too */
    cop_registry_kind kind;
    size_t partitions; /* 0: 1; at most COP_REGISTRY_PARTITIONS_MAX. A process each */
    bool link;         /* to the caller */
    /* Names of processes that get COP_MSG_REGISTRY for whatever is registered and unregistered, NULL
     * at the end. Who does not have its name at that moment gets nothing. */
    const char *const *listeners;
    void *reserved[4];
} cop_registry_spec;

/*
 * Start a registry; Registry.start_link (with .link). It is a supervisor (one_for_all), and its
 * partitions are its children: cop_supervisor_children shows them. What it held is gone when it is
 * restarted, or a partition is. It is stopped with cop_supervisor_stop.
 *
 *   out    the registry's process; NULL: not wanted
 *   spec   copied
 *
 * -EINVAL   no name, or one that is no name; an unknown kind; too many partitions
 * -EEXIST   the name is taken; *out is who has it
 * Other errors as cop_supervisor_start.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_registry_start(cop_pid *out, const cop_registry_spec *spec);

/*
 * A registry as a supervisor's child, with its name as id; Registry.child_spec.
 *
 *   spec   borrowed for as long as the tree may start it, with what it points to; .link is not looked at
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_registry_child(const cop_registry_spec *spec);

/* ---------------------------------------------------------------- registering */

/*
 * Register the calling process under a key; Registry.register.
 *
 *   value   {NULL, 0}: none
 *
 * -EEXIST      of a unique registry: somebody has the key, maybe the caller; nothing changed. cop_why()
 *              is "already_registered", cop_registry_whereis tells who
 * -ECANCELED   the caller has ended
 */
COP_API int cop_registry_register(const char *registry, cop_bytes key, cop_bytes value);

/* Remove all registrations of the calling process under a key; Registry.unregister. 0 also when there
 * are none. */
COP_API int cop_registry_unregister(const char *registry, cop_bytes key);

/*
 * Another value; Registry.update_value. Nobody but the process itself changes its value, so it may be
 * read before.
 *
 * -ENOENT       the calling process is not registered under the key
 * -EOPNOTSUPP   a duplicate registry
 */
COP_API int cop_registry_update_value(const char *registry, cop_bytes key, cop_bytes value);

/* ---------------------------------------------------------------- looking up */

/* One registration. The bytes are 8-aligned and borrowed for the call; `data` is not NULL. */
typedef struct cop_registry_entry {
    cop_pid pid;
    cop_bytes key, value;
} cop_registry_entry;

/* Called for each entry. As a visitor: whether to go on; as a predicate: whether it matches. */
typedef bool (*cop_registry_fn)(const cop_registry_entry *entry, void *env);

/*
 * Who has the key of a unique registry; Registry.whereis_name. COP_NOBODY: nobody, or cop_why(): -ESRCH,
 * -EOPNOTSUPP for a duplicate registry. To be used in place: cop_call(cop_registry_whereis(r, k), ...).
 */
COP_API cop_pid cop_registry_whereis(const char *registry, cop_bytes key);

/*
 * The value under the key of a unique registry.
 *
 * -ENOENT       nobody has it
 * -EMSGSIZE     it has another size; nothing was written
 * -EOPNOTSUPP   a duplicate registry
 */
COP_API int cop_registry_value(const char *registry, cop_bytes key, void *out, size_t size);

/*
 * Who is registered under a key, oldest first, once for each registration; Registry.lookup.
 *
 *   out, capacity   where they go, as many as fit
 *   count           how many there are; NULL: not wanted
 */
COP_API int cop_registry_lookup(const char *registry, cop_bytes key, cop_pid *out, size_t capacity,
                                size_t *count);

/* Visit those entries, with their values; Registry.lookup. */
COP_API int cop_registry_each(const char *registry, cop_bytes key, cop_registry_fn visit,
                              void *env);

/* Visit the entries of one process under one key, oldest first; Registry.values. */
COP_API int cop_registry_values(const char *registry, cop_bytes key, cop_pid pid,
                                cop_registry_fn visit, void *env);

/* Visit all entries of one process, in any order of keys; Registry.keys. */
COP_API int cop_registry_keys(const char *registry, cop_pid pid, cop_registry_fn visit, void *env);

/* Visit everything, in any order of keys; Registry.select. */
COP_API int cop_registry_select(const char *registry, cop_registry_fn visit, void *env);

/* How many registrations there are; Registry.count. */
COP_API int cop_registry_count(const char *registry, size_t *count);

/* How many of those under one key, or of all, match; Registry.count_match, count_select. */
COP_API int cop_registry_count_match(const char *registry, cop_bytes key, cop_registry_fn matches,
                                     void *env, size_t *count);
COP_API int cop_registry_count_select(const char *registry, cop_registry_fn matches, void *env,
                                      size_t *count);

/* Remove those of the calling process under one key that match; Registry.unregister_match. */
COP_API int cop_registry_unregister_match(const char *registry, cop_bytes key,
                                          cop_registry_fn matches, void *env);

/* ---------------------------------------------------------------- telling */

/* Call `fn` with all entries under a key, oldest first, in the caller; Registry.dispatch. Not called
 * when there are none. */
COP_API int cop_registry_dispatch(const char *registry, cop_bytes key,
                                  void (*fn)(const cop_registry_entry *entries, size_t count,
                                             void *env),
                                  void *env);

/*
 * Send a copy of a message to all under a key, once for each registration: dispatch and send. A mailbox
 * that is full and does not block loses it.
 *
 * -EINVAL   a moved body: there is but one; otherwise as cop_send
 * -ECANCELED, -ETIMEDOUT, -EDEADLK, -ENOMEM   as cop_send; some may have got it
 *
 * Blocks, and is an exit point, only on a full COP_FULL_BLOCK mailbox.
 */
COP_API int cop_registry_broadcast(const char *registry, cop_bytes key, cop_msg msg);

#define COP_MSG_REGISTRY 0xffff0020u /* struct cop_registry_event, then its key, then its value */

/*
 * What listeners get, in the order in which it happened, but between partitions. An event for which
 * there is no memory is lost, and reported.
 */
struct cop_registry_event {
    cop_pid pid;
    bool registered; /* false: unregistered, or ended */
    size_t key_size, value_size;
};

/* The key and the value of such a message; borrowed from it. */
static inline cop_bytes
cop_registry_event_key(cop_msg msg)
{
    const struct cop_registry_event *event = (const struct cop_registry_event *)msg.body.data;
    cop_bytes key = {event + 1, event->key_size};
    return key;
}
static inline cop_bytes
cop_registry_event_value(cop_msg msg)
{
    const struct cop_registry_event *event = (const struct cop_registry_event *)msg.body.data;
    cop_bytes value = {(const char *)(event + 1) + event->key_size, event->value_size};
    return value;
}

/* ---------------------------------------------------------------- metadata */

/* Something to be known of the registry as a whole, under a key of its own; Registry.put_meta. It is
 * gone when the registry ends or restarts. */
COP_API int cop_registry_put_meta(const char *registry, cop_bytes key, cop_bytes value);

/* Registry.meta. -ENOENT: there is none. -EMSGSIZE: it has another size; nothing was written. */
COP_API int cop_registry_meta(const char *registry, cop_bytes key, void *out, size_t size);

/* Registry.delete_meta. 0 also when there is none. */
COP_API int cop_registry_delete_meta(const char *registry, cop_bytes key);

/* ---------------------------------------------------------------- locks */

/*
 * Run fn(env) in the caller while nobody else runs one under the same key; Registry.lock. Who comes
 * first is first; other keys are in nobody's way. These keys have nothing to do with those of
 * registrations.
 *
 * The lock is free again when fn has returned, or its process has ended; who waits and ends is passed
 * over. A registry that crashes forgets its locks. Two processes that wait for each other's keys do so
 * until their timeouts.
 *
 *   timeout   of the wait, not of fn; COP_FOREVER never gives up
 *
 * -EDEADLK     the caller holds that lock
 * -ETIMEDOUT   it was not free in time, or the context's deadline passed; fn did not run
 * -ECANCELED   the context was cancelled, or the caller was asked to stop; fn did not run
 * -EPIPE       the registry ended meanwhile; fn did not run
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_registry_lock(const char *registry, cop_bytes key, void (*fn)(void *env), void *env,
                              cop_time timeout);

#ifdef __cplusplus
}
#endif
#endif
