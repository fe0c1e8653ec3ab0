/*
 * tests/support/server.c - a Redis or a PostgreSQL of a suite's own.
 *
 * Room: tests/.
 *
 * Between the suite and its server stands a keeper, a process that has the server as its child and takes orders
 * through a socket, one at a time. For tests are processes of their own: one that restarts the server could not
 * be its parent for longer than it lives itself, and one that crashes could not end it.
 *
 *   the suite ends, or is killed      every copy of the socket is closed: the keeper reads its end, kills the
 *                                     server, waits for the last of its processes and removes the folder. It has
 *                                     a session of its own, so that whoever kills the suite's group does not
 *                                     prevent that
 *   the keeper is killed              the server dies by its parent-death signal
 *   the server forks (PostgreSQL)     the keeper is the reaper of what becomes an orphan, so "gone" is when
 *                                     it has no children any more
 *
 * PostgreSQL refuses to be root's: then it runs as `postgres`, or `nobody`, to whom the folder is given.
 * A port that is free when it is looked for may be taken when the server wants it: then another is tried.
 */
#include "tests/support/server.h"

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORDS_MOST = 48,     /* of a command line */
    PATIENCE_MS = 60000, /* for a server to come up or end, on a slow machine */
    /* PostgreSQL waits a minute for who connects while it stops, and says nothing */
    STOP_MS = 2000,
    LOOK_EVERY_US = 5000, /* whether it has */
    PORTS_TRIED = 8
};

enum order {
    START = 's',
    PAUSE = 'p',
    CONTINUE = 'c',
    KILL = 'k',
    STOP = 'q'
};

/* The keeper's. */
struct kept {
    struct server *server;
    const struct kind *kind;
    const char *const *options;
    pid_t pid; /* 0: it does not run */
    bool is_paused;
};

struct kind {
    const char *program;
    int stop_signal;
    bool not_root;
    void (*prepare)(struct kept *kept); /* once, before the first start */
    void (*describe)(struct server *server);
    void (*command)(struct kept *kept, char **words);
    bool (*answers)(const struct kept *kept);
    void (*clean)(const struct kept *kept); /* what is not in its folder */
};

/* ---------------------------------------------------------------- words and folders */

__attribute__((format(printf, 1, 2))) static char *
word(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? abort(), NULL : text;
}

static void
add(char **words, char *more)
{
    size_t count = 0;
    while (words[count]) {
        count++;
    }
    if (count + 1 == WORDS_MOST) {
        abort();
    }
    words[count] = more;
    words[count + 1] = NULL;
}

/* Debian keeps a server's programs out of PATH, in a folder for each version. */
static char *
path_of(const char *program)
{
    glob_t found;
    char *pattern = word("/usr/lib/postgresql/*/bin/%s", program);
    char *path = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) { /* NOLINT(concurrency-mt-unsafe): one thread */
        path = strdup(found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    }
    free(pattern);
    return path ? path : strdup(program);
}

static const struct passwd *
somebody_else(void)
{
    const struct passwd *user =
        getpwnam("postgres");                /* NOLINT(concurrency-mt-unsafe): one thread */
    return user ? user : getpwnam("nobody"); /* NOLINT(concurrency-mt-unsafe) */
}

/* In the child, before it becomes the server. */
static void
stop_being_root(void)
{
    const struct passwd *user = somebody_else();
    if (getuid() == 0
        && (!user || initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid)
            || setuid(user->pw_uid))) {
        _exit(126);
    }
}

/* ---------------------------------------------------------------- the keeper's children */

/* What the child is: its words leak, and it is another program in a moment. */
_Noreturn static void
become(const struct kept *kept, char **words)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *path = word("%s/log", kept->server->folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND,
                   0666); /* NOLINT: no variable argument is unsafe here */
    int nothing = open("/dev/null", O_RDONLY);
    if (log < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(126);
    }
    if (kept->kind->not_root) {
        stop_being_root();
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* last, as another user would not have it any more */
    if (chdir(kept->server->folder) == 0) {
        execvp(words[0], words);
    }
    _exit(127);
}

