/*
 * runtime/recorder.c - the flight recorder: each process writes down what it does.
 *
 * Room: runtime/. A process writes its own ring; anybody reads.
 * Touch freely: what is recorded. Ask first: the order of stores.
 *
 * The file is a mapping that all programs share, so a store is in the system's memory as soon as it is
 * made: what a program has written is there after a kill -9, and nobody has to write it out. (After the
 * machine's own end it is what the disk has got of it.)
 *
 * A ring belongs to one process from its first step to its last, and is written by that process's thread
 * alone. Only two words of its head are others': its name, which anybody may give and which name.c guards,
 * and its state, when it is disowned. So a record is four stores and the count, and no operation is atomic
 * in any sense but that a word is written whole:
 *
 *   records     each word by release, read by acquire: who sees a word of record n also sees that all
 *               records up to n - 1 were counted. So who has read a record, and finds the count not yet
 *               so far that its place was needed again, has read it whole. Four plain stores on x86
 *   written     the count; by release when the record is complete, pairs with acquire in who reads
 *   outcome     a record's last word, written again when the outcome is known, by relaxed: a reader sees one or
 *               the other. If the ring has gone round meanwhile the place is another's, and nothing is written
 *   pid         0 while the ring changes hands, by release; who reads looks at it before and after
 *
 * What is torn by a kill is the record that was being written, and it was not counted: recording.h says how
 * many are whole.
 *
 * The clock is the processor's own counter, where the kernel keeps its time by it: 10 ns, and records of two
 * processes can be put in order that are a microsecond apart. Elsewhere it is the coarse clock, which knows
 * only ticks of the kernel. What a tick is in nanoseconds is seen from two moments of which both are known: the
 * beginning, and whenever a process has gone to sleep after a second or more.
 *
 * A message is one record, made when it is taken in hand. What the callback says of it is put into the same
 * record, and how long it took when the process finds that nothing else is there. Where something is, the
 * next record's time says so: so the clock is read once for each message of a stream, and twice for one that
 * comes alone. A call that is answered before its caller has to sleep leaves a record with the server only.
 *
 * Free rings wait in two lists, of ended and of crashed processes, each in the order of their ends. A new
 * process gets one that was never used, else the oldest of the ended, else of the crashed: a thousand tasks
 * that come and go do not wipe out why an actor has died.
 */
#include "runtime/recorder.h"

#include "runtime/inspect.h"
#include "runtime/name.h"
#include "runtime/recorder_file.h"
#include "runtime/report.h"
#include "runtime/table.h"

#include <coppice/sys.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_RINGS = 1024,
    DEFAULT_RECORDS = 64,
    LEAST_RECORDS = 8,
    MOST_RECORDS = 1 << 20,
};
#define MOST_BYTES (UINT64_C(1) << 36)

/* Rings by their number plus 1, through `next`; 0: none. */
struct list {
    uint32_t first, last;
};

static struct {
    /* written before the first process */
    struct copi_recording_head *head; /* NULL: nothing is recorded */
    char *rings;
    uint64_t mask; /* of a record's place */
    bool has_ticks;
    /* guarded by lock */
    copi_lock lock;
    struct list ended, crashed;
} recorder = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- the clock */

static inline uint64_t
ticks(void)
{
    return recorder.has_ticks ? copi_ticks() : (uint64_t)copi_clock_coarse();
}

/* Both clocks at one moment; of some attempts the one in which nobody came between. */
static void
read_clocks(uint64_t *now_ticks, cop_time *now)
{
    enum {
        ATTEMPTS = 4
    };
    uint64_t closest = UINT64_MAX;
    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t before = ticks();
        cop_time time = copi_clock();
        uint64_t apart = ticks() - before;
        if (apart < closest) {
            closest = apart;
            *now_ticks = before + apart / 2;
            *now = time;
        }
    }
}

