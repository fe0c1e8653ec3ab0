/*
 * supervisor/partition.c - one server as many equal ones.
 *
 * Room: supervisor/. Any thread; announce runs in the partition supervisor.
 * Touch freely: how a specification is put together. Ask first: the hash; what stores by key depends on
 * it.
 *
 * A partition supervisor is a supervisor whose children are copies of one, with names made of its own:
 * all that there is to supervising is in the other files. What is added is how to find a partition
 * without asking anybody. That takes two things, both by name and neither of them with a lock: how many
 * there are, which the supervisor notes with its name when it begins, before its first child does, and
 * which counts for as long as it has that name; and a pid for the partition's name, which exists from
 * that moment on, whether a process has the name or not.
 *
 * A specification is put together in memory of the calling process, and copied by whoever starts it: the
 * start is an exit point, and what the process owns goes with it.
 */
#include "runtime/memory.h"
#include "runtime/name.h"
#include "runtime/process.h"
#include "runtime/thread.h"

#include <coppice/partition.h>

#include <errno.h>
#include <stdio.h>

enum {
    MOST_PARTITIONS = 65536,
    ID_SIZE = sizeof "4294967295",
};

/* What its init gets. */
struct announcement {
    char name[COPI_NAME_SIZE];
    unsigned count;
};

/* A child's strings. */
struct labels {
    char id[ID_SIZE], name[COPI_NAME_SIZE];
};

/* The specification and what it points to. */
struct plan {
    cop_supervisor_spec spec; /* the first: a child's `supervisor` points to the plan, too */
    struct announcement announcement;
    bool owns_arguments; /* of the children, one by one */
    cop_child_spec *children;
    struct labels labels[];
};

static void
write_id(char out[ID_SIZE], unsigned number)
{
    (void)snprintf(out, ID_SIZE, "%u", number);
}

/* false: it does not fit. */
static bool
write_name(char out[COPI_NAME_SIZE], const char *name, unsigned number)
{
    int length = snprintf(out, COPI_NAME_SIZE, "%s/%u", name, number);
    return length > 0 && length < COPI_NAME_SIZE;
}

/* ---------------------------------------------------------------- finding one */

/* FNV-1a, and its bits mixed once more: what is left of few bytes is uneven. */
static uint64_t
hash_of(cop_bytes key)
{
    const unsigned char *bytes = key.data;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 33);
}

unsigned
cop_partition_count(const char *name)
{
    uint32_t count = 0;
    return copi_name_noted(name, &count) ? count : 0;
}

cop_pid
cop_partition_at(const char *name, unsigned number)
{
    char label[COPI_NAME_SIZE];
    bool is_there = number < cop_partition_count(name) && write_name(label, name, number);
    return is_there ? cop_named(label) : COP_NOBODY;
}

cop_pid
cop_partition(const char *name, cop_bytes key)
{
    unsigned count = cop_partition_count(name);
    return count ? cop_partition_at(name, (unsigned)(hash_of(key) % count)) : COP_NOBODY;
}

/* ---------------------------------------------------------------- in the supervisor */

/* Its init. Afterwards nobody who looks for a partition needs memory for its name. */
static int
announce(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec; /* it is complete */
    const struct announcement *here = arg.data;
    for (unsigned i = 0; i < here->count; i++) {
        char label[COPI_NAME_SIZE];
        if (!write_name(label, here->name, i) || cop_named(label).id == 0) {
            return -ENOMEM;
        }
    }
    return copi_name_note(here->name, cop_self(), here->count);
}

/* ---------------------------------------------------------------- putting it together */

static int
refuse(const char *what)
{
    cop_reason why = cop_failed(-EINVAL, "%s", what);
    return copi_fail_why(&why, -EINVAL);
}

static int
check(const cop_partition_spec *spec, unsigned count)
{
    char label[COPI_NAME_SIZE];
    if (!spec->name || !spec->name[0]) {
        return refuse("name: a partition supervisor needs one");
    }
    if (count > MOST_PARTITIONS) {
        return refuse("partitions: more than 65536");
    }
    if (!write_name(label, spec->name, count - 1)) {
        return refuse("name: it leaves no room for the numbers of the partitions");
    }
    if (!spec->child) {
        return refuse("child: there is none");
    }
    if (spec->child->name) {
        return refuse("child.name: it cannot be all of theirs");
    }
    return spec->child->start ? refuse("child.start: its process cannot be named by others") : 0;
}

static void
free_plan(struct plan *plan)
{
    for (unsigned i = 0; plan->owns_arguments && i < plan->announcement.count; i++) {
        union {
            const void *in;
            void *out;
        } argument = {.in = plan->children[i].arg.data};
        cop_free(argument.out);
    }
    cop_free(plan->children);
    cop_free(plan);
}

static int
make_argument(cop_bytes *out, const cop_partition_spec *from, unsigned number)
{
    cop_bytes arg = from->with_arguments(from->child->arg, number, from->env);
    if (arg.size == 0) {
        return 0;
    }
    if (!arg.data) {
        return refuse("with_arguments: bytes at NULL");
    }
    void *copy = cop_alloc(arg.size);
    if (!copy) {
        return -ENOMEM;
    }
    memcpy(copy, arg.data, arg.size);
    *out = (cop_bytes){copy, arg.size};
    return 0;
}

