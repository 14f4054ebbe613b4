/* SPDX-License-Identifier: MIT */
/* Values → text that loads again. What the files did not say is written as a comment, so that the text means exactly
 * what the files meant: a default that was written out would be inherited by inner scopes. */
#include "conf/tree.h"

static enum err dump_indent(struct buf *out, unsigned depth)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < depth && e == ERR_OK; i++)
        e = buf_append(out, SPAN("  "));
    return e;
}

/* A name that came from a file: bare where that reads as the same word. */
static enum err dump_word(struct buf *out, const char *text)
{
    bool include = name_same(text, "include") || name_same(text, "readonly_include");
    return value_word_is_plain(text) && !include ? buf_append(out, span_cstr(text)) : value_print_quoted(out, text);
}

/* `# name = value # default`; a value of several lines stays a comment to its end. */
static enum err dump_comment(struct buf *out, const struct directive *row, const union value_field *field,
                             unsigned depth)
{
    struct buf value;
    buf_init(&value, LIMIT_CONFIG_FILE);
    enum err e = value_print(&value, row, field);
    if (e == ERR_OK)
        e = buf_printf(out, "# %s = ", row->name);
    for (struct span rest = buf_span(&value); rest.len && e == ERR_OK;) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n'));
        rest = span_sub(rest, line.len + 1, rest.len);
        e = buf_append(out, line);
        if (rest.len && e == ERR_OK)
            e = buf_append_char(out, '\n');
        if (rest.len && e == ERR_OK)
            e = dump_indent(out, depth);
        if (rest.len && e == ERR_OK)
            e = buf_append(out, SPAN("# "));
    }
    buf_release(&value);
    return e == ERR_OK ? buf_append(out, SPAN(" # default\n")) : e;
}

static enum err dump_row(struct buf *out, const struct conf_scope *scope, const struct directive *row, unsigned depth)
{
    union value_field field;
    enum err e = dump_indent(out, depth);
    value_load(row, scope->values, &field);
    if (e != ERR_OK)
        return e;
    if (!scope->given[row - scope->class->rows])
        return value_is_set(row, &field) ? dump_comment(out, row, &field, depth)
                                         : buf_printf(out, "# %s is not set\n", row->name);
    e = buf_printf(out, "%s = ", row->name);
    if (e == ERR_OK)
        e = value_print(out, row, &field);
    return e == ERR_OK ? buf_append_char(out, '\n') : e;
}

static enum err dump_option(struct buf *out, const struct tree_option *option, unsigned depth)
{
    enum err e = dump_indent(out, depth);
    if (e == ERR_OK)
        e = dump_word(out, option->name);
    if (e == ERR_OK)
        e = buf_append(out, SPAN(" = "));
    if (e == ERR_OK)
        e = value_print_tree(out, &option->value);
    return e == ERR_OK ? buf_append_char(out, '\n') : e;
}

static enum err dump_close(struct buf *out, unsigned depth)
{
    enum err e = dump_indent(out, depth);
    return e == ERR_OK ? buf_append(out, SPAN("}\n")) : e;
}

/* Scopes of a class that is not built, as they were written. No deeper than the parser went. */
static enum err dump_tree(struct buf *out, const struct tree_scope *tree, unsigned depth)
{
    enum err e = dump_indent(out, depth);
    for (unsigned i = 0; i < tree->word_count && e == ERR_OK; i++) {
        e = dump_word(out, tree->words[i].text);
        if (e == ERR_OK)
            e = buf_append_char(out, ' ');
    }
    if (e == ERR_OK)
        e = buf_append(out, SPAN("{\n"));
    for (const struct tree_option *o = tree->options; o && e == ERR_OK; o = o->next)
        e = dump_option(out, o, depth + 1);
    for (const struct tree_scope *s = tree->scopes; s && e == ERR_OK; s = s->next)
        e = dump_tree(out, s, depth + 1);
    return e == ERR_OK ? dump_close(out, depth) : e;
}

static enum err dump_head(struct buf *out, const struct conf_scope *scope, unsigned depth)
{
    enum err e = dump_indent(out, depth);
    if (e == ERR_OK)
        e = buf_printf(out, "%s ", scope->class->name);
    if (e == ERR_OK && scope->name)
        e = value_print_quoted(out, scope->name);
    return e == ERR_OK ? buf_append(out, scope->name ? SPAN(" {\n") : SPAN("{\n")) : e;
}

/* A scope with what is in it; as deep as classes stand in each other. */
static enum err dump_scope(struct buf *out, const struct conf_scope *scope, unsigned depth)
{
    enum err e = dump_head(out, scope, depth);
    for (size_t i = 0; i < scope->class->row_count && e == ERR_OK; i++)
        e = dump_row(out, scope, &scope->class->rows[i], depth + 1);
    for (const struct tree_option *o = scope->node->extra; o && e == ERR_OK; o = o->next)
        e = dump_option(out, o, depth + 1);
    for (const struct tree_scope *s = scope->node->extra_scopes; s && e == ERR_OK; s = s->next)
        e = dump_tree(out, s, depth + 1);
    for (const struct conf_scope *child = scope->first_child; child && e == ERR_OK; child = child->next)
        e = dump_scope(out, child, depth + 1);
    return e == ERR_OK ? dump_close(out, depth) : e;
}

/* Whether an implicit class before SCOPE writes the option already: at top level they share one. */
static bool dump_written(const struct conf_scope *scope, const char *name)
{
    for (const struct conf_scope *s = scope->parent->first_child; s != scope; s = s->next) {
        const struct directive *row = s->class->naming == SCOPE_IMPLICIT ? class_row(s->class, name) : NULL;
        if (row && s->given[row - s->class->rows])
            return true;
    }
    return false;
}

static enum err dump_implicit(struct buf *out, const struct conf_scope *scope)
{
    enum err e = scope->class->row_count ? buf_printf(out, "\n# %s\n", scope->class->name) : ERR_OK;
    for (size_t i = 0; i < scope->class->row_count && e == ERR_OK; i++)
        if (!scope->given[i] || !dump_written(scope, scope->class->rows[i].name))
            e = dump_row(out, scope, &scope->class->rows[i], 0);
    return e;
}

enum err conf_dump(const struct conf *conf, const struct conf_classes *classes, struct buf *out)
{
    (void)classes; /* the scopes know theirs */
    enum err e =
        buf_append(out, SPAN("# The configuration in effect. What the files did not set stands in comments.\n"));
    for (const struct conf_scope *s = conf->global->first_child; s && e == ERR_OK; s = s->next)
        if (s->class->naming == SCOPE_IMPLICIT)
            e = dump_implicit(out, s);
    for (const struct conf_scope *s = conf->global->first_child; s && e == ERR_OK; s = s->next) {
        if (s->class->naming == SCOPE_IMPLICIT)
            continue;
        e = buf_append_char(out, '\n');
        if (e == ERR_OK)
            e = dump_scope(out, s, 0);
    }
    return e;
}
