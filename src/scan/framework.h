/* SPDX-License-Identifier: MIT */
/* The antivirus framework, edge side: which engines there are, in which order, what their stanzas say, and what follows
 * from a verdict. Built once from the configuration, immutable, shared by all loops.
 */
#ifndef SCAN_FRAMEWORK_H
#define SCAN_FRAMEWORK_H

#include "conf/directive.h"
#include "scan/verdict.h"

/* What follows from one engine's word. */
enum scan_action {
    SCAN_ACTION_DELIVER, /* nothing stands against it */
    SCAN_ACTION_REJECT,
    SCAN_ACTION_QUARANTINE, /* not delivered, but kept; quarantine_reply says what the sender hears */
    SCAN_ACTION_PASS,       /* delivered all the same, marked */
    SCAN_ACTION_DEFER,      /* error_code: the sender shall try again */
    SCAN_ACTION_NEXT,       /* this engine's trouble does not count if another engine had a look */
};
/* Words of the option action, of on_unscannable and of on_REASON for an unscannable message, of on_REASON for trouble,
 * and of on_error. */
enum { ON_INFECTED_REJECT, ON_INFECTED_PASS, ON_INFECTED_QUARANTINE };
enum {
    ON_UNSCANNABLE_ACTION,
    ON_UNSCANNABLE_REJECT,
    ON_UNSCANNABLE_PASS,
    ON_UNSCANNABLE_ERROR_CODE,
    ON_UNSCANNABLE_QUARANTINE,
    ON_UNSCANNABLE_GENERAL /* on_REASON alone: as on_unscannable says */
};
enum { ON_TROUBLE_ON_ERROR, ON_TROUBLE_ERROR_CODE, ON_TROUBLE_NEXT, ON_TROUBLE_PASS };
enum { ON_ERROR_ERROR_CODE, ON_ERROR_NEXT, ON_ERROR_PASS };
/* Words of quarantine_reply. */
enum { QUARANTINE_REPLY_ACCEPT, QUARANTINE_REPLY_REJECT };
/* Words of the options protocol, suspicious, netscan_framing, netscan_goahead. */
enum { KASPERSKY_AVESERVER, KASPERSKY_HTTP, KASPERSKY_REST };
enum { SUSPICIOUS_INFECTED, SUSPICIOUS_UNSCANNABLE };
enum { NETSCAN_LENGTH, NETSCAN_DOT, NETSCAN_CHUNK };
enum { GOAHEAD_AUTO, GOAHEAD_YES, GOAHEAD_NO };
/* Words of icap's option mode. */
enum { ICAP_MODE_RESPMOD, ICAP_MODE_REQMOD };
/* Words of the option test_string. */
enum { TEST_STRING_REMEMBERED, TEST_STRING_REQUIRED, TEST_STRING_IGNORED };

/* What csapi means by a limit of 0. */
enum { SCANNER_FILE_SIZE = 104857600, SCANNER_CUMULATIVE_SIZE = 209715200 };

/* What csapi says of its scanner program. */
struct scanner_conf {
    const char *path; /* NULL: postern-avscan, beside postern-scan */
    const char *log;  /* NULL: what it prints is dropped */
    /* sizes: 0 as above; time and files: 0 is no limit */
    int64_t max_cumulative_extract_size, max_extract_depth, max_extract_size, max_extract_time_ms, max_file_count;
    int64_t update_interval_ms;
    /* No options: descriptors of both, where somebody opened them for us; 0: not. */
    int program_fd, log_fd;
};

/* Words of the option sandbox. */
enum { PLUGIN_SANDBOX_STRICT, PLUGIN_SANDBOX_VENDOR };
/* What plugin says of its library and of the cage. */
struct plugin_conf {
    const char *instance; /* no option: name of the engine, for the library */
    const char *library;
    struct conf_dict options; /* the library's own */
    int64_t load_timeout_ms;
    int sandbox; /* PLUGIN_SANDBOX_ */
    struct conf_list allow_ports, allow_read;
    bool allow_unix_sockets, allow_executable_memory;
};

enum { COMMAND_RUNNERS = 4 /* where max_concurrency is not given */, COMMAND_LIST = 64, COMMAND_PATTERNS = 8 };
/* What command says of its program. */
struct command_conf {
    struct conf_list argv; /* an argument "%s" is the message's path; without one the message is its standard input */
    struct conf_list clean_codes, infected_codes, unscannable_codes;
    struct conf_list virus_pattern, readable;
};

