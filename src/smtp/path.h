/* SPDX-License-Identifier: MIT */
/* Reverse-paths and forward-paths (RFC 5321 4.1.2), and the argument of EHLO and HELO. Syntax only; what is let through
 * may be put on a command line to a backend as it is. More is accepted than the RFC writes where real addresses need
 * it: underscores in domains, local parts with dots in any place or longer than 64 octets, and a local part without a
 * domain: what "<root>" or "<postmaster>" means, the MTA behind us decides. */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/cursor.h"

struct smtp_path {
    struct span whole;   /* as written, with < > */
    struct span mailbox; /* without < > and source route; empty: the null reverse-path */
    struct span domain;  /* of the mailbox; empty: none */
    bool routed;         /* had a source route: `whole` must not be relayed */
};

/* Reads a path at C; what follows it is left there. False: not a path. NULL_OK: "<>" is one. */
bool smtp_path_parse(struct cursor *c, bool null_ok, struct smtp_path *path);

/* A domain name or an address literal, and nothing else. */
bool smtp_domain_valid(struct span name);

#endif
