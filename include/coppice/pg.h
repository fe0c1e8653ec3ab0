/*
 * coppice/pg.h - groups of processes: who offers the same, or wants to hear the same. OTP's pg.
 *
 * A group is opaque bytes, and there while it has members. A process may join a group several times,
 * and is its member as often. It leaves with its end. A process joins and leaves itself.
 *
 * A scope is a registry with duplicate keys, and its groups are the keys: what coppice/registry.h says
 * of links, of readers and of errors holds here, too. Unlike pg's, a scope that crashes takes its
 * members along, so that nobody is a member only in its own eyes.
 *
 *   scope   the name that it was started with; NULL: "pg"
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_PG_H
#define COPPICE_PG_H

#include <coppice/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_pg_spec {
    const char *scope; /* NULL: "pg" */
    size_t partitions; /* 0: 1 */
    bool link;         /* to the caller */
    void *reserved[4];
} cop_pg_spec;

/*
 * Start a scope; pg:start_link (with .link). As cop_registry_start.
 *
 *   spec   copied; NULL: the defaults
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_pg_start(cop_pid *out, const cop_pg_spec *spec);

/* A scope as a supervisor's child, with its name as id. `spec` is borrowed as cop_registry_child's. */
COP_API cop_child_spec cop_pg_child(const cop_pg_spec *spec);

/* The calling process joins a group; pg:join. -EOPNOTSUPP: the scope is a unique registry. */
COP_API int cop_pg_join(const char *scope, cop_bytes group);

/* It leaves, once; pg:leave. -ENOENT: it is no member; cop_why() is "not_joined". */
COP_API int cop_pg_leave(const char *scope, cop_bytes group);

/* Who is in a group, oldest member first, each as often as it joined; pg:get_members. As
 * cop_registry_lookup. */
COP_API int cop_pg_members(const char *scope, cop_bytes group, cop_pid *out, size_t capacity,
                           size_t *count);

/* Visit the groups that have members, in any order; pg:which_groups. `visit` says whether to go on. */
COP_API int cop_pg_groups(const char *scope, bool (*visit)(cop_bytes group, void *env), void *env);

/* Send a copy of a message to each member, as often as it joined. As cop_registry_broadcast. */
COP_API int cop_pg_broadcast(const char *scope, cop_bytes group, cop_msg msg);

#define COP_MSG_PG 0xffff0021u /* struct cop_pg_change: somebody joined or left a watched group */

struct cop_pg_change {
    cop_ref ref; /* cop_pg_monitor's */
    cop_pid pid;
    bool joined; /* false: left, or ended */
};

/*
 * Be told who joins and leaves a group from now on, with COP_MSG_PG, in order; pg:monitor. A change for
 * which there is no memory is not told, but reported.
 *
 *   ref              which monitor it is
 *   out, capacity    who is in it now, as many as fit, as cop_pg_members; what is told later builds on
 *   count            just that. NULL: not wanted
 */
COP_API int cop_pg_monitor(const char *scope, cop_bytes group, cop_ref *ref, cop_pid *out,
                           size_t capacity, size_t *count);

/* No more of it: what it has told and was not received is removed; pg:demonitor. -ENOENT: no such
 * monitor of the caller's. */
COP_API int cop_pg_demonitor(const char *scope, cop_ref ref);

#ifdef __cplusplus
}
#endif
#endif
