/* SPDX-License-Identifier: MIT */
/* Stanzas of the original that stand beside its scanning and that this version knows by name only, so that
 * configurations which hold them load, with a warning. */
#include "scan/stanza.h"

#define NOT_BUILT(symbol, class_name, module_name, text)                                                               \
    const struct scope_class symbol = {                                                                                \
        .name = (class_name),                                                                                          \
        .naming = SCOPE_OPTIONAL,                                                                                      \
        .not_built = true,                                                                                             \
        .open = true,                                                                                                  \
        .module = (module_name),                                                                                       \
        .description = (text),                                                                                         \
    }

NOT_BUILT(sieve_class, "sieve", "validate/sieve", "policy scripts (not built yet)");
NOT_BUILT(sievelib_class, "sievelib", "generic/sievelib", "a library of policy scripts (not built yet)");
