/* SPDX-License-Identifier: MIT */
/* Ids and the JSON of entries. Written and read by one table, so that no field is forgotten on either side. */
#include "spool/quarantine_meta.h"
#include "base/cursor.h"
#include "base/num.h"
#include <time.h>

static const char *const status_words[] = {"held", "releasing", "released"};

const char *quarantine_status_word(enum quarantine_status s)
{
    return (size_t)s < ARRAY_SIZE(status_words) ? status_words[s] : "unknown";
}

/* --- ids --- */

enum { ID_DIGITS = 14, ID_HEX = 32 };

/* "YYYYMMDDhhmmss" of MS. Years beyond four digits do not come: their entries would be those of the year 9999. */
static void utc_digits(uint64_t ms, char out[ID_DIGITS + 1])
{
    static const time_t last = 253402300799; /* 9999-12-31T23:59:59Z */
    time_t seconds = ms / 1000 > (uint64_t)last ? last : (time_t)(ms / 1000);
    struct tm t;
    memset(&t, 0, sizeof(t));
    gmtime_r(&seconds, &t);
    strftime(out, ID_DIGITS + 1, "%Y%m%d%H%M%S", &t);
}

void quarantine_make_id(uint64_t now_ms, const uint64_t chance[2], char id[QUARANTINE_ID_SIZE])
{
    char digits[ID_DIGITS + 1];
    utc_digits(now_ms, digits);
    snprintf(id, QUARANTINE_ID_SIZE, "%s-%016llx%016llx", digits, (unsigned long long)chance[0],
             (unsigned long long)chance[1]);
}

bool quarantine_id_is_valid(struct span id)
{
    if (id.len != QUARANTINE_ID)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool good = i == ID_DIGITS ? c == '-' : char_is_digit(c) || (i > ID_DIGITS && c >= 'a' && c <= 'f');
        if (!good)
            return false;
    }
    return true;
}

static int digits_at(const char *id, size_t at, size_t len)
{
    int value = 0;
    for (size_t i = at; i < at + len; i++)
        value = 10 * value + (id[i] - '0');
    return value;
}

uint64_t quarantine_id_time_ms(const char *id)
{
    struct tm t = {.tm_year = digits_at(id, 0, 4) - 1900,
                   .tm_mon = digits_at(id, 4, 2) - 1,
                   .tm_mday = digits_at(id, 6, 2),
                   .tm_hour = digits_at(id, 8, 2),
                   .tm_min = digits_at(id, 10, 2),
                   .tm_sec = digits_at(id, 12, 2)};
    time_t seconds = timegm(&t);
    return seconds < 0 ? 0 : (uint64_t)seconds * 1000;
}

/* --- writing --- */

/* "2026-11-22T02:30:15.123Z", for people; the number beside it is what counts. */
static enum err write_time(struct buf *out, const char *key, uint64_t ms)
{
    char d[ID_DIGITS + 1];
    utc_digits(ms, d);
    return buf_printf(out, "  \"%s\": \"%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%03uZ\",\n  \"%s_ms\": %llu,\n", key, d, d + 4,
                      d + 6, d + 8, d + 10, d + 12, (unsigned)(ms % 1000), key, (unsigned long long)ms);
}

static enum err write_string(struct buf *out, const char *text)
{
    struct span rest = span_cstr(text);
    enum err e = buf_append_char(out, '"');
    while (e == ERR_OK && rest.len > 0) {
        size_t plain = 0;
        while (plain < rest.len && char_is_print(rest.ptr[plain]) && rest.ptr[plain] != '"' && rest.ptr[plain] != '\\')
            plain++;
        e = plain ? buf_append(out, span_sub(rest, 0, plain)) : ERR_OK;
        rest = span_sub(rest, plain, rest.len);
        if (e != ERR_OK || rest.len == 0)
            continue;
        unsigned char c = (unsigned char)rest.ptr[0];
        e = c == '"' || c == '\\' ? buf_printf(out, "\\%c", c) : buf_printf(out, "\\u%04x", c);
        rest = span_sub(rest, 1, rest.len);
    }
    return e == ERR_OK ? buf_append_char(out, '"') : e;
}

