/* SPDX-License-Identifier: MIT */
/* Directive tables of listeners and backends, and what must hold between them. Names and defaults follow what the users
 * of Momentum and Postfix know (smtpd_hard_error_limit 20, smtp_data_done_timeout 300 s …). */
#include "proxy/proxy_conf.h"
#include "io/addr.h"
#include "proxy/backend.h"
#include "scan/framework.h"

#define LISTEN(field) CONF_OFFSET(listen_conf, field)
static const struct directive listen_rows[] = {
    {.name = "enable",
     .type = DIRECTIVE_BOOL,
     .offset = LISTEN(enable),
     .default_text = "true",
     .reload = RELOAD_RESTART,
     .description = "Open this listener."},
    {.name = "hostname",
     .type = DIRECTIVE_STRING,
     .offset = LISTEN(hostname),
     .max = 255,
     .reload = RELOAD_LIVE,
     .description = "Name in the greeting of this listener; unset: the program's hostname."},
    {.name = "banner",
     .type = DIRECTIVE_STRING,
     .offset = LISTEN(banner),
     .default_text = "ESMTP postern",
     .max = 200,
     .reload = RELOAD_LIVE,
     .description = "Text after the host name in the greeting."},
    {.name = "greet_after_backend",
     .type = DIRECTIVE_BOOL,
     .offset = LISTEN(greet_after_backend),
     .default_text = "false",
     .reload = RELOAD_LIVE,
     .description =
         "Greet only once the backend is connected: a backend that is down is 421 at the greeting instead of "
         "451 at MAIL, one that refuses is 554."},
    {.name = "smtp_extensions",
     .type = DIRECTIVE_LIST,
     .offset = LISTEN(smtp_extensions),
     .reload = RELOAD_LIVE,
     .description = "The original's list of extra keywords. No effect in this version."},
    {.name = "reconfig_message",
     .type = DIRECTIVE_STRING,
     .offset = LISTEN(reconfig_message),
     .max = 200,
     .reload = RELOAD_LIVE,
     .description = "The original's reply to sessions that a reload touches. No effect in this version."},
    {.name = "context",
     .type = DIRECTIVE_DICT,
     .offset = LISTEN(context),
     .reload = RELOAD_LIVE,
     .description = "Context variables of every connection to this listener, which engines and policy read: "
                    "[ skip_virus_check = yes ] keeps its mail from being scanned."},
    {.name = "listen_backlog",
     .type = DIRECTIVE_INT,
     .offset = LISTEN(listen_backlog),
     .default_text = "500",
     .min = 1,
     .max = 65535,
     .reload = RELOAD_RESTART,
     .description = "Connections that the kernel holds before they are accepted."},
    {.name = "max_message_size",
     .type = DIRECTIVE_SIZE,
     .offset = LISTEN(max_message_size),
     .default_text = "100M",
     .min = 65536,
     .max = INT64_C(1) << 40,
     .reload = RELOAD_LIVE,
     .description = "Largest message, announced by SIZE; larger ones get 552 5.3.4."},
    {.name = "max_recipients",
     .type = DIRECTIVE_INT,
     .offset = LISTEN(max_recipients),
     .default_text = "1000",
     .min = 100,
     .max = 100000,
     .reload = RELOAD_LIVE,
     .description = "Recipients of one message; further ones get 452 4.5.3."},
    {.name = "max_errors",
     .type = DIRECTIVE_INT,
     .offset = LISTEN(max_errors),
     .default_text = "20",
     .min = 1,
     .max = 100000,
     .reload = RELOAD_LIVE,
     .description = "Refused commands before the session ends with 421 4.7.0."},
    {.name = "max_junk_commands",
     .type = DIRECTIVE_INT,
     .offset = LISTEN(max_junk),
     .default_text = "100",
     .min = 1,
     .max = 100000,
     .reload = RELOAD_LIVE,
     .description = "NOOP, RSET, VRFY, HELP without a message in between before the session ends with 421 4.7.0."},
    {.name = "client_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = LISTEN(client_timeout_ms),
     .default_text = "300",
     .min = 10,
     .max = 86400000,
     .reload = RELOAD_LIVE,
     .description = "Time a client may stay silent between commands before 421 4.4.2 (RFC 5321 4.5.3.2.7)."},
    {.name = "data_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = LISTEN(data_timeout_ms),
     .default_text = "180",
     .min = 10,
     .max = 86400000,
     .reload = RELOAD_LIVE,
     .description = "Time a client may stay silent inside a message before 421 4.4.2 (RFC 5321 4.5.3.2.5)."},
};

