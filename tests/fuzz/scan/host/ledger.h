/* SPDX-License-Identifier: MIT */
/* What edges and workers have said to a broker in one run of fuzz_broker.c, and what it may therefore say to them: the
 * judge of its promises. It knows nothing of how the broker works, only its records, its sockets, and the signals that
 * it sends. */
#ifndef FUZZ_SCAN_HOST_LEDGER_H
#define FUZZ_SCAN_HOST_LEDGER_H

#include "fuzz/scan/host/kernel.h"
#include "scan/host/worker.h"
#include "sys/fdpass.h"
#include <sys/stat.h>

enum {
    EDGES = 6,
    IDS = 8,
    JOBS = 80,
    SAYINGS = 256,
    NEWS = 32,
    DIGESTS = 4,
    ENGINES = 4,
    POISON_DEATHS = 3,
    KERNEL_TAKES = 4 /* fdpass.c has room for them */
};

struct edge {
    int fd;      /* our end; -1: not opened, or closed by us */
    bool opened; /* at all */
    bool gone;   /* the broker has closed its end */
    bool bad;    /* we sent what it must close it for */
    bool perhaps_bad;
    bool deaf;               /* we read nothing */
    unsigned queries, pools; /* asked, answered */
    uint64_t used[IDS];      /* jobs under each number: fuzz_broker.c */
};

struct job {
    struct scan_job record;
    struct edge *edge; /* NULL: the canary's */
    ino_t message, parts;
    unsigned descriptors; /* that came with it */
    uint64_t sent_us;
    bool late;      /* the host was ending when it was sent, or its channel: it may be too late for an answer */
    bool poisoned;  /* its digest had ended enough workers when it was sent */
    bool twin;      /* another one of its edge has the same id */
    bool cancelled; /* or one of its twins */
    bool withdrawn; /* and the broker must know */
    bool answered, answered_well;
    struct process *process; /* that was given it, as number SERIAL */
    uint64_t serial;
};

/* What the judge knows of a process of the kernel. */
struct worker_side {
    bool born, spoke;
    struct job *job;      /* the last one that it was given */
    uint64_t serial;      /* of that */
    bool said, said_much; /* it answered that; it said anything since */
    bool must_end;        /* what it sent must have ended it by the time the broker rests */
    bool lingered;        /* it was killed one move ago */
};

/* An answer of a worker, right or wrong. */
struct saying {
    const struct process *process;
    struct scan_record record;
};

static struct ledger {
    struct edge edges[EDGES], monitor;
    struct job jobs[JOBS];
    size_t job_count;
    struct worker_side sides[PROCESSES];
    size_t saying_count, news_count;
    struct job canary;
    bool loaded;      /* the supervisor was told so: channels are served */
    bool ending;      /* it has told the host to end */
    uint64_t rest_us; /* when the broker rested last */
    uint64_t begun;   /* scans */
    uint64_t reaped;  /* workers */
    unsigned sure_deaths[DIGESTS + 1], perhaps_deaths[DIGESTS + 1]; /* by digest_of */
    uint64_t overloads;
    unsigned starved;          /* allocations that failed, and cost no channel so far: one at most each */
    unsigned at_most[ENGINES]; /* max_concurrency, 0: none */
    struct scan_pool_report pool;
    uint64_t news[NEWS]; /* versions of databases that workers spoke of */
    struct saying sayings[SAYINGS];
} ledger;

static const char *const engine_names[ENGINES] = {"one", "two", "down", "nobody"};

/* Number of a message whose digest is one of ours, DIGESTS: it is not. */
static inline unsigned digest_of(const struct scan_job *record)
{
    for (size_t i = 0; i < sizeof(record->digest); i++)
        if (record->digest[i] != record->digest[0] || record->digest[i] >= DIGESTS)
            return DIGESTS;
    return record->digest[0];
}

static inline struct worker_side *side_of(const struct process *p)
{
    return &ledger.sides[p - kernel.processes];
}

static inline bool edge_is_open(const struct edge *e)
{
    return e->fd >= 0 && !e->gone;
}

/* All that E sent was read, and all answers to it were, once the broker rests. */
static inline bool edge_is_settled(const struct edge *e)
{
    return ledger.loaded && edge_is_open(e) && !e->deaf;
}

