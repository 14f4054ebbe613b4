/* SPDX-License-Identifier: MIT */
/* The list of built engines. */
#include "scan/engine/engine.h"

const struct engine_type *engine_type_find(const char *name, const struct engine_conf *conf)
{
    static const struct engine_type *const types[] = {
        &engine_clamav, &engine_kaspersky, &engine_fsecure, &engine_csapi, &engine_icap, &engine_command,
#ifdef POSTERN_TEST_ENGINE
        &engine_fake,
#endif
    };
    static const struct engine_type *const asking[] = {&engine_clamd, &engine_symantec};
    for (size_t i = 0; conf->daemon.count > 0 && i < ARRAY_SIZE(asking); i++)
        if (strcmp(asking[i]->name, name) == 0)
            return asking[i];
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}
