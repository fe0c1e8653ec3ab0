/*
 * actors/durable/postgres_hints.c - the process that listens to others, and tells them.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. Its own process.
 * Touch freely: the times. Ask first: that a notification is a hint; what happens after a reconnect.
 *
 * A notification is a hint and never data: it makes a store read again what it awaits, or a worker claim.
 * One that is lost, doubled, early, or rubbish costs time, or a statement, and nothing else. It is not sent in the
 * transaction that settles: PostgreSQL commits those that notify one at a time. It is sent afterwards, over this
 * process's connection, with all that was settled within TELL_AFTER.
 *
 * Ids are spread over 16 channels by their bytes, queues have one more. A payload is netstrings.
 *
 * Subscribe, have it confirmed, then read: after LISTEN has been answered the store is told that anything may have
 * changed. So it is after each reconnect. While there is no connection, the same is said now and then: that is a poll, which is
 * quick at first, and slower when the connection does not come back.
 *
 * A connection may be dead without saying so, and a pooler may have given this session to somebody else. Every
 * HEART_BEAT, and at first, the server is asked which channels this session hears. No answer in time, or not all of
 * them: connect anew. When two sessions in a row are deaf from the beginning, there is a pooler between; that is logged,
 * and nothing more is expected. Telling others works all the same.
 *
 * What the process holds is in `struct hints`, its own memory; the connection is closed when it ends.
 */
#include "actors/durable/postgres_hints.h"

#include "actors/durable/postgres_link.h"

#include <coppice/worker.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TELL = 1,
    CHANNELS = COPI_POSTGRES_CHANNELS + 1, /* the last is the queues' */
    PAYLOAD_MOST = 7900,                   /* PostgreSQL's limit is 8,000 bytes */
    WORD_MOST = 1024,
};

#define TELL_AFTER  COP_MS(5)
#define HEART_BEAT  COP_SEC(5)
#define POLL_FIRST  COP_MS(100)
#define POLL_LAST   COP_SEC(2)
#define STOP_WITHIN COP_SEC(2)

#define EACH_CHANNEL(do_)                                                                      \
 do_(0) do_(1) do_(2) do_(3) do_(4) do_(5) do_(6) do_(7) do_(8) do_(9) do_(10) do_(11) do_(12) \
     do_(13) do_(14) do_(15)
#define LISTEN_TO(n) "LISTEN cop_future_" #n ";"
#define NAME(n)      "cop_future_" #n,

static const char listen_to_all[] = EACH_CHANNEL(LISTEN_TO) "LISTEN cop_queue;";
static const char *const channels[CHANNELS] = {EACH_CHANNEL(NAME) "cop_queue"};

static const char count_channels[] = "SELECT count(*) FROM pg_listening_channels() AS c "
                                     "WHERE c LIKE 'cop\\_future\\_%' OR c = 'cop_queue'";
static const char notify[] = "SELECT pg_notify($1::text, $2::text)";

/* A message: both news, one behind the other, each terminated. */
struct told {
    size_t settled; /* bytes of the first, with its terminator */
    char text[];
};

struct payload {
    size_t size;
    char text[PAYLOAD_MOST + 1];
};

struct hints {
    cop_pid store;
    struct copi_postgres_link link;
    cop_ref watch;          /* of the connection's socket; 0: none */
    bool hears;             /* as far as the last heart-beat knows */
    bool is_deaf;           /* there is a pooler between: no more of it */
    unsigned deaf_sessions; /* in a row */
    cop_time heart_beat, tell_at, poll_at, poll;
    struct payload payloads[CHANNELS];
};

/* ---------------------------------------------------------------- telling */

static int
tell_channel(struct hints *hints, unsigned channel)
{
    struct payload *payload = &hints->payloads[channel];
    struct copi_postgres_value values[2];
    PGresult *rows = NULL;
    copi_postgres_bytes(&values[0], COPI_POSTGRES_TEXT, COP_TEXT(channels[channel]));
    copi_postgres_bytes(&values[1], COPI_POSTGRES_TEXT, (cop_bytes){payload->text, payload->size});
    payload->size = 0;
    int error = copi_postgres_ask(&hints->link, notify, values, 2);
    copi_postgres_values_free(values, 2);
    error = error ? error
                  : copi_postgres_answer(&hints->link, &rows, cop_now() + hints->link.call_timeout);
    PQclear(rows);
    return error;
}

static void
tell_all(struct hints *hints)
{
    hints->tell_at = COP_FOREVER;
    for (unsigned i = 0; i < CHANNELS && hints->link.connection; i++) {
        if (hints->payloads[i].size > 0) {
            (void)tell_channel(hints, i);
        }
    }
}

