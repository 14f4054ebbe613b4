/* SPDX-License-Identifier: MIT */
/* Replies: our own texts, the forming of any reply for a client, and the parser of what servers say. */
#include "smtp/reply.h"
#include "base/num.h"

enum { LINE_MAX_OCTETS = 512 }; /* RFC 5321 4.5.3.1.5, CRLF included */

/* ---- Our own ---- */

struct say {
    int code;
    const char *enhanced, *text;
};

static const struct say SAYS[] = {
#define SMTP_SAY(symbol, code, enhanced, text) [SMTP_SAY_##symbol] = {code, enhanced, text},
#include "smtp/reply.def"
#undef SMTP_SAY
};

struct smtp_reply smtp_say(enum smtp_say s)
{
    const struct say *say = &SAYS[s];
    struct smtp_reply reply = {.code = say->code, .text = span_cstr(say->text)};
    if (smtp_enhanced_parse(span_cstr(say->enhanced), reply.enhanced) == 0)
        memset(reply.enhanced, 0, sizeof(reply.enhanced));
    return reply;
}

/* One number of an enhanced code: up to three digits. Returns how many, 0: none or too many. */
static size_t enhanced_number(struct span s, uint16_t *number)
{
    size_t n = 0;
    while (n < s.len && char_is_digit(s.ptr[n]))
        n++;
    uint64_t value = 0;
    if (n == 0 || n > 3 || num_parse_u64(span_sub(s, 0, n), 999, &value) != ERR_OK)
        return 0;
    *number = (uint16_t)value;
    return n;
}

size_t smtp_enhanced_parse(struct span s, uint16_t code[3])
{
    if (s.len < 5 || (s.ptr[0] != '2' && s.ptr[0] != '4' && s.ptr[0] != '5') || s.ptr[1] != '.')
        return 0;
    uint16_t subject, detail;
    size_t at = 2;
    size_t n = enhanced_number(span_sub(s, at, s.len), &subject);
    at += n;
    if (n == 0 || at >= s.len || s.ptr[at] != '.')
        return 0;
    at++;
    n = enhanced_number(span_sub(s, at, s.len), &detail);
    at += n;
    if (n == 0 || (at < s.len && !char_is_blank(s.ptr[at])))
        return 0;
    code[0] = (uint16_t)(s.ptr[0] - '0');
    code[1] = subject;
    code[2] = detail;
    return at;
}

/* ---- Forming ---- */

/* Counts octets, and writes them where there is somewhere to write to: the same code measures and writes. */
struct pen {
    char *to;
    size_t len;
};

static void pen_put(struct pen *p, struct span s)
{
    if (p->to && s.len > 0)
        memcpy(p->to + p->len, s.ptr, s.len);
    p->len += s.len;
}

/* Length of the well-formed UTF-8 sequence of two or more octets that begins S and is no control character; 0: none. */
static size_t utf8_length(struct span s)
{
    unsigned char lead = (unsigned char)s.ptr[0];
    size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || s.len < n)
        return 0;
    uint32_t value = lead & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (c & 0x3f);
    }
    bool overlong = (n == 3 && value < 0x800) || (n == 4 && value < 0x10000);
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    bool line_end = value < 0xa0 || value == 0x2028 || value == 0x2029;
    return overlong || surrogate || line_end || value > 0x10ffff ? 0 : n;
}

/* Printable ASCII as it is, a tab as a blank, everything else as '?'; never more than ROOM octets. */
static void pen_put_clean(struct pen *p, struct span text, size_t room, bool utf8)
{
    size_t i = 0;
    while (i < text.len && room > 0) {
        char c = text.ptr[i];
        size_t n = 1;
        struct span out = span_of(&c, 1);
        if (utf8 && (unsigned char)c >= 0x80 && (n = utf8_length(span_sub(text, i, text.len))) > 0)
            out = span_sub(text, i, n);
        else if (!char_is_print(c))
            c = c == '\t' ? ' ' : '?';
        if (out.len > room)
            return;
        pen_put(p, out);
        room -= out.len;
        i += n ? n : 1;
    }
}

/* The enhanced code that goes with R: its own with the class of its code, or X.0.0; empty where none belongs. */
static size_t enhanced_text(const struct smtp_reply *r, bool with_enhanced, char *text, size_t size)
{
    int class = smtp_reply_class(r);
    if (!with_enhanced || class == 3)
        return 0;
    bool own = r->enhanced[0] != 0;
    int n = snprintf(text, size, "%d.%u.%u", class, own ? r->enhanced[1] % 1000U : 0, own ? r->enhanced[2] % 1000U : 0);
    return (size_t)n;
}

