/* SPDX-License-Identifier: MIT */
/* Which parts an engine is given that says what it has looked at by itself. The engine is a recorder of this file. */
#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scan/host/look.h"
#include "scan/parts.h"
#include "sys/clock.h"

enum { SCANS_MAX = 8 };

/* What it was given, in order, and what it answers. */
struct recorder {
    struct layers layers; /* of every scan */
    enum verdict_class word;
    const char *virus; /* octets that are infected; NULL: none */
    struct given {
        char octets[64];
    } given[SCANS_MAX];
    size_t count;
};

static void record(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    struct recorder *r = state;
    (void)time_ms;
    ck_assert(r->count < SCANS_MAX && size < sizeof(r->given->octets));
    ck_assert_int_eq(pread(fd, r->given[r->count].octets, sizeof(r->given->octets), 0), (ssize_t)size);
    bool infected = r->virus && strcmp(r->given[r->count].octets, r->virus) == 0;
    r->count++;
    if (infected) {
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        return;
    }
    verdict_set(out, r->word, r->word == VERDICT_UNSCANNABLE ? VERDICT_REASON_LIMIT : VERDICT_REASON_NONE, NULL);
}

static const struct layers *recorded_layers(const void *state)
{
    const struct recorder *r = state;
    return &r->layers;
}

static void digest_of(const char *octets, struct sha256_digest *out)
{
    struct sha256 *h = sha256_new();
    ck_assert(h && sha256_update(h, span_cstr(octets)) == ERR_OK && sha256_finish(h, out) == ERR_OK);
    sha256_free(h);
}

static void note(struct recorder *r, const char *octets)
{
    struct sha256_digest digest;
    digest_of(octets, &digest);
    layers_add(&r->layers, strlen(octets), &digest);
}

static int file_of(struct span octets)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    ck_assert(fd >= 0 && pwrite(fd, octets.ptr, octets.len, 0) == (ssize_t)octets.len);
    return fd;
}

