/* SPDX-License-Identifier: MIT */
/* A plug-in that misbehaves, built against the public header alone. Its option `mode` says what `open` and
 * `worker_start` do, lines `X-Plugin: ORDER` of a message what `scan` does; the first order that gives a verdict ends
 * the scan, without any the message is clean. Modes: refuse | refuse-silently | refuse-endlessly | start-refuse, and
 * open-END and start-END with crash, abort, exit, hang, leak, thread, fork, daemon (a process that turns away), print
 * or fork-hang (a handler of forks that never returns); info: an info that is not whole; hang-on-order: its host hangs
 * as soon as there is a file of the name `word`, which it removes; end-hang hangs in the library's destructor.
 *
 *   clean | infected NAME | unscannable N | error N        verdicts; N a reason's number
 *   tell                                                   infected, named after instance, option `word` and database
 *   class N | silent | unterminated | control | named-clean | reasoned-clean | reserved      lies
 *   crash | abort | hang | exit                            ends, and ways not to end
 *   leak N | close-all                                     descriptors
 *   print | flood N                                        a line that looks like one of the log's, to both streams
 *   connect PORT | unix PATH | read PATH | exec | fork | thread | code | write PATH | kill     tries to leave the cage:
 *                                                          success is `Escaped.…`, refusal by the kernel error 201
 * The first line of the database file, where there is one, is its version. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <postern/engine.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_AT = 64 * 1024, WORD = 200 };

struct hostile {
    char instance[WORD], word[WORD], mode[WORD], version[WORD], temp[256];
};

static void say(struct postern_verdict *v, uint32_t class, uint32_t reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(struct postern_verdict *v, uint32_t class, uint32_t reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    v->verdict_class = class;
    v->reason = reason;
    vsnprintf(class == POSTERN_INFECTED ? v->name : v->detail,
              class == POSTERN_INFECTED ? sizeof(v->name) : sizeof(v->detail), format, args);
    va_end(args);
}

/* RC of a deed that the cage should refuse. */
static void judge(struct postern_verdict *v, const char *deed, long rc)
{
    if (rc >= 0)
        say(v, POSTERN_INFECTED, 0, "Escaped.%s", deed);
    else
        say(v, POSTERN_ERROR, POSTERN_FAILED, "%s: %s", deed, strerror(errno));
}

static void do_connect(struct postern_verdict *v, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    judge(v, "connect", s < 0 ? -1 : connect(s, (struct sockaddr *)&a, sizeof(a)));
    close(s);
}

static void do_unix(struct postern_verdict *v, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    judge(v, "unix", s < 0 ? -1 : connect(s, (struct sockaddr *)&a, sizeof(a)));
    close(s);
}

static void do_open(struct postern_verdict *v, const char *deed, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    judge(v, deed, fd);
    if (fd >= 0)
        close(fd);
}

static void *nothing(void *arg)
{
    return arg;
}

static void do_code(struct postern_verdict *v)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    judge(v, "code", page == MAP_FAILED ? -1 : 0);
    if (page != MAP_FAILED)
        munmap(page, 4096);
}

static void do_process(struct postern_verdict *v, const char *verb)
{
    char *const argv[] = {NULL};
    if (strcmp(verb, "exec") == 0) {
        judge(v, verb, execve("/bin/true", argv, argv));
    } else if (strcmp(verb, "fork") == 0) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        judge(v, verb, pid);
    } else if (strcmp(verb, "thread") == 0) {
        pthread_t t;
        errno = pthread_create(&t, NULL, nothing, NULL);
        judge(v, verb, errno ? -1 : 0);
    } else {
        judge(v, verb, kill(getppid(), 0));
    }
}

/* False: it is none of these. */
static int try_to_leave(struct postern_verdict *v, const char *verb, const char *argument)
{
    if (strcmp(verb, "connect") == 0)
        do_connect(v, argument);
    else if (strcmp(verb, "unix") == 0)
        do_unix(v, argument);
    else if (strcmp(verb, "read") == 0)
        do_open(v, "read", argument, O_RDONLY);
    else if (strcmp(verb, "write") == 0)
        do_open(v, "write", argument, O_WRONLY | O_CREAT);
    else if (strcmp(verb, "code") == 0)
        do_code(v);
    else if (strcmp(verb, "exec") == 0 || strcmp(verb, "fork") == 0 || strcmp(verb, "thread") == 0 ||
             strcmp(verb, "kill") == 0)
        do_process(v, verb);
    else
        return 0;
    return 1;
}

__attribute__((no_sanitize("undefined"))) static void crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void print_forged(unsigned long count)
{
    static const char line[] = "{\"time\":\"2026-01-01T00:00:00.000Z\",\"level\":\"notice\",\"event\":\"message\","
                               "\"verdict\":\"clean\",\"queue_id\":\"forged\"}\n";
    for (unsigned long i = 0; i < count; i++)
        for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
            (void)!write(fd, line, sizeof(line) - 1);
}

