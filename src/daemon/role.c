/* SPDX-License-Identifier: MIT */
/* What supervisor and edge have to agree on: loops and listeners of a configuration. */
#include "daemon/role.h"
#include "base/log.h"
#include "proxy/proxy_conf.h"
#include <unistd.h>

const struct daemon_conf *role_daemon_conf(const struct conf *conf)
{
    return conf_child(conf->global, &daemon_class, NULL)->values;
}

static bool listener_is_enabled(const struct conf_scope *listen)
{
    return ((const struct listen_conf *)listen->values)->enable;
}

const struct conf_scope *role_listener_next(const struct conf *conf, const struct conf_scope *previous)
{
    const struct conf_scope *group = previous ? previous->parent : NULL;
    if (!group)
        group = conf_child(conf->global, &esmtp_listener_class, NULL);
    const struct conf_scope *listen = previous;
    while (group) {
        while ((listen = conf_child(group, &listen_class, listen))) {
            if (listener_is_enabled(listen))
                return listen;
        }
        group = conf_child(conf->global, &esmtp_listener_class, group);
    }
    return NULL;
}

unsigned role_listener_count(const struct conf *conf)
{
    unsigned count = 0;
    for (const struct conf_scope *s = NULL; (s = role_listener_next(conf, s));)
        count++;
    return count;
}

unsigned role_get_generation(const unsigned char message[ROLE_HEAD_GENERATION])
{
    const unsigned char *p = message + ROLE_HEAD;
    return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3];
}

void role_put_generation(unsigned char message[ROLE_HEAD_GENERATION], unsigned generation)
{
    for (unsigned i = 0; i < 4; i++)
        message[ROLE_HEAD + i] = (unsigned char)(generation >> (24 - 8 * i));
}

void role_log_start(const struct log *log, const char *role)
{
    struct log_record r;
    log_begin(&r, log, LOG_START);
    log_cstr(&r, "role", role);
    log_cstr(&r, "version", POSTERN_VERSION);
    log_u64(&r, "pid", (uint64_t)getpid());
    log_u64(&r, "uid", (uint64_t)geteuid());
    log_end(&r);
}
