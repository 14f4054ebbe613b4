/* SPDX-License-Identifier: MIT */
/* What libclamav's answers become, with a database of one signature of our own in a directory of our own. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clamav_bench.h"
#include "support/archives.h"

static void open_engine(struct bench *b)
{
    write_signature(b);
    enum err e = engine_clamav.open(&b->conf, &b->state, &b->info, &b->why);
    ck_assert_msg(e == ERR_OK, "%s", b->why.text);
    ck_assert(engine_clamav.worker_start(b->state, b->temp, &b->why) == ERR_OK);
}

static void add(struct bench *b, const void *bytes, size_t len)
{
    ck_assert(len <= sizeof(b->message) - b->len);
    memcpy(b->message + b->len, bytes, len);
    b->len += len;
}

static void add_text(struct bench *b, const char *text)
{
    add(b, text, strlen(text));
}

static void add_base64(struct bench *b, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)bytes[i] << 16 | (i + 1 < len ? (unsigned)bytes[i + 1] << 8 : 0) |
                     (i + 2 < len ? bytes[i + 2] : 0U);
        char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < len ? digits[v >> 6 & 63] : '=',
                        i + 2 < len ? digits[v & 63] : '='};
        add(b, quad, 4);
        if (i % 54 == 51)
            add_text(b, "\r\n");
    }
    add_text(b, "\r\n");
}

static void add_mail_of(struct bench *b, unsigned count, const unsigned char *attachment, size_t len)
{
    add_text(b, "From: a@example.org\r\nTo: b@example.org\r\nSubject: test\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: "
                "text/plain\r\n\r\nhello\r\n");
    while (count-- > 0) {
        add_text(b, "--b1\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
                    "Content-Transfer-Encoding: base64\r\n\r\n");
        add_base64(b, attachment, len);
    }
    add_text(b, "--b1--\r\n");
}

static void add_mail_with(struct bench *b, const unsigned char *attachment, size_t len)
{
    add_mail_of(b, 1, attachment, len);
}

static struct verdict scan(struct bench *b)
{
    struct verdict v;
    memset(&v, 0xee, sizeof(v));
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, b->message, b->len) == (ssize_t)b->len);
    engine_clamav.scan(b->state, fd, b->len, 20000, &v);
    close(fd);
    return v;
}

#define EXPECT(v, the_class, the_reason)                                                                               \
    ck_assert_msg((v).class == VERDICT_##the_class && (v).reason == VERDICT_REASON_##the_reason,                       \
                  "found %s %s, name \"%s\": %s", verdict_class_word((v).class), verdict_reason_word((v).reason),      \
                  (v).name, (v).detail)

START_TEST(an_open_engine_tells_what_it_is)
{
    struct bench b;
    prepare(&b);
    open_engine(&b);
    ck_assert_uint_eq(b.info.signatures, 1);
    ck_assert(strncmp(b.info.version, "libclamav 1.", 12) == 0);
    cleanup(&b);
}
END_TEST

START_TEST(a_harmless_mail_is_clean_and_a_virus_has_its_name)
{
    struct bench b;
    prepare(&b);
    open_engine(&b);
    add_text(&b, "From: a@example.org\r\nSubject: lunch\r\n\r\nAt noon?\r\n");
    struct verdict v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    ck_assert_str_eq(v.name, "");
    add_text(&b, "TEST-VIRUS-PAYLOAD\r\n");
    v = scan(&b);
    EXPECT(v, INFECTED, NONE);
    ck_assert_str_eq(v.name, "Test.Payload.UNOFFICIAL");
    cleanup(&b);
}
END_TEST

START_TEST(a_virus_in_a_zip_in_a_mail_is_found)
{
    struct bench b;
    prepare(&b);
    open_engine(&b);
    add_mail_with(&b, archive_zip_infected, sizeof(archive_zip_infected));
    struct verdict v = scan(&b);
    EXPECT(v, INFECTED, NONE);
    ck_assert_str_eq(v.name, "Test.Payload.UNOFFICIAL");
    cleanup(&b);
}
END_TEST

START_TEST(an_encrypted_archive_is_unscannable_unless_switched_off)
{
    for (int alert = 0; alert < 2; alert++) {
        struct bench b;
        prepare(&b);
        b.conf.alert_encrypted = alert;
        open_engine(&b);
        add_mail_with(&b, archive_zip_encrypted, sizeof(archive_zip_encrypted));
        struct verdict v = scan(&b);
        if (alert)
            EXPECT(v, UNSCANNABLE, ENCRYPTED);
        else
            EXPECT(v, CLEAN, NONE);
        cleanup(&b);
    }
}
END_TEST

START_TEST(a_limit_that_is_reached_is_never_clean)
{
    struct bench b;
    prepare(&b);
    b.conf.max_filesize = 20000; /* the mail is smaller, what it unpacks to is larger */
    open_engine(&b);
    add_mail_with(&b, archive_zip_large, sizeof(archive_zip_large));
    ck_assert_uint_lt(b.len, 20000);
    struct verdict v = scan(&b);
    EXPECT(v, UNSCANNABLE, LIMIT);
    cleanup(&b);

    /* the same with a lie about its size, in both headers */
    unsigned char lie[sizeof(archive_zip_large)];
    memcpy(lie, archive_zip_large, sizeof(lie));
    unsigned char *central = memmem(lie, sizeof(lie), "PK\1\2", 4);
    ck_assert(central != NULL);
    static const unsigned char ten[4] = {10, 0, 0, 0};
    memcpy(lie + 22, ten, 4);
    memcpy(central + 24, ten, 4);
    prepare(&b);
    b.conf.max_filesize = 20000;
    open_engine(&b);
    add_mail_with(&b, lie, sizeof(lie));
    v = scan(&b);
    EXPECT(v, UNSCANNABLE, LIMIT);
    cleanup(&b);

    prepare(&b);
    b.conf.max_recursion = 2;
    open_engine(&b);
    add_mail_with(&b, archive_zip_infected, sizeof(archive_zip_infected));
    v = scan(&b);
    EXPECT(v, UNSCANNABLE, LIMIT);
    cleanup(&b);
}
END_TEST

