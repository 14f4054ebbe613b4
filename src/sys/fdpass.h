/* SPDX-License-Identifier: MIT */
/* Datagrams over SOCK_SEQPACKET pairs, each with at most FDPASS_MAX descriptors (SCM_RIGHTS). Never blocks
 * (MSG_DONTWAIT). */
#ifndef SYS_FDPASS_H
#define SYS_FDPASS_H

#include "base/err.h"
#include "base/span.h"

/* A connected pair, close-on-exec and non-blocking; ERR_IO with errno. */
enum err fdpass_pair(int fds[2]) must_use;
/* Sends BYTES as one datagram, with a copy of FD unless it is -1. ERR_AGAIN: the queue is full. ERR_CLOSED: nobody
 * listens. ERR_IO: errno. ERR_STATE: BYTES is empty, which a receiver would take for end of file. Nothing is ever sent
 * in part. */
enum err fdpass_send(int sock, struct span bytes, int fd) must_use;
enum { FDPASS_MAX = 2 };
/* The same with COUNT descriptors, at most FDPASS_MAX. */
enum err fdpass_send_many(int sock, struct span bytes, const int *fds, size_t count) must_use;
/* Receives one datagram of at most SIZE bytes into BUF: *len its length, *fd a descriptor (close-on-exec) or -1.
 * ERR_AGAIN: none is there. ERR_CLOSED: end of file. ERR_FULL: it was longer than SIZE, carried more than one
 * descriptor, or one that we had no number left for (EMFILE); it is dropped and all its descriptors closed. But where
 * the kernel dropped descriptors and BUF has every byte, *len is their number, otherwise 0: who must answer can.
 * ERR_IO: errno. */
enum err fdpass_recv(int sock, void *buf, size_t size, size_t *len, int *fd) must_use;

/* The same with at most FDPASS_MAX descriptors in their order; those that did not come are -1. */
enum err fdpass_recv_many(int sock, void *buf, size_t size, size_t *len, int fds[FDPASS_MAX]) must_use;

#endif
