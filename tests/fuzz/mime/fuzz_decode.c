/* SPDX-License-Identifier: MIT */
/* Decoders, names and parameters on any octets. What decoding yields is never longer than what it was made of; what was
 * encoded cleanly decodes into itself in every mode that reads clean input; names and parameters stay inside their
 * bounds. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "mime/apple.h"
#include "mime/charset.h"
#include "mime/cms.h"
#include "mime/content.h"
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/locked.h"
#include "mime/name.h"
#include "mime/ole2.h"
#include "mime/tnef.h"

void fuzz_target_words(fuzz_word *word)
{
#define W(text)                                                                                                        \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }
    static const struct span words[] = {W("begin 644 a\n"),
                                        W("end\n"),
                                        W("=ybegin line=1 name=a\n"),
                                        W("=ypart "),
                                        W("=yend"),
                                        W("=?utf-8?B?"),
                                        W("=?utf-8?Q?"),
                                        W("=?koi8-r*en?q?"),
                                        W("?="),
                                        W("a/b; name="),
                                        W("; name*0*=utf-8''"),
                                        W("; name*1="),
                                        W("; filename=\""),
                                        W("%41"),
                                        W("=\r\n"),
                                        W("=="),
                                        W("(This file must be converted with BinHex 4.0)\n:"),
                                        W("\x78\x9f\x3e\x22\1\0"),
                                        W("\x1e\0\x07\x37\1\0\0\0"),
                                        W("\x0d\0\x01\x37\1\0\0\0"),
                                        W("LZFu"),
                                        W("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
                                        W("W\0o\0r\0k\0b\0o\0o\0k\0"),
                                        W("\x09\x08\x10\0\0\x06"),
                                        W("META-INF/manifest.xml"),
                                        W("<encryption-data"),
                                        W("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"),
                                        W("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80\x04"),
                                        W("=?utf-7?Q?+"),
                                        W("=?gb18030?B?"),
                                        W("\xff\xfe"),
                                        W("\xe2\x80\xae"),
                                        W(".txt.exe")};
#undef W
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(words[i]);
}

static void check_base64(struct span in)
{
    struct mime_base64 look;
    mime_base64_look(in, &look);
    FUZZ_REQUIRE(look.letters + look.junk + look.blanks <= in.len && look.url <= look.junk &&
                 look.after <= look.letters);
    struct buf first, out;
    buf_init(&first, in.len + 8);
    FUZZ_REQUIRE(mime_base64_decode(in, MIME_BASE64_STOP, &first) == ERR_OK);
    for (unsigned mode = 0; mode < MIME_BASE64_MODES; mode++) {
        buf_init(&out, in.len + 8);
        FUZZ_REQUIRE(mime_base64_decode(in, (enum mime_base64_mode)mode, &out) == ERR_OK);
        FUZZ_REQUIRE(buf_len(&out) <= in.len * 3 / 4 + 3);
        /* Nothing odd in it: all modes agree. */
        if (look.junk + look.after == 0 && !look.uneven && span_find(in, '=') == in.len)
            FUZZ_REQUIRE_SAME(buf_span(&out), buf_span(&first));
        buf_release(&out);
    }
    buf_release(&first);
}

static void check_qp(struct span in)
{
    struct mime_qp look;
    mime_qp_look(in, &look);
    struct buf encoded, out;
    buf_init(&encoded, 4 * in.len + 8);
    for (size_t i = 0; i < in.len; i++) {
        fuzz_note(&encoded, "=%02X", (unsigned char)in.ptr[i]);
        if (i % 20 == 19)
            fuzz_put(&encoded, SPAN("=\r\n"));
    }
    for (unsigned mode = 0; mode < MIME_QP_MODES; mode++) {
        buf_init(&out, in.len + 8);
        FUZZ_REQUIRE(mime_qp_decode(in, (enum mime_qp_mode)mode, &out) == ERR_OK);
        FUZZ_REQUIRE(buf_len(&out) <= in.len);
        if (span_find(in, '=') == in.len && mode != MIME_QP_DROP)
            FUZZ_REQUIRE_SAME(buf_span(&out), in);
        buf_release(&out);
        buf_init(&out, in.len + 8);
        FUZZ_REQUIRE(mime_qp_decode(buf_span(&encoded), (enum mime_qp_mode)mode, &out) == ERR_OK);
        FUZZ_REQUIRE_SAME(buf_span(&out), in);
        buf_release(&out);
    }
    buf_release(&encoded);
}

static bool lies_in(struct span inner, struct span outer)
{
    return inner.len == 0 || (inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len);
}

static void check_containers(struct span in)
{
    struct mime_tnef t;
    struct mime_tnef_file file;
    struct buf out;
    buf_init(&out, in.len * 9 + 64); /* 17 octets for two is the most that compressed RTF can say */
    if (mime_tnef_open(&t, in))
        for (size_t files = 0; mime_tnef_next(&t, &file); files++) {
            FUZZ_REQUIRE(files <= in.len && lies_in(file.data, in) && file.names_count <= MIME_TNEF_NAMES);
            for (unsigned i = 0; i < file.names_count; i++)
                FUZZ_REQUIRE(file.names[i].text.len > 0 && lies_in(file.names[i].text, in));
        }
    struct mime_apple apple;
    struct span fork;
    if (mime_apple_open(&apple, in))
        for (size_t forks = 0; mime_apple_next(&apple, &fork); forks++)
            FUZZ_REQUIRE(forks <= in.len / 12 && fork.len > 0 && lies_in(fork, in));
    FUZZ_REQUIRE(mime_rtf_decode(in, &out) == ERR_OK);
    buf_clear(&out);
    FUZZ_REQUIRE(mime_cms_content(in, &out) == ERR_OK && buf_len(&out) < in.len + 1);
    FUZZ_REQUIRE(mime_cms_of(in) != MIME_CMS_NONE || buf_len(&out) == 0);
    buf_release(&out);
}

