/* SPDX-License-Identifier: MIT */
/* Stanzas of the original that stand beside its scanning: the engines' modules at top level, and what this version
 * knows by name only, so that configurations which hold them load. */
#include "scan/stanza.h"

static const struct directive module_rows[] = {
    {.name = "enabled",
     .type = DIRECTIVE_BOOL,
     .offset = CONF_OFFSET(engine_module_conf, enabled),
     .default_text = "true",
     .reload = RELOAD_LIVE,
     .description = "false: no engine of this class takes part in scanning"},
    {.name = "debug_level",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(engine_module_conf, debug_level),
     .max = 64,
     .reload = RELOAD_LIVE,
     .description = "amount of debug output (no effect yet)"},
};

#define MODULE(symbol, class_name, text)                                                                               \
    const struct scope_class symbol = {                                                                                \
        .name = (class_name),                                                                                          \
        .naming = SCOPE_UNNAMED,                                                                                       \
        .single = true,                                                                                                \
        .rows = module_rows,                                                                                           \
        .row_count = ARRAY_SIZE(module_rows),                                                                          \
        .struct_size = sizeof(struct engine_module_conf),                                                              \
        .description = (text),                                                                                         \
    }

MODULE(clamav_module_class, "clamav", "all engines of class clamav");
MODULE(kaspersky_module_class, "kaspersky", "all engines of class kaspersky");
MODULE(fsecure_module_class, "fsecure", "all engines of class fsecure");
MODULE(csapi_module_class, "csapi", "all engines of class csapi");

#define UNKNOWN(symbol, class_name, inside, how, module_name, text)                                                    \
    const struct scope_class symbol = {                                                                                \
        .name = (class_name),                                                                                          \
        .parent = (inside),                                                                                            \
        .naming = (how),                                                                                               \
        .not_built = true,                                                                                             \
        .open = true,                                                                                                  \
        .module = (module_name),                                                                                       \
        .description = (text),                                                                                         \
    }

UNKNOWN(sieve_class, "sieve", NULL, SCOPE_OPTIONAL, "validate/sieve", "policy scripts (not built yet)");
UNKNOWN(sieve_script_class, "script", &sieve_class, SCOPE_OPTIONAL, NULL, "a policy script by phase (not built yet)");
UNKNOWN(sieve_hook_class, "hook", &sieve_class, SCOPE_OPTIONAL, NULL, "a policy script by hook (not built yet)");
UNKNOWN(sievelib_class, "sievelib", NULL, SCOPE_OPTIONAL, "generic/sievelib",
        "library of policy scripts (not built yet)");
UNKNOWN(control_listener_class, "Control_Listener", NULL, SCOPE_OPTIONAL, NULL,
        "where the console connects (not built yet)");
UNKNOWN(control_listen_class, "Listen", &control_listener_class, SCOPE_NAMED, NULL,
        "one address of the console (not built yet)");
