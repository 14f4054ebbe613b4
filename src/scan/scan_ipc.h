/* SPDX-License-Identifier: MIT */
/* Records between edge and broker, and between broker and worker: one SEQPACKET datagram each, at most
 * LIMIT_SCAN_RECORD bytes, big-endian. Pure: bytes ↔ structs. Both directions are hostile input: a record that is
 * short, long, of an unknown type or out of range is ERR_SYNTAX, and the receiver drops the channel.
 */
#ifndef SCAN_SCAN_IPC_H
#define SCAN_SCAN_IPC_H

#include "base/err.h"
#include "scan/inspection.h"
#include "scan/verdict.h"

enum scan_record_type {
    SCAN_JOB = 1,    /* edge → broker → worker, with the read-only descriptor of the message and maybe another */
    SCAN_CANCEL,     /* edge → broker: the answer is no longer wanted; the worker may be killed */
    SCAN_ANSWER,     /* worker → broker → edge */
    SCAN_STATUS,     /* broker → edge: state of one engine, at the opening of a channel and at each change */
    SCAN_QUERY,      /* edge → broker: how is the pool? And, maybe, how many workers it is to have from now on */
    SCAN_POOL,       /* broker → edge: the answer */
    SCAN_INSPECTION, /* worker → broker → edge: the answer to an inspection that came to its end */
};

enum scan_job_kind {
    SCAN_JOB_ENGINE,  /* ask the engine. The second descriptor, where there is one, is the sealed parts file */
    SCAN_JOB_INSPECT, /* take the message apart. The second descriptor is an empty file for the parts, to be written */
};

struct scan_job {
    uint64_t id; /* chosen by the edge, unique on its channel */
    enum scan_job_kind kind;
    char engine[LIMIT_ENGINE_NAME + 1]; /* instance name; of an inspection SCAN_INSPECTOR */
    uint64_t size;                      /* octets of the message */
    uint64_t deadline_us;               /* on CLOCK_MONOTONIC, which all processes share */
    uint8_t digest[32];                 /* SHA-256 of the message */
    uint64_t parts_size;                /* octets of the parts file that comes with it; 0: none does */
};
#define SCAN_INSPECTOR "inspect"

struct scan_answer {
    uint64_t id;
    struct verdict verdict;
};

enum scan_engine_state { SCAN_ENGINE_LOADING, SCAN_ENGINE_READY, SCAN_ENGINE_FAILED };
/* What the canary found out about the standard anti-virus test string and the signatures that the engine loaded. */
enum scan_test_string { SCAN_TEST_STRING_UNTRIED, SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN };
struct scan_status {
    char engine[LIMIT_ENGINE_NAME + 1];
    enum scan_engine_state state;
    uint64_t database_version, database_time, signatures; /* as in struct engine_info */
    char detail[LIMIT_VERDICT_TEXT + 1];                  /* library version, or why it failed */
    enum scan_test_string test_string;
};

struct scan_query {
    uint64_t id;          /* chosen by the edge, comes back in the answer */
    uint32_t concurrency; /* 1 … LIMIT_POOL_WORKERS; 0: as it is */
};

/* POOL_CONCURRENCY, POOL_WORKERS, … */
enum pool_figure {
#define POOL_FIGURE(symbol, word, meaning) POOL_##symbol,
#include "scan/pool_figure.def"
#undef POOL_FIGURE
    POOL_FIGURE_COUNT
};
const char *pool_figure_word(enum pool_figure f);
const char *pool_figure_meaning(enum pool_figure f);

struct scan_pool_report {
    uint64_t id; /* of the query */
    uint64_t figures[POOL_FIGURE_COUNT];
};

struct scan_inspection_answer {
    uint64_t id;
    struct scan_inspection inspection;
};

struct scan_record {
    enum scan_record_type type;
    union {
        struct scan_job job;
        uint64_t cancel; /* id */
        struct scan_answer answer;
        struct scan_status status;
        struct scan_query query;
        struct scan_pool_report pool;
        struct scan_inspection_answer inspected;
    };
};

/* Encoded size is far below this. */
enum { SCAN_RECORD_SIZE = 1024 };
size_t scan_record_encode(const struct scan_record *r, unsigned char out[SCAN_RECORD_SIZE]);
enum err scan_record_decode(struct span bytes, struct scan_record *out) must_use;

#endif
