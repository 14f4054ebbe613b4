/* SPDX-License-Identifier: MIT */
/* One look at a time, each for what would otherwise show in the log of a postern that runs already. */
#include "daemon/check_machine.h"
#include "daemon/check_files.h"
#include "daemon/console_conf.h"
#include "daemon/role.h"
#include "daemon/scanner_files.h"
#include "daemon/unrar.h"
#include "spool/quarantine.h"
#include "spool/quarantine_conf.h"
#include "spool/spool_conf.h"
#include "sys/priv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the start does: an account that is not there is replaced by nobody's. */
static bool find_user(const char *name, struct priv_user *out)
{
    return priv_lookup(name, out) == ERR_OK || priv_lookup("nobody", out) == ERR_OK;
}

/* ---- what the scan hosts open ---- */

/* The scan hosts' user, for faccessat(AT_EACCESS). NAME receives who that is. */
static void become_scanner(const struct conf *conf, char *name, size_t size)
{
    struct priv_user user;
    snprintf(name, size, "this user");
    if (geteuid() != 0 || !find_user(role_daemon_conf(conf)->scan_user, &user))
        return;
    if (setgroups(0, NULL) == 0 && setegid(user.gid) == 0 && seteuid(user.uid) == 0)
        snprintf(name, size, "user %s", user.name);
}

static void become_root_again(void)
{
    uid_t real, effective, saved;
    if (getresuid(&real, &effective, &saved) != 0 || saved != 0 || effective == 0)
        return;
    (void)!seteuid(0); /* cannot fail: the saved id is root's; and if it did, less could be looked at */
    (void)!setegid(0);
}

/* Names of signatures as they come; libclamav loads more, rarer kinds. */
static bool is_signature_file(const char *name)
{
    static const char *const endings[] = {".cvd", ".cld", ".cud", ".ndb", ".hdb", ".hsb", ".ldb", ".ign2"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < ARRAY_SIZE(endings); i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* The first signature file in DIR that cannot be read; "" where all can; NULL: there is none at all. */
static const char *unreadable_file(DIR *dir, char name[NAME_MAX + 1])
{
    bool found = false;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!is_signature_file(entry->d_name))
            continue;
        found = true;
        if (faccessat(dirfd(dir), entry->d_name, R_OK, AT_EACCESS) == 0)
            continue;
        snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
        return name;
    }
    return found ? "" : NULL;
}

static void check_database(const struct framework_engine *engine, const char *who, struct problems *problems)
{
    const char *path = engine->conf->database;
    char name[NAME_MAX + 1];
    struct stat st;
    if (stat(path, &st) != 0 || faccessat(AT_FDCWD, path, S_ISDIR(st.st_mode) ? R_OK | X_OK : R_OK, AT_EACCESS) != 0) {
        problem_warning(problems, engine->scope, "database",
                        "%s cannot read it: %s; until that is mended every message gets the error code", who,
                        strerror(errno));
        return;
    }
    DIR *dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    if (!dir)
        return;
    const char *file = unreadable_file(dir, name);
    if (!file)
        problem_warning(problems, engine->scope, "database",
                        "there are no signatures in it; until there are, every message gets the error code");
    else if (file[0])
        problem_warning(problems, engine->scope, "database",
                        "%s cannot read %.200s in it; until that is mended every message gets the error code", who,
                        file);
    closedir(dir);
}

static void check_scanner(const struct framework_engine *engine, const char *who, struct problems *problems)
{
    const char *option = engine->conf->scanner.path ? "scanner_path" : NULL;
    char path[PATH_MAX];
    struct stat st;
    const char *what = NULL;
    if (!scanner_files_program(engine, path))
        return;
    if (stat(path, &st) != 0)
        what = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        what = "it is no program";
    else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        what = "it may not be executed";
    if (what)
        problem_warning(problems, engine->scope, option,
                        "the scanner program %.200s cannot be started by %s: %s; until that is mended every message "
                        "gets the error code",
                        path, who, what);
}

static void check_engines(const struct conf *conf, const struct framework *fw, struct problems *problems)
{
    char who[96];
    const struct spool_conf *spool = conf_child(conf->global, &spool_class, NULL)->values;
    become_scanner(conf, who, sizeof(who));
    for (size_t i = 0; i < fw->engine_count; i++) {
        if (framework_has_database(&fw->engines[i]) && !framework_is_plugin(&fw->engines[i]))
            check_database(&fw->engines[i], who, problems);
        if (framework_is_plugin(&fw->engines[i]))
            check_plugin_files(&fw->engines[i], who, problems);
        if (scanner_files_wanted(&fw->engines[i]))
            check_scanner(&fw->engines[i], who, problems);
        if (framework_is_command(&fw->engines[i]))
            check_command_files(&fw->engines[i], spool->spoolbase, who, problems);
    }
    become_root_again();
}

/* ---- accounts ---- */

static bool group_exists(const char *name)
{
    struct group entry, *found = NULL;
    char strings[16384];
    return getgrnam_r(name, &entry, strings, sizeof(strings), &found) == 0 && found;
}

static bool user_exists(const char *name)
{
    struct priv_user user;
    return priv_lookup(name, &user) == ERR_OK;
}

static void check_control(const struct conf_scope *listen, struct problems *problems)
{
    const struct control_conf *c = listen->values;
    for (size_t i = 0; i < c->allow.count; i++) {
        const char *name = c->allow.items[i];
        bool group = name[0] == '@';
        if (group ? !group_exists(name + 1) : !user_exists(name))
            problem_warning(problems, listen, "allow", "there is no %s \"%s\": it lets nobody in",
                            group ? "group" : "user", name + group);
    }
    if (c->file_owner && !user_exists(c->file_owner))
        problem_warning(problems, listen, "file_owner",
                        "there is no such account: started as root, postern ends with status 78");
    if (c->file_group && !group_exists(c->file_group))
        problem_warning(problems, listen, "file_group",
                        "there is no such group: started as root, postern ends with status 78");
}

/* ---- the rest ---- */

/* Whether the edge will be able to open its quarantine. One inside a spool directory that is not made yet will be. */
static void check_quarantine(const struct conf *conf, struct problems *problems)
{
    const struct quarantine_conf *c = conf_child(conf->global, &quarantine_class, NULL)->values;
    const struct spool_conf *spool = conf_child(conf->global, &spool_class, NULL)->values;
    struct priv_user user;
    struct errtext why;
    uid_t uid = geteuid();
    if (uid == 0) {
        if (!find_user(role_daemon_conf(conf)->user, &user))
            return;
        uid = user.uid;
    }
    bool spool_comes = access(spool->spoolbase, F_OK) != 0 && errno == ENOENT &&
                       span_starts(span_cstr(c->directory), span_cstr(spool->spoolbase));
    if (!spool_comes && quarantine_examine(c->directory, uid, &why) != ERR_OK)
        problem_warning(problems, NULL, NULL, "quarantine_directory: %s", why.text);
}

void check_machine(const struct conf *conf, struct problems *problems)
{
    struct framework framework;
    framework_init(&framework, conf->global);
    if (unrar_matters(&framework) && !unrar_is_installed())
        problem_warning(problems, NULL, NULL, "%s", unrar_missing_text);
    if (framework_quarantines(&framework))
        check_quarantine(conf, problems);
    for (const struct conf_scope *listen = NULL; (listen = control_next(conf, listen));)
        check_control(listen, problems);
    if (!framework.scan_off)
        check_engines(conf, &framework, problems); /* last: it gives groups up */
}
