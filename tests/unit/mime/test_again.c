/* SPDX-License-Identifier: MIT */
/* Nothing is read again that was read: neither a message in a way that makes no difference, nor a message inside it
 * that other readings found before. And what is left out for that would have found nothing else (B33). */
#include "mime/structure.h"
#include "unit/mime/split_rig.h"
#include "unit/smtp/must.h"

#define SECRET   "The secret payload!"
#define SECRETQP "=54=68e secret payload=21"
#define QP       "Content-Transfer-Encoding: quoted-printable\r\n"
#define PARTQP   QP "\r\n" SECRETQP "\r\n"

/* Messages about which readers differ, in as many ways as there are. */
static const char *const doubtful[] = {
    "A: b\r\n\r\nwords\r\n",
    "Content-Type: a/b; boundary=x\rContent-Type: multipart/mixed; boundary=y; boundary=\"<z>\"\r\nContent-Type: "
    "c/d\n Content-Type: e/f\r\n\fContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding : base64\r\n"
    "Content-Transfer-Encoding: x\r\nFrom a\r\njunk\r\n \r\n--y junk\r\nA: b\r\n\r\nx\n--y--\r\n--y\r\n\r\nz\r\n",
    "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" QP "junk\r\n\r\nx\r\n--b\r\n"
    " " QP "\r\ny\r\n--b--\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=bc\r\n\r\n--bc\r\n"
    "A : b\r\n\r\nx\r\n--bcd\r\n\r\ny\r\n--bc--\r\n--b--\r\n--b x\r\n\r\nz\r\n--bc\r\n\r\nz\r\n",
    "Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=\"c\" "
    "d"
    "\r\n\r\n--c\r\n\r\nx\r\n--c d\r\n\r\ny\r\n--c--\r\n--b\r\n>From a\r\n" QP "\r\nz\r\n--b--\r\n",
    "Content-Type: multipart/mixed; boundary=b; "
    "boundary=\"b\"c\r\n\r\n--b\r\n\r\nx\r\n--b\"c\r\n\r\ny\r\n--bc\r\n\r\nz\r\n",
    "Content-Type: multipart/mixed\r\nContent-Type: text/plain; boundary=b\r\nContent-Type: a/b; boundary=c\r\n"
    "Content-Transfer-Encoding: 7bit\r\n" QP
    "Content-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nx\r\n--c\r\n\r\ny\r\n",
    "Content-Type: multipart/digest; boundary=(c)b\r\n\r\n--b\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\n" QP "x\r\n\r\n--b--\r\n--b\r\n \r\nContent-Type: text/x\r\n\r\ny\r\n",
    "Content-Type: mulitpart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: =?utf-8?q?multipart/mixed?=; boundary=b1\r\n"
    "\r\n--b1\rContent-Type: a/b\r\r\nx\n--b1\n\ny\r--b1--\r\n--b--\r\n",
    "\xef\xbb\xbf"
    "Content-Type: message/rfc822\r\n" QP "\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n" QP "\r\nx\r\n--\r\n",
};

/* What a pass found, as a number. */
struct trace {
    uint64_t hash;
    struct span message;
};

static void mix(struct trace *t, const void *octets, size_t n)
{
    const unsigned char *u = octets;
    for (size_t i = 0; i < n; i++)
        t->hash = (t->hash ^ u[i]) * 0x100000001b3u;
    t->hash = (t->hash ^ n) * 0x100000001b3u;
}

static void mix_span(struct trace *t, struct span s)
{
    mix(t, s.ptr, s.len);
}

static enum err note(void *arg, const struct mime_body *body)
{
    struct trace *t = arg;
    size_t place = (size_t)(body->octets.ptr - t->message.ptr), kind = (size_t)body->kind;
    const struct mime_field *type = &body->header->type;
    mix(t, &kind, sizeof(kind));
    mix(t, &place, sizeof(place));
    mix(t, &body->octets.len, sizeof(body->octets.len));
    mix(t, &body->depth, sizeof(body->depth));
    mix(t, body->path, strlen(body->path));
    mix(t, body->type.text, strlen(body->type.text));
    mix_span(t, body->encoding);
    mix_span(t, type->first);
    mix_span(t, type->last);
    return ERR_OK;
}

