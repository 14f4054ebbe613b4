/* SPDX-License-Identifier: MIT */
/* Records ↔ bytes. Layout: one octet of type, then the fields in the order of their struct; integers big-endian, a
 * string is a 16-bit length and its octets, which must be printable ASCII. Writing makes strings fit; reading accepts
 * nothing that writing cannot have produced. */
#include "scan/scan_ipc.h"
#include "base/cursor.h"

struct record_writer {
    unsigned char *out;
    size_t len;
};

/* The largest record is an answer of about 530 octets, so SCAN_RECORD_SIZE holds any of them. */
static void put_octet(struct record_writer *w, unsigned value)
{
    if (w->len < SCAN_RECORD_SIZE)
        w->out[w->len++] = (unsigned char)value;
}

static void put_u64(struct record_writer *w, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        put_octet(w, (unsigned)(value >> shift & 0xff));
}

/* FIELD of SIZE bytes, terminated or not. */
static void put_text(struct record_writer *w, const char *field, size_t size)
{
    size_t len = strnlen(field, size - 1);
    put_octet(w, (unsigned)(len >> 8));
    put_octet(w, (unsigned)(len & 0xff));
    for (size_t i = 0; i < len; i++)
        put_octet(w, char_is_print(field[i]) ? (unsigned char)field[i] : '?');
}

static void put_job(struct record_writer *w, const struct scan_job *j)
{
    put_u64(w, j->id);
    put_octet(w, j->kind);
    put_text(w, j->engine, sizeof(j->engine));
    put_u64(w, j->size);
    put_u64(w, j->deadline_us);
    for (size_t i = 0; i < sizeof(j->digest); i++)
        put_octet(w, j->digest[i]);
    put_u64(w, j->parts_size);
}

static void put_answer(struct record_writer *w, const struct scan_answer *a)
{
    const struct verdict *v = &a->verdict;
    put_u64(w, a->id);
    put_octet(w, v->class);
    put_octet(w, v->reason);
    put_text(w, v->name, sizeof(v->name));
    put_text(w, v->detail, sizeof(v->detail));
    put_text(w, v->engine, sizeof(v->engine));
    put_u64(w, v->database_version);
    put_u64(w, v->queue_us);
    put_u64(w, v->scan_us);
    put_u64(w, v->parts);
    put_text(w, v->part, sizeof(v->part));
    put_octet(w, v->cured);
}

static void put_inspection(struct record_writer *w, const struct scan_inspection_answer *a)
{
    const struct scan_inspection *i = &a->inspection;
    put_u64(w, a->id);
    put_u64(w, i->size);
    put_u64(w, i->contents);
    put_u64(w, i->parts);
    put_u64(w, i->defects);
    put_text(w, i->limit, sizeof(i->limit));
    put_u64(w, i->queue_us);
    put_u64(w, i->scan_us);
}

static void put_status(struct record_writer *w, const struct scan_status *s)
{
    put_text(w, s->engine, sizeof(s->engine));
    put_octet(w, s->state);
    put_u64(w, s->database_version);
    put_u64(w, s->database_time);
    put_u64(w, s->signatures);
    put_text(w, s->detail, sizeof(s->detail));
    put_octet(w, s->test_string);
}

static void put_query(struct record_writer *w, const struct scan_query *q)
{
    put_u64(w, q->id);
    put_u64(w, q->concurrency);
}

static void put_pool(struct record_writer *w, const struct scan_pool_report *p)
{
    put_u64(w, p->id);
    for (size_t i = 0; i < POOL_FIGURE_COUNT; i++)
        put_u64(w, p->figures[i]);
}

size_t scan_record_encode(const struct scan_record *r, unsigned char out[SCAN_RECORD_SIZE])
{
    struct record_writer w = {.out = out};
    put_octet(&w, r->type);
    switch (r->type) {
    case SCAN_JOB:
        put_job(&w, &r->job);
        break;
    case SCAN_CANCEL:
        put_u64(&w, r->cancel);
        break;
    case SCAN_ANSWER:
        put_answer(&w, &r->answer);
        break;
    case SCAN_STATUS:
        put_status(&w, &r->status);
        break;
    case SCAN_QUERY:
        put_query(&w, &r->query);
        break;
    case SCAN_POOL:
        put_pool(&w, &r->pool);
        break;
    case SCAN_INSPECTION:
        put_inspection(&w, &r->inspected);
        break;
    }
    return w.len;
}

static void get_text(struct cursor *c, char *field, size_t size)
{
    struct span text = cursor_take(c, cursor_u16(c));
    if (text.len >= size)
        cursor_fail(c);
    for (size_t i = 0; i < text.len; i++)
        if (!char_is_print(text.ptr[i]))
            cursor_fail(c);
    if (!c->bad)
        verdict_copy_text(field, size, text);
}

/* The name of an engine where there must be one. */
static void get_engine(struct cursor *c, char field[LIMIT_ENGINE_NAME + 1])
{
    get_text(c, field, LIMIT_ENGINE_NAME + 1);
    if (field[0] == '\0')
        cursor_fail(c);
}

static void get_job(struct cursor *c, struct scan_job *j)
{
    j->id = cursor_u64(c);
    unsigned kind = cursor_u8(c);
    if (kind > SCAN_JOB_INSPECT)
        cursor_fail(c);
    else
        j->kind = (enum scan_job_kind)kind;
    get_engine(c, j->engine);
    j->size = cursor_u64(c);
    j->deadline_us = cursor_u64(c);
    struct span digest = cursor_take(c, sizeof(j->digest));
    if (!c->bad)
        memcpy(j->digest, digest.ptr, sizeof(j->digest));
    j->parts_size = cursor_u64(c);
    if (j->parts_size > LIMIT_PARTS_FILE || (j->kind == SCAN_JOB_INSPECT && j->parts_size != 0))
        cursor_fail(c);
}

