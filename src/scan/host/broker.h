/* SPDX-License-Identifier: MIT */
/* What the broker's files share; nobody else includes this. broker.c engines, channels of the edge, control, life and
 * end; job.c one job from its record to its answer; pool.c worker processes: start, jobs, exits; figures.c what the
 * pool tells about itself.
 *
 * Everything runs on one loop. A job ends by job_end, once, whatever ends it: its worker's answer or death, its
 * deadline, a cancel, the end of its channel or of the host. After that it waits for its answer to be sent, and for the
 * loop's reaper.
 */
#ifndef SCAN_HOST_BROKER_H
#define SCAN_HOST_BROKER_H

#include "io/deadline.h"
#include "io/loop.h"
#include "scan/host/canary.h"
#include "scan/host/host.h"
#include "scan/host/keeper.h"
#include "scan/host/plugin_output.h"
#include "scan/host/poison.h"
#include "scan/host/watch.h"
#include "scan/host/worker.h"
#include "sys/fdpass.h"
#include <signal.h>

struct broker;
struct worker;

struct channel {
    unsigned magic;
    struct broker *broker;
    struct list node; /* broker->channels */
    int fd;
    struct loop_watch watch;
    struct list outbox; /* jobs whose answers the socket did not take yet; while there are any, nothing is read */
    bool status_due;
    bool query_due; /* so is the answer to a query, with this id */
    uint64_t query;
    struct loop_deferred reaper;
};

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_ENDED };
struct job {
    unsigned magic;
    enum job_state state;
    struct list node; /* broker->queue, or channel->outbox */
    struct channel *channel;
    struct host_engine *engine;
    struct worker *worker;
    struct scan_job record;
    int fd, parts; /* the message; the file of its decoded parts, to be read or to be written; -1: none */
    uint64_t arrived_us, started_us;
    struct deadline deadline;
    struct verdict verdict;
    bool inspected; /* its answer is this, not the verdict */
    struct scan_inspection inspection;
    struct loop_deferred reaper;
};

enum worker_state { WORKER_EMPTY, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY, WORKER_ENDING };
/* Why the broker ended a worker; NOT: it ended by itself. */
enum worker_end { END_NOT, END_DEADLINE, END_CANCELLED, END_PROTOCOL, END_RETIRED, END_REFUSED };
struct worker {
    struct broker *broker;
    unsigned slot;
    enum worker_state state;
    enum worker_end end;
    int pid, pidfd, channel;
    struct loop_watch pid_watch, channel_watch;
    struct deadline idle; /* what the worker owes next: to be born, to be of use (on-demand pools), to be gone */
    struct job *job;
    bool told_news; /* during this job: once is enough, a stream of them would be an attack */
    bool worn;      /* it said so: after this job it is let go */
    uint64_t
        serial; /* id of the last job towards this worker: ours, not the edge's, so that no answer fits another job */
    int64_t jobs_done;
    uint64_t vacant_us; /* since when nobody was in its place; 0: nobody has ever been */
    struct keeper_line line;
};

struct broker {
    const struct scan_host_options *options;
    const struct framework_pool *pool;
    const struct log *log;
    struct loop *loop;
    struct loop_watch control;
    struct host_engine engines[LIMIT_ENGINES];
    size_t engine_count;
    struct inspector *inspection;   /* NULL: this pool takes no messages apart, or there was no memory for it */
    struct host_engine inspector;   /* what jobs have that ask no engine */
    char token[HANDOVER_TOKEN + 1]; /* in the names of the workers' directories below file_base */
    struct list channels;
    struct list queue;
    int64_t queue_len, queue_max; /* Backlog, or what the limit of descriptors leaves of it */
    struct worker *workers;       /* room for LIMIT_POOL_WORKERS */
    unsigned worker_count;        /* of these, the first ones, that have ever been of use */
    unsigned concurrency;         /* as many may be at work now */
    unsigned running;             /* scans at workers */
    struct {
        uint64_t values[POOL_FIGURE_COUNT];
        uint64_t since_us, until_us; /* what the sums over time cover */
        uint64_t queue_highest;
    } figures;
    bool net;         /* an open engine connects: the workers' cage lets them */
    bool foreign;     /* the host of a vendor's plug-in */
    bool widened;     /* whose stanza asks for the profile vendor */
    bool all_at_once; /* workers are started with the host, and none is ever let go */
    unsigned births_failed;
    struct deadline birth_pause;
    struct loop_deferred dispatch;
    /* workers cannot do their work: SANDBOX or DOWN; NONE when they can */
    enum verdict_reason refusal;
    char refusal_text[LIMIT_VERDICT_TEXT + 1];
    bool sandbox_logged;
    struct canary canary;
    struct keeper keeper;
    struct plugin_output output; /* where foreign */
    struct watch databases;
    bool draining; /* a newer generation serves: when the edge has closed its channels, this one ends */
    bool stopping;
    struct deadline stop_limit;
    struct poison poison;
};

/* broker.c */
void broker_status_changed(struct broker *b);
/* A worker's engine learned something about itself. */
void broker_engine_news(struct broker *b, struct host_engine *e, const struct scan_status *news);
/* A database is no longer what was loaded: the supervisor hears of it. */
void broker_database_changed(struct broker *b);
void broker_check_stopped(struct broker *b);
/* Takes FD, an edge's end or the canary's. */
void broker_open_channel(struct broker *b, int fd);
void channel_close(struct channel *c);
void channel_send_answer(struct channel *c, struct job *j);

/* job.c */
/* Takes both descriptors (-1: none); FDS is NULL where there was no number left for them, so that it is refused. NULL:
 * no memory. The job may have ended already. */
struct job *job_new(struct channel *c, const struct scan_job *record, const int fds[FDPASS_MAX]);
struct job *job_find(struct channel *c, uint64_t id);
void job_start(struct job *j, struct worker *w);
/* The one end: fills in what the broker knows and answers. */
void job_end(struct job *j, const struct verdict *v);
/* The same for an inspection that came to its end. */
void job_inspected(struct job *j, const struct scan_inspection *i);
void job_fail(struct job *j, enum verdict_reason reason, const char *detail);
/* Ends it without an answer. */
void job_drop(struct job *j);
/* After its answer was sent. */
void job_reap(struct job *j);

/* figures.c */
void figures_start(struct broker *b);
void figures_count(struct broker *b, enum pool_figure f, uint64_t n);
/* Before the number of running scans or of workers changes. */
void figures_settle(struct broker *b);
void figures_worker_ended(struct broker *b, enum worker_end end, bool at_birth);
/* All but the id. */
void figures_report(struct broker *b, struct scan_pool_report *out);

/* pool.c */
/* From now on the pool has CONCURRENCY workers (1 … LIMIT_POOL_WORKERS). Those beyond end their scan first. */
void pool_set_concurrency(struct broker *b, unsigned concurrency);
enum err pool_init(struct broker *b, struct errtext *why) must_use;
void pool_release(struct broker *b);
/* Gives queued jobs to workers and starts workers, as far as both are possible. */
void pool_dispatch(struct broker *b);
void pool_dispatch_soon(struct broker *b);
void worker_kill(struct worker *w, enum worker_end why);
bool pool_is_busy(const struct broker *b);
/* Lets every worker go; pool_is_empty afterwards, soon. */
void pool_retire_all(struct broker *b);
bool pool_is_empty(const struct broker *b);
/* "exit status 1", "SIGSEGV" */
void pool_describe_end(const siginfo_t *info, char *out, size_t size);
/* What worked on the job of W ended so: counts towards poison where that was the message's doing. */
void pool_note_fault(const struct worker *w, const siginfo_t *info);

#endif
