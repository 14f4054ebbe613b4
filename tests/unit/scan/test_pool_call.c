/* SPDX-License-Identifier: MIT */
/* Questions about a pool over a loop's channel: answers, hosts that are replaced or gone, orders that outlive a host.
 */
#include "io/loop.h"
#include "scan/pool_call.h"
#include "scan/scan_client.h"
#include "sys/fdpass.h"
#include <check.h>
#include <poll.h>
#include <unistd.h>

enum { GUARD_MS = 20000 };

static struct {
    struct loop *loop;
    struct framework fw;
    struct engine_conf conf;
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct log log;
    struct pool_call call;
    struct deadline guard;
    unsigned answers, generation, broken;
    bool answered;
    uint64_t invocations;
    char why[128];
} t;

static void write_nothing(void *arg, enum log_level level, struct span line)
{
    (void)arg, (void)level, (void)line;
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void answered(struct pool_call *call, const struct scan_pool_report *report, const char *why)
{
    ck_assert_ptr_eq(call, &t.call);
    ck_assert((report == NULL) == (why != NULL));
    t.answers++;
    t.answered = report != NULL;
    t.generation = call->generation;
    t.invocations = report ? report->figures[POOL_INVOCATIONS] : 0;
    snprintf(t.why, sizeof(t.why), "%s", why ? why : "");
    loop_stop(t.loop);
}

static void broken(void *arg, int pool, unsigned generation)
{
    (void)arg, (void)pool, (void)generation;
    t.broken++;
    loop_stop(t.loop);
}

static void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static void setup(void)
{
    memset(&t, 0, sizeof(t));
    t.loop = loop_new();
    t.conf = (struct engine_conf){.enabled = true, .timeout_ms = 10000};
    t.fw.engines[0] =
        (struct framework_engine){.name = "one", .type = "fake", .pool = "CPU", .built = true, .conf = &t.conf};
    t.fw.engine_count = 1;
    t.fw.pool_count = 2;
    t.fw.pools[0].name = "CPU";
    t.fw.pools[1].name = "IO";
    t.log = (struct log){.write = write_nothing, .wallclock_ms = no_clock};
    t.runtime = scan_runtime_new(&t.fw);
    t.client = scan_client_new(t.loop, t.runtime, &t.log, false);
    scan_client_on_broken(t.client, broken, NULL);
    pool_call_init(&t.call, t.client, answered);
}

static void teardown(void)
{
    scan_client_free(t.client);
    scan_runtime_free(t.runtime);
    loop_free(t.loop);
}

/* A new host for pool POOL: its end of the channel. */
static int attach(int pool, unsigned generation)
{
    int fds[2];
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    scan_client_attach(t.client, pool, generation, fds[0]);
    return fds[1];
}

static struct scan_query receive(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    unsigned char bytes[SCAN_RECORD_SIZE];
    struct scan_record r;
    size_t len;
    int none;
    ck_assert_int_eq(poll(&p, 1, GUARD_MS), 1);
    ck_assert_int_eq(fdpass_recv(fd, bytes, sizeof(bytes), &len, &none), ERR_OK);
    ck_assert_int_eq(scan_record_decode(span_of(bytes, len), &r), ERR_OK);
    ck_assert_int_eq(r.type, SCAN_QUERY);
    return r.query;
}

static bool is_quiet(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void reply(int fd, uint64_t id, uint64_t invocations)
{
    struct scan_record r = {.type = SCAN_POOL, .pool.id = id};
    unsigned char bytes[SCAN_RECORD_SIZE];
    r.pool.figures[POOL_INVOCATIONS] = invocations;
    size_t len = scan_record_encode(&r, bytes);
    ck_assert_int_eq(fdpass_send(fd, span_of(bytes, len), -1), ERR_OK);
}

static void run(void)
{
    deadline_init(&t.guard, t.loop, guard_expired, NULL);
    deadline_set_ms(&t.guard, GUARD_MS);
    loop_run(t.loop);
    deadline_clear(&t.guard);
}

static void ask(int pool, uint32_t concurrency)
{
    const char *why = NULL;
    ck_assert(pool_call_send(&t.call, pool, concurrency, &why));
}

START_TEST(the_host_of_the_pool_is_asked_and_its_figures_arrive)
{
    setup();
    int cpu = attach(0, 7), io = attach(1, 8);
    ask(0, 0);
    struct scan_query q = receive(cpu);
    ck_assert_uint_eq(q.concurrency, 0);
    ck_assert(is_quiet(io));
    reply(cpu, q.id, 46010);
    run();
    ck_assert(t.answered);
    ck_assert_uint_eq(t.invocations, 46010);
    ck_assert_uint_eq(t.generation, 7);
    close(cpu);
    close(io);
    teardown();
}
END_TEST

START_TEST(answers_that_nobody_waits_for_are_passed_over)
{
    setup();
    int cpu = attach(0, 1), io = attach(1, 2);
    ask(0, 0);
    struct scan_query q = receive(cpu);
    reply(io, q.id, 1);      /* another pool's */
    reply(cpu, q.id + 1, 2); /* nobody's */
    reply(cpu, q.id, 3);
    run();
    ck_assert_uint_eq(t.invocations, 3);
    reply(cpu, q.id, 4); /* again */
    ask(0, 0);
    q = receive(cpu);
    reply(cpu, q.id, 5);
    run();
    ck_assert_uint_eq(t.invocations, 5);
    ck_assert_uint_eq(t.answers, 2);
    ck_assert_uint_eq(t.broken, 0);
    close(cpu);
    close(io);
    teardown();
}
END_TEST

START_TEST(a_pool_without_a_host_cannot_be_asked)
{
    setup();
    const char *why = NULL;
    ck_assert(!pool_call_send(&t.call, 0, 3, &why));
    ck_assert_str_eq(why, "the scan host is not running");
    int cpu = attach(0, 1);
    ck_assert(is_quiet(cpu)); /* an order that was not given is not carried out later */
    close(cpu);
    teardown();
}
END_TEST

START_TEST(a_host_that_ends_answers_nothing_more)
{
    setup();
    int cpu = attach(0, 1);
    ask(0, 0);
    close(cpu);
    run();
    ck_assert(!t.answered);
    ck_assert_str_eq(t.why, "the scan host closed the channel");
    teardown();
}
END_TEST

START_TEST(the_host_that_takes_over_is_asked_what_the_old_one_did_not_answer)
{
    setup();
    int old = attach(0, 1);
    ask(0, 0);
    receive(old);
    int new = attach(0, 2);
    struct scan_query q = receive(new);
    reply(new, q.id, 9);
    run();
    ck_assert(t.answered);
    ck_assert_uint_eq(t.generation, 2);
    close(old);
    close(new);
    teardown();
}
END_TEST

START_TEST(an_order_outlives_the_host_that_it_was_given_to)
{
    setup();
    int first = attach(0, 1);
    ask(0, 12);
    struct scan_query q = receive(first);
    ck_assert_uint_eq(q.concurrency, 12);
    reply(first, q.id, 1);
    run();
    int second = attach(0, 2);
    q = receive(second);
    ck_assert_uint_eq(q.concurrency, 12);
    reply(second, q.id, 2); /* nobody waits for it */
    ask(0, 0);
    q = receive(second);
    ck_assert_uint_eq(q.concurrency, 0);
    reply(second, q.id, 3);
    run();
    ck_assert_uint_eq(t.invocations, 3);
    close(first);
    close(second);
    teardown();
}
END_TEST

START_TEST(a_question_that_was_taken_back_gets_no_answer)
{
    setup();
    int cpu = attach(0, 1);
    ask(0, 0);
    uint64_t id = receive(cpu).id;
    pool_call_cancel(&t.call);
    pool_call_cancel(&t.call);
    reply(cpu, id, 1);
    ask(0, 0);
    reply(cpu, receive(cpu).id, 2);
    run();
    ck_assert_uint_eq(t.answers, 1);
    ck_assert_uint_eq(t.invocations, 2);
    close(cpu);
    teardown();
}
END_TEST

START_TEST(a_host_that_asks_questions_itself_is_broken)
{
    setup();
    int cpu = attach(0, 1);
    struct scan_record r = {.type = SCAN_QUERY, .query = {.id = 1}};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&r, bytes);
    ck_assert_int_eq(fdpass_send(cpu, span_of(bytes, len), -1), ERR_OK);
    run();
    ck_assert_uint_eq(t.broken, 1);
    close(cpu);
    teardown();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_host_of_the_pool_is_asked_and_its_figures_arrive)                                                            \
    X(answers_that_nobody_waits_for_are_passed_over)                                                                   \
    X(a_pool_without_a_host_cannot_be_asked)                                                                           \
    X(a_host_that_ends_answers_nothing_more)                                                                           \
    X(the_host_that_takes_over_is_asked_what_the_old_one_did_not_answer)                                               \
    X(an_order_outlives_the_host_that_it_was_given_to)                                                                 \
    X(a_question_that_was_taken_back_gets_no_answer)                                                                   \
    X(a_host_that_asks_questions_itself_is_broken)
#include "support/check_main.h"
