/* SPDX-License-Identifier: MIT */
/* What follows from each verdict: delivered or not, marked or not, and what the client is told. */
#include "scan/framework.h"
#include <check.h>

/* The decisions of two engines: one that rejects and has codes and texts of its own, one that passes. */
static const struct engine_conf strict_conf = {
    .action = ON_INFECTED_REJECT,
    .error_code = 452,
    .infected_code = 554,
    .unscannable_code = 553,
    .infected_text = "100%% bad: %v by %e in %i",
    .unscannable_text = "cannot scan: %v",
    .error_text = "later (%i)",
};
static const struct engine_conf lax_conf = {
    .action = ON_INFECTED_PASS,
    .error_code = 451,
    .infected_code = 550,
    .unscannable_code = 550,
    .infected_text = "unused",
    .unscannable_text = "unused",
    .error_text = "try later: %v",
};
static const struct engine_conf keeper_conf = {
    .action = ON_INFECTED_QUARANTINE,
    .quarantine_reply = QUARANTINE_REPLY_REJECT,
    .error_code = 451,
    .infected_code = 555,
    .unscannable_code = 556,
    .infected_text = "kept: %v",
    .unscannable_text = "kept: %v",
    .error_text = "try later: %v",
};
static const struct framework fw = {
    .engines = {{.name = "strict", .type = "fake", .conf = &strict_conf},
                {.name = "lax", .type = "fake", .conf = &lax_conf},
                {.name = "keeper", .type = "fake", .conf = &keeper_conf}},
    .engine_count = 3,
};

static void decide(struct scan_decision *d, enum verdict_class c, enum verdict_reason r, const char *engine,
                   const char *name)
{
    struct verdict v;
    verdict_set(&v, c, r, "internal detail");
    verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(engine));
    verdict_copy_text(v.name, sizeof(v.name), span_cstr(name));
    framework_decide(&fw, &v, "1f-3.1", d);
}

START_TEST(each_verdict_has_its_decision)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        const char *engine, *name;
        bool deliver, mark;
        int code;
        const char *text, *status;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_REASON_NONE, "strict", "", true, false, 0, "", "clean; engine=strict"},
        {VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "", "", true, false, 0, "", "skipped; reason=scan-off"},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "strict", "Test.V", false, false, 554,
         "100% bad: Test.V by strict in 1f-3.1", "infected; name=\"Test.V\"; engine=strict"},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "lax", "Test.V", true, true, 0, "",
         "infected; name=\"Test.V\"; engine=lax"},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "", "Test.V", false, false, 550,
         "Message refused: it contains the virus \"Test.V\" (postern, id 1f-3.1)", "infected; name=\"Test.V\""},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "gone", "", false, false, 550,
         "Message refused: it contains the virus \"unknown\" (gone, id 1f-3.1)",
         "infected; name=\"unknown\"; engine=gone"},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "strict", "", false, false, 553,
         "cannot scan: content locked by a password", "unscannable; reason=encrypted; engine=strict"},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "lax", "", true, true, 0, "",
         "unscannable; reason=limit; engine=lax"},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED, "", "", false, false, 550,
         "Message refused: it cannot be checked for viruses: a container that this engine cannot open (postern, id "
         "1f-3.1)",
         "unscannable; reason=unsupported"},
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "strict", "", false, false, 452, "later (1f-3.1)",
         "error; reason=timeout; engine=strict"},
        {VERDICT_ERROR, VERDICT_REASON_DOWN, "lax", "", false, false, 451,
         "try later: the engine is not running, not loaded or not built", "error; reason=down; engine=lax"},
        {VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, "", "", false, false, 451,
         "Message not accepted now, the virus scan had trouble: no engine is configured (postern, id 1f-3.1). Please "
         "try again later",
         "error; reason=no-engine"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scan_decision d;
        decide(&d, rows[i].class, rows[i].reason, rows[i].engine, rows[i].name);
        ck_assert_msg(d.deliver == rows[i].deliver && d.mark == rows[i].mark && d.code == rows[i].code, "row %zu", i);
        ck_assert_str_eq(d.text, rows[i].text);
        ck_assert_str_eq(d.status, rows[i].status);
        if (!d.deliver) {
            ck_assert_int_eq(d.enhanced[0], d.code / 100);
            ck_assert_int_eq(d.enhanced[1], 7);
            ck_assert_int_eq(d.enhanced[2], 1);
        }
    }
}
END_TEST

