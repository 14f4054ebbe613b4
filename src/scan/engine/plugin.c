/* SPDX-License-Identifier: MIT */
/* The engine `plugin`: a vendor's engine in a shared library, behind the public interface postern/engine.h. This file
 * and the two beside it (plugin_library.h, plugin_verdict.h) are all of postern that knows that interface; to the rest
 * it is an engine like any other (engine.h), so neither header follows the other's changes.
 *
 * The program postern-plugin links it and no other engine: a process with a vendor's code never has libclamav in it. */
#include "base/mem.h"
#include "base/num.h"
#include "conf/suggest.h"
#include "scan/engine/engine.h"
#include "scan/engine/plugin_helpers.h"
#include "scan/engine/plugin_library.h"
#include "scan/engine/plugin_verdict.h"

#include <fcntl.h>
#include <postern/engine.h>
#include <unistd.h>

enum {
    OPTIONS_MAX = 256,     /* names that a plug-in may have */
    KNOWN_TEXT = 200,      /* of them, in a message */
    DESCRIPTORS_MORE = 64, /* that a worker may hold after a scan, beyond those at its start */
};

struct plugin {
    struct postern_engine table; /* a copy of its own, as far as it has that */
    void *state;                 /* its own */
    struct postern_option *options;
    struct engine_needs needs;
    /* in a worker */
    int first_free, free_now; /* the lowest number that a descriptor could have: at its start, after its last scan */
};

/* Texts of the library, which may lack their end. */
static struct span foreign_text(const char *text, size_t max)
{
    return text ? span_of(text, strnlen(text, max)) : span_of(NULL, 0);
}

static void list_options(const struct postern_engine *e, char out[KNOWN_TEXT])
{
    size_t len = 0;
    snprintf(out, KNOWN_TEXT, "it has none");
    for (size_t i = 0; e->options && i < OPTIONS_MAX && e->options[i] && len < KNOWN_TEXT; i++)
        len += (size_t)snprintf(out + len, KNOWN_TEXT - len, "%s%.40s", i ? ", " : "known are ", e->options[i]);
}

/* The plug-in's own spelling of NAME, or NULL. */
static const char *find_option(const struct postern_engine *e, const char *name)
{
    for (size_t i = 0; e->options && i < OPTIONS_MAX && e->options[i]; i++)
        if (span_eq_nocase(span_cstr(e->options[i]), span_cstr(name)))
            return e->options[i];
    return NULL;
}

static void refuse_option(const struct postern_engine *e, const char *name, struct errtext *why)
{
    char known[KNOWN_TEXT];
    struct suggestion near;
    list_options(e, known);
    suggestion_init(&near, name);
    for (size_t i = 0; e->options && i < OPTIONS_MAX && e->options[i]; i++)
        suggestion_offer(&near, e->options[i]);
    if (near.best)
        errtext_set(why, "options: \"%.60s\" is none of this plug-in's: did you mean \"%.60s\"? (%s)", name, near.best,
                    known);
    else
        errtext_set(why, "options: \"%.60s\" is none of this plug-in's: %s", name, known);
}

/* What the stanza says, in the plug-in's spelling. */
static enum err collect_options(struct plugin *p, const struct conf_dict *given, struct errtext *why)
{
    p->options = mem_new(given->count + 1, sizeof(*p->options));
    if (!p->options) {
        errtext_set(why, "no memory for its options");
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < given->count; i++) {
        const char *name = find_option(&p->table, given->items[i].key);
        if (!name) {
            refuse_option(&p->table, given->items[i].key, why);
            return ERR_DENIED;
        }
        for (size_t k = 0; k < i; k++)
            if (p->options[k].name == name) {
                errtext_set(why, "options: \"%.60s\" is there twice", name);
                return ERR_DENIED;
            }
        p->options[i] = (struct postern_option){.name = name, .value = given->items[i].value};
    }
    return ERR_OK;
}

/* The version line of log and console: product, its version, and what it says of its database. */
static void describe(const struct plugin *p, const struct postern_info *given, struct engine_info *info)
{
    char text[(size_t)2 * POSTERN_NAME_SIZE + sizeof(given->version)];
    struct span name = foreign_text(p->table.name, POSTERN_NAME_SIZE);
    struct span version = foreign_text(p->table.version, POSTERN_NAME_SIZE);
    struct span more = foreign_text(given->version, sizeof(given->version));
    int len = snprintf(text, sizeof(text), "%.*s %.*s%s%.*s", SPAN_ARG(name), SPAN_ARG(version), more.len ? ", " : "",
                       (int)more.len, more.len ? more.ptr : "");
    verdict_copy_text(info->version, sizeof(info->version), span_of(text, len > 0 ? (size_t)len : 0));
    verdict_copy_text(info->missing, sizeof(info->missing), foreign_text(given->missing, sizeof(given->missing)));
    info->database_version = given->database_version;
    info->signatures = given->signatures;
}

/* WHY out of what the plug-in wrote. */
static void explain(const char *call, int result, const char text[POSTERN_TEXT_SIZE], struct errtext *why)
{
    char clean[POSTERN_TEXT_SIZE];
    struct span given = foreign_text(text, POSTERN_TEXT_SIZE);
    verdict_copy_text(clean, sizeof(clean), given);
    errtext_set(why, "the plug-in's %s returned %d: %s", call, result, clean[0] ? clean : "it gave no reason");
}

