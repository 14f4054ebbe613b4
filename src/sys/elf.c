/* SPDX-License-Identifier: MIT */
/* Files are read with pread, and nothing that stands in them is believed: each number is only where to read next. */
#include "sys/elf.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTIONS_MAX = 4096, SYMBOLS_MAX = 1 << 18, BATCH = 64, NAME_MAX_LEN = 64 };

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

enum err elf_check(const char *path, enum elf_kind kind, struct errtext *why)
{
    struct stat st = {0};
    char magic[SELFMAG] = "";
    bool library = kind == ELF_LIBRARY;
    enum err e = ERR_DENIED;
    int fd = open_file(path);
    if (fd < 0 || fstat(fd, &st) != 0)
        errtext_set(why, "%.300s: %s (it is opened as user %u)", path, strerror(errno), (unsigned)geteuid());
    else if (!S_ISREG(st.st_mode))
        errtext_set(why, "%.300s: expected a regular file", path);
    else if (!library && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        errtext_set(why, "%.300s: expected a program that user %u may execute", path, (unsigned)geteuid());
    else if (st.st_mode & S_IWOTH)
        errtext_set(why, "%.300s: everybody may write it (mode %04o)", path, (unsigned)st.st_mode & 07777U);
    else if (pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) || memcmp(magic, ELFMAG, SELFMAG) != 0)
        errtext_set(why,
                    library ? "%.300s: expected a shared library (ELF), found something else"
                            : "%.300s: expected a program, not a script: its cage lets it start nothing else",
                    path);
    else
        e = ERR_OK;
    if (fd >= 0)
        close(fd);
    return e;
}

static bool read_at(int fd, uint64_t at, void *out, size_t len)
{
    return at <= INT64_MAX && pread(fd, out, len, (off_t)at) == (ssize_t)len;
}

/* The name at AT in the file is SYMBOL. */
static bool is_name(int fd, uint64_t at, const char *symbol)
{
    char name[NAME_MAX_LEN];
    size_t len = strlen(symbol) + 1;
    return len <= sizeof(name) && read_at(fd, at, name, len) && memcmp(name, symbol, len) == 0;
}

static bool find_symbol(int fd, const ElfW(Shdr) * table, const ElfW(Shdr) * names, const char *symbol, bool *sure)
{
    uint64_t count = table->sh_size / sizeof(ElfW(Sym));
    *sure = count <= SYMBOLS_MAX;
    for (uint64_t i = 0; *sure && i < count; i += BATCH) {
        ElfW(Sym) batch[BATCH];
        size_t n = count - i < BATCH ? (size_t)(count - i) : BATCH;
        *sure = read_at(fd, table->sh_offset + i * sizeof(batch[0]), batch, n * sizeof(batch[0]));
        for (size_t k = 0; *sure && k < n; k++)
            if (batch[k].st_shndx != SHN_UNDEF && is_name(fd, names->sh_offset + batch[k].st_name, symbol))
                return true;
    }
    return false;
}

bool elf_exports(const char *path, const char *symbol, bool *sure)
{
    static const unsigned char native = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    ElfW(Ehdr) head;
    bool found = false;
    int fd = open_file(path);
    *sure = false;
    if (fd >= 0 && read_at(fd, 0, &head, sizeof(head)) && memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
        head.e_ident[EI_CLASS] == native && head.e_shentsize == sizeof(ElfW(Shdr)))
        for (unsigned i = 0; i < head.e_shnum && i < SECTIONS_MAX; i++) {
            ElfW(Shdr) table, names;
            if (!read_at(fd, head.e_shoff + (uint64_t)i * sizeof(table), &table, sizeof(table)))
                break;
            if (table.sh_type != SHT_DYNSYM || table.sh_link >= head.e_shnum ||
                !read_at(fd, head.e_shoff + (uint64_t)table.sh_link * sizeof(names), &names, sizeof(names)))
                continue;
            found = find_symbol(fd, &table, &names, symbol, sure);
            break;
        }
    if (fd >= 0)
        close(fd);
    return found;
}
