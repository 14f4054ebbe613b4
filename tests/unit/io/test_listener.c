/* SPDX-License-Identifier: MIT */
/* Listening and accepting on loopback. */
#include "io/deadline.h"
#include "io/listener.h"
#include "sys/clock.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { GUARD_MS = 20000 };

struct bench {
    struct loop *loop;
    struct deadline guard;
    int fd;
    struct addr address; /* where it listens */
    unsigned accepted, shortages, wanted;
    int last_error;
    char peer[ADDR_TEXT];
};

static void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("nothing was accepted");
}

static void accepted(void *arg, int fd, const struct addr *peer)
{
    struct bench *b = arg;
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    addr_format_host(peer, b->peer);
    close(fd);
    if (++b->accepted == b->wanted)
        loop_stop(b->loop);
}

static void shortage(void *arg, int error)
{
    struct bench *b = arg;
    b->shortages++;
    b->last_error = error;
    loop_stop(b->loop);
}

/* Listens at TEXT; a TCP port is one that was free a moment ago. */
static int listen_at(struct bench *b, const char *text)
{
    struct errtext why;
    ck_assert_msg(addr_parse(span_cstr(text), 0, &b->address, &why) == ERR_OK, "%s", why.text);
    int fd = listener_open(&b->address, 20, &why);
    ck_assert_msg(fd >= 0, "%s", why.text);
    return fd;
}

static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)(void *)&a, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void setup(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .fd = -1};
    deadline_init(&b->guard, b->loop, hung, b);
    deadline_set_ms(&b->guard, GUARD_MS);
}

static void teardown(struct bench *b)
{
    deadline_clear(&b->guard);
    loop_free(b->loop);
    close(b->fd);
}

/* A client's connected socket to the literal HOST at PORT. */
static int client(const char *host, unsigned port)
{
    struct addr a;
    struct errtext why;
    char text[64];
    snprintf(text, sizeof(text), "%s:%u", host, port);
    ck_assert_int_eq(addr_parse(span_cstr(text), 0, &a, &why), ERR_OK);
    int fd = socket(a.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(connect(fd, (struct sockaddr *)(void *)&a.storage, a.len) == 0, "%s: %s", text, strerror(errno));
    return fd;
}

static bool have_ipv6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)(void *)&a, sizeof(a)) == 0;
    if (fd >= 0)
        close(fd);
    if (!have)
        fprintf(stderr, "this machine has no IPv6 loopback: its part is passed over\n");
    return have;
}

START_TEST(connections_are_accepted_with_the_address_of_the_peer)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", ""}, *const peers[] = {"127.0.0.1", "::1", "127.0.0.1"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct bench b;
        char text[64];
        if (hosts[i][0] == '[' && !have_ipv6())
            continue;
        setup(&b);
        unsigned port = free_port();
        snprintf(text, sizeof(text), "%s:%u", hosts[i], port);
        b.fd = listen_at(&b, text);
        struct listener *l = listener_new(b.loop, b.fd, accepted, shortage, &b);
        b.wanted = 3;
        int fds[3];
        for (size_t k = 0; k < ARRAY_SIZE(fds); k++)
            fds[k] = client(*hosts[i] ? hosts[i] : "127.0.0.1", port);
        loop_run(b.loop);
        ck_assert_uint_eq(b.accepted, 3);
        ck_assert_str_eq(b.peer, peers[i]); /* plain IPv4 also through the socket of both families */
        if (!*hosts[i] && have_ipv6()) {
            b.wanted = 4;
            close(client("[::1]", port));
            loop_run(b.loop);
            ck_assert_str_eq(b.peer, "::1");
        }
        for (size_t k = 0; k < ARRAY_SIZE(fds); k++)
            close(fds[k]);
        listener_free(l);
        teardown(&b);
    }
}
END_TEST

START_TEST(an_ipv6_listener_leaves_ipv4_to_others)
{
    struct bench b;
    char text[64];
    if (!have_ipv6())
        return;
    setup(&b);
    unsigned port = free_port();
    snprintf(text, sizeof(text), "[::]:%u", port);
    b.fd = listen_at(&b, text);
    snprintf(text, sizeof(text), "0.0.0.0:%u", port);
    int other = listen_at(&b, text);
    close(other);
    teardown(&b);
}
END_TEST

