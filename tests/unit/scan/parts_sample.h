/* SPDX-License-Identifier: MIT */
/* For tests of this folder: a parts file with contents as the test wants them. */
#ifndef SCAN_PARTS_SAMPLE_H
#define SCAN_PARTS_SAMPLE_H

#include "scan/parts.h"
#include <check.h>

struct sample_part {
    const char *path, *octets;
    uint8_t digest; /* each octet of it */
};

/* Into OUT, which is released by the caller. */
static inline void parts_sample(const struct sample_part *parts, size_t count, struct buf *out)
{
    unsigned char head[PARTS_HEAD];
    uint64_t end = PARTS_HEAD;
    buf_init(out, 1 << 20);
    for (size_t i = 0; i < count; i++)
        end += strlen(parts[i].octets);
    parts_head((uint32_t)count, 0, 0, end, head);
    ck_assert_int_eq(buf_append(out, span_of(head, sizeof(head))), ERR_OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(buf_append(out, span_cstr(parts[i].octets)), ERR_OK);
    end = PARTS_HEAD;
    for (size_t i = 0; i < count; i++) {
        struct parts_content c = {.offset = end, .size = strlen(parts[i].octets)};
        memset(c.digest, parts[i].digest, sizeof(c.digest));
        snprintf(c.path, sizeof(c.path), "%s", parts[i].path);
        ck_assert_int_eq(parts_put_content(out, &c), ERR_OK);
        end += c.size;
    }
    ck_assert_int_eq(parts_put_end(out, false), ERR_OK);
}

#endif
