/* SPDX-License-Identifier: MIT */
/* Structure headers' values. What one reader takes for a type and another for garbage is marked doubtful rather than
 * decided. */
#include "mime/field.h"
#include "mime/name.h"

struct span mime_trim(struct span s)
{
    while (s.len > 0 && mime_is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && mime_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool mime_mentions(struct span s, struct span word)
{
    char first = char_lower(word.ptr[0]);
    for (size_t i = 0; i + word.len <= s.len; i++)
        if (char_lower(s.ptr[i]) == first && span_starts_nocase(span_sub(s, i, word.len), word))
            return true;
    return false;
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && !mime_is_space(c)) || u == 0x7f;
}

static mime_defects odd_octets(struct span s)
{
    mime_defects found = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (is_control(s.ptr[i]))
            found |= mime_defect_bit(MIME_DEFECT_STRUCTURE_CONTROL);
        if ((unsigned char)s.ptr[i] >= 0x80)
            found |= mime_defect_bit(MIME_DEFECT_STRUCTURE_8BIT);
    }
    return found;
}

/* What stands before the first letter of a type and between its tokens: blanks, quotes, comments. */
static struct span skip_filler(struct span s, bool *odd)
{
    unsigned depth = 0;
    size_t i = 0;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !mime_is_space(c) && c != '"' && c != '\'' && c != '<' && !is_control(c) && c != '=')
            break;
        if (!mime_is_space(c))
            *odd = true;
    }
    return span_sub(s, i, s.len);
}

static size_t token_length(struct span s)
{
    size_t i = 0;
    while (i < s.len && (char_is_alnum(s.ptr[i]) || (s.ptr[i] && strchr("!#$%&'*+-.^_`{|}~", s.ptr[i]))))
        i++;
    return i;
}

static void append_lower(char *text, size_t size, struct span s)
{
    size_t at = strlen(text);
    for (size_t i = 0; i < s.len && at + 1 < size; i++)
        text[at++] = mime_shown(s.ptr[i]);
    text[at] = '\0';
}

/* HEAD is the value up to its first semicolon. */
static bool names_container(struct span head)
{
    for (size_t i = 0; i < head.len; i++) {
        struct span rest = span_sub(head, i, head.len);
        if (span_starts_nocase(rest, SPAN("multipart/")) || span_starts_nocase(rest, SPAN("message/")))
            return true;
    }
    return false;
}

/* VALUE up to the semicolon in front of its parameters: the first that stands in no comment, if comments end at all. */
static struct span type_head(struct span value)
{
    size_t first = span_find(value, ';'), depth = 0;
    if (span_find(span_sub(value, 0, first), '(') == first)
        return span_sub(value, 0, first);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == ';' && depth == 0)
            return span_sub(value, 0, i);
    }
    return span_sub(value, 0, depth > 0 ? first : value.len);
}

/* S without comments, blanks and quotes, in lower case. */
static struct span bare_word(struct span s, char *out, size_t size)
{
    unsigned depth = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.len && n < size; i++) {
        char c = s.ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !mime_is_space(c) && c != '"' && c != '\\')
            out[n++] = char_lower(c);
    }
    return span_of(out, n);
}

