/* SPDX-License-Identifier: MIT */
/* Files that are looked at and never run. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/elf.h"

#include <link.h>

static char path[] = "/tmp/postern-elf-XXXXXX";

/* A file with CONTENT and MODE. */
static void make(const void *content, size_t len, mode_t mode)
{
    snprintf(path, sizeof(path), "/tmp/postern-elf-XXXXXX");
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && write(fd, content, len) == (ssize_t)len && fchmod(fd, mode) == 0);
    close(fd);
}

static void refused(const char *name, enum elf_kind kind, const char *text)
{
    struct errtext why;
    ck_assert(elf_check(name, kind, &why) != ERR_OK);
    ck_assert_msg(strncmp(why.text, name, strlen(name)) == 0 && strstr(why.text, text), "%s", why.text);
}

START_TEST(a_program_and_a_library_are_told_from_everything_else)
{
    static const char elf[] = "\177ELF and more", script[] = "#!/bin/sh\n";
    struct errtext why;
    ck_assert_msg(elf_check("/bin/sh", ELF_PROGRAM, &why) == ERR_OK, "%s", why.text);
    refused("/nonexistent/x", ELF_PROGRAM, "No such file or directory (it is opened as user ");
    refused("/tmp", ELF_PROGRAM, "expected a regular file");
    refused("/dev/null", ELF_LIBRARY, "expected a regular file");
    make(elf, sizeof(elf), 0600);
    ck_assert(elf_check(path, ELF_LIBRARY, &why) == ERR_OK);
    refused(path, ELF_PROGRAM, "expected a program that user ");
    unlink(path);
    make(elf, sizeof(elf), 0757);
    refused(path, ELF_PROGRAM, "everybody may write it (mode 0757)");
    refused(path, ELF_LIBRARY, "everybody may write it (mode 0757)");
    unlink(path);
    make(script, sizeof(script), 0755);
    refused(path, ELF_PROGRAM, "expected a program, not a script");
    refused(path, ELF_LIBRARY, "expected a shared library (ELF), found something else");
    unlink(path);
    make("", 0, 0755);
    refused(path, ELF_PROGRAM, "expected a program, not a script");
    unlink(path);
}
END_TEST

START_TEST(symbols_are_found_without_loading)
{
    char library[PATH_MAX] = "";
    bool sure;
    FILE *maps = fopen("/proc/self/maps", "re");
    ck_assert(maps != NULL);
    for (char line[PATH_MAX]; !library[0] && fgets(line, sizeof(line), maps);) { /* a library that is surely there */
        const char *name = strchr(line, '/');
        if (name && strstr(name, "libc.so"))
            snprintf(library, sizeof(library), "%.*s", (int)strcspn(name, "\n"), name);
    }
    fclose(maps);
    ck_assert(library[0]);
    ck_assert(elf_exports(library, "printf", &sure) && sure);
    ck_assert(!elf_exports(library, "postern_engine", &sure) && sure);
    ck_assert(!elf_exports("/nonexistent/x", "printf", &sure) && !sure);
}
END_TEST

START_TEST(numbers_that_lead_nowhere_leave_it_open)
{
    ElfW(Ehdr) head = {.e_ident = {0x7f, 'E', 'L', 'F', sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32},
                       .e_shentsize = sizeof(ElfW(Shdr)),
                       .e_shnum = 2};
    struct {
        ElfW(Ehdr) head;
        ElfW(Shdr) sections[2];
    } file = {.head = head};
    static const uint64_t far[] = {0, 1, sizeof(file), UINT32_MAX, INT64_MAX, UINT64_MAX - 100, UINT64_MAX};
    bool sure;
    for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
        file.head.e_shoff = (ElfW(Off))far[i];
        make(&file, sizeof(file), 0600);
        ck_assert(!elf_exports(path, "x", &sure) && !sure);
        unlink(path);
        file.head.e_shoff = sizeof(file.head);
        file.sections[0] = (ElfW(Shdr)){.sh_type = SHT_DYNSYM,
                                        .sh_link = 1,
                                        .sh_offset = (ElfW(Off))far[i],
                                        .sh_size = (ElfW(Xword))far[ARRAY_SIZE(far) - 1 - i]};
        file.sections[1].sh_offset = (ElfW(Off))far[i];
        make(&file, sizeof(file), 0600);
        ck_assert(!elf_exports(path, "x", &sure));
        unlink(path);
    }
    file.head.e_ident[EI_CLASS] = ELFCLASSNONE;
    make(&file, sizeof(file), 0600);
    ck_assert(!elf_exports(path, "x", &sure) && !sure);
    unlink(path);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_program_and_a_library_are_told_from_everything_else)                                                           \
    X(symbols_are_found_without_loading)                                                                               \
    X(numbers_that_lead_nowhere_leave_it_open)
#include "support/check_main.h"
