/* SPDX-License-Identifier: MIT */
/* What a host makes of the signatures that it has loaded, before it takes any message: libclamav, in a worker in its
 * cage (C19). What a reload makes of it is tests/e2e/test_reload.py. */
#include "scan/canary_text.h"
#include "support/scan_rig.h"

#define PAYLOAD "Test.Payload:0:*:544553542d56495255532d5041594c4f4144\n"

static void add_test_string(FILE *f)
{
    int fd;
    uint64_t size;
    unsigned char octets[128];
    ck_assert(canary_message(CANARY_PATTERN, &fd, &size) == ERR_OK && size <= sizeof(octets));
    ck_assert(pread(fd, octets, size, 0) == (ssize_t)size);
    close(fd);
    fputs("Test.String:0:*:", f);
    for (size_t i = 0; i < size; i++)
        fprintf(f, "%02x", octets[i]);
    fputc('\n', f);
}

static void write_database(const struct rig *r, char path[96], bool knows_test_string)
{
    char file[128];
    snprintf(path, 96, "%s/db", r->dir);
    snprintf(file, sizeof(file), "%s/test.ndb", path);
    ck_assert(mkdir(path, 0700) == 0);
    FILE *f = fopen(file, "w");
    ck_assert(f && fputs(PAYLOAD, f) > 0);
    if (knows_test_string)
        add_test_string(f);
    ck_assert(fclose(f) == 0);
}

START_TEST(signatures_are_measured_before_any_message)
{
    static const struct {
        bool known;
        int test_string;
        int64_t min_signatures;
        const char *refusal; /* NULL: it scans */
        enum scan_test_string told;
        bool doubt;
    } rows[] = {
        {true, TEST_STRING_REMEMBERED, 0, NULL, SCAN_TEST_STRING_FOUND, false},
        {false, TEST_STRING_REMEMBERED, 0, NULL, SCAN_TEST_STRING_UNKNOWN, true},
        {false, TEST_STRING_IGNORED, 0, NULL, SCAN_TEST_STRING_UNKNOWN, false},
        {true, TEST_STRING_REQUIRED, 0, NULL, SCAN_TEST_STRING_FOUND, false},
        {false, TEST_STRING_REQUIRED, 0, "canary: the test string is not found, and test_string = required: clean",
         SCAN_TEST_STRING_UNKNOWN, false},
        {true, TEST_STRING_REMEMBERED, 2, NULL, SCAN_TEST_STRING_FOUND, false},
        {true, TEST_STRING_REMEMBERED, 3, "2 signatures, expected at least 3 (min_signatures)", SCAN_TEST_STRING_FOUND,
         false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        char database[96];
        rig_init(&r);
        write_database(&r, database, rows[i].known);
        r.conf.database = database;
        r.conf.test_string = rows[i].test_string;
        r.conf.min_signatures = rows[i].min_signatures;
        r.fw->engines[0].name = r.fw->engines[0].type = "clamav";
        rig_start(&r);
        struct scan_status s = rig_status(&r, r.channel);
        ck_assert_msg((s.state == SCAN_ENGINE_READY) == (rows[i].refusal == NULL), "row %zu: %s", i, s.detail);
        ck_assert_msg(!rows[i].refusal || strstr(s.detail, rows[i].refusal), "row %zu: %s", i, s.detail);
        ck_assert_int_eq(s.test_string, rows[i].told);
        ck_assert_msg((strstr(rig_log(&r), " engine-doubt ") != NULL) == rows[i].doubt, "row %zu", i);
        rig_job(&r, "TEST-VIRUS-PAYLOAD", 10000);
        struct scan_answer a = rig_answer(&r);
        if (rows[i].refusal)
            RIG_EXPECT(&r, a, ERROR, DOWN);
        else
            RIG_EXPECT(&r, a, INFECTED, NONE);
        rig_stop(&r);
    }
}
END_TEST

#define CASES(X) X(signatures_are_measured_before_any_message)
#include "support/check_main.h"
