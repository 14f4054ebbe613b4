/* SPDX-License-Identifier: MIT */
/* The header lines that postern puts in front of a message it delivers. Nothing is added to a clean message: it reaches
 * the backend octet by octet as the client sent it. */
#include "proxy/transaction.h"

static bool is_printable(const char *text)
{
    while (char_is_print(*text))
        text++;
    return *text == '\0';
}

void transaction_set_overlay(struct transaction *t, const char *hostname)
{
    t->overlay_len = 0;
    if (!t->decision.mark)
        return;
    int n = snprintf(t->overlay, sizeof(t->overlay), "X-Virus-Status: %s; host=%s\r\n", t->decision.status, hostname);
    t->overlay_len = n > 0 && (size_t)n < sizeof(t->overlay) ? (size_t)n : 0;
}

void transaction_set_release_overlay(struct transaction *t, const char *id, const char *mark, const char *hostname)
{
    int n = snprintf(t->overlay, sizeof(t->overlay), "X-Postern-Released: %s; host=%s\r\n", id, hostname);
    t->overlay_len = n > 0 && (size_t)n < sizeof(t->overlay) ? (size_t)n : 0;
    /* The mark comes from a file: nothing but one line of text may become a header line. */
    size_t room = sizeof(t->overlay) - t->overlay_len;
    if (!mark[0] || !is_printable(mark))
        return;
    n = snprintf(t->overlay + t->overlay_len, room, "X-Virus-Status: %s; host=%s\r\n", mark, hostname);
    t->overlay_len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}
