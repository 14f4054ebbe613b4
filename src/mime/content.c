/* SPDX-License-Identifier: MIT */
/* Contents by their first octets; polyglots by their last. */
#include "mime/content.h"
#include "mime/apple.h"
#include "mime/cms.h"
#include "mime/field.h"
#include "mime/lines.h"

struct row {
    enum mime_content content;
    unsigned offset;
    struct span magic;
};
#define ROW(content, offset, magic)                                                                                    \
    {                                                                                                                  \
        MIME_CONTENT_##content, offset,                                                                                \
        {                                                                                                              \
            magic, sizeof(magic) - 1                                                                                   \
        }                                                                                                              \
    }
static const struct row rows[] = {
    ROW(ELF, 0, "\177ELF"),
    ROW(MACHO, 0, "\xcf\xfa\xed\xfe"),
    ROW(MACHO, 0, "\xce\xfa\xed\xfe"),
    ROW(JAVA, 0, "\xca\xfe\xba\xbe"),
    ROW(LNK, 0, "L\0\0\0\x01\x14\x02\0"),
    ROW(ZIP, 0, "PK\3\4"),
    ROW(ZIP, 0, "PK\5\6"),
    ROW(ZIP, 0, "PK00PK\3\4"), /* of several pieces once */
    ROW(ZIP, 0, "PK\7\10PK\3\4"),
    ROW(GZIP, 0, "\x1f\x8b"),
    ROW(BZIP2, 0, "BZh"),
    ROW(XZ, 0,
        "\xfd"
        "7zXZ\0"),
    ROW(ZSTD, 0, "\x28\xb5\x2f\xfd"),
    ROW(RAR, 0, "Rar!\x1a\x07"),
    ROW(SEVENZIP, 0, "7z\xbc\xaf\x27\x1c"),
    ROW(CAB, 0, "MSCF"),
    ROW(ARJ, 0, "\x60\xea"),
    ROW(LHA, 2, "-lh"),
    ROW(ACE, 7, "**ACE**"),
    ROW(TAR, 257, "ustar"),
    ROW(ISO9660, 32769, "CD001"),
    ROW(TNEF, 0, "\x78\x9f\x3e\x22"),
    ROW(OLE2, 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ROW(RTF, 0, "{\\rt"),
    ROW(POSTSCRIPT, 0, "%!PS"),
    ROW(ONENOTE, 0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"),
    ROW(CHM, 0, "ITSF"),
    ROW(FLASH, 0, "FWS"),
    ROW(FLASH, 0, "CWS"),
    ROW(FLASH, 0, "ZWS"),
    ROW(PNG, 0, "\x89PNG\r\n\x1a\n"),
    ROW(JPEG, 0, "\xff\xd8\xff"),
    ROW(GIF, 0, "GIF8"),
    ROW(TIFF, 0, "II*\0"),
    ROW(TIFF, 0, "MM\0*"),
    ROW(RIFF, 0, "RIFF"),
    ROW(MP3, 0, "ID3"),
    ROW(PGP, 0, "-----BEGIN PGP "),
    ROW(WIDE_TEXT, 0, "\xff\xfe"),
    ROW(WIDE_TEXT, 0, "\xfe\xff"),
    ROW(WIDE_TEXT, 0, "\0\0\xfe\xff"),
};

static unsigned le16(struct span s, size_t at)
{
    return (unsigned char)s.ptr[at] | (unsigned)(unsigned char)s.ptr[at + 1] << 8;
}

static unsigned le32(struct span s, size_t at)
{
    const unsigned char *u = (const unsigned char *)s.ptr + at;
    return u[0] | (unsigned)u[1] << 8 | (unsigned)u[2] << 16 | (unsigned)u[3] << 24;
}

/* A DOS program, or a PE where its header says so. */
static enum mime_content program_of(struct span s)
{
    if (s.len < 64)
        return MIME_CONTENT_UNKNOWN;
    unsigned at = le32(s, 60);
    if (span_starts(span_sub(s, at, 4), SPAN("PE\0\0")))
        return MIME_CONTENT_PE;
    unsigned pages = (unsigned char)s.ptr[4] | (unsigned)(unsigned char)s.ptr[5] << 8;
    bool dos = pages > 0 && pages < 2048 && (unsigned char)s.ptr[3] < 2;
    return dos ? MIME_CONTENT_DOS : MIME_CONTENT_UNKNOWN;
}

/* The standard test file: its first octets, which no other content has. Not in full, so that scanners leave this
 * program alone. */
static bool is_test_file(struct span s)
{
    static const unsigned char begin[] = {0x58, 0x35, 0x4f, 0x21, 0x50, 0x25, 0x40, 0x41, 0x50};
    return span_starts(s, span_of(begin, sizeof(begin)));
}

static bool has_word(struct span s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_starts_nocase(s, span_cstr(words[i])))
            return true;
    return false;
}

static bool is_text(struct span s)
{
    s = span_sub(s, 0, 512);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 && !mime_is_space(s.ptr[i]) && s.ptr[i] != '\f' && s.ptr[i] != 0x1b)
            return false;
    return true;
}

