/*
 * supervisor/observe/postmortem_file.c - a flight recorder's file, read as far as it can be believed.
 *
 * Room: supervisor/observe/, of the program coppice-postmortem. One thread.
 * Touch freely: what is tolerated.
 *
 * The file may be cut short, damaged, of another version, no recording at all, or written to while it is
 * read. So it is not mapped: what is read is copied first, and then looked at. The head is believed or
 * not: from it come all sizes, and each must be what the writer would have written. A ring is believed record by
 * record (recording.c). Bytes that a terminal would not show as letters are made question marks here, once,
 * for all that is printed.
 */
#include "supervisor/observe/postmortem_file.h"

#include "runtime/inspect.h"
#include "runtime/table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- bytes */

static int
complain(char why[WHY_SIZE], const char *what)
{
    (void)snprintf(why, WHY_SIZE, "%s", what);
    return -EBADMSG;
}

/* How many there were; -1: an error. */
static ssize_t
read_at(int fd, void *out, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)done;
}

/* Terminated, and nothing that moves a cursor. */
static void
make_showable(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
        }
    }
}

static void
copy_showable(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    make_showable(out, size);
}

/* ---------------------------------------------------------------- the head */

static bool
is_power_of_two(uint32_t number)
{
    return number && (number & (number - 1)) == 0;
}

static bool
has_sane_sizes(const struct copi_recording_head *head)
{
    const uint32_t most_records = 1 << 20;
    return head->head_size == copi_recording_head_size()
           && head->ring_head_size == sizeof(struct copi_ring)
           && head->record_size == sizeof(struct copi_recording_record)
           && is_power_of_two(head->records) && head->records <= most_records && head->rings > 0
           && head->rings <= COPI_INDEX_MASK
           && head->ring_size == head->ring_head_size + head->records * head->record_size;
}

static bool
has_sane_clocks(const struct copi_recording_head *head)
{
    const int64_t latest = INT64_MAX / 4;
    const uint64_t slowest = 1000000, fastest = 100000000000;
    uint64_t pace = head->ticks_in_a_second;
    return head->time >= 0 && head->time < latest && head->wall >= 0 && head->wall < latest
           && (pace == 0 || (pace >= slowest && pace <= fastest));
}

static int
check_head(const struct copi_recording_head *head, char why[WHY_SIZE])
{
    if (memcmp(head->magic, COPI_RECORDING_MAGIC, sizeof head->magic) != 0) {
        return complain(why, "not a recording of coppice");
    }
    if (head->byte_order != COPI_RECORDING_BYTE_ORDER) {
        return complain(why, "of a machine with another order of bytes");
    }
    if (head->version != COPI_RECORDING_VERSION) {
        (void)snprintf(why, WHY_SIZE,
                       "of version %u of the format, and this program reads version %d",
                       head->version, COPI_RECORDING_VERSION);
        return -EBADMSG;
    }
    return has_sane_sizes(head) && has_sane_clocks(head) ? 0 : complain(why, "its head is damaged");
}

static int
read_head(int fd, struct copi_recording_head *head, char why[WHY_SIZE])
{
    ssize_t size = read_at(fd, head, sizeof *head, 0);
    if (size < 0) {
        return -errno;
    }
    if ((size_t)size < sizeof *head) {
        return complain(why, "not a recording of coppice, or cut short in its head");
    }
    int r = check_head(head, why);
    make_showable(head->boot, sizeof head->boot);
    make_showable(head->program, sizeof head->program);
    make_showable(head->coppice, sizeof head->coppice);
    for (unsigned i = 0; i < COPI_TAG_NAMES; i++) {
        make_showable(head->tags[i].name, sizeof head->tags[i].name);
    }
    return r;
}

/* ---------------------------------------------------------------- rings */

struct reader {
    int fd;
    struct recording *recording;
    struct copi_ring *ring; /* room for one */
    struct copi_recording_clock clock;
};

static uint64_t
offset_of(const struct copi_recording_head *head, uint64_t number)
{
    return head->head_size + number * head->ring_size;
}