static int
make_children(struct plan *plan, const cop_partition_spec *from)
{
    for (unsigned i = 0; i < plan->announcement.count; i++) {
        struct labels *labels = &plan->labels[i];
        cop_child_spec *child = &plan->children[i];
        write_id(labels->id, i);
        write_name(labels->name, from->name, i);
        *child = *from->child;
        child->id = labels->id;
        child->name = labels->name;
    }
    if (!from->with_arguments) {
        return 0;
    }
    for (unsigned i = 0; i < plan->announcement.count; i++) {
        plan->children[i].arg = (cop_bytes){0};
    }
    plan->owns_arguments = true;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < plan->announcement.count; i++) {
        r = make_argument(&plan->children[i].arg, from, i);
    }
    return r;
}

static void
fill_in(struct plan *plan, const cop_partition_spec *from, unsigned count)
{
    strncpy(plan->announcement.name, from->name, sizeof plan->announcement.name - 1);
    plan->announcement.count = count;
    plan->spec = (cop_supervisor_spec){
        .name = plan->announcement.name,
        .strategy = COP_ONE_FOR_ONE,
        .children = plan->children,
        .child_count = count,
        .max_restarts = from->max_restarts,
        .max_seconds = from->max_seconds,
        .backoff_min = from->backoff_min,
        .backoff_max = from->backoff_max,
        .give_up = from->give_up,
        .link = from->link,
        .init = announce,
        .arg = COP_BYTES(plan->announcement),
    };
}

/* NULL: none, and *code says why. */
static struct plan *
make_plan(const cop_partition_spec *from, int *code)
{
    struct copi_process *self;
    if ((*code = copi_enter(&self)) != 0) {
        return NULL;
    }
    if (!from) {
        *code = copi_fail(-EINVAL);
        return NULL;
    }
    unsigned count = from->partitions ? from->partitions : copi_cores();
    if ((*code = check(from, count)) != 0) {
        return NULL;
    }
    struct plan *plan = copi_memory_new(self, sizeof *plan + count * sizeof plan->labels[0]);
    *code = -ENOMEM;
    if (!plan) {
        return NULL;
    }
    plan->children = copi_memory_new(self, count * sizeof *plan->children);
    if (plan->children) {
        fill_in(plan, from, count);
        *code = make_children(plan, from);
    }
    if (*code) {
        free_plan(plan);
        return NULL;
    }
    return plan;
}

/* ---------------------------------------------------------------- starting */

int
cop_partition_supervisor_start(cop_pid *out, const cop_partition_spec *spec)
{
    int r;
    struct plan *plan = make_plan(spec, &r);
    if (plan) {
        r = cop_supervisor_start(out, &plan->spec);
        free_plan(plan);
    }
    return r;
}

int
cop_partition_supervisor_child(cop_child_spec *out, const cop_partition_spec *spec)
{
    int r;
    struct plan *plan = make_plan(spec, &r);
    if (plan) {
        *out = (cop_child_spec){.id = plan->announcement.name, .supervisor = &plan->spec};
    }
    return r;
}

void
cop_partition_supervisor_child_free(cop_child_spec *child)
{
    union {
        const cop_supervisor_spec *in;
        struct plan *out;
    } plan = {.in = child->supervisor};
    *child = (cop_child_spec){0};
    if (plan.out) {
        free_plan(plan.out);
    }
}

/* ---------------------------------------------------------------- resizing */

/* In each step the number that is told is of partitions that run: first it goes down, then the last one
 * goes; and the other way round. */

static int
tell(const char *name, cop_pid supervisor, unsigned number)
{
    int r = copi_name_note(name, supervisor, number);
    return r ? copi_fail(r) : 0;
}

static int
take_last_away(const char *name, cop_pid supervisor, unsigned last)
{
    char id[ID_SIZE];
    write_id(id, last);
    int r = tell(name, supervisor, last);
    r = r ? r : cop_supervisor_terminate_child(supervisor, id);
    if (r == -ENOMEM) {
        (void)copi_name_note(name, supervisor, last + 1); /* it was not even asked, and runs */
    }
    return r;
}

static int
bring_next_back(const char *name, cop_pid supervisor, unsigned next)
{
    char id[ID_SIZE];
    write_id(id, next);
    int r = cop_supervisor_restart_child(supervisor, id, NULL);
    return r ? r : tell(name, supervisor, next + 1);
}

int
cop_partition_resize(const char *name, unsigned count)
{
    struct copi_process *self;
    cop_child_counts known;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    cop_pid supervisor = cop_whereis(name);
    uint32_t now;
    if (!copi_name_noted(name, &now)) {
        return copi_fail(-ESRCH);
    }
    r = cop_supervisor_count(supervisor, &known);
    if (r == 0 && count > known.specs) {
        r = refuse("partitions: it was started with fewer");
    }
    for (; r == 0 && now > count; now--) {
        r = take_last_away(name, supervisor, now - 1);
    }
    for (; r == 0 && now < count; now++) {
        r = bring_next_back(name, supervisor, now);
    }
    return r;
}
