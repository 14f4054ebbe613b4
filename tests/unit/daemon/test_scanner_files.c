/* SPDX-License-Identifier: MIT */
/* Programs and logs of scanners from the supervisor to a scan host. */
#include "daemon/scanner_files.h"
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(a_host_gets_what_belongs_to_its_pool)
{
    struct engine_conf conf = {.enabled = true};
    struct framework fw = {.engine_count = 3};
    struct scanner_files f = {{10, 20, 30}, {11, -1, 31}};
    struct scanner_handover h;
    const char *const pools[] = {"CPU", "mine", "CPU"};
    for (size_t i = 0; i < 3; i++)
        fw.engines[i] = (struct framework_engine){.name = "c", .type = "csapi", .pool = pools[i], .conf = &conf};

    scanner_files_hand_over(&f, &fw, "CPU", 5, &h);

    ck_assert_uint_eq(h.fd_count, 4);
    ck_assert(h.fds[0] == 10 && h.fds[1] == 11 && h.fds[2] == 30 && h.fds[3] == 31);
    ck_assert_uint_eq(h.argument_count, 2);
    ck_assert_str_eq(h.arguments[0], "--scanner=0:5:6");
    ck_assert_str_eq(h.arguments[1], "--scanner=2:7:8");
    scanner_files_hand_over(&f, &fw, "mine", 5, &h);
    ck_assert_str_eq(h.arguments[0], "--scanner=1:5:0");
    f.program[1] = -1;
    scanner_files_hand_over(&f, &fw, "mine", 5, &h);
    ck_assert_uint_eq(h.argument_count, 0);
}
END_TEST

START_TEST(an_argument_is_three_numbers)
{
    static const char *const wrong[] = {"",       "1",     "1:2",    "1:2:",           "1:2:3:4",
                                        "16:2:3", "x:2:3", "1:-2:3", "1:2:99999999999"};
    size_t engine;
    int program, log;
    ck_assert(scanner_files_read("15:7:8", &engine, &program, &log));
    ck_assert(engine == 15 && program == 7 && log == 8);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!scanner_files_read(wrong[i], &engine, &program, &log), "%s", wrong[i]);
}
END_TEST

START_TEST(only_engines_with_a_program_of_their_own_have_files)
{
    char dir[] = "/tmp/postern-scanner-XXXXXX", log[64];
    struct stat st;
    ck_assert(mkdtemp(dir) != NULL);
    snprintf(log, sizeof(log), "%s/log", dir);
    const char *const daemons[] = {"127.0.0.1:7777"};
    struct engine_conf with_program = {.scanner = {.path = "/bin/sh", .log = log}},
                       with_daemon = {.daemon = {daemons, 1}, .scanner = {.path = "/bin/sh"}},
                       missing = {.scanner = {.path = "/nowhere/scanner"}};
    struct framework fw = {.engine_count = 4};
    fw.engines[0] = (struct framework_engine){.type = "csapi", .pool = "CPU", .built = true, .conf = &with_program};
    fw.engines[1] = (struct framework_engine){.type = "csapi", .pool = "IO", .built = true, .conf = &with_daemon};
    fw.engines[2] = (struct framework_engine){.type = "clamav", .pool = "CPU", .built = true, .conf = &with_program};
    fw.engines[3] = (struct framework_engine){.type = "csapi", .pool = "CPU", .built = true, .conf = &missing};
    struct scanner_files f;

    scanner_files_open(&f, &fw);

    ck_assert(f.program[0] >= 0 && f.log[0] >= 0);
    ck_assert(fstat(f.log[0], &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640);
    for (size_t i = 1; i < LIMIT_ENGINES; i++)
        ck_assert(f.program[i] == -1 && f.log[i] == -1);
    scanner_files_release(&f);
    ck_assert(f.program[0] == -1);
    ck_assert(unlink(log) == 0 && rmdir(dir) == 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_host_gets_what_belongs_to_its_pool)                                                                            \
    X(an_argument_is_three_numbers)                                                                                    \
    X(only_engines_with_a_program_of_their_own_have_files)
#include "support/check_main.h"
