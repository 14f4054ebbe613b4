/* SPDX-License-Identifier: MIT */
/* Paths, host names, and the parameters of MAIL and RCPT. */
#include "base/limits.h"
#include "must.h"
#include "smtp/param.h"
#include "smtp/path.h"

struct path_row {
    const char *text;
    const char *mailbox; /* NULL: not a path */
    const char *domain, *rest;
};

static const struct path_row PATHS[] = {
    {"<a@b>", "a@b", "b", ""},
    {"<UsEr@EX.org> SIZE=1", "UsEr@EX.org", "EX.org", " SIZE=1"},
    {"<a@b>x", "a@b", "b", "x"},
    {"<a.b+c=d/e@sub_domain.example-1.org>", "a.b+c=d/e@sub_domain.example-1.org", "sub_domain.example-1.org", ""},
    {"<.a..b.@b>", ".a..b.@b", "b", ""},
    {"<!#$%&'*+-/=?^_`{|}~@b>", "!#$%&'*+-/=?^_`{|}~@b", "b", ""},
    {"<\"a b\"@c>", "\"a b\"@c", "c", ""},
    {"<\"a\\\"b\"@c>", "\"a\\\"b\"@c", "c", ""},
    {"<\"a@b\"@c>", "\"a@b\"@c", "c", ""},
    {"<\">\"@c>", "\">\"@c", "c", ""},
    {"<\"a<b\"@c>", "\"a<b\"@c", "c", ""},
    {"<\"\\\\\"@c>", "\"\\\\\"@c", "c", ""},
    {"<\"\"@c>", "\"\"@c", "c", ""},
    {"<a@[127.0.0.1]>", "a@[127.0.0.1]", "[127.0.0.1]", ""},
    {"<a@[IPv6:::1]>", "a@[IPv6:::1]", "[IPv6:::1]", ""},
    {"<@a,@b:u@c>", "u@c", "c", ""},
    {"<@a:\"x y\"@c>", "\"x y\"@c", "c", ""},
    {"", NULL, NULL, NULL},
    {"<", NULL, NULL, NULL},
    {"<<a@b>>", NULL, NULL, NULL},
    {"<a@b", NULL, NULL, NULL},
    {"a@b", NULL, NULL, NULL},
    {"<@b>", NULL, NULL, NULL},
    {"<a@>", NULL, NULL, NULL},
    {"<a@b@c>", NULL, NULL, NULL},
    {"<a b@c>", NULL, NULL, NULL},
    {"< a@b>", NULL, NULL, NULL},
    {"<a@b >", NULL, NULL, NULL},
    {"<a@b..c>", NULL, NULL, NULL},
    {"<a@.b>", NULL, NULL, NULL},
    {"<a@b.>", NULL, NULL, NULL},
    {"<a@[]>", NULL, NULL, NULL},
    {"<a@[1 2]>", NULL, NULL, NULL},
    {"<a@[1]x>", NULL, NULL, NULL},
    {"<a@[1>", NULL, NULL, NULL},
    {"<\"a@b>", NULL, NULL, NULL},
    {"<\"a\"b@c>", NULL, NULL, NULL},
    {"<\"a\\", NULL, NULL, NULL},
    {"<\"a\tb\"@c>", NULL, NULL, NULL},
    {"<a,b@c>", NULL, NULL, NULL},
    {"<a(b)@c>", NULL, NULL, NULL},
    {"<@:u@c>", NULL, NULL, NULL},
    {"<@a,:u@c>", NULL, NULL, NULL},
    {"<@a,b:u@c>", NULL, NULL, NULL},
    {"<@a:>", NULL, NULL, NULL},
    {"<@a:u>", NULL, NULL, NULL},
    {"<@a:<u@c>>", NULL, NULL, NULL},
};

