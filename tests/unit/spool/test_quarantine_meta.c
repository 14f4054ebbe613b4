/* SPDX-License-Identifier: MIT */
/* Ids and metadata of quarantine: what is written comes back octet by octet, what is damaged is refused. */
#include "spool/quarantine_meta.h"
#include <check.h>

static const uint64_t chance[2] = {0x0123456789abcdef, 0xfedcba9876543210};
#define ID     "20261122023015-0123456789abcdeffedcba9876543210"
#define MOMENT UINT64_C(1795314615123) /* 2026-11-22T02:30:15.123Z */

static const char *const two[] = {"<b@y.test>", "<\"q \\\" q\"@y.test>"};

static struct quarantine_meta sample(void)
{
    struct quarantine_meta m;
    quarantine_meta_clear(&m);
    memcpy(m.id, ID, sizeof(ID));
    m.status = QUARANTINE_HELD;
    m.time_ms = MOMENT;
    m.size = 1234567890123;
    m.database = 27000;
    memset(&m.digest, 0xa5, sizeof(m.digest));
    m.session = "s-1";
    m.message = "s-1.1";
    m.client = "[2001:db8::1]:4711";
    m.reverse_path = "<>";
    m.verdict = "infected";
    m.virus = "Some.Virus";
    m.mark = "infected; name=\"Some.Virus\"; engine=clamav1";
    m.recipients = two;
    m.recipient_count = 2;
    return m;
}

static void write_meta(const struct quarantine_meta *m, struct buf *out)
{
    buf_init(out, QUARANTINE_META_MAX);
    ck_assert_int_eq(quarantine_meta_write(out, m), ERR_OK);
}

static enum err read_meta(struct arena *arena, struct span text, struct quarantine_meta *m)
{
    struct errtext why;
    arena_init(arena, QUARANTINE_META_MAX);
    enum err e = quarantine_meta_read(arena, text, QUARANTINE_RECIPIENTS_MAX, m, &why);
    ck_assert(e == ERR_OK || e == ERR_SYNTAX);
    return e;
}

START_TEST(an_id_is_time_and_chance)
{
    char id[QUARANTINE_ID_SIZE];
    quarantine_make_id(MOMENT, chance, id);
    ck_assert_str_eq(id, ID);
    ck_assert(quarantine_id_is_valid(span_cstr(id)));
    ck_assert_uint_eq(quarantine_id_time_ms(id), MOMENT - 123);
    quarantine_make_id(UINT64_MAX, chance, id);
    ck_assert(quarantine_id_is_valid(span_cstr(id)));
    quarantine_make_id(0, chance, id);
    ck_assert_uint_eq(quarantine_id_time_ms(id), 0);
}
END_TEST

START_TEST(nothing_else_is_an_id)
{
    static const struct span hostile[] = {
        {"", 0},
        {"../../../../../../../../../../../../../etc/passwd", 47},
        {ID "x", 48},
        {ID, 46},
        {"20261122023015-0123456789ABCDEFfedcba9876543210", 47},
        {"20261122023015_0123456789abcdeffedcba9876543210", 47},
        {"2026112202301a-0123456789abcdeffedcba9876543210", 47},
        {"20261122023015-0123456789abcdef/edcba9876543210", 47},
        {"20261122023015-0123456789abcdef.edcba9876543210", 47},
        {"20261122023015-0123456789abcdef\0edcba9876543210", 47},
        {"20261122023015-0123456789abcdef\nedcba9876543210", 47},
        {"20261122023015-0123456789abcdefg"
         "edcba9876543210",
         47},
    };
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++)
        ck_assert_msg(!quarantine_id_is_valid(hostile[i]), "row %zu", i);
}
END_TEST

START_TEST(what_is_written_comes_back)
{
    struct quarantine_meta m = sample(), back;
    struct arena arena;
    struct buf text;
    m.changed_ms = MOMENT + 5;
    m.status = QUARANTINE_RELEASED;
    m.outcome = "250 2.0.0 queued";
    write_meta(&m, &text);
    ck_assert_int_eq(read_meta(&arena, buf_span(&text), &back), ERR_OK);
    ck_assert_str_eq(back.id, ID);
    ck_assert_int_eq(back.status, QUARANTINE_RELEASED);
    ck_assert_uint_eq(back.time_ms, m.time_ms);
    ck_assert_uint_eq(back.changed_ms, m.changed_ms);
    ck_assert_uint_eq(back.size, m.size);
    ck_assert_uint_eq(back.database, m.database);
    ck_assert_mem_eq(&back.digest, &m.digest, sizeof(m.digest));
#define QUARANTINE_TEXT(field, key, meaning) ck_assert_str_eq(back.field, m.field);
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
    ck_assert_uint_eq(back.recipient_count, 2);
    ck_assert_str_eq(back.recipients[0], two[0]);
    ck_assert_str_eq(back.recipients[1], two[1]);
    arena_release(&arena);
    buf_release(&text);
}
END_TEST

