/* SPDX-License-Identifier: MIT */
/* The one explicit list of all scope classes, in the order in which documents list them. */
#include "daemon/role.h"
#include "proxy/proxy_conf.h"
#include "scan/framework.h"
#include "spool/spool_conf.h"

static const struct scope_class *const before_engines[] = {
    &daemon_class, &esmtp_listener_class, &listen_class, &backend_class,   &server_class,
    &spool_class,  &scan_class,           &pool_class,   &antivirus_class,
};

const struct conf_classes *daemon_classes(void)
{
    /* The number of engines is known to src/scan only. Filled alike by every call, always by the first thread. */
    static const struct scope_class *list[ARRAY_SIZE(before_engines) + 64];
    static struct conf_classes classes;
    size_t count = ARRAY_SIZE(before_engines);
    memcpy(list, before_engines, sizeof(before_engines));
    for (size_t i = 0; engine_classes[i]; i++) {
        if (count == ARRAY_SIZE(list))
            abort(); /* a bug: more engine classes than the list has room for */
        list[count++] = engine_classes[i];
    }
    classes = (struct conf_classes){.items = list, .count = count};
    return &classes;
}
