/* SPDX-License-Identifier: MIT */
/* What commands write: text, or JSON whose commas, escapes and brackets are set right here. An answer that would not
 * fit is remembered as such and judged once, when the call finishes. */
#include "daemon/console_internal.h"

static void note(struct console_call *c, enum err e)
{
    c->overflow = c->overflow || e != ERR_OK;
    c->starved = c->starved || e == ERR_NOMEM;
}

static void put(struct console_call *c, struct span bytes)
{
    note(c, buf_append(&c->out, bytes));
}

static void putf(struct console_call *c, const char *format, ...) printf_like(2, 3);
static void putf(struct console_call *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(c, buf_vprintf(&c->out, format, args));
    va_end(args);
}

/* Nobody reads it any more, or it is not to be in this form. */
static bool is_silent(const struct console_call *c, bool json)
{
    return c->failed || c->abandoned || c->overflow || c->json != json;
}

void console_text(struct console_call *c, const char *format, ...)
{
    va_list args;
    if (is_silent(c, false))
        return;
    va_start(args, format);
    note(c, buf_vprintf(&c->out, format, args));
    va_end(args);
}

void console_text_span(struct console_call *c, struct span bytes)
{
    if (is_silent(c, false))
        return;
    for (size_t i = 0; i < bytes.len && !c->overflow; i++)
        put(c, char_is_print(bytes.ptr[i]) ? span_sub(bytes, i, 1) : SPAN("?"));
}

static void put_json_string(struct console_call *c, struct span value)
{
    put(c, SPAN("\""));
    for (size_t i = 0; i < value.len && !c->overflow; i++) {
        char ch = value.ptr[i];
        if (ch == '"' || ch == '\\')
            putf(c, "\\%c", ch);
        else if (char_is_print(ch))
            put(c, span_of(&ch, 1));
        else
            putf(c, "\\u%04x", (unsigned)(unsigned char)ch);
    }
    put(c, SPAN("\""));
}

/* The comma and the key before a value. False: nothing is to be written. */
static bool begin_value(struct console_call *c, const char *key)
{
    if (is_silent(c, true))
        return false;
    if (c->comma[c->depth])
        put(c, SPAN(","));
    c->comma[c->depth] = true;
    if (key) {
        put_json_string(c, span_cstr(key));
        put(c, SPAN(":"));
    }
    return true;
}

void console_json_open(struct console_call *c, const char *key, char bracket)
{
    if (c->depth == CONSOLE_JSON_DEPTH) /* a command's own fault, found by its first test */
        abort();
    if (!begin_value(c, key))
        return;
    put(c, span_of(&bracket, 1));
    c->brackets[c->depth++] = bracket == '{' ? '}' : ']';
    c->comma[c->depth] = false;
}

void console_json_close(struct console_call *c)
{
    if (is_silent(c, true) || c->depth == 0)
        return;
    put(c, span_of(&c->brackets[--c->depth], 1));
}

void console_json_span(struct console_call *c, const char *key, struct span value)
{
    if (begin_value(c, key))
        put_json_string(c, value);
}

void console_json_str(struct console_call *c, const char *key, const char *value)
{
    if (value)
        console_json_span(c, key, span_cstr(value));
    else if (begin_value(c, key))
        put(c, SPAN("null"));
}

void console_json_u64(struct console_call *c, const char *key, uint64_t value)
{
    if (begin_value(c, key))
        putf(c, "%llu", (unsigned long long)value);
}

void console_json_bool(struct console_call *c, const char *key, bool value)
{
    if (begin_value(c, key))
        put(c, value ? SPAN("true") : SPAN("false"));
}

void console_json_ms(struct console_call *c, const char *key, uint64_t microseconds)
{
    if (begin_value(c, key))
        putf(c, "%llu.%03u", (unsigned long long)(microseconds / 1000), (unsigned)(microseconds % 1000));
}

void console_json_ratio(struct console_call *c, const char *key, uint64_t whole, uint64_t parts)
{
    if (!begin_value(c, key))
        return;
    if (parts == 0)
        put(c, SPAN("null"));
    else
        putf(c, "%.3f", (double)whole / (double)parts);
}

static void set_failure(struct console_call *c, enum console_status status, const char *format, va_list args)
    printf_like(3, 0);
static void set_failure(struct console_call *c, enum console_status status, const char *format, va_list args)
{
    struct errtext why = {""};
    errtext_setv(&why, format, args);
    buf_clear(&c->out);
    c->overflow = false;
    c->depth = 0;
    c->comma[0] = false;
    if (!c->json) {
        console_text_span(c, span_cstr(why.text));
        console_text(c, "\n");
    } else {
        console_json_open(c, NULL, '{');
        console_json_str(c, "error", why.text);
        console_json_close(c);
    }
    c->status = status;
    c->failed = true;
}

void console_fail(struct console_call *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!c->failed)
        set_failure(c, CONSOLE_FAILED, format, args);
    va_end(args);
}

void console_refuse(struct console_call *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!c->failed)
        set_failure(c, CONSOLE_REFUSED, format, args);
    va_end(args);
}

void console_output_end(struct console_call *c)
{
    while (c->json && c->depth > 0 && !c->overflow && !c->failed)
        console_json_close(c);
    if (c->starved && !c->abandoned)
        console_fail(c, "no memory for the answer");
    else if (c->overflow && !c->abandoned)
        console_fail(c, "the answer is longer than %d octets: ask for less", CONSOLE_OUTPUT_MAX);
    if (c->json && buf_len(&c->out) > 0 && !c->overflow)
        put(c, SPAN("\n"));
}
