/*
 * tests/conformance/start.c - the start functions of a scenario.
 *
 * Room: tests/. In the supervisor that owns the child; the root's in the process that stays its parent.
 *
 * Each writes down how it is going to return. A supervisor is a player from its init callback on, so
 * that requests reach it while it starts its children; its start is written down when it is up.
 */
#include "tests/conformance/start.h"

#include "tests/conformance/gate.h"
#include "tests/conformance/reason.h"
#include "tests/conformance/record.h"
#include "tests/conformance/rest.h"
#include "tests/conformance/text.h"
#include "tests/conformance/worker.h"

#include <stdlib.h>

enum {
    LOOK_US = 500,
    LONG_IDLE = 100, /* looks */
};

static const struct scenario *scenario;

void
start_from(const struct scenario *its_scenario)
{
    scenario = its_scenario;
}

/*
 * When a child has died before its supervisor is up, the new supervisor sees to that first, while its
 * starter hears that it is up. In the original's runner the report comes before the start, then the
 * first attempt to restart that child, then what the starter does next. Here they wait for one another:
 * the supervisor when it reports (record.c), its starter here. A request that was there before may have
 * seen to that child without a report: so a supervisor that has long been idle owes nothing.
 */
static void
wait_while(enum early early, cop_pid supervisor)
{
    unsigned idle_looks = 0;
    cast_lock();
    const struct player *it = player_of_locked(supervisor);
    while (it && it->is_alive && it->early == early && idle_looks < LONG_IDLE) {
        cast_unlock();
        (void)cop_sleep(COP_US(LOOK_US));
        cast_lock();
        idle_looks = looks_idle_locked(it) ? idle_looks + 1 : 0;
    }
    cast_unlock();
}

/* One call of a start function. */
struct attempt {
    const struct declaration *who;
    struct label *label;
    unsigned number;
};

static struct attempt
begin(const struct role *role, const char *name)
{
    cop_pid self = cop_self();
    cast_lock();
    struct label *label = label_of_locked(name);
    struct player *starter = player_of_locked(self);
    if (starter) {
        starter->is_starting = true;
        starter->starts++;
    }
    label->parent = role->parent;
    struct attempt attempt = {.who = role->who, .label = label, .number = ++label->calls};
    cast_unlock();
    return attempt;
}

static void
end(void)
{
    cop_pid self = cop_self();
    cast_lock();
    struct player *starter = player_of_locked(self);
    if (starter) {
        starter->is_starting = false;
        see_to_it_locked(starter);
    }
    cast_unlock();
}

static struct player
player_for(const struct attempt *it)
{
    return (struct player){
        .label = it->label,
        .number = it->number,
        .parent = cop_self(),
        .as = it->who,
    };
}

static int
ignore(const struct attempt *it, cop_pid *out)
{
    record_start(it->label, it->number, "ignore");
    *out = COP_NOBODY;
    return 0;
}

static void
record_error(const struct attempt *it, const char *reason)
{
    char *outcome = text_format("error %s", reason);
    record_start(it->label, it->number, outcome);
    free(outcome);
}

static int
fail(const struct attempt *it, const char *reason, cop_reason *why)
{
    record_error(it, reason);
    *why = reason_of(reason);
    if (why->kind == COP_NORMAL) {
        *why = cop_failed(-EIO, "normal"); /* no end, but an error of that name */
    }
    return -EIO;
}

/* ---------------------------------------------------------------- supervisors */

struct entrance {
    struct player player;
    bool is_declined;
};

/* Init callback, in the new supervisor. */
static int
enter(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec;
    struct entrance entrance;
    memcpy(&entrance, arg.data, sizeof entrance);
    entrance.player.pid = cop_self();
    cast_lock();
    player_add_locked(entrance.player);
    cast_unlock();
    return entrance.is_declined ? COP_IGNORE : 0;
}

struct children {
    cop_child_spec *specs;
    struct role *roles;
    size_t count;
};

static struct children
children_of(const struct declaration *supervisor)
{
    size_t most = scenario->declaration_count;
    struct children children = {
        .specs = room_for(most, sizeof *children.specs),
        .roles = room_for(most, sizeof *children.roles),
    };
    for (size_t i = 0; i < most; i++) {
        const struct declaration *it = &scenario->declarations[i];
        if (it->in && same(it->in, supervisor->name)) {
            size_t n = children.count++;
            it = declaration_of(scenario, it->name);
            children.specs[n] = start_spec(it, supervisor, &children.roles[n]);
        }
    }
    return children;
}

/* As in the original's runner, it is given the options that its kind has, and no others. */
static int
start_supervisor(const struct attempt *it, bool is_declined, cop_pid *out, cop_reason *why)
{
    struct children children = children_of(it->who);
    struct entrance entrance = {.player = player_for(it), .is_declined = is_declined};
    bool has_list = it->who->strategy != COP_DYNAMIC;
    const cop_supervisor_spec spec = {
        .strategy = it->who->strategy,
        .children = children.specs,
        .child_count = children.count,
        .max_restarts = it->who->intensity,
        .max_seconds = it->who->period,
        .auto_shutdown = has_list ? it->who->auto_shutdown : COP_NEVER,
        .max_children = has_list ? 0 : it->who->max_children,
        .link = true,
        .init = enter,
        .arg = COP_BYTES(entrance),
    };
    int r = cop_supervisor_start(out, &spec);
    free(children.specs);
    free(children.roles);
    if (r == 0 && is_declined) {
        return ignore(it, out);
    }
    if (r == 0) {
        wait_while(REPORT_OWED, *out);
        record_supervisor(*out, it->label, it->number);
        wait_while(RESTART_OWED, *out);
        return 0;
    }
    *why = cop_why();
    char reason[REASON_SIZE];
    record_error(it, reason_text(*why, reason));
    return r;
}

/* ---------------------------------------------------------------- all */

static int
perform(const struct attempt *it, const struct outcome *outcome, cop_pid *out, cop_reason *why)
{
    switch (outcome->kind) {
    case START_FAIL:
        return fail(it, outcome->reason, why);
    case START_IGNORE:
    case START_OK:
        if (it->who->as == DECLARED_SUP) {
            return start_supervisor(it, outcome->kind == START_IGNORE, out, why);
        }
        if (outcome->kind == START_IGNORE) {
            return ignore(it, out);
        }
        return worker_start(player_for(it), out, why);
    case START_DIE: {
        int r = worker_start(player_for(it), out, why);
        if (r == 0) {
            worker_die(*out, outcome->reason);
        }
        return r;
    }
    }
    return -EINVAL;
}

/* An instance of a template has its own name behind the role. */
static const char *
name_in(cop_bytes arg, const struct role *role)
{
    return arg.size > sizeof *role ? (const char *)arg.data + sizeof *role : role->who->name;
}

int
start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    struct role role;
    memcpy(&role, arg.data, sizeof role);
    struct attempt attempt = begin(&role, name_in(arg, &role));
    const struct outcome *outcome = outcome_of(role.who, attempt.number);
    for (unsigned i = 0; i < outcome->gates; i++) {
        gate_wait(attempt.label, attempt.number);
    }
    int r = perform(&attempt, outcome, out, why);
    end();
    return r;
}

cop_child_spec
start_spec(const struct declaration *who, const struct declaration *parent, struct role *role)
{
    *role = (struct role){.who = who, .parent = parent};
    return (cop_child_spec){
        .id = who->name,
        .start = start,
        .arg = {role, sizeof *role},
        .restart = who->restart,
        .shutdown = who->shutdown,
        .significant = who->significant && parent->strategy != COP_DYNAMIC,
        .supervises = who->supervises,
    };
}
