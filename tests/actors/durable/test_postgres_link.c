/*
 * tests/actors/durable/test_postgres_link.c - a connection that is opened, used, lost and given up.
 *
 * Room: tests/.
 */
#include "actors/durable/postgres_link.h"
#include "tests/actors/durable/postgres.h"

static struct copi_postgres_link link;

static cop_time
soon(void)
{
    return cop_now() + SOON;
}

static void
to_server(void)
{
    link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
}

static int
ask(const char *statement)
{
    return copi_postgres_ask(&link, statement, NULL, 0);
}

static int
answer(int64_t *number)
{
    PGresult *rows = NULL;
    int error = copi_postgres_answer(&link, &rows, soon());
    if (error == 0 && number) {
        *number = copi_postgres_field_number(rows, 0, 0);
    }
    PQclear(rows);
    return error;
}

static bool
why_says(const char *words)
{
    return strstr(link.why.text, words) != NULL;
}

TEST(no_server_is_a_refusal_that_says_why)
{
    link = (struct copi_postgres_link){.where = "host=/nowhere/at/all", .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), -ECONNREFUSED);
    ck_assert_ptr_null(link.connection);
    ck_assert_msg(why_says("/nowhere/at/all"), "%s", link.why.text);
}

TEST(what_is_no_connection_string_is_refused)
{
    link = (struct copi_postgres_link){.where = "hots=x", .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), -EINVAL);
    ck_assert_msg(why_says("hots"), "%s", link.why.text);
}

TEST(a_database_that_is_not_there_is_a_refusal)
{
    server_start(&server);
    char where[256];
    (void)snprintf(where, sizeof where, "%s dbname=nothing", server.url);
    link = (struct copi_postgres_link){.where = where, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), -ECONNREFUSED);
    ck_assert_msg(why_says("nothing"), "%s", link.why.text);
}

/* PG19: at most ten within the first two seconds. */
TEST(attempts_have_pauses_between)
{
    link = (struct copi_postgres_link){.where = "host=/nowhere/at/all", .call_timeout = SOON};
    cop_time begin = cop_now();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(copi_postgres_connect(&link, soon()), -ECONNREFUSED);
    }
    ck_assert_int_ge(cop_now() - begin, COP_MS(2 * 200));
    ck_assert_uint_eq(link.failures, 3);
}

TEST(who_has_no_time_for_the_pause_is_refused_at_once)
{
    link = (struct copi_postgres_link){.where = "host=/nowhere/at/all", .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), -ECONNREFUSED);
    ck_assert_int_eq(copi_postgres_connect(&link, cop_now()), -ECONNREFUSED);
    ck_assert_uint_eq(link.failures, 1);
}

TEST(a_session_is_as_the_statements_need_it)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    static const char *const settings[] = {
        "SELECT (current_setting('enable_seqscan') = 'off')::int::bigint",
        "SELECT (current_setting('jit') = 'off')::int::bigint",
        "SELECT (current_setting('plan_cache_mode') = 'auto')::int::bigint",
        "SELECT (current_setting('synchronous_commit') = 'on')::int::bigint",
        "SELECT (current_setting('transaction_isolation') = 'read committed')::int::bigint",
        "SELECT (current_setting('statement_timeout') <> '0')::int::bigint",
        "SELECT (current_setting('lock_timeout') <> '0')::int::bigint",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int64_t is_so = 0;
        ck_assert_int_eq(ask(settings[i]), 0);
        ck_assert_int_eq(answer(&is_so), 0);
        ck_assert_msg(is_so == 1, "%s", settings[i]);
    }
    copi_postgres_close(&link);
}

TEST(statements_are_answered_in_their_order_and_one_refusal_harms_no_other)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(ask("SELECT 7"), 0);
    ck_assert_int_eq(ask("SELECT 1 / 0"), 0);
    ck_assert_int_eq(ask("SELECT 9"), 0);
    int64_t number = 0;
    ck_assert_int_eq(answer(&number), 0);
    ck_assert_int_eq(number, 7);
    ck_assert_int_eq(answer(NULL), -EINVAL);
    ck_assert_msg(why_says("division by zero"), "%s", link.why.text);
    ck_assert_int_eq(answer(&number), 0);
    ck_assert_int_eq(number, 9);
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    copi_postgres_close(&link);
}

