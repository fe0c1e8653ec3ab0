/*
 * tests/fuzz/fuzz_settings.c - what the environment and cop_configure say.
 *
 * Room: tests/. With activation.c inside: it reads its variables once, and is to read them each time.
 *
 * Lines of `xVALUE`, where x says which variable it is for; the last byte is what the program asks for. A value
 * `$` is the program's own pid. Whatever they are, the settings are of those that there are.
 */
#include "runtime/log.h"
#include "runtime/recorder_file.h"
#include "supervisor/activation.c" /* NOLINT(bugprone-suspicious-include) */
#include "supervisor/manager.h"
#include "tests/fuzz/fuzz.h"

#include <coppice.h>

#include <sys/mman.h>
#include <sys/stat.h>

static const char *const names[] = {
    "LISTEN_PID",  "LISTEN_FDS",     "LISTEN_FDNAMES", "COPPICE_RECORDER", "COPPICE_TRACK",
    "COPPICE_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET",  "WATCHDOG_USEC",    "WATCHDOG_PID",
};
enum {
    NAMES = sizeof names / sizeof *names
};

static void
set(const char *line)
{
    char own[sizeof "-2147483648"];
    const char *value = line[0] ? line + 1 : "";
    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    setenv(names[(unsigned char)line[0] % NAMES], strcmp(value, "$") == 0 ? own : value, 1);
}

static void
configure(uint8_t wish)
{
    const cop_config config = {
        .size = sizeof config,
        .log_level = (cop_log_level)(wish % (COP_LOG_DEBUG + 1)),
        .log_json = wish & 0x80,
        .log_limit = wish & 0x40 ? COP_LOG_NO_LIMIT : wish & 0x30,
    };
    copi_log_configure(&config);
    cop_log_level level = cop_log_set_level(COP_LOG_EMERGENCY);
    HOLDS(level >= COP_LOG_EMERGENCY && level <= COP_LOG_DEBUG);
}

static void
attend(void)
{
    copi_manager_open();
    cop_time due = copi_manager_attend();
    HOLDS(due >= 0);
    copi_manager_close();
}

static char folder[] = "/dev/shm/coppice-fuzz-XXXXXX";

static void
remove_folder(void)
{
    rmdir(folder);
}

/* There is a recorder's file of the size that it should have, or nothing. */
static void
record(void)
{
    const char *value = getenv("COPPICE_RECORDER");
    char path[8192], last[sizeof path + 8];
    struct copi_recorder_file file;
    struct stat status;
    if (!value) {
        return;
    }
    int begin = snprintf(path, sizeof path, "%s/", folder);
    (void)snprintf(path + begin, sizeof path - (size_t)begin, "%s", value);
    for (char *at = path + begin; *at; at++) {
        *at = (char)(*at == '/' ? '_' : *at); /* else it would be anywhere */
    }
    int r = copi_recorder_file_make(path, 1, 16, &file);
    if (r == 0) {
        HOLDS(stat(path, &status) == 0 && (size_t)status.st_size == file.size);
        HOLDS(munmap(file.head, file.size) == 0);
        (void)snprintf(last, sizeof last, "%s.last", path);
        unlink(last);
        unlink(path);
    }
    HOLDS(access(folder, F_OK) == 0
          && (r == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode)));
}

/* Each descriptor is given to one, and none to who asks for another name. */
static void
take_descriptors(void)
{
    int fd, before = FIRST - 1;
    activation.was_read = false;
    memset(activation.is_taken, 0, sizeof activation.is_taken);
    if (cop_activated_fd("http", &fd) == 0) {
        const char *fd_names = getenv("LISTEN_FDNAMES");
        HOLDS(fd_names && strstr(fd_names, "http"));
        HOLDS(fd >= FIRST && fd < FIRST + MOST && activation.is_taken[fd - FIRST]);
    }
    while (cop_activated_fd(NULL, &fd) == 0) {
        HOLDS(fd > before && fd < FIRST + MOST && fcntl(fd, F_GETFD) & FD_CLOEXEC);
        before = fd;
    }
    HOLDS(cop_activated_fd("http", &fd) == -ENOENT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool has_begun;
    struct input input = {data, size};
    if (!has_begun) {
        has_begun = true;
        HOLDS(mkdtemp(folder) && atexit(remove_folder) == 0);
    }
    uint8_t wish = size ? data[size - 1] : 0;
    input.size -= size > 0;
    while (input.size > 0) {
        char *line = take_line(&input);
        set(line);
        free(line);
    }
    configure(wish);
    attend();
    record();
    take_descriptors();
    for (size_t i = 0; i < NAMES; i++) {
        unsetenv(names[i]);
    }
    return 0;
}