static enum mime_content text_of(struct span s)
{
    static const char *const html[] = {"<html", "<!doctype html", "<script", "<head",
                                       "<body", "<iframe",        "<svg",    "<hta:"};
    static const char *const script[] = {"#!", "@echo off", "<?php", "<%@", "<job", "<scriptlet"};
    struct span text = mime_trim(span_sub(s, 0, 1024));
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = mime_trim(span_sub(text, 3, text.len));
    if (has_word(text, html, ARRAY_SIZE(html)))
        return MIME_CONTENT_HTML;
    if (has_word(text, script, ARRAY_SIZE(script)))
        return MIME_CONTENT_SCRIPT;
    if (span_starts(text, SPAN("<?xml")))
        return MIME_CONTENT_XML;
    if (mime_content_is_mail(s))
        return MIME_CONTENT_MAIL;
    return MIME_CONTENT_TEXT;
}

/* A packet of OpenPGP (RFC 9580, 4.2): its tag, and where the next one begins. */
struct packet {
    unsigned tag;
    struct span body;
    size_t next;
};

static bool packet_at(struct span s, size_t at, struct packet *p)
{
    if (at + 6 > s.len)
        return false;
    const unsigned char *u = (const unsigned char *)s.ptr + at;
    size_t head, length;
    if ((u[0] & 0x80) == 0)
        return false;
    if ((u[0] & 0x40) != 0) {
        p->tag = u[0] & 0x3f;
        head = u[1] < 192 ? 2 : u[1] < 224 ? 3 : u[1] < 255 ? 2 : 6;
        length = u[1] < 192 ? u[1] : u[1] < 224 ? (size_t)(u[1] - 192) * 256 + u[2] + 192 : u[1] < 255 ? 0 : s.len;
    } else {
        p->tag = u[0] >> 2 & 0xf;
        head = (u[0] & 3) == 0 ? 2 : (u[0] & 3) == 1 ? 3 : 5;
        length = (u[0] & 3) == 0 ? u[1] : (u[0] & 3) == 1 ? (size_t)u[1] << 8 | u[2] : s.len;
    }
    p->body = span_sub(s, at + head, length);
    p->next = at + head + p->body.len;
    return true;
}

/* A key for the message, encrypted (to a public key or by a passphrase), and after it more keys or encrypted data. */
static bool is_pgp(struct span s)
{
    enum { PUBLIC_KEY = 1, PASSPHRASE = 3, ENCRYPTED = 9, ENCRYPTED_INTEGRITY = 18, ENCRYPTED_AEAD = 20 };
    struct packet first, second;
    if (!packet_at(s, 0, &first) || (first.tag != PUBLIC_KEY && first.tag != PASSPHRASE) || first.body.len < 4 ||
        !packet_at(s, first.next, &second))
        return false;
    unsigned version = (unsigned char)first.body.ptr[0];
    bool known = first.tag == PUBLIC_KEY ? version == 3 || version == 6 : version >= 4 && version <= 6;
    return known && (second.tag == PUBLIC_KEY || second.tag == PASSPHRASE || second.tag == ENCRYPTED ||
                     second.tag == ENCRYPTED_INTEGRITY || second.tag == ENCRYPTED_AEAD);
}

