/* SPDX-License-Identifier: MIT */
/* Options of engines, pools and the scan switch, as tables. The options common to all engines are those of the
 * original's antivirus framework; which of them have no effect yet is said by stanza_check.c. */
#include "scan/stanza.h"

static const char *const reload_words[] = {"overlap", "stop_first", NULL};
static const char *const action_words[] = {"reject", "pass", "quarantine", NULL};
static const char *const on_error_words[] = {"error_code", "next", "pass", NULL};
static const char *const quarantine_reply_words[] = {"accept", "reject", NULL};
static const char *const unscannable_words[] = {"action", "reject", "pass", "error_code", "quarantine", NULL};
static const char *const on_unscannable_words[] = {"action",     "reject",         "pass", "error_code",
                                                   "quarantine", "on_unscannable", NULL};
static const char *const test_string_words[] = {"remembered", "required", "ignored", NULL};
static const char *const on_trouble_words[] = {"on_error", "error_code", "next", "pass", NULL};

/* One row; the field is given by its path inside struct STRUCT. */
#define ROW(struct_name, field, row_name, row_type, row_default, row_min, row_max, row_reload, row_text)               \
    {                                                                                                                  \
        .name = (row_name), .type = (row_type), .offset = CONF_OFFSET(struct_name, field),                             \
        .default_text = (row_default), .min = (row_min), .max = (row_max), .reload = (row_reload),                     \
        .description = (row_text)                                                                                      \
    }
