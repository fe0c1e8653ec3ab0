/*
 * demos/kv/command.c - what clients can ask for.
 *
 * Room: demos/. Runs in the connection's process.
 *
 * One table: a command is either an errand for a bucket, with nothing to write but its row, or a
 * function. GET is both: with one argument it is Redis's, with two it is the guide's.
 *
 * Touch freely: rows. Ask first: a function that replies without session_flush; replies would
 * come in the wrong order.
 */
#include "demos/kv/command.h"

#include "demos/kv/info.h"
#include "demos/kv/registry.h"
#include "demos/kv/tree.h"

#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define LIST_TIMEOUT COP_SEC(2)

#define ANY_NUMBER SIZE_MAX

struct command {
    const char *name;
    size_t min, max; /* of arguments, the name not counted */
    void (*run)(struct session *s, const struct request *r); /* NULL: an errand */
    enum bucket_verb verb;
    enum session_shape shape;
    bool in_pairs;
    const char *usage, *summary;
};

static void run_ping(struct session *s, const struct request *r);
static void run_echo(struct session *s, const struct request *r);
static void run_get(struct session *s, const struct request *r);
static void run_set(struct session *s, const struct request *r);
static void run_flushall(struct session *s, const struct request *r);
static void run_select(struct session *s, const struct request *r);
static void run_create(struct session *s, const struct request *r);
static void run_put(struct session *s, const struct request *r);
static void run_delete(struct session *s, const struct request *r);
static void run_crash(struct session *s, const struct request *r);
static void run_buckets(struct session *s, const struct request *r);
static void run_tree(struct session *s, const struct request *r);
static void run_info(struct session *s, const struct request *r);
static void run_command(struct session *s, const struct request *r);
static void run_config(struct session *s, const struct request *r);
static void run_shutdown(struct session *s, const struct request *r);
static void run_quit(struct session *s, const struct request *r);
static void run_web(struct session *s, const struct request *r);

/* clang-format off */
static const struct command commands[] = {
    {"get", 1, 2, run_get, .usage = "[bucket] key", .summary = "The value of a key"},
    {"set", 2, ANY_NUMBER, run_set, .usage = "key value", .summary = "Set a key"},
    {"del", 1, ANY_NUMBER, .verb = BUCKET_DELETE, .shape = SHAPE_NUMBER,
     .usage = "key [key ...]", .summary = "Delete keys; how many there were"},
    {"exists", 1, ANY_NUMBER, .verb = BUCKET_EXISTS, .shape = SHAPE_NUMBER,
     .usage = "key [key ...]", .summary = "How many of the keys exist"},
    {"incr", 1, 1, .verb = BUCKET_INCREMENT, .shape = SHAPE_NUMBER,
     .usage = "key", .summary = "Add one to the number of a key"},
    {"mset", 2, ANY_NUMBER, .verb = BUCKET_PUT, .shape = SHAPE_OK, .in_pairs = true,
     .usage = "key value [key value ...]", .summary = "Set keys"},
    {"mget", 1, ANY_NUMBER, .verb = BUCKET_GET, .shape = SHAPE_LIST,
     .usage = "key [key ...]", .summary = "The values of keys"},
    {"keys", 1, 1, .verb = BUCKET_KEYS, .shape = SHAPE_LIST,
     .usage = "pattern", .summary = "The keys that match a pattern, sorted"},
    {"dbsize", 0, 0, .verb = BUCKET_SIZE, .shape = SHAPE_NUMBER,
     .usage = "", .summary = "How many keys the selected bucket has"},
    {"flushdb", 0, 1, run_flushall, .usage = "", .summary = "Empty the selected bucket"},
    {"flushall", 0, 1, run_flushall, .usage = "", .summary = "Empty all buckets"},
    {"select", 1, 1, run_select, .usage = "bucket", .summary = "Use another bucket"},
    {"create", 1, 1, run_create, .usage = "bucket", .summary = "Create a bucket"},
    {"put", 3, 3, run_put, .usage = "bucket key value", .summary = "Set a key of a bucket"},
    {"delete", 2, 2, run_delete, .usage = "bucket key", .summary = "Delete a key of a bucket"},
    {"crash", 1, 1, run_crash, .usage = "bucket", .summary = "Make a bucket crash"},
    {"buckets", 0, 0, run_buckets, .usage = "", .summary = "The names of all buckets"},
    {"tree", 0, 0, run_tree, .usage = "", .summary = "The supervision tree"},
    {"info", 0, 1, run_info, .usage = "[section]", .summary = "How the daemon is doing"},
    {"ping", 0, 1, run_ping, .usage = "[message]", .summary = "Say something back"},
    {"echo", 1, 1, run_echo, .usage = "message", .summary = "Say the message back"},
    {"command", 0, ANY_NUMBER, run_command, .usage = "[COUNT | DOCS]", .summary = "This table"},
    {"config", 1, ANY_NUMBER, run_config, .usage = "GET name", .summary = "Settings"},
    {"shutdown", 0, ANY_NUMBER, run_shutdown, .usage = "", .summary = "Stop the daemon in order"},
    {"quit", 0, ANY_NUMBER, run_quit, .usage = "", .summary = "Close this connection"},
    {"post", 0, ANY_NUMBER, run_web, .usage = "", .summary = "Refuse a web browser"},
    {"host:", 0, ANY_NUMBER, run_web, .usage = "", .summary = "Refuse a web browser"},
};
/* clang-format on */

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* --- Arguments --- */

