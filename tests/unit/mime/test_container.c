/* SPDX-License-Identifier: MIT */
/* What is found in containers: signed content in CMS, attachments and texts in TNEF, compressed RTF, forks of Macintosh
 * files (B34, B35). */
#include "mime/apple.h"
#include "mime/cms.h"
#include "mime/split.h"
#include "mime/tnef.h"
#include "unit/smtp/must.h"

static bool text_is(const struct buf *b, const char *text)
{
    bool same = span_eq(buf_span(b), span_cstr(text));
    if (!same)
        fprintf(stderr, "found    \"%.*s\"\nexpected \"%s\"\n", SPAN_ARG(buf_span(b)), text);
    return same;
}

/* BER in short form; "I" content of indefinite length is "\x80" content "\0\0". */
#define DATA         "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define SIGNED       "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define ENVELOPED    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
#define COMPRESSED   "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"
#define RECEIPT      "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x01"
#define OTHER        "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
#define VERSION      "\x02\x01\x01"
#define NO_DIGESTS   "\x31\x00"
#define A_DIGEST     "\x31\x80\x30\x80\x06\x01\x2a\x05\x00\0\0\0\0"
#define ENDLESS(tag) tag "\x80"
#define END          "\0\0"
#define HEAD(oid)    ENDLESS("\x30") oid ENDLESS("\xa0")

START_TEST(cms_gives_what_everybody_can_read)
{
    static const struct {
        const char *name;
        struct span octets;
        enum mime_cms kind;
        const char *content;
    } rows[] = {
#define ROW(name, octets, kind, content) {name, {octets, sizeof(octets) - 1}, MIME_CMS_##kind, content}
        ROW("one string of definite lengths",
            "\x30\x27" SIGNED "\xa0\x1a\x30\x18" VERSION NO_DIGESTS "\x30\x11" DATA "\xa0\x04\x04\x02hi" NO_DIGESTS,
            CLEAR, "hi"),
        ROW("pieces of indefinite length",
            HEAD(SIGNED) ENDLESS("\x30") VERSION A_DIGEST HEAD(DATA) ENDLESS("\x24") "\x04\x03one\x24\x80\x04\x01 " END
                                                                                     "\x04\x03two" END END END,
            CLEAR, "one two"),
        ROW("pieces of definite length",
            HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA) "\x24\x0a\x04\x03one\x04\x03two" END END END,
            CLEAR, "onetwo"),
        ROW("cut short", HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA) "\x04\x7fonly this", CLEAR,
            "only this"),
        ROW("detached", HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS "\x30\x0b" DATA END END END, CLEAR, ""),
        ROW("data alone", HEAD(DATA) "\x04\x02hi" END END, CLEAR, "hi"),
        ROW("signed receipt", HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(RECEIPT) "\x04\x02hi" END END, CLEAR,
            "hi"),
        ROW("enveloped", HEAD(ENVELOPED) "\x30\x03" VERSION END END, CLOSED, ""),
        ROW("compressed", HEAD(COMPRESSED) "\x30\x03" VERSION END END, CLOSED, ""),
        ROW("enveloped inside signed",
            HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(ENVELOPED) "\x04\x02hi" END END, CLOSED, ""),
        ROW("signed of a form that is not known", HEAD(SIGNED) "\x04\x08whatever" END END, CLOSED, ""),
        ROW("pieces under other names",
            HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA)
                ENDLESS("\x24") "\x04\x03one\x0c\x01 \x33\x05\x13\x03two" END END END END,
            CLEAR, "one two"),
        ROW("a piece whose length nobody can have",
            HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA)
                ENDLESS("\x24") "\x04\x03one\x04\x89\0\0\0\0\0\0\0\0\x03two" END END END END,
            CLOSED, NULL),
        ROW("a string that is none", HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA) "\x0c\x02hi" END END,
            CLOSED, NULL),
        ROW("another object", HEAD(OTHER) "\x04\x02hi" END END, NONE, ""),
        ROW("a text", "0 is where this text begins, and more", NONE, ""),
        ROW("nothing", "", NONE, ""),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        if (mime_cms_of(rows[i].octets) != rows[i].kind)
            fprintf(stderr, "%s\n", rows[i].name);
        ck_assert_int_eq(mime_cms_of(rows[i].octets), rows[i].kind);
        ck_assert_int_eq(mime_cms_content(rows[i].octets, &b), ERR_OK);
        MUST(!rows[i].content || text_is(&b, rows[i].content)); /* of what is closed, it may give a beginning */
        buf_release(&b);
    }
}
END_TEST

