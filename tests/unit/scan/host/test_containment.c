/* SPDX-License-Identifier: MIT */
/* Each way in which a worker can misbehave costs its own message a verdict of the right kind, and the next message
 * passes. */
#include "support/scan_rig.h"

#include <seccomp.h>
#include <sys/resource.h>

#include "sys/jail.h"

struct misdeed {
    const char *orders;
    uint64_t ms;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *detail; /* part of it */
};

static void expect_contained(struct rig *r, const struct misdeed *m)
{
    rig_job(r, m->orders, m->ms);
    struct scan_answer a = rig_answer(r);
    ck_assert_msg(a.verdict.class == m->class && a.verdict.reason == m->reason &&
                      strstr(a.verdict.detail, m->detail) != NULL,
                  "%s: found %s %s \"%s\": %s; log:\n%s", m->orders, verdict_class_word(a.verdict.class),
                  verdict_reason_word(a.verdict.reason), a.verdict.name, a.verdict.detail, rig_log(r));
    ck_assert_uint_eq(a.id, r->last_id);
    rig_job(r, "clean", 10000);
    a = rig_answer(r);
    RIG_EXPECT(r, a, CLEAN, NONE);
    ck_assert_uint_eq(a.id, r->last_id);
}

static void expect_all_contained(const struct misdeed *deeds, size_t count)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < count; i++)
        expect_contained(&r, &deeds[i]);
    rig_stop(&r);
}

/* C13 */
START_TEST(faults_are_crashes)
{
    static const struct misdeed deeds[] = {
#if defined(POSTERN_SANITIZED) &&                                                                                      \
    !defined(POSTERN_VALGRIND) /* its report ends in an exit, or in a call outside the sandbox */
        {"crash", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "the worker ended"},
#else
        {"crash", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSEGV"},
#endif
        {"abort", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGABRT"},
        {"exit 3", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "exit status 3"},
        {"exit 0", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "exit status 0"},
    };
    expect_all_contained(deeds, ARRAY_SIZE(deeds));
}
END_TEST

/* C14 */
START_TEST(what_never_ends_is_killed_at_the_deadline)
{
    static const struct misdeed deeds[] = {
        {"hang", 200, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "deadline"},
        {"spin", 200, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "deadline"},
        {"delay 60000", 200, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "deadline"},
    };
    expect_all_contained(deeds, ARRAY_SIZE(deeds));
}
END_TEST

START_TEST(leaving_the_sandbox_is_death_or_refusal)
{
    static const struct misdeed refused_calls[] = {
        {"fork", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSYS"},
        {"exec", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSYS"},
        {"connect", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSYS"},
        {"kill", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSYS"},
        {"chmod", 10000, VERDICT_ERROR, VERDICT_REASON_CRASH, "SIGSYS"},
    };
    static const struct misdeed refused_files[] = {
        {"open /etc/passwd", 10000, VERDICT_ERROR, VERDICT_REASON_ENGINE, "open: Permission denied"},
        {"open /proc/self/environ", 10000, VERDICT_ERROR, VERDICT_REASON_ENGINE, "open: Permission denied"},
    };
    if (!rig_seccomp_lifted("calls outside the sandbox"))
        expect_all_contained(refused_calls, ARRAY_SIZE(refused_calls));
    if (jail_landlock_abi() > 0)
        expect_all_contained(refused_files, ARRAY_SIZE(refused_files));
}
END_TEST

/* C16 */
START_TEST(lies_on_the_channel_are_protocol_errors)
{
    static const struct misdeed deeds[] = {
        {"garbage", 10000, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "makes no sense"},
        {"wrong-id", 10000, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "wrong id"},
        {"truncated-answer", 10000, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "makes no sense"},
        {"silent-close", 10000, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "closed its channel"},
    };
    expect_all_contained(deeds, ARRAY_SIZE(deeds));
}
END_TEST

/* C15 */
START_TEST(resources_end_where_their_limit_is)
{
    static const struct misdeed deeds[] = {
        {"disk 64", 10000, VERDICT_ERROR, VERDICT_REASON_ENGINE, "writing a temporary file: File too large"},
#ifndef POSTERN_SANITIZED /* there is no limit of address space there */
        {"memory 2000", 10000, VERDICT_ERROR, VERDICT_REASON_MEMORY, "malloc"},
#endif
    };
    expect_all_contained(deeds, ARRAY_SIZE(deeds));
}
END_TEST

START_TEST(temporary_files_are_gone_before_the_answer)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    rig_job(&r, "files 20|disk 1|clean", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    ck_assert_int_eq(rig_temp_files(&r), 0);
    /* and what a killed worker left is gone before the next one works */
    rig_job(&r, "files 20|hang", 300);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, TIMEOUT);
    rig_job(&r, "clean", 10000);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    ck_assert_int_eq(rig_temp_files(&r), 0);
    rig_stop(&r);
}
END_TEST

START_TEST(a_slot_whose_directory_is_unusable_does_not_stop_the_others)
{
    struct rig r;
    char slot[96];
    rig_init(&r);
    r.fw->pools[0].conf.concurrency = 2;
    snprintf(slot, sizeof(slot), "%s/1", r.temp);
    ck_assert(mkdir(r.temp, 0700) == 0 && symlink("/nowhere", slot) == 0);
    rig_start(&r);
    rig_job(&r, "clean", 10000);
    struct scan_answer a = rig_answer(&r);
    while (a.verdict.class != VERDICT_CLEAN) { /* the bad one may have spoken first */
        RIG_EXPECT(&r, a, ERROR, DOWN);
        rig_job(&r, "clean", 10000);
        a = rig_answer(&r);
    }
    for (int i = 0; i < 3; i++) { /* births of slot 1 fail again and again meanwhile */
        rig_job(&r, "delay 300|clean", 10000);
        a = rig_answer(&r);
        RIG_EXPECT(&r, a, CLEAN, NONE);
    }
    ck_assert_msg(strstr(rig_log(&r), "cause=refused") != NULL, "%s", rig_log(&r));
    rig_stop(&r);
}
END_TEST

/* C13 */
START_TEST(three_deaths_make_a_message_poison)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (int i = 0; i < 3; i++) {
        rig_job(&r, "abort", 10000);
        struct scan_answer a = rig_answer(&r);
        RIG_EXPECT(&r, a, ERROR, CRASH);
    }
    ck_assert_msg(strstr(rig_log(&r), " poison ") != NULL, "%s", rig_log(&r));
    rig_job(&r, "abort", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, POISON);
    rig_job(&r, "exit 9", 10000); /* another message */
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, CRASH);
    rig_stop(&r);
}
END_TEST

/* The one worker, once it runs. */
static int the_worker(const struct rig *r)
{
    int pid;
    ck_assert(rig_workers(r, &pid, 1) == 1);
    return pid;
}

/* A job that hangs, and the one worker, which certainly has it. */
static int hang_in_worker(struct rig *r, uint64_t ms)
{
    rig_job(r, "clean", 10000);
    struct scan_answer a = rig_answer(r);
    RIG_EXPECT(r, a, CLEAN, NONE);
    int pid = the_worker(r);
    rig_job(r, "hang", ms);
    rig_job(r, "clean", 0); /* refused when it is read, and by then the one before it is at the worker */
    a = rig_answer(r);
    RIG_EXPECT(r, a, ERROR, TIMEOUT);
    ck_assert_uint_eq(a.id, r->last_id);
    return pid;
}

START_TEST(an_operators_kill_is_a_crash_but_no_poison)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGKILL, SIGTERM};
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        int pid = hang_in_worker(&r, 15000);
        kill(pid, signals[i]);
        struct scan_answer a = rig_answer(&r);
        RIG_EXPECT(&r, a, ERROR, CRASH);
    }
    ck_assert(strstr(rig_log(&r), " poison ") == NULL);
    rig_stop(&r);
}
END_TEST

