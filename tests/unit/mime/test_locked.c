/* SPDX-License-Identifier: MIT */
/* What wants a password, told by its octets (B35); compound files whose tables lie. */
#include <zlib.h>

#include "mime/locked.h"
#include "mime/ole2.h"
#include "support/failing_memory.h"
#include "unit/smtp/must.h"

enum {
    SECTOR = 512,
    DIRECTORY = 0, /* sectors of the file that is made here */
    TABLE = 1,
    SMALL_TABLE = 2,
    SMALL_SECTORS = 3, /* and 4: room for 16 */
    LARGE = 5,         /* to 12: 4096 octets */
    SECTORS = 13,
    FREE = -1,
    LAST = -2,
    OF_TABLES = -3,
};

static void put16(unsigned char *at, unsigned n)
{
    at[0] = (unsigned char)n;
    at[1] = (unsigned char)(n >> 8);
}

static void put32(unsigned char *at, long n)
{
    put16(at, (unsigned)n & 0xffff);
    put16(at + 2, (unsigned)((unsigned long)n >> 16) & 0xffff);
}

static unsigned char *sector_of(unsigned char *file, size_t n)
{
    return file + (n + 1) * SECTOR;
}

static void put_entry(unsigned char *at, const char *name, unsigned kind, long start, size_t size)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        put16(at + 2 * i, (unsigned char)name[i]);
    put16(at + 64, (unsigned)(2 * length + 2));
    at[66] = (unsigned char)kind;
    put32(at + 116, start);
    put32(at + 120, (long)size);
}

struct file {
    unsigned char octets[(SECTORS + 1) * SECTOR];
};

/* A compound file with the streams NAMES[0 … 2]; OCTETS[i] stand in small sectors, or in large ones where LARGE_ONE is
 * i. */
static void compose(struct file *f, const char *const names[3], const struct span octets[3], int large_one)
{
    unsigned char *h = f->octets, *table = sector_of(h, TABLE), *small = sector_of(h, SMALL_TABLE);
    memset(f, 0, sizeof(*f));
    memcpy(h, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8);
    put16(h + 26, 3);
    put16(h + 30, 9);
    put16(h + 32, 6);
    put32(h + 44, 1);
    put32(h + 48, DIRECTORY);
    put32(h + 56, 4096);
    put32(h + 60, SMALL_TABLE);
    put32(h + 64, 1);
    put32(h + 68, LAST);
    for (size_t i = 0; i < 109; i++)
        put32(h + 76 + 4 * i, i == 0 ? TABLE : FREE);
    for (long i = 0; i < 128; i++) {
        bool chained = i == SMALL_SECTORS || (i >= LARGE && i < SECTORS - 1);
        put32(table + 4 * i, chained ? i + 1 : i == TABLE ? OF_TABLES : i < SECTORS ? LAST : FREE);
        put32(small + 4 * i, FREE);
    }
    put_entry(sector_of(h, DIRECTORY), "Root Entry", OLE2_ROOT, SMALL_SECTORS, 2 * SECTOR);
    size_t next = 0;
    for (int i = 0; i < 3; i++) {
        size_t count = (octets[i].len + 63) / 64, size = i == large_one ? 4096 : octets[i].len;
        unsigned char *to = i == large_one ? sector_of(h, LARGE) : sector_of(h, SMALL_SECTORS) + 64 * next;
        if (!names[i])
            continue;
        put_entry(sector_of(h, DIRECTORY) + 128 * (size_t)(i + 1), names[i], OLE2_STREAM,
                  i == large_one ? LARGE : (long)next, size);
        memcpy(to, octets[i].ptr, octets[i].len);
        for (size_t n = 0; i != large_one && n < count; n++, next++)
            put32(small + 4 * next, n + 1 < count ? (long)next + 1 : LAST);
    }
}

