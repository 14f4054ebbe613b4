/* SPDX-License-Identifier: MIT */
/* The edge's end of a channel (scan/scan_client.h) as its scan host may treat it: records of any octets, answers to
 * jobs of another kind, to nobody, twice or in any order, files of parts that are not as they are said to be,
 * descriptors that nobody asked for, an end at any time. Every call has at most one answer and none after it was given
 * up; one is clean, or taken apart, only where a record said so of this very job; no descriptor is left. (C16)
 *
 * An input is orders of one octet, with what they need behind them:
 *   E I   call number n (one octet) asks an engine; has a message taken apart      C  call number n is given up
 *   R D   a record: its length (one octet, times two) and octets; likewise with a descriptor
 *   A     an answer to job n: class, reason       P  an inspection of job n: octets that are written, octets that are
 * said S     a status: state       X  the host's end is closed       N  another host       else: nothing */
#include "base/cursor.h"
#include "fuzz/fuzz.h"
#include "scan/inspection.h"
#include "scan/scan_client.h"
#include "sys/fdpass.h"
#include "sys/memfd.h"
#include <fcntl.h>
#include <unistd.h>

enum { CALLS = 4, JOBS = 16, ROUNDS = 3, ORDERS_MAX = 64, DESCRIPTORS = 256 };

void fuzz_target_words(fuzz_word *word)
{
    static const struct span words[] = {{"E\0", 2},         {"I\1", 2},         {"A\0\0\0", 4}, {"A\0\1\0", 4},
                                        {"P\0\x20\x20", 4}, {"P\0\x20\x21", 4}, {"S\1", 2},     {"XN", 2}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(words[i]);
}

/* A job as the host knows it. */
struct job {
    uint64_t id;
    enum scan_job_kind kind;
    int fd; /* of its parts: those to be written, or those that came with it */
    uint8_t call, serial;
    bool said_good; /* a record called it clean, or what is not trouble; or taken apart, into SIZE octets */
    uint64_t size;
};

struct call {
    struct scan_call call; /* first */
    bool open;             /* it was sent, and nothing has come */
    uint8_t serial;        /* of its sendings */
};

struct play {
    struct loop *loop;
    struct loop_deferred stop;
    struct framework fw;
    struct engine_conf conf;
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct log log;
    struct call calls[CALLS];
    struct job jobs[JOBS];
    size_t job_count;
    int host; /* our end; -1: none */
    unsigned generation;
    int message;
};

static struct play *playing;

static void log_nowhere(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static uint64_t log_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void stop(void *arg)
{
    loop_stop(((struct play *)arg)->loop);
}

static void settle(struct play *p)
{
    for (int i = 0; i < ROUNDS; i++) {
        loop_defer(p->loop, &p->stop);
        loop_run(p->loop);
    }
}

/* ---- What the client is told ---- */

/* Whether a record said so of a job that is C's present one. */
static bool was_said(const struct call *c, uint64_t size)
{
    for (size_t i = 0; i < playing->job_count; i++) {
        const struct job *job = &playing->jobs[i];
        if (job->said_good && &playing->calls[job->call] == c && job->serial == c->serial && job->size == size)
            return true;
    }
    return false;
}

static void answered(struct scan_call *call, const struct verdict *v)
{
    struct call *c = (struct call *)call;
    FUZZ_REQUIRE(c->open);
    c->open = false;
    FUZZ_REQUIRE(v->class < VERDICT_SKIPPED && v->reason < VERDICT_REASON_COUNT);
    FUZZ_REQUIRE(call->kind == SCAN_JOB_ENGINE || v->class == VERDICT_ERROR);
    FUZZ_REQUIRE(v->class == VERDICT_ERROR || was_said(c, 0));
}

static void inspected(struct scan_call *call, const struct scan_inspection *i, int parts)
{
    struct call *c = (struct call *)call;
    FUZZ_REQUIRE(c->open && call->kind == SCAN_JOB_INSPECT);
    c->open = false;
    FUZZ_REQUIRE(was_said(c, i->size));
    int seals = fcntl(parts, F_GET_SEALS);
    FUZZ_REQUIRE((seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW));
    FUZZ_REQUIRE((uint64_t)lseek(parts, 0, SEEK_END) == i->size);
    close(parts);
}

/* ---- What the host does ---- */

static void host_close(struct play *p)
{
    if (p->host >= 0)
        close(p->host);
    p->host = -1;
}

static void host_new(struct play *p)
{
    int fds[2];
    FUZZ_REQUIRE(fdpass_pair(fds) == ERR_OK);
    host_close(p);
    p->host = fds[1];
    scan_client_attach(p->client, 0, ++p->generation, fds[0]);
}

/* Jobs that have come; the octets of what the edge sends are scan_ipc's. */
static void host_read(struct play *p)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    struct scan_record r;
    size_t len;
    int fds[FDPASS_MAX];
    while (p->host >= 0 && fdpass_recv_many(p->host, bytes, sizeof(bytes), &len, fds) == ERR_OK) {
        FUZZ_REQUIRE(scan_record_decode(span_of(bytes, len), &r) == ERR_OK);
        FUZZ_REQUIRE(r.type == SCAN_JOB || r.type == SCAN_CANCEL);
        FUZZ_REQUIRE((fds[0] >= 0) == (r.type == SCAN_JOB));
        if (fds[0] >= 0)
            close(fds[0]);
        if (r.type == SCAN_JOB && p->job_count < JOBS)
            p->jobs[p->job_count++] = (struct job){
                .id = r.job.id, .kind = r.job.kind, .fd = fds[1], .call = r.job.digest[0], .serial = r.job.digest[1]};
        else if (fds[1] >= 0)
            close(fds[1]);
    }
}

static void host_send(struct play *p, struct span bytes, int fd)
{
    struct scan_record r;
    if (p->host < 0 || bytes.len == 0)
        return;
    /* Whatever it is made of: it may be an answer by accident. */
    bool decodes = fd < 0 && scan_record_decode(bytes, &r) == ERR_OK;
    for (size_t i = 0; i < p->job_count && decodes; i++) {
        struct job *job = &p->jobs[i];
        if (r.type == SCAN_ANSWER && job->kind == SCAN_JOB_ENGINE && r.answer.id == job->id)
            job->said_good = job->said_good || r.answer.verdict.class != VERDICT_ERROR;
        if (r.type == SCAN_INSPECTION && job->kind == SCAN_JOB_INSPECT && r.inspected.id == job->id) {
            job->said_good = true;
            job->size = r.inspected.inspection.size;
        }
    }
    (void)!fdpass_send(p->host, bytes, fd);
}

static void host_say(struct play *p, const struct scan_record *r)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    host_send(p, span_of(bytes, scan_record_encode(r, bytes)), -1);
}