START_TEST(cms_is_read_in_its_bounds_wherever_it_is_cut_or_changed)
{
    static const char octets[] = HEAD(SIGNED) ENDLESS("\x30") VERSION A_DIGEST HEAD(DATA)
        ENDLESS("\x24") "\x04\x03one\x24\x80\x04\x01 " END "\x04\x03two" END END END;
    enum { SIZE = sizeof(octets) - 1 };
    for (size_t len = 0; len <= SIZE; len++)
        for (unsigned change = 0; change < 256; change += 51) {
            char *exact = malloc(len + 1);
            ck_assert_ptr_nonnull(exact);
            memcpy(exact, octets, len);
            if (len > 0)
                exact[len - 1] = (char)(exact[len - 1] ^ (char)change);
            struct buf b;
            buf_init(&b, SIZE);
            ck_assert_int_eq(mime_cms_content(span_of(exact, len), &b), ERR_OK);
            buf_release(&b);
            free(exact);
        }
    /* Nested without an end, and larger than what may be kept. */
    static char deep[4000];
    memset(deep, 0x24, sizeof(deep));
    for (size_t i = 1; i < sizeof(deep); i += 2)
        deep[i] = (char)0x80;
    static const char head[] = HEAD(SIGNED) ENDLESS("\x30") VERSION NO_DIGESTS HEAD(DATA);
    memcpy(deep, head, sizeof(head) - 1);
    ck_assert_int_eq(mime_cms_of(span_of(deep, sizeof(deep))), MIME_CMS_CLOSED);
    struct buf b;
    buf_init(&b, 4);
    ck_assert_int_eq(mime_cms_content(span_of(deep, sizeof(deep)), &b), ERR_OK);
    ck_assert_int_eq(mime_cms_content(span_of(octets, SIZE), &b), ERR_FULL);
    buf_release(&b);
}
END_TEST

#define TNEF_HEAD "\x78\x9f\x3e\x22\1\0"
START_TEST(tnef_gives_its_attachments)
{
    static const char octets[] = TNEF_HEAD "\2\2\x90\6\0\2\0\0\0\1\0\1\0"
                                           "\2\x10\x80\1\0\2\0\0\0a\0\x61\0"
                                           "\2\x0f\x80\6\0\3\0\0\0abc\x26\1";
    struct mime_tnef t;
    struct mime_tnef_file file;
    MUST(mime_tnef_open(&t, span_of(octets, sizeof(octets) - 1)));
    MUST(mime_tnef_next(&t, &file));
    MUST(file.names_count == 1 && span_eq(file.names[0].text, SPAN("a")) && span_eq(file.data, SPAN("abc")));
    MUST(!mime_tnef_next(&t, &file) && !t.broken);
    /* Cut anywhere, it gives what is there and says so. */
    for (size_t len = 0; len + 1 < sizeof(octets); len++) {
        if (!mime_tnef_open(&t, span_of(octets, len)))
            continue;
        bool given = false;
        while (mime_tnef_next(&t, &file))
            given = true;
        MUST(t.broken || len <= 32);
        MUST(given || len <= 41);
    }
    MUST(!mime_tnef_open(&t, SPAN("abcdefgh")));
}
END_TEST

/* Attributes, with checksums of zero: they are not obeyed. */
#define BEGIN_ATTACHMENT "\2\2\x90\6\0\2\0\0\0\1\0\0\0"
#define TITLE(text)      "\2\x10\x80\1\0" text "\0\0"
#define PROPERTIES(size) "\2\5\x90\6\0" size "\0\0\0"
#define SUM              "\0\0"

/* Next file of T: its names joined by '|', its data. */
static bool next_is(struct mime_tnef *t, const char *names, struct span data)
{
    struct mime_tnef_file file;
    char text[100] = "";
    size_t at = 0;
    if (!mime_tnef_next(t, &file))
        return false;
    for (unsigned i = 0; i < file.names_count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s%s", i ? "|" : "", SPAN_ARG(file.names[i].text),
                               file.names[i].wide ? "(wide)" : "");
    ck_assert_str_eq(text, names);
    if (!span_eq(file.data, data))
        fprintf(stderr, "found \"%.*s\"\n", SPAN_ARG(file.data));
    return span_eq(file.data, data);
}

