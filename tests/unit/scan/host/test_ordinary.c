/* SPDX-License-Identifier: MIT */
/* What GMime extracts, as the ordinary reading of a message. */
#include "scan/host/ordinary.h"
#include <check.h>

enum { LEAVES = 8, LEAF = 128 };

struct leaves {
    unsigned count;
    char path[LEAVES][32], type[LEAVES][MIME_TYPE_SIZE], octets[LEAVES][LEAF];
    size_t len[LEAVES];
    enum mime_encoding encoding[LEAVES];
    enum err say;
    size_t had_offset, had_length; /* what the caller has: a length of 0 is nothing */
    enum mime_encoding had_encoding;
    mime_defects defects; /* that were told */
};

static bool had(void *arg, size_t offset, size_t length, enum mime_encoding encoding)
{
    const struct leaves *l = arg;
    return length == l->had_length && offset == l->had_offset && encoding == l->had_encoding;
}

static enum err take(void *arg, const struct mime_part *part)
{
    struct leaves *l = arg;
    ck_assert_uint_lt(l->count, LEAVES);
    ck_assert_uint_le(part->octets.len, LEAF);
    ck_assert(!part->verbatim && part->readings == 0);
    snprintf(l->path[l->count], sizeof(l->path[0]), "%s", part->path);
    snprintf(l->type[l->count], sizeof(l->type[0]), "%s", part->type);
    if (part->octets.len > 0)
        memcpy(l->octets[l->count], part->octets.ptr, part->octets.len);
    l->len[l->count] = part->octets.len;
    l->encoding[l->count++] = part->encoding;
    return l->say;
}

static enum err read_text(const char *text, uint64_t decoded, struct leaves *l, bool *cut)
{
    return ordinary_read(span_cstr(text), decoded, had, take, l, cut, &l->defects);
}

