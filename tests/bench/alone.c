/* SPDX-License-Identifier: MIT */
/* libclamav alone, for the benchmark: what scanning the same message with as many processes costs when nothing is
 * around it. The options are those that src/scan/engine/clamav.c sets, without its callbacks: whatever they cost is
 * postern's. It deliberately shares no code with postern.
 *
 *   alone DATABASE TEMPDIR       then a line "PROCESSES COUNT PAUSE FILE" on standard input is answered by a line
 * "SECONDS CPU-SECONDS" on standard output
 *
 * PAUSE is microseconds of sleep before each scan, which are not part of the answer: a scanner that gets one message at
 * a time finds other things in the processor's caches than one that scans back to back.
 *
 * The processes are forked from the one that loaded the database, like postern's workers, and each scans the file once
 * before the clock starts: a worker that lives long has its page tables filled. */
#include <clamav.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64 };

struct shared {
    atomic_long left;   /* scans not yet taken */
    atomic_int unclean; /* scans with another result than "clean" */
    atomic_llong cpu_ns, pause_ns;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "alone: %s: %s\n", what, why);
    exit(1);
}

static struct cl_engine *load(const char *database)
{
    unsigned signatures = 0;
    cl_error_t rc = cl_init(CL_INIT_DEFAULT);
    struct cl_engine *engine = rc == CL_SUCCESS ? cl_engine_new() : NULL;
    if (!engine)
        die("libclamav", cl_strerror(rc));
    cl_engine_set_num(engine, CL_ENGINE_DISABLE_CACHE, 1);
    cl_engine_set_num(engine, CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER);
    rc = cl_load(database, engine, &signatures, CL_DB_STDOPT);
    if (rc != CL_SUCCESS || signatures == 0)
        die(database, rc != CL_SUCCESS ? cl_strerror(rc) : "no signatures");
    rc = cl_engine_compile(engine);
    if (rc != CL_SUCCESS)
        die("compile", cl_strerror(rc));
    return engine;
}

static bool scan_is_clean(const struct cl_engine *engine, int fd)
{
    struct cl_scan_options options = {.parse = ~0U, .heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX};
    const char *name = NULL;
    unsigned long blocks = 0;
    return cl_scandesc(fd, NULL, &name, &blocks, engine, &options) == CL_CLEAN;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* One process: a scan to get warm, a byte to say so, a byte to wait for, then scans until none is left. */
static void serve(const struct cl_engine *engine, int fd, struct shared *shared, unsigned pause_us, int ready, int go)
{
    char byte = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!scan_is_clean(engine, fd))
        atomic_fetch_add(&shared->unclean, 1);
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    int64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (atomic_fetch_sub(&shared->left, 1) > 0) {
        if (pause_us > 0) {
            int64_t from = clock_ns(CLOCK_MONOTONIC);
            usleep(pause_us);
            atomic_fetch_add(&shared->pause_ns, clock_ns(CLOCK_MONOTONIC) - from);
        }
        if (!scan_is_clean(engine, fd))
            atomic_fetch_add(&shared->unclean, 1);
    }
    atomic_fetch_add(&shared->cpu_ns, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start);
    _exit(0);
}

static void run(const struct cl_engine *engine, struct shared *shared, int processes, long count, unsigned pause_us,
                const char *file)
{
    int ready[2], go[2], fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pipe(ready) != 0 || pipe(go) != 0)
        die(file, strerror(errno));
    *shared = (struct shared){.left = count};
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork", strerror(errno));
        if (pid == 0)
            serve(engine, fd, shared, pause_us, ready[1], go[0]);
    }
    char bytes[PROCESSES_MAX] = {0};
    for (int i = 0; i < processes; i++)
        if (read(ready[0], bytes, 1) != 1)
            die("a process", "ended early");
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    if (write(go[1], bytes, (size_t)processes) != processes)
        die("start", strerror(errno));
    bool failed = false;
    for (int i = 0, status; i < processes; i++)
        failed = wait(&status) < 0 || status != 0 || failed;
    int64_t elapsed = clock_ns(CLOCK_MONOTONIC) - start - atomic_load(&shared->pause_ns) / processes;
    if (failed || atomic_load(&shared->unclean) > 0)
        die(file, failed ? "a process failed" : "expected to be clean");
    printf("%.6f %.6f\n", (double)elapsed / 1e9, (double)atomic_load(&shared->cpu_ns) / 1e9);
    fflush(stdout);
    close(fd);
    close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "alone DATABASE TEMPDIR");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct cl_engine *engine = load(argv[1]);
    cl_engine_set_str(engine, CL_ENGINE_TMPDIR, argv[2]);
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap", strerror(errno));
    puts("ready");
    fflush(stdout);
    char line[4200], file[4096];
    int processes;
    unsigned pause_us;
    long count;
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "%d %ld %u %4095[^\n]", &processes, &count, &pause_us, file) != 4 || processes < 1 ||
            processes > PROCESSES_MAX || count < 1)
            die(line, "expected PROCESSES COUNT PAUSE FILE");
        run(engine, shared, processes, count, pause_us, file);
    }
    cl_engine_free(engine);
    return 0;
}