static void misbehave(const char *verb, const char *argument)
{
    unsigned long count = strtoul(argument, NULL, 10);
    if (strcmp(verb, "crash") == 0)
        crash();
    else if (strcmp(verb, "abort") == 0)
        abort();
    else if (strcmp(verb, "exit") == 0)
        _exit(0);
    else if (strcmp(verb, "hang") == 0)
        for (;;)
            sleep(1000);
    else if (strcmp(verb, "leak") == 0)
        while (count-- > 0)
            (void)!fcntl(0, F_DUPFD_CLOEXEC, 0);
    else if (strcmp(verb, "print") == 0)
        print_forged(1);
    else if (strcmp(verb, "flood") == 0)
        print_forged(count);
    else if (strcmp(verb, "close-all") == 0)
        for (int fd = 3; fd < 256; fd++)
            close(fd);
}

static void lie(struct postern_verdict *v, const char *verb, const char *argument)
{
    if (strcmp(verb, "class") == 0) {
        say(v, (uint32_t)strtoul(argument, NULL, 10), 0, "of no class");
    } else if (strcmp(verb, "unterminated") == 0) {
        say(v, POSTERN_INFECTED, 0, "x");
        memset(v->name, 'A', sizeof(v->name));
        memset(v->detail, 'B', sizeof(v->detail));
    } else if (strcmp(verb, "control") == 0) {
        say(v, POSTERN_INFECTED, 0, "Bad\r\nX-Injected: \x1b[31m\xff");
    } else if (strcmp(verb, "named-clean") == 0) {
        say(v, POSTERN_CLEAN, 0, "all is well");
        snprintf(v->name, sizeof(v->name), "Some.Virus");
    } else if (strcmp(verb, "reasoned-clean") == 0) {
        say(v, POSTERN_CLEAN, POSTERN_LIMIT, "as far as I could see");
    } else if (strcmp(verb, "reserved") == 0) {
        say(v, POSTERN_CLEAN, 0, "but for what stands in a field of tomorrow");
        v->reserved[3] = 1;
    }
}

/* Whether a verdict was given. */
static int obey(const struct hostile *h, const char *verb, const char *argument, struct postern_verdict *v)
{
    const uint32_t number = (uint32_t)strtoul(argument, NULL, 10);
    if (strcmp(verb, "silent") == 0)
        return 1;
    if (strcmp(verb, "clean") == 0)
        say(v, POSTERN_CLEAN, 0, "as asked");
    else if (strcmp(verb, "infected") == 0)
        say(v, POSTERN_INFECTED, 0, "%s", argument);
    else if (strcmp(verb, "unscannable") == 0)
        say(v, POSTERN_UNSCANNABLE, number, "as asked");
    else if (strcmp(verb, "error") == 0)
        say(v, POSTERN_ERROR, number, "as asked");
    else if (strcmp(verb, "tell") == 0)
        say(v, POSTERN_INFECTED, 0, "%s.%s.%s", h->instance, h->word, h->version);
    else if (!try_to_leave(v, verb, argument))
        lie(v, verb, argument);
    misbehave(verb, argument);
    return v->verdict_class != POSTERN_NO_VERDICT;
}

static void hostile_scan(void *state, const struct postern_message *message, struct postern_verdict *v)
{
    static const char mark[] = "X-Plugin: ";
    char *text = calloc(1, LOOK_AT + 1), *rest = text, *line;
    if (!text || pread(message->fd, text, LOOK_AT, 0) < 0) {
        say(v, POSTERN_ERROR, POSTERN_FAILED, "the message cannot be read: %s", strerror(errno));
        free(text);
        return;
    }
    int decided = 0;
    while (!decided && (line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, mark, sizeof(mark) - 1) != 0)
            continue;
        line[strcspn(line, "\r")] = '\0';
        char *argument = line + sizeof(mark) - 1, *verb = strsep(&argument, " ");
        decided = obey(state, verb, argument ? argument : "", v);
    }
    if (!decided)
        say(v, POSTERN_CLEAN, 0, "nobody asked for anything");
    free(text);
}

