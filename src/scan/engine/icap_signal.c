/* SPDX-License-Identifier: MIT */
/* The two tables, and which of several signals counts. */
#include "scan/engine/icap_signal.h"
#include "base/num.h"
#include "scan/engine/clamav_name.h"

enum { VIOLATIONS_MAX = 400, FIELDS_OF_A_VIOLATION = 4 };

static void note(struct icap_signals *s, enum icap_strength strength, enum verdict_reason reason, struct span text)
{
    if (strength == ICAP_INFECTED && text.len > 0)
        strength = ICAP_NAMED;
    if (strength <= s->strongest)
        return;
    s->strongest = strength;
    s->reason = reason;
    verdict_copy_text(s->text, sizeof(s->text), text);
}

static bool contains_nocase(struct span text, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= text.len; at++) {
        size_t same = 0;
        while (same < len && char_lower(text.ptr[at + same]) == word[same])
            same++;
        if (same == len)
            return true;
    }
    return false;
}

/* What a text in a vendor's words is about. Of several rows the first counts, so what could not be looked at stands
 * before the words that occur in any text of a virus scanner. */
static const struct {
    const char *word; /* lower case */
    enum icap_strength strength;
    enum verdict_reason reason;
} words[] = {
    {"encrypt", ICAP_UNSCANNABLE, VERDICT_REASON_ENCRYPTED},
    {"password", ICAP_UNSCANNABLE, VERDICT_REASON_ENCRYPTED},
    {"max_archive_layers", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"depth", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"extract time", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"timed out", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"too large", ICAP_UNSCANNABLE, VERDICT_REASON_TOO_LARGE},
    {"too big", ICAP_UNSCANNABLE, VERDICT_REASON_TOO_LARGE},
    {"file size", ICAP_UNSCANNABLE, VERDICT_REASON_TOO_LARGE},
    {"size", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"limit", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"exceed", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
    {"malformed", ICAP_UNSCANNABLE, VERDICT_REASON_MALFORMED},
    {"corrupt", ICAP_UNSCANNABLE, VERDICT_REASON_MALFORMED},
    {"damaged", ICAP_UNSCANNABLE, VERDICT_REASON_MALFORMED},
    {"decode_error", ICAP_UNSCANNABLE, VERDICT_REASON_MALFORMED},
    {"partial", ICAP_UNSCANNABLE, VERDICT_REASON_PARTIAL},
    {"unsupported", ICAP_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED},
    {"not supported", ICAP_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED},
    {"could not be scanned", ICAP_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED},
    {"container violation", ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT},
};

static bool note_by_words(struct icap_signals *s, struct span text)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (contains_nocase(text, words[i].word)) {
            note(s, words[i].strength, words[i].reason, text);
            return true;
        }
    return false;
}

static bool is_plain_word(struct span word)
{
    static const char *const plain[] = {
        "a",          "an",         "and",       "archive", "archives", "are",        "attachment", "because",
        "been",       "big",        "by",        "cannot",  "code",     "compressed", "container",  "contains",
        "content",    "corrupt",    "corrupted", "could",   "damaged",  "decode",     "depth",      "document",
        "encrypted",  "encryption", "entity",    "error",   "exceed",   "exceeded",   "exceeds",    "extract",
        "extracted",  "file",       "files",     "for",     "format",   "has",        "in",         "incomplete",
        "is",         "item",       "large",     "larger",  "layers",   "level",      "levels",     "limit",
        "limits",     "malformed",  "max",       "maximum", "message",  "mime",       "nested",     "not",
        "object",     "of",         "out",       "part",    "partial",  "password",   "payload",    "protected",
        "protection", "reached",    "request",   "scan",    "scanned",  "size",       "supported",  "than",
        "the",        "this",       "time",      "timed",   "to",       "too",        "type",       "unsupported",
        "violation",  "was",        "were",      "with",    "zip"};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (span_eq_nocase(word, span_cstr(plain[i])))
            return true;
    return false;
}

/* Such words stand in the names of viruses too ("W97M.EncryptedDoc", "Ransom.FileEncryptor", "W32/Resizer"). So what
 * may be a name, or hold one, is about a container only where it consists of them and of others as plain, and of
 * nothing else: a virus may never be reported as something that an administrator lets pass. */
static bool note_by_plain_words(struct icap_signals *s, struct span text)
{
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        for (end = at; end < text.len && !strchr(" \t_-,;:.!()\"'", text.ptr[end]); end++)
            ;
        if (end > at && !is_plain_word(span_sub(text, at, end - at)))
            return false;
    }
    return note_by_words(s, text);
}

/* A virus, but for what libclamav reports in place of one. */
static void named(struct icap_signals *s, struct span name)
{
    struct verdict v;
    clamav_name_verdict(name, &v);
    note(s, v.class == VERDICT_INFECTED ? ICAP_INFECTED : ICAP_UNSCANNABLE, v.reason, name);
}

