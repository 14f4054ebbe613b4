/* SPDX-License-Identifier: MIT */
/* For tests of the engine clamav: libclamav with a database of one signature of our own, in a directory of our own. */
#ifndef SCAN_ENGINE_CLAMAV_BENCH_H
#define SCAN_ENGINE_CLAMAV_BENCH_H

#include "scan/engine/engine.h"
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGE_MAX = 256 * 1024 };
static const char signature[] = "Test.Payload:0:*:544553542d56495255532d5041594c4f4144\n";

struct bench {
    char dir[64], database[96], temp[96];
    struct engine_conf conf;
    struct engine_info info;
    struct errtext why;
    void *state;
    unsigned char message[MESSAGE_MAX];
    size_t len;
};

static inline void write_file(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ck_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

/* The database is empty. */
static inline void prepare(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    snprintf(b->dir, sizeof(b->dir), "/tmp/postern-engine-XXXXXX");
    ck_assert(mkdtemp(b->dir) != NULL);
    snprintf(b->database, sizeof(b->database), "%s/db", b->dir);
    snprintf(b->temp, sizeof(b->temp), "%s/temp", b->dir);
    ck_assert(mkdir(b->database, 0700) == 0 && mkdir(b->temp, 0700) == 0);
    b->conf = (struct engine_conf){.enabled = true,
                                   .database = b->database,
                                   .alert_encrypted = true,
                                   .max_scansize = 400 << 20,
                                   .max_filesize = 100 << 20,
                                   .max_recursion = 17,
                                   .max_files = 10000};
}

static inline void write_signature(const struct bench *b)
{
    write_file(b->database, "test.ndb", signature, sizeof(signature) - 1);
}

static inline void cleanup(struct bench *b)
{
    static const char *const names[] = {"db/test.ndb", "db", "temp", "."};
    engine_clamav.close(b->state);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[256];
        snprintf(path, sizeof(path), i + 1 < ARRAY_SIZE(names) ? "%s/%s" : "%s", b->dir, names[i]);
        if (remove(path) != 0 && i > 0)
            ck_abort_msg("%s is not empty", path); /* of the temporary directory: the scan left files */
    }
}

#endif
