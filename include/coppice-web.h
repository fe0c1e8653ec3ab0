/*
 * coppice-web.h - the live page and the metrics of a daemon, over HTTP.
 *
 * A library of its own, on libmicrohttpd: link with `pkg-config --libs coppice-web`. It is one more child in
 * the tree:
 *
 *     return cop_run(&(cop_supervisor_spec){
 *         COP_CHILDREN({.id = "store", .genserver = &store},
 *                      cop_web_spec(.token = getenv("DAEMON_TOKEN")))});
 *
 * and then http://127.0.0.1:7380/ shows the tree as it lives, and http://127.0.0.1:7380/metrics is for
 * Prometheus. Nobody in the tree is asked for what is shown, so it works while they are stuck.
 *
 *   GET /                       the page
 *   GET /tree.json              what it draws: fields may be added
 *   GET /processes/4.1/events   the last events of a process, as JSON
 *   GET /metrics                cop_metrics_text
 *   POST /processes/4.1/WORD    with the token: crash, suspend, resume, stop. 202: it has begun; what came
 *                               of it is in /tree.json, for a while
 *
 * It listens to this machine only, and is read-only, unless told otherwise. The connection is not encrypted:
 * for others put a proxy before it that is, or ssh's forwarding of ports.
 *
 * Who may ask: a browser tells by which name it was led here, and from which page. A name that is neither
 * "localhost" nor an address nor one of .hosts is refused (421), and so is another's page (403), because both
 * are how a page of a stranger would get at this one through the browser of somebody who sits here.
 */
#ifndef COPPICE_WEB_H
#define COPPICE_WEB_H

#include <coppice.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COP_WEB_PORT     7380u
#define COP_WEB_ANY_PORT 65536u /* whatever is free: cop_web_port */

typedef struct cop_web_opts {
    size_t size;   /* set by the macro */
    unsigned port; /* 0: COP_WEB_PORT */
    /* A numeric address to listen on, such as "0.0.0.0", "::" or "192.0.2.7"; NULL: 127.0.0.1, and ::1 if
     * there is one. */
    const char *address;
    const char *const *hosts; /* further names by which it may be called, then NULL; NULL: none */
    /* Whoever has it may crash, suspend, resume and stop. NULL or empty: nobody may. Unlike other words, it
     * should not be one that can be guessed: `openssl rand -hex 16`. */
    const char *token;
    const char *name; /* under which it is registered; NULL: "coppice_web" */
    /* How long a request may take, from its beginning, or that of the connection, to the last byte of the
     * answer, and how long a connection may be idle. 0: 10 s */
    cop_time patience;
    /* Connections at a time. One more, and that one ends which has been waiting longest. 0: 128 */
    unsigned max_connections;
    /* A callback that has run for so long, by `since` of coppice/inspect.h, is shown as stuck. 0: 1 s */
    cop_time stuck_after;
} cop_web_opts;

/*
 * The page as a child of a supervisor, permanent, with the id "web". cop_web_spec(options...)
 *
 * The options themselves are copied when the supervisor starts; until then they are in the calling block.
 * Their strings must be there for as long as the tree is. opts NULL: the defaults.
 *
 * Its start fails, and with it the tree's:
 *
 * -EINVAL         a port or an address that is none
 * -EADDRINUSE     somebody has the port
 * -EADDRNOTAVAIL  the address is not this machine's
 * -EACCES         the port is for root only
 * -EEXIST         the name is taken
 * -EMFILE, -ENFILE, -ENOMEM
 *
 * Afterwards nothing that comes over the network ends it. Crashes of its own count against its supervisor
 * as every child's: who wants the tree to outlive its page gives it a supervisor of its own, with
 * COP_GIVE_UP_CHILD.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_web_spec_with(const cop_web_opts *opts);
#define cop_web_spec(...) \
 cop_web_spec_with(&(cop_web_opts){.size = sizeof(cop_web_opts), __VA_ARGS__})

/*
 * Where it listens: its port.
 *
 *   web    its pid; cop_named("coppice_web") finds it
 *
 * Errors as cop_call.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_web_port(cop_pid web, unsigned *port, cop_time timeout);

#ifdef __cplusplus
}
#endif
#endif
