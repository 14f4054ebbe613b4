/* SPDX-License-Identifier: MIT */
/* A whole broker (scan/host/broker.h) between edges and workers that do as they like: records of any octets, of the
 * wrong kind, about nobody's job or twice, with descriptors that nobody asked for, or without; ends at any time, in any
 * way, at once or while the other side is at work; time that passes, processes and memory that cannot be had, sockets
 * that take nothing for a moment. (C16, C24)
 *
 * kernel.h says how it comes that nothing is forked, ledger.h holds the broker to these promises:
 * - a job has one answer at most, on the channel it came over; and one at least, before its deadline is over, unless it
 *   was cancelled or its channel ended;
 * - an answer other than trouble repeats what the worker that had this very job said of it while the broker let it
 *   live; times in it are the broker's own;
 * - a worker is given what an edge sent, with the same files, once, while it is wanted, one job at a time, no more than
 *   the engine's max_concurrency, nothing that has ended several workers;
 * - whoever lost its job, or spoke out of turn, is killed; a channel with garbage on it is closed; no other is;
 * - while the broker rests it holds no descriptor that it does not need, and lets no job wait for an idle worker;
 * - its figures are what was seen from outside; the queue is never longer than Backlog;
 * - with workers that behave again, every job comes to its end, and so does the host, with all its processes, when the
 *   supervisor says so, or when it drains and its channels are closed. No descriptor is left.
 *
 * An input begins with two octets of options. Then come orders: a letter and its operands, octets. While the letter's
 * highest bit is set, the next order follows before the broker notices; otherwise it first does all that it can.
 * - O how: an edge connects, 1 with little room for answers; E e: edge e ends; D e: it reads no more, or again;
 * - J e id k d f: it sends a job. id | 64: the last one's id again; k: engine, kind, message, parts; d: deadline; f:
 * what is wrong with its files;
 * - C e id: it cancels; Q e n: it asks for figures, and for n workers; G e n, octets: it sends these;
 * - H p birth: worker p is born, …, or worn; A p c: it answers, by c; I p n: it says what an inspection found; N p n:
 * it has news of its engine; U p n, octets: it sends these; L p: it closes its channel; K p how: it ends;
 * - X n v: octet n of the next record is another one; V n: n descriptors more come with it;
 * - T n: time passes; B n: n forks fail; S: no descriptor is to be had until the broker rests again;
 * - M n: of the next allocations one fails; R n: of the next records that the broker sends one is not taken;
 * - P n: the supervisor says that the host drains (0), ends (4), or nothing that makes sense. */
#include "fuzz/scan/host/ends.h"
#include "scan/host/host.h"
#include <poll.h>

enum { ORDERS_MAX = 96, GOOD_MOVES_MAX = 400, DESCRIPTORS = 256, RECORD_MAX = 1100, SMALL = 4608 };
/* The first octet of options. */
enum { ON_DEMAND = 1, ASKS_DAEMON = 2, RETIRES = 4, INSPECTS = 8, CANARY = 16, DRAINS = 32 };

static const char *const words[] = {"O\x01", "J\1\1\1\1\1", "C\1\1", "Q\1\1", "E\1", "D\1",   "H\1\1",
                                    "A\1\1", "I\1\1",       "N\1\2", "K\1\1", "L\1", "X\1\1", "V\1",
                                    "T\1",   "B\1",         "S",     "P\1",   "M\1", "R\1"};

void fuzz_target_words(fuzz_word *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        char later[8];
        size_t len = strlen(words[i]);
        memcpy(later, words[i], len);
        word(span_of(later, len));
        later[0] = (char)(later[0] | 0x80);
        word(span_of(later, len));
    }
}

/* ---- Orders ---- */

static struct edge *edge_number(unsigned n)
{
    return &ledger.edges[n % EDGES];
}

