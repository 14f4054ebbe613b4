/* SPDX-License-Identifier: MIT */
/* Memory that runs out at any allocation: the splitter says so, keeps nothing, and never hands out less without a word.
 * And what asks for memory again and again. */
#include "unit/mime/split_rig.h"
#include "unit/smtp/must.h"

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
static long allocations_left = -1; /* until one fails; negative: none does */
static unsigned long allocations;  /* that were asked for */

static bool allocation_fails(void)
{
    allocations++;
    return allocations_left >= 0 && allocations_left-- == 0;
}
void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(old, size);
}

static const char message[] = "Content-Type: multipart/mixed; boundary*0=b; boundary*1=1\r\n\r\n"
                              "--b1\r\nContent-Type: message/rfc822; name=x\r\nContent-Transfer-Encoding: "
                              "base64\r\n\r\nQTogYg0KDQpUaGUgc2VjcmV0IHBheWxvYWQh\r\n"
                              "--b1 x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=62= \r\nc\r\n"
                              "--b1\r\n\r\nbegin 644 a.txt\r\n#86)C\r\nend\r\n"
                              "--b1\r\nContent-Type: text/plain; charset=utf-16le\r\n\r\na\0b\0\r\n"
                              "--b1\r\nContent-Type: text/plain; charset=utf-7\r\n\r\na+AGI-c\r\n"
                              "--b1\r\nContent-Type: text/plain; charset=hz\r\n\r\na~{~}b\r\n"
                              "--b1--\r\n";

static enum err count_part(void *arg, const struct mime_part *part)
{
    unsigned *parts = arg;
    *parts += part->octets.len > 0;
    return ERR_OK;
}

static enum err split(unsigned *parts)
{
    struct span all = span_of(message, sizeof(message) - 1);
    struct mime_limits limits = mime_limits_for(all.len);
    struct mime_report report;
    *parts = 0;
    return mime_split(all, &limits, count_part, parts, &report);
}

START_TEST(any_allocation_that_fails_is_reported)
{
    unsigned whole, parts;
    ck_assert_int_eq(split(&whole), ERR_OK);
    MUST(whole > 8);
    enum err e = ERR_NOMEM;
    long n = 0;
    for (; e == ERR_NOMEM; n++) {
        MUST(n < 10000);
        allocations_left = n;
        e = split(&parts);
        MUST(e == ERR_OK || e == ERR_NOMEM);
        MUST(e == ERR_NOMEM || (allocations_left >= 0 && parts == whole));
        allocations_left = -1;
    }
    MUST(n > 30);
}
END_TEST

/* How often the splitter asks for memory for a message in TNEF with COUNT attachments in which there is nothing. */
static unsigned long allocations_for(unsigned count)
{
    static const char head[] = "Content-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\1\0";
    static const char empty[] = "\2\x0f\x80\6\0\0\0\0\0\0"; /* its data: none */
    struct mime_report report;
    struct buf bomb;
    unsigned parts = 0;
    buf_init(&bomb, 1 << 20);
    MUST(buf_append(&bomb, span_of(head, sizeof(head) - 1)) == ERR_OK);
    for (unsigned i = 0; i < count; i++)
        MUST(buf_append(&bomb, span_of(empty, sizeof(empty))) == ERR_OK);
    struct mime_limits limits = mime_limits_for(buf_len(&bomb));
    unsigned long before = allocations;
    ck_assert_int_eq(mime_split(buf_span(&bomb), &limits, count_part, &parts, &report), ERR_OK);
    MUST(parts > 0); /* the body itself */
    buf_release(&bomb);
    return allocations - before;
}

/* B.5: nothing is handed out for it, so no limit of parts or octets would end it. */
START_TEST(empty_attachments_cost_no_memory_each)
{
    MUST(allocations_for(4000) < allocations_for(40) + 200);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(any_allocation_that_fails_is_reported)                                                                           \
    X(empty_attachments_cost_no_memory_each)
#include "support/check_main.h"
