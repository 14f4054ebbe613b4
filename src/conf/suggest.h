/* SPDX-License-Identifier: MIT */
/* Which known name an unknown one was meant to be: offer each candidate; `best` is NULL when none is near enough. For
 * options, scopes and the console's commands. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

struct suggestion {
    const char *name, *best; /* borrowed */
    unsigned distance;
};
void suggestion_init(struct suggestion *s, const char *name);
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