/* Only what had an owner is worth reading. */
static uint64_t
used(const struct copi_recording_head *head)
{
    return head->used < head->rings ? head->used : head->rings;
}

/* The clock is the better, the later the second moment that is known. */
static void
find_clock(struct reader *reader)
{
    const struct copi_recording_head *head = &reader->recording->head;
    uint64_t latest = 0;
    reader->clock = copi_recording_clock_of(head, 0, 0);
    for (uint64_t i = 0; i < used(head); i++) {
        struct copi_ring ring;
        bool is_there = read_at(reader->fd, &ring, sizeof ring, offset_of(head, i)) == sizeof ring;
        uint64_t ticks = is_there ? ring.anchor_ticks : 0;
        if (ticks > latest && copi_recording_is_anchor(head, ticks, (int64_t)ring.anchor_time)) {
            latest = ticks;
            reader->clock = copi_recording_clock_of(head, ticks, (int64_t)ring.anchor_time);
        }
    }
}

static bool
fetch(void *env, uint64_t number, uint64_t words[4])
{
    const struct reader *reader = env;
    const struct copi_recording_record *record =
        &copi_ring_records_of(reader->ring)[number & (reader->recording->head.records - 1)];
    words[0] = record->when;
    words[1] = record->other;
    words[2] = record->what;
    words[3] = record->outcome;
    return true;
}

static int
read_records(struct reader *reader, struct actor *actor)
{
    const struct copi_recording_head *head = &reader->recording->head;
    const struct copi_recording_source source = {
        .written = reader->ring->written,
        .records = head->records,
        .clock = reader->clock,
        .words = head->words[0],
        .fetch = fetch,
        .env = reader,
    };
    size_t most = source.written < head->records ? (size_t)source.written : head->records;
    actor->records = calloc(most + 1, sizeof *actor->records);
    if (!actor->records) {
        return -ENOMEM;
    }
    actor->count = copi_recording_read(&source, actor->records, most);
    for (size_t i = 0; i < actor->count; i++) {
        make_showable(actor->records[i].text, sizeof actor->records[i].text);
    }
    return 0;
}

static int
read_ring(struct reader *reader, uint64_t number)
{
    struct recording *recording = reader->recording;
    const struct copi_ring *ring = reader->ring;
    size_t size = recording->head.ring_size;
    ssize_t got = read_at(reader->fd, reader->ring, size, offset_of(&recording->head, number));
    if (got < 0) {
        return -errno;
    }
    if ((size_t)got < size) {
        recording->missing++;
        return 0;
    }
    if (ring->pid == 0) {
        return 0; /* it was changing hands */
    }
    struct actor *actor = &recording->actors[recording->count];
    *actor = (struct actor){
        .pid = {ring->pid},
        .parent = {ring->parent},
        .state = (enum copi_ring_state)ring->state,
        .started = copi_recording_time(&reader->clock, ring->started),
    };
    copy_showable(actor->name, ring->name, sizeof actor->name);
    copy_showable(actor->label, ring->label, sizeof actor->label);
    copy_showable(actor->kind, ring->kind, sizeof actor->kind);
    recording->count++;
    return read_records(reader, actor);
}

static int
by_pid(const void *a, const void *b)
{
    const struct actor *one = a, *other = b;
    return one->pid.id < other->pid.id ? -1 : one->pid.id > other->pid.id;
}

static void
find_last(struct recording *recording)
{
    recording->last = recording->head.time;
    for (size_t i = 0; i < recording->count; i++) {
        const struct actor *actor = &recording->actors[i];
        for (size_t j = 0; j < actor->count; j++) {
            const cop_record *record = &actor->records[j];
            cop_time end = record->when + (record->took > 0 ? record->took : 0);
            bool is_sane = end < COPI_RECORDING_LATEST;
            recording->last = end > recording->last && is_sane ? end : recording->last;
        }
    }
    recording->last_wall = recording->head.wall + (recording->last - recording->head.time);
}