/* Nobody knows better than we do what became of it. */
static inline bool job_is_exact(const struct job *j)
{
    return j->edge && !j->twin && edge_is_settled(j->edge);
}

/* Its edge still has a claim to an answer, or had when the broker rested last. */
static inline bool job_is_wanted(const struct job *j)
{
    return !j->answered && !j->withdrawn;
}

/* ---- What edges and workers send ---- */

static inline ino_t inode_of(int fd)
{
    struct stat st;
    FUZZ_REQUIRE(fstat(fd, &st) == 0);
    return st.st_ino;
}

static inline bool ledger_knows_deadline(uint64_t deadline_us)
{
    for (size_t i = 0; i < ledger.job_count; i++)
        if (ledger.jobs[i].record.deadline_us == deadline_us)
            return true;
    return false;
}

static inline void ledger_cancel(const struct edge *e, uint64_t id)
{
    for (size_t i = 0; i < ledger.job_count; i++)
        if (ledger.jobs[i].edge == e && ledger.jobs[i].record.id == id && !ledger.jobs[i].answered)
            ledger.jobs[i].cancelled = true;
}

static inline void ledger_job(struct edge *e, const struct scan_job *record, const int *fds, unsigned count)
{
    struct job *j = &ledger.jobs[ledger.job_count++];
    *j = (struct job){.record = *record, .edge = e, .sent_us = kernel.now_us, .late = ledger.ending || e->perhaps_bad};
    j->descriptors = count <= FDPASS_MAX ? count : 0;
    j->message = count > 0 ? inode_of(fds[0]) : 0;
    j->parts = count > 1 ? inode_of(fds[1]) : 0;
    j->poisoned = digest_of(record) < DIGESTS && ledger.sure_deaths[digest_of(record)] >= POISON_DEATHS;
    for (struct job *other = ledger.jobs; other < j; other++)
        if (other->edge == e && other->record.id == record->id)
            other->twin = j->twin = true;
}

/* BYTES, which E is about to send with COUNT descriptors. False: the ledger has no room for it. */
static inline bool ledger_edge_may_send(struct span bytes)
{
    struct scan_record r;
    bool job = scan_record_decode(bytes, &r) == ERR_OK && r.type == SCAN_JOB;
    return !job || (ledger.job_count < JOBS && !ledger_knows_deadline(r.job.deadline_us));
}

/* SHORTAGE: the broker has no numbers for descriptors, so that more of them count as if there were none. */
static inline void ledger_edge_sent(struct edge *e, struct span bytes, const int *fds, unsigned count, bool shortage)
{
    struct scan_record r;
    bool request = scan_record_decode(bytes, &r) == ERR_OK &&
                   (r.type == SCAN_JOB || r.type == SCAN_CANCEL || r.type == SCAN_QUERY);
    bool job = request && r.type == SCAN_JOB, crowded = count > FDPASS_MAX && count <= KERNEL_TAKES;
    if (e->bad)
        return; /* what comes behind is never read */
    e->bad = !request || (crowded && !shortage && !e->deaf) || (count > KERNEL_TAKES && !job);
    e->perhaps_bad = e->perhaps_bad || e->bad || crowded || (count > 0 && !job);
    if (job && !e->bad)
        ledger_job(e, &r.job, fds, count);
    else if (request && r.type == SCAN_CANCEL)
        ledger_cancel(e, r.cancel);
    else if (request && r.type == SCAN_QUERY)
        e->queries++;
}

static inline uint64_t id_of(const struct scan_record *r)
{
    return r->type == SCAN_INSPECTION ? r->inspected.id : r->answer.id;
}

