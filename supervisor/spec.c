/*
 * supervisor/spec.c - specifications: checked, and copied.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: the words of a refusal. Ask first: what is allowed; programs depend on what was.
 *
 * One walk does both: each part is checked and then copied, and whatever comes in between, what has
 * been copied so far is in its place and copi_spec_release gives it back. A refusal tells where in
 * the tree it is ("db/pool: shutdown: ..."), except for those that OTP has a term for.
 */
#include "supervisor/spec.h"

#include "runtime/alloc.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
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

/* Where in the tree we are, for whoever has to correct it. */
struct place {
    const struct place *above; /* NULL: at the top */
    const char *id;            /* NULL: it has none; the index will do */
    size_t index;
    unsigned depth; /* 0: a child alone, of no list */
};

/* ---------------------------------------------------------------- refusing */

static size_t
write_place(const struct place *at, char *out, size_t size)
{
    if (!at) {
        return 0;
    }
    size_t used = write_place(at->above, out, size);
    const char *slash = at->above ? "/" : "";
    int more;
    if (at->id && at->id[0]) {
        more = snprintf(out + used, size - used, "%s%.63s", slash, at->id);
    } else if (at->depth > 0) {
        more = snprintf(out + used, size - used, "%schildren[%zu]", slash, at->index);
    } else {
        more = snprintf(out + used, size - used, "child");
    }
    return more > 0 && (size_t)more < size - used ? used + (size_t)more : size - 1;
}

static int refuse(const struct place *at, const char *format, ...) COP_PRINTF(2, 3);