/* The words for octets in memory of exactly their size, so that a checker sees one too far. */
static const char *judge(struct span octets)
{
    const char *what;
    char *exact = malloc(octets.len ? octets.len : 1);
    ck_assert_ptr_nonnull(exact);
    if (octets.len)
        memcpy(exact, octets.ptr, octets.len);
    ck_assert_int_eq(mime_locked(span_of(exact, octets.len), &what), ERR_OK);
    free(exact);
    return what;
}

static void check(const char *row, struct span octets, const char *word)
{
    const char *what = judge(octets), *found = what ? what : "nothing";
    if (word ? !strstr(found, word) : what != NULL)
        ck_abort_msg("%s: found %s, expected %s", row, found, word ? word : "nothing");
}

#define S(text)                                                                                                        \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }
#define BOF      "\x09\x08\x08\0\0\6\5\0\0\0\0\0"
#define PASS     "\x2f\0\6\0\0\0\x34\x12\x78\x56"
#define USER(t)  "\0\0\xf6\x0f\x14\0\0\0\x14\0\0\0" t "\4\0\0\0"
#define EDIT(n)  "\0\0\0\0\0\0\xf5\x0f" n "\0\0\0"
#define USUAL    "\x5f\xc0\x91\xe3"
#define LOCKED   "\xdf\xc4\xd1\xf3"
#define WORD(fl) "\xec\xa5\xc1\0\0\0\x09\4\0\0" fl

