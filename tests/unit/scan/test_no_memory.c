/* SPDX-License-Identifier: MIT */
/* Memory runs out on the edge's side of scanning, at every allocation once: what is made is made whole or not at all,
 * and a message whose scan had none is never clean (C24). Contexts and whole transactions: the scenario player. */
#include "support/failing_memory.h"

#include "one_engine.h"
#include "scan/scan_client_internal.h"
#include <sys/socket.h>

enum { ENOUGH = 100 };

static const struct engine_conf remembering = {
    .cache_size = 100, .cache_clean = true, .breaker_failures = 3, .probe_interval_ms = 1000};

START_TEST(what_all_loops_share_is_made_whole_or_not_at_all)
{
    struct rig r;
    rig_open(&r, &remembering);
    bool complete = false;
    for (long n = 0; n < ENOUGH && !complete; n++) {
        memory_fails_at(n);
        struct scan_runtime *runtime = scan_runtime_new(&r.fw);
        complete = !memory_failed();
        ck_assert_msg((runtime != NULL) == complete, "allocation %ld", n);
        scan_runtime_free(runtime);
    }
    ck_assert(complete);
    rig_close(&r);
}
END_TEST

START_TEST(a_loops_client_is_made_whole_or_not_at_all)
{
    struct rig r;
    rig_open(&r, &remembering);
    bool complete = false;
    for (long n = 0; n < ENOUGH && !complete; n++) {
        memory_fails_at(n);
        struct scan_client *client = scan_client_new(r.loop, r.runtime, &r.log, false);
        complete = !memory_failed();
        ck_assert_msg((client != NULL) == complete, "allocation %ld", n);
        if (client)
            scan_client_free(client);
    }
    ck_assert(complete);
    rig_close(&r);
}
END_TEST

/* CONF's engine asked about messages, with every allocation failing once. */
static void check_messages_without_memory(struct rig *r, const struct engine_conf *conf)
{
    rig_open(r, conf);
    bool complete = false;
    for (long n = 0; n < ENOUGH && !complete; n++) {
        uint8_t digest[32] = {(uint8_t)n};
        const struct scan_subject subject = {.fd = r->message, .size = 7, .digest = digest};
        r->wakes = 0;
        memory_fails_at(n);
        struct scan_run *run = scan_run_start(r->client, &subject, rig_woken, r);
        if (run)
            rig_wait(r, rig_is_woken);
        complete = !memory_failed();
        ck_assert_msg(run || !complete, "allocation %ld", n);
        ck_assert_msg(!run || complete || scan_run_verdict(run)->class == VERDICT_ERROR, "allocation %ld", n);
        scan_run_free(run);
        ck_assert_int_eq(rig_scan(r, 200, NULL).class, VERDICT_CLEAN); /* and nothing is broken */
    }
    ck_assert(complete);
    ck_assert_ptr_null(rig_line(r, 0, "engine-rests", ""));
    rig_detach(r);
    rig_close(r);
}

START_TEST(a_message_without_memory_is_never_clean)
{
    struct rig r;
    check_messages_without_memory(&r, &remembering);
    ck_assert_uint_eq(r.inspections, 0);
}
END_TEST

START_TEST(a_message_that_is_taken_apart_without_memory_is_never_clean)
{
    struct engine_conf apart = remembering;
    struct rig r;
    apart.mime_decompose = true;
    check_messages_without_memory(&r, &apart);
    ck_assert_uint_gt(r.inspections, 0);
    ck_assert_uint_gt(r.with_parts, 0);
}
END_TEST

/* The one before it, where there is one, serves on. */
START_TEST(a_channel_without_memory_is_lost_and_another_one_asked_for)
{
    struct rig r;
    int fds[2];
    char byte;
    rig_open(&r, &remembering);
    const struct deadline *ask = &r.client->wants[0].ask;
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    memory_fails_at(0);
    scan_client_attach(r.client, 0, r.generation + 1, fds[0]);
    ck_assert(memory_failed());
    ck_assert_int_eq(recv(fds[1], &byte, 1, 0), 0); /* closed */
    close(fds[1]);
    ck_assert(deadline_is_set(ask));
    ck_assert_ptr_nonnull(rig_line(&r, 0, " shortage ", "no memory left for its channel"));
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    rig_detach(&r);
    rig_attach(&r);
    ck_assert(!deadline_is_set(ask));
    ck_assert_int_eq(rig_scan(&r, 2, NULL).class, VERDICT_CLEAN);
    rig_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_all_loops_share_is_made_whole_or_not_at_all)                                                                \
    X(a_loops_client_is_made_whole_or_not_at_all)                                                                      \
    X(a_channel_without_memory_is_lost_and_another_one_asked_for)                                                      \
    X(a_message_without_memory_is_never_clean)                                                                         \
    X(a_message_that_is_taken_apart_without_memory_is_never_clean)
#include "support/check_main.h"
