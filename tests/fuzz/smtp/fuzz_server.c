/* SPDX-License-Identifier: MIT */
/* The whole server engine. One input is a client's octets; the owner's answers follow from them (the address
 * <550a@b> is refused with 550) and from the head of the input, and may come late. What must hold: the output is
 * well-formed replies, one for each command and in its place; bodies are what the reference reads; the same octets cut
 * differently give the same events and the same output. */
#include "fuzz/smtp/reference.h"
#include "smtp/path.h"
#include "smtp/server.h"

enum { ROOM = 1 << 23, LONG_TEXT = 30000, LONG_ANSWERS = 5, SMALL_INPUT = 160 };
enum option {
    OPTION_LAG = 7,
    OPTION_LAZY = 8,
    OPTION_LONG = 16,
    OPTION_SMALL = 32,
    OPTION_LIMITS = 64,
    OPTION_STRICT = 128
};

void fuzz_target_words(fuzz_word *word)
{
    reference_command_words(word);
    reference_body_words(word);
    word(SPAN("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"));
}

struct owed {
    enum smtp_server_event_kind kind;
    int code;
};

struct run {
    const struct fuzz_head *head;
    struct smtp_server_options options;
    struct smtp_server server;
    struct buf in;
    struct buf events, out;
    struct buf bodies; /* of all messages, one after the other */
    size_t body_start; /* of the message being received */
    size_t complete;   /* octets of `bodies` whose end of data came */
    struct owed queue[LIMIT_PIPELINE];
    unsigned queued, datas, answers;
    enum smtp_server_event_kind last;
};

static void run_init(struct run *r, const struct fuzz_head *head)
{
    *r = (struct run){.head = head, .last = SMTP_SERVER_NEED_INPUT};
    r->options.hostname = SPAN("gw.example.org");
    if (head->options & OPTION_LIMITS) {
        r->options.max_recipients = 2;
        r->options.max_message_size = 40;
    }
    if (head->options & OPTION_STRICT) {
        r->options.max_errors = 4;
        r->options.max_junk = 6;
    }
    smtp_server_init(&r->server, &r->options);
    buf_init(&r->in, head->options & OPTION_SMALL ? SMALL_INPUT : LIMIT_STREAM_IN);
    buf_init(&r->events, ROOM);
    buf_init(&r->out, ROOM);
    buf_init(&r->bodies, ROOM);
    FUZZ_REQUIRE(smtp_server_greet(&r->server) == ERR_OK);
}

static void run_release(struct run *r)
{
    smtp_server_release(&r->server);
    buf_release(&r->in);
    buf_release(&r->events);
    buf_release(&r->out);
    buf_release(&r->bodies);
}

static void run_drain(struct run *r)
{
    struct buf *out = smtp_server_out(&r->server);
    fuzz_put(&r->out, buf_span(out));
    buf_clear(out);
}

/* ---- The owner ---- */

/* The three digits that begin TEXT, if they are a reply code of class 2 (unless REFUSAL), 4 or 5. Not one with which the
 * engine itself answers HELP, QUIT and VRFY, so that the replies tell who did. */
