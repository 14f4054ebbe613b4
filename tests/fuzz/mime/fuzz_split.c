/* SPDX-License-Identifier: MIT */
/* The splitter and the pre-check on any octets whatsoever. Limits hold, what a part says of itself is true, the same
 * message gives the same parts, any prefix of it is fine, too; and a well-formed message made of the same octets gives
 * exactly the parts that it was made of, in one reading. A pass finds the same without the ways that it did not ask
 * for. The values of its header stay within their bounds, too. */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "mime/precheck.h"
#include "mime/split.h"
#include "mime/structure.h"
#include "mime/value.h"

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"Content-Type: ",
                                        "Content-Transfer-Encoding: ",
                                        "Content-Disposition: attachment; filename=",
                                        "MIME-Version: 1.0\r\n",
                                        "multipart/mixed",
                                        "multipart/digest",
                                        "message/rfc822",
                                        "message/partial",
                                        "text/plain",
                                        "application/ms-tnef",
                                        "; boundary=b1",
                                        "; boundary*0=b",
                                        "; boundary*1=1",
                                        "; boundary*=us-ascii''b%31",
                                        "; charset=utf-16le",
                                        "; charset=utf-7",
                                        "; charset=iso-2022-jp",
                                        "; charset=hz",
                                        "+AFQ-",
                                        "~{",
                                        "\x1b(B",
                                        "\x1b$B",
                                        "; name*=utf-8''%41",
                                        "message/delivery-status",
                                        "; boundary=\"<b1>\"",
                                        "; (c) boundary=b1",
                                        "; name=a\"b; boundary=b1",
                                        "=?utf-8?q?b=61se64?=",
                                        "b(c)ase64",
                                        "From x\r\n",
                                        ">From x\r\n",
                                        "base64",
                                        "quoted-printable",
                                        "x-uuencode",
                                        "x-yenc",
                                        "--b1\r\n",
                                        "--b1--\r\n",
                                        "\r\n\r\n",
                                        "\n\r",
                                        "=\r\n",
                                        "= \r\n",
                                        "begin 644 a\r\n",
                                        "end\r\n",
                                        "=ybegin line=128 size=1 name=a\r\n",
                                        "=yend",
                                        "=?utf-8?B?",
                                        "=?utf-8?Q?",
                                        "?=",
                                        "(This file must be converted with BinHex 4.0)\r\n:",
                                        "\x78\x9f\x3e\x22",
                                        "\xff\xfe",
                                        "\xfe\xff",
                                        "\xef\xbb\xbf",
                                        "QTogYg0KDQp4",
                                        "From: a@b\r\n",
                                        "To: a:b;\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
    for (unsigned r = 0; r < MIME_READING_COUNT; r++)
        word(span_cstr(mime_reading_word((enum mime_reading)r)));
}

struct seen {
    struct span message;
    const struct mime_limits *limits;
    uint64_t hash;
    unsigned parts;
};

static void check_text(const char *text, size_t size)
{
    FUZZ_REQUIRE(memchr(text, '\0', size) != NULL);
    for (; *text; text++)
        FUZZ_REQUIRE(char_is_print(*text));
}

static enum err check_part(void *arg, const struct mime_part *part)
{
    struct seen *s = arg;
    s->parts++;
    FUZZ_REQUIRE(s->parts <= s->limits->parts);
    FUZZ_REQUIRE(part->octets.len > 0);
    FUZZ_REQUIRE(part->offset <= s->message.len && part->extent <= s->message.len - part->offset);
    if (part->verbatim)
        FUZZ_REQUIRE_SAME(part->octets, span_sub(s->message, part->offset, part->extent));
    check_text(part->path, MIME_PATH_SIZE);
    check_text(part->type, sizeof(part->type));
    check_text(part->charset, sizeof(part->charset));
    FUZZ_REQUIRE(part->names.count <= MIME_NAMES);
    for (unsigned i = 0; i < part->names.count; i++)
        FUZZ_REQUIRE(memchr(part->names.text[i], '\0', MIME_NAME_SIZE) != NULL && part->names.text[i][0] != '\0');
    FUZZ_REQUIRE(part->content < MIME_CONTENT_COUNT && part->content != MIME_CONTENT_EMPTY);
    for (size_t i = 0; i < part->octets.len; i++) /* every octet is there to be read */
        s->hash = (s->hash ^ (unsigned char)part->octets.ptr[i]) * 0x100000001b3u;
    s->hash += part->readings + (uint64_t)part->encoding;
    return ERR_OK;
}

static struct seen split(struct span message, const struct mime_limits *limits, struct mime_report *report)
{
    struct seen s = {.message = message, .limits = limits};
    FUZZ_REQUIRE(mime_split(message, limits, check_part, &s, report) == ERR_OK);
    FUZZ_REQUIRE(report->parts == s.parts && report->ordinary <= s.parts);
    FUZZ_REQUIRE(report->decoded <= limits->decoded);
    FUZZ_REQUIRE((report->cut != 0) == mime_defects_have(report->defects, MIME_DEFECT_LIMIT));
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        FUZZ_REQUIRE((report->counts[d] > 0) == mime_defects_have(report->defects, (enum mime_defect)d));
    return s;
}

