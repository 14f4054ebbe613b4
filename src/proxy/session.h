/* SPDX-License-Identifier: MIT */
/* One client's session on one loop: its stream, its SMTP server engine, at most one transaction and at most one leased
 * backend.
 *
 * Whatever completes (client bytes, backend replies, scan, spool, a deadline) puts the session on the loop's run list;
 * session_run calls the current step until it says STEP_WAIT. A session is freed by the proxy's reaper only, never
 * inside a callback. Private to src/proxy.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "io/deadline.h"
#include "io/listener.h"
#include "io/stream.h"
#include "proxy/proxy.h"
#include "proxy/transaction.h"
#include "smtp/server.h"

enum session_step {
#define STEP(symbol, function, word, silence, vanished) STEP_##symbol,
#include "proxy/step.def"
#undef STEP
};

enum step_result {
    STEP_WAIT, /* nothing more can be done before something completes */
    STEP_GO,   /* call the current step again: it may be another one now */
};

struct proxy_listener {
    struct list node;
    struct proxy *proxy;
    struct listener *listener;
    const struct listen_conf *conf;
    const char *name;
    struct smtp_server_options smtp;
};

struct proxy {
    const struct proxy_shared *shared;
    struct loop *loop;
    struct mailbox *mailbox;
    unsigned index;
    struct backend_pool *backends;
    struct scan_client *scans;
    struct quarantine_desk *desk; /* of the first loop, where there is a quarantine */
    struct list listeners, sessions, dead;
    struct loop_deferred reaper;
    uint64_t session_count; /* ever */
    bool draining;
    void (*empty)(void *arg);
    void *empty_arg;
};

struct session {
    unsigned magic;
    struct list node;
    struct proxy *proxy;
    const struct proxy_listener *listener;
    struct stream client;
    struct smtp_server smtp;
    struct loop_deferred run;
    struct deadline silence; /* of the client */
    struct deadline hold;    /* of the backend; in STEP_QUARANTINE of the copy, as there is no backend then */
    enum session_step step, closed_in;
    struct transaction *transaction;
    size_t sent; /* commands of the envelope given to the backend: 0 none, 1 MAIL, 1 + n recipients */
    struct backend *backend;
    struct smtp_reply failure; /* of the transaction that is broken; its text in failure_text */
    char failure_text[400];
    uint64_t said, said_when_armed; /* octets of replies given to the stream: now, and when SILENCE was set */
    bool hold_expired, ended, linger, half_closed, sealing;
    const char *close_reason;
    struct dict context; /* of the connection: context.h */
    char id[32];
    struct addr peer;
    char peer_text[ADDR_TEXT];
    uint64_t started_us;
    unsigned messages, delivered, recipients;
};

/* session.c */
void session_start(struct proxy_listener *l, int fd, const struct addr *peer);
void session_wake(void *arg); /* puts the session on the run list */
void session_drain(struct session *s);
/* 421, whatever it does, and the end: the drain has taken too long. */
void session_cut(struct session *s);
/* 421 4.3.2, then STEP_CLOSE. */
void session_shut(struct session *s);
/* Leaves for STEP_CLOSE with a static REASON for the log; what stands in the engine's output is still sent. */
void session_close(struct session *s, const char *reason);
/* Ends at once: nothing is sent any more. */
void session_end(struct session *s, const char *reason);
/* The client is gone, or its stream is in error: its open message, if any, has its line, and the session ends with
 * REASON. Where only memory for its input was short it is told so, which is the reason then. */
void session_lose_client(struct session *s, const char *reason);
/* 421, as part of the client's input is lost for want of memory, then STEP_CLOSE. */
void session_shut_for_memory(struct session *s);
/* Moves the engine's replies to the client's stream, in one write. */
void session_flush(struct session *s);
/* The client is gone for good: error, or end of file without a pipelined QUIT behind the message (smtp.md A54, A55). */
bool session_client_vanished(struct session *s);
/* Answers the oldest command; where there is no room or memory for it, the session ends. */
void session_reply(struct session *s, const struct smtp_reply *reply);
/* The same, but the caller ends the session where this is not OK. */
enum err session_try_reply(struct session *s, const struct smtp_reply *reply) must_use;
void session_end_unanswered(struct session *s, enum err e);
/* May a further reply be made? Not while the client does not read the earlier ones. */
bool session_may_reply(struct session *s);
void session_free(struct session *s);

/* step_receive.c: what engines may know of the message; before it is sealed that is its context alone */
struct scan_subject session_subject(struct session *s);

/* step_envelope.c: transactions and backends of a session */
void session_end_transaction(struct session *s);
void session_give_back(struct session *s, bool in_transaction, bool in_body);
/* Lets the backend go while the message is with the client or the engines; the envelope is replayed later. */
void session_release_hold(struct session *s, const char *why);

/* session_log.c */
void session_log_connect(const struct session *s);
void session_log_close(const struct session *s);
void session_log_reject(const struct session *s, const char *verb, struct span argument,
                        const struct smtp_reply *reply);
void session_log_message(const struct session *s, const char *outcome);
void session_log_text(const struct session *s, enum log_event event, const char *detail);

#define STEP(symbol, function, word, silence, vanished) enum step_result function(struct session *s);
#include "proxy/step.def"
#undef STEP
const char *session_step_word(enum session_step step);

#endif
