/* SPDX-License-Identifier: MIT */
/* Two walks over the contents of a parts file. It was sealed before it came here, so a mapping of it neither changes
 * nor ends under our feet. */
#include "scan/known_parts.h"
#include "scan/parts.h"

#include <sys/mman.h>

/* To be given back by unmap(). False: there is no such file, or it makes no sense. */
static bool map(const struct known_parts_file *file, struct parts_view *view)
{
    void *octets = file->fd < 0 || file->size == 0 || file->size > SIZE_MAX
                       ? MAP_FAILED
                       : mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (octets == MAP_FAILED)
        return false;
    bool good = parts_open_contents(span_of(octets, (size_t)file->size), file->message, view) == ERR_OK;
    if (!good)
        munmap(octets, (size_t)file->size);
    return good;
}

static void unmap(const struct parts_view *view)
{
    munmap((void *)(uintptr_t)view->file.ptr, view->file.len);
}

bool known_parts_find(struct verdict_cache *c, const struct known_parts_file *file, struct verdict_cache_view view,
                      uint64_t now_us, struct verdict *out)
{
    struct verdict_cache_stats stats;
    struct parts_view parts;
    bool found = false;
    verdict_cache_stats(c, &stats);
    if (stats.parts == 0 || !map(file, &parts))
        return false;
    for (uint32_t i = 0; i < parts.contents && i < KNOWN_PARTS_LOOKED_UP && !found; i++) {
        struct parts_content content;
        parts_content(&parts, i, &content);
        found = verdict_cache_find_part(c, content.digest, content.size, view, now_us, out);
        if (found)
            verdict_copy_text(out->part, sizeof(out->part), span_cstr(content.path));
    }
    unmap(&parts);
    return found;
}

void known_parts_learn(struct verdict_cache *c, const struct known_parts_file *file, const struct verdict *v,
                       uint64_t now_us)
{
    struct parts_view parts;
    struct parts_content content, meant = {.size = 0};
    unsigned count = 0;
    if (!c || v->class != VERDICT_INFECTED || !v->part[0] || !map(file, &parts))
        return;
    for (uint32_t i = 0; i < parts.contents; i++) {
        parts_content(&parts, i, &content);
        if (strcmp(content.path, v->part) == 0) {
            meant = content;
            count++;
        }
    }
    unmap(&parts);
    if (count == 1)
        verdict_cache_put_part(c, meant.digest, meant.size, v, now_us);
}
