/* SPDX-License-Identifier: MIT */
/* The whole client engine. One input is: the head; the number of the owner's acts and the acts, one octet each; then
 * what a server says, in turns parted by octets 0xFF: a turn comes once everything of ours was written to the server.
 * What must hold: what we write is exactly the commands that were taken, in order, with bodies dot-stuffed; without
 * PIPELINING one command at a time; replies are given to the commands in order; and a turn cut differently gives the
 * same events. */
#include "fuzz/smtp/reference.h"
#include "smtp/client.h"

enum { ROOM = 1 << 23, ACTS_MAX = 64 };

void fuzz_target_words(fuzz_word *word)
{
    reference_reply_words(word);
    reference_keyword_words(word);
    word(SPAN("\xff"));
    word(SPAN("220 a\r\n\xff"
              "250-b\r\n250 PIPELINING\r\n\xff"));
    word(SPAN("250 c\r\n\xff"
              "250 d\r\n\xff"
              "354 e\r\n\xff"));
}

struct run {
    const struct fuzz_head *head;
    struct smtp_client client;
    struct buf in;
    struct buf events;
    struct buf expected; /* what the server shall see, as soon as it may */
    struct buf out;      /* what it saw */
    struct buf body;     /* of the message that is being sent */
    size_t stuffed;      /* octets of it in `expected` */
    struct span acts;
    size_t act;
    enum smtp_client_verb awaited[LIMIT_PIPELINE + 1];
    size_t end[LIMIT_PIPELINE + 1]; /* in `expected`, of each awaited command */
    unsigned awaited_count;
    bool bad, overtaken; /* overtaken: a 421, after which held commands are never sent */
};

static void run_init(struct run *r, const struct fuzz_head *head, struct span acts)
{
    *r = (struct run){.head = head, .acts = acts, .awaited = {SMTP_CLIENT_GREETING}, .awaited_count = 1};
    smtp_client_init(&r->client, SPAN("gw.example.org"));
    buf_init(&r->in, LIMIT_STREAM_IN);
    buf_init(&r->events, ROOM);
    buf_init(&r->expected, ROOM);
    buf_init(&r->out, ROOM);
    buf_init(&r->body, ROOM);
}

static void run_release(struct run *r)
{
    smtp_client_release(&r->client);
    buf_release(&r->in);
    buf_release(&r->events);
    buf_release(&r->expected);
    buf_release(&r->out);
    buf_release(&r->body);
}

static void run_await(struct run *r, enum smtp_client_verb verb)
{
    FUZZ_REQUIRE(r->awaited_count <= LIMIT_PIPELINE);
    r->awaited[r->awaited_count] = verb;
    r->end[r->awaited_count++] = buf_len(&r->expected);
}

/* Everything written goes to the server. */
static void run_flush(struct run *r)
{
    struct buf *out = smtp_client_out(&r->client);
    fuzz_put(&r->out, buf_span(out));
    buf_clear(out);
    if (r->bad || r->overtaken)
        return;
    FUZZ_REQUIRE(span_starts(buf_span(&r->expected), buf_span(&r->out)) || buf_len(&r->out) == 0);
    unsigned in_flight = 0;
    while (in_flight < r->awaited_count && r->end[in_flight] <= buf_len(&r->out))
        in_flight++;
    bool pipelining = smtp_client_offer(&r->client)->set & SMTP_EXT_BIT(PIPELINING);
    FUZZ_REQUIRE(pipelining || in_flight <= 1);
    /* Nothing on its way means that it waits for ever; but for the rest of what may become a 421. */
    bool begun = buf_len(&r->in) > 0 || smtp_reply_parser_busy(&r->client.parser);
    FUZZ_REQUIRE(r->awaited_count == 0 || in_flight > 0 || begun);
}

/* ---- The owner ---- */

