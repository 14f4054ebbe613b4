/* SPDX-License-Identifier: MIT */
/* When a message is taken apart, who gets the parts, and what follows for each engine; over a real channel to a broker
 * that answers as the test has told it to (B34). */
#include "io/deadline.h"
#include "scan/scan_run.h"
#include "sys/fdpass.h"
#include "sys/memfd.h"
#include "unit/scan/parts_sample.h"
#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ENGINES = 3, GUARD_MS = 20000, PARTS_SIZE = 5 };

struct rig {
    struct loop *loop;
    struct framework fw;
    struct engine_conf conf[ENGINES];
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct log log;
    int fd, message;
    struct loop_watch watch;
    struct deadline guard;
    struct verdict answers[ENGINES], inspection_answer; /* ERROR: the inspection fails with it */
    struct scan_inspection inspection;
    uint64_t really_written;
    struct buf file;   /* what is written; empty: zeros */
    uint8_t digest;    /* of the next message */
    bool hold, silent; /* the broker keeps a writable mapping; it does not answer inspections */
    bool answers_wrongly;
    void *held;
    char seen[256]; /* what was asked, in its order: "inspect one two+parts" */
    unsigned wakes, broken;
    bool (*until)(struct rig *r);
};

static void look(struct rig *r)
{
    if (r->until && r->until(r))
        loop_stop(r->loop);
}

static void guard_expired(void *arg)
{
    ck_abort_msg("the awaited event did not come; seen: %s", ((struct rig *)arg)->seen);
}

static void pump(struct rig *r, bool (*until)(struct rig *r))
{
    if (until(r))
        return;
    r->until = until;
    deadline_set_ms(&r->guard, GUARD_MS);
    loop_run(r->loop);
    deadline_clear(&r->guard);
    r->until = NULL;
}

static bool woken(struct rig *r)
{
    return r->wakes > 0;
}

static bool asked(struct rig *r)
{
    return r->seen[0] != '\0';
}

static bool broken(struct rig *r)
{
    return r->broken > 0;
}

static void send_record(struct rig *r, const struct scan_record *record)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    ck_assert_int_eq(fdpass_send(r->fd, span_of(bytes, scan_record_encode(record, bytes)), -1), ERR_OK);
}

static void note(struct rig *r, const char *what, const char *more)
{
    size_t len = strlen(r->seen);
    snprintf(r->seen + len, sizeof(r->seen) - len, "%s%s%s", len > 0 ? " " : "", what, more);
}

static void answer_inspection(struct rig *r, const struct scan_job *job, int parts)
{
    struct scan_record record = {.type = SCAN_INSPECTION};
    char zeros[PARTS_SIZE] = {0};
    ck_assert_int_ge(parts, 0);
    ck_assert_int_eq(lseek(parts, 0, SEEK_END), 0); /* empty, and its own */
    struct span octets = buf_len(&r->file) ? buf_span(&r->file) : span_of(zeros, r->really_written);
    ck_assert_int_eq(write(parts, octets.ptr, octets.len), (ssize_t)octets.len);
    if (r->hold)
        r->held = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, parts, 0);
    record.inspected.id = job->id;
    record.inspected.inspection = r->inspection;
    if (r->inspection_answer.class == VERDICT_ERROR || r->answers_wrongly) {
        record.type = SCAN_ANSWER;
        record.answer.id = job->id;
        record.answer.verdict = r->inspection_answer;
    }
    note(r, "inspect", "");
    if (!r->silent)
        send_record(r, &record);
}

static void answer_engine(struct rig *r, const struct scan_job *job, int parts)
{
    struct scan_record record = {.type = SCAN_ANSWER, .answer.id = job->id};
    size_t engine = job->engine[0] == 'o' ? 0 : job->engine[1] == 'w' ? 1 : 2;
    ck_assert_int_eq(job->parts_size > 0, parts >= 0);
    if (parts >= 0) {
        ck_assert_uint_eq(job->parts_size, r->inspection.size);
        ck_assert_int_eq(lseek(parts, 0, SEEK_END), (off_t)r->inspection.size);
        ck_assert_int_eq(write(parts, "x", 1), -1); /* sealed */
    }
    record.answer.verdict = r->answers[engine];
    note(r, job->engine, parts >= 0 ? "+parts" : "");
    if (r->answers_wrongly) {
        record = (struct scan_record){.type = SCAN_INSPECTION, .inspected.id = job->id};
        record.inspected.inspection = r->inspection;
    }
    send_record(r, &record);
}

