/*
 * tests/actors/test_address.c - addresses of sockets, as text and as the system has them.
 *
 * Room: tests/.
 */
#include "actors/address.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

/* What a name's resolution comes to; 0: as it does. */
static int resolver_says, errno_says;

int real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                     struct addrinfo **out) REAL(getaddrinfo);
int resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
    WRAP(getaddrinfo);
int
resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    errno = errno_says;
    return resolver_says ? resolver_says : real_getaddrinfo(host, port, hints, out);
}

static struct copi_addresses found;

static int
find(const char *text)
{
    return copi_addresses_find(&found, text, true);
}

static int
to_text(const struct sockaddr *address, socklen_t size, void *out)
{
    return copi_address_text(address, size, out, 200);
}

/* Look it up, and say it again. */
static void
is_said_as(const char *text, const char *again)
{
    char out[200];
    ck_assert_int_eq(find(text), 0);
    ck_assert_int_eq(copi_addresses_try(&found, to_text, out), 0);
    ck_assert_str_eq(out, again);
    copi_addresses_free(&found);
    copi_addresses_free(&found); /* twice is safe */
}

TEST(what_is_no_address_is_refused)
{
    static const char *const none[] = {
        NULL,  "",      "localhost", "127.0.0.1", "127.0.0.1:", ":",           "::1:80",
        "[]:", "unix:", "unix:@",    "a:b:80",    "[::1]",      "[::1]80:80:",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_int_eq(find(none[i]), -EINVAL);
        ck_assert_int_eq(cop_why().code, -EINVAL);
    }
}

TEST(a_host_or_port_longer_than_any_is_refused)
{
    char text[2000];
    memset(text, 'a', sizeof text);
    memcpy(text + 1500, ":80", 4);
    ck_assert_int_eq(find(text), -EINVAL);
    memset(text, '8', sizeof text);
    text[1] = ':';
    text[1999] = '\0';
    ck_assert_int_eq(find(text), -EINVAL);
}

TEST(a_name_that_is_not_found_says_why)
{
    ck_assert_int_eq(find("127.0.0.1:no-such-service"), -EADDRNOTAVAIL);
    ck_assert_int_eq(cop_why().code, -EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "127.0.0.1:no-such-service: "));
    ck_assert_int_eq(find("300.1.2.3.4:80"), -EADDRNOTAVAIL);
}

TEST(a_name_that_cannot_be_asked_for_says_why)
{
    const struct {
        int status, error, code;
    } cases[] = {
        {EAI_SYSTEM, EIO, -EIO},   {EAI_SYSTEM, 0, -EADDRNOTAVAIL}, {EAI_MEMORY, 0, -ENOMEM},
        {EAI_AGAIN, EIO, -EAGAIN}, {EAI_FAIL, EIO, -EADDRNOTAVAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        resolver_says = cases[i].status;
        errno_says = cases[i].error;
        ck_assert_int_eq(find("localhost:80"), cases[i].code);
        ck_assert_int_eq(cop_why().code, cases[i].code);
        ck_assert_ptr_nonnull(strstr(cop_why().text, gai_strerror(cases[i].status)));
    }
}

TEST(an_address_of_no_known_family_has_no_text)
{
    const struct sockaddr address = {.sa_family = AF_UNSPEC};
    char out[200] = "as it was";
    ck_assert_int_eq(to_text(&address, sizeof address, out), -EAFNOSUPPORT);
    ck_assert_str_eq(out, "as it was");
}

TEST(a_unix_path_has_107_bytes_at_most)
{
    char text[5 + 109] = "unix:";
    memset(text + 5, 'p', 108);
    text[5 + 108] = '\0';
    ck_assert_int_eq(find(text), -ENAMETOOLONG);
    ck_assert_int_eq(cop_why().code, -ENAMETOOLONG);
    text[5 + 107] = '\0';
    is_said_as(text, text);
}

TEST(addresses_are_said_as_they_are_written)
{
    is_said_as("127.0.0.1:80", "127.0.0.1:80");
    is_said_as("[::1]:8080", "[::1]:8080");
    is_said_as("[127.0.0.1]:80", "127.0.0.1:80");
    is_said_as("unix:/tmp/a socket", "unix:/tmp/a socket");
    is_said_as("unix:@abstract", "unix:@abstract");
}

TEST(no_host_is_any_host)
{
    ck_assert_int_eq(find(":80"), 0);
    ck_assert_ptr_nonnull(found.found);
    copi_addresses_free(&found);
    ck_assert_int_eq(find("*:80"), 0);
    copi_addresses_free(&found);
    ck_assert_int_eq(copi_addresses_find(&found, ":80", false), 0);
    copi_addresses_free(&found);
}

TEST(too_little_room_for_the_text_leaves_it_alone)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    char out[11] = "untouched";
    const struct sockaddr *a = (const struct sockaddr *)&address;
    ck_assert_int_eq(copi_address_text(a, sizeof address, out, 10), -ENOSPC);
    ck_assert_str_eq(out, "untouched");
    ck_assert_int_eq(copi_address_text(a, sizeof address, out, 11), 0);
    ck_assert_str_eq(out, "0.0.0.0:80");
}

TEST(a_peer_without_a_name_is_said_as_one)
{
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    char out[32];
    ck_assert_int_eq(copi_address_text((struct sockaddr *)&nobody, sizeof(sa_family_t), out, 32),
                     0);
    ck_assert_str_eq(out, "unix:");
}

TEST(a_path_that_fills_its_room_has_no_terminator_and_needs_none)
{
    struct sockaddr_un full = {.sun_family = AF_UNIX};
    char out[sizeof full.sun_path + 6], wanted[sizeof out] = "unix:";
    memset(full.sun_path, '/', sizeof full.sun_path);
    memset(wanted + 5, '/', sizeof full.sun_path);
    struct sockaddr_storage storage = {0}; /* as getpeername() leaves it: with one byte more */
    memcpy(&storage, &full, sizeof full);
    ((char *)&storage)[sizeof full] = '!';
    ck_assert_int_eq(
        copi_address_text((struct sockaddr *)&storage, sizeof full + 1, out, sizeof out), 0);
    ck_assert_str_eq(out, wanted);
}

struct tries {
    int results[3];
    unsigned count;
};

static int
next_result(const struct sockaddr *address, socklen_t size, void *env)
{
    (void)address, (void)size;
    struct tries *tries = env;
    return tries->results[tries->count++];
}

TEST(one_address_after_the_other_is_tried_until_one_does)
{
    ck_assert_int_eq(find("unix:/one"), 0);
    struct tries tries = {.results = {-ECONNREFUSED}};
    ck_assert_int_eq(copi_addresses_try(&found, next_result, &tries), -ECONNREFUSED);
    ck_assert_uint_eq(tries.count, 1);
}

SUITE("address")