static enum err write_member(struct buf *out, const char *key, const char *text)
{
    enum err e = buf_printf(out, "  \"%s\": ", key);
    if (e == ERR_OK)
        e = write_string(out, text);
    return e == ERR_OK ? buf_append(out, SPAN(",\n")) : e;
}

static enum err write_texts(struct buf *out, const struct quarantine_meta *m)
{
    enum err e = ERR_OK;
#define QUARANTINE_TEXT(field, key, meaning)                                                                           \
    if (e == ERR_OK)                                                                                                   \
        e = write_member(out, key, m->field);
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
    return e;
}

static enum err write_recipients(struct buf *out, const struct quarantine_meta *m)
{
    enum err e = buf_append(out, SPAN("  \"recipients\": ["));
    for (size_t i = 0; i < m->recipient_count && e == ERR_OK; i++) {
        e = i ? buf_append(out, SPAN(", ")) : ERR_OK;
        if (e == ERR_OK)
            e = write_string(out, m->recipients[i]);
    }
    return e == ERR_OK ? buf_append(out, SPAN("]\n}\n")) : e;
}

enum err quarantine_meta_write(struct buf *out, const struct quarantine_meta *m)
{
    char hex[2 * SHA256_SIZE + 1];
    sha256_hex(&m->digest, hex);
    enum err e = buf_append(out, SPAN("{\n"));
    if (e == ERR_OK)
        e = write_member(out, "id", m->id);
    if (e == ERR_OK)
        e = write_member(out, "status", quarantine_status_word(m->status));
    if (e == ERR_OK)
        e = write_time(out, "time", m->time_ms);
    if (e == ERR_OK && m->changed_ms)
        e = write_time(out, "changed", m->changed_ms);
    if (e == ERR_OK)
        e = write_member(out, "sha256", hex);
    if (e == ERR_OK)
        e = buf_printf(out, "  \"size\": %llu,\n  \"database\": %llu,\n", (unsigned long long)m->size,
                       (unsigned long long)m->database);
    if (e == ERR_OK)
        e = write_texts(out, m);
    return e == ERR_OK ? write_recipients(out, m) : e;
}

/* --- reading --- */

/* Longer than any text that is written. */
enum { TEXT_MAX = 65536, KEY_MAX = 40 };

enum { SEEN_ID = 1, SEEN_STATUS = 2, SEEN_TIME = 4, SEEN_DIGEST = 8, SEEN_SIZE = 16, SEEN_SENDER = 32, SEEN_ALL = 63 };

struct reader {
    struct cursor at;
    struct arena *arena;
    size_t keep;
    struct quarantine_meta *m;
    const char **recipients;
    size_t room;
    unsigned seen;
    enum err err; /* ERR_NOMEM */
};

static void skip_space(struct cursor *c)
{
    while (cursor_accept(c, ' ') || cursor_accept(c, '\n') || cursor_accept(c, '\r') || cursor_accept(c, '\t'))
        ;
}

static bool is_plain(char c)
{
    return char_is_print(c) && c != '"' && c != '\\';
}

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    return char_lower(c) >= 'a' && char_lower(c) <= 'f' ? char_lower(c) - 'a' + 10 : -1;
}

/* What follows a backslash. Only what write_string writes: other escapes are no octets of ours. */
static char read_escape(struct cursor *c)
{
    if (cursor_accept(c, '"'))
        return '"';
    if (cursor_accept(c, '\\'))
        return '\\';
    if (!cursor_accept(c, 'u')) {
        cursor_fail(c);
        return 0;
    }
    struct span digits = cursor_take(c, 4);
    int value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        int digit = hex_value(digits.ptr[i]);
        if (digit < 0)
            cursor_fail(c);
        value = value * 16 + (digit < 0 ? 0 : digit);
    }
    if (value < 1 || value > 0xff)
        cursor_fail(c);
    return (char)value;
}

