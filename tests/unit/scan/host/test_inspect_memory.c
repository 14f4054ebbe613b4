/* SPDX-License-Identifier: MIT */
/* Memory that runs out while a message is taken apart: trouble, while parts are gathered; a header that is told to be
 * cut, once they are. */
#include "scan/host/inspect.h"
#include "scan/parts.h"
#include "support/failing_memory.h"
#include <check.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUNDRED "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define LONG    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED /* more than a buffer holds at first */
static const char mail[] =
    "Subject: a test\r\nFrom: a@client.test\r\nX-One: 1\r\nX-Two: " LONG "\r\n"
    "Content-Type: multipart/mixed; boundary=b1\r\n\r\n"
    "--b1\r\nContent-Type: text/plain\r\n\r\nwords\r\n"
    "--b1\r\nContent-Transfer-Encoding: base64\r\n\r\nVGhlIHNlY3JldCBwYXlsb2FkIQ==\r\n--b1--\r\n";

/* What an inspection of the mail, in which the allocation FAILING fails, says; the values in its file, and whether
 * there are said to be more. */
struct outcome {
    bool good, more;
    struct scan_inspection inspection;
    struct verdict why;
    char values[2048];
};

static void read_values(int fd, struct outcome *o)
{
    struct parts_view view;
    struct parts_value value;
    size_t n = 0;
    void *map = mmap(NULL, o->inspection.size, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(parts_open(span_of(map, o->inspection.size), sizeof(mail) - 1, &view), ERR_OK);
    for (struct cursor at = cursor_of(view.value_rows); parts_next_value(&at, &value) && n < sizeof(o->values);)
        n += (size_t)snprintf(o->values + n, sizeof(o->values) - n, "%.*s=%.*s\n", SPAN_ARG(value.name),
                              SPAN_ARG(value.text));
    o->more = view.more_values;
    munmap(map, o->inspection.size);
}

static struct outcome inspect(struct inspector *inspector, long failing)
{
    struct outcome o = {0};
    struct scan_job job = {.size = sizeof(mail) - 1};
    int message = memfd_create("message", MFD_CLOEXEC), out = memfd_create("parts", MFD_CLOEXEC);
    ck_assert(message >= 0 && out >= 0 && write(message, mail, sizeof(mail) - 1) == (ssize_t)(sizeof(mail) - 1));
    memory_fails_at(failing);
    o.good = inspect_message(inspector, &job, message, out, &o.inspection, &o.why);
    memory_failed(); /* none fails any more */
    if (o.good)
        read_values(out, &o);
    close(message);
    close(out);
    return o;
}

START_TEST(trouble_with_the_header_is_no_trouble_with_the_message)
{
    struct inspector *inspector = inspector_new(); /* what libraries allocate once is allocated now */
    ck_assert_ptr_nonnull(inspector);
    struct outcome whole = inspect(inspector, -1);
    ck_assert(whole.good && !whole.more);
    ck_assert(!mime_defects_have(whole.inspection.defects, MIME_DEFECT_HEADER_CUT));
    ck_assert_str_eq(whole.values, "Subject=a test\nFrom=a@client.test\nX-One=1\nX-Two=" LONG "\n"
                                   "Content-Type=multipart/mixed; boundary=b1\n");
    unsigned troubles = 0, cuts = 0;
    for (long n = 0;; n++) {
        ck_assert_int_lt(n, 1000);
        struct outcome o = inspect(inspector, n);
        if (!o.good) {
            ck_assert_msg(cuts == 0, "trouble after the parts were gathered: %s", o.why.detail);
            ck_assert_int_eq(o.why.class, VERDICT_ERROR);
            ck_assert_int_eq(o.why.reason, VERDICT_REASON_MEMORY);
            troubles++;
            continue;
        }
        ck_assert_uint_eq(o.inspection.parts, whole.inspection.parts);
        ck_assert_uint_eq(o.inspection.contents, whole.inspection.contents);
        ck_assert_str_eq(o.inspection.limit, "");
        ck_assert_int_eq(mime_defects_have(o.inspection.defects, MIME_DEFECT_HEADER_CUT), o.more);
        ck_assert(strncmp(o.values, whole.values, strlen(o.values)) == 0);
        if (!o.more) {
            ck_assert_str_eq(o.values, whole.values);
            break;
        }
        cuts++;
    }
    ck_assert(troubles > 5 && cuts > 0);
    inspector_free(inspector);
}
END_TEST

#define CASES(X) X(trouble_with_the_header_is_no_trouble_with_the_message)
#include "support/check_main.h"
