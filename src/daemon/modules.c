/* SPDX-License-Identifier: MIT */
/* The one explicit list of all scope classes, in the order in which documents list them. */
#include "daemon/console_conf.h"
#include "daemon/role.h"
#include "proxy/proxy_conf.h"
#include "scan/framework.h"
#include "spool/spool_conf.h"

static const struct scope_class *const all[] = {
    &daemon_class, &proxy_class,   &esmtp_listener_class, &listen_class,
    &peer_class,   &backend_class, &server_class,         &spool_class,
#define SCAN_STANZA(symbol)              &(symbol),
#define SCAN_ENGINE(symbol, pool, built) &(symbol),
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
    &control_listener_class, &control_listen_class,
};

const struct conf_classes daemon_classes = {.items = all, .count = ARRAY_SIZE(all)};