/* A number, a named property of its own, a long name, then the content as an object. */
#define LIST                                                                                                           \
    "\4\0\0\0"                                                                                                         \
    "\3\0\x05\x37\1\0\0\0"                                                                                             \
    "\x1e\0\1\x80"                                                                                                     \
    "0123456789abcdef\1\0\0\0\2\0\0\0n\0\0\0\1\0\0\0\1\0\0\0v\0\0\0"                                                   \
    "\x1e\0\x07\x37\1\0\0\0\6\0\0\0b.exe\0\0\0"                                                                        \
    "\x0d\0\x01\x37\1\0\0\0\x15\0\0\0IIIIIIIIIIIIIIIIinner\0\0\0"

/* The title comes last. */
START_TEST(tnef_gives_what_lies_in_properties)
{
    static const char list[] = LIST;
    static const char octets[] = TNEF_HEAD BEGIN_ATTACHMENT PROPERTIES("\x70") LIST SUM TITLE("\4\0\0\0a.t\0");
    ck_assert_uint_eq(sizeof(list) - 1, 0x70);
    struct mime_tnef t;
    struct mime_tnef_file file;
    MUST(mime_tnef_open(&t, span_of(octets, sizeof(octets) - 1)));
    MUST(next_is(&t, "b.exe|a.t", span_of(list, sizeof(list) - 1)));
    MUST(next_is(&t, "b.exe|a.t", SPAN("inner")));
    MUST(!mime_tnef_next(&t, &file));
    /* Cut or changed anywhere, it is read in its bounds and ends. */
    for (size_t len = 6; len < sizeof(octets); len++)
        for (unsigned change = 0; change < 256; change += 85) {
            char *exact = malloc(len);
            ck_assert_ptr_nonnull(exact);
            memcpy(exact, octets, len);
            exact[len - 1] = (char)(exact[len - 1] ^ (char)change);
            unsigned files = 0;
            if (mime_tnef_open(&t, span_of(exact, len)))
                while (mime_tnef_next(&t, &file))
                    ck_assert_uint_lt(++files, 10);
            free(exact);
        }
}
END_TEST

struct apple_entry {
    unsigned char kind, offset, size;
};
/* AppleSingle with so many ENTRIES, "0123456789" at offset 98, claiming to have CLAIMED; its length. */
static size_t apple(char out[108], char magic, char version, const struct apple_entry entries[6], char claimed)
{
    static const char head[] = "\0\5\x16?\0?\0\0FILLER__________\0?";
    memset(out, 0, 108);
    memcpy(out, head, 26);
    out[3] = magic;
    out[5] = version;
    out[25] = claimed;
    for (size_t i = 0; i < 6; i++) {
        out[26 + 12 * i + 3] = (char)entries[i].kind;
        out[26 + 12 * i + 7] = (char)entries[i].offset;
        out[26 + 12 * i + 11] = (char)entries[i].size;
    }
    memcpy(out + 98, "0123456789", 10);
    return 108;
}

/* The names of OCTETS, if there are two both, and its forks, each with a '|' before it; "none". */
static void read_apple(struct span octets, char *text, size_t size)
{
    struct mime_apple a;
    struct span fork;
    snprintf(text, size, "none");
    if (!mime_apple_open(&a, octets))
        return;
    struct span first, last;
    mime_apple_names(&a, &first, &last);
    size_t at = (size_t)snprintf(text, size, "%.*s", SPAN_ARG(first));
    if (!span_eq(first, last))
        at += (size_t)snprintf(text + at, size - at, "+%.*s", SPAN_ARG(last));
    while (mime_apple_next(&a, &fork))
        at += (size_t)snprintf(text + at, size - at, "|%.*s", SPAN_ARG(fork));
}

START_TEST(apples_containers_give_their_forks)
{
    static const struct {
        char magic, version, claimed;
        struct apple_entry entries[6];
        const char *text;
    } rows[] = {
        {0, 2, 3, {{3, 98, 2}, {1, 102, 4}, {2, 100, 2}}, "01|4567|23"},
        {7, 1, 6, {{2, 98, 10}, {9, 98, 10}, {1, 98, 0}, {1, 107, 200}, {1, 200, 1}, {3, 98, 1}}, "0|0123456789|9"},
        {0, 2, 127, {{1, 98, 1}, {1, 99, 1}, {1, 98, 2}}, "|0|1|01"},
        {0, 2, 0, {{1, 98, 1}}, ""},
        {0, 2, 6, {{3, 98, 0}, {3, 98, 1}, {3, 99, 2}, {1, 98, 1}, {3, 101, 3}, {3, 98, 0}}, "0+345|0"},
        {8, 2, 1, {{1, 98, 1}}, "none"},
        {0, 3, 1, {{1, 98, 1}}, "none"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char octets[108], text[200];
        size_t len = apple(octets, rows[i].magic, rows[i].version, rows[i].entries, rows[i].claimed);
        read_apple(span_of(octets, len), text, sizeof(text));
        ck_assert_str_eq(text, rows[i].text);
        for (size_t cut = 0; cut < len; cut++) { /* in its bounds, wherever it is cut */
            char *exact = malloc(cut + 1);
            ck_assert_ptr_nonnull(exact);
            memcpy(exact, octets, cut);
            read_apple(span_of(exact, cut), text, sizeof(text));
            free(exact);
        }
    }
}
END_TEST

static enum err note_names(void *arg, const struct mime_part *part)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < part->names.count && e == ERR_OK; i++)
        e = buf_printf(arg, "%s|", part->names.text[i]);
    return e;
}