/* A first guess, to a thousandth: what ends soon has no second anchor. */
static uint64_t
measure_ticks(uint64_t since_ticks, cop_time since)
{
    uint64_t now_ticks;
    cop_time now;
    do {
        read_clocks(&now_ticks, &now);
    } while (now - since < COP_US(200));
    return (uint64_t)((double)(now_ticks - since_ticks) * 1e9 / (double)(now - since));
}

static void
begin_clock(struct copi_recording_head *head)
{
    recorder.has_ticks = copi_ticks_are_time();
    head->wall = copi_clock_wall();
    if (recorder.has_ticks) {
        read_clocks(&head->ticks, &head->time);
        head->ticks_in_a_second = measure_ticks(head->ticks, head->time);
    } else {
        head->time = copi_clock_coarse();
        head->ticks = (uint64_t)head->time;
    }
}

/* ---------------------------------------------------------------- beginning and end */

static uint64_t
power_of_two(uint64_t least)
{
    uint64_t power = LEAST_RECORDS;
    while (power < least) {
        power *= 2;
    }
    return power;
}

static void
show_tags(void)
{
    uint32_t tag;
    const char *name;
    for (unsigned i = 0; (name = copi_tag_name_at(i, &tag)); i++) {
        copi_recorder_tag(i, tag, name);
    }
}

static int
start(const char *path, unsigned rings, unsigned records)
{
    struct copi_recorder_file file;
    uint64_t each = power_of_two(records ? records : DEFAULT_RECORDS);
    uint64_t count = rings ? rings : DEFAULT_RINGS;
    if (each > MOST_RECORDS || count > COPI_INDEX_MASK
        || count * each * sizeof(struct copi_recording_record) > MOST_BYTES) {
        return -EINVAL;
    }
    int r = copi_recorder_file_make(path, (uint32_t)count, (uint32_t)each, &file);
    if (r) {
        return r;
    }
    begin_clock(file.head);
    recorder.mask = each - 1;
    recorder.rings = (char *)file.head + copi_recording_head_size();
    recorder.head = file.head;
    show_tags();
    return 0;
}

static const char *
path_in_environment(void)
{
    return secure_getenv("COPPICE_RECORDER");
}

int
copi_recorder_configure(const cop_config *config)
{
    const char *path = path_in_environment();
    path = path ? path : config->recorder;
    if (recorder.head || !path || !path[0]) {
        return 0;
    }
    return start(path, config->recorder_rings, config->recorder_records);
}

void
copi_recorder_begin(void)
{
    const char *path = path_in_environment();
    if (!recorder.head && path && path[0]) {
        int r = start(path, 0, 0);
        if (r) {
            copi_report(COPI_ERROR, "nothing is recorded in %s: %s", path, cop_strerror(r));
        }
    }
}

/* The mapping stays, and the file's lock with it: threads that the library did not start have rings in
 * it. */
void
copi_recorder_stop(void)
{
    if (recorder.head) {
        copi_store_relaxed_64(&recorder.head->ended, (uint64_t)copi_clock());
    }
}

void
copi_recorder_tag(uint32_t number, uint32_t tag, const char *name)
{
    if (recorder.head && number < COPI_TAG_NAMES) {
        struct copi_recording_tag *place = &recorder.head->tags[number];
        place->tag = tag;
        strncpy(place->name, name, sizeof place->name - 1);
        copi_store_release_32(&place->is_there, 1); /* for whoever finds the file */
    }
}

/* ---------------------------------------------------------------- rings */

static struct copi_ring *
ring_at(uint64_t number)
{
    return (struct copi_ring *)(void *)(recorder.rings + number * recorder.head->ring_size);
}

static void
append_locked(struct list *list, struct copi_ring *ring)
{
    uint32_t number = (uint32_t)(((char *)ring - recorder.rings) / recorder.head->ring_size) + 1;
    ring->next = 0;
    if (list->last) {
        ring_at(list->last - 1)->next = number;
    } else {
        list->first = number;
    }
    list->last = number;
}

