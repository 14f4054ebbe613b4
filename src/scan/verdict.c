/* SPDX-License-Identifier: MIT */
/* Words, order and texts of verdicts, all out of verdict.def. */
#include "scan/verdict.h"

static const char *const class_words[] = {
#define VERDICT_CLASS(symbol, word, meaning) word,
#define VERDICT_REASON(symbol, class, word, meaning)
#define VERDICT_ENGINE_REASON(symbol, class, word, option, meaning)
#include "scan/verdict.def"
#undef VERDICT_CLASS
#undef VERDICT_REASON
#undef VERDICT_ENGINE_REASON
};

static const struct {
    enum verdict_class class;
    const char *word, *option, *meaning;
} reasons[] = {
#define VERDICT_CLASS(symbol, word, meaning)
#define VERDICT_REASON(symbol, class, word, meaning)                {VERDICT_##class, word, NULL, meaning},
#define VERDICT_ENGINE_REASON(symbol, class, word, option, meaning) {VERDICT_##class, word, option, meaning},
#include "scan/verdict.def"
#undef VERDICT_CLASS
#undef VERDICT_REASON
#undef VERDICT_ENGINE_REASON
};

const char *verdict_class_word(enum verdict_class c)
{
    return (size_t)c < ARRAY_SIZE(class_words) ? class_words[c] : "unknown";
}

const char *verdict_reason_word(enum verdict_reason r)
{
    return (size_t)r < ARRAY_SIZE(reasons) ? reasons[r].word : "unknown";
}

const char *verdict_reason_meaning(enum verdict_reason r)
{
    return (size_t)r < ARRAY_SIZE(reasons) ? reasons[r].meaning : "unknown trouble";
}

enum verdict_class verdict_reason_class(enum verdict_reason r)
{
    return (size_t)r < ARRAY_SIZE(reasons) ? reasons[r].class : VERDICT_ERROR;
}

const char *verdict_reason_option(enum verdict_reason r)
{
    return (size_t)r < ARRAY_SIZE(reasons) ? reasons[r].option : NULL;
}

void verdict_copy_text(char *out, size_t size, struct span s)
{
    size_t n = 0;
    if (size == 0)
        return;
    for (; n < s.len && n < size - 1; n++) {
        out[n] = s.ptr[n];
        if (!char_is_print(out[n]))
            out[n] = '?';
    }
    out[n] = '\0';
}

void verdict_set(struct verdict *v, enum verdict_class c, enum verdict_reason r, const char *detail)
{
    *v = (struct verdict){.class = c, .reason = r};
    verdict_copy_text(v->detail, sizeof(v->detail), span_cstr(detail));
}

static int verdict_rank(enum verdict_class c)
{
    switch (c) {
    case VERDICT_SKIPPED:
        return 0;
    case VERDICT_CLEAN:
        return 1;
    case VERDICT_ERROR:
    case VERDICT_CLASS_COUNT:
        break;
    case VERDICT_UNSCANNABLE:
        return 3;
    case VERDICT_INFECTED:
        return 4;
    }
    return 2; /* ERROR, and whatever is not in the table */
}

bool verdict_stricter(const struct verdict *a, const struct verdict *b)
{
    return verdict_rank(a->class) > verdict_rank(b->class);
}
