/* SPDX-License-Identifier: MIT */
/* The configuration language with the program's own tables and their checks. */
#include "daemon/role.h"
#include "fuzz/conf_play.h"

void fuzz_target_words(fuzz_word *word)
{
    conf_play_words(&daemon_classes, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    conf_play(span_of(data, size), &daemon_classes);
    return 0;
}
