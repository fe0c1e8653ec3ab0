/*
 * demos/chaos/monkey.c - who does harm, and looks how it heals.
 *
 * Room: demos/. Runs in the monkey's process.
 *
 * What it does and to whom is decided by the seed alone, so a class can see the same twice. A deed has healed
 * when everybody answers again who should: those that the strategy restarts as new processes, since the old
 * ones may still answer while their supervisor is on its way to them.
 */
#include "demos/chaos/monkey.h"

#include "demos/chaos/dice.h"
#include "demos/chaos/view.h"

#define FLOOD      5000 /* messages */
#define GIVE_UP    COP_SEC(30)
#define LOOK_AGAIN COP_US(200)

struct monkey {
    const struct monkey_orders *orders;
    struct tally *tally;
    struct dice dice;
    cop_pid seen[CELLS]; /* who they were when all was well */
};

/* --- Looking --- */

static void
look(cop_pid pids[CELLS])
{
    for (size_t i = 0; i < CELLS; i++) {
        pids[i] = cop_whereis(cell_names[i]);
    }
}

/* Whether the cell answers, and is another than `old`. -ECANCELED: the monkey was asked to stop. */
static int
answers(size_t cell, cop_pid old)
{
    cop_pid pid = cop_whereis(cell_names[cell]);
    if (cop_pid_eq(pid, COP_NOBODY) || cop_pid_eq(pid, old)) {
        return -EAGAIN;
    }
    return cop_call(pid, COP_TAG(CELL_PING), NULL, 0, GIVE_UP);
}

static int
await_answer(size_t cell, cop_pid old, cop_time until)
{
    int r = answers(cell, old);
    while (r < 0 && r != -ECANCELED && cop_now() < until) {
        int slept = cop_sleep(LOOK_AGAIN);
        r = slept < 0 ? slept : answers(cell, old);
    }
    return r;
}

/* Until all answer, and those that fall with the victim are new. */
static int
await_healing(struct monkey *m, const struct tally_entry *entry)
{
    cop_time until = cop_now() + GIVE_UP;
    int r = 0;
    for (size_t i = 0; r == 0 && i < CELLS; i++) {
        bool falls =
            entry->deed != DEED_FLOOD && lesson_restarts(m->tally->lesson, entry->victim, i);
        r = await_answer(i, falls ? m->seen[i] : COP_NOBODY, until);
    }
    return r;
}

/* --- Doing harm --- */

static void
flood(struct tally *tally, size_t victim)
{
    for (unsigned i = 0; i < FLOOD; i++) {
        tally->refused += cop_cast(cop_named(cell_names[victim]), COP_TAG(CELL_WORK)) == -EAGAIN;
        tally->sent++;
    }
}

static void
do_harm(struct tally *tally, const struct tally_entry *entry)
{
    cop_pid victim = cop_named(cell_names[entry->victim]);
    switch (entry->deed) {
    case DEED_CRASH:
        (void)cop_cast(victim, COP_TAG(CELL_CRASH));
        break;
    case DEED_HANG:
        (void)cop_cast(victim, COP_TAG(CELL_HANG));
        break;
    case DEED_FLOOD:
        flood(tally, entry->victim);
        break;
    }
}

/* Also who was restarted late after the deed before: then that was no healing, and this one shows it. */
static void
note_restarts(struct monkey *m, struct tally_entry *entry)
{
    cop_pid now[CELLS];
    look(now);
    for (size_t i = 0; i < CELLS; i++) {
        entry->restarted[i] = !cop_pid_eq(now[i], m->seen[i]);
        m->seen[i] = now[i];
    }
}

static int
do_one(struct monkey *m)
{
    struct tally_entry entry = {
        .deed = (enum deed)dice_throw(&m->dice, DEEDS),
        .victim = dice_throw(&m->dice, CELLS),
    };
    cop_time begun = cop_now();
    do_harm(m->tally, &entry);
    int r = await_healing(m, &entry);
    if (r == -ECANCELED) {
        return r;
    }
    entry.has_healed = r == 0;
    entry.healing = cop_now() - begun;
    note_restarts(m, &entry);
    m->tally->entries[m->tally->count++] = entry;
    tally_print_entry(stdout, m->tally->count, &entry);
    if (m->orders->draws) {
        view_draw(stdout, CELL_SUPERVISOR);
    }
    (void)fflush(stdout);
    return cop_sleep(m->orders->pause);
}

static int
start_cells(void)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < CELLS; i++) {
        const cop_child_spec cell = cell_child(i);
        r = cop_supervisor_start_child(cop_named(CELL_SUPERVISOR), &cell, NULL);
    }
    return r;
}

int
monkey_run(cop_bytes arg)
{
    const struct monkey_orders *orders = arg.data;
    struct monkey m = {orders, orders->tally, {orders->seed}, {{0}}};
    int r = m.tally->lesson->strategy == COP_DYNAMIC ? start_cells() : 0;
    look(m.seen);
    for (size_t i = 0; r == 0 && i < orders->deeds; i++) {
        r = do_one(&m);
    }
    return r;
}
