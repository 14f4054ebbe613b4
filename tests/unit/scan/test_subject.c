/* SPDX-License-Identifier: MIT */
/* Which context variables keep an engine from a message, and which ones its words set. */
#include "base/dict.h"
#include "scan/subject.h"
#include <check.h>

static bool dict_has(void *arg, const char *name)
{
    return dict_get(arg, name) != NULL;
}

static enum err dict_put(void *arg, const char *name, const char *value)
{
    return dict_set(arg, name, value);
}

static const struct scan_subject *subject_of(struct dict *d)
{
    static struct scan_subject s;
    s = (struct scan_subject){.fd = -1, .is_set = dict_has, .set = dict_put, .arg = d};
    return &s;
}

static struct verdict verdict_of(enum verdict_class class, enum verdict_reason reason, const char *name)
{
    struct verdict v;
    verdict_set(&v, class, reason, NULL);
    snprintf(v.name, sizeof(v.name), "%s", name);
    return v;
}

static struct framework one_engine(const struct engine_conf *conf)
{
    return (struct framework){.engine_count = 1, .engines = {{.name = "clamav1", .type = "clamav", .conf = conf}}};
}

START_TEST(what_an_engine_says_is_set_under_its_types_name_or_the_configured_one)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        const char *name, *status, *info;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_REASON_NONE, "", NULL, NULL},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "Some.Virus", "infected", "Some.Virus"},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "", "unscannable", "encrypted"},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "Heuristics.X", "unscannable", "Heuristics.X"},
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "", "error", "timeout"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int renamed = 0; renamed < 2; renamed++) {
            struct engine_conf conf = {.context_variable = renamed ? "VIRUS" : NULL};
            const struct framework fw = one_engine(&conf);
            struct subject_words words = {.said = {false}};
            struct verdict v = verdict_of(rows[i].class, rows[i].reason, rows[i].name);
            struct dict d = {0};
            ck_assert_int_eq(subject_mark(subject_of(&d), &fw, 0, &v, &words), ERR_OK);
            ck_assert_pstr_eq(dict_get(&d, renamed ? "VIRUS" : "clamav_status"), rows[i].status);
            ck_assert_pstr_eq(dict_get(&d, renamed ? "VIRUS_info" : "clamav_status_info"), rows[i].info);
            ck_assert_pstr_eq(dict_get(&d, "clamav_status_info"), rows[i].info);
            ck_assert_uint_eq(d.count, rows[i].status ? 2 + (size_t)renamed : 0);
            dict_release(&d);
        }
    }
}
END_TEST

