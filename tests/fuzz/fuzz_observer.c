/*
 * tests/fuzz/fuzz_observer.c - what an observer may be asked.
 *
 * Room: tests/. With a tree that has two observers, one of them with actions.
 *
 * The first byte says which is asked, the rest is what is sent. Whatever it is, each question has one answer:
 * lines that begin with "ok" or "error", can be shown, and end with an empty one. What would be done is not.
 */
#include "supervisor/observe/deeds.h"
#include "supervisor/observe/question.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/wrap.h"

#include <coppice.h>

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    MOST_SENT = 2048,
    LONGEST = 1 << 22, /* all answers together */
};

static char folder[] = "/tmp/coppice-fuzz-XXXXXX", paths[2][64];
static bool has_begun;
static atomic_bool allows_deeds;

int begin_deed(const char *name, cop_pid to, cop_pid *doer) WRAP(copi_deed_begin);
int
begin_deed(const char *name, cop_pid to, cop_pid *doer)
{
    (void)name, (void)doer;
    HOLDS(atomic_load(&allows_deeds));
    return to.id & 1 ? -ESRCH : -EOPNOTSUPP;
}

/* ---------------------------------------------------------------- the tree */

static void
end(void)
{
    (void)cop_shutdown(COP_SEC(5));
    rmdir(folder);
}

static void
begin(void)
{
    static cop_observer_spec specs[2] = {{.path = paths[0]}, {.path = paths[1], .actions = true}};
    cop_child_spec children[2];
    HOLDS(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%d", folder, i);
        children[i] = cop_observer_child(&specs[i]);
    }
    children[1].id = "observer-with-actions";
    cop_pid tree;
    cop_log_set_level(COP_LOG_EMERGENCY);
    HOLDS(cop_supervisor_start(
              &tree, &(cop_supervisor_spec){.name = "tree", COP_CHILDREN(children[0], children[1])})
          == 0);
    HOLDS(atexit(end) == 0);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, sizeof paths[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    HOLDS(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static size_t
read_all(int fd, char *text)
{
    size_t size = 0;
    ssize_t got;
    while ((got = recv(fd, text + size, LONGEST - size, 0)) != 0) {
        if (got < 0 && errno == EINTR) { /* libFuzzer's clock */
            continue;
        }
        if (got < 0) {
            break;
        }
        size += (size_t)got;
        HOLDS(size < LONGEST);
    }
    HOLDS(got == 0 || errno == ECONNRESET);
    return size;
}

/* ---------------------------------------------------------------- what must hold */

/* How many questions are in it, up to one that is too long: it is the last. */
static size_t
questions_in(const char *text, size_t size)
{
    size_t count = 0;
    while (size > 0) {
        const char *line_end = memchr(text, '\n', size);
        size_t length = line_end ? (size_t)(line_end - text) + 1 : size;
        if (length > COPI_LONGEST_QUESTION) {
            return count + 1;
        }
        count += line_end != NULL;
        text += length;
        size -= length;
    }
    return count;
}

static void
check_line(const char *line, const char *line_end)
{
    for (; line < line_end; line++) {
        unsigned char byte = (unsigned char)*line;
        HOLDS(byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
}

/* How many answers there are, after the greeting; the last may not be whole. */
static size_t
check_answers(const char *text, size_t size)
{
    size_t count = 0;
    bool is_inside = false, is_greeted = false;
    for (const char *at = text, *line_end; at < text + size; at = line_end + 1) {
        line_end = memchr(at, '\n', (size_t)(text + size - at));
        HOLDS(line_end);
        check_line(at, line_end);
        bool is_begin = strncmp(at, "ok\n", 3) == 0 || strncmp(at, "error\t", 6) == 0;
        HOLDS(is_greeted || strncmp(at, "coppice-observer\t1\t", 19) == 0);
        HOLDS(!is_greeted || is_inside || is_begin);
        count += is_inside && line_end == at;
        is_inside = is_greeted && line_end != at;
        is_greeted = true;
    }
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[LONGEST];
    struct input input = {data, size};
    if (!has_begun) {
        has_begun = true;
        begin();
    }
    bool is_other = take_number(&input, 1) & 1;
    input.size = input.size < MOST_SENT ? input.size : MOST_SENT;
    atomic_store(&allows_deeds, is_other);
    int fd = connect_to(paths[is_other]);
    HOLDS(send(fd, input.at, input.size, MSG_NOSIGNAL) == (ssize_t)input.size);
    HOLDS(shutdown(fd, SHUT_WR) == 0);
    size_t count = check_answers(text, read_all(fd, text));
    HOLDS(count == questions_in((const char *)input.at, input.size));
    close(fd);
    return 0;
}
