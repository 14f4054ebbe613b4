/* SPDX-License-Identifier: MIT */
/* How a module declares its part of the configuration: a scope class with rows, in a table beside the module that uses
 * the values. Parser, checker, `--dump-config`, the option reference and the example file all work from these tables.
 *
 * src/conf knows configuration as data only: directive.h (this), conf.h (the loaded configuration), parse (text → tree
 * with file:line:column), apply (tree + classes → values, reports every error), dump (values or classes → text). It is
 * pure: files are read through a function that the caller gives.
 */
#ifndef CONF_DIRECTIVE_H
#define CONF_DIRECTIVE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Type of an option and of the field of the module's struct that receives it. Strings, lists and dictionaries belong to
 * the configuration (struct conf) and live as long as it. */
enum directive_type {
    DIRECTIVE_BOOL,     /* bool: on/off true/false enabled/disabled yes/no 1/0 */
    DIRECTIVE_INT,      /* int64_t */
    DIRECTIVE_SIZE,     /* int64_t octets; K M G accepted */
    DIRECTIVE_DURATION, /* int64_t milliseconds; a bare number is seconds; ms s m h d accepted; min and max in
                           milliseconds */
    DIRECTIVE_STRING,   /* const char *, NULL when unset without default */
    DIRECTIVE_ENUM,     /* int: index into words */
    DIRECTIVE_LIST,     /* struct conf_list; one bare value is a list of one */
    DIRECTIVE_DICT,     /* struct conf_dict */
};

struct conf_list {
    const char *const *items;
    size_t count;
};
struct conf_pair {
    const char *key, *value;
};
struct conf_dict {
    const struct conf_pair *items;
    size_t count;
};

/* How much must be renewed for a changed value to take effect. This version has no reload: all wait for the next start,
 * and documents say so. */
enum reload_class {
    RELOAD_LIVE,    /* for new sessions after a reload */
    RELOAD_ENGINE,  /* with a new generation of the scan host */
    RELOAD_RESTART, /* at the next start */
};

struct directive {
    const char *name; /* lower case; compared without case */
    enum directive_type type;
    size_t offset;            /* of the field in the scope's struct */
    const char *default_text; /* as it would be written in a file; NULL: unset */
    int64_t min, max;         /* INT, SIZE, DURATION: inclusive. STRING: length, 0/0 = any */
    const char *const *words; /* ENUM: NULL-terminated, in the order of the C enum */
    const char *unit;         /* for the reference page, NULL where the type says it */
    enum reload_class reload;
    bool required;
    bool deprecated;         /* accepted with a warning that quotes the description */
    const char *description; /* one line */
};

#define CONF_OFFSET(type, field) offsetof(struct type, field)

enum scope_naming {
    SCOPE_UNNAMED,  /* ESMTP_Listener { } */
    SCOPE_NAMED,    /* Listen "127.0.0.1:25" { }: name required */
    SCOPE_OPTIONAL, /* antivirus { } or antivirus "antivirus1" { } */
    SCOPE_IMPLICIT, /* no braces of its own: its options stand at top level, and it always exists exactly once, as a
                       child of the global scope. So each module declares its own global options beside itself. `name`
                       is for documents only */
};

struct conf_scope;
struct scope_node; /* private to src/conf */
struct problems;

struct scope_class {
    const char *name;                 /* "Listen"; compared without case */
    const struct scope_class *parent; /* class whose braces it stands in; NULL: top level */
    enum scope_naming naming;
    bool single;        /* at most one in its parent */
    bool not_built;     /* known by name, not built yet: loading it gives a warning with file and line */
    bool open;          /* not_built only: accept any option */
    const char *module; /* 2.x form: `Validate <module> <instance> [passive] { }`; NULL: none. With a `*` at its end:
                           every module that begins so and is no other class's */
    const struct directive *rows;
    size_t row_count;
    size_t struct_size; /* of the struct that the rows fill; 0 with no rows */
    /* Called once all values of the whole tree are set; adds errors and warnings of its own. May be NULL. */
    void (*check)(const struct conf_scope *scope, struct problems *problems);
    const char *description; /* one line */
};

/* One loaded scope; the global one has class NULL and only children. All of it is immutable after conf_load and
 * readable from every thread. */
struct conf_scope {
    const struct scope_class *class;
    const char *name;   /* NULL when unnamed */
    const void *values; /* struct_size bytes */
    const bool *given;  /* per row: written in the files, here or in an enclosing scope (false: default) */
    const struct conf_scope *parent, *next, *first_child;
    const char *file;
    unsigned line, column;
    const struct scope_node
        *node; /* private to src/conf: places of the options; NULL in a scope that was made by hand */
};

/* The scopes of CLASS below SCOPE in file order: pass NULL first, then the last result; NULL at the end. */
const struct conf_scope *conf_child(const struct conf_scope *scope, const struct scope_class *class,
                                    const struct conf_scope *previous);

/* A finding at a scope, or at one of its options where OPTION is not NULL (then file:line are the option's). The text
 * is put behind `file:line:column: Class "name": ` or `file:line:column: Class.option = value: `, so FORMAT begins with
 * what is wrong. */
void problem_error(struct problems *p, const struct conf_scope *at, const char *option, const char *format, ...)
    printf_like(4, 5);
void problem_warning(struct problems *p, const struct conf_scope *at, const char *option, const char *format, ...)
    printf_like(4, 5);

#endif
