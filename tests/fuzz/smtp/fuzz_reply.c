/* SPDX-License-Identifier: MIT */
/* What a server says: the same replies whatever the pieces; each, formed for a client, is well-formed, and forming and
 * reading it again changes nothing any more. */
#include "fuzz/smtp/reference.h"
#include "smtp/reply.h"

enum { ROOM = 1 << 22 };

void fuzz_target_words(fuzz_word *word)
{
    reference_reply_words(word);
}

static void parse_one(struct span wire, struct smtp_reply_parser *parser, struct smtp_reply *reply)
{
    struct buf in;
    buf_init(&in, LIMIT_STREAM_IN);
    fuzz_put(&in, wire);
    smtp_reply_parser_init(parser);
    FUZZ_REQUIRE(smtp_reply_parse(parser, &in, reply) == SMTP_REPLY_OK && buf_len(&in) == 0);
    buf_release(&in);
}

/* A reply to a client, with and without enhanced codes and 8-bit text. */
static void check_forming(const struct smtp_reply *reply)
{
    struct buf first, second;
    struct smtp_reply_parser parser;
    struct smtp_reply again;
    for (unsigned form = 0; form < 4; form++) {
        bool enhanced = form & 1, utf8 = form & 2;
        buf_init(&first, ROOM);
        buf_init(&second, ROOM);
        FUZZ_REQUIRE(smtp_reply_write(&first, reply, enhanced, utf8) == ERR_OK);
        struct span wire = buf_span(&first);
        if (!utf8)
            FUZZ_REQUIRE(reference_reply(&wire) == reply->code && wire.len == 0);
        if (buf_len(&first) < LIMIT_REPLY) { /* what was long may have grown past what is read */
            parse_one(buf_span(&first), &parser, &again);
            FUZZ_REQUIRE(again.code == reply->code);
            FUZZ_REQUIRE(smtp_reply_write(&second, &again, enhanced, utf8) == ERR_OK);
            if (enhanced && smtp_reply_class(reply) != 3)
                FUZZ_REQUIRE_SAME(buf_span(&second), buf_span(&first));
            smtp_reply_parser_release(&parser);
        }
        buf_release(&first);
        buf_release(&second);
    }
}

static void note_reply(struct buf *notes, const struct smtp_reply *r)
{
    fuzz_note(notes, "%d %u.%u.%u [", r->code, r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    fuzz_put(notes, r->text);
    fuzz_note(notes, "]\n");
    FUZZ_REQUIRE(r->code >= 200 && r->code <= 599);
    FUZZ_REQUIRE(span_find(r->text, '\r') == r->text.len);
}

/* Reads WIRE as it comes in pieces, and writes down what is found. */
static void read_all(const struct fuzz_head *head, struct span wire, struct buf *notes, bool form)
{
    struct smtp_reply_parser parser;
    struct smtp_reply reply;
    struct buf in;
    smtp_reply_parser_init(&parser);
    buf_init(&in, head->options & 1 ? 160 : LIMIT_STREAM_IN);
    struct fuzz_pieces pieces = fuzz_pieces_of(head, wire);
    struct span piece = {0};
    enum smtp_reply_result result = SMTP_REPLY_MORE;
    while (result != SMTP_REPLY_BAD && (result == SMTP_REPLY_OK || piece.len + pieces.rest.len > 0)) {
        if (result == SMTP_REPLY_MORE) {
            if (piece.len == 0)
                piece = fuzz_piece_next(&pieces);
            FUZZ_REQUIRE(buf_room(&in) > 0); /* else it waits for ever */
            struct span now = span_sub(piece, 0, buf_room(&in));
            fuzz_put(&in, now);
            piece = span_sub(piece, now.len, piece.len);
        }
        result = smtp_reply_parse(&parser, &in, &reply);
        if (result == SMTP_REPLY_OK)
            note_reply(notes, &reply);
        if (result == SMTP_REPLY_OK && form)
            check_forming(&reply);
        FUZZ_REQUIRE(result != SMTP_REPLY_OK || !smtp_reply_parser_busy(&parser));
    }
    if (result == SMTP_REPLY_BAD) {
        FUZZ_REQUIRE(parser.problem && smtp_reply_parse(&parser, &in, &reply) == SMTP_REPLY_BAD);
        fuzz_note(notes, "bad: %s\n", parser.problem);
    }
    smtp_reply_parser_release(&parser);
    buf_release(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head head;
    struct span wire;
    if (!fuzz_head_take(&head, data, size, &wire))
        return 0;
    struct fuzz_head whole = fuzz_whole;
    whole.options = head.options;
    struct buf a, b;
    buf_init(&a, ROOM);
    buf_init(&b, ROOM);
    read_all(&whole, wire, &a, true);
    read_all(&head, wire, &b, false);
    FUZZ_REQUIRE_SAME(buf_span(&a), buf_span(&b));
    buf_release(&a);
    buf_release(&b);
    return 0;
}