/* A worker that has not been reaped, or NULL: there is none. */
static struct process *worker_number(unsigned n)
{
    unsigned count = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < kernel.process_count; i++) {
            struct process *p = &kernel.processes[i];
            if (p->scanner || p->state == PROCESS_REAPED)
                continue;
            if (round == 1 && n-- == 0)
                return p;
            count++;
        }
        if (count == 0)
            return NULL;
        n %= count;
    }
    return NULL;
}

/* E becomes a channel, which the supervisor hands to the host. */
static void edge_open(struct edge *e, bool small)
{
    int pair[2];
    const int room = SMALL;
    if (e->opened || play.control < 0)
        return;
    FUZZ_REQUIRE(fdpass_pair(pair) == ERR_OK);
    if (small)
        FUZZ_REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
    if (fdpass_send(play.control, SPAN("C\0\0"), pair[1]) == ERR_OK && !play.shortage)
        *e = (struct edge){.fd = pair[0], .opened = true};
    else
        close(pair[0]);
    close(pair[1]);
}

static void edge_close(struct edge *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
}

static uint64_t deadline_of(unsigned choice)
{
    static const uint64_t from_now_ms[] = {1, 50, 1000, 30000, 600000, 3600000};
    uint64_t n = ++play.jobs;
    if (choice % 8 == 0)
        return kernel.now_us - 1000000 + n;
    if (choice % 8 == 7)
        return UINT64_MAX - n;
    return kernel.now_us + from_now_ms[choice % 8 - 1] * 1000 + n;
}

/* The last id of E under number N. */
static uint64_t number_used(const struct edge *e, unsigned n)
{
    uint64_t used = e->used[n % IDS];
    return n % IDS + IDS * (used > 0 ? used - 1 : 0);
}

/* Another id each time, but for those with bit 64. */
static uint64_t job_number(struct edge *e, unsigned n)
{
    e->used[n % IDS] += e->used[n % IDS] == 0 || !(n & 64);
    return number_used(e, n);
}

/* F: what is wrong with the files of a job. */
enum { NO_FILE = 1, TOO_LARGE, NOT_A_FILE, OTHER_FILES, PARTS_UNASKED, NO_PARTS };

static void order_job(struct cursor *c)
{
    struct edge *e = edge_number(cursor_u8(c));
    struct scan_record r = {.type = SCAN_JOB, .job.id = job_number(e, cursor_u8(c))};
    unsigned k = cursor_u8(c), number = k >> 3 & 3;
    r.job.deadline_us = deadline_of(cursor_u8(c));
    unsigned f = cursor_u8(c) % 8;
    r.job.kind = k & 4 ? SCAN_JOB_INSPECT : SCAN_JOB_ENGINE;
    bool parts = r.job.kind == SCAN_JOB_ENGINE && (k & 32);
    snprintf(r.job.engine, sizeof(r.job.engine), "%s",
             r.job.kind == SCAN_JOB_INSPECT ? SCAN_INSPECTOR : engine_names[k & 3]);
    memset(r.job.digest, (int)number, sizeof(r.job.digest));
    r.job.size = 7 + number + (f == TOO_LARGE);
    r.job.parts_size = parts ? 5 : 0;
    int fds[] = {play.files[number], parts ? play.parts : play.empty};
    unsigned count = parts || r.job.kind == SCAN_JOB_INSPECT || f == PARTS_UNASKED ? 2 : 1;
    if (f == NOT_A_FILE)
        fds[0] = play.pipe[0];
    if (f == OTHER_FILES) {
        fds[0] = play.parts;
        fds[1] = play.files[number];
    }
    edge_say(e, &r, fds, f == NO_FILE ? 0 : f == NO_PARTS ? 1 : count);
}

