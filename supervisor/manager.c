/*
 * supervisor/manager.c - what the service manager is told: sd_notify(3)'s protocol, spoken directly.
 *
 * Room: supervisor/. The thread of cop_run.
 * Touch freely: the words of the status. Ask first: when the watchdog is fed.
 *
 * The manager's address is in NOTIFY_SOCKET: a path, or a name of the abstract kind, with @ for its
 * first byte. What is told is a datagram of lines. A manager that does not read must not hang the
 * daemon: a datagram that finds no room waits for a moment, and is lost.
 *
 * The watchdog is fed twice in the time that the manager allows, and only while every process that has
 * asked to be watched makes progress (watchdog.c). When one does not, it is named in the log, once, and
 * the rest is the manager's: it kills the daemon, and starts it again.
 *
 * The status is told when it has changed, and not more often than once in a second: a manager that is
 * flooded hangs more than this daemon.
 */
#include "supervisor/manager.h"

#include "runtime/report.h"
#include "runtime/thread.h"
#include "supervisor/status.h"
#include "supervisor/watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_PAUSE COP_SEC(1)
#define MOMENT       1 /* second, for a manager that does not read */
#define US           COP_US(1)

static struct {
    int fd; /* -1: there is none */
    struct sockaddr_un address;
    socklen_t length;
    cop_time period;                 /* between two feedings; 0: it does not watch */
    cop_time next_feed, next_status; /* by the clock */
    bool is_up, is_over;
    char status[COPI_STATUS_SIZE]; /* as told last */
} manager = {.fd = -1};

/* ---------------------------------------------------------------- the socket */

static const char *
environment(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): only read */
    return value && value[0] ? value : NULL;
}

/* The address, or false when it is none. */
static bool
read_address(const char *name)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2
        || length >= sizeof manager.address.sun_path) {
        copi_report(COPI_WARNING, "NOTIFY_SOCKET=%s is no address", name);
        return false;
    }
    manager.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.address.sun_path, name, length);
    if (name[0] == '@') {
        manager.address.sun_path[0] = '\0';
    }
    manager.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

/* WATCHDOG_USEC, unless it is meant for another process. */
static cop_time
read_period(void)
{
    const char *pid = environment("WATCHDOG_PID"), *allowed = environment("WATCHDOG_USEC");
    if (!allowed || (pid && strtol(pid, NULL, 10) != getpid())) {
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long long us = strtoull(allowed, &end, 10);
    if (errno || *end || us < 2 || us > (unsigned long long)(COP_FOREVER / US)) {
        copi_report(COPI_WARNING, "WATCHDOG_USEC=%s is no time", allowed);
        return 0;
    }
    return (cop_time)us * US / 2;
}

void
copi_manager_open(void)
{
    const struct timeval moment = {.tv_sec = MOMENT};
    const char *name = environment("NOTIFY_SOCKET");
    manager.is_up = manager.is_over = false;
    manager.status[0] = '\0';
    manager.next_feed = manager.next_status = 0;
    if (!name || !read_address(name)) {
        return;
    }
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (manager.fd < 0) {
        copi_report(COPI_WARNING, "the service manager is not told: %s", cop_strerror(-errno));
        return;
    }
    setsockopt(manager.fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof moment);
    manager.period = read_period();
}

void
copi_manager_close(void)
{
    if (manager.fd >= 0) {
        close(manager.fd);
        manager.fd = -1;
    }
}

/* An interrupted call begins its moment anew, so signals must not let it begin again and again. */
static void
tell(const char *what)
{
    const cop_time until = cop_now() + COP_SEC(MOMENT);
    ssize_t sent;
    do {
        sent = sendto(manager.fd, what, strlen(what), MSG_NOSIGNAL,
                      (const struct sockaddr *)&manager.address, manager.length);
    } while (sent < 0 && errno == EINTR && cop_now() < until);
}

/* ---------------------------------------------------------------- what it is told */

/* Also the end of a reload; a daemon that has been asked to stop is not up again. */
void
copi_manager_ready(void)
{
    if (manager.fd < 0 || manager.is_over) {
        return;
    }
    char told[sizeof "READY=1\nSTATUS=" + COPI_STATUS_SIZE];
    copi_status_line(manager.status);
    (void)snprintf(told, sizeof told, "READY=1\nSTATUS=%s", manager.status);
    tell(told);
    manager.is_up = true;
}

static void
tell_end(const char *status)
{
    if (manager.fd >= 0) {
        char told[1024];
        (void)snprintf(told, sizeof told, "STOPPING=1\nSTATUS=%s", status);
        tell(told);
        manager.is_up = false;
        manager.is_over = true;
    }
}

void
copi_manager_stopping(void)
{
    tell_end("stopping");
}

void
copi_manager_failed(const char *why)
{
    tell_end(why);
}

/* The time is the one that systemd compares: without it a reload is not waited for. */
void
copi_manager_reloading(void)
{
    if (manager.fd >= 0 && manager.is_up) {
        char told[96];
        (void)snprintf(told, sizeof told, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                       (int64_t)(copi_clock() / US));
        tell(told);
    }
}

/* ---------------------------------------------------------------- what is due */

/* Whether there was anything to tell. */
static bool
tell_status(void)
{
    char status[COPI_STATUS_SIZE], told[sizeof "STATUS=" + COPI_STATUS_SIZE];
    copi_status_line(status);
    if (strcmp(status, manager.status) == 0) {
        return false;
    }
    memcpy(manager.status, status, sizeof status);
    (void)snprintf(told, sizeof told, "STATUS=%s", status);
    tell(told);
    return true;
}

/* News that come within the pause are told after it. */
static cop_time
attend_status(cop_time now)
{
    if (now >= manager.next_status) {
        if (!tell_status()) {
            return COP_FOREVER;
        }
        manager.next_status = now + STATUS_PAUSE;
    }
    return manager.next_status;
}

static cop_time
attend_watchdog(cop_time now)
{
    if (manager.period == 0) {
        return COP_FOREVER;
    }
    if (now >= manager.next_feed) {
        if (copi_watchdog_is_content()) {
            tell("WATCHDOG=1");
        }
        manager.next_feed = now + manager.period;
    }
    return manager.next_feed;
}

cop_time
copi_manager_attend(void)
{
    if (manager.fd < 0) {
        return COP_FOREVER;
    }
    cop_time now = copi_clock();
    cop_time due = attend_watchdog(now);
    if (manager.is_up) {
        cop_time status_due = attend_status(now);
        due = status_due < due ? status_due : due;
    }
    return due == COP_FOREVER ? due : due > now ? due - now : 0;
}
