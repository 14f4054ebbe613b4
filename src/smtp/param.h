/* SPDX-License-Identifier: MIT */
/* ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.2: esmtp-keyword ["=" esmtp-value]). */
#ifndef SMTP_PARAM_H
#define SMTP_PARAM_H

#include "base/cursor.h"
#include "smtp/smtp.h"

struct smtp_param {
    struct span keyword, value;
    bool has_value;
};
enum smtp_param_result { SMTP_PARAM_END, SMTP_PARAM_OK, SMTP_PARAM_BAD };

/* The next parameter at C; each is preceded by at least one blank. */
enum smtp_param_result smtp_param_next(struct cursor *c, struct smtp_param *param);

/* What the parameters of MAIL say. */
struct smtp_mail_params {
    uint64_t size; /* 0: not stated; UINT64_MAX: that or more */
    enum smtp_body body;
};
/* Reads all of TEXT. OFFERED is what the last EHLO reply listed. The answer to give: SMTP_SAY_OK, or a refusal. */
enum smtp_say smtp_mail_params_parse(struct span text, smtp_ext_set offered, struct smtp_mail_params *params);
/* As above for RCPT, which has no parameters yet. */
enum smtp_say smtp_rcpt_params_parse(struct span text);

#endif
