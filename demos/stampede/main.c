/*
 * demos/stampede/main.c - fifty programs want the same report at once, and one of them computes it.
 *
 * Room: demos/.
 *
 *     stampede --+-- redis-server   a command in the tree: it ends with it
 *                `-- 50 x stampede --ask   ports; each with a tree of its own, which has a connection in it
 *
 * Look at the second act: the one that computes is killed with -9 in the middle of it. Nobody is told, since the dead tell
 * nobody; the lock's time runs out, and one of those who wait takes over.
 *
 * Redis is started for this, in a folder of its own, and nothing is left of it.
 */
#include "demos/stampede/asker.h"
#include "demos/stampede/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place {
    char folder[40], socket[64], address[80];
};

static struct crowd crowd;

/* ---------------------------------------------------------------- a Redis for this */

static int
make_place(struct place *place)
{
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/stampede.XXXXXX");
    if (!mkdtemp(place->folder)) {
        return -errno;
    }
    (void)snprintf(place->socket, sizeof place->socket, "%s/socket", place->folder);
    (void)snprintf(place->address, sizeof place->address, "unix:%s", place->socket);
    return 0;
}

static void
remove_place(const struct place *place)
{
    (void)unlink(place->socket);
    (void)rmdir(place->folder);
}

static int
start_redis(cop_pid *tree, const struct place *place)
{
    const char *const redis[] = {
        "redis-server", "--port", "0",     "--unixsocket", place->socket, "--save",    "",
        "--appendonly", "no",     "--dir", place->folder,  "--logfile",   "/dev/null", NULL};
    return cop_supervisor_start(tree, &(cop_supervisor_spec){
                                          COP_CHILDREN({.id = "redis", .command = redis})});
}

/* Until it listens; or the tree has given it up, as there is no such program. */
static bool
is_there(cop_pid tree, const struct place *place)
{
    cop_time until = cop_now() + COP_SEC(10);
    while (access(place->socket, F_OK) != 0) {
        if (!cop_alive(tree) || cop_now() > until || cop_sleep(COP_MS(5)) != 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- the acts */

static long
ms_since(cop_time when)
{
    return (long)((cop_now() - when) / COP_MS(1));
}

/* Whether it went as it should. */
static bool
play(const char *what, size_t programs, const char *address, const char *report, unsigned kills,
     unsigned expected)
{
    cop_time begun = cop_now();
    printf("%s\n", what);
    int r = crowd_begin(&crowd, programs, address, report);
    if (r) {
        printf("  only %zu programs: %s\n", crowd.living, cop_strerror(r));
    }
    crowd_hear(&crowd, kills);
    printf("  %u computed", crowd.computed);
    if (kills > 0) {
        printf(", %u of them killed in the middle", crowd.killed);
    }
    printf("; %u got %s%s, after %ld ms\n", crowd.got, crowd.answer,
           crowd.differ ? " OR ANOTHER" : "", ms_since(begun));
    return r == 0 && crowd.computed == expected && !crowd.differ && crowd.failed == 0
           && crowd.got == programs - kills;
}

static bool
play_all(size_t programs, const char *address)
{
    bool is_fine = play("All ask at once:", programs, address, "monday", 0, 1);
    is_fine = play("They ask again:", programs, address, "monday", 0, 0) && is_fine;
    return play("Another report, and whoever computes it is killed:", programs, address, "tuesday",
                1, 2)
           && is_fine;
}

static int
run(size_t programs)
{
    struct place place = {0};
    cop_pid tree;
    int r = make_place(&place);
    r = r ? r : start_redis(&tree, &place);
    if (r) {
        (void)fprintf(stderr, "stampede: %s\n", cop_strerror(r));
        return 1;
    }
    bool has_server = is_there(tree, &place);
    bool is_fine = has_server && play_all(programs, place.address);
    (void)cop_supervisor_stop(tree, COP_SEC(5));
    remove_place(&place);
    if (!has_server) {
        (void)fprintf(stderr, "stampede: redis-server does not come up\n");
        return 1;
    }
    printf("%s\n", is_fine ? "One computed for all." : "That is not how it should be.");
    return is_fine && cop_shutdown(COP_SEC(5)) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--ask") == 0) {
        return ask(argv[2], argv[3]);
    }
    char *end = NULL;
    long programs = argc > 1 ? strtol(argv[1], &end, 10) : 50;
    if (argc > 2 || (end && *end) || programs < 2 || programs > CROWD_MOST) {
        (void)fprintf(stderr, "usage: stampede [PROGRAMS]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run((size_t)programs);
}
