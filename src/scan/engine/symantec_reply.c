/* SPDX-License-Identifier: MIT */
/* Lines to fields to a verdict. */
#include "scan/engine/symantec_reply.h"
#include "base/num.h"

enum { READY = 220, SCANNED = 230, VERSION_LEAST = 2, REVISION_MAX = 999, INFECTIONS_MAX = 100000 };
enum { STATUS_CLEAN, STATUS_INFECTED, STATUS_PARTLY_REPAIRED, STATUS_REPAIRED };
/* Position of a line in a reply. */
enum { LINE_CODE, LINE_STATUS, LINE_DATE, LINE_REVISION, LINE_INFECTIONS, LINE_FILE, LINE_VIRUS, LINE_ID, LINE_FATE };

/* "230 File scanned." */
static bool take_code(struct symantec_reply *r, struct span line)
{
    uint64_t code;
    if (line.len < 3 || num_parse_u64(span_sub(line, 0, 3), 599, &code) != ERR_OK || code < 200 ||
        (line.len > 3 && line.ptr[3] != ' '))
        return false;
    r->code = (unsigned)code;
    verdict_copy_text(r->text, sizeof(r->text), line);
    return true;
}

enum symantec_step symantec_greeting_line(struct symantec_reply *r, struct span line)
{
    uint64_t version;
    if (r->lines++ == 0) {
        if (!take_code(r, line))
            return SYMANTEC_BAD;
        return r->code == READY ? SYMANTEC_MORE : SYMANTEC_DONE;
    }
    return num_parse_u64(line, 999, &version) == ERR_OK && version >= VERSION_LEAST ? SYMANTEC_DONE : SYMANTEC_BAD;
}

static bool take_status(struct symantec_reply *r, struct span line)
{
    uint64_t status;
    if (num_parse_u64(line, STATUS_REPAIRED, &status) != ERR_OK)
        return false;
    r->status = (unsigned)status;
    return true;
}

static enum symantec_step take_infections(struct symantec_reply *r, struct span line)
{
    if (num_parse_u64(line, INFECTIONS_MAX, &r->infections) != ERR_OK)
        return SYMANTEC_BAD;
    return r->infections == 0 ? SYMANTEC_DONE : SYMANTEC_MORE;
}

enum symantec_step symantec_reply_line(struct symantec_reply *r, struct span line)
{
    switch (r->lines++) {
    case LINE_CODE:
        if (!take_code(r, line))
            return SYMANTEC_BAD;
        return r->code == SCANNED ? SYMANTEC_MORE : SYMANTEC_DONE;
    case LINE_STATUS:
        return take_status(r, line) ? SYMANTEC_MORE : SYMANTEC_BAD;
    case LINE_DATE:
        return line.len == 8 && num_parse_u64(line, 99991231, &r->date) == ERR_OK ? SYMANTEC_MORE : SYMANTEC_BAD;
    case LINE_REVISION:
        return num_parse_u64(line, REVISION_MAX, &r->revision) == ERR_OK ? SYMANTEC_MORE : SYMANTEC_BAD;
    case LINE_INFECTIONS:
        return take_infections(r, line);
    case LINE_VIRUS:
        verdict_copy_text(r->virus, sizeof(r->virus), line);
        return SYMANTEC_MORE;
    case LINE_FATE: /* the first infection is enough */
        return SYMANTEC_DONE;
    default:
        return SYMANTEC_MORE;
    }
}

/* A code other than 230. Those that say "not now" or "could not take it apart" have reasons of their own. */
static enum verdict_reason reason_of(unsigned code)
{
    static const struct {
        unsigned code;
        enum verdict_reason reason;
    } table[] = {
        {420, VERDICT_REASON_DOWN},        /* closing */
        {430, VERDICT_REASON_OVERLOAD},    /* not accepted now */
        {500, VERDICT_REASON_ENGINE},      /* syntax */
        {501, VERDICT_REASON_ENGINE},      /* parameters */
        {502, VERDICT_REASON_ENGINE},      /* not implemented */
        {503, VERDICT_REASON_ENGINE},      /* sequence */
        {504, VERDICT_REASON_ENGINE},      /* version */
        {530, VERDICT_REASON_ENGINE},      /* file not acceptable */
        {531, VERDICT_REASON_UNSUPPORTED}, /* unscannable */
        {532, VERDICT_REASON_ENGINE},      /* no output file */
        {533, VERDICT_REASON_ENGINE},      /* scanning error */
        {534, VERDICT_REASON_ENGINE},      /* name too long: ours never is */
        {535, VERDICT_REASON_LIMIT},       /* time to extract */
        {536, VERDICT_REASON_LIMIT},       /* depth */
        {537, VERDICT_REASON_LIMIT},       /* size */
        {538, VERDICT_REASON_MALFORMED},   /* container */
        {539, VERDICT_REASON_DOWN},        /* no licence */
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].code == code)
            return table[i].reason;
    return VERDICT_REASON_PROTOCOL;
}

bool symantec_reply_is_infected(const struct symantec_reply *r)
{
    return r->code == SCANNED && (r->status != STATUS_CLEAN || r->infections > 0);
}

bool symantec_reply_is_refusal(const struct symantec_reply *r)
{
    enum verdict_reason reason = reason_of(r->code);
    return r->code != SCANNED && (reason == VERDICT_REASON_DOWN || reason == VERDICT_REASON_OVERLOAD);
}

void symantec_reply_verdict(const struct symantec_reply *r, struct verdict *out)
{
    if (r->code != SCANNED) {
        enum verdict_reason reason = reason_of(r->code);
        verdict_set(out, verdict_reason_class(reason), reason, r->text);
    } else if (!symantec_reply_is_infected(r)) {
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    } else {
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        out->cured = r->status >= STATUS_PARTLY_REPAIRED;
        verdict_copy_text(out->name, sizeof(out->name), span_cstr(r->virus[0] ? r->virus : "unnamed"));
    }
    out->database_version = symantec_reply_definitions(r);
}

uint64_t symantec_reply_definitions(const struct symantec_reply *r)
{
    return r->lines > LINE_INFECTIONS ? r->date * 1000 + r->revision : 0;
}