START_TEST(a_plugins_marks_have_its_own_name)
{
    struct engine_conf conf = {0};
    const struct framework fw = {.engine_count = 1, .engines = {{.name = "vendor1", .type = "plugin", .conf = &conf}}};
    struct subject_words words = {.said = {false}};
    struct verdict found = verdict_of(VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    struct dict d = {0};
    ck_assert_int_eq(subject_mark(subject_of(&d), &fw, 0, &found, &words), ERR_OK);
    ck_assert_str_eq(dict_get(&d, "vendor1_status"), "infected");
    ck_assert_str_eq(dict_get(&d, "vendor1_status_info"), "V");
    dict_release(&d);
}
END_TEST

/* Two engines of one type; the second may have a variable of its own. */
START_TEST(the_strictest_word_stands_in_a_variable_that_two_engines_set)
{
    static const struct {
        enum verdict_class first, second;
        const char *variable; /* of the second */
        const char *status, *info, *own;
    } rows[] = {
        {VERDICT_INFECTED, VERDICT_CLEAN, NULL, "infected", "one", NULL},
        {VERDICT_CLEAN, VERDICT_INFECTED, NULL, "infected", "two", NULL},
        {VERDICT_INFECTED, VERDICT_ERROR, NULL, "infected", "one", NULL},
        {VERDICT_INFECTED, VERDICT_UNSCANNABLE, NULL, "infected", "one", NULL},
        {VERDICT_ERROR, VERDICT_INFECTED, NULL, "infected", "two", NULL},
        {VERDICT_ERROR, VERDICT_UNSCANNABLE, NULL, "unscannable", "two", NULL},
        {VERDICT_UNSCANNABLE, VERDICT_ERROR, NULL, "unscannable", "one", NULL},
        {VERDICT_INFECTED, VERDICT_INFECTED, NULL, "infected", "one", NULL}, /* the first of equals */
        {VERDICT_CLEAN, VERDICT_CLEAN, NULL, NULL, NULL, NULL},
        /* a name of its own; clamav_status_info is still common */
        {VERDICT_INFECTED, VERDICT_ERROR, "other", "infected", "one", "error"},
        {VERDICT_ERROR, VERDICT_INFECTED, "other", "error", "two", "infected"},
        /* a name that the first has as its info */
        {VERDICT_INFECTED, VERDICT_ERROR, "clamav_status_info", "infected", "one", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct engine_conf confs[2] = {{.context_variable = NULL}, {.context_variable = rows[i].variable}};
        const struct framework fw = {.engine_count = 2,
                                     .engines = {{.name = "one", .type = "clamav", .conf = &confs[0]},
                                                 {.name = "two", .type = "clamav", .conf = &confs[1]}}};
        struct subject_words words = {.said = {false}};
        struct dict d = {0};
        struct verdict first = verdict_of(rows[i].first, VERDICT_REASON_NONE, "one");
        struct verdict second = verdict_of(rows[i].second, VERDICT_REASON_NONE, "two");
        ck_assert_int_eq(subject_mark(subject_of(&d), &fw, 0, &first, &words), ERR_OK);
        ck_assert_int_eq(subject_mark(subject_of(&d), &fw, 1, &second, &words), ERR_OK);
        ck_assert_pstr_eq(dict_get(&d, "clamav_status"), rows[i].status);
        ck_assert_pstr_eq(dict_get(&d, "clamav_status_info"), rows[i].info);
        ck_assert_pstr_eq(dict_get(&d, "other"), rows[i].own);
        dict_release(&d);
    }
}
END_TEST

START_TEST(a_mark_without_room_is_an_error)
{
    struct engine_conf conf = {0};
    const struct framework fw = one_engine(&conf);
    struct subject_words words = {.said = {false}};
    struct verdict found = verdict_of(VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    struct dict d = {0};
    char key[16];
    for (int i = 0; i < LIMIT_DICT_ENTRIES; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(dict_set(&d, key, ""), ERR_OK);
    }
    ck_assert_int_eq(subject_mark(subject_of(&d), &fw, 0, &found, &words), ERR_FULL);
    dict_release(&d);
}
END_TEST

START_TEST(the_variables_that_keep_an_engine_away)
{
    static const struct {
        const char *set, *option, *found;
    } rows[] = {
        {"skip_virus_check", "skip_virus_check", "skip_virus_check"},
        {"skip_virus_check", "other", NULL},
        {"other", "other", "other"},
        {"__bypass_clamav1", "skip_virus_check", "__bypass_clamav1"},
        {"__bypass_clamav", "skip_virus_check", "__bypass_clamav"},
        {"__bypass_clamav2", "skip_virus_check", NULL},
        {"anything", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct engine_conf conf = {.skip_context_variable = rows[i].option};
        const struct framework_engine engine = {.name = "clamav1", .type = "clamav", .conf = &conf};
        struct dict d = {0};
        char name[SUBJECT_VARIABLE];
        ck_assert_int_eq(dict_set(&d, rows[i].set, ""), ERR_OK);
        ck_assert_pstr_eq(subject_skip(subject_of(&d), &engine, name), rows[i].found);
        dict_release(&d);
        const struct scan_subject without = {.fd = -1};
        ck_assert_ptr_null(subject_skip(&without, &engine, name));
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_an_engine_says_is_set_under_its_types_name_or_the_configured_one)                                           \
    X(the_strictest_word_stands_in_a_variable_that_two_engines_set)                                                    \
    X(a_plugins_marks_have_its_own_name)                                                                               \
    X(a_mark_without_room_is_an_error)                                                                                 \
    X(the_variables_that_keep_an_engine_away)
#include "support/check_main.h"
