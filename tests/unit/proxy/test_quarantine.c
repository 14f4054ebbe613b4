/* SPDX-License-Identifier: MIT */
/* The desk of quarantine and the release of messages, against one scripted backend, all in one loop. */
#include "support/failing_memory.h"

#include "proxy/quarantine_desk.h"
#include "sys/memfd.h"
#include "sys/rng.h"
#include "unit/proxy/scripted_server.h"
#include <check.h>
#include <stdlib.h>

enum { GUARD_MS = 20000 };
#define NOW UINT64_C(1795314615123)

struct bench {
    struct loop *loop;
    struct mailbox *mailbox;
    struct scripted backend;
    struct server_conf server;
    struct proxy_conf limits;
    struct quarantine_conf conf;
    struct framework framework;
    struct backend_target target;
    struct proxy_shared shared;
    struct proxy *proxy;
    struct quarantine_desk *desk;
    struct deadline guard;
    struct log log;
    char dir[64], quarantine_dir[80];
    char lines[65536];
    size_t line_octets;
    bool kept, empty;
    unsigned answers;
    enum err err; /* of the last answer */
    bool unknown, damaged, more;
    char text[ERRTEXT_SIZE], subject[64];
    enum quarantine_status status;
    size_t count;
    uint64_t entries;
};

static void guard_expired(void *arg)
{
    const struct bench *b = arg;
    ck_abort_msg("no answer came\nbackend: %.*s\nlog:\n%s", SPAN_ARG(buf_span(&b->backend.seen)), b->lines);
}

static void keep_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    int n = snprintf(b->lines + b->line_octets, sizeof(b->lines) - b->line_octets, "%.*s\n", SPAN_ARG(line));
    b->line_octets += (size_t)n < sizeof(b->lines) - b->line_octets ? (size_t)n : 0;
}

static uint64_t clock_of_log(void *arg)
{
    (void)arg;
    return NOW;
}

static void bench_init(struct bench *b)
{
    static const uint64_t key[2] = {1, 2};
    static const struct quarantine_limits limits = {
        .max_size = 1 << 24, .max_age_ms = UINT64_C(1) << 40, .min_age_ms = 1000};
    struct errtext why;
    *b = (struct bench){.loop = loop_new(), .log = {.write = keep_line, .wallclock_ms = clock_of_log, .arg = b}};
    b->server = (struct server_conf){60000, 60000, 60000, 60000, 60000, 60000, 60000, 10, NULL};
    b->limits = (struct proxy_conf){100, 100, 60000};
    b->conf = (struct quarantine_conf){.timeout_ms = 60000, .sweep_ms = 60000};
    b->framework.scan_off = true;
    b->mailbox = mailbox_new(b->loop);
    deadline_init(&b->guard, b->loop, guard_expired, b);
    deadline_set_ms(&b->guard, GUARD_MS);
    scripted_init(&b->backend, b->loop, NULL, NULL);
    snprintf(b->dir, sizeof(b->dir), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->dir));
    snprintf(b->quarantine_dir, sizeof(b->quarantine_dir), "%s/quarantine", b->dir);
    b->target = (struct backend_target){b->backend.name, b->backend.addr, &b->server, "gw.example.org"};
    b->shared = (struct proxy_shared){.framework = &b->framework,
                                      .conf = &b->limits,
                                      .log = &b->log,
                                      .hostname = "gw.example.org",
                                      .spool = spool_open(b->dir, 65536, &why),
                                      .quarantine = quarantine_open(b->quarantine_dir, &limits, &b->log, &why),
                                      .quarantine_conf = &b->conf,
                                      .scans = scan_runtime_new(&b->framework),
                                      .iopool = iopool_new(2),
                                      .admission = admission_new(100, 100, key),
                                      .targets = &b->target,
                                      .target_count = 1,
                                      .loops = 1};
    ck_assert_msg(b->shared.spool && b->shared.quarantine, "%s", why.text);
}

static void bench_start(struct bench *b)
{
    scripted_listen(&b->backend);
    b->proxy = proxy_new(&b->shared, b->loop, b->mailbox, 0);
    ck_assert_ptr_nonnull(b->proxy);
    b->desk = proxy_quarantine_desk(b->proxy);
    ck_assert_ptr_nonnull(b->desk);
}

static void on_empty(void *arg)
{
    struct bench *b = arg;
    b->empty = true;
    loop_stop(b->loop);
}

