/* SPDX-License-Identifier: MIT */
/* A loop's channels to scan hosts, over real SEQPACKET pairs: the other end is a broker that follows a script. */
#include "io/deadline.h"
#include "io/loop.h"
#include "scan/scan_run.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include "sys/memfd.h"
#include <check.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POOLS = 2, RECORDS_KEPT = 32, GUARD_MS = 20000 };

/* What the broker end of one pool has received. */
struct broker {
    int fd;
    struct loop_watch watch;
    struct scan_record got[RECORDS_KEPT];
    bool with_fd[RECORDS_KEPT];
    int parts[RECORDS_KEPT]; /* the second descriptor; -1: none */
    size_t count;
};

struct bench {
    struct loop *loop;
    struct framework fw;
    struct engine_conf conf[4];
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct broker broker[POOLS];
    struct deadline guard;
    bool (*until)(struct bench *b);
    int message;
    unsigned wakes, changes, generation;
    struct log log;
    char lines[16][LIMIT_LOG_LINE];
    size_t line_count;
};

static void bench_look(struct bench *b)
{
    if (b->until && b->until(b))
        loop_stop(b->loop);
}

static void bench_woken(void *arg)
{
    struct bench *b = arg;
    b->wakes++;
    bench_look(b);
}

static void bench_changed(void *arg)
{
    struct bench *b = arg;
    b->changes++;
    bench_look(b);
}

static void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static void pump(struct bench *b, bool (*until)(struct bench *b))
{
    if (until(b))
        return;
    b->until = until;
    deadline_set_ms(&b->guard, GUARD_MS);
    loop_run(b->loop);
    deadline_clear(&b->guard);
    b->until = NULL;
}

struct broker_arg {
    struct bench *bench;
    int pool;
};
static struct broker_arg broker_args[POOLS];

static void broker_ready(void *arg, int events)
{
    struct broker_arg *a = arg;
    struct broker *br = &a->bench->broker[a->pool];
    (void)events;
    for (;;) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fds[FDPASS_MAX];
        enum err e = fdpass_recv_many(br->fd, bytes, sizeof(bytes), &len, fds);
        int fd = fds[0];
        if (e == ERR_AGAIN)
            break;
        if (e == ERR_CLOSED) {
            loop_watch_set(&br->watch, 0);
            break;
        }
        ck_assert_int_eq(e, ERR_OK);
        ck_assert_uint_lt(br->count, RECORDS_KEPT);
        ck_assert_int_eq(scan_record_decode(span_of(bytes, len), &br->got[br->count]), ERR_OK);
        if (fd >= 0) {
            char first = 0;
            ck_assert_int_eq(pread(fd, &first, 1, 0), 1);
            ck_assert_int_eq(first, 'M');
            close(fd);
        }
        br->parts[br->count] = fds[1];
        br->with_fd[br->count++] = fd >= 0;
    }
    bench_look(a->bench);
}

static void log_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    ck_assert_uint_lt(b->line_count, ARRAY_SIZE(b->lines));
    snprintf(b->lines[b->line_count++], LIMIT_LOG_LINE, "%.*s", SPAN_ARG(line));
}

static uint64_t log_clock(void *arg)
{
    (void)arg;
    return 0;
}

static const char *const engine_names[] = {"one", "two", "three", "four"};

/* Engines "one" (pool CPU), "two" (pool IO), "three" (CPU), … */
static void bench_open(struct bench *b, size_t engines)
{
    memset(b, 0, sizeof(*b));
    b->loop = loop_new();
    ck_assert_ptr_nonnull(b->loop);
    deadline_init(&b->guard, b->loop, guard_expired, b);
    b->fw.engine_count = engines;
    for (size_t i = 0; i < engines; i++) {
        b->conf[i] = (struct engine_conf){.enabled = true, .error_code = 451, .timeout_ms = 10000};
        b->fw.engines[i] = (struct framework_engine){
            .name = engine_names[i], .type = "fake", .pool = i % 2 ? "IO" : "CPU", .built = true, .conf = &b->conf[i]};
    }
    b->fw.pool_count = POOLS;
    b->fw.pools[0].name = "CPU";
    b->fw.pools[1].name = "IO";
    b->log = (struct log){.write = log_line, .wallclock_ms = log_clock, .arg = b, .min_level = LOG_LEVEL_DEBUG};
    b->message = memfd_new("message");
    ck_assert_int_ge(b->message, 0);
    ck_assert_int_eq(write(b->message, "Message", 7), 7);
    for (int i = 0; i < POOLS; i++)
        b->broker[i].fd = -1;
}

