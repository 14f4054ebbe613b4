/* SPDX-License-Identifier: MIT */
/* The grammar of what ICAP servers answer (RFC 3507), and what it means: pure, octets to verdict. An answer is a head
 * (a status line and header lines), then the sections that its Encapsulated header lists: header blocks of HTTP and a
 * body in chunks. What a server says about the message stands in headers of its vendor, in the ICAP head or in the
 * enclosed HTTP one: icap_signal.h has the table.
 *
 * Whatever says that something was found counts, wherever it stands and whatever follows it. Clean is only what says so
 * and nothing against it: 204, or the message sent back unmodified by a server that shows that it has scanned it.
 */
#ifndef SCAN_ENGINE_ICAP_REPLY_H
#define SCAN_ENGINE_ICAP_REPLY_H

#include "scan/engine/icap_signal.h"

enum {
    ICAP_LINE_MAX = 8192,
    ICAP_HEAD_LINES = 2000, /* with four for each member of an archive that Symantec names */
    ICAP_HEAD_OCTETS = 256 * 1024,
    ICAP_SECTION_MAX = 64 * 1024, /* of an enclosed header block */
    ICAP_ISTAG_MAX = 64,          /* RFC 3507 4.7 allows 32 octets */
    ICAP_PREVIEW_MAX = 64 * 1024,
    ICAP_TTL_MAX = 24 * 3600,
    ICAP_TTL_DEFAULT = 3600, /* in seconds, where a server says nothing: RFC 3507 would believe it for ever */
};

enum icap_section { ICAP_REQ_HDR, ICAP_RES_HDR, ICAP_REQ_BODY, ICAP_RES_BODY, ICAP_OPT_BODY, ICAP_NULL_BODY };
enum { ICAP_SECTIONS = 3 };

/* What OPTIONS tells of a service. */
struct icap_service {
    bool respmod, reqmod;
    bool allow_204;
    bool has_preview;
    unsigned preview;         /* octets that it wants to see first */
    bool complete_always;     /* Transfer-Complete: * */
    bool ignores_all;         /* Transfer-Ignore: * */
    uint64_t max_connections; /* 0: it does not say */
    uint64_t ttl_s;           /* how long all this holds */
    char name[80];            /* of its software */
};

struct icap_head {
    unsigned status;
    char phrase[64];
    bool close;                     /* the connection ends with this answer */
    char istag[ICAP_ISTAG_MAX + 1]; /* without quotes; empty: none was sent */
    size_t section_count;           /* 0: no Encapsulated header */
    struct {
        enum icap_section kind;
        size_t offset;
    } sections[ICAP_SECTIONS];
    unsigned http_status; /* of the enclosed response; 0: none */
    struct icap_service service;
    struct icap_signals signals;
    /* the parser's */
    unsigned lines;
    size_t octets;
    size_t violation_fields; /* lines of X-Violations-Found that are still to come */
    size_t pending_len;      /* of the header that the next line may continue */
    bool pending_cut;
    char pending[2048];
};

enum icap_step { ICAP_MORE, ICAP_END, ICAP_BAD };

/* SUSPICIOUS_IS_INFECTED: what is blocked without a name is infected, otherwise unscannable. */
void icap_head_begin(struct icap_head *h, bool suspicious_is_infected);
/* One line after the other, from the status line to the empty one that ends the head. ICAP_BAD: it makes no sense, or
 * there is too much of it; what was found before still counts. */
enum icap_step icap_head_line(struct icap_head *h, struct span line);
/* The head ends here, against the rules: what came whole still counts. */
void icap_head_cut(struct icap_head *h);
/* An enclosed HTTP header block, whole. False: it makes no sense. */
bool icap_http_block(struct icap_head *h, enum icap_section kind, struct span block);
/* A line behind a body. False: it is no header, or one whose value goes on. */
bool icap_trailer(struct icap_head *h, struct span line);
/* A line "SIZE[; extension]" in front of a chunk. False: it is none, or larger than 2 GiB. */
bool icap_chunk_line(struct span line, uint64_t *size);

/* How the request went. */
struct icap_circumstances {
    bool whole;         /* the server had all of the message when it answered */
    bool may_204;       /* it was allowed to answer 204: by Allow, or because there was a preview */
    bool offers_204;    /* it had been told Allow: 204, so an echo is not how it says "clean" */
    bool echo_is_clean; /* an echo of a server that does not offer 204 counts as clean */
    bool echoed;        /* a body came, octet by octet the message */
};
void icap_verdict(const struct icap_head *h, const struct icap_circumstances *c, struct verdict *out);
/* The service has said that it scans in this way; otherwise WHY. */
bool icap_service_is_usable(const struct icap_head *h, bool reqmod, struct errtext *why);
/* A number for an ISTag, below 2^53, that tells one from another; never 0. */
uint64_t icap_istag_number(const char *istag);

#endif