/* Ends as the edge does: once nothing is on its way. */
static void bench_release(struct bench *b)
{
    proxy_drain(b->proxy, on_empty, b);
    while (!b->empty)
        loop_run(b->loop);
    proxy_free(b->proxy);
    iopool_free(b->shared.iopool);
    deadline_clear(&b->guard);
    scripted_release(&b->backend);
    mailbox_free(b->mailbox);
    loop_free(b->loop);
    admission_free(b->shared.admission);
    scan_runtime_free(b->shared.scans);
    spool_close(b->shared.spool);
    quarantine_close(b->shared.quarantine);
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", b->dir);
    ck_assert_int_eq(system(command), 0);
}

/* --- entries --- */

static void on_kept(void *arg)
{
    struct bench *b = arg;
    b->kept = true;
    loop_stop(b->loop);
}

/* Takes CONTENT into quarantine, from <a@x.test> to RECIPIENTS. */
static void keep(struct bench *b, struct span content, const char *const *recipients, size_t count,
                 char id[QUARANTINE_ID_SIZE])
{
    struct quarantine_meta m;
    uint64_t chance[2];
    struct sha256 *h = sha256_new();
    int fd = memfd_new("test");
    quarantine_meta_clear(&m);
    rng_bytes(chance, sizeof(chance));
    quarantine_make_id(NOW, chance, m.id);
    memcpy(id, m.id, sizeof(m.id));
    ck_assert_int_eq(sha256_update(h, content), ERR_OK);
    ck_assert_int_eq(sha256_finish(h, &m.digest), ERR_OK);
    sha256_free(h);
    ck_assert_int_eq(write(fd, content.ptr, content.len), (ssize_t)content.len);
    m.size = content.len;
    m.time_ms = NOW;
    m.reverse_path = "<a@x.test>";
    m.body = "8BITMIME";
    m.mark = "infected; name=\"Test.V\"; engine=e1";
    m.header_subject = "words";
    m.recipients = recipients;
    m.recipient_count = count;
    b->kept = false;
    struct quarantine_keeping *k =
        quarantine_keep(b->shared.quarantine, b->shared.iopool, b->mailbox, fd, &m, NOW, on_kept, b);
    close(fd);
    while (!b->kept)
        loop_run(b->loop);
    ck_assert_msg(quarantine_keeping_state(k) == QUARANTINE_KEPT, "%s", quarantine_keeping_why(k));
    quarantine_keeping_free(k);
}

static const char *const two[] = {"<b@y.test>", "<c@y.test>"};
#define TEXT SPAN("Subject: words\r\n\r\n.dots\r\n..\r\nand an end\r\n")

static void on_answer(void *arg, const struct quarantine_answer *a)
{
    struct bench *b = arg;
    b->answers++;
    b->err = a->err;
    b->unknown = a->unknown;
    snprintf(b->text, sizeof(b->text), "%s", a->text ? a->text : "");
    b->entries = a->usage.entries;
    if (a->err == ERR_OK && a->page) {
        b->count = a->page->count;
        b->more = a->page->more;
    }
    if (a->err == ERR_OK && a->entry) {
        b->status = a->entry->meta.status;
        b->damaged = a->entry->damaged;
        snprintf(b->subject, sizeof(b->subject), "%s",
                 a->entry->meta.header_subject ? a->entry->meta.header_subject : "");
    }
    loop_stop(b->loop);
}

static void ask_only(struct bench *b, enum quarantine_errand errand, const char *id, bool again)
{
    const struct quarantine_question q = {
        .errand = errand, .id = span_cstr(id), .limit = 2, .again = again, .asked_by = "uid 7"};
    ck_assert_int_eq(quarantine_desk_ask(b->desk, &q, on_answer, b), ERR_OK);
}

static enum err ask(struct bench *b, enum quarantine_errand errand, const char *id)
{
    unsigned before = b->answers;
    ask_only(b, errand, id, false);
    ck_assert_uint_eq(b->answers, before); /* never from inside */
    while (b->answers == before)
        loop_run(b->loop);
    return b->err;
}

static enum quarantine_status status_of(struct bench *b, const char *id)
{
    ck_assert_int_eq(ask(b, QUARANTINE_SHOW, id), ERR_OK);
    return b->status;
}

/* --- release --- */

#define RELEASED_BODY "..dots\r\n...\r\nand an end\r\n"

