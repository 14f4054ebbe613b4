/* SPDX-License-Identifier: MIT */
/* Which bytes are a container that libclamav cannot open, and which only look a little like one. */
#include <check.h>

#include "scan/engine/container.h"
#include "support/archives.h"

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (text), sizeof(text) - 1                                                                                       \
    }
#define ARRAY(name)                                                                                                    \
    {                                                                                                                  \
        (const char *)(name), sizeof(name)                                                                             \
    }
#define ZIP_NAME    "\5\0\0\0v.txt"
#define LOCAL(m, f) "PK\3\4\x3f\0" f m "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" ZIP_NAME
#define CENTRAL(m, f)                                                                                                  \
    "PK\1\2\x3f\0\x3f\0" f m "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0v.txt"

struct sample {
    struct span file;
    const char *kind; /* the beginning of the words; NULL: nothing that stands in the way */
};

static void check_all(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = container_unsupported(samples[i].file);
        if (samples[i].kind)
            ck_assert_msg(found && strncmp(found, samples[i].kind, strlen(samples[i].kind)) == 0,
                          "sample %zu: found %s, expected %s", i, found ? found : "nothing", samples[i].kind);
        else
            ck_assert_msg(!found, "sample %zu: found %s, expected nothing", i, found);
    }
}

START_TEST(compressors_and_images_are_known_by_their_first_bytes)
{
    static const struct sample samples[] = {
        {BYTES("\x28\xb5\x2f\xfd payload"), "Zstandard"},
        {BYTES("\x51\x2a\x4d\x18\1\0\0\0x\x28\xb5\x2f\xfd"), "Zstandard or LZ4"},
        {BYTES("\x1f\x9d\x90 payload"), "compress"},
        {BYTES("LZIP\1\x0c"), "lzip"},
        {BYTES("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0payload"), "LZMA"},
        {BYTES("\x5d\0\0\x40\0\x70\x11\1\0\0\0\0\0\0payload"), "LZMA"},
        {BYTES("\0\0\0\0\0\0\0**ACE**"), "ACE"},
        {BYTES("!<thin>\nmain.o/         "), "ar"},
        {BYTES("sqsh\0\0\0\1"), "SquashFS"},
        {BYTES("\xeb\x52\x90NTFS    \0\2\x08"), "image"},
        {BYTES("KWAJ\x88\xf0\x27\xd1\3"), "file of"},
        {BYTES("AA01\x50\0"), "Apple"},
        {BYTES("#\1-lh8-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5v.txt"), "LHA"},
        /* near misses */
        {BYTES(""), NULL},
        {{NULL, 0}, NULL},
        {BYTES("\x28\xb5\x2f"), NULL},
        {BYTES(" \x28\xb5\x2f\xfd payload"), NULL},
        {BYTES("\x1f\x8b\x08 gzip, which works"), NULL},
        {BYTES("!<arch>\nmain.o/         "), NULL},
        {BYTES("!<arch>\ndebian-binary   "), NULL},
        {BYTES("\xeb\x52\x90NTFS is\0\2\x08"), NULL},
        {BYTES("\x5d\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0payload"), NULL},
        {BYTES("\x5d\0\0\x70\0\xff\xff\xff\xff\xff\xff\xff\xff\0payload"), NULL},
        {BYTES("\x5d\0\0\x80\0\0\0\0\0\0\0\0\x70\0payload"), NULL},
        {BYTES("\x5d\0\0\x80\0"), NULL},
        {BYTES("#\1-lh5-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5v.txt"), NULL},
        {BYTES("a list: -lh8- is a method of LHA"), NULL},
    };
    check_all(samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(a_zip_is_known_by_the_methods_of_its_members_wherever_it_stands)
{
    static const struct sample samples[] = {
        {ARRAY(archive_zip_infected), NULL},
        {ARRAY(archive_zip_encrypted), NULL},
        {ARRAY(archive_zip_lzma), "zip"},
        {BYTES(LOCAL("\0\0", "\0\0")), NULL},
        {BYTES(LOCAL("\6\0", "\0\0")), NULL},
        {BYTES(LOCAL("\x09\0", "\0\0")), NULL},
        {BYTES(LOCAL("\x0c\0", "\0\0")), NULL},
        {BYTES(LOCAL("\1\0", "\0\0")), "zip"},
        {BYTES(LOCAL("\x0e\0", "\0\0")), "zip"},
        {BYTES(LOCAL("\x5d\0", "\0\0")), "zip"},
        {BYTES(LOCAL("\x5f\0", "\0\0")), "zip"},
        {BYTES(LOCAL("\x62\0", "\0\0")), "zip"},
        {BYTES("MZ program " LOCAL("\x0e\0", "\0\0") " and more"), "zip"},
        {BYTES(LOCAL("\x08\0", "\0\0") LOCAL("\x0e\0", "\0\0")), "zip"},
        /* encrypted: the engine says so itself */
        {BYTES(LOCAL("\x63\0", "\1\0")), NULL},
        {BYTES(LOCAL("\x63\0", "\0\0")), "zip"},
        /* the central directory says otherwise than the member */
        {BYTES(LOCAL("\x08\0", "\0\0") CENTRAL("\x0e\0", "\0\0")), "zip"},
        {BYTES(LOCAL("\x08\0", "\0\0") CENTRAL("\x08\0", "\0\0")), NULL},
        /* cut off, or by chance */
        {BYTES("PK\3\4"), NULL},
        {BYTES("PK\3\4\x3f\0\0\0\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0"), NULL},
        {BYTES("PK\3\4 is how a zip begins, as everybody knows who looked"), NULL},
    };
    check_all(samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(rar_is_found_anywhere)
{
    ck_assert(container_holds_rar((struct span)ARRAY(archive_rar4)));
    ck_assert(container_holds_rar((struct span)ARRAY(archive_rar5)));
    ck_assert(container_holds_rar(SPAN("MZ program Rar!\x1a\x07\x01")));
    ck_assert(!container_holds_rar(SPAN("Rar! is a format")));
    ck_assert(!container_holds_rar((struct span){NULL, 0}));
}
END_TEST

START_TEST(kinds_that_show_their_files_are_told_from_others)
{
    ck_assert(container_holds_files("CL_TYPE_POSIX_TAR") && container_holds_files("CL_TYPE_7Z"));
    ck_assert(!container_holds_files("CL_TYPE_MSEXE") && !container_holds_files("7Z") && !container_holds_files(NULL));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(compressors_and_images_are_known_by_their_first_bytes)                                                           \
    X(a_zip_is_known_by_the_methods_of_its_members_wherever_it_stands)                                                 \
    X(rar_is_found_anywhere)                                                                                           \
    X(kinds_that_show_their_files_are_told_from_others)
#include "support/check_main.h"
