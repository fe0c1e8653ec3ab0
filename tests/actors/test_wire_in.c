/*
 * tests/actors/test_wire_in.c - what comes: bytes, cut into messages, one for each request.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "tests/actors/sockets.h"
#include "tests/support/wrap.h"

static atomic_bool refuses_messages;

struct copi_message *real_blank(enum copi_kind kind, uint32_t tag, size_t size, void **body)
    REAL(copi_message_blank);
struct copi_message *refuse_blank(enum copi_kind kind, uint32_t tag, size_t size, void **body)
    WRAP(copi_message_blank);
struct copi_message *
refuse_blank(enum copi_kind kind, uint32_t tag, size_t size, void **body)
{
    return refuses_messages ? NULL : real_blank(kind, tag, size, body);
}

/* Nothing has come, though the reactor had time to see it. */
static void
nothing_comes(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_second_request_is_refused_until_the_first_is_answered)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), -EALREADY);
    ck_assert_int_eq(cop_why().code, -EALREADY);
    peer_says(ends, "a", 1);
    ck_assert_uint_eq(data_that_comes(ends.ours).size, 1);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    close_ends(ends);
}

static int
ask(void *socket)
{
    return cop_socket_active_once(*(cop_socket *)socket);
}

TEST(a_request_without_memory_is_none)
{
    struct ends ends = CONNECTED();
    int r;
    peer_says(ends, "a", 1);
    copi_alloc_fail_after(0);
    r = ask(&ends.ours);
    copi_alloc_fail_after(-1);
    if (r == 0) { /* it had a message left, and told what it has no memory for */
        ck_assert_int_eq(error_that_comes(ends.ours), -ENOMEM);
    } else {
        ck_assert_int_eq(r, -ENOMEM);
        next_text(ends.ours, "a");
    }
    close_ends(ends);
}

TEST(without_memory_for_what_came_the_connection_is_given_up)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    copi_alloc_fail_after(0);
    peer_says(ends, "a", 1);
    int error = error_that_comes(ends.ours);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_int_eq(next_error(ends.ours), -ENOMEM);
    close_ends(ends);
}

TEST(without_memory_to_tell_what_has_come_the_connection_is_given_up)
{
    struct ends ends = CONNECTED();
    peer_says(ends, "a", 1);
    refuses_messages = true;
    int error = next_error(ends.ours);
    refuses_messages = false;
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_int_eq(next_error(ends.ours), -ENOMEM);
    close_ends(ends);
}

TEST(a_line_that_is_too_long_is_an_error_and_not_kept)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE, .max_frame = 10);
    peer_says(ends, "short\nmuch too long", 19);
    next_text(ends.ours, "short\n");
    ck_assert_int_eq(next_error(ends.ours), -EMSGSIZE);
    peer_says(ends, "\nshort\n", 7);
    ck_assert_int_eq(next_error(ends.ours), -EMSGSIZE);
    close_ends(ends);
}

TEST(a_frame_that_is_too_long_is_an_error_before_it_has_come)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_SIZE_4, .max_frame = 100);
    peer_says(ends, "\0\0\0\1a\0\0\0\145", 9);
    next_text(ends.ours, "a");
    ck_assert_int_eq(next_error(ends.ours), -EMSGSIZE);
    close_ends(ends);
}

TEST(an_end_inside_a_frame_is_an_error)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_SIZE_2);
    peer_says(ends, "\0\3ab", 4);
    shutdown(ends.peer, SHUT_WR);
    ck_assert_int_eq(next_error(ends.ours), -EBADMSG);
    close_ends(ends);
}

TEST(a_connection_that_breaks_is_an_error)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    const struct linger none = {.l_onoff = 1};
    setsockopt(ends.peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(ends.peer);
    ck_assert_int_eq(error_that_comes(ends.ours), -ECONNRESET);
    ck_assert_int_eq(next_error(ends.ours), -ECONNRESET);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

/* ---------------------------------------------------------------- one at a time */

TEST(nothing_is_told_that_nobody_has_asked_for)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "a\nb\nc\n", 6);
    nothing_comes();
    next_text(ends.ours, "a\n");
    nothing_comes();
    next_text(ends.ours, "b\n");
    next_text(ends.ours, "c\n");
    close_ends(ends);
}

TEST(what_comes_after_the_request_is_told_as_what_came_before)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
        peer_says(ends, "line\n", 5);
        cop_bytes bytes = data_that_comes(ends.ours);
        ck_assert_str_eq(bytes.data, "line\n");
    }
    close_ends(ends);
}

