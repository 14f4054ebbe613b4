/* SPDX-License-Identifier: MIT */
/* Values of structure headers as tolerant readers see them: type, encoding, parameters. A value is raw: folds (CR, LF
 * and what follows) are blanks. */
#ifndef MIME_FIELD_H
#define MIME_FIELD_H

#include "base/limits.h"
#include "mime/mime.h"

/* CR, LF, blank, tab. */
static inline bool mime_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
struct span mime_trim(struct span s); /* without these at both ends */
/* C in lower case, '?' for what is not printable. */
static inline char mime_shown(char c)
{
    if (!char_is_print(c))
        return '?';
    return char_lower(c);
}

/* WORD in any case somewhere in S. */
bool mime_mentions(struct span s, struct span word);

struct mime_type {
    char text[96];        /* "main/sub", lower case, printable ASCII, cut */
    bool multipart;       /* main is multipart, however the rest looks */
    bool message;         /* main is message */
    bool encapsulates;    /* message/rfc822, global or news */
    bool digest;          /* multipart/digest: its children are messages by default */
    bool doubtful;        /* another reader may see another main type */
    bool given;           /* there was a value */
    mime_defects defects; /* odd octets, several types, and mime_type_verdicts */
};
/* What a type alone may say against a body: that it is not in the message, or not for everybody to see. */
static inline mime_defects mime_type_verdicts(void)
{
    return mime_defect_bit(MIME_DEFECT_PARTIAL) | mime_defect_bit(MIME_DEFECT_EXTERNAL_BODY) |
           mime_defect_bit(MIME_DEFECT_ENCRYPTED_PGP);
}
/* TEXT may be empty: text/plain. */
void mime_type_parse(struct span value, struct mime_type *type);

/* VALUE with its words of RFC 2047 decoded, as some readers do first; false: there are none, or what they say is no
 * multipart and no message. Nothing is doubtful about it then, but that there are words. foreign.c */
bool mime_type_in_words(struct span value, struct mime_type *type);

/* Whether VALUE, a Content-Type, is written so that readers agree on it: a type, and parameters that are tokens or
 * plain quoted strings, at most one of them a boundary (*boundary, else empty). */
bool mime_type_is_plain(struct span value, struct span *boundary);

struct mime_encodings {
    unsigned set; /* bits 1 << enum mime_encoding of all that are named, inside other words, too */
    enum mime_encoding first;
    bool exact; /* exactly one known word and nothing else */
    mime_defects defects;
};
void mime_encodings_parse(struct span value, struct mime_encodings *e);

/* One parameter as it stands. */
struct mime_parameter {
    struct span name;    /* without '*' and section */
    struct span written; /* the same, also where a comment stands in front, and a name therefore is empty */
    struct span raw;     /* all up to the semicolon, trimmed */
    struct span value;   /* inside its quotes, or up to the first blank */
    bool escaped;        /* value has backslashes */
    bool odd;            /* raw is more than value and its quotes: readers differ */
    bool extended;       /* "name*=", "name*0*=": percent-encoded */
    int section;         /* of "name*0=", -1: none */
};
struct mime_parameters {
    unsigned count;
    bool more; /* there are more than LIMIT_MIME_PARAMETERS */
    struct mime_parameter items[LIMIT_MIME_PARAMETERS];
};
/* All "name=value" of VALUE between semicolons, be it where a type or disposition belongs ("Content-Disposition:
 * filename=a"): many readers take that. Spans point into VALUE. */
void mime_parameters_parse(struct span value, struct mime_parameters *p);
/* The plain parameter NAME: the first one, or the last; NULL: there is none. *differ: there are several with different
 * values. */
const struct mime_parameter *mime_parameter_get(const struct mime_parameters *p, struct span name, bool last,
                                                bool *differ);
/* The value of NAME put together by RFC 2231 (segments in their order, percent decoded) into OUT, at most SIZE; false:
 * no such form. *charset: the part before the first quote, pointing into the message; *len: what was written. Of a name
 * that is plain only, there is no such form. */
bool mime_parameter_extended(const struct mime_parameters *p, struct span name, char *out, size_t size, size_t *len,
                             struct span *charset);
/* The same of its segments alone, up to the first that is missing, and of each no more than a token (TOKENS); how many
 * octets. */
size_t mime_parameter_segments(const struct mime_parameters *p, struct span name, bool tokens, char *out, size_t size);
/* VALUE up to the first character that a token must not have (RFC 2045), or that is the star of RFC 2231. */
struct span mime_token_of(struct span value);
/* S with its percent signs undone (RFC 2231), at most SIZE octets; how many. */
size_t mime_percent_decode(struct span s, char *out, size_t size);
/* VALUE with its backslashes undone, at most SIZE octets; how many. */
size_t mime_unescape(struct span value, char *out, size_t size);

#endif
