/*
 * supervisor/check.c - what is a specification, and what is none.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: the words of a refusal. Ask first: what is allowed; programs depend on what was.
 *
 * All of it is read as the user wrote it, before anything is copied, so that a copy (spec.c) can fail
 * for want of memory only. The first mistake is told: a supervisor's own flags, then its children in
 * their order, each with what is below it, then what they are together. A refusal tells where in the
 * tree it is ("db/pool: shutdown: ..."), except for those that OTP has a term for.
 */
#include "supervisor/check.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "supervisor/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

static int
check_bytes(cop_bytes bytes, const struct place *at, const char *field)
{
    return bytes.size && !bytes.data ? refuse(at, "%s: %zu bytes at NULL", field, bytes.size) : 0;
}

static bool
is_text(const char *text)
{
    size_t length = text ? strnlen(text, COPI_ID_SIZE) : 0;
    return length > 0 && length < COPI_ID_SIZE;
}

static int
check_text(const char *text, const struct place *at, const char *field)
{
    return is_text(text) ? 0 : refuse(at, "%s: it has 1 to %d bytes", field, COPI_ID_SIZE - 1);
}

static int
refuse_via_and_name(const struct place *at)
{
    return refuse(at, "via: not with a name");
}

static int
check_via(const cop_via *via, const struct place *at)
{
    int r = check_text(via->registry, at, "via.registry");
    r = r ? r : check_bytes(via->key, at, "via.key");
    return r ? r : check_bytes(via->value, at, "via.value");
}

/* By what it is to be found: one of them, or neither. */
static int
check_name(const char *name, const cop_via *via, const struct place *at)
{
    int r = name ? check_text(name, at, "name") : 0;
    if (r || !via) {
        return r;
    }
    return name ? refuse_via_and_name(at) : check_via(via, at);
}

/* ---------------------------------------------------------------- what a child is */

static int
count_kinds(const cop_child_spec *from)
{
    return (from->genserver != NULL) + (from->statem != NULL) + (from->worker != NULL)
           + (from->supervisor != NULL) + (from->command != NULL) + (from->agent != NULL)
           + (from->start != NULL);
}

static int check_spec(const cop_supervisor_spec *spec, const struct place *at);

static int
check_nested(const cop_child_spec *child, const struct place *at)
{
    const cop_supervisor_spec *own = child->supervisor;
    int r = check_spec(own, at);
    if (r) {
        return r;
    }
    if (child->mailbox.limit) {
        return refuse(at, "mailbox.limit: a supervisor must not lose what it tells itself");
    }
    if (own->via && child->via) {
        return refuse(at, "via: the supervisor has one of its own");
    }
    if (own->name && child->name && strcmp(own->name, child->name) != 0) {
        return refuse(at, "name: the supervisor's own is %s", own->name);
    }
    bool has_name = own->name || child->name, has_via = own->via || child->via;
    return has_name && has_via ? refuse_via_and_name(at) : 0;
}

static int
check_command(const char *const *argv, const struct place *at)
{
    return argv[0] && argv[0][0] ? 0 : refuse(at, "command: it names no program");
}

static int
check_start(const cop_child_spec *child, const struct place *at)
{
    const char *what = child->name ? "name" : child->via ? "via" : NULL;
    return what ? refuse(at, "%s: the process of a start function has its own", what) : 0;
}

static int
check_kind(const cop_child_spec *child, const struct place *at)
{
    int kinds = count_kinds(child);
    if (kinds != 1) {
        return refuse(at, kinds ? "it is more than one kind of child"
                                : "it is no genserver, statem, worker, supervisor, command, agent "
                                  "or start");
    }
    return child->supervisor ? check_nested(child, at)
           : child->command  ? check_command(child->command, at)
           : child->agent    ? check_bytes(child->agent->initial, at, "agent.initial")
           : child->start    ? check_start(child, at)
                             : 0;
}

/* ---------------------------------------------------------------- a child's rules */

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

static const char *
bad_combination(bool is_significant, cop_restart rule, cop_auto_shutdown mode)
{
    if (!is_significant) {
        return NULL;
    }
    if (mode == COP_NEVER) {
        return "{bad_combination,[{auto_shutdown,never},{significant,true}]}";
    }
    if (rule == COP_PERMANENT) {
        return "{bad_combination,[{restart,permanent},{significant,true}]}";
    }
    return NULL;
}

int
copi_check_child_of(const struct copi_spec *spec, const struct copi_child_spec *child)
{
    if (!child->id[0] && spec->strategy != COP_DYNAMIC) {
        return check_text(NULL, &(struct place){0}, "id");
    }
    const char *bad = bad_combination(child->significant, child->restart, spec->auto_shutdown);
    return bad ? refuse(NULL, "%s", bad) : 0;
}

static int
check_child(const cop_child_spec *child, const struct place *at)
{
    int r = check_name(child->name, child->via, at);
    r = r ? r : check_rules(child, at);
    r = r ? r : check_kind(child, at);
    return r ? r : check_bytes(child->arg, at, "arg");
}

