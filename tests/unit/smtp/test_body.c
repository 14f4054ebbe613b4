/* SPDX-License-Identifier: MIT */
/* Dot-stuffing and the end of data: tables, every cut, and a slow reference that looks at the whole input at once. */
#include "must.h"
#include "smtp/body.h"

enum { MAX = 512 };

struct decoded {
    char bytes[MAX];
    size_t len, used; /* used: octets of the input up to and with the terminator */
    unsigned faults;
    bool ended;
};

/* Decodes IN, of which first CUT octets arrive, then the rest. STEP > 0: so many at a time instead. */
static struct decoded decode(struct span in, size_t cut, size_t step)
{
    struct decoded d = {0};
    struct smtp_body_decoder decoder;
    smtp_body_decoder_init(&decoder);
    size_t have = step ? step : cut;
    for (;;) {
        struct span out, view = span_sub(in, d.used, have < in.len ? have - d.used : in.len);
        size_t used;
        enum smtp_body_result r = smtp_body_decode(&decoder, view, &out, &used);
        MUST(used <= view.len);
        d.used += used;
        if (r == SMTP_BODY_SPAN) {
            MUST(out.len > 0);
            MUST(out.ptr >= view.ptr && out.ptr + out.len == view.ptr + used);
            memcpy(d.bytes + d.len, out.ptr, out.len);
            d.len += out.len;
        } else if (r == SMTP_BODY_END) {
            d.ended = true;
            break;
        } else {
            MUST(used == 0);
            MUST(view.len <= 2);
            if (have >= in.len)
                break;
            have = step ? have + step : in.len;
        }
    }
    d.faults = decoder.faults;
    return d;
}

/* The same by the book: the DATA line's CRLF is put in front, the first CRLF.CRLF is looked for, dots are taken off,
 * faults are looked for in what is left. */
static struct decoded reference(struct span in)
{
    struct decoded d = {0};
    char all[MAX + 2] = "\r\n";
    memcpy(all + 2, in.ptr, in.len);
    struct span text = span_of(all, in.len + 2);
    size_t end = span_find_span(text, SPAN("\r\n.\r\n"));
    d.ended = end < text.len;
    d.used = d.ended ? end + 3 : in.len;
    size_t stop = d.ended ? end + 2 : text.len;
    for (size_t i = 2; i < stop; i++)
        if (all[i] != '.' || all[i - 1] != '\n' || all[i - 2] != '\r')
            d.bytes[d.len++] = all[i];
    for (size_t i = 0; i < d.len; i++) {
        bool cr_before = i > 0 && d.bytes[i - 1] == '\r', lf_after = i + 1 < d.len && d.bytes[i + 1] == '\n';
        if (d.bytes[i] == '\0')
            d.faults |= SMTP_FAULT_NUL;
        if (d.bytes[i] == '\n' && !cr_before)
            d.faults |= SMTP_FAULT_BARE_LF;
        if (d.bytes[i] == '\r' && !lf_after)
            d.faults |= SMTP_FAULT_BARE_CR;
    }
    return d;
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
    MUST(a->ended == b->ended);
    MUST(a->len == b->len);
    MUST(memcmp(a->bytes, b->bytes, b->len) == 0);
    MUST(a->used == b->used);
    MUST(a->faults == b->faults);
}

struct row {
    struct span in, out;
    unsigned faults;
};
#define ROW(in, out, faults)                                                                                           \
    {                                                                                                                  \
        {in, sizeof(in) - 1}, {out, sizeof(out) - 1}, faults                                                           \
    }