#define SERVER(field) CONF_OFFSET(server_conf, field)
#define SERVER_TIME(option, field, text, line)                                                                         \
    {                                                                                                                  \
        .name = (option), .type = DIRECTIVE_DURATION, .offset = SERVER(field), .default_text = (text), .min = 10,      \
        .max = 86400000, .reload = RELOAD_LIVE, .description = (line)                                                  \
    }
static const struct directive server_rows[] = {
    SERVER_TIME("connect_timeout", connect_timeout_ms, "10", "Time for the TCP connection to the backend."),
    SERVER_TIME("greeting_timeout", greeting_timeout_ms, "60",
                "Time for the backend's greeting and its answer to EHLO."),
    SERVER_TIME("command_timeout", command_timeout_ms, "300", "Time for the backend's answer to MAIL, RCPT or RSET."),
    SERVER_TIME("data_init_timeout", data_init_timeout_ms, "120", "Time for the backend's 354."),
    SERVER_TIME("data_block_timeout", data_block_timeout_ms, "180", "Time without progress while the body is sent."),
    SERVER_TIME("data_done_timeout", data_done_timeout_ms, "300",
                "Time for the backend's reply after the final dot; past it the client gets 451."),
    SERVER_TIME("idle_timeout", idle_timeout_ms, "5", "Time an unused backend connection is kept."),
    {.name = "max_outbound_connections",
     .type = DIRECTIVE_INT,
     .offset = SERVER(max_outbound_connections),
     .default_text = "100",
     .min = 1,
     .max = 100000,
     .reload = RELOAD_LIVE,
     .description = "Connections to this server; sessions beyond wait for one until connect_timeout, then 451 4.4.5."},
    {.name = "backend_helo",
     .type = DIRECTIVE_STRING,
     .offset = SERVER(backend_helo),
     .max = 255,
     .reload = RELOAD_LIVE,
     .description = "Name in EHLO to the backend; unset: hostname."},
};

#define PROXY(field) CONF_OFFSET(proxy_conf, field)
static const struct directive proxy_rows[] = {
    {.name = "max_connections",
     .type = DIRECTIVE_INT,
     .offset = PROXY(max_connections),
     .default_text = "10000",
     .min = 1,
     .max = 1000000,
     .reload = RELOAD_RESTART,
     .description = "Sessions in all; further clients get 421 4.7.0."},
    {.name = "max_connections_per_host",
     .type = DIRECTIVE_INT,
     .offset = PROXY(max_connections_per_host),
     .default_text = "50",
     .min = 1,
     .max = 1000000,
     .reload = RELOAD_RESTART,
     .description = "Sessions from one IPv4 address or IPv6 /64; further ones get 421 4.7.0."},
    {.name = "backend_hold",
     .type = DIRECTIVE_DURATION,
     .offset = PROXY(backend_hold_ms),
     .default_text = "30",
     .min = 10,
     .max = 3600000,
     .reload = RELOAD_RESTART,
     .description =
         "When upload and scan take longer, the backend connection is given back and the envelope is replayed later."},
};

static const struct conf_scope *global_of(const struct conf_scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

/* What is larger than an engine takes is received, and then refused as too large for the engine. */
static void check_engine_sizes(const struct conf_scope *scope, struct problems *problems)
{
    const struct listen_conf *conf = scope->values;
    const char *engine, *option;
    int64_t limit = framework_size_limit(global_of(scope), &engine, &option);
    if (limit > 0 && conf->max_message_size > limit)
        problem_warning(problems, scope, "max_message_size",
                        "the engine \"%s\" looks at messages up to %lld octets only (%s): larger ones are taken and "
                        "then unscannable (too large)",
                        engine, (long long)limit, option);
}

/* Mail that nobody scans is named when the file is read. */
static void check_context(const struct conf_scope *scope, struct problems *problems)
{
    const struct listen_conf *conf = scope->values;
    for (size_t i = 0; i < conf->context.count; i++) {
        const struct conf_pair *pair = &conf->context.items[i];
        const char *engine = framework_skips(global_of(scope), pair->key);
        if (engine)
            problem_warning(
                problems, scope, "context",
                "%s is set, to whatever value (\"%.40s\"): the engine \"%s\" does not scan mail of this listener",
                pair->key, pair->value, engine);
    }
}

static void listen_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct listen_conf *conf = scope->values;
    if (conf->smtp_extensions.count > 0)
        problem_warning(problems, scope, "smtp_extensions", "it has no effect in this version");
    if (conf->reconfig_message)
        problem_warning(problems, scope, "reconfig_message", "it has no effect in this version");
    check_engine_sizes(scope, problems);
    check_context(scope, problems);
    struct addr a;
    struct errtext why;
    if (addr_parse(span_cstr(scope->name), 25, &a, &why) != ERR_OK)
        problem_error(problems, scope, NULL, "%s", why.text); /* both name the address */
}

