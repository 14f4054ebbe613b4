/* SPDX-License-Identifier: MIT */
/* Names of context variables: the engine's type stands in the defaults, not the instance's name, as in the original
 * ("clamav_status for the ClamAV module"); of plug-ins the name, as each is a module of its own there. */
#include "scan/subject.h"

static bool is_set(const struct scan_subject *s, const char *variable)
{
    return variable && s->is_set && s->is_set(s->arg, variable);
}

const char *subject_skip(const struct scan_subject *s, const struct framework_engine *engine,
                         char name[SUBJECT_VARIABLE])
{
    const char *const bypass[] = {engine->name, engine->type};
    if (is_set(s, engine->conf->skip_context_variable))
        return engine->conf->skip_context_variable;
    for (size_t i = 0; i < ARRAY_SIZE(bypass); i++) {
        snprintf(name, SUBJECT_VARIABLE, "__bypass_%s", bypass[i]);
        if (is_set(s, name))
            return name;
    }
    return NULL;
}

enum err subject_mark(const struct scan_subject *s, const struct framework_engine *engine, const struct verdict *v)
{
    char status[SUBJECT_VARIABLE], status_info[SUBJECT_VARIABLE + 8], info[SUBJECT_VARIABLE + 8];
    if (!s->set || v->class == VERDICT_CLEAN || v->class == VERDICT_SKIPPED)
        return ERR_OK;
    snprintf(status, sizeof(status), "%s_status", framework_stem(engine));
    snprintf(status_info, sizeof(status_info), "%s_info", status);
    const char *variable = engine->conf->context_variable ? engine->conf->context_variable : status;
    snprintf(info, sizeof(info), "%s_info", variable);
    const char *about = v->name[0] ? v->name : verdict_reason_word(v->reason);
    enum err e = s->set(s->arg, variable, verdict_class_word(v->class));
    if (e == ERR_OK)
        e = s->set(s->arg, info, about);
    if (e == ERR_OK && strcmp(info, status_info) != 0)
        e = s->set(s->arg, status_info, about);
    return e;
}
