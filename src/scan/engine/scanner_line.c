/* SPDX-License-Identifier: MIT */
/* Datagrams in, datagrams out; every trouble is the end of the process. */
#include "scan/engine/scanner_line.h"
#include "scan/verdict.h"
#include "sys/fdpass.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void scanner_line_init(struct scanner_line *l)
{
    buf_init(&l->out, SCANNER_MESSAGE_MAX);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* writing beyond the limit is an error of write */
}

static void send_formed(const struct scanner_line *l, enum err formed)
{
    for (;;) {
        enum err e = formed == ERR_OK ? fdpass_send(SCANNER_FD, buf_span(&l->out), -1) : formed;
        if (e == ERR_OK)
            return;
        if (e != ERR_AGAIN)
            _exit(EXIT_SUCCESS);
        struct pollfd p = {.fd = SCANNER_FD, .events = POLLOUT};
        poll(&p, 1, -1);
    }
}

void scanner_line_ready(struct scanner_line *l, const struct scanner_ready *ready)
{
    send_formed(l, scanner_ready_write(ready, &l->out));
}

void scanner_line_answer(struct scanner_line *l, const struct scanner_result *result)
{
    send_formed(l, scanner_result_write(result, &l->out));
}

void scanner_line_refuse(struct scanner_line *l, const char *why)
{
    struct scanner_ready ready = {.refused = true};
    verdict_copy_text(ready.text, sizeof(ready.text), span_cstr(why));
    scanner_line_ready(l, &ready);
    _exit(EXIT_FAILURE);
}

void scanner_line_serve(void (*scan)(void *arg, const struct scanner_request *request, int fd), void *arg)
{
    for (;;) {
        char bytes[SCANNER_MESSAGE_MAX];
        size_t len;
        int fd;
        struct scanner_request request;
        struct pollfd p = {.fd = SCANNER_FD, .events = POLLIN};
        poll(&p, 1, -1);
        enum err e = fdpass_recv(SCANNER_FD, bytes, sizeof(bytes), &len, &fd);
        if (e == ERR_AGAIN)
            continue;
        if (e == ERR_CLOSED)
            _exit(EXIT_SUCCESS);
        if (e != ERR_OK || fd < 0 || scanner_request_read(span_of(bytes, len), false, &request) != ERR_OK)
            _exit(EXIT_FAILURE);
        scan(arg, &request, fd);
    }
}
