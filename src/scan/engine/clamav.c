/* SPDX-License-Identifier: MIT */
/* libclamav as an engine: the only home of clamav.h. It maps what libclamav says to a verdict; it knows nothing of
 * queues, processes or sandboxes, but keeps to what the strict sandbox allows (no machine code made at run time, files
 * only below its temporary directory).
 *
 * What libclamav 1.4 leaves to its caller, each point measured:
 * - an engine that loaded nothing still compiles and finds everything clean: cl_load's result and count are checked;
 * - limits reached inside a container are "clean" unless EXCEEDS_MAX is set; then the name can be NULL;
 * - of a zip member larger than max_filesize it scans the beginning and calls that clean, EXCEEDS_MAX or not: such
 * layers are noticed by their size;
 * - the cache of clean files is keyed by MD5 and ignores options: off;
 * - without the separate library libclamunrar a RAR archive is "clean". The type of an inner file is known to a
 * callback, but a self-extracting archive is only "an executable" there, so the layer's own bytes are searched for
 * RAR's signature;
 * - so are containers of types that it does not know, or zip members packed by LZMA and others: see container.h;
 * - members of a 7z, CAB, ARJ or LHA archive that it cannot unpack (other coders, a broken stream) are passed over in
 * silence. Each is named to a callback first, and if it is unpacked, that shows as a layer: a member that was named and
 * did not show was not looked at;
 * - so are members of a zip that cannot be unpacked, and those whose place or size its headers do not tell, or not in
 * the way that libclamav reads them (zip64, self-extracting with data descriptors): zip_watch.h compares what a zip
 * lists with what shows;
 * - an archive of these kinds whose table it cannot read is passed over whole, and nothing is named: members.h tells
 * which ones hold something;
 * - so are members of a tar that it reads otherwise than tar does: tar.h;
 * - of bzip2 in several streams it unpacks the first, and `ar` archives it does not know: carve.h takes out what is in
 * them, and each is scanned as the message is;
 * - encrypted members it reports of zip, 7z and RAR archives, encrypted documents of PDF only: of others the callback
 * for members is told, and mime/locked.h looks at every layer;
 * - a temporary file that cannot be made, written or read (disk full, no inodes, no descriptors), one that vanished,
 * and an allocation that fails end a part of the scan, and the result is "clean" in many places: see shortage.h.
 *
 * It has a MIME reader of its own. Where decoded parts follow the message, those that it took out of it as well, octet
 * for octet, are known as layers (layers.h) of a scan that found nothing and reached no limit. Only what it takes out
 * of mail counts: there each layer is a file of its own, whose kind is found out as that of a file handed to it is. */
/* OpenSSL, which clamav.h includes whole, has a type of the name of one of our error codes. */
#define ERR_STATE openssl_err_state
#include <clamav.h>
#undef ERR_STATE

#include <errno.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "mime/locked.h"
#include "scan/engine/carve.h"
#include "scan/engine/clamav_name.h"
#include "scan/engine/container.h"
#include "scan/engine/engine.h"
#include "scan/engine/members.h"
#include "scan/engine/shortage.h"
#include "scan/engine/tar.h"
#include "scan/engine/zip_watch.h"
#include "scan/ignore.h"
#include "sys/clock.h"

enum {
    UNZIP_BLOCK = 8192, /* libclamav's unzip works in blocks of BUFSIZ and drops the one that crosses max_filesize */
    TINY_FILE = 5,      /* smaller ones cannot carry anything, says libclamav, and makes no layer of them */
};

/* What libclamav said last. Its message callback is one per process and gets no argument of ours while a database
 * loads, so this cannot live in the engine's state; it is written and read by the one thread of a scan host's process
 * only. */
static struct {
    char text[ERRTEXT_SIZE / 2];
    size_t len;
} last_words;

struct clamav {
    struct cl_engine *engine;
    struct cl_scan_options options;
    uint64_t max_filesize;
    struct carve_limits limits;
    bool has_unrar;
    struct conf_list ignored; /* false alarms by name */
    bool parts_follow;        /* the message is decomposed */
    struct layers layers;     /* of the last scan; none unless it was clean */
};

