/* SPDX-License-Identifier: MIT */
/* libclamav looks at every file each time (B40): its own cache of clean files, keyed by MD5, would let a clean file
 * vouch for its infected twin, and what postern notices of an archive while it is taken apart would not be noticed
 * again. */
#include <sys/mman.h>

#include "support/archives.h"
#include "unit/scan/engine/clamav_bench.h"

/* Two files with one MD5, whatever follows: a collision in printable ASCII, made with M. Stevens's HashClash and
 * published as free of copyright (corkami/collisions, examples/free, lisp-1 and lisp-2). They differ in one letter. */
#define TWIN(letter)                                                                                                   \
    "TEXTCOLLBYfGiJUETHQ4h" letter "cKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHmSZaAAAA"                                \
    "()(()()(()((((((()((()((()())))()(()))))())(())))))()((): x\r\nSubject: lunch\r\n\r\nAt noon?\r\n"
static const char clean_twin[] = TWIN("A"), infected_twin[] = TWIN("E");
/* "THQ4hEcKSMd5", which only the second holds */
static const char signatures[] = "Test.Twin:0:*:544851346845634b534d6435\n"
                                 "Test.Payload:0:*:544553542d56495255532d5041594c4f4144\n";

static void open_engine(struct bench *b)
{
    prepare(b);
    write_file(b->database, "test.ndb", signatures, sizeof(signatures) - 1);
    ck_assert_msg(engine_clamav.open(&b->conf, &b->state, &b->info, &b->why) == ERR_OK, "%s", b->why.text);
    ck_assert(engine_clamav.worker_start(b->state, b->temp, &b->why) == ERR_OK);
}

static struct verdict scan(struct bench *b, struct span file)
{
    struct verdict v;
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, file.ptr, file.len) == (ssize_t)file.len);
    engine_clamav.scan(b->state, fd, file.len, 20000, &v);
    close(fd);
    return v;
}

/* B40 */
START_TEST(a_clean_twin_does_not_vouch_for_the_infected_one)
{
    struct bench b;
    open_engine(&b);
    for (int i = 0; i < 2; i++) {
        struct verdict clean = scan(&b, SPAN(clean_twin)), infected = scan(&b, SPAN(infected_twin));
        ck_assert_msg(clean.class == VERDICT_CLEAN, "%s %s", verdict_class_word(clean.class), clean.detail);
        ck_assert_msg(infected.class == VERDICT_INFECTED, "%s %s", verdict_class_word(infected.class), infected.detail);
        ck_assert_str_eq(infected.name, "Test.Twin.UNOFFICIAL");
    }
    cleanup(&b);
}
END_TEST

/* B40 */
START_TEST(an_archive_that_was_not_opened_is_not_clean_the_next_time)
{
    static const struct {
        const unsigned char *bytes;
        size_t len;
        bool by_unrar;
    } archives[] = {
        {archive_zip_lzma, sizeof(archive_zip_lzma), false},
        {archive_7z_mixed, sizeof(archive_7z_mixed), false},
        {archive_rar4, sizeof(archive_rar4), true},
        {archive_rar5, sizeof(archive_rar5), true},
    };
    struct bench b;
    open_engine(&b);
    for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
        struct span file = span_of(archives[i].bytes, archives[i].len);
        struct verdict first = scan(&b, file), second = scan(&b, file);
        if (!archives[i].by_unrar || b.info.missing[0])
            ck_assert_msg(first.reason == VERDICT_REASON_UNSUPPORTED, "row %zu: %s %s", i,
                          verdict_class_word(first.class), first.detail);
        ck_assert_msg(first.class == second.class && first.reason == second.reason, "row %zu: %s %s, then %s %s", i,
                      verdict_class_word(first.class), verdict_reason_word(first.reason),
                      verdict_class_word(second.class), verdict_reason_word(second.reason));
        ck_assert_str_eq(first.detail, second.detail);
    }
    cleanup(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_clean_twin_does_not_vouch_for_the_infected_one)                                                                \
    X(an_archive_that_was_not_opened_is_not_clean_the_next_time)
#include "support/check_main.h"
