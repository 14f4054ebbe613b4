/* SPDX-License-Identifier: MIT */
/* Kaspersky Scan Engine's answers. Results have the same words in both forms: CLEAN, DETECT, DISINFECTED, DELETED,
 * NON_SCANNED with a reason in brackets, SERVER_ERROR. */
#include "scan/engine/kaspersky_http_reply.h"
#include "base/cursor.h"
#include "base/num.h"

enum { JSON_DEPTH = 24, RESULT_MAX = 63, BODY_MAX = 1 << 30 };

/* The head. */

static bool is_graph(char c)
{
    return char_is_print(c) && c != ' ';
}

bool kaspersky_http_status(struct kaspersky_http_head *h, struct span line)
{
    struct cursor c = cursor_of(line);
    uint64_t status;
    *h = (struct kaspersky_http_head){0};
    if (!cursor_accept_nocase(&c, SPAN("HTTP/1.")))
        return false;
    struct span minor = cursor_take(&c, 1);
    cursor_expect(&c, ' ');
    struct span code = cursor_while(&c, is_graph);
    if (c.bad || !char_is_digit(minor.ptr[0]) || code.len != 3 || num_parse_u64(code, 999, &status) != ERR_OK)
        return false;
    h->status = (unsigned)status;
    return true;
}

bool kaspersky_http_header(struct kaspersky_http_head *h, struct span line)
{
    size_t colon = span_find(line, ':');
    struct span name = span_sub(line, 0, colon), value = span_trim(span_sub(line, colon + 1, line.len));
    uint64_t length;
    if (colon == line.len || colon == 0)
        return false;
    if (span_eq_nocase(name, SPAN("Transfer-Encoding")))
        return false;
    if (!span_eq_nocase(name, SPAN("Content-Length")))
        return true;
    if (num_parse_u64(value, BODY_MAX, &length) != ERR_OK || (h->has_length && h->length != length))
        return false;
    h->has_length = true;
    h->length = length;
    return true;
}

/* Results. */

struct result {
    struct span text, name; /* name: where it is told apart from the text; empty: unknown */
    bool macro;
};

static void trouble(struct verdict *out, enum verdict_reason reason, const char *what, struct span text)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    int shown = text.len > 160 ? 160 : (int)text.len;
    snprintf(detail, sizeof(detail), "Kaspersky Scan Engine: %s%.*s", what, shown, text.ptr ? text.ptr : "");
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

static void makes_no_sense(struct verdict *out, struct span text)
{
    trouble(out, VERDICT_REASON_PROTOCOL, "an answer that makes no sense: ", text);
}

static void infected(struct verdict *out, struct span name)
{
    verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(out->name, sizeof(out->name), name.len > 0 ? name : SPAN("Unknown"));
}

static bool is_space(char c)
{
    return char_is_blank(c) || c == '\r' || c == '\n';
}

/* WORD at the front of *TEXT and nothing or a blank behind it; then *TEXT is what follows. */
static bool take_word(struct span *text, struct span word)
{
    if (!span_starts(*text, word) || (text->len > word.len && !char_is_blank(text->ptr[word.len])))
        return false;
    *text = span_trim(span_sub(*text, word.len, text->len));
    return true;
}

