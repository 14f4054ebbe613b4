/* SPDX-License-Identifier: MIT */
/* The numbers of postern/engine.h as classes and reasons of ours. The public ones are frozen; ours may change. */
#include "scan/engine/plugin_verdict.h"

#include <postern/engine.h>

static const struct {
    uint32_t number;
    enum verdict_reason reason;
} reasons[] = {
    {POSTERN_ENCRYPTED, VERDICT_REASON_ENCRYPTED},   {POSTERN_LIMIT, VERDICT_REASON_LIMIT},
    {POSTERN_MALFORMED, VERDICT_REASON_MALFORMED},   {POSTERN_TOO_LARGE, VERDICT_REASON_TOO_LARGE},
    {POSTERN_PARTIAL, VERDICT_REASON_PARTIAL},       {POSTERN_UNSUPPORTED, VERDICT_REASON_UNSUPPORTED},
    {POSTERN_SUSPICIOUS, VERDICT_REASON_SUSPICIOUS}, {POSTERN_EXTERNAL, VERDICT_REASON_EXTERNAL},
    {POSTERN_FAILED, VERDICT_REASON_ENGINE},         {POSTERN_TIMEOUT, VERDICT_REASON_TIMEOUT},
    {POSTERN_OUT_OF_MEMORY, VERDICT_REASON_MEMORY},  {POSTERN_DOWN, VERDICT_REASON_DOWN},
};

static void makes_no_sense(struct verdict *out, const char *text)
{
    verdict_set(out, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, text);
}

/* TEXT may lack its end. */
static struct span bounded(const char *text, size_t size)
{
    return span_of(text, strnlen(text, size));
}

static void read_infected(const struct postern_verdict *given, struct verdict *out)
{
    struct span name = bounded(given->name, sizeof(given->name));
    verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(out->name, sizeof(out->name), name.len > 0 ? name : SPAN("Unknown"));
}

static void read_clean(const struct postern_verdict *given, struct verdict *out)
{
    if (given->name[0])
        makes_no_sense(out, "the plug-in says clean and names a virus");
    else if (given->reason != POSTERN_REASON_NONE)
        makes_no_sense(out, "the plug-in says clean and gives a reason against it");
    else
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
}

static void read_reason(const struct postern_verdict *given, enum verdict_class class, struct verdict *out)
{
    char text[LIMIT_VERDICT_TEXT];
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].number == given->reason && verdict_reason_class(reasons[i].reason) == class) {
            verdict_set(out, class, reasons[i].reason, NULL);
            return;
        }
    snprintf(text, sizeof(text), "the plug-in says %s for reason %u, which is none of that class",
             verdict_class_word(class), given->reason);
    makes_no_sense(out, text);
}

/* What a later version has there may be against the message: nothing else that the answer says counts then. */
static bool is_whole(const struct postern_verdict *given)
{
    uint64_t reserved = given->reserved0;
    for (size_t i = 0; i < ARRAY_SIZE(given->reserved); i++)
        reserved |= given->reserved[i];
    return given->size == sizeof(*given) && reserved == 0;
}

void plugin_verdict_read(const struct postern_verdict *given, struct verdict *out)
{
    char text[LIMIT_VERDICT_TEXT];
    if (given->verdict_class != POSTERN_INFECTED && !is_whole(given)) {
        makes_no_sense(out, "the plug-in changed the size or a reserved field of its verdict: expected zero there");
        return;
    }
    switch (given->verdict_class) {
    case POSTERN_CLEAN:
        read_clean(given, out);
        break;
    case POSTERN_INFECTED:
        read_infected(given, out);
        break;
    case POSTERN_UNSCANNABLE:
        read_reason(given, VERDICT_UNSCANNABLE, out);
        break;
    case POSTERN_ERROR:
        read_reason(given, VERDICT_ERROR, out);
        break;
    case POSTERN_NO_VERDICT:
        makes_no_sense(out, "the plug-in gave no verdict");
        break;
    default:
        snprintf(text, sizeof(text), "the plug-in gave class %u, expected 1 to 4", given->verdict_class);
        makes_no_sense(out, text);
        break;
    }
    if (!out->detail[0])
        verdict_copy_text(out->detail, sizeof(out->detail), bounded(given->detail, sizeof(given->detail)));
}
