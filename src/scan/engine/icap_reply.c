/* SPDX-License-Identifier: MIT */
/* Heads line by line, chunk lines, enclosed blocks, and the one function that says what became of a message. */
#include "scan/engine/icap_reply.h"
#include "base/cursor.h"
#include "base/num.h"

enum {
    OFFSET_MAX = 1 << 20,
    STATUS_CREATED = 201,
    STATUS_NO_CONTENT = 204,
    STATUS_OK = 200,
    STATUS_ERRORS = 400,
    HTTP_REDIRECTIONS = 300,
    HTTP_SERVER_ERRORS = 500,
};

void icap_head_begin(struct icap_head *h, bool suspicious_is_infected)
{
    memset(h, 0, sizeof(*h));
    h->signals.suspicious_is_infected = suspicious_is_infected;
    h->service.ttl_s = ICAP_TTL_DEFAULT;
}

static bool is_graph(char c)
{
    return char_is_print(c) && c != ' ';
}

/* "PROTOCOL/1.x NNN phrase" */
static bool status_line(struct span line, struct span protocol, unsigned *status, struct span *phrase)
{
    struct cursor c = cursor_of(line);
    uint64_t number;
    if (!cursor_accept_nocase(&c, protocol))
        return false;
    struct span minor = cursor_take(&c, 1);
    cursor_expect(&c, ' ');
    struct span code = cursor_while(&c, is_graph);
    if (c.bad || !char_is_digit(minor.ptr[0]) || code.len != 3 || num_parse_u64(code, 999, &number) != ERR_OK ||
        number < 100)
        return false;
    *status = (unsigned)number;
    *phrase = span_trim(c.rest);
    return true;
}

/* ---- header lines ---- */

/* Calls EACH with every item of a list between commas, without blanks. */
static bool for_each_item(struct icap_head *h, struct span list, bool (*each)(struct icap_head *h, struct span item))
{
    while (list.len > 0) {
        size_t at = span_find(list, ',');
        if (!each(h, span_trim(span_sub(list, 0, at))))
            return false;
        list = span_sub(list, at + 1, list.len);
    }
    return true;
}

static bool method(struct icap_head *h, struct span item)
{
    h->service.respmod = h->service.respmod || span_eq_nocase(item, SPAN("RESPMOD"));
    h->service.reqmod = h->service.reqmod || span_eq_nocase(item, SPAN("REQMOD"));
    return true;
}

static bool allowed(struct icap_head *h, struct span item)
{
    h->service.allow_204 = h->service.allow_204 || span_eq(item, SPAN("204"));
    return true;
}

static bool complete_item(struct icap_head *h, struct span item)
{
    h->service.complete_always = h->service.complete_always || span_eq(item, SPAN("*"));
    return true;
}

static bool ignored_item(struct icap_head *h, struct span item)
{
    h->service.ignores_all = h->service.ignores_all || span_eq(item, SPAN("*"));
    return true;
}

static bool connection_word(struct icap_head *h, struct span item)
{
    h->close = h->close || span_eq_nocase(item, SPAN("close"));
    return true;
}

/* "res-hdr=0": offsets begin at 0 and never go back. A block may be empty only where a body follows at once. */
static bool section(struct icap_head *h, struct span item)
{
    static const struct span kinds[] = {{"req-hdr", 7},  {"res-hdr", 7},  {"req-body", 8},
                                        {"res-body", 8}, {"opt-body", 8}, {"null-body", 9}};
    size_t equals = span_find(item, '='), n = h->section_count;
    struct span name = span_trim(span_sub(item, 0, equals));
    uint64_t offset;
    if (n == ICAP_SECTIONS || num_parse_u64(span_trim(span_sub(item, equals + 1, item.len)), OFFSET_MAX, &offset))
        return false;
    if (n == 0 ? offset != 0 : offset <= h->sections[n - 1].offset || h->sections[n - 1].kind > ICAP_RES_HDR)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (span_eq_nocase(name, kinds[i])) {
            h->sections[n].kind = (enum icap_section)i;
            h->sections[n].offset = (size_t)offset;
            h->section_count++;
            return true;
        }
    return false;
}

