/* SPDX-License-Identifier: MIT */
/* Metadata of quarantine as a hostile file. What is read is whole and bounded, and once written again it reads as
 * itself and writes as itself; what is no metadata leaves nothing behind. (B43) */
#include "fuzz/fuzz.h"
#include "spool/quarantine_meta.h"

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"\"id\": \"20261122023015-0123456789abcdeffedcba9876543210\"",
                                        "\"status\": \"held\"",
                                        "\"status\": \"releasing\"",
                                        "\"status\": \"released\"",
                                        "\"time_ms\": ",
                                        "\"changed_ms\": ",
                                        "\"size\": ",
                                        "\"database\": ",
                                        "\"sha256\": \"",
                                        "\"recipients\": [\"<a@b>\"]",
                                        "\\u00",
                                        "\\\""};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
#define QUARANTINE_TEXT(field, key, meaning) word(SPAN("\"" key "\": "));
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
}

enum { ROOM = 1 << 22 };

static void require_whole(const struct quarantine_meta *m)
{
    FUZZ_REQUIRE(quarantine_id_is_valid(span_cstr(m->id)));
    FUZZ_REQUIRE(m->status < QUARANTINE_STATUS_COUNT);
    FUZZ_REQUIRE(m->reverse_path[0] != '\0' && m->recipient_count > 0);
    (void)quarantine_id_time_ms(m->id);
}

static void write_again(const struct quarantine_meta *m, struct buf *out)
{
    buf_init(out, QUARANTINE_META_MAX);
    FUZZ_REQUIRE(quarantine_meta_write(out, m) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena first, second;
    struct quarantine_meta m, again;
    struct errtext why;
    struct buf once, twice;
    arena_init(&first, ROOM);
    arena_init(&second, ROOM);
    enum err e = quarantine_meta_read(&first, span_of(data, size), QUARANTINE_RECIPIENTS_MAX, &m, &why);
    if (e == ERR_OK) {
        require_whole(&m);
        write_again(&m, &once);
        FUZZ_REQUIRE(quarantine_meta_read(&second, buf_span(&once), QUARANTINE_RECIPIENTS_MAX, &again, &why) == ERR_OK);
        write_again(&again, &twice);
        FUZZ_REQUIRE_SAME(buf_span(&twice), buf_span(&once));
        buf_release(&once);
        buf_release(&twice);
    } else {
        FUZZ_REQUIRE(m.id[0] == '\0' && m.recipient_count == 0 && m.virus[0] == '\0');
    }
    arena_release(&first);
    arena_release(&second);
    return 0;
}