TEST(what_users_say_travels_beside_the_statement)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    struct copi_postgres_value values[2] = {{0}, {0}};
    copi_postgres_bytes(&values[0], COPI_POSTGRES_TEXT, COP_TEXT("'; DROP TABLE x; --"));
    copi_postgres_array(&values[1], COPI_POSTGRES_TEXT_ARRAY);
    copi_postgres_add_bytes(&values[1], COP_TEXT("other"));
    copi_postgres_add_bytes(&values[1], COP_TEXT("'; DROP TABLE x; --"));
    int64_t place = 0;
    ck_assert_int_eq(copi_postgres_ask(&link, "SELECT array_position($2::text[], $1::text)::bigint",
                                       values, 2),
                     0);
    copi_postgres_values_free(values, 2);
    ck_assert_int_eq(answer(&place), 0);
    ck_assert_int_eq(place, 2);
    copi_postgres_close(&link);
}

TEST(a_table_that_is_not_there_is_no_mistake_of_the_caller)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(ask("SELECT * FROM no_such_table"), 0);
    ck_assert_int_eq(answer(NULL), -EIO);
    copi_postgres_close(&link);
}

TEST(without_a_connection_there_is_no_answer)
{
    to_server();
    ck_assert_int_eq(answer(NULL), -EREMOTEIO);
}

/* As one that has become a standby would say. */
TEST(a_server_that_takes_no_writes_any_more_is_left)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(ask("DO $$ BEGIN RAISE EXCEPTION 'standby' USING ERRCODE = '25006'; END $$"),
                     0);
    ck_assert_int_eq(answer(NULL), -EREMOTEIO);
    ck_assert_ptr_null(link.connection);
    ck_assert_msg(why_says("standby"), "%s", link.why.text);
}

TEST(what_the_server_ends_for_time_may_be_asked_again)
{
    to_server();
    link.call_timeout = COP_MS(50);
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(ask("SELECT pg_sleep(60)"), 0);
    ck_assert_int_eq(answer(NULL), -EAGAIN);
    ck_assert_int_eq(ask("SELECT 1"), 0);
    ck_assert_int_eq(answer(NULL), 0);
    copi_postgres_close(&link);
}

TEST(who_gives_up_waiting_has_no_connection_any_more)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    PGresult *rows = NULL;
    ck_assert_int_eq(ask("SELECT pg_sleep(60)"), 0);
    cop_time begin = cop_now();
    ck_assert_int_eq(copi_postgres_answer(&link, &rows, begin + COP_MS(50)), -EREMOTEIO);
    ck_assert_int_ge(cop_now() - begin, COP_MS(50));
    ck_assert_ptr_null(link.connection);
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    copi_postgres_close(&link);
}

TEST(a_connection_that_the_server_has_ended_is_seen_before_it_is_used)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    int backend = PQbackendPID(link.connection);
    char statement[64];
    (void)snprintf(statement, sizeof statement, "SELECT pg_terminate_backend(%d, 4000)::int",
                   backend);
    (void)number_of(statement);
    EVENTUALLY(copi_postgres_connect(&link, soon()) == 0
               && PQbackendPID(link.connection) != backend);
    ck_assert_int_eq(ask("SELECT 1"), 0);
    ck_assert_int_eq(answer(NULL), 0);
    copi_postgres_close(&link);
}

TEST(a_server_that_is_killed_with_a_statement_in_its_hands_leaves_it_open)
{
    server_start(&server);
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(ask("SELECT pg_sleep(60)"), 0);
    ck_assert_int_eq(PQflush(link.connection), 0);
    server_kill(&server);
    ck_assert_int_eq(answer(NULL), -EREMOTEIO);
    server_start(&server);
}

