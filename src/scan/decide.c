/* SPDX-License-Identifier: MIT */
/* From the verdict to what postern does and says. The action of the engine that decided counts; trouble is never
 * passed. */
#include "scan/stanza.h"

/* A reply line holds 512 octets (RFC 5321 4.5.3.1.5) with code, enhanced code and CRLF. */
enum { REPLY_TEXT_MAX = 490 };

/* For verdicts that no engine gave. */
static const struct engine_conf no_engine_conf = {
    .action = SCAN_ACTION_REJECT,
    .error_code = 451,
    .infected_code = 550,
    .unscannable_code = 550,
    .infected_text = STANZA_INFECTED_TEXT,
    .unscannable_text = STANZA_UNSCANNABLE_TEXT,
    .error_text = STANZA_ERROR_TEXT,
};

static const struct engine_conf *deciding_conf(const struct framework *fw, const struct verdict *v)
{
    for (size_t i = 0; v->engine[0] && i < fw->engine_count; i++)
        if (span_eq(span_cstr(fw->engines[i].name), span_cstr(v->engine)))
            return fw->engines[i].conf;
    return &no_engine_conf;
}

static bool is_passed(const struct framework *fw, const struct verdict *v)
{
    bool found = v->class == VERDICT_INFECTED || v->class == VERDICT_UNSCANNABLE;
    return found && deciding_conf(fw, v)->action == SCAN_ACTION_PASS;
}

bool framework_outranks(const struct framework *fw, const struct verdict *a, const struct verdict *b)
{
    bool a_passed = is_passed(fw, a), b_passed = is_passed(fw, b);
    if (a_passed == b_passed)
        return verdict_stricter(a, b);
    const struct verdict *other = a_passed ? b : a;
    bool passed_counts = other->class == VERDICT_CLEAN || other->class == VERDICT_SKIPPED;
    return passed_counts == a_passed;
}

bool framework_is_final(const struct framework *fw, const struct verdict *v)
{
    return v->class == VERDICT_INFECTED && !is_passed(fw, v);
}

struct line {
    char *out;
    size_t len, max; /* max: without the NUL */
};

/* Appends S as printable ASCII, cut at the maximum. INSIDE_QUOTES: no quote or backslash. */
static void line_add(struct line *l, struct span s, bool inside_quotes)
{
    for (size_t i = 0; i < s.len && l->len < l->max; i++) {
        char c = s.ptr[i];
        if (!char_is_print(c))
            c = '?';
        if (inside_quotes && (c == '"' || c == '\\'))
            c = '_';
        l->out[l->len++] = c;
    }
    l->out[l->len] = '\0';
}

static void reply_text(struct scan_decision *d, const char *format, const char *what, const char *engine,
                       const char *id)
{
    struct line l = {.out = d->text, .max = REPLY_TEXT_MAX};
    for (const char *c = format; *c; c++) {
        if (c[0] != '%' || c[1] == '\0') {
            line_add(&l, span_of(c, 1), false);
            continue;
        }
        switch (*++c) {
        case 'v':
            line_add(&l, span_cstr(what), true);
            break;
        case 'e':
            line_add(&l, span_cstr(engine), true);
            break;
        case 'i':
            line_add(&l, span_cstr(id), true);
            break;
        default:
            line_add(&l, span_of(c, 1), false);
        }
    }
}

/* infected; name="Some.Virus"; engine=clamav1 */
static void status_value(struct scan_decision *d, const struct verdict *v)
{
    struct line l = {.out = d->status, .max = sizeof(d->status) - 1};
    line_add(&l, span_cstr(verdict_class_word(v->class)), false);
    if (v->class == VERDICT_INFECTED) {
        line_add(&l, SPAN("; name=\""), false);
        line_add(&l, v->name[0] ? span_cstr(v->name) : SPAN("unknown"), true);
        line_add(&l, SPAN("\""), false);
    } else if (v->reason != VERDICT_REASON_NONE) {
        line_add(&l, SPAN("; reason="), false);
        line_add(&l, span_cstr(verdict_reason_word(v->reason)), false);
    }
    if (v->engine[0]) {
        line_add(&l, SPAN("; engine="), false);
        line_add(&l, span_cstr(v->engine), true);
    }
}

static void refuse(struct scan_decision *d, int64_t code)
{
    d->deliver = false;
    d->code = (int)code;
    d->enhanced[0] = (unsigned char)(code / 100);
    d->enhanced[1] = 7;
    d->enhanced[2] = 1;
}

void framework_decide(const struct framework *fw, const struct verdict *v, const char *message_id,
                      struct scan_decision *out)
{
    const struct engine_conf *conf = deciding_conf(fw, v);
    const char *engine = v->engine[0] ? v->engine : "postern";
    const char *what = verdict_reason_meaning(v->reason), *format = conf->error_text;
    int64_t code = conf->error_code;
    memset(out, 0, sizeof(*out));
    status_value(out, v);
    switch (v->class) {
    case VERDICT_CLEAN:
    case VERDICT_SKIPPED:
        out->deliver = true;
        return;
    case VERDICT_INFECTED:
        what = v->name[0] ? v->name : "unknown";
        code = conf->infected_code;
        format = conf->infected_text;
        break;
    case VERDICT_UNSCANNABLE:
        code = conf->unscannable_code;
        format = conf->unscannable_text;
        break;
    case VERDICT_ERROR:
    case VERDICT_CLASS_COUNT:
        break;
    }
    if (is_passed(fw, v)) {
        out->deliver = out->mark = true;
        return;
    }
    refuse(out, code);
    reply_text(out, format, what, engine, message_id);
}
