/* SPDX-License-Identifier: MIT */
/* One message as a file, for a daemon on this host that is told a path. The directory is the worker's own (made by the
 * scan host in file_base, scan/host/handover.h), the name is a number and ".eml": nothing of a mail is in it. The file
 * can be read by the directory's group (0640) and is gone when message_file_remove returns; where a worker ends before
 * that, its host removes it.
 */
#ifndef SCAN_ENGINE_MESSAGE_FILE_H
#define SCAN_ENGINE_MESSAGE_FILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum { MESSAGE_FILE_DIRECTORY = 1200, MESSAGE_FILE_PATH = MESSAGE_FILE_DIRECTORY + 32 };

struct message_file {
    char directory[MESSAGE_FILE_DIRECTORY]; /* empty: there is none */
    struct errtext why;                     /* there is none */
    uint64_t serial;
    bool there;                   /* a file is */
    char path[MESSAGE_FILE_PATH]; /* of it */
};

/* DIRECTORY NULL: there is none, and WHY says so. */
void message_file_init(struct message_file *f, const char *directory, const char *why);
/* Writes SIZE octets of the message FD into a new file F->path. ERR_DENIED: no file can be made there at all; ERR_IO:
 * other trouble, such as a full disk; WHY. Nothing is left then. */
enum err message_file_put(struct message_file *f, int fd, uint64_t size, struct errtext *why) must_use;
void message_file_remove(struct message_file *f);
/* What tells this file from every other, in the path that a daemon knows it by: the last two parts. */
const char *message_file_tail(const struct message_file *f);

#endif
