/* SPDX-License-Identifier: MIT */
/* A scanner program for the engine csapi (scan/engine/scanner_protocol.h) that does what it is told: at its start by
 * the file `start` in the directory of its definitions, then by a line `X-Scanner: ORDER` in each message; without one
 * the message is clean. It knows nothing of postern but the protocol, as a stranger's program would.
 *
 *   start   ready | crash | hang | garbage | refuse TEXT | silent-close | talk (ready, then another word)
 *   ORDER   result STATUS [LINE;LINE…]   lines of the answer, as they are
 *           crash | abort | exit N | hang | spin | delay MS | garbage | wrong-id | long | twice | descriptor | close
 *           print MIB | leave (a file in TMPDIR) | disk MIB
 *           fork | exec | socket | open PATH | write PATH | kill        tries to leave its cage; success is a virus
 *           report         what it can see of itself: environment, arguments, descriptors, as a virus's name
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL = 3, MESSAGE_MAX = 4096, LOOK_AT = 65536 };

extern char **environ;

static void say(const char *text)
{
    if (send(CHANNEL, text, strlen(text), MSG_NOSIGNAL) < 0)
        _exit(0);
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

static void answer(const char *id, const char *status, const char *lines)
{
    char text[MESSAGE_MAX];
    snprintf(text, sizeof(text), "RESULT %s %s\n%send\n", id, status, lines);
    say(text);
}

static void answer_virus(const char *id, const char *name)
{
    char lines[1024];
    snprintf(lines, sizeof(lines), "code AVS_RESULT_VIRUS_FOUND\nvirus %.120s\n", name);
    answer(id, "infected", lines);
}

static void answer_errno(const char *id, const char *what)
{
    char lines[1024];
    snprintf(lines, sizeof(lines), "code AVS_RESULT_SCANFILE_FAILURE\ninfo %s: %s\n", what, strerror(errno));
    answer(id, "error", lines);
}

/* "result infected virus A;info b" */
static void answer_given(const char *id, char *argument)
{
    char lines[MESSAGE_MAX] = "";
    char *blank = strchr(argument, ' ');
    if (blank)
        *blank = '\0';
    for (char *line = blank ? blank + 1 : NULL, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, ';');
        size_t used = strlen(lines);
        snprintf(lines + used, sizeof(lines) - used, "%.*s\n", end ? (int)(end - line) : (int)strlen(line), line);
    }
    answer(id, argument, lines);
}

static void send_with_descriptor(const char *text)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(size_t)text, .iov_len = strlen(text)};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    int fd = STDOUT_FILENO;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    if (sendmsg(CHANNEL, &m, MSG_NOSIGNAL) < 0)
        _exit(0);
}

static void print_much(long mib)
{
    static char line[1024];
    memset(line, 'x', sizeof(line));
    memcpy(line, "\x1b[31mhostile\x07", 13);
    line[sizeof(line) - 1] = '\n';
    for (long i = 0; i < mib * 1024; i++)
        if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
            return;
}

static void write_file(const char *id, long mib)
{
    static char block[65536];
    char path[4200];
    snprintf(path, sizeof(path), "%s/left-over", getenv("TMPDIR"));
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, "x", 1) == 1;
    for (long i = 0; good && i < mib * 16; i++)
        good = write(fd, block, sizeof(block)) == (ssize_t)sizeof(block);
    if (!good)
        answer_errno(id, "temporary file");
    else
        answer(id, "clean", "");
    if (fd >= 0)
        close(fd);
}

static void try_open(const char *id, const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd < 0) {
        answer_errno(id, "open");
        return;
    }
    close(fd);
    answer_virus(id, "Escaped.open");
}

static void try_exec(const char *id)
{
    char name[] = "true", *const argv[] = {name, NULL};
    execv("/bin/true", argv);
    answer_errno(id, "execve");
}

static void try_fork(const char *id)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0) {
        answer_errno(id, "fork");
        return;
    }
    waitpid(pid, NULL, 0);
    answer_virus(id, "Escaped.fork");
}

static void try_socket(const char *id)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        answer_errno(id, "socket");
    else
        answer_virus(id, "Escaped.socket");
}

/* Names of variables, then the descriptors beyond the channel that are not the message's. */
static void report(const char *id, int message)
{
    char text[1024] = "env";
    for (char **item = environ; *item; item++) {
        size_t used = strlen(text);
        if (!strstr(*item, "SAN_OPTIONS") && strncmp(*item, "POSTERN_", 8) != 0)
            snprintf(text + used, sizeof(text) - used, ":%.*s", (int)strcspn(*item, "="), *item);
    }
    size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, " fds");
    for (int fd = CHANNEL + 1; fd < 256; fd++) {
        used = strlen(text);
        if (fd != message && fcntl(fd, F_GETFD) >= 0)
            snprintf(text + used, sizeof(text) - used, ":%d", fd);
    }
    answer_virus(id, text);
}