static pid_t
run(const struct kept *kept, char **words)
{
    pid_t pid = fork();
    if (pid == 0) {
        become(kept, words);
    }
    for (size_t i = 0; words[i]; i++) {
        free(words[i]);
    }
    return pid;
}

static bool
succeeds(const struct kept *kept, char **words)
{
    int status;
    pid_t pid = run(kept, words);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)
           && WEXITSTATUS(status) == 0;
}

/* The whole server: PostgreSQL's first process and its children. A parent that stands still gets no more of them. */
static void
signal_all(pid_t pid, int number)
{
    char path[64];
    char child[16];
    siginfo_t unused;
    if (number != SIGCONT) {
        kill(pid, SIGSTOP);
        waitid(P_PID, (id_t)pid, &unused, WSTOPPED | WEXITED | WNOWAIT);
    }
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *children = fopen(path, "re");
    while (children && fscanf(children, "%15s", child) == 1) {
        kill((pid_t)strtol(child, NULL, 10), number);
    }
    if (children) {
        (void)fclose(children);
    }
    kill(pid, number);
}

/* Everything that was the server, orphans too. */
static bool
wait_for_all(struct kept *kept, unsigned patience_ms)
{
    for (unsigned waited = 0; waited < patience_ms * 1000U; waited += LOOK_EVERY_US) {
        pid_t gone;
        while ((gone = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        if (gone < 0) {
            kept->pid = 0;
            kept->is_paused = false;
            return true;
        }
        usleep(LOOK_EVERY_US);
    }
    return false;
}

/* ---------------------------------------------------------------- the kinds */

static unsigned
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0
                    && getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    close(fd);
    return is_bound ? ntohs(address.sin_port) : 0;
}

static void
describe_redis(struct server *server)
{
    (void)snprintf(server->socket, sizeof server->socket, "%.50s/socket", server->folder);
    (void)snprintf(server->url, sizeof server->url, "unix:%s", server->socket);
}

static void
command_redis(struct kept *kept, char **words)
{
    const struct server *server = kept->server;
    add(words, strdup("redis-server"));
    add(words, word("--port"));
    add(words, word("%u", server->port));
    add(words, word("--bind"));
    add(words, word("127.0.0.1"));
    add(words, word("--unixsocket"));
    add(words, word("%s", server->socket));
    add(words, word("--dir"));
    add(words, word("%s", server->folder));
    add(words, word("--save"));
    add(words, strdup(""));
}

/* Whether it says PONG, and not that it still loads. */
static bool
redis_answers(const struct kept *kept)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[5] = "";
    memcpy(address.sun_path, kept->server->socket, sizeof kept->server->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_up = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
                 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6
                 && recv(fd, answer, 5, MSG_WAITALL) == 5 && memcmp(answer, "+PONG", 5) == 0;
    close(fd);
    return is_up;
}

static void
describe_postgres(struct server *server)
{
    (void)snprintf(server->socket, sizeof server->socket, "%s", server->folder);
    (void)snprintf(server->url, sizeof server->url, "host=%s port=%u user=postgres dbname=postgres",
                   server->socket, server->port);
}

/* A second or more: once. */
static void
prepare_postgres(struct kept *kept)
{
    char *words[WORDS_MOST] = {NULL};
    const struct passwd *user = somebody_else();
    if (getuid() == 0 && (!user || chown(kept->server->folder, user->pw_uid, user->pw_gid) != 0)) {
        return;
    }
    add(words, path_of("initdb"));
    add(words, word("--no-sync"));
    add(words, word("--auth=trust"));
    add(words, word("--encoding=UTF8"));
    add(words, word("--locale=C"));
    add(words, word("--username=postgres"));
    add(words, word("--pgdata=%s/data", kept->server->folder));
    if (!succeeds(kept, words)) {
        (void)fprintf(stderr, "initdb failed\n");
    }
}

static void
command_postgres(struct kept *kept, char **words)
{
    const struct server *server = kept->server;
    add(words, path_of("postgres"));
    add(words, word("-D"));
    add(words, word("%s/data", server->folder));
    add(words, word("-p"));
    add(words, word("%u", server->port));
    add(words, word("-c"));
    add(words, word("listen_addresses=127.0.0.1"));
    add(words, word("-c"));
    add(words, word("unix_socket_directories=%s", server->folder));
    add(words, word("-c"));
    add(words, word("fsync=off"));
    add(words, word("-c"));
    add(words, word("shared_buffers=16MB"));
}

/* The file in which it says who runs: its number, and seven lines later that it is ready. */
static bool
read_line(const struct server *server, int wanted, char *line, int size)
{
    char *path = word("%s/data/postmaster.pid", server->folder);
    FILE *file = fopen(path, "re");
    bool is_there = file;
    free(path);
    for (int i = 0; is_there && i < wanted; i++) {
        is_there = fgets(line, size, file);
    }
    if (file) {
        (void)fclose(file);
    }
    return is_there;
}

static bool
postgres_answers(const struct kept *kept)
{
    char line[256];
    return read_line(kept->server, 1, line, sizeof line) && strtol(line, NULL, 10) == kept->pid
           && read_line(kept->server, 8, line, sizeof line) && strncmp(line, "ready", 5) == 0;
}

/* One that was killed leaves a segment, by which another would know that it still runs. */
static void
clean_postgres(const struct kept *kept)
{
    char line[256], *number;
    if (read_line(kept->server, 7, line, sizeof line)) {
        strtol(line, &number, 10); /* its key */
        shmctl((int)strtol(number, NULL, 10), IPC_RMID, NULL);
    }
}

static const struct kind redis_kind = {
    .program = "redis-server",
    .stop_signal = SIGTERM,
    .describe = describe_redis,
    .command = command_redis,
    .answers = redis_answers,
};

static const struct kind postgres_kind = {
    .program = "postgres",
    .stop_signal = SIGINT, /* "fast": waits for nobody's transaction */
    .not_root = true,
    .prepare = prepare_postgres,
    .describe = describe_postgres,
    .command = command_postgres,
    .answers = postgres_answers,
    .clean = clean_postgres,
};

/* ---------------------------------------------------------------- the keeper */

static bool obey(struct kept *kept, enum order order);

/* It may have ended by itself. */
static bool
is_running(struct kept *kept)
{
    siginfo_t info = {.si_pid = 0};
    if (kept->pid && waitid(P_PID, (id_t)kept->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid) {
        wait_for_all(kept, PATIENCE_MS);
    }
    return kept->pid != 0;
}

static bool
comes_up(struct kept *kept)
{
    char *words[WORDS_MOST] = {NULL};
    kept->kind->command(kept, words);
    for (const char *const *option = kept->options; option && *option; option++) {
        add(words, strdup(*option));
    }
    kept->pid = run(kept, words);
    for (unsigned waited = 0; waited < PATIENCE_MS * 1000U && is_running(kept);
         waited += LOOK_EVERY_US) {
        if (kept->kind->answers(kept)) {
            return true;
        }
        usleep(LOOK_EVERY_US);
    }
    obey(kept, KILL);
    return false;
}

static bool
obey(struct kept *kept, enum order order)
{
    if (!is_running(kept)) {
        return order == START ? comes_up(kept) : order == KILL || order == STOP;
    }
    switch (order) {
    case START:
    case CONTINUE:
        signal_all(kept->pid, SIGCONT);
        kept->is_paused = false;
        return true;
    case PAUSE:
        signal_all(kept->pid, SIGSTOP);
        kept->is_paused = true;
        return true;
    case KILL:
        signal_all(kept->pid, SIGKILL);
        return wait_for_all(kept, PATIENCE_MS);
    case STOP:
        if (kept->is_paused) {
            signal_all(kept->pid, SIGCONT);
        }
        kill(kept->pid, kept->kind->stop_signal);
        return wait_for_all(kept, STOP_MS) || obey(kept, KILL);
    }
    return false;
}

static void
remove_everything(struct kept *kept)
{
    if (kept->kind->clean) {
        kept->kind->clean(kept);
    }
    static const struct kind as_we_are = {.program = "rm"};
    struct kept remover = {.server = kept->server, .kind = &as_we_are};
    char *words[WORDS_MOST] = {NULL};
    add(words, word("rm"));
    add(words, word("-rf"));
    add(words, word("%s", kept->server->folder));
    succeeds(&remover, words);
}

/* The first start: whatever is left of the time, on a port that nobody has. */
static bool
begin(struct kept *kept)
{
    if (kept->kind->prepare) {
        kept->kind->prepare(kept);
    }
    for (int i = 0; i < PORTS_TRIED; i++) {
        kept->server->port = free_port();
        kept->kind->describe(kept->server);
        if (comes_up(kept)) {
            return true;
        }
    }
    return false;
}

_Noreturn static void
keep(struct kept *kept, int orders)
{
    char order;
    if (!begin(kept)) {
        kept->server->port = 0;
    }
    send(orders, kept->server, sizeof *kept->server, MSG_NOSIGNAL);
    while (recv(orders, &order, 1, 0) == 1) {
        bool is_done = obey(kept, (enum order)order);
        send(orders, &is_done, sizeof is_done, MSG_NOSIGNAL);
    }
    obey(kept, KILL);
    remove_everything(kept);
    _exit(0);
}

/* In a session of its own, with nothing of the suite's but its end of the socket. */
_Noreturn static void
become_keeper(struct kept *kept, int orders)
{
    sigset_t all;
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "server's keeper");
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGCHLD, SIG_DFL);
    if (dup2(orders, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0 || close_range(4, ~0U, 0) < 0) {
        _exit(126);
    }
    keep(kept, 3);
}

/* ---------------------------------------------------------------- the suite's side */

static void
show_log(const struct server *server)
{
    char line[512];
    char *path = word("%s/log", server->folder);
    FILE *log = fopen(path, "re");
    free(path);
    while (log && fgets(line, sizeof line, log)) {
        (void)fputs(line, stderr);
    }
    if (log) {
        (void)fclose(log);
    }
}

static void
begin_server(struct server *server, const struct kind *kind, const char *const *options)
{
    int ends[2];
    *server = (struct server){.folder = "/tmp/coppice-server-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        become_keeper(&(struct kept){.server = server, .kind = kind, .options = options}, ends[1]);
    }
    close(ends[1]);
    struct server told;
    bool is_told = recv(ends[0], &told, sizeof told, 0) == sizeof told;
    *server = is_told ? told : *server;
    server->keeper = ends[0];
    server->keeper_pid = pid;
    if (!is_told || server->port == 0) {
        show_log(server);
        server_end(server);
        ck_abort_msg("%s does not come up", kind->program);
    }
}

void
server_redis(struct server *server, const char *const *options)
{
    begin_server(server, &redis_kind, options);
}

void
server_postgres(struct server *server, const char *const *options)
{
    begin_server(server, &postgres_kind, options);
}

void
server_end(struct server *server)
{
    if (server->keeper_pid) {
        close(server->keeper);
        waitpid(server->keeper_pid, NULL, 0);
        *server = (struct server){.keeper = -1};
    }
}

static void
ask(struct server *server, enum order order)
{
    bool is_done = false;
    char word = (char)order;
    ck_assert_int_eq(send(server->keeper, &word, 1, MSG_NOSIGNAL), 1);
    ck_assert_int_eq(recv(server->keeper, &is_done, sizeof is_done, 0), sizeof is_done);
    if (!is_done) {
        show_log(server);
        ck_abort_msg("the server's keeper could not '%c'", word);
    }
}

void
server_start(struct server *server)
{
    ask(server, START);
}

void
server_pause(struct server *server)
{
    ask(server, PAUSE);
}

void
server_continue(struct server *server)
{
    ask(server, CONTINUE);
}

void
server_kill(struct server *server)
{
    ask(server, KILL);
}

void
server_stop(struct server *server)
{
    ask(server, STOP);
}

void
server_restart(struct server *server)
{
    ask(server, STOP);
    ask(server, START);
}
