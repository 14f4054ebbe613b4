/* SPDX-License-Identifier: MIT */
/* What pidfd_helper.c tells pidfd.c beside the descriptor. */
#ifndef SOAK_PIDFD_RECORD_H
#define SOAK_PIDFD_RECORD_H

struct pidfd_record {
    int error; /* errno; 0: a descriptor comes with it */
};

#endif
