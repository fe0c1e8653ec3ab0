/*
 * tests/fuzz/fuzz_resp.c - the key-value daemon's protocol: whatever comes, cut into whatever pieces.
 *
 * Room: tests/. Linked with demos/kv/resp.c.
 *
 * The first byte says how the rest is cut. The frames that come out, and the error that ends them, must be
 * those of the uncut stream.
 */
#include "demos/kv/resp.h"
#include "tests/fuzz/fuzz.h"

struct stream {
    struct input bytes;
    struct resp_parser parser;
    struct buffer frames; /* what came out */
};

static void
note(struct buffer *out, const void *bytes, size_t size)
{
    buffer_append(out, &size, sizeof size);
    buffer_append(out, bytes, size);
    HOLDS(!out->failed);
}

static void
note_frame(struct stream *stream, const char *frame, size_t size)
{
    const struct resp_parser *parser = &stream->parser;
    HOLDS(parser->at > 0 && parser->at <= size);
    note(&stream->frames, "frame", 5);
    for (size_t i = 0; i < parser->count; i++) {
        struct resp_arg arg = parser->args[i];
        HOLDS(arg.at <= parser->at && arg.size <= parser->at - arg.at);
        note(&stream->frames, frame + arg.at, arg.size);
    }
}

/* One look at what there is of a frame, wherever it lies now. */
static enum resp_status
look(struct stream *stream, size_t size)
{
    char *frame = copy_of(stream->bytes.at, size);
    enum resp_status status = resp_parse(&stream->parser, frame, size);
    if (status == RESP_COMPLETE) {
        note_frame(stream, frame, size);
        stream->bytes.at += stream->parser.at;
        stream->bytes.size -= stream->parser.at;
        resp_next(&stream->parser);
    } else if (status == RESP_BAD) {
        HOLDS(strlen(stream->parser.error) > 0);
        note(&stream->frames, stream->parser.error, strlen(stream->parser.error));
    }
    free(frame);
    return status;
}

static struct buffer
frames_of(struct input bytes, size_t piece)
{
    struct stream stream = {.bytes = bytes};
    const uint8_t *end = bytes.at + bytes.size;
    const uint8_t *there = piece ? bytes.at : end;
    enum resp_status status = RESP_MORE;
    do {
        if (status == RESP_MORE && piece) {
            there += (size_t)(end - there) < piece ? (size_t)(end - there) : piece;
        }
        status = look(&stream, (size_t)(there - stream.bytes.at));
    } while (status == RESP_COMPLETE || (status == RESP_MORE && there < end));
    resp_free(&stream.parser);
    return stream.frames;
}

static void
reply(const uint8_t *data, size_t size)
{
    struct buffer out = {0};
    resp_error(&out, "ERR unknown command '%.*s'", (int)size, (const char *)data);
    HOLDS(!out.failed && memchr(out.data, '\n', out.used) == out.data + out.used - 1);
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t piece = 1 + take_number(&input, 1) % 64;
    struct buffer whole = frames_of(input, 0), cut = frames_of(input, piece);
    HOLDS(whole.used == cut.used);
    HOLDS(whole.used == 0 || memcmp(whole.data, cut.data, whole.used) == 0);
    buffer_free(&whole);
    buffer_free(&cut);
    reply(data, size);
    return 0;
}
