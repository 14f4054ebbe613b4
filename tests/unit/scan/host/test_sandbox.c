/* SPDX-License-Identifier: MIT */
/* What a worker may do with sockets in each profile, and what a program that it could start. Each case locks a child of
 * its own in and looks at its end. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/host/sandbox.h"
#include "sys/jail.h"

enum { DONE = 7, REFUSED = 8, NOT_JAILED = 9, STREAM = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

struct place {
    char dir[64], outer[64], also[80], elsewhere[80];
    uint16_t port, other_port;
    struct sockaddr_un local;
    int listeners[3];
};

static int outcome(long rc)
{
    return rc >= 0 || errno == EINPROGRESS ? DONE : errno == EACCES || errno == EPERM ? REFUSED : 100 + errno % 100;
}
static int tcp_connect(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return outcome(connect(socket(AF_INET, STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
}
static int to_its_port(const struct place *p)
{
    return tcp_connect(p->port);
}
static int to_another_port(const struct place *p)
{
    return tcp_connect(p->other_port);
}
static int to_a_unix_socket(const struct place *p)
{
    return outcome(connect(socket(AF_UNIX, STREAM, 0), (const struct sockaddr *)&p->local, sizeof(p->local)));
}
static int no_delay(const struct place *p)
{
    int on = 1;
    (void)p;
    return outcome(setsockopt(socket(AF_INET, STREAM, 0), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}
static int another_option(const struct place *p)
{
    int on = 1;
    (void)p;
    return outcome(setsockopt(socket(AF_INET, STREAM, 0), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
}
static int datagrams(const struct place *p)
{
    (void)p;
    return outcome(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}
static int multipath(const struct place *p)
{
    (void)p;
    return outcome(socket(AF_INET, STREAM, IPPROTO_MPTCP));
}
static int netlink(const struct place *p)
{
    (void)p;
    return outcome(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}
static int fast_open(const struct place *p)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(p->other_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, STREAM, 0);
    return outcome(sendto(s, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
}
static int control(unsigned long request)
{
    int value = 0;
    return outcome(ioctl(socket(AF_INET, STREAM, 0), request, &value));
}
static int octets_on_their_way(const struct place *p)
{
    (void)p;
    return control(SIOCOUTQ);
}
static int another_control(const struct place *p)
{
    (void)p;
    return control(SIOCATMARK);
}
static int do_bind(const struct place *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)p;
    return outcome(bind(socket(AF_INET, STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
}
static int do_listen(const struct place *p)
{
    (void)p;
    return outcome(listen(socket(AF_INET, STREAM, 0), 1));
}
static int do_accept(const struct place *p)
{
    (void)p;
    return outcome(accept(socket(AF_INET, STREAM, 0), NULL, NULL));
}
static int do_fork(const struct place *p)
{
    (void)p;
    return outcome(syscall(SYS_fork));
}

static int make_file(const char *dir)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/f", dir);
    return outcome(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) < 0 ? -1 : unlink(path));
}
static int file_in_its_directory(const struct place *p)
{
    return make_file(p->also);
}
static int file_beside_it(const struct place *p)
{
    return make_file(p->elsewhere);
}

/* As in support/scan_rig.h. */
static bool seccomp_lifted(const char *untested)
{
#ifdef POSTERN_SANDBOX_SWITCH
    const char *value = getenv("POSTERN_NO_SECCOMP");
    if (value && strcmp(value, "1") == 0) {
        fprintf(stderr, "SKIPPED, as POSTERN_NO_SECCOMP lifts seccomp: %s\n", untested);
        return true;
    }
#endif
    (void)untested;
    return false;
}

static int bound(int family, struct sockaddr *a, socklen_t len)
{
    int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(s >= 0 && bind(s, a, len) == 0 && listen(s, 8) == 0 && getsockname(s, a, &len) == 0);
    return s;
}

/* Wait status of a child that does DEED in the profile; VENDOR may be NULL. */
static int status_of(int (*deed)(const struct place *p), const struct place *p, bool net,
                     const struct sandbox_vendor *vendor)
{
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        struct sandbox_level level;
        struct errtext why;
        const char *also[] = {p->also};
        struct sandbox box = {.temp = p->dir,
                              .also = also,
                              .also_count = 1,
                              .net = net,
                              .vendor = vendor,
                              .ports = &p->port,
                              .port_count = 1};
        box.limits = (struct sandbox_limits){.memory = 1U << 30, .stack = 1U << 20, .temp = 1U << 20};
        _exit(sandbox_enter(&box, &level, &why) == ERR_OK && level.seccomp ? deed(p) : NOT_JAILED);
    }
    int status;
    ck_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

