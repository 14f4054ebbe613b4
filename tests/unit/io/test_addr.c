/* SPDX-License-Identifier: MIT */
/* Socket addresses as text and back. */
#include "io/addr.h"
#include <check.h>
#include <netinet/in.h>
#include <sys/un.h>

START_TEST(an_address_survives_parsing_and_formatting)
{
    static const struct {
        const char *text;
        unsigned default_port;
        int family;
        const char *formatted, *host;
    } cases[] = {
        {"127.0.0.1:25", 0, AF_INET, "127.0.0.1:25", "127.0.0.1"},
        {"192.0.2.255", 25, AF_INET, "192.0.2.255:25", "192.0.2.255"},
        {"192.0.2.255:26", 25, AF_INET, "192.0.2.255:26", "192.0.2.255"},
        {"0.0.0.0:65535", 0, AF_INET, "0.0.0.0:65535", "0.0.0.0"},
        {"[::1]:25", 0, AF_INET6, "[::1]:25", "::1"},
        {"[2001:DB8::1]", 465, AF_INET6, "[2001:db8::1]:465", "2001:db8::1"},
        {"[::]:1", 0, AF_INET6, "[::]:1", "::"},
        {"[::ffff:192.0.2.1]:25", 0, AF_INET6, "192.0.2.1:25", "192.0.2.1"},
        {":25", 0, AF_INET6, ":25", "::"},
        {"/run/x.sock", 0, AF_UNIX, "/run/x.sock", "/run/x.sock"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct addr a;
        struct errtext why;
        char text[ADDR_TEXT];
        ck_assert_msg(addr_parse(span_cstr(cases[i].text), cases[i].default_port, &a, &why) == ERR_OK, "%s", why.text);
        ck_assert_int_eq(a.storage.ss_family, cases[i].family);
        ck_assert_int_eq(a.every, cases[i].text[0] == ':');
        ck_assert_str_eq(addr_format(&a, text), cases[i].formatted);
        ck_assert_str_eq(addr_format_host(&a, text), cases[i].host);
    }
}
END_TEST

START_TEST(what_is_no_address_is_refused_with_the_text_in_the_reason)
{
    static const struct {
        const char *text;
        unsigned default_port;
    } cases[] = {
        {"", 25},
        {"", 0},
        {":", 25},
        {":0", 0},
        {":65536", 0},
        {":-1", 0},
        {":25x", 0},
        {": 25", 0},
        {"127.0.0.1", 0},
        {"127.0.0.1:", 25},
        {"127.0.0.1:+5", 0},
        {"127.0.0:25", 0},
        {"1.2.3.4.5:25", 0},
        {"localhost:25", 0},
        {"mail.example", 25},
        {"::1", 25},
        {"::1:25", 0},
        {"[::1", 25},
        {"[::1]", 0},
        {"[::1]25", 0},
        {"[::1]:", 25},
        {"[127.0.0.1]:25", 0},
        {"[]:25", 0},
        {"[::1]:25:25", 0},
        {"010.0.0.1:25", 0},
        {" 127.0.0.1:25", 0},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:25", 0},
        {"/1234567890123456789012345678901234567890123456789012345678901234567890"
         "123456789012345678901234567890123456789",
         0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct addr a;
        struct errtext why = {""};
        ck_assert_msg(addr_parse(span_cstr(cases[i].text), cases[i].default_port, &a, &why) == ERR_SYNTAX,
                      "accepted %s", cases[i].text);
        ck_assert_msg(strstr(why.text, cases[i].text) != NULL, "said: %s", why.text);
    }
    struct addr a;
    struct errtext why;
    ck_assert_int_eq(addr_parse(span_of("127.0.0.1\0:25", 13), 0, &a, &why), ERR_SYNTAX);
    ck_assert_int_eq(addr_parse(span_of("/run/x\0y", 8), 0, &a, &why), ERR_SYNTAX);
}
END_TEST

START_TEST(host_and_port_are_split_also_for_names)
{
    static const struct {
        const char *text;
        unsigned default_port;
        bool ok;
        const char *host;
        unsigned port;
    } cases[] = {
        {"mail.example.com:25", 0, true, "mail.example.com", 25},
        {"mail.example.com", 10025, true, "mail.example.com", 10025},
        {"mail.example.com", 0, false, NULL, 0},
        {"[::1]:2525", 0, true, "::1", 2525},
        {"[::1]", 25, true, "::1", 25},
        {":25", 0, true, "", 25},
        {"a:b:25", 0, false, NULL, 0},
        {"host:70000", 25, false, NULL, 0},
        {"host:", 25, false, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span host;
        unsigned port;
        ck_assert_int_eq(addr_split(span_cstr(cases[i].text), cases[i].default_port, &host, &port), cases[i].ok);
        if (cases[i].ok) {
            ck_assert(span_eq(host, span_cstr(cases[i].host)));
            ck_assert_uint_eq(port, cases[i].port);
        }
    }
}
END_TEST

START_TEST(addresses_of_other_kinds_have_a_text_too)
{
    char text[ADDR_TEXT];
    struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0name"};
    struct addr nothing = {0}, unnamed = {.len = sizeof(sa_family_t)},
                other = {.len = offsetof(struct sockaddr_un, sun_path) + 5};
    unnamed.storage.ss_family = AF_UNIX;
    memcpy(&other.storage, &abstract, sizeof(abstract));
    ck_assert_str_eq(addr_format(&nothing, text), "unknown");
    ck_assert_str_eq(addr_format_host(&nothing, text), "unknown");
    ck_assert_str_eq(addr_format(&unnamed, text), "unix");
    ck_assert_str_eq(addr_format(&other, text), "unix");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_address_survives_parsing_and_formatting)                                                                      \
    X(what_is_no_address_is_refused_with_the_text_in_the_reason)                                                       \
    X(host_and_port_are_split_also_for_names)                                                                          \
    X(addresses_of_other_kinds_have_a_text_too)
#include "support/check_main.h"
