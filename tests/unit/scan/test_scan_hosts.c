/* SPDX-License-Identifier: MIT */
/* Hosts that come, go, rave and take over: where messages wait, who scans them, what is said of it. */
#include "scan/scan_client_internal.h"
#include "scan_bench.h"

START_TEST(where_no_host_is_there_messages_wait_for_one_within_their_deadlines)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    struct scan_run *r = start(&b);
    b.conf[0].timeout_ms = 1;
    struct scan_run *hurried = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(hurried, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    ck_assert_str_eq(scan_run_verdict(hurried)->detail, "no scan host took it before the deadline");
    ck_assert_ptr_null(scan_run_verdict(r));
    broker_open(&b, 0);
    wait_records(&b, 1);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 2);
    assert_verdict(r, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    scan_run_free(hurried);
    bench_close(&b);
}
END_TEST

START_TEST(as_many_wait_as_backlog_says_on_all_loops_together_and_the_next_is_overload_at_once)
{
    struct bench b;
    bench_open(&b, 1);
    b.fw.pools[0].conf.backlog = 2;
    bench_start(&b, false);
    struct scan_client *other = scan_client_new(b.loop, b.runtime, &b.log, false); /* another loop's */
    ck_assert_ptr_nonnull(other);
    struct scan_run *first = start(&b), *second = start_of(&b, other, 2), *third = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(third, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "one");
    scan_run_free(second); /* a client that leaves makes room */
    struct scan_run *fourth = start(&b), *fifth = start_of(&b, other, 5);
    wait_wakes(&b, 2);
    assert_verdict(fifth, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "one");
    broker_open(&b, 0);
    wait_records(&b, 2);
    ck_assert_ptr_null(scan_run_verdict(first));
    ck_assert_ptr_null(scan_run_verdict(fourth));
    scan_run_free(first);
    scan_run_free(third);
    scan_run_free(fourth);
    scan_run_free(fifth);
    ck_assert_uint_eq(atomic_load(&b.runtime->waiting[0]), 0);
    scan_client_free(other);
    bench_close(&b);
}
END_TEST

/* Each of these ends the channel. */
static void send_garbage(struct bench *b)
{
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, SPAN("garbage"), -1), ERR_OK);
}
static void send_too_long(struct bench *b)
{
    unsigned char bytes[SCAN_RECORD_SIZE + 1] = {SCAN_ANSWER};
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, span_of(bytes, sizeof(bytes)), -1), ERR_OK);
}
static void send_descriptor(struct bench *b)
{
    struct scan_record r = {.type = SCAN_ANSWER, .answer.id = b->broker[0].got[0].job.id};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&r, bytes);
    ck_assert_int_eq(fdpass_send(b->broker[0].fd, span_of(bytes, len), b->message), ERR_OK);
}
static void send_job(struct bench *b)
{
    broker_send(b, 0, &b->broker[0].got[0]);
}
static void send_skipped(struct bench *b)
{
    broker_answer(b, 0, b->broker[0].got[0].job.id, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "");
}
static void send_foreign_status(struct bench *b)
{
    broker_status(b, 0, "two", SCAN_ENGINE_READY, ""); /* an engine of the other pool */
}

/* C16 */
START_TEST(a_record_that_makes_no_sense_closes_the_channel)
{
    static void (*const faults[])(struct bench * b) = {send_garbage, send_too_long, send_descriptor,
                                                       send_job,     send_skipped,  send_foreign_status};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct bench b;
        bench_open(&b, 2);
        b.fw.engines[1].built = false;
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        wait_records(&b, 1);
        faults[i](&b);
        wait_missed(&b);
        struct scan_run *next = start(&b);
        broker_close(&b, 0);
        broker_open(&b, 0); /* started instead */
        wait_records(&b, 2);
        ck_assert_uint_eq(b.wakes, 0);
        faults[i](&b);
        wait_wakes(&b, 1); /* a second time is once too often */
        assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "one");
        ck_assert_ptr_null(scan_run_verdict(next));
        scan_run_free(r);
        scan_run_free(next);
        bench_close(&b);
    }
}
END_TEST