START_TEST(takes_dots_off_and_ends_at_the_terminator_only)
{
    static const struct row rows[] = {
        ROW(".\r\n", "", 0),
        ROW("a\r\n.\r\n", "a\r\n", 0),
        ROW("..\r\n...\r\n.x\r\n.\r\n", ".\r\n..\r\nx\r\n", 0),
        ROW("a.\r\n.\r\n", "a.\r\n", 0),
        ROW("\r\n\r\n.\r\n", "\r\n\r\n", 0),
        ROW("\n.\n\r\n.\r\n", "\n.\n\r\n", SMTP_FAULT_BARE_LF),
        ROW("\r.\r\r\n.\r\n", "\r.\r\r\n", SMTP_FAULT_BARE_CR),
        ROW(".\r\r\n.\r\n", "\r\r\n", SMTP_FAULT_BARE_CR),
        ROW(".\rx\r\n.\r\n", "\rx\r\n", SMTP_FAULT_BARE_CR),
        ROW(".\n\r\n.\r\n", "\n\r\n", SMTP_FAULT_BARE_LF),
        ROW("a\0b\r\n.\r\n", "a\0b\r\n", SMTP_FAULT_NUL),
        ROW(".\0\r\n.\r\n", "\0\r\n", SMTP_FAULT_NUL),
        ROW("\r\0\n\r\n.\r\n", "\r\0\n\r\n", SMTP_FAULT_NUL | SMTP_FAULT_BARE_CR | SMTP_FAULT_BARE_LF),
        ROW("\xff\x80\r\n.\r\n", "\xff\x80\r\n", 0),
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t cut = 0; cut <= rows[i].in.len + 1; cut++) {
            struct decoded d = decode(rows[i].in, cut, cut == rows[i].in.len + 1);
            ck_assert_msg(d.ended, "row %zu cut %zu", i, cut);
            MUST(d.used == rows[i].in.len);
            ck_assert_msg(span_eq(span_of(d.bytes, d.len), rows[i].out), "row %zu cut %zu: %zu octets", i, cut, d.len);
            ck_assert_msg(d.faults == rows[i].faults, "row %zu cut %zu: faults %u", i, cut, d.faults);
        }
}
END_TEST

START_TEST(leaves_what_follows_the_terminator_alone)
{
    for (size_t cut = 0; cut < 12; cut++) {
        struct decoded d = decode(SPAN("a\r\n.\r\n.\r\nQ"), cut, 0);
        MUST(d.ended);
        MUST(d.used == 6);
    }
}
END_TEST

/* A generator of our own, so that every run tests the same. */
static unsigned next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(*seed >> 33);
}

static size_t random_bytes(uint64_t *seed, char *to, size_t max)
{
    static const char alphabet[] = {'\r', '\n', '\r', '\n', '.', '.', 'a', '\0'};
    size_t len = next_random(seed) % max;
    for (size_t i = 0; i < len; i++) {
        unsigned r = next_random(seed);
        to[i] = alphabet[r % sizeof(alphabet)];
        if (to[i] == '\r' && (r & 64) && i + 1 < len)
            to[++i] = '\n';
    }
    return len;
}

START_TEST(decodes_random_input_as_the_reference_does)
{
    uint64_t seed = 42;
    unsigned ended = 0, open = 0;
    for (unsigned round = 0; round < 30000; round++) {
        char in[64];
        size_t len = random_bytes(&seed, in, sizeof(in));
        struct decoded want = reference(span_of(in, len));
        struct decoded got = decode(span_of(in, len), next_random(&seed) % (len + 1), next_random(&seed) % 4);
        if (want.ended) {
            check_same(&got, &want);
            ended++;
        } else {
            /* What may be half a terminator is not yet judged. */
            MUST(!got.ended);
            MUST(got.len <= want.len);
            MUST(memcmp(got.bytes, want.bytes, got.len) == 0);
            MUST(got.used + 2 >= len);
            open++;
        }
    }
    MUST(ended > 1000);
    MUST(open > 1000);
}
END_TEST

/* Long bodies are looked at in blocks: whatever stands in one, at any place of it, is found as in a short body. */
START_TEST(finds_what_is_odd_anywhere_in_a_long_body)
{
    const struct span odds[] = {
        SPAN("\n"),        SPAN("\r"),         SPAN("\r\r\n"),  SPAN("\0"),     SPAN("\r\n"),
        SPAN("\r\n..x"),   SPAN("\r\n.x"),     SPAN("\n.x"),    SPAN("\r.x"),   SPAN("\r\n\r\n"),
        SPAN("\r\n.\r\n"), SPAN("\r\n.\rx\n"), SPAN("\n.\r\n"), SPAN("\r\0\n"), SPAN("\n\n"),
    };
    static const char end[] = "\r\n.\r\n";
    for (size_t i = 0; i < ARRAY_SIZE(odds); i++)
        for (size_t at = 0; at < 200; at++) {
            char in[MAX];
            size_t len = 200 + odds[i].len;
            memset(in, 'a', sizeof(in));
            in[at / 2] = '.'; /* harmless inside a line */
            memcpy(in + at, odds[i].ptr, odds[i].len);
            memcpy(in + len, end, sizeof(end) - 1);
            len += sizeof(end) - 1;
            struct decoded want = reference(span_of(in, len));
            MUST(want.ended);
            for (size_t cut = 0; cut <= len; cut += 1 + (cut + at) % 7) {
                struct decoded got = decode(span_of(in, len), cut, 0);
                check_same(&got, &want);
            }
        }
}
END_TEST

