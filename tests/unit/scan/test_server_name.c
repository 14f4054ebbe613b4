/* SPDX-License-Identifier: MIT */
/* Names of daemons. */
#include <check.h>

#include "scan/server_name.h"

START_TEST(names_are_taken_apart_or_refused)
{
    static const struct {
        const char *text;
        unsigned default_port;
        const char *host, *path; /* both NULL: refused */
        unsigned port;
    } rows[] = {
        {"127.0.0.1:3310", 0, "127.0.0.1", "", 3310},
        {"clamd.example.org", 3310, "clamd.example.org", "", 3310},
        {"[2001:db8::1]:10", 3310, "2001:db8::1", "", 10},
        {"[fe80::1%eth0]", 3310, "fe80::1%eth0", "", 3310},
        {"/run/clamav/clamd.ctl", 0, "", "/run/clamav/clamd.ctl", 0},
        {"clamd.example.org", 0, NULL, NULL, 0},
        {":3310", 3310, NULL, NULL, 0},
        {"", 3310, NULL, NULL, 0},
        {"host:0", 3310, NULL, NULL, 0},
        {"host:65536", 3310, NULL, NULL, 0},
        {"host:1x", 3310, NULL, NULL, 0},
        {"ho st:1", 3310, NULL, NULL, 0},
        {"[::1", 3310, NULL, NULL, 0},
        {"unix:/run/x", 3310, NULL, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server_name name;
        struct errtext why = {.text = ""};
        enum err e = server_name_parse(span_cstr(rows[i].text), rows[i].default_port, &name, &why);
        ck_assert_msg((e == ERR_OK) == (rows[i].host != NULL), "\"%s\": %s", rows[i].text, err_name(e));
        if (e != ERR_OK) {
            ck_assert(why.text[0] != '\0');
            continue;
        }
        ck_assert_str_eq(name.host, rows[i].host);
        ck_assert_str_eq(name.path, rows[i].path);
        ck_assert_uint_eq(name.port, rows[i].port);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    char text[SERVER_HOST + 50];
    struct server_name name;
    struct errtext why;
    memset(text, 'a', sizeof(text));
    ck_assert(server_name_parse(span_of(text, sizeof(text)), 1, &name, &why) == ERR_SYNTAX);
    ck_assert(server_name_parse(span_of(text, SERVER_HOST - 1), 1, &name, &why) == ERR_OK);
    text[0] = '/';
    ck_assert(server_name_parse(span_of(text, SERVER_PATH - 1), 1, &name, &why) == ERR_OK);
    ck_assert(server_name_parse(span_of(text, SERVER_PATH), 1, &name, &why) == ERR_RANGE);
    ck_assert(server_name_parse(SPAN("/a\0b"), 1, &name, &why) == ERR_RANGE);
}
END_TEST

START_TEST(what_is_on_this_host_is_known_by_its_name)
{
    static const struct {
        const char *text;
        bool local;
    } rows[] = {{"/run/socket", true},      {"localhost:1", true},        {"LocalHost:1", true},
                {"127.0.0.1:1", true},      {"127.9.8.7:1", true},        {"[::1]:1", true},
                {"192.0.2.1:1", false},     {"127.example.org:1", false}, {"[2001:db8::1]:1", false},
                {"av.example.org:1", false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server_name name;
        struct errtext why;
        ck_assert(server_name_parse(span_cstr(rows[i].text), 1, &name, &why) == ERR_OK);
        ck_assert_msg(server_name_is_local(&name) == rows[i].local, "%s", rows[i].text);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(names_are_taken_apart_or_refused) X(what_does_not_fit_is_refused) X(what_is_on_this_host_is_known_by_its_name)
#include "support/check_main.h"
