/* SPDX-License-Identifier: MIT */
/* Every cap of the program that no option sets, each with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* SMTP, RFC 5321 4.5.3.1: a command line is 512 octets, and extensions add up to about 2 KiB (SIZE 26, BODY 17, AUTH
 * 500, DSN 107 + 500 …). 4 KiB leaves room for all of them at once. */
#define LIMIT_COMMAND_LINE 4096
/* RFC 5321 4.5.3.1.3 sets 256 octets for a path; real ones with quoted local parts are longer. */
#define LIMIT_PATH 1024
/* One reply of a backend: 512 octets a line (RFC 5321 4.5.3.1.5) and as many lines as a large EHLO answer has. */
#define LIMIT_REPLY_LINE 4096
#define LIMIT_REPLY      65536
/* Unread input of a connection: one large TLS record or socket read, so that a body moves in few steps. */
#define LIMIT_STREAM_IN 65536
/* Unsent output of a connection: replies of one pipelined group, or one slice of a body. */
#define LIMIT_STREAM_OUT 131072
/* Commands sent to a backend and not yet answered (RFC 2920 bounds the window by what both sides can buffer). */
#define LIMIT_PIPELINE 64
/* One configuration file (4 MiB), and the whole tree with its includes (64 MiB). */
#define LIMIT_CONFIG_FILE  4194304
#define LIMIT_CONFIG_ARENA 67108864
#define LIMIT_CONFIG_DEPTH 32
/* Files of one configuration: includes that include each other must not multiply without end. */
#define LIMIT_CONFIG_FILES 1000
/* Entries of one scope, list or dictionary: duplicates are searched for one by one. */
#define LIMIT_CONFIG_ENTRIES 10000
/* All findings about one configuration: nobody reads more than 1 MiB. */
#define LIMIT_CONFIG_FINDINGS 1048576
/* One log line with all its escaped fields. */
#define LIMIT_LOG_LINE 8192
/* One hostile string inside a log line, before escaping. */
#define LIMIT_LOG_FIELD 512
/* One record between edge, scan host and worker (DESIGN section 2). */
#define LIMIT_SCAN_RECORD 65536
/* A virus name or a reason as an engine gives it. */
#define LIMIT_VERDICT_NAME 128
#define LIMIT_VERDICT_TEXT 256
/* Name of an engine instance: the original's limit. */
#define LIMIT_ENGINE_NAME 40
#define LIMIT_ENGINES     16
#define LIMIT_POOLS       (LIMIT_ENGINES + 1) /* one each, and the inspections' */
/* Where in a message a part is, "1.2.1": some ten levels; what is longer is cut, it is for people. */
#define LIMIT_PART_PATH 47
/* Name or type of a part as its header gives it: file systems end at 255 octets. */
#define LIMIT_PART_TEXT 255
/* One decoded value of a header field, as policies see it, all values of a message with their names, and octets of one
 * field that are looked at: a policy that needs more of a subject than 4 KiB looks for something else. */
#define LIMIT_PART_VALUE  4096
#define LIMIT_PART_VALUES 262144
#define LIMIT_PART_FIELD  16384
/* Decoded contents of one message (a message of 50 MiB whose parts are decoded in two ways), and of all messages that
 * are looked at now: what a small machine can spare beside the signatures. */
#define LIMIT_PARTS_FILE   134217728
#define LIMIT_PARTS_MEMORY 1073741824
/* Parts in one parts file, of all readings: real mail has a few dozen. */
#define LIMIT_PARTS 16384
/* Worker processes of one pool (ThreadPool's Concurrency): each is a process with two descriptors at its host. */
#define LIMIT_POOL_WORKERS 1024
/* A dictionary of context variables: what a site's own listeners and engines set, with room to spare; names of engines
 * and options (128) are part of the keys. */
#define LIMIT_DICT_ENTRIES 64
#define LIMIT_DICT_KEY     160
#define LIMIT_DICT_VALUE   1024

/* Structure of one message: beyond these no person or mail program wrote it, and parsers that allocate or descend for
 * each of them (GMime does) must not see it. Headers, parameters and field: libclamav stops at 1,024, 256 and 256 KiB;
 * the longest real fields are recipient lists of some 10 KiB. Groups and depth: GMime's parsers recurse for them. */
#define LIMIT_MIME_HEADERS    1024
#define LIMIT_MIME_FIELD      65536
#define LIMIT_MIME_PARAMETERS 256
#define LIMIT_MIME_GROUPS     100
#define LIMIT_MIME_DEPTH      100
/* Parts of one message, in all readings: a digest of a busy list has some hundreds. */
#define LIMIT_MIME_PARTS 8192
/* Encoded messages within encoded messages: quoted-printable ones do not even grow, so each level costs as much as the
 * whole. */
#define LIMIT_MIME_DECODINGS 12

#endif
