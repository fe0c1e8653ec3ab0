/*
 * tests/support/proxy.h - a line between a program and its server, with the faults that lines have.
 *
 * Room: tests/.
 *
 *     struct proxy *line = proxy_new(redis.port);
 *     ... connect to 127.0.0.1, proxy_port(line) ...
 *     proxy_cut_after(line, PROXY_ANSWERS, 7);   // the eighth byte of what the server says does not come
 *     proxy_free(line);
 *
 * A new one passes everything on. What is asked of it holds for all connections, those to come too, from the next byte
 * on, until it is taken back; cutting happens once. Every function may be called by any thread, and the line
 * is a thread, which ends with proxy_free.
 */
#ifndef COPI_TESTS_PROXY_H
#define COPI_TESTS_PROXY_H

#include <coppice.h>

#include <stdbool.h>
#include <stddef.h>

struct proxy;

enum proxy_way {
    PROXY_REQUESTS,
    PROXY_ANSWERS
}; /* to the server, and from it */

/* To 127.0.0.1 at that port; the test fails if there cannot be one. */
struct proxy *proxy_new(unsigned port);
void proxy_free(struct proxy *proxy); /* every connection is cut */

unsigned proxy_port(struct proxy *proxy);        /* where to connect to, at 127.0.0.1 */
unsigned proxy_connections(struct proxy *proxy); /* how many there have been */
size_t proxy_passed(struct proxy *proxy,
                    enum proxy_way way); /* bytes, of all connections together */

void proxy_cut(struct proxy *proxy); /* all connections, now */

/* All connections, when so many more bytes have passed that way. 0: before the next */
void proxy_cut_after(struct proxy *proxy, enum proxy_way way, size_t bytes);

/* Who connects is shown out at once. */
void proxy_refuse(struct proxy *proxy, bool refuse);

/* What goes that way disappears, the news that somebody has closed his end too: a half-open connection. */
void proxy_swallow(struct proxy *proxy, enum proxy_way way, bool swallow);

/* What goes that way waits, and passes when it is let go. */
void proxy_hold(struct proxy *proxy, enum proxy_way way, bool hold);

/* What goes that way takes so long. */
void proxy_delay(struct proxy *proxy, enum proxy_way way, cop_time delay);

/* What goes that way is sent byte by byte. */
void proxy_split(struct proxy *proxy, enum proxy_way way, bool split);

#endif
