/* SPDX-License-Identifier: MIT */
/* What is particular to the engines whose daemons read files or take messages over a connection: kaspersky, fsecure,
 * icap. Whether file_base can be written is found out by the workers, who are other users than the one who checks. */
#include "base/span.h"
#include "scan/server_name.h"
#include "scan/stanza.h"

static const struct engine_conf *conf_of(const struct conf_scope *engine)
{
    return &((const struct engine_stanza *)engine->values)->conf;
}

static bool is_netscan(const struct conf_scope *engine)
{
    const struct engine_conf *conf = conf_of(engine);
    return engine->class == &kaspersky_class && conf->protocol == KASPERSKY_AVESERVER && conf->daemon_is_remote;
}

/* How many of the servers are on this host. */
static size_t count_local(const struct conf_list *daemon)
{
    size_t local = 0;
    for (size_t i = 0; i < daemon->count; i++) {
        struct server_name name;
        struct errtext why;
        local +=
            server_name_parse(span_cstr(daemon->items[i]), 1, &name, &why) == ERR_OK && server_name_is_local(&name);
    }
    return local;
}

bool stanza_engine_needs_files(const struct conf_scope *engine)
{
    return engine->class == &fsecure_class || (engine->class == &kaspersky_class && !conf_of(engine)->daemon_is_remote);
}

bool stanza_engine_uses_files(const struct conf_scope *engine)
{
    return stanza_engine_needs_files(engine) || (is_netscan(engine) && count_local(&conf_of(engine)->daemon) > 0);
}

static bool is_word(const char *text, bool (*fits)(char))
{
    for (const char *c = text; *c; c++)
        if (!fits(*c))
            return false;
    return true;
}

/* No protocol quotes paths: nothing that could end one early. */
static bool fits_path(char c)
{
    return char_is_alnum(c) || (c && strchr("/._-+@~%=,", c));
}

static void check_file_base(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    if (!conf->file_base) {
        if (stanza_engine_needs_files(scope))
            problem_error(problems, scope, NULL,
                          "file_base is needed: the directory in which the daemon finds each message as a file%s",
                          scope->class == &kaspersky_class
                              ? "; with daemon_is_remote = true it gets the octets over the connection instead"
                              : "");
        return;
    }
    if (conf->file_base[0] != '/' || !is_word(conf->file_base, fits_path))
        problem_error(problems, scope, "file_base",
                      "must be an absolute path of letters, digits and / . _ - + @ ~ %% = , as the daemon is told it "
                      "without quotes");
    if (stanza_engine_needs_files(scope) && count_local(&conf->daemon) < conf->daemon.count)
        problem_warning(problems, scope, "daemon",
                        "it reads files in file_base: on another host it must have that directory under the same name");
}

/* It stands in a request line. */
static bool fits_uri(char c)
{
    return char_is_print(c) && c != ' ' && c != '"' && c != '<' && c != '>' && c != '#' && c != '\\';
}

static void check_icap(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    if (!is_word(conf->icap_service, fits_uri))
        problem_error(problems, scope, "service", "must be printable ASCII without blanks, quotes, < > # and \\");
    else if (conf->icap_service[0] == '/' || strstr(conf->icap_service, "://"))
        problem_error(problems, scope, "service", "expected what stands behind icap://host:port/ alone");
    if (conf->icap_echo_is_clean)
        problem_warning(problems, scope, "echo_is_clean",
                        "what the server passes over unscanned (c-icap: above MaxObjectSize) is clean then, where it "
                        "does not answer 204");
    if (conf->icap_keep_alive)
        problem_warning(problems, scope, "keep_alive",
                        "nothing in an answer of ICAP tells to which request it belongs: where the server ever gives "
                        "a second one, late, it counts for the next message");
}

void stanza_check_file_daemon(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    check_file_base(scope, conf, problems);
    if (scope->class == &icap_class)
        check_icap(scope, conf, problems);
    if (scope->class != &kaspersky_class)
        return;
    if (!is_word(conf->scan_flags, char_is_alpha))
        problem_error(problems, scope, "scan_flags", "must be letters only");
    if (!is_word(conf->netscan_command, char_is_alpha))
        problem_error(problems, scope, "netscan_command", "must be letters only");
}