static void check_message(struct span message)
{
    struct mime_limits limits = mime_limits_for(message.len);
    limits.work = 24 * (uint64_t)message.len + (1u << 18); /* small inputs shall not cost what large ones do */
    struct mime_report first, second;
    struct seen a = split(message, &limits, &first), b = split(message, &limits, &second);
    FUZZ_REQUIRE(a.hash == b.hash && a.parts == b.parts && first.defects == second.defects);
    limits.parts = 3;
    limits.decoded = message.len / 2;
    split(message, &limits, &second);
    struct mime_precheck check = mime_precheck(message);
    FUZZ_REQUIRE(check.offset <= message.len);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u;
}

static enum err note_body(void *arg, const struct mime_body *body)
{
    uint64_t *hash = arg;
    *hash = mix(mix(*hash, (uint64_t)(uintptr_t)body->octets.ptr), body->octets.len);
    *hash = mix(mix(*hash, (uint64_t)(uintptr_t)body->encoding.ptr), body->encoding.len);
    *hash = mix(mix(*hash, (uint64_t)body->kind), body->depth);
    for (const char *text = body->path; *text; text++)
        *hash = mix(*hash, (unsigned char)*text);
    for (const char *text = body->type.text; *text; text++)
        *hash = mix(*hash, (unsigned char)*text);
    return ERR_OK;
}

static uint64_t pass(struct span message, mime_readings reading, mime_readings *asked)
{
    uint64_t work = 0, hash = 0;
    struct mime_structure s = {.reading = reading,
                               .max_depth = LIMIT_MIME_DEPTH,
                               .prefix = "",
                               .work = &work,
                               .max_work = 24 * (uint64_t)message.len + (1u << 18)};
    FUZZ_REQUIRE(mime_structure_read(&s, message, note_body, &hash) == ERR_OK);
    *asked = s.asked;
    return s.too_long ? 0 : mix(mix(mix(hash, s.doubts), s.defects), s.asked);
}

static void check_asked(struct span message, mime_readings reading)
{
    mime_readings asked, again;
    reading &= (1u << (MIME_READING_ANY_DELIMITER + 1)) - 1;
    uint64_t all = pass(message, reading, &asked);
    FUZZ_REQUIRE(all == pass(message, reading & asked, &again));
}

/* The pieces of a message that is made of them. */
struct made {
    struct span pieces[8];
    unsigned count, next;
};

static enum err check_piece(void *arg, const struct mime_part *part)
{
    struct made *m = arg;
    if (strchr(part->path, '.')) /* something inside a piece */
        return ERR_OK;
    FUZZ_REQUIRE(m->next < m->count);
    FUZZ_REQUIRE_SAME(part->octets, m->pieces[m->next]);
    m->next++;
    return ERR_OK;
}

static void put_base64(struct buf *b, struct span s)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *u = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len; i += 3) {
        unsigned bits =
            (unsigned)u[i] << 16 | (i + 1 < s.len ? (unsigned)u[i + 1] << 8 : 0) | (i + 2 < s.len ? u[i + 2] : 0u);
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], i + 1 < s.len ? alphabet[bits >> 6 & 63] : '=',
                        i + 2 < s.len ? alphabet[bits & 63] : '='};
        fuzz_put(b, span_of(four, sizeof(four)));
        if (i % 57 == 54)
            fuzz_put(b, SPAN("\r\n"));
    }
}

static void check_well_formed(struct span octets)
{
    struct made m = {0};
    struct buf message;
    buf_init(&message, 1 << 22);
    fuzz_put(&message, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n"));
    size_t each = octets.len / ARRAY_SIZE(m.pieces) + 1;
    for (size_t at = 0; at < octets.len; at += each) {
        struct span piece = span_sub(octets, at, each);
        m.pieces[m.count++] = piece;
        fuzz_put(&message,
                 SPAN("--=_b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        put_base64(&message, piece);
        fuzz_put(&message, SPAN("\r\n"));
    }
    fuzz_put(&message, SPAN("--=_b--\r\n"));
    struct mime_limits limits = mime_limits_for(buf_len(&message));
    struct mime_report report;
    FUZZ_REQUIRE(mime_split(buf_span(&message), &limits, check_piece, &m, &report) == ERR_OK);
    FUZZ_REQUIRE((report.cut & ~(unsigned)MIME_CUT_WORK) != 0 || m.next == m.count);
    FUZZ_REQUIRE(report.readings == 1);
    FUZZ_REQUIRE(mime_precheck(buf_span(&message)).broken == MIME_CAP_NONE);
    buf_release(&message);
}

static enum err check_value(void *arg, const struct mime_value *v)
{
    size_t *octets = arg;
    *octets += v->name.len + v->text.len;
    FUZZ_REQUIRE(v->name.len > 0 && v->name.len <= LIMIT_PART_TEXT && v->text.len <= LIMIT_PART_VALUE);
    FUZZ_REQUIRE(utf8_is_plain(v->text) && *octets <= LIMIT_PART_VALUES);
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span message = span_of(data, size);
    size_t octets = 0;
    bool more;
    FUZZ_REQUIRE(mime_values_read(message, mime_to_utf8, check_value, &octets, &more) == ERR_OK);
    check_message(message);
    if (size > 1) /* the last ones say least about the message itself */
        check_asked(message, data[size - 1] | (mime_readings)data[size - 2] << 8);
    if (size > 0)
        check_message(span_sub(message, 0, size - 1 - data[0] % size));
    if (size > 0) /* a multipart without parts is not well-formed */
        check_well_formed(message);
    return 0;
}