static void note_broken(void *arg, int pool_index, unsigned generation)
{
    unsigned *seen = arg;
    ck_assert_int_eq(pool_index, 0);
    *seen = generation;
}

/* So many messages that the host of pool 0 takes and does not answer. */
static void be_silent(struct bench *b, unsigned count)
{
    unsigned records = (unsigned)b->broker[0].count, wakes = b->wakes;
    struct scan_run *runs[4];
    for (unsigned i = 0; i < count; i++)
        runs[i] = start(b);
    wait_records(b, records + count);
    wait_wakes(b, wakes + count);
    for (unsigned i = 0; i < count; i++) {
        assert_verdict(runs[i], VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
        scan_run_free(runs[i]);
    }
}

START_TEST(a_host_that_falls_silent_is_reported_and_replaced)
{
    struct bench b;
    unsigned broken = 0;
    bench_open(&b, 1);
    b.conf[0].timeout_ms = 1;
    bench_start(&b, false);
    scan_client_on_broken(b.client, note_broken, &broken);
    broker_open(&b, 0);
    be_silent(&b, 4);
    ck_assert_uint_eq(broken, 0); /* it has never spoken: it may be loading */
    for (int i = 0; i < 2; i++) {
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, i ? "again" : "");
        wait_changes(&b, b.changes + 1);
        be_silent(&b, 2);
    }
    ck_assert_uint_eq(broken, 0); /* not in a row */
    be_silent(&b, 1);
    ck_assert_uint_eq(broken, 1);
    ck_assert(host_is_missed(&b));
    ck_assert_msg(strstr(b.lines[b.line_count - 1], "pool CPU: its scan host says nothing any more (3 messages"), "%s",
                  b.lines[b.line_count - 1]);
    bench_close(&b);
}
END_TEST

/* All calls of the client expire in the next turn of the loop, with everything that lies in the channels by then: as
 * after this process stood still beyond their deadlines. */
static void stand_still(struct bench *b)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (b->client->slots[i])
            deadline_set_ms(&b->client->slots[i]->deadline, 0);
}

enum { STOOD_RUNS = 4 };

/* A host of pool 0 that has spoken, and then taken STOOD_RUNS messages. */
static void bench_asked(struct bench *b, struct scan_run *runs[STOOD_RUNS], unsigned *broken)
{
    *broken = 0;
    bench_open(b, 1);
    bench_start(b, false);
    scan_client_on_broken(b->client, note_broken, broken);
    broker_open(b, 0);
    broker_status(b, 0, "one", SCAN_ENGINE_READY, "");
    wait_changes(b, 1);
    for (int i = 0; i < STOOD_RUNS; i++)
        runs[i] = start(b);
    wait_records(b, STOOD_RUNS);
}

/* They all end so, and the host is still there. */
static void bench_served(struct bench *b, struct scan_run *runs[STOOD_RUNS], enum verdict_class class,
                         enum verdict_reason reason)
{
    wait_wakes(b, STOOD_RUNS);
    for (int i = 0; i < STOOD_RUNS; i++) {
        assert_verdict(runs[i], class, reason, "one");
        scan_run_free(runs[i]);
    }
    ck_assert(!host_is_missed(b));
    bench_close(b);
}

