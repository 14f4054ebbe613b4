/* SPDX-License-Identifier: MIT */
/* The grammar of daemon names. */
#include "scan/server_name.h"
#include "io/addr.h"

static bool host_is_plain(struct span host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!char_is_alnum(host.ptr[i]) && !strchr(".-_:%", host.ptr[i]))
            return false;
    return host.len > 0 && host.len < SERVER_HOST;
}

enum err server_name_parse(struct span text, unsigned default_port, struct server_name *out, struct errtext *why)
{
    struct span host;
    *out = (struct server_name){.port = 0};
    if (text.len > 0 && text.ptr[0] == '/') {
        if (text.len >= SERVER_PATH || memchr(text.ptr, '\0', text.len)) {
            errtext_set(why, "the path of a unix socket has at most %d octets", SERVER_PATH - 1);
            return ERR_RANGE;
        }
        memcpy(out->path, text.ptr, text.len);
        return ERR_OK;
    }
    bool whole = addr_split(text, default_port, &host, &out->port);
    if (!whole || !host_is_plain(host)) {
        errtext_set(why, "expected host:port or the absolute path of a unix socket");
        return ERR_SYNTAX;
    }
    memcpy(out->host, host.ptr, host.len);
    return ERR_OK;
}

bool server_name_is_local(const struct server_name *name)
{
    struct span host = span_cstr(name->host);
    return host.len == 0 || span_eq_nocase(host, SPAN("localhost")) || span_eq(host, SPAN("::1")) ||
           (span_starts(host, SPAN("127.")) && host.ptr[strspn(host.ptr, "0123456789.")] == '\0');
}