static struct copi_ring *
take_oldest_locked(struct list *list)
{
    if (!list->first) {
        return NULL;
    }
    struct copi_ring *ring = ring_at(list->first - 1);
    list->first = ring->next;
    if (!list->first) {
        list->last = 0;
    }
    return ring;
}

static void
count_locked(copi_atomic64 *figure)
{
    copi_store_release_64(figure, copi_load_relaxed_64(figure) + 1);
}

static struct copi_ring *
take_locked(void)
{
    struct copi_recording_head *head = recorder.head;
    uint64_t used = copi_load_relaxed_64(&head->used);
    if (used < head->rings) {
        count_locked(&head->used); /* pairs with find */
        return ring_at(used);
    }
    struct copi_ring *ring = take_oldest_locked(&recorder.ended);
    ring = ring ? ring : take_oldest_locked(&recorder.crashed);
    count_locked(ring ? &head->reused : &head->unrecorded);
    return ring;
}

static struct copi_ring *
take(void)
{
    copi_lock_take(&recorder.lock);
    struct copi_ring *ring = take_locked();
    copi_lock_give(&recorder.lock);
    return ring;
}

static inline struct copi_ring *
ring_of(const struct copi_process *process)
{
    return copi_load_relaxed_ptr(&process->ring);
}

static void
set_text(char *place, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    memcpy(place, text, length);
    memset(place + length, 0, size - length);
}

/* ---------------------------------------------------------------- records */

static inline uint64_t
put(struct copi_ring *ring, uint64_t when, uint64_t other, uint64_t what, uint64_t outcome)
{
    uint64_t number = copi_load_relaxed_64(&ring->written);
    struct copi_recording_record *record = &copi_ring_records(ring)[number & recorder.mask];
    copi_store_release_64(&record->when, when); /* all pair with fetch_live */
    copi_store_release_64(&record->other, other);
    copi_store_release_64(&record->what, what | (number & 0xffffff) << 32);
    copi_store_release_64(&record->outcome, outcome);
    copi_store_release_64(&ring->written, number + 1);
    return number;
}

static inline uint64_t
put_record(struct copi_ring *ring, uint64_t when, cop_record_kind kind, uint32_t tag, cop_pid other,
           int32_t code)
{
    return put(ring, when, other.id, copi_recording_what(kind, tag, 0),
               copi_recording_outcome(COPI_RECORD_OPEN, code));
}

static void
put_text(struct copi_ring *ring, const char *text)
{
    enum {
        MOST = 3
    };
    size_t length = text ? strnlen(text, MOST * COPI_RECORD_TEXT_BYTES) : 0;
    for (size_t at = 0; at < length; at += COPI_RECORD_TEXT_BYTES) {
        uint64_t parts[3] = {0};
        size_t left = length - at;
        memcpy(parts, text + at, left < sizeof parts ? left : sizeof parts);
        put(ring, parts[0], parts[1], copi_recording_what(COPI_RECORD_TEXT, 0, 0), parts[2]);
    }
}

/* How a record came out; unless its place is another's by now. */
static void
set_outcome(struct copi_ring *ring, uint64_t number, uint32_t took, int32_t code)
{
    if (copi_load_relaxed_64(&ring->written) - number <= recorder.mask) {
        copi_store_relaxed_64(&copi_ring_records(ring)[number & recorder.mask].outcome,
                              copi_recording_outcome(took, code));
    }
}

static uint32_t
took(uint64_t began, uint64_t now)
{
    uint64_t units = now > began ? (now - began) >> COPI_RECORD_TOOK_SHIFT : 0;
    return units < UINT32_MAX ? (uint32_t)units + 1 : UINT32_MAX;
}

/* What was in hand is over. */
static void
close_in_hand(struct copi_process *self, struct copi_ring *ring, uint64_t now)
{
    struct copi_recorded *recorded = &self->reasons->recorded;
    if (recorded->in_hand) {
        set_outcome(ring, recorded->in_hand - 1, took(recorded->began, now), recorded->verdict);
        recorded->in_hand = 0;
    }
}