/* What the callbacks see of one message. */
struct findings {
    struct clamav *engine;
    uint32_t mail_depth; /* so many of the layers around the next one are mail, from the outermost on */
    dev_t device;        /* of the file that is scanned */
    ino_t inode;
    bool rar, cut;
    bool member_due, member_lost; /* a member was named and has not shown as a layer (yet, or ever) */
    bool archive_due;             /* an archive holds something and none of its members has been named yet, */
    bool archive_lost;            /* or ever */
    bool out_of_memory;           /* some files were not looked at */
    struct carve *carve;          /* what libclamav does not take out */
    const struct carved *item;    /* of these, what is scanned; NULL: the message */
    const char *unsupported;      /* kind of container that cannot be opened */
    const char *locked;           /* kind of file that wants a password */
    struct zip_watch zips;        /* what they list and what of that showed */
    struct shortage before;       /* the scan */
    char name[LIMIT_VERDICT_NAME +
              1]; /* of the first detection that counts; one that says "infected", if there is any */
    char ignored[LIMIT_VERDICT_NAME + 1]; /* of the first that does not */
};

static void on_message(enum cl_msg severity, const char *full, const char *text, void *context)
{
    (void)full, (void)context;
    if (severity != CL_MSG_ERROR || !text)
        return;
    size_t room = sizeof(last_words.text) - last_words.len;
    int n = snprintf(last_words.text + last_words.len, room, "%s%.*s", last_words.len ? "; " : "",
                     (int)strcspn(text, "\n"), text);
    if (n > 0)
        last_words.len = (size_t)n < room ? last_words.len + (size_t)n : sizeof(last_words.text) - 1;
}

static void forget_messages(void)
{
    last_words.text[0] = '\0';
    last_words.len = 0;
}

/* Said of what could not be looked at, not of a virus. */
static bool is_heuristic(const char *name)
{
    struct verdict v;
    clamav_name_verdict(span_cstr(name), &v);
    return v.class != VERDICT_INFECTED;
}

static void on_virus(int fd, const char *name, void *context)
{
    (void)fd;
    struct findings *f = context;
    if (!f || !name)
        return;
    bool ignored = ignore_holds_name(&f->engine->ignored, name);
    char *out = ignored ? f->ignored : f->name;
    if (!out[0] || (!ignored && is_heuristic(out) && !is_heuristic(name)))
        verdict_copy_text(out, sizeof(f->name), span_cstr(name));
}

/* A layer that the MIME reader wrote to a file of its own: not a piece of a file that is looked at as one kind of thing
 * only. */
static void note_layer(struct findings *f, int fd, const char *type, struct span file, uint32_t depth)
{
    struct stat st;
    struct sha256_digest digest;
    if (!f->engine->parts_follow || f->item || depth > f->mail_depth)
        return;
    f->mail_depth = type && strcmp(type, "CL_TYPE_MAIL") == 0 ? depth + 1 : depth;
    if (depth == 0 || file.len == 0 || fd < 0 || fstat(fd, &st) != 0 || (uint64_t)st.st_size != file.len ||
        (st.st_dev == f->device && st.st_ino == f->inode))
        return;
    struct sha256 *h = sha256_new();
    if (h && sha256_update(h, file) == ERR_OK && sha256_finish(h, &digest) == ERR_OK)
        layers_add(&f->engine->layers, file.len, &digest);
    sha256_free(h);
}

static bool alerts_encrypted(const struct findings *f)
{
    return (f->engine->options.heuristic & CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE) != 0;
}

static void note_locked(struct findings *f, struct span file)
{
    if (!f->locked && alerts_encrypted(f) && mime_locked(file, &f->locked) != ERR_OK)
        f->out_of_memory = true;
}

