/* SPDX-License-Identifier: MIT */
/* Nothing is loaded or run: what only that would show (a library's version, its options) stays for the log. */
#include "daemon/check_files.h"
#include "base/span.h"
#include "daemon/scanner_files.h"
#include "sys/elf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNTIL_MENDED "until that is mended every message gets the error code"

/* PATH can be read; a directory, also listed. Otherwise errno. */
static bool is_readable(const char *path, bool *directory)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    *directory = S_ISDIR(st.st_mode);
    return faccessat(AT_FDCWD, path, *directory ? R_OK | X_OK : R_OK, AT_EACCESS) == 0;
}

/* ---- plug-ins ---- */

static void check_library(const struct framework_engine *engine, struct problems *problems)
{
    const char *path = engine->conf->plugin.library;
    struct errtext why;
    bool sure;
    if (elf_check(path, ELF_LIBRARY, &why) != ERR_OK)
        problem_warning(problems, engine->scope, "library", "%.300s; " UNTIL_MENDED, why.text);
    else if (!elf_exports(path, "postern_engine", &sure) && sure)
        problem_warning(problems, engine->scope, "library",
                        "%.200s has no symbol postern_engine: it is no engine for postern; " UNTIL_MENDED, path);
}

/* Each file in it is the plug-in's, but for hidden ones. */
static void check_plugin_database(const struct framework_engine *engine, const char *who, struct problems *problems)
{
    const char *path = engine->conf->database;
    bool directory;
    if (!is_readable(path, &directory)) {
        problem_warning(problems, engine->scope, "database", "%s cannot read %.200s: %s; " UNTIL_MENDED, who, path,
                        strerror(errno));
        return;
    }
    DIR *dir = directory ? opendir(path) : NULL;
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || faccessat(dirfd(dir), entry->d_name, R_OK, AT_EACCESS) == 0)
            continue;
        problem_warning(problems, engine->scope, "database", "%s cannot read %.200s in %.200s: %s", who, entry->d_name,
                        path, strerror(errno));
        break;
    }
    if (dir)
        closedir(dir);
}

void check_plugin_files(const struct framework_engine *engine, const char *who, struct problems *problems)
{
    const struct plugin_conf *c = &engine->conf->plugin;
    char program[PATH_MAX];
    bool directory;
    /* Our own user executes it, not the one that this process pretends to be. */
    if (!scanner_files_beside("postern-plugin", program) || faccessat(AT_FDCWD, program, X_OK, 0) != 0)
        problem_warning(problems, engine->scope, NULL,
                        "postern-plugin, which loads its library, must lie beside postern and be executable: "
                        "%s; " UNTIL_MENDED,
                        strerror(errno));
    if (c->library)
        check_library(engine, problems);
    if (engine->conf->database)
        check_plugin_database(engine, who, problems);
    for (size_t i = 0; i < c->allow_read.count; i++)
        if (!is_readable(c->allow_read.items[i], &directory))
            problem_warning(problems, engine->scope, "allow_read", "%s cannot read %.200s: %s; " UNTIL_MENDED, who,
                            c->allow_read.items[i], strerror(errno));
}

/* ---- command lines ---- */

static void without_links(const char *path, char out[PATH_MAX])
{
    if (!realpath(path, out))
        snprintf(out, PATH_MAX, "%s", path);
}

/* PATH, which may be a link, is DIRECTORY or lies around it. */
static bool covers(const char *path, const char *directory)
{
    char outer[PATH_MAX], inner[PATH_MAX];
    without_links(path, outer);
    without_links(directory, inner);
    size_t len = strlen(outer);
    while (len > 1 && outer[len - 1] == '/')
        len--;
    return len == 1 || (strncmp(outer, inner, len) == 0 && (inner[len] == '/' || inner[len] == '\0'));
}

static void check_readable(const struct framework_engine *engine, const char *path, const char *spool, const char *who,
                           struct problems *problems)
{
    const char *temp = getenv("TMPDIR");
    const char *const secrets[] = {temp && temp[0] == '/' ? temp : "/tmp", spool};
    bool directory;
    if (strcmp(path, "/") == 0) /* stanza_command.c says so */
        return;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (covers(path, secrets[i])) {
            problem_warning(problems, engine->scope, "readable",
                            "%.200s covers %.200s, where other messages lie while they are scanned", path, secrets[i]);
            return;
        }
    if (!is_readable(path, &directory))
        problem_warning(problems, engine->scope, "readable", "%s cannot read %.200s: %s", who, path, strerror(errno));
}

void check_command_files(const struct framework_engine *engine, const char *spool, const char *who,
                         struct problems *problems)
{
    const struct command_conf *c = &engine->conf->command;
    struct errtext why;
    if (c->argv.count == 0)
        return;
    bool missing = access(c->argv.items[0], F_OK) != 0 && errno == ENOENT; /* stanza_command.c says so */
    if (!missing && elf_check(c->argv.items[0], ELF_PROGRAM, &why) != ERR_OK)
        problem_warning(problems, engine->scope, "argv", "%.300s; " UNTIL_MENDED, why.text);
    for (size_t i = 0; i < c->readable.count; i++)
        check_readable(engine, c->readable.items[i], spool, who, problems);
}