static inline void
take_in_hand(struct copi_process *self, cop_record_kind kind, uint32_t tag, cop_pid from)
{
    struct copi_ring *ring = ring_of(self);
    uint64_t now = ticks();
    self->reasons->recorded.in_hand = put_record(ring, now, kind, tag, from, COP_VERDICT_NONE) + 1;
    self->reasons->recorded.began = now;
    self->reasons->recorded.verdict = COP_VERDICT_NONE;
}

static inline cop_record_kind
kind_of(const struct copi_process *self, const struct copi_message *message)
{
    if (message->flags & COPI_SYSTEM) {
        return COP_RECORD_SYSTEM;
    }
    switch ((enum copi_kind)message->kind) {
    case COPI_CALL:
        return COP_RECORD_CALL;
    case COPI_CAST:
        return COP_RECORD_CAST;
    case COPI_STOP:
        return COP_RECORD_STOP;
    default:
        return copi_is(self, COPI_IS_SERVER) ? COP_RECORD_INFO : COP_RECORD_MESSAGE;
    }
}

void
copi_recorder_message(struct copi_process *self, const struct copi_message *message)
{
    take_in_hand(self, kind_of(self, message), message->tag, message->from);
}

void
copi_recorder_event(struct copi_process *self, cop_record_kind kind, uint32_t tag)
{
    take_in_hand(self, kind, tag, COP_NOBODY);
}

void
copi_recorder_verdict(struct copi_process *self, cop_verdict verdict)
{
    if (self->reasons->recorded.in_hand) {
        self->reasons->recorded.verdict = (int32_t)verdict;
        set_outcome(ring_of(self), self->reasons->recorded.in_hand - 1, COPI_RECORD_OPEN,
                    (int32_t)verdict);
    }
}

void
copi_recorder_idle(struct copi_process *self)
{
    if (self->reasons->recorded.in_hand) {
        close_in_hand(self, ring_of(self), ticks());
        self->reasons->recorded.idle = copi_load_relaxed_64(&ring_of(self)->written);
    }
}

void
copi_recorder_note(struct copi_process *self, cop_record_kind kind, cop_pid other, uint32_t tag,
                   int code, const char *text)
{
    struct copi_ring *ring = ring_of(self);
    uint64_t now = ticks();
    if (kind == COP_RECORD_EXIT) {
        close_in_hand(self, ring, now);
    }
    put_record(ring, now, kind, tag, other, code);
    put_text(ring, text);
}

/* ---------------------------------------------------------------- waits */

static uint32_t
find_word(const struct copi_recording_head *head, const char *word)
{
    uint32_t count = copi_load_acquire_32(&head->word_count); /* pairs with add_word_locked */
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(head->words[i], word, COPI_RECORDING_WORD_SIZE - 1) == 0) {
            return i;
        }
    }
    return COPI_RECORDING_WORDS;
}

static uint32_t
add_word_locked(struct copi_recording_head *head, const char *word)
{
    uint32_t number = find_word(head, word), count = copi_load_relaxed_32(&head->word_count);
    if (number == COPI_RECORDING_WORDS && count < COPI_RECORDING_WORDS) {
        number = count;
        strncpy(head->words[number], word, COPI_RECORDING_WORD_SIZE - 1);
        copi_store_release_32(&head->word_count, count + 1); /* pairs with find_word */
    }
    return number;
}

/* Its number in the file; one that does not fit in any more is told as nothing. */
static uint32_t
number_of(const char *word)
{
    uint32_t number = find_word(recorder.head, word);
    if (number == COPI_RECORDING_WORDS) {
        copi_lock_take(&recorder.lock);
        number = add_word_locked(recorder.head, word);
        copi_lock_give(&recorder.lock);
    }
    return number;
}

