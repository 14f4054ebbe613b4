/* SPDX-License-Identifier: MIT */
/* Kaspersky Scan Engine in HTTP mode (kavhttpd): one POST per connection, HTTP/1.0. With protocol http the object is
 * the body, and the answer a line of text; with rest both are JSON, the object in base64. With daemon_is_remote the
 * object goes over the connection (scanmemory), otherwise its path does (scanfile). What other clients tell it of a
 * mail's sender (X-KAV-ObjectURL) is not sent: no engine learns of the envelope. */
#include "scan/engine/kaspersky.h"
#include "scan/engine/kaspersky_http_reply.h"

enum { HEAD_LINE = 8192, HEAD_LINES = 100, BODY_MAX = LINK_REPLY - 1, HTTP_OK = 200 };

static const char rest_object[] = "\",\"object\":\"";

/* Where the body's octets come from: text in front, the object as it is or in base64, text behind. */
struct body {
    char front[64];
    struct span back;
    bool base64;
    uint64_t length; /* of all */
};

/* LEN octets at IN as base64 to OUT. Only the last piece of a text may be no multiple of three. */
static size_t encode_base64(const char *in, size_t len, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    enum { PADDING = 64 };
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned bits = 0;
        for (size_t b = 0; b < 3; b++)
            bits = bits << 8 | (b < have ? (unsigned char)in[i + b] : 0);
        for (size_t c = 0; c < 4; c++)
            out[n++] = letters[c <= have ? bits >> (18 - 6 * c) & 63 : PADDING];
    }
    return n;
}

static struct body body_of(const struct kaspersky *k)
{
    bool rest = k->conf->protocol == KASPERSKY_REST, memory = k->conf->daemon_is_remote;
    struct body b = {.back = rest ? SPAN("\"}") : SPAN(""), .base64 = rest && memory};
    if (rest)
        snprintf(b.front, sizeof(b.front), "{\"timeout\":\"%llu%s", (unsigned long long)k->time_ms, rest_object);
    uint64_t object = memory ? k->size : strlen(k->file.path);
    b.length = strlen(b.front) + (b.base64 ? (object + 2) / 3 * 4 : object) + b.back.len;
    return b;
}

static enum err send_head(const struct kaspersky *k, struct link_connection *l, const struct body *b)
{
    char head[1024], host[SERVER_HOST + 16];
    const struct server_name *n = &k->names[l->server];
    bool rest = k->conf->protocol == KASPERSKY_REST;
    if (n->host[0] == '\0')
        snprintf(host, sizeof(host), "localhost");
    else
        snprintf(host, sizeof(host), strchr(n->host, ':') ? "[%s]:%u" : "%s:%u", n->host, n->port);
    int len = snprintf(head, sizeof(head), "POST %s/%s HTTP/1.0\r\nHost: %s\r\n", rest ? "/api/v3.0" : "",
                       k->conf->daemon_is_remote ? "scanmemory" : "scanfile", host);
    if (rest)
        len += snprintf(head + len, sizeof(head) - (size_t)len, "Content-Type: application/json\r\n");
    else
        len += snprintf(head + len, sizeof(head) - (size_t)len, "X-KAV-ProtocolVersion: 1\r\nX-KAV-Timeout: %llu\r\n",
                        (unsigned long long)k->time_ms);
    len += snprintf(head + len, sizeof(head) - (size_t)len, "Content-Length: %llu\r\n\r\n%s",
                    (unsigned long long)b->length, b->front);
    return link_send(l, span_of(head, (size_t)len));
}

static enum err send_object(struct kaspersky *k, struct link_connection *l, const struct body *b)
{
    /* Raw octets lie in the second half: base64, a third more, never overtakes them. */
    char *raw = k->buffer + KASPERSKY_BUFFER - KASPERSKY_CHUNK;
    struct errtext why;
    if (!k->conf->daemon_is_remote)
        return link_send(l, span_cstr(k->file.path));
    for (uint64_t at = 0; at < k->size;) {
        size_t len = k->size - at < KASPERSKY_CHUNK ? (size_t)(k->size - at) : KASPERSKY_CHUNK;
        enum err e = daemon_read_message(k->fd, at, raw, len, &why);
        if (e != ERR_OK) {
            link_explain(l, "%s", why.text);
            return e;
        }
        size_t coded = b->base64 ? encode_base64(raw, len, k->buffer) : len;
        e = link_send(l, span_of(b->base64 ? k->buffer : raw, coded));
        if (e != ERR_OK)
            return e;
        at += len;
    }
    return ERR_OK;
}

static enum err no_sense(struct link_connection *l, struct span line)
{
    char shown[100];
    verdict_copy_text(shown, sizeof(shown), line);
    link_explain(l, "an HTTP answer that makes no sense: %s", shown);
    return ERR_SYNTAX;
}

static enum err read_head(struct link_connection *l, struct kaspersky_http_head *h)
{
    struct span line;
    enum err e = link_read_line(l, HEAD_LINE, &line);
    if (e != ERR_OK)
        return e;
    if (!kaspersky_http_status(h, line))
        return no_sense(l, line);
    for (unsigned lines = 0; lines < HEAD_LINES; lines++) {
        e = link_read_line(l, HEAD_LINE, &line);
        if (e != ERR_OK || line.len == 0)
            return e;
        if (!kaspersky_http_header(h, line))
            return no_sense(l, line);
    }
    link_explain(l, "an HTTP answer with more than %d header lines", HEAD_LINES);
    return ERR_FULL;
}

enum err kaspersky_http_ask(struct link_connection *l, void *arg)
{
    struct kaspersky *k = arg;
    struct kaspersky_http_head head;
    struct span body;
    struct body request = body_of(k);
    link_spoil(l); /* one request per connection */
    enum err sent = send_head(k, l, &request);
    if (sent == ERR_OK)
        sent = send_object(k, l, &request);
    if (sent == ERR_OK && request.back.len > 0)
        sent = link_send(l, request.back);
    if (sent != ERR_OK && sent != ERR_STATE)
        return sent;
    enum err e = read_head(l, &head);
    if (e != ERR_OK)
        return e;
    if (head.status != HTTP_OK) {
        char detail[80];
        snprintf(detail, sizeof(detail), "Kaspersky Scan Engine: HTTP status %u", head.status);
        verdict_set(k->out, VERDICT_ERROR, VERDICT_REASON_ENGINE, detail);
        return ERR_OK;
    }
    e = head.has_length ? link_read_block(l, head.length > LINK_REPLY ? LINK_REPLY + 1 : (size_t)head.length, &body)
                        : link_read_to_end(l, BODY_MAX, &body);
    if (e != ERR_OK)
        body = link_partial(l);
    if (k->conf->protocol == KASPERSKY_REST)
        kaspersky_http_json(body, k->conf->paranoid, k->out);
    else
        kaspersky_http_text(body, e == ERR_OK && head.has_length, k->conf->paranoid, k->out);
    if (e != ERR_OK) /* a virus counts, though the rest of the answer is lost */
        return k->out->class == VERDICT_INFECTED ? ERR_OK : e;
    if (k->out->class == VERDICT_CLEAN && (sent == ERR_STATE || link_has_input(l))) {
        link_explain(l, sent == ERR_OK ? "it said more than its answer"
                                       : "it called the message clean before it had all of it");
        return ERR_SYNTAX;
    }
    return ERR_OK;
}
