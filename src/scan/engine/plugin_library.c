/* SPDX-License-Identifier: MIT */
/* Loading a plug-in. Each refusal says what was found and what was expected: its reader is an administrator who has
 * two products of two makers before him. */
#include "scan/engine/plugin_library.h"
#include "base/span.h"
#include "sys/elf.h"

#include <dlfcn.h>
#include <link.h>
#include <postern/engine.h>

/* The table of version 1.0 is the smallest there can be; a later one than ours may be larger. */
enum { TABLE_MIN = sizeof(struct postern_engine), TABLE_MAX = 64 * 1024 };
_Static_assert(sizeof(void *) != 8 || TABLE_MIN == 128,
               "TABLE_MIN is the size of version 1.0, whatever comes after it");
static const char symbol_name[] = "postern_engine";

static enum err check_versions(const struct postern_engine *e, struct errtext *why)
{
    if (e->abi_major != POSTERN_ENGINE_ABI_MAJOR || e->abi_minor > POSTERN_ENGINE_ABI_MINOR) {
        errtext_set(why, "it was built for version %u.%u of the interface, this postern has %d.%d", e->abi_major,
                    e->abi_minor, POSTERN_ENGINE_ABI_MAJOR, POSTERN_ENGINE_ABI_MINOR);
        return ERR_DENIED;
    }
    return ERR_OK;
}

static bool reserved_is_zero(const struct postern_engine *e)
{
    bool zero = e->reserved0 == 0;
    for (size_t i = 0; i < ARRAY_SIZE(e->reserved); i++)
        zero = zero && !e->reserved[i];
    return zero;
}

enum err plugin_library_check(const struct postern_engine *e, size_t object, struct errtext *why)
{
    /* The version first: what another one means by the rest, nobody knows. */
    if (object < offsetof(struct postern_engine, name)) {
        errtext_set(why, "its symbol %s has %zu octets, expected an object of %zu", symbol_name, object, sizeof(*e));
        return ERR_DENIED;
    }
    if (check_versions(e, why) != ERR_OK)
        return ERR_DENIED;
    if (e->size < TABLE_MIN || e->size > TABLE_MAX || object < e->size) {
        errtext_set(why,
                    "its table says that it has %u octets, in an object of %zu; expected %zu or more (version %d.0), "
                    "and all of them there",
                    e->size, object, (size_t)TABLE_MIN, POSTERN_ENGINE_ABI_MAJOR);
        return ERR_DENIED;
    }
    if (!reserved_is_zero(e)) {
        errtext_set(why, "a reserved field of its table is not zero: it wants something that version %d.%d has not",
                    POSTERN_ENGINE_ABI_MAJOR, POSTERN_ENGINE_ABI_MINOR);
        return ERR_DENIED;
    }
    const char *missing = !e->name ? "name" : !e->version ? "version" : !e->open ? "open" : !e->scan ? "scan" : NULL;
    if (!missing)
        return ERR_OK;
    errtext_set(why, "its table has no %s", missing);
    return ERR_DENIED;
}

/* The object behind ADDRESS; *OBJECT is 0 where the symbol is a function, or unknown. */
static void measure(void *address, size_t *object)
{
    Dl_info info;
    void *extra = NULL;
    *object = 0;
    if (dladdr1(address, &info, &extra, RTLD_DL_SYMENT) == 0 || !extra || info.dli_saddr != address)
        return;
    const ElfW(Sym) *entry = extra;
    if ((entry->st_info & 0xf) == STT_OBJECT)
        *object = entry->st_size;
}

/* The engine in LIBRARY, which was loaded from PATH. It stays loaded even where it is refused: its constructors have
 * run, and what they have left behind may point into it. */
static enum err engine_of(void *library, const char *path, struct postern_engine *out, struct errtext *why)
{
    struct errtext inner = {""};
    size_t object;
    void *address = dlsym(library, symbol_name);
    if (!address) {
        errtext_set(why, "library %.300s has no symbol %s: it is no engine for postern", path, symbol_name);
        return ERR_NOTFOUND;
    }
    measure(address, &object);
    if (plugin_library_check(address, object, &inner) != ERR_OK) {
        errtext_set(why, "library %.200s: %.250s", path, inner.text);
        return ERR_DENIED;
    }
    memcpy(out, address, sizeof(*out)); /* what a later version has behind that is not for us */
    return ERR_OK;
}

enum err plugin_library_load(const char *path, struct postern_engine *out, struct errtext *why)
{
    struct errtext inner = {""};
    /* The loader would say "file too short" or "invalid ELF header"; and it would load what everybody may write. */
    if (elf_check(path, ELF_LIBRARY, &inner) != ERR_OK) {
        errtext_set(why, "library %.400s", inner.text);
        return ERR_DENIED;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *text = dlerror();
        errtext_set(why, "library %.200s cannot be loaded: %.250s", path, text ? text : "no reason was given");
        return ERR_IO;
    }
    return engine_of(library, path, out, why);
}