static const struct job *job_number(const struct play *p, unsigned n)
{
    static const struct job nobody = {.id = 77, .fd = -1};
    return p->job_count > 0 ? &p->jobs[n % p->job_count] : &nobody;
}

static void host_inspect(struct play *p, unsigned n, unsigned written, unsigned said)
{
    static const char octets[256];
    const struct job *job = job_number(p, n);
    struct scan_record r = {.type = SCAN_INSPECTION, .inspected = {.id = job->id}};
    r.inspected.inspection = (struct scan_inspection){.size = said, .contents = 1, .parts = 1};
    if (job->fd >= 0 && job->kind == SCAN_JOB_INSPECT)
        (void)!pwrite(job->fd, octets, written, 0); /* refused once it is sealed */
    host_say(p, &r);
}

/* ---- Orders ---- */

static void call_send(struct play *p, struct call *c, enum scan_job_kind kind)
{
    struct verdict why;
    if (c->open)
        return;
    const uint8_t digest[32] = {(uint8_t)(c - p->calls), ++c->serial};
    c->open = true; /* an answer may not come from inside */
    bool sent = kind == SCAN_JOB_INSPECT ? scan_call_inspect(&c->call, 0, p->message, 7, digest, &why)
                                         : scan_call_send(&c->call, 0, p->message, 7, digest, &why);
    FUZZ_REQUIRE(sent || why.class == VERDICT_ERROR);
    c->open = sent;
}