START_TEST(a_released_message_is_what_was_kept_with_two_lines_in_front)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], expected[1024];
    bench_init(&b);
    bench_start(&b);
    keep(&b, TEXT, two, 2, id);
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_OK);
    ck_assert_str_eq(b.text, "250 2.0.0 queued");
    snprintf(expected, sizeof(expected),
             "X-Postern-Released: %s; host=gw.example.org\r\n"
             "X-Virus-Status: infected; name=\"Test.V\"; engine=e1; host=gw.example.org\r\n"
             "Subject: words\r\n\r\n" RELEASED_BODY,
             id);
    ck_assert(span_eq(buf_span(&b.backend.body), span_cstr(expected)));
    ck_assert_uint_eq(scripted_saw(&b.backend, "MAIL FROM:<a@x.test> SIZE="), 1);
    ck_assert_uint_eq(scripted_saw(&b.backend, " BODY=8BITMIME\n"), 1);
    ck_assert_uint_eq(scripted_saw(&b.backend, "RCPT TO:<b@y.test>\n2 RCPT TO:<c@y.test>\n2 DATA\n"), 1);
    ck_assert_int_eq(status_of(&b, id), QUARANTINE_RELEASED);
    ck_assert_ptr_nonnull(strstr(b.lines, "action=release"));
    ck_assert_ptr_nonnull(strstr(b.lines, "asked_by=\"uid 7\""));
    bench_release(&b);
}
END_TEST

START_TEST(a_large_message_is_released_in_slices)
{
    static char large[400000];
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    bench_init(&b);
    bench_start(&b);
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : (char)('a' + i / 80 % 26);
    keep(&b, span_of(large, sizeof(large)), two, 1, id);
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_OK);
    struct span body = buf_span(&b.backend.body);
    ck_assert_uint_gt(body.len, sizeof(large));
    ck_assert(span_eq(span_sub(body, body.len - sizeof(large), sizeof(large)), span_of(large, sizeof(large))));
    bench_release(&b);
}
END_TEST

START_TEST(what_the_backend_refuses_stays_held_with_its_words)
{
    static const struct {
        struct rule rule;
        const char *said;
        bool data;
    } rows[] = {
        {{.verb = "MAIL", .reply = "452 4.3.1 full\r\n"}, "452 4.3.1 full", false},
        {{.verb = "RCPT TO:<c@", .reply = "550 5.1.1 unknown\r\n"}, "550 5.1.1 unknown", false},
        {{.verb = "DATA", .reply = "451 4.3.0 later\r\n"}, "451 4.3.0 later", true},
        {{.verb = ".", .reply = "554 5.7.1 virus\r\n"}, "554 5.7.1 virus", true},
        {{.verb = "RCPT", .reply = CLOSE}, "connection closed", false},
        {{.verb = "DATA", .reply = CLOSE}, "connection closed", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        char id[QUARANTINE_ID_SIZE];
        bench_init(&b);
        b.backend.rules[0] = rows[i].rule;
        bench_start(&b);
        keep(&b, TEXT, two, 2, id);
        ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_CLOSED);
        ck_assert(!b.unknown);
        ck_assert_msg(strstr(b.text, rows[i].said) != NULL, "row %zu: %s", i, b.text);
        ck_assert_uint_eq(scripted_saw(&b.backend, "DATA"), rows[i].data);
        ck_assert_int_eq(status_of(&b, id), QUARANTINE_HELD);
        ck_assert_ptr_nonnull(strstr(b.lines, "release-refused"));
        b.backend.rules[0] = (struct rule){0}; /* and later it passes */
        ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_OK);
        ck_assert_int_eq(status_of(&b, id), QUARANTINE_RELEASED);
        bench_release(&b);
    }
}
END_TEST

START_TEST(a_backend_that_is_not_there_changes_nothing)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    bench_init(&b);
    b.proxy = proxy_new(&b.shared, b.loop, b.mailbox, 0); /* nobody listens */
    b.desk = proxy_quarantine_desk(b.proxy);
    keep(&b, TEXT, two, 2, id);
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_CLOSED);
    ck_assert_int_eq(status_of(&b, id), QUARANTINE_HELD);
    bench_release(&b);
}
END_TEST