/* From what counts most to what counts least. */
START_TEST(an_engine_that_passes_does_not_hide_what_another_refuses_or_could_not_scan)
{
    static const struct {
        enum verdict_class class;
        const char *engine;
        bool final;
    } order[] = {{VERDICT_INFECTED, "strict", true},  {VERDICT_UNSCANNABLE, "strict", false},
                 {VERDICT_INFECTED, "keeper", true},  {VERDICT_UNSCANNABLE, "keeper", false},
                 {VERDICT_ERROR, "lax", false},       {VERDICT_INFECTED, "lax", false},
                 {VERDICT_UNSCANNABLE, "lax", false}, {VERDICT_CLEAN, "strict", false},
                 {VERDICT_SKIPPED, "", false}};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(order); k++) {
            struct verdict a, b;
            verdict_set(&a, order[i].class, VERDICT_REASON_NONE, NULL);
            verdict_set(&b, order[k].class, VERDICT_REASON_NONE, NULL);
            verdict_copy_text(a.engine, sizeof(a.engine), span_cstr(order[i].engine));
            verdict_copy_text(b.engine, sizeof(b.engine), span_cstr(order[k].engine));
            ck_assert_msg(framework_outranks(&fw, &a, &b) == (i < k), "%zu and %zu", i, k);
            ck_assert_int_eq(framework_is_final(&fw, &a), order[i].final);
        }
    }
}
END_TEST

