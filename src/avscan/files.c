/* SPDX-License-Identifier: MIT */
/* Who runs it by hand trusts the files no more than a mail server does, but it is their shell, and the files lie
 * anywhere: there is no cage here, as with clamscan. */
#include "avscan/files.h"
#include "avscan/report.h"
#include "scan/engine/engine.h"
#include "scan/host/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 3600 * 1000 }; /* where --max-extract-time is 0 */

static int print_result(const char *name, const struct verdict *v, const struct scanner_result *r)
{
    const char *about = v->name[0] ? v->name : v->detail;
    if (v->class == VERDICT_CLEAN) {
        printf("%s: OK\n", name);
        return AVSCAN_CLEAN;
    }
    if (v->class == VERDICT_INFECTED) {
        printf("%s: %s FOUND\n", name, about);
        return AVSCAN_VIRUS;
    }
    printf("%s: %s: %s: %s%s%s\n", name, r->status == SCANNER_UNSCANNABLE ? "NOT SCANNED AS A WHOLE" : "ERROR",
           verdict_reason_meaning(v->reason), about, about[0] ? ", " : "", r->codes[0]);
    return AVSCAN_TROUBLE;
}

static int scan_file(const struct avscan_options *o, void *engine, int temp, const char *name)
{
    struct stat st;
    struct verdict v;
    struct scanner_result result;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        printf("%s: ERROR: %s\n", name, fd < 0 ? strerror(errno) : "not a regular file");
        if (fd >= 0)
            close(fd);
        return AVSCAN_TROUBLE;
    }
    engine_clamav.scan(engine, fd, (uint64_t)st.st_size, avscan_time_ms(o, PATIENCE_MS), &v);
    close(fd);
    if (workspace_clean(temp) != ERR_OK)
        fprintf(stderr, "postern-avscan: the temporary directory cannot be emptied: %s\n", strerror(errno));
    avscan_report(&v, 0, o->time_ms > 0, &result);
    return print_result(name, &v, &result);
}

static int scan_all(const struct avscan_options *o, void *engine, int temp)
{
    bool virus = false, trouble = false;
    for (char *const *name = o->names; *name; name++) {
        int status = scan_file(o, engine, temp, *name);
        virus = virus || status == AVSCAN_VIRUS;
        trouble = trouble || status == AVSCAN_TROUBLE;
    }
    return virus ? AVSCAN_VIRUS : trouble ? AVSCAN_TROUBLE : AVSCAN_CLEAN;
}

/* A directory of our own for what is unpacked; its descriptor, or -1. */
static int make_temp(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(path, size, "%s/postern-avscan-XXXXXX", base && base[0] == '/' ? base : "/tmp");
    if (n < 0 || (size_t)n >= size || !mkdtemp(path))
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int avscan_files(const struct avscan_options *o)
{
    char path[4096];
    void *engine = NULL;
    struct engine_conf conf;
    struct engine_info info;
    struct errtext why = {""};
    int status = AVSCAN_TROUBLE, temp = make_temp(path, sizeof(path));
    if (temp < 0) {
        fprintf(stderr, "postern-avscan: temporary directory %s: %s\n", path, strerror(errno));
        return AVSCAN_TROUBLE;
    }
    avscan_engine_conf(o, &conf);
    enum err e = engine_clamav.open(&conf, &engine, &info, &why);
    if (e == ERR_OK)
        e = engine_clamav.worker_start(engine, path, &why);
    if (e == ERR_OK) {
        fprintf(stderr, "postern-avscan " POSTERN_VERSION " with %s, definitions %llu, %llu signatures\n", info.version,
                (unsigned long long)info.database_version, (unsigned long long)info.signatures);
        if (info.missing[0])
            fprintf(stderr, "postern-avscan: %s\n", info.missing);
        status = scan_all(o, engine, temp);
    } else {
        fprintf(stderr, "postern-avscan: %s\n", why.text);
    }
    engine_clamav.close(engine);
    close(temp);
    rmdir(path);
    return status;
}
