/* SPDX-License-Identifier: MIT */
/* Writes log lines without ever waiting long for who reads them. */
#include "daemon/log_sink.h"
#include "sys/clock.h"
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* How long one line may wait for a reader that has just stopped reading; the lines after it do not wait at all. */
enum { SINK_PATIENCE_MS = 10 };
/* Room for the head of a syslog datagram, and for two line ends. */
enum { SINK_HEAD = 128 };

/* One attempt that does not block. A pipe takes RWF_NOWAIT from Linux 6.4 on; before, poll() has to do, and with a
 * second writer between it and the write a wait is possible. O_NONBLOCK is no way out: it would be set for everybody
 * who shares the file. */
static ssize_t sink_try(struct log_sink *s, const char *data, size_t len)
{
    if (s->kind == LOG_SINK_SOCKET)
        return send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (s->kind == LOG_SINK_PIPE) {
        struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
        ssize_t n = pwritev2(s->fd, &iov, 1, -1, RWF_NOWAIT);
        if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
            return n;
    }
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    if (s->kind != LOG_SINK_FILE && poll(&p, 1, 0) == 0) { /* a file always says that it is ready */
        errno = EAGAIN;
        return -1;
    }
    return write(s->fd, data, len);
}

static bool sink_wait(struct log_sink *s)
{
    if (atomic_load(&s->stalled))
        return false;
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    return poll(&p, 1, SINK_PATIENCE_MS) == 1 && (p.revents & POLLOUT);
}

/* Writes all of DATA; *written tells how much of it went out when the answer is false. */
static bool sink_write_all(struct log_sink *s, const char *data, size_t len, size_t *written)
{
    bool waited = false;
    *written = 0;
    while (*written < len) {
        ssize_t n = sink_try(s, data + *written, len - *written);
        if (n > 0)
            *written += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || waited || !sink_wait(s))
            return false;
        else
            waited = true;
    }
    return true;
}

static bool sink_put_stream(struct log_sink *s, struct span line)
{
    char data[LIMIT_LOG_LINE + SINK_HEAD] not_cleared;
    size_t len = 0, written;
    bool was_torn = atomic_exchange(&s->torn, false);
    if (was_torn)
        data[len++] = '\n';
    line = span_sub(line, 0, LIMIT_LOG_LINE);
    memcpy(data + len, line.ptr, line.len);
    len += line.len;
    data[len++] = '\n';
    if (sink_write_all(s, data, len, &written))
        return true;
    /* A lone line end that got through has mended the earlier tear. */
    if (written > 1 || (was_torn ? written == 0 : written == 1))
        atomic_store(&s->torn, true);
    return false;
}

static int sink_priority(enum log_level level)
{
    static const int severity[] = {[LOG_LEVEL_DEBUG] = LOG_DEBUG,
                                   [LOG_LEVEL_INFO] = LOG_INFO,
                                   [LOG_LEVEL_NOTICE] = LOG_NOTICE,
                                   [LOG_LEVEL_WARNING] = LOG_WARNING,
                                   [LOG_LEVEL_ERROR] = LOG_ERR};
    return LOG_MAIL | severity[level];
}

/* RFC 3164 section 4.1, without the host name, as every local syslog expects it. The socket is not connected: a syslog
 * daemon that was restarted gets the next datagram with nothing to be done here. */
static bool sink_put_syslog(struct log_sink *s, enum log_level level, struct span line)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char data[LIMIT_LOG_LINE + SINK_HEAD];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm = {0};
    localtime_r(&now, &tm);
    int head = snprintf(data, SINK_HEAD, "<%d>%s %2d %02d:%02d:%02d %.32s[%ld]: ", sink_priority(level),
                        months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, s->tag, (long)getpid());
    line = span_sub(line, 0, LIMIT_LOG_LINE);
    memcpy(data + head, line.ptr, line.len);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", s->syslog_path);
    bool waited = false;
    for (;;) {
        if (sendto(s->fd, data, (size_t)head + line.len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
                   sizeof(to)) >= 0)
            return true;
        if (errno == EINTR)
            continue;
        /* EAGAIN speaks of the receiver's queue, for which an unconnected socket cannot poll: give its reader one
         * moment. */
        if ((errno != EAGAIN && errno != ENOBUFS) || waited || atomic_load(&s->stalled))
            return false;
        waited = true;
        poll(NULL, 0, SINK_PATIENCE_MS);
    }
}

static bool sink_put(struct log_sink *s, enum log_level level, struct span line)
{
    bool ok = s->kind == LOG_SINK_SYSLOG ? sink_put_syslog(s, level, line) : sink_put_stream(s, line);
    atomic_store(&s->stalled, !ok);
    return ok;
}

static void sink_lose(struct log_sink *s, unsigned long long lines)
{
    atomic_fetch_add(&s->lost, lines);
    atomic_fetch_add(&s->lost_total, lines);
}

/* The report of a loss: lost itself, it counts as nothing new, and the loss stays to be reported. */
struct sink_report {
    struct log_sink *sink;
    bool written;
};

static void sink_write_report(void *arg, enum log_level level, struct span line)
{
    struct sink_report *report = arg;
    report->written = sink_put(report->sink, level, line);
}

static uint64_t sink_wallclock(void *arg)
{
    (void)arg;
    return clock_wall_ms();
}

static void sink_report_loss(struct log_sink *s)
{
    unsigned long long lost = atomic_exchange(&s->lost, 0);
    if (lost == 0)
        return;
    struct sink_report report = {.sink = s};
    struct log log = s->log;
    log.write = sink_write_report;
    log.arg = &report;
    log_text(&log, LOG_SHORTAGE, "reason", "%llu log lines could not be written and are lost", lost);
    if (!report.written)
        atomic_fetch_add(&s->lost, lost);
}

static void sink_write(void *arg, enum log_level level, struct span line)
{
    struct log_sink *s = arg;
    int saved = errno; /* logging an error must not change what the caller still wants to say about it */
    if (sink_put(s, level, line))
        sink_report_loss(s);
    else
        sink_lose(s, 1);
    errno = saved;
}

static enum log_sink_kind sink_kind_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return LOG_SINK_STREAM;
    if (S_ISSOCK(st.st_mode))
        return LOG_SINK_SOCKET;
    if (S_ISREG(st.st_mode))
        return LOG_SINK_FILE;
    return S_ISFIFO(st.st_mode) ? LOG_SINK_PIPE : LOG_SINK_STREAM;
}

enum err log_sink_open(struct log_sink *s, const struct log_sink_options *o)
{
    *s = (struct log_sink){.log = {.write = sink_write,
                                   .wallclock_ms = sink_wallclock,
                                   .arg = s,
                                   .format = o->format,
                                   .min_level = o->min_level},
                           .fd = o->fd,
                           .tag = o->tag,
                           .syslog_path = o->syslog_path ? o->syslog_path : "/dev/log"};
    atomic_init(&s->lost, 0);
    atomic_init(&s->lost_total, 0);
    atomic_init(&s->stalled, false);
    atomic_init(&s->torn, false);
    if (o->target && strcmp(o->target, "syslog") == 0) {
        tzset(); /* localtime_r need not do it */
        s->kind = LOG_SINK_SYSLOG;
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return s->fd < 0 ? ERR_IO : ERR_OK;
    }
    s->kind = sink_kind_of(o->fd);
    return ERR_OK;
}

void log_sink_close(struct log_sink *s)
{
    if (s->kind == LOG_SINK_SYSLOG && s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
