/* SPDX-License-Identifier: MIT */
/* Tree + classes → scope nodes: which class a scope is of and where it stands. Here live the forms of the configuration
 * language's history: nested scopes (3.x), `Validate path/module instance [passive] { }` (2.x), and singletons of
 * modules at top level (3.x). */
#include "conf/tree.h"

/* 2.x modules of a class that stands in another: placed once all of the top level is known. */
struct deferred {
    struct deferred *next;
    const struct scope_class *class;
    struct tree_scope *tree;
};

struct shape {
    struct arena *arena;
    const struct conf_classes *classes;
    struct problems *problems;
    struct deferred *deferred, **last_deferred;
    enum err err;
};

static void *shape_new(struct shape *s, size_t size)
{
    void *new = arena_alloc(s->arena, size);
    if (!new && s->err == ERR_OK)
        s->err = size > s->arena->max - s->arena->used ? ERR_FULL : ERR_NOMEM;
    return new;
}

static void shape_problem(struct shape *s, const struct tree_scope *tree, const char *format, ...) printf_like(3, 4);
static void shape_problem(struct shape *s, const struct tree_scope *tree, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_atv(s->problems, PROBLEM_ERROR, &tree->pos, format, args);
    va_end(args);
}

static const struct scope_class *class_find(const struct shape *s, const char *name, const struct scope_class *parent)
{
    for (size_t i = 0; i < s->classes->count; i++) {
        const struct scope_class *c = s->classes->items[i];
        if (c->parent == parent && c->naming != SCOPE_IMPLICIT && name_same(c->name, name))
            return c;
    }
    return NULL;
}

static const struct scope_class *class_find_anywhere(const struct shape *s, const char *name)
{
    for (size_t i = 0; i < s->classes->count; i++)
        if (s->classes->items[i]->naming != SCOPE_IMPLICIT && name_same(s->classes->items[i]->name, name))
            return s->classes->items[i];
    return NULL;
}

/* Children of PARENT that are of CLASS: how many, and one of them. */
static size_t node_count(const struct scope_node *parent, const struct scope_class *class, struct scope_node **one)
{
    size_t count = 0;
    for (struct scope_node *n = parent->first_child; n; n = n->next) {
        if (n->scope.class == class) {
            *one = n;
            count++;
        }
    }
    return count;
}

static const struct scope_node *node_find(const struct scope_node *parent, const struct scope_class *class,
                                          const char *name)
{
    for (const struct scope_node *n = parent->first_child; n; n = n->next)
        if (n->scope.class == class && n->scope.name && strcmp(n->scope.name, name) == 0)
            return n;
    return NULL;
}

static struct scope_node *node_new(struct shape *s, const struct scope_class *class, struct scope_node *parent,
                                   const char *name, const struct tree_pos *pos, struct tree_scope *tree)
{
    struct scope_node *n = shape_new(s, sizeof(*n));
    if (!n)
        return NULL;
    *n = (struct scope_node){.pos = *pos, .tree = tree, .parent = parent};
    n->last_child = &n->first_child;
    n->scope = (struct conf_scope){.class = class, .name = name, .node = n, .line = pos->line, .column = pos->column};
    n->scope.file = pos->file ? pos->file->name : NULL;
    if (!parent)
        return n;
    n->scope.parent = &parent->scope;
    if (parent->first_child)
        container_of(parent->last_child, struct scope_node, next)->scope.next = &n->scope;
    else
        parent->scope.first_child = &n->scope;
    *parent->last_child = n;
    parent->last_child = &n->next;
    return n;
}

static void shape_scopes(struct shape *s, struct scope_node *parent);

/* A node for a written scope, unless its name is wrong or taken. NAME may be NULL. */
static void shape_instance(struct shape *s, const struct scope_class *class, struct scope_node *parent,
                           const struct tree_word *name, struct tree_scope *tree)
{
    char shown[80] = "";
    struct scope_node *first = NULL;
    const struct scope_node *same = NULL;
    if (name)
        text_show(name->text, shown, sizeof(shown));
    if (class->naming == SCOPE_NAMED && (!name || !name->text[0])) {
        shape_problem(s, tree, "%s needs a name: expected %s \"...\" { }", class->name, class->name);
    } else if (class->single && node_count(parent, class, &first)) {
        shape_problem(s, tree, "there may be only one %s, and the first is at %s:%u:%u", class->name,
                      first->pos.file->name, first->pos.line, first->pos.column);
    } else if (name && (same = node_find(parent, class, name->text)) != NULL) {
        shape_problem(s, tree, "%s \"%s\" stands twice, the first is at %s:%u:%u", class->name, shown,
                      same->pos.file->name, same->pos.line, same->pos.column);
    } else {
        struct scope_node *n = node_new(s, class, parent, name ? name->text : NULL, &tree->pos, tree);
        if (!n)
            return;
        if (class->not_built)
            problem_warning(s->problems, &n->scope, NULL, "is not built in this version of postern");
        shape_scopes(s, n);
    }
}

