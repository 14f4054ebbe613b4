/* SPDX-License-Identifier: MIT */
/* Options that are accepted without effect: each is named, and none that does something. */
#include "stanza_fixture.h"

START_TEST(an_option_that_does_nothing_where_it_stands_is_a_warning)
{
    static const struct {
        const char *text, *finding;
    } rows[] = {
        {"antivirus { kaspersky { daemon_is_remote = on cache_clean = on } }",
         "|cache_clean = on: has no effect|which"},
        {"antivirus { command { argv = ( /bin/sh - ) cache_clean = on } }", "|cache_clean = on: has no effect|which"},
        {"antivirus { clamav { daemon = \"/run/a\" database_watch = off } }", "|database_watch|with a daemon"},
        {"antivirus { clamav { daemon = \"/run/a\" database_settle = 1 } }", "|database_settle|with a daemon"},
        {"antivirus { max_signature_loss = 5 clamav { daemon = \"/run/a\" } }", "|max_signature_loss|with a daemon"},
        {"antivirus { clamav { on_partial = reject } }", "|on_partial = reject|without mime_decompose"},
        {"antivirus { paranoid = true clamav { on_external = quarantine } }", "|on_external|without mime_decompose"},
        {"antivirus { clamav { daemon_connect_timeout = 1 } }", "|daemon_connect_timeout = 1|without a daemon"},
        {"antivirus { kaspersky { daemon_is_remote = on protocol = http netscan_goahead = yes } }",
         "|netscan_goahead = yes|protocol http or rest"},
        {"antivirus { kaspersky { daemon_is_remote = on protocol = rest scan_flags = a } }",
         "|scan_flags|http or rest"},
        {"antivirus { kaspersky { daemon_is_remote = on protocol = rest suspicious = infected } }",
         "|suspicious|http or rest"},
        {"antivirus { kaspersky { file_base = /v netscan_command = N } }", "|netscan_command|daemon_is_remote = true"},
        {"antivirus { kaspersky { file_base = /v netscan_framing = dot } }", "|netscan_framing|daemon_is_remote"},
        {"antivirus { clamav { quarantine_reply = reject } }", "|quarantine_reply = reject|on_unscannable"},
        {"ThreadPool \"mine\" { } antivirus { clamav { } }", "|ThreadPool \"mine\": has no effect: no engine"},
        {"ThreadPool \"IO\" { } antivirus { clamav { } }", "|ThreadPool \"IO\": has no effect: no engine"},
        {"ThreadPool \"io\" { reload_mode = stop_first } antivirus { clamav { daemon = \"/run/a\" } }",
         "|reload_mode = stop_first|loads signatures"},
        {"ThreadPool \"IO\" { reload_retry = 1 } antivirus { kaspersky { daemon_is_remote = on } }",
         "|reload_retry = 1|loads signatures"},
        {"antivirus { clamav { daemon = ( \"/run/a\" \"/run/b\" ) timeout = 5 } }",
         "|timeout = 5|daemon_connect_timeout (5000ms)|next one"},
        {"antivirus { icap { daemon = ( a b ) daemon_connect_timeout = 10 } }", "|timeout|(10000ms)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "warning %s", rows[i].finding);
        assert_finding(rows[i].text, expected);
    }
}
END_TEST

START_TEST(an_option_that_does_something_is_none)
{
    static const char *const texts[] = {
        "antivirus { clamav { database_watch = off database_settle = 1 max_signature_loss = 5 } }",
        "antivirus { clamav { cache_clean = on } }",
        "antivirus { clamav { daemon = ( \"/run/a\" \"/run/b\" ) daemon_connect_timeout = 1 timeout = 2 } }",
        "antivirus { clamav { daemon = \"/run/a\" timeout = 5 } }", /* there is no next one */
        "antivirus { kaspersky { daemon_is_remote = on netscan_command = N netscan_framing = dot netscan_goahead = yes "
        "scan_flags = a suspicious = infected } }",
        "antivirus { kaspersky { file_base = /v scan_flags = a suspicious = unscannable } }",
        "antivirus { kaspersky { file_base = /v daemon_connect_timeout = 1 } }",
        "antivirus { clamav { action = quarantine quarantine_reply = reject } }",
        "antivirus { clamav { on_unscannable = quarantine quarantine_reply = reject } }",
        "antivirus { clamav { on_limit = quarantine quarantine_reply = reject } }",
        "ThreadPool \"mine\" { reload_mode = stop_first reload_retry = 1 } antivirus { clamav { pool = MINE } }",
        "ThreadPool \"CPU\" { reload_mode = stop_first } antivirus { csapi { max_concurrency = 5 } }",
        "ThreadPool \"v\" { reload_mode = stop_first } antivirus { plugin \"v\" { library = /v.so } }",
        "ThreadPool \"CPU\" { } antivirus { clamav { daemon = \"/run/a\" mime_decompose = on } }",
        "ThreadPool \"mine\" { reload_mode = stop_first } antivirus { clamav \"a\" { pool = mine enabled = off } "
        "clamav \"b\" { } }", /* switched off for now */
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fixture f;
        load(&f, texts[i], 0);
        fixture_release(&f);
    }
    assert_finding("ThreadPool \"mine\" { } scan = off antivirus { clamav { } }", "warning |scan = off|unscanned");
    assert_finding("ThreadPool \"mine\" { }", "warning |no engine is configured");
}
END_TEST

#define CASES(X) X(an_option_that_does_nothing_where_it_stands_is_a_warning) X(an_option_that_does_something_is_none)
#include "support/check_main.h"
