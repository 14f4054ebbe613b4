/* SPDX-License-Identifier: MIT */
/* Options of listeners and backends: what ESMTP_Listener, Listen, Backend and Server scopes fill. */
#ifndef PROXY_PROXY_CONF_H
#define PROXY_PROXY_CONF_H

#include "conf/directive.h"

/* Options of a Listen scope; most are written in ESMTP_Listener or at top level and inherited. */
struct listen_conf {
    bool enable;
    const char *hostname; /* NULL: the program's */
    const char *banner;
    bool greet_after_backend;
    /* of the original, accepted without effect */
    struct conf_list smtp_extensions;
    struct conf_dict context;
    const char *reconfig_message;
    int64_t listen_backlog;
    int64_t max_message_size;
    int64_t max_recipients;
    int64_t max_errors, max_junk;
    int64_t client_timeout_ms; /* idle between commands */
    int64_t data_timeout_ms;   /* no progress inside a body */
};

/* Options of a Server scope; most are written in Backend or at top level and inherited. */
struct server_conf {
    int64_t connect_timeout_ms, greeting_timeout_ms, command_timeout_ms, data_init_timeout_ms, data_block_timeout_ms,
        data_done_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t max_outbound_connections;
    const char *backend_helo; /* EHLO name towards the backend; NULL: hostname */
};

/* Options of the proxy as a whole; implicit class, top level. */
struct proxy_conf {
    int64_t max_connections, max_connections_per_host;
    int64_t backend_hold_ms;
};

extern const struct scope_class proxy_class;          /* implicit */
extern const struct scope_class esmtp_listener_class; /* ESMTP_Listener { } */
extern const struct scope_class listen_class;         /* Listen "address:port" { } in it */
extern const struct scope_class peer_class;           /* Peer "network" { } in it, not built */
extern const struct scope_class backend_class;        /* Backend { } */
extern const struct scope_class server_class;         /* Server "host:port" { } in it */

#endif
