/* SPDX-License-Identifier: MIT */
/* The two contexts of the original (momentum.md E4), as engines and, later, policy see them: of the connection and of
 * the message. A name is looked up among what was set for the message, what was set for the connection, what the
 * listener's `context [ name = value ]` says, and last among the predefined variables (context.def), which are computed
 * when somebody asks. Clients cannot set any. Engines ask with context_is_set and mark with context_set_message;
 * context_get and context_set_connection are for policy. Private to src/proxy. Thread: the loop's.
 */
#ifndef PROXY_CONTEXT_H
#define PROXY_CONTEXT_H

#include "proxy/session.h"

enum { CONTEXT_VALUE = LIMIT_PATH + 1 }; /* a value with its NUL */

/* The value of NAME, or NULL when it is not set. OUT is where a predefined variable is written; the result, there or in
 * a dictionary, is valid until the session's next step. */
const char *context_get(const struct session *s, const char *name, char out[CONTEXT_VALUE]);
/* NAME was set, by an engine or in the configuration. Predefined variables do not count: what a client says decides
 * their values, and some only exist when it says so. */
bool context_is_set(const struct session *s, const char *name);
/* Sets a variable of the current message. Fails as dict_set does. */
enum err context_set_message(struct session *s, const char *name, const char *value) must_use;
/* Sets a variable that lives as long as the connection. */
enum err context_set_connection(struct session *s, const char *name, const char *value) must_use;
/* What was set for the message, as "name=value; name=value", for the log. False: nothing was. */
bool context_words(const struct session *s, char *out, size_t size);

#endif
