/*
 * supervisor/observe/web_refusals.c - saying that somebody was refused, once.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 * Touch freely: the words, how long it is silent.
 *
 * Whoever runs the daemon has to hear of it, and whoever asks must not be able to fill the log. So each
 * reason is said once a minute at most, with how often it was not. What a stranger has sent is not in it.
 */
#include "supervisor/observe/web_refusals.h"

#include <coppice/log.h>

#include <arpa/inet.h>
#include <string.h>

#define SILENCE COP_SEC(60)

/* The guest's address; "somebody", if it is not known. */
static const char *
address_of(struct MHD_Connection *connection, char out[INET6_ADDRSTRLEN])
{
    const union MHD_ConnectionInfo *info =
        connection ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS) : NULL;
    const char *text = NULL;
    if (info && info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, info->client_addr, sizeof v4);
        text = inet_ntop(AF_INET, &v4.sin_addr, out, INET6_ADDRSTRLEN);
    } else if (info && info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, info->client_addr, sizeof v6);
        text = inet_ntop(AF_INET6, &v6.sin6_addr, out, INET6_ADDRSTRLEN);
    }
    return text ? text : "somebody";
}

/* Its place; the last is shared by all that are too many. */
static size_t
place_of(struct copi_web_refusals *refusals, const char *why)
{
    size_t i = 0;
    while (i < refusals->count && strcmp(refusals->reasons[i].why, why) != 0) {
        i++;
    }
    if (i == refusals->count && i < COPI_WEB_REASONS) {
        refusals->reasons[i].why = why;
        refusals->reasons[i].said = cop_now() - SILENCE;
        refusals->count++;
    }
    return i < COPI_WEB_REASONS ? i : COPI_WEB_REASONS - 1;
}

void
copi_web_refused(struct copi_web_refusals *refusals, unsigned status, const char *why,
                 struct MHD_Connection *connection)
{
    size_t place = place_of(refusals, why);
    cop_time now = cop_now();
    if (now - refusals->reasons[place].said < SILENCE) {
        refusals->reasons[place].withheld++;
        return;
    }
    char address[INET6_ADDRSTRLEN];
    const cop_bytes in_a_line = {why, strcspn(why, "\n")};
    cop_log(COP_LOG_WARNING, "a request was refused", COP_KV("why", in_a_line),
            COP_KV("status", status), COP_KV("from", address_of(connection, address)),
            COP_KV("more_since_last_said", refusals->reasons[place].withheld));
    refusals->reasons[place].said = now;
    refusals->reasons[place].withheld = 0;
}
