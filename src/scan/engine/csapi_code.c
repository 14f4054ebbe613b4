/* SPDX-License-Identifier: MIT */
/* Which code counts, and what it means. */
#include "scan/engine/csapi_code.h"

struct meaning {
    const char *code;
    enum verdict_class class;
    enum verdict_reason reason;
};

static const struct meaning *find_code(const char *code)
{
    static const struct meaning table[] = {
#define CSAPI_CODE(code, class, reason) {code, VERDICT_##class, VERDICT_REASON_##reason},
#include "scan/engine/csapi_code.def"
#undef CSAPI_CODE
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (strcmp(table[i].code, code) == 0)
            return &table[i];
    return NULL;
}

static void set_verdict(const struct scanner_result *r, const struct meaning *m, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s%s%.160s", m->code, r->info[0] ? ": " : "", r->info);
    verdict_set(out, m->class, m->reason, detail);
    if (m->class == VERDICT_UNSCANNABLE) /* a heuristic's name */
        verdict_copy_text(out->name, sizeof(out->name), span_cstr(r->virus));
}

/* True when A counts rather than B. */
static bool counts_more(const struct meaning *a, const struct meaning *b)
{
    const struct verdict left = {.class = a->class}, right = {.class = b->class};
    bool a_avs = strncmp(a->code, "AVS_", 4) == 0, b_avs = strncmp(b->code, "AVS_", 4) == 0;
    return a_avs != b_avs ? a_avs : verdict_stricter(&left, &right);
}

void csapi_code_verdict(const struct scanner_result *r, struct verdict *out)
{
    static const struct meaning without[] = {
        [SCANNER_CLEAN] = {"clean", VERDICT_CLEAN, VERDICT_REASON_NONE},
        [SCANNER_INFECTED] = {"infected", VERDICT_INFECTED, VERDICT_REASON_NONE},
        [SCANNER_UNSCANNABLE] = {"unscannable, and no code says why", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        [SCANNER_ERROR] = {"an error, and no code says which", VERDICT_ERROR, VERDICT_REASON_ENGINE},
    };
    const struct meaning unknown = {"a scan code that is not known", VERDICT_ERROR, VERDICT_REASON_PROTOCOL};
    const struct meaning *best = &without[r->status];
    /* Where an answer contradicts itself the worse part counts: a name is a virus, and an error stays one. */
    bool found = r->status == SCANNER_INFECTED || (r->status == SCANNER_CLEAN && r->virus[0]), explained = false;
    for (size_t i = 0; i < r->code_count; i++) {
        const struct meaning *m = find_code(r->codes[i]);
        m = m ? m : &unknown;
        found = found || m->class == VERDICT_INFECTED;
        if (m->class == VERDICT_CLEAN)
            continue;
        if (r->status == SCANNER_ERROR && m->class == VERDICT_UNSCANNABLE)
            continue;
        if (!explained || counts_more(m, best))
            best = m;
        explained = true;
    }
    if (found) {
        verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, r->info);
        verdict_copy_text(out->name, sizeof(out->name), span_cstr(r->virus[0] ? r->virus : "unnamed"));
    } else if (best->class == VERDICT_CLEAN) {
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, r->info);
    } else {
        set_verdict(r, best, out);
    }
}
