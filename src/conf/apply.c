/* SPDX-License-Identifier: MIT */
/* Options → values. Every option must have a row somewhere in its scope; every row of every scope gets the value that
 * is written nearest to it, from its own scope outward, or its default. */
#include "conf/tree.h"

struct apply {
    struct arena *arena;
    const struct conf_classes *classes;
    struct problems *problems;
    bool incomplete; /* something may be missing only because of a syntax error */
    enum err err;
};

static void *apply_new(struct apply *a, size_t size)
{
    void *new = arena_alloc(a->arena, size);
    if (!new && a->err == ERR_OK)
        a->err = size > a->arena->max - a->arena->used ? ERR_FULL : ERR_NOMEM;
    return new;
}

static bool apply_stopped(const struct apply *a)
{
    return a->err != ERR_OK || a->problems->lost != ERR_OK;
}

/* The next node in the order of the files, children after their parent; NULL after the last. */
static struct scope_node *node_after(struct scope_node *n)
{
    if (n->first_child)
        return n->first_child;
    while (n && !n->next)
        n = n->parent;
    return n ? n->next : NULL;
}

static const char *node_name(const struct scope_node *n)
{
    return n->scope.class ? n->scope.class->name : "the global scope";
}

/* A class that takes options of somebody else's in a dictionary `options`: where they are often written beside it. */
static const char *hint_of(const struct scope_class *c)
{
    for (size_t i = 0; c && i < c->row_count; i++)
        if (c->rows[i].type == DIRECTIVE_DICT && strcmp(c->rows[i].name, "options") == 0)
            return "; options of its own stand in options [ name = value ]";
    return "";
}

static void apply_unknown(struct apply *a, const struct scope_node *n, const struct tree_option *o)
{
    const struct scope_class *owner = NULL;
    struct suggestion near;
    char shown[80];
    if (a->classes->partial)
        return;
    text_show(o->name, shown, sizeof(shown));
    if (class_row_within(a->classes, NULL, o->name, &owner)) {
        bool top = owner->naming == SCOPE_IMPLICIT;
        problem_at(a->problems, PROBLEM_ERROR, &o->pos, "option \"%s\" does not belong in %s: it stands %s%s", shown,
                   node_name(n), top ? "at top level" : "in ", top ? "" : owner->name);
        return;
    }
    suggestion_init(&near, o->name);
    for (size_t i = 0; i < a->classes->count; i++)
        if (class_within(a->classes->items[i], n->scope.class))
            for (size_t j = 0; j < a->classes->items[i]->row_count; j++)
                suggestion_offer(&near, a->classes->items[i]->rows[j].name);
    if (near.best)
        problem_at(a->problems, PROBLEM_ERROR, &o->pos, "unknown option \"%s\": did you mean \"%s\"?%s", shown,
                   near.best, hint_of(n->scope.class));
    else
        problem_at(a->problems, PROBLEM_ERROR, &o->pos, "unknown option \"%s\" in %s%s", shown, node_name(n),
                   hint_of(n->scope.class));
}

static struct tree_option *option_find(struct tree_option *first, const char *name)
{
    while (first && !name_same(first->name, name))
        first = first->next;
    return first;
}

/* Takes out what has no row here or stands twice; what stays is looked up by name. An open class keeps what it does not
 * know. */
static void apply_options(struct apply *a, struct scope_node *n)
{
    struct tree_option *kept = NULL, **last = &kept, *extra = NULL, **last_extra = &extra;
    const struct scope_class *owner;
    for (struct tree_option *next, *o = n->tree->options; o && !apply_stopped(a); o = next) {
        bool open = n->scope.class && n->scope.class->open;
        bool known = class_row_within(a->classes, n->scope.class, o->name, &owner) != NULL;
        next = o->next;
        o->next = NULL;
        if (!known && !open) {
            apply_unknown(a, n, o);
            n->failed = n->failed || !a->classes->partial;
            continue;
        }
        struct tree_option *first = option_find(known ? kept : extra, o->name);
        if (first) {
            problem_at(a->problems, PROBLEM_ERROR, &o->pos,
                       "option \"%s\" stands twice in this scope, first at %s:%u:%u", first->name,
                       first->pos.file->name, first->pos.line, first->pos.column);
            n->failed = true;
        } else if (known) {
            *last = o;
            last = &o->next;
        } else {
            *last_extra = o;
            last_extra = &o->next;
        }
    }
    n->tree->options = kept;
    n->extra = extra;
}

