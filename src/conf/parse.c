/* SPDX-License-Identifier: MIT */
/* Tokens → tree, with includes. After a syntax error it goes on where a new statement is likely, so that one run
 * reports them all. Recursion is one level per open brace and per include, together at most LIMIT_CONFIG_DEPTH. */
#include "conf/tree.h"

enum { HEADER_WORDS = 8 }; /* more words than this in front of a brace are surely a mistake */

struct parser {
    struct arena *arena;
    struct problems *problems;
    const struct conf_source *source;
    struct tree *tree;
    unsigned depth, files;
    const struct tree_file *open[LIMIT_CONFIG_DEPTH + 1]; /* files that include each other, outermost first */
    unsigned open_count;
    enum err err; /* sticky */
};

static void parse_body(struct parser *p, struct lexer *l, struct tree_scope *scope, const struct tree_pos *open);
static void parse_file(struct parser *p, const char *path, struct tree_scope *scope, const struct tree_pos *from);

static void *parse_new(struct parser *p, size_t size)
{
    void *new = arena_alloc(p->arena, size);
    if (!new && p->err == ERR_OK)
        p->err = size > p->arena->max - p->arena->used ? ERR_FULL : ERR_NOMEM;
    return new;
}

static struct tree_scope *parse_new_scope(struct parser *p)
{
    struct tree_scope *scope = parse_new(p, sizeof(*scope));
    if (scope) {
        scope->last_option = &scope->options;
        scope->last_scope = &scope->scopes;
    }
    return scope;
}

static struct token parse_next(struct parser *p, struct lexer *l)
{
    struct token t = lexer_next(l);
    if (l->err != ERR_OK && p->err == ERR_OK)
        p->err = l->err;
    if (p->err != ERR_OK)
        t.kind = TOKEN_END;
    return t;
}

static void parse_error(struct parser *p, const struct token *at, const char *format, ...) printf_like(3, 4);
static void parse_error(struct parser *p, const struct token *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_atv(p->problems, PROBLEM_ERROR, &at->word.pos, format, args);
    va_end(args);
    p->tree->incomplete = true;
}

/* Counts an entry of a scope, list or dictionary; false when there are too many. */
static bool parse_count(struct parser *p, size_t *count, const struct token *at)
{
    if (++*count <= LIMIT_CONFIG_ENTRIES)
        return true;
    if (*count == LIMIT_CONFIG_ENTRIES + 1)
        parse_error(p, at, "more than %d entries in one place", LIMIT_CONFIG_ENTRIES);
    return false;
}

static void parse_scope(struct parser *p, struct lexer *l, struct tree_scope *parent, const struct token *words,
                        unsigned count, const struct token *open)
{
    struct tree_scope *scope = parse_new_scope(p);
    if (!scope)
        return;
    for (; scope->word_count < count; scope->word_count++)
        scope->words[scope->word_count] = words[scope->word_count].word;
    scope->pos = count ? words[0].word.pos : open->word.pos;
    if (p->depth >= LIMIT_CONFIG_DEPTH) {
        parse_error(p, open, "scopes and includes are nested more than %d deep", LIMIT_CONFIG_DEPTH);
        p->tree->broken = true;
        l->at = l->text.len; /* the braces that follow cannot be matched any more */
        return;
    }
    struct token first = {.word = {.pos = scope->pos}};
    if (parent && count && parse_count(p, &parent->entries, &first)) {
        *parent->last_scope = scope;
        parent->last_scope = &scope->next;
    }
    p->depth++;
    parse_body(p, l, scope, &open->word.pos);
    p->depth--;
}

/* Passes over what remains on the line of AT; a brace that opens there is passed over with all it holds. */
static void parse_resync(struct parser *p, struct lexer *l, const struct token *at)
{
    for (;;) {
        struct token t = parse_next(p, l);
        if (t.kind == TOKEN_OPEN && t.word.pos.line == at->word.pos.line) {
            parse_scope(p, l, NULL, NULL, 0, &t);
        } else if (t.kind == TOKEN_END || t.kind == TOKEN_CLOSE || t.word.pos.line != at->word.pos.line) {
            lexer_give_back(l, t);
            return;
        }
    }
}

/* Puts back a token that may begin or end something else. */
static void parse_refuse(struct parser *p, struct lexer *l, struct token t)
{
    if (t.kind == TOKEN_END || t.kind == TOKEN_CLOSE || t.kind == TOKEN_WORD)
        lexer_give_back(l, t);
    else
        parse_resync(p, l, &t);
}

