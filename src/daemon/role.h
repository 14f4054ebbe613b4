/* SPDX-License-Identifier: MIT */
/* src/daemon: where the parts become programs. role.h (this) what the supervisor hands to the processes it starts;
 * main.c the command line of postern; modules.c the one explicit list of scope classes; config.c files → struct conf,
 * and the global options; log_sink.c where log lines go; supervisor.c who is started when, signals, the end;
 * check_machine.c what --check looks for on the machine; scan_pool.h the scan hosts of one pool: generations,
 * reload, with its files; child.c one supervised process; startup.c what must be
 * there before: programs, log file, users, listeners, spool; tempdir.c directories of the scan workers; scanner_files.c
 * programs that scan hosts start; environment.c
 * and privileges.c what children get and what root gives up; notify.c word to the service manager; unrar.c a look for a
 * missing package; edge.c the process that holds sockets; control_socket.c the console's socket; console.h the console,
 * with its files; scan_main.c the program postern-scan; console_main.c the program postern-console.
 *
 * Descriptors of a child: 0 /dev/null, 1 and 2 as the supervisor's (the log file when `log` names one), then
 *   3  the effective configuration as text (conf_dump) in a sealed memory file
 *   4  control: a SEQPACKET socket to the supervisor
 *   5… (edge) the listening sockets, in the order of the Listen scopes, then those of the console, likewise
 *   5… (scan host) programs and logs of scanners (scanner_files.h)
 * Command lines: postern --role edge;  postern-scan (or postern-plugin) --pool NAME --temp DIR --generation N
 * [--replaces] [--tmpfs]
 * [--scanner ENGINE:PROGRAM:LOG]… [--origin FILE:LINE].
 */
#ifndef DAEMON_ROLE_H
#define DAEMON_ROLE_H

#include "conf/conf.h"

enum { ROLE_FD_CONFIG = 3, ROLE_FD_CONTROL = 4, ROLE_FD_LISTENERS = 5, ROLE_FD_SCANNERS = 5 };
enum { ROLE_LOOPS_MAX = 64 };

/* Datagrams on control: type, pool, loop; one octet each. CHANNEL and BROKEN add the generation of the
 * pool's host in four octets, big-endian. Supervisor → edge: CHANNEL with a descriptor, the channel of loop LOOP to the
 * host of pool POOL, which takes over from the one before it; DRAIN: stop
 * accepting, 421 4.3.2 to idle sessions, let open transactions finish, exit 0. Supervisor → scan host: CHANNEL with a
 * descriptor (pool and loop are informative). DRAIN: scan what is there and what still comes, exit 0 when the edge has
 * closed every channel. End of file: finish running jobs, answer queued ones with ERROR down, exit 0. Edge →
 * supervisor: RELOAD with a pool: its databases are to be loaded anew, by command. BROKEN with a pool: its host sent a
 * record that makes no sense, so it is to be killed and started again. MISSING with a pool and a loop: the channel of
 * that loop to the pool's host ended or got lost, so it needs another one; repeated until it comes. READY, once, when
 * the loops run and every engine has reported. Scan host → supervisor: ENGINE with a record SCAN_STATUS after the three
 * octets, for each engine, then LOADED, once loading and canary are over. CHANGED: a database is no longer what was
 * loaded, and has been quiet for a while. */
enum role_message {
    ROLE_CHANNEL = 'C',
    ROLE_DRAIN = 'D',
    ROLE_READY = 'R',
    ROLE_BROKEN = 'B',
    ROLE_MISSING = 'M',
    ROLE_ENGINE = 'E',
    ROLE_LOADED = 'L',
    ROLE_CHANGED = 'H',
    ROLE_RELOAD = 'A'
};
enum { ROLE_HEAD = 3, ROLE_HEAD_GENERATION = 7, ROLE_MESSAGE_MAX = 2048 };
/* The generation in the octets of a CHANNEL or BROKEN, and into them. */
unsigned role_get_generation(const unsigned char message[ROLE_HEAD_GENERATION]);
void role_put_generation(unsigned char message[ROLE_HEAD_GENERATION], unsigned generation);

/* Options that belong to no other module; implicit class, top level. */
struct daemon_conf {
    const char *hostname; /* in greeting, EHLO, headers; default: the machine's host name, filled in by config.c */
    const char *user, *scan_user;
    int64_t event_loops;      /* 0: one per processor */
    int64_t drain_timeout_ms; /* SIGTERM: how long open transactions may take */
    const char *log;          /* "stderr", "syslog" or a file's path */
    int log_format;           /* enum log_format */
    int log_level;            /* enum log_level */
};
extern const struct scope_class daemon_class;

/* How many event loops the edge runs with this configuration, the same answer in supervisor and edge. */
unsigned role_loop_count(const struct daemon_conf *c);
/* The enabled Listen scopes in file order: pass NULL first, then the last result; NULL at the end. Their descriptors
 * are ROLE_FD_LISTENERS and following. */
const struct conf_scope *role_listener_next(const struct conf *conf, const struct conf_scope *previous);
/* How many there are. */
unsigned role_listener_count(const struct conf *conf);
/* The values of daemon_class. */
const struct daemon_conf *role_daemon_conf(const struct conf *conf);

struct log;
/* Logs the start of this process: version, role, pid, user id. */
void role_log_start(const struct log *log, const char *role);
/* The edge process, after the configuration was loaded from ROLE_FD_CONFIG. Returns its exit status. */
int edge_run(const struct conf *conf, const struct log *log);

/* Every scope class of the program, for conf_load. */
extern const struct conf_classes daemon_classes;

#endif