static cop_bytes
arg(const struct request *r, size_t i)
{
    return (cop_bytes){r->frame + r->args[i].at, r->args[i].size};
}

static bool
arg_is(const struct request *r, size_t i, const char *word)
{
    return i < r->count && r->args[i].size == strlen(word)
           && strncasecmp(arg(r, i).data, word, strlen(word)) == 0;
}

/* A copy for an error reply: short, and without what would tear a terminal. */
static const char *
quoted(cop_bytes bytes, char *out, size_t size)
{
    const unsigned char *from = bytes.data;
    size_t n = bytes.size < size - 1 ? bytes.size : size - 1;
    for (size_t i = 0; i < n; i++) {
        bool printable = from[i] >= ' ' && from[i] < 0x7f;
        out[i] = '?';
        if (printable) {
            out[i] = (char)from[i];
        }
    }
    out[n] = '\0';
    return out;
}

/* An argument that names a bucket; false, and an error reply, when it cannot. */
static bool
bucket_arg(struct session *s, const struct request *r, size_t i, char out[BUCKET_NAME_ARG])
{
    cop_bytes name = arg(r, i);
    if (!bucket_name_valid(name)) {
        session_flush(s);
        resp_error(&s->out, "ERR invalid bucket name: 1 to %d letters, digits, or any of _.:-",
                   BUCKET_NAME_MAX);
        return false;
    }
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
    return true;
}

/* --- Errands --- */

static void
errand(struct session *s, const struct request *r, size_t first, const char *bucket,
       enum bucket_verb verb, enum session_shape shape)
{
    session_errand(s, bucket, verb, shape, r->count - first);
    for (size_t i = first; i < r->count; i++) {
        bucket_visit_arg(&s->visit, arg(r, i));
    }
}

/* The guide's commands: the bucket is the first argument. */
static void
named_errand(struct session *s, const struct request *r, enum bucket_verb verb,
             enum session_shape shape)
{
    char bucket[BUCKET_NAME_ARG];
    if (bucket_arg(s, r, 1, bucket)) {
        errand(s, r, 2, bucket, verb, shape);
    }
}

static void
run_get(struct session *s, const struct request *r)
{
    if (r->count == 2) {
        errand(s, r, 1, s->selected, BUCKET_GET, SHAPE_VALUE);
    } else {
        named_errand(s, r, BUCKET_GET, SHAPE_VALUE);
    }
}

/* SET's options are about expiry and conditions, neither of which a bucket has. */
static void
run_set(struct session *s, const struct request *r)
{
    if (r->count == 3) {
        errand(s, r, 1, s->selected, BUCKET_PUT, SHAPE_OK);
    } else {
        session_flush(s);
        resp_error(&s->out, "ERR syntax error");
    }
}

static void
run_put(struct session *s, const struct request *r)
{
    named_errand(s, r, BUCKET_PUT, SHAPE_OK);
}

static void
run_delete(struct session *s, const struct request *r)
{
    named_errand(s, r, BUCKET_DELETE, SHAPE_OK);
}

/* --- Buckets --- */

static void
run_create(struct session *s, const struct request *r)
{
    char bucket[BUCKET_NAME_ARG];
    if (!bucket_arg(s, r, 1, bucket)) {
        return;
    }
    session_flush(s);
    cop_pid pid;
    int error = session_find(s, bucket, true, &pid);
    if (error < 0) {
        session_reply_failure(s, bucket, error);
    } else {
        resp_simple(&s->out, "OK");
    }
}

