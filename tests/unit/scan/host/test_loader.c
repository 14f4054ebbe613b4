/* SPDX-License-Identifier: MIT */
/* What loading a new generation leaves to the one that serves: in a child that is a session of its own, as a scan host
 * is. */
#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/host/broker.h"
#include "scan/host/loader.h"
#include "sys/autogroup.h"

enum { NOT_LOOKED = -2 };

static int found; /* by the loading thread */

/* The nice value of this process's session; -1: the kernel has none. */
static int session_nice(void)
{
    char text[64] = "";
    int nice = -1, fd = open("/proc/self/autogroup", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *word = n > 0 ? strstr(text, " nice ") : NULL;
    return word && sscanf(word, " nice %d", &nice) == 1 ? nice : -1;
}

static void look_around(struct broker *b)
{
    (void)b;
    found = session_nice();
}

/* Exit status: 0 when the session's value was WANTED while it loaded and is 0 afterwards; or the session has none. */
static int load(bool replaces, int wanted)
{
    static struct framework fw;
    static const struct framework_pool pool = {.name = "CPU"};
    static struct broker b;
    bool groups = session_nice() >= 0;
    struct scan_host_options o = {.framework = &fw, .replaces = replaces, .session = autogroup_open()};
    b.options = &o;
    b.pool = &pool;
    found = NOT_LOOKED;
    loader_run(&b, look_around);
    if (!groups)
        return found < 0 && found != NOT_LOOKED ? 0 : 1;
    return found != wanted ? 2 : session_nice() != 0 ? 3 : 0;
}

/* The runner itself may stand in a session that has no value (the first one of a container): only the child asks. */
static int in_a_session(bool replaces, int wanted)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(setsid() < 0 ? 4 : load(replaces, wanted));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_generation_that_replaces_another_gives_way_while_it_loads_and_only_then)
{
    ck_assert_int_eq(in_a_session(true, 19), 0);
    ck_assert_int_eq(in_a_session(false, 0), 0); /* nobody serves beside it */
}
END_TEST

static void note_lines(void *arg, enum log_level level, struct span line)
{
    (void)level;
    ck_assert_int_eq(buf_append(arg, line), ERR_OK);
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* What was written to SESSION, which belongs to no kernel's group, and logged. What only loading needs is open no
 * longer: the generation may serve for months. */
static void load_with(bool replaces, int session, struct buf *lines)
{
    static struct framework fw;
    static const struct framework_pool pool = {.name = "CPU"};
    static struct broker b;
    struct log log = {.write = note_lines, .wallclock_ms = no_clock, .arg = lines, .min_level = LOG_LEVEL_DEBUG};
    struct scan_host_options o = {.framework = &fw, .replaces = replaces, .session = session};
    b.options = &o;
    b.pool = &pool;
    b.log = &log;
    found = NOT_LOOKED;
    buf_init(lines, 4096);
    loader_run(&b, look_around);
    ck_assert_int_ne(found, NOT_LOOKED);
    ck_assert_int_eq(fcntl(session, F_GETFD) < 0, replaces);
}

START_TEST(giving_way_is_taken_back_where_it_was_given)
{
    for (int replaces = 0; replaces < 2; replaces++) {
        char written[16] = "";
        struct buf lines;
        int file = memfd_create("session", MFD_CLOEXEC), session = fcntl(file, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_ge(session, 0);
        load_with(replaces != 0, session, &lines);
        ck_assert_int_ge(pread(file, written, sizeof(written) - 1, 0), 0);
        ck_assert_str_eq(written, replaces ? "190" : "");
        ck_assert_uint_eq(buf_len(&lines), 0);
        buf_release(&lines);
        close(file);
        if (!replaces)
            close(session);
    }
}
END_TEST

/* A host that could not take it back would have to end; this one has nothing to take back. */
START_TEST(a_host_that_may_not_give_way_says_so_and_loads_all_the_same)
{
    struct buf lines;
    int session = open("/dev/full", O_WRONLY | O_CLOEXEC); /* refuses whatever is written */
    ck_assert_int_ge(session, 0);
    load_with(true, session, &lines);
    struct span text = buf_span(&lines);
    ck_assert_uint_lt(span_find_span(text, SPAN("loading cannot give way to scanning")), text.len);
    ck_assert_uint_eq(span_find_span(text, SPAN("have its share of the processors back")), text.len);
    buf_release(&lines);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_generation_that_replaces_another_gives_way_while_it_loads_and_only_then)                                       \
    X(giving_way_is_taken_back_where_it_was_given)                                                                     \
    X(a_host_that_may_not_give_way_says_so_and_loads_all_the_same)
#include "support/check_main.h"
