/* SPDX-License-Identifier: MIT */
/* For tests of this folder: a loop with a scan client, one engine "one", and a broker that answers every job as the
 * test has told it to. */
#ifndef SCAN_ONE_ENGINE_H
#define SCAN_ONE_ENGINE_H

#include "io/deadline.h"
#include "scan/scan_run.h"
#include "sys/fdpass.h"
#include "sys/memfd.h"
#include <check.h>
#include <unistd.h>

enum { RIG_GUARD_MS = 20000, RIG_LINES = 64 };

struct rig {
    struct loop *loop;
    struct framework fw;
    struct engine_conf conf;
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct log log;
    char lines[RIG_LINES][LIMIT_LOG_LINE];
    size_t line_count;
    /* the broker */
    int fd;
    struct loop_watch watch;
    unsigned generation, jobs, cancels, inspections, with_parts;
    unsigned patterns;                                            /* test strings among the jobs */
    struct verdict answer;                                        /* to what is no test string */
    struct verdict answer_pattern, answer_deep, answer_encrypted; /* to texts of ours */
    bool silent, in_worker; /* IN_WORKER: its overload is that of the engine, not of the queue */
    uint64_t version;       /* of the database */
    enum scan_test_string test_string;
    /* waiting */
    bool (*until)(struct rig *r);
    struct deadline guard;
    unsigned wakes, done;
    int message;
};

static inline void rig_look(struct rig *r)
{
    if (r->until && r->until(r))
        loop_stop(r->loop);
}

static inline void rig_guard(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static inline void rig_wait(struct rig *r, bool (*until)(struct rig *r))
{
    if (until(r))
        return;
    r->until = until;
    deadline_set_ms(&r->guard, RIG_GUARD_MS);
    loop_run(r->loop);
    deadline_clear(&r->guard);
    r->until = NULL;
}

static inline void rig_log_line(void *arg, enum log_level level, struct span line)
{
    struct rig *r = arg;
    (void)level;
    ck_assert_uint_lt(r->line_count, RIG_LINES);
    snprintf(r->lines[r->line_count++], LIMIT_LOG_LINE, "%.*s", SPAN_ARG(line));
    rig_look(r);
}

static inline uint64_t rig_log_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* The first line from number FROM on that holds both; NULL: none. */
static inline const char *rig_line(const struct rig *r, size_t from, const char *event, const char *field)
{
    for (size_t i = from; i < r->line_count; i++)
        if (strstr(r->lines[i], event) && strstr(r->lines[i], field))
            return r->lines[i];
    return NULL;
}

static inline void rig_send(struct rig *r, const struct scan_record *record)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(record, bytes);
    ck_assert_int_eq(fdpass_send(r->fd, span_of(bytes, len), -1), ERR_OK);
}

static inline void rig_status(struct rig *r, enum scan_engine_state state)
{
    struct scan_record record = {.type = SCAN_STATUS, .status = {.state = state, .signatures = 1}};
    record.status.database_version = r->version;
    record.status.test_string = r->test_string;
    verdict_copy_text(record.status.engine, sizeof(record.status.engine), SPAN("one"));
    rig_send(r, &record);
}

static inline struct verdict rig_answer_to(struct rig *r, int fd)
{
    char head[4] = "";
    ck_assert_int_eq(pread(fd, head, sizeof(head), 0), sizeof(head));
    if (memcmp(head, "X5O!", sizeof(head)) == 0) {
        r->patterns++;
        return r->answer_pattern;
    }
    if (memcmp(head, "\x1f\x8b\x08", 3) == 0)
        return r->answer_deep;
    return memcmp(head, "PK\3\4", sizeof(head)) == 0 ? r->answer_encrypted : r->answer;
}

/* Takes a message apart into a file with one content; the edge looks at no more of it than its size. */
static inline void rig_inspect(struct rig *r, const struct scan_job *job, int parts)
{
    static const char file[] = "one content, and what else is in such a file";
    struct scan_record record = {.type = SCAN_INSPECTION};
    ck_assert_str_eq(job->engine, SCAN_INSPECTOR);
    ck_assert_int_eq(write(parts, file, sizeof(file)), sizeof(file));
    r->inspections++;
    record.inspected.id = job->id;
    record.inspected.inspection = (struct scan_inspection){.size = sizeof(file), .contents = 1, .parts = 1};
    close(parts); /* nobody may hold it */
    rig_send(r, &record);
}

static inline void rig_job(struct rig *r, const struct scan_job *job, const int fds[FDPASS_MAX])
{
    struct scan_record record = {.type = SCAN_ANSWER};
    int fd = fds[0];
    ck_assert_int_ge(fd, 0);
    if (job->kind == SCAN_JOB_INSPECT) {
        rig_inspect(r, job, fds[1]);
        return;
    }
    ck_assert_str_eq(job->engine, "one");
    r->with_parts += job->parts_size > 0;
    ck_assert_int_eq(fds[1] >= 0, job->parts_size > 0);
    if (fds[1] >= 0)
        close(fds[1]);
    r->jobs++;
    record.answer.id = job->id;
    record.answer.verdict = rig_answer_to(r, fd);
    record.answer.verdict.database_version = r->version;
    record.answer.verdict.scan_us = r->answer.reason == VERDICT_REASON_OVERLOAD && !r->in_worker ? 0 : 100;
    if (!r->silent)
        rig_send(r, &record);
}