START_TEST(each_leaf_is_handed_out_decoded)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const struct {
        const char *text;
        unsigned count;
        struct {
            const char *path, *type, *octets;
        } leaves[3];
    } rows[] = {
        {"Subject: a\r\n\r\nhello\r\n", 1, {{"1", "text/plain", "hello\r\n"}}},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: application/x\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\ndHdv\r\n--b--\r\n",
         2,
         {{"1", "text/plain", "one"}, {"2", "application/x", "two"}}},
        {"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nt=68=\r\nree\r\n--b--\r\n",
         1,
         {{"1", "text/plain", "three"}}},
        {"Content-Type: text/plain; name*=iso-2022-jp''%1B$B%46; charset=\"no-such\"\r\n\r\nfour",
         1,
         {{"1", "text/plain", "four"}}},
        /* texts that do not stand there as they are read */
        {"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-",
         2,
         {{"1", "text/html", "+ADw-script+AD4-"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=IBM037\r\nContent-Transfer-Encoding: base64\r\n\r\nTKKDmYmXo24=",
         2,
         {{"1", "text/html", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<script>", 1, {{"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=koi8-r\r\n\r\n<script>", 1, {{"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<scr\x1b(Bipt>",
         2,
         {{"1", "text/html", "<scr\x1b(Bipt>"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=iso-2022-kr\r\n\r\n\x1b$)C<scr\x0e\x0fipt>",
         2,
         {{"1", "text/html", "\x1b$)C<scr\x0e\x0fipt>"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=big5\r\n\r\n\xa4\x40 <script>",
         1,
         {{"1", "text/html", "\xa4\x40 <script>"}}},
        {"Content-Type: text/html; charset=cp1140\r\nContent-Transfer-Encoding: base64\r\n\r\nTKKDmYmXo24=",
         2,
         {{"1", "text/html", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e"}, {"1", "text/html", "<script>"}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(rows[i].text, 1000, &l, &cut), ERR_OK);
        ck_assert(!cut);
        ck_assert_msg(l.count == rows[i].count, "row %zu: %u leaves", i, l.count);
        for (unsigned k = 0; k < l.count; k++) {
            ck_assert_str_eq(l.path[k], rows[i].leaves[k].path);
            ck_assert_str_eq(l.type[k], rows[i].leaves[k].type);
            ck_assert_msg(l.len[k] == strlen(rows[i].leaves[k].octets) &&
                              memcmp(l.octets[k], rows[i].leaves[k].octets, l.len[k]) == 0,
                          "row %zu: %.*s", i, (int)l.len[k], l.octets[k]);
        }
    }
    ordinary_free(o);
}
END_TEST

START_TEST(what_would_be_too_much_is_cut_and_said)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    struct leaves l = {.say = ERR_OK};
    bool cut;
    ck_assert_int_eq(
        read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n"
                  "--b--\r\n",
                  8, &l, &cut),
        ERR_OK);
    ck_assert(cut);
    ck_assert_uint_eq(l.count, 1);
    const struct span vast = {"", (size_t)UINT32_MAX + 1}; /* nothing of which is looked at */
    ck_assert_int_eq(ordinary_read(vast, UINT64_MAX, had, take, &l, &cut, &l.defects), ERR_OK);
    ck_assert(cut);
    ck_assert_uint_eq(l.count, 1);
    ordinary_free(o);
}
END_TEST

/* In EBCDIC an "A" is a blank of two octets in UTF-8. */
START_TEST(a_text_in_utf8_counts_beside_its_octets)
{
    static const struct {
        const char *text;
        uint64_t decoded;
        unsigned count;
        bool cut;
    } rows[] = {
        {"Content-Type: text/html; charset=IBM037\r\n\r\nAAAAAAAA\x4c\xa2\x83\x99", 12, 1, true},
        {"Content-Type: text/html; charset=IBM037\r\n\r\nAAAAAAAA\x4c\xa2\x83\x99", 31, 1, true},
        {"Content-Type: text/html; charset=IBM037\r\n\r\nAAAAAAAA\x4c\xa2\x83\x99", 32, 2, false},
        {"Content-Type: text/html; charset=utf-7\r\n\r\n+ADwAPg-", 9, 1, true},
        {"Content-Type: text/html; charset=utf-7\r\n\r\n+ADwAPg-", 10, 2, false},
    };
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(rows[i].text, rows[i].decoded, &l, &cut), ERR_OK);
        ck_assert_msg(cut == rows[i].cut && l.count == rows[i].count, "row %zu: %u leaves, %d, last of %zu", i, l.count,
                      cut, l.len[l.count - 1]);
    }
    ordinary_free(o);
}
END_TEST

START_TEST(the_word_of_the_sink_ends_it)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    struct leaves l = {.say = ERR_FULL};
    bool cut;
    ck_assert_int_eq(
        read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\r\n", 1000,
                  &l, &cut),
        ERR_FULL);
    ck_assert_uint_eq(l.count, 1);
    ordinary_free(o);
}
END_TEST

/* Of two types GMime takes the last. */
START_TEST(what_types_say_is_told)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const struct {
        const char *text;
        mime_defects defects;
    } rows[] = {
        {"Content-Type: text/plain\r\n\r\nwords", 0},
        {"Content-Type: message/partial; id=a\r\n\r\nwords", (mime_defects)1 << MIME_DEFECT_PARTIAL},
        {"Content-Type: text/plain\r\nContent-Type: message/partial; id=a\r\n\r\nwords",
         (mime_defects)1 << MIME_DEFECT_PARTIAL},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n"
         "Content-Type: message/external-body; access-type=URL\r\n\r\nA: b\r\n\r\n--b--\r\n",
         (mime_defects)1 << MIME_DEFECT_EXTERNAL_BODY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(rows[i].text, 1000, &l, &cut), ERR_OK);
        ck_assert_msg(l.defects == rows[i].defects, "row %zu: %llx", i, (unsigned long long)l.defects);
    }
    ordinary_free(o);
}
END_TEST

START_TEST(nothing_and_nonsense_have_no_parts)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const char *const texts[] = {"", "\r\n", ":", "\x01\x02\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(texts[i], 1000, &l, &cut), ERR_OK);
    }
    ordinary_free(o);
}
END_TEST

