/* SPDX-License-Identifier: MIT */
/* Owned bytes that grow up to a maximum stated at birth. Bytes are added at the end and consumed from the front. An
 * idle buffer can give its memory back (buf_trim). A buffer with buf_init only holds no memory yet. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/span.h"
#include <stdarg.h>

struct buf {
    char *data;      /* NULL while nothing is held */
    size_t start;    /* first byte not yet consumed */
    size_t end;      /* past the last byte */
    size_t capacity; /* bytes at data */
    size_t max;      /* bound on the unconsumed bytes */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}
/* How many more bytes may be added before the maximum. */
static inline size_t buf_room(const struct buf *b)
{
    return b->max - buf_len(b);
}
/* The unconsumed bytes; valid until the next call that changes B. */
static inline struct span buf_span(const struct buf *b)
{
    return span_of(b->start > 0 ? b->data + b->start : b->data, buf_len(b));
}

/* All or nothing: ERR_FULL when S does not fit the maximum, ERR_NOMEM. S must not lie inside B. */
enum err buf_append(struct buf *b, struct span s) must_use;
enum err buf_append_char(struct buf *b, char c) must_use;
enum err buf_printf(struct buf *b, const char *format, ...) must_use printf_like(2, 3);
enum err buf_vprintf(struct buf *b, const char *format, va_list args) must_use printf_like(2, 0);

/* Room for WANTED bytes (or as many as the maximum leaves, at least one) for a writer such as read(2): *room receives
 * the writable bytes; buf_commit says how many were written. ERR_FULL when there is no room at all. */
enum err buf_reserve(struct buf *b, size_t wanted, char **where, size_t *room) must_use;
void buf_commit(struct buf *b, size_t written);

/* Moves octets from the front of FROM behind those of TO, as many as TO's maximum takes; *moved: how many. Where TO is
 * empty and takes all, it takes over the memory that holds them, and nothing is copied. FROM gives back what memory it
 * does not need. ERR_NOMEM: nothing was moved. */
enum err buf_pour(struct buf *to, struct buf *from, size_t *moved) must_use;

void buf_consume(struct buf *b, size_t len);
void buf_clear(struct buf *b);
/* Gives the memory of an empty buffer back. */
void buf_trim(struct buf *b);

#endif