/* mime_type_verdicts of the type TEXT, as VALUE has it; some readers decode the words of RFC 2047 first. */
static mime_defects judge_type(struct span text, struct span value)
{
    static const struct {
        struct span type;
        enum mime_defect defect;
    } rows[] = {
        {{"message/partial", 15}, MIME_DEFECT_PARTIAL},
        {{"message/external-body", 21}, MIME_DEFECT_EXTERNAL_BODY},
        {{"multipart/encrypted", 19}, MIME_DEFECT_ENCRYPTED_PGP},
        {{"application/pgp-encrypted", 25}, MIME_DEFECT_ENCRYPTED_PGP},
    };
    char decoded[512], bare[512];
    struct span seen = {0};
    mime_defects found = 0;
    if (span_find_span(span_sub(value, 0, span_find(value, ';')), SPAN("=?")) < span_find(value, ';')) {
        bool words;
        size_t n =
            mime_words_decode_with(span_sub(value, 0, 1024), mime_field_to_utf8, decoded, sizeof(decoded), &words);
        seen = bare_word(type_head(span_of(decoded, n)), bare, sizeof(bare));
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (span_eq(text, rows[i].type) || mime_mentions(seen, rows[i].type))
            found |= mime_defect_bit(rows[i].defect);
    return found;
}

static void read_type(struct span value, struct mime_type *type)
{
    *type = (struct mime_type){.text = "text/plain"};
    struct span head = mime_trim(type_head(value));
    type->given = head.len > 0;
    type->defects = odd_octets(span_sub(head, 0, 1024));
    if (type->defects)
        type->doubtful = true;
    struct span rest = skip_filler(head, &type->doubtful);
    if (rest.len > 1024) { /* nobody's type; what follows would be searched again and again */
        type->doubtful = true;
        rest.len = head.len = 1024;
    }
    size_t n = token_length(rest);
    if (n == 0) {
        type->doubtful = type->doubtful || type->given;
        return;
    }
    struct span main = span_sub(rest, 0, n), sub = {0};
    rest = skip_filler(span_sub(rest, n, rest.len), &type->doubtful);
    if (rest.len > 0 && rest.ptr[0] == '/') {
        rest = skip_filler(span_sub(rest, 1, rest.len), &type->doubtful);
        sub = span_sub(rest, 0, token_length(rest));
        rest = mime_trim(span_sub(rest, sub.len, rest.len));
    }
    type->doubtful = type->doubtful || sub.len == 0 || rest.len > 0;
    /* A comma, and a type or container on either side of it. */
    if (span_find(rest, ',') < rest.len && span_find(rest, '/') < rest.len && names_container(head))
        type->defects |= mime_defect_bit(MIME_DEFECT_SEVERAL_TYPES);
    type->text[0] = '\0';
    append_lower(type->text, sizeof(type->text), main);
    append_lower(type->text, sizeof(type->text), SPAN("/"));
    append_lower(type->text, sizeof(type->text), sub);
    type->multipart = span_eq_nocase(main, SPAN("multipart"));
    type->message = span_eq_nocase(main, SPAN("message"));
    type->encapsulates = type->message && (span_eq_nocase(sub, SPAN("rfc822")) || span_eq_nocase(sub, SPAN("global")) ||
                                           span_eq_nocase(sub, SPAN("news")));
    type->digest = type->multipart && span_eq_nocase(sub, SPAN("digest"));
}

void mime_type_parse(struct span value, struct mime_type *type)
{
    read_type(value, type);
    type->defects |= judge_type(span_cstr(type->text), mime_trim(value));
}

/* The length of a token as people write them: with what RFC 2045 would have in quotes, but nothing that a reader might
 * take for the begin or end of something else. */
static size_t plain_length(struct span s)
{
    size_t i = 0;
    while (i < s.len && (unsigned char)s.ptr[i] > ' ' && (unsigned char)s.ptr[i] < 0x7f &&
           !strchr("\"\\();,<>'", s.ptr[i]))
        i++;
    return i;
}

/* One parameter at the begin of *REST, which moves behind it. */
static bool plain_parameter(struct span *rest, struct span *name, struct span *value)
{
    size_t n = span_find(*rest, '=');
    *name = mime_trim(span_sub(*rest, 0, n));
    if (n == rest->len || name->len == 0 || token_length(*name) != name->len)
        return false;
    *rest = mime_trim(span_sub(*rest, n + 1, rest->len));
    bool quoted = rest->len > 0 && rest->ptr[0] == '"';
    if (!quoted) {
        n = plain_length(*rest);
        *value = span_sub(*rest, 0, n);
    } else {
        *rest = span_sub(*rest, 1, rest->len);
        n = span_find(*rest, '"');
        *value = span_sub(*rest, 0, n);
        if (n == rest->len)
            return false;
        n++;
    }
    *rest = mime_trim(span_sub(*rest, n, rest->len));
    return rest->len == 0 || rest->ptr[0] == ';';
}

/* A boundary about which nobody is in doubt. */
static bool plain_boundary(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < ' ' || (unsigned char)value.ptr[i] >= 0x7f || value.ptr[i] == '\\')
            return false;
    if (value.len == 0 || strchr("< '", value.ptr[0]) || value.ptr[value.len - 1] == ' ')
        return false;
    return span_find_span(value, SPAN("=?")) == value.len;
}