enum mime_content mime_content_of(struct span octets)
{
    if (octets.len == 0)
        return MIME_CONTENT_EMPTY;
    if (is_test_file(octets))
        return MIME_CONTENT_EICAR;
    if (octets.ptr[0] == 'M' && span_starts(octets, SPAN("MZ"))) {
        enum mime_content c = program_of(octets);
        if (c != MIME_CONTENT_UNKNOWN)
            return c;
    }
    /* Told by how they begin; what stands elsewhere in them may look like anything. */
    struct mime_apple apple;
    if (mime_apple_open(&apple, octets))
        return MIME_CONTENT_APPLE;
    if (mime_cms_of(octets) != MIME_CMS_NONE)
        return MIME_CONTENT_CMS;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (span_starts(span_sub(octets, rows[i].offset, rows[i].magic.len), rows[i].magic))
            return rows[i].content;
    /* Readers look for it in the first kilobyte. */
    if (span_find_span(span_sub(octets, 0, 1024), SPAN("%PDF-")) < (octets.len < 1024 ? octets.len : 1024))
        return MIME_CONTENT_PDF;
    if (octets.len > 26 && span_starts(octets, SPAN("BM")) && le32(octets, 2) == octets.len)
        return MIME_CONTENT_BMP;
    if (is_pgp(octets))
        return MIME_CONTENT_PGP;
    return is_text(octets) ? text_of(octets) : MIME_CONTENT_UNKNOWN;
}

/* The record at the end of a zip, whose directory lies where it says, or that distance after something in front. */
struct zip_end {
    bool exact;         /* nothing is behind one */
    size_t before;      /* what is in front, of that one */
    struct span behind; /* what is behind the last one; readers pass over that */
};

/* False: there is none in the last octets, where readers look. */
static bool ends_as_zip(struct span s, struct zip_end *zip)
{
    enum { RECORD = 22, COMMENT = 65535 };
    size_t tail = s.len < RECORD + COMMENT ? s.len : RECORD + COMMENT;
    struct span end = span_sub(s, s.len - tail, tail);
    bool found = false;
    *zip = (struct zip_end){0};
    for (size_t at = 0; at + RECORD <= end.len; at += 4) {
        at += span_find_rare(span_sub(end, at, end.len), SPAN("PK\5\6"), 2);
        if (at + RECORD > end.len)
            break;
        unsigned size = le32(end, at + 12), offset = le32(end, at + 16);
        size_t place = s.len - tail + at, next = at + RECORD + le16(end, at + 20);
        if (next > end.len || size == 0 || size > place || !span_starts(span_sub(s, place - size, 4), SPAN("PK\1\2")))
            continue;
        found = true;
        zip->behind = span_sub(end, next, end.len);
        if (next == end.len) {
            zip->exact = true;
            zip->before = place - size > offset ? place - size - offset : 0;
        }
    }
    return found;
}

/* Whether S is a page to whoever takes it for one: what counts there is the first kilobytes. */
static bool begins_with_page(struct span s)
{
    static const char *const words[] = {"<script", "<html", "<iframe", "<?php"};
    for (size_t at = 0; (at += span_find(span_sub(s, at, s.len), '<')) < s.len; at++)
        if (has_word(span_sub(s, at, s.len), words, ARRAY_SIZE(words)))
            return true;
    return false;
}

/* Whether a PDF begins in S, for readers that look in the first kilobyte, and where. */
static bool find_pdf(struct span s, size_t *place)
{
    s = span_sub(s, 0, 1024);
    for (size_t at = 0; (at += span_find_span(span_sub(s, at, s.len), SPAN("%PDF-"))) + 8 <= s.len; at++) {
        *place = at;
        if (char_is_digit(s.ptr[at + 5]) && s.ptr[at + 6] == '.' && char_is_digit(s.ptr[at + 7]))
            return true;
    }
    return false;
}

