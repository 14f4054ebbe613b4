/* SPDX-License-Identifier: MIT */
/* Name, inode, size, times and mode of each signature file, mixed into one number. The change time is in it because a
 * file that becomes readable again keeps its other times. */
#include "scan/engine/database.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* The names that libclamav loads from a directory (1.4, `CLI_DBEXT`). */
static const char *const extensions[] = {
    ".db",  ".hdb", ".hdu", ".fp",  ".mdb", ".mdu", ".hsb", ".hsu",  ".sfp",  ".msb", ".msu",  ".ndb", ".ndu",
    ".ldb", ".ldu", ".sdb", ".zmd", ".rmd", ".pdb", ".gdb", ".wdb",  ".cbc",  ".ftm", ".cfg",  ".cvd", ".cld",
    ".cud", ".cdb", ".cat", ".crb", ".idb", ".ioc", ".yar", ".yara", ".pwdb", ".ign", ".ign2", ".imp",
};

static const uint64_t fnv_start = 0xcbf29ce484222325, fnv_prime = 0x100000001b3;

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * fnv_prime;
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof(number));
}

static bool is_signature_file(const char *name)
{
    struct span whole = span_cstr(name);
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        struct span end = span_cstr(extensions[i]);
        if (whole.len > end.len && span_eq_nocase(span_sub(whole, whole.len - end.len, end.len), end))
            return true;
    }
    return false;
}

static bool is_visible(const char *name)
{
    return name[0] != '.';
}

static uint64_t mix_file(uint64_t hash, const struct stat *st)
{
    const uint64_t numbers[] = {
        st->st_dev,
        st->st_ino,
        (uint64_t)st->st_size,
        st->st_mode,
        st->st_uid,
        st->st_gid,
        (uint64_t)st->st_mtim.tv_sec,
        (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec,
        (uint64_t)st->st_ctim.tv_nsec,
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        hash = mix_number(hash, numbers[i]);
    return hash;
}

/* A sum, because a directory is read in no particular order. */
static uint64_t entries_sum(DIR *dir, bool (*counts)(const char *name))
{
    uint64_t sum = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (!counts(entry->d_name))
            continue;
        uint64_t hash = mix(fnv_start, entry->d_name, strlen(entry->d_name));
        sum +=
            fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 ? mix_file(hash, &st) : mix_number(hash, (uint64_t)errno);
    }
    return sum;
}

static uint64_t fingerprint(const char *path, bool (*counts)(const char *name))
{
    struct stat st;
    if (stat(path, &st) != 0)
        return mix_number(fnv_start, (uint64_t)errno);
    if (!S_ISDIR(st.st_mode))
        return mix_file(fnv_start, &st);
    DIR *dir = opendir(path);
    if (!dir)
        return mix_number(fnv_start, (uint64_t)errno);
    /* The directory's own times change with every temporary file in it. */
    uint64_t hash = mix_number(mix_number(fnv_start, st.st_dev), st.st_ino);
    hash = mix_number(mix_number(hash, st.st_mode), entries_sum(dir, counts));
    closedir(dir);
    return hash;
}

uint64_t database_fingerprint(const char *path)
{
    return fingerprint(path, is_signature_file);
}

uint64_t database_fingerprint_of_all(const char *path)
{
    return fingerprint(path, is_visible);
}