static bool parse_item(struct parser *p, struct tree_value *value, struct tree_item ***last, const char *key,
                       const struct token *t)
{
    if (!parse_count(p, &value->count, t))
        return p->err == ERR_OK;
    struct tree_item *item = parse_new(p, sizeof(*item));
    if (!item)
        return false;
    item->key = key;
    item->text = t->word.text;
    **last = item;
    *last = &item->next;
    return true;
}

static bool parse_unclosed(struct parser *p, struct lexer *l, const struct token *open, struct token found)
{
    char room[64];
    bool list = open->kind == TOKEN_LIST_OPEN;
    parse_error(p, open, "the %s that opens here is not closed: expected \"%c\", found %s in line %u",
                list ? "list" : "dictionary", list ? ')' : ']', token_show(&found, room), found.word.pos.line);
    parse_refuse(p, l, found);
    return false;
}

static bool parse_list(struct parser *p, struct lexer *l, const struct token *open, struct tree_value *value)
{
    struct tree_item **last = &value->items;
    value->kind = TREE_LIST;
    for (bool comma = false;;) {
        struct token t = parse_next(p, l);
        if (t.kind == TOKEN_LIST_CLOSE)
            return true;
        if (t.kind == TOKEN_COMMA && comma) {
            comma = false;
        } else if (t.kind == TOKEN_WORD) {
            if (!parse_item(p, value, &last, NULL, &t))
                return false;
            comma = true;
        } else {
            return parse_unclosed(p, l, open, t);
        }
    }
}

static const struct tree_item *item_find(const struct tree_value *value, const char *key)
{
    for (const struct tree_item *item = value->items; item; item = item->next)
        if (strcmp(item->key, key) == 0)
            return item;
    return NULL;
}

static bool parse_dict(struct parser *p, struct lexer *l, const struct token *open, struct tree_value *value)
{
    struct tree_item **last = &value->items;
    value->kind = TREE_DICT;
    for (bool comma = false;;) {
        struct token key = parse_next(p, l);
        if (key.kind == TOKEN_DICT_CLOSE)
            return true;
        if (key.kind == TOKEN_COMMA && comma) {
            comma = false;
            continue;
        }
        if (key.kind != TOKEN_WORD)
            return parse_unclosed(p, l, open, key);
        struct token t = parse_next(p, l);
        if (t.kind == TOKEN_EQUALS)
            t = parse_next(p, l);
        else
            return parse_unclosed(p, l, open, t);
        if (t.kind != TOKEN_WORD)
            return parse_unclosed(p, l, open, t);
        if (item_find(value, key.word.text)) {
            char room[64];
            parse_error(p, &key, "%s stands twice in the dictionary that opens in line %u", token_show(&key, room),
                        open->word.pos.line);
        } else if (!parse_item(p, value, &last, key.word.text, &t)) {
            return false;
        }
        comma = true;
    }
}

static bool opens_collection(const struct token *t)
{
    return t->kind == TOKEN_LIST_OPEN || t->kind == TOKEN_DICT_OPEN;
}

/* What stands behind `name =`. A word on a later line that is followed by "=", or by a list or dictionary, is no value
 * but the next option's name. */
static bool parse_value(struct parser *p, struct lexer *l, const struct token *name, struct tree_value *value)
{
    char shown[64], room[64];
    struct token t = parse_next(p, l);
    if (t.kind == TOKEN_LIST_OPEN)
        return parse_list(p, l, &t, value);
    if (t.kind == TOKEN_DICT_OPEN)
        return parse_dict(p, l, &t, value);
    if (t.kind == TOKEN_WORD) {
        struct token after = parse_next(p, l);
        lexer_give_back(l, after);
        if ((after.kind != TOKEN_EQUALS && !opens_collection(&after)) || t.word.pos.line == name->word.pos.line) {
            value->kind = TREE_WORD;
            value->text = t.word.text;
            return true;
        }
    }
    parse_error(p, name, "option %s has no value: found %s in line %u", token_show(name, shown), token_show(&t, room),
                t.word.pos.line);
    parse_refuse(p, l, t);
    return false;
}

static void parse_option(struct parser *p, struct lexer *l, struct tree_scope *scope, const struct token *name)
{
    struct tree_option *option = parse_new(p, sizeof(*option));
    if (!option || !parse_value(p, l, name, &option->value))
        return;
    option->name = name->word.text;
    option->pos = name->word.pos;
    if (parse_count(p, &scope->entries, name)) {
        *scope->last_option = option;
        scope->last_option = &option->next;
    }
}

/* `include "file"` takes a file; `readonly_include "x"` a file, or every file of a directory in the order of their
 * names. */