static struct trace pass(struct span message, mime_readings reading, struct mime_structure *s)
{
    uint64_t work = 0;
    struct trace t = {.message = message};
    *s = (struct mime_structure){
        .reading = reading, .max_depth = 10, .prefix = "", .work = &work, .max_work = UINT64_MAX};
    ck_assert_int_eq(mime_structure_read(s, message, note, &t), ERR_OK);
    mix(&t, &s->doubts, sizeof(s->doubts));
    mix(&t, &s->defects, sizeof(s->defects));
    mix(&t, &s->asked, sizeof(s->asked));
    return t;
}

START_TEST(ways_that_a_pass_did_not_ask_for_make_no_difference)
{
    enum { WAYS = MIME_READING_ANY_DELIMITER + 1 };
    unsigned fewer = 0;
    for (size_t i = 0; i < ARRAY_SIZE(doubtful); i++)
        for (mime_readings reading = 0; reading < 1u << WAYS; reading++) {
            if (__builtin_popcount(reading) > 3)
                continue;
            struct mime_structure s, less;
            struct trace all = pass(span_cstr(doubtful[i]), reading, &s);
            if ((reading & s.asked) == reading)
                continue;
            fewer++;
            if (pass(span_cstr(doubtful[i]), reading & s.asked, &less).hash != all.hash)
                ck_abort_msg("message %zu: reading %x, which asked for %x", i, reading, s.asked);
        }
    MUST(fewer > 1000);
}
END_TEST

/* Of a message that is a text to most readers all other doubts are about parts that they do not see. */
START_TEST(only_readings_that_may_differ_cost_a_pass)
{
    static const char message[] = "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                                  "A : b\r\njunk\r\n " PARTQP "--b--\r\n";
    struct rig r = {.wanted = SPAN(SECRET)};
    ck_assert_int_eq(rig_split(&r, SPAN(message)), ERR_OK);
    MUST(r.found);
    ck_assert_uint_eq(r.report.cut, 0);
    /* The ordinary one; with the last Content-Type that for each set of: a blank before the colon, a line of junk, and
     * only behind that: a blank before a field. */
    ck_assert_uint_eq(r.report.readings, 1 + 2 + 2 * 2);
    rig_release(&r);
}
END_TEST

/* A message inside a message LEVELS times, each found by several readings of the one around it. */
static struct span nested(struct buf *b, unsigned levels)
{
    buf_init(b, 1 << 16);
    for (unsigned i = 0; i < levels; i++)
        MUST(buf_append(b, SPAN("Content-Type: multipart/mixed; boundary=(c)b\r\nA : b\r\n\r\n--b\r\n"
                                "Content-Type: message/rfc822\r\n" QP "\r\n")) == ERR_OK);
    MUST(buf_append(b, SPAN("Content-Type: application/octet-stream\r\n\r\n" SECRET)) == ERR_OK);
    return buf_span(b);
}

START_TEST(a_message_that_many_readings_find_is_read_once)
{
    uint64_t work[2];
    for (unsigned i = 0; i < 2; i++) {
        struct buf b;
        struct rig r = {.wanted = SPAN(SECRET)};
        ck_assert_int_eq(rig_split(&r, nested(&b, i ? 12 : 4)), ERR_OK);
        MUST(r.found);
        ck_assert_uint_eq(r.report.cut, 0);
        work[i] = r.report.work;
        rig_release(&r);
        buf_release(&b);
    }
    MUST(work[1] < 8 * work[0]); /* three times the levels; it was four times as much for each */
}
END_TEST

static void put(struct buf *b, const char *text)
{
    MUST(buf_append(b, span_cstr(text)) == ERR_OK);
}

/* TEXT in base64 after HEAD. */
static void put_encoded(struct buf *b, const char *head, struct span text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *u = (const unsigned char *)text.ptr;
    put(b, head);
    for (size_t i = 0; i < text.len; i += 3) {
        unsigned bits = (unsigned)u[i] << 16, n = text.len - i < 3 ? (unsigned)(text.len - i) : 3;
        bits |= (n > 1 ? (unsigned)u[i + 1] << 8 : 0) | (n > 2 ? u[i + 2] : 0u);
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], n > 1 ? alphabet[bits >> 6 & 63] : '=',
                        n > 2 ? alphabet[bits & 63] : '='};
        MUST(buf_append(b, span_of(four, 4)) == ERR_OK);
        if (i % 57 == 54)
            put(b, "\r\n");
    }
    put(b, "\r\n");
}

#define MIXED   "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n"
#define END     "--b1--\r\n"
#define BASE64  "Content-Transfer-Encoding: base64\r\n"
#define ODD     BASE64 "\r\nQUJD*REVG\r\n--b1\r\n" /* from then on all is carved */
#define FORWARD "Content-Type: message/rfc822\r\n" BASE64 "\r\n"

