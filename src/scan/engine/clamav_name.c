/* SPDX-License-Identifier: MIT */
/* What ClamAV's heuristics mean, by the beginning of their names. */
#include "scan/engine/clamav_name.h"

void clamav_name_verdict(struct span name, struct verdict *out)
{
    static const struct {
        struct span prefix;
        enum verdict_reason reason;
    } kinds[] = {
        {{"Heuristics.Encrypted.", 21}, VERDICT_REASON_ENCRYPTED},
        /* a limit of time: whether it is reached depends on load and queue, not on the message alone */
        {{"Heuristics.Limits.Exceeded.MaxScanTime", 38}, VERDICT_REASON_TIMEOUT},
        {{"Heuristics.Limits.Exceeded", 26}, VERDICT_REASON_LIMIT},
    };
    char text[LIMIT_VERDICT_NAME + 1];
    verdict_copy_text(text, sizeof(text), name);
    verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (span_starts(name, kinds[i].prefix)) {
            verdict_set(out, verdict_reason_class(kinds[i].reason), kinds[i].reason, text);
            break;
        }
    verdict_copy_text(out->name, sizeof(out->name), span_cstr(text));
}
