/*
 * supervisor/observe/observer.c - lets tools outside look at the program, over a Unix socket.
 *
 * Room: supervisor/observe/. The observer, a server.
 * Touch freely: the limits. Ask first: that it waits for nobody.
 *
 * One process has the listener and all connections, and what it does for one takes it a moment: a picture is
 * taken from outside, and a deed, which may wait for somebody who is stuck, is done by a process of its own
 * (deeds.c). A connection is in one of three states, and only in the first is it heard:
 *
 *   asked      for its next question
 *   answering  it has an answer that the peer has not taken in yet
 *   waiting    for the end of a deed. It keeps its place until then, also if the peer has left: so there
 *              are no more deeds at a time than places
 *
 * What strangers can cost is bounded. There are so many connections and no more: when all places are
 * taken, the listener is not asked, and whoever comes waits with the system. Each has at most one answer, and
 * the same picture serves all who ask within a moment, so that asking fast is no work either. An answer is
 * given in pieces, as the peer reads. The clock ends what does not go on: a peer that does not read, or,
 * when all places are taken, the one that has asked nothing for the longest time. It ticks only while there is
 * a connection.
 *
 * Bad questions are answered with one line, and logged, but not each: a line in a minute says enough.
 */
#include "runtime/inspect.h"
#include "runtime/report.h"
#include "supervisor/observe/answers.h"
#include "supervisor/observe/deeds.h"
#include "supervisor/observe/question.h"

#include <coppice/genserver.h>
#include <coppice/memory.h>
#include <coppice/observe.h>
#include <coppice/signal.h>
#include <coppice/socket.h>
#include <coppice/timer.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum {
    MOST_CONNECTIONS = 256,
    USUAL_CONNECTIONS = 16,
    PIECE = 32 << 10,
    SHOWN = 40, /* of a bad question */
};
#define PATIENCE   COP_SEC(10)
#define TICK       COP_SEC(1)
#define LAST_WORDS COP_SEC(1)
#define A_MOMENT   COP_MS(50) /* a picture is good for as long */
#define LOG_PAUSE  COP_SEC(60)
#define TICKED     0xfffe0602u

/* An answer, which several may be reading. */
struct answer {
    unsigned holds;
    struct copi_words words;
};

struct connection {
    struct connection *next;
    cop_socket socket;
    cop_time since; /* it was heard, or has had its answer */
    struct answer *answer;
    size_t told;    /* of the answer */
    cop_pid doer;   /* of its deed; COP_NOBODY: none is under way */
    bool is_ending; /* after the answer */
};

struct observer {
    const cop_observer_spec *spec;
    cop_socket listener;
    bool listens; /* has been asked for the next connection */
    bool ticks;
    struct connection *connections; /* the newest first */
    unsigned count;
    struct answer *picture; /* the last one; NULL: none */
    cop_time taken, complained;
};

static unsigned
places(const struct observer *observer)
{
    unsigned most = observer->spec->max_connections;
    return most ? most : USUAL_CONNECTIONS;
}

static cop_time
patience(const struct observer *observer)
{
    return observer->spec->patience ? observer->spec->patience : PATIENCE;
}

/* ---------------------------------------------------------------- answers */

static struct answer *
new_answer(void)
{
    struct answer *answer = cop_alloc(sizeof *answer);
    if (answer) {
        *answer = (struct answer){.holds = 1};
    }
    return answer;
}

static void
let_go(struct answer *answer)
{
    if (answer && --answer->holds == 0) {
        copi_words_clear(&answer->words);
        cop_free(answer);
    }
}

/* The last picture, or a new one. NULL: out of memory. A refusal is for who has asked only. */
static struct answer *
picture(struct observer *observer)
{
    cop_time now = cop_now();
    if (observer->picture && now - observer->taken <= A_MOMENT) {
        observer->picture->holds++;
        return observer->picture;
    }
    struct answer *answer = new_answer();
    if (answer && copi_answer_picture(&answer->words)) {
        let_go(observer->picture);
        observer->picture = answer;
        observer->taken = now;
        answer->holds++;
    }
    return answer;
}

/* ---------------------------------------------------------------- connections */