static int code_of(struct span text, bool refusal, int other)
{
    if (text.len < 3 || !char_is_digit(text.ptr[0]) || !char_is_digit(text.ptr[1]) || !char_is_digit(text.ptr[2]))
        return other;
    int code = (text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0');
    int class = code / 100;
    if (code == 214 || code == 221 || code == 252)
        return other;
    return class == 4 || class == 5 || (class == 2 && !refusal) ? code : other;
}

/* Long answers matter only where the output is not drained at once. */
static bool owner_fills_output(const struct run *r)
{
    return (r->head->options & OPTION_LONG) && (r->head->options & OPTION_LAZY);
}

static enum err answer_try(struct run *r, const struct owed *owed)
{
    static char long_text[LONG_TEXT];
    if (owed->kind == SMTP_SERVER_HELLO && owed->code == 0) {
        struct smtp_offer offer = {.set = r->head->cuts[0] % (1U << SMTP_EXT_COUNT), .size_limit = r->head->cuts[1]};
        return smtp_server_reply_hello(&r->server, &offer);
    }
    struct smtp_reply reply = {.code = owed->code, .enhanced = {2, 0, 999}, .text = SPAN("as\tyou\nlike\r it\x80")};
    if (owner_fills_output(r) && r->answers < LONG_ANSWERS) {
        memset(long_text, 'x', sizeof(long_text));
        for (size_t i = 99; i < sizeof(long_text); i += 100)
            long_text[i] = '\n';
        reply.text = span_of(long_text, sizeof(long_text));
    }
    return smtp_server_reply(&r->server, &reply);
}

static void answer_one(struct run *r)
{
    struct owed owed = r->queue[0];
    enum err e = answer_try(r, &owed);
    if (e == ERR_FULL) {
        run_drain(r);
        e = answer_try(r, &owed);
    }
    FUZZ_REQUIRE(e == ERR_OK);
    r->answers++;
    r->queued--;
    memmove(r->queue, r->queue + 1, r->queued * sizeof(r->queue[0]));
    if (owed.code == 421) /* the session ends with it, whatever else is owed */
        r->queued = 0;
}

static void owe(struct run *r, enum smtp_server_event_kind kind, int code)
{
    FUZZ_REQUIRE(r->queued < LIMIT_PIPELINE);
    r->queue[r->queued++] = (struct owed){kind, code};
    while (r->queued > (r->head->options & OPTION_LAG))
        answer_one(r);
}

/* ---- Events ---- */

static void check_path(struct span path, bool null_ok)
{
    struct cursor c = cursor_of(path);
    struct smtp_path parsed;
    FUZZ_REQUIRE(smtp_path_parse(&c, null_ok, &parsed) && !c.bad && c.rest.len == 0 && !parsed.routed);
}

/* Never a code with which the engine refuses the command by itself, so that the replies tell who did. */
static int hello_code(struct span name)
{
    int code = code_of(name, true, 0);
    return code == 500 || code == 501 ? 550 : code;
}

static void on_body_end(struct run *r, const struct smtp_server_event *e)
{
    struct span body = span_sub(buf_span(&r->bodies), r->body_start, buf_len(&r->bodies));
    uint64_t max = r->options.max_message_size;
    FUZZ_REQUIRE(e->body_end.too_large == (max > 0 && e->body_end.size > max));
    FUZZ_REQUIRE(body.len == (e->body_end.too_large ? max : e->body_end.size));
    fuzz_note(&r->events, "END size=%llu faults=%u\n", (unsigned long long)e->body_end.size, e->body_end.faults);
    r->complete = buf_len(&r->bodies);
    owe(r, e->kind, e->body_end.too_large ? 552 : e->body_end.faults ? 550 : code_of(body, false, 250));
}

static void on_event(struct run *r, const struct smtp_server_event *e)
{
    const unsigned char *cuts = r->head->cuts;
    switch (e->kind) {
    case SMTP_SERVER_HELLO:
        fuzz_note(&r->events, "HELLO %d %.*s\n", e->hello.extended, SPAN_ARG(e->hello.name));
        FUZZ_REQUIRE(smtp_domain_valid(e->hello.name) && !smtp_server_in_transaction(&r->server));
        owe(r, e->kind, hello_code(e->hello.name));
        break;
    case SMTP_SERVER_MAIL:
        fuzz_note(&r->events, "MAIL %.*s %llu %d\n", SPAN_ARG(e->mail.path), (unsigned long long)e->mail.size,
                  (int)e->mail.body);
        check_path(e->mail.path, true);
        owe(r, e->kind, code_of(span_sub(e->mail.path, 1, 3), false, 250));
        break;
    case SMTP_SERVER_RCPT:
        fuzz_note(&r->events, "RCPT %.*s\n", SPAN_ARG(e->rcpt.path));
        check_path(e->rcpt.path, false);
        owe(r, e->kind, code_of(span_sub(e->rcpt.path, 1, 3), false, 250));
        break;
    case SMTP_SERVER_DATA:
        fuzz_note(&r->events, "DATA\n");
        FUZZ_REQUIRE(r->queued == 0 && smtp_server_recipients(&r->server) > 0);
        r->body_start = buf_len(&r->bodies);
        owe(r, e->kind, cuts[r->datas++ % FUZZ_CUTS] % 8 == 7 ? 451 : 354);
        break;
    case SMTP_SERVER_BODY:
        FUZZ_REQUIRE(e->body.len > 0 && smtp_server_in_body(&r->server));
        fuzz_put(&r->bodies, e->body);
        break;
    case SMTP_SERVER_BODY_END:
        on_body_end(r, e);
        break;
    case SMTP_SERVER_REFUSED:
        fuzz_note(&r->events, "REFUSED %d ", (int)e->refused.say);
        fuzz_put(&r->events, e->refused.line);
        fuzz_note(&r->events, "\n");
        FUZZ_REQUIRE(smtp_say(e->refused.say).code >= 400);
        break;
    case SMTP_SERVER_RSET:
        fuzz_note(&r->events, "RSET\n");
        break;
    case SMTP_SERVER_QUIT:
        fuzz_note(&r->events, "QUIT\n");
        break;
    case SMTP_SERVER_CLOSE:
        fuzz_note(&r->events, "CLOSE %s\n", e->reason);
        break;
    case SMTP_SERVER_NEED_INPUT:
    case SMTP_SERVER_BLOCKED:
        break;
    }
}

static bool run_ended(const struct run *r)
{
    return r->last == SMTP_SERVER_QUIT || r->last == SMTP_SERVER_CLOSE;
}

/* As far as the input given reaches. */
static void run_engine(struct run *r)
{
    struct smtp_server_event e;
    do {
        FUZZ_REQUIRE(r->queued == smtp_server_unanswered(&r->server));
        smtp_server_next(&r->server, &r->in, &e);
        r->last = e.kind;
        on_event(r, &e);
        if (e.kind == SMTP_SERVER_BLOCKED && r->queued > 0) {
            answer_one(r);
        } else if (e.kind == SMTP_SERVER_BLOCKED) {
            FUZZ_REQUIRE(buf_len(smtp_server_out(&r->server)) > 0); /* else it would hang */
            run_drain(r);
        } else if (!(r->head->options & OPTION_LAZY)) {
            run_drain(r);
        }
        unsigned max = r->options.max_recipients;
        FUZZ_REQUIRE(max == 0 || smtp_server_recipients(&r->server) <= max);
    } while (e.kind != SMTP_SERVER_NEED_INPUT && !run_ended(r));
}

/* All of WIRE, in the pieces of CUTS; then the answers that are still owed. */
static void run_all(struct run *r, struct span wire, const struct fuzz_head *cuts)
{
    struct fuzz_pieces pieces = fuzz_pieces_of(cuts, wire);
    struct span piece = {0};
    run_engine(r);
    while (!run_ended(r) && piece.len + pieces.rest.len > 0) {
        if (piece.len == 0)
            piece = fuzz_piece_next(&pieces);
        struct span now = span_sub(piece, 0, buf_room(&r->in));
        FUZZ_REQUIRE(now.len > 0); /* else it waits for ever */
        fuzz_put(&r->in, now);
        piece = span_sub(piece, now.len, piece.len);
        run_engine(r);
    }
    while (!run_ended(r) && (r->queued > 0 || buf_len(smtp_server_out(&r->server)) > 0)) {
        if (r->queued > 0)
            answer_one(r);
        else
            run_drain(r);
        run_engine(r);
    }
    run_drain(r);
}

/* ---- The second opinion ---- */

/* Takes the line up to the first CRLF. False: none ends. */
static bool wire_line(struct span *wire, struct span *line)
{
    size_t n = span_find_span(*wire, SPAN("\r\n"));
    if (n == wire->len)
        return false;
    *line = span_sub(*wire, 0, n);
    *wire = span_sub(*wire, n + 2, wire->len);
    return true;
}

/* Takes a body, and adds to BODIES what a server with the limit MAX hands on. False: its end is not there. */
static bool wire_body(struct span *wire, uint64_t max, struct buf *bodies)
{
    struct buf content;
    unsigned faults;
    size_t used;
    buf_init(&content, ROOM);
    bool end = reference_body(*wire, &content, &faults, &used);
    if (end)
        fuzz_put(bodies, span_sub(buf_span(&content), 0, max > 0 ? max : buf_len(&content)));
    *wire = span_sub(*wire, used, wire->len);
    buf_release(&content);
    return end;
}

static bool line_is(struct span line, const char *verb)
{
    struct span word = span_sub(line, 0, strlen(verb));
    return span_eq_nocase(word, span_cstr(verb)) && (line.len == word.len || char_is_blank(line.ptr[word.len]));
}

/* What a client may conclude from the replies about its transaction. */
struct transaction {
    bool sender;
    unsigned recipients;
};

static void transaction_reply(struct transaction *t, struct span line, int code)
{
    bool accepted = code / 100 == 2;
    FUZZ_REQUIRE((code == 354) <= line_is(line, "DATA") && (code == 221) <= line_is(line, "QUIT") &&
                 (code == 214) <= line_is(line, "HELP") && (code == 252) <= line_is(line, "VRFY"));
    if (accepted && line_is(line, "MAIL")) {
        FUZZ_REQUIRE(!t->sender);
        *t = (struct transaction){.sender = true};
    } else if (accepted && line_is(line, "RCPT")) {
        FUZZ_REQUIRE(t->sender);
        t->recipients++;
    } else if (accepted && (line_is(line, "RSET") || line_is(line, "EHLO") || line_is(line, "HELO"))) {
        *t = (struct transaction){0};
    } else if (line_is(line, "DATA")) {
        FUZZ_REQUIRE(code != 354 || t->recipients > 0);
        if (code == 451 || code == 354) /* the owner's answers: both end the envelope */
            *t = (struct transaction){0};
    } else if (line_is(line, "EHLO") || line_is(line, "HELO")) {
        /* The engine refuses faulty ones with these; before the owner refuses, the transaction has ended. */
        t->sender = t->sender && (code == 500 || code == 501);
    }
}

/* Goes through commands and replies side by side: every command has its reply, no reply is without command. */
static void check_dialogue(const struct run *r, struct span wire)
{
    struct span out = buf_span(&r->out), line = {0};
    struct buf bodies;
    buf_init(&bodies, ROOM);
    FUZZ_REQUIRE(reference_reply(&out) == 220);
    struct transaction transaction = {0};
    bool in_body = false, command = true;
    int code = 0;
    while (out.len > 0) {
        bool after_body = in_body;
        in_body = false;
        command = after_body ? wire_body(&wire, r->options.max_message_size, &bodies) : wire_line(&wire, &line);
        code = reference_reply(&out);
        if (!command) { /* only a 421 of our own may come without one */
            FUZZ_REQUIRE(code == 421 && r->last == SMTP_SERVER_CLOSE && out.len == 0);
            break;
        }
        if (after_body)
            FUZZ_REQUIRE(code / 100 != 3);
        else
            transaction_reply(&transaction, line, code);
        FUZZ_REQUIRE(code != 354 || !after_body);
        in_body = code == 354;
        FUZZ_REQUIRE((code != 221 && code != 421) || out.len == 0);
    }
    FUZZ_REQUIRE((r->last == SMTP_SERVER_QUIT) == (code == 221));
    FUZZ_REQUIRE(code != 421 || r->last == SMTP_SERVER_CLOSE);
    if (!run_ended(r))
        FUZZ_REQUIRE(in_body ? !wire_body(&wire, 0, &bodies) : !wire_line(&wire, &line));
    FUZZ_REQUIRE_SAME(buf_span(&bodies), span_sub(buf_span(&r->bodies), 0, r->complete));
    buf_release(&bodies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head head;
    struct span wire;
    if (!fuzz_head_take(&head, data, size, &wire))
        return 0;
    struct run runs[2];
    for (unsigned i = 0; i < 2; i++) {
        run_init(&runs[i], &head);
        run_all(&runs[i], wire, i == 0 ? &head : &fuzz_whole);
        check_dialogue(&runs[i], wire);
    }
    FUZZ_REQUIRE_SAME(buf_span(&runs[0].events), buf_span(&runs[1].events));
    FUZZ_REQUIRE_SAME(buf_span(&runs[0].out), buf_span(&runs[1].out));
    FUZZ_REQUIRE_SAME(buf_span(&runs[0].bodies), buf_span(&runs[1].bodies));
    run_release(&runs[0]);
    run_release(&runs[1]);
    return 0;
}
