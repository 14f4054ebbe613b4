/* SPDX-License-Identifier: MIT */
/* The header lines that postern puts in front of a message it delivers. Nothing is added to a clean message: it reaches
 * the backend octet by octet as the client sent it. */
#include "proxy/transaction.h"

void transaction_set_overlay(struct transaction *t, const char *hostname)
{
    t->overlay_len = 0;
    if (!t->decision.mark)
        return;
    int n = snprintf(t->overlay, sizeof(t->overlay), "X-Virus-Status: %s; host=%s\r\n", t->decision.status, hostname);
    t->overlay_len = n > 0 && (size_t)n < sizeof(t->overlay) ? (size_t)n : 0;
}
