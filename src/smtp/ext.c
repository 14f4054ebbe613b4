/* SPDX-License-Identifier: MIT */
/* EHLO keywords: the table, and reading what a server offers. */
#include "smtp/ext.h"
#include "base/num.h"

struct ext {
    struct span keyword;
    enum smtp_ext_kind kind;
};

static const struct ext EXTS[] = {
#define SMTP_EXT(symbol, keyword, kind, source) [SMTP_EXT_##symbol] = {{keyword, sizeof(keyword) - 1}, SMTP_EXT_##kind},
#include "smtp/ext.def"
#undef SMTP_EXT
};

const char *smtp_ext_keyword(enum smtp_ext e)
{
    return EXTS[e].keyword.ptr;
}

enum smtp_ext_kind smtp_ext_kind(enum smtp_ext e)
{
    return EXTS[e].kind;
}

static smtp_ext_set ext_set(enum smtp_ext_kind kind)
{
    smtp_ext_set set = 0;
    for (size_t e = 0; e < ARRAY_SIZE(EXTS); e++)
        if (EXTS[e].kind == kind)
            set |= (smtp_ext_set)1 << e;
    return set;
}

smtp_ext_set smtp_ext_hop_set(void)
{
    return ext_set(SMTP_EXT_HOP);
}

smtp_ext_set smtp_ext_end_to_end_set(void)
{
    return ext_set(SMTP_EXT_END_TO_END);
}

/* One line of an EHLO reply: keyword and parameters, parted by blanks. */
static void offer_line(struct smtp_offer *offer, struct span line)
{
    line = span_trim(line);
    struct span keyword = span_sub(line, 0, span_find(line, ' '));
    struct span rest = span_trim(span_sub(line, keyword.len, line.len));
    for (size_t e = 0; e < ARRAY_SIZE(EXTS); e++)
        if (span_eq_nocase(keyword, EXTS[e].keyword))
            offer->set |= (smtp_ext_set)1 << e;
    uint64_t size;
    /* RFC 1870 section 4: up to 20 digits. A value that is no number says nothing. */
    if (span_eq_nocase(keyword, EXTS[SMTP_EXT_SIZE].keyword) && num_parse_u64(rest, UINT64_MAX, &size) == ERR_OK)
        offer->size_limit = size;
}

struct smtp_offer smtp_offer_parse(struct span text)
{
    struct smtp_offer offer = {0};
    size_t at = span_find(text, '\n') + 1; /* the first line is the greeting */
    while (at < text.len) {
        struct span rest = span_sub(text, at, text.len);
        size_t n = span_find(rest, '\n');
        offer_line(&offer, span_sub(rest, 0, n));
        at += n + 1;
    }
    return offer;
}