/* C: two bits of class, two of number, then name, database, part, another kind of trouble. */
static void worker_answers(struct process *p, unsigned c)
{
    static const enum verdict_reason reasons[] = {VERDICT_REASON_NONE, VERDICT_REASON_NONE, VERDICT_REASON_LIMIT,
                                                  VERDICT_REASON_ENGINE};
    struct scan_record r = {.type = SCAN_ANSWER};
    struct verdict *v = &r.answer.verdict;
    r.answer.id = side_of(p)->serial + (c >> 2 & 3);
    v->class = (enum verdict_class)(c & 3);
    v->reason = reasons[c & 3];
    if (v->class == VERDICT_ERROR && (c & 128))
        v->reason = c & 64 ? VERDICT_REASON_POISON : VERDICT_REASON_DOWN;
    snprintf(v->name, sizeof(v->name), "%s", c & 16 ? "Name" : "");
    v->database_version = c & 32 ? c : 0;
    v->queue_us = v->scan_us = UINT64_MAX / 2;
    v->parts = c & 64 ? 2 : 0;
    worker_say(p, &r);
}

static void worker_inspected(struct process *p, unsigned n)
{
    struct scan_record r = {.type = SCAN_INSPECTION, .inspected.id = side_of(p)->serial + (n >> 7)};
    r.inspected.inspection = (struct scan_inspection){.size = n, .contents = 1, .parts = n % 4, .scan_us = n};
    worker_say(p, &r);
}

static void worker_has_news(struct process *p, unsigned n)
{
    struct scan_record r = {.type = SCAN_STATUS, .status = {.state = SCAN_ENGINE_READY, .database_version = n}};
    snprintf(r.status.engine, sizeof(r.status.engine), "%s", engine_names[n % 2]);
    snprintf(r.status.detail, sizeof(r.status.detail), "version %u", n);
    worker_say(p, &r);
}

static void worker_ends(struct process *p, unsigned how)
{
    static const struct {
        int code, status;
    } ends[] = {{CLD_EXITED, 0},       {CLD_KILLED, SIGSEGV}, {CLD_KILLED, SIGSYS},  {CLD_KILLED, SIGXCPU},
                {CLD_KILLED, SIGTERM}, {CLD_EXITED, 1},       {CLD_DUMPED, SIGABRT}, {CLD_KILLED, SIGKILL}};
    int status = ends[how % 8].status;
    if (p->state == PROCESS_ALIVE)
        ledger_worker_ends(p, ends[how % 8].code == CLD_EXITED || status == SIGSEGV || status == SIGSYS ||
                                  status == SIGABRT);
    process_end(p, ends[how % 8].code, status);
}

static void obey_worker(char order, struct cursor *c)
{
    struct process *p = worker_number(cursor_u8(c));
    unsigned n = order == 'L' ? 0 : cursor_u8(c);
    if (!p)
        return;
    if (order == 'H')
        worker_greet(p, n % 8);
    else if (order == 'A')
        worker_answers(p, n);
    else if (order == 'I')
        worker_inspected(p, n);
    else if (order == 'N')
        worker_has_news(p, n);
    else if (order == 'K')
        worker_ends(p, n);
    else
        process_close(p);
}

static void order_garbage(char order, struct cursor *c)
{
    unsigned char bytes[RECORD_MAX] = {0};
    unsigned who = cursor_u8(c);
    size_t len = (size_t)cursor_u8(c) * 5;
    struct span some = span_sub(c->rest, 0, len);
    struct process *p = order == 'U' ? worker_number(who) : NULL;
    c->rest = span_sub(c->rest, some.len, c->rest.len);
    if (len > RECORD_MAX)
        len = RECORD_MAX;
    if (some.len > 0)
        memcpy(bytes, some.ptr, some.len < len ? some.len : len); /* the rest is zero */
    if (order == 'G')
        edge_send(edge_number(who), bytes, len, NULL, 0);
    else if (p)
        worker_send(p, bytes, len);
}

static void control_close(void)
{
    if (play.control >= 0)
        close(play.control);
    play.control = -1;
    ledger.ending = true;
}

static void order_control(unsigned n)
{
    static const char *const nonsense[] = {"", "what?", "C", "x"};
    enum err e = ERR_OK;
    if (play.control < 0)
        return;
    n %= 8;
    if (n == 4)
        control_close();
    else if (n == 0)
        e = fdpass_send(play.control, SPAN("D\0\0"), -1);
    else
        e = fdpass_send(play.control, span_cstr(nonsense[n % 4 ? n % 4 : 1]), n % 4 == 3 ? play.files[0] : -1);
    (void)e;
}