START_TEST(a_taken_address_is_reported)
{
    struct bench b;
    struct errtext why = {""};
    char text[64];
    setup(&b);
    snprintf(text, sizeof(text), "127.0.0.1:%u", free_port());
    b.fd = listen_at(&b, text);
    ck_assert_int_eq(listener_open(&b.address, 5, &why), -1);
    ck_assert_ptr_nonnull(strstr(why.text, text));
    ck_assert_ptr_nonnull(strstr(why.text, "Address already in use"));
    teardown(&b);
}
END_TEST

START_TEST(several_listeners_share_one_descriptor)
{
    struct bench b;
    char text[64];
    int fds[6];
    setup(&b);
    unsigned port = free_port();
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    b.fd = listen_at(&b, text);
    int copy = fcntl(b.fd, F_DUPFD_CLOEXEC, 0); /* libev knows one watcher set per number: as another loop's would be */
    struct listener *one = listener_new(b.loop, b.fd, accepted, shortage, &b);
    struct listener *two = listener_new(b.loop, copy, accepted, shortage, &b);
    b.wanted = ARRAY_SIZE(fds);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = client("127.0.0.1", port);
    loop_run(b.loop); /* an odd one out finds nothing, which is no error */
    ck_assert_uint_eq(b.shortages, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    listener_free(one);
    listener_free(two);
    close(copy);
    teardown(&b);
}
END_TEST

static void end_turn(void *arg)
{
    struct bench *b = arg;
    loop_stop(b->loop);
}

START_TEST(a_paused_listener_accepts_nothing_until_it_goes_on)
{
    struct bench b;
    struct loop_deferred end;
    char text[64];
    setup(&b);
    unsigned port = free_port();
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    b.fd = listen_at(&b, text);
    struct listener *l = listener_new(b.loop, b.fd, accepted, shortage, &b);
    listener_pause(l, true);
    b.wanted = 1;
    int fd = client("127.0.0.1", port);
    loop_deferred_init(&end, end_turn, &b);
    for (int i = 0; i < 3; i++) {
        loop_defer(b.loop, &end);
        loop_run(b.loop);
    }
    ck_assert_uint_eq(b.accepted, 0);
    listener_pause(l, false);
    loop_run(b.loop);
    ck_assert_uint_eq(b.accepted, 1);
    close(fd);
    listener_free(l);
    teardown(&b);
}
END_TEST

START_TEST(without_descriptors_accepting_pauses_instead_of_spinning)
{
    struct bench b;
    char text[64];
    struct rlimit old, none = {0};
    setup(&b);
    unsigned port = free_port();
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    b.fd = listen_at(&b, text);
    struct listener *l = listener_new(b.loop, b.fd, accepted, shortage, &b);
    int fd = client("127.0.0.1", port);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    b.wanted = 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t begin = clock_monotonic_us();
    loop_run(b.loop); /* each shortage stops the loop */
    loop_run(b.loop);
    uint64_t between = clock_monotonic_us() - begin;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(b.last_error, EMFILE);
    ck_assert_uint_eq(b.shortages, 2);
    ck_assert_uint_ge(between, 90000);
    loop_run(b.loop); /* and it goes on by itself when there are some again */
    ck_assert_uint_eq(b.accepted, 1);
    ck_assert_uint_eq(b.shortages, 2);
    close(fd);
    listener_free(l);
    teardown(&b);
}
END_TEST

START_TEST(a_unix_socket_left_by_a_dead_process_is_replaced_and_a_live_one_is_not)
{
    struct bench b;
    struct errtext why = {""};
    char dir[] = "/tmp/postern-test-XXXXXX", path[64];
    setup(&b);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.sock", dir);
    int dead = listen_at(&b, path);
    close(dead); /* the file stays */
    b.fd = listen_at(&b, path);
    ck_assert_int_eq(listener_open(&b.address, 5, &why), -1);
    ck_assert_ptr_nonnull(strstr(why.text, "Address already in use"));
    /* a file that is no socket is not touched */
    unlink(path);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(listener_open(&b.address, 5, &why), -1);
    ck_assert_int_eq(access(path, F_OK), 0);
    close(file);
    unlink(path);
    rmdir(dir);
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(connections_are_accepted_with_the_address_of_the_peer)                                                           \
    X(an_ipv6_listener_leaves_ipv4_to_others)                                                                          \
    X(a_taken_address_is_reported)                                                                                     \
    X(several_listeners_share_one_descriptor)                                                                          \
    X(a_paused_listener_accepts_nothing_until_it_goes_on)                                                              \
    X(without_descriptors_accepting_pauses_instead_of_spinning)                                                        \
    X(a_unix_socket_left_by_a_dead_process_is_replaced_and_a_live_one_is_not)
#include "support/check_main.h"
