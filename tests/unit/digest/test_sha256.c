/* SPDX-License-Identifier: MIT */
/* SHA-256 against the vectors of FIPS 180-4, in one piece and in many. */
#include "digest/sha256.h"
#include <check.h>

static void assert_digest(struct sha256 *h, const char *expected)
{
    struct sha256_digest d;
    char hex[2 * SHA256_SIZE + 1];
    ck_assert_int_eq(sha256_finish(h, &d), ERR_OK);
    sha256_hex(&d, hex);
    ck_assert_str_eq(hex, expected);
    sha256_free(h);
}

START_TEST(known_texts_have_their_known_digests)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span text = span_cstr(cases[i].text);
        struct sha256 *whole = sha256_new(), *bytewise = sha256_new();
        ck_assert_int_eq(sha256_update(whole, text), ERR_OK);
        for (size_t k = 0; k < text.len; k++)
            ck_assert_int_eq(sha256_update(bytewise, span_sub(text, k, 1)), ERR_OK);
        assert_digest(whole, cases[i].digest);
        assert_digest(bytewise, cases[i].digest);
    }
}
END_TEST

START_TEST(a_digest_made_like_a_blank_one_is_a_new_one_of_its_own)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct sha256 *blank = sha256_new(), *a = sha256_new_like(blank), *b = sha256_new_like(blank);
    ck_assert_int_eq(sha256_update(a, SPAN("a")), ERR_OK);
    ck_assert_int_eq(sha256_update(b, SPAN("abc")), ERR_OK);
    ck_assert_int_eq(sha256_update(a, SPAN("bc")), ERR_OK);
    assert_digest(b, abc);
    assert_digest(a, abc);
    struct sha256 *c = sha256_new_like(blank);
    ck_assert_int_eq(sha256_update(c, SPAN("abc")), ERR_OK);
    sha256_free(blank); /* nothing of it is shared */
    assert_digest(c, abc);
}
END_TEST

START_TEST(one_that_is_begun_again_has_forgotten_what_was_added)
{
    static const struct {
        const char *before, *after, *digest;
        bool finished;
    } cases[] = {
        {"", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false},
        {"ab", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false},
        {"abc", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", true},
        {"c", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sha256_digest ignored;
        struct sha256 *h = sha256_new();
        ck_assert_int_eq(sha256_update(h, span_cstr(cases[i].before)), ERR_OK);
        if (cases[i].finished)
            ck_assert_int_eq(sha256_finish(h, &ignored), ERR_OK);
        ck_assert_int_eq(sha256_restart(h), ERR_OK);
        ck_assert_int_eq(sha256_update(h, span_cstr(cases[i].after)), ERR_OK);
        assert_digest(h, cases[i].digest);
    }
}
END_TEST

START_TEST(a_million_letters_a_have_their_known_digest)
{
    char letters[1000];
    struct sha256 *h = sha256_new();
    memset(letters, 'a', sizeof(letters));
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(sha256_update(h, span_of(letters, sizeof(letters))), ERR_OK);
    assert_digest(h, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(known_texts_have_their_known_digests)                                                                            \
    X(a_digest_made_like_a_blank_one_is_a_new_one_of_its_own)                                                          \
    X(one_that_is_begun_again_has_forgotten_what_was_added)                                                            \
    X(a_million_letters_a_have_their_known_digest)
#include "support/check_main.h"
