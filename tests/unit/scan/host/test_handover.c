/* SPDX-License-Identifier: MIT */
/* Directories below file_base: whose they are, and what is removed (B42). */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "scan/host/handover.h"

struct place {
    char base[64], victim[80];
};

static void place_make(struct place *p)
{
    snprintf(p->base, sizeof(p->base), "/tmp/postern-base-XXXXXX");
    ck_assert(mkdtemp(p->base) != NULL && chmod(p->base, 01777) == 0);
    snprintf(p->victim, sizeof(p->victim), "%s.victim", p->base);
    int fd = open(p->victim, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert(fd >= 0);
    close(fd);
}

/* The base must be empty, the file outside of it untouched. */
static void place_remove(const struct place *p)
{
    ck_assert_msg(rmdir(p->base) == 0, "%s is not empty", p->base);
    ck_assert(access(p->victim, F_OK) == 0 && unlink(p->victim) == 0);
}

static void put(const struct place *p, const char *name, bool directory)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->base, name);
    int fd = directory ? -1 : open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert(directory ? mkdir(path, 0700) == 0 : fd >= 0);
    if (fd >= 0)
        close(fd);
}

static bool has(const struct place *p, const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", p->base, name);
    return lstat(path, &st) == 0;
}

static void take_away(const struct place *p, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->base, name);
    ck_assert(remove(path) == 0);
}

START_TEST(a_worker_gets_a_directory_of_its_own_and_the_broker_removes_it)
{
    struct place p;
    struct stat st;
    char path[HANDOVER_PATH], inside[HANDOVER_PATH + 16];
    struct errtext why;
    int fd;
    place_make(&p);
    struct handover h = {.base = p.base, .token = "abcdefgh", .slot = 3, .engine = 1};
    mode_t old = umask(077);
    ck_assert_msg(handover_enter(&h, path, &fd, &why) == ERR_OK, "%s", why.text);
    umask(old);
    ck_assert(has(&p, "postern-message-abcdefgh-3-1"));
    ck_assert(stat(path, &st) == 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0710);
    snprintf(inside, sizeof(inside), "%s/deep", path);
    ck_assert(mkdir(inside, 0) == 0);
    snprintf(inside, sizeof(inside), "%s/link", path);
    ck_assert(symlink(p.victim, inside) == 0);
    handover_leave(&h); /* the worker lives: it holds the lock */
    ck_assert(has(&p, "postern-message-abcdefgh-3-1"));
    close(fd);
    handover_leave(&h);
    handover_leave(&h);
    place_remove(&p);
}
END_TEST

START_TEST(the_group_of_file_base_goes_on_to_what_is_in_it)
{
    struct place p;
    struct stat base, st;
    char path[HANDOVER_PATH];
    struct errtext why;
    int fd;
    place_make(&p);
    ck_assert(chmod(p.base, 02750) == 0 && stat(p.base, &base) == 0);
    struct handover h = {.base = p.base, .token = "abcdefgh"};
    ck_assert_msg(handover_enter(&h, path, &fd, &why) == ERR_OK, "%s", why.text);
    ck_assert(stat(path, &st) == 0);
    ck_assert_uint_eq(st.st_mode & 07777, 02710);
    ck_assert_uint_eq(st.st_gid, base.st_gid);
    close(fd);
    handover_leave(&h);
    place_remove(&p);
}
END_TEST

