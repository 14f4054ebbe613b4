/* SPDX-License-Identifier: MIT */
/* Reasons and names to scan codes. */
#include "avscan/report.h"

/* Which limit it was, by the end of ClamAV's name for it. */
static const char *limit_code(const char *name)
{
    static const struct {
        struct span name;
        const char *code;
    } limits[] = {
        {{"Heuristics.Limits.Exceeded.MaxRecursion", 39}, "DEC_RESULT_MAXIMUM_DEPTH_REACHED"},
        {{"Heuristics.Limits.Exceeded.MaxFiles", 35}, "DEC_RESULT_MAXIMUM_FILES_EXTRACTED"},
        {{"Heuristics.Limits.Exceeded.MaxScanSize", 38}, "DEC_RESULT_MAXIMUM_CUMULATIVE_EXTRACT_SIZE_EXCEEDED"},
        {{"Heuristics.Limits.Exceeded.MaxFileSize", 38}, "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"},
        {{"Heuristics.Limits.Exceeded.Email", 32}, "DEC_RESULT_MIME_PARSING_FAILED"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (span_eq(span_cstr(name), limits[i].name) ||
            (i + 1 == ARRAY_SIZE(limits) && span_starts(span_cstr(name), limits[i].name)))
            return limits[i].code;
    return "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"; /* without a name it is a file that was cut at this size */
}

static const char *unscannable_code(const struct verdict *v)
{
    static const struct {
        enum verdict_reason reason;
        const char *code;
    } codes[] = {
        {VERDICT_REASON_ENCRYPTED, "DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED"},
        {VERDICT_REASON_TOO_LARGE, "DEC_RESULT_FILE_SIZE_TOO_LARGE"},
        {VERDICT_REASON_PARTIAL, "DEC_RESULT_PARTIAL_MESSAGE_DETECTED"},
        {VERDICT_REASON_UNSUPPORTED, "DEC_RESULT_CONTAINER_UNKNOWN_ALGORITHM"},
    };
    if (v->reason == VERDICT_REASON_LIMIT)
        return limit_code(v->name);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].reason == v->reason)
            return codes[i].code;
    return "DEC_RESULT_MALFORMED_CONTAINER_DETECTED";
}

void avscan_report(const struct verdict *v, uint64_t id, bool own_time, struct scanner_result *out)
{
    *out = (struct scanner_result){.id = id, .status = SCANNER_ERROR};
    verdict_copy_text(out->virus, sizeof(out->virus), span_cstr(v->name));
    verdict_copy_text(out->info, sizeof(out->info), span_cstr(v->detail));
    if (v->class == VERDICT_CLEAN) {
        out->status = SCANNER_CLEAN;
    } else if (v->class == VERDICT_INFECTED) {
        out->status = SCANNER_INFECTED;
        scanner_result_add(out, "AVS_RESULT_VIRUS_FOUND");
    } else if (v->class == VERDICT_UNSCANNABLE) {
        out->status = SCANNER_UNSCANNABLE;
        scanner_result_add(out, unscannable_code(v));
    } else if (v->reason == VERDICT_REASON_TIMEOUT && own_time) {
        out->status = SCANNER_UNSCANNABLE;
        scanner_result_add(out, "DEC_RESULT_MAXIMUM_EXTRACT_TIME_EXCEEDED");
    } else if (v->reason == VERDICT_REASON_TIMEOUT) {
        scanner_result_add(out, "POSTERN_RESULT_TIMEOUT");
    } else if (v->reason == VERDICT_REASON_MEMORY) {
        scanner_result_add(out, "GEN_RESULT_OUT_OF_MEMORY");
    } else {
        scanner_result_add(out, "AVS_RESULT_SCANFILE_FAILURE");
    }
}
