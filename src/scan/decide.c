/* SPDX-License-Identifier: MIT */
/* From the final verdict to what postern does and says; action.c says what follows from it. */
#include "base/num.h"
#include "scan/stanza.h"

/* A reply line holds 512 octets (RFC 5321 4.5.3.1.5) with code, enhanced code and CRLF. */
enum { REPLY_TEXT_MAX = 490 };

/* For verdicts that no engine gave. */
static const struct engine_conf no_engine_conf = {
    .action = ON_INFECTED_REJECT,
    .error_code = 451,
    .infected_code = 550,
    .unscannable_code = 550,
    .infected_text = STANZA_INFECTED_TEXT,
    .unscannable_text = STANZA_UNSCANNABLE_TEXT,
    .error_text = STANZA_ERROR_TEXT,
};

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

static const char *dict_find(const struct conf_dict *dict, const char *key)
{
    for (size_t i = 0; key && i < dict->count; i++)
        if (span_eq_nocase(span_cstr(dict->items[i].key), span_cstr(key)))
            return dict->items[i].value;
    return NULL;
}

static int code_of(const struct engine_conf *conf, const struct verdict *v, enum scan_action action)
{
    const char *given = dict_find(&conf->reason_codes, verdict_reason_option(v->reason));
    uint64_t code;
    if (given && num_parse_u64(span_cstr(given), 599, &code) == ERR_OK)
        return (int)code;
    if (action != SCAN_ACTION_REJECT && action != SCAN_ACTION_QUARANTINE)
        return (int)conf->error_code;
    return (int)(v->class == VERDICT_INFECTED ? conf->infected_code : conf->unscannable_code);
}

static const char *format_of(const struct engine_conf *conf, const struct verdict *v)
{
    const char *given = dict_find(&conf->reason_texts, verdict_reason_option(v->reason));
    if (given)
        return given;
    if (v->class == VERDICT_INFECTED)
        return conf->infected_text;
    return v->class == VERDICT_UNSCANNABLE ? conf->unscannable_text : conf->error_text;
}

static const char *what_of(const struct verdict *v)
{
    if (v->class != VERDICT_INFECTED)
        return verdict_reason_meaning(v->reason);
    return v->name[0] ? v->name : "unknown";
}

void framework_decide(const struct framework *fw, const struct verdict *v, const char *message_id,
                      struct scan_decision *out)
{
    const struct engine_conf *conf = stanza_conf_of(fw, v->engine);
    enum scan_action action = framework_action(fw, v);
    memset(out, 0, sizeof(*out));
    status_value(out, v);
    out->mark = action == SCAN_ACTION_PASS;
    out->deliver = out->mark || action == SCAN_ACTION_DELIVER;
    if (out->deliver)
        return;
    if (!conf)
        conf = &no_engine_conf;
    out->quarantine = action == SCAN_ACTION_QUARANTINE;
    out->accept = out->quarantine && conf->quarantine_reply == QUARANTINE_REPLY_ACCEPT;
    out->code = code_of(conf, v, action);
    out->enhanced[0] = (unsigned char)(out->code / 100);
    out->enhanced[1] = 7;
    out->enhanced[2] = 1;
    reply_text(out, format_of(conf, v), what_of(v), v->engine[0] ? v->engine : "postern", message_id);
}