static void broker_ready(void *arg, int events)
{
    struct rig *r = arg;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len;
    int fds[FDPASS_MAX];
    struct scan_record record;
    (void)events;
    for (enum err e; (e = fdpass_recv_many(r->fd, bytes, sizeof(bytes), &len, fds)) != ERR_AGAIN;) {
        if (e == ERR_CLOSED) {
            loop_watch_set(&r->watch, 0);
            break;
        }
        ck_assert_int_eq(e, ERR_OK);
        ck_assert_int_eq(scan_record_decode(span_of(bytes, len), &record), ERR_OK);
        if (record.type == SCAN_CANCEL) {
            note(r, "cancel", "");
            continue;
        }
        ck_assert_int_eq(record.type, SCAN_JOB);
        ck_assert_int_ge(fds[0], 0);
        if (record.job.kind == SCAN_JOB_INSPECT)
            answer_inspection(r, &record.job, fds[1]);
        else
            answer_engine(r, &record.job, fds[1]);
        for (size_t i = 0; i < FDPASS_MAX; i++)
            if (fds[i] >= 0)
                close(fds[i]);
    }
    look(r);
}

static void log_line(void *arg, enum log_level level, struct span line)
{
    (void)arg, (void)level, (void)line;
}

static uint64_t log_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void channel_broken(void *arg, int pool, unsigned generation)
{
    struct rig *r = arg;
    (void)pool, (void)generation;
    r->broken++;
    look(r);
}

/* Host number GENERATION. */
static void attach(struct rig *r, unsigned generation)
{
    int fds[2];
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    r->fd = fds[1];
    loop_watch_init(&r->watch, r->loop, r->fd, broker_ready, r);
    loop_watch_set(&r->watch, LOOP_READ);
    scan_client_attach(r->client, 0, generation, fds[0]);
}

/* Another host takes over, and the one before ends. */
static void replace(struct rig *r)
{
    int old = r->fd;
    loop_watch_stop(&r->watch);
    attach(r, 2);
    close(old);
}

/* Engines "one", "two" and "three", of which nobody asks for an inspection; all find everything clean. */
static void rig_init(struct rig *r)
{
    static const char *const names[ENGINES] = {"one", "two", "three"};
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < ENGINES; i++) {
        r->conf[i] = (struct engine_conf){.enabled = true, .error_code = 451, .timeout_ms = 10000};
        r->fw.engines[i] = (struct framework_engine){
            .name = names[i], .type = "fake", .pool = "CPU", .built = true, .conf = &r->conf[i]};
        verdict_set(&r->answers[i], VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    }
    r->fw.engine_count = ENGINES;
    r->fw.pool_count = 1;
    r->fw.pools[0] = (struct framework_pool){.name = "CPU", .conf.backlog = 100};
    r->inspection = (struct scan_inspection){.size = PARTS_SIZE, .contents = 2, .parts = 3};
    r->really_written = PARTS_SIZE;
    buf_init(&r->file, 65536);
}

static void rig_open(struct rig *r)
{
    r->loop = loop_new();
    ck_assert_ptr_nonnull(r->loop);
    deadline_init(&r->guard, r->loop, guard_expired, r);
    r->log = (struct log){.write = log_line, .wallclock_ms = log_clock};
    r->message = memfd_new("message");
    ck_assert_int_eq(write(r->message, "Message", 7), 7);
    r->runtime = scan_runtime_new(&r->fw);
    ck_assert_ptr_nonnull(r->runtime);
    r->client = scan_client_new(r->loop, r->runtime, &r->log, false);
    ck_assert_ptr_nonnull(r->client);
    scan_client_on_broken(r->client, channel_broken, r);
    attach(r, 1);
}

static void rig_close(struct rig *r)
{
    ck_assert_uint_eq(atomic_load(&r->runtime->parts_memory), 0);
    scan_client_free(r->client);
    scan_runtime_free(r->runtime);
    loop_watch_stop(&r->watch);
    close(r->fd);
    close(r->message);
    buf_release(&r->file);
    if (r->held)
        munmap(r->held, 4096);
    loop_free(r->loop);
}

static void wake(void *arg)
{
    struct rig *r = arg;
    r->wakes++;
    look(r);
}