static bool take_methods(struct icap_head *h, struct span value)
{
    return for_each_item(h, value, method);
}

static bool take_allow(struct icap_head *h, struct span value)
{
    return for_each_item(h, value, allowed);
}

static bool take_connection(struct icap_head *h, struct span value)
{
    return for_each_item(h, value, connection_word);
}

/* The body is the last one, or said not to be there: nothing else ends the list. */
static bool take_encapsulated(struct icap_head *h, struct span value)
{
    return h->section_count == 0 && for_each_item(h, value, section) && h->section_count > 0 &&
           h->sections[h->section_count - 1].kind > ICAP_RES_HDR;
}

static bool take_istag(struct icap_head *h, struct span value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = span_sub(value, 1, value.len - 2);
    verdict_copy_text(h->istag, sizeof(h->istag), value);
    return value.len > 0 && value.len <= ICAP_ISTAG_MAX;
}

static bool take_preview(struct icap_head *h, struct span value)
{
    uint64_t octets;
    if (num_parse_u64(value, UINT32_MAX, &octets) != ERR_OK)
        return false;
    h->service.has_preview = true;
    h->service.preview = octets < ICAP_PREVIEW_MAX ? (unsigned)octets : ICAP_PREVIEW_MAX;
    return true;
}

static bool take_connections(struct icap_head *h, struct span value)
{
    return num_parse_u64(value, UINT32_MAX, &h->service.max_connections) == ERR_OK;
}

static bool take_ttl(struct icap_head *h, struct span value)
{
    if (num_parse_u64(value, UINT32_MAX, &h->service.ttl_s) != ERR_OK)
        return false;
    if (h->service.ttl_s > ICAP_TTL_MAX)
        h->service.ttl_s = ICAP_TTL_MAX;
    return true;
}

static bool take_complete(struct icap_head *h, struct span value)
{
    return for_each_item(h, value, complete_item);
}

static bool take_ignore(struct icap_head *h, struct span value)
{
    return for_each_item(h, value, ignored_item);
}

static bool take_service(struct icap_head *h, struct span value)
{
    verdict_copy_text(h->service.name, sizeof(h->service.name), value);
    return true;
}

