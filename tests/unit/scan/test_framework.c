/* SPDX-License-Identifier: MIT */
/* Stanzas, as an administrator writes them, and the framework that comes out of them. */
#include "stanza_fixture.h"

START_TEST(the_example_of_the_manual_loads_without_findings)
{
    struct fixture f;
    load(&f,
         "ThreadPool \"CPU\" { Concurrency = 2 }\n"
         "antivirus \"antivirus1\" {\n"
         "  clamav \"clamav1\" { database = \"/var/lib/clamav\" action = reject error_code = 451 timeout = 20 }\n"
         "}\n",
         0);
    ck_assert(!f.fw.scan_off);
    ck_assert_uint_eq(f.fw.engine_count, 1);
    const struct framework_engine *e = &f.fw.engines[0];
    ck_assert_str_eq(e->name, "clamav1");
    ck_assert_str_eq(e->type, "clamav");
    ck_assert_str_eq(e->pool, "CPU");
    ck_assert(e->built);
    ck_assert_int_eq(e->conf->action, ON_INFECTED_REJECT);
    ck_assert_int_eq(e->conf->timeout_ms, 20000);
    ck_assert_uint_eq(f.fw.pool_count, 1);
    ck_assert_str_eq(f.fw.pools[0].name, "CPU");
    ck_assert_int_eq(f.fw.pools[0].conf.concurrency, 2);
    ck_assert_int_eq(f.fw.pools[0].conf.backlog, 1000);
    fixture_release(&f);
}
END_TEST

START_TEST(defaults_are_those_of_the_original_but_for_action)
{
    struct fixture f;
    load(&f, "antivirus { clamav { } }", 0);
    const struct engine_conf *c = f.fw.engines[0].conf;
    ck_assert_str_eq(f.fw.engines[0].name, "clamav");
    ck_assert(c->enabled);
    ck_assert_int_eq(c->action, ON_INFECTED_REJECT);
    ck_assert_int_eq(c->error_code, 451);
    ck_assert_int_eq(c->infected_code, 550);
    ck_assert_int_eq(c->unscannable_code, 550);
    ck_assert_int_eq(c->timeout_ms, 10000);
    ck_assert_int_eq(c->max_concurrency, 0);
    ck_assert_int_eq(c->cache_size, 1000);
    ck_assert(!c->cache_clean);
    ck_assert_int_eq(c->breaker_failures, 5);
    ck_assert_int_eq(c->probe_interval_ms, 5000);
    ck_assert_int_eq(c->probe_idle_ms, 0);
    ck_assert_str_eq(c->database, "/var/lib/clamav");
    ck_assert(c->alert_encrypted);
    ck_assert_int_eq(c->max_scansize, 400 * 1024 * 1024);
    ck_assert_int_eq(c->max_filesize, 100 * 1024 * 1024);
    ck_assert_int_eq(c->max_recursion, 17);
    ck_assert_int_eq(c->max_files, 10000);
    ck_assert_uint_eq(c->daemon.count, 0);
    const struct pool_conf *p = &f.fw.pools[0].conf; /* no ThreadPool stanza: its rows' defaults all the same */
    ck_assert_int_eq(p->concurrency, 4);
    ck_assert_int_eq(p->backlog, 1000);
    ck_assert_int_eq(p->stack_size, 8 * 1024 * 1024);
    ck_assert_int_eq(p->memory_limit, 4LL * 1024 * 1024 * 1024);
    ck_assert_int_eq(p->temp_size, 1024 * 1024 * 1024);
    ck_assert_int_eq(p->jobs_per_worker, 1000);
    fixture_release(&f);
}
END_TEST

START_TEST(the_kaspersky_example_loads_unchanged)
{
    struct fixture f;
    load(&f,
         "Validate validate/antivirus antivirus {\n}\n\n"
         "Validate validate/av_kaspersky kaspersky  {\n"
         "  daemon = \"127.0.0.1:9001\"\n  daemon_is_remote = true\n  timeout = 180\n  action = pass\n  paranoid = "
         "false\n"
         "  context_variable = \"virus\"\n  skip_context_variable = \"skip_virus_check\"\n  file_base = "
         "\"/var/tmp\"\n}\n",
         1); /* it lets viruses pass, and that is said */
    const struct framework_engine *e = &f.fw.engines[0];
    ck_assert_uint_eq(f.fw.engine_count, 1);
    ck_assert(e->built);
    ck_assert_str_eq(e->pool, "IO");
    ck_assert_uint_eq(e->conf->daemon.count, 1);
    ck_assert_str_eq(e->conf->daemon.items[0], "127.0.0.1:9001");
    ck_assert(e->conf->daemon_is_remote);
    ck_assert_str_eq(e->conf->file_base, "/var/tmp");
    ck_assert_int_eq(e->conf->timeout_ms, 180000);
    ck_assert_int_eq(e->conf->action, ON_INFECTED_PASS);
    ck_assert_uint_eq(f.fw.pool_count, 1);
    fixture_release(&f);
}
END_TEST