static void bench_start(struct bench *b, bool log_status)
{
    b->runtime = scan_runtime_new(&b->fw);
    ck_assert_ptr_nonnull(b->runtime);
    b->client = scan_client_new(b->loop, b->runtime, &b->log, log_status);
    ck_assert_ptr_nonnull(b->client);
    scan_client_on_change(b->client, bench_changed, b);
}

static void broker_close(struct bench *b, int pool)
{
    struct broker *br = &b->broker[pool];
    for (size_t i = 0; i < br->count; i++) {
        if (br->parts[i] >= 0)
            close(br->parts[i]);
        br->parts[i] = -1;
    }
    loop_watch_stop(&br->watch);
    if (br->fd >= 0)
        close(br->fd);
    br->fd = -1;
}

static void broker_open(struct bench *b, int pool)
{
    int fds[2];
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    struct broker *br = &b->broker[pool];
    br->fd = fds[1];
    br->count = 0;
    broker_args[pool] = (struct broker_arg){b, pool};
    loop_watch_init(&br->watch, b->loop, br->fd, broker_ready, &broker_args[pool]);
    loop_watch_set(&br->watch, LOOP_READ);
    scan_client_attach(b->client, pool, ++b->generation, fds[0]);
}

static void bench_close(struct bench *b)
{
    scan_client_free(b->client);
    scan_runtime_free(b->runtime);
    for (int i = 0; i < POOLS; i++)
        broker_close(b, i);
    close(b->message);
    loop_free(b->loop);
}

static void broker_send(struct bench *b, int pool, const struct scan_record *r)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(r, bytes);
    ck_assert_int_eq(fdpass_send(b->broker[pool].fd, span_of(bytes, len), -1), ERR_OK);
}

static void broker_answer(struct bench *b, int pool, uint64_t id, enum verdict_class c, enum verdict_reason reason,
                          const char *name)
{
    struct scan_record r = {.type = SCAN_ANSWER};
    r.answer.id = id;
    verdict_set(&r.answer.verdict, c, reason, NULL);
    verdict_copy_text(r.answer.verdict.name, sizeof(r.answer.verdict.name), span_cstr(name));
    verdict_copy_text(r.answer.verdict.engine, sizeof(r.answer.verdict.engine), SPAN("liar"));
    r.answer.verdict.database_version = 42;
    r.answer.verdict.queue_us = 10;
    r.answer.verdict.scan_us = 100;
    broker_send(b, pool, &r);
}

static void broker_status(struct bench *b, int pool, const char *engine, enum scan_engine_state state,
                          const char *detail)
{
    struct scan_record r = {.type = SCAN_STATUS};
    verdict_copy_text(r.status.engine, sizeof(r.status.engine), span_cstr(engine));
    verdict_copy_text(r.status.detail, sizeof(r.status.detail), span_cstr(detail));
    r.status.state = state;
    r.status.database_version = 27500;
    r.status.signatures = 3;
    broker_send(b, pool, &r);
}

static struct scan_run *start(struct bench *b)
{
    uint8_t digest[32];
    memset(digest, 0xd1, sizeof(digest));
    unsigned before = b->wakes;
    struct scan_run *r = scan_run_start(
        b->client, &(struct scan_subject){.fd = b->message, .size = 7, .digest = digest}, bench_woken, b);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(b->wakes, before); /* never from inside the call */
    return r;
}

static bool woken(struct bench *b)
{
    return b->wakes > 0;
}
static bool woken_twice(struct bench *b)
{
    return b->wakes > 1;
}
static bool one_record(struct bench *b)
{
    return b->broker[0].count + b->broker[1].count >= 1;
}
static bool two_records(struct bench *b)
{
    return b->broker[0].count + b->broker[1].count >= 2;
}
static bool three_records(struct bench *b)
{
    return b->broker[0].count + b->broker[1].count >= 3;
}
static bool four_records(struct bench *b)
{
    return b->broker[0].count + b->broker[1].count >= 4;
}
static bool woken_three_times(struct bench *b)
{
    return b->wakes > 2;
}
static bool one_change(struct bench *b)
{
    return b->changes > 0;
}
static bool two_changes(struct bench *b)
{
    return b->changes > 1;
}

static bool three_changes(struct bench *b)
{
    return b->changes > 2;
}

static bool four_changes(struct bench *b)
{
    return b->changes > 3;
}

