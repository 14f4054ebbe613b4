/* SPDX-License-Identifier: MIT */
/* From defects to words of engines, and the file that decoded parts are written to. It is made here, not by the worker:
 * a cage that let a process make memory files would not bound its memory, and a descriptor that comes from a worker
 * could be anything. Sealing fails while anybody may still write through a mapping. */
#include "scan/inspection.h"
#include "scan/framework.h"
#include "scan/ignore.h"
#include "sys/memfd.h"

#include <errno.h>
#include <sys/stat.h>

/* What keeps an engine from having looked at all of it. */
static const struct {
    enum mime_defect defect;
    enum verdict_reason reason;
} obstacles[] = {
    {MIME_DEFECT_ENCRYPTED_SMIME, VERDICT_REASON_ENCRYPTED}, {MIME_DEFECT_ENCRYPTED_PGP, VERDICT_REASON_ENCRYPTED},
    {MIME_DEFECT_ENCRYPTED_FILE, VERDICT_REASON_ENCRYPTED},  {MIME_DEFECT_PARTIAL, VERDICT_REASON_PARTIAL},
    {MIME_DEFECT_EXTERNAL_BODY, VERDICT_REASON_EXTERNAL},    {MIME_DEFECT_LIMIT, VERDICT_REASON_LIMIT},
};

static void keep_stronger(const struct framework *fw, const struct verdict *v, struct verdict *out)
{
    if (framework_outranks(fw, v, out))
        *out = *v;
}

bool inspection_reason(enum mime_defect d, char *out, size_t size)
{
    const char *reason = mime_defect_paranoid(d);
    snprintf(out, size, "Paranoid.%s", reason ? reason : "");
    return reason != NULL;
}

/* The first reason of the table that is no declared false alarm. */
static bool judge_paranoid(const struct framework_engine *engine, mime_defects defects, struct verdict *out)
{
    for (int d = 0; d < MIME_DEFECT_COUNT; d++) {
        char name[LIMIT_VERDICT_NAME + 1];
        if (!mime_defects_have(defects, (enum mime_defect)d) ||
            !inspection_reason((enum mime_defect)d, name, sizeof(name)))
            continue;
        if (ignore_holds_name(&engine->conf->ignore_signatures, name))
            continue;
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, mime_defect_meaning((enum mime_defect)d));
        verdict_copy_text(out->name, sizeof(out->name), span_cstr(name));
        return true;
    }
    return false;
}

/* alert_encrypted = false passes over encrypted files, wherever they are found; mail that is encrypted is another
 * matter, in which libclamav has no say; with a daemon that option means nothing. */
static bool is_passed_over(const struct framework_engine *engine, enum mime_defect d)
{
    return d == MIME_DEFECT_ENCRYPTED_FILE && engine->type && strcmp(engine->type, "clamav") == 0 &&
           engine->conf->daemon.count == 0 && !engine->conf->alert_encrypted;
}

void inspection_judge(const struct framework *fw, const struct framework_engine *engine,
                      const struct scan_inspection *i, struct verdict *out)
{
    struct verdict v;
    verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(out->engine, sizeof(out->engine), span_cstr(engine->name)); /* its stanza ranks */
    for (size_t o = 0; engine->conf->mime_decompose && o < ARRAY_SIZE(obstacles); o++) {
        if (!mime_defects_have(i->defects, obstacles[o].defect) || is_passed_over(engine, obstacles[o].defect))
            continue;
        char detail[LIMIT_VERDICT_TEXT + 1];
        bool limit = obstacles[o].reason == VERDICT_REASON_LIMIT && i->limit[0];
        snprintf(detail, sizeof(detail), "%s%s%s", mime_defect_meaning(obstacles[o].defect), limit ? ": " : "",
                 limit ? i->limit : "");
        verdict_set(&v, VERDICT_UNSCANNABLE, obstacles[o].reason, detail);
        verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(engine->name));
        keep_stronger(fw, &v, out);
    }
    if (engine->conf->paranoid && judge_paranoid(engine, i->defects, &v)) {
        verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(engine->name));
        keep_stronger(fw, &v, out);
    }
}

static enum err reference_row(enum mime_defect d, struct buf *out)
{
    char name[LIMIT_VERDICT_NAME + 1];
    bool judged = inspection_reason(d, name, sizeof(name));
    return buf_printf(out, "| `%s` | %s%s%s | %s |\n", mime_defect_word(d), judged ? "`" : "", judged ? name : "no",
                      judged ? "`" : "", mime_defect_meaning(d));
}

enum err inspection_reference(struct buf *out)
{
    enum err e = buf_printf(
        out, "\n## Defects of messages\n\n"
             "What `mime_decompose = on` or `paranoid = on` find odd about a message. The words stand in the log "
             "(`defects`) and in the statistics. With\n"
             "`paranoid = on` a message with a defect that has a name here is infected by that name; "
             "`ignore_signatures = ( Paranoid.Polyglot )`\n"
             "takes one of them, `( Paranoid.* )` all, for a false alarm.\n\n"
             "| Defect | Infected where paranoid | Meaning |\n"
             "| --- | --- | --- |\n");
    for (int d = 0; d < MIME_DEFECT_COUNT && e == ERR_OK; d++)
        e = reference_row((enum mime_defect)d, out);
    return e;
}

void inspection_defects_text(mime_defects defects, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (int d = 0; d < MIME_DEFECT_COUNT; d++) {
        const char *word = mime_defect_word((enum mime_defect)d);
        size_t need = strlen(word) + (len > 0 ? 2 : 0);
        if (!mime_defects_have(defects, (enum mime_defect)d) || len + need >= size)
            continue;
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", word);
    }
}

int inspection_file_new(void)
{
    return memfd_new("postern-parts");
}

enum err inspection_file_seal(int fd, uint64_t size, const char **why)
{
    struct stat st;
    if (memfd_seal(fd) != ERR_OK) {
        *why = "the file of decoded parts cannot be sealed: somebody holds it";
        return ERR_IO;
    }
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != size) {
        *why = "the file of decoded parts is not as large as the worker says";
        return ERR_SYNTAX;
    }
    return ERR_OK;
}
