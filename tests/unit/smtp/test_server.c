/* SPDX-License-Identifier: MIT */
/* The server engine: sessions as text in, events and replies as text out. */
#include "server_play.h"

#define GREETING "220 gw.example.org ESMTP postern\r\n"
#define EHLO_REPLY                                                                                                     \
    "250-gw.example.org\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"

static void check_session(const char *input, const char *events, const char *out)
{
    struct play p;
    play_init(&p, &PLAY_OPTIONS);
    play_feed(&p, span_cstr(input));
    MUST(buf_append_char(&p.events, '\0') == ERR_OK);
    MUST(buf_append_char(&p.out, '\0') == ERR_OK);
    ck_assert_str_eq(buf_span(&p.events).ptr, events);
    ck_assert_str_eq(buf_span(&p.out).ptr, out);
    play_release(&p);
}

START_TEST(receives_a_message)
{
    check_session("EHLO client.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n..dot\r\n.\r\nQUIT\r\n",
                  "EHLO client.example\nMAIL <a@b> size=0 body=0\nRCPT <c@d>\nDATA\n"
                  "BODY[hello\r\n.dot\r\n] size=13 faults=0 large=0\nQUIT\n",
                  GREETING EHLO_REPLY "250 2.0.0 fine\r\n250 2.0.0 fine\r\n354 fine\r\n250 2.0.0 fine\r\n"
                                      "221 2.0.0 Goodbye\r\n");
}
END_TEST

#define CASES(X) X(receives_a_message)
#include "support/check_main.h"
