/*
 * tests/conformance/cast.c - who plays.
 *
 * Room: tests/. Any thread.
 */
#include "tests/conformance/cast.h"

#include "tests/conformance/text.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct label **labels;
static size_t label_count;
static struct player **players;
static size_t player_count;

void
cast_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void
cast_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

void
cast_wait_locked(void)
{
    (void)pthread_cond_wait(&changed, &lock);
}

void
cast_changed_locked(void)
{
    (void)pthread_cond_broadcast(&changed);
}

/* ---------------------------------------------------------------- with the lock held */

struct label *
label_of_locked(const char *name)
{
    for (size_t i = 0; i < label_count; i++) {
        if (same(labels[i]->name, name)) {
            return labels[i];
        }
    }
    struct label *label = room_for_one_more(NULL, 0, sizeof *label);
    *label = (struct label){.name = text_copy(name)};
    labels = room_for_one_more(labels, label_count, sizeof *labels);
    return labels[label_count++] = label;
}

/* Ends of old processes are rare, so the search begins with the newest. */
struct player *
player_of_locked(cop_pid pid)
{
    for (size_t i = player_count; i-- > 0;) {
        if (cop_pid_eq(players[i]->pid, pid)) {
            return players[i];
        }
    }
    return NULL;
}

struct player *
newest_locked(const char *name)
{
    struct player *newest_one = NULL;
    for (size_t i = 0; i < player_count; i++) {
        struct player *it = players[i];
        if (it->is_alive && same(it->label->name, name)
            && (!newest_one || it->number > newest_one->number)) {
            newest_one = it;
        }
    }
    return newest_one;
}

size_t
player_count_locked(void)
{
    return player_count;
}

struct player *
player_at_locked(size_t i)
{
    return players[i];
}

void
see_to_it_locked(struct player *supervisor)
{
    if (supervisor->early == RESTART_OWED) {
        supervisor->early = NOTHING_EARLY;
        cast_changed_locked();
    }
}

void
tell_children_locked(cop_pid parent)
{
    for (size_t i = 0; i < player_count; i++) {
        players[i]->told += cop_pid_eq(players[i]->parent, parent);
    }
}

struct player *
player_add_locked(struct player player)
{
    struct player *kept = room_for_one_more(NULL, 0, sizeof *kept);
    *kept = player;
    players = room_for_one_more(players, player_count, sizeof *players);
    players[player_count++] = kept;
    kept->is_alive = true;
    kept->label->last = kept;
    return kept;
}

/* ---------------------------------------------------------------- without it */

struct player *
newest(const char *name)
{
    cast_lock();
    struct player *it = newest_locked(name);
    cast_unlock();
    return it;
}

char *
shown(cop_pid pid)
{
    if (cop_pid_eq(pid, COP_NOBODY)) {
        return text_copy("undefined");
    }
    cast_lock();
    const struct player *it = player_of_locked(pid);
    char *text = it ? text_format("%s#%u", it->label->name, it->number) : text_copy("unknown");
    cast_unlock();
    return text;
}