/* Options common to every engine (momentum.md E2), as its stanza gives them. Shared with the scan host. */
struct engine_conf {
    bool enabled;
    int action;                                  /* ON_INFECTED_ */
    int quarantine_reply;                        /* QUARANTINE_REPLY_ */
    int on_error;                                /* ON_ERROR_ */
    int on_unscannable;                          /* ON_UNSCANNABLE_ but GENERAL */
    int on_reason[VERDICT_REASON_COUNT];         /* ON_UNSCANNABLE_ or ON_TROUBLE_, by the reason's class */
    struct conf_dict reason_codes, reason_texts; /* by the reason's word; before those of its class */
    struct conf_list ignore_signatures;          /* see ignore.h */
    int64_t error_code;
    int64_t timeout_ms;
    const char *pool;                                     /* NULL: the engine's default pool */
    const char *context_variable, *skip_context_variable; /* see subject.h; NULL: TYPE_status, none */
    int64_t max_concurrency;
    int64_t cache_size; /* entries; 0: none */
    bool cache_clean;
    int64_t breaker_failures;                 /* 0: never */
    int64_t probe_interval_ms, probe_idle_ms; /* IDLE 0: not at all */
    int test_string;                          /* TEST_STRING_ */
    /* texts of our replies; %v virus or reason, %e engine, %i message id */
    const char *infected_text, *unscannable_text, *error_text;
    int64_t infected_code, unscannable_code;
    /* clamav's own; max_filesize of all with a daemon, max_recursion fsecure's too (others leave them unset) */
    const char *database;
    bool alert_encrypted;
    int64_t max_scansize, max_filesize, max_recursion, max_files;
    struct conf_list daemon; /* servers in their order, see server_name.h */
    int64_t daemon_connect_ms;
    bool daemon_is_remote;
    const char *file_base;         /* where a daemon finds messages as files; NULL: nowhere */
    bool mime_decompose, paranoid; /* see inspection.h */
    /* kaspersky's and fsecure's own */
    int protocol, suspicious, netscan_framing, netscan_goahead;
    const char *scan_flags, *netscan_command;
    bool riskware;
    /* icap's own */
    const char *icap_service;
    int icap_mode;        /* ICAP_MODE_ */
    int64_t icap_preview; /* octets at most; 0: none */
    int64_t icap_end_delay_ms;
    bool icap_http_headers, icap_echo_is_clean, icap_keep_alive;
    unsigned workers;            /* no option: of its pool, where the host says so; 0: unknown */
    bool database_watch;         /* load again when the database changed */
    int64_t database_settle_ms;  /* once it has been quiet for so long */
    int64_t max_signature_loss;  /* percent of the old one's that a new database may lack; 100: any */
    int64_t min_signatures;      /* with fewer the engine does not scan */
    bool official_only;          /* clamav, csapi: signatures without their maker's own signature are passed over */
    struct scanner_conf scanner; /* csapi's own */
    struct plugin_conf plugin;   /* plugin's own */
    struct command_conf command;
};

/* How a pool changes from one generation of its scan host to the next. */
enum pool_reload { POOL_RELOAD_OVERLAP, POOL_RELOAD_STOP_FIRST };

/* ThreadPool "NAME". */
struct pool_conf {
    int64_t concurrency; /* 0: the name's default: CPU 4, others 50 */
    int64_t backlog;
    int64_t stack_size;
    int64_t memory_limit; /* RLIMIT_AS of a worker */
    int64_t temp_size;    /* quota of a worker's temporary directory */
    int64_t jobs_per_worker;
    int reload_mode;         /* enum pool_reload */
    int64_t reload_retry_ms; /* between two tries to load a database that cannot be used */
};

/* Every scope class of this folder by name, out of stanza.def: scan_class (implicit: scan = on | off), pool_class
 * (ThreadPool), antivirus_class, clamav_class, … A list of them all: include the same table with macros that give
 * `&symbol,`. */
#define SCAN_STANZA(symbol)              extern const struct scope_class symbol;
#define SCAN_ENGINE(symbol, pool, built) extern const struct scope_class symbol;
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
extern const struct scope_class
    *const engine_classes[]; /* clamav, kaspersky, …; NULL-terminated; not all of them are built */

struct framework_engine {
    const char *name; /* of the instance: "clamav1" */
    const char *type; /* of the class: "clamav" */
    const char *pool; /* name of its pool */
    bool built;       /* false: configured, but this version cannot run it: always ERROR */
    const struct engine_conf *conf;
    const struct conf_scope *scope;
};

struct framework_pool {
    const char *name;
    struct pool_conf conf; /* with defaults filled in */
};

