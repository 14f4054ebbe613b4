/* SPDX-License-Identifier: MIT */
/* Classes → text for people: the option reference in Markdown and an example file. Both come out of the tables alone,
 * so that they cannot say other than the program does. */
#include "conf/tree.h"

/* Output whose first error sticks. */
struct page {
    struct buf *out;
    enum err err;
};

static void page_print(struct page *p, const char *format, ...) printf_like(2, 3);
static void page_print(struct page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (p->err == ERR_OK)
        p->err = buf_vprintf(p->out, format, args);
    va_end(args);
}

/* The text of a table's cell: no bar ends it early. */
static void page_cell(struct page *p, const char *text)
{
    for (; text && *text && p->err == ERR_OK; text++) {
        if (*text == '|')
            p->err = buf_append_char(p->out, '\\');
        if (p->err == ERR_OK)
            p->err = *text == '\n' ? buf_append_char(p->out, ' ') : buf_append_char(p->out, *text);
    }
}

static const char *const type_names[] = {
    [DIRECTIVE_BOOL] = "on or off", [DIRECTIVE_INT] = "number",      [DIRECTIVE_SIZE] = "size",
    [DIRECTIVE_DURATION] = "time",  [DIRECTIVE_STRING] = "text",     [DIRECTIVE_ENUM] = "one word",
    [DIRECTIVE_LIST] = "list",      [DIRECTIVE_DICT] = "dictionary",
};

/* The value of the default as a file would say it, in OUT; empty when there is none. */
static enum err default_print(const struct directive *row, struct buf *out)
{
    struct arena arena;
    union value_field field = {.number = 0};
    struct errtext why;
    if (!row->default_text)
        return ERR_OK;
    arena_init(&arena, LIMIT_CONFIG_FILE);
    enum err e = value_default(&arena, row, &field, &why);
    if (e == ERR_OK)
        e = value_print(out, row, &field);
    arena_release(&arena);
    return e;
}

static void page_default(struct page *p, const struct directive *row, bool cell)
{
    struct buf text;
    buf_init(&text, LIMIT_CONFIG_FILE);
    if (p->err == ERR_OK)
        p->err = default_print(row, &text);
    if (p->err == ERR_OK)
        p->err = buf_append_char(&text, '\0');
    if (p->err == ERR_OK && cell && buf_len(&text) > 1) {
        page_print(p, "`");
        page_cell(p, buf_span(&text).ptr);
        page_print(p, "`");
    } else if (p->err == ERR_OK) {
        page_print(p, "%s", buf_span(&text).ptr);
    }
    buf_release(&text);
}

static void page_range(struct page *p, const struct directive *row)
{
    bool number = row->type == DIRECTIVE_INT || row->type == DIRECTIVE_SIZE || row->type == DIRECTIVE_DURATION;
    if (row->type == DIRECTIVE_ENUM) {
        for (size_t i = 0; row->words[i]; i++) {
            page_print(p, "%s", i ? ", " : "");
            page_cell(p, row->words[i]);
        }
    } else if (row->type == DIRECTIVE_STRING && (row->min || row->max)) {
        page_print(p, "%lld to %lld characters", (long long)row->min, (long long)row->max);
    } else if (number) {
        if (p->err == ERR_OK)
            p->err = value_print_number(p->out, row->type, row->min);
        page_print(p, row->max == INT64_MAX ? " or more" : " to ");
        if (p->err == ERR_OK && row->max != INT64_MAX)
            p->err = value_print_number(p->out, row->type, row->max);
    }
}

static void page_row(struct page *p, const struct directive *row)
{
    const char *unit = row->unit                         ? row->unit
                       : row->type == DIRECTIVE_SIZE     ? "octets"
                       : row->type == DIRECTIVE_DURATION ? "seconds"
                                                         : "";
    page_print(p, "| `%s` | %s | ", row->name, type_names[row->type]);
    page_default(p, row, true);
    page_print(p, "%s | ", row->required ? "required" : "");
    page_range(p, row);
    page_print(p, " | ");
    page_cell(p, unit);
    page_print(p, " | %s", row->deprecated ? "Deprecated: " : "");
    page_cell(p, row->description);
    page_print(p, " |\n");
}

