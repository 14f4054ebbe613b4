/* SPDX-License-Identifier: MIT */
/* Findings: texts with their place, kept until the caller has shown them. A finding that cannot be kept is still
 * counted. */
#include "conf/tree.h"

enum { PROBLEM_SIZE = 1024 };

void problems_init(struct problems *p)
{
    *p = (struct problems){.lost = ERR_OK};
    arena_init(&p->arena, LIMIT_CONFIG_FINDINGS);
    p->last = &p->first;
}

void problems_release(struct problems *p)
{
    arena_release(&p->arena);
    p->first = NULL;
    p->last = &p->first;
}

void text_show(const char *text, char *room, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (size - n < 8) { /* an escape, the mark and NUL */
            memcpy(room + n, "...", 3);
            n += 3;
            break;
        }
        if (char_is_print((char)c)) {
            room[n++] = (char)c;
        } else {
            room[n++] = '\\';
            room[n++] = 'x';
            room[n++] = hex[c >> 4];
            room[n++] = hex[c & 15];
        }
    }
    room[n] = '\0';
}

/* Paths and texts of the system come as they are: what could break out of its line is escaped, other scripts are left
 * readable. */
static void problem_escape(const char *text, char *room, size_t size)
{
    size_t n = 0;
    for (; *text && size - n > 4; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f)
            room[n++] = (char)c;
        else
            n += (size_t)snprintf(room + n, 5, "\\x%02x", (unsigned)c);
    }
    room[n] = '\0';
}

static void problem_keep(struct problems *p, enum problem_severity severity, const struct tree_pos *pos,
                         const char *unsafe)
{
    char text[PROBLEM_SIZE];
    problem_escape(unsafe, text, sizeof(text));
    *(severity == PROBLEM_ERROR ? &p->errors : &p->warnings) += 1;
    size_t size = sizeof(struct problem) + strlen(text) + 1;
    bool full = size > p->arena.max - p->arena.used;
    struct problem *problem = full ? NULL : ARENA_NEW(&p->arena, struct problem);
    char *copy = problem ? arena_strdup(&p->arena, span_cstr(text)) : NULL;
    if (!copy) {
        p->lost = full ? ERR_FULL : ERR_NOMEM;
        return;
    }
    *problem = (struct problem){.severity = severity, .text = copy};
    if (pos && pos->file) {
        problem->rank = pos->file->rank;
        problem->line = pos->line;
        problem->column = pos->column;
    }
    *p->last = problem;
    p->last = &problem->next;
}

void problem_atv(struct problems *p, enum problem_severity severity, const struct tree_pos *pos, const char *format,
                 va_list args)
{
    char text[PROBLEM_SIZE];
    int n = 0;
    if (pos && pos->file && pos->line)
        n = snprintf(text, sizeof(text) / 2, "%s:%u:%u: ", pos->file->name, pos->line, pos->column);
    else if (pos && pos->file)
        n = snprintf(text, sizeof(text) / 2, "%s: ", pos->file->name);
    if (n < 0 || (size_t)n >= sizeof(text) / 2)
        n = n < 0 ? 0 : (int)sizeof(text) / 2 - 1;
    vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    problem_keep(p, severity, pos, text);
}

void problem_at(struct problems *p, enum problem_severity severity, const struct tree_pos *pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_atv(p, severity, pos, format, args);
    va_end(args);
}

/* `Class.option = value`, and where it was written. */
static struct tree_pos problem_option(const struct conf_scope *at, const char *option, char *subject, size_t size)
{
    const struct scope_node *node = at->node;
    const struct scope_class *class = at->class;
    const struct directive *row = class ? class_row(class, option) : NULL;
    const struct tree_option *written = row && node->options ? node->options[row - class->rows] : NULL;
    bool prefixed = class && class->naming != SCOPE_IMPLICIT;
    char value[128] = "", shown[112];
    if (written) {
        value_show(&written->value, value);
    } else if (row && row->default_text) {
        text_show(row->default_text, shown, sizeof(shown));
        snprintf(value, sizeof(value), "%s (default)", shown);
    }
    snprintf(subject, size, "%s%s%s%s%s", prefixed ? class->name : "", prefixed ? "." : "", option,
             value[0] ? " = " : "", value);
    return written ? written->pos : node->pos;
}

static void problem_scope(const struct conf_scope *at, char *subject, size_t size)
{
    char shown[128] = "";
    if (at->name)
        text_show(at->name, shown, sizeof(shown));
    if (at->class && at->class->naming != SCOPE_IMPLICIT)
        snprintf(subject, size, at->name ? "%s \"%s\"" : "%s", at->class->name, shown);
}

static void problem_about(struct problems *p, enum problem_severity severity, const struct conf_scope *at,
                          const char *option, const char *format, va_list args) printf_like(5, 0);
static void problem_about(struct problems *p, enum problem_severity severity, const struct conf_scope *at,
                          const char *option, const char *format, va_list args)
{
    struct tree_file by_hand = {.name = at && at->file ? at->file : ""};
    struct tree_pos pos = {at && at->file ? &by_hand : NULL, at ? at->line : 0, at ? at->column : 0};
    char subject[320] = "", what[ERRTEXT_SIZE];
    if (at && option && at->node)
        pos = problem_option(at, option, subject, sizeof(subject));
    else if (at && option)
        snprintf(subject, sizeof(subject), "%s.%s", at->class ? at->class->name : "", option);
    else if (at)
        problem_scope(at, subject, sizeof(subject));
    if (at && at->node && !option)
        pos = at->node->pos;
    vsnprintf(what, sizeof(what), format, args);
    problem_at(p, severity, &pos, "%s%s%s", subject, subject[0] ? ": " : "", what);
}

void problem_error(struct problems *p, const struct conf_scope *at, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_about(p, PROBLEM_ERROR, at, option, format, args);
    va_end(args);
}

void problem_warning(struct problems *p, const struct conf_scope *at, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_about(p, PROBLEM_WARNING, at, option, format, args);
    va_end(args);
}

static bool problem_after(const struct problem *a, const struct problem *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

static struct problem *problems_merge(struct problem *a, struct problem *b)
{
    struct problem *first = NULL, **last = &first;
    while (a && b) {
        struct problem **from = problem_after(a, b) ? &b : &a;
        *last = *from;
        last = &(*from)->next;
        *from = *last;
    }
    *last = a ? a : b;
    return first;
}

/* Merge sort in runs that double: no memory, no recursion, and findings at one place keep their order. */
void problems_sort(struct problems *p)
{
    struct problem *bins[32] = {NULL}, *sorted = NULL;
    for (struct problem *next, *one = p->first; one; one = next) {
        next = one->next;
        one->next = NULL;
        size_t i = 0;
        for (; i + 1 < ARRAY_SIZE(bins) && bins[i]; i++) {
            one = problems_merge(bins[i], one);
            bins[i] = NULL;
        }
        bins[i] = problems_merge(bins[i], one);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bins); i++)
        sorted = problems_merge(bins[i], sorted);
    p->first = sorted;
    p->last = &p->first;
    while (*p->last)
        p->last = &(*p->last)->next;
}