bool mime_type_is_plain(struct span value, struct span *boundary)
{
    *boundary = (struct span){0};
    struct span rest = mime_trim(value), name, one;
    for (unsigned i = 0; i < 2; i++) { /* main and sub */
        size_t n = token_length(rest);
        rest = span_sub(rest, n, rest.len);
        if (n == 0 || (i == 0 && (rest.len == 0 || rest.ptr[0] != '/')))
            return false;
        rest = i == 0 ? span_sub(rest, 1, rest.len) : mime_trim(rest);
    }
    while (rest.len > 0) {
        if (rest.ptr[0] != ';')
            return false;
        rest = mime_trim(span_sub(rest, 1, rest.len));
        if (rest.len == 0)
            break;
        if (!plain_parameter(&rest, &name, &one))
            return false;
        if (!span_starts_nocase(name, SPAN("boundary")))
            continue;
        if (name.len != 8 || boundary->len > 0 || !plain_boundary(one))
            return false;
        *boundary = one;
    }
    return true;
}

static bool encoding_of(struct span word, enum mime_encoding *e)
{
    static const struct {
        const char *word;
        enum mime_encoding encoding;
    } rows[] = {
        {"7bit", MIME_IDENTITY},       {"8bit", MIME_IDENTITY},
        {"binary", MIME_IDENTITY},     {"base64", MIME_BASE64},
        {"quoted-printable", MIME_QP}, {"x-uuencode", MIME_UUENCODE},
        {"uuencode", MIME_UUENCODE},   {"x-uue", MIME_UUENCODE},
        {"uue", MIME_UUENCODE},        {"x-yenc", MIME_YENC},
        {"yenc", MIME_YENC},           {"x-xxencode", MIME_UUENCODE},
        {"xxencode", MIME_UUENCODE},   {"x-binhex", MIME_BINHEX},
        {"binhex", MIME_BINHEX},       {"x-binhex40", MIME_BINHEX},
        {"mac-binhex40", MIME_BINHEX}, {"7-bit", MIME_IDENTITY},
        {"8-bit", MIME_IDENTITY},      {"x-base64", MIME_BASE64},
        {"b64", MIME_BASE64},          {"qp", MIME_QP},
        {"quoted_printable", MIME_QP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (span_eq_nocase(word, span_cstr(rows[i].word))) {
            *e = rows[i].encoding;
            return true;
        }
    return false;
}

/* Encodings whose names stand anywhere in TEXT: some readers compare no more than the begin of a word, or a word from
 * which they have taken what does not belong there. */
static void add_mentioned(struct mime_encodings *e, struct span text)
{
    static const struct {
        struct span word;
        enum mime_encoding encoding;
    } rows[] = {
        {{"base64", 6}, MIME_BASE64},     {{"quoted-printable", 16}, MIME_QP},
        {{"uuencode", 8}, MIME_UUENCODE}, {{"x-uue", 5}, MIME_UUENCODE},
        {{"yenc", 4}, MIME_YENC},         {{"binhex", 6}, MIME_BINHEX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mime_mentions(text, rows[i].word)) {
            e->first = e->set == 0 ? rows[i].encoding : e->first;
            e->set |= 1u << rows[i].encoding;
        }
}

/* What other readers make of VALUE, which is more or other than one known word. */
static void look_closer(struct mime_encodings *e, struct span value)
{
    char bare[256], decoded[256];
    bool found;
    size_t n = mime_words_decode_with(span_sub(value, 0, 1024), mime_field_to_utf8, decoded, sizeof(decoded), &found);
    if (found)
        add_mentioned(e, bare_word(span_of(decoded, n), bare, sizeof(bare)));
    add_mentioned(e, bare_word(value, bare, sizeof(bare)));
}

void mime_encodings_parse(struct span value, struct mime_encodings *e)
{
    *e = (struct mime_encodings){.first = MIME_IDENTITY, .exact = true};
    value = mime_trim(value);
    if (value.len == 0) {
        e->set = 1u << MIME_IDENTITY;
        return;
    }
    e->exact = encoding_of(value, &e->first) && (value.len == 0 || char_lower(value.ptr[0]) != 'b' || value.len != 3);
    e->defects = odd_octets(span_sub(value, 0, 256));
    unsigned known = 0;
    struct span rest = span_sub(value, 0, 1024);
    while (rest.len > 0) {
        size_t n = token_length(rest);
        enum mime_encoding one;
        if (n > 0 && encoding_of(span_sub(rest, 0, n), &one)) {
            e->first = known++ == 0 ? one : e->first;
            e->set |= 1u << one;
        }
        rest = span_sub(rest, n > 0 ? n : 1, rest.len);
    }
    unsigned decoders = e->set & ~(1u << MIME_IDENTITY);
    if (known > 1 && (e->set & (e->set - 1)) && decoders)
        e->defects |= mime_defect_bit(MIME_DEFECT_ENCODING_SEVERAL);
    if (!e->exact)
        look_closer(e, value);
    if (e->set == 0) {
        e->first = MIME_UNKNOWN;
        e->defects |= mime_defect_bit(MIME_DEFECT_ENCODING_UNKNOWN);
    }
}

/* The length of a parameter: up to the next semicolon outside quotes. */
static size_t parameter_length(struct span s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ';' && !quoted)
            return i;
    }
    return s.len;
}

enum { SECTION_MAX = 100000000 }; /* whatever is beyond comes last */
static void parse_name(struct span name, struct mime_parameter *p)
{
    name = mime_trim(name);
    bool comment = name.len > 0 && name.ptr[0] == '(';
    if (comment)
        name = mime_trim(span_sub(name, span_find(name, ')') + 1, name.len));
    /* A comment after the name is no part of it. */
    name = mime_trim(span_sub(name, 0, span_find(name, '(')));
    p->section = -1;
    if (name.len > 0 && name.ptr[name.len - 1] == '*') {
        p->extended = true;
        name = mime_trim(span_sub(name, 0, name.len - 1));
    }
    size_t star = span_find(name, '*');
    if (star < name.len) {
        int section = 0;
        bool digits = star + 1 < name.len;
        for (size_t i = star + 1; i < name.len; i++) {
            digits = digits && char_is_digit(name.ptr[i]);
            section = digits && section < SECTION_MAX ? section * 10 + (name.ptr[i] - '0') : section;
        }
        if (digits) {
            p->section = section;
            name = mime_trim(span_sub(name, 0, star));
        }
    }
    p->written = name;
    p->name = comment ? span_sub(name, 0, 0) : name;
}

static void parse_value(struct span raw, struct mime_parameter *p)
{
    raw = mime_trim(raw);
    p->raw = raw;
    if (raw.len > 0 && raw.ptr[0] == '"') {
        size_t i = 1;
        while (i < raw.len && raw.ptr[i] != '"') {
            if (raw.ptr[i] == '\\') {
                p->escaped = true;
                i++;
            }
            i++;
        }
        i = i < raw.len ? i : raw.len;
        p->value = span_sub(raw, 1, i - 1);
        p->odd = i + 1 != raw.len; /* no end, or something after it */
        return;
    }
    size_t n = 0;
    while (n < raw.len && !mime_is_space(raw.ptr[n]))
        n++;
    p->value = span_sub(raw, 0, n);
    p->odd = n < raw.len || (n > 1 && (raw.ptr[0] == '<' || raw.ptr[0] == '\''));
}

void mime_parameters_parse(struct span value, struct mime_parameters *p)
{
    p->count = 0;
    p->more = false;
    for (size_t at = 0; at < value.len; at++) {
        struct span rest = span_sub(value, at, value.len);
        size_t n = parameter_length(rest);
        struct span one = span_sub(rest, 0, n);
        at += n;
        size_t equals = span_find(one, '=');
        if (equals == one.len)
            continue;
        if (p->count == LIMIT_MIME_PARAMETERS) {
            p->more = true;
            return;
        }
        struct mime_parameter *item = &p->items[p->count++];
        *item = (struct mime_parameter){0};
        parse_name(span_sub(one, 0, equals), item);
        parse_value(span_sub(one, equals + 1, one.len), item);
    }
}

const struct mime_parameter *mime_parameter_get(const struct mime_parameters *p, struct span name, bool last,
                                                bool *differ)
{
    const struct mime_parameter *first = NULL, *latest = NULL;
    *differ = false;
    for (unsigned i = 0; i < p->count; i++) {
        const struct mime_parameter *one = &p->items[i];
        if (one->extended || one->section >= 0 || !span_eq_nocase(one->name, name))
            continue;
        if (first && !span_eq(first->value, one->value))
            *differ = true;
        first = first ? first : one;
        latest = one;
    }
    return last ? latest : first;
}

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t mime_percent_decode(struct span s, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n < size; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.ptr[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = s.ptr[i];
        }
    }
    return n;
}

