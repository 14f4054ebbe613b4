/* SPDX-License-Identifier: MIT */
/* How postern-scan and a scanner program (engine csapi) speak. Pure: octets to values and back, nothing is believed
 * beyond its form.
 *
 * The program finds a unix socket (SOCK_SEQPACKET) at descriptor 3. Each datagram is one message of at most 4096
 * octets: lines of printable ASCII, each with LF, the last one "end". Numbers are decimal.
 *
 *   the program, once, when it has loaded its definitions     READY 1
 *                                                             [version TEXT] [definitions NUMBER]
 *                                                             [signatures NUMBER] [missing TEXT]
 *                                                             end
 *   or, when it never will                                    REFUSED TEXT
 *                                                             end
 *   then, one after the other: postern-scan                   SCAN ID SIZE MILLISECONDS
 *                                                             end
 *     with one descriptor, the message, open for reading: SIZE octets from offset 0 (its file position is nobody's, so
 *     use pread). The answer is due within MILLISECONDS; later the program is killed.
 *   the program                                               RESULT ID clean|infected|unscannable|error
 *                                                             [code SCAN_CODE]… at most 8; see csapi_code.def
 *                                                             [virus NAME] [info TEXT]
 *                                                             end
 * Lines stand in any order, each at most once but for `code`.
 *   End of file at descriptor 3: nobody wants it any more, it ends.
 *
 * Whatever else it sends, or sends out of turn, gets it killed, and the message at hand is an ERROR. What it prints
 * goes to scanner_log. TMPDIR names its own directory, emptied before each start. It has one thread, starts no other
 * program and opens no socket (scan/host/sandbox.h, profile exec).
 *
 * A worker asks the host (scan/host/keeper.h) for such a scan by ASK, and gets a RESULT with the number of its own.
 */
#ifndef SCAN_ENGINE_SCANNER_PROTOCOL_H
#define SCAN_ENGINE_SCANNER_PROTOCOL_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    SCANNER_FD = 3,
    SCANNER_MESSAGE_MAX = 4096,
    SCANNER_PROTOCOL = 1,
    SCANNER_CODES = 8,
    SCANNER_CODE_SIZE = 80,
    SCANNER_TIME_MAX_MS = 24 * 3600 * 1000,
};

struct scanner_ready {
    bool refused;                         /* it will not scan; `text` says why */
    uint64_t definitions, signatures;     /* 0: unknown */
    char text[LIMIT_VERDICT_TEXT + 1];    /* version; or why it refuses */
    char missing[LIMIT_VERDICT_TEXT + 1]; /* what it cannot do, as struct engine_info has it */
};

struct scanner_request {
    uint64_t id, size, time_ms;
    uint64_t engine; /* ASK only: index of the engine in its host */
};

enum scanner_status { SCANNER_CLEAN, SCANNER_INFECTED, SCANNER_UNSCANNABLE, SCANNER_ERROR };
struct scanner_result {
    uint64_t id;
    enum scanner_status status;
    size_t code_count;
    char codes[SCANNER_CODES][SCANNER_CODE_SIZE];
    char virus[LIMIT_VERDICT_NAME + 1];
    char info[LIMIT_VERDICT_TEXT + 1];
};

/* Each writes into OUT, born with SCANNER_MESSAGE_MAX; what is not printable becomes '?'. ERR_FULL, ERR_NOMEM. */
enum err scanner_ready_write(const struct scanner_ready *r, struct buf *out) must_use;
enum err scanner_request_write(const struct scanner_request *r, bool ask, struct buf *out) must_use;
enum err scanner_result_write(const struct scanner_result *r, struct buf *out) must_use;

/* ERR_SYNTAX: it is no such message. */
enum err scanner_ready_read(struct span bytes, struct scanner_ready *out) must_use;
enum err scanner_request_read(struct span bytes, bool ask, struct scanner_request *out) must_use;
enum err scanner_result_read(struct span bytes, struct scanner_result *out) must_use;

/* Adds a code, where there is room. */
void scanner_result_add(struct scanner_result *r, const char *code);

#endif