/* A string into OUT (at most MAX octets and a NUL). */
static size_t read_string(struct cursor *c, char *out, size_t max)
{
    size_t len = 0;
    cursor_expect(c, '"');
    while (!cursor_at_end(c) && cursor_peek(c) != '"') {
        struct span run = cursor_while(c, is_plain);
        if (run.len > max - len) {
            cursor_fail(c);
            break;
        }
        if (run.len)
            memcpy(out + len, run.ptr, run.len);
        len += run.len;
        if (cursor_peek(c) == '"')
            break;
        cursor_expect(c, '\\');
        char decoded = read_escape(c);
        if (c->bad || len == max) {
            cursor_fail(c);
            break;
        }
        out[len++] = decoded;
    }
    cursor_expect(c, '"');
    out[c->bad ? 0 : len] = '\0';
    return c->bad ? 0 : len;
}

static const char *read_kept_string(struct reader *r)
{
    /* In the file a string is as long as it is here, or longer. */
    struct span rest = r->at.rest;
    size_t end = 1;
    while (end < rest.len && rest.ptr[end] != '"')
        end += rest.ptr[end] == '\\' ? 2 : 1;
    size_t room = end < TEXT_MAX ? end : TEXT_MAX;
    char *text = arena_alloc(r->arena, room + 1);
    if (!text) {
        r->err = ERR_NOMEM;
        cursor_fail(&r->at);
        return "";
    }
    (void)read_string(&r->at, text, room);
    return text;
}

static uint64_t read_number(struct cursor *c)
{
    uint64_t value = 0;
    if (num_parse_u64(cursor_while(c, char_is_digit), UINT64_MAX, &value) != ERR_OK)
        cursor_fail(c);
    return value;
}

static void read_status(struct reader *r)
{
    char word[KEY_MAX + 1];
    (void)read_string(&r->at, word, KEY_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(status_words); i++)
        if (strcmp(word, status_words[i]) == 0) {
            r->m->status = (enum quarantine_status)i;
            r->seen |= SEEN_STATUS;
            return;
        }
    cursor_fail(&r->at);
}

static void read_id(struct reader *r)
{
    char id[QUARANTINE_ID_SIZE];
    size_t len = read_string(&r->at, id, QUARANTINE_ID);
    if (!quarantine_id_is_valid(span_of(id, len)))
        cursor_fail(&r->at);
    memcpy(r->m->id, id, sizeof(id));
    r->seen |= SEEN_ID;
}

static void read_digest(struct reader *r)
{
    char hex[2 * SHA256_SIZE + 1];
    if (read_string(&r->at, hex, sizeof(hex) - 1) != sizeof(hex) - 1)
        cursor_fail(&r->at);
    for (size_t i = 0; i < SHA256_SIZE && !r->at.bad; i++) {
        int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            cursor_fail(&r->at);
        r->m->digest.bytes[i] = (uint8_t)(16 * (high < 0 ? 0 : high) + (low < 0 ? 0 : low));
    }
    r->seen |= SEEN_DIGEST;
}

static bool keep_recipient(struct reader *r, const char *path)
{
    if (r->m->recipient_count == r->room) {
        size_t room = r->room ? 2 * r->room : 4;
        const char **more = arena_alloc(r->arena, room * sizeof(*more));
        if (!more) {
            r->err = ERR_NOMEM;
            cursor_fail(&r->at);
            return false;
        }
        if (r->room)
            memcpy(more, r->recipients, r->room * sizeof(*more));
        r->recipients = more;
        r->room = room;
    }
    r->recipients[r->m->recipient_count] = path;
    return true;
}

