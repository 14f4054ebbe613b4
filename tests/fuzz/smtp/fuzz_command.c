/* SPDX-License-Identifier: MIT */
/* One command line without its CRLF: octets, verb and argument; path and parameters. What is let through may be put on
 * a command line to a backend, so it must be clean and mean the same when it is read again. */
#include "fuzz/smtp/reference.h"
#include "smtp/param.h"
#include "smtp/path.h"

void fuzz_target_words(fuzz_word *word)
{
    reference_command_words(word);
}

static bool span_inside(struct span part, struct span whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool span_printable(struct span s)
{
    size_t i = 0;
    while (i < s.len && char_is_print(s.ptr[i]))
        i++;
    return i == s.len;
}

static void check_line(struct span line)
{
    bool control = false, eight_bit = false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        control = control || (c != '\t' && (c < 32 || c == 127));
        eight_bit = eight_bit || c > 127;
    }
    enum smtp_say expected = control ? SMTP_SAY_BAD_CHARACTER : eight_bit ? SMTP_SAY_EIGHT_BIT : SMTP_SAY_OK;
    FUZZ_REQUIRE(smtp_command_check_octets(line) == expected);
    struct span argument;
    enum smtp_verb verb = smtp_command_parse(line, &argument);
    FUZZ_REQUIRE(span_inside(argument, line) && span_eq(span_trim(argument), argument));
    struct span word =
        span_sub(line, 0, span_find(line, ' ') < span_find(line, '\t') ? span_find(line, ' ') : span_find(line, '\t'));
    for (unsigned v = 0; v < SMTP_VERB_COUNT; v++)
        FUZZ_REQUIRE((v == (unsigned)verb) == span_eq_nocase(word, smtp_command_row((enum smtp_verb)v)->name));
}

/* Reads a path at TEXT; returns what follows it, or nothing. */
static struct span check_path(struct span text, bool null_ok)
{
    struct cursor c = cursor_of(text), again;
    struct smtp_path path, second;
    if (!smtp_path_parse(&c, null_ok, &path))
        return span_of(NULL, 0);
    FUZZ_REQUIRE(path.whole.ptr == text.ptr && path.whole.len + c.rest.len == text.len);
    FUZZ_REQUIRE(path.whole.len >= 2 && path.whole.len <= LIMIT_PATH);
    FUZZ_REQUIRE(path.whole.ptr[0] == '<' && path.whole.ptr[path.whole.len - 1] == '>');
    FUZZ_REQUIRE(span_printable(path.whole));
    FUZZ_REQUIRE(span_inside(path.mailbox, path.whole) && span_inside(path.domain, path.mailbox));
    FUZZ_REQUIRE(path.mailbox.len > 0 ? path.mailbox.ptr[0] != '@' : null_ok && path.whole.len == 2);
    FUZZ_REQUIRE(path.domain.len == 0 || smtp_domain_valid(path.domain));
    char canonical[LIMIT_PATH + 1];
    int len = snprintf(canonical, sizeof(canonical), "<%.*s>", SPAN_ARG(path.mailbox));
    FUZZ_REQUIRE(path.routed || span_eq(path.whole, span_of(canonical, (size_t)len)));
    again = cursor_of(span_of(canonical, (size_t)len));
    FUZZ_REQUIRE(smtp_path_parse(&again, null_ok, &second) && cursor_at_end(&again) && !again.bad);
    FUZZ_REQUIRE(!second.routed && span_eq(second.mailbox, path.mailbox) && span_eq(second.domain, path.domain));
    return c.rest;
}

/* Each parameter is clean, whatever becomes of it. */
static void check_each_param(struct span text)
{
    struct cursor c = cursor_of(text);
    struct smtp_param p;
    while (smtp_param_next(&c, &p) == SMTP_PARAM_OK) {
        FUZZ_REQUIRE(p.keyword.len > 0 && span_inside(p.keyword, text) && span_inside(p.value, text));
        FUZZ_REQUIRE(span_printable(p.keyword) && span_printable(p.value) && (p.value.len > 0) == p.has_value);
        FUZZ_REQUIRE(span_find(p.value, ' ') == p.value.len && span_find(p.keyword, '=') == p.keyword.len);
    }
}

static void check_params(struct span text)
{
    check_each_param(text);
    static const char *const bodies[] = {"", " BODY=7BIT", " BODY=8BITMIME"};
    struct smtp_mail_params params, again;
    const smtp_ext_set all = smtp_ext_hop_set() | smtp_ext_end_to_end_set();
    enum smtp_say say = smtp_mail_params_parse(text, all, &params);
    FUZZ_REQUIRE(say == SMTP_SAY_OK || smtp_say(say).code == 501 || smtp_say(say).code == 555);
    if (say == SMTP_SAY_OK) {
        char canonical[64];
        int len = snprintf(canonical, sizeof(canonical), " SIZE=%llu%s", (unsigned long long)params.size,
                           bodies[params.body]);
        FUZZ_REQUIRE(smtp_mail_params_parse(span_of(canonical, (size_t)len), all, &again) == SMTP_SAY_OK);
        FUZZ_REQUIRE(again.size == params.size && again.body == params.body);
        FUZZ_REQUIRE(smtp_command_check_octets(text) == SMTP_SAY_OK);
    }
    /* Nothing offered: nothing but blanks is taken, and both commands agree on that. */
    enum smtp_say none = smtp_mail_params_parse(text, 0, &params);
    FUZZ_REQUIRE((none == SMTP_SAY_OK) == (span_trim(text).len == 0) && none == smtp_rcpt_params_parse(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span line = span_of(data, size), argument;
    check_line(line);
    smtp_command_parse(line, &argument);
    struct span colon = span_sub(argument, span_find(argument, ':') + 1, argument.len);
    struct span texts[] = {line, argument, colon, span_trim(colon)};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct span rest = check_path(texts[i], true);
        check_params(rest);
        struct span same = check_path(texts[i], false);
        FUZZ_REQUIRE(same.ptr == rest.ptr || (!same.ptr && span_starts(texts[i], SPAN("<>"))));
        check_params(texts[i]);
        FUZZ_REQUIRE(!smtp_domain_valid(texts[i]) || (span_printable(texts[i]) && texts[i].len <= 255));
    }
    return 0;
}
