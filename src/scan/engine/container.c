/* SPDX-License-Identifier: MIT */
/* Signatures of containers. Those at the start of a file are compared there; a zip's members are looked for everywhere,
 * because a zip may stand behind a program and inside other containers. */
#include "scan/engine/container.h"

#include <stdint.h>

enum {
    ZIP_ENCRYPTED = 1, /* general purpose bit 0; libclamav reports such members by itself */
    ZIP_NEWEST = 100,  /* version needed to extract, times ten: APPNOTE is at 6.3 */
    ZIP_NAME_MAX = 4096,
    LZMA_HEADER = 13,
};

struct signature {
    size_t offset;
    struct span bytes;
    const char *name;
};

static const struct signature signatures[] = {
    {0, {"\x28\xb5\x2f\xfd", 4}, "Zstandard"},
    {1, {"\x2a\x4d\x18", 3}, "Zstandard or LZ4"}, /* a frame to be skipped comes first */
    {0, {"LZIP\x01", 5}, "lzip"},
    {0, {"\x1f\x9d", 2}, "compress (.Z)"},
    {0, {"\x04\x22\x4d\x18", 4}, "LZ4"},
    {0, {"\x02\x21\x4c\x18", 4}, "LZ4 of the old form"},
    {0, {"\x89LZO\0\r\n\x1a\n", 9}, "lzop"},
    {0, {"LRZI\0", 5}, "lrzip"},
    {0, {"\xff\x06\0\0sNaPpY", 10}, "Snappy"},
    {0, {"MSWIM\0\0\0", 8}, "Windows image (WIM)"},
    {0, {"hsqs", 4}, "SquashFS"},
    {0, {"sqsh", 4}, "SquashFS"},
    {0, {"\x45\x3d\xcd\x28", 4}, "CramFS"},
    {0, {"\x28\xcd\x3d\x45", 4}, "CramFS"},
    {3, {"NTFS    ", 8}, "image of a file system (NTFS)"},
    {3, {"EXFAT   ", 8}, "image of a file system (exFAT)"},
    {54, {"FAT12   ", 8}, "image of a file system (FAT)"},
    {54, {"FAT16   ", 8}, "image of a file system (FAT)"},
    {82, {"FAT32   ", 8}, "image of a file system (FAT)"},
    {32, {"NXSB", 4}, "image of a file system (APFS)"},
    {0, {"AA01", 4}, "Apple archive"},
    {0, {"YAA1", 4}, "Apple archive"},
    {0, {"AEA1", 4}, "Apple archive"},
    {0, {"pbzx", 4}, "Apple archive"},
    {0, {"KWAJ\x88\xf0\x27\xd1", 8}, "file of Microsoft's COMPRESS"},
    {0, {"RZIP\2", 5}, "rzip"},
    {0, {"BZ3v1", 5}, "bzip3"},
    {0, {"!<thin>\n", 8}, "ar archive whose members are elsewhere"},
    {0, {"\xed\xab\xee\xdb", 4}, "RPM package"},
    {7, {"**ACE**", 7}, "ACE archive"},
    {20, {"\xdc\xa7\xc4\xfd", 4}, "ZOO archive"},
    {0, {"StuffIt (c)1997", 15}, "StuffIt archive"},
    {0, {"StuffIt!", 8}, "StuffIt X archive"},
    {10, {"rLau", 4}, "StuffIt archive of the old form"},
    {0, {"7kSt", 4}, "ZPAQ archive"},
    {0, {"zPQ", 3}, "ZPAQ archive"},
    {0, {"ArC\x01", 4}, "FreeArc archive"},
    {0, {"conectix", 8}, "virtual disk (VHD)"},
    {64, {"\x7f\x10\xda\xbe", 4}, "virtual disk (VDI)"},
    {0, {"WithoutFreeSpace", 16}, "virtual disk (Parallels)"},
    {0, {"WithouFreSpacExt", 16}, "virtual disk (Parallels)"},
    {0, {"vhdxfile", 8}, "virtual disk (VHDX)"},
    {0, {"QFI\xfb", 4}, "virtual disk (QCOW)"},
    {0, {"KDMV", 4}, "virtual disk (VMDK)"},
};

static unsigned byte_at(struct span s, size_t at)
{
    return (unsigned char)s.ptr[at];
}

static unsigned u16_at(struct span s, size_t at)
{
    return byte_at(s, at) | byte_at(s, at + 1) << 8;
}

/* `.lzma` has no signature. What every encoder in use writes: the usual properties, a dictionary of 2^n or 2^n +
 * 2^(n-1) octets of at least 4 KiB, and a size that is unknown or below 256 GiB: the test of xz. */