int
copi_check_child(const cop_child_spec *child)
{
    struct place at = {.id = child->id};
    int r = child->id ? check_text(child->id, &at, "id") : 0;
    return r ? r : check_child(child, &at);
}

/* ---------------------------------------------------------------- a supervisor's flags */

static int
check_intensity(const cop_supervisor_spec *spec, const struct place *at)
{
    return spec->max_restarts > COPI_MAX_RESTARTS ? refuse(at, "max_restarts: %u is more than %d",
                                                           spec->max_restarts, COPI_MAX_RESTARTS)
                                                  : 0;
}

static int
check_backoff(const cop_supervisor_spec *spec, const struct place *at)
{
    cop_time min = spec->backoff_min, max = spec->backoff_max;
    bool is_open = min > 0 && max == 0;
    if (min < 0 || (max < min && !is_open) || (min == 0 && max > 0)) {
        return refuse(at, "backoff_min, backoff_max: %lld to %lld is no range", (long long)min,
                      (long long)max);
    }
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

static int
check_flags(const cop_supervisor_spec *spec, const struct place *at)
{
    int r = check_modes(spec, at);
    if (r == 0 && !spec->init) {
        r = check_strategy(spec, at);
    }
    r = r ? r : check_name(spec->name, spec->via, at);
    r = r ? r : check_intensity(spec, at);
    r = r ? r : check_backoff(spec, at);
    r = r ? r : check_bytes(spec->extra, at, "extra");
    return r ? r : check_bytes(spec->arg, at, "arg");
}

/* ---------------------------------------------------------------- its children */

/* By id, and where they are the same, in the order of the list. */
static int
compare(const void *a, const void *b)
{
    const cop_child_spec *one = *(const cop_child_spec *const *)a;
    const cop_child_spec *other = *(const cop_child_spec *const *)b;
    int order = strcmp(one->id, other->id);
    return order ? order : (one > other) - (one < other);
}

/* The first in the list that has the id of one before it; NULL: none. */
static const cop_child_spec *
find_duplicate(const cop_child_spec **sorted, size_t count)
{
    const cop_child_spec *first = NULL;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0 && (!first || sorted[i] < first)) {
            first = sorted[i];
        }
    }
    return first;
}

static int
check_duplicates(const cop_supervisor_spec *spec)
{
    const cop_child_spec **sorted = copi_alloc(spec->child_count * sizeof *sorted);
    if (!sorted) {
        return copi_fail(-ENOMEM);
    }
    for (size_t i = 0; i < spec->child_count; i++) {
        sorted[i] = &spec->children[i];
    }
    qsort(sorted, spec->child_count, sizeof *sorted, compare);
    const cop_child_spec *duplicate = find_duplicate(sorted, spec->child_count);
    free(sorted);
    return duplicate ? refuse(NULL, "{start_spec,{duplicate_child_name,%s}}", duplicate->id) : 0;
}

static int
check_one_of(const cop_supervisor_spec *spec, size_t i, const struct place *above)
{
    const cop_child_spec *child = &spec->children[i];
    struct place at = {above, child->id, i, above ? above->depth + 1 : 1};
    int r = check_text(child->id, &at, "id");
    r = r ? r : check_child(child, &at);
    if (r) {
        return r;
    }
    const char *bad =
        bad_combination(child->significant, copi_restart_of(child), spec->auto_shutdown);
    return bad ? refuse(NULL, "{start_spec,%s}", bad) : 0;
}

static int
check_children(const cop_supervisor_spec *spec, const struct place *at)
{
    if (spec->child_count == 0) {
        return 0;
    }
    if (!spec->children) {
        return refuse(at, "children: %zu at NULL", spec->child_count);
    }
    if (spec->child_count > SIZE_MAX / sizeof(struct copi_child_spec)) {
        return copi_fail(-ENOMEM);
    }
    for (size_t i = 0; i < spec->child_count; i++) {
        int r = check_one_of(spec, i, at);
        if (r) {
            return r;
        }
    }
    return check_duplicates(spec);
}

static int
check_spec(const cop_supervisor_spec *spec, const struct place *at)
{
    if (at && at->depth >= COPI_DEEPEST_SPEC) {
        return refuse(NULL, "supervisor: more than %d of them, one in the other",
                      COPI_DEEPEST_SPEC);
    }
    int r = check_flags(spec, at);
    return r ? r : check_children(spec, at);
}

int
copi_check_spec(const cop_supervisor_spec *spec)
{
    return spec ? check_spec(spec, NULL) : copi_fail(-EINVAL);
}

int
cop_supervisor_check(const cop_supervisor_spec *spec)
{
    struct copi_process *self; /* a thread without one would forget why it is refused */
    int r = copi_enter(&self);
    return r ? r : copi_check_spec(spec);
}
