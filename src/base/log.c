/* SPDX-License-Identifier: MIT */
/* Forms log lines. The line lives inside the record, so logging needs no memory and works when there is none. */
#include "base/log.h"
#include <stdarg.h>
#include <time.h>

/* Room kept back for the mark of a truncated line and the closing brace. */
enum { LOG_TAIL = 32 };

static const struct {
    const char *word;
    enum log_level level;
    const char *meaning;
} log_events[] = {
#define LOG_EVENT(symbol, word, level, meaning) {word, LOG_LEVEL_##level, meaning},
#include "base/log_event.def"
#undef LOG_EVENT
};

const char *log_event_word(enum log_event e)
{
    return log_events[e].word;
}

enum log_level log_event_level(enum log_event e)
{
    return log_events[e].level;
}

const char *log_event_meaning(enum log_event e)
{
    return log_events[e].meaning;
}

const char *log_level_word(enum log_level l)
{
    static const char *const words[] = {"debug", "info", "notice", "warning", "error"};
    return words[l];
}

/* Appends raw text of our own; false when it does not fit, and then nothing was written. */
static bool log_raw(struct log_record *r, struct span s, size_t limit)
{
    if (s.len > limit - r->len)
        return false;
    memcpy(r->line + r->len, s.ptr, s.len);
    r->len += s.len;
    return true;
}

/* One octet that cannot stand as it is. */
static bool log_escape(struct log_record *r, unsigned char c, size_t limit)
{
    static const char hex[] = "0123456789abcdef";
    char out[6];
    size_t n = 0;
    out[n++] = '\\';
    if (c == '"' || c == '\\') {
        out[n++] = (char)c;
    } else {
        if (r->log->format == LOG_FORMAT_JSON) { /* which knows no \x */
            memcpy(out + n, "u00", 3);
            n += 3;
        } else {
            out[n++] = 'x';
        }
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return log_raw(r, span_of(out, n), limit);
}

/* How many octets VALUE begins with that stand as they are. */
static size_t log_plain_length(struct span value)
{
    size_t n = 0;
    while (n < value.len && char_is_print(value.ptr[n]) && value.ptr[n] != '"' && value.ptr[n] != '\\')
        n++;
    return n;
}

static bool log_escaped(struct log_record *r, struct span value, size_t limit)
{
    bool cut = value.len > LIMIT_LOG_FIELD;
    value = span_sub(value, 0, LIMIT_LOG_FIELD);
    while (value.len > 0) {
        size_t plain = log_plain_length(value);
        if (plain > 0 ? !log_raw(r, span_sub(value, 0, plain), limit)
                      : !log_escape(r, (unsigned char)value.ptr[0], limit))
            return false;
        value = span_sub(value, plain > 0 ? plain : 1, value.len);
    }
    return !cut || log_raw(r, SPAN("..."), limit);
}

/* One field; all or nothing. */
static void log_field(struct log_record *r, const char *key, struct span value, bool quoted)
{
    if (!r->active || r->truncated)
        return;
    size_t before = r->len, limit = sizeof(r->line) - LOG_TAIL;
    bool json = r->log->format == LOG_FORMAT_JSON;
    bool fits = log_raw(r, json ? SPAN(",\"") : SPAN(" "), limit) && log_raw(r, span_cstr(key), limit) &&
                log_raw(r, json ? SPAN("\":") : SPAN("="), limit) && (!quoted || log_raw(r, SPAN("\""), limit)) &&
                log_escaped(r, value, limit) && (!quoted || log_raw(r, SPAN("\""), limit));
    if (!fits) {
        r->len = before;
        r->truncated = true;
    }
}

void log_begin(struct log_record *r, const struct log *log, enum log_event event)
{
    r->log = log;
    r->truncated = false;
    r->len = 0;
    r->level = log_event_level(event);
    r->active = log && log_event_level(event) >= log->min_level;
    if (!r->active)
        return;
    uint64_t now = log->wallclock_ms(log->arg);
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    char stamp[40] = "";
    gmtime_r(&seconds, &tm);
    size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp + n, sizeof(stamp) - n, ".%03uZ", (unsigned)(now % 1000));
    const char *level = log_level_word(r->level), *word = log_event_word(event);
    char head[160];
    int len =
        log->format == LOG_FORMAT_JSON
            ? snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", stamp, level, word)
            : snprintf(head, sizeof(head), "%s %s %s", stamp, level, word);
    log_raw(r, span_of(head, (size_t)len), sizeof(r->line) - LOG_TAIL);
}

/* Text values are quoted only where a reader of key=value could be misled. */
static bool log_needs_quotes(const struct log_record *r, struct span value)
{
    if (r->log->format == LOG_FORMAT_JSON || value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!char_is_print(c) || c == ' ' || c == '"' || c == '\\' || c == '=')
            return true;
    }
    return false;
}

void log_str(struct log_record *r, const char *key, struct span value)
{
    if (r->active)
        log_field(r, key, value, log_needs_quotes(r, value));
}

void log_cstr(struct log_record *r, const char *key, const char *value)
{
    if (value)
        log_str(r, key, span_cstr(value));
}

enum { LOG_DIGITS = 20 }; /* of the largest number */

/* VALUE in decimal, in front of END, with leading zeros up to LEAST digits. Returns where it begins. */
static char *log_digits(char *end, uint64_t value, unsigned least)
{
    char *at = end;
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0 || (size_t)(end - at) < least);
    return at;
}

void log_u64(struct log_record *r, const char *key, uint64_t value)
{
    char text[LOG_DIGITS], *end = text + sizeof(text), *at = log_digits(end, value, 1);
    log_field(r, key, span_of(at, (size_t)(end - at)), false);
}

void log_ms(struct log_record *r, const char *key, uint64_t microseconds)
{
    char text[LOG_DIGITS + 1], *end = text + sizeof(text), *at = log_digits(end, microseconds % 1000, 3);
    *--at = '.';
    at = log_digits(at, microseconds / 1000, 1);
    log_field(r, key, span_of(at, (size_t)(end - at)), false);
}

static void printf_like(3, 0) log_vfmt(struct log_record *r, const char *key, const char *format, va_list args)
{
    char text[LIMIT_LOG_FIELD + 16];
    int n = vsnprintf(text, sizeof(text), format, args);
    if (n < 0)
        return;
    log_str(r, key, span_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1));
}

void log_fmt(struct log_record *r, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (r->active)
        log_vfmt(r, key, format, args);
    va_end(args);
}

void log_end(struct log_record *r)
{
    if (!r->active)
        return;
    bool json = r->log->format == LOG_FORMAT_JSON;
    if (r->truncated)
        log_raw(r, json ? SPAN(",\"truncated\":true") : SPAN(" truncated=true"), sizeof(r->line));
    if (json)
        log_raw(r, SPAN("}"), sizeof(r->line));
    r->log->write(r->log->arg, r->level, span_of(r->line, r->len));
    r->active = false;
}

void log_text(const struct log *log, enum log_event event, const char *key, const char *format, ...)
{
    struct log_record r;
    va_list args;
    va_start(args, format);
    log_begin(&r, log, event);
    if (r.active)
        log_vfmt(&r, key, format, args);
    log_end(&r);
    va_end(args);
}
