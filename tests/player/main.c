/* SPDX-License-Identifier: MIT */
/* player [--random N] [--seed S] [--only-random] FILE.smtp|FOLDER…: plays every scenario in every manner and prints how
 * many runs that were, and what was left out for which reason.
 *
 * whole; octet by octet; cut once at every place of what the script sends and of what backends say by themselves (of
 * sends over SHORT_SEND octets only EDGE octets at either end and around the line ends of the first 4 × EDGE); few
 * octets per read and write; EAGAIN and EINTR in between; the n-th allocation failing, for every n. All but the last
 * must give the same replies and the same deliveries. Then N (default 3) times in pieces, octets per operation and
 * stuttering drawn by chance, some of them with an allocation failing; --only-random leaves out all but these. */
#include "base/mem.h"
#include "base/num.h"
#include "player/memory.h"
#include "player/play.h"
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* AddressSanitizer keeps what was freed from being used again. By default that is 256 MB, so that nearly each
 * allocation of tens of thousands of runs is in memory that the kernel has yet to give; a few megabytes are many runs.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8:thread_local_quarantine_size_kb=256";
}

/* Sends longer than this are cut only where it may matter. */
enum { SHORT_SEND = 400, EDGE = 120, NEAR = 3 };
enum { FAILING_MAX = 20000 };

enum { CRASHES_MAX = 20 };

/* In memory that parent and child share: what a child had done until it crashed still counts. */
struct count {
    unsigned long scenarios, runs, cuts, starved, random, alike, failed, left_out;
    unsigned long failing; /* the allocation that fails now; 0: none */
    char manner[160];      /* of the run that goes on now */
};

struct options {
    unsigned long rounds; /* by chance */
    uint64_t seed;
    bool only_random;
};

struct player {
    const struct setup *setup;
    const struct options *options;
    struct outcome whole; /* what every other run must give too */
    struct count *count;
};

static void say_failed(struct player *p, const char *manner, const char *why)
{
    p->count->failed++;
    printf("FAILED %s, %s: %s\n", p->setup->scenario->name, manner, why);
}

/* One run that must end as the first one did. */
static bool play_alike(struct player *p, const struct manner *how, const char *manner)
{
    struct outcome out;
    unsigned long before = p->count->alike;
    snprintf(p->count->manner, sizeof(p->count->manner), "%s", manner);
    bool ok = play(p->setup, how, buf_span(&p->whole.replies), &out);
    p->count->runs++;
    if (!ok)
        say_failed(p, manner, out.failure.text);
    else if (!span_eq(buf_span(&out.replies), buf_span(&p->whole.replies)))
        say_failed(p, manner, "other replies than in the run where nothing was cut");
    else if (!span_eq(buf_span(&out.deliveries), buf_span(&p->whole.deliveries)))
        say_failed(p, manner, "other deliveries than in the run where nothing was cut");
    else
        p->count->alike++;
    bool alike = p->count->alike > before;
    outcome_release(&out);
    return alike;
}

/* Whether a cut of TEXT behind AT octets may matter. */
static bool worth_cutting(struct span text, size_t at)
{
    if (text.len <= SHORT_SEND || at < EDGE || text.len - at < EDGE)
        return true;
    struct span around = span_sub(text, at - NEAR, 2 * NEAR);
    return at < 4 * EDGE && span_find(around, '\n') < around.len;
}

/* What backends say by themselves. */
static bool play_answer_cuts(struct player *p)
{
    bool ok = true;
    for (size_t at = 1; at < p->whole.answered && ok; at++) {
        struct manner how = {.cut_answer = at};
        char manner[80];
        snprintf(manner, sizeof(manner), "cut %zu octets into what the backend says by itself", at);
        ok = play_alike(p, &how, manner);
        p->count->cuts++;
    }
    return ok;
}

static bool play_cuts(struct player *p)
{
    size_t before = 0;
    bool ok = true;
    for (const struct step *step = p->setup->scenario->first; step && ok; step = step->next) {
        if (step->act != CLIENT_SEND && step->act != BACKEND_SEND)
            continue;
        for (size_t at = 1; at < step->text.len && ok; at++) {
            if (!worth_cutting(step->text, at))
                continue;
            struct manner how = {.cut = before + at};
            char manner[64];
            snprintf(manner, sizeof(manner), "cut %zu octets into line %u", at, step->line);
            ok = play_alike(p, &how, manner);
            p->count->cuts++;
        }
        before += step->text.len;
    }
    return ok && play_answer_cuts(p);
}

