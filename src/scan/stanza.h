/* SPDX-License-Identifier: MIT */
/* What the stanzas of this folder fill, for the files that declare (stanza.c, stanza_other.c), check (stanza_check.c)
 * and use them (framework.c). Not for other folders. */
#ifndef SCAN_STANZA_H
#define SCAN_STANZA_H

#include "scan/framework.h"

struct scan_conf {
    bool scan;
};

/* Options that are known, but have no effect in this version, or only in engines that are not built. */
struct engine_idle_conf {
    const char *debug_level;
    bool use_wire_rep;
    bool prefer_mem; /* csapi */
};

/* Values of an engine's scope. */
struct engine_stanza {
    struct engine_conf conf; /* first: what the framework hands out */
    struct engine_idle_conf idle;
};

struct antivirus_conf {
    bool enabled;
    bool all;
};

struct engine_kind {
    const struct scope_class *class;
    const char *pool;
    bool built;
};
/* The row of CLASS, or NULL when it is not an engine's. */
const struct engine_kind *engine_kind_find(const struct scope_class *class);

/* The stanza of the enabled engine of that name, or NULL. */
const struct engine_conf *stanza_conf_of(const struct framework *fw, const char *engine);

/* The engines' scopes in the antivirus scopes of GLOBAL, in file order (those in 2.x form after the nested ones). Pass
 * NULL first. */
const struct conf_scope *stanza_next_engine(const struct conf_scope *global, const struct conf_scope *previous);
/* Instance name: that of the scope, or the class's where it has none. */
const char *stanza_engine_name(const struct conf_scope *engine);
/* What its names are formed with: framework_stem. */
const char *stanza_engine_stem(const struct conf_scope *engine);
/* Takes part in scanning: not switched off (2.x: passive). */
bool stanza_engine_enabled(const struct conf_scope *engine);
bool stanza_engine_built(const struct conf_scope *engine);
/* It asks a daemon over a connection. */
bool stanza_engine_connects(const struct conf_scope *engine);
/* Its daemon reads messages as files, in file_base. */
bool stanza_engine_needs_files(const struct conf_scope *engine);
/* file_base does something in it. */
bool stanza_engine_uses_files(const struct conf_scope *engine);
/* The scope of ThreadPool NAME (any case), or NULL. */
const struct conf_scope *stanza_pool(const struct conf_scope *global, const char *name);
/* Name of the pool of ENGINE, in its canonical case. */
const char *stanza_engine_pool(const struct conf_scope *global, const struct conf_scope *engine);
/* Name of the pool that takes messages apart, in its canonical case. */
const char *stanza_inspection_pool(const struct conf_scope *global);
/* `scan = off` is written out. */
bool stanza_scan_off(const struct conf_scope *global);
/* `all = true` stands in an antivirus scope. */
bool stanza_all(const struct conf_scope *global);

void stanza_check_scan(const struct conf_scope *scope, struct problems *problems);
void stanza_check_pool(const struct conf_scope *scope, struct problems *problems);
void stanza_check_engine(const struct conf_scope *scope, struct problems *problems);
/* stanza_daemon.c: what is particular to kaspersky, fsecure and icap. */
void stanza_check_file_daemon(const struct conf_scope *scope, const struct engine_conf *conf,
                              struct problems *problems);
/* Of an enabled csapi engine: what its common options do not cover. */
void stanza_check_csapi(const struct conf_scope *scope, const struct engine_stanza *values, struct problems *problems);
/* Of an enabled plug-in: its library, its cage, and that nobody shares its host. */
void stanza_check_plugin(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems);
/* Of an enabled command engine, likewise. */
void stanza_check_command(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems);
/* stanza_effect.c: options of an enabled engine, or of a pool, that do nothing where they stand. */
void stanza_check_effect(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems);
void stanza_check_pool_effect(const struct conf_scope *global, const struct conf_scope *pool,
                              struct problems *problems);
/* Some verdict of an engine with this stanza puts messages into quarantine. */
bool stanza_quarantines(const struct engine_conf *conf);
/* OPTION is written in SCOPE or around it. */
bool stanza_is_given(const struct conf_scope *scope, const char *option);

/* Reply texts: defaults of the rows, and what verdicts without an engine use. */
#define STANZA_INFECTED_TEXT    "Message refused: it contains the virus \"%v\" (%e, id %i)"
#define STANZA_UNSCANNABLE_TEXT "Message refused: it cannot be checked for viruses: %v (%e, id %i)"
#define STANZA_ERROR_TEXT       "Message not accepted now, the virus scan had trouble: %v (%e, id %i). Please try again later"

#endif
