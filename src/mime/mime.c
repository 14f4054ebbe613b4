/* SPDX-License-Identifier: MIT */
/* The words of the tables. */
#include "mime/mime.h"
#include "mime/precheck.h"
#include "mime/split.h"

struct defect_row {
    const char *word, *paranoid, *meaning;
};
static const struct defect_row defects[MIME_DEFECT_COUNT] = {
#define MIME_DEFECT(symbol, word, paranoid, meaning) [MIME_DEFECT_##symbol] = {word, paranoid, meaning},
#include "mime/defect.def"
#undef MIME_DEFECT
};

const char *mime_defect_word(enum mime_defect d)
{
    return d < MIME_DEFECT_COUNT ? defects[d].word : "unknown";
}

const char *mime_defect_meaning(enum mime_defect d)
{
    return d < MIME_DEFECT_COUNT ? defects[d].meaning : "unknown";
}

const char *mime_defect_paranoid(enum mime_defect d)
{
    return d < MIME_DEFECT_COUNT ? defects[d].paranoid : NULL;
}

const char *mime_defects_paranoid(mime_defects set)
{
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        if (mime_defects_have(set, (enum mime_defect)d) && defects[d].paranoid)
            return defects[d].paranoid;
    return NULL;
}

static const char *const readings[MIME_READING_COUNT] = {
#define MIME_READING(symbol, word) [MIME_READING_##symbol] = (word),
#include "mime/reading.def"
#undef MIME_READING
};

const char *mime_reading_word(enum mime_reading r)
{
    return r < MIME_READING_COUNT ? readings[r] : "unknown";
}

void mime_readings_text(mime_readings set, char *text, size_t size)
{
    size_t at = 0;
    if (size == 0)
        return;
    if (set == 0) {
        snprintf(text, size, "ordinary");
        return;
    }
    text[0] = '\0';
    for (unsigned r = 0; r < MIME_READING_COUNT && at < size; r++) {
        if (!(set & (1u << r)))
            continue;
        int n = snprintf(text + at, size - at, "%s%s", at > 0 ? "+" : "", readings[r]);
        at += n > 0 ? (size_t)n : 0;
    }
}

const char *mime_encoding_word(enum mime_encoding e)
{
    static const char *const words[] = {
        [MIME_IDENTITY] = "identity", [MIME_BASE64] = "base64",   [MIME_QP] = "quoted-printable",
        [MIME_UUENCODE] = "uuencode", [MIME_YENC] = "yenc",       [MIME_BINHEX] = "binhex",
        [MIME_TNEF] = "tnef",         [MIME_CMS] = "cms",         [MIME_APPLE] = "apple",
        [MIME_WIDE] = "wide",         [MIME_UNKNOWN] = "unknown",
    };
    return (size_t)e < ARRAY_SIZE(words) ? words[e] : "unknown";
}

struct content_row {
    enum mime_content_class class;
    const char *word;
};
static const struct content_row contents[MIME_CONTENT_COUNT] = {
#define MIME_CONTENT(symbol, class, word) [MIME_CONTENT_##symbol] = {MIME_CLASS_##class, word},
#include "mime/content.def"
#undef MIME_CONTENT
};

const char *mime_content_word(enum mime_content c)
{
    return c < MIME_CONTENT_COUNT ? contents[c].word : "unknown";
}

enum mime_content_class mime_content_class(enum mime_content c)
{
    return c < MIME_CONTENT_COUNT ? contents[c].class : MIME_CLASS_OTHER;
}

const char *mime_cap_word(enum mime_cap cap)
{
    static const char *const words[] = {
        [MIME_CAP_NONE] = "none",     [MIME_CAP_HEADERS] = "headers",
        [MIME_CAP_FIELD] = "field",   [MIME_CAP_PARAMETERS] = "parameters",
        [MIME_CAP_GROUPS] = "groups", [MIME_CAP_DEPTH] = "depth",
        [MIME_CAP_PARTS] = "parts",
    };
    return (size_t)cap < ARRAY_SIZE(words) ? words[cap] : "unknown";
}

const char *mime_cut_word(enum mime_cut cut)
{
    switch (cut) {
    case MIME_CUT_DECODED:
        return "decoded";
    case MIME_CUT_WORK:
        return "work";
    case MIME_CUT_PARTS:
        return "parts";
    case MIME_CUT_DEPTH:
        return "depth";
    case MIME_CUT_DECODINGS:
        return "decodings";
    case MIME_CUT_PARAMETERS:
        return "parameters";
    }
    return "unknown";
}