static void parse_include(struct parser *p, struct tree_scope *scope, const struct token *word, bool directories)
{
    const struct tree_pos *at = &word->word.pos;
    struct span base = span_cstr(at->file->name), name = span_cstr(word->word.text);
    size_t slash = base.len;
    while (slash > 0 && base.ptr[slash - 1] != '/')
        slash--;
    if (name.len == 0) {
        parse_error(p, word, "an include without a file name");
        return;
    }
    if (name.ptr[0] == '/')
        slash = 0;
    char *path = parse_new(p, slash + name.len + 1);
    if (!path)
        return;
    memcpy(path, base.ptr, slash);
    memcpy(path + slash, name.ptr, name.len);
    struct buf entries;
    struct errtext why = {""};
    buf_init(&entries, LIMIT_CONFIG_FILE);
    enum err e = directories && p->source->list ? p->source->list(p->source->arg, path, &entries, &why) : ERR_NOTFOUND;
    if (e == ERR_NOTFOUND)
        parse_file(p, path, scope, at);
    else if (e != ERR_OK)
        parse_error(p, word, "cannot include the directory %s: %s", path, why.text[0] ? why.text : err_name(e));
    for (struct span rest = buf_span(&entries); e == ERR_OK && rest.len && p->err == ERR_OK;) {
        struct span entry = span_sub(rest, 0, span_find(rest, '\0'));
        rest = span_sub(rest, entry.len + 1, rest.len);
        if (entry.len == 0 || entry.ptr[0] == '.')
            continue;
        size_t len = strlen(path), size = len + entry.len + 2;
        char *file = parse_new(p, size);
        if (!file)
            break;
        snprintf(file, size, "%s%s%.*s", path, len && path[len - 1] == '/' ? "" : "/", SPAN_ARG(entry));
        parse_file(p, file, scope, at);
    }
    buf_release(&entries);
}

/* After the first word of a statement: an option, a scope, or an include. */
static void parse_statement(struct parser *p, struct lexer *l, struct tree_scope *scope, struct token first)
{
    struct token words[HEADER_WORDS];
    char shown[64], room[64];
    bool readonly = !first.word.quoted && name_same(first.word.text, "readonly_include");
    bool include = readonly || (!first.word.quoted && name_same(first.word.text, "include"));
    unsigned count = 0;
    words[count++] = first;
    for (;;) {
        struct token t = parse_next(p, l);
        if (t.kind == TOKEN_WORD && include) {
            parse_include(p, scope, &t, readonly);
            return;
        }
        if (include) {
            parse_error(p, &first, "%s: expected a file name, found %s", first.word.text, token_show(&t, room));
            parse_refuse(p, l, t);
            return;
        }
        if (t.kind == TOKEN_WORD && count < HEADER_WORDS) {
            words[count++] = t;
            continue;
        }
        if (t.kind == TOKEN_EQUALS && count == 1) {
            parse_option(p, l, scope, &first);
            return;
        }
        if (opens_collection(&t) && count == 1) { /* the original's "context [ k = v ]", without "=" */
            lexer_give_back(l, t);
            parse_option(p, l, scope, &first);
            return;
        }
        if (t.kind == TOKEN_OPEN && count <= TREE_WORDS) {
            parse_scope(p, l, scope, words, count, &t);
            return;
        }
        parse_error(p, &first, "expected \"=\" or \"{\" after %s, found %s", token_show(&first, shown),
                    token_show(count > 1 ? &words[1] : &t, room));
        if (t.kind == TOKEN_EQUALS)
            parse_option(p, l, scope, &words[count - 1]);
        else if (t.kind == TOKEN_OPEN) /* the words of the brace's own line may be right */
            parse_scope(p, l, NULL, NULL, 0, &t);
        else
            parse_refuse(p, l, t);
        return;
    }
}

/* Statements up to the closing brace, or to the end of the file where OPEN is NULL. */
static void parse_body(struct parser *p, struct lexer *l, struct tree_scope *scope, const struct tree_pos *open)
{
    char room[64];
    for (;;) {
        struct token t = parse_next(p, l);
        if (t.kind == TOKEN_WORD) {
            parse_statement(p, l, scope, t);
        } else if (t.kind == TOKEN_CLOSE && open) {
            return;
        } else if (t.kind == TOKEN_CLOSE) {
            parse_error(p, &t, "\"}\" closes nothing: no scope is open in this file");
            p->tree->broken = true;
        } else if (t.kind == TOKEN_END) {
            if (open && !p->tree->broken && !l->broken && p->err == ERR_OK) {
                char name[64] = "";
                if (scope->word_count)
                    text_show(scope->words[0].text, name, sizeof(name));
                problem_at(p->problems, PROBLEM_ERROR, open,
                           "the \"{\" of %s is never closed: expected \"}\", found the end of the file",
                           scope->word_count ? name : "a scope");
            }
            p->tree->broken = p->tree->broken || open || l->broken;
            lexer_give_back(l, t);
            return;
        } else {
            parse_error(p, &t, "expected an option or a scope, found %s", token_show(&t, room));
            if (t.kind == TOKEN_OPEN)
                parse_scope(p, l, NULL, NULL, 0, &t);
            else
                parse_resync(p, l, &t);
        }
    }
}