static void reply_form(struct pen *p, const struct smtp_reply *r, bool with_enhanced, bool utf8)
{
    char code[8], enhanced[16];
    size_t enhanced_len = enhanced_text(r, with_enhanced, enhanced, sizeof(enhanced));
    snprintf(code, sizeof(code), "%03d", r->code);
    struct span rest = r->text;
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
        rest.len--;
    bool last;
    do {
        size_t n = span_find(rest, '\n');
        struct span line = span_sub(rest, 0, n);
        last = n == rest.len;
        rest = span_sub(rest, n + 1, rest.len);
        size_t start = p->len;
        pen_put(p, span_of(code, 3));
        if (!last)
            pen_put(p, SPAN("-"));
        else if (enhanced_len > 0 || line.len > 0)
            pen_put(p, SPAN(" "));
        pen_put(p, span_of(enhanced, enhanced_len));
        if (enhanced_len > 0 && line.len > 0)
            pen_put(p, SPAN(" "));
        pen_put_clean(p, line, LINE_MAX_OCTETS - 2 - (p->len - start), utf8);
        pen_put(p, SPAN("\r\n"));
    } while (!last);
}

enum err smtp_reply_write(struct buf *out, const struct smtp_reply *r, bool with_enhanced, bool utf8)
{
    if (r->code < 200 || r->code > 599)
        return ERR_RANGE;
    struct pen measure = {0};
    reply_form(&measure, r, with_enhanced, utf8);
    if (measure.len > buf_room(out))
        return ERR_FULL;
    struct pen pen = {0};
    size_t room = 0;
    enum err e = buf_reserve(out, measure.len, &pen.to, &room);
    if (e != ERR_OK)
        return e;
    reply_form(&pen, r, with_enhanced, utf8);
    buf_commit(out, pen.len);
    return ERR_OK;
}

/* ---- Parsing ---- */

void smtp_reply_parser_init(struct smtp_reply_parser *p)
{
    *p = (struct smtp_reply_parser){0};
    buf_init(&p->text, LIMIT_REPLY);
}

void smtp_reply_parser_release(struct smtp_reply_parser *p)
{
    buf_release(&p->text);
}

bool smtp_reply_parser_busy(const struct smtp_reply_parser *p)
{
    return !p->finished && (p->code != 0 || p->scanned > 0);
}

static enum smtp_reply_result parser_bad(struct smtp_reply_parser *p, const char *problem)
{
    p->problem = problem;
    return SMTP_REPLY_BAD;
}

/* Takes one LINE, without its CRLF. */
static enum smtp_reply_result parse_line(struct smtp_reply_parser *p, struct span line)
{
    uint64_t code = 0;
    if (num_parse_u64(span_sub(line, 0, 3), 999, &code) != ERR_OK || line.len < 3)
        return parser_bad(p, "reply does not begin with three digits");
    if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
        return parser_bad(p, "reply code is not followed by a blank or a hyphen");
    if (code < 200 || code > 599)
        return parser_bad(p, "reply code outside 200 to 599");
    bool first = p->code == 0;
    if (!first && p->code != (int)code)
        return parser_bad(p, "lines of one reply differ in their code");
    p->code = (int)code;
    struct span text = span_sub(line, 4, line.len);
    uint16_t enhanced[3] = {0};
    size_t n = smtp_enhanced_parse(text, enhanced);
    if (first && n > 0)
        memcpy(p->enhanced, enhanced, sizeof(enhanced));
    if (n > 0 && memcmp(p->enhanced, enhanced, sizeof(enhanced)) == 0)
        text = span_sub(text, n + 1, text.len);
    if ((!first && buf_append_char(&p->text, '\n') != ERR_OK) || buf_append(&p->text, text) != ERR_OK)
        return parser_bad(p, "no memory for the reply");
    return line.len > 3 && line.ptr[3] == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_OK;
}

enum smtp_reply_result smtp_reply_parse(struct smtp_reply_parser *p, struct buf *in, struct smtp_reply *reply)
{
    if (p->problem)
        return SMTP_REPLY_BAD;
    if (p->finished) {
        struct buf text = p->text;
        buf_clear(&text);
        *p = (struct smtp_reply_parser){.text = text};
    }
    enum smtp_reply_result result = SMTP_REPLY_MORE;
    while (result == SMTP_REPLY_MORE) {
        struct span bytes = buf_span(in);
        size_t lf = p->scanned + span_find(span_sub(bytes, p->scanned, bytes.len), '\n');
        p->scanned = lf;
        if (lf >= LIMIT_REPLY_LINE || (lf == bytes.len && buf_room(in) == 0))
            return parser_bad(p, "line of a reply is too long");
        if (p->octets + lf >= LIMIT_REPLY)
            return parser_bad(p, "reply is too long");
        if (lf == bytes.len)
            return SMTP_REPLY_MORE;
        if (lf == 0 || span_find(bytes, '\r') != lf - 1)
            return parser_bad(p, "line of a reply does not end with CRLF");
        result = parse_line(p, span_sub(bytes, 0, lf - 1));
        buf_consume(in, lf + 1);
        p->octets += lf + 1;
        p->scanned = 0;
    }
    if (result == SMTP_REPLY_OK) {
        p->finished = true;
        *reply = (struct smtp_reply){.code = p->code, .text = buf_span(&p->text)};
        memcpy(reply->enhanced, p->enhanced, sizeof(p->enhanced));
    }
    return result;
}