/* Whether the PDF that begins at PLACE of S, a zip, is none of its files: in a name, in a field, between files. */
static bool stands_beside_files(struct span s, size_t place)
{
    enum { HEAD = 30, LATER = 8 };
    for (size_t at = 0; at + HEAD <= s.len && span_starts(span_sub(s, at, 4), SPAN("PK\3\4"));) {
        size_t data = at + HEAD + le16(s, at + 26) + le16(s, at + 28), size = le32(s, at + 18);
        bool unknown = (le16(s, at + 6) & LATER) != 0 && size == 0; /* is said behind it */
        if (place < data)
            return true;
        if (unknown || place < data + size)
            return false;
        at = data + size;
    }
    return true;
}

/* Whether S, in whose first kilobyte a PDF begins, ends as one, and begins as a page. What speaks of both does not. */
static bool is_page_and_pdf(struct span s)
{
    enum { TAIL = 2048 };
    struct span tail = span_sub(s, s.len > TAIL ? s.len - TAIL : 0, TAIL);
    return begins_with_page(span_sub(s, 0, 1024)) &&
           (span_find_span(tail, SPAN("startxref")) < tail.len || span_find_span(tail, SPAN("%%EOF")) < tail.len);
}

/* What some readers find in the first kilobyte of OCTETS and in the sector of an image of a disc, beside C. */
static bool begins_twice(struct span octets, enum mime_content c)
{
    bool media = mime_content_class(c) == MIME_CLASS_MEDIA, pdf = c == MIME_CONTENT_PDF, zip = c == MIME_CONTENT_ZIP;
    size_t place;
    bool in_zip = zip && find_pdf(octets, &place) && stands_beside_files(octets, place);
    bool in_page = pdf && find_pdf(octets, &place) && is_page_and_pdf(octets);
    bool disc = (media || pdf || zip || c == MIME_CONTENT_HTML || c == MIME_CONTENT_RTF) &&
                span_starts(span_sub(octets, 32769, 5), SPAN("CD001"));
    return in_zip || in_page || disc || (media && begins_with_page(span_sub(octets, 0, 4096)));
}

bool mime_content_is_polyglot(struct span octets, enum mime_content c)
{
    bool media = mime_content_class(c) == MIME_CLASS_MEDIA;
    bool may = media || c == MIME_CONTENT_PDF || c == MIME_CONTENT_RTF || c == MIME_CONTENT_HTML ||
               c == MIME_CONTENT_TEXT || c == MIME_CONTENT_OLE2 || c == MIME_CONTENT_UNKNOWN;
    struct zip_end zip;
    if (begins_twice(octets, c))
        return true;
    if (!(may || c == MIME_CONTENT_ZIP) || !ends_as_zip(octets, &zip))
        return false;
    /* One zip behind another: some readers begin at the begin, some at the end. */
    if (zip.exact)
        return may || zip.before > 0;
    /* Files inside documents are theirs: what an OLE2 file keeps in its streams, and what a PDF has attached. */
    return media || c == MIME_CONTENT_HTML ||
           (c == MIME_CONTENT_PDF && !span_starts(mime_trim(zip.behind), SPAN("endstream")));
}

bool mime_content_is_mail(struct span octets)
{
    static const char *const marks[] = {"content-", "mime-version"};
    struct span text = span_sub(octets, mime_blank_lines(octets), 16384);
    bool mark = false;
    for (unsigned lines = 0; text.len > 0 && lines < 200; lines++) {
        size_t end = span_find(text, '\n');
        struct span line = span_sub(text, 0, end);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            return mark;
        size_t n = 0;
        while (n < line.len && (char_is_alnum(line.ptr[n]) || line.ptr[n] == '-' || line.ptr[n] == '_'))
            n++;
        bool field = n > 0 && n < line.len && line.ptr[n] == ':';
        if (!field && !(lines > 0 && char_is_blank(line.ptr[0])) && !(lines == 0 && span_starts(line, SPAN("From "))))
            return mark;
        mark = mark || (field && has_word(line, marks, ARRAY_SIZE(marks)));
        text = span_sub(text, end + 1, text.len);
    }
    return mark;
}