static void apply_faulty(struct apply *a, const struct scope_class *class, const struct directive *row,
                         struct tree_option *o, const struct errtext *why)
{
    char shown[128];
    bool prefixed = class->naming != SCOPE_IMPLICIT;
    if (o->reported)
        return;
    o->reported = true;
    value_show(&o->value, shown);
    problem_at(a->problems, PROBLEM_ERROR, &o->pos, "%s%s%s = %s: %s", prefixed ? class->name : "", prefixed ? "." : "",
               row->name, shown, why->text);
}

/* The option of NAME that is nearest to N. */
static struct tree_option *apply_lookup(const struct scope_node *n, const char *name)
{
    for (; n; n = n->parent) {
        struct tree_option *o = n->tree ? option_find(n->tree->options, name) : NULL;
        if (o)
            return o;
    }
    return NULL;
}

static void apply_default(struct apply *a, struct scope_node *n, const struct directive *row, void *field)
{
    struct errtext why = {""};
    enum err e = value_default(a->arena, row, field, &why);
    if (e == ERR_NOMEM || e == ERR_FULL) {
        a->err = e;
    } else if (e != ERR_OK) { /* a fault of postern itself; tests of the tables find it */
        problem_error(a->problems, &n->scope, NULL, "the built-in default %s of option \"%s\": %s", row->default_text,
                      row->name, why.text);
        n->failed = true;
    }
}

static void apply_row(struct apply *a, struct scope_node *n, const struct directive *row, void *field, bool *given,
                      const struct tree_option **where)
{
    const struct scope_class *class = n->scope.class;
    struct tree_option *o = apply_lookup(n, row->name);
    struct errtext why = {""};
    if (!o) {
        apply_default(a, n, row, field);
        if (row->required && !row->default_text && !a->incomplete) {
            problem_error(a->problems, &n->scope, NULL, "option \"%s\" is required and missing", row->name);
            n->failed = true;
        }
        return;
    }
    o->used = true;
    *given = true;
    *where = o;
    enum err e = value_convert(a->arena, row, &o->value, field, &why);
    if (e == ERR_NOMEM) {
        a->err = e;
    } else if (e != ERR_OK) {
        apply_faulty(a, class, row, o, &why);
        apply_default(a, n, row, field);
        n->failed = true;
    } else if (row->deprecated && !o->warned) {
        o->warned = true;
        problem_warning(a->problems, &n->scope, row->name, "deprecated: %s", row->description ? row->description : "");
    } else if (class->not_built && class->naming == SCOPE_IMPLICIT && !o->warned) {
        o->warned = true;
        problem_warning(a->problems, &n->scope, row->name, "is not built in this version of postern: ignored");
    }
}

static void apply_values(struct apply *a, struct scope_node *n)
{
    const struct scope_class *class = n->scope.class;
    char *values = apply_new(a, class->struct_size);
    bool *given = apply_new(a, class->row_count * sizeof(*given));
    n->options = apply_new(a, class->row_count * sizeof(struct tree_option *));
    if (!values || !given || !n->options)
        return;
    for (size_t i = 0; i < class->row_count && !apply_stopped(a); i++)
        apply_row(a, n, &class->rows[i], values + class->rows[i].offset, &given[i], &n->options[i]);
    n->scope.values = values;
    n->scope.given = given;
}

