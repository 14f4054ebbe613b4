/* SPDX-License-Identifier: MIT */
/* SMTP smuggling (threats.md B.1): every L . R that some server takes for the end of data, with commands behind it.
 * Only what holds CRLF . CRLF itself may end the message, and whatever is odd about it is reported as a fault. */
#include "server_play.h"

#define LITERAL(s)                                                                                                     \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }
static const struct span LINE_ENDS[] = {
    LITERAL("\r\n"), LITERAL("\n"),     LITERAL("\r"),       LITERAL("\r\r\n"),
    LITERAL("\n\r"), LITERAL("\0\r\n"), LITERAL("\r\0\n"),   LITERAL("\r\n\0"),
    LITERAL("\v"),   LITERAL("\f"),     LITERAL("\xc2\x85"), LITERAL("\xe2\x80\xa8"),
};
static const struct span DOTS[] = {LITERAL("."),  LITERAL("\0."), LITERAL(".\0"),
                                   LITERAL(". "), LITERAL(".\t"), LITERAL(" .")};

static const char BEFORE[] = "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
static const char BEHIND[] = "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nevil\r\n.\r\n";

/* One way to send: the first CUT octets of the body and then the rest; 0: all in one; SIZE_MAX: octet by octet. */
static void deliver(struct play *p, struct span body, uint64_t max_size, size_t cut)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    options.max_message_size = max_size;
    play_init(p, &options);
    play_feed(p, span_cstr(BEFORE));
    if (cut == SIZE_MAX) {
        for (size_t i = 0; i < body.len; i++)
            play_feed(p, span_sub(body, i, 1));
    } else {
        play_feed(p, span_sub(body, 0, cut));
        play_feed(p, span_sub(body, cut, body.len));
    }
}

static bool contains(struct span s, const char *what)
{
    return span_find_span(s, span_cstr(what)) < s.len;
}

/* NUL, or CR or LF outside a CRLF. */
static bool has_fault(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\r' && i + 1 < s.len && s.ptr[i + 1] == '\n')
            i++;
        else if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return true;
    }
    return false;
}

struct tally {
    unsigned variants, strict;
};

static void check_variant(struct span mark, uint64_t max_size, struct tally *tally)
{
    struct buf body;
    struct play whole, other;
    buf_init(&body, 4096);
    MUST(buf_append(&body, mark) == ERR_OK && buf_append(&body, span_cstr(BEHIND)) == ERR_OK);
    deliver(&whole, buf_span(&body), max_size, 0);
    struct span events = buf_span(&whole.events);

    size_t terminator = span_find_span(mark, SPAN("\r\n.\r\n"));
    bool strict = terminator < mark.len;
    tally->variants++;
    tally->strict += strict;
    if (strict) {
        /* The message ends here for every strict reader, and what follows are commands, as they should be. */
        bool evil = terminator + 5 == mark.len;
        MUST(whole.transactions == (evil ? 2U : 1U));
        MUST(contains(events, "MAIL <evil@x>") == evil);
    } else {
        MUST(whole.transactions == 1);
        MUST(!contains(events, "MAIL <evil@x>"));
        MUST(max_size > 0 || contains(events, "RCPT TO:<victim@y>"));
        MUST(contains(events, "faults=0") == !has_fault(mark));
        MUST(contains(buf_span(&whole.out), max_size ? "\r\n552 " : "\r\n550 ") == (max_size || has_fault(mark)));
    }
    for (size_t cut = 1; cut <= mark.len + 4; cut++) {
        deliver(&other, buf_span(&body), max_size, cut == mark.len + 4 ? SIZE_MAX : cut);
        MUST(span_eq(buf_span(&other.events), events));
        MUST(span_eq(buf_span(&other.out), buf_span(&whole.out)));
        play_release(&other);
    }
    play_release(&whole);
    buf_release(&body);
}

static struct tally check_catalogue(uint64_t max_size)
{
    struct tally tally = {0};
    for (size_t l = 0; l < ARRAY_SIZE(LINE_ENDS); l++)
        for (size_t d = 0; d < ARRAY_SIZE(DOTS); d++)
            for (size_t r = 0; r < ARRAY_SIZE(LINE_ENDS); r++) {
                struct buf mark;
                buf_init(&mark, 64);
                MUST(buf_append(&mark, SPAN("text")) == ERR_OK && buf_append(&mark, LINE_ENDS[l]) == ERR_OK);
                MUST(buf_append(&mark, DOTS[d]) == ERR_OK && buf_append(&mark, LINE_ENDS[r]) == ERR_OK);
                check_variant(buf_span(&mark), max_size, &tally);
                buf_release(&mark);
            }
    return tally;
}

START_TEST(only_the_legal_terminator_ends_a_message)
{
    struct tally tally = check_catalogue(0);
    MUST(tally.variants == 864);
    MUST(tally.strict == 6); /* the legal one, and five that hold it beside a CR or NUL */
}
END_TEST

START_TEST(the_same_holds_behind_the_size_limit)
{
    struct tally tally = check_catalogue(2);
    MUST(tally.strict == 6);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(only_the_legal_terminator_ends_a_message)                                                                        \
    X(the_same_holds_behind_the_size_limit)
#include "support/check_main.h"