static char through[256];

static struct proxy *
through_a_line(void)
{
    struct proxy *line = line_to_server(through);
    link = (struct copi_postgres_link){.where = through, .call_timeout = SOON};
    return line;
}

TEST(answers_that_come_byte_by_byte_are_whole)
{
    struct proxy *line = through_a_line();
    proxy_split(line, PROXY_ANSWERS, true);
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    int64_t number = 0;
    ck_assert_int_eq(ask("SELECT length(repeat('x', 2000))"), 0);
    ck_assert_int_eq(answer(&number), 0);
    ck_assert_int_eq(number, 2000);
    copi_postgres_close(&link);
    proxy_free(line);
}

/* Wherever a line is cut: refused while connecting, an open end afterwards; never a hang, never another's answer. */
TEST_TIMES(8, a_line_that_is_cut_anywhere_is_an_error)
{
    struct proxy *line = through_a_line();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    for (size_t at = (size_t)_i; at < 40; at += 8) {
        proxy_cut_after(line, PROXY_ANSWERS, at);
        int64_t number = 7;
        int error = ask("SELECT 7");
        error = error ? error : answer(&number);
        ck_assert_msg(error == -EREMOTEIO || error == 0, "%zu: %d", at, error);
        ck_assert_int_eq(number, 7);
        link.next_attempt = 0;
        error = copi_postgres_connect(&link, soon());
        ck_assert_msg(error == 0 || error == -ECONNREFUSED, "%zu: %d", at, error);
        link.next_attempt = 0;
        EVENTUALLY(copi_postgres_connect(&link, soon()) == 0);
    }
    copi_postgres_close(&link);
    proxy_free(line);
}

TEST(a_line_that_swallows_everything_is_given_up_in_time)
{
    struct proxy *line = through_a_line();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    proxy_swallow(line, PROXY_ANSWERS, true);
    ck_assert_int_eq(ask("SELECT 1"), 0);
    PGresult *rows = NULL;
    ck_assert_int_eq(copi_postgres_answer(&link, &rows, cop_now() + COP_MS(50)), -EREMOTEIO);
    ck_assert_int_eq(copi_postgres_connect(&link, cop_now() + COP_MS(50)), -ECONNREFUSED);
    proxy_free(line);
}

TEST(more_than_the_socket_takes_is_sent_while_answers_are_read)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    static char large[1 << 20];
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 8; i++) {
        struct copi_postgres_value value;
        copi_postgres_bytes(&value, COPI_POSTGRES_BYTEA, COP_BYTES(large));
        ck_assert_int_eq(copi_postgres_ask(&link, "SELECT $1::bytea", &value, 1), 0);
        copi_postgres_values_free(&value, 1);
    }
    for (int i = 0; i < 8; i++) {
        PGresult *rows = NULL;
        ck_assert_int_eq(copi_postgres_answer(&link, &rows, soon()), 0);
        ck_assert_uint_eq(copi_postgres_field(rows, 0, 0).size, sizeof large);
        PQclear(rows);
    }
    copi_postgres_close(&link);
}

/* ---------------------------------------------------------------- what is prepared */

static const char seven[] = "SELECT 7::bigint";

static void
prepare_seven(void)
{
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_prepare(&link, seven, soon()), 0);
    ck_assert_ptr_eq(link.prepared, seven);
}

static void
expect_seven(void)
{
    int64_t number = 0;
    ck_assert_int_eq(ask(seven), 0);
    ck_assert_int_eq(answer(&number), 0);
    ck_assert_int_eq(number, 7);
}

TEST(a_statement_is_prepared_once_for_each_connection)
{
    to_server();
    for (int i = 0; i < 2; i++) {
        prepare_seven();
        ck_assert_int_eq(copi_postgres_prepare(&link, seven, soon()), 0);
        expect_seven();
        int64_t prepared = 0;
        ck_assert_int_eq(ask("SELECT count(*) FROM pg_prepared_statements"), 0);
        ck_assert_int_eq(answer(&prepared), 0);
        ck_assert_int_eq(prepared, 1);
        copi_postgres_close(&link);
        ck_assert_ptr_null(link.prepared);
    }
}

