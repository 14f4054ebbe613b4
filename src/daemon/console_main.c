/* SPDX-License-Identifier: MIT */
/* The program postern-console: gives commands to a running postern over the socket of its Control_Listener and prints
 * the answers. Each command has a connection of its own, so a restart of postern between two of them does no harm. */
#include "base/buf.h"
#include "base/num.h"
#include "daemon/console_line.h"
#include <errno.h>
#include <histedit.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_S = 60, TIMEOUT_MAX_S = 86400, HISTORY_LINES = 200, PROMPT_SIZE = 160, READ_SIZE = 65536 };

static const char usage_text[] = "usage: postern-console [--timeout SECONDS] SOCKET [COMMAND...]\n"
                                 "       postern-console --help | --version\n";
static const char help_text[] =
    "\n"
    "Gives COMMAND to the postern that listens at SOCKET (Control_Listener { Listen \"SOCKET\" { } }) and prints the\n"
    "answer. Without COMMAND, commands are read from standard input, one a line; on a terminal with a prompt. The "
    "command\n"
    "`help` lists them all, `quit` ends the program. `json` before a command asks for the answer in JSON.\n"
    "\n"
    "  --timeout SECONDS  how long to wait for an answer (60); 0: as long as it takes\n"
    "\n"
    "Exit status: 0 done; 1 the command failed; 2 it was not carried out: unknown or wrong, not permitted, or no "
    "answer.\n"
    "With several commands, the highest.\n";

struct client {
    const char *path;
    struct sockaddr_un address;
    uint64_t timeout_s;
    char prompt[PROMPT_SIZE];
};

static enum console_status complain(const struct client *c, const char *what)
{
    fprintf(stderr, "postern-console: %s: %s\n", c->path, what);
    return CONSOLE_REFUSED;
}

