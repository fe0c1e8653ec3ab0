/*
 * supervisor/spec.c - specifications, copied so that nothing of the user's is needed.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: how it is kept. Ask first: the defaults; they are OTP's.
 *
 * What is copied has been checked (check.c), so only memory can be lacking. Whatever comes in between,
 * what has been copied so far is in its place, and copi_spec_release gives it back.
 */
#include "supervisor/spec.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "supervisor/check.h"

#include <errno.h>
#include <stdlib.h>

#define DEFAULT_SHUTDOWN    COP_SEC(5)
#define DEFAULT_MAX_BACKOFF COP_SEC(60)
enum {
    DEFAULT_MAX_RESTARTS = 3,
    DEFAULT_MAX_SECONDS = 5,
};

static const char *const strategy_names[] = {
    [COP_ONE_FOR_ONE] = "one_for_one",   [COP_ONE_FOR_ALL] = "one_for_all",
    [COP_REST_FOR_ONE] = "rest_for_one", [COP_SIMPLE_ONE_FOR_ONE] = "simple_one_for_one",
    [COP_DYNAMIC] = "dynamic",
};

const char *
copi_strategy_name(cop_strategy strategy)
{
    return strategy_names[strategy];
}

/* ---------------------------------------------------------------- parts */

int
copi_owned_join(struct copi_owned *out, cop_bytes first, cop_bytes second)
{
    *out = (struct copi_owned){0};
    if (first.size + second.size == 0) {
        return 0;
    }
    char *joined = copi_alloc(first.size + second.size);
    if (!joined) {
        return copi_fail(-ENOMEM);
    }
    if (first.size) {
        memcpy(joined, first.data, first.size);
    }
    if (second.size) {
        memcpy(joined + first.size, second.data, second.size);
    }
    *out = (struct copi_owned){joined, first.size + second.size};
    return 0;
}

static int
copy_bytes(struct copi_owned *out, cop_bytes from)
{
    return copi_owned_join(out, from, (cop_bytes){0});
}

/* Into zeros. NULL is none. */
static void
copy_text(char out[COPI_ID_SIZE], const char *from)
{
    if (from) {
        strncpy(out, from, COPI_ID_SIZE - 1);
    }
}

static size_t
align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* The next piece of a block: aligned, as whoever looks at bytes may want them. */
static cop_bytes
put(char **to, cop_bytes from)
{
    cop_bytes there = {from.size ? *to : NULL, from.size};
    if (from.size) {
        memcpy(*to, from.data, from.size);
        *to += align(from.size);
    }
    return there;
}

static int
copy_via(cop_via **out, const cop_via *from)
{
    if (!from) {
        return 0;
    }
    cop_bytes registry = {from->registry, strlen(from->registry) + 1};
    cop_via *via = copi_alloc(sizeof *via + align(registry.size) + align(from->key.size)
                              + align(from->value.size));
    if (!via) {
        return copi_fail(-ENOMEM);
    }
    char *to = (char *)(via + 1);
    *via = (cop_via){
        .registry = put(&to, registry).data,
        .key = put(&to, from->key),
        .value = put(&to, from->value),
    };
    *out = via;
    return 0;
}

static int
copy_words(struct copi_owned *out, const char *const *argv)
{
    size_t size = 0;
    for (const char *const *word = argv; *word; word++) {
        size += strlen(*word) + 1;
    }
    char *words = copi_alloc(size);
    if (!words) {
        return copi_fail(-ENOMEM);
    }
    *out = (struct copi_owned){words, size};
    for (const char *const *word = argv; *word; word++) {
        words = stpcpy(words, *word) + 1;
    }
    return 0;
}

/* ---------------------------------------------------------------- what a child is */

static enum copi_child_kind
kind_of(const cop_child_spec *from)
{
    return from->genserver    ? COPI_CHILD_GENSERVER
           : from->statem     ? COPI_CHILD_STATEM
           : from->worker     ? COPI_CHILD_WORKER
           : from->supervisor ? COPI_CHILD_SUPERVISOR
           : from->command    ? COPI_CHILD_COMMAND
           : from->agent      ? COPI_CHILD_AGENT
                              : COPI_CHILD_START;
}

static int copy_spec(struct copi_spec **out, const cop_supervisor_spec *from);

static int
copy_agent(struct copi_child_spec *out, const cop_agent_spec *from)
{
    out->agent = (cop_agent_spec){
        .init = from->init,
        .state_size = from->state_size,
        .drop = from->drop,
    };
    return copy_bytes(&out->initial, from->initial);
}

/* One that has a name is the child of that name. */
static int
copy_nested(struct copi_child_spec *out, const cop_supervisor_spec *from)
{
    int r = copy_spec(&out->supervisor, from);
    if (r == 0 && out->supervisor->name[0]) {
        memcpy(out->name, out->supervisor->name, sizeof out->name);
    }
    return r;
}

static int
copy_kind(struct copi_child_spec *out, const cop_child_spec *from)
{
    out->kind = kind_of(from);
    switch (out->kind) {
    case COPI_CHILD_GENSERVER:
        out->genserver = from->genserver;
        break;
    case COPI_CHILD_STATEM:
        out->statem = from->statem;
        break;
    case COPI_CHILD_WORKER:
        out->worker = from->worker;
        break;
    case COPI_CHILD_SUPERVISOR:
        return copy_nested(out, from->supervisor);
    case COPI_CHILD_COMMAND:
        return copy_words(&out->words, from->command);
    case COPI_CHILD_AGENT:
        return copy_agent(out, from->agent);
    case COPI_CHILD_START:
        out->start = from->start;
        break;
    }
    return 0;
}