static void
put_word(struct hints *hints, unsigned channel, const char *word)
{
    struct payload *payload = &hints->payloads[channel];
    size_t room = sizeof payload->text - payload->size;
    size_t length = strlen(word);
    int written = snprintf(payload->text + payload->size, room, "%zu:%s,", length, word);
    if (written > 0 && (size_t)written < room) {
        payload->size += (size_t)written;
    } else if (payload->size > 0 && hints->link.connection) {
        (void)tell_channel(hints, channel);
        put_word(hints, channel, word);
    }
}

static void
take_news(struct hints *hints, cop_msg msg)
{
    const struct told *told = msg.body.data;
    char word[WORD_MOST];
    const char *settled = told->text, *queues = told->text + told->settled;
    while (copi_postgres_news_next(&settled, word, sizeof word)) {
        put_word(hints, copi_postgres_channel(word), word);
    }
    while (copi_postgres_news_next(&queues, word, sizeof word)) {
        put_word(hints, COPI_POSTGRES_CHANNELS, word);
    }
    if (hints->tell_at == COP_FOREVER) {
        hints->tell_at = cop_now() + TELL_AFTER;
    }
}

/* ---------------------------------------------------------------- hearing */

static void
hint_at_anything(struct hints *hints)
{
    (void)cop_store_hint(hints->store, NULL); /* a store that is gone needs none */
}

static void
take_notification(struct hints *hints, const PGnotify *heard)
{
    char word[WORD_MOST];
    const char *text = heard->extra;
    bool is_queue = strcmp(heard->relname, channels[COPI_POSTGRES_CHANNELS]) == 0;
    while (copi_postgres_news_next(&text, word, sizeof word)) {
        if (is_queue) {
            cop_worker_wake(word);
        } else {
            (void)cop_store_hint(hints->store, word);
        }
    }
    if (*text && !is_queue) {
        hint_at_anything(hints); /* not one of ours, or a library's with other ideas */
    }
}

static void
take_notifications(struct hints *hints)
{
    PGnotify *heard;
    while (hints->link.connection && (heard = PQnotifies(hints->link.connection))) {
        if (heard->be_pid != PQbackendPID(hints->link.connection)) {
            take_notification(hints, heard);
        }
        PQfreemem(heard);
    }
}

static int
check_channels(struct hints *hints)
{
    PGresult *rows = NULL;
    cop_time until = cop_now() + HEART_BEAT;
    int error = copi_postgres_ask(&hints->link, count_channels, NULL, 0);
    error = error ? error : copi_postgres_answer(&hints->link, &rows, until);
    if (error == 0) {
        hints->hears = copi_postgres_field_number(rows, 0, 0) == CHANNELS;
        PQclear(rows);
    }
    return error;
}

static void
warn_of_pooler(struct hints *hints)
{
    hints->is_deaf = true;
    cop_log(COP_LOG_WARNING,
            "PostgreSQL's notifications do not arrive, as through a pooler: what others do is "
            "found by the poll",
            COP_KV("store", hints->store));
}

/* ---------------------------------------------------------------- the connection */

static void
forget_watch(struct hints *hints)
{
    if (hints->watch.id) {
        (void)cop_io_cancel(hints->watch);
        hints->watch = (cop_ref){0};
    }
}

static void
disconnect(struct hints *hints)
{
    forget_watch(hints); /* before its descriptor is closed */
    copi_postgres_close(&hints->link);
    hints->hears = false;
}

static int
listen_to_others(struct hints *hints)
{
    int error =
        copi_postgres_run(&hints->link, listen_to_all, cop_now() + hints->link.call_timeout);
    error = error ? error : check_channels(hints);
    if (error == 0) {
        hints->deaf_sessions = hints->hears ? 0 : hints->deaf_sessions + 1;
        hint_at_anything(hints);
    }
    if (hints->deaf_sessions > 1) {
        warn_of_pooler(hints);
    }
    return error || hints->hears || hints->is_deaf ? error : -EREMOTEIO;
}

/* One attempt, which has its own limit of time. It begins when it may; until then others are waited for. */
static int
try_to_connect(struct hints *hints)
{
    int error = copi_postgres_connect(&hints->link, cop_now() + hints->link.call_timeout);
    if (error == 0 && !hints->is_deaf) {
        error = listen_to_others(hints);
    }
    if (error == 0) {
        hints->heart_beat = hints->is_deaf ? COP_FOREVER : cop_now() + HEART_BEAT;
        hints->poll = POLL_FIRST;
        hints->poll_at = COP_FOREVER;
        return 0;
    }
    disconnect(hints);
    return error;
}

static int
beat(struct hints *hints)
{
    int error = check_channels(hints);
    hints->heart_beat = cop_now() + HEART_BEAT;
    return error ? error : hints->hears ? 0 : -EREMOTEIO;
}