START_TEST(what_a_host_said_while_this_process_stood_still_counts)
{
    struct bench b;
    struct scan_run *runs[STOOD_RUNS];
    unsigned broken;
    bench_asked(&b, runs, &broken);
    for (int i = 0; i < STOOD_RUNS; i++)
        broker_answer(&b, 0, b.broker[0].got[i].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    stand_still(&b);
    bench_served(&b, runs, VERDICT_CLEAN, VERDICT_REASON_NONE);
    ck_assert_uint_eq(broken, 0);
}
END_TEST

START_TEST(a_host_that_has_spoken_meanwhile_is_not_silent)
{
    struct bench b;
    struct scan_run *runs[STOOD_RUNS];
    unsigned broken;
    bench_asked(&b, runs, &broken);
    broker_status(&b, 0, "one", SCAN_ENGINE_READY, "with news");
    stand_still(&b);
    bench_served(&b, runs, VERDICT_ERROR, VERDICT_REASON_TIMEOUT);
    ck_assert_uint_eq(broken, 0);
}
END_TEST

START_TEST(a_host_that_ended_while_this_process_stood_still_is_followed_by_the_next)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    broker_close(&b, 0);
    stand_still(&b);
    wait_missed(&b);
    ck_assert_uint_eq(b.wakes, 0); /* it waits: there is time left */
    broker_open(&b, 0);
    wait_records(&b, 1);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

/* A new generation of the host of pool 0, which takes over; its end stands in broker[1], the one before stays in
 * broker[0]. */
static void broker_replace(struct bench *b)
{
    int fds[2];
    broker_close(b, 1); /* one that was there before, if any */
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    struct broker *br = &b->broker[1];
    br->count = 0;
    br->fd = fds[1];
    broker_args[1] = (struct broker_arg){b, 1};
    loop_watch_init(&br->watch, b->loop, br->fd, broker_ready, &broker_args[1]);
    loop_watch_set(&br->watch, LOOP_READ);
    scan_client_attach(b->client, 0, ++b->generation, fds[0]);
}

static bool old_one_closed(struct bench *b)
{
    char byte;
    return recv(b->broker[0].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

START_TEST(a_newer_generation_gets_new_jobs_and_the_older_one_finishes_its_own)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *first = start(&b), *given_up = start(&b);
    wait_records(&b, 2);
    broker_replace(&b);
    struct scan_run *second = start(&b);
    wait_records(&b, 3);
    ck_assert_uint_eq(b.broker[0].count, 2);
    ck_assert_uint_eq(b.broker[1].count, 1);
    broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 1);
    assert_verdict(second, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    ck_assert_uint_eq(scan_run_verdict(second)->generation, 2);
    ck_assert_ptr_null(scan_run_verdict(first));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "no word of the older one counts");
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 2);
    assert_verdict(first, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    ck_assert_uint_eq(scan_run_verdict(first)->generation, 1);
    ck_assert(!old_one_closed(&b)); /* it has a job left */
    scan_run_free(given_up);
    struct scan_run *third = start(&b);
    while (recv(b.broker[0].fd, (char[SCAN_RECORD_SIZE]){0}, SCAN_RECORD_SIZE, MSG_DONTWAIT) > 0) /* the cancel */
        ;
    ck_assert(old_one_closed(&b)); /* which is how its host learns that it is done */
    wait_records(&b, 4);
    broker_answer(&b, 1, b.broker[1].got[1].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 3);
    assert_verdict(third, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(first);
    scan_run_free(second);
    scan_run_free(third);
    bench_close(&b);
}
END_TEST

START_TEST(an_older_generation_without_jobs_is_left_at_once)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_replace(&b);
    ck_assert(old_one_closed(&b));
    bench_close(&b);
}
END_TEST

/* ---- channels that are missing ---- */

static struct {
    unsigned count, until;
    struct loop *loop;
} wanted;

static void note_missing(void *arg, int pool_index)
{
    (void)arg;
    ck_assert_int_eq(pool_index, 0);
    if (++wanted.count == wanted.until)
        loop_stop(wanted.loop);
}

/* Until the client has asked for a channel so many times. */
static void wait_asked(struct bench *b, unsigned count)
{
    wanted.loop = b->loop;
    wanted.until = count;
    deadline_set_ms(&b->guard, GUARD_MS);
    loop_run(b->loop);
    deadline_clear(&b->guard);
    ck_assert_uint_eq(wanted.count, count);
}

static bool still_asks(const struct bench *b)
{
    return deadline_is_set(&b->client->wants[0].ask);
}

/* C24: its host had no memory or no descriptor for the channel, and lives on. */
START_TEST(for_a_channel_that_ends_another_one_is_asked_until_it_comes)
{
    struct bench b;
    memset(&wanted, 0, sizeof(wanted));
    bench_open(&b, 1);
    bench_start(&b, false);
    scan_client_on_missing(b.client, note_missing, NULL);
    broker_open(&b, 0);
    ck_assert(!still_asks(&b));
    broker_close(&b, 0);
    wait_missed(&b);
    ck_assert(still_asks(&b));
    ck_assert_uint_eq(wanted.count, 0); /* whoever starts the host again gives one unasked */
    struct scan_run *r = start(&b);
    wait_asked(&b, 1);
    wait_asked(&b, 2);
    ck_assert_uint_eq(b.line_count, 1); /* said once */
    ck_assert_msg(strstr(b.lines[0], " channel ") && strstr(b.lines[0], "pool CPU: a thread has no channel"), "%s",
                  b.lines[0]);
    broker_open(&b, 0);
    ck_assert(!still_asks(&b));
    wait_records(&b, 1);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(a_channel_that_got_lost_is_asked_for_and_the_older_one_serves_meanwhile)
{
    struct bench b;
    memset(&wanted, 0, sizeof(wanted));
    bench_open(&b, 1);
    bench_start(&b, false);
    scan_client_on_missing(b.client, note_missing, NULL);
    broker_open(&b, 0);
    scan_client_lost(b.client, 0, 2);
    scan_client_lost(b.client, POOLS, 2); /* no such pool */
    ck_assert_uint_eq(b.line_count, 1);
    ck_assert_msg(strstr(b.lines[0], " shortage ") && strstr(b.lines[0], "its channel to generation 2"), "%s",
                  b.lines[0]);
    wait_asked(&b, 1);
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 1);
    ck_assert_uint_eq(scan_run_verdict(r)->generation, 1);
    ck_assert(still_asks(&b));
    broker_replace(&b);
    ck_assert(!still_asks(&b));
    ck_assert(old_one_closed(&b));
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

static unsigned broken_calls;
static void count_broken(void *arg, int pool, unsigned generation)
{
    (void)arg, (void)pool, (void)generation;
    broken_calls++;
}

START_TEST(the_jobs_of_an_older_generation_that_dies_or_raves_are_scanned_by_the_newer_one)
{
    for (int raves = 0; raves < 2; raves++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, false);
        scan_client_on_broken(b.client, count_broken, NULL);
        broken_calls = 0;
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        wait_records(&b, 1);
        broker_replace(&b);
        if (raves)
            send_garbage(&b);
        else
            broker_close(&b, 0);
        wait_records(&b, 2);
        ck_assert_uint_eq(b.broker[1].count, 1);
        ck_assert_str_eq(b.broker[1].got[0].job.engine, "one");
        ck_assert(b.broker[1].with_fd[0]);
        broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
        wait_wakes(&b, 1);
        assert_verdict(r, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
        ck_assert_uint_eq(scan_run_verdict(r)->generation, 2);
        ck_assert_uint_eq(broken_calls, 0); /* whoever serves now has done nothing wrong */
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(what_a_host_leaves_is_asked_of_the_next_one_once_and_in_no_more_time)
{
    for (int known_before = 0; known_before < 2; known_before++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = start(&b), *late = NULL;
        wait_records(&b, 1);
        struct scan_job first = b.broker[0].got[0].job;
        if (known_before) { /* the news of the next one is here before this one's end was seen */
            broker_replace(&b);
            broker_close(&b, 0);
        } else {
            broker_close(&b, 0);
            wait_missed(&b);
            late = start(&b);
            broker_replace(&b);
        }
        wait_records(&b, known_before ? 2 : 3);
        const struct scan_job *again = &b.broker[1].got[0].job;
        ck_assert(b.broker[1].with_fd[0]);
        ck_assert_uint_ne(again->id, first.id);
        ck_assert_uint_eq(again->deadline_us, first.deadline_us);
        ck_assert_uint_eq(b.wakes, 0);
        broker_close(&b, 1); /* the second host that dies while it has the message */
        wait_wakes(&b, 1);
        assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
        ck_assert(!late || !scan_run_verdict(late)); /* it has lost one only */
        scan_run_free(r);
        scan_run_free(late);
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_job_that_waits_for_a_host_may_be_given_up_or_run_out_of_time)
{
    struct bench b;
    bench_open(&b, 1);
    b.conf[0].timeout_ms = 1;
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *given_up = start(&b), *r = start(&b);
    wait_records(&b, 2);
    broker_close(&b, 0);
    wait_missed(&b);
    scan_run_free(given_up);
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    broker_replace(&b); /* nobody is left to ask it */
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(each_engine_has_the_generation_that_it_met_and_is_remembered_under_it)
{
    struct bench b;
    struct verdict known;
    uint8_t digest[32];
    memset(digest, 0xd1, sizeof(digest));
    bench_open(&b, 2);
    b.fw.engines[1].pool = "CPU";
    b.conf[0].database = "signatures";
    b.conf[0].cache_size = 10;
    b.conf[0].cache_clean = true;
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    broker_replace(&b);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_records(&b, 2);
    ck_assert_str_eq(b.broker[1].got[0].job.engine, "two");
    broker_answer(&b, 1, b.broker[1].got[0].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_INFECTED, VERDICT_REASON_NONE, "two");
    ck_assert_uint_eq(scan_run_verdict(r)->generation, 2);
    for (unsigned generation = 1; generation <= 2; generation++) {
        const struct verdict_cache_view view = {.generation = generation, .database_version = 42};
        bool found = verdict_cache_find(b.runtime->engines[0].cache, digest, view, loop_now_us(b.loop), &known);
        ck_assert_msg(found == (generation == 1), "generation %u", generation);
    }
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

/* A channel in which there is little room, and which nobody reads until broker_replace; its other end. */
static int attach_narrow(struct bench *b)
{
    int fds[2], small = 1;
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    scan_client_attach(b->client, 0, ++b->generation, fds[0]);
    return fds[1];
}

START_TEST(where_a_channel_is_full_messages_wait_in_their_order_until_there_is_room)
{
    enum { RUNS = 20 };
    struct bench b;
    struct scan_run *runs[RUNS];
    bench_open(&b, 1);
    bench_start(&b, false);
    struct broker *br = &b.broker[0];
    br->fd = attach_narrow(&b);
    for (int i = 0; i < RUNS; i++)
        runs[i] = start_of(&b, b.client, i);
    unsigned waiting = atomic_load(&b.runtime->waiting[0]);
    ck_assert_uint_gt(waiting, 0);
    ck_assert_uint_lt(waiting, RUNS);
    broker_args[0] = (struct broker_arg){&b, 0};
    loop_watch_init(&br->watch, b.loop, br->fd, broker_ready, &broker_args[0]);
    loop_watch_set(&br->watch, LOOP_READ);
    wait_records(&b, RUNS);
    for (int i = 0; i < RUNS; i++)
        ck_assert_int_eq(br->got[i].job.digest[0], i);
    ck_assert_uint_eq(atomic_load(&b.runtime->waiting[0]), 0);
    ck_assert_uint_eq(b.wakes, 0);
    for (int i = 0; i < RUNS; i++)
        scan_run_free(runs[i]);
    bench_close(&b);
}
END_TEST

START_TEST(what_waits_behind_a_full_channel_goes_to_the_host_that_takes_over)
{
    enum { RUNS = 20 };
    struct bench b;
    struct scan_run *runs[RUNS];
    bench_open(&b, 1);
    b.fw.pools[0].conf.backlog = RUNS;
    bench_start(&b, false);
    int full = attach_narrow(&b);
    for (int i = 0; i < RUNS; i++)
        runs[i] = start_of(&b, b.client, i);
    unsigned waiting = atomic_load(&b.runtime->waiting[0]);
    ck_assert_uint_gt(waiting, 0);
    broker_replace(&b);
    wait_records(&b, waiting);
    ck_assert_int_eq(b.broker[1].got[0].job.digest[0], (int)(RUNS - waiting));
    close(full); /* the rest follows */
    wait_records(&b, RUNS);
    ck_assert_uint_eq(b.wakes, 0);
    for (int i = 0; i < RUNS; i++)
        scan_run_free(runs[i]);
    bench_close(&b);
}
END_TEST

START_TEST(the_client_is_settled_when_every_built_engine_has_reported)
{
    struct bench b;
    bench_open(&b, 3);
    b.fw.engines[2].built = false;
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_open(&b, 1);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 0, "one", SCAN_ENGINE_READY, "");
    wait_changes(&b, 1);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 1, "two", SCAN_ENGINE_FAILED, "");
    wait_changes(&b, 2);
    ck_assert(scan_client_settled(b.client));
    broker_close(&b, 0);
    broker_open(&b, 0); /* a restart of a host does not take that back */
    ck_assert(scan_client_settled(b.client));
    bench_close(&b);
}
END_TEST

START_TEST(the_loss_of_a_host_and_its_return_are_logged_where_asked_and_what_the_host_says_itself_is_not)
{
    for (int asked = 0; asked < 2; asked++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, asked);
        broker_open(&b, 0);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        wait_changes(&b, 1);
        broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "it broke");
        wait_changes(&b, 2);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        wait_changes(&b, 3);
        ck_assert_uint_eq(b.line_count, 0);
        broker_close(&b, 0);
        wait_missed(&b);
        broker_open(&b, 0);
        broker_status(&b, 0, "one", SCAN_ENGINE_READY, "1.4.6");
        wait_changes(&b, 4);
        ck_assert_uint_eq(b.line_count, asked ? 2 : 0);
        if (asked) {
            static const char *const ready[] = {" engine-ready ",         "engine=one",   "pool=CPU",
                                                "database_version=27500", "signatures=3", "detail=1.4.6"};
            for (size_t i = 0; i < ARRAY_SIZE(ready); i++)
                ck_assert_msg(strstr(b.lines[1], ready[i]) != NULL, "%s in %s", ready[i], b.lines[1]);
            ck_assert_ptr_nonnull(strstr(b.lines[0], " engine-down engine=one"));
            ck_assert_ptr_nonnull(strstr(b.lines[0], "the scan host closed the channel"));
        }
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_channel_for_a_pool_that_is_not_there_is_closed)
{
    struct bench b;
    int fds[2];
    bench_open(&b, 1);
    bench_start(&b, false);
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    scan_client_attach(b.client, POOLS, 1, fds[0]);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
    bench_close(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(where_no_host_is_there_messages_wait_for_one_within_their_deadlines)                                             \
    X(as_many_wait_as_backlog_says_on_all_loops_together_and_the_next_is_overload_at_once)                             \
    X(a_host_that_falls_silent_is_reported_and_replaced)                                                               \
    X(what_a_host_said_while_this_process_stood_still_counts)                                                          \
    X(a_host_that_has_spoken_meanwhile_is_not_silent)                                                                  \
    X(a_host_that_ended_while_this_process_stood_still_is_followed_by_the_next)                                        \
    X(a_record_that_makes_no_sense_closes_the_channel)                                                                 \
    X(a_newer_generation_gets_new_jobs_and_the_older_one_finishes_its_own)                                             \
    X(an_older_generation_without_jobs_is_left_at_once)                                                                \
    X(for_a_channel_that_ends_another_one_is_asked_until_it_comes)                                                     \
    X(a_channel_that_got_lost_is_asked_for_and_the_older_one_serves_meanwhile)                                         \
    X(the_jobs_of_an_older_generation_that_dies_or_raves_are_scanned_by_the_newer_one)                                 \
    X(what_a_host_leaves_is_asked_of_the_next_one_once_and_in_no_more_time)                                            \
    X(a_job_that_waits_for_a_host_may_be_given_up_or_run_out_of_time)                                                  \
    X(each_engine_has_the_generation_that_it_met_and_is_remembered_under_it)                                           \
    X(where_a_channel_is_full_messages_wait_in_their_order_until_there_is_room)                                        \
    X(what_waits_behind_a_full_channel_goes_to_the_host_that_takes_over)                                               \
    X(the_client_is_settled_when_every_built_engine_has_reported)                                                      \
    X(the_loss_of_a_host_and_its_return_are_logged_where_asked_and_what_the_host_says_itself_is_not)                   \
    X(a_channel_for_a_pool_that_is_not_there_is_closed)
#include "support/check_main.h"
