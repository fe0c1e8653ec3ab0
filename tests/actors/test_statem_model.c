/*
 * tests/actors/test_statem_model.c - machines that do what chance wants, held against the rules.
 *
 * Room: tests/.
 *
 * A script, made of a seed, says for each event what its handling does: where it goes, whether it is
 * postponed, what it inserts, which timeouts it sets. A machine runs the script, and so does a model,
 * which is the rules of gen_statem written down as plainly as can be: arrays, and no machine. Both
 * write down what they handle, and in which state; it must be the same. Timeouts are of 0 or longer
 * than any test, so that time has no say in it. For these seeds the gen_statem of Erlang/OTP 25 gives
 * the same, line by line.
 */
#include "tests/support/support.h"

enum {
    STATES = 3,
    MOST = 320, /* events of a run; from ENOUGH on nothing new is made */
    ENOUGH = 280,
    SENT = 40, /* of them from outside */
    LINES = 4000,
    SEEDS = 15, /* a test */
};

/* ---------------------------------------------------------------- the script */

enum when {
    AT_ONCE,
    LATER,
    FOR_EVER,
    UPDATE,
};

struct script {
    enum {
        STAY,
        GO,
        REPEAT,
    } move;
    unsigned to;
    bool postpone;
    unsigned inserts, timeouts;
    struct {
        char which; /* s: state's, e: event's, x and y: names */
        enum when when;
    } timeout[2];
};

/* Chance, as a function. */
static uint32_t
draw(uint32_t seed, uint32_t subject, uint32_t state, uint32_t turn, uint32_t question)
{
    uint32_t x =
        seed * 2654435761u + subject * 40503u + state * 65599u + turn * 31337u + question * 7919u;
    x = (x ^ (x >> 15)) * 2246822519u;
    x = (x ^ (x >> 13)) * 3266489917u;
    return x ^ (x >> 16);
}

static void
draw_timeouts(struct script *script, uint32_t seed, uint32_t subject, uint32_t state, uint32_t turn)
{
    static const enum when whens[] = {AT_ONCE, AT_ONCE, LATER, FOR_EVER, UPDATE};
    for (unsigned i = 0; i < script->timeouts; i++) {
        script->timeout[i].which = "sexy"[draw(seed, subject, state, turn, 10 + i) % 4];
        script->timeout[i].when = whens[draw(seed, subject, state, turn, 20 + i) % 5];
    }
}

static struct script
script_of_event(uint32_t seed, uint32_t id, uint32_t state, uint32_t turn, bool may_make)
{
    struct script script = {.to = draw(seed, id, state, turn, 1) % STATES};
    uint32_t move = draw(seed, id, state, turn, 0) % 8;
    script.move = move < 4 ? STAY : move < 7 ? GO : REPEAT;
    script.postpone = turn < 4 && draw(seed, id, state, turn, 2) % 3 == 0;
    if (may_make) {
        uint32_t inserts = draw(seed, id, state, turn, 3) % 5;
        script.inserts = inserts < 3 ? inserts : 0;
        script.timeouts = draw(seed, id, state, turn, 4) % 3;
        draw_timeouts(&script, seed, id, state, turn);
    }
    return script;
}

static struct script
script_of_enter(uint32_t seed, uint32_t count, uint32_t state, bool may_make)
{
    struct script script = {0};
    script.move = draw(seed, 1000 + count, state, 0, 0) % 6 == 0 ? REPEAT : STAY;
    if (may_make) {
        script.timeouts = draw(seed, 1000 + count, state, 0, 4) % 2;
        draw_timeouts(&script, seed, 1000 + count, state, 0);
    }
    return script;
}

/* ---------------------------------------------------------------- what both write down */

struct run {
    uint32_t seed;
    unsigned made, entered; /* events made; states entered */
    unsigned turns[MOST];   /* how often each event was handled */
    size_t lines;
    struct line {
        char what; /* c: sent, i: inserted, >: entered; else a timeout */
        unsigned state, subject;
    } line[LINES];
};

static void
write_down(struct run *run, char what, unsigned state, unsigned subject)
{
    ck_assert_uint_lt(run->lines, LINES);
    run->line[run->lines++] = (struct line){what, state, subject};
}

static bool
may_make(const struct run *run)
{
    return run->made < ENOUGH;
}

static struct script
next_of_event(struct run *run, char what, unsigned id, unsigned state)
{
    write_down(run, what, state, id);
    return script_of_event(run->seed, id, state, run->turns[id]++, may_make(run));
}

static struct script
next_of_enter(struct run *run, unsigned state, unsigned old)
{
    write_down(run, '>', state, old);
    return script_of_enter(run->seed, run->entered++, state, may_make(run));
}

/* ---------------------------------------------------------------- the model */

