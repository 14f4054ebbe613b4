/* SPDX-License-Identifier: MIT */
/* The configuration language with the tables of the unit tests, which have a row of every type and a class of every
 * kind. */
#include "fuzz/conf_play.h"
#include "unit/conf/fixture.h"

void fuzz_target_words(fuzz_word *word)
{
    conf_play_words(&fixture_classes, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    conf_play(span_of(data, size), &fixture_classes);
    return 0;
}