static void
tick(struct observer *observer)
{
    if (!observer->ticks && (observer->count > 0 || !observer->listens)) {
        cop_time pause = patience(observer) < TICK ? patience(observer) : TICK;
        observer->ticks = cop_send_after(cop_self(), COP_TAG(TICKED), pause).id != 0;
        if (!observer->ticks && !observer->listens) {
            cop_exit(cop_failed(-ENOMEM, "no memory to listen on, nor to try it later"));
        }
    }
}

/* For the next connection, if there is a place for it. What fails is tried again with the next tick. */
static void
listen_on(struct observer *observer)
{
    if (!observer->listens && observer->count < places(observer)) {
        observer->listens = cop_socket_active_once(observer->listener) == 0;
    }
    tick(observer);
}

static void
end_connection(struct observer *observer, struct connection *connection)
{
    struct connection **link = &observer->connections;
    while (*link != connection) {
        link = &(*link)->next;
    }
    *link = connection->next;
    observer->count--;
    cop_socket_close(connection->socket);
    let_go(connection->answer);
    cop_free(connection);
    if (observer->count == 0) {
        let_go(observer->picture);
        observer->picture = NULL;
    }
    listen_on(observer);
}

static struct connection *
of_socket(const struct observer *observer, cop_socket socket)
{
    struct connection *connection = observer->connections;
    while (connection && connection->socket.id != socket.id) {
        connection = connection->next;
    }
    return connection;
}

static struct connection *
of_doer(const struct observer *observer, cop_pid doer)
{
    struct connection *connection = observer->connections;
    while (connection && !cop_pid_eq(connection->doer, doer)) {
        connection = connection->next;
    }
    return connection;
}

/* ---------------------------------------------------------------- telling */

static void
answer_is_told(struct observer *observer, struct connection *connection)
{
    let_go(connection->answer);
    connection->answer = NULL;
    connection->since = cop_now();
    if (connection->is_ending || cop_socket_active_once(connection->socket) != 0) {
        end_connection(observer, connection);
    }
}

/* 0: all of it; -EAGAIN: the peer is to read first; else it cannot be. */
static int
tell_pieces(struct connection *connection)
{
    const struct copi_words *words = &connection->answer->words;
    while (connection->told < words->size) {
        size_t left = words->size - connection->told;
        cop_bytes piece = {words->text + connection->told, left < PIECE ? left : PIECE};
        int r = cop_send_bytes(connection->socket, piece, 0);
        if (r) {
            return r;
        }
        connection->told += piece.size;
    }
    return 0;
}

static void
go_on_telling(struct observer *observer, struct connection *connection)
{
    int r = tell_pieces(connection);
    if (r == -EAGAIN) {
        r = cop_socket_writable_once(connection->socket);
        if (r) {
            end_connection(observer, connection);
        }
    } else if (r) {
        end_connection(observer, connection);
    } else {
        answer_is_told(observer, connection);
    }
}

/* Takes the answer. One that is not whole, for want of memory, is none. */
static void
tell(struct observer *observer, struct connection *connection, struct answer *answer)
{
    connection->answer = answer;
    connection->told = 0;
    if (!answer || answer->words.failed) {
        end_connection(observer, connection);
    } else {
        go_on_telling(observer, connection);
    }
}

static void
refuse(struct observer *observer, struct connection *connection, const char *why)
{
    struct answer *answer = new_answer();
    if (answer) {
        copi_answer_error(&answer->words, "%s", why);
    }
    tell(observer, connection, answer);
}

static void
say_done(struct observer *observer, struct connection *connection)
{
    struct answer *answer = new_answer();
    if (answer) {
        copi_answer_ok(&answer->words);
    }
    tell(observer, connection, answer);
}

/* ---------------------------------------------------------------- deeds */

static void
begin_deed(struct observer *observer, struct connection *connection, const char *name, cop_pid to)
{
    char whom[COPI_LABEL_SIZE];
    copi_label_pid(to, whom); /* before it has gone, and its name */
    int r = copi_deed_begin(name, to, &connection->doer);
    if (r) {
        connection->doer = COP_NOBODY;
        refuse(observer, connection,
               r == -EDEADLK ? "nobody could let the observer go on" : cop_strerror(r));
        return;
    }
    copi_report(COPI_NOTICE, "the observer is asked: %s %s", name, whom);
}