/* Whatever tables say, reading stays inside the file and ends. */
static void check_locked(struct span in)
{
    const char *what;
    struct ole2 o;
    struct ole2_entry entry;
    char octets[100];
    FUZZ_REQUIRE(mime_locked(in, &what) == ERR_OK && (!what || what[0]));
    if (!ole2_open(&o, in))
        return;
    uint64_t before = o.steps;
    for (uint32_t i = 0; ole2_entry(&o, i, &entry); i++) {
        FUZZ_REQUIRE(strlen(entry.name) < OLE2_NAME_SIZE);
        size_t n = ole2_read(&o, &entry.stream, i, octets, sizeof(octets));
        FUZZ_REQUIRE(n <= sizeof(octets) && (entry.stream.size > i || n == 0));
        FUZZ_REQUIRE(o.steps < before);
        before = o.steps;
    }
}

static void check_files(struct span in)
{
    static bool (*const finds[])(struct span, size_t, struct mime_inline *) = {
        mime_uuencode_find, mime_yenc_find, mime_binhex_find, mime_calendar_find, mime_binhex_find_marked};
    for (size_t k = 0; k < ARRAY_SIZE(finds); k++) {
        struct mime_inline found;
        size_t at = 0;
        while (at < in.len && finds[k](in, at, &found)) {
            FUZZ_REQUIRE(found.begin >= at && found.data > found.begin && found.end >= found.data &&
                         found.end <= in.len);
            at = found.end;
        }
    }
    struct mime_inline any;
    for (size_t at = 0; at < in.len && mime_uuencode_find_any(in, at, &any); at = any.data)
        FUZZ_REQUIRE(any.begin >= at && any.data > any.begin && any.end >= any.data && any.end <= in.len);
    struct buf out;
    struct span name, fork;
    buf_init(&out, in.len * 4 + 64);
    for (unsigned mode = 0; mode < MIME_UUENCODE_MODES; mode++) {
        FUZZ_REQUIRE(mime_uuencode_decode(in, (enum mime_uuencode_mode)mode, &out) != ERR_NOMEM);
        buf_clear(&out);
    }
    FUZZ_REQUIRE(mime_yenc_decode(in, &out) == ERR_OK && buf_len(&out) <= in.len);
    buf_clear(&out);
    FUZZ_REQUIRE(mime_binhex_decode(in, &out, &name, &fork) != ERR_NOMEM);
    FUZZ_REQUIRE(name.len + fork.len <= buf_len(&out));
    buf_release(&out);
    check_containers(in);
    check_locked(in);
}

static bool is_utf8_text(const char *s, size_t size)
{
    char again[MIME_NAME_SIZE * 3];
    FUZZ_REQUIRE(strlen(s) < size);
    return mime_to_utf8(span_cstr(s), SPAN("utf-8"), again, sizeof(again)) == strlen(s) && strcmp(again, s) == 0;
}

static void check_names(struct span in)
{
    char text[MIME_NAME_SIZE];
    bool found;
    size_t len = mime_words_decode(in, text, sizeof(text), &found);
    FUZZ_REQUIRE(len == strlen(text) && is_utf8_text(text, sizeof(text)));
    struct mime_names names = {0};
    mime_defects defects = 0;
    struct mime_parameters *p = mem_new(1, sizeof(*p));
    FUZZ_REQUIRE(p != NULL);
    mime_parameters_parse(in, p);
    FUZZ_REQUIRE(p->count <= LIMIT_MIME_PARAMETERS);
    char joined[64];
    struct span charset;
    bool differ;
    for (unsigned i = 0; i < p->count; i++) {
        const struct mime_parameter *one = mime_parameter_get(p, p->items[i].name, i % 2, &differ);
        mime_names_add(&names, one ? one->value : p->items[i].raw, (struct span){0}, &defects);
        if (mime_parameter_extended(p, p->items[i].name, joined, sizeof(joined), &len, &charset)) {
            FUZZ_REQUIRE(len <= sizeof(joined));
            mime_names_add(&names, span_of(joined, len), charset, &defects);
        }
    }
    mem_free(p);
    for (unsigned i = 0; i < names.count; i++)
        FUZZ_REQUIRE(names.text[i][0] != '\0' && is_utf8_text(names.text[i], MIME_NAME_SIZE));
    FUZZ_REQUIRE((mime_names_judge(&names) & ~defects) < mime_defect_bit(MIME_DEFECT_COUNT));
    struct mime_type type;
    struct mime_encodings encodings;
    mime_type_parse(in, &type);
    mime_encodings_parse(in, &encodings);
    FUZZ_REQUIRE(strlen(type.text) < sizeof(type.text) && encodings.first <= MIME_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    check_base64(in);
    check_qp(in);
    check_files(in);
    check_names(in);
    FUZZ_REQUIRE(mime_content_of(in) < MIME_CONTENT_COUNT);
    for (unsigned c = 0; c < MIME_CONTENT_COUNT; c++)
        mime_content_is_polyglot(in, (enum mime_content)c);
    struct buf out;
    buf_init(&out, 2 * size + 16);
    FUZZ_REQUIRE(mime_wide_decode(in, MIME_WIDE_16LE, &out) == ERR_OK &&
                 mime_wide_decode(in, mime_wide_of(in), &out) != ERR_NOMEM);
    buf_release(&out);
    return 0;
}