static struct span unquoted(struct span value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        return span_sub(value, 1, value.len - 2);
    return value;
}

/* 0: nothing was done, 1: repaired, 2: blocked. */
static void resolved(struct icap_signals *s, bool repaired)
{
    s->repaired = s->repaired || repaired;
    s->unrepaired = s->unrepaired || !repaired;
}

/* "Type=0; Resolution=2; Threat=Name;" Type 0 is a virus, 1 a rule of the server's, 2 a container that could not be
 * taken apart; any other is taken for a virus. */
static bool infection_found(struct icap_signals *s, struct span value, size_t *fields)
{
    struct span type = SPAN("0"), threat = SPAN(""), resolution = SPAN("");
    (void)fields;
    while (value.len > 0) {
        size_t at = span_find(value, ';');
        struct span part = span_trim(span_sub(value, 0, at));
        size_t equals = span_find(part, '=');
        struct span key = span_trim(span_sub(part, 0, equals)), given = span_trim(span_sub(part, equals + 1, part.len));
        if (span_eq_nocase(key, SPAN("Type")))
            type = given;
        else if (span_eq_nocase(key, SPAN("Threat")))
            threat = given;
        else if (span_eq_nocase(key, SPAN("Resolution")))
            resolution = given;
        value = span_sub(value, at + 1, value.len);
    }
    resolved(s, span_eq(type, SPAN("0")) && span_eq(resolution, SPAN("1")));
    if (span_eq(type, SPAN("2"))) {
        if (!note_by_words(s, threat))
            note(s, ICAP_UNSCANNABLE, VERDICT_REASON_LIMIT, threat);
    } else if (span_eq(type, SPAN("1"))) {
        char rule[LIMIT_VERDICT_NAME + 1];
        int n = snprintf(rule, sizeof(rule), "policy: %.*s", threat.len > 100 ? 100 : (int)threat.len,
                         threat.ptr ? threat.ptr : "");
        note(s, ICAP_INFECTED, VERDICT_REASON_NONE, span_of(rule, (size_t)n));
    } else {
        named(s, threat);
    }
    return true;
}

static bool violations_found(struct icap_signals *s, struct span value, size_t *fields)
{
    uint64_t count;
    if (num_parse_u64(value, VIOLATIONS_MAX, &count) != ERR_OK) {
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, SPAN("violations"));
        return false;
    }
    if (count > 0)
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, SPAN("violations"));
    *fields = (size_t)count * FIELDS_OF_A_VIOLATION;
    return true;
}

static bool virus_name(struct icap_signals *s, struct span value, size_t *fields)
{
    (void)fields;
    value = unquoted(value);
    if (span_eq_nocase(value, SPAN("no threats"))) /* Kaspersky's */
        s->says_clean = true;
    else
        named(s, value);
    return true;
}

static bool fsecure_result(struct icap_signals *s, struct span value, size_t *fields)
{
    (void)fields;
    value = unquoted(value);
    if (span_eq_nocase(value, SPAN("clean")))
        s->says_clean = true;
    else if (span_eq_nocase(value, SPAN("infected")))
        note(s, ICAP_INFECTED, VERDICT_REASON_NONE, SPAN(""));
    else if (!note_by_plain_words(s, value))
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, value);
    return true;
}

/* Text of people's; that it is there is what counts. */
static bool blocked(struct icap_signals *s, struct span value, size_t *fields)
{
    (void)fields;
    static const char *const finds[] = {"virus found", "virusfound", "infected", "malware found", "virus/spyware"};
    for (size_t i = 0; i < ARRAY_SIZE(finds); i++)
        if (contains_nocase(value, finds[i])) { /* whatever words the name that follows is made of */
            note(s, ICAP_INFECTED, VERDICT_REASON_NONE, SPAN(""));
            return true;
        }
    if (!note_by_plain_words(s, value))
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, value);
    return true;
}

/* VALUE of HEADER is about something else than a find: about a container, or not understood. */
static void note_trouble(struct icap_signals *s, const char *header, struct span value)
{
    char text[sizeof(s->unclear)];
    if (note_by_plain_words(s, value) || s->unclear[0])
        return;
    int n = snprintf(text, sizeof(text), "%s: %.*s", header, value.len > 100 ? 100 : (int)value.len, value.ptr);
    verdict_copy_text(s->unclear, sizeof(s->unclear), span_of(text, (size_t)n));
}

/* Words that servers have for nothing to tell; blanks, too. */
static bool says_nothing(struct span value)
{
    static const char *const nothing[] = {"",
                                          "-",
                                          "0",
                                          "none",
                                          "no error",
                                          "no_error",
                                          "ok",
                                          "success",
                                          "clean",
                                          "safe",
                                          "pass",
                                          "passed",
                                          "allow",
                                          "permitted",
                                          "not infected",
                                          "no threats",
                                          "no threats found",
                                          "unmodified",
                                          "no modifications needed"};
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
        if (span_eq_nocase(unquoted(value), span_cstr(nothing[i])))
            return true;
    return false;
}