START_TEST(each_reason_has_an_action_of_its_own)
{
    static const struct {
        enum verdict_reason reason;
        int on_reason, action, on_error;
        enum scan_action follows;
    } rows[] = {
        {VERDICT_REASON_ENCRYPTED, ON_UNSCANNABLE_ACTION, ON_INFECTED_REJECT, 0, SCAN_ACTION_REJECT},
        {VERDICT_REASON_ENCRYPTED, ON_UNSCANNABLE_ACTION, ON_INFECTED_PASS, 0, SCAN_ACTION_PASS},
        {VERDICT_REASON_ENCRYPTED, ON_UNSCANNABLE_PASS, ON_INFECTED_REJECT, 0, SCAN_ACTION_PASS},
        {VERDICT_REASON_TOO_LARGE, ON_UNSCANNABLE_REJECT, ON_INFECTED_PASS, 0, SCAN_ACTION_REJECT},
        {VERDICT_REASON_LIMIT, ON_UNSCANNABLE_ERROR_CODE, ON_INFECTED_PASS, 0, SCAN_ACTION_DEFER},
        {VERDICT_REASON_LIMIT, ON_UNSCANNABLE_QUARANTINE, ON_INFECTED_PASS, 0, SCAN_ACTION_QUARANTINE},
        {VERDICT_REASON_PARTIAL, ON_UNSCANNABLE_ACTION, ON_INFECTED_QUARANTINE, 0, SCAN_ACTION_QUARANTINE},
        {VERDICT_REASON_TIMEOUT, ON_TROUBLE_ON_ERROR, ON_INFECTED_QUARANTINE, 0, SCAN_ACTION_DEFER},
        {VERDICT_REASON_TIMEOUT, ON_TROUBLE_ON_ERROR, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, SCAN_ACTION_DEFER},
        {VERDICT_REASON_TIMEOUT, ON_TROUBLE_ON_ERROR, ON_INFECTED_REJECT, ON_ERROR_NEXT, SCAN_ACTION_NEXT},
        {VERDICT_REASON_TIMEOUT, ON_TROUBLE_ON_ERROR, ON_INFECTED_REJECT, ON_ERROR_PASS, SCAN_ACTION_PASS},
        {VERDICT_REASON_POISON, ON_TROUBLE_ERROR_CODE, ON_INFECTED_REJECT, ON_ERROR_PASS, SCAN_ACTION_DEFER},
        {VERDICT_REASON_DOWN, ON_TROUBLE_NEXT, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, SCAN_ACTION_NEXT},
        {VERDICT_REASON_DOWN, ON_TROUBLE_PASS, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, SCAN_ACTION_PASS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct engine_conf conf = strict_conf;
        conf.action = rows[i].action;
        conf.on_error = rows[i].on_error;
        conf.on_reason[rows[i].reason] = rows[i].on_reason;
        struct framework one = {.engines = {{.name = "one", .conf = &conf}}, .engine_count = 1};
        struct verdict v;
        struct scan_decision d;
        verdict_set(&v, verdict_reason_class(rows[i].reason), rows[i].reason, NULL);
        verdict_copy_text(v.engine, sizeof(v.engine), SPAN("one"));
        ck_assert_msg(framework_action(&one, &v) == rows[i].follows, "row %zu", i);
        framework_decide(&one, &v, "id", &d);
        ck_assert_int_eq(d.deliver, rows[i].follows == SCAN_ACTION_PASS);
        ck_assert_int_eq(d.mark, d.deliver);
        /* trouble that did not count, and nobody else had a look: the sender tries again */
        if (!d.deliver)
            ck_assert_int_eq(d.code, rows[i].follows == SCAN_ACTION_REJECT || d.quarantine ? 553 : 452);
        ck_assert_int_eq(d.quarantine, rows[i].follows == SCAN_ACTION_QUARANTINE);
    }
}
END_TEST

START_TEST(a_reason_without_an_action_of_its_own_has_that_of_its_class)
{
    static const struct {
        int on_unscannable, on_limit, action;
        enum scan_action limit, encrypted; /* of which nothing is written */
    } rows[] = {
        {ON_UNSCANNABLE_ACTION, ON_UNSCANNABLE_GENERAL, ON_INFECTED_REJECT, SCAN_ACTION_REJECT, SCAN_ACTION_REJECT},
        {ON_UNSCANNABLE_ACTION, ON_UNSCANNABLE_GENERAL, ON_INFECTED_PASS, SCAN_ACTION_PASS, SCAN_ACTION_PASS},
        {ON_UNSCANNABLE_REJECT, ON_UNSCANNABLE_GENERAL, ON_INFECTED_PASS, SCAN_ACTION_REJECT, SCAN_ACTION_REJECT},
        {ON_UNSCANNABLE_REJECT, ON_UNSCANNABLE_ACTION, ON_INFECTED_PASS, SCAN_ACTION_PASS, SCAN_ACTION_REJECT},
        {ON_UNSCANNABLE_PASS, ON_UNSCANNABLE_GENERAL, ON_INFECTED_REJECT, SCAN_ACTION_PASS, SCAN_ACTION_PASS},
        {ON_UNSCANNABLE_PASS, ON_UNSCANNABLE_ACTION, ON_INFECTED_REJECT, SCAN_ACTION_REJECT, SCAN_ACTION_PASS},
        {ON_UNSCANNABLE_PASS, ON_UNSCANNABLE_ERROR_CODE, ON_INFECTED_REJECT, SCAN_ACTION_DEFER, SCAN_ACTION_PASS},
        {ON_UNSCANNABLE_ERROR_CODE, ON_UNSCANNABLE_PASS, ON_INFECTED_REJECT, SCAN_ACTION_PASS, SCAN_ACTION_DEFER},
        {ON_UNSCANNABLE_QUARANTINE, ON_UNSCANNABLE_REJECT, ON_INFECTED_PASS, SCAN_ACTION_REJECT,
         SCAN_ACTION_QUARANTINE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct engine_conf conf = strict_conf;
        const struct framework one = {.engines = {{.name = "one", .conf = &conf}}, .engine_count = 1};
        struct verdict limit, encrypted, infected;
        conf.action = rows[i].action;
        conf.on_unscannable = rows[i].on_unscannable;
        conf.on_reason[VERDICT_REASON_LIMIT] = rows[i].on_limit;
        conf.on_reason[VERDICT_REASON_ENCRYPTED] = ON_UNSCANNABLE_GENERAL;
        verdict_set(&limit, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, NULL);
        verdict_set(&encrypted, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, NULL);
        verdict_set(&infected, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
        memcpy(limit.engine, "one", 4);
        memcpy(encrypted.engine, "one", 4);
        memcpy(infected.engine, "one", 4);
        ck_assert_msg(framework_action(&one, &limit) == rows[i].limit, "row %zu", i);
        ck_assert_msg(framework_action(&one, &encrypted) == rows[i].encrypted, "row %zu", i);
        ck_assert_int_eq(framework_action(&one, &infected),
                         rows[i].action == ON_INFECTED_PASS ? SCAN_ACTION_PASS : SCAN_ACTION_REJECT);
    }
}
END_TEST

START_TEST(what_is_kept_is_refused_or_accepted_as_the_stanza_says)
{
    struct scan_decision d;
    decide(&d, VERDICT_INFECTED, VERDICT_REASON_NONE, "keeper", "Test.V");
    ck_assert(!d.deliver && !d.mark && d.quarantine && !d.accept);
    ck_assert_int_eq(d.code, 555);
    ck_assert_str_eq(d.text, "kept: Test.V");
    ck_assert_str_eq(d.status, "infected; name=\"Test.V\"; engine=keeper");
    struct engine_conf conf = keeper_conf;
    conf.quarantine_reply = QUARANTINE_REPLY_ACCEPT;
    const struct framework accepting = {.engines = {{.name = "keeper", .conf = &conf}}, .engine_count = 1};
    struct verdict v;
    verdict_set(&v, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("keeper"));
    framework_decide(&accepting, &v, "id", &d);
    ck_assert(!d.deliver && d.quarantine && d.accept);
    verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_CRASH, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("keeper"));
    framework_decide(&accepting, &v, "id", &d);
    ck_assert(!d.deliver && !d.quarantine && !d.accept);
    ck_assert_int_eq(d.code, 451);
}
END_TEST

START_TEST(each_reason_has_a_code_and_a_text_of_its_own)
{
    static const struct conf_pair codes[] = {{"too_large", "552"}, {"overload", "421"}};
    static const struct conf_pair texts[] = {{"too_large", "over the limit of %e"}, {"timeout", "slow"}};
    struct engine_conf conf = strict_conf;
    conf.reason_codes = (struct conf_dict){codes, ARRAY_SIZE(codes)};
    conf.reason_texts = (struct conf_dict){texts, ARRAY_SIZE(texts)};
    const struct framework one = {.engines = {{.name = "one", .conf = &conf}}, .engine_count = 1};
    static const struct {
        enum verdict_reason reason;
        int code;
        const char *text;
    } rows[] = {{VERDICT_REASON_TOO_LARGE, 552, "over the limit of one"},
                {VERDICT_REASON_ENCRYPTED, 553, "cannot scan: content locked by a password"},
                {VERDICT_REASON_OVERLOAD, 421, "later (id)"},
                {VERDICT_REASON_TIMEOUT, 452, "slow"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v;
        struct scan_decision d;
        verdict_set(&v, verdict_reason_class(rows[i].reason), rows[i].reason, NULL);
        verdict_copy_text(v.engine, sizeof(v.engine), SPAN("one"));
        framework_decide(&one, &v, "id", &d);
        ck_assert_int_eq(d.code, rows[i].code);
        ck_assert_str_eq(d.text, rows[i].text);
    }
}
END_TEST

/* What only a broken record can bring must not find an action by chance. */
START_TEST(a_reason_of_another_class_follows_no_option)
{
    struct engine_conf conf = strict_conf;
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        conf.on_reason[r] = ON_UNSCANNABLE_PASS;
    const struct framework one = {.engines = {{.name = "one", .conf = &conf}}, .engine_count = 1};
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_ENCRYPTED, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("one"));
    ck_assert_int_eq(framework_action(&one, &v), SCAN_ACTION_DEFER);
    verdict_set(&v, VERDICT_UNSCANNABLE, VERDICT_REASON_TIMEOUT, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("one"));
    ck_assert_int_eq(framework_action(&one, &v), SCAN_ACTION_REJECT);
}
END_TEST

START_TEST(no_class_but_clean_and_skipped_is_delivered_unmarked)
{
    static const char *const engines[] = {"strict", "lax", "", "gone"};
    for (int c = 0; c <= VERDICT_CLASS_COUNT; c++) {
        for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
            for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
                struct scan_decision d;
                decide(&d, (enum verdict_class)c, (enum verdict_reason)r, engines[e], "X");
                bool harmless = c == VERDICT_CLEAN || c == VERDICT_SKIPPED;
                bool passed = e == 1 && (c == VERDICT_INFECTED || c == VERDICT_UNSCANNABLE);
                ck_assert_int_eq(d.deliver, harmless || passed);
                ck_assert_int_eq(d.mark, passed);
                ck_assert(d.deliver || (d.code >= 400 && d.code <= 599));
                ck_assert(d.deliver || d.text[0]);
            }
        }
    }
}
END_TEST

