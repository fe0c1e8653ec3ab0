/*
 * demos/stampede/asker.c - one of the programs that all want the same.
 *
 * Room: demos/.
 *
 * This is all that it takes: a child in the tree, a handle, and a call. Which of the programs computes is nobody's
 * decision. A lock of a second is short, so that a death is soon noticed.
 */
#include "demos/stampede/asker.h"

#include <coppice-redis.h>
#include <stdio.h>
#include <unistd.h>

#define WORK COP_MS(300)

static int
compute(cop_bytes arg, void *result)
{
    enum {
        SIZE = 64
    };
    char *report = cop_alloc(SIZE);
    (void)arg;
    printf("computing\n");
    int r = report ? cop_sleep(WORK) : -ENOMEM;
    if (r == 0) {
        (void)snprintf(report, SIZE, "the report of program %d", getpid());
        *(cop_bytes *)result = COP_TEXT(report);
    }
    return r;
}

static int
get(const char *name)
{
    cop_shared *reports;
    cop_msg report;
    int r = cop_shared_new(&reports, .lock_ttl = COP_SEC(1));
    r = r ? r : cop_shared_get(reports, name, compute, (cop_bytes){0}, &report, COP_SEC(30));
    if (r == 0) {
        printf("got %.*s\n", (int)report.body.size, (const char *)report.body.data);
        cop_msg_release(&report);
        cop_shared_free(reports);
    } else {
        printf("failed: %s\n", cop_strerror(r));
    }
    return r;
}

int
ask(const char *address, const char *report)
{
    cop_pid tree;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    int r = cop_supervisor_start(
        &tree, &(cop_supervisor_spec){
                   COP_CHILDREN(cop_redis_spec(.address = address, .gone_after = COP_SEC(10)))});
    r = r ? r : get(report);
    return r || cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