/* What was done with the message. That it passed (Kaspersky's word) does not show that it was scanned. */
static bool response_info(struct icap_signals *s, struct span value, size_t *fields)
{
    if (span_starts_nocase(value, SPAN("Blocked")))
        return blocked(s, value, fields);
    if (span_eq_nocase(value, SPAN("Allowed")))
        s->says_clean = true;
    else if (!says_nothing(value))
        note_trouble(s, "X-Response-Info", value);
    return true;
}

/* McAfee's numbers of block rules. */
static bool block_result(struct icap_signals *s, struct span value, size_t *fields)
{
    (void)fields;
    if (!span_eq(value, SPAN("0")))
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, SPAN("blocked"));
    return true;
}

static bool error_code(struct icap_signals *s, struct span value, size_t *fields)
{
    (void)fields;
    if (span_starts(value, SPAN("file_")) && contains_nocase(value, "_blocked"))
        note(s, ICAP_BLOCKED, VERDICT_REASON_NONE, value);
    else if (!says_nothing(value))
        note_trouble(s, "X-Error-Code", value);
    return true;
}

static const struct {
    struct span name;
    bool (*take)(struct icap_signals *s, struct span value, size_t *fields);
} headers[] = {
    {{"X-Infection-Found", 17}, infection_found},    /* Symantec, c-icap, ESET, Kaspersky, Trend, OPSWAT … */
    {{"X-Violations-Found", 18}, violations_found},  /* Symantec, c-icap */
    {{"X-Virus-ID", 10}, virus_name},                /* ESET, Kaspersky, Trend, squidclamav */
    {{"X-Virus-Name", 12}, virus_name},              /* Sophos, McAfee */
    {{"X-FSecure-Scan-Result", 21}, fsecure_result}, /* F-Secure, WithSecure */
    {{"X-FSecure-Infection-Name", 24}, virus_name},
    {{"X-Response-Info", 15}, response_info}, /* ESET, OPSWAT, Kaspersky */
    {{"X-Blocked", 9}, blocked},              /* Sophos */
    {{"X-Blocked-By", 12}, blocked},
    {{"X-Blocked-Reason", 16}, blocked}, /* OPSWAT */
    {{"X-Block-Reason", 14}, blocked},   /* McAfee */
    {{"X-Mwg-Block-Reason", 18}, blocked},
    {{"X-Block-Result", 14}, block_result},
    {{"X-Error-Code", 12}, error_code}, /* mostly with 500: what could not be taken apart */
};

bool icap_signal_header(struct icap_signals *s, struct span name, struct span value, size_t *fields)
{
    *fields = 0;
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
        if (span_eq_nocase(name, headers[i].name))
            return headers[i].take(s, value, fields);
    return true;
}

/* X-Infection-Found may have told of the same one, and that it is none of a virus. Otherwise a name is a virus's, but
 * for what Symantec writes in the place of one: "Encrypted container violation", "Container size violation - scan
 * incomplete". */
static void violation_named(struct icap_signals *s, struct span name)
{
    bool told = s->strongest == ICAP_UNSCANNABLE && span_eq(name, span_cstr(s->text));
    if (!told && (!contains_nocase(name, "container") || !note_by_plain_words(s, name)))
        named(s, name);
}

/* File, threat, number of the problem, what was done about it. */
void icap_signal_violation(struct icap_signals *s, size_t left, struct span line)
{
    line = span_trim(line);
    if (left % FIELDS_OF_A_VIOLATION == FIELDS_OF_A_VIOLATION - 1)
        violation_named(s, line);
    else if (left % FIELDS_OF_A_VIOLATION == 1)
        resolved(s, span_eq(line, SPAN("1")));
}

void icap_signal_blocked(struct icap_signals *s, struct span text)
{
    size_t fields;
    blocked(s, text, &fields);
}

bool icap_signal_verdict(const struct icap_signals *s, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "ICAP: %s", s->text[0] ? s->text : "blocked");
    switch (s->strongest) {
    case ICAP_NOTHING:
        return false;
    case ICAP_BLOCKED:
        if (!s->suspicious_is_infected) {
            verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS, detail);
            return true;
        }
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, detail);
        verdict_copy_text(out->name, sizeof(out->name), SPAN("Blocked"));
        return true;
    case ICAP_UNSCANNABLE:
        verdict_set(out, verdict_reason_class(s->reason), s->reason, detail);
        return true;
    case ICAP_INFECTED:
    case ICAP_NAMED:
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        verdict_copy_text(out->name, sizeof(out->name), s->text[0] ? span_cstr(s->text) : SPAN("Unknown"));
        out->cured = s->repaired && !s->unrepaired;
        return true;
    }
    return false;
}
