/* SPDX-License-Identifier: MIT */
/* The console's commands: what one is, what it is given, and how it answers. Modules declare their commands in tables
 * (console_antivirus.c, console_threads.c, console_engine.c …), and console_tables.c is the one explicit list of them.
 *
 * console.h (this) the registry; console.c finds the command of a request, runs it and holds its answer;
 * console_output.c text and JSON; console_line.h the protocol on the socket (pure); console_conf.h the option tables;
 * console_server.h the sockets and their sessions; console_main.c the program postern-console.
 *
 * To add commands: a file console_NAME.c with functions void NAME_VERB(struct console_call *) and a struct
 * console_table; one line in console_tables.c; what it needs to see as a member of struct console_view, which edge.c
 * fills. Everything runs on loop 0 of the edge and must not block: slow work goes to view->iopool (done on
 * view->mailbox) or over a channel, and console_call_finish comes later.
 */
#ifndef DAEMON_CONSOLE_H
#define DAEMON_CONSOLE_H

#include "base/list.h"
#include "base/log.h"
#include "conf/conf.h"
#include "daemon/console_line.h"
#include "io/deadline.h"
#include "io/iopool.h"
#include "scan/framework.h"
#include "scan/scan_client.h"

enum {
    CONSOLE_JSON_DEPTH = 8,          /* brackets inside brackets */
    CONSOLE_DEADLINE_MS = 10 * 1000, /* for a command whose row says 0 */
    CONSOLE_CALLS_MAX = 64,          /* on their way at the same time, given up or not */
    CONSOLE_WHO_SIZE = 64,
};

/* What commands see of the edge. Lives as long as the console; filled by edge.c. Modules add their own members. */
struct console_view {
    const struct conf *conf;
    const struct framework *framework;
    const struct log *log;
    struct loop *loop;                  /* loop 0, on which commands run */
    struct mailbox *mailbox;            /* of loop 0: where jobs and other loops answer */
    struct iopool *iopool;              /* for files */
    struct scan_client *scans;          /* of loop 0 */
    struct quarantine_desk *quarantine; /* NULL: there is none */
    unsigned loop_count;
    uint64_t started_ms; /* since 1970: when this edge was started */
    /* Asks the supervisor to load the databases of pool INDEX anew (-1: of all pools). ERR_OK: it was told. */
    enum err (*reload)(void *edge, int pool_index);
    void *edge;
};

struct console_call;

/* One command. The table is the dispatcher, the help text and the documentation.
 *
 * SYNTAX is a list of words: lower-case words must be there as they are (any case), upper-case words are arguments; the
 * last words may be optional, "[NAME]", or one optional argument that may repeat, "[NAME...]". The first word may be a
 * scope whose instance can be named: "antivirus[:NAME] stats" is called by `antivirus:av1 stats` and `antivirus stats`.
 *     "threads stats"   "threads POOL concurrency N"   "quarantine list [LIMIT]"   "engine enable NAME"
 * Of the rows of all tables, in their order, the first that fits is called: put literal words before arguments. */
struct console_command {
    const char *syntax;
    const char *help;     /* one line, without a full stop */
    bool changes;         /* it changes something: logged with who asked, as `console` */
    unsigned deadline_ms; /* 0: CONSOLE_DEADLINE_MS. When it passes, the client is told so and waits no longer */
    /* Answers, or starts what will: exactly one console_call_finish for each run, from inside or later. */
    void (*run)(struct console_call *c);
};

struct console_table {
    const struct console_command *items;
    size_t count;
};
#define CONSOLE_TABLE(rows)                                                                                            \
    {                                                                                                                  \
        .items = (rows), .count = ARRAY_SIZE(rows)                                                                     \
    }
/* All tables, NULL-terminated (console_tables.c). */
extern const struct console_table *const console_tables[];

/* One request on its way. Lives until console_call_finish, also when its client has gone or its deadline has passed;
 * what it writes then is thrown away. */