static void place_make(struct place *p)
{
    struct sockaddr_in known = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, other = known;
    *p = (struct place){
        .dir = "/tmp/postern-box-XXXXXX", .outer = "/tmp/postern-out-XXXXXX", .local = {.sun_family = AF_UNIX}};
    ck_assert(mkdtemp(p->dir) != NULL && mkdtemp(p->outer) != NULL);
    snprintf(p->also, sizeof(p->also), "%s/own", p->outer);
    snprintf(p->elsewhere, sizeof(p->elsewhere), "%s/other", p->outer);
    ck_assert(mkdir(p->also, 0700) == 0 && mkdir(p->elsewhere, 0700) == 0);
    snprintf(p->local.sun_path, sizeof(p->local.sun_path), "%s/s", p->dir);
    p->listeners[0] = bound(AF_INET, (struct sockaddr *)&known, sizeof(known));
    p->listeners[1] = bound(AF_INET, (struct sockaddr *)&other, sizeof(other));
    p->listeners[2] = bound(AF_UNIX, (struct sockaddr *)&p->local, sizeof(p->local));
    p->port = ntohs(known.sin_port);
    p->other_port = ntohs(other.sin_port);
}

static void place_remove(const struct place *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(p->listeners); i++)
        close(p->listeners[i]);
    ck_assert(unlink(p->local.sun_path) == 0 && rmdir(p->dir) == 0);
    ck_assert(rmdir(p->also) == 0 && rmdir(p->elsewhere) == 0 && rmdir(p->outer) == 0);
}

START_TEST(a_profile_decides_what_a_worker_may_do_with_sockets)
{
    enum { KILLED = -1 };
    static const struct {
        const char *what;
        int (*deed)(const struct place *p);
        int strict, net; /* exit status, or KILLED */
        int least_abi;
    } cases[] = {
        {"connect to its port", to_its_port, KILLED, DONE, 0},
        {"connect to another port", to_another_port, KILLED, REFUSED, 4},
        {"connect to a unix socket", to_a_unix_socket, KILLED, DONE, 0},
        {"TCP_NODELAY", no_delay, KILLED, DONE, 0},
        {"another option", another_option, KILLED, KILLED, 0},
        {"what of its octets has not arrived", octets_on_their_way, KILLED, DONE, 0},
        {"another control of a socket", another_control, KILLED, KILLED, 0},
        {"datagrams", datagrams, KILLED, KILLED, 0},
        {"multipath TCP", multipath, KILLED, KILLED, 0},
        {"netlink", netlink, KILLED, KILLED, 0},
        {"TCP fast open", fast_open, KILLED, KILLED, 0},
        {"bind", do_bind, KILLED, KILLED, 0},
        {"listen", do_listen, KILLED, KILLED, 0},
        {"accept", do_accept, KILLED, KILLED, 0},
        {"fork", do_fork, KILLED, KILLED, 0},
        {"a file in a directory of its own", file_in_its_directory, DONE, DONE, 0},
        {"a file beside it", file_beside_it, REFUSED, REFUSED, 1},
    };
    if (seccomp_lifted("sockets in the profiles"))
        return;
    struct place p;
    place_make(&p);
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool net = i % 2;
        int expected = net ? cases[i / 2].net : cases[i / 2].strict;
        if (jail_landlock_abi() < cases[i / 2].least_abi)
            continue;
        int status = status_of(cases[i / 2].deed, &p, net, NULL);
        bool as_expected = expected == KILLED ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                                              : WIFEXITED(status) && WEXITSTATUS(status) == expected;
        ck_assert_msg(as_expected, "%s in profile %s: status %x, expected %d", cases[i / 2].what,
                      net ? "net" : "strict", (unsigned)status, expected);
    }
    place_remove(&p);
}
END_TEST