static bool is(const char *order, const char *verb, char **argument)
{
    size_t len = strlen(verb);
    if (strncmp(order, verb, len) != 0 || (order[len] != '\0' && order[len] != ' '))
        return false;
    static char rest[LOOK_AT];
    snprintf(rest, sizeof(rest), "%s", order[len] ? order + len + 1 : "");
    *argument = rest;
    return true;
}

static void obey_end(const char *order, char *argument)
{
    if (is(order, "crash", &argument))
        crash();
    else if (is(order, "abort", &argument))
        abort();
    else if (is(order, "exit", &argument))
        _exit(atoi(argument));
    else if (is(order, "hang", &argument))
        hang();
    else if (is(order, "spin", &argument))
        for (volatile unsigned i = 0;; i++)
            ;
    else if (is(order, "close", &argument)) {
        close(CHANNEL);
        hang();
    }
}

static void obey_lies(const char *id, const char *order, char *argument)
{
    static char text[MESSAGE_MAX + 64];
    if (is(order, "garbage", &argument)) {
        say("\xff\xfe no message at all\n");
    } else if (is(order, "wrong-id", &argument)) {
        answer("18446744073709551615", "clean", "");
    } else if (is(order, "long", &argument)) {
        memset(text, 'x', sizeof(text) - 1);
        say(text);
    } else if (is(order, "twice", &argument)) {
        answer(id, "clean", "");
        answer(id, "clean", "");
    } else if (is(order, "descriptor", &argument)) {
        snprintf(text, sizeof(text), "RESULT %s clean\nend\n", id);
        send_with_descriptor(text);
    } else if (is(order, "result", &argument)) {
        answer_given(id, argument);
    }
}

static void obey(const char *id, int message, const char *order)
{
    char *argument = NULL;
    obey_end(order, argument);
    if (is(order, "delay", &argument)) {
        poll(NULL, 0, atoi(argument));
        answer(id, "clean", "");
    } else if (is(order, "print", &argument)) {
        print_much(atol(argument));
        answer(id, "clean", "");
    } else if (is(order, "leave", &argument)) {
        write_file(id, 0);
    } else if (is(order, "disk", &argument)) {
        write_file(id, atol(argument));
    } else if (is(order, "fork", &argument)) {
        try_fork(id);
    } else if (is(order, "exec", &argument)) {
        try_exec(id);
    } else if (is(order, "socket", &argument)) {
        try_socket(id);
    } else if (is(order, "open", &argument)) {
        try_open(id, argument, O_RDONLY | O_CLOEXEC);
    } else if (is(order, "write", &argument)) {
        try_open(id, argument, O_WRONLY | O_CREAT | O_CLOEXEC);
    } else if (is(order, "kill", &argument)) {
        if (kill(getppid(), 0) == 0)
            answer_virus(id, "Escaped.kill");
        else
            answer_errno(id, "kill");
    } else if (is(order, "report", &argument)) {
        report(id, message);
    } else {
        obey_lies(id, order, argument);
    }
}

static void scan(const char *id, int message)
{
    static char text[LOOK_AT + 1];
    ssize_t n = pread(message, text, LOOK_AT, 0);
    text[n > 0 ? n : 0] = '\0';
    char *order = strstr(text, "X-Scanner: ");
    if (!order) {
        answer(id, "clean", "");
        return;
    }
    order += 11;
    order[strcspn(order, "\r\n")] = '\0';
    obey(id, message, order);
}

static int receive(char *text, size_t size)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = size - 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(CHANNEL, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    int fd;
    if (!h || h->cmsg_type != SCM_RIGHTS)
        _exit(0);
    text[n] = '\0';
    memcpy(&fd, CMSG_DATA(h), sizeof(int));
    return fd;
}

static void start(int argc, char **argv)
{
    char path[4200] = "", order[256] = "ready", *argument = NULL, text[512];
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--database") == 0)
            snprintf(path, sizeof(path), "%s/start", argv[i + 1]);
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(order, sizeof(order), f))
            order[0] = '\0';
        fclose(f);
    }
    order[strcspn(order, "\n")] = '\0';
    obey_end(order, argument);
    if (is(order, "garbage", &argument)) {
        say("HELLO 1\n");
    } else if (is(order, "refuse", &argument)) {
        snprintf(text, sizeof(text), "REFUSED %s\nend\n", argument);
        say(text);
    } else {
        say("READY 1\nversion a stranger's scanner\ndefinitions 7\nsignatures 1\nend\n");
        if (is(order, "talk", &argument))
            say("RESULT 1 clean\nend\n");
    }
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (;;) {
        char text[MESSAGE_MAX + 1], id[32];
        int message = receive(text, sizeof(text));
        if (sscanf(text, "SCAN %31[0-9]", id) != 1)
            _exit(2);
        scan(id, message);
        close(message);
    }
}