START_TEST(a_message_over_max_filesize_is_too_large)
{
    struct bench b;
    prepare(&b);
    b.conf.max_filesize = 1024;
    open_engine(&b);
    while (b.len <= 1024 - 16)
        add_text(&b, "0123456789abcd\r\n");
    struct verdict v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    add_text(&b, "x");
    v = scan(&b);
    EXPECT(v, UNSCANNABLE, TOO_LARGE);
    ck_assert_str_eq(v.detail, "1025 octets, and max_filesize is 1024");
    cleanup(&b);
}
END_TEST

/* Bare, in a mail, and behind a program: RAR 4 and RAR 5. */
START_TEST(a_rar_archive_without_unrar_is_never_clean)
{
    static const struct {
        const unsigned char *bytes;
        size_t len;
    } archives[] = {{archive_rar4, sizeof(archive_rar4)}, {archive_rar5, sizeof(archive_rar5)}};
    struct bench b;
    prepare(&b);
    open_engine(&b);
    for (size_t i = 0; i < 6; i++) {
        unsigned char attachment[2048] = "MZ"; /* a program of zeros */
        size_t before = i >= 4 ? 1024 : 0, a = i % 2;
        memcpy(attachment + before, archives[a].bytes, archives[a].len);
        b.len = 0;
        if (i < 2)
            add(&b, attachment, archives[a].len);
        else
            add_mail_with(&b, attachment, before + archives[a].len);
        struct verdict v = scan(&b);
        if (b.info.missing[0]) {
            EXPECT(v, UNSCANNABLE, UNSUPPORTED);
            ck_assert_str_eq(v.detail, "RAR archive: libclamunrar is not installed (package libclamunrar)");
        } else {
            ck_assert_msg(v.class != VERDICT_ERROR, "%s", v.detail);
        }
    }
    cleanup(&b);
}
END_TEST

