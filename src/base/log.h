/* SPDX-License-Identifier: MIT */
/* Structured log records: one event is one line, text or JSON. This file only forms lines; where they go is the sink's
 * business (daemon). Hostile bytes never leave a field: everything but printable ASCII is written as \xNN, a quote and
 * a backslash are escaped, and a field is cut at LIMIT_LOG_FIELD with a mark.
 *
 * Text:  2026-11-21T20:11:12.123Z notice connect session=1f-3 client="192.0.2.1:4711" listener="0.0.0.0:25"
 * JSON:  {"time":"2026-11-21T20:11:12.123Z","level":"notice","event":"connect","session":"1f-3",…}
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/span.h"
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The events, from log_event.def: LOG_CONNECT, … */
enum log_event {
#define LOG_EVENT(symbol, word, level, meaning) LOG_##symbol,
#include "base/log_event.def"
#undef LOG_EVENT
    LOG_EVENT_COUNT
};
const char *log_event_word(enum log_event e);
enum log_level log_event_level(enum log_event e);
const char *log_event_meaning(enum log_event e);
const char *log_level_word(enum log_level l);

/* Where lines go. WRITE receives one line without its line end and must not block for long; it may be called from any
 * thread that the owner gave this sink to. WALLCLOCK_MS gives the time since 1970 in milliseconds. */
struct log {
    void (*write)(void *arg, enum log_level level, struct span line);
    uint64_t (*wallclock_ms)(void *arg);
    void *arg;
    enum log_format format;
    enum log_level min_level;
};

/* A record under construction, on the stack of its writer. Keys are literals of [a-z_]. Fields that do not fit the line
 * are dropped and the line gets truncated=true, so the first fields must be the important ones. */
struct log_record {
    const struct log *log;
    bool active; /* false: below the minimum level, every call is a no-op */
    bool truncated;
    enum log_level level;
    size_t len;
    char line[LIMIT_LOG_LINE];
};

void log_begin(struct log_record *r, const struct log *log, enum log_event event);
void log_str(struct log_record *r, const char *key, struct span value);  /* hostile bytes welcome */
void log_cstr(struct log_record *r, const char *key, const char *value); /* NULL: the field is left out */
void log_u64(struct log_record *r, const char *key, uint64_t value);
void log_ms(struct log_record *r, const char *key,
            uint64_t microseconds); /* written as milliseconds with three decimals */
void log_fmt(struct log_record *r, const char *key, const char *format, ...) printf_like(3, 4);
void log_end(struct log_record *r); /* writes the line */

/* One event with one text: log_text(log, LOG_START, "reason", "listening on %s", name). */
void log_text(const struct log *log, enum log_event event, const char *key, const char *format, ...) printf_like(4, 5);

#endif
