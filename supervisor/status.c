/*
 * supervisor/status.c - how the program as a whole is doing, in a line.
 *
 * Room: supervisor/. Any thread.
 *
 * A restart is counted, and whoever waits for news is woken, once for however many restarts there are
 * until he looks: `is_news` is taken by the first (exchange) and given back by copi_status_line, before
 * it reads the figures. So what comes after that wakes again.
 */
#include "supervisor/status.h"

#include "runtime/atomic.h"

#include <coppice/inspect.h>
#include <coppice/runtime.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>

static struct {
    copi_atomic64 restarts;
    copi_atomic32 is_news;
    copi_atomic32 fd_and_1; /* 0: nobody waits */
} status;

void
copi_status_restarted(void)
{
    copi_fetch_add_64(&status.restarts, 1);
    uint32_t fd = copi_load_acquire_32(&status.fd_and_1); /* pairs with copi_status_watch */
    if (fd > 0 && copi_exchange_32(&status.is_news, 1) == 0) {
        int kept = errno;
        eventfd_write((int)fd - 1, 1);
        errno = kept;
    }
}

uint64_t
copi_status_restarts(void)
{
    return copi_load_relaxed_64(&status.restarts);
}

void
copi_status_line(char out[COPI_STATUS_SIZE])
{
    copi_exchange_32(&status.is_news, 0);
    (void)snprintf(out, COPI_STATUS_SIZE, "%zu processes, %" PRIu64 " restarts, %u disowned",
                   cop_processes(NULL, 0), copi_status_restarts(), cop_disowned());
}

void
copi_status_watch(int fd)
{
    copi_exchange_32(&status.is_news, 0);
    copi_store_release_32(&status.fd_and_1, (uint32_t)(fd + 1));
}
