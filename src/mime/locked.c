/* SPDX-License-Identifier: MIT */
/* Where each kind says that it is encrypted: Word, Excel and PowerPoint 97 in their own streams ([MS-DOC] 2.5.2,
 * [MS-XLS] 2.4.117, [MS-PPT] 2.3.2 and 2.3.3), newer ones by the streams of the file around the document
 * ([MS-OFFCRYPTO] 2.2 and 2.3), OpenDocument in its manifest (OpenDocument 1.3, part 2, chapter 5). */
#include "mime/locked.h"

#define ZLIB_CONST
#include <limits.h>
#include <zlib.h>

#include "base/mem.h"
#include "mime/ole2.h"

static unsigned le16(const unsigned char *u)
{
    return u[0] | (unsigned)u[1] << 8;
}

static uint32_t le32(const unsigned char *u)
{
    return le16(u) | (uint32_t)le16(u + 2) << 16;
}

/* --- compound files --- */

/* The names of streams are those of modules in a project of macros too, so that each is only believed where its octets
 * are what it says, or with another of its kind. */
struct signs {
    bool info, package, summary, user;
    struct ole2_stream slides;
    uint64_t last_edit; /* in SLIDES */
    const char *found;
};

static void look_at_info(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    unsigned char version[4];
    signs->info = true;
    if (ole2_read(o, s, 0, version, sizeof(version)) == sizeof(version) && le16(version) >= 2 && le16(version) <= 4 &&
        le16(version + 2) >= 2 && le16(version + 2) <= 4)
        signs->found = "Office document with a password";
}

static void look_at_rights(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    (void)o, (void)s;
    signs->found = "Office document under rights management"; /* no module's name begins so */
}

static void look_at_package(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    (void)o, (void)s;
    signs->package = true;
}

static void look_at_summary(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    (void)o, (void)s;
    signs->summary = true;
}

static void look_at_word(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    enum { ENCRYPTED = 0x0100 };
    unsigned char head[12];
    if (ole2_read(o, s, 0, head, sizeof(head)) == sizeof(head) && head[1] == 0xa5 && (le16(head + 10) & ENCRYPTED))
        signs->found = "Word document with a password";
}

/* Records of the first part of a book, which is its own; those of its sheets follow. Their heads are never encrypted.
 * FILEPASS stands among the first three (MS-XLS 2.1.7.20.3); a compound file may have ten thousand books, so not all
 * records of each are read. */
static void look_at_book(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    enum { BOF = 0x09, END = 0x0a, FILEPASS = 0x2f, RECORDS = 64 };
    unsigned char head[4];
    uint64_t at = 0;
    for (unsigned n = 0; n < RECORDS && ole2_read(o, s, at, head, sizeof(head)) == sizeof(head); n++) {
        unsigned type = le16(head);
        if ((n == 0 && (type & 0xff) != BOF) || type == END)
            return;
        if (type == FILEPASS) {
            signs->found = "Excel book with a password";
            return;
        }
        at += sizeof(head) + le16(head + 2);
    }
}

static void look_at_user(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    enum { ATOM = 0x0ff6 };
    const uint32_t encrypted = 0xf3d1c4df;
    unsigned char head[20];
    if (ole2_read(o, s, 0, head, sizeof(head)) != sizeof(head) || le16(head + 2) != ATOM)
        return;
    signs->user = true;
    signs->last_edit = le32(head + 16);
    if (le32(head + 12) == encrypted)
        signs->found = "PowerPoint presentation with a password";
}

static void look_at_slides(struct ole2 *o, struct ole2_stream *s, struct signs *signs)
{
    (void)o;
    signs->slides = *s;
}

/* An edit of a presentation that names how it is encrypted is 4 octets longer. */
static bool edit_is_locked(struct ole2 *o, struct signs *signs)
{
    enum { EDIT = 0x0ff5, LONGER = 0x20 };
    unsigned char head[8];
    return signs->user && ole2_read(o, &signs->slides, signs->last_edit, head, sizeof(head)) == sizeof(head) &&
           le16(head + 2) == EDIT && le32(head + 4) == LONGER;
}

static const struct {
    const char *name;
    void (*look)(struct ole2 *o, struct ole2_stream *s, struct signs *signs);
} named[] = {
    {"EncryptionInfo", look_at_info},
    {"EncryptedPackage", look_at_package},
    {"\x06"
     "DataSpaces",
     look_at_rights},
    {"\x09"
     "DRMContent",
     look_at_rights},
    {"EncryptedSummary", look_at_summary},
    {"WordDocument", look_at_word},
    {"Workbook", look_at_book},
    {"Book", look_at_book},
    {"Current User", look_at_user},
    {"PowerPoint Document", look_at_slides},
};

/* Documents inside are looked at like the one around them: a message of Outlook has them as storages. */
static const char *locked_ole2(struct span octets)
{
    struct ole2 o;
    struct ole2_entry entry;
    struct signs signs = {0};
    if (!ole2_open(&o, octets))
        return NULL;
    for (uint32_t i = 0; !signs.found && ole2_entry(&o, i, &entry); i++)
        for (size_t n = 0; n < ARRAY_SIZE(named); n++)
            if ((entry.kind == OLE2_STREAM || entry.kind == OLE2_STORAGE) &&
                span_eq_nocase(span_cstr(entry.name), span_cstr(named[n].name)))
                named[n].look(&o, &entry.stream, &signs);
    if (signs.found)
        return signs.found;
    if (signs.info && signs.package)
        return "Office document with a password";
    if ((signs.summary && signs.user) || edit_is_locked(&o, &signs))
        return "PowerPoint presentation with a password";
    return NULL;
}

