/* SPDX-License-Identifier: MIT */
/* What is scanned, as its owner hands it to the engines, and the marks that engines leave on it: context variables, as
 * the original has them (momentum.md E2, E3). An engine that found a virus, could not look at all, or had trouble sets
 * context_variable (default TYPE_status) to "infected", "unscannable" or "error", and the same name with "_info" to the
 * virus or the reason; where the name was changed, TYPE_status_info is set too. Clean sets nothing, and takes back
 * nothing. Where several engines set one variable, the strictest word stands in it: the original, which has one engine
 * of a type, is silent about that, and no virus may be hidden by another engine's trouble.
 */
#ifndef SCAN_SUBJECT_H
#define SCAN_SUBJECT_H

#include "scan/framework.h"

struct scan_subject {
    int fd; /* the sealed message, borrowed */
    uint64_t size;
    const uint8_t *digest; /* SHA-256, 32 octets; copied */
    /* Context variables; NULL: there are none and none are wanted. IS_SET: of the message or its connection, by whoever
     * may switch scanning off; never by the client. */
    bool (*is_set)(void *arg, const char *variable);
    enum err (*set)(void *arg, const char *variable, const char *value);
    void *arg;
};

/* A variable of S that keeps ENGINE from scanning it: its skip_context_variable, or __bypass_NAME with the engine's
 * name or type. NULL: there is none, it is to be scanned. NAME receives the variable's name. */
enum { SUBJECT_VARIABLE = 160 };
const char *subject_skip(const struct scan_subject *s, const struct framework_engine *engine,
                         char name[SUBJECT_VARIABLE]);

/* The variables that the words of an engine go into: status, its info, and STEM_status_info where that is another name;
 * otherwise the third is empty. STEM: framework_stem. */
enum { SUBJECT_MARKS = 3 };
struct subject_marks {
    char names[SUBJECT_MARKS][SUBJECT_VARIABLE + 8];
};
void subject_marks(const char *stem, const struct engine_conf *conf, struct subject_marks *out);
/* What each engine of the framework has said about S so far, by its number; all zero: nothing. */
struct subject_words {
    bool said[LIMIT_ENGINES];
    enum verdict_class classes[LIMIT_ENGINES];
};
/* Marks S with the word V of engine number ENGINE of FW, and notes it in WORDS. Fails as dict_set does; then a reader
 * would take it for clean. */
enum err subject_mark(const struct scan_subject *s, const struct framework *fw, size_t engine, const struct verdict *v,
                      struct subject_words *words) must_use;

#endif