/* P, of which the broker has read all before, must be ended for this, whatever else happens. */
static inline bool is_out_of_turn(const struct worker_side *s, struct span bytes, unsigned descriptors)
{
    struct scan_record r;
    struct worker_hello hello;
    bool whole = scan_record_decode(bytes, &r) == ERR_OK, greets = worker_hello_decode(bytes, &hello) == ERR_OK;
    bool worn = greets && hello.birth == WORKER_WORN;
    if (descriptors > 0 || bytes.len > SCAN_RECORD_SIZE)
        return true;
    if (!s->spoke)
        return !greets || worn;
    if (!s->job || s->said)
        return true;
    if (whole && (r.type == SCAN_ANSWER || r.type == SCAN_INSPECTION))
        return id_of(&r) != s->serial || (r.type == SCAN_INSPECTION && s->job->record.kind != SCAN_JOB_INSPECT);
    return whole ? r.type != SCAN_STATUS : !worn;
}

/* ALONE: nothing else has happened since the broker rested, or will before it rests again. */
static inline void ledger_worker_sent(struct process *p, struct span bytes, unsigned descriptors, bool alone)
{
    struct worker_side *s = side_of(p);
    struct scan_record r;
    struct worker_hello hello;
    bool whole = scan_record_decode(bytes, &r) == ERR_OK;
    bool answers = whole && (r.type == SCAN_ANSWER || r.type == SCAN_INSPECTION);
    if (p->state != PROCESS_ALIVE)
        return;
    s->must_end = s->must_end || (alone && is_out_of_turn(s, bytes, descriptors));
    if (!s->spoke && worker_hello_decode(bytes, &hello) == ERR_OK && hello.birth == WORKER_BORN && descriptors == 0)
        s->born = true;
    s->spoke = s->said_much = true;
    if (whole && r.type == SCAN_STATUS && ledger.news_count < NEWS)
        ledger.news[ledger.news_count++] = r.status.database_version;
    if (!answers || descriptors > 0)
        return;
    FUZZ_REQUIRE(ledger.saying_count < SAYINGS);
    ledger.sayings[ledger.saying_count++] = (struct saying){.process = p, .record = r};
    s->said = s->said || (s->job && id_of(&r) == s->serial);
}

/* It ends by itself, or by somebody else's hand, while the broker rests. */
static inline void ledger_worker_ends(const struct process *p, bool own_fault)
{
    const struct worker_side *s = side_of(p);
    if (own_fault && s->job && s->job->edge)
        ledger.perhaps_deaths[digest_of(&s->job->record)]++;
}

/* ---- What workers are given ---- */

static inline struct job *ledger_find_given(const struct scan_job *record)
{
    static const uint8_t texts[] = {0xc1, 0xca};
    for (size_t i = 0; i < ledger.job_count; i++) {
        struct scan_job *mine = &ledger.jobs[i].record;
        if (mine->deadline_us == record->deadline_us && mine->kind == record->kind && mine->size == record->size &&
            mine->parts_size == record->parts_size && strcmp(mine->engine, record->engine) == 0 &&
            memcmp(mine->digest, record->digest, sizeof(mine->digest)) == 0)
            return &ledger.jobs[i];
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts) && !ledger.loaded; i++)
        if (record->digest[0] == texts[i] && record->digest[31] == texts[i])
            return &ledger.canary;
    return NULL;
}

/* A worker is at it, as far as the broker can know. */
static inline bool is_at_work(const struct process *p)
{
    const struct worker_side *s = side_of(p);
    return p->state == PROCESS_ALIVE && s->job && !s->said;
}

static inline unsigned count_running(const char *engine)
{
    unsigned n = 0;
    for (size_t i = 0; i < kernel.process_count; i++)
        n += is_at_work(&kernel.processes[i]) && strcmp(ledger.sides[i].job->record.engine, engine) == 0;
    return n;
}

/* The broker's timers count milliseconds. */
static inline bool is_over(uint64_t deadline_us, uint64_t now_us)
{
    return deadline_us < now_us && now_us - deadline_us > 2000;
}