/* Before it is loaded nobody could tell what the supervisor was not told. */
static void order_failure(char order, unsigned n)
{
    if (!ledger.loaded)
        return;
    if (order == 'M') {
        kernel.failing_allocation = 1 + n % 4;
    } else {
        kernel.failing_send = 1 + n % 4;
        kernel.send_error = n & 4 ? ENOBUFS : EAGAIN;
    }
}

static void pass_time(unsigned n)
{
    static const uint64_t ms[] = {1, 10, 100, 1100, 5000, 61000, 601000, 3601000};
    kernel.now_us += ms[n % ARRAY_SIZE(ms)] * 1000;
}

static void obey_edge(char order, struct cursor *c)
{
    struct edge *e = edge_number(cursor_u8(c));
    struct scan_record r = {.type = SCAN_CANCEL};
    if (order == 'C') {
        r.cancel = number_used(e, cursor_u8(c));
        edge_say(e, &r, NULL, 0);
    } else if (order == 'Q') {
        r = (struct scan_record){.type = SCAN_QUERY, .query = {.id = 5, .concurrency = cursor_u8(c) % 5}};
        edge_say(e, &r, NULL, 0);
    } else if (order == 'E') {
        edge_close(e);
    } else if (e->fd >= 0) {
        e->deaf = !e->deaf;
    }
}

static void obey(char order, struct cursor *c)
{
    if (strchr("HAINKL", order)) {
        obey_worker(order, c);
    } else if (strchr("CQED", order)) {
        obey_edge(order, c);
    } else if (order == 'J') {
        order_job(c);
    } else if (order == 'G' || order == 'U') {
        order_garbage(order, c);
    } else if (order == 'O') {
        size_t next = 0;
        while (next + 1 < EDGES && ledger.edges[next].opened)
            next++;
        edge_open(&ledger.edges[next], cursor_u8(c) & 1);
    } else if (order == 'X') {
        play.change.set = true;
        play.change.at = cursor_u8(c);
        play.change.value = cursor_u8(c);
    } else if (order == 'V') {
        play.extra = cursor_u8(c) % 8 % (EXTRA + 1);
    } else if (order == 'T') {
        pass_time(cursor_u8(c));
    } else if (order == 'B') {
        kernel.failing_forks = cursor_u8(c) % 8;
    } else if (order == 'S') {
        play.shortage_next = ledger.loaded; /* before, the channels would be lost on their way */
    } else if (order == 'M' || order == 'R') {
        order_failure(order, cursor_u8(c));
    } else if (order == 'P') {
        order_control(cursor_u8(c));
    }
}

/* ---- While the broker rests ---- */

/* By one call: poll(2) says which of all numbers are none. */
static unsigned count_descriptors(void)
{
    struct pollfd all[DESCRIPTORS];
    unsigned n = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        all[fd] = (struct pollfd){.fd = fd};
    FUZZ_REQUIRE(poll(all, DESCRIPTORS, 0) >= 0);
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        n += (all[fd].revents & POLLNVAL) == 0;
    return n;
}

/* Ours and those that the broker needs. */
static unsigned descriptors_needed(void)
{
    unsigned n = (play.control >= 0) + ledger_descriptors();
    for (size_t i = 0; i <= EDGES; i++) {
        const struct edge *e = i < EDGES ? &ledger.edges[i] : &ledger.monitor;
        n += e->opened && e->fd >= 0 ? 1 + !e->gone : 0;
    }
    for (size_t i = 0; i < kernel.process_count; i++) {
        const struct process *p = &kernel.processes[i];
        n += (p->end >= 0) + (p->state != PROCESS_REAPED ? 2 : 0);
    }
    return n;
}

