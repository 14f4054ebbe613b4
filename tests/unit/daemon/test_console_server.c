/* SPDX-License-Identifier: MIT */
/* Sessions of the console over real sockets: answers in order, hostile clients, limits, who may come in. And the
 * socket's file itself. (B44) */
#include "console_bench.h"
#include "daemon/console_access.h"
#include "daemon/console_line.h"
#include "daemon/console_server.h"
#include "daemon/control_socket.h"
#include "support/failing_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    char directory[64], path[96];
    struct control_socket socket;
    struct control_conf conf;
    struct console_server *server;
} t;

struct peer {
    int fd;
    struct loop_watch watch;
    char text[8192];
    size_t len;
    bool over;
};

static void setup_with(int64_t idle_ms, int64_t sessions)
{
    struct errtext why = {""};
    bench_open();
    memset(&t, 0, sizeof(t));
    snprintf(t.directory, sizeof(t.directory), "/tmp/postern-console-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.directory));
    snprintf(t.path, sizeof(t.path), "%s/run/control", t.directory);
    ck_assert_msg(control_socket_open(&t.socket, t.path, 0660, (struct control_owner){(uid_t)-1, (gid_t)-1}, &why) ==
                      ERR_OK,
                  "%s", why.text);
    t.conf = (struct control_conf){.idle_timeout_ms = idle_ms, .max_sessions = sessions};
    t.server = console_server_new(bench.console, bench.loop, &bench.log);
    ck_assert_ptr_nonnull(t.server);
    ck_assert_int_eq(console_server_listen(t.server, t.socket.fd, &t.conf, t.path), ERR_OK);
}

static void setup(void)
{
    setup_with(60000, 8);
}

static void teardown(void)
{
    char run[80];
    console_server_free(t.server);
    console_stop(bench.console);
    bench_close();
    control_socket_close(&t.socket, true);
    snprintf(run, sizeof(run), "%s/run", t.directory);
    ck_assert_int_eq(rmdir(run), 0); /* the socket's file is gone */
    ck_assert_int_eq(rmdir(t.directory), 0);
}

static void peer_ready(void *arg, int events)
{
    struct peer *p = arg;
    (void)events;
    ssize_t got = recv(p->fd, p->text + p->len, sizeof(p->text) - 1 - p->len, MSG_DONTWAIT);
    if (got > 0)
        p->len += (size_t)got;
    p->text[p->len] = '\0';
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        p->over = true;
        loop_watch_set(&p->watch, 0);
    }
    loop_stop(bench.loop);
}

static void peer_open(struct peer *p)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(p, 0, sizeof(*p));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", t.path);
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(p->fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    loop_watch_init(&p->watch, bench.loop, p->fd, peer_ready, p);
    loop_watch_set(&p->watch, LOOP_READ);
}