static void act_command(struct run *r, unsigned char act)
{
    static const enum smtp_client_verb verbs[] = {SMTP_CLIENT_MAIL,     SMTP_CLIENT_RCPT, SMTP_CLIENT_DATA,
                                                  SMTP_CLIENT_RSET,     SMTP_CLIENT_NOOP, SMTP_CLIENT_QUIT,
                                                  SMTP_CLIENT_GREETING, SMTP_CLIENT_DOT};
    static const char *const arguments[] = {"", "FROM:<a@b>", "TO:<c@d> X=\x80", "a\r\nQUIT", "\x7f", "a b"};
    enum smtp_client_verb verb = verbs[act % ARRAY_SIZE(verbs)];
    const char *argument = arguments[act / 16 % ARRAY_SIZE(arguments)];
    enum err e = smtp_client_command(&r->client, verb, span_cstr(argument));
    fuzz_note(&r->events, "command %d %s\n", (int)verb, err_name(e));
    if (e != ERR_OK)
        return;
    FUZZ_REQUIRE(argument[0] != 'a' || argument[1] == ' ');
    fuzz_note(&r->expected, "%s%s%s\r\n", smtp_client_verb_name(verb), *argument ? " " : "", argument);
    run_await(r, verb);
}

/* Adds to `expected` what is new of the body. True: it ends at the beginning of a line. */
static bool expect_body(struct run *r)
{
    struct buf wire;
    buf_init(&wire, ROOM);
    bool line_start = reference_stuff(buf_span(&r->body), &wire);
    fuzz_put(&r->expected, span_sub(buf_span(&wire), r->stuffed, buf_len(&wire)));
    r->stuffed = buf_len(&wire);
    buf_release(&wire);
    return line_start;
}

/* Bodies are sent as far as the server's 354 lets them. */
static void act_body(struct run *r, unsigned char act)
{
    static const char *const pieces[] = {"a", ".", "\r", "\n", "\r\n", ".\r\n", "\r\n.\r\n", "..a\r\n"};
    struct span piece = span_cstr(pieces[act / 16 % ARRAY_SIZE(pieces)]);
    enum err e = smtp_client_body(&r->client, piece);
    fuzz_note(&r->events, "body %s\n", err_name(e));
    if (e != ERR_OK)
        return;
    fuzz_put(&r->body, piece);
    expect_body(r);
}