static void
run_select(struct session *s, const struct request *r)
{
    char bucket[BUCKET_NAME_ARG];
    if (!bucket_arg(s, r, 1, bucket)) {
        return;
    }
    session_flush(s);
    cop_pid pid;
    int error = session_find(s, bucket, false, &pid);
    if (error < 0) {
        session_reply_failure(s, bucket, error);
    } else {
        memcpy(s->selected, bucket, sizeof s->selected);
        resp_simple(&s->out, "OK");
    }
}

static void
run_crash(struct session *s, const struct request *r)
{
    char bucket[BUCKET_NAME_ARG];
    if (!bucket_arg(s, r, 1, bucket)) {
        return;
    }
    session_flush(s);
    int error = session_crash(s, bucket);
    if (error < 0) {
        session_reply_failure(s, bucket, error);
    } else {
        resp_simple(&s->out, "OK");
    }
}

/* Not one step for all buckets: others may write into those that were emptied first. */
static int
clear_all(struct session *s)
{
    cop_msg list = {0};
    const struct registry_bucket *buckets = NULL;
    size_t count = 0;
    int64_t unused;
    int error = registry_list(&list, &buckets, &count, LIST_TIMEOUT);
    for (size_t i = 0; error == 0 && i < count; i++) {
        error = session_number(s, buckets[i].name, BUCKET_CLEAR, &unused);
    }
    cop_msg_release(&list);
    return error;
}

static void
run_flushall(struct session *s, const struct request *r)
{
    if (r->count == 2 && !arg_is(r, 1, "sync") && !arg_is(r, 1, "async")) {
        session_flush(s);
        resp_error(&s->out, "ERR syntax error");
        return;
    }
    if (arg_is(r, 0, "flushdb")) {
        session_errand(s, s->selected, BUCKET_CLEAR, SHAPE_OK, 0);
        return;
    }
    session_flush(s);
    int error = clear_all(s);
    if (error < 0) {
        resp_error(&s->out, "ERR not all buckets are empty: %s", cop_strerror(error));
    } else {
        resp_simple(&s->out, "OK");
    }
}

static void
run_buckets(struct session *s, const struct request *r)
{
    (void)r;
    cop_msg list = {0};
    const struct registry_bucket *buckets = NULL;
    size_t count = 0;
    session_flush(s);
    int error = registry_list(&list, &buckets, &count, LIST_TIMEOUT);
    if (error < 0) {
        resp_error(&s->out, "ERR %s", cop_strerror(error));
        return;
    }
    resp_array(&s->out, count);
    for (size_t i = 0; i < count; i++) {
        resp_string(&s->out, buckets[i].name);
    }
    cop_msg_release(&list);
}

/* --- The daemon --- */

static void
run_tree(struct session *s, const struct request *r)
{
    (void)r;
    session_flush(s);
    struct buffer lines = {0};
    size_t count = 0;
    int error = tree_print(&lines, &count);
    if (error < 0 || lines.failed) {
        resp_error(&s->out, "ERR %s", cop_strerror(error < 0 ? error : -ENOMEM));
    } else {
        resp_array(&s->out, count);
        for (const char *line = lines.data; count > 0; count--) {
            resp_string(&s->out, line);
            line += strlen(line) + 1;
        }
    }
    buffer_free(&lines);
}

static void
run_info(struct session *s, const struct request *r)
{
    char section[32] = "";
    session_flush(s);
    if (r->count == 2) {
        quoted(arg(r, 1), section, sizeof section);
    }
    struct buffer text = {0};
    info_print(s, &text, section);
    if (text.failed) {
        resp_error(&s->out, "OOM out of memory");
    } else {
        resp_bulk(&s->out, (cop_bytes){text.data, text.used});
    }
    buffer_free(&text);
}

/* The fields of COMMAND: name, arity (negative: at least), flags, and three positions of keys. */
static void
describe(struct buffer *out, const struct command *c)
{
    int64_t arity = (int64_t)c->min + 1;
    resp_array(out, 6);
    resp_string(out, c->name);
    resp_integer(out, c->min == c->max ? arity : -arity);
    resp_array(out, 0);
    resp_integer(out, 0);
    resp_integer(out, 0);
    resp_integer(out, 0);
}

/* What redis-cli makes its help and hints of: maps, as arrays of names and values. The usage
 * goes as a single argument; nobody needs it in pieces. */
