/*
 * demos/kv/main.c - the command line.
 *
 * Room: demos/. Runs in main(), before and after the tree.
 */
#include "demos/kv/application.h"
#include "demos/kv/bucket.h"
#include "demos/kv/server.h"
#include "demos/kv/stats.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#ifdef WITH_WEB
# include <coppice-web.h>
# define HAS_PAGE true
#else
# define HAS_PAGE false
#endif

#define DEFAULT_HOST "127.0.0.1" /* there is no password: whoever gets in may do everything */
#define DEFAULT_PORT 7379
#define MAX_BUCKETS  64

#define EXIT_USAGE 2

struct options {
    const char *host;
    unsigned port;
    const char *buckets[MAX_BUCKETS];
    size_t bucket_count;
    const char *observer, *recorder;
    bool has_page;
    unsigned page;
};

static void
usage(FILE *to)
{
    (void)fprintf(
        to,
        "usage: kv [--host ADDRESS] [--port PORT] [--buckets NAME,NAME...]\n"
        "          [--observer PATH] [--recorder PATH]%s\n"
        "A supervised key-value daemon; redis-cli can talk to it.\n"
        "  --host      where to listen; without it %s\n"
        "  --port      without it %d; 0 takes a free one\n"
        "  --buckets   buckets that are there from the start, besides \"0\"\n"
        "  --observer  a Unix socket at which coppice-top may look at the tree\n"
        "  --recorder  a file for coppice-postmortem: what each process did last\n"
        "%s",
        HAS_PAGE ? " [--web PORT]" : "", DEFAULT_HOST, DEFAULT_PORT,
        HAS_PAGE ? "  --web       a port for the live page and the metrics; 0 takes a free one.\n"
                   "              KV_TOKEN, in the environment, is for its buttons\n"
                 : "");
}

static bool
parse_port(const char *text, unsigned *out)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || n > 65535) {
        (void)fprintf(stderr, "kv: '%s' is not a port\n", text);
        return false;
    }
    *out = (unsigned)n;
    return true;
}

static bool
known_bucket(const struct options *o, const char *name)
{
    bool known = strcmp(name, "0") == 0;
    for (size_t i = 0; i < o->bucket_count; i++) {
        known |= strcmp(name, o->buckets[i]) == 0;
    }
    return known;
}

/* The names stay in `list`, which is the command line's own memory. */
static bool
parse_buckets(char *list, struct options *o)
{
    char *rest = NULL;
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (!bucket_name_valid((cop_bytes){name, strlen(name)})) {
            (void)fprintf(stderr, "kv: '%s' is not a bucket's name\n", name);
            return false;
        }
        if (known_bucket(o, name)) {
            continue;
        }
        if (o->bucket_count == MAX_BUCKETS) {
            (void)fprintf(stderr, "kv: more than %d buckets; CREATE the others\n", MAX_BUCKETS);
            return false;
        }
        o->buckets[o->bucket_count++] = name;
    }
    return true;
}

/* -1: go on; otherwise the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'},     {"port", required_argument, NULL, 'p'},
        {"buckets", required_argument, NULL, 'b'},  {"observer", required_argument, NULL, 'o'},
        {"recorder", required_argument, NULL, 'r'},
#ifdef WITH_WEB
        {"web", required_argument, NULL, 'w'},
#endif
        {"help", no_argument, NULL, '?' + 1},       {0},
    };
    bool ok = true;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing else runs yet */
    for (int c; ok && (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'h':
            o->host = optarg;
            break;
        case 'p':
            ok = parse_port(optarg, &o->port);
            break;
        case 'b':
            ok = parse_buckets(optarg, o);
            break;
        case 'o':
            o->observer = optarg;
            break;
        case 'r':
            o->recorder = optarg;
            break;
        case 'w':
            o->has_page = ok = parse_port(optarg, &o->page);
            break;
        case '?' + 1:
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            ok = false;
        }
    }
    if (!ok || optind < argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* A client takes two descriptors, its socket and one to be woken by, and the usual soft limit is
 * there for select(), which nobody here calls. What cannot be raised stays, and is enough to
 * serve. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Who is woken waits until who has woken him waits, too, or another core is free, instead of taking his core
 * from him: with a process for each client that is a third of the work less. All threads inherit it. */
static void
switch_seldom(void)
{
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

static bool
record_to(const char *path)
{
    int error = cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = path});
    if (error < 0) {
        const char *asked =
            getenv("COPPICE_RECORDER"); /* NOLINT(concurrency-mt-unsafe): as below */
        (void)fprintf(stderr, "kv: cannot record to %s: %s\n", asked ? asked : path,
                      cop_strerror(error));
    }
    return error == 0;
}

static int
run(const struct options *o, cop_socket listener)
{
    cop_child_spec watchers[2];
    size_t count = 0;
    const cop_observer_spec observer = {.path = o->observer};
    if (o->observer != NULL) {
        watchers[count++] = cop_observer_child(&observer);
    }
#ifdef WITH_WEB
    const cop_web_opts page = {
        .size = sizeof page,
        .port = o->page > 0 ? o->page : COP_WEB_ANY_PORT,
        .token = getenv("KV_TOKEN"), /* NOLINT(concurrency-mt-unsafe): nothing else runs yet */
    };
    if (o->has_page) {
        watchers[count++] = cop_web_spec_with(&page);
    }
#endif
    return application_run(&(struct application){
        .listener = listener,
        .buckets = o->buckets,
        .bucket_count = o->bucket_count,
        .watchers = watchers,
        .watcher_count = count,
    });
}

int
main(int argc, char **argv)
{
    struct options o = {.host = DEFAULT_HOST, .port = DEFAULT_PORT};
    int status = parse_options(argc, argv, &o);
    if (status >= 0) {
        return status;
    }
    raise_descriptor_limit();
    switch_seldom();
    if (!record_to(o.recorder)) {
        return EXIT_FAILURE;
    }
    cop_socket listener;
    char address[128];
    int error = server_listen(o.host, o.port, &listener);
    if (error < 0) {
        (void)fprintf(stderr, "kv: cannot listen on %s, port %u: %s\n", o.host, o.port,
                      cop_strerror(error));
        return EXIT_FAILURE;
    }
    (void)cop_socket_address(listener, address, sizeof address);
    (void)printf("listening on %s\n"
                 "talk to it with: redis-cli -h %s -p %u\n"
                 "and type:        SET milk 2, GET milk, TREE, CRASH 0, TREE, SHUTDOWN\n",
                 address, o.host, stats_read().port);
    (void)fflush(stdout);
    status = run(&o, listener);
    (void)cop_socket_close(listener);
    return status;
}
