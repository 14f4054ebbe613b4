/* SPDX-License-Identifier: MIT */
/* aveserver's answers. The codes 201, 220, 230, 232, 241, 322 and 525 are known from clients of it, the rest is not. */
#include "scan/engine/kaspersky_reply.h"

enum { CODE_VIRUS = 322, CODE_CLEAN = 220, CODE_INFECTED = 230, CODE_SUSPICIOUS = 232, CODE_SCAN_ERROR = 241 };

unsigned kaspersky_reply_code(struct span line)
{
    unsigned code = 0;
    if (line.len < 3 || (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (!char_is_digit(line.ptr[i]))
            return 0;
        code = code * 10 + (unsigned)(line.ptr[i] - '0');
    }
    return code;
}

void kaspersky_reply_begin(struct kaspersky_reply *r, struct span object, bool suspicious_is_infected)
{
    *r = (struct kaspersky_reply){.object = object, .suspicious_is_infected = suspicious_is_infected};
}

static enum kaspersky_step make_no_sense(struct kaspersky_reply *r)
{
    r->nonsense = true;
    return KASPERSKY_END;
}

/* "NAME /path", where names may have blanks; some daemons' lines have no path. */
static bool note_virus(struct kaspersky_reply *r, struct span text)
{
    struct span name = span_trim(text);
    size_t at = span_find_span(name, SPAN(" /"));
    if (at < name.len) {
        struct span path = span_sub(name, at + 1, name.len);
        if (r->object.len > 0 && span_find_span(path, r->object) == path.len)
            return false; /* the answer to another request */
        name = span_trim(span_sub(name, 0, at));
    }
    if (!r->found)
        verdict_copy_text(r->name, sizeof(r->name), name.len > 0 ? name : SPAN("Unknown"));
    r->found = true;
    return true;
}

enum kaspersky_step kaspersky_reply_line(struct kaspersky_reply *r, struct span line)
{
    unsigned code = kaspersky_reply_code(line), kind = code / 100;
    bool more = line.len > 3 && line.ptr[3] == '-';
    verdict_copy_text(r->last, sizeof(r->last), line);
    if (kind == 3)
        return code != CODE_VIRUS || note_virus(r, span_sub(line, 4, line.len)) ? KASPERSKY_MORE : make_no_sense(r);
    if ((kind != 2 && kind != 4 && kind != 5) || (r->announced && r->announced != code))
        return make_no_sense(r);
    r->announced = code;
    if (more)
        return KASPERSKY_MORE;
    r->code = code;
    return KASPERSKY_END;
}

void kaspersky_reply_cut(struct kaspersky_reply *r, struct span part)
{
    unsigned code = part.len > 3 ? kaspersky_reply_code(part) : 0;
    if (r->found || (code != CODE_VIRUS && code != CODE_INFECTED))
        return;
    struct span text = code == CODE_VIRUS ? span_sub(part, 4, part.len) : span_of(NULL, 0);
    struct span name = span_trim(span_sub(text, 0, span_find_span(text, SPAN(" /"))));
    verdict_copy_text(r->name, sizeof(r->name), name.len > 0 ? name : SPAN("Unknown"));
    r->found = true;
}

bool kaspersky_reply_is_refusal(const struct kaspersky_reply *r)
{
    return !r->nonsense && !r->found && r->code / 100 == 5;
}

static void trouble(const struct kaspersky_reply *r, enum verdict_reason reason, const char *what, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "aveserver: %s%s", what, r->last);
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

static void infected(const char *name, struct verdict *out)
{
    verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    snprintf(out->name, sizeof(out->name), "%s", name);
}

static void suspicious(const struct kaspersky_reply *r, struct verdict *out)
{
    if (r->suspicious_is_infected)
        infected("Suspicious", out);
    else
        trouble(r, VERDICT_REASON_SUSPICIOUS, "", out);
}

void kaspersky_reply_verdict(const struct kaspersky_reply *r, struct verdict *out)
{
    bool finished = !r->nonsense && r->code / 100 == 2;
    if (r->found) /* whatever came behind it: a virus that has a name is not trouble */
        infected(r->name, out);
    else if (finished && r->code == CODE_CLEAN)
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    else if (finished && r->code == CODE_INFECTED)
        infected("Unknown", out);
    else if (finished && r->code == CODE_SUSPICIOUS)
        suspicious(r, out);
    else if (!r->nonsense && (r->code == CODE_SCAN_ERROR || r->code / 100 >= 4))
        trouble(r, VERDICT_REASON_ENGINE, "", out);
    else /* also: finished, but with what? */
        trouble(r, VERDICT_REASON_PROTOCOL, "an answer that makes no sense: ", out);
}
