/* SPDX-License-Identifier: MIT */
/* /proc/self/autogroup. */
#include "sys/autogroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 250, PAUSE_MS = 20 };

int autogroup_open(void)
{
    return open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
}

/* The whole number in one write: the kernel takes each write for a number of its own. */
enum err autogroup_nice(int fd, int nice)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", nice);
    if (fd < 0)
        return ERR_OK;
    for (int i = 0; i < TRIES; i++) {
        if (write(fd, text, (size_t)len) == len)
            return ERR_OK;
        if (errno != EAGAIN && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    return ERR_IO;
}