static void
deed_is_done(struct observer *observer, const struct copi_deed_done *done)
{
    struct connection *connection = of_doer(observer, done->doer);
    if (!connection) {
        return; /* it was told before, or it is a stranger's end */
    }
    connection->doer = COP_NOBODY;
    if (done->code == 0) {
        say_done(observer, connection);
    } else {
        char words[sizeof done->why.text];
        refuse(observer, connection, cop_reason_string(done->why, words, sizeof words));
    }
}

/* It has said so before, or somebody has ended it: it may have been what it was to crash. */
static void
doer_has_ended(struct observer *observer, const struct cop_exited *exited)
{
    const struct copi_deed_done done = {
        .doer = exited->pid, .code = cop_reason_error(exited->reason), .why = exited->reason};
    deed_is_done(observer, &done);
}

/* ---------------------------------------------------------------- questions */

/* In a line of the log, once in a while: whoever asks nonsense asks it often. */
static void
complain(struct observer *observer, cop_bytes question)
{
    cop_time now = cop_now();
    if (observer->complained && now - observer->complained < LOG_PAUSE) {
        return;
    }
    observer->complained = now;
    char shown[SHOWN + 1] = "";
    const char *text = question.data;
    for (size_t i = 0; i < question.size && i < SHOWN; i++) {
        bool is_plain = text[i] >= ' ' && text[i] <= '~';
        shown[i] = (char)(is_plain ? text[i] : '.');
    }
    copi_report(COPI_WARNING, "the observer is asked what it does not answer: \"%s\"", shown);
}

static struct answer *
events(const struct copi_question *question)
{
    struct answer *answer = new_answer();
    if (answer) {
        copi_answer_events(&answer->words, question->whom, question->count);
    }
    return answer;
}

static void
refuse_question(struct observer *observer, struct connection *connection, cop_bytes line)
{
    complain(observer, line);
    refuse(observer, connection,
           observer->spec->actions
               ? "not one of: picture, events PID [N], crash PID, stop PID, suspend PID, resume PID"
               : "not one of: picture, events PID [N]");
}

static void
take_question(struct observer *observer, struct connection *connection, cop_bytes line)
{
    const char *text = line.data;
    if (text[line.size - 1] != '\n') { /* the peer has left in the middle of it */
        end_connection(observer, connection);
        return;
    }
    connection->since = cop_now();
    const struct copi_question question = copi_question_read(line);
    switch (question.asked) {
    case COPI_ASKED_PICTURE:
        tell(observer, connection, picture(observer));
        return;
    case COPI_ASKED_EVENTS:
        tell(observer, connection, events(&question));
        return;
    case COPI_ASKED_DEED:
        if (observer->spec->actions) {
            begin_deed(observer, connection, question.deed, question.whom);
            return;
        }
        break;
    case COPI_ASKED_NONSENSE:
        break;
    }
    refuse_question(observer, connection, line);
}

static void
take_too_long_a_question(struct observer *observer, struct connection *connection)
{
    complain(observer, COP_TEXT("(too long)"));
    connection->is_ending = true;
    refuse(observer, connection, "a question has at most 255 bytes");
}

/* ---------------------------------------------------------------- what happens */

static void
welcome(struct observer *observer, cop_socket socket)
{
    static const char *const no_deeds[] = {NULL};
    struct connection *connection = cop_alloc(sizeof *connection);
    if (!connection) {
        cop_socket_close(socket);
        return;
    }
    *connection =
        (struct connection){.socket = socket, .next = observer->connections, .since = cop_now()};
    observer->connections = connection;
    observer->count++;
    struct answer *answer = new_answer();
    if (answer) {
        copi_answer_greeting(&answer->words, observer->spec->actions ? copi_deeds : no_deeds);
    }
    tell(observer, connection, answer);
}

static cop_step
accept_connection(struct observer *observer, cop_msg msg)
{
    cop_socket socket;
    cop_accepted_of(msg, &socket);
    observer->listens = false;
    welcome(observer, socket);
    listen_on(observer);
    return cop_ok();
}

static cop_step
hear(struct observer *observer, cop_msg msg)
{
    cop_socket socket;
    cop_bytes line;
    cop_data_of(msg, &socket, &line);
    struct connection *connection = of_socket(observer, socket);
    if (connection) {
        take_question(observer, connection, line);
    }
    return cop_ok();
}