/* ---------------------------------------------------------------- a child's rules */

cop_restart
copi_restart_of(const cop_child_spec *from)
{
    if (from->restart != COP_RESTART_DEFAULT) {
        return from->restart;
    }
    return from->worker ? COP_TRANSIENT : COP_PERMANENT;
}

static cop_time
shutdown_of(const cop_child_spec *from)
{
    if (from->shutdown != 0) {
        return from->shutdown;
    }
    return from->supervisor || from->supervises ? COP_FOREVER : DEFAULT_SHUTDOWN;
}

static void
copy_rules(struct copi_child_spec *out, const cop_child_spec *from)
{
    out->restart = copi_restart_of(from);
    out->shutdown = shutdown_of(from);
    out->significant = from->significant;
    out->supervises = from->supervises;
    out->contain_faults = from->contain_faults;
    out->mailbox = from->mailbox;
    out->init_timeout = from->init_timeout;
    out->stack_size = from->stack_size;
}

static int
copy_child(struct copi_child_spec *out, const cop_child_spec *from)
{
    copy_text(out->id, from->id);
    copy_text(out->name, from->name);
    copy_rules(out, from);
    int r = copy_via(&out->via, from->via);
    r = r ? r : copy_kind(out, from);
    return r ? r : copy_bytes(&out->arg, from->arg);
}

int
copi_child_spec_copy(struct copi_child_spec *out, const cop_child_spec *from)
{
    *out = (struct copi_child_spec){0};
    int r = copi_check_child(from);
    r = r ? r : copy_child(out, from);
    if (r) {
        copi_child_spec_clear(out);
    }
    return r;
}

static void
drop(struct copi_owned *owned)
{
    free(owned->data);
    *owned = (struct copi_owned){0};
}

void
copi_child_spec_drop_argument(struct copi_child_spec *spec)
{
    drop(&spec->arg);
    drop(&spec->initial);
    drop(&spec->words);
}

void
copi_child_spec_clear(struct copi_child_spec *spec)
{
    copi_child_spec_drop_argument(spec);
    free(spec->via);
    spec->via = NULL;
    copi_spec_release(spec->supervisor);
    spec->supervisor = NULL;
}

/* ---------------------------------------------------------------- a supervisor's */

static void
copy_intensity(struct copi_spec *out, const cop_supervisor_spec *from)
{
    bool neither = from->max_restarts == 0 && from->max_seconds == 0;
    out->max_restarts = neither ? DEFAULT_MAX_RESTARTS : from->max_restarts;
    out->period = COP_SEC(from->max_seconds ? from->max_seconds : DEFAULT_MAX_SECONDS);
}

static void
copy_backoff(struct copi_spec *out, const cop_supervisor_spec *from)
{
    cop_time min = from->backoff_min, max = from->backoff_max;
    if (max == 0 && min > 0) {
        max = min < DEFAULT_MAX_BACKOFF ? DEFAULT_MAX_BACKOFF : min;
    }
    out->backoff = (struct copi_backoff){min, max};
}

static size_t
limit_of(size_t max_children)
{
    return max_children == 0 ? SIZE_MAX : max_children == COP_NO_CHILDREN ? 0 : max_children;
}

static int
copy_flags(struct copi_spec *out, const cop_supervisor_spec *from)
{
    copy_text(out->name, from->name);
    copy_intensity(out, from);
    copy_backoff(out, from);
    out->strategy = from->strategy;
    out->auto_shutdown = from->auto_shutdown;
    out->give_up = from->give_up;
    out->max_children = limit_of(from->max_children);
    out->init = from->init;
    int r = copy_via(&out->via, from->via);
    r = r ? r : copy_bytes(&out->extra, from->extra);
    return r ? r : copy_bytes(&out->arg, from->arg);
}

static int
copy_children(struct copi_spec *out, const cop_supervisor_spec *from)
{
    if (from->child_count == 0) {
        return 0;
    }
    out->children = copi_zalloc(from->child_count * sizeof *out->children);
    if (!out->children) {
        return copi_fail(-ENOMEM);
    }
    out->child_count = from->child_count;
    for (size_t i = 0; i < from->child_count; i++) {
        int r = copy_child(&out->children[i], &from->children[i]);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
copy_spec(struct copi_spec **out, const cop_supervisor_spec *from)
{
    struct copi_spec *spec = copi_zalloc(sizeof *spec);
    if (!spec) {
        return copi_fail(-ENOMEM);
    }
    copi_store_relaxed_32(&spec->holds, 1);
    int r = copy_flags(spec, from);
    r = r ? r : copy_children(spec, from);
    if (r) {
        copi_spec_release(spec);
        return r;
    }
    *out = spec;
    return 0;
}

int
copi_spec_new(struct copi_spec **out, const cop_supervisor_spec *from)
{
    int r = copi_check_spec(from);
    return r ? r : copy_spec(out, from);
}

struct copi_spec *
copi_spec_hold(struct copi_spec *spec)
{
    copi_fetch_add_32(&spec->holds, 1);
    return spec;
}

void
copi_spec_release(struct copi_spec *spec)
{
    /* Everything that another holder did with it comes before the last release: a full barrier. */
    if (spec && copi_fetch_add_32(&spec->holds, (uint32_t)-1) == 1) {
        for (size_t i = 0; i < spec->child_count; i++) {
            copi_child_spec_clear(&spec->children[i]);
        }
        drop(&spec->extra);
        drop(&spec->arg);
        free(spec->children);
        free(spec->via);
        free(spec);
    }
}
