/* SPDX-License-Identifier: MIT */
/* One scan host as a process: its command line, what it is handed, its workers' directories. */
#include "base/mem.h"
#include "daemon/scan_pool_internal.h"
#include "sys/memfd.h"
#include "sys/spawn.h"
#include <errno.h>
#include <limits.h>
#include <unistd.h>

enum { TMPFS_INODES = 16384 }; /* more files than any engine's own limits let it unpack at once */

/* The place of the stanza of the pool's plug-in: the host reads a configuration without places. */
static void plugin_origin(const struct scan_pool *p, char *out, size_t size)
{
    const struct framework *fw = p->shared->framework;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (framework_is_plugin(&fw->engines[i]) && strcmp(fw->engines[i].pool, p->conf->name) == 0)
            snprintf(out, size, "--origin=%s:%u", fw->engines[i].scope->file, fw->engines[i].scope->line);
}

static enum err host_try(struct scan_host *h, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    const struct scan_pool *p = h->pool;
    const struct startup *startup = p->shared->startup;
    char generation[16], origin[PATH_MAX + 32] = "";
    bool foreign = framework_pool_is_plugins(p->shared->framework, p->conf->name);
    const char *argv[12 + LIMIT_ENGINES] = {foreign ? "postern-plugin" : "postern-scan",
                                            "--pool",
                                            p->conf->name,
                                            "--temp",
                                            h->temp,
                                            "--generation",
                                            generation};
    struct scanner_handover scanners;
    size_t count = 7;
    snprintf(generation, sizeof(generation), "%u", h->generation);
    if (h->tmpfs)
        argv[count++] = "--tmpfs";
    if (h->phase == HOST_COMING)
        argv[count++] = "--replaces";
    if (foreign) {
        plugin_origin(p, origin, sizeof(origin));
        argv[count++] = origin;
    }
    scanner_files_hand_over(p->shared->scanners, p->shared->framework, p->conf->name, ROLE_FD_SCANNERS, &scanners);
    for (size_t i = 0; i < scanners.argument_count; i++)
        argv[count++] = scanners.arguments[i];
    if (foreign && startup->plugin_program < 0) {
        errtext_set(why, "postern-plugin must lie beside postern: there is none");
        return ERR_NOTFOUND;
    }
    int config = fd_reopen_readonly(startup->config_fd);
    if (config < 0) {
        errtext_set(why, "effective configuration: %s", strerror(errno));
        return ERR_IO;
    }
    int fds[2 + SCANNER_FILES_MAX] = {config, control};
    memcpy(fds + 2, scanners.fds, scanners.fd_count * sizeof(int));
    const struct spawn spawn = {.program_fd = foreign ? startup->plugin_program : startup->scan_program,
                                .argv = argv,
                                .envp = (const char *const *)p->shared->environment->items,
                                .fds = fds,
                                .fd_count = 2 + scanners.fd_count,
                                .user = startup->root ? &startup->scan_user : NULL,
                                .tmpfs = h->mounts,
                                .tmpfs_count = h->tmpfs ? p->slot_count : 0};
    enum err e = spawn_child(&spawn, pid, pidfd, why);
    close(config);
    return e;
}

enum err scan_pool_host_spawn(struct scan_host *h, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    enum err e = host_try(h, control, pid, pidfd, why);
    if (!e || !h->tmpfs)
        return e;
    /* Containers and hardened units often forbid mounts. Plain directories do as well, but for the kernel's hold on
     * their size. */
    h->tmpfs = false;
    log_text(h->pool->shared->log, LOG_PRIVILEGE, "reason",
             "%s: no memory file systems for the workers' temporary files (%s): plain directories are used", h->name,
             why->text);
    return host_try(h, control, pid, pidfd, why);
}

/* As root every slot gets a tmpfs of the pool's temp_size. */
static enum err prepare_mounts(struct scan_host *h)
{
    const struct scan_pool *p = h->pool;
    const struct startup *startup = p->shared->startup;
    if (!startup->root)
        return ERR_OK;
    h->mounts = mem_new(p->slot_count, sizeof(*h->mounts));
    h->slots = mem_new(p->slot_count, sizeof(*h->slots));
    if (!h->mounts || !h->slots)
        return ERR_NOMEM;
    for (size_t i = 0; i < p->slot_count; i++) {
        snprintf(h->slots[i], sizeof(h->slots[i]), "%s/%zu", h->temp, i);
        h->mounts[i] = (struct spawn_tmpfs){.path = h->slots[i],
                                            .bytes = (uint64_t)p->conf->conf.temp_size,
                                            .inodes = TMPFS_INODES,
                                            .uid = startup->scan_user.uid,
                                            .gid = startup->scan_user.gid};
    }
    h->tmpfs = true;
    return ERR_OK;
}

/* Each of the two has directories of its own, so that two generations never meet in one. */
enum err scan_pool_host_prepare(struct scan_pool *p, size_t which, const struct child_hooks *hooks, struct errtext *why)
{
    const struct scan_pool_shared *s = p->shared;
    struct scan_host *h = &p->hosts[which];
    h->pool = p;
    snprintf(h->name, sizeof(h->name), "scan %s", p->conf->name);
    enum err e = child_init(&h->child, h->name, hooks, h, s->loop, s->log, s->framework->pool_count, s->loops);
    if (!e)
        e = tempdir_make_pool(s->temp, p->index * ARRAY_SIZE(p->hosts) + which, p->slot_count,
                              s->startup->root ? &s->startup->scan_user : NULL, h->temp, why);
    return e ? e : prepare_mounts(h);
}

void scan_pool_host_release(struct scan_host *h)
{
    child_release(&h->child);
    mem_free(h->mounts);
    mem_free(h->slots);
}