static void act_body_end(struct run *r)
{
    enum err e = smtp_client_body_end(&r->client);
    fuzz_note(&r->events, "end of body %s\n", err_name(e));
    if (e != ERR_OK)
        return;
    bool line_start = expect_body(r);
    fuzz_put(&r->expected, line_start ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
    buf_clear(&r->body);
    r->stuffed = 0;
    run_await(r, SMTP_CLIENT_DOT);
}

/* Acts up to one whose octet is odd in its 8th bit: then the owner waits for the next reply. */
static void run_act(struct run *r)
{
    bool more = true;
    while (more && r->act < r->acts.len) {
        unsigned char act = (unsigned char)r->acts.ptr[r->act++];
        if (act % 16 < 8)
            act_command(r, act);
        else if (act % 16 < 13)
            act_body(r, act);
        else
            act_body_end(r);
        more = !(act & 0x80);
    }
    FUZZ_REQUIRE(smtp_client_unanswered(&r->client) == r->awaited_count);
}

/* ---- Events ---- */

static enum smtp_client_verb awaited_take(struct run *r)
{
    FUZZ_REQUIRE(r->awaited_count > 0);
    enum smtp_client_verb verb = r->awaited[0];
    r->awaited_count--;
    memmove(r->awaited, r->awaited + 1, r->awaited_count * sizeof(r->awaited[0]));
    memmove(r->end, r->end + 1, r->awaited_count * sizeof(r->end[0]));
    return verb;
}

/* EHLO, and HELO after it, are the engine's own: the owner does not see the replies that lead to them. */
static void awaited_catch_up(struct run *r)
{
    struct span seen = buf_span(smtp_client_out(&r->client));
    static const char *const hellos[] = {"EHLO gw.example.org\r\n", "HELO gw.example.org\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(hellos) && !smtp_client_ready(&r->client); i++) {
        bool known = span_find_span(buf_span(&r->expected), span_cstr(hellos[i])) < buf_len(&r->expected);
        if (known || span_find_span(seen, span_cstr(hellos[i])) == seen.len)
            continue;
        awaited_take(r);
        fuzz_put(&r->expected, span_cstr(hellos[i]));
        run_await(r, SMTP_CLIENT_HELLO);
    }
}

static void on_event(struct run *r, const struct smtp_client_event *e)
{
    if (e->kind == SMTP_CLIENT_NEED_INPUT)
        return;
    if (e->kind == SMTP_CLIENT_BAD) {
        FUZZ_REQUIRE(e->problem);
        r->bad = true;
        return;
    }
    if (e->kind == SMTP_CLIENT_READY) {
        FUZZ_REQUIRE(awaited_take(r) == SMTP_CLIENT_HELLO && smtp_client_ready(&r->client));
        fuzz_note(&r->events, "ready %x %llu\n", (unsigned)smtp_client_offer(&r->client)->set,
                  (unsigned long long)smtp_client_offer(&r->client)->size_limit);
    } else {
        enum smtp_client_verb verb = awaited_take(r);
        bool unsent = verb == SMTP_CLIENT_GREETING && e->verb == SMTP_CLIENT_HELLO; /* a 421 overtook our EHLO */
        FUZZ_REQUIRE(verb == e->verb || (unsent && e->reply.code == 421));
        fuzz_note(&r->events, "reply %d %d ", (int)e->verb, e->reply.code);
        fuzz_put(&r->events, e->reply.text);
        fuzz_note(&r->events, "\n");
        int class = smtp_reply_class(&e->reply);
        FUZZ_REQUIRE(class != 3 || e->verb == SMTP_CLIENT_DATA);
        FUZZ_REQUIRE(class != 2 || e->verb != SMTP_CLIENT_DATA);
        r->overtaken = r->overtaken || e->reply.code == 421;
    }
    run_act(r);
}

static void run_engine(struct run *r)
{
    struct smtp_client_event e;
    do {
        smtp_client_next(&r->client, &r->in, &e);
        awaited_catch_up(r);
        on_event(r, &e);
    } while (e.kind == SMTP_CLIENT_READY || e.kind == SMTP_CLIENT_REPLY);
}

static void run_turn(struct run *r, struct span turn, const struct fuzz_head *cuts)
{
    struct fuzz_pieces pieces = fuzz_pieces_of(cuts, turn);
    while (!r->bad && pieces.rest.len > 0) {
        struct span piece = fuzz_piece_next(&pieces);
        while (!r->bad && piece.len > 0) {
            struct span now = span_sub(piece, 0, buf_room(&r->in));
            FUZZ_REQUIRE(now.len > 0); /* else it waits for ever */
            fuzz_put(&r->in, now);
            piece = span_sub(piece, now.len, piece.len);
            run_engine(r);
        }
    }
}

static void run_all(struct run *r, struct span server, const struct fuzz_head *cuts)
{
    run_engine(r);
    while (!r->bad && server.len > 0) {
        struct span turn = span_sub(server, 0, span_find(server, '\xff'));
        server = span_sub(server, turn.len + 1, server.len);
        run_turn(r, turn, cuts);
        run_flush(r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head head;
    struct span rest;
    if (!fuzz_head_take(&head, data, size, &rest) || rest.len == 0)
        return 0;
    struct span acts = span_sub(rest, 1, (unsigned char)rest.ptr[0] % ACTS_MAX);
    struct span server = span_sub(rest, 1 + acts.len, rest.len);
    struct run runs[2];
    for (unsigned i = 0; i < 2; i++) {
        run_init(&runs[i], &head, acts);
        run_all(&runs[i], server, i == 0 ? &head : &fuzz_whole);
    }
    struct span a = buf_span(&runs[0].events), b = buf_span(&runs[1].events);
    if (runs[0].bad || runs[1].bad) { /* a reply that comes too early may be noticed early, or once it is whole */
        a.len = a.len < b.len ? a.len : b.len;
        b.len = a.len;
    }
    FUZZ_REQUIRE_SAME(a, b);
    if (!runs[0].bad && !runs[1].bad && !runs[0].overtaken) { /* one may still hold commands back */
        struct span c = buf_span(&runs[0].out), d = buf_span(&runs[1].out);
        FUZZ_REQUIRE_SAME(span_sub(c, 0, d.len), span_sub(d, 0, c.len));
    }
    run_release(&runs[0]);
    run_release(&runs[1]);
    return 0;
}
