/* SPDX-License-Identifier: MIT */
/* A worker process. Whatever happens in it costs one message; nothing it says is believed beyond the form of an answer.
 * It always leaves by _exit: it shares its parent's exit handlers and leak checkers, which are not its own. */
#include "scan/host/worker.h"
#include "scan/host/inspect.h"
#include "scan/host/look.h"
#include "scan/host/workspace.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

size_t worker_hello_encode(const struct worker_hello *h, unsigned char out[WORKER_HELLO_SIZE])
{
    size_t len = strnlen(h->why, LIMIT_VERDICT_TEXT);
    out[0] = 'H';
    out[1] = (unsigned char)h->birth;
    out[2] = (unsigned char)h->level.landlock_abi;
    out[3] = h->level.seccomp;
    memcpy(out + 4, h->why, len);
    return 4 + len;
}

enum err worker_hello_decode(struct span bytes, struct worker_hello *out)
{
    memset(out, 0, sizeof(*out));
    if (bytes.len < 4 || bytes.len > WORKER_HELLO_SIZE || bytes.ptr[0] != 'H' ||
        (unsigned char)bytes.ptr[1] > WORKER_WORN || (unsigned char)bytes.ptr[3] > 1)
        return ERR_SYNTAX;
    out->birth = (enum worker_birth)bytes.ptr[1];
    out->level.landlock_abi = (unsigned char)bytes.ptr[2];
    out->level.seccomp = bytes.ptr[3] == 1;
    verdict_copy_text(out->why, sizeof(out->why), span_sub(bytes, 4, bytes.len));
    return ERR_OK;
}

/* Blocks until the datagram is gone; an end of the channel is the end of the worker. */
static void send_or_end(int channel, struct span bytes)
{
    enum err e;
    while ((e = fdpass_send(channel, bytes, -1)) == ERR_AGAIN) {
        struct pollfd p = {.fd = channel, .events = POLLOUT};
        poll(&p, 1, -1);
    }
    if (e != ERR_OK)
        _exit(EXIT_SUCCESS);
}

static void leave_the_broker(const struct worker_setup *setup)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != setup->broker) /* it died before that */
        _exit(EXIT_SUCCESS);
    prctl(PR_SET_NAME, "postern-worker");
    signal(SIGINT, SIG_IGN);  /* Ctrl-C goes to the whole group; running scans shall end well */
    signal(SIGTERM, SIG_DFL); /* an operator may end a worker */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* writing beyond the limit is an error of write, not a death */
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
#ifndef POSTERN_SANITIZED /* the log is no place for what hostile code may write; a sanitizer's report is worth it */
        dup2(nothing, STDERR_FILENO);
#endif
    }
    if (setup->output > 0 &&
        (dup2(setup->output, STDOUT_FILENO) < 0 || dup2(setup->output, STDERR_FILENO) < 0)) /* cannot happen */
        _exit(EXIT_FAILURE);
    bool swapped = setup->keeper >= 0 && setup->keeper < setup->channel;
    const int keep[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, swapped ? setup->keeper : setup->channel,
                        swapped ? setup->channel : setup->keeper};
    jail_close_other_fds(keep, setup->keeper < 0 ? ARRAY_SIZE(keep) - 1 : ARRAY_SIZE(keep));
    /* When memory is short in the whole machine, a worker goes first. Not permitted everywhere, and no matter then. */
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, "500", 3);
        (void)ignored;
        close(fd);
    }
}

static enum err start_engines(const struct worker_setup *setup, const char *temp, struct errtext *why)
{
    for (size_t i = 0; i < setup->engine_count; i++) {
        const struct host_engine *e = &setup->engines[i];
        if (e->status == SCAN_ENGINE_READY && e->type->attach)
            e->type->attach(e->state, setup->keeper, i);
        if (e->status == SCAN_ENGINE_READY && e->type->worker_start(e->state, temp, why) != ERR_OK)
            return ERR_STATE;
    }
    return ERR_OK;
}

/* What a plug-in's stanza lets it do; NULL: the pool has none that says anything. Such an engine is alone in its host.
 */
static const struct engine_needs *find_needs(const struct worker_setup *setup)
{
    for (size_t i = 0; i < setup->engine_count; i++) {
        const struct host_engine *e = &setup->engines[i];
        const struct engine_needs *needs =
            e->status == SCAN_ENGINE_READY && e->type->needs ? e->type->needs(e->state) : NULL;
        if (needs && needs->widened)
            return needs;
    }
    return NULL;
}

static void widen(const struct engine_needs *needs, struct sandbox_vendor *vendor, struct sandbox *box)
{
    *vendor = (struct sandbox_vendor){.tcp = needs->port_count > 0,
                                      .unix_sockets = needs->unix_sockets,
                                      .executable_memory = needs->executable_memory,
                                      .read = needs->read,
                                      .read_count = needs->read_count};
    box->vendor = vendor;
    box->ports = needs->ports;
    box->port_count = needs->port_count;
}

