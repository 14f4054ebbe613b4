/* SPDX-License-Identifier: MIT */
/* A real scan host in a child process, spoken to over its real sockets, for tests of src/scan/host. */
#ifndef SUPPORT_SCAN_RIG_H
#define SUPPORT_SCAN_RIG_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/host/host.h"
#include "scan/scan_ipc.h"
#include "sys/clock.h"
#include "sys/fdpass.h"

enum { RIG_PATIENCE_MS = 20000, RIG_LOG_MAX = 256 * 1024 };

struct rig {
    struct framework *fw; /* change it before rig_start */
    struct engine_conf conf;
    char dir[64], temp[80];
    void (*before)(void); /* runs in the host's process first */
    bool cannot_fork;     /* then neither can the leak checker: the host leaves without it */
    pid_t host;
    int control, channel, log_fd;
    uint64_t last_id;
};

/* Whether the filter is lifted (gcov, valgrind and ThreadSanitizer need calls that it refuses); says then what is not tested. */
static inline bool rig_seccomp_lifted(const char *untested)
{
#ifdef POSTERN_SANDBOX_SWITCH
    const char *value = getenv("POSTERN_NO_SECCOMP");
    if (value && strcmp(value, "1") == 0) {
        fprintf(stderr, "SKIPPED, as POSTERN_NO_SECCOMP lifts seccomp: %s\n", untested);
        return true;
    }
#endif
    (void)untested;
    return false;
}

static inline void rig_log_write(void *arg, enum log_level level, struct span line)
{
    (void)level;
    char text[LIMIT_LOG_LINE + 2];
    int n = snprintf(text, sizeof(text), "%.*s\n", SPAN_ARG(line));
    ssize_t ignored = write(*(int *)arg, text, n > 0 ? (size_t)n : 0);
    (void)ignored;
}

static inline uint64_t rig_log_clock(void *arg)
{
    (void)arg;
    return clock_wall_ms();
}

/* One worker, one fake engine; nothing runs yet. */
static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    r->fw = calloc(1, sizeof(*r->fw));
    ck_assert(r->fw != NULL);
    r->conf = (struct engine_conf){.enabled = true, .timeout_ms = 10000};
    r->fw->engines[0] =
        (struct framework_engine){.name = "fake1", .type = "fake", .pool = "CPU", .built = true, .conf = &r->conf};
    r->fw->engine_count = 1;
    r->fw->pools[0] = (struct framework_pool){.name = "CPU",
                                              .conf = {.concurrency = 1,
                                                       .backlog = 16,
                                                       .stack_size = 8 << 20,
                                                       .memory_limit = (int64_t)1 << 30,
                                                       .temp_size = 8 << 20,
                                                       .jobs_per_worker = 1000}};
    r->fw->pool_count = 1;
    snprintf(r->dir, sizeof(r->dir), "/tmp/postern-rig-XXXXXX");
    ck_assert(mkdtemp(r->dir) != NULL);
    snprintf(r->temp, sizeof(r->temp), "%s/temp", r->dir);
    r->log_fd = memfd_create("log", MFD_CLOEXEC);
    ck_assert(r->log_fd >= 0 && fcntl(r->log_fd, F_SETFL, O_APPEND) == 0);
}

static inline int rig_attach(const struct rig *r)
{
    int pair[2];
    ck_assert(fdpass_pair(pair) == ERR_OK);
    ck_assert(fdpass_send(r->control, SPAN("C\0\0"), pair[1]) == ERR_OK);
    close(pair[1]);
    return pair[0];
}

static inline void rig_start(struct rig *r)
{
    int pair[2];
    ck_assert(fdpass_pair(pair) == ERR_OK);
    r->host = fork();
    ck_assert(r->host >= 0);
    if (r->host == 0) {
        struct log log = {.write = rig_log_write, .wallclock_ms = rig_log_clock, .arg = &r->log_fd};
        struct scan_host_options o = {.framework = r->fw, .control_fd = pair[1], .temp_base = r->temp, .log = &log};
        close(pair[0]);
        if (r->before)
            r->before();
        int status = scan_host_run(&o);
        free(r->fw);
        if (r->cannot_fork)
            _exit(status);
        exit(status); /* leak checkers have their say */
    }
    close(pair[1]);
    r->control = pair[0];
    r->channel = rig_attach(r);
}

