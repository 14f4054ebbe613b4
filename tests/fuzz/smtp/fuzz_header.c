/* SPDX-License-Identifier: MIT */
/* The header lines of a message: fields follow each other without gap, a prefix of the message shows a prefix of its
 * fields, and a judgement (end, no field) never changes as more of the message comes. */
#include "fuzz/smtp/reference.h"
#include "smtp/header.h"

void fuzz_target_words(fuzz_word *word)
{
    static const struct span words[] = {{"\r\n", 2}, {"\r\n\r\n", 4}, {"\r\n ", 3},     {"\r\n\t", 3}, {": ", 2},
                                        {" :", 2},   {"Received", 8}, {"Subject: ", 9}, {"\r\r\n", 3}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(words[i]);
}

static bool inside(struct span part, struct span whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_field(const struct smtp_header_field *f, bool at_end)
{
    FUZZ_REQUIRE(f->name.len > 0 && f->name.ptr == f->raw.ptr && inside(f->value, f->raw));
    for (size_t i = 0; i < f->name.len; i++)
        FUZZ_REQUIRE(char_is_print(f->name.ptr[i]) && f->name.ptr[i] != ' ' && f->name.ptr[i] != ':');
    FUZZ_REQUIRE(at_end || (f->raw.len >= 2 && memcmp(f->raw.ptr + f->raw.len - 2, "\r\n", 2) == 0));
    FUZZ_REQUIRE(span_eq(span_trim(f->value), f->value));
    size_t colon = span_find(f->raw, ':');
    FUZZ_REQUIRE(span_eq(span_trim(span_sub(f->raw, 0, colon)), f->name));
    FUZZ_REQUIRE(f->value.len == 0 || f->value.ptr > f->raw.ptr + colon);
    /* Every line but the first is a continuation. */
    for (size_t at = 0; at + 2 < f->raw.len; at++)
        FUZZ_REQUIRE(memcmp(f->raw.ptr + at, "\r\n", 2) != 0 || char_is_blank(f->raw.ptr[at + 2]));
}

struct walk {
    enum smtp_header_result result; /* at its end */
    size_t fields, offset;
};

static struct walk walk_over(struct span message, bool whole)
{
    struct walk w = {0};
    struct smtp_header_iter it = smtp_header_iter_of(message, whole);
    struct smtp_header_field field;
    while ((w.result = smtp_header_next(&it, &field)) == SMTP_HEADER_FIELD) {
        FUZZ_REQUIRE(field.raw.ptr == message.ptr + w.offset && it.offset == w.offset + field.raw.len);
        check_field(&field, whole && it.offset == message.len);
        w.offset = it.offset;
        w.fields++;
    }
    FUZZ_REQUIRE(it.offset == w.offset + (w.result == SMTP_HEADER_END && w.offset < message.len ? 2 : 0));
    FUZZ_REQUIRE(!whole || w.result != SMTP_HEADER_MORE);
    w.offset = it.offset;
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span message = span_of(data, size);
    struct walk whole = walk_over(message, true), before = walk_over(span_sub(message, 0, 0), false);
    FUZZ_REQUIRE(before.result == SMTP_HEADER_MORE);
    size_t step = size / 256 + 1; /* every prefix of what is short */
    for (size_t len = 1; len <= size; len += step) {
        struct walk w = walk_over(span_sub(message, 0, len), false);
        FUZZ_REQUIRE(w.fields >= before.fields && w.fields <= whole.fields);
        if (before.result != SMTP_HEADER_MORE)
            FUZZ_REQUIRE(w.result == before.result && w.offset == before.offset);
        before = w;
    }
    struct walk prefix = walk_over(message, false);
    if (prefix.result != SMTP_HEADER_MORE)
        FUZZ_REQUIRE(prefix.result == whole.result && prefix.offset == whole.offset && prefix.fields == whole.fields);
    unsigned received = 0;
    struct smtp_header_iter it = smtp_header_iter_of(message, true);
    struct smtp_header_field field;
    while (smtp_header_next(&it, &field) == SMTP_HEADER_FIELD)
        received += span_eq_nocase(field.name, SPAN("received"));
    FUZZ_REQUIRE(smtp_header_count(message, true, SPAN("Received")) == received);
    return 0;
}