/* C14 */
START_TEST(a_stopped_worker_is_killed_at_the_deadline)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (int i = 0; i < 4; i++) { /* and that is no poison either */
        int pid = hang_in_worker(&r, 1000);
        kill(pid, SIGSTOP);
        struct scan_answer a = rig_answer(&r);
        RIG_EXPECT(&r, a, ERROR, TIMEOUT);
    }
    rig_job(&r, "clean", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    rig_stop(&r);
}
END_TEST

/* A filter of the host's own, inherited by its workers, under which theirs cannot be installed. */
static void forbid_seccomp(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    ck_assert(ctx != NULL);
    ck_assert(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) == 0);
    ck_assert(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                               SCMP_A0(SCMP_CMP_EQ, 22 /* PR_SET_SECCOMP */, 0)) == 0);
    ck_assert(seccomp_load(ctx) == 0);
    seccomp_release(ctx);
}

START_TEST(without_seccomp_nothing_is_scanned)
{
    struct rig r;
    if (rig_seccomp_lifted("a filter that cannot be installed"))
        return;
    rig_init(&r);
    r.before = forbid_seccomp;
    rig_start(&r);
    struct scan_status s = rig_status(&r, r.channel);
    if (s.state == SCAN_ENGINE_READY) /* the first worker was still on its way */
        s = rig_status(&r, r.channel);
    ck_assert_int_eq(s.state, SCAN_ENGINE_FAILED);
    ck_assert_msg(strstr(s.detail, "seccomp filter cannot be installed") != NULL, "%s", s.detail);
    rig_job(&r, "clean", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, SANDBOX);
    ck_assert(strstr(rig_log(&r), " engine-down ") != NULL);
    rig_stop(&r);
}
END_TEST

/* No process more for this user. Root is exempt, so it becomes somebody else. */
static void forbid_fork(void)
{
    struct rlimit none = {0, 0};
    ck_assert(setrlimit(RLIMIT_NPROC, &none) == 0);
    ck_assert(geteuid() != 0 || setuid(65534) == 0);
}

/* C17 */
START_TEST(a_host_that_cannot_fork_says_so_and_loses_nothing)
{
    struct rig r;
    rig_init(&r);
    r.before = forbid_fork;
    r.cannot_fork = true;
    rig_start(&r);
    rig_job(&r, "clean", RIG_PATIENCE_MS); /* told long before its deadline */
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, DOWN);
    ck_assert_str_eq(a.verdict.detail, "no worker can be started: Resource temporarily unavailable");
    const char *log = rig_log(&r);
    ck_assert_msg(strstr(log, " shortage ") && strstr(log, "Resource temporarily unavailable"), "%s", log);
    rig_stop(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(faults_are_crashes)                                                                                              \
    X(what_never_ends_is_killed_at_the_deadline)                                                                       \
    X(leaving_the_sandbox_is_death_or_refusal)                                                                         \
    X(lies_on_the_channel_are_protocol_errors)                                                                         \
    X(resources_end_where_their_limit_is)                                                                              \
    X(temporary_files_are_gone_before_the_answer)                                                                      \
    X(a_slot_whose_directory_is_unusable_does_not_stop_the_others)                                                     \
    X(three_deaths_make_a_message_poison)                                                                              \
    X(an_operators_kill_is_a_crash_but_no_poison)                                                                      \
    X(a_stopped_worker_is_killed_at_the_deadline)                                                                      \
    X(without_seccomp_nothing_is_scanned)                                                                              \
    X(a_host_that_cannot_fork_says_so_and_loses_nothing)
#include "support/check_main.h"