TEST(a_peer_that_says_more_than_is_asked_for_waits)
{
    struct ends ends = CONNECTED();
    size_t said = 0, heard = 0;
    ssize_t n;
    char block[4096] = {0};
    while ((n = send(ends.peer, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
        said += (size_t)n;
    }
    ck_assert_int_eq(errno, EAGAIN);
    nothing_comes();
    while (heard < said) {
        heard += next_data(ends.ours).size;
    }
    ck_assert_uint_eq(heard, said);
    close_ends(ends);
}

TEST(raw_messages_are_no_longer_than_their_limit)
{
    struct ends ends = CONNECTED(.max_frame = 3);
    peer_says(ends, "abcdefgh", 8);
    char heard[9] = {0};
    for (size_t size = 0; size < 8;) {
        cop_bytes bytes = next_data(ends.ours);
        ck_assert_uint_le(bytes.size, 3);
        memcpy(heard + size, bytes.data, bytes.size);
        size += bytes.size;
    }
    ck_assert_str_eq(heard, "abcdefgh");
    close_ends(ends);
}

/* ---------------------------------------------------------------- framing */

static const struct {
    cop_framing framing;
    const char *sent;
    size_t size;
    const char *texts[4];
} streams[] = {
    {COP_FRAME_LINE, "\nab\nc\n", 6, {"\n", "ab\n", "c\n"}},
    {COP_FRAME_SIZE_1, "\2ab\0\1c", 6, {"ab", "", "c"}},
    {COP_FRAME_SIZE_2, "\0\2ab\0\0\0\1c", 9, {"ab", "", "c"}},
    {COP_FRAME_SIZE_4, "\0\0\0\2ab\0\0\0\0\0\0\0\1c", 15, {"ab", "", "c"}},
};
enum {
    STREAMS = sizeof streams / sizeof *streams
};

TEST_TIMES(STREAMS, a_stream_that_comes_byte_by_byte_is_cut_as_one_that_comes_whole)
{
    for (int whole = 0; whole < 2; whole++) {
        struct ends ends = CONNECTED(.framing = streams[_i].framing);
        ck_assert_int_eq(setsockopt(ends.peer, IPPROTO_TCP, 1 /* TCP_NODELAY */, &(int){1}, 4), 0);
        size_t step = whole ? streams[_i].size : 1;
        int heard = 0;
        ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
        for (size_t at = 0; at < streams[_i].size; at += step) {
            peer_says(ends, streams[_i].sent + at, step);
            cop_msg msg;
            cop_bytes bytes;
            while (cop_receive(&msg, COP_US(300)) == 0) {
                ck_assert(cop_data_of(msg, NULL, &bytes));
                ck_assert_str_eq(bytes.data, streams[_i].texts[heard++]);
                ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
            }
        }
        while (heard < 3) {
            ck_assert_str_eq(data_that_comes(ends.ours).data, streams[_i].texts[heard++]);
            ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
        }
        shutdown(ends.peer, SHUT_WR);
        ck_assert_int_eq(error_that_comes(ends.ours), 0);
        close_ends(ends);
    }
}

TEST(long_frames_come_whole)
{
    enum {
        LONG = 300 * 1000
    };
    struct ends ends = CONNECTED(.framing = COP_FRAME_SIZE_4, .max_frame = LONG);
    unsigned char *frame = calloc(1, LONG + 4);
    for (int i = 0; i < LONG; i++) {
        frame[4 + i] = (unsigned char)(i % 251);
    }
    frame[1] = LONG >> 16;
    frame[2] = (LONG >> 8) & 0xff;
    frame[3] = LONG & 0xff;
    for (size_t said = 0; said < LONG + 4;) {
        ssize_t n = send(ends.peer, frame + said, LONG + 4 - said, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            said += (size_t)n;
        }
        int r = cop_socket_active_once(ends.ours);
        ck_assert(r == 0 || r == -EALREADY);
    }
    cop_bytes bytes = data_that_comes(ends.ours);
    ck_assert_uint_eq(bytes.size, LONG);
    ck_assert(memcmp(bytes.data, frame + 4, LONG) == 0);
    free(frame);
    close_ends(ends);
}

TEST(a_framing_that_is_changed_cuts_what_has_come_already)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "header\nbody", 11);
    next_text(ends.ours, "header\n");
    ck_assert_int_eq(cop_socket_set_framing(ends.ours, COP_FRAME_SIZE_1, 256), -EINVAL);
    ck_assert_int_eq(cop_socket_set_framing(ends.ours, COP_FRAME_RAW, 0), 0);
    next_text(ends.ours, "body");
    close_ends(ends);
}

/* ---------------------------------------------------------------- ends */

TEST(an_end_is_told_after_all_that_came_before_and_at_each_request)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "one\ntwo", 7);
    shutdown(ends.peer, SHUT_WR);
    next_text(ends.ours, "one\n");
    next_text(ends.ours, "two");
    ck_assert_int_eq(next_error(ends.ours), 0);
    ck_assert_int_eq(next_error(ends.ours), 0);
    close_ends(ends);
}

TEST(after_the_peers_end_it_can_still_be_told_something)
{
    struct ends ends = CONNECTED();
    shutdown(ends.peer, SHUT_WR);
    ck_assert_int_eq(next_error(ends.ours), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("goodbye"), 0), 0);
    peer_hears_text(ends, "goodbye");
    close_ends(ends);
}

TEST(a_shutdown_forgets_requests_and_they_can_be_made_again)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    peer_says(ends, "a", 1);
    ck_assert_uint_eq(data_that_comes(ends.ours).size, 1);
    close_ends(ends);
}

SUITE("wire_in")