/* A number of parts or contents. */
static uint32_t get_count(struct cursor *c)
{
    uint64_t n = cursor_u64(c);
    if (n > LIMIT_PARTS)
        cursor_fail(c);
    return c->bad ? 0 : (uint32_t)n;
}

/* A class and a reason that belong together, from the other side of a trust boundary. SKIPPED is the edge's own
 * decision: no scan host may wave a message through with it. */
static bool verdict_is_answer(unsigned class, unsigned reason)
{
    if (class >= VERDICT_CLASS_COUNT || reason >= VERDICT_REASON_COUNT || class == VERDICT_SKIPPED)
        return false;
    if (class == VERDICT_INFECTED)
        return reason == VERDICT_REASON_NONE;
    return verdict_reason_class((enum verdict_reason)reason) == (enum verdict_class) class;
}

static void get_answer(struct cursor *c, struct scan_answer *a)
{
    struct verdict *v = &a->verdict;
    a->id = cursor_u64(c);
    unsigned class = cursor_u8(c), reason = cursor_u8(c);
    if (!verdict_is_answer(class, reason)) {
        cursor_fail(c);
        return;
    }
    v->class = (enum verdict_class) class;
    v->reason = (enum verdict_reason)reason;
    get_text(c, v->name, sizeof(v->name));
    get_text(c, v->detail, sizeof(v->detail));
    get_text(c, v->engine, sizeof(v->engine));
    v->database_version = cursor_u64(c);
    v->queue_us = cursor_u64(c);
    v->scan_us = cursor_u64(c);
    v->parts = get_count(c);
    get_text(c, v->part, sizeof(v->part));
    unsigned cured = cursor_u8(c);
    if (cured > (class == VERDICT_INFECTED ? 1 : 0))
        cursor_fail(c);
    v->cured = cured == 1;
}

static void get_inspection(struct cursor *c, struct scan_inspection_answer *a)
{
    struct scan_inspection *i = &a->inspection;
    a->id = cursor_u64(c);
    i->size = cursor_u64(c);
    i->contents = get_count(c);
    i->parts = get_count(c);
    i->defects = cursor_u64(c);
    get_text(c, i->limit, sizeof(i->limit));
    i->queue_us = cursor_u64(c);
    i->scan_us = cursor_u64(c);
    if (i->size > LIMIT_PARTS_FILE || (i->defects & ~INSPECTION_DEFECTS) != 0)
        cursor_fail(c);
}

static void get_status(struct cursor *c, struct scan_status *s)
{
    get_engine(c, s->engine);
    unsigned state = cursor_u8(c);
    if (state > SCAN_ENGINE_FAILED)
        cursor_fail(c);
    else
        s->state = (enum scan_engine_state)state;
    s->database_version = cursor_u64(c);
    s->database_time = cursor_u64(c);
    s->signatures = cursor_u64(c);
    get_text(c, s->detail, sizeof(s->detail));
    unsigned test_string = cursor_u8(c);
    if (test_string > SCAN_TEST_STRING_UNKNOWN)
        cursor_fail(c);
    else
        s->test_string = (enum scan_test_string)test_string;
}

static void get_query(struct cursor *c, struct scan_query *q)
{
    q->id = cursor_u64(c);
    uint64_t concurrency = cursor_u64(c);
    if (concurrency > LIMIT_POOL_WORKERS)
        cursor_fail(c);
    else
        q->concurrency = (uint32_t)concurrency;
}

static void get_pool(struct cursor *c, struct scan_pool_report *p)
{
    p->id = cursor_u64(c);
    for (size_t i = 0; i < POOL_FIGURE_COUNT; i++)
        p->figures[i] = cursor_u64(c);
}

const char *pool_figure_word(enum pool_figure f)
{
    static const char *const words[] = {
#define POOL_FIGURE(symbol, word, meaning) word,
#include "scan/pool_figure.def"
#undef POOL_FIGURE
    };
    return words[f];
}

const char *pool_figure_meaning(enum pool_figure f)
{
    static const char *const meanings[] = {
#define POOL_FIGURE(symbol, word, meaning) meaning,
#include "scan/pool_figure.def"
#undef POOL_FIGURE
    };
    return meanings[f];
}

enum err scan_record_decode(struct span bytes, struct scan_record *out)
{
    struct cursor c = cursor_of(bytes);
    struct scan_record r;
    memset(&r, 0, sizeof(r));
    switch (cursor_u8(&c)) {
    case SCAN_JOB:
        r.type = SCAN_JOB;
        get_job(&c, &r.job);
        break;
    case SCAN_CANCEL:
        r.type = SCAN_CANCEL;
        r.cancel = cursor_u64(&c);
        break;
    case SCAN_ANSWER:
        r.type = SCAN_ANSWER;
        get_answer(&c, &r.answer);
        break;
    case SCAN_STATUS:
        r.type = SCAN_STATUS;
        get_status(&c, &r.status);
        break;
    case SCAN_QUERY:
        r.type = SCAN_QUERY;
        get_query(&c, &r.query);
        break;
    case SCAN_POOL:
        r.type = SCAN_POOL;
        get_pool(&c, &r.pool);
        break;
    case SCAN_INSPECTION:
        r.type = SCAN_INSPECTION;
        get_inspection(&c, &r.inspected);
        break;
    default:
        cursor_fail(&c);
    }
    if (c.bad || c.rest.len > 0)
        return ERR_SYNTAX;
    *out = r;
    return ERR_OK;
}