/* It wrote where it may, as far as we can see. */
static bool info_is_whole(const struct postern_info *given)
{
    uint64_t reserved = given->reserved0;
    for (size_t i = 0; i < ARRAY_SIZE(given->reserved); i++)
        reserved |= given->reserved[i];
    return given->size == sizeof(*given) && reserved == 0;
}

static enum err open_engine(struct plugin *p, const struct engine_conf *conf, struct engine_info *info,
                            struct errtext *why)
{
    char text[POSTERN_TEXT_SIZE] = "";
    struct postern_info given = {.size = sizeof(given)};
    const struct postern_setup setup = {.size = sizeof(setup),
                                        .abi_minor = POSTERN_ENGINE_ABI_MINOR,
                                        .instance = conf->plugin.instance,
                                        .database = conf->database,
                                        .options = p->options,
                                        .option_count = conf->plugin.options.count};
    int result = p->table.open(&setup, &given, &p->state, text);
    if (result != 0) {
        explain("open", result, text, why);
        return ERR_STATE;
    }
    if (!info_is_whole(&given)) {
        errtext_set(why, "its open changed the size or a reserved field of its postern_info: expected zero there");
        return ERR_STATE;
    }
    describe(p, &given, info);
    return ERR_OK;
}

static void set_needs(struct plugin *p, const struct plugin_conf *conf)
{
    p->needs = (struct engine_needs){0};
    if (conf->sandbox != PLUGIN_SANDBOX_VENDOR)
        return;
    p->needs.widened = true;
    p->needs.unix_sockets = conf->allow_unix_sockets;
    p->needs.executable_memory = conf->allow_executable_memory;
    p->needs.read = conf->allow_read.items;
    p->needs.read_count = conf->allow_read.count;
    for (size_t i = 0; i < conf->allow_ports.count && p->needs.port_count < ENGINE_PORTS; i++) {
        uint64_t port;
        if (num_parse_u64(span_cstr(conf->allow_ports.items[i]), UINT16_MAX, &port) == ERR_OK && port > 0)
            p->needs.ports[p->needs.port_count++] = (uint16_t)port;
    }
}

/* The plug-in has no say in it: its library stays, and so does whatever its state is. */
static void plugin_close(void *state)
{
    struct plugin *p = state;
    if (!p)
        return;
    mem_free(p->options);
    mem_free(p);
}

static enum err plugin_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    *state = NULL;
    memset(info, 0, sizeof(*info));
    struct plugin *p = MEM_NEW(struct plugin);
    if (!p) {
        errtext_set(why, "plugin: no memory");
        return ERR_NOMEM;
    }
    struct plugin_helpers helpers; /* a library's constructors may start some, too */
    struct errtext left;
    p->first_free = -1;
    set_needs(p, &conf->plugin);
    plugin_helpers_begin(&helpers);
    enum err e = plugin_library_load(conf->plugin.library, &p->table, why);
    if (e == ERR_OK)
        e = collect_options(p, &conf->plugin.options, why);
    if (e == ERR_OK)
        e = open_engine(p, conf, info, why);
    if (plugin_helpers_end(&helpers, "open", &left) != ERR_OK && e == ERR_OK) {
        *why = left;
        e = ERR_STATE;
    }
    if (e != ERR_OK) {
        plugin_close(p);
        return e;
    }
    *state = p;
    return ERR_OK;
}

/* The lowest number that is free; it rises for good with each descriptor that is not closed. -1: none is. */
static int lowest_free(void)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd;
}

static enum err plugin_worker_start(void *state, const char *temp, struct errtext *why)
{
    struct plugin *p = state;
    char text[POSTERN_TEXT_SIZE] = "";
    struct plugin_helpers helpers;
    plugin_helpers_begin(&helpers);
    int result = p->table.worker_start ? p->table.worker_start(p->state, temp, text) : 0;
    enum err e = plugin_helpers_end(&helpers, "worker_start", why);
    if (result != 0) {
        explain("worker_start", result, text, why);
        return ERR_STATE;
    }
    if (e != ERR_OK)
        return e;
    p->first_free = lowest_free();
    return ERR_OK;
}

static void plugin_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    struct plugin *p = state;
    const struct postern_message message = {
        .size = sizeof(message), .fd = (int32_t)fd, .length = size, .time_ms = time_ms};
    struct postern_verdict given = {.size = sizeof(given)};
    p->table.scan(p->state, &message, &given);
    p->free_now = lowest_free(); /* while the message's descriptor still holds what would be the lowest */
    plugin_verdict_read(&given, out);
}

static bool plugin_is_worn(void *state, struct errtext *why)
{
    const struct plugin *p = state;
    if (p->free_now >= 0 && p->free_now <= p->first_free + 1 + DESCRIPTORS_MORE)
        return false;
    errtext_set(why, "the plug-in holds more than %d descriptors beyond those at its start", DESCRIPTORS_MORE);
    return true;
}

/* Without a database of its own the library is what may change. */
static const char *plugin_database(const struct engine_conf *conf)
{
    return conf->database ? conf->database : conf->plugin.library;
}

static const struct engine_needs *plugin_needs(const void *state)
{
    const struct plugin *p = state;
    return &p->needs;
}

const struct engine_type engine_plugin = {
    .name = "plugin",
    .cage = ENGINE_CAGE_STRICT,
    .foreign = true,
    .open = plugin_open,
    .worker_start = plugin_worker_start,
    .scan = plugin_scan,
    .close = plugin_close,
    .database = plugin_database,
    .needs = plugin_needs,
    .is_worn = plugin_is_worn,
};
