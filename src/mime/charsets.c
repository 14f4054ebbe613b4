/* SPDX-License-Identifier: MIT */
/* Which charsets a field names. Readers differ in where the parameter stands, where its value ends and what belongs to
 * it; a text is looked at in each charset that comes of that and that anybody knows. */
#include "base/mem.h"
#include "mime/run.h"

enum { HITS_MAX = 32, RAW_MAX = 4096, BARE_SIZE = 512 };

/* Python looks a name up with one sign for each run of signs, and none at its ends. What remains is long enough for
 * every name that there is. */
static void put_name(struct span charset, char name[MIME_CHARSET_SIZE])
{
    size_t n = 0;
    char sign = '\0';
    for (size_t i = 0; i < charset.len; i++) {
        char c = charset.ptr[i];
        if (!char_is_alnum(c)) {
            sign = (char)(sign ? sign : mime_shown(c));
            continue;
        }
        if (n > 0 && sign && n + 1 < MIME_CHARSET_SIZE)
            name[n++] = sign;
        sign = '\0';
        if (n + 1 < MIME_CHARSET_SIZE)
            name[n++] = char_lower(c);
    }
    name[n] = '\0';
}

void mime_piece_add_charset(struct mime_piece *piece, struct span charset)
{
    char name[MIME_CHARSET_SIZE];
    put_name(charset, name);
    for (unsigned i = 0; i < piece->charsets_count; i++)
        if (strcmp(name, piece->charsets[i]) == 0)
            return;
    if (!name[0])
        return;
    if (piece->charsets_count == MIME_CHARSETS) {
        piece->too_many = true;
        return;
    }
    memcpy(piece->charsets[piece->charsets_count++], name, sizeof(name));
}

/* RAW without comments, quotes, brackets and backslashes, into OUT of BARE_SIZE. */
static struct span bare(struct mime_piece *piece, struct span raw, char *out)
{
    unsigned depth = 0;
    size_t n = 0;
    for (size_t i = 0; i < raw.len && n < BARE_SIZE; i++) {
        char c = raw.ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && c && !strchr("\"\\<>\r\n", c) && (n == 0 || char_is_alnum(c) || out[n - 1] != c))
            out[n++] = c; /* of a sign's repetitions one is enough */
    }
    piece->too_many = piece->too_many || n == BARE_SIZE;
    return mime_trim(span_of(out, n));
}

/* VALUE, and what is left of it to readers that take no more than a token. */
static void add_forms(struct mime_piece *piece, struct span value)
{
    mime_piece_add_charset(piece, value);
    mime_piece_add_charset(piece, mime_token_of(value));
}

/* What RAW, the value of the parameter, is to readers. */
static void add_raw(struct mime_piece *piece, struct span raw)
{
    char text[BARE_SIZE], decoded[BARE_SIZE];
    struct span plain = bare(piece, raw, text);
    add_forms(piece, plain);
    raw = mime_trim(raw);
    if (raw.len > 0 && raw.ptr[0] == '"') {
        plain = span_sub(raw, 1, raw.len);
        mime_piece_add_charset(piece, span_sub(plain, 0, span_find(plain, '"')));
    }
    size_t first = span_find(raw, '\'');
    struct span rest = span_sub(raw, first + 1, raw.len);
    size_t second = span_find(rest, '\'');
    if (first >= raw.len || second >= rest.len)
        return;
    plain = bare(piece, span_sub(rest, second + 1, rest.len), text);
    add_forms(piece, plain);
    add_forms(piece, span_of(decoded, mime_percent_decode(plain, decoded, sizeof(decoded))));
}

/* Where the value begins of what is called "charset" up to the begin of REST: behind an equals sign, between which and
 * the name there is nothing that belongs to a name. REST's length: nowhere. */
static size_t value_at(struct span rest)
{
    unsigned depth = 0;
    bool star = false;
    for (size_t i = 0; i < rest.len && i < RAW_MAX; i++) {
        char c = rest.ptr[i];
        if (depth > 0 || c == '(') {
            depth += (c == '(') - (c == ')');
            continue;
        }
        if (c == '=')
            return i + 1;
        star = star || c == '*';
        if (c == ';' || char_is_alpha(c) || (char_is_digit(c) && !star))
            break;
    }
    return rest.len;
}