/* P has received RECORD with FDS. */
static inline void ledger_given(struct process *p, const struct scan_job *record, const int fds[FDPASS_MAX])
{
    struct worker_side *s = side_of(p);
    struct job *j = ledger_find_given(record);
    FUZZ_REQUIRE(j);                               /* somebody sent it, as it is */
    FUZZ_REQUIRE(p->state == PROCESS_ALIVE);       /* the broker has not killed whom it gives it to */
    FUZZ_REQUIRE(s->born && (!s->job || s->said)); /* who is free for it */
    FUZZ_REQUIRE(record->id > s->serial);          /* under a number of its own */
    FUZZ_REQUIRE(fds[0] >= 0);
    if (j->edge) {
        struct stat st;
        bool wanted = record->kind == SCAN_JOB_INSPECT || record->parts_size > 0;
        FUZZ_REQUIRE(!j->process && !j->poisoned && (j->twin || job_is_wanted(j))); /* once, while it is wanted */
        FUZZ_REQUIRE(!is_over(record->deadline_us, ledger.rest_us));
        FUZZ_REQUIRE(fstat(fds[0], &st) == 0 && st.st_ino == j->message && (uint64_t)st.st_size == record->size);
        FUZZ_REQUIRE((fds[1] >= 0) == wanted);
        FUZZ_REQUIRE(!wanted || (inode_of(fds[1]) == j->parts));
        FUZZ_REQUIRE(strcmp(record->engine, "down") != 0 && strcmp(record->engine, "nobody") != 0);
        ledger.begun++;
    }
    j->process = p;
    j->serial = record->id;
    *s = (struct worker_side){.born = true, .spoke = true, .job = j, .serial = record->id};
    for (size_t i = 0; i < ledger.saying_count; i++) /* it may have guessed the number */
        s->said = s->said || (ledger.sayings[i].process == p && id_of(&ledger.sayings[i].record) == record->id);
    for (size_t i = 0; i < ENGINES; i++)
        FUZZ_REQUIRE(ledger.at_most[i] == 0 || count_running(engine_names[i]) <= ledger.at_most[i]);
}

/* ---- What edges are told ---- */

static inline bool same_verdict(const struct verdict *told, const struct verdict *said)
{
    return told->class == said->class && told->reason == said->reason && strcmp(told->name, said->name) == 0 &&
           strcmp(told->detail, said->detail) == 0 && told->parts == said->parts &&
           strcmp(told->part, said->part) == 0 && told->cured == said->cured &&
           (said->database_version == 0 || told->database_version == said->database_version);
}

static inline bool same_inspection(const struct scan_inspection *told, const struct scan_inspection *said)
{
    return told->size == said->size && told->contents == said->contents && told->parts == said->parts &&
           told->defects == said->defects && strcmp(told->limit, said->limit) == 0;
}

/* Whether the worker that had J said R of it. */
static inline bool was_said(const struct job *j, const struct scan_record *r)
{
    for (size_t i = 0; i < ledger.saying_count && j->process; i++) {
        const struct saying *s = &ledger.sayings[i];
        if (s->process != j->process || s->record.type != r->type)
            continue;
        if (r->type == SCAN_ANSWER
                ? s->record.answer.id == j->serial && same_verdict(&r->answer.verdict, &s->record.answer.verdict)
                : s->record.inspected.id == j->serial &&
                      same_inspection(&r->inspected.inspection, &s->record.inspected.inspection))
            return true;
    }
    return false;
}

/* One that E waits for under ID. WELL: one that a worker said R of, which perhaps trouble was taken for an answer to
 * when that was a twin's. */
static inline struct job *ledger_find_asked(const struct edge *e, uint64_t id, const struct scan_record *well)
{
    struct job *open = NULL, *right = NULL;
    for (size_t i = 0; i < ledger.job_count; i++) {
        struct job *j = &ledger.jobs[i];
        if (j->edge != e || j->record.id != id)
            continue;
        if (!j->answered)
            open = j;
        if (well && !j->answered_well && was_said(j, well) && (!right || !j->answered))
            right = j;
    }
    if (!open || !well)
        return open;
    if (right)
        right->answered_well = true;
    return right && right->answered ? open : right;
}

