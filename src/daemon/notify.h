/* SPDX-License-Identifier: MIT */
/* Tells a service manager of the systemd kind how far the program is (sd_notify(3)): one datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable, and with a socket that takes nothing, it does nothing. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* STATE is "READY=1", "STOPPING=1" … */
void notify_send(const char *state);

#endif
