/* SPDX-License-Identifier: MIT */
/* Accounts and privileges. What changes the process happens in a child of its own, which answers by its exit status. */
#include "sys/memfd.h"
#include "sys/priv.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs STEP in a child; it returns 0 or the number of what failed. */
static int in_child(int (*step)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(step());
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(an_account_is_found_by_name)
{
    struct priv_user user;
    ck_assert_int_eq(priv_lookup("root", &user), ERR_OK);
    ck_assert_uint_eq(user.uid, 0);
    ck_assert_str_eq(user.name, "root");
    ck_assert_int_eq(priv_lookup("nobody", &user), ERR_OK);
    ck_assert_uint_ne(user.uid, 0);
    ck_assert_int_eq(priv_lookup("no-such-account", &user), ERR_NOTFOUND);
}
END_TEST

static int drop_and_try_to_return(void)
{
    struct priv_user nobody;
    if (priv_lookup("nobody", &nobody) != ERR_OK || priv_drop(&nobody) != ERR_OK)
        return 1;
    if (getuid() != nobody.uid || getgid() != nobody.gid || getgroups(0, NULL) != 0)
        return 2;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
        return 3;
    if (priv_drop(&nobody) != ERR_OK) /* again: we are who we shall be */
        return 4;
    struct priv_user other = {.uid = nobody.uid - 1, .gid = nobody.gid};
    if (priv_drop(&other) != ERR_DENIED || errno != EPERM)
        return 5;
    return 0;
}

START_TEST(dropped_privileges_do_not_come_back)
{
    if (geteuid() != 0) {
        fprintf(stderr, "passed over, needs root: dropped_privileges_do_not_come_back\n");
        return;
    }
    ck_assert_int_eq(in_child(drop_and_try_to_return), 0);
}
END_TEST

static int drop_to_root(void)
{
    struct priv_user root = {.uid = 0, .gid = 0, .name = "root"};
    return priv_drop(&root) == ERR_DENIED && errno == EPERM ? 0 : 1;
}

START_TEST(root_is_nobody_to_drop_to)
{
    ck_assert_int_eq(in_child(drop_to_root), 0);
}
END_TEST

static int harden(void)
{
    struct rlimit core;
    struct priv_user nobody;
    priv_harden_self();
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 1;
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
        return 2;
    /* The spool still needs /proc/self/fd, which belongs to root now. */
    if (geteuid() == 0 && (priv_lookup("nobody", &nobody) != ERR_OK || priv_drop(&nobody) != ERR_OK))
        return 3;
    priv_harden_self();
    int fd = memfd_new("test"), again;
    if (fd < 0 || (again = fd_reopen_readonly(fd)) < 0)
        return 4;
    return (fcntl(again, F_GETFL) & O_ACCMODE) == O_RDONLY ? 0 : 5;
}

START_TEST(a_hardened_process_is_closed_to_others_and_can_still_reopen_its_files)
{
    ck_assert_int_eq(in_child(harden), 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_account_is_found_by_name)                                                                                     \
    X(dropped_privileges_do_not_come_back)                                                                             \
    X(root_is_nobody_to_drop_to)                                                                                       \
    X(a_hardened_process_is_closed_to_others_and_can_still_reopen_its_files)
#include "support/check_main.h"