/* Name { … } or Name "instance" { … }. */
static void shape_plain(struct shape *s, const struct scope_class *class, struct scope_node *parent,
                        struct tree_scope *tree)
{
    char shown[80];
    if (tree->word_count > 2) {
        text_show(tree->words[2].text, shown, sizeof(shown));
        shape_problem(s, tree, "%s: expected \"{\" after its name, found \"%s\"", class->name, shown);
    } else if (tree->word_count == 2 && class->naming == SCOPE_UNNAMED) {
        text_show(tree->words[1].text, shown, sizeof(shown));
        shape_problem(s, tree, "%s takes no name: expected \"{\", found \"%s\"", class->name, shown);
    } else {
        shape_instance(s, class, parent, tree->word_count == 2 ? &tree->words[1] : NULL, tree);
    }
}

/* PATTERN may end in `*`, which stands for whatever no other class has. */
static bool module_matches(const char *pattern, const char *path, bool by_star)
{
    size_t len = strlen(pattern);
    if (!by_star || len == 0 || pattern[len - 1] != '*')
        return !by_star && name_same(pattern, path);
    return strlen(path) >= len && span_starts_nocase(span_cstr(path), span_of(pattern, len - 1));
}

/* The class of a 2.x module: the one with this path or, where INSTANCE names a class below that one, the named one. */
static const struct scope_class *class_find_module(const struct shape *s, const char *path, const char *instance)
{
    for (size_t i = 0; i < 2 * s->classes->count; i++) {
        const struct scope_class *c = s->classes->items[i % s->classes->count];
        if (!c->module || !module_matches(c->module, path, i >= s->classes->count))
            continue;
        const struct scope_class *below = class_find(s, instance, c);
        return below ? below : c;
    }
    return NULL;
}

/* `passive` is `enabled = false`, written where the word stands. */
static bool shape_passive(struct shape *s, const struct scope_class *class, struct tree_scope *tree)
{
    const struct tree_word *word = &tree->words[3];
    if (!name_same(word->text, "passive")) {
        char shown[80];
        text_show(word->text, shown, sizeof(shown));
        shape_problem(s, tree, "expected passive or \"{\" after the instance's name, found \"%s\"", shown);
        return false;
    }
    if (!class_row(class, "enabled") && !class->open) {
        problem_at(s->problems, PROBLEM_ERROR, &word->pos, "%s cannot be passive: it has no option \"enabled\"",
                   class->name);
        return false;
    }
    struct tree_option *option = shape_new(s, sizeof(*option));
    if (!option)
        return false;
    *option = (struct tree_option){
        .next = tree->options, .pos = word->pos, .name = "enabled", .value = {.kind = TREE_WORD, .text = "false"}};
    tree->options = option;
    return true;
}

/* Class path/module instance [passive] { … } */
static void shape_module(struct shape *s, struct scope_node *global, struct tree_scope *tree)
{
    const struct scope_class *class = class_find_module(s, tree->words[1].text, tree->words[2].text);
    if (!class) {
        char keyword[40], path[80];
        text_show(tree->words[0].text, keyword, sizeof(keyword));
        text_show(tree->words[1].text, path, sizeof(path));
        problem_at(s->problems, PROBLEM_WARNING, &tree->pos, "%s %s is not built in this version of postern: ignored",
                   keyword, path);
        return;
    }
    if (tree->word_count == 4 && !shape_passive(s, class, tree))
        return;
    if (!class->parent) {
        shape_instance(s, class, global, class->naming == SCOPE_UNNAMED ? NULL : &tree->words[2], tree);
        return;
    }
    struct deferred *d = shape_new(s, sizeof(*d));
    if (!d)
        return;
    *d = (struct deferred){.class = class, .tree = tree};
    *s->last_deferred = d;
    s->last_deferred = &d->next;
}

/* The one instance of CLASS, made if there is none; NULL when there are several. */
static struct scope_node *shape_host(struct shape *s, const struct scope_class *class, struct scope_node *global,
                                     const struct tree_scope *tree)
{
    struct scope_node *parent = class->parent ? shape_host(s, class->parent, global, tree) : global, *one = NULL;
    size_t count = parent ? node_count(parent, class, &one) : 0;
    if (!parent)
        return NULL;
    if (count > 1)
        shape_problem(s, tree, "%s: there are %zu scopes %s, so write it as a nested scope in one of them",
                      tree->words[1].text, count, class->name);
    if (count)
        return count == 1 ? one : NULL;
    return node_new(s, class, parent, class->naming == SCOPE_NAMED ? class->name : NULL, &tree->pos, NULL);
}

/* `clamav { enabled debug_level }` beside `antivirus { clamav "clamav1" { } }`: a switch of the module, no instance.
 * Every instance says for itself whether it is enabled. */