static cl_error_t on_layer(int fd, const char *type, const char **ancestors, size_t parent_size, const char *name,
                           size_t size, const char *bytes, uint32_t depth, uint32_t attributes, void *context)
{
    (void)ancestors, (void)name, (void)attributes;
    struct findings *f = context;
    if (!f)
        return CL_CLEAN;
    f->member_due = false;
    f->archive_lost = f->archive_lost || f->archive_due;
    if (depth > 0 && f->engine->max_filesize && size + UNZIP_BLOCK > f->engine->max_filesize)
        f->cut = true;
    struct span file = span_of(bytes, bytes ? size : 0);
    note_layer(f, fd, type, file, depth);
    if (!f->rar)
        f->rar = (type && strncmp(type, "CL_TYPE_RAR", 11) == 0) || container_holds_rar(file);
    if (!f->unsupported)
        f->unsupported = container_unsupported(file);
    if (!f->unsupported)
        f->unsupported = tar_unsupported(file, type);
    enum members promised = members_promised(file, type);
    f->archive_due = promised == MEMBERS_SOME;
    if (promised == MEMBERS_LOCKED && !f->locked)
        f->locked = "7z archive";
    carve_layer(f->carve, file, type, (f->item ? f->item->depth : 0) + depth, f->item && f->item->whole && depth == 0);
    note_locked(f, file);
    zip_watch_layer(&f->zips, &(struct zip_layer){depth, parent_size, file, type});
    return CL_CLEAN;
}

/* The kinds whose members are named one at a time, each right before it is unpacked; with their self-extracting forms.
 */
static bool names_each_member(const char *container)
{
    static const char *const types[] = {"CL_TYPE_7Z", "CL_TYPE_MSCAB", "CL_TYPE_CABSFX", "CL_TYPE_ARJ", "CL_TYPE_LHA"};
    for (size_t i = 0; container && i < ARRAY_SIZE(types); i++)
        if (span_starts(span_cstr(container), span_cstr(types[i])))
            return true;
    return false;
}

static cl_error_t on_member(const char *container, unsigned long packed, const char *name, unsigned long size,
                            int encrypted, unsigned position, void *context)
{
    (void)packed, (void)name, (void)position;
    struct findings *f = context;
    if (!f)
        return CL_CLEAN;
    f->member_lost = f->member_lost || f->member_due;
    f->archive_due = f->archive_due && !names_each_member(container);
    f->member_due = names_each_member(container) && size > TINY_FILE && !encrypted;
    if (encrypted && !f->locked)
        f->locked = "archive with an encrypted member";
    return CL_CLEAN;
}

static int is_unrar(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    if (info->dlpi_name && strstr(info->dlpi_name, "libclamunrar_iface"))
        *(bool *)found = true;
    return 0;
}

/* cl_init loads the RAR plug-in if it finds one, and says so to nobody; but then it is among the loaded objects. */
static bool unrar_is_loaded(void)
{
    bool found = false;
    dl_iterate_phdr(is_unrar, &found);
    return found;
}

struct setting {
    enum cl_engine_field field;
    long long value;
    const char *name;
};

