/* SPDX-License-Identifier: MIT */
/* The parts of the scan host that need no process: poison table, temporary directories, the workers' first record. */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/host/poison.h"
#include "scan/host/worker.h"
#include "scan/host/workspace.h"

static void digest_of(unsigned n, uint8_t out[32])
{
    memset(out, 0, 32);
    memcpy(out, &n, sizeof(n));
}

/* C13 */
START_TEST(the_third_death_poisons)
{
    static struct poison p;
    uint8_t one[32], other[32];
    digest_of(1, one);
    digest_of(2, other);
    ck_assert_uint_eq(poison_note(&p, one), 1);
    ck_assert_uint_eq(poison_note(&p, other), 1);
    ck_assert_uint_eq(poison_note(&p, one), 2);
    ck_assert(!poison_has(&p, one));
    ck_assert_uint_eq(poison_note(&p, one), 3);
    ck_assert(poison_has(&p, one));
    ck_assert(!poison_has(&p, other));
}
END_TEST

START_TEST(the_poison_table_forgets_the_oldest_first)
{
    static struct poison p;
    uint8_t digest[32];
    for (unsigned n = 0; n < POISON_ENTRIES; n++)
        for (int i = 0; i < POISON_AT; i++) {
            digest_of(n, digest);
            poison_note(&p, digest);
        }
    digest_of(0, digest);
    poison_note(&p, digest); /* seen again: young now */
    digest_of(9999, digest);
    poison_note(&p, digest);
    digest_of(0, digest);
    ck_assert(poison_has(&p, digest));
    digest_of(1, digest);
    ck_assert(!poison_has(&p, digest));
    digest_of(2, digest);
    ck_assert(poison_has(&p, digest));
}
END_TEST

static void must(bool ok)
{
    ck_assert(ok);
}

/* B42 */
START_TEST(a_workspace_is_emptied_whatever_lies_in_it)
{
    char base[64] = "/tmp/postern-workspace-XXXXXX", path[WORKSPACE_PATH];
    struct errtext why;
    int dirfd, at;
    must(mkdtemp(base) != NULL);
    ck_assert_msg(workspace_open(base, 7, path, &dirfd, &why) == ERR_OK, "%s", why.text);
    /* given: a victim outside, links to it, a pit 200 directories deep with a file at each level, an unreadable
     * directory */
    char victim[128], slot[128];
    snprintf(victim, sizeof(victim), "%s/victim", base);
    must(mkdir(victim, 0700) == 0);
    must(symlinkat(victim, dirfd, "link") == 0 && symlinkat("/nowhere", dirfd, "broken") == 0);
    must(mkdirat(dirfd, "locked", 0) == 0);
    must((at = openat(dirfd, ".", O_RDONLY | O_DIRECTORY)) >= 0);
    for (int i = 0; i < 200; i++) {
        int file = openat(at, "file", O_CREAT | O_WRONLY, 0);
        must(file >= 0);
        close(file);
        must(mkdirat(at, "pit", 0700) == 0);
        int next = openat(at, "pit", O_RDONLY | O_DIRECTORY);
        must(next >= 0);
        close(at);
        at = next;
    }
    close(at);
    /* when, then */
    must(workspace_clean(dirfd) == ERR_OK);
    close(dirfd);
    must(rmdir(victim) == 0); /* still there, and untouched */
    snprintf(slot, sizeof(slot), "%s/7", base);
    must(rmdir(slot) == 0);
    must(rmdir(base) == 0);
}
END_TEST

