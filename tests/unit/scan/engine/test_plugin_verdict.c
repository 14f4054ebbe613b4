/* SPDX-License-Identifier: MIT */
/* What a plug-in answers, read as hostile input; and the public interface's layout, which never changes. */
#include <check.h>
#include <postern/engine.h>

#include "scan/engine/plugin_verdict.h"

static struct verdict read_answer(uint32_t class, uint32_t reason, const char *name, const char *detail)
{
    struct postern_verdict given = {.size = sizeof(given), .verdict_class = class, .reason = reason};
    struct verdict v;
    snprintf(given.name, sizeof(given.name), "%s", name);
    snprintf(given.detail, sizeof(given.detail), "%s", detail);
    memset(&v, 0x55, sizeof(v)); /* all of it is filled */
    plugin_verdict_read(&given, &v);
    return v;
}

START_TEST(each_answer_that_makes_sense_is_taken_as_it_is)
{
    static const struct {
        uint32_t class, reason;
        enum verdict_class is;
        enum verdict_reason why;
    } rows[] = {
        {POSTERN_CLEAN, POSTERN_REASON_NONE, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {POSTERN_UNSCANNABLE, POSTERN_ENCRYPTED, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED},
        {POSTERN_UNSCANNABLE, POSTERN_LIMIT, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {POSTERN_UNSCANNABLE, POSTERN_MALFORMED, VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED},
        {POSTERN_UNSCANNABLE, POSTERN_TOO_LARGE, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE},
        {POSTERN_UNSCANNABLE, POSTERN_PARTIAL, VERDICT_UNSCANNABLE, VERDICT_REASON_PARTIAL},
        {POSTERN_UNSCANNABLE, POSTERN_UNSUPPORTED, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED},
        {POSTERN_UNSCANNABLE, POSTERN_SUSPICIOUS, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS},
        {POSTERN_UNSCANNABLE, POSTERN_EXTERNAL, VERDICT_UNSCANNABLE, VERDICT_REASON_EXTERNAL},
        {POSTERN_ERROR, POSTERN_FAILED, VERDICT_ERROR, VERDICT_REASON_ENGINE},
        {POSTERN_ERROR, POSTERN_TIMEOUT, VERDICT_ERROR, VERDICT_REASON_TIMEOUT},
        {POSTERN_ERROR, POSTERN_OUT_OF_MEMORY, VERDICT_ERROR, VERDICT_REASON_MEMORY},
        {POSTERN_ERROR, POSTERN_DOWN, VERDICT_ERROR, VERDICT_REASON_DOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = read_answer(rows[i].class, rows[i].reason, "", "as it says");
        ck_assert_msg(v.class == rows[i].is && v.reason == rows[i].why, "class %u, reason %u: %s %s", rows[i].class,
                      rows[i].reason, verdict_class_word(v.class), verdict_reason_word(v.reason));
        ck_assert_str_eq(v.detail, "as it says");
        ck_assert_str_eq(v.name, "");
    }
}
END_TEST

START_TEST(an_answer_that_makes_no_sense_is_an_error_and_says_what_was_found)
{
    static const struct {
        uint32_t class, reason;
        const char *name, *detail;
    } rows[] = {
        {POSTERN_NO_VERDICT, 0, "", "no verdict"},
        {5, 0, "", "class 5"},
        {UINT32_MAX, 0, "Some.Virus", "class 4294967295"},
        {POSTERN_CLEAN, 0, "Some.Virus", "names a virus"},
        {POSTERN_CLEAN, POSTERN_LIMIT, "", "a reason against it"},
        {POSTERN_UNSCANNABLE, POSTERN_REASON_NONE, "", "reason 0"},
        {POSTERN_UNSCANNABLE, POSTERN_FAILED, "", "reason 201"},
        {POSTERN_UNSCANNABLE, 109, "", "reason 109"},
        {POSTERN_ERROR, POSTERN_EXTERNAL, "", "reason 108"},
        {POSTERN_ERROR, POSTERN_REASON_NONE, "", "reason 0"},
        {POSTERN_ERROR, POSTERN_ENCRYPTED, "", "reason 101"},
        {POSTERN_ERROR, 205, "", "reason 205"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = read_answer(rows[i].class, rows[i].reason, rows[i].name, "its own words");
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == VERDICT_REASON_PROTOCOL, "row %zu: %s %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason));
        ck_assert_msg(strstr(v.detail, rows[i].detail) != NULL, "row %zu: %s", i, v.detail);
        ck_assert_str_eq(v.name, "");
    }
}
END_TEST

START_TEST(infected_stays_infected_whatever_else_is_wrong)
{
    struct verdict v = read_answer(POSTERN_INFECTED, 77, "Some.Virus", "");
    ck_assert(v.class == VERDICT_INFECTED && v.reason == VERDICT_REASON_NONE);
    ck_assert_str_eq(v.name, "Some.Virus");
    v = read_answer(POSTERN_INFECTED, 0, "", "");
    ck_assert(v.class == VERDICT_INFECTED);
    ck_assert_str_eq(v.name, "Unknown");
    v = read_answer(POSTERN_INFECTED, 0, "Bad\r\n\x1b[31m\xff", "more\tof it\n");
    ck_assert_str_eq(v.name, "Bad???[31m?");
    ck_assert_str_eq(v.detail, "more?of it?");
}
END_TEST

/* A field of tomorrow may say what today nobody reads. */
START_TEST(an_answer_that_is_not_whole_is_an_error_unless_it_says_infected)
{
    for (int i = 0; i < 4; i++) {
        struct postern_verdict given = {.size = sizeof(given),
                                        .verdict_class = i & 1 ? POSTERN_INFECTED : POSTERN_CLEAN};
        struct verdict v;
        if (i & 2)
            given.size--;
        else
            given.reserved[ARRAY_SIZE(given.reserved) - 1] = 1;
        plugin_verdict_read(&given, &v);
        ck_assert(v.class == (i & 1 ? VERDICT_INFECTED : VERDICT_ERROR));
        ck_assert(i & 1 || (v.reason == VERDICT_REASON_PROTOCOL && strstr(v.detail, "a reserved field")));
    }
}
END_TEST

START_TEST(texts_without_an_end_are_cut_where_their_field_ends)
{
    struct postern_verdict given = {.size = sizeof(given), .verdict_class = POSTERN_INFECTED};
    struct verdict v;
    memset(given.name, 'A', sizeof(given.name));
    memset(given.detail, 'B', sizeof(given.detail));
    plugin_verdict_read(&given, &v);
    ck_assert(v.class == VERDICT_INFECTED);
    ck_assert_uint_eq(strlen(v.name), sizeof(given.name));
    ck_assert_uint_eq(strlen(v.detail), sizeof(given.detail));
}
END_TEST

/* Libraries are out there that were compiled with these numbers. A change that fails here needs a new abi_major, or
 * belongs at the end of a structure, with a new abi_minor. */
START_TEST(the_public_interface_has_its_frozen_layout)
{
    if (sizeof(void *) != 8)
        return;
#define AT(type, field, offset) ck_assert_uint_eq(offsetof(struct type, field), offset)
    AT(postern_engine, size, 0);
    AT(postern_engine, abi_major, 4);
    AT(postern_engine, abi_minor, 8);
    AT(postern_engine, name, 16);
    AT(postern_engine, version, 24);
    AT(postern_engine, options, 32);
    AT(postern_engine, open, 40);
    AT(postern_engine, worker_start, 48);
    AT(postern_engine, scan, 56);
    AT(postern_engine, reserved, 64);
    ck_assert_uint_eq(sizeof(struct postern_engine), 128);
    AT(postern_option, value, 8);
    ck_assert_uint_eq(sizeof(struct postern_option), 16);
    AT(postern_setup, abi_minor, 4);
    AT(postern_setup, instance, 8);
    AT(postern_setup, database, 16);
    AT(postern_setup, options, 24);
    AT(postern_setup, option_count, 32);
    AT(postern_setup, reserved, 40);
    ck_assert_uint_eq(sizeof(struct postern_setup), 104);
    AT(postern_info, database_version, 8);
    AT(postern_info, signatures, 16);
    AT(postern_info, version, 24);
    AT(postern_info, missing, 152);
    AT(postern_info, reserved, 408);
    ck_assert_uint_eq(sizeof(struct postern_info), 472);
    AT(postern_message, fd, 4);
    AT(postern_message, length, 8);
    AT(postern_message, time_ms, 16);
    AT(postern_message, reserved, 24);
    ck_assert_uint_eq(sizeof(struct postern_message), 88);
    AT(postern_verdict, verdict_class, 4);
    AT(postern_verdict, reason, 8);
    AT(postern_verdict, name, 16);
    AT(postern_verdict, detail, 144);
    AT(postern_verdict, reserved, 400);
    ck_assert_uint_eq(sizeof(struct postern_verdict), 464);
#undef AT
    ck_assert_int_eq(POSTERN_NO_VERDICT, 0);
    ck_assert_int_eq(POSTERN_CLEAN, 1);
    ck_assert_int_eq(POSTERN_INFECTED, 2);
    ck_assert_int_eq(POSTERN_UNSCANNABLE, 3);
    ck_assert_int_eq(POSTERN_ERROR, 4);
    ck_assert_int_eq(POSTERN_ENCRYPTED, 101);
    ck_assert_int_eq(POSTERN_SUSPICIOUS, 107);
    ck_assert_int_eq(POSTERN_EXTERNAL, 108);
    ck_assert_int_eq(POSTERN_FAILED, 201);
    ck_assert_int_eq(POSTERN_DOWN, 204);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_answer_that_makes_sense_is_taken_as_it_is)                                                                  \
    X(an_answer_that_makes_no_sense_is_an_error_and_says_what_was_found)                                               \
    X(infected_stays_infected_whatever_else_is_wrong)                                                                  \
    X(an_answer_that_is_not_whole_is_an_error_unless_it_says_infected)                                                 \
    X(texts_without_an_end_are_cut_where_their_field_ends)                                                             \
    X(the_public_interface_has_its_frozen_layout)
#include "support/check_main.h"