static enum err apply_settings(struct cl_engine *engine, const struct engine_conf *conf, struct errtext *why)
{
    const struct setting settings[] = {
        {CL_ENGINE_DISABLE_CACHE, 1, "cache"},
        {CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER, "bytecode mode"},
        {CL_ENGINE_MAX_SCANSIZE, conf->max_scansize, "max_scansize"},
        {CL_ENGINE_MAX_FILESIZE, conf->max_filesize, "max_filesize"},
        {CL_ENGINE_MAX_RECURSION, conf->max_recursion, "max_recursion"},
        {CL_ENGINE_MAX_FILES, conf->max_files, "max_files"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (settings[i].value <=
            0) /* unset: the library's default, which is a limit too; its 0 would mean "no limit" */
            continue;
        cl_error_t rc = cl_engine_set_num(engine, settings[i].field, settings[i].value);
        if (rc != CL_SUCCESS) {
            errtext_set(why, "libclamav refused %s = %lld: %s", settings[i].name, settings[i].value, cl_strerror(rc));
            return ERR_RANGE;
        }
    }
    cl_engine_set_clcb_virus_found(engine, on_virus);
    cl_engine_set_clcb_file_inspection(engine, on_layer);
    cl_engine_set_clcb_meta(engine, on_member);
    return ERR_OK;
}

/* libclamav knows what it has unpacked of an official database by its path alone: below such a one everything is. */
static bool passes_for_official(const char *path)
{
    return strstr(path, "clamav-") != NULL;
}

static enum err load_database(struct cl_engine *engine, const char *path, bool official_only, struct engine_info *info,
                              struct errtext *why)
{
    unsigned signatures = 0;
    forget_messages();
    if (access(path, R_OK) != 0) {
        errtext_set(why, "database %s: %s", path, strerror(errno));
        return ERR_NOTFOUND;
    }
    if (official_only && passes_for_official(path)) {
        errtext_set(why,
                    "database %s: with \"clamav-\" in its path libclamav takes every file for an official one, "
                    "and official_only would be without effect: expected another path",
                    path);
        return ERR_DENIED;
    }
    cl_error_t rc = cl_load(path, engine, &signatures, CL_DB_STDOPT | (official_only ? CL_DB_OFFICIAL_ONLY : 0));
    if (rc == CL_EOPEN && strstr(last_words.text, "No supported database files"))
        rc = CL_SUCCESS; /* an empty directory */
    if (rc != CL_SUCCESS) {
        errtext_set(why, "database %s: %s%s%s", path, cl_strerror(rc), last_words.text[0] ? ": " : "", last_words.text);
        return ERR_SYNTAX;
    }
    if (signatures == 0) {
        errtext_set(why, "database %s: no %ssignatures found", path, official_only ? "official " : "");
        return ERR_NOTFOUND;
    }
    rc = cl_engine_compile(engine);
    if (rc != CL_SUCCESS) {
        errtext_set(why, "database %s: cannot be compiled: %s%s%s", path, cl_strerror(rc),
                    last_words.text[0] ? ": " : "", last_words.text);
        return ERR_SYNTAX;
    }
    info->signatures = signatures;
    long long version = cl_engine_get_num(engine, CL_ENGINE_DB_VERSION, NULL);
    info->database_version = version > 0 ? (uint64_t)version : 0;
    long long made = cl_engine_get_num(engine, CL_ENGINE_DB_TIME, NULL);
    info->database_time = made > 0 ? (uint64_t)made : 0;
    return ERR_OK;
}

/* OpenSSL reads its configuration at the first use, which has to be before the cage. */
static bool digest_works(void)
{
    struct sha256_digest ignored;
    struct sha256 *h = sha256_new();
    bool works = h && sha256_finish(h, &ignored) == ERR_OK;
    sha256_free(h);
    return works;
}

static const char *clamav_database(const struct engine_conf *conf)
{
    return conf->database ? conf->database : cl_retdbdir();
}

/* Those that libclamav has for itself. */
static struct carve_limits limits_of(const struct cl_engine *engine)
{
    return (struct carve_limits){.scan = (uint64_t)cl_engine_get_num(engine, CL_ENGINE_MAX_SCANSIZE, NULL),
                                 .file = (uint64_t)cl_engine_get_num(engine, CL_ENGINE_MAX_FILESIZE, NULL),
                                 .files = (uint64_t)cl_engine_get_num(engine, CL_ENGINE_MAX_FILES, NULL),
                                 .depth = (uint32_t)cl_engine_get_num(engine, CL_ENGINE_MAX_RECURSION, NULL)};
}

static void clamav_close(void *state)
{
    struct clamav *c = state;
    if (!c)
        return;
    if (c->engine)
        cl_engine_free(c->engine);
    mem_free(c);
}

static enum err clamav_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    *state = NULL;
    memset(info, 0, sizeof(*info));
    cl_set_clcb_msg(on_message);
    cl_error_t rc = cl_init(CL_INIT_DEFAULT); /* harmless when another instance did it */
    if (rc != CL_SUCCESS) {
        errtext_set(why, "libclamav does not start: %s", cl_strerror(rc));
        return ERR_IO;
    }
    struct clamav *c = MEM_NEW(struct clamav);
    if (!c || !(c->engine = cl_engine_new())) {
        mem_free(c);
        errtext_set(why, "libclamav: out of memory");
        return ERR_NOMEM;
    }
    enum err e = apply_settings(c->engine, conf, why);
    if (e == ERR_OK)
        e = load_database(c->engine, clamav_database(conf), conf->official_only, info, why);
    if (e != ERR_OK) {
        clamav_close(c);
        return e;
    }
    c->ignored = conf->ignore_signatures;
    c->parts_follow = conf->mime_decompose && digest_works();
    c->has_unrar = unrar_is_loaded();
    c->max_filesize = (uint64_t)cl_engine_get_num(c->engine, CL_ENGINE_MAX_FILESIZE, NULL);
    c->limits = limits_of(c->engine);
    /* Everything is taken apart. Heuristics that guess (phishing, macros, broken files) stay off: what a message merely
     * looks like is a policy's business. message/partial is not put together from parts of other messages. */
    c->options.parse = ~0U;
    c->options.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX;
    if (conf->alert_encrypted)
        c->options.heuristic |= CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC;
    snprintf(info->version, sizeof(info->version), "libclamav %s", cl_retver());
    if (!c->has_unrar)
        snprintf(info->missing, sizeof(info->missing),
                 "RAR archives cannot be opened: libclamunrar is not installed (package libclamunrar)");
    *state = c;
    return ERR_OK;
}