struct item {
    char what;
    unsigned id;
};

struct row {
    size_t count;
    struct item item[MOST * 4];
};

struct model {
    struct run run;
    unsigned state;
    struct row postponed, next, due;
    bool later[128]; /* by letter: it runs, and will not come */
    struct row asked;
    enum when when[MOST * 4]; /* of each in asked */
};

static void
insert(struct row *row, size_t at, struct item item)
{
    memmove(&row->item[at + 1], &row->item[at], (row->count - at) * sizeof item);
    row->item[at] = item;
    row->count++;
}

static struct item
take(struct row *row, size_t at)
{
    struct item item = row->item[at];
    row->count--;
    memmove(&row->item[at], &row->item[at + 1], (row->count - at) * sizeof item);
    return item;
}

static size_t
find(const struct row *row, char what)
{
    size_t i = 0;
    while (i < row->count && row->item[i].what != what) {
        i++;
    }
    return i;
}

static void
end(struct model *model, char which)
{
    size_t i = find(&model->due, which);
    if (i < model->due.count) {
        take(&model->due, i);
    }
    model->later[(unsigned char)which] = false;
}

static void
ask_for_timeouts(struct model *model, const struct script *script)
{
    for (unsigned i = 0; i < script->timeouts; i++) {
        struct item item = {script->timeout[i].which, model->run.made++};
        model->when[model->asked.count] = script->timeout[i].when;
        insert(&model->asked, model->asked.count, item);
    }
}

static void
start_timeout(struct model *model, struct item item, enum when when)
{
    size_t i = find(&model->due, item.what);
    bool is_due = i < model->due.count, is_later = model->later[(unsigned char)item.what];
    if (when == UPDATE && is_due) {
        model->due.item[i].id = item.id;
    } else if (when != UPDATE || !is_later) {
        end(model, item.what);
        model->later[(unsigned char)item.what] = when == LATER;
        if (when == AT_ONCE || when == UPDATE) {
            insert(&model->due, model->due.count, item);
        }
    }
}

/* Of those with the same letter the last one. */
static void
start_timeouts(struct model *model)
{
    for (size_t i = 0; i < model->asked.count; i++) {
        struct row rest = {0};
        for (size_t j = i + 1; j < model->asked.count; j++) {
            insert(&rest, rest.count, model->asked.item[j]);
        }
        if (find(&rest, model->asked.item[i].what) == rest.count) {
            start_timeout(model, model->asked.item[i], model->when[i]);
        }
    }
    model->asked.count = 0;
}

static void
enter(struct model *model, unsigned old)
{
    struct script script;
    do {
        script = next_of_enter(&model->run, model->state, old);
        ask_for_timeouts(model, &script);
    } while (script.move == REPEAT);
}

static void
handle(struct model *model, struct item event)
{
    unsigned old = model->state, inserted = 0;
    struct item insertion[2];
    struct script script = next_of_event(&model->run, event.what, event.id, old);
    for (; inserted < script.inserts; inserted++) {
        insertion[inserted] = (struct item){'i', model->run.made++};
    }
    ask_for_timeouts(model, &script);
    if (script.move == GO) {
        model->state = script.to;
    }
    if (model->state != old || script.move == REPEAT) {
        enter(model, old);
    }
    if (script.postpone) {
        insert(&model->postponed, model->postponed.count, event);
    }
    if (model->state != old) {
        end(model, 's');
        while (model->postponed.count > 0) {
            insert(&model->next, 0, take(&model->postponed, model->postponed.count - 1));
        }
    }
    end(model, 'e');
    start_timeouts(model);
    while (inserted > 0) {
        insert(&model->next, 0, insertion[--inserted]);
    }
}

static void
run_model(struct model *model)
{
    enter(model, model->state);
    start_timeouts(model);
    for (unsigned sent = 0;;) {
        if (model->next.count > 0) {
            handle(model, take(&model->next, 0));
        } else if (model->due.count > 0) {
            handle(model, take(&model->due, 0));
        } else if (sent < SENT) {
            handle(model, (struct item){'c', sent++});
        } else {
            return;
        }
    }
}

/* ---------------------------------------------------------------- the machine */

enum {
    EVENT = 1,
    STOP,
};

static const cop_state states[STATES];

static unsigned
number_of(const cop_state *state)
{
    return (unsigned)(state - states);
}

static void
set_timeout(char which, cop_time after, cop_msg content)
{
    const char name[] = {which, '\0'};
    int r = which == 's'   ? cop_statem_state_timeout(after, content)
            : which == 'e' ? cop_statem_event_timeout(after, content)
                           : cop_statem_timeout(name, after, content);
    ck_assert_int_eq(r, 0);
}