/* The extended form of NAME that has no segments. */
static const struct mime_parameter *unsegmented(const struct mime_parameters *p, struct span name)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->items[i].section < 0 && p->items[i].extended && span_eq_nocase(p->items[i].name, name))
            return &p->items[i];
    return NULL;
}

/* The segment of NAME that comes next to BEFORE (NULL: the first) by its number, whether or not there is a gap between.
 * Segments that stand in order, however many, cost one look each. */
static const struct mime_parameter *segment_after(const struct mime_parameters *p, struct span name,
                                                  const struct mime_parameter *before)
{
    unsigned begin = before ? (unsigned)(before - p->items) + 1 : 0;
    int least = before ? before->section + 1 : 0;
    const struct mime_parameter *next = NULL;
    for (unsigned i = 0; i < p->count && !(next && next->section == least); i++) {
        const struct mime_parameter *one = &p->items[(begin + i) % p->count];
        if (one->section >= least && (!next || one->section < next->section) && span_eq_nocase(one->name, name))
            next = one;
    }
    return next;
}

/* "charset'language'text": the text, and *charset. */
static struct span without_charset(struct span value, struct span *charset)
{
    size_t quote = span_find(value, '\'');
    struct span rest = span_sub(value, quote + 1, value.len);
    size_t second = span_find(rest, '\'');
    if (quote >= value.len || second >= rest.len)
        return value;
    *charset = span_sub(value, 0, quote);
    return span_sub(rest, second + 1, rest.len);
}

