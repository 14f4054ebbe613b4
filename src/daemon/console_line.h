/* SPDX-License-Identifier: MIT */
/* The console's protocol, pure: bytes ↔ values, for both ends of the socket.
 *
 * A request is one line of at most CONSOLE_LINE_MAX octets before its line end (LF, or CRLF): words of printable ASCII
 * separated by blanks or tabs; a word in double quotes may hold blanks, and a backslash in it makes the next character
 * ordinary. The first word `json` asks for the answer in JSON. An empty line is no request and has no answer.
 *
 * Each request has one answer, in the order of the requests: a head line `STATUS LENGTH` and LF, then LENGTH octets.
 * STATUS is one digit, enum console_status; LENGTH is decimal, at most CONSOLE_OUTPUT_MAX, without leading zeros. The
 * connection stays open for the next request. Where the connection itself is refused (not permitted, too many sessions,
 * idle for too long, a line that is too long), an answer with status 2 comes unasked, and then its end.
 */
#ifndef DAEMON_CONSOLE_LINE_H
#define DAEMON_CONSOLE_LINE_H

#include "base/err.h"
#include "base/span.h"

enum {
    CONSOLE_LINE_MAX = 1024,          /* octets of a request */
    CONSOLE_WORDS_MAX = 16,           /* of a request, `json` not counted */
    CONSOLE_OUTPUT_MAX = 1024 * 1024, /* octets of one answer */
    CONSOLE_HEAD_SIZE = 16            /* a head line with its NUL fits */
};

/* How a request ended; also the exit status of postern-console. */
enum console_status {
    CONSOLE_DONE = 0,   /* what was asked for is in the answer, or has been done */
    CONSOLE_FAILED = 1, /* understood, but it failed: no such engine, no answer in time … */
    CONSOLE_REFUSED = 2 /* not carried out: unknown command, wrong arguments, not permitted, no connection */
};

struct console_words {
    size_t count;
    const char *items[CONSOLE_WORDS_MAX]; /* in TEXT */
    bool json;
    char text[CONSOLE_LINE_MAX + 1];
};

/* LINE is one request without its line end. ERR_SYNTAX, ERR_FULL: it is none, and WHY says so in a sentence. No words
 * at all is ERR_OK. */
enum err console_line_parse(struct span line, struct console_words *out, struct errtext *why) must_use;
/* Appends WORD to the request in LINE (NUL-terminated, of SIZE octets), quoted where it must be. ERR_SYNTAX: it holds
 * what no request may hold; ERR_FULL. */
enum err console_line_add(char *line, size_t size, const char *word) must_use;

/* The head of an answer, NUL-terminated; returns its length. */
size_t console_head_write(char head[CONSOLE_HEAD_SIZE], enum console_status status, size_t length);
/* Reads a head from the beginning of BYTES: ERR_OK and its own length, status and the answer's length; ERR_AGAIN: it is
 * not whole yet; ERR_SYNTAX: it is none. */
enum err console_head_read(struct span bytes, size_t *head, enum console_status *status, size_t *length) must_use;

#endif