static cop_transition
act(struct run *run, const struct script *script)
{
    static const cop_time times[] = {
        [AT_ONCE] = 0,
        [LATER] = COP_SEC(1000),
        [FOR_EVER] = COP_FOREVER,
        [UPDATE] = COP_STATEM_UPDATE,
    };
    if (script->postpone) {
        cop_statem_postpone();
    }
    for (unsigned i = 0; i < script->inserts; i++) {
        unsigned id = run->made++;
        cop_statem_next_event(COP_MSG_OF(EVENT, id));
    }
    for (unsigned i = 0; i < script->timeouts; i++) {
        unsigned id = run->made++;
        set_timeout(script->timeout[i].which, times[script->timeout[i].when],
                    COP_MSG_OF(EVENT, id));
    }
    return script->move == STAY ? cop_statem_keep_state()
           : script->move == GO ? cop_statem_next_state(&states[script->to])
                                : cop_statem_repeat_state();
}

static char
letter_of(const cop_statem_event *event)
{
    switch (event->kind) {
    case COP_STATEM_CAST:
        return 'c';
    case COP_STATEM_INTERNAL:
        return 'i';
    case COP_STATEM_STATE_TIMEOUT:
        return 's';
    case COP_STATEM_EVENT_TIMEOUT:
        return 'e';
    case COP_STATEM_TIMEOUT:
        return event->name[0];
    default:
        return '?';
    }
}

static cop_transition
handle_in(unsigned state, void *data, const cop_statem_event *event)
{
    struct run *run = *(struct run **)data;
    if (event->msg.tag == STOP) {
        return cop_statem_stop(COP_REASON_NORMAL);
    }
    unsigned id = *COP_BODY(event->msg, unsigned);
    struct script script = next_of_event(run, letter_of(event), id, state);
    return act(run, &script);
}

static cop_transition
enter_in(unsigned state, void *data, const cop_state *old)
{
    struct run *run = *(struct run **)data;
    struct script script = next_of_enter(run, state, number_of(old));
    return act(run, &script);
}

#define FUNCTIONS(n)                                                         \
 static cop_transition handle_##n(void *data, const cop_statem_event *event) \
 {                                                                           \
  return handle_in(n, data, event);                                          \
 }                                                                           \
 static cop_transition enter_##n(void *data, const cop_state *old)           \
 {                                                                           \
  return enter_in(n, data, old);                                             \
 }
FUNCTIONS(0)
FUNCTIONS(1)
FUNCTIONS(2)

static const cop_state states[STATES] = {
    {"0", handle_0, enter_0, {NULL}},
    {"1", handle_1, enter_1, {NULL}},
    {"2", handle_2, enter_2, {NULL}},
};

static cop_transition
init(void *data, cop_bytes arg)
{
    memcpy(data, arg.data, arg.size);
    return cop_statem_keep_state();
}

static const cop_statem machine = {
    .data_size = sizeof(struct run *),
    .initial = &states[0],
    .init = init,
};

static void
run_machine(struct run *run)
{
    cop_pid pid;
    cop_ref ended;
    ck_assert_int_eq(cop_statem_start(&pid, &machine, .arg = COP_BYTES(run), .monitor = &ended), 0);
    for (unsigned id = 0; id < SENT; id++) {
        ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(EVENT, id)), 0);
    }
    ck_assert_int_eq(cop_cast(pid, COP_TAG(STOP)), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- the tests */

static bool
is_same(const struct line *a, const struct line *b)
{
    return a->what == b->what && a->state == b->state && a->subject == b->subject;
}

static void
compare(const struct run *run, const struct run *model)
{
    size_t same = 0;
    while (same < run->lines && same < model->lines
           && is_same(&run->line[same], &model->line[same])) {
        same++;
    }
    const struct line *is = &run->line[same], *should = &model->line[same];
    ck_assert_msg(same == run->lines || same == model->lines,
                  "seed %u, line %zu: %c %u in %u, and not %c %u in %u", run->seed, same, is->what,
                  is->subject, is->state, should->what, should->subject, should->state);
    ck_assert_uint_eq(run->lines, model->lines);
}

TEST_TIMES(40, a_machine_handles_events_in_the_order_of_the_rules)
{
    static struct run run;
    static struct model model;
    size_t lines = 0;
    for (uint32_t seed = (uint32_t)_i * SEEDS; seed < (uint32_t)(_i + 1) * SEEDS; seed++) {
        memset(&run, 0, sizeof run);
        memset(&model, 0, sizeof model);
        run.seed = model.run.seed = seed;
        run.made = model.run.made = SENT;
        run_model(&model);
        run_machine(&run);
        compare(&run, &model.run);
        lines += run.lines;
    }
    ck_assert_uint_gt(lines, SEEDS * (size_t)SENT * 2); /* or the scripts do too little */
}

SUITE("statem_model")
