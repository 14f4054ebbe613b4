/* SPDX-License-Identifier: MIT */
/* What the files of the engine kaspersky share; nobody else includes this. kaspersky.c the engine and the line protocol
 * of aveserver; kaspersky_netscan.c how a message goes over its connection; kaspersky_http.c Kaspersky Scan Engine in
 * HTTP mode; kaspersky_reply.h and kaspersky_http_reply.h the grammars of what they answer.
 */
#ifndef SCAN_ENGINE_KASPERSKY_H
#define SCAN_ENGINE_KASPERSKY_H

#include "scan/engine/daemon_engine.h"
#include "scan/engine/engine.h"
#include "scan/engine/message_file.h"

enum {
    KASPERSKY_CHUNK = 96 * 1024, /* of a message at once; a multiple of three, for base64 */
    KASPERSKY_BUFFER = 2 * KASPERSKY_CHUNK + 1024,
};

struct kaspersky_server {
    bool by_file; /* it refuses NETSCAN */
    bool asks;    /* it says a line before it takes a message */
};

struct kaspersky {
    struct daemon_engine base;
    struct server_name names[LINK_SERVERS];
    struct kaspersky_server servers[LINK_SERVERS];
    const struct engine_conf *conf; /* of the framework, which outlives the engine */
    struct message_file file;
    /* the request */
    int fd;
    uint64_t size, time_ms;
    struct verdict *out;
    char buffer[KASPERSKY_BUFFER];
};

/* The two parts of NETSCAN. ERR_OK, or what link_send said: ERR_STATE where the daemon answered before it had
 * everything. */
enum err kaspersky_send_command(struct kaspersky *k, struct link_connection *l) must_use;
enum err kaspersky_send_message(struct kaspersky *k, struct link_connection *l) must_use;

/* One request, see struct link_exchange. */
enum err kaspersky_http_ask(struct link_connection *l, void *arg);

#endif