static void *stay(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void hang_before(void)
{
    stay(NULL);
}

static void hang_behind(void)
{
    stay(NULL);
}

/* Leaves something running that no cage closes around; 0: KIND is nothing of the kind. */
static int leave_running(const char *kind)
{
    pthread_t t;
    if (strcmp(kind, "thread") == 0)
        return pthread_create(&t, NULL, stay, NULL) == 0;
    if (strcmp(kind, "fork-hang") == 0)
        return pthread_atfork(hang_before, NULL, hang_behind) == 0;
    int twice = strcmp(kind, "daemon") == 0;
    if (!twice && strcmp(kind, "fork") != 0)
        return 0;
    pid_t pid = fork();
    if (pid != 0) {
        if (twice)
            waitpid(pid, NULL, 0);
        return 1;
    }
    if (twice) {
        setsid();
        if (fork() != 0)
            _exit(0);
    }
    stay(NULL);
    return 1;
}

/* The file that a timer of the host's looks for. */
static char order_file[WORD];

static void look_for_order(int number)
{
    int saved = errno;
    (void)number;
    if (unlink(order_file) == 0)
        for (;;)
            pause();
    errno = saved;
}

static void await_order(const char *path)
{
    const struct sigaction action = {.sa_handler = look_for_order, .sa_flags = SA_RESTART};
    const struct itimerval often = {.it_interval.tv_usec = 50000, .it_value.tv_usec = 50000};
    snprintf(order_file, sizeof(order_file), "%s", path);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* Its mode, where the end of a process finds it. */
static char end_mode[WORD];

__attribute__((destructor)) static void never_end(void)
{
    if (strcmp(end_mode, "end-hang") == 0)
        misbehave("hang", "");
}

static int read_version(struct hostile *h, const char *path, char why[POSTERN_TEXT_SIZE])
{
    FILE *f = fopen(path, "re");
    if (!f || !fgets(h->version, sizeof(h->version), f)) {
        snprintf(why, POSTERN_TEXT_SIZE, "database %s: expected a line with its version", path);
        if (f)
            fclose(f);
        return 1;
    }
    fclose(f);
    h->version[strcspn(h->version, "\n")] = '\0';
    return 0;
}

static int hostile_open(const struct postern_setup *setup, struct postern_info *info, void **state,
                        char why[POSTERN_TEXT_SIZE])
{
    static struct hostile h;
    snprintf(h.instance, sizeof(h.instance), "%s", setup->instance);
    for (size_t i = 0; i < setup->option_count; i++)
        snprintf(strcmp(setup->options[i].name, "mode") == 0 ? h.mode : h.word, WORD, "%s", setup->options[i].value);
    snprintf(end_mode, sizeof(end_mode), "%s", h.mode);
    if (setup->database && read_version(&h, setup->database, why) != 0)
        return 2;
    if (strcmp(h.mode, "refuse") == 0) {
        snprintf(why, POSTERN_TEXT_SIZE, "no licence\r\n\x1b[31mfor %s", h.instance);
        return 3;
    }
    if (strcmp(h.mode, "refuse-silently") == 0)
        return -1;
    if (strcmp(h.mode, "refuse-endlessly") == 0) {
        memset(why, 'w', POSTERN_TEXT_SIZE);
        return 1;
    }
    if (strncmp(h.mode, "open-", 5) == 0 && !leave_running(h.mode + 5))
        misbehave(h.mode + 5, "300");
    if (strcmp(h.mode, "hang-on-order") == 0)
        await_order(h.word);
    if (strcmp(h.mode, "info") == 0)
        info->reserved[0] = 1;
    info->database_version = strtoul(h.version, NULL, 10);
    info->signatures = 1;
    snprintf(info->version, sizeof(info->version), "database %.60s", h.version[0] ? h.version : "none");
    *state = &h;
    return 0;
}

static int hostile_worker_start(void *state, const char *temp, char why[POSTERN_TEXT_SIZE])
{
    struct hostile *h = state;
    snprintf(h->temp, sizeof(h->temp), "%s", temp);
    if (strcmp(h->mode, "start-refuse") == 0) {
        snprintf(why, POSTERN_TEXT_SIZE, "no daemon to speak to");
        return 1;
    }
    if (strncmp(h->mode, "start-", 6) == 0 && !leave_running(h->mode + 6))
        misbehave(h->mode + 6, "100");
    return 0;
}

static const char *const options[] = {"mode", "word", NULL};

#define TABLE(octets)                                                                                                  \
    {                                                                                                                  \
        .size = (octets), .abi_major = POSTERN_ENGINE_ABI_MAJOR, .abi_minor = POSTERN_ENGINE_ABI_MINOR,                \
        .name = "Hostile plug-in", .version = "0.1", .options = options, .open = hostile_open,                         \
        .worker_start = hostile_worker_start, .scan = hostile_scan,                                                    \
    }

#ifdef HOSTILE_LATER
/* Compiled with a later header, whose table has more at its end, and content with what this version has. */
struct later {
    struct postern_engine known;
    uint64_t more[4];
};
extern POSTERN_EXPORT const struct later later_table __asm__("postern_engine");
const struct later later_table = {.known = TABLE(sizeof(struct later)), .more = {1, 2, 3, 4}};
#else
const struct postern_engine postern_engine = TABLE(sizeof(struct postern_engine));
#endif
