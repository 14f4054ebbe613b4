/* SPDX-License-Identifier: MIT */
/* Every allocation of both engines fails once: the session ends, or the call says so, and nothing else happens. The
 * allocator of src/base is replaced by the one here, because the linker then does not take the other from its library.
 */
#include "base/mem.h"
#include "must.h"
#include "smtp/client.h"
#include "smtp/server.h"

static bool counting;      /* inside an engine */
static unsigned countdown; /* allocations until the one that fails; 0: none does */
static unsigned failures;

static bool fails(void)
{
    if (!counting || countdown == 0 || --countdown > 0)
        return false;
    failures++;
    return true;
}

void *mem_new(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

void *mem_resize(void *old, size_t count, size_t size)
{
    return fails() ? NULL : reallocarray(old, count, size);
}

char *mem_strdup(struct span s)
{
    char *copy = mem_new(s.len + 1, 1);
    if (copy && s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}

/* Does WHAT inside the engine. */
#define ENGINE(what)                                                                                                   \
    do {                                                                                                               \
        counting = true;                                                                                               \
        what;                                                                                                          \
        counting = false;                                                                                              \
    } while (0)

static const char INPUT[] =
    "EHLO c\r\nHELP\r\nMAIL FROM:<@r:a@b>\r\nRCPT TO:bad\r\nRCPT TO:<@r:c@d>\r\nDATA\r\nhello\r\n.\r\n"
    "HELO c\r\nMAIL FROM:<a@b>\r\nRSET\r\nHELP\r\nNOOP\r\nQUIT\r\n";

static enum err server_answer(struct smtp_server *s, enum smtp_server_event_kind kind)
{
    struct smtp_offer offer = {.set = smtp_ext_hop_set()};
    struct smtp_reply ok = {.code = kind == SMTP_SERVER_DATA ? 354 : 250, .text = SPAN("ok")};
    enum err e = ERR_OK;
    if (kind == SMTP_SERVER_HELLO)
        ENGINE(e = smtp_server_reply_hello(s, &offer));
    else if (kind == SMTP_SERVER_MAIL || kind == SMTP_SERVER_RCPT || kind == SMTP_SERVER_DATA ||
             kind == SMTP_SERVER_BODY_END)
        ENGINE(e = smtp_server_reply(s, &ok));
    return e;
}

/* True: the session came to its QUIT. */
static bool server_session(unsigned fail_at)
{
    static const struct smtp_server_options options = {.hostname = {"gw", 2}};
    struct smtp_server_event event = {.kind = SMTP_SERVER_NEED_INPUT};
    struct smtp_server s;
    struct buf in;
    smtp_server_init(&s, &options);
    buf_init(&in, LIMIT_STREAM_IN);
    MUST(buf_append(&in, SPAN(INPUT)) == ERR_OK);
    countdown = fail_at;
    enum err e;
    ENGINE(e = smtp_server_greet(&s));
    while (e == ERR_OK && event.kind != SMTP_SERVER_QUIT && event.kind != SMTP_SERVER_CLOSE) {
        ENGINE(smtp_server_next(&s, &in, &event));
        e = server_answer(&s, event.kind);
        buf_consume(smtp_server_out(&s), buf_len(smtp_server_out(&s)));
        buf_trim(smtp_server_out(&s)); /* so that each reply allocates */
        MUST(event.kind != SMTP_SERVER_NEED_INPUT && event.kind != SMTP_SERVER_BLOCKED);
    }
    MUST(e == ERR_OK || e == ERR_NOMEM);
    smtp_server_release(&s);
    buf_release(&in);
    return e == ERR_OK && event.kind == SMTP_SERVER_QUIT;
}

START_TEST(a_server_session_ends_when_memory_does)
{
    MUST(server_session(0));
    unsigned n = 0;
    do {
        failures = 0;
        bool came_to_quit = server_session(++n);
        MUST(failures <= 1);
        MUST(came_to_quit == (failures == 0));
    } while (failures > 0);
    ck_assert_uint_gt(n, 10);
}
END_TEST

struct line {
    const char *server, *client; /* what the server says, then what is queued */
    enum smtp_client_verb verb;
};

static bool client_session(unsigned fail_at)
{
    static const struct line lines[] = {
        {"220 mx\r\n", NULL, 0},
        {"502 no\r\n", NULL, 0},
        {"250-mx\r\n250 x\r\n", "FROM:<>", SMTP_CLIENT_MAIL},
        {"250 ok\r\n", "", SMTP_CLIENT_DATA},
        {"354-go\r\n354 on\r\n", NULL, 0},
    };
    struct smtp_client_event event = {.kind = SMTP_CLIENT_NEED_INPUT};
    struct smtp_client c;
    struct buf in;
    enum err e = ERR_OK;
    smtp_client_init(&c, SPAN("gw"));
    buf_init(&in, LIMIT_STREAM_IN);
    countdown = fail_at;
    for (size_t i = 0; i < ARRAY_SIZE(lines) && e == ERR_OK && event.kind != SMTP_CLIENT_BAD; i++) {
        MUST(buf_append(&in, span_cstr(lines[i].server)) == ERR_OK);
        do
            ENGINE(smtp_client_next(&c, &in, &event));
        while (event.kind != SMTP_CLIENT_NEED_INPUT && event.kind != SMTP_CLIENT_BAD);
        if (lines[i].client && event.kind != SMTP_CLIENT_BAD)
            ENGINE(e = smtp_client_command(&c, lines[i].verb, span_cstr(lines[i].client)));
        buf_consume(smtp_client_out(&c), buf_len(smtp_client_out(&c)));
        buf_trim(smtp_client_out(&c));
    }
    if (e == ERR_OK && event.kind != SMTP_CLIENT_BAD)
        ENGINE(e = smtp_client_body(&c, SPAN(".x")));
    MUST(e == ERR_OK || e == ERR_NOMEM);
    smtp_client_release(&c);
    buf_release(&in);
    return e == ERR_OK && event.kind != SMTP_CLIENT_BAD;
}

START_TEST(a_client_session_ends_when_memory_does)
{
    MUST(client_session(0));
    unsigned n = 0;
    do {
        failures = 0;
        bool done = client_session(++n);
        MUST(failures <= 1);
        MUST(done == (failures == 0));
    } while (failures > 0);
    ck_assert_uint_gt(n, 5);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_server_session_ends_when_memory_does)                                                                          \
    X(a_client_session_ends_when_memory_does)
#include "support/check_main.h"