static inline void rig_broker_ready(void *arg, int events)
{
    struct rig *r = arg;
    (void)events;
    for (;;) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fds[FDPASS_MAX];
        struct scan_record record;
        enum err e = fdpass_recv_many(r->fd, bytes, sizeof(bytes), &len, fds);
        if (e == ERR_AGAIN)
            break;
        if (e == ERR_CLOSED) {
            loop_watch_set(&r->watch, 0);
            break;
        }
        ck_assert_int_eq(e, ERR_OK);
        ck_assert_int_eq(scan_record_decode(span_of(bytes, len), &record), ERR_OK);
        if (record.type == SCAN_JOB)
            rig_job(r, &record.job, fds);
        else
            r->cancels++;
        if (fds[0] >= 0)
            close(fds[0]);
    }
    rig_look(r);
}

static inline void rig_changed(void *arg)
{
    struct rig *r = arg;
    rig_look(r);
}

static inline void rig_detach(struct rig *r)
{
    if (r->fd < 0)
        return;
    loop_watch_stop(&r->watch);
    close(r->fd);
    r->fd = -1;
}

static inline bool rig_is_ready(struct rig *r)
{
    unsigned generation;
    const struct scan_status *s = scan_client_status(r->client, 0, &generation);
    return s->state == SCAN_ENGINE_READY && generation == r->generation && s->database_version == r->version;
}

/* A new generation of the host, which reports READY. */
static inline void rig_attach(struct rig *r)
{
    int fds[2];
    rig_detach(r);
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    r->fd = fds[1];
    loop_watch_init(&r->watch, r->loop, r->fd, rig_broker_ready, r);
    loop_watch_set(&r->watch, LOOP_READ);
    scan_client_attach(r->client, 0, ++r->generation, fds[0]);
    rig_status(r, SCAN_ENGINE_READY);
    rig_wait(r, rig_is_ready);
}

static inline void rig_say(struct verdict *answer, enum verdict_class class, enum verdict_reason reason,
                           const char *name)
{
    verdict_set(answer, class, reason, NULL);
    verdict_copy_text(answer->name, sizeof(answer->name), span_cstr(name));
}

/* CONF with a timeout, for an engine of the class TYPE; it finds everything clean, but knows the test string, and what
 * it cannot look at. */
static inline void rig_open_as(struct rig *r, const char *type, const struct engine_conf *conf)
{
    memset(r, 0, sizeof(*r));
    r->loop = loop_new();
    ck_assert_ptr_nonnull(r->loop);
    deadline_init(&r->guard, r->loop, rig_guard, r);
    r->conf = *conf;
    r->conf.enabled = true;
    r->conf.error_code = 451;
    if (r->conf.timeout_ms == 0)
        r->conf.timeout_ms = 10000;
    r->fw.engine_count = 1;
    r->fw.engines[0] =
        (struct framework_engine){.name = "one", .type = type, .pool = "CPU", .built = true, .conf = &r->conf};
    r->fw.pool_count = 1;
    r->fw.pools[0] = (struct framework_pool){.name = "CPU", .conf.backlog = 100};
    r->log = (struct log){.write = rig_log_line, .wallclock_ms = rig_log_clock, .arg = r, .min_level = LOG_LEVEL_DEBUG};
    r->fd = -1;
    r->version = 27500;
    rig_say(&r->answer, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    rig_say(&r->answer_pattern, VERDICT_INFECTED, VERDICT_REASON_NONE, "Test.String");
    rig_say(&r->answer_deep, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "");
    rig_say(&r->answer_encrypted, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "");
    r->message = memfd_new("message");
    ck_assert_int_ge(r->message, 0);
    ck_assert_int_eq(write(r->message, "Message", 7), 7);
    r->runtime = scan_runtime_new(&r->fw);
    ck_assert_ptr_nonnull(r->runtime);
    r->client = scan_client_new(r->loop, r->runtime, &r->log, true);
    ck_assert_ptr_nonnull(r->client);
    scan_client_on_change(r->client, rig_changed, r);
    rig_attach(r);
}

static inline void rig_open(struct rig *r, const struct engine_conf *conf)
{
    rig_open_as(r, "fake", conf);
}

static inline void rig_close(struct rig *r)
{
    scan_client_free(r->client);
    scan_runtime_free(r->runtime);
    rig_detach(r);
    close(r->message);
    loop_free(r->loop);
}

static inline void rig_woken(void *arg)
{
    struct rig *r = arg;
    r->wakes++;
    rig_look(r);
}

static inline bool rig_is_woken(struct rig *r)
{
    return r->wakes > 0;
}

static inline struct scan_run *rig_start(struct rig *r, uint8_t digest_octet)
{
    uint8_t digest[32];
    memset(digest, digest_octet, sizeof(digest));
    r->wakes = 0;
    const struct scan_subject subject = {.fd = r->message, .size = 7, .digest = digest};
    struct scan_run *run = scan_run_start(r->client, &subject, rig_woken, r);
    ck_assert_ptr_nonnull(run);
    return run;
}

/* The verdict on a message with that digest; WORDS (may be NULL) as in the log. */
static inline struct verdict rig_scan(struct rig *r, uint8_t digest_octet, char words[256])
{
    struct scan_run *run = rig_start(r, digest_octet);
    rig_wait(r, rig_is_woken);
    struct verdict v = *scan_run_verdict(run);
    if (words)
        snprintf(words, 256, "%s", scan_run_words(run));
    scan_run_free(run);
    return v;
}

#endif
