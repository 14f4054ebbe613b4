/* SPDX-License-Identifier: MIT */
/* Transfer encodings, each with the variants in which decoders differ on odd input. Nothing is refused: what cannot be
 * decoded is passed over. */
#ifndef MIME_DECODE_H
#define MIME_DECODE_H

#include "base/buf.h"

/* What to make of padding that is not at the end, of characters that are none of base64's, and of the alphabet. */
enum mime_base64_mode {
    MIME_BASE64_STOP,    /* complete padding ends it (Python): the ordinary mode */
    MIME_BASE64_ACROSS,  /* each padding ends one stream, another follows (postal-mime, MIME-tools) */
    MIME_BASE64_IGNORE,  /* padding is not there (Node) */
    MIME_BASE64_ZERO,    /* padding inside counts as zero bits (GMime) */
    MIME_BASE64_RESTART, /* each '=' ends a group, whatever it has, and with it one stream (postal-mime) */
    MIME_BASE64_JUNK,    /* the first other character ends it */
    MIME_BASE64_LINES,   /* each line by itself */
    MIME_BASE64_URL,     /* '-' and '_' stand for '+' and '/' */
    MIME_BASE64_MODES
};
struct mime_base64 {
    size_t letters; /* of the alphabet */
    size_t junk;    /* neither that nor blanks nor line ends nor padding */
    size_t blanks;  /* inside lines: words have them */
    size_t url;     /* of these '-' and '_' */
    size_t pads;
    size_t after;   /* letters after padding */
    bool continues; /* … and they begin at once and look like more base64, not like a footer in words */
    bool uneven;    /* a line before the last has a length that is no multiple of four */
};
/* Appends to OUT; ERR_FULL (OUT's maximum), ERR_NOMEM: what fitted is there. */
enum err mime_base64_decode(struct span in, enum mime_base64_mode mode, struct buf *out) must_use;
/* Looks at the octets once, decodes nothing. */
void mime_base64_look(struct span in, struct mime_base64 *look);
/* By what was seen: lines of letters, complete, with what padding the end needs. All decoders make the same of it. */
bool mime_base64_is_plain(const struct mime_base64 *look);

enum mime_qp_mode {
    MIME_QP_TOLERANT, /* blanks between '=' and the line end, CRCRLF: soft breaks; other escapes stay as they are. The
                         ordinary mode */
    MIME_QP_PYTHON,   /* binascii.a2b_qp: "=\r" passes over all up to the next LF */
    MIME_QP_LITERAL,  /* only "=\n" and "=\r\n" are soft breaks (GMime) */
    MIME_QP_DROP,     /* the '=' of a wrong escape is dropped; blanks at line ends too */
    MIME_QP_MODES
};
struct mime_qp {
    size_t escapes; /* "=41" */
    size_t soft;    /* soft line breaks */
    size_t wrong;   /* '=' with something else behind it */
    size_t odd;     /* soft breaks with blanks or CRs in them */
    bool open;      /* the text ends with '=' and no line end behind it */
};
enum err mime_qp_decode(struct span in, enum mime_qp_mode mode, struct buf *out) must_use;
void mime_qp_look(struct span in, struct mime_qp *look);
/* By what was seen: escapes and soft breaks as they should be, no others. All decoders that keep blanks at line ends
 * make the same of it. */
bool mime_qp_is_plain(const struct mime_qp *look);

/* A file inside a text: uuencode ("begin 644 name"), yEnc ("=ybegin … name=…"), BinHex or a calendar's attachment. */
struct mime_inline {
    struct span name;
    size_t begin;  /* of its first line */
    size_t data;   /* of what is encoded */
    size_t end;    /* behind its last line, or the end of the text */
    size_t indent; /* so many blanks stand in front of each of its lines */
    bool base64;   /* of uuencode: "begin-base64" */
    bool cut;      /* it ends where another begins, or at an end in the wrong case or place: a reader may go on */
    bool odd;      /* of uuencode: lines that are words to one reader and data to another */
    bool words;    /* of uuencode: lines that begin with a length and go on with what is no data */
    bool xx;       /* of uuencode: all lines may be xxencode as well */
};
/* Which kinds there may be in TEXT: a quick look. */
enum { MIME_INLINE_UUENCODE = 1, MIME_INLINE_YENC = 2, MIME_INLINE_CALENDAR = 4, MIME_INLINE_BINHEX = 8 };
unsigned mime_inline_look(struct span text);
/* The next one at or after FROM, which is the begin of a line; false: there is none. Its first and last line may be in
 * any case, and all of it indented, as text is that was quoted or listed. */
bool mime_uuencode_find(struct span text, size_t from, struct mime_inline *found);
/* The same where uuencode is declared: whatever follows "begin", some reader takes it for one, and most pass over what
 * they do not like. Begins may follow each other, so look again from found->data. */
bool mime_uuencode_find_any(struct span text, size_t from, struct mime_inline *found);
/* All of TEXT as data without a first line. */
void mime_uuencode_all(struct span text, struct mime_inline *found);
bool mime_yenc_find(struct span text, size_t from, struct mime_inline *found);
/* TEXT with its folds undone: a line end and the blank behind it; other line ends are LF. */
enum err mime_unfold(struct span text, struct buf *out) must_use;
/* An attachment inside a calendar's entry (RFC 5545, 3.8.1.1), in base64 over folded lines. */
bool mime_calendar_find(struct span text, size_t from, struct mime_inline *found);
/* Where it ends for a reader that goes on to a line "end", or "=yend", as it must be written, whatever is between. */
size_t mime_uuencode_end(struct span text, const struct mime_inline *found);
size_t mime_yenc_end(struct span text, const struct mime_inline *found);
/* Appends DATA, which is text[data, end), with at most INDENT blanks less at the begin of each line. */
enum err mime_unindent(struct span data, size_t indent, struct buf *out) must_use;
enum mime_uuencode_mode {
    MIME_UUENCODE_LENGTHS, /* lines that begin with no length are words between: the ordinary mode */
    MIME_UUENCODE_EVERY,   /* every line counts (Python and GMime take the lowest six bits) */
    MIME_UUENCODE_CLEAN,   /* so are lines that hold anything but data */
    MIME_UUENCODE_XX,      /* another alphabet, xxencode */
    MIME_UUENCODE_MODES
};
/* The same DATA, or what that gives, up to a line "end" that begins with no blank. */
enum err mime_uuencode_decode(struct span data, enum mime_uuencode_mode mode, struct buf *out) must_use;
enum err mime_yenc_decode(struct span data, struct buf *out) must_use;

/* BinHex 4.0. Whether S, from the begin of a line, is a colon and then data, at least of a header: words are not. */
bool mime_binhex_begins(struct span s);
/* The next file at or after FROM, the begin of a line, whatever is said of it in front. */
bool mime_binhex_find(struct span text, size_t from, struct mime_inline *found);
/* The same behind the words that programs write in front, from the first colon on, whatever follows. */
#define MIME_BINHEX_MARK "(This file must be conv"
bool mime_binhex_find_marked(struct span text, size_t from, struct mime_inline *found);
/* *name points into OUT's beginning, where the header is decoded to; *fork, the data, too. */
enum err mime_binhex_decode(struct span data, struct buf *out, struct span *name, struct span *fork) must_use;

#endif
