/* SPDX-License-Identifier: MIT */
/* The grammar: a first line of words, then lines "key text", then "end". */
#include "scan/engine/scanner_protocol.h"
#include "base/num.h"
#include "scan/verdict.h"

static const char *const status_words[] = {"clean", "infected", "unscannable", "error"};

/* Takes a line without its LF. False: none is left, or it holds what no line may. */
static bool take_line(struct span *rest, struct span *line)
{
    size_t at = span_find(*rest, '\n');
    if (at == rest->len)
        return false;
    *line = span_sub(*rest, 0, at);
    *rest = span_sub(*rest, at + 1, rest->len);
    for (size_t i = 0; i < line->len; i++)
        if (!char_is_print(line->ptr[i]))
            return false;
    return true;
}

/* Takes the word before the next blank, and the blank. */
static struct span take_word(struct span *rest)
{
    size_t at = span_find(*rest, ' ');
    struct span word = span_sub(*rest, 0, at);
    *rest = span_sub(*rest, at + 1, rest->len);
    return word;
}

static bool take_number(struct span *rest, uint64_t max, uint64_t *out)
{
    return num_parse_u64(take_word(rest), max, out) == ERR_OK;
}

/* The lines after the first: KEY is called for each until "end", behind which nothing may stand. */
static enum err read_lines(struct span rest, bool (*key)(void *arg, struct span key, struct span text), void *arg)
{
    struct span line;
    while (take_line(&rest, &line)) {
        if (span_eq(line, SPAN("end")))
            return rest.len == 0 ? ERR_OK : ERR_SYNTAX;
        struct span word = take_word(&line);
        if (line.len == 0 || !key(arg, word, line))
            return ERR_SYNTAX;
    }
    return ERR_SYNTAX;
}

/* False: it was said before. */
static bool take_once(char *out, size_t size, struct span text)
{
    if (out[0])
        return false;
    verdict_copy_text(out, size, text);
    return true;
}

static bool ready_key(void *arg, struct span key, struct span text)
{
    struct scanner_ready *r = arg;
    if (span_eq(key, SPAN("version")))
        return take_once(r->text, sizeof(r->text), text);
    if (span_eq(key, SPAN("missing")))
        return take_once(r->missing, sizeof(r->missing), text);
    if (span_eq(key, SPAN("definitions")))
        return num_parse_u64(text, UINT64_MAX, &r->definitions) == ERR_OK;
    return span_eq(key, SPAN("signatures")) && num_parse_u64(text, UINT64_MAX, &r->signatures) == ERR_OK;
}

enum err scanner_ready_read(struct span bytes, struct scanner_ready *out)
{
    struct span line;
    *out = (struct scanner_ready){0};
    if (bytes.len > SCANNER_MESSAGE_MAX || !take_line(&bytes, &line))
        return ERR_SYNTAX;
    if (span_starts(line, SPAN("REFUSED "))) {
        out->refused = true;
        verdict_copy_text(out->text, sizeof(out->text), span_sub(line, 8, line.len));
        return span_eq(bytes, SPAN("end\n")) ? ERR_OK : ERR_SYNTAX;
    }
    return span_eq(line, SPAN("READY 1")) ? read_lines(bytes, ready_key, out) : ERR_SYNTAX;
}

enum err scanner_request_read(struct span bytes, bool ask, struct scanner_request *out)
{
    struct span line;
    *out = (struct scanner_request){0};
    if (bytes.len > SCANNER_MESSAGE_MAX || !take_line(&bytes, &line) || !span_eq(bytes, SPAN("end\n")) ||
        !span_eq(take_word(&line), ask ? SPAN("ASK") : SPAN("SCAN")))
        return ERR_SYNTAX;
    if (ask && !take_number(&line, LIMIT_ENGINES - 1, &out->engine))
        return ERR_SYNTAX;
    bool good = take_number(&line, UINT64_MAX, &out->id) && take_number(&line, INT64_MAX, &out->size) &&
                take_number(&line, SCANNER_TIME_MAX_MS, &out->time_ms);
    return good && line.len == 0 ? ERR_OK : ERR_SYNTAX;
}

void scanner_result_add(struct scanner_result *r, const char *code)
{
    if (r->code_count < SCANNER_CODES)
        verdict_copy_text(r->codes[r->code_count++], SCANNER_CODE_SIZE, span_cstr(code));
}

