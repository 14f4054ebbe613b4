/* SPDX-License-Identifier: MIT */
/* An engine for postern in a shared library of yours: the public binary interface, ABI 1.1.
 *
 * This header is all that a plug-in needs of postern; it needs the C library only, and there is nothing to link with.
 * docs/plugins.md is the guide; what is said here is what postern holds itself to.
 *
 * A plug-in is a shared library that exports ONE symbol, the constant object `postern_engine` of type
 * `struct postern_engine`. postern calls you through it; you never call postern.
 *
 * Processes. A plug-in has a scan host of its own: a process of the program postern-plugin, which loads this one
 * library and no other, never libclamav, and holds no key of anybody; messages that wait for a worker are
 * descriptors in it that it never reads. In it `open` is called once. Then
 * the host forks workers. In each worker `worker_start` is called once, then the worker locks itself in (see the cage),
 * then `scan` once for each message, one after the other; with `mime_decompose` also for each decoded part of it, as if
 * that were a message. A new generation (the database changed, SIGHUP, a crash) is a
 * new host process that loads the library anew. Nothing is ever unloaded: a process of postern's ends without calling
 * you, and without running your destructors.
 *
 * Threads. Every call comes on one thread, and never while another call is under way in that process. `open` may come
 * on another thread than the later calls, so keep nothing in thread-local storage across it. Start no
 * thread and no process, in no call: they would live outside the cage. What `open` or `worker_start` leaves running is
 * found, processes are killed, and the engine is down (docs/plugins.md says of which this is not so). Handlers of
 * pthread_atfork do not run when workers are forked.
 *
 * Descriptors. A worker keeps no descriptor that `open` left open: map what you need (mappings live on), or open it in
 * `worker_start`. A worker that holds many more descriptors after a scan than it had at its start is replaced.
 *
 * Standard streams. Standard input is empty. What you write to standard output or error is no part of postern's log:
 * it comes into it as quoted text (event `plugin-output`), line by line, 100 lines in ten seconds at most; the rest
 * waits in a pipe, and what that does not hold is lost. Writing there never blocks. What matters goes into `why` and
 * `detail`.
 *
 * Memory. What a call gets by pointer belongs to postern and ends with the call, but for the strings of
 * `struct postern_setup`, which live as long as the process. The state is yours. All strings end in NUL.
 *
 * The cage. From after `worker_start` on the worker has, with `sandbox = strict`: its memory (none of it newly
 * executable), the descriptors that it has, and its temporary directory. No socket, no process, no thread, no other
 * file, no signal to anybody. A system call beyond that ends the worker with SIGSYS. `sandbox = vendor` adds what the
 * administrator's stanza lists: docs/plugins.md.
 *
 * Faults. A crash, a hang, an answer that makes no sense: that one message gets the administrator's `error_code` and is
 * tried again by its sender; the worker is replaced. The same message ending three workers is not scanned again.
 *
 * Versions. `abi_major` changes when an old plug-in cannot work any more; postern refuses another one than its own.
 * `abi_minor` grows when something is added at the end of a structure or to a list of numbers; postern refuses a
 * plug-in that wants a later one than its own, and serves every earlier one. Numbers never change their meaning. Each
 * structure begins with its size as its maker knows it: of one that postern gives to you, do not touch what lies beyond
 * `size`, and leave `size` as it is. Your table may be larger than postern's, compiled with a later header: what it has
 * behind the fields that postern knows is not looked at. It is never smaller than that of version 1.0. Reserved fields
 * are zero and stay zero: a table, an info or a verdict (but an infected one) with another value in one is refused.
 */
#ifndef POSTERN_ENGINE_H
#define POSTERN_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_ENGINE_ABI_MAJOR 1
#define POSTERN_ENGINE_ABI_MINOR 1

/* Room for text, its NUL included. */
#define POSTERN_NAME_SIZE 128 /* of a virus; a version */
#define POSTERN_TEXT_SIZE 256 /* for people */