static void peer_send(struct peer *p, const void *bytes, size_t len)
{
    ck_assert_int_eq(send(p->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void peer_say(struct peer *p, const char *text)
{
    peer_send(p, text, strlen(text));
}

/* Until it has received exactly TEXT. */
static void peer_expect(struct peer *p, const char *text)
{
    while (p->len < strlen(text) && !p->over)
        bench_run();
    ck_assert_str_eq(p->text, text);
    p->len = 0;
    p->text[0] = '\0';
}

static void peer_expect_end(struct peer *p)
{
    while (!p->over)
        bench_run();
    ck_assert_str_eq(p->text, "");
}

static void peer_close(struct peer *p)
{
    loop_watch_stop(&p->watch);
    close(p->fd);
}

/* Somebody else is served. */
static void expect_service(void)
{
    struct peer p;
    peer_open(&p);
    peer_say(&p, "show stats\n");
    peer_expect(&p, "0 18\ninstance=- args=0\n");
    peer_close(&p);
}

START_TEST(requests_are_answered_in_their_order)
{
    setup();
    struct peer p;
    peer_open(&p);
    peer_say(&p, "show a\nshow b\r\n\n  \nnonsense\nfail x\njson many\n");
    peer_expect(&p, "0 22\ninstance=- args=1 [a]\n0 22\ninstance=- args=1 [b]\n"
                    "2 45\nunknown command \"nonsense\"; `help` lists all\n"
                    "1 12\nno \"x\" here\n0 28\n{\"instance\":null,\"args\":[]}\n");
    peer_close(&p);
    teardown();
}
END_TEST

START_TEST(a_request_may_come_octet_by_octet)
{
    setup();
    struct peer p;
    peer_open(&p);
    for (const char *c = "show a\r\n"; *c; c++) {
        peer_send(&p, c, 1);
        expect_service();
    }
    peer_expect(&p, "0 22\ninstance=- args=1 [a]\n");
    peer_close(&p);
    teardown();
}
END_TEST

START_TEST(a_client_that_sends_no_more_still_gets_its_answers)
{
    setup();
    struct peer p;
    peer_open(&p);
    peer_say(&p, "show a\nshow b\nhalf a li");
    shutdown(p.fd, SHUT_WR);
    peer_expect(&p, "0 22\ninstance=- args=1 [a]\n0 22\ninstance=- args=1 [b]\n");
    peer_expect_end(&p);
    peer_close(&p);
    teardown();
}
END_TEST

START_TEST(lines_that_are_too_long_end_the_session_only)
{
    char line[CONSOLE_LINE_MAX + 3];
    setup();
    for (size_t extra = 0; extra < 3; extra++) {
        struct peer p;
        peer_open(&p);
        memset(line, 'x', sizeof(line));
        if (extra < 2)
            line[CONSOLE_LINE_MAX + extra] = '\n'; /* a line that fits, one that does not, and one without end */
        peer_send(&p, line, CONSOLE_LINE_MAX + 1 + (extra > 0 ? 1 : 0));
        if (extra == 0) {
            peer_expect(&p, "2 77\nunknown command \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"; `help` lists all\n");
        } else {
            peer_expect(&p, "2 45\na request is one line of at most 1024 octets\n");
            peer_expect_end(&p);
        }
        peer_close(&p);
        expect_service();
    }
    teardown();
}
END_TEST

START_TEST(garbage_is_refused_and_harms_nobody)
{
    static const char garbage[] = "\0\xff\xfe\x1b[2J\n\x7f\n\"\ngood\n";
    setup();
    struct peer p;
    peer_open(&p);
    peer_send(&p, garbage, sizeof(garbage) - 1);
    peer_expect(&p, "2 57\noctet 1 of the request is 0x00: expected printable ASCII\n"
                    "2 57\noctet 1 of the request is 0x7f: expected printable ASCII\n"
                    "2 64\na quoted word has no end: expected \" before the end of the line\n"
                    "2 62\nunknown command \"good\": did you mean \"hold\"? `help` lists all\n");
    peer_close(&p);
    expect_service();
    teardown();
}
END_TEST

START_TEST(a_flood_of_requests_holds_up_nobody)
{
    setup();
    struct peer flood;
    char lines[7 * 500 + 1];
    for (size_t i = 0; i < 500; i++)
        memcpy(lines + 7 * i, "show a\n", 7);
    peer_open(&flood);
    loop_watch_set(&flood.watch, 0); /* and it never reads */
    while (send(flood.fd, lines, sizeof(lines) - 1, MSG_NOSIGNAL) > 0)
        ;
    expect_service();
    for (int i = 0; i < 100; i++) {
        while (send(flood.fd, lines, sizeof(lines) - 1, MSG_NOSIGNAL) > 0)
            ;
        expect_service();
    }
    peer_close(&flood);
    expect_service();
    teardown();
}
END_TEST

START_TEST(a_large_answer_waits_for_its_reader_and_then_for_nobody)
{
    setup_with(1500, 8);
    struct peer reader, deaf;
    size_t got = 0;
    peer_open(&reader);
    peer_open(&deaf);
    loop_watch_set(&deaf.watch, 0);
    peer_say(&deaf, "large 1048576\n");
    peer_say(&reader, "large 1048576\n");
    while (!reader.over && got < 1048576 + 10) {
        bench_run();
        got += reader.len;
        reader.len = 0;
    }
    ck_assert_uint_eq(got, 1048576 + 10);
    peer_expect(&reader, "2 25\nno command for 1 seconds\n"); /* when it says nothing more */
    peer_expect_end(&reader);
    loop_watch_set(&deaf.watch, LOOP_READ);
    while (!deaf.over) { /* cut off in the middle */
        bench_run();
        got += deaf.len;
        deaf.len = 0;
    }
    ck_assert_uint_lt(got, 2 * 1048576);
    peer_close(&reader);
    peer_close(&deaf);
    teardown();
}
END_TEST

START_TEST(a_client_that_goes_while_its_command_runs_harms_nobody)
{
    setup();
    struct peer p;
    peer_open(&p);
    peer_say(&p, "wait\n");
    expect_service(); /* its request has been read */
    ck_assert_ptr_nonnull(bench.held);
    peer_close(&p);
    expect_service();
    console_call_finish(bench.held);
    expect_service();
    teardown();
}
END_TEST

START_TEST(sessions_are_limited_but_for_root)
{
    setup_with(60000, 2);
    struct peer p[5];
    size_t room = geteuid() == 0 ? 4 : 2; /* two more for root */
    for (size_t i = 0; i < room; i++) {
        peer_open(&p[i]);
        peer_say(&p[i], "show a\n");
        peer_expect(&p[i], "0 22\ninstance=- args=1 [a]\n");
    }
    peer_open(&p[room]);
    while (!p[room].over)
        bench_run();
    ck_assert_msg(strncmp(p[room].text, "2 ", 2) == 0 && strstr(p[room].text, ": too many sessions\n"), "%s",
                  p[room].text);
    peer_close(&p[0]);
    for (bool served = false; !served;) { /* there is room again, once its end was noticed */
        struct peer again;
        peer_open(&again);
        peer_say(&again, "show a\n");
        while (again.len == 0 && !again.over)
            bench_run();
        served = again.text[0] == '0';
        peer_close(&again);
    }
    for (size_t i = 1; i <= room; i++)
        peer_close(&p[i]);
    teardown();
}
END_TEST

START_TEST(the_end_of_the_server_ends_sessions_with_commands_under_way)
{
    setup();
    struct peer p;
    peer_open(&p);
    peer_say(&p, "wait\n");
    expect_service();
    ck_assert_ptr_nonnull(bench.held);
    loop_watch_stop(&p.watch);
    teardown();
    close(p.fd);
}
END_TEST

START_TEST(root_ourselves_and_those_that_are_allowed_may_come_in)
{
    const struct console_access a = {
        .self = 101, .users = {1000, 1001}, .user_count = 2, .groups = {50}, .group_count = 1};
    static const struct {
        uid_t uid;
        gid_t groups[2];
        bool permitted;
    } rows[] = {{0, {0, 0}, true},     {101, {7, 7}, true},   {1000, {7, 7}, true}, {1001, {7, 7}, true},
                {1002, {7, 50}, true}, {1002, {7, 8}, false}, {50, {7, 7}, false},  {65534, {65534, 65534}, false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(console_access_permits(&a, rows[i].uid, rows[i].groups, 2) == rows[i].permitted, "row %zu", i);
}
END_TEST

START_TEST(names_that_nobody_has_let_nobody_in)
{
    static const char *const names[] = {"root", "postern-nobody-of-that-name", "@postern-no-such-group", "@root"};
    const struct conf_list allow = {.items = names, .count = ARRAY_SIZE(names)};
    struct console_access a;
    bench_open();
    console_access_init(&a, &allow, &bench.log, "/run/x");
    ck_assert_uint_eq(a.user_count, 1);
    ck_assert_uint_eq(a.group_count, 1);
    ck_assert_msg(strstr(bench.lines, "postern-nobody-of-that-name") && strstr(bench.lines, "@postern-no-such-group"),
                  "%s", bench.lines);
    bench_close();
}
END_TEST

/* ---- the file ---- */

static const struct control_owner as_is = {(uid_t)-1, (gid_t)-1};

static char *in_directory(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", t.directory, name);
    return path;
}

static void make_directory(void)
{
    snprintf(t.directory, sizeof(t.directory), "/tmp/postern-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.directory));
}

START_TEST(the_socket_has_its_mode_and_a_dead_one_is_replaced)
{
    struct control_socket first, second;
    struct errtext why = {""};
    struct stat st;
    make_directory();
    const char *path = in_directory("control");
    ck_assert_int_eq(control_socket_open(&first, path, 0660, as_is, &why), ERR_OK);
    ck_assert(lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0660);
    ck_assert_int_eq(control_socket_open(&second, path, 0600, as_is, &why), ERR_IO); /* it lives */
    ck_assert_msg(strstr(why.text, "in use"), "%s", why.text);
    control_socket_close(&first, false); /* killed */
    ck_assert_int_eq(control_socket_open(&second, path, 0600, as_is, &why), ERR_OK);
    ck_assert(lstat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    control_socket_close(&second, true);
    ck_assert(lstat(path, &st) != 0);
    control_socket_close(&second, true);
    rmdir(t.directory);
}
END_TEST

START_TEST(what_is_no_socket_of_ours_is_left_alone)
{
    struct control_socket s;
    struct errtext why = {""};
    make_directory();
    char *path = in_directory("control");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert(fd >= 0 && write(fd, "precious", 8) == 8);
    close(fd);
    ck_assert_int_eq(control_socket_open(&s, path, 0660, as_is, &why), ERR_DENIED);
    ck_assert_msg(strstr(why.text, "no socket"), "%s", why.text);
    ck_assert(unlink(path) == 0 && symlink("elsewhere", path) == 0);
    ck_assert_int_eq(control_socket_open(&s, path, 0660, as_is, &why), ERR_DENIED);
    unlink(path);
    /* Another one took our place: it is not ours to remove. */
    ck_assert_int_eq(control_socket_open(&s, path, 0660, as_is, &why), ERR_OK);
    ck_assert(unlink(path) == 0);
    struct control_socket other;
    ck_assert_int_eq(control_socket_open(&other, path, 0660, as_is, &why), ERR_OK);
    control_socket_close(&s, true);
    ck_assert_int_eq(access(path, F_OK), 0);
    control_socket_close(&other, true);
    rmdir(t.directory);
}
END_TEST

START_TEST(a_directory_where_everybody_writes_is_refused)
{
    struct control_socket s;
    struct errtext why = {""};
    make_directory();
    ck_assert_int_eq(chmod(t.directory, 0777), 0);
    ck_assert_int_eq(control_socket_open(&s, in_directory("control"), 0660, as_is, &why), ERR_DENIED);
    ck_assert_msg(strstr(why.text, "everybody may write"), "%s", why.text);
    ck_assert_int_eq(chmod(t.directory, 01777), 0); /* as /tmp, where the original had its socket */
    ck_assert_int_eq(control_socket_open(&s, in_directory("control"), 0660, as_is, &why), ERR_OK);
    control_socket_close(&s, true);
    ck_assert_int_eq(control_socket_open(&s, in_directory("no/such/control"), 0660, as_is, &why), ERR_IO);
    rmdir(t.directory);
}
END_TEST

START_TEST(modes_are_octal)
{
    mode_t mode;
    ck_assert_int_eq(control_mode("0660", &mode), ERR_OK);
    ck_assert_uint_eq(mode, 0660);
    ck_assert_int_eq(control_mode("600", &mode), ERR_OK);
    ck_assert_uint_eq(mode, 0600);
    static const char *const wrong[] = {"", "66", "0888", "1777", "06600", "rw-", "0x1f", "-660"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_int_eq(control_mode(wrong[i], &mode), ERR_SYNTAX);
}
END_TEST

/* Whether P has a whole answer; STATUS of it. */
static bool peer_has_answer(const struct peer *p, enum console_status *status)
{
    size_t head, length;
    struct span text = span_of(p->text, p->len);
    return console_head_read(text, &head, status, &length) == ERR_OK && p->len >= head + length;
}

/* C24: at every allocation once. */
START_TEST(without_memory_an_answer_is_whole_or_none_and_others_are_served)
{
    enum { ENOUGH = 100 };
    static const char *const lines[] = {"show stats\n", "json show stats\n", "help\n", "fail it\n", "nonsense\n"};
    static char whole[ARRAY_SIZE(lines)][8192];
    setup();
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        bool complete = false;
        for (long n = -1; n < ENOUGH && !complete; n++) {
            struct peer p;
            enum console_status status = CONSOLE_REFUSED;
            memory_fails_at(n);
            peer_open(&p);
            peer_say(&p, lines[i]);
            while (!p.over && !peer_has_answer(&p, &status))
                bench_run();
            bool failed = memory_failed();
            if (n < 0)
                memcpy(whole[i], p.text, sizeof(whole[i]));
            complete = n >= 0 && !failed;
            bool same = strcmp(p.text, whole[i]) == 0;
            ck_assert_msg(same || !complete, "%s: %s", lines[i], p.text);
            ck_assert_msg(same || p.len == 0 || status != CONSOLE_DONE, "allocation %ld: %s", n, p.text);
            peer_close(&p);
            expect_service();
        }
        ck_assert(complete);
    }
    teardown();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(requests_are_answered_in_their_order)                                                                            \
    X(a_request_may_come_octet_by_octet)                                                                               \
    X(a_client_that_sends_no_more_still_gets_its_answers)                                                              \
    X(lines_that_are_too_long_end_the_session_only)                                                                    \
    X(garbage_is_refused_and_harms_nobody)                                                                             \
    X(a_flood_of_requests_holds_up_nobody)                                                                             \
    X(a_large_answer_waits_for_its_reader_and_then_for_nobody)                                                         \
    X(a_client_that_goes_while_its_command_runs_harms_nobody)                                                          \
    X(sessions_are_limited_but_for_root)                                                                               \
    X(the_end_of_the_server_ends_sessions_with_commands_under_way)                                                     \
    X(root_ourselves_and_those_that_are_allowed_may_come_in)                                                           \
    X(names_that_nobody_has_let_nobody_in)                                                                             \
    X(the_socket_has_its_mode_and_a_dead_one_is_replaced)                                                              \
    X(what_is_no_socket_of_ours_is_left_alone)                                                                         \
    X(a_directory_where_everybody_writes_is_refused)                                                                   \
    X(modes_are_octal)                                                                                                 \
    X(without_memory_an_answer_is_whole_or_none_and_others_are_served)
#include "support/check_main.h"
