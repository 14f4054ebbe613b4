/* SPDX-License-Identifier: MIT */
/* What the engines that ask a daemon share. It knows no protocol. */
#include "scan/engine/daemon_engine.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum { MARGIN_MS_MAX = 500 };

enum err daemon_worker_start(void *state, const char *temp, struct errtext *why)
{
    struct daemon_engine *d = state;
    (void)temp, (void)why;
    link_resolve(d->link);
    return ERR_OK;
}

size_t daemon_ports(const void *state, uint16_t *out, size_t max)
{
    const struct daemon_engine *d = state;
    return link_ports(d->link, out, max);
}

bool daemon_news(void *state, struct engine_info *info)
{
    struct daemon_engine *d = state;
    bool news = d->news;
    *info = d->info;
    d->news = false;
    return news;
}

enum err daemon_servers(const struct engine_conf *conf, unsigned default_port, struct server_name names[LINK_SERVERS],
                        size_t *count, struct errtext *why)
{
    *count = 0;
    if (conf->daemon.count > LINK_SERVERS) {
        errtext_set(why, "daemon names %zu servers, at most %d are possible", conf->daemon.count, LINK_SERVERS);
        return ERR_RANGE;
    }
    for (size_t i = 0; i < conf->daemon.count; i++)
        if (server_name_parse(span_cstr(conf->daemon.items[i]), default_port, &names[i], why) != ERR_OK)
            return ERR_SYNTAX;
    *count = conf->daemon.count;
    return ERR_OK;
}

uint64_t daemon_time(uint64_t time_ms)
{
    return time_ms - (time_ms / 10 < MARGIN_MS_MAX ? time_ms / 10 : MARGIN_MS_MAX);
}

bool daemon_message_is_too_large(uint64_t size, uint64_t max, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    if (size <= max)
        return false;
    snprintf(detail, sizeof(detail), "%llu octets, and max_filesize is %llu", (unsigned long long)size,
             (unsigned long long)max);
    verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, detail);
    return true;
}

uint64_t daemon_day(uint64_t yyyymmdd)
{
    int year = (int)(yyyymmdd / 10000 % 10000), month = (int)(yyyymmdd / 100 % 100), day = (int)(yyyymmdd % 100);
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    time_t t = timegm(&tm);
    bool same = tm.tm_year == year - 1900 && tm.tm_mon == month - 1 && tm.tm_mday == day; /* no February 30 */
    return same && yyyymmdd <= 99991231 && t > 0 ? (uint64_t)t : 0;
}

enum err daemon_read_message(int fd, uint64_t at, char *out, size_t len, struct errtext *why)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = pread(fd, out + have, len - have, (off_t)(at + have));
        if (n > 0) {
            have += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            errtext_set(why, "the message cannot be read: %s", n == 0 ? "it is shorter than stated" : strerror(errno));
            return ERR_IO;
        }
    }
    return ERR_OK;
}
