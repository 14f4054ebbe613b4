/* SPDX-License-Identifier: MIT */
/* What the files of the engine icap share: icap.c is the engine and what it knows of its servers, icap_talk.c one
 * request and its answer. Not for others. */
#ifndef SCAN_ENGINE_ICAP_H
#define SCAN_ENGINE_ICAP_H

#include "scan/engine/connection_limit.h"
#include "scan/engine/daemon_engine.h"
#include "scan/engine/engine.h"
#include "scan/engine/icap_reply.h"

enum {
    ICAP_CHUNK = 128 * 1024,
    ICAP_FRONT = 4096, /* before a chunk: the head of the request, and the chunk's size */
    ICAP_BACK = 32,    /* after it: line end, and the end of the body */
};

/* As OPTIONS told. */
struct icap_server {
    uint64_t until_us;   /* believed until then; 0: to be asked */
    uint64_t options_us; /* how long the answer took last */
    struct icap_service service;
    char istag[ICAP_ISTAG_MAX + 1];
};

struct icap {
    const struct engine_conf *conf;
    struct link *link;
    struct connection_limit *limit;
    struct server_name names[LINK_SERVERS];
    struct icap_server servers[LINK_SERVERS];
    struct engine_info info;
    bool news;
    /* the request */
    int fd;
    uint64_t size;
    bool asked[LINK_SERVERS]; /* by OPTIONS, for this request: not again */
    struct connection_lease leases[LINK_SERVERS];
    bool leased[LINK_SERVERS];
    uint64_t until_us;
    struct verdict *out;
    char buffer[ICAP_FRONT + ICAP_CHUNK + ICAP_BACK];
};

/* OPTIONS and its answer, whole, into H. */
enum err icap_ask_options(struct icap *i, struct link_connection *l, struct icap_head *h) must_use;
/* The message and the answer to it. H holds the head, *OUT the verdict. ERR_OK: there is a verdict; the connection is
 * spoiled where it can serve no more. */
enum err icap_ask_message(struct icap *i, struct link_connection *l, struct icap_head *h) must_use;

#endif