/* Now and then, where nobody is in a hurry. */
static void
note_clock(struct copi_ring *ring, uint64_t now)
{
    uint64_t pause = recorder.head->ticks_in_a_second;
    if (pause && now - copi_load_relaxed_64(&ring->anchor_ticks) > pause) {
        uint64_t at;
        cop_time time;
        read_clocks(&at, &time);
        copi_store_release_64(&ring->anchor_ticks, 0); /* nobody takes a half of each */
        copi_store_release_64(&ring->anchor_time, (uint64_t)time);
        copi_store_release_64(&ring->anchor_ticks, at);
    }
}

/* The wait that was last recorded goes on: nothing has come between. */
static bool
goes_on(const struct copi_recorded *recorded, const struct copi_ring *ring, uint32_t word,
        cop_pid whom)
{
    return recorded->wait == copi_load_relaxed_64(&ring->written) && recorded->wait != 0
           && recorded->wait_in == word && cop_pid_eq(recorded->wait_for, whom);
}

/* That it waits for the next message after one is the rule, and seen from that one's end. */
static bool
is_idle(const struct copi_recorded *recorded, const struct copi_ring *ring, const char *in)
{
    return recorded->idle == copi_load_relaxed_64(&ring->written) && strcmp(in, "receive") == 0;
}

void
copi_recorder_wait_begin(struct copi_process *self, const char *in)
{
    struct copi_ring *ring = ring_of(self);
    struct copi_recorded *recorded = &self->reasons->recorded;
    if (is_idle(recorded, ring, in)) {
        note_clock(ring, ticks());
        return;
    }
    cop_pid whom = {copi_load_relaxed_64(&self->waits_for_pid)};
    uint32_t word = number_of(in);
    uint64_t now = ticks();
    if (goes_on(recorded, ring, word, whom)) {
        set_outcome(ring, recorded->wait - 1, COPI_RECORD_OPEN, 0);
    } else {
        recorded->wait = put_record(ring, now, COP_RECORD_WAIT, word, whom, 0) + 1;
        recorded->wait_in = word;
        recorded->wait_for = whom;
        recorded->wait_began = now;
    }
    note_clock(ring, now);
}

void
copi_recorder_wait_end(struct copi_process *self)
{
    if (self->reasons->recorded.wait == copi_load_relaxed_64(&ring_of(self)->written)) {
        set_outcome(ring_of(self), self->reasons->recorded.wait - 1,
                    took(self->reasons->recorded.wait_began, ticks()), 0);
    }
}

/* ---------------------------------------------------------------- a process's ring */

void
copi_recorder_enter(struct copi_process *self)
{
    struct copi_ring *ring = recorder.head ? take() : NULL;
    if (!ring) {
        return;
    }
    uint64_t now = ticks();
    cop_pid parent = copi_parent(self);
    copi_store_release_64(&ring->pid, 0); /* pairs with find */
    copi_store_release_64(&ring->written, 0);
    copi_store_relaxed_64(&ring->parent, parent.id);
    copi_store_relaxed_64(&ring->started, now);
    copi_store_relaxed_64(&ring->anchor_ticks, 0);
    copi_store_relaxed_32(&ring->state, COPI_RING_LIVES);
    set_text(ring->name, sizeof ring->name, "");
    set_text(ring->label, sizeof ring->label, self->title->label);
    set_text(ring->kind, sizeof ring->kind, self->behaviour->kind);
    put_record(ring, now, COP_RECORD_STARTED, 0, parent, 0);
    copi_store_release_64(&ring->pid, self->pid.id); /* pairs with find */
    copi_store_relaxed_64(&recorder.head->ended, 0); /* after a cop_shutdown: it goes on */
    self->reasons->recorded = (struct copi_recorded){0};
    copi_store_release_ptr(&self->ring, ring);
    copi_name_show(self); /* it may have got one before */
}

