/*
 * tests/fuzz/fuzz_settings.c - what the environment and cop_configure say.
 *
 * Room: tests/.
 *
 * Lines of `xVALUE`, where x says which variable it is for; the last byte is what the program asks for. Whatever
 * they are, the settings are of those that there are.
 */
#include "runtime/log.h"
#include "supervisor/manager.h"
#include "tests/fuzz/fuzz.h"

#include <coppice.h>

static const char *const names[] = {
    "COPPICE_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
};
enum {
    NAMES = sizeof names / sizeof *names
};

static void
set(const char *line)
{
    setenv(names[(unsigned char)line[0] % NAMES], line[0] ? line + 1 : "", 1);
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t wish = size ? data[size - 1] : 0;
    input.size -= size > 0;
    while (input.size > 0) {
        char *line = take_line(&input);
        set(line);
        free(line);
    }
    configure(wish);
    attend();
    for (size_t i = 0; i < NAMES; i++) {
        unsetenv(names[i]);
    }
    return 0;
}
