/* SPDX-License-Identifier: MIT */
/* A message over the connection to aveserver. THIS IS A RECONSTRUCTION: that there was a command NETSCAN, that the
 * octets went over the same connection and that its licence was another one is documented; how it looked is not,
 * nowhere. The forms here are the least surprising continuations of SCAN, and the options netscan_command,
 * netscan_framing and netscan_goahead are there to fit what a daemon really wants:
 *
 *   length   NETSCAN FLAGS SIZE CRLF, then as many octets
 *   dot      NETSCAN FLAGS CRLF, then the lines as in SMTP, with dots doubled, then a line with one dot
 *   chunk    NETSCAN FLAGS CRLF, then pieces behind their length in four octets, big endian; the last one is empty
 *
 * Nor is it known what a daemon calls the object in its answers, so any path there will do: that an answer belongs to
 * another message cannot be seen, unless there is one too many.
 */
#include "scan/engine/kaspersky.h"

/* The message's octets while they are sent. */
struct stuffing {
    bool line_start;
    char before; /* the octet before; '\n' at first: an empty message ends like one with lines */
};

static void put_length(char out[4], size_t len)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(unsigned char)(len >> (24 - 8 * i));
}

/* LEN octets at IN to OUT, dots at line starts doubled; at most twice as many. */
static size_t stuff(struct stuffing *s, const char *in, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s->line_start && in[i] == '.')
            out[n++] = '.';
        out[n++] = in[i];
        s->line_start = in[i] == '\n' && s->before == '\r';
        s->before = in[i];
    }
    return n;
}

enum err kaspersky_send_command(struct kaspersky *k, struct link_connection *l)
{
    char command[256];
    const struct engine_conf *conf = k->conf;
    int n = conf->netscan_framing == NETSCAN_LENGTH
                ? snprintf(command, sizeof(command), "%s %s %llu\r\n", conf->netscan_command, conf->scan_flags,
                           (unsigned long long)k->size)
                : snprintf(command, sizeof(command), "%s %s\r\n", conf->netscan_command, conf->scan_flags);
    return link_send(l, span_of(command, (size_t)n));
}

/* The octets up to AT are gone; sends LEN more, as the framing has them. */
static enum err send_piece(struct kaspersky *k, struct link_connection *l, struct stuffing *s, uint64_t at, size_t len)
{
    struct errtext why;
    /* Raw octets lie in the second half; stuffed ones begin at the front and, twice as many at most, never overtake
     * them. */
    char *raw = k->buffer + KASPERSKY_BUFFER - KASPERSKY_CHUNK, *begin = raw;
    size_t count = len;
    enum err e = daemon_read_message(k->fd, at, raw, len, &why);
    if (e != ERR_OK) {
        link_explain(l, "%s", why.text);
        return e;
    }
    if (k->conf->netscan_framing == NETSCAN_CHUNK) {
        begin -= 4;
        put_length(begin, len);
        count += 4;
    } else if (k->conf->netscan_framing == NETSCAN_DOT) {
        begin = k->buffer;
        count = stuff(s, raw, len, begin);
    }
    return link_send(l, span_of(begin, count));
}

static enum err send_end(const struct kaspersky *k, struct link_connection *l, const struct stuffing *s)
{
    if (k->conf->netscan_framing == NETSCAN_CHUNK)
        return link_send(l, SPAN("\0\0\0\0"));
    if (k->conf->netscan_framing == NETSCAN_DOT)
        return link_send(l, s->line_start ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
    return ERR_OK;
}

enum err kaspersky_send_message(struct kaspersky *k, struct link_connection *l)
{
    struct stuffing s = {.line_start = true, .before = '\n'};
    enum err e = ERR_OK;
    for (uint64_t at = 0; e == ERR_OK && at < k->size;) {
        size_t len = k->size - at < KASPERSKY_CHUNK ? (size_t)(k->size - at) : KASPERSKY_CHUNK;
        e = send_piece(k, l, &s, at, len);
        at += len;
    }
    return e == ERR_OK ? send_end(k, l, &s) : e;
}