static void
poll_while_deaf(struct hints *hints)
{
    hint_at_anything(hints);
    hints->poll_at = cop_now() + hints->poll;
    hints->poll = 2 * hints->poll < POLL_LAST ? 2 * hints->poll : POLL_LAST;
}

/* ---------------------------------------------------------------- the process */

static cop_time
earlier(cop_time a, cop_time b)
{
    return a < b ? a : b;
}

static cop_time
next_deed(const struct hints *hints)
{
    return hints->link.connection ? earlier(hints->heart_beat, hints->tell_at)
                                  : earlier(hints->link.next_attempt, hints->poll_at);
}

static void
keep_watching(struct hints *hints)
{
    if (!hints->link.connection) {
        disconnect(hints); /* also where a call has closed it */
    } else if (!hints->watch.id) {
        hints->watch = cop_io_watch(PQsocket(hints->link.connection), COP_IO_READ);
    }
}

static void
take_message(struct hints *hints, cop_msg msg)
{
    if (msg.tag == TELL && cop_pid_eq(msg.from, hints->store)) {
        take_news(hints, msg);
    } else if (msg.tag == COP_MSG_IO
               && COP_BODY(msg, struct cop_io_ready)->watch.id == hints->watch.id) {
        hints->watch = (cop_ref){0};
        if (hints->link.connection && !PQconsumeInput(hints->link.connection)) {
            disconnect(hints);
        }
    }
}

static void
do_what_is_due(struct hints *hints)
{
    cop_time now = cop_now();
    if (!hints->link.connection && hints->poll_at <= now) {
        poll_while_deaf(hints);
    }
    if (!hints->link.connection && hints->link.next_attempt <= now) {
        (void)try_to_connect(hints);
        return;
    }
    if (hints->link.connection && hints->tell_at <= now) {
        tell_all(hints);
    }
    if (hints->link.connection && hints->heart_beat <= now && beat(hints) != 0) {
        disconnect(hints);
    }
}

static void
close_link(void *link)
{
    copi_postgres_close(link);
}

/* Until the store asks it to stop, or is gone: they are linked. */
static int
serve(struct hints *hints)
{
    int error = 0;
    while (error == 0 || error == -ETIMEDOUT) {
        do_what_is_due(hints);
        take_notifications(hints);
        keep_watching(hints);
        cop_time when = next_deed(hints), now = cop_now();
        cop_msg msg;
        error = cop_receive(&msg, when == COP_FOREVER ? COP_FOREVER : when > now ? when - now : 0);
        if (error == 0) {
            take_message(hints, msg);
        }
    }
    return error;
}

struct start {
    cop_pid store;
    cop_postgres_opts opts;
};

static int
run(cop_bytes arg)
{
    const struct start *start = arg.data;
    struct hints *hints = cop_alloc(sizeof *hints);
    if (!hints) {
        return -ENOMEM;
    }
    memset(hints, 0, sizeof *hints);
    hints->store = start->store;
    hints->link = (struct copi_postgres_link){
        .where = start->opts.where,
        .call_timeout = start->opts.call_timeout,
    };
    hints->tell_at = hints->heart_beat = COP_FOREVER;
    hints->poll = POLL_FIRST;
    int error = cop_at_exit(close_link, &hints->link);
    return error ? error : serve(hints);
}

/* ---------------------------------------------------------------- for the store */

int
copi_postgres_hints_start(cop_pid *out, const cop_postgres_opts *opts)
{
    struct start start = {.store = cop_self(), .opts = *opts};
    return cop_spawn(out, run, .arg = COP_BYTES(start), .link = true, .label = "postgres_hints");
}

/* Without the link, as its end is none of the store's then. */
void
copi_postgres_hints_stop(cop_pid hints)
{
    if (!cop_pid_eq(hints, COP_NOBODY)) {
        (void)cop_unlink(hints);
        (void)cop_stop_process(hints, COP_REASON_SHUTDOWN, STOP_WITHIN);
    }
}

static size_t
put_news(char *at, const struct copi_postgres_news *news)
{
    if (news->size > 0) {
        memcpy(at, news->text, news->size);
    }
    at[news->size] = 0;
    return news->size + 1;
}

void
copi_postgres_hints_tell(cop_pid hints, const struct copi_postgres_news *settled,
                         const struct copi_postgres_news *queues)
{
    if (cop_pid_eq(hints, COP_NOBODY) || settled->size + queues->size == 0) {
        return;
    }
    size_t size = sizeof(struct told) + settled->size + queues->size + 2;
    struct told *told = malloc(size);
    if (!told) {
        return;
    }
    told->settled = put_news(told->text, settled);
    (void)put_news(told->text + told->settled, queues);
    if (cop_send(hints, COP_MSG_MOVE(TELL, told, size, free)) != 0) {
        free(told);
    }
}