static inline void ledger_answered(struct edge *e, const struct scan_record *r)
{
    bool inspected = r->type == SCAN_INSPECTION;
    uint64_t id = id_of(r);
    const struct verdict *v = inspected ? NULL : &r->answer.verdict;
    bool trouble = v && v->class == VERDICT_ERROR;
    struct job *j = ledger_find_asked(e, id, trouble ? NULL : r);
    FUZZ_REQUIRE(j); /* asked for, not answered yet, and nothing good but by its worker's word */
    uint64_t waited = inspected ? r->inspected.inspection.queue_us : v->queue_us;
    uint64_t scanned = inspected ? r->inspected.inspection.scan_us : v->scan_us;
    uint64_t passed = kernel.now_us - j->sent_us;
    FUZZ_REQUIRE(j->twin || (waited <= passed && scanned <= passed - waited));
    j->answered = true;
    FUZZ_REQUIRE(j->twin || !inspected == (j->record.kind == SCAN_JOB_ENGINE) || trouble);
    if (!trouble)
        return;
    FUZZ_REQUIRE(j->twin || strcmp(v->engine, j->record.engine) == 0);
    const struct process *p = j->process;
    bool by_fault = p && !j->twin && p->state >= PROCESS_ENDED && !side_of(p)->said_much && side_of(p)->job == j;
    if (v->reason == VERDICT_REASON_CRASH && by_fault && (p->code == CLD_EXITED || p->status == SIGSEGV))
        ledger.sure_deaths[digest_of(&j->record)]++;
    if (v->reason == VERDICT_REASON_POISON && !j->twin && !was_said(j, r))
        FUZZ_REQUIRE(ledger.perhaps_deaths[digest_of(&j->record)] >= POISON_DEATHS);
    ledger.overloads += v->reason == VERDICT_REASON_OVERLOAD && !p;
}

static inline void ledger_status(const struct scan_status *s)
{
    bool known = false, said = s->database_version <= 1 || ledger.news_count == NEWS;
    for (size_t i = 0; i < 3; i++)
        known = known || strcmp(s->engine, engine_names[i]) == 0;
    for (size_t i = 0; i < ledger.news_count; i++)
        said = said || ledger.news[i] == s->database_version;
    FUZZ_REQUIRE(known && said);
    FUZZ_REQUIRE(s->state == SCAN_ENGINE_FAILED || strcmp(s->engine, "down") != 0);
}

static inline void ledger_pool(const struct scan_pool_report *p)
{
    const uint64_t *f = p->figures;
    FUZZ_REQUIRE(f[POOL_BUSY] + f[POOL_IDLE] <= f[POOL_WORKERS]);
    FUZZ_REQUIRE(f[POOL_QUEUED] <= f[POOL_QUEUE_LIMIT] && f[POOL_QUEUED] <= f[POOL_QUEUE_HIGHEST] &&
                 f[POOL_QUEUE_HIGHEST] <= f[POOL_QUEUE_LIMIT]);
    FUZZ_REQUIRE(f[POOL_FINISHED] <= f[POOL_INVOCATIONS] && f[POOL_SCAN_US] <= f[POOL_BUSY_US]);
    FUZZ_REQUIRE(f[POOL_ACTIVE_US] <= f[POOL_BUSY_US] && f[POOL_ACTIVE_US] <= f[POOL_UPTIME_US]);
    FUZZ_REQUIRE(f[POOL_OVERLOADS] == 0 || f[POOL_QUEUE_HIGHEST] == f[POOL_QUEUE_LIMIT]);
    ledger.pool = *p;
}

/* ---- While the broker rests ---- */

static inline unsigned cap_of(const char *engine)
{
    for (size_t i = 0; i < ENGINES; i++)
        if (strcmp(engine_names[i], engine) == 0)
            return ledger.at_most[i];
    return 0;
}

/* IDLE: a worker is. */
static inline void require_job_at_rest(struct job *j, bool idle)
{
    j->withdrawn = j->withdrawn || (ledger.loaded && !edge_is_open(j->edge)) || (j->cancelled && job_is_exact(j));
    if (!job_is_exact(j) || !job_is_wanted(j) || j->edge->perhaps_bad)
        return;
    FUZZ_REQUIRE(!is_over(j->record.deadline_us, kernel.now_us));
    unsigned cap = cap_of(j->record.engine);
    FUZZ_REQUIRE(j->process || !idle || (cap > 0 && count_running(j->record.engine) >= cap)); /* nobody waits in vain */
}

static inline void require_worker_at_rest(const struct process *p)
{
    const struct worker_side *s = side_of(p);
    FUZZ_REQUIRE(!s->must_end || p->state != PROCESS_ALIVE);
    /* whose job is over without its word is no more */
    FUZZ_REQUIRE(!is_at_work(p) || !s->job->edge || s->job->twin || job_is_wanted(s->job));
}