#define OPTION(field, name, type, value, min, max, text)                                                               \
    ROW(engine_stanza, field, name, DIRECTIVE_##type, value, min, max, RELOAD_ENGINE, text)
#define LIVE(field, name, type, value, min, max, text)                                                                 \
    ROW(engine_stanza, field, name, DIRECTIVE_##type, value, min, max, RELOAD_LIVE, text)

enum { TIMEOUT_MIN_MS = 1, TIMEOUT_MAX_MS = 3600 * 1000, CONCURRENCY_MAX = 1024 };
enum { PROBE_MIN_MS = 100, PROBE_MAX_MS = 3600 * 1000, PROBE_IDLE_MAX_MS = 24 * 3600 * 1000 };
enum { END_DELAY_MAX_MS = 10 * 1000 }; /* below any timeout that makes sense */
enum { LOAD_MIN_MS = 100, LOAD_MAX_MS = 15 * 60 * 1000 };
enum { SETTLE_MIN_MS = 10, SETTLE_MAX_MS = 3600 * 1000, RETRY_MIN_MS = 100, RETRY_MAX_MS = 24 * 3600 * 1000 };

#define DAEMON_ROW(value, text) OPTION(conf.daemon, "daemon", LIST, value, 0, 0, text)
#define DAEMON_CONNECT_ROW                                                                                             \
    OPTION(conf.daemon_connect_ms, "daemon_connect_timeout", DURATION, "5", TIMEOUT_MIN_MS, TIMEOUT_MAX_MS,            \
           "how long to wait for a connection to one daemon, and again for its first word, before the next one is "    \
           "tried")
#define DAEMON_SIZE_ROW                                                                                                \
    OPTION(conf.max_filesize, "max_filesize", SIZE, "100M", 1024, 2147483647,                                          \
           "octets of a message that the daemon takes; a larger one is unscannable")
#define SUSPICIOUS_ROW(value)                                                                                          \
    {                                                                                                                  \
        .name = "suspicious", .type = DIRECTIVE_ENUM, .offset = CONF_OFFSET(engine_stanza, conf.suspicious),           \
        .default_text = (value), .words = suspicious_words, .reload = RELOAD_ENGINE,                                   \
        .description = "what a message is that the daemon suspects without knowing a virus in it: infected, or "       \
                       "unscannable (reason suspicious)"                                                               \
    }
#define MIN_SIGNATURES_ROW                                                                                             \
    OPTION(conf.min_signatures, "min_signatures", INT, "0", 0, 1000000000,                                             \
           "with fewer signatures than these the engine does not scan: the error code instead, at start as well; the " \
           "official databases of ClamAV have millions; 0: one is enough")
#define WORDS_ROW(field, row_name, row_default, row_words, text)                                                       \
    {                                                                                                                  \
        .name = (row_name), .type = DIRECTIVE_ENUM, .offset = CONF_OFFSET(engine_stanza, field),                       \
        .default_text = (row_default), .words = (row_words), .reload = RELOAD_ENGINE, .description = (text)            \
    }

static const struct directive clamav_rows[] = {
#include "scan/stanza_common.def"
    OPTION(conf.database, "database", STRING, "/var/lib/clamav", 1, 4096,
           "directory or file of signatures that libclamav loads"),
    DAEMON_ROW(NULL,
               "scan with clamd instead of libclamav: host:port or the path of its unix socket; of several in a list "
               "the first that answers is asked"),
    DAEMON_CONNECT_ROW,
    OPTION(conf.alert_encrypted, "alert_encrypted", BOOL, "true", 0, 0,
           "messages with encrypted archives or documents are unscannable; false: what is encrypted is passed over"),
    OPTION(conf.max_scansize, "max_scansize", SIZE, "400M", 1024, 4294967295,
           "octets scanned in one message with all that it unpacks to (clamd: MaxScanSize); more is unscannable"),
    OPTION(
        conf.max_filesize, "max_filesize", SIZE, "100M", 1024, 2147483647,
        "octets of one file inside a message (clamd: MaxFileSize); a larger one makes it unscannable. With a daemon: "
        "octets of a message, not to exceed its StreamMaxLength and MaxFileSize"),
    /* libclamav's own limit is 100, and what reaches that is clean to it, whatever it is asked to alert on */
    OPTION(conf.max_recursion, "max_recursion", INT, "17", 1, 99,
           "depth of archives inside archives (clamd: MaxRecursion); deeper is unscannable"),
    OPTION(conf.max_files, "max_files", INT, "10000", 1, 1000000,
           "files inside one message (clamd: MaxFiles); more is unscannable"),
    OPTION(conf.database_watch, "database_watch", BOOL, "true", 0, 0,
           "load the database again when it changes; false: on SIGHUP only"),
    OPTION(conf.database_settle_ms, "database_settle", DURATION, "5", SETTLE_MIN_MS, SETTLE_MAX_MS,
           "how long a changed database must have been quiet before it is loaded"),
    OPTION(conf.max_signature_loss, "max_signature_loss", INT, "50", 0, 100,
           "percent of the most signatures since start that a new database may lack; with a greater loss it is taken "
           "for broken and the old one stays in use; 100: any loss is accepted"),
    MIN_SIGNATURES_ROW,
    OPTION(conf.official_only, "official_only", BOOL, "false", 0, 0,
           "true: only databases that ClamAV has signed are loaded (clamd: OfficialDatabaseOnly)"),
};

static const char *const suspicious_words[] = {"infected", "unscannable", NULL};
static const char *const protocol_words[] = {"aveserver", "http", "rest", NULL};
static const char *const framing_words[] = {"length", "dot", "chunk", NULL};
static const char *const goahead_words[] = {"auto", "yes", "no", NULL};

static const struct directive kaspersky_rows[] = {
#include "scan/stanza_common.def"
    DAEMON_ROW("127.0.0.1", "the Kaspersky daemon: host:port (port 9001 where none is given; with protocol http or "
                            "rest 9999) or the path of its "
                            "unix socket; of several in a list the first that answers is asked"),
    DAEMON_CONNECT_ROW,
    OPTION(conf.daemon_is_remote, "daemon_is_remote", BOOL, "false", 0, 0,
           "true: the message goes over the connection (NETSCAN, scanmemory); false: the daemon reads a file in "
           "file_base (SCAN, scanfile)"),
    WORDS_ROW(conf.protocol, "protocol", "aveserver", protocol_words,
              "what the daemon speaks: aveserver its line protocol; http, rest: Kaspersky Scan Engine in HTTP mode, "
              "with /scanmemory and /scanfile, or below /api/v3.0"),
    DAEMON_SIZE_ROW,
    SUSPICIOUS_ROW("infected"),
    OPTION(conf.scan_flags, "scan_flags", STRING, "bPQRSTUW", 1, 64, "aveserver: letters after SCAN and NETSCAN"),
    OPTION(conf.netscan_command, "netscan_command", STRING, "NETSCAN", 1, 32,
           "aveserver, daemon_is_remote: word of the command (NETSCAN was never published: what is sent is a "
           "reconstruction, which these three options adapt)"),
    WORDS_ROW(conf.netscan_framing, "netscan_framing", "length", framing_words,
              "how the message follows: length: as many octets as the command line says; dot: as in SMTP; chunk: "
              "pieces, each behind its length in four octets, the last one empty"),
    WORDS_ROW(conf.netscan_goahead, "netscan_goahead", "auto", goahead_words,
              "whether the daemon says a line 1xx or 3xx before it takes the message; auto: found out by itself"),
};

static const struct directive fsecure_rows[] = {
#include "scan/stanza_common.def"
    DAEMON_ROW("/tmp/.fsav-UID",
               "unix socket of fsavd; UID at its end stands for the user id of postern's scan workers; of several in a "
               "list the first that answers is asked"),
    DAEMON_CONNECT_ROW,
    DAEMON_SIZE_ROW,
    SUSPICIOUS_ROW("unscannable"),
    OPTION(conf.max_recursion, "max_recursion", INT, "5", 1, 100, "depth of archives inside archives (MAXARCH)"),
    OPTION(conf.riskware, "riskware", BOOL, "false", 0, 0,
           "true: programs that can be misused are looked for too, and are infected"),
};

static const char *const sandbox_words[] = {"strict", "vendor", NULL};

static const struct directive plugin_rows[] = {
#include "scan/stanza_common.def"
    {.name = "library",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(engine_stanza, conf.plugin.library),
     .min = 1,
     .max = 4096,
     .reload = RELOAD_ENGINE,
     .required = true,
     .description = "the vendor's shared library; scan_user must be able to read it. Replace it by renaming, never by "
                    "writing into it"},
    OPTION(conf.plugin.options, "options", DICT, NULL, 0, 0,
           "options of the plug-in's own, which it documents: [ name = value … ]; one that it does not know keeps it "
           "from starting"),
    OPTION(
        conf.database, "database", STRING, NULL, 1, 4096,
        "file or directory that the plug-in loads, as it documents; when it changes, it is loaded again. Without one "
        "the same holds for the library"),
    OPTION(conf.database_watch, "database_watch", BOOL, "true", 0, 0,
           "load again when the database (or library) changes; false: on SIGHUP only"),
    OPTION(conf.database_settle_ms, "database_settle", DURATION, "5", SETTLE_MIN_MS, SETTLE_MAX_MS,
           "how long a changed database must have been quiet before it is loaded"),
    OPTION(conf.max_signature_loss, "max_signature_loss", INT, "50", 0, 100,
           "percent of the most signatures since start that a new database may lack; with a greater loss it is taken "
           "for broken and the old one stays in use; 100: any loss is accepted"),
    MIN_SIGNATURES_ROW,
    OPTION(conf.plugin.load_timeout_ms, "load_timeout", DURATION, "300", LOAD_MIN_MS, LOAD_MAX_MS,
           "how long the plug-in may take to start and to load its database; then its scan host is started again"),
    WORDS_ROW(
        conf.plugin.sandbox, "sandbox", "strict", sandbox_words,
        "cage of the workers that scan: strict: memory, the message, a temporary directory; vendor: that, and what "
        "the options allow_… add"),
    OPTION(conf.plugin.allow_ports, "allow_ports", LIST, NULL, 0, 0,
           "sandbox = vendor: TCP ports to which it may connect, on whatever host (kernels before 6.7 cannot tell "
           "ports apart: there, to any)"),
    OPTION(
        conf.plugin.allow_unix_sockets, "allow_unix_sockets", BOOL, "false", 0, 0,
        "sandbox = vendor: it may connect to unix sockets: to all that scan_user may write to, as kernels cannot tell "
        "them apart"),
    OPTION(conf.plugin.allow_read, "allow_read", LIST, NULL, 0, 0,
           "sandbox = vendor: files and directories that it may read while it scans"),
    OPTION(conf.plugin.allow_executable_memory, "allow_executable_memory", BOOL, "false", 0, 0,
           "sandbox = vendor: it may make code at run time or load further libraries (from allow_read)"),
};

static const struct directive csapi_rows[] = {
#include "scan/stanza_common.def"
    OPTION(conf.scanner.path, "scanner_path", STRING, NULL, 1, 4096,
           "program of the scanner processes; default: postern-avscan, which lies beside postern-scan"),
    OPTION(conf.scanner.log, "scanner_log", STRING, NULL, 1, 4096,
           "file for what the scanner prints, at most 16M; scan_user must be able to write it; without one it is "
           "dropped"),
    OPTION(conf.scanner.update_interval_ms, "update_interval", DURATION, "86400", 0, 31536000000,
           "so often the scanner's definitions are looked at, and loaded again when they changed; 0: on SIGHUP only"),
    OPTION(conf.scanner.max_extract_depth, "max_extract_depth", INT, "10", 1, 50,
           "depth of archives inside archives; deeper is unscannable"),
    OPTION(conf.scanner.max_extract_size, "max_extract_size", SIZE, "104857600", 0, 4294967294,
           "octets of one file, the message itself included; a larger one makes it unscannable; 0: 104857600"),
    OPTION(conf.scanner.max_cumulative_extract_size, "max_cumulative_extract_size", SIZE, "0", 0, 4294967294,
           "octets that one message may unpack to in all; more is unscannable; 0: 209715200"),
    OPTION(conf.scanner.max_extract_time_ms, "max_extract_time", DURATION, "180", 0, 86400000,
           "time to take one message apart; longer is unscannable; 0: no limit but timeout, which is trouble"),
    OPTION(conf.scanner.max_file_count, "max_file_count", INT, "5000", 0, 1000000,
           "files inside one message; more is unscannable; 0: no limit"),
    OPTION(idle.prefer_mem, "prefer_mem", BOOL, "false", 0, 0, "accepted; never had an effect in the original either"),
    OPTION(conf.database, "database", STRING, "/var/lib/clamav", 1, 4096,
           "directory or file of definitions that the scanner loads, and the only one that it can read"),
    OPTION(conf.max_signature_loss, "max_signature_loss", INT, "50", 0, 100,
           "percent of the most signatures since start that new definitions may lack; with a greater loss they are "
           "taken for broken and the old ones stay in use; 100: any loss is accepted"),
    MIN_SIGNATURES_ROW,
    OPTION(conf.official_only, "official_only", BOOL, "false", 0, 0,
           "true: the scanner is told to load only definitions that their maker has signed (--official-only; "
           "postern-avscan: databases that ClamAV has signed)"),
    DAEMON_ROW(NULL, "scan with Symantec Scan Engine over its native protocol instead of a scanner program: host:port, "
                     "port 7777 where none is given; of several in a list the first that answers is asked"),
    OPTION(
        conf.daemon_connect_ms, "daemon_connect_timeout", DURATION, "5", TIMEOUT_MIN_MS, TIMEOUT_MAX_MS,
        "how long to wait for a connection to one daemon, and again for its first word, before the next one is tried"),
    OPTION(conf.max_filesize, "max_filesize", SIZE, "100M", 1024, 2147483647,
           "with a daemon: octets of a message that it is given; a larger one is unscannable"),
};

static const char *const icap_mode_words[] = {"respmod", "reqmod", NULL};

static const struct directive icap_rows[] = {
#include "scan/stanza_common.def"
    DAEMON_ROW("127.0.0.1:1344", "the ICAP server: host:port, port 1344 where none is given, or the path of its unix "
                                 "socket; of several in a list the first that answers is asked"),
    DAEMON_CONNECT_ROW,
    DAEMON_SIZE_ROW,
    OPTION(conf.icap_service, "service", STRING, "avscan", 1, 256,
           "name of the service: what stands behind icap://host:port/, arguments included (virus_scan, respmod, "
           "srv_clamav, SYMCScanResp-AV, avscan?sizelimit=off)"),
    WORDS_ROW(conf.icap_mode, "mode", "respmod", icap_mode_words,
              "the message travels as the answer to a request (respmod), or as a request (reqmod)"),
    OPTION(conf.icap_preview, "preview", SIZE, "64K", 0, 65536,
           "octets of a message that go first where the server wants to see some first, at most as many as it asks "
           "for; 0: always the whole message at once"),
    OPTION(
        conf.icap_end_delay_ms, "end_delay", DURATION, "10ms", 0, END_DELAY_MAX_MS,
        "so long the last octet of a message is held back, up to 100ms where the answer to OPTIONS took long: a server "
        "that answers without it has not scanned all, so that is never clean"),
    OPTION(conf.icap_http_headers, "http_headers", BOOL, "true", 0, 0,
           "an HTTP header is made up around the message, as most servers expect; false: the message goes alone"),
    OPTION(conf.icap_echo_is_clean, "echo_is_clean", BOOL, "false", 0, 0,
           "only for servers that cannot answer 204: true: a message that comes back unmodified is clean; false: it "
           "is unscannable, as servers send back likewise what they have not scanned"),
    OPTION(conf.icap_keep_alive, "keep_alive", BOOL, "false", 0, 0,
           "false: a connection for each message; true: one for many, where each answer is taken for that to the last "
           "request, as nothing in it tells: a second, late answer \"clean\" would let the next message pass"),
    SUSPICIOUS_ROW("infected"),
};

static const struct directive command_rows[] = {
#include "scan/stanza_common.def"
    OPTION(conf.command.argv, "argv", LIST, NULL, 0, 0,
           "the program and its arguments, run once for each message, without a shell: ( /usr/bin/clamscan "
           "\"--no-summary\" \"%s\" ); an argument %s becomes the path of the message; without one the message is its "
           "standard input"),
    OPTION(conf.command.clean_codes, "clean_codes", LIST, "0", 0, 0,
           "exit codes that mean clean; one that no list holds is trouble"),
    OPTION(conf.command.infected_codes, "infected_codes", LIST, "1", 0, 0, "exit codes that mean infected"),
    OPTION(conf.command.unscannable_codes, "unscannable_codes", LIST, NULL, 0, 0,
           "exit codes that mean that it could not look at all of the message (reason unsupported)"),
    OPTION(conf.command.virus_pattern, "virus_pattern", LIST, NULL, 0, 0,
           "forms of a line of its output that names a virus: %v is the name, * any text: \"*: %v FOUND\"; such a line "
           "counts whatever the exit code is"),
    OPTION(conf.command.readable, "readable", LIST, NULL, 0, 0,
           "directories and files, such as its signatures, that it may read beside the system's libraries"),
    OPTION(conf.max_filesize, "max_filesize", SIZE, "100M", 1024, 2147483647,
           "octets of a message that it is given; a larger one is unscannable"),
};

static const struct directive common_rows[] = {
#include "scan/stanza_common.def"
};

#define ENGINE(symbol, class_name, module_name, class_rows, free_options, text)                                        \
    const struct scope_class symbol = {                                                                                \
        .name = (class_name),                                                                                          \
        .parent = &antivirus_class,                                                                                    \
        .naming = SCOPE_OPTIONAL,                                                                                      \
        .not_built = (free_options),                                                                                   \
        .open = (free_options),                                                                                        \
        .module = (module_name),                                                                                       \
        .rows = (class_rows),                                                                                          \
        .row_count = ARRAY_SIZE(class_rows),                                                                           \
        .struct_size = sizeof(struct engine_stanza),                                                                   \
        .check = stanza_check_engine,                                                                                  \
        .description = (text),                                                                                         \
    }

ENGINE(clamav_class, "clamav", "validate/av_clamav", clamav_rows, false,
       "an engine that scans with libclamav, or asks clamd where daemon is set");
#ifdef POSTERN_TEST_ENGINE
ENGINE(fake_class, "fake", NULL, common_rows, false, "the test engine, which does what a message tells it to do");
#endif
ENGINE(kaspersky_class, "kaspersky", "validate/av_kaspersky", kaspersky_rows, false,
       "an engine that asks a Kaspersky daemon");
ENGINE(fsecure_class, "fsecure", "validate/av_fsecure", fsecure_rows, false, "an engine that asks F-Secure's fsavd");
ENGINE(
    csapi_class, "csapi", "validate/csapi", csapi_rows, false,
    "an engine that scans in processes of another program (postern-avscan), or asks Symantec Scan Engine where daemon "
    "is set");
ENGINE(icap_class, "icap", NULL, icap_rows, false, "an engine that asks an ICAP server");
ENGINE(command_class, "command", NULL, command_rows, false, "an engine that runs a scanner's command line");
ENGINE(plugin_class, "plugin", "validate/av_*", plugin_rows, false,
       "a vendor's engine in a shared library, in a scan host of its own");
ENGINE(brightmail_class, "brightmail", "validate/brightmail", common_rows, true, "Brightmail (not built yet)");
ENGINE(beik_class, "beik", "validate/beik", common_rows, true, "the Brightmail engine kit (not built yet)");
ENGINE(eleven_class, "eleven", "validate/eleven", common_rows, true, "eleven eXpurgate (not built yet)");
ENGINE(expurgate_class, "expurgate", "validate/expurgate", common_rows, true, "eleven eXpurgate (not built yet)");
ENGINE(cloudmark_class, "cloudmark", "validate/cloudmark", common_rows, true, "Cloudmark (not built yet)");
ENGINE(commtouch_class, "commtouch", "validate/commtouch", common_rows, true, "Commtouch (not built yet)");

static const struct directive scan_rows[] = {
    ROW(scan_conf, scan, "scan", DIRECTIVE_BOOL, "on", 0, 0, RELOAD_LIVE,
        "off: messages are relayed unscanned; only when it is written out"),
};

const struct scope_class scan_class = {
    .name = "scan",
    .naming = SCOPE_IMPLICIT,
    .single = true,
    .rows = scan_rows,
    .row_count = ARRAY_SIZE(scan_rows),
    .struct_size = sizeof(struct scan_conf),
    .check = stanza_check_scan,
    .description = "whether messages are scanned at all",
};

#define POOL(field, name, type, value, min, max, text)                                                                 \
    ROW(pool_conf, field, name, DIRECTIVE_##type, value, min, max, RELOAD_ENGINE, text)
static const struct directive pool_rows[] = {
    POOL(concurrency, "concurrency", INT, "0", 0, LIMIT_POOL_WORKERS,
         "worker processes; 0: 4 in the pool CPU and in those of plug-ins, 50 in others"),
    POOL(backlog, "backlog", INT, "1000", 1, 65536,
         "scans that may wait; when it is full, messages get the error code"),
    POOL(stack_size, "stack_size", SIZE, "8M", 262144, 1073741824, "stack of a worker"),
    POOL(memory_limit, "memory_limit", SIZE, "4G", 67108864, 1099511627776,
         "address space of a worker, signatures included"),
    POOL(temp_size, "temp_size", SIZE, "1G", 1048576, 1099511627776, "what a worker may keep in temporary files"),
    POOL(jobs_per_worker, "jobs_per_worker", INT, "1000", 1, 1000000, "scans after which a worker is replaced"),
    {.name = "reload_mode",
     .type = DIRECTIVE_ENUM,
     .offset = CONF_OFFSET(pool_conf, reload_mode),
     .default_text = "overlap",
     .words = reload_words,
     .reload = RELOAD_ENGINE,
     .description = "overlap: new signatures are loaded beside the old ones, which takes the memory of both for a "
                    "while; stop_first: the old ones go first, meanwhile messages wait for their engine's timeout and "
                    "then get the error code, and a broken database leaves the engine without any"},
    POOL(reload_retry_ms, "reload_retry", DURATION, "300", RETRY_MIN_MS, RETRY_MAX_MS,
         "after so long a database that could not be used is tried again, changed or not"),
};

const struct scope_class pool_class = {
    .name = "ThreadPool",
    .naming = SCOPE_NAMED,
    .rows = pool_rows,
    .row_count = ARRAY_SIZE(pool_rows),
    .struct_size = sizeof(struct pool_conf),
    .check = stanza_check_pool,
    .description = "workers for engines: CPU, IO, or a name of one's own; each pool is one scan host process",
};

static const struct directive antivirus_rows[] = {
    ROW(antivirus_conf, all, "all", DIRECTIVE_BOOL, "false", 0, 0, RELOAD_LIVE,
        "true: every engine looks at every message; false: the first virus that is refused ends the scan"),
    ROW(antivirus_conf, enabled, "enabled", DIRECTIVE_BOOL, "true", 0, 0, RELOAD_LIVE,
        "false (2.x: passive): what the engines in it inherit"),
};

const struct scope_class antivirus_class = {
    .name = "antivirus",
    .naming = SCOPE_OPTIONAL,
    .module = "validate/antivirus",
    .rows = antivirus_rows,
    .row_count = ARRAY_SIZE(antivirus_rows),
    .struct_size = sizeof(struct antivirus_conf),
    .description = "the engines, in the order in which they scan; options written here hold for all of them",
};

const struct scope_class *const engine_classes[] = {
#define SCAN_STANZA(symbol)
#define SCAN_ENGINE(symbol, pool, built) &(symbol),
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
    NULL,
};

const struct engine_kind *engine_kind_find(const struct scope_class *class)
{
    static const struct engine_kind kinds[] = {
#define SCAN_STANZA(symbol)
#define SCAN_ENGINE(symbol, pool, built) {&(symbol), pool, built},
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].class == class)
            return &kinds[i];
    return NULL;
}
