/* SPDX-License-Identifier: MIT */
/* Loading a configuration: text → tree → values, with every error reported, not the first one only.
 *
 * Grammar (DESIGN section 5): scopes `Name ["instance"] { … }`, options `name = value`, the 2.x form
 * `Validate path/module instance [passive] { … }`; a newline is white space; lists `( a b )`, dictionaries `[ k = v ]`,
 * comments
 * `#` and C style; `include "file"`, `readonly_include "file-or-directory"` (of a directory every entry that does not
 * begin with a full stop). Quotes only where needed; inside them a backslash quotes the next character, and a line end
 * must be quoted so. Lookups fall back from the most specific scope to the global one, then to the default. An option
 * is valid in a scope when the scope's class or a class below it has a row of that name.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/directive.h"

/* Findings, in the order of files and lines. */
enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING };
struct problem {
    struct problem *next;
    enum problem_severity severity;
    const char *text;            /* "postern.conf:41:3: clamav.timeout = 0: must be between 1 and 3600" */
    unsigned rank, line, column; /* of the place: number of the file in the order of reading, line, column */
};
struct problems {
    struct arena arena;
    struct problem *first, **last;
    size_t errors, warnings;
    enum err lost; /* ERR_NOMEM or ERR_FULL once a finding could not be kept */
};
void problems_init(struct problems *p);
void problems_release(struct problems *p);

/* Where the bytes of files come from. READ appends FILE's content to OUT; LIST (for directories) appends the entries'
 * names in lexical order, each followed by a NUL, and returns ERR_NOTFOUND when PATH is no directory. Both set WHY on
 * failure. */
struct conf_source {
    enum err (*read)(void *arg, const char *path, struct buf *out, struct errtext *why);
    enum err (*list)(void *arg, const char *path, struct buf *out, struct errtext *why);
    void *arg;
};

/* The classes of every module, in the order in which documents list them. */
struct conf_classes {
    const struct scope_class *const *items;
    size_t count;
    bool partial; /* a program that needs a part of what another one has checked: scopes and options unknown here are
                     passed over */
};

struct conf {
    struct arena arena;
    const struct conf_scope *global;
};

/* Reads PATH and all it includes. Every finding lands in PROBLEMS; the result is usable only when problems->errors is
 * 0. ERR_NOMEM or ERR_FULL mean that even the findings are incomplete. Release CONF in every case. */
enum err conf_load(struct conf *conf, const char *path, const struct conf_source *source,
                   const struct conf_classes *classes, struct problems *problems) must_use;
void conf_release(struct conf *conf);

/* The configuration in effect, every option of every scope with its value; it loads again into the same values and the
 * same `given`. What was not written in the files therefore stands in comments: `# timeout = 10 # default`. */
enum err conf_dump(const struct conf *conf, const struct conf_classes *classes, struct buf *out) must_use;
/* The option reference as Markdown, and an example file, out of the tables alone. */
enum err conf_dump_reference(const struct conf_classes *classes, struct buf *out) must_use;
enum err conf_dump_example(const struct conf_classes *classes, struct buf *out) must_use;

#endif