static cop_step
go_on(struct observer *observer, cop_socket socket)
{
    struct connection *connection = of_socket(observer, socket);
    if (connection && connection->answer) {
        go_on_telling(observer, connection);
    }
    return cop_ok();
}

static cop_step
see_end(struct observer *observer, const struct cop_closed *closed)
{
    if (closed->socket.id == observer->listener.id) {
        return cop_stop(cop_failed(closed->error, "the observer cannot listen any more"));
    }
    struct connection *connection = of_socket(observer, closed->socket);
    if (connection && closed->error == -EMSGSIZE) {
        take_too_long_a_question(observer, connection);
    } else if (connection) {
        end_connection(observer, connection);
    }
    return cop_ok();
}

/* The one that has asked nothing for the longest time, if that is too long. */
static struct connection *
most_idle(const struct observer *observer, cop_time now)
{
    struct connection *found = NULL;
    for (struct connection *c = observer->connections; c; c = c->next) {
        bool is_idle = !c->answer && !c->doer.id && now - c->since > patience(observer);
        if (is_idle && (!found || c->since < found->since)) {
            found = c;
        }
    }
    return found;
}

static cop_step
look_at_clock(struct observer *observer)
{
    cop_time now = cop_now();
    struct connection *next;
    observer->ticks = false;
    for (struct connection *c = observer->connections; c; c = next) {
        next = c->next;
        if (c->answer && now - c->since > patience(observer)) {
            end_connection(observer, c);
        }
    }
    struct connection *idle = observer->count == places(observer) ? most_idle(observer, now) : NULL;
    if (idle) {
        end_connection(observer, idle);
    }
    listen_on(observer);
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct observer *observer = state;
    switch (msg.tag) {
    case COP_MSG_ACCEPTED:
        return accept_connection(observer, msg);
    case COP_MSG_DATA:
        return hear(observer, msg);
    case COP_MSG_WRITABLE:
        return go_on(observer, *COP_BODY(msg, cop_socket));
    case COP_MSG_CLOSED:
        return see_end(observer, COP_BODY(msg, struct cop_closed));
    case COP_MSG_EXIT:
        doer_has_ended(observer, COP_BODY(msg, struct cop_exited));
        return cop_ok();
    case COPI_DEED_DONE:
        deed_is_done(observer, COP_BODY(msg, struct copi_deed_done));
        return cop_ok();
    case TICKED:
        return look_at_clock(observer);
    default:
        return cop_ok();
    }
}

/* ---------------------------------------------------------------- its beginning */

static int
listen_at_path(struct observer *observer)
{
    const cop_observer_spec *spec = observer->spec;
    char address[sizeof "unix:" + sizeof((struct sockaddr_un *)NULL)->sun_path];
    if (!spec->path || spec->path[0] == '@' || spec->max_connections > MOST_CONNECTIONS
        || spec->patience < 0) {
        return -EINVAL;
    }
    int n = snprintf(address, sizeof address, "unix:%s", spec->path);
    if (n < 0 || (size_t)n >= sizeof address) {
        return -ENAMETOOLONG;
    }
    return cop_listen(&observer->listener, address, .framing = COP_FRAME_LINE,
                      .max_frame = COPI_LONGEST_QUESTION, .send_limit = 2 * PIECE,
                      .linger = LAST_WORDS, .mode = 0600);
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct observer *observer = state;
    observer->spec = arg.data;
    cop_trap_exits(true);
    int r = listen_at_path(observer);
    if (r) {
        return cop_stop(cop_failed(r, "the observer cannot listen at %s: %s",
                                   observer->spec->path ? observer->spec->path : "no path",
                                   cop_strerror(r)));
    }
    listen_on(observer);
    return cop_ok();
}

static const cop_genserver observer_server = {
    .type = "observer",
    .state_size = sizeof(struct observer),
    .init = init,
    .handle_info = handle_info,
};

cop_child_spec
cop_observer_child(const cop_observer_spec *spec)
{
    return (cop_child_spec){
        .id = "observer",
        .genserver = &observer_server,
        .arg = {spec, sizeof *spec},
    };
}