/* Each holds the payload where libclamav does not get at it. */
START_TEST(an_archive_that_libclamav_cannot_unpack_is_never_clean)
{
    static const unsigned char zstandard[] = {0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x51, 0x00, 0x00, 'a', 'b', 'c'};
    static const struct {
        const unsigned char *bytes;
        size_t len;
        const char *detail;
    } archives[] = {
        {archive_zip_lzma, sizeof(archive_zip_lzma),
         "zip archive with a compression method of its newer kinds: libclamav cannot open it"},
        {archive_7z_mixed, sizeof(archive_7z_mixed), "libclamav could not unpack every member of an archive"},
        {zstandard, sizeof(zstandard), "Zstandard: libclamav cannot open it"},
    };
    struct bench b;
    prepare(&b);
    open_engine(&b);
    for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
        b.len = 0;
        add_mail_with(&b, archives[i].bytes, archives[i].len);
        struct verdict v = scan(&b);
        EXPECT(v, UNSCANNABLE, UNSUPPORTED);
        ck_assert_str_eq(v.detail, archives[i].detail);
    }
    cleanup(&b);
}
END_TEST

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type;
    return at->level > 0 ? remove(path) : 0;
}

static void limit(int resource, rlim_t value)
{
    struct rlimit r;
    ck_assert(getrlimit((__rlimit_resource_t)resource, &r) == 0);
    r.rlim_cur = value < r.rlim_max ? value : r.rlim_max;
    ck_assert(setrlimit((__rlimit_resource_t)resource, &r) == 0);
}

/* An infected mail, and temporary files that cannot be written or made: the virus may be missed, but not in silence. */
START_TEST(a_scan_that_lacks_disk_or_descriptors_is_an_error)
{
    static const struct {
        int resource;
        rlim_t lowest, highest;
    } shortages[] = {{RLIMIT_FSIZE, 0, 1024}, {RLIMIT_NOFILE, 4, 16}};
    unsigned missed = 0;
    struct bench b;
    prepare(&b);
    open_engine(&b);
    add_mail_with(&b, archive_zip_infected, sizeof(archive_zip_infected));
    signal(SIGXFSZ, SIG_IGN);
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, b.message, b.len) == (ssize_t)b.len);
    for (size_t i = 0; i < ARRAY_SIZE(shortages); i++)
        for (rlim_t value = shortages[i].lowest; value <= shortages[i].highest; value++) {
            struct verdict v;
            limit(shortages[i].resource, value);
            engine_clamav.scan(b.state, fd, b.len, 20000, &v);
            limit(shortages[i].resource, RLIM_INFINITY);
            if (v.class == VERDICT_ERROR)
                missed++;
            else
                ck_assert_msg(v.class == VERDICT_INFECTED, "limit %d at %llu: %s", shortages[i].resource,
                              (unsigned long long)value, verdict_class_word(v.class));
        }
    ck_assert_uint_gt(missed, 0); /* or nothing was tested */
    close(fd);
    nftw(b.temp, remove_below, 8, FTW_DEPTH | FTW_PHYS); /* it could not open its directories to empty them either */
    cleanup(&b);
}
END_TEST

