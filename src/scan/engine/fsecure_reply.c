/* SPDX-License-Identifier: MIT */
/* fsavd's answers. */
#include "scan/engine/fsecure_reply.h"

#include "base/num.h"

static struct span field(struct span line, unsigned index)
{
    for (; index > 0; index--)
        line = span_sub(line, span_find(line, '\t') + 1, line.len);
    return span_sub(line, 0, span_find(line, '\t'));
}

/* KIND itself, or a nested form of it: ARCHIVE_KIND, MIME_KIND. */
static bool is_kind(struct span word, struct span kind)
{
    return span_eq(word, kind) ||
           (word.len > kind.len + 1 && word.ptr[word.len - kind.len - 1] == '_' && span_ends_nocase(word, kind));
}

void fsecure_reply_begin(struct fsecure_reply *r, struct span path, struct fsecure_wishes wishes)
{
    *r = (struct fsecure_reply){.path = path, .wishes = wishes};
}

static enum fsecure_step tell(struct fsecure_reply *r, struct span line)
{
    if (r->detail[0] == '\0')
        verdict_copy_text(r->detail, sizeof(r->detail), line);
    return FSECURE_MORE;
}

static enum fsecure_step make_no_sense(struct fsecure_reply *r, struct span line)
{
    if (!r->nonsense)
        verdict_copy_text(r->detail, sizeof(r->detail), line);
    r->nonsense = true;
    return FSECURE_MORE;
}

static void note_name(char out[LIMIT_VERDICT_NAME + 1], struct span name)
{
    if (out[0] == '\0')
        verdict_copy_text(out, LIMIT_VERDICT_NAME + 1, name.len > 0 ? name : SPAN("Unknown"));
}

static bool tells_of_password(struct span text)
{
    static const struct span words[] = {{"encrypt", 7}, {"password", 8}};
    for (size_t i = 0; i < text.len; i++)
        for (size_t w = 0; w < ARRAY_SIZE(words); w++)
            if (span_starts_nocase(span_sub(text, i, text.len), words[w]))
                return true;
    return false;
}

enum fsecure_step fsecure_reply_line(struct fsecure_reply *r, struct span line)
{
    struct span word = field(line, 0), path = field(line, 1), name = field(line, 2);
    if (fsecure_line_is_aside(line))
        return FSECURE_MORE;
    if (span_eq(word, SPAN("OK")) || span_eq(word, SPAN("ERROR"))) {
        r->ended = true;
        r->refused = word.len != 2;
        if (r->refused)
            verdict_copy_text(r->detail, sizeof(r->detail), line);
        return FSECURE_END;
    }
    if (span_eq(word, SPAN("OPEN_ARCHIVE")) || span_eq(word, SPAN("CLOSE_ARCHIVE")))
        return FSECURE_MORE;
    if (!span_starts(path, r->path)) /* of another request */
        return make_no_sense(r, line);
    bool riskware = is_kind(word, SPAN("RISKWARE"));
    if (is_kind(word, SPAN("INFECTED")) || (riskware && r->wishes.riskware_is_infected))
        note_name(r->infected, name);
    else if (riskware || is_kind(word, SPAN("SUSPECTED")))
        note_name(r->suspected, name);
    else if (is_kind(word, SPAN("SCAN_FAILURE"))) {
        r->encrypted = r->failed ? r->encrypted && tells_of_password(line) : tells_of_password(line);
        r->failed = true;
        return tell(r, line);
    } else if (span_eq(word, SPAN("CLEAN")))
        r->clean = r->clean || span_eq(path, r->path);
    else
        return make_no_sense(r, line);
    return FSECURE_MORE;
}

void fsecure_reply_cut(struct fsecure_reply *r, struct span part)
{
    size_t path = span_find(part, '\t') + 1;
    if (path < part.len && span_find(span_sub(part, path, part.len), '\t') + path < part.len) /* the path is whole */
        fsecure_reply_line(r, part);
}

static void trouble(const struct fsecure_reply *r, enum verdict_reason reason, const char *what, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "fsavd: %s%s", what, r->detail);
    verdict_set(out, verdict_reason_class(reason), reason, detail);
}

void fsecure_reply_verdict(const struct fsecure_reply *r, struct verdict *out)
{
    bool suspected = r->suspected[0] != '\0';
    if (r->infected[0]) { /* whatever came behind it: a virus that has a name is not trouble */
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        snprintf(out->name, sizeof(out->name), "%s", r->infected);
    } else if (r->nonsense || !r->ended) {
        trouble(r, VERDICT_REASON_PROTOCOL, "an answer that makes no sense: ", out);
    } else if (r->refused) {
        trouble(r, VERDICT_REASON_ENGINE, "", out);
    } else if (suspected && r->wishes.suspicious_is_infected) {
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        snprintf(out->name, sizeof(out->name), "%s", r->suspected);
    } else if (suspected) {
        trouble(r, VERDICT_REASON_SUSPICIOUS, "", out);
        snprintf(out->name, sizeof(out->name), "%s", r->suspected);
    } else if (r->failed) {
        trouble(r, r->encrypted ? VERDICT_REASON_ENCRYPTED : VERDICT_REASON_ENGINE, "", out);
    } else if (r->clean) {
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    } else {
        trouble(r, VERDICT_REASON_PROTOCOL, "it has nothing to say about the file", out);
    }
}

bool fsecure_line_is_aside(struct span line)
{
    struct span word = field(line, 0);
    return span_starts(word, SPAN("DBVERSION")) || span_eq(word, SPAN("PING"));
}

bool fsecure_line_version(struct span line, char *version, size_t size, uint64_t *database)
{
    char digits[20];
    size_t count = 0;
    struct span value = field(line, 1);
    if (!span_starts(field(line, 0), SPAN("DBVERSION")))
        return false;
    for (size_t i = 0; i < value.len && count < sizeof(digits); i++)
        if (char_is_digit(value.ptr[i]))
            digits[count++] = value.ptr[i];
    if (num_parse_u64(span_of(digits, count), UINT64_MAX, database) != ERR_OK)
        *database = 0;
    verdict_copy_text(version, size, value);
    return true;
}

bool fsecure_line_is_ok(struct span line)
{
    return span_eq(field(line, 0), SPAN("OK"));
}
