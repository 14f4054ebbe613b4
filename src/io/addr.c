/* SPDX-License-Identifier: MIT */
/* Socket addresses as text. Only literals: names are the resolver's business, which must not block a loop. */
#include "io/addr.h"
#include "base/num.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

/* The storage is read and written by copying, never through a pointer of another type. */
static void addr_set(struct addr *a, const void *sockaddr, size_t len)
{
    *a = (struct addr){.len = (socklen_t)len};
    memcpy(&a->storage, sockaddr, len);
}

bool addr_split(struct span text, unsigned default_port, struct span *host, unsigned *port)
{
    struct span digits = {0};
    bool has_port = false;
    if (text.len && text.ptr[0] == '[') {
        size_t end = span_find(text, ']');
        if (end == text.len)
            return false;
        *host = span_sub(text, 1, end - 1);
        struct span rest = span_sub(text, end + 1, text.len);
        if (rest.len && rest.ptr[0] != ':')
            return false;
        has_port = rest.len > 0;
        digits = span_sub(rest, 1, rest.len);
    } else {
        size_t colon = span_find(text, ':');
        *host = span_sub(text, 0, colon);
        has_port = colon < text.len;
        digits = span_sub(text, colon + 1, text.len);
    }
    *port = default_port;
    if (!has_port)
        return default_port != 0;
    uint64_t number;
    if (num_parse_u64(digits, 65535, &number) != ERR_OK || number == 0)
        return false;
    *port = (unsigned)number;
    return true;
}

static enum err addr_parse_unix(struct span text, struct addr *out, struct errtext *why)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (text.len >= sizeof(un.sun_path) || span_find(text, '\0') < text.len) {
        errtext_set(why, "\"%.*s\": the path of a socket has at most %zu characters", SPAN_ARG(text),
                    sizeof(un.sun_path) - 1);
        return ERR_SYNTAX;
    }
    memcpy(un.sun_path, text.ptr, text.len);
    addr_set(out, &un, offsetof(struct sockaddr_un, sun_path) + text.len + 1);
    return ERR_OK;
}

enum err addr_parse(struct span text, unsigned default_port, struct addr *out, struct errtext *why)
{
    *out = (struct addr){0};
    if (text.len && text.ptr[0] == '/')
        return addr_parse_unix(text, out, why);
    struct span host;
    unsigned port;
    char literal[INET6_ADDRSTRLEN];
    bool bracket = text.len && text.ptr[0] == '[';
    if (!addr_split(text, default_port, &host, &port)) {
        errtext_set(why, "\"%.*s\": expected address:port with a port of 1 to 65535, [IPv6]:port, :port or /path",
                    SPAN_ARG(text));
        return ERR_SYNTAX;
    }
    if (host.len < sizeof(literal) && span_find(host, '\0') == host.len) {
        if (host.len)
            memcpy(literal, host.ptr, host.len);
        literal[host.len] = '\0';
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        bool every = host.len == 0 && !bracket && text.len > 0;
        if (every || (bracket && inet_pton(AF_INET6, literal, &v6.sin6_addr) == 1)) {
            addr_set(out, &v6, sizeof(v6));
            out->every = every;
            return ERR_OK;
        }
        if (!bracket && inet_pton(AF_INET, literal, &v4.sin_addr) == 1) {
            addr_set(out, &v4, sizeof(v4));
            return ERR_OK;
        }
    }
    errtext_set(why, "\"%.*s\": expected an IPv4 address or an IPv6 address in brackets, names are not looked up here",
                SPAN_ARG(text));
    return ERR_SYNTAX;
}

void addr_unmap(struct addr *a)
{
    struct sockaddr_in6 v6;
    memcpy(&v6, &a->storage, sizeof(v6));
    if (a->storage.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port};
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
    addr_set(a, &v4, sizeof(v4));
}

static const char *addr_format_unix(const struct addr *a, char text[ADDR_TEXT])
{
    struct sockaddr_un un;
    memcpy(&un, &a->storage, sizeof(un));
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > offset ? strnlen(un.sun_path, a->len - offset) : 0;
    if (len == 0) /* unnamed (every client), or abstract */
        snprintf(text, ADDR_TEXT, "unix");
    else
        snprintf(text, ADDR_TEXT, "%.*s", (int)len, un.sun_path);
    return text;
}

/* HOST receives the IP address of A; its port is the result. */
static unsigned addr_ip(const struct addr *a, char host[INET6_ADDRSTRLEN])
{
    struct addr plain = *a;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    addr_unmap(&plain);
    memcpy(&v4, &plain.storage, sizeof(v4));
    memcpy(&v6, &plain.storage, sizeof(v6));
    bool is_v4 = plain.storage.ss_family == AF_INET;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? (const void *)&v4.sin_addr : (const void *)&v6.sin6_addr, host,
              INET6_ADDRSTRLEN);
    return ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
}

const char *addr_format(const struct addr *a, char text[ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    int family = a->storage.ss_family;
    if (family == AF_UNIX)
        return addr_format_unix(a, text);
    if (family != AF_INET && family != AF_INET6) {
        snprintf(text, ADDR_TEXT, "unknown");
        return text;
    }
    unsigned port = addr_ip(a, host);
    if (a->every)
        snprintf(text, ADDR_TEXT, ":%u", port);
    else
        snprintf(text, ADDR_TEXT, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    return text;
}

const char *addr_format_host(const struct addr *a, char text[ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    int family = a->storage.ss_family;
    if (family == AF_UNIX)
        return addr_format_unix(a, text);
    if (family == AF_INET || family == AF_INET6)
        addr_ip(a, host);
    snprintf(text, ADDR_TEXT, "%s", *host ? host : "unknown");
    return text;
}
