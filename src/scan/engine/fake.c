/* SPDX-License-Identifier: MIT */
/* The test engine: does what the message tells it to, so that tests can see every way in which a worker can fail. Built
 * with POSTERN_TEST_ENGINE only.
 *
 * Lines `X-Fake: ORDER` among the first 64 KiB are obeyed in their order; the first that gives a verdict ends the scan,
 * and without any the message is clean: clean | infected NAME | unscannable REASON | error REASON     verdicts; REASON
 * as in verdict.def crash | abort | exit N | hang | spin | delay MS               ends, and ways not to end memory MB |
 * disk MB | files N                                 uses that much; running into the limit is a verdict fork | exec |
 * connect | kill | chmod | open PATH                      tries to leave the sandbox; success is `infected Escaped.…`
 * garbage | wrong-id | truncated-answer | silent-close          takes over the worker's channel, as hostile code would
 */
#ifdef POSTERN_TEST_ENGINE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "scan/engine/engine.h"
#include "scan/scan_ipc.h"

enum { LOOK_AT = 64 * 1024, MIB = 1024 * 1024 };

struct fake {
    char temp[4096];
};

struct order {
    struct span argument;
    const struct fake *fake;
    struct verdict *out;
};

static uint64_t number(const struct order *o)
{
    uint64_t n;
    return num_parse_u64(o->argument, UINT32_MAX, &n) == ERR_OK ? n : 0;
}

static void give_up(struct verdict *out, enum verdict_reason reason, const char *doing)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s: %s", doing, strerror(errno));
    verdict_set(out, VERDICT_ERROR, reason, detail);
}

static void escaped(struct verdict *out, const char *how)
{
    verdict_set(out, VERDICT_INFECTED, VERDICT_REASON_NONE, how);
    verdict_copy_text(out->name, sizeof(out->name), span_cstr(how));
}

/* Each order returns true when it gave a verdict. */
static bool order_clean(const struct order *o)
{
    verdict_set(o->out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    return true;
}

static bool order_infected(const struct order *o)
{
    verdict_set(o->out, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(o->out->name, sizeof(o->out->name), o->argument);
    return true;
}

static bool order_reason(const struct order *o)
{
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        if (span_eq(o->argument, span_cstr(verdict_reason_word((enum verdict_reason)r)))) {
            verdict_set(o->out, verdict_reason_class((enum verdict_reason)r), (enum verdict_reason)r,
                        "as the message asked");
            return true;
        }
    verdict_set(o->out, VERDICT_ERROR, VERDICT_REASON_ENGINE, "X-Fake: no such reason");
    return true;
}

__attribute__((no_sanitize("undefined"))) static bool order_crash(const struct order *o)
{
    (void)o;
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
    return false;
}

static bool order_abort(const struct order *o)
{
    (void)o;
    abort();
}

static bool order_exit(const struct order *o)
{
    _exit((int)number(o));
}

static bool order_hang(const struct order *o)
{
    (void)o;
    while (poll(NULL, 0, -1) <= 0)
        ;
    return false;
}

static bool order_spin(const struct order *o)
{
    (void)o;
    volatile unsigned zero = 0;
    while (!zero)
        ;
    return false;
}

static bool order_delay(const struct order *o)
{
    poll(NULL, 0, (int)number(o));
    return false;
}

static bool order_memory(const struct order *o)
{
    uint64_t count = number(o);
    for (uint64_t i = 0; i < count; i++) { /* leaking is the order */
        char *block = malloc(MIB);
        if (!block) {
            give_up(o->out, VERDICT_REASON_MEMORY, "malloc");
            return true;
        }
        memset(block, 0x55, MIB);
    }
    return false;
}

static int new_file(const struct order *o, const char *name)
{
    char path[sizeof(o->fake->temp) + 32];
    snprintf(path, sizeof(path), "%s/%s", o->fake->temp, name);
    return open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
}

static bool order_disk(const struct order *o)
{
    static const char zeros[64 * 1024];
    uint64_t left = number(o) * MIB;
    int fd = new_file(o, "big");
    bool failed = fd < 0;
    while (!failed && left > 0) {
        ssize_t n = write(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
        failed = n <= 0;
        left -= failed ? 0 : (uint64_t)n;
    }
    if (failed)
        give_up(o->out, VERDICT_REASON_ENGINE, "writing a temporary file");
    if (fd >= 0)
        close(fd);
    return failed;
}

static bool order_files(const struct order *o)
{
    uint64_t count = number(o);
    for (uint64_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "f%llu", (unsigned long long)i);
        int fd = new_file(o, name);
        if (fd < 0) {
            give_up(o->out, VERDICT_REASON_ENGINE, "making a temporary file");
            return true;
        }
        close(fd);
    }
    return false;
}

static bool order_fork(const struct order *o)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        escaped(o->out, "Escaped.fork");
    else
        give_up(o->out, VERDICT_REASON_ENGINE, "fork");
    return true;
}

static bool order_exec(const struct order *o)
{
    execl("/bin/true", "true", (char *)NULL);
    give_up(o->out, VERDICT_REASON_ENGINE, "execve");
    return true;
}

static bool order_connect(const struct order *o)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        escaped(o->out, "Escaped.socket");
        close(fd);
    } else {
        give_up(o->out, VERDICT_REASON_ENGINE, "socket");
    }
    return true;
}