static enum err clamav_worker_start(void *state, const char *temp, struct errtext *why)
{
    struct clamav *c = state;
    cl_error_t rc = cl_engine_set_str(c->engine, CL_ENGINE_TMPDIR, temp);
    if (rc == CL_SUCCESS)
        return ERR_OK;
    errtext_set(why, "libclamav refused the temporary directory %s: %s", temp, cl_strerror(rc));
    return ERR_IO;
}

/* Something that libclamav needed was not to be had, whatever it made of that. False: nothing of the kind. */
static bool map_shortage(const struct findings *f, struct verdict *out)
{
    struct shortage now = shortage_seen();
    enum verdict_reason reason = VERDICT_REASON_ENGINE;
    const char *what = NULL;
    char detail[LIMIT_VERDICT_TEXT + 1];
    if (now.memory != f->before.memory) {
        reason = VERDICT_REASON_MEMORY;
        what = "an allocation failed";
    } else if (now.files != f->before.files) {
        what = "a temporary file could not be made, written or read";
    } else if (shortage_lost(&f->before, cl_engine_get_str(f->engine->engine, CL_ENGINE_TMPDIR, NULL)) > 0) {
        what = "a temporary file vanished";
    }
    if (!what)
        return false;
    snprintf(detail, sizeof(detail), "libclamav: %s%s%.120s", what, last_words.text[0] ? ": " : "", last_words.text);
    verdict_set(out, VERDICT_ERROR, reason, detail);
    return true;
}

static void map_failure(cl_error_t rc, const struct findings *f, struct verdict *out)
{
    static const struct {
        cl_error_t rc;
        enum verdict_reason reason;
    } reasons[] = {
        {CL_EMAXREC, VERDICT_REASON_LIMIT},     {CL_EMAXSIZE, VERDICT_REASON_LIMIT},
        {CL_EMAXFILES, VERDICT_REASON_LIMIT},   {CL_EUNPACK, VERDICT_REASON_MALFORMED},
        {CL_EFORMAT, VERDICT_REASON_MALFORMED}, {CL_EPARSE, VERDICT_REASON_MALFORMED},
        {CL_ETIMEOUT, VERDICT_REASON_TIMEOUT},  {CL_EMEM, VERDICT_REASON_MEMORY},
    };
    enum verdict_reason reason = VERDICT_REASON_ENGINE;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].rc == rc)
            reason = reasons[i].reason;
    /* A file that was cut short for want of space looks broken; the message need not be. */
    if (reason == VERDICT_REASON_MALFORMED && map_shortage(f, out))
        return;
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "libclamav: %s (%d)%s%.160s", cl_strerror(rc), (int)rc,
             last_words.text[0] ? ": " : "", last_words.text);
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

