/*
 * tests/fuzz/fuzz_recording.c - a flight recorder's file that something has damaged, as coppice-postmortem
 * reads it.
 *
 * Room: tests/. Linked with postmortem_file.c and postmortem_tree.c.
 *
 * The input is no file, for almost all of one is zeros: it is what happened to a good file. Each damage is
 * two bytes of where, one of how many, and the bytes; at the beginning stand two that say how much was cut off.
 */
#include "supervisor/observe/postmortem_tree.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
    RINGS = 3,
    RECORDS = 4,
};

struct ring {
    struct copi_ring head;
    struct copi_recording_record records[RECORDS];
};

static struct file {
    union {
        struct copi_recording_head head;
        char bytes[(sizeof(struct copi_recording_head) + 4095) / 4096 * 4096];
    };
    struct ring rings[RINGS];
} good, damaged;

static int fd;
static char path[64];
static FILE *nowhere;

static void
make_ring(struct ring *ring, unsigned number)
{
    ring->head.pid = UINT64_C(1) << 20 | (number + 1);
    ring->head.parent = number ? UINT64_C(1) << 20 | 1 : 0;
    ring->head.state = COPI_RING_LIVES;
    ring->head.written = RECORDS;
    (void)snprintf(ring->head.name, sizeof ring->head.name, "actor");
    (void)snprintf(ring->head.kind, sizeof ring->head.kind, "genserver");
    for (unsigned i = 0; i < RECORDS; i++) {
        ring->records[i].when = (uint64_t)COP_SEC(100) + i;
        ring->records[i].what = copi_recording_what(COP_RECORD_CALL + i, 7, i);
    }
}

static void
begin(void)
{
    memcpy(good.head.magic, COPI_RECORDING_MAGIC, sizeof good.head.magic);
    good.head.version = COPI_RECORDING_VERSION;
    good.head.byte_order = COPI_RECORDING_BYTE_ORDER;
    good.head.head_size = (uint32_t)copi_recording_head_size();
    good.head.ring_size = sizeof(struct ring);
    good.head.ring_head_size = sizeof(struct copi_ring);
    good.head.record_size = sizeof(struct copi_recording_record);
    good.head.rings = RINGS;
    good.head.used = RINGS;
    good.head.records = RECORDS;
    good.head.size = sizeof good;
    good.head.process = 1;
    good.head.time = COP_SEC(100);
    good.head.ticks = (uint64_t)COP_SEC(100);
    good.head.wall = COP_SEC(1700000000);
    for (unsigned i = 0; i < RINGS; i++) {
        make_ring(&good.rings[i], i);
    }
    fd = memfd_create("recording", MFD_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    nowhere = fopen("/dev/null", "we");
    HOLDS(fd >= 0 && nowhere);
}

static void
damage(struct input input, size_t *size)
{
    damaged = good;
    size_t cut = take_number(&input, 2);
    *size = cut < sizeof damaged ? sizeof damaged - cut : 0;
    while (input.size > 3) {
        size_t where = take_number(&input, 2) % sizeof damaged, length = take_number(&input, 1);
        length = length < input.size ? length : input.size;
        length = length < sizeof damaged - where ? length : sizeof damaged - where;
        memcpy((char *)&damaged + where, input.at, length);
        input.at += length;
        input.size -= length;
    }
}

static void
check_actor(const struct recording *recording, const struct actor *actor)
{
    char state[STATE_SIZE], words[512], name[ACTOR_NAME_SIZE];
    HOLDS(is_showable(actor->name) && is_showable(actor->label) && is_showable(actor->kind));
    HOLDS(is_showable(recording_name(recording, actor->pid, name)));
    HOLDS(is_showable(actor_state(recording, actor, state)));
    for (size_t i = 0; i < actor->count; i++) {
        HOLDS(actor->records[i].when >= 0 && actor->records[i].when <= INT64_MAX);
        HOLDS(is_showable(recording_string(recording, &actor->records[i], words, sizeof words)));
    }
}

static void
check(const struct recording *recording)
{
    HOLDS(is_showable(recording->head.program) && is_showable(recording->head.coppice));
    HOLDS(recording->last >= recording->head.time);
    for (size_t i = 0; i < recording->count; i++) {
        check_actor(recording, &recording->actors[i]);
    }
    HOLDS(tree_print(recording, nowhere) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recording recording;
    char why[WHY_SIZE];
    size_t length;
    if (!nowhere) {
        begin();
    }
    damage((struct input){data, size}, &length);
    HOLDS(ftruncate(fd, (off_t)length) == 0);
    HOLDS(pwrite(fd, &damaged, length, 0) == (ssize_t)length);
    int r = recording_read(path, &recording, why);
    if (r == 0) {
        check(&recording);
        recording_free(&recording);
    }
    HOLDS(r == 0 || (is_showable(why) && !recording.actors));
    return 0;
}