/* One run with an allocation failing; *STARVED: it came to that. */
static void play_starving(struct player *p, const struct manner *how, bool *starved)
{
    struct outcome out;
    bool ok = play(p->setup, how, buf_span(&p->whole.replies), &out);
    *starved = out.starved;
    p->count->runs++;
    p->count->starved++;
    if (!ok)
        say_failed(p, p->count->manner, out.failure.text);
    outcome_release(&out);
}

/* From allocation FROM on. */
static void play_starved(struct player *p, unsigned long from)
{
    for (unsigned long n = from; n < FAILING_MAX; n++) {
        struct manner how = {.fail_at = n};
        bool starved;
        p->count->failing = n;
        snprintf(p->count->manner, sizeof(p->count->manner), "allocation %lu failing", n);
        play_starving(p, &how, &starved);
        if (!starved)
            return;
    }
    say_failed(p, "allocations failing", "more allocations than a scenario can need");
}

static void play_random(struct player *p)
{
    for (unsigned long n = 0; n < p->options->rounds; n++) {
        uint64_t draw = world_mixed(p->options->seed ^ world_mixed(n));
        struct manner how = {.pieces = draw | 1, .stutter = draw >> 60 < 4};
        char manner[80];
        bool starved;
        if (draw >> 56 & 1)
            how.limit = 1 + (draw >> 32) % 600 + p->whole.octets / 4096;
        if (p->setup->scenario->whole_writes.len > 0) {
            how.limit = 0;
            how.stutter = false;
        }
        p->count->random++;
        snprintf(manner, sizeof(manner), "--seed %llu, random run %lu", (unsigned long long)p->options->seed, n);
        if (draw % 3 != 0) {
            if (!play_alike(p, &how, manner))
                return;
            continue;
        }
        how.fail_at = 1 + (draw >> 8) % 400;
        p->count->failing = how.fail_at;
        snprintf(p->count->manner, sizeof(p->count->manner), "%s, allocation %lu failing", manner, how.fail_at);
        play_starving(p, &how, &starved);
    }
}

/* Whether there is a reason WHY something is not played, which is told. */
static bool say_left_out(struct count *count, const char *name, const char *what, struct span why)
{
    if (why.len == 0)
        return false;
    count->left_out++;
    printf("left out: %s: %s: %.*s\n", name, what, SPAN_ARG(why));
    return true;
}

/* The run that all others are compared with. */
static bool play_whole(struct player *p)
{
    const struct manner whole = {0};
    p->count->runs++;
    snprintf(p->count->manner, sizeof(p->count->manner), "whole");
    if (play(p->setup, &whole, SPAN(""), &p->whole))
        return true;
    say_failed(p, "whole", p->whole.failure.text);
    return false;
}

static void play_all_manners(struct player *p)
{
    static const struct {
        const char *name;
        struct manner how;
    } manners[] = {
        {"octet by octet", {.each_octet = true}},
        {"one octet per operation", {.limit = 1}},
        {"seven octets per operation", {.limit = 7}},
        {"stuttering", {.stutter = true}},
        {"stuttering, three octets per operation", {.stutter = true, .limit = 3}},
        {"stuttering, octet by octet", {.stutter = true, .each_octet = true}},
    };
    bool ok = !say_left_out(p->count, p->setup->scenario->name, "all but the whole run", p->setup->scenario->one_run);
    bool whole_writes = say_left_out(p->count, p->setup->scenario->name, "runs with few octets per operation",
                                     p->setup->scenario->whole_writes);
    for (size_t i = 0; i < ARRAY_SIZE(manners) && ok && !p->options->only_random; i++) {
        struct manner how = manners[i].how;
        if (whole_writes && (how.limit || how.stutter))
            continue;
        if (how.limit)
            how.limit += p->whole.octets / 4096; /* large messages in reasonable time */
        ok = play_alike(p, &how, manners[i].name);
    }
    if (ok && !p->options->only_random && play_cuts(p))
        play_starved(p, 1);
    if (ok)
        play_random(p);
}