/* Nothing was found: was everything looked at? What the message itself brings counts before what the machine lacks, so
 * that no sender is told for days to try again. */
static void map_clean(const struct findings *f, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    const char *unsupported = f->unsupported ? f->unsupported : f->carve->unsupported;
    if (f->cut || f->carve->limit) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT,
                    f->cut ? "a file inside is as large as max_filesize or larger" : f->carve->limit);
    } else if (f->rar && !f->engine->has_unrar) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED,
                    "RAR archive: libclamunrar is not installed (package libclamunrar)");
    } else if (unsupported) {
        snprintf(detail, sizeof(detail), "%s: libclamav cannot open it", unsupported);
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED, detail);
    } else if (map_shortage(f, out)) {
        return;
    } else if (f->carve->failed) {
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_ENGINE,
                    "files inside could not be taken out: no memory or no room");
    } else if (f->zips.lie) { /* after a shortage, which cuts archives short */
        snprintf(detail, sizeof(detail), "zip archive: %s", f->zips.lie);
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED, detail);
    } else if (f->zips.encrypted && alerts_encrypted(f)) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "zip archive: a member is encrypted");
    } else if (f->locked && alerts_encrypted(f)) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, f->locked);
    } else if (f->zips.out_of_memory || f->out_of_memory) {
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_MEMORY, "an allocation failed");
    } else if (f->zips.lost || f->member_lost || f->member_due) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED,
                    "libclamav could not unpack every member of an archive");
    } else if (f->archive_lost) {
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED,
                    "libclamav could not read an archive's table of members");
    } else {
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    }
}

/* The message if FD is one, else the item that F names. */
static cl_error_t scan_once(const struct clamav *c, int fd, struct span item, struct cl_scan_options options,
                            struct findings *f)
{
    const char *name = NULL;
    unsigned long blocks = 0;
    cl_error_t rc;
    f->archive_due = f->member_due = false;
    if (f->item) {
        cl_fmap_t *map = cl_fmap_open_memory(item.ptr, item.len);
        if (!map)
            return CL_EMEM;
        rc = cl_scanmap_callback(map, NULL, &name, &blocks, c->engine, &options, f);
        cl_fmap_close(map);
    } else {
        rc = cl_scandesc_callback(fd, NULL, &name, &blocks, c->engine, &options, f);
    }
    if (rc == CL_VIRUS)
        on_virus(fd, name, f); /* as the callback, which is not called for every kind of detection */
    f->member_lost = f->member_lost || f->member_due;
    f->archive_lost = f->archive_lost || f->archive_due;
    zip_watch_end(&f->zips);
    return rc;
}

/* A little before the deadline, at which the worker is killed: an answer is cheaper than a new worker. False: it is
 * there. */
static bool set_time_limit(struct clamav *c, uint64_t end_ms)
{
    uint64_t now = clock_monotonic_us() / 1000;
    uint64_t left = now < end_ms ? end_ms - now : 0;
    cl_engine_set_num(c->engine, CL_ENGINE_MAX_SCANTIME,
                      left == 0          ? 1
                      : left > INT32_MAX ? INT32_MAX
                                         : (long long)left);
    return left > 0;
}

/* A virus ends the search; a mere heuristic, as of a member that is encrypted, does not: a virus may stand beside it.
 */
static bool found_virus(cl_error_t rc, const struct findings *f)
{
    return rc == CL_VIRUS && f->name[0] && !is_heuristic(f->name);
}