static int
refuse(const struct place *at, const char *format, ...)
{
    char place[sizeof((cop_reason *)0)->text] = "", what[128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    size_t used = write_place(at, place, sizeof place);
    cop_reason why = cop_failed(-EINVAL, "%.*s%s%s", (int)used, place, at ? ": " : "", what);
    return copi_fail_why(&why, -EINVAL);
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
check_bytes(cop_bytes from, const struct place *at, const char *field)
{
    return from.size && !from.data ? refuse(at, "%s: %zu bytes at NULL", field, from.size) : 0;
}

static int
copy_bytes(struct copi_owned *out, cop_bytes from, const struct place *at, const char *field)
{
    int r = check_bytes(from, at, field);
    return r ? r : copi_owned_join(out, from, (cop_bytes){0});
}

static int
copy_name(char out[COPI_ID_SIZE], const char *from, const struct place *at)
{
    if (!from) {
        return 0;
    }
    size_t length = strnlen(from, COPI_ID_SIZE);
    if (length == 0 || length == COPI_ID_SIZE) {
        return refuse(at, "name: it has 1 to %d bytes", COPI_ID_SIZE - 1);
    }
    memcpy(out, from, length + 1);
    return 0;
}

static int
refuse_via_and_name(const struct place *at)
{
    return refuse(at, "via: not with a name");
}

static int
check_via(const cop_via *via, const struct place *at)
{
    size_t length = via->registry ? strnlen(via->registry, COPI_ID_SIZE) : 0;
    if (length == 0 || length == COPI_ID_SIZE) {
        return refuse(at, "via.registry: it has 1 to %d bytes", COPI_ID_SIZE - 1);
    }
    int r = check_bytes(via->key, at, "via.key");
    return r ? r : check_bytes(via->value, at, "via.value");
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
copy_via(cop_via **out, const cop_via *from, bool has_name, const struct place *at)
{
    if (!from) {
        return 0;
    }
    int r = has_name ? refuse_via_and_name(at) : check_via(from, at);
    if (r) {
        return r;
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
refuse_id(const struct place *at)
{
    return refuse(at, "id: it has 1 to %d bytes", COPI_ID_SIZE - 1);
}

static int
copy_id(char out[COPI_ID_SIZE], const struct place *at)
{
    if (!at->id) {
        return 0;
    }
    size_t length = strnlen(at->id, COPI_ID_SIZE);
    if (length == 0 || length == COPI_ID_SIZE) {
        return refuse_id(at);
    }
    memcpy(out, at->id, length + 1);
    return 0;
}

static int
copy_words(struct copi_owned *out, const char *const *argv, const struct place *at)
{
    if (!argv[0] || !argv[0][0]) {
        return refuse(at, "command: it names no program");
    }
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

static int
count_kinds(const cop_child_spec *from)
{
    return (from->genserver != NULL) + (from->statem != NULL) + (from->worker != NULL)
           + (from->supervisor != NULL) + (from->command != NULL) + (from->agent != NULL)
           + (from->start != NULL);
}

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

static int copy_spec(struct copi_spec **out, const cop_supervisor_spec *from,
                     const struct place *at);

static int
copy_agent(struct copi_child_spec *out, const cop_agent_spec *from, const struct place *at)
{
    out->agent = (cop_agent_spec){
        .init = from->init,
        .state_size = from->state_size,
        .drop = from->drop,
    };
    return copy_bytes(&out->initial, from->initial, at, "agent.initial");
}

static int
copy_nested(struct copi_child_spec *out, const cop_child_spec *from, const struct place *at)
{
    int r = copy_spec(&out->supervisor, from->supervisor, at);
    if (r) {
        return r;
    }
    if (from->mailbox.limit) {
        return refuse(at, "mailbox.limit: a supervisor must not lose what it tells itself");
    }
    const cop_via *own_via = out->supervisor->via;
    if (own_via && out->via) {
        return refuse(at, "via: the supervisor has one of its own");
    }
    const char *own = out->supervisor->name;
    if (own[0] && out->name[0] && strcmp(own, out->name) != 0) {
        return refuse(at, "name: the supervisor's own is %s", own);
    }
    if (own[0]) {
        memcpy(out->name, own, sizeof out->name);
    }
    return out->name[0] && (own_via || out->via) ? refuse_via_and_name(at) : 0;
}

static int
check_start(const struct copi_child_spec *spec, const struct place *at)
{
    const char *what = spec->name[0] ? "name" : spec->via ? "via" : NULL;
    return what ? refuse(at, "%s: the process of a start function has its own", what) : 0;
}

static int
copy_kind(struct copi_child_spec *out, const cop_child_spec *from, const struct place *at)
{
    int kinds = count_kinds(from);
    if (kinds != 1) {
        return refuse(
            at, kinds ? "it is more than one kind of child"
                      : "it is no genserver, statem, worker, supervisor, command, agent or start");
    }
    out->kind = kind_of(from);
    switch (out->kind) {
    case COPI_CHILD_GENSERVER:
        out->genserver = from->genserver;
        return 0;
    case COPI_CHILD_STATEM:
        out->statem = from->statem;
        return 0;
    case COPI_CHILD_WORKER:
        out->worker = from->worker;
        return 0;
    case COPI_CHILD_SUPERVISOR:
        return copy_nested(out, from, at);
    case COPI_CHILD_COMMAND:
        return copy_words(&out->words, from->command, at);
    case COPI_CHILD_AGENT:
        return copy_agent(out, from->agent, at);
    case COPI_CHILD_START:
        out->start = from->start;
        return check_start(out, at);
    }
    return 0;
}

/* ---------------------------------------------------------------- a child's rules */

static cop_restart
restart_of(const cop_child_spec *from)
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

static int
check_rules(const cop_child_spec *from, const struct place *at)
{
    if ((unsigned)from->restart > COP_TEMPORARY) {
        return refuse(at, "restart: %d is no rule", (int)from->restart);
    }
    if (from->shutdown < 0 && from->shutdown != COP_BRUTAL_KILL) {
        return refuse(at, "shutdown: %lld is no time", (long long)from->shutdown);
    }
    if (from->init_timeout < 0) {
        return refuse(at, "init_timeout: %lld is no time", (long long)from->init_timeout);
    }
    if ((unsigned)from->mailbox.when_full > COP_FULL_DROP_OLD) {
        return refuse(at, "mailbox.when_full: %d is no policy", (int)from->mailbox.when_full);
    }
    if (from->supervises && !from->start && !from->supervisor) {
        return refuse(at, "supervises: only what a start function starts can");
    }
    return 0;
}

static void
copy_rules(struct copi_child_spec *out, const cop_child_spec *from)
{
    out->restart = restart_of(from);
    out->shutdown = shutdown_of(from);
    out->significant = from->significant;
    out->supervises = from->supervises;
    out->contain_faults = from->contain_faults;
    out->mailbox = from->mailbox;
    out->init_timeout = from->init_timeout;
    out->stack_size = from->stack_size;
}

static const char *
bad_combination(const struct copi_child_spec *spec, cop_auto_shutdown mode)
{
    if (!spec->significant) {
        return NULL;
    }
    if (mode == COP_NEVER) {
        return "{bad_combination,[{auto_shutdown,never},{significant,true}]}";
    }
    if (spec->restart == COP_PERMANENT) {
        return "{bad_combination,[{restart,permanent},{significant,true}]}";
    }
    return NULL;
}

int
copi_spec_check_child(const struct copi_spec *spec, const struct copi_child_spec *child)
{
    if (!child->id[0] && spec->strategy != COP_DYNAMIC) {
        return refuse_id(&(struct place){0});
    }
    const char *bad = bad_combination(child, spec->auto_shutdown);
    return bad ? refuse(NULL, "%s", bad) : 0;
}

static int
copy_child(struct copi_child_spec *out, const cop_child_spec *from, const struct place *at)
{
    int r = copy_id(out->id, at);
    if (r == 0) {
        r = copy_name(out->name, from->name, at);
    }
    if (r == 0) {
        r = copy_via(&out->via, from->via, from->name != NULL, at);
    }
    if (r == 0) {
        r = check_rules(from, at);
    }
    if (r == 0) {
        copy_rules(out, from);
        r = copy_kind(out, from, at);
    }
    if (r == 0) {
        r = copy_bytes(&out->arg, from->arg, at, "arg");
    }
    return r;
}

int
copi_child_spec_copy(struct copi_child_spec *out, const cop_child_spec *from)
{
    *out = (struct copi_child_spec){0};
    int r = copy_child(out, from, &(struct place){.id = from->id});
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

static int
copy_intensity(struct copi_spec *out, const cop_supervisor_spec *from, const struct place *at)
{
    bool neither = from->max_restarts == 0 && from->max_seconds == 0;
    out->max_restarts = neither ? DEFAULT_MAX_RESTARTS : from->max_restarts;
    out->period = COP_SEC(from->max_seconds ? from->max_seconds : DEFAULT_MAX_SECONDS);
    return from->max_restarts > COPI_MAX_RESTARTS ? refuse(at, "max_restarts: %u is more than %d",
                                                           from->max_restarts, COPI_MAX_RESTARTS)
                                                  : 0;
}

static int
copy_backoff(struct copi_spec *out, const cop_supervisor_spec *from, const struct place *at)
{
    cop_time min = from->backoff_min, max = from->backoff_max;
    if (max == 0 && min > 0) {
        max = min < DEFAULT_MAX_BACKOFF ? DEFAULT_MAX_BACKOFF : min;
    }
    if (min < 0 || max < min || (min == 0 && max > 0)) {
        return refuse(at, "backoff_min, backoff_max: %lld to %lld is no range",
                      (long long)from->backoff_min, (long long)from->backoff_max);
    }
    out->backoff = (struct copi_backoff){min, max};
    return 0;
}

static int
check_modes(const cop_supervisor_spec *from, const struct place *at)
{
    if ((unsigned)from->strategy > COP_DYNAMIC) {
        return refuse(at, "strategy: %d is none", (int)from->strategy);
    }
    if ((unsigned)from->auto_shutdown > COP_ALL_SIGNIFICANT) {
        return refuse(at, "auto_shutdown: %d is no mode", (int)from->auto_shutdown);
    }
    if ((unsigned)from->give_up > COP_GIVE_UP_PROGRAM) {
        return refuse(at, "give_up: %d is no way to", (int)from->give_up);
    }
    return 0;
}

/* What goes with which strategy. An init may still change either. */
static int
check_strategy(const cop_supervisor_spec *from, const struct place *at)
{
    const char *strategy = copi_strategy_name(from->strategy);
    if (from->strategy == COP_SIMPLE_ONE_FOR_ONE && from->child_count != 1) {
        return refuse(at, "children: bad_start_spec: one template is wanted, not %zu",
                      from->child_count);
    }
    if (from->strategy == COP_DYNAMIC && from->child_count != 0) {
        return refuse(at, "children: dynamic ones are started by request, not with the supervisor");
    }
    if (from->strategy == COP_DYNAMIC && from->auto_shutdown != COP_NEVER) {
        return refuse(at, "auto_shutdown: not with dynamic children");
    }
    if (from->extra.size && from->strategy != COP_DYNAMIC) {
        return refuse(at, "extra: not with %s", strategy);
    }
    if (from->max_children && !copi_strategy_is_dynamic(from->strategy)) {
        return refuse(at, "max_children: not with %s", strategy);
    }
    bool is_group = from->strategy == COP_ONE_FOR_ALL || from->strategy == COP_REST_FOR_ONE;
    if (from->give_up == COP_GIVE_UP_CHILD && is_group) {
        return refuse(at, "give_up: with %s no child is given up alone", strategy);
    }
    return 0;
}

static size_t
limit_of(size_t max_children)
{
    return max_children == 0 ? SIZE_MAX : max_children == COP_NO_CHILDREN ? 0 : max_children;
}

static int
copy_flags(struct copi_spec *out, const cop_supervisor_spec *from, const struct place *at)
{
    int r = check_modes(from, at);
    if (r == 0 && !from->init) {
        r = check_strategy(from, at);
    }
    if (r) {
        return r;
    }
    out->strategy = from->strategy;
    out->auto_shutdown = from->auto_shutdown;
    out->give_up = from->give_up;
    out->max_children = limit_of(from->max_children);
    out->init = from->init;
    r = copy_name(out->name, from->name, at);
    if (r == 0) {
        r = copy_via(&out->via, from->via, from->name != NULL, at);
    }
    if (r == 0) {
        r = copy_intensity(out, from, at);
    }
    if (r == 0) {
        r = copy_backoff(out, from, at);
    }
    if (r == 0) {
        r = copy_bytes(&out->extra, from->extra, at, "extra");
    }
    return r ? r : copy_bytes(&out->arg, from->arg, at, "arg");
}

/* By id, and where they are the same, in the order of the list. */
static int
compare(const void *a, const void *b)
{
    const struct copi_child_spec *one = *(const struct copi_child_spec *const *)a;
    const struct copi_child_spec *other = *(const struct copi_child_spec *const *)b;
    int order = strcmp(one->id, other->id);
    return order ? order : (one > other) - (one < other);
}

/* The first in the list that has the id of one before it; NULL: none. */
static const struct copi_child_spec *
find_duplicate(const struct copi_child_spec **sorted, size_t count)
{
    const struct copi_child_spec *first = NULL;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0 && (!first || sorted[i] < first)) {
            first = sorted[i];
        }
    }
    return first;
}

static int
check_duplicates(const struct copi_spec *spec)
{
    const struct copi_child_spec **sorted =
        spec->child_count ? copi_alloc(spec->child_count * sizeof(void *)) : NULL;
    if (!sorted) {
        return spec->child_count ? copi_fail(-ENOMEM) : 0;
    }
    for (size_t i = 0; i < spec->child_count; i++) {
        sorted[i] = &spec->children[i];
    }
    qsort(sorted, spec->child_count, sizeof(void *), compare);
    const struct copi_child_spec *duplicate = find_duplicate(sorted, spec->child_count);
    free(sorted);
    return duplicate ? refuse(NULL, "{start_spec,{duplicate_child_name,%s}}", duplicate->id) : 0;
}

static int
copy_children(struct copi_spec *out, const cop_supervisor_spec *from, const struct place *at)
{
    if (from->child_count == 0) {
        return 0;
    }
    if (!from->children) {
        return refuse(at, "children: %zu at NULL", from->child_count);
    }
    if (from->child_count > SIZE_MAX / sizeof *out->children) {
        return copi_fail(-ENOMEM);
    }
    out->children = copi_zalloc(from->child_count * sizeof *out->children);
    if (!out->children) {
        return copi_fail(-ENOMEM);
    }
    out->child_count = from->child_count;
    for (size_t i = 0; i < from->child_count; i++) {
        struct place here = {at, from->children[i].id, i, at ? at->depth + 1 : 1};
        int r =
            here.id ? copy_child(&out->children[i], &from->children[i], &here) : refuse_id(&here);
        if (r) {
            return r;
        }
        const char *bad = bad_combination(&out->children[i], out->auto_shutdown);
        if (bad) {
            return refuse(NULL, "{start_spec,%s}", bad);
        }
    }
    return check_duplicates(out);
}

static int
copy_spec(struct copi_spec **out, const cop_supervisor_spec *from, const struct place *at)
{
    if (at && at->depth >= COPI_DEEPEST_SPEC) {
        return refuse(NULL, "supervisor: more than %d of them, one in the other",
                      COPI_DEEPEST_SPEC);
    }
    struct copi_spec *spec = copi_zalloc(sizeof *spec);
    if (!spec) {
        return copi_fail(-ENOMEM);
    }
    copi_store_relaxed_32(&spec->holds, 1);
    int r = copy_flags(spec, from, at);
    if (r == 0) {
        r = copy_children(spec, from, at);
    }
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
    return from ? copy_spec(out, from, NULL) : copi_fail(-EINVAL);
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
