/* SPDX-License-Identifier: MIT */
/* What makes postern-plugin another program than postern-scan: its list of engines, which is a vendor's library and
 * nothing else. The linker takes this list instead of scan/engine/engine.c, and with it none of the other engines and
 * no libclamav: a vendor's code shares its process with nothing that is under the GPL or parses mail. */
#include "scan/engine/engine.h"

const struct engine_type *engine_type_find(const char *name, const struct engine_conf *conf)
{
    (void)conf;
    return strcmp(name, engine_plugin.name) == 0 ? &engine_plugin : NULL;
}
