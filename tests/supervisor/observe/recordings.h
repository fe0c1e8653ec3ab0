/*
 * tests/supervisor/observe/recordings.h - a flight recorder's file, made to order.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_SUPERVISOR_OBSERVE_RECORDINGS_H
#define COPI_TESTS_SUPERVISOR_OBSERVE_RECORDINGS_H

#include "runtime/recording.h"
#include "tests/support/support.h"

#include <unistd.h>

enum {
    RINGS = 6,
    RECORDS = 16,
};

struct made_ring {
    struct copi_ring head;
    struct copi_recording_record records[RECORDS];
};

/* A recording as it lies in a file, a tick a nanosecond, from second 100 on. */
static struct made {
    union {
        struct copi_recording_head head;
        char bytes[(sizeof(struct copi_recording_head) + 4095) / 4096 * 4096];
    };
    struct made_ring rings[RINGS];
} made;

static char folder[] = "/tmp/coppice-postmortem-XXXXXX", path[64];

static inline void
remove_folder(void)
{
    char other[72];
    unlink(path);
    snprintf(other, sizeof other, "%s.last", path);
    unlink(other);
    rmdir(folder);
}

static inline void
name_file(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/recording", folder);
    atexit(remove_folder);
}

static inline void
write_bytes(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void
write_made(void)
{
    write_bytes(&made, sizeof made);
}

static inline void
make(void)
{
    memset(&made, 0, sizeof made);
    memcpy(made.head.magic, COPI_RECORDING_MAGIC, sizeof made.head.magic);
    made.head.version = COPI_RECORDING_VERSION;
    made.head.byte_order = COPI_RECORDING_BYTE_ORDER;
    made.head.head_size = (uint32_t)copi_recording_head_size();
    made.head.ring_size = sizeof(struct made_ring);
    made.head.ring_head_size = sizeof(struct copi_ring);
    made.head.record_size = sizeof(struct copi_recording_record);
    made.head.rings = RINGS;
    made.head.records = RECORDS;
    made.head.size = sizeof made;
    made.head.process = 1;
    made.head.time = COP_SEC(100);
    made.head.ticks = (uint64_t)COP_SEC(100);
    made.head.wall = COP_SEC(1700000000);
    strcpy(made.head.program, "made");
    strcpy(made.head.words[1], "call");
    name_file();
}

static inline cop_pid
made_pid(unsigned index)
{
    return (cop_pid){UINT64_C(1) << 20 | index};
}

static inline struct made_ring *
add_actor(const char *name, unsigned index, unsigned parent)
{
    struct made_ring *ring = &made.rings[made.head.used++];
    ring->head.pid = made_pid(index).id;
    ring->head.parent = parent ? made_pid(parent).id : 0;
    ring->head.state = COPI_RING_LIVES;
    (void)snprintf(ring->head.name, sizeof ring->head.name, "%s", name);
    (void)snprintf(ring->head.kind, sizeof ring->head.kind, "genserver");
    return ring;
}

/* At `at` milliseconds, for `took` milliseconds; -1: not over. */
static inline void
add_record(struct made_ring *ring, cop_record_kind kind, int at, int took, uint32_t tag,
           unsigned other, int code)
{
    uint64_t number = ring->head.written++;
    struct copi_recording_record *record = &ring->records[number % RECORDS];
    uint32_t units = took < 0 ? COPI_RECORD_OPEN : (uint32_t)(COP_MS(took) / 1024 + 1);
    record->when = (uint64_t)(COP_SEC(100) + COP_MS(at));
    record->other = other ? made_pid(other).id : 0;
    record->what = copi_recording_what(kind, tag, number);
    record->outcome = copi_recording_outcome(units, code);
}

#endif