static void obey_record(struct play *p, char order, struct cursor *c)
{
    size_t len = (size_t)cursor_u8(c) * 2;
    struct span bytes = span_sub(c->rest, 0, len);
    c->rest = span_sub(c->rest, bytes.len, c->rest.len);
    host_send(p, bytes, order == 'D' ? p->message : -1);
}

static void obey(struct play *p, struct cursor *c)
{
    struct scan_record r = {.type = SCAN_ANSWER};
    char order = (char)cursor_u8(c);
    unsigned n = strchr("EICAPS", order) && order ? cursor_u8(c) : 0;
    struct call *call = &p->calls[n % CALLS];
    switch (order) {
    case 'E':
    case 'I':
        call_send(p, call, order == 'E' ? SCAN_JOB_ENGINE : SCAN_JOB_INSPECT);
        break;
    case 'C':
        scan_call_cancel(&call->call);
        call->open = false;
        break;
    case 'A':
        r.answer.id = job_number(p, n)->id;
        r.answer.verdict.class = (enum verdict_class)(cursor_u8(c) % VERDICT_CLASS_COUNT);
        r.answer.verdict.reason = (enum verdict_reason)(cursor_u8(c) % VERDICT_REASON_COUNT);
        host_say(p, &r);
        break;
    case 'P': {
        unsigned written = cursor_u8(c);
        host_inspect(p, n, written, cursor_u8(c));
        break;
    }
    case 'S':
        r = (struct scan_record){.type = SCAN_STATUS,
                                 .status = {.state = (enum scan_engine_state)(n % 3), .engine = "one"}};
        host_say(p, &r);
        break;
    case 'R':
    case 'D':
        obey_record(p, order, c);
        break;
    case 'X':
        host_close(p);
        break;
    case 'N':
        host_new(p);
        break;
    default:
        break;
    }
}

/* ---- A run ---- */

static void begin(struct play *p)
{
    p->conf = (struct engine_conf){.enabled = true, .error_code = 451, .timeout_ms = 3600000, .mime_decompose = true};
    p->fw.engine_count = 1;
    p->fw.engines[0] =
        (struct framework_engine){.name = "one", .type = "fake", .pool = "CPU", .built = true, .conf = &p->conf};
    p->fw.pool_count = 1;
    p->fw.pools[0].name = "CPU";
    p->log = (struct log){.write = log_nowhere, .wallclock_ms = log_clock, .arg = p};
    p->host = -1;
    p->loop = loop_new();
    p->message = memfd_new("message");
    p->runtime = scan_runtime_new(&p->fw);
    FUZZ_REQUIRE(p->loop && p->runtime && p->message >= 0 && write(p->message, "Message", 7) == 7);
    loop_deferred_init(&p->stop, stop, p);
    p->client = scan_client_new(p->loop, p->runtime, &p->log, true);
    FUZZ_REQUIRE(p->client);
    for (size_t i = 0; i < CALLS; i++) {
        scan_call_init(&p->calls[i].call, p->client, answered);
        p->calls[i].call.inspected = inspected;
    }
    host_new(p);
}

static void end(struct play *p)
{
    for (size_t i = 0; i < CALLS; i++)
        scan_call_cancel(&p->calls[i].call);
    host_read(p);
    host_close(p);
    settle(p);
    scan_client_free(p->client);
    scan_runtime_free(p->runtime);
    for (size_t i = 0; i < p->job_count; i++)
        if (p->jobs[i].fd >= 0)
            close(p->jobs[i].fd);
    close(p->message);
    loop_free(p->loop);
}

static unsigned count_descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    struct cursor c = cursor_of(span_of(data, size));
    unsigned descriptors = count_descriptors();
    memset(&play, 0, sizeof(play));
    playing = &play;
    begin(&play);
    for (unsigned orders = 0; orders < ORDERS_MAX && !cursor_at_end(&c); orders++) {
        obey(&play, &c);
        settle(&play);
        host_read(&play);
    }
    end(&play);
    FUZZ_REQUIRE(count_descriptors() == descriptors);
    return 0;
}