/* libclamav's bzip2 takes a failed allocation for an empty archive. */
START_TEST(a_scan_that_lacks_memory_is_an_error)
{
#ifndef POSTERN_SANITIZED /* their allocators end the process, and their shadow memory has no limit */
    unsigned missed = 0;
    struct bench b;
    prepare(&b);
    open_engine(&b);
    add(&b, archive_bzip2_infected, sizeof(archive_bzip2_infected));
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, b.message, b.len) == (ssize_t)b.len);
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    ck_assert(statm != NULL && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    for (rlim_t more = 1 << 20; more <= 8 << 20; more += 1 << 18) {
        struct verdict v;
        limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more);
        engine_clamav.scan(b.state, fd, b.len, 20000, &v);
        limit(RLIMIT_AS, RLIM_INFINITY);
        if (v.class == VERDICT_ERROR)
            missed++;
        else
            ck_assert_msg(v.class == VERDICT_INFECTED, "%llu octets more: %s", (unsigned long long)more,
                          verdict_class_word(v.class));
    }
    ck_assert_uint_gt(missed, 0);
    close(fd);
    cleanup(&b);
#endif
}
END_TEST

/* Takes files away from the temporary directory as fast as it can (C15). */
struct thief {
    const char *dir;
    pthread_t thread;
    pthread_mutex_t lock;
    unsigned long taken;
    atomic_bool over;
};

static void steal_below(struct thief *t, int dirfd)
{
    DIR *dir = dirfd >= 0 ? fdopendir(dirfd) : NULL;
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        pthread_mutex_lock(&t->lock);
        /* As another process would: not by a function that the engine watches. */
        bool taken = syscall(SYS_unlinkat, dirfd, entry->d_name, 0) == 0;
        t->taken += taken;
        pthread_mutex_unlock(&t->lock);
        if (!taken)
            steal_below(t, openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    if (dir)
        closedir(dir);
}

static void *steal(void *arg)
{
    struct thief *t = arg;
    while (!atomic_load(&t->over))
        steal_below(t, open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return NULL;
}

static unsigned long taken(struct thief *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned long count = t->taken;
    pthread_mutex_unlock(&t->lock);
    return count;
}

START_TEST(a_scan_whose_temporary_files_vanish_is_an_error)
{
    struct bench b;
    prepare(&b);
    open_engine(&b);
    add_mail_of(&b, 50, archive_zip_large, sizeof(archive_zip_large));
    struct verdict v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    struct thief t = {.dir = b.temp, .lock = PTHREAD_MUTEX_INITIALIZER};
    ck_assert(pthread_create(&t.thread, NULL, steal, &t) == 0);
    for (unsigned long before = 0, after = 0; after == 0;) { /* until it was quick enough */
        before = after;
        v = scan(&b);
        after = taken(&t);
        if (after > before)
            EXPECT(v, ERROR, ENGINE);
        else
            EXPECT(v, CLEAN, NONE);
    }
    atomic_store(&t.over, true);
    ck_assert(pthread_join(t.thread, NULL) == 0);
    nftw(b.temp, remove_below, 8, FTW_DEPTH | FTW_PHYS);
    v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    cleanup(&b);
}
END_TEST

START_TEST(a_database_that_is_missing_empty_or_broken_is_refused)
{
    struct bench b;
    prepare(&b);
    char expected[300];

    snprintf(expected, sizeof(expected), "database %s: no signatures found", b.database);
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) != ERR_OK);
    ck_assert_str_eq(b.why.text, expected);

    write_file(b.database, "test.ndb", "", 0);
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) != ERR_OK);
    ck_assert_msg(strncmp(b.why.text, expected, strlen(b.database) + 10) == 0, "%s", b.why.text);

    write_file(b.database, "test.ndb", "this is no signature\n", 21);
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) != ERR_OK);
    ck_assert_msg(strstr(b.why.text, "Malformed database") != NULL, "%s", b.why.text);

    b.conf.database = "/nonexistent/postern";
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) != ERR_OK);
    ck_assert_str_eq(b.why.text, "database /nonexistent/postern: No such file or directory");
    ck_assert(b.state == NULL);
    cleanup(&b);
}
END_TEST