static void read_recipients(struct reader *r)
{
    char dropped[TEXT_MAX + 1];
    r->m->recipient_count = 0;
    cursor_expect(&r->at, '[');
    skip_space(&r->at);
    while (!cursor_at_end(&r->at) && cursor_peek(&r->at) != ']') {
        if (r->m->recipient_count) {
            cursor_expect(&r->at, ',');
            skip_space(&r->at);
        }
        if (r->m->recipient_count >= r->keep)
            (void)read_string(&r->at, dropped, TEXT_MAX);
        else if (!keep_recipient(r, read_kept_string(r)))
            return;
        r->m->recipient_count++;
        skip_space(&r->at);
    }
    cursor_expect(&r->at, ']');
    r->m->recipients = r->recipients;
}

/* The field of the text KEY, or NULL. */
static const char **text_field(struct quarantine_meta *m, const char *key)
{
#define QUARANTINE_TEXT(field, name, meaning)                                                                          \
    if (strcmp(key, name) == 0)                                                                                        \
        return &m->field;
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
    return NULL;
}

/* The field of the number KEY, or NULL. */
static uint64_t *number_field(struct reader *r, const char *key)
{
    if (strcmp(key, "time_ms") == 0) {
        r->seen |= SEEN_TIME;
        return &r->m->time_ms;
    }
    if (strcmp(key, "size") == 0) {
        r->seen |= SEEN_SIZE;
        return &r->m->size;
    }
    if (strcmp(key, "changed_ms") == 0)
        return &r->m->changed_ms;
    return strcmp(key, "database") == 0 ? &r->m->database : NULL;
}

static void read_value(struct reader *r, const char *key)
{
    char unknown[TEXT_MAX + 1];
    const char **text = text_field(r->m, key);
    uint64_t *number = number_field(r, key);
    if (text)
        *text = read_kept_string(r);
    else if (number)
        *number = read_number(&r->at);
    else if (strcmp(key, "id") == 0)
        read_id(r);
    else if (strcmp(key, "status") == 0)
        read_status(r);
    else if (strcmp(key, "sha256") == 0)
        read_digest(r);
    else if (strcmp(key, "recipients") == 0)
        read_recipients(r);
    else if (char_is_digit(cursor_peek(&r->at))) /* for people, or of a later version */
        (void)read_number(&r->at);
    else
        (void)read_string(&r->at, unknown, TEXT_MAX);
}

static void read_members(struct reader *r)
{
    bool first = true;
    cursor_expect(&r->at, '{');
    skip_space(&r->at);
    while (!cursor_at_end(&r->at) && cursor_peek(&r->at) != '}') {
        char key[KEY_MAX + 1];
        if (!first) {
            cursor_expect(&r->at, ',');
            skip_space(&r->at);
        }
        first = false;
        (void)read_string(&r->at, key, KEY_MAX);
        skip_space(&r->at);
        cursor_expect(&r->at, ':');
        skip_space(&r->at);
        if (!r->at.bad)
            read_value(r, key);
        skip_space(&r->at);
    }
    cursor_expect(&r->at, '}');
    skip_space(&r->at);
}

void quarantine_meta_clear(struct quarantine_meta *m)
{
    *m = (struct quarantine_meta){0};
#define QUARANTINE_TEXT(field, key, meaning) m->field = "";
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
}

enum err quarantine_meta_read(struct arena *arena, struct span text, size_t keep, struct quarantine_meta *m,
                              struct errtext *why)
{
    struct reader r = {.at = cursor_of(text), .arena = arena, .keep = keep, .m = m};
    quarantine_meta_clear(m);
    read_members(&r);
    bool whole = !r.at.bad && r.at.rest.len == 0;
    if (whole && m->reverse_path[0])
        r.seen |= SEEN_SENDER;
    if (whole && r.seen == SEEN_ALL && m->recipient_count > 0)
        return ERR_OK;
    quarantine_meta_clear(m);
    if (r.err) {
        errtext_set(why, "%s", err_name(r.err));
        return r.err;
    }
    errtext_set(why, "the metadata is damaged: %s",
                whole ? "id, status, time, size, digest, sender or recipients are missing"
                      : "expected one JSON object as postern writes it");
    return ERR_SYNTAX;
}