static inline const char *rig_log(const struct rig *r)
{
    static char text[RIG_LOG_MAX];
    ssize_t n = pread(r->log_fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline bool rig_record_within(int channel, int ms, struct scan_record *out)
{
    struct pollfd p = {.fd = channel, .events = POLLIN};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len;
    int fd;
    if (poll(&p, 1, ms) != 1)
        return false;
    enum err e = fdpass_recv(channel, bytes, sizeof(bytes), &len, &fd);
    return e == ERR_OK && fd < 0 && scan_record_decode(span_of(bytes, len), out) == ERR_OK;
}

static inline struct scan_status rig_status(const struct rig *r, int channel)
{
    struct scan_record record;
    ck_assert_msg(rig_record_within(channel, RIG_PATIENCE_MS, &record) && record.type == SCAN_STATUS,
                  "no status; log:\n%s", rig_log(r));
    return record.status;
}

/* The next answer, statuses passed over. */
static inline struct scan_answer rig_answer_on(const struct rig *r, int channel)
{
    struct scan_record record;
    do
        ck_assert_msg(rig_record_within(channel, RIG_PATIENCE_MS, &record), "no answer; log:\n%s", rig_log(r));
    while (record.type == SCAN_STATUS);
    ck_assert(record.type == SCAN_ANSWER);
    return record.answer;
}

static inline struct scan_answer rig_answer(const struct rig *r)
{
    return rig_answer_on(r, r->channel);
}

static inline int rig_message(const void *bytes, size_t len)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    return fd;
}

static inline void rig_send(int channel, const struct scan_record *record, int fd)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(record, bytes);
    ck_assert(fdpass_send(channel, span_of(bytes, len), fd) == ERR_OK);
}

/* A digest that is good enough to tell the messages of one test apart. */
static inline void rig_digest(const char *text, size_t len, uint8_t digest[32])
{
    uint64_t h = 1469598103934665603U;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211U;
    memset(digest, 0, 32);
    memcpy(digest, &h, sizeof(h));
}

static inline uint64_t rig_job_bytes(struct rig *r, const void *bytes, size_t len, uint64_t ms)
{
    struct scan_record record = {.type = SCAN_JOB};
    record.job.id = ++r->last_id;
    snprintf(record.job.engine, sizeof(record.job.engine), "%s", r->fw->engines[0].name);
    record.job.size = len;
    record.job.deadline_us = clock_monotonic_us() + ms * 1000;
    rig_digest(bytes, len, record.job.digest);
    int fd = rig_message(bytes, len);
    rig_send(r->channel, &record, fd);
    close(fd);
    return record.job.id;
}

/* A message with the line `X-Fake: ORDERS`, where a bar separates orders. */
static inline uint64_t rig_job(struct rig *r, const char *orders, uint64_t ms)
{
    char text[512];
    size_t len = (size_t)snprintf(text, sizeof(text), "Subject: test\r\nX-Fake: ");
    for (const char *c = orders; *c; c++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, *c == '|' ? "\r\nX-Fake: " : "%c", *c);
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n\r\nhello\r\n");
    return rig_job_bytes(r, text, len, ms);
}

static inline void rig_cancel(const struct rig *r, uint64_t id)
{
    struct scan_record record = {.type = SCAN_CANCEL, .cancel = id};
    rig_send(r->channel, &record, -1);
}

/* Process ids of the host's workers. */
static inline size_t rig_workers(const struct rig *r, int *pids, size_t max)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)r->host, (int)r->host);
    FILE *f = fopen(path, "r");
    ck_assert(f != NULL);
    size_t n = 0;
    while (n < max && fscanf(f, "%d", &pids[n]) == 1)
        n++;
    fclose(f);
    return n;
}

static inline int rig_remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static int rig_count_files;
static inline int rig_count_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)path, (void)st;
    rig_count_files += at->level > 1 && flag != FTW_DNR;
    return 0;
}

/* Entries inside the slots. */
static inline int rig_temp_files(const struct rig *r)
{
    rig_count_files = 0;
    ck_assert(nftw(r->temp, rig_count_entry, 8, FTW_PHYS) == 0);
    return rig_count_files;
}

/* The supervisor goes; the host must follow, with status 0 and nothing left behind. */
static inline void rig_stop(struct rig *r)
{
    int status;
    close(r->control);
    ck_assert(waitpid(r->host, &status, 0) == r->host);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the host ended with %x; log:\n%s", (unsigned)status,
                  rig_log(r));
    close(r->channel);
    close(r->log_fd);
    free(r->fw);
    nftw(r->dir, rig_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#define RIG_EXPECT(r, a, the_class, the_reason)                                                                        \
    ck_assert_msg((a).verdict.class == VERDICT_##the_class && (a).verdict.reason == VERDICT_REASON_##the_reason,       \
                  "job %llu: found %s %s \"%s\": %s; log:\n%s", (unsigned long long)(a).id,                            \
                  verdict_class_word((a).verdict.class), verdict_reason_word((a).verdict.reason), (a).verdict.name,    \
                  (a).verdict.detail, rig_log(r))

#endif