START_TEST(an_ignored_signature_does_not_hide_the_virus_behind_it)
{
    static const char second[] = "Other.Payload:0:*:414e4f544845522d5041594c4f4144\n";
    static const char *const ignored[] = {"Nothing.Like.It", "Test.*"};
    static const char *const bodies[] = {"TEST-VIRUS-PAYLOAD", "ANOTHER-PAYLOAD"};
    for (unsigned i = 0; i < 16;
         i++) { /* both orders, each alone, in the body and in an attachment, with and without ignoring */
        unsigned first = i & 3, attached = i >> 2 & 1, ignoring = i >> 3;
        struct bench b;
        char text[64], path[256];
        prepare(&b);
        write_file(b.database, "other.ndb", second, sizeof(second) - 1);
        if (ignoring)
            b.conf.ignore_signatures = (struct conf_list){ignored, ARRAY_SIZE(ignored)};
        open_engine(&b);
        snprintf(text, sizeof(text), "%s\r\n%s\r\n", bodies[first & 1], first < 2 ? "" : bodies[!(first & 1)]);
        if (attached) {
            add_mail_with(&b, (const unsigned char *)text, strlen(text));
        } else {
            add_text(&b, "From: a@example.org\r\nSubject: lunch\r\n\r\n");
            add_text(&b, text);
        }
        struct verdict v = scan(&b);
        bool harmless = ignoring && first == 0;
        ck_assert_msg(v.class == (harmless ? VERDICT_CLEAN : VERDICT_INFECTED), "case %u: %s \"%s\" %s", i,
                      verdict_class_word(v.class), v.name, v.detail);
        if (harmless)
            ck_assert_str_eq(v.detail, "Test.Payload.UNOFFICIAL: the name is in ignore_signatures");
        if (ignoring && !harmless)
            ck_assert_str_eq(v.name, "Other.Payload.UNOFFICIAL");
        snprintf(path, sizeof(path), "%s/other.ndb", b.database);
        ck_assert_int_eq(unlink(path), 0);
        cleanup(&b);
    }
}
END_TEST

START_TEST(what_cannot_be_looked_at_is_not_ignored_with_the_virus_beside_it)
{
    static const char *const ignored[] = {"Test.Payload.UNOFFICIAL"};
    struct bench b;
    prepare(&b);
    b.conf.ignore_signatures = (struct conf_list){ignored, ARRAY_SIZE(ignored)};
    open_engine(&b);
    add_mail_with(&b, archive_zip_encrypted, sizeof(archive_zip_encrypted));
    add_text(&b, "TEST-VIRUS-PAYLOAD\r\n");
    struct verdict v = scan(&b);
    EXPECT(v, UNSCANNABLE, ENCRYPTED);
    cleanup(&b);
}
END_TEST

static bool has_layer(const struct bench *b, const void *octets, size_t len)
{
    struct sha256_digest digest;
    struct sha256 *h = sha256_new();
    ck_assert(h && sha256_update(h, span_of(octets, len)) == ERR_OK && sha256_finish(h, &digest) == ERR_OK);
    sha256_free(h);
    return layers_hold(engine_clamav.layers(b->state), len, &digest);
}

/* No text, and of no kind that libclamav knows. */
static size_t fill_attachment(unsigned char *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(i * 41 + 128);
    return size;
}

START_TEST(what_it_took_out_of_a_clean_mail_octet_for_octet_is_known)
{
    unsigned char attachment[300];
    struct bench b;
    prepare(&b);
    b.conf.mime_decompose = true;
    open_engine(&b);
    add_mail_with(&b, attachment, fill_attachment(attachment, sizeof(attachment)));
    struct verdict v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    ck_assert(has_layer(&b, attachment, sizeof(attachment)));
    ck_assert(!has_layer(&b, b.message, b.len)); /* the message itself */
    ck_assert(!has_layer(&b, "hello\r\n", 7));   /* its text has lost its line ends there */
    b.len = 0;                                   /* nor does the next scan vouch for what the last one saw */
    add_text(&b, "From: a@example.org\r\nSubject: lunch\r\n\r\nAt noon?\r\n");
    v = scan(&b);
    EXPECT(v, CLEAN, NONE);
    ck_assert(!has_layer(&b, attachment, sizeof(attachment)));
    cleanup(&b);
}
END_TEST

