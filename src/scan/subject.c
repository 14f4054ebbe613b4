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

void subject_marks(const char *stem, const struct engine_conf *conf, struct subject_marks *out)
{
    char status[SUBJECT_VARIABLE];
    snprintf(status, sizeof(status), "%s_status", stem);
    const char *variable = conf->context_variable ? conf->context_variable : status;
    snprintf(out->names[0], sizeof(out->names[0]), "%s", variable);
    snprintf(out->names[1], sizeof(out->names[1]), "%s_info", variable);
    snprintf(out->names[2], sizeof(out->names[2]), "%s_info", status);
    if (strcmp(out->names[1], out->names[2]) == 0)
        out->names[2][0] = '\0';
}

static bool writes(const struct framework_engine *engine, const char *name)
{
    struct subject_marks marks = {{""}};
    subject_marks(framework_stem(engine), engine->conf, &marks);
    for (size_t i = 0; i < SUBJECT_MARKS; i++)
        if (marks.names[i][0] && strcmp(marks.names[i], name) == 0)
            return true;
    return false;
}

/* In the variable NAME stands the word of an engine that is as strict as V or stricter. */
static bool is_taken(const struct framework *fw, const struct subject_words *words, const char *name,
                     const struct verdict *v)
{
    for (size_t i = 0; i < fw->engine_count; i++) {
        const struct verdict said = {.class = words->classes[i]};
        if (words->said[i] && !verdict_stricter(v, &said) && writes(&fw->engines[i], name))
            return true;
    }
    return false;
}

enum err subject_mark(const struct scan_subject *s, const struct framework *fw, size_t engine, const struct verdict *v,
                      struct subject_words *words)
{
    struct subject_marks marks = {{""}};
    const char *about = v->name[0] ? v->name : verdict_reason_word(v->reason);
    enum err e = ERR_OK;
    if (!s->set || v->class == VERDICT_CLEAN || v->class == VERDICT_SKIPPED)
        return ERR_OK;
    subject_marks(framework_stem(&fw->engines[engine]), fw->engines[engine].conf, &marks);
    for (size_t i = 0; i < SUBJECT_MARKS && !e; i++)
        if (marks.names[i][0] && !is_taken(fw, words, marks.names[i], v))
            e = s->set(s->arg, marks.names[i], i == 0 ? verdict_class_word(v->class) : about);
    words->said[engine] = true;
    words->classes[engine] = v->class;
    return e;
}
