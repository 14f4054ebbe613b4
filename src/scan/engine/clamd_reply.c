/* SPDX-License-Identifier: MIT */
/* Forms, as measured on clamd 1.4:
 *   ID: stream: OK    ID: stream: NAME FOUND    ID: stream: TEXT ERROR    ID: INSTREAM size limit exceeded. ERROR
 *   ID: fd[N]: OK …   and a few complaints that may come without ID. */
#include "scan/engine/clamd_reply.h"
#include "base/cursor.h"
#include "base/num.h"
#include "scan/engine/clamav_name.h"

#include <time.h>

enum { DIGEST_HEX_MIN = 32 /* MD5 */ };

static bool take_suffix(struct span *s, struct span suffix)
{
    if (s->len < suffix.len || memcmp(s->ptr + s->len - suffix.len, suffix.ptr, suffix.len) != 0)
        return false;
    s->len -= suffix.len;
    return true;
}

static bool take_prefix(struct span *s, struct span prefix)
{
    if (!span_starts(*s, prefix))
        return false;
    *s = span_sub(*s, prefix.len, s->len);
    return true;
}

/* "12: " at the front; *id is 0 where there is none (clamd counts from 1). */
static void take_id(struct span *s, uint64_t *id)
{
    size_t digits = 0;
    *id = 0;
    while (digits < s->len && char_is_digit(s->ptr[digits]))
        digits++;
    struct span number = span_sub(*s, 0, digits), rest = span_sub(*s, digits, s->len);
    if (!take_prefix(&rest, SPAN(": ")) || num_parse_u64(number, UINT32_MAX, id) != ERR_OK || *id == 0)
        *id = 0;
    else
        *s = rest;
}

static void trouble(struct verdict *out, enum verdict_reason reason, const char *what, struct span reply)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    int shown = reply.len > 160 ? 160 : (int)reply.len;
    snprintf(detail, sizeof(detail), "clamd: %s%.*s", what, shown, reply.ptr ? reply.ptr : "");
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

/* "stream: " or "fd[12]: " */
static bool take_object(struct span *s, enum clamd_way way)
{
    struct span rest = *s;
    if (way == CLAMD_STREAM)
        return take_prefix(s, SPAN("stream: "));
    if (!take_prefix(&rest, SPAN("fd[")))
        return false;
    size_t digits = 0;
    while (digits < rest.len && char_is_digit(rest.ptr[digits]))
        digits++;
    rest = span_sub(rest, digits, rest.len);
    if (digits == 0 || !take_prefix(&rest, SPAN("]: ")))
        return false;
    *s = rest;
    return true;
}

/* Without "(digest:size)", which ExtendedDetectionInfo appends. */
static struct span plain_name(struct span name)
{
    struct span s = name;
    if (!take_suffix(&s, SPAN(")")))
        return name;
    size_t digits = 0, hex = 0;
    while (digits < s.len && char_is_digit(s.ptr[s.len - 1 - digits]))
        digits++;
    s.len -= digits;
    if (digits == 0 || !take_suffix(&s, SPAN(":")))
        return name;
    while (hex < s.len && memchr("0123456789abcdef", s.ptr[s.len - 1 - hex], 16))
        hex++;
    s.len -= hex;
    return hex >= DIGEST_HEX_MIN && take_suffix(&s, SPAN("(")) && s.len > 0 ? s : name;
}

static bool is_complaint(struct span reply)
{
    static const char *const known[] = {"COMMAND READ TIMED OUT", "UNKNOWN COMMAND", "COMMAND UNAVAILABLE"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (span_eq(reply, span_cstr(known[i])))
            return true;
    return false;
}

void clamd_reply_verdict(struct span reply, uint64_t id, enum clamd_way way, struct verdict *out)
{
    struct span rest = reply;
    uint64_t given;
    take_id(&rest, &given);
    if (given != 0 && given != id) {
        trouble(out, VERDICT_REASON_PROTOCOL, "an answer with a wrong number: ", reply);
        return;
    }
    struct span text = rest;
    if (take_suffix(&text, SPAN("size limit exceeded. ERROR"))) {
        trouble(out, VERDICT_REASON_TOO_LARGE, "", rest);
        return;
    }
    if (is_complaint(rest) || take_suffix(&text, SPAN(" ERROR"))) {
        trouble(out, VERDICT_REASON_ENGINE, "", rest);
        return;
    }
    bool sensible = given != 0 && take_object(&text, way);
    if (sensible && take_suffix(&text, SPAN(" FOUND")) && text.len > 0)
        clamav_name_verdict(plain_name(text), out);
    else if (sensible && span_eq(text, SPAN("OK")))
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    else
        trouble(out, VERDICT_REASON_PROTOCOL, "an answer that makes no sense: ", reply);
}

/* "Mon Jan  6 09:31:02 2025" */
static uint64_t parse_date(struct span text)
{
    char date[40];
    struct tm tm = {0};
    verdict_copy_text(date, sizeof(date), text);
    const char *end = strptime(date, "%a %b %e %H:%M:%S %Y", &tm);
    time_t t = end && *end == '\0' ? timegm(&tm) : 0;
    return t > 0 ? (uint64_t)t : 0;
}

bool clamd_reply_version(struct span reply, uint64_t id, char *version, size_t size, uint64_t *database, uint64_t *made)
{
    uint64_t given;
    take_id(&reply, &given);
    if (given != id || !span_starts(reply, SPAN("ClamAV ")))
        return false;
    verdict_copy_text(version, size, reply);
    struct span rest = span_sub(reply, span_find(reply, '/') + 1, reply.len);
    size_t slash = span_find(rest, '/');
    struct span number = span_sub(rest, 0, slash);
    *made = parse_date(span_sub(rest, slash + 1, rest.len));
    if (num_parse_u64(number, UINT32_MAX, database) != ERR_OK)
        *database = 0;
    return true;
}

bool clamd_reply_is_timeout(struct span reply)
{
    return span_eq(reply, SPAN("COMMAND READ TIMED OUT"));
}
