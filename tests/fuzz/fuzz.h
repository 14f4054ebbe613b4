/* SPDX-License-Identifier: MIT */
/* What every fuzz target is made of. A target is one file FOLDER/fuzz_NAME.c that links its folder's own CMake target
 * and nothing that stands in for another part. It has two functions: LLVMFuzzerTestOneInput() aborts when one of its
 * promises does not hold, fuzz_target_words() tells the words of its language out of the program's own tables.
 *
 * replay.c is a main() without libFuzzer: it plays files through the target (ctest plays the corpora), or prints the
 * dictionary. tests/fuzz/run fuzzes.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void fuzz_word(struct span word);
void fuzz_target_words(fuzz_word *word);

/* Ends the program, as a crash that libFuzzer keeps the input of, when WHAT does not hold. */
#define FUZZ_REQUIRE(what)                                                                                             \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* As FUZZ_REQUIRE for two spans that must be the same; shows both. */
#define FUZZ_REQUIRE_SAME(a, b) fuzz_require_same((a), (b), __FILE__, __LINE__, #a " is " #b)
static inline void fuzz_require_same(struct span a, struct span b, const char *file, int line, const char *what)
{
    if (span_eq(a, b))
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n---- first:\n%.*s\n---- second:\n%.*s\n", file, line, what, SPAN_ARG(a),
            SPAN_ARG(b));
    abort();
}

/* Inputs of stateful targets begin with eight octets: one of options, seven that say how the rest is cut. Seeds use
 * printable ones, so that they can be written with an editor. */
enum { FUZZ_CUTS = 7, FUZZ_HEAD = 1 + FUZZ_CUTS };
struct fuzz_head {
    unsigned options;
    unsigned char cuts[FUZZ_CUTS];
};

/* All in one piece. */
static const struct fuzz_head fuzz_whole = {.cuts = {255, 255, 255, 255, 255, 255, 255}};

/* False: the input is too short to have a head. */
static inline bool fuzz_head_take(struct fuzz_head *head, const uint8_t *data, size_t size, struct span *rest)
{
    if (size < FUZZ_HEAD)
        return false;
    head->options = data[0];
    memcpy(head->cuts, data + 1, FUZZ_CUTS);
    *rest = span_of(data + FUZZ_HEAD, size - FUZZ_HEAD);
    return true;
}

/* The pieces of an input, one after the other: 1 to 32 octets each, sometimes all that is left. */
struct fuzz_pieces {
    const struct fuzz_head *head;
    unsigned at;
    struct span rest;
};
static inline struct fuzz_pieces fuzz_pieces_of(const struct fuzz_head *head, struct span bytes)
{
    return (struct fuzz_pieces){.head = head, .rest = bytes};
}
static inline struct span fuzz_piece_next(struct fuzz_pieces *p)
{
    unsigned cut = p->head->cuts[p->at++ % FUZZ_CUTS];
    struct span piece = span_sub(p->rest, 0, cut >= 0xe0 ? p->rest.len : cut % 32 + 1);
    p->rest = span_sub(p->rest, piece.len, p->rest.len);
    return piece;
}

/* Append to a buffer that is large enough by construction. */
static inline void fuzz_put(struct buf *b, struct span s)
{
    FUZZ_REQUIRE(buf_append(b, s) == ERR_OK);
}
static inline void fuzz_note(struct buf *b, const char *format, ...) printf_like(2, 3);
static inline void fuzz_note(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    FUZZ_REQUIRE(buf_vprintf(b, format, args) == ERR_OK);
    va_end(args);
}

#endif