/* Why nobody can be asked, and what to look at. */
static enum console_status complain_connection(const struct client *c)
{
    int error = errno;
    const char *advice = "";
    struct stat st;
    if (error == ECONNREFUSED && stat(c->path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return complain(c, "this is no socket: expected the path of Control_Listener { Listen \"PATH\" { } }");
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        advice = ": is postern running, and is this the path of its Control_Listener { Listen \"PATH\" { } }?";
        break;
    case ECONNREFUSED:
        advice = ": a postern that has ended has left its socket, or one that is starting has not begun to listen; its "
                 "log says which";
        break;
    case EACCES:
    case EPERM:
        advice =
            ": file_mode, file_owner and file_group of the Listen scope say who may connect; the directories on the "
            "way must let you pass, too";
        break;
    case EAGAIN:
        error = ETIMEDOUT;
        advice = ": postern is stopped, or too busy to take up the connection";
        break;
    default:
        break;
    }
    fprintf(stderr, "postern-console: %s: %s%s\n", c->path, strerror(error), advice);
    return CONSOLE_REFUSED;
}

/* Why no whole answer came. */
static enum console_status complain_answer(const struct client *c, int error)
{
    if (error == EAGAIN)
        fprintf(stderr,
                "postern-console: %s: no answer within %llu seconds: postern is starting, or busy (--timeout SECONDS "
                "waits longer); what the command began may still go on\n",
                c->path, (unsigned long long)c->timeout_s);
    else
        fprintf(stderr,
                "postern-console: %s: the connection ended before the answer was complete (%s): postern is ending or "
                "being restarted, its log says which; what the command began may have been done\n",
                c->path, error ? strerror(error) : "end of file");
    return CONSOLE_REFUSED;
}

/* ---- one command ---- */

static int open_connection(const struct client *c)
{
    const struct timeval limit = {.tv_sec = (time_t)c->timeout_s};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); /* cannot fail with these arguments */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* of connect, too */
    if (connect(fd, (const struct sockaddr *)(const void *)&c->address, sizeof(c->address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Whoever is turned away gets a reason, and the connection ends without his request being read: so failing to send is
 * no end, reading tells. */
static void send_request(int fd, const char *line)
{
    struct span rest = span_cstr(line);
    while (rest.len > 0) {
        ssize_t sent = send(fd, rest.ptr, rest.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return;
        rest = span_sub(rest, (size_t)sent, rest.len);
    }
}

/* Reads until a whole answer is in IN. False: there is none, which was said. */
static bool read_answer(const struct client *c, int fd, struct buf *in, size_t *head, enum console_status *status,
                        size_t *length)
{
    for (;;) {
        enum err e = console_head_read(buf_span(in), head, status, length);
        if (e == ERR_OK && buf_len(in) - *head >= *length)
            return true;
        char *where = NULL;
        size_t room = 0;
        if (e != ERR_SYNTAX && buf_reserve(in, READ_SIZE, &where, &room) == ERR_NOMEM) {
            complain(c, err_name(ERR_NOMEM));
            return false;
        }
        if (e == ERR_SYNTAX || room == 0) {
            complain(c, "what answers there is no console of postern");
            return false;
        }
        ssize_t got = recv(fd, where, room, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            complain_answer(c, got < 0 ? errno : 0);
            return false;
        }
        buf_commit(in, (size_t)got);
    }
}

/* Nothing that comes from elsewhere moves the cursor of a terminal. */
static void print(FILE *to, struct span text)
{
    bool terminal = isatty(fileno(to));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        fputc(terminal && control ? '?' : c, to);
    }
    if (text.len > 0 && text.ptr[text.len - 1] != '\n')
        fputc('\n', to);
    if ((fflush(to) != 0 || ferror(to)) && to == stdout) {
        fprintf(stderr, "postern-console: standard output: %s; the command was carried out\n", strerror(errno));
        exit(CONSOLE_REFUSED);
    }
}

/* LINE ends with a line end. */
static enum console_status run_line(const struct client *c, const char *line)
{
    enum console_status status = CONSOLE_REFUSED;
    size_t head = 0, length = 0;
    struct buf in;
    int fd = open_connection(c);
    if (fd < 0)
        return complain_connection(c);
    buf_init(&in, CONSOLE_OUTPUT_MAX + 2 * CONSOLE_HEAD_SIZE);
    send_request(fd, line);
    bool json = strncmp(line, "json ", 5) == 0;
    if (read_answer(c, fd, &in, &head, &status, &length))
        print(status == CONSOLE_DONE || json ? stdout : stderr, span_sub(buf_span(&in), head, length));
    else
        status = CONSOLE_REFUSED;
    if (status == CONSOLE_FAILED && length == 0)
        complain(c, "it failed, and postern has no memory to say why");
    buf_release(&in);
    close(fd);
    return status;
}

/* "engine list", quoted as a whole: no command has a blank in its first word. */
static bool is_whole_command(char **words)
{
    bool printable = true;
    for (const char *c = words[0]; *c; c++)
        printable = printable && char_is_print(*c);
    return !words[1] && printable && strchr(words[0], ' ') != NULL;
}

static enum console_status run_words(const struct client *c, char **words)
{
    char line[CONSOLE_LINE_MAX + 2] = "";
    bool is_line = is_whole_command(words);
    if (is_line && (size_t)snprintf(line, sizeof(line), "%s", words[0]) > CONSOLE_LINE_MAX)
        return complain(c, "the command is too long");
    for (; *words && !is_line; words++) {
        enum err e = console_line_add(line, CONSOLE_LINE_MAX + 1, *words);
        if (e == ERR_FULL)
            return complain(c, "the command is too long");
        if (e)
            return complain(c, "a word of the command holds something else than printable ASCII");
    }
    size_t len = strlen(line);
    line[len] = '\n';
    line[len + 1] = '\0';
    return run_line(c, line);
}

/* ---- many commands ---- */

static bool is_blank_line(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0';
}

static bool is_quit(const char *line)
{
    struct span word = span_trim(span_sub(span_cstr(line), 0, strcspn(line, "\r\n")));
    return span_eq(word, SPAN("quit")) || span_eq(word, SPAN("exit"));
}

static enum console_status worse(enum console_status a, enum console_status b)
{
    return a > b ? a : b;
}

static enum console_status run_batch(const struct client *c)
{
    enum console_status status = CONSOLE_DONE;
    char line[CONSOLE_LINE_MAX + 3];
    while (fgets(line, CONSOLE_LINE_MAX + 2, stdin)) {
        size_t len = strlen(line);
        if (is_quit(line))
            break;
        if (is_blank_line(line))
            continue;
        if (line[len - 1] != '\n' && !feof(stdin))
            return complain(c, "a line of the input is too long");
        if (line[len - 1] != '\n') {
            line[len] = '\n';
            line[len + 1] = '\0';
        }
        status = worse(status, run_line(c, line));
    }
    return ferror(stdin) ? complain(c, "standard input cannot be read") : status;
}

/* HH:MM:SS SOCKET> , as the original's. */
static char *prompt(EditLine *el)
{
    struct client *c = NULL;
    time_t now = time(NULL);
    struct tm local = {0};
    char clock[16] = "";
    el_get(el, EL_CLIENTDATA, &c);
    localtime_r(&now, &local);
    strftime(clock, sizeof(clock), "%H:%M:%S", &local);
    snprintf(c->prompt, sizeof(c->prompt), "%s %s> ", clock, c->path);
    return c->prompt;
}

static enum console_status run_terminal(struct client *c)
{
    HistEvent event;
    EditLine *el = el_init("postern-console", stdin, stdout, stderr);
    History *past = history_init();
    const char *line;
    int count = 0;
    if (!el || !past)
        return complain(c, "no memory");
    history(past, &event, H_SETSIZE, HISTORY_LINES);
    el_set(el, EL_CLIENTDATA, c);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, history, past);
    el_source(el, NULL);
    while ((line = el_gets(el, &count)) && count > 0 && !is_quit(line)) {
        char whole[CONSOLE_LINE_MAX + 3];
        if (is_blank_line(line))
            continue;
        history(past, &event, H_ENTER, line);
        int n = snprintf(whole, sizeof(whole), "%.*s\n", (int)strcspn(line, "\r\n"), line);
        if (n < 0 || (size_t)n >= sizeof(whole))
            complain(c, "the line is too long");
        else
            run_line(c, whole);
    }
    if (!line || count <= 0)
        fputc('\n', stdout);
    history_end(past);
    el_end(el);
    return CONSOLE_DONE;
}

/* ---- the command line ---- */

static int usage(const char *found)
{
    if (found)
        fprintf(stderr, "postern-console: %s\n", found);
    fputs(usage_text, stderr);
    return CONSOLE_REFUSED;
}

static int run(int argc, char **argv)
{
    struct client c = {.address.sun_family = AF_UNIX, .timeout_s = TIMEOUT_DEFAULT_S};
    int at = 1;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        fputs(help_text, stdout);
        return CONSOLE_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("postern-console " POSTERN_VERSION);
        return CONSOLE_DONE;
    }
    if (argc > 2 && strcmp(argv[1], "--timeout") == 0) {
        if (num_parse_u64(span_cstr(argv[2]), TIMEOUT_MAX_S, &c.timeout_s) != ERR_OK)
            return usage("--timeout: expected seconds, at most 86400");
        at = 3;
    }
    if (at >= argc || argv[at][0] == '-')
        return usage(at < argc ? "unknown option" : "no socket is given");
    c.path = argv[at++];
    if (strlen(c.path) >= sizeof(c.address.sun_path))
        return usage("the path of the socket is too long");
    memcpy(c.address.sun_path, c.path, strlen(c.path) + 1);
    if (at < argc)
        return (int)run_words(&c, argv + at);
    int fd = open_connection(&c); /* whoever comes with commands hears at once that nobody takes them */
    if (fd < 0)
        return (int)complain_connection(&c);
    close(fd);
    return (int)(isatty(STDIN_FILENO) ? run_terminal(&c) : run_batch(&c));
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "postern-console: standard output: %s\n", strerror(errno));
    return CONSOLE_REFUSED;
}