/* What became of a scan. */
enum postern_class {
    POSTERN_NO_VERDICT = 0,  /* what a verdict is before `scan` fills it; an answer of it is a fault */
    POSTERN_CLEAN = 1,       /* all of it was looked at and nothing found */
    POSTERN_INFECTED = 2,    /* `name` says by what */
    POSTERN_UNSCANNABLE = 3, /* not all of it could be looked at: `reason` 101 … says why; refused by default */
    POSTERN_ERROR = 4        /* nothing is known: `reason` 201 … says why; the sender is asked to try again */
};
/* Why. 0 stands for CLEAN and INFECTED; each of the others belongs to one class. */
enum postern_reason {
    POSTERN_REASON_NONE = 0,
    POSTERN_ENCRYPTED = 101,   /* content locked by a password */
    POSTERN_LIMIT = 102,       /* a limit of yours was reached before the end */
    POSTERN_MALFORMED = 103,   /* too broken to be taken apart */
    POSTERN_TOO_LARGE = 104,   /* larger than you take */
    POSTERN_PARTIAL = 105,     /* one piece of a message that was sent in several */
    POSTERN_UNSUPPORTED = 106, /* a container that you cannot open */
    POSTERN_SUSPICIOUS = 107,  /* suspected, without a virus that you know */
    POSTERN_EXTERNAL = 108,    /* content that its reader fetches from elsewhere. Since 1.1 */
    POSTERN_FAILED = 201,      /* a failure of yours; `detail` says what */
    POSTERN_TIMEOUT = 202,     /* you gave up before the deadline */
    POSTERN_OUT_OF_MEMORY = 203,
    POSTERN_DOWN = 204 /* what you need is not there: a daemon, a licence */
};

/* An option of yours, out of the administrator's stanza: `options [ name = value … ]`. It has no size, as its array
 * has its stride: it is a pair for good. What more there may once be to say about an option will come in an array
 * beside it, in a field of `struct postern_setup` that is reserved now. */
struct postern_option {
    const char *name;  /* as you spell it in postern_engine.options */
    const char *value; /* as it is written, never NULL */
};

/* For `open`. */
struct postern_setup {
    uint32_t size;
    uint32_t abi_minor;   /* postern's own */
    const char *instance; /* name of the engine in the configuration: plugin "vendor1" */
    const char *database; /* the option `database` of the stanza; NULL: none */
    const struct postern_option *options;
    size_t option_count;
    uint64_t reserved[8];
};

/* What `open` says of itself. All of it may stay zero. */
struct postern_info {
    uint32_t size;
    uint32_t reserved0;
    uint64_t database_version;       /* 0: unknown */
    uint64_t signatures;             /* their number; 0: unknown. See max_signature_loss in docs/plugins.md */
    char version[POSTERN_NAME_SIZE]; /* of your library and its database, for people */
    char missing[POSTERN_TEXT_SIZE]; /* what this installation of yours cannot do; empty: nothing */
    uint64_t reserved[8];
};

/* For `scan`. */
struct postern_message {
    uint32_t size;
    int32_t fd;       /* the message as it was received, read-only, CRLF line ends, no dot-stuffing. Yours until `scan`
                         returns, not to be closed. Its file offset is nobody's: use pread or mmap */
    uint64_t length;  /* octets */
    uint64_t time_ms; /* until the deadline, at which the worker is killed */
    uint64_t reserved[8];
};

/* The answer of `scan`; zero but for `size` when you get it. Texts are taken as printable ASCII. */
struct postern_verdict {
    uint32_t size;
    uint32_t verdict_class; /* enum postern_class */
    uint32_t reason;        /* enum postern_reason */
    uint32_t reserved0;
    char name[POSTERN_NAME_SIZE];   /* INFECTED: of the virus. Otherwise empty */
    char detail[POSTERN_TEXT_SIZE]; /* for the log */
    uint64_t reserved[8];
};

struct postern_engine {
    uint32_t size;      /* sizeof(struct postern_engine), as in the header that you compile with */
    uint32_t abi_major; /* POSTERN_ENGINE_ABI_MAJOR */
    uint32_t abi_minor; /* the earliest one that has what you use: 0 */
    uint32_t reserved0;
    const char *name;    /* of the product: "Example Scanner" */
    const char *version; /* of this library: "1.2.3" */
    /* Names of your options, the last one NULL; NULL: you have none. Any other in the stanza is refused for you. The
     * same letters in another case are the same name. */
    const char *const *options;
    /* In the host, once, without a cage: reads options, loads the database. 0, or anything else after writing into WHY
     * what was found and what was expected: then the engine is down and its messages get `error_code`. */
    int (*open)(const struct postern_setup *setup, struct postern_info *info, void **state,
                char why[POSTERN_TEXT_SIZE]);
    /* In each worker, once, still without a cage but with no message near: what must be opened before it closes. TEMP
     * is the directory where the worker may write; it is emptied after each scan. Result as of `open`. May be NULL. */
    int (*worker_start)(void *state, const char *temp, char why[POSTERN_TEXT_SIZE]);
    /* In a worker, in its cage: looks at one message and fills VERDICT. */
    void (*scan)(void *state, const struct postern_message *message, struct postern_verdict *verdict);
    void (*reserved[8])(void);
};

#if defined(__GNUC__)
#define POSTERN_EXPORT __attribute__((visibility("default")))
#else
#define POSTERN_EXPORT
#endif

/* The symbol that your library exports. */
extern POSTERN_EXPORT const struct postern_engine postern_engine;

#ifdef __cplusplus
}
#endif

#endif