static bool take_header(struct icap_head *h, struct span line)
{
    static const struct {
        struct span name;
        bool (*take)(struct icap_head *h, struct span value);
    } own[] = {
        {{"Encapsulated", 12}, take_encapsulated},
        {{"ISTag", 5}, take_istag},
        {{"Connection", 10}, take_connection},
        {{"Methods", 7}, take_methods},
        {{"Allow", 5}, take_allow},
        {{"Preview", 7}, take_preview},
        {{"Options-TTL", 11}, take_ttl},
        {{"Max-Connections", 15}, take_connections},
        {{"Transfer-Complete", 17}, take_complete},
        {{"Transfer-Ignore", 15}, take_ignore},
        {{"Service", 7}, take_service},
    };
    size_t colon = span_find(line, ':'), fields = 0;
    struct span name = span_trim(span_sub(line, 0, colon)), value = span_trim(span_sub(line, colon + 1, line.len));
    if (colon == line.len || name.len == 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (span_eq_nocase(name, own[i].name))
            return own[i].take(h, value);
    bool good = icap_signal_header(&h->signals, name, value, &fields);
    h->violation_fields = fields;
    return good;
}

/* ---- the head ---- */

/* The header that was begun is whole. One longer than its place says nothing that could be relied on. */
static bool take_pending(struct icap_head *h)
{
    struct span line = span_of(h->pending, h->pending_len);
    bool good = h->pending_len == 0 || take_header(h, line);
    if (h->pending_cut && span_starts_nocase(line, SPAN("Encapsulated:")))
        good = false;
    h->pending_len = 0;
    h->pending_cut = false;
    return good;
}

static void add_pending(struct icap_head *h, struct span text)
{
    size_t room = sizeof(h->pending) - h->pending_len;
    struct span part = span_sub(text, 0, room);
    if (part.len > 0)
        memcpy(h->pending + h->pending_len, part.ptr, part.len);
    h->pending_len += part.len;
    h->pending_cut = h->pending_cut || part.len < text.len;
}

static bool is_folded(struct span line)
{
    return line.len > 0 && char_is_blank(line.ptr[0]);
}

static enum icap_step first_line(struct icap_head *h, struct span line)
{
    struct span phrase;
    if (!status_line(line, SPAN("ICAP/1."), &h->status, &phrase))
        return ICAP_BAD;
    verdict_copy_text(h->phrase, sizeof(h->phrase), phrase);
    return ICAP_MORE;
}

/* Folded or not. */
static enum icap_step violation_line(struct icap_head *h, struct span line)
{
    if (line.len == 0)
        return ICAP_BAD;
    icap_signal_violation(&h->signals, h->violation_fields, line);
    h->violation_fields--;
    return ICAP_MORE;
}

enum icap_step icap_head_line(struct icap_head *h, struct span line)
{
    static const struct span violations = {"X-Violations-Found:", 19};
    h->octets += line.len + 1;
    if (++h->lines > ICAP_HEAD_LINES || h->octets > ICAP_HEAD_OCTETS)
        return ICAP_BAD;
    if (h->lines == 1)
        return first_line(h, line);
    if (h->violation_fields > 0)
        return violation_line(h, line);
    if (is_folded(line) && h->pending_len > 0) {
        add_pending(h, SPAN(" "));
        add_pending(h, span_trim(line));
        return ICAP_MORE;
    }
    if (!take_pending(h) || is_folded(line))
        return ICAP_BAD;
    if (line.len == 0)
        return ICAP_END;
    add_pending(h, line);
    /* what follows this one belongs to it by number, not by its form */
    return span_starts_nocase(line, violations) && !take_pending(h) ? ICAP_BAD : ICAP_MORE;
}

void icap_head_cut(struct icap_head *h)
{
    (void)take_pending(h);
}

bool icap_http_block(struct icap_head *h, enum icap_section kind, struct span block)
{
    struct span line, phrase;
    if (!span_take_line(&block, &line))
        return false;
    if (kind == ICAP_RES_HDR) {
        if (!status_line(line, SPAN("HTTP/1."), &h->http_status, &phrase))
            return false;
        if (h->http_status >= HTTP_REDIRECTIONS && h->http_status < HTTP_SERVER_ERRORS)
            icap_signal_blocked(&h->signals, phrase);
    }
    struct span name = SPAN("");
    while (span_take_line(&block, &line) && line.len > 0) {
        size_t colon = is_folded(line) ? 0 : span_find(line, ':'), fields;
        if (colon > 0)
            name = span_trim(span_sub(line, 0, colon));
        if (name.len == 0 || colon == line.len ||
            !icap_signal_header(&h->signals, name, span_trim(span_sub(line, colon > 0 ? colon + 1 : 0, line.len)),
                                &fields))
            return false;
        for (; fields > 0; fields--) {
            if (!span_take_line(&block, &line) || line.len == 0)
                return false;
            icap_signal_violation(&h->signals, fields, line);
        }
    }
    return line.len == 0 && block.len == 0;
}

bool icap_trailer(struct icap_head *h, struct span line)
{
    size_t colon = span_find(line, ':'), fields;
    struct span name = span_trim(span_sub(line, 0, colon));
    return colon < line.len && name.len > 0 && !is_folded(line) &&
           icap_signal_header(&h->signals, name, span_trim(span_sub(line, colon + 1, line.len)), &fields) &&
           fields == 0;
}

bool icap_chunk_line(struct span line, uint64_t *size)
{
    enum { DIGITS_MAX = 16 };
    size_t end = span_find(line, ';');
    struct span digits = span_trim(span_sub(line, 0, end));
    uint64_t value = 0;
    if (digits.len == 0 || digits.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = char_lower(digits.ptr[i]);
        if (!char_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        value = value << 4 | (uint64_t)(char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *size = value;
    return value <= INT32_MAX;
}

/* ---- what it means ---- */

static void trouble(struct verdict *out, enum verdict_reason reason, const struct icap_head *h, const char *what)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "ICAP status %u %.60s: %s", h->status, h->phrase, what);
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

static void unclear(const struct icap_head *h, struct verdict *out)
{
    char what[160];
    snprintf(what, sizeof(what), "what became of the message is not understood: \"%.100s\"", h->signals.unclear);
    trouble(out, VERDICT_REASON_PROTOCOL, h, what);
}

static void unmodified(const struct icap_head *h, const struct icap_circumstances *c, struct verdict *out)
{
    if (h->signals.unclear[0])
        unclear(h, out);
    else if (!c->whole)
        trouble(out, VERDICT_REASON_LIMIT, h, "the server did not want all of the message, so it has not scanned it");
    else
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
}

/* 200, and nothing said against the message. */
static void echo(const struct icap_head *h, const struct icap_circumstances *c, struct verdict *out)
{
    if (c->whole && !c->echoed)
        trouble(out, VERDICT_REASON_PROTOCOL, h,
                "the server put something else in the message's place, and no header says why");
    else if (h->signals.says_clean || h->signals.unclear[0])
        unmodified(h, c, out);
    else if (c->offers_204 || !c->echo_is_clean)
        trouble(out, VERDICT_REASON_LIMIT, h, "the message came back, and nothing shows that it was scanned");
    else
        unmodified(h, c, out);
}

void icap_verdict(const struct icap_head *h, const struct icap_circumstances *c, struct verdict *out)
{
    /* 201 is Symantec's word for what it replaced; the name of what was found may hold any words. */
    if (icap_signal_verdict(&h->signals, out) && (out->class == VERDICT_INFECTED || h->status != STATUS_CREATED))
        return;
    if (h->status >= STATUS_ERRORS) {
        trouble(out, VERDICT_REASON_ENGINE, h, "the server cannot scan");
    } else if (h->http_status >= HTTP_SERVER_ERRORS) {
        trouble(out, VERDICT_REASON_ENGINE, h, "the enclosed answer of HTTP is an error of the server");
    } else if (h->status == STATUS_CREATED) {
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, "ICAP status 201");
        verdict_copy_text(out->name, sizeof(out->name), SPAN("Unknown"));
    } else if (h->status == STATUS_NO_CONTENT) {
        if (c->may_204)
            unmodified(h, c, out);
        else
            trouble(out, VERDICT_REASON_PROTOCOL, h, "that answer had not been allowed");
    } else if (h->status == STATUS_OK) {
        echo(h, c, out);
    } else {
        trouble(out, VERDICT_REASON_PROTOCOL, h, "expected 200 or 204");
    }
}

bool icap_service_is_usable(const struct icap_head *h, bool reqmod, struct errtext *why)
{
    const struct icap_service *s = &h->service;
    if (h->status != STATUS_OK)
        errtext_set(why, "it answers OPTIONS with ICAP status %u %s: is service the right one?", h->status, h->phrase);
    else if (!(reqmod ? s->reqmod : s->respmod))
        errtext_set(why, "the service does not know %s, only%s%s: set mode", reqmod ? "REQMOD" : "RESPMOD",
                    s->respmod ? " RESPMOD" : "", s->reqmod ? " REQMOD" : "");
    else
        return true;
    return false;
}

uint64_t icap_istag_number(const char *istag)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (; *istag; istag++)
        hash = (hash ^ (unsigned char)*istag) * 1099511628211ULL;
    hash = (hash ^ hash >> 53) & ((1ULL << 53) - 1); /* exact also where JSON is read as floating point */
    return hash ? hash : 1;
}
