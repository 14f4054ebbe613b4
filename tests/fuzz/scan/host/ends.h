/* SPDX-License-Identifier: MIT */
/* The other ends of a broker's sockets, for fuzz_broker.c: what comes to edges, workers and the supervisor goes into
 * the ledger, and so does what they send. And the program that the broker is part of: as every such program it has a
 * list of engines of its own, and as no worker ever runs in it, nothing to take messages apart with. */
#ifndef FUZZ_SCAN_HOST_ENDS_H
#define FUZZ_SCAN_HOST_ENDS_H

#include "base/cursor.h"
#include "fuzz/scan/host/ledger.h"
#include "scan/engine/engine.h"
#include "scan/host/inspect.h"
#include "sys/memfd.h"
#include <sys/resource.h>

enum { EXTRA = 6 /* descriptors that nobody asked for */ };

enum phase { ORDERS, ASK, COMPARE, GOOD, END };

static struct play {
    struct framework fw;
    struct engine_conf confs[3];
    struct cursor orders;
    unsigned options, order_count, moves;
    enum phase phase;
    bool alone;                                /* the order is the only one before the broker goes on */
    int control;                               /* the supervisor's end */
    int files[DIGESTS], parts, empty, pipe[2]; /* messages, which differ in size; a file of parts; one to be written */
    uint64_t jobs;                             /* so that no two deadlines are the same */
    struct {
        bool set;
        unsigned at;
        uint8_t value;
    } change; /* of the next record */
    unsigned extra;
    bool shortage, shortage_next;
    struct rlimit limit;
    /* Descriptors: before the run; that the host and we have all the time; that were needed when the broker rested. */
    unsigned before, constant, needed;
    unsigned engines_told;
} play;

/* ---- The program ---- */

static int engine_state;

static enum err open_engine(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    (void)conf;
    (void)why;
    *state = &engine_state;
    info->database_version = 1;
    return ERR_OK;
}

static enum err open_nothing(const struct engine_conf *conf, void **state, struct engine_info *info,
                             struct errtext *why)
{
    (void)conf;
    (void)state;
    (void)info;
    errtext_set(why, "it cannot be opened");
    return ERR_STATE;
}

static void close_engine(void *state)
{
    FUZZ_REQUIRE(state == &engine_state);
}

static bool tell_news(void *state, struct engine_info *info)
{
    (void)state;
    (void)info;
    return false;
}

static const char *database_of(const struct engine_conf *conf)
{
    return conf->database;
}

const struct engine_type *engine_type_find(const char *name, const struct engine_conf *conf)
{
    static const struct engine_type types[] = {
        {.name = "local", .open = open_engine, .close = close_engine, .database = database_of},
        {.name = "asking", .cage = ENGINE_CAGE_NET, .open = open_engine, .close = close_engine, .news = tell_news},
        {.name = "broken", .open = open_nothing, .close = close_engine},
    };
    (void)conf;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

struct inspector *inspector_new(void)
{
    return (struct inspector *)(void *)&engine_state;
}

void inspector_free(struct inspector *i)
{
    (void)i;
}

bool inspect_message(struct inspector *i, const struct scan_job *job, int fd, int out, struct scan_inspection *result,
                     struct verdict *why)
{
    (void)i;
    (void)job;
    (void)fd;
    (void)out;
    (void)result;
    (void)why;
    abort();
}

/* ---- Messages ---- */

static int file_new(const char *name, size_t len)
{
    int fd = memfd_new(name);
    FUZZ_REQUIRE(fd >= 0 && fd_write_all(fd, span_of("Message!!!!", len)) == ERR_OK);
    return fd;
}

static void files_open(void)
{
    for (unsigned i = 0; i < DIGESTS; i++)
        play.files[i] = file_new("message", 7 + i);
    play.parts = file_new("parts", 5);
    play.empty = file_new("empty", 0);
    FUZZ_REQUIRE(pipe(play.pipe) == 0);
}

static void files_close(void)
{
    for (unsigned i = 0; i < DIGESTS; i++)
        close(play.files[i]);
    close(play.parts);
    close(play.empty);
    close(play.pipe[0]);
    close(play.pipe[1]);
}

/* ---- What comes from the broker ---- */

static void worker_read(struct process *p)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    struct scan_record r;
    size_t len;
    int fds[FDPASS_MAX];
    while (p->end >= 0 && fdpass_recv_many(p->end, bytes, sizeof(bytes), &len, fds) == ERR_OK) {
        FUZZ_REQUIRE(scan_record_decode(span_of(bytes, len), &r) == ERR_OK && r.type == SCAN_JOB);
        ledger_given(p, &r.job, fds);
        for (size_t i = 0; i < FDPASS_MAX; i++)
            if (fds[i] >= 0)
                close(fds[i]);
    }
}

static void edge_told(struct edge *e, const struct scan_record *r)
{
    FUZZ_REQUIRE(r->type == SCAN_ANSWER || r->type == SCAN_INSPECTION || r->type == SCAN_STATUS ||
                 r->type == SCAN_POOL);
    if (r->type == SCAN_STATUS) {
        ledger_status(&r->status);
    } else if (r->type == SCAN_POOL) {
        FUZZ_REQUIRE(++e->pools <= e->queries);
        ledger_pool(&r->pool);
    } else {
        ledger_answered(e, r);
    }
}

