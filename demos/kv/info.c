/*
 * demos/kv/info.c - what INFO says.
 *
 * Room: demos/. Runs in the connection's process.
 */
#include "demos/kv/info.h"

#include "demos/kv/registry.h"
#include "demos/kv/server.h"
#include "demos/kv/stats.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define LIST_TIMEOUT COP_SEC(2)

static void add(struct buffer *out, const char *format, ...) COP_PRINTF(2, 3);

static void
add(struct buffer *out, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_append(out, line, strlen(line));
    buffer_append(out, "\r\n", 2);
}

static void
server_section(struct session *s, struct buffer *out)
{
    (void)s;
    struct stats stats = stats_read();
    add(out, "process_id:%d", (int)getpid());
    add(out, "tcp_port:%u", stats.port);
    add(out, "uptime_in_seconds:%" PRId64, (cop_now() - stats.started) / COP_SEC(1));
    add(out, "processes:%zu", cop_processes(NULL, 0));
}

static void
clients_section(struct session *s, struct buffer *out)
{
    (void)s;
    cop_child_counts counts = {0};
    if (cop_supervisor_count(cop_named(CONNECTION_SUPERVISOR), &counts) == 0) {
        add(out, "connected_clients:%zu", counts.active);
    }
}

static void
stats_section(struct session *s, struct buffer *out)
{
    (void)s;
    struct stats stats = stats_read();
    add(out, "total_connections_received:%" PRIu64, stats.connections);
    add(out, "total_commands_processed:%" PRIu64, stats.commands);
}

static void
bucket_line(struct session *s, struct buffer *out, const cop_child_info *bucket)
{
    int64_t keys = 0;
    int error = session_number(s, bucket->id, BUCKET_SIZE, &keys);
    const char *prefix = isdigit((unsigned char)bucket->id[0]) ? "db" : "bucket_";
    if (error < 0) {
        add(out, "%s%s:error=%s,restarts=%zu", prefix, bucket->id, cop_strerror(error),
            bucket->restarts);
    } else {
        add(out, "%s%s:keys=%" PRId64 ",restarts=%zu", prefix, bucket->id, keys, bucket->restarts);
    }
}

/* The bucket supervisor's view and not the registry's: it is the one that counts restarts. */
static void
keyspace_section(struct session *s, struct buffer *out)
{
    size_t count = 0, restarts = 0;
    cop_child_info *buckets = cop_alloc(REGISTRY_MAX_BUCKETS * sizeof *buckets);
    if (buckets == NULL
        || cop_supervisor_children(cop_named(BUCKET_SUPERVISOR), buckets, REGISTRY_MAX_BUCKETS,
                                   &count)
               < 0) {
        cop_free(buckets);
        return;
    }
    count = count < REGISTRY_MAX_BUCKETS ? count : REGISTRY_MAX_BUCKETS;
    for (size_t i = count; i > 0; i--) {
        bucket_line(s, out, &buckets[i - 1]);
        restarts += buckets[i - 1].restarts;
    }
    add(out, "bucket_restarts:%zu", restarts);
    cop_free(buckets);
}

void
info_print(struct session *s, struct buffer *out, const char *section)
{
    static const struct {
        const char *name;
        void (*print)(struct session *s, struct buffer *out);
    } sections[] = {
        {"Server", server_section},
        {"Clients", clients_section},
        {"Stats", stats_section},
        {"Keyspace", keyspace_section},
    };
    bool all = strcasecmp(section, "") == 0 || strcasecmp(section, "all") == 0
               || strcasecmp(section, "default") == 0 || strcasecmp(section, "everything") == 0;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (all || strcasecmp(section, sections[i].name) == 0) {
            add(out, "%s# %s", out->used > 0 ? "\r\n" : "", sections[i].name);
            sections[i].print(s, out);
        }
    }
}
