/* SPDX-License-Identifier: MIT */
/* One message from MAIL to the final reply: envelope, bytes, verdict, decision, times. A session owns at most one. */
#ifndef PROXY_TRANSACTION_H
#define PROXY_TRANSACTION_H

#include "base/dict.h"
#include "proxy/backend.h"
#include "scan/framework.h"
#include "scan/scan_run.h"
#include "smtp/smtp.h"
#include "spool/message.h"
#include "spool/quarantine.h"

struct recipient {
    char *path; /* canonical, with < > */
    bool accepted;
};

/* Where the delivery of one message stands. */
enum deliver_stage {
    DELIVER_LEASE,    /* waits for a backend (replay only) */
    DELIVER_ENVELOPE, /* replays MAIL and RCPT, waits for the replies */
    DELIVER_DATA,     /* waits for 354 */
    DELIVER_BODY,
    DELIVER_DOT, /* everything but the dot has gone: last look at the client */
    DELIVER_WAIT,
    DELIVER_DONE,
};

/* Moments of a message, monotonic microseconds; 0: not reached. */
struct transaction_times {
    uint64_t mail, data, received, scanned, relayed, ended;
};

struct transaction {
    char id[48]; /* session id, a dot, a number */
    /* envelope */
    char *reverse_path;
    uint64_t declared_size;
    enum smtp_body body;
    struct recipient *recipients;
    size_t recipient_count, recipient_room;
    size_t answered; /* backend replies to MAIL and RCPT seen: 0 allows a silent retry on a fresh connection */
    bool mail_accepted;
    unsigned accepted; /* recipients */
    bool broken;       /* the backend failed before DATA: every further command gets the failure */
    /* content */
    struct message *message;
    bool spool_failed;
    unsigned faults;
    bool too_large;
    uint64_t size;
    /* verdict */
    struct scan_run *run;
    struct verdict verdict;
    struct dict context; /* of the message: context.h */
    char *engine_words;  /* what each engine said, where several were asked; NULL: the verdict says it all */
    bool inspected;      /* the message was taken apart */
    struct scan_inspection inspection; /* what that found */
    struct scan_decision decision;
    bool decided;
    /* quarantine */
    struct quarantine_keeping *keeping;
    char quarantine_id[QUARANTINE_ID_SIZE]; /* empty: it was not to be kept */
    bool quarantine_begun, quarantined;     /* quarantined: the copy is on disk */
    /* delivery */
    enum deliver_stage stage;
    bool replay;        /* the envelope must be given to a backend again */
    size_t replayed;    /* replies to the replay seen */
    char overlay[1024]; /* header lines in front of the message */
    size_t overlay_len, overlay_sent;
    uint64_t offset;   /* of the next slice of the message */
    size_t slice_done; /* octets of the slice at OFFSET that are queued */
    bool data_sent, dot_sent, outcome_unknown;
    char backend_name[80];
    /* final reply to the client */
    int reply_code;
    uint16_t reply_enhanced[3];
    char reply_text[1024];
    char backend_reply[256]; /* of the final dot, or of the command that ended the delivery, for the log */
    struct transaction_times times;
};

struct transaction *transaction_new(const char *session_id, unsigned number, uint64_t now_us);
void transaction_free(struct transaction *t);
enum err transaction_set_mail(struct transaction *t, struct span path, uint64_t size, enum smtp_body body) must_use;
enum err transaction_add_recipient(struct transaction *t, struct span path) must_use;

/* Queues MAIL, or RCPT number I, on B's client. */
enum err transaction_send_mail(const struct transaction *t, struct backend *b) must_use;
enum err transaction_send_rcpt(const struct transaction *t, size_t i, struct backend *b) must_use;

/* Queues BYTES of a body as far as B's buffer goes; *DONE: how many were taken. Anything but OK is final: where OK is
 * returned and not all was taken, B wakes its lessee, or has failed. */
enum err transaction_send_body(struct backend *b, struct span bytes, size_t *done) must_use;

/* What the client hears where D says that its message is not delivered; the text is D's. */
struct smtp_reply transaction_refusal(const struct scan_decision *d);
/* Notes the final reply to the client; its text is copied. */
void transaction_set_reply(struct transaction *t, const struct smtp_reply *reply);
struct smtp_reply transaction_reply(const struct transaction *t);
/* Header lines that go in front of the message as the decision says (trace.c). */
void transaction_set_overlay(struct transaction *t, const char *hostname);
/* The same for the message ID out of quarantine. MARK: the value of X-Virus-Status when it was taken. */
void transaction_set_release_overlay(struct transaction *t, const char *id, const char *mark, const char *hostname);

#endif
