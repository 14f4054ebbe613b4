/* SPDX-License-Identifier: MIT */
/* Quoted-printable in the ways that decoders have been seen to read it. */
#include "mime/decode.h"

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* REST begins behind '='. The length of an escape's two digits and *octet, or 0. */
static size_t escape(struct span rest, char *octet)
{
    int high = rest.len >= 2 ? hex_value(rest.ptr[0]) : -1;
    int low = high >= 0 ? hex_value(rest.ptr[1]) : -1;
    if (low < 0)
        return 0;
    *octet = (char)(high * 16 + low);
    return 2;
}

/* A blank to readers that know more kinds of them. */
static bool is_wide_blank(char c)
{
    return c == '\f' || c == '\v' || c == (char)0xa0;
}

/* The length of a soft line break's rest behind '=', or 0. At the end of the text it has none, but is one: *end. */
static size_t soft_break(struct span rest, enum mime_qp_mode mode, bool *odd)
{
    size_t n = 0;
    *odd = false;
    if (mode == MIME_QP_PYTHON) {
        if (rest.len > 0 && (rest.ptr[0] == '\r' || rest.ptr[0] == '\n')) {
            size_t lf = span_find(rest, '\n');
            return lf < rest.len ? lf + 1 : rest.len;
        }
        return 0;
    }
    if (mode == MIME_QP_LITERAL) {
        n = rest.len > 0 && rest.ptr[0] == '\r';
        return n < rest.len && rest.ptr[n] == '\n' ? n + 1 : 0;
    }
    while (n < rest.len &&
           (char_is_blank(rest.ptr[n]) || rest.ptr[n] == '\r' || (mode == MIME_QP_DROP && is_wide_blank(rest.ptr[n]))))
        n++;
    if (n < rest.len && rest.ptr[n] == '\n') {
        *odd = n > 1 || (n == 1 && rest.ptr[0] != '\r');
        return n + 1;
    }
    size_t cr = span_find(span_sub(rest, 0, n), '\r');
    if (cr < n) { /* CR alone ends the line */
        *odd = true;
        return cr + 1;
    }
    if (n == rest.len) /* '=' and blanks at the end of the text */
        return n;
    return 0;
}

/* OUT gets LITERAL, without blanks before its line ends where MODE says so. */
static enum err put_literal(struct span literal, enum mime_qp_mode mode, struct buf *out)
{
    if (mode != MIME_QP_DROP)
        return buf_append(out, literal);
    enum err e = ERR_OK;
    while (literal.len > 0 && e == ERR_OK) {
        size_t lf = span_find(literal, '\n');
        bool ends = lf < literal.len;
        size_t end = lf;
        while (ends && end > 0 && literal.ptr[end - 1] == '\r')
            end--;
        size_t text = end;
        while (ends && text > 0 && char_is_blank(literal.ptr[text - 1]))
            text--;
        e = buf_append(out, span_sub(literal, 0, text));
        if (e == ERR_OK && ends)
            e = buf_append(out, span_sub(literal, end, lf + 1 - end));
        literal = span_sub(literal, lf + 1, literal.len);
    }
    return e;
}

enum err mime_qp_decode(struct span in, enum mime_qp_mode mode, struct buf *out)
{
    enum err e = ERR_OK;
    while (in.len > 0 && e == ERR_OK) {
        size_t equals = span_find(in, '=');
        e = put_literal(span_sub(in, 0, equals), mode, out);
        if (e != ERR_OK || equals == in.len)
            break;
        in = span_sub(in, equals + 1, in.len);
        char octet;
        bool odd;
        size_t n = escape(in, &octet);
        if (n > 0) {
            e = buf_append_char(out, octet);
        } else {
            n = soft_break(in, mode, &odd);
            bool doubled = mode == MIME_QP_PYTHON && in.len > 0 && in.ptr[0] == '=';
            if (doubled)
                n = 1;
            if ((n == 0 || doubled) && mode != MIME_QP_DROP && (in.len > 0 || mode == MIME_QP_LITERAL))
                e = buf_append_char(out, '=');
        }
        in = span_sub(in, n, in.len);
    }
    return e;
}

void mime_qp_look(struct span in, struct mime_qp *look)
{
    *look = (struct mime_qp){0};
    while (in.len > 0) {
        size_t equals = span_find(in, '=');
        if (equals == in.len)
            return;
        in = span_sub(in, equals + 1, in.len);
        char octet;
        bool odd = false;
        size_t n = escape(in, &octet);
        if (n > 0) {
            look->escapes++;
        } else if ((n = soft_break(in, MIME_QP_TOLERANT, &odd)) > 0 || in.len == 0) {
            look->soft++;
            look->odd += odd;
            look->open = n == in.len && (n == 0 || in.ptr[n - 1] != '\n');
        } else {
            look->wrong++;
        }
        in = span_sub(in, n, in.len);
    }
}

bool mime_qp_is_plain(const struct mime_qp *look)
{
    return look->wrong == 0 && look->odd == 0 && !look->open;
}
