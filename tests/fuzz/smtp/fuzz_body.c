/* SPDX-License-Identifier: MIT */
/* Body of DATA: the decoder, fed whole and in pieces, against the reference; and what the encoder writes, whole and in
 * pieces, decodes into what it was given and holds one end of data, at its end. */
#include "fuzz/smtp/reference.h"
#include "smtp/body.h"

enum { ROOM = 1 << 20 };

void fuzz_target_words(fuzz_word *word)
{
    reference_body_words(word);
}

/* Decodes WIRE as it comes in pieces; *used: octets taken, what was held back not among them. */
static bool decode(const struct fuzz_head *head, struct span wire, struct buf *content, unsigned *faults, size_t *used)
{
    struct smtp_body_decoder decoder;
    smtp_body_decoder_init(&decoder);
    struct fuzz_pieces pieces = fuzz_pieces_of(head, wire);
    enum smtp_body_result result = SMTP_BODY_MORE;
    size_t seen = 0;
    *used = 0;
    while (result != SMTP_BODY_END && (result == SMTP_BODY_SPAN || pieces.rest.len > 0)) {
        if (result == SMTP_BODY_MORE)
            seen += fuzz_piece_next(&pieces).len;
        struct span in = span_sub(wire, *used, seen - *used), out = {0};
        size_t taken = 0;
        result = smtp_body_decode(&decoder, in, &out, &taken);
        FUZZ_REQUIRE(taken <= in.len && (result == SMTP_BODY_MORE) == (taken == 0));
        FUZZ_REQUIRE(result != SMTP_BODY_MORE || in.len <= 2);
        if (result == SMTP_BODY_SPAN) {
            FUZZ_REQUIRE(out.len > 0 && out.ptr >= in.ptr && out.ptr + out.len <= in.ptr + in.len);
            fuzz_put(content, out);
        }
        *used += taken;
    }
    *faults = decoder.faults;
    return result == SMTP_BODY_END;
}

static void decoder_agrees(const struct fuzz_head *head, struct span wire)
{
    struct buf expected, found;
    unsigned expected_faults, faults;
    size_t expected_used, used;
    buf_init(&expected, ROOM);
    buf_init(&found, ROOM);
    bool expected_end = reference_body(wire, &expected, &expected_faults, &expected_used);
    bool end = decode(head, wire, &found, &faults, &used);
    FUZZ_REQUIRE_SAME(buf_span(&expected), buf_span(&found));
    FUZZ_REQUIRE(end == expected_end && used == expected_used && faults == expected_faults);
    buf_release(&expected);
    buf_release(&found);
}

static void encode(const struct fuzz_head *head, struct span content, struct buf *wire)
{
    struct smtp_body_encoder encoder;
    smtp_body_encoder_init(&encoder);
    struct fuzz_pieces pieces = fuzz_pieces_of(head, content);
    while (pieces.rest.len > 0)
        FUZZ_REQUIRE(smtp_body_encode(&encoder, wire, fuzz_piece_next(&pieces)) == ERR_OK);
    FUZZ_REQUIRE(smtp_body_encode_end(&encoder, wire) == ERR_OK);
}

static void encoder_round_trip(const struct fuzz_head *head, struct span content)
{
    struct buf wire, expected, back;
    unsigned faults;
    size_t used;
    buf_init(&wire, ROOM);
    buf_init(&expected, ROOM);
    buf_init(&back, ROOM);
    encode(head, content, &wire);
    fuzz_put(&expected, SPAN(""));
    if (!reference_stuff(content, &expected))
        fuzz_put(&expected, SPAN("\r\n"));
    fuzz_put(&expected, SPAN(".\r\n"));
    FUZZ_REQUIRE_SAME(buf_span(&expected), buf_span(&wire));
    FUZZ_REQUIRE(reference_body(buf_span(&wire), &back, &faults, &used) && used == buf_len(&wire));
    FUZZ_REQUIRE_SAME(span_sub(buf_span(&back), 0, content.len), content);
    struct span added = span_sub(buf_span(&back), content.len, buf_len(&back));
    FUZZ_REQUIRE(added.len == 0 || span_eq(added, SPAN("\r\n")));
    buf_release(&wire);
    buf_release(&expected);
    buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head head;
    struct span rest;
    if (!fuzz_head_take(&head, data, size, &rest))
        return 0;
    decoder_agrees(&fuzz_whole, rest);
    decoder_agrees(&head, rest);
    encoder_round_trip(&fuzz_whole, rest);
    encoder_round_trip(&head, rest);
    return 0;
}