/* A name is judged wherever in the table it stands, and so is the last one where there are several. */
START_TEST(names_of_forks_are_judged_behind_any_number_of_entries)
{
    enum { ENTRIES = 1000, NAMES = 26 + 12 * ENTRIES };
    static const char head[] = "Content-Type: application/applefile\r\n\r\n";
    static const char tail[] = "a.txtletter.pdf.exeoctets";
    static const struct {
        unsigned char kind, at, length;
    } last[] = {{3, 0, 5}, {3, 5, 14}, {1, 19, 6}};
    struct buf b, names;
    struct mime_report report;
    buf_init(&b, 1 << 16);
    buf_init(&names, 1 << 12);
    MUST(buf_append(&b, SPAN(head)) == ERR_OK);
    MUST(buf_append(&b, SPAN("\0\5\x16\7\0\2\0\0________________\x03\xe8")) == ERR_OK);
    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned k = i < ENTRIES - ARRAY_SIZE(last) ? ENTRIES : i - (ENTRIES - ARRAY_SIZE(last));
        unsigned at = NAMES + (k < ARRAY_SIZE(last) ? last[k].at : 0);
        char entry[12] = {0, 0, 0, 9, 0, 0, (char)(at >> 8), (char)at, 0, 0, 0, 1};
        if (k < ARRAY_SIZE(last)) {
            entry[3] = (char)last[k].kind;
            entry[11] = (char)last[k].length;
        }
        MUST(buf_append(&b, span_of(entry, sizeof(entry))) == ERR_OK);
    }
    MUST(buf_append(&b, SPAN(tail)) == ERR_OK);
    struct mime_limits limits = mime_limits_for(buf_len(&b));
    ck_assert_int_eq(mime_split(buf_span(&b), &limits, note_names, &names, &report), ERR_OK);
    MUST(span_eq(buf_span(&names), SPAN("a.txt|letter.pdf.exe|")));
    ck_assert_str_eq(mime_defects_paranoid(report.defects), "HiddenName");
    buf_release(&names);
    buf_release(&b);
}
END_TEST

START_TEST(compressed_rtf_is_expanded)
{
    static const struct {
        struct span in;
        const char *out;
    } rows[] = {
        /* MS-OXRTFCP 4.1.1 and 4.1.2; stored; cut; of another kind */
        {{"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3\x20hel\x09\x00\x20"
          "bw\x05\xb0ld}\x0a\x80\x0f\xa0",
          49},
         "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"},
        {{"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0", 30},
         "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"},
        {{"\x10\0\0\0\x04\0\0\0MELA\0\0\0\0text", 20}, "text"},
        {{"\x10\0\0\0\x04\0\0\0LZFu\0\0\0\0\xff\0", 18}, ""},
        {{"\x10\0\0\0\x04\0\0\0ABCD\0\0\0\0text", 20}, ""},
        {{"short", 5}, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        ck_assert_int_eq(mime_rtf_decode(rows[i].in, &b), ERR_OK);
        MUST(text_is(&b, rows[i].out));
        buf_release(&b);
    }
    struct buf b;
    buf_init(&b, 8);
    ck_assert_int_eq(mime_rtf_decode(rows[2].in, &b), ERR_OK);
    buf_release(&b);
    buf_init(&b, 8);
    ck_assert_int_eq(mime_rtf_decode(rows[0].in, &b), ERR_FULL);
    buf_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(cms_gives_what_everybody_can_read)                                                                               \
    X(cms_is_read_in_its_bounds_wherever_it_is_cut_or_changed)                                                         \
    X(tnef_gives_its_attachments)                                                                                      \
    X(tnef_gives_what_lies_in_properties)                                                                              \
    X(names_of_forks_are_judged_behind_any_number_of_entries)                                                          \
    X(apples_containers_give_their_forks)                                                                              \
    X(compressed_rtf_is_expanded)
#include "support/check_main.h"