/* Modes do not stop root, so root's place is taken by somebody else. */
START_TEST(a_workspace_is_emptied_of_directories_with_any_mode)
{
    char base[64] = "/tmp/postern-workspace-XXXXXX", path[WORKSPACE_PATH];
    struct errtext why;
    int dirfd, status;
    must(mkdtemp(base) != NULL && chown(base, geteuid() == 0 ? 65534 : geteuid(), (gid_t)-1) == 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
            _exit(2);
        if (workspace_open(base, 0, path, &dirfd, &why) != ERR_OK)
            _exit(3);
        static const mode_t modes[] = {0, 0100, 0200, 0300, 0400, 0500, 0600, 0700};
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
            char outer[16], inner[32], file[48];
            snprintf(outer, sizeof(outer), "%zu", i);
            snprintf(inner, sizeof(inner), "%zu/in", i);
            snprintf(file, sizeof(file), "%zu/in/file", i);
            if (mkdirat(dirfd, outer, 0700) != 0 || mkdirat(dirfd, inner, 0700) != 0 ||
                openat(dirfd, file, O_CREAT | O_WRONLY, 0) < 0 || fchmodat(dirfd, inner, modes[i], 0) != 0 ||
                fchmodat(dirfd, outer, modes[i], 0) != 0)
                _exit(4);
        }
        _exit(workspace_clean(dirfd) == ERR_OK ? 0 : 5);
    }
    must(child > 0 && waitpid(child, &status, 0) == child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    snprintf(path, sizeof(path), "%s/0", base);
    must(rmdir(path) == 0 && rmdir(base) == 0);
}
END_TEST

/* B42 */
START_TEST(a_workspace_that_is_a_link_is_refused)
{
    char base[64] = "/tmp/postern-workspace-XXXXXX", path[WORKSPACE_PATH], slot[128];
    struct errtext why;
    int dirfd;
    must(mkdtemp(base) != NULL);
    snprintf(slot, sizeof(slot), "%s/0", base);
    must(symlink("/tmp", slot) == 0);
    must(workspace_open(base, 0, path, &dirfd, &why) == ERR_IO);
    ck_assert_msg(strstr(why.text, "cannot be opened") != NULL, "%s", why.text);
    must(unlink(slot) == 0);
    must(mkdir(slot, 0755) == 0);
    if (geteuid() == 0) {
        must(chown(slot, 65534, 65534) == 0);
        must(workspace_open(base, 0, path, &dirfd, &why) == ERR_DENIED);
        ck_assert_msg(strstr(why.text, "belongs to user 65534, expected 0") != NULL, "%s", why.text);
    }
    must(rmdir(slot) == 0 && rmdir(base) == 0);
}
END_TEST

START_TEST(a_hello_comes_back_as_it_was_and_nonsense_does_not)
{
    struct worker_hello in = {.birth = WORKER_NO_SANDBOX, .level = {.landlock_abi = 7, .seccomp = true}}, out;
    unsigned char bytes[WORKER_HELLO_SIZE];
    snprintf(in.why, sizeof(in.why), "because");
    size_t len = worker_hello_encode(&in, bytes);
    must(worker_hello_decode(span_of(bytes, len), &out) == ERR_OK);
    ck_assert_int_eq(out.birth, WORKER_NO_SANDBOX);
    ck_assert_int_eq(out.level.landlock_abi, 7);
    must(out.level.seccomp);
    ck_assert_str_eq(out.why, "because");
    for (size_t cut = 0; cut < 4; cut++)
        must(worker_hello_decode(span_of(bytes, cut), &out) == ERR_SYNTAX);
    bytes[1] = 200;
    must(worker_hello_decode(span_of(bytes, len), &out) == ERR_SYNTAX);
    bytes[1] = WORKER_BORN;
    bytes[4] = 0x1b;
    must(worker_hello_decode(span_of(bytes, len), &out) == ERR_OK);
    ck_assert_str_eq(out.why, "?ecause"); /* nothing of it can hurt a terminal */
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_third_death_poisons)                                                                                         \
    X(the_poison_table_forgets_the_oldest_first)                                                                       \
    X(a_workspace_is_emptied_whatever_lies_in_it)                                                                      \
    X(a_workspace_is_emptied_of_directories_with_any_mode)                                                             \
    X(a_workspace_that_is_a_link_is_refused)                                                                           \
    X(a_hello_comes_back_as_it_was_and_nonsense_does_not)
#include "support/check_main.h"