/* The length of a value: up to the next semicolon outside quotes and, to some (COMMENTS), comments. */
static size_t value_length(struct span s, bool comments)
{
    bool quoted = false;
    unsigned depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ';' && !quoted && depth == 0)
            return i;
        else if (comments && !quoted && (c == '(' || depth > 0))
            depth += (c == '(') - (c == ')');
    }
    return s.len;
}

/* Wherever the word stands in VALUE: behind comments, inside quotes that another reader does not see. */
static void collect_anywhere(struct mime_piece *piece, struct span value)
{
    static const struct span word = {"charset", 7};
    unsigned hits = 0;
    for (size_t i = 0; i + word.len < value.len; i++) {
        if (char_lower(value.ptr[i]) != 'c' || !span_starts_nocase(span_sub(value, i, word.len), word))
            continue;
        i += word.len - 1;
        struct span rest = span_sub(value, i + 1, value.len);
        size_t at = value_at(rest);
        if (at == rest.len)
            continue;
        rest = span_sub(rest, at, rest.len);
        size_t length = value_length(span_sub(rest, 0, RAW_MAX + 1), false);
        if (++hits > HITS_MAX || length > RAW_MAX) {
            piece->too_many = true;
            return;
        }
        add_raw(piece, span_sub(rest, 0, length));
        if (span_find(span_sub(rest, 0, length), '(') < length)
            add_raw(piece, span_sub(rest, 0, value_length(span_sub(rest, 0, RAW_MAX), true)));
    }
}

/* Parameters as they are parsed, and put together of segments. */
static void collect_parsed(struct mime_piece *piece, const struct mime_parameters *parameters)
{
    const struct span name = SPAN("charset");
    char joined[BARE_SIZE], decoded[BARE_SIZE];
    size_t length;
    struct span charset;
    bool extended = false;
    for (unsigned i = 0; i < parameters->count; i++) {
        const struct mime_parameter *p = &parameters->items[i];
        if (!span_ends_nocase(p->written, name))
            continue;
        extended = extended || p->extended || p->section >= 0;
        add_forms(piece, p->value); /* signs in it do not count, so escapes need not be undone */
    }
    if (!extended || !mime_parameter_extended(parameters, name, joined, sizeof(joined), &length, &charset))
        return;
    add_raw(piece, span_of(joined, length));
    if (charset.len > 0)
        mime_piece_add_charset(
            piece, span_of(decoded, mime_field_to_utf8(span_of(joined, length), charset, decoded, sizeof(decoded))));
    for (unsigned tokens = 0; tokens < 2; tokens++)
        add_raw(piece, span_of(joined, mime_parameter_segments(parameters, name, tokens, joined, sizeof(joined))));
}

/* Words of RFC 2047 may be the name, or have the whole parameter in them. */
static void collect_from_words(struct mime_piece *piece, struct span value)
{
    value = span_sub(value, 0, LIMIT_MIME_FIELD);
    if (span_find_span(value, SPAN("=?")) == value.len)
        return;
    bool found;
    size_t size = 4 * value.len;
    char *text = mem_resize(NULL, 1, size); /* not cleared: it is filled */
    size_t length = text ? mime_words_decode_with(value, mime_field_to_utf8, text, size, &found) : 0;
    piece->too_many = piece->too_many || !text; /* not all of them are there */
    if (text && found)
        collect_anywhere(piece, span_of(text, length));
    mem_free(text);
}

void mime_piece_collect_charsets(struct mime_piece *piece, struct span value, const struct mime_parameters *parameters)
{
    if (!mime_mentions(value, SPAN("charset")) && span_find_span(value, SPAN("=?")) == value.len)
        return;
    collect_parsed(piece, parameters);
    collect_anywhere(piece, value);
    collect_from_words(piece, value);
}