/* Books of Excel's first versions, and of later ones for those who want it, are such records without a file around. */
static const char *locked_book(struct span octets)
{
    struct signs signs = {0};
    struct ole2_stream all = {.flat = octets};
    const unsigned char *u = (const unsigned char *)octets.ptr;
    bool begins = octets.len >= 8 && u[0] == 0x09 && (u[1] & ~0x0eu) == 0 && u[2] >= 4 && u[2] <= 16 && u[3] == 0;
    if (begins)
        look_at_book(NULL, &all, &signs);
    return signs.found;
}

/* --- OpenDocument --- */

enum { MANIFESTS = 8, MANIFEST_MAX = 1 << 20, INFLATE_BLOCK = 8192 };

/* Looks for an element of that name, in whatever namespace and in UTF-8 or UTF-16. */
struct element {
    size_t matched;
    char before;
    bool found;
};

static void search(struct element *e, struct span text)
{
    static const char name[] = "encryption-data";
    for (size_t i = 0; i < text.len && !e->found; i++) {
        char c = text.ptr[i];
        if (c == '\0')
            continue;
        if (c == name[e->matched] && (e->matched > 0 || e->before == '<' || e->before == ':'))
            e->found = ++e->matched == sizeof(name) - 1;
        else
            e->matched = 0;
        e->before = c;
    }
}

static void *allocate(void *ignored, unsigned count, unsigned size)
{
    (void)ignored;
    return mem_new(count, size);
}

static void release(void *ignored, void *memory)
{
    (void)ignored;
    mem_free(memory);
}

/* PACKED goes on to the end of the archive; deflated data knows its own. LEFT: octets that may still come out. */
static enum err search_deflated(struct element *e, struct span packed, size_t *left)
{
    unsigned char out[INFLATE_BLOCK];
    z_stream z = {.zalloc = allocate, .zfree = release};
    int rc = inflateInit2(&z, -MAX_WBITS);
    if (rc != Z_OK)
        return ERR_NOMEM;
    z.next_in = (const Bytef *)packed.ptr;
    z.avail_in = packed.len < UINT_MAX ? (uInt)packed.len : UINT_MAX;
    while (rc == Z_OK && !e->found && *left > 0) {
        z.next_out = out;
        z.avail_out = sizeof(out);
        rc = inflate(&z, Z_NO_FLUSH);
        size_t n = sizeof(out) - z.avail_out;
        *left -= n < *left ? n : *left;
        search(e, span_of(out, n));
    }
    inflateEnd(&z);
    return rc == Z_MEM_ERROR ? ERR_NOMEM : ERR_OK;
}

/* The header of a zip's member whose name is at NAME of ZIP: its own, or that to which the directory's leads. */
static bool header_of(struct span zip, size_t name, size_t *header)
{
    enum { LOCAL = 30, CENTRAL = 46 };
    const unsigned char *u = (const unsigned char *)zip.ptr;
    if (name >= LOCAL && span_starts(span_sub(zip, name - LOCAL, 4), SPAN("PK\3\4")))
        *header = name - LOCAL;
    else if (name >= CENTRAL && span_starts(span_sub(zip, name - CENTRAL, 4), SPAN("PK\1\2")))
        *header = le32(u + name - CENTRAL + 42);
    else
        return false;
    return *header <= zip.len && zip.len - *header >= LOCAL && span_starts(span_sub(zip, *header, 4), SPAN("PK\3\4"));
}

/* Text does not begin so, and no archive begins otherwise. */
static bool may_be_zip(struct span octets)
{
    struct span begin = span_sub(octets, 0, 512);
    for (size_t i = 0; i < begin.len; i++)
        if ((unsigned char)begin.ptr[i] < 9)
            return true;
    return false;
}

static enum err locked_odf(struct span zip, const char **what)
{
    const struct span name = SPAN("META-INF/manifest.xml");
    size_t at = 0, header, looked_at = SIZE_MAX, left = MANIFEST_MAX;
    if (!may_be_zip(zip))
        return ERR_OK;
    for (unsigned n = 0; n < MANIFESTS && (at += span_find_span(span_sub(zip, at, zip.len), name)) < zip.len; n++) {
        struct element e = {0};
        enum err rc = ERR_OK;
        at += name.len;
        if (!header_of(zip, at - name.len, &header) || header == looked_at)
            continue;
        looked_at = header;
        const unsigned char *h = (const unsigned char *)zip.ptr + header;
        struct span data = span_sub(zip, header + 30 + le16(h + 26) + le16(h + 28), zip.len);
        uint32_t packed = le32(h + 18);
        if (le16(h + 8) == 8) {
            rc = search_deflated(&e, data, &left);
        } else if (le16(h + 8) == 0) {
            data = span_sub(data, 0, packed > 0 && packed < left ? packed : left);
            left -= data.len;
            search(&e, data);
        }
        if (rc != ERR_OK)
            return rc;
        if (e.found)
            *what = "OpenDocument file with a password";
        else if (left == 0)
            *what = "OpenDocument file whose manifest is too large to look through";
        if (*what)
            return ERR_OK;
    }
    return ERR_OK;
}

/* --- images of disks --- */

static const char *locked_image(struct span octets)
{
    bool locked = span_starts(octets, SPAN("encrcdsa")) ||
                  (octets.len >= 8 && span_starts(span_sub(octets, octets.len - 8, 8), SPAN("cdsaencr")));
    return locked ? "encrypted disk image of macOS" : NULL;
}

enum err mime_locked(struct span octets, const char **what)
{
    *what = NULL;
    if (octets.len == 0)
        return ERR_OK;
    *what = locked_ole2(octets);
    if (!*what)
        *what = locked_book(octets);
    if (!*what)
        *what = locked_image(octets);
    return *what ? ERR_OK : locked_odf(octets, what);
}
