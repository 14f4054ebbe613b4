/* SPDX-License-Identifier: MIT */
/* Socket addresses as text. Only literals: names are the resolver's business, which must not block a loop. */
#include "io/addr.h"
#include "base/num.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct sockaddr_in *addr_v4(struct addr *a)
{
    return (struct sockaddr_in *)(void *)&a->storage;
}

static struct sockaddr_in6 *addr_v6(struct addr *a)
{
    return (struct sockaddr_in6 *)(void *)&a->storage;
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
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&out->storage;
    if (text.len >= sizeof(un->sun_path) || span_find(text, '\0') < text.len) {
        errtext_set(why, "\"%.*s\": the path of a socket has at most %zu characters", SPAN_ARG(text),
                    sizeof(un->sun_path) - 1);
        return ERR_SYNTAX;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text.ptr, text.len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len + 1);
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
        struct sockaddr_in6 *v6 = addr_v6(out);
        struct sockaddr_in *v4 = addr_v4(out);
        out->every = host.len == 0 && !bracket && text.len > 0;
        if (out->every || (bracket && inet_pton(AF_INET6, literal, &v6->sin6_addr) == 1)) {
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons((uint16_t)port);
            out->len = sizeof(*v6);
            return ERR_OK;
        }
        if (!bracket && inet_pton(AF_INET, literal, &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
            v4->sin_port = htons((uint16_t)port);
            out->len = sizeof(*v4);
            return ERR_OK;
        }
    }
    *out = (struct addr){0};
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
    *a = (struct addr){.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = addr_v4(a);
    v4->sin_family = AF_INET;
    v4->sin_port = v6.sin6_port;
    memcpy(&v4->sin_addr, v6.sin6_addr.s6_addr + 12, 4);
}

static const char *addr_format_unix(const struct addr *a, char text[ADDR_TEXT])
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->storage;
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > offset ? strnlen(un->sun_path, a->len - offset) : 0;
    if (len == 0) /* unnamed (every client), or abstract */
        snprintf(text, ADDR_TEXT, "unix");
    else
        snprintf(text, ADDR_TEXT, "%.*s", (int)len, un->sun_path);
    return text;
}

/* HOST receives the IP address of A; its port is the result. */
static unsigned addr_ip(const struct addr *a, char host[INET6_ADDRSTRLEN])
{
    struct addr plain = *a;
    addr_unmap(&plain);
    if (plain.storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &addr_v4(&plain)->sin_addr, host, INET6_ADDRSTRLEN);
        return ntohs(addr_v4(&plain)->sin_port);
    }
    inet_ntop(AF_INET6, &addr_v6(&plain)->sin6_addr, host, INET6_ADDRSTRLEN);
    return ntohs(addr_v6(&plain)->sin6_port);
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