/* A channel may be lost for want of memory. */
static inline void ledger_excuse(struct edge *e)
{
    if (!e->gone || e->perhaps_bad || ledger.ending || ledger.starved == 0)
        return;
    ledger.starved--;
    e->perhaps_bad = true;
}

static inline void ledger_at_rest(void)
{
    bool idle = false;
    for (size_t i = 0; i < EDGES; i++) {
        struct edge *e = &ledger.edges[i];
        ledger_excuse(e);
        FUZZ_REQUIRE(!e->gone || e->perhaps_bad || ledger.ending);
        FUZZ_REQUIRE(!e->bad || e->gone || !edge_is_settled(e));
        FUZZ_REQUIRE(!edge_is_settled(e) || e->perhaps_bad || e->pools == e->queries);
    }
    for (size_t i = 0; i < kernel.process_count; i++) {
        const struct process *p = &kernel.processes[i];
        const struct worker_side *s = &ledger.sides[i];
        idle = idle || (p->state == PROCESS_ALIVE && p->end >= 0 && s->born && (!s->job || s->said));
    }
    for (size_t i = 0; i < ledger.job_count; i++)
        require_job_at_rest(&ledger.jobs[i], idle);
    for (size_t i = 0; i < kernel.process_count; i++)
        require_worker_at_rest(&kernel.processes[i]);
    ledger.rest_us = kernel.now_us;
}

/* Descriptors of messages that the broker may hold. Which of two twins was answered is not known for sure. */
static inline unsigned ledger_descriptors(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < ledger.job_count; i++) {
        const struct job *j = &ledger.jobs[i];
        bool held = j->twin ? !j->withdrawn : job_is_wanted(j);
        n += held && !j->process ? j->descriptors : 0;
    }
    return n;
}

/* The figures of the pool, asked for while nothing else went on. */
static inline void ledger_compare_figures(void)
{
    static const enum pool_figure ends[] = {POOL_CRASHES,          POOL_BIRTHS_FAILED,   POOL_KILLED_DEADLINE,
                                            POOL_KILLED_CANCELLED, POOL_KILLED_PROTOCOL, POOL_RETIRED};
    const uint64_t *f = ledger.pool.figures;
    uint64_t running = 0, workers = 0, ended = 0;
    for (size_t i = 0; i < kernel.process_count; i++) {
        const struct process *p = &kernel.processes[i];
        running += !p->scanner && is_at_work(p);
        workers += !p->scanner && p->state != PROCESS_REAPED;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        ended += f[ends[i]];
    FUZZ_REQUIRE(f[POOL_INVOCATIONS] == ledger.begun);
    FUZZ_REQUIRE(f[POOL_BUSY] == running && f[POOL_FINISHED] + running == ledger.begun);
    FUZZ_REQUIRE(f[POOL_WORKERS] == workers && ended == ledger.reaped);
    FUZZ_REQUIRE(f[POOL_OVERLOADS] >= ledger.overloads && f[POOL_QUEUED] <= ledger.job_count);
}

/* ---- At the end ---- */

static inline bool ledger_is_answered(const struct job *j)
{
    unsigned open = 0, cancelled = 0;
    for (size_t i = 0; i < ledger.job_count; i++) {
        const struct job *twin = &ledger.jobs[i];
        if (twin->edge != j->edge || twin->record.id != j->record.id)
            continue;
        open += !twin->answered;
        cancelled += twin->cancelled || twin->late;
    }
    return open <= cancelled;
}

/* Every job of an edge that stayed and listened. */
static inline void ledger_at_end(void)
{
    for (size_t i = 0; i < ledger.job_count; i++) {
        const struct edge *e = ledger.jobs[i].edge;
        FUZZ_REQUIRE(e->fd < 0 || e->perhaps_bad || e->deaf || ledger_is_answered(&ledger.jobs[i]));
    }
    for (size_t i = 0; i < kernel.process_count; i++)
        FUZZ_REQUIRE(kernel.processes[i].state == PROCESS_REAPED);
}

#endif