START_TEST(a_scan_that_found_something_or_was_cut_short_knows_no_layers)
{
    static const char *const ignored[] = {"Test.*"};
    enum { INFECTED_TOO, LIMITED, IGNORED, NOT_DECOMPOSED, CASE_COUNT };
    unsigned char attachment[300];
    for (int i = 0; i < CASE_COUNT; i++) {
        struct bench b;
        prepare(&b);
        b.conf.mime_decompose = i != NOT_DECOMPOSED;
        if (i == LIMITED)
            b.conf.max_files = 1;
        if (i == IGNORED)
            b.conf.ignore_signatures = (struct conf_list){ignored, ARRAY_SIZE(ignored)};
        open_engine(&b);
        add_mail_of(&b, 3, attachment, fill_attachment(attachment, sizeof(attachment)));
        if (i == INFECTED_TOO || i == IGNORED)
            add_text(&b, "TEST-VIRUS-PAYLOAD\r\n");
        struct verdict v = scan(&b);
        ck_assert_msg((v.class == VERDICT_CLEAN) == (i == IGNORED || i == NOT_DECOMPOSED), "case %d: %s %s", i,
                      verdict_class_word(v.class), v.name);
        ck_assert_msg(engine_clamav.layers(b.state)->count == 0, "case %d", i);
        cleanup(&b);
    }
}
END_TEST

START_TEST(two_instances_live_in_one_process)
{
    struct bench a, b;
    prepare(&a);
    prepare(&b);
    open_engine(&a);
    open_engine(&b);
    add_text(&a, "TEST-VIRUS-PAYLOAD\r\n");
    struct verdict v = scan(&a);
    EXPECT(v, INFECTED, NONE);
    cleanup(&a);
    add_text(&b, "TEST-VIRUS-PAYLOAD\r\n");
    v = scan(&b);
    EXPECT(v, INFECTED, NONE);
    cleanup(&b);
}
END_TEST

START_TEST(an_engine_is_found_by_its_name)
{
    static const struct engine_conf conf;
    ck_assert_ptr_eq(engine_type_find("clamav", &conf), &engine_clamav);
    ck_assert_ptr_null(engine_type_find("clamav1", &conf));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_open_engine_tells_what_it_is)                                                                                 \
    X(a_harmless_mail_is_clean_and_a_virus_has_its_name)                                                               \
    X(a_virus_in_a_zip_in_a_mail_is_found)                                                                             \
    X(an_encrypted_archive_is_unscannable_unless_switched_off)                                                         \
    X(a_limit_that_is_reached_is_never_clean)                                                                          \
    X(a_message_over_max_filesize_is_too_large)                                                                        \
    X(a_rar_archive_without_unrar_is_never_clean)                                                                      \
    X(an_archive_that_libclamav_cannot_unpack_is_never_clean)                                                          \
    X(a_scan_that_lacks_disk_or_descriptors_is_an_error)                                                               \
    X(a_scan_that_lacks_memory_is_an_error)                                                                            \
    X(a_scan_whose_temporary_files_vanish_is_an_error)                                                                 \
    X(a_database_that_is_missing_empty_or_broken_is_refused)                                                           \
    X(an_ignored_signature_does_not_hide_the_virus_behind_it)                                                          \
    X(what_cannot_be_looked_at_is_not_ignored_with_the_virus_beside_it)                                                \
    X(what_it_took_out_of_a_clean_mail_octet_for_octet_is_known)                                                       \
    X(a_scan_that_found_something_or_was_cut_short_knows_no_layers)                                                    \
    X(two_instances_live_in_one_process)                                                                               \
    X(an_engine_is_found_by_its_name)
#include "support/check_main.h"