START_TEST(reads_paths)
{
    for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
        const struct path_row *row = &PATHS[i];
        struct cursor c = cursor_of(span_cstr(row->text));
        struct smtp_path path;
        bool is = smtp_path_parse(&c, false, &path);
        ck_assert_msg(is == (row->mailbox != NULL), "\"%s\"", row->text);
        if (!is)
            continue;
        ck_assert_msg(span_eq(path.mailbox, span_cstr(row->mailbox)), "\"%s\": %.*s", row->text,
                      SPAN_ARG(path.mailbox));
        ck_assert(span_eq(path.domain, span_cstr(row->domain)));
        ck_assert(span_eq(c.rest, span_cstr(row->rest)));
        ck_assert(path.routed == (row->text[1] == '@'));
        ck_assert_uint_eq(path.whole.len + c.rest.len, strlen(row->text));
    }
}
END_TEST

static bool reads(const char *text, bool null_ok)
{
    struct cursor c = cursor_of(span_cstr(text));
    struct smtp_path path;
    return smtp_path_parse(&c, null_ok, &path);
}

START_TEST(the_null_path_is_one_where_allowed)
{
    ck_assert(reads("<>", true));
    ck_assert(!reads("<>", false));
    ck_assert(!reads("<@a:>", true));
}
END_TEST

START_TEST(a_local_part_alone_is_left_to_the_mta)
{
    ck_assert(reads("<Postmaster>", false));
    ck_assert(reads("<root>", false));
    ck_assert(reads("<\"a b\">", false));
    ck_assert(!reads("<root@>", false));
    ck_assert(!reads("<@a:root>", false));
}
END_TEST

START_TEST(no_octet_outside_printable_ascii_passes)
{
    static const char *const shapes[] = {"<a_b@c>", "<a@b_c>", "<\"a_b\"@c>", "<a@[1_2]>", "<@a_b:c@d>"};
    for (size_t s = 0; s < ARRAY_SIZE(shapes); s++)
        for (unsigned o = 0; o < 256; o++) {
            char text[32];
            size_t len = strlen(shapes[s]);
            memcpy(text, shapes[s], len);
            text[span_find(span_of(text, len), '_')] = (char)o;
            struct cursor c = cursor_of(span_of(text, len));
            struct smtp_path path;
            if (smtp_path_parse(&c, true, &path))
                ck_assert_msg(o >= 0x20 && o < 0x7f, "shape %zu octet %02x", s, o);
        }
}
END_TEST

static bool local_and_domain(size_t local, size_t domain)
{
    char text[2 * LIMIT_PATH];
    MUST(local + domain + 3 <= sizeof(text));
    memset(text, 'a', sizeof(text));
    text[0] = '<';
    text[1 + local] = '@';
    text[2 + local + domain] = '>';
    struct cursor c = cursor_of(span_of(text, local + domain + 3));
    struct smtp_path path;
    return smtp_path_parse(&c, false, &path);
}

START_TEST(paths_are_bounded)
{
    ck_assert(local_and_domain(64, 255));
    ck_assert(!local_and_domain(64, 256));
    ck_assert(local_and_domain(65, 100));
    ck_assert(local_and_domain(LIMIT_PATH - 103, 100));
    ck_assert(!local_and_domain(LIMIT_PATH - 102, 100));
}
END_TEST