static void shape_singleton(struct shape *s, const struct scope_class *class, const struct tree_scope *tree)
{
    for (const struct tree_option *o = tree->options; o; o = o->next) {
        bool known = name_same(o->name, "enabled") || name_same(o->name, "debug_level");
        char shown[80];
        text_show(o->name, shown, sizeof(shown));
        if (!known)
            problem_at(s->problems, PROBLEM_WARNING, &o->pos,
                       "%s.%s: ignored: at top level %s takes only enabled and debug_level; write it in %s { }",
                       class->name, shown, class->name, class->parent->name);
        else if (name_same(o->name, "enabled") && value_truth(&o->value) != 1)
            problem_at(s->problems, PROBLEM_WARNING, &o->pos,
                       "%s.enabled: has no effect at top level: write it in each %s of %s { }", class->name,
                       class->name, class->parent->name);
    }
    if (tree->scopes)
        problem_at(s->problems, PROBLEM_WARNING, &tree->scopes->pos, "%s: scopes in it are ignored at top level",
                   class->name);
}

static void shape_unknown(struct shape *s, const struct scope_node *parent, const struct tree_scope *tree)
{
    const char *name = tree->words[0].text;
    const struct scope_class *elsewhere = class_find_anywhere(s, name), *owner;
    struct suggestion near;
    char shown[80];
    if (s->classes->partial && !elsewhere)
        return;
    text_show(name, shown, sizeof(shown));
    if (elsewhere && elsewhere->parent) {
        shape_problem(s, tree, "scope \"%s\" does not belong here: it stands in %s { }", shown,
                      elsewhere->parent->name);
        return;
    }
    if (elsewhere && parent->scope.class) {
        shape_problem(s, tree, "scope \"%s\" does not belong in %s: it stands at top level", shown,
                      parent->scope.class->name);
        return;
    }
    if (class_row_within(s->classes, parent->scope.class, name, &owner)) {
        shape_problem(s, tree, "\"%s\" is an option, not a scope: expected \"=\" after it", shown);
        return;
    }
    if (tree->word_count >= 2 && strchr(tree->words[1].text, '/') && !parent->scope.class) {
        shape_problem(s, tree, "unknown scope \"%s\": expected %s path/module instance { }", shown, shown);
        return;
    }
    suggestion_init(&near, name);
    for (size_t i = 0; i < s->classes->count; i++)
        if (s->classes->items[i]->parent == parent->scope.class && s->classes->items[i]->naming != SCOPE_IMPLICIT)
            suggestion_offer(&near, s->classes->items[i]->name);
    if (near.best)
        shape_problem(s, tree, "unknown scope \"%s\": did you mean \"%s\"?", shown, near.best);
    else
        shape_problem(s, tree, "unknown scope \"%s\"", shown);
}

/* Whether CLASS is a module, whose name may also stand at top level. */
static bool class_is_module(const struct scope_class *class)
{
    return class && class->parent && (class->module || class_row(class, "enabled"));
}

static void shape_scope(struct shape *s, struct scope_node *parent, struct tree_scope *tree)
{
    const char *keyword = tree->words[0].text;
    bool top = parent->scope.class == NULL;
    const struct scope_class *class = class_find(s, keyword, parent->scope.class);
    const struct scope_class *module = top ? class_find_anywhere(s, keyword) : NULL;
    if (class)
        shape_plain(s, class, parent, tree);
    else if (top && tree->word_count >= 3 && strchr(tree->words[1].text, '/'))
        shape_module(s, parent, tree);
    else if (tree->word_count == 1 && class_is_module(module))
        shape_singleton(s, module, tree);
    else
        shape_unknown(s, parent, tree);
}

/* The scopes written in PARENT; an open class keeps what it does not know. */
static void shape_scopes(struct shape *s, struct scope_node *parent)
{
    const struct scope_class *class = parent->scope.class;
    struct tree_scope *kept = NULL, **last = &kept;
    for (struct tree_scope *next, *tree = parent->tree->scopes; tree && s->err == ERR_OK && s->problems->lost == ERR_OK;
         tree = next) {
        next = tree->next;
        tree->next = NULL;
        if (class && class->open && !class_find(s, tree->words[0].text, class)) {
            *last = tree;
            last = &tree->next;
        } else {
            size_t errors = s->problems->errors;
            shape_scope(s, parent, tree);
            parent->failed = parent->failed || s->problems->errors != errors;
        }
    }
    parent->extra_scopes = kept;
}

enum err shape_tree(struct arena *arena, const struct tree *tree, const struct conf_classes *classes,
                    struct problems *problems, struct scope_node **global)
{
    struct shape s = {.arena = arena, .classes = classes, .problems = problems};
    s.last_deferred = &s.deferred;
    struct scope_node *root = node_new(&s, NULL, NULL, NULL, &tree->root->pos, tree->root);
    *global = root;
    if (!root)
        return s.err;
    for (size_t i = 0; i < classes->count; i++)
        if (classes->items[i]->naming == SCOPE_IMPLICIT)
            node_new(&s, classes->items[i], root, NULL, &tree->root->pos, NULL);
    shape_scopes(&s, root);
    for (struct deferred *d = s.deferred; d && s.err == ERR_OK; d = d->next) {
        struct scope_node *host = shape_host(&s, d->class->parent, root, d->tree);
        if (host)
            shape_instance(&s, d->class, host, d->class->naming == SCOPE_UNNAMED ? NULL : &d->tree->words[2], d->tree);
    }
    return s.err != ERR_OK ? s.err : problems->lost;
}