static bool is_lzma_alone(struct span s)
{
    if (s.len <= LZMA_HEADER || byte_at(s, 0) != 0x5d)
        return false;
    uint64_t dictionary = u16_at(s, 1) | (uint64_t)u16_at(s, 3) << 16, size = 0;
    for (size_t i = LZMA_HEADER; i-- > 5;)
        size = size << 8 | byte_at(s, i);
    uint64_t top = dictionary, rest;
    while (top & (top - 1))
        top &= top - 1;
    rest = dictionary - top;
    bool usual = dictionary == UINT32_MAX || (dictionary >= 4096 && (rest == 0 || rest == top / 2));
    return usual && (size == UINT64_MAX || size < (uint64_t)1 << 38);
}

/* Methods of LHA that libclamav's type table does not know, e.g. -lh8- and -pm2-. */
static bool is_unknown_lha(struct span s)
{
    static const char *const known[] = {"-lh0-", "-lh1-", "-lh2-", "-lh3-", "-lh4-", "-lh5-", "-lh6-",
                                        "-lh7-", "-lhd-", "-lhx-", "-lzs-", "-lz4-", "-lz5-", "-pm0-"};
    if (!s.ptr || s.len < 24)
        return false;
    struct span method = span_sub(s, 2, 5);
    if (byte_at(s, 20) > 3 || !(span_starts(method, SPAN("-lh")) || span_starts(method, SPAN("-pm"))) ||
        method.ptr[4] != '-' || !char_is_alnum(method.ptr[3]))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (span_eq(method, span_cstr(known[i])))
            return false;
    return true;
}

/* What libclamav's unzip does: stored, imploded, deflated, deflated with 64 KiB, bzip2. Others it skips in silence. */
static bool zip_method_works(unsigned method)
{
    return method == 0 || method == 6 || method == 8 || method == 9 || method == 12;
}

/* A header of a zip's member; the local and the central one differ in where things are. */
struct zip_header {
    struct span signature;
    size_t version, flags, method, name, size;
};

/* A member that cannot be unpacked. Both headers are looked at: they may contradict each other, and unpackers differ in
 * which one they believe. */
static bool zip_holds_unknown(struct span s, const struct zip_header *h)
{
    while (s.len >= h->size) {
        const char *found = memmem(s.ptr, s.len, h->signature.ptr, h->signature.len);
        if (!found)
            return false;
        s = span_sub(s, (size_t)(found - s.ptr), s.len);
        if (s.len < h->size)
            return false;
        unsigned name = u16_at(s, h->name);
        bool plausible = byte_at(s, h->version) < ZIP_NEWEST && name > 0 && name <= ZIP_NAME_MAX;
        if (plausible && !(u16_at(s, h->flags) & ZIP_ENCRYPTED) && !zip_method_works(u16_at(s, h->method)))
            return true;
        s = span_sub(s, h->signature.len, s.len);
    }
    return false;
}

const char *container_unsupported(struct span file)
{
    static const struct zip_header local = {{"PK\3\4", 4}, 4, 6, 8, 26, 30},
                                   central = {{"PK\1\2", 4}, 6, 8, 10, 28, 46};
    if (!file.ptr)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(signatures); i++)
        if (span_starts(span_sub(file, signatures[i].offset, file.len), signatures[i].bytes))
            return signatures[i].name;
    if (is_lzma_alone(file))
        return "LZMA";
    if (is_unknown_lha(file))
        return "LHA archive of an unknown method";
    if (zip_holds_unknown(file, &local) || zip_holds_unknown(file, &central))
        return "zip archive with a compression method of its newer kinds";
    return NULL;
}

bool container_holds_files(const char *type)
{
    static const char *const kinds[] = {"MAIL",    "POSIX_TAR", "OLD_TAR", "CPIO", "ISO9660", "MSOLE2", "DMG",
                                        "HFS",     "PDF",       "7Z",      "RAR",  "MSCAB",   "ARJ",    "LHA",
                                        "GPT",     "MBR",       "APM",     "XAR",  "EGG",     "ALZ",    "TNEF",
                                        "ONENOTE", "UDF",       "MSCHM",   "XDP",  "PART_ANY"};
    static const struct span prefix = {"CL_TYPE_", 8};
    if (!type || !span_starts(span_cstr(type), prefix))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (span_starts(span_cstr(type + prefix.len), span_cstr(kinds[i])))
            return true;
    return false;
}

bool container_holds_rar(struct span file)
{
    static const char signature[] = "Rar!\x1a\x07"; /* then 00 (RAR 1.5 to 4) or 01 00 (RAR 5) */
    return file.ptr && memmem(file.ptr, file.len, signature, sizeof(signature) - 1) != NULL;
}
