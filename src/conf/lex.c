/* SPDX-License-Identifier: MIT */
/* Text → tokens. Knows quotes, comments and which characters may stand in a bare word; knows nothing of scopes. */
#include "conf/tree.h"

void lexer_init(struct lexer *l, struct arena *arena, struct problems *problems, const struct tree_file *file,
                struct span text)
{
    *l = (struct lexer){.arena = arena, .problems = problems, .file = file, .text = text, .line = 1};
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) /* what some editors put in front of UTF-8 */
        l->at = l->line_start = 3;
}

static char lexer_char(const struct lexer *l, size_t offset)
{
    if (offset >= l->text.len - l->at)
        return '\0';
    return l->text.ptr[l->at + offset];
}

static bool lexer_at_end(const struct lexer *l)
{
    return l->at >= l->text.len;
}

static void lexer_step(struct lexer *l)
{
    if (l->text.ptr[l->at++] == '\n') {
        l->line++;
        l->line_start = l->at;
    }
}

static struct tree_pos lexer_pos(const struct lexer *l)
{
    return (struct tree_pos){l->file, l->line, (unsigned)(l->at - l->line_start) + 1};
}

static void lexer_comment(struct lexer *l)
{
    struct tree_pos open = lexer_pos(l);
    l->at += 2;
    while (!lexer_at_end(l)) {
        if (lexer_char(l, 0) == '*' && lexer_char(l, 1) == '/') {
            l->at += 2;
            return;
        }
        lexer_step(l);
    }
    l->broken = true;
    problem_at(l->problems, PROBLEM_ERROR, &open, "the comment that begins here is never closed: expected \"*/\"");
}

/* Characters that no token begins with or contains. */
static void lexer_stray(struct lexer *l)
{
    struct tree_pos pos = lexer_pos(l);
    char c = lexer_char(l, 0);
    if (c == ';')
        problem_at(l->problems, PROBLEM_ERROR, &pos, "\";\" is not part of the language: white space ends an option");
    else
        problem_at(l->problems, PROBLEM_ERROR, &pos, "unexpected control character 0x%02x", (unsigned)(unsigned char)c);
    while (!lexer_at_end(l) && lexer_char(l, 0) == c) /* one finding for a run of them */
        l->at++;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static void lexer_skip(struct lexer *l)
{
    while (!lexer_at_end(l)) {
        char c = lexer_char(l, 0);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            lexer_step(l);
        } else if (c == '#') {
            while (!lexer_at_end(l) && lexer_char(l, 0) != '\n')
                l->at++;
        } else if (c == '/' && lexer_char(l, 1) == '*') {
            lexer_comment(l);
        } else if (c == ';' || is_control(c)) {
            lexer_stray(l);
        } else {
            return;
        }
    }
}

static bool is_word(char c)
{
    return !is_control(c) && !strchr(" {}()[]=,;\"#", c);
}

static void lexer_keep(struct lexer *l, struct token *t, struct span text)
{
    t->word.text = arena_strdup(l->arena, text);
    if (!t->word.text)
        l->err = text.len + 1 > l->arena->max - l->arena->used ? ERR_FULL : ERR_NOMEM;
}

/* "/" and "*" inside a word may begin a comment or be part of a path: never guess, but go on with what is likely. */
static bool lexer_comment_in_word(struct lexer *l)
{
    struct tree_pos pos = lexer_pos(l);
    struct span rest = span_sub(l->text, l->at, l->text.len);
    problem_at(l->problems, PROBLEM_ERROR, &pos,
               "\"/*\" inside a word: put white space before a comment, or quotes around the word");
    return span_find_span(rest, SPAN("*/")) < span_find(rest, '\n');
}

static void lexer_bare(struct lexer *l, struct token *t)
{
    size_t start = l->at;
    for (; !lexer_at_end(l) && is_word(lexer_char(l, 0)); l->at++)
        if (lexer_char(l, 0) == '/' && lexer_char(l, 1) == '*' && lexer_comment_in_word(l))
            break;
    lexer_keep(l, t, span_of(l->text.ptr + start, l->at - start));
}

/* The text between quotes without its backslashes. A bare line end closes it with an error, so that a forgotten quote
 * does not swallow the lines after it. */
static void lexer_quoted(struct lexer *l, struct token *t)
{
    l->at++;
    size_t start = l->at, n = 0;
    while (!lexer_at_end(l) && lexer_char(l, 0) != '"' && lexer_char(l, 0) != '\n') {
        if (lexer_char(l, 0) == '\\' && l->text.len - l->at > 1)
            l->at++;
        lexer_step(l);
        n++;
    }
    char *text = arena_alloc(l->arena, n + 1);
    if (!text) {
        l->err = n + 1 > l->arena->max - l->arena->used ? ERR_FULL : ERR_NOMEM;
        return;
    }
    size_t used = 0;
    for (size_t i = start; i < l->at; i++) {
        if (l->text.ptr[i] == '\\' && i + 1 < l->at)
            i++;
        if (l->text.ptr[i] == '\0')
            problem_at(l->problems, PROBLEM_ERROR, &t->word.pos, "a NUL octet between quotes");
        else
            text[used++] = l->text.ptr[i];
    }
    t->word.text = text;
    t->word.quoted = true;
    if (!lexer_at_end(l) && lexer_char(l, 0) == '"')
        l->at++;
    else
        problem_at(l->problems, PROBLEM_ERROR, &t->word.pos, "the quote that opens here is not closed on its line");
}

struct token lexer_next(struct lexer *l)
{
    static const struct {
        char c;
        enum token_kind kind;
    } marks[] = {{'=', TOKEN_EQUALS},     {'{', TOKEN_OPEN},      {'}', TOKEN_CLOSE},      {'(', TOKEN_LIST_OPEN},
                 {')', TOKEN_LIST_CLOSE}, {'[', TOKEN_DICT_OPEN}, {']', TOKEN_DICT_CLOSE}, {',', TOKEN_COMMA}};
    if (l->ahead_count)
        return l->ahead[--l->ahead_count];
    lexer_skip(l);
    struct token t = {.kind = TOKEN_END, .word = {.pos = lexer_pos(l)}};
    if (lexer_at_end(l) || l->err != ERR_OK || l->problems->lost != ERR_OK) {
        l->at = l->text.len;
        return t;
    }
    char c = lexer_char(l, 0);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        if (marks[i].c == c) {
            l->at++;
            t.kind = marks[i].kind;
            return t;
        }
    }
    t.kind = TOKEN_WORD;
    if (c == '"')
        lexer_quoted(l, &t);
    else
        lexer_bare(l, &t);
    if (l->err != ERR_OK)
        t.kind = TOKEN_END;
    return t;
}

void lexer_give_back(struct lexer *l, struct token t)
{
    l->ahead[l->ahead_count++] = t;
}

const char *token_show(const struct token *t, char room[64])
{
    static const char *const names[] = {
        "the end of the file", "", "\"=\"", "\"{\"", "\"}\"", "\"(\"", "\")\"", "\"[\"", "\"]\"", "\",\""};
    char text[56];
    if (t->kind != TOKEN_WORD)
        return names[t->kind];
    text_show(t->word.text, text, sizeof(text));
    snprintf(room, 64, "\"%s\"", text);
    return room;
}