START_TEST(a_connection_lost_after_the_dot_leaves_it_in_between_and_needs_a_word_to_try_again)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = ".", .reply = CLOSE};
    bench_start(&b);
    keep(&b, TEXT, two, 2, id);
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_CLOSED);
    ck_assert(b.unknown);
    ck_assert_int_eq(status_of(&b, id), QUARANTINE_RELEASING);
    ck_assert_ptr_nonnull(strstr(b.lines, "release-unknown"));
    b.backend.rules[0] = (struct rule){0};
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_STATE);
    ck_assert_uint_eq(b.backend.messages, 1);
    unsigned before = b.answers;
    ask_only(&b, QUARANTINE_RELEASE, id, true);
    while (b.answers == before)
        loop_run(b.loop);
    ck_assert_int_eq(b.err, ERR_OK);
    ck_assert_uint_eq(b.backend.messages, 2);
    ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_STATE); /* released before */
    ck_assert_uint_eq(b.backend.messages, 2);
    bench_release(&b);
}
END_TEST

START_TEST(what_is_on_its_way_to_the_backend_is_neither_released_again_nor_deleted)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = ".", .reply = SILENCE};
    bench_start(&b);
    keep(&b, TEXT, two, 2, id);
    ask_only(&b, QUARANTINE_RELEASE, id, false);
    ck_assert_int_eq(ask(&b, QUARANTINE_DELETE, id), ERR_STATE);
    unsigned before = b.answers;
    ask_only(&b, QUARANTINE_RELEASE, id, true);
    while (b.answers == before)
        loop_run(b.loop);
    ck_assert_int_eq(b.err, ERR_STATE);
    while (b.backend.messages == 0) {
        deadline_clear(&b.guard);
        deadline_init(&b.guard, b.loop, guard_expired, &b);
        deadline_set_ms(&b.guard, GUARD_MS);
        ck_assert_int_eq(ask(&b, QUARANTINE_LIST, ""), ERR_OK); /* time goes on */
    }
    before = b.answers;
    proxy_cut(b.proxy); /* the drain has taken too long */
    while (b.answers == before)
        loop_run(b.loop);
    ck_assert_int_eq(b.err, ERR_CLOSED);
    ck_assert(b.unknown);
    ck_assert_int_eq(status_of(&b, id), QUARANTINE_RELEASING);
    bench_release(&b);
}
END_TEST

START_TEST(an_envelope_that_is_none_is_never_said_to_the_backend)
{
    static const char *const hostile[] = {"<b@y.test>\r\nRCPT TO:<victim@z.test>", "<b@y.test> ORCPT=x", "b@y.test",
                                          "<@relay.test:b@y.test>", "<>"};
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        struct bench b;
        char id[QUARANTINE_ID_SIZE];
        bench_init(&b);
        bench_start(&b);
        keep(&b, TEXT, &hostile[i], 1, id);
        ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, id), ERR_CLOSED);
        ck_assert_msg(strstr(b.text, "damaged") != NULL, "row %zu: %s", i, b.text);
        ck_assert_uint_eq(scripted_saw(&b.backend, "MAIL"), 0);
        ck_assert_int_eq(status_of(&b, id), QUARANTINE_HELD);
        bench_release(&b);
    }
}
END_TEST

/* --- the desk --- */

START_TEST(entries_are_listed_shown_and_deleted)
{
    struct bench b;
    char ids[3][QUARANTINE_ID_SIZE];
    bench_init(&b);
    bench_start(&b);
    for (unsigned i = 0; i < 3; i++)
        keep(&b, TEXT, two, 2, ids[i]);
    ck_assert_int_eq(ask(&b, QUARANTINE_LIST, ""), ERR_OK);
    ck_assert_uint_eq(b.count, 2);
    ck_assert(b.more);
    ck_assert_uint_eq(b.entries, 3);
    ck_assert_int_eq(ask(&b, QUARANTINE_SHOW, ids[1]), ERR_OK);
    ck_assert_str_eq(b.subject, "words");
    ck_assert_int_eq(ask(&b, QUARANTINE_DELETE, ids[1]), ERR_OK);
    ck_assert_ptr_nonnull(strstr(b.lines, "action=delete"));
    ck_assert_int_eq(ask(&b, QUARANTINE_DELETE, ids[1]), ERR_NOTFOUND);
    ck_assert_int_eq(ask(&b, QUARANTINE_SHOW, ids[1]), ERR_NOTFOUND);
    ck_assert_int_eq(ask(&b, QUARANTINE_LIST, ""), ERR_OK);
    ck_assert_uint_eq(b.count, 2);
    ck_assert(!b.more);
    bench_release(&b);
}
END_TEST