/* The ports that its engines connect to. */
static size_t collect_ports(const struct worker_setup *setup, uint16_t out[ENGINE_PORTS])
{
    size_t count = 0;
    for (size_t i = 0; i < setup->engine_count; i++) {
        const struct host_engine *e = &setup->engines[i];
        if (e->status == SCAN_ENGINE_READY && e->type->ports)
            count += e->type->ports(e->state, out + count, ENGINE_PORTS - count);
    }
    return count;
}

/* Directories below file_base. An engine that gets none says so to each message, and the next worker tries again. The
 * descriptors, which hold the locks, stay open for life. Returns the number of PATHS. */
static size_t give_directories(const struct worker_setup *setup, char paths[LIMIT_ENGINES][HANDOVER_PATH])
{
    size_t count = 0;
    for (size_t i = 0; i < setup->engine_count; i++) {
        const struct host_engine *e = &setup->engines[i];
        if (e->status != SCAN_ENGINE_READY || !e->file_base)
            continue;
        struct handover h = {.base = e->file_base, .slot = setup->slot, .engine = i};
        struct errtext why = {""};
        int lock;
        snprintf(h.token, sizeof(h.token), "%s", setup->token);
        if (handover_enter(&h, paths[count], &lock, &why) == ERR_OK)
            e->type->take_directory(e->state, paths[count++], NULL);
        else
            e->type->take_directory(e->state, NULL, why.text);
    }
    return count;
}

/* Its directory emptied of what a predecessor left, its engines told, its cage closed: in this order. Returns the
 * directory's descriptor. */
static int lock_in(const struct worker_setup *setup, struct worker_hello *hello)
{
    char temp[WORKSPACE_PATH];
    struct errtext why = {.text = ""};
    int dirfd = -1;
    hello->birth = WORKER_NO_START;
    enum err e = workspace_open(setup->temp_base, setup->slot, temp, &dirfd, &why);
    if (e == ERR_OK && workspace_clean(dirfd) != ERR_OK) {
        errtext_set(&why, "temporary directory %.300s cannot be emptied: %s", temp, strerror(errno));
        e = ERR_IO;
    }
    if (e == ERR_OK)
        e = start_engines(setup, temp, &why);
    if (e == ERR_OK) {
        uint16_t ports[ENGINE_PORTS];
        char files[LIMIT_ENGINES][HANDOVER_PATH];
        const char *also[LIMIT_ENGINES];
        struct sandbox box = {.temp = temp, .also = also, .limits = setup->limits, .net = setup->net, .ports = ports};
        box.also_count = give_directories(setup, files);
        for (size_t i = 0; i < box.also_count; i++)
            also[i] = files[i];
        box.port_count = setup->net ? collect_ports(setup, ports) : 0;
        struct sandbox_vendor vendor;
        const struct engine_needs *needs = find_needs(setup);
        if (needs)
            widen(needs, &vendor, &box);
        hello->birth = sandbox_enter(&box, &hello->level, &why) == ERR_OK ? WORKER_BORN : WORKER_NO_SANDBOX;
    }
    verdict_copy_text(hello->why, sizeof(hello->why), span_cstr(why.text));
    return dirfd;
}

static const struct host_engine *engine_of(const struct worker_setup *setup, const struct scan_job *job)
{
    for (size_t i = 0; i < setup->engine_count; i++)
        if (strcmp(setup->engines[i].conf->name, job->engine) == 0)
            return &setup->engines[i];
    return NULL;
}

struct host_engine host_inspector(bool ready)
{
    static const struct engine_conf conf = {.enabled = true};
    static const struct framework_engine engine = {
        .name = SCAN_INSPECTOR, .type = SCAN_INSPECTOR, .built = true, .conf = &conf};
    return (struct host_engine){.conf = &engine,
                                .status = ready ? SCAN_ENGINE_READY : SCAN_ENGINE_FAILED,
                                .detail = "this pool takes no messages apart, or had no memory to prepare for it"};
}

static void inspect(const struct worker_setup *setup, const struct scan_job *job, int fd, int parts,
                    struct scan_record *answer)
{
    struct verdict why;
    uint64_t now = clock_monotonic_us();
    if (now < job->deadline_us)
        sandbox_limit_cpu((job->deadline_us - now + 999) / 1000 * 2);
    bool whole = setup->inspector && fd >= 0 && parts >= 0;
    if (whole && inspect_message(setup->inspector, job, fd, parts, &answer->inspected.inspection, &why)) {
        answer->type = SCAN_INSPECTION;
        return;
    }
    if (!whole)
        verdict_set(&why, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "an inspection came without its two files");
    answer->answer.verdict = why;
}

static void scan(const struct look *l, struct verdict *out)
{
    if (!l->engine || l->engine->status != SCAN_ENGINE_READY || l->message < 0)
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_DOWN, "the engine is not open in this worker");
    else
        look_at_message(l, out);
}