/* Where fewer are needed than before, fewer are there. */
static void play_at_rest(void)
{
    ledger_at_rest();
    if (!ledger.loaded)
        return;
    unsigned needed = descriptors_needed();
    if (play.constant == 0)
        play.constant = count_descriptors() - play.before - needed;
    FUZZ_REQUIRE(needed >= play.needed || count_descriptors() <= play.before + needed + play.constant);
    play.needed = needed;
}

/* Those that were killed one move ago are gone now. */
static void lingering_die(void)
{
    for (size_t i = 0; i < kernel.process_count; i++) {
        struct process *p = &kernel.processes[i];
        if (p->state == PROCESS_KILLED && ledger.sides[i].lingered)
            process_end(p, CLD_KILLED, SIGKILL);
        ledger.sides[i].lingered = p->state == PROCESS_KILLED;
    }
}

static void move_by_orders(void)
{
    bool more = true;
    lingering_die();
    for (play.alone = true; more && !cursor_at_end(&play.orders) && play.order_count < ORDERS_MAX; play.alone = false) {
        unsigned octet = cursor_u8(&play.orders);
        more = octet & 0x80;
        play.alone = play.alone && !more;
        play.order_count++;
        obey((char)(octet & 0x7f), &play.orders);
    }
}

static bool orders_are_left(void)
{
    return !cursor_at_end(&play.orders) && play.order_count < ORDERS_MAX;
}

static bool jobs_are_open(void)
{
    for (size_t i = 0; i < ledger.job_count; i++)
        if (job_is_wanted(&ledger.jobs[i]) && !ledger.jobs[i].edge->perhaps_bad && !ledger_is_answered(&ledger.jobs[i]))
            return true;
    return false;
}

/* Everybody does what it should. False: there was nothing to be done. */
static bool behave(void)
{
    bool any = processes_die();
    for (size_t i = 0; i < kernel.process_count; i++) {
        struct process *p = &kernel.processes[i];
        const struct worker_side *s = &ledger.sides[i];
        if (p->state != PROCESS_ALIVE || p->end < 0 || p->scanner || (s->spoke && !is_at_work(p)))
            continue;
        any = true;
        if (!s->spoke)
            worker_greet(p, WORKER_BORN);
        else if (s->job->record.kind == SCAN_JOB_INSPECT)
            worker_inspected(p, 3);
        else
            worker_answers(p, VERDICT_CLEAN);
    }
    return any;
}

static void finish(void)
{
    play.phase = END;
    if (play.options & DRAINS) {
        order_control(0);
        edge_close(&ledger.monitor);
        for (size_t i = 0; i < EDGES; i++)
            edge_close(&ledger.edges[i]);
        ledger.ending = true;
    } else {
        control_close();
    }
}

/* No more orders: the pool is asked for its figures, and then all goes well. */
static void move_to_the_end(int timeout_ms)
{
    static const struct scan_record query = {.type = SCAN_QUERY, .query.id = 5};
    FUZZ_REQUIRE(play.moves++ < GOOD_MOVES_MAX);
    kernel.failing_allocation = kernel.failing_send = 0;
    play.alone = false;
    play.extra = 0;
    play.change.set = false;
    kernel.failing_forks = 0;
    switch (play.phase) {
    case ORDERS:
        for (size_t i = 0; i < EDGES; i++)
            ledger.edges[i].deaf = false;
        play.phase = ASK;
        break;
    case ASK:
        play.phase = ledger.loaded && !ledger.ending ? COMPARE : GOOD;
        if (play.phase == COMPARE)
            edge_say(&ledger.monitor, &query, NULL, 0);
        break;
    case COMPARE:
        FUZZ_REQUIRE(ledger.monitor.pools == ledger.monitor.queries);
        ledger_compare_figures();
        play.phase = GOOD;
        break;
    case GOOD:
    case END:
        if (behave())
            break;
        if (play.phase == GOOD && !jobs_are_open() && ledger.loaded)
            finish();
        else
            kernel.now_us += (uint64_t)(timeout_ms + 1) * 1000;
        break;
    }
}