START_TEST(what_was_encoded_decodes_to_itself)
{
    uint64_t seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        char body[100];
        size_t len = random_bytes(&seed, body, sizeof(body));
        struct smtp_body_encoder e;
        struct buf out;
        smtp_body_encoder_init(&e);
        buf_init(&out, MAX);
        for (size_t at = 0; at < len;) {
            size_t n = 1 + next_random(&seed) % 9;
            n = n < len - at ? n : len - at;
            MUST(smtp_body_encode(&e, &out, span_of(body + at, n)) == ERR_OK);
            at += n;
        }
        MUST(smtp_body_encode_end(&e, &out) == ERR_OK);
        struct decoded d = decode(buf_span(&out), next_random(&seed) % 100, next_random(&seed) % 4);
        bool line_ended = len == 0 || (len >= 2 && memcmp(body + len - 2, "\r\n", 2) == 0);
        MUST(d.ended);
        MUST(d.used == buf_len(&out));
        MUST(d.len == line_ended ? len : len + 2);
        MUST(memcmp(d.bytes, body, len) == 0);
        buf_release(&out);
    }
}
END_TEST

START_TEST(encodes_exactly)
{
    static const struct row rows[] = {
        ROW("", ".\r\n", 0),
        ROW(".", "..\r\n.\r\n", 0),
        ROW("\r\n", "\r\n.\r\n", 0),
        ROW(".\r\n.\r\n", "..\r\n..\r\n.\r\n", 0),
        ROW("a\n.b\r.c\r\n", "a\n.b\r.c\r\n.\r\n", 0),
        ROW("a\r", "a\r\r\n.\r\n", 0),
        ROW("abc", "abc\r\n.\r\n", 0),
        ROW("\n.\r\n", "\n.\r\n.\r\n", 0),
        ROW("\r\n\n.\r\r\n..\r\n", "\r\n\n.\r\r\n...\r\n.\r\n", 0),
        ROW("a.b..c...........................................................d\r\n.\r\n.e.",
            "a.b..c...........................................................d\r\n..\r\n..e.\r\n.\r\n", 0),
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t cut = 0; cut <= rows[i].in.len; cut++) {
            struct smtp_body_encoder e;
            struct buf out;
            smtp_body_encoder_init(&e);
            buf_init(&out, MAX);
            MUST(smtp_body_encode(&e, &out, span_sub(rows[i].in, 0, cut)) == ERR_OK);
            MUST(smtp_body_encode(&e, &out, span_sub(rows[i].in, cut, MAX)) == ERR_OK);
            MUST(smtp_body_encode_end(&e, &out) == ERR_OK);
            ck_assert_msg(span_eq(buf_span(&out), rows[i].out), "row %zu cut %zu", i, cut);
            buf_release(&out);
        }
}
END_TEST

START_TEST(takes_nothing_when_the_output_is_full)
{
    struct smtp_body_encoder e;
    struct buf out;
    smtp_body_encoder_init(&e);
    buf_init(&out, 5);
    MUST(smtp_body_encode(&e, &out, SPAN(".a\r\n.b")) == ERR_FULL);
    MUST(buf_len(&out) == 0);
    MUST(smtp_body_encode(&e, &out, SPAN(".a\r\n")) == ERR_OK);
    MUST(smtp_body_encode_end(&e, &out) == ERR_FULL);
    MUST(smtp_body_encode(&e, &out, SPAN(".")) == ERR_FULL);
    buf_clear(&out);
    MUST(smtp_body_encode(&e, &out, SPAN(".")) == ERR_OK);
    MUST(span_eq(buf_span(&out), SPAN("..")));
    buf_release(&out);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(takes_dots_off_and_ends_at_the_terminator_only)                                                                  \
    X(leaves_what_follows_the_terminator_alone)                                                                        \
    X(decodes_random_input_as_the_reference_does)                                                                      \
    X(finds_what_is_odd_anywhere_in_a_long_body)                                                                       \
    X(what_was_encoded_decodes_to_itself)                                                                              \
    X(encodes_exactly)                                                                                                 \
    X(takes_nothing_when_the_output_is_full)
#include "support/check_main.h"
