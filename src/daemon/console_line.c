/* SPDX-License-Identifier: MIT */
/* Requests and heads of answers. */
#include "daemon/console_line.h"
#include "base/cursor.h"
#include "base/num.h"

/* A word and the place where it goes. */
struct word_writer {
    char *at;
    struct cursor in;
};

static bool is_blank(char c)
{
    return char_is_blank(c);
}

/* Inside quotes, the opening one is taken. */
static enum err take_quoted(struct word_writer *w, struct errtext *why)
{
    while (!cursor_accept(&w->in, '"')) {
        cursor_accept(&w->in, '\\');
        struct span one = cursor_take(&w->in, 1);
        if (w->in.bad) {
            errtext_set(why, "a quoted word has no end: expected \" before the end of the line");
            return ERR_SYNTAX;
        }
        *w->at++ = one.ptr[0];
    }
    return ERR_OK;
}

/* Up to the next blank; quotes may stand anywhere in it. */
static enum err take_word(struct word_writer *w, struct errtext *why)
{
    while (!cursor_at_end(&w->in) && !char_is_blank(cursor_peek(&w->in))) {
        if (!cursor_accept(&w->in, '"')) {
            *w->at++ = cursor_take(&w->in, 1).ptr[0];
            continue;
        }
        enum err e = take_quoted(w, why);
        if (e)
            return e;
    }
    *w->at++ = '\0';
    return ERR_OK;
}

static enum err check_octets(struct span line, struct errtext *why)
{
    if (line.len > CONSOLE_LINE_MAX) {
        errtext_set(why, "a request of %zu octets: at most %d are taken", line.len, CONSOLE_LINE_MAX);
        return ERR_FULL;
    }
    for (size_t i = 0; i < line.len; i++) {
        if (char_is_print(line.ptr[i]) || line.ptr[i] == '\t')
            continue;
        errtext_set(why, "octet %zu of the request is 0x%02x: expected printable ASCII", i + 1,
                    (unsigned)(unsigned char)line.ptr[i]);
        return ERR_SYNTAX;
    }
    return ERR_OK;
}

enum err console_line_parse(struct span line, struct console_words *out, struct errtext *why)
{
    /* A word is never longer than what it was written as, and its NUL stands where a blank or the end stood. */
    struct word_writer w = {.at = out->text, .in = cursor_of(line)};
    out->count = 0;
    out->json = false;
    enum err e = check_octets(line, why);
    while (!e) {
        cursor_while(&w.in, is_blank);
        if (cursor_at_end(&w.in))
            return ERR_OK;
        const char *word = w.at;
        bool plain = cursor_peek(&w.in) != '"';
        e = take_word(&w, why);
        if (e)
            break;
        if (plain && out->count == 0 && !out->json && strcmp(word, "json") == 0) {
            out->json = true;
        } else if (out->count == CONSOLE_WORDS_MAX) {
            errtext_set(why, "more than %d words in one request", CONSOLE_WORDS_MAX);
            e = ERR_FULL;
        } else {
            out->items[out->count++] = word;
        }
    }
    out->count = 0;
    return e;
}

static bool must_be_quoted(const char *word)
{
    if (word[0] == '\0')
        return true;
    return strpbrk(word, " \t\"") != NULL;
}

enum err console_line_add(char *line, size_t size, const char *word)
{
    size_t len = strlen(line), needed = (len > 0 ? 1 : 0) + strlen(word) + 1;
    bool quoted = must_be_quoted(word);
    for (const char *c = word; *c; c++) {
        if (!char_is_print(*c) && *c != '\t')
            return ERR_SYNTAX;
        needed += quoted && (*c == '"' || *c == '\\') ? 1 : 0;
    }
    if (len + needed + (quoted ? 2 : 0) > size)
        return ERR_FULL;
    char *at = line + len;
    if (len > 0)
        *at++ = ' ';
    if (quoted)
        *at++ = '"';
    for (const char *c = word; *c; c++) {
        if (quoted && (*c == '"' || *c == '\\'))
            *at++ = '\\';
        *at++ = *c;
    }
    if (quoted)
        *at++ = '"';
    *at = '\0';
    return ERR_OK;
}

size_t console_head_write(char head[CONSOLE_HEAD_SIZE], enum console_status status, size_t length)
{
    int n = snprintf(head, CONSOLE_HEAD_SIZE, "%d %zu\n", (int)status, length);
    return n > 0 && n < CONSOLE_HEAD_SIZE ? (size_t)n : 0;
}

enum err console_head_read(struct span bytes, size_t *head, enum console_status *status, size_t *length)
{
    size_t end = span_find(bytes, '\n');
    uint64_t value;
    if (end == bytes.len)
        return bytes.len >= CONSOLE_HEAD_SIZE ? ERR_SYNTAX : ERR_AGAIN;
    if (end < 3 || end >= CONSOLE_HEAD_SIZE || bytes.ptr[0] < '0' || bytes.ptr[0] > '2' || bytes.ptr[1] != ' ')
        return ERR_SYNTAX;
    struct span digits = span_sub(bytes, 2, end - 2);
    if (num_parse_u64(digits, CONSOLE_OUTPUT_MAX, &value) != ERR_OK || (digits.len > 1 && digits.ptr[0] == '0'))
        return ERR_SYNTAX;
    *head = end + 1;
    *status = (enum console_status)(bytes.ptr[0] - '0');
    *length = (size_t)value;
    return ERR_OK;
}
