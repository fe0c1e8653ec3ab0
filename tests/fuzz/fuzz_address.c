/*
 * tests/fuzz/fuzz_address.c - pids and addresses as people write them, and addresses as the system has them.
 *
 * Room: tests/.
 *
 * The first byte says which. What was read must be readable again from what is said of it.
 */
#include "actors/address.h"
#include "tests/fuzz/fuzz.h"

#include <coppice.h>

#include <errno.h>
#include <netinet/in.h>

static void
check_pid(const char *text)
{
    cop_pid pid = {42}, again;
    char words[COP_PID_TEXT];
    if (cop_pid_parse(text, &pid)) {
        HOLDS(pid.id == 42);
        return;
    }
    HOLDS(strlen(cop_pid_text(pid, words)) < COP_PID_TEXT);
    HOLDS(cop_pid_parse(words, &again) == 0 && again.id == pid.id);
}

enum {
    TEXT = 256
};

static int
check_one(const struct sockaddr *address, socklen_t size, void *unused)
{
    char text[TEXT];
    (void)unused;
    HOLDS(size > 0 && size <= sizeof(struct sockaddr_storage));
    int r = copi_address_text(address, size, text, sizeof text);
    HOLDS(r == 0 && strlen(text) > 0);
    struct copi_addresses again;
    HOLDS(copi_addresses_find(&again, text, false) == 0);
    copi_addresses_free(&again);
    return 0;
}

/* Of names only those that nobody has to be asked for. */
static void
check_text(const char *text)
{
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    bool is_asked_for = !is_unix && text[strspn(text, "0123456789.:[]abcdef")] != '\0';
    bool is_service = text[strspn(text, "0123456789.:[]")] != '\0' && !strchr(text, '[');
    struct copi_addresses addresses;
    if (is_unix || !(is_asked_for || is_service)) {
        if (copi_addresses_find(&addresses, text, true) == 0) {
            copi_addresses_try(&addresses, check_one, NULL);
            copi_addresses_free(&addresses);
        }
    }
}

/* As getpeername() leaves it: a Unix socket's name may fill all of its room without a terminator, and the size
 * may count one that is not there. */
static void
check_system(struct input input)
{
    static const sa_family_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_UNSPEC};
    struct sockaddr_storage storage = {0};
    char text[TEXT];
    sa_family_t family = families[take_number(&input, 1) % 4];
    size_t room = take_number(&input, 1);
    size_t most = family == AF_UNIX ? sizeof(struct sockaddr_un) - 2 : sizeof storage - 2;
    size_t size = input.size < most ? input.size : most;
    storage.ss_family = family;
    memcpy((char *)&storage + sizeof family, input.at, size);
    socklen_t told = (socklen_t)(sizeof family + size + (family == AF_UNIX && size == most));
    int r = copi_address_text((struct sockaddr *)&storage, told, text, room < TEXT ? room : TEXT);
    HOLDS(r == 0 || r == -ENOSPC || r == -EAFNOSUPPORT);
    HOLDS(r != 0 || strlen(text) < room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint64_t which = take_number(&input, 1) % 3;
    if (which == 2) {
        check_system(input);
        return 0;
    }
    char *text = take_rest(&input);
    (which ? check_text : check_pid)(text);
    free(text);
    return 0;
}