static void not_scanned(struct span why, struct span whole, struct verdict *out)
{
    static const struct {
        struct span why;
        enum verdict_reason reason;
    } known[] = {
        {{"(PASSWORD PROTECTED)", 20}, VERDICT_REASON_ENCRYPTED},
        {{"(CORRUPTED)", 11}, VERDICT_REASON_MALFORMED},
        {{"(SKIPPED)", 9}, VERDICT_REASON_UNSUPPORTED},
        {{"", 0}, VERDICT_REASON_UNSUPPORTED},
        {{"(CANCELED)", 10}, VERDICT_REASON_ENGINE},
        {{"(ACCESS DENIED)", 15}, VERDICT_REASON_ENGINE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (span_eq(why, known[i].why)) {
            trouble(out, known[i].reason, "", whole);
            return;
        }
    makes_no_sense(out, whole);
}

static void result_verdict(const struct result *r, bool paranoid, struct verdict *out)
{
    static const struct {
        struct span word;
        bool cured;
    } found[] = {{{"DETECT", 6}, false}, {{"DETECTED", 8}, false}, {{"DISINFECTED", 11}, true}, {{"DELETED", 7}, true}};
    struct span rest = r->text;
    for (size_t i = 0; i < ARRAY_SIZE(found); i++)
        if (take_word(&rest, found[i].word)) {
            infected(out, r->name.len > 0 ? r->name : rest);
            out->cured = found[i].cured;
            return;
        }
    bool macro = r->macro || span_eq(r->text, SPAN("CLEAN AND CONTAINS OFFICE MACRO"));
    if (macro && paranoid && span_starts(r->text, SPAN("CLEAN")))
        infected(out, SPAN("Office macro"));
    else if (span_eq(r->text, SPAN("CLEAN")) || span_eq(r->text, SPAN("CLEAN AND CONTAINS OFFICE MACRO")))
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    else if (take_word(&rest, SPAN("NON_SCANNED")))
        not_scanned(rest, r->text, out);
    else if (take_word(&rest, SPAN("SERVER_ERROR")))
        trouble(out, VERDICT_REASON_ENGINE, "", r->text);
    else
        makes_no_sense(out, r->text);
}

void kaspersky_http_text(struct span body, bool whole, bool paranoid, struct verdict *out)
{
    struct span text = body;
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) /* blanks, tabs, line ends; not NUL */
        text.len--;
    bool ended = memchr(text.ptr ? text.ptr + text.len : "", '\n', body.len - text.len) != NULL;
    result_verdict(&(struct result){.text = text}, paranoid, out);
    if (!whole && !ended && out->class != VERDICT_INFECTED)
        makes_no_sense(out, text);
}

/* JSON: just enough to find the results, strict about its form. */

struct json {
    struct cursor c;
    bool paranoid;
    unsigned results;
    struct verdict verdict; /* the strictest so far */
};

struct json_text {
    char text[RESULT_MAX + LIMIT_VERDICT_NAME + 1]; /* cut, never without its NUL */
    size_t len;                                     /* of the whole, cut or not */
};

static void skip(struct json *j)
{
    cursor_while(&j->c, is_space);
}

static void put(struct json_text *t, char c)
{
    if (t->len + 1 < sizeof(t->text))
        t->text[t->len] = c;
    t->len++;
}

/* Behind a backslash. What is no printable ASCII becomes '?'. */
static void read_escape(struct json *j, struct json_text *t)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/?????";
    char c = cursor_peek(&j->c);
    const char *known = c ? strchr(from, c) : NULL;
    cursor_take(&j->c, 1);
    if (known) {
        put(t, to[known - from]);
        return;
    }
    struct span hex = cursor_take(&j->c, c == 'u' ? 4 : 0);
    unsigned value = 0;
    for (size_t i = 0; i < hex.len; i++) {
        char digit = char_lower(hex.ptr[i]);
        if (!char_is_digit(digit) && (digit < 'a' || digit > 'f'))
            cursor_fail(&j->c);
        value = value * 16 + (unsigned)(char_is_digit(digit) ? digit - '0' : digit - 'a' + 10);
    }
    if (c != 'u')
        cursor_fail(&j->c);
    bool plain = value >= 0x20 && value < 0x7f;
    put(t, (char)(plain ? value : '?'));
}

static void read_string(struct json *j, struct json_text *t)
{
    t->len = 0;
    cursor_expect(&j->c, '"');
    while (!j->c.bad && !cursor_accept(&j->c, '"')) {
        if (cursor_accept(&j->c, '\\')) {
            read_escape(j, t);
            continue;
        }
        struct span one = cursor_take(&j->c, 1);
        if (one.len == 1 && (unsigned char)one.ptr[0] < 0x20)
            cursor_fail(&j->c);
        else if (one.len == 1)
            put(t, one.ptr[0]);
    }
    t->text[t->len < sizeof(t->text) ? t->len : sizeof(t->text) - 1] = '\0';
}