static void page_where(struct page *p, const struct scope_class *c)
{
    if (c->naming == SCOPE_IMPLICIT) {
        page_print(p, "Written at top level.\n\n");
        return;
    }
    page_print(p, "Written as `%s%s { }`", c->name,
               c->naming == SCOPE_NAMED      ? " \"name\""
               : c->naming == SCOPE_OPTIONAL ? " [\"name\"]"
                                             : "");
    if (c->parent)
        page_print(p, " in `%s { }`", c->parent->name);
    if (c->module)
        page_print(p, ", or as `Validate %s name { }` at top level", c->module);
    page_print(p, "%s.%s\n\n", c->single ? ", at most once" : "", c->not_built ? " Not built in this version." : "");
}

static void page_class(struct page *p, const struct scope_class *c)
{
    page_print(p, "\n## %s\n\n", c->name);
    if (c->description)
        page_print(p, "%s\n\n", c->description);
    page_where(p, c);
    if (c->row_count)
        page_print(p, "| Option | Type | Default | Range | Unit | Meaning |\n"
                      "| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < c->row_count; i++)
        page_row(p, &c->rows[i]);
}

enum err conf_dump_reference(const struct conf_classes *classes, struct buf *out)
{
    struct page p = {.out = out};
    page_print(&p, "# Options\n\n"
                   "Generated by `postern --dump-reference`. An option may also be written in any scope around the one "
                   "that is named here, up\n"
                   "to top level, and then holds for all scopes inside; the nearest one counts. A time without a unit "
                   "is in seconds (`ms`,\n"
                   "`s`, `m`, `h` and `d` may follow), a size is in octets (`K`, `M` and `G` may follow). A changed\n"
                   "configuration takes effect at the next start.\n");
    for (size_t i = 0; i < classes->count; i++)
        page_class(&p, classes->items[i]);
    return p.err;
}

static void page_indent(struct page *p, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        page_print(p, "  ");
}

/* `# what it means` above `#name = default`; an option without a default shows the shape of its value. */
static void page_example_row(struct page *p, const struct directive *row, unsigned depth)
{
    static const char *const shapes[] = {
        [DIRECTIVE_BOOL] = "off",    [DIRECTIVE_INT] = "",  [DIRECTIVE_SIZE] = "",    [DIRECTIVE_DURATION] = "",
        [DIRECTIVE_STRING] = "\"\"", [DIRECTIVE_ENUM] = "", [DIRECTIVE_LIST] = "( )", [DIRECTIVE_DICT] = "[ ]",
    };
    page_indent(p, depth);
    page_print(p, "# %s%s\n", row->description ? row->description : row->name,
               row->default_text ? ""
               : row->required   ? " (required)"
                                 : " (not set by default)");
    page_indent(p, depth);
    page_print(p, "#%s = ", row->name);
    if (row->default_text) {
        page_default(p, row, false);
    } else if (row->type == DIRECTIVE_ENUM) {
        page_print(p, "%s", row->words[0]);
    } else if (shapes[row->type][0]) {
        page_print(p, "%s", shapes[row->type]);
    } else if (p->err == ERR_OK) {
        p->err = value_print_number(p->out, row->type, row->min);
    }
    page_print(p, "\n");
}

/* A class and those that stand in it; recursion is as deep as the tables. */
static void page_example(struct page *p, const struct conf_classes *classes, const struct scope_class *c,
                         unsigned depth)
{
    bool braces = c->naming != SCOPE_IMPLICIT;
    if (c->not_built)
        return;
    page_print(p, "\n");
    page_indent(p, depth);
    page_print(p, "# %s: %s\n", c->name, c->description ? c->description : "");
    if (braces) {
        page_indent(p, depth);
        page_print(p, "#%s%s {\n", c->name, c->naming == SCOPE_NAMED ? " \"name\"" : "");
    }
    for (size_t i = 0; i < c->row_count; i++)
        page_example_row(p, &c->rows[i], depth + braces);
    for (size_t i = 0; i < classes->count; i++)
        if (classes->items[i]->parent == c)
            page_example(p, classes, classes->items[i], depth + 1);
    if (braces) {
        page_indent(p, depth);
        page_print(p, "#}\n");
    }
}

enum err conf_dump_example(const struct conf_classes *classes, struct buf *out)
{
    struct page p = {.out = out};
    page_print(&p, "# Every option with its default. Remove the # in front of what you want to set, and of the braces "
                   "around it.\n");
    for (size_t i = 0; i < classes->count; i++)
        if (!classes->items[i]->parent)
            page_example(&p, classes, classes->items[i], 0);
    return p.err;
}
