/* SPDX-License-Identifier: MIT */
/* What the SMTP targets hold the engines against: short second opinions written octet by octet from RFC 5321, and the
 * words of the language. */
#ifndef FUZZ_SMTP_REFERENCE_H
#define FUZZ_SMTP_REFERENCE_H

#include "fuzz/fuzz.h"
#include "smtp/command.h"
#include "smtp/smtp.h"

/* The body that WIRE begins with. Appends content; *used: octets of it that are understood. True: the end was there. */
static inline bool reference_body(struct span wire, struct buf *content, unsigned *faults, size_t *used)
{
    bool line_start = true;
    *faults = 0;
    for (*used = 0; *used < wire.len; ++*used) {
        struct span left = span_sub(wire, *used, wire.len);
        char c = left.ptr[0], before = *used > 0 ? left.ptr[-1] : '\n';
        if (line_start && c == '.') {
            if (span_starts(left, SPAN(".\r\n")))
                return *used += 3;
            if (left.len < 3 && span_starts(SPAN(".\r\n"), left))
                return false; /* not known yet */
            line_start = false;
            continue;
        }
        if (c == '\0')
            *faults |= SMTP_FAULT_NUL;
        if (c == '\n' && before != '\r')
            *faults |= SMTP_FAULT_BARE_LF;
        if (c == '\r' && left.len > 1 && left.ptr[1] != '\n')
            *faults |= SMTP_FAULT_BARE_CR;
        line_start = c == '\n' && before == '\r';
        fuzz_put(content, span_of(&c, 1));
    }
    return false;
}

/* CONTENT as it must go over the wire, without the terminator. True: it ends at the beginning of a line. */
static inline bool reference_stuff(struct span content, struct buf *wire)
{
    bool line_start = true;
    for (size_t i = 0; i < content.len; i++) {
        if (line_start && content.ptr[i] == '.')
            fuzz_put(wire, SPAN("."));
        fuzz_put(wire, span_sub(content, i, 1));
        line_start = i > 0 && content.ptr[i - 1] == '\r' && content.ptr[i] == '\n';
    }
    return line_start;
}

/* Takes one line that must end with CRLF and hold no other CR or LF. */
static inline struct span reference_line(struct span *bytes)
{
    size_t lf = span_find(*bytes, '\n');
    FUZZ_REQUIRE(lf > 0 && lf < bytes->len && span_find(*bytes, '\r') == lf - 1);
    struct span line = span_sub(*bytes, 0, lf - 1);
    *bytes = span_sub(*bytes, lf + 1, bytes->len);
    return line;
}

/* Takes one reply of ours, which must be well-formed (RFC 5321 4.2), and returns its code. */
static inline int reference_reply(struct span *bytes)
{
    int code = 0;
    for (bool last = false; !last;) {
        struct span line = reference_line(bytes);
        FUZZ_REQUIRE(line.len >= 3 && line.len <= 510);
        for (size_t i = 0; i < line.len; i++)
            FUZZ_REQUIRE(i < 3 ? char_is_digit(line.ptr[i]) : char_is_print(line.ptr[i]));
        int here = (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + (line.ptr[2] - '0');
        FUZZ_REQUIRE(here >= 200 && here <= 599 && (code == 0 || code == here));
        FUZZ_REQUIRE(line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '-');
        code = here;
        last = line.len == 3 || line.ptr[3] == ' ';
    }
    return code;
}

static inline void reference_command_words(fuzz_word *word)
{
    for (unsigned v = 0; v < SMTP_VERB_COUNT; v++)
        word(smtp_command_row((enum smtp_verb)v)->name);
    static const struct span more[] = {
        {"\r\n", 2},         {"FROM:<", 6},      {"TO:<", 4},     {"<>", 2},    {"<@a,@b:c@d>", 11},
        {"\"a\\\" b\"@", 9}, {"[IPv6:::1]", 10}, {"<550a@b>", 8}, {"<a@b>", 5},
#define SMTP_MAIL_PARAM(keyword, extension, read) {" " keyword "=", sizeof(" " keyword "=") - 1},
#define SMTP_BODY_VALUE(symbol, word)             {(word), sizeof(word) - 1},
#include "smtp/param.def"
#undef SMTP_MAIL_PARAM
#undef SMTP_BODY_VALUE
    };
    for (size_t i = 0; i < ARRAY_SIZE(more); i++)
        word(more[i]);
}
static inline void reference_body_words(fuzz_word *word)
{
    static const struct span words[] = {{"\r\n.\r\n", 5}, {".\r\n", 3}, {"\r\n..", 4}, {"\r\n", 2}, {"\n.\n", 3},
                                        {"\r.\r", 3},     {"\0", 1},    {"\r", 1},     {"\n", 1},   {".", 1}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(words[i]);
}
static inline void reference_keyword_words(fuzz_word *word)
{
    for (unsigned e = 0; e < SMTP_EXT_COUNT; e++)
        word(span_cstr(smtp_ext_keyword((enum smtp_ext)e)));
}
/* Beginnings of reply lines with every code that is our own. */
static inline void reference_reply_words(fuzz_word *word)
{
    bool seen[600] = {false};
    for (unsigned s = 0; s < SMTP_SAY_COUNT; s++) {
        struct smtp_reply reply = smtp_say((enum smtp_say)s);
        char text[32];
        int len = snprintf(text, sizeof(text), "%d-%u.%u.%u ", reply.code, reply.enhanced[0] % 10U,
                           reply.enhanced[1] % 1000U, reply.enhanced[2] % 1000U);
        if (seen[reply.code])
            continue;
        seen[reply.code] = true;
        word(span_of(text, 4));
        word(span_of(text + 4, (size_t)len - 4));
        text[3] = ' ';
        word(span_of(text, 4));
    }
    word(SPAN("\r\n"));
}

#endif
