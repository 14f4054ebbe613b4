/* SPDX-License-Identifier: MIT */
/* EHLO keywords: reading what a server offers against a second opinion, and what our server engine offers is read back
 * by our client side as the same. */
#include "fuzz/smtp/reference.h"
#include "smtp/ext.h"
#include "smtp/reply.h"
#include "smtp/server.h"

void fuzz_target_words(fuzz_word *word)
{
    reference_keyword_words(word);
    word(SPAN("\n"));
    word(SPAN("\nSIZE 18446744073709551615"));
    word(SPAN("\nSIZE 18446744073709551616"));
    word(SPAN("\nAUTH LOGIN PLAIN"));
}

/* Octet by octet. */
static struct smtp_offer reference_offer(struct span text)
{
    struct smtp_offer offer = {0};
    for (size_t i = 0, start = 0, line = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n')
            continue;
        while (start < i && char_is_blank(text.ptr[start]))
            start++;
        size_t word = start, end = i;
        while (word < i && text.ptr[word] != ' ')
            word++;
        while (end > start && char_is_blank(text.ptr[end - 1]))
            end--;
        struct span keyword = span_sub(text, start, (word < end ? word : end) - start);
        for (unsigned e = 0; e < SMTP_EXT_COUNT && line > 0; e++)
            if (span_eq_nocase(keyword, span_cstr(smtp_ext_keyword((enum smtp_ext)e))))
                offer.set |= (smtp_ext_set)1 << e;
        while (word < end && char_is_blank(text.ptr[word]))
            word++;
        uint64_t value = 0;
        bool number = line > 0 && word < end && span_eq_nocase(keyword, SPAN("SIZE"));
        for (size_t at = word; at < end && number; at++) {
            unsigned digit = (unsigned char)text.ptr[at] - (unsigned)'0';
            number = digit < 10 && value <= (UINT64_MAX - digit) / 10;
            value = value * 10 + digit;
        }
        if (number)
            offer.size_limit = value;
        start = i + 1;
        line++;
    }
    return offer;
}

/* What our server says, our client must understand. */
static void check_round_trip(struct smtp_offer offer)
{
    static const struct smtp_server_options options = {.hostname = {"gw.example.org", 14}};
    struct smtp_server server;
    struct smtp_server_event event;
    struct smtp_reply_parser parser;
    struct smtp_reply reply;
    struct buf in;
    buf_init(&in, LIMIT_STREAM_IN);
    smtp_server_init(&server, &options);
    smtp_reply_parser_init(&parser);
    FUZZ_REQUIRE(smtp_server_greet(&server) == ERR_OK);
    buf_clear(smtp_server_out(&server));
    fuzz_put(&in, SPAN("EHLO client.example.net\r\n"));
    smtp_server_next(&server, &in, &event);
    FUZZ_REQUIRE(event.kind == SMTP_SERVER_HELLO && smtp_server_reply_hello(&server, &offer) == ERR_OK);
    FUZZ_REQUIRE(smtp_reply_parse(&parser, smtp_server_out(&server), &reply) == SMTP_REPLY_OK && reply.code == 250);
    struct smtp_offer back = smtp_offer_parse(reply.text);
    uint64_t limit = offer.set & SMTP_EXT_BIT(SIZE) ? offer.size_limit : 0;
    FUZZ_REQUIRE(back.set == offer.set && back.size_limit == limit);
    smtp_reply_parser_release(&parser);
    smtp_server_release(&server);
    buf_release(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct smtp_offer expected = reference_offer(text), offer = smtp_offer_parse(text);
    FUZZ_REQUIRE(offer.set == expected.set && offer.size_limit == expected.size_limit);
    check_round_trip(offer);
    return 0;
}