static bool handed_out(const struct rig *r, const char *what)
{
    return span_find_span(buf_span(&r->text), span_cstr(what)) < buf_len(&r->text);
}

/* A forward in which only carving finds a part, and that is carved only once something odd was seen in the mail. */
START_TEST(a_message_is_read_again_where_it_is_carved_now)
{
    const struct span inner = SPAN("A: b\r\n\r\nwords\r\n--x\r\nContent-Type: a/b\r\n" PARTQP "--x--\r\n");
    for (unsigned odd = 0; odd < 2; odd++) {
        struct buf b;
        struct rig r = {0};
        buf_init(&b, 1 << 16);
        put_encoded(&b, MIXED FORWARD, inner);
        put(&b, odd ? "--b1\r\n" ODD : "--b1\r\nA: b\r\n\r\nwords\r\n--b1\r\n");
        put_encoded(&b, FORWARD, inner);
        put(&b, END);
        ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
        MUST(handed_out(&r, "3.0.1.1=" SECRET) == (odd == 1));
        rig_release(&r);
        buf_release(&b);
    }
}
END_TEST

/* What a guess found accuses nobody; that a reader who takes the last of two fields finds the same does. */
START_TEST(a_message_is_read_again_where_it_accuses_now)
{
    struct buf b;
    struct rig r = {0};
    buf_init(&b, 1 << 16);
    put_encoded(&b, MIXED ODD "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n" BASE64 "\r\n",
                SPAN("Content-Type: application/zip\r\n" BASE64 "\r\nUEsDBBQAAAAA\r\n"));
    ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
    MUST(mime_defects_have(r.report.defects, MIME_DEFECT_READINGS_DIFFER));
    rig_release(&r);
    buf_release(&b);
}
END_TEST

/* The same forward in a forward in a forward, and by itself: the limit stands only in the way to the first. */
START_TEST(a_message_is_read_again_where_more_levels_may_be_opened)
{
    struct buf inner, middle, outer;
    struct rig r = {.wanted = SPAN(SECRET)};
    buf_init(&inner, 1 << 16);
    buf_init(&middle, 1 << 16);
    buf_init(&outer, 1 << 16);
    put_encoded(&inner, FORWARD, SPAN(BASE64 "\r\nVGhlIHNlY3JldCBwYXlsb2FkIQ=="));
    put_encoded(&middle, FORWARD, buf_span(&inner));
    put_encoded(&outer, MIXED FORWARD, buf_span(&middle));
    put_encoded(&outer, "--b1\r\n" FORWARD, buf_span(&inner));
    put(&outer, END);
    struct mime_limits limits = mime_limits_for(buf_len(&outer));
    limits.decodings = 2;
    ck_assert_int_eq(rig_split_limited(&r, buf_span(&outer), &limits), ERR_OK);
    ck_assert_uint_eq(r.report.cut, MIME_CUT_DECODINGS);
    MUST(r.found && handed_out(&r, "2.1.1=" SECRET));
    rig_release(&r);
    buf_release(&inner);
    buf_release(&middle);
    buf_release(&outer);
}
END_TEST

/* The same octets under two headers that promise different boundaries. */
START_TEST(an_encoded_multipart_is_read_again_with_another_boundary)
{
    const struct span inner = SPAN("--x\r\n" PARTQP "--x--\r\n");
    struct buf b;
    struct rig r = {0};
    buf_init(&b, 1 << 16);
    put_encoded(&b, MIXED ODD "Content-Type: multipart/mixed; boundary=y\r\n" BASE64 "\r\n", inner);
    put_encoded(&b, "--b1\r\nContent-Type: multipart/mixed; boundary=x\r\n" BASE64 "\r\n", inner);
    put(&b, END);
    ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
    MUST(handed_out(&r, "3.1=" SECRET));
    rig_release(&r);
    buf_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(ways_that_a_pass_did_not_ask_for_make_no_difference)                                                             \
    X(only_readings_that_may_differ_cost_a_pass)                                                                       \
    X(a_message_that_many_readings_find_is_read_once)                                                                  \
    X(a_message_is_read_again_where_it_is_carved_now)                                                                  \
    X(a_message_is_read_again_where_it_accuses_now)                                                                    \
    X(a_message_is_read_again_where_more_levels_may_be_opened)                                                         \
    X(an_encoded_multipart_is_read_again_with_another_boundary)
#include "support/check_main.h"
