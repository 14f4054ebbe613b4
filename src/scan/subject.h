/* SPDX-License-Identifier: MIT */
/* What is scanned, as its owner hands it to the engines, and the marks that engines leave on it: context variables, as
 * the original has them (momentum.md E2, E3). An engine that found a virus, could not look at all, or had trouble sets
 * context_variable (default TYPE_status) to "infected", "unscannable" or "error", and the same name with "_info" to the
 * virus or the reason; where the name was changed, TYPE_status_info is set too. Clean sets nothing.
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
/* Marks S with the word V of ENGINE. Fails as dict_set does; then a reader would take it for clean. */
enum err subject_mark(const struct scan_subject *s, const struct framework_engine *engine,
                      const struct verdict *v) must_use;

#endif
