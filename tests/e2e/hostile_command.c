/* SPDX-License-Identifier: MIT */
/* A command-line scanner for the engine `command` that does what a line `X-Command: ORDER` in the message says; without
 * one it finds TEST-VIRUS-PAYLOAD and nothing else. The message is the file that its last argument names, or, where
 * that begins with no slash, its standard input. It prints "PATH: NAME FOUND" or "PATH: OK".
 *
 *   exit N [TEXT] | say N TEXT     ends with N; `say` prints TEXT first, `exit` prints it to standard error
 *   crash | abort | hang | spin | print MIB | silent-hang (prints a find, then hangs)
 *   forks | daemonize | exec | shell | socket | open PATH | write PATH | kill-parent | kill-all
 *                                  tries to leave its cage; success is a virus
 *   leave (a file in TMPDIR) | disk MIB | memory MIB
 *   report                         what it sees of itself, as a virus's name
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOK_AT = 1 << 20, TROUBLE = 2 };

extern char **environ;

static char text[LOOK_AT + 1];
static const char *path = "stdin";

static _Noreturn void found(const char *name)
{
    printf("%s: %s FOUND\n", path, name);
    fflush(stdout);
    _exit(1);
}

static _Noreturn void failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(TROUBLE);
}

static _Noreturn void hang(void)
{
    for (;;)
        poll(NULL, 0, -1);
}

__attribute__((no_sanitize("undefined"))) static void crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void print_much(long mib)
{
    static char line[1024];
    memset(line, 'x', sizeof(line));
    memcpy(line, "\x1b[31mhostile\x07", 13);
    line[sizeof(line) - 1] = '\n';
    for (long i = 0; i < mib * 1024; i++)
        if (fwrite(line, 1, sizeof(line), stdout) != sizeof(line))
            return;
}

static void fill(long mib)
{
    static char block[65536];
    char name[4200];
    snprintf(name, sizeof(name), "%s/left-over", getenv("TMPDIR"));
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        failed("temporary file");
    for (long i = 0; i < mib * 16; i++)
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
            failed("temporary file");
    close(fd);
}

static void bomb(void)
{
    for (int i = 0; i < 100000; i++)
        if (fork() < 0)
            failed("fork");
    found("Escaped.fork");
}

/* What must outlive nobody. */
static void daemonize(void)
{
    pid_t pid = fork();
    if (pid < 0)
        failed("fork");
    if (pid == 0) {
        setsid();
        hang();
    }
    found("Escaped.daemon");
}

static void report(void)
{
    char name[1024] = "env";
    for (char **item = environ; *item; item++) {
        size_t used = strlen(name);
        if (!strstr(*item, "SAN_OPTIONS") && strncmp(*item, "POSTERN_", 8) != 0 && strncmp(*item, "GCOV", 4) != 0)
            snprintf(name + used, sizeof(name) - used, ":%.*s", (int)strcspn(*item, "="), *item);
    }
    for (int fd = 0; fd < 256; fd++) {
        size_t used = strlen(name);
        if (fcntl(fd, F_GETFD) >= 0)
            snprintf(name + used, sizeof(name) - used, " %d", fd);
    }
    found(name);
}

static void try_open(const char *where, int flags)
{
    int fd = open(where, flags, 0600);
    if (fd < 0)
        failed("open");
    found("Escaped.open");
}

static void try_exec(const char *program)
{
    char *const argv[] = {(char *)(size_t)program, NULL};
    execv(program, argv);
    failed("execve");
}

static bool is(const char *order, const char *verb, char **argument)
{
    static char rest[LOOK_AT];
    size_t len = strlen(verb);
    if (strncmp(order, verb, len) != 0 || (order[len] != '\0' && order[len] != ' '))
        return false;
    snprintf(rest, sizeof(rest), "%s", order[len] ? order + len + 1 : "");
    *argument = rest;
    return true;
}

static void end(const char *order)
{
    char *argument, *words;
    if (is(order, "exit", &argument)) {
        long code = strtol(argument, &words, 10);
        fprintf(stderr, "%s\n", words);
        _exit((int)code);
    }
    if (is(order, "say", &argument)) {
        long code = strtol(argument, &words, 10);
        printf("%s\n", *words == ' ' ? words + 1 : words);
        fflush(stdout);
        _exit((int)code);
    }
    if (is(order, "crash", &argument))
        crash();
    if (is(order, "abort", &argument))
        abort();
    if (is(order, "hang", &argument))
        hang();
    if (is(order, "silent-hang", &argument)) {
        printf("%s: Found.Before FOUND\n", path);
        fflush(stdout);
        hang();
    }
    if (is(order, "spin", &argument))
        for (volatile unsigned i = 0;; i++)
            ;
}

static void attack(const char *order)
{
    char *argument;
    if (is(order, "forks", &argument))
        bomb();
    if (is(order, "daemonize", &argument))
        daemonize();
    if (is(order, "exec", &argument))
        try_exec("/bin/true");
    if (is(order, "shell", &argument))
        try_exec("/bin/sh");
    if (is(order, "open", &argument))
        try_open(argument, O_RDONLY | O_CLOEXEC);
    if (is(order, "write", &argument))
        try_open(argument, O_WRONLY | O_CREAT | O_CLOEXEC);
    if (is(order, "socket", &argument)) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
            failed("socket");
        found("Escaped.socket");
    }
    if (is(order, "kill-parent", &argument)) {
        if (kill(getppid(), SIGKILL) != 0)
            failed("kill");
        found("Escaped.kill");
    }
}

static void obey(const char *order)
{
    char *argument;
    end(order);
    attack(order);
    if (is(order, "print", &argument))
        print_much(atol(argument));
    if (is(order, "leave", &argument))
        fill(0);
    if (is(order, "disk", &argument))
        fill(atol(argument));
    if (is(order, "report", &argument))
        report();
}

int main(int argc, char **argv)
{
    bool file = argc > 1 && argv[argc - 1][0] == '/';
    int fd = file ? open(argv[argc - 1], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    size_t len = 0;
    if (file)
        path = argv[argc - 1];
    if (fd < 0)
        failed(path);
    for (ssize_t n; len < LOOK_AT && (n = read(fd, text + len, LOOK_AT - len)) > 0;)
        len += (size_t)n;
    char *order = strstr(text, "X-Command: ");
    if (order) {
        order += strlen("X-Command: ");
        char *line_end = order + strcspn(order, "\r\n"), kept = *line_end;
        *line_end = '\0';
        obey(order);
        *line_end = kept;
    }
    if (memmem(text, len, "TEST-VIRUS-PAYLOAD", strlen("TEST-VIRUS-PAYLOAD"))) /* also behind an octet 0 */
        found("Test.Payload");
    printf("%s: OK\n", path);
    fflush(stdout);
    _exit(0); /* a sanitizer's look for leaks makes a process, which the cage does not allow */
}
