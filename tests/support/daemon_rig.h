/* SPDX-License-Identifier: MIT */
/* An engine that asks a scripted daemon, in this process: open, scan, close. */
#ifndef SUPPORT_DAEMON_RIG_H
#define SUPPORT_DAEMON_RIG_H
#include "support/scripted_daemon.h"

#include <dirent.h>
#include <sys/mman.h>

#include "scan/engine/engine.h"

#define CLEANMSG "From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
#define BADMSG   "From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\n"

enum { LONG_MS = 20000, MAX_SIZE = 1 << 20 };

struct rigged {
    struct daemon_script d;
    const struct engine_type *type;
    struct engine_conf conf; /* change it before rigged_open */
    const char *names[2];
    char dir[64]; /* where files for the daemon go */
    char texts[8][512];
    void *state;
};

static inline void rigged_listen(struct rigged *r, const struct engine_type *type, bool local)
{
    memset(r, 0, sizeof(*r));
    daemon_listen(&r->d, local);
    r->type = type;
    r->names[0] = r->d.name;
    snprintf(r->dir, sizeof(r->dir), "/tmp/postern-files-XXXXXX");
    ck_assert(mkdtemp(r->dir) != NULL);
    r->conf = (struct engine_conf){.daemon = {r->names, 1},
                                   .daemon_connect_ms = LONG_MS,
                                   .max_filesize = MAX_SIZE,
                                   .timeout_ms = LONG_MS,
                                   .max_recursion = 5,
                                   .file_base = "/tmp",
                                   .scan_flags = "bPQRSTUW",
                                   .netscan_command = "NETSCAN",
                                   .icap_service = "avscan",
                                   .icap_preview = 65536,
                                   .icap_http_headers = true,
                                   .workers = 4};
}

static inline void rigged_open(struct rigged *r)
{
    struct engine_info info;
    struct errtext why;
    ck_assert_ptr_eq(engine_type_find(r->type->name, &r->conf), r->type);
    ck_assert_msg(r->type->open(&r->conf, &r->state, &info, &why) == ERR_OK, "%s", why.text);
    ck_assert(strstr(info.version, "not asked yet") != NULL);
    ck_assert_uint_eq(info.database_version, 0);
    ck_assert(r->type->worker_start(r->state, "/nonexistent", &why) == ERR_OK);
    if (r->type->file_base && r->type->file_base(&r->conf))
        r->type->take_directory(r->state, r->dir, NULL);
}

static inline unsigned rigged_files(const struct rigged *r)
{
    unsigned count = 0;
    DIR *dir = opendir(r->dir);
    ck_assert(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* No file may be left. */
static inline void rigged_close(struct rigged *r)
{
    r->type->close(r->state);
    daemon_join(&r->d);
    ck_assert_uint_eq(rigged_files(r), 0);
    ck_assert(rmdir(r->dir) == 0);
}

static inline struct verdict scan_for(struct rigged *r, struct span message, uint64_t ms)
{
    struct verdict v;
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, message.ptr, message.len) == (ssize_t)message.len);
    r->type->scan(r->state, fd, message.len, ms, &v);
    close(fd);
    return v;
}

static inline struct verdict scan(struct rigged *r, struct span message)
{
    return scan_for(r, message, LONG_MS);
}

#define IS(v, the_class, the_reason, the_name)                                                                         \
    ck_assert_msg((v).class == VERDICT_##the_class && (v).reason == VERDICT_REASON_##the_reason &&                     \
                      strcmp((v).name, the_name) == 0,                                                                 \
                  "found %s %s \"%s\": %s", verdict_class_word((v).class), verdict_reason_word((v).reason), (v).name,  \
                  (v).detail)

/* An answer that is no verdict, and the trouble that it means. */
struct bad_answer {
    struct span answer;
    enum verdict_reason reason;
};
/* ANSWERED: what comes of a scan to which a daemon answers so. */
static inline void bad_answers_check(const struct bad_answer *rows, size_t count,
                                     struct verdict (*answered)(struct span answer))
{
    for (size_t i = 0; i < count; i++) {
        struct verdict v = answered(rows[i].answer);
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == rows[i].reason, "row %zu: %s %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason));
    }
}

#define DO(r, act, text) daemon_add(&(r)->d, DAEMON_##act, SPAN(text))
/* A step whose text holds the number of a file: FORMAT has %s for the directory and %u for the number. */
#define DO_FILE(r, act, slot, format, number)                                                                          \
    do {                                                                                                               \
        snprintf((r)->texts[slot], sizeof((r)->texts[slot]), format, (r)->dir, (unsigned)(number));                    \
        daemon_add(&(r)->d, DAEMON_##act, span_cstr((r)->texts[slot]));                                                \
    } while (0)

#endif
