/* SPDX-License-Identifier: MIT */
/* The parameters that MAIL and RCPT take, each bound to the keyword that offers it. */
#include "smtp/param.h"
#include "base/num.h"

static bool is_keyword(char c)
{
    return char_is_alnum(c) || c == '-';
}

static bool is_value(char c)
{
    return char_is_print(c) && c != ' ' && c != '=';
}

enum smtp_param_result smtp_param_next(struct cursor *c, struct smtp_param *param)
{
    *param = (struct smtp_param){0};
    size_t before = c->rest.len;
    cursor_skip_blanks(c);
    if (c->bad)
        return SMTP_PARAM_BAD;
    if (cursor_at_end(c))
        return SMTP_PARAM_END;
    if (c->rest.len == before || !char_is_alnum(cursor_peek(c)))
        return SMTP_PARAM_BAD;
    param->keyword = cursor_while(c, is_keyword);
    param->has_value = cursor_accept(c, '=');
    if (param->has_value)
        param->value = cursor_while(c, is_value);
    bool ended = cursor_at_end(c) || char_is_blank(cursor_peek(c));
    return ended && (!param->has_value || param->value.len > 0) ? SMTP_PARAM_OK : SMTP_PARAM_BAD;
}

static bool param_size(const struct smtp_param *p, struct smtp_mail_params *params)
{
    enum { DIGITS_MAX = 20 }; /* RFC 1870 section 4 */
    if (!p->has_value || p->value.len > DIGITS_MAX)
        return false;
    enum err e = num_parse_u64(p->value, UINT64_MAX, &params->size);
    if (e == ERR_RANGE)
        params->size = UINT64_MAX;
    return e == ERR_OK || e == ERR_RANGE;
}

static bool param_body(const struct smtp_param *p, struct smtp_mail_params *params)
{
    static const struct {
        struct span word;
        enum smtp_body body;
    } values[] = {
#define SMTP_MAIL_PARAM(keyword, extension, read)
#define SMTP_BODY_VALUE(symbol, word) {{(word), sizeof(word) - 1}, SMTP_BODY_##symbol},
#include "smtp/param.def"
#undef SMTP_MAIL_PARAM
#undef SMTP_BODY_VALUE
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (!p->has_value || !span_eq_nocase(p->value, values[i].word))
            continue;
        params->body = values[i].body;
        return true;
    }
    return false;
}

static const struct mail_param {
    struct span keyword;
    smtp_ext_set needs;
    bool (*read)(const struct smtp_param *p, struct smtp_mail_params *params);
} MAIL_PARAMS[] = {
#define SMTP_MAIL_PARAM(keyword, extension, read) {{(keyword), sizeof(keyword) - 1}, SMTP_EXT_BIT(extension), (read)},
#define SMTP_BODY_VALUE(symbol, word)
#include "smtp/param.def"
#undef SMTP_MAIL_PARAM
#undef SMTP_BODY_VALUE
};

enum smtp_say smtp_mail_params_parse(struct span text, smtp_ext_set offered, struct smtp_mail_params *params)
{
    struct cursor c = cursor_of(text);
    struct smtp_param p;
    enum smtp_param_result result;
    unsigned seen = 0;
    *params = (struct smtp_mail_params){0};
    while ((result = smtp_param_next(&c, &p)) == SMTP_PARAM_OK) {
        size_t i = 0;
        while (i < ARRAY_SIZE(MAIL_PARAMS) && !span_eq_nocase(p.keyword, MAIL_PARAMS[i].keyword))
            i++;
        if (i == ARRAY_SIZE(MAIL_PARAMS) || !(MAIL_PARAMS[i].needs & offered))
            return SMTP_SAY_UNKNOWN_PARAMETER;
        if ((seen & 1U << i) || !MAIL_PARAMS[i].read(&p, params))
            return SMTP_SAY_BAD_PARAMETER;
        seen |= 1U << i;
    }
    return result == SMTP_PARAM_END ? SMTP_SAY_OK : SMTP_SAY_BAD_PARAMETER;
}

enum smtp_say smtp_rcpt_params_parse(struct span text)
{
    struct cursor c = cursor_of(text);
    struct smtp_param p;
    switch (smtp_param_next(&c, &p)) {
    case SMTP_PARAM_END:
        return SMTP_SAY_OK;
    case SMTP_PARAM_OK:
        return SMTP_SAY_UNKNOWN_PARAMETER;
    case SMTP_PARAM_BAD:
        break;
    }
    return SMTP_SAY_BAD_PARAMETER;
}