START_TEST(hostile_names_cannot_break_out_of_reply_or_header)
{
    struct scan_decision d;
    struct verdict v;
    verdict_set(&v, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("strict"));
    snprintf(v.name, sizeof(v.name), "a\r\nb\"; engine=x\\%%v\xff");
    framework_decide(&fw, &v, "id\r\n250 ok", &d);
    ck_assert_str_eq(d.text, "100% bad: a??b_; engine=x_%v? by strict in id??250 ok");
    ck_assert_str_eq(d.status, "infected; name=\"a??b_; engine=x_%v?\"; engine=strict");
}
END_TEST

START_TEST(the_text_is_cut_to_one_reply_line)
{
    char longest[301];
    for (size_t i = 0; i < sizeof(longest) - 1; i++)
        longest[i] = i % 2 ? 'v' : '%';
    longest[sizeof(longest) - 1] = '\0';
    struct engine_conf conf = strict_conf;
    struct framework one = fw;
    conf.infected_text = longest;
    one.engines[0].conf = &conf;
    struct verdict v;
    verdict_set(&v, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), SPAN("strict"));
    memset(v.name, 'n', LIMIT_VERDICT_NAME);
    struct scan_decision d;
    framework_decide(&one, &v, "id", &d);
    ck_assert_uint_eq(strlen(d.text) + strlen("550 5.7.1 \r\n"), 502);
    ck_assert_uint_lt(strlen(d.status), sizeof(d.status));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_verdict_has_its_decision)                                                                                   \
    X(an_engine_that_passes_does_not_hide_what_another_refuses_or_could_not_scan)                                      \
    X(each_reason_has_an_action_of_its_own)                                                                            \
    X(a_reason_without_an_action_of_its_own_has_that_of_its_class)                                                     \
    X(what_is_kept_is_refused_or_accepted_as_the_stanza_says)                                                          \
    X(each_reason_has_a_code_and_a_text_of_its_own)                                                                    \
    X(a_reason_of_another_class_follows_no_option)                                                                     \
    X(no_class_but_clean_and_skipped_is_delivered_unmarked)                                                            \
    X(hostile_names_cannot_break_out_of_reply_or_header)                                                               \
    X(the_text_is_cut_to_one_reply_line)
#include "support/check_main.h"