static const char *path_skip(const char *s)
{
    while (s[0] == '/' || (s[0] == '.' && s[1] == '/'))
        s += s[0] == '/' ? 1 : 2;
    return s;
}

/* Whether two paths are the same but for "./" and doubled slashes. */
static bool path_same(const char *a, const char *b)
{
    bool segment = true;
    if ((a[0] == '/') != (b[0] == '/'))
        return false;
    for (;; a++, b++) {
        if (segment) {
            a = path_skip(a);
            b = path_skip(b);
        }
        if (*a != *b)
            return false;
        if (!*a)
            return true;
        segment = *a == '/';
    }
}

static bool parse_may_open(struct parser *p, const char *path, const struct tree_pos *from)
{
    for (unsigned i = 0; i < p->open_count; i++) {
        if (path_same(p->open[i]->name, path)) {
            problem_at(p->problems, PROBLEM_ERROR, from, "%s includes itself", path);
            return false;
        }
    }
    if (p->depth >= LIMIT_CONFIG_DEPTH)
        problem_at(p->problems, PROBLEM_ERROR, from, "scopes and includes are nested more than %d deep",
                   LIMIT_CONFIG_DEPTH);
    else if (p->files >= LIMIT_CONFIG_FILES)
        problem_at(p->problems, PROBLEM_ERROR, from, "more than %d files", LIMIT_CONFIG_FILES);
    else
        return true;
    return false;
}

/* PATH lies in the arena. FROM is the including place; NULL for the first file. */
static void parse_file(struct parser *p, const char *path, struct tree_scope *scope, const struct tree_pos *from)
{
    if (!parse_may_open(p, path, from)) {
        p->tree->incomplete = true;
        return;
    }
    struct tree_file *file = parse_new(p, sizeof(*file));
    if (!file)
        return;
    *file = (struct tree_file){path, p->files++};
    struct buf text;
    struct lexer l;
    struct errtext why = {""};
    buf_init(&text, LIMIT_CONFIG_FILE);
    enum err e = p->source->read(p->source->arg, path, &text, &why);
    if (e == ERR_OK) {
        p->open[p->open_count++] = file;
        p->depth++;
        lexer_init(&l, p->arena, p->problems, file, buf_span(&text));
        parse_body(p, &l, scope, NULL);
        p->depth--;
        p->open_count--;
    } else {
        struct tree_pos whole = {file, 0, 0};
        const char *reason = why.text[0] ? why.text : err_name(e);
        if (from)
            problem_at(p->problems, PROBLEM_ERROR, from, "cannot include %s: %s", path, reason);
        else
            problem_at(p->problems, PROBLEM_ERROR, &whole, "cannot be read: %s", reason);
        p->tree->incomplete = true;
        p->tree->broken = p->tree->broken || !from;
        if (e == ERR_NOMEM)
            p->err = e;
    }
    buf_release(&text);
}

enum err tree_parse(struct arena *arena, const char *path, const struct conf_source *source, struct problems *problems,
                    struct tree *out)
{
    struct parser p = {.arena = arena, .problems = problems, .source = source, .tree = out};
    *out = (struct tree){.root = parse_new_scope(&p)};
    char *name = arena_strdup(arena, span_cstr(path));
    if (!out->root || !name)
        return ERR_NOMEM;
    parse_file(&p, name, out->root, NULL);
    if (p.err == ERR_FULL)
        problem_at(problems, PROBLEM_ERROR, NULL, "%s: the configuration is too large: more than %d MiB as a tree",
                   path, LIMIT_CONFIG_ARENA / (1024 * 1024));
    return p.err != ERR_OK ? p.err : problems->lost;
}

enum err tree_parse_value(struct arena *arena, struct span text, struct tree_value *out)
{
    struct problems problems;
    struct tree tree = {0};
    struct parser p = {.arena = arena, .problems = &problems, .tree = &tree};
    struct tree_file file = {.name = "default"};
    struct lexer l;
    struct token name = {.kind = TOKEN_WORD, .word = {.text = "default"}};
    problems_init(&problems);
    lexer_init(&l, arena, &problems, &file, text);
    bool good = parse_value(&p, &l, &name, out);
    if (good)
        good = parse_next(&p, &l).kind == TOKEN_END;
    good = good && problems.errors == 0;
    problems_release(&problems);
    if (p.err != ERR_OK)
        return p.err;
    return good ? ERR_OK : ERR_SYNTAX;
}