START_TEST(daemons_of_other_makers_have_the_defaults_of_the_original)
{
    struct fixture f;
    load(&f, "antivirus { kaspersky { file_base = /var/tmp } fsecure { file_base = /var/tmp } }", 0);
    const struct engine_conf *k = f.fw.engines[0].conf, *s = f.fw.engines[1].conf;
    ck_assert_str_eq(k->daemon.items[0], "127.0.0.1"); /* the port is that of its protocol */
    ck_assert(!k->daemon_is_remote);
    ck_assert_int_eq(k->protocol, KASPERSKY_AVESERVER);
    ck_assert_int_eq(k->suspicious, SUSPICIOUS_INFECTED);
    ck_assert_int_eq(k->netscan_framing, NETSCAN_LENGTH);
    ck_assert_int_eq(k->netscan_goahead, GOAHEAD_AUTO);
    ck_assert_str_eq(k->scan_flags, "bPQRSTUW");
    ck_assert_str_eq(k->netscan_command, "NETSCAN");
    ck_assert_str_eq(s->daemon.items[0], "/tmp/.fsav-UID");
    ck_assert_int_eq(s->suspicious, SUSPICIOUS_UNSCANNABLE);
    ck_assert_int_eq(s->max_recursion, 5);
    ck_assert(!s->riskware);
    ck_assert_int_eq(s->max_filesize, 100 * 1024 * 1024);
    ck_assert_str_eq(f.fw.engines[0].pool, "IO");
    ck_assert_str_eq(f.fw.engines[1].pool, "IO");
    fixture_release(&f);
}
END_TEST

START_TEST(stanzas_of_both_eras_load)
{
    static const struct {
        const char *text;
        size_t warnings, engines;
    } rows[] = {
        {"Validate validate/antivirus antivirus { }\nValidate validate/av_clamav clamav { }", 0, 1},
        {"Validate validate/antivirus antivirus { }\nValidate validate/av_clamav clamav passive { }", 1, 0},
        {"Validate validate/antivirus clamav passive { }", 1, 0},
        {"Validate validate/antivirus antivirus passive { }\nValidate validate/av_clamav clamav { }", 1, 0},
        {"Validate validate/av_fsecure fsecure { daemon = /tmp/.fsav-65534 timeout = 60 "
         "file_base = /var/tmp }",
         0, 1},
        {"antivirus \"antivirus1\" { clamav \"clamav1\" { } csapi \"csapi1\" { max_extract_depth = 20 } }", 1, 2},
        {"clamav { }\nantivirus \"antivirus1\" { clamav \"clamav1\" { } }", 0, 1},
        {"antivirus { clamav { } }\n"
         "Validate validate/sieve sieve { data_phase1 = \"/path.siv\" script \"data\" { source = \"keep;\" } }\n"
         "Module generic/sievelib sievelib { }",
         2, 1},
        {"antivirus { brightmail { whatever = 1 } clamav { } }", 2, 2}, /* not built, and what follows from it */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f;
        load(&f, rows[i].text, rows[i].warnings);
        ck_assert_msg(f.fw.engine_count == rows[i].engines, "%zu engines in %s", f.fw.engine_count, rows[i].text);
        fixture_release(&f);
    }
}
END_TEST

START_TEST(engines_keep_the_order_of_the_file_and_passive_ones_take_no_part)
{
    struct fixture f;
    load(&f,
         "antivirus \"a\" { timeout = 30 kaspersky \"k1\" { daemon_is_remote = on } clamav \"c1\" { timeout = 5 } "
         "clamav \"off\" { enabled = "
         "false } }\n"
         "antivirus \"b\" { clamav \"c2\" { } }",
         1); /* both set clamav_status */
    static const char *const names[] = {"k1", "c1", "c2"};
    static const int64_t timeouts[] = {30000, 5000, 10000}; /* inherited, own, default */
    ck_assert_uint_eq(f.fw.engine_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(f.fw.engines[i].name, names[i]);
        ck_assert_int_eq(f.fw.engines[i].conf->timeout_ms, timeouts[i]);
    }
    fixture_release(&f);
}
END_TEST