static struct scan_run *start(struct rig *r)
{
    const uint8_t digest[32] = {0xd1, r->digest};
    r->wakes = 0;
    struct scan_run *run =
        scan_run_start(r->client, &(struct scan_subject){.fd = r->message, .size = 7, .digest = digest}, wake, r);
    ck_assert_ptr_nonnull(run);
    return run;
}

/* Scans one message and forgets the rig. */
static struct verdict scan_once(struct rig *r)
{
    rig_open(r);
    struct scan_run *run = start(r);
    pump(r, woken);
    struct verdict v = *scan_run_verdict(run);
    scan_run_free(run);
    rig_close(r);
    return v;
}

START_TEST(a_message_is_taken_apart_once_before_the_first_engine_that_asks_for_it)
{
    static const struct {
        const char *decompose, *paranoid; /* numbers of engines */
        const char *seen;
    } rows[] = {
        {"", "", "one two three"},
        {"0", "", "inspect one+parts two three"},
        {"1", "", "one inspect two+parts three"},
        {"12", "", "one inspect two+parts three+parts"},
        {"2", "", "one two inspect three+parts"},
        {"", "1", "one inspect two three"},
        {"0", "012", "inspect one+parts two three"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        for (size_t e = 0; e < ENGINES; e++) {
            r.conf[e].mime_decompose = strchr(rows[i].decompose, (int)('0' + e)) != NULL;
            r.conf[e].paranoid = strchr(rows[i].paranoid, (int)('0' + e)) != NULL;
        }
        struct verdict v = scan_once(&r);
        ck_assert_str_eq(r.seen, rows[i].seen);
        ck_assert_int_eq(v.class, VERDICT_CLEAN);
    }
}
END_TEST

START_TEST(what_needs_no_inspection_any_more_gets_none)
{
    struct rig r;
    rig_init(&r);
    r.conf[1].mime_decompose = true;
    verdict_set(&r.answers[0], VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    struct verdict v = scan_once(&r);
    ck_assert_str_eq(r.seen, "one");
    ck_assert_int_eq(v.class, VERDICT_INFECTED);
}
END_TEST

START_TEST(a_message_without_contents_of_its_own_brings_no_file)
{
    struct rig r;
    rig_init(&r);
    r.conf[0].mime_decompose = true;
    r.inspection.contents = 0;
    scan_once(&r);
    ck_assert_str_eq(r.seen, "inspect one two three");
}
END_TEST

START_TEST(an_inspection_that_fails_is_an_error_of_the_engines_that_asked_for_it)
{
    static const struct {
        int on_error; /* of engine one, which asks */
        enum verdict_class says, class;
        const char *engine;
    } rows[] = {
        {ON_ERROR_ERROR_CODE, VERDICT_CLEAN, VERDICT_ERROR, "one"},
        {ON_ERROR_NEXT, VERDICT_CLEAN, VERDICT_CLEAN, "two"},
        {ON_ERROR_ERROR_CODE, VERDICT_INFECTED, VERDICT_INFECTED, "one"}, /* in the message as a whole */
        {ON_ERROR_PASS, VERDICT_INFECTED, VERDICT_INFECTED, "one"},
        {ON_ERROR_ERROR_CODE, VERDICT_UNSCANNABLE, VERDICT_UNSCANNABLE, "one"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.conf[0].mime_decompose = true;
        r.conf[0].on_error = rows[i].on_error;
        verdict_set(&r.inspection_answer, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSEGV");
        verdict_set(&r.answers[0], rows[i].says,
                    rows[i].says == VERDICT_UNSCANNABLE ? VERDICT_REASON_LIMIT : VERDICT_REASON_NONE, NULL);
        struct verdict v = scan_once(&r);
        ck_assert_msg(strncmp(r.seen, "inspect one", 11) == 0 && !strstr(r.seen, "parts"), "%s", r.seen);
        ck_assert_msg(v.class == rows[i].class, "row %zu: %s", i, verdict_class_word(v.class));
        ck_assert_str_eq(v.engine, rows[i].engine);
        if (v.class == VERDICT_ERROR)
            ck_assert_int_eq(v.reason, VERDICT_REASON_CRASH);
    }
}
END_TEST

START_TEST(a_file_that_is_not_what_the_worker_says_is_trouble)
{
    static const struct {
        uint64_t written, said;
        bool hold;
    } rows[] = {{4, 5, false}, {5, 4, false}, {0, 5, false}, {5, 5, true}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.conf[0].mime_decompose = true;
        r.really_written = rows[i].written;
        r.inspection.size = rows[i].said;
        r.hold = rows[i].hold;
        struct verdict v = scan_once(&r);
        ck_assert_int_eq(v.class, VERDICT_ERROR);
        ck_assert_int_eq(v.reason, VERDICT_REASON_PROTOCOL);
        ck_assert_str_eq(r.seen, "inspect one two three");
    }
}
END_TEST

START_TEST(an_answer_to_another_question_closes_the_channel)
{
    for (int inspect = 0; inspect < 2; inspect++) {
        struct rig r;
        rig_init(&r);
        r.conf[0].mime_decompose = inspect;
        r.answers_wrongly = true; /* a verdict to an inspection, an inspection to an engine's job */
        rig_open(&r);
        struct scan_run *run = start(&r);
        pump(&r, broken);
        ck_assert_ptr_null(scan_run_verdict(run));
        r.answers_wrongly = false;
        replace(&r); /* by one that knows what it was asked */
        pump(&r, woken);
        ck_assert_int_eq(scan_run_verdict(run)->class, VERDICT_CLEAN);
        scan_run_free(run);
        rig_close(&r);
    }
}
END_TEST

START_TEST(what_cannot_be_looked_at_has_its_reason_and_action)
{
    static const struct {
        enum mime_defect defect;
        enum verdict_reason reason;
    } rows[] = {
        {MIME_DEFECT_ENCRYPTED_PGP, VERDICT_REASON_ENCRYPTED},  {MIME_DEFECT_ENCRYPTED_SMIME, VERDICT_REASON_ENCRYPTED},
        {MIME_DEFECT_ENCRYPTED_FILE, VERDICT_REASON_ENCRYPTED}, {MIME_DEFECT_PARTIAL, VERDICT_REASON_PARTIAL},
        {MIME_DEFECT_EXTERNAL_BODY, VERDICT_REASON_EXTERNAL},   {MIME_DEFECT_LIMIT, VERDICT_REASON_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.conf[1].mime_decompose = true;
        r.conf[1].on_reason[rows[i].reason] = ON_UNSCANNABLE_QUARANTINE;
        r.inspection.defects = mime_defect_bit(rows[i].defect);
        struct verdict v = scan_once(&r);
        ck_assert_int_eq(v.class, VERDICT_UNSCANNABLE);
        ck_assert_str_eq(verdict_reason_word(v.reason), verdict_reason_word(rows[i].reason));
        ck_assert_str_eq(v.engine, "two");
        ck_assert_int_eq(framework_action(&r.fw, &v), SCAN_ACTION_QUARANTINE);
        /* engines that were not asked to take messages apart have nothing against it */
        rig_init(&r);
        r.conf[1].paranoid = true;
        r.inspection.defects = mime_defect_bit(rows[i].defect);
        v = scan_once(&r);
        ck_assert_int_eq(v.class, rows[i].defect == MIME_DEFECT_LIMIT ? VERDICT_INFECTED : VERDICT_CLEAN);
    }
}
END_TEST

START_TEST(encrypted_files_are_passed_over_where_the_libraries_stanza_says_so)
{
    static const char *const servers[] = {"127.0.0.1:3310"};
    static const struct {
        const char *type;
        bool alert, daemon;
        enum mime_defect defect;
        enum verdict_class class;
    } rows[] = {
        {"clamav", true, false, MIME_DEFECT_ENCRYPTED_FILE, VERDICT_UNSCANNABLE},
        {"clamav", false, false, MIME_DEFECT_ENCRYPTED_FILE, VERDICT_CLEAN},
        {"clamav", false, false, MIME_DEFECT_ENCRYPTED_PGP, VERDICT_UNSCANNABLE},
        {"clamav", false, true, MIME_DEFECT_ENCRYPTED_FILE, VERDICT_UNSCANNABLE}, /* without effect there */
        {"fake", false, false, MIME_DEFECT_ENCRYPTED_FILE, VERDICT_UNSCANNABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.fw.engine_count = 1;
        r.fw.engines[0].type = rows[i].type;
        r.conf[0].mime_decompose = true;
        r.conf[0].alert_encrypted = rows[i].alert;
        if (rows[i].daemon)
            r.conf[0].daemon = (struct conf_list){.items = servers, .count = 1};
        r.inspection.defects = mime_defect_bit(rows[i].defect);
        struct verdict v = scan_once(&r);
        ck_assert_msg(v.class == rows[i].class, "row %zu: %s", i, verdict_class_word(v.class));
    }
}
END_TEST

START_TEST(what_is_refused_comes_first_then_trouble_whatever_another_finding_would_let_pass)
{
    static const struct {
        mime_defects defects;
        enum verdict_class says, class;
        enum verdict_reason says_reason, reason;
    } rows[] = {
        /* partial is let pass here */
        {1, VERDICT_CLEAN, VERDICT_UNSCANNABLE, VERDICT_REASON_NONE, VERDICT_REASON_PARTIAL},
        {1, VERDICT_ERROR, VERDICT_ERROR, VERDICT_REASON_CRASH, VERDICT_REASON_CRASH},
        {1, VERDICT_UNSCANNABLE, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, VERDICT_REASON_LIMIT},
        {3, VERDICT_CLEAN, VERDICT_UNSCANNABLE, VERDICT_REASON_NONE, VERDICT_REASON_EXTERNAL},
        {3, VERDICT_ERROR, VERDICT_UNSCANNABLE, VERDICT_REASON_CRASH, VERDICT_REASON_EXTERNAL},
        {3, VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, VERDICT_REASON_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.fw.engine_count = 1;
        r.conf[0].mime_decompose = true;
        r.conf[0].on_error = ON_ERROR_NEXT;
        r.conf[0].on_reason[VERDICT_REASON_PARTIAL] = ON_UNSCANNABLE_PASS;
        r.inspection.defects = (rows[i].defects & 1 ? mime_defect_bit(MIME_DEFECT_PARTIAL) : 0) |
                               (rows[i].defects & 2 ? mime_defect_bit(MIME_DEFECT_EXTERNAL_BODY) : 0);
        verdict_set(&r.answers[0], rows[i].says, rows[i].says_reason, NULL);
        struct verdict v = scan_once(&r);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "row %zu: %s %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason));
    }
}
END_TEST

START_TEST(mail_that_was_built_to_evade_is_infected_where_paranoid_and_only_there)
{
    static const char *const alarms[] = {"Paranoid.DuplicateHeader"};
    struct rig r;
    rig_init(&r);
    r.conf[1].paranoid = true;
    r.inspection.defects = mime_defect_bit(MIME_DEFECT_DUPLICATE_TYPE) | mime_defect_bit(MIME_DEFECT_QP_ODD);
    struct verdict v = scan_once(&r);
    ck_assert_int_eq(v.class, VERDICT_INFECTED);
    ck_assert_str_eq(v.name, "Paranoid.DuplicateHeader");
    ck_assert_str_eq(v.engine, "two");
    ck_assert_str_eq(r.seen, "one inspect"); /* no engine can add to that */
    /* sloppy is not evasive */
    rig_init(&r);
    r.conf[1].paranoid = true;
    r.inspection.defects = mime_defect_bit(MIME_DEFECT_QP_ODD);
    v = scan_once(&r);
    ck_assert_int_eq(v.class, VERDICT_CLEAN);
    /* a declared false alarm leaves the other reasons */
    rig_init(&r);
    r.conf[1].paranoid = true;
    r.conf[1].ignore_signatures = (struct conf_list){alarms, 1};
    r.inspection.defects = mime_defect_bit(MIME_DEFECT_DUPLICATE_TYPE);
    v = scan_once(&r);
    ck_assert_int_eq(v.class, VERDICT_CLEAN);
    rig_init(&r);
    r.conf[1].paranoid = true;
    r.conf[1].ignore_signatures = (struct conf_list){alarms, 1};
    r.inspection.defects = mime_defect_bit(MIME_DEFECT_DUPLICATE_TYPE) | mime_defect_bit(MIME_DEFECT_HIDDEN_HEADER);
    v = scan_once(&r);
    ck_assert_str_eq(v.name, "Paranoid.HiddenHeader");
}
END_TEST

START_TEST(the_parts_of_one_verdict_are_counted_and_named)
{
    struct rig r;
    rig_init(&r);
    r.conf[0].mime_decompose = true;
    verdict_set(&r.answers[0], VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    r.answers[0].parts = 2;
    snprintf(r.answers[0].part, sizeof(r.answers[0].part), "1.2");
    rig_open(&r);
    struct scan_run *run = start(&r);
    pump(&r, woken);
    ck_assert_str_eq(scan_run_verdict(run)->part, "1.2");
    ck_assert_uint_eq(scan_run_verdict(run)->parts, 2);
    ck_assert_uint_eq(atomic_load(&r.runtime->engines[0].parts), 2);
    ck_assert_uint_eq(atomic_load(&r.runtime->engines[0].checked), 1);
    ck_assert_uint_eq(atomic_load(&r.runtime->inspections), 1);
    ck_assert_ptr_nonnull(scan_run_inspection(run));
    ck_assert_uint_eq(scan_run_inspection(run)->parts, 3);
    scan_run_free(run);
    rig_close(&r);
}
END_TEST

START_TEST(clean_is_remembered_only_where_the_inspection_had_nothing_to_say)
{
    for (int partial = 0; partial < 2; partial++) {
        struct rig r;
        rig_init(&r);
        r.fw.engine_count = 1;
        r.conf[0].mime_decompose = true;
        r.conf[0].cache_size = 10;
        r.conf[0].cache_clean = true;
        r.inspection.defects = partial ? mime_defect_bit(MIME_DEFECT_PARTIAL) : 0;
        rig_open(&r);
        struct scan_record status = {.type = SCAN_STATUS,
                                     .status = {.engine = "one", .state = SCAN_ENGINE_READY, .database_version = 5}};
        r.answers[0].database_version = 5;
        send_record(&r, &status);
        for (int i = 0; i < 2; i++) {
            struct scan_run *run = start(&r);
            pump(&r, woken);
            ck_assert_int_eq(scan_run_verdict(run)->class, partial ? VERDICT_UNSCANNABLE : VERDICT_CLEAN);
            scan_run_free(run);
        }
        ck_assert_str_eq(r.seen, partial ? "inspect one+parts inspect one+parts" : "inspect one+parts");
        rig_close(&r);
    }
}
END_TEST

/* The next message consists of these. */
static void set_parts(struct rig *r, const struct sample_part *parts, size_t count)
{
    buf_release(&r->file);
    parts_sample(parts, count, &r->file);
    r->inspection.size = buf_len(&r->file);
    r->inspection.contents = r->inspection.parts = (uint32_t)count;
    r->digest++;
    r->seen[0] = '\0';
}

static struct verdict scan(struct rig *r, char words[256])
{
    struct scan_run *run = start(r);
    pump(r, woken);
    struct verdict v = *scan_run_verdict(run);
    snprintf(words, 256, "%s", scan_run_words(run));
    scan_run_free(run);
    return v;
}

static uint64_t count_of(const atomic_uint_fast64_t *counter)
{
    return atomic_load(counter);
}

/* Engines "one" and "two" have messages taken apart and remember what they find; both are READY. */
static void open_two_with_memory(struct rig *r)
{
    rig_init(r);
    r->fw.engine_count = 2;
    for (size_t i = 0; i < 2; i++) {
        r->conf[i].mime_decompose = true;
        r->conf[i].cache_size = 10;
    }
    rig_open(r);
    for (size_t i = 0; i < 2; i++) {
        struct scan_record status = {.type = SCAN_STATUS, .status.state = SCAN_ENGINE_READY};
        verdict_copy_text(status.status.engine, sizeof(status.status.engine), span_cstr(r->fw.engines[i].name));
        send_record(r, &status);
    }
}

static void find_in_part(struct rig *r, size_t engine, const char *name, const char *part)
{
    verdict_set(&r->answers[engine], VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(r->answers[engine].name, sizeof(r->answers[engine].name), span_cstr(name));
    verdict_copy_text(r->answers[engine].part, sizeof(r->answers[engine].part), span_cstr(part));
}

static const struct sample_part worm_to_one[] = {{"1", "Dear one", 1}, {"2", "the worm", 9}},
                                worm_to_another[] = {{"1", "Dear other", 2}, {"2", "more", 3}, {"3", "the worm", 9}},
                                harmless[] = {{"1", "Dear one", 1}, {"2", "more", 3}};

/* B40 */
START_TEST(the_same_infected_part_in_another_message_is_refused_without_a_scan)
{
    struct rig r;
    char words[256];
    open_two_with_memory(&r);
    set_parts(&r, worm_to_one, ARRAY_SIZE(worm_to_one));
    find_in_part(&r, 0, "Some.Worm", "2");
    struct verdict v = scan(&r, words);
    ck_assert(v.class == VERDICT_INFECTED && !v.cached);
    ck_assert_str_eq(r.seen, "inspect one+parts");
    verdict_set(&r.answers[0], VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
    v = scan(&r, words);
    ck_assert_str_eq(r.seen, "inspect");
    ck_assert_str_eq(words, "one=infected:Some.Worm (cached)");
    ck_assert(v.class == VERDICT_INFECTED && v.cached);
    ck_assert_str_eq(v.name, "Some.Worm");
    ck_assert_str_eq(v.part, "3"); /* as it is named there */
    ck_assert_str_eq(v.engine, "one");
    ck_assert_uint_eq(count_of(&r.runtime->engines[0].detected), 2);
    ck_assert_uint_eq(count_of(&r.runtime->engines[0].cached), 1);
    ck_assert_uint_eq(count_of(&r.runtime->engines[0].scanned), 1);
    set_parts(&r, harmless, ARRAY_SIZE(harmless));
    v = scan(&r, words);
    ck_assert_int_eq(v.class, VERDICT_CLEAN);
    ck_assert_str_eq(r.seen, "inspect one+parts two+parts");
    rig_close(&r);
}
END_TEST

/* B40. Its word about the rest of the other message is not known, and may be the stricter there. */
START_TEST(a_known_part_counts_only_where_the_infected_are_refused)
{
    static const int actions[] = {ON_INFECTED_PASS, ON_INFECTED_QUARANTINE};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        struct rig r;
        char words[256];
        open_two_with_memory(&r);
        r.conf[0].action = actions[i];
        set_parts(&r, worm_to_one, ARRAY_SIZE(worm_to_one));
        find_in_part(&r, 0, "Some.Worm", "2");
        ck_assert_int_eq(scan(&r, words).class, VERDICT_INFECTED);
        verdict_set(&r.answers[0], VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, NULL);
        r.conf[0].on_reason[VERDICT_REASON_ENCRYPTED] = ON_UNSCANNABLE_REJECT;
        set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
        struct verdict v = scan(&r, words);
        ck_assert_msg(v.class == VERDICT_UNSCANNABLE, "row %zu: %s", i, words);
        rig_close(&r);
    }
}
END_TEST

/* B40 */
START_TEST(what_was_found_in_a_message_as_a_whole_says_nothing_of_its_parts)
{
    struct rig r;
    char words[256];
    open_two_with_memory(&r);
    set_parts(&r, worm_to_one, ARRAY_SIZE(worm_to_one));
    find_in_part(&r, 0, "Some.Worm", "");
    scan(&r, words);
    verdict_set(&r.answers[0], VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
    ck_assert_int_eq(scan(&r, words).class, VERDICT_CLEAN);
    ck_assert_str_eq(r.seen, "inspect one+parts two+parts");
    rig_close(&r);
}
END_TEST

/* B40 */
START_TEST(one_engines_find_in_a_part_is_not_anothers)
{
    struct rig r;
    char words[256];
    open_two_with_memory(&r);
    set_parts(&r, worm_to_one, ARRAY_SIZE(worm_to_one));
    find_in_part(&r, 1, "Some.Worm", "2");
    scan(&r, words);
    ck_assert_str_eq(r.seen, "inspect one+parts two+parts");
    set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
    scan(&r, words);
    ck_assert_str_eq(r.seen, "inspect one+parts");
    ck_assert_str_eq(words, "one=clean; two=infected:Some.Worm (cached)");
    rig_close(&r);
}
END_TEST

START_TEST(a_message_that_is_a_declared_false_alarm_is_clean_though_a_part_of_it_is_known)
{
    struct rig r;
    char words[256], alarm[80] = "sha256:d103"; /* that of the third message, see start() */
    const char *alarms[] = {alarm};
    memset(alarm + 11, '0', 60);
    alarm[71] = '\0';
    open_two_with_memory(&r);
    r.conf[0].ignore_signatures = (struct conf_list){alarms, 1};
    set_parts(&r, worm_to_one, ARRAY_SIZE(worm_to_one));
    find_in_part(&r, 0, "Some.Worm", "2");
    ck_assert_int_eq(scan(&r, words).class, VERDICT_INFECTED);
    set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
    ck_assert_int_eq(scan(&r, words).class, VERDICT_INFECTED);
    set_parts(&r, worm_to_another, ARRAY_SIZE(worm_to_another));
    struct verdict v = scan(&r, words);
    ck_assert_int_eq(v.class, VERDICT_CLEAN);
    ck_assert_str_eq(words, "one=clean (cached); two=clean");
    ck_assert_str_eq(v.detail, "infected Some.Worm: the message is in ignore_signatures");
    rig_close(&r);
}
END_TEST

START_TEST(an_engine_that_is_given_no_parts_knows_none)
{
    struct rig r;
    char words[256];
    open_two_with_memory(&r);
    r.conf[1].mime_decompose = false;
    r.conf[1].paranoid = true;
    find_in_part(&r, 1, "Some.Worm", "2"); /* it speaks of what it cannot have seen */
    for (int i = 0; i < 2; i++) {
        set_parts(&r, i ? worm_to_another : worm_to_one, i ? ARRAY_SIZE(worm_to_another) : ARRAY_SIZE(worm_to_one));
        scan(&r, words);
        ck_assert_str_eq(r.seen, "inspect one+parts two");
    }
    rig_close(&r);
}
END_TEST

START_TEST(a_run_that_is_given_up_cancels_its_inspection)
{
    struct rig r;
    rig_init(&r);
    r.conf[0].mime_decompose = true;
    r.silent = true;
    rig_open(&r);
    struct scan_run *run = start(&r);
    pump(&r, asked);
    scan_run_free(run);
    r.seen[0] = '\0';
    pump(&r, asked);
    ck_assert_str_eq(r.seen, "cancel");
    rig_close(&r);
}
END_TEST

START_TEST(what_a_host_leaves_is_taken_apart_by_the_next_one_into_a_file_of_its_own)
{
    struct rig r;
    rig_init(&r);
    r.fw.engine_count = 1;
    r.conf[0].mime_decompose = true;
    r.silent = true;
    rig_open(&r);
    struct scan_run *run = start(&r);
    pump(&r, asked);
    r.silent = false;
    replace(&r); /* while the old one may still have written to its file */
    pump(&r, woken);
    ck_assert_int_eq(scan_run_verdict(run)->class, VERDICT_CLEAN);
    ck_assert_str_eq(r.seen, "inspect inspect one+parts");
    scan_run_free(run);
    rig_close(&r);
}
END_TEST

START_TEST(when_parts_take_all_the_room_the_message_waits_outside)
{
    struct rig r;
    rig_init(&r);
    r.fw.engine_count = 1;
    r.conf[0].mime_decompose = true;
    rig_open(&r);
    atomic_store(&r.runtime->parts_memory, LIMIT_PARTS_MEMORY);
    struct scan_run *run = start(&r);
    pump(&r, woken);
    ck_assert_int_eq(scan_run_verdict(run)->class, VERDICT_ERROR);
    ck_assert_int_eq(scan_run_verdict(run)->reason, VERDICT_REASON_OVERLOAD);
    scan_run_free(run);
    atomic_store(&r.runtime->parts_memory, 0);
    rig_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_message_is_taken_apart_once_before_the_first_engine_that_asks_for_it)                                          \
    X(what_needs_no_inspection_any_more_gets_none)                                                                     \
    X(a_message_without_contents_of_its_own_brings_no_file)                                                            \
    X(an_inspection_that_fails_is_an_error_of_the_engines_that_asked_for_it)                                           \
    X(a_file_that_is_not_what_the_worker_says_is_trouble)                                                              \
    X(an_answer_to_another_question_closes_the_channel)                                                                \
    X(what_cannot_be_looked_at_has_its_reason_and_action)                                                              \
    X(encrypted_files_are_passed_over_where_the_libraries_stanza_says_so)                                              \
    X(what_is_refused_comes_first_then_trouble_whatever_another_finding_would_let_pass)                                \
    X(mail_that_was_built_to_evade_is_infected_where_paranoid_and_only_there)                                          \
    X(the_parts_of_one_verdict_are_counted_and_named)                                                                  \
    X(clean_is_remembered_only_where_the_inspection_had_nothing_to_say)                                                \
    X(the_same_infected_part_in_another_message_is_refused_without_a_scan)                                             \
    X(a_known_part_counts_only_where_the_infected_are_refused)                                                         \
    X(what_was_found_in_a_message_as_a_whole_says_nothing_of_its_parts)                                                \
    X(one_engines_find_in_a_part_is_not_anothers)                                                                      \
    X(a_message_that_is_a_declared_false_alarm_is_clean_though_a_part_of_it_is_known)                                  \
    X(an_engine_that_is_given_no_parts_knows_none)                                                                     \
    X(a_run_that_is_given_up_cancels_its_inspection)                                                                   \
    X(what_a_host_leaves_is_taken_apart_by_the_next_one_into_a_file_of_its_own)                                        \
    X(when_parts_take_all_the_room_the_message_waits_outside)
#include "support/check_main.h"
