/* SPDX-License-Identifier: MIT */
/* Directive tables of the console's sockets. The names are the original's where it has them. */
#include "daemon/console_conf.h"
#include "base/compiler.h"
#include "io/addr.h"

#define CONTROL(field) CONF_OFFSET(control_conf, field)

static const struct directive rows[] = {
    {.name = "enable",
     .type = DIRECTIVE_BOOL,
     .offset = CONTROL(enable),
     .default_text = "true",
     .reload = RELOAD_RESTART,
     .description = "open this socket"},
    {.name = "file_mode",
     .type = DIRECTIVE_STRING,
     .offset = CONTROL(file_mode),
     .default_text = "0660",
     .min = 3,
     .max = 4,
     .reload = RELOAD_RESTART,
     .description = "permissions of the socket's file, octal: who may write to it may connect"},
    {.name = "file_owner",
     .type = DIRECTIVE_STRING,
     .offset = CONTROL(file_owner),
     .min = 1,
     .max = 63,
     .reload = RELOAD_RESTART,
     .description = "account that owns the socket's file, when started as root; default: that of the option user"},
    {.name = "file_group",
     .type = DIRECTIVE_STRING,
     .offset = CONTROL(file_group),
     .min = 1,
     .max = 63,
     .reload = RELOAD_RESTART,
     .description = "group of the socket's file, when started as root; default: that of its owner"},
    {.name = "allow",
     .type = DIRECTIVE_LIST,
     .offset = CONTROL(allow),
     .reload = RELOAD_RESTART,
     .description =
         "users, and groups as @group, that may give commands, beside root and the account that postern runs "
         "as; file_mode must let them in too"},
    {.name = "idle_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = CONTROL(idle_timeout_ms),
     .default_text = "60",
     .min = 100,
     .max = 86400000,
     .reload = RELOAD_RESTART,
     .description = "how long a session may be without a whole command, and take to fetch an answer"},
    {.name = "max_sessions",
     .type = DIRECTIVE_INT,
     .offset = CONTROL(max_sessions),
     .default_text = "32",
     .min = 1,
     .max = 1000,
     .reload = RELOAD_RESTART,
     .description = "sessions of this socket at the same time; two more are kept free for root"},
};

enum err control_mode(const char *text, mode_t *out)
{
    mode_t mode = 0;
    size_t len = strlen(text);
    if (len < 3 || len > 4 || (len == 4 && text[0] != '0'))
        return ERR_SYNTAX;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '7')
            return ERR_SYNTAX;
        mode = mode << 3 | (mode_t)(*c - '0');
    }
    *out = mode;
    return ERR_OK;
}

static void control_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct control_conf *c = scope->values;
    struct addr address;
    struct errtext why = {""};
    mode_t mode = 0;
    if (scope->name[0] != '/')
        problem_error(problems, scope, NULL,
                      "expected the absolute path of a unix socket: a console over TCP is not built");
    else if (addr_parse(span_cstr(scope->name), 0, &address, &why) != ERR_OK)
        problem_error(problems, scope, NULL, "%s", why.text);
    if (control_mode(c->file_mode, &mode) != ERR_OK)
        problem_error(problems, scope, "file_mode", "expected octal digits from 000 to 0777");
    for (size_t i = 0; i < c->allow.count; i++)
        if (c->allow.items[i][strspn(c->allow.items[i], "@")] == '\0')
            problem_error(problems, scope, "allow", "expected names of users, and of groups as @group");
    if (c->allow.count > 0 && !(mode & 0006) && !c->file_group && !c->file_owner)
        problem_warning(problems, scope, "allow",
                        "file_mode = %s lets only the socket's owner and group connect, and neither file_owner nor "
                        "file_group is set",
                        c->file_mode);
}

const struct scope_class control_listener_class = {
    .name = "Control_Listener",
    .naming = SCOPE_OPTIONAL,
    .description = "where postern-console connects; options here serve every Listen scope inside",
};
const struct scope_class control_listen_class = {
    .name = "Listen",
    .parent = &control_listener_class,
    .naming = SCOPE_NAMED,
    .rows = rows,
    .row_count = ARRAY_SIZE(rows),
    .struct_size = sizeof(struct control_conf),
    .check = control_check,
    .description = "one unix socket of the console, \"/run/postern/control\"",
};

static bool is_enabled(const struct conf_scope *listen)
{
    return ((const struct control_conf *)listen->values)->enable;
}

const struct conf_scope *control_next(const struct conf *conf, const struct conf_scope *previous)
{
    const struct conf_scope *group = previous ? previous->parent : NULL;
    if (!group)
        group = conf_child(conf->global, &control_listener_class, NULL);
    const struct conf_scope *listen = previous;
    while (group) {
        while ((listen = conf_child(group, &control_listen_class, listen))) {
            if (is_enabled(listen))
                return listen;
        }
        group = conf_child(conf->global, &control_listener_class, group);
    }
    return NULL;
}
