/*
 * tests/support/server.h - a Redis or a PostgreSQL of a suite's own.
 *
 * Room: tests/.
 *
 *     static struct server redis;
 *     static void start(void) { server_redis(&redis, NULL); }
 *     static void end(void) { server_end(&redis); }
 *
 *     TEST(who_waits_is_told_when_the_server_is_gone)
 *     {
 *         server_start(&redis);   // whatever the test before has done to it
 *         ...
 *         server_kill(&redis);
 *         ...
 *     }
 *     SUITE_AROUND("shared futures", start, end)
 *
 * It runs in a temporary folder, on a loopback port and a socket in that folder, and is as empty as it is new. Tests
 * are processes of their own and may do to it what is below; what they leave is the next test's to bear.
 * Whatever happens to the suite, the server ends with it and the folder is removed: see server.c.
 */
#ifndef COPI_TESTS_SERVER_H
#define COPI_TESTS_SERVER_H

#include <sys/types.h>

struct server {
    char folder[64]; /* everything that it writes; its output is in the file `log` */
    char socket[80]; /* Redis: its path. PostgreSQL: that of the folder in which it is */
    unsigned port;   /* at 127.0.0.1 */
    char url[160];   /* PostgreSQL: what PQconnectdb wants; Redis: unix:PATH */
    int keeper;      /* the socket to the process that holds it */
    pid_t keeper_pid;
};

/*
 * Start one and wait until it answers. The options are added to the command line, and end with NULL: for Redis
 * "--appendonly", "yes", for PostgreSQL "-c", "fsync=on", which is off otherwise. The test fails if it does not come up.
 */
void server_redis(struct server *server, const char *const *options);
void server_postgres(struct server *server, const char *const *options);

/* For good. */
void server_end(struct server *server);

/* Each returns when it is done: the server answers, stands still, or is gone. */
void server_start(
    struct server *server); /* where it is not running; also what is paused runs again */
void server_pause(struct server *server);    /* with all of its processes: SIGSTOP */
void server_continue(struct server *server); /* SIGCONT */
void server_kill(struct server *server);     /* all of its processes: SIGKILL */
void server_stop(struct server *server);     /* in order: connections are closed, work is undone */
void server_restart(struct server *server);  /* stopped and started */

#endif