/* Plays PATH; with FAILING only the runs from that failing allocation on. */
static void play_file(const char *path, const char *spool, unsigned long failing, const struct options *options,
                      struct count *count)
{
    struct scenario scenario;
    struct setup setup = {0};
    struct errtext why = {""};
    struct player p = {.setup = &setup, .options = options, .count = count};
    enum err e = scenario_load(&scenario, path, &why);
    if (e == ERR_OK && !say_left_out(count, scenario.name, "all of it", scenario.sockets_only)) {
        count->scenarios += failing == 0;
        e = setup_init(&setup, &scenario, spool, &why);
        bool goes_on = e == ERR_OK && play_whole(&p);
        if (goes_on && failing)
            play_starved(&p, failing);
        else if (goes_on)
            play_all_manners(&p);
        outcome_release(&p.whole);
        setup_release(&setup);
    }
    if (e != ERR_OK) {
        count->failed++;
        printf("FAILED %s: %s\n", path, why.text);
    }
    scenario_release(&scenario);
}

/* A child plays, so that a crash is one failed run and the next ones are played all the same. */
static void play_apart(const char *path, const char *spool, const struct options *options, struct count *count)
{
    unsigned long runs = count->runs, failing = 0;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned crashes = 0; crashes < CRASHES_MAX; crashes++) {
        int status = 0;
        count->failing = 0;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            play_file(path, spool, failing, options, count);
            exit(EXIT_SUCCESS); /* and a leak is a status that the parent sees */
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            abort();
        if (status == 0)
            break;
        count->failed++;
        printf("FAILED %s, %s: crashed or leaked (status %#x)\n", path, count->manner, (unsigned)status);
        if (count->failing == 0 || options->only_random)
            break;
        failing = count->failing + 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const char *name = strrchr(path, '/');
    printf("%-48s %6lu runs %7.2f s\n", name ? name + 1 : path, count->runs - runs,
           (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

static void play_argument(const char *path, const char *spool, const struct options *options, struct count *count)
{
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/*.smtp", path);
    if (glob(pattern, 0, NULL, &found) != 0) {
        play_apart(path, spool, options, count);
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        play_apart(found.gl_pathv[i], spool, options, count);
    globfree(&found);
}

/* Takes the options in front of the files; the index of the first file, 0: wrong. */
static int read_options(int argc, char **argv, struct options *o)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        uint64_t *value = NULL, rounds;
        if (strcmp(argv[i], "--only-random") == 0) {
            o->only_random = true;
            continue;
        }
        if (strcmp(argv[i], "--random") == 0)
            value = &rounds;
        else if (strcmp(argv[i], "--seed") == 0)
            value = &o->seed;
        if (!value || ++i == argc || num_parse_u64(span_cstr(argv[i]), UINT64_MAX, value) != ERR_OK)
            return 0;
        if (value == &rounds)
            o->rounds = (unsigned long)rounds;
    }
    return i < argc ? i : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    struct count *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct options options = {.rounds = 3, .seed = 1};
    const char *base = getenv("TMPDIR");
    char spool[4096];
    int first = read_options(argc, argv, &options);
    snprintf(spool, sizeof(spool), "%s/postern-player-XXXXXX", base && *base ? base : "/tmp");
    if (first == 0 || count == MAP_FAILED || !mkdtemp(spool)) {
        fprintf(stderr, "usage: player [--random N] [--seed S] [--only-random] FILE.smtp|FOLDER…\n");
        return EXIT_FAILURE;
    }
    for (int i = first; i < argc; i++)
        play_argument(argv[i], spool, &options, count);
    nftw(spool, remove_one, 8, FTW_DEPTH | FTW_PHYS); /* quarantines of scenarios */
    printf(
        "%lu scenarios, %lu runs: %lu cut once, %lu with an allocation failing, %lu by chance; left out for a reason: "
        "%lu; %lu failed\n",
        count->scenarios, count->runs, count->cuts, count->starved, count->random, count->left_out, count->failed);
    return count->failed || count->scenarios == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
