/* SPDX-License-Identifier: MIT */
/* Builds the children's environment from nothing; what ours holds beyond the names below stays here. */
#include "daemon/environment.h"
#include "base/mem.h"

static const char *const fixed[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};

static const char *const passed_on[] = {
#ifdef POSTERN_SANITIZED
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "TSAN_OPTIONS",
    "LSAN_OPTIONS",
#endif
#ifdef POSTERN_SANDBOX_SWITCH
    "POSTERN_NO_SECCOMP",
    "GCOV_PREFIX",
#endif
    NULL};

_Static_assert(ARRAY_SIZE(fixed) + ARRAY_SIZE(passed_on) < ENVIRONMENT_MAX, "ENVIRONMENT_MAX is too small");

static char *join(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *item = mem_new(size, 1);
    if (item)
        snprintf(item, size, "%s=%s", name, value);
    return item;
}

enum err environment_init(struct environment *e)
{
    size_t count = 0;
    *e = (struct environment){{NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++, count++) {
        if (!(e->items[count] = mem_strdup(span_cstr(fixed[i]))))
            goto no_memory;
    }
    for (size_t i = 0; passed_on[i]; i++) {
        const char *value = getenv(passed_on[i]);
        if (!value)
            continue;
        if (!(e->items[count++] = join(passed_on[i], value)))
            goto no_memory;
    }
    return ERR_OK;
no_memory:
    environment_release(e);
    return ERR_NOMEM;
}

void environment_release(struct environment *e)
{
    for (size_t i = 0; i < ENVIRONMENT_MAX; i++) {
        mem_free(e->items[i]);
        e->items[i] = NULL;
    }
}