START_TEST(text_of_any_charset_that_the_c_library_knows_is_converted)
{
    static const struct {
        const char *charset, *octets, *text;
    } rows[] = {
        {"cp1140", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e", "<script>"},
        {"1140", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e", "<script>"},
        {"ebcdic_cp_us", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e", "<script>"},
        {"IBM1026", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e", "<script>"},
        {"iso-2022-kr",
         "\x1b$)Ca\x0e\x0f\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"cp1258", "a", "a"}, /* which keeps a letter back for what may follow */
        {"no-such-charset", "a", ""},
        {"", "a", ""},
    };
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        ck_assert_int_eq(ordinary_recode(span_cstr(rows[i].octets), span_cstr(rows[i].charset), &out), ERR_OK);
        ck_assert_msg(span_eq(buf_span(&out), span_cstr(rows[i].text)), "row %zu: %.*s", i, SPAN_ARG(buf_span(&out)));
        buf_release(&out);
    }
    struct buf small;
    buf_init(&small, 3);
    ck_assert_int_eq(ordinary_recode(SPAN("four"), SPAN("cp1140"), &small), ERR_FULL);
    buf_release(&small);
    ordinary_free(o);
}
END_TEST

#define TWO_LEAVES(charset, body)                                                                                      \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=" charset                \
    "\r\nContent-Transfer-Encoding: base64\r\n\r\n" body "\r\n--b\r\n\r\nsecond\r\n--b--\r\n"

START_TEST(what_the_caller_has_is_not_handed_out_but_as_the_text_that_a_person_sees)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const struct {
        const char *text, *body;
        size_t length; /* of what the caller has */
        enum mime_encoding encoding;
        const char *leaves[3];
    } rows[] = {
        {TWO_LEAVES("utf-8", "b25l"), "b25l", 4, MIME_BASE64, {"second"}},
        {TWO_LEAVES("utf-8", "b25l"), "b25l", 4, MIME_QP, {"one", "second"}},
        {TWO_LEAVES("utf-8", "b25l"), "b25l", 3, MIME_BASE64, {"one", "second"}},
        {TWO_LEAVES("utf-8", "b25l"), "second", 6, MIME_IDENTITY, {"one"}},
        {TWO_LEAVES("utf-7", "K0FEdy0="), "K0FE", 8, MIME_BASE64, {"<", "second"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct leaves l = {.had_offset = (size_t)(strstr(rows[i].text, rows[i].body) - rows[i].text),
                           .had_length = rows[i].length,
                           .had_encoding = rows[i].encoding};
        bool cut;
        unsigned count = 0;
        ck_assert_int_eq(read_text(rows[i].text, 1000, &l, &cut), ERR_OK);
        for (; count < ARRAY_SIZE(rows[i].leaves) && rows[i].leaves[count]; count++) {
            struct span expected = span_cstr(rows[i].leaves[count]);
            ck_assert_msg(count < l.count && span_eq(span_of(l.octets[count], l.len[count]), expected),
                          "row %zu, leaf %u is not %s", i, count, rows[i].leaves[count]);
        }
        ck_assert_msg(l.count == count, "row %zu: %u leaves", i, l.count);
    }
    ordinary_free(o);
}
END_TEST

enum { PLACES = 32 };

/* What the splitter says that every reader makes of some octets, beside what GMime makes of them. */
struct certainty {
    unsigned count, asked; /* PLACES: of none */
    struct {
        size_t offset, length;
        enum mime_encoding encoding;
        char octets[LEAF];
        size_t len;
    } places[PLACES];
    unsigned compared[MIME_UNKNOWN];
    const char *mail;
};

static enum err note_certain(void *arg, const struct mime_part *part)
{
    struct certainty *c = arg;
    if (!part->certain || part->octets.len > LEAF)
        return ERR_OK;
    ck_assert_uint_lt(c->count, PLACES);
    c->places[c->count].offset = part->offset;
    c->places[c->count].length = part->extent;
    c->places[c->count].encoding = part->encoding;
    c->places[c->count].len = part->octets.len;
    memcpy(c->places[c->count++].octets, part->octets.ptr, part->octets.len);
    return ERR_OK;
}

static bool ask(void *arg, size_t offset, size_t length, enum mime_encoding encoding)
{
    struct certainty *c = arg;
    for (c->asked = 0; c->asked < c->count; c->asked++)
        if (c->places[c->asked].offset == offset && c->places[c->asked].length == length &&
            c->places[c->asked].encoding == encoding)
            return false; /* and it comes to compare() next */
    c->asked = PLACES;
    return false;
}

static enum err compare(void *arg, const struct mime_part *part)
{
    struct certainty *c = arg;
    if (c->asked == PLACES)
        return ERR_OK;
    struct span certain = span_of(c->places[c->asked].octets, c->places[c->asked].len);
    ck_assert_msg(span_eq(part->octets, certain), "GMime: %.*s, splitter: %.*s, of\n%s", SPAN_ARG(part->octets),
                  SPAN_ARG(certain), c->mail);
    c->compared[c->places[c->asked].encoding]++;
    c->asked = PLACES;
    return ERR_OK;
}

/* Of TOKENS up to a NULL, and of those behind it only where WRONG. */
static void random_body(unsigned *seed, const char *const *tokens, size_t count, bool wrong, char *out, size_t size)
{
    size_t n = 0, right = 0;
    while (tokens[right])
        right++;
    out[0] = '\0';
    *seed = *seed * 1103515245u + 12345u;
    for (unsigned left = (*seed >> 16) % 12 + 1; left > 0; left--) {
        *seed = *seed * 1103515245u + 12345u;
        const char *token = tokens[(*seed >> 16) % (wrong ? count : right)];
        n += (size_t)snprintf(out + n, size - n, "%s", token ? token : "");
    }
}

/* Bodies of what encodings are made of, right and wrong, at random. */
START_TEST(what_the_splitter_is_certain_of_gmime_decodes_to_the_same_octets)
{
    /* those behind NULL are wrong, or right in some places only */
    static const char *const base64[] = {
        "YWJj", "b25l", "/+8x", "QUJDREVG", "\r\n", "\n", NULL, "YQ==", "YWI=", "\r", "=", " ", "Y", "Yb", "-_", "!"};
    static const char *const qp[] = {"abc", "=41", "=e9", "=\r\n", "\r\n", "d e", "=\n", "\n", " \r\n",
                                     "=3D", "\t",  NULL,  "=",     "= ",   "=\r", "=4",  "\r", "=zz"};
    static const char *const identity[] = {"abc", "\r\n", "\n", "\r", "=41", "YWJj", "\xe9", " ", NULL, "--", "--b"};
    static const struct {
        const char *word;
        const char *const *tokens;
        size_t count;
    } rows[] = {{"base64", base64, ARRAY_SIZE(base64)},
                {"quoted-printable", qp, ARRAY_SIZE(qp)},
                {"8bit", identity, ARRAY_SIZE(identity)}};
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    struct certainty c = {.asked = PLACES};
    unsigned seed = 7;
    for (unsigned round = 0; round < 1500; round++) {
        char body[LEAF], mail[512];
        struct mime_report report;
        mime_defects defects;
        bool cut;
        size_t row = round % ARRAY_SIZE(rows);
        random_body(&seed, rows[row].tokens, rows[row].count, round % 2 > 0, body, sizeof(body));
        int n = snprintf(mail, sizeof(mail),
                         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: "
                         "%s\r\n\r\n%s\r\n--b--\r\n",
                         rows[row].word, body);
        struct mime_limits limits = mime_limits_for((size_t)n);
        c.count = 0;
        c.mail = mail;
        ck_assert_int_eq(mime_split(span_of(mail, (size_t)n), &limits, note_certain, &c, &report), ERR_OK);
        struct span message = span_of(mail, (size_t)n);
        ck_assert_int_eq(ordinary_read(message, sizeof(mail), ask, compare, &c, &cut, &defects), ERR_OK);
    }
    ck_assert_uint_gt(c.compared[MIME_BASE64], 100);
    ck_assert_uint_gt(c.compared[MIME_QP], 100);
    ck_assert_uint_gt(c.compared[MIME_IDENTITY], 100);
    ordinary_free(o);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_the_caller_has_is_not_handed_out_but_as_the_text_that_a_person_sees)                                        \
    X(what_the_splitter_is_certain_of_gmime_decodes_to_the_same_octets)                                                \
    X(text_of_any_charset_that_the_c_library_knows_is_converted)                                                       \
    X(each_leaf_is_handed_out_decoded)                                                                                 \
    X(what_would_be_too_much_is_cut_and_said)                                                                          \
    X(a_text_in_utf8_counts_beside_its_octets)                                                                         \
    X(the_word_of_the_sink_ends_it)                                                                                    \
    X(what_types_say_is_told)                                                                                          \
    X(nothing_and_nonsense_have_no_parts)
#include "support/check_main.h"