/* The message, then what was carved out of it, and out of that. */
static cl_error_t scan_all(struct clamav *c, int fd, struct cl_scan_options options, uint64_t end_ms,
                           struct findings *f)
{
    (void)set_time_limit(c, end_ms);
    cl_error_t rc = scan_once(c, fd, (struct span){NULL, 0}, options, f);
    struct carve_view view;
    while ((rc == CL_CLEAN || rc == CL_VERIFIED || rc == CL_VIRUS) && !found_virus(rc, f) &&
           carve_take(f->carve, &view)) {
        bool found = rc == CL_VIRUS;
        f->item = &view.item;
        rc = set_time_limit(c, end_ms) ? scan_once(c, -1, view.file, options, f) : CL_ETIMEOUT;
        f->item = NULL;
        carve_release(&view);
        if (found && (rc == CL_CLEAN || rc == CL_VERIFIED))
            rc = CL_VIRUS;
    }
    return rc;
}

static const struct layers *clamav_layers(const void *state)
{
    const struct clamav *c = state;
    return &c->layers;
}

static struct findings begin_scan(struct clamav *c, int fd, struct carve *carve)
{
    struct findings f = {.engine = c, .before = shortage_seen(), .carve = carve};
    struct stat st;
    if (fstat(fd, &st) == 0) {
        f.device = st.st_dev;
        f.inode = st.st_ino;
    }
    *carve = (struct carve){.limits = c->limits, .temp = cl_engine_get_str(c->engine, CL_ENGINE_TMPDIR, NULL)};
    layers_clear(&c->layers);
    return f;
}

static void map_answer(struct clamav *c, cl_error_t rc, const struct findings *f, struct verdict *out)
{
    if (rc == CL_VIRUS)
        clamav_name_verdict(span_cstr(f->name[0] ? f->name : "unnamed"), out);
    else if (rc != CL_CLEAN && rc != CL_VERIFIED)
        map_failure(rc, f, out);
    else
        map_clean(f, out);
    if (rc != CL_CLEAN || out->class != VERDICT_CLEAN || f->ignored[0])
        layers_clear(&c->layers);
    if (f->ignored[0] && !out->detail[0]) {
        char detail[LIMIT_VERDICT_TEXT + 1];
        snprintf(detail, sizeof(detail), "%.128s: the name is in ignore_signatures", f->ignored);
        verdict_copy_text(out->detail, sizeof(out->detail), span_cstr(detail));
    }
}

static void clamav_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    struct clamav *c = state;
    struct carve carve;
    layers_clear(&c->layers);
    if (c->max_filesize && size > c->max_filesize) {
        char detail[LIMIT_VERDICT_TEXT + 1];
        snprintf(detail, sizeof(detail), "%llu octets, and max_filesize is %llu", (unsigned long long)size,
                 (unsigned long long)c->max_filesize);
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, detail);
        return;
    }
    uint64_t end_ms = clock_monotonic_us() / 1000 + time_ms - time_ms / 10;
    forget_messages();
    struct findings f = begin_scan(c, fd, &carve);
    cl_error_t rc = scan_all(c, fd, c->options, end_ms, &f);
    if (rc == CL_VIRUS && f.ignored[0] && !found_virus(rc, &f)) {
        /* A false alarm ended the scan; the virus behind it must not get through. */
        struct cl_scan_options options = c->options;
        options.general |= CL_SCAN_GENERAL_ALLMATCHES;
        carve_end(&carve);
        f = begin_scan(c, fd, &carve);
        rc = scan_all(c, fd, options, end_ms, &f);
        if (rc == CL_VIRUS && f.ignored[0] && !f.name[0])
            rc = CL_CLEAN;
    }
    map_answer(c, rc, &f, out);
    carve_end(&carve);
}

const struct engine_type engine_clamav = {
    .name = "clamav",
    .cage = ENGINE_CAGE_STRICT,
    .open = clamav_open,
    .worker_start = clamav_worker_start,
    .scan = clamav_scan,
    .close = clamav_close,
    .database = clamav_database,
    .layers = clamav_layers,
};