START_TEST(pools_are_found_in_any_case_and_each_used_one_is_listed_once)
{
    struct fixture f;
    load(&f,
         "ThreadPool \"Slow\" { backlog = 7 stack_size = 16M } ThreadPool \"unused\" { }\n"
         "antivirus { clamav \"a\" { pool = slow } clamav \"b\" { pool = io } clamav \"c\" { pool = SLOW } eleven { "
         "pool = cpu } }",
         5);
    static const char *const pools[] = {"Slow", "IO", "Slow", "CPU"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(f.fw.engines[i].pool, pools[i]);
    ck_assert_uint_eq(f.fw.pool_count, 2);
    ck_assert_str_eq(f.fw.pools[0].name, "Slow");
    ck_assert_int_eq(f.fw.pools[0].conf.backlog, 7);
    ck_assert_int_eq(f.fw.pools[0].conf.stack_size, 16 * 1024 * 1024);
    ck_assert_int_eq(f.fw.pools[0].conf.concurrency, 50);
    ck_assert_str_eq(f.fw.pools[1].name, "IO");
    ck_assert_int_eq(f.fw.pools[1].conf.concurrency, 50);
    ck_assert_int_eq(framework_pool_index(&f.fw, "IO"), 1);
    ck_assert_int_eq(framework_pool_index(&f.fw, "slow"), 0);
    ck_assert_int_eq(framework_pool_index(&f.fw, "CPU"), -1);
    fixture_release(&f);
}
END_TEST

START_TEST(num_workers_acts_as_max_concurrency_with_a_warning)
{
    static const struct {
        const char *text;
        size_t warnings;
        int64_t expected;
    } rows[] = {{"antivirus { clamav { num_workers = 3 } }", 1, 3},
                {"antivirus { clamav { max_concurrency = 5 } }", 0, 5},
                {"antivirus { clamav { max_concurrency = 5 num_workers = 3 } }", 1, 5}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f;
        load(&f, rows[i].text, rows[i].warnings);
        ck_assert_int_eq(f.fw.engines[0].conf->max_concurrency, rows[i].expected);
        fixture_release(&f);
    }
}
END_TEST

START_TEST(sub_second_timeouts_are_allowed)
{
    struct fixture f;
    load(&f, "antivirus { clamav { timeout = 200ms } }", 0);
    ck_assert_int_eq(f.fw.engines[0].conf->timeout_ms, 200);
    fixture_release(&f);
}
END_TEST

START_TEST(scan_is_off_only_when_written_out)
{
    struct fixture f;
    load(&f, "scan = off", 0);
    ck_assert(f.fw.scan_off);
    fixture_release(&f);
    load(&f, "scan = off antivirus { clamav { } }", 1);
    ck_assert(f.fw.scan_off);
    fixture_release(&f);
    load(&f, "", 1);
    ck_assert(!f.fw.scan_off);
    ck_assert_uint_eq(f.fw.engine_count, 0);
    fixture_release(&f);
}
END_TEST

START_TEST(what_follows_from_each_reason_can_be_written_down)
{
    struct fixture f;
    load(&f,
         "antivirus { all = true\n"
         "  clamav one { on_encrypted = pass on_too_large = error_code on_unscannable = reject on_partial = action "
         "on_error = next on_poison = error_code\n"
         "    reason_codes [ limit = 552 ] reason_texts [ limit = \"too deep\" ] }\n"
         "  clamav two { } }",
         3); /* a pass, an idle option, and a variable of both */
    const struct engine_conf *one = f.fw.engines[0].conf, *two = f.fw.engines[1].conf;
    ck_assert(f.fw.all);
    ck_assert_int_eq(one->on_reason[VERDICT_REASON_ENCRYPTED], ON_UNSCANNABLE_PASS);
    ck_assert_int_eq(one->on_reason[VERDICT_REASON_TOO_LARGE], ON_UNSCANNABLE_ERROR_CODE);
    ck_assert_int_eq(one->on_reason[VERDICT_REASON_LIMIT], ON_UNSCANNABLE_GENERAL);
    ck_assert_int_eq(one->on_unscannable, ON_UNSCANNABLE_REJECT);
    ck_assert_int_eq(framework_on_unscannable(one, VERDICT_REASON_LIMIT), ON_UNSCANNABLE_REJECT);
    ck_assert_int_eq(framework_on_unscannable(one, VERDICT_REASON_ENCRYPTED), ON_UNSCANNABLE_PASS);
    ck_assert_int_eq(framework_on_unscannable(one, VERDICT_REASON_PARTIAL), ON_UNSCANNABLE_ACTION);
    ck_assert_int_eq(one->on_error, ON_ERROR_NEXT);
    ck_assert_int_eq(one->on_reason[VERDICT_REASON_POISON], ON_TROUBLE_ERROR_CODE);
    ck_assert_int_eq(one->on_reason[VERDICT_REASON_TIMEOUT], ON_TROUBLE_ON_ERROR);
    ck_assert_uint_eq(one->reason_codes.count, 1);
    ck_assert_str_eq(one->reason_texts.items[0].value, "too deep");
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        ck_assert_int_eq(two->on_reason[r],
                         r != VERDICT_REASON_NONE && verdict_reason_class((enum verdict_reason)r) == VERDICT_UNSCANNABLE
                             ? ON_UNSCANNABLE_GENERAL
                             : 0);
    ck_assert_int_eq(two->on_unscannable, ON_UNSCANNABLE_ACTION);
    ck_assert_int_eq(two->on_error, ON_ERROR_ERROR_CODE);
    fixture_release(&f);
}
END_TEST

START_TEST(quarantine_is_used_where_an_engine_that_takes_part_says_so)
{
    static const struct {
        const char *text;
        bool used;
        size_t warnings;
    } rows[] = {
        {"antivirus { clamav { } }", false, 0},
        {"antivirus { clamav { action = quarantine } }", true, 0},
        {"antivirus { action = quarantine clamav \"a\" { action = reject } clamav \"b\" { } }", true, 1},
        {"antivirus { clamav { on_encrypted = quarantine quarantine_reply = reject } }", true, 0},
        {"antivirus { clamav { on_unscannable = quarantine } }", true, 0},
        {"antivirus { clamav \"a\" { action = quarantine enabled = off } clamav \"b\" { } }", false, 0},
        {"scan = off antivirus { clamav { action = quarantine } }", false, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f;
        load(&f, rows[i].text, rows[i].warnings);
        ck_assert_msg(framework_quarantines(&f.fw) == rows[i].used, "%s", rows[i].text);
        fixture_release(&f);
    }
}
END_TEST

START_TEST(the_size_that_an_engine_looks_at_is_the_smallest_that_counts_there)
{
    static const struct {
        const char *text;
        int64_t limit;
        const char *option;
    } rows[] = {
        {"clamav { }", 100 << 20, "max_filesize"},
        {"clamav { max_filesize = 500M }", 400 << 20, "max_scansize"},
        {"clamav { daemon = \"/run/a\" max_filesize = 500M }", 500 << 20, "max_filesize"}, /* no max_scansize there */
        {"clamav { daemon = \"/run/a\" }", 100 << 20, "max_filesize"},
        {"kaspersky { daemon_is_remote = on max_filesize = 450M }", 450 << 20, "max_filesize"},
        {"csapi { max_concurrency = 5 max_extract_size = 300M }", 200 << 20, "max_cumulative_extract_size"},
        {"csapi { max_concurrency = 5 }", 100 << 20, "max_extract_size"},
        {"csapi { daemon = av max_filesize = 300M }", 300 << 20, "max_filesize"},
        {"clamav { daemon = \"/run/a\" max_filesize = 90M } kaspersky { daemon_is_remote = on }", 90 << 20,
         "max_filesize"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f;
        char text[512];
        const char *engine = "", *option = "";
        snprintf(text, sizeof(text), "antivirus { %s }", rows[i].text);
        load(&f, text, 0);
        int64_t limit = framework_size_limit(f.conf.global, &engine, &option);
        ck_assert_msg(limit == rows[i].limit && strcmp(option, rows[i].option) == 0, "%s: found %lld (%s)",
                      rows[i].text, (long long)limit, option);
        fixture_release(&f);
    }
}
END_TEST

START_TEST(faults_and_surprises_are_named_with_their_place)
{
    static const struct {
        const char *text, *finding;
    } rows[] = {
        {"", "warning |no engine is configured|451|scan = off"},
        {"antivirus { clamav { enabled = false } }", "warning |no engine takes part"},
        {"antivirus { clamav { action = quarantine quarantine_reply = drop } }",
         "error |quarantine_reply = drop|accept, reject"},
        {"antivirus { clamav { action = destroy } }", "error |reject, pass, quarantine"},
        {"antivirus { clamav { timeout = 0 } }", "error |timeout = 0: must be between 1ms and 3600s"},
        {"antivirus { clamav { timeout = 3601 } }", "error |timeout = 3601: must be between 1ms and 3600s"},
        {"antivirus { clamav { error_code = 250 } }", "error |error_code = 250|between 400 and 599"},
        {"antivirus { clamav { error_code = 554 } }", "warning |error_code = 554|give up"},
        {"antivirus { clamav { infected_code = 450 } }", "warning |infected_code = 450|again and again"},
        {"antivirus { clamav { unscannable_code = 450 } }", "warning |unscannable_code = 450|again and again"},
        {"antivirus { clamav { infected_text = \"100%\" } }", "error |infected_text|placeholder"},
        {"antivirus { clamav { error_text = \"%s\" } }", "error |error_text|unknown placeholder %s"},
        {"antivirus { clamav { unscannable_text = \"a\tb\" } }", "error |unscannable_text|printable ASCII"},
        {"ThreadPool \"mine\" { } antivirus { clamav \"a\" { pool = your } clamav \"b\" { pool = mine enabled = off } "
         "}",
         "error |pool = your|known are CPU, IO, mine"},
        {"antivirus { clamav \"two words\" { } }", "error |clamav \"two words\"|name of an engine"},
        {"antivirus { clamav \"x123456789012345678901234567890123456789a\" { } }", "error |1 to 40"},
        {"antivirus {\n clamav \"a\" { }\n csapi \"A\" { enabled = off } }",
         "error postern.conf:3:|name is taken|postern.conf:2"},
        {"ThreadPool \"a b\" { } antivirus { clamav { } }", "error |name of a ThreadPool"},
        {"ThreadPool \"cpu\" { }\nThreadPool \"CPU\" { } antivirus { clamav { } }",
         "error postern.conf:2:|there already|postern.conf:1"},
        {"antivirus { clamav { daemon = \"clam d:3310\" } }", "error |daemon|clam d:3310: expected host:port"},
        {"antivirus { clamav { daemon = ( a b c d e f g h i ) } }", "error |daemon|at most 8 servers"},
        {"antivirus { clamav { daemon = ( \"/run/a\" \"[::1]:0\" ) } }", "error |daemon|[::1]:0: expected host:port"},
        {"antivirus { clamav { daemon = \"/run/a\" max_files = 5 } }", "warning |max_files = 5|MaxFiles in clamd.conf"},
        {"antivirus { clamav { daemon = \"/run/a\" ignore_signatures = ( "
         "sha256:0000000000000000000000000000000000000000000000000000000000000000 \"X.*\" ) } }",
         "error |ignore_signatures|behind X.* would pass|ign2"},
        {"antivirus {\n clamav \"a\" { pool = IO }\n clamav \"b\" { daemon = \"/run/a\" context_variable = b } }",
         "warning postern.conf:2:|shares the pool IO with b|may connect too"},
        {"antivirus { clamav { cache_size = -1 } }", "error |cache_size = -1|between 0 and 10000000"},
        {"antivirus { clamav { cache_size = 0 cache_clean = on } }", "warning |cache_clean = on|no effect"},
        {"antivirus { clamav { daemon = \"/run/a\" cache_clean = on } }", "warning |cache_clean = on|10 minutes"},
        {"antivirus { clamav { probe_interval = 1ms } }", "error |probe_interval = 1ms|between"},
        {"antivirus { csapi { } }", "warning |max_concurrency is not given|one at a time"},
        {"ThreadPool \"CPU\" { Concurrency = 2 } antivirus { csapi { max_concurrency = 2 } }",
         "warning |max_concurrency|more scanner processes than its pool has workers (2)"},
        {"antivirus { csapi { max_concurrency = 5 prefer_mem = on } }", "warning |prefer_mem|never had an effect"},
        {"antivirus { csapi { max_concurrency = 5 scanner_path = avscan } }", "error |scanner_path|absolute path"},
        {"antivirus { csapi { max_concurrency = 5 scanner_log = \"a.log\" } }", "error |scanner_log|absolute path"},
        {"antivirus { csapi { max_concurrency = 5 ignore_signatures = ( \"X.*\" ) } }",
         "error |ignore_signatures|behind X.* would pass|ign2"},
        {"antivirus { csapi { max_concurrency = 5 max_filesize = 1M } }", "warning |max_filesize|without a daemon"},
        {"antivirus { csapi { daemon = \"av\" scanner_path = /x } }", "warning |scanner_path|with a daemon"},
        {"antivirus { csapi { daemon = \"no host\" } }", "error |daemon|no host: expected host:port"},
        {"antivirus { csapi { max_extract_depth = 0 } }", "error |max_extract_depth = 0|between 1 and 50"},
        {"antivirus { clamav { file_base = /var/tmp } }", "warning |file_base|no effect"},
        {"antivirus { kaspersky { } }", "error |file_base is needed|daemon_is_remote = true"},
        {"antivirus { kaspersky { protocol = http } }", "error |file_base is needed"},
        {"antivirus { fsecure { } }", "error |fsecure|file_base is needed"},
        {"antivirus { fsecure { file_base = tmp } }", "error |file_base = tmp|absolute path"},
        {"antivirus { fsecure { file_base = \"/var/my files\" } }", "error |file_base|without quotes"},
        {"antivirus { kaspersky { daemon_is_remote = on daemon = \"192.0.2.1:9001\" file_base = /var/tmp } }",
         "warning |file_base|reads no files"},
        {"antivirus { kaspersky { protocol = rest daemon_is_remote = on file_base = /var/tmp } }",
         "warning |file_base|reads no files"},
        {"antivirus { kaspersky { daemon = \"192.0.2.1:9001\" file_base = /var/tmp } }",
         "warning |daemon|on another host"},
        {"antivirus { kaspersky { daemon_is_remote = on scan_flags = \"b P\" } }", "error |scan_flags|letters only"},
        {"antivirus { kaspersky { daemon_is_remote = on netscan_command = N1 } }",
         "error |netscan_command|letters only"},
        {"antivirus { kaspersky { daemon_is_remote = on protocol = icap } }", "error |aveserver, http, rest"},
        {"antivirus { kaspersky { daemon_is_remote = on pool = CPU paranoid = on } }",
         "warning |paranoid|taken apart in the pool CPU, in which kaspersky connects"},
        {"antivirus { kaspersky { daemon_is_remote = on ignore_signatures = ( A ) } }", "error |behind A would pass"},
        {"antivirus { icap { daemon = ( a b c d e f g h i ) } }", "error |daemon|at most 8 servers"},
        {"antivirus { icap { service = \"a b\" } }", "error |service = \"a b\"|without blanks"},
        {"antivirus { icap { service = \"icap://h/avscan\" } }", "error |service|stands behind icap://host:port/"},
        {"antivirus { icap { service = /avscan } }", "error |service|stands behind icap://host:port/"},
        {"antivirus { icap { mode = options } }", "error |mode = options|respmod, reqmod"},
        {"antivirus { icap { preview = 100K } }", "error |preview = 100K|between 0 and"},
        {"antivirus { icap { echo_is_clean = on } }", "warning |echo_is_clean|does not answer 204"},
        {"antivirus { icap { keep_alive = on } }", "warning |keep_alive|counts for the next message"},
        {"antivirus { icap { ignore_signatures = ( A ) } }", "error |behind A would pass"},
        {"antivirus { icap { file_base = /var/tmp } }", "warning |file_base|reads no files"},
        {"antivirus { command { } }", "error |argv is needed"},
        {"antivirus { command { argv = ( clamscan \"%s\" ) } }", "error |clamscan: expected the absolute path"},
        {"antivirus { command { argv = ( /bin/sh \"--file=%s\" ) } }", "error |--file=%s: %s must be an argument"},
        {"antivirus { command { argv = ( /bin/sh \"%f\" ) } }", "error |%f: there is no such placeholder"},
        {"antivirus { command { argv = ( /bin/sh \"-x\" ) } }", "warning |without an argument %s the program finds"},
        {"antivirus { command { argv = ( /bin/sh \"%s\" \"%s\" ) } }", "error |%s stands in it 2 times"},
        {"antivirus { command { argv = ( /nowhere/scan - ) } }", "warning |/nowhere/scan: there is no such program"},
        {"antivirus { command { argv = ( /bin/sh - ) clean_codes = ( 0 256 ) } }",
         "error |256: expected exit codes from 0"},
        {"antivirus { command { argv = ( /bin/sh - ) clean_codes = ( 0 1 ) } }", "error |1 stands in clean_codes too"},
        {"antivirus { command { argv = ( /bin/sh - ) unscannable_codes = ( 9 9 ) } }",
         "error |9 stands in unscannable_codes"},
        {"antivirus { command { argv = ( /bin/sh - ) virus_pattern = \"FOUND\" } }", "error |FOUND|expected one %v"},
        {"antivirus { command { argv = ( /bin/sh - ) virus_pattern = \"*%v*\" } }", "error |fits every line"},
        {"antivirus { command { argv = ( /bin/sh - ) readable = tmp } }", "error |tmp: expected an absolute path"},
        {"antivirus { command { argv = ( /bin/sh - ) readable = / } }", "warning |may read whatever its user may"},
        {"antivirus { command { argv = ( /bin/sh - ) ignore_signatures = ( A ) } }", "error |behind A would pass"},
        {"ThreadPool \"cpu\" { } antivirus { clamav { pool = IO mime_decompose = on } kaspersky { pool = CPU "
         "daemon_is_remote = on } }",
         "warning |mime_decompose|in the pool cpu, in which kaspersky connects"},
        {"antivirus { clamav { use_wire_rep = on } }", "warning |use_wire_rep|un-stuffed"},
        {"antivirus { clamav { debug_level = DEBUG } }", "warning |debug_level|no effect"},
        {"antivirus { clamav { on_error = pass } }", "warning |on_error = pass|delivered unscanned"},
        {"antivirus { clamav { action = pass } }", "warning |action = pass|with a virus are delivered|X-Virus-Status"},
        {"antivirus { clamav { on_encrypted = pass } }", "warning |on_encrypted = pass|checked as a whole"},
        {"antivirus { clamav { on_unscannable = pass } }", "warning |on_unscannable = pass|unless an on_REASON"},
        {"antivirus { clamav { on_unscannable = pass on_limit = reject on_encrypted = action } }",
         "warning |on_unscannable = pass|unless an on_REASON"},
        {"antivirus { clamav { on_unscannable = on_unscannable } }",
         "error |action, reject, pass, error_code, quarantine"},
        {"antivirus { clamav { on_too_large = pass } }", "warning |on_too_large = pass|checked as a whole"},
        {"antivirus { clamav { on_poison = pass } }", "warning |on_poison = pass|delivered unscanned"},
        {"antivirus {\n clamav \"a\" { }\n clamav \"b\" { } }", "warning postern.conf:3:|clamav_status as a|strictest"},
        {"antivirus { clamav { context_variable = v } kaspersky { context_variable = v daemon_is_remote = on } }",
         "warning |kaspersky: it sets the same context variable v as clamav"},
        {"antivirus { clamav { context_variable = v } kaspersky { context_variable = v_info daemon_is_remote = on } }",
         "warning |context variable v_info as clamav"},
        {"antivirus { clamav { on_error = next } }", "warning |on_error = next|no other engine"},
        {"antivirus { clamav { on_timeout = pass } }", "warning |on_timeout = pass|delivered unscanned"},
        {"antivirus { clamav { on_timeout = reject } }", "error |on_timeout = reject|error_code, next, pass"},
        {"antivirus { clamav { on_encrypted = next } }",
         "error |on_encrypted = next|reject, pass, error_code, quarantine, on_unscannable"},
        {"antivirus { clamav { reason_codes [ encrypt = 550 ] } }", "error |no reason \"encrypt\"|encrypted, limit"},
        {"antivirus { clamav { reason_codes [ encrypted = 250 ] } }", "error |encrypted = 250|400 to 599"},
        {"antivirus { clamav { reason_codes [ timeout = 550 ] } }", "warning |timeout = 550|give up"},
        {"antivirus { clamav { reason_texts [ limit = \"%s\" ] } }", "error |unknown placeholder %s"},
        {"antivirus { clamav { ignore_signatures ( * ) } }", "error |fits every name|action = pass"},
        {"antivirus { clamav { ignore_signatures ( A.B sha256:00 ) } }", "error |sha256:00|64 hexadecimal digits"},
        {"antivirus { clamav { max_recursion = 0 } }", "error |max_recursion = 0|between 1 and 99"},
        {"antivirus { clamav { timout = 3 } }", "error |timout|timeout"},
        {"antivirus { kaspersky { timout = 3 } }", "error |timout|timeout"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_finding(rows[i].text, rows[i].finding);
}
END_TEST

START_TEST(clamav_with_a_daemon_runs_in_the_io_pool_and_is_no_surprise)
{
    struct fixture f;
    load(&f,
         "antivirus { clamav \"a\" { } clamav \"b\" { daemon = ( \"/run/a\" \"clamd.test\" ) max_filesize = 20M "
         "context_variable = b } }",
         0);
    ck_assert_uint_eq(f.fw.engine_count, 2);
    ck_assert_str_eq(f.fw.engines[0].pool, "CPU");
    const struct framework_engine *e = &f.fw.engines[1];
    ck_assert_str_eq(e->pool, "IO");
    ck_assert(e->built);
    ck_assert_uint_eq(e->conf->daemon.count, 2);
    ck_assert_str_eq(e->conf->daemon.items[1], "clamd.test");
    ck_assert_int_eq(e->conf->daemon_connect_ms, 5000);
    ck_assert_int_eq(f.fw.pools[framework_pool_index(&f.fw, "IO")].conf.concurrency, 50);
    fixture_release(&f);
}
END_TEST

START_TEST(where_messages_are_taken_apart_the_pool_cpu_runs_even_without_engines)
{
    static const struct {
        const char *text;
        int inspection; /* index of its pool */
        size_t pools;
    } rows[] = {
        {"antivirus { clamav { daemon = \"/run/a\" mime_decompose = on } }", 1, 2},
        {"antivirus { clamav { daemon = \"/run/a\" paranoid = on } }", 1, 2},
        {"antivirus { clamav { mime_decompose = on } }", 0, 1},
        {"antivirus { clamav { daemon = \"/run/a\" } }", -1, 1},
        {"antivirus { clamav { daemon = \"/run/a\" } kaspersky { daemon_is_remote = on enabled = off paranoid = on } }",
         -1, 1},
        {"antivirus { kaspersky { daemon_is_remote = on paranoid = on ignore_signatures ( Paranoid.Limit ) } }", 1, 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f;
        load(&f, rows[i].text, 0);
        ck_assert_int_eq(f.fw.inspection_pool, rows[i].inspection);
        ck_assert_uint_eq(f.fw.pool_count, rows[i].pools);
        if (rows[i].inspection >= 0)
            ck_assert_str_eq(f.fw.pools[rows[i].inspection].name, "CPU");
        fixture_release(&f);
    }
}
END_TEST

START_TEST(options_that_change_nothing_give_no_warning)
{
    struct fixture f;
    load(&f,
         "antivirus { clamav { cache_size = 5 cache_clean = on breaker_failures = 0 skip_context_variable = "
         "skip_virus_check mime_decompose = 0 paranoid "
         "= false "
         "use_wire_rep = false enabled = yes } }",
         0);
    fixture_release(&f);
}
END_TEST

START_TEST(more_engines_than_the_table_holds_are_an_error)
{
    char text[4096] = "antivirus {";
    for (int i = 0; i < LIMIT_ENGINES; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " clamav \"c%d\" { context_variable = v%d }", i, i);
    struct fixture f;
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len, "}");
    load(&f, text, 0);
    ck_assert_uint_eq(f.fw.engine_count, LIMIT_ENGINES);
    fixture_release(&f);
    snprintf(text + len, sizeof(text) - len, " clamav \"last\" { context_variable = last } }");
    assert_finding(text, "error |clamav \"last\"|at most 16 engines");
}
END_TEST

START_TEST(each_engine_may_have_a_pool_of_its_own_and_inspections_theirs)
{
    char text[8192] = "antivirus {";
    for (int i = 0; i < LIMIT_ENGINES; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 " clamav \"c%d\" { context_variable = v%d pool = P%d paranoid = true }", i, i, i);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "}");
    for (int i = 0; i < LIMIT_ENGINES; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " ThreadPool \"P%d\" { }", i);
    struct fixture f;
    load(&f, text, 0);
    ck_assert_uint_eq(f.fw.pool_count, LIMIT_POOLS);
    ck_assert_int_eq(f.fw.inspection_pool, LIMIT_POOLS - 1);
    fixture_release(&f);
}
END_TEST

START_TEST(the_dump_loads_into_the_same_framework_without_new_findings)
{
    struct fixture f, again;
    load(&f,
         "antivirus { clamav \"a\" { num_workers = 3 infected_text = \"no \\\"%v\\\"\" } kaspersky { "
         "daemon_is_remote = on } } ThreadPool \"CPU\" { }",
         1);
    struct buf out;
    buf_init(&out, 65536);
    ck_assert_int_eq(conf_dump(&f.conf, &fixture_table, &out), ERR_OK);
    ck_assert_int_eq(buf_append_char(&out, '\0'), ERR_OK);
    load(&again, buf_span(&out).ptr, 1);
    ck_assert_uint_eq(again.fw.engine_count, 2);
    ck_assert_int_eq(again.fw.engines[0].conf->max_concurrency, 3);
    ck_assert_str_eq(again.fw.engines[0].conf->infected_text, "no \"%v\"");
    ck_assert_str_eq(again.fw.engines[1].name, "kaspersky");
    buf_release(&out);
    fixture_release(&again);
    fixture_release(&f);
}
END_TEST

START_TEST(the_tables_make_a_reference_and_an_example_that_loads)
{
    struct fixture f;
    struct buf out;
    buf_init(&out, 262144);
    ck_assert_int_eq(conf_dump_reference(&fixture_table, &out), ERR_OK);
    ck_assert_uint_lt(span_find_span(buf_span(&out), SPAN("max_filesize")), buf_len(&out));
    buf_clear(&out);
    ck_assert_int_eq(conf_dump_example(&fixture_table, &out), ERR_OK);
    ck_assert_int_eq(buf_append_char(&out, '\0'), ERR_OK);
    char *text = strdup(buf_span(&out).ptr);
    ck_assert_ptr_nonnull(text);
    fixture_load(&f, text);
    ck_assert_uint_eq(f.problems.errors, 0);
    free(text);
    buf_release(&out);
    fixture_release(&f);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_example_of_the_manual_loads_without_findings)                                                                \
    X(defaults_are_those_of_the_original_but_for_action)                                                               \
    X(the_kaspersky_example_loads_unchanged)                                                                           \
    X(daemons_of_other_makers_have_the_defaults_of_the_original)                                                       \
    X(stanzas_of_both_eras_load)                                                                                       \
    X(engines_keep_the_order_of_the_file_and_passive_ones_take_no_part)                                                \
    X(pools_are_found_in_any_case_and_each_used_one_is_listed_once)                                                    \
    X(num_workers_acts_as_max_concurrency_with_a_warning)                                                              \
    X(sub_second_timeouts_are_allowed)                                                                                 \
    X(scan_is_off_only_when_written_out)                                                                               \
    X(what_follows_from_each_reason_can_be_written_down)                                                               \
    X(quarantine_is_used_where_an_engine_that_takes_part_says_so)                                                      \
    X(the_size_that_an_engine_looks_at_is_the_smallest_that_counts_there)                                              \
    X(faults_and_surprises_are_named_with_their_place)                                                                 \
    X(clamav_with_a_daemon_runs_in_the_io_pool_and_is_no_surprise)                                                     \
    X(where_messages_are_taken_apart_the_pool_cpu_runs_even_without_engines)                                           \
    X(options_that_change_nothing_give_no_warning)                                                                     \
    X(each_engine_may_have_a_pool_of_its_own_and_inspections_theirs)                                                   \
    X(more_engines_than_the_table_holds_are_an_error)                                                                  \
    X(the_dump_loads_into_the_same_framework_without_new_findings)                                                     \
    X(the_tables_make_a_reference_and_an_example_that_loads)
#include "support/check_main.h"