static void server_check(const struct conf_scope *scope, struct problems *problems)
{
    struct span host;
    unsigned port;
    if (!addr_split(span_cstr(scope->name), 25, &host, &port) || host.len == 0)
        problem_error(problems, scope, NULL, "expected host:port with a port from 1 to 65535");
}

/* The whole program needs at least one way in and one way out. */
static void proxy_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct conf_scope *global = scope->parent, *outer = NULL;
    bool listens = false, enabled = false;
    size_t servers = 0;
    while ((outer = conf_child(global, &esmtp_listener_class, outer)))
        for (const struct conf_scope *l = NULL; (l = conf_child(outer, &listen_class, l)); listens = true)
            enabled = enabled || ((const struct listen_conf *)l->values)->enable;
    outer = NULL;
    while ((outer = conf_child(global, &backend_class, outer)))
        for (const struct conf_scope *server = NULL; (server = conf_child(outer, &server_class, server));)
            servers++;
    if (!listens)
        problem_error(problems, scope, NULL, "no listener: expected ESMTP_Listener { Listen \"address:port\" { } }");
    else if (!enabled)
        problem_error(problems, scope, NULL, "every Listen scope has enable = false: nothing would listen");
    if (servers > BACKEND_TARGETS_MAX)
        problem_error(problems, scope, NULL, "%zu Server scopes: expected at most %d", servers, BACKEND_TARGETS_MAX);
    if (servers == 0)
        problem_error(problems, scope, NULL, "no backend: expected Backend { Server \"host:port\" { } }");
}

const struct scope_class proxy_class = {
    .name = "proxy",
    .naming = SCOPE_IMPLICIT,
    .rows = proxy_rows,
    .row_count = ARRAY_SIZE(proxy_rows),
    .struct_size = sizeof(struct proxy_conf),
    .check = proxy_check,
    .description = "Limits of the proxy as a whole.",
};
const struct scope_class esmtp_listener_class = {
    .name = "ESMTP_Listener",
    .naming = SCOPE_OPTIONAL,
    .description = "Listeners for SMTP clients; options here serve every Listen scope inside.",
};
const struct scope_class listen_class = {
    .name = "Listen",
    .parent = &esmtp_listener_class,
    .naming = SCOPE_NAMED,
    .rows = listen_rows,
    .row_count = ARRAY_SIZE(listen_rows),
    .struct_size = sizeof(struct listen_conf),
    .check = listen_check,
    .description = "One listening address: \"192.0.2.1:25\", \"[2001:db8::1]:25\", or \":25\" for all.",
};
const struct scope_class peer_class = {
    .name = "Peer",
    .parent = &listen_class,
    .naming = SCOPE_NAMED,
    .not_built = true,
    .open = true,
    .description =
        "The original's options for clients of one network. Not built yet: it restricts and changes nothing.",
};
const struct scope_class backend_class = {
    .name = "Backend",
    .naming = SCOPE_OPTIONAL,
    .single = true,
    .description = "The MTA behind postern; servers are tried in the order of the file.",
};
const struct scope_class server_class = {
    .name = "Server",
    .parent = &backend_class,
    .naming = SCOPE_NAMED,
    .rows = server_rows,
    .row_count = ARRAY_SIZE(server_rows),
    .struct_size = sizeof(struct server_conf),
    .check = server_check,
    .description = "One server, \"host:port\"; a host name is resolved at start, and again until it is found.",
};
