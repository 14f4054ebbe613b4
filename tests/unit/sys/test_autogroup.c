/* SPDX-License-Identifier: MIT */
/* The share of a session in the processors, in a child that is a session of its own. */
#include "sys/autogroup.h"
#include "sys/priv.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The nice value that the kernel tells of the group of this process; -1: it has none. */
static int told(void)
{
    char text[64] = "";
    int nice = -1, fd = open("/proc/self/autogroup", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) {
        const char *word = strstr(text, " nice ");
        if (!word || sscanf(word, " nice %d", &nice) != 1)
            nice = -1;
    }
    if (fd >= 0)
        close(fd);
    return nice;
}

/* Exit status of the child that does WORK. */
static int in_a_session(int (*work)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(setsid() < 0 ? 100 : work());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int give_way_and_stop(void)
{
    int fd = autogroup_open();
    if (fd < 0)
        return told() < 0 ? 0 : 1;
    if (autogroup_nice(fd, 19) != ERR_OK || told() != 19)
        return 2;
    priv_harden_self(); /* from here on our own files below /proc belong to somebody else */
    return autogroup_nice(fd, 0) == ERR_OK && told() == 0 ? 0 : 3;
}

START_TEST(a_session_gives_way_and_has_its_share_back_without_privileges)
{
    ck_assert_int_eq(in_a_session(give_way_and_stop), 0);
}
END_TEST

static int refused(void)
{
    int fd = autogroup_open();
    return fd < 0 ? 0 : autogroup_nice(fd, 99) == ERR_IO && told() == 0 ? 0 : 1;
}

START_TEST(a_value_that_the_kernel_refuses_changes_nothing)
{
    ck_assert_int_eq(in_a_session(refused), 0);
    ck_assert_int_eq(autogroup_nice(-1, 19), ERR_OK); /* no such groups: nothing to do */
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_session_gives_way_and_has_its_share_back_without_privileges)                                                   \
    X(a_value_that_the_kernel_refuses_changes_nothing)
#include "support/check_main.h"