static bool is_scalar(char c)
{
    return char_is_alnum(c) || c == '+' || c == '-' || c == '.';
}

static void read_value(struct json *j, unsigned depth);

static void read_array(struct json *j, unsigned depth)
{
    cursor_expect(&j->c, '[');
    skip(j);
    if (cursor_accept(&j->c, ']'))
        return;
    do {
        read_value(j, depth + 1);
        skip(j);
    } while (cursor_accept(&j->c, ','));
    cursor_expect(&j->c, ']');
}

struct json_object {
    struct json_text result, name;
    bool has_result, has_name, macro;
};

/* "true" or true */
static bool read_truth(struct json *j)
{
    struct json_text t;
    if (cursor_peek(&j->c) != '"')
        return span_eq(cursor_while(&j->c, is_scalar), SPAN("true"));
    read_string(j, &t);
    return strcmp(t.text, "true") == 0;
}

/* Once, and as a string: whoever says it twice may say two things. */
static void read_once(struct json *j, struct json_text *t, bool *has)
{
    if (*has)
        cursor_fail(&j->c);
    else
        read_string(j, t);
    *has = true;
}

static void read_member(struct json *j, const char *key, struct json_object *o, unsigned depth)
{
    if (strcmp(key, "scanResult") == 0)
        read_once(j, &o->result, &o->has_result);
    else if (strcmp(key, "detectionName") == 0)
        read_once(j, &o->name, &o->has_name);
    else if (strcmp(key, "containsOfficeMacro") == 0)
        o->macro = read_truth(j);
    else
        read_value(j, depth + 1);
}

static void note_result(struct json *j, const struct json_object *o)
{
    struct verdict v;
    size_t len = o->result.len < sizeof(o->result.text) ? o->result.len : sizeof(o->result.text) - 1;
    struct result r = {.text = span_of(o->result.text, len),
                       .name = o->has_name ? span_cstr(o->name.text) : span_of(NULL, 0),
                       .macro = o->macro};
    result_verdict(&r, j->paranoid, &v);
    if (j->c.bad && v.class != VERDICT_INFECTED)
        return;
    if (j->results++ == 0 || verdict_stricter(&v, &j->verdict))
        j->verdict = v;
}

static void read_object(struct json *j, unsigned depth)
{
    struct json_object o = {.has_result = false};
    struct json_text key;
    cursor_expect(&j->c, '{');
    skip(j);
    if (cursor_accept(&j->c, '}'))
        return;
    do {
        skip(j);
        read_string(j, &key);
        skip(j);
        cursor_expect(&j->c, ':');
        skip(j);
        read_member(j, key.text, &o, depth);
        skip(j);
    } while (cursor_accept(&j->c, ','));
    cursor_expect(&j->c, '}');
    if (o.has_result)
        note_result(j, &o);
    else if (depth == 0) /* of what the message itself is nothing is said */
        cursor_fail(&j->c);
}

static void read_value(struct json *j, unsigned depth)
{
    struct json_text ignored;
    skip(j);
    if (depth > JSON_DEPTH)
        cursor_fail(&j->c);
    char c = cursor_peek(&j->c);
    if (c == '{')
        read_object(j, depth);
    else if (c == '[')
        read_array(j, depth);
    else if (c == '"')
        read_string(j, &ignored);
    else if (cursor_while(&j->c, is_scalar).len == 0)
        cursor_fail(&j->c);
}

void kaspersky_http_json(struct span body, bool paranoid, struct verdict *out)
{
    struct json j = {.c = cursor_of(body), .paranoid = paranoid};
    skip(&j);
    if (cursor_peek(&j.c) != '{')
        cursor_fail(&j.c);
    read_object(&j, 0);
    skip(&j);
    bool found = j.results > 0 && j.verdict.class == VERDICT_INFECTED;
    if (!found && (j.c.bad || j.c.rest.len > 0 || j.results == 0))
        makes_no_sense(out, span_sub(body, 0, 160));
    else
        *out = j.verdict;
}