struct console_call {
    const struct console_command *command;
    const struct console_view *view;
    /* Arguments in the order of SYNTAX's upper-case words; those left out are NULL. Printable ASCII, NUL-terminated, at
     * most CONSOLE_LINE_MAX long. */
    const char *argv[CONSOLE_WORDS_MAX];
    size_t argc;          /* up to the last one given */
    const char *instance; /* of "scope[:NAME]", or NULL */
    bool json;            /* the answer is to be one JSON value, see below; otherwise text */
    const char *asked_by; /* "root", "uid 1000", for logs */
    bool abandoned;       /* nobody waits any more: a long piece of work may stop early; finish is still due */
    void *state;          /* the command's own, from mem_new: freed with the call */
    /* Set by the command where it has calls to the scan hosts on their way: the edge ends, so they are to be taken
     * back. finish is not due any more. Jobs of the iopool need none: they are over when the call is freed. */
    void (*stop)(struct console_call *c);
    /* internal to console.c and console_output.c */
    unsigned magic;
    bool finished;
    struct console *console;
    struct list node;
    enum console_status status;
    struct buf out;
    bool overflow;  /* what was written did not fit */
    bool starved;   /* for want of memory */
    bool failed;    /* what is in `out` is the failure's text, and stays it */
    unsigned depth; /* of open brackets */
    char brackets[CONSOLE_JSON_DEPTH];
    bool comma[CONSOLE_JSON_DEPTH + 1];
    struct console_words words;
    char who[CONSOLE_WHO_SIZE];
    struct deadline deadline;
    struct loop_deferred reaper;
    void (*done)(void *arg, struct console_call *c);
    void *done_arg;
};

/* ---- answering ---- */

/* Text of the answer, with line ends of its own. Nothing happens when call->json is set, so that a command may write
 * both forms one after the other. What comes from outside goes through console_text_span. */
void console_text(struct console_call *c, const char *format, ...) printf_like(2, 3);
/* As text, with everything but printable ASCII replaced by '?', so that a name from a message cannot move a terminal's
 * cursor. */
void console_text_span(struct console_call *c, struct span bytes);

/* The answer as JSON: exactly one value, commonly an object. Nothing happens unless call->json is set. KEY is NULL
 * inside an array and for the outermost value. Commas and escaping are done here; bytes outside printable ASCII are
 * written as \u00NN. */
void console_json_open(struct console_call *c, const char *key, char bracket); /* '{' or '[' */
void console_json_close(struct console_call *c);
void console_json_span(struct console_call *c, const char *key, struct span value);
void console_json_str(struct console_call *c, const char *key, const char *value); /* NULL: null */
void console_json_u64(struct console_call *c, const char *key, uint64_t value);
void console_json_bool(struct console_call *c, const char *key, bool value);
/* Microseconds as milliseconds with three decimals. */
void console_json_ms(struct console_call *c, const char *key, uint64_t microseconds);
/* A quotient, three decimals; null where PARTS is 0. */
void console_json_ratio(struct console_call *c, const char *key, uint64_t whole, uint64_t parts);

/* Throws away what was written: the call has failed and the answer is this text, or {"error": text}. finish is still
 * due. */
void console_fail(struct console_call *c, const char *format, ...) printf_like(2, 3);
/* The same for arguments that cannot be meant: status CONSOLE_REFUSED. */
void console_refuse(struct console_call *c, const char *format, ...) printf_like(2, 3);

/* The answer is complete. C is gone afterwards (freed by the loop's reaper). Open brackets are closed. */
void console_call_finish(struct console_call *c);

/* ---- running (console_server.c, tests) ---- */

struct console;
/* NULL: no memory. VIEW and TABLES outlive it. */
struct console *console_new(const struct console_view *view, const struct console_table *const *tables);
/* The edge ends: calls that are on their way take theirs to scan hosts back. */
void console_stop(struct console *c);
/* After the end of all that might finish a call. */
void console_free(struct console *c);
/* Runs the request LINE (without its line end; hostile bytes welcome). DONE is called from the loop, once, never from
 * inside this call, with the answer: console_call_status and console_call_answer hold until DONE returns. Until then
 * the result can be handed to console_call_abandon. NULL: no memory. */
struct console_call *console_run(struct console *c, struct span line, const char *asked_by,
                                 void (*done)(void *arg, struct console_call *call), void *arg);
enum console_status console_call_status(const struct console_call *c);
struct span console_call_answer(const struct console_call *c);
/* The client is gone: DONE will not be called. */
void console_call_abandon(struct console_call *c);

#endif