START_TEST(hostile_octets_are_kept_and_the_file_stays_printable)
{
    char all[256];
    struct quarantine_meta m = sample(), back;
    struct arena arena;
    struct buf text;
    for (int c = 1; c < 256; c++)
        all[c - 1] = (char)c;
    all[255] = '\0';
    m.header_subject = all;
    m.helo = "\",\"id\":\"20261122023015-00000000000000000000000000000000\",\"x\":\"";
    write_meta(&m, &text);
    struct span s = buf_span(&text);
    for (size_t i = 0; i < s.len; i++)
        ck_assert(char_is_print(s.ptr[i]) || s.ptr[i] == '\n');
    ck_assert_int_eq(read_meta(&arena, s, &back), ERR_OK);
    ck_assert_str_eq(back.header_subject, all);
    ck_assert_str_eq(back.helo, m.helo);
    ck_assert_str_eq(back.id, ID);
    arena_release(&arena);
    buf_release(&text);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused)
{
    struct quarantine_meta m = sample(), back;
    struct arena arena;
    struct buf text;
    write_meta(&m, &text);
    struct span s = buf_span(&text);
    for (size_t len = 0; len + 1 < s.len; len++) { /* the last octet is a line end */
        ck_assert_int_eq(read_meta(&arena, span_sub(s, 0, len), &back), ERR_SYNTAX);
        ck_assert_str_eq(back.id, "");
        ck_assert_str_eq(back.virus, "");
        arena_release(&arena);
    }
    buf_release(&text);
}
END_TEST

START_TEST(a_changed_octet_is_refused_or_changes_one_value_only)
{
    struct quarantine_meta m = sample(), back;
    struct arena arena;
    struct buf text;
    write_meta(&m, &text);
    char *octets = text.data + text.start;
    for (size_t i = 0; i < buf_len(&text); i++) {
        static const char others[] = {'\0', '"', '\\', '{', ']', '9', '\n', (char)0xff};
        char right = octets[i];
        for (size_t k = 0; k < sizeof(others); k++) {
            octets[i] = others[k];
            if (read_meta(&arena, buf_span(&text), &back) == ERR_OK) {
                ck_assert(quarantine_id_is_valid(span_cstr(back.id)));
                ck_assert_uint_ge(back.recipient_count, 1);
            }
            arena_release(&arena);
        }
        octets[i] = right;
    }
    buf_release(&text);
}
END_TEST

START_TEST(what_is_missing_or_of_another_kind_is_refused_and_what_is_new_is_passed_over)
{
#define REST                                                                                                           \
    "\"status\": \"held\", \"time_ms\": 1, \"size\": 3, \"sender\": \"<>\", "                                          \
    "\"sha256\": \"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\", "
#define TO "\"recipients\": [\"<a@b>\"]}"
    static const struct {
        const char *text;
        enum err expected;
    } rows[] = {
        {"{\"id\": \"" ID "\", " REST TO, ERR_OK},
        {"{\"id\": \"" ID "\", " REST "\"later\": \"x\", \"number\": 5, " TO, ERR_OK},
        {"{\"id\": \"" ID "\", " REST "\"recipients\": []}", ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"recipients\": [\"<a>\" \"<b>\"]}", ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"later\": {\"x\": 1}, " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"virus\": 5, " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"virus\": \"\\u0000\", " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"virus\": \"\\u0100\", " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"virus\": \"\\n\", " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"size\": -1, " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST "\"size\": 99999999999999999999, " TO, ERR_SYNTAX},
        {"{\"id\": \"../x\", " REST TO, ERR_SYNTAX},
        {"{" REST TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " TO, ERR_SYNTAX},
        {"{\"id\": \"" ID "\", " REST TO " x", ERR_SYNTAX},
        {"[]", ERR_SYNTAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct quarantine_meta back;
        struct arena arena;
        enum err e = read_meta(&arena, span_cstr(rows[i].text), &back);
        ck_assert_msg(e == rows[i].expected, "row %zu: %s", i, rows[i].text);
        arena_release(&arena);
    }
}
END_TEST

START_TEST(of_many_recipients_as_many_are_kept_as_asked_for)
{
    enum { MANY = 1000 };
    static const char *paths[MANY];
    struct quarantine_meta m = sample(), back;
    struct errtext why;
    struct arena arena;
    struct buf text;
    for (size_t i = 0; i < MANY; i++)
        paths[i] = i ? "<other@y.test>" : "<first@y.test>";
    m.recipients = paths;
    m.recipient_count = MANY;
    write_meta(&m, &text);
    arena_init(&arena, 1 << 20);
    ck_assert_int_eq(quarantine_meta_read(&arena, buf_span(&text), 1, &back, &why), ERR_OK);
    ck_assert_uint_eq(back.recipient_count, MANY);
    ck_assert_str_eq(back.recipients[0], "<first@y.test>");
    arena_release(&arena);
    buf_release(&text);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_id_is_time_and_chance)                                                                                        \
    X(nothing_else_is_an_id)                                                                                           \
    X(what_is_written_comes_back)                                                                                      \
    X(hostile_octets_are_kept_and_the_file_stays_printable)                                                            \
    X(a_file_cut_anywhere_is_refused)                                                                                  \
    X(a_changed_octet_is_refused_or_changes_one_value_only)                                                            \
    X(what_is_missing_or_of_another_kind_is_refused_and_what_is_new_is_passed_over)                                    \
    X(of_many_recipients_as_many_are_kept_as_asked_for)
#include "support/check_main.h"