START_TEST(tells_host_names_and_literals)
{
    static const char *const good[] = {"a",       "localhost", "mx_1.example.org", "[127.0.0.1]", "[IPv6:::1]",
                                       "1.2.3.4", "-a"};
    static const char *const bad[] = {"",     ".",   "a.",   ".a",       "a..b", "[]",   "[1",  "a b",
                                      "a\tb", "a;b", "a(b)", "\xc3\xa9", "a[1]", "[1]a", "<a>", "a,b"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(smtp_domain_valid(span_cstr(good[i])), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!smtp_domain_valid(span_cstr(bad[i])), "%s", bad[i]);
}
END_TEST

struct param_row {
    const char *text;
    enum smtp_say say;
    uint64_t size;
    enum smtp_body body;
};

START_TEST(reads_parameters_of_mail)
{
    static const struct param_row rows[] = {
        {"", SMTP_SAY_OK, 0, SMTP_BODY_NONE},
        {"  ", SMTP_SAY_OK, 0, SMTP_BODY_NONE},
        {" SIZE=0", SMTP_SAY_OK, 0, SMTP_BODY_NONE},
        {" size=12 Body=8bitMIME", SMTP_SAY_OK, 12, SMTP_BODY_8BITMIME},
        {" BODY=7BIT   SIZE=00000000000000000001", SMTP_SAY_OK, 1, SMTP_BODY_7BIT},
        {" SIZE=9223372036854775808", SMTP_SAY_OK, 9223372036854775808U, SMTP_BODY_NONE},
        {" SIZE=18446744073709551615", SMTP_SAY_OK, UINT64_MAX, SMTP_BODY_NONE},
        {" SIZE=18446744073709551616", SMTP_SAY_OK, UINT64_MAX, SMTP_BODY_NONE},
        {" SIZE=99999999999999999999", SMTP_SAY_OK, UINT64_MAX, SMTP_BODY_NONE},
        {" SIZE=100000000000000000000", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=-1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=+1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=1k", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=1 SIZE=1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" SIZE=1=2", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {"SIZE=1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" =1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" -A=1", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" BODY", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" BODY=BINARYMIME", SMTP_SAY_BAD_PARAMETER, 0, 0},
        {" RET=FULL", SMTP_SAY_UNKNOWN_PARAMETER, 0, 0},
        {" SMTPUTF8", SMTP_SAY_UNKNOWN_PARAMETER, 0, 0},
        {" AUTH=<>", SMTP_SAY_UNKNOWN_PARAMETER, 0, 0},
        {" SIZES=1", SMTP_SAY_UNKNOWN_PARAMETER, 0, 0},
    };
    smtp_ext_set offered = SMTP_EXT_BIT(SIZE) | SMTP_EXT_BIT(8BITMIME);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct smtp_mail_params p;
        enum smtp_say say = smtp_mail_params_parse(span_cstr(rows[i].text), offered, &p);
        ck_assert_msg(say == rows[i].say, "\"%s\": %d", rows[i].text, smtp_say(say).code);
        if (say == SMTP_SAY_OK)
            ck_assert_msg(p.size == rows[i].size && p.body == rows[i].body, "\"%s\"", rows[i].text);
    }
}
END_TEST

START_TEST(a_parameter_that_was_not_offered_is_unknown)
{
    struct smtp_mail_params p;
    ck_assert_int_eq(smtp_mail_params_parse(SPAN(" SIZE=1"), 0, &p), SMTP_SAY_UNKNOWN_PARAMETER);
    ck_assert_int_eq(smtp_mail_params_parse(SPAN(" BODY=7BIT"), SMTP_EXT_BIT(SIZE), &p), SMTP_SAY_UNKNOWN_PARAMETER);
    ck_assert_int_eq(smtp_rcpt_params_parse(SPAN("")), SMTP_SAY_OK);
    ck_assert_int_eq(smtp_rcpt_params_parse(SPAN(" NOTIFY=NEVER")), SMTP_SAY_UNKNOWN_PARAMETER);
    ck_assert_int_eq(smtp_rcpt_params_parse(SPAN("NOTIFY=NEVER")), SMTP_SAY_BAD_PARAMETER);
    ck_assert_int_eq(smtp_rcpt_params_parse(SPAN(" ORCPT=a\r\nb")), SMTP_SAY_BAD_PARAMETER);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(reads_paths)                                                                                                     \
    X(the_null_path_is_one_where_allowed)                                                                              \
    X(a_local_part_alone_is_left_to_the_mta)                                                                           \
    X(no_octet_outside_printable_ascii_passes) X(paths_are_bounded) X(tells_host_names_and_literals)                   \
        X(reads_parameters_of_mail) X(a_parameter_that_was_not_offered_is_unknown)
#include "support/check_main.h"