/* The parts file of a message that has one part verbatim, then two decoded ones. The first two digests are wrong. */
static int parts_of(const char *first, const char *second, uint64_t verbatim_at, uint64_t verbatim_size, uint64_t *size)
{
    struct sha256_digest right;
    unsigned char head[PARTS_HEAD];
    char bytes[4096];
    struct buf table;
    struct parts_content contents[] = {{.verbatim = true, .offset = verbatim_at, .size = verbatim_size, .path = "1"},
                                       {.offset = PARTS_HEAD, .size = strlen(first), .path = "2"},
                                       {.offset = PARTS_HEAD + strlen(first), .size = strlen(second), .path = "3"}};
    uint64_t end = PARTS_HEAD + strlen(first) + strlen(second);
    digest_of(second, &right);
    memcpy(contents[2].digest, right.bytes, sizeof(right.bytes));
    buf_init(&table, sizeof(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
        ck_assert(parts_put_content(&table, &contents[i]) == ERR_OK);
    ck_assert(parts_put_end(&table, false) == ERR_OK);
    parts_head(ARRAY_SIZE(contents), 0, 0, end, head);
    memcpy(bytes, head, sizeof(head));
    snprintf(bytes + PARTS_HEAD, sizeof(bytes) - PARTS_HEAD, "%s%s", first, second);
    struct span rows = buf_span(&table);
    memcpy(bytes + end, rows.ptr, rows.len);
    *size = end + rows.len;
    buf_release(&table);
    return file_of(span_of(bytes, (size_t)*size));
}

/* FILE: what is said to be the parts file, and its size; NULL: one in order. */
static struct verdict look_with(struct recorder *r, bool tells_layers, const struct span *file, bool all)
{
    static const char message[] = "head, then plain text, then more";
    static const struct engine_type telling = {.name = "recorder", .scan = record, .layers = recorded_layers};
    static const struct engine_type silent = {.name = "recorder", .scan = record};
    static struct framework fw;
    static const struct framework_engine conf = {.name = "recorder1", .type = "recorder"};
    const struct host_engine engine = {.conf = &conf, .type = tells_layers ? &telling : &silent, .state = r};
    struct scan_job job = {.size = sizeof(message) - 1, .deadline_us = clock_monotonic_us() + UINT64_C(60000000)};
    char dir[] = "/tmp/postern-look-XXXXXX";
    struct verdict v;
    ck_assert(mkdtemp(dir) != NULL);
    struct look l = {.framework = &fw, .engine = &engine, .job = &job};
    fw.all = all;
    l.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    l.message = file_of(span_of(message, sizeof(message) - 1));
    l.parts = file ? file_of(*file) : parts_of("first attachment", "other attachment", 11, 10, &job.parts_size);
    if (file)
        job.parts_size = file->len;
    look_at_message(&l, &v);
    close(l.message);
    close(l.parts);
    close(l.dirfd);
    ck_assert_int_eq(rmdir(dir), 0);
    return v;
}

static struct verdict look(struct recorder *r, bool tells_layers)
{
    return look_with(r, tells_layers, NULL, false);
}

START_TEST(an_engine_is_given_each_part_that_it_has_not_looked_at_by_itself)
{
    static const struct {
        const char *seen[3];
        bool tells;
        const char *given[4]; /* after the message */
    } rows[] = {
        {{NULL}, true, {"plain text", "first attachment", "other attachment"}},
        {{"first attachment"}, true, {"plain text", "other attachment"}},
        {{"first attachment"}, false, {"plain text", "first attachment", "other attachment"}},
        {{"plain text", "other attachment", "first attachment"}, true, {NULL}},
        /* of the same size, with other octets; of the same octets and more */
        {{"First attachment", "plain text."}, true, {"plain text", "first attachment", "other attachment"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct recorder r = {.word = VERDICT_CLEAN};
        for (size_t s = 0; s < ARRAY_SIZE(rows[i].seen) && rows[i].seen[s]; s++)
            note(&r, rows[i].seen[s]);
        struct verdict v = look(&r, rows[i].tells);
        ck_assert_int_eq(v.class, VERDICT_CLEAN);
        ck_assert_uint_eq(v.parts, 3); /* looked at, whichever way */
        size_t expected = 0;
        while (expected < ARRAY_SIZE(rows[i].given) && rows[i].given[expected])
            expected++;
        ck_assert_msg(r.count == 1 + expected, "row %zu: %zu scans", i, r.count);
        for (size_t g = 0; g < expected; g++)
            ck_assert_str_eq(r.given[1 + g].octets, rows[i].given[g]);
    }
}
END_TEST

START_TEST(a_scan_that_was_not_clean_vouches_for_nothing)
{
    struct recorder r = {.word = VERDICT_UNSCANNABLE};
    note(&r, "first attachment");
    struct verdict v = look(&r, true);
    ck_assert_int_eq(v.class, VERDICT_UNSCANNABLE);
    ck_assert_uint_eq(r.count, 4);
}
END_TEST

START_TEST(more_layers_than_there_is_room_for_are_looked_at_again)
{
    struct recorder r = {.word = VERDICT_CLEAN};
    char text[32];
    for (unsigned i = 0; i < LAYERS_MAX; i++) {
        snprintf(text, sizeof(text), "filler %u", i);
        note(&r, text);
    }
    note(&r, "first attachment");
    ck_assert_uint_eq(r.layers.count, LAYERS_MAX);
    look(&r, true);
    ck_assert_uint_eq(r.count, 4);
}
END_TEST

/* C16. An empty file cannot be mapped. */
START_TEST(trouble_with_all_of_the_parts_takes_no_refusal_back)
{
    static const struct {
        struct span file;
        enum verdict_reason reason;
    } rows[] = {{{"garbage", 7}, VERDICT_REASON_PROTOCOL}, {{"", 0}, VERDICT_REASON_MEMORY}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct recorder found = {.word = VERDICT_INFECTED}, clean = {.word = VERDICT_CLEAN};
        struct verdict v = look_with(&found, false, &rows[i].file, true); /* all: looked at further, though infected */
        ck_assert_msg(v.class == VERDICT_INFECTED, "row %zu: %s", i, verdict_class_word(v.class));
        v = look_with(&clean, false, &rows[i].file, true);
        ck_assert_int_eq(v.class, VERDICT_ERROR);
        ck_assert_int_eq(v.reason, rows[i].reason);
        ck_assert_str_eq(v.engine, "recorder1");
    }
}
END_TEST

/* B40: under a digest that is not that of the octets, others would be refused for them. */
START_TEST(an_infected_part_is_named_only_where_its_digest_is_right)
{
    static const struct {
        const char *virus, *part;
        size_t given;
    } rows[] = {
        {"other attachment", "3", 4},
        {"first attachment", "", 3},
        {"plain text", "", 2},
        {"head, then plain text, then more", "", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct recorder r = {.word = VERDICT_CLEAN, .virus = rows[i].virus};
        struct verdict v = look(&r, false);
        ck_assert_int_eq(v.class, VERDICT_INFECTED);
        ck_assert_str_eq(v.part, rows[i].part);
        ck_assert_uint_eq(r.count, rows[i].given);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_engine_is_given_each_part_that_it_has_not_looked_at_by_itself)                                                \
    X(a_scan_that_was_not_clean_vouches_for_nothing)                                                                   \
    X(trouble_with_all_of_the_parts_takes_no_refusal_back)                                                             \
    X(an_infected_part_is_named_only_where_its_digest_is_right)                                                        \
    X(more_layers_than_there_is_room_for_are_looked_at_again)
#include "support/check_main.h"