static int plain_stream(const struct place *p)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(p->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    struct timeval t = {.tv_sec = 1};
    return outcome(
        connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}
static int code_of_its_own(const struct place *p)
{
    (void)p;
    return outcome(
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                               : 0);
}
static int read_elsewhere(const struct place *p)
{
    return outcome(open(p->elsewhere, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
static int program(const struct place *p)
{
    char name[] = "true", *const argv[] = {name, NULL};
    (void)p;
    return outcome(execve("/bin/true", argv, argv + 1));
}

/* Each row is allowed by one wish of a stanza and by none of the others. */
START_TEST(the_profile_vendor_adds_what_is_declared_and_nothing_else)
{
    enum { KILLED = -1, NOBODY = 99, TCP = 1, UNIX = 2, CODE = 3, READ = 4, WISHES = 5 };
    static const struct {
        const char *what;
        int (*deed)(const struct place *p);
        int wish, without; /* who may, and how it ends for the others */
        int least_abi;
    } cases[] = {
        {"connect to its port", to_its_port, TCP, KILLED, 0},
        {"connect in the plainest way", plain_stream, TCP, KILLED, 0},
        {"TCP_NODELAY", no_delay, TCP, KILLED, 0},
        {"connect to a unix socket", to_a_unix_socket, UNIX, KILLED, 0},
        {"code of its own", code_of_its_own, CODE, KILLED, 0},
        {"read elsewhere", read_elsewhere, READ, REFUSED, 1},
        {"write elsewhere", file_beside_it, NOBODY, REFUSED, 1},
        {"datagrams", datagrams, NOBODY, KILLED, 0},
        {"multipath TCP", multipath, NOBODY, KILLED, 0},
        {"another option", another_option, NOBODY, KILLED, 0},
        {"TCP fast open", fast_open, NOBODY, KILLED, 0},
        {"bind", do_bind, NOBODY, KILLED, 0},
        {"listen", do_listen, NOBODY, KILLED, 0},
        {"fork", do_fork, NOBODY, KILLED, 0},
        {"a program", program, NOBODY, KILLED, 0},
    };
    if (seccomp_lifted("the profile vendor"))
        return;
    struct place p;
    place_make(&p);
    const char *const read[] = {p.elsewhere};
    for (size_t i = 0; i < WISHES * ARRAY_SIZE(cases); i++) {
        const int wish = (int)(i % WISHES), c = (int)(i / WISHES);
        const struct sandbox_vendor vendor = {.tcp = wish == TCP,
                                              .unix_sockets = wish == UNIX,
                                              .executable_memory = wish == CODE,
                                              .read = read,
                                              .read_count = wish == READ};
        int expected = wish == cases[c].wish ? DONE : cases[c].without;
        if (jail_landlock_abi() < cases[c].least_abi)
            continue;
        int status = status_of(cases[c].deed, &p, false, &vendor);
        bool as_expected = expected == KILLED ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                                              : WIFEXITED(status) && WEXITSTATUS(status) == expected;
        ck_assert_msg(as_expected, "%s with wish %d: status %x, expected %d", cases[c].what, wish, (unsigned)status,
                      expected);
    }
    const struct sandbox_vendor tcp = {.tcp = true};
    if (jail_landlock_abi() >= 4)
        ck_assert_int_eq(WEXITSTATUS(status_of(to_another_port, &p, false, &tcp)), REFUSED);
    place_remove(&p);
}
END_TEST

START_TEST(what_a_vendor_may_read_must_be_there)
{
    struct sandbox_level level;
    struct errtext why;
    const char *const read[] = {"/nonexistent/vendor"};
    const struct sandbox_vendor vendor = {.read = read, .read_count = 1};
    struct sandbox box = {.temp = "/tmp", .vendor = &vendor};
    box.limits = (struct sandbox_limits){RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY};
    ck_assert(sandbox_enter(&box, &level, &why) != ERR_OK);
    ck_assert_str_eq(why.text, "allow_read /nonexistent/vendor: No such file or directory");
}
END_TEST

/* Deeds of a program in the profile exec; its own descriptor and another program's. */
struct program {
    int own, other;
    const char *temp, *definitions;
};
static int run(int fd, int flags)
{
    char name[] = "true", *const argv[] = {name, NULL}, *const envp[] = {NULL};
    execveat(fd, "", argv, envp, flags);
    return errno == EACCES ? REFUSED : 100;
}
static int itself(const struct program *p)
{
    return run(p->own, AT_EMPTY_PATH);
}
static int itself_with_other_flags(const struct program *p)
{
    return run(p->own, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}
static int another(const struct program *p)
{
    return run(p->other, AT_EMPTY_PATH);
}
static int another_in_its_place(const struct program *p)
{
    return dup3(p->other, p->own, O_CLOEXEC) < 0 ? 101 : run(p->own, AT_EMPTY_PATH);
}
static int by_path(const struct program *p)
{
    (void)p;
    char name[] = "true", *const argv[] = {name, NULL};
    execv("/bin/true", argv);
    return 102;
}
static int a_socket(const struct program *p)
{
    (void)p;
    return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int a_process(const struct program *p)
{
    (void)p;
    return outcome(syscall(SYS_fork));
}
static int no_more_death_with_its_parent(const struct program *p)
{
    (void)p;
    return outcome(prctl(PR_SET_PDEATHSIG, 0));
}
static int read_passwords(const struct program *p)
{
    (void)p;
    return outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}
static int read_definitions(const struct program *p)
{
    return outcome(open(p->definitions, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
static int write_definitions(const struct program *p)
{
    int dir = open(p->definitions, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return outcome(mkdirat(dir, "x", 0700));
}
static int write_temp(const struct program *p)
{
    int dir = open(p->temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return mkdirat(dir, "x", 0700) == 0 && unlinkat(dir, "x", AT_REMOVEDIR) == 0 ? DONE : 103;
}
static int strict_behind_it(const struct program *p)
{
    struct sandbox_level level;
    struct errtext why;
    struct sandbox box = {.temp = p->temp};
    box.limits = (struct sandbox_limits){RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY};
    if (sandbox_enter(&box, &level, &why) != ERR_OK || !level.seccomp)
        return NOT_JAILED;
    return open("/usr", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? DONE : 104;
}

static int exec_status(int (*deed)(const struct program *p), const struct program *p)
{
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        struct sandbox_level level;
        struct errtext why;
        struct sandbox_exec box = {.temp = p->temp, .definitions = p->definitions, .program = p->own};
        box.limits = (struct sandbox_limits){.memory = 1U << 30, .stack = 8U << 20, .temp = 1U << 20};
        _exit(sandbox_enter_exec(&box, &level, &why) == ERR_OK && level.seccomp ? deed(p) : NOT_JAILED);
    }
    int status;
    ck_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

START_TEST(the_profile_exec_lets_a_program_load_itself_and_nothing_else)
{
    enum { KILLED = -1, RAN = 0 };
    static const struct {
        const char *what;
        int (*deed)(const struct program *p);
        int expected, least_abi;
    } cases[] = {
        {"itself", itself, RAN, 0},
        {"itself, called otherwise", itself_with_other_flags, KILLED, 0},
        {"another program", another, KILLED, 0},
        {"another program in its place", another_in_its_place, REFUSED, 1},
        {"a program by its path", by_path, KILLED, 0},
        {"a socket", a_socket, KILLED, 0},
        {"a process", a_process, KILLED, 0},
        {"no more death with its parent", no_more_death_with_its_parent, KILLED, 0},
        {"read /etc/passwd", read_passwords, REFUSED, 1},
        {"read its definitions", read_definitions, DONE, 0},
        {"write among its definitions", write_definitions, REFUSED, 1},
        {"write in its directory", write_temp, DONE, 0},
        {"the strict cage behind itself", strict_behind_it, DONE, 1},
    };
    if (seccomp_lifted("the profile exec"))
        return;
    char temp[] = "/tmp/postern-box-XXXXXX", definitions[] = "/tmp/postern-box-XXXXXX";
    ck_assert(mkdtemp(temp) && mkdtemp(definitions));
    struct program p = {.own = open("/bin/true", O_PATH | O_CLOEXEC),
                        .other = open("/bin/false", O_PATH | O_CLOEXEC),
                        .temp = temp,
                        .definitions = definitions};
    ck_assert(p.own >= 0 && p.other >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (jail_landlock_abi() < cases[i].least_abi)
            continue;
        int status = exec_status(cases[i].deed, &p);
        bool as_expected = cases[i].expected == KILLED ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                                                       : WIFEXITED(status) && WEXITSTATUS(status) == cases[i].expected;
        ck_assert_msg(as_expected, "%s: status %x, expected %d", cases[i].what, (unsigned)status, cases[i].expected);
    }
    close(p.own);
    close(p.other);
    ck_assert(rmdir(temp) == 0 && rmdir(definitions) == 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_profile_decides_what_a_worker_may_do_with_sockets)                                                             \
    X(the_profile_vendor_adds_what_is_declared_and_nothing_else)                                                       \
    X(what_a_vendor_may_read_must_be_there)                                                                            \
    X(the_profile_exec_lets_a_program_load_itself_and_nothing_else)
#include "support/check_main.h"
