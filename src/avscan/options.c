/* SPDX-License-Identifier: MIT */
/* The command line, and what its limits are in libclamav's terms. */
#include "avscan/options.h"
#include "base/num.h"

#include <getopt.h>

enum {
    DEPTH_MAX = 50,
    DEPTH_DEFAULT = 10,
    FILES_DEFAULT = 5000,
    TIME_DEFAULT_MS = 180 * 1000,
    FILES_UNLIMITED = 1000000000,
    /* libclamav counts the message and its decoded part as levels too */
    LEVELS_AROUND = 2,
};
/* libclamav takes no larger file */
static const uint64_t size_max = 2147483647;

const char avscan_usage[] =
    "postern-avscan: scans files for viruses with libclamav; also the scanner that postern's engine csapi starts.\n"
    "usage: postern-avscan [--database PATH] [LIMIT]... FILE...\n"
    "       postern-avscan --version | --help\n"
    "  --database PATH                   directory or file of signatures (default: libclamav's own)\n"
    "  --official-only                   only databases that ClamAV has signed\n"
    "limits; where one is reached, the file is \"not scanned as a whole\":\n"
    "  --max-extract-depth N             archives inside archives, 1 to 50 (10)\n"
    "  --max-extract-size SIZE           one file, packed or not (100M)\n"
    "  --max-cumulative-extract-size SIZE  all that one file unpacks to (200M)\n"
    "  --max-extract-time TIME           taking one file apart; 0: no limit (180)\n"
    "  --max-file-count N                files inside one file; 0: no limit (5000)\n"
    "exit status: 0 no virus, 1 a virus was found, 2 neither: something could not be scanned, or not as a whole\n";

enum {
    OPTION_DATABASE = 256,
    OPTION_OFFICIAL,
    OPTION_SERVE,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_DEPTH,
    OPTION_SIZE,
    OPTION_CUMULATIVE,
    OPTION_TIME,
    OPTION_TIME_MS,
    OPTION_FILES
};

static bool read_value(int option, const char *text, struct avscan_options *out, struct errtext *why)
{
    struct span s = span_cstr(text);
    enum err e = ERR_SYNTAX;
    if (option == OPTION_DEPTH) {
        e = num_parse_u64(s, DEPTH_MAX, &out->depth);
        e = e == ERR_OK && out->depth == 0 ? ERR_RANGE : e;
    } else if (option == OPTION_SIZE) {
        e = num_parse_size(s, UINT32_MAX, &out->size);
    } else if (option == OPTION_CUMULATIVE) {
        e = num_parse_size(s, UINT32_MAX, &out->cumulative_size);
    } else if (option == OPTION_TIME) {
        e = num_parse_duration_ms(s, INT32_MAX, &out->time_ms);
    } else if (option == OPTION_TIME_MS) {
        e = num_parse_u64(s, INT32_MAX, &out->time_ms);
    } else if (option == OPTION_FILES) {
        e = num_parse_u64(s, FILES_UNLIMITED, &out->files);
    }
    if (e == ERR_OK)
        return true;
    errtext_set(why, "\"%.100s\": %s", text, e == ERR_RANGE ? "out of range" : "no such number");
    return false;
}

bool avscan_options_read(int argc, char **argv, struct avscan_options *out, struct errtext *why)
{
    static const struct option options[] = {
        {"serve", no_argument, NULL, OPTION_SERVE},
        {"database", required_argument, NULL, OPTION_DATABASE},
        {"official-only", no_argument, NULL, OPTION_OFFICIAL},
        {"max-extract-depth", required_argument, NULL, OPTION_DEPTH},
        {"max-extract-size", required_argument, NULL, OPTION_SIZE},
        {"max-cumulative-extract-size", required_argument, NULL, OPTION_CUMULATIVE},
        {"max-extract-time", required_argument, NULL, OPTION_TIME},
        {"max-extract-milliseconds", required_argument, NULL, OPTION_TIME_MS}, /* as the engine gives it */
        {"max-file-count", required_argument, NULL, OPTION_FILES},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {0}};
    *out = (struct avscan_options){.depth = DEPTH_DEFAULT, .time_ms = TIME_DEFAULT_MS, .files = FILES_DEFAULT};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?') {
            errtext_set(why, "see --help"); /* getopt has said what is wrong */
            return false;
        }
        out->serve = out->serve || c == OPTION_SERVE;
        out->version = out->version || c == OPTION_VERSION;
        out->help = out->help || c == OPTION_HELP;
        out->official_only = out->official_only || c == OPTION_OFFICIAL;
        if (c == OPTION_DATABASE)
            out->database = optarg;
        else if (c >= OPTION_DEPTH && !read_value(c, optarg, out, why))
            return false;
    }
    out->names = argv + optind;
    bool alone = out->serve || out->version || out->help;
    if (alone == (optind < argc)) {
        errtext_set(why, alone ? "no file is expected here" : "no file is named; see --help");
        return false;
    }
    return true;
}

void avscan_engine_conf(const struct avscan_options *o, struct engine_conf *out)
{
    uint64_t size = o->size ? o->size : SCANNER_FILE_SIZE;
    *out = (struct engine_conf){.enabled = true,
                                .database = o->database,
                                .official_only = o->official_only,
                                .alert_encrypted = true,
                                .max_scansize =
                                    (int64_t)(o->cumulative_size ? o->cumulative_size : SCANNER_CUMULATIVE_SIZE),
                                .max_filesize = (int64_t)(size < size_max ? size : size_max),
                                .max_recursion = (int64_t)o->depth + LEVELS_AROUND,
                                .max_files = o->files ? (int64_t)o->files : FILES_UNLIMITED};
}

uint64_t avscan_time_ms(const struct avscan_options *o, uint64_t time_ms)
{
    return o->time_ms > 0 && o->time_ms < time_ms ? o->time_ms : time_ms;
}