static int
read_rings(struct reader *reader)
{
    struct recording *recording = reader->recording;
    const struct copi_recording_head *head = &recording->head;
    recording->actors = calloc(used(head) + 1, sizeof *recording->actors);
    reader->ring = malloc(head->ring_size);
    int r = recording->actors && reader->ring ? 0 : -ENOMEM;
    if (r == 0) {
        find_clock(reader);
    }
    for (uint64_t i = 0; r == 0 && i < used(head); i++) {
        r = read_ring(reader, i);
    }
    free(reader->ring);
    if (r == 0) {
        qsort(recording->actors, recording->count, sizeof *recording->actors, by_pid);
        find_last(recording);
    }
    return r;
}

/* ---------------------------------------------------------------- whose it is */

/* The program holds a lock for as long as it is there. To try to take it would keep a program out that is
 * just starting; so the kernel is asked who has it. */
static bool
is_held(int fd, uint32_t process)
{
    struct stat it;
    FILE *locks = fstat(fd, &it) == 0 ? fopen("/proc/locks", "re") : NULL;
    char line[256];
    bool found = false;
    while (locks && !found && fgets(line, sizeof line, locks)) {
        uint64_t inode = 0;
        unsigned holder = 0;
        /* The kernel has written it. NOLINTNEXTLINE(cert-err34-c) */
        found = sscanf(line, "%*s FLOCK %*s WRITE %u %*x:%*x:%" SCNu64, &holder, &inode) == 2
                && holder == process && inode == (uint64_t)it.st_ino;
    }
    if (locks) {
        (void)fclose(locks);
    }
    return found;
}

static int
read_all(int fd, struct recording *out, char why[WHY_SIZE])
{
    struct reader reader = {.fd = fd, .recording = out};
    int r = read_head(fd, &out->head, why);
    r = r ? r : read_rings(&reader);
    out->is_live = r == 0 && is_held(fd, out->head.process);
    return r;
}

int
recording_read(const char *path, struct recording *out, char why[WHY_SIZE])
{
    memset(out, 0, sizeof *out);
    why[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int r = read_all(fd, out, why);
    close(fd);
    if (r) {
        recording_free(out);
    }
    return r;
}

void
recording_free(struct recording *recording)
{
    for (size_t i = 0; recording->actors && i < recording->count; i++) {
        free(recording->actors[i].records);
    }
    free(recording->actors);
    recording->actors = NULL;
    recording->count = 0;
}

/* ---------------------------------------------------------------- names */

const struct actor *
recording_find(const struct recording *recording, cop_pid pid)
{
    const struct actor key = {.pid = pid};
    return recording->count == 0 ? NULL
                                 : bsearch(&key, recording->actors, recording->count,
                                           sizeof *recording->actors, by_pid);
}

const char *
recording_name(const struct recording *recording, cop_pid pid, char out[ACTOR_NAME_SIZE])
{
    const struct actor *actor = recording_find(recording, pid);
    const char *text = !actor ? "" : actor->name[0] ? actor->name : actor->label;
    (void)snprintf(out, ACTOR_NAME_SIZE, "%s<%u.%u>", text, copi_pid_index(pid),
                   copi_pid_generation(pid));
    return out;
}

static const char *
tag_in_words(const struct recording *recording, uint32_t tag, char out[COPI_TAG_SIZE])
{
    for (unsigned i = 0; i < COPI_TAG_NAMES && recording->head.tags[i].is_there; i++) {
        if (recording->head.tags[i].tag == tag) {
            return recording->head.tags[i].name;
        }
    }
    return copi_tag_in_words(tag, out);
}

const char *
recording_string(const struct recording *recording, const cop_record *record, char *out,
                 size_t size)
{
    char other[ACTOR_NAME_SIZE], tag[COPI_TAG_SIZE];
    return copi_recording_string(record, recording_name(recording, record->other, other),
                                 tag_in_words(recording, record->tag, tag), out, size);
}