static void assert_verdict(const struct scan_run *r, enum verdict_class c, enum verdict_reason reason,
                           const char *engine)
{
    const struct verdict *v = scan_run_verdict(r);
    ck_assert_ptr_nonnull(v);
    ck_assert_str_eq(verdict_class_word(v->class), verdict_class_word(c));
    ck_assert_str_eq(verdict_reason_word(v->reason), verdict_reason_word(reason));
    ck_assert_str_eq(v->engine, engine);
}

START_TEST(a_job_names_engine_size_digest_and_deadline_and_carries_the_message)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    uint64_t before = clock_monotonic_us();
    struct scan_run *r = start(&b);
    uint64_t after = clock_monotonic_us();
    pump(&b, one_record);
    const struct scan_job *job = &b.broker[0].got[0].job;
    ck_assert_int_eq(b.broker[0].got[0].type, SCAN_JOB);
    ck_assert(b.broker[0].with_fd[0]);
    ck_assert_str_eq(job->engine, "one");
    ck_assert_uint_eq(job->size, 7);
    ck_assert_uint_eq(job->digest[0], 0xd1);
    ck_assert_uint_eq(job->digest[31], 0xd1);
    ck_assert_uint_ge(job->deadline_us, before + 10000000);
    ck_assert_uint_le(job->deadline_us, after + 10000000);
    ck_assert_ptr_null(scan_run_verdict(r));
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(an_answer_becomes_the_verdict_under_our_own_name_of_the_engine)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        const char *name;
    } rows[] = {{VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
                {VERDICT_INFECTED, VERDICT_REASON_NONE, "Test.Virus"},
                {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
                {VERDICT_ERROR, VERDICT_REASON_CRASH, ""}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        pump(&b, one_record);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].class, rows[i].reason, rows[i].name);
        pump(&b, woken);
        assert_verdict(r, rows[i].class, rows[i].reason, "one");
        ck_assert_str_eq(scan_run_verdict(r)->name, rows[i].name);
        ck_assert_uint_eq(scan_run_verdict(r)->database_version, 42);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(engines_scan_in_order_and_the_strictest_decides)
{
    static const struct {
        enum verdict_class first, second, result;
        const char *decided;
        unsigned jobs;
        int first_action, first_on_error;
        bool all;
        const char *words;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_CLEAN, VERDICT_CLEAN, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=clean"},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=infected; two=infected"},
        {VERDICT_INFECTED, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=infected; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=unscannable:limit; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_CLEAN, VERDICT_UNSCANNABLE, "one", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=clean"},
        {VERDICT_CLEAN, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=infected"},
        {VERDICT_INFECTED, VERDICT_CLEAN, VERDICT_INFECTED, "one", 1, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=infected"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_ERROR, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=error:crash; two=clean"},
        {VERDICT_CLEAN, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=error:crash"},
        {VERDICT_ERROR, VERDICT_UNSCANNABLE, VERDICT_UNSCANNABLE, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=error:crash; two=unscannable:limit"},
        {VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_UNSCANNABLE, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=infected"},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_INFECTED, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, true,
         "one=infected; two=infected"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_CLEAN, "two", 2, ON_INFECTED_REJECT, ON_ERROR_NEXT, false,
         "one=error:crash; two=clean"},
        {VERDICT_ERROR, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_REJECT, ON_ERROR_NEXT, false,
         "one=error:crash; two=error:crash"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_ERROR, "one", 2, ON_INFECTED_REJECT, ON_ERROR_PASS, false,
         "one=error:crash; two=clean"},
    };
    static const enum verdict_reason reason_of[] = {[VERDICT_CLEAN] = VERDICT_REASON_NONE,
                                                    [VERDICT_INFECTED] = VERDICT_REASON_NONE,
                                                    [VERDICT_UNSCANNABLE] = VERDICT_REASON_LIMIT,
                                                    [VERDICT_ERROR] = VERDICT_REASON_CRASH};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b, 2);
        b.conf[0].action = rows[i].first_action;
        b.conf[0].on_error = rows[i].first_on_error;
        b.fw.all = rows[i].all;
        bench_start(&b, false);
        broker_open(&b, 0);
        broker_open(&b, 1);
        struct scan_run *r = start(&b);
        pump(&b, one_record);
        ck_assert_uint_eq(b.broker[1].count, 0);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].first, reason_of[rows[i].first], "");
        if (rows[i].jobs == 2) {
            pump(&b, two_records);
            ck_assert_str_eq(b.broker[1].got[0].job.engine, "two");
            ck_assert_uint_ne(b.broker[1].got[0].job.id, b.broker[0].got[0].job.id);
            broker_answer(&b, 1, b.broker[1].got[0].job.id, rows[i].second, reason_of[rows[i].second], "");
        }
        pump(&b, woken);
        assert_verdict(r, rows[i].result, reason_of[rows[i].result], rows[i].decided);
        ck_assert_str_eq(scan_run_words(r), rows[i].words);
        ck_assert_uint_eq(b.broker[0].count + b.broker[1].count, rows[i].jobs);
        ck_assert_uint_eq(scan_run_verdict(r)->queue_us, 10 * rows[i].jobs);
        ck_assert_uint_eq(scan_run_verdict(r)->scan_us, 100 * rows[i].jobs);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_false_alarm_by_digest_is_clean_but_trouble_is_not)
{
    static const char *const by_name[] = {"False.*"};
    static const char *const by_digest[] = {"sha256:abababababababababababababababababababababababababababababababab"};
    static const struct {
        const char *const *ignored;
        enum verdict_class class, result;
        enum verdict_reason reason;
        const char *name;
        bool digest_fits;
    } rows[] = {
        /* the engine passes over such a name itself, or what it says stands */
        {by_name, VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, "False.Alarm", false},
        {by_digest, VERDICT_INFECTED, VERDICT_CLEAN, VERDICT_REASON_NONE, "True.Alarm", true},
        {by_digest, VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, "True.Alarm", false},
        {by_digest, VERDICT_UNSCANNABLE, VERDICT_CLEAN, VERDICT_REASON_LIMIT, "", true},
        {by_digest, VERDICT_ERROR, VERDICT_ERROR, VERDICT_REASON_CRASH, "", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        uint8_t digest[32];
        memset(digest, rows[i].digest_fits ? 0xab : 0xcd, sizeof(digest));
        bench_open(&b, 1);
        b.conf[0].ignore_signatures = (struct conf_list){rows[i].ignored, 1};
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = scan_run_start(
            b.client, &(struct scan_subject){.fd = b.message, .size = 7, .digest = digest}, bench_woken, &b);
        pump(&b, one_record);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].class, rows[i].reason, rows[i].name);
        pump(&b, woken);
        assert_verdict(r, rows[i].result, rows[i].result == VERDICT_CLEAN ? VERDICT_REASON_NONE : rows[i].reason,
                       "one");
        ck_assert_uint_eq(scan_run_verdict(r)->database_version, 42);
        ck_assert_int_eq(strstr(scan_run_verdict(r)->detail, "ignore_signatures") != NULL,
                         rows[i].result == VERDICT_CLEAN);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(scan_off_skips_and_no_engine_is_trouble)
{
    struct bench b;
    bench_open(&b, 0);
    bench_start(&b, false);
    ck_assert(scan_client_settled(b.client));
    struct scan_run *r = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, "");
    scan_run_free(r);
    bench_close(&b);

    bench_open(&b, 1);
    b.fw.scan_off = true;
    bench_start(&b, false);
    broker_open(&b, 0);
    r = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(an_engine_that_is_not_built_is_down_and_counts_as_settled)
{
    struct bench b;
    bench_open(&b, 1);
    b.fw.engines[0].built = false;
    bench_start(&b, false);
    ck_assert(scan_client_settled(b.client));
    struct scan_run *r = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    ck_assert_ptr_nonnull(strstr(scan_run_verdict(r)->detail, "this version"));
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(without_a_channel_a_run_is_down_at_once)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    struct scan_run *r = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(a_loading_engine_gets_its_jobs_and_a_failed_one_does_not)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_status(&b, 0, "one", SCAN_ENGINE_LOADING, "");
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "no signatures in /nowhere");
    pump(&b, one_change);
    ck_assert(scan_client_settled(b.client));
    ck_assert_ptr_null(scan_run_verdict(r)); /* the broker answers its jobs itself */
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    pump(&b, woken);
    struct scan_run *second = start(&b);
    pump(&b, woken_twice);
    assert_verdict(second, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    ck_assert_str_eq(scan_run_verdict(second)->detail, "no signatures in /nowhere");
    ck_assert_uint_eq(b.broker[0].count, 1);
    scan_run_free(r);
    scan_run_free(second);
    bench_close(&b);
}
END_TEST

START_TEST(silence_ends_at_the_deadline_with_a_cancel_and_the_late_answer_is_ignored)
{
    struct bench b;
    bench_open(&b, 1);
    b.conf[0].timeout_ms = 1;
    bench_start(&b, false);
    broker_open(&b, 0);
    uint64_t before = clock_monotonic_us();
    struct scan_run *r = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    ck_assert_uint_ge(clock_monotonic_us() - before, 1001000); /* timeout and the broker's grace */
    pump(&b, two_records);
    ck_assert_int_eq(b.broker[0].got[1].type, SCAN_CANCEL);
    ck_assert_uint_eq(b.broker[0].got[1].cancel, b.broker[0].got[0].job.id);
    /* the late answer does not hit the next run, which is answered in its own time */
    b.conf[0].timeout_ms = 10000;
    struct scan_run *next = start(&b);
    pump(&b, three_records);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_answer(&b, 0, b.broker[0].got[2].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    pump(&b, woken_twice);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    assert_verdict(next, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    scan_run_free(next);
    bench_close(&b);
}
END_TEST

/* C16 */
START_TEST(answers_for_unknown_ids_and_other_channels_are_ignored)
{
    struct bench b;
    bench_open(&b, 2);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_open(&b, 1);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    uint64_t id = b.broker[0].got[0].job.id;
    const uint64_t wrong[] = {0, id + 1, id + 4096, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        broker_answer(&b, 0, wrong[i], VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_answer(&b, 1, id, VERDICT_CLEAN, VERDICT_REASON_NONE, ""); /* the right id from the wrong host */
    broker_status(&b, 1, "two", SCAN_ENGINE_READY, "");
    pump(&b, one_change); /* all of it was read */
    broker_answer(&b, 0, id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    pump(&b, woken);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 5);
    assert_verdict(r, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(jobs_are_answered_in_any_order)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *first = start(&b), *second = start(&b);
    pump(&b, two_records);
    broker_answer(&b, 0, b.broker[0].got[1].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    pump(&b, woken);
    ck_assert_ptr_null(scan_run_verdict(first));
    assert_verdict(second, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, woken_twice);
    assert_verdict(first, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(first);
    scan_run_free(second);
    bench_close(&b);
}
END_TEST

/* Each of these ends the channel; the first run is ERROR protocol, the next one down at once. */
static void send_garbage(struct bench *b)
{
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, SPAN("garbage"), -1), ERR_OK);
}
static void send_too_long(struct bench *b)
{
    unsigned char bytes[SCAN_RECORD_SIZE + 1] = {SCAN_ANSWER};
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, span_of(bytes, sizeof(bytes)), -1), ERR_OK);
}
static void send_descriptor(struct bench *b)
{
    struct scan_record r = {.type = SCAN_ANSWER, .answer.id = b->broker[0].got[0].job.id};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&r, bytes);
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, span_of(bytes, len), b->message), ERR_OK);
}
static void send_job(struct bench *b)
{
    broker_send(b, 0, &b->broker[0].got[0]);
}
static void send_skipped(struct bench *b)
{
    broker_answer(b, 0, b->broker[0].got[0].job.id, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "");
}
static void send_foreign_status(struct bench *b)
{
    broker_status(b, 0, "two", SCAN_ENGINE_READY, ""); /* an engine of the other pool */
}

/* C16 */
START_TEST(a_record_that_makes_no_sense_closes_the_channel)
{
    static void (*const faults[])(struct bench * b) = {send_garbage, send_too_long, send_descriptor,
                                                       send_job,     send_skipped,  send_foreign_status};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct bench b;
        bench_open(&b, 2);
        b.fw.engine_count = 2;
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        pump(&b, one_record);
        faults[i](&b);
        pump(&b, woken);
        assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "one");
        struct scan_run *next = start(&b);
        pump(&b, woken_twice);
        assert_verdict(next, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
        scan_run_free(r);
        scan_run_free(next);
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_host_that_goes_away_ends_its_jobs_and_the_next_one_is_used)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    broker_close(&b, 0);
    broker_open(&b, 0); /* started instead */
    struct scan_run *next = start(&b);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one"); /* it may have been the message */
    pump(&b, one_record);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, woken_twice);
    assert_verdict(next, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    scan_run_free(next);
    bench_close(&b);
}
END_TEST

/* A new generation of the host of pool 0, which takes over; its end stands in broker[1], the one before stays in
 * broker[0]. */
static void broker_replace(struct bench *b)
{
    int fds[2];
    broker_close(b, 1); /* one that was there before, if any */
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    struct broker *br = &b->broker[1];
    br->count = 0;
    br->fd = fds[1];
    broker_args[1] = (struct broker_arg){b, 1};
    loop_watch_init(&br->watch, b->loop, br->fd, broker_ready, &broker_args[1]);
    loop_watch_set(&br->watch, LOOP_READ);
    scan_client_take_over(b->client, 0, ++b->generation, fds[0]);
}

static bool old_one_closed(struct bench *b)
{
    char byte;
    return recv(b->broker[0].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

START_TEST(a_newer_generation_gets_new_jobs_and_the_older_one_finishes_its_own)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *first = start(&b), *given_up = start(&b);
    pump(&b, two_records);
    broker_replace(&b);
    struct scan_run *second = start(&b);
    pump(&b, three_records);
    ck_assert_uint_eq(b.broker[0].count, 2);
    ck_assert_uint_eq(b.broker[1].count, 1);
    broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    pump(&b, woken);
    assert_verdict(second, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    ck_assert_uint_eq(scan_run_verdict(second)->generation, 2);
    ck_assert_ptr_null(scan_run_verdict(first));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "no word of the older one counts");
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, woken_twice);
    assert_verdict(first, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    ck_assert_uint_eq(scan_run_verdict(first)->generation, 1);
    ck_assert(!old_one_closed(&b)); /* it has a job left */
    scan_run_free(given_up);
    struct scan_run *third = start(&b);
    while (recv(b.broker[0].fd, (char[SCAN_RECORD_SIZE]){0}, SCAN_RECORD_SIZE, MSG_DONTWAIT) > 0) /* the cancel */
        ;
    ck_assert(old_one_closed(&b)); /* which is how its host learns that it is done */
    pump(&b, four_records);
    broker_answer(&b, 1, b.broker[1].got[1].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, woken_three_times);
    assert_verdict(third, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(first);
    scan_run_free(second);
    scan_run_free(third);
    bench_close(&b);
}
END_TEST

START_TEST(an_older_generation_without_jobs_is_left_at_once)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_replace(&b);
    ck_assert(old_one_closed(&b));
    bench_close(&b);
}
END_TEST

static unsigned broken_calls;
static void count_broken(void *arg, int pool, unsigned generation)
{
    (void)arg, (void)pool, (void)generation;
    broken_calls++;
}

START_TEST(the_jobs_of_an_older_generation_that_dies_or_raves_are_scanned_by_the_newer_one)
{
    for (int raves = 0; raves < 2; raves++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, false);
        scan_client_on_broken(b.client, count_broken, NULL);
        broken_calls = 0;
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        pump(&b, one_record);
        broker_replace(&b);
        if (raves)
            send_garbage(&b);
        else
            broker_close(&b, 0);
        pump(&b, two_records);
        ck_assert_uint_eq(b.broker[1].count, 1);
        ck_assert_str_eq(b.broker[1].got[0].job.engine, "one");
        ck_assert(b.broker[1].with_fd[0]);
        broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
        pump(&b, woken);
        assert_verdict(r, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
        ck_assert_uint_eq(scan_run_verdict(r)->generation, 2);
        ck_assert_uint_eq(broken_calls, 0); /* whoever serves now has done nothing wrong */
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

static bool host_is_missed(struct bench *b)
{
    unsigned generation;
    (void)scan_client_status(b->client, 0, &generation);
    return generation == 0;
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* Runs the loop until the client knows that the host of pool 0 has ended: its end makes no event of its own here. */
static void pump_until_missed(struct bench *b)
{
    while (!host_is_missed(b)) {
        struct loop_deferred turn;
        loop_deferred_init(&turn, stop_loop, b->loop);
        loop_defer(b->loop, &turn);
        loop_run(b->loop);
    }
}

START_TEST(a_job_whose_host_died_before_the_next_one_took_over_is_asked_there_once)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    struct scan_job first = b.broker[0].got[0].job;
    broker_close(&b, 0);
    pump_until_missed(&b);
    struct scan_run *late = start(&b); /* comes when there is no host at all */
    ck_assert_uint_eq(b.wakes, 0);
    broker_replace(&b);
    pump(&b, three_records);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert_uint_eq(b.broker[1].count, 2);
    const struct scan_job *again = &b.broker[1].got[0].job;
    ck_assert(b.broker[1].with_fd[0] && b.broker[1].with_fd[1]);
    ck_assert_uint_ne(again->id, first.id);
    ck_assert_uint_eq(again->deadline_us, first.deadline_us); /* it gets no more time than it had */
    broker_answer(&b, 1, b.broker[1].got[1].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, woken);
    assert_verdict(late, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    broker_close(&b, 1); /* the second host that dies while it has the message */
    pump_until_missed(&b);
    pump(&b, woken_twice);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    scan_run_free(r);
    scan_run_free(late);
    bench_close(&b);
}
END_TEST

START_TEST(a_job_that_nobody_takes_over_is_down_soon)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    broker_close(&b, 0);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    struct scan_run *next = start(&b); /* and from then on at once */
    pump(&b, woken_twice);
    assert_verdict(next, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    scan_run_free(r);
    scan_run_free(next);
    bench_close(&b);
}
END_TEST

START_TEST(a_job_that_waits_for_a_host_may_be_given_up_or_run_out_of_time)
{
    struct bench b;
    bench_open(&b, 1);
    b.conf[0].timeout_ms = 1; /* and the grace of a second, which ends before the wait does */
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *given_up = start(&b), *r = start(&b);
    pump(&b, two_records);
    broker_close(&b, 0);
    pump_until_missed(&b);
    scan_run_free(given_up);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    broker_replace(&b); /* nobody is left to ask it */
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(the_jobs_of_a_host_that_dies_are_not_given_to_the_one_that_was_started_for_it)
{
    struct bench b;
    int fds[2];
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    /* The news of the new one is here before the old one's end was seen. */
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    scan_client_attach(b.client, 0, ++b.generation, fds[0]);
    broker_close(&b, 0);
    pump(&b, woken);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    scan_run_free(r);
    close(fds[1]);
    bench_close(&b);
}
END_TEST

START_TEST(each_engine_has_the_generation_that_it_met_and_is_remembered_under_it)
{
    struct bench b;
    struct verdict known;
    uint8_t digest[32];
    memset(digest, 0xd1, sizeof(digest));
    bench_open(&b, 2);
    b.fw.engines[1].pool = "CPU";
    b.conf[0].database = "signatures";
    b.conf[0].cache_size = 10;
    b.conf[0].cache_clean = true;
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    broker_replace(&b);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    pump(&b, two_records);
    ck_assert_str_eq(b.broker[1].got[0].job.engine, "two");
    broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    pump(&b, woken);
    assert_verdict(r, VERDICT_INFECTED, VERDICT_REASON_NONE, "two");
    ck_assert_uint_eq(scan_run_verdict(r)->generation, 2);
    for (unsigned generation = 1; generation <= 2; generation++) {
        const struct verdict_cache_view view = {.generation = generation, .database_version = 42};
        bool found = verdict_cache_find(b.runtime->engines[0].cache, digest, view, loop_now_us(b.loop), &known);
        ck_assert_msg(found == (generation == 1), "generation %u", generation);
    }
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(a_full_channel_is_overload_at_once)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    int fds[2], small = 1;
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    scan_client_attach(b.client, 0, 1, fds[0]); /* nobody reads fds[1] */
    struct scan_run *runs[1024];
    size_t count = 0;
    while (count < ARRAY_SIZE(runs) && !woken(&b)) {
        runs[count] = start(&b);
        if (!scan_run_verdict(runs[count++]))
            continue;
        pump(&b, woken);
    }
    ck_assert_uint_eq(b.wakes, 1);
    ck_assert_uint_gt(count, 1);
    assert_verdict(runs[count - 1], VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "one");
    for (size_t i = 0; i < count; i++)
        scan_run_free(runs[i]);
    close(fds[1]);
    bench_close(&b);
}
END_TEST

START_TEST(a_run_given_up_is_cancelled_and_never_wakes)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    pump(&b, one_record);
    scan_run_free(r);
    pump(&b, two_records);
    ck_assert_int_eq(b.broker[0].got[1].type, SCAN_CANCEL);
    ck_assert_uint_eq(b.broker[0].got[1].cancel, b.broker[0].got[0].job.id);
    ck_assert(!b.broker[0].with_fd[1]);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_status(&b, 0, "one", SCAN_ENGINE_READY, "");
    pump(&b, one_change);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 1);
    /* and one whose verdict is known, but whose wake has not come yet */
    b.fw.scan_off = true;
    scan_run_free(start(&b));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "");
    pump(&b, two_changes);
    ck_assert_uint_eq(b.wakes, 0);
    bench_close(&b);
}
END_TEST

static void free_and_count(void *arg);
struct self_freeing {
    struct bench *bench;
    struct scan_run *run;
};
static void free_and_count(void *arg)
{
    struct self_freeing *s = arg;
    scan_run_free(s->run);
    bench_woken(s->bench);
}

START_TEST(a_run_may_be_freed_by_its_wake)
{
    struct bench b;
    bench_open(&b, 0);
    bench_start(&b, false);
    uint8_t digest[32] = {0};
    struct self_freeing s = {.bench = &b};
    s.run = scan_run_start(b.client, &(struct scan_subject){.fd = b.message, .size = 7, .digest = digest},
                           free_and_count, &s);
    pump(&b, woken);
    bench_close(&b);
}
END_TEST

START_TEST(the_client_is_settled_when_every_built_engine_has_reported)
{
    struct bench b;
    bench_open(&b, 3);
    b.fw.engines[2].built = false;
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_open(&b, 1);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 0, "one", SCAN_ENGINE_READY, "");
    pump(&b, one_change);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 1, "two", SCAN_ENGINE_FAILED, "");
    pump(&b, two_changes);
    ck_assert(scan_client_settled(b.client));
    broker_close(&b, 0);
    broker_open(&b, 0); /* a restart of a host does not take that back */
    ck_assert(scan_client_settled(b.client));
    bench_close(&b);
}
END_TEST

START_TEST(the_loss_of_a_host_and_its_return_are_logged_where_asked_and_what_the_host_says_itself_is_not)
{
    for (int asked = 0; asked < 2; asked++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, asked);
        broker_open(&b, 0);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        pump(&b, one_change);
        broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "it broke");
        pump(&b, two_changes);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        pump(&b, three_changes);
        ck_assert_uint_eq(b.line_count, 0);
        struct scan_run *r = start(&b);
        broker_close(&b, 0);
        pump(&b, woken);
        scan_run_free(r);
        broker_open(&b, 0);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        pump(&b, four_changes);
        ck_assert_uint_eq(b.line_count, asked ? 2 : 0);
        if (asked) {
            static const char *const ready[] = {" engine-ready ",         "engine=one",   "pool=CPU",
                                                "database_version=27500", "signatures=3", "detail=1.4.6"};
            for (size_t i = 0; i < ARRAY_SIZE(ready); i++)
                ck_assert_msg(strstr(b.lines[1], ready[i]) != NULL, "%s in %s", ready[i], b.lines[1]);
            ck_assert_ptr_nonnull(strstr(b.lines[0], " engine-down engine=one"));
            ck_assert_ptr_nonnull(strstr(b.lines[0], "the scan host closed the channel"));
        }
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_channel_for_a_pool_that_is_not_there_is_closed)
{
    struct bench b;
    int fds[2];
    bench_open(&b, 1);
    bench_start(&b, false);
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    scan_client_attach(b.client, POOLS, 1, fds[0]);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
    bench_close(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_job_names_engine_size_digest_and_deadline_and_carries_the_message)                                             \
    X(an_answer_becomes_the_verdict_under_our_own_name_of_the_engine)                                                  \
    X(engines_scan_in_order_and_the_strictest_decides)                                                                 \
    X(a_false_alarm_by_digest_is_clean_but_trouble_is_not)                                                             \
    X(scan_off_skips_and_no_engine_is_trouble)                                                                         \
    X(an_engine_that_is_not_built_is_down_and_counts_as_settled)                                                       \
    X(without_a_channel_a_run_is_down_at_once)                                                                         \
    X(a_loading_engine_gets_its_jobs_and_a_failed_one_does_not)                                                        \
    X(silence_ends_at_the_deadline_with_a_cancel_and_the_late_answer_is_ignored)                                       \
    X(answers_for_unknown_ids_and_other_channels_are_ignored)                                                          \
    X(jobs_are_answered_in_any_order)                                                                                  \
    X(a_record_that_makes_no_sense_closes_the_channel)                                                                 \
    X(a_host_that_goes_away_ends_its_jobs_and_the_next_one_is_used)                                                    \
    X(a_newer_generation_gets_new_jobs_and_the_older_one_finishes_its_own)                                             \
    X(an_older_generation_without_jobs_is_left_at_once)                                                                \
    X(the_jobs_of_an_older_generation_that_dies_or_raves_are_scanned_by_the_newer_one)                                 \
    X(a_job_whose_host_died_before_the_next_one_took_over_is_asked_there_once)                                         \
    X(a_job_that_nobody_takes_over_is_down_soon)                                                                       \
    X(a_job_that_waits_for_a_host_may_be_given_up_or_run_out_of_time)                                                  \
    X(the_jobs_of_a_host_that_dies_are_not_given_to_the_one_that_was_started_for_it)                                   \
    X(each_engine_has_the_generation_that_it_met_and_is_remembered_under_it)                                           \
    X(a_full_channel_is_overload_at_once)                                                                              \
    X(a_run_given_up_is_cancelled_and_never_wakes)                                                                     \
    X(a_run_may_be_freed_by_its_wake)                                                                                  \
    X(the_client_is_settled_when_every_built_engine_has_reported)                                                      \
    X(the_loss_of_a_host_and_its_return_are_logged_where_asked_and_what_the_host_says_itself_is_not)                   \
    X(a_channel_for_a_pool_that_is_not_there_is_closed)
#include "support/check_main.h"
