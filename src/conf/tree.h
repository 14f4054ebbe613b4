/* SPDX-License-Identifier: MIT */
/* Private to src/conf: what lies between text and values.
 *
 * lex.c text → tokens; parse.c tokens → tree, with includes; shape.c tree + classes → scope nodes (2.x and 3.x forms);
 * value.c one value ↔ one field; apply.c options → values, and conf_load; suggest.c the nearest known name; problems.c
 * findings; dump.c values → text; reference.c classes → text. Everything but findings lies in the arena of struct conf.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "base/limits.h"
#include "conf/conf.h"
#include "conf/suggest.h"

struct tree_file {
    const char *name; /* as given, or as the include gives it */
    unsigned rank;    /* in the order of reading */
};
struct tree_pos {
    const struct tree_file *file;
    unsigned line, column; /* from 1; columns count octets */
};

struct tree_item {
    struct tree_item *next;
    const char *key; /* in dictionaries */
    const char *text;
};
enum tree_kind { TREE_WORD, TREE_LIST, TREE_DICT };
struct tree_value {
    enum tree_kind kind;
    const char *text; /* TREE_WORD */
    struct tree_item *items;
    size_t count;
};
struct tree_option {
    struct tree_option *next;
    struct tree_pos pos;
    const char *name;
    struct tree_value value;
    bool used;     /* some scope took its value */
    bool reported; /* its value was found faulty */
    bool warned;   /* as deprecated */
};

/* Words before the brace: Class path/module instance passive. */
enum { TREE_WORDS = 4 };
struct tree_word {
    struct tree_pos pos;
    const char *text;
    bool quoted;
};
struct tree_scope {
    struct tree_scope *next;
    struct tree_pos pos;
    struct tree_word words[TREE_WORDS];
    unsigned word_count; /* 0: the files themselves */
    struct tree_option *options, **last_option;
    struct tree_scope *scopes, **last_scope;
    size_t entries;
};
struct tree {
    struct tree_scope *root;
    bool broken;     /* braces do not match: what the scopes contain is a guess, do not judge it */
    bool incomplete; /* something was left out after an error: do not miss it */
};

/* Lexer. */
enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_EQUALS,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_LIST_OPEN,
    TOKEN_LIST_CLOSE,
    TOKEN_DICT_OPEN,
    TOKEN_DICT_CLOSE,
    TOKEN_COMMA,
};
struct token {
    enum token_kind kind;
    struct tree_word word; /* text only of TOKEN_WORD */
};
struct lexer {
    struct arena *arena;
    struct problems *problems;
    const struct tree_file *file;
    struct span text;
    size_t at, line_start;
    unsigned line;
    bool broken;           /* an unclosed comment swallowed the rest */
    enum err err;          /* sticky: ERR_NOMEM, ERR_FULL */
    struct token ahead[2]; /* given back, last first */
    unsigned ahead_count;
};
void lexer_init(struct lexer *l, struct arena *arena, struct problems *problems, const struct tree_file *file,
                struct span text);
struct token lexer_next(struct lexer *l);
void lexer_give_back(struct lexer *l, struct token t);
/* How a token reads in a message. */
const char *token_show(const struct token *t, char room[64]);

/* The tree of PATH and its includes. Syntax errors are findings; the result is ERR_NOMEM or ERR_FULL, or ERR_IO when
 * PATH cannot be read, with the finding made. */
enum err tree_parse(struct arena *arena, const char *path, const struct conf_source *source, struct problems *problems,
                    struct tree *out) must_use;
/* One value, as it would stand behind `name =`. ERR_SYNTAX when TEXT is not exactly one. */
enum err tree_parse_value(struct arena *arena, struct span text, struct tree_value *out) must_use;

/* A scope on its way to its values. */
struct scope_node {
    struct conf_scope scope; /* what the program sees; scope.node points back here */
    struct tree_pos pos;
    struct tree_scope *tree; /* NULL: implicit, or made for a 2.x module */
    struct scope_node *parent, *next, *first_child, **last_child;
    const struct tree_option **options; /* per row: where its value was written, or NULL */
    const struct tree_option *extra;    /* of an open class: options without a row */
    const struct tree_scope *extra_scopes;
    bool failed;       /* a value is not as written, or something in it was left out after an error */
    bool failed_below; /* the same in a scope inside it */
};

/* Builds the nodes under a new global one. ERR_NOMEM or ERR_FULL. */
enum err shape_tree(struct arena *arena, const struct tree *tree, const struct conf_classes *classes,
                    struct problems *problems, struct scope_node **global) must_use;

/* Tables. Names are compared without case. */
bool name_same(const char *a, const char *b);
/* Whether C is ANCESTOR or stands in it at any depth; NULL is the global scope, which holds every class. */
bool class_within(const struct scope_class *c, const struct scope_class *ancestor);
const struct directive *class_row(const struct scope_class *c, const char *name);
/* The first row of NAME in ANCESTOR or below it, or NULL; *owner is its class. */
const struct directive *class_row_within(const struct conf_classes *classes, const struct scope_class *ancestor,
                                         const char *name, const struct scope_class **owner);

/* Values. FIELD is of the type that directive.h names for the row. */
enum err value_convert(struct arena *arena, const struct directive *row, const struct tree_value *value, void *field,
                       struct errtext *why) must_use;
/* The default; FIELD stays zero when there is none. ERR_SYNTAX and ERR_RANGE are faults of the table. */
enum err value_default(struct arena *arena, const struct directive *row, void *field, struct errtext *why) must_use;
/* 0, 1, or -1 for what is no truth value. */
int value_truth(const struct tree_value *value);
/* Large enough, and aligned, for the field of any row. */
union value_field {
    bool flag;
    int64_t number;
    int word;
    const char *text;
    struct conf_list list;
    struct conf_dict dict;
};
void value_load(const struct directive *row, const void *values, union value_field *out);
bool value_is_set(const struct directive *row, const union value_field *field);
/* As it is written in a file. */
enum err value_print(struct buf *out, const struct directive *row, const union value_field *field) must_use;
enum err value_print_number(struct buf *out, enum directive_type type, int64_t number) must_use;
enum err value_print_quoted(struct buf *out, const char *text) must_use;
enum err value_print_tree(struct buf *out, const struct tree_value *value) must_use;
/* For messages: one line of printable characters, shortened. */
void value_show(const struct tree_value *value, char room[128]);
bool value_word_is_plain(const char *text);

/* Findings at a place. */
void problem_at(struct problems *p, enum problem_severity severity, const struct tree_pos *pos, const char *format, ...)
    printf_like(4, 5);
void problem_atv(struct problems *p, enum problem_severity severity, const struct tree_pos *pos, const char *format,
                 va_list args) printf_like(4, 0);
void problems_sort(struct problems *p);
/* TEXT with what is not printable escaped, cut to SIZE. */
void text_show(const char *text, char *room, size_t size);

#endif