static bool result_key(void *arg, struct span key, struct span text)
{
    struct scanner_result *r = arg;
    if (span_eq(key, SPAN("virus")))
        return take_once(r->virus, sizeof(r->virus), text);
    if (span_eq(key, SPAN("info")))
        return take_once(r->info, sizeof(r->info), text);
    if (!span_eq(key, SPAN("code")) || text.len >= SCANNER_CODE_SIZE || r->code_count == SCANNER_CODES)
        return false;
    verdict_copy_text(r->codes[r->code_count++], SCANNER_CODE_SIZE, text);
    return true;
}

enum err scanner_result_read(struct span bytes, struct scanner_result *out)
{
    struct span line;
    *out = (struct scanner_result){0};
    if (bytes.len > SCANNER_MESSAGE_MAX || !take_line(&bytes, &line) || !span_eq(take_word(&line), SPAN("RESULT")) ||
        !take_number(&line, UINT64_MAX, &out->id))
        return ERR_SYNTAX;
    for (size_t i = 0; i < ARRAY_SIZE(status_words); i++)
        if (span_eq(line, span_cstr(status_words[i]))) {
            out->status = (enum scanner_status)i;
            return read_lines(bytes, result_key, out);
        }
    return ERR_SYNTAX;
}

/* KEY and TEXT as one line; nothing where there is no text. */
static enum err write_line(struct buf *out, const char *key, const char *text, size_t size)
{
    char plain[LIMIT_VERDICT_TEXT + 1];
    if (!text[0])
        return ERR_OK;
    verdict_copy_text(plain, sizeof(plain) < size ? sizeof(plain) : size, span_cstr(text));
    return buf_printf(out, "%s %s\n", key, plain);
}

static enum err write_number(struct buf *out, const char *key, uint64_t number)
{
    return number == 0 ? ERR_OK : buf_printf(out, "%s %llu\n", key, (unsigned long long)number);
}

enum err scanner_ready_write(const struct scanner_ready *r, struct buf *out)
{
    enum err e = ERR_OK;
    buf_clear(out);
    if (r->refused) {
        e = write_line(out, "REFUSED", r->text[0] ? r->text : "for no reason", sizeof(r->text));
        return e == ERR_OK ? buf_append(out, SPAN("end\n")) : e;
    }
    e = buf_append(out, SPAN("READY 1\n"));
    if (e == ERR_OK)
        e = write_line(out, "version", r->text, sizeof(r->text));
    if (e == ERR_OK)
        e = write_number(out, "definitions", r->definitions);
    if (e == ERR_OK)
        e = write_number(out, "signatures", r->signatures);
    if (e == ERR_OK)
        e = write_line(out, "missing", r->missing, sizeof(r->missing));
    return e == ERR_OK ? buf_append(out, SPAN("end\n")) : e;
}

enum err scanner_request_write(const struct scanner_request *r, bool ask, struct buf *out)
{
    enum err e = ERR_OK;
    buf_clear(out);
    if (ask)
        e = buf_printf(out, "ASK %llu", (unsigned long long)r->engine);
    else
        e = buf_append(out, SPAN("SCAN"));
    uint64_t time_ms = r->time_ms < SCANNER_TIME_MAX_MS ? r->time_ms : SCANNER_TIME_MAX_MS;
    return e != ERR_OK ? e
                       : buf_printf(out, " %llu %llu %llu\nend\n", (unsigned long long)r->id,
                                    (unsigned long long)r->size, (unsigned long long)time_ms);
}

enum err scanner_result_write(const struct scanner_result *r, struct buf *out)
{
    buf_clear(out);
    enum err e = buf_printf(out, "RESULT %llu %s\n", (unsigned long long)r->id, status_words[r->status]);
    for (size_t i = 0; e == ERR_OK && i < r->code_count; i++)
        e = write_line(out, "code", r->codes[i], SCANNER_CODE_SIZE);
    if (e == ERR_OK)
        e = write_line(out, "virus", r->virus, sizeof(r->virus));
    if (e == ERR_OK)
        e = write_line(out, "info", r->info, sizeof(r->info));
    return e == ERR_OK ? buf_append(out, SPAN("end\n")) : e;
}