void
copi_recorder_leave(struct copi_process *self)
{
    struct copi_ring *ring = ring_of(self);
    if (!ring) {
        return;
    }
    bool crashed = cop_is_crash(self->reasons->end);
    copi_store_relaxed_ptr(&self->ring, NULL);
    if (copi_load_relaxed_32(&ring->state) == COPI_RING_LIVES) {
        copi_store_relaxed_32(&ring->state, crashed ? COPI_RING_CRASHED : COPI_RING_ENDED);
    }
    copi_lock_take(&recorder.lock);
    append_locked(crashed ? &recorder.crashed : &recorder.ended, ring);
    copi_lock_give(&recorder.lock);
}

void
copi_recorder_name(struct copi_process *process, const char *name)
{
    struct copi_ring *ring = copi_load_acquire_ptr(&process->ring); /* pairs with enter */
    if (ring) {
        set_text(ring->name, sizeof ring->name, name);
    }
}

void
copi_recorder_kind(struct copi_process *self, const char *kind)
{
    struct copi_ring *ring = ring_of(self);
    if (ring) {
        set_text(ring->kind, sizeof ring->kind, kind);
    }
}

void
copi_recorder_disowned(struct copi_process *process)
{
    struct copi_ring *ring = copi_load_acquire_ptr(&process->ring); /* pairs with enter */
    if (ring) {
        copi_store_relaxed_32(&ring->state, COPI_RING_DISOWNED);
    }
}

/* ---------------------------------------------------------------- reading */

static struct copi_ring *
find(cop_pid pid)
{
    uint64_t used = copi_load_acquire_64(&recorder.head->used); /* pairs with take_locked */
    for (uint64_t i = 0; i < used; i++) {
        struct copi_ring *ring = ring_at(i);
        if (copi_load_acquire_64(&ring->pid) == pid.id) { /* pairs with copi_recorder_enter */
            return ring;
        }
    }
    return NULL;
}

/* It is whole if its place has not been needed again when it has been read. */
static bool
fetch_live(void *env, uint64_t number, uint64_t words[4])
{
    const struct copi_ring *ring = env;
    const struct copi_recording_record *record =
        &copi_ring_records_of(ring)[number & recorder.mask];
    words[0] = copi_load_acquire_64(&record->when); /* all pair with put */
    words[1] = copi_load_acquire_64(&record->other);
    words[2] = copi_load_acquire_64(&record->what);
    words[3] = copi_load_acquire_64(&record->outcome);
    return copi_load_acquire_64(&ring->written) - number <= recorder.mask;
}

static struct copi_recording_clock
clock_now(void)
{
    uint64_t now_ticks = 0;
    cop_time now = 0;
    if (recorder.has_ticks) {
        read_clocks(&now_ticks, &now);
    }
    return copi_recording_clock_of(recorder.head, now_ticks, now);
}

int
cop_recorder_read(cop_pid pid, cop_record *out, size_t capacity)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    if (!recorder.head) {
        return copi_fail(-EOPNOTSUPP);
    }
    cop_pid resolved = copi_resolve(pid);
    struct copi_ring *ring = resolved.id ? find(resolved) : NULL;
    if (!ring) {
        return copi_fail(-ESRCH);
    }
    struct copi_recording_source source = {
        .written = copi_load_acquire_64(&ring->written), /* pairs with put */
        .records = (uint32_t)recorder.mask + 1,
        .clock = clock_now(),
        .words = recorder.head->words[0],
        .fetch = fetch_live,
        .env = ring,
    };
    size_t count = copi_recording_read(&source, out, capacity > INT_MAX ? INT_MAX : capacity);
    bool is_same = copi_load_acquire_64(&ring->pid) == resolved.id; /* pairs with _enter */
    return is_same ? (int)count : copi_fail(-ESRCH);
}

const char *
cop_record_string(const cop_record *record, char *out, size_t size)
{
    char other[COPI_LABEL_SIZE], tag[COPI_TAG_SIZE];
    return copi_recording_string(record, copi_label_pid(record->other, other),
                                 copi_tag_in_words(record->tag, tag), out, size);
}