struct framework {
    bool scan_off;
    bool all; /* a virus does not stop the engines that come after the one that found it */
    struct framework_engine engines[LIMIT_ENGINES]; /* enabled ones, in file order */
    size_t engine_count;
    struct framework_pool pools[LIMIT_POOLS]; /* those that a built engine uses: one scan host each */
    size_t pool_count;
    int inspection_pool; /* index of the pool whose workers take messages apart; -1: no engine asks for it */
};

/* GLOBAL lives as long as FW. Cannot fail: the classes' checks have bounded everything. */
void framework_init(struct framework *fw, const struct conf_scope *global);
/* Index of the pool NAME in fw->pools, or -1. */
int framework_pool_index(const struct framework *fw, const char *name);

/* Whether any engine that takes part may put messages into quarantine. */
bool framework_quarantines(const struct framework *fw);

/* A vendor's library (class plugin): alone in its pool, whose host is the program postern-plugin. */
bool framework_is_plugin(const struct framework_engine *engine);
/* A scanner's command line (class command). */
bool framework_is_command(const struct framework_engine *engine);
/* POOL has a plug-in. */
bool framework_pool_is_plugins(const struct framework *fw, const char *pool);
/* What names derived from an engine begin with, such as NAME_status: its type; of a plug-in its own name, as the type
 * says nothing about it. */
const char *framework_stem(const struct framework_engine *engine);
/* The name by which scripts call an engine with the stem STEM, as the original forms it: whatever is no letter or digit
 * becomes '_', and "_avscan" follows (clamav_avscan, csapi_avscan, kaspersky_avscan); fsecure's is f_secure_avscan. */
enum { FRAMEWORK_SCRIPT_NAME = LIMIT_ENGINE_NAME + 8 };
void framework_script_name(const char *stem, char out[FRAMEWORK_SCRIPT_NAME]);

/* The engine's stanza asks for an inspection of each message (inspection.h). */
bool framework_inspects(const struct framework_engine *engine);
/* The engine loads a signature database, or is a library itself, so that its pool has generations. */
bool framework_has_database(const struct framework_engine *engine);
/* Scans of the engine at the same time; 0: as many as its pool has. */
int64_t framework_max_concurrency(const struct framework_engine *engine);
/* Processes of scanner programs in POOL (csapi), beside its workers. */
unsigned framework_scanners(const struct framework *fw, const char *pool);

/* The largest message that every enabled engine of the configuration GLOBAL looks at, in octets; 0: no engine has a
 * limit. *ENGINE and *OPTION: whose limit it is. For checks of a configuration. */
int64_t framework_size_limit(const struct conf_scope *global, const char **engine, const char **option);

/* Name of the first enabled engine of the configuration GLOBAL that does not scan where the context variable VARIABLE
 * is set, or NULL. For checks of a configuration. */
const char *framework_skips(const struct conf_scope *global, const char *variable);

/* What postern does with a message. */
struct scan_decision {
    bool deliver;
    bool mark;       /* deliver with the X-Virus-Status header */
    bool quarantine; /* not delivered, but kept before the reply */
    bool accept;     /* what is kept is answered with 250, not with CODE */
    int code;        /* when not delivered */
    unsigned char enhanced[3];
    char text[512];   /* one line of reply text */
    char status[256]; /* value of the X-Virus-Status header, without the host name */
};
/* V is the final verdict; MESSAGE_ID goes into the text. Clean and skipped are delivered; the rest follows the stanza
 * of the engine that decided (v->engine). Error is delivered only where that stanza says so in words (on_error = pass).
 */
void framework_decide(const struct framework *fw, const struct verdict *v, const char *message_id,
                      struct scan_decision *out);
/* What follows from V alone, by the stanza of the engine that gave it. */
enum scan_action framework_action(const struct framework *fw, const struct verdict *v);
/* What CONF says of an unscannable message by its REASON: ON_UNSCANNABLE_ACTION, …_QUARANTINE, never …_GENERAL. */
int framework_on_unscannable(const struct engine_conf *conf, enum verdict_reason reason);
/* True when A counts before B, where several engines looked at one message: what is refused before trouble, trouble
 * before what an engine's pass would deliver, that before clean, that before trouble that does not count (on_error =
 * next). So no engine's pass hides that another refuses, or has not looked. */
bool framework_outranks(const struct framework *fw, const struct verdict *a, const struct verdict *b);
/* The same where both are words of one engine about one message: what is refused comes first, then trouble. No pass
 * hides that something was not looked at, and no on_error = next that the engine saw but half of the message. */
bool framework_outranks_within(const struct framework *fw, const struct verdict *a, const struct verdict *b);
/* V settles the matter: no further engine can make the message be delivered, so none is asked. */
bool framework_is_final(const struct framework *fw, const struct verdict *v);

#endif
