/* SPDX-License-Identifier: MIT */
/* Messages as files for daemons: names, modes, and that nothing stays. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "scan/engine/message_file.h"

static int message_of(struct span content)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, content.ptr, content.len) == (ssize_t)content.len);
    return fd;
}

START_TEST(a_message_is_a_file_that_its_group_may_read_until_it_is_removed)
{
    char dir[] = "/tmp/postern-files-XXXXXX", content[64] = "";
    struct message_file f;
    struct errtext why;
    struct stat st;
    ck_assert(mkdtemp(dir) != NULL);
    int fd = message_of(SPAN("hello\r\n"));
    mode_t old = umask(077); /* as a service manager may set it */
    message_file_init(&f, dir, NULL);
    ck_assert_msg(message_file_put(&f, fd, 7, &why) == ERR_OK, "%s", why.text);
    umask(old);
    ck_assert(stat(f.path, &st) == 0);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
    int in = open(f.path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(in, content, sizeof(content)), 7);
    close(in);
    ck_assert_str_eq(content, "hello\r\n");
    ck_assert_str_eq(strrchr(f.path, '/'), "/1.eml");
    ck_assert_str_eq(message_file_tail(&f), f.path + strlen("/tmp/"));
    ck_assert(message_file_put(&f, fd, 7, &why) == ERR_OK); /* takes the first away */
    ck_assert_str_eq(strrchr(f.path, '/'), "/2.eml");
    message_file_remove(&f);
    message_file_remove(&f);
    ck_assert(rmdir(dir) == 0);
    close(fd);
}
END_TEST

START_TEST(nothing_that_is_there_already_is_written_to)
{
    char dir[] = "/tmp/postern-files-XXXXXX", link[64];
    struct message_file f;
    struct errtext why;
    ck_assert(mkdtemp(dir) != NULL);
    snprintf(link, sizeof(link), "%s/1.eml", dir);
    ck_assert(symlink("/nonexistent/victim", link) == 0);
    int fd = message_of(SPAN("x"));
    message_file_init(&f, dir, NULL);
    ck_assert(message_file_put(&f, fd, 1, &why) == ERR_DENIED);
    ck_assert_msg(strstr(why.text, "File exists") != NULL, "%s", why.text);
    message_file_remove(&f);
    ck_assert(unlink(link) == 0 && rmdir(dir) == 0);
    close(fd);
}
END_TEST

START_TEST(what_does_not_fit_leaves_nothing)
{
    char dir[] = "/tmp/postern-files-XXXXXX";
    struct message_file f;
    struct errtext why;
    ck_assert(mkdtemp(dir) != NULL);
    int fd = message_of(SPAN("0123456789"));
    struct rlimit small = {.rlim_cur = 4, .rlim_max = 4};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert(setrlimit(RLIMIT_FSIZE, &small) == 0);
    message_file_init(&f, dir, NULL);
    ck_assert(message_file_put(&f, fd, 10, &why) == ERR_IO);
    ck_assert_msg(strstr(why.text, "cannot be written: File too large") != NULL, "%s", why.text);
    ck_assert(rmdir(dir) == 0);
    message_file_init(&f, "/dev/full", NULL); /* no directory */
    ck_assert(message_file_put(&f, fd, 10, &why) == ERR_DENIED);
    ck_assert(message_file_put(&f, fd, 11, &why) == ERR_DENIED);
    message_file_init(&f, NULL, "for a reason");
    ck_assert(message_file_put(&f, fd, 10, &why) == ERR_DENIED);
    ck_assert_str_eq(why.text, "for a reason");
    close(fd);
}
END_TEST

START_TEST(a_message_shorter_than_stated_is_an_error)
{
    char dir[] = "/tmp/postern-files-XXXXXX";
    struct message_file f;
    struct errtext why;
    ck_assert(mkdtemp(dir) != NULL);
    int fd = message_of(SPAN("0123456789"));
    message_file_init(&f, dir, NULL);
    ck_assert(message_file_put(&f, fd, 11, &why) == ERR_IO);
    ck_assert_msg(strstr(why.text, "shorter than stated") != NULL, "%s", why.text);
    ck_assert(rmdir(dir) == 0);
    close(fd);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_message_is_a_file_that_its_group_may_read_until_it_is_removed)                                                 \
    X(nothing_that_is_there_already_is_written_to)                                                                     \
    X(what_does_not_fit_leaves_nothing)                                                                                \
    X(a_message_shorter_than_stated_is_an_error)
#include "support/check_main.h"
