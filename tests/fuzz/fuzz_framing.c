/*
 * tests/fuzz/fuzz_framing.c - where a message ends in a stream of bytes.
 *
 * Room: tests/.
 *
 * Four bytes say the framing, its limit and how the rest is cut. However that is, the same frames must come
 * out, but for raw bytes, of which only the sum is the same; and a header must be the one that is sent.
 */
#include "actors/framing.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>

struct outcome {
    uint64_t hash; /* of the frames' bytes and, unless they are raw, of where they end */
    int end;       /* why there are no more */
};

static uint64_t
hash_of(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void
check_header(const struct copi_framing *framing, const struct copi_frame *frame,
             const uint8_t *begins)
{
    unsigned char header[COPI_FRAME_HEADER];
    HOLDS(copi_framing_header(framing, frame->size, header) == (int)frame->header);
    HOLDS(memcmp(header, begins, frame->header) == 0);
}

/* The frame at the beginning of what is there, in memory of its own. */
static int
next(const struct copi_framing *framing, struct input there, bool at_end, struct copi_frame *frame)
{
    void *exact = copy_of(there.at, there.size);
    int r = copi_framing_next(framing, (cop_bytes){exact, there.size}, at_end, frame);
    free(exact);
    if (r == 0) {
        size_t whole = frame->header + frame->size;
        HOLDS(whole > 0 && whole <= there.size && frame->size <= framing->max);
        check_header(framing, frame, there.at);
    }
    return r;
}

static struct outcome
frames_of(const struct copi_framing *framing, struct input input, size_t piece)
{
    struct outcome outcome = {.hash = UINT64_C(0xcbf29ce484222325)};
    size_t there = 0;
    for (;;) {
        struct copi_frame frame;
        bool at_end = there == input.size;
        outcome.end = next(framing, (struct input){input.at, there}, at_end, &frame);
        if (outcome.end == -EAGAIN && !at_end) {
            there += input.size - there < piece ? input.size - there : piece;
            continue;
        }
        if (outcome.end) {
            return outcome;
        }
        size_t whole = frame.header + frame.size;
        outcome.hash = hash_of(outcome.hash, input.at, whole);
        outcome.hash = framing->kind == COP_FRAME_RAW ? outcome.hash : hash_of(outcome.hash, "", 1);
        input.at += whole;
        input.size -= whole;
        there -= whole;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct copi_framing framing;
    cop_framing kind = (cop_framing)(take_number(&input, 1) % (COP_FRAME_SIZE_4 + 2));
    size_t max = take_number(&input, 2), piece = 1 + take_number(&input, 1);
    if (copi_framing_set(&framing, kind, max)) {
        HOLDS(kind > COP_FRAME_SIZE_4 || (kind == COP_FRAME_SIZE_1 && max > 255));
        return 0;
    }
    struct outcome whole = frames_of(&framing, input, SIZE_MAX);
    struct outcome cut = frames_of(&framing, input, piece);
    HOLDS(whole.hash == cut.hash && whole.end == cut.end);
    return 0;
}
