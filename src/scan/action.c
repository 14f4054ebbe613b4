/* SPDX-License-Identifier: MIT */
/* What follows from one engine's word, and which word counts where several engines spoke. */
#include "scan/stanza.h"

const struct engine_conf *stanza_conf_of(const struct framework *fw, const char *engine)
{
    for (size_t i = 0; engine[0] && i < fw->engine_count; i++)
        if (span_eq(span_cstr(fw->engines[i].name), span_cstr(engine)))
            return fw->engines[i].conf;
    return NULL;
}

static enum scan_action on_infected(const struct engine_conf *conf)
{
    switch (conf ? conf->action : ON_INFECTED_REJECT) {
    case ON_INFECTED_PASS:
        return SCAN_ACTION_PASS;
    case ON_INFECTED_QUARANTINE:
        return SCAN_ACTION_QUARANTINE;
    }
    return SCAN_ACTION_REJECT;
}

int framework_on_unscannable(const struct engine_conf *conf, enum verdict_reason reason)
{
    int word = conf->on_reason[reason];
    return word == ON_UNSCANNABLE_GENERAL ? conf->on_unscannable : word;
}

static enum scan_action on_unscannable(const struct engine_conf *conf, enum verdict_reason reason)
{
    switch (conf ? framework_on_unscannable(conf, reason) : ON_UNSCANNABLE_REJECT) {
    case ON_UNSCANNABLE_ACTION:
        return on_infected(conf);
    case ON_UNSCANNABLE_PASS:
        return SCAN_ACTION_PASS;
    case ON_UNSCANNABLE_ERROR_CODE:
        return SCAN_ACTION_DEFER;
    case ON_UNSCANNABLE_QUARANTINE:
        return SCAN_ACTION_QUARANTINE;
    }
    return SCAN_ACTION_REJECT;
}

static enum scan_action on_error(const struct engine_conf *conf)
{
    if (conf->on_error == ON_ERROR_NEXT)
        return SCAN_ACTION_NEXT;
    return conf->on_error == ON_ERROR_PASS ? SCAN_ACTION_PASS : SCAN_ACTION_DEFER;
}

static enum scan_action on_trouble(const struct engine_conf *conf, enum verdict_reason reason)
{
    switch (conf ? conf->on_reason[reason] : ON_TROUBLE_ERROR_CODE) {
    case ON_TROUBLE_ON_ERROR:
        return on_error(conf);
    case ON_TROUBLE_NEXT:
        return SCAN_ACTION_NEXT;
    case ON_TROUBLE_PASS:
        return SCAN_ACTION_PASS;
    }
    return SCAN_ACTION_DEFER;
}

enum scan_action framework_action(const struct framework *fw, const struct verdict *v)
{
    const struct engine_conf *conf = stanza_conf_of(fw, v->engine);
    /* A reason that no stanza speaks of, or one of another class, which only a broken record can bring. */
    bool known = verdict_reason_option(v->reason) && verdict_reason_class(v->reason) == v->class;
    switch (v->class) {
    case VERDICT_CLEAN:
    case VERDICT_SKIPPED:
        return SCAN_ACTION_DELIVER;
    case VERDICT_INFECTED:
        return on_infected(conf);
    case VERDICT_UNSCANNABLE:
        return known ? on_unscannable(conf, v->reason) : on_infected(conf);
    case VERDICT_ERROR:
    case VERDICT_CLASS_COUNT:
        break;
    }
    return known ? on_trouble(conf, v->reason) : SCAN_ACTION_DEFER;
}

/* The order of framework_outranks; within one action the stricter class counts. */
static int action_rank(enum scan_action action)
{
    switch (action) {
    case SCAN_ACTION_REJECT: /* before quarantine, which may tell the sender that all is well */
        return 5;
    case SCAN_ACTION_QUARANTINE:
        return 4;
    case SCAN_ACTION_DEFER:
        return 3;
    case SCAN_ACTION_PASS:
        return 2;
    case SCAN_ACTION_DELIVER:
        return 1;
    case SCAN_ACTION_NEXT:
        break;
    }
    return 0;
}

bool framework_outranks(const struct framework *fw, const struct verdict *a, const struct verdict *b)
{
    int rank_a = action_rank(framework_action(fw, a)), rank_b = action_rank(framework_action(fw, b));
    if (b->class == VERDICT_SKIPPED) /* that nobody was to look hides nothing */
        return a->class != VERDICT_SKIPPED;
    if (a->class == VERDICT_SKIPPED)
        return false;
    return rank_a != rank_b ? rank_a > rank_b : verdict_stricter(a, b);
}

static bool is_refused(const struct framework *fw, const struct verdict *v)
{
    enum scan_action action = framework_action(fw, v);
    return action == SCAN_ACTION_REJECT || action == SCAN_ACTION_QUARANTINE;
}

bool framework_outranks_within(const struct framework *fw, const struct verdict *a, const struct verdict *b)
{
    if (b->class == VERDICT_ERROR)
        return a->class != VERDICT_ERROR && is_refused(fw, a);
    if (a->class == VERDICT_ERROR)
        return !is_refused(fw, b);
    return framework_outranks(fw, a, b);
}

bool framework_is_final(const struct framework *fw, const struct verdict *v)
{
    enum scan_action action = framework_action(fw, v);
    return !fw->all && v->class == VERDICT_INFECTED &&
           (action == SCAN_ACTION_REJECT || action == SCAN_ACTION_QUARANTINE);
}
