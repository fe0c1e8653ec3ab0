/*
 * runtime/recording.h - how a flight recorder's file is laid out, and how its records are read.
 *
 * Room: runtime/. Knows the words of include/coppice/. Whoever writes one, or reads one.
 * Touch freely: sizes; the head has them. Ask first: a field's meaning: COPI_RECORDING_VERSION is then one
 * more, and old files are refused by name.
 *
 * One head, then the rings. All numbers are the machine's own, and the head says which order that is.
 *
 * A ring's record `n` lies at n modulo the ring's size. `written` is stored after a record is complete, and
 * the next one is begun after that: so, of a ring of s records, the newest s - 1 are whole whenever the
 * writer was stopped, and the one before them may be torn. Each record has 24 bits of its number in it, so
 * that who reads while others write, or reads a damaged file, sees that one is not what it should be.
 *
 * The last word of a record says how it came out, and is written anew when that is known. Of something that
 * was in hand it may stay open when the next thing was there at once: then that one's time is its end.
 */
#ifndef COPI_RUNTIME_RECORDING_H
#define COPI_RUNTIME_RECORDING_H

#include "runtime/atomic.h"
#include "runtime/tag.h"

#include <coppice/reason.h>
#include <coppice/recorder.h>

#define COPI_RECORDING_MAGIC "coppice\x1a"
enum {
    COPI_RECORDING_VERSION = 1,
    COPI_RECORDING_BYTE_ORDER = 0x01020304,
    COPI_RECORDING_WORDS = 64,
    COPI_RECORDING_WORD_SIZE = 16,
    COPI_RECORDING_ALIGNMENT = 4096,
    COPI_RECORD_TEXT = 0x7f, /* a record that is 24 bytes more of the text of the one before */
    COPI_RECORD_TEXT_BYTES = 24,
    COPI_RECORD_TOOK_SHIFT = 10, /* durations are in units of 1,024 ticks, begun ones included */
    COPI_RECORD_OPEN = 0,        /* in place of a duration: it is not over */
};

struct copi_recording_record {
    copi_atomic64 when;    /* in ticks; or 8 bytes of text */
    copi_atomic64 other;   /* a pid; or text */
    copi_atomic64 what;    /* tag, number, kind */
    copi_atomic64 outcome; /* duration, code; or text */
};

enum copi_ring_state {
    COPI_RING_FREE, /* nobody's yet */
    COPI_RING_LIVES,
    COPI_RING_ENDED,
    COPI_RING_CRASHED,
    COPI_RING_DISOWNED,
};

/* The head of a ring, behind which its records are. */
struct copi_ring {
    copi_atomic64 pid; /* 0: it changes hands */
    copi_atomic64 parent, written;
    copi_atomic64 started;      /* in ticks */
    copi_atomic64 anchor_ticks; /* what the clock said then: anchor_time; 0: nothing */
    copi_atomic64 anchor_time;
    copi_atomic32 state; /* enum copi_ring_state */
    uint32_t next;       /* recorder.c's */
    char name[64], label[64], kind[24];
    char unused[256 - 6 * 8 - 2 * 4 - 64 - 64 - 24];
};

static inline struct copi_recording_record *
copi_ring_records(struct copi_ring *ring)
{
    return (struct copi_recording_record *)(ring + 1);
}

static inline const struct copi_recording_record *
copi_ring_records_of(const struct copi_ring *ring)
{
    return (const struct copi_recording_record *)(ring + 1);
}

struct copi_recording_tag {
    copi_atomic32 is_there;
    uint32_t tag;
    char name[COPI_TAG_NAME_SIZE];
};

struct copi_recording_head {
    char magic[8];
    uint32_t version, byte_order;
    uint32_t head_size, ring_size, ring_head_size, record_size;
    uint32_t rings, records; /* of each */
    uint64_t size;           /* of the file */
    uint32_t process, unused;
    char boot[40], program[64], coppice[16];
    int64_t wall, time; /* CLOCK_REALTIME and CLOCK_MONOTONIC, when it began */
    uint64_t ticks,
        ticks_in_a_second; /* the same in ticks, which are nanoseconds where nothing is better */
    copi_atomic64 used;    /* rings that have belonged to somebody */
    copi_atomic64 reused, unrecorded; /* processes that got the ring of another; that got none */
    copi_atomic64 ended; /* CLOCK_MONOTONIC when cop_shutdown was through; 0: it was not */
    copi_atomic32 word_count, padding;
    char words[COPI_RECORDING_WORDS][COPI_RECORDING_WORD_SIZE]; /* in which a process may wait */
    struct copi_recording_tag tags[COPI_TAG_NAMES];
};

/* Whole pages. */
static inline size_t
copi_recording_head_size(void)
{
    const size_t mask = COPI_RECORDING_ALIGNMENT - 1;
    return (sizeof(struct copi_recording_head) + mask) & ~mask;
}

static inline uint64_t
copi_recording_what(unsigned kind, uint32_t tag, uint64_t number)
{
    return (uint64_t)kind << 56 | (number & 0xffffff) << 32 | tag;
}

static inline uint64_t
copi_recording_outcome(uint32_t took, int32_t code)
{
    return (uint64_t)(uint32_t)code << 32 | took;
}

/* Ticks as time: two moments of which both are known. */
struct copi_recording_clock {
    uint64_t ticks;
    int64_t time;
    double nanoseconds; /* in a tick */
};

/* Whether that can be a second moment: the pace from the beginning to it is about what was measured there. */
bool copi_recording_is_anchor(const struct copi_recording_head *head, uint64_t ticks, int64_t time);

/* With a second moment, or without if it cannot be one. The longer the time between the two, the better. */
struct copi_recording_clock copi_recording_clock_of(const struct copi_recording_head *head,
                                                    uint64_t ticks, int64_t time);

/* No later than this, to which a duration can be added, and that to the time of the day. */
#define COPI_RECORDING_LATEST (INT64_MAX / 2)
int64_t copi_recording_time(const struct copi_recording_clock *clock, uint64_t ticks);

/* Where records come from: a mapping that is written to, or a file. */
struct copi_recording_source {
    uint64_t written;
    uint32_t records;
    struct copi_recording_clock clock;
    const char *words; /* COPI_RECORDING_WORDS of COPI_RECORDING_WORD_SIZE */
    /* The four words of a record; false: they are gone. */
    bool (*fetch)(void *env, uint64_t number, uint64_t words[4]);
    void *env;
};

/* The newest that fit, the oldest of them first; how many. What is not as it should be is left out. */
size_t copi_recording_read(const struct copi_recording_source *source, cop_record *out,
                           size_t capacity);

/* In words, with names for the other process and the tag. */
const char *copi_recording_string(const cop_record *record, const char *other, const char *tag,
                                  char *out, size_t size);

/* "12 us", "3.4 ms", "2.1 s". */
enum {
    COPI_DURATION_SIZE = 32
};
const char *copi_duration_in_words(cop_time time, char out[COPI_DURATION_SIZE]);

#endif