static bool order_kill(const struct order *o)
{
    if (kill(getppid(), 0) == 0)
        escaped(o->out, "Escaped.kill");
    else
        give_up(o->out, VERDICT_REASON_ENGINE, "kill");
    return true;
}

static bool order_chmod(const struct order *o)
{
    if (chmod(o->fake->temp, 0) == 0)
        escaped(o->out, "Escaped.chmod");
    else
        give_up(o->out, VERDICT_REASON_ENGINE, "chmod");
    return true;
}

static bool order_open(const struct order *o)
{
    char path[256];
    verdict_copy_text(path, sizeof(path), o->argument);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        escaped(o->out, "Escaped.open");
        close(fd);
    } else {
        give_up(o->out, VERDICT_REASON_ENGINE, "open");
    }
    return true;
}

/* The worker's channel is not handed to engines. Code that took the worker over would look for it like this. */
static int find_channel(void)
{
    struct stat st;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
            return fd;
    return -1;
}

static bool send_and_hang(const struct order *o, const void *bytes, size_t len)
{
    struct iovec part = {.iov_base = NULL, .iov_len = len};
    memcpy(&part.iov_base, &bytes, sizeof(bytes)); /* iovec has no const */
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (sendmsg(find_channel(), &message, MSG_NOSIGNAL) < 0)
        _exit(99);
    return order_hang(o);
}

static bool order_garbage(const struct order *o)
{
    return send_and_hang(o, "\xff\xff no record at all \xff", 21);
}

static bool lie(const struct order *o, bool whole)
{
    struct scan_record r = {.type = SCAN_ANSWER, .answer = {.id = UINT64_MAX}};
    verdict_set(&r.answer.verdict, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&r, bytes);
    return send_and_hang(o, bytes, whole ? len : len / 2);
}

static bool order_wrong_id(const struct order *o)
{
    return lie(o, true);
}

static bool order_truncated_answer(const struct order *o)
{
    return lie(o, false);
}

static bool order_silent_close(const struct order *o)
{
    close(find_channel());
    return order_hang(o);
}

static bool obey(struct span line, const struct fake *fake, struct verdict *out)
{
    static const struct {
        const char *name;
        bool (*run)(const struct order *o);
    } orders[] = {
        {"clean", order_clean},
        {"infected", order_infected},
        {"unscannable", order_reason},
        {"error", order_reason},
        {"crash", order_crash},
        {"abort", order_abort},
        {"exit", order_exit},
        {"hang", order_hang},
        {"spin", order_spin},
        {"delay", order_delay},
        {"memory", order_memory},
        {"disk", order_disk},
        {"files", order_files},
        {"fork", order_fork},
        {"exec", order_exec},
        {"connect", order_connect},
        {"kill", order_kill},
        {"chmod", order_chmod},
        {"open", order_open},
        {"garbage", order_garbage},
        {"wrong-id", order_wrong_id},
        {"truncated-answer", order_truncated_answer},
        {"silent-close", order_silent_close},
    };
    line = span_trim(line);
    size_t blank = span_find(line, ' ');
    struct order o = {.argument = span_trim(span_sub(line, blank, line.len)), .fake = fake, .out = out};
    struct span verb = span_sub(line, 0, blank);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (span_eq(verb, span_cstr(orders[i].name)))
            return orders[i].run(&o);
    verdict_set(out, VERDICT_ERROR, VERDICT_REASON_ENGINE, "X-Fake: unknown order");
    return true;
}

static enum err fake_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    (void)conf;
    memset(info, 0, sizeof(*info));
    *state = MEM_NEW(struct fake);
    if (!*state) {
        errtext_set(why, "fake engine: out of memory");
        return ERR_NOMEM;
    }
    info->database_version = 1;
    info->signatures = 1;
    snprintf(info->version, sizeof(info->version), "fake engine for tests");
    return ERR_OK;
}

static enum err fake_worker_start(void *state, const char *temp, struct errtext *why)
{
    (void)why;
    struct fake *f = state;
    snprintf(f->temp, sizeof(f->temp), "%s", temp);
    return ERR_OK;
}

static void fake_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    (void)time_ms;
    char *text = mem_new(1, LOOK_AT);
    ssize_t n = text ? pread(fd, text, size < LOOK_AT ? (size_t)size : LOOK_AT, 0) : -1;
    if (n < 0) {
        give_up(out, VERDICT_REASON_ENGINE, "reading the message");
        mem_free(text);
        return;
    }
    bool decided = false;
    for (struct span rest = span_of(text, (size_t)n); rest.len > 0 && !decided;) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n'));
        rest = span_sub(rest, line.len + 1, rest.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (span_starts(line, SPAN("X-Fake: ")))
            decided = obey(span_sub(line, 8, line.len), state, out);
    }
    if (!decided)
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    mem_free(text);
}

static void fake_close(void *state)
{
    mem_free(state);
}

const struct engine_type engine_fake = {
    .name = "fake",
    .in_process = true,
    .open = fake_open,
    .worker_start = fake_worker_start,
    .scan = fake_scan,
    .close = fake_close,
};
#endif
