/* SPDX-License-Identifier: MIT */
/* An engine for postern as small as a real one can be: it finds byte patterns in a message. Copy it to begin your own.
 *
 *   cc -shared -fPIC -O2 $(pkg-config --cflags postern-engine) -o pattern.so pattern.c
 *
 *   antivirus { plugin "pattern" {
 *       library = "/usr/local/lib/postern/pattern.so"
 *       database = "/var/lib/pattern/patterns"             # lines: NAME HEXADECIMAL; may be missing
 *       options [ pattern = "some text" name = "My.Pattern" ]   # one more; may be missing
 *   } }
 */
#define _GNU_SOURCE
#include <errno.h>
#include <postern/engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_SIZE = 4096, PATTERN_SIZE = 1024, PATTERNS_MAX = 1000000 };

struct pattern {
    char name[POSTERN_NAME_SIZE];
    unsigned char *bytes;
    size_t len;
};

/* What `open` builds in the host and every worker shares: memory is copied at fork only where it is written. */
struct database {
    struct pattern *items;
    size_t count, room;
    uint64_t version;
};

static int add(struct database *d, const char *name, const void *bytes, size_t len)
{
    if (d->count == d->room) {
        size_t room = d->room ? 2 * d->room : 64;
        struct pattern *items = room <= PATTERNS_MAX ? realloc(d->items, room * sizeof(*items)) : NULL;
        if (!items)
            return -1;
        d->items = items;
        d->room = room;
    }
    struct pattern *p = &d->items[d->count];
    p->bytes = malloc(len);
    if (!p->bytes)
        return -1;
    memcpy(p->bytes, bytes, len);
    p->len = len;
    snprintf(p->name, sizeof(p->name), "%s", name);
    /* Any number that differs when the patterns differ does as a version. */
    for (size_t i = 0; i < len; i++)
        d->version = d->version * 31 + p->bytes[i] + 1;
    d->count++;
    return 0;
}

/* Octets of the hexadecimal TEXT, or 0 where it is none. */
static size_t from_hex(const char *text, unsigned char out[PATTERN_SIZE])
{
    size_t len = 0;
    for (; text[0] && text[1] && len < PATTERN_SIZE; text += 2) {
        unsigned value;
        char pair[3] = {text[0], text[1], '\0'};
        if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%x", &value) != 1)
            return 0;
        out[len++] = (unsigned char)value;
    }
    return text[0] ? 0 : len;
}

static int load(struct database *d, const char *path, char why[POSTERN_TEXT_SIZE])
{
    char line[LINE_SIZE], name[POSTERN_NAME_SIZE], hex[LINE_SIZE];
    unsigned char bytes[PATTERN_SIZE];
    unsigned number = 0;
    FILE *f = fopen(path, "re");
    if (!f) {
        snprintf(why, POSTERN_TEXT_SIZE, "%s: %s", path, strerror(errno));
        return -1;
    }
    while (fgets(line, sizeof(line), f)) {
        number++;
        size_t len = sscanf(line, "%127s %4095s", name, hex) == 2 ? from_hex(hex, bytes) : 0;
        if (len == 0 || add(d, name, bytes, len) != 0) {
            snprintf(why, POSTERN_TEXT_SIZE, "%s:%u: expected a name and an even number of hexadecimal digits", path,
                     number);
            fclose(f);
            return -1;
        }
    }
    fclose(f);
    return 0;
}

static int pattern_open(const struct postern_setup *setup, struct postern_info *info, void **state,
                        char why[POSTERN_TEXT_SIZE])
{
    const char *pattern = NULL, *name = "Pattern";
    struct database *d = calloc(1, sizeof(*d));
    for (size_t i = 0; i < setup->option_count; i++) {
        if (strcmp(setup->options[i].name, "pattern") == 0)
            pattern = setup->options[i].value;
        else if (strcmp(setup->options[i].name, "name") == 0)
            name = setup->options[i].value;
    }
    if (!d || (setup->database && load(d, setup->database, why) != 0))
        return -1; /* the process ends, and with it what was allocated */
    if (pattern && (!*pattern || add(d, name, pattern, strlen(pattern)) != 0)) {
        snprintf(why, POSTERN_TEXT_SIZE, "option pattern: expected some text");
        return -1;
    }
    if (d->count == 0) {
        snprintf(why, POSTERN_TEXT_SIZE,
                 "nothing to look for: expected a database with patterns, or the option pattern");
        return -1;
    }
    info->signatures = d->count;
    info->database_version = d->version;
    snprintf(info->version, sizeof(info->version), "%zu patterns", d->count);
    *state = d;
    return 0;
}

static void pattern_scan(void *state, const struct postern_message *message, struct postern_verdict *verdict)
{
    const struct database *d = state;
    verdict->verdict_class = POSTERN_CLEAN;
    if (message->length == 0)
        return;
    void *text = mmap(NULL, message->length, PROT_READ, MAP_PRIVATE, message->fd, 0);
    if (text == MAP_FAILED) {
        verdict->verdict_class = POSTERN_ERROR;
        verdict->reason = POSTERN_FAILED;
        snprintf(verdict->detail, sizeof(verdict->detail), "mmap: %s", strerror(errno));
        return;
    }
    for (size_t i = 0; i < d->count && verdict->verdict_class == POSTERN_CLEAN; i++)
        if (memmem(text, message->length, d->items[i].bytes, d->items[i].len)) {
            verdict->verdict_class = POSTERN_INFECTED;
            snprintf(verdict->name, sizeof(verdict->name), "%s", d->items[i].name);
        }
    munmap(text, message->length);
}

static const char *const options[] = {"pattern", "name", NULL};

const struct postern_engine postern_engine = {
    .size = sizeof(struct postern_engine),
    .abi_major = POSTERN_ENGINE_ABI_MAJOR,
    .abi_minor = 0,
    .name = "Pattern finder",
    .version = "1.0",
    .options = options,
    .open = pattern_open,
    .scan = pattern_scan,
};