static void play_move(int timeout_ms)
{
    if (play.shortage)
        shortage_set(false);
    play.shortage = false;
    FUZZ_REQUIRE(timeout_ms > 0);
    play_at_rest();
    if (play.shortage_next)
        play.shortage = true;
    play.shortage_next = false;
    if (orders_are_left())
        move_by_orders();
    else
        move_to_the_end(timeout_ms);
    if (play.shortage)
        shortage_set(true);
}

/* ---- A run ---- */

static void framework_begin(unsigned options, unsigned sizes)
{
    static const char *const types[] = {"local", "local", "broken"};
    struct framework *fw = &play.fw;
    const char *pool = options & ON_DEMAND ? "mine" : "CPU";
    *fw = (struct framework){
        .engine_count = ARRAY_SIZE(play.confs), .pool_count = 1, .inspection_pool = options & INSPECTS ? 0 : -1};
    fw->pools[0] = (struct framework_pool){.name = pool,
                                           .conf = {.concurrency = 1 + sizes % 4,
                                                    .backlog = 1 + (sizes >> 2) % 4,
                                                    .jobs_per_worker = options & RETIRES ? 2 : 1000}};
    for (size_t i = 0; i < ARRAY_SIZE(play.confs); i++) {
        play.confs[i] = (struct engine_conf){.enabled = true, .max_concurrency = i == 1};
        fw->engines[i] = (struct framework_engine){
            .name = engine_names[i], .type = types[i], .pool = pool, .built = true, .conf = &play.confs[i]};
    }
    if (options & ASKS_DAEMON)
        fw->engines[0].type = "asking";
    if (options & CANARY)
        play.confs[1].database = "/nonexistent/database";
    ledger.at_most[1] = 1;
}

static void log_nowhere(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    FUZZ_REQUIRE(line.len <= LIMIT_LOG_LINE);
}

static uint64_t log_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* BEFORE: descriptors that are there already. */
static void run(unsigned options, unsigned sizes, struct span orders, unsigned before)
{
    static const struct log log = {.write = log_nowhere, .wallclock_ms = log_clock};
    unsigned constant = play.constant;
    int pair[2];
    memset(&play, 0, sizeof(play));
    memset(&ledger, 0, offsetof(struct ledger, sayings));
    play.options = options;
    play.constant = constant;
    play.before = before;
    play.orders = cursor_of(orders);
    for (size_t i = 0; i < EDGES; i++)
        ledger.edges[i].fd = -1;
    ledger.monitor.fd = -1;
    framework_begin(options, sizes);
    files_open();
    FUZZ_REQUIRE(getrlimit(RLIMIT_NOFILE, &play.limit) == 0);
    FUZZ_REQUIRE(fdpass_pair(pair) == ERR_OK);
    play.control = pair[0];
    edge_open(&ledger.monitor, false);
    edge_open(&ledger.edges[0], false);
    const struct scan_host_options host = {
        .framework = &play.fw, .control_fd = pair[1], .generation = 1, .temp_base = "/nonexistent", .log = &log};
    kernel_begin(false);
    FUZZ_REQUIRE(scan_host_run(&host) == EXIT_SUCCESS);
    play_observe();
    kernel.playing = false;
    ledger_at_end();
    for (size_t i = 0; i < EDGES; i++)
        edge_close(&ledger.edges[i]);
    edge_close(&ledger.monitor);
    if (play.control >= 0)
        close(play.control);
    close(pair[1]);
    files_close();
    FUZZ_REQUIRE(setrlimit(RLIMIT_NOFILE, &play.limit) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sigaction interrupt; /* which a host ignores */
    unsigned descriptors = count_descriptors();
    FUZZ_REQUIRE(sigaction(SIGINT, NULL, &interrupt) == 0);
    if (play.constant == 0)
        run(0, 0, SPAN(""), descriptors); /* finds it out */
    if (size >= 2)
        run(data[0], data[1], span_of(data + 2, size - 2), descriptors);
    FUZZ_REQUIRE(count_descriptors() == descriptors);
    FUZZ_REQUIRE(sigaction(SIGINT, &interrupt, NULL) == 0);
    return 0;
}