/* An option that no scope took is judged all the same: by every row that it may be meant for. */
static void apply_unused(struct apply *a, const struct scope_node *n, struct tree_option *o)
{
    const struct scope_class *class = NULL;
    const struct directive *row = NULL;
    struct errtext first = {""};
    for (size_t i = 0; i < a->classes->count; i++) {
        const struct scope_class *c = a->classes->items[i];
        const struct directive *r = class_within(c, n->scope.class) ? class_row(c, o->name) : NULL;
        union value_field field = {.number = 0};
        struct errtext why = {""};
        if (!r)
            continue;
        enum err e = value_convert(a->arena, r, &o->value, &field, &why);
        if (e == ERR_OK)
            return;
        if (e == ERR_NOMEM) {
            a->err = e;
            return;
        }
        if (!row) {
            row = r;
            class = c;
            first = why;
        }
    }
    if (row)
        apply_faulty(a, class, row, o, &first);
}

/* A scope's own check may rely on the values of its scope and those above and below it; an implicit one looks at
 * everything. What fails in the global scope itself is no scope's value. */
static bool apply_may_check(const struct apply *a, const struct scope_node *n)
{
    if (n->scope.class->naming == SCOPE_IMPLICIT)
        return a->problems->errors == 0;
    if (n->failed_below)
        return false;
    for (const struct scope_node *up = n; up->parent; up = up->parent)
        if (up->failed)
            return false;
    return true;
}

static void apply_spread(struct scope_node *global)
{
    for (struct scope_node *n = global; n; n = node_after(n))
        for (struct scope_node *up = n->parent; n->failed && up; up = up->parent)
            up->failed_below = true;
}

static enum err apply_tree(struct apply *a, struct scope_node *global)
{
    for (struct scope_node *n = global; n && !apply_stopped(a); n = node_after(n))
        if (n->tree)
            apply_options(a, n);
    for (struct scope_node *n = global; n && !apply_stopped(a); n = node_after(n))
        if (n->scope.class)
            apply_values(a, n);
    for (struct scope_node *n = global; n && !apply_stopped(a); n = node_after(n))
        for (struct tree_option *o = n->tree ? n->tree->options : NULL; o && !apply_stopped(a); o = o->next)
            if (!o->used)
                apply_unused(a, n, o);
    apply_spread(global);
    for (struct scope_node *n = global; n && !apply_stopped(a) && !a->incomplete; n = node_after(n))
        if (n->scope.class && n->scope.class->check && apply_may_check(a, n))
            n->scope.class->check(&n->scope, a->problems);
    return a->err;
}

enum err conf_load(struct conf *conf, const char *path, const struct conf_source *source,
                   const struct conf_classes *classes, struct problems *problems)
{
    struct tree tree;
    struct scope_node *global = NULL;
    *conf = (struct conf){.global = NULL};
    arena_init(&conf->arena, LIMIT_CONFIG_ARENA);
    enum err e = tree_parse(&conf->arena, path, source, problems, &tree);
    if (e == ERR_OK && !tree.broken)
        e = shape_tree(&conf->arena, &tree, classes, problems, &global);
    if (e == ERR_OK && global) {
        struct apply a = {
            .arena = &conf->arena, .classes = classes, .problems = problems, .incomplete = tree.incomplete};
        e = apply_tree(&a, global);
        conf->global = &global->scope;
    }
    problems_sort(problems);
    if (e == ERR_OK)
        e = problems->lost;
    if (e != ERR_OK && problems->errors == 0)
        problem_at(problems, PROBLEM_ERROR, NULL, "%s: cannot be loaded: %s", path, err_name(e));
    return e;
}

void conf_release(struct conf *conf)
{
    arena_release(&conf->arena);
    conf->global = NULL;
}

const struct conf_scope *conf_child(const struct conf_scope *scope, const struct scope_class *class,
                                    const struct conf_scope *previous)
{
    const struct conf_scope *child = previous ? previous->next : scope->first_child;
    while (child && child->class != class)
        child = child->next;
    return child;
}
