/* SPDX-License-Identifier: MIT */
/* libclamav loads its RAR module by name at run time, since its licence keeps it out of Debian's main archive. postern
 * itself is not linked with libclamav, so it looks for the module the way the dynamic linker would. */
#include "daemon/unrar.h"
#include <dlfcn.h>
#include <stddef.h>

const char unrar_missing_text[] = "libclamunrar is not installed: RAR archives cannot be opened and are unscannable "
                                  "(package libclamunrar, in Debian's section non-free)";

bool unrar_matters(const struct framework *fw)
{
    for (size_t i = 0; i < fw->engine_count; i++) {
        const struct framework_engine *e = &fw->engines[i];
        bool ours = strcmp(e->type, "csapi") == 0 && e->conf->daemon.count == 0 && !e->conf->scanner.path;
        if (strcmp(e->type, "clamav") == 0 || ours)
            return true;
    }
    return false;
}

bool unrar_is_installed(void)
{
    static const char *const names[] = {"libclamunrar_iface.so.12", "libclamunrar_iface.so.11",
                                        "libclamunrar_iface.so"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *module = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
        if (!module)
            continue;
        bool usable = dlsym(module, "libclamunrar_iface_LTX_unrar_open") != NULL;
        dlclose(module);
        if (usable)
            return true;
    }
    return false;
}