START_TEST(nothing_but_an_id_is_looked_for)
{
    static const char *const hostile[] = {"", "../../etc/passwd", "20261122023015-0123456789abcdef/../../../../etc/ab",
                                          "20261122023015-0123456789abcdeffedcba9876543210-and-much-more-behind-it-and-"
                                          "more-and-more-and-more"};
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        ck_assert_int_eq(ask(&b, QUARANTINE_SHOW, hostile[i]), ERR_SYNTAX);
        ck_assert_int_eq(ask(&b, QUARANTINE_DELETE, hostile[i]), ERR_SYNTAX);
        ck_assert_int_eq(ask(&b, QUARANTINE_RELEASE, hostile[i]), ERR_SYNTAX);
        ck_assert_int_eq(ask(&b, QUARANTINE_LIST, hostile[i]), hostile[i][0] ? ERR_SYNTAX : ERR_OK);
    }
    bench_release(&b);
}
END_TEST

START_TEST(a_release_under_way_finishes_before_the_proxy_ends)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    struct errtext why;
    struct quarantine_entry e;
    bench_init(&b);
    bench_start(&b);
    keep(&b, TEXT, two, 2, id);
    ask_only(&b, QUARANTINE_RELEASE, id, false);
    proxy_drain(b.proxy, on_empty, &b);
    const struct quarantine_question q = {.errand = QUARANTINE_LIST, .limit = 1};
    ck_assert_int_eq(quarantine_desk_ask(b.desk, &q, on_answer, &b), ERR_STATE);
    while (!b.empty)
        loop_run(b.loop);
    ck_assert_uint_eq(b.answers, 1);
    ck_assert_int_eq(b.err, ERR_OK);
    ck_assert_int_eq(quarantine_show(b.shared.quarantine, span_cstr(id), &e, &why), ERR_OK);
    ck_assert_int_eq(e.meta.status, QUARANTINE_RELEASED);
    quarantine_entry_release(&e);
    bench_release(&b);
}
END_TEST

/* C24: at every allocation once. Of a release only the beginning: the backend is in this process, too. */
START_TEST(an_errand_without_memory_is_answered_or_refused_and_changes_nothing)
{
    enum { ENOUGH = 100 };
    static const enum quarantine_errand errands[] = {QUARANTINE_LIST, QUARANTINE_SHOW, QUARANTINE_RELEASE};
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    bench_init(&b);
    bench_start(&b);
    keep(&b, TEXT, two, 2, id);
    for (size_t i = 0; i < ARRAY_SIZE(errands); i++) {
        bool complete = false;
        for (long n = 0; n < ENOUGH && !complete; n++) {
            const struct quarantine_question q = {
                .errand = errands[i], .id = errands[i] == QUARANTINE_LIST ? SPAN("") : span_cstr(id), .limit = 2};
            unsigned before = b.answers;
            bool failed = false;
            memory_fails_at(n);
            enum err e = quarantine_desk_ask(b.desk, &q, on_answer, &b);
            if (errands[i] == QUARANTINE_RELEASE)
                failed = memory_failed();
            while (e == ERR_OK && b.answers == before)
                loop_run(b.loop);
            if (errands[i] != QUARANTINE_RELEASE)
                failed = memory_failed();
            complete = !failed;
            ck_assert_msg(!complete || (e == ERR_OK && b.err == ERR_OK), "errand %zu: %s", i, b.text);
            ck_assert_msg(complete || e == ERR_NOMEM || b.err == ERR_OK || b.text[0], "errand %zu, allocation %ld", i,
                          n);
            if (!complete)
                ck_assert_int_eq(status_of(&b, id), QUARANTINE_HELD);
        }
        ck_assert(complete);
    }
    ck_assert_int_eq(status_of(&b, id), QUARANTINE_RELEASED);
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_released_message_is_what_was_kept_with_two_lines_in_front)                                                     \
    X(a_large_message_is_released_in_slices)                                                                           \
    X(what_the_backend_refuses_stays_held_with_its_words)                                                              \
    X(a_backend_that_is_not_there_changes_nothing)                                                                     \
    X(a_connection_lost_after_the_dot_leaves_it_in_between_and_needs_a_word_to_try_again)                              \
    X(what_is_on_its_way_to_the_backend_is_neither_released_again_nor_deleted)                                         \
    X(an_envelope_that_is_none_is_never_said_to_the_backend)                                                           \
    X(entries_are_listed_shown_and_deleted)                                                                            \
    X(nothing_but_an_id_is_looked_for)                                                                                 \
    X(a_release_under_way_finishes_before_the_proxy_ends)                                                              \
    X(an_errand_without_memory_is_answered_or_refused_and_changes_nothing)
#include "support/check_main.h"