static void edge_read(struct edge *e)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    struct scan_record r;
    size_t len;
    int fd;
    enum err got = ERR_OK;
    unsigned ends = 0; /* the first may only say that what we sent was not read */
    while (edge_is_open(e) && !e->deaf && ends < 2 && got != ERR_AGAIN) {
        got = fdpass_recv(e->fd, bytes, sizeof(bytes), &len, &fd);
        ends += got == ERR_CLOSED;
        FUZZ_REQUIRE(got == ERR_OK || got == ERR_CLOSED || got == ERR_AGAIN);
        if (got == ERR_OK) {
            FUZZ_REQUIRE(fd < 0 && scan_record_decode(span_of(bytes, len), &r) == ERR_OK);
            edge_told(e, &r);
        }
    }
    e->gone = e->gone || ends > 0;
}

static void control_read(void)
{
    char bytes[4 + SCAN_RECORD_SIZE];
    size_t len;
    int fd;
    while (play.control >= 0 && fdpass_recv(play.control, bytes, sizeof(bytes), &len, &fd) == ERR_OK) {
        FUZZ_REQUIRE(fd < 0 && (bytes[0] == 'E' || bytes[0] == 'L'));
        play.engines_told += bytes[0] == 'E';
        FUZZ_REQUIRE(!ledger.loaded);
        ledger.loaded = bytes[0] == 'L';
    }
    FUZZ_REQUIRE(!ledger.loaded || play.engines_told == play.fw.engine_count);
}

/* ---- Shortage of descriptors: no number is free below the limit ---- */

static void shortage_set(bool on)
{
    struct rlimit none = play.limit;
    int lowest = on ? dup(play.files[0]) : -1;
    if (lowest >= 0) {
        none.rlim_cur = (rlim_t)lowest;
        close(lowest);
    }
    FUZZ_REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
}

static void play_observe(void)
{
    if (play.shortage)
        shortage_set(false);
    control_read();
    for (size_t i = 0; i < kernel.process_count; i++)
        if (!kernel.processes[i].scanner)
            worker_read(&kernel.processes[i]);
    for (size_t i = 0; i < EDGES; i++)
        edge_read(&ledger.edges[i]);
    edge_read(&ledger.monitor);
    if (play.shortage)
        shortage_set(true);
}

static void play_starved(void)
{
    ledger.starved++;
}

static void play_before_kill(struct process *p)
{
    (void)p;
    play_observe();
}

static void play_reaped(const struct process *p)
{
    play_observe();
    ledger.reaped += ledger.loaded && !p->scanner && p->pidfd >= 0;
}

/* ---- What edges and workers send ---- */

static bool send_bytes(int fd, struct span bytes, const int *fds, unsigned count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE((FDPASS_MAX + EXTRA) * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Those of a record, and what else was ordered to come with it. */
static unsigned add_extra(int *fds, unsigned count)
{
    for (; play.extra > 0; play.extra--)
        fds[count++] = play.files[0];
    return count;
}

static size_t change_record(unsigned char *bytes, size_t len)
{
    if (play.change.set && len > 0)
        bytes[play.change.at % len] ^= play.change.value;
    play.change.set = false;
    return len;
}

static void edge_send(struct edge *e, unsigned char *bytes, size_t len, const int *files, unsigned file_count)
{
    int fds[FDPASS_MAX + EXTRA];
    for (unsigned i = 0; i < file_count; i++)
        fds[i] = files[i];
    unsigned count = add_extra(fds, file_count);
    struct span record = span_of(bytes, change_record(bytes, len));
    if (!edge_is_open(e) || len == 0 || !ledger_edge_may_send(record))
        return;
    if (send_bytes(e->fd, record, fds, count))
        ledger_edge_sent(e, record, fds, count, play.shortage);
}

static void edge_say(struct edge *e, const struct scan_record *r, const int *files, unsigned file_count)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    edge_send(e, bytes, scan_record_encode(r, bytes), files, file_count);
}

static void worker_send(struct process *p, unsigned char *bytes, size_t len)
{
    int fds[EXTRA];
    unsigned count = add_extra(fds, 0);
    struct span record = span_of(bytes, change_record(bytes, len));
    if (p->end < 0 || len == 0 || !send_bytes(p->end, record, fds, count))
        return;
    ledger_worker_sent(p, record, count, play.alone);
}

static void worker_say(struct process *p, const struct scan_record *r)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    worker_send(p, bytes, scan_record_encode(r, bytes));
}

static void worker_greet(struct process *p, unsigned birth)
{
    unsigned char bytes[WORKER_HELLO_SIZE];
    struct worker_hello hello = {.birth = (enum worker_birth)birth, .level.landlock_abi = 2, .level.seccomp = true};
    if (birth != WORKER_BORN)
        snprintf(hello.why, sizeof(hello.why), "it has its reasons");
    worker_send(p, bytes, worker_hello_encode(&hello, bytes));
}

#endif