struct span mime_token_of(struct span value)
{
    size_t n = 0;
    while (n < value.len && (unsigned char)value.ptr[n] > ' ' && (unsigned char)value.ptr[n] < 0x7f &&
           !strchr("()<>@,;:\\\"/[]?=*", value.ptr[n]))
        n++;
    return span_sub(value, 0, n);
}

size_t mime_parameter_segments(const struct mime_parameters *p, struct span name, bool tokens, char *out, size_t size)
{
    size_t len = 0;
    struct span charset;
    int section = 0;
    for (const struct mime_parameter *one = segment_after(p, name, NULL); one && one->section == section && len < size;
         one = segment_after(p, name, one), section++) {
        struct span value = one->extended && section == 0 ? without_charset(one->value, &charset) : one->value;
        value = tokens ? mime_token_of(value) : value;
        len += one->extended ? mime_percent_decode(value, out + len, size - len)
                             : mime_unescape(value, out + len, size - len);
    }
    return len;
}

bool mime_parameter_extended(const struct mime_parameters *p, struct span name, char *out, size_t size, size_t *len,
                             struct span *charset)
{
    *len = 0;
    *charset = (struct span){0};
    const struct mime_parameter *one = unsegmented(p, name);
    if (one) {
        *len = mime_percent_decode(without_charset(one->value, charset), out, size);
        return true;
    }
    one = segment_after(p, name, NULL);
    if (!one)
        return false;
    while (one && *len < size) {
        struct span value = one->value;
        if (one->extended && *len == 0)
            value = without_charset(value, charset);
        if (one->extended)
            *len += mime_percent_decode(value, out + *len, size - *len);
        else
            *len += mime_unescape(value, out + *len, size - *len);
        one = segment_after(p, name, one);
    }
    return true;
}

size_t mime_unescape(struct span value, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len && n < size; i++) {
        if (value.ptr[i] == '\\' && i + 1 < value.len)
            i++;
        out[n++] = value.ptr[i];
    }
    return n;
}
