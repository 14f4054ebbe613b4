/* SPDX-License-Identifier: MIT */
/* Which archives hold something, by their heads. */
#include <check.h>
#include <string.h>

#include "scan/engine/members.h"

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (text), sizeof(text) - 1                                                                                       \
    }
/* OFFSET and SIZE of the header are one octet each. The sum is of offset 1 and size 3, with zeros for a header's sum.
 */
#define START(offset, size)                                                                                            \
    "7z\xbc\xaf\x27\x1c\0\4\x3b\x72\x2c\x1d" offset "\0\0\0\0\0\0\0" size "\0\0\0\0\0\0\0\0\0\0\0"
#define LISTS_A_FILE START("\1", "\3") "p\1\4\0"
#define ARJ_MAIN     "\x60\xea\x02\0\1\2\0\0\0\0\0\0"

START_TEST(archives_hold_something_unless_their_heads_say_otherwise)
{
    static const struct {
        struct span file;
        const char *type;
        enum members expected;
    } rows[] = {
        {BYTES(LISTS_A_FILE), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\0", "\0")), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\0", "\3") "\1\5\0"), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\0", "\2") "\1\0"), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\0", "\1") "\1"), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\0", "\3") "\1\2\0"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\2", "\x09") "pp\x17\6\0\1\x09\2\0\7\0"), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\2", "\x0a") "pp\x17\6\0\1\x09\x80\2\0\7\0"), "CL_TYPE_7Z", MEMBERS_NONE},
        {BYTES(START("\3", "\x09") "cpp\x17\6\1\1\x09\2\0\7\0"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\3", "\x09") "ppc\x17\6\0\1\x09\2\0\7\0"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\2", "\x09") "pp\x17\6\0\1\x09\2\0\7\0content"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\2", "\2") "pp\x17\6"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\0", "\6") "\1\4\x06\xf1\x07\x01"), "CL_TYPE_7Z", MEMBERS_LOCKED},
        {BYTES(START("\x7f", "\3") "a volume"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(START("\0", "\x7f") "\1\5\0"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES("7z\xbc\xaf\x27\x1c"), "CL_TYPE_7Z", MEMBERS_SOME},
        {BYTES(ARJ_MAIN "\x60\xea\0\0"), "CL_TYPE_ARJ", MEMBERS_NONE},
        {BYTES(ARJ_MAIN "\x60\xea\x1e\0\x1e\1\1\0\0\0\0\0\0"), "CL_TYPE_ARJ", MEMBERS_SOME},
        {BYTES(ARJ_MAIN "\x60\xea\x1e\0\x1e\1\1\0\0\0\3\0\0"), "CL_TYPE_ARJ", MEMBERS_NONE},
        {BYTES("\x60\xea\x02\0\1\2\0\0\0\0\2\0xx\0\0\0\0\0\0\x60\xea\x1e\0\x1e\1\1\0\0\0\0\0\0"), "CL_TYPE_ARJ",
         MEMBERS_SOME},
        {BYTES("\x60\xea\xff\xff"), "CL_TYPE_ARJ", MEMBERS_NONE},
        {BYTES("\x60\xea"), "CL_TYPE_ARJ", MEMBERS_SOME},
        {BYTES("MSCF\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\1\1\0\0\0\0\0"), "CL_TYPE_MSCAB", MEMBERS_NONE},
        {BYTES("MSCF\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\1\1\0\1\0\0\0"), "CL_TYPE_MSCAB", MEMBERS_SOME},
        {BYTES("MSCF\0\0\0\0"), "CL_TYPE_MSCAB", MEMBERS_SOME},
        {BYTES("#\1-lh5-"), "CL_TYPE_LHA_LZH", MEMBERS_SOME},
        {BYTES("#\1-lhd-"), "CL_TYPE_LHA_LZH", MEMBERS_NONE},
        {BYTES("#"), "CL_TYPE_LHA_LZH", MEMBERS_SOME},
        {BYTES(LISTS_A_FILE), "CL_TYPE_ZIP", MEMBERS_NONE},
        {BYTES(LISTS_A_FILE), NULL, MEMBERS_NONE},
        {{NULL, 0}, "CL_TYPE_7Z", MEMBERS_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum members found = members_promised(rows[i].file, rows[i].type);
        ck_assert_msg(found == rows[i].expected, "row %zu: found %d, expected %d", i, (int)found,
                      (int)rows[i].expected);
    }
}
END_TEST

START_TEST(numbers_of_any_length_are_read_within_the_header)
{
    char file[32 + 2 + 16];
    static const char start[] = START("\2", "\x10");
    /* a number of every length, and cut off everywhere: no more than that it ends */
    for (unsigned first = 0; first < 256; first++) {
        for (size_t len = 7; len <= 16; len++) {
            memcpy(file, start, 32);
            memset(file + 32, 'p', sizeof(file) - 32);
            memcpy(file + 34, "\x17\6\0\1\x09", 5);
            file[39] = (char)first;
            file[20] = (char)len;
            ck_assert_int_eq(members_promised(span_of(file, 34 + len), "CL_TYPE_7Z"),
                             first == 2 || (first == 0x80 && file[40] == 2) ? MEMBERS_NONE : MEMBERS_SOME);
        }
    }
}
END_TEST

START_TEST(an_archive_behind_something_else_is_found_by_its_sum)
{
    static const char file[] = "program" LISTS_A_FILE LISTS_A_FILE;
    static const char other[] =
        "program 7z\xbc\xaf\x27\x1c\0\4\x3b\x72\x2c\x1c\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0p";
    struct span whole = span_of(file, sizeof(file) - 1);
    ck_assert_uint_eq(members_next_7z(whole, 0), 7);
    ck_assert_uint_eq(members_next_7z(whole, 7), 7);
    ck_assert_uint_eq(members_next_7z(whole, 8), 7 + 36);
    ck_assert_uint_eq(members_next_7z(whole, 7 + 37), whole.len);
    ck_assert_uint_eq(members_next_7z(span_of(other, sizeof(other) - 1), 0), sizeof(other) - 1);
    ck_assert_uint_eq(members_next_7z(span_sub(whole, 0, 20), 0), 20);
    ck_assert_uint_eq(members_next_7z((struct span){NULL, 0}, 0), 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(archives_hold_something_unless_their_heads_say_otherwise)                                                        \
    X(numbers_of_any_length_are_read_within_the_header)                                                                \
    X(an_archive_behind_something_else_is_found_by_its_sum)
#include "support/check_main.h"