static void
document(struct buffer *out, const struct command *c)
{
    resp_string(out, c->name);
    resp_array(out, 6);
    resp_string(out, "summary");
    resp_string(out, c->summary);
    resp_string(out, "group");
    resp_string(out, "generic");
    resp_string(out, "arguments");
    resp_array(out, c->usage[0] != '\0');
    if (c->usage[0] != '\0') {
        resp_array(out, 4);
        resp_string(out, "name");
        resp_string(out, c->usage);
        resp_string(out, "type");
        resp_string(out, "string");
    }
}

static void
run_command(struct session *s, const struct request *r)
{
    session_flush(s);
    if (r->count == 1) {
        resp_array(&s->out, COMMAND_COUNT);
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            describe(&s->out, &commands[i]);
        }
    } else if (arg_is(r, 1, "count")) {
        resp_integer(&s->out, COMMAND_COUNT);
    } else if (arg_is(r, 1, "docs") && r->count == 2) {
        resp_array(&s->out, 2 * COMMAND_COUNT);
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            document(&s->out, &commands[i]);
        }
    } else {
        resp_array(&s->out, 0);
    }
}

/* The two settings that redis-benchmark wants to know: nothing is written to a disk. */
static void
run_config(struct session *s, const struct request *r)
{
    static const char *const settings[][2] = {{"save", ""}, {"appendonly", "no"}};
    session_flush(s);
    if (!arg_is(r, 1, "get") || r->count != 3) {
        resp_error(&s->out, "ERR only CONFIG GET with one name is known here");
        return;
    }
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (arg_is(r, 2, settings[i][0])) {
            resp_array(&s->out, 2);
            resp_string(&s->out, settings[i][0]);
            resp_string(&s->out, settings[i][1]);
            return;
        }
    }
    resp_array(&s->out, 0);
}

/* The same door as a stop from outside: cop_run stops the tree in order, this connection with
 * it. */
static void
run_shutdown(struct session *s, const struct request *r)
{
    (void)r;
    session_flush(s);
    s->closing = true;
    cop_log(COP_LOG_NOTICE, "a client has asked for the end");
    kill(getpid(), SIGTERM);
}

/* --- The connection --- */

static void
run_ping(struct session *s, const struct request *r)
{
    session_flush(s);
    if (r->count == 1) {
        resp_simple(&s->out, "PONG");
    } else {
        resp_bulk(&s->out, arg(r, 1));
    }
}

static void
run_echo(struct session *s, const struct request *r)
{
    session_flush(s);
    resp_bulk(&s->out, arg(r, 1));
}

static void
run_quit(struct session *s, const struct request *r)
{
    (void)r;
    session_flush(s);
    resp_simple(&s->out, "OK");
    s->closing = true;
}

/* A web page can make its visitor's browser send a form to a port of his own machine, with our
 * commands in it. Browsers begin with these words. */
static void
run_web(struct session *s, const struct request *r)
{
    (void)r;
    session_flush(s);
    resp_error(&s->out, "ERR this is not a web server");
    s->closing = true;
}

/* --- The way in --- */

static const struct command *
find_command(cop_bytes name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strlen(commands[i].name) == name.size
            && strncasecmp(commands[i].name, name.data, name.size) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* As Redis says it; clients have come to parse it. */
static void
reply_unknown(struct session *s, const struct request *r)
{
    char name[129], one[65], all[257] = "";
    size_t used = 0;
    for (size_t i = 1; i < r->count && used < 128; i++) {
        int n =
            snprintf(all + used, sizeof all - used, "'%s' ", quoted(arg(r, i), one, sizeof one));
        used += n > 0 ? (size_t)n : 0;
    }
    resp_error(&s->out, "ERR unknown command '%s', with args beginning with: %s",
               quoted(arg(r, 0), name, sizeof name), all);
}

void
command_run(struct session *s, const struct request *r)
{
    const struct command *c = find_command(arg(r, 0));
    size_t args = r->count - 1;
    s->commands++;
    if (c == NULL) {
        session_flush(s);
        reply_unknown(s, r);
    } else if (args < c->min || args > c->max || (c->in_pairs && args % 2 != 0)) {
        session_flush(s);
        resp_error(&s->out, "ERR wrong number of arguments for '%s' command", c->name);
    } else if (c->run != NULL) {
        c->run(s, r);
    } else {
        errand(s, r, 1, s->selected, c->verb, c->shape);
    }
}