START_TEST(what_earlier_runs_left_is_known_by_name_owner_and_lock)
{
    struct place p;
    char path[HANDOVER_PATH], path2[HANDOVER_PATH], inside[HANDOVER_PATH + 16];
    struct errtext why;
    int fd, fd2;
    place_make(&p);
    struct handover dead = {.base = p.base, .token = "deadhost"}, alive = {.base = p.base, .token = "livehost"};
    ck_assert(handover_enter(&dead, path, &fd, &why) == ERR_OK);
    ck_assert(handover_enter(&alive, path2, &fd2, &why) == ERR_OK);
    snprintf(inside, sizeof(inside), "%s/1.eml", path);
    ck_assert(symlink(p.victim, inside) == 0); /* as a file would be */
    put(&p, "postern-message-no-directory", false);
    put(&p, "somebody-elses", true);
    char link[128];
    snprintf(link, sizeof(link), "%s/postern-message-link", p.base);
    ck_assert(symlink("somebody-elses", link) == 0);
    close(fd);
    handover_sweep(p.base);
    ck_assert(!has(&p, "postern-message-deadhost-0-0"));
    ck_assert(has(&p, "postern-message-livehost-0-0"));
    static const char *const rest[] = {"postern-message-no-directory", "postern-message-link", "somebody-elses"};
    for (size_t i = 0; i < ARRAY_SIZE(rest); i++) {
        ck_assert_msg(has(&p, rest[i]), "%s is gone", rest[i]);
        take_away(&p, rest[i]);
    }
    if (geteuid() == 0) { /* a stranger's */
        put(&p, "postern-message-stranger-0-0", true);
        snprintf(link, sizeof(link), "%s/postern-message-stranger-0-0", p.base);
        ck_assert(chown(link, 12345, 12345) == 0);
        handover_sweep(p.base);
        ck_assert(has(&p, "postern-message-stranger-0-0"));
        take_away(&p, "postern-message-stranger-0-0");
    }
    close(fd2);
    handover_leave(&alive);
    place_remove(&p);
}
END_TEST

START_TEST(entering_sweeps_and_takes_the_place_of_a_dead_predecessor)
{
    struct place p;
    char path[HANDOVER_PATH], path2[HANDOVER_PATH];
    struct errtext why;
    int fd, fd2;
    place_make(&p);
    struct handover dead = {.base = p.base, .token = "deadhost"}, h = {.base = p.base, .token = "livehost"};
    ck_assert(handover_enter(&dead, path, &fd, &why) == ERR_OK);
    close(fd);
    ck_assert(handover_enter(&h, path, &fd, &why) == ERR_OK);
    ck_assert(!has(&p, "postern-message-deadhost-0-0"));
    ck_assert(handover_enter(&h, path2, &fd2, &why) == ERR_DENIED); /* one that lives keeps it */
    close(fd);
    ck_assert(handover_enter(&h, path2, &fd2, &why) == ERR_OK);
    ck_assert_str_eq(path, path2);
    close(fd2);
    handover_leave(&h);
    place_remove(&p);
}
END_TEST

START_TEST(a_base_that_cannot_serve_is_named)
{
    static const struct {
        const char *base;
        mode_t mode;
        uid_t owner;
        const char *why;
    } rows[] = {
        {"/nonexistent/base", 0, 0, "file_base /nonexistent/base: No such file or directory"},
        {"/dev/null", 0, 0, "file_base /dev/null: Not a directory"},
        {"/dev/fd", 0, 0, NULL},
        {NULL, 0777, 0, "can be written by everybody (mode 0777): expected a sticky directory"},
        {NULL, 0700, 12345, "belongs to user 12345: expected user 0 or root"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct place p;
        struct errtext why = {""};
        if (rows[i].owner != 0 && geteuid() != 0)
            continue;
        place_make(&p);
        if (!rows[i].base)
            ck_assert(chmod(p.base, rows[i].mode) == 0);
        if (rows[i].owner)
            ck_assert(chown(p.base, rows[i].owner, 0) == 0);
        ck_assert_msg(handover_try(rows[i].base ? rows[i].base : p.base, &why) != ERR_OK, "row %zu", i);
        ck_assert_msg(!rows[i].why || strstr(why.text, rows[i].why) != NULL, "row %zu: %s", i, why.text);
        place_remove(&p);
    }
    struct place p;
    struct errtext why;
    place_make(&p);
    ck_assert_msg(handover_try(p.base, &why) == ERR_OK, "%s", why.text);
    place_remove(&p);
}
END_TEST

START_TEST(tokens_differ)
{
    char a[HANDOVER_TOKEN + 1], b[HANDOVER_TOKEN + 1];
    handover_token(a);
    handover_token(b);
    ck_assert_uint_eq(strlen(a), HANDOVER_TOKEN);
    ck_assert_str_ne(a, b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_worker_gets_a_directory_of_its_own_and_the_broker_removes_it)                                                  \
    X(the_group_of_file_base_goes_on_to_what_is_in_it)                                                                 \
    X(what_earlier_runs_left_is_known_by_name_owner_and_lock)                                                          \
    X(entering_sweeps_and_takes_the_place_of_a_dead_predecessor)                                                       \
    X(a_base_that_cannot_serve_is_named)                                                                               \
    X(tokens_differ)
#include "support/check_main.h"