START_TEST(office_documents_say_themselves_that_they_want_a_password)
{
    static const struct {
        const char *names[3];
        struct span octets[3];
        const char *word;
    } rows[] = {
        {{"EncryptionInfo", "EncryptedPackage"}, {S("\4\0\4\0\x40\0\0\0<?xml"), S("12345678abcd")}, "Office"},
        {{"EncryptionInfo"}, {S("\4\0\2\0\x24\0\0\0")}, "Office"},
        {{"encryptioninfo"}, {S("\3\0\3\0\x10\0\0\0")}, "Office"},
        {{"EncryptionInfo", "EncryptedPackage"}, {S("\1\x16\1\0"), S("?")}, "Office"},
        {{"EncryptionInfo"}, {S("\1\x16\1\0\0\0\0\0")}, NULL}, /* a module of that name */
        {{"EncryptionInfo"}, {S("\4\0")}, NULL},
        {{"EncryptedPackage"}, {S("12345678abcd")}, NULL},
        {{"\6"
          "DataSpaces"},
         {S("?")},
         "rights"},
        {{"\11"
          "DRMContent"},
         {S("?")},
         "rights"},
        {{"DataSpaces"}, {S("?")}, NULL},
        {{"WordDocument"}, {S(WORD("\0\x13"))}, "Word"},
        {{"WordDocument"}, {S(WORD("\0\x81"))}, "Word"},
        {{"WordDocument"}, {S(WORD("\xff\xfe"))}, NULL},
        {{"WordDocument"}, {S("\1\x16\1\0\0\0\0\0\0\0\0\x13")}, NULL},
        {{"WordDocuments"}, {S(WORD("\0\x13"))}, NULL},
        {{"Workbook"}, {S(BOF PASS)}, "Excel"},
        {{"Book"}, {S(BOF "\x86\0\0\0" PASS)}, "Excel"},
        {{"Workbook"}, {S(BOF "\x42\0\x0a\0" PASS "\x0a\0\0\0")}, NULL}, /* inside a record */
        {{"Workbook"}, {S(BOF "\x12\0\2\0\1\0\x0a\0\0\0" PASS)}, NULL},  /* behind the last */
        {{"Workbook"}, {S(PASS)}, NULL},
        {{"Current User"}, {S(USER(LOCKED))}, "PowerPoint"},
        {{"Current User", "PowerPoint Document"}, {S(USER(USUAL)), S(EDIT("\x20"))}, "PowerPoint"},
        {{"PowerPoint Document", "Current User"}, {S(EDIT("\x20")), S(USER(USUAL))}, "PowerPoint"},
        {{"Current User", "PowerPoint Document"}, {S(USER(USUAL)), S(EDIT("\x1c"))}, NULL},
        {{"Current User", "EncryptedSummary"}, {S(USER(USUAL)), S("?")}, "PowerPoint"},
        {{"EncryptedSummary"}, {S("?")}, NULL},
        {{"Catalog", "1", "2"}, {S("a"), S("b"), S("c")}, NULL},
    };
    static const char *const large[] = {"in small sectors", "in large ones"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (int l = 0; l < 2; l++) {
            struct file f = {0};
            char row[64];
            snprintf(row, sizeof(row), "row %zu, %s", i, large[l]);
            if (l == 1 && rows[i].octets[0].len < 8)
                continue; /* zeros follow, which may be part of what counts */
            compose(&f, rows[i].names, rows[i].octets, l == 0 ? -1 : 0);
            check(row, span_of(f.octets, sizeof(f.octets)), rows[i].word);
        }
}
END_TEST

START_TEST(books_without_a_file_around_and_images_of_disks_are_known)
{
    static const struct {
        struct span octets;
        const char *word;
    } rows[] = {
        {S(BOF PASS), "Excel"},
        {S("\x09\0\4\0\0\0\x10\0" PASS), "Excel"},
        {S("\x09\4\6\0\0\0\x10\0\0\0" PASS), "Excel"},
        {S("\x09\1\4\0\0\0\x10\0" PASS), NULL},
        {S("\x09\0\0\0" PASS), NULL},
        {S(BOF "\x12\0\2\0\1\0"), NULL},
        {S("encrcdsa\0\0\0\2"), "disk"},
        {S("\0\0\0\0cdsaencr"), "disk"},
        {S("cdsaencr\0"), NULL},
        {S("an encrcdsa"), NULL},
        {S(""), NULL},
        {S("encrcds"), NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char row[32];
        snprintf(row, sizeof(row), "row %zu", i);
        check(row, rows[i].octets, rows[i].word);
    }
}
END_TEST

START_TEST(lies_of_a_compound_file_cost_no_more_than_its_size)
{
    static const char *const names[3] = {"PowerPoint Document", "Current User", "Workbook"};
    static const struct span octets[3] = {S("slides"), S(USER(USUAL)), S(BOF)};
    struct file f = {0}, lie;
    compose(&f, names, octets, 0);
    put32(sector_of(f.octets, SMALL_SECTORS) + 64 + 16, 0x7fffffff); /* the last edit, far away */
    for (size_t n = 0; n <= sizeof(f.octets); n += n < 1024 ? 7 : 61)
        check("cut off", span_of(f.octets, n), NULL);
    /* every number of four octets in header, tables and directory says each of these */
    static const long says[] = {0, 1, DIRECTORY, TABLE, LARGE, 0x7fffffff, LAST, FREE};
    for (size_t at = 24; at < SECTOR * 4; at += 4)
        for (size_t s = 0; s < ARRAY_SIZE(says); s++) {
            lie = f;
            put32(lie.octets + at, says[s]);
            check("a lie", span_of(lie.octets, sizeof(lie.octets)), NULL);
        }
    /* rings: each table's entry is itself */
    lie = f;
    for (long i = 0; i < 128; i++) {
        put32(sector_of(lie.octets, TABLE) + 4 * i, i);
        put32(sector_of(lie.octets, SMALL_TABLE) + 4 * i, i);
    }
    struct ole2 o;
    struct ole2_entry entry;
    uint32_t entries = 0;
    ck_assert(ole2_open(&o, span_of(lie.octets, sizeof(lie.octets))));
    while (ole2_entry(&o, entries, &entry))
        entries++;
    ck_assert_uint_lt(entries, 200000);
    ck_assert_uint_eq(o.steps, 0);
    check("rings", span_of(lie.octets, sizeof(lie.octets)), NULL);
}
END_TEST

/* The header names 109 tables; a list somewhere in the file names more. */
START_TEST(a_large_file_is_read_through_its_list_of_tables)
{
    enum {
        TABLES = 111,
        PLACES = 128,
        BEHIND = 110 * PLACES,
        COUNT = BEHIND + 16,
        LIST = BEHIND - 1,
        FIRST = BEHIND - 112
    };
    static const char *const names[3] = {"Workbook"};
    static char book[700] = BOF "\x42\0\x58\2"; /* a record of 600 octets, so that the next is in the next sector */
    struct span octets[3] = {{book, sizeof(book)}};
    struct file small = {0};
    size_t size = (size_t)(COUNT + 1) * SECTOR;
    unsigned char *file = calloc(1, size);
    ck_assert_ptr_nonnull(file);
    memcpy(book + sizeof(BOF) - 1 + 604, PASS, sizeof(PASS) - 1);
    compose(&small, names, octets, 0);
    memcpy(file, small.octets, SECTOR);
    /* all but the header stands far behind */
    for (size_t i = 0; i < SECTORS; i++)
        memcpy(sector_of(file, BEHIND + i), sector_of(small.octets, i), SECTOR);
    for (long i = 0; i < TABLES; i++) {
        if (i < 109)
            put32(file + 76 + 4 * i, FIRST + i);
        else
            put32(sector_of(file, LIST) + 4 * (i - 109), FIRST + i);
        for (long n = 0; n < PLACES; n++)
            put32(sector_of(file, (size_t)(FIRST + i)) + 4 * n,
                  i * PLACES + n >= BEHIND + LARGE ? i * PLACES + n + 1 : LAST);
    }
    put32(file + 48, BEHIND + DIRECTORY);
    put32(file + 60, BEHIND + SMALL_TABLE);
    put32(file + 68, LIST);
    put32(sector_of(file, BEHIND + DIRECTORY) + 128 + 116, BEHIND + LARGE);
    check("far away", span_of(file, size), "Excel");
    put32(file + 68, LAST);
    check("without its list", span_of(file, size), NULL);
    put32(file + 68, LIST);
    put32(sector_of(file, LIST) + 4 * 127, LIST);
    check("with a list that is a ring", span_of(file, size), "Excel");
    free(file);
}
END_TEST

/* --- OpenDocument --- */

enum { ROOM = 40000 };
struct zip {
    unsigned char octets[ROOM];
    size_t len;
};

static void put_member(struct zip *z, const char *name, struct span data, bool deflate_it)
{
    unsigned char *at = z->octets + z->len, *to = at + 30 + strlen(name);
    ck_assert_uint_lt(z->len + 64 + strlen(name) + data.len, ROOM);
    memset(at, 0, 30);
    memcpy(at, "PK\3\4\x14\0", 6);
    put16(at + 26, (unsigned)strlen(name));
    memcpy(at + 30, name, strlen(name));
    size_t packed = data.len;
    if (deflate_it) {
        z_stream s = {0};
        ck_assert_int_eq(deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        s.next_in = (Bytef *)(uintptr_t)data.ptr;
        s.avail_in = (uInt)data.len;
        s.next_out = to;
        s.avail_out = (uInt)(ROOM - (size_t)(to - z->octets));
        ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
        packed = s.total_out;
        deflateEnd(&s);
        put16(at + 8, 8);
    } else {
        memcpy(to, data.ptr, data.len);
    }
    put32(at + 18, (long)packed);
    put32(at + 22, (long)data.len);
    z->len += 30 + strlen(name) + packed;
}

#define MANIFEST "META-INF/manifest.xml"

START_TEST(open_documents_say_in_their_manifest_that_they_want_a_password)
{
    static const struct {
        const char *name;
        struct span manifest;
        const char *word;
    } rows[] = {
        {MANIFEST, S("<?xml?><manifest:manifest><manifest:encryption-data manifest:checksum=\"\"/>"), "OpenDocument"},
        {MANIFEST, S("<manifest xmlns=\"m\"><encryption-data/>"), "OpenDocument"},
        {MANIFEST, S("<\0m\0>\0<\0m\0:\0e\0n\0c\0r\0y\0p\0t\0i\0o\0n\0-\0d\0a\0t\0a\0/\0>\0"), "OpenDocument"},
        {MANIFEST, S("<<e:encryption-<encryption-data/>"), "OpenDocument"},
        {MANIFEST, S("<m><file-entry full-path=\"encryption-data\"/><file-entry full-path=\"a/encryption-data\"/>"),
         NULL},
        {MANIFEST, S("<m><encryption-dat/>"), NULL},
        {"META-INF/manifest.xm_", S("<encryption-data/>"), NULL},
        {"META-INF/container.xml", S("<encryption-data/>"), NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (int deflate_it = 0; deflate_it < 2; deflate_it++) {
            static struct zip z;
            char row[64];
            snprintf(row, sizeof(row), "row %zu, %s", i, deflate_it ? "deflated" : "stored");
            z.len = 0;
            put_member(&z, "mimetype", SPAN("application/vnd.oasis.opendocument.text"), false);
            put_member(&z, rows[i].name, rows[i].manifest, deflate_it);
            put_member(&z, "content.xml", SPAN("<office:text/>"), false);
            check(row, span_of(z.octets, z.len), rows[i].word);
            for (size_t n = 0; n < z.len; n += 3)
                judge(span_of(z.octets, n));
        }
}
END_TEST

START_TEST(a_manifest_that_unpacks_to_no_end_is_not_taken_for_harmless)
{
    static struct zip z;
    size_t size = (size_t)17 << 20;
    char *large = calloc(1, size);
    ck_assert_ptr_nonnull(large);
    z.len = 0;
    memset(large, 'x', size);
    unsigned char *at = z.octets;
    memcpy(at, "PK\3\4\x14\0\0\0\x08\0", 10);
    put16(at + 26, sizeof(MANIFEST) - 1);
    memcpy(at + 30, MANIFEST, sizeof(MANIFEST) - 1);
    z_stream s = {.next_in = (Bytef *)large, .avail_in = (uInt)size};
    ck_assert_int_eq(deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_out = at + 30 + sizeof(MANIFEST) - 1;
    s.avail_out = ROOM - 100;
    ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
    check("17 MiB", span_of(z.octets, 30 + sizeof(MANIFEST) - 1 + s.total_out), "too large");
    deflateEnd(&s);
    free(large);
}
END_TEST

START_TEST(want_of_memory_is_said)
{
    static struct zip z;
    const char *what;
    z.len = 0;
    put_member(&z, MANIFEST, SPAN("<m><encryption-data/>"), true);
    long n = 0;
    for (bool failed = true; failed; n++) {
        memory_fails_at(n);
        enum err e = mime_locked(span_of(z.octets, z.len), &what);
        failed = memory_failed();
        ck_assert_int_eq(e, failed ? ERR_NOMEM : ERR_OK);
        ck_assert(failed == (what == NULL));
    }
    ck_assert_int_gt(n, 1);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(office_documents_say_themselves_that_they_want_a_password)                                                       \
    X(books_without_a_file_around_and_images_of_disks_are_known)                                                       \
    X(lies_of_a_compound_file_cost_no_more_than_its_size)                                                              \
    X(a_large_file_is_read_through_its_list_of_tables)                                                                 \
    X(open_documents_say_in_their_manifest_that_they_want_a_password)                                                  \
    X(a_manifest_that_unpacks_to_no_end_is_not_taken_for_harmless)                                                     \
    X(want_of_memory_is_said)
#include "support/check_main.h"