/* What the engine of JOB learned about itself goes before the answer. */
static void tell_news(const struct worker_setup *setup, const struct scan_job *job)
{
    const struct host_engine *e = job->kind == SCAN_JOB_ENGINE ? engine_of(setup, job) : NULL;
    struct engine_info info;
    unsigned char bytes[SCAN_RECORD_SIZE];
    struct scan_record r = {.type = SCAN_STATUS, .status = {.state = SCAN_ENGINE_READY}};
    if (!e || e->status != SCAN_ENGINE_READY || !e->type->news || !e->type->news(e->state, &info))
        return;
    r.status.database_version = info.database_version;
    r.status.database_time = info.database_time;
    r.status.signatures = info.signatures;
    verdict_copy_text(r.status.engine, sizeof(r.status.engine), span_cstr(e->conf->name));
    verdict_copy_text(r.status.detail, sizeof(r.status.detail), span_cstr(info.version));
    send_or_end(setup->channel, span_of(bytes, scan_record_encode(&r, bytes)));
}

static void tell_worn(const struct worker_setup *setup, const char *why)
{
    struct worker_hello hello = {.birth = WORKER_WORN};
    unsigned char bytes[WORKER_HELLO_SIZE];
    verdict_copy_text(hello.why, sizeof(hello.why), span_cstr(why));
    send_or_end(setup->channel, span_of(bytes, worker_hello_encode(&hello, bytes)));
}

/* Likewise when it should be replaced. */
static void tell_wear(const struct worker_setup *setup, const struct scan_job *job)
{
    const struct host_engine *e = engine_of(setup, job);
    struct errtext why = {""};
    if (e && e->status == SCAN_ENGINE_READY && e->type->is_worn && e->type->is_worn(e->state, &why))
        tell_worn(setup, why.text);
}

static void work(const struct worker_setup *setup, const struct scan_job *job, const int fds[FDPASS_MAX], int dirfd,
                 struct scan_record *answer)
{
    if (job->kind == SCAN_JOB_INSPECT) {
        inspect(setup, job, fds[0], fds[1], answer);
    } else {
        const struct look l = {.framework = setup->framework,
                               .engine = engine_of(setup, job),
                               .job = job,
                               .message = fds[0],
                               .parts = fds[1],
                               .dirfd = dirfd};
        scan(&l, &answer->answer.verdict);
    }
    if (answer->type == SCAN_INSPECTION)
        answer->inspected.id = job->id;
    else
        answer->answer.id = job->id;
}

/* The files of a job did not come, as there is no number left for them here: that says nothing about its message, and
 * the next one would fare no better here. */
static void refuse(const struct worker_setup *setup, const struct scan_job *job)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    tell_worn(setup, "it has no descriptor left");
    struct scan_record r = {.type = SCAN_ANSWER, .answer.id = job->id};
    verdict_set(&r.answer.verdict, VERDICT_ERROR, VERDICT_REASON_DOWN, "the worker has no descriptor left for it");
    send_or_end(setup->channel, span_of(bytes, scan_record_encode(&r, bytes)));
}

static void serve(const struct worker_setup *setup, int dirfd)
{
    for (;;) {
        struct pollfd p = {.fd = setup->channel, .events = POLLIN};
        poll(&p, 1, -1);
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fds[FDPASS_MAX];
        struct scan_record job, answer = {.type = SCAN_ANSWER};
        enum err e = fdpass_recv_many(setup->channel, bytes, sizeof(bytes), &len, fds);
        if (e == ERR_AGAIN)
            continue;
        bool lost = e == ERR_FULL && len > 0;
        if (e != ERR_OK && !lost)
            _exit(EXIT_SUCCESS); /* the broker is done with this worker */
        if (scan_record_decode(span_of(bytes, len), &job) != ERR_OK || job.type != SCAN_JOB)
            _exit(EXIT_FAILURE);
        if (lost) {
            refuse(setup, &job.job);
            continue;
        }
        work(setup, &job.job, fds, dirfd, &answer);
        for (size_t i = 0; i < FDPASS_MAX; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (workspace_clean(dirfd) != ERR_OK)
            _exit(
                EXIT_FAILURE); /* somebody made what cannot be removed: a fresh worker gets a clean directory or none */
        tell_news(setup, &job.job);
        tell_wear(setup, &job.job);
        len = scan_record_encode(&answer, bytes);
        send_or_end(setup->channel, span_of(bytes, len));
    }
}

_Noreturn void worker_main(const struct worker_setup *setup)
{
    leave_the_broker(setup);
    struct worker_hello hello = {0};
    int dirfd = lock_in(setup, &hello);
    unsigned char bytes[WORKER_HELLO_SIZE];
    size_t len = worker_hello_encode(&hello, bytes);
    send_or_end(setup->channel, span_of(bytes, len));
    if (hello.birth == WORKER_BORN)
        serve(setup, dirfd);
    _exit(EXIT_SUCCESS);
}