TEST(what_the_server_will_not_prepare_is_asked_all_the_same)
{
    to_server();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_prepare(&link, "SELECT nonsense", soon()), 0);
    ck_assert_ptr_null(link.prepared);
    ck_assert_int_eq(copi_postgres_prepare(&link, seven, soon()), 0); /* that was the attempt */
    ck_assert_ptr_null(link.prepared);
    expect_seven();
    copi_postgres_close(&link);
}

/* As a pooler does it, behind which the next transaction has another session. */
TEST(a_session_that_has_forgotten_is_asked_again_in_words)
{
    to_server();
    prepare_seven();
    ck_assert_int_eq(copi_postgres_run(&link, "DEALLOCATE ALL", soon()), 0);
    ck_assert_int_eq(ask(seven), 0);
    ck_assert_int_eq(ask(seven), 0);
    ck_assert_int_eq(answer(NULL), -EAGAIN);
    ck_assert_int_eq(answer(NULL), -EAGAIN); /* it was asked before that was known */
    expect_seven();
    ck_assert_int_eq(ask("EXECUTE nothing"), 0);
    ck_assert_int_eq(answer(NULL), -EIO); /* of what was asked in words it means nothing */
    ck_assert_int_eq(copi_postgres_prepare(&link, seven, soon()), 0); /* once is enough */
    ck_assert_ptr_null(link.prepared);
    copi_postgres_close(&link);
}

TEST(a_name_that_the_session_has_already_is_left_alone)
{
    to_server();
    prepare_seven();
    char name[sizeof link.name], statement[64];
    memcpy(name, link.name, sizeof name);
    copi_postgres_close(&link);
    (void)snprintf(statement, sizeof statement, "PREPARE %s AS SELECT 8::bigint", name);
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_run(&link, statement, soon()), 0);
    ck_assert_int_eq(copi_postgres_prepare(&link, seven, soon()), 0);
    expect_seven();
    copi_postgres_close(&link);
}

TEST(a_connection_that_is_lost_while_it_prepares_is_lost)
{
    struct proxy *line = through_a_line();
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    proxy_swallow(line, PROXY_ANSWERS, true);
    ck_assert_int_eq(copi_postgres_prepare(&link, seven, cop_now() + COP_MS(50)), -EREMOTEIO);
    ck_assert_ptr_null(link.connection);
    proxy_free(line);
}

/* ---------------------------------------------------------------- a process that ends */

static void
close_link(void *it)
{
    copi_postgres_close(it);
}

static int
wait_for_ever(cop_bytes unused)
{
    (void)unused;
    ck_assert_int_eq(cop_at_exit(close_link, &link), 0);
    PGresult *rows = NULL;
    int error = copi_postgres_connect(&link, soon());
    error = error ? error : ask("SELECT pg_sleep(60)");
    return error ? error : copi_postgres_answer(&link, &rows, COP_FOREVER);
}

static bool
server_is_busy(void)
{
    return number_of("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
           > 0;
}

TEST(a_process_that_is_killed_while_it_waits_leaves_nothing)
{
    to_server();
    cop_pid pid;
    cop_ref down;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_ever, .monitor = &down), 0);
    EVENTUALLY(server_is_busy());
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(down).kind, COP_KILLED);
    ck_assert_ptr_null(link.connection);
}

TEST(a_process_that_is_asked_to_stop_while_it_waits_is_told_so)
{
    to_server();
    cop_pid pid;
    cop_ref down;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_ever, .monitor = &down), 0);
    EVENTUALLY(server_is_busy());
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(test_down(down).kind, COP_SHUTDOWN);
    ck_assert_ptr_null(link.connection);
}

SUITE_AROUND("PostgreSQL's connections", start_server, end_server)
