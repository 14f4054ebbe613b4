/* SPDX-License-Identifier: MIT */
/* Records between edge and broker, and between broker and worker: one SEQPACKET datagram each, at most
 * LIMIT_SCAN_RECORD bytes, big-endian. Pure: bytes ↔ structs. Both directions are hostile input: a record that is
 * short, long, of an unknown type or out of range is ERR_SYNTAX, and the receiver drops the channel.
 */
#ifndef SCAN_SCAN_IPC_H
#define SCAN_SCAN_IPC_H

#include "base/err.h"
#include "scan/verdict.h"

enum scan_record_type {
    SCAN_JOB = 1, /* edge → broker → worker, with the read-only descriptor of the message */
    SCAN_CANCEL,  /* edge → broker: the answer is no longer wanted; the worker may be killed */
    SCAN_ANSWER,  /* worker → broker → edge */
    SCAN_STATUS,  /* broker → edge: state of one engine, at the opening of a channel and at each change */
};

struct scan_job {
    uint64_t id;                        /* chosen by the edge, unique on its channel */
    char engine[LIMIT_ENGINE_NAME + 1]; /* instance name */
    uint64_t size;                      /* octets of the message */
    uint64_t deadline_us;               /* on CLOCK_MONOTONIC, which all processes share */
    uint8_t digest[32];                 /* SHA-256 of the message */
};

struct scan_answer {
    uint64_t id;
    struct verdict verdict;
};

enum scan_engine_state { SCAN_ENGINE_LOADING, SCAN_ENGINE_READY, SCAN_ENGINE_FAILED };
struct scan_status {
    char engine[LIMIT_ENGINE_NAME + 1];
    enum scan_engine_state state;
    uint64_t database_version, signatures;
    char detail[LIMIT_VERDICT_TEXT + 1]; /* library version, or why it failed */
};

struct scan_record {
    enum scan_record_type type;
    union {
        struct scan_job job;
        uint64_t cancel; /* id */
        struct scan_answer answer;
        struct scan_status status;
    };
};

/* Encoded size is far below this. */
enum { SCAN_RECORD_SIZE = 1024 };
size_t scan_record_encode(const struct scan_record *r, unsigned char out[SCAN_RECORD_SIZE]);
enum err scan_record_decode(struct span bytes, struct scan_record *out) must_use;

#endif
